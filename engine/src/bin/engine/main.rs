//! The engine on the command line: one command a file.
//!
//! Exit codes: 0 done, 1 the design or workload is not valid or the run was stopped, 2 the arguments or files cannot be read.

mod check;
mod compare;
mod fidelity;
mod huge_pages;
mod input;
mod print;
mod simulate;
mod sweep;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use input::Failure;

/// Simulates databases composed on a canvas.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a workload on a design and prints what it found.
    Simulate(simulate::Arguments),
    /// Runs two designs under the same seeds and prints which of their figures differ beyond noise.
    Compare(compare::Arguments),
    /// Runs a design with values changed, one after the other, and prints a table and where more stops paying.
    Sweep(sweep::Arguments),
    /// Checks a canvas and prints every diagnostic; exit code 1 when it cannot run.
    Validate {
        /// Canvas JSON; - reads standard input.
        canvas: PathBuf,
        /// Prints the diagnostics as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints how a design is understood: parameters with their defaults, and the path of each access.
    Plan {
        /// Canvas JSON; - reads standard input.
        canvas: PathBuf,
    },
    /// Prints the block types with their ports and parameters.
    Catalog {
        #[arg(long)]
        json: bool,
    },
    /// Simulates measured cases and prints one JSON line a case.
    Fidelity {
        /// A file of cases, compressed or expanded; - reads standard input.
        cases: PathBuf,
        /// Prints the score as the last line, before it what is out of its tolerance; exit code 1 unless every case passes.
        #[arg(long)]
        score: bool,
        /// Only the cases of this kind.
        #[arg(long)]
        kind: Option<String>,
        /// The folder of this crate: writes its FIDELITY.md, and the agreement of each block that the catalogue tells.
        #[arg(long, value_name = "DIR", conflicts_with = "kind")]
        document: Option<PathBuf>,
    },
    /// Lists the templates of designs and workloads.
    Templates,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Simulate(arguments) => {
            huge_pages::ask_for_them();
            simulate::run(&arguments)
        }
        Command::Compare(arguments) => {
            huge_pages::ask_for_them();
            compare::run(&arguments)
        }
        Command::Sweep(arguments) => {
            huge_pages::ask_for_them();
            sweep::run(&arguments)
        }
        Command::Validate { canvas, json } => check::validate(&canvas, json),
        Command::Plan { canvas } => check::plan(&canvas),
        Command::Catalog { json } => Ok(if json { print::catalog_json() } else { print::catalog_text() }),
        Command::Fidelity { cases, score, kind, document } => {
            fidelity::run(&cases, score, kind.as_deref(), document.as_deref())
        }
        Command::Templates => Ok(print::templates_text()),
    };
    match outcome {
        Ok(text) => {
            // A closed pipe (`engine … | head`) is no failure of ours.
            if !text.is_empty() {
                let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
            }
            ExitCode::SUCCESS
        }
        Err(Failure::Refused(message)) => {
            eprintln!("{message}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
