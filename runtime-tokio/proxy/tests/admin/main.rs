//! The admin port over a real socket, with a proxy that only says what a test wants.

mod fake;
mod paths;
mod stats;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use fake::Fake;
use pool_proxy::access_log::{Logger, Logs, Options};
use pool_proxy::admin::serve;
use pool_proxy::config::model::{AccessLog, AccessLogFormat, AccessLogSink};
use runtime_tokio::Listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Asks for something on a connection of its own.
pub(crate) async fn ask(to: SocketAddr, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(to).await.expect("connected");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("answered");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Runs a case against a served fake.
pub(crate) fn run<F: Future<Output = ()>>(fake: &Fake, case: impl FnOnce(SocketAddr) -> F) {
    run_logging(fake, Logger::none(), case);
}

fn run_logging<F: Future<Output = ()>>(fake: &Fake, log: Logger, case: impl FnOnce(SocketAddr) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let listener = Listener::bind("127.0.0.1:0").await.expect("bound");
        let to = listener.local_addr().expect("an address");
        let handle = serve(listener, fake.clone(), log);
        case(to).await;
        assert_eq!(handle.shutdown(Duration::from_secs(5)).await, 0);
    });
}

#[test]
fn the_admin_port_has_an_access_log() {
    let path = std::env::temp_dir().join(format!("pool-proxy-admin-{}.log", std::process::id()));
    let logs = Logs::start(Options::default()).expect("thread");
    let format = "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %REQ(:AUTHORITY)% %RESPONSE_CODE% %BYTES_SENT% \
        %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\n";
    let log = AccessLog {
        sink: AccessLogSink::File(path.clone()),
        format: AccessLogFormat::Text(format.to_owned()),
    };
    let logger = logs.logger(&[log]).expect("opened");
    run_logging(&Fake::new(), logger, async |to| {
        ask(to, "GET", "/ready?x=1").await;
        ask(to, "GET", "/quitquitquit").await;
    });
    logs.close();
    let text = std::fs::read_to_string(&path).expect("log");
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(
        text,
        "GET /ready?x=1 HTTP/1.1 admin 200 5 127.0.0.1\nGET /quitquitquit HTTP/1.1 admin 405 19 127.0.0.1\n"
    );
}
