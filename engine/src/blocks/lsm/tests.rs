//! The tree against a sorted map, with small buffers so that every policy runs often.

use super::*;
use crate::plan::BloomKind;
use proptest::prelude::*;
use std::collections::BTreeMap;

const UNIVERSE: u32 = 400;

fn spec(compaction: CompactionKind, dynamic_level_bytes: bool, bloom: BloomKind) -> LsmSpec {
    LsmSpec {
        table: "main".to_owned(),
        page_size_bytes: 4096,
        compaction,
        write_buffer_bytes: 4_096,
        max_memtables: 2,
        target_file_bytes: 8_192,
        level_base_bytes: 16_384,
        size_ratio: 3.0,
        levels: 5,
        dynamic_level_bytes,
        level0_trigger_files: 3,
        slowdown_files: 20,
        stop_files: 36,
        delayed_write_mb_s: 16.0,
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
    let ids: Vec<u32> = lsm.levels[0].iter().map(|file| file.id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] > pair[1]) || lsm.spec.compaction == CompactionKind::Universal);
}

fn kinds() -> impl Strategy<Value = LsmSpec> {
    prop_oneof![
        Just(spec(CompactionKind::Leveled, false, BloomKind::None)),
        Just(spec(CompactionKind::Leveled, true, BloomKind::Uniform)),
        Just(spec(CompactionKind::Universal, false, BloomKind::Monkey)),
        Just(spec(CompactionKind::LevelDb, false, BloomKind::Uniform)),
    ]
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
        let mut compaction = None;
        for (number, (rank, deleted)) in writes.iter().enumerate() {
            lsm.put(*rank, *deleted);
            model.insert(*rank, !deleted);
            lsm.seal_full();
            if interleaved {
                // A flush comes in between the begin and the end of a compaction.
                if compaction.is_none() {
                    compaction = lsm.begin_compaction();
                }
                if let Some(job) = lsm.begin_flush() {
                    lsm.finish(job);
                    check(&mut lsm, &model);
                }
                if let Some(job) = compaction.take_if(|_| number % 7 == 0) {
                    lsm.finish(job);
                    check(&mut lsm, &model);
                }
            } else {
                lsm.settle();
            }
        }
        compaction.into_iter().for_each(|job| lsm.finish(job));
        check(&mut lsm, &model);
        lsm.flush_all();
        check(&mut lsm, &model);
        prop_assert!(lsm.begin_compaction().is_none());
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
            lsm.settle();
        }
        let expected: Vec<u32> =
            model.range(rank..).filter(|(_, live)| **live).map(|(rank, _)| *rank).take(rows as usize).collect();
        let mut pages = Vec::new();
        let (count, last) = lsm.range(rank, rows, false, &mut pages);
        prop_assert_eq!(count as usize, expected.len());
        if let Some(expected) = expected.last() {
            prop_assert_eq!(last, *expected);
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
        while let Some(job) = lsm.begin_flush().or_else(|| lsm.begin_compaction()) {
            let expected = lsm.sst_bytes() + job.write_bytes - job.read_bytes;
            lsm.finish(job);
            assert_eq!(lsm.sst_bytes(), expected);
            jobs += 1;
        }
    }
    assert!(jobs > 30, "{jobs}");
}
