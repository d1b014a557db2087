//! Whether one requirement asks at least what another one asks: every set of people that satisfies the first satisfies
//! the second. Compares what was written, without knowing who is in a team; what cannot be shown is answered with no.

use std::collections::{BTreeSet, HashSet};

use super::{Group, Requirement};
use crate::definition::{Approvers, CodeownersMode, Role};

/// Comparisons of two nodes that one question may take. Requirements that people write take some dozen.
const FUEL: u32 = 100_000;
/// Pairs of parts that are matched one by one.
const MAX_PAIRS: usize = 4_096;

/// In which way a requirement asks less than another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loosening {
    /// Fewer people or groups are needed.
    Fewer,
    /// The same number out of a wider set.
    Wider,
    /// One of several groups is enough, where each was needed.
    AnyInsteadOfAll,
    /// An owner of any path is enough, where each path needed one.
    AnyOwner,
    /// A lower permission is enough.
    LowerRole,
    /// Others may decide than before.
    Others,
}

impl Requirement {
    /// What nobody has to satisfy.
    pub const NOTHING: Self = Self::All { of: Vec::new() };

    /// The requirement as it is written: names that are computed stand as their template.
    pub fn as_written(approvers: &Approvers) -> Self {
        let people = |group, count: &u32| Self::People { group, count: *count };
        match approvers {
            Approvers::Users { users, count } => {
                people(Group::Users(users.iter().map(|user| user.value.clone()).collect()), count)
            }
            Approvers::Team { team, count } => people(Group::Team(team.value.clone()), count),
            Approvers::Role { role, count } => people(Group::Role(*role), count),
            Approvers::Codeowners { codeowners, count } => {
                people(Group::Codeowners { mode: *codeowners, owned: None }, count)
            }
            Approvers::Any { any, count } => {
                Self::Any { of: any.iter().map(|part| Self::as_written(part)).collect(), count: *count }
            }
            Approvers::All { all } => Self::All { of: all.iter().map(|part| Self::as_written(part)).collect() },
        }
    }

    /// The teams and people that are named, at any depth.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::People { group: Group::Users(users), .. } => users.iter().map(String::as_str).collect(),
            Self::People { group: Group::Team(team), .. } => vec![team],
            Self::People { .. } => Vec::new(),
            Self::Any { of, .. } | Self::All { of } => of.iter().flat_map(Self::names).collect(),
        }
    }

    /// Whether nobody has to do anything.
    pub fn asks_nothing(&self) -> bool {
        match self {
            Self::People { count, .. } => *count == 0,
            Self::Any { of, count } => {
                *count == 0 || of.iter().filter(|part| part.asks_nothing()).count() as u64 >= u64::from(*count)
            }
            Self::All { of } => of.iter().all(Self::asks_nothing),
        }
    }

    /// Whether whoever satisfies this satisfies `other`. Answers no where that cannot be shown.
    pub fn is_at_least(&self, other: &Self) -> bool {
        let mut fuel = FUEL;
        let (Self::All { of: own }, Self::All { of: parts }) = (self, other) else {
            return implies(self, other, &mut fuel);
        };
        // Of long lists most is the same: only what is not has to be compared.
        let own: HashSet<&Self> = own.iter().collect();
        parts.iter().filter(|part| !own.contains(part)).all(|part| implies(self, part, &mut fuel))
    }

    /// In which way this asks less than `before`; nothing where it asks at least as much.
    pub fn loosened_since(&self, before: &Self) -> Option<Loosening> {
        (!self.is_at_least(before)).then(|| loosening(before, self))
    }

    /// The fewest people that can satisfy it, as far as can be said without knowing who they are.
    fn fewest(&self) -> u64 {
        match self {
            Self::People { count, .. } => u64::from(*count),
            Self::Any { of, count } => {
                let mut each: Vec<u64> = of.iter().map(Self::fewest).collect();
                each.sort_unstable();
                // One person may count for several groups: only the largest of the smallest is certain.
                each.get((*count as usize).clamp(1, of.len().max(1)) - 1).copied().unwrap_or(0)
            }
            Self::All { of } => of.iter().map(Self::fewest).max().unwrap_or(0),
        }
    }
}

fn implies(strong: &Requirement, weak: &Requirement, fuel: &mut u32) -> bool {
    use Requirement::{All, Any, People};
    if *fuel == 0 {
        return false;
    }
    *fuel -= 1;
    if strong == weak || weak.asks_nothing() {
        return true;
    }
    match (strong, weak) {
        (_, All { of }) => of.iter().all(|part| implies(strong, part, fuel)),
        (Any { of, count }, _) if any_implies(of, *count, weak, fuel) => true,
        (All { of }, _) if of.iter().any(|part| implies(part, weak, fuel)) => true,
        (_, Any { of, count }) => {
            let implied = of.iter().filter(|part| implies(strong, part, fuel)).count();
            implied as u64 >= u64::from(*count)
        }
        (People { group, count }, People { group: wider, count: fewer }) => {
            certain(group, *count, wider) >= u64::from(*fewer)
        }
        (All { of }, People { group: Group::Users(wider), count: fewer }) => {
            of_disjoint(of, wider) >= u64::from(*fewer)
        }
        _ => false,
    }
}

/// Any `count` of `of` satisfy `weak`: enough of them do alone, or they match parts of `weak` one by one.
fn any_implies(of: &[Requirement], count: u32, weak: &Requirement, fuel: &mut u32) -> bool {
    let alone = of.iter().filter(|part| implies(part, weak, fuel)).count();
    if count > 0 && alone as u64 > (of.len() as u64).saturating_sub(u64::from(count)) {
        return true;
    }
    let Requirement::Any { of: parts, count: needed } = weak else { return false };
    if of.len() * parts.len() > MAX_PAIRS {
        return false;
    }
    let mut taken: Vec<Option<usize>> = vec![None; parts.len()];
    let choices: Vec<Vec<usize>> =
        of.iter().map(|one| (0..parts.len()).filter(|place| implies(one, &parts[*place], fuel)).collect()).collect();
    let matched = (0..of.len()).filter(|one| settle(*one, &choices, &mut taken, &mut BTreeSet::new())).count();
    let unmatched = (of.len() - matched) as u64;
    u64::from(count).saturating_sub(unmatched) >= u64::from(*needed)
}

/// One more pair, others giving way (a step of the usual matching in bipartite graphs).
fn settle(one: usize, choices: &[Vec<usize>], taken: &mut [Option<usize>], seen: &mut BTreeSet<usize>) -> bool {
    for &place in &choices[one] {
        if !seen.insert(place) {
            continue;
        }
        let free = match taken[place] {
            None => true,
            Some(other) => settle(other, choices, taken, seen),
        };
        if free {
            taken[place] = Some(one);
            return true;
        }
    }
    false
}

/// How many of `wider` there are for certain among `count` people of `group`.
fn certain(group: &Group, count: u32, wider: &Group) -> u64 {
    if let (Group::Users(from), Group::Users(to)) = (group, wider) {
        let outside: Vec<&String> = from.iter().filter(|user| !has(to, user)).collect();
        // A computed name may stand for any number of people.
        if outside.iter().any(|user| user.contains("{{")) {
            return 0;
        }
        return u64::from(count).saturating_sub(outside.len() as u64);
    }
    if is_within(group, wider) { u64::from(count) } else { 0 }
}

/// How many of these users there are for certain where each part is satisfied: parts without a common person add up.
fn of_disjoint(parts: &[Requirement], wider: &[String]) -> u64 {
    let mut seen: Vec<&String> = Vec::new();
    let mut sum = 0;
    for part in parts {
        let Requirement::People { group: Group::Users(users), count } = part else { continue };
        let computed = |user: &String| user.contains("{{");
        if users.iter().any(|user| computed(user) || seen.iter().any(|known| known.eq_ignore_ascii_case(user))) {
            continue;
        }
        seen.extend(users);
        let outside = users.iter().filter(|user| !has(wider, user)).count() as u64;
        sum += u64::from(*count).saturating_sub(outside);
    }
    sum
}

fn has(users: &[String], user: &str) -> bool {
    users.iter().any(|known| known.eq_ignore_ascii_case(user))
}

/// Whether everybody of `group` is in `wider`.
fn is_within(group: &Group, wider: &Group) -> bool {
    match (group, wider) {
        (Group::Users(from), Group::Users(to)) => from.iter().all(|user| has(to, user)),
        (Group::Team(one), Group::Team(other)) => one.eq_ignore_ascii_case(other),
        (Group::Role(held), Group::Role(needed)) => held >= needed,
        (Group::Codeowners { .. }, Group::Codeowners { mode: CodeownersMode::Union, .. }) => true,
        // An owner must be able to write, or is none (docs/approvals.md).
        (Group::Codeowners { .. }, Group::Role(needed)) => *needed <= Role::Write,
        (Group::Codeowners { mode: one, .. }, Group::Codeowners { mode: other, .. }) => one == other,
        _ => false,
    }
}

/// Whether everybody whom `to` adds could already act by one of `known`.
pub fn adds_nobody(to: &Requirement, known: &[&Requirement]) -> bool {
    let known: Vec<&Group> = known.iter().flat_map(|requirement| requirement.leaves()).collect();
    to.leaves().into_iter().all(|group| known.iter().any(|wider| is_within(group, wider)))
}

/// Who may fill in a form, or allow a call of an agent, where nobody is named: whoever may write.
pub fn whoever_may_write() -> Requirement {
    Requirement::People { group: Group::Role(Role::Write), count: 1 }
}

/// The way in which `after` asks less than `before`, which it does.
fn loosening(before: &Requirement, after: &Requirement) -> Loosening {
    use Requirement::{All, Any, People};
    if after.asks_nothing() {
        return Loosening::Fewer;
    }
    match (before, after) {
        (People { group, count }, People { group: now, count: left }) => of_groups(group, *count, now, *left),
        (All { of }, All { of: now }) if is_one_of_several(of, now) => Loosening::AnyInsteadOfAll,
        (All { of }, All { of: now }) if now.len() >= of.len() => first_pair(of, now),
        (All { of }, Any { of: now, .. }) if shares(of, now) => Loosening::AnyInsteadOfAll,
        (All { of }, _) if of.iter().any(|part| part.is_at_least(after)) => Loosening::Fewer,
        (All { .. }, All { .. }) => Loosening::Fewer,
        (Any { count, .. }, Any { count: left, .. }) if left < count => Loosening::Fewer,
        (Any { of, .. }, Any { of: now, .. }) if of.len() == now.len() => first_pair(of, now),
        (_, Any { .. }) if before.is_at_least(after) => Loosening::Wider,
        _ if after.fewest() < before.fewest() => Loosening::Fewer,
        _ if before.is_at_least(after) => Loosening::Wider,
        _ => Loosening::Others,
    }
}

fn of_groups(before: &Group, count: u32, after: &Group, left: u32) -> Loosening {
    match (before, after) {
        (Group::Role(held), Group::Role(now)) if now < held => Loosening::LowerRole,
        (
            Group::Codeowners { mode: CodeownersMode::EachPath, .. },
            Group::Codeowners { mode: CodeownersMode::Union, .. },
        ) => Loosening::AnyOwner,
        _ if left < count => Loosening::Fewer,
        _ if is_within(before, after) => Loosening::Wider,
        _ => Loosening::Others,
    }
}

/// Whether parts that were each needed are now choices of one part.
fn is_one_of_several(before: &[Requirement], after: &[Requirement]) -> bool {
    let unmet = || before.iter().filter(|part| !after.iter().any(|now| now.is_at_least(part)));
    after.iter().filter(|part| !before.contains(part)).any(|part| match part {
        Requirement::Any { of, .. } => unmet().filter(|part| of.contains(part)).count() > 1,
        _ => false,
    })
}

fn shares(of: &[Requirement], now: &[Requirement]) -> bool {
    of.iter().any(|part| now.contains(part))
}

/// The first part that nothing asks any more, told by what stands in its place.
fn first_pair(before: &[Requirement], after: &[Requirement]) -> Loosening {
    let unmet = before.iter().enumerate().find(|(_, part)| !after.iter().any(|now| now.is_at_least(part)));
    let Some((place, part)) = unmet else { return Loosening::Wider };
    after.get(place).map_or(Loosening::Fewer, |now| if now == part { Loosening::Wider } else { loosening(part, now) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn written(yaml: &str) -> Requirement {
        let parsed = crate::source::parse(yaml);
        let approvers: Approvers =
            crate::source::from_node(&parsed.document, parsed.document.root().unwrap(), &crate::source::Pruned::none())
                .unwrap();
        Requirement::as_written(&approvers)
    }

    #[test]
    fn what_asks_less_is_told_with_its_way() {
        use Loosening::{AnyInsteadOfAll, AnyOwner, Fewer, LowerRole, Others, Wider};
        for (before, after, expected) in [
            ("{team: leads, count: 2}", "{team: leads, count: 2}", None),
            ("{team: leads, count: 2}", "{team: leads, count: 3}", None),
            ("{team: leads, count: 2}", "{team: leads}", Some(Fewer)),
            ("{team: leads}", "{team: Leads}", None),
            ("{team: leads}", "{team: staff}", Some(Others)),
            ("{users: [ann, bob]}", "{users: [bob, ann]}", None),
            ("{users: [ann, bob]}", "{users: [ann]}", None),
            ("{users: [ann]}", "{users: [ann, bob]}", Some(Wider)),
            ("{users: [ann, bob], count: 2}", "{all: [{users: [ann]}, {users: [bob]}]}", None),
            ("{all: [{users: [ann]}, {users: [bob]}]}", "{users: [ann, bob], count: 2}", None),
            ("{users: [ann]}", "{users: [ann, '{{ inputs.who }}']}", Some(Wider)),
            ("{role: admin}", "{role: maintain}", Some(LowerRole)),
            ("{role: write}", "{role: admin}", None),
            ("{codeowners: each_path}", "{codeowners: union}", Some(AnyOwner)),
            ("{codeowners: union}", "{codeowners: each_path}", None),
            ("{all: [{team: a}, {team: b}]}", "{any: [{team: a}, {team: b}]}", Some(AnyInsteadOfAll)),
            (
                "{all: [{team: a, count: 2}, {team: b}]}",
                "{any: [{team: a, count: 2}, {team: b}]}",
                Some(AnyInsteadOfAll),
            ),
            ("{all: [{team: a, count: 2}, {team: b}]}", "{any: [{team: a}, {team: b}]}", Some(AnyInsteadOfAll)),
            (
                "{all: [{team: a, count: 2}, {team: b}, {team: c}]}",
                "{all: [{any: [{team: a, count: 2}, {team: b}]}, {team: c}]}",
                Some(AnyInsteadOfAll),
            ),
            ("{all: [{team: a}, {team: b}]}", "{team: a}", Some(Fewer)),
            ("{all: [{team: a}, {team: b}]}", "{all: [{team: b}, {team: a}, {team: c}]}", None),
            ("{all: [{team: a, count: 2}, {team: b}]}", "{all: [{team: a}, {team: b}]}", Some(Fewer)),
            ("{any: [{team: a}, {team: b}]}", "{team: a}", None),
            ("{team: a}", "{any: [{team: a}, {team: b}]}", Some(Wider)),
            ("{any: [{team: a}, {team: b}], count: 2}", "{any: [{team: a}, {team: b}]}", Some(Fewer)),
            ("{any: [{team: a}, {team: b}], count: 2}", "{all: [{team: a}, {team: b}]}", None),
            ("{all: [{team: a}, {team: b}]}", "{any: [{team: a}, {team: b}], count: 2}", None),
            ("{any: [{team: a}, {team: b}]}", "{any: [{team: a}, {team: b}, {team: c}], count: 2}", None),
            ("{any: [{team: a}, {team: b}]}", "{any: [{team: a}, {team: b}, {team: c}]}", Some(Wider)),
        ] {
            assert_eq!(written(after).loosened_since(&written(before)), expected, "{before} → {after}");
        }
    }

    const PEOPLE: [&str; 4] = ["ann", "bob", "cyd", "dan"];

    fn requirement() -> impl Strategy<Value = Requirement> {
        let users = proptest::sample::subsequence(PEOPLE.to_vec(), 1..=4);
        let leaf = (users, 1_u32..3).prop_map(|(users, count)| Requirement::People {
            group: Group::Users(users.into_iter().map(str::to_owned).collect()),
            count,
        });
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                (proptest::collection::vec(inner.clone(), 1..4), 1_u32..3)
                    .prop_map(|(of, count)| Requirement::Any { of, count }),
                proptest::collection::vec(inner, 1..3).prop_map(|of| Requirement::All { of }),
            ]
        })
    }

    fn satisfied(requirement: &Requirement, said: &[&str]) -> bool {
        match requirement {
            Requirement::People { group: Group::Users(users), count } => {
                users.iter().filter(|user| said.contains(&user.as_str())).count() as u64 >= u64::from(*count)
            }
            Requirement::People { .. } => false,
            Requirement::Any { of, count } => {
                of.iter().filter(|part| satisfied(part, said)).count() as u64 >= u64::from(*count)
            }
            Requirement::All { of } => of.iter().all(|part| satisfied(part, said)),
        }
    }

    proptest! {
        #[test]
        fn what_is_said_to_ask_as_much_does_so_for_every_set_of_people(one in requirement(), other in requirement()) {
            if one.is_at_least(&other) {
                for set in 0..16_u32 {
                    let said: Vec<&str> =
                        (0..4).filter(|bit| set & (1 << bit) != 0).map(|bit| PEOPLE[bit as usize]).collect();
                    prop_assert!(!satisfied(&one, &said) || satisfied(&other, &said), "{said:?}");
                }
            }
            prop_assert!(one.is_at_least(&one));
        }
    }
}
