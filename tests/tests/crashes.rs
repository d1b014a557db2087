//! The server is killed at every named point of a scenario and started again: the same timeline, one sticky comment for
//! each execution, no check run twice. What a crash interrupts is found again in the database; what GitHub could not
//! deliver meanwhile is asked for again. The demo passes the points of a pull request's life, `relay` those of what
//! executions tell each other.
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
    /// Check runs on the default branch, where executions are shown that began by themselves: name and conclusion.
    by_themselves: Vec<(String, Option<String>)>,
}

fn outcome(world: &World, process: &str) -> Outcome {
    let hub = world.hub();
    let repository = &world.scenario.repository;
    let mut by_head: BTreeMap<usize, Vec<(String, Option<String>)>> = BTreeMap::new();
    let mut heads: Vec<String> = Vec::new();
    let mut runs = hub.check_runs_of_pull_request(repository, 1).unwrap();
    // Two executions are told side by side; of each the order counts.
    runs.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
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
    let by_themselves = on_the_default_branch(world);
    let name = format!("flowctl / {process}");
    let title = runs.iter().rfind(|run| run.name == name).and_then(|run| run.title.clone()).unwrap_or_default();
    Outcome {
        checks: by_head.into_values().collect(),
        sticky_comments: comments.iter().filter(|comment| sticky(&comment.body)).count(),
        other_comments: comments.iter().filter(|comment| ours(&comment.body) && !sticky(&comment.body)).count(),
        reactions,
        summary: title,
        by_themselves,
    }
}

fn on_the_default_branch(world: &World) -> Vec<(String, Option<String>)> {
    let (hub, repository) = (world.hub(), &world.scenario.repository);
    let head = hub.branch(repository, "main").unwrap();
    let mut runs = hub.check_runs(repository, &head).unwrap();
    runs.sort_by_key(|run| run.id);
    runs.into_iter().map(|run| (run.name, run.conclusion)).collect()
}

/// Waits until a process that nobody started by hand has ended well; the limit only keeps a broken test from hanging.
async fn began_and_ended(world: &World, process: &str) -> bool {
    let expected = (format!("flowctl / {process}"), Some("success".to_owned()));
    let ended = async {
        while !on_the_default_branch(world).contains(&expected) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.is_ok()
}

/// A scenario, which has the name of its process, and the process that begins by itself after it.
#[derive(Clone, Copy)]
struct Story {
    name: &'static str,
    follows: Option<&'static str>,
}

const DEMO: Story = Story { name: "release", follows: None };
const RELAY: Story = Story { name: "relay", follows: Some("archive") };

/// Plays a scenario with a server that dies at the nth passing of a point; whether it died.
async fn with_a_crash(story: Story, point: &str, nth: u32) -> (Outcome, bool) {
    let name = story.name;
    let world = Arc::new(World::set_up(name));
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
    tokio::task::spawn_blocking(move || setting.raise_the_curtain(name)).await.unwrap();
    let played = playing.play().await;
    let followed = match story.follows {
        Some(process) if played.is_ok() => began_and_ended(&world, process).await,
        _ => true,
    };
    // What is still to be told is told before anybody looks.
    let _ = world.sandbox.deliveries_settled(Duration::from_secs(20)).await;
    over.store(true, Ordering::SeqCst);
    let mut server = watching.join().unwrap();
    if let Err(error) = played {
        panic!("{point}:{nth}: {error}\n\nthe server's log:\n{}", server.log());
    }
    assert!(followed, "{point}:{nth}: {:?} did not begin\n{}", story.follows, server.log());
    server.stop();
    (outcome(&world, name), died.load(Ordering::SeqCst))
}

/// Points that only sub-processes, signals and occurrences pass, which have no part in the demo; `relay` passes them.
const NOT_IN_THE_DEMO: [&str; 6] =
    ["child.starting", "child.started", "signal.taking", "signal.taken", "occurrence.claimed", "occurrence.dealt_with"];

/// How many passings of each point are tried: all of them with `FLOWCTL_TEST_ALL_CRASHES`, else enough to meet each
/// kind of transition.
fn most() -> u32 {
    if std::env::var_os("FLOWCTL_TEST_ALL_CRASHES").is_some() { 200 } else { 6 }
}

/// Kills the server at every passing of these points; the points that were met.
async fn killed_at(story: Story, points: &[&'static str]) -> Vec<&'static str> {
    let (expected, died) = with_a_crash(story, "nowhere", 1).await;
    assert!(!died);
    let (mut crashes, mut met) = (0, Vec::new());
    for point in points {
        for nth in 1..=most() {
            let (found, died) = with_a_crash(story, point, nth).await;
            assert_eq!(found, expected, "killed at {point}:{nth}");
            if !died {
                break;
            }
            crashes += 1;
            if nth == 1 {
                met.push(*point);
            }
        }
    }
    println!("{crashes} crashes were survived");
    met
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_any_point_of_the_demo_ends_in_the_same_timeline() {
    let met = killed_at(DEMO, &CRASH_POINTS).await;
    let expected: Vec<&str> = CRASH_POINTS.into_iter().filter(|point| !NOT_IN_THE_DEMO.contains(point)).collect();
    assert_eq!(met, expected, "the points that the demo passes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_executions_tell_each_other_something_ends_in_the_same_timeline() {
    let met = killed_at(RELAY, &NOT_IN_THE_DEMO).await;
    assert_eq!(met, NOT_IN_THE_DEMO, "the points that the relay passes");
}
