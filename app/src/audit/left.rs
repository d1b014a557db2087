//! Where the App left the copies of a log, which the store knows, and whether the reference of a clone still holds that. A
//! reference that was cut back is whole in itself.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::execution::TenantId;
use git2::{ErrorCode, Oid, Repository};

use crate::store::{Store, StoreError};

/// How the names begin under which the store keeps how far logs are copied.
pub const COPIES: &str = "audit-ref:";

/// Under which name the store keeps how far a repository's log is copied to a reference of it; the repository by GitHub's id,
/// or by its name where that is all that is known.
#[must_use]
pub fn copy_of(reference: &str, repository: &str) -> String {
    format!("{COPIES}{reference}:{repository}")
}

/// Where the App left a copy.
#[derive(Debug)]
pub(super) struct Left {
    tenant: TenantId,
    /// The repository's id, or its name.
    repository: String,
    /// The commit that it moved the reference to last.
    commit: String,
    /// Entries up to this number were written, as far as they are about the repository.
    seq: u64,
}

/// Where the App left each copy that goes to such a reference. What was kept under a name counts no more where it goes on under
/// the repository's id.
pub(super) async fn left(store: &dyn Store, reference: &str) -> Result<Vec<Left>, StoreError> {
    let beginning = copy_of(reference, "");
    let standings = store.standings(&beginning).await?;
    let known: BTreeSet<(&TenantId, &str)> =
        standings.iter().filter_map(|named| Some((&named.tenant, named.name.strip_prefix(&beginning)?))).collect();
    let mut left = Vec::new();
    for named in &standings {
        let (tenant, state) = (&named.tenant, &named.standing.state);
        let Some(repository) = named.name.strip_prefix(&beginning) else { continue };
        let Some(commit) = state["at"]["commit"].as_str() else { continue };
        let id = store.repository_called(tenant, repository).await?;
        if id.is_some_and(|id| known.contains(&(tenant, id.to_string().as_str()))) {
            continue;
        }
        let seq = state["seq"].as_u64().unwrap_or_default();
        left.push(Left { tenant: tenant.clone(), repository: repository.to_owned(), commit: commit.to_owned(), seq });
    }
    Ok(left)
}

/// How repositories with these names may be called there.
pub(super) async fn keys(
    store: &dyn Store,
    names: &BTreeMap<String, BTreeSet<String>>,
) -> Result<BTreeSet<(TenantId, String)>, StoreError> {
    let mut keys = BTreeSet::new();
    for (tenant, names) in names {
        let tenant = TenantId(tenant.clone());
        for name in names {
            if let Some(id) = store.repository_called(&tenant, name).await? {
                keys.insert((tenant.clone(), id.to_string()));
            }
            keys.insert((tenant.clone(), name.clone()));
        }
    }
    Ok(keys)
}

/// GitHub's ids of the repositories that a clone is of: whose copies were left at commits that its reference at `tip` holds.
pub(super) fn ids_of(clone: &Repository, tip: Oid, left: &[Left]) -> Result<BTreeMap<TenantId, u64>, git2::Error> {
    let mut ids = BTreeMap::new();
    for Left { tenant, repository, commit, .. } in left {
        let (Ok(id), Ok(commit)) = (repository.parse(), Oid::from_str(commit)) else { continue };
        let is_here = clone.find_commit(commit).is_ok();
        if is_here && (commit == tip || clone.graph_descendant_of(tip, commit)?) {
            ids.insert(tenant.clone(), id);
        }
    }
    Ok(ids)
}

/// What a clone whose reference stands at `tip` lacks of what the App left there, for people. Whatever the clone has of the
/// App's commits was in this reference once; of what it has not, only what these repositories had is looked for.
pub(super) fn lacking(
    clone: &Repository,
    (reference, tip): (&str, Oid),
    left: &[Left],
    of: &BTreeSet<(TenantId, String)>,
) -> Result<Vec<String>, git2::Error> {
    let mut lacking = Vec::new();
    for Left { tenant, repository, commit, seq } in left {
        let was = format!("the log of {} was left at commit {commit} with what is up to entry {seq}", tenant.as_str());
        let is_here = match Oid::from_str(commit).and_then(|id| clone.find_commit(id)) {
            Ok(found) => Some(found.id()),
            Err(error) if error.code() == ErrorCode::NotFound => None,
            Err(error) => return Err(error),
        };
        match is_here {
            Some(id) if id == tip || clone.graph_descendant_of(tip, id)? => {}
            Some(_) => lacking.push(format!("{was}, which {reference} does not hold any more: it was cut back or moved")),
            None if of.contains(&(tenant.clone(), repository.clone())) => lacking.push(format!(
                "{was}, which this clone does not have: `git fetch origin {reference}:{reference}`; where that brings it not, \
                 {reference} was cut back or moved"
            )),
            None => {}
        }
    }
    Ok(lacking)
}
