//! Databases that write at commit take one writing transaction at a time (SQLite's WAL mode and LMDB; readers do not wait). A
//! transaction takes the lock before its first change and keeps it until it has committed; who waits is served in order.

use std::collections::VecDeque;

use super::Kernel;
use super::cause::WRITER_LOCK;
use super::step::Flow;

#[derive(Debug, Default)]
pub(super) struct WriterLock {
    holder: Option<u32>,
    waiting: VecDeque<u32>,
}

impl Kernel<'_> {
    /// Before the first change of a transaction: what the client does until it has the lock, if it has not.
    #[inline]
    pub(super) fn wait_for_writer_lock(&mut self, client: u32) -> Option<Flow> {
        if self.forcing_pools.is_empty() || self.writer_lock.holder == Some(client) {
            return None;
        }
        if self.cpu_ns > 0 {
            return Some(Flow::Yield);
        }
        if self.writer_lock.holder.is_none() {
            self.writer_lock.holder = Some(client);
            return None;
        }
        self.writer_lock.waiting.push_back(client);
        self.clients[client as usize].waiting_since_ns = self.now_ns;
        Some(Flow::Wait)
    }

    /// The transaction has committed: the next writer goes on.
    pub(super) fn release_writer_lock(&mut self, client: u32) {
        if self.writer_lock.holder != Some(client) {
            return;
        }
        self.writer_lock.holder = self.writer_lock.waiting.pop_front();
        if let Some(next) = self.writer_lock.holder {
            let waited_ns = self.now_ns - self.clients[next as usize].waiting_since_ns;
            let pool = usize::from(self.forcing_pools[0]);
            self.charge(next, self.causes.pool(pool, WRITER_LOCK), waited_ns);
            self.ready.push_back(next);
        }
    }

    /// When no operations are left to begin, a transaction that would need more of them ends where it is.
    pub(super) fn let_writers_finish(&mut self) {
        if let Some(holder) = self.writer_lock.holder {
            if self.nothing_left_to_begin() && !self.clients[holder as usize].in_progress() {
                self.release_writer_lock(holder);
            }
        }
    }
}
