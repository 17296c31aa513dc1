//! Reading a request's body within its limits.

use std::{io::Read, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, StatusCode, header},
};
use flate2::read::MultiGzDecoder;

/// Bytes of a body as they come over the wire.
const WIRE_BYTES: usize = 1 << 20;
/// Bytes of a body once it is unpacked.
const UNPACKED_BYTES: usize = 8 << 20;
/// How long a client may take to send its body.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The body, unpacked when it came gzipped.
///
/// # Errors
/// The status that says why not, and a sentence for the sender.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, (StatusCode, String)> {
    let too_large = |bytes: usize| {
        (StatusCode::PAYLOAD_TOO_LARGE, format!("A body may have at most {} MiB", bytes >> 20))
    };
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > WIRE_BYTES) {
        return Err(too_large(WIRE_BYTES));
    }
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let packed = match encoding.as_deref() {
        None | Some(b"identity") => false,
        Some(b"gzip" | b"x-gzip") => true,
        Some(_) => {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "A body may be packed with gzip only".into()));
        }
    };
    let bytes = match tokio::time::timeout(TIMEOUT, to_bytes(body, WIRE_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        // A connection that broke has nobody left to read this.
        Ok(Err(_)) => return Err(too_large(WIRE_BYTES)),
        Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time".into())),
    };
    if !packed {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    match MultiGzDecoder::new(bytes.as_ref()).take(UNPACKED_BYTES as u64 + 1).read_to_end(&mut unpacked) {
        Ok(length) if length > UNPACKED_BYTES => Err(too_large(UNPACKED_BYTES)),
        Ok(_) => Ok(unpacked.into()),
        Err(_) => Err((StatusCode::BAD_REQUEST, "The body is not valid gzip".into())),
    }
}
