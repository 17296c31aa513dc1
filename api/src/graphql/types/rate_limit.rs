use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

/// GitHub names; nodeCount is the static worst case, cost the points charged.
#[derive(SimpleObject, Clone, Debug)]
pub struct RateLimit {
    /// Points a minute.
    pub limit: i32,
    /// Points that are left now, after this request.
    pub remaining: i32,
    /// Points that are not there now.
    pub used: i32,
    /// When all points are there again, if nothing more is asked.
    pub reset_at: DateTime<Utc>,
    /// Points of this request: 1, and 1 for every 1,000 nodes.
    pub cost: i32,
    /// Nodes that this request can give at worst.
    pub node_count: i32,
    /// Points that come back in a second.
    pub restore_rate_per_second: f64,
}
