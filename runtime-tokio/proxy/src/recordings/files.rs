//! Where recordings lie: one file per worker in a folder.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pool_core::trace::{Header, History, LogError};

/// How a recording's name ends.
pub const EXTENSION: &str = "pooltrace";

/// The name of a worker's file.
#[must_use]
pub fn name(worker: u32) -> String {
    format!("worker-{worker}.{EXTENSION}")
}

/// A recording in memory.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it came from.
    pub path: PathBuf,
    /// What it says of itself.
    pub header: Header,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl File {
    /// Its name without folders.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Does it again and keeps what happened.
    ///
    /// # Errors
    /// As [`History::of`].
    pub fn history(&self) -> Result<History, LogError> {
        History::of(&self.bytes)
    }
}

/// Why there is nothing to work on.
#[derive(Debug)]
pub enum OpenError {
    /// A file or folder cannot be read.
    Io(PathBuf, io::Error),
    /// A folder holds no recording.
    Empty(PathBuf),
    /// A file is no recording, or not one that can be begun.
    Log(PathBuf, LogError),
    /// Two files are of the same worker: they are not of one run.
    SameWorker(PathBuf, PathBuf),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Empty(path) => write!(f, "{}: no file ends with .{EXTENSION}", path.display()),
            Self::Log(path, error) => write!(f, "{}: {error}", path.display()),
            Self::SameWorker(one, other) => {
                write!(
                    f,
                    "{} and {} are of the same worker, so not of one run",
                    one.display(),
                    other.display()
                )
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// Reads recordings; a folder stands for all in it. They come back in the order of their workers.
///
/// # Errors
/// The first path that is no recording.
pub fn open(paths: &[PathBuf]) -> Result<Vec<File>, OpenError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let found = list(path)?;
            for path in found {
                files.push(read(path)?);
            }
        } else {
            files.push(read(path.clone())?);
        }
    }
    files.sort_by(|a, b| (a.header.worker, &a.path).cmp(&(b.header.worker, &b.path)));
    let twice = files.windows(2).find(|two| two[0].header.worker == two[1].header.worker);
    match twice {
        Some(two) => Err(OpenError::SameWorker(two[0].path.clone(), two[1].path.clone())),
        None => Ok(files),
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let io = |error| OpenError::Io(folder.to_owned(), error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension() == Some(OsStr::new(EXTENSION)) {
            found.push(path);
        }
    }
    if found.is_empty() { Err(OpenError::Empty(folder.to_owned())) } else { Ok(found) }
}

fn read(path: PathBuf) -> Result<File, OpenError> {
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => return Err(OpenError::Io(path, error)),
    };
    match pool_core::trace::log::Reader::new(&bytes).map(|reader| reader.header().clone()) {
        Ok(header) => Ok(File { path, header, bytes }),
        Err(error) => Err(OpenError::Log(path, error)),
    }
}
