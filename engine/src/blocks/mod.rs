//! What each block does. State and figures of one block a file; steps that go through a block are methods of the kernel beside it.

pub(crate) mod bitmap;
pub(crate) mod bits;
pub(crate) mod buffer;
pub(crate) mod column_index;
pub(crate) mod copy_on_write;
pub(crate) mod counters;
pub(crate) mod cpu;
pub(crate) mod disk;
pub(crate) mod hash;
pub(crate) mod hash_block;
pub(crate) mod heap;
pub(crate) mod index_scan;
pub(crate) mod lsm;
pub(crate) mod lsm_block;
pub(crate) mod operator;
pub(crate) mod query;
pub(crate) mod rows;
pub(crate) mod seq_scan;
pub(crate) mod skip_list;
pub(crate) mod skip_list_block;
pub(crate) mod statement;
pub(crate) mod transaction;
pub(crate) mod tree;
pub(crate) mod tree_block;
mod tree_log;
pub(crate) mod wal;
