//! What can be done with workflows, deployments and the merge queue, and what GitHub tells of it.
//! Sources: REST documentation, "Workflows", "Workflow runs"; webhook documentation, `workflow_run`,
//! `deployment_protection_rule`, `repository_dispatch`, `merge_group`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::workflow::{Artifact, PendingDeployment, WorkflowFile, WorkflowRun};
use super::{Change, Id};
use crate::error::SandboxError;
use crate::git::{Content, Files, NewCommit};

/// Inputs of a dispatch. Source: OpenAPI, `maxProperties`.
const MOST_INPUTS: usize = 25;
/// Keys of a `client_payload`. Source: OpenAPI, `maxProperties`.
const MOST_PAYLOAD_KEYS: usize = 10;
/// How a run may end. Source: webhook documentation, `workflow_run`.
const CONCLUSIONS: [&str; 9] = [
    "success",
    "failure",
    "neutral",
    "cancelled",
    "timed_out",
    "action_required",
    "stale",
    "skipped",
    "startup_failure",
];

impl Change<'_> {
    /// Dispatches a workflow by its file's name; gives the run's id.
    pub fn dispatch_workflow(
        &mut self,
        repository: Id,
        by: Id,
        file: &str,
        reference: &str,
        given: &BTreeMap<String, String>,
    ) -> Result<Id, SandboxError> {
        let record = self.world.repositories.get(&repository);
        let default = record.map(|record| record.default_branch.clone()).unwrap_or_default();
        let path = format!(".github/workflows/{file}");
        let missing = || SandboxError::NotFound(format!("workflow `{file}`"));
        // GitHub knows workflows by the default branch. Source: "Manually running a workflow".
        let tip = self.git.resolve(repository, &default).map_err(|_| missing())?;
        self.git.content(repository, &tip, &path).map_err(|_| missing())?;
        if given.len() > MOST_INPUTS {
            return Err(SandboxError::invalid("Invalid request.\n\nToo many inputs provided, the maximum is 25."));
        }
        let no_reference = || SandboxError::invalid(format!("No ref found for: {reference}"));
        let is_reference = record.is_some_and(|record| {
            let named = |prefix: &str| record.references.contains_key(&format!("{prefix}{reference}"));
            named("refs/heads/") || named("refs/tags/") || named("")
        });
        if !is_reference {
            return Err(no_reference());
        }
        let head_branch = reference.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/").to_owned();
        let head_sha = self.git.resolve(repository, &head_branch).map_err(|_| no_reference())?;
        let content = self.git.content(repository, &head_sha, &path).map_err(|_| missing())?;
        let Content::File { bytes, .. } = content else { return Err(missing()) };
        let workflow = WorkflowFile::read(file, &bytes);
        let inputs = workflow.inputs(given).map_err(SandboxError::invalid)?;
        let (title, name) = (workflow.title(&inputs), workflow.name);
        let run = NewRun { file, name, title, event: "workflow_dispatch", status: "queued", head_branch, head_sha };
        Ok(self.new_run(repository, by, run, inputs))
    }

    fn new_run(&mut self, repository: Id, by: Id, new: NewRun<'_>, inputs: BTreeMap<String, String>) -> Id {
        let actions = self.world.other_app.id;
        let (suite, _) = self.ensure_suite(repository, actions, &new.head_sha, Some(&new.head_branch), None);
        let number = 1 + self.world.workflow_runs_of(repository).filter(|run| run.file == new.file).count() as u64;
        let (id, now) = (self.world.take_id(), self.now);
        let run = WorkflowRun {
            id,
            repository,
            file: new.file.to_owned(),
            name: new.name,
            number,
            title: new.title,
            event: new.event.to_owned(),
            status: new.status.to_owned(),
            conclusion: None,
            head_branch: new.head_branch,
            head_sha: new.head_sha,
            actor: by,
            inputs,
            suite,
            artifacts: Vec::new(),
            deployments: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        self.world.workflow_runs.insert(id, run);
        self.tell_workflow_run("requested", id, by);
        id
    }

    /// A run goes on.
    pub fn start_workflow_run(&mut self, id: Id) -> Result<(), SandboxError> {
        let actor = self.open_run(id)?.actor;
        self.set_run(id, "in_progress", None);
        self.tell_workflow_run("in_progress", id, actor);
        Ok(())
    }

    /// A run ends.
    pub fn end_workflow_run(&mut self, id: Id, conclusion: &str) -> Result<(), SandboxError> {
        let actor = self.open_run(id)?.actor;
        if !CONCLUSIONS.contains(&conclusion) {
            return Err(SandboxError::invalid(format!("`{conclusion}` is no conclusion of a workflow run")));
        }
        self.set_run(id, "completed", Some(conclusion));
        self.tell_workflow_run("completed", id, actor);
        Ok(())
    }

    fn open_run(&self, id: Id) -> Result<&WorkflowRun, SandboxError> {
        let run = self.world.workflow_runs.get(&id);
        let run = run.ok_or_else(|| SandboxError::NotFound(format!("workflow run {id}")))?;
        if run.is_completed() {
            return Err(SandboxError::Conflict("Cannot cancel a workflow run that is completed.".to_owned()));
        }
        Ok(run)
    }

    fn set_run(&mut self, id: Id, status: &str, conclusion: Option<&str>) {
        let now = self.now;
        if let Some(run) = self.world.workflow_runs.get_mut(&id) {
            run.status = status.to_owned();
            run.conclusion = conclusion.map(str::to_owned);
            run.updated_at = now;
        }
        self.touch();
    }

    /// A run keeps an archive under a name.
    pub fn keep_artifact(&mut self, run: Id, name: &str, archive: Vec<u8>) -> Result<Id, SandboxError> {
        let (id, created_at) = (self.world.take_id(), self.now);
        let run = self.world.workflow_runs.get_mut(&run);
        let run = run.ok_or_else(|| SandboxError::NotFound("workflow run".to_owned()))?;
        run.artifacts.push(Artifact { id, name: name.to_owned(), archive, expired: false, created_at });
        self.touch();
        Ok(id)
    }

    fn tell_workflow_run(&mut self, action: &'static str, id: Id, by: Id) {
        let Some(run) = self.world.workflow_runs.get(&id).cloned() else { return };
        let view = self.view();
        let fields = vec![("workflow", view.workflow(&run)), ("workflow_run", view.workflow_run(&run))];
        self.emit("workflow_run", Some(action), run.repository, by, fields);
    }

    /// A job of a run wants to deploy to an environment that the App's protection rule guards.
    ///
    /// Source: webhook documentation, `deployment_protection_rule`.
    pub fn request_deployment(
        &mut self,
        repository: Id,
        by: Id,
        environment: &str,
        branch: &str,
    ) -> Result<Id, SandboxError> {
        let head_sha = self.git.resolve(repository, branch)?;
        let run = NewRun {
            file: "deploy.yml",
            name: "Deploy".to_owned(),
            title: format!("Deploy to {environment}"),
            event: "push",
            status: "waiting",
            head_branch: branch.to_owned(),
            head_sha,
        };
        let id = self.new_run(repository, by, run, BTreeMap::new());
        let deployment = self.world.take_id();
        let Some(run) = self.world.workflow_runs.get_mut(&id) else { return Ok(id) };
        let environment = environment.to_owned();
        run.deployments.push(PendingDeployment {
            id: deployment,
            environment: environment.clone(),
            state: None,
            comments: Vec::new(),
        });
        let run = run.clone();
        let view = self.view();
        let callback = format!("{}/actions/runs/{id}/deployment_protection_rule", view.repository_api(repository));
        let fields = vec![
            ("environment", json!(environment)),
            ("event", json!("push")),
            ("sha", json!(run.head_sha)),
            ("ref", json!(format!("refs/heads/{branch}"))),
            ("deployment_callback_url", json!(callback)),
            ("deployment", view.deployment(&run, deployment, &environment)),
            ("pull_requests", json!([])),
        ];
        self.emit("deployment_protection_rule", Some("requested"), repository, by, fields);
        Ok(id)
    }

    /// The App judges a deployment, or only says something about it. Source: REST documentation, "Review custom
    /// deployment protection rules for a workflow run".
    pub fn review_deployment(
        &mut self,
        run: Id,
        environment: &str,
        state: Option<&str>,
        comment: &str,
    ) -> Result<(), SandboxError> {
        let Some(found) = self.world.workflow_runs.get_mut(&run) else {
            return Err(SandboxError::NotFound(format!("workflow run {run}")));
        };
        let waits =
            |deployment: &&mut PendingDeployment| deployment.environment == environment && deployment.state.is_none();
        let Some(deployment) = found.deployments.iter_mut().find(waits) else {
            return Err(SandboxError::invalid(
                "No pending deployment protection rules were found for this environment",
            ));
        };
        if let Some(state) = state.filter(|state| !["approved", "rejected"].contains(state)) {
            return Err(SandboxError::invalid(format!("Invalid request.\n\n\"{state}\" is not a possible state.")));
        }
        deployment.state = state.map(str::to_owned);
        if !comment.is_empty() {
            deployment.comments.push(comment.to_owned());
        }
        self.touch();
        match state {
            Some("approved") => self.start_workflow_run(run),
            Some(_) => self.end_workflow_run(run, "failure"),
            None => Ok(()),
        }
    }

    /// `repository_dispatch`. Source: REST documentation, "Create a repository dispatch event".
    pub fn dispatch_repository(
        &mut self,
        repository: Id,
        by: Id,
        event_type: &str,
        payload: &Value,
    ) -> Result<(), SandboxError> {
        if event_type.is_empty() || event_type.chars().count() > 100 {
            return Err(SandboxError::invalid("Invalid request.\n\nevent_type must have 1 to 100 characters."));
        }
        if payload.as_object().is_some_and(|payload| payload.len() > MOST_PAYLOAD_KEYS) {
            return Err(SandboxError::invalid("Invalid request.\n\nNo more than 10 properties are allowed."));
        }
        let record = self.world.repositories.get(&repository);
        let branch = record.map(|record| record.default_branch.clone()).unwrap_or_default();
        let payload = if payload.is_null() { json!({}) } else { payload.clone() };
        let fields = vec![("action", json!(event_type)), ("branch", json!(branch)), ("client_payload", payload)];
        self.emit("repository_dispatch", None, repository, by, fields);
        Ok(())
    }

    /// The merge queue forms a group of a pull request: a temporary branch with the merge, whose checks are asked for.
    /// Gives the head of the group. Source: "Managing a merge queue"; webhook documentation, `merge_group`.
    pub fn queue_pull_request(&mut self, repository: Id, number: u64, by: Id) -> Result<String, SandboxError> {
        let (base, base_sha, head_sha) = {
            let (_, side) = self.world.pull_request(repository, number)?;
            (side.base_ref.clone(), self.git.resolve(repository, &side.base_ref)?, side.head_sha.clone())
        };
        let branch = format!("gh-readonly-queue/{base}/pr-{number}-{base_sha}");
        let message = format!("Merge pull request #{number}");
        let parents = [base_sha.clone(), head_sha];
        let merge = NewCommit {
            branch: &branch,
            parents: &parents,
            message: &message,
            author: &self.author(by),
            files: &Files::new(),
            at: self.now,
        };
        let head = self.git.merge(repository, &merge, false)?;
        self.observe_references(repository, by)?;
        self.tell_merge_group("checks_requested", repository, by, (&branch, &head), (&base, &base_sha), None);
        Ok(head)
    }

    /// A group comes to nothing, or is merged.
    pub fn destroy_merge_group(
        &mut self,
        repository: Id,
        branch: &str,
        base: &str,
        reason: &str,
        by: Id,
    ) -> Result<(), SandboxError> {
        let head = self.git.resolve(repository, branch)?;
        let base_sha = self.git.resolve(repository, base)?;
        self.tell_merge_group("destroyed", repository, by, (branch, &head), (base, &base_sha), Some(reason));
        self.git.delete_reference(repository, &format!("refs/heads/{branch}"))?;
        self.observe_references(repository, by)
    }

    fn tell_merge_group(
        &mut self,
        action: &'static str,
        repository: Id,
        by: Id,
        (branch, head): (&str, &str),
        (base, base_sha): (&str, &str),
        reason: Option<&str>,
    ) {
        let view = self.view();
        let group = json!({
            "head_sha": head,
            "head_ref": format!("refs/heads/{branch}"),
            "base_sha": base_sha,
            "base_ref": format!("refs/heads/{base}"),
            "head_commit": view.simple_commit(repository, head),
        });
        let mut fields = vec![("merge_group", group)];
        if let Some(reason) = reason {
            fields.push(("reason", json!(reason)));
        }
        self.emit("merge_group", Some(action), repository, by, fields);
    }
}

/// What is new about a run.
struct NewRun<'a> {
    file: &'a str,
    name: String,
    title: String,
    event: &'static str,
    status: &'static str,
    head_branch: String,
    head_sha: String,
}
