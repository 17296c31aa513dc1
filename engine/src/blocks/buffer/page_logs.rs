//! Log before data: a changed page must not reach its device before the log has reached the page's last change.
//!
//! A page is changed a moment before the record of the change is appended, so what it needs is one byte more than the log held
//! then, or all of the log if that is less. A record appended later for the same change, after a wait for another page, is not
//! noticed.

/// The logs of a pool's pages, and how far each has to be durable for what leaves the pool.
#[derive(Debug)]
pub(crate) struct PageLogs {
    /// Numbers of the logs.
    pub(crate) logs: Vec<u16>,
    /// By log: bytes appended.
    appended: Vec<u64>,
    /// By log: how far the pages that left the pool since someone asked need it.
    needed: Vec<u64>,
    /// By space: place of its log in the lists above.
    log_of_space: Vec<Option<u8>>,
    /// By frame: how far its page needs its log.
    by_frame: Vec<u64>,
}

impl PageLogs {
    pub(crate) fn memory_for(capacity: u32) -> u64 {
        u64::from(capacity) * 8
    }

    pub(super) fn new(capacity: u32) -> Self {
        Self {
            logs: Vec::new(),
            appended: Vec::new(),
            needed: Vec::new(),
            log_of_space: Vec::new(),
            by_frame: vec![0; capacity as usize],
        }
    }

    /// Changes of a space's pages go to this log. Its place among the pool's.
    pub(super) fn add(&mut self, space: u16, log: u16) -> u8 {
        let place = self.logs.iter().position(|known| *known == log).unwrap_or_else(|| {
            self.logs.push(log);
            self.appended.push(0);
            self.needed.push(0);
            self.logs.len() - 1
        });
        let space = usize::from(space);
        if space >= self.log_of_space.len() {
            self.log_of_space.resize(space + 1, None);
        }
        self.log_of_space[space] = Some(place as u8);
        place as u8
    }

    pub(crate) fn appended(&mut self, place: u8, bytes: u64) {
        self.appended[usize::from(place)] = bytes;
    }

    fn log_of(&self, space: u16) -> Option<usize> {
        self.log_of_space.get(usize::from(space)).copied().flatten().map(usize::from)
    }

    /// The page in a frame is changed.
    pub(super) fn changed(&mut self, frame: u32, space: u16) {
        if let Some(log) = self.log_of(space) {
            self.by_frame[frame as usize] = self.appended[log] + 1;
        }
    }

    /// The changed page in a frame is going to be written.
    pub(super) fn leaves(&mut self, frame: u32, space: u16) {
        if let Some(log) = self.log_of(space) {
            self.needed[log] = self.needed[log].max(self.by_frame[frame as usize]);
        }
    }

    /// A log, by number, that has to be made durable for what left, `durable` telling how far each is. Told once.
    pub(crate) fn take_lagging(&mut self, durable: impl Fn(u16) -> u64) -> Option<u16> {
        for (place, log) in self.logs.iter().enumerate() {
            let needed = std::mem::take(&mut self.needed[place]).min(self.appended[place]);
            if needed > durable(*log) {
                return Some(*log);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_needs_its_log_up_to_its_last_change() {
        let mut logs = PageLogs::new(3);
        assert_eq!((logs.add(4, 7), logs.add(6, 9), logs.add(5, 7)), (0, 1, 0));
        logs.appended(0, 100);
        logs.changed(0, 4);
        logs.appended(0, 150);
        // What was appended is durable: nothing lags. Later it leaves again, not durable.
        logs.leaves(0, 4);
        assert_eq!(logs.take_lagging(|_| 101), None);
        logs.leaves(0, 4);
        assert_eq!(logs.take_lagging(|_| 100), Some(7));
        assert_eq!(logs.take_lagging(|_| 0), None, "told once");
        // Changed, with nothing appended since: all there is will do.
        logs.changed(1, 5);
        logs.leaves(1, 5);
        assert_eq!(logs.take_lagging(|_| 150), None);
        // Another log, and a space without one.
        logs.appended(1, 10);
        logs.changed(2, 6);
        logs.appended(1, 20);
        logs.leaves(2, 6);
        logs.leaves(0, 1);
        assert_eq!(logs.take_lagging(|log| if log == 9 { 10 } else { u64::MAX }), Some(9));
    }
}
