//! The check run `flowctl / validate`: what validation finds in a pull request's definitions, which are looked at and
//! never run.

use flowctl_core::diff::Difference;
use flowctl_core::validate::{Finding, Report, Severity};

use super::difference::{self, difference};
use super::escape::{code, message, shorten};
use super::page::{CHECK_TEXT, Page};

/// Findings that the summary lists; each is an annotation too.
const LISTED: usize = 100;
/// Characters of a finding's words in the list.
const WORDS: usize = 500;
/// Characters of an annotation's words.
const ANNOTATION: usize = 4_000;
/// Bytes of the summary that the difference may take.
const DIFFERENCE: usize = 35_000;
/// Characters of the summary that findings may take.
const FINDINGS: usize = 20_000;

/// A remark on lines of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The file.
    pub path: String,
    /// First and last line, from 1.
    pub lines: (u32, u32),
    /// First and last column, from 1, where it is one line.
    pub columns: Option<(u32, u32)>,
    /// How bad it is.
    pub severity: Severity,
    /// The rule.
    pub title: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// The title: how many weakenings, and how many findings of each kind.
pub fn title(report: &Report, changes: &Difference) -> String {
    match difference::count(changes) {
        None => findings(report),
        Some(weakenings) if report.findings.is_empty() => weakenings,
        Some(weakenings) => format!("{weakenings}, {}", findings(report)),
    }
}

fn findings(report: &Report) -> String {
    let count = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let summary = &report.summary;
    let parts = [count(summary.errors, "error"), count(summary.warnings, "warning"), count(summary.infos, "remark")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing to complain about".to_owned() } else { parts.join(", ") }
}

/// The summary: what differs from the base, weakenings first, every finding with its place, and `played`, what changed
/// processes would do. `fails`: whether weakenings fail the check.
pub fn summary(report: &Report, changes: &Difference, fails: bool, played: &str) -> String {
    let mut page = Page::new(CHECK_TEXT, difference(changes, DIFFERENCE));
    if fails && !changes.weakenings.is_empty() {
        page.section("`validate.fail_on_weakening` of `flow.yaml` makes the weakenings a failure.");
    }
    let sign = if report.summary.errors > 0 { "❌" } else { "✅" };
    page.section(&format!("{sign} **{}** in {}.", findings(report), files(report.files)));
    let listed = list(&report.findings, FINDINGS);
    page.section(&listed.join("\n"));
    if report.findings.len() > listed.len() {
        page.section(&format!("_{} more are not listed here._", report.findings.len() - listed.len()));
    }
    page.section(played);
    page.section("<sub>Definitions of a pull request are looked at; only those of the default branch run.</sub>");
    page.finish()
}

/// Title and summary where a change touches no definition.
pub fn untouched() -> (String, String) {
    let summary = "This change touches no definition: nothing below `.flow/` differs.\n\n\
                   <sub>The check is here so that it may be a required one; `validate: {every_pull_request: false}` in \
                   `.flow/flow.yaml` leaves it to changes that touch definitions.</sub>";
    ("no definition is touched".to_owned(), summary.to_owned())
}

/// Title and opening where the commit is the head of another pull request too, whose change is unsound.
pub fn unsound_in(number: u64) -> (String, String) {
    let opening = format!(
        "❌ **This commit is the head of pull request #{number} too, and what that one changes is unsound.** GitHub knows a \
         check by its commit: what passes here would pass there. Mend or close #{number}, or add a commit here; then re-run \
         this check. What this pull request changes by itself:"
    );
    (format!("unsound in #{number}, which has the same commit"), opening)
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// The first findings, a line each, as far as there is room for them.
fn list(findings: &[Finding], mut room: usize) -> Vec<String> {
    let fits = |line: &String| {
        let needed = line.chars().count() + 1;
        let fits = needed <= room;
        room = room.saturating_sub(needed);
        fits
    };
    findings.iter().take(LISTED).map(line).take_while(fits).collect()
}

fn line(finding: &Finding) -> String {
    let start = finding.range.start;
    let place = code(&format!("{}:{}:{}", finding.path, start.line, start.column));
    let help = finding.help.as_deref().map(|help| format!(": {}", message(&shorten(help, WORDS)))).unwrap_or_default();
    let words = message(&shorten(&finding.message, WORDS));
    format!("- {place} {} **{}** {words}{help}", severity(finding.severity), finding.code)
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "❌",
        Severity::Warning => "⚠️",
        Severity::Info => "💬",
    }
}

/// A finding as a remark on its lines.
pub fn remark(finding: &Finding) -> Remark {
    let (start, end) = (finding.range.start, finding.range.end);
    // The end is exclusive: one at the beginning of a line means the line before.
    let last_line = if end.line > start.line && end.column <= 1 { end.line - 1 } else { end.line.max(start.line) };
    let columns = (last_line == start.line)
        .then(|| (start.column, if end.line == start.line { end.column.saturating_sub(1) } else { start.column }))
        .map(|(first, last)| (first, last.max(first)));
    let help = finding.help.as_deref().map(|help| format!("\n{help}")).unwrap_or_default();
    Remark {
        path: finding.path.clone(),
        lines: (start.line, last_line),
        columns,
        severity: finding.severity,
        title: format!("{} {}", finding.code, finding.name),
        message: shorten(&format!("{}{help}", finding.message), ANNOTATION),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::definition::repository::Repository;
    use flowctl_core::validate::{Options, validate};

    use super::*;

    const NO_CHANGE: &str = "The definitions mean the same as before.\n\n";

    fn nothing() -> Difference {
        flowctl_core::diff::compare(&Repository::default(), &Repository::default())
    }

    fn report(text: &str) -> Report {
        let files = [(".flow/processes/p.yaml".to_owned(), text.to_owned())];
        validate(&Repository::read(files), &Options::default())
    }

    #[test]
    fn every_finding_is_listed_and_is_a_remark_on_its_lines() {
        let report = report(
            "name: p\nversion: 1\nsteps:\n  - {id: a, type: set, values: {x: 1}}\n  - {id: b, type: set, depends_on: c, values: {x: '{{ steps.a.output.y }}'}}\n",
        );
        insta::assert_snapshot!(title(&report, &nothing()), @"2 errors");
        insta::assert_snapshot!(summary(&report, &nothing(), true, "").strip_prefix(NO_CHANGE).unwrap(), @r"
        ❌ **2 errors** in 1 file.

        - `.flow/processes/p.yaml:5:36` ❌ **FLOW012** step `b` depends on `c`, which does not exist
        - `.flow/processes/p.yaml:5:70` ❌ **FLOW202** `steps.a.output` has no field `y`: there is `x`

        <sub>Definitions of a pull request are looked at; only those of the default branch run.</sub>
        ");
        let remarks: Vec<String> = report
            .findings
            .iter()
            .map(|finding| {
                let Remark { path, lines, columns, title, message, .. } = remark(finding);
                format!("{path} {lines:?} {columns:?} {title}: {message}")
            })
            .collect();
        insta::assert_snapshot!(remarks.join("\n"), @r"
        .flow/processes/p.yaml (5, 5) Some((36, 36)) FLOW012 unknown-dependency: step `b` depends on `c`, which does not exist
        .flow/processes/p.yaml (5, 5) Some((70, 70)) FLOW202 unknown-name: `steps.a.output` has no field `y`
        there is `x`
        ");
    }

    #[test]
    fn of_findings_that_fill_the_page_the_first_are_listed() {
        let mut yaml = "name: p\nversion: 1\nsteps:\n".to_owned();
        for number in 0..90 {
            yaml.push_str(&format!(
                "  - {{id: s{number}, type: set, depends_on: nowhere{number}, values: {{x: 1}}}}\n"
            ));
        }
        let report = report(&yaml);
        assert_eq!(report.findings.len(), 90);
        let all = list(&report.findings, FINDINGS);
        assert_eq!(all.len(), 90);
        let room = all[..7].iter().map(|line| line.chars().count() + 1).sum();
        assert_eq!(list(&report.findings, room), all[..7]);
        assert_eq!(list(&report.findings, room - 1), all[..6]);
    }

    #[test]
    fn sound_definitions_are_said_to_be_sound() {
        let report = report("name: p\nversion: 1\nsteps:\n  - {id: a, type: set, values: {x: 1}}\n");
        insta::assert_snapshot!(summary(&report, &nothing(), true, "").strip_prefix(NO_CHANGE).unwrap(), @r"
        ✅ **nothing to complain about** in 1 file.

        <sub>Definitions of a pull request are looked at; only those of the default branch run.</sub>
        ");
    }
}
