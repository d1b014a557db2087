//! `notify` against servers on this machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use flowctl_core::expression::SecretPart;
use secrecy::SecretString;
use serde_json::json;

use super::mail_server::MailServer;
use super::server::{Server, json_answer};
use super::*;
use crate::notify::webhook::signature;

fn secrets(slack: &str) -> Arc<dyn Secrets> {
    let secrets = [("KEY", "whsec_c2VjcmV0IGtleSBvZiBtaW5l"), ("SLACK_WEBHOOK_URL", slack)];
    let secrets: BTreeMap<String, SecretString> =
        secrets.map(|(name, value)| (name.to_owned(), SecretString::from(value))).into();
    Arc::new(secrets)
}

fn performer(slack: &str, mail: Option<&MailServer>) -> NotifyPerformer {
    let options = OutgoingOptions { allow_private_networks: true, ..OutgoingOptions::default() };
    let mailer = mail.map(|server| Mailer::new(&SecretString::from(server.url()), "flows@flows.example").unwrap());
    NotifyPerformer::new(Outgoing::new(options).unwrap(), secrets(slack), mailer, clock())
}

async fn told(input: Value, secret_texts: Vec<SecretText>) -> Performed {
    performer("", None).perform(attempt(input, secret_texts)).await
}

fn key() -> Vec<SecretText> {
    let parts = vec![SecretPart::Secret("KEY".to_owned())];
    vec![SecretText { pointer: "/receivers/0/secret".to_owned(), parts }]
}

fn webhook(url: &str) -> Value {
    json!({"channel": "webhook", "receivers": [{"to": url, "secret": "***"}], "subject": "v7", "message": "It is out."})
}

#[tokio::test]
async fn a_webhook_is_signed_and_its_id_stays_the_same_over_all_tries() {
    let server = Server::start(|_| json_answer(204, json!({}))).await;
    let performer = performer("", None);
    for number in [1, 2] {
        let attempt = Attempt { attempt: number, ..attempt(webhook(&server.url("/hook")), key()) };
        assert_eq!(performer.perform(attempt).await.result, Ok(json!({"delivered": true})));
    }
    let [first, second]: [_; 2] = server.seen().try_into().unwrap();
    let (id, timestamp) = (first.header("webhook-id").unwrap(), first.header("webhook-timestamp").unwrap());
    assert_eq!(first.line, "POST /hook");
    assert_eq!((timestamp, id.len()), ("1772442000", 36));
    assert_eq!(second.header("webhook-id"), Some(id), "who gets it twice can tell");
    let expected = signature(id, timestamp, &first.body, "whsec_c2VjcmV0IGtleSBvZiBtaW5l");
    assert_eq!(first.header("webhook-signature"), Some(expected.as_str()));
    let body: Value = serde_json::from_str(&first.body).unwrap();
    let data = json!({"execution": Uuid::nil(), "step": "call", "subject": "v7", "message": "It is out."});
    assert_eq!(body, json!({"type": "notification", "data": data}));
}

#[tokio::test]
async fn several_receivers_have_ids_of_their_own_and_one_without_a_secret_is_not_signed() {
    let server = Server::start(|_| json_answer(200, json!({}))).await;
    let receivers = json!([{"to": server.url("/a")}, {"to": server.url("/b")}]);
    let input = json!({"channel": "webhook", "receivers": receivers, "message": "hello"});
    told(input, Vec::new()).await.result.unwrap();
    let seen = server.seen();
    assert_ne!(seen[0].header("webhook-id"), seen[1].header("webhook-id"));
    assert_eq!(seen[0].header("webhook-signature"), None);
}

#[tokio::test]
async fn faults_of_the_receiver_have_their_class_and_show_no_secret() {
    let cases = [
        (500, ErrorClass::ServerError),
        (429, ErrorClass::RateLimited),
        (410, ErrorClass::Refused),
        // What is signed for one place goes nowhere else.
        (307, ErrorClass::Refused),
    ];
    for (status, class) in cases {
        let server = Server::start(move |seen| {
            let mut answer = json_answer(status, json!({"seen": "whsec_c2VjcmV0IGtleSBvZiBtaW5l"}));
            let elsewhere = format!("http://{}/elsewhere", seen.header("host").unwrap());
            answer.headers_mut().insert("location", elsewhere.parse().unwrap());
            answer.headers_mut().insert("retry-after", "7".parse().unwrap());
            answer
        })
        .await;
        let performed = told(webhook(&server.url("/")), key()).await;
        assert_eq!(performed.result.as_ref().unwrap_err().retry_after_ms, Some(7_000), "{status}");
        let (found, message) = failure(performed);
        assert_eq!(found, class, "{status}: {message}");
        assert!(!message.contains("whsec_"), "{message}");
        assert_eq!(server.lines(), ["POST /"]);
    }
}

#[tokio::test]
async fn of_several_faults_the_one_whose_pause_is_honoured_longest_gives_the_class() {
    let server = Server::start(|seen| {
        let mut answer = json_answer(if seen.line == "POST /slow" { 408 } else { 429 }, json!({}));
        answer.headers_mut().insert("retry-after", "3600".parse().unwrap());
        answer
    })
    .await;
    let receivers = json!([{"to": server.url("/slow")}, {"to": server.url("/busy")}]);
    let input = json!({"channel": "webhook", "receivers": receivers, "message": "hello"});
    let error = told(input, Vec::new()).await.result.unwrap_err();
    assert_eq!((error.class, error.retry_after_ms), (ErrorClass::RateLimited, Some(3_600_000)));
}

#[tokio::test]
async fn what_cannot_be_told_says_why() {
    for (input, why) in [
        (
            json!({"channel": "webhook", "receivers": [{"to": "pager"}], "message": "x"}),
            "`to`: `pager` is neither a URL nor a channel of flow.yaml",
        ),
        (json!({"channel": "webhook", "receivers": [], "message": "x"}), "nobody is named who is told; add `to`"),
        (
            json!({"channel": "slack", "receivers": [{"to": "#a"}], "message": "x"}),
            "the secret `SLACK_WEBHOOK_URL` is not set; the server reads it from FLOWCTL_SECRET_SLACK_WEBHOOK_URL",
        ),
        (
            json!({"channel": "email", "receivers": [{"to": "a@b.example"}], "message": "x"}),
            "no mail server is set up: the operator names one with FLOWCTL_SMTP_URL",
        ),
        (json!({"channel": "comment", "issue": 7, "message": "x"}), "a comment needs a repository on GitHub"),
    ] {
        assert_eq!(failure(told(input, Vec::new()).await), (ErrorClass::Refused, why.to_owned()));
    }
    let elsewhere = |issue: Value| Attempt {
        tenant: TenantId("octo-org".to_owned()),
        ..attempt(json!({"channel": "comment", "issue": issue, "message": "x"}), Vec::new())
    };
    let performer = performer("", None);
    assert_eq!(performer.perform(elsewhere(json!(7))).await.result, Ok(json!({"delivered": true})));
    let (_, why) = failure(performer.perform(elsewhere(Value::Null)).await);
    assert_eq!(why, "there is no pull request or issue to comment on");
}

#[tokio::test]
async fn a_private_address_is_refused() {
    let performer =
        NotifyPerformer::new(Outgoing::new(OutgoingOptions::default()).unwrap(), secrets(""), None, clock());
    let server = Server::start(|_| json_answer(200, json!({}))).await;
    let (class, message) = failure(performer.perform(attempt(webhook(&server.url("/")), key())).await);
    assert_eq!(class, ErrorClass::Refused);
    assert!(message.contains("private network"), "{message}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn slack_is_told_by_the_webhook_of_its_channel_or_by_the_operators() {
    let server = Server::start(|_| json_answer(200, json!("ok"))).await;
    let performer = performer(&server.url("/operator"), None);
    let input = json!({"channel": "slack", "receivers": [{"to": "#releases"}], "subject": "v7", "message": "1 < 2"});
    performer.perform(attempt(input, Vec::new())).await.result.unwrap();
    let input = json!({"channel": "slack", "receivers": [{"to": server.url("/own")}], "message": "hello"});
    performer.perform(attempt(input, Vec::new())).await.result.unwrap();
    let seen = server.seen();
    assert_eq!((seen[0].line.as_str(), seen[1].line.as_str()), ("POST /operator", "POST /own"));
    assert_eq!(seen[0].body, r##"{"channel":"#releases","text":"*v7*\n1 &lt; 2"}"##);
    assert_eq!(seen[1].body, r#"{"text":"hello"}"#);
}

#[tokio::test]
async fn a_mail_reaches_all_its_receivers_in_one_go() {
    let server = MailServer::start(Vec::new()).await;
    let receivers = json!([{"to": "team@example.com, Ann <ann@example.com>"}, {"to": "bob@example.com"}]);
    let input = json!({
        "channel": "email", "receivers": receivers, "subject": "v7\r\nBcc: eve@example.com", "message": "It is out.\n.\nGrüße"
    });
    performer("", Some(&server)).perform(attempt(input, Vec::new())).await.result.unwrap();
    let [mail]: [_; 1] = server.delivered().try_into().unwrap();
    assert_eq!(mail.to, ["<team@example.com>", "<ann@example.com>", "<bob@example.com>"]);
    let header = |name: &str| {
        let line = mail.text.lines().find(|line| line.starts_with(&format!("{name}: "))).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {name} in\n{}", mail.text))
    };
    assert_eq!(header("From"), "From: flows@flows.example");
    assert_eq!(header("Subject"), "Subject: v7 Bcc: eve@example.com", "one line, and no header of its own");
    assert!(header("Message-ID").ends_with("@flows.example>"));
    assert_eq!(header("Auto-Submitted"), "Auto-Submitted: auto-generated");
    assert_eq!(header("Date"), "Date: Mon, 02 Mar 2026 09:00:00 +0000");
}

#[tokio::test]
async fn faults_of_the_mail_server_have_their_class() {
    let faults: [(&str, &str, ErrorClass); 4] = [
        ("MAIL", "451 try later", ErrorClass::ServerError),
        ("RCPT", "550 no such person", ErrorClass::Refused),
        ("DATA", "452 full", ErrorClass::ServerError),
        // It goes away in the middle.
        ("DATA", "", ErrorClass::Network),
    ];
    for (command, answer, class) in faults {
        let server = MailServer::start(vec![vec![(command, answer)]]).await;
        let performer = performer("", Some(&server));
        let input = json!({"channel": "email", "receivers": [{"to": "a@example.com"}], "message": "hello"});
        let (found, message) = failure(performer.perform(attempt(input.clone(), Vec::new())).await);
        assert_eq!(found, class, "{command} {answer}: {message}");
        performer.perform(attempt(input, Vec::new())).await.result.unwrap();
        assert_eq!(server.delivered().len(), 1);
    }
    let gone = MailServer::start(Vec::new()).await;
    let performer = performer("", Some(&gone));
    drop(gone);
    let input = json!({"channel": "email", "receivers": [{"to": "not an address"}], "message": "hello"});
    let (class, message) = failure(performer.perform(attempt(input, Vec::new())).await);
    assert_eq!(class, ErrorClass::Refused);
    assert!(message.starts_with("`to`: `not an address` is no list of addresses"), "{message}");
}

#[tokio::test]
async fn a_receiver_that_fails_keeps_nobody_else_from_being_told_and_nobody_is_told_twice() {
    let broken = Arc::new(AtomicBool::new(true));
    let breaks = Arc::clone(&broken);
    let server = Server::start(move |seen| {
        let fails = seen.line.ends_with("/broken") && breaks.load(Ordering::Relaxed);
        json_answer(if fails { 503 } else { 200 }, json!({}))
    })
    .await;
    for channel in ["webhook", "slack"] {
        broken.store(true, Ordering::Relaxed);
        let before = server.seen().len();
        let performer = performer("", None);
        let receivers = json!([{"to": server.url("/broken")}, {"to": server.url("/well")}]);
        let input = json!({"channel": channel, "receivers": receivers, "message": "hello"});
        let (class, message) = failure(performer.perform(attempt(input.clone(), Vec::new())).await);
        assert_eq!(class, ErrorClass::ServerError);
        assert!(message.starts_with("1 of 2 receivers were not told: "), "{message}");
        broken.store(false, Ordering::Relaxed);
        for _ in 0..2 {
            performer.perform(attempt(input.clone(), Vec::new())).await.result.unwrap();
        }
        let mut lines = server.lines().split_off(before);
        lines[..2].sort();
        // The last attempt is a message of its own: everybody had been told of the one before.
        lines[3..].sort();
        assert_eq!(
            lines,
            ["POST /broken", "POST /well", "POST /broken", "POST /broken", "POST /well"],
            "{channel}: who was told is left out"
        );
    }
}
