//! A PostgreSQL and a Redis that belong to the suite.

use std::{
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use sea_orm::{ConnectionTrait, Database};

use crate::program::{Program, free_port};

pub struct Postgres {
    pub program: Program,
    pub port: u16,
    programs: PathBuf,
}

impl Postgres {
    /// Makes a cluster in `folder` and starts it.
    pub async fn start(folder: &Path) -> Self {
        let programs = postgres_programs();
        let data = folder.join("postgres");
        std::fs::create_dir(&data).unwrap();
        run(Command::new("chmod").arg("700").arg(&data));
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&data));
        }
        let mut initdb = as_postgres(&programs.join("initdb"));
        initdb.arg("--pgdata").arg(&data);
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        run(&mut initdb);
        let port = free_port();
        let mut server = as_postgres(&programs.join("postgres"));
        // The machine does not crash, so what was written need not be forced to its disk; but what was committed must have
        // been written.
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        server.arg("-c").arg(format!("unix_socket_directories={}", data.display()));
        server.args(["-c", "max_connections=200", "-c", "fsync=off", "-c", "full_page_writes=off"]);
        let mut postgres = Self { program: Program::new("postgres", server, folder), port, programs };
        postgres.start_again().await;
        postgres
    }

    pub async fn start_again(&mut self) {
        self.program.start();
        let (ready, port) = (self.programs.join("pg_isready"), self.port.to_string());
        let is_ready =
            async || output(Command::new(&ready).args(["--quiet", "--host=127.0.0.1", "--port", &port])).0;
        self.program.until(is_ready).await;
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A database that starts as a copy of another.
    pub async fn create_database(&self, name: &str, template: &str) {
        let db = Database::connect(self.url("postgres")).await.unwrap();
        db.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
        db.close().await.unwrap();
    }
}

/// A Redis that keeps nothing on a disk: started again, it is empty.
pub struct Redis {
    pub program: Program,
    pub port: u16,
}

impl Redis {
    pub async fn start(folder: &Path) -> Self {
        let port = free_port();
        let mut server = Command::new("redis-server");
        server.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        let mut redis = Self { program: Program::new("redis", server, folder), port };
        redis.start_again().await;
        redis
    }

    pub async fn start_again(&mut self) {
        self.program.start();
        let port = self.port;
        self.program.until(async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).await;
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// Debian keeps the programs of the server off the search path.
fn postgres_programs() -> PathBuf {
    let found = output(
        Command::new("bash")
            .args(["-c", "source scripts/packages.sh && postgres_folder"])
            .current_dir(repository()),
    );
    assert!(found.0, "PostgreSQL is not installed");
    PathBuf::from(found.1.trim())
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program of PostgreSQL, which refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")).1.trim() == "0"
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) -> String {
    let (well, text) = output(command);
    assert!(well, "{command:?}: {text}");
    text
}

/// Whether a command succeeds, and what it says.
pub fn output(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
