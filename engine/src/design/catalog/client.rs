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
    model: Model {
        modelled: &[
            "Closed loop: a fixed number of clients, each with one operation at a time and a think time; X ≤ min(1/D_max, N/(D+Z)).",
            "Open loop: Poisson arrivals; latency counts from the intended start, so a slow system cannot hide its queue.",
            "Key choice: exact Zipf, YCSB's two zipfian generators, latest, hotspot, loops, scans and shifts.",
        ],
        not_modelled: &[
            "Network time between client and server.",
            "Without a transaction block: locks; operations neither wait for each other's rows nor abort.",
        ],
        measured_by: &[],
    },
};
