//! The circuit breakers of all origins, shared by the clients that are built with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::leash::lock;
use crate::cluster::{CanonicalKey, Key};
use crate::limits::{Limits, Shared, SharedHandle, Wake};

/// Limits per origin, counted over every client that was built with a clone of this value.
///
/// Programs with one client per thread give all of them the same breakers; the limits then hold for
/// the threads together, exactly.
#[derive(Clone, Debug)]
pub struct Breakers {
    limits: Limits,
    origins: Arc<Mutex<BTreeMap<CanonicalKey, Shared>>>,
}

impl Breakers {
    /// Every origin gets `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, origins: Arc::default() }
    }

    /// What every origin gets.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A worker's share in the breakers of one origin; `wake` is called when another worker freed a seat
    /// for it.
    pub(crate) fn worker(&self, key: &Key<'_>, wake: Wake) -> SharedHandle {
        let name = CanonicalKey::of(key);
        let mut origins = lock(&self.origins);
        // Origins that nobody uses any more are forgotten here, where a new one is rare enough.
        if !origins.contains_key(&name) {
            origins.retain(|_, shared| shared.workers() > 0);
        }
        origins.entry(name).or_insert_with(|| Shared::new(self.limits)).worker(wake)
    }
}

impl Default for Breakers {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}
