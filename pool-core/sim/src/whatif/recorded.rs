//! What recordings say about the world: who came when, how long things took, what peers did.

use core::time::Duration;
use std::collections::BTreeMap;

use pool_core::limits::Priority;
use pool_core::pool::DrainMode;
use pool_core::report::{ClosedBy, StreamEnd};
use pool_core::time::Instant;
use pool_core::trace::history::{ConnectionLife, ExchangeLife, What};
use pool_core::trace::{Event, History, Replay, Step};

use super::WhatIfError;
use crate::workload::engine::{Group, How, NEVER, Place, Wish};
use crate::workload::settings::Settings;

/// How an exchange went: how long it took, and how it ended.
pub(super) type Sample = (Duration, How);

/// A request in a recording.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) at: Instant,
    pub(super) place: u32,
    pub(super) gives_up: Instant,
    pub(super) attempts: Vec<Option<Sample>>,
    pub(super) asked: Vec<Instant>,
}

/// What came of a recorded attempt at a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialled {
    Up(Duration),
    Refused(Duration),
    Silent,
}

/// What is known of one host.
#[derive(Clone, Debug, Default)]
pub(super) struct HostFacts {
    pub(super) exchanges: Vec<Sample>,
    /// In the order of time.
    pub(super) dials: Vec<(Instant, Dialled)>,
    /// Lengths of idle times, and whether the peer ended them.
    pub(super) idle: Vec<(Duration, bool)>,
}

/// All workers' recordings, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) seeds: Vec<u64>,
    pub(super) groups: Vec<Group>,
    pub(super) recorded_groups: Vec<Group>,
    pub(super) places: Vec<Place>,
    /// By place.
    pub(super) host_of: Vec<usize>,
    pub(super) hosts: Vec<HostFacts>,
    /// By worker and life of a pool.
    pub(super) place_of: Vec<Vec<u32>>,
    /// By worker and cluster in the order of adding: a place of it.
    pub(super) cluster_place: Vec<Vec<Option<u32>>>,
    pub(super) requests: Vec<Recorded>,
    /// By worker: the key of a request's number.
    pub(super) keys: Vec<BTreeMap<u64, u64>>,
    pub(super) idle_at: BTreeMap<(u32, u64), (Duration, bool)>,
    /// By worker, in order.
    pub(super) wishes: Vec<Vec<(Instant, Wish)>>,
    pub(super) span: (Instant, Instant),
    pub(super) notes: Vec<String>,
}

impl Facts {
    pub(super) fn read(files: &[&[u8]], settings: &Settings) -> Result<Self, WhatIfError> {
        let mut facts = Self::default();
        let mut histories = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let history = History::of(file).map_err(WhatIfError::Log)?;
            if let Err(error) = &history.end {
                facts.notes.push(format!("recording {number} is followed to where it ends: {error}"));
            }
            histories.push(history);
        }
        facts.name_places(&histories, settings)?;
        for (worker, history) in histories.iter().enumerate() {
            facts.seeds.push(history.header.seed);
            facts.read_connections(worker, history);
        }
        for (worker, history) in histories.iter().enumerate() {
            facts.read_requests(worker, history);
            facts.read_wishes(worker, files[worker])?;
        }
        let begin = histories.iter().map(|history| history.span.0).min().unwrap_or_default();
        let end = histories.iter().map(|history| history.span.1).max().unwrap_or_default();
        facts.span = (begin, end);
        for host in &mut facts.hosts {
            host.dials.sort_by_key(|(at, _)| *at);
        }
        Ok(facts)
    }

    /// Tells clusters, hosts and places apart. A cluster that ever had several hosts at a time shares its
    /// breakers among them; one that has a single host is the origin of a URL, with breakers of its own.
    fn name_places(&mut self, histories: &[History], settings: &Settings) -> Result<(), WhatIfError> {
        let mut labels: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
        let mut named: Vec<&str> = Vec::new();
        for (worker, history) in histories.iter().enumerate() {
            for pool in &history.pools {
                let Some(cluster) = pool.cluster else { continue };
                let labels = labels.entry((worker, cluster)).or_default();
                labels.push(&pool.label);
                if labels.iter().any(|label| *label != pool.label) {
                    named.push(&history.clusters[cluster].name);
                }
            }
        }
        let mut groups: BTreeMap<(String, Option<String>), u32> = BTreeMap::new();
        let mut hosts: BTreeMap<(u32, String), usize> = BTreeMap::new();
        for (worker, history) in histories.iter().enumerate() {
            let mut homes: BTreeMap<u32, u32> = BTreeMap::new();
            let mut home_count = 0;
            let mut taken: Vec<(u32, Priority, &str, u32, Option<Instant>)> = Vec::new();
            let mut place_of = Vec::new();
            let mut cluster_place = vec![None; history.clusters.len()];
            for pool in &history.pools {
                let Some(cluster) = pool.cluster else {
                    place_of.push(0);
                    continue;
                };
                let settings_of = &history.clusters[cluster];
                let is_named = named.contains(&settings_of.name.as_str());
                let key = (settings_of.name.clone(), (!is_named).then(|| pool.label.clone()));
                let group = *groups.entry(key).or_insert_with(|| {
                    self.recorded_groups.push(Group {
                        name: settings_of.name.clone(),
                        pool: settings_of.pool.clone(),
                        limits: settings_of.limits,
                        limits_retries: is_named,
                    });
                    (self.recorded_groups.len() - 1) as u32
                });
                let next_host = hosts.len();
                let host = *hosts.entry((group, pool.label.clone())).or_insert(next_host);
                let free = taken.iter_mut().find(|(g, p, label, _, gone)| {
                    (*g, *p, *label) == (group, pool.priority, pool.label.as_str())
                        && gone.is_some_and(|gone| gone <= pool.made_at)
                });
                let place = if let Some(free) = free {
                    free.4 = pool.gone_at;
                    free.3
                } else {
                    let place = self.places.len() as u32;
                    let mut new_home = || {
                        home_count += 1;
                        home_count - 1
                    };
                    let home =
                        if is_named { *homes.entry(group).or_insert_with(new_home) } else { new_home() };
                    let (worker, host_id) = (worker as u32, host as u32);
                    self.places.push(Place { worker, group, home, host: host_id, priority: pool.priority });
                    self.host_of.push(host);
                    taken.push((group, pool.priority, &pool.label, place, pool.gone_at));
                    place
                };
                cluster_place[cluster].get_or_insert(place);
                place_of.push(place);
            }
            self.place_of.push(place_of);
            self.cluster_place.push(cluster_place);
        }
        self.hosts = vec![HostFacts::default(); hosts.len()];
        let names: Vec<&str> =
            histories.iter().flat_map(|history| &history.clusters).map(|one| one.name.as_str()).collect();
        settings.check_clusters(names.iter().copied()).map_err(WhatIfError::Setting)?;
        for group in &self.recorded_groups {
            let (pool, limits) =
                settings.apply(&group.name, &group.pool, &group.limits).map_err(WhatIfError::Setting)?;
            self.groups.push(Group { pool, limits, ..group.clone() });
        }
        Ok(())
    }

    fn read_connections(&mut self, worker: usize, history: &History) {
        for conn in &history.connections {
            let Some(&place) = self.place_of[worker].get(conn.pool) else { continue };
            let Some(&host) = self.host_of.get(place as usize) else { continue };
            let host = &mut self.hosts[host];
            if let Some(up) = conn.connected_at {
                host.dials.push((conn.ordered_at, Dialled::Up(up.since(conn.ordered_at))));
            } else if conn.close_ordered.is_some() {
                host.dials.push((conn.ordered_at, Dialled::Silent));
            } else if let Some((at, _)) = conn.closed {
                host.dials.push((conn.ordered_at, Dialled::Refused(at.since(conn.ordered_at))));
            }
            let Some(mut idle_since) = conn.connected_at else { continue };
            let mut exchanges = conn.exchanges.iter();
            loop {
                let next = exchanges.next();
                let (until, by_peer) = match (next, conn.close_ordered, conn.closed) {
                    (Some(exchange), ..) => (exchange.from, false),
                    (None, Some((at, _)), _) => (at, false),
                    (None, None, Some((at, by))) => (at, by == ClosedBy::Remote),
                    (None, None, None) => (history.span.1, false),
                };
                let idle = (until.since(idle_since), by_peer);
                host.idle.push(idle);
                self.idle_at.insert((place, idle_since.as_nanos()), idle);
                match next.and_then(|exchange| exchange.ended) {
                    Some((at, StreamEnd::Complete)) => idle_since = at,
                    _ => break,
                }
            }
        }
    }

    fn read_requests(&mut self, worker: usize, history: &History) {
        let mut attempts: Vec<Vec<(Instant, Option<Sample>)>> = vec![Vec::new(); history.requests.len()];
        for conn in &history.connections {
            for exchange in &conn.exchanges {
                let sample = sample(history, conn, exchange);
                attempts[exchange.request].push((exchange.from, sample));
                if let (Some(sample), Some(&place)) = (sample, self.place_of[worker].get(conn.pool)) {
                    let host = self.host_of[place as usize];
                    self.hosts[host].exchanges.push(sample);
                }
            }
        }
        let mut keys = BTreeMap::new();
        for (request, mut attempts) in history.requests.iter().zip(attempts) {
            attempts.sort_by_key(|(from, _)| *from);
            let mut asked = Vec::new();
            let mut place = None;
            let mut gives_up = NEVER;
            for chapter in &request.chapters {
                match &chapter.what {
                    What::Asked { pool, .. } => {
                        place = place.or(self.place_of[worker].get(*pool).copied());
                        asked.push(chapter.at);
                    }
                    What::Cancelled => gives_up = chapter.at,
                    _ => {}
                }
            }
            let (Some(place), Some(&at)) = (place, asked.first()) else { continue };
            keys.insert(request.number, self.requests.len() as u64);
            let attempts = attempts.into_iter().map(|(_, sample)| sample).collect();
            self.requests.push(Recorded { at, place, gives_up, attempts, asked });
        }
        self.keys.push(keys);
    }

    /// What the owner of the pools wished. Connections taken out of service one by one are not carried
    /// over: another run has others.
    fn read_wishes(&mut self, worker: usize, file: &[u8]) -> Result<(), WhatIfError> {
        let mut replay = Replay::new(file).map_err(WhatIfError::Log)?;
        let mut at_id = BTreeMap::new();
        let mut wishes = Vec::new();
        let mut made_count = 0;
        while let Ok(Some(event)) = replay.next_event() {
            let Event::Step { entry, made, .. } = event else { continue };
            if let Some(id) = made {
                at_id.insert(id, self.place_of[worker].get(made_count).copied().unwrap_or(0));
                made_count += 1;
            }
            let wish = |pool, mode: Option<DrainMode>| {
                let place = *at_id.get(pool)?;
                Some(mode.map_or(Wish::Abort(place), |mode| Wish::Drain(place, mode)))
            };
            let wish = match &entry.step {
                Step::Drain { pool, mode } => wish(pool, Some(*mode)),
                Step::Abort { pool } => wish(pool, None),
                _ => None,
            };
            wishes.extend(wish.map(|wish| (entry.now, wish)));
        }
        self.wishes.push(wishes);
        Ok(())
    }
}

/// How an exchange went, if its end is known.
fn sample(history: &History, conn: &ConnectionLife, exchange: &ExchangeLife) -> Option<Sample> {
    let (at, end) = exchange.ended?;
    let chapters = &history.requests.get(exchange.request)?.chapters;
    let begun = chapters
        .iter()
        .position(|chapter| chapter.at == exchange.from && matches!(chapter.what, What::Bound { .. }));
    let after = &chapters[begun? + 1..];
    let own = after.iter().take_while(|chapter| !matches!(chapter.what, What::Bound { .. }));
    let mut told = false;
    let mut broke = false;
    for chapter in own {
        told |= matches!(chapter.what, What::Ended(_));
        broke |= matches!(chapter.what, What::Broke { .. });
    }
    let died = !told && conn.closed.is_some_and(|(closed, _)| closed == at);
    let how = if broke || died { How::Breaks } else { How::Stream(end) };
    Some((at.since(exchange.from), how))
}
