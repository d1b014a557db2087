//! Logins change hands, accounts do not: who takes a login that a definition names is not who was meant.

use std::collections::BTreeMap;

use flowctl_sandbox::state::Permission;

use crate::stage::{REPOSITORY, Stage};

const RELEASE: &str = "
name: release
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: sign, type: human_approval, title: Ship it?, approvers: {users: [bob]}}
";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_took_the_login_of_an_approver_could_approve() {
    let mut stage = Stage::raise(&[("release", RELEASE)]).await;
    let first = stage.pull_request("first");
    stage.concluded(first, "release", "action_required").await;
    assert_eq!(stage.comment(first, "/approve").by("bob").await, "🚀");
    stage.concluded(first, "release", "success").await;
    // bob leaves, and somebody else comes.
    stage.hub.rename_user("bob", "robert").unwrap();
    stage.hub.create_user("bob").unwrap();
    stage.hub.grant(REPOSITORY, "bob", Permission::Write).unwrap();
    // What a server knows of accounts it knows for half a minute.
    stage.end().await;
    stage.start_again().await;
    let second = stage.pull_request("second");
    stage.concluded(second, "release", "action_required").await;
    let answer = stage.comment(second, "/approve").by("bob").await;
    assert!(answer.starts_with("😕") && answer.contains("was another account's when it was first heard"), "{answer}");
    let told = stage.until_told("approval.login_taken").await;
    let id = told["data"]["found"].as_u64().unwrap();
    assert_eq!((&told["actor"]["login"], &told["actor"]["id"]), (&"bob".into(), &id.into()), "{told:#}");
    // The repository says whom it means.
    let settings = format!("people: {{bob: {id}}}\n");
    let files = BTreeMap::from([(".flow/flow.yaml".to_owned(), Some(settings))]);
    stage.hub.push(REPOSITORY, "gina", "main", "The other bob", &files).unwrap();
    stage.until_told("settings.changed").await;
    assert_eq!(stage.comment(second, "/approve").by("bob").await, "🚀");
    stage.concluded(second, "release", "success").await;
}

const EITHER: &str = "
name: release
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: sign
    type: human_approval
    title: Ship it?
    approvers: {any: [{team: leads}, {users: [bob]}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn who_counts_through_a_team_was_refused_since_their_login_had_been_another_accounts() {
    let mut stage = Stage::raise(&[("release", EITHER)]).await;
    let first = stage.pull_request("first");
    stage.concluded(first, "release", "action_required").await;
    assert_eq!(stage.comment(first, "/approve").by("bob").await, "🚀");
    stage.hub.rename_user("bob", "robert").unwrap();
    stage.hub.create_user("bob").unwrap();
    stage.hub.add_member("octo-org", "bob", false).unwrap();
    stage.hub.grant(REPOSITORY, "bob", Permission::Write).unwrap();
    stage.end().await;
    stage.start_again().await;
    let second = stage.pull_request("second");
    stage.concluded(second, "release", "action_required").await;
    let answer = stage.comment(second, "/approve").by("bob").await;
    assert!(answer.contains("was another account's when it was first heard"), "{answer}");
    // GitHub says who is in a team, by account.
    stage.hub.set_team("octo-org", "leads", &["alice", "bob", "dave"]).unwrap();
    stage.end().await;
    stage.start_again().await;
    assert_eq!(stage.comment(second, "/approve").by("bob").await, "🚀");
    stage.concluded(second, "release", "success").await;
}
