//! A name that no login and no team can have.

use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::has_markup;
use super::each_group_of_people;
use crate::definition::Approvers;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW311",
    name: "malformed-person",
    severity: Severity::Error,
    summary: "A name that no login and no team can have",
    reason: r"
A login has letters, digits and hyphens; a team is named by its slug, without the organisation before it. With an e-mail
address or a full name the approval fails as soon as it is asked for.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {users: [alice@example.com]}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {users: [alice]}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    each_group_of_people(scope, &mut |file, group| match &group.value {
        Approvers::Users { users, .. } => {
            for user in users.iter().filter(|user| !sounds_right(user)) {
                let finding = findings.add(file, user.span, format!("`{}` is no login", user.value));
                finding.help("write the login that the person has on GitHub");
            }
        }
        Approvers::Team { team, .. } if !sounds_right(team) => {
            let finding = findings.add(file, team.span, format!("`{}` is no slug of a team", team.value));
            match team.rsplit_once('/').map(|(_, slug)| slug).filter(|slug| sounds_right(slug) && !slug.is_empty()) {
                Some(slug) => {
                    finding.help(format!("write `{slug}`: teams are those of the repository's organisation"));
                    finding.fix(file, Applicability::Unsafe, team.span, slug);
                }
                None => drop(finding.help("write the last part of the team's address on GitHub")),
            }
        }
        _ => {}
    });
}

/// As names are read when an approval begins: separated by commas or blanks, an `@` before each allowed. What is empty
/// is told elsewhere.
fn sounds_right(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '[' | ']');
    let names = text.split([',', ' ', '\n']).map(|name| name.trim_start_matches('@'));
    has_markup(text) || names.into_iter().all(|name| name.chars().all(allowed))
}
