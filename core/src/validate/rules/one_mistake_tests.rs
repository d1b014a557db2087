//! One mistake is one finding, at the place of the mistake, also where other files show it.

use crate::definition::repository::Repository;
use crate::validate::{Finding, Options, validate};

const NONE: [&str; 0] = [];

fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
    let files = files.iter().map(|(path, text)| (format!(".flow/{path}"), (*text).to_owned()));
    let options = Options { performed_only: false, ..Options::default() };
    validate(&Repository::read(files), &options).findings
}

/// Code, file and text of each finding.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let text = |finding: &Finding| {
        let (_, text) = files.iter().find(|(path, _)| finding.path.ends_with(path)).unwrap_or(&("", ""));
        text.get(finding.span.range()).unwrap_or_default().to_owned()
    };
    findings(files).iter().map(|one| format!("{} {} {}", one.code, one.path, text(one))).collect()
}

const TOOL: (&str, &str) =
    ("tools/search.yaml", "name: search\ntype: mcp\nurl: https://s.example/mcp\noperations: [find]\n");

#[test]
fn a_misspelt_tool_of_an_agent_is_told_at_the_agent() {
    let agent = "name: finder\nmodel: mock\ntools: [serch]\nbudget: {max_turns: 5}\n";
    let process = "name: a\nversion: 1\nsteps:\n  - {id: look, type: agent_task, agent: finder, message: Look., tools: [search]}\n";
    assert_eq!(
        found(&[("processes/a.yaml", process), ("agents/finder.yaml", agent), TOOL]),
        ["FLOW401 .flow/agents/finder.yaml serch"]
    );
}

#[test]
fn front_matter_that_is_closed_with_too_few_dashes_declares_nothing_that_is_missed() {
    let process = "name: a\nversion: 1\ninputs: {t: {type: string, required: true}}\nsteps:\n  - {id: write, type: ai_generate, model: mock, template: hello, variables: {t: \"{{ inputs.t }}\"}, output_schema: {type: object}}\n";
    let prompt = "---\nvariables:\n  t: {type: string, required: true}\n--\nHello {{ variables.t }}\n";
    assert_eq!(
        found(&[("processes/a.yaml", process), ("prompts/hello.md", prompt)]),
        ["FLOW025 .flow/prompts/hello.md ---"]
    );
}

#[test]
fn a_process_whose_name_is_not_its_files_is_not_unknown_to_its_callers() {
    let child = "name: chil\nversion: 1\nsteps:\n  - {id: s, type: set, values: {v: 1}}\n";
    let caller = "name: a\nversion: 1\nsteps:\n  - {id: p, type: process, process: child}\n  - {id: q, type: process, process: child, depends_on: p}\n";
    let other = "name: b\nversion: 1\ntriggers: [{process: {name: child, on: completed}}]\nsteps:\n  - {id: s, type: set, values: {v: 1}}\n";
    assert_eq!(
        found(&[("processes/a.yaml", caller), ("processes/b.yaml", other), ("processes/child.yaml", child)]),
        ["FLOW017 .flow/processes/child.yaml chil"]
    );
}

#[test]
fn a_file_in_utf_16_is_told_once() {
    let text: String =
        "\u{FFFD}\u{FFFD}".chars().chain("name: a\nversion: 1\n".chars().flat_map(|c| [c, '\0'])).collect();
    let told = findings(&[("processes/a.yaml", &text)]);
    assert_eq!(told.iter().map(|one| one.code).collect::<Vec<_>>(), ["FLOW009"]);
}

#[test]
fn a_circle_of_processes_is_one_mistake() {
    let process = |number: usize| {
        let next = (number + 1) % 10;
        format!("name: p{number}\nversion: 1\nsteps:\n  - {{id: s, type: process, process: p{next}}}\n")
    };
    let files: Vec<(String, String)> =
        (0..10).map(|number| (format!("processes/p{number}.yaml"), process(number))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let told = findings(&files);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].code, "FLOW407");
    assert_eq!(told[0].related.len(), 9);
}

#[test]
fn a_renamed_step_whose_readers_were_forgotten_is_one_mistake_mended_everywhere() {
    let process = "name: a\nversion: 1\nsteps:\n  - {id: drafft, type: set, values: {v: 1}, compensate_with: undo}\n  - {id: undo, type: set, run_on: compensation, values: {v: \"{{ steps.draft.output.v }}\"}}\n  - {id: b, type: set, depends_on: draft, values: {v: \"{{ steps.draft.output.v }} {{ steps.draft.status }}\"}}\n  - {id: g, type: gateway, branches: [{when: \"{{ execution.version > 1 }}\", to: [draft]}, {otherwise: true, to: [b]}]}\n";
    let told = findings(&[("processes/a.yaml", process)]);
    assert_eq!(told.len(), 1, "{told:?}");
    let fix = told[0].fix.as_ref().map(|fix| fix.edits.as_slice()).unwrap_or_default();
    assert_eq!((told[0].code, told[0].related.len(), fix.len()), ("FLOW203", 4, 5));
    let mut mended = process.to_owned();
    for edit in fix.iter().rev() {
        mended.replace_range(edit.span.range(), &edit.text);
    }
    assert!(findings(&[("processes/a.yaml", &mended)]).iter().all(|one| !one.message.contains("exist")));
    // Two names that no step has are two mistakes.
    let process = "name: a\nversion: 1\nsteps:\n  - {id: b, type: set, values: {v: \"{{ steps.one.output }} {{ steps.two.output }} {{ steps.one.status }}\"}}\n";
    assert_eq!(
        found(&[("processes/a.yaml", process)]),
        ["FLOW203 .flow/processes/a.yaml one", "FLOW203 .flow/processes/a.yaml two"]
    );
}

#[test]
fn a_constant_that_an_alias_shares_is_used() {
    let process = "name: a\nversion: 1\ncontext: {quick: &q {timeout: 5s}, text: &t hello, left: &l 1}\nsteps:\n  - id: s\n    <<: *q\n    type: api_call\n    url: https://x.example\n  - {id: n, type: set, depends_on: s, values: {v: *t}}\n";
    assert_eq!(found(&[("processes/a.yaml", process)]), ["FLOW029 .flow/processes/a.yaml left"]);
}

#[test]
fn markup_in_the_file_of_an_agent_is_told_in_its_place() {
    let process = "name: a\nversion: 1\nsteps:\n  - {id: look, type: agent_task, agent: finder, message: Look.}\n";
    let agent = |instructions: &str| {
        format!("name: finder\nmodel: mock\ninstructions: {instructions}\nbudget: {{max_turns: 5}}\n")
    };
    let told =
        |instructions: &str| found(&[("processes/a.yaml", process), ("agents/finder.yaml", &agent(instructions))]);
    assert_eq!(told("\"For {{ trigger.actor }}: find it.\""), ["FLOW210 .flow/agents/finder.yaml {{ trigger.actor }}"]);
    assert_eq!(told("|\n  One.\n  Two {% if x %}three{% endif %}."), ["FLOW210 .flow/agents/finder.yaml {% if x %}"]);
    assert_eq!(told("Find { it } and {this}."), NONE);
}

const TESTED: &str = "name: a\nversion: 1\nsteps:\n  - {id: s, type: set, values: {all: [1], deep: {one: 1}}}\n  - {id: w, type: api_call, url: https://x.example, depends_on: s}\n  - {id: ap, type: human_approval, title: ok, approvers: {team: leads}, timeout: 1d, depends_on: w}\n";

fn test_file(people: &str, expect: &str) -> Vec<String> {
    let test = format!(
        "process: a\npeople: {people}\ncases:\n  - name: one\n    stubs: {{w: {{output: {{status: 200, headers: {{}}, body: null}}}}}}\n    decisions: [{{by: ann, step: ap, decision: approve}}]\n    expect: {expect}\n"
    );
    found(&[("processes/a.yaml", TESTED), ("tests/a.yaml", &test)])
}

#[test]
fn a_field_that_a_step_does_not_give_cannot_be_expected() {
    let people = "{users: {ann: write}, teams: {leads: [ann]}}";
    let expect = |steps: &str| test_file(people, &format!("{{status: completed, steps: {{{steps}}}}}"));
    assert_eq!(expect("s: {output: {all: [1], deep: {one: 1}}}"), NONE);
    assert_eq!(expect("s: {output: {al: [1], deep: {one: 1}}}"), ["FLOW426 .flow/tests/a.yaml al"]);
    assert_eq!(expect("s: {output: {all: [1], deep: {own: 1}}}"), ["FLOW426 .flow/tests/a.yaml own"]);
    assert_eq!(expect("w: {output: {status: 200, headers: {x: y}, body: {any: 1}}}"), NONE);
    assert_eq!(expect("w: {output: {statsu: 200}}"), ["FLOW426 .flow/tests/a.yaml statsu"]);
}

#[test]
fn people_and_teams_of_a_test_that_nothing_names_are_told() {
    let expect = "{status: completed}";
    assert_eq!(test_file("{users: {ann: write}, teams: {leads: [ann, bob]}}", expect), NONE);
    assert_eq!(test_file("{users: {ann: write}, teams: {acme/Leads: [ann]}}", expect), NONE);
    assert_eq!(test_file("{users: {ann: write}, teams: {lead: [ann]}}", expect), ["FLOW421 .flow/tests/a.yaml lead"]);
    assert_eq!(test_file("{users: {ann: write}, teams: {leads: [anne]}}", expect), ["FLOW421 .flow/tests/a.yaml anne"]);
}

#[test]
fn an_id_that_cannot_be_one_hides_only_names_that_may_mean_it() {
    let told = |id: &str| {
        let process = format!(
            "name: a\nversion: 1\nsteps:\n  - {{{id}type: set, values: {{v: 1}}}}\n  - {{id: b, type: set, depends_on: my_draft, values: {{v: \"{{{{ steps.my_draft.output.v }}}}\"}}}}\n  - {{id: c, type: set, depends_on: ghost, values: {{v: \"{{{{ steps.phantom.output.v }}}}\"}}}}\n  - {{id: g, type: gateway, branches: [{{otherwise: true, to: [nowhere]}}]}}\n"
        );
        let found = found(&[("processes/a.yaml", &process)]);
        found.iter().map(|one| one.replace(" .flow/processes/a.yaml ", " ")).collect::<Vec<_>>()
    };
    let others = ["FLOW012 ghost", "FLOW203 phantom", "FLOW106 nowhere"];
    for id in ["My-Draft", "my draft", "MyDraft", "1_my_draft", "draft!"] {
        let told = told(&format!("id: {id}, "));
        assert_eq!(told.len(), 4, "{id}: {told:?}");
        assert!(told[0].starts_with("FLOW014 "), "{id}: {told:?}");
        assert_eq!(told[1..], others, "{id}");
    }
    // Whoever wrote no id at all may have thought of any.
    for id in ["", "id: 7, ", "id: '?', ", "id: [x], "] {
        assert_eq!(told(id).len(), 1, "{id}: {:?}", told(id));
    }
}

/// The same unknown name in two rules' places, the first of which nobody wants to hear of.
const TWICE: &str = "name: a\nversion: 1\nsteps:\n  - {id: a, type: set, values: {v: 1}}\n  # HERE\n  - {id: b, type: set, depends_on: [a, gone], values: {v: 1}}\n  - {id: c, type: set, depends_on: a, values: {v: \"{{ steps.gone.output.x }}\"}}\n  - {id: d, type: set, depends_on: a, values: {v: \"{{ steps.gone.output.x }}\"}}\n";

#[test]
fn a_name_that_is_unknown_in_several_places_is_told_at_the_first() {
    assert_eq!(found(&[("processes/a.yaml", TWICE)]), ["FLOW012 .flow/processes/a.yaml gone"]);
}

#[test]
fn a_suppression_at_the_first_place_hides_nothing_of_another_rule_elsewhere() {
    let suppressed = TWICE.replace("# HERE", "# flowctl: ignore[FLOW012] known elsewhere");
    let told = findings(&[("processes/a.yaml", &suppressed)]);
    assert_eq!(told.iter().map(|one| (one.code, one.related.len())).collect::<Vec<_>>(), [("FLOW203", 1)]);
}

#[test]
fn a_rule_that_is_off_at_the_first_place_hides_nothing_of_another_rule_elsewhere() {
    for rule in ["FLOW012", "unknown-dependency"] {
        let settings = format!("validate: {{levels: {{{rule}: off}}}}\n");
        let told = findings(&[("processes/a.yaml", TWICE), ("flow.yaml", &settings)]);
        assert_eq!(
            told.iter().map(|one| (one.code, one.related.len())).collect::<Vec<_>>(),
            [("FLOW203", 1)],
            "{rule}"
        );
    }
}

#[test]
fn an_input_that_only_a_notification_of_the_process_reads_is_used() {
    let process = "name: a\nversion: 1\ninputs: {mail: {type: string, required: true}, other: {type: string}}\nsteps:\n  - {id: s, type: set, values: {v: 1}}\nnotify:\n  - {on: [completed], channel: email, to: \"{{ inputs.mail }}\"}\n";
    assert_eq!(found(&[("processes/a.yaml", process)]), ["FLOW209 .flow/processes/a.yaml other"]);
}

#[test]
fn a_test_that_reads_what_may_be_missing_fails_itself_and_is_told_there_alone() {
    let process = |test: &str| {
        format!(
            "name: a\nversion: 1\ninputs: {{one: {{type: string}}}}\nsteps:\n  - {{id: s, type: set, values: {{v: \"{{{{ inputs.one if {test} else 'x' }}}}\"}}}}\n"
        )
    };
    let told = findings(&[("processes/a.yaml", &process("inputs.one"))]);
    let column =
        process("inputs.one").lines().last().unwrap_or_default().find("if inputs.one").unwrap_or_default() + 11;
    let column = u32::try_from(column).unwrap_or_default();
    assert_eq!(told.iter().map(|one| (one.code, one.range.start.column)).collect::<Vec<_>>(), [("FLOW205", column)]);
    for guarded in ["inputs.one is defined", "inputs.one | default('')"] {
        assert_eq!(found(&[("processes/a.yaml", &process(guarded))]), NONE, "{guarded}");
    }
}

/// A process is played again for a bounded number of guarded reads; beyond that nothing is claimed.
#[test]
fn reads_that_are_guarded_raise_no_false_alarm_however_many_there_are() {
    let mut process = "name: a\nversion: 1\ninputs: {deep: {type: boolean, default: false}}\nsteps:\n  - {id: scan, type: set, when: '{{ inputs.deep }}', values: {hits: 1}}\n".to_owned();
    for number in 0..80 {
        process.push_str(&format!(
            "  - {{id: s{number}, type: set, depends_on: scan, run_on: always, values: {{v: \"{{{{ steps.scan.output.hits if inputs.deep else {number} }}}}\"}}}}\n"
        ));
    }
    assert_eq!(found(&[("processes/a.yaml", &process)]), NONE);
}

#[test]
fn a_misspelt_provider_was_sound() {
    let step = |id: &str, model: &str| {
        format!(
            "  - {{id: {id}, type: ai_generate, model: {model}, prompt: Hello., output_schema: {{type: object}}}}\n"
        )
    };
    let models = ["opnai/gpt-5", "mock/nonsense", "openai/gpt-5", "mock/timeout", "mock", "careful", "compatible/a/b"];
    let steps: String = models.iter().enumerate().map(|(place, model)| step(&format!("s{place}"), model)).collect();
    let process = format!("name: a\nversion: 1\nsteps:\n{steps}");
    let settings = "models: {careful: antropic/claude-sonnet-4-5}\n";
    let found = findings(&[("processes/a.yaml", &process), ("flow.yaml", settings)]);
    let told: Vec<String> = found.iter().filter(|one| one.code == "FLOW402").map(|one| one.message.clone()).collect();
    assert_eq!(
        told,
        [
            "there is no provider `antropic`",
            "there is no provider `opnai`",
            "the provider `mock` has no model `nonsense`"
        ]
    );
}

#[test]
fn an_input_that_is_given_already_was_meant_by_no_other() {
    let child = "name: child\nversion: 1\ninputs: {env1: {type: string, required: true}, env2: {type: string, required: true}}\nsteps:\n  - {id: s, type: set, values: {v: \"{{ inputs.env1 }}{{ inputs.env2 }}\"}}\n";
    let caller =
        "name: a\nversion: 1\nsteps:\n  - {id: p, type: process, process: child, inputs: {env1: x, env3: y}}\n";
    let files = [("processes/a.yaml", caller), ("processes/child.yaml", child)];
    assert_eq!(found(&files), ["FLOW411 .flow/processes/a.yaml env3"]);
    assert_eq!(findings(&files)[0].help.as_deref(), Some("did you mean `env2`?"));
}

#[test]
fn all_that_a_call_lacks_is_one_finding() {
    let inputs: Vec<String> =
        ["one", "two", "six"].iter().map(|name| format!("{name}: {{type: string, required: true}}")).collect();
    let child = format!(
        "name: child\nversion: 1\ninputs: {{{}}}\nsteps:\n  - {{id: s, type: set, values: {{v: '{{{{ inputs.one ~ inputs.two ~ inputs.six }}}}'}}}}\n",
        inputs.join(", ")
    );
    let caller = "name: a\nversion: 1\nsteps:\n  - {id: p, type: process, process: child}\n";
    let files = [("processes/a.yaml", caller), ("processes/child.yaml", child.as_str())];
    let findings = findings(&files);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].message, "process `child` needs the inputs `one`, `two` and `six`");
    assert_eq!(findings[0].related.len(), 3);
}

#[test]
fn of_an_agent_that_is_not_understood_nobody_knows_whom_it_names() {
    let agent = "name: bot\nmodel: mock\nbudget: {max_turns: 5}\napprovers: {team: leads}\nmodle: x\n";
    let process =
        "name: a\nversion: 1\nsteps:\n  - {id: act, type: agent_task, agent: bot, message: Look., policy: empty}\n";
    let files = [("processes/a.yaml", process), ("agents/bot.yaml", agent), ("policies/empty.yaml", "name: empty\n")];
    assert_eq!(found(&files), ["FLOW010 .flow/agents/bot.yaml modle"]);
}

#[test]
fn a_word_that_is_nearly_as_expected_is_written_out() {
    let told = |trigger: &str, status: &str| {
        let process = format!(
            "name: a\nversion: 1\ntriggers: [{{comment: {trigger}}}]\nsteps:\n  - {{id: s, type: api_call, url: 'https://x.example', expect: {{status: {status}}}}}\n"
        );
        let found = findings(&[("processes/a.yaml", &process)]);
        found.into_iter().map(|one| format!("{}; {}", one.message, one.help.unwrap_or_default())).collect::<Vec<_>>()
    };
    insta::assert_debug_snapshot!(
        [told("triage", "[2XX]"), told("/Triage", "201"), told("/a b", "2xx"), told("/triage", "[soon]")],
        @r#"
    [
        [
            "`triage` is not as expected: The word of a comment trigger with its slash: `/release`; write `/triage`",
            "`2XX` is not as expected: A number from 100 to 599, or a class such as `2xx`; write `2xx`",
        ],
        [
            "`/Triage` is not as expected: The word of a comment trigger with its slash: `/release`; write `/triage`",
            "expected a list, found the number 201; write `[201]`",
        ],
        [
            "`/a b` is not as expected: The word of a comment trigger with its slash: `/release`; ",
            "expected a list, found the text `2xx`; write `[2xx]`",
        ],
        [
            "`soon` is not as expected: A number from 100 to 599, or a class such as `2xx`; ",
        ],
    ]
    "#
    );
}

/// Code and text of each finding in a process with these steps and more keys, and what is said to do.
fn helped(steps: &str, more: &str) -> Vec<String> {
    let text = format!("name: a\nversion: 1\nsteps:\n{steps}{more}");
    let told = findings(&[("processes/a.yaml", &text)]);
    let line = |one: &Finding| {
        let place = text.get(one.span.range()).unwrap_or_default();
        format!("{} {place}: {}", one.code, one.help.as_deref().unwrap_or_default())
    };
    told.iter().map(line).collect()
}

#[test]
fn a_key_nearly_another_that_takes_something_else_is_told_once() {
    let asks = |approvers: &str| helped(&format!("  - {{id: s, type: human_approval, approvers: {approvers}}}\n"), "");
    insta::assert_debug_snapshot!(
        [
            asks("{teams: [qa]}"),
            asks("{user: bob}"),
            asks("{any: [{teams: [qa]}, {team: ops}], count: 2}"),
            helped("  - {id: s, type: set, values: {v: 1}, timout: [5m]}\n", ""),
        ],
        @r#"
    [
        [
            "FLOW010 teams: did you mean `team`? It takes text; write `qa`",
        ],
        [
            "FLOW010 user: did you mean `users`? It takes a list; write `[bob]`",
        ],
        [
            "FLOW010 teams: did you mean `team`? It takes text; write `qa`",
        ],
        [
            "FLOW010 timout: did you mean `timeout`? It takes text; write for example `30s`",
        ],
    ]
    "#
    );
}

#[test]
fn a_key_that_nobody_knows_stands_for_the_one_that_is_missing() {
    let approval = "  - {id: s, type: human_approval, approvers: {team: qa}}\n";
    let guarantee = |text: &str| helped(approval, &format!("guarantees:\n  - {text}\n"));
    insta::assert_debug_snapshot!(
        [
            helped("  - {id: s, type: workflow, file: release.yml}\n", ""),
            helped("  - {id: s, type: wait, seconds: 3}\n", ""),
            guarantee("{every_path_to: s, through: s}"),
            guarantee("{path: s, passes: s}"),
            guarantee("{ends: 1d}"),
            guarantee("{no_data_from: trigger, into: [s]}"),
            guarantee("{no_data_from: trigger, to: [s], unless: {approved_by: {team: qa}}}"),
        ],
        @r#"
    [
        [
            "FLOW010 file: `workflow` is missing: was it meant?",
        ],
        [
            "FLOW010 seconds: known here: `id`, `type`, `name`, `depends_on`, `join`, `when`, `run_on`, `timeout`, `retry`, `on_failure`, `compensate_with`, `for` …",
        ],
        [
            "FLOW010 through: known here: `every_path_to`, `passes`, `no_data_from`, `to`, `unless`, `ends_within` and `at_most`",
        ],
        [
            "FLOW010 path: known here: `every_path_to`, `passes`, `no_data_from`, `to`, `unless`, `ends_within` and `at_most`",
        ],
        [
            "FLOW010 ends: known here: `every_path_to`, `passes`, `no_data_from`, `to`, `unless`, `ends_within` and `at_most`",
        ],
        [
            "FLOW010 into: known here: `every_path_to`, `passes`, `no_data_from`, `to`, `unless`, `ends_within` and `at_most`",
        ],
        [
            "FLOW010 approved_by: `reviewed_by` is missing: was it meant?",
        ],
    ]
    "#
    );
    // Where nobody hears of that key as of an error, what is missing is told by itself.
    let steps = "  # flowctl: ignore[FLOW010] our portal reads it\n  - {id: s, type: workflow, x_owner: me}\n";
    let told = helped(steps, "");
    assert!(matches!(told.as_slice(), [told] if told.starts_with("FLOW011")), "{told:?}");
    // What is missed beside a slip of the pen is missed nevertheless.
    let told = helped("  - {id: s, type: workflow, nmae: release.yml}\n", "");
    assert_eq!(told.iter().map(|line| &line[..7]).collect::<Vec<_>>(), ["FLOW011", "FLOW010"], "{told:?}");
}

#[test]
fn a_compensation_that_does_not_say_so_is_told_where_it_is_named() {
    let process = |run_on: &str| {
        format!(
            "name: a\nversion: 1\nsteps:\n  - {{id: ship, type: workflow, workflow: ship.yml, compensate_with: undo}}\n  - {{id: undo, type: workflow, workflow: undo.yml{run_on}, inputs: {{run: \"{{{{ steps.ship.output.run_id }}}}\"}}}}\n"
        )
    };
    let told = |run_on: &str| found(&[("processes/a.yaml", &process(run_on))]);
    assert_eq!(told(""), ["FLOW107 .flow/processes/a.yaml undo"]);
    assert_eq!(told(", run_on: compensation"), NONE);
}

#[test]
fn what_people_write_from_habit_is_answered_with_what_to_write() {
    let approval =
        |fields: &str| helped(&format!("  - {{id: s, type: human_approval, approvers: {{team: qa}}, {fields}}}\n"), "");
    let form = |kind: &str| helped(&format!("  - {{id: s, type: form, fields: {{a: {{type: {kind}}}}}}}\n"), "");
    insta::assert_debug_snapshot!(
        [
            approval("timeout: 24"),
            approval("allow_author: no"),
            approval("allow_author: Yes"),
            helped("  - {id: s, type: human_approval, approvers: {team: [qa]}}\n", ""),
            helped("  - {id: s, type: human_approval, approvers: {team: [qa, ops]}}\n", ""),
            helped("  - {id: s, type: api_call, url: 'https://x.example', retry: {jitter: off}}\n", ""),
            form("text"),
            form("int"),
            form("array"),
        ],
        @r#"
    [
        [
            "FLOW013 24: write it with a unit: `24s`, `24m` or `24h`",
        ],
        [
            "FLOW013 no: write `false`",
        ],
        [
            "FLOW013 Yes: write `true`",
        ],
        [
            "FLOW013 [qa]: write `qa`",
        ],
        [
            "FLOW013 [qa, ops]: ",
        ],
        [
            "FLOW013 off: write `false`",
        ],
        [
            "FLOW014 text: did you mean `string`?",
        ],
        [
            "FLOW014 int: did you mean `integer`?",
        ],
        [
            "FLOW014 array: did you mean `list`?",
        ],
    ]
    "#
    );
}

#[test]
fn a_stub_that_its_step_refuses_is_right_where_the_case_shows_that() {
    let process = "name: a\nversion: 1\nsteps:\n  - {id: call, type: api_call, url: https://x.example, on_failure: continue, expect: {schema: {type: object, required: [id]}}}\n  - {id: other, type: api_call, depends_on: call, url: https://x.example}\n";
    let told = |expect: &str| {
        let test = format!(
            "process: a\ncases:\n  - name: x\n    stubs: {{call: {{output: {{body: {{}}}}}}}}\n    expect: {expect}\n"
        );
        found(&[("processes/a.yaml", process), ("tests/a.yaml", &test)])
    };
    for shown in [
        "{steps: {call: {status: failed}}}",
        "{status: completed, steps: {call: {error: id}}}",
        "{status: failed}",
        "{error: id}",
    ] {
        assert_eq!(told(shown), NONE, "{shown}");
    }
    for other in ["{status: completed}", "{status: failed, steps: {other: {status: failed}}}"] {
        assert_eq!(told(other), ["FLOW423 .flow/tests/a.yaml body"], "{other}");
    }
}

#[test]
fn an_input_made_required_is_told_once_in_each_file_that_leaves_it_out() {
    let child = "name: child\nversion: 1\ninputs: {who: {type: string, required: true}}\nsteps:\n  - {id: s, type: set, values: {v: \"{{ inputs.who }}\"}}\n";
    let parent = "name: parent\nversion: 1\nsteps:\n  - {id: one, type: process, process: child}\n  - {id: two, type: foreach, items: [1], steps: [{id: in, type: process, process: child, inputs: {}}]}\n  - {id: three, type: process, process: child, inputs: {who: ann}}\n";
    let test = "process: child\ncases:\n  - {name: first, expect: {status: completed}}\n  - {name: second, inputs: {}, expect: {status: completed}}\n  - {name: third, inputs: {who: ann}, expect: {status: completed}}\n";
    let files = [("processes/child.yaml", child), ("processes/parent.yaml", parent), ("tests/child.yaml", test)];
    assert_eq!(found(&files), ["FLOW411 .flow/processes/parent.yaml process", "FLOW425 .flow/tests/child.yaml first"]);
    let also: Vec<Vec<String>> = findings(&files)
        .iter()
        .map(|one| one.related.iter().map(|other| format!("{} {}", other.path, other.message)).collect())
        .collect();
    assert_eq!(
        also,
        [
            [".flow/processes/child.yaml declared here", ".flow/processes/parent.yaml it is missing here too"],
            [".flow/processes/child.yaml declared here", ".flow/tests/child.yaml it is missing here too"],
        ]
    );
}

#[test]
fn an_input_that_is_left_out_on_purpose_in_one_place_is_told_at_the_others() {
    let child = "name: child\nversion: 1\ninputs: {who: {type: string, required: true}}\nsteps:\n  - {id: s, type: set, values: {v: \"{{ inputs.who }}\"}}\n";
    let parent = "name: parent\nversion: 1\nsteps:\n  - {id: one, type: process, process: child}  # flowctl: ignore[FLOW411] it never runs\n  - {id: two, type: process, process: child, inputs: {}}\n";
    let files = [("processes/child.yaml", child), ("processes/parent.yaml", parent)];
    assert_eq!(found(&files), ["FLOW411 .flow/processes/parent.yaml inputs"]);
}

#[test]
fn one_expression_that_cannot_be_read_hides_no_other() {
    let process = |value: &str| {
        format!(
            "name: a\nversion: 1\ninputs: {{who: {{type: string, default: x}}}}\nsteps:\n  - {{id: s, type: set, values: {{v: \"{value}\"}}}}\n"
        )
    };
    let told = |value: &str| found(&[("processes/a.yaml", &process(value))]);
    let file = ".flow/processes/a.yaml";
    assert_eq!(
        told(
            "{{ inputs.hwo }} and {{ inputs.who | upperr }} and {{ inputs.who && 1 }} and {{ steps.nope.output }} {{ secrets.A }}"
        ),
        [
            format!("FLOW202 {file} hwo"),
            format!("FLOW201 {file} upperr"),
            format!("FLOW201 {file} &&"),
            format!("FLOW203 {file} nope"),
            format!("FLOW502 {file} secrets"),
        ]
    );
    // What cannot be read hides its own scalar's type, and is told once.
    assert_eq!(told("{{ inputs.who | upperr }}"), [format!("FLOW201 {file} upperr")]);
    let prompt =
        "---\nvariables:\n  t: {type: string, required: true}\n---\n{{ variables.t | upperr }} {{ variables.u }}\n";
    let step = "name: a\nversion: 1\nsteps:\n  - {id: write, type: ai_generate, model: mock, template: hello, variables: {t: x}, output_schema: {type: object}}\n";
    assert_eq!(
        found(&[("processes/a.yaml", step), ("prompts/hello.md", prompt)]),
        ["FLOW201 .flow/prompts/hello.md upperr", "FLOW202 .flow/prompts/hello.md u"]
    );
}

#[test]
fn an_id_with_a_hyphen_is_told_once_where_it_is_declared() {
    let process = "name: a\nversion: 1\ninputs: {n: {type: boolean, default: true}}\nsteps:\n  - {id: g, type: gateway, branches: [{when: \"{{ inputs.n }}\", to: [deploy-prod]}, {otherwise: true, to: [skip]}]}\n  - {id: deploy-prod, type: set, values: {x: 1}}\n  - {id: skip, type: set, values: {x: 1}}\n  - {id: z, type: set, depends_on: [deploy-prod, skip], when: \"{{ steps.deploy-prod.status == 'completed' }}\", values: {x: \"{{ steps['deploy-prod'].output.x | default(0) }}\", y: \"{{ steps.deploy-prod.status }}\"}}\n";
    assert_eq!(found(&[("processes/a.yaml", process)]), ["FLOW014 .flow/processes/a.yaml deploy-prod"]);
    let [told] = findings(&[("processes/a.yaml", process)]).try_into().expect("one finding");
    assert_eq!((told.range.start.line, told.help.as_deref()), (6, Some("write `deploy_prod`")));
}

#[test]
fn a_step_that_is_named_with_a_hyphen_by_mistake_is_told_once() {
    let process = |value: &str, before: &str| {
        format!(
            "name: a\nversion: 1\nsteps:\n  - {{id: fetch_data, type: set, values: {{x: 1}}}}\n  - {{id: z, type: set, depends_on: {before}, values: {{v: \"{value}\"}}}}\n"
        )
    };
    let told = |value: &str, before: &str| {
        let told = findings(&[("processes/a.yaml", &process(value, before))]);
        told.iter().map(|one| format!("{} {}", one.code, one.help.as_deref().unwrap_or_default())).collect::<Vec<_>>()
    };
    for value in [
        "{{ steps.fetch-data.output.x }}",
        "{{ steps['fetch-data'].output.x }}",
        "a {{ steps.fetch-data.output.x + 1 }}",
    ] {
        assert_eq!(told(value, "fetch_data"), ["FLOW203 did you mean `fetch_data`?"], "{value}");
    }
    assert_eq!(told("{{ steps.fetch_data.output.x }}", "fetch-data"), ["FLOW014 write `fetch_data`"]);
    assert_eq!(told("{{ steps.fetch_data.output.x -1 }}", "fetch_data"), NONE);
}

#[test]
fn a_guarantee_is_not_told_to_prove_nothing_because_of_another_mistake() {
    let process = |word: &str| {
        format!(
            "name: a\nversion: 1\ninputs: {{env: {{type: string, enum: [dev, prod], default: dev}}}}\nguarantees: [{{every_path_to: ship, passes: {{approval: {{team: leads}}}}}}]\nsteps:\n  - {{id: g, type: gateway, branches: [{{when: \"{{{{ inputs.env == '{word}' }}}}\", to: [ask]}}, {{otherwise: true, to: [note]}}]}}\n  - {{id: ask, type: human_approval, title: t, approvers: {{team: leads}}, timeout: 1d}}\n  - {{id: note, type: set, values: {{x: 1}}}}\n  - {{id: ship, type: api_call, method: POST, url: \"https://a.example\", depends_on: ask, when: \"{{{{ inputs.env != 'dev' }}}}\"}}\n"
        )
    };
    assert_eq!(found(&[("processes/a.yaml", &process("prd"))]), ["FLOW208 .flow/processes/a.yaml 'prd'"]);
    assert_eq!(found(&[("processes/a.yaml", &process("prod"))]), NONE);
}
