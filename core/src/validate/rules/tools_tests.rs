//! What other programs wrote and agents do because of it: tools that read beside tools that write, answers that reach an
//! agent, and what stands between.

use crate::definition::repository::Repository;
use crate::validate::{Options, validate};

const BOT: &str = "name: bot\nmodel: mock\ntools: [writer]\nbudget: {max_turns: 5}\n";
const READER: &str = "name: reader\nmodel: mock\ntools: [finder]\nbudget: {max_turns: 5}\n";
const WRITER: &str = "name: writer\ntype: mcp\nurl: https://t.example\noperations: [close_issue]\napproval: never\n";
const FINDER: &str = "name: finder\ntype: mcp\nurl: https://t.example\noperations: [search_issues]\napproval: never\n";

/// What is said of agents in a process with these steps, with files beside it in place of the usual ones.
fn with(steps: &str, files: &[(&str, &str)]) -> Vec<String> {
    let process = format!("name: x\nversion: 1\ntriggers: [{{pull_request: {{actions: [opened]}}}}]\nsteps:\n{steps}");
    let usual = [
        ("processes/x.yaml", process.as_str()),
        ("agents/bot.yaml", BOT),
        ("agents/reader.yaml", READER),
        ("tools/writer.yaml", WRITER),
        ("tools/finder.yaml", FINDER),
    ];
    let others = usual.iter().filter(|(path, _)| files.iter().all(|(other, _)| other != path)).chain(files);
    let repository = Repository::read(others.map(|(path, text)| (format!(".flow/{path}"), (*text).to_owned())));
    for file in repository.files.values() {
        assert!(file.faults.is_empty() && file.structure.is_empty(), "{:?} {:?}", file.faults, file.structure);
    }
    let report = validate(&repository, &Options::default());
    let wanted = report.findings.iter().filter(|finding| matches!(finding.code, "FLOW512" | "FLOW515"));
    wanted.map(|finding| format!("{} {} {}", finding.range.start.line, finding.code, finding.message)).collect()
}

/// The same of steps beside the usual files.
fn said(steps: &str) -> Vec<String> {
    with(steps, &[])
}

/// The same of an agent with these tools, whose task is a fixed one.
fn of_tools(tools: &str, files: &[(&str, &str)]) -> Vec<String> {
    let bot = BOT.replace("[writer]", tools);
    let files: Vec<_> = files.iter().copied().chain([("agents/bot.yaml", bot.as_str())]).collect();
    with("  - {id: tidy, type: agent_task, agent: bot, message: Tidy up.}\n", &files)
}

#[test]
fn an_agent_that_reads_and_writes_asks_somebody_before_it_writes() {
    insta::assert_debug_snapshot!(
        [
            of_tools("[finder, writer]", &[]),
            of_tools("[both]", &[("tools/both.yaml", "name: both\ntype: mcp\nurl: https://t.example\napproval: never\n")]),
            of_tools("[page, writer]", &[("tools/page.yaml", "name: page\ntype: http\nurl: https://t.example\n")]),
        ],
        @r#"
        [
            [
                "5 FLOW515 `bot` reads with `finder` what others wrote, and changes something with `writer`, asking nobody",
            ],
            [
                "5 FLOW515 `bot` reads with `both` what others wrote, and changes something with it, asking nobody",
            ],
            [
                "5 FLOW515 `bot` reads with `page` what others wrote, and changes something with `writer`, asking nobody",
            ],
        ]
        "#
    );
    // The tool is asked about, or the other half is not there.
    let asking = WRITER.replace("never", "writes");
    let always = WRITER.replace("never", "always");
    assert_eq!(of_tools("[finder, writer]", &[("tools/writer.yaml", &asking)]), Vec::<String>::new());
    assert_eq!(of_tools("[finder, writer]", &[("tools/writer.yaml", &always)]), Vec::<String>::new());
    assert_eq!(of_tools("[finder]", &[]), Vec::<String>::new());
    assert_eq!(of_tools("[writer]", &[]), Vec::<String>::new());
    let post = "name: page\ntype: http\nmethod: POST\nurl: https://t.example\napproval: never\n";
    assert_eq!(of_tools("[page]", &[("tools/page.yaml", post)]), Vec::<String>::new());
    let get = "name: page\ntype: http\nurl: https://t.example\napproval: never\n";
    assert_eq!(of_tools("[page, finder]", &[("tools/page.yaml", get)]), Vec::<String>::new());
}

#[test]
fn a_task_is_held_to_the_tools_that_it_chooses() {
    let bot = BOT.replace("[writer]", "[finder, writer]");
    let task = |tools: &str| {
        let step = format!("  - {{id: tidy, type: agent_task, agent: bot, message: Tidy up., tools: {tools}}}\n");
        with(&step, &[("agents/bot.yaml", &bot)])
    };
    assert_eq!(task("[finder]"), Vec::<String>::new());
    assert_eq!(task("[writer]"), Vec::<String>::new());
    assert_eq!(task("[writer, finder]").len(), 1);
}

#[test]
fn a_document_of_the_repository_says_which_operations_write() {
    let document = r#"{"openapi": "3.1.0", "paths": {"/items/{id}": {"get": {"operationId": "item"}, "post": {"operationId": "getRidOf"}}}}"#;
    let tool = |operations: &str| {
        let tool = format!(
            "name: shop\ntype: openapi\nurl: https://t.example\ndocument: shop.json\n{operations}approval: never\n"
        );
        of_tools("[shop]", &[("tools/shop.yaml", &tool), ("schemas/shop.json", document)])
    };
    assert_eq!(tool("operations: [item]\n"), Vec::<String>::new(), "it only reads");
    assert_eq!(tool("operations: [getRidOf]\n"), Vec::<String>::new(), "it only writes");
    assert_eq!(tool("operations: [item, getRidOf]\n").len(), 1);
    assert_eq!(tool("").len(), 1);
    let reading = document.replace("\"post\"", "\"head\"");
    let tool = "name: shop\ntype: openapi\nurl: https://t.example\ndocument: shop.json\napproval: never\n";
    let all = of_tools("[shop]", &[("tools/shop.yaml", tool), ("schemas/shop.json", &reading)]);
    assert_eq!(all, Vec::<String>::new(), "all of it only reads");
}

const FETCH: &str = "  - {id: fetch, type: api_call, url: 'https://t.example/latest'}\n";

/// A call, something behind it, and an agent that reads what came of it.
fn behind(between: &str, message: &str, task: &str) -> Vec<String> {
    said(&format!("{FETCH}{between}  - {{id: act, type: agent_task, agent: bot, message: \"{message}\", {task}}}\n"))
}

#[test]
fn what_calls_answered_tells_no_agent_what_to_do() {
    let summary = "  - {id: sum, type: ai_generate, model: mock, prompt: '{{ steps.fetch.output.body }}', depends_on: fetch, output_schema: {type: object, required: [t, n, k], properties: {t: {type: string}, n: {type: integer}, k: {enum: [a, b]}}}}\n";
    insta::assert_debug_snapshot!(
        [
            behind("", "{{ steps.fetch.output.body }}", "depends_on: fetch"),
            behind("", "It said {{ steps.fetch.output.headers['x-note'] }}", "depends_on: fetch"),
            behind(summary, "{{ steps.sum.output.t }}", "depends_on: sum"),
            said("  - {id: look, type: mcp_call, tool: finder, operation: search_issues}\n  - {id: act, type: agent_task, agent: bot, message: '{{ steps.look.output }}', depends_on: look}\n"),
            said("  - {id: read, type: agent_task, agent: reader, message: What is new?}\n  - {id: act, type: agent_task, agent: bot, message: '{{ steps.read.output }}', depends_on: read}\n"),
        ],
        @r#"
        [
            [
                "6 FLOW515 `steps.fetch.output.body` tells an agent what to do, and another program wrote it",
            ],
            [
                "6 FLOW515 `steps.fetch.output.headers['x-note']` tells an agent what to do, and another program wrote it",
            ],
            [
                "7 FLOW515 `steps.sum.output.t` tells an agent what to do, and another program wrote it",
            ],
            [
                "6 FLOW515 `steps.look.output` tells an agent what to do, and another program wrote it",
            ],
            [
                "6 FLOW515 `steps.read.output` tells an agent what to do, and another program wrote it",
            ],
        ]
        "#
    );
    // Numbers and words of a list tell nobody anything, and an agent without such tools repeats nothing of others.
    assert_eq!(behind("", "{{ steps.fetch.output.status }}", "depends_on: fetch"), Vec::<String>::new());
    for wordless in ["{{ steps.sum.output.n }}", "{{ steps.sum.output.k }}", "{{ steps.sum.output.t | length }}"] {
        assert_eq!(behind(summary, wordless, "depends_on: sum"), Vec::<String>::new(), "{wordless}");
    }
    let shaped = "  - {id: fetch, type: api_call, url: 'https://t.example/latest', expect: {schema: {type: object, additionalProperties: false, required: [n], properties: {n: {type: integer}}}}}\n";
    let told = said(&format!(
        "{shaped}  - {{id: act, type: agent_task, agent: bot, message: '{{{{ steps.fetch.output.body }}}}', depends_on: fetch}}\n"
    ));
    assert_eq!(told, Vec::<String>::new());
    let thinking = "name: reader\nmodel: mock\nbudget: {max_turns: 5}\n";
    let told = with(
        "  - {id: read, type: agent_task, agent: reader, message: Think.}\n  - {id: act, type: agent_task, agent: bot, message: '{{ steps.read.output }}', depends_on: read}\n",
        &[("agents/reader.yaml", thinking)],
    );
    assert_eq!(told, Vec::<String>::new());
}

#[test]
fn somebody_who_sees_the_text_stands_between_a_call_and_an_agent() {
    let body = "{{ steps.fetch.output.body }}";
    let approval = |more: &str| {
        format!(
            "  - {{id: ok, type: human_approval, title: Go on?, description: '{body}', approvers: {{team: leads}}, timeout: 1d, depends_on: fetch, {more}}}\n"
        )
    };
    let form = |more: &str| {
        format!(
            "  - {{id: ok, type: form, description: '{body}', fields: {{note: {{type: string, required: true}}}}, timeout: 1d, depends_on: fetch, {more}}}\n"
        )
    };
    // The author of the change did not write it: that word counts too.
    for between in [approval(""), approval("allow_author: true"), form("")] {
        assert_eq!(behind(&between, body, "depends_on: ok"), Vec::<String>::new(), "{between}");
    }
    assert_eq!(behind(&form(""), "{{ steps.ok.output.note }}", "depends_on: ok"), Vec::<String>::new());
    for around in [approval("on_timeout: approve"), approval("on_reject: continue")] {
        let told = behind(&around, body, "depends_on: ok");
        assert!(told.len() == 1 && told[0].contains("; nobody need have approved it: "), "{told:?}");
    }
    let told = behind(&form("on_timeout: continue"), body, "depends_on: ok");
    assert_eq!(told, ["7 FLOW515 `steps.fetch.output.body` tells an agent what to do, and another program wrote it"]);
    // Another text was shown.
    let told = behind(&approval("").replace(body, "Go?"), body, "depends_on: ok");
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn words_of_calls_are_followed_into_sub_processes() {
    let child = "name: child\nversion: 1\ninputs: {text: {type: string, required: true}}\nsteps:\n  - {id: act, type: agent_task, agent: bot, message: '{{ inputs.text }}'}\n";
    let call = |given: &str| {
        let steps = format!(
            "{FETCH}  - {{id: sub, type: process, process: child, inputs: {{text: '{given}'}}, depends_on: fetch}}\n"
        );
        with(&steps, &[("processes/child.yaml", child)])
    };
    assert_eq!(
        call("{{ steps.fetch.output.body.text }}"),
        ["5 FLOW515 `inputs.text` tells an agent what to do, and another program wrote it"]
    );
    assert_eq!(call("Tidy up."), Vec::<String>::new());
}

#[test]
fn one_agent_in_danger_is_told_of_once() {
    let bot = BOT.replace("[writer]", "[finder, writer]");
    let told = with(
        &format!(
            "{FETCH}  - {{id: act, type: agent_task, agent: bot, message: '{{{{ trigger.pull_request.title }}}} {{{{ steps.fetch.output.body }}}}', depends_on: fetch}}\n"
        ),
        &[("agents/bot.yaml", &bot)],
    );
    assert_eq!(
        told,
        ["6 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it"]
    );
}

#[test]
fn whoever_may_allow_calls_is_looked_at_like_whoever_may_approve() {
    let codes = |agent: &str, task: &str| {
        let process = format!(
            "name: x\nversion: 1\ntriggers: [{{comment: /go}}]\ninputs: {{who: {{type: string, required: true}}}}\nsteps:\n  - {{id: act, type: agent_task, agent: bot, message: 'Hi {{{{ inputs.who }}}}', {task}}}\n"
        );
        let bot = format!("{BOT}{agent}");
        let files = [
            ("processes/x.yaml", process.as_str()),
            ("agents/bot.yaml", bot.as_str()),
            ("tools/writer.yaml", &WRITER.replace("never", "writes")),
            ("policies/strict.yaml", "name: strict\napprovers: {team: leads}\n"),
            ("policies/empty.yaml", "name: empty\n"),
        ];
        let files = files.map(|(path, text)| (format!(".flow/{path}"), text.to_owned()));
        let report = validate(&Repository::read(files), &Options::default());
        report.findings.iter().map(|one| format!("{} {}", one.code, one.path)).collect::<Vec<_>>()
    };
    let (process, agent) = (".flow/processes/x.yaml", ".flow/agents/bot.yaml");
    for (in_agent, in_task, expected) in [
        ("", "", None),
        ("approvers: {team: leads, count: 2}\n", "approvers: {role: admin}", None),
        ("policy: strict\n", "policy: strict", None),
        ("approvers: {users: [ann], count: 2}\n", "", Some(("FLOW301", agent))),
        ("", "approvers: {users: [ann], count: 2}", Some(("FLOW301", process))),
        ("policy: empty\n", "", Some(("FLOW301", agent))),
        ("", "policy: empty", Some(("FLOW301", process))),
        ("policy: strikt\n", "", Some(("FLOW401", agent))),
        ("", "policy: strikt", Some(("FLOW401", process))),
        ("approvers: {users: ['{{ inputs.who }}']}\n", "", Some(("FLOW210", agent))),
        ("", "approvers: {users: ['{{ inputs.who }}']}", Some(("FLOW507", process))),
        ("approvers: {team: leads}\n", "approvers: {users: ['{{ inputs.who }}']}", None),
        ("policy: strict\n", "approvers: {users: ['{{ inputs.who }}']}", None),
        ("approvers: {team: leads}\n", "policy: empty", None),
        ("policy: strict\n", "policy: empty", None),
        ("", "approvers: {users: ['{{ inputs.whom }}']}", Some(("FLOW202", process))),
        ("", "approvers: {users: ['{{ trigger.pull_request.author }}']}", Some(("FLOW310", process))),
    ] {
        let expected: Vec<String> = expected.iter().map(|(code, path)| format!("{code} {path}")).collect();
        assert_eq!(codes(in_agent, in_task), expected, "{in_agent} {in_task}");
    }
}
