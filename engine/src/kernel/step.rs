//! Steps: what is left of a statement that had to wait. A client keeps its steps on a stack; executing one may push others.

use super::Kernel;
use crate::blocks::transaction::{Mode, Reason};

/// One step. Steps are small and plain, so a client's program costs no allocation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    /// Searches a tree for a rank, from the root to the leaf.
    Search { tree: u16, rank: u32, write: bool },
    /// Visits the pages of the client's path from this level down to the leaf.
    Walk { tree: u16, level: u8, write: bool },
    /// Reads (and changes) one page.
    Page { space: u16, page: u32, write: bool },
    /// An evicted page can be written, if the log it waited for was the last that it needs.
    WriteBack { pool: u16, space: u16, page: u32 },
    /// After a wait for a frame: passes the turn on if the frame was not needed.
    FrameCheck { pool: u16 },
    /// A page that did not exist before: nothing to read.
    NewPage { space: u16, page: u32 },
    /// Writes a page of a block that has no pool.
    DirectWrite { space: u16, page: u32 },
    /// A tree search has reached its leaf: do what the statement does with the row of this rank.
    Row { statement: u16, rank: u32 },
    /// Row after row of a range, in key order. `leaf` is the one visited last.
    Range { statement: u16, rank: u32, remaining: u32, leaf: u32 },
    /// Every page of a storage from a position on; the next `loaded` pages were just read.
    Scan { statement: u16, position: u32, loaded: u32 },
    /// After a scan: the rows that matched, from this rank on.
    Matches { statement: u16, rank: u32, remaining: u32 },
    /// A row that a scan found and the statement changes.
    ScannedRow { statement: u16, rank: u32 },
    /// Puts a row into its table's storage.
    InsertRow { table: u16, record: u32 },
    /// Adds a rank to a tree, whose leaf has been visited.
    TreeInsert { tree: u16, rank: u32 },
    /// The bucket of a statement's key has been visited.
    HashRow { statement: u16, rank: u32 },
    /// Visits the pages of the bucket of a rank.
    HashVisit { hash: u16, rank: u32 },
    /// Adds a rank to a hash index, whose bucket has been visited.
    HashInsert { hash: u16, rank: u32 },
    /// Takes a rank out of a hash index, whose bucket has been visited.
    HashRemove { hash: u16, rank: u32 },
    /// Rows of a range of a skip list from a rank on.
    SkipListRange { statement: u16, rank: u32, remaining: u32 },
    /// Adds a rank to a skip list.
    SkipListInsert { list: u16, rank: u32 },
    /// Tells a skip list the new place of a row.
    SkipListMoved { list: u16 },
    /// Takes a rank out of a skip list.
    SkipListRemove { list: u16, rank: u32 },
    /// A row's new version lies on another page: every index gets an entry. `changed`: with another value on columns beside the key.
    MovedRow { table: u16, rank: u32, old_page: u32, changed: bool },
    /// Adds the entry of a row's new version, maybe with a new value, to a tree, whose leaf has been visited.
    TreeVersion { table: u16, tree: u16, rank: u32, old_page: u32 },
    /// A row is in its storage and in all indexes: later operations may choose it.
    RowArrived { table: u16 },
    /// Takes a row out of its table's storage and out of its indexes; `found_in` is the tree that was searched for it.
    RemoveRow { table: u16, rank: u32, found_in: Option<u16> },
    /// Takes a rank out of a tree, whose leaf has been visited.
    TreeRemove { tree: u16, rank: u32 },
    /// Writes a key, or its tombstone, to an LSM tree; `delayed`: it has waited its turn while writes are slowed down.
    LsmPut { lsm: u16, rank: u32, deleted: bool, delayed: bool },
    /// Rows of a range of an LSM tree from a rank on.
    LsmRange { statement: u16, rank: u32, remaining: u32, resumed: bool },
    /// Rows of an LSM tree whose blocks have been read.
    LsmRows { statement: u16, rank: u32, remaining: u32 },
    /// Writes what a transaction changed in a pool, before it commits.
    Force { pool: u16 },
    /// Copies a pool's journal to the places of its pages.
    Checkpoint { pool: u16 },
    /// Makes durable what was written at a commit.
    Sync { pool: u16 },
    /// Tells the file of a copy-on-write tree where its new root is.
    WriteMeta { pool: u16 },
    /// The client thinks after a statement of its transaction.
    Think { statement: u16 },
    /// Waits for the lock of a row.
    Lock { table: u16, rank: u32, mode: Mode },
    /// A statement at read committed is over.
    EndStatement,
    /// A change that waited for the commit, by its place among those of its transaction.
    Apply { place: u32 },
    /// All that waited for the commit has been done.
    WritesDone,
    /// The transaction aborts.
    Abort { reason: Reason },
    /// A part of a join or a sort is over.
    Query,
    /// What the rows of a page led to comes before the next page.
    Fed,
    /// A row found through an index goes into the query that reads it.
    FeedRow { statement: u16, rank: u32 },
    /// Visits the pages of a client's bitmap from this one on.
    BitmapPages { statement: u16, page: u32 },
    /// Writes or reads pages of a temporary file.
    Spill { space: u16, page: u32, pages: u32, write: bool },
}

/// How a client goes on after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    /// Processor time has to pass before the step on top of the stack.
    Yield,
    /// Someone will resume the client.
    Wait,
    /// The client still computes, and will wait when it has: its request is on its way.
    Ask,
}

impl Kernel<'_> {
    #[inline]
    pub(super) fn execute(&mut self, client: u32, step: Step) -> Flow {
        match step {
            Step::Search { tree, rank, write } => self.search(client, tree, rank, write),
            Step::Walk { tree, level, write } => self.walk(client, tree, level, write),
            Step::Page { space, page, write } => self.page(client, space, page, write),
            Step::WriteBack { pool, space, page } => {
                self.write_back(client, pool, (space, page));
                Flow::Wait
            }
            Step::FrameCheck { pool } => self.frame_check(pool),
            Step::NewPage { space, page } => self.new_page(client, space, page),
            Step::DirectWrite { space, page } => self.direct_write(client, space, page),
            Step::Row { statement, rank } => self.row(client, statement, rank),
            Step::Range { statement, rank, remaining, leaf } => {
                self.range(client, statement, rank, remaining, leaf)
            }
            Step::Scan { statement, position, loaded } => self.scan(client, statement, position, loaded),
            Step::Matches { statement, rank, remaining } => self.matches(client, statement, rank, remaining),
            Step::ScannedRow { statement, rank } => self.act_on_row(client, statement, rank),
            Step::InsertRow { table, record } => self.insert_row(client, table, record),
            Step::TreeInsert { tree, rank } => self.tree_insert(client, tree, rank),
            Step::MovedRow { table, rank, old_page, changed } => {
                self.moved_row(client, table, rank, old_page, changed)
            }
            Step::TreeVersion { table, tree, rank, old_page } => {
                self.tree_version(client, table, tree, rank, old_page)
            }
            Step::HashRow { statement, rank } => self.hash_row(client, statement, rank),
            Step::HashVisit { hash, rank } => self.visit_bucket(client, hash, rank, true),
            Step::HashInsert { hash, rank } => self.hash_insert(client, hash, rank),
            Step::HashRemove { hash, rank } => self.hash_remove(client, hash, rank),
            Step::SkipListRange { statement, rank, remaining } => {
                self.skip_list_range(client, statement, rank, remaining)
            }
            Step::SkipListInsert { list, rank } => self.skip_list_insert(client, list, rank),
            Step::SkipListMoved { list } => self.skip_list_moved(client, list),
            Step::SkipListRemove { list, rank } => self.skip_list_remove(client, list, rank),
            // In a transaction it is not seen before the commit.
            Step::RowArrived { .. } if self.transactions.is_some() => Flow::Next,
            Step::RowArrived { table } => {
                let state = &mut self.tables[usize::from(table)];
                state.arrived += 1;
                if let Some(arriving) = &mut state.arriving {
                    arriving.remove(&self.clients[client as usize].rank);
                }
                Flow::Next
            }
            Step::RemoveRow { table, rank, found_in } => self.remove_row(client, table, rank, found_in),
            Step::TreeRemove { tree, rank } => self.tree_remove(client, tree, rank),
            Step::LsmPut { lsm, rank, deleted, delayed } => self.lsm_put(client, lsm, rank, deleted, delayed),
            Step::LsmRange { statement, rank, remaining, resumed } => {
                self.lsm_range(client, statement, rank, remaining, resumed)
            }
            Step::LsmRows { statement, rank, remaining } => self.lsm_rows(client, statement, rank, remaining),
            Step::Force { pool } => self.force(client, pool),
            Step::Checkpoint { pool } => self.checkpoint(client, pool),
            Step::Sync { pool } => self.sync(client, pool),
            Step::WriteMeta { pool } => self.write_meta(client, pool),
            Step::Think { statement } => self.think(client, statement),
            Step::Lock { table, rank, mode } => self.lock_row(client, table, rank, mode),
            Step::EndStatement => self.end_statement(client),
            Step::Apply { place } => self.apply(client, place),
            Step::WritesDone => self.writes_done(client),
            Step::Abort { reason } => self.abort_transaction(client, reason),
            Step::Query => self.query(client),
            Step::Fed => self.fed(client),
            Step::FeedRow { statement, rank } => self.feed_row(client, statement, rank),
            Step::BitmapPages { statement, page } => self.bitmap_pages(client, statement, page),
            Step::Spill { space, page, pages, write } => self.spill(client, space, page, pages, write),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, client: u32, step: Step) {
        self.clients[client as usize].steps.push(step);
    }
}
