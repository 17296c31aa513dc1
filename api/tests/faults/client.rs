//! The API as its users see it.

use std::{
    collections::BTreeSet,
    sync::Mutex,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use tokio::time::sleep;

/// How long a user tries to have a job accepted.
const PATIENCE: Duration = Duration::from_secs(60);

const REGISTER: &str = "mutation ($input: UserRegisterInput!) { userRegister(input: $input) {
    session { accessToken } userErrors { code message } } }";
const SIGN_IN: &str = "mutation ($input: SessionCreateInput!) { sessionCreate(input: $input) {
    session { accessToken } userErrors { code message } } }";
const CREATE_DESIGN: &str = "mutation ($input: DesignCreateInput!) { designCreate(input: $input) {
    design { id } userErrors { code message } } }";
const CREATE_WORKLOAD: &str = "mutation ($input: WorkloadCreateInput!) { workloadCreate(input: $input) {
    workload { id } userErrors { code message } } }";
const SUBMIT: &str = "mutation ($input: SimulationJobSubmitInput!) { simulationJobSubmit(input: $input) {
    job { id status } userErrors { code message } } }";
const CANCEL: &str = "mutation ($input: SimulationJobCancelInput!) { simulationJobCancel(input: $input) {
    job { id status } userErrors { code message } } }";

/// Why the API did not do what it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// No answer: nobody knows what came of it.
    Silence(String),
    /// An error with a code, and everything that the answer says.
    Fault { code: String, answer: String },
    /// A mistake of the user, by its code.
    Mistake { code: String, message: String },
}

/// How large a simulation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A few milliseconds, and every event kept.
    Small,
    /// A good part of a second, and some thousands of events.
    Medium,
    /// Seconds: it runs when something happens.
    Long,
    /// As long, with more events than fit into little memory.
    Growing,
}

/// Who uses the API, and with what.
#[derive(Clone, Debug)]
pub struct Account {
    pub email: String,
    pub design: String,
    workloads: [String; 3],
}

/// An account that is signed in.
pub struct Person {
    account: Account,
    http: reqwest::Client,
    endpoint: String,
    token: Option<String>,
    /// Ids of the jobs whose acceptance was seen, as the tables have them, in hexadecimal.
    pub accepted: Mutex<BTreeSet<String>>,
}

const PASSWORD: &str = "good enough";

impl Person {
    fn new(account: Account, port: u16) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        let endpoint = format!("http://127.0.0.1:{port}/graphql");
        Self { account, http, endpoint, token: None, accepted: Mutex::default() }
    }

    /// A new account with a design and workloads of its own.
    pub async fn register(handle: &str, port: u16) -> Account {
        let email = format!("{handle}@example.com");
        let account = Account { email: email.clone(), design: String::new(), workloads: Default::default() };
        let mut person = Self::new(account, port);
        let input = json!({ "handle": handle, "email": email, "password": PASSWORD });
        let made = person.mutate(REGISTER, input).await.unwrap();
        person.token = made["session"]["accessToken"].as_str().map(str::to_owned);
        let data = person.send("{ templates(first: 100) { nodes { id slug } } }", json!({})).await.unwrap();
        let templates = data["templates"]["nodes"].as_array().unwrap();
        let template = templates.iter().find(|template| template["slug"] == "heap-btree").unwrap();
        let input = json!({ "name": handle, "templateId": template["id"] });
        let made = person.mutate(CREATE_DESIGN, input).await.unwrap();
        person.account.design = text(&made["design"]["id"]);
        for (at, operations) in [300, 100_000, 6_000_000].into_iter().enumerate() {
            let input = json!({
                "name": format!("{operations} operations"),
                "operations": [
                    { "type": "SELECT", "template": "SELECT * FROM main WHERE key = ?", "weight": 1 },
                    { "type": "UPDATE", "template": "UPDATE main SET field0 = ? WHERE key = ?", "weight": 1 },
                ],
                "config": {
                    "totalOperations": operations.to_string(), "concurrency": 4,
                    "recordCount": "2000", "recordBytes": 200,
                },
            });
            let made = person.mutate(CREATE_WORKLOAD, input).await.unwrap();
            person.account.workloads[at] = text(&made["workload"]["id"]);
        }
        person.account
    }

    pub async fn sign_in(account: Account, port: u16) -> Self {
        let mut person = Self::new(account, port);
        let input = json!({ "email": person.account.email, "password": PASSWORD });
        let made = person.mutate(SIGN_IN, input).await.unwrap();
        person.token = Some(text(&made["session"]["accessToken"]));
        person
    }

    /// The data of an answer without errors.
    pub async fn send(&self, query: &str, variables: Json) -> Result<Json, Refusal> {
        let mut request =
            self.http.post(&self.endpoint).json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let silence = |error: reqwest::Error| Refusal::Silence(error.to_string());
        let mut answer: Json = request.send().await.map_err(silence)?.json().await.map_err(silence)?;
        match answer["errors"].get(0) {
            Some(error) => Err(Refusal::Fault {
                code: error["extensions"]["code"].as_str().unwrap_or_default().to_owned(),
                answer: answer.to_string(),
            }),
            None => Ok(answer["data"].take()),
        }
    }

    /// The payload of a mutation without mistakes in it.
    async fn mutate(&self, query: &str, input: Json) -> Result<Json, Refusal> {
        let data = self.send(query, json!({ "input": input })).await?;
        let payload = data.as_object().and_then(|fields| fields.values().next()).cloned().unwrap();
        match payload["userErrors"].get(0) {
            Some(mistake) => {
                Err(Refusal::Mistake { code: text(&mistake["code"]), message: text(&mistake["message"]) })
            }
            None => Ok(payload),
        }
    }

    /// Asks once for a simulation; the job's id for the API.
    pub async fn submit_once(&self, key: &str, size: Size, seed: u64) -> Result<String, Refusal> {
        let (trace, max_events) = match size {
            Size::Small => ("FULL", 100_000),
            Size::Medium => ("FULL", 3_000),
            Size::Long => ("NONE", 0),
            Size::Growing => ("FULL", 100_000),
        };
        let workload = match size {
            Size::Growing => Size::Long,
            size => size,
        };
        let input = json!({
            "idempotencyKey": key, "designId": self.account.design,
            "workloadId": self.account.workloads[workload as usize], "seed": seed.to_string(),
            "trace": trace, "maxEvents": max_events,
        });
        let payload = self.mutate(SUBMIT, input).await?;
        let id = text(&payload["job"]["id"]);
        self.accepted.lock().unwrap().insert(row_id(&id));
        Ok(id)
    }

    /// Asks for a simulation, as often under the same key as it takes.
    pub async fn submit(&self, key: &str, size: Size, seed: u64) -> String {
        let started = Instant::now();
        loop {
            match self.submit_once(key, size, seed).await {
                Ok(id) => return id,
                Err(refusal @ Refusal::Mistake { .. }) => panic!("{key}: {refusal:?}"),
                Err(refusal) => assert!(started.elapsed() < PATIENCE, "{key}: {refusal:?}"),
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// The job's status as the answer gives it.
    pub async fn cancel(&self, id: &str) -> Result<String, Refusal> {
        let payload = self.mutate(CANCEL, json!({ "id": id })).await?;
        Ok(text(&payload["job"]["status"]))
    }
}

/// The key in a global id, in hexadecimal without hyphens.
pub fn row_id(id: &str) -> String {
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(id).unwrap()).unwrap();
    decoded.split_once(':').unwrap().1.replace('-', "")
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
