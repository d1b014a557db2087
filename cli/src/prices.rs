//! What models cost, as the environment says it: the same table that a server is given. Nothing is decided here.

use std::fs;
use std::sync::OnceLock;

use anyhow::Context;
use flowctl_core::value::Prices;

/// The setting that names a table in place of the one that comes with flowctl.
const SETTING: &str = "FLOWCTL_AI_PRICES";

/// The table that the environment names, if it names one.
///
/// # Errors
/// Where it cannot be read.
pub fn of_environment() -> anyhow::Result<Option<Prices>> {
    let Some(path) = std::env::var_os(SETTING).filter(|path| !path.is_empty()) else { return Ok(None) };
    let named = || format!("{SETTING}: {}", path.display());
    let text = fs::read_to_string(&path).with_context(named)?;
    Prices::read(&text).with_context(named).map(Some)
}

/// The same, read once by a program that goes on. One that cannot be read is none: who edits a file can do nothing about it.
pub fn kept() -> Option<&'static Prices> {
    static KEPT: OnceLock<Option<Prices>> = OnceLock::new();
    KEPT.get_or_init(|| of_environment().ok().flatten()).as_ref()
}
