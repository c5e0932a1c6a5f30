//! The pool machine against the conformance scenarios, each test named by the id of its scenario,
//! and against the rules that the scenarios pin down.
//!
//! A scenario reads as a script: a verb (a fact or a wish), then `expect` with exactly what the
//! pool answered and ordered, in order. The bench checks the structural invariants after every
//! verb, and `finish` closes what is left and checks that every gauge is back at zero.
mod harness;
mod setup;
mod shadow;

mod base;
mod corners;
mod early_data;
mod further;
mod further_h2;
mod h1;
mod h1_drain;
mod h2;
mod h2_capacity;
mod int;
mod laws;
mod rm;
mod rules;
mod seats;
mod tcp;
mod traces;
