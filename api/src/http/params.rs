//! The parameters of a GraphQL request, from a JSON body, a query string or a WebSocket message.

use async_graphql::Variables;
use serde_json::{Map, Value};
use url::form_urlencoded;

#[derive(Debug, Default)]
pub struct Params {
    pub query: Option<String>,
    /// Stands for a document that the server has, in place of `query`.
    pub document_id: Option<String>,
    pub operation_name: Option<String>,
    pub variables: Variables,
    pub extensions: Map<String, Value>,
}

/// Why a request is not a GraphQL request, as a sentence for its sender.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl Params {
    /// Reads a JSON body.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Malformed> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(members)) => Self::from_members(members),
            Ok(Value::Array(_)) => {
                Err(Malformed("A request is one JSON object: batches are not supported".into()))
            }
            Ok(_) => Err(Malformed("A request must be a JSON object".into())),
            Err(error) => Err(Malformed(format!(
                "The request is not valid JSON (line {}, column {})",
                error.line(),
                error.column()
            ))),
        }
    }

    /// Reads the parameters of a URL, where objects are JSON texts.
    pub fn from_query_string(text: &str) -> Result<Self, Malformed> {
        let mut members = Map::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let value = match name.as_ref() {
                "variables" | "extensions" if value.is_empty() => Value::Null,
                "variables" | "extensions" => serde_json::from_str(&value)
                    .map_err(|_| Malformed(format!("The parameter \"{name}\" is not valid JSON")))?,
                "query" | "documentId" | "operationName" => Value::String(value.into_owned()),
                _ => continue,
            };
            if members.insert(name.to_string(), value).is_some() {
                return Err(Malformed(format!("The parameter \"{name}\" is given twice")));
            }
        }
        Self::from_members(members)
    }

    /// Reads members of a JSON object; others than GraphQL's own are left for later versions of the protocol.
    pub fn from_members(mut members: Map<String, Value>) -> Result<Self, Malformed> {
        let variables = object(&mut members, "variables")?;
        Ok(Self {
            query: text(&mut members, "query")?,
            document_id: text(&mut members, "documentId")?,
            operation_name: text(&mut members, "operationName")?.filter(|name| !name.is_empty()),
            variables: Variables::from_json(Value::Object(variables)),
            extensions: object(&mut members, "extensions")?,
        })
    }
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Malformed> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed(format!("The parameter \"{name}\" must be a string"))),
    }
}

fn object(members: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, Malformed> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(Malformed(format!("The parameter \"{name}\" must be an object"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_object_with_the_right_types() {
        let params =
            Params::from_json(br#"{"query":"{a}","variables":{"x":1},"operationName":null,"other":1}"#)
                .unwrap();
        assert_eq!(params.query.as_deref(), Some("{a}"));
        assert_eq!(params.variables, Variables::from_json(serde_json::json!({"x": 1})));
        for (body, said) in [
            ("", "not valid JSON (line 1, column 0)"),
            ("{\"query\":", "not valid JSON"),
            ("[]", "batches"),
            ("7", "JSON object"),
            (r#"{"query":7}"#, "\"query\" must be a string"),
            (r#"{"operationName":{}}"#, "\"operationName\" must be a string"),
            (r#"{"variables":[]}"#, "\"variables\" must be an object"),
            (r#"{"extensions":"x"}"#, "\"extensions\" must be an object"),
        ] {
            let Malformed(message) = Params::from_json(body.as_bytes()).unwrap_err();
            assert!(message.contains(said), "{body}: {message}");
        }
        let deep = format!("{{\"variables\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(Params::from_json(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_url_holds_objects_as_json() {
        let params =
            Params::from_query_string("query=%7Ba%7D&variables=%7B%22x%22%3A1%7D&extensions=&other=1")
                .unwrap();
        assert_eq!(params.query.as_deref(), Some("{a}"));
        assert_eq!(params.variables, Variables::from_json(serde_json::json!({"x": 1})));
        assert!(Params::from_query_string("variables=%7B").is_err());
        assert!(Params::from_query_string("query=%7Ba%7D&query=%7Bb%7D").is_err());
    }
}
