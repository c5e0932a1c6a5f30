//! What is played.

use std::time::Duration;

/// One load on the proxy, for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) load: Load,
    pub(super) length: Duration,
    pub(super) hosts: Hosts,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    /// So many clients, each of which sends its next request when the last one is answered.
    Loop(usize),
    /// So many requests at once; again, when all are answered and a pause is over.
    Bursts(usize),
}

/// What the hosts of the upstream do meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    /// They serve.
    Stay,
    /// The second one goes away after a fifth of the act, and is back after four fifths.
    SecondLeaves,
}

/// How many acts there are.
pub(super) const COUNT: usize = 5;

/// All of them take ten seconds.
pub(super) const ACTS: [Act; COUNT] = [
    Act {
        name: "steady",
        about: "8 clients, each one request at a time",
        load: Load::Loop(8),
        length: Duration::from_millis(2000),
        hosts: Hosts::Stay,
    },
    Act {
        name: "crowded",
        about: "32 clients for 16 connections: they queue",
        load: Load::Loop(32),
        length: Duration::from_millis(2000),
        hosts: Hosts::Stay,
    },
    Act {
        name: "bursts",
        about: "100 slow requests at once, several times",
        load: Load::Bursts(100),
        length: Duration::from_millis(2000),
        hosts: Hosts::Stay,
    },
    Act {
        name: "outage",
        about: "8 clients; one of two hosts goes away",
        load: Load::Loop(8),
        length: Duration::from_millis(2000),
        hosts: Hosts::SecondLeaves,
    },
    Act {
        name: "after",
        about: "8 clients; both hosts are there again",
        load: Load::Loop(8),
        length: Duration::from_millis(2000),
        hosts: Hosts::Stay,
    },
];
