//! What lies at a path and is no file.

use std::os::unix::fs::symlink;

use super::stage::{Folder, SOUND};

#[test]
fn links_and_folders_in_the_place_of_definitions_are_told() {
    let repository = Folder::with(&[("shared/a.yaml", SOUND), (".flow/processes/b.yaml/notes.txt", "no definition")]);
    symlink("../../shared/a.yaml", repository.at(".flow/processes/a.yaml")).unwrap();
    symlink("../shared", repository.at(".flow/agents")).unwrap();
    symlink("nowhere", repository.at(".flow/processes/.#a.yaml")).unwrap();
    let said = repository.flowctl(&["validate", "--format", "concise", "--select", "FLOW040"]);
    insta::assert_snapshot!(said.out, @r#"
    .flow/agents:1:1: error[FLOW040]: a symbolic link is not followed (put what it leads to in its place)
    .flow/processes/a.yaml:1:1: error[FLOW040]: a symbolic link is not followed (put what it leads to in its place)
    .flow/processes/b.yaml:1:1: error[FLOW040]: a folder is called like a definition (rename it, or put a file in its place)
    "#);
    let said = repository.flowctl(&["validate", "--format", "json", ".flow/processes/a.yaml"]);
    assert_eq!(said.codes(), ["FLOW040"], "asked for by its name");
}

#[test]
fn a_linked_folder_of_definitions_is_told() {
    let repository = Folder::with(&[("real/processes/a.yaml", SOUND)]);
    symlink("real", repository.at(".flow")).unwrap();
    for words in [vec!["validate"], vec!["validate", "."], vec!["validate", ".flow"]] {
        let said = repository.flowctl(&[&words[..], &["--format", "json"]].concat());
        assert_eq!((said.code, said.codes()), (1, vec!["FLOW040".to_owned()]), "{words:?} {}", said.err);
    }
}

#[test]
fn files_outside_are_told_as_one_would_type_them() {
    let repository = Folder::with(&[(".flow/processes/a.yaml", &SOUND.replace("values", "vaules")), ("deep/er/x", "")]);
    let said = super::stage::flowctl(&repository.at("deep/er"), &["validate", "../..", "--format", "concise"], "");
    assert!(said.out.starts_with("../../.flow/processes/a.yaml:4:"), "{}", said.out);
}

#[test]
fn many_files_are_told_in_order() {
    let names: Vec<String> = (0..60).map(|number| format!("p{number:02}")).collect();
    let repository = Folder::with(&[]);
    for name in &names {
        let text = SOUND.replace("name: a", &format!("name: {name}")).replace("values", "vaules");
        repository.write(&format!(".flow/processes/{name}.yaml"), &text);
    }
    let said = repository.flowctl(&["validate", "--format", "concise"]);
    let told: Vec<&str> = said.out.lines().map(|line| &line[".flow/processes/".len()..][..3]).collect();
    assert_eq!(told, names);
}
