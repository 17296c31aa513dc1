//! Media types of GraphQL over HTTP (<https://graphql.github.io/graphql-over-http/draft/>).

use axum::http::{HeaderMap, HeaderValue, header};
use mime::Mime;

/// Media types of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/graphql-response+json`: the status tells how the request went.
    GraphqlResponse,
    /// `application/json`: errors of a well-formed request come with status 200.
    Json,
}

impl MediaType {
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// The media type to answer with; none when the client accepts neither.
///
/// Without an `Accept` header, and for a client that takes anything, it is JSON, which every client reads. Among types
/// that the client ranks equal the first one listed wins.
pub fn response_type(headers: &HeaderMap) -> Option<MediaType> {
    let mut listed = headers.get_all(header::ACCEPT).iter().peekable();
    if listed.peek().is_none() {
        return Some(MediaType::Json);
    }
    let ranges = listed.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut best: Option<(f32, MediaType)> = None;
    for range in ranges {
        let Ok(range) = range.trim().parse::<Mime>() else { continue };
        let Some(media_type) = matching(&range) else { continue };
        let weight = range.get_param("q").map_or(Some(1.0), |q| q.as_str().parse().ok()).unwrap_or(0.0);
        if weight > best.map_or(0.0, |(best, _)| best) {
            best = Some((weight, media_type));
        }
    }
    best.map(|(_, media_type)| media_type)
}

fn matching(range: &Mime) -> Option<MediaType> {
    if range.get_param(mime::CHARSET).is_some_and(|charset| charset != mime::UTF_8) {
        return None;
    }
    match range.essence_str() {
        "application/graphql-response+json" => Some(MediaType::GraphqlResponse),
        "application/json" | "application/*" | "*/*" => Some(MediaType::Json),
        _ => None,
    }
}

/// Whether the body is JSON in UTF-8, as `Content-Type` says. Anything else could come from a form of a foreign page.
pub fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(Ok(media_type)) = value.map(str::parse::<Mime>) else { return false };
    media_type.essence_str() == "application/json"
        && media_type.get_param(mime::CHARSET).is_none_or(|charset| charset == mime::UTF_8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &str) -> Option<MediaType> {
        response_type(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_str(value).unwrap())]))
    }

    #[test]
    fn the_accept_header_decides() {
        assert_eq!(response_type(&HeaderMap::new()), Some(MediaType::Json));
        for (value, expected) in [
            ("application/json", Some(MediaType::Json)),
            ("application/json; charset=utf-8", Some(MediaType::Json)),
            ("*/*", Some(MediaType::Json)),
            ("text/html, application/*", Some(MediaType::Json)),
            ("application/graphql-response+json", Some(MediaType::GraphqlResponse)),
            ("application/graphql-response+json, application/json", Some(MediaType::GraphqlResponse)),
            ("application/json, application/graphql-response+json", Some(MediaType::Json)),
            ("application/json;q=0.9, application/graphql-response+json", Some(MediaType::GraphqlResponse)),
            ("application/graphql-response+json;q=0.5, */*", Some(MediaType::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json; charset=utf-16", None),
            ("nonsense", None),
        ] {
            assert_eq!(accept(value), expected, "{value}");
        }
    }

    #[test]
    fn a_body_is_json_only_when_it_says_so() {
        for (value, expected) in [
            ("application/json", true),
            ("application/json; charset=UTF-8", true),
            ("application/json; charset=iso-8859-1", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
        ] {
            let headers =
                HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(is_json(&headers), expected, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
