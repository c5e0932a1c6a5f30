//! The suite that any runtime can run on itself (feature `conformance`).
//!
//! A runtime that fills the seams of [`crate::runtime`] writes a [`Harness`] of a few lines and gets
//! one `#[test]` per law:
//!
//! ```ignore
//! struct MyHarness;
//! impl pool_core::conformance::Harness for MyHarness { /* four items */ }
//! pool_core::conformance_suite!(MyHarness);
//! ```
//!
//! Every case is also a plain function, for example
//! [`reuse::second_request_reuses_the_connection`], for those who bring their own test runner.
//!
//! The peers are threads with blocking sockets on loopback that answer byte by byte. Nothing sleeps
//! to wait for something else: cases go on by what was received, sent or counted. After each case all
//! gauges are zero, the client closes, and no socket is left.
//!
//! The suite of the server is in [`serving`].
//!
//! Clients that may be used from several threads pass `threads` as well:
//! `conformance_suite!(MyHarness, threads)`.

pub mod cancel;
pub mod clusters;
pub mod connect;
pub mod faults;
pub mod flow;
pub mod membership;
pub mod messages;
pub mod queue;
pub mod replay;
pub mod retries;
pub mod reuse;
pub mod serving;
pub mod shutdown;
pub mod threads;
pub mod upgrade;

mod content;
mod lab;
mod peer;
mod tap;
mod turns;

use std::future::Future;
use std::time::Duration;

pub use content::Content;
pub use tap::{Tap, TapConnect, TapIo};

use crate::client::Keeper;
use crate::runtime::{Connect, Runtime, Spawn};

/// The longest that a peer or a client waits for the other side before its case fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the suite needs of a runtime.
pub trait Harness {
    /// Clock, sleep and spawn.
    type Runtime: Runtime + Spawn<Keeper<Self::Runtime, Tap<Self::Connector>, Content>>;
    /// Opens TCP connections to IP literals.
    type Connector: Connect;

    /// Runs `case` to its end inside the runtime, with what a client is built from. Tasks that were
    /// spawned meanwhile have to make progress while `case` waits.
    fn run<F: Future<Output = ()>>(case: impl FnOnce(Self::Runtime, Self::Connector) -> F);
}

/// One `#[test]` per law of the suite, run on the given [`Harness`](crate::conformance::Harness).
#[macro_export]
macro_rules! conformance_suite {
    ($harness:ty, threads) => {
        $crate::conformance_suite!($harness);
        $crate::conformance_suite!(@ $harness;
            threads: one_client_serves_two_threads,
                body_moves_to_another_thread,
                call_backs_off_on_a_foreign_thread,
        );
    };
    ($harness:ty) => {
        $crate::conformance_suite!(@ $harness;
            connect: refused_is_retried_then_typed,
                refused_without_retries_is_tried_once,
                client_serves_after_a_refused_connection,
                connect_timeout_gives_the_attempt_up,
                connect_timeout_is_retried,
                request_without_origin_is_refused,
                accept_and_close_is_an_error;
            reuse: second_request_reuses_the_connection,
                requests_at_the_same_time_do_not_share_a_connection,
                connection_close_is_honoured,
                max_requests_per_connection_closes,
                idle_timeout_closes,
                max_connection_duration_closes,
                half_close_after_the_response_ends_the_connection,
                connection_closed_while_idle_is_not_used,
                bytes_on_an_idle_connection_end_it,
                client_is_a_tower_service,
                connection_ids_are_unique;
            queue: thousand_waiters_share_one_connection,
                waiters_survive_connections_that_break,
                waiters_that_give_up_leave_no_trace,
                pending_overflow_fails_at_once,
                request_overflow_fails,
                pending_timeout_fails_the_waiter,
                freed_seat_goes_to_another_client,
                queue_time_is_told;
            cancel: exchange_dropped_at_every_wait_leaves_no_trace,
                reused_exchange_dropped_at_every_wait_leaves_no_trace,
                dropped_response_closes_its_connection,
                attempt_of_a_dropped_call_serves_the_next,
                connection_given_to_a_dropped_call_goes_to_the_next,
                call_dropped_in_its_back_off_is_over,
                connection_aborted_before_it_was_taken_is_closed,
                random_cancels_over_breaking_connections_leave_no_trace;
            faults: malformed_responses_are_refused,
                endless_head_is_refused,
                close_within_the_head,
                reset_within_the_head,
                truncated_body_is_an_error,
                reset_within_the_body,
                failing_request_body_is_the_callers_fault,
                request_body_of_the_wrong_length_is_refused;
            replay: idempotent_request_on_a_stale_connection_is_replayed,
                unrepeatable_request_on_a_stale_connection_is_not_replayed,
                failure_on_a_fresh_connection_is_not_replayed,
                broken_response_is_not_replayed,
                replays_can_be_turned_off,
                kept_body_is_replayed,
                body_beyond_the_replay_limit_is_not_replayed,
                remade_body_is_replayed,
                verdict_of_a_sent_attempt_survives_a_failed_replay;
            messages: interim_responses_are_passed_over,
                responses_without_content_leave_the_connection,
                request_bodies_are_framed,
                chunked_response_with_trailers,
                response_until_the_end_of_the_connection,
                http10_keep_alive_is_explicit,
                response_streams_as_it_comes,
                small_response_frees_its_connection_at_once,
                messages_survive_streams_that_yield;
            flow: peer_that_does_not_read_stops_the_request_body,
                caller_that_does_not_read_stops_the_peer,
                large_chunks_go_out_in_parts,
                early_response_ends_the_connection,
                early_response_reaches_a_client_that_cannot_write,
                early_response_with_a_reset_has_one_outcome,
                reading_the_response_sends_the_rest_of_the_request,
                unread_response_does_not_stop_the_request,
                unread_response_stops_the_peer_also_in_the_background,
                dropped_response_gives_up_the_request,
                request_body_that_fails_late_breaks_the_response;
            upgrade: upgraded_connection_carries_bytes_both_ways,
                dropped_upgrade_closes_the_connection,
                declined_upgrade_is_an_ordinary_response,
                abort_cuts_an_upgraded_connection,
                upgrade_dropped_after_abort_leaves_no_trace;
            clusters: hosts_take_turns,
                failed_connect_goes_to_another_host,
                cluster_without_hosts_is_an_error,
                cluster_limits_hold_for_all_clients,
                interim_responses_are_given_to_who_asks,
                priorities_do_not_share,
                clusters_do_not_share,
                refused_pool_is_an_error_of_its_own,
                unusual_targets_keep_their_form,
                upgrade_through_a_cluster,
                counters_outlive_pools;
            membership: removed_host_drains,
                kept_host_keeps_its_connections,
                logical_host_moves,
                cluster_ends_with_its_last_clone;
            retries: exhausted_retries_are_told,
                retry_breaker_limits_retries,
                reset_goes_to_another_host,
                every_attempt_names_its_host_and_its_number,
                reset_is_not_retried_unasked,
                replay_limit_is_the_policys;
            shutdown: close_ends_idle_connections,
                close_while_busy_serves_what_was_accepted,
                close_while_connecting_ends_with_the_attempt,
                abort_while_busy_fails_everything,
                abort_cuts_a_response,
                abort_cuts_an_exchange_in_the_background,
                retire_closes_chosen_idle_connections,
                retire_lets_busy_connections_finish,
                call_outlives_the_client,
                upstream_that_dies_gives_every_request_one_outcome,
                close_can_be_given_up_and_asked_again
        );
    };
    (@ $harness:ty; $($room:ident: $($case:ident),* $(,)?);* $(;)?) => {
        $($(
            #[test]
            fn $case() {
                $crate::conformance::$room::$case::<$harness>();
            }
        )*)*
    };
}
