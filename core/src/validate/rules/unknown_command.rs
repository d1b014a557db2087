//! A setting of a command that does not exist.

use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::comment_word_taken::VERBS;
use crate::definition::repository::{Definition, FileKind};
use crate::source::closest;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW410",
    name: "unknown-command",
    severity: Severity::Error,
    summary: "A setting of a command that does not exist",
    reason: r"`commands` tightens who may use a command. A misspelt one tightens nothing, and everybody may still do what was to
be kept to few.
",
    wrong: r"# .flow/flow.yaml
commands:
  cancle: {role: admin}
",
    right: r"# .flow/flow.yaml
commands:
  cancel: {role: admin}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Settings) {
        let Some(Definition::Settings(settings)) = &file.definition else { continue };
        for name in settings.commands.keys() {
            let word = name.trim_start_matches('/');
            if VERBS.iter().any(|verb| verb.word() == word) {
                continue;
            }
            let finding = findings.add(file, name.span, format!("there is no command `{word}`"));
            if let Some(meant) = closest(word, VERBS.iter().map(|verb| verb.word())) {
                finding.help(format!("did you mean `{meant}`?")).fix(file, Applicability::Unsafe, name.span, meant);
            }
        }
    }
}
