//! Where an effect goes: the repository that it is about, by what tells it from others of its name. Names are used again,
//! and what was queued under one must not reach whoever has it now: nothing here gives the name away but [`Address::now`].

use std::fmt;

use flowctl_core::execution::{Execution, ExecutionId};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::write::Writing;
use crate::github::client::RepositoryName;
use crate::github::repository_id;
use crate::github::whose::{CalledNow, Whose, called_now, of_execution};

/// A repository, as it was called when something was to be told to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Address {
    name: RepositoryName,
    /// GitHub's id of it, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    /// The execution that something is told for.
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<ExecutionId>,
}

/// What was stored before names were known to be used again is a name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Name(RepositoryName),
    Address {
        name: RepositoryName,
        #[serde(default)]
        id: Option<u64>,
        #[serde(default)]
        execution: Option<ExecutionId>,
    },
}

impl From<Stored> for Address {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Name(name) => Self { name, id: None, execution: None },
            Stored::Address { name, id, execution } => Self { name, id, execution },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(out)
    }
}

impl Address {
    /// The repository of an execution; nothing where it is none of GitHub's.
    pub fn of(execution: &Execution) -> Option<Self> {
        let name = execution.repository.parse().ok()?;
        Some(Self { name, id: repository_id(execution), execution: Some(execution.id) })
    }

    /// A repository that a delivery is about.
    pub fn known(name: RepositoryName, id: Option<u64>) -> Self {
        Self { name, id, execution: None }
    }

    /// How the repository is called now, or why nothing may be told there.
    pub(super) async fn now(&self, writing: &Writing<'_>) -> Result<Result<RepositoryName, String>, Failure> {
        let (store, tenant) = (&*writing.outbox.store, &writing.effect.tenant);
        if let (None, Some(execution)) = (self.id, self.execution) {
            return of(writing, execution).await;
        }
        let whose = self.id.map_or(Whose::Unheard, Whose::Known);
        Ok(read(called_now(store, tenant, &self.name.to_string(), whose).await?))
    }
}

/// How the repository of an execution is called now, or why nothing may be told there.
pub(super) async fn of(
    writing: &Writing<'_>,
    execution: ExecutionId,
) -> Result<Result<RepositoryName, String>, Failure> {
    let store = &*writing.outbox.store;
    let Some(stored) = store.load(&writing.effect.tenant, execution).await? else {
        return Ok(Err(format!("there is no execution {execution}")));
    };
    Ok(read(of_execution(store, &stored.execution).await?))
}

fn read(now: CalledNow) -> Result<RepositoryName, String> {
    now.and_then(|name| name.parse().map_err(|error| format!("{error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    #[test]
    fn what_was_stored_as_a_name_is_read() {
        let name = RepositoryName::new("octo-org", "shop").unwrap();
        let read: Address = serde_json::from_str("\"octo-org/shop\"").unwrap();
        assert_eq!(read, Address::known(name.clone(), None));
        let known = Address::known(name, Some(7));
        assert_eq!(serde_json::from_value::<Address>(serde_json::to_value(&known).unwrap()).unwrap(), known);
    }
}
