//! The suite for servers: the same laws on every runtime, over real sockets.
//!
//! A runtime writes a [`ServerHarness`] and calls [`server_conformance_suite!`](crate::server_conformance_suite).
//! The clients are threads with blocking sockets that write and read byte by byte, and once the
//! client of this crate. Nothing sleeps to wait for something else.

pub mod closing;
pub mod content;
pub mod faults;
pub mod interim;
pub mod keep_alive;
pub mod patience;
pub mod replies;
pub mod reports;
pub mod shutdown;
pub mod upgrade;

mod lab;
mod visitor;
mod watcher;

use std::future::Future;
use std::net::SocketAddr;

pub use lab::{Entrance, Host, Reply};

use super::Content;
use crate::client::Keeper;
use crate::runtime::{Accept, Connect, Runtime, Spawn};
use crate::server::Task;

/// What the suite needs of a runtime.
pub trait ServerHarness: 'static {
    /// Accepts TCP connections.
    type Listener: Accept<Io: Send>;
    /// Opens TCP connections to IP literals.
    type Connector: Connect;
    /// Clock, sleep and spawn.
    type Runtime: Runtime
        + Spawn<Task<Self::Runtime, Entrance<Self::Listener>, Host<<Self::Listener as Accept>::Io>>>
        + Spawn<Keeper<Self::Runtime, Self::Connector, Content>>;

    /// Runs `case` to its end inside the runtime, with a listener on a free port of the loopback
    /// interface. Tasks that were spawned meanwhile have to make progress while `case` waits.
    fn run<F: Future<Output = ()>>(
        case: impl FnOnce(Self::Runtime, Self::Connector, Self::Listener, SocketAddr) -> F,
    );
}

/// One `#[test]` per law of the server's suite, run on the given
/// [`ServerHarness`](crate::conformance::serving::ServerHarness).
#[macro_export]
macro_rules! server_conformance_suite {
    ($harness:ty) => {
        $crate::server_conformance_suite!(@ $harness;
            keep_alive: requests_share_a_connection,
                pipelined_requests_are_answered_one_at_a_time,
                connection_close_is_honoured,
                http10_lives_on_only_if_asked,
                max_requests_per_connection_announces_the_close,
                idle_timeout_closes,
                idle_timeout_starts_with_the_last_response,
                requests_move_the_idle_timeout,
                slow_head_is_answered_408,
                max_connection_duration_ends_idle_connections,
                max_connection_duration_lets_an_exchange_finish,
                connection_limit_keeps_others_waiting,
                the_crates_own_client_is_served;
            content: content_is_echoed_as_it_comes,
                length_and_trailers_arrive,
                service_that_does_not_read_stops_the_client,
                client_that_does_not_read_stops_the_service,
                responses_without_content_leave_the_connection,
                http10_gets_content_until_the_close,
                content_may_be_read_by_another_task;
            interim: continue_is_sent_when_the_body_is_asked_for,
                continue_is_not_sent_for_a_body_that_nobody_wants,
                continue_can_be_left_to_the_service,
                withheld_continue_is_never_sent,
                interim_responses_are_sent_on_request,
                interim_responses_are_sent_from_beside;
            faults: malformed_requests_are_refused,
                malformed_content_is_an_error_for_its_reader,
                service_error_is_500,
                response_that_cannot_be_sent_is_500,
                response_shorter_than_announced_breaks_off,
                client_that_leaves_takes_its_request_along,
                client_that_leaves_after_its_content_takes_its_request_along,
                listener_errors_are_not_spun_on;
            patience: stream_idle_timeout_answers_an_incomplete_request_408,
                stream_idle_timeout_answers_for_a_silent_service_504,
                stream_idle_timeout_cuts_a_response_that_stalls,
                exchange_that_goes_on_is_not_idle,
                request_timeout_bounds_the_whole_request,
                max_stream_duration_ends_an_exchange,
                service_may_set_the_limits_of_its_exchange,
                service_may_set_the_limits_of_a_response_that_is_all_there;
            replies: local_replies_say_what_is_wrong,
                http10_can_be_refused,
                local_replies_can_be_seen_and_changed,
                local_reply_that_was_spoilt_is_sent_plainly;
            reports: report_tells_of_a_complete_exchange,
                report_tells_that_the_client_has_gone,
                report_tells_why_the_server_ended_it,
                report_tells_of_cuts_and_upgrades,
                report_is_gone_with_the_next_exchange;
            closing: unread_content_at_hand_leaves_the_connection,
                early_response_ends_the_connection,
                early_response_arrives_while_the_client_sends,
                upload_that_is_refused_at_once_may_be_sent_whole,
                endless_sender_is_cut_off,
                discarding_has_a_bound;
            upgrade: upgraded_connection_carries_bytes_both_ways,
                connect_makes_a_tunnel,
                declined_upgrade_is_an_ordinary_exchange,
                unclaimed_upgrade_is_closed;
            shutdown: idle_connections_close_at_once,
                busy_connections_answer_and_close,
                request_on_its_way_is_answered,
                deadline_cuts_what_is_left,
                deadline_cuts_tunnels,
                connections_in_the_queue_are_served,
                request_in_the_socket_is_answered
        );
    };
    (@ $harness:ty; $($room:ident: $($case:ident),* $(,)?);* $(;)?) => {
        $($(
            #[test]
            fn $case() {
                $crate::conformance::serving::$room::$case::<$harness>();
            }
        )*)*
    };
}
