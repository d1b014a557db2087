//! Whose a login is. Definitions name people by login, and a login that somebody gave up is anybody's
//! (<https://docs.github.com/en/account-and-profile/concepts/username-changes>): the account that was first heard under it is
//! the one that is meant, until `people` in `flow.yaml` says another. Who is in a team or has a permission GitHub knows itself.

use flowctl_core::approval::codeowners::Owner;
use flowctl_core::approval::{Group, Person, Requirement};
use flowctl_core::execution::Execution;
use serde_json::json;

use super::hearing::{Hearing, HearingError};
use crate::audit::NewEntry;
use crate::engine::SignalFailure;
use crate::github::wording::Refused;
use crate::store::StoreError;

/// Whether a requirement names somebody by their login.
fn names(requirement: &Requirement, login: &str) -> bool {
    let is = |named: &str| named.eq_ignore_ascii_case(login);
    requirement.leaves().into_iter().any(|group| match group {
        Group::Users(users) => users.iter().any(|user| is(user)),
        Group::Codeowners { owned: Some(owned), .. } => {
            owned.owners().into_iter().any(|owner| matches!(owner, Owner::User(user) if is(user)))
        }
        _ => false,
    })
}

fn name_of(person: &Person) -> String {
    format!("login:{}", person.login.to_ascii_lowercase())
}

fn failed(error: StoreError) -> HearingError {
    SignalFailure::from(error).into()
}

impl Hearing<'_> {
    /// Why somebody does not count under a login that a requirement names: it is not theirs.
    pub(super) async fn taken(
        &self,
        execution: &Execution,
        step: &str,
        requirement: &Requirement,
        person: &Person,
    ) -> Result<Option<Refused>, HearingError> {
        // Without GitHub nobody has an account.
        if person.id == 0 || !names(requirement, &person.login) {
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
        let Some(meant) = meant.filter(|id| *id != person.id) else { return Ok(None) };
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
        self.engine.store().record(self.tenant, entry).await.map_err(failed)?;
        Ok(Some(Refused::LoginTaken { login: person.login.clone(), meant, found: person.id }))
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
    use super::*;

    #[test]
    fn only_who_is_named_by_login_depends_on_whose_it_is() {
        let people = |group| Requirement::People { group, count: 1 };
        let users = people(Group::Users(vec!["Octocat".to_owned()]));
        let team = people(Group::Team("octocat".to_owned()));
        assert!(names(&users, "octocat"));
        assert!(!names(&team, "octocat") && !names(&users, "octo"));
        assert!(names(&Requirement::Any { of: vec![team, users], count: 1 }, "octocat"));
    }
}
