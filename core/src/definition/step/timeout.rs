//! How long a step may take: what it says itself, else what `defaults` say of steps that say none, else what is usual for
//! its type. Whoever performs, judges or compares steps asks here, so that all of them mean the same. Evaluates nothing.

use std::borrow::Cow;

use super::{Step, StepKind, StepType};
use crate::definition::Templated;
use crate::definition::process::Timeout;
use crate::source::Spanned;
use crate::value::Duration;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// How long a step may take, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepTimeout<'s> {
    /// The step itself.
    Own(&'s Timeout),
    /// `defaults.timeout`, of the process or of `flow.yaml`.
    Default(Spanned<Duration>),
    /// Its type: nobody says anything.
    Usual(Duration),
}

impl<'s> StepTimeout<'s> {
    /// The length of time, written out or computed.
    pub fn length(self) -> Cow<'s, Templated<Duration>> {
        match self {
            Self::Own(timeout) => Cow::Borrowed(&timeout.value),
            Self::Default(timeout) => Cow::Owned(Templated::Literal(timeout.value)),
            Self::Usual(timeout) => Cow::Owned(Templated::Literal(timeout)),
        }
    }

    /// The length of time, where it is not computed.
    pub fn literal(self) -> Option<Duration> {
        self.length().literal()
    }
}

impl Step {
    /// How long the step may take; nothing: as long as it does. `default` is the process's `defaults.timeout`, else that of
    /// `flow.yaml`.
    ///
    /// `set` and `gateway` are done at once, and so is a step that starts another process and does not wait for it. A `wait`
    /// for a length of time or until a moment says itself how long it takes: no default cuts it short. A `wait` for an event
    /// may say it as `event.timeout`; with a `timeout` of its own as well the earlier one counts.
    pub fn effective_timeout(&self, default: Option<Spanned<Duration>>) -> Option<StepTimeout<'_>> {
        if self.ends_by_itself() {
            return None;
        }
        let of_event = match &self.kind {
            StepKind::Wait(wait) => wait.event.as_ref().and_then(|event| event.timeout.as_ref()),
            _ => None,
        };
        let own = self.timeout.as_ref().or(of_event).map(StepTimeout::Own);
        own.or(default.map(StepTimeout::Default)).or(usual_timeout(self.step_type()).map(StepTimeout::Usual))
    }

    /// Whether no deadline ever ends it, by its type and what it says.
    pub fn ends_by_itself(&self) -> bool {
        match &self.kind {
            StepKind::Set(_) | StepKind::Gateway(_) => true,
            StepKind::Wait(wait) => wait.event.is_none() && self.timeout.is_none(),
            StepKind::Process(call) => !call.wait && self.timeout.is_none(),
            _ => false,
        }
    }
}

/// How long an attempt may take where nothing is said; nothing: as long as it does.
fn usual_timeout(step_type: StepType) -> Option<Duration> {
    let millis = match step_type {
        // LANGUAGE gives `api_call` 30 s; a tool and a receiver of notifications answer as a server does.
        StepType::ApiCall | StepType::McpCall | StepType::Notify => 30 * SECOND,
        // Long answers of slow models take minutes.
        StepType::AiGenerate => 5 * MINUTE,
        // An agent makes many such calls.
        StepType::AgentTask => 30 * MINUTE,
        // GitHub ends a job of its own runners after six hours
        // (https://docs.github.com/en/actions/reference/limits).
        StepType::Workflow => 6 * HOUR,
        _ => return None,
    };
    Some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::repository::Repository;

    /// Each type as short as it can be said, and how long it may take: with nothing said, with `defaults: {timeout: 45m}`,
    /// and with `timeout: 90m` of its own beside that. `-` is no limit.
    const TYPES: [(&str, [&str; 3]); 18] = [
        ("agent_task, agent: writer, message: hi", ["30m", "45m", "1h30m"]),
        ("ai_generate, model: mock, prompt: hi, output_schema: {}", ["5m", "45m", "1h30m"]),
        ("human_approval, approvers: {team: leads}", ["-", "45m", "1h30m"]),
        ("form, fields: {note: {type: string}}", ["-", "45m", "1h30m"]),
        ("gateway, branches: [{otherwise: true, to: []}]", ["-", "-", "-"]),
        ("api_call, url: 'https://example.com'", ["30s", "45m", "1h30m"]),
        ("mcp_call, tool: tracker, operation: list", ["30s", "45m", "1h30m"]),
        ("workflow, workflow: ci.yml", ["6h", "45m", "1h30m"]),
        ("process, process: notes", ["-", "45m", "1h30m"]),
        ("process, process: notes, wait: false", ["-", "-", "1h30m"]),
        ("foreach, items: [1], steps: [{id: inner, type: set, values: {a: 1}}]", ["-", "45m", "1h30m"]),
        ("wait, for: 7d", ["-", "-", "1h30m"]),
        ("wait, until: '2030-01-01'", ["-", "-", "1h30m"]),
        ("wait, event: {name: paid}", ["-", "45m", "1h30m"]),
        ("wait, event: {name: paid, timeout: 2h}", ["2h", "2h", "1h30m"]),
        ("set, values: {a: 1}", ["-", "-", "-"]),
        ("notify, channel: slack, to: '#ops', message: hi", ["30s", "45m", "1h30m"]),
        ("form, fields: {note: {type: string}}, on_timeout: continue", ["-", "45m", "1h30m"]),
    ];

    #[test]
    fn every_type_of_step_takes_its_own_timeout_else_the_default_else_its_types() {
        let mut seen = Vec::new();
        for (fields, expected) in TYPES {
            let written = |own: &str| {
                let text = format!("name: story\nversion: 1\nsteps:\n- {{id: one, type: {fields}{own}}}\n");
                let repository = Repository::read([(".flow/processes/story.yaml".to_owned(), text)]);
                let (file, process) = repository.process("story").unwrap();
                assert!(file.faults.is_empty(), "{fields}: {:?}", file.faults);
                process.steps[0].clone()
            };
            let default = Some(Spanned::without_place("45m".parse().unwrap()));
            let (plain, own) = (written(""), written(", timeout: 90m"));
            seen.push(plain.step_type());
            let said =
                [plain.effective_timeout(None), plain.effective_timeout(default), own.effective_timeout(default)];
            let said = said.map(|timeout| timeout.map_or("-".to_owned(), |it| it.literal().unwrap().to_string()));
            assert_eq!(said, expected, "{fields}");
        }
        assert!(StepType::ALL.iter().all(|step_type| seen.contains(step_type)), "every type is in the table");
    }

    #[test]
    fn a_default_that_is_computed_by_the_step_itself_stays_computed() {
        let timeout: Timeout = Spanned::without_place(Templated::Template("{{ inputs.patience }}".to_owned()));
        assert_eq!(StepTimeout::Own(&timeout).literal(), None);
        assert_eq!(*StepTimeout::Own(&timeout).length(), Templated::Template("{{ inputs.patience }}".to_owned()));
    }
}
