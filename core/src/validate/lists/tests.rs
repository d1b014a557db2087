//! What steps inside and outside of the bodies of `foreach` may read.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;

use insta::assert_snapshot;

use crate::definition::repository::Repository;
use crate::validate::{Options, validate};

/// What is found in a process with these steps: line, code, the part and what is said of it.
fn found(steps: &str) -> String {
    let text = format!(
        "name: a\nversion: 1\ntriggers: [manual]\ninputs: {{many: {{type: list, items: {{type: integer}}, default: [1]}}}}\nsteps:\n{steps}"
    );
    let repository = Repository::read([(".flow/processes/a.yaml".to_owned(), text.clone())]);
    let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
    let mut said = String::new();
    for finding in report.findings.iter().filter(|finding| finding.code != "FLOW209") {
        let part = &text[finding.span.range()];
        let help = finding.help.as_deref().unwrap_or_default();
        let _ = writeln!(said, "{} `{part}`: {} ({help})", finding.code, finding.message);
        for also in &finding.related {
            let _ = writeln!(said, "    {}: {}", also.range.start.line, also.message);
        }
    }
    said
}

/// A loop whose body has two steps, the second with this text, between a step that the loop waits for, one that it does
/// not wait for, and one after it.
fn body(fields: &str, read: &str) -> String {
    found(&format!(
        r#"  - {{id: before, type: set, values: {{v: 1}}}}
  - {{id: beside, type: set, values: {{v: 1}}}}
  - id: each
    type: foreach
    items: "{{{{ inputs.many }}}}"
    depends_on: before
    steps:
      - {{id: first, type: set, values: {{v: 1}}}}
      - {{id: second, type: set, {fields}values: {{v: "{{{{ {read} }}}}"}}}}
      - {{id: third, type: set, depends_on: second, values: {{v: 1}}}}
  - {{id: after, type: set, depends_on: each, values: {{v: 1}}}}
"#
    ))
}

#[test]
fn a_step_of_a_body_reads_only_what_has_ended() {
    assert_snapshot!(body("depends_on: first, ", "steps.first.output.v + steps.before.output.v + item + index"), @"");
    assert_snapshot!(body("", "steps.first.output.v"), @"FLOW204 `first`: step `first` need not have ended when `second` runs (add `first` to `depends_on` of `second`)");
    assert_snapshot!(body("", "steps.first.status"), @"FLOW204 `first`: step `first` need not have ended when `second` runs (add `first` to `depends_on` of `second`)");
    assert_snapshot!(body("", "steps.third.output.v"), @"FLOW204 `third`: step `third` need not have ended when `second` runs (`third` waits for `second`, so it always runs later)");
    assert_snapshot!(body("", "steps.beside.output.v"), @"FLOW204 `beside`: step `beside` need not have ended when `second` runs (add `beside` to `depends_on` of `each`)");
    assert_snapshot!(body("", "steps.after.output.v"), @"FLOW204 `after`: step `after` need not have ended when `second` runs (`after` waits for `each`, so it always runs later)");
    assert_snapshot!(body("", "steps.each.output | length"), @"FLOW204 `each`: step `each` has not ended while its body runs (only steps that wait for `each` can read its list of results)");
    assert_snapshot!(body("", "steps.second.output.v"), @"FLOW204 `second`: step `second` cannot read its own result ()");
}

#[test]
fn a_step_of_a_body_inside_a_body_reads_what_has_ended_around_it() {
    let nested = |read: &str| {
        found(&format!(
            r#"  - {{id: before, type: set, values: {{v: 1}}}}
  - {{id: beside, type: set, values: {{v: 1}}}}
  - id: outer
    type: foreach
    items: "{{{{ inputs.many }}}}"
    depends_on: before
    steps:
      - {{id: done, type: set, values: {{v: 1}}}}
      - {{id: aside, type: set, values: {{v: 1}}}}
      - id: inner
        type: foreach
        items: "{{{{ inputs.many }}}}"
        as: one
        depends_on: done
        steps:
          - {{id: deep, type: set, values: {{v: "{{{{ {read} }}}}"}}}}
        result: "{{{{ steps.deep.output.v }}}}"
      - {{id: last, type: set, depends_on: inner, values: {{v: "{{{{ steps.inner.output }}}}"}}}}
    result: "{{{{ steps.last.output.v }}}}"
"#
        ))
    };
    assert_snapshot!(nested("steps.done.output.v + steps.before.output.v + item + one"), @"");
    assert_snapshot!(nested("steps.aside.output.v"), @"FLOW204 `aside`: step `aside` need not have ended when `deep` runs (add `aside` to `depends_on` of `inner`)");
    assert_snapshot!(nested("steps.beside.output.v"), @"FLOW204 `beside`: step `beside` need not have ended when `deep` runs (add `beside` to `depends_on` of `outer`)");
    assert_snapshot!(nested("steps.last.output.v"), @"FLOW204 `last`: step `last` need not have ended when `deep` runs (`last` waits for `inner`, so it always runs later)");
    assert_snapshot!(nested("steps.outer.output"), @"FLOW204 `outer`: step `outer` has not ended while its body runs (only steps that wait for `outer` can read its list of results)");
    assert_snapshot!(nested("steps.inner.output"), @"FLOW204 `inner`: step `inner` has not ended while its body runs (only steps that wait for `inner` can read its list of results)");
}

#[test]
fn a_result_reads_its_own_body_and_nothing_deeper() {
    let result = |read: &str| {
        found(&format!(
            r#"  - {{id: before, type: set, values: {{v: 1}}}}
  - {{id: beside, type: set, values: {{v: 1}}}}
  - id: outer
    type: foreach
    items: "{{{{ inputs.many }}}}"
    depends_on: before
    steps:
      - {{id: own, type: set, values: {{v: 1}}}}
      - {{id: odd, type: set, when: "{{{{ item > 1 }}}}", values: {{v: 1}}}}
      - id: inner
        type: foreach
        items: "{{{{ inputs.many }}}}"
        as: one
        steps:
          - {{id: deep, type: set, values: {{v: 1}}}}
    result: "{{{{ {read} }}}}"
"#
        ))
    };
    assert_snapshot!(result("steps.own.output.v + steps.before.output.v + (steps.inner.output | length)"), @"");
    assert_snapshot!(result("steps.odd.output.v"), @"FLOW205 `odd`: step `odd` may have given nothing when an item of `outer` is done (provide for it with `| default(…)`, which covers the whole chain before it)");
    assert_snapshot!(result("steps.odd.output.v | default(0)"), @"");
    assert_snapshot!(result("steps.beside.output.v"), @"FLOW204 `beside`: step `beside` need not have ended when `outer` runs (add `beside` to `depends_on` of `outer`)");
    assert_snapshot!(result("steps.deep.output.v"), @"FLOW204 `deep`: step `deep` runs once per item of `inner` (outside of it read `steps.inner.output`, the list of results)");
}

#[test]
fn a_step_of_a_body_that_may_be_skipped_may_have_given_nothing() {
    let body = |rest: &str| {
        found(&format!(
            r#"  - {{id: maybe, type: set, when: "{{{{ execution.version > 1 }}}}", values: {{v: 1}}}}
  - id: each
    type: foreach
    items: "{{{{ inputs.many }}}}"
    depends_on: maybe
    run_on: always
    steps:
{rest}"#
        ))
    };
    let odd = "      - {id: odd, type: set, when: \"{{ item > 1 }}\", values: {v: 1}}\n";
    assert_snapshot!(body(&format!("{odd}      - {{id: next, type: set, depends_on: odd, values: {{v: \"{{{{ steps.odd.output.v }}}}\"}}}}\n")), @"");
    assert_snapshot!(body(&format!("{odd}      - {{id: next, type: set, run_on: always, depends_on: odd, values: {{v: \"{{{{ steps.odd.output.v }}}}\"}}}}\n")), @"FLOW205 `odd`: step `odd` may have given nothing when `next` runs (provide for it with `| default(…)`, which covers the whole chain before it)");
    assert_snapshot!(body("      - {id: next, type: set, values: {v: \"{{ steps.maybe.output.v }}\"}}\n"), @"FLOW205 `maybe`: step `maybe` may have given nothing when `next` runs (provide for it with `| default(…)`, which covers the whole chain before it)");
    assert_snapshot!(body("      - {id: next, type: set, when: \"{{ steps.maybe.status == 'completed' }}\", values: {v: \"{{ steps.maybe.output.v }}\"}}\n"), @"");
    let way = r#"      - {id: way, type: gateway, branches: [{when: "{{ item > 3 }}", to: [this]}, {otherwise: true, to: [that]}]}
      - {id: this, type: set, values: {v: 1}}
      - {id: that, type: set, values: {v: 1}}
      - {id: both, type: set, depends_on: [this, that], values: {v: "{{ steps.this.output.v }}"}}
"#;
    assert_snapshot!(body(way), @"FLOW205 `this`: step `this` may have given nothing when `both` runs (provide for it with `| default(…)`, which covers the whole chain before it)");
}

#[test]
fn a_body_is_read_only_by_its_loop() {
    let read = |read: &str| {
        found(&format!(
            r#"  - id: each
    type: foreach
    items: {read}
    steps:
      - {{id: inner, type: set, values: {{v: 1}}}}
  - {{id: after, type: set, depends_on: each, values: {{v: "{{{{ steps.inner.output | join(',') }}}}"}}}}
"#
        ))
    };
    assert_snapshot!(read("\"{{ steps.inner.output.v }}\""), @r"
    FLOW204 `inner`: step `inner` runs in the body of `each`, after this is evaluated (of `each` only its `result` can read it)
    FLOW204 `inner`: step `inner` runs once per item of `each` (outside of it read `steps.each.output`, the list of results)
    ");
    assert_snapshot!(read("[1]"), @"FLOW204 `inner`: step `inner` runs once per item of `each` (outside of it read `steps.each.output`, the list of results)");
}

#[test]
fn one_missing_edge_is_told_once() {
    let steps = r#"  - {id: draft, type: set, values: {v: 1, w: 2}}
  - {id: other, type: set, values: {v: 1}}
  - id: note
    type: set
    when: "{{ inputs.many | length > steps.draft.output.v }}"
    values:
      v: "{{ steps.draft.output.v + steps.draft.output.w }}"
      w: "{{ steps.draft.status ~ steps.other.status }}"
  - {id: next, type: set, values: {v: "{{ steps.draft.output.v }}"}}
"#;
    assert_snapshot!(found(steps), @r"
    FLOW204 `draft`: step `draft` need not have ended when `note` runs (add `draft` to `depends_on` of `note`)
        12: it is read here too
        12: it is read here too
        13: it is read here too
    FLOW204 `other`: step `other` need not have ended when `note` runs (add `other` to `depends_on` of `note`)
    FLOW204 `draft`: step `draft` need not have ended when `next` runs (add `draft` to `depends_on` of `next`)
    ");
}

#[test]
fn a_step_on_a_circle_is_not_told_what_it_reads_too_early() {
    let steps = r#"  - {id: draft, type: set, values: {v: 1}}
  - {id: route, type: set, depends_on: note, values: {v: "{{ steps.draft.output.v }}"}}
  - {id: ship, type: set, depends_on: route, values: {v: "{{ steps.draft.output.v }}"}}
  - {id: note, type: set, depends_on: ship, values: {v: "{{ steps.ship.output.v + steps.draft.output.v }}"}}
  - {id: last, type: set, depends_on: note, values: {v: "{{ steps.draft.output.v }}"}}
"#;
    assert_snapshot!(found(steps), @r"
    FLOW101 `note`: steps wait for each other in a circle: route → note → ship → route (remove one of these dependencies)
        9: `note` waits for `ship`
        8: `ship` waits for `route`
    ");
}

#[test]
fn a_step_with_the_id_of_another_is_not_told_that_it_reads_itself() {
    let steps = r#"  - {id: ship, type: set, values: {v: 1}}
  - {id: ship, type: set, depends_on: ship, values: {v: "{{ steps.ship.output.v + steps.ship.output.v }}"}}
"#;
    assert_snapshot!(found(steps), @r"
    FLOW015 `ship`: there is a step `ship` already ()
        6: the first one
    ");
}
