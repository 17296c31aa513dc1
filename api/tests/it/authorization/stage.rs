//! The people of the table, and a design with everything that hangs on it.

use std::collections::HashMap;

use api::{
    auth,
    graphql::id::{GlobalId, design_key},
    service::administration::{make_admin, set_plan_of},
};
use async_graphql::ID;
use entity::{status::Tier, store::designs};
use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::graphql::{App, Person};

/// Everyone, and the plan of those who have an account. The premium one is a stranger who pays.
pub const PERSONAS: [(&str, Option<Tier>); 7] = [
    ("anonymous", None),
    ("owner", Some(Tier::Premium)),
    ("stranger", Some(Tier::Free)),
    ("viewer", Some(Tier::Free)),
    ("editor", Some(Tier::Premium)),
    ("premium", Some(Tier::Premium)),
    ("admin", Some(Tier::Free)),
];
const OWNER: usize = 1;
pub const PASSWORD: &str = "good enough";
/// The key under which everyone exports their data: the same call again is the same export.
pub const EXPORT_KEY: &str = "export";

/// How a design can be shown; an archived one was public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Private,
    Unlisted,
    Public,
    Archived,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Private, Self::Unlisted, Self::Public, Self::Archived];

    fn visibility(self) -> &'static str {
        match self {
            Self::Private => "PRIVATE",
            Self::Unlisted => "UNLISTED",
            Self::Public | Self::Archived => "PUBLIC",
        }
    }
}

/// Someone who asks.
pub struct Persona<'a> {
    pub name: &'static str,
    pub person: Person<'a>,
    /// Of a session of their own; the anonymous one has found somebody's.
    pub refresh_token: Json,
    /// A design of their own; the anonymous one has made it up.
    pub own_design: Json,
}

impl Persona<'_> {
    pub async fn first_message(&self, document: &str, variables: Json) -> Json {
        self.person.subscribe(document, variables).next().await.unwrap()
    }
}

/// A design of the owner with what hangs on it, and what else is the owner's.
#[derive(Clone)]
pub struct Things {
    pub name: String,
    pub design: Json,
    pub share_token: Json,
    pub version: Json,
    pub branch: Json,
    pub workload: Json,
    pub run: Json,
    pub event: Json,
    pub job: Json,
    pub block_config: Json,
    pub user: Json,
    pub session: Json,
    pub export: Json,
}

impl Things {
    /// Ids and words that were never given out.
    pub fn made_up() -> Self {
        let key = Uuid::now_v7;
        let id = |id: GlobalId| json!(ID::from(id));
        Self {
            name: key().to_string(),
            design: id(GlobalId::Design(key())),
            share_token: json!(key().simple().to_string()),
            version: id(GlobalId::DesignVersion(key())),
            branch: id(GlobalId::Branch(key())),
            workload: id(GlobalId::Workload(key())),
            run: id(GlobalId::SimulationRun(key())),
            event: id(GlobalId::RunEvent(key(), 0)),
            job: id(GlobalId::SimulationJob(key())),
            block_config: id(GlobalId::BlockConfig(key())),
            user: id(GlobalId::User(key())),
            session: id(GlobalId::Session(key())),
            export: id(GlobalId::UserDataExportJob(key())),
        }
    }
}

/// What a row makes its variables of.
pub struct Scene<'a> {
    pub stage: &'a Stage<'a>,
    pub persona: &'a Persona<'a>,
    pub things: &'a Things,
}

/// Everyone, and what they ask about.
pub struct Stage<'a> {
    app: &'a App,
    pub personas: Vec<Persona<'a>>,
    pub template: Json,
    pub workload_template: Json,
    /// A design and a run that everyone may open.
    pub public: Things,
    /// What is the owner's, besides designs.
    user: Json,
    session: Json,
    export: Json,
    ready: HashMap<State, Things>,
}

const CREATE: &str = "mutation($input: DesignCreateInput!) { designCreate(input: $input) {
    design { id versions { nodes { id } } } userErrors { message } } }";
const SHARE: &str = "mutation($input: DesignCollaboratorSetInput!) { designCollaboratorSet(input: $input) {
    userErrors { message } } }";
const BRANCH: &str = "mutation($input: BranchCreateInput!) { branchCreate(input: $input) {
    branch { id } userErrors { message } } }";
const SAVE: &str = "mutation($input: SimulationRunSaveInput!) { simulationRunSave(input: $input) {
    run { id events { nodes { id } } } userErrors { message } } }";
const BLOCK_CONFIG: &str = "mutation($input: BlockConfigSaveInput!) { blockConfigSave(input: $input) {
    blockConfig { id } userErrors { message } } }";
const ARCHIVE: &str = "mutation($input: DesignArchiveInput!) { designArchive(input: $input) {
    userErrors { message } } }";
const EXPORT: &str = "mutation($input: UserDataExportInput!) { userDataExport(input: $input) {
    export { id } userErrors { message } } }";
const REGISTER: &str = "mutation($input: UserRegisterInput!) { userRegister(input: $input) {
    session { accessToken refreshToken } userErrors { message } } }";

/// A new account, and a refresh token of its session.
async fn register<'a>(app: &'a App, handle: &str) -> (Person<'a>, Json) {
    let input = json!({ "handle": handle, "email": email(handle), "password": PASSWORD });
    let session = app.anonymous().mutate(REGISTER, input).await["session"].clone();
    let header = format!("Bearer {}", session["accessToken"].as_str().unwrap());
    let viewer = auth::viewer_from_header(&app.tokens, Some(&header)).unwrap();
    (app.as_viewer(viewer), session["refreshToken"].clone())
}

pub fn email(handle: &str) -> String {
    format!("{handle}@example.com")
}

/// The input of `simulationRunSave`.
pub fn run_of(design: &Json, workload: &Json) -> Json {
    json!({
        "idempotencyKey": Uuid::new_v4(), "designId": design, "workloadId": workload,
        "startedAt": "2026-01-01T00:00:00Z", "completedAt": "2026-01-01T00:00:10Z", "summary": {},
        "events": [{ "sequence": 0, "time": "2026-01-01T00:00:01Z", "type": "page_read", "blockId": "disk", "payload": {} }],
    })
}

impl<'a> Stage<'a> {
    pub async fn set(app: &'a App) -> Self {
        let mut personas = Vec::new();
        for (name, tier) in PERSONAS {
            let (account, refresh_token) = register(app, name).await;
            let person = if tier.is_some() { account } else { app.anonymous() };
            let mut own_design = Things::made_up().design;
            if let Some(tier) = tier {
                set_plan_of(&app.services, &email(name), tier).await.unwrap().unwrap();
                own_design = person.design("Own", "PRIVATE").await["id"].clone();
            }
            personas.push(Persona { name, person, refresh_token, own_design });
        }
        make_admin(&app.services, &email("admin")).await.unwrap().unwrap();
        let owner = personas[OWNER].person;
        let viewer = owner.send("{ viewer { id sessions { id } } }", json!({})).await["viewer"].clone();
        let export = owner.mutate(EXPORT, json!({ "idempotencyKey": EXPORT_KEY })).await;
        let templates = owner.send("{ workloadTemplates(first: 1) { nodes { id } } }", json!({})).await;
        let mut stage = Self {
            app,
            template: owner.template("heap-btree").await,
            workload_template: templates["workloadTemplates"]["nodes"][0]["id"].clone(),
            personas,
            public: Things::made_up(),
            user: viewer["id"].clone(),
            session: viewer["sessions"][0]["id"].clone(),
            export: export["export"]["id"].clone(),
            ready: HashMap::new(),
        };
        stage.public = stage.make(State::Public).await;
        stage
    }

    /// A design in this state that nobody has changed yet.
    pub async fn things(&mut self, state: State) -> Things {
        if let Some(things) = self.ready.get(&state) {
            return things.clone();
        }
        let things = self.make(state).await;
        self.ready.insert(state, things.clone());
        things
    }

    /// The design in this state was changed: who comes next gets another.
    pub fn spend(&mut self, state: State) {
        self.ready.remove(&state);
    }

    async fn make(&self, state: State) -> Things {
        let owner = self.personas[OWNER].person;
        let name = format!("Design {}", Uuid::new_v4());
        let input = json!({ "name": name, "templateId": self.template, "visibility": state.visibility() });
        let design = owner.mutate(CREATE, input).await["design"].clone();
        let id = &design["id"];
        for (handle, role) in [("viewer", "VIEWER"), ("editor", "EDITOR")] {
            owner.mutate(SHARE, json!({ "designId": id, "handle": handle, "role": role })).await;
        }
        let branch = owner.mutate(BRANCH, json!({ "designId": id, "name": "side" })).await;
        let workload = owner.small_workload().await;
        let run = owner.mutate(SAVE, run_of(id, &workload)).await["run"].clone();
        let job = owner.submit(id, &workload).await;
        let config = json!({ "name": "Saved", "type": "disk", "parameters": {} });
        let config = owner.mutate(BLOCK_CONFIG, config).await;
        if state == State::Archived {
            owner.mutate(ARCHIVE, json!({ "id": id })).await;
        }
        // A private design has a link already, which is not told.
        let key = design_key(&ID::from(id.as_str().unwrap())).unwrap();
        let viewer = owner.viewer.map(|viewer| viewer.user_id);
        let row = designs::find_visible(&self.app.services.db, &[key], viewer).await.unwrap().pop().unwrap();
        Things {
            name,
            design: id.clone(),
            share_token: json!(row.share_token),
            version: design["versions"]["nodes"][0]["id"].clone(),
            branch: branch["branch"]["id"].clone(),
            workload,
            run: run["id"].clone(),
            event: run["events"]["nodes"][0]["id"].clone(),
            job: job["id"].clone(),
            block_config: config["blockConfig"]["id"].clone(),
            user: self.user.clone(),
            session: self.session.clone(),
            export: self.export.clone(),
        }
    }
}
