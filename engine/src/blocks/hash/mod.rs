//! Hash indexes: buckets that are pages, and two ways to have more of them.
//!
//! - *Linear* is PostgreSQL's (`src/backend/access/hash` of version 15): one bucket splits whenever there are more entries than
//!   buckets times the fill factor's share of a page, in the order of their numbers; a bucket that is full goes on in overflow
//!   pages. Bucket pages are made a splitpoint phase at a time: as many again up to 512 buckets, then in quarters.
//! - *Extendible* (Fagin et al. 1979): a directory of 2^d entries leads to buckets of one page; a full bucket splits by one bit
//!   more of the hash, and the directory doubles when the bucket has used all of its bits. Buckets end up ln 2 full on average.
//!
//! Keys are known by rank. Their hash is PostgreSQL's of an int8 with the value rank + 1, so bucket sizes are those of ids 1, 2, 3 …

mod buckets;
mod extendible;
mod linear;

pub(crate) use buckets::{Bucket, Buckets};

/// Pages of a hash index beside its buckets: PostgreSQL's meta page, or the first of a directory, are page 0.
pub(crate) const META_PAGE: u32 = 0;

/// A change that an insert made to pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Entries of one bucket went to a new one: numbers of both, and how many moved.
    Split { bucket: u32, new_bucket: u32, moved: u32 },
    /// A bucket goes on in this overflow page.
    Overflow { page: u32 },
    /// The directory doubled.
    Doubled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Linear,
    Extendible,
}

/// PostgreSQL's hash of a rank's key (`hashint8`, `hash_bytes_uint32`).
pub(crate) fn hash_of(rank: u32) -> u32 {
    let key = u64::from(rank) + 1;
    let word = key as u32 ^ (key >> 32) as u32;
    let start = 0x9e37_79b9u32.wrapping_add(4).wrapping_add(3_923_095);
    let (mut a, mut b, mut c) = (start.wrapping_add(word), start, start);
    let step = |to: &mut u32, from: u32, bits: u32| *to = (*to ^ from).wrapping_sub(from.rotate_left(bits));
    step(&mut c, b, 14);
    step(&mut a, c, 11);
    step(&mut b, a, 25);
    step(&mut c, b, 16);
    step(&mut a, c, 4);
    step(&mut b, a, 14);
    step(&mut c, b, 24);
    c
}

#[cfg(test)]
mod tests;
