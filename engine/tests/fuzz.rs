//! Typed, bounded designs and workloads of every shape: none may panic, hang or tell figures that cannot be.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod cases;
mod common;

use cases::{case, runs_to_its_end};
use proptest::prelude::*;

/// How many cases each of the four parts runs that go side by side: ten thousand in all, unless the variable says more.
#[allow(clippy::disallowed_methods, reason = "a test has no other arguments")]
fn cases_a_part() -> u32 {
    let asked = std::env::var("FUZZ_CASES").ok().and_then(|cases| cases.parse::<u32>().ok());
    asked.unwrap_or(10_000).div_ceil(4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases_a_part()))]

    #[test]
    fn whatever_is_valid_runs_to_its_end(case in case()) {
        runs_to_its_end(case)?;
    }

    #[test]
    fn whatever_is_valid_runs_to_its_end_2(case in case()) {
        runs_to_its_end(case)?;
    }

    #[test]
    fn whatever_is_valid_runs_to_its_end_3(case in case()) {
        runs_to_its_end(case)?;
    }

    #[test]
    fn whatever_is_valid_runs_to_its_end_4(case in case()) {
        runs_to_its_end(case)?;
    }
}
