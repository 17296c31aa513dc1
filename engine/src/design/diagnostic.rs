//! What validation says: one entry for every problem, each with a stable code and a path into the JSON it is about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a diagnostic is: a design or workload with an error cannot run, one with warnings can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// Declares the codes once: the enum and its stable text form cannot drift apart.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// The stable name of a rule that was broken. Its text form is `SCREAMING_SNAKE_CASE` and never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* #[serde(rename = $text)] $variant),+ }

        impl Code {
            /// Every code, in declaration order.
            pub const ALL: &'static [Code] = &[$(Code::$variant),+];

            /// The stable text form.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text),+ }
            }
        }
    };
}

codes! {
    /// A value has the wrong JSON type, or a required field is missing.
    MalformedJson = "MALFORMED_JSON",
    /// More blocks or connections than a canvas may hold.
    TooLarge = "TOO_LARGE",
    /// The catalogue has no block of this type.
    UnknownBlockType = "UNKNOWN_BLOCK_TYPE",
    /// The catalogue has no persona of this name.
    UnknownPersona = "UNKNOWN_PERSONA",
    /// Two blocks, or two connections, share an id.
    DuplicateId = "DUPLICATE_ID",
    /// The block type has no parameter of this name.
    UnknownParameter = "UNKNOWN_PARAMETER",
    /// A parameter has the wrong JSON type.
    ParameterType = "PARAMETER_TYPE",
    /// A parameter lies outside its range or choices.
    ParameterOutOfRange = "PARAMETER_OUT_OF_RANGE",
    /// A connection names a block that is not on the canvas.
    DanglingConnection = "DANGLING_CONNECTION",
    /// A connection names a port that its block does not have.
    UnknownPort = "UNKNOWN_PORT",
    /// The port does not accept a block of the target's category.
    PortMismatch = "PORT_MISMATCH",
    /// A required port has no connection.
    MissingConnection = "MISSING_CONNECTION",
    /// A port that takes one connection has several.
    TooManyConnections = "TOO_MANY_CONNECTIONS",
    /// The same two ports are connected twice.
    DuplicateConnection = "DUPLICATE_CONNECTION",
    /// Requests would run in a circle.
    Cycle = "CYCLE",
    /// No block brings the workload in.
    NoClient = "NO_CLIENT",
    /// More than one block brings the workload in.
    MultipleClients = "MULTIPLE_CLIENTS",
    /// No request can reach this block.
    UnreachableBlock = "UNREACHABLE_BLOCK",
    /// Two storage blocks hold the same table.
    DuplicateTable = "DUPLICATE_TABLE",
    /// An index and the storage it is scanned with hold different tables.
    TableMismatch = "TABLE_MISMATCH",
    /// Blocks that share one buffer pool use pages of different sizes.
    PageSizeMismatch = "PAGE_SIZE_MISMATCH",
    /// A copy-on-write tree has its pages where nothing writes them when a transaction commits.
    CopyOnWriteWithoutCommit = "COPY_ON_WRITE_WITHOUT_COMMIT",
    /// The design holds no block that serves this table.
    TableNotStored = "TABLE_NOT_STORED",
    /// A row, or an index entry, does not fit the pages of its block.
    RecordTooLarge = "RECORD_TOO_LARGE",
    /// A workload without operations, or without any weight.
    NoOperations = "NO_OPERATIONS",
    /// A workload value lies outside its range.
    ValueOutOfRange = "VALUE_OUT_OF_RANGE",
    /// The access an operation makes cannot be read from its template.
    UnknownAccess = "UNKNOWN_ACCESS",
    /// The operation's type and its template, or its parameters, disagree.
    OperationMismatch = "OPERATION_MISMATCH",
    /// An operation names a table the workload does not declare.
    UnknownTable = "UNKNOWN_TABLE",
    /// The operations of one transaction have different weights.
    TransactionWeights = "TRANSACTION_WEIGHTS",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One problem: what rule was broken, where, and what would satisfy it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: Code,
    /// A sentence for the person who drew the canvas or wrote the workload.
    pub message: String,
    /// The place in the JSON, e.g. `["blocks", "3", "parameters", "fill_factor"]`.
    pub path: Vec<String>,
    /// The block it is about, where there is one.
    pub block_id: Option<String>,
}

impl Diagnostic {
    pub(crate) fn error(code: Code, path: &[&str], message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            block_id: None,
        }
    }

    pub(crate) fn warning(code: Code, path: &[&str], message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, message) }
    }

    pub(crate) fn at_block(mut self, block_id: &str) -> Self {
        self.block_id = Some(block_id.to_owned());
        self
    }
}

impl fmt::Display for Diagnostic {
    /// `error PARAMETER_OUT_OF_RANGE at blocks[3].parameters.fill_factor: …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at ", self.severity, self.code)?;
        if self.path.is_empty() {
            f.write_str("the top")?;
        }
        for (position, part) in self.path.iter().enumerate() {
            if part.parse::<u64>().is_ok() {
                write!(f, "[{part}]")?;
            } else {
                write!(f, "{}{part}", if position == 0 { "" } else { "." })?;
            }
        }
        write!(f, ": {}", self.message)
    }
}
