//! The prover against the engine, and guarantees told as people would read them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod brute;
mod compared;
mod copies;
mod deadlines;
mod deep;
mod handed_on;
mod money;
mod played;
mod random;
mod seen;
mod stories;
mod time;
