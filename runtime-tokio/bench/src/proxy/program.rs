//! A proxy as a process: its command, its configuration, its core, its start and its end.

use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::case::CORE;
use crate::error::{Error, Result};
use crate::measure::cpu;

/// Between two looks at a process that is about to start or end.
const LOOK: Duration = Duration::from_millis(5);

/// A program that takes longer to start or to end, even under `valgrind`, does not.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that is not part of this one.
struct Foreign {
    peer: &'static str,
    program: &'static str,
    /// Name and text of its configuration; `@...@` are filled in.
    file: &'static str,
    configuration: &'static str,
}

const FOREIGN: [Foreign; 3] = [
    Foreign {
        peer: "ours",
        program: "pool-proxy",
        file: "pool-proxy.yaml",
        configuration: include_str!("../../configs/pool-proxy.yaml"),
    },
    Foreign {
        peer: "nginx",
        program: "nginx",
        file: "nginx.conf",
        configuration: include_str!("../../configs/nginx.conf"),
    },
    Foreign {
        peer: "haproxy",
        program: "haproxy",
        file: "haproxy.cfg",
        configuration: include_str!("../../configs/haproxy.cfg"),
    },
];

impl Foreign {
    fn of(peer: &str) -> Option<&'static Self> {
        FOREIGN.iter().find(|foreign| foreign.peer == peer)
    }

    /// Ours lies beside `bench`; the others lie where an administrator's shell would find them.
    fn path(&self, bench: &Path) -> Option<PathBuf> {
        if self.peer == "ours" {
            return Some(bench.with_file_name(self.program)).filter(|path| path.is_file());
        }
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let system = ["/usr/local/sbin", "/usr/sbin"].map(PathBuf::from);
        let mut folders = std::env::split_paths(&paths).chain(system);
        folders.find_map(|folder| Some(folder.join(self.program)).filter(|path| path.is_file()))
    }

    fn words(&self, path: PathBuf, folder: &Path) -> Vec<OsString> {
        let file = folder.join(self.file).into_os_string();
        let mut words = vec![path.into_os_string()];
        match self.peer {
            "nginx" => {
                words.extend(["-e".into(), "stderr".into(), "-p".into(), folder.into(), "-c".into(), file]);
            }
            "haproxy" => words.extend(["-db".into(), "-q".into(), "-f".into(), file]),
            _ => words.extend(["-c".into(), file, "--concurrency".into(), "1".into()]),
        }
        words
    }
}

/// Why a peer cannot be started here, if it cannot.
pub(crate) fn missing(peer: &str, bench: &Path) -> Option<String> {
    let foreign = Foreign::of(peer)?;
    if foreign.path(bench).is_some() {
        return None;
    }
    Some(match peer {
        "ours" => "pool-proxy is not built beside pool-bench".to_owned(),
        _ => format!("{} is not installed", foreign.program),
    })
}

/// A running proxy. It ends with this value at the latest.
#[derive(Debug)]
pub(super) struct Proxy {
    process: Child,
    address: SocketAddr,
    /// Has to be told to end by a signal; the others end with their input.
    is_foreign: bool,
    folder: PathBuf,
}

impl Proxy {
    /// Starts `peer` on its core, `around` put before its command, and waits until it accepts.
    pub(super) fn start(bench: &Path, peer: &str, origin: SocketAddr, around: &[OsString]) -> Result<Self> {
        // Free at this moment; nobody else on this machine should be after it.
        let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let folder =
            std::env::temp_dir().join(format!("pool-bench-{}-{}", std::process::id(), listen.port()));
        fs::create_dir_all(&folder)?;
        let foreign = Foreign::of(peer);
        let program = if let Some(foreign) = foreign {
            let path = foreign.path(bench).ok_or_else(|| Error::new(format!("there is no {peer}")))?;
            let text = filled(foreign.configuration, listen, origin, &folder);
            fs::write(folder.join(foreign.file), text)?;
            foreign.words(path, &folder)
        } else {
            let words = [bench.into(), "serve".into(), peer.into()];
            words.into_iter().chain([listen, origin].map(|address| address.to_string().into())).collect()
        };
        let words: Vec<OsString> = around.iter().cloned().chain(program).collect();
        let mut proxy =
            Self { process: spawn(&words)?, address: listen, is_foreign: foreign.is_some(), folder };
        proxy.wait_until_it_accepts(peer)?;
        Ok(proxy)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    fn wait_until_it_accepts(&mut self, peer: &str) -> Result<()> {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.process.try_wait()? {
                return Err(Error::new(format!("{peer} ended at once: {status}")));
            }
            if began.elapsed() > PATIENCE {
                return Err(Error::new(format!("{peer} does not listen")));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Tells the proxy to end, and waits for it.
    pub(super) fn end(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        if self.is_foreign {
            kill(Pid::from_raw(i32::try_from(self.id())?), Signal::SIGTERM)?;
        }
        let began = Instant::now();
        while self.process.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                return Err(Error::new("a proxy does not end"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // After `end` there is nothing left to kill, and the folder is only scratch.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Starts a program on the measured core: a child begins with the cores of the thread that starts it.
fn spawn(words: &[OsString]) -> Result<Child> {
    let (program, arguments) = words.split_first().ok_or_else(|| Error::new("no program"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let starter = std::thread::spawn(move || {
        cpu::pin(CORE);
        command.spawn()
    });
    let started = starter.join().map_err(|_| Error::new("the thread that starts a proxy broke down"))?;
    started.map_err(|error| Error::new(format!("{}: {error}", Path::new(program).display())))
}

/// A configuration with addresses and folder in place.
fn filled(configuration: &str, listen: SocketAddr, origin: SocketAddr, folder: &Path) -> String {
    let mut text = configuration.replace("@dir@", &folder.to_string_lossy());
    for (name, address) in [("listen", listen), ("origin", origin)] {
        text = text
            .replace(&format!("@{name}@"), &address.to_string())
            .replace(&format!("@{name}_host@"), &address.ip().to_string())
            .replace(&format!("@{name}_port@"), &address.port().to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled_in() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 4000));
        let origin = SocketAddr::from(([127, 0, 0, 1], 5000));
        for foreign in &FOREIGN {
            let text = filled(foreign.configuration, listen, origin, Path::new("/scratch"));
            let left: Vec<&str> = text.lines().filter(|line| line.matches('@').count() > 1).collect();
            assert_eq!(left, Vec::<&str>::new(), "{}", foreign.file);
            assert!(text.contains("4000") && text.contains("5000"), "{}", foreign.file);
        }
    }

    #[test]
    fn a_peer_of_this_program_is_never_missing_and_ours_is_named() {
        let bench = Path::new("/nowhere/pool-bench");
        assert_eq!(missing("floor", bench), None);
        assert_eq!(missing("ours", bench), Some("pool-proxy is not built beside pool-bench".to_owned()));
    }
}
