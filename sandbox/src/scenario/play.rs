//! Plays a scenario: deeds as they are written, waits on changes of the state, expectations at the end.

use std::time::Instant;

use jiff::Timestamp;

use super::acts::{Act, Expectation, Wait};
use super::{Scenario, ScenarioError};
use crate::deeds::OpenPullRequest;
use crate::error::SandboxError;
use crate::hub::Hub;
use crate::shape::View;
use crate::state::{CheckRun, Comment, Id, Issue, PullRequest, Subject};

/// What is told to whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// An act begins: its place from 1, and one line about it.
    Begins(usize, String),
    /// An act is done, or what was waited for is so: its place, and one line about what was seen.
    Done(usize, String),
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The pull request's number, when one was opened.
    pub pull_request: Option<u64>,
    /// Its page.
    pub url: Option<String>,
    /// What was seen, in order.
    pub seen: Vec<String>,
}

/// Where the play stands.
struct Stage<'a> {
    hub: &'a Hub,
    repository: &'a str,
    pull_request: Option<u64>,
    last_comment: Option<Id>,
    last_review: Option<Id>,
    last_deed: Timestamp,
}

impl Scenario {
    /// Plays it against a hub that was [set up](Scenario::set_up).
    ///
    /// # Errors
    /// The first act that is refused, or expectation that is not met, with the state as it is.
    pub async fn play(&self, hub: &Hub, observer: &mut (dyn FnMut(Moment) + Send)) -> Result<Report, ScenarioError> {
        let mut stage = Stage {
            hub,
            repository: &self.repository,
            pull_request: None,
            last_comment: None,
            last_review: None,
            last_deed: hub.clock.now(),
        };
        let mut seen = Vec::new();
        for (index, act) in self.play.iter().enumerate() {
            let number = index + 1;
            observer(Moment::Begins(number, act.describe()));
            let line = stage.perform(number, act).await?;
            observer(Moment::Done(number, line.clone()));
            seen.push(line);
        }
        let url = stage.pull_request.map(|number| format!("{}/{}/pull/{number}", hub.urls.web(), self.repository));
        Ok(Report { pull_request: stage.pull_request, url, seen })
    }
}

impl Stage<'_> {
    async fn perform(&mut self, number: usize, act: &Act) -> Result<String, ScenarioError> {
        match act {
            Act::WaitFor(wait) => self.wait(number, wait).await,
            Act::Expect(expectation) => self.expect(number, expectation),
            _ => {
                // Taken before the deed: what the App answers may be there when the deed returns.
                let before = self.hub.clock.now();
                let done = self.deed(act);
                self.last_deed = before;
                done.map_err(|source| ScenarioError::Refused { number, act: act.describe(), source })
            }
        }
    }

    fn number(&self) -> Result<u64, SandboxError> {
        self.pull_request
            .ok_or_else(|| SandboxError::invalid("there is no pull request yet: open one with `pull_request`"))
    }

    fn deed(&mut self, act: &Act) -> Result<String, SandboxError> {
        let (hub, repository) = (self.hub, self.repository);
        match act {
            Act::PullRequest(new) => {
                let new = new.clone();
                let opened = OpenPullRequest {
                    title: new.title,
                    body: new.body,
                    head: new.head,
                    base: new.base,
                    labels: new.labels,
                    files: new.files,
                    draft: new.draft,
                };
                let number = hub.open_pull_request(repository, &new.by, &opened)?;
                self.pull_request = Some(number);
                return Ok(format!("pull request #{number} is open"));
            }
            Act::Comment(note) => {
                self.last_comment = Some(hub.comment(repository, &note.by, self.number()?, &note.body)?)
            }
            Act::EditComment(note) => hub.edit_comment(repository, &note.by, self.comment()?, &note.body)?,
            Act::DeleteComment(by) => hub.delete_comment(repository, &by.by, self.comment()?)?,
            Act::Review(review) => {
                let id = hub.review(repository, &review.by, self.number()?, review.state, &review.body)?;
                self.last_review = Some(id);
            }
            Act::DismissReview(by) => {
                let review = self.last_review.ok_or_else(|| SandboxError::invalid("there is no review yet"))?;
                hub.dismiss_review(&by.by, review, by.message.as_deref().unwrap_or("dismissed"))?;
            }
            Act::Push(push) | Act::ForcePush(push) => {
                let branch = push.branch.clone().map_or_else(|| self.head().map(|(branch, _)| branch), Ok)?;
                let message = push.message.as_deref().unwrap_or("Update");
                let sha = match act {
                    Act::Push(_) => hub.push(repository, &push.by, &branch, message, &push.files)?,
                    _ => hub.force_push(repository, &push.by, &branch, message, &push.files)?,
                };
                return Ok(format!("{branch} is at {}", &sha[..7]));
            }
            Act::Press(press) => hub.press(&press.by, self.check_run(&press.check)?.id, &press.button)?,
            Act::Rerequest(press) => hub.rerequest(&press.by, self.check_run(&press.check)?.id)?,
            Act::Label(label) => hub.label(repository, &label.by, self.number()?, &label.label)?,
            Act::Unlabel(label) => hub.unlabel(repository, &label.by, self.number()?, &label.label)?,
            Act::Close(by) => hub.close(repository, &by.by, self.number()?)?,
            Act::Reopen(by) => hub.reopen(repository, &by.by, self.number()?)?,
            Act::Ready(by) => hub.mark_ready(repository, &by.by, self.number()?)?,
            Act::Merge(by) => {
                let sha = hub.merge(repository, &by.by, self.number()?)?;
                return Ok(format!("merged as {}", &sha[..7]));
            }
            Act::DeleteBranch(by) => hub.delete_branch(repository, &by.by, &self.head()?.0)?,
            Act::WorkflowEnds(ends) => {
                hub.end_newest_run(repository, &ends.workflow, &ends.conclusion, ends.output.as_ref())?
            }
            Act::AdvanceClock(span) => hub.advance_clock(span.0)?,
            Act::Fault(rule) => hub.faults.add(rule.clone()),
            Act::WaitFor(_) | Act::Expect(_) => {}
        }
        Ok("done".to_owned())
    }

    fn comment(&self) -> Result<Id, SandboxError> {
        self.last_comment.ok_or_else(|| SandboxError::invalid("there is no comment yet"))
    }

    /// Branch and commit of the pull request's head.
    fn head(&self) -> Result<(String, String), SandboxError> {
        let issue = self.hub.issue(self.repository, self.number()?)?;
        let side = issue.pull_request.ok_or_else(|| SandboxError::NotFound("the pull request".to_owned()))?;
        Ok((side.head_ref, side.head_sha))
    }

    fn check_run(&self, name: &str) -> Result<CheckRun, SandboxError> {
        let found = self.hub.read(|view| self.scene(view).and_then(|scene| scene.run(name).cloned()));
        found.ok_or_else(|| SandboxError::NotFound(format!("check run `{name}` on the head commit")))
    }

    fn scene<'v>(&self, view: View<'v>) -> Option<Scene<'v>> {
        let repository = view.world.repository(self.repository).ok()?.id;
        let (issue, side) = view.world.pull_request(repository, self.pull_request?).ok()?;
        Some(Scene { view, issue, side })
    }

    async fn wait(&self, number: usize, wait: &Wait) -> Result<String, ScenarioError> {
        let began = Instant::now();
        let found =
            self.hub.wait_until(&wait.describe(), wait.within.0, |view| self.scene(view)?.satisfies(wait, self)).await;
        let state = || {
            self.hub
                .read(|view| self.scene(view).map_or_else(|| "no pull request".to_owned(), |scene| scene.describe()))
        };
        match found {
            Ok(line) => Ok(format!("{line} after {:.1} s", began.elapsed().as_secs_f64())),
            Err(error) => {
                Err(ScenarioError::Unmet { number, act: wait.describe(), reason: error.to_string(), state: state() })
            }
        }
    }

    fn expect(&self, number: usize, expectation: &Expectation) -> Result<String, ScenarioError> {
        self.hub.read(|view| {
            let unmet = |reason: String, state: String| ScenarioError::Unmet {
                number,
                act: "expect".to_owned(),
                reason,
                state,
            };
            let Some(scene) = self.scene(view) else {
                return Err(unmet("there is no pull request".to_owned(), String::new()));
            };
            match scene.unmet(expectation).first() {
                Some(reason) => Err(unmet(reason.clone(), scene.describe())),
                None => Ok("as expected".to_owned()),
            }
        })
    }
}

/// The pull request as it stands.
struct Scene<'v> {
    view: View<'v>,
    issue: &'v Issue,
    side: &'v PullRequest,
}

impl<'v> Scene<'v> {
    /// The newest run of that name on the head commit.
    fn run(&self, name: &str) -> Option<&'v CheckRun> {
        self.view.world.check_runs_of(self.issue.repository, &self.side.head_sha).filter(|run| run.name == name).last()
    }

    fn app_comments(&self) -> impl Iterator<Item = &'v Comment> {
        self.view.world.comments_of(self.issue.id).filter(|comment| comment.app.is_some())
    }

    /// What was seen, once the wait is over.
    fn satisfies(&self, wait: &Wait, stage: &Stage<'_>) -> Option<String> {
        let fresh = |at: Timestamp| !wait.fresh || at >= stage.last_deed;
        if let Some(name) = &wait.check {
            let run = self.run(name)?;
            let at = run.history.last().map_or(run.created_at, |version| version.at);
            let texts = [&run.title, &run.summary, &run.text];
            let holds = |part: &String| texts.iter().any(|text| text.as_ref().is_some_and(|text| text.contains(part)));
            let so = fresh(at)
                && wait.status.as_ref().is_none_or(|status| *status == run.status)
                && wait.conclusion.is_none_or_eq(&run.conclusion)
                && wait.button.as_ref().is_none_or(|button| {
                    run.is_completed() && run.actions.iter().any(|action| action.identifier == *button)
                })
                && wait.contains.as_ref().is_none_or(holds);
            return so.then(|| line(run));
        }
        if let Some(content) = &wait.reaction {
            let comment = stage.last_comment?;
            let mut reactions = self.view.world.reactions_on(Subject::Comment(comment));
            return reactions
                .find(|reaction| reaction.content == *content)
                .map(|_| format!("the comment got {content}"));
        }
        let text = wait.comment_contains.as_ref()?;
        let found = self.app_comments().find(|comment| comment.body.contains(text) && fresh(comment.updated_at))?;
        Some(format!("the App wrote: {}", first_words(&found.body)))
    }

    fn unmet(&self, expectation: &Expectation) -> Vec<String> {
        let mut reasons = Vec::new();
        let mut hold = |holds: bool, reason: String| {
            if !holds {
                reasons.push(reason);
            }
        };
        if let Some(name) = &expectation.check {
            let run = self.run(name);
            hold(run.is_some(), format!("there is no check run `{name}` on the head commit"));
            if let Some(run) = run {
                hold(
                    expectation.status.as_ref().is_none_or(|status| *status == run.status),
                    format!("`{name}` is {}", run.status),
                );
                hold(expectation.conclusion.is_none_or_eq(&run.conclusion), line(run));
            }
        }
        let sticky = self.app_comments().filter(|comment| is_sticky(&comment.body)).count();
        hold(
            expectation.sticky_comments.is_none_or(|wanted| wanted == sticky),
            format!("there are {sticky} sticky comments"),
        );
        let written = self.app_comments().count();
        hold(
            expectation.app_comments.is_none_or(|wanted| wanted == written),
            format!("the App wrote {written} comments"),
        );
        if let Some(text) = &expectation.comment_contains {
            hold(
                self.app_comments().any(|comment| comment.body.contains(text)),
                format!("no comment of the App holds “{text}”"),
            );
        }
        let merged = self.side.merged.is_some();
        hold(expectation.merged.is_none_or(|wanted| wanted == merged), format!("merged: {merged}"));
        reasons
    }

    /// Check runs and the last comments, for whoever has to find out what went wrong.
    fn describe(&self) -> String {
        let mut lines = vec![format!("#{} at {}:", self.issue.number, &self.side.head_sha[..7])];
        let runs = self.view.world.check_runs_of(self.issue.repository, &self.side.head_sha);
        lines.extend(runs.map(|run| format!("  check {}", line(run))));
        let comments: Vec<_> = self.view.world.comments_of(self.issue.id).collect();
        for comment in comments.iter().rev().take(5).rev() {
            let author = self.view.world.accounts.get(&comment.author).map_or("ghost", |author| author.login.as_str());
            let reactions: Vec<_> =
                self.view.world.reactions_on(Subject::Comment(comment.id)).map(|it| it.content.as_str()).collect();
            lines.push(format!("  {author}: {} [{}]", first_words(&comment.body), reactions.join(" ")));
        }
        lines.join("\n")
    }
}

/// `None` wants nothing; `Some` wants exactly this.
trait Wanted {
    fn is_none_or_eq(&self, actual: &Option<String>) -> bool;
}

impl Wanted for Option<String> {
    fn is_none_or_eq(&self, actual: &Option<String>) -> bool {
        self.is_none() || self == actual
    }
}

fn line(run: &CheckRun) -> String {
    let state = run.conclusion.as_deref().unwrap_or(&run.status);
    format!("{} is {state}: {}", run.name, run.title.as_deref().unwrap_or("no title"))
}

fn first_words(body: &str) -> String {
    let mut visible = body.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("<!--"));
    visible.next().unwrap_or_default().chars().take(120).collect()
}

/// Whether a comment is marked as the one that stands for an execution: `<!-- NAME:execution:ID -->`.
fn is_sticky(body: &str) -> bool {
    body.split("<!--").skip(1).any(|rest| rest.split("-->").next().is_some_and(|marker| marker.contains(":execution:")))
}
