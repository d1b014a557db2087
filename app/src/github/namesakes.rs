//! Which repository a name is about. Names are used again: what was recorded under one may be about another repository, and
//! must not be shown to who reads this one. Reads the store; where it is not sure, it says no.

use std::collections::BTreeMap;

use flowctl_core::execution::{ExecutionId, TenantId};
use jiff::Timestamp;
use serde_json::Value;

use super::repository_id;
use crate::store::{Store, StoreError};

/// The names under which entries of the audit log are about one repository.
#[derive(Debug, Clone)]
pub(super) struct Names {
    tenant: TenantId,
    /// GitHub's id, where it is known.
    id: Option<u64>,
    /// With the moment since when it has the name, where another one had it before.
    known: BTreeMap<String, Option<Timestamp>>,
}

impl Names {
    /// A repository of which nothing is known but this name.
    pub(super) fn only(tenant: &TenantId, name: &str) -> Self {
        Self { tenant: tenant.clone(), id: None, known: BTreeMap::from([(name.to_owned(), None)]) }
    }

    /// The names of a repository, without those that another one has got since: entries under them may be about either.
    pub(super) async fn of(store: &dyn Store, tenant: &TenantId, id: u64) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        for called in store.names_of_repository(id).await?.into_iter().filter(|called| called.tenant == *tenant) {
            let all = store.repositories_called(tenant, &called.name).await?;
            if all.first().is_some_and(|last| last.id != id) {
                continue;
            }
            let was_anothers = all.iter().any(|other| other.id != id);
            known.insert(called.name, was_anothers.then_some(called.at));
        }
        Ok(Self { tenant: tenant.clone(), id: Some(id), known })
    }

    /// Whether it has this name now.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// Whether an entry is about this repository. Under a name that another one had, an execution must say so by the
    /// repository's id: what had begun there may end after the name has changed hands.
    pub(super) async fn are_of(&self, store: &dyn Store, line: &str) -> Result<bool, StoreError> {
        let said: Value = serde_json::from_str(line).unwrap_or_default();
        let Some(since) = said["repository"].as_str().and_then(|name| self.known.get(name)) else { return Ok(false) };
        let Some(since) = since else { return Ok(true) };
        let at = said["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        if at.is_none_or(|at| at < *since) {
            return Ok(false);
        }
        if said["execution"].is_null() {
            return Ok(true);
        }
        let Some(execution) = said["execution"].as_str().and_then(|id| id.parse::<ExecutionId>().ok()) else {
            return Ok(false);
        };
        let stored = store.load(&self.tenant, execution).await?;
        Ok(stored.is_some_and(|stored| self.id.is_some() && repository_id(&stored.execution) == self.id))
    }
}

/// Whether what was noted under a name, of a repository with the id `noted_of` as far as that was known, is of the repository
/// with this id: of another one that had or has the name it may be, where nobody has noted whose it is.
pub(super) async fn is_of(
    store: &dyn Store,
    (tenant, name): (&TenantId, &str),
    noted_of: Option<u64>,
    id: u64,
) -> Result<bool, StoreError> {
    match noted_of {
        Some(noted_of) => Ok(noted_of == id),
        None => Ok(store.repositories_called(tenant, name).await?.iter().all(|called| called.id == id)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use serde_json::json;

    use super::*;
    use crate::store::{HeardStore as _, RepositoryCalled, SqliteStore};

    #[tokio::test]
    async fn what_was_recorded_under_a_name_that_is_used_again_was_shown_to_both_repositories() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        let tenant = TenantId("o".to_owned());
        let at = |second| Timestamp::from_second(second).unwrap();
        for (id, name, second) in [(1, "o/shop", 10), (1, "o/store", 20), (2, "o/shop", 30)] {
            let called = RepositoryCalled { id, tenant: tenant.clone(), name: name.to_owned(), at: at(second) };
            store.call_repository(called).await.unwrap();
        }
        let first = Names::of(&store, &tenant, 1).await.unwrap();
        let second = Names::of(&store, &tenant, 2).await.unwrap();
        assert!(first.holds("o/store") && !first.holds("o/shop") && second.holds("o/shop"));
        let gone = uuid::Uuid::nil();
        let line = |name: &str, second, execution: Option<ExecutionId>| {
            json!({"repository": name, "at": at(second), "execution": execution}).to_string()
        };
        for (line, expected) in [
            (line("o/shop", 40, None), (false, true)),
            (line("o/shop", 15, None), (false, false)),
            (line("o/store", 15, None), (true, false)),
            // Whose execution it was nobody can say any more.
            (line("o/shop", 40, Some(gone)), (false, false)),
            (line("o/store", 40, Some(gone)), (true, false)),
            (line("o/other", 40, None), (false, false)),
        ] {
            let found = (first.are_of(&store, &line).await.unwrap(), second.are_of(&store, &line).await.unwrap());
            assert_eq!(found, expected, "{line}");
        }
        let is_its = async |name, noted_of, id| is_of(&store, (&tenant, name), noted_of, id).await.unwrap();
        assert!(is_its("o/shop", Some(1), 1).await && !is_its("o/shop", Some(1), 2).await);
        assert!(!is_its("o/shop", None, 1).await && !is_its("o/shop", None, 2).await, "it may be either's");
        assert!(is_its("o/store", None, 1).await, "there nobody else was");
    }
}
