use super::*;

pub(super) const CPU: BlockType = BlockType {
    kind: "cpu",
    aliases: &[],
    title: "Processor",
    description: "The cores operations run on, and whose code runs on them: how long each kind of step takes. Without this block \
                      cores are unlimited and steps take the time of the canvas's persona.",
    category: Category::Cpu,
    inputs: &[input(&[Category::Workload])],
    outputs: &[],
    parameters: &[
        Parameter {
            name: "cores",
            kind: ParameterKind::Integer { min: 1, max: 1024 },
            unit: Some("cores"),
            default: ParameterDefault::Integer(4),
            description: "Operations that compute at the same time. An operation keeps its core until it waits for something else or \
                          ends; the others wait in order of coming.",
        },
        Parameter {
            name: "persona",
            kind: ParameterKind::Choice(&[
                "generic",
                "postgres-15",
                "innodb",
                "sqlite",
                "rocksdb",
                "leveldb",
                "lmdb",
            ]),
            unit: None,
            default: ParameterDefault::Derived("the persona of the block or its canvas; generic without one"),
            description: "The system whose processor time for statements, pages, rows, commits and system calls is taken.",
        },
    ],
    events: &[],
    model: Model {
        modelled: &[
            "Processor time of each step by persona; the total per operation.",
            "Cores behind one first-come-first-served queue, held until an operation waits or ends, or for a quantum of 1 ms while \
             others wait.",
        ],
        not_modelled: &[
            "Caches, frequency changes, simultaneous threads; flushes and compactions take no core.",
        ],
        measured_by: &[],
    },
};
