//! Every sample repository with its scenario: people on a sandbox GitHub, the real server, to the end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use flowctl_tests::World;

async fn play(name: &str) {
    let world = World::set_up(name);
    let mut server = world.serve();
    world.raise_the_curtain(name);
    if let Err(error) = world.play().await {
        panic!("{error}\n\nthe server's log:\n{}", server.log());
    }
    assert_eq!(server.stop(), Some(0), "it ends in order\n{}", server.log());
    let log = server.log();
    let trouble: Vec<&str> = log.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
    assert!(trouble.is_empty(), "{trouble:#?}");
    world.as_described().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn release() {
    play("release").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_access() {
    play("production-access").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn incident() {
    play("incident").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relay() {
    play("relay").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shipping() {
    play("shipping").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vendor_onboarding() {
    play("vendor-onboarding").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ai_triage() {
    play("ai-triage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_triage() {
    play("agent-triage").await;
}
