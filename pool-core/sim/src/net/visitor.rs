//! Scripted clients of this project's server: impatient, slow, rude, and one that pipelines and checks
//! every byte with a parser of its own.

use std::net::SocketAddr;
use std::time::Duration;

use super::account::{Effect, Outcome};
use super::content::{Check, bytes_from};
use super::fabric::Net;
use super::peer::{Read, Stop, Watch, read_some, write_all};
use super::rng::Rng;
use super::stream::Stream;
use super::world::World;

/// What a visitor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Sends so many requests at once and reads all responses.
    Pipelines(u64),
    /// Says nothing.
    SaysNothing,
    /// Stops in the middle of a head.
    HalfAHead,
    /// Stops in the middle of its content.
    HalfABody,
    /// Sends something that is no HTTP.
    Nonsense,
    /// Ends its direction behind a request.
    HalfCloses,
    /// Resets while it is being answered.
    Resets,
    /// Asks for much and reads nothing.
    NeverReads,
}

impl Errand {
    /// One at random.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        match rng.below(14) {
            0 => Self::SaysNothing,
            1 => Self::HalfAHead,
            2 => Self::HalfABody,
            3 => Self::Nonsense,
            4 => Self::HalfCloses,
            5 => Self::Resets,
            6 => Self::NeverReads,
            _ => Self::Pipelines(rng.within(1, 8)),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pipelines(_) => "visitor: pipelined",
            Self::SaysNothing => "visitor: said nothing",
            Self::HalfAHead => "visitor: half a head",
            Self::HalfABody => "visitor: half a body",
            Self::Nonsense => "visitor: nonsense",
            Self::HalfCloses => "visitor: half-closed",
            Self::Resets => "visitor: reset",
            Self::NeverReads => "visitor: never read",
        }
    }
}

/// A visit: connects, does its errand, leaves.
pub async fn visit(net: Net, to: SocketAddr, errand: Errand, mut rng: Rng, stop: Stop) {
    let (world, watch) = (net.world().clone(), stop.watch());
    let Ok(mut io) = net.dial(to).await else { return };
    world.account().count(errand.name());
    world.say(|| format!("c{} visitor: {errand:?}", io.number()));
    let stay = Duration::from_secs(120);
    let mut scrap = [0; 512];
    match errand {
        Errand::Pipelines(count) => return pipeline(&world, &mut io, &watch, &mut rng, count).await,
        Errand::SaysNothing => {}
        Errand::HalfAHead => {
            write_all(&mut io, &watch, b"GET /half HTTP/1.1\r\nHost: a\r\nx-").await;
        }
        Errand::HalfABody => {
            let id = world.account().register(Effect::Idempotent);
            let head = format!(
                "PUT / HTTP/1.1\r\nHost: a\r\nx-id: {id}\r\nx-want: 5\r\nx-upload: 10\r\nContent-Length: 10\r\n\r\n"
            );
            world.account().outcome(id, Outcome::Cancelled);
            write_all(&mut io, &watch, &[head.into_bytes(), bytes_from(id, 0, 3)].concat()).await;
        }
        Errand::Nonsense => {
            write_all(&mut io, &watch, b"\x16\x03\x01 this is no HTTP\r\n\r\n").await;
        }
        Errand::HalfCloses | Errand::Resets | Errand::NeverReads => {
            let want = if errand == Errand::NeverReads { 300_000 } else { rng.size(20_000) };
            let id = world.account().register(Effect::Idempotent);
            world.account().outcome(id, Outcome::Cancelled);
            write_all(&mut io, &watch, head_of(id, want).as_bytes()).await;
            match errand {
                Errand::HalfCloses => {
                    let _ =
                        std::future::poll_fn(|cx| pool_core::runtime::Io::poll_shutdown(&mut io, cx)).await;
                }
                Errand::Resets => {
                    watch.pause(&world, rng.micros(0, 5000)).await;
                    io.abort();
                    return;
                }
                _ => {
                    watch.pause(&world, stay).await;
                    return;
                }
            }
        }
    }
    while let Read::Bytes(_) = read_some(&world, &mut io, &watch, &mut scrap, stay).await {}
}

fn head_of(id: u64, want: u64) -> String {
    format!("GET /{id} HTTP/1.1\r\nHost: a\r\nx-id: {id}\r\nx-upload: 0\r\nx-want: {want}\r\n\r\n")
}

async fn pipeline(world: &World, io: &mut Stream, watch: &Watch, rng: &mut Rng, count: u64) {
    let asked: Vec<(u64, u64)> =
        (0..count).map(|_| (world.account().register(Effect::Idempotent), rng.size(8000))).collect();
    let requests: String = asked.iter().map(|(id, want)| head_of(*id, *want)).collect();
    let mut reader = Reader::default();
    let mut buffer = [0; 4096];
    let mut is_over = !write_all(io, watch, requests.as_bytes()).await;
    let mut closes = false;
    for (id, want) in asked {
        let mut outcome = Outcome::Cancelled;
        while !is_over {
            match reader.next() {
                Ok(Some(answer)) => {
                    outcome = check(world, id, want, &answer);
                    if closes {
                        world.object(|| {
                            format!("request {id} was answered behind a response that said close")
                        });
                    }
                    closes |= answer.closes;
                    break;
                }
                Ok(None) => match read_some(world, io, watch, &mut buffer, Duration::from_secs(120)).await {
                    Read::Bytes(n) => reader.bytes.extend_from_slice(&buffer[..n]),
                    Read::End | Read::Late => is_over = true,
                },
                Err(words) => {
                    world.object(|| format!("request {id}: the server wrote {words}"));
                    is_over = true;
                }
            }
        }
        world.account().outcome(id, outcome);
    }
}

fn check(world: &World, id: u64, want: u64, answer: &Answer) -> Outcome {
    if answer.status != 200 {
        if !matches!(answer.status, 408 | 500) {
            world.object(|| format!("request {id} got {}", answer.status));
        }
        return Outcome::Refused;
    }
    if answer.id != Some(id) {
        world.object(|| format!("the response to {id} is that of {:?}", answer.id));
    }
    let mut check = Check::new(id);
    let content = check.feed(&answer.content);
    if content.is_err() || check.length() != want {
        world.object(|| format!("request {id}: {content:?} after {} of {want} bytes", check.length()));
    }
    Outcome::Complete
}

/// A response, complete.
struct Answer {
    status: u16,
    id: Option<u64>,
    closes: bool,
    content: Vec<u8>,
}

/// Reads responses that follow each other; knows no more than what the server may write.
#[derive(Default)]
struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    fn next(&mut self) -> Result<Option<Answer>, String> {
        loop {
            let Some(end) = find(&self.bytes, b"\r\n\r\n") else { return Ok(None) };
            let head = String::from_utf8_lossy(&self.bytes[..end]).to_ascii_lowercase();
            let mut lines = head.split("\r\n");
            let status: u16 = lines
                .next()
                .and_then(|line| line.strip_prefix("http/1.1 ")?.get(..3)?.parse().ok())
                .ok_or_else(|| format!("{head:?}"))?;
            let fields: Vec<(&str, &str)> =
                lines.filter_map(|line| line.split_once(':')).map(|(k, v)| (k.trim(), v.trim())).collect();
            let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            if (100..200).contains(&status) {
                self.bytes.drain(..end + 4);
                continue;
            }
            let body = &self.bytes[end + 4..];
            let content = match (field("content-length"), field("transfer-encoding")) {
                (Some(length), None) => {
                    let length: usize = length.parse().map_err(|_| format!("{head:?}"))?;
                    body.get(..length).map(|content| (length, content.to_vec()))
                }
                (None, Some("chunked")) => dechunk(body)?,
                (_, _) => return Err(format!("{head:?}")),
            };
            let Some((length, content)) = content else { return Ok(None) };
            let answer = Answer {
                status,
                id: field("x-id").and_then(|id| id.parse().ok()),
                closes: field("connection") == Some("close"),
                content,
            };
            self.bytes.drain(..end + 4 + length);
            return Ok(Some(answer));
        }
    }
}

/// The content of a chunked body and how long it was on the wire, if all of it is there.
fn dechunk(body: &[u8]) -> Result<Option<(usize, Vec<u8>)>, String> {
    let (mut at, mut content) = (0, Vec::new());
    loop {
        let Some(line) = find(&body[at..], b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&body[at..at + line]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).ok_or("a bad chunk size")?;
        at += line + 2;
        if size == 0 {
            let Some(end) = find(&body[at - 2..], b"\r\n\r\n") else { return Ok(None) };
            return Ok(Some((at - 2 + end + 4, content)));
        }
        let Some(chunk) = body.get(at..at + size + 2) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            return Err("a chunk that is longer than it said".to_owned());
        }
        content.extend_from_slice(&chunk[..size]);
        at += size + 2;
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
