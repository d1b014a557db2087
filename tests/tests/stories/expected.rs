//! Which writes a story expects of the server. What every story may see is named here; whatever else was written, and was
//! not declared, fails the story when its stage is taken down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use flowctl_sandbox::RequestRecord;
use serde_json::Value;

use crate::stage::{RELEASE, REPOSITORY, Stage};

/// Edits of one check run or comment that a story may see. What goes on for longer than any story does is an edit that brings
/// the next one about.
const MOST_EDITS: usize = 10;

/// What a story has seen already.
#[derive(Default)]
struct Seen {
    /// What may be made a single time.
    made: BTreeSet<String>,
    /// How often each check run and comment was edited.
    edits: BTreeMap<String, usize>,
}

impl Seen {
    fn is_new(&mut self, made: String) -> bool {
        self.made.insert(made)
    }

    /// Whether an edit is none too many.
    fn may_edit(&mut self, path: &str) -> bool {
        let count = self.edits.entry(path.to_owned()).or_default();
        *count += 1;
        *count <= MOST_EDITS
    }
}

/// What one story has declared, and what all may see.
pub struct Expected {
    /// Checks of these processes belong to it.
    processes: Vec<String>,
    /// `METHOD /path`, with `*` for any one part of the path.
    declared: Mutex<Vec<String>>,
    /// Where every story may see what is ordinary.
    repositories: Mutex<Vec<String>>,
}

impl Expected {
    pub fn of(definitions: &[(&str, &str)]) -> Self {
        let named =
            definitions.iter().filter_map(|(_, yaml)| yaml.lines().find_map(|line| line.strip_prefix("name: ")));
        let processes = named.chain(["validate"]).map(|name| name.trim().to_owned()).collect();
        Self { processes, declared: Mutex::default(), repositories: Mutex::new(vec![REPOSITORY.to_owned()]) }
    }

    /// Those of these requests that are writes which nobody expected.
    fn unexpected(&self, requests: &[RequestRecord]) -> Vec<String> {
        let declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = Seen::default();
        // To fetch is no write, though git sends it as one.
        let ours = requests.iter().filter(|request| {
            request.caller.starts_with("installation:") && !request.path.ends_with("/git-upload-pack")
        });
        let unexpected = ours.filter(|request| !self.is_ordinary(request, &mut seen));
        let told = unexpected.map(|request| format!("{} {}", request.method, request.path));
        told.filter(|told| !declared.iter().any(|pattern| fits(pattern, told))).collect()
    }

    /// The repository that a path is in, where a story plays there, and the rest of the path.
    fn within<'a>(&self, path: &'a str) -> Option<(String, &'a str)> {
        let repositories = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        let rest =
            |repository: &String| path.strip_prefix("/repos/")?.strip_prefix(repository.as_str())?.strip_prefix('/');
        repositories.iter().find_map(|repository| Some((repository.clone(), rest(repository)?)))
    }

    /// Whether a write is one that every story may see, after those that it has `seen`.
    fn is_ordinary(&self, request: &RequestRecord, seen: &mut Seen) -> bool {
        let Some((repository, rest)) = self.within(&request.path) else { return false };
        let body: Value =
            request.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let parts: Vec<&str> = rest.split('/').collect();
        let is_done = (200..300).contains(&request.status);
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["check-runs"]) => {
                let process = body["name"].as_str().and_then(|name| name.strip_prefix("flowctl / "));
                let is_known = process.is_some_and(|process| self.processes.iter().any(|known| known == process));
                is_known && (!is_done || seen.is_new(format!("{repository} {}", timeless(body))))
            }
            ("PATCH", ["check-runs", _] | ["issues", "comments", _]) => seen.may_edit(&request.path),
            ("POST", ["issues", issue, "comments"]) => {
                let mark = body["body"].as_str().and_then(|body| body.split(" -->").next()).unwrap_or_default();
                let is_known = ["execution:", "reply:comment:", "reply:review:"]
                    .iter()
                    .any(|kind| mark.starts_with(&format!("<!-- flowctl:{kind}")));
                is_known && seen.is_new(format!("{repository} {issue} {mark}"))
            }
            ("POST", ["issues", "comments", comment, "reactions"]) => {
                seen.is_new(format!("{repository} {comment} {}", body["content"]))
            }
            _ => false,
        }
    }
}

/// A check run as people see it: what was written twice differs in its times alone.
fn timeless(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|field, _| !matches!(field.as_str(), "started_at" | "completed_at"));
    }
    body
}

fn fits(pattern: &str, told: &str) -> bool {
    let (pattern, told): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), told.split('/').collect());
    pattern.len() == told.len() && pattern.iter().zip(&told).all(|(part, other)| *part == "*" || part == other)
}

impl Stage {
    /// What every story may see belongs to this one in another repository, too.
    pub fn plays_in(&self, repository: &str) {
        let mut repositories = self.expected.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        repositories.push(repository.to_owned());
    }

    /// Such writes to the repository belong to this story: method, and path with `*` for any one part.
    pub fn expect(&self, method: &str, path: &str) {
        self.expect_in(REPOSITORY, method, path);
    }

    /// The same in another repository.
    pub fn expect_in(&self, repository: &str, method: &str, path: &str) {
        let mut declared = self.expected.declared.lock().unwrap_or_else(PoisonError::into_inner);
        declared.push(format!("{method} /repos/{repository}/{path}"));
    }

    /// More comments belong to this story than the one of each execution and the answers to people.
    pub fn expect_comments(&self) {
        self.expect("POST", "issues/*/comments");
    }

    /// Workflows are dispatched in this story.
    pub fn expect_dispatches(&self) {
        self.expect("POST", "actions/workflows/*/dispatches");
    }

    /// Commits to references of the repository belong to this story.
    pub fn expect_commits(&self) {
        for (method, path) in
            [("POST", "git/trees"), ("POST", "git/commits"), ("POST", "git/refs"), ("PATCH", "git/refs/*/*")]
        {
            self.expect(method, path);
        }
    }

    /// What the server has written and nobody expected.
    pub fn unexpected(&self) -> Vec<String> {
        self.expected.unexpected(&self.hub.requests.writes())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let unexpected = self.unexpected();
            assert!(unexpected.is_empty(), "writes that nobody expected:\n{}", unexpected.join("\n"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "writes that nobody expected:\nPOST /repos/octo-org/shop/issues/1/comments")]
async fn a_second_comment_that_a_story_forgets_fails_it() {
    let stage = Stage::raise(&[("release", RELEASE)]).await;
    let number = stage.pull_request("release-1.4");
    stage.concluded(number, "release", "action_required").await;
    let shown = || stage.hub.comments(REPOSITORY, number).unwrap().pop();
    let first = stage.eventually("the comment", shown).await;
    assert_eq!(stage.unexpected(), [""; 0]);
    // It comes back with the next change.
    stage.hub.delete_comment(REPOSITORY, "gina", first.id).unwrap();
    stage.comment(number, "/approve leads").said_by("bob");
    let is_back = || (!stage.app_comments(number, "<!-- flowctl:execution:").is_empty()).then_some(());
    stage.eventually("the comment again", is_back).await;
    // A request is noted once it is answered, a moment after what it does.
    let until = Instant::now() + Duration::from_secs(10);
    while stage.unexpected().is_empty() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn write(method: &str, path: &str, body: &str) -> RequestRecord {
    RequestRecord {
        at: jiff::Timestamp::UNIX_EPOCH,
        method: method.to_owned(),
        path: format!("/repos/{REPOSITORY}/{path}"),
        status: 201,
        caller: "installation:1".to_owned(),
        body: Some(body.as_bytes().to_vec().into()),
    }
}

#[test]
fn one_edit_too_many_fails_a_story() {
    let expected = Expected::of(&[("release", RELEASE)]);
    for path in ["check-runs/7", "issues/comments/7"] {
        let edits = |count| vec![write("PATCH", path, r#"{"body": "asks"}"#); count];
        assert_eq!(expected.unexpected(&edits(MOST_EDITS)), [""; 0], "{path}");
        let told = format!("PATCH /repos/{REPOSITORY}/{path}");
        assert_eq!(expected.unexpected(&edits(MOST_EDITS + 1)), [told.as_str()]);
        let both = [edits(MOST_EDITS), vec![write("PATCH", "check-runs/8", "{}")]].concat();
        assert_eq!(expected.unexpected(&both), [""; 0], "each for itself");
    }
}

#[test]
fn what_belongs_to_no_story_or_is_written_twice_is_no_ordinary_write() {
    let expected = Expected::of(&[("release", RELEASE)]);
    let asked = r#"{"body": "<!-- flowctl:execution:1 -->"}"#;
    let requests = [
        write("POST", "check-runs", r#"{"name": "flowctl / release"}"#),
        write("POST", "check-runs", r#"{"name": "flowctl / release", "completed_at": "2026-03-01T12:00:00Z"}"#),
        write("POST", "check-runs", r#"{"name": "flowctl / release", "conclusion": "success"}"#),
        write("POST", "check-runs", r#"{"name": "flowctl / deploy"}"#),
        write("PATCH", "issues/comments/7", asked),
        write("POST", "issues/1/comments", asked),
        write("POST", "issues/2/comments", asked),
        write("POST", "issues/1/comments", asked),
        write("POST", "issues/1/comments", r#"{"body": "hello"}"#),
        write("POST", "actions/runs/7/cancel", ""),
        RequestRecord { path: "/repos/octo-org/other/issues/1/comments".to_owned(), ..write("POST", "", asked) },
    ];
    let unexpected = expected.unexpected(&requests);
    let of_repository: Vec<_> = unexpected.iter().map(|told| told.replace("/repos/octo-org/shop/", "")).collect();
    let comment = "POST issues/1/comments";
    let check = "POST check-runs";
    let other = "POST /repos/octo-org/other/issues/1/comments";
    assert_eq!(of_repository, [check, check, comment, comment, "POST actions/runs/7/cancel", other]);
}
