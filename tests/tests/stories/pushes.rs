//! Who makes a part of the change by a push decides about it no more, and one commit is one check for all its pull requests.

use std::collections::BTreeMap;

use flowctl_sandbox::OpenPullRequest;

use crate::stage::{RELEASE, REPOSITORY, Stage};

/// Two of three, and what they said is kept.
const PAIR: &str = "
name: pair
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: pair, type: human_approval, title: Fine?, approvers: {users: [bob, dave, gina], count: 2}, keep_on_push: always}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_kept_counts_no_more_once_its_author_makes_a_part_of_the_change() {
    for by in ["bob", "alice"] {
        let stage = Stage::raise(&[("pair", PAIR)]).await;
        stage.expect_comments();
        let number = stage.pull_request("feature");
        stage.concluded(number, "pair", "action_required").await;
        assert_eq!(stage.comment(number, "/approve pair").by("bob").await, "🚀");
        let files = BTreeMap::from([("more.md".to_owned(), Some("bob's\n".to_owned()))]);
        let head = stage.hub.push_in_the_name_of(REPOSITORY, (by, "bob"), "feature", "Bob's", &files).unwrap();
        let moved = || stage.runs(number, "pair").into_iter().find(|run| run.head_sha == head);
        stage.eventually("the new head", moved).await;
        stage.seconds_pass();
        assert_eq!(stage.comment(number, "/approve pair").by("dave").await, "🚀");
        stage
            .eventually("dave counts, and bob does not", || {
                let comment = stage.app_comments(number, "flowctl:execution").pop()?;
                (comment.contains("approved by [dave](") && !comment.contains("[bob](")).then_some(())
            })
            .await;
        assert_eq!(stage.statuses().await, ["waiting"], "pushed by {by}");
        assert_eq!(stage.comment(number, "/approve pair").by("gina").await, "🚀");
        stage.concluded(number, "pair", "success").await;
        let told = stage.audit().await;
        let told: Vec<&str> = told.iter().map(String::as_str).filter(|entry| entry.starts_with("approval.")).collect();
        let expected = [
            "approval.decided by bob",
            "approval.dismissed by -",
            "approval.decided by dave",
            "approval.decided by gina",
            "approval.ended by -",
        ];
        assert_eq!(told, expected, "pushed by {by}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unsound_in_one_pull_request_passes_in_no_other_with_the_same_commit() {
    let strict = "validate: {fail_on_weakening: true}\n";
    let stage = Stage::raise_with(&[("release", RELEASE)], &[(".flow/flow.yaml", strict)]).await;
    let lax = RELEASE.replace("note_required: on_reject", "allow_author: true").replace("version: 1", "version: 2");
    stage.hub.create_branch(REPOSITORY, "alice", "lax", "main").unwrap();
    let files = BTreeMap::from([(".flow/processes/release.yaml".to_owned(), Some(lax))]);
    stage.hub.push(REPOSITORY, "alice", "lax", "Faster", &files).unwrap();
    let open = |base: &str, files: BTreeMap<String, Option<String>>| {
        let (title, head, base) = ("A word".to_owned(), "change".to_owned(), base.to_owned());
        let new = OpenPullRequest { title, head, base, files, ..OpenPullRequest::default() };
        stage.hub.open_pull_request(REPOSITORY, "alice", &new).unwrap()
    };
    let last = |title: &'static str| {
        let (stage, what) = (&stage, format!("{title} is what is shown"));
        async move {
            let look = || stage.runs(1, "validate").pop().filter(|run| run.title.as_deref() == Some(title));
            stage.eventually(&what, look).await
        }
    };
    let harmless = open("lax", BTreeMap::from([("notes.md".to_owned(), Some("x\n".to_owned()))]));
    let passes = last("no definition is touched").await;
    assert_eq!(passes.conclusion.as_deref(), Some("success"));
    let harmful = open("main", BTreeMap::new());
    let fails = last("2 weakenings").await;
    assert_eq!((fails.head_sha, fails.conclusion.as_deref()), (passes.head_sha, Some("failure")));
    // Another look, whichever of them it is at, does not let it pass.
    stage.hub.rerequest("alice", fails.id).unwrap();
    let another = || stage.runs(1, "validate").pop().filter(|run| run.id != fails.id && run.conclusion.is_some());
    let still = stage.eventually("it is looked at again", another).await;
    assert_eq!((harmless, harmful, still.conclusion.as_deref()), (1, 2, Some("failure")));
    stage.hub.close(REPOSITORY, "alice", harmful).unwrap();
    stage.hub.rerequest("alice", still.id).unwrap();
    let passes = last("no definition is touched").await;
    assert_eq!(passes.conclusion.as_deref(), Some("success"));
}
