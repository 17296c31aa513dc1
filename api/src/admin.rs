//! The commands of operators.

use std::{process::ExitCode, time::Duration};

use api::{
    config::Config,
    error::StartError,
    server,
    service::{ServiceResult, administration, queues},
};
use clap::Subcommand;
use comfy_table::{Table, presets};
use entity::{
    simulation_job,
    status::{JobStatus, Tier},
    user,
};
use uuid::Uuid;
use worker::pool::Services;

/// By then every worker has looked at what it may claim.
const HEARD: Duration = Duration::from_secs(3);
/// Between two looks at what still runs.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub enum Admin {
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
    /// Everybody's jobs.
    #[command(subcommand)]
    Jobs(Jobs),
}

#[derive(Subcommand)]
pub enum Jobs {
    /// Lists the newest jobs.
    List {
        /// Only those that are so.
        #[arg(long, value_parser = status)]
        status: Option<JobStatus>,
        #[arg(long, default_value_t = 20)]
        limit: u64,
    },
    /// Submits once more what a job that has ended asked for.
    Retry { id: Uuid },
    /// Cancels a job.
    Cancel { id: Uuid },
    /// Lets workers claim nothing more, and waits until those jobs have ended that run.
    Drain {
        /// Lets workers claim jobs again.
        #[arg(long)]
        undo: bool,
    },
}

fn status(word: &str) -> Result<JobStatus, String> {
    let quoted = serde_json::Value::from(word);
    serde_json::from_value(quoted)
        .map_err(|_| "must be queued, running, completed, failed, canceled or timed_out".into())
}

/// Does what an operator asks for and prints what came of it.
///
/// # Errors
/// Why it was not done, in a line.
pub async fn run(config: &Config, command: Admin) -> Result<ExitCode, StartError> {
    let services = server::connect(config).await?;
    let done = match command {
        Admin::GrantPremium { email } => set_plan(&services, &email, Tier::Premium).await,
        Admin::SetPlan { email, plan } => {
            let tier = if plan == "premium" { Tier::Premium } else { Tier::Free };
            set_plan(&services, &email, tier).await
        }
        Admin::Promote { email } => {
            let changed = administration::make_admin(&services, &email).await;
            changed.map(|user| told(&email, "an admin", user))
        }
        Admin::Jobs(Jobs::List { status, limit }) => {
            queues::list(&services, status, limit).await.map(|jobs| {
                println!("{}", table(&jobs));
                ExitCode::SUCCESS
            })
        }
        Admin::Jobs(Jobs::Retry { id }) => queues::retry(&services, id)
            .await
            .map(|job| say(&format!("job {} asks for the same as {id}", job.id))),
        Admin::Jobs(Jobs::Cancel { id }) => queues::cancel(&services, id).await.map(|job| {
            say(if job.status == JobStatus::Canceled { "canceled" } else { "its worker was asked to stop" })
        }),
        Admin::Jobs(Jobs::Drain { undo: true }) => {
            queues::drain(&services, false).await.map(|()| say("workers claim jobs again"))
        }
        Admin::Jobs(Jobs::Drain { undo: false }) => drain(&services).await,
    };
    done.map_err(|error| StartError::Admin(error.to_string()))
}

async fn set_plan(services: &Services, email: &str, tier: Tier) -> ServiceResult<ExitCode> {
    let user = administration::set_plan_of(services, email, tier).await?;
    Ok(told(email, if tier == Tier::Premium { "PREMIUM" } else { "FREE" }, user))
}

/// Says what an account is now, or that there is none.
fn told(email: &str, now: &str, user: Option<user::Model>) -> ExitCode {
    match user {
        Some(user) => say(&format!("{} ({email}) is {now} now", user.handle)),
        None => {
            eprintln!("error: there is no account with the e-mail address {email}");
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) -> ExitCode {
    println!("{line}");
    ExitCode::SUCCESS
}

/// Waits until no worker holds a job.
async fn drain(services: &Services) -> ServiceResult<ExitCode> {
    queues::drain(services, true).await?;
    tokio::time::sleep(HEARD).await;
    let mut held = queues::running(services).await?;
    while held > 0 {
        println!("{held} jobs still run");
        tokio::time::sleep(LOOK).await;
        held = queues::running(services).await?;
    }
    Ok(say("no job runs, and none is claimed until `api admin jobs drain --undo`"))
}

fn table(jobs: &[(simulation_job::Model, String)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["Job", "User", "Status", "Lane", "Submitted", "Attempts", "Progress", "Failure"]);
    for (job, handle) in jobs {
        table.add_row([
            job.id.to_string(),
            handle.clone(),
            job.status.as_str().to_owned(),
            job.priority.as_str().to_owned(),
            job.created_at.format("%F %T UTC").to_string(),
            job.attempt.to_string(),
            format!("{:.0} %", job.progress * 100.0),
            job.failure_message.clone().unwrap_or_default(),
        ]);
    }
    table
}
