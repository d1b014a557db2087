//! `test`: plays the tests of processes and prints what came of them. Plays nothing itself; that is `core`'s.

mod coverage;
mod human;
mod json;
mod junit;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flowctl_core::definition::repository::{Definition, Repository};
use flowctl_core::definition::test::ProcessTest;
use flowctl_core::simulation::{Played, Suite, SuiteFile};
use flowctl_core::validate::{Options, Report, Severity, fingerprints, validate};

use crate::arguments::{TestArguments, TestFormat};
use crate::exit::Exit;
use crate::format::{self, Found};
use crate::repository::{Checkout, checkouts};
use crate::terminal;
use crate::watching::{Showing, again_and_again};

use coverage::ProcessCoverage;

/// What came of all tests.
#[derive(Debug, Default)]
struct Outcome {
    /// The files that were played, as a person would type their paths.
    files: Vec<FileOutcome>,
    /// The cases that were looked through for those that are wanted.
    there: usize,
    /// Why other files were not played.
    unplayed: format::Outcome,
    /// How many files that is.
    unsound: usize,
    /// What was shown of each process, where that was asked for.
    coverage: Option<Vec<ProcessCoverage>>,
    /// How long the playing took.
    took: Duration,
}

/// A file's cases.
#[derive(Debug)]
struct FileOutcome {
    path: String,
    process: String,
    cases: Vec<CaseOutcome>,
}

/// A case that was played.
#[derive(Debug)]
struct CaseOutcome {
    name: String,
    line: u32,
    failures: Vec<CaseFailure>,
    run: Option<flowctl_core::simulation::Run>,
}

/// What was not as expected, with its place.
#[derive(Debug)]
struct CaseFailure {
    failure: flowctl_core::simulation::Failure,
    range: flowctl_core::source::Range,
}

impl Outcome {
    fn cases(&self) -> impl Iterator<Item = &CaseOutcome> {
        self.files.iter().flat_map(|file| &file.cases)
    }

    fn failed(&self) -> usize {
        self.cases().filter(|case| !case.failures.is_empty()).count()
    }

    /// How much of all processes was shown, in percent, rounded down; of no process everything.
    fn percent(&self) -> Option<u32> {
        let coverage = self.coverage.as_ref()?;
        let sum = |pick: fn((usize, usize)) -> usize| coverage.iter().map(|it| pick(it.total)).sum::<usize>();
        Some(coverage::percent((sum(|(shown, _)| shown), sum(|(_, all)| all))))
    }
}

/// Plays what the arguments name; with `--watch` again and again.
pub fn run(arguments: &TestArguments, quiet: bool) -> anyhow::Result<Exit> {
    if !arguments.watch {
        return show(arguments, &look(arguments)?, quiet);
    }
    if arguments.format == TestFormat::Junit {
        anyhow::bail!("--watch prints human or json; junit is a whole document");
    }
    // What is wrong from the beginning is wrong usage.
    let roots: Vec<PathBuf> = checkouts(&arguments.path, None)?.into_iter().map(|checkout| checkout.root).collect();
    let showing = Showing { as_lines: arguments.format == TestFormat::Json, quiet };
    again_and_again(&roots, showing, &|| look(arguments), &|seen| show(arguments, seen, quiet).map(drop))
}

fn look(arguments: &TestArguments) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    if arguments.coverage || arguments.fail_under.is_some() {
        outcome.coverage = Some(Vec::new());
    }
    for checkout in checkouts(&arguments.path, None)? {
        let definitions = checkout.definitions();
        play(arguments, &checkout, &definitions, &mut outcome);
    }
    Ok(outcome)
}

fn show(arguments: &TestArguments, outcome: &Outcome, quiet: bool) -> anyhow::Result<Exit> {
    let as_json = || if arguments.watch { json::json_line(outcome) } else { json::json(outcome) };
    if outcome.files.is_empty() && outcome.unplayed.found.is_empty() {
        if !quiet {
            anstream::eprintln!("{}", nothing(arguments, outcome.there));
        }
        if arguments.format == TestFormat::Json {
            terminal::print(&as_json()?)?;
        }
        return Ok(Exit::Waiting);
    }
    let printed = match arguments.format {
        TestFormat::Human => {
            // What validation says comes first, in its own form.
            format::human(&outcome.unplayed, true) + &human::human(outcome, quiet)
        }
        TestFormat::Json => as_json()?,
        TestFormat::Junit => junit::junit(outcome)?,
    };
    if !printed.is_empty() {
        terminal::print(printed.trim_end_matches('\n'))?;
    }
    let short = outcome.percent().zip(arguments.fail_under).is_some_and(|(percent, wanted)| percent < wanted);
    if short && !quiet {
        let (percent, wanted) = (outcome.percent().unwrap_or(0), arguments.fail_under.unwrap_or(0));
        anstream::eprintln!("the cases show {percent}% of the processes, and {wanted}% are asked for");
    }
    let sound = outcome.failed() == 0 && outcome.unplayed.found.is_empty() && !short;
    Ok(if sound { Exit::Done } else { Exit::Findings })
}

/// Why no case was played.
fn nothing(arguments: &TestArguments, there: usize) -> String {
    let cases = match there {
        1 => "there is 1 case".to_owned(),
        _ => format!("there are {there} cases"),
    };
    match &arguments.filter {
        _ if there == 0 => "nothing to test: tests are `.flow/tests/NAME.yaml`, see docs/testing.md".to_owned(),
        Some(filter) => format!("no case contains `{filter}` in its `PROCESS: NAME`; {cases}"),
        None => format!("nothing of what is named is tested; {cases}"),
    }
}

/// The tests of a repository's processes, by path, with the path of their process.
fn tests(definitions: &Repository) -> impl Iterator<Item = (&str, &ProcessTest, Option<&str>)> {
    definitions.files.values().filter_map(|file| match &file.definition {
        Some(Definition::Test(tests)) => {
            let process = definitions.process(tests.process.as_str()).map(|(file, _)| file.source.path());
            Some((file.source.path(), &**tests, process))
        }
        _ => None,
    })
}

/// Plays the tests of one repository.
fn play(arguments: &TestArguments, checkout: &Checkout, definitions: &Repository, outcome: &mut Outcome) {
    let workflow_files = checkout.workflow_files();
    let options = Options { performed_only: false, workflow_files: workflow_files.as_ref(), ..Options::default() };
    let report = validate(definitions, &options);
    let wanted = |process: &str, case: &str| {
        arguments.filter.as_ref().is_none_or(|filter| format!("{process}: {case}").contains(filter.as_str()))
    };
    let of_wanted: BTreeSet<&str> = tests(definitions)
        .filter(|(_, _, process)| process.is_some_and(|process| checkout.wants(process)))
        .map(|(path, ..)| path)
        .collect();
    outcome.there += tests(definitions).map(|(_, tests, _)| tests.cases.len()).sum::<usize>();
    let suite = Suite::of(definitions, &report, |path| checkout.wants(path) || of_wanted.contains(path), wanted);
    let start = Instant::now();
    let played = suite.play();
    outcome.took += start.elapsed();
    if let Some(coverage) = &mut outcome.coverage {
        let whole = checkout.wanted.is_none() && arguments.filter.is_none();
        let others = definitions.processes().filter(|_| whole);
        for (process, (file, shown)) in suite.coverage(&played, others) {
            coverage.push(ProcessCoverage::of(process, file, &checkout.shown(file.source.path()), &shown));
        }
    }
    blame(checkout, definitions, report, &suite, &mut outcome.unplayed);
    outcome.unsound += suite.unsound.len();
    for (file, cases) in suite.files.iter().zip(played) {
        outcome.files.push(file_outcome(checkout, file, cases));
    }
}

fn file_outcome(checkout: &Checkout, file: &SuiteFile<'_>, played: Vec<Played<'_>>) -> FileOutcome {
    let source = &file.file.source;
    let case = |played: Played<'_>| CaseOutcome {
        name: played.case.name.value.clone(),
        line: source.position(played.case.name.span.start).line,
        failures: played
            .failures
            .into_iter()
            .map(|failure| CaseFailure { range: source.range(failure.span), failure })
            .collect(),
        run: played.run,
    };
    FileOutcome {
        path: checkout.shown(source.path()),
        process: file.tests.process.as_str().to_owned(),
        cases: played.into_iter().map(case).collect(),
    }
}

/// Adds the errors because of which files were not played, with paths as a person would type them.
fn blame(
    checkout: &Checkout,
    definitions: &Repository,
    report: Report,
    suite: &Suite<'_>,
    unplayed: &mut format::Outcome,
) {
    let prints = fingerprints(definitions, &report.findings);
    for (mut finding, fingerprint) in report.findings.into_iter().zip(prints) {
        if finding.severity != Severity::Error || !suite.blamed.contains(finding.path.as_str()) {
            continue;
        }
        let location = checkout.root.join(&finding.path);
        let paths = finding.related.iter_mut().map(|related| &mut related.path).chain([&mut finding.path]);
        for path in paths {
            let shown = checkout.shown(path);
            if let Some(file) = definitions.files.get(path.as_str()) {
                unplayed.sources.add(shown.clone(), &file.source);
            }
            *path = shown;
        }
        unplayed.found.push(Found { finding, fingerprint, location });
    }
}
