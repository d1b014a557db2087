//! Comments and reactions: data, and the acts on them.
//! Sources: GitHub REST documentation, "Issue comments" and "Reactions".

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Change, Id, IssueEvent};
use crate::error::SandboxError;
use crate::limits;

/// A comment on an issue or pull request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comment {
    /// Its number.
    pub id: Id,
    /// The issue it stands under.
    pub issue: Id,
    /// Who wrote it.
    pub author: Id,
    /// The App that wrote it for a bot.
    pub app: Option<Id>,
    /// Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Bodies it had before, oldest first.
    pub earlier: Vec<String>,
}

/// What a reaction is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// A comment by id.
    Comment(Id),
    /// An issue or pull request by id.
    Issue(Id),
}

/// A small picture that somebody put on something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reaction {
    /// Its number.
    pub id: Id,
    /// What it is on.
    pub subject: Subject,
    /// Whose it is.
    pub person: Id,
    /// One of [`REACTIONS`].
    pub content: String,
    /// When it was put there.
    pub created_at: Timestamp,
}

/// The reactions that exist. Source: GitHub REST documentation, "Reactions".
pub const REACTIONS: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

impl Change<'_> {
    /// Writes a comment; tells `issue_comment.created`.
    pub fn create_comment(&mut self, issue: Id, author: Id, app: Option<Id>, body: &str) -> Result<Id, SandboxError> {
        limits::comment_body(body)?;
        let (id, now) = (self.world.take_id(), self.now);
        let comment = Comment {
            id,
            issue,
            author,
            app,
            body: body.to_owned(),
            created_at: now,
            updated_at: now,
            earlier: Vec::new(),
        };
        self.world.comments.insert(id, comment);
        self.touch_issue(issue);
        self.tell_comment("created", id, author, None);
        Ok(id)
    }

    /// Changes a comment's body; tells `issue_comment.edited` when it differs.
    pub fn edit_comment(&mut self, id: Id, by: Id, body: &str) -> Result<(), SandboxError> {
        limits::comment_body(body)?;
        let now = self.now;
        let comment = self.world.comments.get_mut(&id).ok_or_else(|| missing(id))?;
        if comment.body == body {
            return Ok(());
        }
        let before = std::mem::replace(&mut comment.body, body.to_owned());
        comment.earlier.push(before.clone());
        comment.updated_at = now;
        self.tell_comment("edited", id, by, Some(before));
        Ok(())
    }

    /// Takes a comment away; tells `issue_comment.deleted`.
    pub fn delete_comment(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        if !self.world.comments.contains_key(&id) {
            return Err(missing(id));
        }
        self.tell_comment("deleted", id, by, None);
        self.world.comments.remove(&id);
        self.world.reactions.retain(|_, reaction| reaction.subject != Subject::Comment(id));
        Ok(())
    }

    fn tell_comment(&mut self, action: &'static str, id: Id, by: Id, before: Option<String>) {
        let Some(comment) = self.world.comments.get(&id).cloned() else { return };
        let Some(issue) = self.world.issues.get(&comment.issue).cloned() else { return };
        let view = self.view();
        let mut fields = vec![("issue", view.issue_for_webhook(&issue)), ("comment", view.comment(&comment))];
        if let Some(before) = before {
            fields.push(("changes", json!({"body": {"from": before}})));
        }
        self.emit("issue_comment", Some(action), issue.repository, by, fields);
    }

    /// Puts a reaction; returns its id and whether it is new.
    pub fn react(&mut self, subject: Subject, person: Id, content: &str) -> Result<(Id, bool), SandboxError> {
        if !REACTIONS.contains(&content) {
            let message = format!("`{content}` is none of {}", REACTIONS.join(", "));
            return Err(SandboxError::field("Reaction", "content", "invalid", message));
        }
        let same = |reaction: &&Reaction| reaction.person == person && reaction.content == content;
        if let Some(there) = self.world.reactions_on(subject).find(same) {
            return Ok((there.id, false));
        }
        let id = self.world.take_id();
        let reaction = Reaction { id, subject, person, content: content.to_owned(), created_at: self.now };
        self.world.reactions.insert(id, reaction);
        Ok((id, true))
    }

    pub(crate) fn touch_issue(&mut self, issue: Id) {
        let now = self.now;
        if let Some(issue) = self.world.issues.get_mut(&issue) {
            issue.updated_at = now;
        }
    }

    pub(crate) fn note(&mut self, issue: Id, actor: Id, what: impl Into<String>) {
        let (at, what) = (self.now, what.into());
        if let Some(issue) = self.world.issues.get_mut(&issue) {
            issue.history.push(IssueEvent { at, actor, what });
            issue.updated_at = at;
        }
    }
}

fn missing(id: Id) -> SandboxError {
    SandboxError::NotFound(format!("comment {id}"))
}
