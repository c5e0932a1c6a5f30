use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use super::file::Output;
use super::{Format, Logger, Logs, OpenError, Options, Outlet, lock};
use crate::access_log::Record;
use crate::config::model::{AccessLog, AccessLogFormat, AccessLogSink};
use crate::stats::FilesystemValues;

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pool-proxy-log-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An interval that no test lives to see.
const NEVER: Duration = Duration::from_secs(100_000);

fn options() -> Options {
    Options { flush_interval: NEVER, ..Options::default() }
}

fn to_file(path: &Path) -> [AccessLog; 1] {
    let format = AccessLogFormat::Text("%ROUTE_NAME%\n".to_owned());
    [AccessLog { sink: AccessLogSink::File(path.to_owned()), format }]
}

fn log(logger: &Logger, line: &str) {
    let mut record = Record::new(UNIX_EPOCH);
    record.route_name = Some(line);
    logger.log(&record);
}

fn values(logs: &Logs) -> FilesystemValues {
    let mut values = FilesystemValues::default();
    logs.values(&mut values);
    values
}

#[test]
#[expect(clippy::disallowed_methods, reason = "workers are threads")]
fn nothing_is_lost_on_shutdown_whoever_logs() {
    let folder = Folder::new();
    let path = folder.file("a.log");
    let logs = Logs::start(options()).expect("thread");
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let logger = logs.logger(&to_file(&path)).expect("opened");
            thread::spawn(move || {
                for number in 0..20_000 {
                    log(&logger, &format!("{worker} {number}"));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("worker");
    }
    logs.close();
    let text = fs::read_to_string(&path).expect("log");
    let mut next = [0u32; 4];
    for line in text.lines() {
        let (worker, number) = line.split_once(' ').expect("two words");
        let next = &mut next[worker.parse::<usize>().expect("worker")];
        assert_eq!(number.parse::<u32>().expect("number"), *next, "lines of a worker stay in order");
        *next += 1;
    }
    assert_eq!(next, [20_000; 4]);
    let values = values(&logs);
    assert_eq!((values.write_buffered.value(), values.write_dropped.value()), (80_000, 0));
    assert_eq!((values.write_total_buffered.value(), values.write_failed.value()), (0, 0));
}

#[test]
fn dropping_the_last_handle_writes_too() {
    let folder = Folder::new();
    let path = folder.file("a.log");
    let logs = Logs::start(options()).expect("thread");
    let logger = logs.logger(&to_file(&path)).expect("opened");
    log(&logger, "one");
    drop(logs);
    assert_eq!(fs::read_to_string(&path).expect("log"), "one\n");
}

#[test]
fn lines_after_the_end_are_counted_as_dropped() {
    let folder = Folder::new();
    let path = folder.file("a.log");
    let logs = Logs::start(options()).expect("thread");
    let logger = logs.logger(&to_file(&path)).expect("opened");
    logs.close();
    log(&logger, "late");
    let later = logs.logger(&to_file(&path)).expect("opened");
    log(&later, "later");
    logs.flush();
    logs.close();
    assert_eq!(fs::read_to_string(&path).expect("log"), "");
    assert_eq!(values(&logs).write_dropped.value(), 2);
}

#[test]
fn rotation_loses_nothing() {
    let folder = Folder::new();
    let (path, old) = (folder.file("a.log"), folder.file("a.log.1"));
    let logs = Logs::start(options()).expect("thread");
    let logger = logs.logger(&to_file(&path)).expect("opened");
    log(&logger, "before");
    fs::rename(&path, &old).expect("rename");
    log(&logger, "between");
    logs.reopen();
    logs.flush();
    log(&logger, "after");
    logs.flush();
    assert_eq!(fs::read_to_string(&old).expect("old"), "before\nbetween\n");
    assert_eq!(fs::read_to_string(&path).expect("new"), "after\n");
    assert_eq!(values(&logs).reopen_failed.value(), 0);
}

#[test]
fn a_file_that_cannot_be_reopened_stays_open() {
    let folder = Folder::new();
    let below = folder.file("below");
    fs::create_dir(&below).expect("folder");
    let moved = folder.file("moved");
    let path = below.join("a.log");
    let logs = Logs::start(options()).expect("thread");
    let logger = logs.logger(&to_file(&path)).expect("opened");
    fs::rename(&below, &moved).expect("rename");
    logs.reopen();
    logs.flush();
    log(&logger, "still here");
    logs.flush();
    assert_eq!(fs::read_to_string(moved.join("a.log")).expect("log"), "still here\n");
    assert_eq!(values(&logs).reopen_failed.value(), 1);
}

#[test]
fn loggers_of_one_path_share_the_file_and_append() {
    let folder = Folder::new();
    let path = folder.file("a.log");
    fs::write(&path, "there before\n").expect("write");
    let logs = Logs::start(options()).expect("thread");
    let (one, other) = (logs.logger(&to_file(&path)), logs.logger(&to_file(&path)));
    let (one, other) = (one.expect("opened"), other.expect("opened"));
    log(&one, "one");
    log(&other, "other");
    drop(one);
    logs.flush();
    assert_eq!(fs::read_to_string(&path).expect("log"), "there before\none\nother\n");
    assert_eq!(lock(&logs.0.writer.outputs).len(), 1);
    assert_eq!(lock(&logs.0.writer.outputs)[0].buffers().len(), 1, "a logger that is gone has no buffer");
    assert_eq!(values(&logs).write_buffered.value(), 2, "but its lines were counted");
}

#[test]
fn the_interval_writes_by_itself() {
    let folder = Folder::new();
    let path = folder.file("a.log");
    let logs =
        Logs::start(Options { flush_interval: Duration::from_millis(1), ..options() }).expect("thread");
    let logger = logs.logger(&to_file(&path)).expect("opened");
    log(&logger, "one");
    while values(&logs).write_completed.value() == 0 {
        thread::yield_now();
    }
    assert_eq!(fs::read_to_string(&path).expect("log"), "one\n");
    assert!(values(&logs).flushed_by_timer.value() > 0);
}

#[test]
fn problems_of_opening_are_told() {
    let folder = Folder::new();
    let logs = Logs::start(options()).expect("thread");
    let path = folder.file("no/such/folder.log");
    match logs.logger(&to_file(&path)) {
        Err(OpenError::File { path: told, error }) => {
            assert_eq!((told, error.kind()), (path, io::ErrorKind::NotFound));
        }
        other => panic!("{other:?}"),
    }
    let format = AccessLogFormat::Text("%NO".to_owned());
    let log = AccessLog { sink: AccessLogSink::Stderr, format };
    let error = logs.logger(&[log]).expect_err("not closed").to_string();
    assert_eq!(
        error,
        "access log format: at offset 0: `%` begins no operator (a percent sign is written `%%`)"
    );
    assert!(logs.logger(&[]).expect("nothing to open").is_empty() && Logger::none().is_empty());
}

/// A disk that stands still until it is released, and then fails or not.
#[derive(Default)]
struct Disk {
    state: Mutex<DiskState>,
    changed: Condvar,
}

#[derive(Default)]
struct DiskState {
    is_reached: bool,
    is_released: bool,
    fails: bool,
    bytes: Vec<u8>,
}

struct DiskHandle(Arc<Disk>);

impl Write for DiskHandle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = lock(&self.0.state);
        state.is_reached = true;
        self.0.changed.notify_all();
        while !state.is_released {
            state = self.0.changed.wait(state).expect("not poisoned");
        }
        if state.fails {
            return Err(io::Error::other("no space"));
        }
        state.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk {
    fn wait_until_reached(&self) {
        let mut state = lock(&self.state);
        while !state.is_reached {
            state = self.changed.wait(state).expect("not poisoned");
        }
    }

    fn release(&self, fails: bool) {
        let mut state = lock(&self.state);
        (state.is_released, state.fails) = (true, fails);
        self.changed.notify_all();
    }
}

/// Lets the disk go when a test fails, or the writing thread would be waited for in vain.
struct LetGo(Arc<Disk>);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.release(false);
    }
}

fn to_disk(logs: &Logs, disk: &Arc<Disk>) -> Logger {
    let target = Box::new(DiskHandle(disk.clone()));
    let output = Arc::new(Output::to(AccessLogSink::File("disk".into()), target));
    lock(&logs.0.writer.outputs).push(output.clone());
    let format = Format::parse("%ROUTE_NAME%\n").expect("format");
    Logger::new(vec![Outlet { format, buffer: output.add_buffer(), writer: logs.0.writer.clone() }])
}

#[test]
fn a_disk_that_stalls_costs_bounded_memory_and_the_drops_are_counted() {
    let small = Options { flush_size: 64, buffer_limit: 250, ..options() };
    let logs = Logs::start(small).expect("thread");
    let disk = Arc::new(Disk::default());
    let _at_the_end = LetGo(disk.clone());
    let logger = to_disk(&logs, &disk);
    let line = "x".repeat(31);
    log(&logger, &line);
    log(&logger, &line);
    // Two lines of 32 bytes are worth writing: no interval, nobody asked.
    disk.wait_until_reached();
    for _ in 0..20 {
        log(&logger, &line);
    }
    let stalled = values(&logs);
    assert_eq!(stalled.write_total_buffered.value(), 7 * 32);
    assert_eq!((stalled.write_buffered.value(), stalled.write_dropped.value()), (9, 13));
    disk.release(false);
    logs.close();
    assert_eq!(lock(&disk.state).bytes, format!("{line}\n").repeat(9).into_bytes());
}

#[test]
fn a_disk_that_fails_is_counted_and_the_log_goes_on() {
    let logs = Logs::start(options()).expect("thread");
    let disk = Arc::new(Disk::default());
    let logger = to_disk(&logs, &disk);
    disk.release(true);
    log(&logger, "lost");
    logs.flush();
    disk.release(false);
    log(&logger, "kept");
    logs.flush();
    let values = values(&logs);
    assert_eq!((values.write_failed.value(), values.write_completed.value()), (1, 1));
    assert_eq!(lock(&disk.state).bytes, b"kept\n");
}
