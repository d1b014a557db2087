//! Reviews: approving approves, requesting changes rejects, dismissing takes back; commands in the text are obeyed.
//! A review counts for the commit that it names. One by somebody whom nothing asks is nothing to us.

use flowctl_core::approval::{Decision, DecisionKind, Ineligible, Source, SourceKind};
use flowctl_core::command::{Command, Reading, read};
use flowctl_core::execution::{Execution, Refusal, Signal};

use super::command::{Commander, Said};
use super::payload::PullRequestReviewEvent;
use super::scope::Scope;
use super::start::Place;
use super::{Handled, Trouble};
use crate::audit::RefusedWord;
use crate::github::client::{Review, ReviewState, User};
use crate::github::people::person;
use crate::github::reconcile::of_review;
use crate::github::wording::{Answer, Refused, done, taken_back};
use crate::identity::{About, Word, approval, settled};

/// Handles a delivery, unless the same was heard of in another way before.
pub(super) async fn handle(scope: &Scope<'_>, event: PullRequestReviewEvent) -> Result<Handled, Trouble> {
    if event.action == "edited" {
        return edited(scope, event).await;
    }
    if says_nothing(&event) {
        return Ok(Handled::Ignored("it decides nothing, and there is no command in it".to_owned()));
    }
    let what = of_review(event.review.id, &event.action);
    if scope.has_heard(&what).await? {
        return Ok(Handled::Ignored("it was heard of in another way before".to_owned()));
    }
    let text_left_out = event.text_left_out;
    let handled = take(scope, event).await?;
    // With its text it still counts, if GitHub brings it after all.
    if !text_left_out {
        scope.hear(what).await?;
    }
    Ok(handled)
}

/// Handles a delivery. The text is the one that was submitted; its state and commit are asked of GitHub: it may have
/// been dismissed since.
async fn take(scope: &Scope<'_>, event: PullRequestReviewEvent) -> Result<Handled, Trouble> {
    let number = event.pull_request.number;
    if !matches!(event.action.as_str(), "submitted" | "dismissed") {
        return Ok(Handled::Ignored(format!("a review that was {} does nothing", event.action)));
    }
    let review = scope.client.get_review(&scope.repository, number, event.review.id).await?;
    let Some(reviewer) = review.user.clone().filter(|user| !user.is_bot()) else {
        return Ok(Handled::Ignored("programs do not decide".to_owned()));
    };
    if event.action == "dismissed" {
        return dismissed(scope, number, &review, &reviewer, event.sender.as_ref()).await;
    }
    let (pull_request, executions) = scope.pull_request(number).await?;
    if event.text_left_out {
        return found_late(scope, &review, &reviewer, &executions).await;
    }
    let at = review.submitted_at.unwrap_or(scope.received_at);
    let said = Said {
        person: person(&reviewer),
        at,
        heard_at: scope.received_at,
        source: source(&review, "text"),
        commit: review.commit_id.clone(),
        is_dismissed: review.state == ReviewState::Dismissed,
        done: Vec::new(),
    };
    let text = event.review.body.unwrap_or_default();
    let reading = read(&text);
    let place = Place { number, pull_request: Some(pull_request) };
    let commander = Commander { scope, said: &said, place: &place, body: &text };
    let mut answers = commander.obey(&reading, executions).await?;
    // A review takes no reactions (<https://docs.github.com/en/rest/reactions/reactions>: comments do): that a command was
    // obeyed is told in words.
    for answer in &mut answers {
        if let Ok(text) = &mut answer.result
            && text.is_empty()
        {
            done().clone_into(text);
        }
    }
    let is_unread = |answer: &Answer| answer.result.as_ref().is_err_and(Refused::is_unread);
    if !decides(&reading) {
        let by_state = if answers.iter().any(is_unread) {
            unread(scope, number, &review, &reviewer).await?
        } else {
            reviewed(scope, number, &review, &text, &said).await?
        };
        answers.extend(by_state);
    }
    if !answers.is_empty() {
        let to = format!("review:{}", review.id);
        scope.tell(vec![scope.reply(number, &reviewer.login, &to, at, &answers)]).await?;
    }
    Ok(Handled::Done)
}

/// Whether a review can be nothing to us: a comment without a slash word. GitHub tells of each comment on a line as of a
/// review, so most are of this kind, and nobody is asked about them.
fn says_nothing(event: &PullRequestReviewEvent) -> bool {
    let is_comment = event.review.state.as_deref() == Some("commented");
    let reading = read(event.review.body.as_deref().unwrap_or_default());
    let is_silent = reading.invocations.is_empty() && reading.errors.is_empty() && reading.unknown.is_empty();
    event.action == "submitted" && is_comment && is_silent
}

/// An edit does nothing. But where somebody else changes a review that decided something, that is recorded: what is read
/// there afterwards is not what was said.
async fn edited(scope: &Scope<'_>, event: PullRequestReviewEvent) -> Result<Handled, Trouble> {
    let nothing = |why: &str| Ok(Handled::Ignored(why.to_owned()));
    let Some(before) = event.changes.and_then(|changes| changes.body) else { return nothing("its text is as it was") };
    let (number, review) = (event.pull_request.number, event.review);
    let (Some(author), Some(editor)) = (review.user.filter(|user| !user.is_bot()), event.sender) else {
        return nothing("an edit of a program's");
    };
    if editor.id == author.id {
        return nothing("who edits what they said does nothing by it");
    }
    let id = review.id.to_string();
    let executions = scope.executions(number, false).await?;
    let mut decisions =
        executions.iter().flat_map(|execution| execution.steps.values()).flat_map(|step| &step.decisions);
    let is_its =
        |source: &Source| source.kind == SourceKind::Review && source.id.split(':').next() == Some(id.as_str());
    let mut acted = decisions.any(|decision| is_its(&decision.source));
    for invocation in read(&before.from).invocations {
        let word = super::command::key(SourceKind::Review, &format!("{id}:text"), invocation.range.start);
        acted |= scope.knows(&word).await?;
    }
    if !acted {
        return nothing("nothing of that review was taken");
    }
    let source = Source { kind: SourceKind::Review, id, url: review.html_url };
    scope.comment_edited(number, &person(&editor), &source).await?;
    Ok(Handled::Done)
}

/// A review that was found by looking, and that has a text: what it said when it was submitted nobody knows, and it may
/// have said less than its state does. Where anybody is asked, its author is asked to say it again.
async fn found_late(
    scope: &Scope<'_>,
    review: &Review,
    reviewer: &User,
    executions: &[Execution],
) -> Result<Handled, Trouble> {
    let Some((execution, number)) = asking(executions) else {
        return Ok(Handled::Ignored("a review that nobody told of, and nobody is asked anything".to_owned()));
    };
    let verb = decision(review.state).map_or("review", |(_, verb)| verb);
    let answer = not_taken(scope, (review, "text"), (reviewer, verb), Refused::FoundLate, execution).await?;
    let (to, at) = (format!("review:{}", review.id), review.submitted_at.unwrap_or(scope.received_at));
    scope.tell(vec![scope.reply(number, &reviewer.login, &to, at, &[answer])]).await?;
    Ok(Handled::Done)
}

/// A review with a line for us that could not be read: by its state it might decide more than its text says, or the opposite.
/// Where anybody is asked, its author is told that it did not count.
async fn unread(scope: &Scope<'_>, number: u64, review: &Review, reviewer: &User) -> Result<Option<Answer>, Trouble> {
    let Some((_, verb)) = decision(review.state) else { return Ok(None) };
    let executions = scope.executions(number, true).await?;
    let Some((execution, _)) = asking(&executions) else { return Ok(None) };
    Ok(Some(not_taken(scope, (review, "state"), (reviewer, verb), Refused::TextUnread, execution).await?))
}

/// The first execution that asks for an approval, and where.
fn asking(executions: &[Execution]) -> Option<(&Execution, u64)> {
    let asks = |execution: &&Execution| execution.waiting_for_people().any(|(id, _)| approval(execution, id).is_some());
    let execution = executions.iter().find(asks)?;
    Some((execution, execution.subject.as_ref()?.number?))
}

/// That a part of a review was not taken: said in the audit log, and to its author.
async fn not_taken(
    scope: &Scope<'_>,
    (review, part): (&Review, &str),
    (reviewer, verb): (&User, &str),
    refused: Refused,
    execution: &Execution,
) -> Result<Answer, Trouble> {
    let (speaker, source) = (person(reviewer), source(review, part));
    scope.note_refusal(&RefusedWord::new(&speaker, &source, verb, &refused), Some(execution)).await?;
    Ok(Answer { said: "Your review was not taken.".to_owned(), result: Err(refused) })
}

fn source(review: &Review, part: &str) -> Source {
    let id = format!("{}:{part}", review.id);
    Source { kind: SourceKind::Review, id, url: Some(review.html_url.clone()) }
}

/// Whether the text decides by itself: then it says more exactly what the review's state says.
fn decides(reading: &Reading) -> bool {
    let commands = reading.invocations.iter().map(|invocation| &invocation.command);
    commands.into_iter().any(|command| matches!(command, Command::Approve { .. } | Command::Reject { .. }))
}

/// What a review's own state says, and the command that it amounts to.
fn decision(state: ReviewState) -> Option<(DecisionKind, &'static str)> {
    match state {
        ReviewState::Approved => Some((DecisionKind::Approve, "approve")),
        ReviewState::ChangesRequested => Some((DecisionKind::Reject, "reject")),
        ReviewState::Commented | ReviewState::Dismissed | ReviewState::Pending | ReviewState::Other => None,
    }
}

/// The review's own state as a word about everything that asks its author.
async fn reviewed(
    scope: &Scope<'_>,
    number: u64,
    review: &Review,
    text: &str,
    said: &Said,
) -> Result<Option<Answer>, Trouble> {
    let Some((kind, verb)) = decision(review.state) else { return Ok(None) };
    let note = Some(text.trim().to_owned()).filter(|note| !note.is_empty());
    let word = Word {
        person: said.person.clone(),
        at: said.at,
        heard_at: said.heard_at,
        source: source(review, "state"),
        about: About::Commit(review.commit_id.clone().unwrap_or_default()),
        verb,
    };
    let whole = format!("review:{}:state", review.id);
    let (mut told, mut unseen, mut is_taken) = (None, None, false);
    for execution in scope.executions(number, true).await? {
        let asking: Vec<String> = execution
            .waiting_for_people()
            .map(|(id, _)| id.to_owned())
            .filter(|id| approval(&execution, id).is_some())
            .collect();
        for step in asking {
            if let Err(refused) = scope.was_shown(&execution, &step, &word).await? {
                if unseen.is_none() && scope.asks(&execution, &step, &word).await? {
                    unseen = Some((execution.clone(), step, refused));
                }
                continue;
            }
            // What asks only since the review was written does not count as reviewed: no need to know the whole.
            let along = scope.along(format!("{whole}:{}:{step}", execution.id), Vec::new());
            let outcome = scope.decide(&execution, &step, &word, (kind, note.clone()), along).await?;
            is_taken |= outcome.is_ok();
            let Some(refused) = outcome.err().filter(concerns) else { continue };
            note_refusal(scope, &word, (&execution, &step), &refused).await?;
            told = told.or(Some(refused));
        }
    }
    // Of several questions one was seen, and that was meant.
    if let Some((execution, step, refused)) = unseen.filter(|_| told.is_none() && !is_taken) {
        note_refusal(scope, &word, (&execution, &step), &refused).await?;
        told = Some(refused);
    }
    Ok(told.map(|refused| Answer { said: "Your review was not taken.".to_owned(), result: Err(refused) }))
}

/// Has the audit log say that a review's own state was refused, before anybody is told.
async fn note_refusal(
    scope: &Scope<'_>,
    word: &Word,
    (execution, step): (&Execution, &str),
    refused: &Refused,
) -> Result<(), Trouble> {
    let not_taken = RefusedWord::new(&word.person, &word.source, word.verb, refused);
    scope.note_refusal(&RefusedWord { named: Some(step), ..not_taken }, Some(execution)).await
}

/// Whether a refusal is worth a reply: not where the review was simply about something else.
fn concerns(refused: &Refused) -> bool {
    !matches!(
        refused,
        Refused::Ineligible { why: Ineligible::NotListed | Ineligible::Author, .. }
            | Refused::WrittenBefore { .. }
            | Refused::Permission { .. }
            | Refused::Execution { refusal: Refusal::NotWaiting { .. } | Refusal::Ended { .. }, .. }
    )
}

/// Takes back what the review had said, wherever it still stands, or carries what the process has gone on to.
async fn dismissed(
    scope: &Scope<'_>,
    number: u64,
    review: &Review,
    reviewer: &User,
    sender: Option<&User>,
) -> Result<Handled, Trouble> {
    let mut taken_back = false;
    for execution in scope.executions(number, true).await? {
        let is_its = |step: &&str| stands(&execution, step, review, reviewer);
        let steps: Vec<String> =
            execution.steps.iter().map(|(id, _)| id.as_str()).filter(is_its).map(str::to_owned).collect();
        for step in steps {
            withdraw(scope, &execution, (&step, number), review, reviewer, sender).await?;
            taken_back = true;
        }
    }
    let nothing = || Handled::Ignored("nothing stands of that review".to_owned());
    Ok(if taken_back { Handled::Done } else { nothing() })
}

/// Whether the person's last word about a step is that review, and can be taken back.
fn stands(execution: &Execution, step: &str, review: &Review, reviewer: &User) -> bool {
    let is_heeded = approval(execution, step).is_some() || execution.carries_approval_of(step, &person(reviewer));
    let Some(state) = execution.steps.get(step).filter(|_| is_heeded) else { return false };
    let last = state.decisions.iter().rev().find(|decision| decision.person.is(&person(reviewer)));
    last.is_some_and(|decision| {
        decision.decision != DecisionKind::Withdraw
            && decision.source.kind == SourceKind::Review
            && decision.source.id.split(':').next() == Some(review.id.to_string().as_str())
    })
}

async fn withdraw(
    scope: &Scope<'_>,
    execution: &Execution,
    (step, number): (&str, u64),
    review: &Review,
    reviewer: &User,
    sender: Option<&User>,
) -> Result<(), Trouble> {
    let gone_on = approval(execution, step).is_none();
    let told = sender.filter(|sender| gone_on && !sender.is_bot()).map(|sender| {
        let to = format!("review:{}:dismissed:{}:{step}", review.id, execution.id);
        let result = Ok(taken_back(step, &execution.process));
        let answer = Answer { said: "A review was dismissed.".to_owned(), result };
        scope.reply(number, &sender.login, &to, scope.received_at, &[answer])
    });
    let source = source(review, "dismissed");
    let word = format!("review:{}:{}:{step}", source.id, execution.id);
    let decision = Decision {
        person: person(reviewer),
        decision: DecisionKind::Withdraw,
        at: scope.now(),
        note: Some(match sender {
            Some(sender) => format!("the review was dismissed by {}", sender.login),
            None => "the review was dismissed".to_owned(),
        }),
        source,
        commit: None,
        call: None,
        counts_for: Vec::new(),
        owner_of: Vec::new(),
        in_place_of: Vec::new(),
    };
    let signal = Signal::Decide { step: step.to_owned(), decision };
    let along = scope.along(word, told.into_iter().collect());
    let outcome = settled(Some(step), scope.inner.engine.signal(&scope.tenant, execution.id, signal, along).await)?;
    if let Err(refused) = outcome {
        tracing::info!(execution = %execution.id, step, reason = refused.words(), "a dismissed review had nothing to take back");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use serde_json::json;

    use super::*;

    #[test]
    fn github_is_not_asked_about_a_comment_on_a_line_that_says_nothing_to_us() {
        for (action, state, body, nothing) in [
            ("submitted", "commented", None, true),
            ("submitted", "commented", Some("Why this?"), true),
            ("submitted", "commented", Some("> /approve\n\nwhy?"), true),
            ("submitted", "commented", Some("/approve"), false),
            ("submitted", "commented", Some("/aprove"), false),
            ("submitted", "approved", None, false),
            ("dismissed", "commented", None, false),
            // Found by looking: the text is left out, and may have held a command.
            ("submitted", "COMMENTED", None, false),
        ] {
            let event = json!({
                "action": action, "review": {"id": 9_000_000_007_u64, "state": state, "body": body}, "pull_request": {"number": 1}
            });
            assert_eq!(says_nothing(&serde_json::from_value(event).unwrap()), nothing, "{action} {state} {body:?}");
        }
    }
}
