//! Every problem of a canvas or a workload is told, with its code and its place, and nothing makes the engine panic.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::canvas;
use engine::{Code, Severity, catalog, design, templates, workload};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The diagnostics of a canvas as `CODE path`, in order.
fn told(canvas: &Value) -> Vec<String> {
    let checked = design::check(canvas);
    let has_error = checked.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(checked.is_valid(), !has_error);
    checked.diagnostics.iter().map(|found| format!("{} {}", found.code, found.path.join("."))).collect()
}

fn good() -> Value {
    common::heap_btree(100, json!({}))
}

/// The good canvas with one thing changed.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut canvas = good();
    change(&mut canvas);
    canvas
}

#[test]
fn a_good_canvas_has_nothing_to_tell() {
    assert_eq!(told(&good()), [""; 0]);
}

#[test]
fn forms_that_are_not_a_canvas() {
    for (canvas, expected) in [
        (json!(null), "MALFORMED_JSON "),
        (json!([]), "MALFORMED_JSON "),
        (json!({}), "MALFORMED_JSON blocks"),
        (json!({"blocks": {}}), "MALFORMED_JSON blocks"),
        (json!({"blocks": [3]}), "MALFORMED_JSON blocks.0"),
        (json!({"blocks": [], "connections": 4}), "MALFORMED_JSON connections"),
        (json!({"blocks": []}), "NO_CLIENT blocks"),
        (with(|canvas| canvas["blocks"][0]["id"] = json!("")), "MALFORMED_JSON blocks.0.id"),
        (with(|canvas| canvas["blocks"][0]["id"] = json!(7)), "MALFORMED_JSON blocks.0.id"),
        (with(|canvas| canvas["blocks"][0]["parameters"] = json!([])), "MALFORMED_JSON blocks.0.parameters"),
        (
            with(|canvas| canvas["blocks"][0]["position"] = json!({"x": "a", "y": 1})),
            "MALFORMED_JSON blocks.0.position.x",
        ),
        (
            with(|canvas| canvas["connections"][2]["target"] = json!({"blockId": "heap"})),
            "MALFORMED_JSON connections.2.target.port",
        ),
    ] {
        assert!(told(&canvas).contains(&expected.to_owned()), "{canvas}: {:?}", told(&canvas));
    }
}

#[test]
fn one_problem_each() {
    let wire = |from: &str, port: &str, to: &str| {
        json!({
            "id": "extra", "source": {"blockId": from, "port": port}, "target": {"blockId": to, "port": "in"},
        })
    };
    let add = |wire: Value| {
        with(|canvas| {
            canvas["connections"].as_array_mut().unwrap().push(wire);
        })
    };
    let set = |block: usize, name: &str, value: Value| {
        with(|canvas| canvas["blocks"][block]["parameters"][name] = value)
    };
    for (canvas, expected) in [
        (
            with(|canvas| canvas["blocks"][3]["type"] = json!("heep-storage")),
            "UNKNOWN_BLOCK_TYPE blocks.3.type",
        ),
        (set(3, "fill_factr", json!(1)), "UNKNOWN_PARAMETER blocks.3.parameters.fill_factr"),
        (set(3, "fill_factor", json!("full")), "PARAMETER_TYPE blocks.3.parameters.fill_factor"),
        (set(3, "fill_factor", json!(1.5)), "PARAMETER_OUT_OF_RANGE blocks.3.parameters.fill_factor"),
        (set(3, "page_size", json!(1000)), "PARAMETER_OUT_OF_RANGE blocks.3.parameters.page_size"),
        (set(4, "capacity_pages", json!(0)), "PARAMETER_OUT_OF_RANGE blocks.4.parameters.capacity_pages"),
        (set(4, "capacity_pages", json!(2.5)), "PARAMETER_OUT_OF_RANGE blocks.4.parameters.capacity_pages"),
        (set(5, "commit_mode", json!("synk")), "PARAMETER_OUT_OF_RANGE blocks.5.parameters.commit_mode"),
        (set(5, "group_commit", json!(1)), "PARAMETER_TYPE blocks.5.parameters.group_commit"),
        (set(6, "preset", json!(null)), "PARAMETER_TYPE blocks.6.parameters.preset"),
        (set(3, "table", json!("")), "PARAMETER_OUT_OF_RANGE blocks.3.parameters.table"),
        (with(|canvas| canvas["connections"][1]["id"] = json!("c0")), "DUPLICATE_ID connections.1.id"),
        (add(wire("nobody", "out", "heap")), "DANGLING_CONNECTION connections.9.source.blockId"),
        (add(wire("client", "out", "nowhere")), "DANGLING_CONNECTION connections.9.target.blockId"),
        (add(wire("client", "outt", "heap")), "UNKNOWN_PORT connections.9.source.port"),
        (add(wire("client", "out", "client")), "UNKNOWN_PORT connections.9.target.port"),
        (add(wire("client", "out", "disk")), "PORT_MISMATCH connections.9"),
        (add(wire("client", "out", "scan")), "DUPLICATE_CONNECTION connections.9"),
        (add(wire("pool", "device", "disk")), "DUPLICATE_CONNECTION connections.9"),
        (
            with(|canvas| drop(canvas["connections"].as_array_mut().unwrap().remove(7))),
            "MISSING_CONNECTION blocks.4",
        ),
        (set(2, "page_size", json!(16384)), "PAGE_SIZE_MISMATCH blocks.3.parameters.page_size"),
        (set(2, "table", json!("other")), "TABLE_MISMATCH blocks.1"),
        (
            set(2, "copy_on_write", json!(true)),
            "COPY_ON_WRITE_WITHOUT_COMMIT blocks.2.parameters.copy_on_write",
        ),
    ] {
        let found = told(&canvas);
        assert!(found.contains(&expected.to_owned()), "expected {expected}: {found:?}");
    }
}

#[test]
fn every_problem_is_told_not_only_the_first() {
    let canvas = with(|canvas| {
        canvas["blocks"][2]["type"] = json!("btree");
        canvas["blocks"][3]["parameters"] = json!({"fill_factor": 9, "pagesize": 8192});
        canvas["blocks"][4]["parameters"] = json!({"capacity_pages": -1});
        canvas["connections"].as_array_mut().unwrap().remove(7);
    });
    assert_eq!(
        told(&canvas),
        [
            "UNKNOWN_BLOCK_TYPE blocks.2.type",
            "PARAMETER_OUT_OF_RANGE blocks.3.parameters.fill_factor",
            "UNKNOWN_PARAMETER blocks.3.parameters.pagesize",
            "PARAMETER_OUT_OF_RANGE blocks.4.parameters.capacity_pages",
            "MISSING_CONNECTION blocks.1",
            "MISSING_CONNECTION blocks.4",
        ]
    );
}

#[test]
fn messages_say_what_to_do() {
    let message = |canvas: &Value, code: Code| {
        let found = design::check(canvas).diagnostics;
        found
            .into_iter()
            .find(|diagnostic| diagnostic.code == code)
            .map(|found| (found.message, found.block_id))
            .unwrap()
    };
    let without_index = with(|canvas| drop(canvas["connections"].as_array_mut().unwrap().remove(1)));
    assert_eq!(
        message(&without_index, Code::MissingConnection),
        (
            "an index-scan needs an index on its \"index\" port; block \"scan\" has none".to_owned(),
            Some("scan".to_owned())
        )
    );
    let misspelt = with(|canvas| canvas["blocks"][3]["parameters"]["fill_facter"] = json!(0.9));
    assert_eq!(
        message(&misspelt, Code::UnknownParameter).0,
        "a heap-storage has no parameter \"fill_facter\": did you mean \"fill_factor\"?"
    );
    let out_of_range = with(|canvas| canvas["blocks"][4]["parameters"]["capacity_pages"] = json!(0));
    assert_eq!(
        message(&out_of_range, Code::ParameterOutOfRange).0,
        "\"capacity_pages\" must be from 1 to 16777216 pages; it is 0"
    );
    let kind = with(|canvas| canvas["blocks"][6]["type"] = json!("dsk"));
    assert_eq!(
        message(&kind, Code::UnknownBlockType).0,
        "there is no block type \"dsk\": did you mean \"disk\"?"
    );
}

#[test]
fn a_skip_list_has_no_pages_and_towers_of_a_law() {
    let list = |parameters: Value, wires: &[&str]| {
        let mut all = vec!["client.out -> scan", "scan.index -> list"];
        all.extend(wires);
        canvas(
            &[
                ("client", "client", json!({})),
                ("scan", "index-scan", json!({})),
                ("list", "skip-list", parameters),
                ("heap", "heap-storage", json!({"table": "rows"})),
                ("wal", "wal", json!({})),
                ("disk", "disk", json!({})),
            ],
            &all,
        )
    };
    let heap = ["scan.table -> heap", "heap.pages -> disk", "heap.log -> wal", "wal.device -> disk"];
    let whole = |wire: &'static str| [&heap[..], &[wire]].concat();
    assert_eq!(told(&list(json!({}), &whole("list.log -> wal"))), [""; 0]);
    for (parameters, wires, expected) in [
        (json!({}), whole("list.pages -> disk"), "UNKNOWN_PORT connections.6.source.port"),
        (json!({}), whole("list.log -> disk"), "PORT_MISMATCH connections.6"),
        (json!({}), whole("heap.pages -> list"), "PORT_MISMATCH connections.6"),
        (json!({"table": "main"}), heap.to_vec(), "TABLE_MISMATCH blocks.1"),
        (
            json!({"probability": 0.6}),
            heap.to_vec(),
            "PARAMETER_OUT_OF_RANGE blocks.2.parameters.probability",
        ),
        (json!({"max_height": 0}), heap.to_vec(), "PARAMETER_OUT_OF_RANGE blocks.2.parameters.max_height"),
        (json!({"page_size": 8192}), heap.to_vec(), "UNKNOWN_PARAMETER blocks.2.parameters.page_size"),
    ] {
        let found = told(&list(parameters, &wires));
        assert!(found.contains(&expected.to_owned()), "expected {expected}: {found:?}");
    }
}

#[test]
fn joins_and_sorts_read_what_can_be_read() {
    let design = |kind: &str, more: &[(&'static str, &'static str, Value)], wires: &[&'static str]| {
        let mut blocks = vec![
            ("client", "client", json!({})),
            ("join", kind, json!({})),
            ("a", "heap-storage", json!({"table": "a"})),
            ("b", "heap-storage", json!({"table": "b"})),
            ("disk", "disk", json!({})),
        ];
        blocks.extend(more.iter().cloned());
        let mut all = vec!["client.out -> join", "join.outer -> a", "a.pages -> disk", "b.pages -> disk"];
        all.extend(wires);
        canvas(&blocks, &all)
    };
    let hash = ("hash", "hash-index", json!({"table": "b"}));
    let sort = ("order", "sort", json!({}));
    let other = ("other", "hash-join", json!({}));
    for (canvas, expected) in [
        (design("hash-join", &[], &["join.inner -> b"]), ""),
        (design("sort-merge-join", &[], &["join.inner -> b", "join.spill -> disk"]), ""),
        (
            design(
                "nested-loop-join",
                std::slice::from_ref(&hash),
                &["join.inner -> hash", "hash.pages -> disk"],
            ),
            "",
        ),
        (design("hash-join", &[], &[]), "MISSING_CONNECTION blocks.1"),
        (design("hash-join", &[], &["join.inner -> disk"]), "PORT_MISMATCH connections.4"),
        (
            design("nested-loop-join", &[], &["join.inner -> b", "join.spill -> disk"]),
            "UNKNOWN_PORT connections.5.source.port",
        ),
        (
            design("hash-join", &[hash], &["join.inner -> hash", "hash.pages -> disk"]),
            "PORT_MISMATCH blocks.1",
        ),
        (
            design("hash-join", std::slice::from_ref(&sort), &["join.inner -> order", "order.input -> b"]),
            "PORT_MISMATCH blocks.1",
        ),
        (
            design(
                "sort-merge-join",
                std::slice::from_ref(&sort),
                &["join.inner -> order", "order.input -> b"],
            ),
            "",
        ),
        (
            design("hash-join", &[other], &["join.inner -> other", "other.outer -> b", "other.inner -> b"]),
            "PORT_MISMATCH blocks.1",
        ),
        (
            design(
                "hash-join",
                &[sort],
                &["join.inner -> b", "client.out -> order", "order.input -> join", "order.spill -> disk"],
            ),
            "",
        ),
    ] {
        let mut found = told(&canvas);
        found.retain(|one| !one.starts_with("UNREACHABLE_BLOCK"));
        let told = if expected.is_empty() { found.is_empty() } else { found.contains(&expected.to_owned()) };
        assert!(told, "expected {expected}: {found:?}");
    }
    let with_pool = design(
        "hash-join",
        &[
            ("pool", "buffer-pool", json!({})),
            ("c", "clustered-storage", json!({"table": "c", "page_size": 16_384})),
        ],
        &[
            "join.inner -> b",
            "join.spill -> pool",
            "pool.device -> disk",
            "client.out -> c",
            "c.pages -> pool",
        ],
    );
    assert_eq!(told(&with_pool), ["PAGE_SIZE_MISMATCH blocks.6.parameters.page_size"]);
}

#[test]
fn ways_to_fetch_need_a_heap_and_an_ordered_index() {
    for parameter in ["index_only", "bitmap"] {
        let set = |canvas: &mut Value| canvas["blocks"][1]["parameters"][parameter] = json!(true);
        assert_eq!(told(&with(set)), [""; 0]);
        let covering = with(|canvas| {
            set(canvas);
            let wires = canvas["connections"].as_array_mut().unwrap();
            wires.retain(|wire| wire["source"]["port"] != "table");
            wires[0]["target"]["blockId"] = json!("heap");
            wires.push(json!({
                "id": "extra", "source": {"blockId": "client", "port": "out"}, "target": {"blockId": "scan", "port": "in"},
            }));
        });
        let expected = format!("PARAMETER_OUT_OF_RANGE blocks.1.parameters.{parameter}");
        assert_eq!(told(&covering), [expected]);
    }
}

#[test]
fn queries_without_a_block_that_serves_them_are_told() {
    let canvas = canvas(
        &[
            ("client", "client", json!({})),
            ("join", "nested-loop-join", json!({})),
            ("a", "heap-storage", json!({"table": "a"})),
            ("b", "clustered-storage", json!({"table": "b", "page_size": 8192})),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> join", "join.outer -> a", "join.inner -> b", "a.pages -> disk", "b.pages -> disk"],
    );
    let told = |template: &str, parameters: Value| {
        let workload = workload::parse(&json!({
            "operations": [{"type": template.split(' ').next(), "template": template, "weight": 1, "parameters": parameters}],
            "tables": [{"name": "a", "record_count": 100}, {"name": "b", "record_count": 100}],
            "config": {"total_operations": 1},
        }))
        .unwrap();
        let plan = common::plan(&canvas);
        match engine::simulate(&plan, &workload, &common::quiet(1), &engine::Control::default()) {
            Err(engine::SimulateError::InvalidDesign(found)) => found[0].message.clone(),
            Err(error) => panic!("{error}"),
            Ok(_) => String::new(),
        }
    };
    assert_eq!(told("SELECT * FROM a JOIN b ON a.b_id = b.id", json!({})), "");
    for (template, parameters, expected) in [
        ("SELECT * FROM a JOIN b ON a.id = b.a_id", json!({}), "does not join by the key of \"b\""),
        ("SELECT * FROM a JOIN b ON a.b_id = b.id ORDER BY a.x", json!({}), "connect the client to a sort"),
        ("SELECT * FROM a ORDER BY x", json!({}), "sorts the rows of \"a\""),
        ("SELECT * FROM b JOIN b c ON b.x_id = c.id", json!({}), "connect the client to a nested-loop-join"),
        ("SELECT * FROM a WHERE id = ?", json!({}), "only joins or sorts lead"),
    ] {
        let message = told(template, parameters);
        assert!(message.contains(expected), "{template}: {message}");
    }
}

#[test]
fn rules_of_the_whole_graph() {
    let two_clients = with(|canvas| {
        canvas["blocks"].as_array_mut().unwrap().push(json!({"id": "second", "type": "client"}));
        canvas["connections"].as_array_mut().unwrap().push(json!({
            "id": "extra", "source": {"blockId": "second", "port": "out"}, "target": {"blockId": "heap", "port": "in"},
        }));
    });
    assert_eq!(told(&two_clients), ["MULTIPLE_CLIENTS blocks.7"]);

    let spare =
        with(|canvas| canvas["blocks"].as_array_mut().unwrap().push(json!({"id": "spare", "type": "disk"})));
    assert_eq!(told(&spare), ["UNREACHABLE_BLOCK blocks.7"]);
    assert!(design::check(&spare).is_valid(), "an unreachable block is a warning");

    let two_heaps = canvas(
        &[
            ("client", "client", json!({})),
            ("a", "heap-storage", json!({})),
            ("b", "clustered-storage", json!({})),
            ("disk", "disk", json!({})),
        ],
        &["client.out -> a", "client.out -> b", "a.pages -> disk", "b.pages -> disk"],
    );
    assert_eq!(told(&two_heaps), ["DUPLICATE_TABLE blocks.2.parameters.table"]);

    let many_on_one = canvas(
        &[
            ("client", "client", json!({})),
            ("heap", "heap-storage", json!({})),
            ("one", "disk", json!({})),
            ("two", "disk", json!({})),
        ],
        &["client.out -> heap", "heap.pages -> one", "heap.pages -> two"],
    );
    assert_eq!(told(&many_on_one), ["TOO_MANY_CONNECTIONS connections.2"]);

    let blocks: Vec<Value> = (0..101).map(|i| json!({"id": format!("d{i}"), "type": "disk"})).collect();
    assert_eq!(told(&json!({"blocks": blocks, "connections": []})), ["TOO_LARGE blocks"]);
    let wires: Vec<Value> = (0..201).map(|i| json!({"id": format!("c{i}")})).collect();
    assert_eq!(told(&json!({"blocks": [], "connections": wires})), ["TOO_LARGE connections"]);
}

#[test]
fn the_old_name_of_the_buffer_pool_still_works() {
    let old = with(|canvas| canvas["blocks"][4]["type"] = json!("lru-buffer"));
    assert_eq!(told(&old), [""; 0]);
    let report = common::run(&old, &templates::workload("ycsb-c").unwrap().workload());
    assert_eq!(common::block(&report, "pool").kind, "buffer-pool");
}

#[test]
fn templates_are_valid_without_warnings() {
    let mut categories = std::collections::BTreeMap::new();
    for template in templates::designs() {
        assert_eq!(told(&template.canvas()), [""; 0], "{}", template.slug);
        assert!(templates::workload(template.workload_slug).is_some());
        *categories.entry(format!("{:?}", template.category)).or_insert(0) += 1;
    }
    assert!(categories.values().all(|count| *count >= 2) && categories.len() == 3);
    for (slug, name) in [
        ("heap-btree", "Heap + B+tree"),
        ("clustered-large-pool", "Clustered B+tree with a larger buffer pool"),
    ] {
        assert_eq!(templates::design(slug).unwrap().name, name);
    }
    for template in templates::workloads() {
        let workload = template.workload();
        assert_eq!(workload.check(), [], "{}", template.slug);
        let stored = serde_json::to_value(&workload).unwrap();
        assert_eq!(workload::parse(&stored).unwrap(), workload, "{}", template.slug);
    }
}

#[test]
fn parameter_schemas_describe_every_parameter() {
    for block in catalog::block_types() {
        let schema = block.parameter_schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["properties"].as_object().unwrap().len(), block.parameters.len());
        for parameter in block.parameters {
            let property = &schema["properties"][parameter.name];
            assert!(
                property["description"].as_str().is_some_and(|text| text.len() > 10),
                "{}",
                parameter.name
            );
            assert!(property.get("default").is_some() || property.get("x-default").is_some());
            assert!(property.get("type").is_some());
            // A default is a value the validator takes.
            if let Some(default) = property.get("default") {
                let mut canvas = json!({"blocks": [{"id": "b", "type": block.kind, "parameters": {}}]});
                canvas["blocks"][0]["parameters"][parameter.name] = default.clone();
                let found = design::check(&canvas).diagnostics;
                assert!(
                    found.iter().all(|found| !found.path.contains(&parameter.name.to_owned())),
                    "{found:?}"
                );
            }
        }
    }
}

fn workload_told(value: &Value) -> Vec<String> {
    match workload::parse(value) {
        Ok(_) => Vec::new(),
        Err(found) => found.iter().map(|found| format!("{} {}", found.code, found.path.join("."))).collect(),
    }
}

#[test]
fn workloads_with_problems() {
    let base = json!({
        "operations": [{"type": "SELECT", "template": "SELECT * FROM main WHERE id = ?", "weight": 1}],
        "config": {"total_operations": 10},
    });
    let with = |pointer: &str, value: Value| {
        let mut workload = base.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        workload.pointer_mut(parent).unwrap()[field] = value;
        workload
    };
    assert_eq!(workload_told(&base), [""; 0]);
    for (pointer, value, expected) in [
        ("/operations", json!([]), "NO_OPERATIONS operations"),
        ("/operations", json!("x"), "MALFORMED_JSON operations"),
        ("/operations/0/type", json!("READ"), "MALFORMED_JSON operations.0.type"),
        ("/operations/0/weight", json!(-1), "VALUE_OUT_OF_RANGE operations.0.weight"),
        ("/operations/0/weight", json!("1"), "MALFORMED_JSON operations.0.weight"),
        ("/operations/0/template", json!("get the row"), "UNKNOWN_ACCESS operations.0.template"),
        (
            "/operations/0/template",
            json!("SELECT * FROM main WHERE color = ?"),
            "UNKNOWN_ACCESS operations.0.template",
        ),
        (
            "/operations/0/template",
            json!("DELETE FROM main WHERE id = 1"),
            "OPERATION_MISMATCH operations.0.template",
        ),
        ("/operations/0/template", json!("SELECT * FROM main WHERE id > ?"), "UNKNOWN_ACCESS operations.0"),
        (
            "/operations/0/parameters",
            json!({"acess": "scan"}),
            "MALFORMED_JSON operations.0.parameters.acess",
        ),
        (
            "/operations/0/parameters",
            json!({"access": "all"}),
            "MALFORMED_JSON operations.0.parameters.access",
        ),
        (
            "/operations/0/parameters",
            json!({"key": "previous"}),
            "OPERATION_MISMATCH operations.0.parameters.key",
        ),
        (
            "/operations/0/parameters",
            json!({"rows": {"min": 5, "max": 2}}),
            "VALUE_OUT_OF_RANGE operations.0.parameters.rows",
        ),
        (
            "/operations/0/parameters",
            json!({"repeat": 1_001}),
            "VALUE_OUT_OF_RANGE operations.0.parameters.repeat",
        ),
        (
            "/operations/0/parameters",
            json!({"repeat": "often"}),
            "MALFORMED_JSON operations.0.parameters.repeat",
        ),
        (
            "/operations/0/parameters",
            json!({"key": {"of": "nobody"}}),
            "OPERATION_MISMATCH operations.0.parameters.key",
        ),
        (
            "/operations/0/parameters",
            json!({"key": {"parts": 0}}),
            "VALUE_OUT_OF_RANGE operations.0.parameters.key.parts",
        ),
        (
            "/operations/0/parameters",
            json!({"key": {"parts": 2, "remote_fraction": 2}}),
            "VALUE_OUT_OF_RANGE operations.0.parameters.key.remote_fraction",
        ),
        (
            "/operations/0/parameters",
            json!({"key": {"parts": 2, "distribution": "oldest", "rows": 0}}),
            "VALUE_OUT_OF_RANGE operations.0.parameters.key.rows",
        ),
        (
            "/operations/0/parameters",
            json!({"key": {"distribution": "nurand", "a": 7, "c": 8}}),
            "VALUE_OUT_OF_RANGE operations.0.parameters.key.c",
        ),
        ("/config/insert_order", json!({"grouped": {"groups": 0}}), "MALFORMED_JSON config.insert_order"),
        ("/config/total_operations", json!(0), "VALUE_OUT_OF_RANGE config.total_operations"),
        ("/config/total_operations", json!(1.5), "MALFORMED_JSON config.total_operations"),
        ("/config/concurrency", json!(0), "VALUE_OUT_OF_RANGE config.concurrency"),
        ("/config/concurency", json!(3), "MALFORMED_JSON config.concurency"),
        ("/config/distribution", json!("zipf"), "MALFORMED_JSON config.distribution"),
        ("/config/zipfian_theta", json!(-0.1), "VALUE_OUT_OF_RANGE config.zipfian_theta"),
        ("/config/record_count", json!(3_000_000_000u64), "VALUE_OUT_OF_RANGE config.record_count"),
        ("/config/record_bytes", json!(0), "VALUE_OUT_OF_RANGE config.record_bytes"),
        ("/config/think_time_ms", json!(-1), "VALUE_OUT_OF_RANGE config.think_time_ms"),
        ("/config/key_range", json!({"min": 5, "max": 1}), "VALUE_OUT_OF_RANGE config.key_range"),
        ("/tables", json!([{"name": "a", "record_count": 1}]), "UNKNOWN_TABLE operations.0"),
        ("/tables", json!([{"name": "", "record_count": 1}]), "VALUE_OUT_OF_RANGE tables.0.name"),
    ] {
        let found = workload_told(&with(pointer, value.clone()));
        assert!(found.contains(&expected.to_owned()), "{pointer} = {value}: {found:?}");
    }
    let unequal = json!({
        "operations": [
            {"type": "SELECT", "template": "SELECT * FROM main WHERE id = ?", "weight": 1, "transaction": "t"},
            {"type": "UPDATE", "template": "UPDATE main SET a = 1 WHERE id = ?", "weight": 2, "transaction": "t"},
        ],
        "config": {"total_operations": 10},
    });
    assert_eq!(workload_told(&unequal), ["TRANSACTION_WEIGHTS operations.1.weight"]);
}

#[test]
fn a_key_belongs_to_an_earlier_statement_of_its_transaction() {
    let told = |key: Value, name: &str, repeat: u32| {
        let read = |table: &str, parameters: Value| {
            json!({
                "type": "SELECT", "template": format!("SELECT * FROM {table} WHERE id = ?"), "weight": 1,
                "transaction": "t", "parameters": parameters,
            })
        };
        let mut operations =
            vec![read("a", json!({"name": name})), read("b", json!({"key": key, "repeat": repeat}))];
        // As often as repetitions have to be, for a transaction to be too long.
        operations.extend((0..10).map(|_| read("a", json!({"repeat": repeat}))));
        workload_told(&json!({
            "operations": operations,
            "tables": [{"name": "a", "record_count": 10}, {"name": "b", "record_count": 1000}],
            "config": {"total_operations": 10},
        }))
    };
    assert_eq!(told(json!({"of": "parent"}), "parent", 1), [""; 0]);
    assert_eq!(told(json!({"of": "parent", "at": "parent"}), "parent", 1), [""; 0]);
    for key in [json!({"of": "parent"}), json!({"of": "other", "at": "parent"}), json!("previous")] {
        assert_eq!(told(key, "other", 1), ["OPERATION_MISMATCH operations.1.parameters.key"]);
    }
    let both = json!({"of": "parent", "parts": 3});
    assert_eq!(told(both, "parent", 1), ["VALUE_OUT_OF_RANGE operations.1.parameters.key.parts"]);
    assert_eq!(told(json!({"parts": 3}), "parent", 1_000), ["TOO_LARGE operations.10.parameters.repeat"]);
}

#[test]
fn a_key_range_alone_says_how_many_records_there_are() {
    let parsed = workload::parse(&json!({
        "operations": [{"type": "SELECT", "template": "SELECT * FROM users WHERE id = ?", "weight": 100}],
        "config": {"total_operations": 10, "key_range": {"min": 1, "max": 5000}},
    }))
    .unwrap();
    assert_eq!(parsed.config.record_count, 5000);
}

/// Any JSON, with the field names and words of canvases and workloads sprinkled in.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "blocks",
        "connections",
        "id",
        "type",
        "parameters",
        "source",
        "target",
        "blockId",
        "port",
        "position",
        "in",
        "out",
        "client",
        "disk",
        "heap-storage",
        "buffer-pool",
        "pages",
        "device",
        "capacity_pages",
        "operations",
        "config",
        "weight",
        "template",
        "SELECT * FROM t WHERE id = ?",
        "SELECT",
        "total_operations",
        "tables",
        "rows",
        "access",
        "key",
        "ünï",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A good canvas with a few values replaced by arbitrary ones.
fn damaged(good: Value) -> impl Strategy<Value = Value> {
    prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4).prop_map(move |damage| {
        let mut canvas = good.clone();
        for (place, value) in damage {
            let mut pointers = Vec::new();
            collect(&canvas, String::new(), &mut pointers);
            *canvas.pointer_mut(&pointers[place.index(pointers.len())]).expect("a pointer just collected") =
                value;
        }
        canvas
    })
}

fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| collect(item, format!("{pointer}/{i}"), pointers));
        }
        Value::Object(map) => {
            map.iter().for_each(|(key, item)| collect(item, format!("{pointer}/{key}"), pointers))
        }
        _ => {}
    }
    pointers.push(pointer);
}

proptest! {
    #[test]
    fn no_json_makes_the_validator_panic(value in any_json()) {
        told(&value);
        workload_told(&value);
    }

    #[test]
    fn no_damaged_canvas_makes_the_validator_panic(value in damaged(good())) {
        if let Some(plan) = design::check(&value).plan {
            prop_assert!(!plan.to_string().is_empty());
        }
    }

    #[test]
    fn no_template_text_makes_the_reader_panic(text in "(SELECT|UPDATE|DELETE|INSERT)?[ -~]{0,60}") {
        workload_told(&json!({
            "operations": [{"type": "SELECT", "template": text, "weight": 1}],
            "config": {"total_operations": 1},
        }));
    }
}

/// A block of this kind alone, with its parameters; what it lacks around it is told, what is wrong inside it too.
fn lone(kind: &str, parameters: Value) -> Vec<String> {
    let block = json!({"id": "b", "type": kind, "parameters": parameters});
    let inside = |line: &String| line.contains("blocks.0.parameters");
    told(&json!({"blocks": [block]})).into_iter().filter(inside).collect()
}

#[test]
fn personas_set_parameters_that_exist_to_values_they_may_take() {
    for persona in catalog::personas() {
        let mut set = 0;
        for (kind, parameter, value) in persona.values() {
            assert_eq!(catalog::block_type(kind).map(|found| found.kind), Some(kind), "{}", persona.name);
            let mut parameters = serde_json::Map::new();
            parameters.insert(parameter.to_owned(), value.json().unwrap());
            assert_eq!(lone(kind, Value::Object(parameters)), [""; 0], "{} {kind}", persona.name);
            set += 1;
        }
        assert!(set > 0 && templates::design(persona.template_slug).is_some());
        assert_eq!(
            templates::design(persona.template_slug).unwrap().canvas()["persona"],
            json!(persona.name)
        );
    }
    let listed = catalog::block_type("heap-storage").unwrap();
    assert_eq!(listed.personas(), ["postgres-15"]);
    let hint = &listed.parameter_schema()["properties"]["hint_bits"]["x-personas"]["postgres-15"];
    assert_eq!(*hint, json!(true));
}

#[test]
fn a_persona_is_the_same_as_stating_its_values() {
    let mut stated = templates::design("postgres-15").unwrap().canvas();
    stated.as_object_mut().unwrap().remove("persona");
    let plain = design::check(&stated).plan.unwrap();
    for block in stated["blocks"].as_array_mut().unwrap() {
        let kind = block["type"].as_str().unwrap().to_owned();
        for (of, parameter, value) in catalog::persona("postgres-15").unwrap().values() {
            if of == kind && block["parameters"].get(parameter).is_none() {
                block["parameters"][parameter] = value.json().unwrap();
            }
        }
    }
    let stated = design::check(&stated).plan.unwrap().to_string();
    let named = design::check(&templates::design("postgres-15").unwrap().canvas()).plan.unwrap().to_string();
    // Processor times are the one thing that no parameter of these blocks states.
    assert_eq!(named.replace("processor times of PostgreSQL 15\n", ""), stated);
    assert_ne!(stated, plain.to_string());
    // A block may follow another system than its canvas.
    let mut canvas = templates::design("postgres-15").unwrap().canvas();
    let pool = canvas["blocks"].as_array().unwrap().iter().position(|block| block["id"] == "pool").unwrap();
    canvas["blocks"][pool]["persona"] = json!("innodb");
    assert!(design::check(&canvas).plan.unwrap().to_string().contains("midpoint-lru"));
}

#[test]
fn an_unknown_persona_is_told_with_the_nearest() {
    let canvas = with(|canvas| canvas["persona"] = json!("postgres"));
    assert_eq!(told(&canvas), ["UNKNOWN_PERSONA persona"]);
    assert!(design::check(&canvas).diagnostics[0].message.contains("postgres-15"));
    let canvas = with(|canvas| canvas["blocks"][0]["persona"] = json!("x"));
    assert_eq!(told(&canvas), ["UNKNOWN_PERSONA blocks.0.persona"]);
    let canvas = with(|canvas| canvas["persona"] = json!(3));
    assert_eq!(told(&canvas), ["MALFORMED_JSON persona"]);
}
