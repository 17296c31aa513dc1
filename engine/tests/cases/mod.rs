//! Typed, bounded designs and workloads of every shape, and what must hold of each: no panic, an end, figures that can be.

use engine::report::BlockResult;
use engine::{Control, Options, Report, SimulateError, StopCause, TraceLevel, design, simulate, workload};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::common::canvas;

/// Far above what the largest of these runs needs.
const STEP_LIMIT: u64 = 20_000_000;

#[derive(Debug, Clone)]
struct Shape {
    /// Frames, and what the pool does in the background unless it writes at commit.
    pool: Option<(u32, Value)>,
    log: Option<&'static str>,
    storage: &'static str,
    format: &'static str,
    /// How the pool writes when a transaction commits, where it does.
    journal: Option<&'static str>,
    page_size: u32,
    fill_factor: f64,
    path: &'static str,
    build: &'static str,
    index: &'static str,
    updates: &'static str,
    disk: Value,
}

fn shape() -> impl Strategy<Value = Shape> {
    let disk = prop_oneof![
        select(vec!["hdd", "sata-ssd", "nvme", "cloud-volume"]).prop_map(|preset| json!({"preset": preset})),
        (1u32..5).prop_map(|slots| json!({"slots": slots, "service_distribution": "exponential"})),
    ];
    (
        prop::option::of((select(vec![8u32, 16, 100, 10_000]), background())),
        prop::option::of(select(vec!["sync", "async", "interval"])),
        select(vec!["heap-storage", "clustered-storage"]),
        (
            select(vec!["default", "innodb", "sqlite", "without rowid", "lmdb"]),
            prop::option::of(select(vec!["off", "wal"])),
            select(vec![512u32, 4096, 8192, 16_384]),
        ),
        select(vec![0.5, 0.9, 1.0]),
        select(vec!["index", "covering", "scan", "direct", "all"]),
        (
            select(vec!["bulk", "inserted"]),
            select(vec!["in_place", "new_version"]),
            select(vec!["btree-index", "btree-index", "skip-list"]),
        ),
        disk,
    )
        .prop_map(|(pool, log, storage, pages, fill_factor, path, (build, updates, index), disk)| {
            Shape {
                pool,
                log,
                storage,
                format: pages.0,
                journal: pages.1,
                page_size: pages.2,
                fill_factor,
                path,
                build,
                updates,
                index,
                disk,
            }
        })
}

/// Any of the things a pool may do in the background.
fn background() -> impl Strategy<Value = Value> {
    (
        select(vec!["lru", "midpoint-lru", "gclock"]),
        prop::option::of(1u32..8),
        prop::option::of(1u32..20),
        prop::option::of(1u32..100),
        prop::option::of(select(vec![1u32, 1_000, 1_000_000])),
    )
        .prop_map(|(policy, free_pages, writer_ms, checkpoint_ms, log_bytes)| {
            json!({
                "policy": policy,
                "free_pages_target": free_pages.unwrap_or(0),
                "background_writer_delay_ms": writer_ms.unwrap_or(0),
                "checkpoint_interval_seconds": f64::from(checkpoint_ms.unwrap_or(0)) / 1e3,
                "checkpoint_log_bytes": log_bytes.unwrap_or(0),
            })
        })
}

impl Shape {
    fn canvas(&self) -> Value {
        let pages = json!({"page_size": self.page_size, "fill_factor": self.fill_factor});
        let mut blocks = vec![("client", "client", json!({})), ("disk", "disk", self.disk.clone())];
        let mut wires: Vec<String> = Vec::new();
        let below = match &self.pool {
            Some((capacity, background)) => {
                let mut parameters = if self.journal.is_some() { json!({}) } else { background.clone() };
                parameters["capacity_pages"] = json!(capacity);
                if let Some(journal) = self.journal {
                    parameters["policy"] = json!("clean-first-lru");
                    parameters["write_back"] = json!("commit");
                    parameters["journal"] = json!(journal);
                    parameters["checkpoint_frames"] = json!(capacity);
                    parameters["sync_at_commit"] = json!(capacity % 10 == 0);
                }
                blocks.push(("pool", "buffer-pool", parameters));
                wires.push("pool.device -> disk".into());
                "pool"
            }
            None => "disk",
        };
        if let Some(mode) = self.log {
            blocks.push(("wal", "wal", json!({"commit_mode": mode})));
            wires.push("wal.device -> disk".into());
        }
        let mut pages_block = |id, kind, parameters: Value| {
            blocks.push((id, kind, parameters));
            wires.push(format!("{id}.pages -> {below}"));
            if self.log.is_some() {
                wires.push(format!("{id}.log -> wal"));
            }
        };
        let mut tree = pages.clone();
        if self.format != "default" {
            tree["page_format"] = json!(if self.format == "without rowid" { "sqlite" } else { self.format });
            tree["copy_on_write"] =
                json!(self.pool.is_some() && self.journal.is_some() && self.format != "innodb");
        }
        if self.path != "covering" {
            let mut rows = if self.storage == "heap-storage" { pages } else { tree.clone() };
            // An index on versions is PostgreSQL's.
            if self.storage == "heap-storage" && self.format == "default" {
                rows["updates"] = json!(self.updates);
            }
            if self.format == "without rowid" && self.storage != "heap-storage" {
                rows["without_rowid"] = json!(true);
            }
            pages_block("rows", self.storage, rows);
        }
        if ["index", "covering", "all"].contains(&self.path) {
            if self.index == "skip-list" {
                // In memory: no pages.
                blocks.push(("index", "skip-list", json!({"max_height": 1 + self.page_size / 1024})));
                if self.log.is_some() {
                    wires.push("index.log -> wal".into());
                }
            } else {
                let mut parameters = tree;
                parameters["build"] = json!(self.build);
                pages_block("index", self.index, parameters);
            }
            blocks.push(("lookup", "index-scan", json!({})));
            wires.extend(["client.out -> lookup".into(), "lookup.index -> index".into()]);
            if self.path != "covering" {
                wires.push("lookup.table -> rows".into());
            }
        }
        if ["scan", "all"].contains(&self.path) {
            blocks.push(("scan", "seq-scan", json!({})));
            wires.extend(["client.out -> scan".into(), "scan.table -> rows".into()]);
        }
        if ["direct", "all"].contains(&self.path) {
            wires.push("client.out -> rows".into());
        }
        canvas(&blocks, &wires.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// An LSM tree with any parameters, small enough that all of it happens: alone, behind an index scan, or beside a heap.
fn lsm_canvas() -> impl Strategy<Value = Value> {
    let compactions = select(vec!["leveled", "universal", "lazy-leveled", "leveldb"]);
    let sizes = (
        select(vec![65_536u32, 200_000]),
        select(vec![65_536u32, 300_000]),
        select(vec![65_536u32, 1 << 20]),
    );
    let shape = (select(vec![2.0, 3.5, 10.0]), 3u32..8, any::<bool>(), 2u32..5);
    let level0 = (1u32..6, 1u32..9, 2u32..12, select(vec![0.1, 16.0]));
    let tiers = (select(vec![0u32, 1, 100]), select(vec![1u32, 25, 200]));
    let pending = (select(vec![0.001, 64.0]), select(vec![0.001, 256.0]));
    let values = (prop::option::of(select(vec![0u32, 50, 1000])), select(vec![0.0, 0.25, 1.0]));
    let filters = (select(vec!["none", "uniform", "monkey"]), select(vec![1.0, 10.0, 32.0]));
    let load = (
        select(vec!["concurrent", "settled"]),
        select(vec!["inserted", "empty"]),
        prop::option::of(0u32..3000),
    );
    let wiring =
        (prop::option::of(select(vec![8u32, 200])), any::<bool>(), select(vec!["alone", "scan", "heap"]));
    ((compactions, sizes, shape, level0), (tiers, pending, values), (filters, load, wiring)).prop_map(
        |(
            (compaction, (write_buffer, target_file, level_base), (ratio, levels, dynamic, memtables), level0),
            ((run_ratio, amplification), (soft, hard), (min_blob, cutoff)),
            ((bloom, bits), (background, build, load_puts), (pool_pages, log, wiring)),
        )| {
            let mut tree = json!({
                "page_size": 8192, "compaction": compaction, "write_buffer_bytes": write_buffer,
                "target_file_bytes": target_file, "level_base_bytes": level_base, "size_ratio": ratio, "levels": levels,
                "dynamic_level_bytes": dynamic, "max_memtables": memtables, "max_background_jobs": 2 * memtables, "level0_trigger_files": level0.0,
                "slowdown_files": level0.1, "stop_files": level0.2, "delayed_write_mb_s": level0.3,
                "universal_size_ratio_percent": run_ratio, "max_size_amplification_percent": amplification,
                "soft_pending_gib": soft, "hard_pending_gib": hard, "blob_gc_age_cutoff": cutoff, "bloom": bloom,
                "bloom_bits": bits, "background": background, "build": build,
            });
            for (name, value) in [("min_blob_bytes", min_blob), ("load_puts", load_puts)] {
                if let Some(value) = value {
                    tree[name] = json!(value);
                }
            }
            let mut blocks =
                vec![("client", "client", json!({})), ("tree", "lsm-tree", tree), ("disk", "disk", json!({}))];
            let mut wires = Vec::new();
            let below = match pool_pages {
                Some(capacity) => {
                    blocks.push(("pool", "buffer-pool", json!({"capacity_pages": capacity})));
                    wires.push("pool.device -> disk");
                    ["tree.pages -> pool", "rows.pages -> pool"]
                }
                None => ["tree.pages -> disk", "rows.pages -> disk"],
            };
            wires.push(below[0]);
            if log {
                blocks.push(("wal", "wal", json!({})));
                wires.extend(["tree.log -> wal", "wal.device -> disk"]);
            }
            if wiring == "alone" {
                wires.push("client.out -> tree");
            } else {
                blocks.push(("lookup", "index-scan", json!({})));
                wires.extend(["client.out -> lookup", "lookup.index -> tree"]);
            }
            if wiring == "heap" {
                blocks.push(("rows", "heap-storage", json!({})));
                wires.extend(["lookup.table -> rows", below[1]]);
            }
            canvas(&blocks, &wires)
        },
    )
}

/// Two tables, joined or sorted in every way, with little memory and few rows.
fn query_case() -> impl Strategy<Value = (Value, Value)> {
    let kinds = select(vec!["hash-join", "sort-merge-join", "nested-loop-join"]);
    let inputs = select(vec!["heap", "clustered", "scan", "index", "index only", "bitmap", "sort"]);
    let places = (select(vec!["disk", "pool", "nowhere"]), prop::option::of(select(vec![8u32, 1_000])));
    let memory = (select(vec![64u32, 4_096]), 3u32..8, any::<bool>());
    let statements = prop::collection::vec(
        select(vec![
            "SELECT * FROM a JOIN b ON a.b_id = b.id",
            "SELECT * FROM b JOIN a ON a.b_id = b.id",
            "SELECT * FROM a JOIN b ON a.id = b.id WHERE a.id = ?",
            "SELECT * FROM a JOIN b ON a.b_id = b.id WHERE a.id BETWEEN 1 AND 30 ORDER BY b.c LIMIT 7",
            "SELECT * FROM a JOIN b ON a.b_id = b.id ORDER BY a.c",
            "SELECT * FROM a ORDER BY c",
            "SELECT * FROM a WHERE id > ? LIMIT 40",
            "SELECT * FROM b WHERE id = ?",
            "INSERT INTO a VALUES (?)",
            "DELETE FROM b WHERE id = ?",
            "UPDATE b SET c = ? WHERE id = ?",
        ]),
        1..4,
    );
    let sizes =
        (select(vec![0u64, 1, 100, 2_000]), select(vec![0u64, 1, 30, 300]), select(vec![8u32, 100, 3_000]));
    ((kinds, inputs.clone(), inputs), places, memory, (statements, sizes), (1u32..4, any::<bool>())).prop_map(
        |((kind, outer, inner), (spill, pool), (memory, buffer, flag), (statements, (a, b, bytes)), (clients, many))| {
            let mut blocks = vec![("client", "client", json!({})), ("disk", "disk", json!({}))];
            let mut wires: Vec<String> = vec!["client.out -> join".into(), "client.out -> order".into()];
            let below = match pool {
                Some(capacity) => {
                    blocks.push(("pool", "buffer-pool", json!({"capacity_pages": capacity})));
                    wires.push("pool.device -> disk".into());
                    "pool"
                }
                None => "disk",
            };
            let parameters = match kind {
                "hash-join" => json!({"work_mem_kib": memory, "method": if flag { "grace" } else { "hybrid" }}),
                "sort-merge-join" => json!({"work_mem_kib": memory}),
                _ => json!({"buffer_pages": buffer, "method": if flag { "row" } else { "block" }}),
            };
            blocks.extend([("join", kind, parameters), ("order", "sort", json!({"work_mem_kib": memory}))]);
            wires.push("order.input -> join".into());
            let merges = kind == "sort-merge-join";
            let mut side = |port: &str, table: &'static str, form: &str, names: [&'static str; 4]| {
                let [rows, scan, index, sort] = names;
                let clustered = form == "clustered";
                let storage = if clustered { "clustered-storage" } else { "heap-storage" };
                blocks.push((rows, storage, json!({"table": table, "page_size": 8192})));
                wires.extend([format!("client.out -> {rows}"), format!("{rows}.pages -> {below}")]);
                let mut from = rows;
                if form.starts_with("index") || form == "bitmap" {
                    blocks.push((index, "btree-index", json!({"page_size": 8192})));
                    let fetch = json!({"index_only": form == "index only", "bitmap": form == "bitmap", "work_mem_kib": 64});
                    blocks.push((scan, "index-scan", fetch));
                    wires.extend([
                        format!("{scan}.index -> {index}"),
                        format!("{scan}.table -> {rows}"),
                        format!("{index}.pages -> {below}"),
                        format!("client.out -> {scan}"),
                    ]);
                    from = scan;
                } else if form == "scan" || form == "sort" {
                    blocks.push((scan, "seq-scan", json!({})));
                    wires.push(format!("{scan}.table -> {rows}"));
                    from = scan;
                }
                if form == "sort" && merges {
                    blocks.push((sort, "sort", json!({"work_mem_kib": memory})));
                    wires.extend([format!("{sort}.input -> {from}"), format!("client.out -> {sort}")]);
                    if spill != "nowhere" {
                        wires.push(format!("{sort}.spill -> disk"));
                    }
                    from = sort;
                }
                wires.push(format!("join.{port} -> {from}"));
            };
            side("outer", "a", outer, ["a", "a-scan", "a-index", "a-sort"]);
            side("inner", "b", inner, ["b", "b-scan", "b-index", "b-sort"]);
            if spill != "nowhere" {
                let to = if spill == "pool" { below } else { "disk" };
                wires.push(format!("order.spill -> {to}"));
                if kind != "nested-loop-join" {
                    wires.push(format!("join.spill -> {to}"));
                }
            }
            let wires: Vec<&str> = wires.iter().map(String::as_str).collect();
            let operations: Vec<Value> = statements
                .iter()
                .map(|template| {
                    let kind = template.split(' ').next().unwrap();
                    let parameters = if many && template.contains("JOIN") { json!({"matches": 3}) } else { json!({}) };
                    json!({"type": kind, "template": template, "weight": 1, "parameters": parameters})
                })
                .collect();
            let table = |name: &str, rows: u64| json!({"name": name, "record_count": rows, "record_bytes": bytes});
            let workload = json!({
                "operations": operations,
                "tables": [table("a", a), table("b", b)],
                "config": {"total_operations": 12, "warmup_operations": 2, "concurrency": clients},
            });
            (canvas(&blocks, &wires), workload)
        },
    )
}

fn operation() -> impl Strategy<Value = Value> {
    let statement = select(vec![
        ("SELECT", "SELECT * FROM main WHERE id = ?"),
        ("SELECT", "SELECT * FROM main WHERE id >= ? LIMIT 20"),
        ("SELECT", "SELECT * FROM main"),
        ("UPDATE", "UPDATE main SET a = ? WHERE id = ?"),
        ("INSERT", "INSERT INTO main VALUES (?)"),
        ("DELETE", "DELETE FROM main WHERE id = ?"),
    ]);
    let manner = (select(vec![0.0, 0.0, 0.2]), prop::option::of(select(vec!["share", "update"])));
    let repeats = select(vec![Value::Null, json!(3), json!({"min": 1, "max": 4})]);
    (statement, any::<bool>(), manner, key(), repeats).prop_map(|((kind, template), joined, (think_time_ms, locking), key, repeat)| {
        let transaction = joined.then_some("t");
        let mut parameters = json!({"name": "one", "key": key, "repeat": repeat, "think_time_ms": think_time_ms});
        if let (Some(locking), "SELECT") = (locking, kind) {
            parameters["locking"] = json!(locking);
        }
        json!({"type": kind, "template": template, "weight": 1, "transaction": transaction, "parameters": parameters})
    })
}

/// No law, mostly; laws of benchmarks; keys that belong to that of an earlier operation, if there is one.
fn key() -> impl Strategy<Value = Value> {
    let law = || json!({"distribution": "nurand", "a": 255, "values": 7});
    let oldest = json!({"parts": 3, "in_turn": true, "distribution": "oldest", "rows": 2, "skip": 1});
    select(vec![
        Value::Null,
        Value::Null,
        Value::Null,
        json!("previous"),
        law(),
        json!({"distribution": "sysbench_special"}),
        json!({"distribution": "sysbench_pareto"}),
        oldest,
        json!({"parts": 60}),
        json!({"of": "one", "remote_fraction": 0.5, "remote_group": 3}),
        json!({"of": "one", "at": "one", "shared_by": 7}),
        json!({"of": "one", "distribution": "newest", "rows": 4}),
        json!({"of": "one", "distribution": "first"}),
    ])
}

fn config() -> impl Strategy<Value = Value> {
    let distributions = vec![
        "uniform",
        "zipfian",
        "zipfian_ycsb",
        "scrambled_zipfian_ycsb",
        "latest",
        "hotspot",
        "sequential",
    ];
    (
        (select(vec![1u64, 10, 200]), select(vec![0u64, 7]), select(vec![1u32, 2, 8, 100])),
        select(distributions),
        (select(vec![0u64, 1, 2, 50, 1000]), select(vec![1u32, 100, 1500, 20_000])),
        select(vec![1u32, 3]),
        prop::option::of(select(vec![10.0, 100_000.0])),
        select(vec![
            json!("hashed"),
            json!("ascending"),
            json!("descending"),
            json!({"grouped": {"groups": 7, "run": 2}}),
        ]),
    )
        .prop_map(|((operations, warmup, clients), distribution, (records, bytes), batch, rate, order)| {
            json!({
                "total_operations": operations, "warmup_operations": warmup, "concurrency": clients,
                "distribution": distribution, "record_count": records, "record_bytes": bytes,
                "operations_per_transaction": batch, "arrival_rate_per_second": rate, "insert_order": order,
            })
        })
}

fn sane(report: &Report, operations: u64) {
    let summary = &report.summary;
    // What failed counts among the operations of the run, not among those that were served.
    let failed = |block: &BlockResult| block.counters.get("operations_failed").and_then(Value::as_u64);
    let failed: u64 = report.blocks.iter().filter_map(failed).sum();
    assert_eq!(summary.operations + failed, operations);
    for figure in
        [summary.throughput_qps, summary.latency_mean_ms, summary.latency_p99_ms, summary.simulated_seconds]
    {
        assert!(figure.is_finite() && figure >= 0.0, "{summary:?}");
    }
    assert!(
        summary.latency_p50_ms <= summary.latency_p95_ms && summary.latency_p95_ms <= summary.latency_p99_ms
    );
    assert!(summary.cache_hit_ratio.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)), "{summary:?}");
    for block in &report.blocks {
        assert!(block.utilization.is_none_or(|busy| (0.0..=1.0 + 1e-9).contains(&busy)), "{block:?}");
    }
    assert_eq!(report.result_hash, report.compute_hash());
}

/// A block of transactions: its kind and parameters.
fn transactions() -> impl Strategy<Value = (&'static str, Value)> {
    let on_abort = (select(vec!["retry", "fail"]), 1u32..4, select(vec![0.0, 0.5]));
    let locking = (
        select(vec!["read_uncommitted", "read_committed", "repeatable_read", "serializable"]),
        select(vec!["detection", "no_wait", "wait_die", "wound_wait", "timeout"]),
        select(vec![0.0, 0.1, 5.0]),
        select(vec!["requester", "fewest_locks", "youngest"]),
    );
    (select(vec!["two-phase-locking", "mvcc", "occ"]), locking, on_abort).prop_map(
        |(kind, (isolation, policy, deadlock_timeout_ms, victim), (on_abort, max_retries, backoff_ms))| {
            let mut parameters =
                json!({"on_abort": on_abort, "max_retries": max_retries, "backoff_ms": backoff_ms});
            match kind {
                "two-phase-locking" => {
                    parameters["isolation"] = json!(isolation);
                    parameters["deadlock_policy"] = json!(policy);
                    parameters["deadlock_timeout_ms"] = json!(deadlock_timeout_ms);
                    parameters["victim"] = json!(victim);
                    parameters["lock_timeout_ms"] = json!(0.5);
                }
                "mvcc" => {
                    let known = if isolation == "read_uncommitted" { "read_committed" } else { isolation };
                    parameters["isolation"] = json!(known);
                    parameters["deadlock_timeout_ms"] = json!(deadlock_timeout_ms);
                }
                _ => {}
            }
            (kind, parameters)
        },
    )
}

/// Puts a block of transactions between the client and what it leads to. Pools that write at commit take none.
fn governed(canvas: &mut Value, (kind, parameters): (&str, Value)) {
    let blocks = canvas["blocks"].as_array().unwrap();
    if blocks.iter().any(|block| block["parameters"]["write_back"] == "commit") {
        return;
    }
    for connection in canvas["connections"].as_array_mut().unwrap() {
        if connection["source"] == json!({"blockId": "client", "port": "out"}) {
            connection["source"]["blockId"] = json!("transactions");
        }
    }
    let block =
        json!({"id": "transactions", "type": kind, "position": {"x": 0, "y": 0}, "parameters": parameters});
    let wire = json!({"id": "governed", "source": {"blockId": "client", "port": "out"},
                      "target": {"blockId": "transactions", "port": "in"}});
    canvas["blocks"].as_array_mut().unwrap().push(block);
    canvas["connections"].as_array_mut().unwrap().push(wire);
}

/// A design, its workload, how much is told and the seed.
pub type Case = (Value, Value, TraceLevel, u64);

pub fn case() -> impl Strategy<Value = Case> {
    let designs = prop_oneof![2 => shape().prop_map(|shape| shape.canvas()), 1 => lsm_canvas()];
    let workloads = (prop::collection::vec(operation(), 1..4), config())
        .prop_map(|(operations, config)| json!({"operations": operations, "config": config}));
    let both = prop_oneof![9 => (designs, workloads), 1 => query_case()];
    let traces = select(vec![TraceLevel::None, TraceLevel::Sampled, TraceLevel::Full]);
    let extras = (prop::option::of(1u32..4), prop::option::of(transactions()));
    (both, extras, traces, 0u64..5).prop_map(
        |((mut canvas, workload), (cores, transactions), trace, seed)| {
            if let Some(transactions) = transactions {
                governed(&mut canvas, transactions);
            }
            if let Some(cores) = cores {
                let cpu = json!({"id": "cpu", "type": "cpu", "position": {"x": 0, "y": 0}, "parameters": {"cores": cores}});
                let wire = json!({"id": "cores", "source": {"blockId": "client", "port": "cpu"},
                                  "target": {"blockId": "cpu", "port": "in"}});
                canvas["blocks"].as_array_mut().unwrap().push(cpu);
                canvas["connections"].as_array_mut().unwrap().push(wire);
            }
            (canvas, workload, trace, seed)
        },
    )
}

pub fn runs_to_its_end((canvas, document, trace, seed): Case) -> Result<(), TestCaseError> {
    let checked = design::check(&canvas);
    let plan = checked.plan.unwrap_or_else(|| panic!("not valid: {:?}", checked.diagnostics));
    // What a workload may not ask for is a diagnostic; that it is one is all there is to check.
    let Ok(workload) = workload::parse(&document) else { return Ok(()) };
    let options = Options { seed, trace, max_events: 100, step_limit: STEP_LIMIT, ..Options::default() };
    match simulate(&plan, &workload, &options, &Control::default()) {
        Ok(report) => sane(&report, document["config"]["total_operations"].as_u64().unwrap()),
        Err(SimulateError::Stopped(StopCause::StepLimit)) => panic!("the run has no end"),
        Err(SimulateError::Stopped(cause)) => panic!("stopped by {cause:?}"),
        // Rows too large for a page, an access that no path serves …
        Err(SimulateError::InvalidDesign(found) | SimulateError::InvalidWorkload(found)) => {
            prop_assert!(!found.is_empty());
        }
    }
    Ok(())
}
