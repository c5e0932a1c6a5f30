//! How much a peer may send before it is refused.

/// Limits on what one peer may make a connection hold or do. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Start line and fields together, line ends included. Default 60 KiB (Envoy:
    /// `max_request_headers_kb`, `max_response_headers_kb`).
    pub max_head_bytes: usize,
    /// Field lines in one head or one trailer section. Default 100 (Envoy: `max_headers_count`).
    pub max_headers: usize,
    /// One trailer section, line ends included. Default 60 KiB (Envoy applies the head's limit).
    pub max_trailer_bytes: usize,
    /// One line with a chunk size and its extensions. Default 1 KiB.
    pub max_chunk_line_bytes: usize,
    /// All chunk extensions of one body together: a peer that sends much of them and few data is
    /// wasting our time (RFC 9112 7.1.1). Default 16 KiB.
    pub max_chunk_extension_bytes: usize,
    /// Responses with a status of 100 to 199 (101 excepted) to one request. Default 16.
    pub max_informational: usize,
    /// Server role: bytes kept of requests that follow the one being served. What exceeds it stays
    /// in the [`Input`](super::Input). Default 64 KiB.
    pub max_pipelined_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_head_bytes: 60 * 1024,
            max_headers: 100,
            max_trailer_bytes: 60 * 1024,
            max_chunk_line_bytes: 1024,
            max_chunk_extension_bytes: 16 * 1024,
            max_informational: 16,
            max_pipelined_bytes: 64 * 1024,
        }
    }
}
