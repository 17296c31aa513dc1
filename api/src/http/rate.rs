//! Points a minute for each user, and for each address of people who are not signed in. Counted in this process alone: several
//! processes allow as much each.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use async_graphql::ServerError;
use entity::status::Tier;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use uuid::Uuid;

use super::{
    address::network,
    errors::{RATE_LIMITED, coded},
};
use crate::service::allowance::Allowances;

/// Between two looks for callers who have all their points again and need not be remembered.
const CHARGES_BEFORE_SWEEP: u32 = 4_096;
const MINUTE: Duration = Duration::from_secs(60);

/// Whose points are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    User(Uuid),
    /// Where an anonymous request came from; none when that is unknown, which all such requests share.
    Address(Option<IpAddr>),
}

type Limiter = RateLimiter<Payer, DefaultKeyedStateStore<Payer>, DefaultClock, StateInformationMiddleware>;

/// The points of everyone.
pub struct Rates {
    anonymous: Option<Bucket>,
    free: Option<Bucket>,
    premium: Option<Bucket>,
}

struct Bucket {
    limit: NonZeroU32,
    limiter: Limiter,
    charges: AtomicU32,
}

/// How a caller stands after a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub limit: u32,
    pub remaining: u32,
    /// Until all points are there again.
    pub reset: Duration,
    /// Until the refused charge would be accepted.
    pub retry_after: Option<Duration>,
}

impl Rates {
    pub fn new(allowances: &Allowances) -> Self {
        let bucket = |tier| {
            allowances.of(tier).points_per_minute.map(|limit| Bucket {
                limit,
                limiter: RateLimiter::keyed(Quota::per_minute(limit))
                    .with_middleware::<StateInformationMiddleware>(),
                charges: AtomicU32::new(0),
            })
        };
        Self { anonymous: bucket(None), free: bucket(Some(Tier::Free)), premium: bucket(Some(Tier::Premium)) }
    }

    /// Takes points from a payer, all of them or none; no more than a minute gives, so that no request is impossible. No
    /// standing means no limit.
    pub fn charge(&self, payer: Payer, tier: Option<Tier>, points: NonZeroU32) -> Option<Standing> {
        let bucket = match tier {
            None => &self.anonymous,
            Some(Tier::Free) => &self.free,
            Some(Tier::Premium) => &self.premium,
        };
        bucket.as_ref().map(|bucket| bucket.charge(payer, points))
    }
}

impl Payer {
    /// An address pays for its whole network, where a network is what one customer commonly gets.
    pub fn address(address: Option<IpAddr>) -> Self {
        Self::Address(address.map(network))
    }
}

impl Bucket {
    fn charge(&self, payer: Payer, points: NonZeroU32) -> Standing {
        if self.charges.fetch_add(1, Ordering::Relaxed) % CHARGES_BEFORE_SWEEP == CHARGES_BEFORE_SWEEP - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let limit = self.limit.get();
        let (remaining, retry_after) = match self.limiter.check_key_n(&payer, points.min(self.limit)) {
            Ok(Ok(snapshot)) => (snapshot.remaining_burst_capacity(), None),
            Ok(Err(refusal)) => (0, Some(refusal.wait_time_from(DefaultClock::default().now()))),
            // A charge is never larger than the bucket.
            Err(_) => (0, Some(MINUTE)),
        };
        let reset = MINUTE.mul_f64(f64::from(limit - remaining.min(limit)) / f64::from(limit));
        Standing { limit, remaining, reset, retry_after }
    }
}

impl Standing {
    /// The error for a request whose charge was refused.
    pub fn refusal(&self) -> Option<ServerError> {
        let seconds = whole_seconds(self.retry_after?);
        let mut error = coded(
            RATE_LIMITED,
            format!("Too many requests: {} points a minute. Retry in {seconds} s", self.limit),
        );
        error.extensions.get_or_insert_default().set("retryAfterSeconds", seconds);
        Some(error)
    }
}

/// Rounded up, so that who waits that long has waited enough.
pub fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(points: u32) -> NonZeroU32 {
        NonZeroU32::new(points).unwrap()
    }

    #[test]
    fn everyone_pays_from_a_purse_of_their_own() {
        let rates = Rates::new(&Allowances::default());
        let home = Payer::address("192.0.2.1".parse().ok());
        for left in (0..30).rev() {
            let standing = rates.charge(home, None, points(1)).unwrap();
            assert_eq!((standing.limit, standing.remaining, standing.retry_after), (30, left, None));
        }
        let refused = rates.charge(home, None, points(1)).unwrap();
        let wait = whole_seconds(refused.retry_after.unwrap());
        assert!((1..=2).contains(&wait), "a point comes back every two seconds, not in {wait} s");
        assert!(refused.refusal().unwrap().message.contains("30 points a minute"));
        assert_eq!(
            rates.charge(Payer::address("192.0.2.2".parse().ok()), None, points(1)).unwrap().remaining,
            29
        );
        let user = Payer::User(Uuid::now_v7());
        assert_eq!(rates.charge(user, Some(Tier::Free), points(101)).unwrap().remaining, 0);
        assert!(rates.charge(user, Some(Tier::Free), points(1)).unwrap().retry_after.is_some());
        assert_eq!(rates.charge(user, Some(Tier::Premium), points(11)).unwrap().remaining, 589);
    }

    #[test]
    fn an_ipv6_customer_is_one_payer_and_no_limit_means_none() {
        let mut allowances = Allowances::default();
        let rates = Rates::new(&allowances);
        let at = |address: &str| rates.charge(Payer::address(address.parse().ok()), None, points(1)).unwrap();
        assert_eq!(at("2001:db8:1:1::1").remaining, 29);
        assert_eq!(at("2001:db8:1:1:ffff::2").remaining, 28);
        assert_eq!(at("2001:db8:1:2::1").remaining, 29);
        allowances.anonymous.points_per_minute = None;
        assert_eq!(Rates::new(&allowances).charge(Payer::address(None), None, points(1)), None);
    }
}
