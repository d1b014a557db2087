//! One execution of a case under way: the case's own, or a sub-process of it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;

use super::run::{MissingStub, Spoken};
use super::stub;
use crate::approval::{Source, SourceKind};
use crate::definition::StepType;
use crate::definition::test::{Stub, TestAnswer, TestCase, TestChild, TestDecision};
use crate::execution::address::{innermost, items_of, step_of};
use crate::execution::{Event, Execution, Plan, Refusal, Signal, StepError, StepStatus, Waiting, decide};
use crate::source::Spanned;
use crate::value::{Duration, StepId};

/// What a test says of an execution.
#[derive(Debug, Clone)]
pub(super) struct Script<'t> {
    stubs: BTreeMap<&'t str, &'t Stub>,
    pub(super) children: &'t IndexMap<Spanned<StepId>, TestChild>,
    decisions: &'t [Spanned<TestDecision>],
    answers: &'t [Spanned<TestAnswer>],
}

impl<'t> Script<'t> {
    pub(super) fn of_case(case: &'t TestCase) -> Self {
        Self { stubs: stubs(&case.stubs), children: &case.children, decisions: &case.decisions, answers: &case.answers }
    }

    pub(super) fn of_child(child: &'t TestChild) -> Self {
        Self {
            stubs: stubs(&child.stubs),
            children: &child.children,
            decisions: &child.decisions,
            answers: &child.answers,
        }
    }

    /// What it says of the sub-process that a step starts.
    pub(super) fn child(&self, step: &str) -> Option<&'t TestChild> {
        self.children.iter().find(|(id, _)| id.as_str() == step).map(|(_, child)| child)
    }

    pub(super) fn has_stub(&self, step: &str) -> bool {
        self.stubs.contains_key(step)
    }
}

fn stubs(stubs: &IndexMap<Spanned<StepId>, Spanned<Stub>>) -> BTreeMap<&str, &Stub> {
    stubs.iter().map(|(id, stub)| (id.as_str(), &stub.value)).collect()
}

/// A word of a person that is still to be said.
#[derive(Debug, Clone)]
pub(super) struct Word<'t> {
    /// Without a moment: as soon as its step asks.
    pub(super) at: Option<Timestamp>,
    pub(super) what: Said<'t>,
    /// Its number in the test, from 0: decisions, then answers.
    pub(super) place: usize,
    /// The steps that it was said about already; inside of bodies it is said about each item's.
    said: Vec<String>,
}

/// What somebody says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'t> {
    Decision(&'t TestDecision),
    Answer(&'t TestAnswer),
}

impl<'t> Said<'t> {
    pub(super) fn step(self) -> &'t str {
        match self {
            Self::Decision(said) => said.step.as_str(),
            Self::Answer(said) => said.step.as_str(),
        }
    }

    fn item(self) -> Option<u32> {
        match self {
            Self::Decision(said) => said.item,
            Self::Answer(said) => said.item,
        }
    }

    /// Whether a step waits for it.
    fn is_asked_by(self, waiting: &Waiting) -> bool {
        match self {
            Self::Decision(_) => matches!(waiting, Waiting::Approval(_)),
            Self::Answer(_) => matches!(waiting, Waiting::Form(_)),
        }
    }
}

/// An attempt under way, and how it will end.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) at: Timestamp,
    step: String,
    attempt: u32,
    result: Result<Value, StepError>,
}

/// An execution under way.
#[derive(Debug)]
pub(super) struct Live<'t> {
    pub(super) plan: &'t Plan,
    pub(super) script: Script<'t>,
    pub(super) execution: Execution,
    /// With their numbers among the events of all executions of the case.
    pub(super) events: Vec<(usize, Event)>,
    pub(super) words: Vec<Word<'t>>,
    pub(super) spoken: Vec<Spoken>,
    pub(super) missing: Vec<MissingStub>,
    work: Vec<Work>,
}

impl<'t> Live<'t> {
    pub(super) fn new(
        plan: &'t Plan,
        script: Script<'t>,
        execution: Execution,
        created: (usize, Event),
        start: Timestamp,
    ) -> Self {
        let words = words(&script, start);
        Self {
            plan,
            script,
            execution,
            events: vec![created],
            words,
            spoken: Vec::new(),
            missing: Vec::new(),
            work: Vec::new(),
        }
    }

    /// Takes a signal; the events that follow are numbered from `number`.
    pub(super) fn take(&mut self, signal: Signal, now: Timestamp, number: usize) -> Result<(), Refusal> {
        let events = decide(self.plan, &self.execution, signal, now)?;
        events.iter().for_each(|event| self.execution.apply(event));
        self.events.extend((number..).zip(events));
        Ok(())
    }

    /// Finds out how the attempts that have begun will end. Gives the first attempt of a sub-process that is to be
    /// played: key, attempt.
    pub(super) fn begin_work(&mut self, now: Timestamp) -> Option<(String, u32)> {
        let execution = &self.execution;
        self.work.retain(|work| runs(execution, &work.step, work.attempt));
        for (key, state) in &self.execution.steps {
            let known = self.work.iter().any(|work| work.step == *key && work.attempt == state.attempt);
            if state.status != StepStatus::Running || known {
                continue;
            }
            let Some(planned) = self.plan.step(key) else { continue };
            let id = step_of(key);
            if state.step_type == StepType::Process && !self.script.has_stub(id) {
                return Some((key.clone(), state.attempt));
            }
            let item = innermost(items_of(key)).map(|(_, item)| item as usize);
            let stub = self.script.stubs.get(id).and_then(|stub| stub::result_of(stub, state.attempt, item));
            let ended = stub::ended(planned, state, stub);
            if let Some(example) = ended.missing
                && !self.missing.iter().any(|missing| missing.step == id)
            {
                let step_type = state.step_type.as_str();
                self.missing.push(MissingStub { step: id.to_owned(), step_type, example });
            }
            let at = now.checked_add(ended.takes.as_signed()).unwrap_or(Timestamp::MAX);
            self.work.push(Work { at, step: key.clone(), attempt: state.attempt, result: ended.result });
        }
        None
    }

    /// The end of the first attempt that is due.
    pub(super) fn ended_work(&mut self, now: Timestamp) -> Option<Signal> {
        let place = self.work.iter().position(|work| work.at <= now)?;
        let Work { step, attempt, result, .. } = self.work.remove(place);
        Some(Signal::StepEnded { step, attempt, result, usage: None })
    }

    /// The first word that is due: itself, and the key of the step that it is about. One with a moment that no step
    /// asks for is about the step as it is named.
    pub(super) fn word_due(&mut self, now: Timestamp) -> Option<(Word<'t>, String)> {
        // Words about items that were said to all that asked at their moment.
        let heard = |live: &Self, word: &Word<'_>| {
            !word.said.is_empty() && word.at.is_some_and(|at| at <= now) && live.asked(word).is_none()
        };
        while let Some(place) = self.words.iter().position(|word| heard(self, word)) {
            self.words.remove(place);
        }
        let (place, key) = self.words.iter().enumerate().find_map(|(place, word)| {
            let is_due = word.at.is_some_and(|at| at <= now);
            let unasked = || is_due.then(|| word.what.step().to_owned());
            let asked = self.asked(word).filter(|_| is_due || word.at.is_none());
            Some((place, asked.or_else(unasked)?))
        })?;
        let word = self.words.get_mut(place)?;
        word.said.push(key.clone());
        let word = word.clone();
        if items_of(&key).is_empty() {
            self.words.remove(place);
        }
        Some((word, key))
    }

    /// The first step that asks for a word that was not said about it.
    fn asked(&self, word: &Word<'_>) -> Option<String> {
        let id = word.what.step();
        let asks = |key: &str| {
            let state = self.execution.steps.get(key);
            let asks = state.and_then(|it| it.waiting.as_ref()).is_some_and(|it| word.what.is_asked_by(it));
            asks && !word.said.iter().any(|said| said == key)
        };
        if self.plan.steps.contains_key(id) {
            return asks(id).then(|| id.to_owned());
        }
        let wanted = |key: &str| {
            let place = innermost(items_of(key)).map(|(_, item)| item);
            word.what.item().is_none_or(|item| Some(item) == place)
        };
        let keys = self.execution.steps.keys().filter(|key| step_of(key) == id && wanted(key));
        keys.map(String::as_str).find(|key| asks(key)).map(str::to_owned)
    }

    /// The words that were never said, with the steps that they are about.
    pub(super) fn unsaid(&mut self) -> Vec<Word<'t>> {
        let mut rest: Vec<Word<'t>> = std::mem::take(&mut self.words);
        rest.retain(|word| word.said.is_empty());
        rest.sort_by_key(|word| word.at);
        rest
    }

    /// The next moment at which something is due.
    pub(super) fn next_moment(&self) -> Option<Timestamp> {
        let work = self.work.iter().map(|work| work.at);
        let words = self.words.iter().filter_map(|word| word.at);
        work.chain(words).chain(self.execution.wake_at()).min()
    }

    /// Every word of a test is one of its own.
    pub(super) fn source(&self) -> Source {
        Source { kind: SourceKind::Engine, id: format!("test:{}", self.spoken.len()), url: None }
    }
}

/// All that people say, those with a moment by it.
fn words<'t>(script: &Script<'t>, start: Timestamp) -> Vec<Word<'t>> {
    let at = |after: Option<Duration>| after.map(|it| start.checked_add(it.as_signed()).unwrap_or(Timestamp::MAX));
    let decisions = script.decisions.iter().map(|it| (at(it.after), Said::Decision(&it.value)));
    let answers = script.answers.iter().map(|it| (at(it.after), Said::Answer(&it.value)));
    let all = decisions.chain(answers).enumerate();
    let mut words: Vec<_> = all.map(|(place, (at, what))| Word { at, what, place, said: Vec::new() }).collect();
    words.sort_by_key(|word| word.at);
    words
}

fn runs(execution: &Execution, step: &str, attempt: u32) -> bool {
    let state = execution.steps.get(step);
    state.is_some_and(|state| state.status == StepStatus::Running && state.attempt == attempt)
}
