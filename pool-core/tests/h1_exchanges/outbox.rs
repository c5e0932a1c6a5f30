//! The outbox is a plain queue of bytes, however it is filled and emptied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;
use pool_core::wire::h1::Outbox;

/// What `slices` gives with room for `room` of them, joined.
fn front(out: &Outbox, room: usize) -> (usize, Vec<u8>) {
    let mut slices = vec![IoSlice::new(&[]); room];
    let filled = out.slices(&mut slices);
    (filled, slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect())
}

#[test]
fn any_mix_of_pushes_and_writes_keeps_the_order() {
    let sizes = [1, 3, 100, 2048, 2049, 20_000];
    let mut state = 7_usize;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut out = Outbox::new();
    let mut model: VecDeque<u8> = VecDeque::new();
    for round in 0..800_usize {
        if model.len() < 60_000 && random(2) == 0 {
            let bytes: Vec<u8> = (0..sizes[random(sizes.len())]).map(|at| (at + round) as u8).collect();
            model.extend(&bytes);
            if random(2) == 0 { out.push_slice(&bytes) } else { out.push(Bytes::from(bytes)) }
        } else {
            let room = 1 + random(5);
            let (filled, bytes) = front(&out, room);
            assert!(filled == room || bytes.len() == model.len(), "all slices, or all bytes");
            assert!(model.iter().take(bytes.len()).eq(&bytes), "in order");
            let written = random(bytes.len() + 1);
            out.advance(written);
            model.drain(..written);
        }
        if random(50) == 0 {
            let rest = out.take_unsent();
            assert!(out.is_empty() && front(&out, 3).0 == 0);
            out = rest;
        }
        assert_eq!((out.len(), out.is_empty()), (model.len(), model.is_empty()));
    }
    assert!(model.iter().eq(&out.to_vec()));
}

#[test]
fn buffer_is_reused_and_stays_with_the_worker() {
    let mut out = Outbox::new();
    assert_eq!(out.capacity(), 0);
    out.push_slice(&[1; 500]);
    let capacity = out.capacity();
    out.advance(100);
    let rest = out.take_unsent();
    assert_eq!((rest.len(), out.capacity()), (400, capacity));
    assert!(rest.capacity() < capacity + 1);
    out.push_slice(&[1; 500]);
    out.advance(500);
    assert_eq!(out.capacity(), capacity, "no allocation for the next head");
}

#[test]
fn only_slice_is_everything_or_nothing() {
    let mut outbox = Outbox::new();
    assert_eq!(outbox.only_slice(), Some(&b""[..]));
    outbox.push_slice(b"framing ");
    outbox.push(Bytes::from_static(b"small"));
    outbox.advance(3);
    assert_eq!(outbox.only_slice(), Some(&b"ming small"[..]));
    assert_eq!(outbox.only_slice().map(<[u8]>::len), Some(outbox.len()));
    // A large chunk goes by reference, behind what was copied.
    outbox.push(Bytes::from(vec![b'x'; 100_000]));
    assert_eq!(outbox.only_slice(), None);
    outbox.advance(outbox.len());
    assert_eq!(outbox.only_slice(), Some(&b""[..]));
}
