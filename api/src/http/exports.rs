//! `GET /exports/{token}`: the text of an exported account, to whoever holds the short-lived link.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::json;

use super::Gateway;
use crate::{auth::Download, service::exports, state};

pub async fn download(State(gateway): State<Gateway>, Path(token): Path<String>) -> Response {
    let Ok(download) = gateway.state.tokens.verify_download(&token) else { return gone() };
    // The first piece decides whether there is anything; the others follow as they are asked for.
    let first = match exports::read(&gateway.state.services, download.job_id, download.user_id, 0).await {
        Ok(Some(first)) => first,
        Ok(None) => return gone(),
        Err(error) => {
            tracing::error!(%error, "an export cannot be read");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"user-data.json\""),
    ];
    let pieces = stream::unfold((gateway.state, download, Some(first), 1), next_piece);
    (headers, Body::from_stream(pieces)).into_response()
}

/// What is left to send: the piece at hand, and the number of the one after it.
type Rest = (Arc<state::State>, Download, Option<String>, i32);

async fn next_piece((state, download, piece, next): Rest) -> Option<(Result<Bytes, std::io::Error>, Rest)> {
    let piece = piece?;
    let read = exports::read(&state.services, download.job_id, download.user_id, next).await;
    let (sent, following) = match read {
        Ok(following) => (Ok(Bytes::from(piece)), following),
        // Cuts the response off, so that nobody takes half a text for the whole.
        Err(error) => (Err(std::io::Error::other(error.to_string())), None),
    };
    Some((sent, (state, download, following, next + 1)))
}

/// The same for a link that never was, that has run out, and whose text is gone.
fn gone() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "the link has expired; ask for a new one" })))
        .into_response()
}
