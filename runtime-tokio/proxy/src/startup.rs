//! From the command line to a configuration that can be served, or to an exit.

use std::fs;
use std::io::Write;

use crate::access_log;
use crate::config::model::{AccessLogFormat, Bootstrap};
use crate::config::{self, Source};
use crate::demo;
use crate::flags::{self, Command, Flags, Mode};
use crate::logging;
use crate::recordings::command;
use crate::worker::{self, RunOptions, Signals};

/// What is to be done next.
#[derive(Debug)]
pub enum Start {
    /// Nothing: everything was said, this is the exit code.
    Exit(u8),
    /// Run the demonstration.
    Demo(demo::Options),
    /// Serve.
    Serve(Box<Ready>),
}

/// Flags and configuration, checked.
#[derive(Debug)]
pub struct Ready {
    /// The command line.
    pub flags: Flags,
    /// The configuration, with the flags that belong to it laid over.
    pub bootstrap: Bootstrap,
    /// The text that it was read from, for `/config_dump`.
    pub text: String,
}

impl Ready {
    /// How the proxy is to run. Signals are the proxy's.
    #[must_use]
    pub fn options(&self) -> RunOptions {
        let defaults = RunOptions::default();
        let mut command_line =
            vec![("concurrency".to_owned(), self.flags.concurrency.map(|n| n.to_string()))];
        let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
        command_line.push(("config_path".to_owned(), path(&self.flags.config_path)));
        command_line.push(("config_yaml".to_owned(), self.flags.config_yaml.clone()));
        command_line.push(("drain_time".to_owned(), Some(format!("{}s", self.flags.drain_time.as_secs()))));
        RunOptions {
            concurrency: self.flags.concurrency.and_then(|n| usize::try_from(n.get()).ok()),
            drain_time: self.flags.drain_time,
            drain_strategy: self.flags.drain_strategy,
            parent_shutdown_time: self.flags.parent_shutdown_time,
            signals: Signals::Handled,
            access_log: access_log::Options {
                flush_interval: self.flags.file_flush_interval,
                ..defaults.access_log
            },
            command_line: command_line.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            config_text: self.text.clone(),
            record: self.flags.record.clone(),
            ..defaults
        }
    }

    /// Runs the proxy until it is told to stop, and gives the exit code.
    pub fn serve(self, err: &mut dyn Write) -> u8 {
        if let Err(error) = logging::install(self.flags.log_level, self.flags.log_path.as_deref()) {
            let _ = writeln!(err, "--log-path: unable to open: {error}");
            return REJECTED;
        }
        let options = self.options();
        let running = match worker::run(self.bootstrap, options) {
            Ok(running) => running,
            Err(error) => {
                let _ = writeln!(err, "{error}");
                return REJECTED;
            }
        };
        if let (Some(path), Some(address)) = (&self.flags.admin_address_path, running.admin_address())
            && let Err(error) = fs::write(path, address.to_string())
        {
            let _ = writeln!(err, "{}: unable to write the admin address: {error}", path.display());
        }
        match running.wait() {
            Ok(()) => 0,
            Err(error) => {
                let _ = writeln!(err, "{error}");
                REJECTED
            }
        }
    }
}

/// Exit code when the command line or the configuration was rejected.
pub const REJECTED: u8 = 1;

/// Reads flags and configuration. Answers to questions go to `out`, everything else to `err`; what
/// cannot be written is lost.
pub fn start<I, S>(arguments: I, out: &mut dyn Write, err: &mut dyn Write) -> Start
where
    I: IntoIterator<Item = S>,
    S: Into<String>,
{
    let arguments: Vec<String> = arguments.into_iter().map(Into::into).collect();
    match command::parse(&arguments) {
        Some(Ok(command)) => return Start::Exit(command::run(&command, out, err)),
        Some(Err(error)) => {
            let _ = writeln!(err, "{error}\n{}", command::HELP);
            return Start::Exit(command::USAGE);
        }
        None => {}
    }
    let flags = match flags::parse(arguments) {
        Ok(Command::Demo { record, workers }) => {
            let mut options = demo::Options { record, ..demo::Options::default() };
            if let Some(workers) = workers {
                options.workers = workers;
            }
            return Start::Demo(options);
        }
        Ok(Command::Help) => {
            let _ = write!(out, "{}", flags::help());
            return Start::Exit(0);
        }
        Ok(Command::Version) => {
            let _ = writeln!(out, "pool-proxy {}", env!("CARGO_PKG_VERSION"));
            return Start::Exit(0);
        }
        Ok(Command::Run(flags)) => flags,
        Err(error) => {
            let _ = writeln!(err, "{error}\ntry 'pool-proxy --help'");
            return Start::Exit(REJECTED);
        }
    };
    for note in &flags.notes {
        let _ = writeln!(err, "note: {note}");
    }
    match read(&flags, err) {
        Some((bootstrap, text)) if flags.mode == Mode::Serve => {
            Start::Serve(Box::new(Ready { flags: *flags, bootstrap, text }))
        }
        Some(_) => {
            let _ = writeln!(out, "configuration '{}' OK", name(&flags));
            Start::Exit(0)
        }
        None => Start::Exit(REJECTED),
    }
}

fn name(flags: &Flags) -> String {
    flags.config_path.as_ref().map_or_else(|| "--config-yaml".to_owned(), |path| path.display().to_string())
}

fn check_format(format: &AccessLogFormat) -> Result<(), String> {
    access_log::Format::from_config(format).map(drop)
}

/// The configuration and its text.
fn read(flags: &Flags, err: &mut dyn Write) -> Option<(Bootstrap, String)> {
    let name = name(flags);
    let file = match &flags.config_path {
        Some(path) => match fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => Some(text),
            Ok(Err(_)) => {
                let _ = writeln!(err, "{name}: not UTF-8 text");
                return None;
            }
            Err(error) => {
                let _ = writeln!(err, "{name}: unable to read: {error}");
                return None;
            }
        },
        None => None,
    };
    let file = file.as_deref().map(|text| Source { name: &name, text });
    let yaml = flags.config_yaml.as_deref().map(|text| Source { name: "--config-yaml", text });
    let sources: Vec<_> = file.into_iter().chain(yaml).collect();
    match config::load_all(&sources, flags.checks, check_format) {
        Ok((mut bootstrap, warnings)) => {
            for warning in warnings {
                let _ = writeln!(err, "warning: {warning}");
            }
            bootstrap.node.cluster = flags.service_cluster.clone().unwrap_or(bootstrap.node.cluster);
            bootstrap.node.id = flags.service_node.clone().unwrap_or(bootstrap.node.id);
            let texts: Vec<_> = sources.iter().map(|source| source.text).collect();
            Some((bootstrap, texts.join("\n---\n")))
        }
        Err(problems) => {
            for warning in &problems.warnings {
                let _ = writeln!(err, "warning: {warning}");
            }
            let _ = writeln!(err, "{problems}");
            None
        }
    }
}
