//! Stories of people in editors: the real language server over its real pipes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use flowctl_tests::Editor;
use serde_json::{Value, json};

const PROCESS: &str = ".flow/processes/release.yaml";
const TEST: &str = ".flow/tests/release.yaml";

const RELEASE: &str = "\
name: release
version: 1
inputs:
  audience: {type: string, enum: [public, internal], default: public}
steps:
  - id: draft
    type: form
    fields:
      title: {type: string, required: true}
  - id: ship
    type: set
    depends_on: [draft]
    values:
      text: >
        😀 For {{ inputs.audience }}:
        é {{ steps.draft.output.title }} 😀
outputs:
  text: \"{{ steps.ship.output.text }} 😀 {{ steps['draft'].output.title }}\"
";
const CASES: &str = "\
process: release
cases:
  - name: it ships
    answers: [{by: alice, step: draft, values: {title: x}}]
    expect: {path: [draft, ship]}
";

/// A folder of its own with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(folder.path(), path, text);
    }
    folder
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn labels(answer: &Value) -> Vec<String> {
    answer.as_array().unwrap().iter().map(|one| one["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_misspelt_field_is_told_while_typing_and_the_action_mends_it() {
    let folder = folder(&[(PROCESS, RELEASE)]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, RELEASE);
    assert_eq!(editor.codes(PROCESS, 1), Vec::<String>::new());

    let misspelt = RELEASE.replace("steps.draft.output.title }} 😀\n", "steps.draft.output.titel }} 😀\n");
    editor.change_document(PROCESS, 2, &misspelt);
    let found = editor.diagnostics_of(PROCESS, 2);
    assert_eq!(found.len(), 1, "{found:?}");
    let finding = &found[0];
    assert_eq!(finding["range"]["start"], editor.place(&misspelt, "titel", 0), "behind an emoji, in a folded text");
    assert_eq!(finding["range"]["end"], editor.place(&misspelt, "titel", 5));
    assert_eq!((&finding["severity"], &finding["source"]), (&json!(1), &json!("flowctl")));
    let code = finding["code"].as_str().unwrap();
    let page = option_env!("FLOWCTL_RULES_URL").map(|pages| format!("{pages}/{code}.md"));
    assert_eq!(finding["codeDescription"]["href"].as_str(), page.as_deref());
    assert!(finding["message"].as_str().unwrap().contains("did you mean `title`?"), "{finding}");

    // Mended: the list is published empty, for the version that is sound.
    editor.change_document(PROCESS, 3, RELEASE);
    assert_eq!(editor.codes(PROCESS, 3), Vec::<String>::new());
    assert_eq!(editor.quit().code(), Some(0));
}

#[test]
fn an_action_changes_what_is_misspelt() {
    let text = RELEASE.replace("depends_on: [draft]", "depends_on: [drafft]");
    let folder = folder(&[(PROCESS, &text)]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, &text);
    // Asked at once, before anything was published: the answer waits for validation.
    let range = json!({"start": editor.place(&text, "drafft", 1), "end": editor.place(&text, "drafft", 1)});
    let params = json!({"textDocument": {"uri": editor.uri(PROCESS)}, "range": range, "context": {"diagnostics": []}});
    let actions = editor.request("textDocument/codeAction", params).unwrap();
    let titles: Vec<&str> = actions.as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Change `drafft` to `draft`", "Suppress FLOW012 (unknown-dependency) here"]);
    let fix = &actions[0];
    assert_eq!(fix["diagnostics"][0]["code"], "FLOW012");
    let change = &fix["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"], json!({"uri": editor.uri(PROCESS), "version": 1}));
    assert_eq!(editor.edited(&text, change["edits"].as_array().unwrap()), RELEASE);
    let suppressed = editor.edited(&text, actions[1]["edit"]["documentChanges"][0]["edits"].as_array().unwrap());
    editor.change_document(PROCESS, 2, &suppressed);
    assert!(!editor.codes(PROCESS, 2).contains(&"FLOW012".to_owned()), "{suppressed}");
}

#[test]
fn a_rename_goes_through_expressions_and_tests_in_every_encoding() {
    for encoding in ["utf-16", "utf-8", "utf-32"] {
        let folder = folder(&[(PROCESS, RELEASE), (TEST, CASES)]);
        let mut editor = Editor::with(folder.path(), encoding, Editor::abilities());
        assert_eq!(editor.capabilities["positionEncoding"], encoding);
        editor.open_document(PROCESS, RELEASE);
        let at = editor.at(PROCESS, RELEASE, "steps['draft']", 8);
        let prepared = editor.request("textDocument/prepareRename", at.clone()).unwrap();
        assert_eq!(prepared["placeholder"], "draft");
        assert_eq!(prepared["range"]["start"], editor.place(RELEASE, "steps['draft']", 7), "{encoding}");
        let mut params = at;
        params["newName"] = json!("ask");
        let edit = editor.request("textDocument/rename", params.clone()).unwrap();
        let changes = edit["documentChanges"].as_array().unwrap();
        assert_eq!(changes.len(), 2);
        let process = editor.edited(RELEASE, changes[0]["edits"].as_array().unwrap());
        let cases = editor.edited(CASES, changes[1]["edits"].as_array().unwrap());
        assert_eq!(changes[1]["textDocument"], json!({"uri": editor.uri(TEST), "version": null}), "not open");
        assert_eq!(process, RELEASE.replace("draft", "ask"), "{encoding}");
        assert_eq!(cases, CASES.replace("draft", "ask"));
        for (name, reason) in [("ship", "already"), ("Not A Name", "is no name for this step")] {
            params["newName"] = json!(name);
            let error = editor.request("textDocument/rename", params.clone()).unwrap_err();
            assert!(error["message"].as_str().unwrap().contains(reason), "{error}");
        }
        let nothing = editor.at(PROCESS, RELEASE, "version", 2);
        assert!(editor.request("textDocument/prepareRename", nothing).is_err());
    }
}

#[test]
fn typing_in_parts_keeps_the_document_whole() {
    let folder = folder(&[(PROCESS, RELEASE)]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, RELEASE);
    // Behind the emoji of a folded line, one keystroke at a time.
    let (mut text, mut typed) = (RELEASE.to_owned(), String::from("}} 😀"));
    for (version, key) in (2..).zip("{{ inputs.".chars()) {
        let place = editor.place(&text, &format!("{typed}\n"), typed.len());
        editor.edit_document(PROCESS, version, json!({"start": place, "end": place}), &key.to_string());
        let longer = format!("{typed}{key}");
        text = text.replacen(&format!("{typed}\n"), &format!("{longer}\n"), 1);
        typed = longer;
    }
    let at = editor.at(PROCESS, &text, &typed, typed.len());
    assert_eq!(labels(&editor.request("textDocument/completion", at).unwrap()), ["audience"]);
}

#[test]
fn completion_works_where_the_file_is_broken() {
    let folder = folder(&[(PROCESS, RELEASE)]);
    let mut editor = Editor::open(folder.path());
    let text = RELEASE.replace("outputs:\n", "  - id: last\n    type: \noutputs:\n");
    editor.open_document(PROCESS, &text);
    let at = editor.at(PROCESS, &text, "last\n    type: ", "last\n    type: ".len());
    let types = editor.request("textDocument/completion", at).unwrap();
    assert!(labels(&types).contains(&"human_approval".to_owned()));
    assert!(types[0]["documentation"]["value"].is_string());

    let text = RELEASE.replace("    values:\n", "    when: \"{{ steps.dr\n    values:\n");
    editor.change_document(PROCESS, 2, &text);
    let at = editor.at(PROCESS, &text, "{{ steps.dr\n", "{{ steps.dr".len());
    let steps = editor.request("textDocument/completion", at).unwrap();
    assert_eq!(labels(&steps), ["draft"]);
    let edit = editor.edited(&text, &[steps[0]["textEdit"].clone()]);
    assert!(edit.contains("{{ steps.draft\n"), "{edit}");

    let text = RELEASE.replace("    values:\n", "    on_\n    values:\n");
    editor.change_document(PROCESS, 3, &text);
    let at = editor.at(PROCESS, &text, "    on_\n", "    on_".len());
    let keys = editor.request("textDocument/completion", at).unwrap();
    let key = keys.as_array().unwrap().iter().find(|one| one["label"] == "on_failure").unwrap();
    assert_eq!(key["textEdit"]["newText"], "on_failure: ${1|continue,fail|}");
    assert_eq!(key["insertTextFormat"], 2);
}

#[test]
fn where_things_come_from_and_what_they_are() {
    let workflow = "  - {id: build, type: workflow, workflow: build.yml, depends_on: ship}\n";
    let text = RELEASE.replace("outputs:\n", &format!("{workflow}outputs:\n"));
    let folder = folder(&[(PROCESS, &text), (TEST, CASES), (".github/workflows/build.yml", "on: push\n")]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, &text);
    let at = editor.at(PROCESS, &text, "[draft]", 3);
    let definition = editor.request("textDocument/definition", at.clone()).unwrap();
    assert_eq!(definition[0]["range"]["start"], editor.place(&text, "draft\n    type: form", 0));
    let at_field = editor.at(PROCESS, &text, "output.title }} 😀", 8);
    let field = editor.request("textDocument/definition", at_field).unwrap();
    assert_eq!(field[0]["range"]["start"], editor.place(&text, "title: {type", 0));
    let at_workflow = editor.at(PROCESS, &text, "build.yml", 2);
    let file = editor.request("textDocument/definition", at_workflow).unwrap();
    assert_eq!(file[0]["uri"], editor.uri(".github/workflows/build.yml"));

    let mut params = at.clone();
    params["context"] = json!({"includeDeclaration": true});
    assert_eq!(editor.request("textDocument/references", params.clone()).unwrap().as_array().unwrap().len(), 6);
    params["context"] = json!({"includeDeclaration": false});
    assert_eq!(editor.request("textDocument/references", params).unwrap().as_array().unwrap().len(), 5);
    let highlights = editor.request("textDocument/documentHighlight", at.clone()).unwrap();
    assert_eq!(highlights.as_array().unwrap().len(), 4);

    let hover = editor.request("textDocument/hover", at).unwrap();
    assert!(hover["contents"]["value"].as_str().unwrap().contains("step `draft`: form"), "{hover}");

    let symbols =
        editor.request("textDocument/documentSymbol", json!({"textDocument": {"uri": editor.uri(PROCESS)}})).unwrap();
    let steps = symbols.as_array().unwrap().iter().find(|one| one["name"] == "steps").unwrap();
    let names: Vec<&str> =
        steps["children"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["draft", "ship", "build"]);
    let found = editor.request("workspace/symbol", json!({"query": "shp"})).unwrap();
    let found: Vec<&str> = found.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(found, ["ship", "it ships"]);
    let folds =
        editor.request("textDocument/foldingRange", json!({"textDocument": {"uri": editor.uri(PROCESS)}})).unwrap();
    assert!(folds.as_array().unwrap().contains(&json!({"startLine": 5, "endLine": 8})), "{folds}");
}

#[test]
fn files_that_are_not_saved_count_with_their_text_in_the_editor() {
    let caller = "name: caller\nversion: 1\nsteps:\n  - {id: go, type: process, process: release}\noutputs:\n  x: \"{{ steps.go.output.text }}\"\n";
    let folder = folder(&[(PROCESS, RELEASE), (".flow/processes/caller.yaml", caller)]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(".flow/processes/caller.yaml", caller);
    assert_eq!(editor.codes(".flow/processes/caller.yaml", 1), Vec::<String>::new());
    // The other file's output gets another name, in the editor only: the caller is told, without being touched.
    editor.open_document(PROCESS, &RELEASE.replace("outputs:\n  text:", "outputs:\n  words:"));
    let uri = editor.uri(".flow/processes/caller.yaml");
    while editor.diagnostics[&uri]["diagnostics"].as_array().unwrap().is_empty() {
        editor.receive().unwrap();
    }
    // Closed without saving: what is on disk counts again.
    editor.notify("textDocument/didClose", json!({"textDocument": {"uri": editor.uri(PROCESS)}}));
    while !editor.diagnostics[&uri]["diagnostics"].as_array().unwrap().is_empty() {
        editor.receive().unwrap();
    }
    let closed = editor.uri(PROCESS);
    while !editor.diagnostics[&closed]["diagnostics"].as_array().unwrap().is_empty() {
        editor.receive().unwrap();
    }
}

#[test]
fn what_changes_on_disk_is_read_again() {
    let text = RELEASE
        .replace(
            "type: set\n",
            "type: ai_generate\n    model: mock\n    template: notes\n    output_schema: {type: string}\n",
        )
        .replace("    values:\n      text: >\n", "    system: >\n")
        .replace("steps.ship.output.text", "steps.ship.output");
    let folder = folder(&[(PROCESS, &text)]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, &text);
    assert!(editor.codes(PROCESS, 1).contains(&"FLOW401".to_owned()));
    assert!(editor.asked.contains(&"client/registerCapability".to_owned()));
    write(folder.path(), ".flow/prompts/notes.md", "Write.\n");
    let change = json!({"uri": editor.uri(".flow/prompts/notes.md"), "type": 1});
    editor.notify("workspace/didChangeWatchedFiles", json!({"changes": [change]}));
    let uri = editor.uri(PROCESS);
    let has = |editor: &Editor, code: &str| {
        editor.diagnostics[&uri]["diagnostics"].as_array().unwrap().iter().any(|one| one["code"] == code)
    };
    while has(&editor, "FLOW401") {
        editor.receive().unwrap();
    }
    fs::remove_file(folder.path().join(".flow/prompts/notes.md")).unwrap();
    editor.notify("textDocument/didSave", json!({"textDocument": {"uri": editor.uri(PROCESS)}}));
    while !has(&editor, "FLOW401") {
        editor.receive().unwrap();
    }
}

#[test]
fn repositories_side_by_side_do_not_mix_and_other_files_are_left_alone() {
    let folder =
        folder(&[("one/.flow/processes/release.yaml", RELEASE), ("two/.flow/processes/other.yaml", "name: other\n")]);
    let mut editor = Editor::open(folder.path());
    let caller = "name: caller\nversion: 1\nsteps:\n  - {id: go, type: process, process: release}\n";
    editor.open_document("one/.flow/processes/caller.yaml", caller);
    editor.open_document("two/.flow/processes/caller.yaml", caller);
    editor.open_document("notes.yaml", "name: [\n");
    assert_eq!(editor.codes("one/.flow/processes/caller.yaml", 1), Vec::<String>::new());
    assert_eq!(editor.codes("two/.flow/processes/caller.yaml", 1), ["FLOW406"]);
    let hover = editor.at("notes.yaml", "name: [\n", "name", 1);
    assert_eq!(editor.request("textDocument/hover", hover).unwrap(), Value::Null);
    assert!(!editor.diagnostics.contains_key(&editor.uri("notes.yaml")));
}

#[test]
fn the_rules_of_beginning_and_ending_are_kept() {
    let folder = folder(&[(PROCESS, RELEASE)]);
    let mut early = Editor::raw(folder.path());
    let error = early.request(
        "textDocument/hover",
        json!({"textDocument": {"uri": "file:///x"}, "position": {"line": 0, "character": 0}}),
    );
    assert_eq!(error.unwrap_err()["code"], -32002, "not initialised");
    early.notify("exit", Value::Null);
    assert_eq!(early.wait().code(), Some(1), "exit without shutdown");

    let mut editor = Editor::open(folder.path());
    assert_eq!(editor.request("initialize", json!({"capabilities": {}})).unwrap_err()["code"], -32600);
    editor.request("shutdown", Value::Null).unwrap();
    assert_eq!(editor.request("workspace/symbol", json!({"query": ""})).unwrap_err()["code"], -32600);
    editor.notify("exit", Value::Null);
    assert_eq!(editor.wait().code(), Some(0));

    let mut gone = Editor::open(folder.path());
    gone.hang_up();
    assert_eq!(gone.wait().code(), Some(1), "its input was closed");
}

#[test]
fn malformed_messages_cost_nothing_but_themselves() {
    let folder = folder(&[(PROCESS, RELEASE)]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, RELEASE);
    for junk in [
        "Content-Length: 7\r\n\r\n{\"a\": ]",
        "Content-Length: nonsense\r\n\r\n",
        "Good morning!\r\n\r\n",
        "Content-Length: 18\r\n\r\n{\"jsonrpc\": \"2.0\"}",
        "Content-Length: 31\r\n\r\n{\"jsonrpc\": \"1.0\",\"method\": \"x\"}",
        "Content-Length: 2\r\n\r\n[]",
        "Content-Length: 4\r\n\r\nnull",
    ] {
        editor.send_raw(junk.as_bytes());
    }
    let wrong = editor.request("textDocument/hover", json!({"textDocument": 3})).unwrap_err();
    assert_eq!(wrong["code"], -32602, "{wrong}");
    assert_eq!(editor.request("flowctl/no-such-thing", json!({})).unwrap_err()["code"], -32601);
    editor.notify(
        "textDocument/didChange",
        json!({"textDocument": {"uri": "untitled:1", "version": 1}, "contentChanges": []}),
    );
    let beyond =
        json!({"textDocument": {"uri": editor.uri(PROCESS)}, "position": {"line": 4_000_000_000u32, "character": 9}});
    assert_eq!(editor.request("textDocument/hover", beyond).unwrap(), Value::Null);
    let at = editor.at(PROCESS, RELEASE, "[draft]", 3);
    assert!(editor.request("textDocument/hover", at).unwrap()["contents"].is_object());
    assert_eq!(editor.quit().code(), Some(0));
}

#[test]
fn a_request_that_is_not_wanted_any_more_is_answered_all_the_same() {
    let folder = folder(&[(PROCESS, RELEASE)]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, RELEASE);
    let params = json!({"textDocument": {"uri": editor.uri(PROCESS)}, "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}, "context": {"diagnostics": []}});
    let id = editor.ask("textDocument/codeAction", params);
    editor.notify("$/cancelRequest", json!({"id": id}));
    // Either it was done before, or it says that it was cancelled; never silence.
    match editor.answer(&json!(id)) {
        Ok(actions) => assert_eq!(actions, json!([])),
        Err(error) => assert_eq!(error["code"], -32800, "{error}"),
    }
}

#[test]
fn a_client_without_abilities_gets_what_it_understands() {
    let folder = folder(&[(PROCESS, RELEASE), (TEST, CASES)]);
    let mut editor = Editor::with(folder.path(), "utf-16", json!({}));
    editor.open_document(PROCESS, RELEASE);
    let symbols =
        editor.request("textDocument/documentSymbol", json!({"textDocument": {"uri": editor.uri(PROCESS)}})).unwrap();
    assert!(symbols[0]["location"]["uri"].is_string(), "flat");
    let mut params = editor.at(PROCESS, RELEASE, "id: draft", 5);
    params["newName"] = json!("ask");
    let edit = editor.request("textDocument/rename", params).unwrap();
    assert_eq!(edit["changes"].as_object().unwrap().len(), 2);
    let text = RELEASE.replace("    values:\n", "    on_\n    values:\n");
    editor.change_document(PROCESS, 2, &text);
    let at = editor.at(PROCESS, &text, "    on_\n", 7);
    let keys = editor.request("textDocument/completion", at).unwrap();
    let key = keys.as_array().unwrap().iter().find(|one| one["label"] == "on_failure").unwrap();
    assert_eq!((&key["textEdit"]["newText"], &key["insertTextFormat"]), (&json!("on_failure: "), &json!(1)));
}

#[test]
fn a_document_is_formatted_where_it_can_be_read() {
    let text = RELEASE.replace("version: 1\n", "version:    1\n");
    let folder = folder(&[(PROCESS, &text)]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, &text);
    let params = json!({"textDocument": {"uri": editor.uri(PROCESS)}, "options": {"tabSize": 2, "insertSpaces": true}});
    let edits = editor.request("textDocument/formatting", params.clone()).unwrap();
    let formatted = editor.edited(&text, edits.as_array().unwrap());
    assert!(formatted.contains("version: 1\n"), "{formatted}");
    editor.change_document(PROCESS, 2, &formatted);
    assert_eq!(editor.request("textDocument/formatting", params.clone()).unwrap(), json!([]));
    editor.change_document(PROCESS, 3, "name: [\n");
    assert_eq!(editor.request("textDocument/formatting", params).unwrap(), Value::Null);
}

#[test]
fn everything_that_can_be_mended_safely_is_mended_at_once() {
    let text = "name: release\nversion: 1\nsteps:\n  - {id: one, type: set, values: {x: {{ 1 }}}}\n  - {id: two, type: set, values: {x: {{ 2 }}}}\n";
    let folder = folder(&[(PROCESS, text)]);
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, text);
    let start = json!({"line": 0, "character": 0});
    let asked = json!({"textDocument": {"uri": editor.uri(PROCESS)}, "range": {"start": start, "end": start}, "context": {"diagnostics": [], "only": ["source.fixAll"]}});
    let actions = editor.request("textDocument/codeAction", asked).unwrap();
    assert_eq!(actions.as_array().unwrap().len(), 1, "{actions}");
    assert_eq!(actions[0]["kind"], "source.fixAll");
    let edits = actions[0]["edit"]["documentChanges"][0]["edits"].as_array().unwrap().clone();
    let mended = editor.edited(text, &edits);
    editor.change_document(PROCESS, 2, &mended);
    assert_eq!(editor.codes(PROCESS, 2), Vec::<String>::new(), "{mended}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_client_that_dies_is_noticed_though_the_pipe_stays_open() {
    let folder = folder(&[(PROCESS, RELEASE)]);
    let mut client = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let mut editor = Editor::raw(folder.path());
    editor.request("initialize", json!({"processId": client.id(), "capabilities": {}})).unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    assert_eq!(editor.wait().code(), Some(1));
}

#[test]
fn in_a_large_repository_the_file_that_is_typed_in_is_judged_with_what_it_has_to_do_with() {
    let called = "name: called\nversion: 1\ninputs:\n  who: {type: string, required: true}\nsteps:\n  - {id: s, type: set, values: {x: \"{{ inputs.who }}\"}}\n";
    let folder = folder(&[(PROCESS, RELEASE), (".flow/processes/called.yaml", called)]);
    for number in 0..120 {
        let text = format!("name: p{number}\nversion: 1\nsteps:\n  - {{id: s, type: set, values: {{x: 1}}}}\n");
        write(folder.path(), &format!(".flow/processes/p{number}.yaml"), &text);
    }
    let mut editor = Editor::open(folder.path());
    editor.open_document(PROCESS, RELEASE);
    assert_eq!(editor.codes(PROCESS, 1), Vec::<String>::new());
    let calls = |name: &str, inputs: &str| {
        RELEASE.replace("outputs:", &format!("  - {{id: call, type: process, process: {name}{inputs}}}\noutputs:"))
    };
    editor.change_document(PROCESS, 2, &calls("called", ""));
    assert_eq!(editor.codes(PROCESS, 2), ["FLOW411"]);
    editor.change_document(PROCESS, 3, &calls("called", ", inputs: {who: me}"));
    assert_eq!(editor.codes(PROCESS, 3), Vec::<String>::new());
    // One of the many that is called is among what it has to do with.
    editor.change_document(PROCESS, 4, &calls("p7", ""));
    assert_eq!(editor.codes(PROCESS, 4), Vec::<String>::new());
    editor.change_document(PROCESS, 5, &calls("p777", ""));
    assert_eq!(editor.codes(PROCESS, 5), ["FLOW406"]);
    // What others say of it comes when typing has paused: two are called so.
    editor.change_document(PROCESS, 6, &RELEASE.replace("name: release", "name: p7"));
    let codes = editor.codes(PROCESS, 6);
    assert!(codes.contains(&"FLOW016".to_owned()) || codes.contains(&"FLOW017".to_owned()), "{codes:?}");
    assert_eq!(editor.quit().code(), Some(0));
}
