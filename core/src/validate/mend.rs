//! Makes the changes that findings propose: which of them go together, and whether what comes out can still be read.
//! Pure: a text goes in, a text comes out; whoever calls it writes files.

use super::finding::{Applicability, Edit, Finding};
use crate::definition::repository::File;
use crate::source::{Fault, FaultKind};

/// How many fixes of one file are tried one by one where all together would break it.
const TRIED_ALONE: usize = 100;

/// A file with fixes made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The new text.
    pub text: String,
    /// The findings whose fix was made, as places in the list that was given.
    pub made: Vec<usize>,
}

/// Makes the fixes of a file's findings as far as they are allowed: `Safe` alone, or with `Unsafe` both. Of fixes that
/// touch the same text the first is made and the others are left for another round. A fix that would bring a fault of
/// parsing that was not there is not made. Nothing where nothing would change.
pub fn mend(file: &File, findings: &[Finding], allowed: Applicability) -> Option<Mended> {
    let path = file.source.path();
    let proposed: Vec<(usize, &[Edit])> = findings
        .iter()
        .enumerate()
        .filter(|(_, finding)| finding.path == path && finding.is_fixable(allowed))
        .filter_map(|(at, finding)| Some((at, finding.fix.as_ref()?.edits.as_slice())))
        .collect();
    let together = apart(&proposed);
    let mended = make(file, &together)?;
    if reads_no_worse(file, &mended.text) {
        return Some(mended);
    }
    let mut kept: Vec<(usize, &[Edit])> = Vec::new();
    for fix in together.into_iter().take(TRIED_ALONE) {
        kept.push(fix);
        if !make(file, &kept).is_some_and(|mended| reads_no_worse(file, &mended.text)) {
            kept.pop();
        }
    }
    make(file, &kept)
}

impl Finding {
    /// Whether it has a fix that is allowed.
    pub fn is_fixable(&self, allowed: Applicability) -> bool {
        let permits = |applicability| applicability == Applicability::Safe || allowed == Applicability::Unsafe;
        self.fix.as_ref().is_some_and(|fix| !fix.edits.is_empty() && permits(fix.applicability))
    }
}

/// The fixes whose edits do not meet those of an earlier one; one that proposes exactly the same is as good as made.
fn apart<'e>(proposed: &[(usize, &'e [Edit])]) -> Vec<(usize, &'e [Edit])> {
    let mut order: Vec<&(usize, &'e [Edit])> = proposed.iter().collect();
    order.sort_by_key(|(at, edits)| (edits.iter().map(|edit| edit.span).min(), *at));
    let mut taken: Vec<&Edit> = Vec::new();
    let mut end = None;
    let mut kept = Vec::new();
    for (at, edits) in order {
        let mut own: Vec<&Edit> = edits.iter().collect();
        own.sort_by_key(|edit| edit.span);
        if own.windows(2).any(|pair| pair[0].span.end > pair[1].span.start) {
            continue;
        }
        // Fixes come by their first edit: mostly one lies behind all that was taken, and nothing has to be compared.
        let behind = end.is_none_or(|end| own.first().is_some_and(|edit| edit.span.start > end));
        if !behind && own.iter().all(|edit| taken.iter().any(|other| same(edit, other))) {
            kept.push((*at, *edits));
        } else if behind || !own.iter().any(|edit| taken.iter().any(|other| meet(edit, other))) {
            end = end.max(own.last().map(|edit| edit.span.end));
            taken.extend(own);
            kept.push((*at, *edits));
        }
    }
    kept
}

fn same(one: &Edit, other: &Edit) -> bool {
    one.span == other.span && one.text == other.text
}

/// Whether two edits change the same text, or texts that touch.
fn meet(one: &Edit, other: &Edit) -> bool {
    one.span.start <= other.span.end && other.span.start <= one.span.end
}

fn make(file: &File, fixes: &[(usize, &[Edit])]) -> Option<Mended> {
    let before = file.source.text();
    let mut edits: Vec<&Edit> = fixes.iter().flat_map(|(_, edits)| edits.iter()).collect();
    edits.sort_by(|a, b| (a.span, &a.text).cmp(&(b.span, &b.text)));
    edits.dedup_by(|a, b| a.span == b.span && a.text == b.text);
    let mut text = String::with_capacity(before.len());
    let mut at = 0;
    for edit in edits {
        text.push_str(before.get(at..edit.span.start as usize)?);
        text.push_str(&edit.text);
        at = edit.span.end as usize;
    }
    text.push_str(before.get(at..)?);
    let mut made: Vec<usize> = fixes.iter().map(|(at, _)| *at).collect();
    made.sort_unstable();
    (text != before).then_some(Mended { text, made })
}

/// Whether a file's new text has no fault of parsing that the old one lacks.
fn reads_no_worse(file: &File, text: &str) -> bool {
    let count = |faults: &[Fault], kind: FaultKind| faults.iter().filter(|fault| fault.kind == kind).count();
    let after = File::read(file.source.path(), text).faults;
    after.iter().all(|fault| count(&after, fault.kind) <= count(&file.faults, fault.kind))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::definition::repository::Repository;
    use crate::source::Span;
    use crate::validate::{Options, validate};

    const PATH: &str = ".flow/processes/hello.yaml";

    /// Findings with fixes: each a list of edits, each an edit as start, end, text.
    fn mended(text: &str, fixes: &[&[(usize, usize, &str)]]) -> Option<(String, Vec<usize>)> {
        let file = File::read(PATH, text);
        let broken = Repository::read([(PATH.to_owned(), "name: hello\nversion: 1\nsteps: []\n".to_owned())]);
        let one = validate(&broken, &Options::default()).findings.remove(0);
        let findings: Vec<Finding> = fixes
            .iter()
            .map(|edits| {
                let mut finding = one.clone();
                for (start, end, text) in *edits {
                    let mut other = one.clone();
                    other.fix(&file, Applicability::Safe, Span::new(*start, *end), *text);
                    let edit = other.fix.unwrap().edits.remove(0);
                    match &mut finding.fix {
                        Some(fix) => fix.edits.push(edit),
                        None => {
                            finding.fix(&file, Applicability::Safe, Span::new(*start, *end), *text);
                        }
                    }
                }
                finding
            })
            .collect();
        mend(&file, &findings, Applicability::Safe).map(|mended| (mended.text, mended.made))
    }

    #[test]
    fn edits_that_meet_are_left_for_another_round() {
        let text = "name: abc\n";
        let said = |text: &str, made: &[usize]| Some((text.to_owned(), made.to_vec()));
        assert_eq!(mended(text, &[&[(6, 9, "x")], &[(0, 4, "title")]]), said("title: x\n", &[0, 1]));
        assert_eq!(mended(text, &[&[(6, 9, "x")], &[(7, 8, "y")]]), said("name: x\n", &[0]));
        assert_eq!(mended(text, &[&[(6, 9, "x")], &[(9, 9, "y")]]), said("name: x\n", &[0]), "nor that touch");
        assert_eq!(mended(text, &[&[(6, 9, "x")], &[(6, 9, "x")]]), said("name: x\n", &[0, 1]), "the same is one");
        assert_eq!(mended(text, &[&[(0, 4, "a"), (6, 9, "b")], &[(5, 7, "c")]]), said("a: b\n", &[0]));
        assert_eq!(mended(text, &[&[(6, 9, "x"), (7, 8, "y")]]), None, "a fix that meets itself is none");
        assert_eq!(mended(text, &[&[(6, 9, "abc")]]), None, "nothing changes");
    }

    #[test]
    fn nothing_is_made_that_could_not_be_read_again() {
        let text = "name: abc\nversion: 1\n";
        assert_eq!(mended(text, &[&[(6, 9, "[")]]), None);
        let kept = mended(text, &[&[(6, 9, "[")], &[(19, 20, "2")]]);
        assert_eq!(kept, Some(("name: abc\nversion: 2\n".to_owned(), vec![1])), "the others are made");
    }

    #[test]
    fn what_is_a_guess_needs_to_be_asked_for() {
        let text = "name: hello\nversion: 1\nsteps:\n  - {id: a, type: sett, values: {x: 1}}\n";
        let repository = Repository::read([(PATH.to_owned(), text.to_owned())]);
        let findings = validate(&repository, &Options::default()).findings;
        let file = &repository.files[PATH];
        assert_eq!(mend(file, &findings, Applicability::Safe), None);
        assert!(mend(file, &findings, Applicability::Unsafe).unwrap().text.contains("type: set,"));
    }
}
