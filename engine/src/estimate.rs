//! What a run will cost before it is run: from the size of the workload and the paths of the plan, at rates that were measured
//! with the templates (100 thousand and 1 million records, 1 and 101 thousand operations). Processor time, not a promise: a
//! machine may be twice as fast or slow.

use crate::SimulateError;
use crate::kernel::program::{Program, Statement};
use crate::plan::query::{Input, JoinMethod};
use crate::plan::{Plan, Route, Spec};
use crate::workload::access::Access;
use crate::workload::query::Passing;
use crate::workload::{Operation, OperationType, Workload};

/// What a run will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub seconds: f64,
    pub memory_bytes: u64,
}

/// Of a run of nothing.
const BASE_NS: f64 = 1e7;
const BASE_BYTES: f64 = 4e6;
/// Loading a record into a structure that is built from sorted records, and into one that takes them one by one.
const BUILT_NS: f64 = 60.0;
const INSERTED_NS: f64 = 1_500.0;
/// Memtables and sorted files take records in runs.
const RUN_NS: f64 = 100.0;
/// A record in a structure; a page in a pool; a client.
const RECORD_BYTES: f64 = 16.0;
const FRAME_BYTES: f64 = 64.0;
const CLIENT_BYTES: f64 = 4_096.0;
/// A statement, each further structure that it changes, each row that it goes on to, and each row of a table read from end to
/// end.
const STATEMENT_NS: f64 = 500.0;
const CHANGE_NS: f64 = 250.0;
const ROW_NS: f64 = 30.0;
const SCANNED_ROW_NS: f64 = 2.0;
/// Rows of a page, about.
const ROWS_OF_A_PAGE: f64 = 30.0;

/// What running this workload on this plan will take.
///
/// # Errors
/// As [`simulate`](crate::simulate): what cannot run is told before anything is run.
pub fn estimate(plan: &Plan, workload: &Workload) -> Result<Estimate, SimulateError> {
    let program = Program::bind(plan, workload, 1)?;
    let (mut ns, mut bytes) = (BASE_NS, BASE_BYTES);
    for table in &program.tables {
        let records = table.record_count as f64;
        for block in structures(plan, &table.name) {
            ns += records * load_ns(&plan.blocks[block].spec);
            bytes += records * RECORD_BYTES;
        }
    }
    for block in &plan.blocks {
        if let Spec::BufferPool(pool) = &block.spec {
            bytes += f64::from(pool.capacity_pages) * FRAME_BYTES;
        }
    }
    bytes += f64::from(workload.config.concurrency) * CLIENT_BYTES;
    // Statements stand in the order of the operations that have a weight.
    let weighted: Vec<&Operation> =
        workload.operations.iter().filter(|operation| operation.weight > 0.0).collect();
    let first_of_choice = |place: usize, one: &Operation| {
        one.transaction.is_none()
            || weighted[..place].iter().all(|other| other.transaction != one.transaction)
    };
    let choices = weighted.iter().enumerate().filter(|(place, one)| first_of_choice(*place, one));
    let total_weight: f64 = choices.map(|(_, one)| one.weight).sum();
    let operation_ns: f64 = weighted
        .iter()
        .zip(&program.statements)
        .map(|(operation, statement)| {
            operation.weight / total_weight * statement_ns(plan, &program, statement)
        })
        .sum();
    ns += program.total as f64 * operation_ns;
    Ok(Estimate { seconds: ns / 1e9, memory_bytes: bytes as u64 })
}

/// The storage and the indexes of a table.
fn structures(plan: &Plan, table: &str) -> Vec<usize> {
    let Some(table) = plan.table(table) else { return Vec::new() };
    table.storage.iter().chain(&table.indexes).chain(&table.column_indexes).copied().collect()
}

fn load_ns(spec: &Spec) -> f64 {
    match spec {
        Spec::BtreeIndex(tree) | Spec::Clustered(tree) if !tree.bulk_build => INSERTED_NS,
        Spec::Hash(hash) if !hash.bulk_build => INSERTED_NS,
        Spec::SkipList(_) => INSERTED_NS,
        Spec::Lsm(_) => RUN_NS,
        _ => BUILT_NS,
    }
}

fn statement_ns(plan: &Plan, program: &Program, statement: &Statement) -> f64 {
    let table = &program.tables[usize::from(statement.table)];
    let records = table.record_count as f64;
    let found = match (statement.access, statement.route) {
        (_, Route::FullScan { .. }) | (Access::Scan, _) => records * SCANNED_ROW_NS,
        (Access::Range { min_rows, max_rows }, _) => (min_rows as f64 + max_rows as f64) / 2.0 * ROW_NS,
        // Both sides are read and hashed, searched or sorted.
        (Access::Query, _) => {
            let joined = statement.query.and_then(|query| query.join);
            let other = joined.map_or(0, |join| program.tables[join.table].record_count) as f64;
            let passing = match statement.query.map(|query| query.passing) {
                Some(Passing::Rows(rows)) => rows as f64,
                _ => records,
            };
            let looped = scans_of_the_inner_side(plan, statement.route, passing) * other * SCANNED_ROW_NS;
            (records + other + passing) * ROW_NS + looped
        }
        (Access::Point | Access::RowId, _) => 0.0,
    };
    let changed = match statement.kind {
        OperationType::Select => 0.0,
        _ => structures(plan, &table.name).len() as f64 * CHANGE_NS,
    };
    // An INSERT looks for nothing.
    let found = if statement.kind == OperationType::Insert { 0.0 } else { found };
    let (min, max) = statement.repeat;
    (STATEMENT_NS + found + changed) * f64::from(min + max) / 2.0
}

/// How often a nested loop without an inner index scans its inner side for so many outer rows.
fn scans_of_the_inner_side(plan: &Plan, route: Route, rows: f64) -> f64 {
    let Route::Query { root } = route else { return 0.0 };
    let source = match &plan.blocks[root].spec {
        Spec::Sort(sort) => sort.input,
        _ => root,
    };
    let Spec::Join(join) = &plan.blocks[source].spec else { return 0.0 };
    let searched = Input::of(&plan.blocks, join.inner).and_then(|inner| inner.searched(&plan.blocks));
    match join.method {
        JoinMethod::NestedLoop { by_row: true, .. } if searched.is_none() => rows,
        JoinMethod::NestedLoop { buffer_pages, .. } if searched.is_none() => {
            rows / (ROWS_OF_A_PAGE * f64::from(buffer_pages - 2))
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates;

    fn plan_of(slug: &str) -> Plan {
        crate::design::check(&templates::design(slug).unwrap().canvas()).plan.unwrap()
    }

    #[test]
    fn more_records_operations_and_clients_cost_more() {
        let (plan, workload) = (plan_of("heap-btree"), templates::workload("ycsb-a").unwrap().workload());
        let of = |change: &dyn Fn(&mut Workload)| {
            let mut changed = workload.clone();
            change(&mut changed);
            estimate(&plan, &changed).unwrap()
        };
        let base = of(&|_| {});
        let records = of(&|workload| workload.config.record_count *= 100);
        assert!(records.seconds > base.seconds && records.memory_bytes > base.memory_bytes);
        assert!(of(&|workload| workload.config.total_operations *= 10).seconds > base.seconds * 2.0);
        assert!(of(&|workload| workload.config.concurrency *= 10).memory_bytes > base.memory_bytes);
    }

    #[test]
    fn a_path_that_reads_everything_costs_what_there_is() {
        let workload = templates::workload("point-reads-small").unwrap().workload();
        let scanning = estimate(&plan_of("bad-no-index"), &workload).unwrap();
        let searching = estimate(&plan_of("heap-btree"), &workload).unwrap();
        assert!(scanning.seconds > searching.seconds * 2.0, "{scanning:?} {searching:?}");
    }

    #[test]
    fn a_scan_for_each_row_costs_more_than_a_hash_table() {
        let workload = templates::workload("orders-with-customers").unwrap().workload();
        let seconds = |kind: &str, parameters: serde_json::Value| {
            let mut canvas = templates::design("join-hash").unwrap().canvas();
            let blocks = canvas["blocks"].as_array_mut().unwrap();
            let join = blocks.iter_mut().find(|block| block["id"] == "join").unwrap();
            (join["type"], join["parameters"]) = (kind.into(), parameters);
            if kind == "nested-loop-join" {
                let wires = canvas["connections"].as_array_mut().unwrap();
                wires.retain(|wire| wire["source"]["blockId"] != "join" || wire["source"]["port"] != "spill");
            }
            let plan = crate::design::check(&canvas).plan.unwrap();
            estimate(&plan, &workload).unwrap().seconds
        };
        let hash = seconds("hash-join", serde_json::json!({}));
        let in_blocks = seconds("nested-loop-join", serde_json::json!({"buffer_pages": 3}));
        let by_row = seconds("nested-loop-join", serde_json::json!({"method": "row"}));
        assert!(hash < in_blocks && in_blocks < by_row, "{hash} {in_blocks} {by_row}");
    }

    #[test]
    fn every_template_runs_within_seconds() {
        for template in templates::designs() {
            let workload = templates::workload(template.workload_slug).unwrap().workload();
            let estimate = estimate(&plan_of(template.slug), &workload).unwrap();
            assert!((0.01..5.0).contains(&estimate.seconds), "{}: {estimate:?}", template.slug);
            assert!(estimate.memory_bytes < 256 << 20, "{}: {estimate:?}", template.slug);
        }
    }

    #[test]
    fn what_cannot_run_has_no_estimate() {
        let mut workload = templates::workload("ycsb-a").unwrap().workload();
        workload.config.total_operations = 0;
        assert!(matches!(
            estimate(&plan_of("heap-btree"), &workload),
            Err(SimulateError::InvalidWorkload(_))
        ));
        let mut workload = templates::workload("ycsb-a").unwrap().workload();
        workload.tables = workload.effective_tables();
        workload.tables[0].name = "elsewhere".into();
        for operation in &mut workload.operations {
            operation.template = operation.template.replace("main", "elsewhere");
        }
        assert!(matches!(estimate(&plan_of("heap-btree"), &workload), Err(SimulateError::InvalidDesign(_))));
    }
}
