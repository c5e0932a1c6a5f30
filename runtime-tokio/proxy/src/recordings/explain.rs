//! Which request is meant, and its story.

use std::fmt;
use std::str::FromStr;

use pool_core::trace::History;

/// A request in a run: the worker that served it and its number there, `worker:number`.
///
/// The client tells the number as `CallInfo::request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// The worker; `None` if only the number is known.
    pub worker: Option<u32>,
    /// The number with that worker's client.
    pub number: u64,
}

/// Text that names no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRequestId(String);

impl fmt::Display for NoRequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' names no request: expected 'worker:number', such as 0:17, or a number", self.0)
    }
}

impl std::error::Error for NoRequestId {}

impl FromStr for RequestId {
    type Err = NoRequestId;

    fn from_str(text: &str) -> Result<Self, NoRequestId> {
        let wrong = || NoRequestId(text.to_owned());
        let (worker, number) = match text.split_once(':') {
            Some((worker, number)) => (Some(worker.parse().map_err(|_| wrong())?), number),
            None => (None, text),
        };
        Ok(Self { worker, number: number.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(worker) = self.worker {
            write!(f, "{worker}:")?;
        }
        write!(f, "{}", self.number)
    }
}

/// Why there is no story to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untold {
    /// No recording of that worker.
    NoWorker(u32),
    /// No request of that number; how the replays ended is told, as it may lie behind a cut.
    NoRequest(RequestId, Option<String>),
    /// Several workers have a request of that number.
    Ambiguous(u64, Vec<u32>),
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorker(worker) => write!(f, "no recording of worker {worker}"),
            Self::NoRequest(id, end) => {
                write!(f, "request {id} is not in the recording")?;
                end.as_ref().map_or(Ok(()), |end| write!(f, ", which could not be read to its end: {end}"))
            }
            Self::Ambiguous(number, workers) => {
                write!(f, "workers {workers:?} each have a request {number}; say which, as in ")?;
                write!(f, "{}:{number}", workers.first().copied().unwrap_or_default())
            }
        }
    }
}

impl std::error::Error for Untold {}

/// Tells a request's story.
///
/// # Errors
/// If there is no such request, or more than one.
pub fn explain(histories: &[History], id: RequestId) -> Result<String, Untold> {
    let of = |history: &&History| id.worker.is_none_or(|worker| history.header.worker == worker);
    let searched: Vec<_> = histories.iter().filter(of).collect();
    if let (Some(worker), []) = (id.worker, &searched[..]) {
        return Err(Untold::NoWorker(worker));
    }
    let found: Vec<_> =
        searched.iter().filter_map(|history| Some((history, history.explain(id.number)?))).collect();
    match &found[..] {
        [] => {
            let cut = searched.iter().find_map(|history| history.end.as_ref().err());
            Err(Untold::NoRequest(id, cut.map(ToString::to_string)))
        }
        [(_, story)] => Ok(story.to_string()),
        several => {
            let workers = several.iter().map(|(history, _)| history.header.worker).collect();
            Err(Untold::Ambiguous(id.number, workers))
        }
    }
}
