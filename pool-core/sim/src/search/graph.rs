//! The states that were found, how they were reached, and what holds of all ways through them.

use std::collections::HashMap;

use super::key::Key;
use super::moves::Turn;

/// What is asked about a state after the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Whether somebody waits.
    pub queue: Queue,
    /// What is left.
    pub left: Left,
}

/// Whether somebody waits in any pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "what it says")]
pub enum Queue {
    Empty,
    SomebodyWaits,
}

/// What is left of connections, requests and seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing; every gauge shows zero.
    Nothing,
    /// Something, which may stay.
    MayStay,
    /// Something that must go once nothing more is owed.
    MustGo,
}

/// Whether a state was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It was not.
    New(u32),
    /// It was.
    Known(u32),
}

impl Arrival {
    /// The number of the state.
    #[must_use]
    pub const fn state(self) -> u32 {
        match self {
            Self::New(state) | Self::Known(state) => state,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    traits: Traits,
    /// Steps from the first state.
    depth: u32,
    /// How it was first reached.
    from: Option<(u32, Turn)>,
}

/// What is known of runs in which everybody does what is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fairness {
    /// Steps that change something.
    pub steps: usize,
    /// States without such a step.
    pub ends: usize,
}

/// All states.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    known: HashMap<Key, u32>,
    nodes: Vec<Node>,
    fair: Vec<(u32, u32)>,
}

impl Graph {
    /// How many states there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Steps to the state that is furthest away. (Breadth first: it was found last.)
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.nodes.last().map_or(0, |node| node.depth)
    }

    /// The turns by which a state was first reached.
    #[must_use]
    pub fn path(&self, state: u32) -> Vec<Turn> {
        let mut path = Vec::new();
        let mut at = state;
        while let Some((from, turn)) = self.nodes[at as usize].from {
            path.push(turn);
            at = from;
        }
        path.reverse();
        path
    }

    /// A state was reached.
    pub fn arrive(&mut self, key: Key, traits: Traits, from: Option<(u32, Turn)>) -> Arrival {
        if let Some(state) = self.known.get(&key) {
            return Arrival::Known(*state);
        }
        let state = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let depth = from.map_or(0, |(from, _)| self.nodes[from as usize].depth + 1);
        self.known.insert(key, state);
        self.nodes.push(Node { traits, depth, from });
        Arrival::New(state)
    }

    /// A step that is owed leads from one state to another. One that changes nothing does not count.
    pub fn fair_step(&mut self, from: u32, to: u32) {
        if from != to {
            self.fair.push((from, to));
        }
    }

    /// Invariant 24 and the end of 12: if only what is owed happens, in whatever order, it comes to an
    /// end; nobody waits there, and what was to end has ended.
    ///
    /// # Errors
    /// The law that is broken, and a state from which it is.
    pub fn fairness(&self) -> Result<Fairness, (String, u32)> {
        let mut steps = self.fair.clone();
        steps.sort_unstable();
        steps.dedup();
        let mut arrivals = vec![0_u32; self.nodes.len()];
        let mut leads_on = vec![false; self.nodes.len()];
        for (from, to) in &steps {
            arrivals[*to as usize] += 1;
            leads_on[*from as usize] = true;
        }
        for (state, node) in (0_u32..).zip(&self.nodes) {
            if leads_on[state as usize] {
                continue;
            }
            if node.traits.queue == Queue::SomebodyWaits {
                return Err(("24: nothing is owed to those who wait".to_owned(), state));
            }
            if node.traits.left == Left::MustGo {
                return Err(("12: nothing is owed, and something is left".to_owned(), state));
            }
        }
        // Taking away states that nothing leads to, over and over, leaves exactly what goes in circles.
        let mut free: Vec<u32> =
            (0_u32..).zip(&arrivals).filter_map(|(state, count)| (*count == 0).then_some(state)).collect();
        let mut taken_away = 0;
        while let Some(state) = free.pop() {
            taken_away += 1;
            let first = steps.partition_point(|(from, _)| *from < state);
            for (_, to) in steps[first..].iter().take_while(|(from, _)| *from == state) {
                arrivals[*to as usize] -= 1;
                if arrivals[*to as usize] == 0 {
                    free.push(*to);
                }
            }
        }
        if taken_away < self.nodes.len() {
            let circle = (0_u32..).zip(&arrivals).find(|(_, count)| **count > 0);
            let state = circle.map_or(0, |(state, _)| state);
            return Err(("24: what is owed is done, and it never ends".to_owned(), state));
        }
        let ends = leads_on.iter().filter(|leads| !**leads).count();
        Ok(Fairness { steps: steps.len(), ends })
    }
}
