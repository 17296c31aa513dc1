//! `GET /admin/queues`: how jobs and workers fare, as a page for admins.

use axum::{
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Gateway;
use crate::{
    auth::{Viewer, pass, viewer_from_header},
    service::{
        Fault, ServiceError,
        queues::{self, PAGE},
    },
};

const COOKIE: &str = "queues_pass";
const STYLE: &str = "\
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #8884; text-align: left; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.alert { color: #b00; font-weight: 600; }
@media (prefers-color-scheme: dark) { .alert { color: #f77; } }
";

#[derive(Deserialize)]
pub struct Parameters {
    /// What a signed link carries.
    pass: Option<String>,
}

/// Shows the page to an admin who comes with an access token or with the cookie, and gives the cookie to one who comes by a
/// signed link. For everybody else there is nothing here.
pub async fn page(
    State(gateway): State<Gateway>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Response {
    let state = &gateway.state;
    if let Some(link) = parameters.pass {
        let Ok(user_id) = state.tokens.verify_pass(PAGE, &link) else { return nothing() };
        let secure = if state.config.public_url.scheme() == "https" { "; Secure" } else { "" };
        return match state.tokens.issue_pass(PAGE, user_id, pass::COOKIE) {
            Ok(cookie) => {
                let life = pass::COOKIE.num_seconds();
                let cookie =
                    format!("{COOKIE}={cookie}; Path={PAGE}; Max-Age={life}; HttpOnly; SameSite=Lax{secure}");
                ([(header::SET_COOKIE, cookie)], Redirect::to(PAGE)).into_response()
            }
            Err(error) => failed(&error),
        };
    }
    match queues::overview(&state.services, viewer(&gateway, &headers)).await {
        Ok(overview) => {
            let mut response = Html(render(&overview).into_string()).into_response();
            match HeaderValue::from_str(&policy()) {
                Ok(policy) => {
                    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
                    response
                }
                Err(error) => failed(&error),
            }
        }
        Err(ServiceError::Fault(fault @ Fault::Internal(_))) => failed(&fault),
        Err(_) => nothing(),
    }
}

/// Who asks, if the header or the cookie says so.
fn viewer(gateway: &Gateway, headers: &HeaderMap) -> Option<Viewer> {
    let tokens = &gateway.state.tokens;
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Ok(Some(viewer)) = viewer_from_header(tokens, authorization) {
        return Some(viewer);
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pass = cookies
        .flat_map(|line| line.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
    let user_id = tokens.verify_pass(PAGE, pass).ok()?;
    // A pass belongs to no session; nothing that is asked here looks at it.
    Some(Viewer { user_id, session_id: uuid::Uuid::nil() })
}

/// The page's own style and nothing else.
fn policy() -> String {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'")
}

fn render(overview: &queues::Overview) -> Markup {
    let lanes = [
        ("premium", overview.lanes.premium),
        ("standard", overview.lanes.standard),
        ("background", overview.lanes.background),
    ];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta http-equiv="refresh" content="5";
                title { "Queues" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Queues" }
                @if overview.drained {
                    p.alert { "Drained by an operator: nothing is claimed." }
                }
                table {
                    thead { tr { th { "Lane" } th.number { "Waiting" } th.number { "Oldest waits" } } }
                    tbody {
                        @for (name, lane) in lanes {
                            tr {
                                td { (name) }
                                td.number { (lane.waiting) }
                                td.number { (format!("{:.1} s", lane.oldest_wait_ms as f64 / 1000.0)) }
                            }
                        }
                    }
                }
                p { (overview.lanes.held) " in the hands of workers, " (overview.lanes.resting) " resting until they are tried again" }
                h2 { "Workers" }
                @if overview.workers.is_empty() {
                    p.alert { "No worker is alive." }
                } @else {
                    table {
                        thead { tr { th { "Worker" } th.number { "Busy" } th.number { "Slots" } th { "Since" } } }
                        tbody {
                            @for worker in &overview.workers {
                                tr {
                                    td { (worker.name) }
                                    td.number { (worker.busy_slots) }
                                    td.number { (worker.slots) }
                                    td { (worker.started_at.format("%F %T UTC")) }
                                }
                            }
                        }
                    }
                }
                h2 { "Jobs that ended" }
                table {
                    thead { tr { th { "Within" } th { "End" } th.number { "Jobs" } th.number { "A minute" } } }
                    tbody {
                        @for (ago, ends) in &overview.ended {
                            @for end in ends {
                                tr {
                                    td { (ago.num_minutes()) " min" }
                                    td { (end.status.as_str()) }
                                    td.number { (end.jobs) }
                                    td.number { (format!("{:.1}", end.jobs as f64 / ago.num_minutes() as f64)) }
                                }
                            }
                        }
                    }
                }
                h2 { "Last failures" }
                @if overview.failures.is_empty() { p { "None." } }
                table {
                    tbody {
                        @for job in &overview.failures {
                            tr {
                                td { (job.id) }
                                td { (job.finished_at.map(|time| time.format("%F %T UTC").to_string()).unwrap_or_default()) }
                                td { (job.failure_code.map(|code| code.as_str()).unwrap_or_default()) }
                                td { (job.failure_message.as_deref().unwrap_or_default()) }
                                td.number { (job.attempt) " attempts" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "the page of the queues cannot be made");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// The same for everybody who may not see the page.
fn nothing() -> Response {
    (StatusCode::NOT_FOUND, axum::Json(serde_json::json!({"error": "there is nothing here"}))).into_response()
}
