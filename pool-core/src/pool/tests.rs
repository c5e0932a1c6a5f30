//! Rules that are easier to see from inside than through scenarios.

mod ledger;
mod random;
mod rules;
