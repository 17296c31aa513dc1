//! What a resolver may reach.

use std::net::IpAddr;

use async_graphql::Context;
use worker::pool::Services;

use crate::auth::Viewer;

/// What is known about one operation, over HTTP or a WebSocket.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub viewer: Option<Viewer>,
    /// Follows the request through logs, jobs and workers.
    pub request_id: String,
    pub user_agent: Option<String>,
    /// Where the request comes from, seen through trusted proxies.
    pub client_ip: Option<IpAddr>,
}

/// Who is asking; none is an anonymous viewer.
pub fn viewer(ctx: &Context<'_>) -> Option<Viewer> {
    request(ctx).viewer
}

/// The request that this operation came with.
pub fn request<'a>(ctx: &Context<'a>) -> &'a RequestContext {
    ctx.data_unchecked()
}

/// Database, queue and bus.
pub fn services<'a>(ctx: &Context<'a>) -> &'a Services {
    ctx.data_unchecked()
}
