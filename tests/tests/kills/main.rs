//! The real program is killed with SIGKILL at random instants, again and again, while people and time tables of calls
//! keep it busy: steps that call, items side by side, timers, people's words by API and command line, sub-processes,
//! compensation. What was accepted ends; each attempt has one result and one key; no word is lost or doubled.
//!
//! `FLOWCTL_TEST_KILLS` says how often (4), `FLOWCTL_TEST_KILLS_SEED` chooses the same instants and answers again: the
//! seed of each run is printed. PostgreSQL's test needs the server of `FLOWCTL_TEST_POSTGRES_URL` (`tests/run` brings one).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod agents;
mod desk;
mod orders;
mod recorder;
mod stage;
mod verdict;

use std::time::Duration;

use flowctl_tests::Database;
use stage::Stage;

/// How often the server is killed.
const KILLS: u64 = 4;
/// Orders that are placed in each of the server's lives.
const ORDERS: u64 = 6;
/// The longest time until a kill, from the start or from when the server was ready, in milliseconds.
const LONGEST_LIFE: u64 = 700;

/// Numbers from a seed: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

async fn killed_again_and_again(database: Option<Database>) {
    let kills = number("FLOWCTL_TEST_KILLS").unwrap_or(KILLS);
    let seed = number("FLOWCTL_TEST_KILLS_SEED").unwrap_or_else(|| uuid::Uuid::now_v7().as_u64_pair().1);
    println!("again: FLOWCTL_TEST_KILLS={kills} FLOWCTL_TEST_KILLS_SEED={seed}");
    let mut random = Random(seed);
    let stage = Stage::set_up(database).await;
    let orders = orders::place(&stage, (kills + 1) * ORDERS, ORDERS);
    for life in 0..kills {
        let mut server = stage.server(life);
        // Some die before they are ready.
        if random.below(4) > 0 {
            stage.ready(&mut server).await;
        }
        // When it dies is what is tried here; nothing waits for this time.
        tokio::time::sleep(Duration::from_millis(random.below(LONGEST_LIFE))).await;
        assert!(!server.has_ended(), "it ended by itself\n{}", server.log());
        server.kill();
    }
    let mut server = stage.server(kills);
    let orders = orders.all_over(&mut server).await;
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    verdict::of(&stage, &orders).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_random_instants_loses_and_doubles_nothing() {
    killed_again_and_again(None).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn on_postgresql_a_server_killed_at_random_instants_loses_and_doubles_nothing() {
    killed_again_and_again(Some(Database::of_tests().await)).await;
}
