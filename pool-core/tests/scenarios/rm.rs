//! Group RM: the ledger by itself.

use pool_core::id::{HostId, PoolId};
use pool_core::limits::{Claimant, Full, Ledger, Local, Priority, Resource, Thresholds};

const WHO: Claimant = Claimant { pool: PoolId(0), host: HostId(0), priority: Priority::Default };

#[test]
fn rm_04_remaining_is_never_negative() {
    // A limit of 0: refused, nothing counted.
    let mut ledger = Local::new(Thresholds::default().max_retries(0));
    assert_eq!(ledger.try_take(Resource::Retries, WHO), Err(Full::Cluster));
    let gauge = ledger.snapshot(Priority::Default, Resource::Retries);
    assert_eq!((gauge.current, gauge.remaining), (0, 0));

    // One of one taken, then the limit lowered to 0.
    let mut ledger = Local::new(Thresholds::default().max_retries(1));
    let seat = ledger.try_take(Resource::Retries, WHO).expect("one of one");
    ledger.set_limits(Thresholds::default().max_retries(0));
    let gauge = ledger.snapshot(Priority::Default, Resource::Retries);
    assert_eq!((gauge.current, gauge.remaining), (1, 0));
    assert_eq!(ledger.try_take(Resource::Retries, WHO), Err(Full::Cluster));
    ledger.give_back(seat);
    let gauge = ledger.snapshot(Priority::Default, Resource::Retries);
    assert_eq!((gauge.current, gauge.remaining), (0, 0));
}
