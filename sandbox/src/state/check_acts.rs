//! What can be done with check runs, and the rules GitHub documents for it.
//! Sources: GitHub REST documentation, "Check runs" and "Check suites"; "About checks" for staleness.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Annotation, Change, CheckAction, CheckRun, CheckSuite, Id, Permission};
use crate::error::SandboxError;
use crate::limits;

/// Statuses an App may set. Source: "Create a check run".
const STATUSES: [&str; 6] = ["queued", "in_progress", "completed", "waiting", "requested", "pending"];
/// Conclusions an App may set; `stale` is GitHub's own. Source: "Create a check run".
const CONCLUSIONS: [&str; 7] =
    ["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"];

/// The fields of a create or update request; absent ones stay.
#[derive(Debug, Clone, Default)]
pub struct CheckRunChange {
    /// A new name.
    pub name: Option<String>,
    /// A new address to read more.
    pub details_url: Option<String>,
    /// The App's own reference.
    pub external_id: Option<String>,
    /// A new status.
    pub status: Option<String>,
    /// A conclusion; it completes the run.
    pub conclusion: Option<String>,
    /// When work began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// What to show.
    pub output: Option<OutputChange>,
    /// The buttons; replaces those before.
    pub actions: Option<Vec<CheckAction>>,
}

/// The `output` object of a request.
#[derive(Debug, Clone, Default)]
pub struct OutputChange {
    /// A heading.
    pub title: Option<String>,
    /// Markdown.
    pub summary: Option<String>,
    /// Markdown.
    pub text: Option<String>,
    /// Appended to those that are there.
    pub annotations: Vec<Annotation>,
    /// Appended as given.
    pub images: Vec<Value>,
}

impl Change<'_> {
    /// The suite of an App for a commit, made when missing.
    pub fn ensure_suite(
        &mut self,
        repository: Id,
        app: Id,
        head_sha: &str,
        branch: Option<&str>,
        before: Option<&str>,
    ) -> (Id, bool) {
        let mut suites = self.world.suites.values();
        let there =
            suites.find(|suite| suite.repository == repository && suite.app == app && suite.head_sha == head_sha);
        if let Some(there) = there {
            return (there.id, false);
        }
        let (id, now) = (self.world.take_id(), self.now);
        let suite = CheckSuite {
            id,
            repository,
            app,
            head_sha: head_sha.to_owned(),
            head_branch: branch.map(str::to_owned),
            before: before.map(str::to_owned),
            created_at: now,
            updated_at: now,
        };
        self.world.suites.insert(id, suite);
        (id, true)
    }

    /// Makes a check run; tells `check_run.created`, and `completed` when it already is.
    pub fn create_check_run(
        &mut self,
        repository: Id,
        app: Id,
        head_sha: &str,
        change: CheckRunChange,
    ) -> Result<Id, SandboxError> {
        let known = self.git.commit_facts(repository, head_sha);
        known.map_err(|_| SandboxError::invalid(format!("No commit found for SHA: {head_sha}")))?;
        let name = change.name.clone().filter(|name| !name.trim().is_empty());
        let Some(name) = name else {
            return Err(SandboxError::invalid("Invalid request.\n\n\"name\" wasn't supplied."));
        };
        check_change(&change, None)?;
        let branch = self.branch_at(repository, head_sha);
        let (suite, _) = self.ensure_suite(repository, app, head_sha, branch.as_deref(), None);
        let (id, now) = (self.world.take_id(), self.now);
        let mut run = CheckRun {
            id,
            suite,
            repository,
            app,
            head_sha: head_sha.to_owned(),
            name,
            external_id: String::new(),
            details_url: None,
            status: "queued".to_owned(),
            conclusion: None,
            started_at: Some(now),
            completed_at: None,
            title: None,
            summary: None,
            text: None,
            images: Vec::new(),
            annotations: Vec::new(),
            actions: Vec::new(),
            created_at: now,
            history: Vec::new(),
        };
        apply(&mut run, change, now);
        let completed = run.is_completed();
        self.world.check_runs.insert(id, run);
        self.forget_oldest_runs(suite, id);
        let bot = self.world.app_by_id(app).bot;
        self.tell_check_run("created", id, bot, None);
        if completed {
            self.tell_check_run("completed", id, bot, None);
            self.tell_suite_if_completed(suite, bot);
        }
        Ok(id)
    }

    /// Changes a check run of `app`'s; tells `check_run.completed` when this ends it.
    ///
    /// A completed run stays completed: the sandbox refuses to reopen one, where GitHub's behaviour
    /// is not documented and people would lose the buttons that they see.
    pub fn update_check_run(&mut self, id: Id, app: Id, change: CheckRunChange) -> Result<(), SandboxError> {
        let now = self.now;
        let run = self.world.check_runs.get_mut(&id).ok_or_else(|| missing(id))?;
        if run.app != app {
            return Err(SandboxError::Forbidden(
                "Invalid app_id `check_run` can only be modified by the GitHub App that created it.".to_owned(),
            ));
        }
        check_change(&change, Some(run))?;
        let was_completed = run.is_completed();
        apply(run, change, now);
        let (completed, suite) = (run.is_completed(), run.suite);
        if let Some(suite) = self.world.suites.get_mut(&suite) {
            suite.updated_at = now;
        }
        self.touch();
        if completed && !was_completed {
            let bot = self.world.app_by_id(app).bot;
            self.tell_check_run("completed", id, bot, None);
            self.tell_suite_if_completed(suite, bot);
        }
        Ok(())
    }

    /// Presses a button; tells `check_run.requested_action`. Only people with write access see buttons.
    pub fn press_button(&mut self, id: Id, by: Id, identifier: &str) -> Result<(), SandboxError> {
        let run = self.world.check_runs.get(&id).ok_or_else(|| missing(id))?;
        if self.world.permission(run.repository, by) < Permission::Write {
            return Err(SandboxError::Forbidden(
                "Only people with write access may press a check run's buttons".to_owned(),
            ));
        }
        if !run.is_completed() {
            return Err(SandboxError::Conflict(format!("`{}` shows no buttons: it is {}", run.name, run.status)));
        }
        if !run.actions.iter().any(|action| action.identifier == identifier) {
            let there: Vec<_> = run.actions.iter().map(|action| action.identifier.as_str()).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            return Err(SandboxError::NotFound(format!("button `{identifier}` on `{}` (there is: {there})", run.name)));
        }
        self.tell_check_run("requested_action", id, by, Some(identifier));
        Ok(())
    }

    /// Asks for a run again; tells `check_run.rerequested`. The run itself stays as it is.
    pub fn rerequest_check_run(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        if !self.world.check_runs.contains_key(&id) {
            return Err(missing(id));
        }
        self.tell_check_run("rerequested", id, by, None);
        Ok(())
    }

    /// Asks for a whole suite again; tells `check_suite.rerequested`.
    pub fn rerequest_suite(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        if !self.world.suites.contains_key(&id) {
            return Err(SandboxError::NotFound(format!("check suite {id}")));
        }
        self.tell_suite("rerequested", id, by);
        Ok(())
    }

    /// Ends what has been incomplete for 14 days as `stale`.
    pub fn expire_check_runs(&mut self) {
        let limit = SignedDuration::from_hours(24 * limits::STALE_AFTER_DAYS);
        let now = self.now;
        let old = |run: &&CheckRun| !run.is_completed() && now.duration_since(run.created_at) > limit;
        let stale: Vec<_> = self.world.check_runs.values().filter(old).map(|run| (run.id, run.app)).collect();
        for (id, app) in stale {
            if let Some(run) = self.world.check_runs.get_mut(&id) {
                run.status = "completed".to_owned();
                run.conclusion = Some("stale".to_owned());
                run.completed_at = Some(now);
                run.history.push(run.version(now));
            }
            let bot = self.world.app_by_id(app).bot;
            self.tell_check_run("completed", id, bot, None);
        }
    }

    fn branch_at(&self, repository: Id, sha: &str) -> Option<String> {
        let repository = self.world.repositories.get(&repository)?;
        let found = repository.branches().find(|(_, tip)| *tip == sha);
        found.map(|(name, _)| name.to_owned())
    }

    /// Of one name in one suite the oldest go when there are too many.
    fn forget_oldest_runs(&mut self, suite: Id, newest: Id) {
        let Some(name) = self.world.check_runs.get(&newest).map(|run| run.name.clone()) else { return };
        let same = self.world.runs_of_suite(suite).filter(|run| run.name == name).map(|run| run.id);
        let same: Vec<_> = same.collect();
        let surplus = same.len().saturating_sub(limits::CHECK_RUNS_OF_ONE_NAME);
        for id in &same[..surplus] {
            self.world.check_runs.remove(id);
        }
    }

    pub(crate) fn tell_check_run(&mut self, action: &'static str, id: Id, by: Id, button: Option<&str>) {
        let Some(run) = self.world.check_runs.get(&id).cloned() else { return };
        let mut fields = vec![("check_run", self.view().check_run_for_webhook(&run))];
        if let Some(identifier) = button {
            fields.push(("requested_action", json!({"identifier": identifier})));
        }
        self.emit_for_app("check_run", Some(action), run.app, run.repository, by, fields);
    }

    pub(crate) fn tell_suite(&mut self, action: &'static str, id: Id, by: Id) {
        let Some(suite) = self.world.suites.get(&id).cloned() else { return };
        let fields = vec![("check_suite", self.view().check_suite(&suite))];
        self.emit_for_app("check_suite", Some(action), suite.app, suite.repository, by, fields);
    }

    fn tell_suite_if_completed(&mut self, suite: Id, by: Id) {
        if self.world.suite_state(suite).0 == "completed" {
            self.tell_suite("completed", suite, by);
        }
    }
}

fn missing(id: Id) -> SandboxError {
    SandboxError::NotFound(format!("check run {id}"))
}

fn apply(run: &mut CheckRun, change: CheckRunChange, now: Timestamp) {
    if let Some(name) = change.name {
        run.name = name;
    }
    run.details_url = change.details_url.or_else(|| run.details_url.take());
    if let Some(external_id) = change.external_id {
        run.external_id = external_id;
    }
    if let Some(status) = change.status {
        run.status = status;
    }
    run.started_at = change.started_at.or(run.started_at);
    if let Some(conclusion) = change.conclusion {
        run.conclusion = Some(conclusion);
        run.status = "completed".to_owned();
    }
    if run.is_completed() {
        run.completed_at = change.completed_at.or(run.completed_at).or(Some(now));
    }
    if let Some(output) = change.output {
        run.title = output.title.or_else(|| run.title.take());
        run.summary = output.summary.or_else(|| run.summary.take());
        run.text = output.text.or_else(|| run.text.take());
        run.annotations.extend(output.annotations);
        run.images.extend(output.images);
    }
    if let Some(actions) = change.actions {
        run.actions = actions;
    }
    run.history.push(run.version(now));
}

fn check_change(change: &CheckRunChange, run: Option<&CheckRun>) -> Result<(), SandboxError> {
    one_of("status", change.status.as_deref(), &STATUSES)?;
    one_of("conclusion", change.conclusion.as_deref(), &CONCLUSIONS)?;
    let completes = change.status.as_deref() == Some("completed");
    if completes && change.conclusion.is_none() && run.is_none_or(|run| run.conclusion.is_none()) {
        return Err(SandboxError::invalid(
            "Invalid request.\n\nA conclusion is required when the status is \"completed\".",
        ));
    }
    if change.conclusion.is_some() && change.status.as_deref().is_some_and(|status| status != "completed") {
        return Err(SandboxError::invalid("Invalid request.\n\nOnly a completed check run has a conclusion."));
    }
    let reopens = change.status.as_deref().is_some_and(|status| status != "completed");
    if reopens && run.is_some_and(CheckRun::is_completed) {
        return Err(SandboxError::invalid("A completed check run cannot be reopened; create a new one."));
    }
    if let Some(output) = &change.output {
        if output.summary.is_none() {
            return Err(SandboxError::invalid("Invalid request.\n\n\"summary\" wasn't supplied."));
        }
        if run.is_none() && output.title.is_none() {
            return Err(SandboxError::invalid("Invalid request.\n\n\"title\" wasn't supplied."));
        }
        limits::check_output(output)?;
    }
    limits::check_actions(change.actions.as_deref().unwrap_or_default())
}

fn one_of(field: &str, word: Option<&str>, allowed: &[&str]) -> Result<(), SandboxError> {
    match word {
        Some(word) if !allowed.contains(&word) => {
            let message = format!(
                "Invalid request.\n\n`{word}` is not a possible value for `{field}`: it must be one of {}.",
                allowed.join(", ")
            );
            Err(SandboxError::invalid(message))
        }
        _ => Ok(()),
    }
}
