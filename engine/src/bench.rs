//! What the benches measure that has no public face: single structures, driven as the kernel drives them. Only with the feature
//! `bench`; each function does its work and returns a figure that depends on all of it.

use crate::blocks::buffer::{Lookup, Pool};
use crate::blocks::tree::{MAX_LEVELS, Path, Tree, TreeShape};
use crate::kernel::calendar::{Calendar, Event};
use crate::metrics::histogram::Latencies;
use crate::plan::PolicyKind;
use crate::prng::Stream;
use crate::workload::permutation::Permutation;
use crate::workload::zipf::Zipf;

/// Keys drawn by Zipf's law (theta .99) over `pages`, scattered: what a page access is given.
pub fn accesses(pages: u32, count: u32) -> Vec<u32> {
    let zipf = Zipf::new(u64::from(pages), 0.99);
    let scatter = Permutation::new(u64::from(pages), Stream::new(1, "scatter"));
    let stream = Stream::new(1, "accesses");
    let draw = |access: u32| scatter.forward(zipf.draw(&mut stream.at(u64::from(access)))) as u32;
    (0..count).map(draw).collect()
}

/// A pool of `capacity` frames under a policy: `lru`, `clock` or `sieve`.
pub struct PolicyRun(Pool);

impl PolicyRun {
    pub fn new(policy: &str, capacity: u32, pages: u32) -> Self {
        let policy = match policy {
            "clock" => PolicyKind::Clock,
            "sieve" => PolicyKind::Sieve,
            _ => PolicyKind::Lru,
        };
        let mut pool = Pool::new(0, 0, capacity, policy, 1, Stream::new(1, "evictions"));
        pool.reserve(0, pages);
        Self(pool)
    }

    /// Hits among these accesses.
    pub fn access(&mut self, pages: &[u32]) -> u64 {
        let mut hits = 0;
        for page in pages {
            if self.0.hit(0, *page, false, 0) {
                hits += 1;
            } else if self.0.peek(0, *page) == Lookup::Absent {
                if let Some(taken) = self.0.take(0, *page, false) {
                    self.0.arrived(taken.frame, 0);
                }
            }
        }
        hits
    }
}

/// PostgreSQL's tree over 8-byte keys that arrived in random order.
pub struct TreeRun(Tree);

impl TreeRun {
    /// `None` where the shape has no room for a key, which 8-byte keys always have.
    pub fn inserted(keys: u32) -> Option<Self> {
        let shape = TreeShape::postgres_index(8192, 8, 0.9, true, 0.0)?;
        let order = Permutation::new(u64::from(keys), Stream::new(1, "keys"));
        let mut tree = Tree::empty(shape, keys);
        (0..keys).for_each(|record| tree.insert(order.forward(u64::from(record)) as u32));
        Some(Self(tree))
    }

    /// Sum of the leaves that searches for these keys end at.
    pub fn search(&self, ranks: &[u32]) -> u64 {
        let mut path = Path { pages: [0; MAX_LEVELS], height: 0 };
        ranks
            .iter()
            .map(|rank| {
                self.0.path(*rank, &mut path);
                u64::from(path.pages[0])
            })
            .sum()
    }

    pub fn leaves(&self) -> u64 {
        self.0.pages(0)
    }
}

/// Sum of `count` draws of exact Zipf over `ranks`.
pub fn zipf_draws(ranks: u64, count: u64) -> u64 {
    let zipf = Zipf::new(ranks, 0.99);
    let stream = Stream::new(1, "draws");
    (0..count).map(|draw| zipf.draw(&mut stream.at(draw))).sum()
}

/// Takes `count` events with `clients` in the calendar at any time, each putting itself back; the time it ends at.
pub fn calendar_turns(clients: u32, count: u64) -> u64 {
    let mut calendar = Calendar::default();
    let stream = Stream::new(1, "waits");
    (0..clients).for_each(|client| calendar.schedule(u64::from(client), Event::Client(client)));
    let mut now_ns = 0;
    for turn in 0..count {
        if let Some((time_ns, event)) = calendar.next() {
            now_ns = time_ns;
            calendar.schedule(now_ns + 1 + stream.at(turn).below(10_000), event);
        }
    }
    now_ns
}

/// The 99th percentile of `count` latencies up to 100 µs, in milliseconds.
pub fn histogram_records(count: u64) -> f64 {
    let mut latencies = Latencies::new(3);
    let stream = Stream::new(1, "latencies");
    (0..count).for_each(|record| latencies.record(stream.at(record).below(100_000)));
    latencies.quantile_ms(0.99)
}
