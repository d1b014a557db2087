//! `explain`: what a rule is about.

use flowctl_core::source::closest;
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
    let Some(rule) = RULES.iter().find(|rule| rule.is(wanted) || rule.code.eq_ignore_ascii_case(wanted)) else {
        let known = RULES.iter().flat_map(|rule| [rule.code, rule.name]);
        let next = match closest(wanted, known) {
            // Each code is near to every other one.
            Some(meant) if !meant.starts_with("FLOW") => format!("did you mean `{meant}`?"),
            _ => "`flowctl explain` lists all".to_owned(),
        };
        anyhow::bail!("there is no rule `{wanted}`; {next}");
    };
    print(&format!("{}\n", rule.explanation().trim_end()))?;
    print(&format!("Suppress it where it is meant: {TYPE}# flowctl: ignore[{}] the reason{TYPE:#}", rule.code))?;
    Ok(Exit::Done)
}
