//! Mirrors against the real git: `git upload-pack` behind a small server, repositories made with git2.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should panic")]

mod server;

use std::path::PathBuf;

use async_trait::async_trait;
use futures_util::future::join_all;
use git2::{Oid, Signature, Time};
use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::github::client::GitHubError;
use server::GitServer;

const TOKEN: &str = "ghs_a.token.of.some.length";

/// A repository that people push to, the server in front of it, and our mirror of it.
struct World {
    folder: tempfile::TempDir,
    origin: Repository,
    server: GitServer,
    mirrors: Mirrors,
}

/// A token, and one to use when that is refused.
struct Tokens(&'static str, &'static str);

#[async_trait]
impl Credentials for Tokens {
    async fn token(&self) -> Result<SecretString, GitHubError> {
        Ok(SecretString::from(self.0))
    }

    async fn token_instead_of(&self, refused: &SecretString) -> Result<SecretString, GitHubError> {
        assert_eq!(refused.expose_secret(), self.0);
        Ok(SecretString::from(self.1))
    }
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("served");
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).mkpath(true).initial_head("main").external_template(false);
        let origin = Repository::init_opts(root.join("octo/hello"), &options).unwrap();
        let server = GitServer::start(&root, TOKEN).await;
        let mirrors = Mirrors::new(&folder.path().join("data")).unwrap();
        Self { folder, origin, server, mirrors }
    }

    fn mirror(&self) -> Mirror {
        self.mirror_with(Tokens(TOKEN, "never asked for"))
    }

    fn mirror_with(&self, tokens: Tokens) -> Mirror {
        let url = self.server.url.join("octo/hello").unwrap();
        self.mirrors.remote("octo", &"octo/hello".parse().unwrap(), &url, Arc::new(tokens)).unwrap()
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("data/mirrors/octo/octo/hello.git")
    }

    /// Commits files (path and text) onto a reference, keeping what is there.
    fn commit(&self, reference: &str, files: &[(&str, &str)]) -> String {
        let parent = self.origin.find_reference(reference).ok().map(|found| found.peel_to_commit().unwrap());
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_bytes(), 0o100_644)).collect();
        commit(&self.origin, reference, parent.as_ref(), &files)
    }
}

/// Writes a commit with these files on top of those of its parent, and points the reference at it.
fn commit(
    repository: &Repository,
    reference: &str,
    parent: Option<&git2::Commit<'_>>,
    files: &[(&str, &[u8], u32)],
) -> String {
    let mut index = git2::Index::new().unwrap();
    if let Some(parent) = parent {
        index.read_tree(&parent.tree().unwrap()).unwrap();
    }
    for (path, content, mode) in files {
        let id = match mode {
            0o160_000 => Oid::from_str(std::str::from_utf8(content).unwrap()).unwrap(),
            _ => repository.blob(content).unwrap(),
        };
        let zero = git2::IndexTime::new(0, 0);
        let entry = git2::IndexEntry {
            ctime: zero,
            mtime: zero,
            dev: 0,
            ino: 0,
            mode: *mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        index.add(&entry).unwrap();
    }
    let tree = repository.find_tree(index.write_tree_to(repository).unwrap()).unwrap();
    let seconds = parent.map_or(1_700_000_000, |parent| parent.time().seconds() + 60);
    let signature = Signature::new("Octo", "octo@example.com", &Time::new(seconds, 0)).unwrap();
    let parents: Vec<_> = parent.into_iter().collect();
    let id = repository.commit(None, &signature, &signature, "a change", &tree, &parents).unwrap();
    repository.reference(reference, id, true, "test").unwrap();
    id.to_string()
}

fn branch(name: &str) -> Reference {
    Reference::Branch(name.to_owned())
}

fn text(path: &str, text: &str) -> FileAt {
    FileAt { path: path.to_owned(), content: Content::Text(text.to_owned()) }
}

#[tokio::test]
async fn a_first_fetch_brings_the_default_branch_and_its_files() {
    let world = World::new().await;
    let commit = world.commit("refs/heads/main", &[(".flow/processes/b.yaml", "b"), (".flow/a.yaml", "a"), ("x", "x")]);
    let mirror = world.mirror();
    assert_eq!(mirror.default_branch().await.unwrap(), None);
    let fetched = mirror.fetch(&[Reference::DefaultBranch]).await.unwrap();
    assert_eq!(fetched.commit(&Reference::DefaultBranch), Some(commit.as_str()));
    let expected = Some(DefaultBranch { name: "main".to_owned(), commit: commit.clone() });
    assert_eq!(fetched.default_branch, expected);
    assert_eq!(mirror.default_branch().await.unwrap(), expected);
    let files = mirror.read_tree(&commit, ".flow").await.unwrap();
    assert_eq!(files, [text(".flow/a.yaml", "a"), text(".flow/processes/b.yaml", "b")]);
    assert_eq!(mirror.read_file(&commit, "x").await.unwrap(), Some(text("x", "x")));
    assert_eq!(mirror.read_file(&commit, ".flow").await.unwrap(), None);
    assert_eq!(mirror.read_tree(&commit, "nowhere").await.unwrap(), []);
}

#[tokio::test]
async fn a_second_fetch_brings_only_what_is_new() {
    let world = World::new().await;
    // Text that does not shrink: the digits of a generator's states (xorshift64).
    let states = std::iter::successors(Some(88_172_645_463_325_252_u64), |state| {
        let state = state ^ (state << 13);
        let state = state ^ (state >> 7);
        Some(state ^ (state << 17))
    });
    let noise: String = states.take(5_000).map(|state| format!("{state:x}")).collect();
    world.commit("refs/heads/main", &[("large", &noise)]);
    let mirror = world.mirror();
    mirror.fetch(&[Reference::DefaultBranch]).await.unwrap();
    let second = world.commit("refs/heads/main", &[("small", "s"), ("large", &format!("{noise}!"))]);
    let fetched = mirror.fetch(&[Reference::DefaultBranch]).await.unwrap();
    assert_eq!(fetched.commit(&Reference::DefaultBranch), Some(second.as_str()));
    let packs = world.server.packs();
    assert!(packs.len() == 2 && packs[1] * 10 < packs[0], "{packs:?}");
    assert_eq!(mirror.read_file(&second, "small").await.unwrap(), Some(text("small", "s")));
    mirror.fetch(&[Reference::DefaultBranch]).await.unwrap();
    assert_eq!(world.server.packs().len(), 2, "nothing new, nothing packed");
}

#[tokio::test]
async fn a_pull_request_a_branch_and_a_commit_are_fetched_by_name() {
    let world = World::new().await;
    let base = world.commit("refs/heads/main", &[("x", "1"), ("same", "s")]);
    world.origin.reference("refs/pull/7/head", Oid::from_str(&base).unwrap(), true, "").unwrap();
    let head = world.commit("refs/pull/7/head", &[("x", "2"), ("y", "y")]);
    let main = world.commit("refs/heads/main", &[("z", "z")]);
    world.commit("refs/heads/main2", &[("a longer name", "z")]);
    let mirror = world.mirror();
    let wishes =
        [Reference::PullRequest(7), branch("main"), Reference::PullRequest(8), Reference::Commit(base.clone())];
    let fetched = mirror.fetch(&wishes).await.unwrap();
    let commits: Vec<_> = wishes.iter().map(|wish| fetched.commit(wish)).collect();
    assert_eq!(commits, [Some(head.as_str()), Some(&main), None, Some(&base)]);
    assert_eq!(mirror.merge_base(&head, &main).await.unwrap(), Some(base.clone()));
    let changed = mirror.changed_paths(&base, &head).await.unwrap();
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), ["x", "y"]);
    assert_ne!(mirror.tree_id(&head).await.unwrap(), mirror.tree_id(&base).await.unwrap());
}

#[tokio::test]
async fn force_pushes_and_deleted_branches_are_followed() {
    let world = World::new().await;
    world.commit("refs/heads/main", &[("x", "1")]);
    let old = world.commit("refs/heads/topic", &[("y", "1")]);
    let mirror = world.mirror();
    mirror.fetch(&[branch("main"), branch("topic")]).await.unwrap();
    let forced = commit(&world.origin, "refs/heads/topic", None, &[("y", b"2", 0o100_644)]);
    let fetched = mirror.fetch(&[branch("topic")]).await.unwrap();
    assert_eq!(fetched.commit(&branch("topic")), Some(forced.as_str()));
    assert!(mirror.contains(&old).await.unwrap(), "what an execution is pinned to stays readable");
    assert_eq!(mirror.merge_base(&old, &forced).await.unwrap(), None);
    world.origin.find_reference("refs/heads/topic").unwrap().delete().unwrap();
    assert_eq!(mirror.fetch(&[branch("topic")]).await.unwrap().commit(&branch("topic")), None);
    let below = world.commit("refs/heads/topic/part", &[("y", "3")]);
    let fetched = mirror.fetch(&[branch("topic/part")]).await.unwrap();
    assert_eq!(fetched.commit(&branch("topic/part")), Some(below.as_str()));
    world.origin.find_reference("refs/heads/topic/part").unwrap().delete().unwrap();
    let above = world.commit("refs/heads/topic", &[("y", "4")]);
    let fetched = mirror.fetch(&[branch("topic")]).await.unwrap();
    assert_eq!(fetched.commit(&branch("topic")), Some(above.as_str()), "topic/part had not been asked for since");
}

#[tokio::test]
async fn a_lock_whose_holder_was_killed_does_not_stop_later_fetches() {
    let world = World::new().await;
    world.commit("refs/heads/main", &[("x", "1")]);
    let mirror = world.mirror();
    mirror.fetch(&[branch("main")]).await.unwrap();
    let lock = world.copy().join("refs/heads/main.lock");
    let left = std::fs::File::create(&lock).unwrap();
    left.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    let second = world.commit("refs/heads/main", &[("x", "2")]);
    let fetched = mirror.fetch(&[branch("main")]).await.unwrap();
    assert_eq!(fetched.commit(&branch("main")), Some(second.as_str()));
    assert!(!lock.exists());
}

#[tokio::test]
async fn a_lock_of_head_whose_holder_was_killed_does_not_stop_later_fetches() {
    let world = World::new().await;
    let first = world.commit("refs/heads/main", &[("x", "1")]);
    let mirror = world.mirror();
    mirror.fetch(&[branch("main")]).await.unwrap();
    let lock = world.copy().join("HEAD.lock");
    let left = std::fs::File::create(&lock).unwrap();
    left.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    let fetched = mirror.fetch(&[Reference::DefaultBranch]).await.unwrap();
    assert_eq!(fetched.commit(&Reference::DefaultBranch), Some(first.as_str()));
    assert!(!lock.exists());
}

#[tokio::test]
async fn a_commit_that_nobody_has_is_told_without_spoiling_the_rest() {
    let world = World::new().await;
    let commit = world.commit("refs/heads/main", &[("x", "1")]);
    let mirror = world.mirror();
    let unknown = Reference::Commit("1".repeat(40));
    let fetched = mirror.fetch(&[unknown.clone(), branch("main")]).await.unwrap();
    assert_eq!((fetched.commit(&unknown), fetched.commit(&branch("main"))), (None, Some(commit.as_str())));
    let error = mirror.read_tree(&"1".repeat(40), ".flow").await.unwrap_err();
    assert!(matches!(error, MirrorError::UnknownCommit { .. }) && !error.is_transient(), "{error}");
}

#[tokio::test]
async fn reading_a_commit_that_is_not_here_fetches_it() {
    let world = World::new().await;
    let commit = world.commit("refs/heads/main", &[(".flow/a.yaml", "a")]);
    assert_eq!(world.mirror().read_tree(&commit, ".flow").await.unwrap(), [text(".flow/a.yaml", "a")]);
    world.server.change(|behaviour| behaviour.status = Some(500));
    assert_eq!(world.mirror().fetch(&[Reference::Commit(commit.clone())]).await.unwrap().commits.len(), 1);
}

#[tokio::test]
async fn an_empty_repository_is_no_error() {
    let world = World::new().await;
    let fetched = world.mirror().fetch(&[Reference::DefaultBranch, branch("main")]).await.unwrap();
    assert_eq!(fetched.default_branch, None);
    assert_eq!(fetched.commit(&Reference::DefaultBranch), None);
    assert_eq!(world.mirror().default_branch().await.unwrap(), None);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_never_kept() {
    let world = World::new().await;
    let commit = world.commit("refs/heads/main", &[("x", "1")]);
    let fetched = world.mirror_with(Tokens("stale", TOKEN)).fetch(&[branch("main")]).await.unwrap();
    assert_eq!(fetched.commit(&branch("main")), Some(commit.as_str()));
    let error = world.mirror_with(Tokens("stale", "stale too")).fetch(&[branch("main")]).await.unwrap_err();
    assert!(matches!(error, MirrorError::Unauthorized { .. }), "{error}");
    for entry in ["config", "HEAD", "logs"] {
        let text = std::fs::read_to_string(world.copy().join(entry)).unwrap_or_default();
        assert!(!text.contains(TOKEN) && !text.contains("127.0.0.1"), "{entry}: {text}");
    }
}

#[tokio::test]
async fn each_refusal_has_its_own_error() {
    let world = World::new().await;
    world.commit("refs/heads/main", &[("x", "1")]);
    let mirror = world.mirror();
    let mut told = Vec::new();
    for status in [403, 404, 429, 503] {
        world.server.change(|behaviour| behaviour.status = Some(status));
        let error = mirror.fetch(&[branch("main")]).await.unwrap_err();
        told.push(format!("{error} | transient {}", error.is_transient()));
    }
    world.server.change(|behaviour| (behaviour.status, behaviour.old) = (None, true));
    told.push(mirror.fetch(&[branch("main")]).await.unwrap_err().to_string());
    insta::assert_snapshot!(told.join("\n"), @r##"
    octo/hello: the git server refuses (403); the App needs to read the repository's contents | transient false
    octo/hello: not found, or the App may not read its contents | transient false
    octo/hello: the git server answers 429 | transient true
    octo/hello: the git server answers 503 | transient true
    octo/hello: the git server's answer is not understood: protocol version 2 is needed, and it says "# service=git-upload-pack"
    "##);
}

#[tokio::test]
async fn a_connection_that_breaks_off_leaves_the_mirror_as_it_was() {
    let world = World::new().await;
    let first = world.commit("refs/heads/main", &[("x", "1")]);
    let mirror = world.mirror();
    mirror.fetch(&[Reference::DefaultBranch]).await.unwrap();
    let second = world.commit("refs/heads/main", &[("y", &"y ".repeat(5_000))]);
    for length in [0, 3, 20, 60, 200] {
        world.server.change(|behaviour| behaviour.cut_after = Some(length));
        let error = mirror.fetch(&[Reference::DefaultBranch]).await.unwrap_err();
        assert!(matches!(error, MirrorError::Unreachable { .. }) && error.is_transient(), "{length}: {error}");
        assert_eq!(mirror.default_branch().await.unwrap().unwrap().commit, first);
        assert!(!mirror.contains(&second).await.unwrap());
        assert_eq!(mirror.read_file(&first, "x").await.unwrap(), Some(text("x", "1")));
    }
    world.server.change(|behaviour| behaviour.cut_after = None);
    mirror.fetch(&[Reference::DefaultBranch]).await.unwrap();
    assert!(mirror.contains(&second).await.unwrap());
    let packs = world.copy().join("objects/pack");
    let left: Vec<_> = std::fs::read_dir(packs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with("pack-")), "{left:?}");
}

#[tokio::test]
async fn the_unfinished_pack_of_a_killed_process_is_cleared_away() {
    let world = World::new().await;
    world.commit("refs/heads/main", &[("x", "1")]);
    world.mirror().fetch(&[branch("main")]).await.unwrap();
    let packs = world.copy().join("objects/pack");
    let (old, young) = (packs.join("pack_git2_old"), packs.join("pack_git2_young"));
    std::fs::write(&young, "PACK").unwrap();
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(24 * 60 * 60);
    std::fs::File::create(&old).unwrap().set_modified(yesterday).unwrap();
    world.commit("refs/heads/main", &[("x", "2")]);
    world.mirror().fetch(&[branch("main")]).await.unwrap();
    assert!(!old.exists() && young.exists());
}

#[tokio::test]
async fn a_pack_that_is_spoilt_on_its_way_is_not_taken() {
    let world = World::new().await;
    let commit = world.commit("refs/heads/main", &[("y", &"some text that is longer ".repeat(50))]);
    let mirror = world.mirror();
    world.server.change(|behaviour| behaviour.spoil = true);
    let error = mirror.fetch(&[branch("main")]).await.unwrap_err();
    assert!(!mirror.contains(&commit).await.unwrap(), "{error}");
    world.server.change(|behaviour| behaviour.spoil = false);
    mirror.fetch(&[branch("main")]).await.unwrap();
    assert!(mirror.contains(&commit).await.unwrap());
}

#[tokio::test]
async fn a_damaged_mirror_is_removed_and_fetched_anew() {
    let world = World::new().await;
    let first = world.commit("refs/heads/main", &[("x", "1")]);
    let mirror = world.mirror();
    let damages: [fn(&Path); 5] = [
        |copy| {
            std::fs::remove_dir_all(copy).unwrap();
            std::fs::create_dir(copy).unwrap();
        },
        |copy| std::fs::remove_dir_all(copy.join("objects")).unwrap(),
        |copy| std::fs::remove_file(copy.join("HEAD")).unwrap(),
        |copy| std::fs::write(copy.join("refs/heads/main"), "1".repeat(40)).unwrap(),
        |copy| {
            for entry in std::fs::read_dir(copy.join("objects/pack")).unwrap() {
                let path = entry.unwrap().path();
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, b"PACK").unwrap();
            }
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        mirror.fetch(&[branch("main")]).await.unwrap();
        damage(&world.copy());
        let next = world.commit("refs/heads/main", &[("y", &number.to_string())]);
        mirror.fetch(&[branch("main")]).await.unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(mirror.read_file(&first, "x").await.unwrap(), Some(text("x", "1")), "{number}");
        assert!(mirror.contains(&next).await.unwrap());
        damage(&world.copy());
        assert_eq!(mirror.read_file(&next, "x").await.unwrap(), Some(text("x", "1")), "{number}: by reading");
    }
}

#[tokio::test]
async fn many_at_once_share_a_fetch() {
    let world = World::new().await;
    let commit = world.commit("refs/heads/main", &[("x", "1")]);
    let fetches = (0..20).map(|_| {
        let mirror = world.mirror();
        async move { mirror.fetch(&[Reference::DefaultBranch]).await.unwrap() }
    });
    for fetched in join_all(fetches).await {
        assert_eq!(fetched.commit(&Reference::DefaultBranch), Some(commit.as_str()));
    }
    assert!(world.server.greetings() <= 2, "{}", world.server.greetings());
    assert_eq!(world.server.packs().len(), 1);
}

#[tokio::test]
async fn a_renamed_repository_is_followed_on_its_host_and_nowhere_else() {
    let world = World::new().await;
    let commit = world.commit("refs/heads/main", &[("x", "1")]);
    let old = world.server.url.join("octo/old").unwrap();
    let mirror = world.mirrors.remote("octo", &"octo/old".parse().unwrap(), &old, Arc::new(Tokens(TOKEN, ""))).unwrap();
    world.server.change(|behaviour| behaviour.moved_to = Some("/octo/hello".to_owned()));
    let fetched = mirror.fetch(&[branch("main")]).await.unwrap();
    assert_eq!(fetched.commit(&branch("main")), Some(commit.as_str()));
    let elsewhere = GitServer::start(&world.folder.path().join("served"), TOKEN).await;
    let target = format!("{}octo/hello", elsewhere.url);
    world.server.change(|behaviour| behaviour.moved_to = Some(target));
    let error = mirror.fetch(&[branch("main")]).await.unwrap_err();
    assert!(matches!(error, MirrorError::Protocol { .. }), "{error}");
    assert_eq!(elsewhere.greetings(), 0);
}

#[tokio::test]
async fn links_submodules_and_other_than_text_are_told_apart() {
    let world = World::new().await;
    world.server.change(|behaviour| behaviour.service_line = true);
    let large = vec![b'a'; reading::LARGEST_FILE + 1];
    let submodule = "2".repeat(40);
    let commit = commit(
        &world.origin,
        "refs/heads/main",
        None,
        &[
            (".flow/bytes", &[0xff, 0xfe], 0o100_644),
            (".flow/large", &large, 0o100_644),
            (".flow/link", b"/etc/passwd", 0o120_000),
            (".flow/module", submodule.as_bytes(), 0o160_000),
            (".flow/nul", b"a\0b", 0o100_644),
            (".flow/run", b"#!/bin/sh\n", 0o100_755),
        ],
    );
    let mirror = world.mirror();
    mirror.fetch(&[branch("main")]).await.unwrap();
    let content = |path: &str, content| FileAt { path: path.to_owned(), content };
    assert_eq!(
        mirror.read_tree(&commit, ".flow").await.unwrap(),
        [
            content(".flow/bytes", Content::Binary { size: 2 }),
            content(".flow/large", Content::TooLarge { size: reading::LARGEST_FILE + 1 }),
            content(".flow/link", Content::Link),
            content(".flow/nul", Content::Binary { size: 3 }),
            content(".flow/run", Content::Text("#!/bin/sh\n".to_owned())),
        ]
    );
}

#[tokio::test]
async fn too_many_files_are_refused() {
    let world = World::new().await;
    let names: Vec<String> = (0..10_001).map(|number| format!(".flow/{number}.yaml")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let commit = world.commit("refs/heads/main", &files);
    let error = world.mirror().read_tree(&commit, ".flow").await.unwrap_err();
    insta::assert_snapshot!(error, @"octo/hello: the number of files below .flow is larger than 10000");
}

#[tokio::test]
async fn names_that_are_none_are_refused_before_anything_is_sent() {
    let world = World::new().await;
    for reference in [
        branch("a b"),
        branch("a\nwant 1"),
        branch(""),
        branch("a..b"),
        Reference::Commit("main".to_owned()),
        Reference::Commit("A".repeat(40)),
    ] {
        let error = world.mirror().fetch(std::slice::from_ref(&reference)).await.unwrap_err();
        assert!(matches!(error, MirrorError::Argument { .. }), "{reference:?}: {error}");
    }
    assert_eq!(world.server.greetings(), 0);
    let url = world.server.url.clone();
    for tenant in ["", "..", "a/b", ".hidden"] {
        let tokens = Arc::new(Tokens(TOKEN, ""));
        assert!(world.mirrors.remote(tenant, &"octo/hello".parse().unwrap(), &url, tokens).is_err(), "{tenant}");
    }
}

#[tokio::test]
async fn a_local_repository_is_read_where_it_is() {
    let world = World::new().await;
    let directory = world.folder.path().join("served/octo/hello");
    let mirror = world.mirrors.local("demo", &directory);
    assert_eq!(mirror.default_branch().await.unwrap(), None);
    let commit = world.commit("refs/heads/main", &[(".flow/a.yaml", "a")]);
    let topic = world.commit("refs/heads/topic", &[(".flow/a.yaml", "b")]);
    let unknown = Reference::Commit("1".repeat(40));
    let fetched =
        mirror.fetch(&[Reference::DefaultBranch, branch("topic"), branch("none"), unknown.clone()]).await.unwrap();
    assert_eq!(fetched.default_branch, Some(DefaultBranch { name: "main".to_owned(), commit: commit.clone() }));
    assert_eq!(fetched.commit(&branch("topic")), Some(topic.as_str()));
    assert_eq!((fetched.commit(&branch("none")), fetched.commit(&unknown)), (None, None));
    assert_eq!(mirror.read_tree(&commit, ".flow").await.unwrap(), [text(".flow/a.yaml", "a")]);
    assert!(matches!(mirror.read_tree(&"1".repeat(40), ".flow").await, Err(MirrorError::UnknownCommit { .. })));
    let nowhere = world.mirrors.local("none", &world.folder.path().join("nowhere"));
    assert!(nowhere.fetch(&[Reference::DefaultBranch]).await.is_err());
}
