//! A span for every field that gives objects, for traces. async-graphql's own extension also records each document with its
//! values, and with them passwords and tokens.

use std::sync::Arc;

use async_graphql::{
    ServerResult, Value,
    async_trait::async_trait,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo},
    registry::{MetaType, MetaTypeName},
};
use tracing::Instrument as _;

pub struct FieldSpans;

impl ExtensionFactory for FieldSpans {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for FieldSpans {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let given = ctx.schema_env.registry.types.get(MetaTypeName::concrete_typename(info.return_type));
        if info.is_for_introspection || given.is_some_and(MetaType::is_leaf) {
            return next.run(ctx, info).await;
        }
        let span = tracing::info_span!(
            target: "async_graphql::graphql",
            "field",
            path = %info.path_node,
            parent_type = info.parent_type,
            return_type = info.return_type,
        );
        next.run(ctx, info).instrument(span).await
    }
}
