//! The lock table against a naive one: lists of holders and waiters, every rule applied from scratch.

use proptest::prelude::*;
use std::collections::BTreeMap;

use super::lock_table::{Answer, Entry, Item, LockTable, Mode};

const CLIENTS: u32 = 6;

#[derive(Debug, Default, Clone)]
struct Naive {
    holders: Vec<(u32, Mode)>,
    /// Client, mode, whether it upgrades.
    queue: Vec<(u32, Mode, bool)>,
}

#[derive(Debug, Default)]
struct Model {
    entries: BTreeMap<Item, Naive>,
}

impl Model {
    fn wanted(&self, client: u32, item: Item, mode: Mode) -> (Option<Mode>, Mode) {
        let entry = self.entries.get(&item).cloned().unwrap_or_default();
        let held = entry.holders.iter().find(|(of, _)| *of == client).map(|(_, mode)| *mode);
        (held, held.map_or(mode, |held| held.join(mode)))
    }

    fn agrees(entry: &Naive, client: u32, mode: Mode) -> bool {
        entry.holders.iter().all(|(of, held)| *of == client || held.agrees(mode))
    }

    fn request(&mut self, client: u32, item: Item, mode: Mode) -> Answer {
        let (held, wanted) = self.wanted(client, item, mode);
        let entry = self.entries.entry(item).or_default();
        if held == Some(wanted) {
            return Answer::Held;
        }
        let queue_agrees = entry.queue.iter().all(|(_, waits, _)| waits.agrees(wanted));
        if !Self::agrees(entry, client, wanted) || held.is_none() && !queue_agrees {
            return Answer::Conflict;
        }
        entry.holders.retain(|(of, _)| *of != client);
        entry.holders.push((client, wanted));
        Answer::Granted
    }

    fn wait(&mut self, client: u32, item: Item, mode: Mode) {
        let (held, wanted) = self.wanted(client, item, mode);
        let entry = self.entries.entry(item).or_default();
        let place = match held {
            Some(_) => entry.queue.iter().take_while(|(.., upgrades)| *upgrades).count(),
            None => entry.queue.len(),
        };
        entry.queue.insert(place, (client, wanted, held.is_some()));
    }

    /// Takes a client out of the queue, and its locks if it is over; who is granted what it waited for.
    fn leave(&mut self, client: u32, over: bool) -> Vec<u32> {
        let mut granted = Vec::new();
        for entry in self.entries.values_mut() {
            entry.queue.retain(|(of, ..)| *of != client);
            if over {
                entry.holders.retain(|(of, _)| *of != client);
            }
            let mut place = 0;
            while let Some((waiter, mode, _)) = entry.queue.get(place).copied() {
                let ahead_agree = entry.queue[..place].iter().all(|(_, ahead, _)| ahead.agrees(mode));
                if !ahead_agree || !Self::agrees(entry, waiter, mode) {
                    place += 1;
                    continue;
                }
                entry.queue.remove(place);
                entry.holders.retain(|(of, _)| *of != waiter);
                entry.holders.push((waiter, mode));
                granted.push(waiter);
            }
        }
        granted
    }

    fn waits(&self, client: u32) -> bool {
        self.entries.values().any(|entry| entry.queue.iter().any(|(of, ..)| *of == client))
    }
}

fn request() -> impl Strategy<Value = (Item, Mode)> {
    let modes = [
        Mode::IntentionShared,
        Mode::IntentionExclusive,
        Mode::Shared,
        Mode::SharedIntentionExclusive,
        Mode::Exclusive,
    ];
    prop_oneof![
        2 => (0u32..3, any::<bool>()).prop_map(|(rank, exclusive)| {
            (Item::Row(0, rank), if exclusive { Mode::Exclusive } else { Mode::Shared })
        }),
        1 => prop::sample::select(modes.to_vec()).prop_map(|mode| (Item::Table(0), mode)),
    ]
}

proptest! {
    /// Grants, queues and who is woken are those of the naive table, and holders always agree.
    #[test]
    fn locks_are_those_of_a_naive_table(steps in prop::collection::vec((0..CLIENTS, request(), 0u32..8), 1..200)) {
        let mut locks = LockTable::new(CLIENTS as usize, 1);
        let mut model = Model::default();
        for (client, (item, mode), what) in steps {
            let mut granted = Vec::new();
            if what == 0 || what == 1 || model.waits(client) {
                locks.cancel(client, &mut granted);
                let mut expected = model.leave(client, false);
                if what > 0 {
                    locks.release_all(client, &mut granted);
                    expected.extend(model.leave(client, true));
                }
                granted.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(granted, expected);
            } else {
                let answer = locks.request(client, item, mode, false);
                prop_assert_eq!(answer, model.request(client, item, mode));
                if answer == Answer::Conflict {
                    let mut blockers = Vec::new();
                    locks.blockers(client, item, mode, &mut blockers);
                    prop_assert!(!blockers.is_empty() && !blockers.contains(&client));
                    locks.wait(client, item, mode);
                    model.wait(client, item, mode);
                }
            }
            let entries = locks.entries();
            let mut told: BTreeMap<Item, Vec<(u32, Mode)>> = BTreeMap::new();
            for Entry { item, mut holders, queue } in entries {
                holders.sort_unstable();
                let queue: Vec<(u32, Mode)> = queue.iter().map(|waiter| (waiter.client, waiter.mode)).collect();
                let expected: Vec<(u32, Mode)> =
                    model.entries[&item].queue.iter().map(|(client, mode, _)| (*client, *mode)).collect();
                prop_assert_eq!(queue, expected);
                told.insert(item, holders);
            }
            for (item, entry) in &model.entries {
                let mut holders = entry.holders.clone();
                holders.sort_unstable();
                prop_assert_eq!(told.get(item).cloned().unwrap_or_default(), holders);
            }
            let waiting = (0..CLIENTS).filter(|client| model.waits(*client)).count();
            prop_assert_eq!(locks.waiting() as usize, waiting);
        }
        for client in 0..CLIENTS {
            let mut granted = Vec::new();
            locks.cancel(client, &mut granted);
            locks.release_all(client, &mut granted);
        }
        (0..CLIENTS).for_each(|client| locks.release_all(client, &mut Vec::new()));
        prop_assert!(locks.entries().is_empty() && locks.waiting() == 0);
    }

    /// Past those who wait for a row, share locks may join: nobody ever holds what another's lock forbids.
    #[test]
    fn barging_never_breaks_an_exclusive_lock(steps in prop::collection::vec((0..CLIENTS, any::<bool>(), 0u32..5), 1..100)) {
        let mut locks = LockTable::new(CLIENTS as usize, 1);
        for (client, exclusive, what) in steps {
            let mode = if exclusive { Mode::Exclusive } else { Mode::Shared };
            if what == 0 || locks.wait_of(client).is_some() {
                locks.cancel(client, &mut Vec::new());
                locks.release_all(client, &mut Vec::new());
            } else if what == 1 {
                locks.release_shared_rows(client, &mut Vec::new());
            } else if locks.request(client, Item::Row(0, 0), mode, true) == Answer::Conflict {
                locks.wait(client, Item::Row(0, 0), mode);
            }
            for Entry { holders, queue, .. } in locks.entries() {
                prop_assert!(holders.len() == 1 || holders.iter().all(|(_, mode)| *mode == Mode::Shared));
                let mut clients: Vec<u32> = holders.iter().map(|(client, _)| *client).collect();
                clients.sort_unstable();
                clients.dedup();
                prop_assert_eq!(clients.len(), holders.len());
                prop_assert!(!holders.is_empty() || queue.is_empty());
            }
        }
    }
}
