use super::*;

fn run(line: &str) -> Result<Flags, FlagError> {
    match parse(line.split_whitespace())? {
        Command::Run(flags) => Ok(*flags),
        other @ (Command::Demo { .. } | Command::Help | Command::Version) => panic!("{other:?}"),
    }
}

#[test]
fn no_arguments_are_the_demo_and_questions_need_no_configuration() {
    assert_eq!(parse(Vec::<String>::new()), Ok(Command::Demo { record: None, workers: None }));
    let recorded = Command::Demo { record: Some("dir".into()), workers: NonZeroU32::new(1) };
    assert_eq!(parse(["--record", "dir", "--concurrency=1"]), Ok(recorded));
    assert_eq!(parse(["--record", "dir", "--strict"]), Err(FlagError::NoConfiguration));
    for line in ["--help", "-h", "-c x --help"] {
        assert_eq!(parse(line.split_whitespace()), Ok(Command::Help), "{line}");
    }
    assert_eq!(parse(["--version"]), Ok(Command::Version));
}

#[test]
fn envoys_flags_are_read_in_both_forms() {
    let defaults = run("-c envoy.yaml").expect("valid");
    assert_eq!(defaults, Flags { config_path: Some("envoy.yaml".into()), ..Flags::default() });
    let flags = run(
        "--config-path=a.yaml --config-yaml {} --strict --mode validate --concurrency 4 --drain-time-s=30 \
         --drain-strategy immediate --parent-shutdown-time-s 45 -l debug --log-path log --admin-address-path addr \
         --service-cluster c --service-node=n --record recorded --file-flush-interval-msec 250 --restart-epoch 1",
    );
    let expected = Flags {
        record: Some("recorded".into()),
        config_path: Some("a.yaml".into()),
        config_yaml: Some("{}".to_owned()),
        checks: Checks::Strict,
        mode: Mode::Validate,
        concurrency: NonZeroU32::new(4),
        drain_time: Duration::from_secs(30),
        drain_strategy: DrainStrategy::Immediate,
        parent_shutdown_time: Duration::from_secs(45),
        log_level: LogLevel::Debug,
        log_path: Some("log".into()),
        admin_address_path: Some("addr".into()),
        service_cluster: Some("c".to_owned()),
        service_node: Some("n".to_owned()),
        file_flush_interval: Duration::from_millis(250),
        notes: vec!["'--restart-epoch' has no effect: there is no hot restart".to_owned()],
    };
    assert_eq!(flags, Ok(expected));
    assert_eq!(run("-c x --concurrency 0").map(|flags| flags.concurrency), Ok(NonZeroU32::new(1)));
}

#[test]
fn what_is_wrong_is_said_with_a_way_out() {
    for (line, message) in [
        ("--config-pth x", "unknown flag '--config-pth'; did you mean '--config-path'?"),
        ("--frobnicate", "unknown flag '--frobnicate'"),
        ("-x", "unknown flag '-x'"),
        ("envoy.yaml", "'envoy.yaml' is not a flag; a configuration is given with '-c FILE'"),
        ("-c a -c b", "'--config-path' is given twice"),
        ("-c", "'--config-path' needs a value"),
        ("--strict=yes -c x", "'--strict' takes no value"),
        ("-c x --mode check", "'--mode': expected serve or validate, found 'check'"),
        ("-c x --concurrency many", "'--concurrency': expected a whole number, found 'many'"),
        ("-c x --concurrency -1", "'--concurrency': expected a whole number, found '-1'"),
        (
            "-c x -l loud",
            "'--log-level': expected one of trace, debug, info, warning, error, critical, off, found 'loud'",
        ),
        (
            "-c x --file-flush-interval-msec 0",
            "'--file-flush-interval-msec': expected a whole number from 1, found '0'",
        ),
        ("--strict", "one of '--config-path' and '--config-yaml' is needed"),
    ] {
        assert_eq!(run(line).map_err(|error| error.to_string()), Err(message.to_owned()), "{line}");
    }
}

#[test]
fn every_flag_of_the_table_is_understood_and_shown() {
    for flag in FLAGS {
        let value = match (flag.takes, flag.name) {
            (Takes::Nothing, _) => "",
            (_, "mode") => "serve",
            (_, "drain-strategy") => "gradual",
            (_, "log-level") => "info",
            (_, _) => "7",
        };
        let line = format!("--{} {value}", flag.name);
        let result = parse(line.split_whitespace());
        assert!(matches!(result, Ok(_) | Err(FlagError::NoConfiguration)), "{line}: {result:?}");
        assert_eq!(
            help().contains(&format!("--{}", flag.name)),
            flag.without_effect.is_none(),
            "{}",
            flag.name
        );
    }
}
