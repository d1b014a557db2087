//! The server is killed at every named point of the demo and started again: the same timeline, one sticky comment, no
//! check run twice. What a crash interrupts is found again in the database; what GitHub could not deliver meanwhile is
//! asked for again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowctl_app::crash::CRASH_POINTS;
use flowctl_tests::World;

/// What people see on GitHub at the end of the demo.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// Check runs by head in the order of pushes: name and conclusion of each, in order.
    checks: Vec<Vec<(String, Option<String>)>>,
    sticky_comments: usize,
    /// Replies and prompts beside the sticky comment.
    other_comments: usize,
    /// Reactions by comment, in order.
    reactions: Vec<Vec<String>>,
    /// Status and output of each step, as the check run's table shows them.
    summary: String,
}

fn outcome(world: &World) -> Outcome {
    let hub = world.hub();
    let repository = &world.scenario.repository;
    let mut by_head: BTreeMap<usize, Vec<(String, Option<String>)>> = BTreeMap::new();
    let mut heads: Vec<String> = Vec::new();
    let mut runs = hub.check_runs_of_pull_request(repository, 1).unwrap();
    runs.sort_by_key(|run| run.id);
    for run in &runs {
        let place = heads.iter().position(|head| *head == run.head_sha).unwrap_or_else(|| {
            heads.push(run.head_sha.clone());
            heads.len() - 1
        });
        by_head.entry(place).or_default().push((run.name.clone(), run.conclusion.clone()));
    }
    let comments = hub.comments(repository, 1).unwrap();
    let ours = |body: &str| body.contains("<!-- flowctl:");
    let sticky = |body: &str| body.contains("<!-- flowctl:execution:");
    let reactions = comments
        .iter()
        .filter(|comment| !ours(&comment.body))
        .map(|comment| {
            let mut contents: Vec<String> =
                hub.reactions(comment.id).into_iter().map(|reaction| reaction.content).collect();
            contents.sort();
            contents
        })
        .collect();
    let title = runs.last().and_then(|run| run.title.clone()).unwrap_or_default();
    Outcome {
        checks: by_head.into_values().collect(),
        sticky_comments: comments.iter().filter(|comment| sticky(&comment.body)).count(),
        other_comments: comments.iter().filter(|comment| ours(&comment.body) && !sticky(&comment.body)).count(),
        reactions,
        summary: title,
    }
}

/// Plays the demo with a server that dies at the nth passing of a point; whether it died.
async fn demo_with_a_crash(point: &str, nth: u32) -> (Outcome, bool) {
    let world = Arc::new(World::set_up("release"));
    let mut server = world.serve_until(point, nth);
    let (over, died) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // Whoever watches over servers starts a dead one again.
    let watching = std::thread::spawn({
        let (world, over, died) = (Arc::clone(&world), Arc::clone(&over), Arc::clone(&died));
        move || {
            while !over.load(Ordering::SeqCst) {
                if server.has_ended() && !over.load(Ordering::SeqCst) {
                    assert!(!died.swap(true, Ordering::SeqCst), "it died a second time\n{}", server.log());
                    server = world.serve();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            server
        }
    });
    let (setting, playing) = (Arc::clone(&world), Arc::clone(&world));
    tokio::task::spawn_blocking(move || setting.raise_the_curtain("release")).await.unwrap();
    let played = playing.play().await;
    // What is still to be told is told before anybody looks.
    let _ = world.sandbox.deliveries_settled(Duration::from_secs(20)).await;
    over.store(true, Ordering::SeqCst);
    let mut server = watching.join().unwrap();
    if let Err(error) = played {
        panic!("{point}:{nth}: {error}\n\nthe server's log:\n{}", server.log());
    }
    server.stop();
    (outcome(&world), died.load(Ordering::SeqCst))
}

/// Points that only sub-processes, events and time tables pass, which have no part in the demo.
const NOT_IN_THE_DEMO: [&str; 6] =
    ["child.starting", "child.started", "signal.taking", "signal.taken", "occurrence.claimed", "occurrence.dealt_with"];

/// How many passings of each point are tried: all of them with `FLOWCTL_TEST_ALL_CRASHES`, else enough to meet each
/// kind of transition.
fn most() -> u32 {
    if std::env::var_os("FLOWCTL_TEST_ALL_CRASHES").is_some() { 200 } else { 6 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_any_point_of_the_demo_ends_in_the_same_timeline() {
    let (expected, died) = demo_with_a_crash("nowhere", 1).await;
    assert!(!died);
    assert_eq!(expected.sticky_comments, 1, "{expected:#?}");
    let mut crashes = 0;
    for point in CRASH_POINTS {
        let mut met = false;
        for nth in 1..=most() {
            let (found, died) = demo_with_a_crash(point, nth).await;
            assert_eq!(found, expected, "killed at {point}:{nth}");
            if !died {
                break;
            }
            met = true;
            crashes += 1;
        }
        assert_ne!(met, NOT_IN_THE_DEMO.contains(&point), "whether the demo passes {point}");
    }
    println!("{crashes} crashes were survived");
}
