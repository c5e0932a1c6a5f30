//! Whole programs in one thread and no time: this project's clients and servers, scripted peers, a
//! network between them and a clock that jumps, all from one seed.
//!
//! ```text
//!   plan  --->  run: World (tasks, clock) --- Net (connections, faults) --- origins: script | server
//!   of a seed         |                             |                                |
//!                     +--- clients, callers --------+---- visitors                   |
//!                     +--- Account: every oracle's book <----------------------------+
//! ```
//!
//! Reading order: [`rng`], [`trace`], [`account`], [`world`], [`weather`], [`fabric`], [`stream`],
//! [`counted`], [`content`], [`peer`], [`origin`], [`served`], [`visitor`], [`load`], [`plan`],
//! [`mod@run`], [`campaign`].

pub mod account;
pub mod campaign;
pub mod content;
pub mod counted;
pub mod fabric;
pub mod load;
pub mod origin;
pub mod peer;
pub mod plan;
pub mod rng;
pub mod run;
pub mod served;
pub mod stream;
pub mod trace;
pub mod visitor;
pub mod weather;
pub mod world;

pub use run::{Report, run};
