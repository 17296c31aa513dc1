//! What the kinds of LSM cases share: a tree with the parameters of a case on a disk, and the puts that fill it.

use serde_json::{Value, json};

use super::cases::Case;
use super::experiment::{Outcome, run};

/// Fields of a case and the parameters they are.
const SAME: [(&str, &str); 9] = [
    ("block_bytes", "page_size"),
    ("write_buffer_bytes", "write_buffer_bytes"),
    ("target_file_bytes", "target_file_bytes"),
    ("max_bytes_for_level_base", "level_base_bytes"),
    ("level_size_multiplier", "size_ratio"),
    ("level0_file_num_compaction_trigger", "level0_trigger_files"),
    ("dynamic_level_bytes", "dynamic_level_bytes"),
    ("max_memtables", "max_memtables"),
    ("compaction", "compaction"),
];
const UNIVERSAL: [(&str, &str); 2] = [
    ("size_ratio_pct", "universal_size_ratio_percent"),
    ("max_size_amplification_pct", "max_size_amplification_percent"),
];

/// Parameters of the tree of a case.
pub(super) fn tree(case: &Case) -> Option<Value> {
    // The measured systems ran with static targets unless a case says otherwise.
    let mut tree = json!({"dynamic_level_bytes": false});
    let bits = case.number("bloom_bits_per_key")?;
    if bits > 0.0 {
        tree["bloom_bits"] = json!(bits);
    } else {
        tree["bloom"] = json!("none");
    }
    let universal = case.config.get("universal");
    let of_case = SAME.iter().map(|(field, parameter)| (case.config.get(*field), *parameter));
    let of_universal = UNIVERSAL
        .iter()
        .map(|(field, parameter)| (universal.and_then(|fields| fields.get(*field)), *parameter));
    for (value, parameter) in of_case.chain(of_universal) {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            tree[parameter] = value.clone();
        }
    }
    let settled = case.text("background").starts_with("instant");
    tree["background"] = json!(if settled { "settled" } else { "concurrent" });
    Some(tree)
}

/// Sizes and keys of a case, as a workload of `operations` states them.
pub(super) fn config(case: &Case, operations: u64) -> Option<Value> {
    Some(json!({
        "total_operations": operations,
        "warmup_operations": 0,
        "record_bytes": case.whole("key_bytes")? + case.whole("value_bytes")?,
        "key_bytes": case.whole("key_bytes")?,
        "record_count": case.whole("key_space")?,
    }))
}

/// Runs the puts of a case on a tree that is empty at first, and says how many bytes they put.
pub(super) fn write(case: &Case, mut tree: Value, seed: u64) -> Option<Outcome> {
    let text = case.text("workload").to_lowercase();
    let operations = case.whole("ops")?;
    let mut config = config(case, operations)?;
    tree["build"] = json!("empty");
    let (operation, key) = if text.contains("once") {
        config["record_count"] = json!(0);
        let orders = ["ascending", "descending"].into_iter();
        config["insert_order"] = json!(orders.rev().find(|order| text.contains(order)).unwrap_or("hashed"));
        ("INSERT", Value::Null)
    } else if let Some((_, theta)) = text.split_once("theta ") {
        let theta: f64 = theta.split([' ', ',']).next()?.parse().ok()?;
        ("UPDATE", json!({"distribution": "zipfian", "theta": theta}))
    } else if text.contains("replacement") {
        ("UPDATE", json!({"distribution": "uniform"}))
    } else {
        return None;
    };
    let mut parameters = json!({"access": "point"});
    if !key.is_null() {
        parameters["key"] = key;
    }
    run(
        &[("client", "client", json!({})), ("tree", "lsm-tree", tree), ("disk", "disk", json!({}))],
        &["client.out -> tree", "tree.pages -> disk"],
        &[(operation, 1.0, parameters)],
        &config,
        seed,
    )
}
