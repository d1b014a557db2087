//! Replies: why something was not done and what to do instead, where things stand, and which commands there are.

use flowctl_core::approval::{Ineligible, Person, Requirement};
use flowctl_core::command::CommandHelp;
use flowctl_core::definition::Role;
use flowctl_core::execution::timeline::Timeline;
use flowctl_core::execution::{Execution, ExecutionId, ExecutionStatus, Refusal, Waiting};
use flowctl_core::source::closest;
use jiff::Timestamp;

use super::escape::{code, inline, message, shorten};
use super::format::{listed, moment, short_commit};
use super::marker::reply_marker;
use super::page::{COMMENT, Page};
use super::people::{Names, Naming, role_in_words};
use super::prompt::organisation;
use super::state::sentence;

/// Characters of a command that are repeated in a reply.
const COMMAND: usize = 200;
/// Names that are listed at most.
const LISTED: usize = 20;
/// How a review that does not count is given once more.
const SAY_AGAIN: &str = "Please say it again, in a comment or in a new review.";

/// Why something that a person wanted was not done.
#[derive(Debug, Clone, PartialEq)]
pub enum Refused {
    /// The execution does not take it.
    Execution {
        /// The step it was about, where it was about one.
        step: Option<String>,
        /// Why.
        refusal: Refusal,
    },
    /// The person's word does not count.
    Ineligible {
        /// The step.
        step: String,
        /// Why.
        why: Ineligible,
        /// Who counts.
        requirement: Requirement,
        /// The account whose teams are meant.
        organisation: String,
    },
    /// It was written before that was shown which it is about.
    WrittenBefore {
        /// The step.
        step: String,
        /// Since when that is shown.
        since: Timestamp,
        /// The commit that is shown.
        commit: Option<String>,
    },
    /// The repository's settings have an error; what they restrict is not known.
    SettingsUnsound {
        /// The error with its place.
        fault: String,
    },
    /// Nothing here waits for that.
    NothingWaits {
        /// For what: `an approval`, `answers`.
        what: &'static str,
    },
    /// The step named does not wait for that.
    NotThatStep {
        /// What was named.
        step: String,
        /// What waits.
        waiting: Vec<String>,
    },
    /// Several wait; one has to be named.
    WhichOne {
        /// The command.
        verb: String,
        /// What stands behind the step.
        rest: String,
        /// What waits: how it is named, and what it is about.
        waiting: Vec<(String, String)>,
    },
    /// The person's permission is too low.
    Permission {
        /// What it needs.
        needs: Role,
    },
    /// No execution here can be cancelled, retried, shown.
    NoExecution {
        /// What was looked for: `open`, `failed or cancelled`.
        what: &'static str,
    },
    /// There is no such process.
    UnknownProcess {
        /// What was named.
        name: String,
        /// Those that can be started by hand.
        known: Vec<String>,
    },
    /// The process is not started by hand.
    NotByHand {
        /// The process.
        name: String,
    },
    /// The process is archived.
    Archived {
        /// The process.
        name: String,
    },
    /// The inputs do not fit.
    WrongInputs {
        /// Each fault with its input.
        faults: Vec<(String, String)>,
    },
    /// The definition cannot run.
    Definition {
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be understood.
    Syntax {
        /// The line with the wrong part marked, as a fenced block.
        shown: String,
    },
    /// The block below an answer is no mapping of YAML.
    Block {
        /// What is wrong with it.
        faults: Vec<String>,
    },
    /// It is nearly one of our commands.
    DidYouMean {
        /// What was meant.
        meant: String,
    },
    /// The account is not the one that it was when the word was said.
    AccountChanged,
    /// Somebody is named by a login that was another account's.
    LoginTaken {
        /// The login.
        login: String,
        /// GitHub's id of the account that is meant.
        meant: u64,
        /// That of the account that spoke.
        found: u64,
    },
    /// Who owns what is changed cannot be said.
    OwnersUnknown {
        /// The step.
        step: String,
        /// Why.
        reason: String,
    },
    /// GitHub did not tell of a review when it was submitted, and what its text said then is not known.
    FoundLate,
    /// A review's text has a line that could not be read, so that what it decides is not known.
    TextUnread,
    /// The review was dismissed before it was handled.
    ReviewDismissed,
    /// Nobody may go on without approvals here.
    NobodyOverrides,
    /// Who made a change cannot go on without its approval.
    OwnChange {
        /// The step.
        step: String,
        /// What they are.
        why: Ineligible,
    },
    /// The moment until which a word is given away cannot be.
    WrongUntil {
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such account, or none that may be given somebody's word.
    NoSuchDelegate {
        /// What was named.
        login: String,
    },
    /// Who is to speak in another's place made the change.
    CannotStandIn {
        /// Who.
        login: String,
    },
    /// The button belongs to something that was asked before.
    OldButton,
    /// Another execution of the concurrency group is under way.
    GroupBusy {
        /// That one.
        running: ExecutionId,
    },
}

impl Refused {
    /// Whether what was said could not be read, so that nobody knows what it was to do.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Syntax { .. } | Self::DidYouMean { .. } | Self::Block { .. })
    }

    /// The kind of reason, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Execution { .. } => "execution",
            Self::Ineligible { .. } => "ineligible",
            Self::WrittenBefore { .. } => "written_before",
            Self::SettingsUnsound { .. } => "settings_unsound",
            Self::NothingWaits { .. } => "nothing_waits",
            Self::NotThatStep { .. } => "not_that_step",
            Self::WhichOne { .. } => "which_one",
            Self::Permission { .. } => "permission",
            Self::NoExecution { .. } => "no_execution",
            Self::UnknownProcess { .. } => "unknown_process",
            Self::NotByHand { .. } => "not_by_hand",
            Self::Archived { .. } => "archived",
            Self::WrongInputs { .. } => "wrong_inputs",
            Self::Definition { .. } => "definition",
            Self::Syntax { .. } => "syntax",
            Self::Block { .. } => "block",
            Self::DidYouMean { .. } => "did_you_mean",
            Self::AccountChanged => "account_changed",
            Self::LoginTaken { .. } => "login_taken",
            Self::OwnersUnknown { .. } => "owners_unknown",
            Self::FoundLate => "found_late",
            Self::TextUnread => "text_unread",
            Self::ReviewDismissed => "review_dismissed",
            Self::NobodyOverrides => "nobody_overrides",
            Self::OwnChange { .. } => "own_change",
            Self::WrongUntil { .. } => "wrong_until",
            Self::NoSuchDelegate { .. } => "no_such_delegate",
            Self::CannotStandIn { .. } => "cannot_stand_in",
            Self::OldButton => "old_button",
            Self::GroupBusy { .. } => "group_busy",
        }
    }

    /// The reason and the next step, in one or two sentences.
    pub fn words(&self) -> String {
        match self {
            Self::Execution { step, refusal } => of_execution(step.as_deref(), refusal),
            Self::Ineligible { step, why, requirement, organisation } => {
                let naming = Naming { organisation, names: Names::Told };
                ineligible(step, *why, &naming.requirement(requirement))
            }
            Self::WrittenBefore { step, since, commit } => written_before(step, *since, commit.as_deref()),
            Self::NothingWaits { what } => format!("Nothing here waits for {what}. `/status` shows where things stand."),
            Self::NotThatStep { step, waiting } => {
                let meant = meant(step, waiting).unwrap_or_default();
                format!("{} does not wait for that. {meant}{}", code(&shorten(step, COMMAND)), what_waits(waiting))
            }
            Self::WhichOne { verb, rest, waiting } => which_one(verb, rest, waiting),
            Self::SettingsUnsound { fault } => format!(
                "The repository's settings have an error, so who may do this is not known: {}. Mend it on the default \
                 branch, then say it again.",
                message(fault)
            ),
            Self::Permission { needs } => format!(
                "It needs {} permission on this repository. Ask somebody who has it.",
                role_in_words(*needs)
            ),
            Self::NoExecution { what } => format!("There is no {what} execution here. `/status` shows where things stand."),
            Self::UnknownProcess { name, known } => unknown_process(name, known),
            Self::NotByHand { name } => format!(
                "{} cannot be started by hand: its `triggers` do not list `manual`.",
                code(name)
            ),
            Self::Archived { name } => format!("{} is archived and cannot be started.", code(name)),
            Self::WrongInputs { faults } => format!("The inputs do not fit:\n\n{}", faulty(faults)),
            Self::Definition { reason } => {
                format!("The definition on the default branch cannot be used: {}.", message(&shorten(reason, 1_000)))
            }
            Self::Syntax { shown } => format!("It cannot be read:\n\n{shown}\n\n`/help` lists the commands."),
            Self::OwnersUnknown { step, reason } => {
                format!("{} needs code owners, and {}.", code(step), message(reason))
            }
            Self::FoundLate => format!(
                "GitHub did not tell of it when it was submitted, and its text may have been changed since. {SAY_AGAIN}"
            ),
            Self::TextUnread => format!(
                "Its text has a line that could not be read and may say something else, so the review itself does not count \
                 either. {SAY_AGAIN}"
            ),
            Self::ReviewDismissed => {
                format!("The review was dismissed, so what it decides does not count. {SAY_AGAIN}")
            }
            Self::NobodyOverrides => "This repository names nobody who may. `commands: {override: {role: admin}}` in \
                                      `.flow/flow.yaml` on the default branch would."
                .to_owned(),
            Self::OwnChange { step, why } => match why {
                Ineligible::Bot => format!("A program cannot override {}.", code(step)),
                _ => format!("Whoever made a change cannot override {}. Somebody else has to.", code(step)),
            },
            Self::WrongUntil { reason } => message(reason),
            Self::NoSuchDelegate { login } => format!(
                "A word can be given to a person with write permission on this repository, and {} is none.",
                code(login)
            ),
            Self::CannotStandIn { login } => format!(
                "{} made the change, and so cannot speak in anybody's place about it. Name somebody else.",
                inline(login)
            ),
            Self::Block { faults } => {
                let lines: Vec<String> = faults.iter().take(LISTED).map(|fault| format!("- {}", message(fault))).collect();
                format!("The block below it cannot be read:\n\n{}", lines.join("\n"))
            }
            Self::DidYouMean { meant } => format!("Did you mean {}? `/help` lists the commands.", code(meant)),
            Self::LoginTaken { login, meant, found } => format!(
                "People are named by login here, and {} was another account's when it was first heard: GitHub's id {meant}, \
                 and yours is {found}. Where you are meant, `people` in `flow.yaml` says so: {}.",
                code(login),
                code(&format!("people: {{{login}: {found}}}"))
            ),
            Self::AccountChanged => "The account has been renamed since. Please say it again.".to_owned(),
            Self::GroupBusy { running } => format!(
                "Another execution of the same concurrency group is under way: {}. Try again once it has ended.",
                code(&running.to_string())
            ),
            Self::OldButton => {
                "That button belongs to a question that is no longer asked. The newest check run has the ones that count."
                    .to_owned()
            }
        }
    }
}

fn of_execution(step: Option<&str>, refusal: &Refusal) -> String {
    match refusal {
        Refusal::Ended { status } => format!("It came too late: the execution is {}.", status.as_str()),
        Refusal::NothingToRetry { status } => {
            format!("There is nothing to retry: the execution is {}.", status.as_str())
        }
        Refusal::UnknownStep { step } => format!("There is no step {} in this execution.", code(step)),
        Refusal::NotWaiting { step, what } => {
            format!("{} does not wait for {what}. `/status` shows where things stand.", code(step))
        }
        Refusal::Stale { step, .. } => format!("{} has gone on meanwhile.", code(step)),
        Refusal::OtherCommit { said, shown } => format!(
            "It was said about commit {}, and the question is about {}. Please look at what is there now, and say it again.",
            code(short_commit(said)),
            code(short_commit(shown))
        ),
        Refusal::OtherCall { step } => format!(
            "{} has gone on and asks about another call of a tool. Please look at what is asked now, and say it again.",
            code(step)
        ),
        // Nobody says what these are about; performers are told them.
        Refusal::NotNoted { step, .. } | Refusal::OverBudget { step, .. } => {
            format!("Nothing more is recorded of {}.", code(step))
        }
        Refusal::Held => "It is held already. `/unhold` lets it go on.".to_owned(),
        Refusal::NotHeld => "Nobody holds it.".to_owned(),
        Refusal::Repeated => "That was recorded before.".to_owned(),
        Refusal::SaidSince { .. } => "You have said something else since, and your latest word counts.".to_owned(),
        Refusal::NothingToWithdraw => "There is nothing to take back.".to_owned(),
        Refusal::NoteRequired => {
            let step = step.unwrap_or("STEP");
            format!(
                "It needs a note that says why: {} or {}.",
                code(&format!("/reject {step} -- why")),
                code(&format!("/approve {step} -- why"))
            )
        }
        Refusal::WrongAnswers { faults } => format!("The answers do not fit the form:\n\n{}", faulty(faults)),
    }
}

fn ineligible(step: &str, why: Ineligible, who: &str) -> String {
    let step = code(step);
    match why {
        Ineligible::Bot => format!("A program cannot decide about {step}. It needs {who}."),
        Ineligible::Author => {
            format!(
                "The author of a change cannot approve it, unless the step says `allow_author`. {step} needs {who}."
            )
        }
        Ineligible::Contributor => format!(
            "Whoever wrote a commit of a change cannot approve it, unless the step says `allow_author`. {step} needs {who}."
        ),
        Ineligible::NotListed => format!("{step} needs {who}."),
    }
}

fn written_before(step: &str, since: Timestamp, commit: Option<&str>) -> String {
    let what = match commit {
        Some(commit) => format!("{} is asked about commit {}", code(step), code(short_commit(commit))),
        None => format!("{} is asked", code(step)),
    };
    format!(
        "It was written before that was shown which it would count for: {what} since {}. Please look again, and say it again.",
        moment(since)
    )
}

fn what_waits(waiting: &[String]) -> String {
    let names: Vec<String> = waiting.iter().take(LISTED).map(|step| code(step)).collect();
    match names.len() {
        0 => "Nothing else does here either.".to_owned(),
        1 => format!("{} does.", names.concat()),
        _ => format!("{} do.", listed(&names, "and")),
    }
}

fn which_one(verb: &str, rest: &str, waiting: &[(String, String)]) -> String {
    // Cut, it would be another command.
    let rest = if rest.is_empty() || rest.chars().count() > COMMAND { String::new() } else { format!(" {rest}") };
    let lines: Vec<String> = waiting
        .iter()
        .take(LISTED)
        .map(|(step, about)| {
            format!("- {} ({})", code(&format!("{verb} {step}{rest}")), inline(&shorten(about, COMMAND)))
        })
        .collect();
    format!("Several steps wait. Which one?\n\n{}", lines.join("\n"))
}

fn unknown_process(name: &str, known: &[String]) -> String {
    let listed_here: Vec<String> = known.iter().take(LISTED).map(|name| code(name)).collect();
    let there = match listed_here.len() {
        0 => "This repository has none that can be started by hand.".to_owned(),
        _ => format!("There is {}.", listed(&listed_here, "and")),
    };
    let meant = meant(name, known).unwrap_or_default();
    format!("There is no process {} on the default branch. {meant}{there}", code(name))
}

/// What was probably meant.
fn meant(written: &str, known: &[String]) -> Option<String> {
    let meant = closest(written, known.iter().map(String::as_str))?;
    Some(format!("Did you mean {}? ", code(meant)))
}

fn faulty(faults: &[(String, String)]) -> String {
    let lines: Vec<String> = faults
        .iter()
        .take(LISTED)
        .map(|(field, fault)| format!("- {} {}", code(field), message(&shorten(fault, COMMAND))))
        .collect();
    lines.join("\n")
}

/// What there is to say about one command.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The command as written, or a sentence on what was not done: `Your review was not taken.`
    pub said: String,
    /// What there is to say: Markdown of ours, or why it was refused.
    pub result: Result<String, Refused>,
}

/// A reply to a person; `to` makes it unique, so that it is written once.
pub fn reply(login: &str, to: &str, answers: &[Answer]) -> String {
    let naming = Naming { organisation: "", names: Names::Mentioned };
    let mut page = Page::new(COMMENT, reply_marker(to));
    for (index, answer) in answers.iter().enumerate() {
        let who = if index == 0 { format!("{} ", naming.person(login)) } else { String::new() };
        let said = shorten(&answer.said, COMMAND);
        let said = match (said.starts_with('/'), &answer.result) {
            (true, Ok(_)) => code(&said),
            (true, Err(_)) => format!("{} was not taken.", code(&said)),
            (false, _) => message(&said),
        };
        page.section(&match &answer.result {
            Ok(text) => format!("{who}{said}\n\n{text}"),
            Err(refused) => format!("{who}{said} {}", refused.words()),
        });
    }
    page.finish()
}

/// That a command was obeyed, where no reaction can say so.
pub fn done() -> &'static str {
    "Done."
}

/// What it means that an approval was taken back which the process had gone on from.
pub fn taken_back(step: &str, process: &str) -> String {
    format!(
        "The approval of {} is taken back, but {} has gone on from it: what followed has happened. Its check run stays at *action \
         required* once it has ended. `/cancel` ends it now, and `/retry` after the end asks again and goes on from there.",
        code(step),
        code(process)
    )
}

/// What became of a delegation.
pub fn delegated(from: &Person, to: &Person, until: Timestamp) -> String {
    if from.is(to) {
        return "Nobody speaks in your place any more.".to_owned();
    }
    let to = inline(&to.login);
    format!(
        "Until {}, {to} may speak in your place in the approvals here. You may still speak yourself: then your own word \
         counts. `/delegate @{}` takes it back.",
        moment(until),
        inline(&from.login)
    )
}

/// Where the executions of a pull request or issue stand, and whom they wait for.
pub fn status(executions: &[Execution], now: Timestamp) -> String {
    if executions.is_empty() {
        return "Nothing runs here, and nothing has.".to_owned();
    }
    let lines: Vec<String> = executions
        .iter()
        .take(LISTED)
        .map(|execution| {
            let timeline = Timeline::of(execution, now);
            let stands = match execution.status {
                ExecutionStatus::Failed => format!("❌ {}", inline(&timeline.title)),
                _ => sentence(execution, &timeline),
            };
            let mut line = format!(
                "- {} since {}: {stands} ({} of {} steps)",
                code(&execution.process),
                moment(execution.created_at),
                timeline.done,
                timeline.total
            );
            for needed in needed(execution) {
                line.push_str(&format!("\n  - {needed}"));
            }
            line
        })
        .collect();
    lines.join("\n")
}

/// Who is still needed, a line for each step that waits for people.
fn needed(execution: &Execution) -> Vec<String> {
    let naming = Naming { organisation: organisation(execution), names: Names::Told };
    let asking = execution.waiting_for_people().take(LISTED);
    asking
        .filter_map(|(id, step)| {
            let who = naming.waited_for(step)?;
            let (until, verb) = match step.waiting.as_ref()? {
                Waiting::Approval(request) => (request.due_at, "approve"),
                Waiting::Form(request) => (request.due_at, "answer"),
                _ => return None,
            };
            let until = until.map(|until| format!(" until {}", moment(until))).unwrap_or_default();
            Some(format!("{} waits{until} for {who}: {}", code(id), code(&format!("/{verb} {id}"))))
        })
        .collect()
}

/// The answer to a question: what is known without reading it.
pub fn asked(executions: &[Execution], now: Timestamp) -> String {
    format!(
        "No model reads questions here, so this is what the server knows:\n\n{}\n\n`/help` lists what can be said.",
        status(executions, now)
    )
}

/// The commands, and the words of this repository's comment triggers.
pub fn help(commands: &[CommandHelp], words: &[(String, String)]) -> String {
    let mut rows = vec!["| command | what it does | who |".to_owned(), "|---------|--------------|-----|".to_owned()];
    for command in commands {
        rows.push(format!("| {} | {} | {} |", code(&command.usage), message(command.summary), message(command.who)));
    }
    let mut text = rows.join("\n");
    if !words.is_empty() {
        let lines: Vec<String> = words
            .iter()
            .take(LISTED)
            .map(|(word, process)| format!("- {} starts {}", code(&format!("/{word}")), code(process)))
            .collect();
        text.push_str("\n\nIn this repository also:\n\n");
        text.push_str(&lines.join("\n"));
    }
    text
}
