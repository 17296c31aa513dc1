//! `engine fidelity`: measured cases, simulated and scored.

use std::io::Write as _;
use std::path::Path;

use engine::fidelity;

use crate::input::{Failure, read_json, to_json, write};

pub(crate) fn run(
    file: &Path,
    with_score: bool,
    kind: Option<&str>,
    document: Option<&Path>,
) -> Result<String, Failure> {
    let mut cases = fidelity::read(&read_json(file)?).map_err(Failure::Usage)?;
    cases.retain(|case| kind.is_none_or(|kind| case.kind == kind));
    let line = |value: Result<String, serde_json::Error>| {
        value.map_err(|error| Failure::Refused(format!("the result has no JSON form: {error}")))
    };
    let mut predictions = Vec::new();
    for prediction in cases.iter().filter_map(fidelity::predict) {
        // Case by case, because a whole file takes a while. A closed pipe is no failure of ours.
        let _ = writeln!(std::io::stdout(), "{}", line(serde_json::to_string(&prediction))?);
        predictions.push(prediction);
    }
    let score = fidelity::score(&cases, &predictions);
    if let Some(folder) = document {
        let misses = read_json(&folder.join("tests/fidelity/known-misses.json"))?;
        let misses = misses.as_array().map_or(&[][..], Vec::as_slice);
        let agreement = fidelity::agreement(&cases, &predictions, &score);
        write(&folder.join("src/design/catalog/agreement.json"), &(to_json(&agreement)? + "\n"))?;
        write(&folder.join("FIDELITY.md"), &fidelity::markdown(&cases, &predictions, &score, misses))?;
    }
    if !with_score {
        return Ok(String::new());
    }
    score.misses.iter().for_each(|miss| eprintln!("{miss}"));
    let summary = line(serde_json::to_string(&score))?;
    if score.passed == score.cases {
        return Ok(summary);
    }
    let _ = writeln!(std::io::stdout(), "{summary}");
    Err(Failure::Refused(format!("{} of {} cases do not pass", score.cases - score.passed, score.cases)))
}
