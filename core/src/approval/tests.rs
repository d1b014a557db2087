#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

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
        call: None,
        counts_for: counts_for.to_vec(),
        owner_of: Vec::new(),
        in_place_of: Vec::new(),
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
    assert_eq!(
        weigh(&requirement, &ann, &member, false),
        Weighed::Counts(Counted { leaves: vec![0], owner_of: Vec::new() })
    );
    let author = PersonFacts { is_author: true, ..member.clone() };
    assert_eq!(weigh(&requirement, &ann, &author, false), Weighed::Not(Ineligible::Author));
    assert_eq!(
        weigh(&requirement, &ann, &author, true),
        Weighed::Counts(Counted { leaves: vec![0], owner_of: Vec::new() })
    );
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
    assert_eq!(
        weigh(&requirement, &person("a"), &facts(Some(Role::Admin)), false),
        Weighed::Counts(Counted { leaves: vec![0], owner_of: Vec::new() })
    );
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

/// src/db belongs to @octo-org/dba, web to @ann or @ben, and one file to nobody.
fn owned() -> codeowners::Owned {
    let file = codeowners::CodeOwners::read("src/db/ @octo-org/dba\n/web/ @ann @ben\n");
    codeowners::Owned::of(&file, ["src/db/a.sql", "web/b.ts", "README.md"])
}

fn code_owners(mode: crate::definition::CodeownersMode, count: u32) -> Requirement {
    Requirement::People { group: Group::Codeowners { mode, owned: None }, count }.with_owned(&owned())
}

fn owner(login: &str, owner_of: &[&str]) -> Decision {
    let owner_of = owner_of.iter().map(|owner| owner.parse().unwrap()).collect();
    Decision { owner_of, ..says(login, DecisionKind::Approve, &[0]) }
}

#[test]
fn each_path_needs_its_own_owner_and_the_union_any() {
    use crate::definition::CodeownersMode::{EachPath, Union};
    let (dba, ann) = (owner("dora", &["@octo-org/dba"]), owner("ann", &["@ann"]));
    let each = code_owners(EachPath, 1);
    let verdict = evaluate(&each, std::slice::from_ref(&ann));
    assert_eq!(verdict.outcome, Outcome::Pending);
    let [Missing { group: Group::Codeowners { owned: Some(lacking), .. }, .. }] = &verdict.missing[..] else {
        panic!("{:?}", verdict.missing)
    };
    assert_eq!(lacking.groups[0].paths, ["src/db/a.sql"]);
    assert_eq!(evaluate(&each, &[ann.clone(), dba.clone()]).outcome, Outcome::Approved);
    assert_eq!(evaluate(&code_owners(Union, 1), std::slice::from_ref(&ann)).outcome, Outcome::Approved);
    assert_eq!(evaluate(&code_owners(Union, 2), std::slice::from_ref(&ann)).outcome, Outcome::Pending);
    // One person who owns everything is enough for each path.
    let both = owner("eve", &["@octo-org/dba", "@ben"]);
    assert_eq!(evaluate(&each, &[both]).outcome, Outcome::Approved);
    // A word that was given when something else was changed does not count for what is changed now.
    assert_eq!(evaluate(&each, &[owner("old", &["@gone"]), dba]).outcome, Outcome::Pending);
}

#[test]
fn an_owner_must_be_able_to_write_and_what_nobody_owns_needs_somebody_who_is() {
    use crate::definition::CodeownersMode::EachPath;
    let requirement = code_owners(EachPath, 1);
    let owner_of = vec!["@ann".parse().unwrap()];
    let reader = PersonFacts { owner_of: owner_of.clone(), ..PersonFacts::default() };
    assert_eq!(weigh(&requirement, &person("ann"), &reader, false), Weighed::Not(Ineligible::NotListed));
    let writer = PersonFacts { role: Some(Role::Write), ..reader };
    let counted = Counted { leaves: vec![0], owner_of };
    assert_eq!(weigh(&requirement, &person("ann"), &writer, false), Weighed::Counts(counted));
    let stranger = PersonFacts { role: Some(Role::Admin), ..PersonFacts::default() };
    assert_eq!(weigh(&requirement, &person("zoe"), &stranger, false), Weighed::Not(Ineligible::NotListed));
    let nobodys = requirement.with_owned(&codeowners::Owned { groups: Vec::new(), unowned: 2 });
    assert!(matches!(weigh(&nobodys, &person("zoe"), &stranger, false), Weighed::Counts(_)));
    assert_eq!(evaluate(&nobodys, &[]).outcome, Outcome::Pending, "what nobody owns does not approve itself");
    assert_eq!(evaluate(&nobodys, &[says("zoe", DecisionKind::Approve, &[0])]).outcome, Outcome::Approved);
}

#[test]
fn nobody_has_two_voices() {
    use DecisionKind::Approve;
    let place = |of: &str| InPlaceOf { person: person(of), counts_for: vec![0], owner_of: Vec::new() };
    let for_ann = Decision { in_place_of: vec![place("ann")], ..says("dave", Approve, &[]) };
    let two = team("leads", 2);
    let outcome = |words: &[Decision]| evaluate(&two, words).outcome;
    assert_eq!(outcome(&[for_ann.clone(), says("ben", Approve, &[0])]), Outcome::Approved);
    assert_eq!(outcome(&[for_ann.clone(), says("ann", Approve, &[0])]), Outcome::Pending, "ann and who speaks for her");
    let for_both = Decision { in_place_of: vec![place("ann"), place("ben")], ..says("dave", Approve, &[]) };
    assert_eq!(outcome(&[for_both]), Outcome::Pending, "one person who speaks for two");
    let own = Decision { in_place_of: vec![place("ann")], ..says("dave", Approve, &[0]) };
    assert_eq!(outcome(&[own]), Outcome::Pending, "one of two leads who speaks for the other");
    let again = Decision { in_place_of: vec![place("ann")], ..says("eve", Approve, &[]) };
    assert_eq!(outcome(&[for_ann, again]), Outcome::Pending, "two who speak for the same");
}

#[test]
fn an_override_is_no_approval_and_goes_before_a_rejection() {
    let requirement = team("leads", 2);
    let words = [says("ann", DecisionKind::Reject, &[0]), says("gina", DecisionKind::Override, &[])];
    assert_eq!(evaluate(&requirement, &words[1..]).outcome, Outcome::Overridden);
    assert_eq!(evaluate(&requirement, &words).outcome, Outcome::Overridden);
}
