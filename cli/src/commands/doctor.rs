//! `doctor`: whether a server can run here, and whether what is stored is sound.

use std::fmt::Write;

use flowctl_app::clock::{Clock, SystemClock};
use flowctl_app::doctor::{Check, Outcome, look};
use flowctl_app::settings::Settings;
use serde_json::json;

use crate::arguments::{DoctorArguments, DoctorFormat};
use crate::exit::Exit;
use crate::terminal::{DIM, ERROR, GOOD, WARNING, print};

/// Looks, and says what was found.
pub fn run(arguments: &DoctorArguments) -> anyhow::Result<Exit> {
    let (settings, warnings) = Settings::load(arguments.config.as_deref(), std::env::vars())?;
    for warning in warnings {
        anstream::eprintln!("{WARNING}warning{WARNING:#}: {warning}");
    }
    let checks = super::block_on(async { Ok(look(&settings, SystemClock.now()).await) })?;
    let faults = checks.iter().filter(|check| check.outcome == Outcome::Fault).count();
    match arguments.format {
        DoctorFormat::Human => print(human(&checks).trim_end())?,
        DoctorFormat::Json => {
            let warnings = checks.iter().filter(|check| check.outcome == Outcome::Warning).count();
            let summary = json!({"faults": faults, "warnings": warnings});
            let document = json!({"version": 1, "checks": checks, "summary": summary});
            print(&serde_json::to_string_pretty(&document)?)?;
        }
    }
    Ok(if faults == 0 { Exit::Done } else { Exit::Findings })
}

fn human(checks: &[Check]) -> String {
    let mut text = String::new();
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in checks {
        let (style, word) = match check.outcome {
            Outcome::Ok => (GOOD, "ok"),
            Outcome::Warning => (WARNING, "warning"),
            Outcome::Fault => (ERROR, "fault"),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{style}{word:<8}{style:#}{:<width$}  {}", check.name, check.message);
        if let Some(help) = &check.help {
            let _ = writeln!(text, "{:indent$}{DIM}{help}{DIM:#}", "", indent = 10 + width);
        }
    }
    text
}
