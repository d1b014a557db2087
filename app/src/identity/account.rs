//! Whose a login is. Definitions name people by login, and a login that somebody gave up is anybody's
//! (<https://docs.github.com/en/account-and-profile/concepts/username-changes>): the account that was first heard under it is
//! the one that is meant, until `people` in `flow.yaml` says another. Who is in a team or has a permission GitHub knows itself.

use flowctl_core::approval::codeowners::Owner;
use flowctl_core::approval::{Counted, Group, LeafIndex, Person, Requirement};
use flowctl_core::execution::Execution;
use serde_json::json;

use super::hearing::{Heard, Hearing, HearingError};
use crate::audit::NewEntry;
use crate::engine::SignalFailure;
use crate::github::outbox::commit_soon;
use crate::github::wording::Refused;
use crate::store::StoreError;

/// Whether a group names somebody by their login.
fn names(group: &Group, login: &str) -> bool {
    match group {
        Group::Users(users) => users.iter().any(|user| user.eq_ignore_ascii_case(login)),
        Group::Codeowners { owned: Some(owned), .. } => owned.owners().into_iter().any(|owner| is_login(owner, login)),
        _ => false,
    }
}

fn is_login(owner: &Owner, login: &str) -> bool {
    matches!(owner, Owner::User(user) if user.eq_ignore_ascii_case(login))
}

/// What somebody counts for without their login: what they count for through teams, permissions and what else GitHub says of
/// their account.
fn without_login(requirement: &Requirement, login: &str, counted: Counted) -> Counted {
    let owner_of: Vec<Owner> = counted.owner_of.into_iter().filter(|owner| !is_login(owner, login)).collect();
    let groups = requirement.leaves();
    let still_counts = |leaf: &LeafIndex| match usize::try_from(*leaf).ok().and_then(|leaf| groups.get(leaf)) {
        Some(Group::Users(users)) => !users.iter().any(|user| user.eq_ignore_ascii_case(login)),
        Some(Group::Codeowners { owned: Some(owned), .. }) if !owned.is_nobodys() => {
            owned.groups.iter().any(|group| group.is_owned_by(&owner_of))
        }
        _ => true,
    };
    let leaves = counted.leaves.into_iter().filter(still_counts).collect();
    Counted { leaves, owner_of }
}

fn name_of(person: &Person) -> String {
    format!("login:{}", person.login.to_ascii_lowercase())
}

fn failed(error: StoreError) -> HearingError {
    SignalFailure::from(error).into()
}

impl Hearing<'_> {
    /// What somebody counts for who counts for something: where a login that a requirement names is not theirs, only what they
    /// count for without it; where nothing is left, why.
    pub(super) async fn under_own_login(
        &self,
        execution: &Execution,
        step: &str,
        requirement: &Requirement,
        (person, counted): (&Person, Counted),
    ) -> Heard<Counted> {
        let Some(meant) = self.meant_instead(requirement, person).await? else { return Ok(Ok(counted)) };
        let counted = without_login(requirement, &person.login, counted);
        if !counted.leaves.is_empty() {
            return Ok(Ok(counted));
        }
        let entry = NewEntry {
            at: self.engine.now(),
            kind: "approval.login_taken".to_owned(),
            actor: Some(person.clone()),
            repository: Some(execution.repository.clone()),
            process: Some(execution.process.clone()),
            execution: Some(execution.id),
            step: Some(step.to_owned()),
            data: json!({"login": person.login, "meant": meant, "found": person.id}),
            once: Some(format!("{}:{}:{}:{step}", name_of(person), person.id, execution.id)),
        };
        let store = &**self.engine.store();
        store.record(self.tenant, entry).await.map_err(failed)?;
        commit_soon(store, self.tenant, &execution.repository, self.engine.now()).await.map_err(failed)?;
        Ok(Err(Refused::LoginTaken { login: person.login.clone(), meant, found: person.id }))
    }

    /// The account that is meant by a login that a requirement names, where that is not the account that has it.
    async fn meant_instead(&self, requirement: &Requirement, person: &Person) -> Result<Option<u64>, HearingError> {
        let is_named = || requirement.leaves().into_iter().any(|group| names(group, &person.login));
        // Without GitHub nobody has an account.
        if person.id == 0 || !is_named() {
            return Ok(None);
        }
        let said = self.published.settings.as_ref().and_then(|settings| {
            let is_theirs = |login: &str| login.eq_ignore_ascii_case(&person.login);
            settings.people.iter().find(|(login, _)| is_theirs(&login.value)).map(|(_, id)| *id)
        });
        let meant = match said {
            Some(id) => Some(id),
            None => self.heard_as(person).await?,
        };
        Ok(meant.filter(|id| *id != person.id))
    }

    /// The account that was first heard under this login.
    async fn heard_as(&self, person: &Person) -> Result<Option<u64>, HearingError> {
        let known = self.engine.store().standing(self.tenant, &name_of(person)).await.map_err(failed)?;
        Ok(known.and_then(|known| known.state["id"].as_u64()))
    }

    /// Remembers whose a login is that is heard for the first time.
    pub(super) async fn remember(&self, person: &Person) -> Result<(), HearingError> {
        if person.id == 0 || self.heard_as(person).await?.is_some() {
            return Ok(());
        }
        // Where another server is faster, its word stands.
        let state = json!({"id": person.id, "at": self.engine.now()});
        let noted = self.engine.store().note_standing(self.tenant, &name_of(person), None, state, None).await;
        noted.map(drop).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::approval::codeowners::{Owned, OwnedPaths};
    use flowctl_core::definition::{CodeownersMode, Role};

    use super::*;

    fn owner(of: &str) -> Owner {
        of.parse().unwrap()
    }

    fn people(group: Group) -> Requirement {
        Requirement::People { group, count: 1 }
    }

    #[test]
    fn only_who_is_named_by_login_depends_on_whose_it_is() {
        let users = Group::Users(vec!["Octocat".to_owned()]);
        let team = Group::Team("octocat".to_owned());
        assert!(names(&users, "octocat"));
        assert!(!names(&team, "octocat") && !names(&users, "octo"));
    }

    #[test]
    fn who_counts_through_a_team_was_refused_for_a_login_that_stands_beside_it() {
        let owned = |owners: &[&str]| {
            let owners = owners.iter().map(|it| owner(it)).collect();
            let groups = vec![OwnedPaths { owners, paths: vec!["a".to_owned()], count: 1 }];
            Group::Codeowners { mode: CodeownersMode::Union, owned: Some(Box::new(Owned { groups, unowned: 0 })) }
        };
        let of = vec![
            people(Group::Users(vec!["Bob".to_owned()])),
            people(Group::Team("leads".to_owned())),
            people(Group::Role(Role::Write)),
            people(owned(&["@bob"])),
            people(owned(&["@bob", "@o/leads"])),
        ];
        let any = Requirement::Any { of, count: 1 };
        let counted = |leaves: &[LeafIndex]| Counted {
            leaves: leaves.to_vec(),
            owner_of: vec![owner("@bob"), owner("@o/leads")],
        };
        let left = without_login(&any, "bob", counted(&[0, 1, 2, 3, 4]));
        assert_eq!(left, Counted { leaves: vec![1, 2, 4], owner_of: vec![owner("@o/leads")] });
        assert_eq!(without_login(&any, "bob", counted(&[0, 3])).leaves, [] as [LeafIndex; 0]);
    }
}
