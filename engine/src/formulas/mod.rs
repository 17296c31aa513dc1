//! Closed forms beside what was simulated. Where theory gives a figure, or a bound, a report tells both, whether the theory's
//! assumptions hold for the run, and whether the two agree. A disagreement where they hold is a warning: the model, the run or the
//! formula is not what one thinks.
//!
//! A family of formulas is a file: pure functions, each with its source, and what of a run they are compared with.

pub mod cache;
pub mod log;
pub mod lsm;
pub mod network;
pub mod queue;
pub mod tree;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Workload;
use crate::kernel::program::Program;
use crate::plan::{BlockIndex, Plan};
use crate::report::{BlockResult, LatencyShare, Percentile, Report, Warning};

/// What a formula says of the simulated value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Relation {
    Equal,
    AtMost,
    AtLeast,
}

/// A closed form beside its simulated value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormulaCheck {
    /// `lru_hit_ratio`, `mean_wait_ms` …
    pub name: String,
    /// The formula and who it is from.
    pub source: String,
    pub block_id: Option<String>,
    pub relation: Relation,
    pub formula_value: f64,
    pub simulated_value: f64,
    /// The simulated value over the formula's, less 1.
    pub relative_difference: f64,
    /// How far they may lie apart, as `relative_difference`: what the approximation leaves out and what so few samples cannot tell.
    pub tolerance: f64,
    /// Whether what the formula assumes holds for this run.
    pub valid: bool,
    /// The first assumption that does not hold.
    pub why_not: Option<String>,
    /// Whether the values agree, valid or not.
    pub agrees: bool,
}

impl FormulaCheck {
    /// Absent where one of the values is no positive number: there is nothing to compare then.
    fn new(
        name: &str,
        source: &str,
        relation: Relation,
        formula_value: f64,
        simulated_value: f64,
        tolerance: f64,
    ) -> Option<Self> {
        let relative_difference = simulated_value / formula_value - 1.0;
        let comparable = formula_value > 0.0
            && simulated_value >= 0.0
            && relative_difference.is_finite()
            && tolerance.is_finite();
        comparable.then(|| Self {
            name: name.to_owned(),
            source: source.to_owned(),
            block_id: None,
            relation,
            formula_value,
            simulated_value,
            relative_difference,
            tolerance,
            valid: true,
            why_not: None,
            agrees: match relation {
                Relation::Equal => libm::fabs(relative_difference) <= tolerance,
                Relation::AtMost => relative_difference <= tolerance,
                Relation::AtLeast => relative_difference >= -tolerance,
            },
        })
    }

    fn at_block(mut self, block_id: &str) -> Self {
        self.block_id = Some(block_id.to_owned());
        self
    }

    /// States an assumption; the first that does not hold is told.
    fn assume(mut self, holds: bool, why_not: &str) -> Self {
        if self.valid && !holds {
            self.valid = false;
            self.why_not = Some(why_not.to_owned());
        }
        self
    }
}

/// A run, as formulas look at it.
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) workload: &'a Workload,
    pub(crate) program: &'a Program,
    pub(crate) report: &'a Report,
}

impl Run<'_> {
    fn block(&self, block: BlockIndex) -> &BlockResult {
        &self.report.blocks[block]
    }

    /// A counter of the measured interval; 0 where the block has none of this name.
    fn counter(&self, block: BlockIndex, name: &str) -> f64 {
        self.block(block).counters.get(name).and_then(Value::as_f64).unwrap_or_default()
    }

    fn gauge(&self, block: BlockIndex, name: &str) -> Option<&Value> {
        self.block(block).gauges.get(name)
    }

    fn operations(&self) -> f64 {
        self.report.summary.operations as f64
    }

    fn seconds(&self) -> f64 {
        self.report.summary.simulated_seconds
    }

    fn clients(&self) -> f64 {
        f64::from(self.workload.config.concurrency)
    }

    fn is_open_loop(&self) -> bool {
        self.workload.config.arrival_rate_per_second.is_some()
    }

    /// Mean milliseconds of an operation by cause, at a block or all of them.
    fn mean_ms(&self, wanted: impl Fn(&LatencyShare) -> bool) -> f64 {
        let shares = self.report.latency_breakdown.iter();
        shares
            .filter(|share| share.percentile == Percentile::Mean && wanted(share))
            .map(|share| share.milliseconds)
            .sum()
    }
}

/// Every formula that has something to say about a run, in the order of blocks.
pub(crate) fn cross_check(run: &Run<'_>) -> Vec<FormulaCheck> {
    if run.report.summary.operations == 0 || run.seconds() <= 0.0 {
        return Vec::new();
    }
    let mut found = network::checks(run);
    for block in 0..run.plan.blocks.len() {
        let id = &run.plan.blocks[block].id;
        let checks = queue::checks(run, block)
            .into_iter()
            .chain(cache::checks(run, block))
            .chain(tree::checks(run, block))
            .chain(log::checks(run, block))
            .chain(lsm::checks(run, block));
        found.extend(checks.map(|check| check.at_block(id)));
    }
    found
}

/// A warning for each formula whose assumptions hold and whose value is not what was simulated.
pub(crate) fn warnings(checks: &[FormulaCheck]) -> impl Iterator<Item = Warning> {
    checks.iter().filter(|check| check.valid && !check.agrees).map(|check| Warning {
        code: "FORMULA_DISAGREES".to_owned(),
        message: format!(
            "{}: simulated {:.6}, by formula {:.6} ({}); they may lie {:.1} % apart",
            check.name,
            check.simulated_value,
            check.formula_value,
            check.source,
            check.tolerance * 100.0
        ),
        block_id: check.block_id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_agrees_within_its_tolerance_on_the_side_its_relation_says() {
        let agrees = |relation, simulated| {
            FormulaCheck::new("x", "y", relation, 100.0, simulated, 0.1).unwrap().agrees
        };
        assert_eq!(
            [91.0, 109.0, 89.0, 111.0].map(|value| agrees(Relation::Equal, value)),
            [true, true, false, false]
        );
        assert_eq!([1.0, 109.0, 111.0].map(|value| agrees(Relation::AtMost, value)), [true, true, false]);
        assert_eq!([1e9, 91.0, 89.0].map(|value| agrees(Relation::AtLeast, value)), [true, true, false]);
        for (formula, simulated, tolerance) in
            [(0.0, 1.0, 0.1), (f64::NAN, 1.0, 0.1), (1.0, -1.0, 0.1), (1.0, 1.0, f64::INFINITY)]
        {
            assert!(FormulaCheck::new("x", "y", Relation::Equal, formula, simulated, tolerance).is_none());
        }
    }

    #[test]
    fn only_a_valid_disagreement_is_warned_of() {
        let check = |simulated| FormulaCheck::new("x", "y", Relation::Equal, 1.0, simulated, 0.1).unwrap();
        let checks = [
            check(1.0),
            check(2.0).assume(false, "first").assume(false, "second"),
            check(3.0).at_block("b").assume(true, "never"),
        ];
        assert_eq!(checks[1].why_not.as_deref(), Some("first"));
        let told: Vec<Warning> = warnings(&checks).collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].message.starts_with("x: simulated 3.0"));
        assert_eq!(told[0].block_id.as_deref(), Some("b"));
    }
}
