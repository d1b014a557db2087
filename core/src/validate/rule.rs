//! What a rule is, and how it says what it found. The rules themselves are in `rules/`, one file each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use super::finding::{Finding, Severity};
use super::scope::Scope;
use crate::definition::repository::File;
use crate::source::{Misspelt, Span};

/// Where the pages of `docs/rules/` are read; known to who builds a release, and otherwise nothing is linked.
const PAGES: Option<&str> = option_env!("FLOWCTL_RULES_URL");

/// A rule: what it is called, why it exists, and how it is checked.
#[derive(Debug)]
pub struct Rule {
    /// `FLOW` and three digits. Never changed, never used again.
    pub code: &'static str,
    /// A name in kebab case; suppressions and levels may use it instead of the code.
    pub name: &'static str,
    /// How bad it is where a repository sets no level.
    pub severity: Severity,
    /// One line: what it finds.
    pub summary: &'static str,
    /// What it finds and why that matters, in Markdown.
    pub reason: &'static str,
    /// Files with exactly this finding; see [`Example`].
    pub wrong: &'static str,
    /// The same without it.
    pub right: &'static str,
    /// Looks at a repository.
    pub check: fn(&Scope<'_>, &mut Findings),
}

impl Rule {
    /// The rule's page as a reference: its address, or where it stands in flowctl's repository.
    pub fn page(&self) -> String {
        self.url().unwrap_or_else(|| format!("docs/rules/{}.md", self.code))
    }

    /// The address of the rule's page, where the program knows of one.
    pub fn url(&self) -> Option<String> {
        PAGES.filter(|pages| !pages.is_empty()).map(|pages| format!("{pages}/{}.md", self.code))
    }

    /// Whether a suppression or a level means this rule.
    pub fn is(&self, code_or_name: &str) -> bool {
        self.code == code_or_name || self.name == code_or_name
    }

    /// What `flowctl explain` shows: what, why, a wrong and a right example, in Markdown.
    pub fn explanation(&self) -> String {
        let mut text = format!("# {}: {}\n\n", self.code, self.name);
        let _ = writeln!(text, "{}. Severity: **{}**.\n\n{}", self.summary, self.severity, self.reason.trim());
        for (title, example) in [("Wrong", self.wrong), ("Right", self.right)] {
            let _ = writeln!(text, "\n## {title}");
            for file in examples(example) {
                let language = file.path.rsplit('.').next().unwrap_or_default();
                let comment = if language == "yaml" { format!("# {}\n", file.path) } else { String::new() };
                let title = if language == "yaml" { String::new() } else { format!("`{}`:\n\n", file.path) };
                let fence = if file.text.contains("```") { "````" } else { "```" };
                // `text`: a wrong example must not be mistaken for one to copy.
                let language = if title.is_empty() && self.right == example { language } else { "text" };
                let body = format!("{comment}{}", file.text);
                let _ = writeln!(text, "\n{title}{fence}{language}\n{}\n{fence}", body.trim_end());
            }
        }
        text
    }
}

/// One file of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its path in a repository; of a link also where it leads, `PATH -> TARGET`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The files of an example: each begins with a line `# PATH`, which does not belong to it.
pub fn examples(text: &str) -> Vec<Example> {
    let mut files: Vec<Example> = Vec::new();
    for line in text.trim_start_matches('\n').split_inclusive('\n') {
        match line.trim_end().strip_prefix("# ").filter(|path| is_path(path)) {
            Some(path) => files.push(Example { path: path.to_owned(), text: String::new() }),
            None => {
                if let Some(file) = files.last_mut() {
                    file.text.push_str(line);
                }
            }
        }
    }
    files
}

fn is_path(text: &str) -> bool {
    text.starts_with(".flow/") || text.starts_with(".github/workflows/")
}

/// Most findings of one rule in one file that are told one by one; more would only hide the first ones.
pub(super) const MAXIMUM_TOLD: usize = 1_000;

/// What was found so far, and by which rule the next finding is. Of one rule in one file [`MAXIMUM_TOLD`] are kept, the
/// others are counted.
#[derive(Debug)]
pub struct Findings {
    rule: &'static Rule,
    found: Vec<Finding>,
    /// By code and file: how much is kept, and what is not.
    told: BTreeMap<(&'static str, Arc<str>), Told>,
    /// The one that was added last, where it is not kept.
    left_out: Option<Finding>,
    /// By file: what is left to be compared for names that were given in the place of others.
    misspelt: BTreeMap<Arc<str>, Misspelt>,
}

/// How much of one rule was found in one file.
#[derive(Debug, Default)]
struct Told {
    kept: usize,
    /// The place in what was found of the last one that is kept.
    last: usize,
    /// Where those lie that are not kept; what an anchor makes appear twice counts once.
    others: BTreeSet<Span>,
}

impl Findings {
    pub(super) fn new(rule: &'static Rule) -> Self {
        Self { rule, found: Vec::new(), told: BTreeMap::new(), left_out: None, misspelt: BTreeMap::new() }
    }

    pub(super) fn of(&mut self, rule: &'static Rule) -> &mut Self {
        self.rule = rule;
        self
    }

    /// What may still be compared in a file for names that were given in the place of others.
    pub(super) fn misspelt(&mut self, file: &File) -> &mut Misspelt {
        self.misspelt.entry(file.source.shared_path()).or_insert_with(Misspelt::new)
    }

    /// What was found; the last one of those that were cut says how many there are.
    pub(super) fn into_found(mut self) -> Vec<Finding> {
        for told in self.told.into_values().filter(|told| !told.others.is_empty()) {
            if let Some(last) = self.found.get_mut(told.last) {
                last.more = told.others.len();
                let _ = write!(last.message, " (and {} more like it in this file)", last.more);
            }
        }
        self.found
    }

    /// Adds a finding of the rule at hand. What lies outside the file is moved into it.
    pub fn add(&mut self, file: &File, span: Span, message: impl Into<String>) -> &mut Finding {
        let range = file.source.range(span);
        let finding = Finding {
            code: self.rule.code,
            name: self.rule.name,
            severity: self.rule.severity,
            message: message.into(),
            help: None,
            path: file.source.path().to_owned(),
            span: Span { start: range.start.offset, end: range.end.offset },
            range,
            related: Vec::new(),
            fix: None,
            url: self.rule.page(),
            more: 0,
            yields_inside: None,
            left_out: false,
        };
        let told = self.told.entry((self.rule.code, file.source.shared_path())).or_default();
        if told.kept >= MAXIMUM_TOLD {
            told.others.insert(finding.span);
            return self.left_out.insert(Finding { left_out: true, ..finding });
        }
        told.kept += 1;
        told.last = self.found.len();
        self.found.push(finding);
        #[expect(clippy::expect_used, reason = "it was pushed one line above")]
        self.found.last_mut().expect("there is a finding")
    }
}
