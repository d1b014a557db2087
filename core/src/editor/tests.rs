//! What tests of this room share: sample files, and a repository with a cursor in it.

use std::fs;
use std::path::Path;

use super::View;
use crate::definition::repository::{File, Repository, stem};
use crate::source::Span;
use crate::validate::{examples, rules};

/// A file of a sample.
pub(super) struct Sample {
    pub(super) path: String,
    pub(super) text: String,
}

/// The files of the sample repositories and of the rules' examples.
pub(super) fn fixtures() -> Vec<Sample> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let mut open = vec![root];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml")
                && let Ok(text) = fs::read_to_string(&path)
                && text.len() < 200_000
            {
                files.push(Sample { path: path.display().to_string(), text });
            }
        }
    }
    for rule in rules::RULES {
        for example in [rule.wrong, rule.right].into_iter().flat_map(examples) {
            if example.path.ends_with(".yaml") {
                files.push(Sample { path: format!("{} {}", rule.code, example.path), text: example.text });
            }
        }
    }
    files
}

/// A repository in which one file holds a cursor, written `‸`.
pub(super) struct Stage {
    pub(super) repository: Repository,
    pub(super) path: String,
    pub(super) offset: u32,
}

impl Stage {
    /// From paths and texts; the cursor stands in exactly one of them.
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let (path, text) = files.iter().find(|(_, text)| text.contains('‸')).unwrap();
        let offset = u32::try_from(text.find('‸').unwrap()).unwrap();
        let read = files.iter().map(|(path, text)| ((*path).to_owned(), text.replace('‸', "")));
        Self { repository: Repository::read(read), path: (*path).to_owned(), offset }
    }

    /// One process alone.
    pub(super) fn process(text: &str) -> Self {
        Self::new(&[(".flow/processes/release.yaml", text)])
    }

    pub(super) fn view(&self) -> View<'_> {
        View { repository: &self.repository, workflow_files: None }
    }

    pub(super) fn file(&self) -> &File {
        &self.repository.files[self.path.as_str()]
    }

    /// A span of a file as `path:line:column text`.
    pub(super) fn shown(&self, path: &str, span: Span) -> String {
        let Some(file) = self.repository.files.get(path) else { return path.to_owned() };
        let start = file.source.position(span.start);
        format!("{}:{}:{} {}", stem(path), start.line, start.column, file.source.slice(span))
    }
}
