//! Framing and the chunked transfer coding, mostly read by a server, where smuggling would happen.

use pool_core::wire::h1::{EofAt, Violation};

use crate::Verdict::{Accept, Cut, Refuse};
use crate::transcript::Role::{Get, Server};
use crate::{Case, row};

/// A request with these fields and bytes behind its head.
macro_rules! post {
    ($fields:literal, $rest:literal) => {
        concat!("POST / HTTP/1.1\r\nHost: a\r\n", $fields, "\r\n", $rest).as_bytes()
    };
}

/// A chunked request with these bytes behind its head.
macro_rules! chunked {
    ($rest:literal) => {
        post!("Transfer-Encoding: chunked\r\n", $rest)
    };
}

pub(crate) const CASES: &[Case] = &[
    // 6.2, 6.3 Content-Length.
    row(Server, post!("Content-Length: 3\r\n", "abc"), Accept(1), "RFC 9112 6.2", "a length and that much"),
    row(Server, post!("Content-Length: 0\r\n", ""), Accept(1), "RFC 9112 6.2", "a length of 0"),
    row(Server, post!("", ""), Accept(1), "RFC 9112 6.3", "no framing fields: no content"),
    row(Server, post!("Content-Length: 003\r\n", "abc"), Accept(1), "RFC 9110 8.6", "leading zeros are digits, decimal"),
    row(Server, post!("Content-Length: \t3 \r\n", "abc"), Accept(1), "RFC 9112 5.1", "whitespace around a length"),
    row(Server, post!("Content-Length: +3\r\n", "abc"), Refuse(Violation::ContentLength), "RFC 9110 8.6", "plus sign"),
    row(Server, post!("Content-Length: -3\r\n", "abc"), Refuse(Violation::ContentLength), "RFC 9110 8.6", "minus sign"),
    row(Server, post!("Content-Length: 0x3\r\n", "abc"), Refuse(Violation::ContentLength), "RFC 9110 8.6", "hexadecimal"),
    row(Server, post!("Content-Length: 3.0\r\n", "abc"), Refuse(Violation::ContentLength), "RFC 9110 8.6", "decimal point"),
    row(Server, post!("Content-Length: 1_0\r\n", "abc"), Refuse(Violation::ContentLength), "RFC 9110 8.6", "underscore"),
    row(Server, post!("Content-Length: 3 3\r\n", "abc"), Refuse(Violation::ContentLength), "RFC 9110 8.6", "two numbers"),
    row(Server, post!("Content-Length: \r\n", ""), Refuse(Violation::ContentLength), "RFC 9110 8.6", "empty"),
    row(Server, post!("Content-Length: 3a\r\n", "abc"), Refuse(Violation::ContentLength), "RFC 9110 8.6", "longest valid prefix"),
    row(
        Server,
        post!("Content-Length: 18446744073709551616\r\n", "abc"),
        Refuse(Violation::ContentLength),
        "RFC 9110 8.6",
        "2^64 overflows",
    ),
    row(
        Server,
        post!("Content-Length: 18446744073709551615\r\n", "abc"),
        Cut(EofAt::Body),
        "RFC 9110 8.6",
        "2^64 - 1 does not",
    ),
    row(Server, post!("Content-Length: 3, 3\r\n", "abc"), Refuse(Violation::ContentLengths), "RFC 9112 6.3", "list of equal lengths"),
    row(Server, post!("Content-Length: 3, 4\r\n", "abc"), Refuse(Violation::ContentLengths), "RFC 9112 6.3", "list of lengths"),
    row(
        Server,
        post!("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"),
        Refuse(Violation::ContentLengths),
        "RFC 9112 6.3",
        "two different lengths",
    ),
    row(
        Server,
        post!("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
        Refuse(Violation::ContentLengths),
        "RFC 9112 6.3",
        "two equal lengths, which may be refused",
    ),
    row(Server, post!("Content-Length: 4\r\n", "abc"), Cut(EofAt::Body), "RFC 9112 8", "closed within content"),
    row(
        Server,
        post!("Content-Length: 1\r\n", "abc"),
        Cut(EofAt::Head),
        "RFC 9112 6.3",
        "what exceeds the length begins the next request",
    ),
    // 6.1 Transfer-Encoding.
    row(
        Server,
        post!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        Refuse(Violation::LengthAndCoding),
        "RFC 9112 6.1",
        "both framings",
    ),
    row(
        Server,
        post!("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        Refuse(Violation::LengthAndCoding),
        "RFC 9112 11.2",
        "both framings, the other way round",
    ),
    row(
        Server,
        post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        Refuse(Violation::TransferEncoding),
        "RFC 9112 7.1",
        "chunked applied twice, two lines",
    ),
    row(
        Server,
        post!("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
        Refuse(Violation::TransferEncoding),
        "RFC 9112 7.1",
        "chunked applied twice, one line",
    ),
    row(
        Server,
        post!("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
        Refuse(Violation::TransferEncoding),
        "RFC 9112 6.1",
        "chunked is not final",
    ),
    row(
        Server,
        post!("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        Refuse(Violation::UnknownCoding),
        "RFC 9112 6.1",
        "a coding that we did not offer to understand: 501",
    ),
    row(
        Server,
        post!("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        Refuse(Violation::UnknownCoding),
        "RFC 9112 6.1",
        "the same on two lines",
    ),
    row(Server, post!("Transfer-Encoding: gzip\r\n", ""), Refuse(Violation::UnknownCoding), "RFC 9112 6.3", "request without final chunked"),
    row(Server, post!("Transfer-Encoding: identity\r\n", ""), Refuse(Violation::UnknownCoding), "RFC 9112 7", "identity is gone since RFC 7230"),
    row(Server, post!("Transfer-Encoding: chunkedchunked\r\n", ""), Refuse(Violation::UnknownCoding), "RFC 9112 6.1", "another token"),
    row(Server, post!("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), Refuse(Violation::TransferEncoding), "RFC 9112 11.2", "empty member"),
    row(Server, post!("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), Refuse(Violation::TransferEncoding), "RFC 9112 11.2", "empty member behind"),
    row(Server, post!("Transfer-Encoding:\r\n", ""), Refuse(Violation::TransferEncoding), "RFC 9112 6.1", "empty"),
    row(Server, post!("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), Refuse(Violation::TransferEncoding), "RFC 9112 6.1", "quoted"),
    row(
        Server,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
        Refuse(Violation::TransferEncoding),
        "RFC 9110 5.6.3",
        "a byte that some libraries take for whitespace",
    ),
    row(
        Server,
        post!("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
        Refuse(Violation::ControlByte),
        "RFC 9110 5.5",
        "vertical tab before chunked",
    ),
    row(Server, post!("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), Refuse(Violation::FieldName), "RFC 9112 5.1", "hidden by a space before the colon"),
    row(Server, post!("Transfer-Encoding\r\n : chunked\r\n", "0\r\n\r\n"), Refuse(Violation::Fold), "RFC 9112 5.2", "hidden by a fold in the name"),
    row(Server, post!("X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), Refuse(Violation::Fold), "RFC 9112 5.2", "hidden by a fold"),
    row(Server, post!("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), Refuse(Violation::Fold), "RFC 9112 5.2", "chunked behind a fold"),
    row(Server, post!("transfer-encoding: CHUNKED\r\n", "0\r\n\r\n"), Accept(1), "RFC 9112 7", "names of codings are case-insensitive"),
    row(
        Server,
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refuse(Violation::CodingInHttp10),
        "RFC 9112 6.1",
        "a coding in HTTP/1.0 is faulty framing",
    ),
    row(Server, b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", Accept(1), "RFC 9112 6.3", "a length in HTTP/1.0"),
    row(Server, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", Accept(1), "RFC 9110 9.3.1", "GET with content is framed like any"),
    row(
        Server,
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 3\r\n\r\nabc",
        Accept(1),
        "RFC 9110 7.6.1",
        "naming a framing field in Connection does not hide it",
    ),
    // 7.1 Chunks.
    row(Server, chunked!("3\r\nabc\r\n0\r\n\r\n"), Accept(1), "RFC 9112 7.1", "one chunk"),
    row(Server, chunked!("0\r\n\r\n"), Accept(1), "RFC 9112 7.1", "no chunk"),
    row(Server, chunked!("1\r\na\r\nA\r\n0123456789\r\nb\r\n01234567890\r\n000\r\n\r\n"), Accept(1), "RFC 9112 7.1", "both cases of digits; last-chunk is 1*(\"0\")"),
    row(Server, chunked!("00000000000000000003\r\nabc\r\n0\r\n\r\n"), Accept(1), "RFC 9112 7.1", "leading zeros"),
    row(Server, chunked!("10000000000000000\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1", "2^64 overflows"),
    row(Server, chunked!("ffffffffffffffff\r\na"), Cut(EofAt::Body), "RFC 9112 7.1", "2^64 - 1 does not"),
    row(Server, chunked!("\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1", "empty size"),
    row(Server, chunked!("0x3\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1", "prefix 0x"),
    row(Server, chunked!("+3\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1", "plus sign"),
    row(Server, chunked!("-3\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1", "minus sign"),
    row(Server, chunked!("0_3\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1", "underscore"),
    row(Server, chunked!("3g\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1", "longest valid prefix"),
    row(Server, chunked!(" 3\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1", "space before a size"),
    row(Server, chunked!("3 \r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1.1", "space behind a size, no extension"),
    row(Server, chunked!("3\nabc\r\n0\r\n\r\n"), Refuse(Violation::BareLf), "RFC 9112 7.1", "LF behind a size"),
    row(Server, chunked!("3\rabc\r\n0\r\n\r\n"), Refuse(Violation::BareCr), "RFC 9112 7.1", "CR alone behind a size"),
    row(Server, chunked!("3\r\nabcX\r\n0\r\n\r\n"), Refuse(Violation::ChunkEnd), "RFC 9112 7.1", "data longer than its size"),
    row(Server, chunked!("3\r\nab\r\n0\r\n\r\n"), Refuse(Violation::ChunkEnd), "RFC 9112 7.1", "data shorter than its size"),
    row(Server, chunked!("3\r\nabc0\r\n\r\n"), Refuse(Violation::ChunkEnd), "RFC 9112 7.1", "CRLF missing behind data"),
    row(Server, chunked!("3\r\nabc\n0\r\n\r\n"), Refuse(Violation::ChunkEnd), "RFC 9112 7.1", "LF alone behind data"),
    row(Server, chunked!("3\r\nabc\rX0\r\n\r\n"), Refuse(Violation::ChunkEnd), "RFC 9112 7.1", "CR and any byte behind data"),
    row(Server, chunked!("3\r\nabc\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1", "last-chunk missing"),
    row(Server, chunked!("0\r\nX:POST / HTTP/1.1\r\n\r\n"), Accept(1), "RFC 9112 7.1.2", "looks like a request, is a trailer"),
    row(Server, chunked!("0\r\n\rX"), Refuse(Violation::BareCr), "RFC 9112 7.1", "last line ends in CR and any byte"),
    row(Server, chunked!("0\r\n\n"), Refuse(Violation::BareLf), "RFC 9112 7.1", "last line is LF alone"),
    row(Server, chunked!("3\r\nabc\r\n"), Cut(EofAt::Body), "RFC 9112 8", "closed before last-chunk"),
    row(Server, chunked!("0\r\n"), Cut(EofAt::Body), "RFC 9112 8", "closed before the last line"),
    // 7.1.1 Chunk extensions.
    row(Server, chunked!("3;a\r\nabc\r\n0;b=c;d=\"e f\"\r\n\r\n"), Accept(1), "RFC 9112 7.1.1", "extensions are read over"),
    row(Server, chunked!("3 ; a = \"\\\"\\\\\" ; b\r\nabc\r\n0\r\n\r\n"), Accept(1), "RFC 9112 7.1.1", "bad whitespace is to be accepted; quoted pairs"),
    row(Server, chunked!("3;\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkExtension), "RFC 9112 7.1.1", "no name"),
    row(Server, chunked!("3;a=\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkExtension), "RFC 9112 7.1.1", "no value"),
    row(Server, chunked!("3;a \r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkExtension), "RFC 9112 7.1.1", "space at the end of the line"),
    row(Server, chunked!("3;a\nb\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::BareLf), "RFC 9112 7.1.1", "LF in an extension"),
    row(Server, chunked!("3;a=\"b\nc\"\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkExtension), "RFC 9112 7.1.1", "LF in a quoted value"),
    row(Server, chunked!("3;a=\"b\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkExtension), "RFC 9112 7.1.1", "quote not closed"),
    row(Server, chunked!("3;a\r\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::BareCr), "RFC 9112 7.1.1", "CR in an extension"),
    row(Server, chunked!("3\r;a\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::BareCr), "RFC 9112 7.1.1", "CR before an extension"),
    row(Server, chunked!("3;a=\x00\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkExtension), "RFC 9112 7.1.1", "NUL in an extension"),
    row(Server, chunked!("3 a\r\nabc\r\n0\r\n\r\n"), Refuse(Violation::ChunkSize), "RFC 9112 7.1.1", "no semicolon"),
    // 7.1.2 Trailers.
    row(Server, chunked!("0\r\nX: 1\r\nY: 2\r\n\r\n"), Accept(1), "RFC 9112 7.1.2", "trailers"),
    row(Server, chunked!("0\r\nContent-Length: 1\r\n\r\n"), Refuse(Violation::ForbiddenTrailer), "RFC 9110 6.5.1", "length as a trailer"),
    row(Server, chunked!("0\r\nTransfer-Encoding: chunked\r\n\r\n"), Refuse(Violation::ForbiddenTrailer), "RFC 9110 6.5.1", "coding as a trailer"),
    row(Server, chunked!("0\r\nHost: b\r\n\r\n"), Refuse(Violation::ForbiddenTrailer), "RFC 9110 6.5.1", "Host as a trailer"),
    row(Server, chunked!("0\r\nX : 1\r\n\r\n"), Refuse(Violation::FieldName), "RFC 9112 5.1", "space before the colon in a trailer"),
    row(Server, chunked!("0\r\nX: 1\n\r\n"), Refuse(Violation::BareLf), "RFC 9112 2.2", "LF in a trailer section"),
    row(Server, chunked!("0\r\nX: 1\r\n 2\r\n\r\n"), Refuse(Violation::Fold), "RFC 9112 5.2", "fold in a trailer section"),
    row(Server, chunked!("0\r\n X: 1\r\n\r\n"), Refuse(Violation::FieldName), "RFC 9112 5.2", "whitespace before the first trailer"),
    row(Server, chunked!("0\r\nX: \x00\r\n\r\n"), Refuse(Violation::ControlByte), "RFC 9110 5.5", "NUL in a trailer"),
    row(Server, chunked!("0\r\nX: 1\r\n"), Cut(EofAt::Body), "RFC 9112 8", "closed within trailers"),
    // Sequences.
    row(
        Server,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\nPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        Accept(3),
        "RFC 9112 9.3.2",
        "three requests ahead, each with its framing, CRLF behind the first",
    ),
    row(
        Server,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\x00",
        Refuse(Violation::ControlByte),
        "RFC 9112 3",
        "a stray byte behind a chunked request",
    ),
    // The same decoder in a client.
    row(
        Get,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nX: 1\r\n\r\n",
        Accept(1),
        "RFC 9112 7.1",
        "a chunked response with extension and trailer",
    ),
    row(
        Get,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        Refuse(Violation::ChunkEnd),
        "RFC 9112 7.1",
        "a chunked response, data longer than its size",
    ),
    row(
        Get,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        Cut(EofAt::Body),
        "RFC 9112 8",
        "a chunked response cut short is incomplete",
    ),
];
