//! From a command line to what is printed and the exit code.

use std::path::{Path, PathBuf};

use pool_proxy::startup::{Start, start};

fn config(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(name)
}

struct Said {
    start: Start,
    out: String,
    err: String,
}

fn say(arguments: &[&str]) -> Said {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let start = start(arguments.iter().copied(), &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { start, out: text(out), err: text(err) }
}

#[test]
fn a_valid_file_is_said_to_be() {
    let path = config("reverse-proxy.yaml").display().to_string();
    let said = say(&["-c", &path, "--mode", "validate", "--strict"]);
    assert!(matches!(said.start, Start::Exit(0)), "{}", said.err);
    assert_eq!((said.out, said.err), (format!("configuration '{path}' OK\n"), String::new()));
}

#[test]
fn serving_gets_the_configuration_with_the_flags_laid_over() {
    let path = config("reverse-proxy.yaml").display().to_string();
    let said = say(&["-c", &path, "--service-node", "me", "--restart-epoch", "0"]);
    let Start::Serve(ready) = said.start else { panic!("{}", said.err) };
    assert_eq!(ready.bootstrap.node.id, "me");
    assert_eq!(said.err, "note: '--restart-epoch' has no effect: there is no hot restart\n");
}

#[test]
fn every_problem_has_its_line_then_they_are_counted() {
    let path = config("five-mistakes.yaml").display().to_string();
    for mode in ["serve", "validate"] {
        let said = say(&["--config-path", &path, "--mode", mode]);
        assert!(matches!(said.start, Start::Exit(1)));
        assert_eq!((said.out.as_str(), said.err.lines().count()), ("", 6));
        let lines: Vec<_> = said.err.lines().collect();
        for (line, place) in lines.iter().zip(["8:21", "13:11", "21:35", "28:11", "29:22"]) {
            assert!(line.starts_with(&format!("{path}:{place}: static_resources.")), "{line}");
        }
        assert_eq!(lines[5], format!("configuration '{path}': 5 problems"));
    }
}

#[test]
fn files_that_cannot_be_read_and_flags_that_are_wrong_exit_with_1() {
    let said = say(&["-c", "does-not-exist.yaml"]);
    assert!(matches!(said.start, Start::Exit(1)));
    assert!(said.err.starts_with("does-not-exist.yaml: unable to read: "), "{}", said.err);
    let said = say(&["--confg-path", "x"]);
    assert!(matches!(said.start, Start::Exit(1)));
    assert_eq!(
        said.err,
        "unknown flag '--confg-path'; did you mean '--config-path'?\ntry 'pool-proxy --help'\n"
    );
}

#[test]
fn questions_are_answered() {
    assert!(matches!(say(&[]).start, Start::Demo(_)));
    let said = say(&["--help"]);
    assert!(matches!(said.start, Start::Exit(0)));
    assert!(said.out.contains("--config-path FILE"), "{}", said.out);
    assert!(say(&["--version"]).out.starts_with("pool-proxy "));
}

#[test]
fn warnings_are_told_and_do_not_stop_anything() {
    let sample = std::fs::read_to_string(config("reverse-proxy.yaml")).expect("the sample");
    let text = sample.replace("          idle_timeout: 30s", "          idle_connection_timeout: 60s");
    let said = say(&["--config-yaml", &text, "--mode", "validate"]);
    assert_eq!(said.out, "configuration '--config-yaml' OK\n");
    assert!(said.err.starts_with("warning: --config-yaml:"), "{}", said.err);
    assert!(said.err.ends_with("using it as 'idle_timeout: 60s'\n"), "{}", said.err);
    let said = say(&["--config-yaml", &text, "--mode", "validate", "--strict"]);
    assert!(matches!(said.start, Start::Exit(1)));
    assert!(said.err.contains("did you mean 'idle_timeout'?"), "{}", said.err);
}

#[test]
fn an_access_log_format_that_is_no_format_is_a_problem_at_its_place() {
    let sample = std::fs::read_to_string(config("reverse-proxy.yaml")).expect("the sample");
    let short = "stream.v3.StdoutAccessLog\n";
    assert!(sample.contains(short), "the sample has a log");
    let logged =
        |format: &str| sample.replacen(short, &format!("{short}              log_format: {format}\n"), 1);
    for (format, sentence) in [
        (
            "{text_format_source: {inline_string: 'x %RESPONSE_COD%'}}",
            "inline_string: at offset 2: unknown operator `RESPONSE_COD`, did you mean `RESPONSE_CODE`?",
        ),
        ("{text_format: '100%'}", "text_format: at offset 3: `%` begins no operator"),
        (
            "{json_format: {good: '%PROTOCOL%', bad: '%REQ%'}}",
            "json_format[bad]: at offset 0: operator `REQ` needs",
        ),
    ] {
        let text = logged(format);
        let line = text.lines().position(|line| line.contains("log_format:")).expect("a line") + 1;
        let said = say(&["--config-yaml", &text, "--mode", "validate"]);
        assert!(matches!(said.start, Start::Exit(1)), "{format}");
        assert!(said.err.starts_with(&format!("--config-yaml:{line}:")), "{}", said.err);
        assert!(said.err.contains(sentence), "{}", said.err);
        assert_eq!(said.err.lines().count(), 2, "{}", said.err);
    }
}
