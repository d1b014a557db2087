//! How the settings of repositories stand, as the store keeps it: under GitHub's id of a repository where that is known, since
//! names change hands, else under its name. What is new in them is told by whoever notes it; nothing is noted here.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::namesakes::is_of;
use crate::audit::{SETTINGS, settings_of, settings_of_id};
use crate::store::{NamedStanding, Standing, Store, StoreError};

/// What is kept of a repository's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The commit at which they were first seen to stand so.
    pub(super) commit: String,
    /// When that was.
    pub(super) at: Timestamp,
    /// The SHA-256 of each file's text, by path.
    pub(super) files: BTreeMap<String, String>,
    /// Whose settings they are, by GitHub's id, where it is known: another repository may get the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) repository_id: Option<u64>,
    /// What the repository was called, the last name at the end; only where it is kept under its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) names: Vec<String>,
    /// Under which name the audit log tells of them, where it does; what is kept under a name is told under that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told_as: Option<String>,
    /// The reference to which the audit log goes besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) audit_ref: Option<String>,
}

impl State {
    fn of(standing: &Standing) -> Option<Self> {
        serde_json::from_value(standing.state.clone()).ok()
    }
}

/// How the settings of one repository are kept.
#[derive(Debug)]
pub(super) struct KnownSettings {
    /// Under which name.
    pub(super) name: String,
    /// GitHub's id of the repository, where it is known.
    pub(super) id: Option<u64>,
    /// What the repository was called, the last name at the end.
    pub(super) names: Vec<String>,
    /// How they stand under that name.
    pub(super) stood: Option<Standing>,
    /// The same as it can be read; what stood under another name, where nothing does under this. Nothing where they were
    /// never looked at.
    pub(super) state: Option<State>,
    /// Whether others are told of: not those of a repository that nobody looked at, unless its name was another one's.
    pub(super) tells: bool,
}

impl KnownSettings {
    /// How the settings of a repository are kept. What was noted under any name that it has or had goes on under its id.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub(super) async fn of(store: &dyn Store, tenant: &TenantId, repository: &str) -> Result<Self, StoreError> {
        let by_name = settings_of(repository);
        let Some(id) = store.repository_called(tenant, repository).await? else {
            let stood = store.standing(tenant, &by_name).await?;
            let (state, tells) = (stood.as_ref().and_then(State::of), stood.is_some());
            return Ok(Self { name: by_name, id: None, names: Vec::new(), stood, state, tells });
        };
        let called = store.names_of_repository(id).await?.into_iter().filter(|called| called.tenant == *tenant);
        let mut names: Vec<String> = called.map(|called| called.name).collect();
        names.reverse();
        let name = settings_of_id(id);
        let stood = store.standing(tenant, &name).await?;
        if stood.is_some() {
            let state = stood.as_ref().and_then(State::of);
            return Ok(Self { name, id: Some(id), names, stood, state, tells: true });
        }
        let (newest, was_anothers) = earlier(store, (tenant, repository), id, &names).await?;
        let tells = newest.is_some() || was_anothers;
        Ok(Self { name, id: Some(id), names, stood: None, state: newest, tells })
    }

    /// Whether what is known is kept as it is to be, under each name by which the repository may be asked for.
    pub(super) fn is_kept(&self, repository: &str) -> bool {
        let knows = |state: &State| self.id.is_none() || state.names.iter().any(|name| name == repository);
        self.stood.is_some() && self.state.as_ref().is_some_and(knows)
    }
}

/// What was noted last under a name of a repository, and whether what stands under the one that it has is of another one.
async fn earlier(
    store: &dyn Store,
    (tenant, repository): (&TenantId, &str),
    id: u64,
    names: &[String],
) -> Result<(Option<State>, bool), StoreError> {
    let (mut newest, mut was_anothers): (Option<State>, bool) = (None, false);
    for called in names {
        let Some(stood) = store.standing(tenant, &settings_of(called)).await? else { continue };
        let Some(state) = State::of(&stood) else { continue };
        if !is_of(store, (tenant, called), state.repository_id, id).await? {
            was_anothers |= called == repository;
        } else if newest.as_ref().is_none_or(|newest| newest.at <= state.at) {
            let told_as = state.told_as.clone().or_else(|| (stood.changes > 0).then(|| called.clone()));
            newest = Some(State { told_as, repository_id: Some(id), ..state });
        }
    }
    Ok((newest, was_anothers))
}

/// A repository whose log goes to a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WithReference {
    pub(super) tenant: TenantId,
    /// GitHub's id of it, where its settings are kept under that.
    pub(super) id: Option<u64>,
    /// The id that was noted with them, in either case.
    pub(super) noted_of: Option<u64>,
    /// What it was called, the last name at the end; at least one.
    pub(super) names: Vec<String>,
    pub(super) reference: String,
}

/// The repositories whose log goes to a reference, out of what the store has noted. What was kept under a name counts no
/// more where it goes on under an id.
pub(super) fn with_reference(noted: &[NamedStanding]) -> Vec<WithReference> {
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    let mut found = Vec::new();
    let kept =
        |named: &NamedStanding| Some((named.name.strip_prefix(SETTINGS)?.to_owned(), State::of(&named.standing)?));
    for (named, (key, state)) in noted.iter().filter_map(|named| Some((named, kept(named)?))) {
        let is_by_id = state.repository_id.is_some_and(|id| settings_of_id(id) == named.name);
        if is_by_id {
            ids.extend(state.repository_id.map(|id| (&named.tenant, id)));
            names.extend(state.names.iter().map(|name| (&named.tenant, name.clone())));
        }
        found.push((named, key, is_by_id, state));
    }
    let goes_on = |tenant: &TenantId, key: &str, state: &State| {
        state.repository_id.is_some_and(|id| ids.contains(&(tenant, id))) || names.contains(&(tenant, key.to_owned()))
    };
    let kept = found.iter().filter(|(named, key, is_by_id, state)| *is_by_id || !goes_on(&named.tenant, key, state));
    let with_one = kept.filter_map(|(named, key, is_by_id, state)| {
        Some(WithReference {
            tenant: named.tenant.clone(),
            id: state.repository_id.filter(|_| *is_by_id),
            noted_of: state.repository_id,
            names: if *is_by_id { state.names.clone() } else { vec![key.clone()] },
            reference: state.audit_ref.clone()?,
        })
    });
    with_one.filter(|it| !it.names.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use serde_json::{Value, json};

    use super::*;
    use crate::store::{HeardStore as _, RepositoryCalled, SqliteStore, StandingStore as _};

    struct Room {
        _folder: tempfile::TempDir,
        store: SqliteStore,
        tenant: TenantId,
    }

    impl Room {
        async fn open() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
            let store = SqliteStore::open(&url).await.unwrap();
            Self { _folder: folder, store, tenant: TenantId("o".to_owned()) }
        }

        async fn call(&self, id: u64, name: &str, second: i64) {
            let at = Timestamp::from_second(second).unwrap();
            let called = RepositoryCalled { id, tenant: self.tenant.clone(), name: name.to_owned(), at };
            self.store.call_repository(called).await.unwrap();
        }

        async fn note(&self, name: &str, second: i64, more: Value) {
            let at = Timestamp::from_second(second).unwrap();
            let mut state = json!({"commit": name, "at": at, "files": {}});
            state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let stood = self.store.standing(&self.tenant, name).await.unwrap();
            assert!(self.store.note_standing(&self.tenant, name, stood.as_ref(), state, None).await.unwrap());
        }

        async fn known(&self, name: &str) -> KnownSettings {
            KnownSettings::of(&self.store, &self.tenant, name).await.unwrap()
        }
    }

    #[tokio::test]
    async fn what_is_known_of_settings_began_anew_under_another_name() {
        let room = Room::open().await;
        room.note("settings:o/shop", 5, json!({})).await;
        room.note("settings:o/shop", 10, json!({"repository_id": 1})).await;
        assert_eq!(room.known("o/shop").await.name, "settings:o/shop", "nobody knows its id");
        room.call(1, "o/shop", 10).await;
        room.call(1, "o/store", 20).await;
        let known = room.known("o/store").await;
        assert_eq!((known.name.as_str(), known.id, &known.stood, known.tells), ("settings:id:1", Some(1), &None, true));
        let state = known.state.clone().unwrap();
        assert_eq!((state.commit.as_str(), state.told_as.as_deref()), ("settings:o/shop", Some("o/shop")));
        assert_eq!(known.names, ["o/shop", "o/store"]);
        assert!(!known.is_kept("o/store"));
        // Under the new name it was looked at as well, by a version that kept it there.
        room.note("settings:o/store", 30, json!({"repository_id": 1})).await;
        let state = room.known("o/store").await.state.unwrap();
        assert_eq!((state.commit.as_str(), state.told_as), ("settings:o/store", None));
        room.note("settings:id:1", 40, json!({"repository_id": 1, "names": ["o/shop", "o/store"]})).await;
        let known = room.known("o/shop").await;
        assert_eq!(known.state.as_ref().unwrap().commit, "settings:id:1");
        assert!(known.is_kept("o/shop") && known.is_kept("o/store") && !known.is_kept("o/third"));
    }

    #[tokio::test]
    async fn settings_of_a_repository_that_had_the_name_before_are_not_taken_for_its_own() {
        let room = Room::open().await;
        room.note("settings:o/shop", 10, json!({"repository_id": 1})).await;
        room.call(1, "o/shop", 10).await;
        room.call(1, "o/store", 20).await;
        room.call(2, "o/shop", 30).await;
        let known = room.known("o/shop").await;
        assert_eq!((known.name.as_str(), &known.state, known.tells), ("settings:id:2", &None, true));
        assert_eq!(room.known("o/store").await.state.unwrap().repository_id, Some(1));
        room.call(3, "o/new", 40).await;
        assert!(!room.known("o/new").await.tells, "there is nothing to compare with");
    }

    #[test]
    fn what_goes_on_under_an_id_counts_no_more_under_a_name() {
        let named = |name: &str, more: Value| {
            let mut state =
                json!({"commit": "c", "at": Timestamp::UNIX_EPOCH, "files": {}, "audit_ref": "refs/flowctl/a"});
            state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let standing = Standing { state, changes: 0 };
            NamedStanding { tenant: TenantId("o".to_owned()), name: name.to_owned(), standing }
        };
        let found = |noted: &[NamedStanding]| {
            let found = with_reference(noted).into_iter();
            found.map(|it| format!("{:?} {}", it.id, it.names.join(" "))).collect::<Vec<String>>()
        };
        let by_name = named("settings:o/shop", json!({"repository_id": 1}));
        let earlier = named("settings:o/store", json!({}));
        let by_id = named("settings:id:1", json!({"repository_id": 1, "names": ["o/shop", "o/store"]}));
        let without =
            named("settings:id:1", json!({"repository_id": 1, "names": ["o/shop", "o/store"], "audit_ref": null}));
        let other = named("settings:o/other", json!({}));
        assert_eq!(found(&[by_name.clone(), earlier.clone()]), ["None o/shop", "None o/store"]);
        assert_eq!(
            found(&[by_id, other.clone(), by_name.clone(), earlier.clone()]),
            ["Some(1) o/shop o/store", "None o/other"]
        );
        assert_eq!(found(&[without, other, by_name, earlier]), ["None o/other"]);
    }
}
