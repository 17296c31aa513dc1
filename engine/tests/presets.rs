//! Workloads with names: what each transaction touches in each table, in which mix, and that they fit the designs made for them.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::collections::BTreeMap;

use common::{canvas, counter, run};
use engine::{Report, Workload, templates};
use serde_json::{Value, json};

/// A heap and an index of each table, in memory.
fn heaps(workload: &Workload) -> Value {
    let mut blocks = vec![("client".to_owned(), "client", json!({})), ("disk".to_owned(), "disk", json!({}))];
    let mut wires = vec!["pool.device -> disk".to_owned()];
    for table in &workload.tables {
        let name = table.name.replace('_', "-");
        blocks.push((format!("{name}-scan"), "index-scan", json!({})));
        blocks.push((format!("{name}-index"), "btree-index", json!({"table": table.name})));
        blocks.push((name.clone(), "heap-storage", json!({"table": table.name})));
        wires.push(format!("client.out -> {name}-scan"));
        wires.push(format!("{name}-scan.index -> {name}-index"));
        wires.push(format!("{name}-scan.table -> {name}"));
        wires.push(format!("{name}-index.pages -> pool"));
        wires.push(format!("{name}.pages -> pool"));
    }
    blocks.push(("pool".to_owned(), "buffer-pool", json!({"capacity_pages": 100_000})));
    let blocks: Vec<(&str, &str, Value)> =
        blocks.iter().map(|(id, kind, parameters)| (&**id, *kind, parameters.clone())).collect();
    canvas(&blocks, &wires.iter().map(String::as_str).collect::<Vec<_>>())
}

/// One client, nothing before what is measured: counters are those of the operations reported.
fn counted(slug: &str, variables: Value, operations: u64) -> Report {
    let mut workload = templates::workload(slug).unwrap().fill(&variables).unwrap();
    workload.config.concurrency = 1;
    workload.config.warmup_operations = Some(0);
    workload.config.total_operations = operations;
    run(&heaps(&workload), &workload)
}

fn times(report: &Report) -> BTreeMap<&str, f64> {
    report.operations.iter().map(|operation| (&*operation.name, operation.operations as f64)).collect()
}

/// The shares of the transactions, within four deviations of their counts.
fn check_mix(report: &Report, expected: &[(&str, f64)]) {
    let all: f64 = report.summary.operations as f64;
    let found = times(report);
    assert_eq!(found.len(), expected.len());
    for (name, share) in expected {
        let deviation = (share * (1.0 - share) / all).sqrt();
        assert!((found[name] / all - share).abs() < 4.0 * deviation, "{name}: {}", found[name] / all);
    }
}

/// The rows of a table that were read, updated, inserted and deleted, within `tolerance` of what is expected.
fn check_rows(report: &Report, table: &str, expected: [f64; 4], tolerance: f64) {
    let names = ["rows_read", "rows_updated", "rows_inserted", "rows_deleted"];
    for (name, expected) in names.into_iter().zip(expected) {
        let found = counter(report, table, name) as f64;
        assert!((found - expected).abs() <= tolerance * expected, "{table} {name}: {found} {expected}");
    }
}

#[test]
fn tpc_c_touches_the_rows_of_its_specification() {
    let report = counted("tpc-c", json!({}), 10_000);
    let mix = [
        ("new order", 0.45),
        ("payment", 0.172),
        ("payment by name", 0.258),
        ("order status", 0.016),
        ("order status by name", 0.024),
        ("delivery", 0.04),
        ("stock level", 0.04),
    ];
    check_mix(&report, &mix);
    let times = times(&report);
    let (orders, deliveries, levels) = (times["new order"], times["delivery"], times["stock level"]);
    let payments = times["payment"] + times["payment by name"];
    let statuses = times["order status"] + times["order status by name"];
    let by_name = times["payment by name"] + times["order status by name"];
    let by_number = times["payment"] + times["order status"];
    let exactly = |table, expected| check_rows(&report, table, expected, 0.0);
    exactly("warehouse", [orders + payments, payments, 0.0, 0.0]);
    exactly("district", [orders + payments + levels, orders + payments, 0.0, 0.0]);
    exactly("customer", [orders + by_number + 3.0 * by_name, payments + 10.0 * deliveries, 0.0, 0.0]);
    exactly("history", [0.0, 0.0, payments, 0.0]);
    exactly("orders", [statuses + 10.0 * deliveries, 10.0 * deliveries, orders, 0.0]);
    exactly("new-order", [10.0 * deliveries, 0.0, orders, 10.0 * deliveries]);
    // Five to fifteen lines, ten on average; three thousandths are more than four deviations of the mean of 4,500.
    let nearly = |table, expected| check_rows(&report, table, expected, 0.02);
    nearly("item", [10.0 * orders, 0.0, 0.0, 0.0]);
    nearly("stock", [10.0 * orders + 200.0 * levels, 10.0 * orders, 0.0, 0.0]);
    let delivered = 100.0 * deliveries;
    nearly("order-line", [10.0 * statuses + delivered + 200.0 * levels, delivered, 10.0 * orders, 0.0]);
    let lines = counter(&report, "order-line", "rows_inserted") as f64 / orders;
    assert!((lines - 10.0).abs() < 4.0 * (10.0 / orders).sqrt(), "{lines}");
    assert_eq!(counter(&report, "stock", "rows_updated"), counter(&report, "order-line", "rows_inserted"));
}

#[test]
fn tpc_c_tables_grow_with_their_warehouses_but_for_the_items() {
    let rows = |warehouses: u64| -> BTreeMap<String, u64> {
        let workload =
            templates::workload("tpc-c").unwrap().fill(&json!({"warehouses": warehouses})).unwrap();
        assert_eq!(u64::from(workload.config.concurrency), 10 * warehouses);
        workload.tables.into_iter().map(|table| (table.name, table.record_count)).collect()
    };
    let one = rows(1);
    assert_eq!(
        one.iter().map(|(name, rows)| (&**name, *rows)).collect::<Vec<_>>(),
        [
            ("customer", 30_000),
            ("district", 10),
            ("history", 30_000),
            ("item", 100_000),
            ("new_order", 9_000),
            ("order_line", 300_000),
            ("orders", 30_000),
            ("stock", 100_000),
            ("warehouse", 1),
        ]
    );
    for (name, rows) in rows(7) {
        assert_eq!(rows, if name == "item" { 100_000 } else { 7 * one[&name] }, "{name}");
    }
    let pauses = templates::workload("tpc-c").unwrap().fill(&json!({"pauses_percent": 100})).unwrap();
    assert!((pauses.config.think_time_ms - 20_990.0).abs() < 1e-6);
}

#[test]
fn sysbench_transactions_have_the_statements_of_its_scripts() {
    let check = |slug: &str, read: f64, updated: f64, changed: f64| {
        let report = counted(slug, json!({"table_size": 200_000}), 2_000);
        let operations = 2_000.0;
        // A range may reach the end of the table.
        let expected = [read * operations, updated * operations, changed * operations, changed * operations];
        check_rows(&report, "sbtest1", expected, 0.001);
    };
    check("sysbench-read-only", 10.0 + 400.0, 0.0, 0.0);
    check("sysbench-read-write", 10.0 + 400.0, 2.0, 1.0);
    check("sysbench-write-only", 0.0, 2.0, 1.0);
    let report = counted("sysbench-read-only", json!({"tables": 4, "table_size": 1_000}), 4_000);
    let tables: Vec<(String, f64)> =
        (1..=4).map(|number| (format!("read only sbtest{number}"), 0.25)).collect();
    check_mix(&report, &tables.iter().map(|(name, share)| (&**name, *share)).collect::<Vec<_>>());
}

#[test]
fn smallbank_reads_and_changes_the_balances_it_should() {
    let report = counted("smallbank", json!({}), 20_000);
    let mix = [
        ("amalgamate", 0.15),
        ("balance", 0.15),
        ("deposit checking", 0.15),
        ("send payment", 0.25),
        ("transact savings", 0.15),
        ("write check", 0.15),
    ];
    check_mix(&report, &mix);
    let times = times(&report);
    let [amalgamate, balance, deposit, send, savings, check] = mix.map(|(name, _)| times[name]);
    let all = report.summary.operations as f64;
    let exactly = |table, read, updated| check_rows(&report, table, [read, updated, 0.0, 0.0], 0.0);
    exactly("accounts", all + amalgamate + send, 0.0);
    exactly("savings", amalgamate + balance + savings + check, amalgamate + savings);
    exactly("checking", amalgamate + balance + send + check, amalgamate + deposit + 2.0 * send + check);
}

#[test]
fn tatp_reads_the_rows_of_its_transactions() {
    let report = counted("tatp", json!({}), 20_000);
    let mix = [
        ("get subscriber data", 0.35),
        ("get new destination", 0.10),
        ("get access data", 0.35),
        ("update subscriber data", 0.02),
        ("update location", 0.14),
        ("insert call forwarding", 0.02),
        ("delete call forwarding", 0.02),
    ];
    check_mix(&report, &mix);
    let times = times(&report);
    let [get, destination, access, update, location, insert, delete] = mix.map(|(name, _)| times[name]);
    check_rows(&report, "subscriber", [get + insert + delete, update + location, 0.0, 0.0], 0.0);
    check_rows(&report, "access-info", [access, 0.0, 0.0, 0.0], 0.0);
    // A subscriber has one to four facilities, a facility one or two call forwardings, where there are any.
    check_rows(&report, "special-facility", [destination + 2.5 * insert, update, 0.0, 0.0], 0.05);
    check_rows(&report, "call-forwarding", [1.5 * destination, 0.0, insert, delete], 0.05);
}

#[test]
fn every_design_runs_its_workload_and_finds_what_it_asks_for() {
    for template in templates::designs() {
        let workload_template = templates::workload(template.workload_slug).unwrap();
        if workload_template.variables().is_empty() {
            continue;
        }
        let mut workload = workload_template.workload();
        workload.config.total_operations /= 10;
        workload.config.warmup_operations = Some(100);
        let report = run(&template.canvas(), &workload);
        assert_eq!(
            report.summary.transactions_committed, workload.config.total_operations,
            "{}",
            template.slug
        );
        assert!(report.summary.pages_read > 0 && report.summary.throughput_qps > 100.0, "{}", template.slug);
        assert!(report.operations.iter().all(|one| one.operations > 0), "{}", template.slug);
    }
}

#[test]
fn wrong_variables_are_told_by_name() {
    let template = templates::workload("tpc-c").unwrap();
    let told = |variables: Value| -> Vec<String> {
        template.fill(&variables).unwrap_err().iter().map(ToString::to_string).collect()
    };
    assert!(
        told(json!({"warehouse": 3}))[0].contains("variables.warehouse"),
        "{:?}",
        told(json!({"warehouse": 3}))
    );
    assert_eq!(told(json!({"warehouses": 0, "pauses_percent": "none", "colour": 1})).len(), 3);
    assert_eq!(told(json!([])).len(), 1);
    assert!(templates::workload("ycsb-a").unwrap().fill(&json!({"warehouses": 1})).is_err());
    for template in templates::workloads() {
        assert_eq!(template.fill(&json!({})).unwrap(), template.workload());
        for variable in template.variables() {
            for value in [variable.min, variable.max] {
                let workload = template.fill(&json!({variable.name: value})).unwrap();
                assert_eq!(workload.check(), [], "{} {}", template.slug, variable.name);
            }
        }
    }
}
