//! What each block does.
pub(crate) mod disk;
