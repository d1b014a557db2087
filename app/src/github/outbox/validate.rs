//! Writes the check run `flowctl / validate`: opened once for a commit, with its annotations in parts as GitHub takes
//! them. How many arrived is asked before more are sent, so that none comes twice.

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::pace::Write;
use super::write::Writing;
use crate::crash::crash_point;
use crate::github::client::{
    Annotation, AnnotationLevel, CheckConclusion, CheckOutput, CheckRun, CheckRunQuery, CheckRunUpdate, CheckStatus,
    NewCheckRun, RepositoryName,
};

/// The check's name.
pub const VALIDATE: &str = "flowctl / validate";
/// Annotations of one request (<https://docs.github.com/en/rest/checks/runs#create-a-check-run>).
const PART: usize = 50;

/// What validation found in a pull request's definitions, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validated {
    /// Where.
    pub repository: RepositoryName,
    /// The commit.
    pub head_sha: String,
    /// What makes it another look at the same commit: the run that it takes the place of, or a new base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
    /// Whether there is no error.
    pub is_sound: bool,
    /// One line.
    pub title: String,
    /// Markdown.
    pub summary: String,
    /// Remarks on lines.
    pub remarks: Vec<Remark>,
}

/// A remark on lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The file.
    pub path: String,
    /// The first line, from 1.
    pub start_line: u32,
    /// The last line.
    pub end_line: u32,
    /// First and last column, where it is one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<(u32, u32)>,
    /// How bad it is.
    pub level: Level,
    /// The rule.
    pub title: String,
    /// What is wrong.
    pub message: String,
}

/// How bad a remark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Style.
    Notice,
    /// Probably not meant.
    Warning,
    /// It would fail.
    Failure,
}

impl Validated {
    /// What tells this run from others of its name.
    pub fn external_id(&self) -> String {
        match &self.again {
            None => format!("validate:{}", self.head_sha),
            Some(again) => format!("validate:{}:{again}", self.head_sha),
        }
    }

    fn output(&self, remarks: &[Remark]) -> CheckOutput {
        CheckOutput {
            title: self.title.clone(),
            summary: self.summary.clone(),
            text: None,
            annotations: remarks.iter().map(annotation).collect(),
        }
    }
}

fn annotation(remark: &Remark) -> Annotation {
    Annotation {
        path: remark.path.clone(),
        start_line: remark.start_line,
        end_line: remark.end_line,
        start_column: remark.columns.map(|(first, _)| first),
        end_column: remark.columns.map(|(_, last)| last),
        annotation_level: match remark.level {
            Level::Notice => AnnotationLevel::Notice,
            Level::Warning => AnnotationLevel::Warning,
            Level::Failure => AnnotationLevel::Failure,
        },
        message: remark.message.clone(),
        title: Some(remark.title.clone()),
    }
}

/// Writes what is missing of it.
pub(super) async fn write(writing: &Writing<'_>, validated: &Validated) -> Result<(), Failure> {
    let (run, mut sent) = match find(writing, validated).await? {
        Some(run) => {
            let arrived = run.output.as_ref().map_or(0, |output| output.annotations_count);
            (run.id, usize::try_from(arrived).unwrap_or(usize::MAX))
        }
        None => open(writing, validated).await?,
    };
    while let Some(rest) = validated.remarks.get(sent..).filter(|rest| !rest.is_empty()) {
        let part = rest.get(..PART.min(rest.len())).unwrap_or(rest);
        let update = CheckRunUpdate { output: Some(validated.output(part)), ..CheckRunUpdate::default() };
        let request = writing.client.update_check_run(&validated.repository, run, &update);
        writing.write(Write::Changes, request).await?;
        sent += part.len();
    }
    crash_point("effect.recorded");
    Ok(())
}

/// The run, where an earlier attempt or an earlier delivery has opened it.
async fn find(writing: &Writing<'_>, validated: &Validated) -> Result<Option<CheckRun>, Failure> {
    let query = CheckRunQuery { reference: validated.head_sha.clone(), check_name: Some(VALIDATE.to_owned()) };
    let runs = writing.client.list_check_runs(&validated.repository, &query).await?;
    let id = validated.external_id();
    Ok(runs.into_iter().find(|run| run.external_id.as_deref() == Some(id.as_str())))
}

async fn open(writing: &Writing<'_>, validated: &Validated) -> Result<(u64, usize), Failure> {
    let first = validated.remarks.get(..PART.min(validated.remarks.len())).unwrap_or_default();
    let conclusion = if validated.is_sound { CheckConclusion::Success } else { CheckConclusion::Failure };
    let now = writing.outbox.clock.now();
    let new = NewCheckRun {
        name: VALIDATE.to_owned(),
        head_sha: validated.head_sha.clone(),
        fields: CheckRunUpdate {
            external_id: Some(validated.external_id()),
            status: Some(CheckStatus::Completed),
            conclusion: Some(conclusion),
            started_at: Some(now),
            completed_at: Some(now),
            output: Some(validated.output(first)),
            ..CheckRunUpdate::default()
        },
    };
    let request = writing.client.create_check_run(&validated.repository, &new);
    let run = writing.write(Write::Creates, request).await?;
    Ok((run.id, first.len()))
}
