//! A guard that reads the report of its exchange when it is dropped.

use std::sync::{Arc, Mutex};

use http::Response;

use super::super::content::Content;
use super::super::turns::yield_now;
use super::ServerHarness;
use super::lab::{Answer, Io, Reply};
use crate::server::{Control, Incoming, Report};

/// Where guards leave what they read.
#[derive(Clone, Default)]
pub(super) struct Reports(Arc<Mutex<Vec<Report>>>);

/// The guard.
pub struct Watcher<I> {
    control: Control<I>,
    into: Reports,
}

impl Reports {
    pub(super) fn watcher<I>(&self, body: &Incoming<I>) -> Watcher<I> {
        Watcher { control: body.control(), into: self.clone() }
    }

    /// Waits until there are so many.
    pub(super) async fn until(&self, count: usize) {
        while self.0.lock().expect("no panic under it").len() < count {
            yield_now().await;
        }
    }

    /// In order of the exchanges' ends.
    pub(super) fn take(&self) -> Vec<Report> {
        std::mem::take(&mut *self.0.lock().expect("no panic under it"))
    }
}

impl<I> Watcher<I> {
    pub(super) fn look(&self) -> Option<Report> {
        self.control.report()
    }
}

impl<I> Drop for Watcher<I> {
    fn drop(&mut self) {
        self.into.0.lock().expect("no panic under it").extend(self.control.report());
    }
}

/// A response whose body holds the guard.
pub(super) fn guarded<H: ServerHarness>(content: Content, watcher: Watcher<Io<H>>) -> Answer<H> {
    Ok(Response::new(Reply::Guarded(content, watcher)))
}
