//! What follows when references of a repository moved: `create`, `push`, `delete`, check suites,
//! and pull requests that stand on the branch. A push is whatever differs from what was last seen,
//! whether it came over HTTP, from the programmatic API or straight into the bare repository.

use serde_json::{Value, json};

use super::{Change, Id};
use crate::error::SandboxError;

/// What git writes where there is no commit.
const NOTHING: &str = "0000000000000000000000000000000000000000";
/// A push lists at most this many commits. Source: webhook documentation, `push`.
const LISTED_COMMITS: usize = 2048;

/// One reference that moved.
struct Moved {
    name: String,
    before: Option<String>,
    after: Option<String>,
}

impl Change<'_> {
    /// Looks at the references of `repository` and tells what changed since last time, in the name of `by`.
    pub fn observe_references(&mut self, repository: Id, by: Id) -> Result<(), SandboxError> {
        let now_there = self.git.references(repository)?;
        let Some(record) = self.world.repositories.get_mut(&repository) else {
            return Err(SandboxError::NotFound(format!("repository {repository}")));
        };
        let before = std::mem::replace(&mut record.references, now_there.clone());
        if before == now_there {
            return Ok(());
        }
        record.pushed_at = self.now;
        record.updated_at = self.now;
        let names: std::collections::BTreeSet<_> = before.keys().chain(now_there.keys()).cloned().collect();
        for name in names {
            let moved = Moved { before: before.get(&name).cloned(), after: now_there.get(&name).cloned(), name };
            if moved.before != moved.after {
                self.tell_moved(repository, by, &moved);
            }
        }
        Ok(())
    }

    fn tell_moved(&mut self, repository: Id, by: Id, moved: &Moved) {
        // Source: webhook documentation, `push`, `create`, `delete`: branches and tags.
        let (branch, tag) = (moved.name.strip_prefix("refs/heads/"), moved.name.strip_prefix("refs/tags/"));
        let (kind, short) = match (branch, tag) {
            (Some(short), _) => ("branch", short.to_owned()),
            (None, Some(short)) => ("tag", short.to_owned()),
            (None, None) => return self.touch(),
        };
        let master =
            self.world.repositories.get(&repository).map_or(String::new(), |record| record.default_branch.clone());
        if moved.before.is_none() {
            let fields = vec![
                ("ref", json!(short)),
                ("ref_type", json!(kind)),
                ("master_branch", json!(master)),
                ("description", Value::Null),
                ("pusher_type", json!("user")),
            ];
            self.emit("create", None, repository, by, fields);
        }
        if moved.after.is_none() {
            let fields = vec![("ref", json!(short)), ("ref_type", json!(kind)), ("pusher_type", json!("user"))];
            self.emit("delete", None, repository, by, fields);
        }
        let fields = self.push_fields(repository, by, moved);
        self.emit("push", None, repository, by, fields);
        if kind == "branch" {
            self.request_suite(repository, by, &short, moved);
            self.move_pull_requests(repository, by, &short, moved.after.as_deref());
        }
    }

    fn push_fields(&self, repository: Id, by: Id, moved: &Moved) -> super::change::Fields {
        let view = self.view();
        let after = moved.after.as_deref();
        let forced = match (&moved.before, after) {
            (Some(before), Some(after)) => !self.git.is_ancestor(repository, before, after),
            _ => false,
        };
        // A new branch lists what the default branch has not; a moved one what it had not before.
        let known = moved.before.clone().or_else(|| {
            let record = self.world.repositories.get(&repository)?;
            let tip = record.branch(&record.default_branch)?;
            (Some(tip) != after).then(|| tip.to_owned())
        });
        let commits =
            after.and_then(|after| self.git.commits_between(repository, known.as_deref(), after, LISTED_COMMITS).ok());
        let commits: Vec<_> =
            commits.unwrap_or_default().iter().map(|commit| view.push_commit(repository, commit)).collect();
        let head = after.and_then(|after| self.git.commit_facts(repository, after).ok());
        let head = head.map_or(Value::Null, |commit| view.push_commit(repository, &commit));
        let before = moved.before.as_deref().unwrap_or(NOTHING);
        let compare = view.compare_url(repository, before, after.unwrap_or(NOTHING));
        vec![
            ("ref", json!(moved.name)),
            ("before", json!(before)),
            ("after", json!(after.unwrap_or(NOTHING))),
            ("created", json!(moved.before.is_none())),
            ("deleted", json!(moved.after.is_none())),
            ("forced", json!(forced)),
            ("base_ref", Value::Null),
            ("compare", json!(compare)),
            ("commits", json!(commits)),
            ("head_commit", head),
            ("pusher", view.pusher(by)),
        ]
    }

    /// Every push to a branch asks each App with `checks: write` for a suite.
    /// Source: GitHub webhook documentation, `check_suite.requested`.
    fn request_suite(&mut self, repository: Id, by: Id, branch: &str, moved: &Moved) {
        let Some(after) = &moved.after else { return };
        let Some(installation) = self.world.installation_of(repository) else { return };
        if installation.permissions.get("checks").map(String::as_str) != Some("write") {
            return;
        }
        let app = self.world.app.id;
        let (suite, new) = self.ensure_suite(repository, app, after, Some(branch), moved.before.as_deref());
        if new {
            self.tell_suite("requested", suite, by);
        }
    }
}
