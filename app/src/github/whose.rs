//! Which repository an execution is about, and how that one is called now. An execution keeps the name under which it started,
//! and names are used again: what goes on under an old one must not reach whoever has it now. Reads the store; where it is not
//! sure, it says no.

use flowctl_core::execution::{Execution, TenantId};
use jiff::Timestamp;

use super::repository_id;
use crate::store::{Store, StoreError};

/// How many executions may stand above one: what stands deeper is of nobody known.
const MOST_ABOVE: u32 = 64;

/// Which repository something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The one with this id of GitHub's.
    Known(u64),
    /// Nobody was ever known by this name.
    Unheard,
    /// Several had the name, and which of them it is about cannot be said.
    Unsure,
}

/// How a repository is called now, or why nothing may be said to it.
pub(crate) type CalledNow = Result<String, String>;

/// The repository of an execution: what caused it says so, or what caused the one above it; else whoever had its name when
/// it was created.
pub(crate) async fn whose(store: &dyn Store, execution: &Execution) -> Result<Whose, StoreError> {
    let mut root = execution.clone();
    for _ in 0..MOST_ABOVE {
        if let Some(id) = repository_id(&root) {
            return Ok(Whose::Known(id));
        }
        let Some(parent) = &root.parent else { break };
        let Some(above) = store.load(&root.tenant, parent.execution).await? else { break };
        root = above.execution;
    }
    had(store, &root.tenant, &root.repository, root.created_at).await
}

/// Which repository had a name at a moment.
async fn had(store: &dyn Store, tenant: &TenantId, name: &str, at: Timestamp) -> Result<Whose, StoreError> {
    let all = store.repositories_called(tenant, name).await?;
    let Some(last) = all.first() else { return Ok(Whose::Unheard) };
    if all.iter().all(|other| other.id == last.id) {
        return Ok(Whose::Known(last.id));
    }
    let Some(then) = all.iter().find(|called| called.at <= at) else { return Ok(Whose::Unsure) };
    // It may have had another name by then, and this one nobody that is known.
    let names = store.names_of_repository(then.id).await?;
    let newest = names.iter().find(|called| called.at <= at);
    Ok(match newest {
        Some(newest) if newest.name == name => Whose::Known(then.id),
        _ => Whose::Unsure,
    })
}

/// How a repository is called now that something under this name is about.
pub(crate) async fn called_now(
    store: &dyn Store,
    tenant: &TenantId,
    name: &str,
    whose: Whose,
) -> Result<CalledNow, StoreError> {
    let id = match whose {
        Whose::Known(id) => id,
        Whose::Unheard => return Ok(Ok(name.to_owned())),
        Whose::Unsure => return Ok(Err(format!("which repository was called {name} then is not known"))),
    };
    let names = store.names_of_repository(id).await?;
    let newest = names.into_iter().find(|called| called.tenant == *tenant).map(|called| called.name);
    let now = newest.unwrap_or_else(|| name.to_owned());
    let has_it = store.repository_called(tenant, &now).await?;
    if has_it.is_some_and(|has_it| has_it != id) {
        return Ok(Err(format!("{now} is another repository by now")));
    }
    Ok(Ok(now))
}

/// Whether an execution is of the repository with this id, as far as anybody can say.
pub(crate) async fn belongs_to(store: &dyn Store, execution: &Execution, id: u64) -> Result<bool, StoreError> {
    Ok(match whose(store, execution).await? {
        Whose::Known(its) => its == id,
        Whose::Unheard => true,
        Whose::Unsure => false,
    })
}

/// How the repository of an execution is called now.
pub(crate) async fn of_execution(store: &dyn Store, execution: &Execution) -> Result<CalledNow, StoreError> {
    let whose = whose(store, execution).await?;
    called_now(store, &execution.tenant, &execution.repository, whose).await
}

/// How repositories are called now that had a name which another one may have by now.
pub(crate) async fn had_before(store: &dyn Store, tenant: &TenantId, name: &str) -> Result<Vec<String>, StoreError> {
    let mut others = Vec::new();
    for called in store.repositories_called(tenant, name).await? {
        if let Ok(now) = called_now(store, tenant, name, Whose::Known(called.id)).await?
            && now != name
        {
            others.push(now);
        }
    }
    Ok(others)
}

/// Every name that a repository had for an account, with this one: executions keep the one under which they started.
pub(crate) async fn all_names(
    store: &dyn Store,
    tenant: &TenantId,
    name: &str,
    id: Option<u64>,
) -> Result<Vec<String>, StoreError> {
    let mut names = vec![name.to_owned()];
    if let Some(id) = id {
        let called = store.names_of_repository(id).await?.into_iter();
        names.extend(called.filter(|called| called.tenant == *tenant).map(|called| called.name));
        names.sort_unstable();
        names.dedup();
    }
    Ok(names)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::definition::repository::Repository;
    use flowctl_core::execution::{ExecutionId, NewExecution, Parent, TriggerInfo, create};
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::store::{HeardStore as _, RepositoryCalled, SqliteStore, Transition};

    pub(crate) fn tenant() -> TenantId {
        TenantId("o".to_owned())
    }

    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A store that heard of repositories: id, name and since when.
    pub(crate) async fn heard_of(known: &[(u64, &str, i64)]) -> (SqliteStore, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        for (id, name, second) in known {
            let called = RepositoryCalled { id: *id, tenant: tenant(), name: (*name).to_owned(), at: at(*second) };
            store.call_repository(called).await.unwrap();
        }
        (store, folder)
    }

    /// The first one was renamed, and its name given to a second one.
    pub(crate) const RENAMED: [(u64, &str, i64); 3] = [(1, "o/shop", 10), (1, "o/store", 20), (2, "o/shop", 30)];

    /// Stores an execution that began under this name.
    pub(crate) async fn began(
        store: &SqliteStore,
        name: &str,
        second: i64,
        payload: Value,
        parent: Option<ExecutionId>,
    ) -> Execution {
        let process = "name: tell\nversion: 1\nsteps:\n- {id: a, type: set, values: {a: 1}}\n";
        let repository = Repository::read([(".flow/processes/tell.yaml".to_owned(), process.to_owned())]);
        let plan = repository.plan("tell").unwrap().unwrap();
        let new = NewExecution {
            id: uuid::Uuid::now_v7(),
            tenant: tenant(),
            repository: name.to_owned(),
            repository_id: None,
            revision: "a".repeat(40),
            trigger: TriggerInfo { kind: "manual".to_owned(), actor: None, payload, pull_request: None },
            subject: None,
            inputs: serde_json::Map::new(),
            url: None,
        };
        let (mut execution, created) = create(&plan, new, at(second)).unwrap();
        execution.parent =
            parent.map(|execution| Parent { execution, step: "child".to_owned(), attempt: 1, depth: 1, waits: true });
        store.commit(Transition::of(execution.clone(), 0, vec![created])).await.unwrap();
        execution
    }

    #[tokio::test]
    async fn an_execution_went_on_in_whichever_repository_had_its_name() {
        let (store, _folder) = heard_of(&RENAMED).await;
        let named = json!({"repository": {"id": 1}});
        let parent = began(&store, "o/shop", 15, named.clone(), None).await;
        for (name, second, payload, parent, expected) in [
            ("o/shop", 15, named, None, Ok("o/store")),
            ("o/shop", 15, Value::Null, None, Ok("o/store")),
            ("o/shop", 35, Value::Null, None, Ok("o/shop")),
            ("o/shop", 35, Value::Null, Some(parent.id), Ok("o/store")),
            ("o/store", 35, Value::Null, None, Ok("o/store")),
            ("o/unheard", 35, Value::Null, None, Ok("o/unheard")),
            // The first one had gone, and of the second nobody had heard; before both of them nobody was known.
            ("o/shop", 25, Value::Null, None, Err("which repository was called o/shop then is not known")),
            ("o/shop", 5, Value::Null, None, Err("which repository was called o/shop then is not known")),
        ] {
            let execution = began(&store, name, second, payload, parent).await;
            let now = of_execution(&store, &execution).await.unwrap();
            assert_eq!(now.as_deref().map_err(String::as_str), expected, "{name} at {second}");
        }
        // It was told its repository when it began, and that is known by any name: also by one that it had before.
        let mut told = began(&store, "o/shop", 5, Value::Null, None).await;
        told.repository_id = Some(1);
        assert_eq!(of_execution(&store, &told).await.unwrap().as_deref(), Ok("o/store"));
        // What others send names no repository, whatever stands in it.
        for kind in ["webhook", "event"] {
            let mut sent = began(&store, "o/shop", 35, json!({"repository": {"id": 1}}), None).await;
            sent.trigger.kind = kind.to_owned();
            assert_eq!(of_execution(&store, &sent).await.unwrap().as_deref(), Ok("o/shop"), "{kind}");
        }
        let deleted = [(1, "o/shop", 10), (2, "o/shop", 30)];
        let (store, _folder) = heard_of(&deleted).await;
        let execution = began(&store, "o/shop", 15, json!({"repository": {"id": 1}}), None).await;
        assert_eq!(
            of_execution(&store, &execution).await.unwrap(),
            Err("o/shop is another repository by now".to_owned())
        );
        assert_eq!(had_before(&store, &tenant(), "o/shop").await.unwrap(), [] as [String; 0]);
    }
}
