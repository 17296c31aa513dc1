//! What a block's model claims, what it leaves out, and how it compares with measurements of real systems.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::BlockType;

/// The claims of a block.
#[derive(Debug)]
pub struct Model {
    /// What is modelled, with the formula or the source where there is one.
    pub modelled: &'static [&'static str],
    pub not_modelled: &'static [&'static str],
    /// Kinds of measured cases whose figures this block decides.
    pub measured_by: &'static [&'static str],
}

/// How simulated cases compare with the measured ones. Errors are those of the scored quantities, in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    pub cases: u32,
    /// Cases with every scored quantity within the tolerance of a measured run.
    pub passed: u32,
    /// Absent where only an order is compared.
    pub median_error_percent: Option<f64>,
    pub max_error_percent: Option<f64>,
    /// What was measured, with versions.
    pub systems: Vec<String>,
}

impl BlockType {
    /// The measured agreement of this block over all kinds of cases that hold it; absent where nothing was measured.
    pub fn agreement(&self) -> Option<Agreement> {
        measured().remove(self.kind)
    }
}

/// By block type, as the last run over the measured cases left it.
fn measured() -> BTreeMap<String, Agreement> {
    // A test holds that the file reads and is what the cases say.
    serde_json::from_str(include_str!("agreement.json")).unwrap_or_default()
}
