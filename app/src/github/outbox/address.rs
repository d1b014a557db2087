//! Where an effect goes: the repository that it is about, by what tells it from others of its name. Names are used again,
//! and what was queued under one must not reach whoever has it now: nothing here gives the name away but
//! [`Destination::confirmed`].

use std::fmt;

use flowctl_core::execution::{Execution, ExecutionId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::Failure;
use super::write::Writing;
use crate::github::client::RepositoryName;
use crate::github::reconcile::Reconciler;
use crate::github::repository_id;
use crate::github::whose::{CalledNow, Whose, called_now, whose};

/// How long an effect rests until intake has heard who has its repository's name.
const HEARD_AFTER: SignedDuration = SignedDuration::from_secs(5);

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

    /// Where it is now, as far as anything has told, or why nothing may be told there.
    pub(super) async fn now(&self, writing: &Writing<'_>) -> Result<Result<Destination, String>, Failure> {
        if let (None, Some(execution)) = (self.id, self.execution) {
            return of(writing, execution).await;
        }
        let whose = self.id.map_or(Whose::Unheard, Whose::Known);
        found(writing, &self.name.to_string(), whose).await
    }
}

/// Where the repository of an execution is now, as far as anything has told, or why nothing may be told there.
pub(super) async fn of(writing: &Writing<'_>, execution: ExecutionId) -> Result<Result<Destination, String>, Failure> {
    let store = &*writing.outbox.store;
    let Some(stored) = store.load(&writing.effect.tenant, execution).await? else {
        return Ok(Err(format!("there is no execution {execution}")));
    };
    let execution = stored.execution;
    found(writing, &execution.repository, whose(store, &execution).await?).await
}

async fn found(writing: &Writing<'_>, name: &str, whose: Whose) -> Result<Result<Destination, String>, Failure> {
    let called: CalledNow = called_now(&*writing.outbox.store, &writing.effect.tenant, name, whose).await?;
    let id = match whose {
        Whose::Known(id) => Some(id),
        Whose::Unheard | Whose::Unsure => None,
    };
    let named = called.and_then(|name| name.parse().map_err(|error| format!("{error}")));
    Ok(named.map(|name| Destination { name, id }))
}

/// A repository under the name that it has, as far as anything has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    name: RepositoryName,
    /// GitHub's id of it, where it is known.
    id: Option<u64>,
}

impl Destination {
    /// A repository whose name and id are known in another way.
    pub(super) fn new(name: RepositoryName, id: Option<u64>) -> Self {
        Self { name, id }
    }

    /// The name under which GitHub has this repository: what tells that another one has the name may not have come, as where
    /// it changed hands while no server ran. Then intake hears of that, and the effect rests until it has.
    ///
    /// Nothing is written where GitHub shows the App no such repository.
    pub(super) async fn confirmed(self, writing: &Writing<'_>) -> Result<RepositoryName, Failure> {
        let Self { name, id } = self;
        let Some(id) = id else { return Ok(name) };
        let is_its = |now: &Value| now["id"].as_u64() == Some(id);
        let mut now = writing.client.repository_lately(&name).await?;
        if !is_its(&now) {
            // It may have had the name for less than a minute.
            now = writing.client.repository_now(&name).await?;
        }
        if !is_its(&now) {
            return Err(changed_hands(writing, &name, now).await?);
        }
        // GitHub leads from an older name to the one that it has.
        let called = now["full_name"].as_str().and_then(|called| called.parse::<RepositoryName>().ok()).unwrap_or(name);
        let tenant = &writing.effect.tenant;
        if !called.owner().eq_ignore_ascii_case(tenant.as_str()) {
            return Err(Failure::Nothing(format!("the repository belongs to {} by now", called.owner())));
        }
        Ok(called)
    }
}

/// Has intake hear who has a name: what was open under it may be gone, or go on under another one.
async fn changed_hands(writing: &Writing<'_>, name: &RepositoryName, now: Value) -> Result<Failure, Failure> {
    // GitHub led from the name to another one: nobody will ever tell who had it.
    if now["full_name"] != name.to_string() {
        return Ok(Failure::Nothing(format!("{name} was another repository, and is {} by now", now["full_name"])));
    }
    let Writing { outbox, effect, client, .. } = writing;
    let (store, github, clock) = (&outbox.store, &outbox.github, &outbox.clock);
    let reconciler = Reconciler::new(store.clone(), github.clone(), clock.clone());
    reconciler.tell_who_has(name, now, (&effect.tenant, client), minute_of(clock.now())).await?;
    let reason = format!("{name} is another repository by now");
    Ok(Failure::Rests { reason, wait: HEARD_AFTER })
}

/// Many effects find the same: intake hears of it once a minute.
fn minute_of(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second().div_euclid(60) * 60).unwrap_or(moment)
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
