//! Which scenario is meant: a sample's or a file's, and where a file is wrong.

use std::io::ErrorKind;

use anyhow::{Context, anyhow, bail};
use flowctl_core::source::{SourceFile, parse};
use flowctl_sandbox::scenario::{Scenario, ScenarioError};

use crate::samples::{SAMPLES, Sample};

/// The name of the first sample's scenario.
pub const DEMO: &str = "demo";

/// The scenario of this name or file, and the sample that is played on where there is no other repository.
pub fn named(name: &str) -> anyhow::Result<(Scenario, &'static Sample)> {
    let demo = &SAMPLES[0];
    let sample = if name == DEMO { Some(demo) } else { SAMPLES.iter().find(|sample| sample.name == name) };
    if let Some(sample) = sample {
        return Ok((Scenario::parse(sample.scenario)?, sample));
    }
    let text = match std::fs::read_to_string(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let samples: Vec<&str> = SAMPLES.iter().map(|sample| sample.name).collect();
            bail!(
                "there is no scenario `{name}`: no such file, and no sample; there are {DEMO}, {}",
                samples.join(", ")
            );
        }
        text => text.with_context(|| format!("cannot read the scenario {name}"))?,
    };
    let scenario = Scenario::parse(&text).map_err(|error| anyhow!("{}: {error}", place(name, &text, &error)))?;
    Ok((scenario, demo))
}

/// The file, with the line of the act that is wrong.
fn place(name: &str, text: &str, error: &ScenarioError) -> String {
    let ScenarioError::UnreadableAct { number, .. } = error else { return name.to_owned() };
    let document = parse(text).document;
    let play = document.root().and_then(|root| document.node(root).get("play"));
    let act = play.and_then(|play| play.items()?.nth(number.checked_sub(1)?));
    match act {
        Some(act) => format!("{name}:{}", SourceFile::new(name, text).position(act.span().start).line),
        None => name.to_owned(),
    }
}
