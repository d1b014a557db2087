//! Whose words tell an agent with tools what to do: what tools can do as far as their definitions say, and words that reach
//! an agent's message without anybody having looked at them. Which of them is a fault the rules say.

use std::collections::BTreeMap;

use serde_json::Value;

use super::finding::Finding;
use super::reaching::{Arrival, OUTSIDERS, arrivals, carries_words, tell_way};
use super::rule::Findings;
use super::scope::{ProcessScope, Scope};
use super::walk::{agents, tools};
use crate::dataflow::{Field, Origins, Path};
use crate::definition::Step;
use crate::definition::agent::Agent;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::api_call::Method;
use crate::definition::step::form::FormTimeout;
use crate::definition::step::human_approval::{OnReject, OnTimeout};
use crate::definition::step::{AgentTask, OnFailure, StepKind};
use crate::definition::tool::{self, Tool, ToolApproval, ToolType};
use crate::guarantee::{Counterexample, Question, Reviewed, Reviewers, reviewed};
use crate::source::Spanned;
use crate::value::StepId;

/// Most places of a way around an approval that are shown beside a finding.
const MAX_PLACES: usize = 8;

/// The agents of a repository, and what their tools can do.
pub(super) struct Agents<'r> {
    agents: BTreeMap<&'r str, (&'r File, &'r Agent)>,
    tools: BTreeMap<&'r str, Known<'r>>,
}

/// What is known of a tool before it runs.
#[derive(Clone, Copy)]
pub(super) struct Known<'r> {
    /// Its file.
    pub(super) file: &'r File,
    /// The tool.
    pub(super) tool: &'r Tool,
    /// Whether a call may change something, and no person is asked before.
    pub(super) asks_nobody: bool,
    /// Whether it is there to be read: what it gives is what others wrote.
    pub(super) brings_words: bool,
}

/// A tool that an agent may use for a task, as it is named there.
pub(super) struct Chosen<'a, 'r> {
    /// The name.
    pub(super) name: &'a Spanned<String>,
    /// What is known of it.
    pub(super) known: Known<'r>,
}

impl<'r> Agents<'r> {
    /// Those of a repository that can be read.
    pub(super) fn of(scope: &Scope<'r>) -> Self {
        let known = |(name, (file, tool))| {
            let does = Does::of(scope, tool);
            let asks_nobody = tool.approval == ToolApproval::Never && does.writes;
            (name, Known { file, tool, asks_nobody, brings_words: does.reads })
        };
        Self { agents: agents(scope), tools: tools(scope).into_iter().map(known).collect() }
    }

    /// Whether no agent can change anything without a person.
    pub(super) fn are_harmless(&self) -> bool {
        !self.tools.values().any(|known| known.asks_nobody)
    }

    /// The tools of a task, as it chooses them or its agent has them.
    pub(super) fn tools<'a>(&'a self, task: &'a AgentTask) -> impl Iterator<Item = Chosen<'a, 'r>> {
        let own = self.agents.get(task.agent.as_str()).map(|(_, agent)| agent.tools.as_slice()).unwrap_or_default();
        let chosen = task.tools.as_deref().unwrap_or(own);
        chosen.iter().filter_map(move |name| Some(Chosen { name, known: *self.tools.get(name.as_str())? }))
    }

    /// Whether what others wrote may come to an agent by a tool while it works on a task.
    pub(super) fn reads_words(&self, task: &AgentTask) -> bool {
        self.tools(task).any(|chosen| chosen.known.brings_words)
    }
}

/// What calls of a tool may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Does {
    reads: bool,
    writes: bool,
}

impl Does {
    /// As far as the definition says. A document of the repository says it by methods, an HTTP tool by its own; of what
    /// others have only the names of operations are known.
    fn of(scope: &Scope<'_>, tool: &Tool) -> Self {
        if tool.kind.value == ToolType::Http {
            let reads = matches!(tool.method, None | Some(Method::Get | Method::Head));
            return Self { reads, writes: !reads };
        }
        let described = described_operations(scope, tool);
        let reads = |name: &str| described.get(name).copied().unwrap_or_else(|| is_named_as_reading(name));
        let all: Vec<bool> = match &tool.operations {
            Some(operations) => operations.iter().map(|operation| reads(operation.as_str())).collect(),
            // It may have any.
            None if described.is_empty() => vec![true, false],
            None => described.into_values().collect(),
        };
        Self { reads: all.contains(&true), writes: all.contains(&false) }
    }
}

/// The operations of a tool's document and whether they only read, where the document lies in the repository.
pub(super) fn described_operations(scope: &Scope<'_>, tool: &Tool) -> BTreeMap<String, bool> {
    let path = tool.document.as_ref().filter(|path| tool.kind.value == ToolType::Openapi && tool::is_path(path));
    let file = path.and_then(|path| scope.file(FileKind::Schema, tool::below_schemas(path)));
    let Some(Definition::Schema(document)) = file.and_then(|file| file.definition.as_ref()) else {
        return BTreeMap::new();
    };
    let mut described = BTreeMap::new();
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let reads = match method.as_str() {
                "get" | "head" | "options" => true,
                "post" | "put" | "patch" | "delete" | "trace" => false,
                _ => continue,
            };
            described.insert(tool::operation_name(operation, method, path), reads);
        }
    }
    described
}

/// Whether an operation's name says that it only reads: `list_issues`, `getItem`, and `issue_read` as the MCP server of GitHub
/// has it, but not `delete_read` or `mark_all_notifications_read`: before `read` only things stand. Source: its README, "Tools".
fn is_named_as_reading(name: &str) -> bool {
    const READS: [&str; 15] = [
        "get", "list", "read", "search", "find", "fetch", "query", "describe", "show", "lookup", "count", "view",
        "retrieve", "browse", "download",
    ];
    const THINGS: [&str; 22] = [
        "issue",
        "pull",
        "request",
        "action",
        "actions",
        "run",
        "job",
        "label",
        "project",
        "discussion",
        "release",
        "repo",
        "repository",
        "file",
        "page",
        "document",
        "message",
        "ticket",
        "comment",
        "gist",
        "advisory",
        "resource",
    ];
    let is_one_of = |word: &str, words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    let words = words_of(name);
    let begins = words.first().is_some_and(|first| is_one_of(first, &READS));
    let ends = words.split_last().is_some_and(|(last, things)| {
        last.eq_ignore_ascii_case("read") && things.iter().all(|thing| is_one_of(thing, &THINGS))
    });
    begins || ends
}

/// The words of an operation's name, told by signs between them and by capitals.
fn words_of(name: &str) -> Vec<&str> {
    let (mut words, mut begin) = (Vec::new(), 0);
    for (place, letter) in name.char_indices() {
        let is_sign = matches!(letter, '_' | '-' | '.' | '/');
        if is_sign || (letter.is_uppercase() && name[..place].ends_with(char::is_lowercase)) {
            words.push(&name[begin..place]);
            begin = place + usize::from(is_sign);
        }
    }
    words.push(&name[begin..]);
    words
}

/// Words that reach the message of an agent which can change something without a person, and that nobody looked at before.
pub(super) struct Told<'r> {
    /// The agent's step.
    pub(super) step: StepId,
    /// The way of the words into it, on which nobody did.
    path: Path,
    /// In what way nobody did.
    seen: NotSeen<'r>,
    /// The tool that asks nobody.
    tool: Known<'r>,
}

/// In what way nobody did.
enum NotSeen<'r> {
    /// No approval shows it.
    Never,
    /// Not in this run.
    On(Counterexample<'r>),
    /// Nobody can say, for this reason.
    Unknown(String),
}

/// What of these origins tells agents what to do in a process, without one of these people having looked at it.
pub(super) fn told<'r>(
    scope: &Scope<'r>,
    process: &ProcessScope<'r>,
    agents: &Agents<'r>,
    origins: Origins,
    reviewers: Reviewers,
) -> Vec<Told<'r>> {
    let is_agent = |step: &Step| match &step.kind {
        StepKind::AgentTask(task) => agents.tools(task).any(|chosen| chosen.known.asks_nobody),
        _ => false,
    };
    let field = |field: &Field| field.key == "message";
    let mut told = Vec::new();
    for arrival in arrivals(scope, process, &is_agent, &field, origins) {
        let StepKind::AgentTask(task) = &arrival.step.kind else { continue };
        let Some(tool) = agents.tools(task).map(|chosen| chosen.known).find(|known| known.asks_nobody) else {
            continue;
        };
        let step = arrival.step.id.value.clone();
        if let Some((path, seen)) = not_seen(scope, process, arrival, origins, reviewers) {
            told.push(Told { step, path, seen, tool });
        }
    }
    told
}

/// What anybody may have written and tells agents what to do, by the process's place in `Scope::processes`.
pub(super) fn told_by_outsiders<'r>(scope: &Scope<'r>) -> Vec<Vec<Told<'r>>> {
    let agents = Agents::of(scope);
    let of_process = |process| told(scope, process, &agents, OUTSIDERS, Reviewers::OthersThanTheAuthor);
    scope.processes.iter().map(of_process).collect()
}

impl Told<'_> {
    /// Tells of it, and `who` wrote the words.
    pub(super) fn tell(&self, process: &ProcessScope<'_>, findings: &mut Findings, who: &str) {
        let (more, help) = self.more();
        let message = format!("`{}` tells an agent what to do, and {who}{more}", self.path.reads());
        let finding = findings.add(process.file, self.path.span(), message);
        finding.help(help);
        self.show(process, finding);
    }

    /// What more is to be said than whose words they are: to be added to a message, and what to do.
    fn more(&self) -> (String, &'static str) {
        match &self.seen {
            NotSeen::Never => {
                (String::new(), "set `approval: writes` on the tool, or let somebody approve the text first")
            }
            NotSeen::On(way) => (
                format!("; nobody need have approved it: {}", way.in_words()),
                "set `approval: writes` on the tool, or close the way around the approval",
            ),
            NotSeen::Unknown(why) => (
                format!("; whether somebody approved it is not known: {why}"),
                "set `approval: writes` on the tool, or let somebody approve the text first",
            ),
        }
    }

    /// Adds the places that belong to it to a finding: the tool, the way of the words, the way around an approval.
    fn show(&self, process: &ProcessScope<'_>, finding: &mut Finding) {
        finding.also(self.tool.file, self.tool.tool.name.span, "this tool changes something and asks nobody");
        tell_way(&self.path, process, finding);
        if let NotSeen::On(way) = &self.seen {
            for place in way.places.iter().take(MAX_PLACES) {
                finding.also(place.file, place.span, place.message.clone());
            }
        }
    }
}

/// On which way nobody looked at words that arrive, and why that is so; nothing where somebody did in every run.
fn not_seen<'r>(
    scope: &Scope<'r>,
    process: &ProcessScope<'r>,
    arrival: Arrival<'_>,
    origins: Origins,
    reviewers: Reviewers,
) -> Option<(Path, NotSeen<'r>)> {
    let Arrival { flow, step, field, path } = arrival;
    let Some(to) = flow.step(step.id.as_str()) else { return Some((path, NotSeen::Never)) };
    let steps: Vec<&Step> = process.process.all_steps().collect();
    let carries = |field, reading| carries_words(scope, process, flow, field, reading);
    // What cannot be searched is taken as it looks: somebody is asked before the step and cannot be gone around.
    let looks_closed =
        |number: usize| steps.get(number).is_some_and(|before| is_plain(before) && is_before(process, before, step));
    let question = Question { to, field, origins, reviewers, carries: &carries, looks_closed: &looks_closed };
    match reviewed(scope, flow, process, &question) {
        Reviewed::Always => None,
        Reviewed::Unknown { why } => Some((path, NotSeen::Unknown(why))),
        Reviewed::Not { path, run, by_author } => {
            let Some(mut run) = run else { return Some((path, NotSeen::Never)) };
            // Whoever wrote the text says nothing new by approving it.
            for number in by_author {
                run.notes.push(format!("`{}` lets the author approve (`allow_author`)", steps[number].id.as_str()));
            }
            Some((path, NotSeen::On(run)))
        }
    }
}

/// Whether a step completes only where people approved, or answered.
fn is_plain(step: &Step) -> bool {
    let completes_by_people = match &step.kind {
        StepKind::HumanApproval(approval) => {
            approval.on_reject == OnReject::Fail
                && !matches!(approval.on_timeout, OnTimeout::Approve | OnTimeout::Continue)
        }
        StepKind::Form(form) => form.on_timeout != FormTimeout::Continue,
        _ => false,
    };
    completes_by_people && step.on_failure == OnFailure::Fail
}

/// Whether a step waits for another one, itself or the `foreach` that it is inside of.
fn is_before(process: &ProcessScope<'_>, before: &Step, step: &Step) -> bool {
    let has = |outer: &Step, id: &str| outer.with_body().any(|inner| inner.id.as_str() == id);
    let owner = process.process.steps.iter().position(|outer| has(outer, step.id.as_str()));
    let graph = &process.graph;
    owner.is_some_and(|owner| {
        has(graph.step(owner), before.id.as_str())
            || graph.ancestors(owner).into_iter().any(|index| graph.step(index).id.as_str() == before.id.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::is_named_as_reading;

    #[test]
    fn operations_that_only_read_are_told_by_the_first_or_the_last_word_of_their_name() {
        for name in [
            "get",
            "list_issues",
            "getItem",
            "Search-all",
            "read.file",
            "FETCH/page",
            "issue_read",
            "pullRequestRead",
            "retrieve_page",
        ] {
            assert!(is_named_as_reading(name), "{name}");
        }
        for name in [
            "",
            "close_issue",
            "getaway",
            "reset",
            "addLabels",
            "listen",
            "_get",
            "ÄndernGet",
            "issue_write",
            "spread",
            "mark_all_notifications_read",
            "markAsRead",
            "delete_read",
            "archive_all_read",
            "clear-read",
        ] {
            assert!(!is_named_as_reading(name), "{name}");
        }
    }
}
