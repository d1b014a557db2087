//! Cases as an author writes them, and what a person reads of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cover;
mod inside;
mod judged;
mod stories;

use super::*;
use crate::definition::repository::{Definition, Repository};
use crate::definition::test::ProcessTest;

/// A repository with one process and tests of it.
pub(super) struct Tried {
    pub(super) repository: Repository,
    pub(super) tests: ProcessTest,
    pub(super) stage: Stage,
}

/// Steps (and other keys) of a process `story`, and tests of it without their first line.
pub(super) fn tried(process: &str, tests: &str) -> Tried {
    tried_with(&[], process, tests)
}

/// The same beside other files.
pub(super) fn tried_with(files: &[(&str, &str)], process: &str, tests: &str) -> Tried {
    let own = [
        (".flow/processes/story.yaml", format!("name: story\nversion: 1\n{process}")),
        (".flow/tests/story.yaml", format!("process: story\n{tests}")),
    ];
    let others = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let repository = Repository::read(own.into_iter().map(|(path, text)| (path.to_owned(), text)).chain(others));
    for (path, file) in &repository.files {
        assert!(
            file.faults.is_empty() && file.structure.is_empty(),
            "{path}: {:#?} {:#?}",
            file.faults,
            file.structure
        );
    }
    let tests = repository.files.values().find_map(|file| match &file.definition {
        Some(Definition::Test(test)) => Some((**test).clone()),
        _ => None,
    });
    let stage = Stage::of(&repository, ["story"]);
    Tried { tests: tests.unwrap(), stage, repository }
}

impl Tried {
    /// The run of the only case, or of the one with this name.
    pub(super) fn run(&self, name: &str) -> Run {
        let case = self.tests.cases.iter().find(|case| name.is_empty() || case.name.as_str() == name).unwrap();
        simulate(&self.stage, "story", &self.tests.people, case).unwrap_or_else(|faults| panic!("{faults:#?}"))
    }

    /// What happened in the only case.
    pub(super) fn timeline(&self) -> String {
        let run = self.run("");
        format!("{}path: {}\n", run.timeline_text(), run.path.join(" "))
    }

    /// What is not as each case expects it, with the line of the file.
    pub(super) fn judged(&self) -> String {
        let file = self.repository.files.values().find(|file| file.source.path().contains("/tests/")).unwrap();
        let line = |span: crate::source::Span| file.source.position(span.start).line;
        let mut said = String::new();
        for case in &self.tests.cases {
            match simulate(&self.stage, "story", &self.tests.people, case) {
                Err(faults) => {
                    for fault in faults {
                        said.push_str(&format!("{}: {} {:?}\n", line(fault.span), fault.message, fault.help));
                    }
                }
                Ok(run) => {
                    for failure in judge(case, &run) {
                        said.push_str(&format!("{}: {}\n", line(failure.span), failure.message));
                        if let Some(Difference { expected, found }) = failure.difference {
                            said.push_str(&format!("expected {expected}found {found}"));
                        }
                        if let Some(help) = failure.help {
                            said.push_str(&format!("  {help}\n"));
                        }
                    }
                }
            }
        }
        said
    }
}
