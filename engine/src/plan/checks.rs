//! Rules about a plan as a whole, which need parameters and ports of several blocks.

use super::route::table_of;
use super::{FetchSpec, PageFormat, PlanBlock, PolicyKind, Spec};
use crate::design::{Code, Diagnostic};

/// Tells every rule that the blocks break.
pub(super) fn check(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    check_tables(blocks, found);
    check_searched_indexes(blocks, found);
    check_versioned_indexes(blocks, found);
    check_page_sizes(blocks, found);
    check_pools(blocks, found);
    check_copy_on_write(blocks, found);
    check_transactions(blocks, found);
    check_fetches(blocks, found);
    super::query::check(blocks, found);
}

/// One block governs every transaction, and its locks are the only ones transactions wait for.
fn check_transactions(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    let Some(out) = blocks.iter().find_map(|block| match &block.spec {
        Spec::Client { out } => Some(out),
        _ => None,
    }) else {
        return;
    };
    let Some(governing) = out.iter().find(|block| matches!(blocks[**block].spec, Spec::Transaction(_)))
    else {
        return;
    };
    let governing = &blocks[*governing].id;
    for other in out.iter().filter(|block| blocks[**block].id != *governing) {
        let id = &blocks[*other].id;
        let message = match blocks[*other].spec {
            Spec::Transaction(_) => format!(
                "\"{governing}\" governs the client's transactions already: a design has one such block"
            ),
            _ => format!(
                "the client's operations run in transactions of \"{governing}\": connect its \"out\" port to \"{id}\" instead"
            ),
        };
        let path = ["blocks", &other.to_string()];
        found.push(Diagnostic::error(Code::PortMismatch, &path, message).at_block(id));
    }
    for (index, block) in blocks.iter().enumerate().filter(|(_, block)| block.reachable) {
        if matches!(&block.spec, Spec::BufferPool(pool) if pool.at_commit.is_some()) {
            let message = format!(
                "pool \"{}\" writes changed pages at commit, for a database that takes one writing transaction at a time: it has no use \
                 for the transactions of \"{governing}\"",
                block.id
            );
            let path = ["blocks", &index.to_string(), "parameters", "write_back"];
            found.push(Diagnostic::error(Code::ParameterOutOfRange, &path, message).at_block(&block.id));
        }
    }
}

/// Visibility maps and bitmaps of places are PostgreSQL's, over a heap.
fn check_fetches(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    for (index, block) in blocks.iter().enumerate() {
        let Spec::IndexScan { index: scanned, table, fetch } = block.spec else { continue };
        let parameter = match fetch {
            FetchSpec::Plain => continue,
            FetchSpec::IndexOnly => "index_only",
            FetchSpec::Bitmap { .. } => "bitmap",
        };
        let heap = table.is_some_and(|table| matches!(blocks[table].spec, Spec::Heap(_)));
        if !heap || !matches!(blocks[scanned].spec, Spec::BtreeIndex(_)) {
            let message = format!(
                "\"{parameter}\" of \"{}\" needs a btree-index on its \"index\" port and a heap-storage on its \"table\" port",
                block.id
            );
            let path = ["blocks", &index.to_string(), "parameters", parameter];
            found.push(Diagnostic::error(Code::ParameterOutOfRange, &path, message).at_block(&block.id));
        }
    }
}

fn check_tables(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    for (index, block) in blocks.iter().enumerate() {
        let place = index.to_string();
        if matches!(block.spec, Spec::Heap(_) | Spec::Clustered(_)) {
            let first = blocks[..index].iter().find(|other| {
                matches!(other.spec, Spec::Heap(_) | Spec::Clustered(_))
                    && table_of(&other.spec) == table_of(&block.spec)
            });
            if let Some(first) = first {
                let table = table_of(&block.spec).unwrap_or_default();
                let message = format!(
                    "block \"{}\" already stores table \"{table}\"; name another in the parameter \"table\"",
                    first.id
                );
                let path = ["blocks", place.as_str(), "parameters", "table"];
                found.push(Diagnostic::error(Code::DuplicateTable, &path, message).at_block(&block.id));
            }
        }
        if let Spec::IndexScan { index: scanned, table: Some(storage), .. } = block.spec {
            let (indexed, stored) = (table_of(&blocks[scanned].spec), table_of(&blocks[storage].spec));
            if indexed != stored {
                let message = format!(
                    "index \"{}\" is on table \"{}\" but storage \"{}\" holds \"{}\": an index scan needs both on one table",
                    blocks[scanned].id,
                    indexed.unwrap_or_default(),
                    blocks[storage].id,
                    stored.unwrap_or_default()
                );
                found.push(
                    Diagnostic::error(Code::TableMismatch, &["blocks", &place], message).at_block(&block.id),
                );
            }
        }
    }
}

/// Background work looks ahead to the next victims, which not every policy can tell.
fn check_pools(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    for (index, block) in blocks.iter().enumerate() {
        let Spec::BufferPool(pool) = &block.spec else { continue };
        let mut tell = |parameter: &str, message: String| {
            let path = ["blocks", &index.to_string(), "parameters", parameter];
            found.push(Diagnostic::error(Code::ParameterOutOfRange, &path, message).at_block(&block.id));
        };
        let ordered = matches!(
            pool.policy,
            PolicyKind::Lru
                | PolicyKind::MidpointLru { .. }
                | PolicyKind::Fifo
                | PolicyKind::Clock
                | PolicyKind::Gclock
        );
        for (parameter, used) in [
            ("free_pages_target", pool.free_pages_target > 0),
            ("background_writer_delay_ms", pool.writer.is_some()),
        ] {
            if used && !ordered {
                tell(
                    parameter,
                    format!(
                        "pool \"{}\" cannot tell ahead which page leaves next: \"{parameter}\" needs the policy lru, \
                         midpoint-lru, fifo, clock or gclock",
                        block.id
                    ),
                );
            }
        }
        if pool.at_commit.is_some()
            && (pool.free_pages_target > 0 || pool.writer.is_some() || pool.checkpoint.is_some())
        {
            tell(
                "write_back",
                format!(
                    "pool \"{}\" writes changed pages at commit, so it has no cleaner, background writer or checkpoints",
                    block.id
                ),
            );
        }
        if pool.free_pages_target >= pool.capacity_pages {
            tell(
                "free_pages_target",
                format!(
                    "pool \"{}\" has {} pages: \"free_pages_target\" must leave some of them",
                    block.id, pool.capacity_pages
                ),
            );
        }
    }
}

/// Operations name rows by key, so only an index on the key can find them.
fn check_searched_indexes(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    for (index, block) in blocks.iter().enumerate() {
        let Spec::IndexScan { index: scanned, .. } = block.spec else { continue };
        if matches!(&blocks[scanned].spec, Spec::BtreeIndex(tree) if tree.column.is_some()) {
            let message = format!(
                "index \"{}\" is not on the key, and operations find rows by key: scan an index on the key, and connect this one \
                 to the client's \"out\" port so that changes keep it up to date",
                blocks[scanned].id
            );
            let path = ["blocks", &index.to_string()];
            found.push(Diagnostic::error(Code::PortMismatch, &path, message).at_block(&block.id));
        }
    }
}

fn check_copy_on_write(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    for (index, block) in blocks.iter().enumerate() {
        let (Spec::BtreeIndex(tree) | Spec::Clustered(tree)) = &block.spec else { continue };
        let committed =
            matches!(&blocks[tree.pages].spec, Spec::BufferPool(pool) if pool.at_commit.is_some());
        if tree.copy_on_write && !committed {
            let message = format!(
                "\"{}\" copies pages on write, and \"{}\" does not write them when a transaction commits: use a buffer pool with \
                 \"write_back\": \"commit\"",
                block.id, blocks[tree.pages].id
            );
            let path = ["blocks", &index.to_string(), "parameters", "copy_on_write"];
            found.push(Diagnostic::error(Code::CopyOnWriteWithoutCommit, &path, message).at_block(&block.id));
        }
    }
}

/// What becomes of entries of old versions is known of PostgreSQL's pages alone.
fn check_versioned_indexes(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    let versioned = |table: &str| {
        blocks
            .iter()
            .any(|block| matches!(&block.spec, Spec::Heap(heap) if heap.versions && heap.table == table))
    };
    for (index, block) in blocks.iter().enumerate() {
        let Spec::BtreeIndex(tree) = &block.spec else { continue };
        if tree.page_format != PageFormat::Postgres && versioned(&tree.table) {
            let message = format!(
                "index \"{}\" is on a heap whose updates make new versions: it needs page_format \"postgres\"",
                block.id
            );
            let path = ["blocks", &index.to_string(), "parameters", "page_format"];
            found.push(Diagnostic::error(Code::ParameterOutOfRange, &path, message).at_block(&block.id));
        }
    }
}

fn check_page_sizes(blocks: &[PlanBlock], found: &mut Vec<Diagnostic>) {
    let page_size = |spec: &Spec| match spec {
        Spec::Heap(heap) => Some((heap.pages, heap.page_size_bytes)),
        Spec::Clustered(tree) | Spec::BtreeIndex(tree) => Some((tree.pages, tree.page_size_bytes)),
        Spec::Hash(hash) => Some((hash.pages, hash.page_size_bytes)),
        Spec::Lsm(lsm) => Some((lsm.pages, lsm.page_size_bytes)),
        Spec::Join(join) => Some((join.spill?, join.page_size_bytes)),
        Spec::Sort(sort) => Some((sort.spill?, sort.page_size_bytes)),
        _ => None,
    };
    for (index, block) in blocks.iter().enumerate() {
        let Some((pool, size)) = page_size(&block.spec) else { continue };
        if !matches!(blocks[pool].spec, Spec::BufferPool(_)) {
            continue;
        }
        let other = blocks[..index].iter().find_map(|other| {
            page_size(&other.spec)
                .filter(|(to, other)| *to == pool && *other != size)
                .map(|(_, size)| (other, size))
        });
        if let Some((other, other_size)) = other {
            let message = format!(
                "\"{}\" uses pages of {other_size} bytes and \"{}\" of {size}; blocks that share pool \"{}\" need one size",
                other.id, block.id, blocks[pool].id
            );
            let path = ["blocks", &index.to_string(), "parameters", "page_size"];
            found.push(Diagnostic::error(Code::PageSizeMismatch, &path, message).at_block(&block.id));
        }
    }
}
