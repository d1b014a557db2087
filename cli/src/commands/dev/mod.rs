//! `dev`: the whole GitHub loop on one machine: the sandbox in GitHub's place, and the server as `serve` runs it.

mod scenario;
mod show;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use flowctl_app::clock::SystemClock;
use flowctl_app::server::Server;
use flowctl_app::settings::Settings;
use flowctl_app::steps::Performers;
use flowctl_app::telemetry;
use flowctl_sandbox::scenario::Scenario;
use flowctl_sandbox::{FileContent, Hub, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::arguments::DevArguments;
use crate::exit::Exit;
use crate::repository::FLOW;
use crate::samples::Sample;
use crate::terminal;

/// The pause between writes: GitHub asks for a second, a stand-in on this machine does not need it.
const WRITE_INTERVAL_MS: &str = "20";
/// What the App's log says here: only what goes wrong.
const LOG: &str = "warn";

/// What is to be played.
struct Play {
    scenario: Scenario,
    /// What is played on, where there is no repository of somebody's own.
    sample: &'static Sample,
    plays: bool,
    stays: bool,
}

/// Starts everything, plays or stays.
pub fn run(arguments: &DevArguments, quiet: bool) -> anyhow::Result<Exit> {
    if let Some(folder) = arguments.repo.as_ref().filter(|folder| !folder.is_dir()) {
        anyhow::bail!("{}: there is no such folder", folder.display());
    }
    let play = what_to_play(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(perform(arguments, play, quiet))
}

fn what_to_play(arguments: &DevArguments) -> anyhow::Result<Play> {
    let there = terminal::is_interactive();
    let asked = arguments.scenario.is_some();
    match &arguments.repo {
        // Somebody else's repository is not what the demo's people know.
        Some(repository) if !asked && !there => bail!(
            "without a terminal nobody acts on {}; `--scenario FILE` says who does what, see docs/sandbox.md",
            repository.display()
        ),
        _ if !asked && there && arguments.exit_when_done => {
            bail!("nothing is played on a terminal unless `--scenario` says what; `--scenario demo` plays the demo")
        }
        _ => {}
    }
    let (scenario, sample) = scenario::named(arguments.scenario.as_deref().unwrap_or(scenario::DEMO))?;
    Ok(Play { scenario, sample, plays: asked || !there, stays: there && !arguments.exit_when_done })
}

/// People, the repository and the installation: somebody's own repository with its history, or the sample.
fn set_up(play: &Play, hub: &Hub, repository: Option<&Path>) -> anyhow::Result<()> {
    let scenario = &play.scenario;
    if let Some(folder) = repository {
        if !folder.join(FLOW).is_dir() {
            anstream::eprintln!(
                "note: {} has no `{FLOW}/`; nothing will start until a pull request that brings one is merged",
                folder.display()
            );
        }
        return scenario.set_up_from(hub, folder).with_context(|| format!("cannot take in {}", folder.display()));
    }
    let sample = play.sample.files.iter();
    let files = sample.map(|(path, text)| ((*path).to_owned(), Some(FileContent::from(*text)))).collect();
    Ok(scenario.set_up(hub, &files)?)
}

async fn perform(arguments: &DevArguments, play: Play, quiet: bool) -> anyhow::Result<Exit> {
    let temporary = tempfile::Builder::new().prefix("flowctl-dev-").tempdir()?;
    let data = arguments.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;

    let sandbox = Sandbox::builder().listen(arguments.listen).data_directory(data.join("github")).start()?;
    let settings = settings(&sandbox, &data, play.scenario.secrets(&sandbox)?)?;
    telemetry::start(&settings)?;
    let performers = Performers::from_settings(&settings, false, Arc::new(SystemClock))?;
    let server = Server::bind(settings, performers).await.context("the App cannot start")?;
    let app_url = format!("http://{}", server.settings().listen);
    let hub = sandbox.hub();
    hub.set_webhook_url(&format!("{app_url}/webhooks/github"))?;
    let store = Arc::clone(server.engine().store());
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(server.run(shutdown.clone()));
    set_up(&play, &hub, arguments.repo.as_deref())?;

    if !quiet {
        show::where_to_look(&sandbox, &play.scenario, &app_url, play.stays);
    }
    let printing = tokio::spawn(show::follow(Arc::clone(&store), shutdown.clone(), quiet));
    let outcome = if play.plays { play_it(&play.scenario, &hub, quiet).await } else { Ok(()) };
    if play.stays && outcome.is_ok() {
        let _ = tokio::signal::ctrl_c().await;
    }
    shutdown.cancel();
    serving.await.context("the App ended unexpectedly")??;
    printing.await.context("the display ended unexpectedly")?;
    sandbox.stop();
    match outcome {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            anstream::eprintln!("{}error{:#}: {error:#}", terminal::ERROR, terminal::ERROR);
            Ok(Exit::Findings)
        }
    }
}

async fn play_it(scenario: &Scenario, hub: &Hub, quiet: bool) -> anyhow::Result<()> {
    let mut tell = |moment| {
        if !quiet {
            show::moment(&moment);
        }
    };
    let report = scenario.play(hub, &mut tell).await?;
    if let Some(url) = report.url.filter(|_| !quiet) {
        anstream::eprintln!("\nplayed to its end: {url}");
    }
    Ok(())
}

/// The App's settings are those of `serve`; only the address differs, and there may be secrets of the scenario.
fn settings(sandbox: &Sandbox, data: &Path, secrets: Vec<(String, String)>) -> anyhow::Result<Settings> {
    let app = sandbox.app();
    let given = [
        ("FLOWCTL_LISTEN", "127.0.0.1:0".to_owned()),
        ("FLOWCTL_DATA_DIR", data.join("app").display().to_string()),
        ("FLOWCTL_GITHUB_API_URL", sandbox.api_url()),
        ("FLOWCTL_GITHUB_URL", sandbox.web_url()),
        ("FLOWCTL_GITHUB_APP_ID", app.id.to_string()),
        ("FLOWCTL_GITHUB_PRIVATE_KEY", app.private_key_pem),
        ("FLOWCTL_GITHUB_WEBHOOK_SECRET", app.webhook_secret),
        ("FLOWCTL_GITHUB_WRITE_INTERVAL_MS", WRITE_INTERVAL_MS.to_owned()),
        ("FLOWCTL_ALLOW_PRIVATE_NETWORKS", "true".to_owned()),
        ("FLOWCTL_LOG", LOG.to_owned()),
    ];
    let own = given.map(|(name, value)| (name.to_owned(), value));
    // The user may say more: secrets of the definitions, providers of models, a louder log.
    let is_theirs =
        |name: &str| name.starts_with("FLOWCTL_SECRET_") || name.starts_with("FLOWCTL_AI_") || name == "FLOWCTL_LOG";
    let theirs = std::env::vars().filter(|(name, _)| is_theirs(name));
    let secrets = secrets.into_iter().map(|(name, value)| (format!("FLOWCTL_SECRET_{name}"), value));
    let (settings, _) = Settings::load(None, own.into_iter().chain(secrets).chain(theirs))?;
    Ok(settings)
}
