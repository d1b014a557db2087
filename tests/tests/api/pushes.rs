//! Commits to a local repository start what its processes say.

use serde_json::json;

use crate::stage::{Stage, TOKEN};

const CHECK: &str = "name: check
version: 1
triggers: [{push: {branches: [main, master], paths: ['src/**']}}]
steps:
  - id: note
    type: set
    values: {by: \"{{ trigger.actor }}\", after: \"{{ trigger.payload.after }}\"}
";

#[tokio::test]
async fn a_commit_to_the_default_branch_starts_what_wants_it() {
    let mut stage = Stage::with(&[("check", CHECK)], vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned())]);
    // What was there before the first look counts as known; this start comes after it.
    let seen = stage.until_that("/executions", |list| list["items"] == json!([])).await;
    assert_eq!(seen["items"], json!([]));
    let mut commits = Vec::new();
    let mut known = 0;
    while known == 0 {
        // Until the first look was taken a commit is one that was there before.
        stage.repository.write("src/main.rs", &format!("// {}", commits.len()));
        commits.push(stage.repository.commit("Change it"));
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        known = stage.get("/executions").await.expect(200)["items"].as_array().unwrap().len();
        assert!(commits.len() < 100, "no commit was seen\n{}", stage.server.log());
    }
    let list = stage.until_that("/executions?status=completed", |list| list["items"] != json!([])).await;
    let output = &list["items"][0]["steps"][0]["output"];
    assert_eq!(output["by"], "Ann");
    assert!(commits.iter().any(|commit| output["after"] == **commit), "{output}");
    // A commit that comes while no server runs, and one that touches nothing of it.
    stage.server.kill();
    stage.repository.write("src/main.rs", "// at last");
    let last = stage.repository.commit("While nobody looked");
    stage.restart();
    let done = stage
        .until_that("/executions?status=completed", |list| list["items"][0]["steps"][0]["output"]["after"] == *last)
        .await;
    let count = done["items"].as_array().unwrap().len();
    stage.repository.write("docs/a.md", "Nothing of it");
    stage.repository.commit("Say more");
    stage.repository.write("src/main.rs", "// once more");
    let after = stage.repository.commit("Change it once more");
    let done = stage
        .until_that("/executions?status=completed", |list| list["items"][0]["steps"][0]["output"]["after"] == *after)
        .await;
    assert!(done["items"].as_array().unwrap().len() > count);
}
