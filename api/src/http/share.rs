//! What a share link opens.

use axum::{extract::Path, response::Redirect};
use serde_json::json;
use url::form_urlencoded;

/// What a share link shows, to programs and people alike.
const DESIGN: &str = "query SharedDesign($token: String!) { designByShareToken(token: $token) { \
    id name description visibility owner { handle } canvas { raw } createdAt updatedAt } }";

/// Leads from a share link to the design, as a query.
pub async fn open(Path(token): Path<String>) -> Redirect {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", DESIGN)
        .append_pair("variables", &json!({ "token": token }).to_string())
        .finish();
    Redirect::to(&format!("/graphql?{query}"))
}
