//! How much of a kind everyone has at a time: live subscriptions of each user, sockets of each address.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Who has how many in this process.
pub struct Places<K>(Arc<Mutex<HashMap<K, u32>>>);

/// One of them, for as long as this is kept.
pub struct Place<K: Eq + Hash> {
    places: Places<K>,
    holder: K,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Copy + Eq + Hash> Places<K> {
    /// A place for one more; none when the holder has `limit` of them.
    pub fn enter(&self, holder: K, limit: u32) -> Option<Place<K>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = counts.get(&holder).copied().unwrap_or_default();
        if held >= limit {
            return None;
        }
        counts.insert(holder, held + 1);
        Some(Place { places: self.clone(), holder })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_once_it_is_dropped() {
        let places = Places::default();
        let first = places.enter('a', 2);
        let second = places.enter('a', 2);
        assert!(first.is_some() && second.is_some() && places.enter('a', 2).is_none());
        assert!(places.enter('b', 1).is_some());
        drop(first);
        assert!(places.enter('a', 2).is_some());
        drop(second);
        assert!(places.enter('c', 0).is_none());
        assert!(places.0.lock().unwrap().is_empty());
    }
}
