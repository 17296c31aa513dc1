use super::*;

pub(super) const INDEX_SCAN: BlockType = BlockType {
    kind: "index-scan",
    aliases: &[],
    title: "Index scan",
    description: "Finds keys in an index, then fetches each row from its table. Without a table the index covers the row.",
    category: Category::Query,
    inputs: &[input(&[Category::Workload, Category::Transaction, Category::Query])],
    outputs: &[
        output("index", &[Category::Index], true, false, "The index it searches."),
        output("table", &[Category::Storage], false, false, "The storage it fetches rows from."),
    ],
    parameters: &[],
    events: &["index_lookup"],
    model: Model {
        modelled: &["Search of an index, then one visit of the row's page for each row, in key order."],
        not_modelled: &["Bitmap scans, index-only scans with a visibility map."],
        measured_by: &["pg_buffer"],
    },
};
