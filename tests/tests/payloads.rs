//! Every example payload of npm's `@octokit/webhooks-examples` (which `FLOWCTL_WEBHOOK_EXAMPLES` names, and `tests/run`
//! fetches): signed, doubled, in any order, to a real server over a sandbox in which their repositories exist. Nothing
//! is refused, nothing is lost, and nothing stays to be handled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flowctl_app::github::reconcile::is_reconciled;
use flowctl_app::server::Server;
use flowctl_app::settings::Settings;
use flowctl_app::steps::Performers;
use flowctl_sandbox::state::Permission;
use flowctl_sandbox::{FileContent, Files, OpenPullRequest, RateLimits, Sandbox, signature};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const VARIABLE: &str = "FLOWCTL_WEBHOOK_EXAMPLES";
/// Starts with much of what the examples tell of.
const GREET: &str = "
name: greet
version: 1
triggers:
  - pull_request: {actions: [opened, reopened, labeled, synchronize, ready_for_review]}
  - push: {}
  - comment: /greet
steps:
  - {id: greet, type: set, values: {words: hello}}
";
/// How many are sent at once.
const SENDERS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(240);

/// One payload with the name of its event.
struct Example {
    event: String,
    payload: Value,
}

impl Example {
    fn repository(&self) -> Option<&str> {
        self.payload["repository"]["full_name"].as_str()
    }
}

fn examples(path: &std::ffi::OsStr) -> Vec<Example> {
    let events: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let of_event = |event: &Value| -> Vec<Example> {
        let name = event["name"].as_str().unwrap();
        let payloads = event["examples"].as_array().unwrap().iter();
        payloads.map(|payload| Example { event: name.to_owned(), payload: payload.clone() }).collect()
    };
    events.as_array().unwrap().iter().flat_map(of_event).collect()
}

/// The ids that things have here, by their names: those of the examples are other repositories'.
struct Ids {
    installations: BTreeMap<String, u64>,
    repositories: BTreeMap<String, u64>,
}

/// A GitHub in which the repositories of the examples exist, with two pull requests each, and the App everywhere.
fn github(examples: &[Example]) -> (Sandbox, Ids) {
    let sandbox = Sandbox::builder().rate_limits(RateLimits::off()).start().unwrap();
    let hub = sandbox.hub();
    hub.create_user("alice").unwrap();
    let repositories: BTreeSet<&str> = examples.iter().filter_map(Example::repository).collect();
    let owners: BTreeSet<&str> = repositories.iter().map(|name| name.split_once('/').unwrap().0).collect();
    for owner in &owners {
        hub.create_organization(owner).unwrap();
    }
    let text = |text: &str| Some(FileContent { bytes: text.as_bytes().to_vec(), executable: false });
    let files = Files::from([
        (".flow/processes/greet.yaml".to_owned(), text(GREET)),
        ("README.md".to_owned(), text("# Hello\n")),
    ]);
    let mut ids = Ids { installations: BTreeMap::new(), repositories: BTreeMap::new() };
    for repository in repositories {
        let id = hub.create_repository(repository, &files).unwrap();
        ids.repositories.insert(repository.to_owned(), id);
        hub.grant(repository, "alice", Permission::Write).unwrap();
        for head in ["one", "two"] {
            let files = BTreeMap::from([(format!("{head}.md"), Some("new\n".to_owned()))]);
            let new =
                OpenPullRequest { title: head.to_owned(), head: head.to_owned(), files, ..OpenPullRequest::default() };
            hub.open_pull_request(repository, "alice", &new).unwrap();
        }
    }
    // Installed last: what went before is told to nobody.
    ids.installations = owners.iter().map(|owner| ((*owner).to_owned(), hub.install(owner, None).unwrap())).collect();
    (sandbox, ids)
}

fn settings(sandbox: &Sandbox, data: &TempDir) -> Settings {
    let app = sandbox.app();
    let environment = [
        ("FLOWCTL_LISTEN", "127.0.0.1:0".to_owned()),
        ("FLOWCTL_DATA_DIR", data.path().display().to_string()),
        ("FLOWCTL_GITHUB_API_URL", sandbox.api_url()),
        ("FLOWCTL_GITHUB_URL", sandbox.web_url()),
        ("FLOWCTL_GITHUB_APP_ID", app.id.to_string()),
        ("FLOWCTL_GITHUB_PRIVATE_KEY", app.private_key_pem),
        ("FLOWCTL_GITHUB_WEBHOOK_SECRET", app.webhook_secret),
        ("FLOWCTL_GITHUB_WRITE_INTERVAL_MS", "0".to_owned()),
    ];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value));
    Settings::load(None, environment).unwrap().0
}

/// A delivery that is about to be sent.
#[derive(Clone)]
struct Letter {
    id: String,
    event: String,
    body: String,
    signature: String,
}

/// Each example as it was published, and as this App would have got it; each of them twice, in an order that has
/// nothing to do with theirs but is the same every time.
fn letters(examples: &[Example], ids: &Ids, secret: &str) -> Vec<Letter> {
    let mut letters = Vec::new();
    for (number, example) in examples.iter().enumerate() {
        let mut ours = example.payload.clone();
        let owner = example.repository().and_then(|name| name.split_once('/')).map(|(owner, _)| owner);
        if let Some(installation) = owner.and_then(|owner| ids.installations.get(owner)) {
            ours["installation"]["id"] = json!(installation);
        }
        if let Some(repository) = example.repository().and_then(|name| ids.repositories.get(name)) {
            ours["repository"]["id"] = json!(repository);
        }
        for (kind, payload) in [("published", &example.payload), ("ours", &ours)] {
            let body = payload.to_string();
            let letter = Letter {
                id: format!("{kind}-{number}"),
                event: example.event.clone(),
                signature: signature(secret, body.as_bytes()),
                body,
            };
            letters.extend([letter.clone(), letter]);
        }
    }
    let place = |index: usize| (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17);
    let mut shuffled: Vec<(u64, Letter)> =
        letters.into_iter().enumerate().map(|(index, letter)| (place(index), letter)).collect();
    shuffled.sort_by_key(|(place, _)| *place);
    shuffled.into_iter().map(|(_, letter)| letter).collect()
}

/// The answers by delivery.
async fn send(address: SocketAddr, letters: Vec<Letter>) -> BTreeMap<String, Vec<u16>> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut senders = JoinSet::new();
    for part in 0..SENDERS {
        let (client, mine) = (client.clone(), letters.iter().skip(part).step_by(SENDERS).cloned().collect::<Vec<_>>());
        senders.spawn(async move {
            let mut answers = Vec::new();
            for letter in mine {
                let request = client
                    .post(format!("http://{address}/webhooks/github"))
                    .header("x-github-event", letter.event)
                    .header("x-github-delivery", &letter.id)
                    .header("x-hub-signature-256", letter.signature)
                    .header("content-type", "application/json")
                    .body(letter.body);
                answers.push((letter.id, request.send().await.unwrap().status().as_u16()));
            }
            answers
        });
    }
    let mut answers: BTreeMap<String, Vec<u16>> = BTreeMap::new();
    while let Some(part) = senders.join_next().await {
        part.unwrap().into_iter().for_each(|(id, status)| answers.entry(id).or_default().push(status));
    }
    answers.values_mut().for_each(|statuses| statuses.sort_unstable());
    answers
}

/// Waits until nothing is left to be handled, and gives how each ended: status, reason, attempts.
async fn handled(data: &TempDir) -> BTreeMap<String, (String, String, i64)> {
    let options = SqliteConnectOptions::new().filename(data.path().join("flowctl.db")).read_only(true);
    let database = SqlitePool::connect_with(options).await.unwrap();
    let began = Instant::now();
    loop {
        let rows = sqlx::query("select id, event, status, coalesce(reason, '') as reason, attempts from deliveries")
            .fetch_all(&database)
            .await
            .unwrap();
        let of = |row: &sqlx::sqlite::SqliteRow| {
            let event: String = row.get("event");
            let reason: String = row.get("reason");
            (
                row.get::<String, _>("id"),
                (row.get::<String, _>("status"), format!("{event}: {reason}"), row.get("attempts")),
            )
        };
        let ends: BTreeMap<String, (String, String, i64)> = rows.iter().map(of).collect();
        let pending: Vec<_> = ends.iter().filter(|(_, (status, ..))| status == "pending").take(5).collect();
        if pending.is_empty() {
            database.close().await;
            return ends;
        }
        assert!(began.elapsed() < PATIENCE, "still to be handled: {pending:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_published_payload_is_stored_once_and_handled() {
    let Some(path) = std::env::var_os(VARIABLE) else {
        println!("not run: {VARIABLE} does not name the examples; tests/run fetches them");
        return;
    };
    let examples = examples(&path);
    assert!(examples.len() > 300, "{}", examples.len());
    let (sandbox, ids) = github(&examples);
    let data = tempfile::tempdir().unwrap();
    let server = Server::bind(settings(&sandbox, &data), Performers::default()).await.unwrap();
    let address = server.settings().listen;
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { server.run(shutdown).await.unwrap() }
    });
    let letters = letters(&examples, &ids, &sandbox.app().webhook_secret);
    let answers = send(address, letters).await;
    let wrong: Vec<_> = answers.iter().filter(|(_, statuses)| **statuses != [200, 202]).collect();
    assert!(wrong.is_empty(), "stored once and known the second time, but: {wrong:?}");
    let mut ends = handled(&data).await;
    // Where this takes long, the server has looked by itself for what it missed meanwhile: the sandbox's pull requests.
    let found = ends.extract_if(.., |id, _| is_reconciled(id)).collect::<Vec<_>>();
    assert!(found.iter().all(|(_, (status, ..))| status != "failed"), "{found:#?}");
    assert_eq!(ends.keys().collect::<Vec<_>>(), answers.keys().collect::<Vec<_>>(), "none is lost, none is made up");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    ends.values().for_each(|(status, ..)| *counts.entry(status).or_default() += 1);
    println!("{} examples: {counts:?}", examples.len());
    // What an example speaks of may not exist here; everything else is understood.
    let failed = ends.iter().filter(|(_, (status, ..))| status == "failed");
    let is_not_here = |reason: &str| reason.contains("not found") || reason.contains("there is no commit");
    let beyond: Vec<_> = failed.filter(|(_, (_, reason, _))| !is_not_here(reason)).collect();
    assert!(beyond.is_empty(), "{beyond:#?}");
    let often: Vec<_> = ends.iter().filter(|(_, (.., attempts))| *attempts > 8).collect();
    assert!(often.is_empty(), "tried over and over: {often:#?}");
    assert!(counts.get("done").is_some_and(|done| *done > 30), "{counts:?}");
    shutdown.cancel();
    running.await.unwrap();
}
