//! The command line.

use crate::cases::{Bench, CaseRun};
use crate::error::{Error, Result};
use crate::proxy::Serve;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
pool-bench: what HTTP connection pools cost, ours and the field's, in one run

usage: pool-bench <micro|client|idle|proxy|all> [options]
       pool-bench origin [--core N]        the loopback server; ends with its standard input
       pool-bench serve <floor|hyper|pingora> <listen> <origin>   a proxy; ends likewise

options:
  --quick             fewer and shorter cases, one round: a check that all of it runs
  --rounds N          interleaved rounds, of which the median counts (default 3)
  --peers A,B         only these peers
  --cases WORDS       only cases whose title contains WORDS, such as \"body=100 \" or \"keys=100 \"
  --no-exact          leave out instructions, system calls and allocations
  --no-timed          leave out everything but those

Prints one JSON line per case and peer, then tables with ratios to the best peer. Floors are the
least code that does the job, without policy; they are no peers. Peers need the cargo features
`peers` (light) and `heavy-peers` (minutes; pingora-core needs cmake).";

/// What to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Bench(Plan),
    Origin(Origin),
    Serve(Serve),
    /// Inside a measured process.
    Case(CaseRun),
}

/// Which benchmarks, how often and how exactly.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) benches: Vec<Bench>,
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    /// Only these peers; empty means all that were compiled in.
    pub(crate) peers: Vec<String>,
    /// Only cases whose title contains this.
    pub(crate) cases: String,
    /// Take CPU, latency and memory.
    pub(crate) timed: bool,
    /// Take instructions, system calls and allocations.
    pub(crate) exact: bool,
}

/// How to run the loopback server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The core to pin it to; `None` leaves it to the system.
    pub(crate) core: Option<usize>,
}

/// Reads the arguments that follow the program's own name.
///
/// # Errors
/// Says which argument is unknown, lacks its value or has a wrong one.
pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command> {
    let Some(first) = arguments.next() else { return Ok(Command::Help) };
    match first.as_str() {
        "--help" | "-h" | "help" => Ok(Command::Help),
        "origin" => origin(arguments).map(Command::Origin),
        "serve" => serve(arguments).map(Command::Serve),
        "case" => CaseRun::parse(&arguments.collect::<Vec<_>>()).map(Command::Case),
        "all" => plan(Bench::ALL.to_vec(), arguments).map(Command::Bench),
        name => match Bench::named(name) {
            Some(bench) => plan(vec![bench], arguments).map(Command::Bench),
            None => Err(Error::new(format!("no command {name}; see --help"))),
        },
    }
}

fn plan(benches: Vec<Bench>, mut arguments: impl Iterator<Item = String>) -> Result<Plan> {
    let mut rounds = None;
    let mut plan = Plan {
        benches,
        quick: false,
        rounds: 3,
        peers: Vec::new(),
        cases: String::new(),
        timed: true,
        exact: true,
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => plan.quick = true,
            "--rounds" => rounds = Some(number(&argument, arguments.next())?),
            "--peers" => {
                plan.peers = value(&argument, arguments.next())?.split(',').map(str::to_owned).collect();
            }
            "--cases" => plan.cases = value(&argument, arguments.next())?,
            "--no-exact" => plan.exact = false,
            "--no-timed" => plan.timed = false,
            other => return Err(Error::new(format!("no option {other}; see --help"))),
        }
    }
    plan.rounds = match rounds {
        Some(0) => return Err(Error::new("--rounds 0 measures nothing")),
        Some(rounds) => rounds,
        None if plan.quick => 1,
        None => plan.rounds,
    };
    Ok(plan)
}

fn origin(mut arguments: impl Iterator<Item = String>) -> Result<Origin> {
    let mut origin = Origin { core: None };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--core" => origin.core = Some(number(&argument, arguments.next())?),
            other => return Err(Error::new(format!("origin: no option {other}; see --help"))),
        }
    }
    Ok(origin)
}

fn serve(mut arguments: impl Iterator<Item = String>) -> Result<Serve> {
    let mut word = |name: &str| arguments.next().ok_or_else(|| Error::new(format!("serve: which {name}?")));
    let (peer, listen, origin) = (word("proxy")?, word("address")?, word("origin")?);
    Ok(Serve { peer, listen: listen.parse()?, origin: origin.parse()? })
}

fn value(option: &str, value: Option<String>) -> Result<String> {
    value.ok_or_else(|| Error::new(format!("{option} needs a value")))
}

fn number(option: &str, text: Option<String>) -> Result<usize> {
    let text = value(option, text)?;
    text.parse().map_err(|_| Error::new(format!("{option}: {text} is no number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> std::result::Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned)).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_three_rounds_of_everything() {
        let plan = Plan {
            benches: vec![Bench::Client],
            quick: false,
            rounds: 3,
            peers: vec![],
            cases: String::new(),
            timed: true,
            exact: true,
        };
        assert_eq!(parsed("client"), Ok(Command::Bench(plan.clone())));
        let all = Plan { benches: Bench::ALL.to_vec(), ..plan };
        assert_eq!(parsed("all"), Ok(Command::Bench(all)));
    }

    #[test]
    fn options_are_read_in_any_order() {
        let Ok(Command::Bench(plan)) = parsed("micro --peers ours,floor --quick --cases keys=100 --no-exact")
        else {
            panic!("not a plan");
        };
        assert_eq!((plan.quick, plan.rounds, plan.exact, plan.timed), (true, 1, false, true));
        assert_eq!(plan.peers, ["ours", "floor"]);
        assert_eq!(plan.cases, "keys=100");
        let Ok(Command::Bench(plan)) = parsed("micro --rounds 5 --quick") else { panic!("not a plan") };
        assert_eq!(plan.rounds, 5);
    }

    #[test]
    fn wrong_arguments_are_told_by_name() {
        assert_eq!(parsed("dance"), Err("no command dance; see --help".to_owned()));
        assert_eq!(parsed("micro --slow"), Err("no option --slow; see --help".to_owned()));
        assert_eq!(parsed("micro --rounds"), Err("--rounds needs a value".to_owned()));
        assert_eq!(parsed("micro --rounds x"), Err("--rounds: x is no number".to_owned()));
        assert_eq!(parsed("micro --rounds 0"), Err("--rounds 0 measures nothing".to_owned()));
        assert_eq!(parsed("serve floor"), Err("serve: which address?".to_owned()));
        assert_eq!(parsed("origin --core"), Err("--core needs a value".to_owned()));
    }

    #[test]
    fn nothing_asks_for_help_and_origin_takes_a_core() {
        assert_eq!(parsed(""), Ok(Command::Help));
        assert_eq!(parsed("origin --core 1"), Ok(Command::Origin(Origin { core: Some(1) })));
    }
}
