//! Who is told what: receivers as written, channels of `flow.yaml`, and what the rules of a process ask for.

use super::*;
use crate::execution::notice::notices;
use crate::expression::SecretPart;

const CHANNELS: &str = "
channels:
  pager: {type: webhook, to: 'https://pager.example/{{ secrets.PLACE }}', secret: '{{ secrets.KEY }}'}
  team: {type: email, to: 'team@example.com, press@example.com'}
";

fn world(process: &str, inputs: Value) -> (Plan, Execution, Vec<Event>) {
    let repository = Repository::read([
        (".flow/processes/story.yaml".to_owned(), format!("name: story\nversion: 1\n{process}")),
        (".flow/flow.yaml".to_owned(), CHANNELS.to_owned()),
    ]);
    let plan = repository.plan("story").unwrap().unwrap();
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let (mut execution, created) = create(&plan, new_execution(inputs), now).unwrap();
    let mut events = vec![created];
    let started = decide(&plan, &execution, Signal::Start, now).unwrap();
    started.iter().for_each(|event| execution.apply(event));
    events.extend(started);
    (plan, execution, events)
}

fn step(to: &str, channel: &str, inputs: Value) -> StepState {
    let process = format!(
        "inputs: {{to: {{type: list, default: []}}}}\nsteps:\n- {{id: tell, type: notify, channel: {channel}, to: {to}, message: hello}}\n"
    );
    world(&process, inputs).1.steps["tell"].clone()
}

#[test]
fn a_channel_of_the_settings_brings_its_address_and_its_secret() {
    let told = step("pager", "webhook", json!({}));
    assert_eq!(told.input["receivers"], json!([{"to": "https://pager.example/***", "secret": "***"}]));
    let pointers: Vec<&str> = told.secret_texts.iter().map(|text| text.pointer.as_str()).collect();
    assert_eq!(pointers, ["/receivers/0/to", "/receivers/0/secret"]);
    assert_eq!(told.secret_texts[1].parts, [SecretPart::Secret("KEY".to_owned())]);
    // A channel of another kind is none of this one's.
    assert_eq!(step("pager", "email", json!({})).input["receivers"], json!([{"to": "pager"}]));
    let mixed = step("[team, ann@example.com]", "email", json!({}));
    let expected = json!([{"to": "team@example.com, press@example.com"}, {"to": "ann@example.com"}]);
    assert_eq!(mixed.input["receivers"], expected);
}

#[test]
fn what_data_names_is_looked_up_and_never_evaluated() {
    let told = step("'{{ inputs.to }}'", "webhook", json!({"to": ["{{ secrets.KEY }}", "pager"]}));
    assert_eq!(told.input["receivers"][0], json!({"to": "{{ secrets.KEY }}"}));
    assert_eq!(told.input["receivers"][1], json!({"to": "https://pager.example/***", "secret": "***"}));
    assert_eq!(told.secret_texts.len(), 2);
    let many = step("'{{ inputs.to }}'", "email", json!({"to": vec!["a@b.c"; 101]}));
    assert_eq!(many.error.unwrap().message, "`to` names 101 receivers; at most 100 are told");
    let wrong = step("'{{ inputs.to }}'", "email", json!({"to": [7]}));
    assert_eq!(wrong.error.unwrap().message, "`to` names 7, which is no receiver");
}

#[test]
fn a_message_that_does_not_arrive_is_sent_three_times() {
    let mut world = World::start("- {id: tell, type: notify, channel: email, to: a@b.example, message: hello}");
    let failed = || Err(StepError::new(crate::definition::ErrorClass::ServerError, "no"));
    for _ in 0..2 {
        world.ends("tell", failed());
        assert_eq!(world.status("tell"), "waiting");
        world.passes(10);
    }
    world.ends("tell", failed());
    assert_eq!(world.picture(), "failed | tell:failed");
    assert_eq!(world.execution.steps["tell"].attempt, 3);
}

#[test]
fn a_comment_goes_to_the_issue_of_its_execution() {
    let (_, execution, _) = world("steps:\n- {id: tell, type: notify, channel: comment, message: hello}\n", json!({}));
    let expected = json!({"message": "hello", "channel": "comment", "receivers": [], "issue": 7});
    assert_eq!(execution.steps["tell"].input, expected);
}

#[test]
fn rules_ask_for_a_notice_of_each_occasion_once() {
    let (plan, mut execution, mut events) = world(
        "
inputs: {who: {type: string, default: ann}}
notify:
  - {on: [started, completed, failed], channel: webhook, to: pager}
  - {on: [approval_requested, form_requested], channel: email, to: '{{ inputs.who }}@example.com'}
  - {on: [cancelled], channel: comment}
steps:
- {id: sign, type: human_approval, approvers: {users: [ann]}}
- {id: fill, type: form, fields: {text: {type: string}}}
",
        json!({}),
    );
    let told = |after: &Execution, events: &[Event]| {
        let notices = notices(&plan, after, events).into_iter().map(Result::unwrap);
        notices
            .map(|it| format!("{:?} {} {}", it.occasion, it.step.unwrap_or_default(), it.receivers))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(&execution, &events),
        [
            r#"Started  [{"to":"https://pager.example/***","secret":"***"}]"#,
            r#"ApprovalRequested sign [{"to":"ann@example.com"}]"#,
            r#"FormRequested fill [{"to":"ann@example.com"}]"#,
        ]
    );
    let keys: Vec<String> = notices(&plan, &execution, &events).into_iter().map(|it| it.unwrap().key).collect();
    assert_eq!(keys[1], format!("{}/notify/1/ApprovalRequested/sign/1", execution.id));
    let cancel = Signal::Cancel { actor: None, reason: "enough".to_owned() };
    events = decide(&plan, &execution, cancel, execution.created_at).unwrap();
    events.iter().for_each(|event| execution.apply(event));
    assert_eq!(told(&execution, &events), ["Cancelled  []"]);
}

#[test]
fn who_was_told_of_a_request_is_told_when_others_are_asked_and_when_people_are_reminded() {
    let told = |rules: &str| {
        let process = format!(
            "notify:\n{rules}steps:\n- {{id: sign, type: human_approval, title: 'Sign?', timeout: 4h, reminders: [1h], \
             approvers: {{users: [alice]}}, escalate: [{{after: 2h, to: {{users: [bob]}}}}]}}\n"
        );
        let (plan, mut execution, _) = world(&process, json!({}));
        let mut told = Vec::new();
        for at in ["2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z"] {
            let events = decide(&plan, &execution, Signal::Wake, at.parse().unwrap()).unwrap();
            events.iter().for_each(|event| execution.apply(event));
            for notice in notices(&plan, &execution, &events) {
                let notice = notice.unwrap();
                let to = notice.receivers[0]["to"].as_str().unwrap().to_owned();
                told.push(format!("{:?} {to} {}", notice.occasion, notice.step.unwrap()));
            }
        }
        told
    };
    let requests = "- {on: [approval_requested], channel: email, to: asked@example.com}\n";
    assert_eq!(told(requests), ["ApprovalReminded asked@example.com sign", "ApprovalEscalated asked@example.com sign"]);
    let named = format!("{requests}- {{on: [approval_escalated], channel: email, to: boss@example.com}}\n");
    assert_eq!(told(&named), ["ApprovalReminded asked@example.com sign", "ApprovalEscalated boss@example.com sign"]);
    assert_eq!(told("- {on: [completed], channel: email, to: a@example.com}\n"), [""; 0]);
}
