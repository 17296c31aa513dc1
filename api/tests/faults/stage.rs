//! The product, running: its programs, its servers, and the people who use it.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::Duration,
};

use futures_util::{StreamExt as _, future::join_all, stream};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    checker::{Allowed, Checker, Tally},
    client::{Account, Person, Size},
    program::{Program, free_port},
    proxy::Proxy,
    servers::{Postgres, Redis, run},
};

const PEOPLE: usize = 4;
const WORKERS: usize = 3;
/// The lease of the product's workers here: a lost one is noticed within seconds.
const LEASE_SECONDS: u64 = 3;
const SECRET: &str = "a secret of the fault suite, long enough";
/// Complaints that are told in full.
const TOLD: usize = 20;
/// Everything has ended long before, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// What all scenarios share: a PostgreSQL, and databases with people in them to copy.
pub struct Suite {
    folder: Folder,
    programs: PathBuf,
    pub postgres: Postgres,
    accounts: [Vec<Account>; 2],
}

/// One run of one scenario.
pub struct Trial {
    pub name: &'static str,
    /// Unlike that of any other trial in this process.
    pub number: usize,
    pub seed: u64,
    /// How many jobs it is about.
    pub jobs: usize,
    /// What the checker counted.
    pub tally: Mutex<Tally>,
}

impl Trial {
    /// Everything random of the trial follows from its seed.
    pub fn rng(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }

    /// Long enough for its jobs, however slow the machine.
    pub fn patience(&self) -> Duration {
        PATIENCE + Duration::from_millis(500) * self.jobs as u32
    }

    /// Has everything judged that is left; panics when anything is wrong with it.
    async fn judge(&self, checker: &Checker, people: &[Person], keys: usize, allowed: Allowed<'_>) {
        let accepted = people.iter().flat_map(|person| person.accepted.lock().unwrap().clone()).collect();
        let (tally, mut complaints) = checker.judge(&accepted, keys, allowed, self.patience()).await;
        *self.tally.lock().unwrap() = tally;
        let count = complaints.len();
        complaints.truncate(TOLD);
        assert!(complaints.is_empty(), "{count} complaints:\n{}", complaints.join("\n"));
    }
}

/// Removed when it is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in a folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Suite {
    pub async fn start() -> Self {
        let path = std::env::temp_dir().join(format!("simulator-faults-{}", uuid::Uuid::new_v4()));
        let folder = Folder(path);
        std::fs::create_dir(&folder.0).unwrap();
        // The user who runs PostgreSQL must get through.
        run(Command::new("chmod").arg("755").arg(&folder.0));
        let programs = Path::new(env!("CARGO_BIN_EXE_api")).parent().unwrap().to_owned();
        assert!(programs.join("worker").is_file(), "the worker is not built: cargo build -p worker");
        let postgres = Postgres::start(&folder.0).await;
        let mut suite = Self { folder, programs, postgres, accounts: Default::default() };
        suite.postgres.create_database("prepared", "template1").await;
        let redis = Redis::start(&suite.folder.0).await;
        let url = suite.postgres.url("prepared");
        suite.accounts[0] = suite.prepare(&url, Some(&redis)).await;
        let url = suite.sqlite_url("prepared");
        suite.accounts[1] = suite.prepare(&url, None).await;
        // So that the file is the whole database.
        Checker::connect(&url, None).await.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
        suite
    }

    /// Makes the accounts of a database, all of them on the premium plan.
    async fn prepare(&self, database_url: &str, redis: Option<&Redis>) -> Vec<Account> {
        let port = free_port();
        let variables = variables(database_url, redis.map(Redis::url));
        let mut api = self.api("prepare", port, &variables, &self.folder.0);
        start_api(&mut api, port).await;
        let handles: Vec<String> = (0..PEOPLE).map(|number| format!("person{number}")).collect();
        let accounts = join_all(handles.iter().map(|handle| Person::register(handle, port))).await;
        for account in &accounts {
            let mut admin = Command::new(self.programs.join("api"));
            admin.args(["admin", "set-plan", &account.email, "premium"]).current_dir(&self.folder.0);
            run(admin.env_clear().envs(inherited()).envs(variables.clone()));
        }
        api.stop().await;
        accounts
    }

    fn sqlite_url(&self, name: &str) -> String {
        format!("sqlite://{}/{name}.sqlite", self.folder.0.display())
    }

    fn api(&self, name: &str, port: u16, variables: &Variables, folder: &Path) -> Program {
        let mut command = Command::new(self.programs.join("api"));
        command
            .env_clear()
            .envs(inherited())
            .envs(variables.clone())
            .env("BIND", format!("127.0.0.1:{port}"));
        Program::new(name, command, folder)
    }

    /// An api and three workers on PostgreSQL and Redis.
    pub async fn production(&self, trial: &Trial) -> Production {
        let folder = self.trial_folder(trial);
        let database = format!("trial_{}", trial.number);
        self.postgres.create_database(&database, "prepared").await;
        let redis = Redis::start(&folder.0).await;
        let database_url = self.postgres.url(&database);
        let variables_of_api = variables(&database_url, Some(redis.url()));
        let port = free_port();
        let mut api = self.api("api", port, &variables_of_api, &folder.0);
        start_api(&mut api, port).await;
        let mut workers = Vec::new();
        for number in 0..WORKERS {
            let to_postgres = Proxy::start(self.postgres.port).await;
            let to_redis = Proxy::start(redis.port).await;
            let database_url = format!("postgres://postgres@127.0.0.1:{}/{database}", to_postgres.port);
            let redis_url = format!("redis://127.0.0.1:{}", to_redis.port);
            let port = free_port();
            let mut command = Command::new(self.programs.join("worker"));
            command.env_clear().envs(inherited()).envs(variables(&database_url, Some(redis_url)));
            command.env("WORKER_BIND", format!("127.0.0.1:{port}"));
            let mut program = Program::new(&format!("worker{number}"), command, &folder.0);
            program.start();
            workers.push(Worker { program, port, to_postgres, to_redis });
        }
        for worker in &mut workers {
            worker.ready().await;
        }
        let mut people = Vec::new();
        for account in &self.accounts[0] {
            people.push(Person::sign_in(account.clone(), port).await);
        }
        let checker = Checker::connect(&database_url, Some(redis.url())).await;
        Production { people, checker, api: Api { program: api, port }, workers, redis, folder }
    }

    /// An api alone, on SQLite, with two slots for jobs and more `variables`.
    pub async fn embedded(&self, trial: &Trial, more: &[(&str, &str)]) -> Embedded {
        let folder = self.trial_folder(trial);
        let file = folder.0.join("simulator.sqlite");
        std::fs::copy(self.folder.0.join("prepared.sqlite"), &file).unwrap();
        let database_url = format!("sqlite://{}", file.display());
        let mut variables = variables(&database_url, None);
        variables.extend(more.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        let port = free_port();
        let mut api = self.api("api", port, &variables, &folder.0);
        start_api(&mut api, port).await;
        let mut people = Vec::new();
        for account in &self.accounts[1] {
            people.push(Person::sign_in(account.clone(), port).await);
        }
        let checker = Checker::connect(&database_url, None).await;
        Embedded { people, checker, api: Api { program: api, port }, _folder: folder }
    }

    fn trial_folder(&self, trial: &Trial) -> Folder {
        let folder = Folder(self.folder.0.join(format!("trial{}", trial.number)));
        std::fs::create_dir(&folder.0).unwrap();
        folder
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.postgres.program.last_words());
        }
    }
}

pub struct Api {
    pub program: Program,
    port: u16,
}

impl Api {
    /// Starts it again after its end.
    pub async fn start_again(&mut self) {
        start_api(&mut self.program, self.port).await;
    }
}

pub struct Worker {
    pub program: Program,
    port: u16,
    pub to_postgres: Proxy,
    pub to_redis: Proxy,
}

impl Worker {
    /// Waits until it takes jobs.
    pub async fn ready(&mut self) {
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        self.program.until(async || answers(&url).await).await;
    }
}

// Fields are dropped in the order in which they stand.
pub struct Production {
    pub people: Vec<Person>,
    pub checker: Checker,
    pub api: Api,
    pub workers: Vec<Worker>,
    pub redis: Redis,
    folder: Folder,
}

impl Production {
    /// Waits until every job has ended as `allowed` says, and judges what is left; `keys` were sent.
    pub async fn judge(&self, keys: usize, allowed: Allowed<'_>, trial: &Trial) {
        trial.judge(&self.checker, &self.people, keys, allowed).await;
    }

    pub fn workers_survived(&mut self) {
        for worker in &mut self.workers {
            assert!(worker.program.is_alive(), "{} has ended", worker.program.name);
        }
    }

    /// Lets each worker do a few jobs while the others stand still: it still can, in all its slots. How many jobs it were.
    pub async fn work_alone(&mut self, trial: &Trial) -> usize {
        const EACH: usize = 4;
        self.checker.settle(trial.patience()).await;
        for number in 0..WORKERS {
            let others = || self.workers.iter().enumerate().filter(|(at, _)| *at != number);
            others().for_each(|(_, worker)| worker.program.signal("STOP"));
            let first = trial.jobs + number * EACH;
            submit_jobs(&self.people, first..first + EACH, &mut trial.rng()).await;
            self.checker.settle(trial.patience()).await;
            others().for_each(|(_, worker)| worker.program.signal("CONT"));
        }
        WORKERS * EACH
    }

    pub fn folder(&self) -> &Path {
        &self.folder.0
    }
}

impl Drop for Production {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for program in self.workers.iter().map(|worker| &worker.program).chain([&self.api.program]) {
                eprintln!("{}", program.last_words());
            }
        }
    }
}

pub struct Embedded {
    pub people: Vec<Person>,
    pub checker: Checker,
    pub api: Api,
    _folder: Folder,
}

impl Embedded {
    /// Waits until every job has ended as `allowed` says, and judges what is left; `keys` were sent.
    pub async fn judge(&self, keys: usize, allowed: Allowed<'_>, trial: &Trial) {
        trial.judge(&self.checker, &self.people, keys, allowed).await;
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.api.program.last_words());
        }
    }
}

/// Has jobs of these numbers accepted, by people in turn, small and medium ones in any order. Each has a seed of its own, because
/// equal jobs might share a result.
pub async fn submit_jobs(people: &[Person], numbers: Range<usize>, rng: &mut StdRng) {
    let orders: Vec<(usize, Size)> = numbers
        .map(|number| (number, if rng.random_bool(0.5) { Size::Small } else { Size::Medium }))
        .collect();
    stream::iter(orders)
        .map(async |(number, size)| {
            people[number % people.len()].submit(&format!("job-{number}"), size, number as u64 + 1).await;
        })
        .buffer_unordered(people.len())
        .collect::<()>()
        .await;
}

type Variables = Vec<(String, String)>;

/// The configuration of every program: nothing of the caller's own.
fn variables(database_url: &str, redis_url: Option<String>) -> Variables {
    let lease_seconds = LEASE_SECONDS.to_string();
    let mut variables = vec![
        ("DATABASE_URL", database_url),
        ("JWT_SECRET", SECRET),
        ("JOB_LEASE_SECONDS", &lease_seconds),
        ("WORKER_CONCURRENCY", "2"),
        ("RATE_LIMIT_ANONYMOUS", "off"),
        ("RATE_LIMIT_FREE", "off"),
        ("RATE_LIMIT_PREMIUM", "off"),
    ];
    variables.extend(redis_url.as_deref().map(|url| ("REDIS_URL", url)));
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What every process needs.
fn inherited() -> Variables {
    ["PATH", "HOME", "TMPDIR"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect()
}

async fn start_api(program: &mut Program, port: u16) {
    program.start();
    let url = format!("http://127.0.0.1:{port}/readyz");
    program.until(async || answers(&url).await).await;
}

async fn answers(url: &str) -> bool {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build().unwrap();
    client.get(url).send().await.is_ok_and(|response| response.status().is_success())
}
