//! `--fix`, `--unsafe-fixes`, `--diff`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::stage::{Folder, MENDABLE, SOUND};

const A: &str = ".flow/processes/a.yaml";

#[test]
fn safe_fixes_are_made_and_told_and_guesses_only_when_asked_for() {
    let repository = Folder::with(&[(A, MENDABLE)]);
    let said = repository.flowctl(&["validate", "--fix", "--format", "json"]);
    assert_eq!((said.code, said.codes()), (1, vec!["FLOW012".to_owned()]));
    let fixed = said.json()["fixed"].as_array().unwrap().clone();
    assert_eq!(fixed.iter().map(|one| one["line"].as_u64().unwrap()).collect::<Vec<_>>(), [7, 8]);
    assert!(repository.read(A).contains("first: \"{{ execution.id }}\"\n"));
    let said = repository.flowctl(&["validate", "--fix", "--unsafe-fixes"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(repository.read(A).contains("depends_on: one}"));
    assert!(said.err.contains("fixed .flow/processes/a.yaml:9: FLOW012"), "{}", said.err);
    assert_eq!(said.out.trim_end(), "sound: 1 file, no findings, 1 fixed");
}

#[test]
fn a_file_keeps_its_permissions_and_one_that_needs_nothing_is_not_touched() {
    let repository = Folder::with(&[(A, MENDABLE), (".flow/processes/b.yaml", &SOUND.replace("name: a", "name: b"))]);
    fs::set_permissions(repository.at(A), fs::Permissions::from_mode(0o640)).unwrap();
    let untouched = || fs::metadata(repository.at(".flow/processes/b.yaml")).unwrap().modified().unwrap();
    let before = untouched();
    repository.flowctl(&["validate", "--fix"]);
    assert_eq!(fs::metadata(repository.at(A)).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(untouched(), before);
    let left: Vec<_> = fs::read_dir(repository.at(".flow/processes")).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing is left beside them: {left:?}");
}

#[test]
fn a_file_that_may_not_be_written_stays() {
    let repository = Folder::with(&[(A, MENDABLE)]);
    fs::set_permissions(repository.at(A), fs::Permissions::from_mode(0o444)).unwrap();
    let said = repository.flowctl(&["validate", "--fix"]);
    assert_eq!((said.code, said.err.contains("write-protected")), (2, true), "{}", said.err);
    assert_eq!(repository.read(A), MENDABLE);
}

#[test]
fn bytes_that_are_no_text_are_never_rewritten() {
    let repository = Folder::with(&[]);
    let bytes = [MENDABLE.as_bytes(), b"# caf\xe9\n"].concat();
    repository.write(A, "");
    fs::write(repository.at(A), &bytes).unwrap();
    repository.flowctl(&["validate", "--fix"]);
    assert_eq!(fs::read(repository.at(A)).unwrap(), bytes);
}

#[test]
fn a_byte_order_mark_and_line_ends_stay() {
    let text = format!("\u{feff}{}", MENDABLE.replace('\n', "\r\n"));
    let repository = Folder::with(&[(A, &text)]);
    repository.flowctl(&["validate", "--fix"]);
    let expected = text
        .replace("{{ execution.id }}", "\"{{ execution.id }}\"")
        .replace("{{ execution.process }}", "\"{{ execution.process }}\"");
    assert_eq!(repository.read(A), expected);
}

#[test]
fn only_what_was_named_is_fixed() {
    let other = MENDABLE.replace("name: a", "name: b");
    let repository = Folder::with(&[(A, MENDABLE), (".flow/processes/b.yaml", &other)]);
    repository.flowctl(&["validate", "--fix", A]);
    assert_ne!(repository.read(A), MENDABLE);
    assert_eq!(repository.read(".flow/processes/b.yaml"), other);
    repository.flowctl(&["validate", "--fix", "--ignore", "unquoted-template"]);
    assert_eq!(repository.read(".flow/processes/b.yaml"), other);
}

#[test]
fn a_fix_that_brings_the_next_one_is_followed() {
    // Only when the expression is quoted can be seen that it changes the steps of a published version.
    let repository = Folder::with(&[(A, SOUND)]);
    repository.commit();
    repository.write(A, &SOUND.replace("x: 1", "x: {{ execution.id }}"));
    let said = repository.flowctl(&["validate", "--fix"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(repository.read(A).contains("version: 2") && said.err.contains("FLOW019"), "{}", said.err);
}

#[test]
fn a_difference_is_shown_and_nothing_written() {
    let repository = Folder::with(&[(A, MENDABLE)]);
    let said = repository.flowctl(&["validate", "--diff"]);
    insta::assert_snapshot!(said.out, @r#"
    --- a/.flow/processes/a.yaml
    +++ b/.flow/processes/a.yaml
    @@ -4,6 +4,6 @@
       - id: one
         type: set
         values:
    -      first: {{ execution.id }}
    -      second: {{ execution.process }}
    +      first: "{{ execution.id }}"
    +      second: "{{ execution.process }}"
       - {id: two, type: set, values: {x: 1}, depends_on: onee}
    "#);
    assert_eq!((said.code, said.err.as_str()), (1, "2 fixes would be made; 1 finding would be left\n"));
    assert_eq!(repository.read(A), MENDABLE);
    repository.commit();
    repository.write("fixes.patch", &said.out);
    repository.git(&["apply", "fixes.patch"]);
    let said = repository.flowctl(&["validate", "--diff"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "nothing would change any more");
}

#[test]
fn standard_input_comes_out_fixed_and_what_is_left_is_told_beside() {
    let repository = Folder::with(&[(A, SOUND)]);
    let words = ["validate", "--fix", "--format", "concise", "--stdin-filename", A, "-"];
    let said = repository.flowctl_with(&words, MENDABLE);
    assert!(said.out.contains("first: \"{{ execution.id }}\"\n") && said.out.starts_with("name: a\n"), "{}", said.out);
    assert!(said.err.contains("error[FLOW012]"), "{}", said.err);
    assert_eq!(said.code, 1);
    assert_eq!(repository.read(A), SOUND, "the file itself is left alone");
    let said = repository.flowctl_with(&words, SOUND);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, SOUND, ""));
}

#[test]
fn what_cannot_go_together_says_so() {
    let repository = Folder::with(&[(A, SOUND)]);
    for words in [
        vec!["--fix", "--diff"],
        vec!["--watch", "--fix"],
        vec!["--unsafe-fixes"],
        vec!["--watch", "-"],
        vec!["--watch", "--format", "sarif"],
        vec!["--statistics", "--format", "junit"],
        vec!["--baseline", "a.json", "--write-baseline", "a.json"],
    ] {
        let said = repository.flowctl(&[&["validate"], words.as_slice()].concat());
        assert_eq!(said.code, 2, "{words:?}: {}{}", said.out, said.err);
    }
}
