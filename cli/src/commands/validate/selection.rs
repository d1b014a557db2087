//! `--select` and `--ignore`: which rules' findings are told.

use anyhow::bail;
use flowctl_core::source::closest;
use flowctl_core::validate::rules::RULES;
use flowctl_core::validate::{Finding, Rule};

use crate::arguments::OutputArguments;

/// Which rules' findings are told.
#[derive(Debug, Default)]
pub struct Selection {
    select: Vec<String>,
    ignore: Vec<String>,
}

impl Selection {
    /// What the arguments name.
    ///
    /// # Errors
    /// Where something names no rule.
    pub fn of(arguments: &OutputArguments) -> anyhow::Result<Self> {
        for (option, names) in [("--select", &arguments.select), ("--ignore", &arguments.ignore)] {
            for name in names {
                if !RULES.iter().any(|rule| means(name, rule.code, rule.name)) {
                    let known = RULES.iter().flat_map(|rule: &&Rule| [rule.code, rule.name]);
                    let hint = closest(name, known).map(|meant| format!("; did you mean `{meant}`?"));
                    bail!("{option}: there is no rule `{name}`{}", hint.unwrap_or_default());
                }
            }
        }
        Ok(Self { select: arguments.select.clone(), ignore: arguments.ignore.clone() })
    }

    /// Whether a finding is told.
    pub fn wants(&self, finding: &Finding) -> bool {
        let named = |names: &[String]| names.iter().any(|name| means(name, finding.code, finding.name));
        (self.select.is_empty() || named(&self.select)) && !named(&self.ignore)
    }
}

/// A code, a name, or the beginning of codes.
fn means(written: &str, code: &str, name: &str) -> bool {
    written == code || written == name || (written.starts_with("FLOW") && code.starts_with(written))
}
