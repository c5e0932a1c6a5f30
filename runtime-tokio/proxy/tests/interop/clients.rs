//! curl on one side, nginx and node on the other.

use std::process::Command;

use crate::process::{Folder, find, run};
use crate::programs::{Nginx, Node};
use crate::proxy::{Config, Proxy};
use crate::socket::{Peer, friendly_origin};

/// curl without a configuration of the user's; what it wrote and what it told with `-v`.
#[track_caller]
fn curl(arguments: &[&str]) -> Option<(String, String)> {
    let program = find("curl")?;
    let mut command = Command::new(program);
    command.args(["-q", "-sS", "-v", "--noproxy", "*", "--max-time", "20"]).args(arguments);
    let (code, out, err) = run(&mut command);
    assert_eq!(code, Some(0), "{out}{err}");
    Some((out, err))
}

/// What an echo says of the request it got, as JSON; `/trailers` answers with trailers; an upgrade
/// echoes what it reads.
const NODE: &str = r"
const http = require('http'), crypto = require('crypto');
const server = http.createServer((request, response) => {
  const hash = crypto.createHash('sha256');
  let length = 0;
  request.on('data', (data) => { hash.update(data); length += data.length; });
  request.on('end', () => {
    if (request.url === '/trailers') {
      response.writeHead(200, { Trailer: 'x-sum' });
      response.write('content');
      response.addTrailers({ 'x-sum': hash.digest('hex').slice(0, 8) });
      return response.end();
    }
    const { method, url, headers, trailers } = request;
    const told = JSON.stringify({ method, url, headers, trailers, length, hash: hash.digest('hex') });
    response.end(told);
  });
});
server.on('upgrade', (request, socket, head) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome');
  socket.write(head);
  socket.pipe(socket);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
";

fn through_nginx() -> Option<(Nginx, Proxy)> {
    let nginx = Nginx::start()?;
    let proxy = Config::new(nginx.address()).start();
    Some((nginx, proxy))
}

#[test]
fn curl_keeps_its_connection() {
    let Some((_nginx, proxy)) = through_nginx() else { return };
    let (small, large) = (proxy.url("/100"), proxy.url("/16k"));
    let write = "%{http_code} %{size_download} %{num_connects}\n";
    let arguments =
        ["-w", write, "-o", "/dev/null", &small, "-o", "/dev/null", &large, "-o", "/dev/null", &small];
    let Some((out, _)) = curl(&arguments) else { return };
    assert_eq!(out, "200 100 1\n200 16384 0\n200 100 0\n");
    assert_eq!(proxy.cluster("upstream_cx_total"), 1);
    assert_eq!(proxy.http("downstream_cx_total"), 1);
    proxy.terminate();
}

#[test]
fn curl_asks_for_the_head_and_for_what_it_has_already() {
    let Some((_nginx, proxy)) = through_nginx() else { return };
    let (small, missing) = (proxy.url("/100"), proxy.url("/missing"));
    let Some((out, _)) = curl(&["-I", &small, &small]) else { return };
    assert_eq!(out.to_ascii_lowercase().matches("content-length: 100\r\n").count(), 2, "{out}");
    let out = out.to_ascii_lowercase();
    assert!(out.contains("server: envoy\r\n") && out.contains("x-envoy-upstream-service-time: "), "{out}");
    let etag = out.lines().find_map(|line| line.strip_prefix("etag: ")).expect("nginx tells an etag");
    let condition = format!("If-None-Match: {}", etag.trim());
    let write = "%{http_code} %{num_connects}\n";
    let arguments = ["-H", &condition, "-w", write, &small, &small];
    let (out, _) = curl(&arguments).expect("found a moment ago");
    assert_eq!(out, "304 1\n304 0\n", "no content, and the connection goes on");
    let (out, _) = curl(&["-w", "%{http_code}", "-o", "/dev/null", &missing]).expect("found a moment ago");
    assert_eq!(out, "404");
    proxy.terminate();
}

#[test]
fn curl_uploads() {
    let Some(node) = Node::start(NODE) else { return };
    let proxy = Config::new(node.address).start();
    let folder = Folder::new("upload");
    let file = folder.write("file", vec![b'u'; 3 * 1024 * 1024]);
    let (data, url) = (format!("@{}", file.display()), proxy.url("/echo"));
    for (fields, is_asked) in [
        (vec!["Expect: 100-continue"], true),
        (vec!["Expect:"], false),
        (vec!["Expect: 100-continue", "Transfer-Encoding: chunked"], true),
        (vec!["Expect:", "Transfer-Encoding: chunked"], false),
    ] {
        let mut arguments = vec!["--data-binary", &data, &url];
        arguments.extend(fields.iter().flat_map(|field| ["-H", field]));
        let Some((out, err)) = curl(&arguments) else { return };
        assert!(out.contains("\"length\":3145728") && out.contains("\"method\":\"POST\""), "{out}");
        let is_chunked = fields.len() > 1;
        assert_eq!(out.contains("\"transfer-encoding\":\"chunked\""), is_chunked, "{out}");
        assert_eq!(out.contains("\"content-length\":\"3145728\""), !is_chunked, "{out}");
        assert_eq!(err.contains("HTTP/1.1 100 Continue"), is_asked, "{fields:?} {err}");
    }
    assert_eq!(proxy.cluster("upstream_cx_total"), 1);
    proxy.terminate();
}

/// nginx refuses after the head and closes; curl has 20 MiB to send and still gets to see the refusal.
#[test]
fn curl_sees_an_early_refusal_of_its_upload() {
    let Some((_nginx, proxy)) = through_nginx() else { return };
    let folder = Folder::new("upload");
    let file = folder.write("file", vec![b'u'; 20 * 1024 * 1024]);
    let (data, url) = (format!("@{}", file.display()), proxy.url("/upload"));
    for expect in ["Expect:", "Expect: 100-continue"] {
        for framing in ["X-Framing: length", "Transfer-Encoding: chunked"] {
            let arguments = [
                "-H",
                expect,
                "-H",
                framing,
                "--data-binary",
                &data,
                "-w",
                "%{http_code}",
                "-o",
                "/dev/null",
            ];
            for _ in 0..5 {
                let Some((out, err)) = curl(&[&arguments[..], &[&url]].concat()) else { return };
                assert_eq!(out, "413", "{expect} {framing} {err}");
            }
        }
    }
    // And the proxy serves on.
    assert_eq!(Peer::connect(proxy.address).ask("GET", "/100").status, 200);
    proxy.terminate();
}

#[test]
fn curl_is_told_to_upgrade_from_http_1_0() {
    let proxy = Config::new(friendly_origin()).start();
    let Some((out, err)) = curl(&["-0", "-w", "%{http_code}", &proxy.url("/")]) else { return };
    assert!(out.ends_with("426"), "{out}{err}");
    assert_eq!(proxy.cluster("upstream_rq_total"), 0);
    proxy.terminate();
}

#[test]
fn curl_with_http_1_0_is_served_if_that_is_configured() {
    let manager = "http_protocol_options: { accept_http_10: true, default_host_for_http_10: old.test }";
    let Some(node) = Node::start(NODE) else { return };
    let proxy = Config { manager, ..Config::new(node.address) }.start();
    let Some((out, err)) = curl(&["-0", "-H", "Host:", &proxy.url("/old")]) else { return };
    assert!(out.contains("\"host\":\"old.test\"") && out.contains("\"url\":\"/old\""), "{out}{err}");
    proxy.terminate();
}

#[test]
fn websockets_are_tunnels() {
    let Some(node) = Node::start(NODE) else { return };
    let manager = "upgrade_configs: [{ upgrade_type: websocket }]";
    let proxy = Config { manager, ..Config::new(node.address) }.start();
    let mut peer = Peer::connect(proxy.address);
    // The first bytes travel with the request.
    peer.send("GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly");
    let head = peer.head().expect("an answer");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.to_ascii_lowercase().contains("upgrade: websocket\r\n"), "{head}");
    assert_eq!(peer.exactly(12), b"welcomeearly");
    for round in 0..100_u8 {
        let sent = vec![round; 1 + usize::from(round) * 400];
        peer.send(&sent);
        assert_eq!(peer.exactly(sent.len()), sent);
    }
    assert_eq!(proxy.http("downstream_cx_upgrades_active"), 1);
    peer.finish();
    assert_eq!(peer.read_to_end(), b"", "node ends its side, too");
    let log = proxy.log(1);
    assert!(log[0].starts_with("GET /chat HTTP/1.1 101 - "), "{log:?}");
    assert_eq!(proxy.http("downstream_cx_upgrades_active"), 0);
    proxy.terminate();
}

/// Without `upgrade_configs` nothing is switched.
#[test]
fn upgrades_are_refused_unless_configured() {
    let proxy = Config::new(friendly_origin()).start();
    let mut peer = Peer::connect(proxy.address);
    peer.send("GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(peer.message().expect("an answer").status, 403);
    assert_eq!(proxy.cluster("upstream_rq_total"), 0);
    proxy.terminate();
}

#[test]
fn trailers_pass_if_that_is_configured() {
    let Some(node) = Node::start(NODE) else { return };
    let upload = "POST /echo HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nTrailer: x-mark\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-mark: seen\r\n\r\n";
    for is_enabled in [true, false] {
        let mut config = Config::new(node.address);
        if is_enabled {
            config.manager = "http_protocol_options: { enable_trailers: true }";
            config.upstream_http = "{ enable_trailers: true }";
        }
        let proxy = config.start();
        let mut peer = Peer::connect(proxy.address);
        let answer = peer.ask("GET", "/trailers");
        assert_eq!(answer.content, b"content");
        assert_eq!(answer.field("x-sum").is_some(), is_enabled, "{}", answer.head);
        peer.send(upload);
        let told = String::from_utf8(peer.message().expect("an answer").content).expect("text");
        assert!(told.contains("\"length\":3"), "{told}");
        assert_eq!(told.contains("\"trailers\":{\"x-mark\":\"seen\"}"), is_enabled, "{told}");
        proxy.terminate();
    }
}
