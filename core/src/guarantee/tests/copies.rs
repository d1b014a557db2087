//! Decisions that are copied, returned or asked for in alternatives before something hangs on them.

use super::stories::{LEADS, SHIP, of, told};

/// An approval whose rejection the process survives, `middle`, and a step that runs only `when`.
fn survived(middle: &str, when: &str) -> String {
    let steps = format!(
        "
- {{id: ap, type: human_approval, approvers: {{team: leads}}, on_reject: continue}}
- {{id: other, type: human_approval, approvers: {{team: heads}}, on_reject: continue}}
{middle}
- {{id: ship, depends_on: [ap, other, last], when: \"{{{{ {when} }}}}\", {SHIP}}}"
    );
    of(LEADS, &steps).remove(0)
}

#[test]
fn a_decision_that_was_copied_is_followed() {
    let set = |value: &str| {
        format!("- {{id: last, type: set, depends_on: [ap, other], values: {{ok: \"{{{{ {value} }}}}\"}}}}")
    };
    for (value, when) in [
        ("steps.ap.output.decision", "steps.last.output.ok == 'approved'"),
        ("steps.ap.output.decision == 'approved'", "steps.last.output.ok"),
        ("steps.ap.output.decision != 'approved'", "not steps.last.output.ok"),
        ("steps.ap.output.decision == 'approved' and inputs.risk < 3", "steps.last.output.ok"),
        ("steps.ap.output.decision | upper", "steps.last.output.ok == 'APPROVED'"),
        ("steps.ap.output.decision == 'approved'", "inputs.risk > 3 and steps.last.output.ok"),
    ] {
        assert_eq!(survived(&set(value), when), "holds", "{value} {when}");
    }
    let refuted = survived(&set("steps.ap.output.decision"), "steps.last.output.ok == 'rejected'");
    assert!(refuted.starts_with("fails: `start` → `ap` is rejected"), "{refuted}");
    let twice = "- {id: first, type: set, depends_on: [ap, other], values: {is: \"{{ steps.ap.output.decision }}\"}}\n- {id: last, type: set, depends_on: first, values: {ok: \"{{ steps.first.output.is == 'approved' }}\"}}";
    assert_eq!(survived(twice, "steps.last.output.ok"), "holds");
}

#[test]
fn what_cannot_be_followed_is_not_refuted_by_a_run_that_cannot_happen() {
    let set = |value: &str| {
        format!("- {{id: last, type: set, depends_on: [ap, other], values: {{ok: \"{{{{ {value} }}}}\"}}}}")
    };
    for (value, when) in [
        ("[steps.ap.output.decision, steps.other.output.decision]", "'rejected' not in steps.last.output.ok"),
        (
            "1",
            "steps.ap.output.decision == 'approved' and true or steps.ap.output.decision == steps.other.output.decision",
        ),
        ("1", "[steps.ap.output.decision, steps.other.output.decision] == ['approved', 'approved']"),
    ] {
        let told = survived(&set(value), when);
        assert_eq!(
            told, "unproved: what `ship` asks about how other steps ended could not be followed",
            "{value} {when}"
        );
    }
    // What has nothing to do with how people decided is as free as before, and a way around remains a way around.
    let refuted = survived(&set("inputs.risk + 1"), "steps.last.output.ok > 3");
    assert!(refuted.starts_with("fails: "), "{refuted}");
    let around = format!(
        "
- {{id: ap, type: human_approval, approvers: {{team: leads}}, on_reject: continue}}
- {{id: last, type: set, depends_on: ap, when: \"{{{{ inputs.risk > 3 }}}}\", values: {{ok: \"{{{{ steps.ap.output.decision | upper }}}}\"}}}}
- {{id: route, type: gateway, depends_on: ap, branches: [{{when: \"{{{{ inputs.risk > 5 }}}}\", to: [ship]}}, {{otherwise: true, to: [end]}}]}}
- {{id: end, type: set, depends_on: last, when: \"{{{{ steps.last.output.ok == 'APPROVED' }}}}\", values: {{a: 1}}}}
- {{id: ship, {SHIP}}}"
    );
    let refuted = of(LEADS, &around).remove(0);
    assert!(refuted.starts_with("fails: `start` → `ap` is rejected"), "{refuted}");
}

#[test]
fn a_decision_that_a_process_returns_is_followed() {
    let asked = |outputs: &str, approvers: &str, when: &str| {
        let parent = format!(
            "name: story\nversion: 1\ntriggers: [manual]\nguarantees:\n{LEADS}\nsteps:\n- {{id: p, type: process, process: child}}\n- {{id: ship, depends_on: p, when: \"{{{{ {when} }}}}\", {SHIP}}}"
        );
        let child = format!(
            "name: child\nversion: 1\nsteps:\n- {{id: ap, type: human_approval, approvers: {approvers}, on_reject: continue, on_timeout: continue, timeout: 1d}}\noutputs: {outputs}"
        );
        told(&[("processes/story.yaml", &parent), ("processes/child.yaml", &child)]).remove(0)
    };
    let plain = "{d: \"{{ steps.ap.output.decision }}\", n: 3}";
    assert_eq!(asked(plain, "{team: leads}", "steps.p.output.d == 'approved'"), "holds");
    assert_eq!(
        asked(plain, "{team: leads}", "steps.p.output.d != 'rejected'"),
        "fails: `start` → the approval in `child` gets no answer and goes on (`on_timeout: continue`) → `ship` starts | let `p` end with `on_timeout: reject`, or give `ship` `when: \"{{ steps.p.output.d == 'approved' }}\"`"
    );
    assert!(asked(plain, "{team: heads}", "steps.p.output.d == 'approved'").starts_with("fails: "));
    assert!(asked(plain, "{team: leads}", "steps.p.output.n > 2").starts_with("fails: "));
    let compared = "{ok: \"{{ steps.ap.output.decision == 'approved' }}\"}";
    assert_eq!(asked(compared, "{team: leads}", "steps.p.output.ok"), "holds");
    assert_eq!(asked(compared, "{team: leads}", "steps.p.output.ok == true"), "holds");
    assert!(asked(compared, "{team: heads}", "steps.p.output.ok").starts_with("fails: "));
    let refuted = asked(compared, "{team: leads}", "not steps.p.output.ok");
    assert!(refuted.starts_with("fails: "), "{refuted}");
    assert!(refuted.ends_with("or give `ship` `when: \"{{ steps.p.output.ok }}\"`"), "{refuted}");
    assert_eq!(
        asked("{no: \"{{ steps.ap.output.decision != 'approved' }}\"}", "{team: leads}", "not steps.p.output.no"),
        "holds"
    );
    let upper = "{ok: \"{{ steps.ap.output.decision | upper }}\"}";
    assert_eq!(asked(upper, "{team: leads}", "steps.p.output.ok == 'APPROVED'"), "holds");
    let computed = "{ok: \"{{ [steps.ap.output.decision, steps.ap.status] }}\"}";
    assert_eq!(
        asked(computed, "{team: leads}", "steps.p.output.ok == ['approved', 'completed']"),
        "unproved: what `ship` asks about how other steps ended could not be followed"
    );
}

#[test]
fn alternatives_are_looked_at_one_by_one() {
    let last = "- {id: last, type: set, depends_on: [ap, other], values: {ok: 1}}";
    let (ap, other) = ("steps.ap.output.decision == 'approved'", "steps.other.output.decision == 'approved'");
    for when in [
        format!("({ap} or {other}) and {ap}"),
        format!("({ap} and {other}) or (inputs.risk > 3 and {ap})"),
        format!("not (steps.ap.output.decision == 'rejected' or {other})"),
        format!("{ap} and ({other} or inputs.risk > 3)"),
    ] {
        assert_eq!(survived(last, &when), "holds", "{when}");
    }
    for when in [
        format!("{ap} or {other}"),
        format!("{ap} or inputs.risk > 3"),
        format!("not ({ap} and {other})"),
        format!("(inputs.risk > 3 or {ap}) and {other}"),
    ] {
        let refuted = survived(last, &when);
        assert!(refuted.starts_with("fails: `start` → `ap` is rejected"), "{when}: {refuted}");
    }
}
