//! Code owners: who counts for which files, and what people read of it.

use crate::stage::Stage;

const GUARDED: &str = "
name: guarded
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: owners
    type: human_approval
    title: Ship it?
    approvers: {codeowners: each_path}
";

const CODEOWNERS: &str = "
# Everything
*            @octo-org/leads
/src/db/     @octo-org/dba
/docs/       @carol @bob
/docs/free/
";

async fn stage() -> Stage {
    let stage = Stage::raise_with(
        &[("guarded", GUARDED)],
        &[
            (".github/CODEOWNERS", CODEOWNERS),
            ("CODEOWNERS", "* @carol\n"),
            ("docs/old.md", "the same words\nas before\n"),
        ],
    )
    .await;
    stage.hub.set_team("octo-org", "dba", &["gina"]).unwrap();
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn each_path_needs_one_of_its_owners_and_the_prompt_says_whom() {
    let stage = stage().await;
    let number = stage.pull_request_with("db", &[("src/db/a.sql", Some("x\n")), ("web/a.ts", Some("y\n"))]);
    stage.concluded(number, "guarded", "action_required").await;
    // Of a directory that somebody owns: who owns another one does not count; what the head says of owners neither.
    let refused = stage.comment(number, "/approve").by("carol").await;
    insta::assert_snapshot!(refused, @"😕 @carol `/approve` was not taken. `owners` needs one of `octo-org/dba` for `src/db/a.sql`, and one of `octo-org/leads` for `web/a.ts`.");
    assert_eq!(stage.comment(number, "/approve").by("bob").await, "🚀");
    let prompt = stage.eventually("who is missing", || stage.app_comments(number, "**Still needed:**").pop()).await;
    let needed = prompt.lines().find(|line| line.contains("Still needed")).unwrap_or_default();
    insta::assert_snapshot!(needed, @"- **Still needed:** one of @octo-org/dba for `src/db/a.sql`");
    assert_eq!(stage.comment(number, "/approve").by("gina").await, "🚀");
    stage.concluded(number, "guarded", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base_branch_says_who_owns_what_and_a_renamed_file_has_both_names() {
    let stage = stage().await;
    let number = stage.pull_request_with(
        "move",
        &[
            (".github/CODEOWNERS", Some("* @alice\n")),
            ("docs/old.md", None),
            ("src/db/old.md", Some("the same words\nas before\n")),
        ],
    );
    stage.concluded(number, "guarded", "action_required").await;
    // carol may only read, so she owns nothing.
    for login in ["bob", "gina"] {
        assert_eq!(stage.comment(number, "/approve").by(login).await, "🚀", "{login}");
    }
    stage.concluded(number, "guarded", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_owns_needs_somebody_who_may_write_and_did_not_write_it() {
    let stage = stage().await;
    let number = stage.pull_request_with("free", &[("docs/free/a.md", Some("x\n"))]);
    stage.concluded(number, "guarded", "action_required").await;
    for login in ["alice", "carol"] {
        let answer = stage.comment(number, "/approve").by(login).await;
        assert!(answer.contains("nobody owns what is changed"), "{answer}");
    }
    assert_eq!(stage.comment(number, "/approve").by("dave").await, "🚀");
    stage.concluded(number, "guarded", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_cannot_be_read_opened_the_question_to_whoever_may_write() {
    let owners = [("CODEOWNERS", "/docs/ @dave\n* @octo-org/dba, @carol\n")];
    let stage = Stage::raise_with(&[("guarded", GUARDED)], &owners).await;
    let number = stage.pull_request_with("web", &[("web/a.ts", Some("x\n"))]);
    stage.concluded(number, "guarded", "action_required").await;
    let refused = stage.comment(number, "/approve").by("bob").await;
    assert!(refused.contains("line 2 of the CODEOWNERS file cannot be read"), "{refused}");
    // What is surely somebody's can be answered all the same.
    let number = stage.pull_request_with("words", &[("docs/a.md", Some("x\n"))]);
    stage.concluded(number, "guarded", "action_required").await;
    assert_eq!(stage.comment(number, "/approve").by("dave").await, "🚀");
}
