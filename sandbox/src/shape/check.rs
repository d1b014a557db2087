//! Check runs and suites. OpenAPI: `check-run`, `check-suite`, `check-annotation`.

use serde_json::{Value, json};

use super::{View, account::merge, moment, node_id};
use crate::clock::stamp;
use crate::state::{Annotation, CheckRun, CheckSuite, Id, PullRequest};

impl View<'_> {
    /// `check-run`.
    pub fn check_run(&self, run: &CheckRun) -> Value {
        let api = format!("{}/check-runs/{}", self.repository_api(run.repository), run.id);
        let html = format!("{}/runs/{}", self.repository_web(run.repository), run.id);
        json!({
            "id": run.id,
            "name": run.name,
            "node_id": node_id("CR", run.id),
            "head_sha": run.head_sha,
            "external_id": run.external_id,
            "url": api,
            "html_url": html,
            "details_url": run.details_url.clone().unwrap_or_else(|| self.urls.web().to_owned()),
            "status": run.status,
            "conclusion": run.conclusion,
            "started_at": moment(run.started_at),
            "completed_at": moment(run.completed_at),
            "output": {
                "title": run.title,
                "summary": run.summary,
                "text": run.text,
                "annotations_count": run.annotations.len(),
                "annotations_url": format!("{api}/annotations"),
            },
            "check_suite": {"id": run.suite},
            "app": self.app(self.world.app_by_id(run.app)),
            "pull_requests": self.pull_requests_at(run.repository, &run.head_sha),
        })
    }

    /// A check run in an event: with its suite.
    pub(crate) fn check_run_for_webhook(&self, run: &CheckRun) -> Value {
        let mut shape = self.check_run(run);
        if let Some(suite) = self.world.suites.get(&run.suite) {
            merge(&mut shape, json!({"check_suite": self.check_suite_plain(suite)}));
        }
        shape
    }

    /// `check-suite` in an event.
    pub fn check_suite(&self, suite: &CheckSuite) -> Value {
        let mut shape = self.check_suite_plain(suite);
        let api = format!("{}/check-suites/{}", self.repository_api(suite.repository), suite.id);
        let commit = self.simple_commit(suite.repository, &suite.head_sha);
        merge(
            &mut shape,
            json!({
                "latest_check_runs_count": self.world.latest_runs(self.world.runs_of_suite(suite.id)).len(),
                "check_runs_url": format!("{api}/check-runs"),
                "head_commit": commit,
                "rerequestable": true,
                "runs_rerequestable": true,
            }),
        );
        shape
    }

    /// `simple-commit`.
    pub(crate) fn simple_commit(&self, repository: Id, sha: &str) -> Value {
        self.git.commit_facts(repository, sha).map_or(Value::Null, |commit| {
            let person = |author: &crate::git::Author| json!({"name": author.name, "email": author.email});
            json!({
                "id": commit.sha,
                "tree_id": commit.tree,
                "message": commit.message,
                "timestamp": stamp(commit.committed_at),
                "author": person(&commit.author),
                "committer": person(&commit.committer),
            })
        })
    }

    /// `check-suite` in an answer: an event has the repository beside it.
    pub fn check_suite_with_repository(&self, suite: &CheckSuite) -> Value {
        let mut shape = self.check_suite(suite);
        if let Some(repository) = self.world.repositories.get(&suite.repository) {
            merge(&mut shape, json!({"repository": self.repository(repository)}));
        }
        shape
    }

    fn check_suite_plain(&self, suite: &CheckSuite) -> Value {
        let (status, conclusion) = self.world.suite_state(suite.id);
        json!({
            "id": suite.id,
            "node_id": node_id("CS", suite.id),
            "head_branch": suite.head_branch,
            "head_sha": suite.head_sha,
            "status": status,
            "conclusion": conclusion,
            "url": format!("{}/check-suites/{}", self.repository_api(suite.repository), suite.id),
            "before": suite.before,
            "after": suite.head_sha,
            "pull_requests": self.pull_requests_at(suite.repository, &suite.head_sha),
            "app": self.app(self.world.app_by_id(suite.app)),
            "created_at": stamp(suite.created_at),
            "updated_at": stamp(suite.updated_at),
        })
    }

    fn pull_requests_at(&self, repository: Id, sha: &str) -> Value {
        let open = self.world.issues.values().filter(|issue| issue.repository == repository && issue.closed.is_none());
        let here = open.filter_map(|issue| {
            // Those of forks are not named: "pull requests whose head is in the same repository" ("Check runs").
            let is_here = |side: &&PullRequest| side.head_sha == sha && side.fork_of.is_none();
            let side = issue.pull_request.as_ref().filter(is_here)?;
            Some(self.pull_request_minimal(issue, side))
        });
        Value::Array(here.collect())
    }

    /// `check-annotation`.
    pub fn annotation(&self, run: &CheckRun, annotation: &Annotation) -> Value {
        let blob = format!("{}/blob/{}/{}", self.repository_web(run.repository), run.head_sha, annotation.path);
        json!({
            "path": annotation.path,
            "blob_href": blob,
            "start_line": annotation.start_line,
            "start_column": annotation.start_column,
            "end_line": annotation.end_line,
            "end_column": annotation.end_column,
            "annotation_level": annotation.annotation_level,
            "title": annotation.title,
            "message": annotation.message,
            "raw_details": annotation.raw_details,
        })
    }
}
