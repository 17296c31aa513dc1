//! What a worker, and the worker inside the API, read from the environment and from a `.env` file beside them.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use tracing_subscriber::EnvFilter;
use url::Url;

const DEFAULT_DATABASE_URL: &str = "sqlite://data/simulator.sqlite";
/// Fields of queries and statements are spans for a trace, noise on a log line.
pub const DEFAULT_LOG_FILTER: &str = "info,async_graphql=warn,sea_orm=warn,sea_orm_migration=warn,sqlx=warn";

/// A variable that breaks its rule. `Display` is one line that names both and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{name} {rule}")]
    Variable { name: &'static str, rule: String },
    #[error(".env cannot be read: {0}")]
    EnvFile(String),
}

impl ConfigError {
    /// `rule` continues the sentence that starts with the variable's name.
    pub fn new(name: &'static str, rule: impl Into<String>) -> Self {
        Self::Variable { name, rule: rule.into() }
    }
}

/// Reads variables by name. A variable set to nothing counts as not set, as compose files pass it on.
pub struct Environment<'a>(Box<Lookup<'a>>);

type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl<'a> Environment<'a> {
    pub fn new(lookup: impl Fn(&str) -> Option<String> + 'a) -> Self {
        Self(Box::new(lookup))
    }

    /// The variables of the process, and for those it lacks the `.env` file of the working directory.
    pub fn of_process() -> Result<Self, ConfigError> {
        // The texts of dotenvy's errors quote the line, which may hold a secret.
        let unreadable = |error: dotenvy::Error| match error {
            dotenvy::Error::Io(error) => ConfigError::EnvFile(error.to_string()),
            _ => ConfigError::EnvFile("every line must read NAME=value".into()),
        };
        let file: HashMap<String, String> = match dotenvy::from_path_iter(".env") {
            Ok(lines) => lines.collect::<Result<_, _>>().map_err(unreadable)?,
            Err(error) if error.not_found() => HashMap::new(),
            Err(error) => return Err(unreadable(error)),
        };
        Ok(Self::new(move |name| match std::env::var_os(name) {
            Some(value) => Some(value.to_string_lossy().into_owned()),
            None => file.get(name).cloned(),
        }))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The value parsed, `default` when it is not set.
    pub fn parsed<T: FromStr>(&self, name: &'static str, default: T, rule: &str) -> Result<T, ConfigError> {
        match self.text(name) {
            Some(value) => value.parse().map_err(|_| ConfigError::new(name, rule)),
            None => Ok(default),
        }
    }

    /// A whole number within `range`, `default` when it is not set.
    pub fn number(
        &self,
        name: &'static str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let rule = format!("must be a whole number from {} to {}", range.start(), range.end());
        let value = self.parsed(name, default, &rule)?;
        if range.contains(&value) { Ok(value) } else { Err(ConfigError::new(name, rule)) }
    }

    /// One of `choices`, the first of them when it is not set.
    pub fn choice<T: Copy>(&self, name: &'static str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let value = self.text(name);
        let wanted = value.as_deref().unwrap_or(choices[0].0);
        choices.iter().find(|(text, _)| *text == wanted).map(|(_, choice)| *choice).ok_or_else(|| {
            let texts: Vec<&str> = choices.iter().map(|(text, _)| *text).collect();
            ConfigError::new(name, format!("must be one of {}", texts.join(", ")))
        })
    }
}

/// Where data, queue and live updates live; follows from `DATABASE_URL` and `REDIS_URL` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One process with a SQLite file; the queue is a table in it.
    Embedded,
    /// PostgreSQL and Redis, any number of `api` and `worker` processes.
    Production,
}

/// What a simulation runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// A thread of the worker, bounded by what the engine counts.
    Thread,
    /// A process of its own, bounded by the operating system, too.
    Process,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Settings that the API and its workers share.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// `DATABASE_URL`: `sqlite://file` or `postgres://…`.
    pub database_url: String,
    /// `DATABASE_READ_URL`: a replica that queries may read from.
    pub database_read_url: Option<String>,
    /// `DATABASE_POOLER`: whether a pooler such as PgBouncer hands out its connections for one transaction each.
    pub transaction_pooler: bool,
    /// `DATABASE_CONNECTIONS`: the size of the connection pool.
    pub database_connections: u32,
    /// `SQLITE_MAX_MB`: how large the SQLite file may become.
    pub sqlite_max_mb: Option<u64>,
    /// How long one statement may take on PostgreSQL; set by those who answer requests.
    pub statement_timeout: Option<Duration>,
    /// `REDIS_URL`: set exactly when the database is PostgreSQL.
    pub redis_url: Option<String>,
    /// `WORKER_BIND`: where a `worker` process serves its health and metrics.
    pub worker_bind: SocketAddr,
    /// `WORKER_CONCURRENCY`: simulations at a time in one process.
    pub worker_concurrency: usize,
    /// `JOB_MEMORY_MB`: what one job may allocate on this machine, whatever its plan allows.
    pub job_memory_mb: u64,
    /// `JOB_ISOLATION`: what a simulation runs in.
    pub job_isolation: Isolation,
    /// `JOB_LEASE_SECONDS`: how long a worker is believed alive without a sign of it.
    pub job_lease: Duration,
    /// `MAINTENANCE_HOUR`: when the nightly maintenance is due, UTC; none when these workers do not see to it.
    pub maintenance_hour: Option<u32>,
    pub log_format: LogFormat,
    /// `RUST_LOG`, in the syntax of tracing-subscriber's `EnvFilter`.
    pub log_filter: String,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: base URL of a collector that takes OTLP over HTTP.
    pub otlp_endpoint: Option<String>,
}

impl Config {
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&Environment::of_process()?)
    }

    /// Reads every variable through `environment`.
    ///
    /// # Errors
    /// The first variable that breaks its rule.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let database_url = environment.text("DATABASE_URL").unwrap_or_else(|| DEFAULT_DATABASE_URL.into());
        let redis_url = environment.text("REDIS_URL");
        check_stores(&database_url, redis_url.as_deref())?;
        let database_read_url = environment.text("DATABASE_READ_URL");
        let transaction_pooler =
            environment.choice("DATABASE_POOLER", &[("none", false), ("transaction", true)])?;
        check_ways(&database_url, database_read_url.as_deref(), transaction_pooler)?;
        Ok(Self {
            database_url,
            database_read_url,
            transaction_pooler,
            database_connections: environment.number("DATABASE_CONNECTIONS", 10, 2..=1000)? as u32,
            sqlite_max_mb: match environment.text("SQLITE_MAX_MB") {
                Some(_) => Some(environment.number("SQLITE_MAX_MB", 1, 1..=16_777_215)?),
                None => None,
            },
            statement_timeout: None,
            redis_url,
            worker_bind: environment.parsed(
                "WORKER_BIND",
                SocketAddr::from(([127, 0, 0, 1], 8001)),
                "must be an address and a port, for example 127.0.0.1:8001",
            )?,
            worker_concurrency: environment.number("WORKER_CONCURRENCY", cores.clamp(1, 256), 1..=256)?
                as usize,
            job_memory_mb: environment.number("JOB_MEMORY_MB", 2048, 16..=1_048_576)?,
            job_isolation: environment
                .choice("JOB_ISOLATION", &[("thread", Isolation::Thread), ("process", Isolation::Process)])?,
            job_lease: Duration::from_secs(environment.number("JOB_LEASE_SECONDS", 30, 2..=3600)?),
            maintenance_hour: maintenance_hour(environment)?,
            log_format: environment
                .choice("LOG_FORMAT", &[("text", LogFormat::Text), ("json", LogFormat::Json)])?,
            log_filter: log_filter(environment)?,
            otlp_endpoint: otlp_endpoint(environment)?,
        })
    }

    pub fn mode(&self) -> Mode {
        if self.redis_url.is_some() { Mode::Production } else { Mode::Embedded }
    }

    /// The folder of the SQLite file; none in the production mode.
    pub fn data_folder(&self) -> Option<PathBuf> {
        let file = Path::new(sqlite_file(&self.database_url)?);
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(folder.unwrap_or(Path::new(".")).to_owned())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("database_url", &without_password(&self.database_url))
            .field("database_read_url", &self.database_read_url.as_deref().map(without_password))
            .field("transaction_pooler", &self.transaction_pooler)
            .field("database_connections", &self.database_connections)
            .field("sqlite_max_mb", &self.sqlite_max_mb)
            .field("statement_timeout", &self.statement_timeout)
            .field("redis_url", &self.redis_url.as_deref().map(without_password))
            .field("worker_bind", &self.worker_bind)
            .field("worker_concurrency", &self.worker_concurrency)
            .field("job_memory_mb", &self.job_memory_mb)
            .field("job_isolation", &self.job_isolation)
            .field("job_lease", &self.job_lease)
            .field("maintenance_hour", &self.maintenance_hour)
            .field("log_format", &self.log_format)
            .field("log_filter", &self.log_filter)
            .field("otlp_endpoint", &self.otlp_endpoint.as_deref().map(without_password))
            .finish()
    }
}

/// The path in `sqlite://path?options`; none for another kind of URL.
fn sqlite_file(database_url: &str) -> Option<&str> {
    let path = database_url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    path.split('?').next()
}

/// PostgreSQL goes with Redis, a SQLite file with neither.
fn check_stores(database_url: &str, redis_url: Option<&str>) -> Result<(), ConfigError> {
    if let Some(file) = sqlite_file(database_url) {
        if file.is_empty() || file == ":memory:" {
            // Every connection of the pool would see a database of its own.
            return Err(ConfigError::new(
                "DATABASE_URL",
                "must name a file, for example sqlite://data/simulator.sqlite",
            ));
        }
        return match redis_url {
            Some(_) => Err(ConfigError::new(
                "REDIS_URL",
                "goes with PostgreSQL: leave it out, or set DATABASE_URL to postgres://…",
            )),
            None => Ok(()),
        };
    }
    if !has_scheme(database_url, &["postgres", "postgresql"]) {
        return Err(ConfigError::new(
            "DATABASE_URL",
            "must be sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE",
        ));
    }
    match redis_url {
        Some(redis_url) if has_scheme(redis_url, &["redis", "rediss"]) => Ok(()),
        Some(_) => Err(ConfigError::new("REDIS_URL", "must be redis://HOST:PORT or rediss://HOST:PORT")),
        None => Err(ConfigError::new(
            "REDIS_URL",
            "must be set when DATABASE_URL is PostgreSQL, for example redis://127.0.0.1:6379",
        )),
    }
}

/// A replica and a pooler are ways to PostgreSQL.
fn check_ways(database_url: &str, read_url: Option<&str>, pooler: bool) -> Result<(), ConfigError> {
    const READ_URL: &str = "DATABASE_READ_URL";
    let sqlite = sqlite_file(database_url).is_some();
    match read_url {
        Some(_) if sqlite => Err(ConfigError::new(
            READ_URL,
            "names a replica of PostgreSQL: leave it out, or set DATABASE_URL to postgres://…",
        )),
        Some(url) if !has_scheme(url, &["postgres", "postgresql"]) => {
            Err(ConfigError::new(READ_URL, "must be postgres://USER:PASSWORD@HOST/DATABASE"))
        }
        _ if sqlite && pooler => Err(ConfigError::new(
            "DATABASE_POOLER",
            "goes with PostgreSQL: leave it out, or set DATABASE_URL to postgres://…",
        )),
        _ => Ok(()),
    }
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    Url::parse(url).is_ok_and(|url| schemes.contains(&url.scheme()))
}

fn maintenance_hour(environment: &Environment) -> Result<Option<u32>, ConfigError> {
    let rule = "must be an hour from 0 to 23, or off";
    match environment.text("MAINTENANCE_HOUR").as_deref() {
        None => Ok(Some(3)),
        Some("off") => Ok(None),
        Some(hour) => match hour.parse() {
            Ok(hour @ 0..24) => Ok(Some(hour)),
            _ => Err(ConfigError::new("MAINTENANCE_HOUR", rule)),
        },
    }
}

fn log_filter(environment: &Environment) -> Result<String, ConfigError> {
    let filter = environment.text("RUST_LOG").unwrap_or_else(|| DEFAULT_LOG_FILTER.into());
    match filter.parse::<EnvFilter>() {
        Ok(_) => Ok(filter),
        Err(_) => Err(ConfigError::new("RUST_LOG", "must be a list of filters, for example info,api=debug")),
    }
}

fn otlp_endpoint(environment: &Environment) -> Result<Option<String>, ConfigError> {
    const NAME: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    match environment.text(NAME) {
        // Spans go to a collector nearby, so the exporter is built without TLS.
        Some(url) if !has_scheme(&url, &["http"]) => {
            Err(ConfigError::new(NAME, "must be an http:// URL, for example http://127.0.0.1:4318"))
        }
        endpoint => Ok(endpoint),
    }
}

fn without_password(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) if url.password().is_some() => {
            // Only a URL that cannot hold a password refuses one.
            let _ = url.set_password(Some("REDACTED"));
            url.to_string()
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Config::read(&Environment::new(|name| variables.get(name).cloned()))
    }

    fn error(variables: &[(&str, &str)]) -> String {
        read(variables).expect_err("the variables break a rule").to_string()
    }

    #[test]
    fn nothing_set_gives_the_embedded_mode() {
        let config = read(&[]).unwrap();
        assert_eq!(config.mode(), Mode::Embedded);
        assert_eq!(config.database_url, "sqlite://data/simulator.sqlite");
        assert_eq!(config.data_folder(), Some(PathBuf::from("data")));
        assert_eq!(config.worker_bind.to_string(), "127.0.0.1:8001");
        assert!(config.worker_concurrency >= 1);
        assert_eq!(config, read(&[("REDIS_URL", ""), ("LOG_FORMAT", " ")]).unwrap());
    }

    #[test]
    fn postgres_and_redis_give_the_production_mode() {
        let config =
            read(&[("DATABASE_URL", "postgres://me:pw@db/x"), ("REDIS_URL", "redis://cache:6379")]).unwrap();
        assert_eq!(config.mode(), Mode::Production);
        assert_eq!(config.data_folder(), None);
    }

    #[test]
    fn the_stores_go_together() {
        assert!(error(&[("DATABASE_URL", "postgres://db/x")]).starts_with("REDIS_URL must be set when"));
        assert!(error(&[("REDIS_URL", "redis://cache")]).starts_with("REDIS_URL goes with PostgreSQL"));
        assert!(
            error(&[("DATABASE_URL", "postgres://db/x"), ("REDIS_URL", "cache:6379")])
                .starts_with("REDIS_URL must be redis://")
        );
        assert!(error(&[("DATABASE_URL", "mysql://db/x")]).starts_with("DATABASE_URL must be sqlite://"));
        assert!(error(&[("DATABASE_URL", "sqlite::memory:")]).starts_with("DATABASE_URL must name a file"));
    }

    #[test]
    fn a_replica_and_a_pooler_go_with_postgres() {
        const POSTGRES: [(&str, &str); 2] =
            [("DATABASE_URL", "postgres://db/x"), ("REDIS_URL", "redis://cache")];
        let line = error(&[("DATABASE_READ_URL", "postgres://replica/x")]);
        assert!(line.starts_with("DATABASE_READ_URL names a replica of PostgreSQL"), "{line}");
        assert!(
            error(&[("DATABASE_POOLER", "transaction")]).starts_with("DATABASE_POOLER goes with PostgreSQL")
        );
        assert!(
            error(&[POSTGRES[0], POSTGRES[1], ("DATABASE_READ_URL", "replica:5432")])
                .starts_with("DATABASE_READ_URL must be postgres://")
        );
        let config = read(&[
            POSTGRES[0],
            POSTGRES[1],
            ("DATABASE_READ_URL", "postgres://me:hunter2@replica/x"),
            ("DATABASE_POOLER", "transaction"),
        ])
        .unwrap();
        assert!(config.transaction_pooler && config.database_read_url.is_some());
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn every_rule_names_its_variable() {
        for (name, bad) in [
            ("DATABASE_CONNECTIONS", "1"),
            ("SQLITE_MAX_MB", "0"),
            ("WORKER_BIND", "8001"),
            ("WORKER_CONCURRENCY", "0"),
            ("WORKER_CONCURRENCY", "four"),
            ("JOB_MEMORY_MB", "-1"),
            ("JOB_ISOLATION", "box"),
            ("JOB_LEASE_SECONDS", "1"),
            ("MAINTENANCE_HOUR", "24"),
            ("DATABASE_POOLER", "session"),
            ("LOG_FORMAT", "xml"),
            ("RUST_LOG", "info,api=loud"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ] {
            let line = error(&[(name, bad)]);
            assert!(line.starts_with(&format!("{name} must be")), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
    }

    #[test]
    fn a_password_stays_out_of_debug_output() {
        let config = read(&[
            ("DATABASE_URL", "postgres://me:hunter2@db/x"),
            ("REDIS_URL", "redis://:hunter2@cache:6379"),
        ])
        .unwrap();
        let text = format!("{config:?}");
        assert!(!text.contains("hunter2") && text.contains("REDACTED"), "{text}");
    }
}
