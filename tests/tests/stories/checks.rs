//! Check runs over time: asked for again, renewed before GitHub gives them up, and buttons beside what was shown.

use flowctl_sandbox::state::CheckRun;
use serde_json::{Value, json};

use crate::stage::{RELEASE, Stage};

/// Waits until a check has so many runs and gives the last one.
async fn nth(stage: &Stage, number: u64, process: &str, count: usize) -> CheckRun {
    let what = format!("run {count} of {process}");
    stage
        .eventually(&what, || {
            let mut runs = stage.runs(number, process);
            assert!(runs.len() <= count, "{process} has more runs than were asked for");
            runs.pop().filter(|_| stage.runs(number, process).len() == count)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_asked_for_again_is_followed_by_one_that_says_the_same() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    stage.expect("POST", "check-runs");
    let number = stage.pull_request("release-1.4");
    let first = stage.concluded(number, "release", "action_required").await;
    let validated = nth(&stage, number, "validate", 1).await;
    stage.hub.rerequest("bob", first.id).unwrap();
    let second = nth(&stage, number, "release", 2).await;
    assert_eq!((&second.conclusion, &second.title), (&first.conclusion, &first.title));
    stage.hub.rerequest("bob", validated.id).unwrap();
    let again = nth(&stage, number, "validate", 2).await;
    assert_eq!((&again.conclusion, &again.title), (&validated.conclusion, &validated.title));
    // The first one's buttons asked the same, and still do.
    stage.hub.press("bob", first.id, "approve").unwrap();
    stage.eventually("bob's word", || second_word(&stage, number)).await;
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    let ended = stage.concluded(number, "release", "success").await;
    stage.hub.rerequest("bob", ended.id).unwrap();
    let last =
        stage.eventually("one more run", || stage.runs(number, "release").pop().filter(|run| run.id > ended.id)).await;
    assert_eq!(last.conclusion.as_deref(), Some("success"), "what has ended is told anew and not begun again");
}

fn second_word(stage: &Stage, number: u64) -> Option<()> {
    let comment = stage.app_comments(number, "<!-- flowctl:execution:").pop()?;
    comment.contains("bob approved").then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suite_that_is_asked_for_again_hears_of_every_run() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    let asks = stage.concluded(number, "release", "action_required").await;
    nth(&stage, number, "validate", 1).await;
    stage.hub.rerequest_suite("bob", asks.suite).unwrap();
    nth(&stage, number, "release", 2).await;
    nth(&stage, number, "validate", 2).await;
}

/// GitHub names no pull request in the events of a fork's check runs
/// (<https://docs.github.com/en/rest/checks/runs>: "pull requests whose head is in the same repository").
#[tokio::test(flavor = "multi_thread")]
async fn a_forks_check_is_asked_for_again_by_its_commit() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    let validated = nth(&stage, number, "validate", 1).await;
    stage.cut_off();
    stage.hub.rerequest("bob", validated.id).unwrap();
    let told = stage.hub.deliveries().into_iter().rfind(|told| told.action.as_deref() == Some("rerequested")).unwrap();
    let mut payload: Value = serde_json::from_str(&told.payload).unwrap();
    payload["check_run"]["pull_requests"] = json!([]);
    payload["check_run"]["check_suite"]["pull_requests"] = json!([]);
    assert_eq!(stage.deliver("check_run", "of-a-fork", &payload.to_string()).await, 202);
    nth(&stage, number, "validate", 2).await;
}

const WAITS: &str = "
name: patient
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: later, type: wait, for: 60d}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_open_for_long_is_renewed_before_github_gives_it_up() {
    let mut stage = Stage::raise(&[("patient", WAITS)]).await;
    let number = stage.pull_request("release-1.4");
    let first = nth(&stage, number, "patient", 1).await;
    stage.eventually("it runs", || (stage.runs(number, "patient").pop()?.status == "in_progress").then_some(())).await;
    stage.end().await;
    let waits = stage.time_for_what_was_put_off().await;
    assert_eq!(waits, 13 * 24, "hours from the run's opening to its renewal, before GitHub's 14 days");
    stage.start_again().await;
    let second = nth(&stage, number, "patient", 2).await;
    assert_eq!((second.status.as_str(), &second.title), ("in_progress", &first.title));
    let closed = stage.eventually("the first one is closed", || {
        let first = stage.runs(number, "patient").into_iter().find(|run| run.id == first.id)?;
        first.conclusion
    });
    assert_eq!(closed.await, "cancelled");
}

/// Twelve approvals at once, each with more to read than a page has room for.
fn twelve() -> String {
    let mut yaml = "name: many\nversion: 1\ntriggers:\n  - pull_request: {actions: [opened]}\nsteps:\n".to_owned();
    let words = "Read all of this. ".repeat(400);
    for number in 0..12 {
        yaml.push_str(&format!(
            "  - {{id: a{number}, type: human_approval, title: Part {number}, description: '{words}', approvers: {{users: [bob]}}}}\n"
        ));
    }
    yaml
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_decides_only_about_what_its_page_had_room_to_show() {
    let stage = Stage::raise(&[("many", &twelve())]).await;
    let number = stage.pull_request("release-1.4");
    let asks = stage.concluded(number, "many", "action_required").await;
    let summary = asks.summary.unwrap();
    let shown = summary.matches("\n/approve a").count() + summary.matches("\n  /approve a").count();
    assert!((1..12).contains(&shown), "{shown} are shown");
    assert!(summary.contains("there is no room for it here"), "{summary}");
    stage.hub.press("bob", asks.id, "approve").unwrap();
    let done = format!("{shown} of 12 steps");
    stage.eventually(&done, || stage.app_comments(number, &done).pop()).await;
    // What was pressed has been dealt with once this is answered.
    stage.comment(number, "/status").by("bob").await;
    let decided = stage.audit().await.into_iter().filter(|entry| entry == "approval.decided by bob").count();
    assert_eq!(decided, shown);
}

/// Started by a word, as often as it is said.
const GATE: &str = "
name: gate
version: 1
triggers: [{comment: /gate}]
steps:
  - {id: leads, type: human_approval, title: Let it in?, approvers: {team: leads}}
";

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_waited_was_hidden_by_another_one_that_had_ended() {
    let stage = Stage::raise(&[("gate", GATE)]).await;
    stage.expect("POST", "check-runs");
    let number = stage.pull_request("release-1.4");
    for _ in 0..2 {
        assert_eq!(stage.comment(number, "/gate").by("alice").await, "🚀");
    }
    let asks = |run: &CheckRun| run.conclusion.as_deref() == Some("action_required");
    let both = || {
        let asking: Vec<CheckRun> = stage.runs(number, "gate").into_iter().filter(asks).collect();
        (asking.len() == 2).then_some(asking)
    };
    let asking = stage.eventually("both questions", both).await;
    stage.hub.press("bob", asking[1].id, "approve").unwrap();
    let last = || stage.runs(number, "gate").pop().filter(|run| run.external_id == asking[0].external_id && asks(run));
    let open = stage.eventually("what is still open, behind what has ended", last).await;
    assert_ne!(open.id, asking[0].id);
    stage.hub.press("bob", open.id, "approve").unwrap();
    stage.concluded(number, "gate", "success").await;
}
