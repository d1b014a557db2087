//! What came of tests as JUnit XML: a suite a file, a test case a case. Files that were not played are errors.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{CaseFailure, CaseOutcome, FileOutcome, Outcome};

/// The document.
pub fn junit(outcome: &Outcome) -> anyhow::Result<String> {
    let mut report = Report::new("flowctl test");
    for file in &outcome.files {
        let mut suite = TestSuite::new(file.path.as_str());
        file.cases.iter().for_each(|each| {
            suite.add_test_case(case(file, each));
        });
        report.add_test_suite(suite);
    }
    if !outcome.unplayed.found.is_empty() {
        let mut suite = TestSuite::new("flowctl validate");
        for finding in outcome.unplayed.found.iter().map(|found| &found.finding) {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(finding.message.as_str()).set_type(finding.code);
            let name = format!("{}:{}", finding.path, finding.range.start.line);
            suite.add_test_case(TestCase::new(name, status));
        }
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

fn case(file: &FileOutcome, case: &CaseOutcome) -> TestCase {
    let status = if case.failures.is_empty() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let first = case.failures.first().map(|failure| failure.failure.message.clone()).unwrap_or_default();
        status.set_message(first).set_description(description(file, case));
        status
    };
    let mut junit = TestCase::new(case.name.as_str(), status);
    junit.set_classname(file.process.as_str());
    junit.extra.insert("file".into(), file.path.as_str().into());
    junit.extra.insert("line".into(), case.line.to_string().into());
    junit
}

/// Everything that is not as expected, and what happened.
fn description(file: &FileOutcome, case: &CaseOutcome) -> String {
    let mut text = String::new();
    for CaseFailure { failure, range } in &case.failures {
        text.push_str(&format!("{}:{}: {}\n", file.path, range.start.line, failure.message));
        if let Some(difference) = &failure.difference {
            text.push_str(&format!("expected:\n{}found:\n{}", difference.expected, difference.found));
        }
        if let Some(help) = &failure.help {
            text.push_str(&format!("help: {help}\n"));
        }
    }
    if let Some(run) = case.run.as_ref().filter(|run| run.missing.is_empty()) {
        text.push_str(&format!("what happened:\n{}", run.timeline_text()));
    }
    text
}
