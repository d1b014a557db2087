//! A window or a freeze in which no time lies.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, FileKind};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW417",
    name: "empty-period",
    severity: Severity::Error,
    summary: "A window or a freeze in which no time lies",
    reason: r"
Its end comes before its beginning. A window over midnight is written as two: one to 24:00, and one from 00:00.
",
    wrong: r#"
# .flow/policies/careful.yaml
name: careful
applies_to: ["*"]
windows:
  - {days: [mon, tue], from: "17:00", to: "09:00"}
"#,
    right: r#"
# .flow/policies/careful.yaml
name: careful
applies_to: ["*"]
windows:
  - {days: [mon, tue], from: "08:00", to: "09:00"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Policy) {
        let Some(Definition::Policy(policy)) = &file.definition else { continue };
        for window in &policy.windows {
            // Times of day have one form, and their order is that of their letters.
            if window.from.value >= window.to.value {
                let finding = findings.add(file, window.to.span, "the window ends before it begins");
                finding.help("write a window over midnight as two").also(file, window.from.span, "it begins");
            }
        }
        for freeze in &policy.freezes {
            // A day alone is the whole day; the first ten letters of a moment are its day.
            let days = (freeze.from.get(..10), freeze.to.get(..10));
            let same_form = freeze.from.len() == freeze.to.len();
            if days.0 > days.1 || (days.0 == days.1 && same_form && freeze.from.value > freeze.to.value) {
                let finding = findings.add(file, freeze.to.span, "the freeze ends before it begins");
                finding.help("swap the two").also(file, freeze.from.span, "it begins");
            }
        }
    }
}
