use super::*;

pub(super) const SEQ_SCAN: BlockType = BlockType {
    kind: "seq-scan",
    aliases: &[],
    title: "Sequential scan",
    description: "Reads every page of a table and keeps the rows that match.",
    category: Category::Query,
    inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
    outputs: &[output("table", &[Category::Storage], true, false, "The storage it reads.")],
    parameters: &[Parameter {
        name: "read_ahead_pages",
        kind: ParameterKind::Integer { min: 1, max: 256 },
        unit: Some("pages"),
        default: ParameterDefault::Integer(16),
        description: "Most pages asked of the device in one request (16 pages of 8 KiB are Linux's default 128 KiB).",
    }],
    events: &["page_scan"],
    model: Model {
        modelled: &["Every page of a storage once, in requests of `read_ahead_pages`; every row tested."],
        not_modelled: &[
            "Shared (synchronized) scans, ring buffers that protect a pool from a scan, parallel workers.",
        ],
        measured_by: &["pg_heap"],
    },
};
