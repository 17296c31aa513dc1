//! Processor time of each kind of step, by persona. A run copies one row of this table when it begins.
//!
//! | persona | source of its figures |
//! |---|---|
//! | `generic` | orders of magnitude for a core at about 3 GHz, from the instruction counts of Harizopoulos et al., "OLTP Through the Looking Glass, and What We Found There" (SIGMOD 2008), and in-memory point reads of tuned systems, a few microseconds each |
//! | `rocksdb`, `leveldb`, `lmdb`, `sqlite` | steps solved for from the processor time an operation takes in the measured cases of kind `rank` (reads, updates, inserts and ranges with and without cached pages, 1 to 1000 operations a commit), everything in the cache of the operating system: what a read of a page adds is what two cases with different misses differ by, a commit what a batch saves, an entry merged what the bytes written add, a page brought to the device what the cases that wait for it cost more |
//! | `postgres-15` | pgbench's prepared select-only transactions run at about 21,600 a second on one connection, 46 µs for two processes and the messages between them; half of it is taken as the server's. Pages and rows as in the paper above |
//! | `innodb` | no measurement of its own: a server that parses and answers as PostgreSQL does, with pages twice as large |
//!
//! The engines that are libraries are called by the program itself; the servers also receive, parse and answer a message.

use crate::plan::Processor;

/// An operation that needs no wait gives the core back after this much time, so that long scans let others in between.
pub(crate) const QUANTUM_NS: u64 = 1_000_000;

/// Nanoseconds of a core each step takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Costs {
    /// Planning and starting a prepared statement, and answering it.
    pub(crate) statement_ns: u64,
    /// Finding, pinning and latching a page, and searching in it.
    pub(crate) page_visit_ns: u64,
    /// Asking the operating system for pages that are not in the pool, checking them and making room: a request.
    pub(crate) page_read_ns: u64,
    /// Handing pages to the operating system, checksum and copy included: a request, at a commit each page.
    pub(crate) page_write_ns: u64,
    /// What the operating system does to bring one of many scattered pages to the device, when a commit waits for it.
    pub(crate) page_sync_ns: u64,
    /// Finding a row on its page and reading or changing it.
    pub(crate) row_ns: u64,
    /// The next row of a range in key order.
    pub(crate) range_row_ns: u64,
    /// Testing one row of a scan.
    pub(crate) scan_row_ns: u64,
    /// Hashing a row, or passing it on to a sort or a file.
    pub(crate) hash_row_ns: u64,
    /// Building one log record.
    pub(crate) log_record_ns: u64,
    /// Moving half a page to a new one.
    pub(crate) split_ns: u64,
    /// Ending a transaction, its log's write call included, apart from waiting for the log.
    pub(crate) commit_ns: u64,
    /// Comparing with the key of a node in memory: that the node is in no cache outweighs the comparison.
    pub(crate) key_compare_ns: u64,
    /// LSM: adding an entry to the memtable.
    pub(crate) lsm_put_ns: u64,
    /// LSM: what a get or the start of a range costs before any table is asked: version, memtables, iterators.
    pub(crate) lsm_search_ns: u64,
    /// LSM: searching a table's index and data block.
    pub(crate) lsm_block_ns: u64,
    /// LSM: asking a filter that then saves the block.
    pub(crate) lsm_filter_ns: u64,
    /// LSM: an entry that a flush or a compaction writes. Nobody waits for it: it counts in the total only.
    pub(crate) lsm_merge_entry_ns: u64,
}

/// The row of a persona.
pub(crate) fn costs(processor: Processor) -> Costs {
    let generic = Costs {
        statement_ns: 1_000,
        page_visit_ns: 150,
        // Part of the device's time.
        page_read_ns: 0,
        page_write_ns: 0,
        page_sync_ns: 0,
        row_ns: 100,
        range_row_ns: 100,
        scan_row_ns: 50,
        hash_row_ns: 60,
        log_record_ns: 200,
        split_ns: 1_000,
        commit_ns: 300,
        key_compare_ns: 20,
        lsm_put_ns: 100,
        lsm_search_ns: 100,
        lsm_block_ns: 0,
        lsm_filter_ns: 0,
        lsm_merge_entry_ns: 400,
    };
    match processor {
        Processor::Generic => generic,
        Processor::Postgres15 => Costs {
            statement_ns: 20_000,
            page_visit_ns: 400,
            page_read_ns: 2_500,
            page_write_ns: 3_000,
            row_ns: 500,
            range_row_ns: 300,
            scan_row_ns: 80,
            hash_row_ns: 120,
            log_record_ns: 800,
            split_ns: 5_000,
            commit_ns: 3_000,
            ..generic
        },
        Processor::Innodb => Costs {
            statement_ns: 22_000,
            page_visit_ns: 500,
            page_read_ns: 4_000,
            page_write_ns: 5_000,
            row_ns: 700,
            range_row_ns: 400,
            scan_row_ns: 120,
            log_record_ns: 500,
            split_ns: 8_000,
            commit_ns: 3_000,
            ..generic
        },
        // A statement is bound, stepped and reset on the virtual machine; a commit takes and releases file locks.
        Processor::Sqlite => Costs {
            statement_ns: 2_400,
            page_visit_ns: 200,
            page_read_ns: 1_100,
            page_write_ns: 1_200,
            page_sync_ns: 6_000,
            row_ns: 250,
            range_row_ns: 160,
            scan_row_ns: 120,
            log_record_ns: 0,
            split_ns: 3_000,
            commit_ns: 5_500,
            ..generic
        },
        // Pages are mapped: a read costs no call. A changed page is copied, and written by the commit.
        Processor::Lmdb => Costs {
            statement_ns: 250,
            page_visit_ns: 120,
            page_read_ns: 250,
            page_write_ns: 1_700,
            page_sync_ns: 6_000,
            row_ns: 80,
            range_row_ns: 55,
            scan_row_ns: 30,
            log_record_ns: 0,
            split_ns: 1_000,
            commit_ns: 2_000,
            ..generic
        },
        Processor::Rocksdb => Costs {
            statement_ns: 300,
            page_visit_ns: 150,
            page_read_ns: 3_500,
            page_write_ns: 2_000,
            range_row_ns: 240,
            log_record_ns: 200,
            commit_ns: 2_100,
            lsm_put_ns: 700,
            lsm_search_ns: 700,
            lsm_block_ns: 900,
            lsm_filter_ns: 150,
            lsm_merge_entry_ns: 650,
            ..generic
        },
        // Table files are mapped, so a block that is not cached is checked and copied without a call.
        Processor::Leveldb => Costs {
            statement_ns: 200,
            page_visit_ns: 150,
            page_read_ns: 500,
            page_write_ns: 1_500,
            range_row_ns: 140,
            log_record_ns: 100,
            commit_ns: 1_600,
            lsm_put_ns: 300,
            lsm_search_ns: 400,
            lsm_block_ns: 1_000,
            lsm_filter_ns: 100,
            lsm_merge_entry_ns: 400,
            ..generic
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time of a point read of a tree with `levels` levels, of which `misses` pages are read from the operating system.
    fn tree_read_ns(costs: &Costs, levels: u64, misses: u64) -> u64 {
        costs.statement_ns + levels * costs.page_visit_ns + misses * costs.page_read_ns + costs.row_ns
    }

    /// The measured cases: a cached point read takes LMDB .6 to .7 µs, SQLite 3.3 to 3.5, and SQLite 4.8 when the leaf is not
    /// in its cache.
    #[test]
    fn point_reads_cost_what_was_measured() {
        let near = |found_ns: u64, expected_us: f64, part: f64| {
            let found_us = found_ns as f64 / 1e3;
            assert!((found_us / expected_us - 1.0).abs() < part, "{found_us} for {expected_us}");
        };
        near(tree_read_ns(&costs(Processor::Lmdb), 3, 0), 0.65, 0.15);
        near(tree_read_ns(&costs(Processor::Sqlite), 3, 0), 3.4, 0.1);
        near(tree_read_ns(&costs(Processor::Sqlite), 3, 1), 4.8, 0.15);
        // A server's statement outweighs its pages.
        for server in [Processor::Postgres15, Processor::Innodb] {
            let costs = costs(server);
            assert!(costs.statement_ns > 10 * 3 * costs.page_visit_ns);
        }
    }
}
