//! The handle that tests and `flowctl dev` hold: start, addresses, the App's credentials, stop.
//! The server runs on threads of its own, so that callers may block as they like.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::error::SandboxError;
use crate::git::GitStore;
use crate::hub::{Hub, HubParts};
use crate::key;
use crate::pace::{Pace, RateLimits};
use crate::shape::Urls;
use crate::snapshot::Snapshot;
use crate::state::{App, Id, World};
use crate::{server, webhook};

/// Permissions that the App asks for unless the builder says otherwise.
const PERMISSIONS: [(&str, &str); 10] = [
    ("actions", "write"),
    ("checks", "write"),
    ("contents", "read"),
    ("deployments", "write"),
    ("issues", "write"),
    ("members", "read"),
    ("merge_queues", "read"),
    ("metadata", "read"),
    ("pull_requests", "write"),
    ("statuses", "write"),
];
/// Events that the App listens to unless the builder says otherwise.
const EVENTS: [&str; 15] = [
    "check_run",
    "check_suite",
    "create",
    "delete",
    "deployment_protection_rule",
    "issue_comment",
    "issues",
    "label",
    "merge_group",
    "pull_request",
    "pull_request_review",
    "push",
    "repository",
    "repository_dispatch",
    "workflow_run",
];

/// What a server needs to be this App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppCredentials {
    /// The App's id.
    pub id: Id,
    /// Its name in URLs; its bot is `SLUG[bot]`.
    pub slug: String,
    /// Its RSA key, PKCS#8 PEM.
    pub private_key_pem: String,
    /// The secret of its webhooks.
    pub webhook_secret: String,
}

/// How a sandbox shall be.
#[derive(Debug)]
pub struct Builder {
    listen: SocketAddr,
    data_directory: Option<PathBuf>,
    webhook_url: Option<String>,
    slug: String,
    limits: RateLimits,
    permissions: Vec<(String, String)>,
    events: Vec<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_directory: None,
            webhook_url: None,
            slug: "flowctl-sandbox".to_owned(),
            limits: RateLimits::default(),
            permissions: PERMISSIONS.map(|(name, level)| (name.to_owned(), level.to_owned())).to_vec(),
            events: EVENTS.map(str::to_owned).to_vec(),
        }
    }
}

impl Builder {
    /// Where to listen; a free port of 127.0.0.1 otherwise.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// A folder in which the state outlives the sandbox; a temporary one otherwise.
    #[must_use]
    pub fn data_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data_directory = Some(directory.into());
        self
    }

    /// Where webhooks go from the start.
    #[must_use]
    pub fn webhook_url(mut self, url: impl Into<String>) -> Self {
        self.webhook_url = Some(url.into());
        self
    }

    /// The App's name in URLs.
    #[must_use]
    pub fn app_slug(mut self, slug: impl Into<String>) -> Self {
        self.slug = slug.into();
        self
    }

    /// Rate limits other than GitHub's.
    #[must_use]
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The App's permissions instead of the usual ones.
    #[must_use]
    pub fn permissions(mut self, permissions: &[(&str, &str)]) -> Self {
        self.permissions = permissions.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect();
        self
    }

    /// One of the App's permissions at another level than usual.
    #[must_use]
    pub fn permission(mut self, name: &str, level: &str) -> Self {
        self.permissions.retain(|(known, _)| known != name);
        self.permissions.push((name.to_owned(), level.to_owned()));
        self
    }

    /// The App's events instead of the usual ones.
    #[must_use]
    pub fn events(mut self, events: &[&str]) -> Self {
        self.events = events.iter().map(|event| (*event).to_owned()).collect();
        self
    }

    /// Starts it. A data folder that holds an earlier state is gone on with.
    ///
    /// # Errors
    /// The address is taken, the folder cannot be used, or its state cannot be read.
    pub fn start(self) -> Result<Sandbox, SandboxError> {
        let temporary = match &self.data_directory {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(SandboxError::file(&std::env::temp_dir()))?),
        };
        let directory = self.data_directory.clone();
        let directory =
            directory.or_else(|| temporary.as_ref().map(|folder| folder.path().to_owned())).unwrap_or_default();
        let repositories = directory.join("repositories");
        std::fs::create_dir_all(&repositories).map_err(SandboxError::file(&repositories))?;
        let snapshot = self.data_directory.as_deref().map(Snapshot::open).transpose()?;
        let world = self.world(snapshot.as_ref())?;
        let listen = |source| SandboxError::Listen { address: self.listen, source };
        let listener = std::net::TcpListener::bind(self.listen).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (outbound, queue) = mpsc::unbounded_channel();
        let hub = Arc::new(Hub::new(HubParts {
            world,
            urls: Urls::new(format!("http://{address}")),
            git: GitStore::new(repositories),
            pace: Pace::new(self.limits),
            snapshot,
            outbound,
        }));
        let (stop, stopped) = oneshot::channel();
        let thread = spawn(Arc::clone(&hub), listener, queue, stopped).map_err(listen)?;
        let sandbox = Sandbox { hub, stop: Some(stop), thread: Some(thread), _temporary: temporary };
        if let Some(url) = &self.webhook_url {
            sandbox.set_webhook_url(url)?;
        }
        Ok(sandbox)
    }

    fn world(&self, snapshot: Option<&Snapshot>) -> Result<World, SandboxError> {
        if let Some(world) = snapshot.map(Snapshot::read).transpose()?.flatten() {
            return Ok(world);
        }
        let now = Timestamp::now();
        let (private_key_pem, public_key_pem) = key::generate()?;
        let app = App {
            id: 1_048_577,
            slug: self.slug.clone(),
            name: self.slug.clone(),
            client_id: format!("Iv23li{}", key::secret(7)),
            owner: 0,
            bot: 0,
            private_key_pem,
            public_key_pem,
            webhook_secret: key::secret(20),
            webhook_url: None,
            permissions: self.permissions.iter().cloned().collect(),
            events: self.events.clone(),
            created_at: now,
        };
        let other = App {
            id: 15_368,
            slug: "github-actions".to_owned(),
            name: "GitHub Actions".to_owned(),
            client_id: "Iv1.05c79e9ad1f6bdfa".to_owned(),
            private_key_pem: String::new(),
            public_key_pem: String::new(),
            webhook_secret: String::new(),
            ..app.clone()
        };
        Ok(World::new(now, app, other))
    }
}

/// Runs server and webhooks on a thread of their own until told to stop.
fn spawn(
    hub: Arc<Hub>,
    listener: std::net::TcpListener,
    queue: mpsc::UnboundedReceiver<Id>,
    stopped: oneshot::Receiver<()>,
) -> std::io::Result<JoinHandle<()>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("sandbox").enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let deliveries = webhook::deliver_all(Arc::clone(&hub), queue);
            tokio::select! {
                ended = server::serve(hub, listener) => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the sandbox's server ended");
                    }
                }
                () = deliveries => {}
                _ = stopped => {}
            }
        });
        runtime.shutdown_background();
    })
}

/// A running sandbox; it stops when dropped. All deeds and questions are those of [`Hub`].
#[derive(Debug)]
pub struct Sandbox {
    hub: Arc<Hub>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _temporary: Option<tempfile::TempDir>,
}

impl Deref for Sandbox {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.hub
    }
}

impl Sandbox {
    /// A sandbox to be configured.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The base of the REST API: `http://127.0.0.1:PORT/api/v3`.
    pub fn api_url(&self) -> String {
        self.hub.urls.api()
    }

    /// The base of pages and clones: `http://127.0.0.1:PORT`.
    pub fn web_url(&self) -> String {
        self.hub.urls.web().to_owned()
    }

    /// The App's id, key and webhook secret.
    pub fn app(&self) -> AppCredentials {
        self.hub.read(|view| {
            let app = &view.world.app;
            AppCredentials {
                id: app.id,
                slug: app.slug.clone(),
                private_key_pem: app.private_key_pem.clone(),
                webhook_secret: app.webhook_secret.clone(),
            }
        })
    }

    /// The hub, to be shared with tasks.
    pub fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }

    /// Waits until every webhook so far was answered, lost or given up.
    ///
    /// # Errors
    /// Not within `within`.
    pub async fn deliveries_settled(&self, within: std::time::Duration) -> Result<(), SandboxError> {
        let settled =
            |view: crate::shape::View<'_>| view.world.deliveries.values().all(|delivery| delivery.done).then_some(());
        self.hub.wait_until("every webhook to be answered", within, settled).await
    }

    /// Stops it and waits until its port is free.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only when the server has ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sandbox's thread panicked");
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end();
    }
}
