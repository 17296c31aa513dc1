//! A simulation in a process of its own, where people are not trusted with what they simulate: the worker runs its own
//! program as a child that may use only so much memory and processor time, reads its progress and its result line by line,
//! and kills it.
//!
//! The child gets a task on its standard input and nothing else: no variables, no files, no connections. It ends when its
//! input does, so it does not outlive a worker that was killed.

use std::{
    io::{self, BufRead, Read, Write},
    path::Path,
    process::{ExitCode, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use engine::Control;
use entity::store::{attempts::Failure, results::NewRun};
use nix::sys::{
    resource::{Resource, setrlimit},
    signal::Signal,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
};

use crate::{
    attempt::Ended,
    result,
    task::{Task, failure, out_of_memory, out_of_time},
};

/// The argument that makes a program of ours such a child.
pub const ARGUMENT: &str = "simulate-in-child";
/// Between two lines that tell progress.
const PROGRESS: Duration = Duration::from_millis(200);
/// What the program itself needs: code, stacks, buffers, and the report beside the simulation.
const BASE_BYTES: u64 = 512 << 20;
/// Processor time beyond the job's own deadline, which the parent keeps.
const GRACE_SECONDS: u64 = 5;

/// A line of the child.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Progress(f64),
    Run(Box<NewRun>),
    Failed(Failure),
}

/// Runs a task in a child, which is `program`. Dropping the future kills it. Progress goes to `control`.
pub(crate) async fn run(program: &Path, task: &Task, control: &Control) -> Ended {
    talk(program, task, control).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the child of a simulation failed");
        Ended::Panicked
    })
}

async fn talk(program: &Path, task: &Task, control: &Control) -> io::Result<Ended> {
    let mut child = Command::new(program)
        .arg(ARGUMENT)
        .env_clear()
        // An allocator that takes address space in advance would be taken for a simulation that needs it.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("it has no pipes"));
    };
    let mut text = serde_json::to_vec(task)?;
    text.push(b'\n');
    input.write_all(&text).await?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Line::Progress(part) => control.relay_progress(part),
            Line::Run(run) => return Ok(Ended::Report(run)),
            Line::Failed(failure) => return Ok(Ended::Failed(failure)),
        }
    }
    let status = child.wait().await?;
    tracing::warn!(%status, "the child of a simulation fell");
    Ok(fallen(status, task.timeout_seconds))
}

/// What a child died of that told nothing.
fn fallen(status: ExitStatus, timeout_seconds: u64) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    match status.signal().map(Signal::try_from) {
        // Where its memory ends, an allocation aborts.
        Some(Ok(Signal::SIGABRT)) => Ended::Failed(out_of_memory()),
        Some(Ok(Signal::SIGXCPU)) => Ended::Failed(out_of_time(timeout_seconds)),
        _ => Ended::Panicked,
    }
}

/// Is the child, if the program was called as one.
pub fn child() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next().as_deref() == Some(ARGUMENT)).then(|| match simulate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

fn simulate() -> io::Result<()> {
    let mut text = String::new();
    io::stdin().lock().read_line(&mut text)?;
    let task: Task = serde_json::from_str(&text)?;
    let memory = task.memory_limit_bytes.saturating_add(BASE_BYTES);
    setrlimit(Resource::RLIMIT_AS, memory, memory)?;
    let seconds = task.timeout_seconds.saturating_add(GRACE_SECONDS);
    setrlimit(Resource::RLIMIT_CPU, seconds, seconds.saturating_add(GRACE_SECONDS))?;

    let control = Arc::new(Control::default());
    let watched = control.clone();
    thread::spawn(move || {
        while say(&Line::Progress(watched.progress())).is_ok() {
            thread::sleep(PROGRESS);
        }
    });
    thread::spawn(|| {
        // It has no end before the parent's.
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    let ended = task.parse().and_then(|(plan, workload)| {
        engine::simulate(&plan, &workload, &task.options(), &control).map(result::new_run).map_err(failure)
    });
    match ended {
        Ok(run) => say(&Line::Run(Box::new(run))),
        Err(failure) => say(&Line::Failed(failure)),
    }
}

fn say(line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&text)?;
    output.flush()
}
