//! Every policy against a naive model of it: a few lines over lists, searched from end to end.

use std::collections::BTreeMap;

use super::*;
use crate::plan::{CheckpointSpec, WriterSpec};
use proptest::prelude::*;

fn pool(capacity: u32, policy: PolicyKind, clients: u32) -> Pool {
    let mut pool = Pool::new(0, 0, capacity, policy, clients, Stream::new(1, "test"));
    pool.reserve(0, 1);
    pool
}

/// What happens to one access of a pool whose reads take no time.
fn access(pool: &mut Pool, page: u32, write: bool, now_ns: u64) -> (bool, Option<(u32, bool)>) {
    if pool.hit(0, page, write, now_ns) {
        return (true, None);
    }
    // Asking beforehand must change nothing.
    let waits = pool.next_take_waits(0, page);
    let taken = pool.take(0, page, write).unwrap();
    let evicted = taken.evicted.map(|(_, page, dirty)| (page, dirty));
    assert_eq!(waits, taken.write_back.is_some());
    assert_eq!(pool.peek(0, page), Lookup::InFlight(taken.frame));
    pool.arrived(taken.frame, now_ns);
    (false, evicted)
}

/// A naive policy over page numbers.
trait Model {
    /// A page that is here is used.
    fn used(&mut self, page: u32, now: u64);
    /// A page that is absent comes in; when the pool is full, tells who left.
    fn load(&mut self, page: u32, full: bool, now: u64) -> Option<u32>;
}

/// Takes a page out of a list; whether it was there.
fn take_out(list: &mut Vec<u32>, page: u32) -> bool {
    let place = list.iter().position(|other| *other == page);
    place.map(|place| list.remove(place)).is_some()
}

/// Lists have the oldest first.
#[derive(Default)]
struct Recency {
    list: Vec<u32>,
    moves: bool,
}

impl Model for Recency {
    fn used(&mut self, page: u32, _: u64) {
        if self.moves {
            take_out(&mut self.list, page);
            self.list.push(page);
        }
    }

    fn load(&mut self, page: u32, full: bool, _: u64) -> Option<u32> {
        let victim = full.then(|| self.list.remove(0));
        self.list.push(page);
        victim
    }
}

struct Circle {
    frames: Vec<(u32, u32)>,
    hand: usize,
    on_load: u32,
    max: u32,
}

impl Model for Circle {
    fn used(&mut self, page: u32, _: u64) {
        let frame = self.frames.iter_mut().find(|(other, _)| *other == page).unwrap();
        frame.1 = (frame.1 + 1).min(self.max);
    }

    fn load(&mut self, page: u32, full: bool, _: u64) -> Option<u32> {
        if !full {
            self.frames.push((page, self.on_load));
            return None;
        }
        while self.frames[self.hand].1 > 0 {
            self.frames[self.hand].1 -= 1;
            self.hand = (self.hand + 1) % self.frames.len();
        }
        let (victim, _) = std::mem::replace(&mut self.frames[self.hand], (page, self.on_load));
        self.hand = (self.hand + 1) % self.frames.len();
        Some(victim)
    }
}

/// By page: the times of its uses, newest last; LFU, LRU-2 with and without history.
struct Uses {
    here: BTreeMap<u32, Vec<u64>>,
    gone: BTreeMap<u32, Vec<u64>>,
    history: bool,
    /// Smallest first out.
    key: fn(&[u64]) -> (u64, u64),
}

impl Model for Uses {
    fn used(&mut self, page: u32, now: u64) {
        self.here.get_mut(&page).unwrap().push(now);
    }

    fn load(&mut self, page: u32, full: bool, now: u64) -> Option<u32> {
        let victim = full.then(|| *self.here.iter().min_by_key(|(_, uses)| (self.key)(uses)).unwrap().0);
        if let Some(victim) = victim {
            let uses = self.here.remove(&victim).unwrap();
            self.gone.insert(victim, uses);
        }
        let mut uses = self.gone.remove(&page).filter(|_| self.history).unwrap_or_default();
        uses.push(now);
        self.here.insert(page, uses);
        victim
    }
}

struct Midpoint {
    list: Vec<u32>,
    /// The first `old` of the list are its old sublist.
    old: usize,
    loaded: BTreeMap<u32, u64>,
    moved: BTreeMap<u32, u64>,
    evictions: u64,
    time: u64,
}

impl Midpoint {
    fn balance(&mut self) {
        self.old = (self.list.len() * 3).div_ceil(8);
    }
}

impl Model for Midpoint {
    fn used(&mut self, page: u32, now: u64) {
        let place = self.list.iter().position(|other| *other == page).unwrap();
        let young = self.list.len() - self.old;
        let old = place < self.old;
        let rests = match old && self.time > 0 {
            true => now - self.loaded[&page] < self.time,
            false => self.evictions - self.moved[&page] < (young / 4) as u64,
        };
        if rests || self.evictions == 0 {
            return;
        }
        self.old -= usize::from(old);
        take_out(&mut self.list, page);
        self.list.push(page);
        self.balance();
        self.moved.insert(page, self.evictions);
    }

    fn load(&mut self, page: u32, full: bool, now: u64) -> Option<u32> {
        let victim = full.then(|| self.list.remove(0));
        if full {
            self.evictions += 1;
            self.old = self.old.saturating_sub(1);
            self.balance();
        }
        self.list.insert(self.old, page);
        self.old += 1;
        self.balance();
        self.loaded.insert(page, now);
        self.moved.insert(page, 0);
        self.used(page, now);
        victim
    }
}

#[derive(Default)]
struct SieveModel {
    list: Vec<(u32, bool)>,
    hand: usize,
}

impl Model for SieveModel {
    fn used(&mut self, page: u32, _: u64) {
        self.list.iter_mut().find(|(other, _)| *other == page).unwrap().1 = true;
    }

    fn load(&mut self, page: u32, full: bool, _: u64) -> Option<u32> {
        let mut victim = None;
        if full {
            while std::mem::take(&mut self.list[self.hand].1) {
                self.hand = (self.hand + 1) % self.list.len();
            }
            victim = Some(self.list.remove(self.hand).0);
            // Past the newest page the hand begins again, even though a newer one comes in now.
            if self.hand == self.list.len() {
                self.hand = 0;
            }
        }
        self.list.push((page, false));
        victim
    }
}

struct Segments {
    segments: Vec<Vec<u32>>,
    limits: Vec<usize>,
}

impl Model for Segments {
    fn used(&mut self, page: u32, _: u64) {
        let from = self.segments.iter_mut().position(|segment| take_out(segment, page)).unwrap();
        let to = (from + 1).min(self.segments.len() - 1);
        self.segments[to].push(page);
        for above in (1..=to).rev() {
            if self.segments[above].len() > self.limits[above] {
                let sinking = self.segments[above].remove(0);
                self.segments[above - 1].push(sinking);
            }
        }
    }

    fn load(&mut self, page: u32, full: bool, _: u64) -> Option<u32> {
        let victim =
            full.then(|| self.segments.iter_mut().find(|segment| !segment.is_empty()).unwrap().remove(0));
        let room = (0..self.limits.len()).find(|number| self.segments[*number].len() < self.limits[*number]);
        self.segments[room.unwrap_or(0)].push(page);
        victim
    }
}

/// The lists of 2Q, S3-FIFO and ARC: pages here in two, pages gone in two.
#[derive(Default)]
struct Lists {
    first: Vec<u32>,
    second: Vec<u32>,
    gone_first: Vec<u32>,
    gone_second: Vec<u32>,
    uses: BTreeMap<u32, u32>,
    capacity: usize,
    target: f64,
}

struct TwoQModel(Lists);

impl Model for TwoQModel {
    fn used(&mut self, page: u32, _: u64) {
        if take_out(&mut self.0.second, page) {
            self.0.second.push(page);
        }
    }

    fn load(&mut self, page: u32, full: bool, _: u64) -> Option<u32> {
        let lists = &mut self.0;
        let mut victim = None;
        if full && (lists.first.len() > lists.capacity / 4 || lists.second.is_empty()) {
            victim = Some(lists.first.remove(0));
            lists.gone_first.extend(victim);
        } else if full {
            victim = Some(lists.second.remove(0));
        }
        let returns = take_out(&mut lists.gone_first, page);
        if lists.gone_first.len() > lists.capacity / 2 {
            lists.gone_first.remove(0);
        }
        if returns {
            lists.second.push(page)
        } else {
            lists.first.push(page)
        }
        victim
    }
}

struct S3FifoModel(Lists);

impl Model for S3FifoModel {
    fn used(&mut self, page: u32, _: u64) {
        let uses = self.0.uses.entry(page).or_default();
        *uses = (*uses + 1).min(3);
    }

    fn load(&mut self, page: u32, full: bool, _: u64) -> Option<u32> {
        let lists = &mut self.0;
        let small = (lists.capacity / 10).max(1);
        let mut victim = None;
        while full && victim.is_none() {
            let from_small = lists.first.len() >= small || lists.second.is_empty();
            let page = if from_small { lists.first.remove(0) } else { lists.second.remove(0) };
            let uses = lists.uses.get(&page).copied().unwrap_or_default();
            match (from_small, uses) {
                (true, 2..) => {
                    lists.uses.remove(&page);
                    lists.second.push(page);
                }
                (false, 1..) => {
                    lists.uses.insert(page, uses - 1);
                    lists.second.push(page);
                }
                _ => {
                    victim = Some(page);
                    lists.uses.remove(&page);
                    if from_small {
                        lists.gone_first.push(page);
                    }
                }
            }
        }
        let returns = take_out(&mut lists.gone_first, page);
        if lists.gone_first.len() > lists.capacity - small {
            lists.gone_first.remove(0);
        }
        if returns {
            lists.second.push(page)
        } else {
            lists.first.push(page)
        }
        victim
    }
}

/// The paper's four cases, in its order.
struct ArcModel(Lists);

impl ArcModel {
    fn replace(&mut self, page: u32) -> u32 {
        let Lists { first: t1, second: t2, gone_first: b1, gone_second: b2, target, .. } = &mut self.0;
        let over = t1.len() as f64 > *target || b2.contains(&page) && t1.len() as f64 == *target;
        if !t1.is_empty() && over || t2.is_empty() {
            b1.push(t1.remove(0));
            b1[b1.len() - 1]
        } else {
            b2.push(t2.remove(0));
            b2[b2.len() - 1]
        }
    }
}

impl Model for ArcModel {
    fn used(&mut self, page: u32, _: u64) {
        let _ = take_out(&mut self.0.first, page) || take_out(&mut self.0.second, page);
        self.0.second.push(page);
    }

    fn load(&mut self, page: u32, full: bool, _: u64) -> Option<u32> {
        let capacity = self.0.capacity;
        let (b1, b2) = (self.0.gone_first.len() as f64, self.0.gone_second.len() as f64);
        if self.0.gone_first.contains(&page) {
            self.0.target = (self.0.target + (b2 / b1).max(1.0)).min(capacity as f64);
            let victim = self.replace(page);
            take_out(&mut self.0.gone_first, page);
            self.0.second.push(page);
            return Some(victim);
        }
        if self.0.gone_second.contains(&page) {
            self.0.target = (self.0.target - (b1 / b2).max(1.0)).max(0.0);
            let victim = self.replace(page);
            take_out(&mut self.0.gone_second, page);
            self.0.second.push(page);
            return Some(victim);
        }
        let mut victim = None;
        let l1 = self.0.first.len() + self.0.gone_first.len();
        let l2 = self.0.second.len() + self.0.gone_second.len();
        if l1 == capacity && self.0.first.len() == capacity {
            victim = Some(self.0.first.remove(0));
        } else if l1 == capacity {
            self.0.gone_first.remove(0);
            victim = Some(self.replace(page));
        } else if full {
            if l1 + l2 == 2 * capacity {
                self.0.gone_second.remove(0);
            }
            victim = Some(self.replace(page));
        }
        self.0.first.push(page);
        victim
    }
}

/// W-TinyLFU over lists, with the sketch it shares: counts of the sketch have a test of their own.
struct TinyLfuModel {
    window: Vec<u32>,
    probation: Vec<u32>,
    protected: Vec<u32>,
    capacity: usize,
    sketch: sketch::Sketch,
    uses: usize,
}

fn id(page: u32) -> PageId {
    PageId { space: 0, page }
}

impl Model for TinyLfuModel {
    fn used(&mut self, page: u32, _: u64) {
        if take_out(&mut self.window, page) {
            self.window.push(page);
            return;
        }
        self.sketch.add(id(page));
        let _ = take_out(&mut self.probation, page) || take_out(&mut self.protected, page);
        self.protected.push(page);
        let main = self.capacity - (self.capacity / 100).max(1);
        if self.protected.len() > main * 4 / 5 {
            let sinking = self.protected.remove(0);
            self.probation.push(sinking);
        }
        self.uses += 1;
        if self.uses == 32 * main {
            self.uses = 0;
            self.sketch.age();
        }
    }

    fn load(&mut self, page: u32, full: bool, _: u64) -> Option<u32> {
        let window = (self.capacity / 100).max(1);
        let mut victim = None;
        if full {
            let candidate = self.window.remove(0);
            let resident = self.probation.first().or(self.protected.first()).copied();
            match resident {
                Some(resident) if self.sketch.count(id(candidate)) > self.sketch.count(id(resident)) => {
                    let _ =
                        take_out(&mut self.probation, resident) || take_out(&mut self.protected, resident);
                    self.probation.push(candidate);
                    victim = Some(resident);
                }
                _ => victim = Some(candidate),
            }
            self.sketch.add(id(candidate));
        }
        self.sketch.add(id(page));
        self.window.push(page);
        if self.window.len() > window && self.probation.len() + self.protected.len() < self.capacity - window
        {
            let admitted = self.window.remove(0);
            self.sketch.add(id(admitted));
            self.probation.push(admitted);
        }
        victim
    }
}

const OLD_BLOCKS_TIME: u64 = 12;

fn model(policy: PolicyKind, capacity: usize) -> Box<dyn Model> {
    let lists = || Lists { capacity, ..Lists::default() };
    let uses = |history, key| Box::new(Uses { here: BTreeMap::new(), gone: BTreeMap::new(), history, key });
    let last_two = |uses: &[u64]| (uses.iter().rev().nth(1).copied().unwrap_or(0), uses[uses.len() - 1]);
    match policy {
        PolicyKind::Lru => Box::new(Recency { moves: true, ..Recency::default() }),
        PolicyKind::Fifo => Box::new(Recency::default()),
        PolicyKind::Clock => Box::new(Circle { frames: Vec::new(), hand: 0, on_load: 0, max: 1 }),
        PolicyKind::Gclock => Box::new(Circle { frames: Vec::new(), hand: 0, on_load: 1, max: 5 }),
        PolicyKind::Lfu => uses(false, |uses| (uses.len() as u64, uses[uses.len() - 1])),
        PolicyKind::LruK { history } => uses(history, last_two),
        PolicyKind::MidpointLru { old_blocks_time_ns } => Box::new(Midpoint {
            list: Vec::new(),
            old: 0,
            loaded: BTreeMap::new(),
            moved: BTreeMap::new(),
            evictions: 0,
            time: old_blocks_time_ns,
        }),
        PolicyKind::TwoQ => Box::new(TwoQModel(lists())),
        PolicyKind::S3Fifo => Box::new(S3FifoModel(lists())),
        PolicyKind::Arc => Box::new(ArcModel(lists())),
        PolicyKind::Sieve => Box::new(SieveModel::default()),
        PolicyKind::Slru => Box::new(Segments {
            segments: vec![Vec::new(); 4],
            limits: vec![capacity - 3 * (capacity / 4), capacity / 4, capacity / 4, capacity / 4],
        }),
        PolicyKind::HighPriorityLru => {
            Box::new(Segments { segments: vec![Vec::new(); 2], limits: vec![capacity, capacity / 2] })
        }
        PolicyKind::WTinyLfu => Box::new(TinyLfuModel {
            window: Vec::new(),
            probation: Vec::new(),
            protected: Vec::new(),
            capacity,
            sketch: sketch::Sketch::new(capacity as u32),
            uses: 0,
        }),
        PolicyKind::Random | PolicyKind::CleanFirstLru => unreachable!("they have tests of their own"),
    }
}

const MODELLED: [PolicyKind; 16] = [
    PolicyKind::Lru,
    PolicyKind::MidpointLru { old_blocks_time_ns: 0 },
    PolicyKind::MidpointLru { old_blocks_time_ns: OLD_BLOCKS_TIME },
    PolicyKind::Fifo,
    PolicyKind::Clock,
    PolicyKind::Gclock,
    PolicyKind::Lfu,
    PolicyKind::TwoQ,
    PolicyKind::Arc,
    PolicyKind::LruK { history: false },
    PolicyKind::LruK { history: true },
    PolicyKind::Slru,
    PolicyKind::HighPriorityLru,
    PolicyKind::Sieve,
    PolicyKind::S3Fifo,
    PolicyKind::WTinyLfu,
];

fn agrees(policy: PolicyKind, capacity: u32, accesses: &[(u32, bool)]) {
    let mut pool = pool(capacity, policy, 1);
    let mut model = model(policy, capacity as usize);
    let mut here: BTreeMap<u32, bool> = BTreeMap::new();
    for (step, (page, write)) in accesses.iter().enumerate() {
        let now = step as u64 + 1;
        let (hit, evicted) = access(&mut pool, *page, *write, now);
        assert_eq!(hit, here.contains_key(page), "{policy:?} of {capacity}, access {step}");
        let expected = match hit {
            true => {
                model.used(*page, now);
                None
            }
            false => model.load(*page, here.len() == capacity as usize, now),
        };
        let expected = expected.map(|page| (page, here.remove(&page).unwrap()));
        assert_eq!(evicted, expected, "{policy:?} of {capacity}, access {step}");
        *here.entry(*page).or_insert(false) |= write;
        assert_eq!(pool.resident_pages(), here.len() as u64);
        assert_eq!(pool.dirty_pages(), here.values().filter(|dirty| **dirty).count() as u64);
    }
}

proptest! {
    /// The squares of small numbers repeat more than others, so that every policy sees uses and returns.
    #[test]
    fn policies_agree_with_naive_models(
        capacity in 1u32..24,
        accesses in prop::collection::vec((0u32..9, 0u32..7, any::<bool>()), 0..500),
    ) {
        let accesses: Vec<(u32, bool)> = accesses.iter().map(|(a, b, write)| (a * b, *write)).collect();
        for policy in MODELLED {
            agrees(policy, capacity, &accesses);
        }
    }

    /// Lists of clean and of dirty pages, the one used longest ago first; now and then all of them are written.
    #[test]
    fn clean_pages_leave_first(
        capacity in 1u32..30,
        steps in prop::collection::vec((0u32..45, 0u32..3, 0u32..40), 0..600),
    ) {
        let at_commit = AtCommit { checkpoint_frames: None, sync: false };
        let mut pool = pool(capacity, PolicyKind::CleanFirstLru, 1).with_commit_writes(Some(at_commit));
        let (mut clean, mut dirty): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut spills = 0;
        for (page, write, commit) in steps {
            let write = write == 0;
            if commit == 0 {
                let mut taken = Vec::new();
                pool.take_dirty(&mut taken);
                let mut pages: Vec<u32> = taken.iter().map(|(_, page)| *page).collect();
                pages.sort_unstable();
                let mut expected = dirty.clone();
                expected.sort_unstable();
                prop_assert_eq!(&pages, &expected);
                clean.extend(taken.iter().map(|(_, page)| *page));
                dirty.clear();
            }
            let (hit, evicted) = access(&mut pool, page, write, 0);
            let was_clean = take_out(&mut clean, page);
            let was_dirty = take_out(&mut dirty, page);
            prop_assert_eq!(hit, was_clean || was_dirty);
            if !hit && clean.len() + dirty.len() == capacity as usize {
                let limit = (capacity as usize * 9 / 10).saturating_sub(2);
                if dirty.len() >= limit && !dirty.is_empty() {
                    clean.push(dirty.remove(0));
                    spills += 1;
                }
                let expected = match clean.is_empty() {
                    true => {
                        spills += 1;
                        (dirty.remove(0), true)
                    }
                    false => (clean.remove(0), false),
                };
                prop_assert_eq!(evicted, Some(expected));
            } else {
                prop_assert_eq!(evicted, None);
            }
            if was_dirty || write { dirty.push(page) } else { clean.push(page) }
            prop_assert_eq!(pool.dirty_pages(), dirty.len() as u64);
        }
        prop_assert_eq!(pool.at_commit.as_ref().map(|writes| writes.counters.total(SPILLS)), Some(spills));
    }

    /// Reads that overlap, in any order of arrival: no policy loses a frame, evicts a pinned one, or changes its mind.
    #[test]
    fn policies_respect_pins(
        capacity in 1u32..10,
        steps in prop::collection::vec((0u32..25, any::<bool>(), any::<bool>()), 0..400),
    ) {
        for policy in MODELLED.into_iter().chain([PolicyKind::Random, PolicyKind::CleanFirstLru]) {
            let mut pool = pool(capacity, policy, 1);
            let mut flying: Vec<(u32, u32)> = Vec::new();
            for (step, (page, write, arrives)) in steps.iter().enumerate() {
                let now = step as u64;
                if *arrives && !flying.is_empty() {
                    let (_, frame) = flying.remove(*page as usize % flying.len());
                    pool.arrived(frame, now);
                    continue;
                }
                if pool.peek(0, *page) != Lookup::Absent {
                    prop_assert_eq!(pool.hit(0, *page, *write, now), flying.iter().all(|(other, _)| other != page));
                    continue;
                }
                let waits = pool.next_take_waits(0, *page);
                match pool.take(0, *page, *write) {
                    None => prop_assert_eq!(flying.len(), capacity as usize),
                    Some(taken) => {
                        prop_assert_eq!(waits, taken.write_back.is_some());
                        prop_assert!(flying.iter().all(|(_, frame)| *frame != taken.frame));
                        flying.push((*page, taken.frame));
                    }
                }
            }
        }
    }
}

#[test]
fn random_evicts_every_frame_equally() {
    let mut pool = pool(8, PolicyKind::Random, 1);
    for page in 0..8 {
        access(&mut pool, page, false, 0);
    }
    let mut taken = [0u32; 8];
    for page in 8..80_008 {
        let frame = pool.take(0, page, false).unwrap().frame;
        taken[frame as usize] += 1;
        pool.arrived(frame, 0);
    }
    assert!(taken.iter().all(|times| (9_600..10_400).contains(times)), "{taken:?}");
}

#[test]
fn the_sketch_counts_what_is_frequent() {
    let mut sketch = sketch::Sketch::new(1_000);
    for round in 0..6 {
        (0..200).for_each(|page| sketch.add(id(page)));
        (0..300).for_each(|page| sketch.add(id(1_000 + 300 * round + page)));
    }
    assert!((0..200).all(|page| sketch.count(id(page)) >= 6));
    let mut aged = sketch.clone();
    aged.age();
    assert!((0..200).all(|page| aged.count(id(page)) == sketch.count(id(page)) / 2));
    let few = (1_000..2_800).filter(|page| sketch.count(id(*page)) <= 2).count();
    assert!(few > 1_750, "{few}");
}

#[test]
fn pinned_frames_are_not_evicted() {
    let mut pool = pool(2, PolicyKind::Lru, 3);
    let first = pool.take(0, 1, false).unwrap();
    let second = pool.take(0, 2, false).unwrap();
    assert_eq!(pool.take(0, 3, false), None);
    pool.wait_for_page(first.frame, 2, true);
    pool.wait_for_page(first.frame, 0, false);
    pool.arrived(first.frame, 0);
    let mut released = Vec::new();
    pool.release_page_waiters(first.frame, &mut released);
    assert_eq!(released, [2, 0]);
    assert_eq!(pool.take(0, 3, false).unwrap().evicted, Some((0, 1, true)));
    pool.arrived(second.frame, 0);
    assert!(pool.hit(0, 2, false, 0));
}

/// A pool with a cleaner, a background writer and checkpoints, none of which anyone has to wait for.
fn pool_with(policy: PolicyKind, capacity_pages: u32, change: impl FnOnce(&mut PoolSpec)) -> Pool {
    let mut spec = PoolSpec {
        capacity_pages,
        policy,
        free_pages_target: 0,
        writer: None,
        checkpoint: None,
        at_commit: None,
        device: 0,
    };
    change(&mut spec);
    pool(capacity_pages, policy, 1).with_background(&spec)
}

fn background(pool: &Pool, counter: usize) -> u64 {
    pool.background.as_ref().unwrap().counters.total(counter)
}

#[test]
fn a_cleaner_keeps_between_half_and_all_of_its_target_free() {
    for policy in [
        PolicyKind::Lru,
        PolicyKind::MidpointLru { old_blocks_time_ns: 0 },
        PolicyKind::Fifo,
        PolicyKind::Gclock,
    ] {
        let mut pool = pool_with(policy, 40, |spec| spec.free_pages_target = 10);
        let mut rng = Stream::new(1, "pages").at(0);
        let mut written = 0;
        for now in 0..2_000 {
            let page = rng.below(200) as u32;
            let write = rng.below(3) == 0;
            if pool.hit(0, page, write, now) {
                continue;
            }
            assert!(!pool.next_take_waits(0, page), "a free frame needs no eviction");
            let taken = pool.take(0, page, write).unwrap();
            assert_eq!(taken.evicted, None);
            if pool.wants_cleaning() {
                while let Some(evicted) = pool.evict_ahead() {
                    if let Some((frame, _, page)) = evicted {
                        assert_eq!(pool.peek(0, page), Lookup::Absent);
                        written += 1;
                        pool.left(frame);
                    }
                }
                assert_eq!(pool.resident_pages(), 30);
            }
            pool.arrived(taken.frame, now);
            assert!(pool.resident_pages() <= 35);
        }
        assert!(written > 100);
        assert_eq!(background(&pool, background::BACKGROUND_WRITES), written);
        let dirty = pool.frames.iter().filter(|frame| frame.dirty).count() as u64;
        assert_eq!(dirty, pool.dirty_pages());
    }
}

/// What LRU evicts next is clean, as far as the background writer foresees the need.
#[test]
fn a_background_writer_cleans_what_leaves_next() {
    let writer = WriterSpec { delay_ns: 100, max_pages: 5, multiplier: 2.0 };
    for (policy, oldest) in [(PolicyKind::Lru, [1, 2, 3, 4]), (PolicyKind::Fifo, [0, 1, 2, 3])] {
        let mut pool = pool_with(policy, 20, |spec| spec.writer = Some(writer.clone()));
        (0..20).for_each(|page| {
            access(&mut pool, page, page != 2, 0);
        });
        pool.counters.add(MISSES, 20);
        // A use of page 0 makes it the last to go under LRU.
        access(&mut pool, 0, true, 0);
        let mut pages = Vec::new();
        pool.writer_round(50, &mut pages);
        assert_eq!(pages, []);
        pool.writer_round(100, &mut pages);
        // Twenty pages came in, so forty are expected; five are written.
        assert_eq!(pages.len(), 5);
        let dirty_of_oldest = oldest.into_iter().filter(|page| *page != 2).map(|page| (0, page));
        assert!(dirty_of_oldest.clone().all(|page| pages.contains(&page)), "{policy:?} {pages:?}");
        assert_eq!(background(&pool, background::BACKGROUND_WRITES), 5);
        assert_eq!(pool.dirty_pages(), 14);
        // Nothing comes in any more: the need fades, and in the end nothing is written.
        for round in 2..400 {
            pages.clear();
            pool.writer_round(round * 100, &mut pages);
            access(&mut pool, 19, true, round * 100);
        }
        assert_eq!(pages, []);
    }
}

#[test]
fn a_checkpoint_writes_what_was_dirty_when_it_began_and_spreads_it() {
    let spec =
        CheckpointSpec { interval_ns: Some(16_000_000), log_bytes: Some(1_000), completion_target: 0.5 };
    let mut pool = pool_with(PolicyKind::Lru, 100, |pool| pool.checkpoint = Some(spec));
    for page in (0..80).rev() {
        access(&mut pool, page, page % 2 == 0, 0);
    }
    let mut pages = Vec::new();
    assert_eq!(pool.checkpoint_round(15_000_000, 0, &mut pages), (false, false));
    assert_eq!(pool.checkpoint_round(16_000_000, 0, &mut pages), (true, false));
    assert_eq!(pages, []);
    // Dirty later: not its business.
    access(&mut pool, 1, true, 17_000_000);
    // Cleaned by someone else in the meantime, or evicted: not written again.
    pool.wash(pool.tables[0][78] - 1);
    assert_eq!(pool.checkpoint_round(20_000_000, 0, &mut pages), (false, false));
    assert_eq!(pages, (0..40).step_by(2).map(|page| (0, page)).collect::<Vec<_>>());
    assert_eq!(pool.checkpoint_round(24_000_000, 0, &mut pages), (false, true));
    assert_eq!(pages, (0..78).step_by(2).map(|page| (0, page)).collect::<Vec<_>>());
    assert_eq!((background(&pool, background::CHECKPOINTS), pool.dirty_pages()), (1, 1));
    assert_eq!(background(&pool, background::CHECKPOINT_WRITES), 39);
    // The volume of the log begins the next one before its time, and ends it.
    pages.clear();
    assert_eq!(pool.checkpoint_round(25_000_000, 1_000, &mut pages), (true, false));
    assert_eq!(pool.checkpoint_round(26_000_000, 1_500, &mut pages), (false, true));
    assert_eq!(pages, [(0, 1)]);
    // Nothing is dirty any more. Where nothing was logged either, no checkpoint is needed.
    assert_eq!(pool.checkpoint_round(60_000_000, 1_500, &mut pages), (true, true));
    assert_eq!(pool.checkpoint_round(90_000_000, 1_500, &mut pages), (false, false));
}

proptest! {
    /// The stack property: what a small LRU pool holds, a larger one holds.
    #[test]
    fn a_larger_lru_pool_never_misses_what_a_smaller_one_hits(
        accesses in prop::collection::vec((0u32..60, any::<bool>()), 1..600),
        small in 1u32..40,
        more in 1u32..40,
    ) {
        let mut pools = [pool(small, PolicyKind::Lru, 1), pool(small + more, PolicyKind::Lru, 1)];
        for (now, (page, write)) in accesses.iter().enumerate() {
            let [hit, hit_in_larger] = pools.each_mut().map(|pool| access(pool, *page, *write, now as u64).0);
            prop_assert!(hit_in_larger || !hit);
        }
    }
}
