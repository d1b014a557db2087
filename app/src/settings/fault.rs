//! What can be wrong with settings, and how it is told. A secret's value is never part of a fault.

use std::fmt;
use std::path::PathBuf;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable of this name.
    Variable(String),
    /// A key of the TOML file.
    File {
        /// The file.
        path: PathBuf,
        /// The key in it; empty where the whole file is meant.
        key: String,
    },
    /// Nowhere: the setting is missing.
    Missing,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(out, "environment variable {name}"),
            Self::File { path, key } => write!(out, "`{key}` in {}", path.display()),
            Self::Missing => out.write_str("not set"),
        }
    }
}

/// One wrong value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The setting, as an environment variable is called.
    pub name: String,
    /// Where it was given.
    pub origin: Origin,
    /// What was read; `None` for secrets and for what is missing.
    pub found: Option<String>,
    /// What is wrong, or what would be right.
    pub expected: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { path, key } if key.is_empty() => write!(out, "{} {}", self.name, path.display())?,
            Origin::Variable(variable) if *variable == self.name => write!(out, "{} (environment)", self.name)?,
            origin => write!(out, "{} ({origin})", self.name)?,
        }
        if let Some(found) = &self.found {
            write!(out, " is {found:?}")?;
        }
        write!(out, ": {}", self.expected)
    }
}

/// Every fault of the settings at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// The faults, in the order of the documentation; never empty.
    pub faults: Vec<Fault>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.len() {
            1 => out.write_str("1 setting is wrong:")?,
            count => write!(out, "{count} settings are wrong:")?,
        }
        for fault in &self.faults {
            write!(out, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

/// Something that is probably not meant, but with which the server can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The setting, as it was given.
    pub name: String,
    /// What is odd, and what to do.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.name, self.message)
    }
}
