//! Comments: commands, and words that start processes. Only what a person wrote, and only as it was first written:
//! edits and deletions never act.

use flowctl_core::approval::{Source, SourceKind};
use flowctl_core::command::{Reading, read};

use super::command::{Commander, Said};
use super::payload::{Comment, IssueCommentEvent};
use super::scope::Scope;
use super::start::Place;
use super::{Handled, Trouble};
use crate::github::client::{Reaction, User};
use crate::github::people::person;
use crate::github::reconcile::of_comment;
use crate::github::wording::{Answer, is_marked};

/// Handles a delivery.
pub(super) async fn handle(scope: &Scope<'_>, event: IssueCommentEvent) -> Result<Handled, Trouble> {
    if event.action == "edited" {
        return edited(scope, event).await;
    }
    if event.action != "created" {
        return Ok(Handled::Ignored(format!("a comment that was {} does nothing", event.action)));
    }
    let IssueCommentEvent { issue, comment, .. } = event;
    let Some(author) = author(&comment) else {
        return Ok(Handled::Ignored("programs give no commands".to_owned()));
    };
    let body = comment.body.clone().unwrap_or_default();
    let reading = read(&body);
    if !speaks_to_us(scope, issue.number, &reading).await? {
        return Ok(Handled::Ignored("there is no command in it".to_owned()));
    }
    let what = of_comment(comment.id);
    if scope.has_heard(&what).await? {
        return Ok(Handled::Ignored("it was heard in another way before".to_owned()));
    }
    scope.tell(vec![scope.reaction(comment.id, Reaction::Eyes)]).await?;
    let (pull_request, executions) = match issue.pull_request {
        Some(_) => {
            let (pull_request, executions) = scope.pull_request(issue.number).await?;
            (Some(pull_request), executions)
        }
        None => (None, scope.executions(issue.number, true).await?),
    };
    let said = Said {
        person: person(author),
        at: comment.created_at,
        heard_at: scope.received_at,
        source: Source { kind: SourceKind::Comment, id: comment.id.to_string(), url: comment.html_url.clone() },
        commit: None,
        is_dismissed: false,
        done: vec![scope.reaction(comment.id, Reaction::Rocket)],
    };
    let place = Place { number: issue.number, pull_request };
    let commander = Commander { scope, said: &said, place: &place, body: &body };
    let answers = commander.obey(&reading, executions).await?;
    answer(scope, issue.number, &comment, author, &answers).await?;
    scope.hear(what).await?;
    Ok(Handled::Done)
}

/// An edit does nothing. But where somebody else changes a comment whose command was taken, or what we wrote, that is
/// recorded: what is read there afterwards is not what was said. What we wrote is written anew with that.
async fn edited(scope: &Scope<'_>, event: IssueCommentEvent) -> Result<Handled, Trouble> {
    let nothing = |why: &str| Ok(Handled::Ignored(why.to_owned()));
    let IssueCommentEvent { issue, comment, sender, changes, .. } = event;
    let (Some(author), Some(editor)) = (&comment.user, sender) else { return nothing("an edit of nobody's") };
    if editor.id == author.id {
        return nothing("who edits what they said does nothing by it");
    }
    let before = changes.and_then(|changes| changes.body).map(|body| body.from).unwrap_or_default();
    let mut acted = author.is_bot() && is_marked(&before);
    for invocation in read(&before).invocations {
        let word = super::command::key(SourceKind::Comment, &comment.id.to_string(), invocation.range.start);
        acted |= scope.knows(&word).await?;
    }
    if !acted {
        return nothing("it is not ours, and no command of it was taken");
    }
    let source = Source { kind: SourceKind::Comment, id: comment.id.to_string(), url: comment.html_url.clone() };
    scope.comment_edited(issue.number, &person(&editor), &source).await?;
    Ok(Handled::Done)
}

/// The person who wrote it; nobody where a program did, also in a person's name.
fn author(comment: &Comment) -> Option<&User> {
    let author = comment.user.as_ref().filter(|user| !user.is_bot())?;
    comment.performed_via_github_app.is_none().then_some(author)
}

/// Whether anything of it is for us. Slash words of other bots are left alone, and so is every repository in which
/// flowctl has nothing to do.
async fn speaks_to_us(scope: &Scope<'_>, number: u64, reading: &Reading) -> Result<bool, Trouble> {
    if reading.invocations.is_empty() && reading.errors.is_empty() && reading.unknown.is_empty() {
        return Ok(false);
    }
    let published = scope.published().await?;
    if published.processes.is_empty() && scope.executions(number, false).await?.is_empty() {
        return Ok(false);
    }
    let words = published.words();
    let is_ours = |word: &str| words.iter().any(|(known, _)| known == word);
    let mut unknown = reading.unknown.iter();
    let knows = unknown.any(|unknown| is_ours(&unknown.word) || unknown.suggestion.is_some());
    Ok(knows || !reading.invocations.is_empty() || !reading.errors.is_empty())
}

/// Tells the author what became of it: a reaction, and a reply where there is something to say.
async fn answer(
    scope: &Scope<'_>,
    number: u64,
    comment: &Comment,
    author: &User,
    answers: &[Answer],
) -> Result<(), Trouble> {
    let is_refused = answers.iter().any(|answer| answer.result.is_err());
    let says_something = |answer: &&Answer| answer.result.as_ref().map_or(true, |text| !text.is_empty());
    let said: Vec<Answer> = answers.iter().filter(says_something).cloned().collect();
    // The words first: whoever sees the reaction finds them.
    let mut effects = Vec::new();
    if !said.is_empty() {
        let to = format!("comment:{}", comment.id);
        effects.push(scope.reply(number, &author.login, &to, comment.created_at, &said));
    }
    if said.iter().any(|answer| answer.result.is_ok()) {
        effects.push(scope.reaction(comment.id, Reaction::Rocket));
    }
    if is_refused {
        effects.push(scope.reaction(comment.id, Reaction::Confused));
    }
    scope.tell(effects).await
}
