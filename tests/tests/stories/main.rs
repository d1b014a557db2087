//! People and flowctl on a pull request, told as they would tell it: a real server in this process, a real store, a
//! sandbox GitHub over real git and HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod acting;
mod actions;
mod approvals;
mod burst;
mod checks;
mod commands;
mod definitions;
mod deliveries;
mod expected;
mod happenings;
mod installations;
mod logins;
mod missed;
mod one_question;
mod outbox;
mod owners;
mod prompts;
mod pushes;
mod references;
mod refused;
mod renamed;
mod reviews;
mod settings;
mod setup;
mod shown;
mod stage;
mod standing;
mod voices;
mod writes;
