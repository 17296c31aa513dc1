//! A server for a test: a SQLite file of its own, a port of its own, and a client.

use std::{collections::HashMap, path::PathBuf};

use api::{config::Config, server::Server};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use worker::config::Environment;

/// A server of the embedded mode. Its files go when it is dropped.
pub struct TestServer {
    pub server: Server,
    pub http: reqwest::Client,
    _folder: Folder,
}

/// Removed when it is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // A server that was not stopped still holds the files, which Unix allows.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with these variables on top of what a test needs.
    pub async fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("simulator-api-{}", uuid::Uuid::new_v4()));
        let mut environment = HashMap::from([
            ("DATABASE_URL".to_owned(), format!("sqlite://{}/simulator.sqlite", folder.display())),
            ("BIND".to_owned(), "127.0.0.1:0".to_owned()),
            // Tests ask more often than anyone may.
            ("RATE_LIMIT_ANONYMOUS".to_owned(), "off".to_owned()),
        ]);
        environment.extend(variables.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        let config = Config::read(&Environment::new(|name| environment.get(name).cloned())).unwrap();
        let server = Server::start(config).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { server, http, _folder: Folder(folder) }
    }

    /// Stops it as a signal would.
    pub async fn stop(self) {
        self.server.stop().await.unwrap();
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// A POST of a JSON body to `/graphql`.
    pub fn post(&self, body: &Value) -> RequestBuilder {
        self.http.post(self.url("/graphql")).json(body)
    }

    /// The answer to a document, whatever it is.
    pub async fn ask(&self, query: &str) -> Value {
        self.post(&json!({ "query": query })).send().await.unwrap().json().await.unwrap()
    }
}

/// `extensions.code` of the first error.
pub fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}
