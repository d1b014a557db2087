//! Policies: who must approve, when things may happen, what may be spent; each with all that it extends.

use std::collections::BTreeSet;

use super::approval::Level;
use super::{Commit, Found, Subject, View, approval, key_place, typed};
use crate::approval::Requirement;
use crate::definition::Step;
use crate::definition::policy::{Freeze, Policy, Quotas, Window};
use crate::definition::repository::{Definition, File, stem};
use crate::definition::step::StepKind;
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::model::{Place, Side};
use crate::diff::text::shown;
use crate::source::Spanned;
use crate::value::any_matches;

/// Looks at every policy that was there before.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    let pairs = typed(view, |definition| match definition {
        Definition::Policy(policy) => Some(&**policy),
        _ => None,
    });
    for (before, after) in pairs {
        let Some((file_before, policy_before)) = before else { continue };
        let Some((file, policy)) = after else {
            governed_no_more(view, file_before, policy_before, found);
            continue;
        };
        let pair = Pair {
            view,
            before: (file_before, policy_before, Effective::of(&view.before, file_before)),
            after: (file, policy, Effective::of(&view.after, file)),
        };
        pair.approvers(found);
        pair.escalations(found);
        pair.scope(found);
        pair.extends(found);
        pair.windows(found);
        pair.freezes(found);
        pair.quotas(found);
    }
}

/// A policy that is gone: told where it governed processes by itself. Steps that named it tell their own.
fn governed_no_more(view: &View<'_>, file: &File, policy: &Policy, found: &mut Found) {
    let governed = governed(view, policy);
    if governed.is_empty() {
        return;
    }
    let message = format!("the policy is gone; it governed {}", governed.join(", "));
    let place = key_place(Side::Before, file, "applies_to");
    found.tell(Kind::PolicyRemoved, Subject::file(file), message, place, None);
}

/// The processes, as they are now, that a policy governs by its patterns.
fn governed(view: &View<'_>, policy: &Policy) -> Vec<String> {
    let governs = |name: &str| any_matches(policy.applies_to.iter().map(|glob| &glob.value), name);
    let processes = view.processes.iter().filter(|pair| governs(pair.before.name()));
    processes.map(|pair| format!("`{}`", pair.after.name())).collect()
}

/// What a policy demands with all that it extends.
struct Effective<'r> {
    windows: Vec<&'r [Window]>,
    freezes: Vec<&'r Freeze>,
    quotas: Vec<&'r Quotas>,
}

impl<'r> Effective<'r> {
    fn of(commit: &Commit<'r>, file: &File) -> Self {
        let chain = commit.chain(stem(file.source.path()));
        Self {
            windows: chain
                .iter()
                .map(|(_, policy)| policy.windows.as_slice())
                .filter(|list| !list.is_empty())
                .collect(),
            freezes: chain.iter().flat_map(|(_, policy)| &policy.freezes).collect(),
            quotas: chain.iter().map(|(_, policy)| &policy.quotas).collect(),
        }
    }
}

struct Pair<'a, 'r> {
    view: &'a View<'r>,
    before: (&'r File, &'r Policy, Effective<'r>),
    after: (&'r File, &'r Policy, Effective<'r>),
}

impl Pair<'_, '_> {
    fn tell(&self, kind: Kind, key: &str, message: impl Into<String>, found: &mut Found) {
        let place = key_place(Side::After, self.after.0, key);
        let was: Place = key_place(Side::Before, self.before.0, key);
        found.tell(kind, Subject::file(self.after.0), message, place, Some(was));
    }

    fn approvers(&self, found: &mut Found) {
        let asked = self.view.before.asked_by(stem(self.before.0.source.path()));
        let asks = self.view.after.asked_by(stem(self.after.0.source.path()));
        // What a policy asks less because of one that it extends is told there.
        let own = |policy: &Policy| policy.approvers.as_ref().map(|own| Requirement::as_written(own));
        let extended = |policy: &Policy| policy.extends.iter().map(|name| name.value.clone()).collect::<Vec<_>>();
        if own(self.before.1) == own(self.after.1) && extended(self.before.1) == extended(self.after.1) {
            return;
        }
        if let Some(loosening) = asks.loosened_since(&asked) {
            let users = self.users();
            let users = if users.is_empty() { String::new() } else { format!("; it governs {}", users.join(", ")) };
            let message = format!("it asks less of approvers than before{users}");
            self.tell(approval::kind(loosening), "approvers", message, found);
        }
    }

    /// Whom it adds after a while: what it says itself, and what policies say that it did not extend before.
    fn escalations(&self, found: &mut Found) {
        let (before, after) = (&self.view.before, &self.view.after);
        let (was, is) = (stem(self.before.0.source.path()), stem(self.after.0.source.path()));
        let chain_before = before.chain(was);
        let is_known = |file: &File| chain_before.iter().any(|(known, _)| known.source.path() == file.source.path());
        let own = |file: &File| std::ptr::eq(file, self.after.0);
        let had: Vec<Level> = chain_before.iter().flat_map(|(_, policy)| approval::levels_of(policy)).collect();
        let levels = after.chain(is).into_iter().filter(|(file, _)| own(file) || !is_known(file));
        let has = levels.flat_map(|(_, policy)| approval::levels_of(policy));
        let asked = before.asked_by(was);
        if approval::escalates_more(&asked, &had, has) {
            let written = |file: &File| {
                let root = file.document.root().map(|root| file.document.node(root));
                let value = root.and_then(|root| root.get("escalate"));
                value.map_or_else(|| "nothing".to_owned(), |value| format!("`{}`", shown(value)))
            };
            let (was, is) = (written(self.before.0), written(self.after.0));
            let (key, message) = match was == is {
                false => ("escalate", format!("`escalate`: {was} became {is}")),
                true => ("extends", "a policy that it extends now adds people after a while".to_owned()),
            };
            self.tell(Kind::EscalationWider, key, message, found);
        }
    }

    /// The processes with a step that names it, or one that extends it.
    fn users(&self) -> Vec<String> {
        let after = &self.view.after;
        let includes = |name: &str| after.chain(name).iter().any(|(file, _)| std::ptr::eq(*file, self.after.0));
        let is_named = |policy: &Option<Spanned<String>>| policy.as_ref().is_some_and(|policy| includes(&policy.value));
        // Calls of an agent are allowed by those whom its own policy names, too.
        let agents = after.repository.files.values().filter_map(|file| match &file.definition {
            Some(Definition::Agent(agent)) if is_named(&agent.policy) => Some(agent.name.as_str()),
            _ => None,
        });
        let agents: BTreeSet<&str> = agents.collect();
        let named = |step: &Step| match &step.kind {
            StepKind::HumanApproval(approval) => is_named(&approval.policy),
            StepKind::AgentTask(task) => is_named(&task.policy) || agents.contains(task.agent.as_str()),
            _ => false,
        };
        let processes = after.repository.processes().filter(|(_, process)| process.all_steps().any(named));
        processes.map(|(_, process)| format!("`{}`", process.header.name.as_str())).take(10).collect()
    }

    fn scope(&self, found: &mut Found) {
        let now = &self.after.1.applies_to;
        let lost: Vec<String> = self
            .view
            .processes
            .iter()
            .filter(|pair| any_matches(self.before.1.applies_to.iter().map(|glob| &glob.value), pair.before.name()))
            .filter(|pair| !any_matches(now.iter().map(|glob| &glob.value), pair.after.name()))
            .map(|pair| format!("`{}`", pair.after.name()))
            .collect();
        if !lost.is_empty() {
            self.tell(
                Kind::PolicyRemoved,
                "applies_to",
                format!("it does not govern {} any more", lost.join(", ")),
                found,
            );
        }
    }

    fn extends(&self, found: &mut Found) {
        let now: Vec<&str> = self
            .view
            .after
            .chain(stem(self.after.0.source.path()))
            .iter()
            .map(|(file, _)| stem(file.source.path()))
            .collect();
        let lost = self.before.1.extends.iter().filter(|name| !now.contains(&name.value.as_str()));
        for name in lost {
            // Approvers are compared with all that is extended; this is about everything else that it demanded.
            self.tell(Kind::PolicyRemoved, "extends", format!("it does not extend `{}` any more", name.value), found);
        }
    }

    fn windows(&self, found: &mut Found) {
        let kept = |was: &[Window]| {
            self.after.2.windows.iter().any(|now| now.iter().all(|window| was.iter().any(|wide| within(window, wide))))
        };
        if self.before.2.windows.iter().any(|was| !kept(was)) {
            self.tell(Kind::WindowWider, "windows", "its windows allow times that they did not allow", found);
        }
    }

    fn freezes(&self, found: &mut Found) {
        let covered = |was: &Freeze| {
            self.after.2.freezes.iter().any(|now| now.from.value <= was.from.value && now.to.value >= was.to.value)
        };
        for freeze in self.before.2.freezes.iter().filter(|freeze| !covered(freeze)) {
            let message = format!("the freeze from {} to {} is gone or shorter", freeze.from.value, freeze.to.value);
            self.tell(Kind::FreezeRemoved, "freezes", message, found);
        }
    }

    fn quotas(&self, found: &mut Found) {
        let least =
            |quotas: &[&Quotas], read: &dyn Fn(&Quotas) -> Option<u64>| quotas.iter().filter_map(|one| read(one)).min();
        let mut raised = |what: &str, read: &dyn Fn(&Quotas) -> Option<u64>| {
            let (was, is) = (least(&self.before.2.quotas, read), least(&self.after.2.quotas, read));
            if let Some(was) = was
                && is.is_none_or(|is| is > was)
            {
                let is = is.map_or_else(|| "no limit".to_owned(), |is| is.to_string());
                self.tell(Kind::QuotaRaised, "quotas", format!("`{what}`: {was} became {is}"), found);
            }
        };
        raised("concurrent_executions", &|quotas| quotas.concurrent_executions.map(u64::from));
        raised("executions_per_day", &|quotas| quotas.executions_per_day.map(u64::from));
        let names: std::collections::BTreeSet<&str> = self
            .before
            .2
            .quotas
            .iter()
            .flat_map(|quotas| quotas.limits.keys().map(|name| name.value.as_str()))
            .collect();
        for name in names {
            raised(name, &|quotas| quotas.limits.iter().find(|(key, _)| key.value == name).map(|(_, limit)| *limit));
        }
        let costs = |quotas: &[&Quotas]| {
            quotas
                .iter()
                .filter_map(|one| one.cost_per_execution.as_ref())
                .map(|cost| cost.value.clone())
                .collect::<Vec<_>>()
        };
        let now = costs(&self.after.2.quotas);
        for was in costs(&self.before.2.quotas) {
            let kept = now.iter().any(|is| is.currency() == was.currency() && is.amount() <= was.amount());
            if !kept {
                self.tell(
                    Kind::QuotaRaised,
                    "quotas",
                    format!("`cost_per_execution`: {was} does not hold any more"),
                    found,
                );
            }
        }
    }
}

/// Whether one window lies within another.
fn within(window: &Window, wide: &Window) -> bool {
    let zone =
        |window: &Window| window.timezone.as_ref().map_or_else(|| "UTC".to_owned(), |zone| zone.value.to_string());
    zone(window) == zone(wide)
        && window.days.iter().all(|day| wide.days.contains(day))
        && window.from.value >= wide.from.value
        && window.to.value <= wide.to.value
        // A window over midnight only lies within one with the same times.
        && (window.from.value <= window.to.value || (window.from.value == wide.from.value && window.to.value == wide.to.value))
}
