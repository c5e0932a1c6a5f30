//! What became of a request, in the terms of an access log.

/// Why a request did not simply get its upstream's response (Envoy: response flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flag {
    /// `NR`.
    NoRoute,
    /// `UH`.
    NoHealthyUpstream,
    /// `UF`.
    UpstreamConnectionFailure,
    /// `UO`.
    UpstreamOverflow,
    /// `UC`.
    UpstreamTermination,
    /// `UT`.
    UpstreamTimeout,
    /// `UPE`.
    UpstreamProtocol,
    /// `LR`.
    LocalReset,
    /// `DC`.
    DownstreamGone,
    /// `DPE`.
    DownstreamProtocol,
}
