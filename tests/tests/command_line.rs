//! The command line as scripts and people use it: exit codes, formats, files. The real program, real repositories.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use flowctl_tests::{Terminal, local_repository, program, root};
use serde_json::{Value, json};

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn flowctl(folder: &Path, words: &[&str]) -> Said {
    flowctl_with(folder, words, "", &[])
}

fn flowctl_with(folder: &Path, words: &[&str], input: &str, environment: &[(&str, &str)]) -> Said {
    use std::io::Write;
    let mut command = Command::new(program());
    command.args(words).current_dir(folder).env_remove("NO_COLOR").env_remove("FLOWCTL_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(environment.iter().copied());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `flowctl run`, for somebody at a terminal.
fn run_at_terminal(folder: &Path, data: &Path, process: &str) -> Command {
    let mut command = Command::new(program());
    command.args(["run", process, "--data"]).arg(data).current_dir(folder).env("TERM", "xterm");
    command
}

fn sample(name: &str) -> std::path::PathBuf {
    root().join("fixtures/repositories").join(name)
}

fn invalid(name: &str) -> std::path::PathBuf {
    root().join("fixtures/invalid").join(name)
}

/// A folder of its own with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

const SOUND: &str = "name: a\nversion: 1\nsteps:\n  - {id: one, type: set, values: {x: 1}}\n";
const BROKEN: &str = "name: a\nversion: 1\nsteps:\n  - {id: one, type: set, vaules: {x: 1}}\n";

#[test]
fn exit_codes_say_what_was_found() {
    assert_eq!(flowctl(&sample("release"), &["validate"]).code, 0);
    assert_eq!(flowctl(&invalid("circular-dependency"), &["validate"]).code, 1);
    assert_eq!(flowctl(&root(), &["validate", "no/such/folder"]).code, 2);
    assert_eq!(flowctl(&root(), &["validate", "--no-such-flag"]).code, 2);
    let empty = folder(&[("README.md", "nothing here")]);
    assert_eq!(flowctl(empty.path(), &["validate", "."]).code, 3);
    let lost = flowctl(empty.path(), &["validate"]);
    assert_eq!((lost.code, lost.err.contains("flowctl init")), (3, true), "{}", lost.err);
}

#[test]
fn warnings_alone_are_no_failure_unless_denied() {
    let unused = invalid("input-never-used");
    assert_eq!(flowctl(&unused, &["validate"]).code, 0);
    assert_eq!(flowctl(&unused, &["validate", "--deny-warnings"]).code, 1);
}

#[test]
fn a_fix_is_a_replacement_in_sarif() {
    let said = flowctl(&invalid("unknown-dependency"), &["validate", "--format", "sarif"]);
    let log: Value = serde_json::from_str(&said.out).unwrap();
    let fix = &log["runs"][0]["results"][0]["fixes"][0];
    assert_eq!(fix["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"], "approve", "{fix:#}");
}

#[test]
fn what_is_not_told_one_by_one_is_counted() {
    let steps = "  - {}\n".repeat(1_200);
    let many = folder(&[(".flow/processes/a.yaml", &format!("name: a\nversion: 1\nsteps:\n{steps}"))]);
    let said = flowctl(many.path(), &["validate", "--format", "json"]);
    let document: Value = serde_json::from_str(&said.out).unwrap();
    let told = document["findings"].as_array().unwrap();
    let more: u64 = told.iter().filter_map(|finding| finding["more"].as_u64()).sum();
    assert!(more > 0, "findings of one rule in one file are cut");
    let summary = &document["summary"];
    let counted: u64 = ["errors", "warnings", "infos"].iter().filter_map(|kind| summary[kind].as_u64()).sum();
    assert_eq!(counted, told.len() as u64 + more);
}

#[test]
fn json_is_what_the_contract_says() {
    let said = flowctl(&invalid("unknown-dependency"), &["validate", "--format", "json"]);
    let document: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, document["version"].as_u64()), (1, Some(1)));
    assert_eq!(document["summary"]["errors"], 1);
    let finding = &document["findings"][0];
    for key in ["code", "name", "severity", "message", "path", "range", "related"] {
        assert!(!finding[key].is_null(), "{key} in {finding}");
    }
    // No page is made up where nobody said when it was built where pages are read.
    let pages = option_env!("FLOWCTL_RULES_URL").unwrap_or("docs/rules");
    assert_eq!(finding["url"], format!("{pages}/FLOW012.md"));
    let text = fs::read_to_string(invalid("unknown-dependency").join(finding["path"].as_str().unwrap())).unwrap();
    let (start, end) = (&finding["range"]["start"], &finding["range"]["end"]);
    let offset = |position: &Value| usize::try_from(position["offset"].as_u64().unwrap()).unwrap();
    let wrong = &text[offset(start)..offset(end)];
    let line = text.lines().nth(usize::try_from(start["line"].as_u64().unwrap()).unwrap() - 1).unwrap();
    assert!(line.contains(wrong), "{wrong} stands in {line}");
    assert!(finding["message"].as_str().unwrap().contains(wrong));
}

#[test]
fn annotations_are_workflow_commands() {
    let said = flowctl(&invalid("unknown-dependency"), &["validate", "--format", "github"]);
    assert!(said.out.starts_with("::error file=.flow/processes/unknown-dependency.yaml,line="), "{}", said.out);
    assert_eq!(said.out.lines().count(), 1);
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    let broken = invalid("unknown-dependency");
    assert!(!flowctl(&broken, &["validate"]).out.contains('\u{1b}'));
    assert!(flowctl(&broken, &["validate", "--color", "always"]).out.contains('\u{1b}'));
    let asked_not_to = flowctl_with(&broken, &["validate"], "", &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]);
    assert!(!asked_not_to.out.contains('\u{1b}'));
}

#[test]
fn paths_may_be_folders_files_globs_and_standard_input() {
    let repository = folder(&[
        (".flow/processes/a.yaml", BROKEN),
        (".flow/processes/b.yaml", "name: b\nversion: 1\nsteps:\n  - {id: one, type: sett, values: {x: 1}}\n"),
        (".flow/flow.yaml", "models: {default: mock}\n"),
    ]);
    let count = |words: &[&str]| {
        let words = [&["validate", "--format", "json"], words].concat();
        let document: Value = serde_json::from_str(&flowctl(repository.path(), &words).out).unwrap();
        document["findings"].as_array().unwrap().len()
    };
    assert_eq!(count(&[]), 2);
    assert_eq!(count(&["."]), 2);
    assert_eq!(count(&[".flow/processes"]), 2);
    assert_eq!(count(&[".flow/processes/a.yaml"]), 1);
    assert_eq!(count(&["**/b.yaml"]), 1);
    let words = ["validate", "--format", "concise", "--stdin-filename", ".flow/processes/a.yaml", "-"];
    let fixed = flowctl_with(repository.path(), &words, SOUND, &[]);
    assert_eq!((fixed.code, fixed.out.as_str()), (0, ""));
}

#[test]
fn ignored_files_are_not_looked_at() {
    let repository = folder(&[
        (".gitignore", "generated.yaml\n"),
        (".flow/processes/a.yaml", SOUND),
        (".flow/processes/generated.yaml", BROKEN),
    ]);
    assert_eq!(flowctl(repository.path(), &["validate"]).code, 0);
}

#[test]
fn only_what_changed_is_looked_at_and_versions_are_compared() {
    let repository =
        folder(&[(".flow/processes/a.yaml", SOUND), (".flow/processes/b.yaml", &BROKEN.replace("name: a", "name: b"))]);
    let git = |words: &[&str]| {
        let done = Command::new("git").args(words).current_dir(repository.path()).output().unwrap();
        assert!(done.status.success(), "{words:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "first"]);
    let changed = |text: &str| {
        fs::write(repository.path().join(".flow/processes/a.yaml"), text).unwrap();
        flowctl(repository.path(), &["validate", "--changed-since", "HEAD", "--format", "concise"])
    };
    assert_eq!(changed(SOUND).code, 3, "nothing changed");
    let same_version = changed(&SOUND.replace("x: 1", "x: 2"));
    assert_eq!(same_version.code, 1);
    assert!(same_version.out.contains("version"), "{}", same_version.out);
    assert_eq!(changed(&SOUND.replace("x: 1", "x: 2").replace("version: 1", "version: 2")).code, 0);
    assert_eq!(flowctl(repository.path(), &["validate", "--changed-since", "no-such-rev"]).code, 2);
}

#[test]
fn every_template_of_init_is_sound_and_nothing_is_overwritten() {
    let samples = ["release", "production-access", "incident", "vendor-onboarding", "ai-triage", "agent-triage"];
    for template in ["approval"].into_iter().chain(samples) {
        let folder = folder(&[]);
        assert_eq!(flowctl(folder.path(), &["init", "--template", template]).code, 0, "{template}");
        let said = flowctl(folder.path(), &["validate", "--deny-warnings"]);
        assert_eq!(said.code, 0, "{template}: {}", said.out);
        let again = flowctl(folder.path(), &["init", "--template", template]);
        assert_eq!((again.code, again.err.contains("nothing is overwritten")), (2, true), "{}", again.err);
    }
}

#[test]
fn rules_schemas_graphs_and_completions_are_printed() {
    let here = sample("release");
    assert!(flowctl(&here, &["explain"]).out.lines().count() > 40);
    assert!(flowctl(&here, &["explain", "circular-dependency"]).out.contains("Wrong"));
    assert_eq!(flowctl(&here, &["explain", "FLOW999"]).code, 2);
    assert!(flowctl(&here, &["explain", "flow101"]).out.starts_with("# FLOW101"));
    let wrong = flowctl(&here, &["explain", "unknown-ky"]);
    assert!(wrong.err.contains("there is no rule `unknown-ky`; did you mean `unknown-key`?"), "{}", wrong.err);
    for kind in ["process", "settings", "agent", "tool", "policy", "prompt", "test"] {
        let schema: Value = serde_json::from_str(&flowctl(&here, &["schema", kind]).out).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{kind}");
    }
    assert!(flowctl(&here, &["graph", "release"]).out.contains("leads"));
    assert!(flowctl(&here, &["graph", "release", "--format", "mermaid"]).out.starts_with("flowchart"));
    let wrong = flowctl(&here, &["graph", "relaese"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("there is no process `relaese`; did you mean `release`?"), "{}", wrong.err);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(flowctl(&here, &["completions", shell]).out.contains("validate"), "{shell}");
    }
    assert!(flowctl(&here, &["man"]).out.contains(".TH flowctl"));
}

#[test]
fn a_run_stops_for_people_and_is_gone_on_with() {
    let data = tempfile::tempdir().unwrap();
    let kept = data.path().to_str().unwrap();
    let process = "name: ask\nversion: 1\ninputs: {who: {type: string, default: world}}\nsteps:
  - {id: form, type: form, fields: {seats: {type: integer, required: true, minimum: 1}}}
  - {id: leads, type: human_approval, depends_on: form, approvers: {team: leads, count: 2}}
  - {id: done, type: set, depends_on: leads, values: {text: 'hello {{ inputs.who }}, {{ steps.form.output.seats }}'}}
outputs: {text: '{{ steps.done.output.text }}'}\n";
    let repository = folder(&[(".flow/processes/ask.yaml", process)]);
    let run = |words: &[&str]| {
        let words = [&["run", "--data", kept, "--format", "json"], words].concat();
        let said = flowctl(repository.path(), &words);
        let document: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err));
        (said.code, document, said.err)
    };
    let (code, waiting, hint) = run(&["ask", "--input", "who=ann"]);
    assert_eq!((code, waiting["status"].as_str()), (3, Some("waiting")));
    assert!(hint.contains("--answer form.seats=…"), "{hint}");
    let id = waiting["id"].as_str().unwrap();
    // The files may change meanwhile: the execution goes on with what it began with.
    fs::write(repository.path().join(".flow/processes/ask.yaml"), SOUND.replace("name: a", "name: ask")).unwrap();
    let (code, asked, _) = run(&["--resume", id, "--answer", "form.seats=3"]);
    assert_eq!((code, asked["steps"][1]["status"].as_str()), (3, Some("waiting")));
    let (code, done, _) = run(&["--resume", id, "--approve", "leads=fine"]);
    assert_eq!((code, done["outputs"]["text"].as_str()), (0, Some("hello ann, 3")));
    let said = flowctl(repository.path(), &["run", "nothing", "--data", kept]);
    assert_eq!((said.code, said.err.contains("ask")), (2, true), "{}", said.err);
}

#[test]
fn the_definition_of_an_earlier_revision_runs() {
    let (data, repository) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    local_repository(repository.path(), &[("a", SOUND.to_owned())]);
    let change = |version: u32| {
        let text =
            SOUND.replace("x: 1", &format!("x: {version}")).replace("version: 1", &format!("version: {version}"));
        fs::write(repository.path().join(".flow/processes/a.yaml"), text).unwrap();
    };
    let git = |words: &[&str]| {
        let who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"];
        let done = Command::new("git").args(who).args(words).current_dir(repository.path()).output().unwrap();
        assert!(done.status.success(), "{words:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    let first = git(&["rev-parse", "HEAD"]);
    change(2);
    git(&["commit", "--quiet", "--all", "--message=Second"]);
    change(3);
    let kept = data.path().to_str().unwrap();
    let run = |words: &[&str]| {
        let said = flowctl(repository.path(), &[&["run", "a", "--data", kept, "--format", "json"], words].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        serde_json::from_str::<Value>(&said.out).unwrap()
    };
    let x = |execution: &Value| execution["steps"][0]["output"]["x"].clone();
    assert_eq!(x(&run(&[])), json!(3), "the files as they are");
    assert_eq!(x(&run(&["--revision", "HEAD"])), json!(2));
    for name in ["HEAD~1", &first] {
        let earlier = run(&["--revision", name]);
        assert_eq!((x(&earlier), &earlier["version"]), (json!(1), &json!(1)));
    }
    let unknown = flowctl(repository.path(), &["run", "a", "--data", kept, "--revision", "no-such-rev"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (2, ""));
    assert!(unknown.err.contains("no-such-rev"), "{}", unknown.err);
}

/// A description for the mock, which holds what it is going to write, answer by answer.
fn description(definitions: &[&str]) -> String {
    let say = |definition: &&str| json!({"say": {"definition": definition, "explanation": "It says hello.", "confidence": 0.8}});
    let turns: Vec<Value> = definitions.iter().map(say).collect();
    format!("Say hello.\n```mock-script\n{}\n```", Value::from(turns))
}

#[test]
fn a_process_is_written_from_words_and_mended_until_it_is_sound() {
    let sound = "name: hello\nversion: 1\nsteps:\n  - {id: say, type: set, values: {text: hello}}\n";
    let broken = sound.replace("values", "vaules");
    let repository = folder(&[(".flow/flow.yaml", "models: {default: mock/script}\n")]);
    let place = repository.path().join(".flow/processes/hello.yaml");
    let generate = |definitions: &[&str], words: &[&str]| {
        flowctl(repository.path(), &[&["generate", &description(definitions)], words].concat())
    };
    let mended = generate(&[&broken, sound], &[]);
    assert_eq!((mended.code, mended.out.as_str()), (0, sound), "{}", mended.err);
    assert!(mended.err.contains("It says hello.") && mended.err.contains("confidence 0.72"), "{}", mended.err);
    assert!(mended.err.contains("was asked 2 times") && mended.err.contains("for 0 USD"), "{}", mended.err);
    assert!(!place.exists(), "nothing is written unless asked for");

    let hopeless = generate(&[broken.as_str(); 4], &["--write"]);
    assert_eq!((hopeless.code, hopeless.out.as_str()), (1, broken.as_str()), "{}", hopeless.err);
    assert!(
        hopeless.err.contains(".flow/processes/hello.yaml:4:") && hopeless.err.contains("vaules"),
        "{}",
        hopeless.err
    );
    assert!(!place.exists(), "what is not sound is not written");
    let quiet = generate(&[sound], &["--format", "json", "--quiet"]);
    let document: Value = serde_json::from_str(&quiet.out).unwrap();
    assert_eq!((&document["sound"], &document["attempts"]), (&json!(true), &json!(1)), "{document:#}");

    let written = generate(&[sound], &["--write"]);
    assert_eq!((written.code, written.out.as_str()), (0, ".flow/processes/hello.yaml\n"), "{}", written.err);
    assert_eq!(fs::read_to_string(&place).unwrap(), sound);
    assert_eq!(flowctl(repository.path(), &["validate"]).code, 0);
    let again = generate(&[sound], &["--write"]);
    assert_eq!((again.code, again.out.as_str()), (2, ""));
    assert!(again.err.contains("is there already"), "{}", again.err);
    let nobody = generate(&[sound], &["--model", "openai/gpt-5"]);
    assert_eq!((nobody.code, nobody.err.contains("--model")), (2, true), "{}", nobody.err);
}

#[test]
fn a_seed_says_what_the_mock_answers() {
    let data = tempfile::tempdir().unwrap();
    let process = "name: draft\nversion: 1\ninputs: {about: {type: string, required: true}}\nsteps:
  - id: ask
    type: ai_generate
    model: mock
    prompt: 'Say something about {{ inputs.about }}.'
    output_schema: {type: object, required: [count], properties: {count: {type: integer, minimum: 0, maximum: 1000000000}}}\n";
    let repository = folder(&[(".flow/processes/draft.yaml", process)]);
    let run = |seed: &[(&str, &str)], about: &str, words: &[&str]| {
        let kept = data.path().to_str().unwrap();
        let input = format!("about={about}");
        let words = [&["run", "draft", "--data", kept, "--format", "json", "--input", &input], words].concat();
        let said = flowctl_with(repository.path(), &words, "", seed);
        assert_eq!(said.code, 0, "{}", said.err);
        serde_json::from_str::<Value>(&said.out).unwrap()["steps"][0]["output"]["count"].clone()
    };
    let seven = [("FLOWCTL_AI_MOCK_SEED", "7")];
    let first = run(&seven, "tea", &[]);
    assert_eq!(run(&seven, "coffee", &["--mock"]), first);
    assert_ne!(run(&[("FLOWCTL_AI_MOCK_SEED", "8")], "tea", &[]), first);
    assert_ne!(run(&[], "tea", &[]), run(&[], "coffee", &[]));
    let wrong = [("FLOWCTL_AI_MOCK_SEED", "seven")];
    let said = flowctl_with(repository.path(), &["run", "draft", "--input", "about=tea"], "", &wrong);
    assert_eq!((said.code, said.err.contains("FLOWCTL_AI_MOCK_SEED")), (2, true), "{}", said.err);
}

#[test]
fn a_rejected_run_fails_and_wrong_inputs_are_told_by_field() {
    let data = tempfile::tempdir().unwrap();
    let kept = data.path().to_str().unwrap();
    let process = "name: ask\nversion: 1\ninputs: {size: {type: integer, required: true}}\nsteps:
  - {id: ok, type: human_approval, approvers: {users: [ann]}, description: 'size {{ inputs.size }}'}\n";
    let repository = folder(&[(".flow/processes/ask.yaml", process)]);
    let said = flowctl(repository.path(), &["run", "ask", "--data", kept, "--input", "size=big"]);
    assert_eq!((said.code, said.err.contains("`size` must be a whole number")), (2, true), "{}", said.err);
    let said =
        flowctl(repository.path(), &["run", "ask", "--data", kept, "--input", "size=3", "--reject", "ok=too big"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("too big"), "{}", said.out);
}

const NOTED: &str = "name: ask\nversion: 1\nsteps:
  - {id: ok, type: human_approval, approvers: {users: [ann]}, note_required: on_reject}\n";

#[test]
fn ctrl_c_at_a_question_left_the_cursor_hidden_and_was_an_error() {
    let form = "name: ask\nversion: 1\nsteps:\n  - {id: form, type: form, fields: {name: {type: string}}}\n";
    let at_decision = [("Your decision", "\u{3}")];
    let at_note = [("Your decision", "\u{1b}[A\r"), ("Note (required)", "\u{3}")];
    let at_confirmation = [("Answer now?", "\u{3}")];
    let at_field = [("Answer now?", "y"), ("name:", "\u{3}")];
    for (process, answers) in
        [(NOTED, &at_decision[..]), (NOTED, &at_note), (form, &at_confirmation), (form, &at_field)]
    {
        let (data, repository) = (tempfile::tempdir().unwrap(), folder(&[(".flow/processes/ask.yaml", process)]));
        let shown = Terminal::run_to(130, run_at_terminal(repository.path(), data.path(), "ask"), answers);
        assert!(shown.contains("interrupted; it is kept:"), "{shown}");
        assert!(shown.contains("flowctl run --resume"), "{shown}");
        assert!(!shown.contains("error"), "{shown}");
        let (hidden, again) = (shown.rfind("\u{1b}[?25l"), shown.rfind("\u{1b}[?25h"));
        assert!(again > hidden || hidden.is_none(), "{shown:?}");
    }
}

#[test]
fn escape_at_a_question_is_later() {
    let (data, repository) = (tempfile::tempdir().unwrap(), folder(&[(".flow/processes/ask.yaml", NOTED)]));
    let command = run_at_terminal(repository.path(), data.path(), "ask");
    let shown = Terminal::run_to(3, command, &[("Escape is later", "\u{1b}")]);
    assert!(shown.contains("ok waits. Go on with:"), "{shown}");
}

#[test]
fn a_note_that_is_needed_is_asked_for() {
    let (data, repository) = (tempfile::tempdir().unwrap(), folder(&[(".flow/processes/ask.yaml", NOTED)]));
    let command = run_at_terminal(repository.path(), data.path(), "ask");
    let reject = "\u{1b}[A\r";
    let answers = [("Your decision", reject), ("Note (required)", "\r"), ("a note is needed", "too early\r")];
    assert!(Terminal::run_to(1, command, &answers).contains("too early"));

    let kept = data.path().to_str().unwrap();
    let said = flowctl(repository.path(), &["run", "ask", "--data", kept, "--reject", "ok"]);
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(said.err.contains("`ok` needs a note: --reject ok=NOTE\n"), "{}", said.err);
    assert!(said.err.contains("ok waits. Go on with:"), "{}", said.err);
    assert!(said.err.contains("your word stands for everybody who is asked"), "{}", said.err);
}

#[test]
fn a_form_tells_what_its_fields_take() {
    let process = "name: ask\nversion: 1\nsteps:\n  - id: form\n    type: form\n    fields:
      land: {type: string, title: Country, description: Two letters, pattern: '^[A-Z]{2}$', required: true}
      spend: {type: number}\n";
    let (data, repository) = (tempfile::tempdir().unwrap(), folder(&[(".flow/processes/ask.yaml", process)]));
    let answers = [
        ("Answer now?", "y"),
        ("Country (required)", "many\r"),
        ("`land` must match", "\u{7f}\u{7f}\u{7f}\u{7f}DE\r"),
        ("spend (a number)", "maybe\r"),
        ("`spend` must be a number", "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}12\r"),
    ];
    let shown = Terminal::run(run_at_terminal(repository.path(), data.path(), "ask"), &answers);
    assert!(shown.contains("Two letters"), "{shown}");
}

#[test]
fn nothing_runs_that_a_faulty_policy_or_settings_are_part_of() {
    let data = tempfile::tempdir().unwrap();
    let kept = data.path().to_str().unwrap();
    let process = "name: rel\nversion: 1\nsteps:
  - {id: ok, type: human_approval, approvers: {users: [alice]}, policy: two-leads}\n";
    let sound = "approvers: {team: leads, count: 2}\n";
    for (policy, settings, code) in [
        (sound, "models: {default: mock}\n", 3),
        ("aprovers: {team: leads, count: 2}\n", "models: {default: mock}\n", 2),
        ("approvers: {team: leads, count: two}\n", "models: {default: mock}\n", 2),
        (sound, "commands: {approve: {role: mantain}}\n", 2),
    ] {
        let repository = folder(&[
            (".flow/processes/rel.yaml", process),
            (".flow/policies/two-leads.yaml", policy),
            (".flow/flow.yaml", settings),
        ]);
        let said = flowctl(repository.path(), &["run", "rel", "--data", kept]);
        assert_eq!(said.code, code, "{policy}{settings}{}", said.err);
        assert!(code == 3 || said.err.contains(".yaml:1:"), "it says where: {}", said.err);
    }
}

#[test]
fn what_is_said_of_steps_that_there_are_not_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let kept = data.path().to_str().unwrap();
    let process =
        "name: ask\nversion: 1\nsteps:\n  - {id: form, type: form, fields: {seats: {type: integer, required: true}}}\n";
    let repository = folder(&[(".flow/processes/ask.yaml", process)]);
    let run = |words: &[&str]| flowctl(repository.path(), &[&["run", "ask", "--data", kept], words].concat());
    for words in [["--approve", "nope"], ["--answer", "nope.seats=1"], ["--approve", "form"]] {
        assert_eq!(run(&words).code, 2, "{words:?}");
    }
    let said = run(&["--answer", "form.saets=1"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("`saets` is not a field here; did you mean `seats`?"), "{}", said.err);
    assert!(said.err.contains(&format!("--data {kept}")), "it says how to go on: {}", said.err);
}

#[test]
fn what_reads_a_pull_request_failed_halfway_when_started_by_hand() {
    let data = tempfile::tempdir().unwrap();
    let kept = data.path().to_str().unwrap();
    for name in ["release", "ai-triage", "production-access"] {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(flowctl(folder.path(), &["init", "--template", name]).code, 0);
        let said = flowctl(folder.path(), &["run", name, "--mock", "--data", kept]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{name}: {}", said.err);
        for words in [&format!("`{name}` reads `trigger.pull_request`"), "`flowctl test`", "`flowctl dev .`"] {
            assert!(said.err.contains(words), "{name}: {words}: {}", said.err);
        }
    }
}

#[test]
fn the_examples_of_run_work() {
    let help = flowctl(&root(), &["run", "--help"]);
    let examples = help.out.lines().filter_map(|line| line.strip_prefix("  flowctl run "));
    let mut played = 0;
    for example in examples.filter(|example| !example.starts_with("--resume")) {
        let words: Vec<&str> = example.split(" | ").next().unwrap().split(' ').collect();
        let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(flowctl(folder.path(), &["init", "--template", words[0]]).code, 0, "{example}");
        let said = flowctl(folder.path(), &[&["run", "--data", data.path().to_str().unwrap()], &words[..]].concat());
        assert!([0, 3].contains(&said.code), "{example}: {}", said.err);
        played += 1;
    }
    assert_eq!(played, 3, "{}", help.out);
}

#[test]
fn dev_without_a_terminal_never_ended_on_a_repository_of_somebody() {
    let repository = sample("release");
    let repository = repository.to_str().unwrap();
    for words in [&["dev", repository][..], &["dev", repository, "--exit-when-done"]] {
        let said = flowctl(&root(), words);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
        assert!(said.err.contains("`--scenario FILE` says who does what"), "{}", said.err);
    }
}

#[test]
fn dev_at_a_terminal_needs_something_to_play_before_it_can_end() {
    let mut command = Command::new(program());
    command.args(["dev", "--exit-when-done"]).current_dir(root());
    let shown = Terminal::run_to(2, command, &[]);
    assert!(shown.contains("`--scenario demo` plays the demo"), "{shown}");
}

#[test]
fn a_scenario_that_cannot_be_played_is_told_with_its_place() {
    let play =
        "people: {users: {ann: write}}\nrepository: o/r\nplay:\n  - comment: {by: ann, body: hi}\n\n  - coment: {}\n";
    let folder = folder(&[("play.yaml", play), ("empty.yaml", "repository: o/r\nplay: []\n")]);
    for (name, expected) in [
        ("approval", "there is no scenario `approval`: no such file, and no sample; there are demo, release, "),
        ("play.yaml", "play.yaml:6: play 2 (coment): there is no such act"),
        ("empty.yaml", "empty.yaml: the scenario cannot be read: missing field `people`"),
    ] {
        let said = flowctl(folder.path(), &["dev", "--scenario", name]);
        assert_eq!((said.code, said.err.contains(expected)), (2, true), "{name}: {}", said.err);
    }
}

#[test]
fn dev_plays_the_demo_and_ends_as_the_readme_shows() {
    let said = flowctl(&root(), &["dev"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let without_time = |line: &str| match line.split_once(|c: char| c.is_ascii_digit()) {
        Some(("  ", rest)) => rest.get("0:00:00".len()..).unwrap_or_default().to_owned(),
        _ => line.to_owned(),
    };
    let printed: Vec<String> = said.out.lines().chain(said.err.lines()).map(without_time).collect();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(shown.lines().count() > 15, "{shown}");
    for line in shown.lines() {
        assert!(printed.contains(&without_time(line)), "{line}\n\n{}{}", said.out, said.err);
    }
}

#[test]
fn a_process_with_errors_was_said_not_to_exist() {
    let unversioned = SOUND.replace("version: 1", "version: \"1\"");
    let here = folder(&[(".flow/processes/a.yaml", &unversioned), (".flow/processes/open.yaml", "name: {open\n")]);
    let drawn = flowctl(here.path(), &["graph", "a"]);
    assert_eq!((drawn.code, drawn.out.contains("one")), (0, true), "{}", drawn.err);
    assert!(drawn.err.contains("a.yaml has 1 error and is drawn as far as it could be read"), "{}", drawn.err);
    assert_eq!(flowctl(here.path(), &["graph", ".flow/processes/a.yaml"]).out, drawn.out);
    let data = tempfile::tempdir().unwrap();
    let kept = data.path().to_str().unwrap();
    for (name, words) in [("open", &["graph", "open"][..]), ("a", &["run", "a", "--data", kept])] {
        let said = flowctl(here.path(), words);
        let path = format!(".flow/processes/{name}.yaml");
        let why = format!("`{path}` holds no process that can be read; `flowctl validate {path}` says why");
        assert_eq!((said.code, said.err.contains(&why)), (2, true), "{words:?}: {}", said.err);
    }
    let misspelt = flowctl(&sample("release"), &["run", "relaese", "--data", kept]);
    assert!(misspelt.err.contains("there is no process `relaese`; did you mean `release`?"), "{}", misspelt.err);
}

#[test]
fn outside_of_a_repository_every_command_says_what_to_do() {
    let here = folder(&[]);
    let data = here.path().join("data");
    let kept = data.to_str().unwrap();
    let commands = [&["graph", "a"][..], &["run", "a", "--data", kept], &["test"], &["fmt"]];
    for words in commands {
        let said = flowctl(here.path(), words);
        let why = "there is no `.flow/` here or above; `flowctl init` lays one out";
        assert_eq!((said.code, said.err.contains(why)), (2, true), "{words:?}: {} {}", said.code, said.err);
    }
    let named = flowctl(here.path(), &["run", "a", "--data", kept, "--repo", "."]);
    assert!(named.err.contains("lays one out"), "{}", named.err);
    let laid_out = flowctl(here.path(), &["init"]);
    assert!(laid_out.err.contains("is in no git repository"), "{}", laid_out.err);
    git2::Repository::init(here.path()).unwrap();
    let again = flowctl(here.path(), &["init", "--template", "release"]);
    assert_eq!((again.code, again.err.contains("git repository")), (0, false), "{}", again.err);
}

#[test]
fn causes_are_told_in_words_and_not_as_libraries_have_them() {
    let here = folder(&[]);
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    for (words, told) in [
        (&["diff", "HEAD"][..], "error: this folder is in no git repository\n"),
        (&["validate", "[z"], "error: `[z` is no pattern: unclosed character class; missing ']'\n"),
        (&["validate", "/dev/null"], "error: `/dev/null` is a pipe or a device; `-` reads standard input\n"),
        (&["dev", "nosuch", "--scenario", "demo"], "error: nosuch: there is no such folder\n"),
        (&["doctor", "--config", "nosuch.toml"], "--config nosuch.toml: the file cannot be read"),
    ] {
        let said = flowctl_with(here.path(), words, "", &[("FLOWCTL_DATA_DIR", state)]);
        assert_eq!((said.code, said.err.contains(told)), (2, true), "{words:?}: {}", said.err);
        assert!(!said.err.contains("code=") && !said.err.contains("note:"), "{words:?}: {}", said.err);
    }
}
