//! What any operation may answer: nobody, not enough permission, too fast, broken, unchanged.

use flowctl_sandbox::{Fault, FaultRule};
use serde_json::json;

use crate::world::{REPOSITORY, Who, World};

pub async fn drive(world: &World) {
    let repository = format!("/repos/{REPOSITORY}");
    let comments = format!("{repository}/issues/1/comments");
    let hello = || Some(json!({"body": "Hello"}));
    world.get(Who::Token("ghs_wrong"), &repository, 401).await;
    world.get(Who::App, &repository, 403).await;
    world.send(Who::Token(""), "POST", &comments, hello(), 401).await;
    world.send(Who::Installation, "POST", &comments, Some(json!("text")), 400).await;
    faults(world, &repository, &comments).await;
    unchanged(world, &repository).await;
    world.sandbox.set_permissions(world.installation, &[("metadata", "read"), ("issues", "read")]).unwrap();
    world.renew_token().await;
    world.send(Who::Installation, "POST", &comments, hello(), 403).await;
    world.get(Who::Installation, &format!("{repository}/pulls"), 403).await;
    world.get(Who::Installation, "/orgs/octo-org/members", 403).await;
    let everything = [
        ("checks", "write"),
        ("contents", "read"),
        ("issues", "write"),
        ("members", "read"),
        ("metadata", "read"),
        ("pull_requests", "write"),
    ];
    world.sandbox.set_permissions(world.installation, &everything).unwrap();
    world.renew_token().await;
}

async fn faults(world: &World, repository: &str, comments: &str) {
    let limited = |status| Fault::RateLimited { status, retry_after: Some(1) };
    for (fault, status) in [
        (limited(403), 403),
        (limited(429), 429),
        (Fault::ErrorBefore { status: 500 }, 500),
        (Fault::ErrorAfter { status: 502 }, 502),
    ] {
        world.sandbox.faults.add(FaultRule::new(fault.clone()).times(2));
        world.get(Who::Installation, repository, status).await;
        world.send(Who::Installation, "POST", comments, Some(json!({"body": "Hello"})), status).await;
    }
}

async fn unchanged(world: &World, repository: &str) {
    let tag = world.etag(repository).await;
    world.send_with(Who::Installation, "GET", repository, None, &[("if-none-match", &tag)], 304).await;
}
