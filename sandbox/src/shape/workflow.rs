//! Workflows, their runs and artifacts, deployments. OpenAPI: `workflow`, `workflow-run`, `artifact`, `deployment`.

use serde_json::{Value, json};

use super::{View, node_id};
use crate::clock::stamp;
use crate::state::{Artifact, Id, WorkflowRun, workflow_id};

impl View<'_> {
    /// `workflow`.
    pub(crate) fn workflow(&self, run: &WorkflowRun) -> Value {
        let (api, web) = (self.repository_api(run.repository), self.repository_web(run.repository));
        let id = workflow_id(run.repository, &run.file);
        let created = self.world.repositories.get(&run.repository).map(|repository| stamp(repository.created_at));
        json!({
            "id": id,
            "node_id": node_id("W", id),
            "name": run.name,
            "path": format!(".github/workflows/{}", run.file),
            "state": "active",
            "created_at": created,
            "updated_at": created,
            "url": format!("{api}/actions/workflows/{id}"),
            "html_url": format!("{web}/blob/main/.github/workflows/{}", run.file),
            "badge_url": format!("{web}/workflows/{}/badge.svg", run.name),
        })
    }

    /// `workflow-run`.
    pub fn workflow_run(&self, run: &WorkflowRun) -> Value {
        let api = format!("{}/actions/runs/{}", self.repository_api(run.repository), run.id);
        let suite = format!("{}/check-suites/{}", self.repository_api(run.repository), run.suite);
        let workflow = workflow_id(run.repository, &run.file);
        let repository = self.world.repositories.get(&run.repository).map(|it| self.repository_lite(it));
        json!({
            "id": run.id,
            "name": run.name,
            "node_id": node_id("WFR", run.id),
            "check_suite_id": run.suite,
            "check_suite_node_id": node_id("CS", run.suite),
            "head_branch": run.head_branch,
            "head_sha": run.head_sha,
            "path": format!(".github/workflows/{}", run.file),
            "run_number": run.number,
            "run_attempt": 1,
            "referenced_workflows": [],
            "event": run.event,
            "display_title": run.title,
            "status": run.status,
            "conclusion": run.conclusion,
            "workflow_id": workflow,
            "url": api,
            "html_url": self.workflow_run_page(run),
            "pull_requests": [],
            "created_at": stamp(run.created_at),
            "updated_at": stamp(run.updated_at),
            "actor": self.user(run.actor),
            "triggering_actor": self.user(run.actor),
            "run_started_at": stamp(run.created_at),
            "jobs_url": format!("{api}/jobs"),
            "logs_url": format!("{api}/logs"),
            "check_suite_url": suite,
            "artifacts_url": format!("{api}/artifacts"),
            "cancel_url": format!("{api}/cancel"),
            "rerun_url": format!("{api}/rerun"),
            "previous_attempt_url": null,
            "workflow_url": format!("{}/actions/workflows/{workflow}", self.repository_api(run.repository)),
            "head_commit": self.simple_commit(run.repository, &run.head_sha),
            "repository": repository,
            "head_repository": repository,
        })
    }

    /// The page of a run.
    pub(crate) fn workflow_run_page(&self, run: &WorkflowRun) -> String {
        format!("{}/actions/runs/{}", self.repository_web(run.repository), run.id)
    }

    /// `artifact`. GitHub keeps them for 90 days.
    pub(crate) fn artifact(&self, run: &WorkflowRun, artifact: &Artifact) -> Value {
        let api = format!("{}/actions/artifacts/{}", self.repository_api(run.repository), artifact.id);
        let ends = artifact.created_at.saturating_add(jiff::SignedDuration::from_hours(24 * 90));
        json!({
            "id": artifact.id,
            "node_id": node_id("MDg6QXJ0aWZhY3Q", artifact.id),
            "name": artifact.name,
            "size_in_bytes": artifact.archive.len(),
            "url": api,
            "archive_download_url": format!("{api}/zip"),
            "expired": artifact.expired,
            "created_at": stamp(artifact.created_at),
            "updated_at": stamp(artifact.created_at),
            "expires_at": stamp(ends.unwrap_or(artifact.created_at)),
            "workflow_run": {
                "id": run.id,
                "repository_id": run.repository,
                "head_repository_id": run.repository,
                "head_branch": run.head_branch,
                "head_sha": run.head_sha,
            },
        })
    }

    /// `deployment`.
    pub(crate) fn deployment(&self, run: &WorkflowRun, id: Id, environment: &str) -> Value {
        let repository = self.repository_api(run.repository);
        let api = format!("{repository}/deployments/{id}");
        json!({
            "url": api,
            "id": id,
            "node_id": node_id("DE", id),
            "task": "deploy",
            "original_environment": environment,
            "environment": environment,
            "description": null,
            "created_at": stamp(run.created_at),
            "updated_at": stamp(run.updated_at),
            "statuses_url": format!("{api}/statuses"),
            "repository_url": repository,
            "creator": self.user(run.actor),
            "sha": run.head_sha,
            "ref": run.head_branch,
            "payload": {},
            "transient_environment": false,
            "production_environment": environment == "production",
            "performed_via_github_app": null,
        })
    }
}
