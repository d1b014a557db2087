//! What can be done about findings: their fixes, all safe fixes at once, a suppression that says why.

use crate::definition::repository::File;
use crate::source::Span;
use crate::validate::{Applicability, Finding, mend};

/// How many suppressions are offered at most: nobody picks from more, and each is tried on the text.
const MAX_SUPPRESSIONS: usize = 16;

/// Something that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What is shown.
    pub title: String,
    /// What it does.
    pub kind: ActionKind,
    /// Whether it is what was meant, so that an editor may offer it first.
    pub preferred: bool,
    /// The changes of the file; they do not overlap.
    pub edits: Vec<(Span, String)>,
    /// The place of the finding that it is about, in `findings`.
    pub finding: Option<usize>,
}

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    /// It mends one finding.
    Fix,
    /// It mends everything that can be mended safely.
    FixAll,
    /// It suppresses one finding.
    Suppress,
}

/// What can be done in a part of a file about these findings of it.
pub fn actions(file: &File, findings: &[Finding], range: Span) -> Vec<Action> {
    let mut found = Vec::new();
    let here = |finding: &Finding| finding.span.start <= range.end && range.start <= finding.span.end;
    let touched: Vec<(usize, &Finding)> = findings.iter().enumerate().filter(|(_, finding)| here(finding)).collect();
    for (index, finding) in &touched {
        found.extend(fix(file, *index, finding));
    }
    let all = fix_all(file, findings);
    if all.len() > 1 {
        let title = format!("Mend everything that can be mended safely ({} changes)", all.len());
        found.push(Action { title, kind: ActionKind::FixAll, preferred: false, edits: all, finding: None });
    }
    for (index, finding) in touched.iter().take(MAX_SUPPRESSIONS) {
        found.extend(suppress(file, *index, finding));
    }
    found
}

/// Everything that can be mended safely in one go; of changes that meet the first is made.
pub fn fix_all(file: &File, findings: &[Finding]) -> Vec<(Span, String)> {
    let Some(mended) = mend(file, findings, Applicability::Safe) else { return Vec::new() };
    let fixes = mended.made.iter().filter_map(|made| findings.get(*made)?.fix.as_ref());
    let mut edits: Vec<(Span, String)> =
        fixes.flat_map(|fix| &fix.edits).map(|edit| (edit.span, edit.text.clone())).collect();
    edits.sort();
    edits.dedup();
    edits
}

fn fix(file: &File, index: usize, finding: &Finding) -> Option<Action> {
    let fix = finding.fix.as_ref()?;
    let edits: Vec<(Span, String)> = fix.edits.iter().map(|edit| (edit.span, edit.text.clone())).collect();
    let title = match edits.as_slice() {
        [(span, text)] if short(text) && short(file.source.slice(*span)) => {
            let old = file.source.slice(*span);
            match (old.is_empty(), text.is_empty()) {
                (true, _) => format!("Insert `{}`", text.trim()),
                (_, true) => format!("Remove `{}`", old.trim()),
                _ => format!("Change `{old}` to `{text}`"),
            }
        }
        _ => format!("Mend: {}", finding.message),
    };
    let preferred = fix.applicability == Applicability::Safe;
    Some(Action { title, kind: ActionKind::Fix, preferred, edits, finding: Some(index) })
}

fn short(text: &str) -> bool {
    text.len() <= 60 && !text.trim().contains('\n')
}

/// A comment above the finding's line. Nothing where the line cannot take one: inside of a text of several lines.
fn suppress(file: &File, index: usize, finding: &Finding) -> Option<Action> {
    // What is wrong with a suppression is not suppressed, and what cannot be read has no comments.
    if finding.code.starts_with("FLOW9") || !file.document.is_complete() {
        return None;
    }
    let line = file.source.line_span(file.source.position(finding.span.start).line);
    let text = file.source.slice(line);
    let indent = text.get(..text.len() - text.trim_start().len()).unwrap_or_default();
    let at = Span { start: line.start, end: line.start };
    let comment = format!("{indent}# flowctl: ignore[{}] because TODO\n", finding.code);
    let mut suppressed = file.source.text().to_owned();
    suppressed.insert_str(line.start as usize, &comment);
    let is_comment = crate::source::parse(&suppressed)
        .document
        .comments()
        .iter()
        .any(|one| one.span.start as usize == line.start as usize + indent.len());
    let title = format!("Suppress {} ({}) here", finding.code, finding.name);
    is_comment.then(|| Action {
        title,
        kind: ActionKind::Suppress,
        preferred: false,
        edits: vec![(at, comment)],
        finding: Some(index),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::repository::Repository;
    use crate::validate::{Options, validate};

    #[test]
    fn a_suppression_goes_above_the_line_and_asks_for_its_reason() {
        let path = ".flow/processes/a.yaml";
        let text =
            "name: a\nversion: 1\ninputs:\n  who: {type: string}\nsteps:\n  - {id: x, type: set, values: {y: 1}}\n";
        let repository = Repository::read([(path.to_owned(), text.to_owned())]);
        let options = Options { performed_only: false, ..Options::default() };
        let findings = validate(&repository, &options).findings;
        assert_eq!(findings.iter().map(|one| one.code).collect::<Vec<_>>(), ["FLOW209"]);
        let file = &repository.files[path];
        let actions = actions(file, &findings, findings[0].span);
        let suppress = actions.iter().find(|one| one.kind == ActionKind::Suppress).unwrap();
        assert_eq!(suppress.title, "Suppress FLOW209 (unused-input) here");
        let mut mended = text.to_owned();
        let (span, comment) = &suppress.edits[0];
        mended.replace_range(span.range(), comment);
        assert!(mended.contains("\n  # flowctl: ignore[FLOW209] because TODO\n  who:"), "{mended}");
        let repository = Repository::read([(path.to_owned(), mended)]);
        assert_eq!(validate(&repository, &options).findings, []);
    }

    #[test]
    fn inside_of_a_text_no_comment_can_stand() {
        let path = ".flow/processes/a.yaml";
        let text = "name: a\nversion: 1\nsteps:\n  - id: x\n    type: set\n    values:\n      y: >\n        one\n        {{ inputs.nobody }}\n";
        let repository = Repository::read([(path.to_owned(), text.to_owned())]);
        let findings = validate(&repository, &Options::default()).findings;
        assert!(!findings.is_empty());
        assert_eq!(
            actions(&repository.files[path], &findings, findings[0].span)
                .iter()
                .filter(|one| one.kind == ActionKind::Suppress)
                .count(),
            0
        );
    }
}
