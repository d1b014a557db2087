//! Judges one process or test beside what it has to do with, and nothing else: what an editor tells at once while
//! somebody types in a repository of a thousand files. Finds in that file exactly what [`validate`] finds in it.
//!
//! [`validate`]: super::validate

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::portions::{Elsewhere, Outline, speaks_of_processes};
use super::{Options, judge};
use crate::definition::repository::{Definition, File, FileKind, Repository};

/// What is found in a file; nothing where that takes a look at everything: the file is none of a process or a test, or a
/// policy states what holds for processes.
pub fn validate_near(repository: &Repository, path: &str, options: &Options<'_>) -> Option<Vec<Finding>> {
    let own = repository.files.get(path)?;
    if !matches!(own.kind, FileKind::Process | FileKind::Test) || repository.files.values().any(|it| is_spoken_of(it)) {
        return None;
    }
    let processes: Vec<Outline> = of_kind(repository, FileKind::Process).map(Outline::of).collect();
    let mut names = BTreeSet::from([tested(own).unwrap_or_else(|| Outline::of(own).name)]);
    spread(&processes, &mut names);
    let is_near = |outline: &&Outline| names.contains(&outline.name);
    let paths: BTreeSet<&str> = processes.iter().filter(is_near).map(|near| near.path.as_str()).collect();
    let is_judged = |file: &File| match file.kind {
        FileKind::Process => paths.contains(file.source.path()),
        FileKind::Test => file.source.path() == path || tested(file).is_some_and(|process| names.contains(&process)),
        _ => true,
    };
    let files = repository.files.iter().filter(|(_, file)| is_judged(file));
    let near = Repository { files: files.map(|(path, file)| (path.clone(), file.clone())).collect() };
    let others = processes.iter().filter(|outline| !is_near(outline)).map(|outline| outline.name.clone());
    // Who uses what else is not asked: it is told in other files.
    let elsewhere = Elsewhere { names: others.collect(), is_faulty: true, ..Elsewhere::default() };
    let mut findings = judge(&near, options, &elsewhere, false);
    findings.retain(|finding| finding.path == path);
    Some(findings)
}

fn is_spoken_of(file: &File) -> bool {
    !matches!(file.kind, FileKind::Process | FileKind::Test) && speaks_of_processes(file)
}

fn of_kind(repository: &Repository, kind: FileKind) -> impl Iterator<Item = &File> {
    repository.files.values().map(AsRef::as_ref).filter(move |file| file.kind == kind)
}

/// The process that a test plays.
fn tested(file: &File) -> Option<String> {
    match &file.definition {
        Some(Definition::Test(test)) => Some(test.process.as_str().to_owned()),
        _ => None,
    }
}

/// Adds the names of those that name these, and of those that these name, and so on.
fn spread(processes: &[Outline], names: &mut BTreeSet<String>) {
    let mut callers: BTreeMap<&str, Vec<&Outline>> = BTreeMap::new();
    let mut named: BTreeMap<&str, Vec<&Outline>> = BTreeMap::new();
    for outline in processes {
        named.entry(&outline.name).or_default().push(outline);
        outline.calls.iter().for_each(|call| callers.entry(call).or_default().push(outline));
    }
    let mut open: Vec<String> = names.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let own = named.get(name.as_str()).into_iter().flatten().flat_map(|outline| outline.calls.iter());
        let others = callers.get(name.as_str()).into_iter().flatten().map(|caller| &caller.name);
        for next in own.chain(others) {
            if names.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
}
