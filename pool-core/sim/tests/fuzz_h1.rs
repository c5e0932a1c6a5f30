//! The fuzz bodies of `wire::h1` on a stable compiler: valid messages, mutated by a seeded generator
//! that knows which bytes matter. Deterministic: a failure names its seed.

use pool_sim::fuzz_h1::{h1_body, h1_head};

const MESSAGES: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /x?y HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0\r\nX: 1\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nraw bytes",
    b"GET http://a/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n2;x=y\r\nab\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: p\r\n\r\nraw",
    b"HTTP/1.1 408 Request Timeout\r\n\r\n",
];

const BODIES: &[&[u8]] = &[
    b"3\r\nabc\r\n0\r\n\r\n",
    b"3;a=b;c=\"d\\\"e\" ; f\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: 1\r\nY: 2\r\n\r\n",
    b"01234567890123456789",
    b"01234567890123456789HTTP/1.1 200 OK\r\n\r\n",
];

/// Pieces that change the meaning of a message.
const TOKENS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"=",
    b"\"",
    b"\\",
    b"0",
    b"1",
    b"f",
    b"-",
    b"+",
    b"0x",
    b"\r\n\r\n",
    b"\r\n ",
    b"chunked",
    b"Content-Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: b\r\n",
    b"Connection: close\r\n",
    b"HTTP/1.0",
    b"\xff",
    b"ffffffffffffffff",
];

/// Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }
}

fn mutated(seed: u64, bases: &[&[u8]]) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = vec![random.next(256) as u8, random.next(256) as u8];
    bytes.extend_from_slice(bases[random.next(bases.len())]);
    for _ in 0..random.next(4) {
        let at = 2 + random.next(bytes.len() - 1).min(bytes.len() - 2);
        match random.next(4) {
            0 => {
                let token = TOKENS[random.next(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 if at < bytes.len() => bytes[at] = random.next(256) as u8,
            _ => {
                let more = bases[random.next(bases.len())];
                bytes.splice(at..at, more[..random.next(more.len())].iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn h1_head_tells_the_same_however_bytes_are_cut() {
    for seed in 0..6_000 {
        let bytes = mutated(seed, MESSAGES);
        let found = std::panic::catch_unwind(|| h1_head(&bytes));
        assert!(found.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn h1_body_tells_the_same_however_bytes_are_cut() {
    for seed in 0..6_000 {
        let bytes = mutated(seed, BODIES);
        let found = std::panic::catch_unwind(|| h1_body(&bytes));
        assert!(found.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}
