//! The event stream on a real NATS server: everything that is stored arrives, in order and once for whoever looks at the
//! ids, also where NATS was away, where it died, and where the server died between telling and noting it.
//! `FLOWCTL_TEST_NATS_SERVER` names the program; without it the tests count as ignored (`tests/run` finds or installs it).
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, stream::Stream};
use flowctl_tests::{Database, Server, free_address, local_repository};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;

const TOKEN: &str = "an-administrators-token";
const PATIENCE: Duration = Duration::from_secs(60);

/// A process of three steps, one of which gives much.
fn count() -> String {
    let much = "All is well. ".repeat(1_000);
    format!(
        "name: count\nversion: 1\nsteps:\n  - {{id: one, type: set, values: {{text: '{much}'}}}}\n  \
         - {{id: two, type: wait, for: 1ms, depends_on: one}}\n  - {{id: three, type: set, depends_on: two, values: {{x: 3}}}}\n"
    )
}

/// The seed of a user's key and its public half, as NATS's documentation of NKeys has them.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

/// An authority of our own, what it vouches for, and a server's configuration that asks for it and for one key.
struct Guard {
    folder: TempDir,
}

impl Guard {
    fn new() -> Self {
        let guard = Self { folder: tempfile::tempdir().unwrap() };
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        std::fs::write(guard.path("names"), "subjectAltName=IP:127.0.0.1").unwrap();
        guard.openssl(&format!("{new} -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"));
        guard.openssl(&format!("{new} -subj /CN=nats -keyout nats.key -out nats.csr"));
        guard.openssl(
            "x509 -req -in nats.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out nats.pem",
        );
        let (certificate, key) = (guard.path("nats.pem"), guard.path("nats.key"));
        let configuration = format!(
            "tls {{ cert_file: {certificate:?}, key_file: {key:?} }}\nauthorization {{ users: [ {{ nkey: {PUBLIC} }} ] }}\n"
        );
        std::fs::write(guard.path("nats.conf"), configuration).unwrap();
        guard
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let made = Command::new("openssl").args(arguments.split(' ')).current_dir(self.folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// A NATS server with JetStream in a folder.
struct Nats {
    child: Child,
    address: SocketAddr,
    /// Where it is guarded, the certificate of its authority.
    authority: Option<PathBuf>,
}

impl Nats {
    fn start(folder: &Path, address: SocketAddr) -> Self {
        Self::start_guarded(folder, address, None)
    }

    fn start_guarded(folder: &Path, address: SocketAddr, guard: Option<&Guard>) -> Self {
        let program = std::env::var("FLOWCTL_TEST_NATS_SERVER").expect("FLOWCTL_TEST_NATS_SERVER names the program");
        let child = Command::new(program)
            .args(["-a", "127.0.0.1", "-p", &address.port().to_string(), "-js", "-sd"])
            .arg(folder)
            .args(guard.iter().flat_map(|guard| ["-c".into(), guard.path("nats.conf")]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address, authority: guard.map(|guard| guard.path("ca.pem")) }
    }

    fn url(address: SocketAddr) -> String {
        format!("nats://{address}")
    }

    async fn connect(&self) -> Result<async_nats::Client, async_nats::ConnectError> {
        match &self.authority {
            None => async_nats::connect(Self::url(self.address)).await,
            Some(authority) => {
                let options = async_nats::ConnectOptions::new().add_root_certificates(authority.clone());
                options.nkey(SEED.to_owned()).connect(format!("tls://{}", self.address)).await
            }
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The stream, once it is there.
    async fn stream(&self) -> Stream {
        let began = Instant::now();
        loop {
            if let Ok(client) = self.connect().await
                && let Ok(stream) = jetstream::new(client).get_stream("FLOWCTL").await
            {
                return stream;
            }
            assert!(began.elapsed() < PATIENCE, "no stream came to be");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Every message that the stream holds once it holds so many: id, subject, body.
    async fn messages(&self, count: usize) -> Vec<(String, String, Value)> {
        let mut stream = self.stream().await;
        let began = Instant::now();
        while stream.info().await.is_ok_and(|info| info.state.messages < count as u64) {
            assert!(began.elapsed() < PATIENCE, "{count} messages never came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let held = usize::try_from(stream.info().await.unwrap().state.messages).unwrap();
        let all =
            pull::Config { deliver_policy: DeliverPolicy::All, ack_policy: AckPolicy::None, ..pull::Config::default() };
        let consumer = stream.create_consumer(all).await.unwrap();
        let mut arriving = consumer.messages().await.unwrap().take(held);
        let mut messages = Vec::new();
        while let Some(message) = tokio::time::timeout(PATIENCE, arriving.next()).await.unwrap() {
            let message = message.unwrap();
            let id = message.headers.as_ref().unwrap().get("Nats-Msg-Id").unwrap().to_string();
            let body = serde_json::from_slice(&message.payload).unwrap();
            messages.push((id, message.subject.to_string(), body));
        }
        messages
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A repository, the folders of servers, and where NATS listens.
struct Stage {
    folder: TempDir,
    nats: SocketAddr,
    client: reqwest::Client,
}

impl Stage {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        local_repository(&folder.path().join("shop"), &[("count", count())]);
        Self { folder, nats: free_address(), client: reqwest::Client::new() }
    }

    fn nats(&self) -> Nats {
        Nats::start(&self.folder.path().join("nats"), self.nats)
    }

    fn settings(&self, more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
        let shop = format!("shop={}", self.folder.path().join("shop").display());
        let mut settings = vec![
            ("FLOWCTL_API_TOKEN", TOKEN.to_owned()),
            ("FLOWCTL_REPOSITORIES", shop),
            ("FLOWCTL_NATS_URL", Nats::url(self.nats)),
        ];
        settings.extend_from_slice(more);
        settings
    }

    fn server(&self, name: &str, more: &[(&'static str, String)]) -> Server {
        Server::start(&self.settings(more), &self.folder.path().join(name), free_address())
    }

    async fn get(&self, server: &Server, path: &str) -> Value {
        let request = self.client.get(format!("http://{}{path}", server.address)).bearer_auth(TOKEN);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Starts so many executions and waits for their ends; their events by id of the message, as the API tells them.
    async fn play(&self, server: &Server, executions: usize) -> BTreeMap<String, Value> {
        let mut ids = Vec::new();
        for _ in 0..executions {
            let request = self.client.post(format!("http://{}/api/v1/executions", server.address));
            let started = request.bearer_auth(TOKEN).json(&json!({"process": "count"})).send().await.unwrap();
            let started: Value = started.error_for_status().unwrap().json().await.unwrap();
            ids.push(started["id"].as_str().unwrap().to_owned());
        }
        self.events_of(server, &ids).await
    }

    /// The events of executions once they have completed.
    async fn events_of(&self, server: &Server, ids: &[String]) -> BTreeMap<String, Value> {
        let mut events = BTreeMap::new();
        for id in ids {
            let path = format!("/api/v1/executions/{id}");
            let began = Instant::now();
            while self.get(server, &path).await["status"] != "completed" {
                assert!(began.elapsed() < PATIENCE, "{id} does not end\n{}", server.log());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let all = self.get(server, &format!("{path}/events?limit=100")).await;
            for event in all["items"].as_array().unwrap() {
                events.insert(format!("{id}:{}", event["seq"]), event.clone());
            }
        }
        events
    }

    /// Waits until it is noted that all was told.
    async fn all_noted(&self, server: &Server) {
        let began = Instant::now();
        while self.untold(server).await > 0 {
            assert!(began.elapsed() < PATIENCE, "what was told is never noted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn untold(&self, server: &Server) -> u64 {
        let told = self.client.get(format!("http://{}/metrics", server.address)).send().await.unwrap();
        let told = told.text().await.unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix("flowctl_queue_length{queue=\"stream\"} "));
        line.unwrap().parse().unwrap()
    }
}

/// The stream holds each of these events once and nothing else, and those of each execution in order.
#[track_caller]
fn assert_told(messages: &[(String, String, Value)], events: &BTreeMap<String, Value>) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for (id, subject, body) in messages {
        let event = events.get(id).unwrap_or_else(|| panic!("{id} is no event, or was told twice"));
        let kind = event["type"].as_str().unwrap();
        assert_eq!(*subject, format!("flowctl.events.local.count.{kind}"));
        let mut expected = json!({"tenant": "local", "repository": "shop", "process": "count"});
        expected.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
        assert_eq!(*body, expected);
        let (execution, seq) = (body["execution"].as_str().unwrap(), body["seq"].as_u64().unwrap());
        assert_eq!(last.insert(execution, seq).unwrap_or_default() + 1, seq, "{execution} is out of order");
    }
    assert_eq!(messages.len(), events.len());
}

#[tokio::test]
#[ignore = "needs nats-server: FLOWCTL_TEST_NATS_SERVER, or ./tests/run"]
async fn every_event_arrives_once_and_in_order() {
    let stage = Stage::set();
    let nats = stage.nats();
    let mut server = stage.server("a", &[]);
    let events = stage.play(&server, 5).await;
    assert_told(&nats.messages(events.len()).await, &events);
    stage.all_noted(&server).await;
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test]
#[ignore = "needs nats-server: FLOWCTL_TEST_NATS_SERVER, or ./tests/run"]
async fn nothing_waits_for_nats_and_nothing_is_lost_while_it_is_away() {
    let stage = Stage::set();
    let mut server = stage.server("a", &[]);
    // It is not there at all.
    let mut events = stage.play(&server, 2).await;
    assert!(stage.untold(&server).await > 0);
    let mut nats = stage.nats();
    assert_told(&nats.messages(events.len()).await, &events);
    // It dies and comes back with what it had.
    nats.kill();
    events.extend(stage.play(&server, 2).await);
    let nats = stage.nats();
    assert_told(&nats.messages(events.len()).await, &events);
    // It is away over the server's end.
    drop(nats);
    events.extend(stage.play(&server, 1).await);
    assert_eq!(server.stop(), Some(0));
    let nats = stage.nats();
    let server = stage.server("a", &[]);
    assert_told(&nats.messages(events.len()).await, &events);
    drop(server);
}

#[tokio::test]
#[ignore = "needs nats-server: FLOWCTL_TEST_NATS_SERVER, or ./tests/run"]
async fn what_was_told_and_not_noted_before_a_crash_is_one_message() {
    let stage = Stage::set();
    let nats = stage.nats();
    let crash = [("FLOWCTL_CRASH_AT", "stream.published".to_owned())];
    let dead = async |mut server: Server| {
        let began = Instant::now();
        while !server.has_ended() {
            assert!(began.elapsed() < PATIENCE, "it does not die\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let server = stage.server("a", &crash);
    // The answer may not come any more: the server dies as soon as it has told of the start.
    let request = stage.client.post(format!("http://{}/api/v1/executions", server.address));
    let _ = request.bearer_auth(TOKEN).json(&json!({"process": "count"})).send().await;
    dead(server).await;
    for _ in 0..2 {
        // What it has not noted it tells again, and dies again.
        dead(Server::spawn(&stage.settings(&crash), &stage.folder.path().join("a"), free_address())).await;
    }
    let server = stage.server("a", &[]);
    let all = stage.get(&server, "/api/v1/executions").await;
    let ids: Vec<String> =
        all["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1);
    let events = stage.events_of(&server, &ids).await;
    assert_told(&nats.messages(events.len()).await, &events);
}

#[tokio::test]
#[ignore = "needs nats-server: FLOWCTL_TEST_NATS_SERVER, or ./tests/run"]
async fn a_guarded_server_is_told_over_tls_by_who_has_its_key() {
    let (stage, guard) = (Stage::set(), Guard::new());
    let nats = Nats::start_guarded(&stage.folder.path().join("nats"), stage.nats, Some(&guard));
    let secured = ("FLOWCTL_NATS_URL", format!("tls://{}", stage.nats));
    let trusting = ("SSL_CERT_FILE", guard.path("ca.pem").display().to_string());
    let known = ("FLOWCTL_NATS_NKEY", SEED.to_owned());
    // Without the authority, and without the key, nothing is told.
    let mut events = BTreeMap::new();
    for lacking in [vec![secured.clone(), known.clone()], vec![secured.clone(), trusting.clone()]] {
        let mut server = stage.server("a", &lacking);
        events.extend(stage.play(&server, 1).await);
        let began = Instant::now();
        while !server.log().contains("NATS cannot be reached") {
            assert!(began.elapsed() < PATIENCE, "nobody says that NATS refuses\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(stage.untold(&server).await > 0);
        assert_eq!(server.stop(), Some(0));
    }
    let mut server = stage.server("a", &[secured, trusting, known]);
    events.extend(stage.play(&server, 1).await);
    assert_told(&nats.messages(events.len()).await, &events);
    stage.all_noted(&server).await;
    assert_eq!(server.stop(), Some(0));
    assert!(!server.log().contains(SEED), "its secret is in the log");
}

#[tokio::test]
#[ignore = "needs nats-server and a PostgreSQL server: ./tests/run"]
async fn of_two_servers_one_tells_and_the_other_follows_it() {
    let stage = Stage::set();
    let database = Database::of_tests().await;
    let shared = [("FLOWCTL_DATABASE_URL", database.url.clone()), ("FLOWCTL_LEASE_SECONDS", "2".to_owned())];
    let nats = stage.nats();
    let mut servers = [stage.server("a", &shared), stage.server("b", &shared)];
    let mut events = stage.play(&servers[0], 3).await;
    events.extend(stage.play(&servers[1], 3).await);
    assert_told(&nats.messages(events.len()).await, &events);
    // Whichever of them told, the other one is left at one time or another.
    for (killed, left) in [(0, 1), (1, 0)] {
        servers[killed].kill();
        events.extend(stage.play(&servers[left], 2).await);
        assert_told(&nats.messages(events.len()).await, &events);
        servers[killed] = stage.server(["a", "b"][killed], &shared);
    }
}
