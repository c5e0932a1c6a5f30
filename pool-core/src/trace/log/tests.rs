use super::*;

fn header() -> Header {
    Header { worker: 1, workers: 2, epoch_unix_nanos: 3, seed: u64::MAX, program: "test 1".to_owned() }
}

/// A file with two chunks.
fn file() -> Vec<u8> {
    let mut file = header().encode();
    file.extend(seal(b"first", 2, 77));
    file.extend(seal(b"", 0, 78));
    file
}

/// Chunks until the end or the first error.
fn read(file: &[u8]) -> (usize, Option<LogError>) {
    let mut reader = match Reader::new(file) {
        Ok(reader) => reader,
        Err(error) => return (0, Some(error)),
    };
    let mut chunks = 0;
    loop {
        match reader.next_chunk() {
            Ok(Some(_)) => chunks += 1,
            Ok(None) => return (chunks, None),
            Err(error) => return (chunks, Some(error)),
        }
    }
}

#[test]
fn a_file_comes_back() {
    let file = file();
    let mut reader = Reader::new(&file).expect("a header");
    assert_eq!(*reader.header(), header());
    let chunk = reader.next_chunk().expect("no error").expect("a chunk");
    assert_eq!((chunk.entries, chunk.digest, chunk.payload), (2, 77, &b"first"[..]));
    let chunk = reader.next_chunk().expect("no error").expect("a chunk");
    assert_eq!((chunk.entries, chunk.digest, chunk.payload), (0, 78, &b""[..]));
    assert_eq!(reader.next_chunk(), Ok(None));
}

#[test]
fn every_flipped_bit_is_seen() {
    let good = file();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let (_, error) = read(&bad);
        let is_clear = matches!(error, Some(LogError::Damaged { .. } | LogError::NotARecording));
        assert!(is_clear, "bit {bit} was flipped: {error:?}");
    }
}

#[test]
fn a_file_cut_anywhere_is_read_to_the_cut() {
    let good = file();
    let first = header().encode().len();
    let second = first + seal(b"first", 2, 77).len();
    for cut in 0..good.len() {
        let expected = match cut {
            cut if cut < first => (0, Some(LogError::Truncated { at: 0 })),
            cut if cut == first => (0, None),
            cut if cut < second => (0, Some(LogError::Truncated { at: first })),
            cut if cut == second => (1, None),
            _ => (1, Some(LogError::Truncated { at: second })),
        };
        assert_eq!(read(&good[..cut]), expected, "cut at {cut}");
    }
}

#[test]
fn another_version_is_named() {
    let mut body = Vec::new();
    put(&mut body, 9);
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&seal(&body, 0, 0));
    assert_eq!(read(&file), (0, Some(LogError::Version(9))));
}
