//! Entries of an index for versions that are no longer the newest, as PostgreSQL's B-trees keep them (`nbtinsert.c`,
//! `nbtdedup.c`, `heap_index_delete_tuples` of version 15).
//!
//! An update that moves a row adds an entry with the same key; a delete leaves its entry. When the leaf is full, before it splits:
//!
//! - *simple deletion* takes entries known to be dead (a lookup or the check of uniqueness has found their rows gone), and on
//!   the way others of the same heap pages that turn out to be dead;
//! - *bottom-up deletion*, for an update that did not change the key, looks at up to six heap pages, those with the most
//!   duplicates first, until it has freed a sixteenth of a page, and gives up at the first page that frees nothing;
//! - *deduplication* merges the entries of a key into one posting list, 6 bytes a version.

use crate::blocks::heap::version_page::precedes;

const ROW_PLACE_BYTES: u32 = 6;
const BOTTOM_UP_PAGES: usize = 6;
/// Heap pages this close to each other count as contiguous.
const NEARBY_PAGES: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OldEntry {
    rank: u32,
    /// Heap page of the version.
    page: u32,
    /// Whose end lets it go.
    transaction: u32,
    known_dead: bool,
    /// It lies in the posting list of its key; so does the current entry if `current_merged`.
    posting: bool,
    current_merged: bool,
}

/// What making room on a leaf did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Cleanup {
    /// Entries taken by each pass that took some: simple, bottom-up.
    pub(crate) deleted: Vec<u32>,
    /// Keys whose entries were merged.
    pub(crate) merged: u32,
    /// Heap pages looked at.
    pub(crate) heap_pages: Vec<u32>,
}

/// The leaf that needs room.
#[derive(Debug, Clone, Copy)]
pub(super) struct FullLeaf {
    pub(super) leaf: u32,
    /// Bytes beside its current entries, for old ones and the new one, each of `item_bytes`.
    pub(super) room_bytes: u32,
    pub(super) item_bytes: u32,
    pub(super) page_size_bytes: u32,
    /// Heap page of the new entry's row.
    pub(super) new_page: u32,
    /// The new entry is a duplicate by an update that did not change the key.
    pub(super) duplicate: bool,
    pub(super) horizon: u32,
}

/// Old entries by leaf.
#[derive(Debug, Clone, Default)]
pub(super) struct OldEntries {
    leaves: Vec<Vec<OldEntry>>,
    pub(super) count: u64,
}

impl OldEntries {
    fn of(&self, leaf: u32) -> &[OldEntry] {
        self.leaves.get(leaf as usize).map_or(&[], Vec::as_slice)
    }

    fn of_mut(&mut self, leaf: u32) -> &mut Vec<OldEntry> {
        let leaf = leaf as usize;
        if leaf >= self.leaves.len() {
            self.leaves.resize_with(leaf + 1, Vec::new);
        }
        &mut self.leaves[leaf]
    }

    pub(super) fn on(&self, leaf: u32) -> u32 {
        self.of(leaf).len() as u32
    }

    pub(super) fn add(&mut self, leaf: u32, rank: u32, page: u32, transaction: u32) {
        let entries = self.of_mut(leaf);
        let place = entries.partition_point(|entry| entry.rank <= rank);
        let first = entries[..place].partition_point(|entry| entry.rank < rank);
        // What was the current entry until now stays where it is.
        let posting = entries[first..place].iter().any(|entry| entry.current_merged);
        entries[first..place].iter_mut().for_each(|entry| entry.current_merged = false);
        let known_dead = false;
        entries
            .insert(place, OldEntry { rank, page, transaction, known_dead, posting, current_merged: false });
        self.count += 1;
    }

    /// Bytes that posting lists save on a leaf.
    pub(super) fn saved_bytes(&self, leaf: u32, item_bytes: u32) -> u32 {
        let entries = self.of(leaf);
        let merged = entries.chunk_by(|one, other| one.rank == other.rank).map(|key| {
            let versions = key.iter().filter(|entry| entry.posting).count() as u32;
            saved_by_merging(versions + u32::from(key[0].current_merged), item_bytes)
        });
        merged.sum()
    }

    /// A lookup of a key, or the check of its uniqueness, visits the rows of its old entries; those found dead are marked.
    pub(super) fn look_up(&mut self, leaf: u32, rank: u32, horizon: u32, mut visit: impl FnMut(u32)) {
        let Some(entries) = self.leaves.get_mut(leaf as usize) else { return };
        let first = entries.partition_point(|entry| entry.rank < rank);
        let end = entries.partition_point(|entry| entry.rank <= rank);
        let key = &mut entries[first..end];
        // A posting list is marked as a whole.
        let gone = |entry: &OldEntry| precedes(entry.transaction, horizon);
        let list_gone = key.iter().all(|entry| !entry.posting || gone(entry) && !entry.current_merged);
        for entry in key.iter_mut().filter(|entry| !entry.known_dead) {
            visit(entry.page);
            entry.known_dead = gone(entry) && (list_gone || !entry.posting);
        }
    }

    /// Bytes free for the new entry.
    pub(super) fn free_bytes(&self, full: &FullLeaf) -> u32 {
        let free = full.room_bytes + self.saved_bytes(full.leaf, full.item_bytes);
        free.saturating_sub(self.on(full.leaf) * full.item_bytes)
    }

    /// Tries to make room for one more entry. `live` lists the ranks of the leaf that have a current entry, with its heap page.
    pub(super) fn make_room(&mut self, full: &FullLeaf, live: impl Fn() -> Vec<(u32, u32)>) -> Cleanup {
        let mut cleanup = Cleanup::default();
        self.delete_known_dead(full, &mut cleanup);
        if !full.duplicate || self.free_bytes(full) >= full.item_bytes {
            return cleanup;
        }
        self.delete_bottom_up(full, &live(), &mut cleanup);
        // A decent amount of free space is enough.
        if self.free_bytes(full) < (full.page_size_bytes / 24).max(full.item_bytes) {
            cleanup.merged = self.merge(full.leaf);
        }
        cleanup
    }

    /// VACUUM of a leaf: takes entries of which `is_dead` says so of heap page and transaction; how many.
    pub(super) fn remove(&mut self, leaf: u32, is_dead: impl Fn(u32, u32) -> bool) -> u32 {
        let Some(entries) = self.leaves.get_mut(leaf as usize) else { return 0 };
        let before = entries.len();
        entries.retain(|entry| !is_dead(entry.page, entry.transaction));
        let removed = (before - entries.len()) as u32;
        self.count -= u64::from(removed);
        removed
    }

    fn delete_known_dead(&mut self, full: &FullLeaf, cleanup: &mut Cleanup) {
        let entries = self.of_mut(full.leaf);
        let mut pages: Vec<u32> = entries.iter().filter(|e| e.known_dead).map(|e| e.page).collect();
        if pages.is_empty() {
            return;
        }
        pages.push(full.new_page);
        pages.sort_unstable();
        pages.dedup();
        let before = entries.len();
        entries.retain(|entry| {
            let gone = precedes(entry.transaction, full.horizon);
            !(gone && (entry.known_dead || pages.binary_search(&entry.page).is_ok()))
        });
        let deleted = (before - entries.len()) as u32;
        self.count -= u64::from(deleted);
        cleanup.deleted.extend((deleted > 0).then_some(deleted));
        cleanup.heap_pages.extend(pages);
    }

    fn delete_bottom_up(&mut self, full: &FullLeaf, live: &[(u32, u32)], cleanup: &mut Cleanup) {
        let entries = self.of_mut(full.leaf);
        let groups = page_groups(entries, live);
        let mut favorable = 1;
        while favorable < groups.len().min(BOTTOM_UP_PAGES)
            && groups[favorable].page.abs_diff(groups[favorable - 1].page) <= NEARBY_PAGES
        {
            favorable += 1;
        }
        let mut target_bytes = (full.page_size_bytes / 16).max(full.item_bytes);
        let (mut freed_bytes, mut deleted) = (0, 0);
        for group in groups.iter().take(BOTTOM_UP_PAGES) {
            if favorable > 0 {
                favorable -= 1;
            } else {
                target_bytes /= 2;
            }
            let before_bytes = freed_bytes;
            cleanup.heap_pages.push(group.page);
            entries.retain(|entry| {
                let gone = entry.page == group.page && precedes(entry.transaction, full.horizon);
                if gone {
                    deleted += 1;
                    freed_bytes += if entry.posting { ROW_PLACE_BYTES } else { full.item_bytes };
                }
                !gone
            });
            if freed_bytes == before_bytes || freed_bytes >= target_bytes {
                break;
            }
        }
        self.count -= u64::from(deleted);
        cleanup.deleted.extend((deleted > 0).then_some(deleted));
    }

    /// Merges the entries of each key into a posting list; how many keys that concerned.
    fn merge(&mut self, leaf: u32) -> u32 {
        let mut merged = 0;
        for key in self.of_mut(leaf).chunk_by_mut(|one, other| one.rank == other.rank) {
            merged += u32::from(key.iter().any(|entry| !entry.posting || !entry.current_merged));
            key.iter_mut().for_each(|entry| (entry.posting, entry.current_merged) = (true, true));
        }
        merged
    }

    /// The ranks of a leaf's old entries, in order.
    pub(super) fn ranks(&self, leaf: u32) -> impl Iterator<Item = u32> + '_ {
        self.of(leaf).iter().map(|entry| entry.rank)
    }

    /// `right` was split off `left`, from a rank on.
    pub(super) fn split(&mut self, left: u32, right: u32, from: u32) {
        let entries = self.of_mut(left);
        let moved = entries.split_off(entries.partition_point(|entry| entry.rank < from));
        if !moved.is_empty() {
            *self.of_mut(right) = moved;
        }
    }

    /// `right` was merged into `left`.
    pub(super) fn join(&mut self, left: u32, right: u32) {
        let mut moved = std::mem::take(self.of_mut(right));
        self.of_mut(left).append(&mut moved);
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        // Vectors double, so they hold up to twice what is in them.
        self.leaves.capacity() as u64 * size_of::<Vec<OldEntry>>() as u64
            + self.count * 2 * size_of::<OldEntry>() as u64
    }
}

/// Bytes saved when `versions` entries of a key become one posting list.
fn saved_by_merging(versions: u32, item_bytes: u32) -> u32 {
    const LINE_POINTER_BYTES: u32 = 4;
    let posting = (item_bytes - LINE_POINTER_BYTES + versions * ROW_PLACE_BYTES).next_multiple_of(8);
    if versions < 2 { 0 } else { (versions * item_bytes).saturating_sub(posting + LINE_POINTER_BYTES) }
}

struct PageGroup {
    page: u32,
    /// Entries of keys that have several, and all entries, that point to the page.
    promising: u32,
    entries: u32,
}

/// The heap pages a leaf points to, the most promising first.
fn page_groups(old: &[OldEntry], live: &[(u32, u32)]) -> Vec<PageGroup> {
    // (heap page, promising) of every entry. Both lists are in order of rank.
    let mut entries: Vec<(u32, bool)> = Vec::with_capacity(old.len() + live.len());
    let mut next = live.iter().peekable();
    let mut list: Vec<u32> = Vec::new();
    for key in old.chunk_by(|one, other| one.rank == other.rank) {
        while let Some((_, page)) = next.next_if(|(rank, _)| *rank < key[0].rank) {
            entries.push((*page, false));
        }
        let current = next.next_if(|(rank, _)| *rank == key[0].rank).map(|(_, page)| *page);
        list.clear();
        list.extend(key.iter().filter(|entry| entry.posting).map(|entry| entry.page));
        let single = key.iter().filter(|entry| !entry.posting).map(|entry| entry.page);
        let current_single = current.filter(|_| !key[0].current_merged);
        list.extend(current.filter(|_| key[0].current_merged));
        list.sort_unstable();
        let tuples = key.len() - key.iter().filter(|entry| entry.posting).count()
            + usize::from(current_single.is_some())
            + usize::from(!list.is_empty());
        let promising = tuples > 1;
        entries.extend(single.chain(current_single).map(|page| (page, promising)));
        // Of a posting list at most one place is promising, at the end where one heap page holds half of them.
        let middle = list.get(list.len() / 2).copied();
        let first = promising && list.first().copied() == middle;
        let last = promising && !first && list.last().copied() == middle;
        let places = list.len();
        entries.extend(
            list.iter()
                .enumerate()
                .map(|(place, page)| (*page, first && place == 0 || last && place + 1 == places)),
        );
    }
    entries.extend(next.map(|(_, page)| (*page, false)));
    entries.sort_unstable();
    let mut groups: Vec<PageGroup> = entries
        .chunk_by(|one, other| one.0 == other.0)
        .map(|group| PageGroup {
            page: group[0].0,
            promising: (group.iter().filter(|entry| entry.1).count() as u32).max(4).next_power_of_two(),
            entries: (group.len() as u32).next_power_of_two(),
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse((group.promising, group.entries)));
    groups
}
