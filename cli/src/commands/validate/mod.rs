//! `validate`: reads, validates, fixes, prints. What is wrong is said by core; here is what becomes of it.

mod fixing;
mod look;
mod selection;

use flowctl_core::validate::Severity;

use crate::arguments::{FindingFormat, ValidateArguments};
use crate::exit::Exit;
use crate::format::{self, Outcome, plural};
use crate::terminal::{self, DIM};
use crate::watching::{Showing, again_and_again};
use look::{Seen, look};
use selection::Selection;

pub use fixing::replace;

/// Validates what the arguments name.
pub fn run(arguments: &ValidateArguments, quiet: bool) -> anyhow::Result<Exit> {
    let selection = Selection::of(&arguments.output)?;
    check(arguments)?;
    if arguments.scope.watch {
        return watch(arguments, &selection, quiet);
    }
    let mut seen = look(arguments, &selection)?;
    if let Some(path) = &arguments.baseline.write_baseline {
        return write_baseline(&seen, path, quiet);
    }
    if arguments.fixing.diff {
        return show_diff(&seen, quiet);
    }
    if arguments.fixing.fix {
        seen.fixing.write()?;
        seen.outcome.fixed = Some(std::mem::take(&mut seen.fixing.fixed));
    }
    let printed = render(arguments, &seen.outcome, quiet)?;
    match &seen.fixing.stdin {
        // The text is the result, so what is said of it goes to the other side.
        Some(text) => {
            terminal::print_exactly(text)?;
            if !printed.is_empty() {
                anstream::eprintln!("{}", printed.trim_end_matches('\n'));
            }
        }
        None if printed.is_empty() => {}
        None => terminal::print(printed.trim_end_matches('\n'))?,
    }
    tell_beside(arguments, &seen.outcome, quiet);
    Ok(exit(arguments, &seen.outcome))
}

/// Looks again whenever a file changes.
fn watch(arguments: &ValidateArguments, selection: &Selection, quiet: bool) -> anyhow::Result<Exit> {
    let as_lines = arguments.output.format == FindingFormat::Json;
    // What is wrong from the beginning is wrong usage; what goes wrong later may come right again.
    let roots = look(arguments, selection)?.outcome.roots;
    let print = |seen: &Seen| {
        if as_lines {
            return terminal::print(&format::json_line(&seen.outcome)?);
        }
        let printed = render(arguments, &seen.outcome, quiet)?;
        if !printed.is_empty() {
            terminal::print(printed.trim_end_matches('\n'))?;
        }
        tell_beside(arguments, &seen.outcome, quiet);
        Ok(())
    };
    again_and_again(&roots, Showing { as_lines, quiet }, &|| look(arguments, selection), &print)
}

/// What cannot go together and clap cannot say.
fn check(arguments: &ValidateArguments) -> anyhow::Result<()> {
    use FindingFormat::{Concise, Human, Json};
    let format = arguments.output.format;
    let simple = matches!(format, Human | Concise | Json);
    if arguments.scope.watch && arguments.path.iter().any(|path| path == "-") {
        anyhow::bail!("--watch looks at files; standard input ends");
    }
    if arguments.scope.watch && !simple {
        anyhow::bail!("--watch prints human, concise or json; the other formats are whole documents");
    }
    if arguments.output.statistics && !simple {
        anyhow::bail!("--statistics prints human, concise or json");
    }
    if arguments.fixing.unsafe_fixes && !arguments.fixing.fix && !arguments.fixing.diff {
        anyhow::bail!("--unsafe-fixes says how far --fix or --diff goes; add one of them");
    }
    Ok(())
}

fn render(arguments: &ValidateArguments, outcome: &Outcome, quiet: bool) -> anyhow::Result<String> {
    let format = arguments.output.format;
    if arguments.output.statistics {
        return format::statistics(outcome, format == FindingFormat::Json);
    }
    if outcome.files == 0 && matches!(format, FindingFormat::Human) {
        return Ok(String::new());
    }
    Ok(match format {
        FindingFormat::Human => format::human(outcome, quiet),
        FindingFormat::Concise => format::concise(outcome),
        FindingFormat::Json => format::json(outcome)?,
        FindingFormat::Sarif => format::sarif(outcome)?,
        FindingFormat::Github => format::github(outcome),
        FindingFormat::Junit => format::junit(outcome, arguments.output.deny_warnings)?,
    })
}

/// What is no result and worth knowing.
fn tell_beside(arguments: &ValidateArguments, outcome: &Outcome, quiet: bool) {
    if quiet {
        return;
    }
    if outcome.roots.is_empty() && arguments.path.is_empty() {
        anstream::eprintln!(
            "nothing to validate: there is no `.flow/` here or above; `flowctl init` lays one out, or name a path"
        );
    } else if outcome.files == 0 {
        anstream::eprintln!("nothing to validate");
    }
    for fixed in outcome.fixed.iter().flatten() {
        anstream::eprintln!("{DIM}fixed{DIM:#} {}:{}: {}: {}", fixed.path, fixed.line, fixed.code, fixed.message);
    }
    let Some(path) = arguments.baseline.baseline.as_ref().filter(|_| !outcome.gone.is_empty()) else { return };
    let count = plural(outcome.gone.len(), "finding", "findings");
    anstream::eprintln!("{count} of {} not there any more; `--write-baseline` writes it without:", path.display());
    for gone in &outcome.gone {
        anstream::eprintln!("  {} {}: {}", gone.path, gone.code, gone.message);
    }
}

fn exit(arguments: &ValidateArguments, outcome: &Outcome) -> Exit {
    let fails = outcome.found.iter().any(|found| match found.finding.severity {
        Severity::Error => true,
        Severity::Warning => arguments.output.deny_warnings,
        Severity::Info => false,
    });
    match (outcome.files, fails) {
        (0, _) => Exit::Waiting,
        (_, true) => Exit::Findings,
        (_, false) => Exit::Done,
    }
}

fn write_baseline(seen: &Seen, path: &std::path::Path, quiet: bool) -> anyhow::Result<Exit> {
    use anyhow::Context;
    let baseline = look::baseline_of(&seen.outcome, path);
    fixing::replace(path, None, &baseline.to_text()).with_context(|| format!("cannot write {}", path.display()))?;
    if !quiet {
        anstream::eprintln!("{} in {}", plural(baseline.len(), "known finding", "known findings"), path.display());
    }
    Ok(Exit::Done)
}

fn show_diff(seen: &Seen, quiet: bool) -> anyhow::Result<Exit> {
    let diff = seen.fixing.diff();
    if !diff.is_empty() {
        terminal::print(diff.trim_end_matches('\n'))?;
    }
    if !quiet {
        let fixes = plural(seen.fixing.fixed.len(), "fix", "fixes");
        let left = plural(seen.outcome.found.len(), "finding", "findings");
        anstream::eprintln!("{fixes} would be made; {left} would be left");
    }
    Ok(if seen.fixing.changes() { Exit::Findings } else { Exit::Done })
}
