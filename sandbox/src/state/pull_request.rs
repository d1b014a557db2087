//! What can be done with pull requests: open, move, label, edit, merge, close.
//! Source: GitHub REST and webhook documentation, "Pull requests" and `pull_request`.

use serde_json::{Value, json};

use super::{Change, Id, Issue, Label, PullRequest};
use crate::error::SandboxError;
use crate::git::{Author, Files, NewCommit};
use crate::limits;

/// A pull request to be opened.
#[derive(Debug, Clone, Default)]
pub struct NewPullRequest {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: Option<String>,
    /// The branch to be merged.
    pub head: String,
    /// The branch to merge into.
    pub base: String,
    /// Whether it is not ready for review.
    pub draft: bool,
}

impl Change<'_> {
    /// Opens an issue; tells `issues.opened`.
    pub fn open_issue(&mut self, repository: Id, by: Id, title: &str, body: Option<&str>) -> Result<Id, SandboxError> {
        let id = self.add_issue(repository, by, title, body, None)?;
        self.tell_issue("opened", id, by, Vec::new());
        Ok(id)
    }

    /// Opens a pull request from somebody's fork, whose branch is at `head_sha`; tells `pull_request.opened`.
    pub fn open_pull_request_of_fork(
        &mut self,
        repository: Id,
        by: Id,
        new: &NewPullRequest,
        head_sha: String,
    ) -> Result<Id, SandboxError> {
        let record = self.world.repositories.get(&repository);
        let base_sha = record.and_then(|record| record.branch(&new.base)).map(str::to_owned);
        let Some(base_sha) = base_sha else {
            return Err(SandboxError::field("PullRequest", "base", "invalid", format!("branch `{}`", new.base)));
        };
        let side = PullRequest {
            id: self.world.take_id(),
            fork_of: Some(by),
            head_ref: new.head.clone(),
            head_sha,
            base_ref: new.base.clone(),
            base_sha,
            draft: new.draft,
            merged: None,
        };
        let id = self.add_issue(repository, by, &new.title, new.body.as_deref(), Some(side))?;
        self.write_pull_reference(id)?;
        self.tell_pull_request("opened", id, by, Vec::new());
        Ok(id)
    }

    /// Opens a pull request; tells `pull_request.opened`.
    pub fn open_pull_request(&mut self, repository: Id, by: Id, new: &NewPullRequest) -> Result<Id, SandboxError> {
        let record = self.world.repositories.get(&repository);
        let record = record.ok_or_else(|| SandboxError::NotFound(format!("repository {repository}")))?;
        let tip = |field: &str, branch: &str| {
            let missing =
                || SandboxError::field("PullRequest", field, "invalid", format!("branch `{branch}` does not exist"));
            record.branch(branch).map(str::to_owned).ok_or_else(missing)
        };
        let (head_sha, base_sha) = (tip("head", &new.head)?, tip("base", &new.base)?);
        if self.git.compare(repository, &base_sha, &head_sha)?.ahead == 0 {
            let message = format!("No commits between {} and {}", new.base, new.head);
            return Err(SandboxError::field("PullRequest", "head", "custom", message));
        }
        let same = |issue: &&Issue| {
            let stands = |side: &PullRequest| side.head_ref == new.head && side.base_ref == new.base;
            issue.repository == repository && issue.closed.is_none() && issue.pull_request.as_ref().is_some_and(stands)
        };
        if self.world.issues.values().any(|issue| same(&issue)) {
            let message = format!("A pull request already exists for {}.", new.head);
            return Err(SandboxError::field("PullRequest", "head", "custom", message));
        }
        let side = PullRequest {
            id: self.world.take_id(),
            fork_of: None,
            head_ref: new.head.clone(),
            head_sha,
            base_ref: new.base.clone(),
            base_sha,
            draft: new.draft,
            merged: None,
        };
        let id = self.add_issue(repository, by, &new.title, new.body.as_deref(), Some(side))?;
        self.write_pull_reference(id)?;
        self.tell_pull_request("opened", id, by, Vec::new());
        Ok(id)
    }

    fn add_issue(
        &mut self,
        repository: Id,
        author: Id,
        title: &str,
        body: Option<&str>,
        pull_request: Option<PullRequest>,
    ) -> Result<Id, SandboxError> {
        if title.trim().is_empty() {
            return Err(SandboxError::field("Issue", "title", "missing_field", "a title is needed"));
        }
        limits::comment_body_or_empty(body.unwrap_or_default())?;
        let (id, now) = (self.world.take_id(), self.now);
        let Some(record) = self.world.repositories.get_mut(&repository) else {
            return Err(SandboxError::NotFound(format!("repository {repository}")));
        };
        let number = record.next_number;
        record.next_number += 1;
        let issue = Issue {
            id,
            repository,
            number,
            title: title.to_owned(),
            body: body.map(str::to_owned),
            author,
            labels: Vec::new(),
            created_at: now,
            updated_at: now,
            closed: None,
            pull_request,
            history: Vec::new(),
        };
        self.world.issues.insert(id, issue);
        Ok(id)
    }

    /// GitHub keeps `refs/pull/N/head` for everyone to fetch.
    fn write_pull_reference(&mut self, issue: Id) -> Result<(), SandboxError> {
        let Some(issue) = self.world.issues.get(&issue) else { return Ok(()) };
        let Some(side) = &issue.pull_request else { return Ok(()) };
        self.git.set_reference(issue.repository, &format!("refs/pull/{}/head", issue.number), &side.head_sha)
    }

    /// Follows a branch that moved: open pull requests from it are synchronised or, when it is gone, closed;
    /// those into it learn of their new base.
    pub(crate) fn move_pull_requests(&mut self, repository: Id, by: Id, branch: &str, tip: Option<&str>) {
        let open = self.world.issues.values().filter(|issue| issue.repository == repository && issue.closed.is_none());
        let open: Vec<_> = open.filter(|issue| issue.pull_request.is_some()).map(|issue| issue.id).collect();
        for id in open {
            let Some(side) = self.world.issues.get(&id).and_then(|issue| issue.pull_request.clone()) else { continue };
            match tip {
                Some(tip) if side.head_ref == branch && side.fork_of.is_none() => {
                    self.synchronize(id, by, &side.head_sha, tip)
                }
                Some(tip) if side.base_ref == branch => self.rebase_record(id, tip),
                None if side.head_ref == branch || side.base_ref == branch => self.close_unmerged(id, by),
                _ => {}
            }
        }
    }

    fn synchronize(&mut self, id: Id, by: Id, before: &str, after: &str) {
        if let Some(side) = self.world.issues.get_mut(&id).and_then(|issue| issue.pull_request.as_mut()) {
            side.head_sha = after.to_owned();
        }
        if let Err(error) = self.write_pull_reference(id) {
            tracing::warn!(%error, "the pull request's reference could not be written");
        }
        self.note(id, by, format!("pushed {}", &after[..after.len().min(7)]));
        let fields = vec![("before", json!(before)), ("after", json!(after))];
        self.tell_pull_request("synchronize", id, by, fields);
    }

    fn rebase_record(&mut self, id: Id, tip: &str) {
        if let Some(side) = self.world.issues.get_mut(&id).and_then(|issue| issue.pull_request.as_mut()) {
            side.base_sha = tip.to_owned();
        }
    }

    fn close_unmerged(&mut self, id: Id, by: Id) {
        let now = self.now;
        if let Some(issue) = self.world.issues.get_mut(&id) {
            issue.closed = Some((now, by));
        }
        self.note(id, by, "closed this");
        self.tell_state("closed", id, by);
    }

    /// Closes an issue or pull request; tells `closed`.
    pub fn close_issue(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        let issue = self.world.issues.get(&id).ok_or_else(|| missing(id))?;
        if issue.closed.is_some() {
            return Err(SandboxError::Conflict(format!("#{} is already closed", issue.number)));
        }
        self.close_unmerged(id, by);
        Ok(())
    }

    /// Opens it again; tells `reopened`.
    pub fn reopen_issue(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        let issue = self.world.issues.get(&id).ok_or_else(|| missing(id))?;
        let merged = issue.pull_request.as_ref().is_some_and(|side| side.merged.is_some());
        if issue.closed.is_none() || merged {
            let why = if merged { "merged" } else { "open" };
            return Err(SandboxError::Conflict(format!("#{} cannot be reopened: it is {why}", issue.number)));
        }
        let tip = issue.pull_request.as_ref().map(|side| {
            let record = self.world.repositories.get(&issue.repository);
            record.and_then(|record| record.branch(&side.head_ref)).map(str::to_owned)
        });
        match tip {
            Some(None) => return Err(SandboxError::invalid("The head branch of this pull request was deleted")),
            Some(Some(tip)) => {
                if let Some(side) = self.world.issues.get_mut(&id).and_then(|issue| issue.pull_request.as_mut()) {
                    side.head_sha = tip;
                }
            }
            None => {}
        }
        if let Some(issue) = self.world.issues.get_mut(&id) {
            issue.closed = None;
        }
        self.note(id, by, "reopened this");
        self.tell_state("reopened", id, by);
        Ok(())
    }

    /// Changes title or body; tells `edited` with what was there before.
    pub fn edit_issue(&mut self, id: Id, by: Id, title: Option<&str>, body: Option<&str>) -> Result<(), SandboxError> {
        let issue = self.world.issues.get_mut(&id).ok_or_else(|| missing(id))?;
        let mut changes = serde_json::Map::new();
        if let Some(title) = title.filter(|title| *title != issue.title) {
            changes.insert("title".to_owned(), json!({"from": issue.title}));
            issue.title = title.to_owned();
        }
        if let Some(body) = body.filter(|body| Some(*body) != issue.body.as_deref()) {
            changes.insert("body".to_owned(), json!({"from": issue.body}));
            issue.body = Some(body.to_owned());
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.note(id, by, "edited this");
        self.tell(id, "edited", by, vec![("changes", Value::Object(changes))]);
        Ok(())
    }

    /// Has a pull request go to another branch; tells `edited` with the former base in `changes`.
    /// Sources: "Update a pull request" (`base`); webhook documentation, `pull_request` (`changes.base`).
    pub fn retarget(&mut self, id: Id, by: Id, base: &str) -> Result<(), SandboxError> {
        let repository = self.world.issues.get(&id).ok_or_else(|| missing(id))?.repository;
        let tip = self.world.repositories.get(&repository).and_then(|it| it.branch(base)).map(str::to_owned);
        let Some(tip) = tip else {
            return Err(SandboxError::invalid(format!("Proposed base branch '{base}' was not found")));
        };
        let side =
            self.world.issues.get_mut(&id).and_then(|issue| issue.pull_request.as_mut()).ok_or_else(|| missing(id))?;
        if side.base_ref == base {
            return Ok(());
        }
        let (branch, sha) = (side.base_ref.clone(), side.base_sha.clone());
        (side.base_ref, side.base_sha) = (base.to_owned(), tip);
        self.note(id, by, "changed the base branch");
        let changes = json!({"base": {"ref": {"from": branch}, "sha": {"from": sha}}});
        self.tell(id, "edited", by, vec![("changes", changes)]);
        Ok(())
    }

    /// Says that a draft is ready; tells `pull_request.ready_for_review`.
    pub fn mark_ready(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        let side =
            self.world.issues.get_mut(&id).and_then(|issue| issue.pull_request.as_mut()).ok_or_else(|| missing(id))?;
        if !std::mem::replace(&mut side.draft, false) {
            return Err(SandboxError::Conflict("this pull request is no draft".to_owned()));
        }
        self.note(id, by, "marked this as ready for review");
        self.tell_pull_request("ready_for_review", id, by, Vec::new());
        Ok(())
    }

    /// Puts a label on, making it in the repository when missing; tells `labeled`.
    pub fn add_label(&mut self, id: Id, by: Id, name: &str) -> Result<(), SandboxError> {
        let issue = self.world.issues.get(&id).ok_or_else(|| missing(id))?;
        if issue.labels.iter().any(|label| label.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        let label = self.ensure_label(issue.repository, name)?;
        if let Some(issue) = self.world.issues.get_mut(&id) {
            issue.labels.push(label.name.clone());
        }
        self.note(id, by, format!("added the label {}", label.name));
        let shape = self.view().label(id_repository(self, id), &label);
        self.tell(id, "labeled", by, vec![("label", shape)]);
        Ok(())
    }

    /// Takes a label off; tells `unlabeled`.
    pub fn remove_label(&mut self, id: Id, by: Id, name: &str) -> Result<(), SandboxError> {
        let issue = self.world.issues.get_mut(&id).ok_or_else(|| missing(id))?;
        let at = issue.labels.iter().position(|label| label.eq_ignore_ascii_case(name));
        let at = at.ok_or_else(|| SandboxError::NotFound(format!("label `{name}` on #{}", issue.number)))?;
        let name = issue.labels.remove(at);
        let label = self.ensure_label(id_repository(self, id), &name)?;
        self.note(id, by, format!("removed the label {name}"));
        let shape = self.view().label(id_repository(self, id), &label);
        self.tell(id, "unlabeled", by, vec![("label", shape)]);
        Ok(())
    }

    /// The repository's label of that name, made when missing.
    pub fn ensure_label(&mut self, repository: Id, name: &str) -> Result<Label, SandboxError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 50 {
            return Err(SandboxError::field("Label", "name", "invalid", "a label has 1 to 50 characters"));
        }
        let id = self.world.take_id();
        let record = self.world.repositories.get_mut(&repository);
        let record = record.ok_or_else(|| SandboxError::NotFound(format!("repository {repository}")))?;
        let label = || Label { id, name: name.to_owned(), color: "ededed".to_owned(), description: None };
        Ok(record.labels.entry(name.to_lowercase()).or_insert_with(label).clone())
    }

    /// Merges with a merge commit, or squashed; tells the push to the base and `closed` with `merged`.
    pub fn merge_pull_request(&mut self, id: Id, by: Id, squash: bool) -> Result<String, SandboxError> {
        let issue = self.world.issues.get(&id).cloned().ok_or_else(|| missing(id))?;
        let side = issue.pull_request.clone().ok_or_else(|| missing(id))?;
        if issue.closed.is_some() || side.draft {
            let why = if side.draft { "a draft" } else { "closed" };
            return Err(SandboxError::Conflict(format!("#{} cannot be merged: it is {why}", issue.number)));
        }
        let tip = self
            .world
            .repositories
            .get(&issue.repository)
            .and_then(|record| record.branch(&side.base_ref))
            .map(str::to_owned);
        let tip = tip.ok_or_else(|| SandboxError::NotFound(format!("branch `{}`", side.base_ref)))?;
        let message = if squash {
            format!("{} (#{})", issue.title, issue.number)
        } else {
            format!("Merge pull request #{} from {}\n\n{}", issue.number, side.head_ref, issue.title)
        };
        let author = self.author(by);
        let files = Files::new();
        let parents = [tip, side.head_sha.clone()];
        let new = NewCommit {
            branch: &side.base_ref,
            parents: &parents,
            files: &files,
            message: &message,
            author: &author,
            at: self.now,
        };
        let sha = self.git.merge(issue.repository, &new, squash)?;
        let now = self.now;
        if let Some(issue) = self.world.issues.get_mut(&id) {
            issue.closed = Some((now, by));
            if let Some(side) = &mut issue.pull_request {
                side.merged = Some((now, by, sha.clone()));
            }
        }
        self.note(id, by, format!("merged this as {}", &sha[..7]));
        self.observe_references(issue.repository, by)?;
        self.tell_state("closed", id, by);
        Ok(sha)
    }

    /// The commit author that an account is.
    pub fn author(&self, account: Id) -> Author {
        let account = self.world.accounts.get(&account);
        let unknown = || Author { name: "ghost".to_owned(), email: "ghost@users.noreply.sandbox.test".to_owned() };
        account.map_or_else(unknown, |account| Author { name: account.login.clone(), email: account.email() })
    }

    fn tell_state(&mut self, action: &'static str, id: Id, by: Id) {
        self.tell(id, action, by, Vec::new());
    }

    fn tell(&mut self, id: Id, action: &'static str, by: Id, fields: super::change::Fields) {
        let is_pull_request = self.world.issues.get(&id).is_some_and(|issue| issue.pull_request.is_some());
        if is_pull_request {
            self.tell_pull_request(action, id, by, fields);
        } else {
            self.tell_issue(action, id, by, fields);
        }
    }

    fn tell_issue(&mut self, action: &'static str, id: Id, by: Id, more: super::change::Fields) {
        let Some(issue) = self.world.issues.get(&id).cloned() else { return };
        let mut fields = vec![("issue", self.view().issue_for_webhook(&issue))];
        fields.extend(more);
        self.emit("issues", Some(action), issue.repository, by, fields);
    }

    fn tell_pull_request(&mut self, action: &'static str, id: Id, by: Id, more: super::change::Fields) {
        let Some(issue) = self.world.issues.get(&id).cloned() else { return };
        let mut fields = vec![("number", json!(issue.number)), ("pull_request", self.view().pull_request(&issue))];
        fields.extend(more);
        self.emit("pull_request", Some(action), issue.repository, by, fields);
    }
}

fn id_repository(change: &Change<'_>, issue: Id) -> Id {
    change.world.issues.get(&issue).map_or(0, |issue| issue.repository)
}

fn missing(id: Id) -> SandboxError {
    SandboxError::NotFound(format!("issue or pull request {id}"))
}
