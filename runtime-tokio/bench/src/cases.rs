//! What is measured: the list of cases, and one case in words that a child process understands.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use crate::error::{Error, Result};

/// Which of the benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    Micro,
    Client,
    Idle,
    Proxy,
}

impl Bench {
    pub(crate) const ALL: [Self; 4] = [Self::Micro, Self::Client, Self::Idle, Self::Proxy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Micro => "micro",
            Self::Client => "client",
            Self::Idle => "idle",
            Self::Proxy => "proxy",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bench| bench.name() == name)
    }

    /// The figure that ratios are taken of.
    pub(crate) fn main_figure(self) -> &'static str {
        match self {
            Self::Micro | Self::Client | Self::Proxy => "cpu_us",
            Self::Idle => "heap_b",
        }
    }
}

/// In which order a micro-benchmark visits its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Every key in turn, a fixed stride apart.
    Strided,
    /// Keys drawn at random, seeded.
    Random,
    /// Half of the connections are in use all the time; a random one is released and its key
    /// acquired again, so that random connections are touched and not always the last one.
    Churn,
}

impl Pattern {
    const ALL: [Self; 3] = [Self::Strided, Self::Random, Self::Churn];

    fn name(self) -> &'static str {
        match self {
            Self::Strided => "strided",
            Self::Random => "random",
            Self::Churn => "churn",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pattern| pattern.name() == name)
    }
}

/// What happens in a queue of waiting requests, once per operation. The queue keeps its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The pool's one connection comes free and serves the first; a new request joins the end.
    Serve,
    /// A random one is cancelled; a new request joins the end.
    Cancel,
}

impl Turn {
    const ALL: [Self; 2] = [Self::Serve, Self::Cancel];

    fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Cancel => "cancel",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|turn| turn.name() == name)
    }
}

/// The shape of a load, without the peer that meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Acquire and release on `threads` threads over `keys` keys that share `connections`.
    Micro { keys: usize, connections: usize, threads: usize, pattern: Pattern },
    /// One pool with one connection, for which `waiters` requests wait. Only our pool has a queue that
    /// can be driven without a runtime.
    Queue { waiters: usize, turn: Turn },
    /// GET with a body of `body` bytes in the response, `concurrency` requests in flight.
    Client { body: usize, concurrency: usize },
    /// `connections` idle connections.
    Idle { connections: usize },
    /// GET through an HTTP/1.1 proxy with a body of `body` bytes in the response, `concurrency` requests
    /// in flight, each on a connection of its own.
    Proxy { body: usize, concurrency: usize },
}

impl Load {
    pub(crate) fn bench(self) -> Bench {
        match self {
            Self::Micro { .. } | Self::Queue { .. } => Bench::Micro,
            Self::Client { .. } => Bench::Client,
            Self::Idle { .. } => Bench::Idle,
            Self::Proxy { .. } => Bench::Proxy,
        }
    }
}

/// The words of a load, which are also its title.
impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Micro { keys, connections, threads, pattern } => {
                let pattern = pattern.name();
                write!(f, "keys={keys} connections={connections} threads={threads} pattern={pattern}")
            }
            Self::Queue { waiters, turn } => write!(f, "waiters={waiters} turn={}", turn.name()),
            Self::Client { body, concurrency } | Self::Proxy { body, concurrency } => {
                write!(f, "body={body} concurrency={concurrency}")
            }
            Self::Idle { connections } => write!(f, "connections={connections}"),
        }
    }
}

/// A load with the number of operations that measure it well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) load: Load,
    /// Operations of a timed run.
    pub(crate) operations: u64,
}

/// The cases of a benchmark; `quick` ones are fewer and shorter, for a check that all of it still runs.
pub(crate) fn of(bench: Bench, quick: bool) -> Vec<Case> {
    match bench {
        Bench::Micro => micro(quick),
        Bench::Client => client(quick),
        Bench::Idle => {
            let connections = if quick { 200 } else { 1000 };
            vec![Case { load: Load::Idle { connections }, operations: 1 }]
        }
        Bench::Proxy => proxy(quick),
    }
}

fn micro(quick: bool) -> Vec<Case> {
    use Pattern::{Churn, Random, Strided};
    let shapes: &[(usize, usize, usize, Pattern)] = if quick {
        &[(100, 400, 1, Strided), (100, 400, 2, Random)]
    } else {
        &[
            (1, 1, 1, Strided),
            (1, 4, 1, Strided),
            (1, 1_000, 1, Churn),
            (1, 100_000, 1, Churn),
            (100, 400, 1, Strided),
            (100, 400, 1, Random),
            (10_000, 40_000, 1, Strided),
            (10_000, 40_000, 1, Random),
            (10_000, 100_000, 1, Random),
            (1, 8, 2, Strided),
            (100, 400, 2, Random),
            (10_000, 40_000, 2, Random),
        ]
    };
    let operations = if quick { 200_000 } else { 2_000_000 };
    let case = |&(keys, connections, threads, pattern)| Case {
        load: Load::Micro { keys, connections, threads, pattern },
        operations,
    };
    let lengths: &[usize] = if quick { &[1_000] } else { &[1, 1_000, 100_000] };
    let queues = Turn::ALL.into_iter().flat_map(|turn| {
        lengths.iter().map(move |&waiters| Case { load: Load::Queue { waiters, turn }, operations })
    });
    shapes.iter().map(case).chain(queues).collect()
}

fn client(quick: bool) -> Vec<Case> {
    let shapes: &[(usize, usize, u64)] = if quick {
        &[(100, 64, 5_000)]
    } else {
        &[(100, 64, 200_000), (16_384, 64, 100_000), (100, 1, 15_000), (16_384, 1, 15_000)]
    };
    let case =
        |&(body, concurrency, operations)| Case { load: Load::Client { body, concurrency }, operations };
    shapes.iter().map(case).collect()
}

fn proxy(quick: bool) -> Vec<Case> {
    let shapes: &[(usize, u64)] = if quick { &[(100, 5_000)] } else { &[(100, 200_000), (16_384, 100_000)] };
    let case = |&(body, operations)| Case { load: Load::Proxy { body, concurrency: 64 }, operations };
    shapes.iter().map(case).collect()
}

/// One run of one peer, as the measuring process hands it to the measured one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaseRun {
    pub(crate) load: Load,
    pub(crate) peer: String,
    pub(crate) operations: u64,
    /// Where the requests go, which is the origin or a proxy; `micro` sends none.
    pub(crate) origin: Option<SocketAddr>,
    /// The process whose CPU counts, where it is not the one that runs the case.
    pub(crate) measured: Option<u32>,
}

impl CaseRun {
    /// The arguments after `case` that [`CaseRun::parse`] understands.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec![self.load.bench().name().to_owned()];
        words.extend(self.load.to_string().split(' ').map(str::to_owned));
        words.push(format!("peer={}", self.peer));
        words.push(format!("operations={}", self.operations));
        words.extend(self.origin.map(|origin| format!("origin={origin}")));
        words.extend(self.measured.map(|process| format!("measured={process}")));
        words
    }

    /// Reads the words of [`CaseRun::words`].
    ///
    /// # Errors
    /// Names the word that is missing or wrong.
    pub(crate) fn parse(words: &[String]) -> Result<Self> {
        let (bench, words) = words.split_first().ok_or_else(|| Error::new("case: which benchmark?"))?;
        let words: BTreeMap<&str, &str> = words.iter().filter_map(|word| word.split_once('=')).collect();
        let word = |name: &str| {
            words.get(name).copied().ok_or_else(|| Error::new(format!("case {bench}: {name}= is missing")))
        };
        let number = |name: &str| -> Result<usize> {
            word(name)?.parse().map_err(|_| Error::new(format!("case {bench}: {name}= is no number")))
        };
        let load = match Bench::named(bench) {
            Some(Bench::Micro) if words.contains_key("waiters") => Load::Queue {
                waiters: number("waiters")?,
                turn: Turn::named(word("turn")?).ok_or_else(|| Error::new("case micro: turn= is unknown"))?,
            },
            Some(Bench::Micro) => Load::Micro {
                keys: number("keys")?,
                connections: number("connections")?,
                threads: number("threads")?,
                pattern: Pattern::named(word("pattern")?)
                    .ok_or_else(|| Error::new("case micro: pattern= is unknown"))?,
            },
            Some(Bench::Client) => {
                Load::Client { body: number("body")?, concurrency: number("concurrency")? }
            }
            Some(Bench::Idle) => Load::Idle { connections: number("connections")? },
            Some(Bench::Proxy) => Load::Proxy { body: number("body")?, concurrency: number("concurrency")? },
            None => return Err(Error::new(format!("case: no benchmark {bench}"))),
        };
        let origin = match words.get("origin") {
            Some(address) => Some(address.parse()?),
            None => None,
        };
        let measured = words.get("measured").map(|process| process.parse()).transpose()?;
        let operations = number("operations")? as u64;
        Ok(Self { load, peer: word("peer")?.to_owned(), operations, origin, measured })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_survives_the_way_to_its_process() {
        for quick in [false, true] {
            for case in Bench::ALL.into_iter().flat_map(|bench| of(bench, quick)) {
                let run = CaseRun {
                    load: case.load,
                    peer: "floor".to_owned(),
                    operations: case.operations,
                    origin: "127.0.0.1:8080".parse().ok(),
                    measured: Some(7),
                };
                assert_eq!(CaseRun::parse(&run.words()).map_err(|error| error.to_string()), Ok(run));
            }
        }
    }

    #[test]
    fn a_wrong_case_is_told_by_name() {
        let refused = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            CaseRun::parse(&words).map_err(|error| error.to_string())
        };
        assert_eq!(refused("client body=1 peer=x"), Err("case client: concurrency= is missing".to_owned()));
        assert_eq!(refused("idle connections=x"), Err("case idle: connections= is no number".to_owned()));
        assert_eq!(refused("dance peer=x"), Err("case: no benchmark dance".to_owned()));
    }

    #[test]
    fn churn_never_exhausts_a_pool() {
        for case in of(Bench::Micro, false) {
            if let Load::Micro { keys, connections, pattern: Pattern::Churn, .. } = case.load {
                assert!(connections / keys >= 2, "{}", case.load);
            }
        }
    }
}
