//! Keys of groups of rows, such as the orders of districts: each group has its own range of keys, in which keys ascend.
//!
//! Loaded rows come group by group. Rows of the run go behind those of a group; groups take turns, `run` rows a turn, in an order
//! that is random and the same every round. So the place of every row follows by arithmetic, and who inserts for a certain group
//! gets that group's turn on average only.

use super::permutation::Permutation;
use crate::prng::Stream;

#[derive(Debug, Clone)]
pub(crate) struct Groups {
    groups: u64,
    run: u64,
    loaded: u64,
    /// By group: the rank of its first key; and the number of keys.
    starts: Vec<u32>,
    /// From a place in a round to the group whose turn it is.
    turns: Permutation,
}

impl Groups {
    /// `look` is asked now and then whether to go on.
    pub(super) fn new<E>(
        (groups, run): (u32, u32),
        loaded: u64,
        universe: u32,
        stream: Stream,
        mut look: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let groups = Self::count(groups, universe);
        let turns = Permutation::new(groups, stream);
        let mut all = Self { groups, run: u64::from(run.max(1)), loaded, starts: Vec::new(), turns };
        let mut starts = Vec::with_capacity(groups as usize + 1);
        let mut start = 0;
        for group in 0..groups {
            if group % GROUPS_BETWEEN_LOOKS == 0 {
                look()?;
            }
            starts.push(start);
            start += all.rows(group, u64::from(universe)) as u32;
        }
        starts.push(start);
        all.starts = starts;
        Ok(all)
    }

    /// No more groups than there are keys.
    fn count(groups: u32, universe: u32) -> u64 {
        u64::from(groups.clamp(1, universe.max(1)))
    }

    pub(super) fn memory_for(groups: u32, universe: u32) -> u64 {
        (Self::count(groups, universe) + 1) * 4
    }

    pub(crate) fn groups(&self) -> u64 {
        self.groups
    }

    /// Loaded rows of the groups before this one.
    fn loaded_before(&self, group: u64) -> u64 {
        group * self.loaded / self.groups
    }

    fn loaded_in(&self, group: u64) -> u64 {
        self.loaded_before(group + 1) - self.loaded_before(group)
    }

    /// Rows of a group once as many of the table have arrived.
    pub(crate) fn rows(&self, group: u64, arrived: u64) -> u64 {
        let inserted = arrived.saturating_sub(self.loaded);
        let round = self.groups * self.run;
        let turn = self.turns.backward(group);
        let last = (inserted % round).saturating_sub(turn * self.run).min(self.run);
        self.loaded_in(group) + inserted / round * self.run + last
    }

    /// The record at a place of a group, in key order.
    pub(crate) fn record(&self, group: u64, place: u64) -> u64 {
        match place.checked_sub(self.loaded_in(group)) {
            None => self.loaded_before(group) + place,
            Some(place) => {
                let (round, rest) = (place / self.run, place % self.run);
                self.loaded + (round * self.groups + self.turns.backward(group)) * self.run + rest
            }
        }
    }

    pub(super) fn rank_of(&self, record: u32) -> u32 {
        let (group, place) = self.place_of(record);
        self.starts[group as usize] + place as u32
    }

    /// The group of a record, and its place there.
    pub(super) fn place_of(&self, record: u32) -> (u64, u64) {
        let record = u64::from(record);
        match record.checked_sub(self.loaded) {
            None => {
                let group = ((record + 1) * self.groups).div_ceil(self.loaded) - 1;
                (group, record - self.loaded_before(group))
            }
            Some(inserted) => {
                let (turn, rest) = (inserted / self.run, inserted % self.run);
                let group = self.turns.forward(turn % self.groups);
                (group, self.loaded_in(group) + turn / self.groups * self.run + rest)
            }
        }
    }

    pub(super) fn record_of(&self, rank: u32) -> u32 {
        let group = self.starts.partition_point(|start| *start <= rank) - 1;
        // Groups without keys begin where the next one does: the last of them that begins here has the key.
        self.record(group as u64, u64::from(rank - self.starts[group])) as u32
    }
}

/// Groups counted between two looks at whether to go on.
const GROUPS_BETWEEN_LOOKS: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(groups: u32, run: u32, loaded: u64, universe: u32) -> Groups {
        let look = || Ok::<(), std::convert::Infallible>(());
        let Ok(all) = Groups::new((groups, run), loaded, universe, Stream::new(3, "turns"), look);
        all
    }

    #[test]
    fn every_record_has_a_key_and_every_key_its_record() {
        for (groups, run, loaded, universe) in [
            (1, 1, 0, 1),
            (3, 1, 10, 10),
            (3, 1, 10, 29),
            (4, 3, 0, 31),
            (7, 2, 5, 64),
            (100, 10, 30, 45),
            (10, 4, 1_000, 1_777),
        ] {
            let all = all(groups, run, loaded, universe);
            let mut seen = vec![false; universe as usize];
            for record in 0..universe {
                let rank = all.rank_of(record);
                assert!(!std::mem::replace(&mut seen[rank as usize], true), "{record}");
                assert_eq!(all.record_of(rank), record);
            }
        }
    }

    #[test]
    fn rows_that_arrive_go_behind_those_of_their_group() {
        let all = all(5, 2, 50, 121);
        for arrived in 50..=121u64 {
            let mut rows = 0;
            for group in 0..all.groups() {
                let here = all.rows(group, arrived);
                rows += here;
                let ranks: Vec<u32> =
                    (0..here).map(|place| all.rank_of(all.record(group, place) as u32)).collect();
                assert!((0..here).all(|place| all.record(group, place) < arrived));
                assert!(ranks.windows(2).all(|pair| pair[0] + 1 == pair[1]));
            }
            assert_eq!(rows, arrived);
        }
        // Loaded rows are in key order; two rows of a turn are neighbours.
        let order: Vec<u32> = (0..10).map(|record| all.rank_of(record)).collect();
        assert_eq!(order, (0..10).collect::<Vec<u32>>());
        assert_eq!(all.rank_of(50) + 1, all.rank_of(51));
        assert_ne!(all.rank_of(51) + 1, all.rank_of(52));
    }
}
