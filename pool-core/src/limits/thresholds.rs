//! What the limits are: Envoy's `CircuitBreakers.Thresholds`, names and defaults.

use super::{Priority, Resource};

/// The value of a limit that never refuses. Envoy: the largest `uint32`.
pub const UNLIMITED: u32 = u32::MAX;

/// The limits of one cluster for one [`Priority`]. Zero is a valid limit and refuses everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Thresholds {
    by_resource: [u32; Resource::ALL.len()],
    host_connections: u32,
}

impl Default for Thresholds {
    /// Envoy's defaults: 1024 connections, pending requests and requests, 3 retries; pools and
    /// connections per host unlimited.
    fn default() -> Self {
        Self { by_resource: [1024, 1024, 1024, 3, UNLIMITED], host_connections: UNLIMITED }
    }
}

impl Thresholds {
    /// No limit at all; a start for tests and for clusters whose limits are elsewhere.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self { by_resource: [UNLIMITED; Resource::ALL.len()], host_connections: UNLIMITED }
    }

    /// The limit of a resource.
    #[must_use]
    pub const fn max(&self, resource: Resource) -> u32 {
        self.by_resource[resource as usize]
    }

    /// The limit of connections to one host. It is compared with the host's connections of both
    /// priorities together, as in Envoy.
    #[must_use]
    pub const fn max_per_host(&self) -> u32 {
        self.host_connections
    }

    /// Limits open and opening connections (`max_connections`, default 1024).
    #[must_use]
    pub const fn max_connections(self, max: u32) -> Self {
        self.with(Resource::Connections, max)
    }

    /// Limits requests that wait for a connection (`max_pending_requests`, default 1024).
    #[must_use]
    pub const fn max_pending_requests(self, max: u32) -> Self {
        self.with(Resource::Pending, max)
    }

    /// Limits requests bound to a connection (`max_requests`, default 1024).
    #[must_use]
    pub const fn max_requests(self, max: u32) -> Self {
        self.with(Resource::Requests, max)
    }

    /// Limits retries in flight (`max_retries`, default 3).
    #[must_use]
    pub const fn max_retries(self, max: u32) -> Self {
        self.with(Resource::Retries, max)
    }

    /// Limits pools (`max_connection_pools`, default [`UNLIMITED`]).
    #[must_use]
    pub const fn max_connection_pools(self, max: u32) -> Self {
        self.with(Resource::Pools, max)
    }

    /// Limits connections to each host (`per_host_thresholds.max_connections`, default
    /// [`UNLIMITED`]).
    #[must_use]
    pub const fn max_connections_per_host(mut self, max: u32) -> Self {
        self.host_connections = max;
        self
    }

    /// Sets the limit of a resource that is known by value only.
    #[must_use]
    pub const fn with(mut self, resource: Resource, max: u32) -> Self {
        self.by_resource[resource as usize] = max;
        self
    }
}

/// The limits of one cluster: [`Thresholds`] for each [`Priority`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Limits {
    by_priority: [Thresholds; Priority::ALL.len()],
}

impl Limits {
    /// The same thresholds for both priorities, each counted on its own.
    #[must_use]
    pub const fn both(thresholds: Thresholds) -> Self {
        Self { by_priority: [thresholds; Priority::ALL.len()] }
    }

    /// Replaces the thresholds of one priority.
    #[must_use]
    pub const fn with(mut self, priority: Priority, thresholds: Thresholds) -> Self {
        self.by_priority[priority as usize] = thresholds;
        self
    }

    /// The thresholds of one priority.
    #[must_use]
    pub const fn thresholds(&self, priority: Priority) -> &Thresholds {
        &self.by_priority[priority as usize]
    }

    /// The limit of one resource at one priority.
    #[must_use]
    pub const fn max(&self, priority: Priority, resource: Resource) -> u32 {
        self.thresholds(priority).max(resource)
    }
}

impl From<Thresholds> for Limits {
    fn from(thresholds: Thresholds) -> Self {
        Self::both(thresholds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_envoys() {
        let limits = Limits::default();
        for priority in Priority::ALL {
            let max = Resource::ALL.map(|resource| limits.max(priority, resource));
            assert_eq!(max, [1024, 1024, 1024, 3, UNLIMITED]);
            assert_eq!(limits.thresholds(priority).max_per_host(), UNLIMITED);
        }
    }

    #[test]
    fn each_setter_sets_its_own_resource_of_its_own_priority() {
        let set = Thresholds::unlimited()
            .max_connections(1)
            .max_pending_requests(2)
            .max_requests(3)
            .max_retries(4)
            .max_connection_pools(5)
            .max_connections_per_host(6);
        let limits = Limits::default().with(Priority::High, set);
        assert_eq!(Resource::ALL.map(|r| limits.max(Priority::High, r)), [1, 2, 3, 4, 5]);
        assert_eq!(limits.thresholds(Priority::High).max_per_host(), 6);
        assert_eq!(*limits.thresholds(Priority::Default), Thresholds::default());
    }
}
