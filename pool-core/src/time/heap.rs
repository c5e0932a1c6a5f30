//! A heap of instants in which every key is at most once and can be moved or taken out.
//!
//! Keys are slots. Most entries are pushed in rising order and most removals are near the leaves, so
//! both touch a few entries whatever the size; only an expiry sifts through all levels.

use super::Instant;

const ABSENT: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry<R> {
    at: Instant,
    key: u32,
    reason: R,
}

/// Deadlines by key, each with a reason.
#[derive(Clone, Debug)]
pub(crate) struct Heap<R> {
    entries: Vec<Entry<R>>,
    /// Where a key's entry is; [`ABSENT`] if nowhere.
    places: Vec<u32>,
}

impl<R: Copy> Heap<R> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), places: Vec::new() }
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn first(&self) -> Option<(Instant, R)> {
        self.entries.first().map(|entry| (entry.at, entry.reason))
    }

    /// Takes the earliest entry if it is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let key = self.entries.first().filter(|entry| entry.at <= now)?.key;
        self.remove(key);
        Some(key)
    }

    /// Sets the deadline of `key`, moving the one that it has.
    pub(crate) fn set(&mut self, key: u32, at: Instant, reason: R) {
        let slot = key as usize;
        if slot >= self.places.len() {
            if slot >= self.places.capacity() {
                self.places.reserve_exact((slot + 1).max(2 * self.places.len()) - self.places.len());
            }
            self.places.resize(slot + 1, ABSENT);
        }
        let place = self.places[slot];
        let entry = Entry { at, key, reason };
        if place == ABSENT {
            if self.entries.len() == self.entries.capacity() {
                self.entries.reserve_exact(self.entries.len().max(1));
            }
            let place = self.entries.len();
            self.entries.push(entry);
            self.rise(place);
        } else {
            let place = place as usize;
            self.entries[place] = entry;
            let place = self.rise(place);
            self.sink(place);
        }
    }

    /// Takes the deadline of `key` away, if it has one.
    pub(crate) fn remove(&mut self, key: u32) {
        let Some(place) = self.places.get_mut(key as usize) else { return };
        let at = core::mem::replace(place, ABSENT);
        if at == ABSENT {
            return;
        }
        let at = at as usize;
        self.entries.swap_remove(at);
        if at < self.entries.len() {
            let at = self.rise(at);
            self.sink(at);
        }
    }

    fn settle(&mut self, at: usize) -> usize {
        self.places[self.entries[at].key as usize] = at as u32;
        at
    }

    fn rise(&mut self, mut at: usize) -> usize {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.entries[parent].at <= self.entries[at].at {
                break;
            }
            self.entries.swap(parent, at);
            self.settle(at);
            at = parent;
        }
        self.settle(at)
    }

    fn sink(&mut self, mut at: usize) -> usize {
        loop {
            let left = 2 * at + 1;
            let Some(entry) = self.entries.get(left) else { break };
            let right = left + 1;
            let child = match self.entries.get(right) {
                Some(other) if other.at < entry.at => right,
                Some(_) | None => left,
            };
            if self.entries[at].at <= self.entries[child].at {
                break;
            }
            self.entries.swap(at, child);
            self.settle(at);
            at = child;
        }
        self.settle(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_sorted_list_over_random_sets_moves_and_removals() {
        let mut heap = Heap::new();
        let mut model: Vec<(u64, u32)> = Vec::new();
        let mut seed = 7u64;
        let mut draw = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        for _ in 0..5000 {
            let key = draw(60) as u32;
            if draw(3) == 0 {
                heap.remove(key);
                model.retain(|(_, other)| *other != key);
            } else {
                let at = draw(1000);
                heap.set(key, Instant::from_nanos(at), ());
                model.retain(|(_, other)| *other != key);
                model.push((at, key));
            }
            let first = model.iter().map(|(at, _)| Instant::from_nanos(*at)).min();
            assert_eq!(heap.first().map(|(at, ())| at), first);
        }
        let mut last = Instant::ZERO;
        let mut left = model.len();
        while let Some(key) = heap.pop_due(Instant::from_nanos(2000)) {
            let at = model.iter().find(|(_, other)| *other == key).map(|(at, _)| Instant::from_nanos(*at));
            assert!(at >= Some(last));
            last = at.unwrap();
            left -= 1;
        }
        assert_eq!(left, 0);
    }

    #[test]
    fn nothing_is_due_before_its_instant() {
        let mut heap = Heap::new();
        heap.set(3, Instant::from_nanos(5), 'a');
        assert_eq!(heap.pop_due(Instant::from_nanos(4)), None);
        heap.set(3, Instant::from_nanos(9), 'b');
        assert_eq!(heap.pop_due(Instant::from_nanos(5)), None);
        assert_eq!(heap.first(), Some((Instant::from_nanos(9), 'b')));
        assert_eq!(heap.pop_due(Instant::from_nanos(9)), Some(3));
        assert_eq!(heap.first(), None);
    }
}
