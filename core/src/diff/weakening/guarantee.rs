//! Statements that validation proves: gone, or replaced by ones that say less. What is stated of a process counts
//! together, whether the process says it or a policy that governs it.

use super::{Commit, Found, ProcessAt, Subject, View, key_place};
use crate::definition::process::{Guarantee, Passes};
use crate::definition::repository::{Definition, File, stem};
use crate::definition::step::StepKind;
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::matching::Renames;
use crate::diff::model::{Place, Side};
use crate::guarantee::weakened;
use crate::source::Spanned;

/// Looks at the statements of every process and policy that is in both commits.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    for pair in &view.processes {
        let own: Vec<Spanned<Guarantee>> =
            pair.before.process.header.guarantees.iter().map(|one| renamed(one, &pair.renames)).collect();
        let now = stated(&view.after, &pair.after);
        let files = (pair.before.file, pair.after.file);
        compare(&own, &now, files, &|| Subject::of(pair.definition()), found);
    }
    for matched in view.matches {
        let (Some(before), Some(after)) = (matched.before, matched.after) else { continue };
        let (Some(Definition::Policy(was)), Some(Definition::Policy(_))) = (&before.definition, &after.definition)
        else {
            continue;
        };
        let now = view.after.chain(stem(after.source.path()));
        let now: Vec<Spanned<Guarantee>> = now.into_iter().flat_map(|(_, policy)| policy.guarantees.clone()).collect();
        compare(&was.guarantees, &now, (before, after), &|| Subject::file(after), found);
    }
}

fn compare(
    was: &[Spanned<Guarantee>],
    is: &[Spanned<Guarantee>],
    (before, after): (&File, &File),
    subject: &dyn Fn() -> Subject,
    found: &mut Found,
) {
    for weakening in weakened(was, is) {
        let Some(guarantee) = was.get(weakening.before) else { continue };
        let place_before = Place::of(Side::Before, before, guarantee.span);
        match weakening.after {
            Some(_) => {
                let place = key_place(Side::After, after, "guarantees");
                found.tell(Kind::GuaranteeWeakened, subject(), weakening.message, place, Some(place_before));
            }
            None => found.tell(Kind::GuaranteeDropped, subject(), weakening.message, place_before, None),
        }
    }
}

/// What is stated of a process: by itself and by policies that govern it or that its steps name.
fn stated(commit: &Commit<'_>, at: &ProcessAt<'_>) -> Vec<Spanned<Guarantee>> {
    let process = at.process;
    let mut stated = process.header.guarantees.clone();
    let named = process.all_steps().filter_map(|step| match &step.kind {
        StepKind::HumanApproval(approval) => approval.policy.as_ref().map(|policy| policy.value.as_str()),
        _ => None,
    });
    let mut policies: Vec<&str> = named.chain(commit.governing(at.name())).collect();
    policies.sort_unstable();
    policies.dedup();
    for policy in policies {
        stated.extend(commit.chain(policy).into_iter().flat_map(|(_, policy)| policy.guarantees.clone()));
    }
    stated
}

/// A statement with the ids that steps have now.
fn renamed(guarantee: &Spanned<Guarantee>, renames: &Renames) -> Spanned<Guarantee> {
    let mut now = guarantee.clone();
    let id = |text: &mut String| *text = renames.of(text).to_owned();
    let Guarantee { every_path_to, passes, no_data_from, to, .. } = &mut now.value;
    every_path_to.iter_mut().chain(no_data_from).for_each(|name| id(&mut name.value));
    to.iter_mut().flatten().for_each(|name| id(&mut name.value));
    if let Some(Spanned { value: Passes::Step(step), .. }) = passes {
        id(step);
    }
    now
}
