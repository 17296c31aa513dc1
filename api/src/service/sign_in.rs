//! How often someone may try to sign in, to register or to change a password: for each account, whether it exists or not, and
//! for each address. Each of these tells something of an account, and each costs a hash.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use super::{Fault, ServiceResult};

/// At once, and then so many a minute. A person who mistypes has enough; who guesses needs years.
const PER_ACCOUNT: (u32, u32) = (20, 4);
/// An address may be a whole office's.
const PER_ADDRESS: (u32, u32) = (100, 30);
/// Between two looks for keys that need not be remembered any more.
const ATTEMPTS_BEFORE_SWEEP: u32 = 4_096;

/// Counts attempts in this process.
pub struct SignInThrottle {
    accounts: DefaultKeyedRateLimiter<u64>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    hasher: RandomState,
    attempts: AtomicU32,
}

impl Default for SignInThrottle {
    fn default() -> Self {
        let quota = |(burst, per_minute): (u32, u32)| {
            let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
            Quota::per_minute(at_least_one(per_minute)).allow_burst(at_least_one(burst))
        };
        Self {
            accounts: RateLimiter::keyed(quota(PER_ACCOUNT)),
            addresses: RateLimiter::keyed(quota(PER_ADDRESS)),
            hasher: RandomState::new(),
            attempts: AtomicU32::new(0),
        }
    }
}

impl SignInThrottle {
    /// Counts an attempt on the account of an e-mail address, known or not, from an address.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] when there were too many. Nothing was looked up then.
    pub fn attempt(&self, email: &str, address: Option<IpAddr>) -> ServiceResult<()> {
        if self.attempts.fetch_add(1, Ordering::Relaxed) % ATTEMPTS_BEFORE_SWEEP == ATTEMPTS_BEFORE_SWEEP - 1
        {
            self.accounts.retain_recent();
            self.addresses.retain_recent();
        }
        let from_here = address.map_or(Ok(()), |address| self.addresses.check_key(&address));
        let account = self.hasher.hash_one(email.trim().to_lowercase());
        from_here.and_then(|()| self.accounts.check_key(&account)).map_err(|refusal| {
            let wait = refusal.wait_time_from(DefaultClock::default().now());
            Fault::RateLimited { retry_after: wait.max(Duration::from_secs(1)) }.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_for_the_account_and_for_the_address() {
        let throttle = SignInThrottle::default();
        let at = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        for i in 0..PER_ACCOUNT.0 {
            assert!(throttle.attempt("ada@example.org", at(i as u8)).is_ok());
        }
        assert!(throttle.attempt(" ADA@example.org", at(99)).is_err());
        assert!(throttle.attempt("bob@example.org", at(99)).is_ok());
        for i in 0..PER_ADDRESS.0 {
            assert!(throttle.attempt(&format!("{i}@example.org"), at(100)).is_ok());
        }
        assert!(throttle.attempt("new@example.org", at(100)).is_err());
        assert!(throttle.attempt("new@example.org", None).is_ok());
    }
}
