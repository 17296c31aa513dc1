//! What the API reads from the environment, on top of what its workers read.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use axum::http::HeaderValue;
use base64::{Engine, prelude::BASE64_STANDARD};
use ipnet::IpNet;
use url::Url;
use worker::config::{ConfigError, Environment};

use crate::{service::allowance::Allowances, trusted::TrustedDocuments};

/// Bytes of a signing key below which HMAC-SHA-256 would be weaker than its hash (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;
const SECRET_FILE: &str = "jwt-secret";

/// A value that never shows itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(REDACTED)")
    }
}

/// Who may ask for the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    Everyone,
    SignedIn,
    Nobody,
}

#[derive(Debug, Clone)]
pub struct Config {
    pub worker: worker::config::Config,
    /// `BIND`: where the API listens.
    pub bind: SocketAddr,
    /// `PUBLIC_URL`: how clients reach the API; the base of every link it hands out.
    pub public_url: Url,
    /// `JWT_SECRET`: signs access tokens.
    pub jwt_secret: Secret,
    pub introspection: Introspection,
    /// `CORS_ORIGINS`: web pages of these origins may call the API.
    pub cors_origins: Vec<HeaderValue>,
    /// `FREE_SERVER_JOBS`: whether the free plan may run simulations on the server.
    pub free_server_jobs: bool,
    /// `REQUEST_TIMEOUT_SECONDS`: when an operation is abandoned, and its statements with it.
    pub request_timeout: Duration,
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `TRUSTED_DOCUMENTS`: when set, no other documents are executed.
    pub trusted_documents: Option<TrustedDocuments>,
    /// `RATE_LIMIT_…`, `LIVE_SUBSCRIPTIONS_…` and `SOCKETS_PER_ADDRESS`: how much of the gateway callers may use.
    pub allowances: Allowances,
}

impl Config {
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&Environment::of_process()?)
    }

    /// Reads every variable through `environment`. In the embedded mode this makes the data folder, and a signing
    /// key in it when `JWT_SECRET` is not set.
    ///
    /// # Errors
    /// The first variable that breaks its rule.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let mut worker = worker::config::Config::read(environment)?;
        let request_timeout =
            Duration::from_secs(environment.number("REQUEST_TIMEOUT_SECONDS", 10, 1..=600)?);
        // A little later, so that the request says that it took too long, and not that its statement failed.
        worker.statement_timeout = Some(request_timeout + Duration::from_secs(1));
        let bind = environment.parsed(
            "BIND",
            SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            "must be an address and a port, for example 127.0.0.1:8000",
        )?;
        Ok(Self {
            bind,
            public_url: public_url(environment, bind)?,
            introspection: environment.choice(
                "INTROSPECTION",
                &[
                    ("on", Introspection::Everyone),
                    ("signed-in", Introspection::SignedIn),
                    ("off", Introspection::Nobody),
                ],
            )?,
            cors_origins: cors_origins(environment)?,
            free_server_jobs: environment.choice("FREE_SERVER_JOBS", &[("on", true), ("off", false)])?,
            request_timeout,
            trusted_proxies: trusted_proxies(environment)?,
            trusted_documents: trusted_documents(environment)?,
            allowances: allowances(environment)?,
            // Last, because it writes.
            jwt_secret: jwt_secret(environment, worker.data_folder().as_deref())?,
            worker,
        })
    }
}

/// A link to a path under the public URL, which has none of its own.
pub fn link(public_url: &Url, path: &str) -> Url {
    let mut link = public_url.clone();
    link.set_path(path);
    link
}

fn public_url(environment: &Environment, bind: SocketAddr) -> Result<Url, ConfigError> {
    const RULE: &str =
        "must be an http:// or https:// URL without a path, for example https://simulator.example.org";
    let unset = || {
        // An address that stands for every interface is none that a client could open.
        let host = if bind.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { bind.ip() };
        format!("http://{}/", SocketAddr::new(host, bind.port()))
    };
    let url = environment.text("PUBLIC_URL").unwrap_or_else(unset);
    match Url::parse(&url) {
        Ok(url)
            if ["http", "https"].contains(&url.scheme())
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty() =>
        {
            Ok(url)
        }
        _ => Err(ConfigError::new("PUBLIC_URL", RULE)),
    }
}

fn trusted_proxies(environment: &Environment) -> Result<Vec<IpNet>, ConfigError> {
    let list = environment.text("TRUSTED_PROXIES").unwrap_or_default();
    let networks = list.split(',').map(str::trim).filter(|network| !network.is_empty());
    networks
        .map(|network| {
            let address = || network.parse::<IpAddr>().map(IpNet::from);
            network.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
                ConfigError::new(
                    "TRUSTED_PROXIES",
                    "must be a list of addresses or networks with commas between them, for example 10.0.0.0/8,192.0.2.7",
                )
            })
        })
        .collect()
}

fn trusted_documents(environment: &Environment) -> Result<Option<TrustedDocuments>, ConfigError> {
    let Some(file) = environment.text("TRUSTED_DOCUMENTS") else { return Ok(None) };
    let read = fs::read(&file).map_err(|error| error.to_string());
    read.and_then(|text| TrustedDocuments::read(&text)).map(Some).map_err(|why| {
        ConfigError::new(
            "TRUSTED_DOCUMENTS",
            format!("must name a JSON file of documents by their ids, and {file} is none: {why}"),
        )
    })
}

fn allowances(environment: &Environment) -> Result<Allowances, ConfigError> {
    let mut allowances = Allowances::default();
    let points = |name, default: Option<NonZeroU32>| match environment.text(name).as_deref() {
        None => Ok(default),
        Some("off") => Ok(None),
        Some(points) => {
            let rule = "must be points a minute, from 1 to 1000000, or off";
            let points = points.parse().ok().filter(|points: &NonZeroU32| points.get() <= 1_000_000);
            points.map(Some).ok_or_else(|| ConfigError::new(name, rule))
        }
    };
    let live =
        |name, default: u32| environment.number(name, default.into(), 0..=1_000_000).map(|live| live as u32);
    let Allowances { anonymous, free, premium, sockets_per_address } = &mut allowances;
    anonymous.points_per_minute = points("RATE_LIMIT_ANONYMOUS", anonymous.points_per_minute)?;
    free.points_per_minute = points("RATE_LIMIT_FREE", free.points_per_minute)?;
    premium.points_per_minute = points("RATE_LIMIT_PREMIUM", premium.points_per_minute)?;
    free.live_subscriptions = live("LIVE_SUBSCRIPTIONS_FREE", free.live_subscriptions)?;
    premium.live_subscriptions = live("LIVE_SUBSCRIPTIONS_PREMIUM", premium.live_subscriptions)?;
    *sockets_per_address = live("SOCKETS_PER_ADDRESS", *sockets_per_address)?;
    Ok(allowances)
}

fn cors_origins(environment: &Environment) -> Result<Vec<HeaderValue>, ConfigError> {
    let list = environment.text("CORS_ORIGINS").unwrap_or_default();
    let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    origins
        .map(|origin| {
            let parsed = Url::parse(origin).ok().filter(|url| url.origin().ascii_serialization() == origin);
            parsed.and_then(|_| HeaderValue::from_str(origin).ok()).ok_or_else(|| {
                ConfigError::new(
                    "CORS_ORIGINS",
                    "must be a list of origins with commas between them, for example https://app.example.org,http://localhost:3000",
                )
            })
        })
        .collect()
}

fn jwt_secret(environment: &Environment, data_folder: Option<&Path>) -> Result<Secret, ConfigError> {
    let rule = format!("must be at least {SECRET_BYTES} bytes long");
    if let Some(folder) = data_folder {
        fs::create_dir_all(folder).map_err(|error| {
            ConfigError::new(
                "DATABASE_URL",
                format!("names a folder that cannot be made, {}: {error}", folder.display()),
            )
        })?;
    }
    let secret = match (environment.text("JWT_SECRET"), data_folder) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(folder)) => {
            let file = folder.join(SECRET_FILE);
            stored_secret(&file).map_err(|error| {
                ConfigError::new(
                    "JWT_SECRET",
                    format!("is not set and {} cannot be used: {error}", file.display()),
                )
            })?
        }
        (None, None) => {
            return Err(ConfigError::new("JWT_SECRET", format!("must be set with PostgreSQL and {rule}")));
        }
    };
    if secret.len() < SECRET_BYTES { Err(ConfigError::new("JWT_SECRET", rule)) } else { Ok(Secret(secret)) }
}

/// The key in `file`, which is made when it is not there: readable by its owner alone from its first moment.
fn stored_secret(file: &Path) -> std::io::Result<Vec<u8>> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut created) => {
            let secret = BASE64_STANDARD.encode(rand::random::<[u8; SECRET_BYTES]>());
            created.write_all(secret.as_bytes())?;
            Ok(secret.into_bytes())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(fs::read(file)?.trim_ascii().to_vec()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, os::unix::fs::PermissionsExt, path::PathBuf};

    use super::*;

    const LONG: &str = "0123456789abcdef0123456789abcdef";

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("simulator-config-{}", uuid::Uuid::new_v4())))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A test that made no folder has none to remove.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn read(folder: &Folder, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut all: HashMap<String, String> =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        all.entry("DATABASE_URL".into())
            .or_insert_with(|| format!("sqlite://{}/s.sqlite", folder.0.display()));
        Config::read(&Environment::new(|name| all.get(name).cloned()))
    }

    #[test]
    fn the_embedded_mode_makes_its_own_signing_key_and_keeps_it() {
        let folder = Folder::new();
        let first = read(&folder, &[]).unwrap();
        let mode = fs::metadata(folder.0.join(SECRET_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(first.jwt_secret.expose().len() >= SECRET_BYTES);
        assert_eq!(first.jwt_secret, read(&folder, &[]).unwrap().jwt_secret);
        assert_ne!(first.jwt_secret, read(&Folder::new(), &[]).unwrap().jwt_secret);
        assert_eq!(read(&folder, &[("JWT_SECRET", LONG)]).unwrap().jwt_secret.expose(), LONG.as_bytes());
    }

    #[test]
    fn postgres_requires_a_long_signing_key() {
        let folder = Folder::new();
        let production = [("DATABASE_URL", "postgres://db/x"), ("REDIS_URL", "redis://cache")];
        let missing = read(&folder, &production).unwrap_err().to_string();
        assert_eq!(missing, "JWT_SECRET must be set with PostgreSQL and must be at least 32 bytes long");
        let mut short = production.to_vec();
        short.push(("JWT_SECRET", "short"));
        assert_eq!(
            read(&folder, &short).unwrap_err().to_string(),
            "JWT_SECRET must be at least 32 bytes long"
        );
    }

    #[test]
    fn a_secret_stays_out_of_debug_output() {
        let text = format!("{:?}", read(&Folder::new(), &[("JWT_SECRET", LONG)]).unwrap());
        assert!(!text.contains(LONG) && text.contains("REDACTED"), "{text}");
    }

    #[test]
    fn links_follow_the_address_unless_told_otherwise() {
        let folder = Folder::new();
        let url = |variables: &[(&str, &str)]| read(&folder, variables).unwrap().public_url.to_string();
        assert_eq!(url(&[]), "http://127.0.0.1:8000/");
        assert_eq!(url(&[("BIND", "0.0.0.0:9000")]), "http://127.0.0.1:9000/");
        assert_eq!(url(&[("PUBLIC_URL", "https://x.example.org")]), "https://x.example.org/");
    }

    #[test]
    fn every_rule_names_its_variable() {
        let folder = Folder::new();
        for (name, bad) in [
            ("BIND", "localhost"),
            ("PUBLIC_URL", "simulator.example.org"),
            ("PUBLIC_URL", "https://example.org/simulator"),
            ("INTROSPECTION", "yes"),
            ("CORS_ORIGINS", "*"),
            ("CORS_ORIGINS", "https://a.example.org/,https://b.example.org"),
            ("FREE_SERVER_JOBS", "maybe"),
            ("REQUEST_TIMEOUT_SECONDS", "0"),
            ("TRUSTED_PROXIES", "10.0.0.0/8;192.0.2.7"),
            ("TRUSTED_DOCUMENTS", "/nowhere.json"),
            ("RATE_LIMIT_FREE", "0"),
            ("RATE_LIMIT_ANONYMOUS", "none"),
            ("LIVE_SUBSCRIPTIONS_PREMIUM", "-1"),
            ("JWT_SECRET", "short"),
        ] {
            let line = read(&folder, &[(name, bad)]).unwrap_err().to_string();
            assert!(line.starts_with(&format!("{name} must ")), "{line}");
        }
    }

    #[test]
    fn origins_are_a_list() {
        let config =
            read(&Folder::new(), &[("CORS_ORIGINS", "https://a.example.org, http://localhost:3000")])
                .unwrap();
        assert_eq!(config.cors_origins, ["https://a.example.org", "http://localhost:3000"]);
    }
}
