//! Issues, comments, reactions. OpenAPI: `issue`, `issue-comment`, `reaction`, `reaction-rollup`.

use serde_json::{Map, Value, json};

use super::{View, node_id};
use crate::clock::stamp;
use crate::state::{Comment, Id, Issue, Reaction, Subject};

impl View<'_> {
    /// `issue`; of a pull request it carries the `pull_request` links.
    pub fn issue(&self, issue: &Issue) -> Value {
        let mut shape = self.issue_for_webhook(issue);
        let closed_by = issue.closed.map_or(Value::Null, |(_, by)| self.user(by));
        super::account::merge(&mut shape, json!({"closed_by": closed_by}));
        shape
    }

    /// An issue in an event: who closed it is the event's sender.
    pub(crate) fn issue_for_webhook(&self, issue: &Issue) -> Value {
        let repository = self.repository_api(issue.repository);
        let web = self.repository_web(issue.repository);
        let api = format!("{repository}/issues/{}", issue.number);
        let comments = self.world.comments_of(issue.id).count();
        let reason =
            if issue.closed.is_some() && issue.pull_request.is_none() { json!("completed") } else { Value::Null };
        let kind = if issue.pull_request.is_some() { "pull" } else { "issues" };
        let html = format!("{web}/{kind}/{}", issue.number);
        let mut shape = json!({
            "url": api,
            "repository_url": repository,
            "labels_url": format!("{api}/labels{{/name}}"),
            "comments_url": format!("{api}/comments"),
            "events_url": format!("{api}/events"),
            "html_url": html,
            "id": issue.id,
            "node_id": node_id("I", issue.id),
            "number": issue.number,
            "title": issue.title,
            "user": self.user(issue.author),
            "labels": self.labels(issue),
            "state": issue.state(),
            "locked": false,
            "assignee": null,
            "assignees": [],
            "milestone": null,
            "comments": comments,
            "created_at": stamp(issue.created_at),
            "updated_at": stamp(issue.updated_at),
            "closed_at": super::moment(issue.closed.map(|(at, _)| at)),
            "author_association": self.world.association(issue.repository, issue.author),
            "active_lock_reason": null,
            "body": issue.body,
            "reactions": self.rollup(Subject::Issue(issue.id), &api),
            "timeline_url": format!("{api}/timeline"),
            "performed_via_github_app": null,
            "state_reason": reason,
        });
        if let Some(side) = &issue.pull_request {
            let links = json!({
                "draft": side.draft,
                "pull_request": {
                    "url": format!("{repository}/pulls/{}", issue.number),
                    "html_url": html,
                    "diff_url": format!("{html}.diff"),
                    "patch_url": format!("{html}.patch"),
                    "merged_at": super::moment(side.merged.as_ref().map(|(at, _, _)| *at)),
                },
            });
            super::account::merge(&mut shape, links);
        }
        shape
    }

    /// The labels of an issue.
    pub(crate) fn labels(&self, issue: &Issue) -> Value {
        let known = self.world.repositories.get(&issue.repository);
        let labels = issue.labels.iter().filter_map(|name| known?.labels.get(&name.to_lowercase()));
        Value::Array(labels.map(|label| self.label(issue.repository, label)).collect())
    }

    /// `issue-comment`.
    pub fn comment(&self, comment: &Comment) -> Value {
        let Some(issue) = self.world.issues.get(&comment.issue) else { return Value::Null };
        let repository = self.repository_api(issue.repository);
        let web = self.repository_web(issue.repository);
        let api = format!("{repository}/issues/comments/{}", comment.id);
        let kind = if issue.pull_request.is_some() { "pull" } else { "issues" };
        let app = comment.app.map_or(Value::Null, |app| self.app(self.world.app_by_id(app)));
        json!({
            "url": api,
            "html_url": format!("{web}/{kind}/{}#issuecomment-{}", issue.number, comment.id),
            "issue_url": format!("{repository}/issues/{}", issue.number),
            "id": comment.id,
            "node_id": node_id("IC", comment.id),
            "user": self.user(comment.author),
            "created_at": stamp(comment.created_at),
            "updated_at": stamp(comment.updated_at),
            "author_association": self.world.association(issue.repository, comment.author),
            "body": comment.body,
            "reactions": self.rollup(Subject::Comment(comment.id), &api),
            "performed_via_github_app": app,
        })
    }

    /// `reaction`.
    pub fn reaction(&self, reaction: &Reaction) -> Value {
        json!({
            "id": reaction.id,
            "node_id": node_id("REA", reaction.id),
            "user": self.user(reaction.person),
            "content": reaction.content,
            "created_at": stamp(reaction.created_at),
        })
    }

    fn rollup(&self, subject: Subject, api: &str) -> Value {
        let mut counts = Map::new();
        counts.insert("url".to_owned(), json!(format!("{api}/reactions")));
        counts.insert("total_count".to_owned(), json!(self.world.reactions_on(subject).count()));
        for content in ["+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"] {
            let count = self.world.reactions_on(subject).filter(|reaction| reaction.content == content).count();
            counts.insert(content.to_owned(), json!(count));
        }
        Value::Object(counts)
    }

    /// The web address of an issue or pull request.
    pub(crate) fn issue_web(&self, issue: Id) -> String {
        let Some(issue) = self.world.issues.get(&issue) else { return self.urls.web().to_owned() };
        let kind = if issue.pull_request.is_some() { "pull" } else { "issues" };
        format!("{}/{kind}/{}", self.repository_web(issue.repository), issue.number)
    }
}
