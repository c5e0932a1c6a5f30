//! Every flag, and the help that is written from them.

/// One flag.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) name: &'static str,
    pub(super) short: Option<&'static str>,
    pub(super) takes: Takes,
    pub(super) meaning: &'static str,
    /// Why Envoy's flag is accepted and does nothing.
    pub(super) without_effect: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    Nothing,
    /// What the help calls the value.
    Value(&'static str),
}

const fn flag(name: &'static str, takes: Takes, meaning: &'static str) -> Flag {
    Flag { name, short: None, takes, meaning, without_effect: None }
}

const fn idle(name: &'static str, takes: Takes, why: &'static str) -> Flag {
    Flag { name, short: None, takes, meaning: "", without_effect: Some(why) }
}

impl Flag {
    const fn short(mut self, letter: &'static str) -> Self {
        self.short = Some(letter);
        self
    }
}

const NO_RESTART: &str = "there is no hot restart";
const OWN_LOG: &str = "log lines have one format and one level";

pub(super) const FLAGS: &[Flag] = &[
    flag("config-path", Takes::Value("FILE"), "configuration, Envoy v3 in YAML or JSON").short("c"),
    flag("config-yaml", Takes::Value("YAML"), "configuration as text; laid over that of --config-path"),
    flag("strict", Takes::Nothing, "reject what Envoy would reject"),
    flag(
        "mode",
        Takes::Value("serve|validate"),
        "validate: check the configuration and exit (default serve)",
    ),
    flag(
        "concurrency",
        Takes::Value("N"),
        "workers, one thread each (default: one for each hardware thread)",
    ),
    flag("drain-time-s", Takes::Value("N"), "seconds that a drain or a graceful end takes (default 600)"),
    flag(
        "drain-strategy",
        Takes::Value("gradual|immediate"),
        "how /drain_listeners?graceful asks connections to close (default gradual)",
    ),
    flag(
        "parent-shutdown-time-s",
        Takes::Value("N"),
        "seconds until a drain ends with what is still open (default 900)",
    ),
    flag(
        "log-level",
        Takes::Value("LEVEL"),
        "trace, debug, info, warning, error, critical or off (default info)",
    )
    .short("l"),
    flag("log-path", Takes::Value("FILE"), "where log lines go (default: standard error)"),
    flag("admin-address-path", Takes::Value("FILE"), "where to write the admin address that was bound"),
    flag("service-cluster", Takes::Value("NAME"), "node.cluster"),
    flag("service-node", Takes::Value("NAME"), "node.id"),
    flag(
        "file-flush-interval-msec",
        Takes::Value("N"),
        "how long access log lines may be held back (default 10000)",
    ),
    flag(
        "record",
        Takes::Value("DIR"),
        "record what the pools do, one file per worker in DIR; without a configuration, of the demonstration",
    ),
    flag("version", Takes::Nothing, "show the version and exit"),
    flag("help", Takes::Nothing, "show this and exit").short("h"),
    idle("base-id", Takes::Value("N"), NO_RESTART),
    idle("use-dynamic-base-id", Takes::Nothing, NO_RESTART),
    idle("base-id-path", Takes::Value("FILE"), NO_RESTART),
    idle("restart-epoch", Takes::Value("N"), NO_RESTART),
    idle("disable-hot-restart", Takes::Nothing, NO_RESTART),
    idle("skip-hot-restart-on-no-parent", Takes::Nothing, NO_RESTART),
    idle("socket-path", Takes::Value("PATH"), NO_RESTART),
    idle("socket-mode", Takes::Value("MODE"), NO_RESTART),
    idle("hot-restart-version", Takes::Nothing, NO_RESTART),
    idle("component-log-level", Takes::Value("LIST"), OWN_LOG),
    idle("log-format", Takes::Value("FORMAT"), OWN_LOG),
    idle("log-format-escaped", Takes::Nothing, OWN_LOG),
    idle("enable-fine-grain-logging", Takes::Nothing, OWN_LOG),
    idle("service-zone", Takes::Value("NAME"), "there is no routing by zone"),
    idle("local-address-ip-version", Takes::Value("v4|v6"), "addresses are those of the configuration"),
    idle(
        "allow-unknown-static-fields",
        Takes::Nothing,
        "unknown fields are ignored with a warning unless --strict is given",
    ),
    idle("reject-unknown-dynamic-fields", Takes::Nothing, "there is no dynamic configuration"),
    idle("ignore-unknown-dynamic-fields", Takes::Nothing, "there is no dynamic configuration"),
    idle("skip-deprecated-logs", Takes::Nothing, "deprecated fields are only told of with --strict"),
    idle("cpuset-threads", Takes::Nothing, "the number of hardware threads already heeds the CPU set"),
    idle("disable-extensions", Takes::Value("LIST"), "there are no extensions"),
    idle("enable-core-dump", Takes::Nothing, "core dumps are the system's to allow"),
    idle("stats-tag", Takes::Value("TAG"), "stats have no further tags"),
];

/// What `--help` prints.
#[must_use]
pub fn help() -> String {
    let mut help = String::from(
        "pool-proxy: an HTTP reverse proxy that reads Envoy's configuration\n\n\
         usage: pool-proxy                   a demonstration, about ten seconds\n       \
         pool-proxy -c FILE [flags]   serve\n\nflags:\n",
    );
    for flag in FLAGS.iter().filter(|flag| flag.without_effect.is_none()) {
        let short = flag.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let value = match flag.takes {
            Takes::Nothing => String::new(),
            Takes::Value(value) => format!(" {value}"),
        };
        let name = format!("{short}--{}{value}", flag.name);
        help.push_str(&format!("  {name:<42} {}\n", flag.meaning));
    }
    help.push('\n');
    help.push_str(crate::recordings::command::HELP);
    help.push_str("\nOther flags of Envoy are accepted and noted where leaving them out does no harm.\n");
    help
}
