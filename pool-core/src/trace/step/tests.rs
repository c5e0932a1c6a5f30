use super::*;
use crate::limits::Resource;

fn conn() -> (PoolId, ConnId) {
    (PoolId(3), ConnId { index: 200, generation: 70_000 })
}

/// Every step, with every value of every choice.
fn all() -> Vec<Step> {
    let (pool, conn) = conn();
    let mut steps = vec![
        Step::AddCluster(Box::new(ClusterSettings {
            name: "service".to_owned(),
            pool: std::sync::Arc::default(),
            limits: crate::limits::Limits::default(),
        })),
        Step::Timeout,
        Step::SeatsFreed,
        Step::Settled { pool },
        Step::Abort { pool },
        Step::Retire { pool, conn },
        Step::Report { pool, conn, report: Report::GoAwayReceived },
        Step::Report { pool, conn, report: Report::ProtocolError },
        Step::Report { pool, conn, report: Report::Connected { limit: None } },
        Step::Report { pool, conn, report: Report::Connected { limit: Some(7) } },
        Step::Report { pool, conn, report: Report::CapacityChanged { limit: 0 } },
        Step::Note(Note::ConnectFailed { pool, conn, words: "refused".to_owned() }),
        Step::Note(Note::Answered { request: 1 << 40, status: 599 }),
    ];
    for priority in Priority::ALL {
        steps.push(Step::AddPool { cluster: 9, priority, label: "a:1".to_owned() });
    }
    for early_data in EARLY {
        let token = Token(u64::MAX - 5);
        steps.push(Step::Request { pool, token, early_data, request: 5 });
        for deadline in [None, Some(Instant::from_nanos(1)), Some(Instant::NEVER)] {
            steps.push(Step::Requeue { pool, token, early_data, request: 5, deadline });
        }
    }
    let waiter = WaiterId { index: 1, generation: u32::MAX };
    steps.extend(CANCELS.map(|policy| Step::Cancel { pool, waiter, policy }));
    steps.extend(DRAINS.map(|mode| Step::Drain { pool, mode }));
    steps.extend(ENDS.map(|end| Step::Finish { pool, conn, end }));
    steps.extend(ENDS.map(|end| Step::Report { pool, conn, report: Report::StreamEnded(end) }));
    steps.extend(SIDES.map(|by| Step::Report { pool, conn, report: Report::Closed(by) }));
    steps.extend(Verdict::ALL.map(|verdict| Step::Note(Note::Failed { request: 2, verdict })));
    for next in AFTERWARDS {
        let note = |progress| Step::Note(Note::AttemptFailed { request: 300, progress, next });
        steps.extend(Progress::ALL.map(note));
    }
    steps
}

#[test]
fn every_step_comes_back() {
    let said = [
        vec![],
        vec![Said::Granted],
        vec![Said::Granted, Said::Granted],
        vec![
            Said::Refused(crate::limits::Full::Cluster),
            Said::Freed { ledger: 200, pool: PoolId(300), resource: Resource::Pools },
            Said::Refused(crate::limits::Full::Host),
        ],
    ];
    let mut out = Vec::new();
    let mut written = Vec::new();
    let mut now = Instant::from_nanos(1 << 50);
    let mut last = Instant::ZERO;
    for (index, step) in all().into_iter().enumerate() {
        let undrained = (index % 3 == 0).then_some(index as u64);
        let said = said[index % said.len()].clone();
        let since = now.as_nanos().wrapping_sub(last.as_nanos()) as i64;
        let digest = index as u8;
        step.put(&mut out, &Frame { since, undrained, said: &said, digest });
        written.push(Entry { now, undrained, said, digest, step });
        last = now;
        // Forth and back.
        let stride = (index as i64 - 10) * 1000;
        now = Instant::from_nanos(now.as_nanos().wrapping_add_signed(stride));
    }
    let mut bytes = Bytes::new(&out);
    let mut last = Instant::ZERO;
    for entry in &written {
        let read = read_entry(&mut bytes, last).expect("an entry");
        assert_eq!(read, *entry);
        last = read.now;
    }
    assert!(bytes.is_at_end());
    // Cut anywhere, nothing but an error comes of it.
    for cut in 0..out.len() {
        let mut bytes = Bytes::new(&out[..cut]);
        while read_entry(&mut bytes, Instant::ZERO).is_ok() {}
    }
}
