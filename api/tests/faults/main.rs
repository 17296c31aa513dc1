//! The fault suite: the real programs, used as people use them, while something breaks; and a checker that judges what is left.
//!
//! usage: faults [SCENARIO...]; all of them unless some are named. Everything random follows from `FAULT_SEED`, which is the date's
//! number unless it is set; `FAULT_JOBS` is how many jobs a scenario is about; with `FAULT_MINUTES` scenarios follow each other
//! for so long, each round with a new seed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod checker;
mod client;
mod program;
mod proxy;
mod scenarios;
mod servers;
mod stage;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    panic::AssertUnwindSafe,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use checker::Tally;
use comfy_table::{Table, presets};
use futures_util::FutureExt as _;
use stage::{Suite, Trial};
use tokio::signal::unix::{SignalKind, signal};

/// What all trials of a scenario came to.
#[derive(Default)]
struct Line {
    trials: u64,
    failed: u64,
    seconds: u64,
    tally: Tally,
}

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let unknown = chosen.iter().find(|name| !scenarios::ALL.contains(&name.as_str()));
    if let Some(name) = unknown {
        eprintln!("there is no scenario {name}; there are {}", scenarios::ALL.join(", "));
        return ExitCode::FAILURE;
    }
    let chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|wanted| wanted == name);
    let chosen: Vec<&'static str> = scenarios::ALL.into_iter().filter(|name| chosen(name)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        let mut interrupt = signal(SignalKind::interrupt()).unwrap();
        // Whatever ends the suite, its processes end with it.
        tokio::select! {
            well = run(&chosen) => if well { ExitCode::SUCCESS } else { ExitCode::FAILURE },
            _ = terminate.recv() => ExitCode::FAILURE,
            _ = interrupt.recv() => ExitCode::FAILURE,
        }
    })
}

/// Runs the scenarios and prints the table; whether all went well.
async fn run(chosen: &[&'static str]) -> bool {
    let days = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 86_400;
    let seed = variable("FAULT_SEED").unwrap_or(days);
    let jobs = variable("FAULT_JOBS").unwrap_or(40) as usize;
    let minutes = variable("FAULT_MINUTES").unwrap_or_default();
    let started = Instant::now();
    let mut suite = Suite::start().await;
    println!("prepared in {} s", started.elapsed().as_secs());
    let mut lines: Vec<Line> = chosen.iter().map(|_| Line::default()).collect();
    let mut number = 0;
    for round in 0.. {
        for (name, line) in chosen.iter().zip(&mut lines) {
            number += 1;
            let seed_of_trial = seed_of(seed + round, name);
            let trial = Trial { name, number, seed: seed_of_trial, jobs, tally: Mutex::default() };
            let began = Instant::now();
            let tried = AssertUnwindSafe(scenarios::run(&mut suite, &trial)).catch_unwind().await;
            let seconds = began.elapsed().as_secs();
            line.trials += 1;
            line.seconds += seconds;
            let tally = trial.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
            line.tally.add(tally);
            if tried.is_ok() {
                println!("{name}: well, {} jobs in {seconds} s", tally.jobs);
            } else {
                line.failed += 1;
                let seed = seed + round;
                println!(
                    "{name}: FAILED after {seconds} s; again: FAULT_SEED={seed} FAULT_JOBS={jobs} {name}"
                );
            }
        }
        if started.elapsed() >= Duration::from_secs(60 * minutes) {
            break;
        }
    }
    println!("\nseed {seed}, {jobs} jobs, {} s\n{}", started.elapsed().as_secs(), table(chosen, &lines));
    lines.iter().all(|line| line.failed == 0)
}

fn table(chosen: &[&str], lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["fault", "trials", "jobs", "executions", "lost", "doubled", "failed", "seconds"]);
    for (name, line) in chosen.iter().zip(lines) {
        let Line { trials, failed, seconds, tally } = line;
        let numbers = [*trials, tally.jobs, tally.executions, tally.lost, tally.doubled, *failed, *seconds];
        table.add_row([(*name).to_owned()].into_iter().chain(numbers.map(|number| number.to_string())));
    }
    table
}

/// Scenarios of one seed differ in what is random about them.
fn seed_of(seed: u64, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, name).hash(&mut hasher);
    hasher.finish()
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number")))
}
