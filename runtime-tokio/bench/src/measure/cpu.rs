//! CPU time of this process, and pinning to a core.

use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::ClockId;
use nix::unistd::Pid;

/// CPU time that all threads of this process have used, user and system.
pub(crate) fn used() -> Duration {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time that the calling thread has used, user and system.
pub(crate) fn used_by_thread() -> Duration {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time that all threads of another process have used, user and system, since it began.
///
/// # Errors
/// If there is no such process.
pub(crate) fn used_by_process(process: u32) -> Result<Duration, Errno> {
    let process = i32::try_from(process).map_err(|_| Errno::ESRCH)?;
    ClockId::pid_cpu_clock_id(Pid::from_raw(process))?.now().map(Duration::from)
}

/// Both clocks exist on every Linux; a kernel without them would show in figures of zero.
fn read(clock: ClockId) -> Duration {
    clock.now().map_or(Duration::ZERO, Duration::from)
}

/// Pins the calling thread, and threads it starts later, to one core. Says so aloud where the
/// machine has no such core or forbids it; the figures are then noisier, not wrong.
pub(crate) fn pin(core: usize) {
    let mut set = CpuSet::new();
    if let Err(error) = set.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)) {
        eprintln!("pool-bench: not pinned to core {core}: {error}");
    }
}
