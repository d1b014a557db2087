//! Comments as people write them, and what is read of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

/// One line for each thing that was read.
fn show(body: &str) -> String {
    let reading = read(body);
    let mut lines = Vec::new();
    for invocation in &reading.invocations {
        assert!(body[invocation.range.clone()].starts_with('/'));
        lines.push((invocation.range.start, format!("{}: {:?}", invocation.line, invocation.command)));
    }
    for error in &reading.errors {
        let help = error.help.as_deref().map(|help| format!(" [{help}]")).unwrap_or_default();
        lines.push((
            error.range.start,
            format!("{}: error {} <{}>{help}", error.line, error.message, &body[error.range.clone()]),
        ));
    }
    for unknown in &reading.unknown {
        assert_eq!(body[unknown.range.clone()], format!("/{}", unknown.word));
        lines.push((
            unknown.range.start,
            format!("unknown {} {:?} rest {:?}", unknown.word, unknown.suggestion, unknown.rest),
        ));
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

fn table(bodies: &[&str]) -> String {
    bodies
        .iter()
        .map(|body| format!("{body}\n    {}", show(body).replace('\n', "\n    ")))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn commands_as_they_are_written() {
    insta::assert_snapshot!(table(&[
        "/approve",
        "/Approve",
        "/approve review",
        "/approve review 0a1b2c3",
        "/approve 0A1B2C3D",
        "/approve abcdef1",
        "/approve deadbeef",
        "/approve review -- it's fine -- really",
        "/approve — from a telephone",
        "/approve --",
        "/reject leads -- no",
        "/run release",
        "/run release audience=public note=\"two words\" it='a \"b\"' e= url=http://x/?a=b",
        "/run release note=“curly quotes” path=\"C:\\\\x \\\"y\\\"\"",
        "/cancel",
        "/retry",
        "/retry ship",
        "/answer name=Acme",
        "/answer vendor name=Acme n=don't",
        "/status",
        "/help",
        "/recheck",
        "/ask until friday's over",
        "   /status",
    ]), @r##"
    /approve
        1: Approve { step: None, commit: None, note: None }
    /Approve
        1: Approve { step: None, commit: None, note: None }
    /approve review
        1: Approve { step: Some("review"), commit: None, note: None }
    /approve review 0a1b2c3
        1: Approve { step: Some("review"), commit: Some("0a1b2c3"), note: None }
    /approve 0A1B2C3D
        1: Approve { step: None, commit: Some("0a1b2c3d"), note: None }
    /approve abcdef1
        1: Approve { step: None, commit: Some("abcdef1"), note: None }
    /approve deadbeef
        1: Approve { step: Some("deadbeef"), commit: None, note: None }
    /approve review -- it's fine -- really
        1: Approve { step: Some("review"), commit: None, note: Some("it's fine -- really") }
    /approve — from a telephone
        1: Approve { step: None, commit: None, note: Some("from a telephone") }
    /approve --
        1: Approve { step: None, commit: None, note: None }
    /reject leads -- no
        1: Reject { step: Some("leads"), commit: None, note: Some("no") }
    /run release
        1: Run { process: "release", inputs: [] }
    /run release audience=public note="two words" it='a "b"' e= url=http://x/?a=b
        1: Run { process: "release", inputs: [("audience", "public"), ("note", "two words"), ("it", "a \"b\""), ("e", ""), ("url", "http://x/?a=b")] }
    /run release note=“curly quotes” path="C:\\x \"y\""
        1: Run { process: "release", inputs: [("note", "curly quotes"), ("path", "C:\\x \"y\"")] }
    /cancel
        1: Cancel
    /retry
        1: Retry { step: None }
    /retry ship
        1: Retry { step: Some("ship") }
    /answer name=Acme
        1: Answer { step: None, values: [("name", "Acme")], block: None }
    /answer vendor name=Acme n=don't
        1: Answer { step: Some("vendor"), values: [("name", "Acme"), ("n", "don't")], block: None }
    /status
        1: Status
    /help
        1: Help
    /recheck
        1: Recheck
    /ask until friday's over
        1: Ask { question: Some("until friday's over") }
       /status
        1: Status
    "##);
}

#[test]
fn a_step_is_named_with_its_process_or_its_execution() {
    let step = |body: &str| read(body).invocations.first().and_then(|it| it.command.named()).map(str::to_owned);
    for named in ["release/leads", "a-b/leads[2]", "5d1c77aa9e02/leads", "01900000-0000-7000-8000-000000000001/leads"] {
        assert_eq!(step(&format!("/approve {named} 0a1b2c3 -- fine")).as_deref(), Some(named));
        assert_eq!(step(&format!("/answer {named} a=1")).as_deref(), Some(named));
    }
    for named in ["Release/leads", "/leads", "release/", "a/b/c", "a_b/leads"] {
        assert_eq!(step(&format!("/approve {named}")), None, "{named}");
    }
    let execution = "01900000-0000-7000-8000-5d1c77aa9e02";
    for (named, is_of) in [
        ("leads", true),
        ("release/leads", true),
        ("audit/leads", false),
        ("5d1c77aa9e02/leads", true),
        ("77aa9e02/leads", true),
        ("7aa9e02/leads", false),
        ("5d1c77aa/leads", false),
    ] {
        assert_eq!(StepName::of(named).is_of("release", execution), is_of, "{named}");
    }
}

#[test]
fn faults_point_at_their_place() {
    insta::assert_snapshot!(table(&[
        "/approve review looks good to me",
        "/approve Review",
        "/approve review 12345",
        "/approve step=review",
        "/approve, thanks",
        "/reject \"open",
        "/run",
        "/run Release",
        "/run release public",
        "/run release a=1 a=2",
        "/run release 1a=2",
        "/run release a=\"b\"c",
        "/run release -- note",
        "/cancel now",
        "/answer",
        "/answer vendor",
        "/retry a b",
    ]), @r##"
    /approve review looks good to me
        1: error `looks` is not expected here <looks> [a note stands after two hyphens: `-- looks good to me`]
    /approve Review
        1: error `Review` is not expected here <Review> [a note stands after two hyphens: `-- Review`]
    /approve review 12345
        1: error `12345` is not expected here <12345> [a commit has 7 to 40 hexadecimal digits]
    /approve step=review
        1: error `step=review` is not expected here <step=review> [a note stands after two hyphens: `-- step=review`]
    /approve, thanks
        1: error `,` stands right after `/approve` <,> [leave a space after the command: `/approve [step] [commit] [-- note]`]
    /reject "open
        1: error this quote is not closed <"open> [write " at its end, on the same line]
    /run
        1: error `/run` needs more than this </run> [write `/run process [name=value …]`]
    /run Release
        1: error `Release` is not the name of a process <Release> [write `/run process [name=value …]`]
    /run release public
        1: error `public` is not written as `name=value` <public> [a value with spaces needs quotes: `name="two words"`]
    /run release a=1 a=2
        1: error `a` is given twice <a>
    /run release 1a=2
        1: error this is not a name <1a> [a name consists of letters, digits, `_`, `-` and `.`]
    /run release a="b"c
        1: error a space is missing after the closing quote <c>
    /run release -- note
        1: error `/run` takes no note <-- note>
    /cancel now
        1: error `now` is not expected here <now> [write `/cancel`]
    /answer
        1: error `/answer` needs more than this </answer> [write `/answer [step] name=value …`]
    /answer vendor
        1: error `/answer` needs more than this </answer> [write `/answer [step] name=value …`]
    /retry a b
        1: error `b` is not expected here <b> [write `/retry [step]`]
    "##);
}

#[test]
fn words_of_others_are_left_alone() {
    insta::assert_snapshot!(table(&[
        "/lgtm",
        "/release version=1 note='a b'",
        "/aprove",
        "/approve-all",
        "/reject_it",
        "/usr/bin/env",
        "/status/health",
        "/etc.conf",
        "/ approve",
        "//approve",
        "/1",
        "/rerun",
        "/test",
        "/ü",
    ]), @r##"
    /lgtm
        unknown lgtm None rest ""
    /release version=1 note='a b'
        unknown release None rest "version=1 note='a b'"
    /aprove
        unknown aprove Some("approve") rest ""
    /approve-all
        unknown approve-all None rest ""
    /reject_it
        unknown reject_it None rest ""
    /usr/bin/env
        
    /status/health
        
    /etc.conf
        
    / approve
        
    //approve
        
    /1
        
    /rerun
        unknown rerun None rest ""
    /test
        unknown test None rest ""
    /ü
    "##);
}

#[test]
fn only_lines_that_a_person_addresses_count() {
    for body in [
        "please /approve",
        "`/approve`",
        "> /approve",
        "> quoted\n/approve",
        "- /approve",
        "1. /approve",
        "- a\n  /approve",
        "    /approve",
        "\t/approve",
        "```\n/approve\n```",
        "~~~\n/approve",
        "<!-- /approve -->",
        "<!--\n\n/approve\n\n-->",
        "<div>\n/approve\n</div>",
        "<details>\n\n/approve\n\n</details>",
        "<details><summary>x</summary>\n\n/approve",
        "text <del>\n/approve</del>",
        "<div>\n\n/approve\n\n</div>",
        "<details><summary>\n\n/approve\n\n</summary></details>",
        "see <a href=\"https://example.org\">\n/approve\n</a>",
        "<ul><li>\n\n/approve\n\n</ul>",
        "<H2>\n\n/approve\n\n</H2>",
        "[/approve](https://example.org)",
        "[text\n/approve](https://example.org)",
        "`code\n/approve`",
        "**bold\n/approve**",
        "~~struck\n/approve~~",
        "# /approve",
        "a | b\n--|--\n/approve | x",
        "[a]:\n/approve",
        "\\/approve",
        "[^1]: not shown\n/approve",
        "[^1]:\n    not shown\n\n    /approve",
        "$$\n/approve\n$$",
        "",
        "/",
    ] {
        assert_eq!(read(body), Reading::default(), "{body:?}");
    }
    for body in [
        "/approve",
        "Thanks!\n/approve",
        "Thanks!\r\n\r\n/approve\r\n",
        "> quoted\n\n/approve",
        "- list\n\n/approve",
        "```\ncode\n```\n/approve",
        "<details>\n\nx\n\n</details>\n\n/approve",
        "<p>x</p>\n\n/approve",
        "<p>x\n\n/approve",
        "<ul><li>one<li>two</ul>\n\n/approve",
        "rolled out to <env>, as <team> wished at <time>\n\n/approve",
        "line<br>\n/approve",
        "<img src=\"x.png\">\n\n/approve",
        "/approve\n---",
        "text <b>x</b>\n/approve",
        "/approve\nthank you",
    ] {
        assert_eq!(read(body).invocations.len(), 1, "{body:?}");
    }
}

#[test]
fn several_commands_in_one_comment() {
    insta::assert_snapshot!(show("Looks good.\r\n\r\n/approve review\r\n/run release a=1\r\n\r\n> /cancel\r\n\r\n/aprove\r\n/retry ship now\r\n"), @r##"
    3: Approve { step: Some("review"), commit: None, note: None }
    4: Run { process: "release", inputs: [("a", "1")] }
    unknown aprove Some("approve") rest ""
    9: error `now` is not expected here <now> [write `/retry [step]`]
    "##);
}

#[test]
fn an_answer_in_a_block() {
    insta::assert_snapshot!([
        "/answer vendor\n```yaml\nname: Acme\nlines:\n  - a\n```\n/status",
        "/answer\r\n\r\n```\r\nname: Acme\r\n```\r\n",
        "/answer\n```rust\nfn main() {}\n```",
        "/answer a=1\n```yaml\nb: 2\n```",
        "/answer\ntext between\n```yaml\nb: 2\n```",
        "/answer\n> ```yaml\n> b: 2\n> ```",
        "/status\n```yaml\nb: 2\n```",
    ]
    .map(show)
    .join("\n"), @r##"
    1: Answer { step: Some("vendor"), values: [], block: Some("name: Acme\nlines:\n  - a\n") }
    7: Status
    1: Answer { step: None, values: [], block: Some("name: Acme\n") }
    1: error the block below an answer must be YAML <```rust> [open it with ```yaml]
    1: error an answer stands either in the line or in the block below it <```yaml> [move the fields of the line into the block]
    1: error `/answer` needs more than this </answer> [write `/answer [step] name=value …`]
    1: error `/answer` needs more than this </answer> [write `/answer [step] name=value …`]
    1: Status
    "##);
}

#[test]
fn a_fault_is_shown_with_a_caret() {
    let body = "Hello @all\n\n/approve review `looks` good";
    insta::assert_snapshot!(read(body).errors[0].render(body), @r##"
    ```text
    3 | /approve review `looks` good
      |                 ^^^^^^^ ``looks`` is not expected here
      = help: a note stands after two hyphens: `-- `looks` good`
    ```
    "##);
    let body = format!("/run release a={} oops", "ä".repeat(300));
    insta::assert_snapshot!(read(&body).errors[0].render(&body), @r##"
    ```text
    1 | äääääääääääääääääääääääääääääääääääääääääääääääää oops
      |                                                   ^^^^ `oops` is not written as `name=value`
      = help: a value with spaces needs quotes: `name="two words"`
    ```
    "##);
    let body = "/approve ```x @all";
    let rendered = read(body).errors[0].render(body);
    assert!(rendered.starts_with("`````text\n") && rendered.ends_with("\n`````"), "{rendered}");
}

#[test]
fn a_fault_hides_nothing_and_keeps_its_order() {
    let body = "/approve a \u{202e}evil\u{200b} b";
    let rendered = read(body).errors[0].render(body);
    assert!(!rendered.contains(['\u{202e}', '\u{200b}']) && rendered.contains("/approve a  evil  b"), "{rendered}");
}

#[test]
fn help_comes_from_the_table() {
    let lines: Vec<String> = help()
        .iter()
        .map(|help| format!("{} | {} | {} | {}", help.usage, help.summary, help.example, help.who))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r##"
    /approve [step] [commit] [-- note] | Approve what waits for an approval. | /approve leads -- checked the notes | those whom the approval names
    /reject [step] [commit] [-- note] | Reject what waits for an approval. | /reject leads -- the risk is too high | those whom the approval names
    /answer [step] name=value … | Fill in a form, with the fields in the line or in a fenced YAML block right below it. | /answer vendor name="Acme Ltd" country=DE | those to whom the form is assigned
    /run process [name=value …] | Start a process that may be started by hand. | /run release audience=public | with write permission
    /cancel | Cancel the execution. | /cancel | whoever started the execution, or with write permission
    /retry [step] | Go on with a failed execution from the step, or from what failed. | /retry ship | whoever started the execution, or with write permission
    /recheck | Look at the pull request and its approvals again. | /recheck | who opened the pull request, or with write permission
    /status | Say where the executions stand and whom they wait for. | /status | anyone
    /help | Show the commands. | /help | anyone
    /delegate @user [until 7d] [-- note] | Have somebody else speak in your place in the approvals of the executions here, for 7 days or until then; naming yourself takes it back. | /delegate @dave until 3d -- on leave | those whom an approval that waits names
    /override [step] reason="…" | Go on without the approval that is missing. It is shown and recorded as an override, with its reason. | /override leads reason="the shop is down" | those to whom `commands: {override: …}` of `flow.yaml` allows it; never who made the change
    /hold [-- note] | Have nothing new start in the execution. What runs goes on, people may answer, deadlines rest. | /hold -- until the incident is over | whoever started the execution, or with write permission
    /unhold [-- note] | Let a held execution go on. Deadlines have as much time left as they had. | /unhold | whoever started the execution, or with write permission
    /ask [question] | Ask what waits here, for whom, until when, and what can be done about it. | /ask why does the release not go on? | anyone
    "##);
    for help in help() {
        let reading = read(help.example);
        assert_eq!((reading.invocations.len(), reading.errors.len()), (1, 0), "{}", help.example);
    }
    assert_eq!(Verb::Unhold.word(), "unhold");
}

#[test]
fn a_word_is_given_to_a_person_for_a_time() {
    let given = |text: &str| match read(text).invocations.pop().map(|said| said.command) {
        Some(Command::Delegate { to, until, note }) => Ok((to, until, note)),
        other => Err((other, read(text).errors.into_iter().map(|error| error.message).collect::<Vec<_>>())),
    };
    let now: jiff::Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
    for (text, to, until, note) in [
        ("/delegate @dave", "dave", None, None),
        ("/delegate @dave -- on leave", "dave", None, Some("on leave")),
        ("/delegate @dave until 3d", "dave", Some("2026-03-04T09:00:00Z"), None),
        ("/delegate @dave until 2026-03-10", "dave", Some("2026-03-11T00:00:00Z"), None),
        ("/delegate @Da-ve_x until 2026-03-10T18:00:00Z -- x", "Da-ve_x", Some("2026-03-10T18:00:00Z"), Some("x")),
    ] {
        let until = until.map(|until: &str| until.parse().unwrap());
        let (said_to, said_until, said_note) = given(text).unwrap();
        assert_eq!((said_to.as_str(), said_note.as_deref()), (to, note), "{text}");
        assert_eq!(said_until.and_then(|said| said.moment(now)), until, "{text}");
    }
    for (text, message) in [
        ("/delegate", "`/delegate` needs more than this"),
        ("/delegate dave", "`dave` is no person"),
        ("/delegate @octo-org/leads", "`@octo-org/leads` is no person"),
        ("/delegate @dave until", "until when?"),
        ("/delegate @dave until friday", "`friday` is no moment"),
        ("/delegate @dave 3d", "`3d` is not expected here"),
    ] {
        assert_eq!(given(text), Err((None, vec![message.to_owned()])), "{text}");
    }
}

#[test]
fn an_override_says_why() {
    let command = |text: &str| read(text).invocations.pop().map(|said| said.command);
    let reason = "it burns".to_owned();
    let leads = Some(Command::Override { step: Some("leads".to_owned()), reason: reason.clone() });
    assert_eq!(command("/override leads reason=\"it burns\""), leads);
    assert_eq!(command("/override reason=\"it burns\""), Some(Command::Override { step: None, reason }));
    for (text, message) in [
        ("/override leads", "`/override` needs more than this"),
        ("/override leads why=x", "only a `reason` is expected here"),
        ("/override leads reason=' '", "the reason is empty"),
        ("/override leads because", "`because` is not written as `name=value`"),
        ("/override leads reason=a reason=b", "`reason=b` is not expected here"),
    ] {
        let errors: Vec<String> = read(text).errors.into_iter().map(|error| error.message).collect();
        assert_eq!(errors, [message], "{text}");
    }
    assert_eq!(command("/hold -- an incident"), Some(Command::Hold { note: Some("an incident".to_owned()) }));
    assert_eq!(command("/unhold"), Some(Command::Unhold { note: None }));
}

/// Where the pages of commands stand, from here.
const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// The page with the table, and one for each command.
fn pages(page: &str) -> Vec<(String, String)> {
    let mut table = vec![
        "| command | what it does | example | who |".to_owned(),
        "|---------|--------------|---------|-----|".to_owned(),
    ];
    let mut pages = Vec::new();
    for CommandHelp { usage, summary, example, who, word, details } in help() {
        table.push(format!("| [`{usage}`](commands/{word}.md) | {summary} | `{example}` | {who} |"));
        let text = format!(
            "<!-- made from core/src/command/grammar.rs: UPDATE_DOCS=1 cargo test -p flowctl-core pages_of_commands -->\n\n\
             # /{word}\n\n{summary}\n\n    {usage}\n\nFor example:\n\n    {example}\n\n**Who:** {who}. `.flow/flow.yaml` may demand \
             more, see [commands.md](../commands.md).\n\n{details}\n"
        );
        pages.push((format!("commands/{word}.md"), text));
    }
    let is_table = |line: &&str| line.starts_with('|');
    let written: Vec<&str> =
        page.lines().skip_while(|line| !line.starts_with("| command |")).take_while(is_table).collect();
    pages.push(("commands.md".to_owned(), page.replace(&written.join("\n"), &table.join("\n"))));
    pages
}

#[test]
fn pages_of_commands_say_what_the_table_says() {
    let there = |name: &str| std::fs::read_to_string(format!("{PAGES}/{name}")).unwrap_or_default();
    for (name, text) in pages(&there("commands.md")) {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(format!("{PAGES}/commands")).unwrap();
            std::fs::write(format!("{PAGES}/{name}"), &text).unwrap();
        }
        assert_eq!(there(&name), text, "UPDATE_DOCS=1 writes {name} anew");
    }
}

#[test]
fn arguments_of_comment_triggers() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(parse_arguments("").unwrap(), []);
    assert_eq!(parse_arguments(" a=1 b='x y' ").unwrap(), [pair("a", "1"), pair("b", "x y")]);
    assert_eq!(parse_arguments("a=1 b").unwrap_err().range, 4..5);
    assert_eq!(parse_arguments("a=1 -- note").unwrap_err().range, 4..11);
}

#[test]
fn a_flood_of_commands_ends_with_one_error() {
    let reading = read(&"/status\n".repeat(1_000));
    assert_eq!((reading.invocations.len(), reading.errors.len()), (MAX_COMMANDS, 1));
    let reading = read(&"/lgtm\n".repeat(1_000));
    assert_eq!((reading.unknown.len(), reading.errors.len()), (MAX_COMMANDS, 0));
}

fn comment_like() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "/approve",
        "/run",
        "/answer",
        "/lgtm",
        "/aprove",
        "release",
        "review",
        "a=1",
        "a=",
        "=",
        "\"",
        "'",
        "“",
        "”",
        "\\",
        "--",
        "—",
        "abcdef1",
        "\n",
        "\r\n",
        "\n\n",
        "> ",
        "- ",
        "```yaml\n",
        "\n```\n",
        "`",
        "<details>",
        "</details>",
        "<!--",
        "-->",
        "**",
        "|",
        "é",
        "𝄞",
        " ",
        "    ",
        "\t",
        "#",
        "\0",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

fn check(body: &str) {
    let reading = read(body);
    for invocation in &reading.invocations {
        assert!(body[invocation.range.clone()].starts_with('/'));
        let line = body[..invocation.range.start].matches('\n').count() + 1;
        assert_eq!(usize::try_from(invocation.line), Ok(line));
    }
    for unknown in &reading.unknown {
        assert_eq!(body[unknown.range.clone()], format!("/{}", unknown.word));
        let _ = parse_arguments(&unknown.rest).map_err(|error| error.render(&unknown.rest));
    }
    for error in &reading.errors {
        assert!(body.get(error.range.clone()).is_some(), "{:?} in {body:?}", error.range);
        let rendered = error.render(body);
        let fence: String = rendered.chars().take_while(|character| *character == '`').collect();
        assert!(fence.len() >= 3 && rendered.ends_with(&format!("\n{fence}")));
        assert!(rendered.lines().skip(1).filter(|line| line.trim_start().starts_with(&fence)).count() == 1);
    }
}

/// What the fuzz target `command` begins with, whole, cut off anywhere, and with a letter anywhere.
#[test]
fn seeds_of_the_fuzz_target_are_read() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/command");
    let mut found = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let body = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let reading = read(&body);
        found += reading.invocations.len();
        for at in (0..=body.len()).filter(|at| body.is_char_boundary(*at)) {
            let (before, after) = body.split_at(at);
            check(before);
            check(after);
            check(&format!("{before}ß{after}"));
        }
    }
    assert!(found > 15, "{found} commands");
}

proptest! {
    #[test]
    fn any_comment_is_answered(body in any::<String>()) {
        check(&body);
        check(&format!("/approve {body}"));
        for verb in ["run", "answer", "delegate", "delegate @a until", "override reason=", "hold", "ask"] {
            check(&format!("/{verb} {body}"));
        }
    }

    #[test]
    fn any_comment_with_commands_is_answered(body in comment_like()) {
        check(&body);
    }

    #[test]
    fn an_indented_or_quoted_comment_commands_nothing(body in "[ -~\n]{0,200}") {
        let quoted: String = body.lines().map(|line| format!("> {line}\n")).collect();
        prop_assert_eq!(read(&quoted), Reading::default());
    }
}
