//! Runs of GitHub Actions workflows as data, and what a workflow's file says about being dispatched. Nothing runs here:
//! a test, a scenario or a person on the page says how a run goes on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use sha2::{Digest, Sha256};

use super::{Id, World};

/// A run of a workflow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkflowRun {
    /// Its number, unique everywhere.
    pub id: Id,
    /// Where.
    pub repository: Id,
    /// The workflow's file name.
    pub file: String,
    /// The workflow's name.
    pub name: String,
    /// Which run of its workflow it is, from 1.
    pub number: u64,
    /// The headline: `run-name`, or the workflow's name.
    pub title: String,
    /// What started it: `workflow_dispatch`, `push` …
    pub event: String,
    /// `queued`, `in_progress`, `waiting`, `completed`.
    pub status: String,
    /// Only when completed.
    pub conclusion: Option<String>,
    /// The branch or tag.
    pub head_branch: String,
    /// Its commit.
    pub head_sha: String,
    /// Who started it.
    pub actor: Id,
    /// What it was started with.
    pub inputs: BTreeMap<String, String>,
    /// Its check suite.
    pub suite: Id,
    /// What it has kept.
    pub artifacts: Vec<Artifact>,
    /// Deployments of it that protection rules were asked about.
    pub deployments: Vec<PendingDeployment>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A zip archive that a run has kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Artifact {
    /// Its number.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// The archive.
    pub archive: Vec<u8>,
    /// Whether it is deleted by now.
    pub expired: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A deployment that waits for the App's protection rule, or was judged by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDeployment {
    /// The deployment's number.
    pub id: Id,
    /// The environment.
    pub environment: String,
    /// `approved` or `rejected`, once the App has said so.
    pub state: Option<String>,
    /// What the App said, oldest first.
    pub comments: Vec<String>,
}

impl WorkflowRun {
    /// Whether it has ended.
    pub fn is_completed(&self) -> bool {
        self.status == "completed"
    }
}

impl World {
    /// The runs of a repository, oldest first.
    pub fn workflow_runs_of(&self, repository: Id) -> impl Iterator<Item = &WorkflowRun> {
        self.workflow_runs.values().filter(move |run| run.repository == repository)
    }

    /// An artifact with its run.
    pub fn artifact(&self, id: Id) -> Option<(&WorkflowRun, &Artifact)> {
        self.workflow_runs.values().find_map(|run| {
            let artifact = run.artifacts.iter().find(|artifact| artifact.id == id)?;
            Some((run, artifact))
        })
    }
}

/// A workflow's number: the same for the same file of the same repository.
pub fn workflow_id(repository: Id, file: &str) -> Id {
    let digest = Sha256::digest(format!("{repository}/{file}"));
    let bytes = [0, 0, 0, digest[0], digest[1], digest[2], digest[3], digest[4]];
    Id::from_be_bytes(bytes)
}

/// What a workflow's file says, as far as the sandbox cares.
#[derive(Debug)]
pub(crate) struct WorkflowFile {
    pub name: String,
    run_name: Option<String>,
    dispatch: Option<BTreeMap<String, Input>>,
}

#[derive(Debug)]
struct Input {
    required: bool,
    default: Option<String>,
    choices: Option<Vec<String>>,
}

impl WorkflowFile {
    /// Reads the file; one that is no YAML says nothing.
    pub(crate) fn read(file: &str, bytes: &[u8]) -> Self {
        let root: Value = serde_yaml::from_slice(bytes).unwrap_or_default();
        let text = |name: &str| root.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = text("name").unwrap_or_else(|| format!(".github/workflows/{file}"));
        Self { name, run_name: text("run-name"), dispatch: dispatch(&root) }
    }

    /// The inputs of a dispatch with defaults filled in, or GitHub's refusal.
    ///
    /// Source: REST documentation, "Create a workflow dispatch event"; the words are those of GitHub's answers.
    pub(crate) fn inputs(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
        let Some(known) = &self.dispatch else {
            return Err("Workflow does not have 'workflow_dispatch' trigger".to_owned());
        };
        let unexpected: Vec<&String> = given.keys().filter(|name| !known.contains_key(*name)).collect();
        if !unexpected.is_empty() {
            return Err(format!("Unexpected inputs provided: {unexpected:?}"));
        }
        let mut inputs = BTreeMap::new();
        for (name, input) in known {
            let value = match (given.get(name), &input.default) {
                (Some(value), _) if !value.is_empty() || !input.required => value.clone(),
                (_, Some(default)) => default.clone(),
                _ if input.required => return Err(format!("Required input '{name}' not provided")),
                _ => String::new(),
            };
            if input.choices.as_ref().is_some_and(|choices| !choices.contains(&value)) {
                return Err(format!("Provided value '{value}' for input '{name}' not in the list of allowed values"));
            }
            inputs.insert(name.clone(), value);
        }
        Ok(inputs)
    }

    /// The headline of a run; of GitHub's expressions only `${{ inputs.NAME }}` is known.
    pub(crate) fn title(&self, inputs: &BTreeMap<String, String>) -> String {
        let Some(mut title) = self.run_name.clone() else { return self.name.clone() };
        for (name, value) in inputs {
            title = title.replace(&format!("${{{{ inputs.{name} }}}}"), value);
        }
        title
    }
}

/// The inputs of `on.workflow_dispatch`; nothing where there is no such trigger.
fn dispatch(root: &Value) -> Option<BTreeMap<String, Input>> {
    const KEY: &str = "workflow_dispatch";
    let on = root.get("on")?;
    if on.as_str() == Some(KEY) || on.as_sequence().is_some_and(|list| list.iter().any(|it| it.as_str() == Some(KEY))) {
        return Some(BTreeMap::new());
    }
    let trigger = on.get(KEY)?;
    let inputs = trigger.get("inputs").and_then(Value::as_mapping).into_iter().flatten();
    let input = |of: &Value| Input {
        required: of.get("required").and_then(Value::as_bool).unwrap_or(false),
        default: of.get("default").and_then(text),
        choices: of.get("options").and_then(Value::as_sequence).map(|list| list.iter().filter_map(text).collect()),
    };
    Some(inputs.filter_map(|(name, of)| Some((name.as_str()?.to_owned(), input(of)))).collect())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    const RELEASE: &[u8] = b"
name: Release
run-name: Release ${{ inputs.tag }}
on:
  workflow_dispatch:
    inputs:
      tag: {required: true}
      level: {type: choice, options: [minor, major], default: minor}
";

    #[test]
    fn a_dispatch_is_taken_or_refused_as_the_file_says() {
        let file = WorkflowFile::read("release.yml", RELEASE);
        let given = |pairs: &[(&str, &str)]| {
            file.inputs(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let inputs = given(&[("tag", "v1")]).unwrap();
        assert_eq!(inputs["level"], "minor");
        assert_eq!(file.title(&inputs), "Release v1");
        assert_eq!(given(&[]), Err("Required input 'tag' not provided".to_owned()));
        assert_eq!(given(&[("tga", "v1")]), Err("Unexpected inputs provided: [\"tga\"]".to_owned()));
        assert!(given(&[("tag", "v1"), ("level", "huge")]).unwrap_err().contains("allowed values"));
        let push = WorkflowFile::read("ci.yml", b"on: [push]\n");
        assert!(push.inputs(&BTreeMap::new()).unwrap_err().contains("'workflow_dispatch' trigger"));
        assert!(WorkflowFile::read("a.yml", b"on: workflow_dispatch\n").inputs(&BTreeMap::new()).is_ok());
    }
}
