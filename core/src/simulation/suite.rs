//! All tests of a repository: which can be played, each case with what came of it, and what they show of the processes.
//! Cases are played on all cores; what is given back is in the order of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::coverage::Coverage;
use super::expectation::{Failure, judge};
use super::play::simulate;
use super::run::Run;
use super::stage::Stage;
use crate::definition::Process;
use crate::definition::repository::{Definition, File, FileKind, Repository};
use crate::definition::test::{ProcessTest, TestCase};
use crate::source::Spanned;
use crate::validate::{Report, Severity};

/// The tests of a repository that can be played.
#[derive(Debug)]
pub struct Suite<'r> {
    /// The files whose tests can be played, by path.
    pub files: Vec<SuiteFile<'r>>,
    /// The paths of test files that have errors, or whose process has.
    pub unsound: Vec<&'r str>,
    /// The paths of the files whose errors are the reason.
    pub blamed: BTreeSet<&'r str>,
    stage: Stage,
}

/// A file of tests.
#[derive(Debug)]
pub struct SuiteFile<'r> {
    /// The file.
    pub file: &'r File,
    /// The file of the process.
    pub process_file: &'r File,
    /// The process.
    pub process: &'r Arc<Process>,
    /// The tests.
    pub tests: &'r ProcessTest,
    /// The cases that are wanted.
    pub cases: Vec<&'r Spanned<TestCase>>,
}

/// A case and what came of it.
#[derive(Debug)]
pub struct Played<'r> {
    /// The case.
    pub case: &'r Spanned<TestCase>,
    /// What happened; nothing where it could not start.
    pub run: Option<Run>,
    /// What is not as expected; nothing: it passes.
    pub failures: Vec<Failure>,
}

impl Played<'_> {
    /// Whether everything is as expected.
    pub fn passes(&self) -> bool {
        self.failures.is_empty()
    }
}

impl<'r> Suite<'r> {
    /// The tests in files that are wanted, the cases that are wanted of them by process and name. `report` is what
    /// validation says of the repository: a test with errors, or of something with errors, is not played.
    pub fn of(
        repository: &'r Repository,
        report: &Report,
        wants_file: impl Fn(&str) -> bool,
        wants_case: impl Fn(&str, &str) -> bool,
    ) -> Self {
        let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let unsound: BTreeSet<&str> = errors.map(|finding| finding.path.as_str()).collect();
        let mut suite =
            Self { files: Vec::new(), unsound: Vec::new(), blamed: BTreeSet::new(), stage: Stage::default() };
        for (path, file) in &repository.files {
            if !wants_file(path) || file.kind != FileKind::Test {
                continue;
            }
            let tests = match &file.definition {
                Some(Definition::Test(tests)) if !unsound.contains(file.source.path()) => tests,
                _ => {
                    suite.refuse(file, [file.source.path()]);
                    continue;
                }
            };
            let name = tests.process.as_str();
            let Some((process_file, process)) = repository.process(name) else {
                suite.refuse(file, [file.source.path()]);
                continue;
            };
            let parts = repository.files_of(name).into_iter().map(|part| part.source.path());
            let broken: Vec<&str> = parts.filter(|path| unsound.contains(path)).collect();
            if !broken.is_empty() {
                suite.refuse(file, broken);
                continue;
            }
            let cases: Vec<_> = tests.cases.iter().filter(|case| wants_case(name, case.name.as_str())).collect();
            if !cases.is_empty() {
                suite.files.push(SuiteFile { file, process_file, process, tests, cases });
            }
        }
        suite.stage = Stage::of(repository, suite.files.iter().map(|file| file.tests.process.as_str()));
        suite
    }

    fn refuse(&mut self, file: &'r File, blamed: impl IntoIterator<Item = &'r str>) {
        self.unsound.push(file.source.path());
        self.blamed.extend(blamed);
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.files.iter().map(|file| file.cases.len()).sum()
    }

    /// Whether there is nothing to play.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Plays every case, on all cores. For each file its cases, both in order.
    pub fn play(&self) -> Vec<Vec<Played<'r>>> {
        let all: Vec<(&SuiteFile<'r>, &'r Spanned<TestCase>)> =
            self.files.iter().flat_map(|file| file.cases.iter().map(move |case| (file, *case))).collect();
        let mut played =
            all.into_par_iter().map(|(file, case)| self.play_case(file, case)).collect::<Vec<_>>().into_iter();
        self.files.iter().map(|file| played.by_ref().take(file.cases.len()).collect()).collect()
    }

    fn play_case(&self, file: &SuiteFile<'r>, case: &'r Spanned<TestCase>) -> Played<'r> {
        match simulate(&self.stage, file.tests.process.as_str(), &file.tests.people, case) {
            Ok(run) => {
                let failures = judge(case, &run);
                Played { case, run: Some(run), failures }
            }
            Err(faults) => {
                let failures = faults.into_iter().map(Failure::from).collect();
                Played { case, run: None, failures }
            }
        }
    }

    /// What the cases show of each process, by its name; of `others` nothing is shown.
    pub fn coverage(
        &self,
        played: &[Vec<Played<'r>>],
        others: impl IntoIterator<Item = (&'r File, &'r Arc<Process>)>,
    ) -> BTreeMap<&'r str, (&'r File, Coverage)> {
        let tested = self.files.iter().map(|file| (file.process_file, file.process));
        let mut coverage: BTreeMap<&str, (&File, Coverage)> = tested
            .chain(others)
            .map(|(file, process)| {
                let name = process.header.name.as_str();
                let plan = self.stage.plan(name).and_then(|plan| plan.as_ref().ok());
                let default = plan.and_then(|plan| plan.process.header.defaults.timeout);
                (name, (file, Coverage::of(process, default)))
            })
            .collect();
        let runs = played.iter().flatten().filter_map(|case| case.run.as_ref());
        for (_, run) in runs.flat_map(Run::all) {
            let name = run.execution.process.as_str();
            if let (Some(Ok(plan)), Some((_, coverage))) = (self.stage.plan(name), coverage.get_mut(name)) {
                coverage.count(&plan.process, plan, run);
            }
        }
        coverage
    }
}
