//! When a connection is wanted: Envoy's `shouldConnect` in integers.

use crate::config::Ratio;

/// What a pool has and what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Requests queued (P).
    pub(super) pending: u64,
    /// Streams in progress (A), on draining connections too.
    pub(super) active: u64,
    /// Unused streams on all connections that are not draining (C); may be negative.
    pub(super) capacity: i64,
    /// Of these, on connections whose handshake is not complete.
    pub(super) connecting: i64,
    /// Connections that will be ready after they settled, one stream each.
    pub(super) settling: u32,
}

impl Load {
    /// `(P + A + expected) * ratio > C + A`: every stream, present or expected, is to have `ratio`
    /// times its place. Counting what is ready (#38708) keeps small ratios from opening a connection
    /// per request (#32753).
    pub(super) fn wants(&self, ratio: Ratio, expected: u64) -> bool {
        let streams = i128::from(self.pending) + i128::from(self.active) + i128::from(expected);
        let places = i128::from(self.capacity) + i128::from(self.active);
        streams * i128::from(ratio.thousandths()) > places * 1000
    }

    /// Whether queued requests have nothing that is on its way to them. Hosts that are not healthy
    /// get connections for this reason only.
    pub(super) fn needs(&self) -> bool {
        i128::from(self.pending) > i128::from(self.connecting) + i128::from(self.settling)
    }

    /// Whether an attempt with `unused` streams can go: `(P + A) * ratio <= connecting - unused + A`.
    pub(super) fn can_spare(&self, ratio: Ratio, unused: i64) -> bool {
        let streams = i128::from(self.pending) + i128::from(self.active);
        let places = i128::from(self.connecting) - i128::from(unused) + i128::from(self.active);
        streams * i128::from(ratio.thousandths()) <= places * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pending: u64, active: u64, capacity: i64) -> Load {
        Load { pending, active, capacity, connecting: capacity.max(0), settling: 0 }
    }

    /// Connections that a cold pool opens, `unit` streams each, until the test says no.
    fn opened(mut load: Load, ratio: u32, expected: u64, unit: i64) -> u32 {
        let mut count = 0;
        while load.wants(Ratio::from_thousandths(ratio), expected) {
            load.capacity += unit;
            count += 1;
        }
        count
    }

    #[test]
    fn worked_numbers_of_the_ratios() {
        for (ratio, connections) in [(1000, 1), (1500, 2), (2000, 2), (3000, 3)] {
            assert_eq!(opened(load(1, 0, 0), ratio, 0, 1), connections, "{ratio}");
        }
        assert_eq!(opened(load(0, 100, 49), 1500, 0, 1), 1);
        assert_eq!(opened(load(0, 100, 50), 1500, 0, 1), 0);
        assert_eq!(opened(load(0, 19, 0), 1050, 0, 1), 1);
        assert_eq!(opened(load(0, 20, 1), 1050, 0, 1), 0);
        assert_eq!(opened(load(1, 0, 0), 2000, 0, 100), 1);
        assert_eq!(opened(load(0, 2, 0), 1500, 0, 2), 1);
        // The expected stream of a predictive call.
        assert_eq!(opened(load(0, 0, 0), 1100, 1, 1), 2);
        // More streams than the peer now allows: a place for each of them (limit 5, 10 in progress).
        assert_eq!(opened(load(0, 10, -5), 1000, 0, 5), 1);
    }

    #[test]
    fn excess_is_judged_after_the_cancel() {
        let one = Ratio::ONE;
        assert!(Load { connecting: 2, ..load(1, 0, 2) }.can_spare(one, 1));
        assert!(Load { connecting: 1, ..load(0, 0, 1) }.can_spare(one, 1));
        assert!(!Load { connecting: 100, ..load(2, 0, 100) }.can_spare(one, 100));
        assert!(!Load { connecting: 1, ..load(0, 2, 1) }.can_spare(Ratio::from_thousandths(1500), 1));
    }

    #[test]
    fn need_counts_only_what_is_on_its_way() {
        assert!(load(1, 5, -3).needs());
        assert!(!load(0, 5, -3).needs());
        assert!(!Load { settling: 1, ..load(1, 0, 1) }.needs());
    }
}
