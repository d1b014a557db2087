//! `flowctl validate` and `flowctl graph` as people and scripts use them: the real program in real folders.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod baselines;
mod changes;
mod fixing;
mod formats;
mod graphs;
mod help;
mod paths;
mod settings;
mod stage;
mod watching;
