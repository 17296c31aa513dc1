//! What happens beside the clients: cleaners, background writers and checkpoints of pools. Their writes queue at the device
//! like everyone else's; nobody waits for them, but for the frames they free.

use serde_json::json;

use super::Kernel;
use super::calendar::Event;
use crate::blocks::buffer::at_commit::SpacePage;
use crate::blocks::disk::{IoKind, Purpose};
use crate::blocks::wal::BYTES_APPENDED;

impl Kernel<'_> {
    /// Sets the timers of the pools and vacuums that act on their own.
    pub(super) fn start_background(&mut self) {
        for pool in 0..self.pools.len() {
            self.set_pool_timer(pool);
        }
        (0..self.vacuums.len()).for_each(|worker| self.set_vacuum_timer(worker));
    }

    fn set_pool_timer(&mut self, pool: usize) {
        let due_ns = self.pools[pool].background.as_ref().and_then(|background| background.due_ns());
        if let Some(due_ns) = due_ns {
            self.timers += 1;
            self.calendar.schedule(due_ns, Event::PoolTimer(pool as u8));
        }
    }

    /// A pool wanted to be looked at now.
    pub(super) fn pool_timer(&mut self, pool: usize) {
        self.timers -= 1;
        let mut pages = std::mem::take(&mut self.washed);
        self.pools[pool].writer_round(self.now_ns, &mut pages);
        let logs = self.pools[pool].page_logs.as_ref().map_or(&[][..], |logs| &logs.logs);
        let log_bytes =
            logs.iter().map(|log| self.wals[usize::from(*log)].counters.total(BYTES_APPENDED)).sum();
        let (begins, ends) = self.pools[pool].checkpoint_round(self.now_ns, log_bytes, &mut pages);
        if begins {
            self.checkpoint_began(pool);
        }
        self.flush_logs_of(pool);
        for (space, page) in pages.drain(..) {
            self.write_in_background(pool, None, (space, page));
        }
        self.washed = pages;
        if ends && self.trace.is_on() {
            let block = self.pools[pool].block;
            self.trace.emit(self.now_ns, block, "checkpoint_completed", || json!({}));
        }
        // Where only timers are left, nobody is going to change a page again.
        if self.calendar.len() > self.timers {
            self.set_pool_timer(pool);
        }
    }

    fn checkpoint_began(&mut self, pool: usize) {
        for log in self.pools[pool].page_logs.as_ref().map_or(&[][..], |logs| &logs.logs) {
            self.wals[usize::from(*log)].checkpoint_number += 1;
        }
        if self.trace.is_on() {
            let (block, dirty_pages) = (self.pools[pool].block, self.pools[pool].dirty_pages());
            self.trace.emit(self.now_ns, block, "checkpoint_started", || json!({"dirty_pages": dirty_pages}));
        }
    }

    /// Lets a pool's cleaner free frames until its target is reached.
    pub(crate) fn clean_pool(&mut self, pool: usize) {
        while let Some(evicted) = self.pools[pool].evict_ahead() {
            if let Some((frame, space, page)) = evicted {
                self.flush_logs_of(pool);
                self.write_in_background(pool, Some(frame), (space, page));
            }
        }
    }

    /// Has the logs flushed that lag behind pages on their way to the device.
    fn flush_logs_of(&mut self, pool: usize) {
        while let Some(log) = self.lagging_log(pool) {
            let action = self.wals[log].force(None);
            self.apply_log_action(log, action);
        }
    }

    /// A log that lags behind a page on its way to the device.
    pub(super) fn lagging_log(&mut self, pool: usize) -> Option<usize> {
        let wals = &self.wals;
        let logs = self.pools[pool].page_logs.as_mut()?;
        logs.take_lagging(|log| wals[usize::from(log)].durable_bytes()).map(usize::from)
    }

    /// Writes a page for nobody; `leaves` is the frame that is free afterwards.
    fn write_in_background(&mut self, pool: usize, leaves: Option<u32>, (space, page): SpacePage) {
        let purpose = Purpose::Background { pool: pool as u16, leaves };
        self.submit_pages(self.pools[pool].disk, IoKind::Write, purpose, space, page, 1);
    }

    /// A background write is done.
    pub(super) fn written_in_background(&mut self, pool: usize, leaves: Option<u32>) {
        if let Some(frame) = leaves {
            self.pools[pool].left(frame);
            self.wake_frame_waiter(pool);
        }
    }
}
