//! Ten thousand requests that nobody would write, made from the schema itself: whatever comes, the gateway answers, and says
//! nothing of its insides.

use api::{graphql, http::Gateway, router::router};
use async_graphql::parser::{
    parse_schema,
    types::{BaseType, InputValueDefinition, ServiceDocument, Type, TypeKind, TypeSystemDefinition},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, header},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::TestServer;

const REQUESTS: usize = 10_000;
const SEED: u64 = 0x5EED;
/// What only the insides would say.
const INSIDES: &[&str] = &[
    "panicked",
    "sqlx",
    "sea_orm",
    "sea-orm",
    "src/",
    ".rs:",
    "constraint",
    "stack backtrace",
    "database error",
    "no such column",
    "syntax error at or near",
    "unwrap()",
    "internal server error",
    "postgres",
    "sqlite",
    "redis",
];
const WORDS: &[&str] = &[
    "",
    "ada",
    "0",
    "-1",
    "1e999",
    "\u{1F980}",
    "\u{0}",
    "' OR 1=1 --",
    "../../etc/passwd",
    "${7*7}",
    "%00",
    "\\",
    "\"",
    "2026-01-01T00:00:00Z",
    "9223372036854775808",
    "main",
    "YCSB",
    "RGVzaWduOjE",
    "{\"a\":1}",
];

/// Makes documents from a schema.
struct Maker<'a> {
    schema: &'a ServiceDocument,
    rng: StdRng,
    ids: &'a [String],
}

impl Maker<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.rng.random_range(0..items.len())]
    }

    fn kind(&self, name: &str) -> Option<&'_ TypeKind> {
        self.schema.definitions.iter().find_map(|definition| match definition {
            TypeSystemDefinition::Type(found) if found.node.name.node == name => Some(&found.node.kind),
            _ => None,
        })
    }

    fn document(&mut self) -> String {
        let (keyword, root) = *self.pick(&[("query", "Query"), ("query", "Query"), ("mutation", "Mutation")]);
        let selections = self.selections(root, 0);
        let mut text = format!("{keyword} {selections}");
        if self.chance(35) {
            self.break_it(&mut text);
        }
        text
    }

    /// Some fields of a type, each with some arguments.
    fn selections(&mut self, of: &str, depth: usize) -> String {
        let fields = match self.kind(of) {
            Some(TypeKind::Object(object)) => object.fields.clone(),
            Some(TypeKind::Interface(interface)) => interface.fields.clone(),
            _ => return String::new(),
        };
        let mut text = String::from("{ __typename ");
        for i in 0..self.rng.random_range(1..4) {
            let field = &self.pick(&fields).node;
            let arguments =
                self.arguments(&field.arguments.iter().map(|argument| &argument.node).collect::<Vec<_>>());
            let inner = named(&field.ty.node);
            let composite = matches!(self.kind(inner), Some(TypeKind::Object(_) | TypeKind::Interface(_)));
            if composite && depth > 5 {
                continue;
            }
            text += &format!("f{depth}{i}: {}{arguments} ", field.name.node);
            if composite {
                text += &self.selections(inner, depth + 1);
            }
        }
        text + "} "
    }

    fn arguments(&mut self, definitions: &[&InputValueDefinition]) -> String {
        let mut given = Vec::new();
        for definition in definitions {
            // Seldom all of them, seldom none of those that must be there.
            if self.chance(if definition.ty.node.nullable { 35 } else { 97 }) {
                given.push(format!("{}: {}", definition.name.node, self.value(&definition.ty.node, 0)));
            }
        }
        if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) }
    }

    /// A value as GraphQL writes it, of this type more often than not.
    fn value(&mut self, ty: &Type, depth: usize) -> String {
        if self.chance(4) {
            return (*self.pick(&["null", "true", "-7", "1.5", "[]", "{}", "NOPE", "\"text\"", "[[[1]]]"]))
                .to_owned();
        }
        let name = match &ty.base {
            BaseType::List(inner) => {
                let items: Vec<String> =
                    (0..self.rng.random_range(0..4)).map(|_| self.value(inner, depth)).collect();
                return format!("[{}]", items.join(", "));
            }
            BaseType::Named(name) => name.as_str(),
        };
        match self.kind(name) {
            Some(TypeKind::Enum(kind)) => {
                let values: Vec<String> =
                    kind.values.iter().map(|value| value.node.value.node.to_string()).collect();
                self.pick(&values).clone()
            }
            Some(TypeKind::InputObject(input)) if depth < 4 => {
                let fields = input.fields.clone();
                let mut given = Vec::new();
                for field in &fields {
                    if self.chance(if field.node.ty.node.nullable { 40 } else { 98 }) {
                        given.push(format!(
                            "{}: {}",
                            field.node.name.node,
                            self.value(&field.node.ty.node, depth + 1)
                        ));
                    }
                }
                format!("{{{}}}", given.join(", "))
            }
            _ => self.scalar(name),
        }
    }

    fn scalar(&mut self, name: &str) -> String {
        let word = |maker: &mut Self| Value::from(*maker.pick(WORDS)).to_string();
        match name {
            "Int" => (*self.pick(&["0", "1", "2", "10", "100", "101", "-1", "2147483647", "2147483648"])).to_owned(),
            "Float" => (*self.pick(&["0", "0.5", "1.0", "-1.5", "1e308", "99"])).to_owned(),
            "Boolean" => (*self.pick(&["true", "false"])).to_owned(),
            "ID" if self.chance(70) => Value::from(self.pick(self.ids).clone()).to_string(),
            "BigInt" => (*self.pick(&["\"100\"", "5", "\"-1\"", "\"x\"", "\"9223372036854775807\""])).to_owned(),
            "DateTime" => (*self.pick(&["\"2026-01-01T00:00:00Z\"", "\"soon\"", "\"+262143-12-31T23:59:59Z\""])).to_owned(),
            "JSON" => (*self.pick(&[
                "{}", "{blocks: [], connections: []}", "[1, {a: null}]", "\"\\u0000\"", "7", "{blocks: [{id: 1}]}",
                "{blocks: [{id: \"a\", type: \"heap_file\", position: {x: 0, y: 0}, parameters: {}}], connections: []}",
            ])).to_owned(),
            _ => word(self),
        }
    }

    /// Cuts, doubles or replaces a few characters.
    fn break_it(&mut self, text: &mut String) {
        for _ in 0..self.rng.random_range(1..4) {
            let mut at = self.rng.random_range(0..=text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match self.rng.random_range(0..4) {
                0 => text.truncate(at),
                1 => {
                    let pieces = ["{", "}", "(", "...", "@skip", "\"", "$x", "\u{FEFF}", "#", "|", "é"];
                    text.insert_str(at, self.pick::<&str>(&pieces));
                }
                2 => {
                    let doubled = text[..at].to_owned();
                    text.insert_str(at, &doubled);
                }
                _ => {
                    if at < text.len() {
                        text.remove(at);
                    }
                }
            }
            if text.len() > 20_000 {
                return;
            }
        }
    }

    fn variables(&mut self) -> Value {
        match self.rng.random_range(0..6) {
            0 => json!({ "x": self.pick(WORDS) }),
            1 => json!([1]),
            2 => json!({ "input": { "id": null } }),
            3 => Value::Null,
            _ => json!({}),
        }
    }
}

fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

/// Status and text of the answer to a body.
async fn post(app: &Router, body: Vec<u8>, token: Option<&str>) -> (u16, String) {
    let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let response = app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.into()).unwrap())
}

async fn data(app: &Router, query: &str, token: Option<&str>) -> Value {
    let (_, text) = post(app, json!({ "query": query }).to_string().into_bytes(), token).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_strange_requests_get_an_answer_and_learn_nothing() {
    let server = TestServer::start_with(&[("RATE_LIMIT_FREE", "off")]).await;
    let (_stop, draining) = tokio::sync::watch::channel(false);
    let app = router(Gateway::new(server.server.state.clone(), draining), &[]);
    let register = "mutation { userRegister(input: {handle: \"fuzz\", email: \"fuzz@example.org\", password: \"long enough\"}) { session { accessToken } } }";
    let made = data(&app, register, None).await;
    let token = made["userRegister"]["session"]["accessToken"].as_str().unwrap().to_owned();
    let found =
        data(&app, "{ viewer { id } templates { nodes { id suggestedWorkload { id } } } }", Some(&token))
            .await;
    let mut ids = vec![found["viewer"]["id"].as_str().unwrap().to_owned(), "x".into(), String::new()];
    for template in found["templates"]["nodes"].as_array().unwrap() {
        ids.push(template["id"].as_str().unwrap().into());
        ids.extend(template["suggestedWorkload"]["id"].as_str().map(str::to_owned));
    }
    let create = format!(
        "mutation {{ designCreate(input: {{name: \"Fuzzed\", templateId: \"{}\", visibility: PUBLIC}}) {{ design {{ id }} }} }}",
        ids[3]
    );
    ids.push(
        data(&app, &create, Some(&token)).await["designCreate"]["design"]["id"].as_str().unwrap().into(),
    );

    let schema = parse_schema(graphql::sdl()).unwrap();
    let mut maker = Maker { schema: &schema, rng: StdRng::seed_from_u64(SEED), ids: &ids };
    let mut executed = 0;
    for i in 0..REQUESTS {
        let document = maker.document();
        let body = json!({ "query": document, "variables": maker.variables() }).to_string();
        let mut bytes = body.clone().into_bytes();
        if maker.chance(3) {
            bytes.truncate(maker.rng.random_range(0..bytes.len()));
        }
        let signed_in = maker.chance(80);
        let (status, text) = post(&app, bytes, signed_in.then_some(&token)).await;
        assert!(status < 500, "request {i}: {status} {text} to {body}");
        let answer: Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("request {i}: {text} to {body}"));
        executed += usize::from(answer.get("data").is_some_and(Value::is_object));
        let said = answer["errors"].to_string().to_lowercase();
        if let Some(inside) = INSIDES.iter().find(|inside| said.contains(*inside)) {
            panic!("request {i} is told \"{inside}\": {said} to {body}");
        }
    }
    assert!(executed > REQUESTS / 10, "only {executed} of the requests were good enough to be executed");
}
