//! The App itself: suspended, removed, its tokens revoked. Nothing is lost, and nothing breaks down.

use crate::stage::{RELEASE, REPOSITORY, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_told_while_suspended_is_told_afterwards() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let installation = stage.hub.read(|view| view.world.installations.keys().next().copied()).unwrap();
    stage.hub.suspend_installation(installation).unwrap();
    stage.hub.unsuspend_installation(installation).unwrap();
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_that_is_told_late_silences_nobody() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let installation = stage.hub.read(|view| view.world.installations.keys().next().copied()).unwrap();
    let body = format!(
        r#"{{"action": "suspend", "installation":
            {{"id": {installation}, "account": {{"login": "octo-org"}}, "suspended_at": "2026-01-01T00:00:00Z"}}}}"#
    );
    assert_eq!(stage.deliver("installation", "late", &body).await, 202);
    for login in ["bob", "dave"] {
        assert_eq!(stage.comment(number, "/approve leads").by(login).await, "🚀");
    }
    stage.concluded(number, "release", "success").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_that_was_lifted_while_nobody_listened_is_found_to_be() {
    let mut stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let installation = stage.hub.read(|view| view.world.installations.keys().next().copied()).unwrap();
    stage.hub.suspend_installation(installation).unwrap();
    stage.until_suspended(true).await;
    stage.end().await;
    stage.hub.unsuspend_installation(installation).unwrap();
    stage.forget_deliveries().await;
    stage.start_again().await;
    stage.until_suspended(false).await;
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_replaced() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    stage.hub.revoke_tokens().unwrap();
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_removes_the_app_and_installs_it_again_goes_on() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let installation = stage.hub.read(|view| view.world.installations.keys().next().copied()).unwrap();
    stage.hub.delete_installation(installation).unwrap();
    stage.hub.install("octo-org", None).unwrap();
    assert_eq!(stage.comment(number, "/approve leads").by("bob").await, "🚀");
    assert_eq!(stage.comment(number, "/approve leads").by("dave").await, "🚀");
    stage.concluded(number, "release", "success").await;
    let again = stage.pull_request("release-1.5");
    stage.concluded(again, "release", "action_required").await;
    assert!(stage.hub.issue(REPOSITORY, again).is_ok());
}
