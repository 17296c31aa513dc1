//! A device: k slots behind one first-come-first-served queue.
//!
//! A request takes base time (read, or write = ratio × read), a seek unless it continues where the device's previous request
//! ended, the time to move its bytes, and the flush of the device's cache when it must be durable. The base figures of the
//! solid-state presets are those of the parametric I/O model (Papon, Athanassoulis, "A Parametric I/O Model for Modern Storage
//! Devices", DaMoN 2021: read latency, read/write asymmetry, concurrency); the disk preset is a 7200/min drive.
//!
//! Bandwidth is shared by the slots: no request ends before all bytes asked for so far could have been moved.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::counters::Counters;
use crate::kernel::calendar::{Calendar, Event};
use crate::kernel::snapshot::listed;
use crate::plan::{BlockIndex, DiskSpec};
use crate::prng::Stream;

pub(crate) const READS: usize = 0;
pub(crate) const WRITES: usize = 1;
pub(crate) const PAGES_READ: usize = 2;
pub(crate) const PAGES_WRITTEN: usize = 3;
pub(crate) const LOG_FLUSHES: usize = 4;
pub(crate) const BYTES_READ: usize = 5;
pub(crate) const BYTES_WRITTEN: usize = 6;
pub(crate) const BUSY_NS: usize = 7;
pub(crate) const QUEUED_NS: usize = 8;

/// The figures of a kind of device.
pub(crate) struct Preset {
    pub(crate) slots: u32,
    pub(crate) read_us: f64,
    pub(crate) write_ratio: f64,
    pub(crate) seek_us: f64,
    pub(crate) bandwidth_mb_s: f64,
    pub(crate) fsync_us: f64,
}

/// The preset of this name; the catalogue's default where the name is none of them.
pub(crate) fn preset(name: &str) -> Preset {
    let (slots, read_us, write_ratio, seek_us, bandwidth_mb_s, fsync_us) = match name {
        "sata-ssd" => (9, 100.0, 1.5, 0.0, 520.0, 1_000.0),
        "cloud-volume" => (19, 180.0, 2.0, 0.0, 250.0, 200.0),
        "hdd" => (1, 100.0, 1.0, 12_670.0, 200.0, 8_333.0),
        _ => (6, 12.4, 3.0, 0.0, 3_000.0, 20.0),
    };
    Preset { slots, read_us, write_ratio, seek_us, bandwidth_mb_s, fsync_us }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IoKind {
    Read,
    Write,
    /// A durable append: the log's.
    LogWrite,
}

/// Who is told when a request is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A page comes straight from the device to a client.
    Direct { client: u32 },
    /// A page for a frame of a pool.
    Load { client: u32, pool: u16, frame: u32 },
    /// Several pages for frames of a pool: the pool's run of this number.
    LoadRun { client: u32, pool: u16, run: u32 },
    /// An evicted dirty page; the client that evicted it waits.
    WriteBack { client: u32, pool: u16 },
    /// Changed pages of a transaction that commits.
    Force { client: u32, pool: u16 },
    /// A page a pool writes for nobody; `leaves` is the frame that is free afterwards.
    Background { pool: u16, leaves: Option<u32> },
    /// A log's flush.
    Flush { wal: u16 },
    /// Part of an LSM tree's flush or compaction.
    /// A job of an LSM tree, by its place among those at work.
    Lsm { lsm: u16, job: u8 },
}

impl Purpose {
    /// The client that pays for the request itself, where one does.
    pub(crate) fn client(self) -> Option<u32> {
        match self {
            Purpose::Direct { client }
            | Purpose::Load { client, .. }
            | Purpose::LoadRun { client, .. }
            | Purpose::WriteBack { client, .. } => Some(client),
            // Paid by the page, not by the request.
            Purpose::Force { .. } => None,
            Purpose::Background { .. } | Purpose::Flush { .. } | Purpose::Lsm { .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) kind: IoKind,
    pub(crate) purpose: Purpose,
    pub(crate) space: u16,
    pub(crate) page: u32,
    pub(crate) pages: u32,
    pub(crate) bytes: u64,
    pub(crate) submitted_ns: u64,
    pub(crate) started_ns: u64,
}

#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) block: BlockIndex,
    pub(crate) counters: Counters<9>,
    number: u8,
    spec: DiskSpec,
    queue: VecDeque<Request>,
    slots: Vec<Option<Request>>,
    free_slots: Vec<u16>,
    /// When all bytes asked for so far could have been moved.
    transferred_ns: u64,
    /// Bytes of the latest request and the time to move them: most requests are as large as the one before.
    latest_transfer: (u64, u64),
    /// Where the previous request ended: (space, page after it).
    position: (u16, u32),
    /// Up to when busy time is counted.
    integrated_ns: u64,
    stream: Stream,
    served: u64,
}

impl Disk {
    pub(crate) fn new(block: BlockIndex, number: u8, spec: DiskSpec, stream: Stream) -> Self {
        Self {
            block,
            counters: Counters::new([
                "reads",
                "writes",
                "pages_read",
                "pages_written",
                "log_flushes",
                "bytes_read",
                "bytes_written",
                "busy_ns",
                "queued_ns",
            ]),
            number,
            queue: VecDeque::new(),
            slots: vec![None; spec.slots as usize],
            // Taken from the back: slot 0 first.
            free_slots: (0..spec.slots as u16).rev().collect(),
            transferred_ns: 0,
            latest_transfer: (0, 0),
            position: (u16::MAX, 0),
            integrated_ns: 0,
            stream,
            served: 0,
            spec,
        }
    }

    pub(crate) fn submit(&mut self, now_ns: u64, request: Request, calendar: &mut Calendar) {
        self.integrate(now_ns);
        match self.free_slots.pop() {
            Some(slot) => self.start(now_ns, slot, request, calendar),
            None => self.queue.push_back(request),
        }
    }

    /// The request in a slot is done; the next one in the queue takes the slot.
    pub(crate) fn complete(&mut self, now_ns: u64, slot: u16, calendar: &mut Calendar) -> Option<Request> {
        self.integrate(now_ns);
        let done = self.slots[usize::from(slot)].take();
        match self.queue.pop_front() {
            Some(next) => self.start(now_ns, slot, next, calendar),
            None => self.free_slots.push(slot),
        }
        done
    }

    fn start(&mut self, now_ns: u64, slot: u16, mut request: Request, calendar: &mut Calendar) {
        request.started_ns = now_ns;
        if request.bytes != self.latest_transfer.0 {
            let ns = (request.bytes as f64 * 1e3 / self.spec.bandwidth_mb_s) as u64;
            self.latest_transfer = (request.bytes, ns);
        }
        let transfer_ns = self.latest_transfer.1;
        let service_ns = self.service_ns(&request) + transfer_ns;
        let service_ns = if self.spec.exponential {
            (self.stream.at(self.served).exponential() * service_ns as f64) as u64
        } else {
            service_ns
        };
        self.transferred_ns = self.transferred_ns.max(now_ns) + transfer_ns;
        // With one slot the bytes before are always moved already, so the service time alone counts.
        let done_ns = match self.slots.len() {
            1 => now_ns + service_ns,
            _ => (now_ns + service_ns).max(self.transferred_ns),
        };
        self.served += 1;
        self.count(&request);
        self.position = (request.space, request.page.saturating_add(request.pages));
        self.slots[usize::from(slot)] = Some(request);
        calendar.schedule(done_ns, Event::Disk { disk: self.number, slot });
    }

    /// Base, seek and flush time.
    fn service_ns(&self, request: &Request) -> u64 {
        let continues = self.position == (request.space, request.page);
        let seek_ns = if continues { 0 } else { self.spec.seek_ns };
        seek_ns
            + match request.kind {
                IoKind::Read => self.spec.read_ns,
                IoKind::Write => self.spec.write_ns,
                IoKind::LogWrite => self.spec.write_ns + self.spec.fsync_ns,
            }
    }

    fn count(&mut self, request: &Request) {
        self.counters.add(QUEUED_NS, request.started_ns - request.submitted_ns);
        match request.kind {
            IoKind::Read => {
                self.counters.add(READS, 1);
                self.counters.add(PAGES_READ, u64::from(request.pages));
                self.counters.add(BYTES_READ, request.bytes);
            }
            IoKind::Write => {
                self.counters.add(WRITES, 1);
                self.counters.add(PAGES_WRITTEN, u64::from(request.pages));
                self.counters.add(BYTES_WRITTEN, request.bytes);
            }
            IoKind::LogWrite => {
                self.counters.add(LOG_FLUSHES, 1);
                self.counters.add(BYTES_WRITTEN, request.bytes);
            }
        }
    }

    /// Counts busy time up to now, summed over the slots.
    pub(crate) fn integrate(&mut self, now_ns: u64) {
        let busy = (self.slots.len() - self.free_slots.len()) as u64;
        self.counters.add(BUSY_NS, busy * now_ns.saturating_sub(self.integrated_ns));
        self.integrated_ns = self.integrated_ns.max(now_ns);
    }

    /// Requests in service and in the queue, which is served from its front.
    pub(crate) fn state(&self) -> Value {
        let request = |request: &Request| {
            json!({
                "kind": match request.kind {
                    IoKind::Read => "read",
                    IoKind::Write => "write",
                    IoKind::LogWrite => "log_write",
                },
                "pages": request.pages,
                "bytes": request.bytes,
                "submitted_ns": request.submitted_ns,
            })
        };
        let mut state = json!({"slots": self.slots.len()});
        let busy = self.slots.len() - self.free_slots.len();
        listed(&mut state, "in_service", busy, self.slots.iter().flatten().map(request));
        listed(&mut state, "queue", self.queue.len(), self.queue.iter().map(request));
        state
    }

    pub(crate) fn slots(&self) -> u64 {
        self.slots.len() as u64
    }

    pub(crate) fn queue_length(&self) -> u64 {
        self.queue.len() as u64
    }
}
