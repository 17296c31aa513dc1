//! Least recently used: a doubly linked list through the frames.

/// No frame.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Link {
    newer: u32,
    older: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Lru {
    links: Vec<Link>,
    newest: u32,
    oldest: u32,
}

impl Lru {
    pub(crate) fn new(capacity: u32) -> Self {
        Self { links: vec![Link { newer: NONE, older: NONE }; capacity as usize], newest: NONE, oldest: NONE }
    }

    /// A frame becomes evictable, as the newest.
    pub(crate) fn insert(&mut self, frame: u32) {
        self.links[frame as usize] = Link { newer: NONE, older: self.newest };
        match self.newest {
            NONE => self.oldest = frame,
            newest => self.links[newest as usize].newer = frame,
        }
        self.newest = frame;
    }

    pub(crate) fn remove(&mut self, frame: u32) {
        let Link { newer, older } = self.links[frame as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.links[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.links[older as usize].newer = newer,
        }
    }

    #[inline]
    pub(crate) fn touch(&mut self, frame: u32) {
        if self.newest != frame {
            self.remove(frame);
            self.insert(frame);
        }
    }

    /// The frame to evict; absent when none is evictable.
    pub(crate) fn victim(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }
}
