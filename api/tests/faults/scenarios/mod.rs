//! What happens to the product. Each scenario ends with the checker's judgement.

mod cancels;
mod disk;
mod embedded;
mod memory;
mod network;
mod stores;
mod submits;
mod workers;

use crate::stage::{Suite, Trial};

/// The names of all scenarios, in the order in which they run.
pub const ALL: [&str; 13] = [
    "workers-killed",
    "redis-emptied",
    "redis-paused",
    "network-cut",
    "network-silent",
    "postgres-restarted",
    "api-killed",
    "disk-full",
    "embedded-killed",
    "clock-jumps",
    "duplicate-submits",
    "cancels-racing",
    "memory-capped",
];

/// Runs one of [`ALL`].
pub async fn run(suite: &mut Suite, trial: &Trial) {
    match trial.name {
        "workers-killed" => workers::killed(suite, trial).await,
        "redis-emptied" => stores::redis_emptied(suite, trial).await,
        "redis-paused" => stores::redis_paused(suite, trial).await,
        "network-cut" => network::cut(suite, trial).await,
        "network-silent" => network::silent(suite, trial).await,
        "postgres-restarted" => stores::postgres_restarted(suite, trial).await,
        "api-killed" => submits::api_killed(suite, trial).await,
        "disk-full" => disk::full(suite, trial).await,
        "embedded-killed" => embedded::killed(suite, trial).await,
        "clock-jumps" => workers::clock_jumps(suite, trial).await,
        "duplicate-submits" => submits::duplicated(suite, trial).await,
        "cancels-racing" => cancels::racing(suite, trial).await,
        "memory-capped" => memory::capped(suite, trial).await,
        unknown => unreachable!("{unknown} is not in ALL"),
    }
}
