//! Approvals and forms, step by step: who must act, and what happens when nobody does or somebody says no.

use std::collections::BTreeSet;

use serde_json::Value;

use super::said::names;
use super::{Commit, Found, ProcessAt, ProcessPair, Subject, Told, View, path, timeout};
use crate::approval::{Loosening, Requirement, adds_nobody, whoever_may_write};
use crate::definition::Step;
use crate::definition::policy::Policy;
use crate::definition::step::form::FormTimeout;
use crate::definition::step::human_approval::{Escalation, KeepOnPush, NoteRequired, OnReject, OnTimeout};
use crate::definition::step::{Form, HumanApproval, OnFailure, StepKind};
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::text::shown;
use crate::source::Spanned;
use crate::value::Duration;

/// Looks at every approval of the processes that are in both commits.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    for pair in &view.processes {
        removed(pair, found);
        for (before, after) in pair.steps() {
            match (&before.kind, &after.kind) {
                (StepKind::HumanApproval(was), StepKind::HumanApproval(is)) => {
                    let both = Both { view, pair, before, after };
                    both.approvers(was, is, found);
                    both.policy(was, is, found);
                    both.outcomes(was, is, found);
                    both.shown(was, is, found);
                    both.escalations(was, is, found);
                    both.conditions(found);
                }
                (StepKind::Form(was), StepKind::Form(is)) => {
                    let both = Both { view, pair, before, after };
                    both.assignees(was, is, found);
                }
                _ if asks_inside(&view.before, before) && asks_inside(&view.after, after) => {
                    let both = Both { view, pair, before, after };
                    both.around_approvals(found);
                    both.conditions(found);
                }
                _ => {}
            }
        }
        path::conditions(view, pair, found);
    }
}

/// What an approval step asks: its own approvers, its policy with what that extends, and policies that govern the
/// process.
pub(super) fn requirement(commit: &Commit<'_>, process: &str, approval: &HumanApproval) -> Requirement {
    let mut of: Vec<Requirement> = Vec::new();
    of.extend(approval.approvers.as_ref().map(|approvers| Requirement::as_written(approvers)));
    of.extend(approval.policy.iter().map(|policy| commit.asked_by(&policy.value)));
    of.extend(commit.governing(process).into_iter().map(|policy| commit.asked_by(policy)));
    flat(of)
}

/// One requirement of several, without layers that say nothing.
pub(super) fn flat(of: Vec<Requirement>) -> Requirement {
    let mut parts = Vec::new();
    for requirement in of {
        match requirement {
            Requirement::All { of } => parts.extend(of),
            other => parts.push(other),
        }
    }
    if parts.len() == 1 { parts.remove(0) } else { Requirement::All { of: parts } }
}

/// The kind of weakening that a loosening is.
pub(super) fn kind(loosening: Loosening) -> Kind {
    match loosening {
        Loosening::Fewer => Kind::FewerApprovers,
        Loosening::Wider => Kind::WiderApprovers,
        Loosening::AnyInsteadOfAll => Kind::AnyInsteadOfAll,
        Loosening::AnyOwner => Kind::AnyOwner,
        Loosening::LowerRole => Kind::LowerRole,
        Loosening::Others => Kind::OtherApprovers,
    }
}

fn removed(pair: &ProcessPair<'_>, found: &mut Found) {
    for (place, was) in pair.matches.after.iter().enumerate() {
        let Some(before) = pair.before.step_at(place) else { continue };
        if !matches!(before.kind, StepKind::HumanApproval(_)) {
            continue;
        }
        let now =
            was.and_then(|now| Some((pair.after.step_at(now)?, pair.after.place(pair.after.step_at(now)?, "type"))));
        match now {
            Some((step, _)) if matches!(step.kind, StepKind::HumanApproval(_)) => {}
            Some((step, place)) => {
                let message =
                    format!("`{}` was an approval and is a step of type `{}`", before.id.as_str(), step.step_type());
                let was = pair.before.place(before, "type");
                found.tell(Kind::ApprovalRemoved, Subject::step(pair.definition(), step), message, place, Some(was));
            }
            None => {
                let place = pair.before.place(before, "id");
                let message = format!("the approval `{}` is gone", before.id.as_str());
                found.tell(Kind::ApprovalRemoved, Subject::step(pair.definition(), before), message, place, None);
            }
        }
    }
}

/// Whether a step has approvals inside: in the body of a loop, or in the process that it starts.
pub(super) fn asks_inside(commit: &Commit<'_>, step: &Step) -> bool {
    let mut open: Vec<&Step> = match &step.kind {
        StepKind::Foreach(foreach) => foreach.steps.iter().collect(),
        StepKind::Process(_) => vec![step],
        _ => return false,
    };
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(step) = open.pop() {
        match &step.kind {
            StepKind::HumanApproval(_) => return true,
            StepKind::Foreach(foreach) => open.extend(&foreach.steps),
            StepKind::Process(sub) if sub.wait && seen.insert(sub.process.as_str()) => {
                let process = commit.repository.process(sub.process.as_str());
                open.extend(process.into_iter().flat_map(|(_, process)| &process.steps));
            }
            _ => {}
        }
    }
    false
}

/// Whether a loop runs at least as often as before, as far as can be shown.
fn as_many_items(was: &str, is: &str) -> bool {
    let items = |text: &str| serde_json::from_str::<Vec<Value>>(text).ok().map(|items| items.len());
    was == is || matches!((items(was), items(is)), (Some(was), Some(is)) if is >= was)
}

/// One step before and after.
struct Both<'a, 'r> {
    view: &'a View<'r>,
    pair: &'a ProcessPair<'r>,
    before: &'r Step,
    after: &'r Step,
}

impl Both<'_, '_> {
    fn tell(&self, kind: Kind, key: &str, message: String, found: &mut Found) {
        let Self { pair, before, after, .. } = self;
        let subject = Subject::step(pair.definition(), after);
        let (place, was) = (pair.after.place(after, key), pair.before.place(before, key));
        found.tell(kind, subject, message, place, Some(was));
    }

    /// What is written under a key, for a message.
    fn written(at: &ProcessAt<'_>, step: &Step, key: &str) -> String {
        at.node(step).get(key).map_or_else(|| "nothing".to_owned(), |value| format!("`{}`", shown(value)))
    }

    fn was_is(&self, key: &str) -> String {
        let was = Self::written(&self.pair.before, self.before, key);
        let is = Self::written(&self.pair.after, self.after, key);
        format!("{was} became {is}")
    }

    /// What stands under a key as before, and what became of it.
    fn as_written(&self, key: &str, how: &str) -> String {
        format!("{}: {how}", Self::written(&self.pair.after, self.after, key))
    }

    fn approvers(&self, was: &HumanApproval, is: &HumanApproval, found: &mut Found) {
        let View { before, after, .. } = self.view;
        let (process_before, process_after) = (self.pair.before.name(), self.pair.after.name());
        let asked = requirement(before, process_before, was);
        let asks = requirement(after, process_after, is);
        let Some(loosening) = asks.loosened_since(&asked) else {
            if let Some(how) = is.approvers.as_ref().and_then(|own| self.pair.other_people(own)) {
                let message = format!("`approvers`: {}", self.as_written("approvers", &how));
                self.tell(Kind::OtherApprovers, "approvers", message, found);
            }
            let named = is.policy.iter().map(|policy| policy.value.as_str());
            if let Some(message) = self.pair.others_by_policy(after, named.chain(after.governing(process_after))) {
                self.tell(Kind::OtherApprovers, "policy", message, found);
            }
            return;
        };
        let own = |approval: &HumanApproval| approval.approvers.as_ref().map(|own| Requirement::as_written(own));
        let name = |policy: &Option<Spanned<String>>| policy.as_ref().map(|policy| policy.value.clone());
        if own(was) != own(is) {
            let message = format!("`approvers`: {}", self.was_is("approvers"));
            self.tell(kind(loosening), "approvers", message, found);
        } else if name(&was.policy) != name(&is.policy) {
            let message = format!("`policy`: {}", self.was_is("policy"));
            self.tell(kind(loosening), "policy", message, found);
        } else if !self.told_at_its_policy(is) {
            let message = "a policy that governs it asks less".to_owned();
            self.tell(kind(loosening), "policy", message, found);
        }
    }

    /// Whether the policy that the step names asks less: then it is told there, once for all that name it.
    fn told_at_its_policy(&self, is: &HumanApproval) -> bool {
        let View { before, after, .. } = self.view;
        is.policy.as_ref().is_some_and(|policy| {
            let is_there = before.policies.contains_key(policy.value.as_str());
            is_there && after.asked_by(&policy.value).loosened_since(&before.asked_by(&policy.value)).is_some()
        })
    }

    /// Its policy has more to say than approvers.
    fn policy(&self, was: &HumanApproval, is: &HumanApproval, found: &mut Found) {
        let Some(lost) = &was.policy else { return };
        let names = |name: &str| {
            self.view.after.chain(name).iter().map(|(file, _)| file.source.path().to_owned()).collect::<Vec<_>>()
        };
        let still = is.policy.as_ref().is_some_and(|policy| {
            policy.value == lost.value || {
                let now = names(&policy.value);
                names(&lost.value).first().is_some_and(|path| now.contains(path))
            }
        });
        // A policy that has another name now is the same one.
        let renamed = is.policy.as_ref().is_some_and(|policy| self.is_renamed(&lost.value, &policy.value));
        if !still && !renamed {
            self.tell(Kind::PolicyRemoved, "policy", format!("`policy`: {}", self.was_is("policy")), found);
        }
    }

    fn is_renamed(&self, old: &str, new: &str) -> bool {
        let file =
            |commit: &Commit<'_>, name: &str| commit.policies.get(name).map(|(file, _)| file.source.path().to_owned());
        let (old, new) = (file(&self.view.before, old), file(&self.view.after, new));
        self.view.matches.iter().any(|matched| {
            let path =
                |file: Option<&crate::definition::repository::File>| file.map(|file| file.source.path().to_owned());
            old.is_some() && path(matched.before) == old && path(matched.after) == new
        })
    }

    fn outcomes(&self, was: &HumanApproval, is: &HumanApproval, found: &mut Found) {
        if !was.allow_author && is.allow_author {
            let message = "`allow_author: true`: who wrote the change may approve it".to_owned();
            self.tell(Kind::AuthorAllowed, "allow_author", message, found);
        }
        let goes_on = |outcome: OnTimeout| matches!(outcome, OnTimeout::Approve | OnTimeout::Continue);
        let graver = was.on_timeout == OnTimeout::Continue && is.on_timeout == OnTimeout::Approve;
        if goes_on(is.on_timeout) && (!goes_on(was.on_timeout) || graver) {
            self.tell(
                Kind::TimeoutApproves,
                "on_timeout",
                format!("`on_timeout`: {}", self.was_is("on_timeout")),
                found,
            );
        }
        if goes_on(was.on_timeout)
            && goes_on(is.on_timeout)
            && let Some(how) = timeout::came_sooner(self.view, self.pair, self.before, self.after)
        {
            let outcome = if is.on_timeout == OnTimeout::Approve { "approve" } else { "continue" };
            let message = format!("`timeout`: {how}, and then `on_timeout: {outcome}` decides");
            let told = Told { kind: Kind::TimeoutApproves, message };
            match timeout::follows_default(self.before, self.after) {
                true => found.tell_by_default((self.view, self.pair), "timeout", (self.before, self.after), told),
                false => self.tell(told.kind, "timeout", told.message, found),
            }
        }
        if was.on_reject == OnReject::Fail && is.on_reject == OnReject::Continue {
            self.tell(
                Kind::RejectionContinues,
                "on_reject",
                format!("`on_reject`: {}", self.was_is("on_reject")),
                found,
            );
        }
        if self.before.on_failure == OnFailure::Fail && self.after.on_failure == OnFailure::Continue {
            let message = "`on_failure: continue`: a rejection or a missed deadline is tolerated".to_owned();
            self.tell(Kind::RejectionContinues, "on_failure", message, found);
        }
        let kept = |keep: KeepOnPush| match keep {
            KeepOnPush::Never => 0,
            KeepOnPush::SameTree => 1,
            KeepOnPush::Always => 2,
        };
        if kept(is.keep_on_push) > kept(was.keep_on_push) {
            let message = format!("`keep_on_push`: {}", self.was_is("keep_on_push"));
            self.tell(Kind::KeptOnPush, "keep_on_push", message, found);
        }
        let noted = |note: NoteRequired| match note {
            NoteRequired::Never => 0,
            NoteRequired::OnReject => 1,
            NoteRequired::Always => 2,
        };
        if noted(is.note_required) < noted(was.note_required) {
            let message = format!("`note_required`: {}", self.was_is("note_required"));
            self.tell(Kind::NoteNotRequired, "note_required", message, found);
        }
    }

    /// What people see before they decide: in the description, or in the title.
    fn shown(&self, was: &HumanApproval, is: &HumanApproval, found: &mut Found) {
        let Some(described) = &was.description else { return };
        if is.description.is_none() {
            let message = format!("`description`: {}", self.was_is("description"));
            return self.tell(Kind::ApprovalShowsLess, "description", message, found);
        }
        let now: Vec<String> =
            [&is.title, &is.description].into_iter().flatten().flat_map(|text| names(text)).collect();
        // What is a part of something that is shown as a whole is shown as well.
        let is_shown = |name: &String| {
            now.iter()
                .any(|now| name.strip_prefix(now.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        };
        let was = self.pair.renames.applied(described, false);
        if let Some(lost) = names(&was).into_iter().find(|name| !is_shown(name)) {
            let message = format!("`description`: `{lost}` is not shown any more");
            self.tell(Kind::ApprovalShowsLess, "description", message, found);
        }
    }

    /// An escalation adds people: whoever could act no earlier before is more than there was.
    fn escalations(&self, was: &HumanApproval, is: &HumanApproval, found: &mut Found) {
        let View { before, after, .. } = self.view;
        let asked = requirement(before, self.pair.before.name(), was);
        let name = |approval: &HumanApproval| approval.policy.as_ref().map(|policy| policy.value.clone());
        let had: Vec<Level> = own_levels(was).chain(levels_by_policy(before, was)).collect();
        if escalates_more(&asked, &had, own_levels(is)) {
            let message = format!("`escalate`: {}", self.was_is("escalate"));
            self.tell(Kind::EscalationWider, "escalate", message, found);
            return;
        }
        // What became of the policy itself is told there.
        if name(was) != name(is) && escalates_more(&asked, &had, levels_by_policy(after, is)) {
            let message = format!("`policy`: {}, which adds people after a while", self.was_is("policy"));
            self.tell(Kind::EscalationWider, "policy", message, found);
            return;
        }
        if let Some(how) = is.escalate.iter().find_map(|level| self.pair.other_people(&level.to)) {
            let message = format!("`escalate`: {}", self.as_written("escalate", &how));
            self.tell(Kind::EscalationWider, "escalate", message, found);
            return;
        }
        let escalates = |outcome: OnTimeout| outcome == OnTimeout::Escalate;
        if escalates(is.on_timeout)
            && !escalates(was.on_timeout)
            && own_levels(is).chain(levels_by_policy(after, is)).next().is_some()
        {
            let message = "`on_timeout: escalate`: the deadline starts anew with more people".to_owned();
            self.tell(Kind::EscalationWider, "on_timeout", message, found);
        }
    }

    /// Its own condition, and after which ends it runs.
    fn conditions(&self, found: &mut Found) {
        let was = self.pair.before.when(self.before);
        if let Some(is) = self.pair.after.when(self.after) {
            let same = was.filter(|was| self.pair.renames.applied(was, false) == is);
            let how = match same {
                Some(was) => self.pair.otherwise(was, is).map(|how| self.as_written("when", &how)),
                None => Some(self.was_is("when")),
            };
            if let Some(how) = how {
                self.tell(Kind::ApprovalConditional, "when", format!("`when`: {how}"), found);
            }
        }
        if self.before.run_on != self.after.run_on {
            self.tell(Kind::ApprovalConditional, "run_on", format!("`run_on`: {}", self.was_is("run_on")), found);
        }
    }

    /// A loop or a sub-process with approvals inside: what becomes of it where one of them is not given, and how often
    /// they are asked for.
    fn around_approvals(&self, found: &mut Found) {
        let tolerates = |was: OnFailure, is: OnFailure| was == OnFailure::Fail && is == OnFailure::Continue;
        if tolerates(self.before.on_failure, self.after.on_failure) {
            let message = "`on_failure: continue`: that an approval inside it is not given is tolerated".to_owned();
            self.tell(Kind::RejectionContinues, "on_failure", message, found);
        }
        let (StepKind::Foreach(was), StepKind::Foreach(is)) = (&self.before.kind, &self.after.kind) else { return };
        if tolerates(was.on_item_failure, is.on_item_failure) {
            let message =
                "`on_item_failure: continue`: that an approval inside it is not given is tolerated".to_owned();
            self.tell(Kind::RejectionContinues, "on_item_failure", message, found);
        }
        if let Some(how) = self.fewer_items(&was.items.value, &is.items.value) {
            let message = format!("`items`: {how}; the approvals inside are asked for once per item");
            self.tell(Kind::ApprovalConditional, "items", message, found);
        }
    }

    /// How a loop may run less often than before.
    fn fewer_items(&self, was: &Value, is: &Value) -> Option<String> {
        let (Value::String(was), Value::String(is)) = (was, is) else {
            let items = |at: &ProcessAt<'_>, items: &Value| match items {
                Value::String(text) => at.constants.resolved(text).into_owned(),
                items => items.to_string(),
            };
            let as_many = as_many_items(&items(&self.pair.before, was), &items(&self.pair.after, is));
            return (!as_many).then(|| self.was_is("items"));
        };
        let (had, has) = (self.pair.before.constants.resolved(was), self.pair.after.constants.resolved(is));
        let had = self.pair.renames.applied(&had, false);
        let is_list = self.pair.after.constants.value(is).is_some();
        if as_many_items(&had, &has) && (is_list || self.pair.otherwise(was, is).is_none()) {
            return None;
        }
        let how = self.pair.otherwise(was, is).filter(|_| was == is);
        Some(how.map_or_else(|| self.was_is("items"), |how| self.as_written("items", &how)))
    }

    fn assignees(&self, was: &Form, is: &Form, found: &mut Found) {
        let asks = |form: &Form| {
            form.assignees.as_ref().map_or_else(whoever_may_write, |people| Requirement::as_written(people))
        };
        if asks(is).loosened_since(&asks(was)).is_some() {
            self.tell(Kind::AssigneesWider, "assignees", format!("`assignees`: {}", self.was_is("assignees")), found);
        } else if let Some(how) = is.assignees.as_ref().and_then(|people| self.pair.other_people(people)) {
            let message = format!("`assignees`: {}", self.as_written("assignees", &how));
            self.tell(Kind::AssigneesWider, "assignees", message, found);
        }
        if was.on_timeout == FormTimeout::Fail && is.on_timeout == FormTimeout::Continue {
            self.tell(
                Kind::AssigneesWider,
                "on_timeout",
                format!("`on_timeout`: {}", self.was_is("on_timeout")),
                found,
            );
        }
    }
}

/// When whom an escalation adds.
pub(super) type Level = (Duration, Requirement);

fn level(level: &Spanned<Escalation>) -> Level {
    (level.after.value, Requirement::as_written(&level.to))
}

fn own_levels(approval: &HumanApproval) -> impl Iterator<Item = Level> + '_ {
    approval.escalate.iter().map(level)
}

/// What a policy says itself.
pub(super) fn levels_of(policy: &Policy) -> impl Iterator<Item = Level> + '_ {
    policy.escalate.iter().map(level)
}

/// What the policy of an approval says, with all that it extends.
fn levels_by_policy<'r>(commit: &Commit<'r>, approval: &HumanApproval) -> impl Iterator<Item = Level> + use<'r> {
    let policies: Vec<_> = approval.policy.iter().flat_map(|policy| commit.chain(&policy.value)).collect();
    policies.into_iter().flat_map(|(_, policy)| levels_of(policy))
}

/// Whether an escalation adds somebody who could not act as early by what was asked and by what was there before.
pub(super) fn escalates_more(asked: &Requirement, had: &[Level], has: impl IntoIterator<Item = Level>) -> bool {
    has.into_iter().any(|(due, to)| {
        let sooner = had.iter().filter(|(known, _)| *known <= due).map(|(_, to)| to);
        let known: Vec<&Requirement> = std::iter::once(asked).chain(sooner).collect();
        !adds_nobody(&to, &known)
    })
}
