//! A device as a queue: requests that arrive at random wait as Erlang and Pollaczek say.

use super::{FormulaCheck, Relation, Run};
use crate::plan::{BlockIndex, Spec};

/// Beside what so many waits cannot tell.
const TOLERANCE: f64 = 0.03;
/// Standard errors that a mean wait may lie off.
const STANDARD_ERRORS: f64 = 4.0;
/// A mean wait less well known than so says nothing.
const LARGEST_ERROR: f64 = 0.1;

/// Probability that an arrival waits in M/M/c with this load of each server (Erlang 1917; C by the recursion of B).
pub fn erlang_c(servers: u32, load: f64) -> f64 {
    let offered = load * f64::from(servers);
    let blocked = (1..=servers).fold(1.0, |blocked, server| {
        let product = offered * blocked;
        product / (f64::from(server) + product)
    });
    blocked / (1.0 - load * (1.0 - blocked))
}

/// Mean wait in M/M/c, in units of `service`: C(c, ρ) · s / (c (1 - ρ)).
pub fn m_m_c_wait(servers: u32, load: f64, service: f64) -> f64 {
    erlang_c(servers, load) * service / (f64::from(servers) * (1.0 - load))
}

/// Mean wait in M/D/1: ρ s / 2(1 - ρ) (Pollaczek 1930, Khinchine 1932).
pub fn m_d_1_wait(load: f64, service: f64) -> f64 {
    load * service / (2.0 * (1.0 - load))
}

/// Standard error of the mean of `count` waits in a row, over that mean: waits of M/M/1 are correlated (Daley, "The serial
/// correlation coefficients of waiting times in a stationary single server queue", 1968); seldom waits are known less well.
fn relative_error(load: f64, waiting: f64, count: f64) -> f64 {
    let correlated = 2.0 + 5.0 * load - 4.0 * load * load + load * load * load;
    libm::sqrt(correlated / (waiting * (1.0 - load) * (1.0 - load) * count))
}

pub(super) fn checks(run: &Run<'_>, block: BlockIndex) -> Option<FormulaCheck> {
    let Spec::Disk(disk) = &run.plan.blocks[block].spec else { return None };
    // Several servers of constant service time have no closed form.
    if !run.is_open_loop() || !disk.exponential && disk.slots > 1 {
        return None;
    }
    let counter = |name| run.counter(block, name);
    let (reads, writes) = (counter("reads"), counter("writes") + counter("log_flushes"));
    let requests = reads + writes;
    let service_ms = counter("busy_ns") / 1e6 / requests;
    let load = counter("busy_ns") / 1e9 / run.seconds() / f64::from(disk.slots);
    if requests == 0.0 || load >= 1.0 {
        return None;
    }
    let (source, waiting, wait_ms) = if disk.exponential {
        let waiting = erlang_c(disk.slots, load);
        ("M/M/c, W = C(c, ρ) s / c(1-ρ) (Erlang C)", waiting, m_m_c_wait(disk.slots, load, service_ms))
    } else {
        ("M/D/1, W = ρ s / 2(1-ρ) (Pollaczek-Khinchine)", load, m_d_1_wait(load, service_ms))
    };
    // Requests of one operation follow each other: they say no more than one.
    let error = relative_error(load, waiting, requests.min(run.operations()));
    let simulated_ms = counter("queued_ns") / 1e6 / requests;
    let check = FormulaCheck::new(
        "mean_wait_ms",
        source,
        Relation::Equal,
        wait_ms,
        simulated_ms,
        TOLERANCE + STANDARD_ERRORS * error,
    )?;
    let per_operation = requests / run.operations();
    let pooled = run.plan.blocks.iter().any(|block| matches!(block.spec, Spec::BufferPool(_)));
    let one_each = libm::fabs(per_operation - 1.0) < 0.01;
    let longest_seconds = run.report.summary.latency_max_ms / 1e3;
    let limited_cores = run.plan.blocks.iter().any(|block| matches!(block.spec, Spec::Cpu(_)));
    let queued_ms = run.mean_ms(|share| share.cause == "client_queue");
    Some(
        check
            .assume(load <= 0.95, "the device is busy nearly all the time")
            .assume(writes == 0.0, "requests of several kinds take different times")
            .assume(counter("pages_read") == reads, "requests of several sizes take different times")
            .assume(disk.seek_ns == 0, "seeks make service times differ")
            .assume(!pooled, "what a pool does not hold is not asked for at random")
            .assume(!limited_cores, "limited cores shape when requests arrive")
            .assume(
                queued_ms < 0.001 * run.report.summary.latency_mean_ms,
                "operations queue for a free client first",
            )
            // A network of exponential servers keeps each queue as if its arrivals were random (Jackson 1957); others do not.
            .assume(
                disk.exponential || one_each,
                "operations that ask for several pages do not ask at random",
            )
            .assume(longest_seconds <= 0.05 * run.seconds(), "the interval is short")
            .assume(error <= LARGEST_ERROR, "too few waits were measured to tell their mean"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_have_their_published_values() {
        // M/M/1: an arrival waits with probability ρ, for ρ s / (1-ρ) in the mean.
        assert!((erlang_c(1, 0.8) - 0.8).abs() < 1e-12);
        assert!((m_m_c_wait(1, 0.8, 2.0) - 8.0).abs() < 1e-9);
        // M/M/2: C = 2ρ²/(1+ρ).
        assert!((erlang_c(2, 0.5) - 1.0 / 3.0).abs() < 1e-12);
        // Erlang's tables: ten servers offered eight erlangs.
        assert!((erlang_c(10, 0.8) - 0.409_18).abs() < 1e-4);
        // Constant service halves the wait.
        assert!((m_d_1_wait(0.8, 2.0) - 4.0).abs() < 1e-12);
        assert_eq!(erlang_c(3, 0.0), 0.0);
    }

    #[test]
    fn a_mean_is_better_known_from_more_and_less_loaded_waits() {
        assert!(relative_error(0.5, 0.5, 1e6) < relative_error(0.5, 0.5, 1e4));
        assert!(relative_error(0.5, 0.5, 1e6) < relative_error(0.9, 0.9, 1e6));
        assert!((relative_error(0.5, 0.5, 1e6) - 0.005_3).abs() < 1e-3);
    }
}
