//! Issues, labels, comments and reactions.

use serde_json::{Value, json};

use crate::world::{REPOSITORY, Who, World, id};

pub async fn drive(world: &World) {
    let issue = world
        .repo("POST", "/issues", Some(json!({"title": "It is slow", "body": "Very.", "labels": ["bug"]})), 201)
        .await;
    let number = issue["number"].as_u64().unwrap_or_default();
    world.repo("POST", "/issues", Some(json!({"body": "no title"})), 422).await;
    world.pull_request("issues");
    world.repo("GET", "/issues?state=all&per_page=1&page=1", None, 200).await;
    world.repo("GET", "/issues", None, 200).await;
    let of_issue = format!("/issues/{number}");
    world.repo("GET", &of_issue, None, 200).await;
    world.repo("GET", "/issues/4242", None, 404).await;
    world.repo("PATCH", &of_issue, Some(json!({"title": "It is very slow", "labels": ["bug", "slow"]})), 200).await;
    world.repo("PATCH", &of_issue, Some(json!({"state": "closed"})), 200).await;
    world.repo("GET", &of_issue, None, 200).await;
    world.repo("PATCH", &of_issue, Some(json!({"state": "open"})), 200).await;
    labels(world, &of_issue).await;
    comments(world, &of_issue).await;
    let reactions = format!("{of_issue}/reactions");
    reactions_at(world, &reactions).await;
}

async fn labels(world: &World, of_issue: &str) {
    let labels = format!("{of_issue}/labels");
    world.repo("GET", &labels, None, 200).await;
    world.repo("POST", &labels, Some(json!({"labels": ["urgent"]})), 200).await;
    world.repo("POST", &labels, Some(json!({"labels": [{"name": "one"}, "two"]})), 200).await;
    world.repo("DELETE", &format!("{labels}/one"), None, 200).await;
    world.repo("DELETE", &format!("{labels}/nothing"), None, 404).await;
}

async fn comments(world: &World, of_issue: &str) {
    let comments = format!("{of_issue}/comments");
    let made = world.repo("POST", &comments, Some(json!({"body": "Looking."})), 201).await;
    world
        .send(
            Who::Person("carol"),
            "POST",
            &format!("/repos/{REPOSITORY}{comments}"),
            Some(json!({"body": "Thanks."})),
            201,
        )
        .await;
    world.repo("POST", &comments, Some(json!({"body": " "})), 422).await;
    world.repo("POST", &comments, Some(json!({})), 422).await;
    world.repo("POST", "/issues/4242/comments", Some(json!({"body": "Hello?"})), 404).await;
    world.repo("GET", &format!("{comments}?since=2020-01-01T00:00:00Z&per_page=1"), None, 200).await;
    world.repo("GET", "/issues/comments?direction=desc&since=2020-01-01T00:00:00Z", None, 200).await;
    let comment = format!("/issues/comments/{}", id(&made));
    world.repo("GET", &comment, None, 200).await;
    world.repo("PATCH", &comment, Some(json!({"body": "Found."})), 200).await;
    world.repo("PATCH", &comment, Some(json!({"body": ""})), 422).await;
    reactions_at(world, &format!("{comment}/reactions")).await;
    world.repo("DELETE", &comment, None, 204).await;
    world.repo("GET", &comment, None, 404).await;
}

async fn reactions_at(world: &World, path: &str) {
    let made = world.repo("POST", path, Some(json!({"content": "eyes"})), 201).await;
    world.repo("POST", path, Some(json!({"content": "eyes"})), 200).await;
    world.repo("POST", path, Some(json!({"content": "sad"})), 422).await;
    let all: Value = world.repo("GET", &format!("{path}?content=eyes"), None, 200).await;
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    world.repo("DELETE", &format!("{path}/{}", id(&made)), None, 204).await;
    world.repo("DELETE", &format!("{path}/{}", id(&made)), None, 404).await;
}
