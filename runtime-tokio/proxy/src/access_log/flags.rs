//! Response flags: in a few letters, what went wrong with a request.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of Envoy's response flags.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ResponseFlags(u32);

macro_rules! flags {
    ($($(#[doc = $doc:literal])+ $name:ident = $short:literal, $long:literal;)*) => {
        #[expect(clippy::upper_case_acronyms, reason = "positions, named like the flags")]
        enum Position { $($name),* }

        impl ResponseFlags {
            $($(#[doc = $doc])+ pub const $name: Self = Self(1 << Position::$name as u32);)*

            /// Every flag with its short and its long name, in the order in which they are printed.
            pub const ALL: &'static [(Self, &'static str, &'static str)] =
                &[$((Self::$name, $short, $long)),*];
        }
    };
}

flags! {
    /// The health check request failed at this proxy.
    LH = "LH", "FailedLocalHealthCheck";
    /// No host of the cluster can be used.
    UH = "UH", "NoHealthyUpstream";
    /// The upstream took too long.
    UT = "UT", "UpstreamRequestTimeout";
    /// Reset by this proxy.
    LR = "LR", "LocalReset";
    /// Reset by the upstream.
    UR = "UR", "UpstreamRemoteReset";
    /// The connection to the upstream could not be made.
    UF = "UF", "UpstreamConnectionFailure";
    /// The upstream closed the connection before it answered.
    UC = "UC", "UpstreamConnectionTermination";
    /// A circuit breaker refused.
    UO = "UO", "UpstreamOverflow";
    /// No route matched.
    NR = "NR", "NoRouteFound";
    /// The client went away.
    DC = "DC", "DownstreamConnectionTermination";
    /// No more retries were allowed.
    URX = "URX", "UpstreamRetryLimitExceeded";
    /// The stream was idle for too long.
    SI = "SI", "StreamIdleTimeout";
    /// The client broke the protocol.
    DPE = "DPE", "DownstreamProtocolError";
    /// The upstream broke the protocol.
    UPE = "UPE", "UpstreamProtocolError";
    /// The upstream request reached its longest duration.
    UMSDR = "UMSDR", "UpstreamMaxStreamDurationReached";
    /// The route names a cluster that does not exist.
    NC = "NC", "NoClusterFound";
    /// The longest duration of the connection or stream was reached.
    DT = "DT", "DurationTimeout";
    /// The proxy was overloaded.
    OM = "OM", "OverloadManagerTerminated";
    /// The name of the upstream could not be resolved.
    DF = "DF", "DnsResolutionFailed";
    /// The client reset the request.
    DR = "DR", "DownstreamRemoteReset";
}

impl ResponseFlags {
    /// No flag.
    pub const NONE: Self = Self(0);

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the flags that are set, short and long.
    pub fn names(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let set = Self::ALL.iter().filter(move |(flag, ..)| self.contains(*flag));
        set.map(|(_, short, long)| (*short, *long))
    }
}

impl BitOr for ResponseFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for ResponseFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for ResponseFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        for (position, (short, _)) in self.names().enumerate() {
            f.write_str(if position == 0 { "" } else { "," })?;
            f.write_str(short)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ResponseFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseFlags({self})")
    }
}
