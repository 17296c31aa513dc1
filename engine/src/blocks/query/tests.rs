//! The structures of joins and sorts against figures of PostgreSQL 15, and against rows that are really carried.

use proptest::prelude::*;

use super::hash_table::{HashSpec, HashTable, Side, hash_value};
use super::spill::{BLOCK_BYTES, Extent, TempFile, TempSpace};
use super::tuplesort::{Phase, SortSpec, Tuplesort, Written, minimal_tuple_bytes};

fn sort(memory_kib: u64, tuple_bytes: u64) -> SortSpec {
    SortSpec { memory_bytes: memory_kib * 1024, tuple_bytes, limit: None, reread: false, spills: true }
}

/// All that a sort of so many rows writes, and the sort.
fn sorted(spec: SortSpec, rows: u64) -> (Tuplesort, Vec<Written>) {
    let mut sort = Tuplesort::new(spec);
    let mut written: Vec<Written> = (0..rows).filter_map(|_| sort.add()).collect();
    written.extend(sort.finish_input());
    while let Some(merged) = sort.merge() {
        written.push(merged);
    }
    (sort, written)
}

/// `trace_sort` and the buffers of EXPLAIN, rows of an int8 and a text of 20 or 50 characters.
#[test]
fn runs_passes_and_pages_are_those_of_postgres() {
    for (memory_kib, tuple_bytes, rows, passes, pages_written, pages_read) in [
        (64, 45, 100_000, &[(176, 6), (30, 6), (5, 5)][..], 1613, 1438),
        (256, 45, 100_000, &[(49, 6), (9, 6), (2, 2)], 1488, 1440),
        (1024, 45, 100_000, &[(10, 6), (2, 2)], 965, 956),
        (4096, 45, 100_000, &[(3, 3)], 481, 479),
        (256, 75, 500_000, &[(317, 6), (53, 6), (9, 6), (2, 2)], 17_202, 16_886),
        (4096, 75, 500_000, &[(16, 15), (2, 2)], 8_462, 8_447),
    ] {
        let (sort, written) = sorted(sort(memory_kib, tuple_bytes), rows);
        assert_eq!(sort.passes(), passes);
        let sum = |of: fn(&Written) -> u64| written.iter().map(of).sum::<u64>();
        let (all_written, all_read) = (
            sum(|one| one.blocks_written + one.filler_blocks),
            sum(|one| one.blocks_read) + sort.result_blocks(),
        );
        let near = |found: u64, expected: u64| found.abs_diff(expected) <= 2 + expected / 500;
        assert!(near(all_written, pages_written) && near(all_read, pages_read), "{all_written} {all_read}");
    }
}

#[test]
fn what_fits_stays_in_memory_and_the_first_rows_fit_always() {
    let (fits, written) = sorted(sort(4096, 48), 10_000);
    assert!(written.is_empty() && fits.passes().is_empty() && fits.phase() == Phase::Done);
    let top = SortSpec { limit: Some(10), ..sort(64, 48) };
    let (top, written) = sorted(top, 1_000_000);
    assert!(written.is_empty() && top.result_rows() == 10 && top.in_memory() == 10);
    // As many rows as do not fit are sorted like all others.
    let (_, written) = sorted(SortSpec { limit: Some(500_000), ..sort(64, 48) }, 1_000_000);
    assert!(written.len() > 1_000);
    let nowhere = SortSpec { spills: false, ..sort(64, 48) };
    let (nowhere, written) = sorted(nowhere, 100_000);
    assert!(written.is_empty() && nowhere.peak_bytes() > 100_000 * 48);
}

#[test]
fn what_is_read_again_is_merged_into_one_run() {
    let (once, _) = sorted(sort(256, 48), 50_000);
    let (again, written) = sorted(SortSpec { reread: true, ..sort(256, 48) }, 50_000);
    assert!(once.runs() > 1 && again.runs() == 1);
    assert_eq!(written.last().unwrap().rows, 50_000);
}

proptest! {
    /// Merges take every row along, a pass writes what the next reads, and no merge has more runs than tapes.
    #[test]
    fn no_row_is_lost_in_merges(
        memory_kib in 64u64..2_000,
        tuple_bytes in 24u64..2_000,
        rows in 0u64..200_000,
        reread: bool,
    ) {
        let spec = SortSpec { reread, ..sort(memory_kib, tuple_bytes) };
        let (sort, written) = sorted(spec, rows);
        let initial: u64 = written.iter().filter(|one| one.merged_runs == 0).map(|one| one.rows).sum();
        prop_assert!(initial == 0 || initial == rows);
        prop_assert_eq!(sort.rows(), rows);
        let blocks = |of: &dyn Fn(&Written) -> u64| written.iter().map(of).sum::<u64>();
        prop_assert_eq!(blocks(&|one| one.blocks_written), blocks(&|one| one.blocks_read) + sort.result_blocks());
        let most = sort.passes().iter().map(|pass| pass.1).max().unwrap_or(0);
        prop_assert!(written.iter().all(|one| one.merged_runs <= most));
        if initial > 0 {
            let least = rows * (tuple_bytes - 6) / BLOCK_BYTES;
            prop_assert!(sort.result_blocks() >= least, "{} {}", sort.result_blocks(), least);
        }
    }
}

fn hash(memory_kib: u64, inner_data: u32, outer_data: u32, rows: u64) -> HashSpec {
    HashSpec {
        memory_bytes: memory_kib * 1024,
        inner_tuple_bytes: minimal_tuple_bytes(inner_data),
        outer_tuple_bytes: minimal_tuple_bytes(outer_data),
        expected_rows: rows,
        grace: false,
        spills: true,
    }
}

/// Joins the values 0..inner with as many outer rows as stated for each: rows of the result, and each time a row went to a file.
fn join(spec: HashSpec, inner: u32, outer: u32) -> (HashTable, u64) {
    let mut table = HashTable::new(spec);
    (0..inner).for_each(|value| table.insert(hash_value(value)));
    table.end_build();
    let mut found = 0.0;
    for row in 0..outer {
        if table.probe(hash_value(row % inner.max(1)), 1.0) {
            found += 1.0;
        }
    }
    while table.next_batch().is_some() {
        table.take_rows(Side::Inner, u64::MAX);
        // In two helpings: what is left over is taken the second time.
        found += table.take_rows(Side::Outer, 5 * BLOCK_BYTES).1;
        found += table.take_rows(Side::Outer, u64::MAX).1;
    }
    (table, found.round() as u64)
}

/// `Buckets`, `Batches` and `Memory Usage` of EXPLAIN for tables with ids 1, 2, 3 ….
#[test]
fn batches_and_memory_are_those_of_postgres() {
    for (memory_kib, data, rows, planned, batches, buckets, peak_kib) in [
        (64, 112, 50_000, 128, 256, 512, 62),
        (256, 112, 50_000, 32, 32, 2_048, 247),
        (16_384, 112, 50_000, 1, 1, 65_536, 7_544),
        (64, 112, 100_000, 256, 512, 512, 61),
        (256, 112, 100_000, 64, 128, 2_048, 241),
        (1_024, 216, 20_000, 8, 8, 4_096, 633),
    ] {
        let (table, _) = join(hash(memory_kib, data, 64, rows), rows as u32, rows as u32);
        assert_eq!((table.planned_batches(), table.batches(), table.buckets()), (planned, batches, buckets));
        assert_eq!(table.peak_bytes().div_ceil(1024), peak_kib);
    }
}

proptest! {
    /// However often batches double, each outer row meets its match once; and rows do not pile up in memory while it may grow.
    #[test]
    fn every_row_meets_its_match_once(
        memory_kib in 64u64..512,
        inner in 1u32..30_000,
        outer in 0u32..30_000,
        planned_part in 1u64..20,
        grace: bool,
    ) {
        // The rows expected are fewer than those that come.
        let spec = HashSpec { grace, ..hash(memory_kib, 100, 60, u64::from(inner) / planned_part) };
        let (table, found) = join(spec, inner, outer);
        prop_assert_eq!(found, u64::from(outer));
        prop_assert!(table.batches() >= table.planned_batches());
        prop_assert!(table.batches().is_power_of_two());
    }
}

#[test]
fn one_value_alone_cannot_be_split() {
    let mut table = HashTable::new(hash(64, 100, 60, 10));
    (0..10_000).for_each(|_| table.insert(hash_value(7)));
    table.end_build();
    assert_eq!(table.batches(), 2, "it tries once");
    let mut rows = table.here_rows();
    while table.next_batch().is_some() {
        rows += table.take_rows(Side::Inner, u64::MAX).0;
    }
    assert_eq!(rows, 10_000);
}

#[test]
fn grace_writes_all_of_both_sides() {
    let inner = 20_000;
    let written = |grace| {
        let (table, _) = join(HashSpec { grace, ..hash(256, 100, 60, u64::from(inner)) }, inner, inner);
        table.saved_rows()
    };
    assert_eq!(written(true), 2 * u64::from(inner));
    assert!(written(false) < 2 * u64::from(inner));
}

proptest! {
    /// What was written to a file is read from it, in extents that no other file has meanwhile.
    #[test]
    fn files_give_back_what_they_took(appends in prop::collection::vec((0usize..3, 1u64..400_000), 0..60)) {
        let (mut space, mut files) = (TempSpace::default(), vec![TempFile::default(); 3]);
        let mut written: Vec<Vec<Extent>> = vec![Vec::new(); 3];
        let mut bytes = [0; 3];
        for (file, more) in appends {
            files[file].append(more);
            bytes[file] += more;
            while let Some(extent) = files[file].write(true, &mut space) {
                written[file].push(extent);
            }
        }
        for file in 0..3 {
            written[file].extend(files[file].write(false, &mut space));
        }
        let mut taken: Vec<u32> = written.iter().flatten().map(|extent| extent.page).collect();
        taken.sort_unstable();
        prop_assert!(taken.windows(2).all(|pair| pair[1] >= pair[0] + 16));
        for file in 0..3 {
            let read: Vec<Extent> = std::iter::from_fn(|| files[file].read(&mut space)).collect();
            prop_assert_eq!(&read, &written[file]);
            let pages: u64 = read.iter().map(|extent| u64::from(extent.pages)).sum();
            prop_assert_eq!(pages, u64::div_ceil(bytes[file], BLOCK_BYTES));
        }
    }
}
