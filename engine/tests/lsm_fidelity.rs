//! Flushes, compactions, write amplification and block reads against those measured on RocksDB 7.8 and LevelDB 1.23, through the
//! public catalogue: canvas and workload in, counters and gauges out.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use common::{INSERT, READ, UPDATE, block, canvas, counter, run, workload};
use engine::Report;
use serde_json::{Value, json};

/// Cases the model misses, each with its cause. The list may only shrink.
const KNOWN_MISSES: &[(&str, &str)] = &[(
    "lsm_read.rocksdb.cache2m.zipf99",
    "RocksDB's block cache keeps blocks that were hit apart from those that were not; the pool here is plain LRU",
)];
/// All cases of the three kinds.
const CASES: usize = 22 + 4 + 11;

fn cases(json: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(json).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// The catalogue's parameters for a measured configuration.
fn parameters(config: &Value) -> Value {
    let mut parameters = json!({
        "write_buffer_bytes": config["write_buffer_bytes"],
        "page_size": config["block_bytes"],
        "dynamic_level_bytes": false,
    });
    let bits = config["bloom_bits_per_key"].as_f64().unwrap();
    parameters["bloom"] = json!(if bits > 0.0 { "uniform" } else { "none" });
    if bits > 0.0 {
        parameters["bloom_bits"] = json!(bits);
    }
    let same = [
        ("target_file_bytes", "target_file_bytes"),
        ("max_bytes_for_level_base", "level_base_bytes"),
        ("level_size_multiplier", "size_ratio"),
        ("level0_file_num_compaction_trigger", "level0_trigger_files"),
        ("dynamic_level_bytes", "dynamic_level_bytes"),
        ("max_memtables", "max_memtables"),
        ("compaction", "compaction"),
    ];
    for (measured, parameter) in same {
        if !config[measured].is_null() {
            parameters[parameter] = config[measured].clone();
        }
    }
    let universal = &config["universal"];
    if universal.is_object() {
        parameters["universal_size_ratio_percent"] = universal["size_ratio_pct"].clone();
        parameters["max_size_amplification_percent"] = universal["max_size_amplification_pct"].clone();
    }
    let settled = config["background"].as_str().is_some_and(|text| text.starts_with("instant"));
    parameters["background"] = json!(if settled { "settled" } else { "concurrent" });
    parameters
}

/// Client → LSM tree → disk, with a cache in between where one is given.
fn design(parameters: Value, cache_pages: u64) -> Value {
    let mut blocks =
        vec![("client", "client", json!({})), ("tree", "lsm-tree", parameters), ("disk", "disk", json!({}))];
    if cache_pages == 0 {
        return canvas(&blocks, &["client.out -> tree", "tree.pages -> disk"]);
    }
    blocks.push(("cache", "buffer-pool", json!({"capacity_pages": cache_pages})));
    canvas(&blocks, &["client.out -> tree", "tree.pages -> cache", "cache.device -> disk"])
}

/// Runs the puts of a case.
fn write(case: &Value, parameters: Value) -> Report {
    let config = &case["config"];
    let text = config["workload"].as_str().unwrap();
    let (once, ascending) = (text.contains("once"), text.contains("ascending"));
    let mut settings = json!({
        "total_operations": config["ops"],
        "warmup_operations": 0,
        "record_bytes": config["key_bytes"].as_u64().unwrap() + config["value_bytes"].as_u64().unwrap(),
        "key_bytes": config["key_bytes"],
        "record_count": if once { json!(0) } else { config["key_space"].clone() },
        "insert_order": if ascending { "ascending" } else { "hashed" },
    });
    if let Some(theta) = text.split("theta ").nth(1) {
        settings["distribution"] = json!("zipfian");
        settings["zipfian_theta"] = json!(theta.split(' ').next().unwrap().parse::<f64>().unwrap());
    }
    let mut parameters = parameters;
    parameters["build"] = json!("empty");
    let operation = if once { INSERT } else { UPDATE };
    run(&design(parameters, 0), &workload(&[(operation, 1.0, Value::Null)], settings))
}

/// The relative error against the nearest measured run.
fn error(case: &Value, path: &[&str], simulated: f64) -> Option<(f64, f64)> {
    let measured = case["results"].as_array().unwrap().iter().filter_map(|result| {
        path.iter().try_fold(result, |value, name| value.get(name)).and_then(Value::as_f64)
    });
    let nearest = measured.min_by(|a, b| (a - simulated).abs().total_cmp(&(b - simulated).abs()))?;
    Some((simulated - nearest, nearest))
}

/// Collects what misses its tolerance, and prints every figure.
#[derive(Default)]
struct Score {
    passed: Vec<String>,
    missed: Vec<String>,
    errors: Vec<f64>,
}

impl Score {
    /// Each quantity: (name, simulated, relative tolerance, absolute tolerance).
    fn add(&mut self, case: &Value, quantities: &[(&[&str], f64, f64, f64)]) {
        let id = case["id"].as_str().unwrap();
        let mut passes = true;
        for (path, simulated, relative, absolute) in quantities {
            let Some((off, measured)) = error(case, path, *simulated) else { continue };
            let good = off.abs() <= (relative * measured.abs()).max(*absolute);
            passes &= good;
            if measured.abs() > 0.0 && *relative < 0.5 {
                self.errors.push(off / measured);
            }
            println!(
                "{}{id} {}: {simulated:.4} against {measured:.4} ({:+.1} %)",
                if good { "  " } else { "! " },
                path.join("."),
                100.0 * off / measured
            );
        }
        (if passes { &mut self.passed } else { &mut self.missed }).push(id.to_owned());
    }

    /// Whoever misses is known, and whoever is known misses.
    fn check(&self, cases: usize) {
        assert_eq!(self.passed.len() + self.missed.len(), cases);
        let mean = self.errors.iter().sum::<f64>() / self.errors.len() as f64;
        let max = self.errors.iter().fold(0.0f64, |max, error| max.max(error.abs()));
        println!(
            "{} of {} cases, mean error {:+.1} %, max {:.1} %",
            self.passed.len(),
            cases,
            100.0 * mean,
            100.0 * max
        );
        let known = |id: &String| KNOWN_MISSES.iter().any(|(known, _)| known == id);
        let unknown: Vec<&String> = self.missed.iter().filter(|id| !known(id)).collect();
        assert!(unknown.is_empty(), "outside their tolerance: {unknown:?}");
        let passing: Vec<&String> = self.passed.iter().filter(|id| known(id)).collect();
        assert!(passing.is_empty(), "no longer a miss, take it off the list: {passing:?}");
    }
}

#[test]
fn at_least_95_percent_of_the_cases_pass() {
    assert!(KNOWN_MISSES.len() * 20 <= CASES);
}

#[test]
fn writes_are_rocksdbs() {
    let mut score = Score::default();
    for case in cases(include_str!("fidelity/lsm_write.json")) {
        let config = &case["config"];
        let report = write(&case, parameters(config));
        let gauges = &block(&report, "tree").gauges;
        let free = config["background"].as_str().unwrap().starts_with("free");
        let universal = config["compaction"] == "universal";
        let amplification = match (free, universal) {
            (true, _) => 0.25,
            (_, true) => 0.20,
            _ => 0.22,
        };
        let mut quantities: Vec<(&[&str], f64, f64, f64)> = vec![
            (&["flushes"], counter(&report, "tree", "flushes") as f64, 0.05, 1.0),
            (
                &["write_amp_flush_plus_compaction"],
                gauges["write_amplification"].as_f64().unwrap(),
                amplification,
                0.0,
            ),
            (
                &["sst_bytes"],
                gauges["sst_bytes"].as_f64().unwrap(),
                if free || universal { 0.15 } else { 0.08 },
                0.0,
            ),
        ];
        if !free && !universal {
            quantities.push((&["compactions"], counter(&report, "tree", "compactions") as f64, 0.25, 2.0));
        }
        score.add(&case, &quantities);
    }
    score.check(22);
}

#[test]
fn writes_are_leveldbs() {
    let mut score = Score::default();
    for case in cases(include_str!("fidelity/lsm_leveldb.json")) {
        let config = &case["config"];
        let mut parameters = parameters(config);
        let leveldb = [
            ("compaction", json!("leveldb")),
            ("target_file_bytes", json!(2 << 20)),
            ("level_base_bytes", json!(10 << 20)),
            ("slowdown_files", json!(8)),
            ("stop_files", json!(12)),
            ("background", json!("settled")),
        ];
        for (name, value) in leveldb {
            parameters[name] = value;
        }
        let report = write(&case, parameters);
        let amplification = block(&report, "tree").gauges["write_amplification"].as_f64().unwrap();
        score.add(&case, &[(&["write_amp_flush_plus_compaction"], amplification, 0.25, 0.0)]);
    }
    score.check(4);
}

#[test]
fn reads_are_rocksdbs() {
    let mut score = Score::default();
    for case in cases(include_str!("fidelity/lsm_read.json")) {
        let config = &case["config"];
        let mut tree = parameters(config);
        if config["workload"].as_str().unwrap().contains("replacement") {
            tree["load_puts"] = config["ops"].clone();
        }
        let cache_pages =
            config["block_cache_bytes"].as_u64().unwrap() / config["block_bytes"].as_u64().unwrap();
        let design = design(tree, cache_pages);
        let zipf = config["read_distribution"] == "zipf";
        let reads = |template: &str, operations: u64, parameters: Value| {
            let mut settings = json!({
                "total_operations": operations,
                "warmup_operations": if cache_pages > 0 { operations } else { 0 },
                "record_bytes": config["key_bytes"].as_u64().unwrap() + config["value_bytes"].as_u64().unwrap(),
                "key_bytes": config["key_bytes"],
                "record_count": config["key_space"],
                "distribution": if zipf { "zipfian" } else { "uniform" },
            });
            if zipf {
                settings["zipfian_theta"] = config["read_theta"].clone();
            }
            let report = run(&design, &workload(&[(template, 1.0, parameters)], settings));
            let per_operation = |count: u64| count as f64 / operations as f64;
            // What the cache holds is not read.
            let blocks = match cache_pages {
                0 => counter(&report, "tree", "block_reads"),
                _ => counter(&report, "cache", "misses"),
            };
            let false_positives = counter(&report, "tree", "bloom_false_positives");
            (per_operation(blocks), per_operation(false_positives))
        };
        let operations = config["reads"].as_u64().unwrap();
        let (existing, existing_false) = reads(READ, operations, Value::Null);
        let (missing, missing_false) = reads(READ, operations, json!({"missing": true}));
        let (scan, _) = reads(common::RANGE, 5_000, Value::Null);
        score.add(
            &case,
            &[
                (&["get_existing", "data_block_reads_per_op"], existing, 0.10, 0.02),
                (&["get_missing", "data_block_reads_per_op"], missing, 0.10, 0.02),
                (&["get_existing", "bloom_false_positive_per_op"], existing_false, 0.5, 0.01),
                (&["get_missing", "bloom_false_positive_per_op"], missing_false, 0.5, 0.01),
                (&["scan50", "data_block_reads_per_op"], scan, 0.15, 0.1),
            ],
        );
    }
    score.check(11);
}
