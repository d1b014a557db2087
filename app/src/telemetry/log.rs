//! The log: structured lines on standard error, as text or JSON. Standard output is for results.

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Settings};

/// Why the log cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is malformed.
    #[error(
        "FLOWCTL_LOG is `{filter}`, which is no filter: {reason}; write for example `info` or `warn,flowctl_app=debug`"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The filter of the log. The library that speaks to MCP servers writes what they say, secrets and all, whole and as often as
/// they say it; it is silent unless somebody asks for it by name.
fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let whole = if text.contains("rmcp") { text.to_owned() } else { format!("{text},rmcp=off") };
    let filter = EnvFilter::try_new(text).and_then(|_| EnvFilter::try_new(whole));
    filter.map_err(|error| TelemetryError::Filter { filter: text.to_owned(), reason: error.to_string() })
}

/// Begins the log of this process. Where it has begun already (in tests), nothing changes.
///
/// # Errors
/// A malformed filter.
pub fn start(settings: &Settings) -> Result<(), TelemetryError> {
    let filter = filter(&settings.log)?;
    let coloured = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(coloured).with_writer(std::io::stderr);
    // A second start keeps the first log: only one can be the process's.
    let _ = match settings.log_format {
        LogFormat::Json => log.json().try_init(),
        LogFormat::Text => log.with_target(false).try_init(),
    };
    Ok(())
}
