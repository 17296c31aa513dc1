//! One GraphQL operation from its parameters to its response, the same for every transport.

use std::{panic::AssertUnwindSafe, time::Duration};

use async_graphql::{
    Pos, Request, Response, ServerError, Value,
    extensions::apollo_persisted_queries::CacheStorage,
    parser::{
        self, parse_query,
        types::{ExecutableDocument, OperationType},
    },
};
use futures_util::{FutureExt, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tracing::Instrument;

use super::{
    Gateway, document,
    errors::{self, BAD_REQUEST, PARSE_FAILED, PERSISTED_QUERY_NOT_FOUND, VALIDATION_FAILED, coded},
    params::Params,
};
use crate::{
    auth::{self, hex},
    config::Introspection,
    graphql::{self, RequestContext},
};

/// After this long an operation is abandoned.
const DEADLINE: Duration = Duration::from_secs(10);
/// A longer document is executed, but not kept for reference by hash.
const PERSISTED_BYTES: usize = 16 << 10;

/// An operation that may be executed.
pub struct Operation {
    request: Request,
    pub kind: OperationType,
    finishing: Finishing,
}

/// What is needed to finish its responses.
struct Finishing {
    variable_arguments: Vec<Pos>,
    may_see_schema: bool,
    request_id: String,
}

/// Apollo's automatic persisted queries
/// (<https://www.apollographql.com/docs/apollo-server/performance/apq#verify>).
#[derive(Deserialize)]
struct Persisted {
    version: u32,
    #[serde(rename = "sha256Hash")]
    sha256_hash: String,
}

impl Gateway {
    /// Who an `Authorization` value names.
    ///
    /// # Errors
    /// The error to tell a client whose token is not good.
    pub fn caller(
        &self,
        authorization: Option<&str>,
        request_id: String,
        user_agent: Option<String>,
    ) -> Result<RequestContext, ServerError> {
        let viewer = auth::viewer_from_header(&self.state.tokens, authorization)
            .map_err(|error| coded(errors::UNAUTHENTICATED, sentence(&error.to_string())))?;
        Ok(RequestContext { viewer, request_id, user_agent })
    }

    /// Finds, parses and checks the operation that `params` select. Nothing is executed yet, so that a transport can
    /// refuse what it does not serve.
    ///
    /// # Errors
    /// Every error has its code; there is no `data`.
    pub async fn prepare(&self, params: Params, caller: &RequestContext) -> Result<Operation, ServerError> {
        let document = self.document(&params).await?;
        let shape = document::check_shape(&document)?;
        let may_see_schema = match self.state.config.introspection {
            Introspection::Everyone => true,
            Introspection::SignedIn => caller.viewer.is_some(),
            Introspection::Nobody => false,
        };
        if shape.asks_for_schema && !may_see_schema {
            return Err(coded(VALIDATION_FAILED, "The schema may not be introspected here"));
        }
        let operation_name = params.operation_name.as_deref();
        let kind = match document::selected(&document, operation_name) {
            Some(operation) => {
                document::check_variables(operation, &params.variables)?;
                operation.ty
            }
            None => {
                return Err(coded(
                    VALIDATION_FAILED,
                    match operation_name {
                        Some(name) => format!("The document has no operation named \"{name}\""),
                        None => {
                            "The document has several operations: \"operationName\" must select one".into()
                        }
                    },
                ));
            }
        };

        let request = Request::new(params.query.unwrap_or_default()).variables(params.variables);
        let mut request = graphql::attach(request, caller.clone(), &self.state.services);
        request.operation_name = params.operation_name;
        request.set_parsed_query(document);
        let finishing = Finishing {
            variable_arguments: shape.variable_arguments,
            may_see_schema,
            request_id: caller.request_id.clone(),
        };
        Ok(Operation { request, kind, finishing })
    }

    /// The document itself, or the one that a hash stands for.
    async fn document(&self, params: &Params) -> Result<ExecutableDocument, ServerError> {
        let text = params.query.as_deref().filter(|text| !text.is_empty());
        let persisted = match params.extensions.get("persistedQuery") {
            None | Some(serde_json::Value::Null) => None,
            Some(value) => match Persisted::deserialize(value) {
                Ok(persisted) if persisted.version == 1 => Some(persisted),
                _ => {
                    let message =
                        "\"extensions.persistedQuery\" must hold \"version\": 1 and a \"sha256Hash\"";
                    return Err(coded(BAD_REQUEST, message));
                }
            },
        };
        match (text, persisted) {
            (None, None) => Err(coded(BAD_REQUEST, "The request must have a \"query\"")),
            (Some(text), None) => parse(text),
            (None, Some(Persisted { sha256_hash, .. })) => self
                .persisted
                .get(sha256_hash)
                .await
                .ok_or_else(|| coded(PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")),
            (Some(text), Some(Persisted { sha256_hash, .. })) => {
                if hex(&Sha256::digest(text)) != sha256_hash {
                    let message = "\"extensions.persistedQuery.sha256Hash\" is not the hash of the query";
                    return Err(coded(BAD_REQUEST, message));
                }
                let document = parse(text)?;
                if text.len() <= PERSISTED_BYTES {
                    self.persisted.set(sha256_hash, document.clone()).await;
                }
                Ok(document)
            }
        }
    }

    /// Executes a query or a mutation.
    pub async fn execute(&self, operation: Operation) -> Response {
        let Operation { request, finishing, .. } = operation;
        let execution = AssertUnwindSafe(self.state.schema.execute(request)).catch_unwind();
        let response = match tokio::time::timeout(DEADLINE, execution).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => panicked(&finishing.request_id),
            Err(_) => {
                let message = format!("The operation took longer than {} s", DEADLINE.as_secs());
                Response::from_errors(vec![coded(errors::TIMEOUT, message)])
            }
        };
        finishing.finish(response)
    }

    /// Subscribes; the stream ends when the subscription does.
    pub fn subscribe(&self, operation: Operation) -> impl Stream<Item = Response> + Send + use<> {
        let Operation { request, finishing, .. } = operation;
        let stream = self.state.schema.execute_stream(request);
        AssertUnwindSafe(stream).catch_unwind().map(move |response| {
            finishing.finish(response.unwrap_or_else(|_| panicked(&finishing.request_id)))
        })
    }

    /// Does what `future` does within a span that logs and traces show around it.
    pub async fn within_operation<T>(kind: OperationType, future: impl Future<Output = T>) -> T {
        future.instrument(tracing::info_span!("graphql", operation = %kind)).await
    }
}

impl Finishing {
    fn finish(&self, mut response: Response) -> Response {
        errors::finish(&mut response, &self.variable_arguments, &self.request_id);
        if !self.may_see_schema {
            errors::without_suggestions(&mut response.errors);
        }
        response
    }
}

fn panicked(request_id: &str) -> Response {
    // The panic hook has logged the cause.
    Response::from_errors(vec![errors::internal(request_id)])
}

fn parse(text: &str) -> Result<ExecutableDocument, ServerError> {
    document::check_text(text)?;
    parse_query(text).map_err(|error| {
        let locations = error.positions().collect();
        let message = match &error {
            // The parser draws a picture of the place; what it expected there is the last line of it.
            parser::Error::Syntax { message, .. } => {
                let expected = message.lines().next_back().unwrap_or_default();
                expected.trim_start_matches([' ', '=']).to_owned()
            }
            other => other.to_string(),
        };
        let mut error = coded(PARSE_FAILED, format!("Syntax error: {message}"));
        error.locations = locations;
        error
    })
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A response as clients see it: a request that was not executed has no `data`.
#[derive(Serialize)]
pub struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: &'a Vec<ServerError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: &'a BTreeMap<String, Value>,
}

impl<'a> From<&'a Response> for Body<'a> {
    fn from(response: &'a Response) -> Self {
        let data = (!errors::is_request_error(response)).then_some(&response.data);
        Self { errors: &response.errors, data, extensions: &response.extensions }
    }
}
