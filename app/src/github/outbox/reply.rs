//! Answers what people said: a reaction, or a comment of its own.

use jiff::Timestamp;

use super::asked::Asked;
use super::execution::find_comment;
use super::failure::Failure;
use super::write::Writing;
use crate::crash::crash_point;
use crate::github::client::pace::Kind;
use crate::github::client::{IssueComment, Reaction, RepositoryName};
use crate::github::shown;
use crate::github::wording::reply_marker;
use crate::store::Stored;

/// Reacts to a comment. GitHub keeps one reaction of a kind per account, so it is simply said again.
pub(super) async fn react(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    comment: u64,
    reaction: Reaction,
) -> Result<(), Failure> {
    let request = writing.client.add_reaction_to_comment(repository, comment, reaction);
    writing.write(Kind::Creates, request).await
}

/// How the key of a reminder begins.
pub(super) const REMINDS: &str = "reminder:";

/// Notes that people can read there what they are asked.
async fn note_shown(writing: &Writing<'_>, to: &str, comment: &IssueComment) -> Result<(), Failure> {
    let Some(Asked { execution, .. }) = Asked::parse(to) else { return Ok(()) };
    let (store, tenant) = (&*writing.outbox.store, &writing.effect.tenant);
    let Some(Stored { execution, .. }) = store.load(tenant, execution).await? else { return Ok(()) };
    Ok(shown::note(store, &execution, &shown::in_comment(comment, &execution)).await?)
}

/// Whether those who are asked read it in the execution's own comment, which is new: it notifies them by itself. Either it
/// was made with the question in it, or it is still to be made.
async fn is_asked_by_the_comment(writing: &Writing<'_>, to: &str) -> Result<bool, Failure> {
    let Some(Asked { execution, .. }) = Asked::parse(to) else { return Ok(false) };
    let (store, tenant) = (&writing.outbox.store, &writing.effect.tenant);
    if store.github_objects(tenant, execution).await?.comment_id.is_none() {
        return Ok(true);
    }
    Ok(store.heard(tenant, to).await?.is_some())
}

/// Whether the pull request or issue is closed now.
async fn is_closed(writing: &Writing<'_>, reply: &Reply<'_>) -> Result<bool, Failure> {
    let issue = writing.client.issue(reply.repository, reply.issue).await?;
    Ok(issue["state"].as_str() == Some("closed"))
}

/// A comment that answers something.
pub(super) struct Reply<'a> {
    pub(super) repository: &'a RepositoryName,
    pub(super) issue: u64,
    pub(super) to: &'a str,
    pub(super) since: Timestamp,
    pub(super) body: &'a str,
}

/// Writes a reply, unless it stands there. Always looks: what is answered may have been read twice, when the server
/// died after the first answer. Nobody is reminded of what is closed: there they have ended it, or do not want it now.
pub(super) async fn reply(writing: &Writing<'_>, reply: Reply<'_>) -> Result<(), Failure> {
    if reply.to.starts_with(REMINDS) && is_closed(writing, &reply).await? {
        return Ok(());
    }
    if is_asked_by_the_comment(writing, reply.to).await? {
        return Ok(());
    }
    let marker = reply_marker(reply.to);
    if let Some(found) = find_comment(writing, reply.repository, reply.issue, &marker, reply.since).await? {
        return note_shown(writing, reply.to, &found).await;
    }
    let request = writing.client.create_comment(reply.repository, reply.issue, reply.body);
    let made = writing.write(Kind::Creates, request).await?;
    note_shown(writing, reply.to, &made).await?;
    crash_point("effect.recorded");
    Ok(())
}
