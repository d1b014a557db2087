//! Pull requests and reviews.

use serde_json::json;

use crate::world::{REPOSITORY, Who, World, files, id};

pub async fn drive(world: &World) {
    let number = world.pull_request("pulls");
    let of_pull = format!("/pulls/{number}");
    world.repo("GET", "/pulls?state=all&head=octo-org:pulls&base=main&per_page=1", None, 200).await;
    world.repo("GET", &of_pull, None, 200).await;
    world.repo("GET", "/pulls/4242", None, 404).await;
    world.repo("GET", &format!("{of_pull}/files?per_page=100"), None, 200).await;
    world.repo("GET", &format!("{of_pull}/commits?per_page=100"), None, 200).await;
    world.repo("GET", &format!("{of_pull}/requested_reviewers"), None, 200).await;
    world.repo("PATCH", &of_pull, Some(json!({"title": "Changed", "body": "And described"})), 200).await;
    world.repo("PATCH", &of_pull, Some(json!({"state": "closed"})), 200).await;
    world.repo("GET", &of_pull, None, 200).await;
    world.repo("PATCH", &of_pull, Some(json!({"state": "open"})), 200).await;
    create(world).await;
    reviews(world, number).await;
    merge(world, number).await;
}

async fn create(world: &World) {
    world.sandbox.push(REPOSITORY, "alice", "made", "Made", &files(&[("made.md", "made\n")])).unwrap();
    let new = json!({"title": "Made over REST", "head": "made", "base": "main", "body": "It is.", "draft": true});
    world.repo("POST", "/pulls", Some(new.clone()), 201).await;
    world.repo("POST", "/pulls", Some(new), 422).await;
    world.repo("POST", "/pulls", Some(json!({"title": "From nowhere", "head": "nothing", "base": "main"})), 422).await;
}

async fn reviews(world: &World, number: u64) {
    let reviews = format!("/repos/{REPOSITORY}/pulls/{number}/reviews");
    let (alice, bob) = (Who::Person("alice"), Who::Person("bob"));
    let review = world.send(bob, "POST", &reviews, Some(json!({"event": "APPROVE", "body": "Fine"})), 200).await;
    world.send(bob, "POST", &reviews, Some(json!({"event": "REQUEST_CHANGES", "body": "No"})), 200).await;
    world
        .send(
            Who::Installation,
            "POST",
            &reviews,
            Some(json!({"event": "COMMENT", "body": "Hm", "commit_id": world.head(number)})),
            200,
        )
        .await;
    world.send(alice, "POST", &reviews, Some(json!({"event": "APPROVE"})), 422).await;
    world.send(bob, "POST", &reviews, Some(json!({"event": "COMMENT"})), 422).await;
    world.get(Who::Installation, &format!("{reviews}?per_page=100"), 200).await;
    let one = format!("{reviews}/{}", id(&review));
    world.get(Who::Installation, &one, 200).await;
    world.get(Who::Installation, &format!("{reviews}/1"), 404).await;
    world.send(bob, "PUT", &one, Some(json!({"body": "Very fine"})), 200).await;
    world.send(alice, "PUT", &format!("{one}/dismissals"), Some(json!({"message": "Too early"})), 200).await;
    world.send(alice, "PUT", &format!("{one}/dismissals"), Some(json!({"message": "Again"})), 422).await;
    world.get(Who::Installation, &one, 200).await;
}

async fn merge(world: &World, number: u64) {
    let merge = format!("/repos/{REPOSITORY}/pulls/{number}/merge");
    let bob = Who::Person("bob");
    world.send(Who::Installation, "PUT", &merge, None, 403).await;
    let elsewhere = "0000000000000000000000000000000000000000";
    world.send(bob, "PUT", &merge, Some(json!({"sha": elsewhere})), 409).await;
    world.send(bob, "PUT", &merge, Some(json!({"merge_method": "squash", "sha": world.head(number)})), 200).await;
    world.send(bob, "PUT", &merge, None, 405).await;
    world.repo("GET", &format!("/pulls/{number}"), None, 200).await;
    world.repo("GET", &format!("/issues/{number}"), None, 200).await;
}
