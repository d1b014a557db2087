//! `run`: one execution on this machine, on SQLite. It is as durable as on a server: what waits can be gone on with.

mod inputs;
mod people;
mod snapshot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use flowctl_app::clock::{Clock, SystemClock};
use flowctl_app::engine::{Engine, EngineOptions, StartRequest, Started};
use flowctl_app::github::definitions::Repositories;
use flowctl_app::github::mirror::Mirrors;
use flowctl_app::ids::RandomIds;
use flowctl_app::settings::Settings;
use flowctl_app::steps::Performers;
use flowctl_app::store::{SqliteStore, Store};
use flowctl_app::tools::Commands;
use flowctl_core::definition::StepType;
use flowctl_core::execution::{
    Execution, ExecutionId, ExecutionStatus, StepState, StepStatus, TenantId, TriggerInfo, Waiting,
};
use flowctl_core::types::reads_pull_request;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use people::you;

use crate::arguments::{RunArguments, RunFormat};
use crate::exit::{Exit, is_interrupted};
use crate::questions;
use crate::terminal::{self, DIM, TYPE};
use crate::timeline::{Follower, table};

/// How often the store is looked at beside its own hints.
const POLL: Duration = Duration::from_millis(500);

/// Runs or resumes an execution.
pub fn run(arguments: &RunArguments, quiet: bool) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(perform(arguments, quiet))
}

async fn perform(arguments: &RunArguments, quiet: bool) -> anyhow::Result<Exit> {
    let said = people::Said::read(arguments)?;
    let data = arguments.data.clone().map_or_else(default_data, Ok)?;
    let bench = Bench::open(&data, arguments).await?;
    let id = match &arguments.resume {
        Some(id) => bench.find(id).await?,
        None => bench.start(arguments, &said).await?,
    };
    let known = bench.load(id).await?;
    let family = if arguments.resume.is_some() { bench.with_children(&known).await? } else { Vec::new() };
    let steps = family.iter().flat_map(|member| &member.steps);
    if arguments.resume.is_some() {
        said.check_names(steps.flat_map(|(key, step)| people::named_by(key, step)))?;
    }
    let shutdown = CancellationToken::new();
    let working = tokio::spawn({
        let (engine, shutdown) = (bench.engine.clone(), shutdown.clone());
        async move { engine.run(shutdown).await }
    });
    let followed = until_interrupted(&bench, id, said, arguments.format == RunFormat::Human && !quiet).await;
    shutdown.cancel();
    working.await.context("the engine ended unexpectedly")?;
    let execution = bench.load(id).await?;
    bench.store.close().await;
    let Some(exit) = followed? else { return Ok(Exit::Interrupted) };
    print_result(&execution, arguments, &bench)?;
    Ok(exit)
}

/// Follows an execution; none where somebody has had enough before it ended.
async fn until_interrupted(
    bench: &Bench,
    id: ExecutionId,
    said: people::Said,
    tell: bool,
) -> anyhow::Result<Option<Exit>> {
    let kept = format!("\ninterrupted; it is kept: {TYPE}{}{TYPE:#}", bench.resume(id));
    let told = kept.clone();
    questions::end_when_interrupted(move || anstream::eprintln!("{told}"))?;
    let followed = tokio::select! {
        // Listened for before anything is asked: a question makes a signal of Ctrl-C.
        biased;
        _ = tokio::signal::ctrl_c() => None,
        // Nothing goes on without it, and nothing would say so.
        error = bench.store.broken() => Some(Err(error.into())),
        followed = follow(bench, id, said, tell) => Some(followed),
    };
    match followed.filter(|followed| !followed.as_ref().is_err_and(is_interrupted)) {
        Some(followed) => followed.map(Some),
        None => {
            anstream::eprintln!("{kept}");
            Ok(None)
        }
    }
}

fn print_result(execution: &Execution, arguments: &RunArguments, bench: &Bench) -> anyhow::Result<()> {
    match arguments.format {
        RunFormat::Json => {
            terminal::print(&serde_json::to_string_pretty(&flowctl_app::api::execution(execution, bench.clock.now()))?)?
        }
        RunFormat::Human => {
            terminal::print(&table(execution, bench.clock.now()))?;
            if let Some(outputs) =
                execution.outputs.as_ref().filter(|outputs| outputs.as_object().is_some_and(|o| !o.is_empty()))
            {
                terminal::print(&format!("\noutputs: {}", serde_json::to_string_pretty(outputs)?))?;
            }
            if let Some(error) = &execution.error {
                terminal::print(&format!("\n{}", error.message))?;
            }
        }
    }
    if !execution.status.is_final() {
        for (step, state) in execution.waiting_for_people() {
            let how = people::how_to_act(step, state);
            anstream::eprintln!("\n{step} waits. Go on with:\n  {TYPE}{} {how}{TYPE:#}", bench.resume(execution.id));
        }
        if execution.waiting_for_people().any(|(_, state)| people::asks_others(state)) {
            anstream::eprintln!("{DIM}{}{DIM:#}", people::STANDS_FOR);
        }
    }
    Ok(())
}

/// Follows an execution to its end, or to where nobody is there to say what it waits for.
async fn follow(bench: &Bench, id: ExecutionId, mut said: people::Said, tell: bool) -> anyhow::Result<Exit> {
    let mut follower = Follower::default();
    let mut changes = bench.store.subscribe();
    loop {
        changes.borrow_and_update();
        let execution = bench.load(id).await?;
        if tell {
            for line in follower.changes(&execution, bench.clock.now()) {
                anstream::eprintln!("{line}");
            }
        }
        if execution.status.is_final() {
            let good = execution.status == ExecutionStatus::Completed;
            return Ok(if good { Exit::Done } else { Exit::Findings });
        }
        let family = bench.with_children(&execution).await?;
        let mut acted = false;
        for member in &family {
            acted = said.act(bench, member).await?;
            if acted {
                break;
            }
        }
        if acted {
            continue;
        }
        let mut steps = family.iter().flat_map(|member| member.steps.values());
        let only_people = steps.all(|step| step.status != StepStatus::Running && !goes_on_by_itself(step))
            && family.iter().all(|member| member.status == ExecutionStatus::Waiting || member.status.is_final());
        if execution.status == ExecutionStatus::Waiting && only_people {
            return Ok(Exit::Waiting);
        }
        // A hint may be missed; the poll is the truth.
        let _ = tokio::time::timeout(POLL, changes.changed()).await;
    }
}

fn goes_on_by_itself(step: &StepState) -> bool {
    matches!(step.waiting, Some(Waiting::Timer { .. } | Waiting::Retry { .. }))
}

/// What an execution needs on this machine.
pub struct Bench {
    pub engine: Engine,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    repositories: Repositories,
    snapshots: PathBuf,
    /// The words that name the data folder again, where it was named.
    data_words: String,
}

/// The name under which the snapshots of definitions are served.
const SNAPSHOTS: &str = "local";

impl Bench {
    async fn open(data: &Path, arguments: &RunArguments) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
        const READ: [&str; 2] = ["FLOWCTL_ALLOW_PRIVATE_NETWORKS", "FLOWCTL_MCP_COMMANDS"];
        let (mut settings, _) = Settings::load(
            None,
            std::env::vars().filter(|(name, _)| {
                ["FLOWCTL_SECRET_", "FLOWCTL_AI_"].iter().any(|prefix| name.starts_with(prefix))
                    || READ.contains(&name.as_str())
            }),
        )
        .context("the environment's settings")?;
        if arguments.allow_commands {
            settings.mcp_commands = Commands::Any;
        }
        let url = format!("sqlite://{}", data.join("flowctl.db").display());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open_alone(&url).await?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let snapshots = data.join("definitions.git");
        let local = BTreeMap::from([(SNAPSHOTS.to_owned(), snapshots.clone())]);
        let repositories = Repositories::new(Mirrors::new(data)?, local, None, Arc::clone(&store));
        let performers = Arc::new(Performers::from_settings(&settings, arguments.mock, Arc::clone(&clock))?);
        let engine = Engine::new(
            Arc::clone(&store),
            Arc::new(repositories.clone()),
            performers,
            Arc::clone(&clock),
            Arc::new(RandomIds::new()),
            Arc::new(()),
            // What was asked for runs, and nothing else by itself.
            EngineOptions { triggers: false, ..EngineOptions::new(format!("run-{}", std::process::id())) },
        );
        let data_words = arguments.data.as_ref().map(|data| format!(" --data {}", data.display())).unwrap_or_default();
        Ok(Self { engine, store, clock, repositories, snapshots, data_words })
    }

    /// An execution and the sub-processes that it waits for, with theirs.
    async fn with_children(&self, execution: &Execution) -> anyhow::Result<Vec<Execution>> {
        let mut family = vec![execution.clone()];
        let mut next = 0;
        while let Some(member) = family.get(next) {
            let waiting = member.steps.values().filter_map(|step| step.waiting.as_ref());
            let children: Vec<ExecutionId> = waiting
                .filter_map(|waiting| match waiting {
                    Waiting::Process { execution, .. } => Some(*execution),
                    _ => None,
                })
                .collect();
            for child in children {
                family.push(self.load(child).await?);
            }
            next += 1;
        }
        Ok(family)
    }

    async fn start(&self, arguments: &RunArguments, said: &people::Said) -> anyhow::Result<ExecutionId> {
        let process = arguments.process.as_deref().context("which process?")?;
        let files = snapshot::files(&arguments.repo, arguments.revision.as_deref())?;
        let revision = snapshot::keep(&self.snapshots, &files, self.clock.now())?;
        let tenant = TenantId::local();
        let definitions = self.repositories.at(&tenant, SNAPSHOTS, &revision).await?;
        if definitions.repository.process(process).is_none() {
            let shown = |path: &str| snapshot::shown(&arguments.repo, path);
            bail!("{}", crate::commands::graph::no_process(process, &definitions.repository, shown));
        }
        if let Some(reader) = reads_pull_request(&definitions.repository, process) {
            bail!(
                "`{reader}` reads `trigger.pull_request`, which a start by hand does not have; `flowctl test` plays it with \
                 one, and `flowctl dev {}` on pull requests of your own",
                arguments.repo.display()
            );
        }
        let plan = definitions.plan(process)?;
        let own = plan.process.all_steps();
        // A word may also be for a step of a sub-process.
        let calls = plan.process.all_steps().any(|step| step.step_type() == StepType::Process);
        let others = definitions.repository.processes().filter(|_| calls).flat_map(|(_, process)| process.all_steps());
        said.check_names(others.chain(own).map(|step| (step.id.as_str(), step.step_type())))?;
        if !plan.process.starts_by_hand() {
            anstream::eprintln!("note: `{process}` has no trigger `manual`; a server would not start it by hand");
        }
        let inputs = inputs::read(&arguments.input, arguments.inputs.as_deref(), &plan.process.header.inputs)?;
        let trigger = TriggerInfo {
            kind: "manual".to_owned(),
            actor: Some(people::you()),
            payload: Value::Null,
            pull_request: None,
        };
        let request = StartRequest {
            tenant,
            repository: SNAPSHOTS.to_owned(),
            repository_id: None,
            revision,
            process: process.to_owned(),
            trigger,
            subject: None,
            inputs,
            start_key: None,
            url: None,
        };
        let Started { execution, .. } = self.engine.start(request).await?;
        Ok(execution.id)
    }

    /// The words that go on with an execution.
    pub fn resume(&self, id: ExecutionId) -> String {
        format!("flowctl run --resume {id}{}", self.data_words)
    }

    async fn find(&self, id: &str) -> anyhow::Result<ExecutionId> {
        let id: ExecutionId = id.parse().with_context(|| format!("`{id}` is no execution's id"))?;
        self.load(id).await?;
        Ok(id)
    }

    async fn load(&self, id: ExecutionId) -> anyhow::Result<Execution> {
        let stored = self.store.load(&TenantId::local(), id).await?;
        match stored {
            Some(stored) => Ok(stored.execution),
            None => bail!("there is no execution {id} here; --data names where it was kept"),
        }
    }
}

/// The user's data folder, by the XDG base directory specification.
fn default_data() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    Ok(base.context("there is no home folder; name one with --data")?.join("flowctl"))
}
