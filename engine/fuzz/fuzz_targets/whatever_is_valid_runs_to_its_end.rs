//! The cases of `tests/fuzz.rs`, drawn from the fuzzer's bytes instead of random ones.
#![no_main]
#![allow(clippy::unwrap_used, reason = "a fuzz target stops at the first surprise")]

#[path = "../../tests/cases/mod.rs"]
mod cases;
#[path = "../../tests/common/mod.rs"]
mod common;

use libfuzzer_sys::fuzz_target;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// What a case draws at most, generously: few kilobytes.
const TAIL_BYTES: usize = 1 << 15;

fuzz_target!(|bytes: &[u8]| {
    // Where they end others follow: behind its last byte the generator would be given zeros for ever, and a draw that rejects
    // a zero would wait for ever.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let tail = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    let drawn: Vec<u8> = bytes.iter().copied().chain(tail.take(TAIL_BYTES)).collect();
    let random = TestRng::from_seed(RngAlgorithm::PassThrough, &drawn);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    if let Ok(tree) = cases::case().new_tree(&mut runner) {
        cases::runs_to_its_end(tree.current()).unwrap();
    }
});
