//! The command line of the API.

mod admin;

use std::{process::ExitCode, time::Duration};

use admin::Admin;
use api::{config::Config, demo, error::StartError, graphql, server};
use clap::{Parser, Subcommand};
use worker::{config::DEFAULT_LOG_FILTER, isolation, telemetry};

/// Requests allocate much and briefly, on every thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The GraphQL gateway of the DB Design Simulator. Configured by environment variables and a .env file.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the API (the default).
    Serve,
    /// Serves the API, runs two simulations through it and compares them.
    Demo {
        /// Ends after the comparison.
        #[arg(long)]
        once: bool,
    },
    /// Prints the GraphQL schema.
    Schema,
    /// What only an operator may do.
    #[command(subcommand)]
    Admin(Admin),
}

fn main() -> ExitCode {
    if let Some(ended) = isolation::child() {
        return ended;
    }
    let command = Arguments::parse().command.unwrap_or(Command::Serve);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    let ended = runtime.block_on(run(command));
    // An engine that does not stop would keep its thread, and with it the process, for ever.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended.unwrap_or_else(|error| refuse(&error))
}

/// One line, whatever a driver put into its message.
fn refuse(error: &dyn std::error::Error) -> ExitCode {
    let line = error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
    eprintln!("error: {line}");
    ExitCode::FAILURE
}

async fn run(command: Command) -> Result<ExitCode, StartError> {
    if let Command::Schema = command {
        print!("{}", graphql::sdl());
        return Ok(ExitCode::SUCCESS);
    }
    let mut config = Config::from_env()?;
    let shows_progress = matches!(command, Command::Demo { .. } | Command::Admin(_));
    if shows_progress && config.worker.log_filter == DEFAULT_LOG_FILTER {
        // Lines of log would tear the progress bars apart.
        config.worker.log_filter = "warn".into();
    }
    let _telemetry = telemetry::init("api", &config.worker);
    match command {
        Command::Serve => server::Server::start(config).await?.run().await?,
        Command::Demo { once } => demo::run(config, once).await?,
        Command::Admin(command) => return admin::run(&config, command).await,
        Command::Schema => {}
    }
    Ok(ExitCode::SUCCESS)
}
