//! Writes the check run `flowctl / validate`: opened once for a commit of a pull request and its base, with its annotations
//! in parts as GitHub takes them. How many arrived is asked before more are sent, so that none comes twice.
//!
//! GitHub knows a check by the commit alone: where two pull requests have one head, what is shown last counts for both
//! (<https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-checks>). So no run there passes while the
//! change of the other one is unsound.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::failure::Failure;
use super::write::Writing;
use crate::crash::crash_point;
use crate::github::client::pace::Kind;
use crate::github::client::{
    Annotation, AnnotationLevel, CheckConclusion, CheckOutput, CheckRun, CheckRunQuery, CheckRunUpdate, CheckStatus,
    GitHubError, NewCheckRun, PullRequestState, RepositoryName,
};
use crate::github::wording::validate::unsound_in;

/// The check's name.
pub const VALIDATE: &str = "flowctl / validate";
/// Annotations of one request (<https://docs.github.com/en/rest/checks/runs#create-a-check-run>).
const PART: usize = 50;

/// What validation found in a pull request's definitions, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validated {
    /// Where.
    pub repository: Address,
    /// The commit.
    pub head_sha: String,
    /// The pull request; none for a group of the merge queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<u64>,
    /// The commit that it was compared with.
    #[serde(default)]
    pub base_sha: String,
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
    /// What is looked at: of one key only the newest look is told.
    pub fn key(&self) -> String {
        let again = self.again.as_deref().map(|again| format!(":{again}")).unwrap_or_default();
        format!("validate:{}:{}:{}{again}", self.head_sha, about(self.pull_request), self.base_sha)
    }

    /// What tells this run from others of its name: what is looked at, and what was found. The run's conclusion may be worse
    /// than that.
    pub fn external_id(&self) -> String {
        format!("{}:{}", self.key(), if self.is_sound { SOUND } else { UNSOUND })
    }

    /// Whether this run shows it: the same change, found to be the same. Where nobody asked for another look, any earlier
    /// one will do.
    fn is_shown_by(&self, run: &CheckRun) -> bool {
        let Some(id) = run.external_id.as_deref() else { return false };
        let looked_at = self.again.is_some() && id == self.external_id();
        let earlier = self.again.is_none() && id.starts_with(&format!("{}:", self.key()));
        looked_at || earlier && Verdict::of(run).is_some_and(|verdict| verdict.is_sound == self.is_sound)
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

/// How a run ends whose own change is sound.
const SOUND: &str = "sound";
/// How one ends whose own change is not.
const UNSOUND: &str = "unsound";

fn about(pull_request: Option<u64>) -> String {
    pull_request.map_or_else(|| "group".to_owned(), |number| number.to_string())
}

/// What a run says of its own change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    pull_request: Option<u64>,
    is_sound: bool,
}

impl Verdict {
    fn of(run: &CheckRun) -> Option<Self> {
        let mut parts = run.external_id.as_deref()?.strip_prefix("validate:")?.split(':');
        let (commit, about, verdict) = (parts.next()?, parts.next()?, parts.next_back()?);
        let is_sound = match verdict {
            SOUND => true,
            UNSOUND => false,
            _ => return None,
        };
        let pull_request = about.parse().ok();
        let is_known = pull_request.is_some() || about == self::about(None);
        (commit == run.head_sha && is_known).then_some(Self { pull_request, is_sound })
    }
}

/// The last run of each pull request on a commit.
fn newest(runs: &[CheckRun]) -> BTreeMap<Option<u64>, (&CheckRun, Verdict)> {
    let mut newest: BTreeMap<Option<u64>, (&CheckRun, Verdict)> = BTreeMap::new();
    for run in runs {
        let Some(verdict) = Verdict::of(run) else { continue };
        let known = newest.entry(verdict.pull_request).or_insert((run, verdict));
        if run.id > known.0.id {
            *known = (run, verdict);
        }
    }
    newest
}

/// Writes what is missing of it.
pub(super) async fn write(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    validated: &Validated,
) -> Result<(), Failure> {
    let query = CheckRunQuery { reference: validated.head_sha.clone(), check_name: Some(VALIDATE.to_owned()) };
    let runs = writing.client.list_check_runs(repository, &query).await?;
    let newest = newest(&runs);
    let elsewhere = unsound_elsewhere(writing, repository, validated, &newest).await?;
    let showing = Showing { writing, repository, validated, elsewhere };
    let standing = newest.get(&validated.pull_request).map(|(run, _)| *run).filter(|run| showing.is_shown_by(run));
    let (run, mut sent) = match standing {
        Some(run) => {
            let arrived = run.output.as_ref().map_or(0, |output| output.annotations_count);
            (run.id, usize::try_from(arrived).unwrap_or(usize::MAX))
        }
        None => showing.open().await?,
    };
    while let Some(rest) = validated.remarks.get(sent..).filter(|rest| !rest.is_empty()) {
        let part = rest.get(..PART.min(rest.len())).unwrap_or(rest);
        let update = CheckRunUpdate { output: Some(showing.output(part)), ..CheckRunUpdate::default() };
        let request = writing.client.update_check_run(repository, run, &update);
        writing.write(Kind::Changes, request).await?;
        sent += part.len();
    }
    crash_point("effect.recorded");
    Ok(())
}

/// Another open pull request with this head whose own change is not sound.
async fn unsound_elsewhere(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    validated: &Validated,
    newest: &BTreeMap<Option<u64>, (&CheckRun, Verdict)>,
) -> Result<Option<u64>, Failure> {
    for (_, verdict) in newest.values() {
        let Some(number) = verdict.pull_request.filter(|number| Some(*number) != validated.pull_request) else {
            continue;
        };
        if verdict.is_sound {
            continue;
        }
        match writing.client.get_pull_request(repository, number).await {
            Ok(other) if other.state == PullRequestState::Open && other.head.sha == validated.head_sha => {
                return Ok(Some(number));
            }
            Ok(_) | Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// One verdict that is being shown.
struct Showing<'a> {
    writing: &'a Writing<'a>,
    repository: &'a RepositoryName,
    validated: &'a Validated,
    /// The pull request whose change on this commit is unsound, and fails this one too.
    elsewhere: Option<u64>,
}

impl Showing<'_> {
    fn conclusion(&self) -> CheckConclusion {
        let passes = self.validated.is_sound && self.elsewhere.is_none();
        if passes { CheckConclusion::Success } else { CheckConclusion::Failure }
    }

    fn is_shown_by(&self, run: &CheckRun) -> bool {
        self.validated.is_shown_by(run) && run.conclusion == Some(self.conclusion())
    }

    fn output(&self, remarks: &[Remark]) -> CheckOutput {
        let output = self.validated.output(remarks);
        match self.elsewhere.filter(|_| self.validated.is_sound) {
            None => output,
            Some(number) => {
                let (title, opening) = unsound_in(number);
                CheckOutput { title, summary: format!("{opening}\n\n{}", output.summary), ..output }
            }
        }
    }

    async fn open(&self) -> Result<(u64, usize), Failure> {
        let Self { writing, validated, .. } = self;
        let first = validated.remarks.get(..PART.min(validated.remarks.len())).unwrap_or_default();
        let now = writing.outbox.clock.now();
        let new = NewCheckRun {
            name: VALIDATE.to_owned(),
            head_sha: validated.head_sha.clone(),
            fields: CheckRunUpdate {
                external_id: Some(validated.external_id()),
                status: Some(CheckStatus::Completed),
                conclusion: Some(self.conclusion()),
                started_at: Some(now),
                completed_at: Some(now),
                output: Some(self.output(first)),
                ..CheckRunUpdate::default()
            },
        };
        let request = writing.client.create_check_run(self.repository, &new);
        let run = writing.write(Kind::Creates, request).await?;
        Ok((run.id, first.len()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    fn validated(pull_request: Option<u64>, base: &str, again: Option<&str>, is_sound: bool) -> Validated {
        Validated {
            repository: Address::known(RepositoryName::new("octo-org", "shop").unwrap(), None),
            head_sha: "head".to_owned(),
            pull_request,
            base_sha: base.to_owned(),
            again: again.map(str::to_owned),
            is_sound,
            title: String::new(),
            summary: String::new(),
            remarks: Vec::new(),
        }
    }

    fn run(id: u64, external_id: String) -> CheckRun {
        CheckRun {
            id,
            name: VALIDATE.to_owned(),
            head_sha: "head".to_owned(),
            external_id: Some(external_id),
            status: CheckStatus::Completed,
            conclusion: None,
            started_at: None,
            completed_at: None,
            html_url: None,
            app: None,
            output: None,
        }
    }

    #[test]
    fn a_run_says_whose_change_it_is_and_how_it_was_found() {
        for (pull_request, is_sound) in [(Some(7), true), (Some(7), false), (None, true), (None, false)] {
            for again in [None, Some("9"), Some("delivery-1")] {
                let run = run(1, validated(pull_request, "base", again, is_sound).external_id());
                assert_eq!(Verdict::of(&run), Some(Verdict { pull_request, is_sound }));
            }
        }
        for other in
            ["validate:head", "validate:head:9", "validate:other:7:base:sound", "validate:head:x:base:sound", "x"]
        {
            assert_eq!(Verdict::of(&run(1, other.to_owned())), None, "{other}");
        }
    }

    #[test]
    fn of_each_pull_request_the_last_run_counts() {
        let of = |id, number, is_sound| run(id, validated(number, "base", None, is_sound).external_id());
        let runs = [of(4, Some(7), true), of(3, Some(8), false), of(2, Some(7), false), of(1, None, true)];
        let newest: Vec<_> =
            newest(&runs).into_iter().map(|(number, (run, verdict))| (number, run.id, verdict.is_sound)).collect();
        assert_eq!(newest, [(None, 1, true), (Some(7), 4, true), (Some(8), 3, false)]);
    }

    #[test]
    fn a_run_shows_the_same_change_found_the_same_way() {
        let wanted = validated(Some(7), "base", None, true);
        let again = validated(Some(7), "base", Some("9"), true);
        for (name, wanted, shown, expected) in [
            ("the same", &wanted, &wanted, true),
            ("an earlier second look", &wanted, &again, true),
            ("a second look is asked for", &again, &wanted, false),
            ("the second look again", &again, &again, true),
            ("another base", &wanted, &validated(Some(7), "bas", None, true), false),
            ("another pull request", &wanted, &validated(Some(8), "base", None, true), false),
            ("found otherwise", &wanted, &validated(Some(7), "base", None, false), false),
            ("found otherwise at a second look", &wanted, &validated(Some(7), "base", Some("9"), false), false),
        ] {
            assert_eq!(wanted.is_shown_by(&run(1, shown.external_id())), expected, "{name}");
        }
    }
}
