//! Definitions of a local repository, whose head moves; and whose a name on GitHub is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use git2::{IndexAddOption, Signature};
use serde_json::json;

use super::*;
use crate::github::client::tests::answering;
use crate::github::client::tests::server::{Reply, Server};
use crate::store::{Installation, SqliteStore};

const CHILD: &str = "name: child\nversion: 1\nsteps:\n  - {id: a, type: set, values: {v: 1}}\n";
const FOLLOWER: &str = "name: follower\nversion: 1\ntriggers: [{process: {name: child, on: completed}}]\n\
                        steps:\n  - {id: a, type: set, values: {v: 1}}\n";

fn commit(repository: &git2::Repository, file: &str, text: &str) {
    commit_below(repository, ".flow/processes", file, text);
}

fn commit_below(repository: &git2::Repository, folder: &str, file: &str, text: &str) {
    let folder = repository.workdir().unwrap().join(folder);
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

const STRICT: &str = "validate: {fail_on_weakening: true, levels: {FLOW040: error}}\n";
const LAX: &str = "validate: {levels: {FLOW040: off}}\n";

/// Servers of one database, which serve one repository.
struct Shop {
    folder: tempfile::TempDir,
    origin: git2::Repository,
    store: Arc<SqliteStore>,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origin = git2::Repository::init(folder.path().join("shop")).unwrap();
        commit(&origin, "child.yaml", CHILD);
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store = Arc::new(SqliteStore::open(&url).await.unwrap());
        Self { folder, origin, store }
    }

    fn server(&self, name: &str) -> Repositories {
        let local = BTreeMap::from([("shop".to_owned(), self.folder.path().join("shop"))]);
        let mirrors = Mirrors::new(&self.folder.path().join(name)).unwrap();
        Repositories::new(mirrors, local, None, Arc::<SqliteStore>::clone(&self.store))
    }

    async fn log(&self) -> Vec<serde_json::Value> {
        let entries = self.store.audit(&TenantId::local(), 0, 100).await.unwrap();
        entries.iter().map(|entry| serde_json::from_str(&entry.line).unwrap()).collect()
    }
}

#[tokio::test]
async fn settings_that_changed_are_told_once_by_all_servers_before_anything_goes_by_them() {
    let shop = Shop::open().await;
    let local = TenantId::local();
    let (one, other) = (shop.server("one"), shop.server("other"));
    commit_below(&shop.origin, ".flow", "flow.yaml", STRICT);
    let first = one.current(&local, "shop").await.unwrap().revision.clone();
    other.current(&local, "shop").await.unwrap();
    commit(&shop.origin, "follower.yaml", FOLLOWER);
    one.current(&local, "shop").await.unwrap();
    assert_eq!(
        shop.log().await,
        [] as [serde_json::Value; 0],
        "nothing is known from before, and processes are no settings"
    );
    commit_below(&shop.origin, ".flow", "flow.yaml", LAX);
    commit_below(&shop.origin, ".flow/policies", "calm.yaml", "name: calm\n");
    for server in [&one, &other, &one, &shop.server("third")] {
        server.current(&local, "shop").await.unwrap();
    }
    let told = shop.log().await;
    let [entry] = told.as_slice() else { panic!("{told:#?}") };
    assert_eq!((&entry["type"], &entry["repository"]), (&"settings.changed".into(), &"shop".into()));
    let data = &entry["data"];
    assert_eq!((&data["commit_before"], &data["committer"]), (&first.into(), &"Octo".into()));
    let digest = |text: &str| serde_json::Value::from(crate::store::digest(text.as_bytes()));
    let path = |index: usize| data["files"][index]["path"].as_str().unwrap();
    assert_eq!((path(0), path(1)), (".flow/flow.yaml", ".flow/policies/calm.yaml"), "{data:#}");
    assert_eq!((&data["files"][0]["before"], &data["files"][0]["after"]), (&digest(STRICT), &digest(LAX)));
    assert_eq!(data["files"][1]["before"], serde_json::Value::Null);
    let weakened: Vec<&str> =
        data["weakened"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(weakened, ["level-lowered", "weakening-allowed"], "{data:#}");
    let missing = crate::audit::discrepancies(&*shop.store, None).await.unwrap();
    assert_eq!(missing, []);
}

#[tokio::test]
async fn settings_that_returned_to_what_a_server_had_seen_before_were_told_by_nobody() {
    let shop = Shop::open().await;
    let local = TenantId::local();
    let (one, other) = (shop.server("one"), shop.server("other"));
    commit_below(&shop.origin, ".flow", "flow.yaml", STRICT);
    one.current(&local, "shop").await.unwrap();
    for (told, (server, settings)) in [(&other, LAX), (&one, STRICT), (&other, LAX)].into_iter().enumerate() {
        commit_below(&shop.origin, ".flow", "flow.yaml", settings);
        server.current(&local, "shop").await.unwrap();
        assert_eq!(shop.log().await.len(), told + 1, "{settings}");
    }
}

/// What somebody pushed to the shop.
fn push(before: Option<&str>, after: &str, by: (&str, u64)) -> Push {
    let by = flowctl_core::approval::Person { login: by.0.to_owned(), id: by.1 };
    Push { repository: "shop".to_owned(), before: before.map(str::to_owned), after: after.to_owned(), by }
}

const MALLORY: (&str, u64) = ("mallory", 7);
const ALICE: (&str, u64) = ("alice", 8);

#[tokio::test]
async fn whoever_pushed_last_was_named_for_settings_that_somebody_else_had_brought() {
    let shop = Shop::open().await;
    let local = TenantId::local();
    let head = || shop.origin.head().unwrap().peel_to_commit().unwrap().id().to_string();
    let server = shop.server("one");
    let mut told = 0;
    for (case, pushes, expected) in [
        ("only who came after is known", &[(1, 2, ALICE)][..], None),
        ("both are known", &[(0, 1, MALLORY), (1, 2, ALICE)], Some("mallory")),
        ("all came in one push", &[(0, 2, ALICE)], Some("alice")),
        ("two are told to have pushed the same", &[(0, 2, ALICE), (0, 2, MALLORY)], None),
        ("who pushed it is told again", &[(0, 2, MALLORY), (0, 2, MALLORY)], Some("mallory")),
        ("only the change itself is known", &[(0, 1, MALLORY)], None),
    ] {
        commit_below(&shop.origin, ".flow", "flow.yaml", STRICT);
        server.current(&local, "shop").await.unwrap();
        let first = head();
        commit_below(&shop.origin, ".flow", "flow.yaml", LAX);
        let second = head();
        commit(&shop.origin, "other.yaml", &format!("# {case}\n"));
        let commits = [first, second, head()];
        for (before, after, by) in pushes {
            server.note_push(&local, push(Some(&commits[*before]), &commits[*after], *by));
        }
        // Another repository of the account may hold the same commits.
        let elsewhere = Push { repository: "fork".to_owned(), ..push(Some(&commits[0]), &commits[2], ("eve", 9)) };
        server.note_push(&local, elsewhere);
        server.current(&local, "shop").await.unwrap();
        let log = shop.log().await;
        // Except for the first, the strict ones are told of, too.
        told += if told == 0 { 1 } else { 2 };
        assert_eq!(log.len(), told, "{case}");
        assert_eq!(log[told - 1]["actor"]["login"].as_str(), expected, "{case}");
    }
}

#[tokio::test]
async fn who_merges_is_named_for_what_the_merge_brought_alone() {
    let shop = Shop::open().await;
    let local = TenantId::local();
    let head = || shop.origin.head().unwrap().peel_to_commit().unwrap().id().to_string();
    let server = shop.server("one");
    commit_below(&shop.origin, ".flow", "flow.yaml", STRICT);
    server.current(&local, "shop").await.unwrap();
    commit_below(&shop.origin, ".flow", "flow.yaml", LAX);
    server.note_push(&local, push(None, &head(), ALICE));
    server.current(&local, "shop").await.unwrap();
    commit_below(&shop.origin, ".flow", "flow.yaml", STRICT);
    commit(&shop.origin, "other.yaml", "# unrelated\n");
    server.note_push(&local, push(None, &head(), ALICE));
    server.current(&local, "shop").await.unwrap();
    let named: Vec<Option<String>> =
        shop.log().await.iter().map(|entry| entry["actor"]["login"].as_str().map(str::to_owned)).collect();
    assert_eq!(named, [Some("alice".to_owned()), None]);
}

#[tokio::test]
async fn a_log_whose_last_entry_about_settings_was_taken_away_could_not_be_told_from_a_whole_one() {
    let shop = Shop::open().await;
    let server = shop.server("one");
    server.current(&TenantId::local(), "shop").await.unwrap();
    commit_below(&shop.origin, ".flow", "flow.yaml", LAX);
    server.current(&TenantId::local(), "shop").await.unwrap();
    let url = format!("sqlite://{}", shop.folder.path().join("flowctl.db").display());
    let database = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("delete from audit").execute(&database).await.unwrap();
    database.close().await;
    let missing = crate::audit::discrepancies(&*shop.store, None).await.unwrap();
    let [missing] = missing.as_slice() else { panic!("{missing:#?}") };
    let told = missing.to_string();
    assert!(told.starts_with("local: `settings.changed` of shop at "), "{told}");
    assert!(told.ends_with(" is known from how the settings stand, and no entry tells of it"), "{told}");
}

#[tokio::test]
async fn servers_with_working_copies_of_their_own_told_each_others_settings_for_ever() {
    let shop = Shop::open().await;
    let folder = tempfile::tempdir().unwrap();
    let copy = git2::Repository::init(folder.path()).unwrap();
    commit_below(&shop.origin, ".flow", "flow.yaml", STRICT);
    commit_below(&copy, ".flow", "flow.yaml", LAX);
    let one = shop.server("one");
    let mirrors = Mirrors::new(&shop.folder.path().join("other")).unwrap();
    let local = BTreeMap::from([("shop".to_owned(), folder.path().to_owned())]);
    let other = Repositories::new(mirrors, local, None, Arc::<SqliteStore>::clone(&shop.store));
    let tenant = TenantId::local();
    for _ in 0..3 {
        for server in [&one, &other] {
            server.current(&tenant, "shop").await.unwrap();
        }
    }
    let told = shop.log().await.len();
    assert!(told <= 2, "each may tell of its own once: {told}");
    // What changes in a copy is told, whatever stands in the other.
    commit_below(&copy, ".flow", "flow.yaml", STRICT);
    commit_below(&copy, ".flow/policies", "calm.yaml", "name: calm\n");
    for server in [&other, &one, &other, &one] {
        server.current(&tenant, "shop").await.unwrap();
    }
    assert_eq!(shop.log().await.len(), told + 1);
}

#[tokio::test]
async fn a_name_that_nobody_told_of_is_asked_of_github_once_and_kept_as_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&url).await.unwrap());
    let octo = TenantId("octo".to_owned());
    let installed = Installation { id: 42, account: octo.clone(), suspended: false, deleted: false };
    store.upsert_installation(installed).await.unwrap();
    let server = Server::start().await;
    let found = |id: u64, name: &str| Reply::json(200, &json!({"id": id, "full_name": name, "default_branch": "main"}));
    server.on("GET /api/v3/repos/octo/shop", found(7, "octo/shop"));
    // It was renamed: GitHub leads from the old name to the new one.
    server.on("GET /api/v3/repos/octo/old", found(8, "octo/new"));
    let mirrors = Mirrors::new(&folder.path().join("data")).unwrap();
    let github = Some((answering(&server), server.url.clone()));
    let repositories = Repositories::new(mirrors, BTreeMap::new(), github, Arc::clone(&store));
    let id = async |tenant: &TenantId, name: &str| repositories.repository_id(tenant, name).await.unwrap();
    for _ in 0..2 {
        assert_eq!(id(&octo, "octo/shop").await, Some(7));
    }
    assert_eq!(server.asked("GET /api/v3/repos/octo/shop").len(), 1, "what was answered is kept");
    assert_eq!(id(&octo, "octo/old").await, None, "nobody has that name now");
    assert_eq!(store.repository_called(&octo, "octo/new").await.unwrap(), Some(8));
    assert_eq!(id(&octo, "octo/gone").await, None, "GitHub knows none");
    assert_eq!(store.repository_called(&octo, "octo/gone").await.unwrap(), None);
    let asked = server.all().len();
    for (tenant, name) in [(TenantId::local(), "shop"), (TenantId("globex".to_owned()), "globex/shop")] {
        assert_eq!(id(&tenant, name).await, None, "{name}");
    }
    assert_eq!(server.all().len(), asked, "there is nobody to ask");
}
