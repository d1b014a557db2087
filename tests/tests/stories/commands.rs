//! Commands in comments: starting, answering, cancelling, retrying, asking.

use serde_json::json;

use crate::stage::{ORDER, RELEASE, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_answered_by_words_or_by_a_block() {
    let stage = Stage::raise(&[("order", ORDER)]).await;
    let number = stage.pull_request("chairs");
    assert_eq!(stage.comment(number, "/order size=3").by("bob").await, "🚀");
    stage.concluded(number, "order", "action_required").await;
    let mut told = Vec::new();
    for (body, login) in [
        ("/answer colour=green amount=none", "bob"),
        ("/answer colour=red amount=2 extra=1", "bob"),
        ("/answer colour=red amount=2", "carol"),
        ("/answer\n```yaml\n- a list\n```", "bob"),
    ] {
        told.push(format!("{login} {body}\n{}", stage.comment(number, body).by(login).await));
    }
    insta::assert_snapshot!(told.join("\n\n"), @r"
    bob /answer colour=green amount=none
    😕 @bob `/answer colour=green amount=none` was not taken. The answers do not fit the form:

    - `colour` must be one of red, blue
    - `amount` must be a whole number

    bob /answer colour=red amount=2 extra=1
    😕 @bob `/answer colour=red amount=2 extra=1` was not taken. The answers do not fit the form:

    - `extra` is not a field here

    carol /answer colour=red amount=2
    😕 @carol `/answer colour=red amount=2` was not taken. `details` needs bob.

    bob /answer
    ```yaml
    - a list
    ```
    😕 @bob `/answer` was not taken. The block below it cannot be read:

    - it must be `field: value` lines
    ");
    assert_eq!(stage.comment(number, "/answer details\n```yaml\ncolour: red\namount: 2\n```").by("bob").await, "🚀");
    let done = stage.concluded(number, "order", "success").await;
    let text = done.text.unwrap_or_default();
    assert!(text.contains("answered by [bob]("), "what was answered is one click away: {text}");
    assert!(done.summary.unwrap().contains("\"bought\": 6"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_command_stands_in_the_audit_log_once_for_each_person_and_reason() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("chairs");
    stage.concluded(number, "release", "action_required").await;
    for (body, login) in [
        ("/approve", "carol"),
        ("/approve leads -- please", "carol"),
        ("/approve", "alice"),
        ("/approve laeds", "carol"),
        ("/approve leeds", "carol"),
        ("/cancel", "carol"),
        ("/approve", "bob"),
    ] {
        let told = stage.comment(number, body).by(login).await;
        assert_eq!(told.starts_with("😕"), login != "bob", "{told}");
    }
    let entries = stage.audit().await;
    let said: Vec<&str> =
        entries.iter().map(String::as_str).filter(|it| it.starts_with("command.") || it.contains("decided")).collect();
    let refused = ["carol", "alice", "carol", "carol"].map(|login| format!("command.refused by {login}"));
    assert_eq!(said, [&refused[..], &["approval.decided by bob".to_owned()]].concat());
    let first = stage.until_told("command.refused").await;
    assert_eq!((&first["repository"], &first["process"]), (&json!("octo-org/shop"), &json!("release")));
    assert!(first["execution"].is_string(), "{first:#}");
    let data = &first["data"];
    assert_eq!((&data["command"], &data["reason"]), (&json!("approve"), &json!("ineligible")));
    assert!(data["why"].as_str().unwrap().contains("leads") && data["source"]["id"].is_string(), "{data:#}");
    let why = [2, 3, 4].map(|nth| stage.until_told_again("command.refused", nth));
    let [author, unknown, cancel] = why;
    let told = |entry: serde_json::Value| (entry["data"]["reason"].clone(), entry["data"]["named"].clone());
    let told = [told(author.await), told(unknown.await), told(cancel.await)];
    let named = |reason: &str, step: Option<&str>| (json!(reason), json!(step));
    assert_eq!(told, [named("ineligible", None), named("not_that_step", Some("laeds")), named("permission", None)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_the_repository_that_was_refused_left_no_entry() {
    let stage = Stage::raise(&[("order", ORDER)]).await;
    let number = stage.pull_request("chairs");
    for (body, login) in [("/order", "carol"), ("/run ordre", "bob"), ("/order size=\"", "bob")] {
        let answer = stage.comment(number, body).by(login).await;
        assert!(answer.starts_with("😕"), "{body}: {answer}");
    }
    let first = stage.until_told("command.refused").await;
    assert_eq!((&first["actor"]["login"], &first["execution"]), (&json!("carol"), &json!(null)), "{first:#}");
    let data = &first["data"];
    assert_eq!((&data["command"], &data["named"]), (&json!("run"), &json!("order")), "{first:#}");
    let second = stage.until_told_again("command.refused", 2).await;
    assert_eq!(second["data"]["named"], "ordre", "{second:#}");
    let refused = stage.audit().await.into_iter().filter(|entry| entry.starts_with("command.refused"));
    assert_eq!(refused.count(), 2, "what cannot be read is no command");
}

#[tokio::test(flavor = "multi_thread")]
async fn starting_needs_permission_and_a_process_that_may_be_started() {
    let stage = Stage::raise(&[("order", ORDER), ("release", RELEASE)]).await;
    let number = stage.pull_request("chairs");
    stage.concluded(number, "release", "action_required").await;
    let mut told = Vec::new();
    for (body, login) in [
        ("/run order", "carol"),
        ("/order", "carol"),
        ("/run ordre", "bob"),
        ("/run release", "bob"),
        ("/run order size=0", "bob"),
        ("/order size=big", "bob"),
        ("/order now please", "bob"),
    ] {
        told.push(format!("{login} {body}\n{}", stage.comment(number, body).by(login).await));
    }
    insta::assert_snapshot!(told.join("\n\n"), @r#"
    carol /run order
    😕 @carol `/run order` was not taken. It needs write permission on this repository. Ask somebody who has it.

    carol /order
    😕 @carol `/order` was not taken. It needs write permission on this repository. Ask somebody who has it.

    bob /run ordre
    😕 @bob `/run ordre` was not taken. There is no process `ordre` on the default branch. Did you mean `order`? There is `order`.

    bob /run release
    😕 @bob `/run release` was not taken. `release` cannot be started by hand: its `triggers` do not list `manual`.

    bob /run order size=0
    😕 @bob `/run order size=0` was not taken. The inputs do not fit:

    - `size` must be at least 1

    bob /order size=big
    😕 @bob `/order size=big` was not taken. The inputs do not fit:

    - `size` must be a whole number

    bob /order now please
    😕 @bob `/order now please` was not taken. It cannot be read:

    ```text
    1 | now please
      | ^^^ `now` is not written as `name=value`
      = help: a value with spaces needs quotes: `name="two words"`
    ```

    `/help` lists the commands.
    "#);
    assert_eq!(stage.runs(number, "order").len(), 0);
    assert_eq!(stage.comment(number, "/run order size=2").by("bob").await, "🚀");
    stage.concluded(number, "order", "action_required").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_comment_may_hold_several_commands_and_each_is_answered() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    stage.expect("POST", "issues/comments/*/reactions");
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let comment = stage.comment(number, "/approve leads\n/status\n/retry").said_by("bob");
    let replies = || stage.app_comments(number, &format!("<!-- flowctl:reply:comment:{comment} -->")).pop();
    let answer = without_moments(&stage.eventually("a reply", replies).await);
    let answer = answer.replace(&comment.to_string(), "ID");
    insta::assert_snapshot!(answer, @r"
    <!-- flowctl:reply:comment:ID -->

    @bob `/status`

    - `release` since DAY TIME UTC: 🟡 **A person is needed:** `leads` waits. (1 of 3 steps)
      - `leads` waits for 1 more of team `leads`: `/approve leads`

    `/retry` was not taken. There is no failed or cancelled execution here. `/status` shows where things stand.
    ");
    let help = stage.comment(number, "/help").by("carol").await;
    assert!(help.starts_with("🚀") && help.contains("`/approve [step] [commit] [-- note]`"), "{help}");
}

/// Moments differ from run to run.
fn without_moments(text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for index in 1..words.len() {
        let is_day = words[index].len() == 10 && words[index].matches('-').count() == 2;
        if is_day {
            words[index] = "DAY".to_owned();
            if let Some(time) = words.get_mut(index + 1) {
                *time = "TIME".to_owned();
            }
        }
    }
    words.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_started_it_may_cancel_and_go_on() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    // After the retry people are asked anew, beside the comment that stands.
    stage.expect_comments();
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let answer = stage.comment(number, "/cancel").by("carol").await;
    assert!(answer.contains("needs write permission"), "{answer}");
    assert_eq!(stage.comment(number, "/cancel").by("alice").await, "🚀");
    let cancelled = stage.concluded(number, "release", "cancelled").await;
    assert!(cancelled.summary.unwrap().contains("cancelled by alice"));
    let answer = stage.comment(number, "/cancel").by("alice").await;
    assert!(answer.contains("There is no open execution here"), "{answer}");
    assert_eq!(stage.comment(number, "/retry").by("alice").await, "🚀");
    stage.concluded(number, "release", "action_required").await;
    insta::assert_snapshot!(stage.history(number, "release"), @r"
    action_required
    cancelled
    action_required
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bots_words_and_quotations_are_left_alone() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let ignored = [
        stage.comment(number, "/lgtm\n/assign @bob").said_by("bob"),
        stage.comment(number, "> /approve leads\n\n    /approve leads\n\n```\n/approve leads\n```").said_by("bob"),
        stage.comment(number, "please /approve leads").said_by("bob"),
    ];
    // Deliveries of one pull request are handled in order: once this one is answered, those before it were read.
    let answer = stage.comment(number, "/status").by("carol").await;
    assert!(answer.contains("1 of 3 steps"), "{answer}");
    assert!(ignored.iter().all(|comment| stage.hub.reactions(*comment).is_empty()));
}

/// What GitHub says of the event is there when it runs, as validation says: names of the event itself, and those that
/// are said shorter.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_reads_the_event_that_started_it() {
    let greet = "
name: greet
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: words
    type: set
    values:
      who: '{{ trigger.payload.pull_request.user.login }} ({{ trigger.payload.sender }})'
      where: '{{ trigger.payload.repository.full_name }}, {{ trigger.payload.action }}'
      owner: '{{ trigger.payload.repository.owner.type | default(\"nobody\") }}'
outputs:
  words: '{{ steps.words.output }}'
";
    let stage = Stage::raise(&[("greet", greet)]).await;
    let number = stage.pull_request("chairs");
    let done = stage.concluded(number, "greet", "success").await;
    let summary = done.summary.unwrap();
    for part in ["alice (alice)", "octo-org/shop, opened", "Organization"] {
        assert!(summary.contains(part), "{part} in {summary}");
    }
}
