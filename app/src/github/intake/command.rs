//! Does what people command, wherever the commands stand: in a comment, or in the text of a review.

use flowctl_core::approval::{DecisionKind, Person, Source, SourceKind};
use flowctl_core::command::{
    Command, Invocation, Reading, StepName, UnknownWord, Until, Verb, help, parse_arguments, values,
};
use flowctl_core::definition::Role;
use flowctl_core::execution::{Delegation, Execution, Refusal, Signal, TriggerInfo};
use jiff::Timestamp;
use serde_json::json;

use super::Trouble;
use super::scope::{Outcome, Scope, keys};
use super::start::{Occasion, Place, inputs};
use super::targets::{Asked, Target, is_named};
use crate::audit::RefusedWord;
use crate::engine::Along;
use crate::github::outbox::{Effect, Renewal, RenewedBecause};
use crate::github::wording::{self, Answer, Refused};
use crate::identity::{About, Word, form, given_until, settled};
use crate::store::NewEffect;

/// What all commands of one text have in common.
pub(super) struct Said {
    pub(super) person: Person,
    pub(super) at: Timestamp,
    pub(super) heard_at: Timestamp,
    /// Where it stands; a command's own source adds its place in the text.
    pub(super) source: Source,
    /// The commit that a review is about.
    pub(super) commit: Option<String>,
    /// Whether it stands in a review that was dismissed by now.
    pub(super) is_dismissed: bool,
    /// What is told once a command has been done.
    pub(super) done: Vec<NewEffect>,
}

/// Obeys one text.
pub(super) struct Commander<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) said: &'a Said,
    pub(super) place: &'a Place,
    pub(super) body: &'a str,
}

impl Commander<'_> {
    /// Does everything that a text says, in its order, and gives an answer for each; an empty one where the reaction
    /// says enough. `executions` are the open ones, at the head.
    pub(super) async fn obey(&self, reading: &Reading, executions: Vec<Execution>) -> Result<Vec<Answer>, Trouble> {
        let mut open = executions;
        let mut answers = Vec::new();
        let mut rechecked = false;
        let commands = reading.invocations.iter().map(|it| (it.range.start, Some(it), None));
        let words = reading.unknown.iter().map(|it| (it.range.start, None, Some(it)));
        let mut said: Vec<_> = commands.chain(words).collect();
        said.sort_by_key(|(place, _, _)| *place);
        for (place, invocation, unknown) in said {
            if let Some(invocation) = invocation {
                // Once is enough, and each time costs requests.
                if invocation.command == Command::Recheck && std::mem::replace(&mut rechecked, true) {
                    continue;
                }
                let said = self.body.get(invocation.range.clone()).unwrap_or_default().to_owned();
                let outcome = self.command(invocation, &open).await?;
                if let Err(refused) = &outcome {
                    let Invocation { command, .. } = invocation;
                    self.note_refusal((command.verb(), command.named()), refused, &open).await?;
                }
                answers.push((place, Answer { said, result: outcome }));
            } else if let Some(unknown) = unknown
                && let Some(answer) = self.unknown(unknown, &open).await?
            {
                answers.push((place, answer));
            }
            open = self.scope.executions(self.place.number, true).await?;
        }
        for error in &reading.errors {
            let line = usize::try_from(error.line).unwrap_or(1).saturating_sub(1);
            let said = self.body.lines().nth(line).unwrap_or_default().trim().to_owned();
            let shown = error.render(self.body);
            answers.push((error.range.start, Answer { said, result: Err(Refused::Syntax { shown }) }));
        }
        answers.sort_by_key(|(place, _)| *place);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    async fn command<'i>(&'i self, invocation: &'i Invocation, open: &[Execution]) -> Outcome<String> {
        let place = invocation.range.start;
        if self.scope.knows(&self.key(place)).await? {
            return Ok(Ok(String::new()));
        }
        if self.said.is_dismissed && decides(&invocation.command) {
            return Ok(Err(Refused::ReviewDismissed));
        }
        let line = self.body.get(invocation.range.clone()).unwrap_or_default();
        let asked = |verb, kind, named: Option<&'i str>| Asked { verb, kind, named, line };
        match &invocation.command {
            Command::Approve { step, commit, note } => {
                let asked = asked("approve", Some(DecisionKind::Approve), step.as_deref());
                let decision = (DecisionKind::Approve, note.clone());
                silent(self.decide(&asked, place, commit.as_deref(), decision, open).await)
            }
            Command::Reject { step, commit, note } => {
                let asked = asked("reject", Some(DecisionKind::Reject), step.as_deref());
                let decision = (DecisionKind::Reject, note.clone());
                silent(self.decide(&asked, place, commit.as_deref(), decision, open).await)
            }
            Command::Answer { step, values, block } => silent(
                self.answer(&asked("answer", None, step.as_deref()), place, values, block.as_deref(), open).await,
            ),
            Command::Run { process, inputs } => silent(self.run(place, process, inputs).await),
            Command::Cancel => silent(self.cancel(place, open).await),
            Command::Retry { step } => silent(self.retry(place, step.as_deref()).await),
            Command::Override { step, reason } => {
                let asked = asked("override", Some(DecisionKind::Override), step.as_deref());
                let decision = (DecisionKind::Override, Some(reason.clone()));
                silent(self.decide(&asked, place, None, decision, open).await)
            }
            Command::Delegate { to, until, note } => self.delegate(place, to, *until, note.clone(), open).await,
            Command::Hold { note } => {
                let actor = Some(self.said.person.clone());
                silent(self.steer_open("hold", place, open, Signal::Hold { actor, note: note.clone() }).await)
            }
            Command::Unhold { note } => {
                let actor = Some(self.said.person.clone());
                silent(self.steer_open("unhold", place, open, Signal::Unhold { actor, note: note.clone() }).await)
            }
            Command::Recheck => silent(self.recheck(open).await),
            Command::Status => self.status().await,
            Command::Help => self.help().await,
            Command::Ask { .. } => self.ask().await,
        }
    }

    /// Has the audit log say that a command was refused, before anybody is told: of the newest open execution that it is
    /// about.
    async fn note_refusal(
        &self,
        (verb, named): (Verb, Option<&str>),
        refused: &Refused,
        open: &[Execution],
    ) -> Result<(), Trouble> {
        let is_about = |execution: &&Execution| match (verb, named) {
            (Verb::Run, Some(process)) => execution.process == process,
            (_, named) => named.map(StepName::of).is_none_or(|name| has_step(execution, name)),
        };
        let newest = open.iter().filter(is_about).max_by_key(|execution| execution.id);
        let Said { person, source, .. } = self.said;
        let refused = RefusedWord { named, ..RefusedWord::new(person, source, verb.word(), refused) };
        self.scope.note_refusal(&refused, newest).await
    }

    /// A command is done once, however often its text is delivered.
    fn key(&self, place: usize) -> String {
        key(self.said.source.kind, &self.said.source.id, place)
    }

    fn along(&self, key: String) -> Along {
        self.scope.along(key, self.said.done.clone())
    }

    fn word(&self, verb: &'static str, place: usize, commit: Option<&str>) -> Word {
        let Said { person, at, heard_at, source, .. } = self.said;
        let about = match (commit, &self.said.commit) {
            (Some(named), _) => About::Named(named.to_owned()),
            (None, Some(commit)) => About::Commit(commit.clone()),
            (None, None) => About::Shown,
        };
        let source = Source { id: format!("{}:{place}", source.id), ..source.clone() };
        Word { person: person.clone(), at: *at, heard_at: *heard_at, source, about, verb }
    }

    async fn decide(
        &self,
        asked: &Asked<'_>,
        place: usize,
        commit: Option<&str>,
        decision: (DecisionKind, Option<String>),
        open: &[Execution],
    ) -> Outcome<()> {
        let word = self.word(asked.verb, place, commit);
        let targets = match self.scope.targets(asked, open, &word).await? {
            Ok(targets) => targets,
            Err(refused) => return Ok(Err(refused)),
        };
        let (mut counted, mut refused) = (false, None);
        for ((execution, step), key) in targets.iter().zip(self.keys(place, &targets)) {
            match self.scope.decide(execution, step, &word, decision.clone(), self.along(key)).await? {
                Ok(()) => counted = true,
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Ok(refused.filter(|_| !counted).map_or(Ok(()), Err))
    }

    async fn answer(
        &self,
        asked: &Asked<'_>,
        place: usize,
        words: &[(String, String)],
        block: Option<&str>,
        open: &[Execution],
    ) -> Outcome<()> {
        let word = self.word(asked.verb, place, None);
        let targets = match self.scope.targets(asked, open, &word).await? {
            Ok(targets) => targets,
            Err(refused) => return Ok(Err(refused)),
        };
        for ((execution, step), key) in targets.iter().zip(self.keys(place, &targets)) {
            let Some(request) = form(execution, step) else { continue };
            let values = match block {
                None => values::of_words(&request.schema, words),
                Some(block) => match values::of_block(&request.schema, block) {
                    Ok(values) => values,
                    Err(faults) => return Ok(Err(Refused::Block { faults })),
                },
            };
            if let Err(refused) = self.scope.answer(execution, step, &word, values, self.along(key)).await? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(()))
    }

    fn keys(&self, place: usize, targets: &[Target<'_>]) -> Vec<String> {
        keys(&self.key(place), targets.iter().map(|(execution, step)| format!("{}:{step}", execution.id)))
    }

    async fn run(&self, place: usize, process: &str, words: &[(String, String)]) -> Outcome<()> {
        if let Err(refused) = self.scope.permits("run", &self.said.person, Some(Role::Write), false).await? {
            return Ok(Err(refused));
        }
        let occasion = self.occasion("manual", place, words);
        self.scope.start_by_hand(process, words, occasion).await
    }

    fn occasion(&self, kind: &str, place: usize, words: &[(String, String)]) -> Occasion {
        let arguments: serde_json::Map<String, serde_json::Value> =
            words.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let trigger = TriggerInfo {
            kind: kind.to_owned(),
            actor: Some(self.said.person.clone()),
            payload: self.scope.payload(json!({
                "comment": {
                    "id": self.said.source.id,
                    "body": self.body,
                    "author": self.said.person.login,
                    "url": self.said.source.url,
                },
                "number": self.place.number,
                "arguments": arguments,
            })),
            pull_request: self.place.info(),
        };
        // The comment, not the delivery: a comment starts a process once, in whatever way it comes in.
        Occasion {
            trigger,
            place: Some(self.place.clone()),
            commit: None,
            author: None,
            key: self.key(place),
            done: self.said.done.clone(),
        }
    }

    async fn cancel(&self, place: usize, open: &[Execution]) -> Outcome<()> {
        let signal = Signal::Cancel {
            actor: Some(self.said.person.clone()),
            reason: format!("cancelled by {}", self.said.person.login),
        };
        self.steer_open("cancel", place, open, signal).await
    }

    /// Gives every open execution a signal.
    async fn steer_open(&self, verb: &str, place: usize, open: &[Execution], signal: Signal) -> Outcome<()> {
        if open.is_empty() {
            return Ok(Err(Refused::NoExecution { what: "open" }));
        }
        let mut last = Ok(());
        for (execution, key) in open.iter().zip(self.keys_of(place, open)) {
            let outcome = self.steer(verb, key, execution, signal.clone()).await?;
            last = last.and(outcome);
        }
        Ok(last)
    }

    /// Gives a person's word to somebody else, in every open execution in which they have one.
    async fn delegate(
        &self,
        place: usize,
        to: &str,
        until: Option<Until>,
        note: Option<String>,
        open: &[Execution],
    ) -> Outcome<String> {
        let word = self.word("delegate", place, None);
        let until = match given_until(until, self.scope.now()) {
            Ok(until) => until,
            Err(refused) => return Ok(Err(refused)),
        };
        let to = match self.scope.delegate(to, &word.person).await? {
            Ok(to) => to,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut given = Vec::new();
        let mut refused = Refused::NothingWaits { what: "an approval" };
        for execution in open {
            match self.scope.may_delegate(execution, &word, &to).await? {
                Ok(()) => given.push(execution.clone()),
                Err(why) => refused = why,
            }
        }
        if given.is_empty() {
            return Ok(Err(refused));
        }
        for (execution, key) in given.iter().zip(self.keys_of(place, &given)) {
            let delegation = Delegation {
                from: word.person.clone(),
                to: to.clone(),
                since: self.scope.now(),
                until,
                note: note.clone(),
                source: word.source.clone(),
            };
            let (engine, signal) = (&self.scope.inner.engine, Signal::Delegate { delegation });
            // The answer says more than the reaction, which follows on it.
            let along = self.scope.along(key, Vec::new());
            let moved = engine.signal(&self.scope.tenant, execution.id, signal, along).await;
            if let Err(refused) = settled(None, moved)? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(wording::delegated(&word.person, &to, until)))
    }

    fn keys_of(&self, place: usize, executions: &[Execution]) -> Vec<String> {
        keys(&self.key(place), executions.iter().map(|execution| execution.id.to_string()))
    }

    /// Goes on with the newest execution of each process, where that failed or was cancelled.
    async fn retry(&self, place: usize, step: Option<&str>) -> Outcome<()> {
        let all = self.scope.executions(self.place.number, false).await?;
        let mut ended_badly: Vec<Execution> =
            newest(&all).into_iter().filter(|execution| execution.can_be_retried()).cloned().collect();
        if ended_badly.is_empty() {
            return Ok(Err(Refused::NoExecution { what: "failed or cancelled" }));
        }
        let name = step.map(StepName::of);
        let has_it = |execution: &Execution| name.is_none_or(|name| has_step(execution, name));
        let any_has_it = ended_badly.iter().any(has_it);
        let can_be_meant = |execution: &Execution| name.is_none_or(|name| is_named(execution, name));
        ended_badly.retain(|execution| can_be_meant(execution) && (has_it(execution) || !any_has_it));
        if let Some(step) = step.filter(|_| ended_badly.is_empty()) {
            let refusal = Refusal::UnknownStep { step: step.to_owned() };
            return Ok(Err(Refused::Execution { step: None, refusal }));
        }
        let mut last = Ok(());
        for (execution, key) in ended_badly.iter().zip(self.keys_of(place, &ended_badly)) {
            let signal =
                Signal::Retry { actor: Some(self.said.person.clone()), step: name.map(|name| name.key.to_owned()) };
            let outcome = self.steer("retry", key, execution, signal).await?;
            last = last.and(outcome);
        }
        // The pull request may have moved while nobody looked at an execution that had ended.
        if self.place.pull_request.is_some() {
            self.scope.pull_request(self.place.number).await?;
        }
        Ok(last)
    }

    /// A signal that whoever started the execution may give, and whoever may write.
    async fn steer(&self, verb: &str, key: String, execution: &Execution, signal: Signal) -> Outcome<()> {
        let person = &self.said.person;
        let started_it = execution.trigger.actor.as_ref().is_some_and(|actor| actor.is(person));
        if let Err(refused) = self.scope.permits(verb, person, Some(Role::Write), started_it).await? {
            return Ok(Err(refused));
        }
        let engine = &self.scope.inner.engine;
        Ok(settled(None, engine.signal(&self.scope.tenant, execution.id, signal, self.along(key)).await)?)
    }

    /// The pull request was looked at anew when the executions were loaded; so are comments and reviews that nobody told
    /// of, and what is shown is told once more.
    async fn recheck(&self, open: &[Execution]) -> Outcome<()> {
        // It costs requests and a check run: not for everybody who may comment.
        let author = self.place.pull_request.as_ref().and_then(|pull_request| pull_request.user.as_ref());
        let opened_it = author.is_some_and(|author| author.id == self.said.person.id);
        let needs = Some(Role::Write);
        if let Err(refused) = self.scope.permits("recheck", &self.said.person, needs, opened_it).await? {
            return Ok(Err(refused));
        }
        self.scope.look_for_missed(self.place.number).await?;
        for execution in open {
            let objects = self.scope.inner.store.github_objects(&self.scope.tenant, execution.id).await?;
            let renew = objects.check_runs.last().map(|row| Renewal { run: row.id, why: RenewedBecause::Asked });
            let effect = Effect::SyncExecution { execution: execution.id, renew };
            self.scope.tell(vec![self.scope.show(&effect)]).await?;
        }
        self.scope.tell(self.said.done.clone()).await?;
        Ok(Ok(()))
    }

    async fn status(&self) -> Outcome<String> {
        if let Err(refused) = self.scope.permits("status", &self.said.person, None, false).await? {
            return Ok(Err(refused));
        }
        let all = self.scope.executions(self.place.number, false).await?;
        let newest: Vec<Execution> = newest(&all).into_iter().cloned().collect();
        Ok(Ok(wording::status(&newest, self.scope.now())))
    }

    /// What is known without reading the question: that takes a model, and none reads here.
    async fn ask(&self) -> Outcome<String> {
        if let Err(refused) = self.scope.permits("ask", &self.said.person, None, false).await? {
            return Ok(Err(refused));
        }
        let all = self.scope.executions(self.place.number, false).await?;
        let newest: Vec<Execution> = newest(&all).into_iter().cloned().collect();
        Ok(Ok(wording::asked(&newest, self.scope.now())))
    }

    async fn help(&self) -> Outcome<String> {
        Ok(Ok(wording::help(&help(), &self.scope.published().await?.words())))
    }

    /// A slash word that is none of our verbs: a comment trigger, a slip, or another bot's.
    async fn unknown(&self, unknown: &UnknownWord, open: &[Execution]) -> Result<Option<Answer>, Trouble> {
        let published = self.scope.published().await?;
        let started: Vec<String> = published
            .words()
            .into_iter()
            .filter(|(word, _)| *word == unknown.word)
            .map(|(_, process)| process)
            .collect();
        let said = format!("/{} {}", unknown.word, unknown.rest).trim_end().to_owned();
        if started.is_empty() {
            let slip = unknown.suggestion.filter(|_| !published.processes.is_empty());
            let refused = slip.map(|verb| Refused::DidYouMean { meant: format!("/{verb}") });
            return Ok(refused.map(|refused| Answer { said, result: Err(refused) }));
        }
        for process in started {
            if let Err(refused) = self.start_by_word(unknown, &process).await? {
                if !matches!(refused, Refused::Syntax { .. }) {
                    self.note_refusal((Verb::Run, Some(&process)), &refused, open).await?;
                }
                return Ok(Some(Answer { said, result: Err(refused) }));
            }
        }
        Ok(Some(Answer { said, result: Ok(String::new()) }))
    }

    async fn start_by_word(&self, unknown: &UnknownWord, process: &str) -> Outcome<()> {
        if let Err(refused) = self.scope.permits("run", &self.said.person, Some(Role::Write), false).await? {
            return Ok(Err(refused));
        }
        let words = match parse_arguments(&unknown.rest) {
            Ok(words) => words,
            Err(error) => return Ok(Err(Refused::Syntax { shown: error.render(&unknown.rest) })),
        };
        let Some(process) = self.scope.published().await?.process(process).cloned() else { return Ok(Ok(())) };
        let occasion = self.occasion("comment", unknown.range.start, &words);
        self.scope.start(&process, inputs(&process, &words), occasion).await
    }
}

/// The word that stands for all of a command, at this place of a text.
pub(super) fn key(kind: SourceKind, id: &str, place: usize) -> String {
    format!("{kind:?}:{id}:{place}").to_lowercase()
}

/// Whether a command is a person's word about a question, or gives it to somebody else.
fn decides(command: &Command) -> bool {
    use Command::{Answer, Approve, Delegate, Override, Reject};
    matches!(command, Approve { .. } | Reject { .. } | Answer { .. } | Override { .. } | Delegate { .. })
}

/// Nothing to say where it was done: the reaction says it.
fn silent(outcome: Outcome<()>) -> Outcome<String> {
    Ok(outcome?.map(|()| String::new()))
}

/// Whether an execution has a step of this name.
fn has_step(execution: &Execution, name: StepName<'_>) -> bool {
    is_named(execution, name) && execution.steps.contains_key(name.key)
}

/// The newest execution of each process, in the order in which they were created. Ids ascend with time.
fn newest(executions: &[Execution]) -> Vec<&Execution> {
    let is_newest = |execution: &&Execution| {
        !executions.iter().any(|other| other.process == execution.process && other.id > execution.id)
    };
    executions.iter().filter(is_newest).collect()
}
