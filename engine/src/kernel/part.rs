//! What a sampled run saw of the whole it stands for.

use super::{Kernel, Source};
use crate::blocks::buffer::{HITS, MISSES};
use crate::workload::distribution::KeyDraw;

/// See `sampling`.
pub(crate) struct Part {
    /// Of what the laws draw, the part that fell on the sample, over the sample's part of the records.
    pub(crate) drawn: f64,
    /// Some tree writes sorted runs.
    pub(crate) has_runs: bool,
    pub(crate) pools: Vec<PoolPart>,
}

/// A pool's requests in the measured interval.
pub(crate) struct PoolPart {
    pub(crate) block: usize,
    pub(crate) frames: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Requests for the upper levels of trees, had these as many entries as the whole has.
    pub(crate) unseen_hits: u64,
}

impl Kernel<'_> {
    /// Of a run of one key in `one_in`.
    pub(super) fn part(&self, one_in: u32) -> Part {
        let (mut drawn, mut kept) = (0u64, 0u64);
        for draw in self.tables.iter().flat_map(|table| &table.draws) {
            if let KeyDraw::Sampled(sampled) = draw {
                let counts = sampled.counts();
                (drawn, kept) = (drawn + counts.0, kept + counts.1);
            }
        }
        let drawn = if drawn == 0 { 1.0 } else { kept as f64 * f64::from(one_in) / drawn as f64 };
        let mut pools: Vec<PoolPart> = self
            .pools
            .iter()
            .map(|pool| PoolPart {
                block: pool.block,
                frames: pool.capacity().into(),
                hits: pool.counters.measured(HITS),
                misses: pool.counters.measured(MISSES),
                unseen_hits: 0,
            })
            .collect();
        for tree in &self.trees {
            let Source::Pool(pool) = self.spaces[usize::from(tree.first_space)].source else { continue };
            let root = &self.spaces[usize::from(tree.first_space) + tree.tree.height() - 1];
            let descents = root.hits + root.misses - root.marked.0 - root.marked.1;
            pools[usize::from(pool)].unseen_hits += descents * u64::from(tree.unseen_levels);
        }
        Part { drawn, has_runs: !self.lsms.is_empty(), pools }
    }
}
