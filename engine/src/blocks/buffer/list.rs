//! Doubly linked lists through the frames: several lists share one set of links, and a frame is in at most one of them.

/// No frame.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Link {
    newer: u32,
    older: u32,
}

/// The links of every frame.
#[derive(Debug, Clone)]
pub(super) struct Links(Vec<Link>);

impl Links {
    pub(super) const BYTES: u64 = 8;

    pub(super) fn new(items: u32) -> Self {
        Self(vec![Link { newer: NONE, older: NONE }; items as usize])
    }

    /// Adds an item that belongs to no list yet.
    pub(super) fn extend(&mut self) {
        self.0.push(Link { newer: NONE, older: NONE });
    }

    /// The neighbour towards the newest; `NONE` at the end.
    pub(super) fn newer(&self, item: u32) -> u32 {
        self.0[item as usize].newer
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.0.capacity() as u64 * Self::BYTES
    }
}

/// One list, from newest to oldest.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    newest: u32,
    oldest: u32,
    len: u32,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { newest: NONE, oldest: NONE, len: 0 }
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// `NONE` when empty.
    #[inline]
    pub(super) fn oldest(&self) -> u32 {
        self.oldest
    }

    /// `NONE` when empty.
    #[inline]
    pub(super) fn newest(&self) -> u32 {
        self.newest
    }

    /// Its oldest items, `wanted` at most, oldest first.
    pub(super) fn upcoming(&self, links: &Links, wanted: u32, items: &mut Vec<u32>) {
        let mut item = self.oldest;
        for _ in 0..wanted.min(self.len) {
            items.push(item);
            item = links.newer(item);
        }
    }

    #[inline]
    pub(super) fn push(&mut self, links: &mut Links, item: u32) {
        links.0[item as usize] = Link { newer: NONE, older: self.newest };
        match self.newest {
            NONE => self.oldest = item,
            newest => links.0[newest as usize].newer = item,
        }
        self.newest = item;
        self.len += 1;
    }

    pub(super) fn push_oldest(&mut self, links: &mut Links, item: u32) {
        links.0[item as usize] = Link { newer: self.oldest, older: NONE };
        match self.oldest {
            NONE => self.newest = item,
            oldest => links.0[oldest as usize].older = item,
        }
        self.oldest = item;
        self.len += 1;
    }

    #[inline]
    pub(super) fn remove(&mut self, links: &mut Links, item: u32) {
        let Link { newer, older } = links.0[item as usize];
        match newer {
            NONE => self.newest = older,
            newer => links.0[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => links.0[older as usize].newer = newer,
        }
        self.len -= 1;
    }

    /// An item of this list becomes its newest.
    #[inline]
    pub(super) fn touch(&mut self, links: &mut Links, item: u32) {
        if self.newest != item {
            self.remove(links, item);
            self.push(links, item);
        }
    }
}
