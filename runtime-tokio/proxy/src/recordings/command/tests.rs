use super::*;

fn read(line: &str) -> Option<Result<Command, ArgumentError>> {
    parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

#[test]
fn commands_are_read_in_any_order() {
    let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    let id = |worker, number| RequestId { worker, number };
    for (line, command) in [
        ("replay a b", Command::Replay(paths(&["a", "b"]))),
        ("explain a --request 0:17", Command::Explain(paths(&["a"]), id(Some(0), 17))),
        ("explain --request=17 a", Command::Explain(paths(&["a"]), id(None, 17))),
        ("explain --worker 2 a --request 17", Command::Explain(paths(&["a"]), id(Some(2), 17))),
        ("explain --worker 2 a --request 2:17", Command::Explain(paths(&["a"]), id(Some(2), 17))),
        ("timeline -o out.html a", Command::Timeline("out.html".into(), paths(&["a"]))),
        ("timeline a --output -", Command::Timeline("-".into(), paths(&["a"]))),
    ] {
        assert_eq!(read(line), Some(Ok(command)), "{line}");
    }
    for line in ["", "-c envoy.yaml", "--replay"] {
        assert_eq!(read(line), None, "{line}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (line, message) in [
        ("replay", "a folder or files with recordings are needed"),
        ("replay a --request 1", "unknown flag '--request'"),
        ("explain a", "'--request' is needed"),
        ("explain a --request", "'--request' needs a value"),
        ("explain a --request 1 --request 2", "'--request' is given twice"),
        (
            "explain a --request x:1",
            "'x:1' names no request: expected 'worker:number', such as 0:17, or a number",
        ),
        ("explain a --request 1 --worker x", "'--worker': expected a whole number, found 'x'"),
        ("explain a --request 0:1 --worker 1", "'--worker' and '--request' name different workers"),
        ("timeline a", "'-o' is needed"),
    ] {
        match read(line) {
            Some(Err(error)) => assert_eq!(error.to_string(), message, "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}
