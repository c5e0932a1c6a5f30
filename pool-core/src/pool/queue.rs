//! Requests that wait: first come, first served, with cancel from the middle in one step.

use super::action::{EarlyData, Request};

use super::slots::{NEVER, NONE};
use crate::id::{Token, WaiterId};
use crate::time::{Heap, Instant};

/// Where a request entered the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// At the back; its deadline is not before that of those that entered there earlier.
    Back,
    /// Put back at the front, with a deadline of its own.
    Front,
}

#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub(super) token: Token,
    pub(super) queued_at: Instant,
    /// [`NEVER`] if it has none.
    pub(super) deadline: Instant,
    generation: u32,
    /// Towards the front.
    prev: u32,
    /// Towards the back.
    next: u32,
    pub(super) early_data: EarlyData,
    /// `None` while the slot is vacant.
    entry: Option<Entry>,
}

/// The queue. Requests that were put back stand before all others, so the others stand in the order
/// of their deadlines and the first of them has the earliest.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    len: u32,
    waiters: Vec<Waiter>,
    head: u32,
    tail: u32,
    free: u32,
    /// The first one that entered at the back.
    first_regular: u32,
    /// How many may go out as early data.
    pub(super) safe: u32,
    /// Deadlines of those that were put back; rarely needed, so not in the pool itself.
    own_deadlines: Option<Box<Heap<()>>>,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            waiters: Vec::new(),
            head: NONE,
            tail: NONE,
            len: 0,
            free: NONE,
            first_regular: NONE,
            safe: 0,
            own_deadlines: None,
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// The oldest.
    pub(super) fn front(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// The newest.
    pub(super) fn back(&self) -> Option<u32> {
        (self.tail != NONE).then_some(self.tail)
    }

    /// The next younger one.
    pub(super) fn after(&self, index: u32) -> Option<u32> {
        let next = self.waiters[index as usize].next;
        (next != NONE).then_some(next)
    }

    pub(super) fn get(&self, index: u32) -> &Waiter {
        &self.waiters[index as usize]
    }

    pub(super) fn id(&self, index: u32) -> WaiterId {
        WaiterId { index, generation: self.waiters[index as usize].generation }
    }

    /// The slot of a name that is alive.
    pub(super) fn find(&self, waiter: WaiterId) -> Option<u32> {
        let found = self.waiters.get(waiter.index as usize)?;
        (found.generation == waiter.generation && found.entry.is_some()).then_some(waiter.index)
    }

    /// The largest generation; of a vacant slot it is one that was never given out.
    pub(super) fn generation(&self) -> u32 {
        self.waiters.iter().map(|waiter| waiter.generation).max().unwrap_or(0)
    }

    /// Begins a new waiter's generations at `generation`, before its name is given out.
    pub(super) fn begin_at(&mut self, index: u32, generation: u32) {
        let own = &mut self.waiters[index as usize].generation;
        *own = (*own).max(generation);
    }

    /// From the oldest to the newest.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        core::iter::successors(self.front(), |index| self.after(*index))
    }

    /// The earliest deadline, with its waiter.
    #[inline]
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.len == 0 {
            return None;
        }
        let regular = self.waiters.get(self.first_regular as usize).map(|waiter| waiter.deadline);
        let own = self.own_deadlines.as_ref().and_then(|heap| heap.first()).map(|(at, ())| at);
        let at = match (regular, own) {
            (Some(a), Some(b)) => a.min(b),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return None,
        };
        (at != NEVER).then_some(at)
    }

    /// A waiter whose deadline has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<u32> {
        let own = self.own_deadlines.as_ref().and_then(|heap| heap.first()).map(|(at, ())| at);
        let regular = self.waiters.get(self.first_regular as usize).map(|waiter| waiter.deadline);
        if regular.is_some_and(|at| at <= now && own.is_none_or(|own| at <= own)) {
            return Some(self.first_regular);
        }
        self.own_deadlines.as_mut()?.pop_due(now)
    }

    pub(super) fn push_back(&mut self, request: Request, now: Instant, deadline: Instant) -> u32 {
        let index = self.insert(request, now, deadline, Entry::Back);
        let old = self.tail;
        self.waiters[index as usize].prev = old;
        if old == NONE {
            self.head = index;
        } else {
            self.waiters[old as usize].next = index;
        }
        self.tail = index;
        if self.first_regular == NONE {
            self.first_regular = index;
        }
        index
    }

    pub(super) fn push_front(&mut self, request: Request, now: Instant, deadline: Instant) -> u32 {
        let index = self.insert(request, now, deadline, Entry::Front);
        let old = self.head;
        self.waiters[index as usize].next = old;
        if old == NONE {
            self.tail = index;
        } else {
            self.waiters[old as usize].prev = index;
        }
        self.head = index;
        if deadline != NEVER {
            self.own_deadlines.get_or_insert_with(|| Box::new(Heap::new())).set(index, deadline, ());
        }
        index
    }

    /// Takes a waiter out, wherever it stands; its name is dead from now on.
    pub(super) fn remove(&mut self, index: u32) -> (WaiterId, Token) {
        let id = self.id(index);
        let waiter = &mut self.waiters[index as usize];
        let (prev, next, token) = (waiter.prev, waiter.next, waiter.token);
        waiter.generation = waiter.generation.wrapping_add(1);
        waiter.next = self.free;
        self.free = index;
        self.len -= 1;
        if waiter.early_data == EarlyData::Safe {
            self.safe -= 1;
        }
        let entry = waiter.entry.take();
        if prev == NONE {
            self.head = next;
        } else {
            self.waiters[prev as usize].next = next;
        }
        if next == NONE {
            self.tail = prev;
        } else {
            self.waiters[next as usize].prev = prev;
        }
        match entry {
            Some(Entry::Back) if self.first_regular == index => self.first_regular = next,
            Some(Entry::Front) => {
                if let Some(heap) = &mut self.own_deadlines {
                    heap.remove(index);
                }
            }
            Some(Entry::Back) | None => {}
        }
        (id, token)
    }

    fn insert(&mut self, request: Request, now: Instant, deadline: Instant, entry: Entry) -> u32 {
        self.len += 1;
        if request.early_data == EarlyData::Safe {
            self.safe += 1;
        }
        let mut waiter = Waiter {
            token: request.token,
            queued_at: now,
            deadline,
            generation: 0,
            prev: NONE,
            next: NONE,
            early_data: request.early_data,
            entry: Some(entry),
        };
        let index = self.free;
        if index == NONE {
            let index = u32::try_from(self.waiters.len()).unwrap_or(NONE);
            if self.waiters.len() == self.waiters.capacity() {
                self.waiters.reserve_exact(self.waiters.len().max(1));
            }
            self.waiters.push(waiter);
            return index;
        }
        let slot = &mut self.waiters[index as usize];
        self.free = slot.next;
        waiter.generation = slot.generation;
        *slot = waiter;
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(token: u64) -> Request {
        Request::new(Token(token))
    }

    fn tokens(queue: &Queue) -> Vec<u64> {
        queue.iter().map(|index| queue.get(index).token.0).collect()
    }

    #[test]
    fn order_survives_removal_from_anywhere() {
        let at = Instant::from_millis;
        let mut queue = Queue::new();
        let ids: Vec<u32> = (0..4).map(|n| queue.push_back(request(n), at(n), at(100 + n))).collect();
        let own = queue.push_front(request(9), at(5), at(50));
        assert_eq!(tokens(&queue), [9, 0, 1, 2, 3]);
        assert_eq!(queue.deadline(), Some(at(50)));
        queue.remove(ids[1]);
        queue.remove(ids[3]);
        assert_eq!(tokens(&queue), [9, 0, 2]);
        queue.remove(own);
        assert_eq!(queue.deadline(), Some(at(100)));
        queue.remove(ids[0]);
        assert_eq!(queue.deadline(), Some(at(102)));
        assert_eq!((queue.front(), queue.back()), (Some(ids[2]), Some(ids[2])));
        let name = queue.id(ids[2]);
        queue.remove(ids[2]);
        assert_eq!((queue.is_empty(), queue.deadline(), queue.find(name)), (true, None, None));
    }

    #[test]
    fn due_waiters_come_in_the_order_of_their_deadlines() {
        let at = Instant::from_millis;
        let mut queue = Queue::new();
        queue.push_back(request(1), at(0), at(20));
        queue.push_front(request(2), at(0), at(30));
        queue.push_front(request(3), at(0), at(10));
        queue.push_front(request(4), at(0), NEVER);
        let mut order = Vec::new();
        while let Some(index) = queue.due(at(40)) {
            order.push(queue.remove(index).1.0);
        }
        assert_eq!(order, [3, 1, 2]);
        assert_eq!(tokens(&queue), [4]);
        assert_eq!(queue.deadline(), None);
    }
}
