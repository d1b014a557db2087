//! A copy of a log's entries in a git reference: where in a commit they stand, and whether the copy of a clone is what the
//! log holds. Reads a clone and the store; writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use flowctl_core::execution::TenantId;
use git2::{Delta, ObjectType, Oid, Repository, Sort, TreeWalkMode, TreeWalkResult};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::left::{Left, ids_of, keys, lacking, left};
use super::log::each;
use crate::github::namesakes::Names;
use crate::store::{Store, StoreError};

/// A file of entries that is larger is none that was written here.
const LARGEST_FILE: usize = 16 << 20;
/// Faults that are told at most.
const MOST_FAULTS: usize = 100;

/// Where the entries with the numbers from `first` to `last` stand, whose lines these are: a file of its own, which is never
/// changed. Other lines stand elsewhere, also where they begin with the same one.
#[must_use]
pub fn path_of((first, last): (u64, u64), lines: &str) -> String {
    let said: Value = serde_json::from_str(lines.lines().next().unwrap_or_default()).unwrap_or_default();
    let at = said["at"].as_str().unwrap_or_default();
    let day = at.get(..10).unwrap_or("1970-01-01").replace('-', "/");
    let digest = hex::encode(Sha256::digest(lines.as_bytes()));
    format!("{day}/{first:012}-{last:012}-{}.jsonl", &digest[..16])
}

/// Why a clone cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// It is no clone, or damaged.
    #[error("{}: {source}", .path.display())]
    Clone {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        source: git2::Error,
    },
    /// The clone has no such reference.
    #[error(
        "{} has no reference {reference}; `git fetch origin {reference}:{reference}` brings it", .path.display()
    )]
    Missing {
        /// Where.
        path: std::path::PathBuf,
        /// Which.
        reference: String,
    },
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The commit at which the reference stands.
    pub commit: String,
    /// Entries that stand in both.
    pub entries: u64,
    /// The last entry of each log that the copy holds.
    pub last: BTreeMap<String, u64>,
    /// Entries of the log behind the last one, which are not written yet.
    pub pending: u64,
    /// What does not fit; empty where all is well.
    pub faults: Vec<String>,
}

impl Compared {
    fn fault(&mut self, fault: String) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        }
    }
}

/// The entries of a copy: by tenant and number the digest of the line, and what they are about.
#[derive(Debug, Default)]
struct Copy {
    entries: BTreeMap<String, BTreeMap<u64, [u8; 32]>>,
    /// The repositories by tenant.
    repositories: BTreeMap<String, BTreeSet<String>>,
}

/// Holds the reference of a clone against the log.
///
/// # Errors
/// Where the clone or the database cannot be read.
pub async fn compare_reference(store: &dyn Store, clone: &Path, reference: &str) -> Result<Compared, ReferenceError> {
    let (mut compared, mut copy) = read(clone, reference)?;
    if copy.entries.is_empty() {
        compared.fault(format!("{reference} holds no entry"));
    }
    let (left, keys) = (left(store, reference).await?, keys(store, &copy.repositories).await?);
    let (lacking, ids) = held_against(clone, (reference, &compared.commit), &left, &keys)?;
    for fault in lacking {
        compared.fault(fault);
    }
    let none = BTreeSet::new();
    for (tenant, copied) in &mut copy.entries {
        let repositories = copy.repositories.get(tenant).unwrap_or(&none);
        let last = copied.last_key_value().map_or(0, |(seq, _)| *seq);
        compared.last.insert(tenant.clone(), last);
        let tenant_id = TenantId(tenant.clone());
        let mut found = compared.clone();
        let mut lacking = Vec::new();
        each(store, &tenant_id, |entry| {
            let digest: [u8; 32] = Sha256::digest(entry.line.as_bytes()).into();
            match copied.remove(&entry.seq) {
                Some(other) if other == digest => found.entries += 1,
                Some(_) => found.fault(format!("entry {} of {tenant} is another one in the log", entry.seq)),
                None if !is_about(&entry.line, repositories) => {}
                None => lacking.push((entry.seq, entry.line.clone())),
            }
            true
        })
        .await?;
        for seq in of_the_copy(store, &tenant_id, ids.get(&tenant_id).copied(), lacking).await? {
            match seq > last {
                true => found.pending += 1,
                false => found.fault(format!("entry {seq} of {tenant} is not in the repository")),
            }
        }
        for seq in copied.keys() {
            found.fault(format!("entry {seq} of {tenant} stands in the repository, and not in the log"));
        }
        compared = found;
    }
    Ok(compared)
}

fn is_about(line: &str, repositories: &BTreeSet<String>) -> bool {
    let said: Value = serde_json::from_str(line).unwrap_or_default();
    said["repository"].as_str().is_some_and(|repository| repositories.contains(repository))
}

/// The numbers of entries that a copy lacks, out of those under a name of its repository: another one may have the name by now.
async fn of_the_copy(
    store: &dyn Store,
    tenant: &TenantId,
    id: Option<u64>,
    entries: Vec<(u64, String)>,
) -> Result<Vec<u64>, StoreError> {
    let Some(id) = id else { return Ok(entries.into_iter().map(|(seq, _)| seq).collect()) };
    let names = Names::of(store, tenant, id).await?;
    let mut lacking = Vec::new();
    for (seq, line) in entries {
        if names.are_of(store, &line).await? {
            lacking.push(seq);
        }
    }
    Ok(lacking)
}

/// What a clone lacks, and GitHub's id of the repository that it is of for each tenant, as far as either is known.
fn held_against(
    clone: &Path,
    (reference, tip): (&str, &str),
    left: &[Left],
    keys: &BTreeSet<(TenantId, String)>,
) -> Result<(Vec<String>, BTreeMap<TenantId, u64>), ReferenceError> {
    let broken = |source| ReferenceError::Clone { path: clone.to_owned(), source };
    let repository = Repository::open(clone).map_err(broken)?;
    let tip = Oid::from_str(tip).map_err(broken)?;
    let lacking = lacking(&repository, (reference, tip), left, keys).map_err(broken)?;
    Ok((lacking, ids_of(&repository, tip, left).map_err(broken)?))
}

fn read(clone: &Path, reference: &str) -> Result<(Compared, Copy), ReferenceError> {
    let broken = |source| ReferenceError::Clone { path: clone.to_owned(), source };
    let repository = Repository::open(clone).map_err(broken)?;
    let tip = match repository.find_reference(reference).and_then(|found| found.peel_to_commit()) {
        Ok(tip) => tip,
        Err(error) if error.code() == git2::ErrorCode::NotFound => {
            return Err(ReferenceError::Missing { path: clone.to_owned(), reference: reference.to_owned() });
        }
        Err(error) => return Err(broken(error)),
    };
    let mut compared = Compared { commit: tip.id().to_string(), ..Compared::default() };
    only_added(&repository, tip.id(), &mut compared).map_err(broken)?;
    let mut copy = Copy::default();
    let mut files = Vec::new();
    let tree = tip.tree().map_err(broken)?;
    tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        if entry.kind() != Some(ObjectType::Tree) {
            files.push((format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes())), entry.id(), entry.kind()));
        }
        TreeWalkResult::Ok
    })
    .map_err(broken)?;
    for (path, id, kind) in files {
        let blob = match kind {
            Some(ObjectType::Blob) => repository.find_blob(id).map_err(broken)?,
            _ => {
                compared.fault(format!("{path} is no file"));
                continue;
            }
        };
        take(&path, blob.content(), &mut copy, &mut compared);
    }
    Ok((compared, copy))
}

/// Every commit may add files and nothing else.
fn only_added(repository: &Repository, tip: Oid, compared: &mut Compared) -> Result<(), git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    walk.push(tip)?;
    for id in walk {
        let commit = repository.find_commit(id?)?;
        let short = commit.id().to_string();
        if commit.parent_count() > 1 {
            compared.fault(format!("commit {short} has several parents"));
        }
        let before = match commit.parent_count() {
            0 => None,
            _ => Some(commit.parent(0)?.tree()?),
        };
        let difference = repository.diff_tree_to_tree(before.as_ref(), Some(&commit.tree()?), None)?;
        for delta in difference.deltas().filter(|delta| delta.status() != Delta::Added) {
            let path = delta.old_file().path().map(|path| path.display().to_string()).unwrap_or_default();
            compared.fault(format!("commit {short} changes or takes away {path}, and files may only be added"));
        }
    }
    Ok(())
}

fn take(path: &str, content: &[u8], copy: &mut Copy, compared: &mut Compared) {
    if content.len() > LARGEST_FILE {
        return compared.fault(format!("{path} is larger than any file that flowctl writes"));
    }
    for (index, line) in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let said: Option<Value> = serde_json::from_slice(line).ok();
        let said = said.as_ref().and_then(|said| Some((said["tenant"].as_str()?, said["seq"].as_u64()?, said)));
        let Some((tenant, seq, said)) = said else {
            compared.fault(format!("{path}:{}: this is no entry", index + 1));
            continue;
        };
        if let Some(repository) = said["repository"].as_str() {
            copy.repositories.entry(tenant.to_owned()).or_default().insert(repository.to_owned());
        }
        let digest: [u8; 32] = Sha256::digest(line).into();
        let known = copy.entries.entry(tenant.to_owned()).or_default().insert(seq, digest);
        if known.is_some_and(|known| known != digest) {
            compared.fault(format!("{path}:{}: entry {seq} of {tenant} stands there twice, in two forms", index + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use git2::build::TreeUpdateBuilder;
    use git2::{FileMode, Signature};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::audit::{NewEntry, copy_of};
    use crate::store::{HeardStore as _, RepositoryCalled, SqliteStore, StandingStore as _};

    const REFERENCE: &str = "refs/flowctl/audit";

    struct Room {
        folder: tempfile::TempDir,
        clone: Repository,
        store: SqliteStore,
    }

    impl Room {
        async fn open() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let clone = Repository::init(folder.path().join("shop")).unwrap();
            let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
            let store = SqliteStore::open(&url).await.unwrap();
            Self { folder, clone, store }
        }

        async fn record(&self, repository: &str, note: &str) {
            let entry = NewEntry {
                at: Timestamp::UNIX_EPOCH,
                kind: "approval.decided".to_owned(),
                actor: None,
                repository: Some(repository.to_owned()),
                process: None,
                execution: None,
                step: None,
                data: json!({"note": note}),
                once: None,
            };
            self.store.record(&TenantId("octo-org".to_owned()), entry).await.unwrap();
        }

        async fn lines(&self) -> Vec<(u64, String)> {
            let entries = self.store.audit(&TenantId("octo-org".to_owned()), 0, 100).await.unwrap();
            entries.into_iter().map(|entry| (entry.seq, entry.line)).collect()
        }

        /// Commits these lines, as the App does; `None` takes the file away.
        fn commit(&self, path: &str, content: Option<&str>) {
            let parent = self.clone.find_reference(REFERENCE).ok().map(|found| found.peel_to_commit().unwrap());
            let empty = self.clone.find_tree(self.clone.treebuilder(None).unwrap().write().unwrap()).unwrap();
            let base = parent.as_ref().map_or(empty, |parent| parent.tree().unwrap());
            let mut update = TreeUpdateBuilder::new();
            match content {
                Some(text) => update.upsert(path, self.clone.blob(text.as_bytes()).unwrap(), FileMode::Blob),
                None => update.remove(path),
            };
            let tree = self.clone.find_tree(update.create_updated(&self.clone, &base).unwrap()).unwrap();
            let signature = Signature::now("flowctl", "flowctl@example.com").unwrap();
            let parents: Vec<_> = parent.iter().collect();
            self.clone.commit(Some(REFERENCE), &signature, &signature, "entries", &tree, &parents).unwrap();
        }

        fn tip(&self) -> Oid {
            self.clone.find_reference(REFERENCE).unwrap().target().unwrap()
        }

        fn move_to(&self, commit: Oid) {
            self.clone.reference(REFERENCE, commit, true, "moved").unwrap();
        }

        /// The App knows that it moved the reference of a repository there.
        async fn leave(&self, repository: &str, commit: Oid, seq: u64) {
            let (tenant, name) = (TenantId("octo-org".to_owned()), copy_of(REFERENCE, repository));
            let state = json!({"seq": seq, "at": {"commit": commit.to_string(), "tree": ""}});
            let stood = self.store.standing(&tenant, &name).await.unwrap();
            assert!(self.store.note_standing(&tenant, &name, stood.as_ref(), state, None).await.unwrap());
        }

        async fn compared(&self) -> Compared {
            compare_reference(&self.store, &self.folder.path().join("shop"), REFERENCE).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_copy_that_nobody_touched_is_what_the_log_holds() {
        let room = Room::open().await;
        for (repository, note) in [("octo-org/shop", "a"), ("octo-org/other", "b"), ("octo-org/shop", "c")] {
            room.record(repository, note).await;
        }
        let shop = room.folder.path().join("shop");
        let missing = compare_reference(&room.store, &shop, REFERENCE).await.unwrap_err().to_string();
        assert!(missing.contains("git fetch origin refs/flowctl/audit:refs/flowctl/audit"), "{missing}");
        let lines = room.lines().await;
        let (one, third) = (format!("{}\n", lines[0].1), format!("{}\n", lines[2].1));
        let path = path_of((1, 1), &one);
        assert!(path.starts_with("1970/01/01/000000000001-000000000001-") && path.ends_with(".jsonl"), "{path}");
        room.commit(&path, Some(&one));
        room.commit(&path_of((3, 3), &third), Some(&third));
        room.record("octo-org/shop", "d").await;
        let compared = room.compared().await;
        assert_eq!((compared.entries, compared.pending, compared.faults.as_slice()), (2, 1, [].as_slice()));
        assert_eq!(compared.last, BTreeMap::from([("octo-org".to_owned(), 3)]));
    }

    #[test]
    fn entries_that_begin_with_the_same_one_were_written_over_those_that_stood_there() {
        let day = r#"{"at":"2026-03-01T09:00:00Z"}"#;
        let (few, more) = (format!("{day}\n"), format!("{day}\n{day}\n"));
        let paths = [path_of((1, 1), &few), path_of((1, 2), &more), path_of((1, 1), &more)];
        assert!(paths.iter().all(|path| path.starts_with("2026/03/01/000000000001-")), "{paths:?}");
        assert_eq!(BTreeSet::from(paths).len(), 3);
    }

    #[tokio::test]
    async fn what_was_changed_on_either_side_is_named() {
        let room = Room::open().await;
        for note in ["a", "b", "c"] {
            room.record("octo-org/shop", note).await;
        }
        let lines = room.lines().await;
        let changed = lines[0].1.replace("\"a\"", "\"A\"");
        let forged = lines[2].1.replace("\"seq\":3", "\"seq\":9");
        room.commit("one.jsonl", Some(&format!("{changed}\n{}\n{forged}\n", lines[2].1)));
        room.commit("junk.txt", Some("hello\n"));
        room.commit("junk.txt", None);
        let compared = room.compared().await;
        let told: Vec<String> = compared.faults.iter().map(|fault| hidden(fault)).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        commit … changes or takes away junk.txt, and files may only be added
        entry 1 of octo-org is another one in the log
        entry 2 of octo-org is not in the repository
        entry 9 of octo-org stands in the repository, and not in the log
        ");
    }

    #[tokio::test]
    async fn a_reference_that_was_emptied_is_no_copy_of_anything() {
        let room = Room::open().await;
        room.record("octo-org/shop", "a").await;
        room.commit("readme.txt", Some(""));
        assert_eq!(room.compared().await.faults, ["refs/flowctl/audit holds no entry"]);
    }

    #[tokio::test]
    async fn a_reference_that_was_cut_back_or_emptied_looked_like_one_that_was_not_fetched_lately() {
        let room = Room::open().await;
        for note in ["a", "b"] {
            room.record("octo-org/shop", note).await;
        }
        let lines = room.lines().await;
        room.commit("one.jsonl", Some(&format!("{}\n", lines[0].1)));
        let first = room.tip();
        room.commit("two.jsonl", Some(&format!("{}\n", lines[1].1)));
        let second = room.tip();
        let told = async || room.compared().await.faults.iter().map(|it| hidden(it)).collect::<Vec<_>>().join("\n");
        room.leave("7", first, 1).await;
        assert_eq!(told().await, "", "somebody has gone on from there");
        room.leave("7", second, 2).await;
        assert_eq!(told().await, "");
        room.move_to(first);
        let cut = "the log of octo-org was left at commit … with what is up to entry 2, which refs/flowctl/audit does not hold \
                   any more: it was cut back or moved";
        assert_eq!(told().await, cut);
        // Nothing says whose an empty one is, but that it was there once.
        room.clone.find_reference(REFERENCE).unwrap().delete().unwrap();
        room.commit("junk.txt", Some(""));
        assert_eq!(told().await, format!("refs/flowctl/audit holds no entry\n{cut}"));
    }

    #[tokio::test]
    async fn a_clone_that_lacks_the_last_commit_is_to_be_fetched_again() {
        let room = Room::open().await;
        room.record("octo-org/shop", "a").await;
        room.commit("one.jsonl", Some(&format!("{}\n", room.lines().await[0].1)));
        let elsewhere = Oid::from_str(&"1".repeat(40)).unwrap();
        room.leave("octo-org/other", elsewhere, 1).await;
        room.leave("8", elsewhere, 1).await;
        assert_eq!(room.compared().await.faults, [] as [String; 0], "those are other repositories");
        let called = RepositoryCalled {
            id: 8,
            tenant: TenantId("octo-org".to_owned()),
            name: "octo-org/shop".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        };
        room.store.call_repository(called).await.unwrap();
        let faults = room.compared().await.faults;
        let [fault] = faults.as_slice() else { panic!("{faults:#?}") };
        assert!(fault.contains("`git fetch origin refs/flowctl/audit:refs/flowctl/audit`"), "{fault}");
    }

    #[tokio::test]
    async fn entries_of_another_repository_that_has_the_name_by_now_were_missing_from_the_copy() {
        let room = Room::open().await;
        let called = async |id, name: &str, second| {
            let (tenant, name) = (TenantId("octo-org".to_owned()), name.to_owned());
            let at = Timestamp::from_second(second).unwrap();
            room.store.call_repository(RepositoryCalled { id, tenant, name, at }).await.unwrap();
        };
        called(8, "octo-org/shop", 0).await;
        for (repository, note) in [("octo-org/shop", "ours"), ("octo-org/shop", "theirs"), ("octo-org/store", "ours")] {
            room.record(repository, note).await;
        }
        for (seq, line) in room.lines().await.into_iter().filter(|(seq, _)| *seq != 2) {
            room.commit(&path_of((seq, seq), &line), Some(&format!("{line}\n")));
        }
        assert_eq!(room.compared().await.faults, ["entry 2 of octo-org is not in the repository"]);
        called(8, "octo-org/store", 1).await;
        called(9, "octo-org/shop", 2).await;
        room.leave("8", room.tip(), 3).await;
        assert_eq!(room.compared().await.faults, [] as [String; 0]);
    }

    /// Without the ids of commits, which depend on the time.
    fn hidden(text: &str) -> String {
        let words = text.split(' ').map(|word| if word.len() == 40 { "…" } else { word });
        words.collect::<Vec<_>>().join(" ")
    }
}
