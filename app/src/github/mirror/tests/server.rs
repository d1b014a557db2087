//! A git server for tests: smart HTTP over the real `git upload-pack`, with a token, redirects, and connections that
//! break off.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as Segments, RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{get, post};
use base64::Engine;
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use url::Url;

/// What the server does otherwise than a good one.
#[derive(Debug, Clone, Default)]
pub(super) struct Behaviour {
    /// The token that is accepted.
    pub(super) token: String,
    /// Ends a pack after this many bytes, as a connection that drops does.
    pub(super) cut_after: Option<usize>,
    /// Turns a byte of the pack.
    pub(super) spoil: bool,
    /// Sends the service line that older servers put before version 2.
    pub(super) service_line: bool,
    /// Answers as a server that does not know version 2.
    pub(super) old: bool,
    /// Answers everything with this status.
    pub(super) status: Option<u16>,
    /// Where requests for `octo/old` are sent.
    pub(super) moved_to: Option<String>,
}

#[derive(Clone)]
struct Shared {
    root: std::path::PathBuf,
    behaviour: Arc<Mutex<Behaviour>>,
    greetings: Arc<AtomicUsize>,
    packs: Arc<Mutex<Vec<usize>>>,
}

pub(super) struct GitServer {
    shared: Shared,
    pub(super) url: Url,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl GitServer {
    /// Serves the bare repositories `root/OWNER/NAME`.
    pub(super) async fn start(root: &std::path::Path, token: &str) -> Self {
        let behaviour = Behaviour { token: token.to_owned(), ..Behaviour::default() };
        let shared = Shared {
            root: root.to_owned(),
            behaviour: Arc::new(Mutex::new(behaviour)),
            greetings: Arc::default(),
            packs: Arc::default(),
        };
        let router = Router::new()
            .route("/{owner}/{name}/info/refs", get(greeting))
            .route("/{owner}/{name}/git-upload-pack", post(command))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, url, task }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.behaviour.lock().unwrap());
    }

    /// How often a conversation was begun with the right token.
    pub(super) fn greetings(&self) -> usize {
        self.shared.greetings.load(Ordering::SeqCst)
    }

    /// The sizes of the packs that were sent whole.
    pub(super) fn packs(&self) -> Vec<usize> {
        self.shared.packs.lock().unwrap().clone()
    }
}

fn refused(shared: &Shared, headers: &HeaderMap, owner: &str, name: &str) -> Option<Response<Body>> {
    let behaviour = shared.behaviour.lock().unwrap().clone();
    let status = |status: u16| Response::builder().status(status).body(Body::empty()).unwrap();
    if let Some(code) = behaviour.status {
        return Some(status(code));
    }
    if let Some(target) = behaviour.moved_to.filter(|_| name == "old") {
        let location = format!("{target}/info/refs?service=git-upload-pack");
        return Some(Response::builder().status(301).header("location", location).body(Body::empty()).unwrap());
    }
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{}", behaviour.token));
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&format!("Basic {pair}")) {
        return Some(status(401));
    }
    (!shared.root.join(owner).join(name).exists()).then(|| status(404))
}

async fn greeting(
    State(shared): State<Shared>,
    Segments((owner, name)): Segments<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    assert_eq!(query.as_deref(), Some("service=git-upload-pack"));
    if let Some(refused) = refused(&shared, &headers, &owner, &name) {
        return refused;
    }
    shared.greetings.fetch_add(1, Ordering::SeqCst);
    let behaviour = shared.behaviour.lock().unwrap().clone();
    let protocol = if behaviour.old { "" } else { headers["git-protocol"].to_str().unwrap() };
    let said = upload_pack(&shared, &owner, &name, protocol, &["--http-backend-info-refs"], &[]).await;
    let mut body = Vec::new();
    if behaviour.service_line || behaviour.old {
        body.extend_from_slice(b"001e# service=git-upload-pack\n0000");
    }
    body.extend_from_slice(&said);
    Response::new(Body::from(body))
}

async fn command(
    State(shared): State<Shared>,
    Segments((owner, name)): Segments<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if let Some(refused) = refused(&shared, &headers, &owner, &name) {
        return refused;
    }
    assert_eq!(headers["content-type"], "application/x-git-upload-pack-request");
    let protocol = headers["git-protocol"].to_str().unwrap();
    let mut said = upload_pack(&shared, &owner, &name, protocol, &[], &body).await;
    let is_fetch = body.windows(13).any(|window| window == b"command=fetch");
    if !is_fetch {
        return Response::new(Body::from(said));
    }
    let behaviour = shared.behaviour.lock().unwrap().clone();
    if behaviour.spoil {
        let middle = said.len() / 2;
        said[middle] ^= 0xff;
    }
    if let Some(length) = behaviour.cut_after.filter(|length| *length < said.len()) {
        let pieces = vec![Ok(Bytes::copy_from_slice(&said[..length])), Err(std::io::Error::other("cut"))];
        return Response::new(Body::from_stream(futures_util::stream::iter(pieces)));
    }
    shared.packs.lock().unwrap().push(said.len());
    Response::builder().status(StatusCode::OK).body(Body::from(said)).unwrap()
}

async fn upload_pack(
    shared: &Shared,
    owner: &str,
    name: &str,
    protocol: &str,
    options: &[&str],
    input: &[u8],
) -> Vec<u8> {
    let mut child = tokio::process::Command::new("git")
        .args([
            "-c",
            "safe.directory=*",
            "-c",
            "uploadpack.advertiseUnborn=advertise",
            "upload-pack",
            "--stateless-rpc",
        ])
        .args(options)
        .arg(shared.root.join(owner).join(name))
        .env("GIT_PROTOCOL", protocol)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).await.unwrap();
    drop(stdin);
    child.wait_with_output().await.unwrap().stdout
}
