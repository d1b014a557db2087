//! Puts the rooms together and runs them until they are asked to stop: what `flowctl serve` and `flowctl dev` do.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::role::Role;
use super::{open, router};
use crate::api::{self, Api, ApiParts};
use crate::audit;
use crate::clock::{Clock, SystemClock};
use crate::engine::{EffectPlanner, Engine, EngineOptions, TenantBudgets};
use crate::github::client::{GitHub, GitHubError};
use crate::github::definitions::Repositories;
use crate::github::intake::{Intake, IntakeParts};
use crate::github::mirror::{MirrorError, Mirrors};
use crate::github::outbox::{AuditReferences, GitHubPlanner, Installations, Outbox};
use crate::github::redelivery::Redelivery;
use crate::github::setup::{self, AppPage, Setup, SetupPlaces, app_page};
use crate::github::{sharing, shown};
use crate::ids::RandomIds;
use crate::settings::{GitHubSettings, Settings};
use crate::steps::Performers;
use crate::store::{Installation, Store, StoreError};
use crate::stream::EventStream;
use crate::telemetry::{Exposition, ExpositionError, TraceSender, Traces, TracesError};

/// Why the server does not start or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}: {source}; set FLOWCTL_LISTEN to another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data directory cannot be made.
    #[error("the data directory {} cannot be made: {source}; set FLOWCTL_DATA_DIR to another one", .path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Several replicas on a database of one.
    #[error(
        "--role {role} needs a database that several replicas share: set FLOWCTL_DATABASE_URL to a postgres:// address"
    )]
    NotShared {
        /// What was asked for.
        role: Role,
    },
    /// The GitHub side cannot be set up.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The mirrors cannot be set up.
    #[error(transparent)]
    Mirrors(#[from] MirrorError),
    /// An event stream that this program knows nothing of.
    #[error("FLOWCTL_NATS_URL is set, and this flowctl was built without NATS; build it with `--features nats`")]
    NoStream,
    /// Metrics.
    #[error(transparent)]
    Metrics(#[from] ExpositionError),
    /// Traces.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// The web server failed.
    #[error("the web server failed: {0}")]
    Web(#[source] std::io::Error),
}

/// A server that listens and does nothing else yet.
pub struct Server {
    listener: TcpListener,
    settings: Settings,
    store: Arc<dyn Store>,
    repositories: Repositories,
    engine: Engine,
    stream: Option<EventStream>,
    github: Option<GitHubSide>,
    clock: Arc<dyn Clock>,
    api: Api,
    /// Ends what the API streams, and what it asks models.
    streams: CancellationToken,
    role: Role,
    installations: Installations,
    audit_references: AuditReferences,
    exposition: Exposition,
    traces: Option<TraceSender>,
    setup: Option<Setup>,
}

struct GitHubSide {
    github: GitHub,
    intake: Intake,
    outbox: Outbox,
    redelivery: Redelivery,
    settings: GitHubSettings,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Server {
    /// A server that does everything.
    ///
    /// # Errors
    /// As [`Server::bind_as`].
    pub async fn bind(settings: Settings, performers: Performers) -> Result<Self, ServeError> {
        Self::bind_as(Role::All, settings, performers).await
    }

    /// Opens the database (bringing its schema up to date), takes the address and sets everything up.
    ///
    /// # Errors
    /// Any [`ServeError`]; nothing is left running then.
    pub async fn bind_as(role: Role, settings: Settings, performers: Performers) -> Result<Self, ServeError> {
        if settings.nats_url.is_some() && !cfg!(feature = "nats") {
            return Err(ServeError::NoStream);
        }
        let listen = |source| ServeError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let settings = settings.with_bound_address(bound);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let exposition = Exposition::begin()?;
        let store = open::store(&settings, role).await?;
        audit::note_server(&*store, &role.to_string(), &settings.given(), clock.now()).await?;
        let github = settings.github.as_ref().map(|github| GitHub::new(github, Arc::clone(&clock))).transpose()?;
        let audit_references = AuditReferences::default();
        let repositories = repositories(&settings, github.clone(), &store)?;
        let repositories = repositories.with_audit_references(audit_references.clone());
        let repositories = repositories.with_prices(Arc::clone(performers.providers().prices()));
        let installations = known_installations(&store).await?;
        if github.is_some() {
            audit_references.begin(&*store, &installations, clock.now()).await?;
            shown::begin(&*store, clock.now()).await?;
        }
        let planner: Arc<dyn EffectPlanner> = match github {
            Some(_) => {
                let planner = GitHubPlanner::new(installations.clone());
                Arc::new(planner.with_audit_references(audit_references.clone()))
            }
            None => Arc::new(()),
        };
        let owner = format!("{}-{}", std::process::id(), uuid::Uuid::now_v7());
        let lease = Duration::from_secs(u64::from(settings.lease_seconds));
        let providers = performers.providers();
        let traces = settings.traces.as_ref().map(|it| Traces::begin(it, Arc::clone(&store))).transpose()?;
        let (told, traces) = traces.unzip();
        let engine = Engine::new(
            Arc::clone(&store),
            Arc::new(repositories.clone()),
            Arc::new(performers),
            Arc::clone(&clock),
            Arc::new(RandomIds::new()),
            planner,
            EngineOptions {
                lease,
                workers: usize::try_from(settings.workers).unwrap_or(usize::MAX),
                keep_executions: settings.keep_executions,
                keep_archived: settings.keep_archived,
                keep_events: settings.keep_events,
                public_url: Some(settings.public_url.as_str().trim_end_matches('/').to_owned()),
                stream: settings.nats_url.is_some(),
                tenant_budgets: tenant_budgets(&settings),
                traces: told,
                resume: Some(api::resume_tokens(&store).await?),
                ..EngineOptions::new(&owner)
            },
        );
        let stream = event_stream(&settings, &store, &clock, (&owner, lease));
        let setup = setup(&settings, role, &clock);
        let streams = CancellationToken::new();
        let api = Api::new(ApiParts {
            store: Arc::clone(&store),
            engine: engine.clone(),
            repositories: repositories.clone(),
            github: github.clone(),
            providers,
            clock: Arc::clone(&clock),
            token: settings.api_token.clone(),
            act_as: settings.api_act_as,
            secrets: settings.secrets.clone(),
            public_url: settings.public_url.as_str().trim_end_matches('/').to_owned(),
            shutdown: streams.clone(),
        })
        .await?;
        let github = settings.github.clone().zip(github).map(|(app, github)| {
            let outbox = Outbox::new(Arc::clone(&store), github.clone(), Arc::clone(&clock), (&owner, lease))
                .for_executions_of(engine.clone());
            let intake = Intake::new(IntakeParts {
                store: Arc::clone(&store),
                engine: engine.clone(),
                github: github.clone(),
                source: Arc::new(repositories.clone()),
                outbox: outbox.clone(),
                installations: installations.clone(),
                clock: Arc::clone(&clock),
                owner: owner.clone(),
                lease,
            });
            let redelivery = Redelivery::new(Arc::clone(&store), github.clone(), Arc::clone(&clock), (&owner, lease));
            GitHubSide { github, intake, outbox, redelivery, settings: app }
        });
        Ok(Self {
            listener,
            settings,
            store,
            repositories,
            engine,
            stream,
            github,
            clock,
            api,
            streams,
            role,
            installations,
            audit_references,
            exposition,
            traces,
            setup,
        })
    }

    /// Cancelled once the App was set up on this server's pages: whoever runs it starts it anew then. Never where there
    /// is an App already.
    pub fn set_up(&self) -> CancellationToken {
        self.setup.as_ref().map(Setup::done).unwrap_or_default()
    }

    /// The settings, with the address that was really bound.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where the App is set up, with the one-time code; nothing where there is an App already.
    pub fn setup_address(&self) -> Option<String> {
        self.setup.as_ref().map(Setup::address)
    }

    /// What moves executions.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where definitions are read.
    pub fn repositories(&self) -> &Repositories {
        &self.repositories
    }

    /// Runs until `shutdown`: then takes nothing new, finishes what is under way, and lets the database go. Where the
    /// disk did not keep what was written it ends at once, and lets nothing go that would be written for that.
    ///
    /// # Errors
    /// [`ServeError::Web`] where the web server failed, [`ServeError::Store`] where the disk did.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let Self {
            listener,
            settings,
            store,
            engine,
            stream,
            github,
            clock,
            api,
            streams,
            role,
            installations,
            audit_references,
            exposition,
            traces,
            setup,
            ..
        } = self;
        let rooms = TaskTracker::new();
        spawn(&rooms, &shutdown, "metrics", {
            let (exposition, shutdown) = (exposition.clone(), shutdown.clone());
            async move { exposition.run(&shutdown).await }
        });
        // Spans are sent until all that makes some has ended.
        let all_told = CancellationToken::new();
        let sending = traces.map(|traces| tokio::spawn(traces.run(all_told.clone())));
        if role.works() {
            spawn(&rooms, &shutdown, "engine", {
                let (engine, shutdown) = (engine.clone(), shutdown.clone());
                async move { engine.run(shutdown).await }
            });
        }
        if let Some(stream) = stream.filter(|_| role.works()) {
            let shutdown = shutdown.clone();
            spawn(&rooms, &shutdown.clone(), "event stream", async move { stream.run(shutdown).await });
        }
        if let Some(side) = &github {
            spawn(&rooms, &shutdown, "installations", {
                let (store, shutdown) = (Arc::clone(&store), shutdown.clone());
                async move { learn_of_others(&store, &installations, &audit_references, &shutdown).await }
            });
            spawn(&rooms, &shutdown, "pace", {
                let (store, github, shutdown) = (Arc::clone(&store), side.github.clone(), shutdown.clone());
                async move { sharing::run(store, github, shutdown).await }
            });
            if role.works() {
                let (intake, outbox) = (side.intake.clone(), side.outbox.clone());
                let (taking, telling, asking) = (shutdown.clone(), shutdown.clone(), shutdown.clone());
                spawn(&rooms, &shutdown, "intake", async move { intake.run(taking).await });
                spawn(&rooms, &shutdown, "outbox", async move { outbox.run(telling).await });
                let redelivery = side.redelivery.clone();
                spawn(&rooms, &shutdown, "redelivery", async move { redelivery.run(asking).await });
                let (reconciler, looking) = (side.intake.reconciler(), shutdown.clone());
                spawn(&rooms, &shutdown, "reconciler", async move { reconciler.run(looking).await });
            }
        }
        let pages = pages(setup.as_ref(), github.as_ref(), role, (&clock, &store));
        if let Some(setup) = setup {
            tracing::info!(page = setup.address(), "there is no GitHub App; it is set up on this page");
            let (done, ending) = (setup.done(), shutdown.clone());
            rooms.spawn(async move {
                if ending.run_until_cancelled(done.cancelled()).await.is_some() {
                    ending.cancel();
                }
            });
        }
        rooms.close();
        let secret = github.as_ref().filter(|_| role.answers()).map(|side| &side.settings.webhook_secret);
        tracing::info!(%role, listen = %settings.listen, public_url = %settings.public_url, github = github.is_some(), "serving");
        let web =
            axum::serve(listener, router(&store, &clock, secret, role.answers().then_some(&api), &exposition, pages));
        let ended = {
            let (shutdown, streams) = (shutdown.clone(), streams.clone());
            async move {
                shutdown.cancelled().await;
                // A stream would hold up the end for as long as its execution goes on, and a model for as long as it thinks.
                streams.cancel();
            }
        };
        let served = async {
            let served = web.with_graceful_shutdown(ended).await;
            shutdown.cancel();
            streams.cancel();
            api.ended().await;
            rooms.wait().await;
            served
        };
        tokio::pin!(served);
        let served = tokio::select! {
            biased;
            error = store.broken() => {
                tracing::error!(%error, "the server stops");
                shutdown.cancel();
                // Callers are told that nothing of theirs is stored; what is performed is left as by a kill.
                let _ = tokio::time::timeout(LAST_WORDS, served).await;
                return Err(error.into());
            }
            served = &mut served => served,
        };
        all_told.cancel();
        if let Some(sending) = sending {
            // A collector that hangs is not waited for.
            let _ = tokio::time::timeout(LAST_WORDS, sending).await;
        }
        store.close().await;
        tracing::info!("stopped");
        served.map_err(ServeError::Web)
    }
}

/// A room that ends before it is asked to would leave the server half alive: then all of it ends, to be started anew.
fn spawn(
    rooms: &TaskTracker,
    shutdown: &CancellationToken,
    name: &'static str,
    room: impl Future<Output = ()> + Send + 'static,
) {
    let shutdown = shutdown.clone();
    rooms.spawn(async move {
        let ended = tokio::spawn(room).await;
        if let Err(error) = ended {
            tracing::error!(%error, room = name, "a part of the server broke down; the server stops");
        } else if !shutdown.is_cancelled() {
            tracing::error!(room = name, "a part of the server has ended; the server stops");
        }
        shutdown.cancel();
    });
}

#[cfg(feature = "nats")]
fn event_stream(
    settings: &Settings,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    owner: (&str, Duration),
) -> Option<EventStream> {
    let url = settings.nats_url.clone()?;
    let nats = Arc::new(crate::stream::Nats::new(url, settings.nats_nkey.clone(), settings.keep_events));
    Some(EventStream::new(Arc::clone(store), nats, Arc::clone(clock), owner))
}

#[cfg(not(feature = "nats"))]
fn event_stream(_: &Settings, _: &Arc<dyn Store>, _: &Arc<dyn Clock>, _: (&str, Duration)) -> Option<EventStream> {
    None
}

fn repositories(
    settings: &Settings,
    github: Option<GitHub>,
    store: &Arc<dyn Store>,
) -> Result<Repositories, ServeError> {
    let local: BTreeMap<String, PathBuf> = settings.repositories.iter().cloned().collect();
    let web = settings.github.as_ref().map(|github| github.web_url.clone());
    Ok(Repositories::new(Mirrors::new(&settings.data_dir)?, local, github.zip(web), Arc::clone(store)))
}

/// What tenants may spend on models in a month.
fn tenant_budgets(settings: &Settings) -> TenantBudgets {
    let own = settings.ai.tenants.iter().filter_map(|(name, own)| Some((name.clone(), own.monthly_budget.clone()?)));
    TenantBudgets { each: settings.ai.monthly_budget.clone(), by_name: own.collect() }
}

/// The setup of an App, where there is none and people can reach it here.
fn setup(settings: &Settings, role: Role, clock: &Arc<dyn Clock>) -> Option<Setup> {
    let (api_url, web_url) = settings.github_places.clone().filter(|_| settings.github.is_none() && role.answers())?;
    let (public_url, data) = (settings.public_url.clone(), settings.data_dir.clone());
    Some(Setup::new(SetupPlaces { public_url, api_url, web_url, data }, Arc::clone(clock)))
}

/// The pages that lead to an App, or say what the one that is there lacks.
fn pages(
    setup: Option<&Setup>,
    side: Option<&GitHubSide>,
    role: Role,
    (clock, store): (&Arc<dyn Clock>, &Arc<dyn Store>),
) -> Option<Router> {
    if let Some(setup) = setup {
        return Some(setup::pages(setup.clone()));
    }
    let side = side.filter(|_| role.answers())?;
    let web_url = side.settings.web_url.clone();
    Some(app_page(AppPage::new(side.github.clone(), web_url, Arc::clone(clock), Arc::clone(store))))
}

/// How long callers may be told that nothing more is stored.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long a replica may not know of an installation that another one was told of.
const INSTALLATIONS_PAUSE: Duration = Duration::from_secs(15);

/// Learns of installations and settings that other replicas were told of.
async fn learn_of_others(
    store: &Arc<dyn Store>,
    installations: &Installations,
    audit_references: &AuditReferences,
    shutdown: &CancellationToken,
) {
    while shutdown.run_until_cancelled(tokio::time::sleep(INSTALLATIONS_PAUSE)).await.is_some() {
        match store.installations().await {
            Ok(known) => learn(installations, known),
            Err(error) => tracing::debug!(%error, "installations cannot be looked at now"),
        }
        if let Err(error) = audit_references.load(&**store).await {
            tracing::debug!(%error, "settings of repositories cannot be looked at now");
        }
    }
}

fn learn(installations: &Installations, known: Vec<Installation>) {
    for installation in known.into_iter().filter(|installation| !installation.deleted) {
        installations.learn(&installation.account, installation.id);
    }
}

async fn known_installations(store: &Arc<dyn Store>) -> Result<Installations, StoreError> {
    let known = Installations::default();
    learn(&known, store.installations().await?);
    Ok(known)
}
