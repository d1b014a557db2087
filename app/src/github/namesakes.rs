//! Which repository a name is about. Names are used again: what was recorded under one may be about another repository, and
//! must not be shown to who reads this one. Reads the store; where it is not sure, it says no.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flowctl_core::execution::{ExecutionId, TenantId};
use jiff::Timestamp;
use serde_json::Value;

use super::whose::{Whose, whose};
use crate::store::{Store, StoreError};

/// Executions that are kept in mind while entries are gone through.
const MOST_LOOKED_AT: usize = 1_000;

/// The names under which entries of the audit log are about one repository.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    tenant: TenantId,
    /// GitHub's id, where it is known.
    id: Option<u64>,
    /// With the moment since when it has the name, where another one had it before.
    known: BTreeMap<String, Option<Timestamp>>,
    /// Executions that were looked at: entries of one lie side by side.
    looked_at: Arc<Mutex<BTreeMap<ExecutionId, bool>>>,
}

impl Names {
    /// A repository of which nothing is known but this name.
    pub(super) fn only(tenant: &TenantId, name: &str) -> Self {
        Self {
            tenant: tenant.clone(),
            id: None,
            known: BTreeMap::from([(name.to_owned(), None)]),
            looked_at: Arc::default(),
        }
    }

    /// The names of a repository, without those that another one has got since: entries under them may be about either.
    pub(crate) async fn of(store: &dyn Store, tenant: &TenantId, id: u64) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        for called in store.names_of_repository(id).await?.into_iter().filter(|called| called.tenant == *tenant) {
            let all = store.repositories_called(tenant, &called.name).await?;
            if all.first().is_some_and(|last| last.id != id) {
                continue;
            }
            let was_anothers = all.iter().any(|other| other.id != id);
            known.insert(called.name, was_anothers.then_some(called.at));
        }
        Ok(Self { tenant: tenant.clone(), id: Some(id), known, looked_at: Arc::default() })
    }

    /// Whether it has this name now.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// Whether an entry is about this repository. Under a name that another one had, an execution must be its own: what had
    /// begun in the other one may end after the name has changed hands.
    pub(crate) async fn are_of(&self, store: &dyn Store, line: &str) -> Result<bool, StoreError> {
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
        if let Some(is_its) = self.looked_at().get(&execution) {
            return Ok(*is_its);
        }
        let is_its = match (store.load(&self.tenant, execution).await?, self.id) {
            (Some(stored), Some(id)) => whose(store, &stored.execution).await? == Whose::Known(id),
            _ => false,
        };
        let mut looked_at = self.looked_at();
        if looked_at.len() >= MOST_LOOKED_AT {
            looked_at.clear();
        }
        looked_at.insert(execution, is_its);
        Ok(is_its)
    }

    fn looked_at(&self) -> MutexGuard<'_, BTreeMap<ExecutionId, bool>> {
        self.looked_at.lock().unwrap_or_else(PoisonError::into_inner)
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
    use crate::github::whose::tests::{RENAMED, at, began, heard_of, tenant};

    #[tokio::test]
    async fn what_was_recorded_under_a_name_that_is_used_again_was_shown_to_both_repositories() {
        let (store, _folder) = heard_of(&RENAMED).await;
        let tenant = tenant();
        let first = Names::of(&store, &tenant, 1).await.unwrap();
        let second = Names::of(&store, &tenant, 2).await.unwrap();
        assert!(first.holds("o/store") && !first.holds("o/shop") && second.holds("o/shop"));
        let gone = uuid::Uuid::nil();
        let nightly = began(&store, "o/shop", 35, Value::Null, None).await.id;
        let earlier = began(&store, "o/shop", 15, Value::Null, None).await.id;
        let of_the_first = began(&store, "o/shop", 35, json!({"repository": {"id": 1}}), None).await.id;
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
            // What began by itself has nothing that names the repository.
            (line("o/shop", 40, Some(nightly)), (false, true)),
            (line("o/shop", 40, Some(earlier)), (false, false)),
            (line("o/shop", 40, Some(of_the_first)), (false, false)),
        ] {
            let found = (first.are_of(&store, &line).await.unwrap(), second.are_of(&store, &line).await.unwrap());
            assert_eq!(found, expected, "{line}");
        }
        let is_its = async |name, noted_of, id| is_of(&store, (&tenant, name), noted_of, id).await.unwrap();
        assert!(is_its("o/shop", Some(1), 1).await && !is_its("o/shop", Some(1), 2).await);
        assert!(!is_its("o/shop", None, 1).await && !is_its("o/shop", None, 2).await, "it may be either's");
        assert!(is_its("o/store", None, 1).await, "there nobody else was");
        // Entries of one execution lie side by side: it is read once.
        store.close().await;
        assert!(second.are_of(&store, &line("o/shop", 41, Some(nightly))).await.unwrap());
    }
}
