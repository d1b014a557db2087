//! What a person who is needed reads: what is asked, of whom, until when, and how to answer, ready to be copied.

use flowctl_core::approval::{Decision, DecisionKind, Person, evaluate};
use flowctl_core::definition::step::form::FormTimeout;
use flowctl_core::definition::step::human_approval::{NoteRequired, OnTimeout};
use flowctl_core::execution::{
    ApprovalRequest, Execution, FormRequest, MAX_SHOWN_ARGUMENTS, ShownCall, StepState, Waiting, shown_arguments,
};
use jiff::Timestamp;
use serde_json::Value;

use super::escape::{code, fenced, inline, quoted, shorten};
use super::format::{listed, moment, short_commit};
use super::marker::Ask;
use super::people::{Names, Naming};

/// Characters that all prompts together may take: the rest of the page, and the marker of what is asked, need some too.
const PROMPTS: usize = 40_000;
/// Steps that are named where there is no room for their prompts.
const HIDDEN: usize = 20;
/// Characters of a description that are shown; what is cut is said to be.
const DESCRIPTION: usize = 8_000;
/// Characters of a headline.
const TITLE: usize = 200;
/// Characters of a note.
pub const NOTE: usize = 300;
/// Fields of a form that are explained one by one.
const FIELDS: usize = 60;

/// What an execution asks of people, as far as there is room for it.
pub struct Prompts {
    /// Steps with what they ask.
    shown: Vec<(String, String)>,
    /// Steps that there is no room for.
    hidden: Vec<String>,
}

/// What an execution asks of people: the first ones that fit.
pub fn prompts(execution: &Execution, names: Names) -> Prompts {
    let (mut left, mut prompts) = (PROMPTS, Prompts { shown: Vec::new(), hidden: Vec::new() });
    for (id, step) in execution.waiting_for_people() {
        let Some(prompt) = prompt(execution, id, step, names) else { continue };
        let needed = prompt.chars().count();
        if needed <= left && prompts.hidden.is_empty() {
            left -= needed;
            prompts.shown.push((id.to_owned(), prompt));
        } else {
            prompts.hidden.push(id.to_owned());
        }
    }
    prompts
}

impl Prompts {
    /// What is asked where it is shown.
    pub fn asks(&self, execution: &Execution) -> Vec<Ask> {
        let is_shown = |ask: &Ask| self.shown.iter().any(|(id, _)| *id == ask.step);
        Ask::all(execution).into_iter().filter(is_shown).collect()
    }

    /// What is asked where a text shows it.
    pub fn asks_in(&self, text: &str, execution: &Execution) -> Vec<Ask> {
        let stands =
            |ask: &Ask| self.shown.iter().any(|(id, prompt)| *id == ask.step && text.contains(prompt.as_str()));
        Ask::all(execution).into_iter().filter(stands).collect()
    }

    /// What people read, in its order.
    pub fn sections(self) -> Vec<String> {
        let mut sections: Vec<String> = self.shown.into_iter().map(|(_, prompt)| prompt).collect();
        let named: Vec<String> = self.hidden.iter().take(HIDDEN).map(|id| code(id)).collect();
        let others = self.hidden.len() - named.len();
        let waits = match (self.hidden.len(), others) {
            (0, _) => return sections,
            (1, _) => format!("{} waits", listed(&named, "and")),
            (_, 0) => format!("{} wait", listed(&named, "and")),
            (_, others) => format!("{} and {others} more steps wait", named.join(", ")),
        };
        sections.push(format!(
            "{waits} too: there is no room for it here. It is shown, and its buttons are, once others are decided."
        ));
        sections
    }
}

/// The prompt of a step that waits for a person; nothing for any other.
fn prompt(execution: &Execution, id: &str, step: &StepState, names: Names) -> Option<String> {
    let naming = Naming { organisation: organisation(execution), names };
    match step.waiting.as_ref()? {
        Waiting::Approval(request) => Some(approval(execution, id, step, request, naming)),
        Waiting::Form(request) => Some(form(id, request, naming)),
        _ => None,
    }
}

/// The account that owns the repository.
pub fn organisation(execution: &Execution) -> &str {
    execution.repository.split('/').next().unwrap_or_default()
}

fn approval(
    execution: &Execution,
    id: &str,
    step: &StepState,
    request: &ApprovalRequest,
    naming: Naming<'_>,
) -> String {
    let mut lines = vec![who_may_approve(execution, request, naming)];
    let verdict = evaluate(&request.requirement, &step.decisions);
    if !verdict.standing.is_empty() {
        let said: Vec<String> = verdict.standing.iter().map(word).collect();
        lines.push(format!("**So far:** {}", said.join("; ")));
        if !verdict.missing.is_empty() {
            let missing = naming.still_missing(&request.requirement, &verdict.missing);
            lines.push(format!("**Still needed:** {missing}"));
        }
    }
    let dismissed: Vec<String> = dismissed(step).map(|person| naming.person(&person.login)).collect();
    if !dismissed.is_empty() {
        let names = listed(&dismissed, "and");
        lines.push(format!("**Asked again:** {names}: what was said before the newest commit or base counts no more"));
    }
    lines.extend(request.priority.unusual().map(|priority| format!("**Priority:** {priority}")));
    if let Some(commit) = &request.head_sha {
        let base = execution.base().map(|base| format!(", into {}", code(&shorten(base, TITLE))));
        lines.push(format!("**For commit:** {}{}", code(short_commit(commit)), base.unwrap_or_default()));
    }
    let programs = pushing_programs(execution);
    if !programs.is_empty() {
        lines.push(format!(
            "**Pushed by a program:** {}. Whose commits these are GitHub does not tell, and they bear any name: who had them \
             pushed may be among those asked",
            listed(&programs, "and")
        ));
    }
    let environment = &execution.trigger.payload["environment"];
    if let Some(environment) = environment.as_str().filter(|_| execution.trigger.kind == "deployment") {
        lines.push(format!("**Deployment:** to {}", code(&shorten(environment, TITLE))));
    }
    if let Some(call) = &request.call {
        lines.push(whole_call(call));
    }
    if let Some(due_at) = request.due_at {
        let then = match request.on_timeout {
            OnTimeout::Reject if request.call.is_some() => "then the call is not made",
            OnTimeout::Reject => "then it counts as rejected",
            OnTimeout::Fail => "then the step fails",
            OnTimeout::Approve => "then it counts as approved",
            OnTimeout::Escalate if request.escalate.iter().all(|level| level.at <= due_at) => {
                "then it counts as rejected"
            }
            OnTimeout::Escalate => "then more people are asked",
            OnTimeout::Continue => "then the process goes on without it",
        };
        lines.push(until(due_at, then));
    }
    lines.push(how_to_approve(execution, id, request));
    assembled(&request.title, id, &request.description, &lines)
}

/// The programs that were seen to push. GitHub marks their logins so, and gives no person one like that
/// (<https://docs.github.com/en/apps/creating-github-apps/about-creating-github-apps/about-creating-github-apps>).
fn pushing_programs(execution: &Execution) -> Vec<String> {
    let programs = execution.pushers.iter().filter(|pusher| pusher.login.ends_with("[bot]"));
    programs.take(5).map(|program| code(&program.login)).collect()
}

/// Whose last word was dismissed by what came after it.
fn dismissed(step: &StepState) -> impl Iterator<Item = &Person> {
    let last = |decision: &&Decision| {
        let last = step.decisions.iter().rev().find(|other| other.person.is(&decision.person));
        last.is_some_and(|last| std::ptr::eq(last, *decision))
    };
    let by_commit = |decision: &&Decision| {
        decision.decision == DecisionKind::Withdraw && decision.source.id.starts_with("dismissed:")
    };
    step.decisions.iter().filter(last).filter(by_commit).map(|decision| &decision.person)
}

/// A call of a tool with all that it would be given. Nobody is asked about longer ones; what was asked before that was so is cut,
/// and said to be.
fn whole_call(call: &ShownCall) -> String {
    let arguments = shown_arguments(&call.arguments);
    let shown = fenced("json", &shorten(&arguments, MAX_SHOWN_ARGUMENTS));
    let is_cut = arguments.chars().count() > MAX_SHOWN_ARGUMENTS;
    let cut = if is_cut { " (the beginning; all of it is in the API)" } else { "" };
    let (tool, operation, digest) = (code(&call.tool), code(&call.operation), code(&short(&call.digest)));
    format!("**Call:** {operation} of {tool} with these arguments{cut}, digest {digest}:\n\n{}", indented(&shown))
}

/// The beginning of a digest.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn who_may_approve(execution: &Execution, request: &ApprovalRequest, naming: Naming<'_>) -> String {
    let who = naming.requirement(&request.requirement);
    let subject = execution.subject.as_ref().filter(|_| !request.allow_author);
    let author = subject.and_then(|subject| Some((subject.is_pull_request, subject.author.as_ref()?)));
    let excluded = match author {
        Some((true, author)) => {
            format!(". The author {} and whoever wrote one of the commits do not count", inline(&author.login))
        }
        Some((false, author)) => {
            format!(". {}, who asked for it, and whoever wrote the commit do not count", inline(&author.login))
        }
        None => String::new(),
    };
    format!("**Who:** {who}{excluded}")
}

fn how_to_approve(execution: &Execution, id: &str, request: &ApprovalRequest) -> String {
    if execution.subject.as_ref().is_some_and(|subject| subject.number.is_none()) {
        return how_where_nobody_comments(request).to_owned();
    }
    let is_pull_request = execution.subject.as_ref().is_some_and(|subject| subject.is_pull_request);
    let always = request.note_required == NoteRequired::Always;
    let mut ways = Vec::new();
    if !always {
        ways.push("the buttons of the check run");
    }
    if is_pull_request {
        ways.push(if always { "a review with a text" } else { "a review" });
    }
    ways.push("a comment with one of these lines");
    let approve_note = if always { " -- why" } else { "" };
    let reject_note = if request.note_required == NoteRequired::Never { "" } else { " -- why" };
    let commands = fenced("", &format!("/approve {id}{approve_note}\n/reject {id}{reject_note}"));
    format!("**How:** {}:\n\n{}", listed(&ways, "or"), indented(&commands))
}

/// There is no page on which a comment could stand, and a button carries no note.
fn how_where_nobody_comments(request: &ApprovalRequest) -> &'static str {
    match request.note_required {
        NoteRequired::Never => "**How:** the buttons of the check run",
        NoteRequired::OnReject => {
            "**How:** the buttons of the check run; a rejection needs a note, so it is said with `flowctl approvals reject`"
        }
        NoteRequired::Always => {
            "**How:** with `flowctl approvals approve` and `flowctl approvals reject`: a note is needed, and a button carries none"
        }
    }
}

/// A person's word in a few words: `bob approved: reads well`.
pub fn word(decision: &Decision) -> String {
    let did = match decision.decision {
        DecisionKind::Approve => "approved",
        DecisionKind::Reject => "rejected",
        DecisionKind::Withdraw => "took it back",
        DecisionKind::Override => "overrode it",
    };
    let name = super::steps::said_by(decision);
    match decision.note.as_deref().map(str::trim).filter(|note| !note.is_empty()) {
        Some(note) => format!("{name} {did}: “{}”", inline(&shorten(note, NOTE))),
        None => format!("{name} {did}"),
    }
}

fn form(id: &str, request: &FormRequest, naming: Naming<'_>) -> String {
    let mut lines = vec![match &request.assignees {
        Some(assignees) => format!("**Who:** {}", naming.requirement(assignees)),
        None => "**Who:** anybody with write permission".to_owned(),
    }];
    if let Some(due_at) = request.due_at {
        let then = match request.on_timeout {
            FormTimeout::Fail => "then the step fails",
            FormTimeout::Continue => "then the process goes on with the defaults",
        };
        lines.push(until(due_at, then));
    }
    let fields = Field::all(request);
    let example = fenced("", &example(id, &fields));
    lines.push(format!("**How:** a comment like this one, filled in:\n\n{}", indented(&example)));
    let mut text = assembled(&request.title, id, &request.description, &lines);
    text.push_str("\n\n");
    text.push_str(&table(&fields));
    text
}

fn assembled(title: &str, id: &str, description: &str, lines: &[String]) -> String {
    let mut text = format!("#### ✋ {} · {}", inline(&shorten(title, TITLE)), code(id));
    let length = description.trim().chars().count();
    let description = quoted(description, DESCRIPTION);
    if !description.is_empty() {
        text.push_str("\n\n");
        text.push_str(&description);
    }
    if length > DESCRIPTION {
        text.push_str(&format!("\n\n**These are the first {DESCRIPTION} of {length} characters.**"));
    }
    text.push_str("\n\n");
    let items: Vec<String> = lines.iter().map(|line| format!("- {line}")).collect();
    text.push_str(&items.join("\n"));
    text
}

fn until(due_at: Timestamp, then: &str) -> String {
    format!("**Until:** {}; {then}", moment(due_at))
}

/// Inside a list item what follows belongs to it where it is indented.
fn indented(block: &str) -> String {
    let lines: Vec<String> =
        block.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect();
    lines.join("\n")
}

/// A question of a form, read from the schema that checks its answers.
struct Field<'a> {
    name: &'a str,
    label: Option<&'a str>,
    kind: String,
    required: bool,
    default: Option<&'a Value>,
}

impl<'a> Field<'a> {
    fn all(request: &'a FormRequest) -> Vec<Self> {
        let required: Vec<&str> = request.schema["required"]
            .as_array()
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let properties = request.schema["properties"].as_object();
        let fields = properties.into_iter().flatten().map(|(name, schema)| Field {
            name,
            label: schema["description"].as_str().or_else(|| schema["title"].as_str()),
            kind: kind_in_words(schema),
            required: required.contains(&name.as_str()),
            default: request.defaults.get(name),
        });
        fields.take(FIELDS).collect()
    }
}

fn kind_in_words(schema: &Value) -> String {
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<String> = choices.iter().take(20).map(plain_value).collect();
        return format!("one of {}", choices.join(", "));
    }
    let kind = match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("date")) => "a day, as 2026-03-01".to_owned(),
        (Some("string"), Some(format)) => format!("text ({format})"),
        (Some("string"), None) => "text".to_owned(),
        (Some("integer"), _) => "a whole number".to_owned(),
        (Some("number"), _) => "a number".to_owned(),
        (Some("boolean"), _) => "true or false".to_owned(),
        (Some("array"), _) => match schema["items"].as_object() {
            Some(_) => format!("a list, each {}", kind_in_words(&schema["items"])),
            None => "a list".to_owned(),
        },
        _ => "a mapping".to_owned(),
    };
    let range = match (&schema["minimum"], &schema["maximum"]) {
        (Value::Null, Value::Null) => String::new(),
        (least, Value::Null) => format!(" from {least}"),
        (Value::Null, most) => format!(" up to {most}"),
        (least, most) => format!(" from {least} to {most}"),
    };
    kind + &range
}

fn plain_value(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn example(id: &str, fields: &[Field<'_>]) -> String {
    let mut lines = vec![format!("/answer {id}"), "```yaml".to_owned()];
    for field in fields {
        let default = field.default.map(Value::to_string).filter(|value| value.len() <= TITLE);
        let value = default.map(|value| format!(" {value}")).unwrap_or_default();
        let optional = if field.required || field.default.is_some() { "" } else { ", optional" };
        let hint = shorten(&field.kind.replace(['\n', '`'], " "), 60);
        lines.push(format!("{}:{value}  # {hint}{optional}", field.name));
    }
    lines.push("```".to_owned());
    lines.join("\n")
}

fn table(fields: &[Field<'_>]) -> String {
    let mut rows = vec!["| field | value | |".to_owned(), "|-------|-------|-|".to_owned()];
    for field in fields {
        let needed = if field.required && field.default.is_none() { ", required" } else { "" };
        let label = field.label.map(|label| inline(&shorten(label, TITLE))).unwrap_or_default();
        rows.push(format!("| {} | {}{needed} | {label} |", code(field.name), inline(&shorten(&field.kind, TITLE))));
    }
    rows.join("\n")
}
