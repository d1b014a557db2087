//! What people read, as snapshots: change them with care, and read them as the person who gets them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use flowctl_core::approval::{DecisionKind, Group, Ineligible, Requirement};
use flowctl_core::execution::{CallRequest, Entry, Refusal, Signal, StopReason, Usage};
use serde_json::json;

use super::sample::{RELEASE, Sample, person};
use super::*;

fn seen(text: &str) -> String {
    text.replace('\u{200b}', "·")
}

#[test]
fn a_check_run_that_asks_for_approval() {
    let mut sample = Sample::at_leads("Release 1.4", "Carts survive.\n\nThanks @everyone, see #12.");
    sample.later(60_000).decide("leads", person("bob", 7), DecisionKind::Approve, Some("reads | well"));
    let check = check(&sample.execution, sample.now);
    assert_eq!(asks_of(&check.summary), Ask::all(&sample.execution));
    insta::assert_snapshot!(check.title, @"1 of 5 steps · leads waits for people");
    insta::assert_snapshot!(seen(&check.summary), @r"
    <!-- flowctl:asks:leads@1772355602500 -->

    🟡 **A person is needed:** `leads` waits.

    #### ✋ Ship Release 1.4? · `leads`

    > Carts survive.
    >
    > Thanks @·everyone, see #·12.

    - **Who:** 2 of team `leads`, or octocat. The author alice and whoever wrote one of the commits do not count
    - **So far:** bob approved: “reads \| well”
    - **Still needed:** 1 more of team `leads`, or octocat
    - **For commit:** `1a2b3c4`, into `main`
    - **Until:** 2026-03-02 09:00 UTC; then it counts as rejected
    - **How:** the buttons of the check run, a review or a comment with one of these lines:

      ```
      /approve leads
      /reject leads -- why
      ```

    <sub>`release` version 3 at `9f8e7d6` · started by alice (pull request) on 2026-03-01 09:00 UTC · execution `01900000-0000-7000-8000-000000000001`</sub>
    ");
    insta::assert_snapshot!(seen(&check.text.unwrap()), @r#"
    | step | status | took | who |
    |------|--------|------|-----|
    | `draft` | ✅ completed | 2.5 s |  |
    | `leads` | 🟡 waiting until 2026-03-02 09:00 UTC | since 2026-03-01 09:00 UTC | approved by bob; waits for 1 more of team `leads`, or octocat |
    | `window` | ⚪ pending |  |  |
    | `ship` | ⚪ pending |  |  |
    | `undo` | ⚪ pending |  |  |

    ```text
    draft  █                                     2.5 s
    leads   ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  1 min
    ```

    <details><summary>Output of <code>draft</code></summary>

    ```json
    {
      "notes": "Carts survive.\n\nThanks @everyone, see #12."
    }
    ```

    </details>
    "#);
}

#[test]
fn a_comment_that_asks_for_approval_mentions_who_is_asked() {
    let sample = Sample::at_leads("Release 1.4", "Carts survive.");
    insta::assert_snapshot!(seen(&comment(&sample.execution, sample.now)), @r"
    <!-- flowctl:execution:01900000-0000-7000-8000-000000000001 -->
    ### flowctl · release

    🟡 **A person is needed:** `leads` waits.

    #### ✋ Ship Release 1.4? · `leads`

    > Carts survive.

    - **Who:** 2 of team @octo-org/leads, or @octocat. The author alice and whoever wrote one of the commits do not count
    - **For commit:** `1a2b3c4`, into `main`
    - **Until:** 2026-03-02 09:00 UTC; then it counts as rejected
    - **How:** the buttons of the check run, a review or a comment with one of these lines:

      ```
      /approve leads
      /reject leads -- why
      ```

    <details><summary>1 of 5 steps</summary>

    | step | status | took | who |
    |------|--------|------|-----|
    | `draft` | ✅ completed | 2.5 s |  |
    | `leads` | 🟡 waiting until 2026-03-02 09:00 UTC | since 2026-03-01 09:00 UTC | waits for 2 of team `leads`, or octocat |
    | `window` | ⚪ pending |  |  |
    | `ship` | ⚪ pending |  |  |
    | `undo` | ⚪ pending |  |  |

    ```text
    draft  ████████████████████████████████████  2.5 s
    leads                                     ░  0 s
    ```

    </details>

    <sub>`release` version 3 at `9f8e7d6` · started by alice (pull request) on 2026-03-01 09:00 UTC · execution `01900000-0000-7000-8000-000000000001`</sub>
    ");
}

#[test]
fn a_call_is_shown_with_all_that_it_would_be_given_and_with_what_models_used() {
    let mut sample = Sample::start(RELEASE, "Release 1.4");
    let usage = Usage {
        model: "openai/gpt".to_owned(),
        input_tokens: 10,
        output_tokens: 2,
        cost: Some("0.01 USD".to_owned()),
        calls: 1,
        ..Usage::default()
    };
    let (text, calls, stop) = ("hi".to_owned(), Vec::new(), StopReason::Finished);
    let answered = Entry::ModelAnswered { text, calls, stop, usage, latency_ms: 5 };
    sample.signal(Signal::Note { step: "draft".to_owned(), attempt: 1, number: 0, entry: Box::new(answered) });
    let request = CallRequest {
        call: "c1".to_owned(),
        tool: "github".to_owned(),
        operation: "close_issue".to_owned(),
        arguments: json!({"body": "``` @everyone"}),
        title: "May it close the issue?".to_owned(),
        description: String::new(),
        requirement: Requirement::People { group: Group::Users(vec!["octocat".to_owned()]), count: 1 },
        allow_author: false,
        patience_ms: Some(60_000),
    };
    sample.signal(Signal::Ask { step: "draft".to_owned(), attempt: 1, request: Box::new(request) });
    let check = check(&sample.execution, sample.now);
    let summary = check.summary;
    let call = summary.lines().find(|line| line.contains("**Call:**")).unwrap();
    assert!(call.starts_with("- **Call:** `close_issue` of `github` with these arguments, digest `"), "{call}");
    assert!(summary.contains("  ````json\n"), "the fence is longer than what is inside: {summary}");
    assert!(summary.contains("then the call is not made") && summary.contains("/approve draft"), "{summary}");
    let text = check.text.unwrap();
    assert!(text.contains(r"| `draft` | `openai/gpt` | 1 | 0 | 10 | 2 | 0\.01 USD |"), "{text}");
}

#[test]
fn a_form_can_be_copied_and_filled_in() {
    let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
    sample.decide("leads", person("octocat", 8), DecisionKind::Approve, None);
    sample.decide("leads", person("dave", 9), DecisionKind::Approve, None);
    let check = check(&sample.execution, sample.now);
    insta::assert_snapshot!(seen(&check.summary), @r"
    <!-- flowctl:asks:window@1772355602500 -->

    🟡 **A person is needed:** `window` waits.

    #### ✋ When? · `window`

    - **Who:** anybody with write permission
    - **Until:** 2026-03-03 09:00 UTC; then the step fails
    - **How:** a comment like this one, filled in:

      ````
      /answer window
      ```yaml
      day:  # a day, as 2026-03-01
      hour: 9  # a whole number from 0 to 23
      region:  # one of eu, us, optional
      ```
      ````

    | field | value | |
    |-------|-------|-|
    | `day` | a day, as 2026-03-01, required | The day to ship |
    | `hour` | a whole number from 0 to 23 |  |
    | `region` | one of eu, us |  |

    <sub>`release` version 3 at `9f8e7d6` · started by alice (pull request) on 2026-03-01 09:00 UTC · execution `01900000-0000-7000-8000-000000000001`</sub>
    ");
}

#[test]
fn a_completed_execution_tells_its_outputs() {
    let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
    sample.decide("leads", person("bob", 7), DecisionKind::Approve, None);
    sample.decide("leads", person("dave", 9), DecisionKind::Approve, None);
    let values = json!({"day": "2026-03-02", "region": "eu"}).as_object().unwrap().clone();
    let source = flowctl_core::approval::Source {
        kind: flowctl_core::approval::SourceKind::Comment,
        id: "1".to_owned(),
        url: None,
    };
    sample.later(3_600_000).signal(Signal::Answer {
        step: "window".to_owned(),
        person: person("bob", 7),
        values,
        source,
    });
    let check = check(&sample.execution, sample.now);
    insta::assert_snapshot!(check.title, @"completed · 5 steps");
    insta::assert_snapshot!(seen(&check.summary), @r#"
    ✅ **Completed** after 1 h.

    **Outputs**

    ```json
    {
      "day": "2026-03-02"
    }
    ```

    <sub>`release` version 3 at `9f8e7d6` · started by alice (pull request) on 2026-03-01 09:00 UTC · execution `01900000-0000-7000-8000-000000000001`</sub>
    "#);
    insta::assert_snapshot!(seen(&check.text.unwrap()), @r#"
    | step | status | took | who |
    |------|--------|------|-----|
    | `draft` | ✅ completed | 2.5 s |  |
    | `leads` | ✅ completed | 0 s | approved by bob, dave |
    | `window` | ✅ completed | 1 h | answered by bob |
    | `ship` | ✅ completed | 0 s |  |
    | `undo` | ⏭️ skipped: nothing failed |  |  |

    ```text
    draft   █                                     2.5 s
    leads   █                                     0 s
    window  ████████████████████████████████████  1 h
    ship                                       █  0 s
    ```

    <details><summary>Output of <code>draft</code></summary>

    ```json
    {
      "notes": "Carts survive."
    }
    ```

    </details>

    <details><summary>Output of <code>window</code></summary>

    ```json
    {
      "hour": 9,
      "day": "2026-03-02",
      "region": "eu"
    }
    ```

    </details>

    <details><summary>Output of <code>ship</code></summary>

    ```json
    {
      "day": "2026-03-02"
    }
    ```

    </details>
    "#);
}

#[test]
fn a_failed_execution_says_what_to_do() {
    let mut sample = Sample::start(RELEASE, "Release 1.4");
    sample.later(800).fail("draft", "the model said <nothing>\n| at all");
    let check = check(&sample.execution, sample.now);
    insta::assert_snapshot!(check.title, @"failed at draft");
    insta::assert_snapshot!(seen(&check.summary), @r"
    ❌ **Failed** after 0.8 s at `draft`: the model said \<nothing\> \| at all

    To go on from `draft`: the button *Retry* of the check run, or a comment `/retry`.

    <sub>`release` version 3 at `9f8e7d6` · started by alice (pull request) on 2026-03-01 09:00 UTC · execution `01900000-0000-7000-8000-000000000001`</sub>
    ");
}

#[test]
fn a_cancelled_execution_says_why() {
    let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
    sample.later(5_000).signal(Signal::Cancel { actor: Some(person("bob", 7)), reason: "cancelled by bob".to_owned() });
    let check = check(&sample.execution, sample.now);
    insta::assert_snapshot!(check.title, @"cancelled after 5 of 5 steps");
    insta::assert_snapshot!(seen(&check.summary), @r"
    🚫 **Cancelled** after 7.5 s: cancelled by bob.

    <sub>`release` version 3 at `9f8e7d6` · started by alice (pull request) on 2026-03-01 09:00 UTC · execution `01900000-0000-7000-8000-000000000001`</sub>
    ");
}

#[test]
fn a_commit_that_is_no_longer_the_head_says_where_it_goes_on() {
    let sample = Sample::at_leads("Release 1.4", "Carts survive.");
    let moved = moved(&sample.execution, "ffffffff00000000ffffffff00000000ffffffff", sample.now);
    insta::assert_snapshot!(moved.title, @"goes on at fffffff");
    insta::assert_snapshot!(moved.summary, @r"
    The pull request has a newer commit, `fffffff`, and this execution goes on there. What is said here counts no more, and the check does not pass here.

    <sub>`release` version 3 at `9f8e7d6` · started by alice (pull request) on 2026-03-01 09:00 UTC · execution `01900000-0000-7000-8000-000000000001`</sub>
    ");
}

#[test]
fn a_rejection_is_told_while_others_are_still_asked() {
    let two = "name: release\nversion: 1\nsteps:\n\
               - {id: legal, type: human_approval, approvers: {users: [carol]}}\n\
               - {id: design, type: human_approval, approvers: {users: [bob]}}\n";
    let mut sample = Sample::start(two, "Release 1.4");
    sample.decide("legal", person("carol", 8), DecisionKind::Reject, Some("not @alice's to say"));
    let summary = seen(&check(&sample.execution, sample.now).summary);
    let told: Vec<&str> =
        summary.lines().filter(|line| !line.is_empty() && !line.starts_with("<!--")).take(3).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    ❌ **Failed:** `legal`: @·carol rejected: not @·alice's to say
    What is under way goes on, and then the execution fails. `/cancel` ends it now; `/retry` after that asks again.
    🟡 **A person is needed:** `design` waits.
    ");
}

#[test]
fn a_program_that_pushed_is_named_where_people_decide() {
    let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
    sample.signal(Signal::Pushed { person: person("github-actions[bot]", 41_898_282) });
    sample.signal(Signal::Pushed { person: person("alice", 1) });
    let summary = check(&sample.execution, sample.now).summary;
    let told: Vec<&str> = summary.lines().filter(|line| line.contains("Pushed by a program")).collect();
    insta::assert_snapshot!(told.join("\n"), @"- **Pushed by a program:** `github-actions[bot]`. Whose commits these are GitHub does not tell, and they bear any name: who had them pushed may be among those asked");
}

#[test]
fn a_reminder_mentions_who_is_missing() {
    let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
    sample.decide("leads", person("bob", 7), DecisionKind::Approve, None);
    let step = sample.execution.steps.get("leads").unwrap();
    insta::assert_snapshot!(reminder(&sample.execution, "leads", step, "reminder:1").unwrap(), @r"
    <!-- flowctl:reply:reminder:1 -->
    ⏰ `leads` still waits: Ship Release 1.4? of `release`. Needed: 1 more of team @octo-org/leads, or @octocat. It waits until 2026-03-02 09:00 UTC.
    ");
}

#[test]
fn each_refusal_says_why_and_what_next() {
    let sample = Sample::at_leads("Release 1.4", "Carts survive.");
    let Some(flowctl_core::execution::Waiting::Approval(request)) =
        &sample.execution.steps.get("leads").unwrap().waiting
    else {
        unreachable!("leads waits")
    };
    let requirement = request.requirement.clone();
    let execution = |refusal| Refused::Execution { step: Some("leads".to_owned()), refusal };
    let ineligible = |why| Refused::Ineligible {
        step: "leads".to_owned(),
        why,
        requirement: requirement.clone(),
        organisation: "octo-org".to_owned(),
    };
    let faults = vec![("day".to_owned(), "is required".to_owned()), ("hour".to_owned(), "must be | less".to_owned())];
    let refused = [
        ineligible(Ineligible::NotListed),
        ineligible(Ineligible::Author),
        ineligible(Ineligible::Contributor),
        execution(Refusal::NoteRequired),
        execution(Refusal::Ended { status: flowctl_core::execution::ExecutionStatus::Failed }),
        execution(Refusal::OtherCommit { said: "a".repeat(40), shown: "b".repeat(40) }),
        execution(Refusal::OtherCall { step: "triage".to_owned() }),
        execution(Refusal::SaidSince { since: sample.now }),
        execution(Refusal::WrongAnswers { faults: faults.clone() }),
        Refused::WrittenBefore { step: "leads".to_owned(), since: sample.now, commit: Some("c".repeat(40)) },
        Refused::NothingWaits { what: "an approval" },
        Refused::NotThatStep { step: "lead".to_owned(), waiting: vec!["leads".to_owned(), "ops".to_owned()] },
        Refused::WhichOne {
            verb: "/approve".to_owned(),
            rest: "-- fine".to_owned(),
            waiting: vec![("leads".to_owned(), "release".to_owned()), ("audit/ops".to_owned(), "audit".to_owned())],
        },
        Refused::Permission { needs: flowctl_core::definition::Role::Write },
        Refused::NoExecution { what: "open" },
        Refused::UnknownProcess { name: "relase".to_owned(), known: vec!["release".to_owned()] },
        Refused::NotByHand { name: "release".to_owned() },
        Refused::Archived { name: "release".to_owned() },
        Refused::WrongInputs { faults },
        Refused::Definition { reason: ".flow/processes/a.yaml:3:1: unknown key".to_owned() },
        Refused::Block { faults: vec!["line 2: a tab".to_owned()] },
        Refused::DidYouMean { meant: "/approve".to_owned() },
        Refused::AccountChanged,
        Refused::LoginTaken { login: "octocat".to_owned(), meant: 7, found: 9 },
        Refused::OldButton,
        Refused::FoundLate,
        Refused::TextUnread,
        Refused::ReviewDismissed,
        Refused::CannotStandIn { login: "alice".to_owned() },
    ];
    let told: Vec<String> = refused.iter().map(Refused::words).collect();
    insta::assert_snapshot!(told.join("\n\n"), @r"
    `leads` needs 2 of team `leads`, or octocat.

    The author of a change cannot approve it, unless the step says `allow_author`. `leads` needs 2 of team `leads`, or octocat.

    Whoever wrote a commit of a change cannot approve it, unless the step says `allow_author`. `leads` needs 2 of team `leads`, or octocat.

    It needs a note that says why: `/reject leads -- why` or `/approve leads -- why`.

    It came too late: the execution is failed.

    It was said about commit `aaaaaaa`, and the question is about `bbbbbbb`. Please look at what is there now, and say it again.

    `triage` has gone on and asks about another call of a tool. Please look at what is asked now, and say it again.

    You have said something else since, and your latest word counts.

    The answers do not fit the form:

    - `day` is required
    - `hour` must be \| less

    It was written before that was shown which it would count for: `leads` is asked about commit `ccccccc` since 2026-03-01 09:00 UTC. Please look again, and say it again.

    Nothing here waits for an approval. `/status` shows where things stand.

    `lead` does not wait for that. Did you mean `leads`? `leads` and `ops` do.

    Several steps wait. Which one?

    - `/approve leads -- fine` (release)
    - `/approve audit/ops -- fine` (audit)

    It needs write permission on this repository. Ask somebody who has it.

    There is no open execution here. `/status` shows where things stand.

    There is no process `relase` on the default branch. Did you mean `release`? There is `release`.

    `release` cannot be started by hand: its `triggers` do not list `manual`.

    `release` is archived and cannot be started.

    The inputs do not fit:

    - `day` is required
    - `hour` must be \| less

    The definition on the default branch cannot be used: .flow/processes/a.yaml:3:1: unknown key.

    The block below it cannot be read:

    - line 2: a tab

    Did you mean `/approve`? `/help` lists the commands.

    The account has been renamed since. Please say it again.

    People are named by login here, and `octocat` was another account's when it was first heard: GitHub's id 7, and yours is 9. Where you are meant, `people` in `flow.yaml` says so: `people: {octocat: 9}`.

    That button belongs to a question that is no longer asked. The newest check run has the ones that count.

    GitHub did not tell of it when it was submitted, and its text may have been changed since. Please say it again, in a comment or in a new review.

    Its text has a line that could not be read and may say something else, so the review itself does not count either. Please say it again, in a comment or in a new review.

    The review was dismissed, so what it decides does not count. Please say it again, in a comment or in a new review.

    alice made the change, and so cannot speak in anybody's place about it. Name somebody else.
    ");
}

#[test]
fn a_reply_answers_every_command_and_mentions_its_author_once() {
    let answers = [
        Answer { said: "/approve leads `x`".to_owned(), result: Err(Refused::AccountChanged) },
        Answer { said: "/status".to_owned(), result: Ok("Nothing runs here.".to_owned()) },
        Answer { said: "Your review was not taken.".to_owned(), result: Err(Refused::OldButton) },
    ];
    insta::assert_snapshot!(reply("carol", "comment:9", &answers), @r"
    <!-- flowctl:reply:comment:9 -->

    @carol `` /approve leads `x` `` was not taken. The account has been renamed since. Please say it again.

    `/status`

    Nothing runs here.

    Your review was not taken. That button belongs to a question that is no longer asked. The newest check run has the ones that count.
    ");
}

#[test]
fn help_lists_the_commands_and_the_repositorys_own_words() {
    let commands = flowctl_core::command::help();
    insta::assert_snapshot!(help(&commands[..2], &[("ship".to_owned(), "release".to_owned())]), @r"
    | command | what it does | who |
    |---------|--------------|-----|
    | `/approve [step] [commit] [-- note]` | Approve what waits for an approval. | those whom the approval names |
    | `/reject [step] [commit] [-- note]` | Reject what waits for an approval. | those whom the approval names |

    In this repository also:

    - `/ship` starts `release`
    ");
}

#[test]
fn status_tells_of_each_execution() {
    let waits = Sample::at_leads("Release 1.4", "Carts survive.");
    let mut failed = Sample::start(RELEASE, "Release 1.4");
    failed.later(800).fail("draft", "no");
    insta::assert_snapshot!(status(&[waits.execution, failed.execution], waits.now), @r"
    - `release` since 2026-03-01 09:00 UTC: 🟡 **A person is needed:** `leads` waits. (1 of 5 steps)
      - `leads` waits until 2026-03-02 09:00 UTC for 2 of team `leads`, or octocat: `/approve leads`
    - `release` since 2026-03-01 09:00 UTC: ❌ failed at draft (5 of 5 steps)
    ");
    assert_eq!(status(&[], waits.now), "Nothing runs here, and nothing has.");
}

#[test]
fn a_thousand_steps_with_hostile_texts_stay_within_the_limits() {
    let mut definition = String::from("name: release\nversion: 1\nsteps:\n");
    for number in 0..1_000 {
        let name = "`|<!-- @alice ```".repeat(6);
        definition.push_str(&format!(
            "  - {{id: step_{number}, type: human_approval, name: '{name}', description: '{}', approvers: {{users: [bob]}}}}\n",
            "``` <details> ".repeat(300)
        ));
    }
    let sample = Sample::start(&definition, "x");
    let check = check(&sample.execution, sample.now);
    let comment = comment(&sample.execution, sample.now);
    assert!(check.summary.chars().count() <= 65_535, "{}", check.summary.chars().count());
    assert!(check.text.as_ref().unwrap().chars().count() <= 65_535);
    assert!(comment.chars().count() <= 65_536);
    assert_eq!(comment.matches("<!--").count(), 1);
    assert!(comment.contains("Some details are left out here"));
}

#[test]
fn who_decided_leads_to_their_words() {
    let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
    sample.decide("leads", person("bob", 7), DecisionKind::Approve, None);
    let step = sample.execution.steps.get_mut("leads").unwrap();
    step.decisions[0].source.url = Some("https://github.com/octo-org/shop/pull/12#issuecomment-7".to_owned());
    let text = check(&sample.execution, sample.now).text.unwrap();
    assert!(
        text.contains("approved by [bob](https://github.com/octo-org/shop/pull/12#issuecomment-7); waits for"),
        "{text}"
    );
    let step = sample.execution.steps.get_mut("leads").unwrap();
    step.decisions[0].source.url = Some("https://evil.example/) | <script>".to_owned());
    let text = check(&sample.execution, sample.now).text.unwrap();
    assert!(text.contains("approved by bob; waits for"), "an address that Markdown cannot hold is no link: {text}");
}

/// The lines that are no code: what stands in a fence is left out, whether or not it stands in a quotation.
fn outside_of_fences(markdown: &str) -> String {
    let mut lines = Vec::new();
    let mut fence: Option<(bool, usize)> = None;
    for line in markdown.lines() {
        let (is_quoted, line) = line.strip_prefix('>').map_or((false, line), |rest| (true, rest));
        let (trimmed, ticks) = (line.trim(), line.trim_start().chars().take_while(|c| *c == '`').count());
        match fence {
            // A quotation's fence ends with it.
            Some((in_quote, _)) if in_quote && !is_quoted => fence = None,
            Some((_, long)) => {
                if ticks >= long && trimmed.len() == ticks {
                    fence = None;
                }
                continue;
            }
            None => {}
        }
        match ticks >= 3 && !trimmed[ticks..].contains('`') {
            true => fence = Some((is_quoted, ticks)),
            false => lines.push(line),
        }
    }
    lines.join("\n")
}

#[test]
fn what_a_model_says_is_live_nowhere() {
    const HOSTILE: &str = "@everyone look\n```\n````\n`````\n</details><img src=x onerror=alert(1)>\n\
        <!-- flowctl:execution:1 --> <script>\n\u{1b}[2J\u{202e}[free](javascript:alert(1)) #12 | a | b";
    let waiting = Sample::at_leads("Release 1.4", HOSTILE);
    let mut failed = Sample::at_leads("Release 1.4", "Carts survive.");
    let error = flowctl_core::execution::StepError::new(
        flowctl_core::definition::ErrorClass::Schema,
        format!("its last answer: {HOSTILE}"),
    );
    failed.execution.steps.get_mut("draft").unwrap().error = Some(error);
    for sample in [waiting, failed] {
        let check = check(&sample.execution, sample.now);
        let comment = comment(&sample.execution, sample.now);
        let own = comment.matches("<!--").count();
        assert_eq!(own, 1, "{comment}");
        for text in [check.title, check.summary, check.text.unwrap(), comment] {
            let live = outside_of_fences(&text);
            for wrong in
                ["@everyone", "<img", "<script", "<!-- flowctl:execution:1 ", "\u{202e}", "\u{1b}", "](javascript"]
            {
                assert!(!live.contains(wrong), "{wrong:?} is live:\n{text}");
            }
        }
    }
}
