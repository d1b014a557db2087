//! `generate`: a process from a description. A model writes, core judges; here it is printed, or written where it belongs.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use flowctl_app::ai::interpret::{Interpretation, interpret};
use flowctl_app::ai::{Asking, Providers};
use flowctl_app::clock::{Clock, SystemClock};
use flowctl_app::settings::Settings;
use flowctl_app::steps::Journal;
use flowctl_core::execution::budget::Limits;
use flowctl_core::value::visible::visible;

use crate::arguments::{GenerateArguments, RunFormat};
use crate::exit::Exit;

use crate::repository::Checkout;
use crate::terminal::{self, DIM};

/// Has a process written.
pub fn run(arguments: &GenerateArguments, quiet: bool) -> anyhow::Result<Exit> {
    let checkout = Checkout::open(&arguments.repo)?;
    let definitions = checkout.definitions();
    let aliases = definitions.settings().into_iter().flat_map(|settings| &settings.models);
    let meant =
        aliases.filter(|(alias, _)| alias.value == arguments.model).map(|(_, model)| model.value.clone()).next();
    let model = meant.unwrap_or_else(|| arguments.model.clone());
    let (settings, _) = Settings::load(None, std::env::vars().filter(|(name, _)| name.starts_with("FLOWCTL_AI_")))
        .context("the environment's settings")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let providers = Providers::from_settings(&settings.ai, &clock)?;
    let model = providers.resolve(&model).with_context(|| "name a model with --model")?;
    // One's own keys pay for it; nobody's budget is kept here.
    let asking = Asking::new(&providers, model, Journal::default(), Limits::default());
    let beside: BTreeMap<String, String> = checkout
        .files
        .iter()
        .filter_map(|(path, bytes)| Some((path.clone(), String::from_utf8(bytes.clone()).ok()?)))
        .collect();
    let made = super::block_on(async { Ok(interpret(&asking, &arguments.description, &beside).await?) })?;
    if arguments.write && made.sound {
        write(arguments, &made)?;
    }
    print(arguments, &made, quiet)?;
    Ok(if made.sound { Exit::Done } else { Exit::Findings })
}

/// Nothing that is there is written over: what a model wrote is not what a person reviewed.
fn write(arguments: &GenerateArguments, made: &Interpretation) -> anyhow::Result<()> {
    let place = arguments.repo.join(&made.path);
    if place.exists() {
        bail!("{} is there already; nothing was written. Without --write the new one is printed", place.display());
    }
    let folder = place.parent().context("the file has no folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::write(&place, &made.definition).with_context(|| format!("cannot write {}", place.display()))
}

fn print(arguments: &GenerateArguments, made: &Interpretation, quiet: bool) -> anyhow::Result<()> {
    if arguments.format == RunFormat::Json {
        return terminal::print(&serde_json::to_string_pretty(made)?);
    }
    if arguments.write && made.sound {
        terminal::print(&made.path)?;
    } else {
        terminal::print(&visible(made.definition.trim_end_matches('\n')))?;
    }
    for finding in &made.findings {
        let (start, severity) = (finding.range.start, finding.severity.as_str());
        anstream::eprintln!(
            "{}:{}:{} {severity} {} {}",
            made.path,
            start.line,
            start.column,
            finding.code,
            visible(&finding.message)
        );
    }
    if let Some(stopped) = &made.stopped {
        anstream::eprintln!("not mended: {}", visible(stopped));
    }
    if !quiet {
        anstream::eprintln!("\n{}", visible(made.explanation.trim()));
        let (asked, tokens) = (made.attempts, made.tokens);
        let cost = made.cost.as_ref().map(|cost| format!(" for {cost}")).unwrap_or_default();
        anstream::eprintln!(
            "{DIM}confidence {:.2}; `{}` was asked {asked} times and used {tokens} tokens{cost}{DIM:#}",
            made.confidence,
            made.model
        );
    }
    Ok(())
}
