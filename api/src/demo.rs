//! `api demo`: serves, and uses what it serves like any client would, over HTTP: signs in, makes two designs, has them
//! simulated as jobs, and compares the results.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use futures_util::future::try_join_all;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{config::Config, error::StartError, server::Server, service::accounts};

/// The templates that are compared, and the workload both get.
const TEMPLATES: [&str; 2] = ["heap-btree", "clustered-large-pool"];
const WORKLOAD: &str = "ycsb-a";
/// Between two looks at the jobs.
const POLL: Duration = Duration::from_millis(150);
const BAR_STEPS: u64 = 1_000;

/// Why the demonstration ended early; fit for its user's eyes.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the API cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("the API answered with errors: {0}")]
    Refused(String),
    #[error("the API answered in an unexpected form: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("there is no template {0}")]
    NoTemplate(&'static str),
    #[error("the simulation of \"{design}\" ended as {status}: {reason}")]
    Failed { design: String, status: String, reason: String },
    #[error("the demo account cannot be made: {0}")]
    Account(String),
}

/// Serves and demonstrates; `once` stops serving after the comparison, else it goes on until the process is told to end.
///
/// # Errors
/// What kept the server from starting, or the demonstration from ending well.
pub async fn run(config: Config, once: bool) -> Result<(), StartError> {
    let server = Server::start(config).await?;
    match demonstrate(&server).await {
        Ok(()) if once => server.stop().await,
        Ok(()) => {
            println!("Serving until Ctrl-C.");
            server.run().await
        }
        Err(error) => {
            server.stop().await?;
            Err(error.into())
        }
    }
}

async fn demonstrate(server: &Server) -> Result<(), DemoError> {
    let password = accounts::ensure_demo_account(&server.state.services)
        .await
        .map_err(|error| DemoError::Account(error.to_string()))?;
    let mut client = Client::new(format!("http://{}/graphql", server.address))?;
    client.sign_in(accounts::DEMO_EMAIL, &password).await?;

    let workload = client.workload().await?;
    let bars = MultiProgress::new();
    let mut jobs = Vec::new();
    for slug in TEMPLATES {
        jobs.push(client.submit(slug, &workload, &bars).await?);
    }
    let runs = try_join_all(jobs.iter().map(async |job| {
        let summary = client.finish(job).await?;
        Ok::<_, DemoError>((job.design.name.as_str(), summary))
    }))
    .await?;
    println!("\n{} on two designs:\n{}\n", workload.name, comparison(&runs));
    println!("Playground  {}graphiql/", server.state.config.public_url);
    println!("E-mail      {}\nPassword    {password}", accounts::DEMO_EMAIL);
    Ok(())
}

/// A GraphQL client with a session.
struct Client {
    http: reqwest::Client,
    endpoint: String,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    name: String,
}

/// A simulation under way.
struct Job {
    id: String,
    design: Named,
    bar: ProgressBar,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobState {
    status: String,
    progress: f64,
    failure: Option<Failure>,
    run: Option<Run>,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
}

#[derive(Deserialize)]
struct Run {
    summary: Option<Summary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    throughput_qps: Option<f64>,
    latency_p50_ms: Option<f64>,
    latency_p95_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    pages_read: Option<String>,
    pages_written: Option<String>,
    cache_hit_ratio: Option<f64>,
}

impl Client {
    fn new(endpoint: String) -> Result<Self, DemoError> {
        // The server is on this machine, whatever proxy leads to others.
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, endpoint, token: None })
    }

    /// Sends an operation and returns its data; mistakes in a payload count as errors here.
    async fn send(&self, query: &str, variables: Json) -> Result<Json, DemoError> {
        let mut request =
            self.http.post(&self.endpoint).json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut answer: Json = request.send().await?.json().await?;
        if let Some(errors) = answer.get("errors") {
            return Err(DemoError::Refused(errors.to_string()));
        }
        let data = answer["data"].take();
        let mistakes =
            data.as_object().into_iter().flatten().find_map(|(_, payload)| payload.get("userErrors"));
        match mistakes.and_then(Json::as_array) {
            Some(mistakes) if !mistakes.is_empty() => Err(DemoError::Refused(json!(mistakes).to_string())),
            _ => Ok(data),
        }
    }

    async fn sign_in(&mut self, email: &str, password: &str) -> Result<(), DemoError> {
        const QUERY: &str = "mutation SignIn($input: SessionCreateInput!) {
            sessionCreate(input: $input) { session { accessToken } userErrors { message path } } }";
        let mut data = self.send(QUERY, json!({ "input": { "email": email, "password": password } })).await?;
        self.token = Some(Deserialize::deserialize(data["sessionCreate"]["session"]["accessToken"].take())?);
        Ok(())
    }

    async fn workload(&self) -> Result<Named, DemoError> {
        const QUERY: &str = "query { workloadTemplates(first: 100) { nodes { id name } } }";
        let mut data = self.send(QUERY, json!({})).await?;
        let workloads: Vec<Named> = Deserialize::deserialize(data["workloadTemplates"]["nodes"].take())?;
        let known = engine::templates::workloads().iter().find(|template| template.slug == WORKLOAD);
        let found =
            workloads.into_iter().find(|workload| known.is_some_and(|known| known.name == workload.name));
        found.ok_or(DemoError::NoTemplate(WORKLOAD))
    }

    /// Makes a design of a template and has it simulated.
    async fn submit(
        &self,
        slug: &'static str,
        workload: &Named,
        bars: &MultiProgress,
    ) -> Result<Job, DemoError> {
        const TEMPLATES: &str = "query { templates(first: 100) { nodes { id name slug } } }";
        const CREATE: &str = "mutation Create($input: DesignCreateInput!) {
            designCreate(input: $input) { design { id name } userErrors { message path } } }";
        const SUBMIT: &str = "mutation Submit($input: SimulationJobSubmitInput!) {
            simulationJobSubmit(input: $input) { job { id } userErrors { message path } } }";

        let mut data = self.send(TEMPLATES, json!({})).await?;
        let templates = data["templates"]["nodes"].take();
        let template = templates
            .as_array()
            .and_then(|templates| templates.iter().find(|template| template["slug"] == slug))
            .ok_or(DemoError::NoTemplate(slug))?;

        let input = json!({ "name": template["name"], "templateId": template["id"] });
        let mut data = self.send(CREATE, json!({ "input": input })).await?;
        let design: Named = Deserialize::deserialize(data["designCreate"]["design"].take())?;

        let key = uuid::Uuid::now_v7();
        let input = json!({ "idempotencyKey": key, "designId": design.id, "workloadId": workload.id });
        let mut data = self.send(SUBMIT, json!({ "input": input })).await?;
        let id = Deserialize::deserialize(data["simulationJobSubmit"]["job"]["id"].take())?;

        let bar = bars.add(ProgressBar::new(BAR_STEPS).with_style(style()).with_message(design.name.clone()));
        bar.tick();
        Ok(Job { id, design, bar })
    }

    /// Follows a job to its end.
    async fn finish(&self, job: &Job) -> Result<Summary, DemoError> {
        const QUERY: &str =
            "query Job($id: ID!) { simulationJob(id: $id) { status progress failure { message }
            run { summary { throughputQps latencyP50Ms latencyP95Ms latencyP99Ms pagesRead pagesWritten
            cacheHitRatio } } } }";
        loop {
            let mut data = self.send(QUERY, json!({ "id": job.id })).await?;
            let state: JobState = Deserialize::deserialize(data["simulationJob"].take())?;
            job.bar.set_position((state.progress * BAR_STEPS as f64) as u64);
            match state.status.as_str() {
                "QUEUED" | "RUNNING" => tokio::time::sleep(POLL).await,
                "COMPLETED" => {
                    job.bar.finish();
                    let summary = state.run.and_then(|run| run.summary);
                    return summary
                        .ok_or_else(|| DemoError::Refused("a completed job has no summary".into()));
                }
                _ => {
                    job.bar.abandon();
                    let reason =
                        state.failure.map_or_else(|| "no reason given".into(), |found| found.message);
                    let design = job.design.name.clone();
                    return Err(DemoError::Failed { design, status: state.status, reason });
                }
            }
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{msg:45} {bar:30} {percent:>3} %  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn comparison(runs: &[(&str, Summary)]) -> Table {
    type Figure = (&'static str, fn(&Summary) -> Option<String>);
    const FIGURES: [Figure; 7] = [
        ("Throughput (operations/s)", |summary| summary.throughput_qps.map(|value| format!("{value:.0}"))),
        ("Latency p50 (ms)", |summary| summary.latency_p50_ms.map(|value| format!("{value:.3}"))),
        ("Latency p95 (ms)", |summary| summary.latency_p95_ms.map(|value| format!("{value:.3}"))),
        ("Latency p99 (ms)", |summary| summary.latency_p99_ms.map(|value| format!("{value:.3}"))),
        ("Pages read", |summary| summary.pages_read.clone()),
        ("Pages written", |summary| summary.pages_written.clone()),
        ("Cache hit ratio", |summary| summary.cache_hit_ratio.map(|value| format!("{value:.4}"))),
    ];
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(std::iter::once("").chain(runs.iter().map(|(design, _)| *design)));
    for (name, figure) in FIGURES {
        let values = runs.iter().map(|(_, summary)| figure(summary).unwrap_or_else(|| "–".into()));
        table.add_row(std::iter::once(name.to_owned()).chain(values));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_a_figure_and_a_dash_for_what_is_unknown() {
        let summary = Summary {
            throughput_qps: Some(1234.4),
            latency_p50_ms: Some(0.5),
            latency_p95_ms: None,
            latency_p99_ms: Some(2.0),
            pages_read: Some("12".into()),
            pages_written: Some("3".into()),
            cache_hit_ratio: Some(0.98765),
        };
        let text = comparison(&[("One", summary)]).to_string();
        for expected in ["One", "1234", "0.500", "–", "2.000", "12", "0.9877"] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }
}
