//! From checked messages to the model, one room per part of the API.
//!
//! Where a value is missing or wrong the problem was noted, and a placeholder stands in for it: the
//! model that comes out is thrown away then.

mod access_log;
mod address;
mod cluster;
mod manager;
mod protocol;
mod route;

use std::collections::HashMap;

use super::model::{Admin, Bootstrap, DrainType, HttpManager, Listener, Node};
use super::schema;
use super::walk::{Choice, Cursor, Fields};

/// Envoy's default of `per_connection_buffer_limit_bytes`.
const BUFFER_LIMIT: u32 = 1 << 20;

pub(super) fn bootstrap(root: &Cursor<'_>) -> Bootstrap {
    let fields = root.message(&schema::BOOTSTRAP);
    let node = fields.message("node", &schema::NODE);
    let node =
        Node { id: node.text("id").unwrap_or_default(), cluster: node.text("cluster").unwrap_or_default() };
    let admin = admin(&fields);
    let Some(resources) = fields.required("static_resources") else {
        return Bootstrap { node, admin, listeners: Vec::new(), clusters: Vec::new() };
    };
    let resources = resources.message(&schema::STATIC_RESOURCES);
    let clusters = cluster::clusters(&resources.list("clusters"));
    let names: Vec<_> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    let listeners = listeners(&resources, &names);
    Bootstrap { node, admin, listeners, clusters }
}

fn admin(bootstrap: &Fields<'_>) -> Option<Admin> {
    let fields = bootstrap.message("admin", &schema::ADMIN);
    let mut access_log = access_log::access_logs(&fields.list("access_log"));
    if let Some(path) = fields.text("access_log_path") {
        access_log.push(access_log::file_with_default_format(path));
    }
    let address = address::listening(&fields.get("address")?);
    Some(Admin { address, access_log })
}

fn listeners(resources: &Fields<'_>, clusters: &[&str]) -> Vec<Listener> {
    let items = match resources.required("listeners") {
        Some(listeners) => {
            let items = listeners.list();
            if items.is_empty() {
                listeners.problem("at least one listener is needed");
            }
            items
        }
        None => Vec::new(),
    };
    let mut names = HashMap::new();
    let mut addresses = HashMap::new();
    let build = |(index, item): (usize, &Cursor<'_>)| {
        let listener = listener(index, item, clusters);
        if let Some(line) = names.insert(listener.name.clone(), item.node.at.line) {
            item.problem(format!("duplicate listener '{}'; first in line {line}", listener.name));
        }
        if listener.address.port() != 0
            && let Some(line) = addresses.insert(listener.address, item.node.at.line)
        {
            item.problem(format!("duplicate address {}; first in line {line}", listener.address));
        }
        listener
    };
    items.iter().enumerate().map(build).collect()
}

fn listener(index: usize, item: &Cursor<'_>, clusters: &[&str]) -> Listener {
    let fields = item.message(&schema::LISTENER);
    let drain_type = fields.get("drain_type").and_then(|drain| {
        drain.choice(&[
            ("DEFAULT", 0, Choice::Take(DrainType::Default)),
            ("MODIFY_ONLY", 1, Choice::Take(DrainType::ModifyOnly)),
        ])
    });
    Listener {
        name: fields.text("name").unwrap_or_else(|| format!("listener_{index}")),
        address: fields.required("address").map_or(address::NOWHERE, |address| address::listening(&address)),
        reuse_port: fields.bool("enable_reuse_port").unwrap_or(true),
        backlog: fields.number("tcp_backlog_size", 1, i32::MAX.unsigned_abs()).unwrap_or(1024),
        buffer_limit: buffer_limit(&fields),
        drain_type: drain_type.unwrap_or(DrainType::Default),
        manager: filter_chain(&fields, clusters),
    }
}

fn buffer_limit(fields: &Fields<'_>) -> usize {
    let limit = fields.number("per_connection_buffer_limit_bytes", 1, u32::MAX).unwrap_or(BUFFER_LIMIT);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// The one filter of the one filter chain.
fn filter_chain(listener: &Fields<'_>, clusters: &[&str]) -> HttpManager {
    let chains = listener.required("filter_chains").map(|chains| (chains.list(), chains));
    let Some((chains, list)) = chains else { return manager::placeholder() };
    if chains.len() != 1 {
        list.problem(format!("exactly one filter chain is needed, found {}", chains.len()));
    }
    let mut managers: Vec<_> = chains.iter().map(|chain| filters(chain, clusters)).collect();
    managers.pop().unwrap_or_else(manager::placeholder)
}

fn filters(chain: &Cursor<'_>, clusters: &[&str]) -> HttpManager {
    let fields = chain.message(&schema::FILTER_CHAIN);
    let _label = fields.text("name");
    let Some(list) = fields.required("filters") else { return manager::placeholder() };
    let filters = list.list();
    if filters.is_empty() {
        list.problem("a filter chain ends with envoy.filters.network.http_connection_manager");
    }
    let mut manager = None;
    for filter in &filters {
        let fields = filter.message(&schema::FILTER);
        let _label = fields.text("name");
        let Some(config) = fields.required("typed_config") else { continue };
        match config.type_name() {
            Some(name) if name == schema::HTTP_MANAGER.name && manager.is_none() => {
                manager = Some(manager::manager(&config, clusters));
            }
            Some(name) if name == schema::HTTP_MANAGER.name => {
                config.problem("a second connection manager; nothing may follow the first");
            }
            Some(name) => config.problem(format!(
                "'{name}' is not supported; the only filter is {}",
                schema::HTTP_MANAGER.name
            )),
            None => {}
        }
    }
    manager.unwrap_or_else(manager::placeholder)
}
