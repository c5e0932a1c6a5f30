//! Recordings made by real runs: proved, explained, drawn, and refused where they are broken.

#[path = "../examples/incident/load.rs"]
mod load;
#[path = "../examples/incident/server.rs"]
mod server;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use load::Plan;
use pool_core::trace::log::{Reader, seal};
use pool_core::trace::{Recording, State};
use pool_proxy::recordings::record::{Recorder, StartError, header};
use pool_proxy::recordings::{command, files};
use pool_proxy::{RunOptions, run};
use support::config::simple;
use support::{Peer, Upstream};

/// A folder of this test's own, empty or not there.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// Runs a command on recordings: exit code, answer, complaint.
fn tell(arguments: &[&str]) -> (u8, String, String) {
    let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let command = command::parse(&arguments).expect("a command").expect("good arguments");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = command::run(&command, &mut out, &mut err);
    (code, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
}

#[test]
fn an_incident_is_proved_explained_and_drawn() {
    let folder = folder("incident");
    load::run(&folder, &Plan::incident()).expect("a recording");
    let path = folder.to_str().expect("text");

    let (code, out, err) = tell(&["replay", path]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert_eq!(out.matches("replayed equal to its end").count(), 2, "{out}");

    let page = folder.join("page.html");
    let (code, _, err) = tell(&["timeline", "-o", page.to_str().expect("text"), path]);
    assert_eq!((code, &*err), (0, ""));
    let page = fs::read_to_string(page).expect("a page");
    for outside in ["src=", "href=\"http", "@import", "url(", "fetch("] {
        assert!(!page.contains(outside), "the page asks for {outside}");
    }
    let script = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
    assert!(script.is_some_and(|data| data.starts_with('{') && data.ends_with('}')), "data in one piece");
    for cause in
        ["the attempt to connect failed", "idle_timeout", "the peer had asked for it", "refused by a limit"]
    {
        assert!(page.contains(cause), "{cause}");
    }

    // What the tables name can be asked for.
    let failed = page.split("Failed requests").nth(1).expect("a table");
    let id = failed.split("href=\"#").nth(1).and_then(|rest| rest.split('"').next()).expect("a request");
    let (worker, number) = id.split_once(':').expect("a name");
    let (code, story, err) = tell(&["explain", path, "--request", id]);
    assert_eq!((code, &*err), (0, ""));
    assert!(story.starts_with(&format!("request {number}, worker {worker}\n")), "{story}");
    assert!(story.contains("asked the pool of"), "{story}");
    let (code, with_flag, _) = tell(&["explain", path, "--request", number, "--worker", worker]);
    assert_eq!((code, with_flag), (0, story));
    let (code, _, err) = tell(&["explain", path, "--request", "0:99999999"]);
    assert_eq!((code, &*err), (2, "request 0:99999999 is not in the recording\n"));
    let (code, _, err) = tell(&["explain", path, "--request", "7:1"]);
    assert_eq!((code, &*err), (2, "no recording of worker 7\n"));
    let (code, _, err) = tell(&["explain", path, "--request", "0"]);
    assert_eq!(code, 2);
    assert!(err.starts_with("workers [0, 1] each have a request 0; say which, as in 0:0"), "{err}");
}

#[test]
fn other_settings_are_compared_with_what_was() {
    let folder = folder("what-if");
    load::run(&folder, &Plan::incident()).expect("a recording");
    let path = folder.to_str().expect("text");

    let (code, out, err) = tell(&["what-if", path, "--format", "json"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let (recorded, what_if) = out
        .strip_prefix("{\"recorded\":")
        .and_then(|rest| rest.split_once(",\"what_if\":"))
        .expect("both outcomes");
    assert!(what_if.starts_with(recorded), "unchanged settings change nothing: {out}");
    assert!(out.contains("\"diverged_at\":null") && out.contains("\"imputed\":0.000000"), "{out}");

    let (code, out, _) = tell(&["what-if", path, "--set", "max_connections=64"]);
    assert_eq!(code, 0);
    assert!(out.contains("are imputed"), "more connections change the course: {out}");
    let (code, _, err) = tell(&["what-if", path, "--set", "max_conections=64"]);
    assert_eq!(code, command::MISSING);
    assert!(err.contains("did you mean `max_connections`"), "{err}");
    let (code, out, err) = tell(&["simulate", "--requests", "2000", "--sweep", "max_connections=8,16"]);
    assert_eq!((code, &*err), (0, ""));
    assert!(out.contains("max_connections"), "{out}");
}

#[test]
fn what_is_wrong_with_a_recording_has_an_exit_code_and_words() {
    let folder = folder("broken");
    load::run(&folder, &Plan::steady(300)).expect("a recording");
    let whole = fs::read(folder.join(files::name(0))).expect("a file");
    let broken = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).expect("written");
        tell(&["replay", path.to_str().expect("text")])
    };
    let (code, out, _) = broken("cut", &whole[..whole.len() - 3]);
    assert!(code == 3 && out.contains("replayed equal up to where it was cut off"), "{code}: {out}");
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("bytes") ^= 4;
    let (code, out, _) = broken("flipped", &flipped);
    assert!(code == 4 && out.contains("the recording is damaged: wrong checksum"), "{code}: {out}");

    // Well-formed, and not what the pools do.
    let mut reader = Reader::new(&whole).expect("a recording");
    let mut other = reader.header().encode();
    while let Some(chunk) = reader.next_chunk().expect("whole") {
        other.extend(seal(chunk.payload, chunk.entries, chunk.digest ^ 1));
    }
    let (code, out, _) = broken("diverged", &other);
    assert!(code == 5 && out.contains("the pools answered or ordered something else"), "{code}: {out}");

    let (code, _, err) = broken("text", b"once upon a time");
    assert!(code == 2 && err.ends_with("text: this is no recording\n"), "{code}: {err}");
    let twice = folder.join("again.pooltrace");
    fs::write(&twice, &whole).expect("written");
    let (code, _, err) = tell(&["replay", folder.to_str().expect("text")]);
    assert!(code == 2 && err.contains("are of the same worker"), "{code}: {err}");
    // The worst of several counts, and each is told.
    let (cut, one) = (folder.join("cut"), folder.join(files::name(1)));
    let (code, out, _) = tell(&["replay", cut.to_str().expect("text"), one.to_str().expect("text")]);
    assert!(code == 3 && out.contains("worker 1"), "{code}: {out}");
    // A cut recording is drawn up to the cut, and the page says so.
    let (code, page, err) = tell(&["timeline", "-o", "-", cut.to_str().expect("text")]);
    assert!(code == 0 && err.contains("told is what was recorded before"), "{code}: {err}");
    assert!(page.contains("<li class=\"warn\">"), "the page tells of the cut");
}

#[test]
fn a_proxy_records_its_workers_and_keeps_an_older_recording() {
    let folder = folder("proxy");
    let serve = |requests: usize| {
        let upstream = Upstream::bind();
        let mut options = RunOptions::default();
        options.concurrency = Some(2);
        options.record = Some(folder.clone());
        let proxy = run(simple(upstream.address()), options).expect("a proxy");
        for _ in 0..requests {
            let mut client = Peer::connect(proxy.addresses()[0]);
            client.send("GET /hidden HTTP/1.1\r\nhost: test\r\nx-hidden: 1\r\nconnection: close\r\n\r\n");
            let mut server = upstream.accept();
            server.head();
            server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            assert_eq!(client.response().1, "ok");
        }
        proxy.stop();
        proxy.wait().expect("an end in order");
    };
    serve(6);
    let path = folder.to_str().expect("text");
    let (code, out, err) = tell(&["replay", path]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let recordings = files::open(std::slice::from_ref(&folder)).expect("recordings");
    assert_eq!(recordings.iter().map(|file| file.header.worker).collect::<Vec<_>>(), [0, 1]);
    let histories = recordings.iter().map(|file| file.history().expect("whole"));
    assert_eq!(histories.map(|history| history.requests.len()).sum::<usize>(), 6);
    for file in &recordings {
        assert!(!file.bytes.windows(6).any(|bytes| bytes == b"hidden"), "nothing of a request is recorded");
    }
    // The next one serves and leaves it alone.
    serve(1);
    assert!(
        files::open(std::slice::from_ref(&folder))
            .expect("recordings")
            .iter()
            .zip(&recordings)
            .all(|(now, before)| now.bytes == before.bytes)
    );
}

#[test]
fn a_disk_that_fails_ends_the_recording_and_is_said() {
    let folder = folder("disk");
    let said = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&said);
    let recorder = Recorder::start(&folder, move |message| hear.lock().expect("whole").push(message))
        .expect("a recorder");
    fs::remove_dir(&folder).expect("removed");
    let recording = Recording::new(&header(3, 4, 0));
    recorder.inbox().add(3, recording.clone());
    drop(recorder);
    assert_eq!(recording.state(), State::Stopped);
    assert!(recording.take().is_none(), "nothing is kept for nobody");
    let said = said.lock().expect("whole");
    assert!(said.len() == 1 && said[0].starts_with("worker 3 is not recorded: "), "{said:?}");
    // A folder that holds a recording is not written to.
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("worker-0.pooltrace"), "").expect("written");
    assert!(matches!(Recorder::start(&folder, |_| ()), Err(StartError::Taken(_))));
}
