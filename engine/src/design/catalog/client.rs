use super::*;

pub(super) const CLIENT: BlockType = BlockType {
    kind: "client",
    aliases: &[],
    title: "Client",
    description: "Where the workload enters: closed-loop clients with think time, or open-loop arrivals at a rate. \
                      Connected to several blocks, each operation takes the path the plan states.",
    category: Category::Workload,
    inputs: &[],
    outputs: &[
        output(
            "out",
            &[Category::Transaction, Category::Query, Category::Index, Category::Storage],
            true,
            true,
            "What serves the operations.",
        ),
        output(
            "cpu",
            &[Category::Cpu],
            false,
            false,
            "The cores operations run on; without it they are unlimited.",
        ),
    ],
    parameters: &[],
    events: &["operation_started", "operation_completed", "transaction_committed"],
};
