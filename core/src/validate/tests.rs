//! Rules against their own examples, and properties of all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::*;
use crate::definition::repository::{File, Form, Repository};
use crate::definition::workflows::Workflows;

fn read(example: &str) -> Repository {
    let mut repository = Repository::default();
    for file in examples(example).into_iter().filter(|file| file.path.starts_with(".flow/")) {
        repository.insert(match file.path.split_once(" -> ") {
            Some((path, _)) => File::irregular(path, Form::Link),
            None => File::read(&file.path, &file.text),
        });
    }
    repository
}

/// What rules that look beyond the definitions need, for their examples.
fn look(rule: &Rule, example: &str) -> Report {
    let before = read(
        "# .flow/processes/hello.yaml\nname: hello\nversion: 3\nsteps:\n  - id: note\n    type: set\n    values: {text: hello}\n",
    );
    let mut workflows = Workflows::default();
    workflows.add("release.yml", None);
    for file in examples(example) {
        if let Some(name) = file.path.strip_prefix(".github/workflows/") {
            workflows.add(name, Some(file.text));
        }
    }
    let options = Options {
        // Examples may use the whole language; only the rule about that looks at what is performed.
        performed_only: rule.name == "not-performed-yet",
        base: (rule.name == "version-not-raised").then_some(&before),
        workflow_files: Some(&workflows),
        is_whole: rule.name == "unused-file",
        prices: None,
    };
    validate(&read(example), &options)
}

fn shown(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let (start, end) = (finding.range.start, finding.range.end);
        let _ = writeln!(
            text,
            "{}:{}:{}-{}:{} {} {} {}",
            finding.path,
            start.line,
            start.column,
            end.line,
            end.column,
            finding.severity,
            finding.code,
            finding.message
        );
    }
    text
}

#[test]
fn codes_and_names_are_unique_and_sorted() {
    let codes: Vec<&str> = rules::RULES.iter().map(|rule| rule.code).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted);
    let names: BTreeSet<&str> = rules::RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), codes.len());
    for rule in rules::RULES {
        assert!(rule.code.len() == 7 && rule.code.starts_with("FLOW"), "{}", rule.code);
        assert!(!rule.summary.ends_with('.'), "{}", rule.code);
    }
}

#[test]
fn each_wrong_example_has_exactly_that_finding_and_each_right_one_none() {
    let mut faults = String::new();
    for rule in rules::RULES {
        let report = look(rule, rule.wrong);
        if report.findings.iter().map(|finding| finding.code).collect::<Vec<_>>() != [rule.code] {
            let _ = writeln!(faults, "{} wrong example:\n{}", rule.code, shown(&report));
        }
        let report = look(rule, rule.right);
        if !report.findings.is_empty() {
            let _ = writeln!(faults, "{} right example:\n{}", rule.code, shown(&report));
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn the_pages_of_the_rules_are_what_the_rules_say() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules");
    let pages: BTreeMap<String, String> = documentation().into_iter().collect();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(folder).unwrap();
        for (name, text) in &pages {
            std::fs::write(format!("{folder}/{name}"), text).unwrap();
        }
    }
    for (name, text) in &pages {
        let checked_in = std::fs::read_to_string(format!("{folder}/{name}")).unwrap_or_default();
        assert!(&checked_in == text, "docs/rules/{name} is stale: run this test with UPDATE_DOCS=1");
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(pages.contains_key(&name), "docs/rules/{name} belongs to no rule");
    }
}

/// A small repository: a process with these steps, and whatever else.
fn findings(steps: &str) -> String {
    let example = format!("# .flow/processes/hello.yaml\nname: hello\nversion: 1\n{steps}");
    let options = Options { performed_only: false, ..Options::default() };
    let report = validate(&read(&example), &options);
    let repository = read(&example);
    let mut text = String::new();
    for finding in &report.findings {
        let file = &repository.files[finding.path.as_str()];
        let _ = writeln!(text, "{} `{}` {}", finding.name, file.source.slice(finding.span), finding.message);
    }
    text
}

/// The findings about one expression, in a step after steps of every kind.
fn reading(expression: &str) -> String {
    findings(&format!(
        "inputs:
  who: {{type: string, required: true}}
  maybe: {{type: string}}
  people: {{type: list, items: {{type: object}}, default: []}}
context:
  nested: {{a: {{b: 1}}, list: [{{x: 1}}]}}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Hi {{{{ context.nested }}}} {{{{ inputs.who }}}} {{{{ inputs.maybe | default('') }}}} {{{{ inputs.people }}}}
    output_schema:
      type: object
      required: [open, closed, items, any, ref]
      properties:
        open: {{type: object, properties: {{a: {{type: string}}}}, additionalProperties: true}}
        closed: {{type: object, required: [a], properties: {{a: {{type: string}}, b: {{type: integer}}}}}}
        items: {{type: array, items: {{type: object, required: [x], properties: {{x: {{type: number}}}}}}}}
        any: {{}}
        ref: {{$ref: '#/$defs/thing'}}
        nullable: {{type: [string, 'null']}}
      $defs: {{thing: {{type: object, required: [y], properties: {{y: {{type: boolean}}, again: {{$ref: '#/$defs/thing'}}}}}}}}
  - {{id: fetch, type: api_call, url: https://a.example, depends_on: draft}}
  - {{id: pause, type: wait, for: 1s, depends_on: fetch}}
  - id: review
    type: human_approval
    approvers: {{team: leads}}
    depends_on: pause
  - id: route
    type: gateway
    depends_on: review
    branches: [{{otherwise: true, to: [note]}}]
  - id: each
    type: foreach
    items: '{{{{ inputs.people }}}}'
    depends_on: review
    steps:
      - {{id: inner, type: set, values: {{a: '{{{{ item.name }}}} {{{{ index }}}}'}}}}
  - id: note
    type: set
    depends_on: [each]
    values: {{text: \"{expression}\"}}
"
    ))
}

#[test]
fn what_expressions_read() {
    let mut text = String::new();
    for expression in [
        "{{ steps.draft.output.open.b }}",
        "{{ steps.draft.output.closed.b }}",
        "{{ steps.draft.output.closed.b | default(1) }}",
        "{{ steps.draft.output.closed.c | default(1) }}",
        "{{ steps.draft.output.closed.a.length }}",
        "{{ steps.draft.output['closed'].a }} {{ steps.draft.output['clsed'].a }}",
        "{{ steps.draft.output.items[0].x }} {{ steps.draft.output.items[0].y }}",
        "{{ steps.draft.output.items.x }}",
        "{{ steps.draft.output.any.thing.deep }}",
        "{{ steps.draft.output.ref.again.again.y | default(true) }} {{ steps.draft.output.ref.z }}",
        "{{ steps.draft.output.nullable | default('') }}",
        "{{ steps.draft.outputs }}",
        "{{ steps.fetch.output.status }} {{ steps.fetch.output.body.whatever }} {{ steps.fetch.output.headers.etag }}",
        "{{ steps.fetch.output.code }}",
        "{{ steps.pause.output.at }} {{ steps.pause.output.payload }}",
        "{{ steps.review.output.decision }} {{ steps.review.output.decisions[0].person.login }}",
        "{{ steps.review.output.decisions[0].who }}",
        "{{ steps.route.output.taken }} {{ steps.route.error.message }} {{ steps.route.attempts }}",
        "{{ steps.each.output[0].a }} {{ steps.inner.output.a }}",
        "{{ item.name }}",
        "{{ context.nested.a.b }} {{ context.nested.list[0].x }} {{ context.nested.a.c }}",
        "{{ inputs['maybe'] }}",
        "{{ inputs.maybe if inputs.maybe is defined else 'none' }}",
        "{% if inputs.maybe is defined %}{{ inputs.maybe }}{% endif %}",
        "{{ inputs[context.nested.a.b] }}",
        "{{ trigger.payload.anything.at.all }} {{ trigger.pull_request.author }} {{ trigger.pull_request.sha }}",
        "{{ draft.output }} {{ who }} {{ stesp.draft }}",
        "{{ secrets.TOKEN }}",
        "{% for person in inputs.people %}{{ person.name }} {{ loop.index }}{% endfor %}",
    ] {
        let found = reading(expression);
        let found = if found.is_empty() { "nothing" } else { found.trim_end() };
        let _ = writeln!(text, "{expression}\n  {}", found.replace('\n', "\n  "));
    }
    insta::assert_snapshot!(text, @r#"
    {{ steps.draft.output.open.b }}
      nothing
    {{ steps.draft.output.closed.b }}
      may-be-missing `b` `steps.draft.output.closed.b` may be missing
    {{ steps.draft.output.closed.b | default(1) }}
      nothing
    {{ steps.draft.output.closed.c | default(1) }}
      unknown-name `c` `steps.draft.output.closed` has no field `c`
    {{ steps.draft.output.closed.a.length }}
      unknown-name `length` `steps.draft.output.closed.a` is a text and has no field `length`
    {{ steps.draft.output['closed'].a }} {{ steps.draft.output['clsed'].a }}
      unknown-name `clsed` `steps.draft.output` has no field `clsed`
    {{ steps.draft.output.items[0].x }} {{ steps.draft.output.items[0].y }}
      unknown-name `y` `steps.draft.output.items[0]` has no field `y`
    {{ steps.draft.output.items.x }}
      unknown-name `x` `steps.draft.output.items` is a list and has no field `x`
    {{ steps.draft.output.any.thing.deep }}
      nothing
    {{ steps.draft.output.ref.again.again.y | default(true) }} {{ steps.draft.output.ref.z }}
      unknown-name `z` `steps.draft.output.ref` has no field `z`
    {{ steps.draft.output.nullable | default('') }}
      nothing
    {{ steps.draft.outputs }}
      unknown-name `outputs` `steps.draft` has no field `outputs`
    {{ steps.fetch.output.status }} {{ steps.fetch.output.body.whatever }} {{ steps.fetch.output.headers.etag }}
      nothing
    {{ steps.fetch.output.code }}
      unknown-name `code` `steps.fetch.output` has no field `code`
    {{ steps.pause.output.at }} {{ steps.pause.output.payload }}
      unknown-name `payload` `steps.pause.output` has no field `payload`
    {{ steps.review.output.decision }} {{ steps.review.output.decisions[0].person.login }}
      unknown-name `login` `steps.review.output.decisions[0].person` is a text and has no field `login`
    {{ steps.review.output.decisions[0].who }}
      unknown-name `who` `steps.review.output.decisions[0]` has no field `who`
    {{ steps.route.output.taken }} {{ steps.route.error.message }} {{ steps.route.attempts }}
      may-be-null `error` `steps.route.error` may be null, and then has no `message`
    {{ steps.each.output[0].a }} {{ steps.inner.output.a }}
      step-not-before `inner` step `inner` runs once per item of `each`
    {{ item.name }}
      unknown-name `item` there is no `item` to read here
    {{ context.nested.a.b }} {{ context.nested.list[0].x }} {{ context.nested.a.c }}
      unknown-name `c` `context.nested.a` has no field `c`
    {{ inputs['maybe'] }}
      may-be-missing `maybe` `inputs['maybe']` may be missing
    {{ inputs.maybe if inputs.maybe is defined else 'none' }}
      nothing
    {% if inputs.maybe is defined %}{{ inputs.maybe }}{% endif %}
      tag-in-value `{% if inputs.maybe is defined %}` a tag makes a text of a value that keeps its type
    {{ inputs[context.nested.a.b] }}
      nothing
    {{ trigger.payload.anything.at.all }} {{ trigger.pull_request.author }} {{ trigger.pull_request.sha }}
      unknown-name `sha` `trigger.pull_request` has no field `sha`
    {{ draft.output }} {{ who }} {{ stesp.draft }}
      unknown-name `draft` there is no `draft` to read here
      unknown-name `who` there is no `who` to read here
      unknown-name `stesp` there is no `stesp` to read here
    {{ secrets.TOKEN }}
      misplaced-secret `secrets` a secret cannot be read here
    {% for person in inputs.people %}{{ person.name }} {{ loop.index }}{% endfor %}
      tag-in-value `{% for person in inputs.people %}` a tag makes a text of a value that keeps its type
    "#);
}

#[test]
fn compensations_and_failures_read_what_has_run() {
    let steps = "steps:
  - {id: reserve, type: api_call, url: https://a.example, compensate_with: release}
  - {id: ask, type: human_approval, approvers: {team: a}, depends_on: reserve}
  - id: release
    type: set
    run_on: compensation
    values: {a: '{{ steps.reserve.output.status }}', b: '{{ steps.ask.output.decision }}'}
  - id: told
    type: set
    depends_on: ask
    run_on: failure
    values: {a: '{{ steps.reserve.output.status }}', b: '{{ steps.ask.error.message }}', c: '{{ steps.ask.output }}'}
";
    insta::assert_snapshot!(findings(steps), @r#"
    step-not-before `ask` step `ask` need not have ended when `release` runs
    may-be-missing `ask` step `ask` may have given nothing when `told` runs
    "#);
}

#[test]
fn conditions_guard_what_they_ask_about() {
    let steps = "inputs: {urgent: {type: boolean, default: false}}
steps:
  - {id: always, type: set, values: {a: 1}}
  - {id: maybe, type: set, values: {a: 1}, when: '{{ inputs.urgent }}'}
  - id: asked
    type: set
    depends_on: [always, maybe]
    when: \"{{ steps.maybe.status == 'completed' }}\"
    values: {a: '{{ steps.maybe.output.a }}'}
  - id: same
    type: set
    depends_on: [always, maybe]
    when: '{{ inputs.urgent }}'
    values: {a: '{{ steps.maybe.output.a }}'}
  - id: unguarded
    type: set
    depends_on: [always, maybe]
    when: '{{ steps.maybe.output.a > 1 }}'
    values: {a: 1}
";
    insta::assert_snapshot!(findings(steps), @"may-be-missing `maybe` step `maybe` may have given nothing when `unguarded` runs");
}

#[test]
fn one_mistake_is_one_finding() {
    let mut text = String::new();
    for steps in [
        // An anchor that is used twice.
        "steps:\n  - {id: a, type: set, values: &v {x: '{{ inputs.who }}'}}\n  - {id: b, type: set, values: *v}\n",
        // A misspelt input is not an unused one as well.
        "inputs: {who: {type: string, default: x}}\nsteps:\n  - {id: a, type: set, values: {x: '{{ inputs.whu }}'}}\n",
        // What waits for a step that does not exist is not told that it does not wait for it.
        "steps:\n  - {id: a, type: set, values: {x: 1}}\n  - {id: b, type: set, depends_on: aa, values: {x: '{{ steps.a.output.x }}'}}\n",
        // A step that could not be read still exists.
        "steps:\n  - {id: a, type: sett}\n  - {id: b, type: set, depends_on: a, values: {x: '{{ steps.a.output.x }}'}}\n",
        "steps:\n  - {id: a, type: set, values: 5}\n  - {id: b, type: set, depends_on: a, values: {x: '{{ steps.a.output.x }}'}}\n",
        // A field that could not be read still exists.
        "steps:\n  - {id: a, type: form, fields: {x: {type: txt}}}\n  - {id: b, type: set, depends_on: a, values: {x: '{{ steps.a.output.x }}'}}\n",
    ] {
        let _ = writeln!(text, "{}", findings(steps).trim_end());
    }
    insta::assert_snapshot!(text, @r#"
    unknown-name `who` there is no input `who`
    unknown-name `whu` there is no input `whu`
    unknown-dependency `aa` step `b` depends on `aa`, which does not exist
    wrong-value `sett` `sett` is not a type of step
    wrong-type `5` expected a mapping, found the number 5
    wrong-value `txt` `txt` is none of the allowed values
    "#);
}

#[test]
fn further_faults_of_rules_with_several() {
    let mut text = String::new();
    for steps in [
        "steps:\n  - {id: a, type: api_call, url: https://a.example, on_failure: continue}\n  - {id: b, type: set, depends_on: a, run_on: failure, values: {x: 1}}\n",
        "triggers: [{push: {}}]\nsteps:\n  - {id: a, type: set, values: {x: '{{ trigger.pull_request.title }}'}}\n",
        "triggers: [{push: {}}, {pull_request: {}}]\nsteps:\n  - {id: a, type: set, values: {x: '{{ trigger.pull_request.title }}'}}\n",
        "steps:\n  - {id: a, type: human_approval, policy: p}\n# .flow/policies/p.yaml\nextends: [q]\n# .flow/policies/q.yaml\nname: q\n",
        "steps:\n  - {id: a, type: human_approval, policy: p}\n# .flow/policies/p.yaml\nextends: [q]\n# .flow/policies/q.yaml\napprovers: {team: a}\n",
        "steps:\n  - {id: a, type: set, values: {x: 1}}\n# .flow/agents/a.yaml\nname: a\nmodel: mock\ninstructions: '{{ secrets.TOKEN }}'\n",
        "steps:\n  - {id: a, type: gateway, branches: [{otherwise: false, to: [b]}]}\n  - {id: b, type: set, values: {x: 1}}\n",
        "steps:\n  - {id: a, type: wait, for: 1s, when: 5}\n  - {id: b, type: wait, for: 1s, when: '{{ false }}'}\n",
    ] {
        let found = findings(steps);
        let _ = writeln!(text, "{}", if found.is_empty() { "nothing" } else { found.trim_end() });
    }
    insta::assert_snapshot!(text, @r#"
    never-runs `failure` step `b` never runs: every failure that it waits for is tolerated
    unknown-name `pull_request` no trigger of this process has a pull request
    may-be-missing `pull_request` `trigger.pull_request` may be missing
    impossible-approval `p` the policy `p` names nobody who could approve
    nothing
    misplaced-secret `secrets` a secret cannot be read here
    misplaced-otherwise `false` `otherwise: false` is no branch
    no-condition `5` a condition must be true or false
    never-runs `{{ false }}` step `b` never runs: its condition is always false
    "#);
}

#[test]
fn suppressions_stand_on_the_line_or_above_it_and_levels_weigh() {
    let example = "# .flow/flow.yaml
validate: {levels: {FLOW209: info, late-reminder: off}}
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  one: {type: string}  # flowctl: ignore[FLOW209] read by the page
  # flowctl: ignore[unused-input, FLOW202] read by the page
  # and another comment
  two: {type: string}
  three: {type: string}
steps:
  - {id: note, type: human_approval, approvers: {team: a}, timeout: 1h, reminders: [2h]}
";
    let report = validate(&read(example), &Options::default());
    insta::assert_snapshot!(shown(&report), @r#"
    .flow/processes/hello.yaml:5:35-5:42 warning FLOW901 nothing here is found by `FLOW202`
    .flow/processes/hello.yaml:8:3-8:8 info FLOW209 nothing reads the input `three`
    "#);
    assert!(!report.has_errors());
}

#[test]
fn a_finding_as_json() {
    let report = look(rules::find("unknown-dependency").unwrap(), rules::find("unknown-dependency").unwrap().wrong);
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap(), @r#"
    {
      "version": 1,
      "files": 1,
      "findings": [
        {
          "code": "FLOW012",
          "name": "unknown-dependency",
          "severity": "error",
          "message": "step `publish` depends on `reviev`, which does not exist",
          "help": "did you mean `review`?",
          "path": ".flow/processes/publish.yaml",
          "range": {
            "start": {
              "line": 9,
              "column": 18,
              "offset": 148
            },
            "end": {
              "line": 9,
              "column": 24,
              "offset": 154
            }
          },
          "related": [],
          "fix": {
            "applicability": "unsafe",
            "edits": [
              {
                "range": {
                  "start": {
                    "line": 9,
                    "column": 18,
                    "offset": 148
                  },
                  "end": {
                    "line": 9,
                    "column": 24,
                    "offset": 154
                  }
                },
                "text": "review"
              }
            ]
          },
          "url": "docs/rules/FLOW012.md"
        }
      ],
      "summary": {
        "errors": 1,
        "warnings": 0,
        "infos": 0
      }
    }
    "#);
}

#[test]
fn a_fix_that_is_made_leaves_nothing_to_find() {
    for rule in rules::RULES {
        for finding in look(rule, rule.wrong).findings {
            let Some(fix) = &finding.fix else { continue };
            let files = examples(rule.wrong).into_iter().map(|file| {
                let mut text = file.text;
                if file.path == finding.path {
                    let mut edits: Vec<&Edit> = fix.edits.iter().collect();
                    edits.sort_by_key(|edit| edit.span);
                    edits.iter().rev().for_each(|edit| text.replace_range(edit.span.range(), &edit.text));
                }
                format!("# {}\n{text}", file.path)
            });
            let fixed: String = files.collect();
            let left = look(rule, &fixed);
            assert!(left.findings.is_empty(), "{}:\n{fixed}\n{}", rule.code, shown(&left));
        }
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Pieces of definitions, put together in any way: most texts are broken, some are nearly right.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("name: hello\nversion: 1\n".to_owned()),
            Just("steps:\n".to_owned()),
            Just("inputs:\n  who: {type: string, default: x}\n".to_owned()),
            Just("  - id: a\n    type: set\n    values: {x: '{{ steps.b.output.x }}'}\n".to_owned()),
            Just("  - {id: b, type: gateway, branches: [{when: '{{ inputs.who }}', to: [a, c]}]}\n".to_owned()),
            Just(
                "  - {id: c, type: human_approval, depends_on: [a, b], approvers: {users: [é], count: 2}}\n".to_owned()
            ),
            Just("    when: \"{{ inputs.é['ü'].x }}\"\n".to_owned()),
            Just("  - {id: d, type: set, values: {x: \"\\u00e9\\t{{ inputs.who + 1 }} é {{ \\\"é\\\" | round }}\"}}\n".to_owned()),
            Just("  - id: e\n    type: human_approval\n    description: >-\n      é {{ inputs.who\n      | join }} ü {% for x in\n\n      inputs.who %}{% endfor %}\n    timeout: '{{ 5 }}'\n".to_owned()),
            Just("    depends_on: a\n".to_owned()),
            Just("# flowctl: ignore[FLOW202,é] why\n".to_owned()),
            Just("outputs: {x: >-\n    {{ steps.a.output.x }}\n    é {{ nothing }}\n  }\n".to_owned()),
            "[ -~é\u{1F600}\n]{0,30}",
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    fn path() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(".flow/processes/hello.yaml".to_owned()),
            Just(".flow/processes/other.yml".to_owned()),
            Just(".flow/flow.yaml".to_owned()),
            Just(".flow/prompts/p.md".to_owned()),
            Just(".flow/schemas/s.json".to_owned()),
            Just(".flow/tests/t.yaml".to_owned()),
            Just(".flow/agents/a.yaml".to_owned()),
            Just(".flow/unknown/é.txt".to_owned()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn findings_lie_inside_their_files_and_do_not_depend_on_the_order(
            files in proptest::collection::btree_map(path(), text(), 1..4)
        ) {
            let repository = Repository::read(files.clone());
            let report = validate(&repository, &Options { performed_only: false, base: Some(&repository), ..Options::default() });
            for finding in &report.findings {
                let text = repository.files[finding.path.as_str()].source.text();
                prop_assert!(text.get(finding.span.range()).is_some(), "{finding:?}");
                for edit in finding.fix.iter().flat_map(|fix| &fix.edits) {
                    prop_assert!(text.get(edit.span.range()).is_some(), "{finding:?}");
                }
            }
            let turned = Repository::read(files.into_iter().rev());
            let again = validate(&turned, &Options { performed_only: false, base: Some(&turned), ..Options::default() });
            prop_assert_eq!(report.findings, again.findings);
        }

        #[test]
        fn graphs_are_drawn_whatever_they_are(text in text()) {
            let repository = Repository::read([(".flow/processes/hello.yaml".to_owned(), text)]);
            for (_, process) in repository.processes() {
                let _ = crate::graph::ascii(process);
                let _ = crate::graph::mermaid(process);
                let _ = crate::graph::dot(process, &crate::graph::Marks::none());
                let _ = crate::graph::svg(process, &crate::graph::Marks::none());
            }
        }
    }
}

#[test]
fn findings_of_one_rule_in_one_file_are_cut_and_counted() {
    let text = format!("name: x\nversion: 1\nsteps:\n{}", "  - {}\n".repeat(3_000));
    let report = validate(&Repository::read([(".flow/processes/x.yaml".to_owned(), text)]), &Options::default());
    let missing: Vec<&Finding> = report.findings.iter().filter(|finding| finding.code == "FLOW011").collect();
    let more: usize = report.findings.iter().map(|finding| finding.more).sum();
    assert_eq!(missing.len(), 1_000, "{:?}", report.findings.first());
    assert!(missing.iter().any(|last| last.more > 0 && last.message.ends_with("more like it in this file)")));
    let Summary { errors, warnings, infos } = report.summary;
    assert_eq!(errors + warnings + infos, report.findings.len() + more, "what is cut counts");
    assert!(more > 1_900, "{more}");
}

#[test]
fn suppressions_above_each_other_all_speak_about_the_line_below_them() {
    let above = "  # flowctl: ignore[FLOW015] because\n  # flowctl: ignore[FLOW203] because\n  # a note\n";
    let text = format!(
        "name: x\nversion: 1\nsteps:\n{above}  - {{id: a, type: set, values: {{v: '{{{{ steps.b.output }}}}'}}}}\n"
    );
    let report = validate(&Repository::read([(".flow/processes/x.yaml".to_owned(), text)]), &Options::default());
    let told: Vec<(&str, &str)> = report.findings.iter().map(|finding| (finding.code, &*finding.message)).collect();
    assert!(!told.iter().any(|(code, _)| *code == "FLOW203"), "{told:?}");
    assert!(told.iter().any(|(_, message)| message.contains("nothing here is found by `FLOW015`")), "{told:?}");
}
