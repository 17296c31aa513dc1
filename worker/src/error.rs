//! How a job's handler ends, and how it says so at every `?`.

use std::{error::Error, time::Duration};

use rand::RngExt;

use crate::{bus::BusError, config::ConfigError, queue::QueueError};

/// What the queue is to do with a delivery that was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The row says all there is to say: forget the entry.
    Done,
    /// Deliver again after a while.
    Retry { delay: Duration },
    /// There is nothing to work on, and never will be: forget the entry.
    Abort,
}

/// A handler that came to no outcome because the infrastructure failed; the next delivery may fare better. The text is for
/// logs.
#[derive(Debug, thiserror::Error)]
#[error("to be retried: {0}")]
pub struct JobError(pub Box<dyn Error + Send + Sync>);

/// Says at a `?` that a failure is worth another delivery. What is not ends as an [`Outcome`] or in the job's row.
pub trait OrRetry<T> {
    fn or_retry(self) -> Result<T, JobError>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrRetry<T> for Result<T, E> {
    fn or_retry(self) -> Result<T, JobError> {
        self.map_err(|error| JobError(error.into()))
    }
}

/// Why a worker cannot start. `Display` is one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the database of DATABASE_URL cannot be used: {0}")]
    Database(#[from] entity::StoreError),
    #[error("DATABASE_READ_URL cannot be used: {0}")]
    Replica(entity::StoreError),
    #[error("the Redis of REDIS_URL cannot be used: {0}")]
    Queue(#[from] QueueError),
    #[error("the Redis of REDIS_URL cannot be used: {0}")]
    Bus(#[from] BusError),
    #[error("WORKER_BIND cannot be listened on: {0}")]
    Bind(std::io::Error),
    #[error("the worker stopped: {0}")]
    Stopped(String),
}

/// How long to wait before attempt `attempts + 1`: doubling from one second to a minute, half of it left to chance, so that
/// jobs that failed together do not come back together.
pub fn backoff(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 7) - 1).unwrap_or_default();
    let longest = Duration::from_secs(1 << doublings).min(Duration::from_secs(60));
    longest.mul_f64(rand::rng().random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_and_stays_within_a_minute() {
        for (attempts, longest) in [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1_000_000, 60)] {
            let delay = backoff(attempts);
            assert!(delay <= Duration::from_secs(longest), "{attempts}: {delay:?}");
            assert!(delay >= Duration::from_millis(longest * 500), "{attempts}: {delay:?}");
        }
    }
}
