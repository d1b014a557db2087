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

const EVERY_TYPE: &str = "  - {id: draft, type: ai_generate, model: mock, prompt: hi, output_schema: {type: object}}
  - {id: call, type: api_call, url: 'https://a.example', depends_on: draft, compensate_with: undo}
  - id: route
    type: gateway
    depends_on: call
    branches:
      - {when: \"{{ inputs.a < 1 and inputs.b == 'x \\\\ y' }}\", to: [leads, each]}
      - {otherwise: true, to: [pause]}
  - {id: leads, type: human_approval, name: 'Say \"hi\" <b>&amp;</b>', approvers: {team: leads}}
  - id: each
    type: foreach
    items: '{{ inputs.list }}'
    steps:
      - {id: inner, type: set, values: {a: 1}}
      - {id: after, type: form, depends_on: inner, fields: {x: {type: string}}}
  - {id: pause, type: wait, for: 1h, when: '{{ inputs.late }}'}
  - {id: told, type: set, depends_on: [leads, each, pause], run_on: failure, join: any, values: {a: 1}}
  - {id: undo, type: set, run_on: compensation, values: {a: 1}}
";

fn marked(steps: &str) -> (Arc<Process>, Marks) {
    let text = format!("name: hello\nversion: 1\nsteps:\n{steps}");
    let repository = crate::definition::repository::Repository::read([(".flow/processes/hello.yaml".to_owned(), text)]);
    let options = crate::validate::Options { performed_only: false, ..Default::default() };
    let report = crate::validate::validate(&repository, &options);
    let (file, process) = repository.processes().next().unwrap();
    (Arc::clone(process), Marks::of(file, process, &report.findings))
}

#[test]
fn a_graph_for_graphviz() {
    insta::assert_snapshot!(dot(&process(EVERY_TYPE), &Marks::none()), @r#"
    digraph "hello" {
      graph [fontname="Helvetica", compound=true];
      node [fontname="Helvetica", shape=box];
      edge [fontname="Helvetica", fontsize=10];
      "draft" [shape=component, label="draft\nai_generate"];
      "call" [shape=cds, label="call\napi_call"];
      "route" [shape=diamond, label="route\ngateway"];
      "leads" [shape=box, style=rounded, label="Say \"hi\" <b>&amp;</b>\nleads: human_approval"];
      subgraph "cluster_each" {
        style=dashed;
        "each" [shape=plaintext, label="each\nforeach"];
        "inner" [shape=note, label="inner\nset"];
        "after" [shape=box, style=rounded, label="after\nform"];
        "inner" -> "after";
      }
      "pause" [shape=ellipse, label="pause\nwait\nwhen inputs.late"];
      "told" [shape=note, label="told\nset\non failure\nafter the first"];
      "undo" [shape=note, label="undo\nset\nto undo"];
      "draft" -> "call";
      "call" -> "route";
      "route" -> "leads" [label="inputs.a < 1 and inputs.b == 'x \\ y'"];
      "route" -> "each" [label="inputs.a < 1 and inputs.b == 'x \\ y'"];
      "route" -> "pause" [label="otherwise"];
      "leads" -> "told" [style=dashed];
      "each" -> "told" [style=dashed];
      "pause" -> "told" [style=dashed];
      "call" -> "undo" [style=dotted, label="undone by"];
    }
    "#);
}

#[test]
fn a_picture_that_stands_alone() {
    let picture = svg(&process(EVERY_TYPE), &Marks::none());
    assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{picture}");
    for part in ["role=\"img\"", "<title id=\"flow-title\">Process hello</title>", "prefers-color-scheme:dark"] {
        assert!(picture.contains(part), "{part}");
    }
    for part in ["<script", "http://", "https://", "url(h"] {
        let rest = picture.replacen("http://www.w3.org/2000/svg", "", 1);
        assert!(!rest.contains(part), "nothing is loaded: {part}");
    }
    let description = picture.split("<desc id=\"flow-desc\">").nth(1).unwrap().split("</desc>").next().unwrap();
    insta::assert_snapshot!(description, @"10 steps. draft (ai_generate). call (api_call) after draft. route (gateway) after call. leads (human_approval) after route. each (foreach) after route. For each item of each: inner (set). after (form) after inner. pause (wait) after route. told (set) after leads, each, pause. undo (set).");
    well_formed(&picture);
}

/// Every tag is closed, and no bare `<` or `&` is left.
fn well_formed(picture: &str) {
    let mut open = Vec::new();
    let mut rest = picture;
    while let Some((text, tag)) = rest.split_once('<') {
        assert!(!text.contains('>') || open.last() == Some(&"style"), "{text}");
        for entity in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(known.iter().any(|name| entity.starts_with(name)), "{text}");
        }
        let (tag, after) = tag.split_once('>').unwrap();
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (false, true) => {}
            (false, false) => open.push(name),
        }
        rest = after;
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn steps_with_findings_are_marked_in_every_picture() {
    let steps = "  - {id: sound, type: set, values: {a: 1}}
  - {id: wrong, type: set, values: {a: '{{ inputs.a }} {{ inputs.b }}'}, depends_on: sound}
  - id: each
    type: foreach
    items: '{{ [1] }}'
    depends_on: wrong
    steps:
      - {id: inner, type: gateway, branches: [{when: '{{ item > 1 }}', to: [deep]}]}
      - {id: deep, type: set, values: {a: 1}}
";
    let (process, marks) = marked(steps);
    insta::assert_snapshot!(ascii_marked(&process, &marks), @r#"
    ● sound (set)
    ● wrong (set)  ✗ 2 errors
    ● each (foreach)
        for each item: inner ! 1 warning, deep
    "#);
    for picture in [svg(&process, &marks), dot(&process, &marks), mermaid_marked(&process, &marks)] {
        assert_eq!(picture.matches("\u{2717} 2 errors").count(), 1, "{picture}");
        assert_eq!(picture.matches("! 1 warning").count(), 1, "{picture}");
    }
    well_formed(&svg(&process, &marks));
}

#[test]
fn an_id_that_is_there_twice_is_two_boxes() {
    let twice = "  - {id: a, type: set, values: {a: 1}}\n  - {id: a, type: wait, for: 1s}\n";
    let picture = dot(&process(twice), &Marks::none());
    assert!(picture.contains("\"a\" [shape=note") && picture.contains("\"a #1\" [shape=ellipse"), "{picture}");
    assert_eq!(svg(&process(twice), &Marks::none()).matches("class=\"name\"").count(), 2);
}

#[test]
fn a_body_in_a_body_in_a_body_is_drawn_to_a_depth_and_no_further() {
    let mut steps = String::new();
    for depth in 0..40 {
        let indent = "    ".repeat(depth);
        steps += &format!(
            "{indent}  - id: s{depth}\n{indent}    type: foreach\n{indent}    items: []\n{indent}    steps:\n"
        );
    }
    steps += &format!("{}  - {{id: end, type: set, values: {{a: 1}}}}\n", "    ".repeat(40));
    let text = format!("name: hello\nversion: 1\nsteps:\n{steps}");
    let file = File::read(".flow/processes/hello.yaml", &text);
    if let Some(Definition::Process(process)) = &file.definition {
        well_formed(&svg(process, &Marks::none()));
    }
}
