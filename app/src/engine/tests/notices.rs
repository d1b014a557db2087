//! What the `notify` rules of a process tell, and when: stored with what they tell of, sent three times at most.

use super::*;
use crate::identity::resume::ResumeTokens;

const ORDER: &str = "
name: order
version: 1
notify:
  - {on: [approval_requested, completed], channel: webhook, to: 'https://pager.example/hook'}
  - {on: [completed], channel: comment}
steps:
  - {id: sign, type: human_approval, title: 'Ship it?', timeout: 4h, approvers: {all: [{users: [alice]}, {team: leads, count: 2}]}}
";

async fn world() -> World {
    World::of(ORDER).await
}

#[tokio::test]
async fn whoever_is_told_that_a_step_waits_reads_who_may_act_and_how() {
    let world = world().await;
    let request = StartRequest { url: Some("https://flows.example/executions/1".to_owned()), ..world.request() };
    let id = world.engine.start(request).await.unwrap().execution.id;
    world.engine.settle().await.unwrap();
    let [told]: [_; 1] = world.performer.seen().try_into().unwrap();
    assert_eq!(told.input["receivers"], json!([{"to": "https://pager.example/hook"}]));
    assert_eq!(told.input["subject"], "Approval needed: Ship it?");
    assert_eq!(
        told.input["message"],
        "Who may act: alice, and 2 of team `leads`\n\
         Until: 2026-03-02T13:00:00Z\n\
         How: at https://flows.example/executions/1\n\
         Process: order of shop\n\
         Details: https://flows.example/executions/1"
    );
    let payload = &told.input["payload"];
    assert_eq!((&payload["type"], &payload["data"]["step"]), (&json!("approval.requested"), &json!("sign")));
    assert_eq!(payload["data"]["execution"], json!(id));
    world.check().await;
}

#[tokio::test]
async fn a_message_that_does_not_arrive_is_sent_three_times_with_one_id() {
    let world = world().await;
    for _ in 0..3 {
        world.performer.fails(ErrorClass::ServerError);
    }
    let id = world.started().await;
    for (pause, tries) in [(9, 1), (1, 2), (39, 2), (1, 3), (3600, 3)] {
        world.passes(pause);
        world.engine.settle().await.unwrap();
        assert_eq!(world.performer.seen().len(), tries, "after {pause} s more");
    }
    let seen = world.performer.seen();
    assert!(seen.iter().all(|attempt| attempt.idempotency_key == seen[0].idempotency_key));
    assert_eq!(world.picture(id).await, "waiting | sign:waiting", "nobody's silence fails an execution");
    assert_eq!(world.store.next_occurrence().await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_dies_before_it_has_told_leaves_it_to_the_next() {
    let world = world().await;
    world.engine.start(world.request()).await.unwrap();
    let lease = world.clock.now().checked_add(SignedDuration::from_secs(30)).unwrap();
    let claimed = world.store.claim_occurrences("who died", 9, world.clock.now(), lease).await.unwrap();
    assert_eq!(claimed.len(), 1, "it is stored with what it tells of");
    world.engine.settle().await.unwrap();
    assert!(world.performer.seen().is_empty());
    world.passes(31);
    world.engine.settle().await.unwrap();
    assert_eq!(world.performer.seen().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_cannot_be_told_fails_nothing() {
    let process = ORDER.replace("'https://pager.example/hook'", "'{{ trigger.payload.nobody }}'");
    let world = World::of(&process).await;
    let id = world.started().await;
    assert_eq!(world.picture(id).await, "waiting | sign:waiting");
}

#[tokio::test]
async fn each_receiver_of_a_rule_is_told_by_itself() {
    let two =
        "to: ['https://pager.example/hook', 'https://other.example/hook']}\n  - {on: [completed], channel: comment}";
    let process = ORDER.replace("to: 'https://pager.example/hook'}\n  - {on: [completed], channel: comment}", two);
    let world = World::of(&process).await;
    world.performer.fails(ErrorClass::ServerError);
    world.started().await;
    assert_eq!(world.performer.seen().len(), 2);
    world.passes(10);
    world.engine.settle().await.unwrap();
    let seen = world.performer.seen();
    assert_eq!((seen.len(), &seen[2].input), (3, &seen[0].input), "only who was not told is told again");
    assert_ne!(seen[0].idempotency_key, seen[1].idempotency_key);
}

const LISTENER: &str = "
name: listener
version: 1
triggers: [{event: go}, manual]
steps:
  - {id: a, type: set, values: {v: 1}}
";
const CALLER: &str = "
name: caller
version: 1
steps:
  - {id: call, type: process, process: listener}
";

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_neither_signals_nor_triggers() {
    let world =
        World::with_options(ORDER, EngineOptions { poll: Duration::from_secs(3600), ..EngineOptions::new("one") })
            .await;
    world.definitions.also(LISTENER);
    world.definitions.also(CALLER);
    let (hangs, answers) = world.performer.waits();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let (engine, stop) = (world.engine.clone(), shutdown.clone());
    let running = tokio::spawn(async move { engine.run(stop).await });
    world.engine.start(world.request()).await.unwrap();
    hangs.await.unwrap();
    let caller = world.engine.start(StartRequest { process: "caller".to_owned(), ..world.request() }).await.unwrap();
    let id = caller.execution.id;
    eventually("the sub-process's end is told", async || world.execution(id).await.status.is_final()).await;
    let event = PublishedEvent { name: "go".to_owned(), payload: Value::Null, id: None };
    world.engine.publish(&TenantId::local(), event).await.unwrap();
    eventually("the event starts another one", async || world.all_of("listener").await.len() == 2).await;
    answers.send(Value::Null).unwrap();
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn who_is_told_in_private_that_they_are_asked_is_given_a_token() {
    let rules = "notify:\n  - {on: [approval_requested], channel: slack, to: ['#releases', '@alice']}\n  \
                 - {on: [approval_requested], channel: slack, to: '@alice'}\n  \
                 - {on: [approval_requested], channel: email, to: alice@example.com}\n";
    let process = ORDER.replace("notify:\n", rules);
    let tokens = ResumeTokens::new([7; 32]);
    let options = EngineOptions {
        public_url: Some("https://flows.example".to_owned()),
        resume: Some(tokens.clone()),
        ..EngineOptions::new("the engine")
    };
    let world = World::with_options(&process, options).await;
    let id = world.started().await;
    let at = format!("https://flows.example/api/v1/executions/{id}");
    let mut given = Vec::new();
    for told in world.performer.seen() {
        let data = &told.input["payload"]["data"];
        assert_eq!(data["url"], json!(at), "a link to the execution");
        let token = data["resume_token"].as_str();
        given.push(format!("{} {} {}", told.input["channel"], told.input["receivers"][0]["to"], token.is_some()));
        assert_eq!(told.input["message"].as_str().unwrap().contains("token"), token.is_some());
        if let Some(token) = token {
            let claims = tokens.read(token, world.clock.now()).unwrap();
            assert_eq!((claims.execution, claims.step.as_str()), (id, "sign"));
            assert_eq!(data["resume_url"], json!(format!("{at}/resume")));
            let page = format!("https://flows.example/resume/{token}");
            assert_eq!(data["resume_page"], json!(page));
            assert!(told.input["message"].as_str().unwrap().contains(&format!("once and in confidence: at {page}\n")));
        }
    }
    given.sort();
    let expected = [
        r##""email" "alice@example.com" true"##,
        r##""slack" "#releases" false"##,
        r##""slack" "@alice" false"##,
        r##""slack" "@alice" true"##,
        r##""webhook" "https://pager.example/hook" true"##,
    ];
    assert_eq!(given, expected);
}

#[tokio::test]
async fn outside_tenant_local_a_message_gives_nobody_the_right_to_speak() {
    let options = EngineOptions {
        public_url: Some("https://flows.example".to_owned()),
        resume: Some(ResumeTokens::new([7; 32])),
        ..EngineOptions::new("the engine")
    };
    let world = World::with_options(ORDER, options).await;
    let tenant = TenantId("octo-org".to_owned());
    world.engine.start(StartRequest { tenant, ..world.request() }).await.unwrap();
    world.engine.settle().await.unwrap();
    let [told]: [_; 1] = world.performer.seen().try_into().unwrap();
    assert_eq!(told.input["payload"]["data"]["resume_token"], Value::Null);
    assert!(!told.input["message"].as_str().unwrap().contains("token"), "{}", told.input["message"]);
}

#[tokio::test]
async fn two_who_were_asked_by_mail_shared_one_right_to_answer() {
    let rules = "notify:\n  - {on: [approval_requested], channel: email, to: ['Alice <alice@example.com>, bob@example.com', \
                 carol@example.com]}\n";
    let process = ORDER.replace("notify:\n", rules);
    let tokens = ResumeTokens::new([7; 32]);
    let options = EngineOptions {
        public_url: Some("https://flows.example".to_owned()),
        resume: Some(tokens.clone()),
        ..EngineOptions::new("the engine")
    };
    let world = World::with_options(&process, options).await;
    world.started().await;
    let mails = world.performer.seen().into_iter().filter(|told| told.input["channel"] == "email");
    let mut given: Vec<(String, String, String)> = mails
        .map(|told| {
            let token = told.input["payload"]["data"]["resume_token"].as_str().unwrap().to_owned();
            let claims = tokens.read(&token, world.clock.now()).unwrap();
            assert!(told.input["message"].as_str().unwrap().contains(&token));
            (told.input["receivers"].to_string(), claims.login(), claims.word())
        })
        .collect();
    given.sort();
    let told: Vec<(&str, &str)> = given.iter().map(|(to, login, _)| (to.as_str(), login.as_str())).collect();
    let expected = [
        (r#"[{"to":"Alice <alice@example.com>"}]"#, "alice@example.com"),
        (r#"[{"to":"bob@example.com"}]"#, "bob@example.com"),
        (r#"[{"to":"carol@example.com"}]"#, "carol@example.com"),
    ];
    assert_eq!(told, expected);
    let words: std::collections::BTreeSet<&String> = given.iter().map(|(.., word)| word).collect();
    assert_eq!(words.len(), 3, "each serves once: {words:?}");
}

#[tokio::test]
async fn a_list_of_more_addresses_than_a_mail_may_have_is_one_that_is_refused_and_gives_nobody_a_token() {
    for (count, mails, tokens) in [(100, 100, 100), (101, 1, 0)] {
        let list: Vec<String> = (0..count).map(|number| format!("p{number}@example.com")).collect();
        let rules = format!("notify:\n  - {{on: [approval_requested], channel: email, to: '{}'}}\n", list.join(", "));
        let process = ORDER.replace("notify:\n", &rules);
        let options = EngineOptions {
            public_url: Some("https://flows.example".to_owned()),
            resume: Some(ResumeTokens::new([7; 32])),
            ..EngineOptions::new("the engine")
        };
        let world = World::with_options(&process, options).await;
        world.started().await;
        let sent: Vec<_> = world.performer.seen().into_iter().filter(|told| told.input["channel"] == "email").collect();
        let with_token = sent.iter().filter(|told| told.input["payload"]["data"]["resume_token"].is_string()).count();
        assert_eq!((sent.len(), with_token), (mails, tokens), "{count} addresses");
    }
}
