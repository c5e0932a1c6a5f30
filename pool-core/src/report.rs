//! The seam between bytes and bookkeeping: what a connection reports, which are a pool's facts.
//!
//! A `wire` connection never knows which pool it belongs to and a pool never sees a byte. Whoever
//! owns both translates a [`Report`] into the pool method of the same name; the loop is the same in
//! the async face, in the examples, in the simulator and in the fuzzers.

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClosedBy {
    /// This side: an order of the pool, a protocol error found here, a caller that went away.
    /// Counted in `upstream_cx_destroy_local`.
    Local,
    /// The peer: FIN, reset, refused. Counted in `upstream_cx_destroy_remote`.
    Remote,
}

/// How one exchange on a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamEnd {
    /// Request fully sent, response fully received; the connection may serve another one.
    Complete,
    /// Complete, and the peer asked for the connection to end: `Connection: close`, or HTTP/1.0
    /// without keep-alive (RFC 9112 9.6, 9.3). Counted in `upstream_cx_close_notify`.
    CloseNotified,
    /// Complete, and by its nature the last exchange here: a body that ends with the connection
    /// (RFC 9112 6.3), a connection handed over by an upgrade.
    Final,
    /// The response was complete before the request was; HTTP/1 cannot reuse the connection.
    RequestUnfinished,
    /// Our side gave the exchange up (caller gone, timeout, protocol error seen here).
    /// `upstream_rq_tx_reset` on multiplexed connections.
    LocalReset,
    /// The peer reset the stream. `upstream_rq_rx_reset` on multiplexed connections.
    RemoteReset,
    /// The peer refused the stream before processing it (RFC 9113 8.7).
    RemoteRefused,
}

/// What a connection tells the pool that owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// Transport and handshake are up. `limit` is the number of concurrent streams that the peer
    /// is known to allow, if it is known.
    Connected {
        /// Concurrent streams allowed by the peer; `None` leaves the estimate in force.
        limit: Option<u32>,
    },
    /// One exchange ended; its slot is free or the connection is used up.
    StreamEnded(StreamEnd),
    /// The peer changed the number of concurrent streams (SETTINGS, MAX_STREAMS).
    CapacityChanged {
        /// The limit now in force, before our own configuration caps it.
        limit: u32,
    },
    /// The peer will take no new streams (RFC 9113 6.8, RFC 9114 5.2).
    GoAwayReceived,
    /// Bytes arrived that no request asked for: `upstream_cx_protocol_error`. A 408 on an idle
    /// connection is no protocol error (RFC 9110 15.5.9), only a close.
    ProtocolError,
    /// The transport is gone; every exchange on it has ended.
    Closed(ClosedBy),
}
