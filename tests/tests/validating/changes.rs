//! `--changed-since`, and what is compared with `HEAD`.

use std::fs;

use super::stage::{Folder, SOUND};

const A: &str = ".flow/processes/a.yaml";
const B: &str = ".flow/processes/b.yaml";

/// A process that asks a model with a prompt of its own file, and one beside it that is broken.
fn repository() -> Folder {
    let asks = "name: a\nversion: 1\nsteps:
  - {id: ask, type: ai_generate, model: mock, template: hello, variables: {who: x}, output_schema: {type: object}}\n";
    let repository = Folder::with(&[
        (A, asks),
        (B, &SOUND.replace("name: a", "name: b").replace("values", "vaules")),
        (".flow/prompts/hello.md", "---\nvariables: {who: {type: string}}\n---\nHi {{ variables.who }}\n"),
    ]);
    repository.commit();
    repository
}

fn told(repository: &Folder, since: &str) -> (i32, Vec<String>) {
    let said = repository.flowctl(&["validate", "--changed-since", since, "--format", "json"]);
    (said.code, said.codes())
}

#[test]
fn nothing_changed_is_nothing_to_validate() {
    assert_eq!(told(&repository(), "HEAD"), (3, vec![]));
}

#[test]
fn what_depends_on_a_change_is_looked_at_too() {
    let repository = repository();
    repository.write(
        ".flow/prompts/hello.md",
        "---\nvariables: {whom: {type: string, required: true}}\n---\nHi {{ variables.whom }}\n",
    );
    let (code, codes) = told(&repository, "HEAD");
    assert_eq!(code, 1);
    assert!(codes.iter().all(|code| code == "FLOW211") && !codes.is_empty(), "the process that names it: {codes:?}");
    fs::remove_file(repository.at(".flow/prompts/hello.md")).unwrap();
    assert_eq!(told(&repository, "HEAD"), (1, vec!["FLOW401".to_owned()]), "also where it is not there any more");
}

#[test]
fn a_renamed_file_is_a_change_and_keeps_its_history() {
    let repository = repository();
    fs::rename(repository.at(B), repository.at(".flow/processes/c.yaml")).unwrap();
    let (code, codes) = told(&repository, "HEAD");
    assert_eq!((code, codes), (1, vec!["FLOW017".to_owned(), "FLOW010".to_owned()]));
}

#[test]
fn the_version_is_compared_with_what_was_asked_for() {
    let repository = Folder::with(&[(A, SOUND)]);
    repository.commit();
    repository.write(A, &SOUND.replace("x: 1", "x: 2"));
    repository.commit();
    assert_eq!(repository.flowctl(&["validate"]).code, 0, "HEAD has these steps");
    assert_eq!(told(&repository, "HEAD~1"), (1, vec!["FLOW019".to_owned()]));
}

#[test]
fn a_revision_that_is_not_there_says_why() {
    let repository = repository();
    repository.write(A, &(repository.read(A) + "\n# more\n"));
    repository.commit();
    let fails = |folder: &Folder, since: &str, said: &str| {
        let told = folder.flowctl(&["validate", "--changed-since", since]);
        assert_eq!((told.code, told.err.contains(said)), (2, true), "{since}: {}", told.err);
    };
    fails(&repository, "no-such-thing", "there is no revision `no-such-thing`");
    let address = format!("file://{}", repository.path().display());
    let shallow = Folder::with(&[]);
    shallow.git(&["clone", "-q", "--depth", "1", &address, "."]);
    fails(&shallow, "HEAD~1", "fetch-depth: 0");
    let whole = Folder::with(&[]);
    whole.git(&["clone", "-q", &address, "."]);
    whole.git(&["checkout", "-q", "-b", "work"]);
    whole.git(&["branch", "-q", "-D", "main"]);
    fails(&whole, "main", "did you mean `origin/main`?");
    let none = Folder::with(&[(A, SOUND)]);
    fails(&none, "HEAD", "in no git repository");
}

#[test]
fn a_base_without_definitions_makes_everything_new() {
    let repository = Folder::with(&[("README.md", "hello")]);
    repository.commit();
    repository.write(A, &SOUND.replace("values", "vaules"));
    assert_eq!(told(&repository, "HEAD"), (1, vec!["FLOW010".to_owned()]));
}
