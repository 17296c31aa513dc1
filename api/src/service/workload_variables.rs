//! What a workload template leaves to its user: the share of reads, its size, and what the template itself names.

use engine::{
    Workload,
    templates::WorkloadTemplate,
    workload::{Operation, OperationType},
};
use serde_json::{Map, Value as Json};

use super::{UserError, input::Mistakes};

/// The share of operations that only read, from 0 to 100.
const READ_PERCENT: &str = "read_percent";
/// The variables that stand for a number of the workload's config.
const COUNTS: [&str; 3] = ["total_operations", "record_count", "concurrency"];

/// The workload of a template with these variables in their places. `template` is the built-in one that it comes from, if any.
pub fn fill(
    mistakes: &mut Mistakes,
    template: Option<&WorkloadTemplate>,
    workload: Workload,
    variables: &Json,
) -> Workload {
    let Some(variables) = variables.as_object() else {
        mistakes.add(UserError::invalid(&["variables"], "variables must be an object"));
        return workload;
    };
    let own: Vec<&str> =
        template.map_or(&[][..], WorkloadTemplate::variables).iter().map(|one| one.name).collect();
    let (stated, others): (Map<String, Json>, Map<String, Json>) =
        variables.clone().into_iter().partition(|(name, _)| own.contains(&name.as_str()));
    let mut workload = match template {
        Some(template) if !stated.is_empty() => made(mistakes, template, stated).unwrap_or(workload),
        _ => workload,
    };
    for (name, value) in &others {
        let path = ["variables", name.as_str()];
        if name == "record_count" && workload.tables.len() > 1 {
            let message = "record_count would make every table of this template as large as the others";
            mistakes.add(UserError::invalid(&path, message));
            continue;
        }
        if name == READ_PERCENT {
            match value.as_f64().filter(|percent| (0.0..=100.0).contains(percent)) {
                Some(percent) => mix(mistakes, &mut workload.operations, percent),
                None => {
                    mistakes.add(UserError::invalid(&path, "read_percent must be a number from 0 to 100"));
                }
            }
        } else if COUNTS.contains(&name.as_str()) {
            match value.as_u64().filter(|count| *count >= 1) {
                Some(count) => set(mistakes, &mut workload, name, count),
                None => mistakes
                    .add(UserError::invalid(&path, format!("{name} must be a whole number of at least 1"))),
            }
        } else {
            let known = own.iter().copied().chain([READ_PERCENT]).chain(COUNTS);
            let known = known.collect::<Vec<_>>().join(", ");
            let message = format!("there is no variable of this name; there are {known}");
            mistakes.add(UserError::invalid(&path, message));
        }
    }
    workload
}

/// The template's workload with the values of its own variables; none when one of them cannot be.
fn made(mistakes: &mut Mistakes, template: &WorkloadTemplate, stated: Map<String, Json>) -> Option<Workload> {
    let made = template.fill(&Json::Object(stated));
    made.map_err(|found| {
        for diagnostic in found {
            let path: Vec<&str> = diagnostic.path.iter().map(String::as_str).collect();
            mistakes.add(UserError::invalid(&path, diagnostic.message.clone()));
        }
    })
    .ok()
}

fn set(mistakes: &mut Mistakes, workload: &mut Workload, name: &str, count: u64) {
    match name {
        "total_operations" => workload.config.total_operations = count,
        "record_count" => {
            workload.config.record_count = count;
            workload.tables.iter_mut().for_each(|table| table.record_count = count);
        }
        _ => match u32::try_from(count) {
            Ok(clients) => workload.config.concurrency = clients,
            Err(_) => {
                mistakes.add(UserError::invalid(&["variables", name], format!("{name} must be below 2^32")))
            }
        },
    }
}

/// Scales the weights so that choices that only read have `percent` of their sum. The statements of a transaction are one
/// choice, and keep one weight.
fn mix(mistakes: &mut Mistakes, operations: &mut [Operation], percent: f64) {
    let reads: Vec<bool> = operations.iter().map(|one| only_reads(operations, one)).collect();
    let weight_of = |reading: bool| -> f64 {
        let choices = operations.iter().zip(&reads).enumerate();
        choices
            .filter(|(i, (one, reads))| **reads == reading && is_first_of_choice(operations, *i, one))
            .map(|(_, (one, _))| one.weight)
            .sum()
    };
    for (reading, share, kind) in [(true, percent, "reads"), (false, 100.0 - percent, "writes")] {
        let weight = weight_of(reading);
        if weight == 0.0 && share > 0.0 {
            let message =
                format!("the template has no operations that are {kind}, of which {share} % are asked");
            mistakes.add(UserError::invalid(&["variables", READ_PERCENT], message));
            return;
        }
    }
    let (read_weight, write_weight) = (weight_of(true), weight_of(false));
    for (operation, reads) in operations.iter_mut().zip(reads) {
        let (share, weight) = if reads { (percent, read_weight) } else { (100.0 - percent, write_weight) };
        operation.weight = if weight == 0.0 { 0.0 } else { operation.weight * share / weight };
    }
}

fn only_reads(operations: &[Operation], one: &Operation) -> bool {
    let together =
        operations.iter().filter(|other| one.transaction.is_some() && other.transaction == one.transaction);
    one.kind == OperationType::Select && together.into_iter().all(|other| other.kind == OperationType::Select)
}

fn is_first_of_choice(operations: &[Operation], place: usize, one: &Operation) -> bool {
    one.transaction.is_none() || operations[..place].iter().all(|other| other.transaction != one.transaction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(slug: &str, variables: Json) -> Result<Vec<f64>, usize> {
        workload(slug, variables)
            .map(|workload| workload.operations.iter().map(|operation| operation.weight).collect())
    }

    fn workload(slug: &str, variables: Json) -> Result<Workload, usize> {
        let template = engine::templates::workload(slug).unwrap();
        let mut mistakes = Mistakes::default();
        let workload = fill(&mut mistakes, Some(template), template.workload(), &variables);
        match mistakes.none() {
            Ok(()) => Ok(workload),
            Err(super::super::ServiceError::User(errors)) => Err(errors.len()),
            Err(fault) => panic!("{fault}"),
        }
    }

    #[test]
    fn a_template_has_variables_of_its_own() {
        let records =
            |workload: Workload| workload.tables.iter().map(|table| table.record_count).sum::<u64>();
        let one = records(workload("tpc-c", json!({})).unwrap());
        let two = workload("tpc-c", json!({ "warehouses": 2, "total_operations": 77 })).unwrap();
        assert_eq!(two.config.total_operations, 77, "the others still count");
        assert!(records(two) > one * 3 / 2);
        assert_eq!(workload("tpc-c", json!({ "warehouses": 0 })).unwrap_err(), 1);
        assert_eq!(
            workload("tpc-c", json!({ "record_count": 10 })).unwrap_err(),
            1,
            "nine tables of one size"
        );
        assert_eq!(workload("ycsb-a", json!({ "warehouses": 2 })).unwrap_err(), 1);
    }

    #[test]
    fn the_share_of_reads_fills_the_mix() {
        assert_eq!(filled("ycsb-a", json!({ "read_percent": 70 })), Ok(vec![70.0, 30.0]));
        assert_eq!(filled("ycsb-a", json!({ "read_percent": 100 })), Ok(vec![100.0, 0.0]));
        // A read that is part of a transaction that writes is no read.
        assert_eq!(filled("ycsb-f", json!({ "read_percent": 70 })), Ok(vec![70.0, 30.0, 30.0]));
    }

    #[test]
    fn every_bad_variable_is_a_mistake() {
        assert_eq!(filled("ycsb-c", json!({ "read_percent": 70 })), Err(1));
        let bad = json!({ "read_percent": 101, "total_operations": 0, "record_count": "1", "colour": 1 });
        assert_eq!(filled("ycsb-a", bad), Err(4));
        assert_eq!(filled("ycsb-a", json!([])), Err(1));
    }
}
