//! How many buckets a linear hash index has, as PostgreSQL counts them (`hashpage.c`, `hashutil.c`).

/// Most buckets there are.
const MAX_BUCKETS: u32 = 1 << 30;
/// Splitpoint groups below this are made at once, later ones in four phases.
const GROUPS_OF_ONE_PHASE: u32 = 10;
/// Overflow pages one bitmap page stands for: a bit each in half of 8 KiB.
const PAGES_OF_A_BITMAP: u32 = 4096 * 8;

#[derive(Debug, Clone)]
pub(super) struct Linear {
    /// Entries a bucket is meant to have.
    bucket_entries: u32,
    buckets: u32,
    low_mask: u32,
    high_mask: u32,
}

fn log2_up(number: u32) -> u32 {
    number.max(1).next_power_of_two().trailing_zeros()
}

/// The phase in which bucket pages up to this many are made (`_hash_spareindex`).
fn phase_of(buckets: u32) -> u32 {
    let group = log2_up(buckets);
    if group < GROUPS_OF_ONE_PHASE {
        return group;
    }
    GROUPS_OF_ONE_PHASE + (group - GROUPS_OF_ONE_PHASE) * 4 + ((buckets - 1) >> (group - 3) & 3)
}

/// Bucket pages made by the end of a phase (`_hash_get_totalbuckets`).
fn buckets_after(phase: u32) -> u32 {
    if phase < GROUPS_OF_ONE_PHASE {
        return 1 << phase;
    }
    let group = GROUPS_OF_ONE_PHASE + (phase - GROUPS_OF_ONE_PHASE) / 4;
    let quarters = (phase - GROUPS_OF_ONE_PHASE) % 4 + 1;
    (1 << (group - 1)) + (1 << (group - 1)) / 4 * quarters
}

impl Linear {
    pub(super) fn new(page_size_bytes: u32, fill_factor: f64, expected_keys: u64) -> Self {
        let filled_bytes = (f64::from(page_size_bytes) * fill_factor + 1e-6) as u32;
        let bucket_entries = (filled_bytes / super::buckets::ENTRY_BYTES).max(10);
        let wanted = expected_keys as f64 / f64::from(bucket_entries);
        let buckets = if wanted <= 2.0 {
            2
        } else {
            buckets_after(phase_of(wanted.min(f64::from(MAX_BUCKETS)) as u32))
        };
        let high_mask = (buckets + 1).next_power_of_two() - 1;
        Self { bucket_entries, buckets, low_mask: high_mask >> 1, high_mask }
    }

    pub(super) fn buckets(&self) -> u32 {
        self.buckets
    }

    pub(super) fn bucket_of(&self, hash: u32) -> u32 {
        let bucket = hash & self.high_mask;
        if bucket < self.buckets { bucket } else { bucket & self.low_mask }
    }

    /// Whether so many entries ask for one bucket more.
    pub(super) fn grows_at(&self, keys: u64) -> bool {
        keys > u64::from(self.bucket_entries) * u64::from(self.buckets) && self.buckets < MAX_BUCKETS
    }

    /// One bucket more: the one that splits, and the new one.
    pub(super) fn grow(&mut self) -> (u32, u32) {
        let new_bucket = self.buckets;
        self.buckets += 1;
        if new_bucket > self.high_mask {
            self.low_mask = self.high_mask;
            self.high_mask = new_bucket | self.low_mask;
        }
        (new_bucket & self.low_mask, new_bucket)
    }

    /// Bucket pages made so far, for buckets that exist or are going to.
    pub(super) fn allocated_buckets(&self) -> u32 {
        buckets_after(phase_of(self.buckets))
    }

    pub(super) fn bitmap_pages(&self, overflow_pages: u32) -> u64 {
        u64::from(overflow_pages / PAGES_OF_A_BITMAP) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `_hash_spareindex` and `_hash_get_totalbuckets`: 512 at once, then 640, 768, 896, 1024, 1280 …
    #[test]
    fn bucket_pages_come_in_phases() {
        let made: Vec<u32> = [1, 2, 3, 33, 512, 513, 640, 641, 735, 977, 1025, 1281]
            .map(|buckets| buckets_after(phase_of(buckets)))
            .to_vec();
        assert_eq!(made, [1, 2, 4, 64, 512, 640, 640, 768, 768, 1024, 1280, 1536]);
    }

    #[test]
    fn buckets_split_in_turn() {
        let mut linear = Linear::new(8192, 0.75, 0);
        let pairs: Vec<(u32, u32)> = (0..6).map(|_| linear.grow()).collect();
        assert_eq!(pairs, [(0, 2), (1, 3), (0, 4), (1, 5), (2, 6), (3, 7)]);
        assert!((0..1000).all(|hash| linear.bucket_of(hash) == hash % 8));
    }
}
