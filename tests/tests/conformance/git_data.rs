//! Git's own objects: blobs, trees, commits, references.

use serde_json::{Value, json};

use crate::world::{REPOSITORY, Who, World};

pub async fn drive(world: &World) {
    let send = async |method: &str, path: &str, body: Value, status: u16| {
        let path = format!("/repos/{REPOSITORY}/git{path}");
        world.send(Who::Person("alice"), method, &path, Some(body), status).await
    };
    let sha = |made: &Value| made["sha"].as_str().unwrap_or_default().to_owned();
    world.repo("POST", "/git/blobs", Some(json!({"content": "hello"})), 403).await;
    let blob = send("POST", "/blobs", json!({"content": "aGVsbG8=", "encoding": "base64"}), 201).await;
    send("POST", "/blobs", json!({"content": "?", "encoding": "base64"}), 422).await;
    let file = |path: &str| json!({"path": path, "mode": "100644", "type": "blob", "content": "hello\n"});
    let by_id = json!({"path": "b.txt", "mode": "100644", "type": "blob", "sha": sha(&blob)});
    let tree = send("POST", "/trees", json!({"tree": [file("a/b.txt"), by_id]}), 201).await;
    let more = send("POST", "/trees", json!({"base_tree": sha(&tree), "tree": [file("c.txt")]}), 201).await;
    send("POST", "/trees", json!({"base_tree": "0".repeat(40), "tree": [file("c.txt")]}), 422).await;
    send("POST", "/trees", json!({"tree": [file("../c.txt")]}), 422).await;
    let first = send("POST", "/commits", json!({"message": "First", "tree": sha(&tree)}), 201).await;
    let second = json!({"message": "Second", "tree": sha(&more), "parents": [sha(&first)]});
    let second = send("POST", "/commits", second, 201).await;
    send("POST", "/commits", json!({"message": "None", "tree": "0".repeat(40)}), 422).await;
    world.repo("GET", &format!("/git/commits/{}", sha(&second)), None, 200).await;
    world.repo("GET", &format!("/git/commits/{}", "0".repeat(40)), None, 404).await;
    let name = "refs/flowctl/audit";
    send("POST", "/refs", json!({"ref": name, "sha": sha(&first)}), 201).await;
    send("POST", "/refs", json!({"ref": name, "sha": sha(&first)}), 422).await;
    send("POST", "/refs", json!({"ref": "refs/audit", "sha": sha(&first)}), 422).await;
    send("PATCH", "/refs/flowctl/audit", json!({"sha": sha(&second)}), 200).await;
    send("PATCH", "/refs/flowctl/audit", json!({"sha": sha(&first)}), 422).await;
    send("PATCH", "/refs/flowctl/none", json!({"sha": sha(&first)}), 422).await;
    world.repo("GET", "/git/ref/flowctl/audit", None, 200).await;
    let path = format!("/repos/{REPOSITORY}/git/refs/flowctl/audit");
    world.send(Who::Person("alice"), "DELETE", &path, None, 204).await;
    world.send(Who::Person("alice"), "DELETE", &path, None, 422).await;
}
