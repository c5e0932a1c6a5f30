//! `LOGICAL_DNS` with the system's resolver.

use std::net::SocketAddr;
use std::process::Command;

use crate::process::{Folder, find, run, until};
use crate::proxy::{Config, PROGRAM};
use crate::socket::{Peer, friendly_origin};

fn by_name(name: &str, upstream: SocketAddr) -> Config {
    Config {
        upstream: name.to_owned(),
        discovery: "LOGICAL_DNS",
        cluster: "
dns_lookup_family: V4_ONLY
dns_refresh_rate: 0.1s
dns_failure_refresh_rate: { base_interval: 0.1s, max_interval: 0.2s }",
        ..Config::new(upstream)
    }
}

#[test]
fn localhost_is_looked_up() {
    let upstream = friendly_origin();
    let proxy = by_name("localhost", upstream).start();
    assert_eq!(Peer::connect(proxy.address).ask("GET", "/").status, 200);
    let log = proxy.log(1);
    assert!(log[0].contains(&format!(" {upstream} ")), "{log:?}");
    assert!(proxy.cluster("update_success") > 0);
    proxy.terminate();
}

/// RFC 6761: no name under `invalid` resolves.
#[test]
fn a_name_that_is_not_there_is_no_healthy_upstream() {
    let proxy = by_name("nowhere.invalid", friendly_origin()).start();
    let mut peer = Peer::connect(proxy.address);
    let answer = peer.ask("GET", "/");
    assert_eq!((answer.status, &answer.content[..]), (503, &b"no healthy upstream"[..]));
    let log = proxy.log(1);
    assert!(log[0].contains(" 503 UH 0 19 no_healthy_upstream - "), "{log:?}");
    assert!(proxy.cluster("update_failure") > 0);
    let output = until("the reason", || Some(proxy.output()).filter(|said| said.contains("nowhere.invalid")));
    assert!(output.contains("DNS resolution failed"), "{output}");
    proxy.terminate();
}

/// With a hosts file of its own, which needs a mount namespace: not every system lets us have one.
#[test]
fn a_name_that_resolves_later_is_found() {
    let folder = Folder::new("hosts");
    let hosts = folder.write("hosts", "127.0.0.1 localhost\n");
    let mount = format!("mount --bind {} /etc/hosts", hosts.display());
    let Some(unshare) = find("unshare") else { return };
    let (code, _, errors) = run(Command::new(&unshare).args(["-m", "sh", "-c", &mount]));
    if code != Some(0) {
        eprintln!("SKIPPED: no mount namespace: {}", errors.trim());
        return;
    }
    let mut command = Command::new(unshare);
    command.args(["-m", "sh", "-c", &format!("{mount} && exec \"$0\" \"$@\"")]).arg(PROGRAM);
    let proxy = by_name("later.test", friendly_origin()).start_by(command);
    let mut peer = Peer::connect(proxy.address);
    assert_eq!(peer.ask("GET", "/").status, 503);
    folder.write("hosts", "127.0.0.1 localhost later.test\n");
    until("the name", || (peer.ask("GET", "/").status == 200).then_some(()));
    // And it stays, though the name is gone again.
    let failures = proxy.cluster("update_failure");
    folder.write("hosts", "127.0.0.1 localhost\n");
    until("further failures", || (proxy.cluster("update_failure") > failures + 1).then_some(()));
    assert_eq!(peer.ask("GET", "/").status, 200);
    proxy.terminate();
}
