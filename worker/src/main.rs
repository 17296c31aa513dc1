//! A worker process: takes simulation jobs from the queue and runs them until it is told to stop.

use std::{process::ExitCode, time::Duration};

use entity::store;
use metrics_exporter_prometheus::PrometheusBuilder;
use migration::{Migrator, MigratorTrait};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use worker::{
    config::{Config, Mode},
    error::StartError,
    health, isolation,
    pool::{self, Services},
    telemetry,
};

/// Between two looks at a schema that is not there yet.
const SCHEMA_PERIOD: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    if let Some(ended) = isolation::child() {
        return ended;
    }
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => return refuse(error),
    };
    if config.mode() == Mode::Embedded {
        return refuse(
            "the embedded mode runs its worker inside the api: \
             set DATABASE_URL to postgres://… and REDIS_URL to redis://… to run workers of their own",
        );
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(format!("no threads to run on: {error}")),
    };
    let ended = runtime.block_on(async {
        let _telemetry = telemetry::init("worker", &config);
        let ended = run(config).await;
        if let Err(error) = &ended {
            tracing::error!(%error, "the worker ends");
        }
        ended
    });
    // An engine that does not stop would keep its thread, and with it the process, for ever.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error),
    }
}

fn refuse(reason: impl std::fmt::Display) -> ExitCode {
    eprintln!("worker: {reason}");
    ExitCode::FAILURE
}

async fn run(config: Config) -> Result<(), StartError> {
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| StartError::Stopped(error.to_string()))?;
    let mut asked = stop_signal()?;
    let services = tokio::select! {
        services = connect(&config) => services?,
        _ = asked.wait_for(|asked| *asked) => return Ok(()),
    };
    let served = tokio::spawn(health::serve(config.worker_bind, services.clone(), metrics, asked.clone()));
    tokio::select! {
        ended = pool::run(services, config, async move { drop(asked.wait_for(|asked| *asked).await) }) => ended,
        served = served => served.unwrap_or_else(|error| Err(StartError::Stopped(error.to_string()))),
    }
}

/// Connects, and waits until somebody has migrated the database.
async fn connect(config: &Config) -> Result<Services, StartError> {
    let services = Services::connect(config).await?;
    loop {
        match pending_steps(&services).await {
            Ok(0) => return Ok(services),
            Ok(steps) => tracing::warn!(
                steps,
                "the database is not migrated; waiting for the api, or for the migration binary, to do it"
            ),
            Err(error) => tracing::warn!(%error, "the database does not tell its schema; asking again"),
        }
        tokio::time::sleep(SCHEMA_PERIOD).await;
    }
}

/// How many steps the schema lacks.
async fn pending_steps(services: &Services) -> Result<usize, String> {
    let look = store::begin(&services.db).await.map_err(|error| error.to_string())?;
    let pending =
        Migrator::get_pending_migrations_read_only(&look).await.map_err(|error| error.to_string())?;
    Ok(pending.len())
}

/// Becomes true with SIGTERM or SIGINT.
fn stop_signal() -> Result<watch::Receiver<bool>, StartError> {
    let listen = |kind| signal(kind).map_err(|error| StartError::Stopped(error.to_string()));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.send_replace(true);
        // Kept, because a receiver takes its end for a sign too.
        sender.closed().await;
    });
    Ok(receiver)
}
