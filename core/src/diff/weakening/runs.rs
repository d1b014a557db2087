//! Steps that act outside and start now although an approval before them was rejected, not answered, skipped or not
//! waited for: what the runs of both commits show, also where an approval is asked for in some runs alone.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::asked::Asked;
use super::effect::target;
use super::{Commit, Found, ProcessAt, ProcessPair, Subject, View};
use crate::approval::Requirement;
use crate::definition::step::StepKind;
use crate::definition::{Process, Step};
use crate::diff::kind::WeakeningKind as Kind;
use crate::guarantee::{Approval, Runs, Versions};
use crate::source::NodeId;

/// How many transitions the searches for one process may make together: some tenths of a second.
const ALLOWANCE: usize = 400_000;
/// LANGUAGE allows no more steps.
const MAX_STEPS: usize = 1_000;
/// What of a step decides when it starts, the first of which changed is where it is told.
const KEYS: [&str; 4] = ["when", "run_on", "join", "depends_on"];

/// Looks at the steps of a process that is in both commits. `told` are those of which it is known already that less is
/// asked before them.
pub(super) fn find(
    view: &View<'_>,
    pair: &ProcessPair<'_>,
    (asked_before, asked_after): (&Asked<'_, '_>, &Asked<'_, '_>),
    told: &BTreeSet<String>,
    found: &mut Found,
) {
    if pair.before.file.source.text() == pair.after.file.source.text() {
        return;
    }
    let steps: Vec<(&Step, &Step)> = pair.steps().collect();
    let asks = |step: &Step| asked_before.by(pair.before.name(), step);
    let asks_now = |step: &Step| asked_after.by(pair.after.name(), step);
    if !steps.iter().any(|(before, _)| asks(before).is_some()) {
        return;
    }
    let before = steps.iter().map(|(before, after)| (after.node, *before)).collect();
    let asks: (Asks<'_>, Asks<'_>) = (&asks, &asks_now);
    let mut look = Look { view, pair, asks, told, before, allowance: Cell::new(ALLOWANCE), found };
    look.lists(&pair.before.process.steps, &pair.after.process.steps);
}

/// What a step asks people.
type Asks<'a> = &'a dyn Fn(&Step) -> Option<Requirement>;

struct Look<'l, 'r> {
    view: &'l View<'r>,
    pair: &'l ProcessPair<'r>,
    /// Before and after.
    asks: (Asks<'l>, Asks<'l>),
    told: &'l BTreeSet<String>,
    /// The steps from before, by those that they have become.
    before: BTreeMap<NodeId, &'r Step>,
    allowance: Cell<usize>,
    found: &'l mut Found,
}

/// A step that asks people, in both versions of a list.
struct Asking {
    before: usize,
    after: usize,
    id: String,
    /// Whether it is told already that it may be skipped.
    is_conditional: bool,
    /// Other steps that ask at least as much, before and after.
    instead: (Vec<usize>, Vec<usize>),
}

impl<'r> Look<'_, 'r> {
    /// The two versions of a list, and of the bodies in it.
    fn lists(&mut self, before: &'r [Step], after: &'r [Step]) {
        if before.len().max(after.len()) > MAX_STEPS {
            return;
        }
        self.list(before, after);
        for step in after {
            if let StepKind::Foreach(is) = &step.kind
                && let Some(StepKind::Foreach(was)) = self.before.get(&step.node).copied().map(|before| &before.kind)
            {
                self.lists(&was.steps, &is.steps);
            }
        }
    }

    fn list(&mut self, before: &'r [Step], after: &'r [Step]) {
        let asking: Vec<(usize, Requirement)> =
            before.iter().enumerate().filter_map(|(place, step)| Some((place, (self.asks.0)(step)?))).collect();
        let effects: Vec<(&Step, &Step)> = after.iter().filter_map(|step| self.effect(step)).collect();
        if asking.is_empty() || effects.is_empty() {
            return;
        }
        let pair = self.pair;
        let was = runs(&self.view.before, &pair.before, before);
        let is = runs(&self.view.after, &pair.after, after);
        let asking = self.asking(&asking, before, after, (&was, &is));
        let changed_before: BTreeSet<NodeId> =
            before.iter().filter(|step| self.is_changed(step)).map(|step| step.node).collect();
        let is_new = |step: &Step| self.before.get(&step.node).is_none_or(|was| changed_before.contains(&was.node));
        let reached_before = was.reached_by(&|step| changed_before.contains(&step.node));
        let reached = is.reached_by(&is_new);
        let renamed = |text: &str| {
            let now = pair.renames.applied(text, false);
            pair.changes.of(&format!("{{{{ {now} }}}}")).is_none().then_some(now)
        };
        let allowance = Cell::new(self.allowance.get());
        let versions = Versions { before: &was, after: &is, renamed: &renamed, allowance: &allowance };
        let place = |(before, after): (&'r Step, &'r Step)| {
            let (from, to) = (was.place(before)?, is.place(after)?);
            (reached_before[from] || reached[to]).then_some(((before, from), (after, to)))
        };
        let mut open: Vec<_> = effects.into_iter().filter_map(place).collect();
        // What costs more comes last.
        for by_case in [false, true] {
            open.retain(|(before, after)| !self.is_told_behind(&versions, *before, *after, &asking, by_case));
        }
        self.allowance.set(allowance.get());
    }

    /// A step that acts outside on both sides, or a loop around such ones, of which nothing is told yet.
    fn effect(&self, after: &'r Step) -> Option<(&'r Step, &'r Step)> {
        let before = *self.before.get(&after.node)?;
        let acts = |step: &Step, commit: &Commit<'_>| match &step.kind {
            StepKind::Foreach(foreach) => {
                foreach.steps.iter().flat_map(Step::with_body).any(|inner| target(commit, inner).is_some())
            }
            _ => target(commit, step).is_some(),
        };
        let is_told = after.with_body().any(|step| self.told.contains(step.id.as_str()));
        (!is_told && acts(before, &self.view.before) && acts(after, &self.view.after)).then_some((before, after))
    }

    /// Whether a step from before is gone or says anything else now.
    fn is_changed(&self, before: &Step) -> bool {
        let Some(after) = self.pair.now(before) else { return true };
        let text = |at: &ProcessAt<'_>, step: &Step| at.file.source.slice(at.node(step).span()).to_owned();
        self.pair.renames.applied(&text(&self.pair.before, before), false) != text(&self.pair.after, after)
    }

    /// The steps of a list that ask people and are in both versions, each with those that ask as much.
    fn asking(
        &self,
        asking: &[(usize, Requirement)],
        before: &[Step],
        after: &[Step],
        (was, is): (&Runs<'_>, &Runs<'_>),
    ) -> Vec<Asking> {
        // What an approval asks less is told at itself: here it asks what it asked.
        let asks_now = |step: &Step| {
            let asks = (self.asks.1)(step)?;
            self.before.get(&step.node).copied().and_then(|before| (self.asks.0)(before)).or(Some(asks))
        };
        let now: Vec<(usize, Requirement)> =
            after.iter().enumerate().filter_map(|(place, step)| Some((place, asks_now(step)?))).collect();
        let as_much = |steps: &[(usize, Requirement)], not: usize, asked: &Requirement| -> Vec<usize> {
            let others = steps.iter().filter(|(place, other)| *place != not && other.is_at_least(asked));
            others.map(|(place, _)| *place).collect()
        };
        let found = asking.iter().filter_map(|(place, asked)| {
            let (from, step) = (was.place(&before[*place])?, self.pair.now(&before[*place])?);
            let to = is.place(step).filter(|to| now.iter().any(|(place, _)| place == to))?;
            let instead = (as_much(asking, from, asked), as_much(&now, to, asked));
            let is_conditional = self.is_conditional(step.id.as_str());
            Some(Asking { before: from, after: to, id: step.id.as_str().to_owned(), is_conditional, instead })
        });
        found.collect()
    }

    /// Tells a step that starts newly, and whether it does.
    fn is_told_behind(
        &mut self,
        versions: &Versions<'_, '_>,
        (before, from): (&Step, usize),
        (after, to): (&Step, usize),
        asking: &[Asking],
        by_case: bool,
    ) -> bool {
        let starting = versions.starting(from, to);
        let newly = asking.iter().filter(|one| one.before != from).find_map(|one| {
            let approval = Approval {
                before: one.before,
                after: one.after,
                instead: (&one.instead.0, &one.instead.1),
                is_skipped_elsewhere: one.is_conditional,
            };
            Some((one, versions.starts_newly(&starting, approval, by_case)?))
        });
        let Some((one, how)) = newly else { return false };
        let pair = self.pair;
        let message = format!("`{}` now also starts when `{}` {how}", after.id.as_str(), one.id);
        let key = changed_key(pair, before, after);
        let (place, was) = (pair.after.place(after, key), pair.before.place(before, key));
        self.found.tell(Kind::ApprovalBypassed, Subject::step(pair.definition(), after), message, place, Some(was));
        true
    }

    /// Whether it is told already that an approval may be skipped, at itself or at a gateway.
    fn is_conditional(&self, approval: &str) -> bool {
        let is_gateway = |id: &str| {
            self.pair
                .after
                .process
                .all_steps()
                .any(|step| step.id.as_str() == id && matches!(step.kind, StepKind::Gateway(_)))
        };
        let steps = self.found.steps_of(Kind::ApprovalConditional, &self.pair.definition());
        steps.into_iter().any(|step| step == approval || is_gateway(step))
    }
}

/// What of a step changed that decides when it starts.
fn changed_key(pair: &ProcessPair<'_>, before: &Step, after: &Step) -> &'static str {
    let written = |at: &ProcessAt<'_>, step: &Step, key: &str| {
        at.node(step).get(key).map(|value| at.file.source.slice(value.span()).to_owned())
    };
    let is_other = |key: &&str| written(&pair.before, before, key) != written(&pair.after, after, key);
    KEYS.into_iter().find(is_other).unwrap_or("depends_on")
}

/// The runs of a list of steps of one commit.
fn runs<'r>(commit: &Commit<'r>, at: &ProcessAt<'r>, steps: &'r [Step]) -> Runs<'r> {
    let child = |name: &str| commit.repository.process(name).map(|(_, process)| &**process);
    let process: &Process = at.process;
    Runs::of(process, commit.defaults.timeout, steps, &child)
}
