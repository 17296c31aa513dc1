//! Judges what a fault left behind, from the tables themselves: it shares no statement with the stores. What each run must have
//! found it computes again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use engine::{Control, Options, Report, TraceLevel};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, QueryResult, Statement,
};
use serde_json::{Value as Json, json};
use tokio::time::sleep;

/// How long a queue may take to forget what has ended: the lease of a worker that died after it committed, and more.
const FORGETTING: Duration = Duration::from_secs(40);

/// What a scenario came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub jobs: u64,
    /// Attempts that workers began.
    pub executions: u64,
    /// Accepted jobs without the end that they should have come to.
    pub lost: u64,
    /// Jobs with more than one committed run, and jobs that one key made twice.
    pub doubled: u64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.executions += other.executions;
        self.lost += other.lost;
        self.doubled += other.doubled;
    }
}

/// How the jobs of a scenario may end.
pub type Allowed<'a> = &'a dyn Fn(&str, &str) -> bool;

/// Every job is to be completed.
pub const COMPLETED: Allowed<'static> = &|_, status| status == "completed";

pub struct Checker {
    db: DatabaseConnection,
    redis_url: Option<String>,
}

/// A job as its row has it, with its run.
struct Row {
    id: String,
    status: String,
    attempt: u64,
    progress: f64,
    leased: bool,
    finished: bool,
    seed: String,
    trace: String,
    max_events: usize,
    version: String,
    workload: String,
    runs: Vec<Run>,
}

struct Run {
    status: String,
    result_hash: Option<String>,
    event_count: Option<u64>,
    completed: bool,
    events: u64,
    first_event: Option<u64>,
    last_event: Option<u64>,
    samples: u64,
}

impl Checker {
    pub async fn connect(database_url: &str, redis_url: Option<String>) -> Self {
        let mut options = ConnectOptions::new(database_url);
        // What is set for a connection holds for the next statement too.
        options.max_connections(1);
        // Others write without a pause.
        options.map_sqlx_sqlite_opts(|sqlite| sqlite.busy_timeout(Duration::from_secs(60)));
        Self { db: Database::connect(options).await.unwrap(), redis_url }
    }

    /// Jobs that have not ended. None while the database does not answer.
    pub async fn unsettled(&self) -> Option<u64> {
        self.count("SELECT count(*) FROM simulation_jobs WHERE status IN ('queued', 'running')").await
    }

    /// Jobs that run now. None while the database does not answer.
    pub async fn running(&self) -> Option<u64> {
        self.count("SELECT count(*) FROM simulation_jobs WHERE status = 'running'").await
    }

    pub async fn jobs_made(&self) -> usize {
        self.count("SELECT count(*) FROM simulation_jobs").await.unwrap() as usize
    }

    /// Jobs whose start, by the clock of their worker, is half an hour or more from their submission.
    pub async fn jobs_started_at_odd_times(&self) -> u64 {
        let sql = "SELECT count(*) FROM simulation_jobs \
                   WHERE abs(extract(epoch FROM started_at - created_at)) > 1800";
        self.count(sql).await.unwrap()
    }

    /// Waits until every job has ended.
    pub async fn settle(&self, patience: Duration) {
        let started = Instant::now();
        while self.unsettled().await != Some(0) {
            if started.elapsed() > patience {
                let sql = "SELECT status || ' ' || count(*) || ', attempts to ' || max(attempt) AS line \
                           FROM simulation_jobs GROUP BY status";
                let lines: Vec<String> = self.rows(sql).await.iter().map(|row| text(row, "line")).collect();
                panic!("after {} s the jobs stand at: {}", patience.as_secs(), lines.join("; "));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the jobs have ended, and judges everything that they left behind. `accepted` are the ids that clients saw,
    /// of `keys` that they sent; jobs may end as `allowed` says of id and status.
    pub async fn judge(
        &self,
        accepted: &BTreeSet<String>,
        keys: usize,
        allowed: Allowed<'_>,
        patience: Duration,
    ) -> (Tally, Vec<String>) {
        self.settle(patience).await;
        let rows = self.jobs().await;
        let mut complaints = Vec::new();
        let mut tally = Tally { jobs: rows.len() as u64, ..Tally::default() };
        for id in accepted.iter().filter(|id| !rows.contains_key(*id)) {
            tally.lost += 1;
            complaints.push(format!("{id} was accepted and is not there"));
        }
        if rows.len() > keys {
            tally.doubled += (rows.len() - keys) as u64;
            complaints.push(format!("{} jobs were made under {keys} keys", rows.len()));
        }
        let mut oracle = Oracle::new(self).await;
        for row in rows.values() {
            tally.executions += row.attempt;
            if !allowed(&row.id, &row.status) {
                tally.lost += 1;
                complaints.push(format!("{} is {}", row.id, row.status));
            }
            let committed = row.runs.iter().filter(|run| run.status == "completed").count();
            tally.doubled += committed.saturating_sub(1) as u64;
            complaints
                .extend(row.complaints(&mut oracle).into_iter().map(|what| format!("{}: {what}", row.id)));
        }
        complaints.extend(self.leftovers().await);
        (tally, complaints)
    }

    async fn jobs(&self) -> BTreeMap<String, Row> {
        let (job, run) = (self.id("j.id"), self.id("r.id"));
        let (version, workload) = (self.id("j.design_version_id"), self.id("j.workload_id"));
        let sql = format!(
            "SELECT {job} AS id, j.status AS status, CAST(j.attempt AS TEXT) AS attempt, \
             CAST(j.progress AS TEXT) AS progress, \
             CASE WHEN j.lease_expires_at IS NULL THEN '' ELSE 'yes' END AS leased, \
             CASE WHEN j.finished_at IS NULL THEN '' ELSE 'yes' END AS finished, \
             CAST(j.seed AS TEXT) AS seed, j.trace AS trace, CAST(j.max_events AS TEXT) AS max_events, \
             {version} AS version, {workload} AS workload, \
             {run} AS run, r.status AS run_status, r.result_hash AS result_hash, \
             CAST(r.event_count AS TEXT) AS event_count, \
             CASE WHEN r.completed_at IS NULL THEN '' ELSE 'yes' END AS completed, \
             CAST((SELECT count(*) FROM run_events e WHERE e.run_id = r.id) AS TEXT) AS events, \
             CAST((SELECT min(sequence_number) FROM run_events e WHERE e.run_id = r.id) AS TEXT) AS first_event, \
             CAST((SELECT max(sequence_number) FROM run_events e WHERE e.run_id = r.id) AS TEXT) AS last_event, \
             CAST((SELECT count(*) FROM run_metrics m WHERE m.run_id = r.id) AS TEXT) AS samples \
             FROM simulation_jobs j LEFT JOIN simulation_runs r ON r.job_id = j.id"
        );
        let mut jobs: BTreeMap<String, Row> = BTreeMap::new();
        for row in self.rows(&sql).await {
            let job = jobs.entry(text(&row, "id")).or_insert_with(|| Row {
                id: text(&row, "id"),
                status: text(&row, "status"),
                attempt: number(&row, "attempt").unwrap(),
                progress: text(&row, "progress").parse().unwrap(),
                leased: text(&row, "leased") == "yes",
                finished: text(&row, "finished") == "yes",
                seed: text(&row, "seed"),
                trace: text(&row, "trace"),
                max_events: number(&row, "max_events").unwrap() as usize,
                version: text(&row, "version"),
                workload: text(&row, "workload"),
                runs: Vec::new(),
            });
            if text_or_null(&row, "run").is_some() {
                job.runs.push(Run {
                    status: text(&row, "run_status"),
                    result_hash: text_or_null(&row, "result_hash"),
                    event_count: number(&row, "event_count"),
                    completed: text(&row, "completed") == "yes",
                    events: number(&row, "events").unwrap(),
                    first_event: number(&row, "first_event"),
                    last_event: number(&row, "last_event"),
                    samples: number(&row, "samples").unwrap(),
                });
            }
        }
        jobs
    }

    /// What the queue still holds once every job has ended.
    async fn leftovers(&self) -> Vec<String> {
        let started = Instant::now();
        loop {
            let left = match &self.redis_url {
                Some(url) => keys_of_queue(url).await,
                None => {
                    let rows = self.rows("SELECT id FROM queue_entries").await;
                    rows.iter().map(|row| format!("the queue keeps {}", text(row, "id"))).collect()
                }
            };
            if left.is_empty() || started.elapsed() > FORGETTING {
                return left;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Panics unless the SQLite file is whole.
    pub async fn integrity(&self) {
        let rows = self.rows("PRAGMA integrity_check").await;
        let found: Vec<String> = rows.iter().map(|row| text(row, "integrity_check")).collect();
        assert_eq!(found, ["ok"]);
    }

    /// Whether a statement succeeds.
    pub async fn try_to(&self, sql: &str) -> bool {
        self.db.execute_unprepared(sql).await.is_ok()
    }

    pub async fn execute(&self, sql: &str) {
        self.db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn count(&self, sql: &str) -> Option<u64> {
        let row = self.db.query_one_raw(self.statement(sql)).await.ok()??;
        row.try_get_by_index::<i64>(0).ok().map(|count| count as u64)
    }

    async fn rows(&self, sql: &str) -> Vec<QueryResult> {
        let rows = self.db.query_all_raw(self.statement(sql)).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn statement(&self, sql: &str) -> Statement {
        Statement::from_string(self.db.get_database_backend(), sql)
    }

    /// A key in hexadecimal without hyphens.
    fn id(&self, column: &str) -> String {
        match self.db.get_database_backend() {
            DbBackend::Postgres => format!("replace(CAST({column} AS TEXT), '-', '')"),
            _ => format!("lower(hex({column}))"),
        }
    }
}

impl Row {
    fn complaints(&self, oracle: &mut Oracle) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut check = |well: bool, what: String| {
            if !well {
                complaints.push(what);
            }
        };
        check(!self.leased, "it has ended and has a lease".into());
        check(self.finished, "it has ended at no time".into());
        check(self.runs.len() <= 1, format!("it has {} runs", self.runs.len()));
        if self.status != "completed" {
            for run in &self.runs {
                check(run.status == "failed", format!("it is {}, and its run {}", self.status, run.status));
                check(run.events == 0 && run.samples == 0, format!("it is {} and has events", self.status));
            }
            return complaints;
        }
        check(self.attempt >= 1 && self.progress == 1.0, format!("it came to {} of 1", self.progress));
        let [run] = &self.runs[..] else {
            check(self.runs.len() == 1, "it is completed and has no run".into());
            return complaints;
        };
        check(run.status == "completed" && run.completed, format!("its run is {}", run.status));
        let report = oracle.report(self);
        let stored = report.events.len() as u64;
        check(run.result_hash.as_deref() == Some(&report.result_hash), "its result is another one".into());
        check(
            run.event_count == Some(report.event_count),
            format!("{:?} of {} events happened", run.event_count, report.event_count),
        );
        check(run.events == stored, format!("{} of {stored} events are stored", run.events));
        let ends = (stored > 0).then(|| (0, stored - 1));
        check(run.first_event.zip(run.last_event) == ends, "its events have gaps".into());
        let samples = report.series.iter().flat_map(|series| &series.values).flatten().count() as u64;
        check(run.samples == samples, format!("{} of {samples} samples are stored", run.samples));
        complaints
    }
}

/// Computes runs again, from what is stored of their inputs.
struct Oracle {
    canvases: HashMap<String, Json>,
    workloads: HashMap<String, Json>,
}

impl Oracle {
    async fn new(checker: &Checker) -> Self {
        let json =
            |row: &QueryResult, column: &str| -> Json { serde_json::from_str(&text(row, column)).unwrap() };
        let sql = format!(
            "SELECT {} AS id, CAST(canvas_state AS TEXT) AS canvas FROM design_versions",
            checker.id("id")
        );
        let versions = checker.rows(&sql).await;
        let sql = format!(
            "SELECT {} AS id, CAST(operations AS TEXT) AS operations, CAST(tables AS TEXT) AS tables, \
             CAST(config AS TEXT) AS config FROM workloads",
            checker.id("id")
        );
        let workloads = checker.rows(&sql).await;
        let workload = |row: &QueryResult| {
            json!({
                "operations": json(row, "operations"), "tables": json(row, "tables"), "config": json(row, "config"),
            })
        };
        Self {
            canvases: versions.iter().map(|row| (text(row, "id"), json(row, "canvas"))).collect(),
            workloads: workloads.iter().map(|row| (text(row, "id"), workload(row))).collect(),
        }
    }

    fn report(&mut self, job: &Row) -> Report {
        let plan = engine::design::check(&self.canvases[&job.version]).plan.unwrap();
        let workload = engine::workload::parse(&self.workloads[&job.workload]).unwrap();
        let options = Options {
            seed: job.seed.parse().unwrap(),
            trace: if job.trace == "full" { TraceLevel::Full } else { TraceLevel::None },
            max_events: job.max_events,
            ..Options::default()
        };
        engine::simulate(&plan, &workload, &options, &Control::default()).unwrap()
    }
}

/// Everything in the queue's namespace but what counts: a number says nothing of any job.
async fn keys_of_queue(url: &str) -> Vec<String> {
    let client = redis::Client::open(url).unwrap();
    let Ok(mut connection) = client.get_multiplexed_async_connection().await else {
        return vec!["Redis does not answer".into()];
    };
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("{simulator}*").query_async(&mut connection).await.unwrap_or_default();
    let mut left = Vec::new();
    for key in keys.into_iter().filter(|key| !key.starts_with("{simulator}:canvas:")) {
        let number: Result<Option<i64>, _> = redis::cmd("GET").arg(&key).query_async(&mut connection).await;
        if number.is_err() {
            left.push(format!("Redis keeps {key}"));
        }
    }
    left
}

fn text(row: &QueryResult, column: &str) -> String {
    text_or_null(row, column).unwrap_or_else(|| panic!("{column} is null"))
}

fn text_or_null(row: &QueryResult, column: &str) -> Option<String> {
    row.try_get("", column).unwrap()
}

fn number(row: &QueryResult, column: &str) -> Option<u64> {
    text_or_null(row, column).map(|text| text.parse().unwrap())
}
