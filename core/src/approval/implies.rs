//! Whether one demand for approvers is at least as strict as another: whoever satisfies the first satisfies the second.
//! Compares what authors wrote, before anybody's membership is known: named people are told apart one by one; of a team,
//! a role or code owners only that a group is itself, and that a higher permission includes the lower ones. What cannot
//! be said for certain is not claimed.

use std::collections::BTreeSet;

use crate::definition::{Approvers, CodeownersMode, Role};
use crate::source::Spanned;

/// Most ways to satisfy a demand that are looked at one by one. Beyond it only equal demands are known to be as strict.
const MAX_WAYS: usize = 4_096;
/// Most demands that one is taken apart into.
const MAX_CLAUSES: usize = 16;

/// Whether everybody who satisfies `after` also satisfies `before`, for certain: the later demand is at least as strict.
pub fn at_least_as_strict(before: &Approvers, after: &Approvers) -> bool {
    Demand::of(after).implies(before)
}

/// Demands that are each weaker than this one, and all of them together as strict: whoever satisfies them one by one, in
/// several approvals, satisfies this. The demand itself where it cannot be taken apart.
pub fn conjuncts(required: &Approvers) -> Vec<Approvers> {
    let choice = |mut parts: Vec<Approvers>| match parts.len() {
        1 => parts.remove(0),
        _ => Approvers::Any { any: parts.into_iter().map(Spanned::without_place).collect(), count: 1 },
    };
    match clauses(required) {
        Some(clauses) if !clauses.is_empty() => clauses.into_iter().map(choice).collect(),
        _ => vec![required.clone()],
    }
}

/// Choices of which each must be satisfied; nothing where they are too many.
fn clauses(required: &Approvers) -> Option<Vec<Vec<Approvers>>> {
    let each = |parts: &[Spanned<Approvers>]| {
        let parts: Vec<_> = parts.iter().map(|part| clauses(part)).collect::<Option<_>>()?;
        Some(parts.concat())
    };
    let found = match required {
        Approvers::All { all } => each(all)?,
        Approvers::Any { any, count } if any.len() == *count as usize => each(any)?,
        Approvers::Any { any, count: 1 } => any.iter().try_fold(vec![Vec::new()], |known, part| {
            let more = clauses(part)?;
            if known.len().saturating_mul(more.len()) > MAX_CLAUSES {
                return None;
            }
            let both = |one: &Vec<Approvers>| more.iter().map(|other| [one.clone(), other.clone()].concat()).collect();
            Some(known.iter().flat_map::<Vec<_>, _>(both).collect())
        })?,
        Approvers::Users { users, count } if *count > 1 => {
            let named: BTreeSet<String> = users.iter().map(login).collect();
            if named.len() != *count as usize || named.iter().any(|name| is_computed(name)) {
                return Some(vec![vec![required.clone()]]);
            }
            let one = |user: &Spanned<String>| vec![Approvers::Users { users: vec![user.clone()], count: 1 }];
            users.iter().map(one).collect()
        }
        other => vec![vec![other.clone()]],
    };
    (found.len() <= MAX_CLAUSES).then_some(found)
}

/// What an approval demands: everything of `all`, or any one of the groups that escalation adds.
#[derive(Debug, Clone, Default)]
pub struct Demand<'d> {
    /// The step's own approvers and those of its policy: all of them are needed.
    pub all: Vec<&'d Approvers>,
    /// Whom escalation adds: one of these suffices.
    pub or: Vec<&'d Approvers>,
}

impl<'d> Demand<'d> {
    /// Just this.
    pub fn of(approvers: &'d Approvers) -> Self {
        Self { all: vec![approvers], or: Vec::new() }
    }

    /// Whether everybody who satisfies this demand satisfies `required`, for certain.
    pub fn implies(&self, required: &Approvers) -> bool {
        let together = self.all.contains(&required)
            || self
                .all
                .iter()
                .try_fold(vec![Way::default()], |ways, own| both(ways, ways_of(own)?))
                .is_some_and(|ways| !self.all.is_empty() && ways.iter().all(|way| way.satisfies(required)));
        let added = |one: &&Approvers| {
            *one == required || ways_of(one).is_some_and(|ways| ways.iter().all(|way| way.satisfies(required)))
        };
        together && self.or.iter().all(added)
    }
}

/// One way to satisfy a demand: these people, and so many of these groups. Nobody else need have approved.
#[derive(Debug, Clone, Default)]
struct Way<'d> {
    people: BTreeSet<String>,
    groups: Vec<(Kind<'d>, u32)>,
}

/// A group whose people are not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind<'d> {
    Users(BTreeSet<String>),
    Team(&'d str),
    Role(Role),
    Codeowners(CodeownersMode),
}

/// Every way to satisfy a demand; nothing where there are too many. A demand that nobody can satisfy has no way.
fn ways_of(approvers: &Approvers) -> Option<Vec<Way<'_>>> {
    let group = |kind, count| Some(vec![Way { people: BTreeSet::new(), groups: vec![(kind, count)] }]);
    match approvers {
        Approvers::Users { users, count } => {
            let named: BTreeSet<String> = users.iter().map(login).collect();
            if named.iter().any(|name| is_computed(name)) {
                return group(Kind::Users(named), *count);
            }
            let one = |name: &String| vec![Way { people: BTreeSet::from([name.clone()]), groups: Vec::new() }];
            match some_of(named.iter().map(one), *count) {
                Some(ways) => Some(ways),
                None => group(Kind::Users(named), *count),
            }
        }
        Approvers::Team { team, count } => group(Kind::Team(team.as_str()), *count),
        Approvers::Role { role, count } => group(Kind::Role(*role), *count),
        Approvers::Codeowners { codeowners, count } => group(Kind::Codeowners(*codeowners), *count),
        Approvers::Any { any, count } => {
            let parts: Vec<Vec<Way<'_>>> = any.iter().map(|part| ways_of(part)).collect::<Option<_>>()?;
            some_of(parts.into_iter(), *count)
        }
        Approvers::All { all } => all.iter().try_fold(vec![Way::default()], |ways, part| both(ways, ways_of(part)?)),
    }
}

fn login(user: &Spanned<String>) -> String {
    if is_computed(user) { user.value.clone() } else { user.trim().trim_start_matches('@').to_lowercase() }
}

/// A template may give any number of names.
fn is_computed(name: &str) -> bool {
    name.contains("{{") || name.contains("{%")
}

/// Every choice of `count` of some parts, each with its own ways.
fn some_of<'d>(parts: impl Iterator<Item = Vec<Way<'d>>>, count: u32) -> Option<Vec<Way<'d>>> {
    let count = count as usize;
    let mut chosen: Vec<Vec<Way<'d>>> = vec![vec![Way::default()]];
    for part in parts {
        for satisfied in (0..chosen.len().min(count)).rev() {
            let more = both(chosen[satisfied].clone(), part.clone())?;
            if chosen.len() == satisfied + 1 {
                chosen.push(Vec::new());
            }
            chosen[satisfied + 1].extend(more);
        }
        if chosen.iter().map(Vec::len).sum::<usize>() > MAX_WAYS {
            return None;
        }
    }
    Some(if chosen.len() > count { chosen.swap_remove(count) } else { Vec::new() })
}

fn both<'d>(first: Vec<Way<'d>>, second: Vec<Way<'d>>) -> Option<Vec<Way<'d>>> {
    if first.len().saturating_mul(second.len()) > MAX_WAYS {
        return None;
    }
    let pair = |one: &Way<'d>, other: &Way<'d>| Way {
        people: one.people.union(&other.people).cloned().collect(),
        groups: one.groups.iter().chain(&other.groups).cloned().collect(),
    };
    Some(first.iter().flat_map(|one| second.iter().map(move |other| pair(one, other))).collect())
}

impl Way<'_> {
    fn satisfies(&self, required: &Approvers) -> bool {
        match required {
            Approvers::Users { users, count } => {
                let wanted: BTreeSet<String> = users.iter().map(login).collect();
                let named = self.people.intersection(&wanted).count();
                let grouped = self.groups.iter().map(|(kind, have)| match kind {
                    Kind::Users(of) => have_within(of, &wanted, *have as usize),
                    _ => 0,
                });
                // The same person may be counted by name and in a group: the larger number is certain, not the sum.
                grouped.chain([named]).max().unwrap_or(0) >= *count as usize
            }
            Approvers::Team { team, count } => {
                self.have(*count, |kind| matches!(kind, Kind::Team(of) if of.eq_ignore_ascii_case(team)))
            }
            Approvers::Role { role, count } => self.have(*count, |kind| matches!(kind, Kind::Role(of) if of >= role)),
            Approvers::Codeowners { codeowners, count } => {
                self.have(*count, |kind| matches!(kind, Kind::Codeowners(of) if of == codeowners))
            }
            Approvers::Any { any, count } => any.iter().filter(|part| self.satisfies(part)).count() >= *count as usize,
            Approvers::All { all } => all.iter().all(|part| self.satisfies(part)),
        }
    }

    fn have(&self, count: u32, belongs: impl Fn(&Kind<'_>) -> bool) -> bool {
        self.groups.iter().any(|(kind, have)| *have >= count && belongs(kind))
    }
}

/// How many of `have` people of a group must be among the wanted ones: those who are not can all have been taken first.
fn have_within(group: &BTreeSet<String>, wanted: &BTreeSet<String>, have: usize) -> usize {
    let mut others = group.difference(wanted).peekable();
    if others.peek().is_none() {
        return have;
    }
    let others: Vec<&String> = others.collect();
    if others.iter().any(|name| is_computed(name)) { 0 } else { have.saturating_sub(others.len()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn approvers(yaml: &str) -> Approvers {
        let parsed = crate::source::parse(yaml);
        crate::source::from_node(&parsed.document, parsed.document.root().unwrap(), &crate::source::Pruned::default())
            .unwrap()
    }

    #[test]
    fn what_is_at_least_as_strict() {
        let table = [
            // before, after, whether the later one is at least as strict
            ("{team: leads}", "{team: leads}", true),
            ("{team: leads}", "{team: LEADS, count: 2}", true),
            ("{team: leads, count: 2}", "{team: leads}", false),
            ("{team: leads}", "{team: others}", false),
            ("{role: write}", "{role: admin}", true),
            ("{role: admin}", "{role: write, count: 3}", false),
            ("{users: [ann, ben]}", "{users: [ann]}", true),
            ("{users: [ann]}", "{users: [ann, ben]}", false),
            ("{users: [ann, ben], count: 2}", "{users: [ann, ben, cy], count: 3}", true),
            ("{users: [ann, ben], count: 2}", "{all: [{users: [ann]}, {users: ['@Ben']}]}", true),
            ("{any: [{users: [ann]}, {users: [ben]}]}", "{users: [ann, ben]}", true),
            (
                "{users: [ann, ben, cy], count: 2}",
                "{any: [{users: [ann]}, {users: [ben]}, {users: [cy]}], count: 2}",
                true,
            ),
            ("{any: [{team: leads, count: 2}, {users: [ann]}]}", "{team: leads, count: 2}", true),
            ("{team: leads, count: 2}", "{any: [{team: leads, count: 2}, {users: [ann]}]}", false),
            ("{all: [{team: leads}, {team: legal}]}", "{any: [{team: leads}, {team: legal}], count: 2}", true),
            ("{any: [{team: leads}, {team: legal}]}", "{all: [{team: leads}, {role: admin}]}", true),
            ("{codeowners: union}", "{codeowners: each_path}", false),
            ("{codeowners: each_path}", "{codeowners: each_path, count: 2}", true),
            ("{users: ['{{ inputs.lead }}', ann]}", "{users: ['{{ inputs.lead }}']}", true),
            ("{users: [ann]}", "{users: [ann, '{{ inputs.lead }}'], count: 2}", false),
            ("{role: write}", "{team: leads}", false),
        ];
        for (before, after, expected) in table {
            assert_eq!(at_least_as_strict(&approvers(before), &approvers(after)), expected, "{before} -> {after}");
        }
    }

    #[test]
    fn escalation_widens_and_a_policy_tightens() {
        let (leads, legal, both) = (
            approvers("{team: leads}"),
            approvers("{team: legal}"),
            approvers("{all: [{team: leads}, {team: legal}]}"),
        );
        assert!(Demand { all: vec![&leads, &legal], or: vec![] }.implies(&both));
        assert!(!Demand { all: vec![&leads], or: vec![&legal] }.implies(&leads));
        assert!(Demand { all: vec![&leads], or: vec![&both] }.implies(&leads));
        assert!(!Demand { all: vec![], or: vec![] }.implies(&leads), "nobody is asked");
    }

    #[test]
    fn large_groups_are_compared_without_looking_at_every_choice() {
        let many: Vec<String> = (0..60).map(|n| format!("p{n}")).collect();
        let of = |count: u32| approvers(&format!("{{users: [{}], count: {count}}}", many.join(", ")));
        assert!(at_least_as_strict(&of(20), &of(30)));
        assert!(!at_least_as_strict(&of(30), &of(20)));
    }
}
