//! A file, or what is written like one.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::super::logger::{Buffer, Counts};
use super::{OpenError, lock};
use crate::config::model::AccessLogSink;

/// Where lines end up. Only the writing thread writes.
pub(super) struct Output {
    sink: AccessLogSink,
    target: Mutex<Box<dyn Write + Send>>,
    buffers: Mutex<Vec<Arc<Buffer>>>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("sink", &self.sink).finish_non_exhaustive()
    }
}

impl Output {
    /// Opens a file to append to; it is made if it is not there.
    pub(super) fn open(sink: &AccessLogSink) -> Result<Self, OpenError> {
        let target: Box<dyn Write + Send> = match sink {
            AccessLogSink::File(path) => {
                let opened = append(path);
                Box::new(opened.map_err(|error| OpenError::File { path: path.clone(), error })?)
            }
            AccessLogSink::Stdout => Box::new(io::stdout()),
            AccessLogSink::Stderr => Box::new(io::stderr()),
        };
        Ok(Self::to(sink.clone(), target))
    }

    pub(super) fn to(sink: AccessLogSink, target: Box<dyn Write + Send>) -> Self {
        Self { sink, target: Mutex::new(target), buffers: Mutex::default() }
    }

    pub(super) fn is(&self, sink: &AccessLogSink) -> bool {
        self.sink == *sink
    }

    /// Opens the same path again; streams stay what they are.
    pub(super) fn reopen(&self) -> io::Result<()> {
        match &self.sink {
            AccessLogSink::File(path) => {
                let file = append(path)?;
                *lock(&self.target) = Box::new(file);
                Ok(())
            }
            AccessLogSink::Stdout | AccessLogSink::Stderr => Ok(()),
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut target = lock(&self.target);
        target.write_all(bytes)?;
        target.flush()
    }

    pub(super) fn add_buffer(&self) -> Arc<Buffer> {
        let buffer = Arc::new(Buffer::default());
        lock(&self.buffers).push(buffer.clone());
        buffer
    }

    pub(super) fn buffers(&self) -> Vec<Arc<Buffer>> {
        lock(&self.buffers).clone()
    }

    /// Forgets empty buffers that no logger has any more; what they had counted.
    pub(super) fn forget_buffers(&self) -> Counts {
        let mut gone = Counts::default();
        lock(&self.buffers).retain(|buffer| {
            // In this order: a logger that is gone after the first look puts nothing more in.
            let is_held = Arc::strong_count(buffer) > 1;
            let counts = buffer.counts();
            let stays = is_held || counts.waiting > 0;
            if !stays {
                gone.add(counts);
            }
            stays
        });
        gone
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
