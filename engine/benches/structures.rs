//! Single structures of the engine, an item each: `cargo bench -p engine --features bench --bench structures`.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use engine::bench::{PolicyRun, TreeRun, accesses, calendar_turns, histogram_records, zipf_draws};

const ACCESSES: u32 = 1_000_000;

fn main() {
    divan::main();
}

/// Zipf over 100,000 pages, a tenth of them in frames.
#[divan::bench(args = ["lru", "clock", "sieve"], sample_count = 10)]
fn policy(bencher: Bencher<'_, '_>, policy: &str) {
    let pages = accesses(100_000, ACCESSES);
    let mut run = PolicyRun::new(policy, 10_000, 100_000);
    run.access(&pages);
    bencher.counter(ItemsCount::new(ACCESSES)).bench_local(|| run.access(black_box(&pages)));
}

#[divan::bench(args = [1_000_000, 10_000_000], sample_count = 10)]
fn tree_search(bencher: Bencher<'_, '_>, keys: u32) {
    let ranks = accesses(keys, ACCESSES);
    let tree = TreeRun::inserted(keys);
    bencher
        .counter(ItemsCount::new(ACCESSES))
        .bench_local(|| tree.as_ref().map(|tree| tree.search(black_box(&ranks))));
}

#[divan::bench(args = [1_000_000, 10_000_000], sample_count = 3)]
fn tree_insert(bencher: Bencher<'_, '_>, keys: u32) {
    bencher
        .counter(ItemsCount::new(keys))
        .bench_local(|| TreeRun::inserted(black_box(keys)).map(|tree| tree.leaves()));
}

#[divan::bench(args = [1_000_000, 100_000_000], sample_count = 10)]
fn zipf(bencher: Bencher<'_, '_>, ranks: u64) {
    bencher
        .counter(ItemsCount::new(ACCESSES))
        .bench_local(|| zipf_draws(black_box(ranks), u64::from(ACCESSES)));
}

#[divan::bench(args = [1, 8, 64, 1024], sample_count = 10)]
fn calendar(bencher: Bencher<'_, '_>, clients: u32) {
    bencher
        .counter(ItemsCount::new(ACCESSES))
        .bench_local(|| calendar_turns(black_box(clients), u64::from(ACCESSES)));
}

#[divan::bench(sample_count = 10)]
fn histogram(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(ACCESSES))
        .bench_local(|| histogram_records(black_box(u64::from(ACCESSES))));
}
