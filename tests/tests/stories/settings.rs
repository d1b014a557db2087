//! Settings that change on the default branch: the audit log says who did it, and what is weaker since.

use std::collections::BTreeMap;

use crate::stage::{RELEASE, REPOSITORY, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn who_pushes_other_settings_or_merges_them_stands_in_the_audit_log() {
    let strict = "validate: {fail_on_weakening: true}\n";
    let stage = Stage::raise_with(&[("release", RELEASE)], &[(".flow/flow.yaml", strict)]).await;
    let number = stage.pull_request("feature");
    stage.concluded(number, "release", "action_required").await;
    let settings = |text: &str| BTreeMap::from([(".flow/flow.yaml".to_owned(), Some(text.to_owned()))]);
    stage.hub.push(REPOSITORY, "gina", "main", "Faster", &settings("validate: {}\n")).unwrap();
    let told = stage.until_told("settings.changed").await;
    assert_eq!(told["actor"]["login"], "gina", "{told:#}");
    assert_eq!(told["repository"], REPOSITORY, "{told:#}");
    let weakened = told["data"]["weakened"].as_array().unwrap();
    assert_eq!(weakened.len(), 1, "{told:#}");
    assert_eq!(weakened[0]["kind"], "weakening-allowed", "{told:#}");
    // What a pull request brings counts once it is merged, and is then the deed of who merges it.
    let again = stage.pull_request_with("strict", &[(".flow/flow.yaml", Some(strict))]);
    stage.concluded(again, "validate", "success").await;
    stage.hub.merge(REPOSITORY, "dave", again).unwrap();
    let told = stage.until_told_again("settings.changed", 2).await;
    assert_eq!(told["actor"]["login"], "dave", "{told:#}");
    assert_eq!(told["data"]["weakened"].as_array().unwrap().len(), 0, "{told:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_labelled_a_merged_pull_request_was_named_for_the_settings_that_it_had_brought() {
    let strict = "validate: {fail_on_weakening: true}\n";
    let stage = Stage::raise_with(&[("release", RELEASE)], &[(".flow/flow.yaml", strict)]).await;
    let number = stage.pull_request_with("lax", &[(".flow/flow.yaml", Some("validate: {}\n"))]);
    stage.concluded(number, "release", "action_required").await;
    stage.cut_off();
    stage.hub.merge(REPOSITORY, "dave", number).unwrap();
    stage.hub.label(REPOSITORY, "bob", number, "done").unwrap();
    let labelled = stage.hub.deliveries().into_iter().rfind(|told| told.action.as_deref() == Some("labeled")).unwrap();
    // That bob labelled it comes first, and leads to the look at what dave has merged.
    assert_eq!(stage.deliver("pull_request", "labelled", &labelled.payload).await, 202);
    let told = stage.until_told("settings.changed").await;
    assert_eq!(told["actor"], serde_json::Value::Null, "{told:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_changed_while_a_repository_got_another_name_were_told_by_nobody() {
    let strict = "validate: {fail_on_weakening: true}\n";
    let stage = Stage::raise_with(&[("release", RELEASE)], &[(".flow/flow.yaml", strict)]).await;
    let number = stage.pull_request("feature");
    stage.concluded(number, "release", "action_required").await;
    stage.hub.rename_repository(REPOSITORY, "store").unwrap();
    stage.plays_in("octo-org/store");
    let lax = BTreeMap::from([(".flow/flow.yaml".to_owned(), Some("validate: {}\n".to_owned()))]);
    stage.hub.push("octo-org/store", "gina", "main", "Faster", &lax).unwrap();
    let told = stage.until_told("settings.changed").await;
    assert_eq!((&told["repository"], &told["actor"]["login"]), (&"octo-org/store".into(), &"gina".into()), "{told:#}");
    assert_eq!(told["data"]["weakened"][0]["kind"], "weakening-allowed", "{told:#}");
}
