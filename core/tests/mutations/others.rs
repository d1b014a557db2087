//! What is changed in files that are no processes: agents, tools, policies, prompts, schemas, `flow.yaml` and tests.

use flowctl_core::definition::repository::{Definition, File, FileKind};
use flowctl_core::definition::tool::ToolType;
use flowctl_core::source::{Document, Node, Span};

use crate::keys::keys;
use crate::{Files, Mutation, Told};

/// What there is to change in one kind of file. Places are keys on the way: `*` for a list's item and for a name that the
/// author chose, `**` for groups of people inside each other.
struct Places {
    /// Keys below which names stand that the author chose.
    names: &'static [&'static str],
    /// Mappings whose keys are those of the language.
    mappings: &'static [&'static str],
    /// Keys without which something is missed, in those mappings.
    required: &'static [&'static str],
    /// Values that are one of a few words, or the name of something else.
    words: &'static [&'static str],
    /// Mappings whose keys are names of something else.
    naming: &'static [&'static str],
}

const AGENT: Places = Places {
    names: &[],
    mappings: &["", "budget", "monthly_budget", "approvers/**"],
    required: &["name", "model"],
    words: &["name", "model", "tools/*", "memory", "policy", "budget/max_cost"],
    naming: &[],
};

const TOOL: Places = Places {
    names: &["headers", "env"],
    mappings: &[""],
    required: &["name", "type", "url", "document"],
    words: &["name", "type", "method", "document", "operations/*", "approval"],
    naming: &[],
};

const POLICY: Places = Places {
    names: &["limits"],
    mappings: &[
        "",
        "approvers/**",
        "windows/*",
        "freezes/*",
        "escalate/*",
        "escalate/*/to/**",
        "quotas",
        "guarantees/*",
        "guarantees/*/passes",
    ],
    required: &["from", "to", "after", "passes"],
    words: &[
        "name",
        "extends/*",
        "windows/*/days/*",
        "windows/*/from",
        "windows/*/timezone",
        "freezes/*/from",
        "escalate/*/after",
        "quotas/cost_per_execution",
        "guarantees/*/ends_within",
        "approvers/role",
    ],
    naming: &[],
};

const SETTINGS: Places = Places {
    names: &["models", "channels", "integrations", "headers", "commands", "people", "levels"],
    mappings: &[
        "",
        "channels/*",
        "integrations/*",
        "defaults",
        "defaults/retry",
        "defaults/execution_budget",
        "monthly_budget",
        "notify/*",
        "commands/*",
        "validate",
        "audit",
    ],
    required: &["type", "url", "channel", "role"],
    words: &[
        "models/*",
        "channels/*/type",
        "defaults/timeout",
        "defaults/retry/backoff",
        "defaults/retry/on/*",
        "defaults/execution_budget/max_cost",
        "notify/*/on/*",
        "notify/*/channel",
        "commands/*/role",
        "validate/levels/*",
    ],
    naming: &["commands", "validate/levels"],
};

const TEST: Places = Places {
    names: &["users", "teams", "inputs", "stubs", "children", "steps", "values", "outputs", "output", "body"],
    mappings: &[
        "",
        "people",
        "cases/*",
        "cases/*/trigger",
        "cases/*/trigger/pull_request",
        "cases/*/stubs/*",
        "cases/*/stubs/*/*",
        "cases/*/decisions/*",
        "cases/*/answers/*",
        "cases/*/children/*",
        "cases/*/expect",
        "cases/*/expect/steps/*",
    ],
    required: &["process", "name", "expect", "by", "step", "decision", "values"],
    words: &[
        "process",
        "people/users/*",
        "people/teams/*/*",
        "cases/*/stubs/*/class",
        "cases/*/decisions/*/by",
        "cases/*/decisions/*/step",
        "cases/*/decisions/*/decision",
        "cases/*/decisions/*/refused",
        "cases/*/answers/*/by",
        "cases/*/answers/*/step",
        "cases/*/answers/*/refused",
        "cases/*/expect/status",
        "cases/*/expect/took",
        "cases/*/expect/path/*",
        "cases/*/expect/skipped/*",
        "cases/*/expect/steps/*/status",
    ],
    naming: &[
        "people/users",
        "people/teams",
        "cases/*/inputs",
        "cases/*/stubs",
        "cases/*/children",
        "cases/*/answers/*/values",
        "cases/*/expect/steps",
        "cases/*/expect/outputs",
    ],
};

const PROMPT: Places = Places {
    names: &["variables"],
    mappings: &["", "variables/*", "variables/*/items"],
    required: &["type"],
    words: &["variables/*/type", "variables/*/items/type"],
    naming: &["variables"],
};

const SCHEMA: Places = Places {
    names: &["properties"],
    mappings: &[],
    required: &[],
    words: &["type", "properties/*/type", "properties/*/items/type"],
    naming: &[],
};

/// What is not told at its place, and why.
fn told(file: &File, what: &str, place: &str) -> Told {
    let is = |change: &str, at: &str| what.starts_with(change) && place == at;
    let of_mcp = matches!(&file.definition, Some(Definition::Tool(tool)) if tool.kind.value == ToolType::Mcp);
    match file.kind {
        // A name that is declared under another one is missed by those who read it.
        FileKind::Prompt if is("misspell the name", "variables") => Told::ByReaders("FLOW202"),
        // Who says something, or is a member of a team, is somebody without a permission of their own as well.
        FileKind::Test if is("misspell the name", "people/users") || is("misspell the word", "people/teams/*/*") => {
            Told::ByReadersIfAny("FLOW421")
        }
        // What an MCP server can do only it knows: what is called is compared with what is listed.
        FileKind::Tool if of_mcp && is("misspell the word", "operations/*") => Told::ByReadersIfAny("FLOW414"),
        _ => Told::Here,
    }
}

fn places(file: &File) -> Option<&'static Places> {
    match file.kind {
        FileKind::Agent => Some(&AGENT),
        FileKind::Tool => Some(&TOOL),
        FileKind::Policy => Some(&POLICY),
        FileKind::Settings => Some(&SETTINGS),
        FileKind::Test => Some(&TEST),
        FileKind::Prompt => Some(&PROMPT),
        // What is no JSON Schema is a document of an API, whose operations the tool names.
        FileKind::Schema if file.source.path().ends_with(".json") => Some(&SCHEMA),
        _ => None,
    }
}

/// Everything that is changed in a file.
pub fn mutations(file: &File) -> Vec<Mutation> {
    let (Some(places), Some(root)) = (places(file), file.document.root()) else { return Vec::new() };
    let mut found = Vec::new();
    walk(places, file.document.node(root), &mut Vec::new(), &mut |place, node| {
        let at_place = place.join("/");
        let mut add = |what: &str, replace: Span, by: String, at: Span| {
            let (path, told) = (file.source.path().to_owned(), told(file, what, &at_place));
            let what = format!("{what} at /{at_place}");
            found.push(Mutation { what, path, replace: replace.range(), by, at: at.range(), told });
        };
        of_node(places, &file.document, place, node, &mut add);
    });
    found
}

fn of_node(
    places: &Places,
    document: &Document,
    place: &[String],
    node: Node<'_>,
    add: &mut dyn FnMut(&str, Span, String, Span),
) {
    let is_one_of = |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, place));
    let behind = |span: Span| Span { start: span.end, end: span.end };
    if is_one_of(places.mappings) {
        keys(document, node, &|_, mapping, name| is_required(places, mapping, name), add);
    }
    if is_one_of(places.words) && node.as_text().is_some_and(|text| !text.contains("{{")) {
        add("misspell the word", behind(node.span()), "x".to_owned(), node.span());
    }
    if is_one_of(places.naming) {
        for (key, _) in node.entries() {
            let what = format!("misspell the name `{}`", key.as_str().unwrap_or_default());
            add(&what, behind(key.span()), "x".to_owned(), key.span());
        }
    }
}

fn is_required(places: &Places, mapping: Node<'_>, name: &str) -> bool {
    // The document of an API says where its servers are.
    let is_elsewhere = name == "url" && mapping.get("document").is_some();
    places.required.contains(&name) && !is_elsewhere
}

/// What is expected to be refused is wrong on purpose.
fn is_wrong_on_purpose(node: Node<'_>) -> bool {
    node.get("by").is_some() && node.get("refused").is_some()
}

fn walk<'d>(places: &Places, node: Node<'d>, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], Node<'d>)) {
    visit(path, node);
    for item in node.items().into_iter().flatten().filter(|item| !is_wrong_on_purpose(*item)) {
        path.push("*".to_owned());
        walk(places, item, path, visit);
        path.pop();
    }
    let chosen = path.last().is_some_and(|last| places.names.contains(&last.as_str()));
    for (key, value) in node.entries() {
        path.push(if chosen { "*".to_owned() } else { key.as_str().unwrap_or_default().to_owned() });
        walk(places, value, path, visit);
        path.pop();
    }
}

fn matches(pattern: &str, place: &[String]) -> bool {
    if pattern.is_empty() {
        return place.is_empty();
    }
    let Some(around) = pattern.strip_suffix("/**") else { return place.iter().eq(pattern.split('/')) };
    let around: Vec<&str> = around.split('/').collect();
    let (Some(outer), Some(inner)) = (place.get(..around.len()), place.get(around.len()..)) else { return false };
    outer.iter().eq(around) && inner.iter().all(|key| matches!(key.as_str(), "any" | "all" | "*"))
}

/// A repository in which every key of these files says something.
pub fn sample() -> Files {
    let files = [
        ("processes/deploy.yaml", DEPLOY),
        ("processes/child.yaml", CHILD),
        ("agents/helper.yaml", HELPER),
        ("tools/tracker.yaml", TRACKER),
        ("tools/lookup.yaml", LOOKUP),
        ("tools/desk.yaml", DESK),
        ("schemas/desk.yaml", DESK_DOCUMENT),
        ("schemas/notes.json", NOTES_SCHEMA),
        ("prompts/notes.md", NOTES),
        ("policies/base.yaml", BASE),
        ("policies/production.yaml", PRODUCTION),
        ("flow.yaml", FLOW),
        ("tests/deploy.yaml", DEPLOY_TEST),
    ];
    files.map(|(path, text)| (format!(".flow/{path}"), text.trim_start().to_owned())).into()
}

const DEPLOY: &str = r#"
name: deploy
version: 1
triggers:
  - manual
  - pull_request: {actions: [opened]}
inputs:
  place: {type: string, enum: [staging, production], default: staging}
  days: {type: integer, default: 3}
steps:
  - id: notes
    type: ai_generate
    model: careful
    template: notes
    variables: {title: "{{ inputs.place }}", days: "{{ inputs.days }}"}
    output_schema: notes.json
    budget: {max_cost: 1 USD}
  - id: research
    type: agent_task
    agent: helper
    depends_on: notes
    message: Who else deploys?
  - id: found
    type: mcp_call
    tool: tracker
    operation: search
    expect: {schema: {type: object}}
    depends_on: research
  - id: facts
    type: form
    depends_on: found
    assignees: {team: leads}
    timeout: 1d
    fields:
      ticket: {type: string, required: true}
  - id: agree
    type: human_approval
    depends_on: facts
    policy: production
    timeout: 1d
    description: "{{ steps.notes.output.notes }} {{ steps.facts.output.ticket }}"
  - id: child
    type: process
    process: child
    depends_on: agree
  - id: call
    type: api_call
    method: POST
    url: https://deploy.example/go
    depends_on: child
  - id: tell
    type: notify
    channel: webhook
    to: pager
    depends_on: call
    message: "{{ steps.call.output.status }}"
outputs:
  notes: "{{ steps.notes.output.notes }}"
"#;

const CHILD: &str = r"
name: child
version: 1
triggers: [manual]
steps:
  - id: sign
    type: human_approval
    approvers: {team: leads}
    timeout: 1d
";

const HELPER: &str = r"
name: helper
description: Finds out who else deploys.
model: careful
instructions: Name people.
temperature: 0.5
tools:
  - tracker
  - lookup
  - desk
memory: none
approvers:
  any:
    - {team: leads}
    - users: [octocat]
      count: 1
policy: base
budget:
  max_cost: 0.50 USD
  max_turns: 10
  max_tool_calls: 20
monthly_budget: {max_cost: 20 USD}
";

const TRACKER: &str = r#"
name: tracker
description: Tickets.
type: mcp
url: https://tracker.example/mcp
operations: [search]
headers:
  authorization: "Bearer {{ secrets.TRACKER_TOKEN }}"
approval: writes
"#;

const LOOKUP: &str = r#"
name: lookup
description: Looks somebody up.
type: http
method: GET
url: "https://people.example/{{ arguments.login }}"
input_schema: {type: object, required: [login], properties: {login: {type: string}}}
approval: never
"#;

const DESK: &str = r"
name: desk
type: openapi
url: https://desk.example
document: desk.yaml
operations: [listTickets]
";

const DESK_DOCUMENT: &str = r#"
openapi: 3.1.0
info: {title: Desk, version: "1"}
paths:
  /tickets:
    get: {operationId: listTickets, summary: All tickets.}
"#;

const NOTES_SCHEMA: &str = r#"
{"type": "object", "required": ["notes"], "properties": {"notes": {"type": "string", "maxLength": 400}}}
"#;

const NOTES: &str = r"
---
description: What is deployed.
variables:
  title: {type: string, required: true}
  days:
    type: integer
    default: 3
    minimum: 1
---
What changed for {{ variables.title }} in {{ variables.days }} days?
";

const BASE: &str = r"
name: base
description: What holds everywhere.
approvers: {role: maintain}
";

const PRODUCTION: &str = r#"
name: production
description: What reaches customers.
extends: [base]
applies_to: [deploy]
guarantees:
  - {every_path_to: api_call, passes: {approval: {team: leads}}}
  - ends_within: 90d
approvers: {team: leads, count: 2}
windows:
  - days: [mon, tue]
    from: "09:00"
    to: "16:00"
    timezone: Europe/Berlin
freezes:
  - from: 2026-12-18
    to: 2027-01-04
    reason: Nobody is there.
escalate:
  - after: 4h
    to: {team: leads, count: 2}
quotas:
  concurrent_executions: 1
  executions_per_day: 9
  cost_per_execution: 40 USD
"#;

const FLOW: &str = r#"
models:
  careful: mock
channels:
  pager:
    type: webhook
    to: https://pager.example/hooks/flow
    secret: "{{ secrets.PAGER_KEY }}"
defaults:
  timeout: 2d
  execution_timeout: 30d
  execution_budget: {max_cost: 30 USD}
  retry:
    max_attempts: 2
    backoff: fixed
    initial: 1s
    on: [timeout, network]
monthly_budget: {max_cost: 300 USD}
notify:
  - on: [failed]
    channel: webhook
    to: pager
commands:
  cancel: {role: maintain}
people: {octocat: 583231}
validate:
  levels: {unused-constant: off, timeout-approves: error}
  fail_on_weakening: true
audit:
  ref: refs/flowctl/audit
"#;

const DEPLOY_TEST: &str = r"
process: deploy
people:
  users: {alice: admin, bob: maintain, carol: maintain}
  teams:
    leads: [bob, carol]
cases:
  - name: two leads agree
    trigger:
      type: pull_request
      actor: alice
      pull_request: {number: 7, title: A faster search, author: alice}
    inputs: {place: production}
    stubs:
      notes: {output: {notes: A faster search.}}
      research: {output: Nobody.}
      found: {output: {}}
      call:
        - {error: the connection was reset, class: network}
        - output: {status: 204, headers: {}, body: null}
    children:
      child:
        decisions:
          - {by: bob, step: sign, decision: approve}
    answers:
      - {by: bob, step: facts, values: {ticket: T-1}}
    decisions:
      - {by: bob, step: agree, decision: approve}
      - {after: 1h, by: carol, step: agree, decision: approve, note: Read it.}
    expect:
      status: completed
      took: 1h1s
      path: [notes, research, found, facts, agree, child, call, tell]
      steps:
        call: {status: completed, attempts: 2}
      outputs: {notes: A faster search.}
  - name: nobody answers
    inputs: {place: staging}
    stubs:
      notes: {output: {notes: A faster search.}}
      research: {output: Nobody.}
      found: {output: {}}
    expect:
      status: failed
      skipped: [agree, child, call, tell]
      steps:
        facts: {status: failed}
";
