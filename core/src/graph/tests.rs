//! Graphs of small processes: order, circles, pictures, and which outputs may be missing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use super::*;
use crate::definition::repository::{Definition, File};

fn process(steps: &str) -> Arc<Process> {
    let text = format!("name: hello\nversion: 1\nsteps:\n{steps}");
    let file = File::read(".flow/processes/hello.yaml", &text);
    assert!(file.faults.is_empty() && file.structure.is_empty(), "{:?} {:?}", file.faults, file.structure);
    match file.definition {
        Some(Definition::Process(process)) => process,
        other => panic!("{other:?}"),
    }
}

/// `one` = a set step; `two: one` waits for it.
fn chain(steps: &[(&str, &str)]) -> Arc<Process> {
    let text: String = steps
        .iter()
        .map(|(id, before)| format!("  - {{id: {id}, type: set, values: {{a: 1}}, depends_on: [{before}]}}\n"))
        .collect();
    process(&text)
}

fn ids(graph: &Graph<'_>, steps: &[StepIndex]) -> String {
    steps.iter().map(|step| graph.step(*step).id.as_str()).collect::<Vec<_>>().join(" ")
}

const ROUTED: &str = "  - {id: draft, type: set, values: {risk: 3}}
  - id: route
    type: gateway
    depends_on: draft
    branches:
      - {when: '{{ steps.draft.output.risk > 5 }}', to: [leads]}
      - {otherwise: true, to: [ship]}
  - {id: leads, type: human_approval, approvers: {team: leads}}
  - {id: ship, type: set, depends_on: leads, values: {tag: 1}}
  - {id: report, type: set, depends_on: [ship, draft], run_on: always, values: {a: 1}}
";

#[test]
fn the_order_is_that_of_the_text_where_edges_leave_a_choice() {
    let process = chain(&[("last", "a, b"), ("b", ""), ("a", ""), ("between", "b")]);
    let graph = Graph::of(&process);
    assert_eq!(ids(&graph, graph.order()), "b a last between");
    let last = graph.find("last").unwrap();
    assert_eq!(ids(&graph, &graph.ancestors(last).into_iter().collect::<Vec<_>>()), "b a");
}

#[test]
fn of_each_knot_a_shortest_circle_is_named() {
    let process = chain(&[
        ("a", "c, b"),
        ("b", "a"),
        ("c", "b"),
        ("alone", "alone"),
        ("free", ""),
        ("behind", "a"),
        ("x", "z"),
        ("y", "x"),
        ("z", "y"),
    ]);
    let graph = Graph::of(&process);
    let circles: Vec<String> = graph.circles().iter().map(|circle| ids(&graph, circle)).collect();
    assert_eq!(circles, ["a b", "alone", "x z y"]);
    assert_eq!(ids(&graph, graph.order()), "free");
}

#[test]
fn what_may_be_missing() {
    let step = |id: &str, rest: &str| format!("  - {{id: {id}, type: set, values: {{a: 1}}, {rest}}}\n");
    let call = |id: &str, rest: &str| format!("  - {{id: {id}, type: api_call, url: 'https://a.example', {rest}}}\n");
    let when = "when: '{{ inputs.urgent }}'";
    for (steps, read, reader, expected) in [
        (step("a", "") + &step("b", "depends_on: a"), "a", "b", false),
        (step("a", when) + &step("b", "depends_on: a"), "a", "b", false),
        (step("c", "") + &step("a", when) + &step("b", "depends_on: [a, c]"), "a", "b", true),
        (step("c", "") + &step("a", when) + &step("b", &format!("depends_on: [a, c], {when}")), "a", "b", false),
        (
            step("c", "") + &step("a", when) + &step("b", "depends_on: [a, c], when: '{{ not inputs.urgent }}'"),
            "a",
            "b",
            true,
        ),
        (step("a", when) + &step("b", "depends_on: a, run_on: always"), "a", "b", true),
        (call("a", "on_failure: continue") + &step("b", "depends_on: a"), "a", "b", true),
        (call("a", "") + &step("b", "depends_on: a, run_on: failure"), "a", "b", true),
        (step("c", "") + &call("a", "depends_on: c") + &step("b", "depends_on: a, run_on: failure"), "c", "b", false),
        (step("a", "") + &step("c", "") + &step("b", "depends_on: [a, c], join: any"), "a", "b", true),
        (ROUTED.to_owned(), "draft", "ship", false),
        (ROUTED.to_owned(), "leads", "ship", true),
        (ROUTED.to_owned(), "ship", "report", true),
        (ROUTED.to_owned(), "draft", "report", false),
    ] {
        let process = process(&steps);
        let graph = Graph::of(&process);
        let missing = Missing::of(&graph);
        let (read_at, reader_at) = (graph.find(read).unwrap(), graph.find(reader).unwrap());
        assert_eq!(missing.may_be(read_at, Moment::Step(reader_at)), expected, "{read} read by {reader} in\n{steps}");
    }
    let process = process(ROUTED);
    let graph = Graph::of(&process);
    let missing = Missing::of(&graph);
    assert!(!missing.may_be(graph.find("ship").unwrap(), Moment::End), "both ways lead to it");
    assert!(missing.may_be(graph.find("leads").unwrap(), Moment::End));
}

#[test]
fn many_choices_are_played_in_part_and_only_told_with_a_witness() {
    let mut steps = String::new();
    for number in 0..200 {
        steps += &format!("  - {{id: s{number}, type: set, values: {{a: 1}}, when: '{{{{ inputs.i{number} }}}}'}}\n");
    }
    steps += "  - {id: first, type: set, values: {a: 1}}\n  - {id: end, type: set, values: {a: 1}, depends_on: [first, s7]}\n";
    let process = process(&steps);
    let graph = Graph::of(&process);
    let missing = Missing::of(&graph);
    let end = graph.find("end").unwrap();
    assert!(missing.may_be(graph.find("s7").unwrap(), Moment::Step(end)));
    assert!(!missing.may_be(graph.find("first").unwrap(), Moment::Step(end)));
}

#[test]
fn a_picture_of_text() {
    insta::assert_snapshot!(ascii(&process(ROUTED)), @r#"
    ● draft (set)
    ├─╮
    ● │ route (gateway)
    │ │   steps.draft.output.risk > 5 → leads
    │ │   otherwise → ship
    ├─┼─╮
    ● │ │ leads (human_approval)
    ├─┼─╯
    ● │ ship (set)
    ├─╯
    ● report (set) always
    "#);
}

#[test]
fn a_picture_with_parallel_ways_and_a_circle() {
    let process = chain(&[
        ("a", ""),
        ("b", "a"),
        ("c", "a"),
        ("d", "a"),
        ("e", "b, d"),
        ("alone", ""),
        ("f", "e, c"),
        ("x", "y"),
        ("y", "x"),
    ]);
    insta::assert_snapshot!(ascii(&process), @r#"
    ● a (set)
    ├─┬─╮
    ● │ │ b (set)
    │ ● │ c (set)
    │ │ ● d (set)
    ├─┼─╯
    ● │ e (set)
    │ │ ● alone (set)
    ├─╯
    ● f (set)
    ↺ x (set)  waits for y in a circle
    ↺ y (set)  waits for x in a circle
    "#);
}

#[test]
fn a_mermaid_flowchart() {
    insta::assert_snapshot!(mermaid(&process(ROUTED)), @r#"
    flowchart TD
      step_draft["draft<br/><i>set</i>"]
      step_route{"route<br/><i>gateway</i>"}
      step_leads(["leads<br/><i>human_approval</i>"])
      step_ship["ship<br/><i>set</i>"]
      step_report["report<br/><i>set</i>"]
      step_draft --> step_route
      step_route -->|"steps.draft.output.risk #62; 5"| step_leads
      step_route -->|"otherwise"| step_ship
      step_leads --> step_ship
      step_draft -->|"always"| step_report
      step_ship -->|"always"| step_report
    "#);
}

#[test]
fn labels_of_flowcharts_are_escaped() {
    let process = process("  - {id: end, type: set, name: 'say \"hi\" <b> & #1; `x`', values: {a: 1}}\n");
    insta::assert_snapshot!(mermaid(&process), @r#"
    flowchart TD
      step_end["say #34;hi#34; #60;b#62; #38; #35;1; #96;x#96;<br/><i>end: set</i>"]
    "#);
}
