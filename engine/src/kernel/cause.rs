//! What an operation can wait for. Every nanosecond of a latency has one cause.

use crate::plan::BlockIndex;

/// Index of a cause in a run's list.
pub(crate) type CauseIndex = usize;

/// Processor time of the operation itself.
pub(crate) const CPU: CauseIndex = 0;
/// Open loop: waiting for a client to be free.
pub(crate) const CLIENT_QUEUE: CauseIndex = 1;

/// First cause of a device; the others follow.
pub(crate) const DEVICE_QUEUE: usize = 0;
pub(crate) const DEVICE_READ: usize = 1;
pub(crate) const DEVICE_WRITE: usize = 2;

/// First cause of a pool; the others follow.
pub(crate) const PAGE_IN_FLIGHT: usize = 0;
pub(crate) const WRITE_BACK: usize = 1;
pub(crate) const FRAME_WAIT: usize = 2;
/// Another transaction writes to the database, which takes one writer at a time.
pub(crate) const WRITER_LOCK: usize = 3;

/// First cause of an LSM tree; the other follows.
pub(crate) const WRITE_SLOWDOWN: usize = 0;
pub(crate) const WRITE_STALL: usize = 1;

/// The causes of a run, in a fixed order.
#[derive(Debug)]
pub(crate) struct Causes {
    pub(crate) list: Vec<(&'static str, Option<BlockIndex>)>,
    disks: Vec<CauseIndex>,
    pools: Vec<CauseIndex>,
    wals: Vec<CauseIndex>,
    lsms: Vec<CauseIndex>,
    /// Waiting for a core, where they are limited.
    pub(crate) cpu_queue: CauseIndex,
    /// A client thinks inside a transaction.
    pub(crate) think: CauseIndex,
}

impl Causes {
    pub(crate) fn new(
        client: BlockIndex,
        disks: impl Iterator<Item = BlockIndex>,
        pools: impl Iterator<Item = BlockIndex>,
        wals: impl Iterator<Item = BlockIndex>,
        lsms: impl Iterator<Item = BlockIndex>,
        cpu: Option<BlockIndex>,
    ) -> Self {
        let mut causes = Self {
            list: vec![("cpu", None), ("client_queue", Some(client))],
            disks: Vec::new(),
            pools: Vec::new(),
            wals: Vec::new(),
            lsms: Vec::new(),
            cpu_queue: CPU,
            think: CPU,
        };
        for block in disks {
            causes.disks.push(causes.list.len());
            causes
                .list
                .extend(["device_queue", "device_read", "device_write"].map(|name| (name, Some(block))));
        }
        for block in pools {
            causes.pools.push(causes.list.len());
            let names = ["page_in_flight", "write_back", "frame_wait", "writer_lock"];
            causes.list.extend(names.map(|name| (name, Some(block))));
        }
        for block in wals {
            causes.wals.push(causes.list.len());
            causes.list.push(("log_flush", Some(block)));
        }
        for block in lsms {
            causes.lsms.push(causes.list.len());
            causes.list.extend(["write_slowdown", "write_stall"].map(|name| (name, Some(block))));
        }
        if cpu.is_some() {
            causes.cpu_queue = causes.list.len();
            causes.list.push(("cpu_queue", cpu));
        }
        causes
    }

    /// Adds causes of one block; the index of the first.
    pub(crate) fn add(&mut self, names: &[&'static str], block: BlockIndex) -> CauseIndex {
        let first = self.list.len();
        self.list.extend(names.iter().map(|name| (*name, Some(block))));
        first
    }

    pub(crate) fn disk(&self, disk: usize, cause: usize) -> CauseIndex {
        self.disks[disk] + cause
    }

    pub(crate) fn pool(&self, pool: usize, cause: usize) -> CauseIndex {
        self.pools[pool] + cause
    }

    pub(crate) fn wal(&self, wal: usize) -> CauseIndex {
        self.wals[wal]
    }

    pub(crate) fn lsm(&self, lsm: usize, cause: usize) -> CauseIndex {
        self.lsms[lsm] + cause
    }
}
