//! Whole exchanges through memory, client against server, and the scenarios that end in wire.
#![cfg(feature = "h1")]

mod limits;
mod outbox;
mod pair;
mod refusal;
mod roundtrip;
mod scenarios;
mod sending;
