//! The client commands: what they print, how they exit, and what they say where the server does not answer.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use flowctl_tests::{Server, free_address, program};
use serde_json::{Value, json};

use crate::stage::{Stage, TOKEN};

/// What the program said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.err);
        serde_json::from_str(&self.out).unwrap()
    }
}

/// A command for a server, with nothing to read.
pub fn command(server: &str, token: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(words).env("NO_COLOR", "1").env("FLOWCTL_SERVER", server).env("FLOWCTL_TOKEN", token);
    command.stdin(Stdio::null());
    command
}

/// Runs a command against a server.
pub fn flowctl(server: &str, token: &str, words: &[&str]) -> Said {
    let output = command(server, token, words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn a_release_from_the_command_line() {
    let stage = Stage::set();
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    let listed = run(&["processes", "list"]);
    assert!(listed.out.contains("shop:release") && listed.out.contains("Have it approved."), "{}", listed.out);
    let doubled = run(&["processes", "start", "sum", "--input", "a=1", "--input", "a=2"]);
    assert_eq!(doubled.code, Some(2));
    assert!(doubled.err.contains("`--input a=…` is given twice"), "{}", doubled.err);
    let shown = run(&["processes", "show", "sum"]);
    assert!(shown.out.contains("m, km"), "{}", shown.out);
    assert!(shown.out.contains("started by: manual") && shown.out.contains("unit"), "{}", shown.out);
    let started = run(&["processes", "start", "release", "--input", "what=007", "--key", "first"]);
    assert_eq!(started.code, Some(0), "{}", started.err);
    let id = started.out.trim().to_owned();
    assert!(started.err.contains(&format!("flowctl executions watch {id}")), "{}", started.err);
    let again = run(&["processes", "start", "shop:release", "--input", "what=007", "--key", "first", "--quiet"]);
    assert_eq!((again.out.trim(), again.err.as_str()), (id.as_str(), ""));
    let shown = run(&["executions", "show", &id]);
    assert!(shown.out.contains("needs 2 more of @alice, @bob"), "{}", shown.out);
    assert!(shown.out.contains("flowctl approvals approve"), "{}", shown.out);
    // A text stays a text where the input wants one.
    assert_eq!(run(&["executions", "show", &id, "--format", "json"]).json()["inputs"], json!({"what": "007"}));
    let approvals = run(&["approvals", "list", "--format", "json"]).json();
    let approval = approvals["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(run(&["approvals", "list"]).out.contains("Release 007? (leads)"));
    let said = run(&["approvals", "approve", &approval, "--as", "alice", "--note", "fine"]);
    assert_eq!(said.out, "@alice approved `leads` of release; it still needs 1 more of @alice, @bob\n");
    let stranger = run(&["approvals", "approve", &approval, "--as", "mallory"]);
    assert_eq!(stranger.code, Some(2));
    assert!(stranger.err.contains("does not count"), "{}", stranger.err);
    let said = run(&["approvals", "approve", &approval, "--as", "bob"]);
    assert_eq!(said.out, "@bob approved `leads` of release; it is approved\n");
    // What went wrong is said once.
    let unknown = "01981c5e-0000-7000-8000-000000000001";
    for (words, told) in [
        (&["approvals", "approve", &approval, "--as", "bob"][..], "nobody is asked any more: the approval is approved"),
        (&["executions", "show", unknown], &format!("there is no execution {unknown}")),
        (
            &["processes", "start", "release", "--input", "waht=1"],
            "the inputs do not fit: `waht` is not a field here; did you mean `what`?",
        ),
    ] {
        let said = run(words);
        assert_eq!((said.code, said.err), (Some(2), format!("error: {told}\n")), "{words:?}");
    }
    let watched = run(&["executions", "watch", &id]);
    assert_eq!(watched.code, Some(0), "{}", watched.err);
    for line in ["execution created", "leads", "decided by @alice: approve", "execution completed", "outputs"] {
        assert!(watched.out.contains(line), "{line}: {}", watched.out);
    }
    let exported = run(&["executions", "export", &id]).json();
    assert_eq!(exported["execution"]["id"], id);
    let seqs: Vec<u64> = exported["events"].as_array().unwrap().iter().map(|it| it["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let listed = run(&["executions", "list", "--status", "completed", "--process", "release"]);
    assert!(listed.out.contains(&id), "{}", listed.out);
    assert_eq!(run(&["executions", "list", "--format", "json"]).json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn watching_exits_by_the_outcome() {
    let stage = Stage::set();
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    let failed = run(&["processes", "start", "broken", "--watch"]);
    assert_eq!(failed.code, Some(1), "{}", failed.err);
    assert!(failed.out.contains("execution failed"), "{}", failed.out);
    let done = run(&["processes", "start", "sum", "--input", "a=1", "--watch", "--format", "json"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let last: Value = serde_json::from_str(done.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["data"]["outputs"]), (&json!("execution.completed"), &json!({"total": 3})));
    let waiting = run(&["processes", "start", "release"]).out.trim().to_owned();
    let mut watching = command(&url, TOKEN, &["executions", "watch", &waiting])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What it waits for is said once, with how to go on and that one may leave.
    let mut said = BufReader::new(watching.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(said.next().as_deref(), Some("leads waits for an approval; go on with:"));
    let how = said.next().unwrap();
    assert!(how.starts_with("  flowctl approvals approve ") && how.ends_with(" --as LOGIN"), "{how}");
    assert_eq!(said.next().as_deref(), Some("Ctrl-C leaves it running"));
    Command::new("kill").args(["-INT", &watching.id().to_string()]).status().unwrap();
    assert_eq!(watching.wait().unwrap().code(), Some(130));
    let rest: Vec<String> = said.filter(|line| !line.is_empty()).collect();
    assert_eq!(rest, [format!("the execution goes on; follow it again with `flowctl executions watch {waiting}`")]);
    let cancelled = run(&["executions", "cancel", &waiting, "--reason", "enough"]);
    assert!(cancelled.out.contains("cancelled") && cancelled.out.contains("reason: enough"), "{}", cancelled.out);
    let shown = run(&["executions", "show", &waiting]);
    assert!(shown.out.contains("reason: enough"), "{}", shown.out);
    assert_eq!(run(&["executions", "watch", &waiting]).code, Some(1));
    let retried = run(&["executions", "retry", &waiting]);
    assert!(retried.out.contains("waiting"), "{}", retried.out);
}

#[test]
fn watching_goes_on_when_the_server_comes_back() {
    let mut stage = Stage::set();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let started = runtime.block_on(stage.start("release", json!({})));
    let id = started["id"].as_str().unwrap().to_owned();
    let url = stage.url("");
    let mut watching = command(&url, TOKEN, &["executions", "watch", &id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    watching.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    stage.restart_in_place();
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    run(&["executions", "cancel", &id]);
    let output = watching.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("execution cancelled"), "{text}");
}

#[test]
fn where_the_server_does_not_answer_the_next_step_is_told() {
    let stage = Stage::set();
    let (url, nobody) = (stage.url(""), format!("http://{}", free_address()));
    for (server, token, words, expected) in [
        (nobody.as_str(), TOKEN, &["executions", "list"][..], "flowctl serve"),
        (&url, "", &["executions", "list"], "FLOWCTL_TOKEN"),
        (&url, "another-token-of-size", &["approvals", "list"], "FLOWCTL_API_TOKEN"),
        ("localhost:8080", TOKEN, &["processes", "list"], "http://127.0.0.1:8080"),
        (&url, TOKEN, &["executions", "show", "12"], "there is no execution 12"),
        (&url, TOKEN, &["executions", "watch", "12"], "there is no execution 12"),
        (&url, TOKEN, &["processes", "start", "smu"], "did you mean `sum`?"),
        (&url, TOKEN, &["processes", "start", "sum", "--input", "a=x", "--input", "b=y"], "`inputs.b` must be"),
        (&url, TOKEN, &["processes", "start", "sum", "--input", "a"], "KEY=VALUE"),
        (&url, TOKEN, &["executions", "list", "--since", "yesterday"], "RFC 3339"),
    ] {
        let said = flowctl(server, token, words);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words:?}: {}", said.err);
        assert!(said.err.contains(expected), "{words:?}: {}", said.err);
        assert!(!said.err.contains(TOKEN), "{}", said.err);
    }
}

impl Stage {
    /// Kills the server and starts it again at the same address.
    fn restart_in_place(&mut self) {
        let address = self.server.address;
        self.server.kill();
        self.server = Server::start(self.settings(), &self.app_data(), address);
    }
}
