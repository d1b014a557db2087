//! What people do, by name: the programmatic side of the sandbox, used by tests, scenarios and the page.
//! Every deed checks that the person may do it, as GitHub's own pages would.

mod actions;
mod preparation;
mod questions;

use std::collections::BTreeMap;

use crate::error::SandboxError;
use crate::git::{FileContent, Files, NewCommit};
use crate::hub::Hub;
use crate::state::{Change, CheckRunChange, Id, NewPullRequest, Permission, ReviewState, Subject};

/// A pull request to be opened by a person, with the branch and files that it brings.
#[derive(Debug, Clone, Default)]
pub struct OpenPullRequest {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: Option<String>,
    /// The branch to be merged; made from `base` when missing.
    pub head: String,
    /// The branch to merge into; empty means the default branch.
    pub base: String,
    /// Labels to put on once it is open.
    pub labels: Vec<String>,
    /// Files to commit onto `head` first; `None` deletes.
    pub files: BTreeMap<String, Option<String>>,
    /// Whether it is a draft.
    pub draft: bool,
}

impl Hub {
    /// Commits files onto a branch in a person's name and pushes; a missing branch starts at the default branch.
    pub fn push(
        &self,
        repository: &str,
        by: &str,
        branch: &str,
        message: &str,
        files: &BTreeMap<String, Option<String>>,
    ) -> Result<String, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            change.push_files(id, (person, person), branch, None, message, files)
        })
    }

    /// The same with a commit that bears another person's name: git lets anybody write any.
    pub fn push_in_the_name_of(
        &self,
        repository: &str,
        (by, author): (&str, &str),
        branch: &str,
        message: &str,
        files: &BTreeMap<String, Option<String>>,
    ) -> Result<String, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            let author = change.world.account(author)?.id;
            change.push_files(id, (person, author), branch, None, message, files)
        })
    }

    /// Replaces the branch's tip: a commit on its parent instead of on itself, pushed by force.
    pub fn force_push(
        &self,
        repository: &str,
        by: &str,
        branch: &str,
        message: &str,
        files: &BTreeMap<String, Option<String>>,
    ) -> Result<String, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            let tip = change.git.resolve(id, branch)?;
            let parents = change.git.commit_facts(id, &tip)?.parents;
            let parent = parents
                .first()
                .cloned()
                .ok_or_else(|| SandboxError::invalid("the first commit has nothing before it"))?;
            change.push_files(id, (person, person), branch, Some(parent), message, files)
        })
    }

    /// Makes a branch at another branch, tag or commit.
    pub fn create_branch(&self, repository: &str, by: &str, branch: &str, from: &str) -> Result<String, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            let sha = change.git.resolve(id, from)?;
            change.git.set_reference(id, &format!("refs/heads/{branch}"), &sha)?;
            change.observe_references(id, person)?;
            Ok(sha)
        })
    }

    /// Deletes a branch; open pull requests from it are closed.
    pub fn delete_branch(&self, repository: &str, by: &str, branch: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            change.git.delete_reference(id, &format!("refs/heads/{branch}"))?;
            change.observe_references(id, person)
        })
    }

    /// Moves any reference (`refs/…`) to a commit, wherever it stands, or takes it away: what `git push --force` does.
    pub fn move_reference(
        &self,
        repository: &str,
        by: &str,
        name: &str,
        commit: Option<&str>,
    ) -> Result<(), SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            match commit {
                Some(commit) => change.git.set_reference(id, name, commit)?,
                None => change.git.delete_reference(id, name)?,
            }
            change.observe_references(id, person)
        })
    }

    /// The commit at which a reference (`refs/…`) stands.
    pub fn reference(&self, repository: &str, name: &str) -> Result<Option<String>, SandboxError> {
        self.read(|view| Ok(view.world.repository(repository)?.references.get(name).cloned()))
    }

    /// Whether GitHub has signed a commit.
    pub fn is_signed(&self, commit: &str) -> bool {
        self.read(|view| view.world.signed_commits.contains(commit))
    }

    /// Where the bare repository lies.
    pub fn folder_of(&self, repository: &str) -> Result<std::path::PathBuf, SandboxError> {
        self.read(|view| Ok(view.git.path(view.world.repository(repository)?.id)))
    }

    /// Looks at the bare repository for what changed there without the sandbox.
    pub fn observe(&self, repository: &str, by: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            change.observe_references(id, person)
        })
    }

    /// Pushes the files to the head branch, opens the pull request, puts the labels on; returns its number.
    pub fn open_pull_request(&self, repository: &str, by: &str, new: &OpenPullRequest) -> Result<u64, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            let default = change.world.repository(repository)?.default_branch.clone();
            let base = if new.base.is_empty() { default } else { new.base.clone() };
            if !new.files.is_empty() {
                let tip = change.world.repositories.get(&id).and_then(|it| it.branch(&new.head)).map(str::to_owned);
                let from = match tip {
                    Some(_) => None,
                    None => Some(change.git.resolve(id, &base)?),
                };
                change.push_files(id, (person, person), &new.head, from, &new.title, &new.files)?;
            }
            let opened = NewPullRequest {
                title: new.title.clone(),
                body: new.body.clone(),
                head: new.head.clone(),
                base,
                draft: new.draft,
            };
            let issue = change.open_pull_request(id, person, &opened)?;
            for label in &new.labels {
                change.add_label(issue, person, label)?;
            }
            Ok(change.world.issues.get(&issue).map_or(0, |issue| issue.number))
        })
    }

    /// The same from a fork of the person's own: no permission is needed but to see the repository, and nothing is pushed
    /// to it.
    pub fn open_pull_request_from_fork(
        &self,
        repository: &str,
        by: &str,
        new: &OpenPullRequest,
    ) -> Result<u64, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Read)?;
            let base = change.world.repository(repository)?.default_branch.clone();
            let files: Files =
                new.files.iter().map(|(path, text)| (path.clone(), text.as_deref().map(FileContent::from))).collect();
            let (parents, author) = (vec![change.git.resolve(id, &base)?], change.author(person));
            // It lies on a branch for no longer than until it has its place below `refs/pull/`: nobody sees it there.
            let branch = format!("fork-of-{by}");
            let (message, at) = (new.title.as_str(), change.now);
            let commit = NewCommit { branch: &branch, parents: &parents, files: &files, message, author: &author, at };
            let head_sha = change.git.commit(id, &commit)?;
            let opened = NewPullRequest {
                title: new.title.clone(),
                body: new.body.clone(),
                head: new.head.clone(),
                base,
                draft: new.draft,
            };
            let issue = change.open_pull_request_of_fork(id, person, &opened, head_sha);
            change.git.delete_reference(id, &format!("refs/heads/{branch}"))?;
            Ok(change.world.issues.get(&issue?).map_or(0, |issue| issue.number))
        })
    }

    /// Opens an issue; returns its number.
    pub fn open_issue(&self, repository: &str, by: &str, title: &str, body: Option<&str>) -> Result<u64, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Read)?;
            let issue = change.open_issue(id, person, title, body)?;
            Ok(change.world.issues.get(&issue).map_or(0, |issue| issue.number))
        })
    }

    /// Comments; returns the comment's id.
    pub fn comment(&self, repository: &str, by: &str, number: u64, body: &str) -> Result<Id, SandboxError> {
        self.in_issue(repository, by, number, Permission::Read, |change, issue, person| {
            change.create_comment(issue, person, None, body)
        })
    }

    /// Changes a comment: one's own, or anybody's with write access.
    pub fn edit_comment(&self, repository: &str, by: &str, comment: Id, body: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let person = change.may_change_comment(repository, by, comment)?;
            change.edit_comment(comment, person, body)
        })
    }

    /// Deletes a comment: one's own, or anybody's with write access.
    pub fn delete_comment(&self, repository: &str, by: &str, comment: Id) -> Result<(), SandboxError> {
        self.change(|change| {
            let person = change.may_change_comment(repository, by, comment)?;
            change.delete_comment(comment, person)
        })
    }

    /// Reviews the present head; returns the review's id.
    pub fn review(
        &self,
        repository: &str,
        by: &str,
        number: u64,
        state: ReviewState,
        body: &str,
    ) -> Result<Id, SandboxError> {
        self.in_issue(repository, by, number, Permission::Read, |change, issue, person| {
            change.submit_review(issue, person, state, body, None)
        })
    }

    /// Changes the words of a review: one's own, or anybody's with write permission.
    pub fn edit_review(&self, by: &str, review: Id, body: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let person = change.world.account(by)?.id;
            let known = change.world.reviews.get(&review).map(|review| (review.author, review.issue));
            if let Some((author, issue)) = known
                && author != person
            {
                let repository = change.world.issues.get(&issue).map_or(0, |issue| issue.repository);
                if change.world.permission(repository, person) < Permission::Write {
                    let message = "Only its author and people with write access edit a review";
                    return Err(SandboxError::Forbidden(message.to_owned()));
                }
            }
            change.edit_review(review, person, body)
        })
    }

    /// Takes a review back.
    pub fn dismiss_review(&self, by: &str, review: Id, message: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let person = change.world.account(by)?.id;
            change.dismiss_review(review, person, message)
        })
    }

    /// Puts a label on.
    pub fn label(&self, repository: &str, by: &str, number: u64, label: &str) -> Result<(), SandboxError> {
        self.in_issue(repository, by, number, Permission::Triage, |change, issue, person| {
            change.add_label(issue, person, label)
        })
    }

    /// Takes a label off.
    pub fn unlabel(&self, repository: &str, by: &str, number: u64, label: &str) -> Result<(), SandboxError> {
        self.in_issue(repository, by, number, Permission::Triage, |change, issue, person| {
            change.remove_label(issue, person, label)
        })
    }

    /// Changes title or body.
    pub fn edit_issue(
        &self,
        repository: &str,
        by: &str,
        number: u64,
        title: Option<&str>,
        body: Option<&str>,
    ) -> Result<(), SandboxError> {
        self.in_issue(repository, by, number, Permission::Write, |change, issue, person| {
            change.edit_issue(issue, person, title, body)
        })
    }

    /// Has a pull request go to another branch.
    pub fn retarget(&self, repository: &str, by: &str, number: u64, base: &str) -> Result<(), SandboxError> {
        self.in_issue(repository, by, number, Permission::Write, |change, issue, person| {
            change.retarget(issue, person, base)
        })
    }

    /// Says that a draft is ready.
    pub fn mark_ready(&self, repository: &str, by: &str, number: u64) -> Result<(), SandboxError> {
        self.in_issue(repository, by, number, Permission::Write, |change, issue, person| {
            change.mark_ready(issue, person)
        })
    }

    /// Closes an issue or pull request.
    pub fn close(&self, repository: &str, by: &str, number: u64) -> Result<(), SandboxError> {
        self.in_issue(repository, by, number, Permission::Triage, |change, issue, person| {
            change.close_issue(issue, person)
        })
    }

    /// Opens it again.
    pub fn reopen(&self, repository: &str, by: &str, number: u64) -> Result<(), SandboxError> {
        self.in_issue(repository, by, number, Permission::Triage, |change, issue, person| {
            change.reopen_issue(issue, person)
        })
    }

    /// Merges with a merge commit; returns it.
    pub fn merge(&self, repository: &str, by: &str, number: u64) -> Result<String, SandboxError> {
        self.in_issue(repository, by, number, Permission::Write, |change, issue, person| {
            change.merge_pull_request(issue, person, false)
        })
    }

    /// Reacts to a comment.
    pub fn react(&self, by: &str, comment: Id, content: &str) -> Result<Id, SandboxError> {
        self.change(|change| {
            let person = change.world.account(by)?.id;
            change.react(Subject::Comment(comment), person, content).map(|(id, _)| id)
        })
    }

    /// Presses a check run's button.
    pub fn press(&self, by: &str, check_run: Id, button: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let person = change.world.account(by)?.id;
            change.press_button(check_run, person, button)
        })
    }

    /// Asks for a check run again.
    pub fn rerequest(&self, by: &str, check_run: Id) -> Result<(), SandboxError> {
        self.change(|change| {
            let repository = change.world.check_runs.get(&check_run).map_or(0, |run| run.repository);
            let person = change.may_ask_again(repository, by)?;
            change.rerequest_check_run(check_run, person)
        })
    }

    /// Asks for a whole check suite again, with GitHub's *Re-run all checks*.
    pub fn rerequest_suite(&self, by: &str, suite: Id) -> Result<(), SandboxError> {
        self.change(|change| {
            let repository = change.world.suites.get(&suite).map_or(0, |suite| suite.repository);
            let person = change.may_ask_again(repository, by)?;
            change.rerequest_suite(suite, person)
        })
    }

    /// Makes a check run of another App, to see that nobody else changes it.
    pub fn create_foreign_check_run(&self, repository: &str, head_sha: &str, name: &str) -> Result<Id, SandboxError> {
        self.change(|change| {
            let repository = change.world.repository(repository)?.id;
            let app = change.world.other_app.id;
            let run = CheckRunChange {
                name: Some(name.to_owned()),
                status: Some("in_progress".to_owned()),
                ..CheckRunChange::default()
            };
            change.create_check_run(repository, app, head_sha, run)
        })
    }

    fn in_issue<T>(
        &self,
        repository: &str,
        by: &str,
        number: u64,
        least: Permission,
        act: impl FnOnce(&mut Change<'_>, Id, Id) -> Result<T, SandboxError>,
    ) -> Result<T, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, least)?;
            let issue = change.world.issue(id, number)?;
            // An author may do to their own pull request what others need a role for.
            let (issue, own) = (issue.id, issue.author == person);
            if !own && change.world.permission(id, person) < least {
                return Err(SandboxError::Forbidden(format!("{by} needs {} access to {repository}", least.role())));
            }
            act(change, issue, person)
        })
    }
}

impl Change<'_> {
    /// The repository and the person, who must be able to see it; `least` is what the deed asks for.
    fn person_in(&self, repository: &str, login: &str, least: Permission) -> Result<(Id, Id), SandboxError> {
        let id = self.world.repository(repository)?.id;
        let person = self.world.account(login)?.id;
        let has = self.world.permission(id, person);
        // Authors are let through to their own: the deed itself looks closer.
        let needed = if least == Permission::Write || least == Permission::Triage { Permission::Read } else { least };
        let open = !self.world.repositories.get(&id).is_some_and(|it| it.private);
        if has < needed && !open {
            return Err(SandboxError::Forbidden(format!("{login} cannot see {repository}")));
        }
        Ok((id, person))
    }

    fn may_ask_again(&self, repository: Id, login: &str) -> Result<Id, SandboxError> {
        let person = self.world.account(login)?.id;
        if self.world.permission(repository, person) < Permission::Write {
            return Err(SandboxError::Forbidden("Only people with write access re-run checks".to_owned()));
        }
        Ok(person)
    }

    fn may_change_comment(&self, repository: &str, login: &str, comment: Id) -> Result<Id, SandboxError> {
        let (id, person) = self.person_in(repository, login, Permission::Read)?;
        let own = self.world.comments.get(&comment).is_some_and(|comment| comment.author == person);
        if !own && self.world.permission(id, person) < Permission::Write {
            return Err(SandboxError::Forbidden(format!(
                "{login} needs write access to change somebody else's comment"
            )));
        }
        Ok(person)
    }

    fn push_files(
        &mut self,
        repository: Id,
        (by, author): (Id, Id),
        branch: &str,
        onto: Option<String>,
        message: &str,
        files: &BTreeMap<String, Option<String>>,
    ) -> Result<String, SandboxError> {
        if self.world.permission(repository, by) < Permission::Write {
            return Err(SandboxError::Forbidden("Pushing needs write access".to_owned()));
        }
        let record = self
            .world
            .repositories
            .get(&repository)
            .ok_or_else(|| SandboxError::NotFound("the repository".to_owned()))?;
        let parent =
            onto.or_else(|| record.branch(branch).or_else(|| record.branch(&record.default_branch)).map(str::to_owned));
        let parents: Vec<String> = parent.into_iter().collect();
        let files: Files =
            files.iter().map(|(path, text)| (path.clone(), text.as_deref().map(FileContent::from))).collect();
        let author = self.author(author);
        let new = NewCommit { branch, parents: &parents, files: &files, message, author: &author, at: self.now };
        let sha = self.git.commit(repository, &new)?;
        self.observe_references(repository, by)?;
        Ok(sha)
    }
}
