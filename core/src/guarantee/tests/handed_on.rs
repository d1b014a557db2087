//! Data that a process is given by another one that runs it.

use super::stories::told;

/// What is said of a process that a timetable starts and that publishes its input, beside others.
fn published(others: &[&str]) -> String {
    let child = "name: publish\nversion: 1\ntriggers: [{schedule: {cron: '0 3 * * *'}}]\ninputs: {text: {type: string, default: none}, other: {type: string, default: none}}\nguarantees: [{no_data_from: trigger, to: [send]}]\nsteps:\n- {id: send, type: api_call, method: POST, url: https://example.com, body_text: '{{ inputs.text }}'}\n";
    let names = ["processes/a.yaml", "processes/b.yaml", "processes/c.yaml"];
    let mut files = vec![("processes/publish.yaml", child)];
    files.extend(names.into_iter().zip(others.iter().copied()));
    told(&files).remove(0)
}

/// A process that a pull request starts and that runs `publish` with these inputs, behind these steps.
fn caller(name: &str, steps: &str, call: &str) -> String {
    format!(
        "name: {name}\nversion: 1\ntriggers: [{{pull_request: {{}}}}]\nsteps:\n{steps}- {{id: run, type: process, {call}}}\n"
    )
}

#[test]
fn what_another_process_hands_on_from_its_trigger_is_of_the_trigger() {
    let title = "process: publish, inputs: {text: '{{ trigger.pull_request.title }}'}";
    assert_eq!(published(&[]), "idle: nothing of `trigger` is read anywhere");
    insta::assert_debug_snapshot!(
        [
            published(&[&caller("a", "", title)]),
            published(&[&caller("a", "- {id: fixed, type: set, values: {t: hello}}\n", "depends_on: fixed, process: publish, inputs: {text: '{{ steps.fixed.output.t }}'}")]),
            published(&[&caller("a", "", "process: publish, inputs: {other: '{{ trigger.pull_request.title }}'}")]),
            published(&[&caller("a", "- {id: draft, type: ai_generate, model: mock, prompt: '{{ trigger.pull_request.title }}', output_schema: {type: object}}\n", "depends_on: draft, process: publish, inputs: {text: '{{ steps.draft.output }}'}")]),
        ],
        @r#"
        [
            "fails: the trigger of `a` → `inputs.text` → `send` reads `inputs.text` in `body_text` | do not read `inputs.text` in `send`, or allow it with `unless: {reviewed_by: …}`",
            "idle: nothing of `trigger` is read anywhere",
            "idle: nothing of `trigger` is read anywhere",
            "fails: the trigger of `a` → `inputs.text` → `send` reads `inputs.text` in `body_text` | do not read `inputs.text` in `send`, or allow it with `unless: {reviewed_by: …}`",
        ]
        "#,
    );
}

#[test]
fn what_comes_through_several_processes_is_of_the_trigger_too() {
    let outer = caller("a", "", "process: b, inputs: {text: '{{ trigger.pull_request.title }}'}");
    let inner = "name: b\nversion: 1\ntriggers: [push: {}]\ninputs: {text: {type: string, default: none}}\nsteps:\n- {id: run, type: process, process: publish, inputs: {text: '{{ inputs.text }}'}}\n";
    assert_eq!(published(&[inner]), "idle: nothing of `trigger` is read anywhere");
    insta::assert_snapshot!(published(&[&outer, inner]), @"fails: the trigger of `b` → `inputs.text` → `send` reads `inputs.text` in `body_text` | do not read `inputs.text` in `send`, or allow it with `unless: {reviewed_by: …}`");
}
