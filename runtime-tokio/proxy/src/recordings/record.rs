//! Storing recordings while they are made: one thread, one file per worker.
//!
//! Workers seal pieces when they are full, and once a second; the thread writes them as they come. A
//! disk that fails ends the recording of a worker, and is said; it never holds up or ends the worker.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use pool_core::trace::{Header, Recording, State};

use super::files::{EXTENSION, name};

/// How often a worker hands over what it has recorded, full piece or not.
pub const FLUSH: Duration = Duration::from_secs(1);

/// Why nothing is recorded.
#[derive(Debug)]
pub enum StartError {
    /// The folder cannot be made or read, or a thread not started.
    Io(PathBuf, io::Error),
    /// The folder holds a recording already: it would be lost, or mixed with the new one.
    Taken(PathBuf),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(folder, error) => write!(f, "{}: {error}", folder.display()),
            Self::Taken(folder) => write!(f, "{} holds a recording already", folder.display()),
        }
    }
}

impl std::error::Error for StartError {}

/// What a recording by this program says of itself. The worker's clock is to begin now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one time of day in a recording")]
pub fn header(worker: u32, workers: usize, seed: u64) -> Header {
    let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Header {
        worker,
        workers: u32::try_from(workers).unwrap_or(u32::MAX),
        epoch_unix_nanos: u64::try_from(epoch.as_nanos()).unwrap_or_default(),
        seed,
        program: concat!("pool-proxy ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

/// Has a recording flushed every [`FLUSH`] until something else is done.
pub async fn flush_until(until: impl Future<Output = ()>, flush: impl Fn()) {
    let mut until = std::pin::pin!(until);
    while tokio::time::timeout(FLUSH, until.as_mut()).await.is_err() {
        flush();
    }
}

enum Message {
    Add(u32, Recording),
    /// A recording has something for the thread.
    Look,
    Finish,
}

/// Where a recording is handed over to be stored. Clones are the same.
#[derive(Clone, Debug)]
pub struct Inbox(Sender<Message>);

impl Inbox {
    /// Stores a worker's recording from here on.
    pub fn add(&self, worker: u32, recording: Recording) {
        // Nobody takes it only if the process is ending.
        let _ = self.0.send(Message::Add(worker, recording));
    }
}

impl Wake for Inbox {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(Message::Look);
    }
}

/// The thread that writes. Dropping it writes what is there and ends it.
#[derive(Debug)]
pub struct Recorder {
    inbox: Inbox,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Makes the folder and starts the thread; `say` is told of everything that goes wrong later.
    ///
    /// # Errors
    /// If there is no such folder and none can be made, or it holds a recording.
    pub fn start(folder: &Path, say: impl Fn(String) + Send + 'static) -> Result<Self, StartError> {
        let io = |error| StartError::Io(folder.to_owned(), error);
        fs::create_dir_all(folder).map_err(io)?;
        for entry in fs::read_dir(folder).map_err(io)? {
            if entry.map_err(io)?.path().extension().is_some_and(|extension| extension == EXTENSION) {
                return Err(StartError::Taken(folder.to_owned()));
            }
        }
        let (sender, receiver) = mpsc::channel();
        let inbox = Inbox(sender);
        let waker = Waker::from(Arc::new(inbox.clone()));
        let desk = Desk { folder: folder.to_owned(), slots: Vec::new(), waker, say: Box::new(say) };
        let thread = std::thread::Builder::new().name("recorder".to_owned());
        let thread = thread.spawn(move || desk.work(&receiver)).map_err(io)?;
        Ok(Self { inbox, thread: Some(thread) })
    }

    /// Where workers hand over their recordings.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.inbox.0.send(Message::Finish);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by its hook; there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// A worker's recording and its file.
struct Slot {
    worker: u32,
    recording: Recording,
    file: File,
}

struct Desk {
    folder: PathBuf,
    slots: Vec<Slot>,
    waker: Waker,
    say: Box<dyn Fn(String) + Send>,
}

impl Desk {
    fn work(mut self, inbox: &Receiver<Message>) {
        while let Ok(message) = inbox.recv() {
            match message {
                Message::Add(worker, recording) => self.add(worker, recording),
                Message::Look => {}
                Message::Finish => break,
            }
            self.store();
        }
        self.store();
        // What comes from now on is for nobody.
        self.slots.iter().for_each(|slot| slot.recording.stop());
    }

    fn add(&mut self, worker: u32, recording: Recording) {
        let path = self.folder.join(name(worker));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => self.slots.push(Slot { worker, recording, file }),
            Err(error) => {
                recording.stop();
                (self.say)(format!("worker {worker} is not recorded: {}: {error}", path.display()));
            }
        }
    }

    fn store(&mut self) {
        let Self { slots, waker, say, .. } = self;
        slots.retain_mut(|slot| {
            // Asked before pieces are taken: what comes in between wakes again.
            slot.recording.register(waker);
            let state = slot.recording.state();
            while let Some(piece) = slot.recording.take() {
                if let Err(error) = slot.file.write_all(&piece) {
                    slot.recording.stop();
                    say(format!("the recording of worker {} ends here: {error}", slot.worker));
                    return false;
                }
            }
            match state {
                State::Running => true,
                State::Complete | State::Stopped => false,
                State::Overrun => {
                    say(format!("the recording of worker {} ends here: the disk was too slow", slot.worker));
                    false
                }
            }
        });
    }
}
