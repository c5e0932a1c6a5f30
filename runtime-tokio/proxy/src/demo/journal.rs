//! The proxy's access log: a file while the demonstration runs, read when the proxy has ended.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::acts;

/// A file that is removed when this is dropped.
pub(super) struct Journal(PathBuf);

/// What the access log says of one act.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    pub(super) lines: u64,
    /// Lines with status 200.
    pub(super) answered: u64,
    /// Requests that were given a connection.
    pub(super) connected: u64,
    /// Of these, one that had carried another request before.
    pub(super) reused: u64,
    /// Requests that took more than one attempt.
    pub(super) repeated: u64,
    /// Of these, those with status 200.
    pub(super) rescued: u64,
    /// From asking the pool to having a connection; zero for one that was ready.
    pub(super) queue_times: Vec<Duration>,
}

impl Entries {
    pub(super) fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.answered += other.answered;
        self.connected += other.connected;
        self.reused += other.reused;
        self.repeated += other.repeated;
        self.rescued += other.rescued;
        self.queue_times.extend_from_slice(&other.queue_times);
    }

    fn read(&mut self, fields: [&str; 4]) {
        let [status, attempts, reused, queued] = fields;
        let is_answered = status == "200";
        let is_repeated = attempts.parse().is_ok_and(|attempts: u32| attempts > 1);
        self.lines += 1;
        self.answered += u64::from(is_answered);
        self.repeated += u64::from(is_repeated);
        self.rescued += u64::from(is_repeated && is_answered);
        if let Ok(micros) = queued.parse() {
            self.connected += 1;
            self.reused += u64::from(reused == "true");
            self.queue_times.push(Duration::from_micros(micros));
        }
    }
}

/// Numbers the files of a process.
static NEXT: AtomicU32 = AtomicU32::new(0);

impl Journal {
    /// A new file in the folder for temporary files.
    pub(super) fn create() -> io::Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pool-proxy-demo-{}-{number}.log", std::process::id());
        let path = std::env::temp_dir().join(name);
        // What somebody else has put there is not written to.
        OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What is in it, by act. Lines that are none of the acts are left out, and so missed by whoever
    /// compares.
    pub(super) fn read(&self) -> io::Result<[Entries; acts::COUNT]> {
        let mut acts: [Entries; acts::COUNT] = Default::default();
        for line in fs::read_to_string(&self.0)?.lines() {
            let mut words = line.split(' ');
            let mut next = || words.next().unwrap_or("-");
            let act = next().parse().ok().and_then(|act: usize| acts.get_mut(act));
            let fields = [next(), next(), next(), next()];
            if let Some(act) = act {
                act.read(fields);
            }
        }
        Ok(acts)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Gone already, or the system's to remove.
        let _ = fs::remove_file(&self.0);
    }
}
