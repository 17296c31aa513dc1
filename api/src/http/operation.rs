//! One GraphQL operation from its parameters to its response, the same for every transport.

use std::{collections::BTreeMap, panic::AssertUnwindSafe};

use async_graphql::{
    Pos, Request, Response, ServerError, Value,
    extensions::apollo_persisted_queries::CacheStorage,
    parser::{
        self, parse_query,
        types::{ExecutableDocument, OperationType},
    },
    value,
};
use futures_util::{FutureExt, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    Gateway,
    caller::{Caller, Tally},
    document,
    errors::{
        self, BAD_REQUEST, COST_LIMIT_EXCEEDED, PARSE_FAILED, PERSISTED_QUERY_NOT_FOUND, VALIDATION_FAILED,
        coded,
    },
    params::Params,
};
use crate::{auth::hex, config::Introspection, graphql, trusted::TrustedDocuments};

/// A longer document is executed, but not kept for reference by hash.
const PERSISTED_BYTES: usize = 16 << 10;

/// For each of these many nodes an operation costs a point besides its first.
const NODES_PER_POINT: u64 = 1_000;

/// An operation that may be executed.
pub struct Operation {
    request: Request,
    pub kind: OperationType,
    /// Whose it is; none when anonymous.
    viewer: Option<Uuid>,
    finishing: Finishing,
}

/// What is needed to finish its responses.
struct Finishing {
    variable_arguments: Vec<Pos>,
    may_see_schema: bool,
    request_id: String,
    /// What one response tells of the cost; the messages of a subscription do not repeat it.
    cost: Option<Value>,
}

/// Apollo's automatic persisted queries
/// (<https://www.apollographql.com/docs/apollo-server/performance/apq#verify>).
#[derive(Deserialize)]
struct Persisted {
    version: u32,
    #[serde(rename = "sha256Hash")]
    sha256_hash: String,
}

impl Persisted {
    /// The document that a request names by its hash.
    ///
    /// # Errors
    /// When what should name it does not.
    fn of(params: &Params) -> Result<Option<Self>, ServerError> {
        if let Some(id) = &params.document_id {
            let sha256_hash = id.strip_prefix("sha256:").unwrap_or(id).to_owned();
            return Ok(Some(Self { version: 1, sha256_hash }));
        }
        match params.extensions.get("persistedQuery") {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(value) => match Self::deserialize(value) {
                Ok(persisted) if persisted.version == 1 => Ok(Some(persisted)),
                _ => {
                    let message =
                        "\"extensions.persistedQuery\" must hold \"version\": 1 and a \"sha256Hash\"";
                    Err(coded(BAD_REQUEST, message))
                }
            },
        }
    }
}

/// The document that a request selects among the trusted ones, by its id or by its text.
fn trusted_document(
    trusted: &TrustedDocuments,
    text: Option<&str>,
    params: &Params,
) -> Result<ExecutableDocument, ServerError> {
    let found = match (text, &params.document_id) {
        (Some(text), _) => trusted.by_text(text),
        (None, Some(id)) => trusted.by_id(id),
        (None, None) => Persisted::of(params)?.and_then(|persisted| trusted.by_id(&persisted.sha256_hash)),
    };
    let message = "Only documents that this server was given are executed here, and this is none of them";
    found.cloned().ok_or_else(|| coded(PERSISTED_QUERY_NOT_FOUND, message))
}

impl Gateway {
    /// Finds, parses and checks the operation that `params` select, and charges what it can cost. Nothing is executed yet,
    /// so that a transport can refuse what it does not serve.
    ///
    /// # Errors
    /// Every error has its code; there is no `data`.
    pub async fn prepare(
        &self,
        params: Params,
        caller: &Caller,
        tally: &mut Tally,
    ) -> Result<Operation, ServerError> {
        let document = self.document(&params).await?;
        let shape = document::check_shape(&document)?;
        let may_see_schema = match self.state.config.introspection {
            Introspection::Everyone => true,
            Introspection::SignedIn => caller.context.viewer.is_some(),
            Introspection::Nobody => false,
        };
        if shape.asks_for_schema && !may_see_schema {
            return Err(coded(VALIDATION_FAILED, "The schema may not be introspected here"));
        }
        let operation_name = params.operation_name.as_deref();
        let (kind, nodes) = match document::selected(&document, operation_name) {
            Some(operation) => {
                document::check_variables(operation, &params.variables)?;
                (operation.ty, self.costs.nodes(&document, operation, &params.variables))
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

        let limit = self.allowance(caller).nodes;
        if nodes > limit {
            let message = format!("The operation can give {nodes} nodes at worst and may give {limit}");
            return Err(coded(COST_LIMIT_EXCEEDED, message));
        }
        self.charge(tally, u32::try_from(nodes / NODES_PER_POINT).unwrap_or(u32::MAX))?;

        let request = Request::new(params.query.unwrap_or_default()).variables(params.variables);
        let viewer = caller.context.viewer.map(|viewer| viewer.user_id);
        let services = &self.state.services;
        // A mutation reads what it has written, and a subscription what it was noticed of: both are on the primary.
        let services = match kind {
            OperationType::Query => services.for_query(viewer).await,
            OperationType::Mutation | OperationType::Subscription => services.clone(),
        };
        let mut request = graphql::attach(request, caller.context.clone(), services);
        if let Some(report) = tally.report(nodes) {
            request = request.data(report);
        }
        request.operation_name = params.operation_name;
        request.set_parsed_query(document);
        let finishing = Finishing {
            variable_arguments: shape.variable_arguments,
            may_see_schema,
            request_id: caller.context.request_id.clone(),
            cost: (kind != OperationType::Subscription)
                .then(|| value!({ "nodeCount": nodes, "points": tally.points() })),
        };
        Ok(Operation { request, kind, viewer, finishing })
    }

    /// The document itself, or the one that a hash stands for.
    async fn document(&self, params: &Params) -> Result<ExecutableDocument, ServerError> {
        let text = params.query.as_deref().filter(|text| !text.is_empty());
        if let Some(trusted) = &self.state.config.trusted_documents {
            return trusted_document(trusted, text, params);
        }
        let persisted = Persisted::of(params)?;
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
        let Operation { request, kind, viewer, finishing } = operation;
        let deadline = self.state.config.request_timeout;
        let execution = AssertUnwindSafe(self.state.schema.execute(request)).catch_unwind();
        // What is dropped at the deadline stops there; PostgreSQL ends the statement that was under way by itself.
        let response = match tokio::time::timeout(deadline, execution).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => panicked(&finishing.request_id),
            Err(_) => {
                let message = format!("The operation took longer than {} s", deadline.as_secs());
                Response::from_errors(vec![coded(errors::TIMEOUT, message)])
            }
        };
        if let (OperationType::Mutation, Some(user_id)) = (kind, viewer) {
            self.state.services.seen_by(user_id).await;
        }
        finishing.finish(response)
    }

    /// Subscribes; the stream ends when the subscription does.
    pub fn subscribe(&self, operation: Operation) -> impl Stream<Item = Response> + Send + use<> {
        let Operation { request, viewer, finishing, .. } = operation;
        let stream = self.state.schema.execute_stream(request);
        let services = self.state.services.clone();
        let stream = AssertUnwindSafe(stream).catch_unwind().map(move |response| {
            finishing.finish(response.unwrap_or_else(|_| panicked(&finishing.request_id)))
        });
        stream.then(move |response| {
            let services = services.clone();
            async move {
                // Who is told a state finds it in queries.
                if let Some(user_id) = viewer {
                    services.seen_by(user_id).await;
                }
                response
            }
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
        if let Some(cost) = &self.cost {
            response.extensions.insert("cost".into(), cost.clone());
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
