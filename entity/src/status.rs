//! The words that rows hold in place of free text, and the legal moves between statuses.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Declares an enum that is stored as lower-case words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
        #[sea_orm(rs_type = "String", db_type = "Text")]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* #[sea_orm(string_value = $word)] $variant,)+
        }

        impl $name {
            /// The word as it is stored.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// Life of a job. The first two are on their way, the others final.
    JobStatus { Queued = "queued", Running = "running", Completed = "completed", Failed = "failed", Canceled = "canceled", TimedOut = "timed_out" }
}
words! {
    /// Life of a run.
    RunStatus { Running = "running", Completed = "completed", Failed = "failed" }
}
words! {
    /// Where a run was computed: in a user's browser or by a worker.
    RunEngine { Client = "client", Server = "server" }
}
words! {
    /// The lane of a job: high is premium, normal is standard, low is background work.
    Priority { Low = "low", Normal = "normal", High = "high" }
}
words! {
    /// How much of a run is kept as events.
    Trace { None = "none", Sampled = "sampled", Full = "full" }
}
words! {
    /// Who may open a design.
    Visibility { Private = "private", Unlisted = "unlisted", Public = "public" }
}
words! {
    /// What someone may do with a design that was shared with them.
    CollaboratorRole { Viewer = "viewer", Editor = "editor" }
}
words! {
    /// What a user may do beyond their own things.
    Role { User = "user", Admin = "admin" }
}
words! {
    /// What a user pays for.
    Tier { Free = "free", Premium = "premium" }
}
words! {
    /// What a template is a starting point for.
    TemplateCategory { Oltp = "oltp", Olap = "olap", WriteHeavy = "write_heavy" }
}
words! {
    /// Severity of a line in a job's log.
    LogLevel { Debug = "debug", Info = "info", Warn = "warn", Error = "error" }
}
words! {
    /// Why a job ended without a result.
    FailureCode {
        Timeout = "timeout",
        MemoryLimit = "memory_limit",
        EventLimit = "event_limit",
        InvalidDesign = "invalid_design",
        InvalidWorkload = "invalid_workload",
        WorkerLost = "worker_lost",
        Internal = "internal",
    }
}

impl JobStatus {
    /// A final status never changes again.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Whether a job may move from this status to `next`. RUNNING returns to QUEUED when its worker was lost, hands the
    /// job back, or met a fault worth another attempt.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::Running | Self::Canceled | Self::Failed),
            Self::Running => next != Self::Running,
            _ => false,
        }
    }
}

impl FailureCode {
    /// Whether submitting the same job again can end otherwise.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Timeout | Self::WorkerLost | Self::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::{ActiveEnum, Iterable};

    #[test]
    fn a_terminal_job_never_moves() {
        for from in JobStatus::iter().filter(|status| status.is_terminal()) {
            for to in JobStatus::iter() {
                assert!(!from.may_become(to), "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn a_queued_job_cannot_finish_without_running() {
        assert!(!JobStatus::Queued.may_become(JobStatus::Completed));
        assert!(!JobStatus::Queued.may_become(JobStatus::TimedOut));
        assert!(JobStatus::Running.may_become(JobStatus::Queued));
    }

    #[test]
    fn the_stored_word_is_the_serialised_word() {
        for code in FailureCode::iter() {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(code.to_value(), code.as_str());
        }
    }
}
