//! A seeded simulator: random processes on a few servers that die, over a store that loses whatever it had not yet
//! acknowledged, with clocks that jump, calls that fail, repeat and come back late, and people who do as they like. Everything
//! follows from the seed; the pieces that it plays are core's own, the rest stands in for the engine and the store.
//!
//! A seed that fails is played again, with its story, by
//! `FLOWCTL_SIMULATOR_SEED=N cargo test -p flowctl-core --test simulator -- --nocapture`;
//! `FLOWCTL_SIMULATOR_SEEDS=N` plays the first N.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation fails the test")]

mod chance;
mod checks;
mod clients;
mod processes;
mod server;
mod store;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

/// Seeds that are played where nothing else is said.
const SEEDS: u64 = 3_000;
/// Every so many seeds one is played twice.
const TWICE: u64 = 20;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not `{text}`")))
}

/// Plays a seed to its end and checks it; what tells one story from another.
fn play(seed: u64, tells: bool) -> String {
    let mut world = World::new(seed, tells);
    world.misfortunes();
    world.calm();
    checks::waits_for_something_named(&world);
    world.everybody_helps();
    checks::at_the_end(&world);
    world.fingerprint()
}

#[test]
fn whatever_happens_nothing_is_lost_or_doubled_and_everything_ends() {
    if let Some(seed) = number("FLOWCTL_SIMULATOR_SEED") {
        play(seed, true);
        return;
    }
    let (seeds, next) = (number("FLOWCTL_SIMULATOR_SEEDS").unwrap_or(SEEDS), AtomicU64::new(0));
    let failed: Vec<String> = std::thread::scope(|scope| {
        let players = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let players: Vec<_> = (0..players).map(|_| scope.spawn(|| play_some(&next, seeds))).collect();
        players.into_iter().flat_map(|player| player.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// Plays seeds until none is left or one fails.
fn play_some(next: &AtomicU64, seeds: u64) -> Option<String> {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds {
            return None;
        }
        let played = catch_unwind(AssertUnwindSafe(|| {
            let first = play(seed, false);
            if seed.is_multiple_of(TWICE) {
                assert_eq!(first, play(seed, false), "the same seed is the same story");
            }
        }));
        if played.is_err() {
            next.store(seeds, Ordering::Relaxed);
            return Some(format!(
                "seed {seed} failed; play it again with\n  FLOWCTL_SIMULATOR_SEED={seed} cargo test -p flowctl-core --test simulator -- --nocapture"
            ));
        }
    }
}
