//! Endpoints as an App uses them.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::stage::{REPOSITORY, files, stage};

#[tokio::test]
async fn a_comment_is_made_changed_with_patch_and_reacted_to_once() {
    let stage = stage().await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let made = stage.repo(Method::POST, &format!("/issues/{number}/comments"), &token, json!({"body": "Hello"})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let path = format!("/issues/comments/{}", made.body["id"]);
    assert_eq!(stage.repo(Method::POST, &path, &token, json!({"body": "POST"})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.repo(Method::PATCH, &path, &token, json!({"body": "PATCH"})).await.body["body"], "PATCH");
    let reactions = format!("{path}/reactions");
    let first = stage.repo(Method::POST, &reactions, &token, json!({"content": "eyes"})).await;
    let second = stage.repo(Method::POST, &reactions, &token, json!({"content": "eyes"})).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(first.body["id"], second.body["id"]);
    let wrong = stage.repo(Method::POST, &reactions, &token, json!({"content": "sad"})).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let blank = stage.repo(Method::PATCH, &path, &token, json!({"body": " "})).await;
    assert_eq!(blank.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(stage.repo(Method::DELETE, &path, &token, json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.repo(Method::GET, &path, &token, json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn lists_come_in_pages_and_unchanged_answers_cost_nothing() {
    let stage = stage().await;
    let number = stage.pull_request();
    for index in 0..5 {
        stage.sandbox.comment(REPOSITORY, "bob", number, &format!("{index}")).unwrap();
    }
    let token = stage.token().await;
    let page =
        stage.repo(Method::GET, &format!("/issues/{number}/comments?per_page=2&page=2"), &token, json!({})).await;
    let bodies: Vec<_> =
        page.body.as_array().unwrap().iter().map(|comment| comment["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["2", "3"]);
    let link = page.headers["link"].to_str().unwrap();
    for relation in ["prev", "next", "last", "first"] {
        assert!(link.contains(&format!("rel=\"{relation}\"")), "{link}");
    }
    let tag = page.headers["etag"].to_str().unwrap();
    let used = |answer: &http::HeaderMap| answer["x-ratelimit-used"].to_str().unwrap().parse::<u64>().unwrap();
    let url = format!("{}/repos/{REPOSITORY}/issues/{number}/comments?per_page=2&page=2", stage.sandbox.api_url());
    let again = stage.client.get(&url).bearer_auth(&token).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(used(again.headers()), used(&page.headers));
    assert!(again.headers().contains_key("x-github-request-id"));
    assert!(again.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn people_teams_and_permissions() {
    let stage = stage().await;
    let token = stage.token().await;
    let table = [
        ("/orgs/octo-org/teams/leads/memberships/alice", 200),
        ("/orgs/octo-org/teams/leads/memberships/carol", 404),
        ("/orgs/octo-org/members/alice", 204),
        ("/orgs/octo-org/members/carol", 404),
        ("/users/nobody", 404),
        ("/teams/leads", 404),
    ];
    for (path, status) in table {
        assert_eq!(stage.get(path, &token).await.status.as_u16(), status, "{path}");
    }
    let members = stage.get("/orgs/octo-org/teams/leads/members", &token).await.body;
    assert_eq!(members.as_array().unwrap().len(), 2);
    let permission = stage.get(&format!("/repos/{REPOSITORY}/collaborators/bob/permission"), &token).await.body;
    assert_eq!(
        (permission["permission"].as_str(), permission["user"]["permissions"]["push"].as_bool()),
        (Some("write"), Some(true))
    );
    let carol = stage.get(&format!("/repos/{REPOSITORY}/collaborators/carol/permission"), &token).await.body;
    assert_eq!(carol["role_name"], "read");
}

#[tokio::test]
async fn code_is_read_as_it_is_in_git() {
    let stage = stage().await;
    let number = stage.pull_request();
    stage.sandbox.push(REPOSITORY, "alice", "feature/deep", "Deep", &files(&[("a/b.txt", "b\n")])).unwrap();
    let token = stage.token().await;
    let get = async |path: &str| stage.repo(Method::GET, path, &token, json!({})).await;
    let file = get("/contents/a/b.txt?ref=feature/deep").await.body;
    assert_eq!((file["type"].as_str(), file["content"].as_str()), (Some("file"), Some("Ygo=\n")));
    assert_eq!(get("/contents/a?ref=feature/deep").await.body[0]["path"], "a/b.txt");
    assert_eq!(get("/contents/nothing").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get("/branches/feature/deep").await.body["name"], "feature/deep");
    let head = stage.sandbox.branch(REPOSITORY, "feature/deep").unwrap();
    assert_eq!(get("/git/ref/heads/feature/deep").await.body["object"]["sha"], head);
    assert_eq!(get("/commits/feature/deep").await.body["files"][0]["filename"], "a/b.txt");
    assert_eq!(get("/commits/0000000").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let compare = get("/compare/main...feature/deep").await.body;
    assert_eq!((compare["status"].as_str(), compare["ahead_by"].as_u64()), (Some("ahead"), Some(1)));
    assert_eq!(get(&format!("/pulls/{number}/files")).await.body[0]["filename"], "CHANGELOG.md");
    assert_eq!(get(&format!("/pulls/{number}/commits")).await.body.as_array().unwrap().len(), 1);
    assert_eq!(get(&format!("/pulls/{number}")).await.body["mergeable_state"], "clean");
    assert_eq!(get("/pulls?state=open&head=octo-org:release").await.body[0]["number"], number);
}

#[tokio::test]
async fn check_runs_of_a_commit_are_listed_newest_of_each_name() {
    let stage = stage().await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let head = stage.head(number);
    for (name, external) in [("a", "1"), ("b", "2"), ("a", "3")] {
        stage
            .repo(Method::POST, "/check-runs", &token, json!({"name": name, "head_sha": head, "external_id": external}))
            .await;
    }
    let latest = stage.repo(Method::GET, &format!("/commits/{head}/check-runs"), &token, json!({})).await.body;
    let externals: Vec<_> =
        latest["check_runs"].as_array().unwrap().iter().map(|run| run["external_id"].as_str().unwrap()).collect();
    assert_eq!((latest["total_count"].as_u64(), externals), (Some(2), vec!["3", "2"]));
    let all =
        stage.repo(Method::GET, "/commits/release/check-runs?filter=all&check_name=a", &token, json!({})).await.body;
    assert_eq!(all["total_count"], 2);
    let suites = stage.repo(Method::GET, &format!("/commits/{head}/check-suites"), &token, json!({})).await.body;
    assert_eq!(
        (suites["total_count"].as_u64(), suites["check_suites"][0]["status"].as_str()),
        (Some(1), Some("queued"))
    );
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_answered_as_github_does() {
    let stage = stage().await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let url = format!("{}/repos/{REPOSITORY}/issues/{number}/comments", stage.sandbox.api_url());
    let broken = stage.client.post(&url).bearer_auth(&token).body("{").send().await.unwrap();
    assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
    assert!(broken.text().await.unwrap().contains("Problems parsing JSON"));
    let missing = stage.repo(Method::POST, &format!("/issues/{number}/comments"), &token, json!({})).await;
    assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(missing.body["documentation_url"].is_string() && missing.body["status"] == "422");
}

#[tokio::test]
async fn comparisons_come_in_pages_and_lists_of_commits_end_at_250() {
    let stage = stage().await;
    let number = stage.pull_request();
    for index in 0..250 {
        let text = index.to_string();
        stage.sandbox.push(REPOSITORY, "alice", "release", "One more", &files(&[("count", &text)])).unwrap();
    }
    let token = stage.token().await;
    let get = async |path: &str| stage.repo(Method::GET, path, &token, json!({})).await;
    let whole = get("/compare/main...release").await.body;
    let commits = whole["commits"].as_array().unwrap();
    assert_eq!((whole["total_commits"].as_u64(), commits.len()), (Some(251), 250));
    assert_eq!(commits[249]["sha"], stage.head(number));
    let second = get("/compare/main...release?per_page=100&page=2").await;
    let link = second.headers["link"].to_str().unwrap();
    assert!(link.contains("rel=\"next\"") && link.contains("rel=\"prev\""), "{link}");
    assert_eq!(second.body["commits"][0]["sha"], commits[99]["sha"]);
    assert_eq!((second.body["commits"].as_array().unwrap().len(), &second.body["files"]), (100, &json!([])));
    let last = get(&format!("/pulls/{number}/commits?per_page=100&page=3")).await.body;
    assert_eq!(last.as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn the_log_keeps_what_was_sent() {
    let stage = stage().await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let path = format!("/issues/{number}/comments");
    stage.repo(Method::POST, &path, &token, json!({"body": "Hello"})).await;
    let all = stage.sandbox.requests.all();
    let made = all.last().unwrap();
    assert_eq!((made.path.as_str(), made.status), (format!("/repos/{REPOSITORY}{path}").as_str(), 201));
    assert_eq!(made.body.as_deref(), Some(&br#"{"body":"Hello"}"#[..]));
    assert!(!made.is_git() && made.is_write());
}
