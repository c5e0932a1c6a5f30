//! Scripted HTTP/1 origins: they keep the rules, or break them as they were told to.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::{Method, Request};
use pool_core::runtime::Accept;

use super::content::{Check, bytes_from};
use super::fabric::Net;
use super::peer::{Got, Session, Stop};
use super::rng::Rng;
use super::stream::Stream;
use super::world::World;

/// How an origin behaves. Chances in thousandths, per response unless said otherwise.
#[derive(Clone, Debug, Default)]
pub struct Manners {
    /// Before a response, in microseconds.
    pub think: (u64, u64),
    /// Ends a connection after so many answers.
    pub answers: Option<u64>,
    /// Says so in the last answer (per connection).
    pub says_close: u32,
    /// Ends a connection that had no request for so long, in microseconds.
    pub idle: Option<(u64, u64)>,
    /// Says 408 before that.
    pub says_408: u32,
    /// Answers before the request was read.
    pub early: u32,
    /// Sends 103 first.
    pub interim: u32,
    /// Sends the content in pieces with pauses.
    pub slow: u32,
    /// Ends the content with the connection.
    pub until_eof: u32,
    /// Answers in HTTP/1.0, which ends the connection.
    pub old: u32,
    /// Breaks the message off.
    pub cut: u32,
    /// Sends something that is no HTTP/1.
    pub malformed: u32,
    /// Reads the request and says nothing any more.
    pub silent: u32,
    /// Closes instead of answering.
    pub hangs_up: u32,
    /// Sends bytes behind the message.
    pub babbles: u32,
}

impl Manners {
    /// An origin without a fault.
    #[must_use]
    pub fn good(rng: &mut Rng) -> Self {
        Self {
            think: *rng.pick(&[(0, 0), (0, 100), (1000, 20_000)]),
            interim: *rng.pick(&[0, 100]),
            slow: *rng.pick(&[0, 50]),
            ..Self::default()
        }
    }

    /// An origin that ends connections as it likes.
    #[must_use]
    pub fn moody(rng: &mut Rng) -> Self {
        Self {
            answers: *rng.pick(&[None, Some(1), Some(2), Some(10)]),
            says_close: *rng.pick(&[0, 500, 1000]),
            idle: *rng.pick(&[None, Some((100, 2000)), Some((1000, 1_000_000))]),
            says_408: *rng.pick(&[0, 500]),
            until_eof: *rng.pick(&[0, 200]),
            old: *rng.pick(&[0, 0, 300]),
            ..Self::good(rng)
        }
    }

    /// An origin with every fault.
    #[must_use]
    pub fn bad(rng: &mut Rng) -> Self {
        Self {
            early: *rng.pick(&[0, 100]),
            cut: *rng.pick(&[0, 50, 200]),
            malformed: *rng.pick(&[0, 100]),
            silent: *rng.pick(&[0, 100]),
            hangs_up: *rng.pick(&[0, 50, 300]),
            babbles: *rng.pick(&[0, 100]),
            ..Self::moody(rng)
        }
    }
}

/// Where an origin is and what it does.
pub struct Site {
    /// The network that it is in.
    pub net: Net,
    /// Its address.
    pub address: SocketAddr,
    /// How it behaves.
    pub manners: Manners,
    /// Its own chance.
    pub rng: RefCell<Rng>,
}

impl Site {
    /// Listens and serves until `stop`.
    pub fn open(self: &Rc<Self>, stop: &Stop) {
        let (site, stop) = (self.clone(), stop.clone());
        let mut listener = self.net.listen(self.address);
        let watch = stop.watch();
        self.world().start("origin", async move {
            loop {
                let accepted = poll_fn(|cx| {
                    if watch.poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    listener.poll_accept(cx).map(Some)
                });
                match accepted.await {
                    None => return,
                    Some(Err(_)) => {}
                    Some(Ok((io, _))) => site.greet(io, &stop),
                }
            }
        });
    }

    fn world(&self) -> &World {
        self.net.world()
    }

    fn greet(self: &Rc<Self>, io: Stream, stop: &Stop) {
        let session = Session::new(self.world().clone(), io, stop.watch());
        let site = self.clone();
        self.world().start("origin connection", async move {
            site.serve(session).await;
        });
    }

    fn chance(&self, permille: u32, fault: &'static str) -> bool {
        let happens = self.rng.borrow_mut().permille(permille);
        if happens {
            self.world().account().count(fault);
        }
        happens
    }

    fn micros(&self, (low, high): (u64, u64)) -> Duration {
        self.rng.borrow_mut().micros(low, high)
    }

    async fn serve(&self, mut session: Session) {
        let manners = &self.manners;
        let says_close = self.rng.borrow_mut().permille(manners.says_close);
        let mut answered = 0;
        loop {
            let idle = manners.idle.map(|range| self.micros(range));
            let request = loop {
                match session.next(idle).await {
                    Got::Head(request) => break request,
                    Got::Data(_) | Got::End => {}
                    Got::Late => return self.hang_up_idle(session).await,
                    Got::Gone | Got::Stopped => return,
                }
            };
            answered += 1;
            let is_last = manners.answers.is_some_and(|limit| answered >= limit);
            let ends = match (is_last, says_close) {
                (true, true) => Ends::Announced,
                (true, false) => Ends::Silently,
                (false, _) if self.chance(manners.old, "peer: HTTP/1.0") => Ends::Old,
                (false, _) => Ends::No,
            };
            if !self.exchange(&mut session, request, ends).await {
                return;
            }
        }
    }

    async fn hang_up_idle(&self, mut session: Session) {
        self.world().account().count("peer: closed while idle");
        if self.chance(self.manners.says_408, "peer: 408 while idle") {
            session
                .write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    }

    /// One request and its response; `false` if the connection is over.
    async fn exchange(&self, session: &mut Session, request: Request<()>, ends: Ends) -> bool {
        let (world, manners) = (self.world(), &self.manners);
        let Some(asked) = Asked::of(&request) else {
            world.object(|| format!("an origin received a request without a number: {request:?}"));
            return false;
        };
        let (id, number) = (asked.id, session.io.number());
        world.say(|| format!("c{number} request {id} delivered: {} {}", request.method(), request.uri()));
        world.account().delivered(id);
        let is_early = asked.upload > 0 && self.chance(manners.early, "peer: early response");
        if !is_early && !self.read_upload(session, &asked).await {
            return false;
        }
        if !is_early && session.unread() > 0 {
            world.object(|| format!("c{number}: bytes behind request {id}, which was not answered yet"));
        }
        if !session.pause(self.micros(manners.think)).await {
            return false;
        }
        if self.chance(manners.hangs_up, "peer: closed instead of answering") {
            if self.rng.borrow_mut().permille(500) {
                session.io.abort();
            }
            return false;
        }
        if self.chance(manners.silent, "peer: stopped answering") {
            session.drain(Duration::from_secs(3600)).await;
            return false;
        }
        if self.chance(manners.malformed, "peer: malformed response") {
            self.write_nonsense(session).await;
            session.drain(Duration::from_secs(1)).await;
            return false;
        }
        if !self.respond(session, &asked, ends).await {
            return false;
        }
        if is_early && !self.read_upload(session, &asked).await {
            return false;
        }
        if !matches!(ends, Ends::No) {
            world.account().count("peer: closed after an answer");
            self.leave(session, &asked, ends, is_early).await;
            return false;
        }
        session.end_exchange()
    }

    /// Closes; a connection whose end was announced takes no further request.
    async fn leave(&self, session: &mut Session, asked: &Asked, ends: Ends, is_early: bool) {
        let lingers = self.rng.borrow_mut().permille(500);
        if !lingers {
            return;
        }
        if self.rng.borrow_mut().permille(500) {
            session.finish().await;
        }
        let came = session.drain(Duration::from_millis(100)).await;
        if came > 0 && !is_early && matches!(ends, Ends::Announced | Ends::Old) {
            let number = session.io.number();
            self.world().object(|| {
                format!(
                    "c{number}: {came} bytes after the response to {} said that the connection ends",
                    asked.id
                )
            });
        }
    }

    async fn read_upload(&self, session: &mut Session, asked: &Asked) -> bool {
        let mut check = Check::new(asked.id);
        loop {
            match session.next(None).await {
                Got::Data(data) => {
                    if let Err(at) = check.feed(&data) {
                        self.world()
                            .object(|| format!("request {}: byte {at} of its content is wrong", asked.id));
                        return false;
                    }
                }
                Got::End => break,
                Got::Head(_) | Got::Gone | Got::Late | Got::Stopped => return false,
            }
        }
        if check.length() != asked.upload {
            self.world().object(|| {
                format!("request {} ended after {} of {} bytes", asked.id, check.length(), asked.upload)
            });
            return false;
        }
        true
    }

    async fn write_nonsense(&self, session: &mut Session) {
        const NONSENSE: [&[u8]; 8] = [
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ];
        let bytes = *self.rng.borrow_mut().pick(&NONSENSE);
        session.write(bytes).await;
        if self.rng.borrow_mut().permille(200) {
            // A head without an end.
            for _ in 0..40 {
                let field = [b"x-more: ".as_slice(), &[b'm'; 2000], b"\r\n"].concat();
                if !session.write(&field).await {
                    return;
                }
            }
        }
    }

    /// Writes the response; `false` if the connection is over.
    async fn respond(&self, session: &mut Session, asked: &Asked, ends: Ends) -> bool {
        let manners = &self.manners;
        if ends != Ends::Old
            && self.chance(manners.interim, "peer: interim response")
            && !session.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await
        {
            return false;
        }
        let framing = if asked.is_head || asked.want == 0 {
            Framing::Length
        } else if self.chance(manners.until_eof, "peer: content until the end of the connection") {
            Framing::UntilEof
        } else if ends != Ends::Old && self.rng.borrow_mut().permille(400) {
            Framing::Chunked
        } else {
            Framing::Length
        };
        let (head, message) = self.encode(asked, framing, ends);
        let content_from = head;
        let mut end = message.len();
        let cut = self.chance(manners.cut, "peer: message broken off");
        if cut {
            end = self.rng.borrow_mut().index(message.len());
        }
        let is_slow = self.chance(manners.slow, "peer: slow content");
        let mut at = 0;
        while at < end {
            let piece = if is_slow { self.rng.borrow_mut().within(1, 4000) as usize } else { 16 * 1024 };
            let next = (at + piece).min(end);
            let goes_on = session.write(&message[at..next]).await
                && (!is_slow || session.pause(self.micros((0, 20_000))).await);
            if !goes_on {
                // It was stopped, and closes as if this were all.
                if framing == Framing::UntilEof && session.is_stopped() {
                    self.world().account().cut_silently(asked.id);
                }
                return false;
            }
            at = next;
        }
        if cut {
            if self.rng.borrow_mut().permille(300) {
                session.io.abort();
            } else if framing == Framing::UntilEof && end >= content_from {
                self.world().account().cut_silently(asked.id);
            }
            return false;
        }
        if framing == Framing::UntilEof {
            return false;
        }
        if self.chance(manners.babbles, "peer: bytes behind the response") {
            session.write(b"\x00\x01 not asked for").await;
            session.drain(Duration::from_secs(1)).await;
            return false;
        }
        true
    }

    /// The whole message, and the length of its head.
    fn encode(&self, asked: &Asked, framing: Framing, ends: Ends) -> (usize, Vec<u8>) {
        let version = if ends == Ends::Old { "1.0" } else { "1.1" };
        let mut head = format!("HTTP/{version} 200 OK\r\nx-id: {}\r\nx-want: {}\r\n", asked.id, asked.want);
        match framing {
            Framing::Length => head.push_str(&format!("Content-Length: {}\r\n", asked.want)),
            Framing::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
            Framing::UntilEof => {}
        }
        if matches!(ends, Ends::Announced) {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        let mut message = head.into_bytes();
        let head = message.len();
        if asked.is_head {
            return (head, message);
        }
        let content = bytes_from(asked.id, 0, asked.want);
        if framing == Framing::Chunked {
            let mut rest = content.as_slice();
            while !rest.is_empty() {
                let size = (self.rng.borrow_mut().size(rest.len() as u64).max(1) as usize).min(rest.len());
                message.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                message.extend_from_slice(&rest[..size]);
                message.extend_from_slice(b"\r\n");
                rest = &rest[size..];
            }
            message.extend_from_slice(b"0\r\n\r\n");
        } else {
            message.extend_from_slice(&content);
        }
        (head, message)
    }
}

/// Whether an answer is the last one of its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    No,
    /// By its version (RFC 9112 9.3).
    Old,
    Announced,
    Silently,
}

/// How content is delimited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked,
    UntilEof,
}

/// What a request of the simulation asks for, in its fields.
pub struct Asked {
    /// Its number.
    pub id: u64,
    /// Bytes of content that it brings.
    pub upload: u64,
    /// Bytes of content that it wants.
    pub want: u64,
    /// Whether the response has no content whatever it says.
    pub is_head: bool,
}

impl Asked {
    /// Reads the fields.
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        let number = |name: &str| request.headers().get(name)?.to_str().ok()?.parse().ok();
        Some(Self {
            id: number("x-id")?,
            upload: number("x-upload")?,
            want: number("x-want")?,
            is_head: request.method() == Method::HEAD,
        })
    }
}
