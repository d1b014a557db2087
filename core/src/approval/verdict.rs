//! The verdict: what the latest words of everybody amount to, and what is still missing.

use super::codeowners::{Owned, Owner};
use super::{Decision, DecisionKind, Group, LeafIndex, Person, Requirement};
use crate::definition::CodeownersMode;

/// What the decisions amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome so far.
    pub outcome: Outcome,
    /// Each person's latest word that stands, in the order in which they were said.
    pub standing: Vec<Decision>,
    /// What is still missing, where the outcome is pending.
    pub missing: Vec<Missing>,
}

/// The outcome so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The requirement is satisfied and nobody who counts rejects.
    Approved,
    /// Somebody who may goes on without the approval.
    Overridden,
    /// Somebody who counts rejects.
    Rejected,
    /// People are missing.
    Pending,
}

/// A group that still lacks people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The group.
    pub group: Group,
    /// How many it needs.
    pub needed: u32,
    /// How many it has.
    pub have: u32,
}

/// Evaluates. The latest word of a person counts, `withdraw` counts as none; one rejection rejects, an override goes before
/// everything.
pub fn evaluate(requirement: &Requirement, decisions: &[Decision]) -> Verdict {
    let standing = standing(decisions);
    if standing.iter().any(|decision| decision.decision == DecisionKind::Override) {
        return Verdict { outcome: Outcome::Overridden, standing, missing: Vec::new() };
    }
    if standing.iter().any(|decision| decision.decision == DecisionKind::Reject) {
        return Verdict { outcome: Outcome::Rejected, standing, missing: Vec::new() };
    }
    let mut missing = Vec::new();
    let satisfied = check(requirement, &standing, &mut 0, &mut missing);
    let outcome = if satisfied { Outcome::Approved } else { Outcome::Pending };
    if satisfied {
        missing.clear();
    }
    Verdict { outcome, standing, missing }
}

fn standing(decisions: &[Decision]) -> Vec<Decision> {
    let mut latest: Vec<Decision> = Vec::new();
    for decision in decisions {
        latest.retain(|earlier| !earlier.person.is(&decision.person));
        latest.push(decision.clone());
    }
    latest.retain(|decision| decision.decision != DecisionKind::Withdraw);
    latest
}

fn check(requirement: &Requirement, standing: &[Decision], leaf: &mut LeafIndex, missing: &mut Vec<Missing>) -> bool {
    match requirement {
        Requirement::People { group, count } => {
            let index = *leaf;
            *leaf += 1;
            let lacks = lacking(group, *count, standing, index);
            let satisfied = lacks.is_empty();
            missing.extend(lacks);
            satisfied
        }
        Requirement::Any { of, count } => {
            let mut lacking = Vec::new();
            let satisfied = of.iter().filter(|part| check(part, standing, leaf, &mut lacking)).count();
            let enough = satisfied as u64 >= u64::from(*count);
            if !enough {
                missing.append(&mut lacking);
            }
            enough
        }
        Requirement::All { of } => {
            // Every part is walked, also behind one that lacks people: its leaves are counted and what it lacks is told.
            of.iter().filter(|part| !check(part, standing, leaf, missing)).count() == 0
        }
    }
}

/// What a group lacks. Of code owners each group of paths may lack its own.
fn lacking(group: &Group, count: u32, standing: &[Decision], index: LeafIndex) -> Vec<Missing> {
    let lacks = |group: Group, have: u32| (have < count).then_some(Missing { group, needed: count, have });
    match group {
        Group::Codeowners { mode, owned: Some(owned) } if !owned.is_nobodys() => {
            let parts: Vec<Owned> = match mode {
                CodeownersMode::Union => vec![Owned::clone(owned)],
                CodeownersMode::EachPath => {
                    owned.groups.iter().map(|group| Owned { groups: vec![group.clone()], unowned: 0 }).collect()
                }
            };
            let lacks = parts.into_iter().filter_map(|part| {
                let have = voices(standing, index, |owners| part.groups.iter().any(|paths| paths.is_owned_by(owners)));
                lacks(Group::Codeowners { mode: *mode, owned: Some(Box::new(part)) }, have)
            });
            lacks.collect()
        }
        group => lacks(group.clone(), voices(standing, index, |_| true)).into_iter().collect(),
    }
}

/// How many people have spoken for a leaf. Who speaks in somebody's place is that person's voice, and nobody has two: not
/// who gave their word away and speaks all the same, and not who speaks for several.
fn voices(standing: &[Decision], leaf: LeafIndex, owns: impl Fn(&[Owner]) -> bool) -> u32 {
    let counts = |leaves: &[LeafIndex], owner_of: &[Owner]| leaves.contains(&leaf) && owns(owner_of);
    let own = |word: &&Decision| counts(&word.counts_for, &word.owner_of);
    let mut heard: Vec<&Person> = standing.iter().filter(own).map(|word| &word.person).collect();
    for word in standing.iter().filter(|word| !own(word)) {
        let others = word.in_place_of.iter().filter(|other| counts(&other.counts_for, &other.owner_of));
        let silent = others.map(|other| &other.person).find(|person| !heard.iter().any(|heard| heard.is(person)));
        heard.extend(silent);
    }
    u32::try_from(heard.len()).unwrap_or(u32::MAX)
}
