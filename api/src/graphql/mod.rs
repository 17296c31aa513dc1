//! The GraphQL schema: types, queries, mutations and subscriptions over the services.

pub mod context;
pub mod errors;
pub mod id;
pub mod loaders;
mod mutation;
pub mod pagination;
mod query;
pub mod scalars;
mod spans;
mod subscription;
pub mod types;
mod weights;

use async_graphql::{Request, SDLExportOptions};
pub use context::RequestContext;
use worker::pool::Services;

pub use self::{mutation::Mutation, query::Query, subscription::Subscription};
use crate::{auth::Tokens, config::Config, service::sign_in::SignInThrottle};

/// The executable schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// The schema over these services.
pub fn build(services: Services, tokens: Tokens, config: Config) -> Schema {
    let builder = builder().data(services).data(tokens).data(SignInThrottle::default());
    // An extension is asked at every field; where nobody collects traces it would cost for nothing.
    let builder = match config.worker.otlp_endpoint {
        Some(_) => builder.extension(spans::FieldSpans),
        None => builder,
    };
    builder.data(config).finish()
}

/// The schema's text, the same every time.
pub fn sdl() -> String {
    let options =
        SDLExportOptions::new().include_specified_by().prefer_single_line_descriptions().use_space_ident();
    one_line_descriptions(&builder().finish().sdl_with_options(options))
}

/// Documentation wraps in the source, but each description is one line of the schema's text, like those without a wrap.
fn one_line_descriptions(sdl: &str) -> String {
    const FENCE: &str = "\"\"\"";
    let mut text = String::with_capacity(sdl.len());
    let mut description: Option<Vec<&str>> = None;
    for line in sdl.lines() {
        if line.trim() != FENCE {
            match &mut description {
                Some(lines) => lines.push(line.trim()),
                None => text.extend([line, "\n"]),
            }
            continue;
        }
        description = match description {
            None => Some(Vec::new()),
            Some(lines) => {
                let indent = &line[..line.len() - FENCE.len()];
                text.extend([indent, "\"", &lines.join(" ").replace('"', "\\\""), "\"\n"]);
                None
            }
        };
    }
    text
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    async_graphql::Schema::build(Query, Mutation::default(), Subscription::default())
        .register_output_type::<types::node::Timestamped>()
        .register_output_type::<types::node::AsyncJob>()
        .directive(weights::Cost)
        .directive(weights::ListSize)
}

/// Gives an operation what its resolvers reach for besides the schema's own data. Its services come before the schema's:
/// they may read elsewhere.
pub fn attach(request: Request, context: RequestContext, services: Services) -> Request {
    let loaders = loaders::loaders(&services, context.viewer);
    request.data(loaders).data(context).data(services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_description_becomes_one_line_and_keeps_its_quotes() {
        let sdl = "type A {\n  \"\"\"\n  One \"two\"\n  three.\n  \"\"\"\n  b: Int\n}\n";
        assert_eq!(one_line_descriptions(sdl), "type A {\n  \"One \\\"two\\\" three.\"\n  b: Int\n}\n");
    }
}
