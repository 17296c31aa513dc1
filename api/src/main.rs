//! The command line of the API.

use std::{process::ExitCode, time::Duration};

use api::{config::Config, demo, error::StartError, graphql, server, service::administration};
use clap::{Parser, Subcommand};
use entity::status::Tier;
use worker::{config::DEFAULT_LOG_FILTER, telemetry};

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

#[derive(Subcommand)]
enum Admin {
    /// Moves an account to the PREMIUM tier.
    GrantPremium { email: String },
    /// Moves an account to a plan.
    SetPlan {
        email: String,
        #[arg(value_parser = ["free", "premium"])]
        plan: String,
    },
    /// Makes an account an admin.
    #[command(name = "grant-admin")]
    Promote { email: String },
}

fn main() -> ExitCode {
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
        Command::Admin(command) => return administer(&config, command).await,
        Command::Schema => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn administer(config: &Config, command: Admin) -> Result<ExitCode, StartError> {
    let services = server::connect(config).await?;
    let set_plan = async |email: &str, tier| administration::set_plan_of(&services, email, tier).await;
    let (email, now, changed) = match &command {
        Admin::GrantPremium { email } => (email, "PREMIUM", set_plan(email, Tier::Premium).await),
        Admin::SetPlan { email, plan } if plan == "premium" => {
            (email, "PREMIUM", set_plan(email, Tier::Premium).await)
        }
        Admin::SetPlan { email, .. } => (email, "FREE", set_plan(email, Tier::Free).await),
        Admin::Promote { email } => (email, "an admin", administration::make_admin(&services, email).await),
    };
    match changed {
        Ok(Some(user)) => {
            println!("{} ({email}) is {now} now", user.handle);
            Ok(ExitCode::SUCCESS)
        }
        Ok(None) => {
            eprintln!("error: there is no account with the e-mail address {email}");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(StartError::Admin(error.to_string())),
    }
}
