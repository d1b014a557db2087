//! What people say from the command line beside an approval: they reject, go on without one, give their word away, hold, and fill
//! in forms; and how urgent it is.

use flowctl_tests::Terminal;
use serde_json::json;

use crate::client::{Said, command, flowctl};
use crate::stage::{RELEASE, Stage, TOKEN};

/// Starts `release`, which waits at once; gives the execution and its approval.
fn asked(run: &impl Fn(&[&str]) -> Said) -> (String, String) {
    let id = run(&["processes", "start", "release"]).out.trim().to_owned();
    let approvals = run(&["approvals", "list", "--execution", &id, "--format", "json"]).json();
    (id, approvals["items"][0]["id"].as_str().unwrap().to_owned())
}

#[test]
fn a_release_is_rejected_from_the_command_line() {
    let stage = Stage::set();
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    let (id, approval) = asked(&run);
    let stranger = run(&["approvals", "reject", &approval, "--as", "mallory"]);
    assert_eq!((stranger.code, stranger.out.as_str()), (Some(2), ""));
    assert!(stranger.err.contains("does not count"), "{}", stranger.err);
    let said = run(&["approvals", "reject", &approval, "--as", "bob", "--note", "too early"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "@bob rejected `leads` of release; it is rejected\n"));
    let watched = run(&["executions", "watch", &id]);
    assert_eq!(watched.code, Some(1), "{}", watched.err);
    assert!(watched.out.contains("too early"), "{}", watched.out);
    let shown = run(&["approvals", "show", &approval, "--format", "json"]).json();
    let word = &shown["decisions"][0];
    assert_eq!((&word["decision"], &word["person"]["login"]), (&json!("reject"), &json!("bob")));
    let late = run(&["approvals", "reject", &approval, "--as", "alice"]);
    assert_eq!(late.code, Some(2), "{}", late.out);
}

#[test]
fn only_whom_the_settings_name_goes_on_without_an_approval_and_says_why() {
    let files = [
        (".flow/processes/release.yaml".to_owned(), RELEASE),
        (".flow/flow.yaml".to_owned(), "commands:\n  override: {role: admin}\n"),
    ];
    let settings = || vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned())];
    let closed = Stage::of(&files[..1], settings());
    let stage = Stage::of(&files, settings());
    let (closed_url, url) = (closed.url(""), stage.url(""));
    let go_on = |url: &str, note: &[&str]| {
        let run = |words: &[&str]| flowctl(url, TOKEN, words);
        let (id, approval) = asked(&run);
        let words = [&["approvals", "override", &approval, "--as", "ann"], note].concat();
        (id, run(&words))
    };
    let note = ["--note", "the shop is down"];
    let (_, nobody_may) = go_on(&closed_url, &note);
    assert_eq!((nobody_may.code, nobody_may.out.as_str()), (Some(2), ""), "{}", nobody_may.err);
    let (_, without_reason) = go_on(&url, &[]);
    assert_eq!((without_reason.code, without_reason.out.as_str()), (Some(2), ""), "{}", without_reason.err);
    let (id, said) = go_on(&url, &note);
    assert_eq!(said.out, "@ann overrode `leads` of release; it is approved\n", "{}", said.err);
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    assert_eq!(run(&["executions", "watch", &id]).code, Some(0));
    let exported = run(&["executions", "export", &id]).json();
    let word = &exported["execution"]["steps"][0]["decisions"][0];
    assert_eq!((&word["decision"], &word["note"]), (&json!("override"), &json!("the shop is down")));
}

#[test]
fn a_word_is_given_away_from_the_command_line() {
    let stage = Stage::set();
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    let (id, approval) = asked(&run);
    let give = |more: &[&str]| run(&[&["approvals", "delegate", &approval, "--as", "alice"], more].concat());
    let never = give(&["--to", "carol", "--until", "someday"]);
    assert_eq!((never.code, never.out.as_str()), (Some(2), ""));
    assert!(never.err.contains("until"), "{}", never.err);
    let given = give(&["--to", "carol", "--until", "3d", "--note", "on leave"]);
    assert_eq!(given.code, Some(0), "{}", given.err);
    assert!(given.out.ends_with(&format!(" @carol may speak in @alice's place in {id}\n")), "{}", given.out);
    let said = run(&["approvals", "approve", &approval, "--as", "carol"]);
    assert_eq!(said.out, "@carol approved `leads` of release; it still needs 1 more of @alice, @bob\n");
    let back = give(&["--to", "alice", "--format", "json"]).json();
    assert_eq!((&back["from"]["login"], &back["to"]["login"]), (&json!("alice"), &json!("alice")));
}

#[test]
fn an_execution_is_held_from_the_command_line_and_goes_on() {
    let stage = Stage::set();
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    let (id, approval) = asked(&run);
    let held = run(&["executions", "hold", &id, "--note", "an incident", "--as", "ann"]);
    assert_eq!(held.code, Some(0), "{}", held.err);
    assert!(held.out.contains("waiting"), "{}", held.out);
    assert_eq!(run(&["executions", "hold", &id]).code, Some(2), "it is held already");
    for person in ["alice", "bob"] {
        assert_eq!(run(&["approvals", "approve", &approval, "--as", person]).code, Some(0));
    }
    let shown = run(&["executions", "show", &id, "--format", "json"]).json();
    let statuses: Vec<&str> =
        shown["steps"].as_array().unwrap().iter().map(|step| step["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["completed", "pending"], "nothing new starts");
    let freed = run(&["executions", "unhold", &id, "--note", "it is over"]);
    assert_eq!(freed.code, Some(0), "{}", freed.err);
    let watched = run(&["executions", "watch", &id]);
    assert_eq!(watched.code, Some(0), "{}", watched.err);
    assert!(watched.out.contains("held by @ann") && watched.out.contains("released"), "{}", watched.out);
    assert_eq!(run(&["executions", "unhold", &id]).code, Some(2), "it has ended");
}

/// Starts `access`, which asks for a form at once.
fn form(run: &impl Fn(&[&str]) -> Said) -> String {
    run(&["processes", "start", "access"]).out.trim().to_owned()
}

#[test]
fn a_form_is_filled_in_from_the_command_line() {
    let stage = Stage::set();
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    let id = form(&run);
    let shown = run(&["executions", "show", &id]);
    let how = format!("flowctl executions answer {id} --as LOGIN --field system=…");
    assert!(shown.out.contains(&how), "{}", shown.out);
    let answer = |words: &[&str]| run(&[&["executions", "answer", &id, "--as", "ann"], words].concat());
    for (words, fault) in [
        (&["--field", "days=3"][..], "`system` is required"),
        (&["--field", "system=hr"], "`system` must be one of billing, shop"),
        (&["--field", "system=shop", "--field", "days=soon"], "`days` must be a whole number"),
        (&["--field", "system=shop", "--field", "days=31"], "`days` must be at most 30"),
        (&["--field", "sytem=shop"], "`sytem` is not a field here; did you mean `system`?"),
        (&["--field", "system"], "`--field system` is not NAME=VALUE"),
        (&["--field", "days=1", "--field", "days=2"], "`--field days=…` is given twice"),
        (&["grant", "--field", "system=shop"], "step `grant` waits for no answers; there waits: request"),
        (&["--values", "no-such-file.yaml"], "no-such-file.yaml"),
    ] {
        let said = answer(words);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words:?}: {}", said.err);
        assert!(said.err.contains(fault), "{words:?}: {}", said.err);
    }
    let said = answer(&["request", "--field", "system=billing"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.starts_with("@ann answered `request` of access; the execution is "), "{}", said.out);
    assert_eq!(run(&["executions", "watch", &id]).code, Some(0));
    let done = run(&["executions", "show", &id, "--format", "json"]).json();
    assert_eq!(done["steps"][0]["output"], json!({"system": "billing", "days": 7}));
    let late = answer(&["--field", "system=shop"]);
    assert_eq!(late.code, Some(2));
    assert!(late.err.contains(&format!("no form waits in execution {id}, which is completed")), "{}", late.err);

    let (id, values) = (form(&run), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(values.path(), "system: shop\ndays: 30\n").unwrap();
    let file = values.path().to_str().unwrap();
    let words = ["executions", "answer", &id, "--values", file, "--field", "days=2", "--as", "ann", "--format", "json"];
    let answered = run(&words).json();
    assert_eq!((&answered["id"], &answered["steps"][0]["status"]), (&json!(id), &json!("completed")));
    assert_eq!(answered["steps"][0]["output"], json!({"system": "shop", "days": 2}));
}

#[test]
fn somebody_at_a_terminal_is_asked_for_what_is_missing() {
    let stage = Stage::set();
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    let id = form(&run);
    let words = ["executions", "answer", &id, "--field", "days=3", "--as", "ann"];
    // What does not fit is said at once, and asked again.
    let said = Terminal::run(
        command(&url, TOKEN, &words),
        &[("system (billing, shop; required)", "hr\r"), ("must be one of", "\u{7f}\u{7f}shop\r")],
    );
    assert!(said.contains("@ann answered `request` of access"), "{said}");
    let done = run(&["executions", "show", &id, "--format", "json"]).json();
    assert_eq!(done["steps"][0]["output"], json!({"system": "shop", "days": 3}));
}

#[test]
fn how_urgent_a_question_is_is_shown() {
    let urgent = RELEASE.replace("    timeout: 24h\n", "    timeout: 24h\n    priority: urgent\n");
    let stage = Stage::with(&[("release", &urgent)], vec![("FLOWCTL_API_TOKEN", TOKEN.to_owned())]);
    let url = stage.url("");
    let run = |words: &[&str]| flowctl(&url, TOKEN, words);
    let (id, approval) = asked(&run);
    let shown = run(&["executions", "show", &id]);
    assert!(shown.out.contains("urgent priority"), "{}", shown.out);
    let shown = run(&["executions", "show", &id, "--format", "json"]).json();
    assert_eq!(shown["steps"][0]["waiting_for"]["priority"], "urgent");
    let listed = run(&["approvals", "list"]);
    assert!(listed.out.contains("(leads, urgent priority)"), "{}", listed.out);
    assert!(run(&["approvals", "show", &approval]).out.contains("\nurgent priority\n"));
}
