//! What happens around GitHub Actions, the merge queue and deployments: deeds of people and of runners.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::error::SandboxError;
use crate::hub::Hub;
use crate::state::{Id, Permission};

impl Hub {
    /// A person starts a workflow by hand; gives the run.
    pub fn dispatch_workflow(
        &self,
        repository: &str,
        by: &str,
        file: &str,
        reference: &str,
        inputs: &[(&str, &str)],
    ) -> Result<Id, SandboxError> {
        let inputs: BTreeMap<String, String> =
            inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            change.dispatch_workflow(id, person, file, reference, &inputs)
        })
    }

    /// A runner takes a run up.
    pub fn start_workflow_run(&self, run: Id) -> Result<(), SandboxError> {
        self.change(|change| change.start_workflow_run(run))
    }

    /// A run ends, with one of GitHub's conclusions.
    pub fn end_workflow_run(&self, run: Id, conclusion: &str) -> Result<(), SandboxError> {
        self.change(|change| change.end_workflow_run(run, conclusion))
    }

    /// A run keeps files under a name, as `actions/upload-artifact` does.
    pub fn keep_artifact(&self, run: Id, name: &str, files: &[(&str, &str)]) -> Result<Id, SandboxError> {
        let archive = archive(files).map_err(|error| SandboxError::invalid(error.to_string()))?;
        self.change(|change| change.keep_artifact(run, name, archive))
    }

    /// The newest run of a workflow ends, with this output for a step that waits for it.
    pub fn end_newest_run(
        &self,
        repository: &str,
        file: &str,
        conclusion: &str,
        output: Option<&Value>,
    ) -> Result<(), SandboxError> {
        let open = self.workflow_runs(repository)?.into_iter().rfind(|run| run.file == file && !run.is_completed());
        let run = open.ok_or_else(|| SandboxError::NotFound(format!("an open run of `{file}`")))?.id;
        if let Some(output) = output {
            self.keep_artifact(run, "flowctl-output", &[("output.json", &output.to_string())])?;
        }
        self.end_workflow_run(run, conclusion)
    }

    /// A job wants to deploy a branch to an environment that the App's protection rule guards; gives the run.
    pub fn request_deployment(
        &self,
        repository: &str,
        by: &str,
        environment: &str,
        branch: &str,
    ) -> Result<Id, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            change.request_deployment(id, person, environment, branch)
        })
    }

    /// Somebody tells of something that happened elsewhere: `repository_dispatch`.
    pub fn dispatch_repository(
        &self,
        repository: &str,
        by: &str,
        event_type: &str,
        payload: &Value,
    ) -> Result<(), SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            change.dispatch_repository(id, person, event_type, payload)
        })
    }

    /// A person puts a pull request into the merge queue; gives the head of its group.
    pub fn queue_pull_request(&self, repository: &str, by: &str, number: u64) -> Result<String, SandboxError> {
        self.change(|change| {
            let (id, person) = change.person_in(repository, by, Permission::Write)?;
            change.queue_pull_request(id, number, person)
        })
    }

    /// The merge queue drops the group with this head, for `merged`, `invalidated` or `dequeued`.
    pub fn destroy_merge_group(&self, repository: &str, head: &str, reason: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let record = change.world.repository(repository)?;
            let (id, base) = (record.id, record.default_branch.clone());
            let queued = record.branches().find(|(name, tip)| name.starts_with("gh-readonly-queue/") && *tip == head);
            let branch = queued.map(|(name, _)| name.to_owned());
            let branch = branch.ok_or_else(|| SandboxError::NotFound(format!("a merge group at {head}")))?;
            let by = change.world.app.owner;
            change.destroy_merge_group(id, &branch, &base, reason, by)
        })
    }
}

fn archive(files: &[(&str, &str)]) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, SimpleFileOptions::default())?;
        writer.write_all(text.as_bytes())?;
    }
    Ok(writer.finish()?.into_inner())
}
