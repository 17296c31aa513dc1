use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    Outcome, Row,
    stage::{EXPORT_KEY, PASSWORD, Scene, email, run_of},
};

/// What needs an account and no more.
const SIGNED_IN: Outcome = Outcome::Always("UNAUTHENTICATED ok ok ok ok ok ok");
/// What signs people in, or out, needs none.
const EVERYONE: Outcome = Outcome::Always("ok ok ok ok ok ok ok");
/// A thing of the owner's that nobody else knows of.
const OWNERS: Outcome =
    Outcome::ByDesign(["UNAUTHENTICATED ok NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND"; 4]);
/// What changes a design, or what is made of it: for who may edit, while it is not archived.
const EDIT: Outcome = Outcome::ByDesign([
    "UNAUTHENTICATED ok        NOT_FOUND FORBIDDEN ok        NOT_FOUND ok",
    "UNAUTHENTICATED ok        FORBIDDEN FORBIDDEN ok        FORBIDDEN ok",
    "UNAUTHENTICATED ok        FORBIDDEN FORBIDDEN ok        FORBIDDEN ok",
    "UNAUTHENTICATED FORBIDDEN NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND FORBIDDEN",
]);
/// What decides who may open a design.
const SHARE: Outcome = Outcome::ByDesign([
    "UNAUTHENTICATED ok        NOT_FOUND FORBIDDEN FORBIDDEN NOT_FOUND ok",
    "UNAUTHENTICATED ok        FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN ok",
    "UNAUTHENTICATED ok        FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN ok",
    "UNAUTHENTICATED FORBIDDEN NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND FORBIDDEN",
]);
/// Into the archive and back.
const ARCHIVE: Outcome = Outcome::ByDesign([
    "UNAUTHENTICATED ok NOT_FOUND FORBIDDEN FORBIDDEN NOT_FOUND ok",
    "UNAUTHENTICATED ok FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN ok",
    "UNAUTHENTICATED ok FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN ok",
    "UNAUTHENTICATED ok NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND ok",
]);
/// What may be done with everything that may be read.
const READ: Outcome = Outcome::ByDesign([
    "UNAUTHENTICATED ok NOT_FOUND ok        ok        NOT_FOUND ok",
    "UNAUTHENTICATED ok ok        ok        ok        ok        ok",
    "UNAUTHENTICATED ok ok        ok        ok        ok        ok",
    "UNAUTHENTICATED ok NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND ok",
]);
/// What only who made it may change, though others may read it.
const AUTHORS: Outcome = Outcome::ByDesign([
    "UNAUTHENTICATED ok NOT_FOUND FORBIDDEN FORBIDDEN NOT_FOUND FORBIDDEN",
    "UNAUTHENTICATED ok FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN",
    "UNAUTHENTICATED ok FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN",
    "UNAUTHENTICATED ok NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND FORBIDDEN",
]);

/// A mutation, what of its payload shows that it was done, and its input.
fn row(field: &'static str, made: &str, variables: fn(&Scene<'_>) -> Json, outcome: Outcome) -> Row {
    let (_, name) = field.split_once('.').unwrap();
    let input = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let document = format!(
        "mutation($input: {input}!) {{ {name}(input: $input) {{
            {made} userErrors {{ __typename code path message ... on VersionConflictError {{ current {{ id name }} }} }} }} }}"
    );
    let spends = matches!(outcome, Outcome::ByDesign(_));
    Row { field, document, variables, outcome, spends }
}

/// The rows of `Mutation`. The last ones end sessions and accounts.
pub fn rows() -> Vec<Row> {
    vec![
        row(
            "Mutation.designCreate",
            "design { id }",
            |scene| json!({ "input": { "name": "D", "templateId": scene.stage.template } }),
            SIGNED_IN,
        ),
        row(
            "Mutation.designUpdate",
            "design { id }",
            |scene| json!({ "input": { "id": scene.things.design, "expectedVersion": 1, "name": "Other" } }),
            EDIT,
        ),
        // Whether they knew the version or not.
        row(
            "Mutation.designUpdate",
            "design { id }",
            |scene| json!({ "input": { "id": scene.things.design, "expectedVersion": 99, "name": "Other" } }),
            Outcome::ByDesign([
                "UNAUTHENTICATED CONFLICT  NOT_FOUND FORBIDDEN CONFLICT  NOT_FOUND CONFLICT",
                "UNAUTHENTICATED CONFLICT  FORBIDDEN FORBIDDEN CONFLICT  FORBIDDEN CONFLICT",
                "UNAUTHENTICATED CONFLICT  FORBIDDEN FORBIDDEN CONFLICT  FORBIDDEN CONFLICT",
                "UNAUTHENTICATED FORBIDDEN NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND FORBIDDEN",
            ]),
        ),
        row(
            "Mutation.designUpdate",
            "design { id }",
            |scene| {
                let input = json!({ "id": scene.things.design, "expectedVersion": 1, "visibility": "PUBLIC" });
                json!({ "input": input })
            },
            // An editor may say what is so already.
            Outcome::ByDesign([
                "UNAUTHENTICATED ok        NOT_FOUND FORBIDDEN FORBIDDEN NOT_FOUND ok",
                "UNAUTHENTICATED ok        FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN ok",
                "UNAUTHENTICATED ok        FORBIDDEN FORBIDDEN ok        FORBIDDEN ok",
                "UNAUTHENTICATED FORBIDDEN NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND FORBIDDEN",
            ]),
        ),
        row(
            "Mutation.designArchive",
            "design { id }",
            |scene| json!({ "input": { "id": scene.things.design } }),
            ARCHIVE,
        ),
        row(
            "Mutation.designUnarchive",
            "design { id }",
            |scene| json!({ "input": { "id": scene.things.design } }),
            ARCHIVE,
        ),
        row(
            "Mutation.designFork",
            "design { id }",
            |scene| json!({ "input": { "id": scene.things.design } }),
            READ,
        )
        .that_adds(),
        row(
            "Mutation.designVersionRestore",
            "design { id }",
            |scene| json!({ "input": { "designId": scene.things.design, "number": 1, "expectedVersion": 1 } }),
            EDIT,
        ),
        row(
            "Mutation.branchCreate",
            "branch { id }",
            |scene| json!({ "input": { "designId": scene.things.design, "name": Uuid::new_v4() } }),
            EDIT,
        )
        .that_adds(),
        row(
            "Mutation.branchMerge",
            "branch { id }",
            |scene| {
                let input = json!({ "designId": scene.things.design, "source": "side", "target": "main", "expectedTargetHead": 1 });
                json!({ "input": input })
            },
            EDIT,
        ),
        row(
            "Mutation.designCollaboratorSet",
            "design { id }",
            |scene| json!({ "input": { "designId": scene.things.design, "handle": "stranger", "role": "VIEWER" } }),
            SHARE,
        ),
        row(
            "Mutation.shareLinkRotate",
            "design { id }",
            |scene| json!({ "input": { "designId": scene.things.design } }),
            SHARE,
        ),
        row(
            "Mutation.workloadCreate",
            "workload { id }",
            |scene| json!({ "input": { "name": "W", "templateId": scene.stage.workload_template } }),
            SIGNED_IN,
        ),
        // A workload is no template, whoever may read it.
        row(
            "Mutation.workloadCreate",
            "workload { id }",
            |scene| json!({ "input": { "name": "W", "templateId": scene.things.workload } }),
            Outcome::ByDesign(["UNAUTHENTICATED NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND NOT_FOUND"; 4]),
        ),
        row(
            "Mutation.workloadUpdate",
            "workload { id }",
            |scene| json!({ "input": { "id": scene.things.workload, "name": "Other" } }),
            AUTHORS,
        )
        .that_adds(),
        row(
            "Mutation.workloadArchive",
            "workload { id }",
            |scene| json!({ "input": { "id": scene.things.workload } }),
            AUTHORS,
        ),
        row(
            "Mutation.simulationJobSubmit",
            "job { id }",
            |scene| {
                let (design, workload) = (&scene.things.design, &scene.stage.workload_template);
                json!({ "input": { "idempotencyKey": Uuid::new_v4(), "designId": design, "workloadId": workload } })
            },
            EDIT,
        )
        .that_adds(),
        row(
            "Mutation.simulationJobCancel",
            "job { id }",
            |scene| json!({ "input": { "id": scene.things.job } }),
            OWNERS,
        ),
        row(
            "Mutation.simulationRunSave",
            "run { id }",
            |scene| json!({ "input": run_of(&scene.things.design, &scene.stage.workload_template) }),
            EDIT,
        )
        .that_adds(),
        // Into a design of their own, with a workload that may be somebody else's.
        row(
            "Mutation.simulationRunSave",
            "run { id }",
            |scene| json!({ "input": run_of(&scene.persona.own_design, &scene.things.workload) }),
            READ,
        )
        .that_adds(),
        row(
            "Mutation.simulationRunEventsAppend",
            "run { id }",
            |scene| json!({ "input": { "runId": scene.things.run, "events": [] } }),
            AUTHORS,
        )
        .that_adds(),
        row(
            "Mutation.blockConfigSave",
            "blockConfig { id }",
            |_| json!({ "input": { "name": "B", "type": "disk", "parameters": {} } }),
            SIGNED_IN,
        ),
        row(
            "Mutation.blockConfigSave",
            "blockConfig { id }",
            |scene| {
                let id = &scene.things.block_config;
                json!({ "input": { "id": id, "name": "B", "type": "disk", "parameters": {} } })
            },
            OWNERS,
        ),
        row(
            "Mutation.blockConfigDelete",
            "deletedId",
            |scene| json!({ "input": { "id": scene.things.block_config } }),
            OWNERS,
        ),
        row(
            "Mutation.userDataExport",
            "export { id }",
            |_| json!({ "input": { "idempotencyKey": EXPORT_KEY } }),
            SIGNED_IN,
        ),
        row(
            "Mutation.userPlanSet",
            "user { id }",
            |scene| json!({ "input": { "userId": scene.things.user, "tier": "PREMIUM" } }),
            Outcome::Always("UNAUTHENTICATED FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN ok"),
        ),
        row(
            "Mutation.userRegister",
            "session { accessToken }",
            |_| {
                let handle = Uuid::new_v4().to_string();
                json!({ "input": { "handle": handle, "email": email(&handle), "password": PASSWORD } })
            },
            EVERYONE,
        ),
        row(
            "Mutation.sessionCreate",
            "session { accessToken }",
            |scene| json!({ "input": { "email": email(scene.persona.name), "password": PASSWORD } }),
            EVERYONE,
        ),
        row(
            "Mutation.sessionRefresh",
            "session { accessToken }",
            |scene| json!({ "input": { "refreshToken": scene.persona.refresh_token } }),
            EVERYONE,
        ),
        row(
            "Mutation.passwordChange",
            "changed",
            |_| json!({ "input": { "currentPassword": PASSWORD, "newPassword": PASSWORD } }),
            SIGNED_IN,
        ),
        row(
            "Mutation.sessionRevoke",
            "revoked",
            |scene| json!({ "input": { "sessionId": scene.things.session } }),
            Outcome::Always("UNAUTHENTICATED ok null null null null null"),
        ),
        row(
            "Mutation.userDelete",
            "deletedUserId",
            |scene| json!({ "input": { "idempotencyKey": "k", "confirmHandle": scene.persona.name } }),
            SIGNED_IN,
        ),
    ]
}
