//! The whole program, as continuous integration runs it: every case that is cheap, every peer that
//! was compiled in, no failed operation.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_quick_run_measures_every_benchmark_without_a_failure() {
    let output = Command::new(env!("CARGO_BIN_EXE_pool-bench"))
        .args(["all", "--quick", "--no-exact"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let noise = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{noise}");

    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with('{')).collect();
    for line in &lines {
        assert!(line.contains("\"errors\":0,"), "{line}");
        let figure = if line.contains("\"bench\":\"idle\"") { "heap_b" } else { "cpu_us" };
        assert!(!line.contains(&format!("\"{figure}\":null")), "{line}");
    }
    let benches: BTreeSet<_> = lines.iter().filter_map(|line| line.split('"').nth(3)).collect();
    assert_eq!(benches, BTreeSet::from(["micro", "client", "idle", "proxy"]), "{said}");
    // The origin counted: a floor opens one connection per task, no more.
    for bench in ["client", "proxy"] {
        let floor =
            format!("{{\"bench\":\"{bench}\",\"case\":\"body=100 concurrency=64\",\"peer\":\"floor\"");
        let floor = lines.iter().find(|line| line.starts_with(&floor)).expect("the floor ran");
        assert!(floor.contains("\"conns\":64,"), "{floor}");
    }
}

#[test]
fn wrong_arguments_fail_with_a_reason() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_pool-bench")).arg("dance").output().expect("the program starts");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "pool-bench: no command dance; see --help\n");
}
