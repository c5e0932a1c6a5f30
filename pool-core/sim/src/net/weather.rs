//! What a network is like in one run.

use super::rng::Rng;

/// Lengths and chances; times in nanoseconds, chances in thousandths.
#[derive(Clone, Debug)]
pub struct Weather {
    /// One way, at least.
    pub latency: u64,
    /// On top of it, at most.
    pub jitter: u64,
    /// Bytes per second and direction; 0 is without limit.
    pub bandwidth: u64,
    /// A segment is lost, which delays it and all behind it by [`Weather::resend`].
    pub loss: u32,
    /// How long until a lost segment has been sent again.
    pub resend: u64,
    /// Bytes of one segment, from and to.
    pub segment: (u64, u64),
    /// Bytes that are neither read nor on the way, per direction.
    pub window: usize,
    /// A read returns less than there is.
    pub short_reads: u32,
    /// A write takes less than there is room for.
    pub short_writes: u32,
    /// A read or write that could get on says `Pending` and wakes at once, as runtimes do that ration.
    pub stutters: u32,
    /// A connection is reset at a byte drawn for it.
    pub resets: u32,
    /// From a byte drawn for it on, a direction of a connection carries nothing.
    pub black_holes: u32,
    /// The byte drawn for one of these, at most.
    pub fault_at: u64,
    /// RST destroys what has arrived and was not read.
    pub reset_destroys: u32,
    /// RST arrives before what was sent before it.
    pub reset_overtakes: u32,
    /// FIN rides on the last data segment if that is still on the way.
    pub fin_with_data: u32,
    /// Nobody answers a connect.
    pub syn_vanishes: u32,
    /// A connect is refused although somebody listens.
    pub refuses: u32,
    /// The listener fails.
    pub accept_fails: u32,
    /// A name is not found.
    pub lookup_fails: u32,
    /// Connections that wait to be accepted.
    pub backlog: usize,
    /// From when to when nothing gets through, in order.
    pub partitions: Vec<(u64, u64)>,
}

impl Default for Weather {
    /// A fine day on a local network.
    fn default() -> Self {
        Self {
            latency: 50_000,
            jitter: 20_000,
            bandwidth: 0,
            loss: 0,
            resend: 200_000_000,
            segment: (1448, 1448),
            window: 64 * 1024,
            short_reads: 0,
            short_writes: 0,
            stutters: 0,
            resets: 0,
            black_holes: 0,
            fault_at: 4096,
            reset_destroys: 300,
            reset_overtakes: 200,
            fin_with_data: 500,
            syn_vanishes: 0,
            refuses: 0,
            accept_fails: 0,
            lookup_fails: 0,
            backlog: 4096,
            partitions: Vec::new(),
        }
    }
}

impl Weather {
    /// A network drawn at random, in which no byte is ever lost.
    #[must_use]
    pub fn mild(rng: &mut Rng) -> Self {
        let latency = *rng.pick(&[0, 10_000, 100_000, 1_000_000, 20_000_000]);
        Self {
            latency,
            jitter: rng.below(latency + 1),
            bandwidth: *rng.pick(&[0, 0, 100_000_000, 1_000_000]),
            segment: *rng.pick(&[(1448, 1448), (1448, 1448), (1, 1448), (300, 600), (16_000, 60_000)]),
            window: *rng.pick(&[64 * 1024, 256 * 1024, 8 * 1024]),
            short_reads: *rng.pick(&[0, 0, 100, 500]),
            short_writes: *rng.pick(&[0, 0, 100, 300]),
            stutters: *rng.pick(&[0, 0, 20, 100]),
            ..Self::default()
        }
    }

    /// A network drawn at random, in which everything happens.
    #[must_use]
    pub fn rough(rng: &mut Rng, end: u64) -> Self {
        let mut weather = Self::mild(rng);
        weather.loss = *rng.pick(&[0, 5, 30]);
        weather.resend = *rng.pick(&[1_000_000, 200_000_000]);
        weather.resets = *rng.pick(&[0, 50, 200, 500]);
        weather.black_holes = *rng.pick(&[0, 100, 300]);
        weather.fault_at = *rng.pick(&[200, 1000, 20_000]);
        weather.syn_vanishes = *rng.pick(&[0, 20, 100]);
        weather.refuses = *rng.pick(&[0, 20, 200]);
        weather.accept_fails = *rng.pick(&[0, 100]);
        weather.lookup_fails = *rng.pick(&[0, 50]);
        weather.backlog = *rng.pick(&[4096, 2]);
        let mut at = 0;
        for _ in 0..rng.below(4) {
            let from = at + rng.below(end / 2 + 1);
            at = from + rng.within(1_000_000, 3_000_000_000);
            weather.partitions.push((from, at));
        }
        weather
    }

    /// How long something takes from one end to the other.
    pub fn delay(&self, rng: &mut Rng) -> u64 {
        self.latency + rng.below(self.jitter + 1)
    }

    /// When something that would arrive at `at` does.
    #[must_use]
    pub fn after_partitions(&self, at: u64) -> u64 {
        let hit = self.partitions.iter().find(|(from, to)| (*from..*to).contains(&at));
        hit.map_or(at, |(_, to)| to + self.latency)
    }
}
