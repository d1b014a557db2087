//! Hundreds of executions at once in one installation, under GitHub's own limits: none of its requests is refused. Time
//! runs faster here, for GitHub and for the server alike, or it would take hours.

use std::time::{Duration, Instant};

use crate::stage::{RELEASE, Stage};

const EXECUTIONS: u16 = 500;
/// An hour takes fifteen seconds.
const TIMES: u16 = 240;
/// Far longer than it takes, also where much else runs.
const PATIENCE: Duration = Duration::from_secs(150);
/// Only what an execution shows is of interest here.
const QUIET: (&str, &str) = (".flow/flow.yaml", "validate: {every_pull_request: false}\n");

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_executions_at_once_are_shown_without_one_refused_request() {
    let began = Instant::now();
    let stage = Stage::raise_in_fast_time(&[("release", RELEASE)], &[QUIET], TIMES).await;
    let numbers: Vec<u64> = (0..EXECUTIONS).map(|number| stage.pull_request(&format!("release-{number}"))).collect();
    let opened = began.elapsed();
    let all_shown = tokio::time::timeout(PATIENCE, async {
        for number in &numbers {
            until_shown(&stage, *number).await;
        }
    });
    let all_shown = all_shown.await;
    let requests = stage.hub.requests.all();
    let refused: Vec<_> = requests.iter().filter(|request| [403, 429].contains(&request.status)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(all_shown.is_ok(), "not all are shown after {PATIENCE:?}");
    let of_api: Vec<_> = requests.iter().filter(|request| !request.is_git()).collect();
    let writes = stage.hub.requests.writes().len();
    println!(
        "{EXECUTIONS} executions: {} requests, {writes} of them writes; opened in {opened:?}, shown after {:?}",
        of_api.len(),
        began.elapsed()
    );
    // A check run, its end and a comment each; some are written once, in their latest state.
    assert!(writes <= usize::from(EXECUTIONS) * 3 + 50, "{writes} writes");
}

/// Waits until a pull request has its check run and its comment.
async fn until_shown(stage: &Stage, number: u64) {
    let is_shown = || {
        let waits = stage.runs(number, "release").pop()?.conclusion? == "action_required";
        let is_asked = !stage.app_comments(number, "<!-- flowctl:execution:").is_empty();
        (waits && is_asked).then_some(())
    };
    stage.eventually_within(PATIENCE * 2, "people are asked", is_shown).await;
}
