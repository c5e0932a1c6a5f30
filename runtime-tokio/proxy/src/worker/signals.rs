//! Signals, as commands.

use super::control::Command;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Command;

    /// The signals that are listened to, if any.
    pub(in super::super) struct Listening(Option<[(Signal, Command); 3]>);

    impl Listening {
        pub(in super::super) fn new(listens: bool) -> Self {
            let all = || {
                let terminate = signal(SignalKind::terminate())?;
                let interrupt = signal(SignalKind::interrupt())?;
                let reopen = signal(SignalKind::user_defined1())?;
                Ok::<_, std::io::Error>([
                    (terminate, Command::Stop),
                    (interrupt, Command::Stop),
                    (reopen, Command::ReopenLogs),
                ])
            };
            Self(listens.then(all).and_then(|signals| {
                signals.inspect_err(|error| tracing::error!(%error, "signals cannot be handled")).ok()
            }))
        }

        /// What the next signal asks for. May be given up at any moment.
        pub(in super::super) async fn next(&mut self) -> Command {
            let Some([terminate, interrupt, reopen]) = &mut self.0 else {
                return std::future::pending().await;
            };
            tokio::select! {
                Some(()) = terminate.0.recv() => terminate.1,
                Some(()) = interrupt.0.recv() => interrupt.1,
                Some(()) = reopen.0.recv() => reopen.1,
                else => std::future::pending().await,
            }
        }
    }
}

#[cfg(unix)]
pub(super) use unix::Listening;

/// Elsewhere there are none.
#[cfg(not(unix))]
pub(super) struct Listening;

#[cfg(not(unix))]
impl Listening {
    pub(super) fn new(_: bool) -> Self {
        Self
    }

    pub(super) async fn next(&mut self) -> Command {
        std::future::pending().await
    }
}
