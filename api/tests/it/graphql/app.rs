//! A schema over stores of its own, and people to use it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use api::{
    auth::{self, Tokens, Viewer},
    config::Config,
    graphql::{self, RequestContext, Schema},
    service,
};
use async_graphql::{Request, Variables};
use entity::{status::Tier, store::Connection as _, testing::TestDatabase};
use futures_util::{Stream, StreamExt as _};
use serde_json::{Value as Json, json};
use uuid::Uuid;
use worker::{
    bus::Bus,
    cache::Cache,
    config::Environment,
    pool::{Services, drain},
    queue::{Clock, Queue},
};

pub struct App {
    pub services: Services,
    pub schema: Schema,
    pub tokens: Tokens,
    pub config: Config,
    statements: Arc<AtomicUsize>,
    redis: Option<String>,
    namespace: String,
    database: Arc<TestDatabase>,
}

/// Someone who sends operations; without a viewer, an anonymous one.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    app: &'a App,
    pub viewer: Option<Viewer>,
}

impl App {
    /// One app a mode: SQLite with the queue in it, and PostgreSQL with Redis where servers for tests are named.
    pub async fn all() -> Vec<Self> {
        let mut apps = vec![Self::over(TestDatabase::sqlite().await, None).await];
        if let (Some(database), Ok(redis)) = (TestDatabase::postgres().await, std::env::var("TEST_REDIS_URL"))
        {
            apps.push(Self::over(database, Some(redis)).await);
        }
        apps
    }

    async fn over(database: TestDatabase, redis: Option<String>) -> Self {
        let config = Config::read(&Environment::new(|name| match name {
            "DATABASE_URL" => Some(database.url.clone()),
            "REDIS_URL" => redis.clone(),
            "JWT_SECRET" => Some("a secret for tests, long enough for them".into()),
            _ => None,
        }))
        .unwrap();
        let mut db = database.db.clone();
        let statements = Arc::new(AtomicUsize::new(0));
        let counter = statements.clone();
        db.set_metric_callback(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let namespace = format!("test-{}", Uuid::new_v4());
        let queue = Queue::connect_in(redis.as_deref(), &namespace, &db, Clock::default()).await.unwrap();
        let bus = Bus::connect_in(redis.as_deref(), &namespace).await.unwrap();
        let cache = Cache::connect_in(redis.as_deref(), &namespace, &bus).await.unwrap();
        let services = Services { db, queue, bus, cache, replica: None };
        service::templates::seed(&services).await.unwrap();
        let tokens = Tokens::new(config.jwt_secret.expose());
        let schema = graphql::build(services.clone(), tokens.clone(), config.clone());
        let database = Arc::new(database);
        Self { services, schema, tokens, config, statements, redis, namespace, database }
    }

    /// The same app as another process has it, with a bus of its own; none in the embedded mode, which is one process.
    pub async fn another_process(&self) -> Option<Self> {
        let redis = self.redis.clone()?;
        let bus = Bus::connect_in(Some(&redis), &self.namespace).await.unwrap();
        let cache = Cache::connect_in(Some(&redis), &self.namespace, &bus).await.unwrap();
        let services = Services { bus, cache, ..self.services.clone() };
        let schema = graphql::build(services.clone(), self.tokens.clone(), self.config.clone());
        Some(Self {
            services,
            schema,
            tokens: self.tokens.clone(),
            config: self.config.clone(),
            statements: self.statements.clone(),
            redis: Some(redis),
            namespace: self.namespace.clone(),
            database: self.database.clone(),
        })
    }

    /// Someone who signed in elsewhere.
    pub fn as_viewer(&self, viewer: Option<Viewer>) -> Person<'_> {
        Person { app: self, viewer }
    }

    /// Gives an account the role of an admin.
    pub async fn make_admin(&self, handle: &str) {
        let sql = format!("UPDATE users SET role = 'admin' WHERE handle = '{handle}'");
        self.services.db.execute_unprepared(&sql).await.unwrap();
    }

    /// Which mode it is, for messages.
    pub fn kind(&self) -> &'static str {
        self.database.kind
    }

    pub fn anonymous(&self) -> Person<'_> {
        Person { app: self, viewer: None }
    }

    /// A new account on the FREE tier.
    pub async fn register(&self, handle: &str) -> Person<'_> {
        let input =
            json!({ "handle": handle, "email": format!("{handle}@example.com"), "password": "good enough" });
        let data = self.anonymous().send(REGISTER, json!({ "input": input })).await;
        let token = data["userRegister"]["session"]["accessToken"].as_str().unwrap();
        let header = format!("Bearer {token}");
        Person { app: self, viewer: auth::viewer_from_header(&self.tokens, Some(&header)).unwrap() }
    }

    /// A new account on the PREMIUM tier.
    pub async fn premium(&self, handle: &str) -> Person<'_> {
        let person = self.register(handle).await;
        let email = format!("{handle}@example.com");
        service::administration::set_plan_of(&self.services, &email, Tier::Premium).await.unwrap().unwrap();
        person
    }

    /// Every row of every table as text, with its table.
    pub async fn rows(&self) -> Vec<(String, String)> {
        self.database.rows().await
    }

    /// Runs every queued job.
    pub async fn drain(&self) -> usize {
        drain(&self.services, &self.config.worker).await.unwrap()
    }

    /// Statements sent to the database while `work` was done, and what it returned.
    pub async fn statements_of<T>(&self, work: impl Future<Output = T>) -> (usize, T) {
        let before = self.statements.load(Ordering::SeqCst);
        let value = work.await;
        (self.statements.load(Ordering::SeqCst) - before, value)
    }
}

const REGISTER: &str = "mutation Register($input: UserRegisterInput!) { userRegister(input: $input) {
    session { accessToken refreshToken user { handle } } userErrors { code path message } } }";

impl Person<'_> {
    /// The response as a client reads it.
    pub async fn response(&self, query: &str, variables: Json) -> Json {
        serde_json::to_value(self.app.schema.execute(self.request(query, variables)).await).unwrap()
    }

    /// The data of a response without errors.
    pub async fn send(&self, query: &str, variables: Json) -> Json {
        let mut response = self.response(query, variables).await;
        assert!(response.get("errors").is_none(), "{}: {response:#}", self.app.kind());
        response["data"].take()
    }

    /// The one payload of a mutation, without mistakes in it.
    pub async fn mutate(&self, query: &str, input: Json) -> Json {
        let payload = self.payload(query, input).await;
        assert_eq!(payload["userErrors"], json!([]), "{}", self.app.kind());
        payload
    }

    /// The one payload of a mutation.
    pub async fn payload(&self, query: &str, input: Json) -> Json {
        let data = self.send(query, json!({ "input": input })).await;
        data.as_object().and_then(|fields| fields.values().next()).cloned().unwrap()
    }

    /// The code of the first error of a response.
    pub async fn error_code(&self, query: &str, variables: Json) -> String {
        let response = self.response(query, variables).await;
        response["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("{response:#}"))
            .to_owned()
    }

    /// The messages of a subscription.
    pub fn subscribe(&self, query: &str, variables: Json) -> impl Stream<Item = Json> + Unpin + use<> {
        let stream = self.app.schema.execute_stream(self.request(query, variables));
        Box::pin(stream.map(|response| serde_json::to_value(response).unwrap()))
    }

    fn request(&self, query: &str, variables: Json) -> Request {
        let context = RequestContext {
            viewer: self.viewer,
            request_id: "test".into(),
            user_agent: None,
            client_ip: None,
        };
        let request = Request::new(query).variables(Variables::from_json(variables));
        graphql::attach(request, context, self.app.services.clone())
    }

    /// The id of the template with this slug.
    pub async fn template(&self, slug: &str) -> Json {
        let data = self.send("{ templates(first: 100) { nodes { id slug } } }", json!({})).await;
        let nodes = data["templates"]["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["slug"] == slug).unwrap()["id"].clone()
    }

    /// A design of a template.
    pub async fn design(&self, name: &str, visibility: &str) -> Json {
        let template = self.template("heap-btree").await;
        let input = json!({ "name": name, "templateId": template, "visibility": visibility });
        self.mutate(CREATE_DESIGN, input).await["design"].clone()
    }

    /// A workload small enough for a test.
    pub async fn small_workload(&self) -> Json {
        let input = json!({
            "name": "Small",
            "operations": [
                { "type": "SELECT", "template": "SELECT * FROM main WHERE key = ?", "weight": 1 },
                { "type": "UPDATE", "template": "UPDATE main SET field0 = ? WHERE key = ?", "weight": 1 },
            ],
            "config": { "totalOperations": "4000", "concurrency": 4, "recordCount": "5000", "recordBytes": 200 },
        });
        self.mutate(CREATE_WORKLOAD, input).await["workload"]["id"].clone()
    }

    /// Queues a simulation with an idempotency key of its own.
    pub async fn submit(&self, design: &Json, workload: &Json) -> Json {
        let input = json!({ "idempotencyKey": Uuid::new_v4(), "designId": design, "workloadId": workload, "fresh": true });
        self.mutate(SUBMIT, input).await["job"].clone()
    }
}

pub const CREATE_DESIGN: &str = "mutation Create($input: DesignCreateInput!) { designCreate(input: $input) {
    design { id name version visibility canvas { raw } versions { totalCount nodes { number } } }
    userErrors { __typename code path message
      ... on CanvasError { diagnostics { code path severity blockId message } } ... on QuotaError { limit used } } } }";
pub const CREATE_WORKLOAD: &str = "mutation Create($input: WorkloadCreateInput!) { workloadCreate(input: $input) {
    workload { id name isTemplate operations { type template weight } tables { name recordCount recordBytes keyBytes }
      config { totalOperations concurrency distribution recordCount recordBytes keyMin keyMax } }
    userErrors { code path message } } }";
pub const SUBMIT: &str =
    "mutation Submit($input: SimulationJobSubmitInput!) { simulationJobSubmit(input: $input) {
    job { id status priority seed timeoutSeconds progress queuePosition attempt }
    userErrors { __typename code path message ... on QuotaError { limit used } } } }";
