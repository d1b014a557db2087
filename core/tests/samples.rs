//! The sample repositories under `fixtures/repositories`: each file reads without a fault, each process can be planned.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use flowctl_core::definition::repository::{FileKind, Repository};

fn files(folder: &Path, root: &Path, found: &mut Vec<(String, String)>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, root, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_sample_reads_without_a_fault_and_can_be_planned() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/repositories");
    let mut planned = 0;
    for sample in fs::read_dir(samples).unwrap() {
        let root = sample.unwrap().path();
        let mut found = Vec::new();
        files(&root.join(".flow"), &root, &mut found);
        let repository = Repository::read(found);
        for (path, file) in &repository.files {
            assert!(file.faults.is_empty(), "{path}: {:#?}", file.faults);
            assert!(file.structure.is_empty(), "{path}: {:#?}", file.structure);
            assert!(file.definition.is_some() || file.kind == FileKind::Unknown, "{path} was read");
        }
        for (file, process) in repository.processes() {
            let name = process.header.name.as_str();
            let plan = repository.plan(name).unwrap();
            assert!(plan.is_ok(), "{}: {:?}", file.source.path(), plan.err());
            planned += 1;
        }
    }
    assert!(planned >= 5, "{planned} processes were planned");
}
