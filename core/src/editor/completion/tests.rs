//! What is offered where, as a person at the keyboard meets it. `‸` is the cursor.

use super::{Completion, CompletionKind, completions};
use crate::editor::tests::Stage;

/// The labels that are offered, best first.
fn offered(stage: &Stage) -> Vec<String> {
    let mut found = completions(&stage.view(), stage.file(), stage.offset);
    found.sort_by_key(|one| one.rank);
    found.into_iter().map(|one| one.label).collect()
}

fn in_process(text: &str) -> Vec<String> {
    offered(&Stage::process(text))
}

fn one(stage: &Stage, label: &str) -> Completion {
    let found = completions(&stage.view(), stage.file(), stage.offset);
    found.into_iter().find(|one| one.label == label).unwrap_or_else(|| panic!("{label} is not offered"))
}

const RELEASE: &str = "\
name: release
version: 1
inputs:
  audience: {type: string, enum: [public, internal], default: public}
  notes: {type: string}
context:
  channel: stable
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Write
    output_schema: {type: object, required: [text, risk], properties: {text: {type: string}, risk: {type: integer}}}
  - id: review
    type: human_approval
    depends_on: [draft]
    approvers: {team: leads}
  - id: ship
    type: set
    depends_on: [review]
    values: {done: true}
";

#[test]
fn keys_of_a_new_file_begin_with_what_it_needs() {
    let keys = in_process("‸");
    assert_eq!(keys[..3], ["name", "version", "steps"]);
    let keys = in_process("name: release\n‸\nversion: 1\n");
    assert_eq!(keys[0], "steps");
    assert!(!keys.contains(&"name".to_owned()) && keys.contains(&"triggers".to_owned()));
}

#[test]
fn keys_of_a_step_are_those_of_its_type() {
    let text = "name: a\nversion: 1\nsteps:\n  - id: a\n    type: human_approval\n    ‸\n";
    let keys = in_process(text);
    assert!(keys.contains(&"approvers".to_owned()) && keys.contains(&"on_timeout".to_owned()), "{keys:?}");
    assert!(
        !keys.contains(&"id".to_owned()) && !keys.contains(&"model".to_owned()) && !keys.contains(&"url".to_owned())
    );
    // What is half typed does not hide itself, and what follows is known.
    let half = in_process("name: a\nversion: 1\nsteps:\n  - id: a\n    appr‸\n    type: human_approval\n");
    assert!(half.contains(&"approvers".to_owned()) && !half.contains(&"type".to_owned()), "{half:?}");
    let in_brackets = in_process("name: a\nversion: 1\nsteps:\n  - {id: a, type: gateway, ‸}\n");
    assert!(in_brackets.contains(&"branches".to_owned()) && !in_brackets.contains(&"id".to_owned()), "{in_brackets:?}");
    let without_type = in_process("name: a\nversion: 1\nsteps:\n  - id: a\n    ‸\n");
    assert_eq!(without_type[0], "type");
}

/// The release process with something typed at its end, and steps behind it.
fn typed(step: &str) -> String {
    format!("{RELEASE}{step}\n  - id: last\n    type: set\n    depends_on: [ship]\n    values: {{done: true}}\n")
}

#[test]
fn a_text_that_is_not_closed_yet_is_completed_like_one_that_is() {
    for (open, close) in [("\"", ""), ("'", ""), ("\"", " }}\"")] {
        let step = |value: &str| {
            format!("  - id: note\n    type: set\n    depends_on: [review]\n    values:\n      v: {open}{value}{close}")
        };
        let steps = in_process(&typed(&step("{{ steps.‸")));
        assert!(steps.contains(&"draft".to_owned()) && steps.contains(&"last".to_owned()), "{open}{close}: {steps:?}");
        assert_eq!(in_process(&typed(&step("{{ steps.draft.output.‸"))), ["text", "risk"], "{open}{close}");
        assert_eq!(in_process(&typed(&step("{{ inputs.‸")))[0], "audience", "{open}{close}");
        let filters = in_process(&typed(&step("{{ inputs.notes | ‸")));
        assert!(filters.contains(&"upper".to_owned()), "{open}{close}: {filters:?}");
    }
    let in_brackets = "  - {id: note, type: set, depends_on: [review], values: {v: \"{{ steps.draft.output.‸";
    assert_eq!(in_process(&typed(in_brackets)), ["text", "risk"]);
    let over_lines = "  - id: note\n    type: set\n    depends_on: [review]\n    values:\n      v: \"first\n        {{ steps.draft.output.‸";
    assert_eq!(in_process(&typed(over_lines)), ["text", "risk"]);
}

#[test]
fn a_step_without_an_id_is_completed_like_any_other() {
    for step in [
        "  - type: set\n    depends_on: [review]\n    values:\n      v: \"{{ steps.draft.output.‸ }}\"",
        "  - type: set\n    values: {v: \"{{ steps.draft.output.‸ }}\"}",
        "  - id:\n    type: set\n    depends_on: [review]\n    values: {v: \"{{ steps.draft.output.‸\"}",
        "  - values: {v: \"{{ steps.draft.output.‸ }}\"}",
    ] {
        assert_eq!(in_process(&typed(step)), ["text", "risk"], "{step}");
    }
    let keys = in_process(&typed("  - type: human_approval\n    ‸"));
    assert_eq!(keys[0], "id", "{keys:?}");
}

#[test]
fn a_key_comes_with_the_shape_of_its_value() {
    let stage = Stage::process("name: a\nversion: 1\nsteps:\n  - id: a\n    type: human_approval\n    ‸\n");
    let snippet = |label: &str| one(&stage, label).snippet.unwrap();
    assert_eq!(snippet("approvers"), "approvers:\n  $0");
    assert_eq!(snippet("on_timeout"), "on_timeout: ${1|fail,approve,escalate,continue,reject|}");
    assert_eq!(snippet("timeout"), "timeout: ${1:30s}");
    assert_eq!(snippet("reminders"), "reminders: [$0]");
    assert_eq!(snippet("escalate"), "escalate:\n  - $0");
    assert_eq!(snippet("allow_author"), "allow_author: ${1|true,false|}");
    assert_eq!(snippet("when"), "when: \"{{ $0 }}\"");
    assert_eq!(one(&stage, "approvers").text, "approvers: ");
    assert_eq!(one(&stage, "approvers").documentation.as_deref().unwrap(), "Who may approve, and how many.");
    // A key that has its colon is only named anew.
    let named = Stage::process("name: a\nversion: 1\nsteps:\n  - id: a\n    type: set\n    va‸: {x: 1}\n");
    let values = one(&named, "values");
    assert_eq!((values.text.as_str(), values.snippet), ("values", None));
}

#[test]
fn alternatives_are_told_apart_by_what_is_there() {
    let triggers = in_process("name: a\nversion: 1\ntriggers:\n  - ‸\n");
    for wanted in ["manual", "merge_group", "pull_request", "schedule"] {
        assert!(triggers.contains(&wanted.to_owned()), "{wanted}: {triggers:?}");
    }
    let pull_request = in_process("name: a\nversion: 1\ntriggers:\n  - pull_request: {actions: [labeled], ‸}\n");
    assert_eq!(pull_request, ["branches", "paths", "labels", "draft"]);
    let actions = in_process("name: a\nversion: 1\ntriggers:\n  - pull_request: {actions: [labeled, ‸\nsteps: []\n");
    assert!(actions.contains(&"opened".to_owned()) && !actions.contains(&"labeled".to_owned()), "{actions:?}");
    let cron = in_process("name: a\nversion: 1\ntriggers:\n  - schedule: {cron: ‸}\n");
    assert_eq!(cron, ["0 9 * * 1-5"]);
}

#[test]
fn values_are_the_words_that_a_key_takes() {
    let types = in_process("name: a\nversion: 1\nsteps:\n  - id: a\n    type: ‸\n");
    assert_eq!((types.len(), types[2].as_str()), (13, "human_approval"));
    assert_eq!(in_process("name: a\nstatus: ‸\n"), ["draft", "published", "archived"]);
    assert_eq!(in_process("name: ‸\n"), ["release"], "the file's name");
    let booleans = in_process("name: a\nsteps:\n  - {id: a, type: human_approval, allow_author: ‸}\n");
    assert_eq!(booleans, ["true", "false"]);
    let durations = in_process("name: a\nsteps:\n  - {id: a, type: set, timeout: ‸}\n");
    assert_eq!(durations, ["30s", "5m", "1h30m", "7d"]);
    let stage = Stage::process("name: a\nstatus:‸\n");
    assert_eq!(one(&stage, "draft").text, " draft", "right behind the colon");
}

#[test]
fn a_step_is_offered_only_where_it_closes_no_circle() {
    let at = |from: &str, to: &str| in_process(&RELEASE.replacen(from, to, 1));
    // `draft` comes before both others, which wait for it.
    assert_eq!(at("    model: mock\n", "    depends_on: [‸]\n    model: mock\n"), Vec::<String>::new());
    assert_eq!(at("depends_on: [review]", "depends_on: [review, ‸]"), ["draft"]);
    assert_eq!(at("depends_on: [review]", "depends_on: ‸"), ["draft", "review"]);
    let gateway = "  - id: route\n    type: gateway\n    depends_on: [draft]\n    branches:\n      - otherwise: true\n        to: [‸]\n";
    assert_eq!(in_process(&format!("{RELEASE}{gateway}")), ["review", "ship"]);
    let undo = "  - {id: undo, type: set, run_on: compensation, values: {x: 1}}\n  - {id: pay, type: set, compensate_with: ‸}\n";
    assert_eq!(in_process(&format!("{RELEASE}{undo}"))[0], "undo");
    // Steps inside and outside of a `foreach` cannot wait for each other.
    let body = "  - id: each\n    type: foreach\n    items: [1]\n    steps:\n      - {id: one, type: set, values: {x: 1}}\n      - {id: two, type: set, depends_on: [‸]}\n";
    assert_eq!(in_process(&format!("{RELEASE}{body}")), ["one"]);
}

#[test]
fn files_are_offered_by_the_names_that_others_use() {
    let files = [
        (".flow/agents/reviewer.yaml", "name: reviewer\ndescription: Looks at changes\nmodel: fast\n"),
        (
            ".flow/prompts/notes.md",
            "---\nvariables:\n  title: {type: string, required: true}\n  tone: {type: string}\n---\nHi {{ variables.title }}\n",
        ),
        (".flow/flow.yaml", "models: {fast: anthropic/claude}\n"),
        (".flow/schemas/notes.json", "{}"),
        (".flow/tools/jira.yaml", "name: jira\ntype: mcp\nurl: https://x\noperations: [search, create]\n"),
    ];
    let at = |text: &str| {
        let mut files = files.to_vec();
        let text = format!("name: release\nversion: 1\nsteps:\n  - id: a\n    {text}\n");
        files.push((".flow/processes/release.yaml", text.as_str()));
        offered(&Stage::new(&files))
    };
    assert_eq!(at("type: agent_task\n    agent: ‸"), ["reviewer"]);
    assert_eq!(at("type: agent_task\n    tools: [‸]"), ["jira"]);
    assert_eq!(at("type: ai_generate\n    template: ‸"), ["notes"]);
    assert_eq!(at("type: ai_generate\n    model: ‸"), ["fast", "mock"]);
    assert_eq!(at("type: ai_generate\n    output_schema: ‸"), ["notes.json"]);
    assert_eq!(at("type: mcp_call\n    tool: jira\n    operation: ‸"), ["search", "create"]);
    assert_eq!(at("type: ai_generate\n    template: notes\n    variables:\n      ‸"), ["title", "tone"]);
    assert_eq!(at("type: ai_generate\n    template: notes\n    variables: {title: x, ‸}"), ["tone"]);
    assert_eq!(at("type: process\n    process: ‸"), Vec::<String>::new(), "not itself");
}

#[test]
fn a_test_names_the_steps_of_its_process() {
    let test = |text: &str| {
        offered(&Stage::new(&[(".flow/processes/release.yaml", RELEASE), (".flow/tests/release.yaml", text)]))
    };
    assert_eq!(test("process: ‸\n"), ["release"]);
    let stubs = test("process: release\ncases:\n  - name: a\n    stubs:\n      draft: {output: 1}\n      ‸\n");
    assert_eq!(stubs, ["review", "ship"]);
    let path = test("process: release\ncases:\n  - name: a\n    expect: {path: [draft, ‸]}\n");
    assert_eq!(path, ["review", "ship"]);
    assert_eq!(test("process: release\ncases:\n  - name: a\n    inputs: {‸}\n"), ["audience", "notes"]);
}

#[test]
fn an_expression_offers_what_can_be_read_there() {
    let at = |expression: &str| in_process(&RELEASE.replacen("done: true", &format!("done: \"{{{{ {expression}‸"), 1));
    assert_eq!(at("")[..5], ["inputs", "steps", "trigger", "context", "execution"]);
    assert_eq!(at("inputs."), ["audience", "notes"]);
    assert_eq!(at("context.cha"), ["channel"]);
    assert_eq!(at("steps."), ["draft", "review"]);
    assert_eq!(at("steps.draft."), ["output", "status", "error", "attempts"]);
    assert_eq!(at("steps.draft.output."), ["text", "risk"]);
    assert_eq!(at("steps.review.output."), ["decision", "decisions"]);
    assert_eq!(at("trigger.pull_request.")[..2], ["number", "title"]);
    assert!(at("inputs.notes | de").contains(&"default".to_owned()));
    assert!(at("inputs.notes is ").contains(&"defined".to_owned()));
    assert!(at("inputs.notes ").contains(&"and".to_owned()));
    assert_eq!(at("'in a text "), Vec::<String>::new());
}

#[test]
fn the_words_of_an_enum_are_offered_where_it_is_compared() {
    let at = |expression: &str| {
        let text = "name: a\nversion: 1\ninputs:\n  size: {type: string, enum: [small, large], default: small}\n  note: {type: string}\nsteps:\n  - id: s\n    type: set\n";
        let stage = Stage::process(&format!("{text}    when: {expression}"));
        let all = completions(&stage.view(), stage.file(), stage.offset);
        all.into_iter().filter(|one| one.kind == CompletionKind::Choice).map(|one| one.text).collect::<Vec<_>>()
    };
    assert_eq!(at("\"{{ inputs.size == ‸ }}\""), ["'small'", "'large'"]);
    assert_eq!(at("'{{ inputs.size == ‸ }}'"), ["\"small\"", "\"large\""]);
    assert_eq!(at("\"{{ inputs.size != 'sm‸' }}\""), ["small", "large"]);
    assert_eq!(at("\"{{ inputs.size in ['small', ‸"), ["'small'", "'large'"]);
    assert_eq!(at("\"{{ inputs.size not in ['‸"), ["small", "large"]);
    assert_eq!(at("\"{{ inputs.note == ‸ }}\""), Vec::<String>::new());
    assert_eq!(at("\"{{ inputs.size ‸ }}\""), Vec::<String>::new());
}

#[test]
fn the_item_of_a_loop_is_offered_with_its_fields() {
    let at = |text: &str| {
        let stage = Stage::process(&format!(
            "name: a\nversion: 1\nsteps:\n  - id: s\n    type: ai_generate\n    model: mock\n    prompt: hi\n    output_schema: {{type: object, required: [list], properties: {{list: {{type: array, items: {{type: object, properties: {{title: {{type: string}}}}}}}}}}}}\n  - id: t\n    type: notify\n    depends_on: s\n    channel: comment\n    message: \"{text}\"\n"
        ));
        offered(&stage)
    };
    let list = "steps.s.output.list";
    assert_eq!(at(&format!("{{% for one in {list} %}}{{{{ one.‸ }}}}{{% endfor %}}")), ["title"]);
    assert_eq!(at(&format!("{{% for one in {list} | sort %}}{{{{ ‸ }}}}{{% endfor %}}"))[..1], ["one"]);
    assert_eq!(at(&format!("{{% for one in {list} %}}{{{{ loop.fi‸ }}}}{{% endfor %}}"))[2..3], ["first"]);
    assert!(!at(&format!("{{% for one in {list} %}}{{% endfor %}}{{{{ ‸ }}}}")).contains(&"one".to_owned()));
}

#[test]
fn a_step_that_has_not_run_by_then_comes_last_and_says_so() {
    let stage = Stage::process(&RELEASE.replacen("prompt: Write", "prompt: \"{{ steps.‸ }}\"", 1));
    let ship = one(&stage, "ship");
    assert_eq!((ship.rank, ship.detail.as_deref()), (90, Some("set, need not have run by then")));
    let at_the_end = in_process(&format!("{RELEASE}outputs:\n  x: \"{{{{ steps.‸ }}}}\"\n"));
    assert_eq!(at_the_end, ["draft", "review", "ship"]);
}

#[test]
fn the_items_of_a_foreach_have_their_name() {
    let body = "  - id: each\n    type: foreach\n    items: [1]\n    as: file\n    steps:\n      - {id: one, type: set, values: {x: \"{{ ‸ }}\"}}\n";
    let found = in_process(&format!("{RELEASE}{body}"));
    assert_eq!(found[0], "file");
    assert!(found.contains(&"index".to_owned()));
    let outside = body.replace("{{ ‸ }}", "x").replace("items: [1]", "items: \"{{ ‸ }}\"");
    assert!(!in_process(&format!("{RELEASE}{outside}")).contains(&"file".to_owned()));
}

#[test]
fn an_expression_in_a_folded_text_and_in_a_prompt() {
    let folded = RELEASE.replacen("prompt: Write", "prompt: >\n      About\n      {{ inputs.‸", 1);
    assert_eq!(in_process(&folded), ["audience", "notes"]);
    let prompt = "---\nvariables:\n  title: {type: string, description: A headline}\n---\nHi {{ variables.‸ }}\n";
    let stage = Stage::new(&[(".flow/prompts/notes.md", prompt)]);
    assert_eq!(offered(&stage), ["title"]);
    assert_eq!(one(&stage, "title").documentation.as_deref(), Some("A headline"));
    let front = "---\nvariables:\n  title:\n    ‸\n---\nHi\n";
    assert_eq!(offered(&Stage::new(&[(".flow/prompts/notes.md", front)]))[0], "type");
}

#[test]
fn codes_of_rules_in_a_suppression() {
    let codes = in_process("name: a\n# flowctl: ignore[FLOW0‸\nversion: 1\n");
    assert!(codes.contains(&"FLOW012".to_owned()));
    let stage = Stage::process("name: a\n# flowctl: ignore[FLOW0‸1] x\n");
    assert_eq!(stage.file().source.slice(one(&stage, "FLOW012").replace), "FLOW01");
    assert_eq!(in_process("name: a\n# fl‸\n"), ["flowctl: ignore[…]"]);
    assert_eq!(in_process("name: a\n# something els‸\n"), Vec::<String>::new());
}

#[test]
fn whole_steps_where_a_step_may_begin() {
    let stage = Stage::process("name: a\nversion: 1\nsteps:\n  - ‸\n");
    let step = one(&stage, "human_approval step").snippet.unwrap();
    assert_eq!(
        step,
        "id: ${1:human_approval}\n  type: human_approval\n  approvers: {role: ${2|write,maintain,admin|}}\n  timeout: ${3:3d}$0"
    );
    let with_dash = Stage::process("name: a\nversion: 1\nsteps:\n  - id: a\n    type: set\n    values: {x: 1}\n  ‸\n");
    assert!(one(&with_dash, "set step").snippet.unwrap().starts_with("- id: ${1:set}\n  type: set\n  values:"));
}

proptest::proptest! {
    #[test]
    fn no_place_in_a_broken_file_makes_it_panic(cut in 0usize..700, at in 0usize..700, junk in "[\\[{\"'|> :#-]{0,3}") {
        let mut text = RELEASE.to_owned();
        let cut = text.floor_char_boundary(cut.min(text.len()));
        text.insert_str(cut, &junk);
        let at = text.floor_char_boundary(at.min(text.len()));
        text.insert(at, '‸');
        let stage = Stage::process(&text);
        for one in completions(&stage.view(), stage.file(), stage.offset) {
            proptest::prop_assert!(stage.file().source.text().get(one.replace.range()).is_some());
            proptest::prop_assert!(!stage.file().source.slice(one.replace).contains('\n'));
        }
    }
}

#[test]
fn a_hostile_file_is_answered_in_time() {
    // Quadratic work over any of these would take minutes.
    let steps: String =
        (0..20_000).map(|n| format!("  - {{id: s{n}, type: set, depends_on: [s{}]}}\n", n.max(1) - 1)).collect();
    let many = format!("name: a\nsteps:\n{steps}  - {{id: last, type: set, depends_on: [‸]}}\n");
    assert_eq!(in_process(&many).len(), 20_000);
    let quoted: String = (0..50_000).map(|n| format!("\"k{n}\": \"v\n")).collect();
    in_process(&format!("{quoted}‸"));
    in_process(&format!("a: {}‸", "[".repeat(100_000)));
    in_process(&format!("a: {}‸", "{b: ".repeat(50_000)));
    let deep: String = (0..1_000).map(|n| format!("{}k:\n", " ".repeat(n))).collect();
    in_process(&format!("{deep}‸"));
    in_process(&format!("name: a\noutputs:\n  x: \"{{{{ {}‸", "inputs.".repeat(20_000)));
}
