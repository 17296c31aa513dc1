use super::*;

pub(super) const DISK: BlockType = BlockType {
    kind: "disk",
    aliases: &[],
    title: "Disk",
    description: "A device with a number of parallel slots and one queue. A request takes base time, a seek unless it follows \
                      the previous one, and transfer time; a preset gives the figures, parameters change them one by one.",
    category: Category::Device,
    inputs: &[input(&[Category::Buffer, Category::Log, Category::Index, Category::Storage, Category::Query])],
    outputs: &[],
    parameters: &[
        Parameter {
            name: "preset",
            kind: ParameterKind::Choice(&["nvme", "sata-ssd", "cloud-volume", "hdd"]),
            unit: None,
            default: ParameterDefault::Text("nvme"),
            description: "The kind of device the other figures are taken from.",
        },
        Parameter {
            name: "slots",
            kind: ParameterKind::Integer { min: 1, max: 1024 },
            unit: Some("requests"),
            default: ParameterDefault::Derived("by preset: nvme 6, sata-ssd 9, cloud-volume 19, hdd 1"),
            description: "Requests served at the same time.",
        },
        Parameter {
            name: "read_us",
            kind: ParameterKind::Number { min: 0.1, max: 1_000_000.0 },
            unit: Some("µs"),
            default: ParameterDefault::Derived(
                "by preset: nvme 12.4, sata-ssd 100, cloud-volume 180, hdd 100",
            ),
            description: "Base time of a read.",
        },
        Parameter {
            name: "write_ratio",
            kind: ParameterKind::Number { min: 0.1, max: 100.0 },
            unit: Some("ratio"),
            default: ParameterDefault::Derived("by preset: nvme 3, sata-ssd 1.5, cloud-volume 2, hdd 1"),
            description: "Base time of a write over that of a read.",
        },
        Parameter {
            name: "seek_us",
            kind: ParameterKind::Number { min: 0.0, max: 1_000_000.0 },
            unit: Some("µs"),
            default: ParameterDefault::Derived(
                "by preset: hdd 12670 (8.5 ms seek and half a turn at 7200/min), others 0",
            ),
            description: "Added to a request that does not follow the previous one on the device.",
        },
        Parameter {
            name: "bandwidth_mb_s",
            kind: ParameterKind::Number { min: 0.1, max: 100_000.0 },
            unit: Some("MB/s"),
            default: ParameterDefault::Derived(
                "by preset: nvme 3000, sata-ssd 520, cloud-volume 250, hdd 200",
            ),
            description: "Bytes the device moves in a second, over all slots together.",
        },
        Parameter {
            name: "fsync_us",
            kind: ParameterKind::Number { min: 0.0, max: 1_000_000.0 },
            unit: Some("µs"),
            default: ParameterDefault::Derived(
                "by preset: nvme 20, sata-ssd 1000, cloud-volume 200, hdd 8333 (a turn)",
            ),
            description: "Added to a write that must be durable, such as a log flush.",
        },
        Parameter {
            name: "service_distribution",
            kind: ParameterKind::Choice(&["constant", "exponential"]),
            unit: None,
            default: ParameterDefault::Text("constant"),
            description: "Whether a request takes exactly its time, or a random time with that mean.",
        },
    ],
    events: &[],
    model: Model {
        modelled: &[
            "k servers and one queue: with k = 1 M/D/1 or M/M/1 under open arrivals, with more M/M/k (Erlang C).",
            "Service = base time + bytes / shared bandwidth; writes α times reads; a seek unless a request follows the one before.",
            "Flush: a device-wide write barrier of its own duration.",
        ],
        not_modelled: &[
            "Garbage collection and wear of flash, caches in the device, schedulers of the operating system.",
        ],
        measured_by: &[],
    },
};
