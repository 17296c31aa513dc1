//! Real processes, and what can befall them.

use std::{
    fs::OpenOptions,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;

/// How long a program may take to be ready, or to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that can be started again and again. Killed when it is dropped.
pub struct Program {
    pub name: String,
    command: Command,
    child: Option<Child>,
    log: PathBuf,
}

impl Program {
    /// Its output of all starts goes to one file in `folder`.
    pub fn new(name: &str, mut command: Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        command.stdin(Stdio::null()).current_dir(folder);
        Self { name: name.to_owned(), command, child: None, log }
    }

    /// Sets variables for its next start.
    pub fn set_variables(&mut self, variables: &[(&str, &str)]) {
        self.command.envs(variables.iter().copied());
    }

    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        self.command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.name)));
    }

    /// As a crash of its machine would end it: at once, without a word.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It fails for a process that has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end, and waits until it has, well.
    pub async fn stop(&mut self) {
        self.end("TERM").await;
    }

    /// Ends it by a signal that it is to obey.
    pub async fn end(&mut self, signal: &str) {
        self.signal(signal);
        let mut child = self.child.take().unwrap();
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                // PostgreSQL ends with status 2 when it is told to drop everything.
                assert!(status.success() || signal == "QUIT", "{} ended with {status}", self.name);
                return;
            }
            if started.elapsed() > PATIENCE {
                self.child = Some(child);
                panic!("{} does not end on SIG{signal}", self.name);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal, such as `STOP` and `CONT`, to the process.
    pub fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name)).id();
        let sent = Command::new("kill").args(["-s", signal, &id.to_string()]).status().unwrap();
        assert!(sent.success(), "{} cannot be sent SIG{signal}", self.name);
    }

    /// Whether it runs still, since it was started last.
    pub fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// The most memory it has held since it was started last, in KiB.
    pub fn most_memory_kib(&self) -> u64 {
        let id = self.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name)).id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Waits until `ready` is true; panics when the program ends before.
    pub async fn until(&mut self, ready: impl AsyncFn() -> bool) {
        let started = Instant::now();
        while !ready().await {
            assert!(self.is_alive(), "{} has ended", self.name);
            assert!(started.elapsed() < PATIENCE, "{} is not ready", self.name);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The end of its log, for those who ask why.
    pub fn last_words(&self) -> String {
        const LINES: usize = 25;
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
        format!("-- the last lines of {}:\n{last}", self.name)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on, below the range from which the system takes ports of clients.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(20_000..32_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
