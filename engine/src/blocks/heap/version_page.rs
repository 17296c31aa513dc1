//! What versions of rows leave on one page of a PostgreSQL heap: line pointers, tuples and garbage that pruning takes away.
//!
//! All rows of a heap have the same size, so a page is a few counts. An update within the page (HOT) adds a tuple and leaves the
//! old one as garbage: pruning turns the line pointer that indexes know into a redirect and frees the other's. A version that
//! moved away, or was deleted, leaves a dead line pointer, which stays until VACUUM has cleaned the indexes.

/// Versions nobody will see once every transaction up to some number has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Garbage {
    tuples: u16,
    /// Line pointers that pruning frees at once: those of tuples no index points to.
    unused: u16,
    /// Line pointers that stay as dead ones.
    dead: u16,
}

impl Garbage {
    fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    fn add(&mut self, other: Self) {
        self.tuples += other.tuples;
        self.unused += other.unused;
        self.dead += other.dead;
    }
}

/// What a version is when it becomes garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// Its row goes on on the same page.
    Chain { heap_only: bool },
    /// Its row is gone from the page.
    Nothing { heap_only: bool },
}

/// Line pointers that one pruning changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pruned {
    pub(crate) redirected: u32,
    pub(crate) dead: u32,
    pub(crate) unused: u32,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct VersionPage {
    line_pointers: u16,
    unused: u16,
    dead: u16,
    tuples: u16,
    /// Garbage by the transactions that made it. Two generations are told apart, so that a page in steady use is cleaned too.
    removable: Garbage,
    older: Garbage,
    newer: Garbage,
    older_transaction: u32,
    newer_transaction: u32,
    /// An update found no room here.
    full: bool,
}

/// Whether a transaction number lies before another; numbers may wrap around.
pub(crate) fn precedes(transaction: u32, horizon: u32) -> bool {
    (transaction.wrapping_sub(horizon) as i32) < 0
}

impl VersionPage {
    /// A page of rows that were all inserted and never changed.
    pub(crate) fn of_rows(rows: u32) -> Self {
        Self { line_pointers: rows as u16, tuples: rows as u16, ..Self::default() }
    }

    pub(crate) fn tuples(&self) -> u32 {
        u32::from(self.tuples)
    }

    pub(crate) fn line_pointers(&self) -> u32 {
        u32::from(self.line_pointers)
    }

    pub(crate) fn dead(&self) -> u32 {
        u32::from(self.dead)
    }

    /// Versions on the page that nobody needs, or soon nobody will.
    pub(crate) fn garbage(&self) -> u32 {
        u32::from(self.removable.tuples + self.older.tuples + self.newer.tuples)
    }

    pub(crate) fn has_free_line_pointer(&self) -> bool {
        self.unused > 0
    }

    pub(crate) fn set_full(&mut self) {
        self.full = true;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    pub(crate) fn add_tuple(&mut self) {
        if self.unused > 0 {
            self.unused -= 1;
        } else {
            self.line_pointers += 1;
        }
        self.tuples += 1;
    }

    /// A version of the page becomes garbage of a transaction.
    pub(crate) fn discard(&mut self, version: Leaves, transaction: u32) {
        let garbage = match version {
            Leaves::Chain { heap_only } => Garbage { tuples: 1, unused: u16::from(heap_only), dead: 0 },
            Leaves::Nothing { heap_only } => Garbage { tuples: 1, unused: u16::from(heap_only), dead: 1 },
        };
        if self.older == Garbage::default() || self.older_transaction == transaction {
            self.older_transaction = transaction;
            self.older.add(garbage);
        } else {
            self.newer_transaction = transaction;
            self.newer.add(garbage);
        }
    }

    /// Whether there is garbage that every transaction still running, from `horizon` on, cannot see.
    pub(crate) fn is_prunable(&mut self, horizon: u32) -> bool {
        for _ in 0..2 {
            if self.older != Garbage::default() && precedes(self.older_transaction, horizon) {
                let older = self.older.take();
                self.removable.add(older);
                self.older = self.newer.take();
                self.older_transaction = self.newer_transaction;
            }
        }
        self.removable != Garbage::default()
    }

    /// Takes the removable garbage away.
    pub(crate) fn prune(&mut self) -> Pruned {
        let gone = self.removable.take();
        self.tuples -= gone.tuples;
        self.unused += gone.unused;
        self.dead += gone.dead;
        self.full = false;
        Pruned {
            redirected: u32::from(gone.tuples - gone.dead),
            dead: u32::from(gone.dead),
            unused: u32::from(gone.unused),
        }
    }

    /// VACUUM, after the indexes: so many dead line pointers can be used again; on a page without tuples they all go.
    pub(crate) fn vacuum(&mut self, line_pointers: u32) -> u32 {
        let freed = self.dead.min(u16::try_from(line_pointers).unwrap_or(u16::MAX));
        self.unused += freed;
        self.dead -= freed;
        if self.tuples == 0 && self.dead == 0 {
            self.line_pointers -= self.unused;
            self.unused = 0;
        }
        u32::from(freed)
    }
}
