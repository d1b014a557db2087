//! Pull requests and reviews. OpenAPI: `pull-request`, `pull-request-simple`, `pull-request-review`.

use serde_json::{Value, json};

use super::{View, account::merge, node_id};
use crate::clock::stamp;
use crate::state::{Issue, PullRequest, Review};

impl View<'_> {
    /// `pull-request-simple`: as in lists and in review events.
    pub fn pull_request_simple(&self, issue: &Issue) -> Value {
        let Some(side) = &issue.pull_request else { return Value::Null };
        let repository = self.repository_api(issue.repository);
        let (api, as_issue) =
            (format!("{repository}/pulls/{}", issue.number), format!("{repository}/issues/{}", issue.number));
        let html = self.issue_web(issue.id);
        let statuses = format!("{repository}/statuses/{}", side.head_sha);
        json!({
            "url": api,
            "id": side.id,
            "node_id": node_id("PR", side.id),
            "html_url": html,
            "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"),
            "issue_url": as_issue,
            "commits_url": format!("{api}/commits"),
            "review_comments_url": format!("{api}/comments"),
            "review_comment_url": format!("{repository}/pulls/comments{{/number}}"),
            "comments_url": format!("{as_issue}/comments"),
            "statuses_url": statuses,
            "number": issue.number,
            "state": issue.state(),
            "locked": false,
            "title": issue.title,
            "user": self.user(issue.author),
            "body": issue.body,
            "labels": self.labels(issue),
            "milestone": null,
            "active_lock_reason": null,
            "created_at": stamp(issue.created_at),
            "updated_at": stamp(issue.updated_at),
            "closed_at": super::moment(issue.closed.map(|(at, _)| at)),
            "merged_at": super::moment(side.merged.as_ref().map(|(at, _, _)| *at)),
            "merge_commit_sha": side.merged.as_ref().map(|(_, _, sha)| sha),
            "assignee": null,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self.head(issue, side),
            "base": self.side(issue, &side.base_ref, &side.base_sha),
            "_links": {
                "self": {"href": api},
                "html": {"href": html},
                "issue": {"href": as_issue},
                "comments": {"href": format!("{as_issue}/comments")},
                "review_comments": {"href": format!("{api}/comments")},
                "review_comment": {"href": format!("{repository}/pulls/comments{{/number}}")},
                "commits": {"href": format!("{api}/commits")},
                "statuses": {"href": statuses},
            },
            "author_association": self.world.association(issue.repository, issue.author),
            "auto_merge": null,
            "draft": side.draft,
        })
    }

    /// `pull-request`: with what only a comparison tells.
    pub fn pull_request(&self, issue: &Issue) -> Value {
        let mut shape = self.pull_request_simple(issue);
        let Some(side) = &issue.pull_request else { return shape };
        let comparison = self.git.compare(issue.repository, &side.base_sha, &side.head_sha).ok();
        let files = comparison.as_ref().map_or(&[][..], |comparison| &comparison.files[..]);
        let open = issue.closed.is_none();
        let mergeable =
            open.then(|| self.git.merges_cleanly(issue.repository, &side.base_sha, &side.head_sha)).flatten();
        let state = match mergeable {
            _ if side.draft => "draft",
            Some(true) => "clean",
            Some(false) => "dirty",
            None => "unknown",
        };
        merge(
            &mut shape,
            json!({
                "merged": side.merged.is_some(),
                "mergeable": mergeable,
                "rebaseable": mergeable,
                "mergeable_state": state,
                "merged_by": side.merged.as_ref().map_or(Value::Null, |(_, by, _)| self.user(*by)),
                "comments": self.world.comments_of(issue.id).count(),
                "review_comments": 0,
                "maintainer_can_modify": false,
                "commits": comparison.as_ref().map_or(0, |comparison| comparison.commits.len()),
                "additions": files.iter().map(|file| file.additions).sum::<usize>(),
                "deletions": files.iter().map(|file| file.deletions).sum::<usize>(),
                "changed_files": files.len(),
            }),
        );
        shape
    }

    /// The branch that is to be merged; of a fork, the fork: the same name below another account.
    fn head(&self, issue: &Issue, side: &PullRequest) -> Value {
        let mut head = self.side(issue, &side.head_ref, &side.head_sha);
        let Some(owner) = side.fork_of.and_then(|owner| self.world.accounts.get(&owner)) else { return head };
        let name = self.world.repositories.get(&issue.repository).map_or("ghost", |it| it.name.as_str());
        head["label"] = json!(format!("{}:{}", owner.login, side.head_ref));
        head["user"] = self.simple_user(owner);
        head["repo"]["full_name"] = json!(format!("{}/{name}", owner.login));
        head["repo"]["owner"] = self.simple_user(owner);
        head["repo"]["fork"] = json!(true);
        // Another repository: its id is not that of the one that the pull request goes to.
        head["repo"]["id"] = json!(issue.repository + 1_000_000);
        head
    }

    fn side(&self, issue: &Issue, branch: &str, sha: &str) -> Value {
        let repository = self.world.repositories.get(&issue.repository);
        let owner = repository.and_then(|repository| self.world.accounts.get(&repository.owner));
        let owner_login = owner.map_or("ghost", |owner| owner.login.as_str());
        json!({
            "label": format!("{owner_login}:{branch}"),
            "ref": branch,
            "sha": sha,
            "user": owner.map_or(Value::Null, |owner| self.simple_user(owner)),
            "repo": repository.map_or(Value::Null, |repository| self.repository(repository)),
        })
    }

    /// The short form inside check runs and suites: `pull-request-minimal`.
    pub(crate) fn pull_request_minimal(&self, issue: &Issue, side: &PullRequest) -> Value {
        let api = self.repository_api(issue.repository);
        let name =
            self.world.repositories.get(&issue.repository).map_or("ghost", |repository| repository.name.as_str());
        let repository = json!({"id": issue.repository, "url": api, "name": name});
        json!({
            "url": format!("{api}/pulls/{}", issue.number),
            "id": side.id,
            "number": issue.number,
            "head": {"ref": side.head_ref, "sha": side.head_sha, "repo": repository},
            "base": {"ref": side.base_ref, "sha": side.base_sha, "repo": repository},
        })
    }

    /// `pull-request-review`.
    pub fn review(&self, review: &Review) -> Value {
        let Some(issue) = self.world.issues.get(&review.issue) else { return Value::Null };
        let html = format!("{}#pullrequestreview-{}", self.issue_web(issue.id), review.id);
        let pull_request = format!("{}/pulls/{}", self.repository_api(issue.repository), issue.number);
        json!({
            "id": review.id,
            "node_id": node_id("PRR", review.id),
            "user": self.user(review.author),
            "body": review.body,
            "state": review.state.word(),
            "html_url": html,
            "pull_request_url": pull_request,
            "author_association": self.world.association(issue.repository, review.author),
            "_links": {"html": {"href": html}, "pull_request": {"href": pull_request}},
            "submitted_at": stamp(review.submitted_at),
            "commit_id": review.commit_id,
        })
    }

    /// A review in an event: the state in lower case, an absent body null.
    pub(crate) fn review_for_webhook(&self, review: &Review) -> Value {
        let mut shape = self.review(review);
        let body = if review.body.is_empty() { Value::Null } else { json!(review.body) };
        merge(
            &mut shape,
            json!({
                "state": review.state.word().to_lowercase(),
                "body": body,
                "updated_at": stamp(review.submitted_at),
            }),
        );
        shape
    }
}
