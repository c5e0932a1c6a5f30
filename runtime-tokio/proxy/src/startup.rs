//! From the command line to a configuration that can be served, or to an exit.

use std::fs;
use std::io::Write;

use crate::config::model::Bootstrap;
use crate::config::{self, Source};
use crate::flags::{self, Command, Flags, Mode};

/// What is to be done next.
#[derive(Debug)]
pub enum Start {
    /// Nothing: everything was said, this is the exit code.
    Exit(u8),
    /// Run the demonstration.
    Demo,
    /// Serve.
    Serve(Box<Flags>, Box<Bootstrap>),
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
    let flags = match flags::parse(arguments) {
        Ok(Command::Demo) => return Start::Demo,
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
        Some(_) if flags.mode == Mode::Validate => {
            let _ = writeln!(out, "configuration '{}' OK", name(&flags));
            Start::Exit(0)
        }
        Some(bootstrap) => Start::Serve(flags, Box::new(bootstrap)),
        None => Start::Exit(REJECTED),
    }
}

fn name(flags: &Flags) -> String {
    flags.config_path.as_ref().map_or_else(|| "--config-yaml".to_owned(), |path| path.display().to_string())
}

fn read(flags: &Flags, err: &mut dyn Write) -> Option<Bootstrap> {
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
    match config::load_all(&sources, flags.checks) {
        Ok((mut bootstrap, warnings)) => {
            for warning in warnings {
                let _ = writeln!(err, "warning: {warning}");
            }
            bootstrap.node.cluster = flags.service_cluster.clone().unwrap_or(bootstrap.node.cluster);
            bootstrap.node.id = flags.service_node.clone().unwrap_or(bootstrap.node.id);
            Some(bootstrap)
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
