use super::*;

pub(super) const CPU: BlockType = BlockType {
    kind: "cpu",
    aliases: &[],
    title: "Processor",
    description: "The cores operations run on, and whose code runs on them: how long each kind of step takes. Without this block \
                      cores are unlimited and steps take a generic system's time.",
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
        default: ParameterDefault::Text("generic"),
        description: "The system whose processor time for statements, pages, rows, commits and system calls is taken.",
    }],
    events: &[],
    personas: &["postgres-15", "innodb", "sqlite", "rocksdb", "leveldb", "lmdb"],
};
