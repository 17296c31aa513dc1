//! Who sends an operation, what they may use of the gateway, and how they stand.

use std::{net::IpAddr, num::NonZeroU32};

use async_graphql::ServerError;
use axum::http::{Extensions, HeaderMap};
use chrono::{DateTime, Utc};
use entity::status::Tier;

use super::{
    Gateway, address,
    errors::{UNAUTHENTICATED, coded},
    graphql::{authorization, user_agent},
    rate::{Payer, Standing},
};
use crate::{
    auth,
    graphql::{RequestContext, types::rate_limit::RateLimit},
    service::allowance::Allowance,
};

/// What a connection says before anyone is known to be behind it.
pub struct Origin {
    pub authorization: Result<Option<String>, ServerError>,
    pub request_id: String,
    pub user_agent: Option<String>,
    pub client_ip: Option<IpAddr>,
}

/// Someone who sends operations.
#[derive(Clone, Debug)]
pub struct Caller {
    pub context: RequestContext,
    /// The plan; none when anonymous.
    pub tier: Option<Tier>,
    /// When the access token ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Someone whose token is not good.
pub struct Stranger {
    pub error: ServerError,
    /// Of their address.
    pub standing: Option<Standing>,
}

/// The account of one request.
pub struct Tally {
    payer: Payer,
    tier: Option<Tier>,
    points: u32,
    /// After the last charge; none where nothing is limited.
    pub standing: Option<Standing>,
}

impl Gateway {
    pub fn origin(&self, extensions: &Extensions, headers: &HeaderMap, request_id: String) -> Origin {
        Origin {
            authorization: authorization(headers).map(|value| value.map(str::to_owned)),
            request_id,
            user_agent: user_agent(headers),
            client_ip: address::client(extensions, headers, &self.state.config.trusted_proxies),
        }
    }

    /// Who an `Authorization` value names. One that names nobody is paid for by its address, so that trying tokens costs
    /// what asking without one does.
    ///
    /// # Errors
    /// What to tell a client whose token is not good.
    pub fn caller(&self, origin: Origin) -> Result<Caller, Box<Stranger>> {
        let Origin { authorization, request_id, user_agent, client_ip } = origin;
        let identity = authorization.and_then(|authorization| {
            auth::identity(&self.state.tokens, authorization.as_deref())
                .map_err(|_| coded(UNAUTHENTICATED, "The access token is invalid or has expired"))
        });
        let identity = identity.map_err(|error| {
            let standing = self.rates.charge(Payer::address(client_ip), None, NonZeroU32::MIN);
            let error = standing.and_then(|standing| standing.refusal()).unwrap_or(error);
            Box::new(Stranger { error, standing })
        })?;
        let viewer = identity.map(|identity| identity.viewer);
        Ok(Caller {
            context: RequestContext { viewer, request_id, user_agent, client_ip },
            tier: identity.map(|identity| identity.tier),
            expires_at: identity.map(|identity| identity.expires_at),
        })
    }

    pub fn allowance(&self, caller: &Caller) -> &Allowance {
        self.state.config.allowances.of(caller.tier)
    }

    /// Opens the account of a request and takes its first point.
    ///
    /// # Errors
    /// With the error that refuses the request when the caller has no point left.
    pub fn tally(&self, caller: &Caller) -> (Tally, Result<(), ServerError>) {
        let RequestContext { viewer, client_ip, .. } = &caller.context;
        let payer = viewer.map_or_else(|| Payer::address(*client_ip), |viewer| Payer::User(viewer.user_id));
        let mut tally = Tally { payer, tier: caller.tier, points: 0, standing: None };
        let charged = self.charge(&mut tally, 1);
        (tally, charged)
    }

    /// Takes points for a request.
    ///
    /// # Errors
    /// The error that refuses the request when there are too few.
    pub fn charge(&self, tally: &mut Tally, points: u32) -> Result<(), ServerError> {
        let Some(charge) = NonZeroU32::new(points) else { return Ok(()) };
        tally.standing = self.rates.charge(tally.payer, tally.tier, charge);
        tally.points = tally.points.saturating_add(points);
        tally.standing.and_then(|standing| standing.refusal()).map_or(Ok(()), Err)
    }
}

impl Tally {
    pub fn points(&self) -> u32 {
        self.points
    }

    /// What `rateLimit` of the schema tells.
    pub fn report(&self, nodes: u64) -> Option<RateLimit> {
        let standing = self.standing?;
        let int = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        Some(RateLimit {
            limit: int(standing.limit),
            remaining: int(standing.remaining),
            used: int(standing.limit.saturating_sub(standing.remaining)),
            reset_at: entity::time::now() + standing.reset,
            cost: int(self.points),
            node_count: i32::try_from(nodes).unwrap_or(i32::MAX),
            restore_rate_per_second: f64::from(standing.limit) / 60.0,
        })
    }
}
