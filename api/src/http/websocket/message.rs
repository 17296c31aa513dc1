//! Messages of graphql-transport-ws.

use async_graphql::{Response, ServerError};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::http::{
    operation::Body,
    params::{Malformed, Params},
};

#[derive(Debug)]
pub enum ClientMessage {
    ConnectionInit {
        /// `authorization` of the payload, as a header would hold it.
        authorization: Option<String>,
    },
    Ping {
        payload: Option<Value>,
    },
    Pong,
    Subscribe {
        id: String,
        params: Params,
    },
    Complete {
        id: String,
    },
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it, for the reason of a closing frame.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Ok(Value::Object(mut members)) = serde_json::from_str(text) else {
            return Err("it must be a JSON object".into());
        };
        let kind = match members.remove("type") {
            Some(Value::String(kind)) => kind,
            _ => return Err("\"type\" must be a string".into()),
        };
        match kind.as_str() {
            "connection_init" => {
                let payload = payload(&mut members)?.unwrap_or_default();
                let given = payload.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
                match given {
                    None | Some((_, Value::Null)) => Ok(Self::ConnectionInit { authorization: None }),
                    Some((_, Value::String(value))) => {
                        Ok(Self::ConnectionInit { authorization: Some(value.clone()) })
                    }
                    Some(_) => Err("\"payload.authorization\" must be a string".into()),
                }
            }
            "ping" => Ok(Self::Ping { payload: payload(&mut members)?.map(Value::Object) }),
            "pong" => payload(&mut members).map(|_| Self::Pong),
            "subscribe" => {
                let id = id(&mut members)?;
                let payload = payload(&mut members)?.ok_or("\"payload\" must be an object")?;
                let params = Params::from_members(payload).map_err(|Malformed(message)| message)?;
                Ok(Self::Subscribe { id, params })
            }
            "complete" => Ok(Self::Complete { id: id(&mut members)? }),
            _ => Err("\"type\" is none that a client may send".into()),
        }
    }
}

fn id(members: &mut Map<String, Value>) -> Result<String, String> {
    match members.remove("id") {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        _ => Err("\"id\" must be a string that is not empty".into()),
    }
}

fn payload(members: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, String> {
    match members.remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err("\"payload\" must be an object".into()),
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    Next {
        id: String,
        #[serde(serialize_with = "body")]
        payload: Response,
    },
    Error {
        id: String,
        payload: Vec<ServerError>,
    },
    Complete {
        id: String,
    },
}

fn body<S: Serializer>(response: &Response, serializer: S) -> Result<S::Ok, S::Error> {
    Body::from(response).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_known_type_and_what_the_type_needs() {
        assert!(matches!(
            ClientMessage::parse(r#"{"type":"connection_init","payload":{"Authorization":"Bearer x"}}"#).unwrap(),
            ClientMessage::ConnectionInit { authorization: Some(value) } if value == "Bearer x"
        ));
        assert!(matches!(
            ClientMessage::parse(r#"{"type":"subscribe","id":"1","payload":{"query":"{a}"}}"#).unwrap(),
            ClientMessage::Subscribe { id, params } if id == "1" && params.query.as_deref() == Some("{a}")
        ));
        assert!(matches!(
            ClientMessage::parse(r#"{"type":"pong","payload":null}"#).unwrap(),
            ClientMessage::Pong
        ));
        for bad in [
            "",
            "{nope",
            "[]",
            "7",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"bogus"}"#,
            r#"{"type":"next","id":"1"}"#,
            r#"{"type":"connection_init","payload":7}"#,
            r#"{"type":"connection_init","payload":{"authorization":7}}"#,
            r#"{"type":"ping","payload":"x"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert!(ClientMessage::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn server_messages_have_the_shape_of_the_protocol() {
        let text = |message| serde_json::to_string(&message).unwrap();
        assert_eq!(text(ServerMessage::ConnectionAck), r#"{"type":"connection_ack"}"#);
        assert_eq!(text(ServerMessage::Pong { payload: None }), r#"{"type":"pong"}"#);
        let payload = Response::new(async_graphql::value!({"a": 1}));
        assert_eq!(
            text(ServerMessage::Next { id: "1".into(), payload }),
            r#"{"type":"next","id":"1","payload":{"data":{"a":1}}}"#
        );
    }
}
