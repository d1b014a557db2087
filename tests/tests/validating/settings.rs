//! A `flow.yaml` that cannot be read: what is wrong with it is said once, and nothing that rests on it is said as well.

use std::fs;
use std::os::unix::fs::symlink;

use super::stage::Folder;

const SETTINGS: &str = ".flow/flow.yaml";
const SOUND: &str = "models: {careful: mock}\ndefaults: {timeout: 1d}\nchannels: {releases: {type: webhook, to: 'https://example.com/releases'}}\n";
/// Rests on the alias of a model, on a default deadline and on a channel.
const PROCESS: &str = "name: a
version: 1
triggers: [manual]
guarantees: [{ends_within: 7d}]
steps:
  - {id: write, type: ai_generate, model: careful, prompt: Hello., output_schema: {type: object}}
  - {id: ask, type: human_approval, depends_on: write, approvers: {team: leads}, on_timeout: fail}
  - {id: tell, type: notify, depends_on: ask, channel: webhook, to: releases, message: Done.}
";

fn with(settings: &[u8]) -> Folder {
    let folder = Folder::with(&[(".flow/processes/a.yaml", PROCESS)]);
    fs::write(folder.at(SETTINGS), settings).unwrap();
    folder
}

fn said_once(folder: &Folder, code: &str) {
    let said = folder.flowctl(&["validate", "--format", "json"]);
    let findings = said.json()["findings"].clone();
    let told: Vec<_> = findings.as_array().unwrap().iter().map(|one| (&one["code"], &one["path"])).collect();
    assert_eq!((said.code, told), (1, vec![(&code.into(), &SETTINGS.into())]), "{}", said.err);
    let said = folder.flowctl(&["validate", "--format", "concise"]);
    assert_eq!((said.code, said.out.lines().count()), (1, 1), "{}{}", said.out, said.err);
    assert!(said.out.starts_with(SETTINGS), "{}", said.out);
}

#[test]
fn settings_that_cannot_be_read_are_told_once_and_fail() {
    let sound = with(SOUND.as_bytes()).flowctl(&["validate", "--format", "concise"]);
    assert_eq!((sound.code, sound.out.as_str()), (0, ""), "{}", sound.err);
    said_once(&with(b"models: {careful: mock\n"), "FLOW001");
    said_once(&with(b"[models]\n"), "FLOW013");
    said_once(&with(&[b"# caf\xe9\n", SOUND.as_bytes()].concat()), "FLOW009");
    said_once(&with(b""), "FLOW008");
}

#[test]
fn settings_that_are_no_file_are_told_once_and_fail() {
    let folder = Folder::with(&[(".flow/processes/a.yaml", PROCESS)]);
    fs::create_dir(folder.at(SETTINGS)).unwrap();
    said_once(&folder, "FLOW040");
    let folder = Folder::with(&[(".flow/processes/a.yaml", PROCESS)]);
    symlink("nowhere.yaml", folder.at(SETTINGS)).unwrap();
    said_once(&folder, "FLOW040");
}
