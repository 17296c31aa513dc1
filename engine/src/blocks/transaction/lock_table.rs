//! The lock table: shared and exclusive locks of rows, intention modes on tables, queues in order of coming.
//!
//! - A row is locked S by many or X by one. A table takes IS, IX, S, SIX and X (Gray et al., "Granularity of Locks", 1976).
//! - Who cannot be granted waits behind those who came before; waiters that agree with each other are granted together. An upgrade
//!   goes ahead of all who hold nothing.
//! - A row has an entry while it is locked; a word a row, taken in chunks, leads to it. The first holder lies in the entry itself, so
//!   a lock nobody disputes touches one word and one entry.

use std::collections::VecDeque;

use super::row_words::RowWords;

const NOBODY: u32 = u32::MAX;
/// Longer lists of a row give their memory back when its last lock goes.
const KEPT_ITEMS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    IntentionShared,
    IntentionExclusive,
    Shared,
    SharedIntentionExclusive,
    Exclusive,
}

use Mode::{Exclusive, IntentionExclusive, IntentionShared, Shared, SharedIntentionExclusive};

const MODES: [Mode; 5] = [IntentionShared, IntentionExclusive, Shared, SharedIntentionExclusive, Exclusive];

impl Mode {
    /// Whether two transactions may hold these modes at once.
    #[inline]
    pub(crate) fn agrees(self, other: Mode) -> bool {
        match (self, other) {
            (Exclusive, _) | (_, Exclusive) => false,
            (IntentionShared, _) | (_, IntentionShared) => true,
            (IntentionExclusive, IntentionExclusive) | (Shared, Shared) => true,
            _ => false,
        }
    }

    /// The weakest mode that allows what both allow.
    #[inline]
    pub(crate) fn join(self, other: Mode) -> Mode {
        match (self.min(other), self.max(other)) {
            (IntentionExclusive, Shared) => SharedIntentionExclusive,
            (_, stronger) => stronger,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            IntentionShared => "IS",
            IntentionExclusive => "IX",
            Shared => "S",
            SharedIntentionExclusive => "SIX",
            Exclusive => "X",
        }
    }
}

/// What is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    Table(u16),
    Row(u16, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) client: u32,
    pub(crate) mode: Mode,
    /// It holds a weaker mode already.
    upgrades: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Newly granted, or strengthened.
    Granted,
    /// The client holds as much already.
    Held,
    /// Someone else stands in the way.
    Conflict,
}

/// What the lock table holds of one item.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) item: Item,
    pub(crate) holders: Vec<(u32, Mode)>,
    pub(crate) queue: Vec<Waiter>,
}

#[derive(Debug)]
struct RowLock {
    table: u16,
    rank: u32,
    mode: Mode,
    holder: u32,
    /// Further holders of S.
    others: Vec<u32>,
    queue: VecDeque<Waiter>,
}

#[derive(Debug, Default)]
struct TableLock {
    /// Holders by mode.
    counts: [u32; 5],
    queue: VecDeque<Waiter>,
}

#[derive(Debug)]
pub(crate) struct LockTable {
    /// By table: one more than the number of a row's entry.
    heads: Vec<RowWords>,
    rows: Vec<RowLock>,
    free: Vec<u32>,
    tables: Vec<TableLock>,
    /// By client, by table: one more than the mode held.
    table_modes: Vec<u8>,
    /// By client: tables it holds, one bit each.
    held_tables: Vec<u64>,
    /// By client: entries of the rows it holds.
    held: Vec<Vec<u32>>,
    waits: Vec<Option<(Item, Mode)>>,
    waiting: u32,
}

impl LockTable {
    pub(crate) fn new(clients: usize, tables: usize) -> Self {
        Self {
            heads: (0..tables).map(|_| RowWords::default()).collect(),
            rows: Vec::new(),
            free: Vec::new(),
            tables: (0..tables).map(|_| TableLock::default()).collect(),
            table_modes: vec![0; clients * tables],
            held_tables: vec![0; clients],
            held: (0..clients).map(|_| Vec::new()).collect(),
            waits: vec![None; clients],
            waiting: 0,
        }
    }

    pub(crate) fn memory_for(clients: usize, tables: usize) -> u64 {
        let client = tables + 8 + size_of::<Vec<u32>>() + size_of::<Option<(Item, Mode)>>();
        (clients * client + tables * (size_of::<TableLock>() + size_of::<RowWords>())) as u64
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let heads: u64 = self.heads.iter().map(RowWords::memory_bytes).sum();
        let held: usize = self.held.iter().map(Vec::capacity).sum();
        let waiters = self.waiting as usize * size_of::<Waiter>();
        // A shared row lists its holders once more.
        heads + (self.rows.capacity() * (size_of::<RowLock>() + 4) + 8 * held + waiters) as u64
    }

    /// Clients that wait for a lock.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// Rows a client holds.
    pub(crate) fn rows_held(&self, client: u32) -> usize {
        self.held[client as usize].len()
    }

    /// What a client waits for.
    pub(crate) fn wait_of(&self, client: u32) -> Option<(Item, Mode)> {
        self.waits[client as usize]
    }

    /// Whether a client's lock of a table makes locks of its rows needless.
    #[inline]
    pub(crate) fn table_covers(&self, client: u32, table: u16, mode: Mode) -> bool {
        match self.table_mode(client, table) {
            Some(Exclusive) => true,
            Some(Shared | SharedIntentionExclusive) => mode == Shared,
            _ => false,
        }
    }

    /// Who holds a row X.
    #[inline]
    pub(crate) fn exclusive_holder(&self, table: u16, rank: u32) -> Option<u32> {
        let lock = self.row(table, rank)?;
        (lock.mode == Exclusive && lock.holder != NOBODY).then_some(lock.holder)
    }

    #[inline]
    fn row(&self, table: u16, rank: u32) -> Option<&RowLock> {
        let head = self.heads[usize::from(table)].get(rank);
        (head > 0).then(|| &self.rows[head as usize - 1])
    }

    /// Asks for a lock, without waiting. With `barge` a shared request of a row joins shared holders past those who wait.
    #[inline]
    pub(crate) fn request(&mut self, client: u32, item: Item, mode: Mode, barge: bool) -> Answer {
        match item {
            Item::Row(table, rank) => self.request_row(client, table, rank, mode, barge),
            Item::Table(table) => self.request_table(client, table, mode),
        }
    }

    #[inline]
    fn request_row(&mut self, client: u32, table: u16, rank: u32, mode: Mode, barge: bool) -> Answer {
        let head = self.heads[usize::from(table)].slot(rank);
        if *head == 0 {
            let entry = match self.free.pop() {
                Some(entry) => {
                    let lock = &mut self.rows[entry as usize];
                    (lock.table, lock.rank, lock.mode, lock.holder) = (table, rank, mode, client);
                    entry
                }
                None => {
                    let (others, queue) = (Vec::new(), VecDeque::new());
                    self.rows.push(RowLock { table, rank, mode, holder: client, others, queue });
                    self.rows.len() as u32 - 1
                }
            };
            *head = entry + 1;
            self.held[client as usize].push(entry);
            return Answer::Granted;
        }
        let entry = *head - 1;
        let lock = &mut self.rows[entry as usize];
        if lock.holds(client) {
            return match (lock.mode, mode) {
                (Exclusive, _) | (Shared, Shared) => Answer::Held,
                _ if lock.others.is_empty() => {
                    lock.mode = Exclusive;
                    Answer::Granted
                }
                _ => Answer::Conflict,
            };
        }
        if mode == Shared && lock.mode == Shared && (barge || lock.queue.is_empty()) {
            lock.others.push(client);
            self.held[client as usize].push(entry);
            return Answer::Granted;
        }
        Answer::Conflict
    }

    fn request_table(&mut self, client: u32, table: u16, mode: Mode) -> Answer {
        let held = self.table_mode(client, table);
        let wanted = held.map_or(mode, |held| held.join(mode));
        if held == Some(wanted) {
            return Answer::Held;
        }
        let lock = &self.tables[usize::from(table)];
        let ahead_agree = held.is_some() || lock.queue.iter().all(|waiter| waiter.mode.agrees(wanted));
        if !ahead_agree || !lock.others_agree(held, wanted) {
            return Answer::Conflict;
        }
        self.set_table_mode(client, table, wanted);
        Answer::Granted
    }

    fn table_mode(&self, client: u32, table: u16) -> Option<Mode> {
        let place = client as usize * self.tables.len() + usize::from(table);
        MODES.get(usize::from(self.table_modes[place]).wrapping_sub(1)).copied()
    }

    fn set_table_mode(&mut self, client: u32, table: u16, mode: Mode) {
        if let Some(held) = self.table_mode(client, table) {
            self.tables[usize::from(table)].counts[held as usize] -= 1;
        }
        self.tables[usize::from(table)].counts[mode as usize] += 1;
        self.table_modes[client as usize * self.tables.len() + usize::from(table)] = mode as u8 + 1;
        self.held_tables[client as usize] |= 1 << table;
    }

    /// A client stands in the queue for a lock that it was not granted.
    pub(crate) fn wait(&mut self, client: u32, item: Item, mode: Mode) {
        let (queue, mode, upgrades) = match item {
            Item::Row(table, rank) => {
                let entry = self.heads[usize::from(table)].get(rank) as usize - 1;
                let lock = &mut self.rows[entry];
                let upgrades = lock.holds(client);
                (&mut lock.queue, mode, upgrades)
            }
            Item::Table(table) => {
                let held = self.table_mode(client, table);
                let wanted = held.map_or(mode, |held| held.join(mode));
                (&mut self.tables[usize::from(table)].queue, wanted, held.is_some())
            }
        };
        let place = match upgrades {
            true => queue.iter().take_while(|waiter| waiter.upgrades).count(),
            false => queue.len(),
        };
        queue.insert(place, Waiter { client, mode, upgrades });
        self.waits[client as usize] = Some((item, mode));
        self.waiting += 1;
    }

    /// A client no longer waits. Whom that lets through is added to `granted`.
    pub(crate) fn cancel(&mut self, client: u32, granted: &mut Vec<u32>) {
        let Some((item, _)) = self.waits[client as usize].take() else { return };
        self.waiting -= 1;
        match item {
            Item::Row(table, rank) => {
                let entry = self.heads[usize::from(table)].get(rank) - 1;
                self.rows[entry as usize].queue.retain(|waiter| waiter.client != client);
                self.grant_row(entry, granted);
            }
            Item::Table(table) => {
                self.tables[usize::from(table)].queue.retain(|waiter| waiter.client != client);
                self.grant_table(table, granted);
            }
        }
    }

    /// A transaction is over: all its locks go. Who gets what it waited for is added to `granted`.
    pub(crate) fn release_all(&mut self, client: u32, granted: &mut Vec<u32>) {
        let mut held = std::mem::take(&mut self.held[client as usize]);
        for entry in held.drain(..) {
            self.leave_row(client, entry, granted);
        }
        self.held[client as usize] = held;
        let mut tables = std::mem::take(&mut self.held_tables[client as usize]);
        while tables != 0 {
            let table = tables.trailing_zeros() as u16;
            tables &= tables - 1;
            if let Some(mode) = self.table_mode(client, table) {
                self.tables[usize::from(table)].counts[mode as usize] -= 1;
                self.table_modes[client as usize * self.tables.len() + usize::from(table)] = 0;
                self.grant_table(table, granted);
            }
        }
    }

    /// The shared locks of rows go, the others stay.
    pub(crate) fn release_shared_rows(&mut self, client: u32, granted: &mut Vec<u32>) {
        let mut held = std::mem::take(&mut self.held[client as usize]);
        held.retain(|entry| {
            let shared = self.rows[*entry as usize].mode == Shared;
            if shared {
                self.leave_row(client, *entry, granted);
            }
            !shared
        });
        self.held[client as usize] = held;
    }

    #[inline]
    fn leave_row(&mut self, client: u32, entry: u32, granted: &mut Vec<u32>) {
        let lock = &mut self.rows[entry as usize];
        if lock.holder == client {
            lock.holder = lock.others.pop().unwrap_or(NOBODY);
        } else {
            lock.others.retain(|other| *other != client);
        }
        if lock.holder != NOBODY || !lock.queue.is_empty() {
            return self.grant_row(entry, granted);
        }
        let (table, rank) = (lock.table, lock.rank);
        if lock.others.capacity() > KEPT_ITEMS || lock.queue.capacity() > KEPT_ITEMS {
            (lock.others, lock.queue) = (Vec::new(), VecDeque::new());
        }
        *self.heads[usize::from(table)].slot(rank) = 0;
        self.free.push(entry);
    }

    /// Grants a row to those at the head of its queue that can have it.
    fn grant_row(&mut self, entry: u32, granted: &mut Vec<u32>) {
        let lock = &mut self.rows[entry as usize];
        while let Some(&waiter) = lock.queue.front() {
            let free = lock.holder == NOBODY;
            let alone = lock.holder == waiter.client && lock.others.is_empty();
            match waiter.mode {
                _ if free => (lock.holder, lock.mode) = (waiter.client, waiter.mode),
                Shared if lock.mode == Shared => lock.others.push(waiter.client),
                Exclusive if waiter.upgrades && alone => lock.mode = Exclusive,
                _ => return,
            }
            lock.queue.pop_front();
            if !waiter.upgrades {
                self.held[waiter.client as usize].push(entry);
            }
            self.waits[waiter.client as usize] = None;
            self.waiting -= 1;
            granted.push(waiter.client);
        }
    }

    /// Grants a table to those in its queue that can have it, and whom nobody ahead of them forbids it.
    fn grant_table(&mut self, table: u16, granted: &mut Vec<u32>) {
        let mut place = 0;
        while let Some(&waiter) = self.tables[usize::from(table)].queue.get(place) {
            let held = self.table_mode(waiter.client, table);
            let lock = &self.tables[usize::from(table)];
            let ahead_agree = lock.queue.iter().take(place).all(|ahead| ahead.mode.agrees(waiter.mode));
            if !ahead_agree || !lock.others_agree(held, waiter.mode) {
                place += 1;
                continue;
            }
            self.tables[usize::from(table)].queue.remove(place);
            self.set_table_mode(waiter.client, table, waiter.mode);
            self.waits[waiter.client as usize] = None;
            self.waiting -= 1;
            granted.push(waiter.client);
        }
    }

    /// Who waits for a lock and stands behind a client that strengthens its own: everyone if it was `granted`, else who holds nothing.
    pub(crate) fn overtaken(&self, client: u32, item: Item, mode: Mode, granted: bool, found: &mut Vec<u32>) {
        let (queue, upgrades) = match item {
            Item::Row(table, rank) => match self.row(table, rank) {
                Some(lock) => (&lock.queue, lock.holds(client)),
                None => return,
            },
            Item::Table(table) => {
                (&self.tables[usize::from(table)].queue, self.table_mode(client, table).is_some())
            }
        };
        let mode = match item {
            Item::Row(..) => mode,
            Item::Table(table) => self.table_mode(client, table).map_or(mode, |held| held.join(mode)),
        };
        if upgrades {
            let behind =
                queue.iter().filter(|waiter| !waiter.mode.agrees(mode) && (granted || !waiter.upgrades));
            found.extend(behind.map(|waiter| waiter.client));
        }
    }

    /// Whom a request for a lock stands behind: holders in the way, and those in the queue ahead of it that are. A client that waits
    /// already asks from its place, any other from the end of the queue.
    pub(crate) fn blockers(&self, client: u32, item: Item, mode: Mode, found: &mut Vec<u32>) {
        let ahead = |queue: &VecDeque<Waiter>, upgrades: bool, mode: Mode, found: &mut Vec<u32>| {
            let before = queue
                .iter()
                .take_while(|waiter| waiter.client != client && (!upgrades || waiter.upgrades))
                .filter(|waiter| !waiter.mode.agrees(mode));
            found.extend(before.map(|waiter| waiter.client));
        };
        match item {
            Item::Row(table, rank) => {
                let Some(lock) = self.row(table, rank) else { return };
                if !lock.mode.agrees(mode) {
                    let holders = std::iter::once(lock.holder).chain(lock.others.iter().copied());
                    found.extend(holders.filter(|holder| *holder != client && *holder != NOBODY));
                }
                ahead(&lock.queue, lock.holds(client), mode, found);
            }
            Item::Table(table) => {
                let mode = self.table_mode(client, table).map_or(mode, |held| held.join(mode));
                let in_the_way = |other: &u32| {
                    let held = self.table_mode(*other, table);
                    *other != client && held.is_some_and(|held| !held.agrees(mode))
                };
                found.extend((0..self.waits.len() as u32).filter(in_the_way));
                let upgrades = self.table_mode(client, table).is_some();
                ahead(&self.tables[usize::from(table)].queue, upgrades, mode, found);
            }
        }
    }

    /// Tables and rows that are locked, those with the longest queues first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for table in 0..self.tables.len() as u16 {
            let holders: Vec<(u32, Mode)> = (0..self.waits.len() as u32)
                .filter_map(|client| Some((client, self.table_mode(client, table)?)))
                .collect();
            let queue: Vec<Waiter> = self.tables[usize::from(table)].queue.iter().copied().collect();
            if !holders.is_empty() || !queue.is_empty() {
                entries.push(Entry { item: Item::Table(table), holders, queue });
            }
        }
        for lock in self.rows.iter().filter(|lock| lock.holder != NOBODY) {
            let holders = std::iter::once(lock.holder).chain(lock.others.iter().copied());
            let holders = holders.map(|client| (client, lock.mode)).collect();
            let item = Item::Row(lock.table, lock.rank);
            entries.push(Entry { item, holders, queue: lock.queue.iter().copied().collect() });
        }
        entries.sort_by_key(|entry| (std::cmp::Reverse(entry.queue.len()), entry.item));
        entries
    }
}

impl RowLock {
    #[inline]
    fn holds(&self, client: u32) -> bool {
        self.holder == client || self.others.contains(&client)
    }
}

impl TableLock {
    /// Whether a mode agrees with those of all holders but one, who holds `own`.
    fn others_agree(&self, own: Option<Mode>, wanted: Mode) -> bool {
        let others = |mode: Mode| self.counts[mode as usize] - u32::from(own == Some(mode));
        MODES.iter().all(|mode| mode.agrees(wanted) || others(*mode) == 0)
    }
}
