//! How far flushes and compactions are behind, and what writers do about it.

use super::file::{Levels, bytes};
use super::leveled;
use crate::plan::{CompactionKind, LsmSpec};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pressure {
    None,
    /// Writes are delayed.
    Slow,
    /// Writes wait for a compaction.
    Stop,
}

impl Pressure {
    /// From files of level 0 and, for leveled compaction, from bytes still to be compacted.
    pub(super) fn of(spec: &LsmSpec, levels: &Levels) -> Self {
        let files = match spec.compaction {
            // Merged runs of any size lie there too, and they are no backlog.
            CompactionKind::LazyLeveled => levels[0].iter().filter(|file| file.flushed).count(),
            _ => levels[0].len(),
        };
        let pending_bytes = match spec.compaction {
            CompactionKind::Leveled => pending_bytes(spec, levels),
            _ => 0.0,
        };
        if files >= spec.stop_files as usize || pending_bytes >= spec.hard_pending_bytes {
            Pressure::Stop
        } else if files >= spec.slowdown_files as usize || pending_bytes >= spec.soft_pending_bytes {
            Pressure::Slow
        } else {
            Pressure::None
        }
    }
}

/// RocksDB's estimate (`EstimateCompactionBytesNeeded`): what is above a level's target is merged with as much of the next level
/// as the sizes of the two say, and is then part of that level.
fn pending_bytes(spec: &LsmSpec, levels: &Levels) -> f64 {
    let (base_level, targets) = leveled::targets(spec, levels);
    let last = levels.len() - 1;
    let size = |level: usize| bytes(&levels[level]) as f64;
    let mut moving = 0.0;
    let mut pending = 0.0;
    if levels[0].len() >= spec.level0_trigger_files as usize {
        moving = size(0);
        pending = moving + size(base_level);
    }
    for (level, target) in targets.iter().enumerate().take(last).skip(base_level) {
        let here = size(level) + moving;
        moving = (here - target).max(0.0);
        if moving > 0.0 {
            pending += moving * (size(level + 1) / here + 1.0);
        }
    }
    pending
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, spec};
    use super::*;
    use crate::plan::BloomKind;

    #[test]
    fn pending_bytes_are_what_is_above_the_targets_and_what_it_meets() {
        let mut spec = spec(CompactionKind::Leveled, false, BloomKind::None);
        (spec.level_base_bytes, spec.size_ratio, spec.level0_trigger_files) = (1_000, 10.0, 2);
        let mut levels: Levels = vec![Vec::new(); 4];
        levels[1] = vec![file(0..10, 1_500)];
        levels[2] = vec![file(0..10, 3_000)];
        // 500 above the target meet twice as much for each byte.
        assert_eq!(pending_bytes(&spec, &levels), 500.0 * 3.0);
        levels[0] = vec![file(0..10, 200), file(0..10, 200)];
        let below = 900.0 * (3_000.0 / 1_900.0 + 1.0);
        assert!((pending_bytes(&spec, &levels) - (400.0 + 1_500.0 + below)).abs() < 1e-9);
        (spec.soft_pending_bytes, spec.hard_pending_bytes) = (1_000.0, 10_000.0);
        assert_eq!(Pressure::of(&spec, &levels), Pressure::Slow);
        spec.hard_pending_bytes = 2_000.0;
        assert_eq!(Pressure::of(&spec, &levels), Pressure::Stop);
    }
}
