//! Whatever a repository's files hold: every rule comes back, and each finding lies inside its file.
#![no_main]

use flowctl_core::definition::repository::Repository;
use flowctl_core::validate::{Options, validate};
use libfuzzer_sys::fuzz_target;

/// The kinds of files; a text is cut into them at form feeds.
const PATHS: [&str; 8] = [
    ".flow/processes/a.yaml",
    ".flow/processes/b.yaml",
    ".flow/flow.yaml",
    ".flow/agents/a.yaml",
    ".flow/tools/a.yaml",
    ".flow/policies/a.yaml",
    ".flow/prompts/a.md",
    ".flow/tests/a.yaml",
];

fuzz_target!(|text: &str| {
    let files = PATHS.iter().zip(text.split('\u{c}')).map(|(path, text)| ((*path).to_owned(), text.to_owned()));
    let repository = Repository::read(files);
    let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
    for finding in &report.findings {
        let source = &repository.files[finding.path.as_str()].source;
        assert!(source.text().get(finding.span.range()).is_some(), "{} {:?}", finding.code, finding.span);
    }
});
