//! `engine validate` and `engine plan`: what is wrong with a canvas, and how it is understood.

use std::path::Path;

use engine::{Checked, design};

use crate::input::{Failure, list, plan_of, read_json, to_json};

pub(crate) fn validate(file: &Path, as_json: bool) -> Result<String, Failure> {
    let Checked { diagnostics, plan } = design::check(&read_json(file)?);
    let text = match (as_json, diagnostics.is_empty()) {
        (true, _) => to_json(&diagnostics)?,
        (false, true) => "valid".to_owned(),
        (false, false) => list(&diagnostics),
    };
    if plan.is_some() { Ok(text) } else { Err(Failure::Refused(text)) }
}

pub(crate) fn plan(file: &Path) -> Result<String, Failure> {
    plan_of(&read_json(file)?).map(|plan| plan.to_string())
}
