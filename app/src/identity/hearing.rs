//! Hears a person's word: whether they may say it and whether it counts, then has the execution take it.

use flowctl_core::approval::{
    Counted, Decision, DecisionKind, Group, InPlaceOf, Ineligible, Person, Requirement, Weighed, evaluate,
};
use flowctl_core::definition::Role;
use flowctl_core::definition::step::human_approval::KeepOnPush;
use flowctl_core::execution::{ApprovalRequest, Execution, Refusal, Signal, TenantId, Waiting};
use serde_json::{Map, Value};

use super::directory::Directory;
use super::word::{Word, approval, commit, form, was_shown};
use crate::engine::{Along, DefinitionError, Engine, SignalFailure};
use crate::github::client::GitHubError;
use crate::github::intake::Published;
use crate::github::people::PeopleError;
use crate::github::reconcile::of_pusher;
use crate::github::whose::{Whose, whose};

use crate::github::wording::Refused;

/// What became of a word: taken, or refused with the reason.
pub type Heard<T> = Result<Result<T, Refused>, HearingError>;

/// Why nothing can be said about a word now.
#[derive(Debug, thiserror::Error)]
pub enum HearingError {
    /// GitHub does not answer.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The engine cannot take it.
    #[error(transparent)]
    Engine(#[from] SignalFailure),
    /// The pull request moved while it was looked at.
    #[error("the pull request has a newer commit by now")]
    Moved,
}

/// What a word is heard with.
#[derive(Clone, Copy)]
pub struct Hearing<'a> {
    /// What moves executions.
    pub engine: &'a Engine,
    /// Whose the execution is.
    pub tenant: &'a TenantId,
    /// What is known of people.
    pub directory: &'a dyn Directory,
    /// The definitions of the default branch: `flow.yaml` may demand permissions.
    pub published: &'a Published,
}

impl Hearing<'_> {
    /// Records a person's decision about a step, or says why it does not count. A word that was recorded before is
    /// refused as [`Refusal::Repeated`]: whether the same was said then is for the caller to know.
    ///
    /// # Errors
    /// Where it cannot be said now.
    pub async fn decide(
        &self,
        execution: &Execution,
        step: &str,
        word: &Word,
        decision: (DecisionKind, Option<String>),
        along: Along,
    ) -> Heard<()> {
        let (kind, note) = decision;
        let (counted, in_place_of) = match self.heed(execution, step, word, kind).await? {
            Ok(heeded) => heeded,
            Err(refused) => return Ok(Err(refused)),
        };
        let Some((state, request)) = execution.steps.get(step).zip(approval(execution, step)) else {
            return Ok(asks_nobody(step, "an approval"));
        };
        let decision = Decision {
            person: word.person.clone(),
            decision: kind,
            at: word.at,
            note,
            source: word.source.clone(),
            commit: commit(&word.about, request),
            call: state.asked_call(),
            counts_for: counted.leaves,
            owner_of: counted.owner_of,
            in_place_of,
        };
        let signal = Signal::Decide { step: step.to_owned(), decision };
        outcome(Some(step), self.engine.signal(self.tenant, execution.id, signal, along).await)
    }

    /// Whether a person's word about a step would count: a decision of this kind, or without one the answers to a form.
    /// No decision is recorded; what is found about its author on the way is.
    ///
    /// # Errors
    /// Where it cannot be said now.
    pub async fn may(&self, execution: &Execution, step: &str, word: &Word, kind: Option<DecisionKind>) -> Heard<()> {
        match kind {
            Some(kind) => Ok(self.heed(execution, step, word, kind).await?.map(drop)),
            None => self.may_answer(execution, step, word).await,
        }
    }

    /// What a person counts for in a decision about a step.
    async fn heed(
        &self,
        execution: &Execution,
        step: &str,
        word: &Word,
        kind: DecisionKind,
    ) -> Heard<(Counted, Vec<InPlaceOf>)> {
        let Some((state, request)) = execution.steps.get(step).zip(approval(execution, step)) else {
            return Ok(asks_nobody(step, "an approval"));
        };
        if let Err(refused) = was_shown(step, state, request, word) {
            return Ok(Err(refused));
        }
        if let Err(refused) = self.permits(word.verb, &word.person, None, false).await? {
            return Ok(Err(refused));
        }
        self.dismiss_new_authors(execution, step, request, &word.person).await?;
        let execution = &self.with_earlier_pushes(execution, &word.person).await?;
        match kind {
            DecisionKind::Override => self.may_override(execution, step, word).await,
            _ => self.weigh(execution, step, &request.requirement, word, request.allow_author).await,
        }
    }

    /// What was said before a push and is kept counts no more where its author has made a part of the change since. Only who
    /// wrote commits is asked here: who pushes is told to the execution at once.
    async fn dismiss_new_authors(
        &self,
        execution: &Execution,
        step: &str,
        request: &ApprovalRequest,
        speaker: &Person,
    ) -> Result<(), HearingError> {
        let was_moved = request.shown_since > request.requested_at;
        if request.allow_author || request.keep_on_push == KeepOnPush::Never || !was_moved {
            return Ok(());
        }
        let decisions = execution.steps.get(step).map_or(&[][..], |state| &state.decisions);
        let standing = evaluate(&request.requirement, decisions).standing;
        let voices = standing.iter().flat_map(|word| {
            let others = word.in_place_of.iter().map(|other| &other.person);
            std::iter::once(&word.person).chain(others)
        });
        let others: Vec<&Person> = voices.filter(|person| !person.is(speaker)).collect();
        for person in others {
            let itself = Requirement::People { group: Group::Users(vec![person.login.clone()]), count: 1 };
            match self.directory.weigh(execution, &itself, person, false).await {
                Ok(Weighed::Not(Ineligible::Author | Ineligible::Contributor)) => {}
                // What else may have become of them does not take back what they said.
                Ok(_) | Err(PeopleError::AccountChanged) => continue,
                Err(error) => return unsaid::<()>(step, error).map(drop),
            }
            let signal = Signal::Pushed { person: person.clone() };
            match self.engine.signal(self.tenant, execution.id, signal, Along::default()).await {
                Ok(_) | Err(SignalFailure::Refused(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    /// The execution, which knows of whoever speaks, or gave them their word, whether they were seen to push before it started:
    /// a commit bears any name, and who pushed it made the change.
    async fn with_earlier_pushes(&self, execution: &Execution, speaker: &Person) -> Result<Execution, HearingError> {
        let mut known = execution.clone();
        let pull_request = execution.subject.as_ref().filter(|subject| subject.is_pull_request);
        let number = pull_request.and_then(|subject| subject.number);
        let Some(number) = number else { return Ok(known) };
        // What caused it may not be kept whole.
        let whose = whose(&**self.engine.store(), execution).await.map_err(SignalFailure::from)?;
        let Whose::Known(repository) = whose else { return Ok(known) };
        let givers = execution.delegations.iter().filter(|given| given.to.is(speaker)).map(|given| &given.from);
        for person in givers.chain([speaker]) {
            let is_known = execution.pushers.iter().any(|pusher| pusher.is(person));
            let what = of_pusher(repository, number, person.id);
            if is_known || self.engine.store().heard(self.tenant, &what).await.map_err(SignalFailure::from)?.is_none() {
                continue;
            }
            let signal = Signal::Pushed { person: person.clone() };
            match self.engine.signal(self.tenant, execution.id, signal, Along::default()).await {
                Ok(execution) => known = execution,
                Err(SignalFailure::Refused(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(known)
    }

    /// Records a person's answers to a form, or says why they do not count. A word that was recorded before is refused
    /// as [`Refusal::Repeated`].
    ///
    /// # Errors
    /// Where it cannot be said now.
    pub async fn answer(
        &self,
        execution: &Execution,
        step: &str,
        word: &Word,
        values: Map<String, Value>,
        along: Along,
    ) -> Heard<()> {
        if let Err(refused) = self.may_answer(execution, step, word).await? {
            return Ok(Err(refused));
        }
        let Some(request) = form(execution, step) else { return Ok(asks_nobody(step, "answers")) };
        let (person, source) = (word.person.clone(), word.source.clone());
        let values = whole_where_asked(values, &request.schema);
        let signal = Signal::Answer { step: step.to_owned(), person, values, source };
        outcome(Some(step), self.engine.signal(self.tenant, execution.id, signal, along).await)
    }

    /// Whether a person may answer a form.
    async fn may_answer(&self, execution: &Execution, step: &str, word: &Word) -> Heard<()> {
        let Some(request) = form(execution, step) else { return Ok(asks_nobody(step, "answers")) };
        if word.was_said_before(request.requested_at) {
            let since = request.requested_at;
            return Ok(Err(Refused::WrittenBefore { step: step.to_owned(), since, commit: None }));
        }
        // Where nobody is named, whoever may write to the repository.
        let needs = request.assignees.is_none().then_some(Role::Write);
        if let Err(refused) = self.permits(word.verb, &word.person, needs, false).await? {
            return Ok(Err(refused));
        }
        match &request.assignees {
            Some(assignees) => Ok(self.weigh(execution, step, assignees, word, true).await?.map(drop)),
            None => Ok(Ok(())),
        }
    }

    /// What a person counts for: by themself, and in whose place.
    async fn weigh(
        &self,
        execution: &Execution,
        step: &str,
        requirement: &Requirement,
        word: &Word,
        allow_author: bool,
    ) -> Heard<(Counted, Vec<InPlaceOf>)> {
        let requirement = match self.with_owners(execution, step, requirement).await? {
            Ok(requirement) => requirement,
            Err(refused) => return Ok(Err(refused)),
        };
        let person = &word.person;
        let weigh = |person| self.directory.weigh(execution, &requirement, person, allow_author);
        let own = match weigh(person).await {
            Ok(own) => own,
            Err(error) => return unsaid(step, error),
        };
        let own = match own {
            Weighed::Counts(whole) => {
                let counted = self.under_own_login(execution, step, &requirement, (person, whole.clone())).await?;
                if counted.as_ref().is_ok_and(|counted| *counted == whole) {
                    self.remember(person).await?;
                }
                counted
            }
            Weighed::Not(Ineligible::NotListed) => Err(self.ineligible(step, Ineligible::NotListed, &requirement)),
            Weighed::Not(why) => return Ok(Err(self.ineligible(step, why, &requirement))),
        };
        let givers: Vec<&Person> = execution.gave_their_word_to(person, word.heard_at).collect();
        let mut in_place_of = Vec::new();
        if !givers.is_empty() && self.may_speak_for_others(execution, step, person, allow_author).await? {
            for giver in givers {
                match weigh(giver).await {
                    Ok(Weighed::Counts(counted)) => {
                        let counted = self.under_own_login(execution, step, &requirement, (giver, counted)).await?;
                        let Ok(Counted { leaves: counts_for, owner_of }) = counted else { continue };
                        in_place_of.push(InPlaceOf { person: giver.clone(), counts_for, owner_of });
                    }
                    Ok(Weighed::Not(_)) | Err(PeopleError::AccountChanged) => {}
                    Err(error) => return unsaid(step, error),
                }
            }
        }
        match own {
            Err(refused) if in_place_of.is_empty() => Ok(Err(refused)),
            Err(_) => Ok(Ok((Counted::default(), in_place_of))),
            Ok(counted) => Ok(Ok((counted, in_place_of))),
        }
    }

    /// Whether somebody may speak in another's place: who may write, and did not make the change.
    pub(super) async fn may_speak_for_others(
        &self,
        execution: &Execution,
        step: &str,
        person: &Person,
        allow_author: bool,
    ) -> Result<bool, HearingError> {
        let role = match self.directory.role(person).await {
            Ok(role) => role,
            Err(error) => return unsaid::<bool>(step, error).map(|_| false),
        };
        let itself = Requirement::People { group: Group::Users(vec![person.login.clone()]), count: 1 };
        match self.directory.weigh(execution, &itself, person, allow_author).await {
            Ok(weighed) => Ok(role.is_some() && matches!(weighed, Weighed::Counts(_))),
            Err(error) => unsaid::<bool>(step, error).map(|_| false),
        }
    }

    /// Whether somebody may go on without an approval: whom `flow.yaml` allows it, and who did not make the change.
    async fn may_override(&self, execution: &Execution, step: &str, word: &Word) -> Heard<(Counted, Vec<InPlaceOf>)> {
        if self.published.demands("override").is_none() {
            return Ok(Err(Refused::NobodyOverrides));
        }
        let itself = Requirement::People { group: Group::Users(vec![word.person.login.clone()]), count: 1 };
        match self.directory.weigh(execution, &itself, &word.person, false).await {
            Ok(Weighed::Counts(_)) => Ok(Ok((Counted::default(), Vec::new()))),
            Ok(Weighed::Not(why)) => Ok(Err(Refused::OwnChange { step: step.to_owned(), why })),
            Err(error) => unsaid(step, error),
        }
    }

    /// Whether somebody has a word in an execution that they could give to another person: who counts for one of the
    /// questions that are open.
    ///
    /// # Errors
    /// Where it cannot be said now.
    pub(super) async fn has_a_word(&self, execution: &Execution, word: &Word) -> Heard<()> {
        let mut refused = None;
        for (step, state) in execution.waiting_for_people() {
            let Some(Waiting::Approval(request)) = &state.waiting else { continue };
            match self.weigh(execution, step, &request.requirement, word, request.allow_author).await? {
                Ok((counted, _)) if !counted.leaves.is_empty() => return Ok(Ok(())),
                Ok(_) => {}
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Ok(Err(refused.unwrap_or(Refused::NothingWaits { what: "an approval of yours" })))
    }

    /// The requirement with who owns what is changed, where that matters. What was found out is told to the execution, so
    /// that everybody reads it.
    async fn with_owners(&self, execution: &Execution, step: &str, requirement: &Requirement) -> Heard<Requirement> {
        if !requirement.asks_codeowners() {
            return Ok(Ok(requirement.clone()));
        }
        let owned = match self.directory.owned(execution).await {
            Ok(Some(owned)) => owned,
            Ok(None) => return Ok(Ok(requirement.clone())),
            Err(error) => return unsaid(step, error),
        };
        let known = requirement.with_owned(&owned);
        if known != *requirement {
            let signal = Signal::OwnersKnown { owned };
            match self.engine.signal(self.tenant, execution.id, signal, Along::default()).await {
                Ok(_) | Err(SignalFailure::Refused(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(Ok(known))
    }

    fn ineligible(&self, step: &str, why: Ineligible, requirement: &Requirement) -> Refused {
        Refused::Ineligible {
            step: step.to_owned(),
            why,
            requirement: requirement.clone(),
            organisation: self.directory.organisation().to_owned(),
        }
    }

    /// Whether somebody may use a command: the permission that it needs, unless they started what it is about;
    /// `flow.yaml` may demand more of everybody.
    ///
    /// # Errors
    /// Where it cannot be said now.
    pub async fn permits(&self, verb: &str, person: &Person, needs: Option<Role>, started_it: bool) -> Heard<()> {
        if let (Some(fault), false) = (&self.published.settings_fault, ["status", "help", "ask"].contains(&verb)) {
            return Ok(Err(Refused::SettingsUnsound { fault: fault.clone() }));
        }
        let demanded = self.published.demands(verb);
        let needs = match (demanded, needs) {
            (Some(demanded), needs) => Some(needs.map_or(demanded, |needs| needs.max(demanded))),
            (None, Some(needs)) if !started_it => Some(needs),
            (None, _) => None,
        };
        let Some(needs) = needs else { return Ok(Ok(())) };
        match self.directory.role(person).await {
            Ok(Some(role)) if role >= needs => Ok(Ok(())),
            Ok(_) => Ok(Err(Refused::Permission { needs })),
            Err(error) => unsaid(verb, error),
        }
    }
}

/// Why nothing can be said of a person: something to tell them, or something that passes.
fn unsaid<T>(step: &str, error: PeopleError) -> Heard<T> {
    match error {
        PeopleError::AccountChanged => Ok(Err(Refused::AccountChanged)),
        PeopleError::OwnersUnknown(reason) => Ok(Err(Refused::OwnersUnknown { step: step.to_owned(), reason })),
        PeopleError::Moved => Err(HearingError::Moved),
        PeopleError::GitHub(error) => Err(error.into()),
    }
}

/// Answers whose integers are written as such: `2.0` is the integer 2 (JSON Schema 2020-12, section 6.1.1), and steps that
/// read it are to see one number however it was written.
fn whole_where_asked(mut values: Map<String, Value>, schema: &Value) -> Map<String, Value> {
    /// Up to here every whole number is one that a fraction's type holds exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    for (name, value) in &mut values {
        if schema["properties"][name.as_str()]["type"] != "integer" {
            continue;
        }
        let Some(number) = value.as_f64().filter(|_| value.is_f64()) else { continue };
        if number.fract() == 0.0 && number.abs() < EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
            let whole = number as i64;
            *value = Value::from(whole);
        }
    }
    values
}

/// What a signal led to, for the person who gave it, of whom one delivery tells again and again the same: what was
/// recorded before was done before.
///
/// # Errors
/// Where the engine could not take it now.
pub fn settled(step: Option<&str>, outcome: Result<Execution, SignalFailure>) -> Heard<()> {
    match outcome {
        Err(SignalFailure::Refused(Refusal::Repeated)) => Ok(Ok(())),
        other => self::outcome(step, other),
    }
}

fn outcome(step: Option<&str>, outcome: Result<Execution, SignalFailure>) -> Heard<()> {
    match outcome {
        Ok(_) => Ok(Ok(())),
        Err(SignalFailure::Refused(refusal)) => Ok(refused(step, refusal)),
        Err(SignalFailure::GroupBusy { running }) => Ok(Err(Refused::GroupBusy { running })),
        Err(SignalFailure::Definition(error)) if !matches!(error, DefinitionError::Unavailable { .. }) => {
            Ok(Err(Refused::Definition { reason: error.to_string() }))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// That a step waits for nothing of this kind.
fn asks_nobody<T>(step: &str, what: &'static str) -> Result<T, Refused> {
    refused(Some(step), Refusal::NotWaiting { step: step.to_owned(), what })
}

fn refused<T>(step: Option<&str>, refusal: Refusal) -> Result<T, Refused> {
    Err(Refused::Execution { step: step.map(str::to_owned), refusal })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_integer_that_was_written_with_a_fraction_stayed_one() {
        let schema = json!({"properties": {"days": {"type": "integer"}, "share": {"type": "number"}}});
        for (given, kept) in [
            (json!({"days": 2.0, "share": 2.0}), json!({"days": 2, "share": 2.0})),
            (json!({"days": -0.0}), json!({"days": 0})),
            (json!({"days": 2.5, "other": 1.0}), json!({"days": 2.5, "other": 1.0})),
            (json!({"days": 1e300}), json!({"days": 1e300})),
            (json!({"days": "2.0"}), json!({"days": "2.0"})),
        ] {
            let values = given.as_object().cloned().unwrap_or_default();
            assert_eq!(Value::Object(whole_where_asked(values, &schema)).to_string(), kept.to_string());
        }
    }
}
