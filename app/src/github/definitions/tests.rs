//! Definitions of a local repository, whose head moves.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use git2::{IndexAddOption, Signature};

use super::*;
use crate::store::SqliteStore;

const CHILD: &str = "name: child\nversion: 1\nsteps:\n  - {id: a, type: set, values: {v: 1}}\n";
const FOLLOWER: &str = "name: follower\nversion: 1\ntriggers: [{process: {name: child, on: completed}}]\n\
                        steps:\n  - {id: a, type: set, values: {v: 1}}\n";

fn commit(repository: &git2::Repository, file: &str, text: &str) {
    let folder = repository.workdir().unwrap().join(".flow/processes");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(file), text).unwrap();
    let mut index = repository.index().unwrap();
    index.add_all(["*"], IndexAddOption::DEFAULT, None).unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let signature = Signature::now("Octo", "octo@example.com").unwrap();
    let parent = repository.head().ok().map(|head| head.peel_to_commit().unwrap());
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(Some("HEAD"), &signature, &signature, file, &tree, &parents).unwrap();
}

#[tokio::test]
async fn a_process_that_follows_another_is_not_ruled_out_by_an_older_commit() {
    let folder = tempfile::tempdir().unwrap();
    let origin = git2::Repository::init(folder.path().join("shop")).unwrap();
    commit(&origin, "child.yaml", CHILD);
    let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
    let store = Arc::new(SqliteStore::open(&url).await.unwrap());
    let local = BTreeMap::from([("shop".to_owned(), folder.path().join("shop"))]);
    let mirrors = Mirrors::new(&folder.path().join("data")).unwrap();
    let repositories = Repositories::new(mirrors, local, None, store);
    let tenant = TenantId::local();
    let may_follow = || repositories.may_follow(&tenant, "shop", "child");

    assert!(may_follow(), "nothing was read yet");
    repositories.current(&tenant, "shop").await.unwrap();
    assert!(!may_follow(), "the head is known");
    commit(&origin, "follower.yaml", FOLLOWER);
    for head in repositories.heads.lock().unwrap().values_mut() {
        head.asked -= HEAD_KNOWN;
    }
    assert!(may_follow(), "the head was not read lately");
    repositories.current(&tenant, "shop").await.unwrap();
    assert!(may_follow(), "the head says so");
}
