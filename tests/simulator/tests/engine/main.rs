//! The engine itself, on real databases, in worlds made from numbers: random processes (those of core's simulator), servers
//! that die and stand still, clocks of theirs that jump, calls that come back late or never, people who ask until they are
//! answered. Time is the runtime's own, which stands still while anything is done; so a day takes a second.
//!
//! What happens follows from the number. Where two things are due at the very same instant, the runtime may take either: a
//! number that fails may need to be played more than once.
//! `FLOWCTL_SIMULATOR_SEED=N cargo test -p flowctl-simulator -- --nocapture` plays one, with its story;
//! `FLOWCTL_SIMULATOR_SEEDS=N` the first N.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation fails the test")]

#[path = "../../../../core/tests/simulator/chance.rs"]
mod chance;
mod checks;
mod passing;
mod people;
#[path = "../../../../core/tests/simulator/processes.rs"]
mod processes;
mod servers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use flowctl_app::store::{SqliteStore, Store as _, sqlite};
use servers::World;
use tempfile::TempDir;

/// Worlds that are played where nothing else is said.
const SEEDS: u64 = 50;
/// Worlds that are played at the same time: mostly each waits for its database's threads.
const PLAYERS: usize = 8;
/// Of every so many worlds one has fair weather: nothing goes wrong in it, and nothing is done twice.
const FAIR: u64 = 4;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not `{text}`")))
}

/// A database as a new one is, made once.
fn new_database(folder: &TempDir, disk: &tokio::runtime::Runtime) -> String {
    static NEW: OnceLock<Vec<u8>> = OnceLock::new();
    let new = NEW.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flowctl.db");
        disk.block_on(async {
            let store = SqliteStore::open(&format!("sqlite://{}", file.display())).await.unwrap();
            store.close().await;
        });
        std::fs::read(&file).unwrap()
    });
    let file = folder.path().join("flowctl.db");
    std::fs::write(&file, new).unwrap();
    format!("sqlite://{}", file.display())
}

/// Where a world's database is: in memory, where the system has files there. What a disk does is shown elsewhere.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Plays a world to its end and checks it.
fn play(seed: u64, tells: bool) {
    let disk = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = folder();
    let url = new_database(&folder, &disk);
    let story = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let store = disk.block_on(SqliteStore::open(&url)).unwrap();
    let fair = seed.is_multiple_of(FAIR);
    story.block_on(async {
        let world = World::new(seed, store, disk.handle().clone(), !fair, tells);
        world.play().await;
        checks::at_the_end(&world, fair).await;
        world.close().await;
    });
    drop(story);
    let found = sqlite::examine(&url).unwrap().unwrap();
    let sound = found.broken.is_empty() && found.differences.is_empty() && found.missing_outputs.is_empty();
    assert!(sound && found.executions > 0, "{found:?}");
}

#[test]
fn whatever_happens_to_servers_nothing_is_lost_or_doubled_and_everything_ends() {
    if let Some(seed) = number("FLOWCTL_SIMULATOR_SEED") {
        return play(seed, true);
    }
    let (seeds, next) = (number("FLOWCTL_SIMULATOR_SEEDS").unwrap_or(SEEDS), AtomicU64::new(0));
    let failed: Vec<String> = std::thread::scope(|scope| {
        let players: Vec<_> = (0..PLAYERS).map(|_| scope.spawn(|| play_some(&next, seeds))).collect();
        players.into_iter().filter_map(|player| player.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// Plays worlds until none is left or one fails.
fn play_some(next: &AtomicU64, seeds: u64) -> Option<String> {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds {
            return None;
        }
        if catch_unwind(AssertUnwindSafe(|| play(seed, false))).is_err() {
            next.store(seeds, Ordering::Relaxed);
            return Some(format!(
                "seed {seed} failed; play it again with\n  FLOWCTL_SIMULATOR_SEED={seed} cargo test -p flowctl-simulator -- --nocapture"
            ));
        }
    }
}
