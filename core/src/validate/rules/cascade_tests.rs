//! What follows from a mistake is not told as another one, and what is told can be done.

use crate::definition::repository::Repository;
use crate::validate::{Finding, Options, validate};

fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
    let files = files.iter().map(|(path, text)| (format!(".flow/{path}"), (*text).to_owned()));
    let options = Options { performed_only: false, ..Options::default() };
    validate(&Repository::read(files), &options).findings
}

/// Code, text and help of each finding in a process of these lines.
fn told(lines: &str) -> String {
    let text = format!("name: a\nversion: 1\n{lines}");
    let found = findings(&[("processes/a.yaml", &text)]);
    let line = |one: &Finding| {
        let place = text.get(one.span.range()).unwrap_or_default();
        format!("{} `{place}` {}: {}", one.code, one.message, one.help.as_deref().unwrap_or("-"))
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

const SET: &str = "steps:\n  - {id: s, type: set, values: {x: 1}}\n";

#[test]
fn a_default_beside_limits_that_contradict_each_other_is_not_told() {
    let fields = |limits: &str| {
        format!("inputs:\n  n: {{{limits}}}\nsteps:\n  - {{id: s, type: set, values: {{x: \"{{{{ inputs.n }}}}\"}}}}\n")
    };
    insta::assert_snapshot!(told(&fields("type: integer, minimum: 9, maximum: 3, default: 5")), @r#"
    FLOW021 `9` `minimum` is above `maximum`: no value fits: -
    "#);
    insta::assert_snapshot!(told(&fields("type: integer, minimum: 9, maximum: 3, enum: [5], required: true")), @r#"
    FLOW021 `9` `minimum` is above `maximum`: no value fits: -
    "#);
}

#[test]
fn a_misspelt_compensation_leaves_the_one_that_was_meant_alone() {
    insta::assert_snapshot!(told(
        "steps:\n  - {id: s, type: set, values: {x: 1}, compensate_with: undo_}\n  - {id: undo, type: set, run_on: compensation, values: {x: 1}}\n"
    ), @r#"
    FLOW107 `undo_` step `s` is undone by `undo_`, which does not exist: did you mean `undo`?
    "#);
}

#[test]
fn what_a_condition_without_braces_reads_is_used() {
    insta::assert_snapshot!(told(
        "inputs: {x: {type: boolean, default: true}}\nsteps:\n  - {id: s, type: set, when: not inputs.x, values: {x: 1}}\n"
    ), @r#"
    FLOW206 `not inputs.x` a condition must be true or false, this is a bare text: put it into braces and quotes, as in `"{{ inputs.urgent }}"`
    "#);
}

#[test]
fn the_fix_of_a_condition_leaves_a_sound_file_or_is_not_offered() {
    for (when, is_offered) in [
        ("inputs.urgent", true),
        ("not inputs.urgent", true),
        ("inputs.people | length > 0", true),
        ("steps.r.output.x == 1", true),
        ("'${{ inputs.urgent }}'", true),
        ("inputs.people", false),
        ("inputs.people and inputs.urgent", false),
        ("inputs.urgnt", false),
        ("always", false),
        ("inputs.urgent ==", false),
        ("steps.s.output.x == 1", false),
        ("steps.other.output.x == 1", false),
        ("'${{ inputs.people }}'", false),
        ("'${{ inputs.urgent }} and {{ inputs.urgent }}'", false),
    ] {
        let text = format!(
            "name: a\nversion: 1\ninputs:\n  urgent: {{type: boolean, default: true}}\n  people: {{type: list, items: {{type: string}}, default: []}}\nsteps:\n  - {{id: r, type: set, values: {{x: 1, y: '{{{{ inputs.people }}}}', z: '{{{{ inputs.urgent }}}}'}}}}\n  - {{id: other, type: set, values: {{x: 1}}}}\n  - id: s\n    type: set\n    depends_on: r\n    when: {when}\n    values: {{x: 1}}\n"
        );
        let found = findings(&[("processes/a.yaml", &text)]);
        let told = found.iter().find(|one| one.code == "FLOW206").map(|one| one.fix.as_ref());
        assert_eq!(told.map(|fix| fix.is_some()), Some(is_offered), "{when}: {found:?}");
        if let Some(fix) = told.flatten() {
            let mut mended = text.clone();
            fix.edits.iter().rev().for_each(|edit| mended.replace_range(edit.span.range(), &edit.text));
            assert_eq!(findings(&[("processes/a.yaml", &mended)]), [], "{when}");
        }
    }
}

#[test]
fn a_prompt_that_reads_what_it_cannot_is_not_told_of_what_it_does_not_read() {
    let process = "name: a\nversion: 1\ninputs: {x: {type: string, default: q}}\nsteps:\n  - {id: s, type: ai_generate, model: mock, template: p, variables: {v: \"{{ inputs.x }}\"}, output_schema: {type: string}}\n";
    let prompt = "---\nvariables:\n  v: {type: string}\n---\nHello {{ inputs.x }}\n";
    let found = findings(&[("processes/a.yaml", process), ("prompts/p.md", prompt)]);
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["FLOW202"]);
}

#[test]
fn what_a_broken_schema_was_to_say_is_unknown() {
    for schema in ["{type: object, required: a, properties: {a: {type: string}}}", "{type: object, properties: [a]}"] {
        let found = told(&format!(
            "steps:\n  - {{id: s, type: ai_generate, model: mock, prompt: hi, output_schema: {schema}}}\n  - {{id: t, type: set, depends_on: s, values: {{x: \"{{{{ steps.s.output.a }}}}\"}}}}\n"
        ));
        assert!(found.starts_with("FLOW403") && found.lines().count() == 1, "{found}");
    }
}

#[test]
fn keys_that_were_not_indented_are_told_at_the_key_above() {
    insta::assert_snapshot!(told("steps:\n  - id: s\n    type: set\n    values:\n    x: 1\n    y: 2\n"), @r#"
    FLOW013 `values` expected a mapping, found nothing: indent the lines below that belong to it
    "#);
}

#[test]
fn an_edge_that_is_missing_before_a_gateway_is_told_there() {
    insta::assert_snapshot!(told(
        "steps:\n  - {id: s, type: api_call, url: 'https://example.com'}\n  - id: g\n    type: gateway\n    branches:\n      - {when: '{{ steps.s.output.status == 200 }}', to: [t]}\n      - {otherwise: true, to: [u]}\n  - {id: t, type: set, values: {x: '{{ steps.s.output.status }}'}}\n  - {id: u, type: set, values: {x: '{{ steps.s.output.status }}'}}\n"
    ), @r#"
    FLOW204 `s` step `s` need not have ended when `g` runs: add `s` to `depends_on` of `g`
    "#);
}

#[test]
fn a_branch_that_is_missing_is_told_where_its_step_reads_too_early() {
    insta::assert_snapshot!(told(
        "steps:\n  - {id: s, type: api_call, url: 'https://example.com'}\n  - id: g\n    type: gateway\n    depends_on: s\n    branches:\n      - {when: '{{ steps.s.output.status == 200 }}', to: [t]}\n  - {id: t, type: set, values: {x: 1}}\n  - {id: u, type: set, values: {x: '{{ steps.s.output.status }}'}}\n"
    ), @r#"
    FLOW204 `s` step `s` need not have ended when `u` runs: lead a branch of gateway `g` to `u`, or add `s` to `depends_on` of `u`
    "#);
}

#[test]
fn a_compensation_is_not_told_to_wait() {
    insta::assert_snapshot!(told(
        "steps:\n  - {id: s, type: api_call, url: 'https://example.com', compensate_with: undo}\n  - {id: t, type: api_call, depends_on: s, url: 'https://example.com'}\n  - {id: undo, type: api_call, run_on: compensation, url: 'https://example.com', body: {a: '{{ steps.t.output.status }}'}}\n"
    ), @r#"
    FLOW204 `t` step `t` need not have ended when `undo` runs: a compensation reads only what it undoes, here `s`, and the steps before that
    "#);
}

#[test]
fn a_dash_without_its_blank_is_told_where_it_stands() {
    insta::assert_snapshot!(told("steps:\n  -id: s\n    type: set\n    values: {x: 1}\n"), @r#"
    FLOW001 `-` a blank is missing after the dash: write `- ` before the first key of the item
    "#);
    insta::assert_snapshot!(told(&format!("{SET}  -id: t\n    type: set\n    values: {{x: 1}}\n")), @r#"
    FLOW001 `-` a blank is missing after the dash: write `- ` before the first key of the item
    "#);
}

#[test]
fn one_entry_without_its_list_is_told_how_to_be_written() {
    insta::assert_snapshot!(told(&format!("triggers: manual\n{SET}")), @r#"
    FLOW013 `manual` expected a list, found the text `manual`: write `[manual]`
    "#);
    insta::assert_snapshot!(told(&format!("triggers: {{comment: /go}}\n{SET}")), @r#"
    FLOW013 `{comment: /go}` expected a list, found a mapping: begin each entry with `- `
    "#);
    insta::assert_snapshot!(told("steps:\n  - {id: s, type: human_approval, title: t, approvers: platform}\n"), @r#"
    FLOW013 `platform` expected a mapping, found the text `platform`: write for example `{team: leads}`
    "#);
    insta::assert_snapshot!(told("steps:\n  - {id: s, type: human_approval, title: t, approvers: {users: ann}}\n"), @r#"
    FLOW013 `ann` expected a list, found the text `ann`: write `[ann]`
    "#);
}

#[test]
fn one_of_some_words_is_told_not_to_be_computed() {
    insta::assert_snapshot!(told(
        "inputs: {p: {type: string, default: low}}\nsteps:\n  - {id: s, type: human_approval, title: t, approvers: {users: [ann]}, priority: '{{ inputs.p }}'}\n"
    ), @r#"
    FLOW014 `{{ inputs.p }}` `{{ inputs.p }}` is none of the allowed values: it cannot be computed; write `low`, `normal`, `high` or `urgent`
    "#);
}

#[test]
fn what_people_write_who_come_from_github_actions_is_understood() {
    let when = |when: &str| {
        told(&format!(
            "inputs: {{x: {{type: boolean, default: true}}}}\nsteps:\n  - {{id: s, type: set, when: '{when}', values: {{x: 1}}}}\n"
        ))
    };
    insta::assert_snapshot!(when("{{ !inputs.x }}"), @r#"
    FLOW201 `!` `!` has no meaning here: write `not`
    "#);
    insta::assert_snapshot!(when("{{ inputs.x && inputs.x }}"), @r#"
    FLOW201 `&&` `&&` has no meaning here: write `and`
    "#);
    insta::assert_snapshot!(when("{{ inputs.x || inputs.x }}"), @r#"
    FLOW201 `||` `||` has no meaning here: write `or`
    "#);
    insta::assert_snapshot!(when("${{ inputs.x }}"), @r#"
    FLOW206 `${{ inputs.x }}` text around an expression makes a text of it, and a text is no condition: write `{{ inputs.x }}`, without the `$`
    "#);
    insta::assert_snapshot!(told(
        "steps:\n  - {id: r, type: set, values: {x: 1}}\n  - {id: s, type: set, needs: r, if: '{{ steps.r.output.x == 1 }}', values: {x: \"{{ steps.r.output.x }}\"}}\n"
    ), @r#"
    FLOW010 `needs` unknown key `needs`: did you mean `depends_on`?
    FLOW010 `if` unknown key `if`: did you mean `when`?
    "#);
}

#[test]
fn who_is_told_of_a_process_is_computed_from_names_that_exist() {
    let notify = |to: &str| {
        told(&format!(
            "inputs: {{team: {{type: string, default: leads}}}}\nnotify:\n  - {{on: [completed], channel: slack, to: '{to}'}}\n{SET}"
        ))
    };
    insta::assert_snapshot!(notify("{{ inputs.team }}"), @"");
    insta::assert_snapshot!(notify("{{ inputs.tem }}"), @r#"
    FLOW202 `tem` `inputs` has no field `tem`: did you mean `team`?
    "#);
    insta::assert_snapshot!(notify("{{ input.team }}"), @r#"
    FLOW202 `input` there is no `input` to read here: did you mean `inputs`?
    "#);
    insta::assert_snapshot!(notify("{{ steps.t.output.x }}{{ inputs.team }}"), @r#"
    FLOW203 `t` there is no step `t`: there is `s`
    "#);
}

#[test]
fn a_team_of_a_test_is_not_renamed_to_one_that_is_there() {
    let process =
        "name: a\nversion: 1\nsteps:\n  - {id: s, type: human_approval, title: t, approvers: {team: leads}}\n";
    let test = "process: a\npeople: {users: {ann: write}, teams: {leads: [ann], leeds: [ann]}}\ncases:\n  - name: one\n    decisions: [{by: ann, step: s, decision: approve}]\n    expect: {status: completed}\n";
    let found = findings(&[("processes/a.yaml", process), ("tests/a.yaml", test)]);
    let told: Vec<(&str, bool)> = found.iter().map(|one| (one.code, one.fix.is_some())).collect();
    assert_eq!(told, [("FLOW421", false)]);
}
