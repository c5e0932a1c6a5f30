//! The set of pools as a client has it: with the feature `trace` one that can be recorded, without it
//! the set itself.

#[cfg(not(feature = "trace"))]
pub(crate) use plain::Pools;

/// The set, recorded if somebody asked for it.
#[cfg(feature = "trace")]
pub(crate) type Pools = crate::trace::Traced<crate::limits::SharedHandle>;

#[cfg(not(feature = "trace"))]
mod plain {
    use std::ops::{Deref, DerefMut};
    use std::sync::Arc;

    use crate::cluster::{ClusterId, Key, PoolSet};
    use crate::config::PoolConfig;
    use crate::id::PoolId;
    use crate::limits::{Full, Limits, Priority, SharedHandle};
    use crate::pool::{Answer, Request};
    use crate::time::Instant;

    /// The set; what only a recording wants to know is passed over.
    pub(crate) struct Pools(PoolSet<SharedHandle>);

    impl Pools {
        pub(crate) fn new(seed: u64) -> Self {
            Self(PoolSet::new(seed))
        }

        pub(crate) fn add_cluster(
            &mut self,
            _now: Instant,
            _name: &str,
            _limits: &Limits,
            config: Arc<PoolConfig>,
            ledger: SharedHandle,
        ) -> ClusterId {
            self.0.add_cluster(config, ledger)
        }

        pub(crate) fn add_pool(
            &mut self,
            _now: Instant,
            _label: impl FnOnce() -> String,
            key: &Key<'_>,
            cluster: ClusterId,
            priority: Priority,
        ) -> Result<PoolId, Full> {
            self.0.add_pool(key, cluster, priority)
        }

        #[inline]
        pub(crate) fn request(
            &mut self,
            now: Instant,
            pool: PoolId,
            request: Request,
            _number: u64,
        ) -> Option<Answer> {
            self.0.request(now, pool, request)
        }

        pub(crate) fn requeue(
            &mut self,
            now: Instant,
            pool: PoolId,
            request: Request,
            deadline: Option<Instant>,
            _number: u64,
        ) -> Option<Answer> {
            self.0.requeue(now, pool, request, deadline)
        }
    }

    impl Deref for Pools {
        type Target = PoolSet<SharedHandle>;

        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }

    impl DerefMut for Pools {
        fn deref_mut(&mut self) -> &mut Self::Target {
            &mut self.0
        }
    }
}
