//! `validate`: reads, validates, prints.

use std::collections::BTreeSet;

use flowctl_core::definition::repository::Repository;
use flowctl_core::validate::{Finding, Options, Report, Severity, validate};

use crate::arguments::{FindingFormat, ValidateArguments};
use crate::exit::Exit;
use crate::format::{self, Sources};
use crate::repository::{Checkout, checkouts};
use crate::terminal;

/// Validates what the arguments name.
pub fn run(arguments: &ValidateArguments, quiet: bool) -> anyhow::Result<Exit> {
    let checkouts = checkouts(&arguments.path, &arguments.stdin_filename)?;
    let mut findings = Vec::new();
    let mut sources = Sources::default();
    let mut files = 0;
    for mut checkout in checkouts {
        let definitions = checkout.definitions();
        let base = checkout.at(arguments.changed_since.as_deref())?;
        if let (Some(_), Some(base)) = (&arguments.changed_since, &base) {
            narrow_to_changes(&mut checkout, &definitions, base);
        }
        let workflow_files = checkout.workflow_files();
        let options = Options { base: base.as_ref(), workflow_files: workflow_files.as_ref(), ..Options::default() };
        let report = validate(&definitions, &options);
        files += definitions.files.keys().filter(|path| checkout.wants(path)).count();
        sources.add(&checkout, &definitions);
        findings.extend(shown(report, &checkout));
    }
    if files == 0 {
        if !quiet {
            anstream::eprintln!("nothing to validate");
        }
        if arguments.format == FindingFormat::Json {
            terminal::print(&format::json(files, findings)?)?;
        }
        return Ok(Exit::Waiting);
    }
    let fails = findings.iter().any(|finding| match finding.severity {
        Severity::Error => true,
        Severity::Warning => arguments.deny_warnings,
        Severity::Info => false,
    });
    let printed = match arguments.format {
        FindingFormat::Human => format::human(files, &findings, &sources, quiet),
        FindingFormat::Concise => format::concise(&findings),
        FindingFormat::Json => format::json(files, findings)?,
        FindingFormat::Github => format::github(&findings),
    };
    if !printed.is_empty() {
        terminal::print(printed.trim_end_matches('\n'))?;
    }
    Ok(if fails { Exit::Findings } else { Exit::Done })
}

/// The findings of the files that are wanted, with paths as the person would type them.
fn shown(report: Report, checkout: &Checkout) -> Vec<Finding> {
    let wanted = report.findings.into_iter().filter(|finding| checkout.wants(&finding.path));
    wanted
        .map(|mut finding| {
            finding.path = checkout.shown(&finding.path);
            for related in &mut finding.related {
                related.path = checkout.shown(&related.path);
            }
            finding
        })
        .collect()
}

/// Only what changed since the base, and the processes that refer to something that changed.
fn narrow_to_changes(checkout: &mut Checkout, now: &Repository, base: &Repository) {
    let mut changed: BTreeSet<String> = now
        .files
        .iter()
        .filter(|(path, file)| base.files.get(*path).is_none_or(|before| before.source.text() != file.source.text()))
        .map(|(path, _)| path.to_string())
        .collect();
    for (file, process) in now.processes() {
        let name = process.header.name.as_str();
        let digest = |repository: &Repository| repository.plan(name).and_then(Result::ok).map(|plan| plan.digest);
        if digest(now) != digest(base) {
            changed.insert(file.source.path().to_owned());
        }
    }
    changed.retain(|path| checkout.wants(path));
    checkout.wanted = Some(changed);
}
