//! The tolerances, by kind: which quantities of a case are scored, and how close a simulation has to come.

use serde_json::{Map, Value};

use super::cases::{Case, flat};

/// How a simulated value is compared with a measured one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Check {
    Absolute(f64),
    /// Relative to the measured value, or an absolute floor where that is wider.
    Relative(f64, f64),
    /// Within a factor either way, or an absolute floor.
    Factor(f64, f64),
    /// Few are few; otherwise within a factor that narrows with their number.
    Deadlocks,
    /// Lists of equal length, item by item relative.
    EachRelative(f64, f64),
    /// The first items of two lists.
    FirstRelative(f64, f64),
    /// The length of a measured list, give or take one.
    Length,
}

impl Check {
    pub(super) fn holds(self, measured: &Value, simulated: &Value) -> bool {
        let pair = measured.as_f64().zip(simulated.as_f64());
        let lists = measured.as_array().zip(simulated.as_array());
        match self {
            Check::Absolute(limit) => pair.is_some_and(|(m, s)| (s - m).abs() <= limit),
            Check::Relative(part, floor) => {
                pair.is_some_and(|(m, s)| (s - m).abs() <= (part * m.abs()).max(floor))
            }
            Check::Factor(factor, floor) => pair.is_some_and(|(m, s)| {
                (s - m).abs() <= floor || s > 0.0 && m > 0.0 && (1.0 / factor..=factor).contains(&(s / m))
            }),
            Check::Deadlocks => pair.is_some_and(|(m, s)| {
                let factor = Check::Factor(if m >= 20.0 { 1.6 } else { 2.5 }, 0.0);
                m < 3.0 && s < 3.0 || factor.holds(measured, simulated)
            }),
            Check::EachRelative(part, floor) => lists.is_some_and(|(m, s)| {
                let each = Check::Relative(part, floor);
                m.len() == s.len() && m.iter().zip(s).all(|(m, s)| each.holds(m, s))
            }),
            Check::FirstRelative(part, floor) => {
                let first = simulated.get(0).unwrap_or(simulated);
                measured.get(0).is_some_and(|m| Check::Relative(part, floor).holds(m, first))
            }
            Check::Length => {
                let length = |value: &Value| match value.as_array() {
                    Some(list) => Some(list.len() as f64),
                    None => value.as_f64(),
                };
                length(measured).zip(length(simulated)).is_some_and(|(m, s)| (m - s).abs() <= 1.0)
            }
        }
    }
}

/// Whether keys come in order of themselves, or all at once.
fn ordered(case: &Case) -> bool {
    let order = case.text("insert_order").to_lowercase();
    case.text("build").contains("CREATE INDEX")
        || order == "seq"
        || order == "desc"
        || ["ascending", "descending", "sorted"].iter().any(|word| order.starts_with(word))
}

/// Every quantity of a case that is scored, each required. Kinds without a rule have none, `rank` has its own.
pub(super) fn rules(case: &Case) -> Vec<(String, Check)> {
    use Check::{Absolute, Deadlocks, EachRelative, Factor, FirstRelative, Length, Relative};
    let measured: Map<String, Value> =
        case.results.first().map(flat).unwrap_or_default().into_iter().collect();
    let set = |name: &str| {
        let value = case.config.get(name);
        value.is_some_and(|value| value.as_bool().unwrap_or(!value.is_null()) && value.as_str() != Some(""))
    };
    let list: Vec<(&str, Check)> = match case.kind.as_str() {
        "pg_btree" => {
            let ordered = ordered(case);
            let levels = measured.get("pages_per_level_leaf_first").and_then(Value::as_array);
            let inner =
                levels.map_or(&[][..], |levels| levels.get(1..levels.len().max(2) - 1).unwrap_or(&[]));
            let near = inner.iter().any(|pages| pages.as_f64().is_some_and(|pages| pages <= 3.0));
            vec![
                ("height", Absolute(f64::from(u8::from(near)))),
                ("leaf_pages", Relative(if ordered { 0.02 } else { 0.04 }, 1.0)),
                ("internal_pages", Relative(0.25, 2.0)),
                ("avg_leaf_density_pct", Absolute(if ordered { 2.0 } else { 4.0 })),
            ]
        }
        "pg_heap" => {
            vec![("heap_pages", Relative(0.01, 1.0)), ("seqscan_page_accesses", Relative(0.01, 1.0))]
        }
        "pg_access" => {
            let loose = set("clustered") || case.text("plan") == "indexonly" || set("index_only");
            vec![
                ("page_accesses_per_lookup", Absolute(0.1)),
                ("page_accesses", if loose { Relative(0.05, 3.0) } else { Relative(0.03, 1.0) }),
                ("heap_pages_visited", Relative(0.03, 1.0)),
            ]
        }
        "pg_bloat" => vec![
            ("heap_pages_after", Relative(0.03, 1.0)),
            ("heap_pages_after_vacuum", Relative(0.03, 1.0)),
            ("heap_pages_after_reinsert", Relative(0.03, 1.0)),
            ("pk_index_pages_after", Relative(0.05, 2.0)),
            ("hot_fraction", Absolute(0.03)),
            ("wal_bytes_per_update", Relative(0.15, 0.0)),
            ("wal_records_per_update", Absolute(0.3)),
            ("heap_pages_initial_then_after_each_round", EachRelative(0.03, 1.0)),
        ],
        "pg_wal" => vec![
            ("wal_full_page_images", Relative(0.03, 2.0)),
            ("wal_bytes", Relative(0.15, 0.0)),
            ("wal_records", Relative(0.10, 0.0)),
        ],
        "pg_buffer" => {
            let writes = case.number("write_fraction");
            let mut list = vec![
                ("hit_ratio", Absolute(0.005)),
                ("index_hit_ratio", Absolute(0.005)),
                ("overall_hit_ratio", Absolute(0.005)),
                ("page_reads_per_op", Relative(0.03, 0.002)),
            ];
            if writes.is_none_or(|writes| writes == 1.0) {
                list.push(("heap_hit_ratio", Absolute(0.005)));
            }
            if writes == Some(1.0) {
                list.push(("dirty_pages_written_at_eviction_per_op", Relative(0.05, 0.005)));
            }
            list
        }
        "pg_locks" => {
            let aborts = measured.get("serialization_aborts_per_1000").and_then(Value::as_f64);
            let mut list = vec![
                (
                    "deadlock_aborts_per_1000",
                    if case.text("row_choice").contains("ascending") { Absolute(0.0) } else { Deadlocks },
                ),
                ("mean_blocked_clients", Relative(0.30, 0.3)),
            ];
            if aborts != Some(0.0) || case.text("isolation") != "read committed" {
                list.push(("serialization_aborts_per_1000", Relative(0.25, 5.0)));
            }
            list
        }
        "pg_hash" => vec![
            ("bucket_pages", Relative(0.15, 2.0)),
            ("index_pages_total", Relative(0.2, 3.0)),
            ("page_accesses_per_lookup_incl_heap", Absolute(0.15)),
        ],
        "pg_join" => vec![
            ("batches", Factor(2.0, 0.0)),
            ("temp_pages_written", Relative(0.15, 3.0)),
            ("temp_pages_read", Relative(0.15, 3.0)),
            ("page_accesses", Relative(0.03, 2.0)),
            ("inner_accesses_per_lookup", Absolute(0.1)),
        ],
        "pg_sort" => {
            let mut list =
                vec![("temp_pages_written", Relative(0.15, 3.0)), ("initial_runs", Relative(0.25, 1.0))];
            if measured.get("merge_passes").is_some_and(Value::is_array) {
                list.push(("merge_passes", Length));
            }
            list
        }
        "sqlite_shape" => {
            let ordered = ordered(case);
            vec![
                ("depth", Absolute(0.0)),
                ("leaf_pages", Relative(if ordered { 0.02 } else { 0.06 }, 1.0)),
                ("interior_pages", Relative(0.25, 2.0)),
                ("leaf_fill_pct", Absolute(if ordered { 2.0 } else { 5.0 })),
            ]
        }
        "sqlite_cache" => {
            let spills = measured.get("cache_spills").and_then(Value::as_f64).unwrap_or(0.0) > 0.0;
            vec![
                ("hit_ratio", Absolute(if spills { 0.02 } else { 0.005 })),
                ("page_reads_per_op", Relative(if spills { 0.08 } else { 0.02 }, 0.002)),
                ("page_writes_per_op", Relative(if spills { 0.15 } else { 0.04 }, 0.002)),
                ("page_accesses_per_op", Absolute(0.02)),
            ]
        }
        "lsm_write" => {
            let free = case.text("background").starts_with("free");
            let universal = case.text("compaction") == "universal";
            let amplification = if free {
                0.25
            } else if universal {
                0.20
            } else {
                0.22
            };
            let mut list = vec![
                ("flushes", Relative(0.05, 1.0)),
                ("write_amp_flush_plus_compaction", Relative(amplification, 0.0)),
                ("sst_bytes", Relative(if universal || free { 0.15 } else { 0.08 }, 0.0)),
            ];
            if !(universal || free) {
                list.push(("compactions", Relative(0.25, 2.0)));
            }
            list
        }
        "lsm_read" => vec![
            ("get_existing.data_block_reads_per_op", Relative(0.10, 0.02)),
            ("get_missing.data_block_reads_per_op", Relative(0.10, 0.02)),
            ("get_existing.bloom_false_positive_per_op", Factor(1.5, 0.01)),
            ("get_missing.bloom_false_positive_per_op", Factor(1.5, 0.01)),
            ("scan50.data_block_reads_per_op", Relative(0.15, 0.1)),
        ],
        "lsm_leveldb" => vec![("write_amp_flush_plus_compaction", Relative(0.25, 0.0))],
        "cache" => measured
            .keys()
            .filter_map(|name| Some((name.as_str(), name.strip_prefix("miss_all.")?)))
            .filter(|(_, policy)| *policy != "LIRS")
            .map(|(name, policy)| {
                let limit = match policy {
                    "TwoQ" | "S3FIFO" | "SLRU" | "WTinyLFU" => 0.02,
                    "LRU2_no_history" | "LRU2_full_history" => 0.01,
                    _ => 0.005,
                };
                (name, Absolute(limit))
            })
            .collect(),
        "innodb" => {
            let ordered = ordered(case) || case.text("key_order_of_k") == "seq";
            let rule = |name: &str| {
                let bulk = ordered || name.starts_with("secondary_bulk") || name.starts_with("clustered");
                if name.ends_with("height") {
                    Some(Absolute(0.0))
                } else if name.ends_with("pages_per_level_leaf_first") {
                    Some(FirstRelative(if bulk { 0.02 } else { 0.08 }, 1.0))
                } else {
                    name.ends_with("leaf_fill_pct").then_some(Absolute(if bulk { 2.0 } else { 5.0 }))
                }
            };
            measured.keys().filter_map(|name| Some((name.as_str(), rule(name)?))).collect()
        }
        "innodb_pool" => {
            vec![("page_reads_per_op", Relative(0.06, 0.005)), ("logical_requests_per_op", Absolute(0.05))]
        }
        _ => Vec::new(),
    };
    list.into_iter()
        .filter(|(name, _)| measured.contains_key(*name))
        .map(|(name, check)| (name.to_owned(), check))
        .collect()
}
