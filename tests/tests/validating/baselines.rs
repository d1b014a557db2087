//! `--baseline` and `--write-baseline`.

use super::stage::{Folder, MENDABLE};

const A: &str = ".flow/processes/a.yaml";

fn known() -> Folder {
    let repository = Folder::with(&[(A, MENDABLE)]);
    let said = repository.flowctl(&["validate", "--write-baseline", "known.json"]);
    assert_eq!((said.code, said.err.as_str()), (0, "3 known findings in known.json\n"));
    repository
}

#[test]
fn what_was_there_before_is_not_told_wherever_it_moves() {
    let repository = known();
    insta::assert_snapshot!(repository.read("known.json"), @r#"
    {
      "version": 1,
      "findings": [
        {
          "path": ".flow/processes/a.yaml",
          "code": "FLOW004",
          "fingerprint": "24edc9a3fbd9e6489f90c243747775aa",
          "message": "a template needs quotes here: without them YAML reads a mapping"
        },
        {
          "path": ".flow/processes/a.yaml",
          "code": "FLOW004",
          "fingerprint": "f654b7779a85e9754692b98a9ee11814",
          "message": "a template needs quotes here: without them YAML reads a mapping"
        },
        {
          "path": ".flow/processes/a.yaml",
          "code": "FLOW012",
          "fingerprint": "ce50a8fa7cfe659cdb9558326d383a5b",
          "message": "step `two` depends on `onee`, which does not exist"
        }
      ]
    }
    "#);
    let said = repository.flowctl(&["validate", "--baseline", "known.json"]);
    assert_eq!((said.code, said.out.as_str()), (0, "sound: 1 file, no new findings, 3 known\n"), "{}", said.err);
    repository.write(A, &format!("# moved\n\n{MENDABLE}  - {{id: three, type: sett}}\n"));
    let said = repository.flowctl(&["validate", "--baseline", "known.json", "--format", "json"]);
    assert_eq!((said.code, said.codes()), (1, vec!["FLOW014".to_owned()]));
    assert_eq!(said.json()["baseline"]["known"], 3);
}

#[test]
fn what_is_not_there_any_more_is_told_so_that_the_file_shrinks() {
    let repository = known();
    repository.flowctl(&["validate", "--fix"]);
    let said = repository.flowctl(&["validate", "--baseline", "known.json"]);
    assert_eq!(said.code, 0);
    assert!(said.err.starts_with("2 findings of known.json not there any more"), "{}", said.err);
    let said = repository.flowctl(&["validate", "--write-baseline", "known.json"]);
    assert_eq!(said.err, "1 known finding in known.json\n");
}

#[test]
fn a_file_that_was_not_looked_at_is_not_missed() {
    let repository = known();
    repository.write(".flow/processes/b.yaml", &super::stage::SOUND.replace("name: a", "name: b"));
    let said = repository.flowctl(&["validate", "--baseline", "known.json", ".flow/processes/b.yaml"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    std::fs::remove_file(repository.at(A)).unwrap();
    let said = repository.flowctl(&["validate", "--baseline", "known.json"]);
    assert!(said.err.starts_with("3 findings"), "of a file that is gone: {}", said.err);
}

#[test]
fn it_means_the_same_from_every_folder() {
    let repository = known();
    let inside = repository.at(".flow/processes");
    let said = super::stage::flowctl(&inside, &["validate", "--baseline", "../../known.json"], "");
    assert_eq!(said.code, 0, "{}", said.out);
}

#[test]
fn what_is_no_baseline_says_so() {
    let repository = Folder::with(&[(A, MENDABLE), ("other.json", "{\"version\": 9, \"findings\": []}")]);
    let said = repository.flowctl(&["validate", "--baseline", "none.json"]);
    assert_eq!((said.code, said.err.contains("--write-baseline none.json")), (2, true), "{}", said.err);
    let said = repository.flowctl(&["validate", "--baseline", "other.json"]);
    assert_eq!((said.code, said.err.contains("version 9")), (2, true), "{}", said.err);
}
