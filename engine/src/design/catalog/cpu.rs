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
    parameters: &[Parameter {
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
    }],
    events: &[],
    model: Model {
        modelled: &["Processor time of each step by persona; the total per operation."],
        not_modelled: &["Caches, frequency changes, simultaneous threads."],
        measured_by: &[],
    },
};
