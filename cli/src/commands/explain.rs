//! `explain`: what a rule is about.

use flowctl_core::validate::rules::RULES;

use crate::arguments::ExplainArguments;
use crate::exit::Exit;
use crate::terminal::{BOLD, DIM, TYPE, print};

/// Explains one rule, or lists all.
pub fn run(arguments: &ExplainArguments) -> anyhow::Result<Exit> {
    let Some(wanted) = &arguments.code else {
        for rule in RULES {
            print(&format!("{BOLD}{}{BOLD:#}  {DIM}{:<8}{DIM:#} {}", rule.code, rule.severity.as_str(), rule.summary))?;
        }
        return Ok(Exit::Done);
    };
    let Some(rule) = RULES.iter().find(|rule| rule.is(wanted)) else {
        anyhow::bail!("there is no rule `{wanted}`; `flowctl explain` lists all");
    };
    print(&format!("{}\n", rule.explanation().trim_end()))?;
    print(&format!("Suppress it where it is meant: {TYPE}# flowctl: ignore[{}] the reason{TYPE:#}", rule.code))?;
    Ok(Exit::Done)
}
