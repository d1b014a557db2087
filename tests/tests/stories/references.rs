//! The audit log in a reference of the repository: what stands there, what becomes of it when somebody moves it, when an answer
//! is lost, and when GitHub does not allow it.

use flowctl_sandbox::{Fault, FaultRule, RequestRecord};

use crate::stage::{RELEASE, REPOSITORY, Stage};

const REFERENCE: &str = "refs/flowctl/audit";
/// The effect that writes it.
const QUEUED: &str = "audit:octo-org/shop";
const SETTINGS: (&str, &str) = (".flow/flow.yaml", "audit: {ref: refs/flowctl/audit}\n");

/// One lead is enough, so that an execution is a few entries.
fn release() -> String {
    RELEASE.replace("count: 2", "count: 1")
}

async fn raise(contents: &str) -> Stage {
    let stage = Stage::raise_granting(&[("release", &release())], &[SETTINGS], &[("contents", contents)]).await;
    stage.expect_commits();
    // The server looks at the settings before anything goes by them.
    let number = stage.pull_request("first");
    stage.concluded(number, "release", "action_required").await;
    stage
}

/// Plays a release to its end.
async fn play(stage: &Stage, head: &str) {
    let number = stage.pull_request(head);
    stage.concluded(number, "release", "action_required").await;
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_stands_in_the_repository_signed_by_github() {
    let stage = raise("write").await;
    play(&stage, "one").await;
    let first = stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
    play(&stage, "two").await;
    let second = stage.until_committed(REFERENCE, &["approval.decided"; 2]).await;
    assert_eq!(second.commits[..first.commits.len()], first.commits[..], "it moves forward only");
    assert!(second.commits.iter().all(|commit| stage.hub.is_signed(commit)), "{:?}", second.commits);
    let compared = stage.compared(REFERENCE).await;
    assert_eq!(compared.faults, [] as [String; 0]);
    assert_eq!(compared.entries, second.kinds.len() as u64);
    // No other check, comment or branch comes of it.
    let of_git = stage.hub.requests.writes().into_iter().filter(|request| request.path.contains("/git/"));
    assert_eq!(of_git.count(), 3 * second.commits.len(), "a tree, a commit and the reference each");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_writes_no_entry_twice() {
    for (method, path) in [
        ("POST", "/repos/octo-org/shop/git/trees"),
        ("POST", "/repos/octo-org/shop/git/commits"),
        ("POST", "/repos/octo-org/shop/git/refs"),
    ] {
        for fault in [Fault::ErrorAfter { status: 502 }, Fault::ResetAfter] {
            let stage = raise("write").await;
            stage.disturb(fault.clone(), method, path);
            play(&stage, "one").await;
            let written = stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
            let decided = written.kinds.iter().filter(|kind| *kind == "approval.decided").count();
            assert_eq!(decided, 1, "{method} {path} {fault:?}: {:?}", written.kinds);
            assert_eq!(stage.hub.faults.pending(), [], "{method} {path} {fault:?} was lost");
            assert_eq!(stage.compared(REFERENCE).await.faults, [] as [String; 0], "{method} {path} {fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_somebody_moved_or_took_away_is_told_of_and_written_on() {
    let stage = raise("write").await;
    play(&stage, "one").await;
    let first = stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
    // Somebody puts a commit of their own there.
    let main = stage.hub.reference(REPOSITORY, "refs/heads/main").unwrap().unwrap();
    stage.hub.move_reference(REPOSITORY, "gina", REFERENCE, Some(&main)).unwrap();
    play(&stage, "two").await;
    let told = stage.until_told("audit.ref_moved").await;
    assert_eq!(told["data"]["left_at"], *first.commits.last().unwrap(), "{told:#}");
    assert_eq!(told["data"]["found_at"], main, "{told:#}");
    stage.until_committed(REFERENCE, &["approval.decided", "audit.ref_moved"]).await;
    let faults = stage.compared(REFERENCE).await.faults;
    assert!(faults.iter().any(|fault| fault.ends_with(" is not in the repository")), "{faults:#?}");
    // What is gone is written again from the first entry on.
    stage.hub.move_reference(REPOSITORY, "gina", REFERENCE, None).unwrap();
    play(&stage, "three").await;
    stage.until_committed(REFERENCE, &["audit.ref_moved"; 2]).await;
    let compared = stage.compared(REFERENCE).await;
    assert_eq!(compared.faults, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_permission_it_is_told_and_tried_again_once_it_is_granted() {
    let stage = raise("read").await;
    play(&stage, "one").await;
    let of_git = |request: &RequestRecord| request.is_write() && request.path.contains("/git/") && !request.is_git();
    let asked = || stage.hub.requests.all().into_iter().filter(of_git).count();
    let told = stage.until_doctor_tells("audit ref").await;
    assert!(told.contains("cannot be written to refs/flowctl/audit"), "{told}");
    assert!(told.contains("Contents: read and write"), "{told}");
    let first = stage.until_queued(QUEUED, 1).await;
    play(&stage, "two").await;
    // The end of the second one was taken up, and rests with the first.
    let second = stage.until_queued(QUEUED, first.claims + 1).await;
    assert!(second.minutes > 30, "{second:?}");
    assert_eq!(asked(), 1, "nobody has granted anything since");
    stage.grant(&[("contents", "write")]);
    stage.until_committed(REFERENCE, &["approval.decided"; 2]).await;
    assert_eq!(stage.compared(REFERENCE).await.faults, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_of_the_reference_whose_answer_is_lost_is_known_again() {
    for fault in [Fault::ErrorAfter { status: 502 }, Fault::ResetAfter] {
        let stage = raise("write").await;
        play(&stage, "one").await;
        stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
        stage.disturb(fault.clone(), "PATCH", "/repos/octo-org/shop/git/refs/flowctl/audit");
        play(&stage, "two").await;
        let written = stage.until_committed(REFERENCE, &["approval.decided"; 2]).await;
        let decided = written.kinds.iter().filter(|kind| *kind == "approval.decided").count();
        assert_eq!(decided, 2, "{fault:?}: {:?}", written.kinds);
        assert_eq!(stage.hub.faults.pending(), [], "it was lost");
        // What is written after it follows on it.
        play(&stage, "three").await;
        let more = stage.until_committed(REFERENCE, &["approval.decided"; 3]).await;
        assert_eq!(more.commits[..written.commits.len()], written.commits[..], "{fault:?}");
        assert_eq!(stage.compared(REFERENCE).await.faults, [] as [String; 0], "{fault:?}");
        assert!(!stage.audit().await.iter().any(|entry| entry.starts_with("audit.ref_moved")), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_could_not_be_moved_for_a_moment_was_left_alone_for_an_hour() {
    let stage = raise("write").await;
    play(&stage, "one").await;
    stage.until_committed(REFERENCE, &["approval.decided"]).await;
    stage.disturb(Fault::ErrorBefore { status: 409 }, "PATCH", "/repos/octo-org/shop/git/refs/flowctl/audit");
    play(&stage, "two").await;
    stage.until_committed(REFERENCE, &["approval.decided"; 2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_stays_busy_for_minutes_is_told_of_and_tried_again_after_an_hour() {
    let mut stage = raise("write").await;
    play(&stage, "one").await;
    stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
    let busy = FaultRule::new(Fault::ErrorBefore { status: 409 }).method("PATCH");
    stage.hub.faults.add(busy.path("/repos/octo-org/shop/git/refs/flowctl/audit").times(99));
    play(&stage, "two").await;
    // For a moment it only waits.
    let waits = stage.until_queued(QUEUED, 1).await;
    assert!(waits.minutes <= 1, "{waits:?}");
    stage.end().await;
    stage.minutes_pass_with_it_busy().await;
    stage.start_again().await;
    let told = stage.until_doctor_tells("audit ref").await;
    assert!(told.contains("cannot be written to refs/flowctl/audit"), "{told}");
    let rests = stage.until_queued(QUEUED, waits.claims + 1).await;
    assert!((30..=60).contains(&rests.minutes), "{rests:?}");
    stage.end().await;
    stage.hub.faults.clear();
    stage.an_hour_passes().await;
    stage.start_again().await;
    stage.until_committed(REFERENCE, &["approval.decided"; 2]).await;
    assert_eq!(stage.compared(REFERENCE).await.faults, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_was_moved_to_what_is_no_commit_stopped_the_copy_and_nobody_was_told() {
    let stage = raise("write").await;
    play(&stage, "one").await;
    stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
    let file = {
        let repository = git2::Repository::open(stage.hub.folder_of(REPOSITORY).unwrap()).unwrap();
        repository.blob(b"no commit").unwrap().to_string()
    };
    stage.hub.move_reference(REPOSITORY, "gina", REFERENCE, Some(&file)).unwrap();
    play(&stage, "two").await;
    let told = stage.until_told("audit.ref_moved").await;
    assert_eq!(told["data"]["found_at"], file, "{told:#}");
    let told = stage.until_doctor_tells("audit ref").await;
    assert!(told.contains("which is no commit"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_could_not_be_seen_for_a_while_was_taken_for_a_reference_that_is_gone() {
    let stage = raise("write").await;
    play(&stage, "one").await;
    stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
    for path in ["/repos/octo-org/shop", "/repos/octo-org/shop/git/ref/flowctl/audit"] {
        let unseen = FaultRule::new(Fault::ErrorBefore { status: 404 }).method("GET").path(path).times(2);
        stage.hub.faults.add(unseen);
    }
    play(&stage, "two").await;
    stage.until_committed(REFERENCE, &["approval.decided"; 2]).await;
    assert_eq!(stage.hub.faults.pending(), [], "it could not be seen twice");
    assert!(!stage.audit().await.iter().any(|entry| entry.starts_with("audit.ref_moved")));
    assert_eq!(stage.compared(REFERENCE).await.faults, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_was_cut_back_or_brought_back_lacked_for_ever_what_was_written_meanwhile() {
    let stage = raise("write").await;
    play(&stage, "one").await;
    let first = stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
    let tip = first.commits.last().unwrap().clone();
    play(&stage, "two").await;
    stage.until_committed(REFERENCE, &["approval.decided"; 2]).await;
    stage.hub.move_reference(REPOSITORY, "gina", REFERENCE, Some(&tip)).unwrap();
    play(&stage, "three").await;
    stage.until_told("audit.ref_moved").await;
    let whole = stage.until_committed(REFERENCE, &["approval.decided"; 3]).await;
    assert_eq!(whole.commits[..first.commits.len()], first.commits[..], "it goes on from there");
    assert_eq!(stage.compared(REFERENCE).await.faults, [] as [String; 0]);
    // It is taken away, written again, and what was there once is brought back.
    stage.hub.move_reference(REPOSITORY, "gina", REFERENCE, None).unwrap();
    play(&stage, "four").await;
    stage.until_told_again("audit.ref_moved", 2).await;
    stage.until_committed(REFERENCE, &["approval.decided"; 4]).await;
    stage.hub.move_reference(REPOSITORY, "gina", REFERENCE, Some(&tip)).unwrap();
    play(&stage, "five").await;
    stage.until_told_again("audit.ref_moved", 3).await;
    stage.until_committed(REFERENCE, &["approval.decided"; 5]).await;
    assert_eq!(stage.compared(REFERENCE).await.faults, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_had_refused_was_tried_again_only_where_something_else_happened() {
    let mut stage = raise("read").await;
    play(&stage, "one").await;
    let refused = stage.until_queued(QUEUED, 1).await;
    assert!((30..=60).contains(&refused.minutes), "{refused:?}");
    // It is granted, and no delivery tells of it.
    stage.cut_off();
    stage.grant(&[("contents", "write")]);
    stage.end().await;
    stage.an_hour_passes().await;
    stage.start_again().await;
    stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
    assert_eq!(stage.compared(REFERENCE).await.faults, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_paused_was_not_written_before_an_execution_moved() {
    let mut stage = raise("write").await;
    play(&stage, "one").await;
    stage.until_committed(REFERENCE, &["approval.decided", "approval.ended"]).await;
    stage.until_nothing_is_queued(QUEUED).await;
    let path = format!("/processes/{REPOSITORY}:release/pause");
    let (status, answer) = stage.api(reqwest::Method::POST, &path, serde_json::Value::Null).await;
    assert_eq!(status, 200, "{answer:#}");
    let queued = stage.until_queued(QUEUED, 0).await;
    assert!(queued.minutes <= 1, "{queued:?}");
    stage.end().await;
    stage.time_for_what_was_put_off().await;
    stage.start_again().await;
    stage.until_committed(REFERENCE, &["process.paused"]).await;
}
