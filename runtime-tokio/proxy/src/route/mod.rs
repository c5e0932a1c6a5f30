//! Which route a request takes: its virtual host by `Host`, then the first route that matches its path.
//!
//! Envoy's rules (`VirtualHost.domains`, `RouteMatch`). Domains are compared without regard to case and
//! with the authority as it came, port included: exact names first, then the longest `*suffix`, the
//! longest `prefix*`, and `*`. A star stands for at least one character. A virtual host is decided on
//! before any path is looked at: if none of its routes matches, no other virtual host is asked.

mod domains;
mod path;
#[cfg(test)]
mod tests;

pub use path::rewrite;

use crate::config::model::{Route, RouteConfig, RouteMatch, VirtualHost};
use domains::Domains;

/// The routes of a connection manager, prepared for look-ups that allocate nothing. `T` is what the
/// user wants to know of a route.
#[derive(Clone, Debug)]
pub struct Routes<T> {
    domains: Domains,
    hosts: Vec<Vec<(RouteMatch, T)>>,
}

/// Names a route of a [`Routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteId {
    host: u32,
    route: u32,
}

impl<T> Routes<T> {
    /// Prepares a checked configuration; `prepare` makes of each route what [`Routes::get`] gives.
    pub fn new(config: &RouteConfig, mut prepare: impl FnMut(&VirtualHost, &Route) -> T) -> Self {
        let domains = Domains::new(config.virtual_hosts.iter().map(|host| host.domains.as_slice()));
        let mut of_host = |host: &VirtualHost| {
            let routes = host.routes.iter();
            routes.map(|route| (route.matches.clone(), prepare(host, route))).collect()
        };
        let hosts = config.virtual_hosts.iter().map(&mut of_host).collect();
        Self { domains, hosts }
    }

    /// The route of a request to `authority` (the `Host` field, or the authority of the request target)
    /// and `path`, which has no query. The authority is asked for only if anything depends on it.
    pub fn find<'a>(&self, authority: impl FnOnce() -> &'a [u8], path: &str) -> Option<RouteId> {
        let host = self.domains.find(authority)?;
        let routes = self.hosts.get(host)?;
        let route = routes.iter().position(|(matches, _)| path::matches(matches, path))?;
        Some(RouteId { host: u32::try_from(host).ok()?, route: u32::try_from(route).ok()? })
    }

    /// What was prepared for the route of this name.
    #[must_use]
    pub fn get(&self, id: RouteId) -> Option<&T> {
        let (_, prepared) = self.hosts.get(id.host as usize)?.get(id.route as usize)?;
        Some(prepared)
    }
}
