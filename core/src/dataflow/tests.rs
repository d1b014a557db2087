//! Ways of data, told as people would read them.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::dataflow::{Field, Flow, Origin, Owner, Part, Path, Source};
use crate::definition::repository::Repository;
use crate::validate::{Elsewhere, Options, Scope};

/// Ways of untrusted data into the fields of a process, `a.prompt <- trigger… -> …` a line.
fn ways(
    files: &[(&str, &str)],
    process: &str,
    wanted: &dyn Fn(&Source, crate::dataflow::Origins) -> bool,
) -> Vec<String> {
    let repository = Repository::read(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    for file in repository.files.values() {
        assert!(file.faults.is_empty() && file.structure.is_empty(), "{:?} {:?}", file.faults, file.structure);
    }
    let options = Options::default();
    let nothing = Elsewhere::default();
    let scope = Scope::beside(&repository, &options, &nothing, false);
    let scoped = scope.processes.iter().find(|one| one.process.header.name.as_str() == process).unwrap();
    let flow = scope.flow(scoped);
    let shown = |(index, field): (usize, &Field)| {
        let path = flow.path(&scoped.file.document, wanted, index)?;
        Some(format!("{} <- {}", named(flow, field), told(&path)))
    };
    flow.fields().iter().enumerate().filter_map(shown).collect()
}

fn named(flow: &Flow, field: &Field) -> String {
    let owner = match &field.owner {
        Owner::Step(step) => flow.step_id(*step).to_owned(),
        Owner::Output(name) => return format!("outputs.{name}"),
        Owner::Concurrency => "concurrency".to_owned(),
    };
    let entry = field.entry.as_ref().map(|entry| format!(".{entry}")).unwrap_or_default();
    let part = match field.part {
        Part::Whole => "",
        Part::Host => " (host)",
        Part::Rest => " (rest)",
    };
    format!("{owner}:{}{entry}{part}", field.key)
}

fn told(path: &Path) -> String {
    path.hops.iter().map(|hop| hop.reads.clone()).collect::<Vec<_>>().join(" -> ")
}

fn outsiders(_: &Source, origins: crate::dataflow::Origins) -> bool {
    origins.has(Origin::Outsider)
}

fn one(text: &str) -> Vec<String> {
    ways(&[(".flow/processes/story.yaml", text)], "story", &outsiders)
}

#[test]
fn titles_reach_prompts_calls_and_what_is_computed_from_them() {
    let found = one(r#"
name: story
version: 1
triggers: [{pull_request: {}}]
context: {greeting: hello}
steps:
  - id: name
    type: set
    values: {title: "{{ trigger.pull_request.title }}", number: "{{ trigger.pull_request.number }}"}
  - id: draft
    type: ai_generate
    depends_on: name
    model: mock
    prompt: "{{ context.greeting }} {{ steps.name.output.title }}"
    output_schema: {type: object}
  - id: send
    type: api_call
    depends_on: draft
    when: "{{ steps.name.output.title == 'x' }}"
    url: "https://example.com/{{ steps.name.output.number }}?q={{ steps.draft.output.text }}"
    headers: {x-number: "{{ steps.name.output.number }}"}
outputs:
  all: "{{ steps.name.output }}"
  why: "{{ steps.send.error.message | default('') }}"
  status: "{{ steps.draft.status }}"
"#);
    insta::assert_debug_snapshot!(found, @r#"
    [
        "name:values.title <- trigger.pull_request.title",
        "draft:prompt <- trigger.pull_request.title -> steps.name.output.title",
        "send:when <- trigger.pull_request.title -> steps.name.output.title",
        "send:url (rest) <- trigger.pull_request.title -> steps.name.output.title -> steps.draft.output.text",
        "outputs.all <- trigger.pull_request.title -> steps.name.output",
        "outputs.why <- trigger.pull_request.title -> steps.name.output.title -> steps.send.error.message",
    ]
    "#);
}

#[test]
fn the_host_of_an_address_is_told_apart() {
    let found = one(r#"
name: story
version: 1
triggers: [{pull_request: {}}]
steps:
  - {id: host, type: api_call, url: "https://{{ trigger.pull_request.head }}.example.com/a"}
  - {id: whole, type: api_call, url: "{{ trigger.payload.callback }}"}
  - {id: later, type: api_call, url: "https://{{ execution.repository }}/{{ trigger.pull_request.title }}"}
"#);
    insta::assert_debug_snapshot!(found, @r#"
    [
        "host:url (host) <- trigger.pull_request.head",
        "whole:url (host) <- trigger.payload.callback",
        "later:url (rest) <- trigger.pull_request.title",
    ]
    "#);
}

#[test]
fn items_and_results_of_foreach_carry_data() {
    let found = one(r#"
name: story
version: 1
triggers: [{pull_request: {}}]
steps:
  - id: each
    type: foreach
    items: "{{ trigger.pull_request.labels }}"
    as: label
    result: "{{ steps.word.output.text }}"
    steps:
      - {id: word, type: set, values: {text: "{{ label }}", place: "{{ index }}"}}
  - {id: after, type: set, depends_on: each, values: {all: "{{ steps.each.output }}"}}
"#);
    insta::assert_debug_snapshot!(found, @r#"
    [
        "each:items <- trigger.pull_request.labels",
        "each:result <- trigger.pull_request.labels -> label -> steps.word.output.text",
        "word:values.text <- trigger.pull_request.labels -> label",
        "after:values.all <- trigger.pull_request.labels -> label -> steps.word.output.text -> steps.each.output",
    ]
    "#);
}

const CHILD: &str = r#"
name: child
version: 1
triggers: []
inputs: {a: {type: string}, b: {type: string}}
steps:
  - {id: keep, type: set, values: {a: "{{ inputs.a | default('') }}", b: "{{ inputs.b | default('') }}"}}
  - {id: ask, type: agent_task, agent: helper, message: "{{ inputs.b | default('') }}"}
outputs:
  first: "{{ steps.keep.output.a }}"
  both: "{{ steps.keep.output }}"
"#;

#[test]
fn sub_processes_pass_on_what_their_outputs_read_and_their_steps_get_what_callers_give() {
    let parent = r#"
name: parent
version: 1
triggers: [{pull_request: {}}]
steps:
  - {id: call, type: process, process: child, inputs: {a: fixed, b: "{{ trigger.pull_request.title }}"}}
  - {id: after, type: set, depends_on: call, values: {first: "{{ steps.call.output.first }}", both: "{{ steps.call.output.both }}"}}
"#;
    let files = [(".flow/processes/child.yaml", CHILD), (".flow/processes/parent.yaml", parent)];
    let found = ways(&files, "parent", &outsiders);
    insta::assert_debug_snapshot!(found, @r#"
    [
        "call:inputs.b <- trigger.pull_request.title",
        "after:values.both <- trigger.pull_request.title -> steps.call.output.both",
    ]
    "#);
    let inside = ways(&files, "child", &outsiders);
    insta::assert_debug_snapshot!(inside, @r#"
    [
        "keep:values.b <- inputs.b",
        "ask:message <- inputs.b",
        "outputs.both <- inputs.b -> steps.keep.output",
    ]
    "#);
}

#[test]
fn people_break_the_chain_and_secrets_stay_in_calls() {
    let text = r#"
name: story
version: 1
triggers: [manual]
inputs: {size: {type: integer, required: true}, note: {type: string, required: true}}
steps:
  - {id: ask, type: form, description: "{{ inputs.note }}", fields: {why: {type: string, required: true}}}
  - {id: call, type: api_call, depends_on: ask, url: "https://example.com", headers: {authorization: "{{ secrets.TOKEN }}"}}
outputs:
  why: "{{ steps.ask.output.why }}"
  answer: "{{ steps.call.output.body }}"
"#;
    let files = [(".flow/processes/story.yaml", text)];
    let secrets = ways(&files, "story", &|source, _| matches!(source, Source::Secret(_)));
    assert_eq!(secrets, ["call:headers.authorization <- secrets.TOKEN"]);
    let repository = Repository::read(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
    let options = Options::default();
    let nothing = Elsewhere::default();
    let scope = Scope::beside(&repository, &options, &nothing, false);
    let flow = scope.flow(&scope.processes[0]);
    let origins: Vec<String> = flow
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| format!("{} {:?}", named(flow, field), flow.origins(at)))
        .collect();
    insta::assert_debug_snapshot!(origins, @r#"
    [
        "ask:description {Starter}",
        "call:headers.authorization {Secret}",
        "outputs.why {People}",
        "outputs.answer {Service}",
    ]
    "#);
}

#[test]
fn a_process_that_contains_itself_ends_and_nothing_is_known_of_what_it_gives() {
    let text = r#"
name: story
version: 1
triggers: [manual]
steps:
  - {id: again, type: process, process: story, inputs: {}}
outputs: {x: "{{ steps.again.output.x }}"}
"#;
    let files = [(".flow/processes/story.yaml", text)];
    assert_eq!(ways(&files, "story", &outsiders), ["outputs.x <- steps.again.output.x"]);
}
