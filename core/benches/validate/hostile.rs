//! Files that nobody writes by accident: each tries to cost more than it weighs.

use std::fmt::Write;

/// How large the files are.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "tests make small files, the bench large ones")]
pub enum Size {
    /// Some kilobytes, for tests.
    Small,
    /// As large as the issue of hostile files has been: 20,000 levels, 50 MB, 200,000 steps, a megabyte of expression.
    Full,
}

/// The repositories by name, each with the paths and texts of its files: those of one process, and those of many.
pub fn repositories(size: Size) -> Vec<(&'static str, Vec<(String, String)>)> {
    let calls = if size == Size::Small { 8 } else { 200 };
    let one = |(name, text)| (name, vec![(".flow/processes/a.yaml".to_owned(), text)]);
    let mut repositories: Vec<_> = files(size).into_iter().map(one).collect();
    repositories.push(("many-calls-of-processes", calls_of_processes(calls)));
    repositories
}

/// The files of one process by name.
pub fn files(size: Size) -> Vec<(&'static str, String)> {
    let pick = |small, full| if size == Size::Small { small } else { full };
    vec![
        ("alias-bomb", alias_bomb(pick(12, 30))),
        ("merge-bomb", merge_bomb(pick(12, 30))),
        ("deep-flow-lists", process(&format!("{}1{}", "[".repeat(pick(500, 20_000)), "]".repeat(pick(500, 20_000))))),
        ("deep-flow-maps", process(&format!("{}1{}", "{a: ".repeat(pick(500, 20_000)), "}".repeat(pick(500, 20_000))))),
        ("deep-blocks", deep_blocks(pick(200, 2_000))),
        ("open-brackets", "[".repeat(pick(2_000, 1_000_000))),
        ("one-long-line", "a".repeat(pick(100_000, 50_000_000))),
        ("many-lines", "a: b\n".repeat(pick(2_000, 10_000_000))),
        ("many-steps", steps(pick(1_500, 200_000), "type: set, values: {a: 1}")),
        ("many-unknown-keys", steps(pick(300, 20_000), "type: set, valeus: {a: 1}")),
        ("many-unknown-dependencies", steps(pick(300, 20_000), "type: set, depends_on: [nobody], values: {a: 1}")),
        ("many-misspelt-dependencies", each_step(pick(300, 20_000), "depends_on: [t@]")),
        ("many-misspelt-compensations", each_step(pick(300, 20_000), "compensate_with: t@")),
        ("many-misspelt-inputs", misspelt_inputs(pick(30, 900), pick(300, 100_000))),
        ("many-misspelt-receivers", misspelt_receivers(pick(300, 15_000))),
        ("many-missing-inputs", missing_inputs(pick(30, 8_000), pick(300, 15_000))),
        (
            "many-duplicate-ids",
            "name: a\nversion: 1\nsteps:\n".to_owned()
                + &"  - {id: a, type: wait, for: 1s}\n".repeat(pick(300, 20_000)),
        ),
        ("dense-graph", dense_graph(pick(60, 600))),
        ("long-expression", expression(&"a + ".repeat(pick(500, 250_000)))),
        ("deep-expression", expression(&"(".repeat(pick(500, 60_000)))),
        ("many-expressions", many_expressions(pick(200, 40_000))),
        ("long-chain", expression(&format!("steps{} ", ".a".repeat(pick(500, 30_000))))),
        ("many-branches", many_branches(pick(100, 5_000))),
        ("nested-foreach", nested_foreach(pick(40, 100))),
        ("nested-approvers", nested_approvers(pick(60, 120))),
        ("catastrophic-pattern", pattern("(a+)+$")),
        ("huge-pattern", pattern("(((a{100}){100}){100}){100}")),
        ("recursive-schema", recursive_schema(pick(10, 25))),
        ("control-characters", "name: \u{1}\u{2}\u{7f}\u{85}\u{feff}\nsteps: \u{2028}\n".repeat(pick(50, 50_000))),
        ("many-suppressions", "# flowctl: ignore[FLOW999] because\n".repeat(pick(300, 100_000))),
        ("many-keys", many_keys(pick(500, 100_000))),
    ]
}

fn process(values: &str) -> String {
    format!("name: a\nversion: 1\nsteps:\n  - {{id: a, type: set, values: {{a: {values}}}}}\n")
}

fn alias_bomb(levels: usize) -> String {
    let mut text = String::from("name: a\nversion: 1\ncontext:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..levels {
        let before = format!("*a{}", level - 1);
        let _ = writeln!(text, "  a{level}: &a{level} [{}]", [before.as_str(); 9].join(", "));
    }
    text
}

fn merge_bomb(levels: usize) -> String {
    let mut text = String::from("name: a\nversion: 1\ncontext:\n  a0: &a0 {x: 1}\n");
    for level in 1..levels {
        let _ = writeln!(
            text,
            "  a{level}: &a{level}\n    <<: [*a{0}, *a{0}]\n    k{level}: *a{0}\n    l{level}: *a{0}",
            level - 1
        );
    }
    text
}

fn deep_blocks(levels: usize) -> String {
    let mut text = String::new();
    for level in 0..levels {
        let _ = writeln!(text, "{}a:", " ".repeat(level));
    }
    text
}

fn steps(count: usize, rest: &str) -> String {
    let mut text = String::from("name: a\nversion: 1\nsteps:\n");
    for number in 0..count {
        let _ = writeln!(text, "  - {{id: s{number}, {rest}}}");
    }
    text
}

/// Each step names others by its own number, which stands in `rest` as `@`.
fn each_step(count: usize, rest: &str) -> String {
    let mut text = String::from("name: a\nversion: 1\nsteps:\n");
    for number in 0..count {
        let rest = rest.replace('@', &number.to_string());
        let _ = writeln!(text, "  - {{id: s{number}, type: set, {rest}, values: {{a: 1}}}}");
    }
    text
}

/// Every name is near to every input.
fn misspelt_inputs(known: usize, unknown: usize) -> String {
    let mut text = String::from("name: a\nversion: 1\ninputs:\n");
    for number in 0..known {
        let _ = writeln!(text, "  abcdefghijkl{number}: {{type: string}}");
    }
    text.push_str("steps:\n  - id: a\n    type: set\n    values:\n");
    for number in 0..unknown {
        let _ = writeln!(text, "      v{number}: '{{{{ inputs.lkjihgfedcba{number} }}}}'");
    }
    text
}

/// The same of those who are told.
fn misspelt_receivers(count: usize) -> String {
    let mut text = String::from("name: a\nversion: 1\ninputs:\n");
    for number in 0..count {
        let _ = writeln!(text, "  abcdefghijkl{number}: {{type: string}}");
    }
    text.push_str("notify:\n");
    for number in 0..count {
        let to = format!("{{{{ inputs.lkjihgfedcba{number} }}}}");
        let _ = writeln!(text, "  - {{on: [failed], channel: email, to: ['{to}']}}");
    }
    text.push_str("steps:\n  - {id: a, type: wait, for: 1s}\n");
    text
}

/// Processes as deep as they may run each other, each of which runs the next one many times: there are more ways through
/// them than anybody can go. All guarantees are stated of all of them.
fn calls_of_processes(calls: usize) -> Vec<(String, String)> {
    const DEEPEST: usize = 16;
    let guarantees = "guarantees: [{every_path_to: api_call, passes: {approval: {team: leads}}}, {every_path_to: workflow, passes: {approval: {team: leads}}}, {no_data_from: trigger, to: [s0]}, {ends_within: 1s}, {at_most: 0.01 USD}]";
    let process = |level: usize| {
        let mut text =
            format!("name: p{level}\nversion: 1\ninputs: {{v: {{type: string, default: x}}}}\n{guarantees}\nsteps:\n");
        for number in 0..calls {
            let what = match level {
                DEEPEST => "type: api_call, url: 'https://example.com', headers: {x-v: '{{ inputs.v }}'}".to_owned(),
                _ => format!("type: process, process: p{}, inputs: {{v: '{{{{ inputs.v }}}}'}}", level + 1),
            };
            let _ = writeln!(text, "  - {{id: s{number}, {what}}}");
        }
        text.push_str("outputs: {v: '{{ steps.s0.output }}'}\n");
        (format!(".flow/processes/p{level}.yaml"), text)
    };
    (0..=DEEPEST).map(process).collect()
}

/// Each step calls a process that needs what none gives.
fn missing_inputs(steps: usize, needed: usize) -> String {
    let mut text = String::from("name: a\nversion: 1\ninputs:\n");
    for number in 0..needed {
        let _ = writeln!(text, "  i{number}: {{type: string, required: true}}");
    }
    text.push_str("steps:\n");
    for number in 0..steps {
        let _ = writeln!(text, "  - {{id: s{number}, type: process, process: a, inputs: {{j{number}: 1}}}}");
    }
    text
}

/// Each step waits for all before it, and reads the first.
fn dense_graph(count: usize) -> String {
    let mut text = String::from("name: a\nversion: 1\nsteps:\n");
    for number in 0..count {
        let before: Vec<String> = (0..number).map(|number| format!("s{number}")).collect();
        let _ = writeln!(
            text,
            "  - {{id: s{number}, type: set, depends_on: [{}], values: {{a: '{{{{ steps.s{}.output.b }}}}'}}}}",
            before.join(", "),
            number / 2
        );
    }
    text
}

fn expression(text: &str) -> String {
    process(&format!("'{{{{ {text}1 }}}}'"))
}

fn many_expressions(count: usize) -> String {
    let mut text = String::from("name: a\nversion: 1\nsteps:\n  - id: a\n    type: set\n    values:\n");
    for number in 0..count {
        let _ = writeln!(text, "      v{number}: '{{{{ inputs.nothing{number} | default(1) | uper }}}}'");
    }
    text
}

fn many_branches(count: usize) -> String {
    let mut text = String::from(
        "name: a\nversion: 1\ninputs: {n: {type: integer, default: 1}}\nsteps:\n  - {id: z, type: wait, for: 1s}\n  - id: g\n    type: gateway\n    branches:\n",
    );
    for number in 0..count {
        let _ = writeln!(text, "      - {{when: '{{{{ inputs.n > {number} }}}}', to: [z]}}");
    }
    text
}

fn nested_foreach(levels: usize) -> String {
    let mut text = String::from("name: a\nversion: 1\nsteps:\n");
    for level in 0..levels {
        let indent = " ".repeat(2 + level * 2);
        let _ = writeln!(
            text,
            "{indent}- id: f{level}\n{indent}  type: foreach\n{indent}  items: [1, 2]\n{indent}  steps:"
        );
    }
    let _ = writeln!(text, "{}- {{id: last, type: wait, for: 1s}}", " ".repeat(2 + levels * 2));
    text
}

fn nested_approvers(levels: usize) -> String {
    let (open, close) = ("{any: [{all: [".repeat(levels / 2), "]}]}".repeat(levels / 2));
    format!(
        "name: a\nversion: 1\nsteps:\n  - {{id: a, type: human_approval, approvers: {open}{{users: [x], count: 9}}{close}}}\n"
    )
}

fn pattern(pattern: &str) -> String {
    let long = "a".repeat(5_000);
    format!(
        "name: a\nversion: 1\ninputs:\n  who: {{type: string, pattern: '{pattern}', default: {long}!}}\nsteps:\n  \
         - {{id: a, type: wait, for: 1s}}\n"
    )
}

/// Each definition refers to the next one twice.
fn recursive_schema(levels: usize) -> String {
    let mut definitions = String::new();
    for level in 0..levels {
        let next = (level + 1) % levels;
        let _ = write!(
            definitions,
            "d{level}: {{type: object, properties: {{a: {{$ref: '#/$defs/d{next}'}}, b: {{$ref: '#/$defs/d{next}'}}}}}}, "
        );
    }
    format!(
        "name: a\nversion: 1\nsteps:\n  - id: a\n    type: ai_generate\n    model: mock\n    prompt: x\n    \
         output_schema: {{$ref: '#/$defs/d0', $defs: {{{definitions}}}}}\n  - {{id: b, type: set, depends_on: a, \
         values: {{x: '{{{{ steps.a.output.a.b.a.c }}}}'}}}}\n"
    )
}

fn many_keys(count: usize) -> String {
    let mut text = String::from("name: a\nversion: 1\n");
    for number in 0..count {
        let _ = writeln!(text, "key{number}: 1");
    }
    text
}
