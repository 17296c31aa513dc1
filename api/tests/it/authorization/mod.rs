//! Who gets what from every root field of the schema: the table stands in `queries`, `mutations` and `subscriptions`; a field
//! without a row fails the test.

mod mutations;
mod queries;
mod stage;
mod subscriptions;

use std::collections::BTreeSet;

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};
use serde_json::Value as Json;

use self::stage::{Scene, Stage, State, Things};
use crate::graphql::App;

/// What each persona gets, in the order of [`stage::PERSONAS`]: `ok`, `null`, or the code of the refusal.
enum Outcome {
    /// Nothing of it depends on a design.
    Always(&'static str),
    /// For each of [`State::ALL`], in their order.
    ByDesign([&'static str; 4]),
}

/// What is asked of a field, and what comes of it.
struct Row {
    /// As in `Query.design`.
    field: &'static str,
    document: String,
    variables: fn(&Scene<'_>) -> Json,
    outcome: Outcome,
    /// Whether the design is another one after it, so that the next who asks needs one that is as it was.
    spends: bool,
}

/// Who may open a design that is private, unlisted, public, and public but archived.
const READABLE: [&str; 4] = [
    "null ok null ok   ok   null ok",
    "ok   ok ok   ok   ok   ok   ok",
    "ok   ok ok   ok   ok   ok   ok",
    "null ok null null null null ok",
];
const READ: Outcome = Outcome::ByDesign(READABLE);

impl Row {
    /// The same row of something that adds to a design, and changes nothing that is there.
    fn that_adds(self) -> Self {
        Self { spends: false, ..self }
    }

    fn states(&self) -> &'static [State] {
        match self.outcome {
            Outcome::Always(_) => &[State::Private],
            Outcome::ByDesign(_) => &State::ALL,
        }
    }

    fn expected(&self, state: State) -> Vec<&'static str> {
        match self.outcome {
            Outcome::Always(words) => words,
            Outcome::ByDesign(states) => states[state as usize],
        }
        .split_whitespace()
        .collect()
    }
}

/// What a response comes to: the code of its refusal, `null` for nothing, or `ok`.
fn outcome(response: &Json) -> &str {
    if let Some(errors) = response.get("errors") {
        return errors[0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{response:#}"));
    }
    let value = response["data"].as_object().and_then(|fields| fields.values().next());
    let value = value.unwrap_or_else(|| panic!("{response:#}"));
    if let Some(code) = value["userErrors"][0]["code"].as_str() {
        return code;
    }
    let nothing = |value: &Json| value.is_null() || value == false;
    let empty = match value {
        Json::Array(list) => list.iter().all(nothing),
        Json::Object(payload) if payload.contains_key("userErrors") => {
            payload.iter().all(|(name, value)| name == "userErrors" || nothing(value))
        }
        Json::Object(list) => list.get("nodes").is_some_and(|nodes| nodes == &Json::Array(Vec::new())),
        value => nothing(value),
    };
    if empty { "null" } else { "ok" }
}

/// `Type.field` of every root field of the schema.
fn root_fields() -> BTreeSet<String> {
    let document = parse_schema(api::graphql::sdl()).unwrap();
    let mut fields = BTreeSet::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let name = definition.node.name.node;
        let TypeKind::Object(object) = definition.node.kind else { continue };
        if ["Query", "Mutation", "Subscription"].contains(&name.as_str()) {
            fields.extend(object.fields.iter().map(|field| format!("{name}.{}", field.node.name.node)));
        }
    }
    fields
}

fn table() -> Vec<Row> {
    [queries::rows(), subscriptions::rows(), mutations::rows()].into_iter().flatten().collect()
}

#[test]
fn every_root_field_has_a_row() {
    let rows: BTreeSet<String> = table().iter().map(|row| row.field.to_owned()).collect();
    assert_eq!(rows, root_fields());
}

#[tokio::test]
async fn everyone_gets_what_the_table_says_and_no_more() {
    let table = table();
    for app in App::all().await {
        let mut stage = Stage::set(&app).await;
        let (mut cells, mut wrong) = (0, Vec::new());
        for row in &table {
            for &state in row.states() {
                let expected = row.expected(state);
                assert_eq!(expected.len(), stage.personas.len(), "{} of a {state:?} design", row.field);
                for (place, expected) in expected.into_iter().enumerate() {
                    cells += 1;
                    if let Err(found) = check(&mut stage, row, state, place, expected).await {
                        let who = stage.personas[place].name;
                        wrong.push(format!(
                            "{} by {who}, of a {state:?} design, on {}: {found}",
                            row.field,
                            app.kind()
                        ));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {cells} cells:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// One cell of the table. What a persona may not know of answers, byte for byte, like what was never there.
async fn check(
    stage: &mut Stage<'_>,
    row: &Row,
    state: State,
    place: usize,
    expected: &str,
) -> Result<(), String> {
    let things = stage.things(state).await;
    let response = ask(stage, row, place, &things).await;
    let found = outcome(&response);
    let of_design = matches!(row.outcome, Outcome::ByDesign(_));
    if found == "ok" && row.spends {
        stage.spend(state);
    }
    if found != expected {
        return Err(format!("{found} instead of {expected}: {response}"));
    }
    if found == "ok" {
        return Ok(());
    }
    // These tell that it exists.
    if of_design && ["FORBIDDEN", "CONFLICT"].contains(&found) {
        let may_know = READABLE[state as usize].split_whitespace().nth(place) == Some("ok");
        return if may_know { Ok(()) } else { Err(format!("{found} tells that it exists")) };
    }
    let never = ask(stage, row, place, &Things::made_up()).await;
    let (said, never) = (response.to_string(), never.to_string());
    if said == never { Ok(()) } else { Err(format!("{said} tells more than {never}")) }
}

async fn ask(stage: &Stage<'_>, row: &Row, place: usize, things: &Things) -> Json {
    let persona = &stage.personas[place];
    let variables = (row.variables)(&Scene { stage, persona, things });
    match row.field.starts_with("Subscription.") {
        true => persona.first_message(&row.document, variables).await,
        false => persona.person.response(&row.document, variables).await,
    }
}
