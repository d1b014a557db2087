//! Resume links as people open them in a browser: a page that does nothing, and a form that answers once.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, TOKEN};

/// What a browser is shown.
struct Page {
    status: u16,
    policy: String,
    text: String,
}

impl Page {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let (status, policy) = (response.status().as_u16(), header("content-security-policy"));
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(
            (header("cache-control"), header("referrer-policy")),
            ("no-store".to_owned(), "no-referrer".to_owned())
        );
        Self { status, policy, text: response.text().await.unwrap() }
    }
}

/// Starts a process; gives the execution and the path of its page.
async fn asked(stage: &Stage, process: &str) -> (Value, String) {
    let started = stage.start(process, json!({})).await;
    let execution = stage.until(&started["id"], "waiting").await;
    let token = execution["steps"][0]["waiting_for"]["resume_token"].as_str().unwrap();
    let path = format!("/resume/{token}");
    (started["id"].clone(), path)
}

fn get(stage: &Stage, path: &str) -> impl Future<Output = Page> {
    Page::of(stage.anonymous(Method::GET, path))
}

fn send(stage: &Stage, path: &str, fields: &[(&str, &str)]) -> impl Future<Output = Page> {
    Page::of(stage.anonymous(Method::POST, path).form(fields))
}

#[tokio::test]
async fn looking_at_a_question_does_nothing_and_sending_the_form_answers_it_once() {
    let stage = Stage::set();
    let (id, path) = asked(&stage, "release").await;
    let before = stage.get(&format!("/executions/{}", id.as_str().unwrap())).await.expect(200);
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let page = Page::of(stage.anonymous(method.clone(), &path)).await;
        assert_eq!(page.status, 200);
        assert!(page.policy.contains("form-action 'self'") && page.policy.contains("frame-ancestors 'none'"));
        let parts = ["Release all?", "Who is asked: ", "<form method=\"post\">", "href=\"./style.css\""];
        assert!(method == Method::HEAD || parts.iter().all(|part| page.text.contains(part)), "{}", page.text);
        assert!(!page.text.contains("<script"), "{}", page.text);
    }
    let after = stage.get(&format!("/executions/{}", id.as_str().unwrap())).await.expect(200);
    assert_eq!(before["steps"][0]["waiting_for"], after["steps"][0]["waiting_for"], "looking is no word");
    let style = stage.anonymous(Method::GET, "/resume/style.css").send().await.unwrap();
    assert_eq!(
        (style.status().as_u16(), &style.headers()["content-type"]),
        (200, &"text/css; charset=utf-8".parse().unwrap())
    );

    let nothing = send(&stage, &path, &[("note", "hm")]).await;
    assert_eq!(nothing.status, 422);
    assert!(nothing.text.contains("role=\"alert\"") && nothing.text.contains(">hm</textarea>"), "{}", nothing.text);
    let stranger = send(&stage, &path, &[("decision", "approve"), ("as", "mallory<b>")]).await;
    assert_eq!(stranger.status, 422);
    assert!(stranger.text.contains("mallory&lt;b&gt;") && !stranger.text.contains("<b>"), "{}", stranger.text);
    assert_eq!(send(&stage, &path, &[("decision", "approve"), ("as", "mallory")]).await.status, 403);
    let approved = send(&stage, &path, &[("decision", "approve"), ("note", "fine"), ("as", "alice")]).await;
    assert_eq!(approved.status, 200, "{}", approved.text);
    assert!(approved.text.contains("You approved") && approved.text.contains("is waiting"), "{}", approved.text);
    let shown = stage.get(&format!("/executions/{}", id.as_str().unwrap())).await.expect(200);
    let words = shown["steps"][0]["decisions"].as_array().unwrap();
    let word = &words[0];
    assert_eq!((words.len(), &word["person"]["login"], &word["note"]), (1, &json!("alice"), &json!("fine")));
    assert_eq!(word["source"]["kind"], "web");
    for page in [get(&stage, &path).await, send(&stage, &path, &[("decision", "reject")]).await] {
        assert_eq!(page.status, 409);
        assert!(page.text.contains("A token serves once") && !page.text.contains("Nothing was done."), "{}", page.text);
    }
    let forged = get(&stage, &format!("{path}x")).await;
    assert_eq!(forged.status, 403);
    assert!(!forged.text.contains("Release all?"), "{}", forged.text);
}

#[tokio::test]
async fn a_form_is_filled_in_on_its_page() {
    let stage = Stage::set();
    let (id, path) = asked(&stage, "access").await;
    let page = get(&stage, &path).await;
    for part in [
        "<select id=\"field.system\" name=\"field.system\" required",
        "<option value=\"billing\">billing</option>",
        "value=\"7\"",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let wrong = send(&stage, &path, &[("field.system", "shop"), ("field.days", "31")]).await;
    assert_eq!(wrong.status, 422);
    let parts = ["<li>days must be at most 30</li>", "<option value=\"shop\" selected>shop</option>", "value=\"31\""];
    assert!(parts.iter().all(|part| wrong.text.contains(part)), "{}", wrong.text);
    let right = send(&stage, &path, &[("field.system", "shop"), ("field.days", "2"), ("as", "")]).await;
    assert_eq!(right.status, 200, "{}", right.text);
    let done = stage.until(&id, "completed").await;
    assert_eq!(done["steps"][0]["output"], json!({"system": "shop", "days": 2}));
    let closed = Stage::with(&[], Vec::new());
    let page = get(&closed, &path).await;
    assert_eq!(page.status, 401);
    assert!(page.text.contains("The API is closed") && !page.text.contains(TOKEN), "{}", page.text);
}
