//! The pages as a browser gets them, and the forms as it sends them.

use std::collections::BTreeMap;

use flowctl_sandbox::state::ReviewState;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::stage::{REPOSITORY, Stage, stage};

struct Page {
    status: StatusCode,
    html: String,
}

impl Stage {
    async fn look(&self, path: &str, person: &str) -> Page {
        let request = self
            .client
            .get(format!("{}{path}", self.sandbox.web_url()))
            .header("cookie", format!("sandbox_person={person}"));
        let answer = request.send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        Page { status: answer.status(), html: answer.text().await.unwrap() }
    }

    /// Sends a form and follows it to the page that it leads to.
    async fn send(&self, path: &str, person: &str, fields: &[(&str, &str)]) -> Page {
        let request = self
            .client
            .post(format!("{}{path}", self.sandbox.web_url()))
            .header("cookie", format!("sandbox_person={person}"));
        let answer = request.form(fields).send().await.unwrap();
        Page { status: answer.status(), html: answer.text().await.unwrap() }
    }
}

async fn run(stage: &Stage, number: u64) -> u64 {
    let token = stage.token().await;
    let body = json!({"name": "gate", "head_sha": stage.head(number), "conclusion": "action_required",
        "output": {"title": "Waiting", "summary": "| step |\n|---|\n| `leads` |\n\n<script>alert(1)</script>"},
        "actions": [{"label": "Let it pass", "identifier": "approve", "description": "Approve"}]});
    stage.repo(Method::POST, "/check-runs", &token, body).await.body["id"].as_u64().unwrap()
}

#[tokio::test]
async fn a_pull_request_shows_its_conversation_and_its_checks() {
    let stage = stage().await;
    let number = stage.pull_request();
    let id = run(&stage, number).await;
    let comment =
        stage.sandbox.comment(REPOSITORY, "carol", number, "<!-- marker:7 -->\n/approve <img onerror=x>").unwrap();
    stage.sandbox.react("bob", comment, "eyes").unwrap();
    stage.sandbox.review(REPOSITORY, "bob", number, ReviewState::ChangesRequested, "not yet").unwrap();
    let page = stage.look(&format!("/{REPOSITORY}/pull/{number}"), "bob").await;
    assert_eq!(page.status, StatusCode::OK);
    for expected in [
        "This is a sandbox.",
        "Release 1.4",
        "gate",
        "Action required",
        "<td><code>leads</code></td>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "/approve &lt;img onerror=x&gt;",
        "eyes by bob",
        "requested changes at",
        "added the label release",
        "CHANGELOG.md",
        "Let it pass",
        "Write as <b>bob</b>",
    ] {
        assert!(page.html.contains(expected), "`{expected}` is missing from {}", page.html);
    }
    for unexpected in ["marker:7", "<script>alert", "<img onerror", " style=", "onclick"] {
        assert!(!page.html.contains(unexpected), "`{unexpected}` is in the page");
    }
    assert!(!page.html.contains("disabled"), "bob may press and review");
    let carols = stage.look(&format!("/{REPOSITORY}/pull/{number}"), "carol").await;
    assert!(carols.html.contains("Buttons are for people with write access."));
    assert!(carols.html.contains(&format!("aria-describedby=\"why-{id}\"")));
}

#[tokio::test]
async fn forms_do_what_they_say_in_the_readers_name() {
    let mut stage = stage().await;
    let number = stage.pull_request();
    let here = format!("/{REPOSITORY}/pull/{number}");
    let id = run(&stage, number).await.to_string();
    let spoken = stage.send(&format!("{here}/speak"), "bob", &[("body", "one\r\ntwo"), ("verdict", "comment")]).await;
    assert!(spoken.status.is_success() && spoken.html.contains("one<br />"), "{}", spoken.html);
    assert_eq!(stage.sandbox.comments(REPOSITORY, number).unwrap()[0].body, "one\ntwo");
    assert!(
        stage.send(&format!("{here}/speak"), "bob", &[("body", ""), ("verdict", "approve")]).await.status.is_success()
    );
    assert_eq!(stage.sandbox.reviews(REPOSITORY, number).unwrap()[0].state, ReviewState::Approved);
    assert!(
        stage.send(&format!("{here}/press"), "bob", &[("run", &id), ("button", "approve")]).await.status.is_success()
    );
    assert_eq!(stage.webhook_named("check_run.requested_action").await.payload()["sender"]["login"], "bob");
    assert!(stage.send(&format!("{here}/rerequest"), "bob", &[("run", &id)]).await.status.is_success());
    assert!(
        stage
            .send(&format!("{here}/label"), "bob", &[("label", "urgent")])
            .await
            .html
            .contains("Remove the label urgent")
    );
    assert!(
        !stage
            .send(&format!("{here}/unlabel"), "bob", &[("label", "urgent")])
            .await
            .html
            .contains("Remove the label urgent")
    );
    let before = stage.head(number);
    stage.send(&format!("{here}/push"), "alice", &[("path", "a/b.txt"), ("content", "x\r\n"), ("message", "")]).await;
    assert_ne!(stage.head(number), before);
    stage.send(&format!("{here}/close"), "alice", &[]).await;
    stage.send(&format!("{here}/reopen"), "alice", &[]).await;
    assert!(stage.send(&format!("{here}/merge"), "bob", &[]).await.html.contains("This pull request is merged."));
    let opened = [
        ("title", "Second"),
        ("branch", "second"),
        ("path", "n.md"),
        ("content", "n"),
        ("label", "a, b"),
        ("body", ""),
    ];
    assert!(stage.send(&format!("/{REPOSITORY}"), "alice", &opened).await.html.contains("Second"));
    assert_eq!(stage.sandbox.issue(REPOSITORY, number + 1).unwrap().labels, ["a", "b"]);
}

#[tokio::test]
async fn what_may_not_be_done_is_said_and_no_word_is_lost() {
    let stage = stage().await;
    let number = stage.pull_request();
    let here = format!("/{REPOSITORY}/pull/{number}");
    let refused =
        stage.send(&format!("{here}/speak"), "alice", &[("body", "my own words"), ("verdict", "approve")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.html.contains("Can not approve your own pull request")
            && refused.html.contains(">my own words</textarea>"),
        "{}",
        refused.html
    );
    let merged = stage.send(&format!("{here}/merge"), "carol", &[]).await;
    assert!(merged.html.contains("carol needs write access"), "{}", merged.html);
    assert_eq!(stage.look("/nobody/nothing/pull/1", "bob").await.status, StatusCode::NOT_FOUND);
    let foreign = stage
        .client
        .post(format!("{}{here}/merge", stage.sandbox.web_url()))
        .header("origin", "http://evil.test")
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    assert_eq!(stage.sandbox.issue(REPOSITORY, number).unwrap().state(), "open");
}

#[tokio::test]
async fn the_other_pages_and_the_links_of_answers_lead_somewhere() {
    let stage = stage().await;
    let number = stage.pull_request();
    let id = run(&stage, number).await;
    let head = stage.head(number);
    stage.sandbox.deliveries_settled(crate::stage::PATIENCE).await.unwrap();
    let table = [
        ("/".to_owned(), "octo-org&#x2f;shop"),
        (format!("/{REPOSITORY}"), "Open a pull request"),
        (format!("/{REPOSITORY}/issues/{number}"), "Release 1.4"),
        (format!("/{REPOSITORY}/runs/{id}"), "gate"),
        (format!("/{REPOSITORY}/commit/{head}"), "CHANGELOG.md"),
        (format!("/{REPOSITORY}/blob/{head}/CHANGELOG.md"), "1.4"),
        ("/_sandbox/deliveries".to_owned(), "pull_request.opened"),
        (format!("/_sandbox/avatars/{}", stage.sandbox.account("bob").unwrap().id), "<svg"),
        ("/_sandbox/page.css".to_owned(), "prefers-color-scheme"),
        ("/_sandbox/page.js".to_owned(), "EventSource"),
    ];
    for (path, expected) in table {
        let page = stage.look(&path, "bob").await;
        assert!(page.status.is_success() && page.html.contains(expected), "{path}: {}", page.status);
    }
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (here, place) in [("/octo-org/shop", "/octo-org/shop"), ("//evil.test", "/"), ("https://evil.test", "/")] {
        let chosen = client
            .post(format!("{}/_sandbox/person", stage.sandbox.web_url()))
            .form(&[("login", "carol"), ("here", here)])
            .send()
            .await
            .unwrap();
        assert_eq!(chosen.headers()["location"], place);
        assert!(chosen.headers()["set-cookie"].to_str().unwrap().starts_with("sandbox_person=carol;"));
    }
}

#[tokio::test]
async fn an_open_page_is_told_of_changes() {
    let stage = stage().await;
    let number = stage.pull_request();
    let mut stream = stage.client.get(format!("{}/_sandbox/changes", stage.sandbox.web_url())).send().await.unwrap();
    stage.sandbox.comment(REPOSITORY, "bob", number, "news").unwrap();
    let chunk = tokio::time::timeout(crate::stage::PATIENCE, stream.chunk()).await.unwrap().unwrap().unwrap();
    assert!(chunk.starts_with(b"event: changed"), "{chunk:?}");
}

#[tokio::test]
async fn runs_of_workflows_are_shown_and_ended_by_hand() {
    let stage = stage().await;
    let workflow = "name: Release <b>\non: {workflow_dispatch: {inputs: {tag: {}}}}\n";
    let files = BTreeMap::from([(".github/workflows/release.yml".to_owned(), Some(workflow.to_owned()))]);
    stage.sandbox.push(REPOSITORY, "alice", "main", "A workflow", &files).unwrap();
    let run = stage.sandbox.dispatch_workflow(REPOSITORY, "alice", "release.yml", "main", &[("tag", "v<1>")]).unwrap();
    let here = format!("/{REPOSITORY}/actions");
    let page = stage.look(&format!("{here}/runs/{run}"), "bob").await;
    for expected in ["Release &lt;b&gt;", "tag: v&lt;1&gt;", "queued", "Succeed"] {
        assert!(page.html.contains(expected), "`{expected}` is missing from {}", page.html);
    }
    let run = run.to_string();
    let ended = stage.send(&here, "bob", &[("run", &run), ("end", "success"), ("output", "{\"a\": 1}")]).await;
    assert!(ended.html.contains("success") && !ended.html.contains("Succeed"), "{}", ended.html);
    let again = stage.send(&here, "bob", &[("run", &run), ("end", "failure")]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    let runs = stage.sandbox.workflow_runs(REPOSITORY).unwrap();
    assert_eq!((runs[0].conclusion.as_deref(), runs[0].artifacts.len()), (Some("success"), 1));
}
