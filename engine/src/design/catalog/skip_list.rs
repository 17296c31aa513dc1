use super::*;

pub(super) const SKIP_LIST: BlockType = BlockType {
    kind: "skip-list",
    aliases: &[],
    title: "Skip list",
    description: "An index in memory, ordered: a linked list whose nodes have towers of pointers, drawn at random, that skip ahead. It \
                      takes no pages and no buffer. It is volatile: without a log a crash loses what it holds.",
    category: Category::Index,
    inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
    outputs: &[LOG],
    parameters: &[
        INDEXED_TABLE,
        Parameter {
            name: "probability",
            kind: ParameterKind::Number { min: 0.1, max: 0.5 },
            unit: Some("ratio"),
            default: ParameterDefault::Number(0.25),
            description: "Part of the nodes of a level that are on the next one too (RocksDB's and LevelDB's memtables: 1/4). A larger one \
                              takes more pointers, 1/(1 − p) a node.",
        },
        Parameter {
            name: "max_height",
            kind: ParameterKind::Integer { min: 1, max: 32 },
            unit: Some("levels"),
            default: ParameterDefault::Integer(12),
            description: "Pointers of the highest tower. Beyond 1/p^max_height keys, searches walk along the top level.",
        },
    ],
    events: &["skip_list_lookup", "skip_list_insert"],
    model: Model {
        modelled: &[
            "Towers with P(h) = (1 − p)·p^(h−1) up to max_height (Pugh 1990), drawn from a key's rank and the seed.",
            "Keys compared by a search: the exact mean over keys and towers, which Pugh bounds by L(n)/p + 1/(1 − p) steps, L(n) = log n / log(1/p); it grows with n·p^(max_height−1)/2 where n outgrows max_height. Each takes 20 ns of a core: a cache miss.",
            "Memory: a node takes 8 bytes, 8 for each pointer, its key, and the row's place, or the row where no storage holds it.",
            "Rows in key order: each node leads to the next.",
        ],
        not_modelled: &[
            "How comparisons of one search differ from their mean, by key and by tower.",
            "The processor's caches: upper levels that stay there cost as much as lower ones.",
            "Writers that wait for each other, and memory that deleted nodes leave behind.",
            "Recovery: a log's bytes are written, and never read again.",
        ],
        measured_by: &[],
    },
};
