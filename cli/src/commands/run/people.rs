//! The person at the keyboard: what was said in advance by flags, and what is asked when a step waits.
//! There is no GitHub here to say who is in a team: your word stands for the people that a step asks for, and where it
//! wants several, stand-ins are recorded as such.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use flowctl_app::engine::{Along, SignalFailure};
use flowctl_core::approval::{Decision, DecisionKind, Outcome, Person, Source, SourceKind, evaluate};
use flowctl_core::definition::StepType;
use flowctl_core::execution::address::step_of;
use flowctl_core::execution::{ApprovalRequest, Execution, FormRequest, Refusal, Signal, StepState, TenantId, Waiting};
use flowctl_core::value::visible::visible;

use super::Bench;
use crate::arguments::RunArguments;
use crate::exit::told_once;
use crate::forms::Form;
use crate::questions;
use crate::terminal::{BOLD, DIM, TYPE, is_interactive};

/// A decision with its note.
type Word = (DecisionKind, Option<String>);

/// What was said in advance.
pub struct Said {
    decisions: BTreeMap<String, Word>,
    answers: BTreeMap<String, Vec<(String, String)>>,
    words: u32,
}

/// The person at the keyboard, as git knows them.
pub fn you() -> Person {
    let git = git2::Config::open_default().and_then(|config| config.get_string("github.user"));
    let login = git.ok().or_else(|| std::env::var("USER").ok()).filter(|login| !login.is_empty());
    Person { login: login.unwrap_or_else(|| "you".to_owned()), id: 0 }
}

/// The flags that let a step go on.
pub fn how_to_act(step: &str, state: &StepState) -> String {
    match &state.waiting {
        Some(Waiting::Form(request)) => {
            let names: Vec<String> =
                form(step, request).required().map(|name| format!("--answer {step}.{name}=…")).collect();
            if names.is_empty() { format!("--answer {step}.FIELD=…") } else { names.join(" ") }
        }
        Some(Waiting::Approval(request)) if request.needs_note(DecisionKind::Approve) => {
            format!("--approve {step}=NOTE")
        }
        _ => format!("--approve {step}"),
    }
}

/// Why one person is enough here.
pub const STANDS_FOR: &str = "your word stands for everybody who is asked: there is no GitHub here that knows them";

/// Whether a step asks for an approval, and so people that are named.
pub fn asks_others(state: &StepState) -> bool {
    matches!(&state.waiting, Some(Waiting::Approval(_)))
}

/// The steps that the state of a step names: itself, and those that the items of a `foreach` run.
pub fn named_by<'step>(key: &'step str, step: &'step StepState) -> impl Iterator<Item = (&'step str, StepType)> {
    let body = step.items.iter().flat_map(|items| &items.body);
    std::iter::once((step_of(key), step.step_type)).chain(body.map(|step| (step.id.as_str(), step.step_type)))
}

impl Said {
    /// Reads the flags.
    pub fn read(arguments: &RunArguments) -> anyhow::Result<Self> {
        let mut decisions = BTreeMap::new();
        let flags = [(&arguments.approve, DecisionKind::Approve), (&arguments.reject, DecisionKind::Reject)];
        for (words, kind) in flags {
            for word in words {
                let (step, note) =
                    word.split_once('=').map_or((word.as_str(), None), |(step, note)| (step, Some(note)));
                if decisions.insert(step.to_owned(), (kind, note.map(str::to_owned))).is_some() {
                    bail!("`{step}` is decided twice");
                }
            }
        }
        let mut answers: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for word in &arguments.answer {
            let parts = word.split_once('=').and_then(|(place, value)| Some((place.split_once('.')?, value)));
            let ((step, field), value) = parts.with_context(|| format!("`--answer {word}` is not STEP.FIELD=VALUE"))?;
            answers.entry(step.to_owned()).or_default().push((field.to_owned(), value.to_owned()));
        }
        Ok(Self { decisions, answers, words: 0 })
    }

    /// Refuses what was said about steps that there are not, or that ask for something else.
    pub fn check_names<'step>(&self, steps: impl Iterator<Item = (&'step str, StepType)>) -> anyhow::Result<()> {
        let known: BTreeMap<&str, StepType> = steps.collect();
        let names = self.decisions.keys().map(|step| (step, StepType::HumanApproval, "an approval"));
        for (step, step_type, what) in names.chain(self.answers.keys().map(|step| (step, StepType::Form, "a form"))) {
            match known.get(step_of(step)) {
                Some(found) if *found == step_type => {}
                // An agent asks before it calls a tool.
                Some(StepType::AgentTask) if step_type == StepType::HumanApproval => {}
                Some(_) => bail!("step `{step}` is not {what}"),
                None => {
                    let names: Vec<&str> = known.into_keys().collect();
                    bail!("there is no step `{step}`; there are: {}", names.join(", "));
                }
            }
        }
        Ok(())
    }

    /// Acts on the first step that waits for somebody and that something is said about. Whether anything was done.
    pub async fn act(&mut self, bench: &Bench, execution: &Execution) -> anyhow::Result<bool> {
        let waiting: Vec<(String, StepState)> =
            execution.waiting_for_people().map(|(id, state)| (id.to_owned(), state.clone())).collect();
        for (id, state) in waiting {
            match &state.waiting {
                Some(Waiting::Approval(request)) => {
                    let said = match self.decisions.remove(&id) {
                        Some((kind, note)) => complete(&id, request, kind, note)?,
                        None => ask_approval(&id, request)?,
                    };
                    if let Some((kind, note)) = said {
                        self.decide(bench, execution, &id, request, kind, note).await?;
                        return Ok(true);
                    }
                }
                Some(Waiting::Form(request)) => {
                    let said = match self.answers.remove(&id) {
                        Some(words) => Some(form(&id, request).typed(&words)),
                        None if is_interactive() => form(&id, request).ask_now()?,
                        None => None,
                    };
                    if let Some(values) = said {
                        let signal = Signal::Answer { step: id.clone(), person: you(), values, source: self.source() };
                        self.tell(bench, execution, signal).await?;
                        return Ok(true);
                    }
                }
                _ => {}
            }
        }
        Ok(false)
    }

    async fn decide(
        &mut self,
        bench: &Bench,
        execution: &Execution,
        step: &str,
        request: &ApprovalRequest,
        kind: DecisionKind,
        note: Option<String>,
    ) -> anyhow::Result<()> {
        let leaves = u32::try_from(request.requirement.leaves().len()).unwrap_or(u32::MAX);
        let call = execution.steps.get(step).and_then(StepState::asked_call);
        let mut decisions = execution.steps.get(step).map(|state| state.decisions.clone()).unwrap_or_default();
        // The engine bounds how many people a group may want; two hundred is above it.
        for number in 1..200 {
            let person = if number == 1 { you() } else { Person { login: format!("stand-in-{number}"), id: 0 } };
            let decision = Decision {
                person,
                decision: kind,
                at: bench.clock.now(),
                note: note.clone(),
                source: self.source(),
                commit: None,
                call: call.clone(),
                counts_for: (0..leaves).collect(),
                owner_of: Vec::new(),
                in_place_of: Vec::new(),
            };
            decisions.push(decision.clone());
            let signal = Signal::Decide { step: step.to_owned(), decision };
            self.tell(bench, execution, signal).await?;
            if evaluate(&request.requirement, &decisions).outcome != Outcome::Pending {
                break;
            }
        }
        Ok(())
    }

    /// Tells the engine; what is wrong with answers is told field by field, and how to try again.
    async fn tell(&self, bench: &Bench, execution: &Execution, signal: Signal) -> anyhow::Result<()> {
        let told = bench.engine.signal(&TenantId::local(), execution.id, signal, Along::default()).await;
        match told {
            Ok(_) => Ok(()),
            Err(SignalFailure::Refused(Refusal::WrongAnswers { faults })) => {
                let faults: Vec<String> =
                    faults.into_iter().map(|(field, fault)| format!("`{field}` {fault}")).collect();
                bail!("{}; it still waits: {}", faults.join("; "), bench.resume(execution.id));
            }
            Err(failure) => bail!("{}; it still waits: {}", told_once(&failure.into()), bench.resume(execution.id)),
        }
    }

    fn source(&mut self) -> Source {
        self.words += 1;
        Source { kind: SourceKind::Cli, id: format!("{}:{}", std::process::id(), self.words), url: None }
    }
}

fn form<'f>(step: &'f str, request: &'f FormRequest) -> Form<'f> {
    let FormRequest { title, description, schema, defaults, .. } = request;
    Form { step, title, description, schema, defaults: Some(defaults) }
}

fn ask_approval(step: &str, request: &ApprovalRequest) -> anyhow::Result<Option<Word>> {
    if !is_interactive() {
        return Ok(None);
    }
    let (title, description) = (visible(&request.title), visible(request.description.trim_end()));
    anstream::eprintln!("\n{BOLD}{title}{BOLD:#} {DIM}({step}){DIM:#}\n{description}");
    if let Some(call) = &request.call {
        let arguments = serde_json::to_string_pretty(&call.arguments).unwrap_or_default();
        let (operation, tool, arguments) = (visible(&call.operation), visible(&call.tool), visible(&arguments));
        anstream::eprintln!("It would call {BOLD}{operation:?}{BOLD:#} of {tool:?} with:\n{arguments}");
    }
    anstream::eprintln!("{DIM}{STANDS_FOR}{DIM:#}");
    let prompt = "Your decision (arrows and Enter choose, Escape is later)";
    let kind = match questions::choose(prompt, &["approve", "reject", "later"], 2)? {
        Some(0) => DecisionKind::Approve,
        Some(1) => DecisionKind::Reject,
        _ => return Ok(None),
    };
    Ok(Some((kind, ask_note(request.needs_note(kind))?)))
}

/// A decision with the note that it needs: asked for on a terminal; elsewhere there is none yet, and how to give one is told.
fn complete(
    step: &str,
    request: &ApprovalRequest,
    kind: DecisionKind,
    note: Option<String>,
) -> anyhow::Result<Option<Word>> {
    if !request.needs_note(kind) || note.as_deref().is_some_and(|note| !note.trim().is_empty()) {
        return Ok(Some((kind, note)));
    }
    if is_interactive() {
        anstream::eprintln!("\n`{step}` needs a note");
        return Ok(Some((kind, ask_note(true)?)));
    }
    let flag = if kind == DecisionKind::Reject { "--reject" } else { "--approve" };
    anstream::eprintln!("`{step}` needs a note: {TYPE}{flag} {step}=NOTE{TYPE:#}");
    Ok(None)
}

fn ask_note(needed: bool) -> anyhow::Result<Option<String>> {
    let prompt = if needed { "Note (required)" } else { "Note (may be empty)" };
    let fault = |text: &str| (needed && text.trim().is_empty()).then(|| "a note is needed".to_owned());
    Ok(Some(questions::line(prompt, "", fault)?).filter(|note| !note.is_empty()))
}
