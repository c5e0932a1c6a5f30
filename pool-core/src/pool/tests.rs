//! Rules that are easier to see from inside than through scenarios.

mod direct;
mod ledger;
mod random;
mod rules;
