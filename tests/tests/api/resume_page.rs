//! Resume links as people open them in a browser: a page that does nothing, and a form that answers once.

use flowctl_app::identity::resume::{Claims, KEY_NAME, ResumeTokens};
use flowctl_app::store::{SqliteStore, Store as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, TOKEN, answer};

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

#[tokio::test]
async fn what_nobody_sees_is_spelt_out_on_the_page() {
    let stage = Stage::set();
    let started = stage.start("release", json!({"what": "\u{202e}gnp.exe\u{200b}"})).await;
    let execution = stage.until(&started["id"], "waiting").await;
    let token = execution["steps"][0]["waiting_for"]["resume_token"].as_str().unwrap();
    let path = format!("/resume/{token}");
    for page in [get(&stage, &path).await, send(&stage, &path, &[("as", "\u{202e}bob"), ("decision", "approve")]).await]
    {
        assert!(page.text.contains("Release \\u202egnp.exe\\u200b?"), "{}", page.text);
        let heading = page.text.split_once("<h1>").unwrap().1.split_once("</h1>").unwrap().0;
        assert!(!heading.contains(['\u{202e}', '\u{200b}']), "{heading:?}");
    }
}

/// A token for the first step of an execution as it is sent to one address.
async fn sent_to(stage: &Stage, execution: &Value, address: &str) -> String {
    let url = format!("sqlite://{}", stage.app_data().join("flowctl.db").display());
    let store = SqliteStore::open(&url).await.unwrap();
    let key = store.server_key(KEY_NAME, Vec::new()).await.unwrap();
    store.close().await;
    let claims = Claims {
        execution: execution["id"].as_str().unwrap().parse().unwrap(),
        step: execution["steps"][0]["id"].as_str().unwrap().to_owned(),
        attempt: 1,
        turn: 0,
        expires_at: jiff::Timestamp::now().as_second() + 3_600,
        receiver: None,
    };
    ResumeTokens::new(key.try_into().unwrap()).issue(&claims.for_receiver(address))
}

#[tokio::test]
async fn who_was_sent_a_link_speaks_in_their_own_name_alone() {
    let stage = Stage::set();
    let started = stage.start("release", json!({})).await;
    let execution = stage.until(&started["id"], "waiting").await;
    let token = sent_to(&stage, &execution, "Ann@example.com").await;
    let (page, path) =
        (format!("/resume/{token}"), format!("/api/v1/executions/{}/resume", execution["id"].as_str().unwrap()));
    let shown = get(&stage, &page).await;
    assert!(
        shown.text.contains("You answer as ann@example.com") && !shown.text.contains("name=\"as\""),
        "{}",
        shown.text
    );
    let said = json!({"token": token, "decision": "approve", "as": "bob"});
    let refused = answer(stage.anonymous(Method::POST, &path).json(&said)).await;
    assert_eq!(refused.problem(403), "acting-forbidden");
    assert!(refused.body["detail"].as_str().unwrap().contains("sent to ann@example.com"), "{:#}", refused.body);
    let refused = send(&stage, &page, &[("decision", "approve"), ("as", "bob")]).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let approved = send(&stage, &page, &[("decision", "approve")]).await;
    assert_eq!(approved.status, 200, "{}", approved.text);
    let shown = stage.get(&format!("/executions/{}", execution["id"].as_str().unwrap())).await.expect(200);
    let words = shown["steps"][0]["decisions"].as_array().unwrap();
    assert_eq!((words.len(), &words[0]["person"]["login"]), (1, &json!("ann@example.com")));
    // The administrator may say whose word it is, also with a token that was sent to somebody.
    let other = sent_to(&stage, &execution, "bea@example.com").await;
    let said = json!({"token": other, "decision": "approve", "as": "bob"});
    answer(stage.request(Method::POST, path.strip_prefix("/api/v1").unwrap()).json(&said)).await.expect(200);
    stage.until(&execution["id"], "completed").await;
}
