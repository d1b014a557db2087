//! Reviews of pull requests: data, and the acts on them.
//! Source: GitHub REST documentation, "Pull request reviews".

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Change, Id, Permission};
use crate::error::SandboxError;
use crate::limits;

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReviewState {
    /// Yes.
    Approved,
    /// Not like this.
    ChangesRequested,
    /// Words only.
    Commented,
    /// Taken back by somebody.
    Dismissed,
}

impl ReviewState {
    /// GitHub's word in the REST API; webhooks write it in lower case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approved => "APPROVED",
            Self::ChangesRequested => "CHANGES_REQUESTED",
            Self::Commented => "COMMENTED",
            Self::Dismissed => "DISMISSED",
        }
    }
}

/// A review, submitted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Review {
    /// Its number.
    pub id: Id,
    /// The pull request's issue.
    pub issue: Id,
    /// Who reviewed.
    pub author: Id,
    /// What it says.
    pub state: ReviewState,
    /// Markdown, may be empty.
    pub body: String,
    /// The commit that was reviewed.
    pub commit_id: String,
    /// When.
    pub submitted_at: Timestamp,
}

impl Change<'_> {
    /// Submits a review of the present head, or of `commit_id`; tells `pull_request_review.submitted`.
    pub fn submit_review(
        &mut self,
        issue: Id,
        author: Id,
        state: ReviewState,
        body: &str,
        commit_id: Option<&str>,
    ) -> Result<Id, SandboxError> {
        limits::comment_body_or_empty(body)?;
        let subject = self.world.issues.get(&issue).cloned();
        let Some((subject, pull_request)) = subject.and_then(|subject| {
            let pull_request = subject.pull_request.clone()?;
            Some((subject, pull_request))
        }) else {
            return Err(SandboxError::NotFound("the pull request".to_owned()));
        };
        let decides = matches!(state, ReviewState::Approved | ReviewState::ChangesRequested);
        if decides && subject.author == author {
            let word = if state == ReviewState::Approved { "approve" } else { "request changes on" };
            return Err(SandboxError::Unprocessable(format!("Can not {word} your own pull request")));
        }
        if state != ReviewState::Approved && body.trim().is_empty() {
            let reason = "A body is needed to comment or to request changes";
            return Err(SandboxError::Unprocessable(reason.to_owned()));
        }
        let id = self.world.take_id();
        let commit_id = commit_id.unwrap_or(&pull_request.head_sha).to_owned();
        let review = Review { id, issue, author, state, body: body.to_owned(), commit_id, submitted_at: self.now };
        self.world.reviews.insert(id, review);
        self.touch_issue(issue);
        self.tell_review("submitted", id, author, None);
        Ok(id)
    }

    /// Changes a review's words; tells `pull_request_review.edited`.
    pub fn edit_review(&mut self, id: Id, by: Id, body: &str) -> Result<(), SandboxError> {
        limits::comment_body_or_empty(body)?;
        let review = self.world.reviews.get_mut(&id).ok_or_else(|| missing(id))?;
        let before = std::mem::replace(&mut review.body, body.to_owned());
        self.tell_review("edited", id, by, Some(before));
        Ok(())
    }

    /// Takes an approval or a request for changes back; tells `pull_request_review.dismissed`.
    pub fn dismiss_review(&mut self, id: Id, by: Id, message: &str) -> Result<(), SandboxError> {
        let review = self.world.reviews.get(&id).ok_or_else(|| missing(id))?;
        let (issue, state) = (review.issue, review.state);
        let repository = self.world.issues.get(&issue).map_or(0, |issue| issue.repository);
        if self.world.permission(repository, by) < Permission::Write {
            return Err(SandboxError::Forbidden("Only people with write access dismiss reviews".to_owned()));
        }
        if !matches!(state, ReviewState::Approved | ReviewState::ChangesRequested) {
            return Err(SandboxError::invalid("Can not dismiss a commented or dismissed pull request review"));
        }
        if let Some(review) = self.world.reviews.get_mut(&id) {
            review.state = ReviewState::Dismissed;
        }
        self.note(issue, by, format!("dismissed a review: {message}"));
        self.tell_review("dismissed", id, by, None);
        Ok(())
    }

    fn tell_review(&mut self, action: &'static str, id: Id, by: Id, before: Option<String>) {
        let Some(review) = self.world.reviews.get(&id).cloned() else { return };
        let Some(issue) = self.world.issues.get(&review.issue).cloned() else { return };
        let view = self.view();
        let mut fields =
            vec![("review", view.review_for_webhook(&review)), ("pull_request", view.pull_request_simple(&issue))];
        if let Some(before) = before {
            fields.push(("changes", json!({"body": {"from": before}})));
        }
        self.emit("pull_request_review", Some(action), issue.repository, by, fields);
    }
}

fn missing(id: Id) -> SandboxError {
    SandboxError::NotFound(format!("review {id}"))
}
