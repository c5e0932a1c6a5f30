use super::*;

const T0: Instant = Instant::ZERO;

fn bound(repeatable: Repeatable, usage: Usage) -> Exchange {
    let mut exchange = Exchange::new(repeatable, RetryPolicy::default(), 7);
    exchange.handle_bound(T0, usage);
    exchange
}

#[test]
fn replay_needs_a_safe_verdict_and_a_replayable_body() {
    use BodyReplay::{Possible, Spent};
    use Progress::{NothingSent, RequestSent, ResponseStarted};
    use Repeatable::{Idempotent, NotIdempotent};
    use Usage::{Fresh, Reused};
    let again = Next::Requeue { deadline: None };
    let fail = Next::Fail;
    let table = [
        (Idempotent, Reused, NothingSent, None, Possible, again),
        (NotIdempotent, Reused, NothingSent, None, Possible, again),
        (NotIdempotent, Fresh, NothingSent, None, Possible, again),
        (Idempotent, Reused, NothingSent, None, Spent, fail(Verdict::NeverSent)),
        (Idempotent, Reused, RequestSent, None, Possible, again),
        (NotIdempotent, Reused, RequestSent, None, Possible, fail(Verdict::NoResponseByte)),
        (Idempotent, Reused, RequestSent, None, Spent, fail(Verdict::NoResponseByte)),
        (Idempotent, Fresh, RequestSent, None, Possible, fail(Verdict::Unknown)),
        (Idempotent, Reused, ResponseStarted, None, Possible, fail(Verdict::Unknown)),
        (NotIdempotent, Fresh, RequestSent, Some(Verdict::Refused), Possible, again),
        (NotIdempotent, Fresh, RequestSent, Some(Verdict::AboveGoAway), Possible, again),
        (NotIdempotent, Fresh, RequestSent, Some(Verdict::Refused), Spent, fail(Verdict::Refused)),
    ];
    for (repeatable, usage, progress, evidence, body, expected) in table {
        let got = bound(repeatable, usage).handle_attempt_failed(T0, progress, evidence, body);
        assert_eq!(got, expected, "{repeatable:?} {usage:?} {progress:?} {evidence:?} {body:?}");
    }
}

#[test]
fn a_request_is_replayed_at_most_twice() {
    let mut exchange = bound(Repeatable::Idempotent, Usage::Reused);
    for _ in 0..2 {
        let next = exchange.handle_attempt_failed(T0, Progress::RequestSent, None, BodyReplay::Possible);
        assert_eq!(next, Next::Requeue { deadline: None });
        exchange.handle_bound(T0, Usage::Reused);
    }
    let next = exchange.handle_attempt_failed(T0, Progress::RequestSent, None, BodyReplay::Possible);
    assert_eq!(next, Next::Fail(Verdict::NoResponseByte));
    assert_eq!(exchange.state(), State::Done);
}

#[test]
fn a_requeue_keeps_the_deadline_that_the_queue_gave_it() {
    let deadline = Some(Instant::from_millis(900));
    let mut exchange = Exchange::new(Repeatable::Idempotent, RetryPolicy::default(), 7);
    exchange.handle_queued(T0, deadline);
    exchange.handle_bound(Instant::from_millis(40), Usage::Reused);
    assert_eq!(exchange.queue_time(), Duration::from_millis(40));
    let next = exchange.handle_attempt_failed(T0, Progress::NothingSent, None, BodyReplay::Possible);
    assert_eq!(next, Next::Requeue { deadline });
}

#[test]
fn connect_failures_are_retried_twice_with_growing_jittered_back_off() {
    let mut exchange = Exchange::new(Repeatable::NotIdempotent, RetryPolicy::default(), 7);
    for ceiling in [25, 50] {
        exchange.handle_queued(T0, None);
        let Next::RetryAt(at) = exchange.handle_pool_failure(T0, PoolFailure::RemoteConnectionFailure) else {
            panic!("a connect failure is retried");
        };
        assert!(at.since(T0) < Duration::from_millis(ceiling), "{at:?}");
        exchange.handle_back_off_over();
    }
    exchange.handle_queued(T0, None);
    let next = exchange.handle_pool_failure(T0, PoolFailure::ConnectTimeout);
    assert_eq!(next, Next::Fail(Verdict::NeverSent));
    assert_eq!(exchange.retry_denied(), Some(RetryDenied::Exhausted));
}

#[test]
fn overflow_and_queue_timeout_are_never_retried() {
    for failure in [PoolFailure::Overflow, PoolFailure::PendingTimeout] {
        let mut exchange = Exchange::new(Repeatable::Idempotent, RetryPolicy::default(), 7);
        assert_eq!(exchange.handle_pool_failure(T0, failure), Next::Fail(Verdict::NeverSent));
        assert_eq!(exchange.retry_denied(), None);
    }
}

fn policy(retry_on: RetryOn) -> RetryPolicy {
    RetryPolicy { max_replays: 0, retry_on, ..RetryPolicy::DEFAULT }
}

#[test]
fn failures_are_retried_if_the_policy_names_them() {
    use BodyReplay::{Possible, Spent};
    use Progress::{NothingSent, RequestSent, ResponseStarted};
    let table = [
        (NothingSent, None, Possible, RetryOn::RESET_BEFORE_REQUEST.union(RetryOn::RESET)),
        (RequestSent, None, Possible, RetryOn::RESET),
        (ResponseStarted, None, Possible, RetryOn::RESET),
        (RequestSent, Some(Verdict::Refused), Possible, RetryOn::REFUSED_STREAM.union(RetryOn::RESET)),
        (RequestSent, Some(Verdict::AboveGoAway), Possible, RetryOn::RESET),
        (NothingSent, Some(Verdict::Refused), Spent, RetryOn::NOTHING),
    ];
    let conditions = [
        RetryOn::NOTHING,
        RetryOn::CONNECT_FAILURE,
        RetryOn::RESET_BEFORE_REQUEST,
        RetryOn::REFUSED_STREAM,
        RetryOn::RESET,
    ];
    for (progress, evidence, body, expected) in table {
        for condition in conditions {
            let mut exchange = Exchange::new(Repeatable::NotIdempotent, policy(condition), 7);
            exchange.handle_bound(T0, Usage::Fresh);
            let next = exchange.handle_attempt_failed(T0, progress, evidence, body);
            let is_retried = matches!(next, Next::RetryAt(_));
            assert_eq!(is_retried, expected.has_any(condition), "{progress:?} {evidence:?} {condition:?}");
            assert_eq!(exchange.retry_denied(), None);
        }
    }
}

#[test]
fn a_safe_replay_comes_before_a_retry() {
    let policy = RetryPolicy { max_replays: 1, ..policy(RetryOn::RESET_BEFORE_REQUEST) };
    let mut exchange = Exchange::new(Repeatable::NotIdempotent, policy, 7);
    let mut fail = || {
        exchange.handle_bound(T0, Usage::Reused);
        let next = exchange.handle_attempt_failed(T0, Progress::NothingSent, None, BodyReplay::Possible);
        if let Next::RetryAt(_) = next {
            exchange.handle_back_off_over();
        }
        next
    };
    assert_eq!(fail(), Next::Requeue { deadline: None });
    assert!(matches!(fail(), Next::RetryAt(_)));
    assert!(matches!(fail(), Next::RetryAt(_)));
    assert_eq!(fail(), Next::Fail(Verdict::NeverSent));
    assert_eq!(exchange.retry_denied(), Some(RetryDenied::Exhausted));
    assert_eq!((exchange.replays(), exchange.retries()), (1, 2));
}

#[test]
fn a_retry_without_a_seat_is_none() {
    let mut exchange = Exchange::new(Repeatable::Idempotent, RetryPolicy::DEFAULT, 7);
    exchange.handle_queued(T0, None);
    let next = exchange.handle_pool_failure(T0, PoolFailure::ConnectTimeout);
    assert!(matches!(next, Next::RetryAt(_)));
    assert_eq!(exchange.handle_retry_refused(), Next::Fail(Verdict::NeverSent));
    assert_eq!((exchange.retry_denied(), exchange.retries()), (Some(RetryDenied::Overflow), 0));
    assert_eq!(exchange.state(), State::Done);
}

#[test]
fn back_off_is_spread_below_its_ceiling_and_capped() {
    let policy = RetryPolicy::default();
    let longest = (0..1000).map(|seed| policy.back_off(9, seed)).max();
    assert!(longest.is_some_and(|d| d < Duration::from_millis(250) && d > Duration::from_millis(200)));
    let shortest = (0..1000).map(|seed| policy.back_off(9, seed)).min();
    assert!(shortest.is_some_and(|d| d < Duration::from_millis(5)));
    assert_eq!(RetryPolicy::NEVER.back_off(1, 3), Duration::ZERO);
}

#[test]
fn nothing_that_a_peer_says_after_a_response_byte_makes_a_repeat_safe() {
    for evidence in [None, Some(Verdict::Refused), Some(Verdict::AboveGoAway)] {
        let mut started = bound(Repeatable::Idempotent, Usage::Reused);
        started.handle_response_started();
        let next = started.handle_attempt_failed(T0, Progress::RequestSent, evidence, BodyReplay::Possible);
        assert_eq!(next, Next::Fail(Verdict::Unknown), "{evidence:?}");
        let mut bytes = bound(Repeatable::Idempotent, Usage::Reused);
        let next = bytes.handle_attempt_failed(T0, Progress::ResponseStarted, evidence, BodyReplay::Possible);
        assert_eq!(next, Next::Fail(Verdict::Unknown), "{evidence:?}");
    }
}

#[test]
fn nothing_follows_an_outcome() {
    let mut exchange = bound(Repeatable::Idempotent, Usage::Reused);
    exchange.handle_done();
    let next = exchange.handle_attempt_failed(T0, Progress::NothingSent, None, BodyReplay::Possible);
    assert_eq!((next, exchange.state()), (Next::Fail(Verdict::NeverSent), State::Done));
}
