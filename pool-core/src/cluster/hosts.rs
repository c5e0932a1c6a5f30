//! The hosts of a cluster over time: which of a new list are known, which are gone.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::HostId;

/// What makes a host of a new list the same as one of the list before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// An address, and the name that it goes by if it has one (Envoy: `endpoint.hostname`).
    Address(SocketAddr, Option<Arc<str>>),
    /// A name whose address may change (Envoy: `LOGICAL_DNS`).
    Name(Arc<str>),
}

/// What a host of a new list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It was in the list before.
    Kept(HostId),
    /// It is new, and its name was never given before: a host that comes back is another one.
    Added(HostId),
    /// The same as one earlier in the list; it counts once.
    Repeated,
}

/// The present hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hosts {
    present: BTreeMap<Identity, HostId>,
    next: u32,
}

impl Hosts {
    /// Puts a list in the place of the one before. For each of the new list what it is, in its order,
    /// and the names of those that are gone.
    pub fn replace(&mut self, list: impl IntoIterator<Item = Identity>) -> (Vec<Standing>, Vec<HostId>) {
        let mut before = std::mem::take(&mut self.present);
        let mut standings = Vec::new();
        for identity in list {
            let standing = if self.present.contains_key(&identity) {
                Standing::Repeated
            } else if let Some(known) = before.remove(&identity) {
                self.present.insert(identity, known);
                Standing::Kept(known)
            } else {
                let new = HostId(self.next);
                self.next = self.next.wrapping_add(1);
                self.present.insert(identity, new);
                Standing::Added(new)
            };
            standings.push(standing);
        }
        (standings, before.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Identity {
        Identity::Address(SocketAddr::from(([127, 0, 0, 1], port)), None)
    }

    #[test]
    fn hosts_are_kept_by_identity_and_never_come_back() {
        use Standing::{Added, Kept, Repeated};
        let mut hosts = Hosts::default();
        assert_eq!(
            hosts.replace([at(1), at(2), at(1)]),
            (vec![Added(HostId(0)), Added(HostId(1)), Repeated], vec![])
        );
        assert_eq!(hosts.replace([at(2), at(3)]), (vec![Kept(HostId(1)), Added(HostId(2))], vec![HostId(0)]));
        assert_eq!(hosts.replace([at(1), at(2), at(3)]).0[0], Added(HostId(3)));
        assert_eq!(hosts.replace([]), (vec![], vec![HostId(3), HostId(1), HostId(2)]));
    }

    #[test]
    fn a_name_is_part_of_the_identity() {
        let Identity::Address(address, _) = at(1) else { panic!("an address") };
        let named = |name: &str| Identity::Address(address, Some(name.into()));
        let mut hosts = Hosts::default();
        let (standings, _) = hosts.replace([at(1), named("a"), named("b"), Identity::Name("a".into())]);
        assert!(standings.iter().all(|standing| matches!(standing, Standing::Added(_))), "{standings:?}");
    }
}
