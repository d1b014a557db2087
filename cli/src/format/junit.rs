//! JUnit XML, for CI systems that show tests: a suite a file, a case a finding. What does not fail the run does not fail
//! there either, so that a green job is green everywhere.

use std::collections::BTreeMap;

use flowctl_core::validate::Severity;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::{Found, Outcome};

/// The document.
pub fn junit(outcome: &Outcome, deny_warnings: bool) -> anyhow::Result<String> {
    let mut by_file: BTreeMap<&str, Vec<&Found>> =
        outcome.looked_at.values().map(|path| (path.as_str(), Vec::new())).collect();
    for found in &outcome.found {
        by_file.entry(&found.finding.path).or_default().push(found);
    }
    let mut report = Report::new("flowctl validate");
    for (path, found) in by_file {
        let mut suite = TestSuite::new(path);
        if found.is_empty() {
            let mut sound = TestCase::new("sound", TestCaseStatus::success());
            sound.set_classname(path);
            suite.add_test_case(sound);
        }
        for found in found {
            suite.add_test_case(case(found, path, deny_warnings));
        }
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

fn case(found: &Found, path: &str, deny_warnings: bool) -> TestCase {
    let finding = &found.finding;
    let start = finding.range.start;
    let fails = match finding.severity {
        Severity::Error => true,
        Severity::Warning => deny_warnings,
        Severity::Info => false,
    };
    let help = finding.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let place = format!("{path}:{}:{}", start.line, start.column);
    let page = finding.link().map(|url| format!("\n{url}")).unwrap_or_default();
    let details = format!("{place}: {}[{}]: {}{help}{page}", finding.severity, finding.code, finding.message);
    let status = if fails {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(finding.severity.as_str()).set_message(finding.message.as_str()).set_description(&details);
        status
    } else {
        TestCaseStatus::success()
    };
    let mut case = TestCase::new(format!("{} {}: {}", finding.code, finding.name, finding.message), status);
    case.set_classname(path);
    // Not of the original form, but what GitLab and others take a click to.
    case.extra.insert(XmlString::new("file"), XmlString::new(path));
    case.extra.insert(XmlString::new("line"), XmlString::new(start.line.to_string()));
    if !fails {
        case.set_system_out(details);
    }
    case
}
