//! What identifies a finding from one revision of a file to the next: its code and where it stands in the structure, not
//! on which line. SARIF results and baselines carry it; it changes with nothing that is edited elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::finding::Finding;
use crate::definition::repository::{File, Repository};
use crate::source::{Node, NodeId, Span};

/// Digits of a fingerprint: half a SHA-256, which is plenty to tell findings of one file apart.
const DIGITS: usize = 32;

/// The fingerprints of findings, in their order: [`DIGITS`] hexadecimal digits each. Two findings of one file never share
/// one. The findings' paths are those of the repository.
pub fn fingerprints(repository: &Repository, findings: &[Finding]) -> Vec<String> {
    let mut places: BTreeMap<&str, Places<'_>> = BTreeMap::new();
    let mut seen: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut all = Vec::with_capacity(findings.len());
    for finding in findings {
        let what = match repository.files.get(finding.path.as_str()) {
            Some(file) => {
                let places = places.entry(&finding.path).or_insert_with(|| Places::of(file));
                format!("{}\n{}\n{}", finding.code, places.around(finding.span), words(file.source.slice(finding.span)))
            }
            None => finding.code.to_owned(),
        };
        let count = seen.entry((&finding.path, what.clone())).or_default();
        *count += 1;
        let mut digest = hex::encode(Sha256::digest(format!("{what}\n{count}").as_bytes()));
        digest.truncate(DIGITS);
        all.push(digest);
    }
    all
}

/// A text with its white space evened out: indentation says nothing.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The nodes of a file in the order of the text, each with what it lies in.
struct Places<'f> {
    file: &'f File,
    nodes: Vec<Place>,
}

struct Place {
    span: Span,
    /// The place in `nodes` that it lies in.
    inside: Option<usize>,
    /// The key or, of a list's item, the id or name that it says of itself.
    name: String,
}

impl<'f> Places<'f> {
    fn of(file: &'f File) -> Self {
        let mut places = Self { file, nodes: Vec::new() };
        let mut seen = BTreeSet::new();
        // Values are put in reverse on a stack of our own: files may be nested deeply.
        let mut open: Vec<(NodeId, Span, String, Option<usize>)> = Vec::new();
        open.extend(
            file.document.root().map(|root| (root, file.document.node(root).outer_span(), String::new(), None)),
        );
        while let Some((id, span, name, inside)) = open.pop() {
            // An alias is its anchor again: once is enough, and all of them may be too much.
            if !seen.insert(id) {
                continue;
            }
            let at = places.nodes.len();
            places.nodes.push(Place { span, inside, name });
            let node = file.document.node(id);
            let below = open.len();
            for (key, value) in node.entries() {
                let span = key.outer_span().to(value.outer_span());
                open.push((value.id(), span, key.as_str().unwrap_or_default().to_owned(), Some(at)));
            }
            for item in node.items().into_iter().flatten() {
                open.push((item.id(), item.outer_span(), own_name(item), Some(at)));
            }
            open[below..].reverse();
        }
        places.nodes.sort_by_key(|place| (place.span.start, std::cmp::Reverse(place.span.end)));
        places.nest();
        places
    }

    /// Says anew what each place lies in: by the text, for sorting moved them.
    fn nest(&mut self) {
        let mut around: Vec<usize> = Vec::new();
        for at in 0..self.nodes.len() {
            while around.last().is_some_and(|outer| !self.nodes[*outer].span.contains(self.nodes[at].span)) {
                around.pop();
            }
            self.nodes[at].inside = around.last().copied();
            around.push(at);
        }
    }

    /// The keys and names from the root to what is around a span. Where nothing is known of it, its line.
    fn around(&self, span: Span) -> String {
        let mut at = self.nodes.partition_point(|place| place.span.start <= span.start).checked_sub(1);
        while let Some(place) = at.map(|at| &self.nodes[at]) {
            if place.span.contains(span) {
                break;
            }
            at = place.inside;
        }
        let mut names = Vec::new();
        while let Some(place) = at.map(|at| &self.nodes[at]) {
            names.push(place.name.as_str());
            at = place.inside;
        }
        if names.is_empty() {
            let line = self.file.source.position(span.start).line;
            return words(self.file.source.slice(self.file.source.line_span(line)));
        }
        names.reverse();
        names.join("/")
    }
}

/// What an item of a list says that it is called.
fn own_name(item: Node<'_>) -> String {
    let said = ["id", "name"].into_iter().find_map(|key| item.get(key)?.as_str());
    said.unwrap_or_default().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::validate::{Options, validate};

    fn found(text: &str) -> Vec<(String, String)> {
        let repository = Repository::read([(".flow/processes/hello.yaml".to_owned(), text.to_owned())]);
        let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
        let prints = fingerprints(&repository, &report.findings);
        report.findings.iter().map(|finding| finding.message.clone()).zip(prints).collect()
    }

    const TEXT: &str = "name: hello
version: 1
steps:
  - {id: a, type: set, values: {x: 1}, depends_on: [b]}
  - id: c
    type: set
    values: {x: '{{ inputs.who }} {{ inputs.who }}'}
    depends_on: [nope, a]
";

    #[test]
    fn edits_elsewhere_change_no_fingerprint() {
        let before = found(TEXT);
        assert_eq!(before.len(), 4, "{before:?}");
        let moved = TEXT.replace("version: 1\n", "version: 1\n# a comment\ndescription: more\n");
        assert_eq!(found(&moved), before);
        let another = TEXT.replace("steps:\n", "steps:\n  - {id: first, type: set, values: {x: 1}}\n");
        assert_eq!(found(&another), before);
        let indented = TEXT.replace("[nope, a]", "\n      - nope\n      - a");
        assert_eq!(found(&indented), before);
    }

    #[test]
    fn what_stands_elsewhere_has_another() {
        let all: Vec<String> = found(TEXT).into_iter().map(|(_, print)| print).collect();
        let different: BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "also where one thing is wrong twice in one place");
        let renamed = found(&TEXT.replace("id: c", "id: d"));
        assert_ne!(renamed.last().unwrap().1, *all.last().unwrap());
    }

    #[test]
    fn a_file_that_cannot_be_read_has_fingerprints_too() {
        let text = "name: hello\nversion: [1\n";
        let moved = format!("# a comment\n{text}");
        assert!(!found(text).is_empty());
        assert_eq!(found(text)[0].1, found(&moved)[0].1);
    }
}
