//! `parameters.key` of an operation: the name of a distribution, or an object with a distribution and its constants.
//!
//! | `distribution` | fields |
//! |---|---|
//! | `zipfian` | `theta`; `hot_keys`: `scattered` (default) or `first`, where the n-th loaded record has rank n |
//! | `zipfian_with_scans` | `theta`, `scan_every`, `scan_rows`, `scan_region`: after every `scan_every` operations that draw, the next `scan_rows` go through the last `scan_region` records of the table one by one, and begin again at its end |
//! | `zipfian_with_loop` | `theta`, `zipfian_fraction`, `loop_rows`: with that probability a draw, else the next of the last `loop_rows` records in a loop |
//! | `shifting_zipfian` | `theta`, `shift_every`, `shift_rows`: after every `shift_every` operations each popularity moves on by `shift_rows` records |
//! | `nurand` | `a`; `c`: drawn from the seed when absent; `first`: the smallest value, 1 when absent; `values`: into how many equal parts the records fall, one a record when absent (TPC-C 2.1.6) |
//! | `sysbench_special`, `sysbench_pareto` | sysbench's, with its default constants |
//!
//! An object with `of` draws among the records that belong to one chosen before (`workload/part.rs`).
//!
//! Absent, `theta` is that of the config. The draws of the second and third kind go to the records before their region.

use serde_json::Value;

use super::read::{DISTRIBUTIONS, wrong_parameter};
use super::{Config, Distribution, defaults};
use crate::design::reader::Fields;
use crate::design::{Code, Diagnostic};

/// How an operation draws its keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum KeyLaw {
    /// With the constants of the config.
    Named(Distribution),
    Zipfian {
        theta: f64,
        scattered: bool,
    },
    ZipfianWithScans {
        theta: f64,
        scan_every: u64,
        scan_rows: u64,
        scan_region: u64,
    },
    ZipfianWithLoop {
        theta: f64,
        zipfian_fraction: f64,
        loop_rows: u64,
    },
    ShiftingZipfian {
        theta: f64,
        shift_every: u64,
        shift_rows: u64,
    },
    /// TPC-C's. A `c` of none is drawn from the seed, `values` of none are as many as there are records.
    NuRand {
        a: u64,
        c: Option<u64>,
        first: u64,
        values: Option<u64>,
    },
    SysbenchSpecial,
    SysbenchPareto,
}

impl KeyLaw {
    /// Records at the end of the table that the draws leave alone.
    pub(crate) fn region(self) -> u64 {
        match self {
            Self::ZipfianWithScans { scan_region, .. } => scan_region,
            Self::ZipfianWithLoop { loop_rows, .. } => loop_rows,
            _ => 0,
        }
    }
}

const MAX_NURAND: u64 = 1 << 40;
const NURAND_RANGE: &str = "from 0 to 1099511627775";

#[derive(Clone, Copy)]
enum Kind {
    Named(Distribution),
    WithScans,
    WithLoop,
    Shifting,
    NuRand,
    Special,
    Pareto,
}

/// Reads a key law; what is wrong with it is told in `found`.
pub(super) fn read(
    value: &Value,
    path: Vec<String>,
    config: &Config,
    found: &mut Vec<Diagnostic>,
) -> Option<KeyLaw> {
    let fields = Fields::of(value, path, found)?;
    let mut kinds: Vec<(&'static str, Kind)> =
        DISTRIBUTIONS.iter().map(|(word, law)| (*word, Kind::Named(*law))).collect();
    kinds.extend([
        ("zipfian_with_scans", Kind::WithScans),
        ("zipfian_with_loop", Kind::WithLoop),
        ("shifting_zipfian", Kind::Shifting),
        ("nurand", Kind::NuRand),
        ("sysbench_special", Kind::Special),
        ("sysbench_pareto", Kind::Pareto),
    ]);
    let before = found.len();
    fields.required("distribution", found);
    let kind = fields.optional_choice("distribution", &kinds, found)?;
    let theta =
        fields.optional_number("theta", found).or(config.zipfian_theta).unwrap_or(defaults::ZIPFIAN_THETA);
    rule(&fields, "theta", (0.0..=5.0).contains(&theta), "from 0 to 5", found);
    let mut rows = |name: &'static str| {
        let rows: u64 = fields.whole(name, found).unwrap_or(1);
        rule(&fields, name, (1..=1_000_000_000).contains(&rows), "from 1 to 1000000000", found);
        rows
    };
    let (law, known): (KeyLaw, &[&str]) = match kind {
        Kind::Named(Distribution::Zipfian) => {
            let words = [("scattered", true), ("first", false)];
            let scattered = fields.optional_choice("hot_keys", &words, found).unwrap_or(true);
            (KeyLaw::Zipfian { theta, scattered }, &["distribution", "theta", "hot_keys"])
        }
        Kind::Named(law) => (KeyLaw::Named(law), &["distribution"]),
        Kind::WithScans => {
            let (scan_every, scan_rows, scan_region) =
                (rows("scan_every"), rows("scan_rows"), rows("scan_region"));
            let known = &["distribution", "theta", "scan_every", "scan_rows", "scan_region"];
            (KeyLaw::ZipfianWithScans { theta, scan_every, scan_rows, scan_region }, known)
        }
        Kind::WithLoop => {
            let loop_rows = rows("loop_rows");
            let zipfian_fraction = fields.number("zipfian_fraction", found).unwrap_or(0.0);
            let holds = (0.0..=1.0).contains(&zipfian_fraction);
            rule(&fields, "zipfian_fraction", holds, "from 0 to 1", found);
            let known = &["distribution", "theta", "zipfian_fraction", "loop_rows"];
            (KeyLaw::ZipfianWithLoop { theta, zipfian_fraction, loop_rows }, known)
        }
        Kind::Shifting => {
            let (shift_every, shift_rows) = (rows("shift_every"), rows("shift_rows"));
            let known = &["distribution", "theta", "shift_every", "shift_rows"];
            (KeyLaw::ShiftingZipfian { theta, shift_every, shift_rows }, known)
        }
        Kind::NuRand => {
            let a = fields.whole("a", found).unwrap_or(0);
            let (c, values): (Option<u64>, Option<u64>) =
                (fields.optional_whole("c", found), fields.optional_whole("values", found));
            let first = fields.optional_whole("first", found).unwrap_or(1);
            rule(&fields, "a", a < MAX_NURAND, NURAND_RANGE, found);
            rule(&fields, "c", c.is_none_or(|c| c <= a), "from 0 to a", found);
            rule(&fields, "first", first < MAX_NURAND, NURAND_RANGE, found);
            let holds = values.is_none_or(|values| (1..MAX_NURAND).contains(&values));
            rule(&fields, "values", holds, "from 1 to 1099511627775", found);
            (KeyLaw::NuRand { a, c, first, values }, &["distribution", "a", "c", "first", "values"])
        }
        Kind::Special => (KeyLaw::SysbenchSpecial, &["distribution"]),
        Kind::Pareto => (KeyLaw::SysbenchPareto, &["distribution"]),
    };
    fields.reject_unknown(known, found);
    (found.len() == before).then_some(law)
}

pub(super) fn rule(fields: &Fields<'_>, name: &str, holds: bool, message: &str, found: &mut Vec<Diagnostic>) {
    if !holds {
        let problem = wrong_parameter(fields.path_of(name), format!("\"{name}\" must be {message}"));
        found.push(Diagnostic { code: Code::ValueOutOfRange, ..problem });
    }
}
