//! The stage: a repository with definitions, people around it, and the server as its App.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowctl_app::github::client::Timing;
use flowctl_app::server::Server;
use flowctl_app::settings::Settings;
use flowctl_app::steps::Performers;
use flowctl_sandbox::state::{CheckRun, Permission, ReviewState};
use flowctl_sandbox::{Fault, FaultRule, FileContent, Files, Hub, OpenPullRequest, RateLimits, Sandbox};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::expected::Expected;

pub const REPOSITORY: &str = "octo-org/shop";
const TOKEN: &str = "an-administrators-token";
/// How an execution's comment begins.
const EXECUTION: &str = "<!-- flowctl:execution:";
/// Far longer than anything takes; a story that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Starts with a pull request, needs two leads, and ships.
pub const RELEASE: &str = "
name: release
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - {id: draft, type: set, values: {notes: Carts survive.}}
  - id: leads
    type: human_approval
    depends_on: draft
    title: Ship it?
    approvers: {team: leads, count: 2}
    note_required: on_reject
  - {id: ship, type: set, depends_on: leads, values: {done: true}}
";

/// Starts by hand or by a word, and asks for a form.
pub const ORDER: &str = "
name: order
version: 1
triggers: [manual, {comment: /order}]
inputs:
  size: {type: integer, minimum: 1, default: 1}
steps:
  - id: details
    type: form
    title: What exactly?
    assignees: {users: [bob]}
    fields:
      colour: {type: string, enum: [red, blue], required: true}
      amount: {type: integer, minimum: 1, required: true}
  - {id: buy, type: set, depends_on: details, values: {size: '{{ inputs.size }}', amount: '{{ steps.details.output.amount }}'}}
outputs:
  bought: '{{ steps.buy.output.size * steps.buy.output.amount }}'
";

pub struct Stage {
    sandbox: Sandbox,
    pub hub: Arc<Hub>,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
    settings: Settings,
    pub data: TempDir,
    pub expected: Expected,
}

impl Stage {
    /// alice opens pull requests; bob and dave are leads, so is alice; carol may read; gina owns everything.
    pub async fn raise(definitions: &[(&str, &str)]) -> Self {
        Self::raise_with(definitions, &[]).await
    }

    /// The same with further files by path.
    pub async fn raise_with(definitions: &[(&str, &str)], others: &[(&str, &str)]) -> Self {
        Self::raise_granting(definitions, others, &[]).await
    }

    /// The same, with these permissions of the App at other levels than usual.
    pub async fn raise_granting(
        definitions: &[(&str, &str)],
        others: &[(&str, &str)],
        permissions: &[(&str, &str)],
    ) -> Self {
        let builder = Sandbox::builder().rate_limits(RateLimits::off());
        Self::raise_at(builder, definitions, others, permissions, 1).await
    }

    /// With GitHub's own limits, in a time that runs so many times faster for GitHub and for the server.
    pub async fn raise_in_fast_time(definitions: &[(&str, &str)], others: &[(&str, &str)], times: u16) -> Self {
        let builder = Sandbox::builder().rate_limits(RateLimits::default().faster(times.into()));
        Self::raise_at(builder, definitions, others, &[], times).await
    }

    async fn raise_at(
        builder: flowctl_sandbox::Builder,
        definitions: &[(&str, &str)],
        others: &[(&str, &str)],
        permissions: &[(&str, &str)],
        times: u16,
    ) -> Self {
        let builder = permissions.iter().fold(builder, |builder, (name, level)| builder.permission(name, level));
        let sandbox = builder.start().unwrap();
        let hub = sandbox.hub();
        hub.create_organization("octo-org").unwrap();
        for login in ["alice", "bob", "carol", "dave", "gina"] {
            hub.create_user(login).unwrap();
            hub.add_member("octo-org", login, false).unwrap();
        }
        hub.set_team("octo-org", "leads", &["alice", "bob", "dave"]).unwrap();
        let text = |text: &str| Some(FileContent { bytes: text.as_bytes().to_vec(), executable: false });
        let mut files: Files =
            definitions.iter().map(|(name, yaml)| (format!(".flow/processes/{name}.yaml"), text(yaml))).collect();
        files.insert("README.md".to_owned(), text("# Shop\n"));
        files.extend(others.iter().map(|(path, content)| ((*path).to_owned(), text(content))));
        hub.create_repository(REPOSITORY, &files).unwrap();
        for (login, permission) in [
            ("alice", Permission::Write),
            ("bob", Permission::Write),
            ("carol", Permission::Read),
            ("dave", Permission::Write),
            ("gina", Permission::Admin),
        ] {
            hub.grant(REPOSITORY, login, permission).unwrap();
        }
        let data = tempfile::tempdir().unwrap();
        let mut settings = settings(&sandbox, &data);
        if let Some(github) = &mut settings.github {
            github.timing = Timing::faster(times.into());
        }
        let server = Server::bind(settings, Performers::default()).await.unwrap();
        let settings = server.settings().clone();
        hub.set_webhook_url(&format!("http://{}/webhooks/github", settings.listen)).unwrap();
        let shutdown = CancellationToken::new();
        let server = run(server, &shutdown);
        hub.install("octo-org", None).unwrap();
        Self { sandbox, hub, shutdown, server, settings, data, expected: Expected::of(definitions) }
    }

    /// Starts another server on the data of the one that has ended.
    pub async fn start_again(&mut self) {
        let server = Server::bind(self.settings.clone(), Performers::default()).await.unwrap();
        self.shutdown = CancellationToken::new();
        self.server = run(server, &self.shutdown);
    }

    /// Ends the server, as SIGTERM does.
    pub async fn end(&mut self) {
        self.shutdown.cancel();
        (&mut self.server).await.unwrap();
    }

    /// Lets the administrator's token speak in people's names from now on.
    pub async fn allow_acting(&mut self) {
        self.end().await;
        self.settings.api_act_as = true;
        self.start_again().await;
    }

    /// Has so much time pass between two writes from now on.
    pub async fn pause_between_writes(&mut self, pause: Duration) {
        self.end().await;
        if let Some(github) = &mut self.settings.github {
            github.write_interval = pause;
        }
        self.start_again().await;
    }

    /// Asks the API as the administrator: the status and the body of its answer.
    pub async fn api(&self, method: reqwest::Method, path: &str, body: serde_json::Value) -> (u16, serde_json::Value) {
        let url = format!("http://{}/api/v1{path}", self.settings.listen);
        let request = reqwest::Client::new().request(method, url).bearer_auth(TOKEN).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Asks the API without the administrator's token.
    pub async fn api_as_anybody(
        &self,
        method: reqwest::Method,
        path: &str,
        body: serde_json::Value,
    ) -> (u16, serde_json::Value) {
        let url = format!("http://{}/api/v1{path}", self.settings.listen);
        let answer = reqwest::Client::new().request(method, url).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub fn pull_request(&self, head: &str) -> u64 {
        let files = BTreeMap::from([(format!("{head}.md"), Some("new\n".to_owned()))]);
        let new =
            OpenPullRequest { title: head.to_owned(), head: head.to_owned(), files, ..OpenPullRequest::default() };
        self.hub.open_pull_request(REPOSITORY, "alice", &new).unwrap()
    }

    /// Time to look, by GitHub's clock, which tells comments to the second.
    pub fn seconds_pass(&self) {
        self.hub.advance_clock(Duration::from_secs(2)).unwrap();
    }

    pub fn push(&self, head: &str, text: &str) -> String {
        let files = BTreeMap::from([(format!("{head}.md"), Some(text.to_owned()))]);
        self.hub.push(REPOSITORY, "alice", head, "More", &files).unwrap()
    }

    /// Somebody pushes a commit that bears alice's name.
    pub fn push_in_another_name(&self, head: &str, by: &str) -> String {
        let files = BTreeMap::from([("forged.md".to_owned(), Some("x\n".to_owned()))]);
        self.hub.push_in_the_name_of(REPOSITORY, (by, "alice"), head, "Hers", &files).unwrap()
    }

    pub fn comment(&self, number: u64, body: &str) -> Saying<'_> {
        Saying { stage: self, number, body: body.to_owned() }
    }

    pub fn review(&self, number: u64, by: &str, state: ReviewState, body: &str) -> u64 {
        self.hub.review(REPOSITORY, by, number, state, body).unwrap()
    }

    /// Sends a webhook as GitHub would, and gives the answer's status. `id` is made unique by the event.
    pub async fn deliver(&self, event: &str, id: &str, body: &str) -> u16 {
        let secret = self.sandbox.app().webhook_secret;
        let request = reqwest::Client::new()
            .post(format!("http://{}/webhooks/github", self.settings.listen))
            .header("x-github-event", event)
            .header("x-github-delivery", format!("{event}-{id}"))
            .header("x-hub-signature-256", flowctl_sandbox::signature(&secret, body.as_bytes()))
            .body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    }

    /// The audit log of the organisation: type and actor of each entry. The chain must hold.
    pub async fn audit(&self) -> Vec<String> {
        let store = flowctl_app::server::existing(&self.settings).await.unwrap().unwrap();
        let tenant = flowctl_core::execution::TenantId("octo-org".to_owned());
        let verified = flowctl_app::audit::verify(&*store, Some(tenant.clone())).await.unwrap();
        assert!(verified.iter().all(|found| found.outcome.is_ok()), "{verified:?}");
        let mut told = Vec::new();
        let tell = |entry: &flowctl_app::audit::Sealed| {
            let said: serde_json::Value = serde_json::from_str(&entry.line).unwrap();
            let actor = said["actor"]["login"].as_str().unwrap_or("-").to_owned();
            told.push(format!("{} by {actor}", said["type"].as_str().unwrap()));
        };
        flowctl_app::audit::entries(&*store, Some(tenant), tell).await.unwrap();
        store.close().await;
        told
    }

    /// What stands in a reference of the repository, once there are entries of these types among it.
    pub async fn until_committed(&self, reference: &str, wanted: &[&str]) -> Committed {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = self.committed(reference).filter(|found| found.holds(wanted)) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let found = found.await;
        found.unwrap_or_else(|_| panic!("no {wanted:?} in {reference}: {:?}", self.committed(reference)))
    }

    fn committed(&self, reference: &str) -> Option<Committed> {
        let tip = self.hub.reference(REPOSITORY, reference).unwrap()?;
        let repository = git2::Repository::open(self.hub.folder_of(REPOSITORY).unwrap()).unwrap();
        let mut walk = repository.revwalk().unwrap();
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).unwrap();
        walk.push(git2::Oid::from_str(&tip).unwrap()).unwrap();
        let commits = walk.map(|id| id.unwrap().to_string()).collect();
        let tree = repository.find_commit(git2::Oid::from_str(&tip).unwrap()).unwrap().tree().unwrap();
        let mut kinds = Vec::new();
        let gather = |_: &str, entry: &git2::TreeEntry<'_>| {
            let is_log = entry.name().is_ok_and(|name| name.ends_with(".jsonl"));
            if let Some(blob) = repository.find_blob(entry.id()).ok().filter(|_| is_log) {
                for line in String::from_utf8(blob.content().to_vec()).unwrap().lines() {
                    let said: serde_json::Value = serde_json::from_str(line).unwrap();
                    kinds.push(said["type"].as_str().unwrap().to_owned());
                }
            }
            git2::TreeWalkResult::Ok
        };
        tree.walk(git2::TreeWalkMode::PreOrder, gather).unwrap();
        Some(Committed { commits, kinds })
    }

    /// Holds a reference of the repository against the audit log.
    pub async fn compared(&self, reference: &str) -> flowctl_app::audit::Compared {
        let store = flowctl_app::server::existing(&self.settings).await.unwrap().unwrap();
        let folder = self.hub.folder_of(REPOSITORY).unwrap();
        let compared = flowctl_app::audit::compare_reference(&*store, &folder, reference).await.unwrap();
        store.close().await;
        compared
    }

    /// What `flowctl doctor` says under this name, once it does.
    pub async fn until_doctor_tells(&self, name: &str) -> String {
        let told = tokio::time::timeout(PATIENCE, async {
            loop {
                let checks = flowctl_app::doctor::look(&self.settings, jiff::Timestamp::now()).await;
                if let Some(check) = checks.into_iter().find(|check| check.name == name) {
                    return format!("{}; {}", check.message, check.help.unwrap_or_default());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        told.await.unwrap()
    }

    /// An owner grants the App permissions at these levels.
    pub fn grant(&self, permissions: &[(&str, &str)]) {
        let (id, mut granted) = self.hub.read(|view| {
            let installation = view.world.installations.values().next().unwrap();
            (installation.id, installation.permissions.clone())
        });
        granted.extend(permissions.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())));
        let granted: Vec<(&str, &str)> = granted.iter().map(|(name, level)| (name.as_str(), level.as_str())).collect();
        self.hub.set_permissions(id, &granted).unwrap();
    }

    /// The first entry of this type in the organisation's audit log, once there is one.
    pub async fn until_told(&self, kind: &str) -> serde_json::Value {
        self.until_told_again(kind, 1).await
    }

    /// The entry that is the so many-th of this type.
    pub async fn until_told_again(&self, kind: &str, times: usize) -> serde_json::Value {
        let store = flowctl_app::server::existing(&self.settings).await.unwrap().unwrap();
        let tenant = flowctl_core::execution::TenantId("octo-org".to_owned());
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let entries = store.audit(&tenant, 0, 1_000).await.unwrap();
                let said = entries.iter().map(|entry| serde_json::from_str::<serde_json::Value>(&entry.line).unwrap());
                if let Some(found) = said.filter(|said| said["type"] == kind).nth(times - 1) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let found = found.await;
        store.close().await;
        found.unwrap_or_else(|_| panic!("no `{kind}` number {times}:\n{}", self.everything()))
    }

    /// Opens alice's pull request with these files.
    pub fn pull_request_with(&self, head: &str, files: &[(&str, Option<&str>)]) -> u64 {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.map(str::to_owned))).collect();
        let new =
            OpenPullRequest { title: head.to_owned(), head: head.to_owned(), files, ..OpenPullRequest::default() };
        self.hub.open_pull_request(REPOSITORY, "alice", &new).unwrap()
    }

    /// GitHub's deliveries reach nobody from now on.
    pub fn cut_off(&self) {
        self.hub.set_webhook_url("http://127.0.0.1:9/webhooks/github").unwrap();
    }

    /// Something goes wrong once with such a request.
    pub fn disturb(&self, fault: Fault, method: &str, path: &str) {
        self.hub.faults.add(FaultRule::new(fault).method(method).path(path));
    }

    /// Waits until `look` finds something.
    pub async fn eventually<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        self.eventually_within(PATIENCE, what, look).await
    }

    /// The same where it may take so long.
    pub async fn eventually_within<T>(&self, patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let mut changes = self.hub.subscribe();
        let found = tokio::time::timeout(patience, async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = look() {
                    return found;
                }
                changes.changed().await.unwrap();
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => panic!("{what} did not happen; what is there:\n{}", self.everything()),
        }
    }

    /// GitHub can no longer send again what it has sent so far.
    pub async fn forget_deliveries(&self) {
        self.sandbox.deliveries_settled(PATIENCE).await.unwrap();
        self.hub.forget_deliveries().unwrap();
    }

    /// How every execution stands in the store, oldest first.
    pub async fn statuses(&self) -> Vec<String> {
        self.stored("select status from executions order by id").await
    }

    async fn stored(&self, query: &'static str) -> Vec<String> {
        let file = self.data.path().join("flowctl.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).read_only(true);
        let database = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let found = sqlx::query_scalar(query).fetch_all(&database).await;
        database.close().await;
        found.unwrap()
    }

    /// Waits until nothing is to be told to GitHub under this key any more: it was told, or given up.
    pub async fn until_dealt_with(&self, key: &str) {
        let reached = tokio::time::timeout(PATIENCE, async {
            let pending = "select key from effects where status = 'pending'";
            while self.stored(pending).await.iter().any(|pending| pending == key) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(reached.await.is_ok(), "{key} should be dealt with");
    }

    /// Waits until the server takes the installation for suspended, or no longer.
    pub async fn until_suspended(&self, expected: bool) {
        let reached = tokio::time::timeout(PATIENCE, async {
            while self.stored("select tenant from installations where suspended").await.is_empty() == expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(reached.await.is_ok(), "whether it is suspended should be known to be {expected}");
    }

    /// Waits until they stand so.
    pub async fn until_statuses(&self, expected: &[&str]) {
        let reached = tokio::time::timeout(PATIENCE, async {
            while self.statuses().await != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(reached.await.is_ok(), "{:?} and not {expected:?}", self.statuses().await);
    }

    /// Ends the waiting of every write that was put off, while the server is down; how many hours the longest would have
    /// waited from now on, rounded up.
    pub async fn time_for_what_was_put_off(&self) -> i64 {
        let file = self.data.path().join("flowctl.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let database = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let longest: i64 =
            sqlx::query_scalar("select max(not_before) from effects").fetch_one(&database).await.unwrap();
        sqlx::query("update effects set not_before = 0").execute(&database).await.unwrap();
        database.close().await;
        let seconds = longest / 1_000_000 - jiff::Timestamp::now().as_second();
        (seconds + 3_599) / 3_600
    }

    /// The check runs of a pull request with their conclusions, oldest first; of one check.
    pub fn runs(&self, number: u64, process: &str) -> Vec<CheckRun> {
        let runs = self.hub.check_runs_of_pull_request(REPOSITORY, number).unwrap();
        runs.into_iter().filter(|run| run.name == format!("flowctl / {process}")).collect()
    }

    /// The last run on the head, once it has this conclusion.
    pub async fn concluded(&self, number: u64, process: &str, conclusion: &str) -> CheckRun {
        let what = format!("{process} with conclusion {conclusion}");
        self.eventually(&what, || {
            let head = self.hub.issue(REPOSITORY, number).unwrap().pull_request.unwrap().head_sha;
            let last = self.runs(number, process).into_iter().rfind(|run| run.head_sha == head)?;
            (last.conclusion.as_deref() == Some(conclusion)).then_some(last)
        })
        .await
    }

    /// What happened to the check run over time: `in_progress → action_required`, and so on, a line a run.
    pub fn history(&self, number: u64, process: &str) -> String {
        let lines: Vec<String> = self
            .runs(number, process)
            .iter()
            .map(|run| {
                let mut states: Vec<&str> =
                    run.history.iter().map(|v| v.conclusion.as_deref().unwrap_or(v.status.as_str())).collect();
                states.dedup();
                states.join(" → ")
            })
            .collect();
        lines.join("\n")
    }

    /// Comments of the App with this text, oldest first.
    pub fn app_comments(&self, number: u64, containing: &str) -> Vec<String> {
        let comments = self.hub.comments(REPOSITORY, number).unwrap();
        comments.into_iter().filter(|c| c.app.is_some() && c.body.contains(containing)).map(|c| c.body).collect()
    }

    /// The id of the execution that has its comment there.
    pub fn execution_of(&self, number: u64) -> String {
        let comment = self.app_comments(number, EXECUTION).pop().unwrap();
        comment[EXECUTION.len()..].split(" -->").next().unwrap().to_owned()
    }

    fn everything(&self) -> String {
        let mut told = String::new();
        for number in 1..=9 {
            let Ok(comments) = self.hub.comments(REPOSITORY, number) else { break };
            for comment in comments {
                let reactions: Vec<String> = self.hub.reactions(comment.id).into_iter().map(|r| r.content).collect();
                told.push_str(&format!("#{number} {reactions:?}\n{}\n---\n", comment.body));
            }
            for run in self.hub.check_runs_of_pull_request(REPOSITORY, number).unwrap_or_default() {
                told.push_str(&format!(
                    "#{number} {} {:?} {:?} {}\n",
                    run.name, run.conclusion, run.title, run.head_sha
                ));
            }
        }
        for delivery in self.hub.deliveries() {
            told.push_str(&format!("{} {:?} {}\n", delivery.event, delivery.action, delivery.status));
        }
        told
    }
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
        ("FLOWCTL_API_TOKEN", TOKEN.to_owned()),
    ];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value));
    Settings::load(None, environment).unwrap().0
}

fn run(server: Server, shutdown: &CancellationToken) -> JoinHandle<()> {
    let shutdown = shutdown.clone();
    tokio::spawn(async move { server.run(shutdown).await.unwrap() })
}

/// What stands in a reference.
#[derive(Debug)]
pub struct Committed {
    /// Its commits, oldest first.
    pub commits: Vec<String>,
    /// The types of the entries.
    pub kinds: Vec<String>,
}

impl Committed {
    fn holds(&self, wanted: &[&str]) -> bool {
        let count = |kind: &str| self.kinds.iter().filter(|known| *known == kind).count();
        wanted.iter().all(|kind| count(kind) >= wanted.iter().filter(|other| *other == kind).count())
    }
}

/// Something that is about to be said.
pub struct Saying<'a> {
    stage: &'a Stage,
    number: u64,
    body: String,
}

impl Saying<'_> {
    /// Says it, and gives the comment's id.
    pub fn said_by(&self, login: &str) -> u64 {
        self.stage.hub.comment(REPOSITORY, login, self.number, &self.body).unwrap()
    }

    /// Says it and waits for the answer: `🚀`, or `😕` with the reply, without its marker.
    pub async fn by(&self, login: &str) -> String {
        self.stage.answer_to(self.number, self.said_by(login)).await
    }
}

impl Stage {
    /// The answer to a comment.
    pub async fn answer_to(&self, number: u64, comment: u64) -> String {
        self.eventually("an answer", || {
            let reactions: Vec<String> = self.hub.reactions(comment).into_iter().map(|r| r.content).collect();
            let has = |content: &str| reactions.iter().any(|reaction| reaction == content);
            let marker = format!("<!-- flowctl:reply:comment:{comment} -->");
            let reply = self.app_comments(number, &marker).pop();
            let reply = reply.map(|reply| reply.replace(&marker, "").trim().to_owned());
            assert!(reactions.is_empty() || has("eyes"), "what is answered was read: {reactions:?}");
            match (has("rocket"), has("confused"), reply) {
                (_, true, Some(reply)) => Some(format!("😕 {reply}")),
                (true, false, Some(reply)) => Some(format!("🚀 {reply}")),
                (true, false, None) => Some("🚀".to_owned()),
                _ => None,
            }
        })
        .await
    }
}
