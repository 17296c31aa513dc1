//! Live subscriptions of each user.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

/// Who has how many in this process.
#[derive(Clone, Default)]
pub struct LiveSubscriptions(Arc<Mutex<HashMap<Uuid, u32>>>);

/// One live subscription, for as long as this is kept.
pub struct Place {
    live: LiveSubscriptions,
    user: Uuid,
}

impl LiveSubscriptions {
    /// A place for one more; none when the user has `limit` of them.
    pub fn enter(&self, user: Uuid, limit: u32) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place { live: self.clone(), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.live.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_once_it_is_dropped() {
        let (live, user) = (LiveSubscriptions::default(), Uuid::now_v7());
        let first = live.enter(user, 2);
        let second = live.enter(user, 2);
        assert!(first.is_some() && second.is_some() && live.enter(user, 2).is_none());
        assert!(live.enter(Uuid::now_v7(), 1).is_some());
        drop(first);
        assert!(live.enter(user, 2).is_some());
        drop(second);
        assert!(live.0.lock().unwrap().is_empty());
    }
}
