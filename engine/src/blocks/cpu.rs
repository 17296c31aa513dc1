//! The cores operations run on: as many as stated, behind one first-come-first-served queue.
//!
//! An operation takes a core when it has something to compute and keeps it until it blocks or ends, or has computed for a
//! quantum while others wait; then the one that waits longest has it. Background work takes none.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::counters::Counters;
use crate::kernel::Kernel;
use crate::kernel::cost::QUANTUM_NS;
use crate::kernel::snapshot::listed;
use crate::plan::BlockIndex;

pub(crate) const BUSY_NS: usize = 0;
const WAITS: usize = 1;
const QUEUED_NS: usize = 2;

#[derive(Debug)]
pub(crate) struct Cpu {
    pub(crate) block: BlockIndex,
    pub(crate) counters: Counters<3>,
    cores: u32,
    busy: u32,
    queue: VecDeque<u32>,
    /// By client: since when it has had a core, if it has one.
    held_since_ns: Vec<Option<u64>>,
    /// Up to when busy time is counted.
    integrated_ns: u64,
}

impl Cpu {
    pub(crate) fn new(block: BlockIndex, cores: u32, clients: u32) -> Self {
        Self {
            block,
            counters: Counters::new(["busy_ns", "waits", "queued_ns"]),
            cores,
            busy: 0,
            queue: VecDeque::new(),
            held_since_ns: vec![None; clients as usize],
            integrated_ns: 0,
        }
    }

    /// Whether the client has a core from now on; otherwise it stands in the queue.
    fn take(&mut self, client: u32, now_ns: u64) -> bool {
        if self.busy < self.cores {
            self.integrate(now_ns);
            self.busy += 1;
            self.held_since_ns[client as usize] = Some(now_ns);
            return true;
        }
        self.counters.add(WAITS, 1);
        self.queue.push_back(client);
        false
    }

    /// The client's core is free; the one that waited longest has it now.
    fn release(&mut self, client: u32, now_ns: u64) -> Option<u32> {
        self.held_since_ns.get_mut(client as usize)?.take()?;
        let next = self.queue.pop_front();
        match next {
            Some(next) => self.held_since_ns[next as usize] = Some(now_ns),
            None => {
                self.integrate(now_ns);
                self.busy -= 1;
            }
        }
        next
    }

    /// Counts busy time up to now, summed over the cores.
    pub(crate) fn integrate(&mut self, now_ns: u64) {
        self.counters.add(BUSY_NS, u64::from(self.busy) * (now_ns - self.integrated_ns));
        self.integrated_ns = now_ns;
    }

    pub(crate) fn cores(&self) -> u64 {
        u64::from(self.cores)
    }

    pub(crate) fn state(&self) -> Value {
        let mut state = json!({"cores": self.cores, "busy_cores": self.busy});
        let waiting = self.queue.iter().map(|client| json!(client));
        listed(&mut state, "waiting_clients", self.queue.len(), waiting);
        state
    }

    pub(crate) fn gauges(&self, interval_ns: u64) -> Value {
        let queued_ns = self.counters.measured(QUEUED_NS) as f64;
        json!({
            "cores": self.cores,
            "queue_length": self.queue.len(),
            "mean_queue_length": (interval_ns > 0).then(|| queued_ns / interval_ns as f64),
        })
    }
}

impl Kernel<'_> {
    /// Whether the client may compute now: it has a core, or cores are unlimited. Otherwise it waits for one.
    #[inline]
    pub(crate) fn has_core(&mut self, client: u32) -> bool {
        match &self.cpu {
            None => true,
            // A vacuum is none of the clients that share the cores.
            Some(cpu) if client as usize >= cpu.held_since_ns.len() => true,
            Some(cpu) if cpu.held_since_ns[client as usize].is_some() => !self.quantum_is_over(client),
            Some(_) => self.take_core(client),
        }
    }

    fn take_core(&mut self, client: u32) -> bool {
        let now_ns = self.now_ns;
        self.clients[client as usize].core_wanted_ns = now_ns;
        self.cpu.as_mut().is_none_or(|cpu| cpu.take(client, now_ns))
    }

    /// A client that has computed for long while others wait goes to the end of the queue.
    fn quantum_is_over(&mut self, client: u32) -> bool {
        let now_ns = self.now_ns;
        let over = self.cpu.as_ref().is_some_and(|cpu| {
            let held = cpu.held_since_ns[client as usize];
            !cpu.queue.is_empty() && held.is_some_and(|since_ns| now_ns - since_ns >= QUANTUM_NS)
        });
        if over {
            self.give_way(client);
            self.release_core(client);
        }
        over
    }

    /// Whether others wait for a core: then a client that begins another operation stands behind them.
    #[inline]
    pub(crate) fn gives_way(&mut self, client: u32) -> bool {
        let others = self.cpu.as_ref().is_some_and(|cpu| !cpu.queue.is_empty());
        if others {
            self.give_way(client);
        }
        others
    }

    fn give_way(&mut self, client: u32) {
        self.clients[client as usize].core_wanted_ns = self.now_ns;
        if let Some(cpu) = &mut self.cpu {
            cpu.counters.add(WAITS, 1);
            cpu.queue.push_back(client);
        }
    }

    /// The client computes no more: it waits for something else, or has nothing to do.
    #[inline]
    pub(crate) fn release_core(&mut self, client: u32) {
        if let Some(next) = self.cpu.as_mut().and_then(|cpu| cpu.release(client, self.now_ns)) {
            let waited_ns = self.now_ns - self.clients[next as usize].core_wanted_ns;
            if let Some(cpu) = &mut self.cpu {
                cpu.counters.add(QUEUED_NS, waited_ns);
            }
            self.charge(next, self.causes.cpu_queue, waited_ns);
            self.ready.push_back(next);
        }
    }
}
