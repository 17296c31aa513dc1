//! The tree against a sorted map, with small buffers so that every policy runs often.

use super::*;
use crate::Control;
use crate::plan::BloomKind;
use proptest::prelude::*;
use std::collections::BTreeMap;

const UNIVERSE: u32 = 400;

pub(super) fn spec(compaction: CompactionKind, dynamic_level_bytes: bool, bloom: BloomKind) -> LsmSpec {
    LsmSpec {
        table: "main".to_owned(),
        page_size_bytes: 4096,
        compaction,
        write_buffer_bytes: 4_096,
        max_memtables: 2,
        max_background_jobs: 2,
        target_file_bytes: 8_192,
        level_base_bytes: 16_384,
        size_ratio: 3.0,
        levels: 5,
        dynamic_level_bytes,
        level0_trigger_files: 3,
        slowdown_files: 20,
        stop_files: 36,
        delayed_write_mb_s: 16.0,
        soft_pending_bytes: 1e12,
        hard_pending_bytes: 1e12,
        min_blob_bytes: None,
        blob_gc_age_cutoff: 0.3,
        universal_size_ratio_percent: 1,
        max_size_amplification_percent: 200,
        bloom,
        bloom_bits: 10.0,
        settled: true,
        build: crate::plan::LsmBuild::Empty,
        load_puts: None,
        pages: 0,
        log: None,
    }
}

/// A file of these ranks that counts as so many bytes.
pub(super) fn file(ranks: std::ops::Range<u32>, bytes: u64) -> SstFile {
    let encoding = Lsm::new(spec(CompactionKind::Leveled, false, BloomKind::None), 8, 60, UNIVERSE).encoding;
    let layout = encoding.layout(ranks.len() as u64, 0, ranks.len() as u64);
    SstFile {
        id: 0,
        first_page: 0,
        ranks: ranks.collect(),
        deleted: Vec::new(),
        blobs: Vec::new(),
        busy: false,
        flushed: true,
        bytes,
        layout,
        false_positive: 1.0,
    }
}

fn check(lsm: &mut Lsm, model: &BTreeMap<u32, bool>) {
    let live = |rank: u32| model.get(&rank) == Some(&true);
    for rank in 0..UNIVERSE {
        let mut pages = Vec::new();
        let lookup = lsm.get(rank, false, &mut pages);
        assert_eq!(lsm.is_live(rank), live(rank), "{rank}");
        assert_eq!(
            matches!(lookup.found, Found::Memtable | Found::Level(_)),
            live(rank),
            "{rank}: {lookup:?}"
        );
        // The place a search ends at is the newest that has the key.
        if let Found::Level(level) = lookup.found {
            let above = lsm.levels[..level].iter().flatten();
            assert!(above.filter(|file| file.ranks.binary_search(&rank).is_ok()).count() == 0);
        }
    }
    assert_eq!(lsm.live_keys(), model.values().filter(|live| **live).count() as u64);
    for files in &lsm.levels[1..] {
        assert!(
            files.windows(2).all(|pair| pair[0].largest() < pair[1].smallest()),
            "a level overlaps itself"
        );
    }
    // Each value that a table file refers to is in a blob file, and no other is counted there.
    let referred = lsm.levels.iter().flatten().flat_map(|file| &file.blobs);
    assert_eq!(lsm.blobs.live_values(), referred.filter(|blob| **blob != blob::NONE).count() as u64);
    let ids: Vec<u32> = lsm.levels[0].iter().map(|file| file.id).collect();
    assert!(
        ids.windows(2).all(|pair| pair[0] > pair[1])
            || matches!(lsm.spec.compaction, CompactionKind::Universal | CompactionKind::LazyLeveled)
    );
}

fn kinds() -> impl Strategy<Value = LsmSpec> {
    prop_oneof![
        Just(spec(CompactionKind::Leveled, false, BloomKind::None)),
        Just(spec(CompactionKind::Leveled, true, BloomKind::Uniform)),
        Just(LsmSpec { max_background_jobs: 8, ..spec(CompactionKind::Leveled, false, BloomKind::None) }),
        Just(spec(CompactionKind::Universal, false, BloomKind::Monkey)),
        Just(spec(CompactionKind::LevelDb, false, BloomKind::Uniform)),
        Just(spec(CompactionKind::LazyLeveled, false, BloomKind::Uniform)),
    ]
    .prop_flat_map(|spec| {
        let separated = [None, Some(10)].map(|least| LsmSpec { min_blob_bytes: least, ..spec.clone() });
        prop::sample::select(separated.to_vec())
    })
}

impl Lsm {
    fn unlimited<T>(&mut self, work: impl FnOnce(&mut Self, Limits<'_>) -> Result<T, StopCause>) -> T {
        let control = Control::default();
        work(self, Limits { control: &control, memory_bytes: u64::MAX }).unwrap()
    }

    fn flush(&mut self) -> Option<Job> {
        self.unlimited(|lsm, limits| lsm.begin_flush(limits))
    }

    fn compaction(&mut self) -> Option<Job> {
        self.unlimited(|lsm, limits| lsm.begin_compaction(limits))
    }

    fn settled(&mut self) {
        self.unlimited(|lsm, limits| lsm.settle(limits));
    }

    fn flushed(&mut self) {
        self.unlimited(|lsm, limits| lsm.flush_all(limits));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_read_sees_the_newest_write(
        spec in kinds(),
        writes in proptest::collection::vec((0..UNIVERSE, proptest::bool::weighted(0.15)), 1..1_500),
        interleaved: bool,
    ) {
        let mut lsm = Lsm::new(spec, 8, 60, UNIVERSE);
        let mut model = BTreeMap::new();
        let mut running: Vec<Job> = Vec::new();
        for (number, (rank, deleted)) in writes.iter().enumerate() {
            lsm.put(*rank, *deleted);
            model.insert(*rank, !deleted);
            lsm.seal_full();
            if interleaved {
                // A flush comes in between the begin and the end of a compaction.
                while let Some(job) = lsm.compaction() {
                    running.push(job);
                }
                if let Some(job) = lsm.flush() {
                    lsm.finish(job);
                    check(&mut lsm, &model);
                }
                if number % 7 == 0 && !running.is_empty() {
                    lsm.finish(running.remove(number / 7 % running.len()));
                    check(&mut lsm, &model);
                }
            } else {
                lsm.settled();
            }
        }
        running.into_iter().for_each(|job| lsm.finish(job));
        check(&mut lsm, &model);
        lsm.flushed();
        check(&mut lsm, &model);
        prop_assert!(lsm.compaction().is_none());
    }

    #[test]
    fn ranges_count_live_keys_and_read_each_block_once(
        spec in kinds(),
        writes in proptest::collection::vec((0..UNIVERSE, proptest::bool::weighted(0.1)), 200..900),
        rank in 0..UNIVERSE,
        rows in 1u32..60,
    ) {
        let mut lsm = Lsm::new(spec, 8, 60, UNIVERSE);
        let mut model = BTreeMap::new();
        for (rank, deleted) in writes {
            lsm.put(rank, deleted);
            model.insert(rank, !deleted);
            lsm.seal_full();
            lsm.settled();
        }
        let expected: Vec<u32> =
            model.range(rank..).filter(|(_, live)| **live).map(|(rank, _)| *rank).take(rows as usize).collect();
        let mut pages = Vec::new();
        let (count, last) = lsm.range(rank, rows, false, &mut pages);
        prop_assert_eq!(count as usize, expected.len());
        if let Some(expected) = expected.last() {
            prop_assert_eq!(last, *expected);
        }
        if lsm.blobs.are_used() {
            // Values are read one by one, also two of one page.
            return Ok(());
        }
        // Two halves read what the whole reads.
        let mut halves = Vec::new();
        let (first, middle) = lsm.range(rank, rows.div_ceil(2), false, &mut halves);
        if first == rows.div_ceil(2) && rows > 1 && middle + 1 < UNIVERSE {
            lsm.range(middle + 1, rows - first, true, &mut halves);
            for list in [&mut pages, &mut halves] {
                list.sort_unstable();
                let before = list.len();
                list.dedup();
                prop_assert_eq!(before, list.len(), "a block is read twice");
            }
            prop_assert!(halves.iter().all(|page| pages.contains(page)));
        }
    }
}

#[test]
fn a_job_moves_as_many_bytes_as_the_levels_gain_and_lose() {
    let mut lsm = Lsm::new(spec(CompactionKind::Leveled, false, BloomKind::None), 8, 60, UNIVERSE);
    let mut jobs = 0;
    for number in 0..4_000u32 {
        lsm.put(number.wrapping_mul(2_654_435_761) % UNIVERSE, false);
        lsm.seal_full();
        while let Some(job) = lsm.flush().or_else(|| lsm.compaction()) {
            let expected = lsm.sst_bytes() + job.write_bytes - job.read_bytes;
            lsm.finish(job);
            assert_eq!(lsm.sst_bytes(), expected);
            jobs += 1;
        }
    }
    assert!(jobs > 30, "{jobs}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_key_is_found_wherever_it_lies(
        ranks in proptest::collection::btree_set(prop_oneof![0u32..3_000, 0u32..2_000_000, Just(u32::MAX)], 1..1_000),
        asked in proptest::collection::vec(prop_oneof![0u32..3_100, 0u32..2_000_000, Just(u32::MAX)], 1..100),
    ) {
        let ranks: Vec<u32> = ranks.into_iter().collect();
        let file = SstFile { ranks, ..file(0..1, 1) };
        for rank in asked.into_iter().chain(file.ranks.iter().copied().take(50)) {
            prop_assert_eq!(file.position(rank), file.ranks.partition_point(|other| *other < rank));
        }
    }
}

#[test]
fn filters_err_as_often_as_their_formula_says() {
    for (bits, probability) in [(5.0, 0.0918), (10.0, 0.0082)] {
        let spec = LsmSpec { bloom_bits: bits, ..spec(CompactionKind::Leveled, false, BloomKind::Uniform) };
        let spec = LsmSpec { write_buffer_bytes: 1 << 20, target_file_bytes: 1 << 20, ..spec };
        let mut lsm = Lsm::new(spec, 8, 60, 400_000);
        // Every tenth key, in one file.
        (0..5_000).for_each(|rank| lsm.put(rank * 10, false));
        lsm.flushed();
        assert_eq!(lsm.level_sizes().iter().map(|(files, _)| files).sum::<usize>(), 1);
        let mut pages = Vec::new();
        let asked = (0..49_990).filter(|rank| rank % 10 != 0);
        let errors: u64 =
            asked.clone().map(|rank| lsm.get(rank, false, &mut pages).bloom_false_positives).sum();
        let share = errors as f64 / asked.count() as f64;
        assert!((share / probability - 1.0).abs() < 0.1, "{bits} bits: {share}");
        assert_eq!(pages.len() as u64, errors);
    }
}

#[test]
fn lazy_leveling_keeps_one_last_run_and_fewer_than_a_ratio_of_runs_a_tier() {
    let mut lsm = Lsm::new(spec(CompactionKind::LazyLeveled, false, BloomKind::None), 8, 60, 100_000);
    let mut most = 0;
    for number in 0..60_000u32 {
        lsm.put(number.wrapping_mul(2_654_435_761) % 100_000, false);
        if lsm.is_full() {
            lsm.seal_full();
            lsm.settled();
            let sizes = lsm.level_sizes();
            most = most.max(sizes[0].0 + sizes[1..].iter().filter(|(files, _)| *files > 0).count());
        }
    }
    // Tiers below the last level: 3 ^ 6 flushes are more than there were; each has at most two runs at rest.
    assert!((4..=13).contains(&most), "{most}");
    let sizes = lsm.level_sizes();
    let last = sizes[sizes.len() - 1].1;
    assert!(2 * last > lsm.sst_bytes(), "{sizes:?}");
}

#[test]
fn separated_values_are_written_once_and_read_with_one_block_more() {
    let base = LsmSpec { levels: 4, ..spec(CompactionKind::Leveled, false, BloomKind::None) };
    let spec = LsmSpec {
        write_buffer_bytes: 1 << 18,
        target_file_bytes: 1 << 18,
        level_base_bytes: 1 << 19,
        ..base
    };
    let load = |least: Option<u32>, cutoff: f64| {
        let spec = LsmSpec { min_blob_bytes: least, blob_gc_age_cutoff: cutoff, ..spec.clone() };
        let mut lsm = Lsm::new(spec, 16, 1_000, 20_000);
        let mut written = 0;
        for number in 0..60_000u32 {
            lsm.put(number.wrapping_mul(2_654_435_761) % 20_000, false);
            lsm.seal_full();
            while let Some(job) = lsm.flush().or_else(|| lsm.compaction()) {
                written += job.write_bytes;
                lsm.finish(job);
            }
        }
        lsm.flushed();
        (lsm, written)
    };
    let (mut inline, inline_written) = load(None, 0.0);
    let (mut apart, apart_written) = load(Some(1_000), 0.0);
    // Values are as large as asked for, and not larger: they stay inline.
    let (above, above_written) = load(Some(1_001), 0.0);
    assert_eq!((above.blob_sizes().0, above_written), (0, inline_written));
    assert!(3 * apart_written < inline_written, "{apart_written} {inline_written}");
    let reads = |lsm: &mut Lsm| {
        let mut pages = Vec::new();
        let mut in_files = |rank: &u32| matches!(lsm.get(*rank, false, &mut pages).found, Found::Level(_));
        let values = (0..1_000).filter(&mut in_files).count();
        (pages.len() as f64 / values as f64, values)
    };
    let ((inline_blocks, values), (blocks, _)) = (reads(&mut inline), reads(&mut apart));
    assert!(values > 900);
    // Fewer files of keys have to be searched, and each value is one block (or two, where it crosses a border) more.
    assert!((2.0..inline_blocks + 1.4).contains(&blocks), "{blocks} {inline_blocks}");
    // What was overwritten is garbage until its file is collected.
    let (collected, collected_written) = load(Some(1_000), 0.5);
    assert!(collected.blob_sizes().1 < apart.blob_sizes().1);
    assert!(collected_written > apart_written);
}
