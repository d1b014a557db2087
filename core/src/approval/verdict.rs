//! The verdict: what the latest words of everybody amount to, and what is still missing.

use super::{Decision, DecisionKind, Group, LeafIndex, Person, Requirement};

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

/// Evaluates. The latest word of a person counts, `withdraw` counts as none; one rejection rejects.
pub fn evaluate(requirement: &Requirement, decisions: &[Decision]) -> Verdict {
    let standing = standing(decisions);
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
            let people: Vec<&Person> =
                standing.iter().filter(|d| d.counts_for.contains(&index)).map(|d| &d.person).collect();
            let have = u32::try_from(people.len()).unwrap_or(u32::MAX);
            if have < *count {
                missing.push(Missing { group: group.clone(), needed: *count, have });
            }
            have >= *count
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
