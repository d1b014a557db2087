//! Who is asked, in words. A mention notifies, so only prompts mention; everything else names.

use flowctl_core::approval::codeowners::{Owned, OwnedPaths, Owner};
use flowctl_core::approval::{Group, Missing, Requirement, evaluate};
use flowctl_core::definition::{CodeownersMode, Role};
use flowctl_core::execution::{StepState, Waiting};

use super::escape::{code, inline, shorten};
use super::format::listed;

/// Owners, and groups of files, that are named at most.
const OWNERS: usize = 10;
/// Characters of a path that are shown.
const PATH: usize = 120;

/// Whether names notify the people behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// `@alice`.
    Mentioned,
    /// `alice`.
    Told,
}

/// Names people of one organisation.
#[derive(Debug, Clone, Copy)]
pub struct Naming<'a> {
    /// The account that owns the repository: its teams are meant.
    pub organisation: &'a str,
    /// Whether they are notified.
    pub names: Names,
}

impl Naming<'_> {
    /// A requirement as a phrase: `2 of team @org/leads, or @octocat`.
    pub fn requirement(self, requirement: &Requirement) -> String {
        self.part(requirement, true)
    }

    fn part(self, requirement: &Requirement, outermost: bool) -> String {
        let joined = |of: &[Requirement], word: &str| {
            let parts: Vec<String> = of.iter().map(|part| self.part(part, of.len() == 1)).collect();
            parts.join(word)
        };
        let (phrase, compound) = match requirement {
            Requirement::People { group, count } => return self.group(group, *count),
            Requirement::Any { of, count: 1 } => (joined(of, ", or "), of.len() > 1),
            Requirement::Any { of, count } => (format!("{count} of these: {}", joined(of, "; ")), true),
            Requirement::All { of } => (joined(of, ", and "), of.len() > 1),
        };
        if compound && !outermost { format!("({phrase})") } else { phrase }
    }

    fn group(self, group: &Group, count: u32) -> String {
        match group {
            Group::Users(users) => self.users(users, count),
            Group::Team(team) => format!("{} of team {}", number(count), self.team(team)),
            Group::Role(role) => format!("{} with {} permission", people(count), role_in_words(*role)),
            Group::Codeowners { mode, owned } => self.code_owners(*mode, owned.as_deref(), count),
        }
    }

    /// Code owners, by name once they are known: `one of @org/dba for src/db/a.sql and 2 more files`.
    fn code_owners(self, mode: CodeownersMode, owned: Option<&Owned>, count: u32) -> String {
        let of_groups = |groups: &[OwnedPaths]| -> Vec<String> {
            let shown = groups.iter().take(OWNERS).map(|group| {
                let owners: Vec<String> = group.owners.iter().take(OWNERS).map(|owner| self.owner(owner)).collect();
                format!("{} of {} for {}", number(count), listed(&owners, "or"), files(group))
            });
            let mut shown: Vec<String> = shown.collect();
            let hidden = groups.len().saturating_sub(OWNERS);
            if hidden > 0 {
                shown.push(format!("owners of {hidden} more groups of files"));
            }
            shown
        };
        match (mode, owned) {
            (_, Some(owned)) if owned.is_nobodys() => {
                format!("{} with write permission (nobody owns what is changed)", people(count))
            }
            (CodeownersMode::Union, Some(owned)) if owned.groups.len() > 1 => {
                let owners: Vec<String> =
                    owned.owners().into_iter().take(OWNERS).map(|owner| self.owner(owner)).collect();
                format!("{} of the owners of the changed files: {}", number(count), listed(&owners, "or"))
            }
            (CodeownersMode::Union, Some(owned)) => of_groups(&owned.groups).join(", or "),
            (CodeownersMode::EachPath, Some(owned)) => of_groups(&owned.groups).join(", and "),
            (CodeownersMode::Union, None) => format!("{} of the owners of the changed files", number(count)),
            (CodeownersMode::EachPath, None) => format!("{} of the owners of each changed file", number(count)),
        }
    }

    fn owner(self, owner: &Owner) -> String {
        match owner {
            Owner::User(login) => self.person(login),
            Owner::Team { organisation, team } => match self.names {
                Names::Mentioned if is_name(team) && is_name(organisation) => format!("@{organisation}/{team}"),
                _ => code(&format!("{organisation}/{team}")),
            },
            Owner::Email(address) => code(address),
        }
    }

    fn users(self, users: &[String], count: u32) -> String {
        let names: Vec<String> = users.iter().map(|user| self.person(user)).collect();
        if u32::try_from(users.len()).is_ok_and(|all| all == count) {
            return listed(&names, "and");
        }
        match count {
            1 => listed(&names, "or"),
            _ => format!("{count} of {}", names.join(", ")),
        }
    }

    /// Who is still missing: `1 more of team @org/leads, or @octocat`.
    pub fn still_missing(self, requirement: &Requirement, missing: &[Missing]) -> String {
        let parts: Vec<String> = missing.iter().map(|missing| self.missing(missing)).collect();
        match requirement {
            Requirement::Any { count: 1, .. } => parts.join(", or "),
            _ => parts.join(", and "),
        }
    }

    /// Who is still needed for what a step asks; nothing where it asks nobody.
    pub fn waited_for(self, step: &StepState) -> Option<String> {
        match step.waiting.as_ref()? {
            Waiting::Approval(request) => {
                let missing = evaluate(&request.requirement, &step.decisions).missing;
                Some(self.still_missing(&request.requirement, &missing))
            }
            Waiting::Form(request) => {
                let assignees = request.assignees.as_ref().map(|assignees| self.requirement(assignees));
                Some(assignees.unwrap_or_else(|| "anybody with write permission".to_owned()))
            }
            _ => None,
        }
    }

    /// What a group still lacks.
    fn missing(self, missing: &Missing) -> String {
        let lacks = missing.needed.saturating_sub(missing.have);
        match (&missing.group, missing.have) {
            (group, 0) => self.group(group, missing.needed),
            (Group::Users(users), _) => {
                let names: Vec<String> = users.iter().map(|user| self.person(user)).collect();
                format!("{lacks} more of {}", names.join(", "))
            }
            (Group::Team(team), _) => format!("{lacks} more of team {}", self.team(team)),
            (Group::Role(role), _) => format!("{lacks} more with {} permission", role_in_words(*role)),
            (Group::Codeowners { mode, owned }, _) => {
                format!("{lacks} more: {}", self.code_owners(*mode, owned.as_deref(), missing.needed))
            }
        }
    }

    /// A person by login.
    pub fn person(self, login: &str) -> String {
        match self.names {
            Names::Mentioned if is_name(login) => format!("@{login}"),
            _ => inline(login),
        }
    }

    fn team(self, team: &str) -> String {
        match self.names {
            Names::Mentioned if is_name(team) && is_name(self.organisation) => format!("@{}/{team}", self.organisation),
            _ => code(team),
        }
    }
}

/// Files with the same owners: the first, and how many there are beside it.
fn files(group: &OwnedPaths) -> String {
    let first = group.paths.first().map(|path| code(&shorten(path, PATH))).unwrap_or_default();
    match group.count.saturating_sub(1) {
        0 => first,
        1 => format!("{first} and one more file"),
        more => format!("{first} and {more} more files"),
    }
}

/// The lowest permission that counts, in words.
pub fn role_in_words(role: Role) -> &'static str {
    match role {
        Role::Write => "write",
        Role::Maintain => "maintain",
        Role::Admin => "admin",
    }
}

/// What GitHub allows in logins and slugs; nothing else may stand behind a live `@`.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn number(count: u32) -> String {
    if count == 1 { "one".to_owned() } else { count.to_string() }
}

fn people(count: u32) -> String {
    if count == 1 { "one person".to_owned() } else { format!("{count} people") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(users: &[&str], count: u32) -> Requirement {
        Requirement::People { group: Group::Users(users.iter().map(|user| (*user).to_owned()).collect()), count }
    }

    fn team(team: &str, count: u32) -> Requirement {
        Requirement::People { group: Group::Team(team.to_owned()), count }
    }

    fn role(role: Role, count: u32) -> Requirement {
        Requirement::People { group: Group::Role(role), count }
    }

    #[test]
    fn requirements_read_like_sentences() {
        let naming = Naming { organisation: "octo-org", names: Names::Mentioned };
        let any = |of: Vec<Requirement>, count| Requirement::Any { of, count };
        let told: Vec<String> = [
            users(&["alice"], 1),
            users(&["alice", "bob"], 2),
            users(&["alice", "bob", "carol"], 1),
            users(&["alice", "bob", "carol"], 2),
            team("leads", 1),
            team("leads", 2),
            role(Role::Write, 1),
            role(Role::Admin, 2),
            any(vec![team("leads", 2), users(&["octocat"], 1)], 1),
            any(vec![team("commanders", 1), Requirement::All { of: vec![team("sre", 1), users(&["carol"], 1)] }], 1),
            any(vec![team("a", 1), team("b", 1), role(Role::Write, 1)], 2),
            users(&["not a login"], 1),
        ]
        .iter()
        .map(|requirement| naming.requirement(requirement))
        .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        @alice
        @alice and @bob
        @alice, @bob or @carol
        2 of @alice, @bob, @carol
        one of team @octo-org/leads
        2 of team @octo-org/leads
        one person with write permission
        2 people with admin permission
        2 of team @octo-org/leads, or @octocat
        one of team @octo-org/commanders, or (one of team @octo-org/sre, and @carol)
        2 of these: one of team @octo-org/a; one of team @octo-org/b; one person with write permission
        not a login
        ");
    }

    #[test]
    fn without_mentions_nobody_is_notified() {
        let naming = Naming { organisation: "octo-org", names: Names::Told };
        let all = Requirement::All { of: vec![team("leads", 1), users(&["alice"], 1)] };
        assert_eq!(naming.requirement(&all), "one of team `leads`, and alice");
        let missing = |have| Missing { group: Group::Team("leads".to_owned()), needed: 2, have };
        assert_eq!(naming.missing(&missing(0)), "2 of team `leads`");
        assert_eq!(naming.missing(&missing(1)), "1 more of team `leads`");
    }
}
