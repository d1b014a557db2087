//! Git over HTTP with the real git program.

use std::path::Path;
use std::process::{Command, Output};

use crate::stage::{REPOSITORY, files, stage};

fn git(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.current_dir(directory).args(arguments);
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for name in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{name}_NAME"), "alice").env(format!("GIT_{name}_EMAIL"), "alice@example.test");
    }
    command.output().unwrap()
}

fn address(web: &str, token: &str) -> String {
    format!("{}/{REPOSITORY}.git", web.replace("http://", &format!("http://x-access-token:{token}@")))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_token_clones_and_fetches_but_does_not_push() {
    let stage = stage().await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let folder = tempfile::tempdir().unwrap();
    let url = address(&stage.sandbox.web_url(), &token);
    let cloned = git(folder.path(), &["-c", "protocol.version=2", "clone", "--quiet", &url, "shop"]);
    assert!(cloned.status.success(), "{}", String::from_utf8_lossy(&cloned.stderr));
    let shop = folder.path().join("shop");
    assert_eq!(std::fs::read_to_string(shop.join("README.md")).unwrap(), "# Shop\n");
    let fetched = git(&shop, &["fetch", "--quiet", "origin", &format!("refs/pull/{number}/head")]);
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    let head = git(&shop, &["rev-parse", "FETCH_HEAD"]);
    assert_eq!(String::from_utf8_lossy(&head.stdout).trim(), stage.head(number));
    let pushed = git(&shop, &["push", "--quiet", "origin", "HEAD:refs/heads/mine"]);
    assert!(!pushed.status.success());
    assert!(stage.sandbox.branch(REPOSITORY, "mine").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_bad_tokens_are_asked_for_a_password() {
    let stage = stage().await;
    let folder = tempfile::tempdir().unwrap();
    let plain = format!("{}/{REPOSITORY}.git", stage.sandbox.web_url());
    for url in [plain, address(&stage.sandbox.web_url(), "ghs_nonsense")] {
        let cloned = git(folder.path(), &["clone", "--quiet", &url, "shop"]);
        assert!(!cloned.status.success());
    }
    let records = stage.sandbox.requests.all();
    assert!(records.iter().all(|record| record.status == 401), "{records:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_push_is_a_push_event_and_moves_the_pull_request() {
    let mut stage = stage().await;
    let number = stage.pull_request();
    let token = stage.sandbox.token_of("alice").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = address(&stage.sandbox.web_url(), &token);
    assert!(git(folder.path(), &["clone", "--quiet", "--branch", "release", &url, "shop"]).status.success());
    let shop = folder.path().join("shop");
    std::fs::write(shop.join("more.txt"), "x".repeat(100_000)).unwrap();
    assert!(git(&shop, &["add", "."]).status.success());
    assert!(git(&shop, &["commit", "--quiet", "-m", "More"]).status.success());
    stage.webhook_names().await;
    let pushed = git(&shop, &["push", "--quiet"]);
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    let local = git(&shop, &["rev-parse", "HEAD"]);
    assert_eq!(String::from_utf8_lossy(&local.stdout).trim(), stage.head(number));
    assert_eq!(stage.webhook_names().await, ["push", "check_suite.requested", "pull_request.synchronize"]);
    let carol = address(&stage.sandbox.web_url(), &stage.sandbox.token_of("carol").unwrap());
    assert!(!git(&shop, &["push", "--quiet", &carol, "HEAD:refs/heads/carols"]).status.success());
}

#[tokio::test]
async fn a_forced_push_says_so_and_a_deleted_branch_closes_its_pull_request() {
    let mut stage = stage().await;
    let number = stage.pull_request();
    stage.webhook_names().await;
    let before = stage.head(number);
    let after = stage
        .sandbox
        .force_push(REPOSITORY, "alice", "release", "Again", &files(&[("CHANGELOG.md", "1.4.1\n")]))
        .unwrap();
    let push = stage.webhook_named("push").await.payload();
    assert_eq!(
        (push["forced"].as_bool(), push["before"].as_str(), push["after"].as_str()),
        (Some(true), Some(before.as_str()), Some(after.as_str()))
    );
    assert_eq!(push["commits"][0]["modified"], serde_json::json!([]));
    assert_eq!(push["commits"][0]["added"], serde_json::json!(["CHANGELOG.md"]));
    stage.sandbox.delete_branch(REPOSITORY, "alice", "release").unwrap();
    assert_eq!(
        stage.webhook_names().await,
        ["check_suite.requested", "pull_request.synchronize", "delete", "push", "pull_request.closed"]
    );
    assert_eq!(stage.sandbox.issue(REPOSITORY, number).unwrap().state(), "closed");
}

#[tokio::test]
async fn a_folder_comes_with_its_history_and_what_is_not_committed() {
    let stage = stage().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
    for (path, text) in [("kept.txt", "1"), ("gone.txt", "1"), ("changed.txt", "1"), (".gitignore", "*.log\n")] {
        write(path, text);
    }
    for arguments in [&["init", "--quiet", "-b", "trunk"][..], &["add", "."], &["commit", "--quiet", "-m", "First"]] {
        assert!(git(folder.path(), arguments).status.success());
    }
    std::fs::remove_file(folder.path().join("gone.txt")).unwrap();
    write("changed.txt", "2");
    write("new.txt", "1");
    write("noise.log", "1");
    stage.sandbox.create_repository_from("octo-org/copy", folder.path()).unwrap();
    let token = stage.token().await;
    let commits = stage.get("/repos/octo-org/copy/commits", &token).await.body;
    let messages: Vec<_> =
        commits.as_array().unwrap().iter().map(|it| it["commit"]["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["What is not committed yet", "First\n"]);
    let names = |listed: serde_json::Value| -> Vec<String> {
        listed.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    let listed = names(stage.get("/repos/octo-org/copy/contents/", &token).await.body);
    assert_eq!(listed, [".gitignore", "changed.txt", "kept.txt", "new.txt"]);
    let plain = tempfile::tempdir().unwrap();
    std::fs::write(plain.path().join("a.txt"), "a").unwrap();
    stage.sandbox.create_repository_from("octo-org/plain", plain.path()).unwrap();
    assert_eq!(names(stage.get("/repos/octo-org/plain/contents/", &token).await.body), ["a.txt"]);
}
