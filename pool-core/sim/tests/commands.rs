//! The commands: what they print, and what they refuse.

use pool_sim::whatif::command::what_if;
use pool_sim::workload::command::simulate;

fn run(line: &str) -> Result<String, String> {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let mut out = String::new();
    simulate(&args, &mut out).map(|()| out)
}

#[test]
fn a_sweep_advises_the_smallest_limit_that_does() {
    let line = "--rate 2000 --rtt 20ms --service exponential:10ms --requests 50000 --goal 5ms";
    let text = run(&format!("{line} --sweep max_connections=40..320")).expect("a sweep");
    // 2 000 per second for 30 ms each.
    assert!(text.contains("60.0 connections are in use at a time (Little's law)"), "{text}");
    assert!(text.contains("max_connections=80 is the cheapest"), "{text}");
    assert!(text.lines().filter(|line| line.contains('#')).count() >= 1, "{text}");
    let none = run(&format!("{line} --sweep max_connections=20,40")).expect("a sweep");
    assert!(none.contains("None of these values keeps p99"), "{none}");
}

#[test]
fn a_plot_is_well_formed_and_carries_all_it_needs() {
    let svg = run("--requests 5000 --sweep max_connections=5,20 --format svg").expect("a plot");
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
    for needed in ["prefers-color-scheme:dark", "milliseconds, logarithmic", "max_connections (connections)"]
    {
        assert!(svg.contains(needed), "{needed}");
    }
    assert!(!svg.contains("href") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert_eq!((svg.matches("<polyline").count(), svg.matches("<circle").count()), (3, 6));
}

#[test]
fn json_has_the_books() {
    let json = run("--requests 2000 --format json").expect("a run");
    assert!(json.contains("\"requests\":2000,\"ended\":{\"answered\":2000,"), "{json}");
    assert_eq!(json.matches('{').count(), json.matches('}').count());
}

#[test]
fn mistakes_are_explained() {
    let words = |line: &str| run(line).expect_err(line);
    assert!(words("--rat 5").contains("did you mean `--rate`"));
    assert!(words("--rate").contains("wants a value"));
    assert!(words("--rate 0").contains("more than zero"));
    assert!(words("--service weird:1").contains("lognormal"));
    assert!(words("--set max_conections=1").contains("did you mean `max_connections`"));
    assert!(words("--set idle_timeout=soon").contains("250ms"));
    assert!(words("--sweep max_connections=8..4").contains("the larger one last"));
    assert!(words("--burst-factor 20").contains("inverse"));
    let mut out = String::new();
    assert!(what_if(&[b"x"], &[], &mut out).expect_err("no recording").contains("no recording"));
}
