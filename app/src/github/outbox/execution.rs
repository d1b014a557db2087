//! Shows an execution on GitHub: its comment, its check run, and the runs that count no more.

use flowctl_core::execution::{Execution, ExecutionId};
use jiff::{SignedDuration, Timestamp};

use super::asked::Asked;
use super::desired::{self, Desired, Next};
use super::effect::{Effect, Renewal, RenewedBecause, Sender, priority};
use super::failure::Failure;
use super::plan::asked_now;
use super::write::Writing;
use crate::crash::crash_point;
use crate::github::client::pace::Kind;
use crate::github::client::{CheckRun, CheckRunQuery, GitHubError, IssueComment, RepositoryName};
use crate::github::shown::{self, Shown};
use crate::github::wording::{Ask, asks_of, comment, execution_marker, shown_in, shows_questions};
use crate::store::{CheckRunRow, ClaimedEffect, DeliveryId, GitHubObject, GitHubObjects, Heard, Stored};

/// GitHub calls a run stale that is open for 14 days
/// (<https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-checks>); a new one is opened before.
const RENEWED_AFTER: SignedDuration = SignedDuration::from_hours(13 * 24);

/// The version that a comment shows which was found: none.
const FOUND: u64 = 0;

/// One execution that is being shown.
struct Showing<'a> {
    writing: &'a Writing<'a>,
    repository: &'a RepositoryName,
    execution: Execution,
    version: u64,
    objects: GitHubObjects,
    now: Timestamp,
}

/// Brings check run and comment of an execution to its newest state.
pub(super) async fn sync(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    id: ExecutionId,
    renew: Option<Renewal>,
) -> Result<(), Failure> {
    let outbox = writing.outbox;
    let tenant = &writing.effect.tenant;
    let Some(Stored { execution, version }) = outbox.store.load(tenant, id).await? else {
        return Err(Failure::Nothing(format!("there is no execution {id}")));
    };
    let Some(desired) = Desired::of(&execution) else { return Ok(()) };
    let objects = outbox.store.github_objects(tenant, id).await?;
    let now = outbox.clock.now();
    let mut showing = Showing { writing, repository, execution, version, objects, now };
    showing.note_what_stands(renew).await?;
    // The comment first: whoever sees the check run's end finds the comment as it should be.
    let commented = showing.comment(renew).await;
    let checked = showing.check(&desired, renew).await;
    let closed = showing.close_others(&desired).await;
    let uncovered = showing.uncover_others(&desired).await;
    // What cannot be written must not keep the rest from being written, but it is not forgotten either.
    commented.and(checked).and(closed).and(uncovered)
}

impl Showing<'_> {
    /// The one comment, where the execution belongs to a pull request or issue.
    async fn comment(&mut self, renew: Option<Renewal>) -> Result<(), Failure> {
        let Some(number) = self.execution.subject.as_ref().and_then(|subject| subject.number) else { return Ok(()) };
        if self.objects.comment_id.is_some() && self.objects.rendered_version >= self.version {
            return Ok(());
        }
        let body = comment(&self.execution, self.now);
        let known = self.objects.comment_id;
        // One that was found and not yet written to: whoever found it may have died before it asked.
        if known.is_some() && self.objects.rendered_version == FOUND {
            self.ask_beside().await?;
        }
        let changed = match known {
            Some(id) => self.change_comment(id, &body).await?,
            None => None,
        };
        // Somebody may have deleted it; who is needed must be able to read that.
        let comment = match changed {
            Some(comment) => comment,
            None => self.stand_in(number, known, &body, renew).await?,
        };
        self.note_shown(shown_in(&body, &self.execution), comment.updated_at).await?;
        self.save(GitHubObject::Comment { id: comment.id, rendered_version: self.version }).await
    }

    /// Notes what a write shows that was begun before and whose answer may be lost, before it is repeated: people may have
    /// answered it.
    async fn note_what_stands(&self, renew: Option<Renewal>) -> Result<(), Failure> {
        let Writing { outbox, client, .. } = self.writing;
        let may_stand = self.writing.may_stand() || renew.is_some();
        if !may_stand || !shown::lacks_notes(&*outbox.store, &self.execution).await? {
            return Ok(());
        }
        let found = shown::on_github(client, outbox.github.app().id(), self.repository, &self.execution).await?;
        Ok(shown::note(&*outbox.store, &self.execution, &found).await?)
    }

    /// Notes that questions are shown since then.
    async fn note_shown(&self, asks: Vec<Ask>, at: Timestamp) -> Result<(), Failure> {
        let shown: Vec<Shown> = asks.into_iter().map(|ask| (ask, at)).collect();
        Ok(shown::note(&*self.writing.outbox.store, &self.execution, &shown).await?)
    }

    /// Keeps in mind that a new comment has asked people, who need no other one for that.
    async fn asked_by_comment(&self) -> Result<(), Failure> {
        let (store, tenant) = (&self.writing.outbox.store, &self.writing.effect.tenant);
        for what in Asked::all(&self.execution).iter().map(Asked::to_string) {
            let delivery = DeliveryId(format!("comment of {}", self.execution.id));
            store.hear(Heard { tenant: tenant.clone(), what, delivery, at: self.now }).await?;
        }
        Ok(())
    }

    /// Asks in a comment of its own what a comment was changed to that nobody knew of: nobody is told of the change.
    async fn ask_beside(&self) -> Result<(), Failure> {
        let Some(asked) = asked_now(&self.execution) else { return Ok(()) };
        let ClaimedEffect { tenant, installation_id, .. } = self.writing.effect;
        let sender = Sender { tenant: tenant.clone(), installation_id: *installation_id };
        let queued = asked.queued(&sender, priority::PROMPT, self.now);
        Ok(self.writing.outbox.store.add_effects(vec![queued]).await?)
    }

    /// The comment with a new text; nothing where it stands no more.
    async fn change_comment(&self, id: u64, body: &str) -> Result<Option<IssueComment>, Failure> {
        let request = self.writing.client.update_comment(self.repository, id, body);
        match self.writing.write(Kind::Changes, request).await {
            Err(Failure::GitHub(GitHubError::NotFound { .. } | GitHubError::Gone { .. })) => Ok(None),
            changed => changed.map(Some),
        }
    }

    /// The comment where none is known, or the known one is gone: one whose answer was lost, else a new one. Those who are
    /// asked have been told of it then, or are.
    async fn stand_in(
        &self,
        number: u64,
        gone: Option<u64>,
        body: &str,
        renew: Option<Renewal>,
    ) -> Result<IssueComment, Failure> {
        if gone.is_some() || self.may_stand(renew) {
            let marker = execution_marker(self.execution.id);
            let since = self.execution.created_at;
            let found = find_comment(self.writing, self.repository, number, &marker, since).await?;
            if let Some(found) = found.filter(|found| Some(found.id) != gone) {
                self.adopt_comment(&found).await?;
                if let Some(changed) = self.change_comment(found.id, body).await? {
                    return Ok(changed);
                }
            }
        }
        let request = self.writing.client.create_comment(self.repository, number, body);
        let made = self.writing.write(Kind::Creates, request).await?;
        self.asked_by_comment().await?;
        Ok(made)
    }

    /// Has those asked whom a comment that was found did not tell. All of it before the comment is changed: who comes after
    /// a crash finds the question in it, and could not say whether anybody was told.
    async fn adopt_comment(&self, found: &IssueComment) -> Result<(), Failure> {
        self.note_shown(shown_in(&found.body, &self.execution), found.updated_at).await?;
        if shows_questions(&found.body, &self.execution) {
            return self.asked_by_comment().await;
        }
        // Known before it is asked: a comment that is still to be made would be taken to ask by itself.
        self.save(GitHubObject::Comment { id: found.id, rendered_version: FOUND }).await?;
        self.ask_beside().await
    }

    /// Whether something of this execution may stand on GitHub that is not recorded: this effect was begun before, or
    /// another one about the same execution was, which keeps its own count.
    fn may_stand(&self, renew: Option<Renewal>) -> bool {
        self.writing.may_stand() || renew.is_some() || !self.objects.check_runs.is_empty()
    }

    /// The check run on the head.
    async fn check(&mut self, desired: &Desired, renew: Option<Renewal>) -> Result<(), Failure> {
        // A renewal is an effect of its own: what it repeats may have been begun by another one.
        if self.writing.may_stand() || renew.is_some() {
            self.adopt(desired).await?;
        }
        match desired::next(desired, &self.objects.check_runs, self.version, renew) {
            Next::Nothing => Ok(()),
            Next::Open => self.open(desired).await,
            Next::Update(row) => self.update(desired, row).await,
            Next::Compare(row) if self.asked_by(&row, desired).await? => self.update(desired, row).await,
            Next::Compare(_) => self.open(desired).await,
        }
    }

    /// Records runs of this execution that were opened by an attempt whose answer was lost.
    async fn adopt(&mut self, desired: &Desired) -> Result<(), Failure> {
        for run in self.runs_of_execution(desired).await? {
            if self.objects.check_runs.iter().any(|row| row.id == run.id) {
                continue;
            }
            let row = CheckRunRow {
                id: run.id,
                head_sha: run.head_sha,
                status: desired::status_word(run.status).to_owned(),
                conclusion: run.conclusion.map(|conclusion| desired::word(conclusion).to_owned()),
                seq: self.next_seq(),
                // What it shows is not known; it is brought up to date like any other.
                rendered_version: 0,
            };
            self.record(row).await?;
        }
        Ok(())
    }

    async fn runs_of_execution(&self, desired: &Desired) -> Result<Vec<CheckRun>, Failure> {
        let query = CheckRunQuery {
            reference: desired.head_sha.clone(),
            check_name: Some(desired::check_name(&self.execution.process)),
        };
        let mut runs = self.writing.client.list_check_runs(self.repository, &query).await?;
        let id = self.execution.id.to_string();
        runs.retain(|run| run.external_id.as_deref() == Some(id.as_str()));
        runs.sort_by_key(|run| run.id);
        Ok(runs)
    }

    /// Whether the run on GitHub asks for exactly what is asked now.
    async fn asked_by(&self, row: &CheckRunRow, desired: &Desired) -> Result<bool, Failure> {
        let runs = self.runs_of_execution(desired).await?;
        let run = runs.iter().find(|run| run.id == row.id);
        let summary = run.and_then(|run| run.output.as_ref()).and_then(|output| output.summary.as_deref());
        Ok(summary.is_some_and(|summary| asks_of(summary) == desired.asks))
    }

    async fn open(&mut self, desired: &Desired) -> Result<(), Failure> {
        let new = desired::opening(&self.execution, desired, self.now);
        let write = self.writing.client.create_check_run(self.repository, &new);
        let run = self.writing.write(Kind::Creates, write).await?;
        self.note_shown(desired.asks.clone(), self.writing.outbox.clock.now()).await?;
        self.record(CheckRunRow {
            id: run.id,
            head_sha: desired.head_sha.clone(),
            status: desired::status_word(desired.status).to_owned(),
            conclusion: desired.conclusion.map(|conclusion| desired::word(conclusion).to_owned()),
            seq: self.next_seq(),
            rendered_version: self.version,
        })
        .await?;
        if desired.conclusion.is_none() {
            self.renew_before_stale(run.id).await?;
        }
        Ok(())
    }

    async fn renew_before_stale(&self, run: u64) -> Result<(), Failure> {
        let ClaimedEffect { tenant, installation_id, .. } = self.writing.effect;
        let sender = Sender { tenant: tenant.clone(), installation_id: *installation_id };
        let renew = Some(Renewal { run, why: RenewedBecause::Old });
        let renewal = Effect::SyncExecution { execution: self.execution.id, renew };
        let at = self.now.saturating_add(RENEWED_AFTER).unwrap_or(Timestamp::MAX);
        let queued = renewal.queued(&sender, priority::TIMELINE, at);
        Ok(self.writing.outbox.store.add_effects(vec![queued]).await?)
    }

    async fn update(&mut self, desired: &Desired, row: CheckRunRow) -> Result<(), Failure> {
        let update = desired::update(&self.execution, desired, self.now);
        let write = self.writing.client.update_check_run(self.repository, row.id, &update);
        self.writing.write(Kind::Changes, write).await?;
        self.note_shown(desired.asks.clone(), self.writing.outbox.clock.now()).await?;
        self.record(CheckRunRow {
            status: desired::status_word(desired.status).to_owned(),
            conclusion: desired.conclusion.map(|conclusion| desired::word(conclusion).to_owned()),
            rendered_version: self.version,
            ..row
        })
        .await
    }

    /// Takes the buttons from runs that count no more.
    async fn close_others(&mut self, desired: &Desired) -> Result<(), Failure> {
        let behind: Vec<CheckRunRow> = desired::left_behind(desired, &self.objects.check_runs).cloned().collect();
        for row in behind {
            let closing = desired::closing(&self.execution, desired, self.now);
            let write = self.writing.client.update_check_run(self.repository, row.id, &closing);
            self.writing.write(Kind::Changes, write).await?;
            let conclusion = Some(desired::word(desired::LEFT).to_owned());
            let row = CheckRunRow { status: "completed".to_owned(), conclusion, rendered_version: self.version, ..row };
            self.record(row).await?;
        }
        Ok(())
    }

    /// Of the runs of one name GitHub shows the last, and requires no other. Where this execution has ended, and another
    /// one of its process is still open on the commit, the run of that one is opened anew.
    async fn uncover_others(&self, desired: &Desired) -> Result<(), Failure> {
        let number = self.execution.subject.as_ref().and_then(|subject| subject.number);
        let (Some(number), Some(own), true) =
            (number, last_on(&self.objects, &desired.head_sha), self.execution.status.is_final())
        else {
            return Ok(());
        };
        let Writing { outbox, effect: ClaimedEffect { tenant, installation_id, .. }, .. } = self.writing;
        let (store, sender) = (&outbox.store, Sender { tenant: tenant.clone(), installation_id: *installation_id });
        for other in store.executions_of(tenant, &self.execution.repository, Some(number), true).await? {
            if other.process != self.execution.process {
                continue;
            }
            let objects = store.github_objects(tenant, other.id).await?;
            let Some(covered) = last_on(&objects, &desired.head_sha).filter(|row| row.id < own.id) else { continue };
            let renew = Some(Renewal { run: covered.id, why: RenewedBecause::Asked });
            let anew = Effect::SyncExecution { execution: other.id, renew }.queued(&sender, priority::PROMPT, self.now);
            store.add_effects(vec![anew]).await?;
        }
        Ok(())
    }

    fn next_seq(&self) -> u32 {
        self.objects.check_runs.iter().map(|row| row.seq).max().unwrap_or(0) + 1
    }

    async fn record(&mut self, row: CheckRunRow) -> Result<(), Failure> {
        self.save(GitHubObject::CheckRun(row.clone())).await?;
        match self.objects.check_runs.iter_mut().find(|known| known.seq == row.seq) {
            Some(known) => *known = row,
            None => self.objects.check_runs.push(row),
        }
        Ok(())
    }

    async fn save(&self, object: GitHubObject) -> Result<(), Failure> {
        let tenant = &self.writing.effect.tenant;
        self.writing.outbox.store.save_github_object(tenant, self.execution.id, object).await?;
        crash_point("effect.recorded");
        Ok(())
    }
}

/// The last run of an execution on a commit.
fn last_on<'o>(objects: &'o GitHubObjects, head_sha: &str) -> Option<&'o CheckRunRow> {
    objects.check_runs.iter().rev().find(|row| row.head_sha == head_sha)
}

/// Our comment with this marker, where an earlier attempt has written one.
pub(super) async fn find_comment(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    issue: u64,
    marker: &str,
    since: Timestamp,
) -> Result<Option<IssueComment>, Failure> {
    // GitHub's clock and ours differ; a little earlier costs nothing.
    let since = since.saturating_sub(SignedDuration::from_mins(10)).unwrap_or(since);
    let comments = writing.client.list_comments(repository, issue, Some(since)).await?;
    let app_id = writing.outbox.github.app().id();
    Ok(comments.into_iter().find(|comment| is_ours(comment, app_id) && comment.body.starts_with(marker)))
}

/// Whether this App wrote it: by the App that GitHub names, or where a server names none, by a bot.
pub(in crate::github) fn is_ours(comment: &IssueComment, app_id: u64) -> bool {
    match &comment.performed_via_github_app {
        Some(app) => app.id == app_id,
        None => comment.user.as_ref().is_some_and(crate::github::client::User::is_bot),
    }
}
