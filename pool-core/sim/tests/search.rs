//! The exhaustive search: the small plans to their end, and that the search itself sees what it is
//! meant to see.

use pool_core::pool::EarlyData;
use pool_core::time::Instant;
use pool_sim::alphabet::Step;
use pool_sim::bench::Bench;
use pool_sim::search::graph::{Arrival, Graph, Left, Queue, Traits};
use pool_sim::search::{Plan, Report, Trouble, key, plans, run};

/// States that a plan of the tests may have.
const MOST: usize = 100_000;

fn searched(plan: &Plan) -> Report {
    match run(plan, MOST, |_| {}) {
        Ok(report) => {
            println!("{:20} {report}", plan.name);
            report
        }
        Err(Trouble::Broken(found)) => panic!("{}", found.story),
        Err(Trouble::TooMany(report)) => panic!("{} is not complete after {report}", plan.name),
    }
}

#[test]
fn every_interleaving_of_the_small_plans_keeps_every_invariant() {
    let plans = plans::small();
    assert!(plans.len() >= 12, "{} plans", plans.len());
    for plan in &plans {
        let report = searched(plan);
        assert!(report.states > 90 && report.ends > 0, "{} hardly does anything: {report}", plan.name);
    }
}

/// A driver that hands in two things before it takes orders gets nowhere that another does not get.
#[test]
fn orders_held_back_lead_to_no_new_state() {
    for (single, pairs) in [("h1-budget", "h1-budget-pairs"), ("retries", "retries-pairs")] {
        let find = |name| plans::named(name).expect("a plan of that name");
        assert_eq!(searched(&find(single)).states, searched(&find(pairs)).states, "{pairs}");
    }
}

#[test]
fn a_plan_that_is_too_large_says_so() {
    let plan = plans::named("h1").expect("there is one");
    assert!(matches!(run(&plan, 10, |_| {}), Err(Trouble::TooMany(report)) if report.states > 10));
}

#[test]
fn plans_have_names_of_their_own() {
    let mut names: Vec<&str> = plans::all().iter().map(|plan| plan.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn two_workers_of_one_host_can_change_places() {
    let plan = plans::named("two-workers").expect("there is one");
    let state = |side| {
        let mut bench = Bench::new(&plan.settings, Instant::ZERO);
        bench.request(side, EarlyData::Unsafe);
        key::of(&bench)
    };
    assert_eq!(state(0), state(1));
    let plan = plans::named("two-hosts-limits").expect("there is one");
    let of_hosts = |side| {
        let mut bench = Bench::new(&plan.settings, Instant::ZERO);
        bench.request(side, EarlyData::Unsafe);
        key::of(&bench)
    };
    assert_ne!(of_hosts(0), of_hosts(1), "pools of two hosts are not alike");
}

// ---- the laws of whole runs ----

const QUIET: Traits = Traits { queue: Queue::Empty, left: Left::Nothing };
const WAITS: Traits = Traits { queue: Queue::SomebodyWaits, left: Left::MayStay };

/// States 0, 1, 2 ... with these traits, and fair steps between them.
fn graph(states: &[Traits], fair: &[(u32, u32)]) -> Graph {
    let mut graph = Graph::default();
    for (number, traits) in (0_u64..).zip(states) {
        assert!(matches!(graph.arrive((number, 0), *traits, None), Arrival::New(_)));
    }
    fair.iter().for_each(|(from, to)| graph.fair_step(*from, *to));
    graph
}

#[test]
fn a_waiter_to_whom_nothing_is_owed_is_found() {
    assert!(graph(&[WAITS, QUIET], &[(0, 1)]).fairness().is_ok());
    let (law, state) = graph(&[QUIET, WAITS], &[(0, 1)]).fairness().expect_err("state 1 is stuck");
    assert!(law.starts_with("24") && state == 1, "{law} {state}");
    let (law, _) = graph(&[WAITS], &[(0, 0)]).fairness().expect_err("a step to itself is none");
    assert!(law.starts_with("24"), "{law}");
}

#[test]
fn a_run_that_never_ends_is_found() {
    let (law, state) =
        graph(&[WAITS, WAITS, QUIET], &[(0, 1), (1, 0), (1, 2)]).fairness().expect_err("0 and 1");
    assert!(law.contains("never ends") && state < 2, "{law} {state}");
}

#[test]
fn what_is_left_at_the_end_is_found() {
    let left = Traits { queue: Queue::Empty, left: Left::MustGo };
    let (law, state) = graph(&[QUIET, left], &[(0, 1)]).fairness().expect_err("state 1 is not empty");
    assert!(law.starts_with("12") && state == 1, "{law} {state}");
}

#[test]
fn a_counterexample_tells_its_story() {
    let plan = plans::named("h1").expect("there is one");
    let mut bench = Bench::new(&plan.settings, Instant::from_millis(1_000));
    let step = plan.alphabet.iter().find(|step| matches!(step, Step::Request { .. })).expect("requests come");
    let turns = pool_sim::search::moves::possible(&plan, &bench);
    let first = turns.iter().find(|turn| turn.steps().any(|(_, taken)| taken == *step)).expect("possible");
    first.take(&mut bench);
    let story = pool_sim::search::story::tell(&plan, "24: nobody comes", &[*first]);
    for part in ["broken: 24: nobody comes", "1. pool 0: Request", "orders Connect", "1 queued", "Connecting"]
    {
        assert!(story.contains(part), "{part:?} in\n{story}");
    }
}
