//! Small random processes of every step type, as text: `main`, which may start `part`, which may start `piece`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use flowctl_core::definition::repository::Repository;
use flowctl_core::execution::{Performable, Plan};

use super::chance::Chance;

/// Who starts whom.
pub const NAMES: [&str; 3] = ["main", "part", "piece"];

/// Types that are work for whoever performs attempts.
const WORK: [&str; 6] = [
    "type: api_call, url: 'http://127.0.0.1/'",
    "type: ai_generate, model: mock, prompt: hello, output_schema: {type: object}",
    "type: agent_task, agent: writer, message: hello",
    "type: mcp_call, tool: desk, operation: look",
    "type: workflow, workflow: build.yml",
    "type: notify, channel: webhook, to: 'http://127.0.0.1/', message: hello",
];

/// The processes and their texts.
pub struct Processes {
    pub plans: BTreeMap<&'static str, Arc<Plan>>,
    pub texts: Vec<String>,
    /// Whether the event `begin` starts `main`.
    pub begins_by_event: bool,
}

impl Processes {
    pub fn random(chance: &mut Chance) -> Self {
        let begins_by_event = chance.once_in(3);
        let texts: Vec<String> = (0..NAMES.len()).map(|place| process(chance, place, begins_by_event)).collect();
        let files = NAMES.iter().zip(&texts).map(|(name, text)| (format!(".flow/processes/{name}.yaml"), text.clone()));
        let beside = [
            (".flow/agents/writer.yaml", "name: writer\nmodel: mock\n"),
            (".flow/tools/desk.yaml", "name: desk\ntype: http\nurl: 'http://127.0.0.1/'\n"),
        ];
        let beside = beside.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let repository = Repository::read(files.chain(beside));
        for file in repository.files.values() {
            assert!(
                file.faults.is_empty() && file.structure.is_empty(),
                "{:#?} {:#?}\n{texts:?}",
                file.faults,
                file.structure
            );
        }
        let plan = |name| repository.plan_for(name, &Performable::everything()).unwrap().unwrap();
        let plans = NAMES.iter().map(|name| (*name, Arc::new(plan(name)))).collect();
        Self { plans, texts, begins_by_event }
    }
}

fn process(chance: &mut Chance, place: usize, begins_by_event: bool) -> String {
    let mut text = format!("name: {}\nversion: 1\n", NAMES[place]);
    if place == 0 && begins_by_event {
        text.push_str("triggers: [manual, {event: begin}]\n");
    }
    if chance.once_in(4) {
        text.push_str("defaults: {execution_timeout: 4h}\n");
    }
    if chance.once_in(3) {
        // The same group for all at times: a sub-process may not wait for the one above it.
        let group = if chance.once_in(4) { "all" } else { NAMES[place] };
        let on_conflict = chance.word(&["queue", "queue", "cancel", "skip"]);
        writeln!(text, "concurrency: {{group: {group}, on_conflict: {on_conflict}}}").unwrap();
    }
    let count = 1 + chance.below(if place == 0 { 5 } else { 3 });
    let steps = Steps { child: NAMES.get(place + 1).copied(), prefix: "s".to_owned(), depth: 2 }.write(chance, count);
    text.push_str("steps:\n");
    for step in steps {
        writeln!(text, "- {step}").unwrap();
    }
    text
}

/// Steps of one list.
struct Steps {
    /// The process that they may start.
    child: Option<&'static str>,
    prefix: String,
    /// How deep lists of items may go from here.
    depth: usize,
}

impl Steps {
    fn write(&self, chance: &mut Chance, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for index in 0..count {
            let id = format!("{}{index}", self.prefix);
            let kind = self.kind(chance, &id, index, count);
            let mut more = String::new();
            let before: Vec<String> =
                (0..index).filter(|_| chance.once_in(2)).map(|before| format!("{}{before}", self.prefix)).collect();
            write!(more, ", depends_on: [{}]", before.join(", ")).unwrap();
            if chance.once_in(3) {
                write!(more, ", run_on: {}", chance.word(&["failure", "always", "always"])).unwrap();
            }
            if chance.once_in(4) {
                more.push_str(", join: any");
            }
            if chance.once_in(4) {
                more.push_str(", on_failure: continue");
            }
            if chance.once_in(8) {
                write!(more, ", when: '{{{{ {} == 1 }}}}'", chance.below(2)).unwrap();
            }
            let undone = chance.once_in(4);
            if undone {
                write!(more, ", compensate_with: {id}_undo").unwrap();
            }
            texts.push(format!("{{id: {id}, {kind}{more}}}"));
            if undone {
                let undo = chance.word(&["type: set, values: {undone: true}", WORK[0], "type: wait, for: 1m"]);
                texts.push(format!("{{id: {id}_undo, {undo}, run_on: compensation}}"));
            }
        }
        texts
    }

    fn kind(&self, chance: &mut Chance, id: &str, index: usize, count: usize) -> String {
        let retry = match chance.below(3) {
            0 => ", retry: {max_attempts: 3, initial: 10s, on: [any]}",
            1 => ", retry: {max_attempts: 2, backoff: fixed, initial: 1s, jitter: false}",
            _ => "",
        };
        let timeout = if chance.once_in(2) { ", timeout: 2h" } else { "" };
        match chance.below(12) {
            0 => "type: set, values: {x: 1}".to_owned(),
            1 if index + 1 < count => {
                let targets: Vec<String> =
                    (index + 1..count).map(|target| format!("{}{target}", self.prefix)).collect();
                let (one, other) = (chance.pick(&targets).clone(), chance.pick(&targets).clone());
                let (holds, mode) = (chance.below(2), chance.word(&["first", "all"]));
                format!(
                    "type: gateway, mode: {mode}, branches: [{{when: '{{{{ {holds} == 1 }}}}', to: [{one}]}}, {{otherwise: true, to: [{other}]}}]"
                )
            }
            2..=4 => format!("{}{retry}", chance.word(&WORK)),
            5 => format!("type: wait, {}", chance.word(&["for: 1m", "for: 3h", "until: '2026-03-02T10:00:00Z'"])),
            6 => {
                let timeout = if chance.once_in(2) { ", timeout: 1h" } else { "" };
                format!("type: wait, event: {{name: {}{timeout}}}{retry}", chance.word(&["paid", "begin"]))
            }
            7 => approval(chance, timeout),
            8 => {
                let on_timeout = if timeout.is_empty() { "" } else { ", on_timeout: continue" };
                let reminders = chance.word(&["", ", reminders: [30m, 1h]"]);
                format!(
                    "type: form, fields: {{text: {{type: string, required: true}}}}{timeout}{on_timeout}{reminders}"
                )
            }
            9 | 10 if self.depth > 0 => {
                let within = Self { child: self.child, prefix: format!("{id}_"), depth: self.depth - 1 };
                let count = 1 + chance.below(3);
                let body = within.write(chance, count);
                let items = chance.word(&["[]", "[1]", "[1, 2, 3]"]);
                let (parallel, on_failure) = (1 + chance.below(3), chance.word(&["fail", "continue"]));
                format!(
                    "type: foreach, items: {items}, max_parallel: {parallel}, on_item_failure: {on_failure}, steps: [{}]{timeout}{retry}",
                    body.join(", ")
                )
            }
            _ => match self.child {
                Some(child) => {
                    let wait = if chance.once_in(4) { ", wait: false" } else { "" };
                    format!("type: process, process: {child}{wait}{timeout}{retry}")
                }
                None => WORK[0].to_owned(),
            },
        }
    }
}

fn approval(chance: &mut Chance, timeout: &str) -> String {
    let on_timeout = match timeout {
        "" => String::new(),
        _ => match chance.word(&["reject", "fail", "approve", "escalate", "continue"]) {
            "escalate" => ", on_timeout: escalate, escalate: [{after: 1h, to: {users: [bob]}}]".to_owned(),
            other => format!(", on_timeout: {other}"),
        },
    };
    let more = chance.word(&["", ", on_reject: continue", ", reminders: [30m]", ", keep_on_push: always"]);
    format!("type: human_approval, approvers: {{users: [ann]}}{timeout}{on_timeout}{more}")
}
