//! One look at everything that was asked for: reads, validates, narrows, compares with the baseline. Prints nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use flowctl_core::definition::repository::{File, Repository};
use flowctl_core::validate::baseline::{Baseline, Known};
use flowctl_core::validate::{Finding, Options, Report, fingerprints, validate, validate_texts};

use super::fixing::{Fixing, Round};
use super::selection::Selection;
use crate::arguments::ValidateArguments;
use crate::format::{Found, Outcome};
use crate::repository::{Checkout, around, checkouts, relative};

/// What was seen, and what fixing would change or has changed.
pub struct Seen {
    /// What is told.
    pub outcome: Outcome,
    /// The files as they are after fixing; empty where nothing is fixed.
    pub fixing: Fixing,
}

/// Looks once.
pub fn look(arguments: &ValidateArguments, selection: &Selection) -> anyhow::Result<Seen> {
    let baseline = read_baseline(arguments)?;
    let prices = crate::prices::of_environment()?;
    let mut outcome = Outcome::default();
    let mut fixing = Fixing::of(&arguments.fixing);
    // No definitions at all is nothing to validate, unless somebody named a place where they should be.
    let is_nothing = arguments.path.is_empty() && !arguments.scope.watch && around(Path::new(".")).is_none();
    let stdin_filename = arguments.scope.stdin_filename.as_deref();
    let asked = if is_nothing { Vec::new() } else { checkouts(&arguments.path, stdin_filename)? };
    for mut checkout in asked {
        outcome.roots.push(checkout.root.clone());
        let workflow_files = checkout.workflow_files();
        let base = match &arguments.scope.changed_since {
            Some(revision) => checkout.at(Some(revision))?,
            None => checkout.changed_from_head()?,
        };
        // What is sound, not what this version performs: whoever runs a definition says that.
        let options = Options {
            performed_only: false,
            base: base.as_ref(),
            workflow_files: workflow_files.as_ref(),
            is_whole: true,
            prices: prices.as_ref(),
        };
        let since = base.as_ref().filter(|_| arguments.scope.changed_since.is_some());
        if since.is_some() || fixing.is_asked_for() {
            let mut definitions = checkout.definitions();
            let mut report = validate(&definitions, &options);
            if let Some(base) = since {
                let before = validate(base, &Options { base: None, ..options.clone() });
                checkout.wanted = Some(touched(&checkout, (&definitions, &report), (base, &before)));
            }
            let mut round = Round { checkout: &checkout, definitions: &mut definitions, report: &mut report };
            fixing.make(&mut round, selection, &options)?;
            add(&checkout, &|path| definitions.files.get(path).cloned(), report, selection, &mut outcome);
        } else {
            let report = validate_texts(checkout.texts(), &options);
            // Few files of many have findings: those are read a second time, so that not all have to be kept.
            let again = |path: &str| checkout.texts().read(path).map(Arc::new);
            add(&checkout, &again, report, selection, &mut outcome);
        }
        outcome.files += checkout.paths().filter(|path| checkout.wants(path)).count();
    }
    if let Some((path, baseline)) = baseline {
        compare(&path, &baseline, &mut outcome, arguments);
    }
    Ok(Seen { outcome, fixing })
}

/// The files of which findings are told with `--changed-since`: those that changed, and those that depend on what did:
/// processes that mean something else now, and files in which something is found that was not found before.
fn touched(
    checkout: &Checkout,
    (now, report): (&Repository, &Report),
    (base, before): (&Repository, &Report),
) -> BTreeSet<String> {
    let mut changed: BTreeSet<String> = now
        .files
        .iter()
        .filter(|(path, file)| {
            let same = |before: &File| before.form == file.form && before.source.text() == file.source.text();
            !base.files.get(*path).is_some_and(|before| same(before))
        })
        .map(|(path, _)| path.to_string())
        .collect();
    let (digests, digests_before) = (now.digests(), base.digests());
    for (file, process) in now.processes() {
        let name = process.header.name.as_str();
        if digests.get(name) != digests_before.get(name) {
            changed.insert(file.source.path().to_owned());
        }
    }
    let old: BTreeSet<(&str, String)> = told(base, before).collect();
    changed.extend(told(now, report).filter(|told| !old.contains(told)).map(|(path, _)| path.to_owned()));
    changed.retain(|path| checkout.wants(path));
    changed
}

fn told<'r>(repository: &Repository, report: &'r Report) -> impl Iterator<Item = (&'r str, String)> {
    let prints = fingerprints(repository, &report.findings);
    report.findings.iter().map(|finding| finding.path.as_str()).zip(prints)
}

/// Adds the findings that are told, with paths as the person would type them. Findings come file by file, and so are
/// files asked for.
fn add(
    checkout: &Checkout,
    read: &dyn Fn(&str) -> Option<Arc<File>>,
    report: Report,
    selection: &Selection,
    outcome: &mut Outcome,
) {
    for found in report.findings.chunk_by(|one, next| one.path == next.path) {
        let path = &found[0].path;
        if !checkout.wants(path) || !found.iter().any(|finding| selection.wants(finding)) {
            continue;
        }
        let files = read(path).into_iter().map(|file| (Arc::from(path.as_str()), file));
        let repository = Repository { files: files.collect() };
        let prints = fingerprints(&repository, found);
        let own = repository.files.values().next();
        own.into_iter().for_each(|file| outcome.sources.add(checkout.shown(path), &file.source));
        for (finding, fingerprint) in found.iter().zip(prints).filter(|(finding, _)| selection.wants(finding)) {
            for related in finding.related.iter().filter(|related| related.path != *path) {
                outcome.sources.add_with(checkout.shown(&related.path), || Some(read(&related.path)?.source.clone()));
            }
            outcome.found.push(told_as(checkout, finding.clone(), fingerprint));
        }
    }
    let looked_at = checkout.paths().filter(|path| checkout.wants(path));
    outcome.looked_at.extend(looked_at.map(|path| (checkout.root.join(path), checkout.shown(path))));
}

/// A finding as the person reads it.
fn told_as(checkout: &Checkout, mut finding: Finding, fingerprint: String) -> Found {
    let location = checkout.root.join(&finding.path);
    finding.path = checkout.shown(&finding.path);
    for related in &mut finding.related {
        related.path = checkout.shown(&related.path);
    }
    Found { finding, fingerprint, location }
}

fn read_baseline(arguments: &ValidateArguments) -> anyhow::Result<Option<(std::path::PathBuf, Baseline)>> {
    let Some(path) = &arguments.baseline.baseline else { return Ok(None) };
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {}; `--write-baseline {}` writes it", path.display(), path.display()))?;
    let baseline = Baseline::parse(&text).with_context(|| format!("{}", path.display()))?;
    Ok(Some((path.clone(), baseline)))
}

/// Takes known findings away, and notes what is known and not there any more: of files that were looked at, and of files
/// that there are not.
fn compare(path: &Path, baseline: &Baseline, outcome: &mut Outcome, arguments: &ValidateArguments) {
    let folder = folder_of(path);
    let found = std::mem::take(&mut outcome.found);
    let compared = baseline.compare(found, |found| entry(found, &folder));
    outcome.found = compared.new;
    outcome.known = Some(compared.known);
    let selection = &arguments.output;
    if selection.select.is_empty() && selection.ignore.is_empty() {
        let looked_at = |known: &Known| outcome.looked_at.contains_key(&folder.join(&known.path));
        outcome.gone =
            compared.gone.into_iter().filter(|known| looked_at(known) || !folder.join(&known.path).exists()).collect();
    }
}

/// The baseline of what was found, for a file at a path.
pub fn baseline_of(outcome: &Outcome, path: &Path) -> Baseline {
    let folder = folder_of(path);
    Baseline::of(outcome.found.iter().map(|found| entry(found, &folder)))
}

/// What a finding is in a baseline in a folder: its path is relative to that, wherever the program was called.
fn entry(found: &Found, folder: &Path) -> Known {
    Known::of(&found.finding, relative(&found.location, folder), &found.fingerprint)
}

fn folder_of(path: &Path) -> std::path::PathBuf {
    crate::repository::absolute(path).parent().map(Path::to_owned).unwrap_or_default()
}
