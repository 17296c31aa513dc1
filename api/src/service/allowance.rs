//! How much of the gateway each kind of caller may use: the one place for these limits. What a plan lets people make is
//! in [`super::plan`].

use std::num::NonZeroU32;

use entity::status::Tier;

/// Limits of one kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// A request is 1 point, and 1 more for every 1,000 nodes it can give. None is unlimited.
    pub points_per_minute: Option<NonZeroU32>,
    /// Subscriptions of one user at a time.
    pub live_subscriptions: u32,
    /// Nodes that one operation can give at worst.
    pub nodes: u64,
}

/// The limits of everyone; the configuration may change some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowances {
    pub anonymous: Allowance,
    pub free: Allowance,
    pub premium: Allowance,
    /// WebSockets of one address at a time, whoever signs in on them; an address may be a whole office's.
    pub sockets_per_address: u32,
}

impl Default for Allowances {
    fn default() -> Self {
        let allowance = |points, live_subscriptions, nodes| Allowance {
            points_per_minute: NonZeroU32::new(points),
            live_subscriptions,
            nodes,
        };
        Self {
            anonymous: allowance(30, 0, 10_000),
            free: allowance(100, 20, 100_000),
            premium: allowance(600, 100, 100_000),
            sockets_per_address: 1_000,
        }
    }
}

impl Allowances {
    /// The limits of a tier; none is an anonymous caller.
    pub fn of(&self, tier: Option<Tier>) -> &Allowance {
        match tier {
            None => &self.anonymous,
            Some(Tier::Free) => &self.free,
            Some(Tier::Premium) => &self.premium,
        }
    }
}
