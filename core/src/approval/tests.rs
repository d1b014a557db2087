#![allow(clippy::unwrap_used, reason = "tests")]

use jiff::Timestamp;

use super::*;
use crate::definition::Role;

fn person(login: &str) -> Person {
    Person { login: login.to_owned(), id: 0 }
}

fn says(login: &str, decision: DecisionKind, counts_for: &[LeafIndex]) -> Decision {
    Decision {
        person: person(login),
        decision,
        at: Timestamp::UNIX_EPOCH,
        note: None,
        source: Source { kind: SourceKind::Comment, id: login.to_owned(), url: None },
        commit: None,
        counts_for: counts_for.to_vec(),
    }
}

fn team(slug: &str, count: u32) -> Requirement {
    Requirement::People { group: Group::Team(slug.to_owned()), count }
}

fn leads_or_octocat() -> Requirement {
    let octocat = Requirement::People { group: Group::Users(vec!["octocat".to_owned()]), count: 1 };
    Requirement::Any { of: vec![team("leads", 2), octocat], count: 1 }
}

#[test]
fn two_of_a_team_or_one_named_person() {
    use DecisionKind::Approve;
    let requirement = leads_or_octocat();
    let one_lead = evaluate(&requirement, &[says("ann", Approve, &[0])]);
    assert_eq!(one_lead.outcome, Outcome::Pending);
    assert_eq!(one_lead.missing[0], Missing { group: Group::Team("leads".to_owned()), needed: 2, have: 1 });
    let two_leads = [says("ann", Approve, &[0]), says("ben", Approve, &[0])];
    assert_eq!(evaluate(&requirement, &two_leads).outcome, Outcome::Approved);
    assert_eq!(evaluate(&requirement, &[says("octocat", Approve, &[1])]).outcome, Outcome::Approved);
}

#[test]
fn a_person_counts_once_and_the_latest_word_stands() {
    use DecisionKind::{Approve, Reject, Withdraw};
    let requirement = team("leads", 2);
    let twice = [says("ann", Approve, &[0]), says("ANN", Approve, &[0])];
    assert_eq!(evaluate(&requirement, &twice).outcome, Outcome::Pending);
    let withdrawn = [says("ann", Approve, &[0]), says("ben", Approve, &[0]), says("ann", Withdraw, &[0])];
    assert_eq!(evaluate(&requirement, &withdrawn).outcome, Outcome::Pending);
    let changed = [says("ann", Reject, &[0]), says("ann", Approve, &[0]), says("ben", Approve, &[0])];
    assert_eq!(evaluate(&requirement, &changed).outcome, Outcome::Approved);
    let rejected = [says("ann", Approve, &[0]), says("ben", Reject, &[0])];
    assert_eq!(evaluate(&requirement, &rejected).outcome, Outcome::Rejected);
}

#[test]
fn all_groups_are_needed_and_each_lack_is_told() {
    use DecisionKind::Approve;
    let requirement = Requirement::All { of: vec![team("leads", 1), team("security", 1), team("legal", 1)] };
    let verdict = evaluate(&requirement, &[says("ann", Approve, &[1])]);
    assert_eq!(verdict.outcome, Outcome::Pending);
    assert_eq!(verdict.missing.len(), 2);
    let both_hats = [says("ann", Approve, &[0, 1]), says("ben", Approve, &[2])];
    assert_eq!(evaluate(&requirement, &both_hats).outcome, Outcome::Approved);
}

#[test]
fn authors_contributors_bots_and_strangers_do_not_count() {
    let requirement = team("leads", 1);
    let member = PersonFacts { teams: vec!["Leads".to_owned()], ..PersonFacts::default() };
    let ann = person("ann");
    assert_eq!(weigh(&requirement, &ann, &member, false), Weighed::Counts(vec![0]));
    let author = PersonFacts { is_author: true, ..member.clone() };
    assert_eq!(weigh(&requirement, &ann, &author, false), Weighed::Not(Ineligible::Author));
    assert_eq!(weigh(&requirement, &ann, &author, true), Weighed::Counts(vec![0]));
    let contributor = PersonFacts { is_contributor: true, ..member.clone() };
    assert_eq!(weigh(&requirement, &ann, &contributor, false), Weighed::Not(Ineligible::Contributor));
    let bot = PersonFacts { is_bot: true, ..member };
    assert_eq!(weigh(&requirement, &ann, &bot, true), Weighed::Not(Ineligible::Bot));
    assert_eq!(weigh(&requirement, &ann, &PersonFacts::default(), true), Weighed::Not(Ineligible::NotListed));
}

#[test]
fn a_higher_permission_counts_for_a_lower_role() {
    let requirement = Requirement::People { group: Group::Role(Role::Maintain), count: 1 };
    let facts = |role| PersonFacts { role, ..PersonFacts::default() };
    assert_eq!(weigh(&requirement, &person("a"), &facts(Some(Role::Admin)), false), Weighed::Counts(vec![0]));
    assert_eq!(
        weigh(&requirement, &person("a"), &facts(Some(Role::Write)), false),
        Weighed::Not(Ineligible::NotListed)
    );
}

#[test]
fn a_template_may_give_several_logins_and_too_few_is_said() {
    let approvers: crate::definition::Approvers =
        serde_json::from_value(serde_json::json!({"users": ["{{ x }}", "Cy"], "count": 3})).unwrap();
    let mut text =
        |template: &str| Ok(if template.contains("{{") { "@ann, ben".to_owned() } else { template.to_owned() });
    let requirement = Requirement::resolve(&approvers, &mut text).unwrap();
    assert_eq!(
        requirement,
        Requirement::People {
            group: Group::Users(vec!["ann".to_owned(), "ben".to_owned(), "Cy".to_owned()]),
            count: 3
        }
    );
    let mut one = |_: &str| Ok("ann".to_owned());
    assert!(matches!(
        Requirement::resolve(&approvers, &mut one),
        Err(RequirementError::Unsatisfiable { count: 3, available: 1 })
    ));
}
