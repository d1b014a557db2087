//! Since when questions are shown on GitHub. A word that names no step is about what its author could see: it counts only for
//! a question that was shown when it was written. Each write that shows one is noted once it was answered; where no note is,
//! since the answer was lost or the server died, GitHub itself is asked.

use flowctl_core::execution::{Execution, ExecutionId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::client::{CheckRun, CheckRunQuery, GitHubError, InstallationClient, IssueComment, RepositoryName};
use super::outbox::{Asked, check_name, is_ours};
use super::wording::{Ask, asks_of, execution_marker, named_beside, shown_in};
use crate::store::{DeliveryId, Heard, Store, StoreError};

/// Since when there are notes. It belongs to no account.
const BEGAN: &str = "shown";
const NOBODY: TenantId = TenantId(String::new());
/// Notes are forgotten as everything that was heard of. A question that is asked for so long was shown, or nothing is.
const LONG: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A question, and since when it is shown.
pub type Shown = (Ask, Timestamp);

/// What the note about a question is called.
fn key(execution: ExecutionId, ask: &Ask) -> String {
    format!("shown:{execution}:{}:{}", ask.step, ask.since)
}

/// Records since when there are notes, unless it is known. What was asked before was shown by servers that noted nothing.
///
/// # Errors
/// Where the store does not answer.
pub async fn begin(store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
    if store.standing(&NOBODY, BEGAN).await?.is_none() {
        store.note_standing(&NOBODY, BEGAN, None, json!(now), None).await?;
    }
    Ok(())
}

async fn began(store: &dyn Store) -> Result<Option<Timestamp>, StoreError> {
    let noted = store.standing(&NOBODY, BEGAN).await?;
    Ok(noted.and_then(|noted| serde_json::from_value(noted.state).ok()))
}

/// Since when a question is shown, as far as that is noted.
///
/// # Errors
/// Where the store does not answer.
pub async fn since(
    store: &dyn Store,
    execution: &Execution,
    ask: &Ask,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let asked = ask.asked_at();
    // Of these a note may tell only when they were shown once more.
    if now.duration_since(asked) > LONG || began(store).await?.is_some_and(|began| asked < began) {
        return Ok(Some(asked));
    }
    let noted = store.heard(&execution.tenant, &key(execution.id, ask)).await?;
    Ok(noted.map(|noted| noted.at))
}

/// Notes that questions are shown. What was noted first stays.
///
/// # Errors
/// Where the store does not answer.
pub async fn note(store: &dyn Store, execution: &Execution, shown: &[Shown]) -> Result<(), StoreError> {
    for (ask, at) in shown {
        let (tenant, what) = (execution.tenant.clone(), key(execution.id, ask));
        if store.heard(&tenant, &what).await?.is_none() {
            let delivery = DeliveryId(format!("shown of {}", execution.id));
            store.hear(Heard { tenant, what, delivery, at: *at }).await?;
        }
    }
    Ok(())
}

/// Whether a question is asked of which it is not noted that it is shown.
///
/// # Errors
/// Where the store does not answer.
pub async fn lacks_notes(store: &dyn Store, execution: &Execution) -> Result<bool, StoreError> {
    for ask in Ask::all(execution) {
        if store.heard(&execution.tenant, &key(execution.id, &ask)).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The questions that GitHub shows now, with the time since when at the latest; what shows one first comes first.
///
/// # Errors
/// Any [`GitHubError`].
pub async fn on_github(
    client: &InstallationClient,
    app_id: u64,
    repository: &RepositoryName,
    execution: &Execution,
) -> Result<Vec<Shown>, GitHubError> {
    let asked = Ask::all(execution).iter().map(Ask::asked_at).min();
    let (Some(asked), Some(subject)) = (asked, &execution.subject) else { return Ok(Vec::new()) };
    let mut shown = Vec::new();
    if let Some(number) = subject.number {
        let comments = match client.list_comments(repository, number, Some(asked)).await {
            Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => Vec::new(),
            listed => listed?,
        };
        let ours = comments.iter().filter(|comment| is_ours(comment, app_id));
        shown.extend(ours.flat_map(|comment| in_comment(comment, execution)));
    }
    let check_name = Some(check_name(&execution.process));
    let query = CheckRunQuery { reference: subject.head_sha.clone(), check_name };
    let runs = client.list_check_runs(repository, &query).await?;
    shown.extend(runs.iter().flat_map(|run| in_check_run(run, execution)));
    shown.sort_by_key(|(_, at)| *at);
    Ok(shown)
}

/// The questions that a comment of ours shows: the execution's own one, or one beside it.
pub fn in_comment(comment: &IssueComment, execution: &Execution) -> Vec<Shown> {
    let IssueComment { body, created_at, updated_at, .. } = comment;
    let (asks, at) = if body.starts_with(&execution_marker(execution.id)) {
        (shown_in(body, execution), *updated_at)
    } else {
        (beside(body, execution), *created_at)
    };
    // A step that asks anew may ask in the same words as before.
    let is_of_now = |ask: &Ask| at.as_second() >= ask.asked_at().as_second();
    asks.into_iter().filter(is_of_now).map(|ask| (ask, at)).collect()
}

/// The questions that a comment beside the execution's own names. Its marker says when they were asked.
fn beside(body: &str, execution: &Execution) -> Vec<Ask> {
    let asked = Asked::of_comment(body).filter(|asked| asked.execution == execution.id);
    let Some(Asked { ask: Ask { since, .. }, .. }) = asked else { return Vec::new() };
    named_beside(body, execution).into_iter().filter(|ask| ask.since == since).collect()
}

/// The questions that a check run shows. GitHub does not tell when it was changed, but it keeps when it ended, and one that asks
/// has.
fn in_check_run(run: &CheckRun, execution: &Execution) -> Vec<Shown> {
    if run.external_id.as_deref() != Some(execution.id.to_string().as_str()) {
        return Vec::new();
    }
    let summary = run.output.as_ref().and_then(|output| output.summary.as_deref());
    let asks = summary.map(asks_of).unwrap_or_default();
    asks.into_iter().map(|ask| (ask.clone(), run.completed_at.unwrap_or_else(|| ask.asked_at()))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;
    use crate::github::wording::sample::Sample;
    use crate::github::wording::{comment, newly_asked};
    use crate::store::SqliteStore;

    /// It asks `leads` since 09:00:02.5.
    fn asking() -> (Execution, Ask) {
        let execution = Sample::at_leads("Release 1.4", "Carts survive.").execution;
        let ask = Ask::all(&execution).remove(0);
        (execution, ask)
    }

    fn at(time: &str) -> Timestamp {
        format!("2026-03-01T{time}Z").parse().unwrap()
    }

    fn written(body: String, created_at: &str, updated_at: &str) -> IssueComment {
        IssueComment {
            id: 9_000_000_007,
            body,
            user: None,
            created_at: at(created_at),
            updated_at: at(updated_at),
            html_url: String::new(),
            performed_via_github_app: None,
        }
    }

    #[tokio::test]
    async fn a_question_is_shown_since_its_first_note() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        let (execution, ask) = asking();
        let now = at("10:00:00");
        begin(&store, at("08:00:00")).await.unwrap();
        assert_eq!(since(&store, &execution, &ask, now).await.unwrap(), None);
        assert!(lacks_notes(&store, &execution).await.unwrap());
        for time in ["09:05:00", "09:06:00"] {
            note(&store, &execution, &[(ask.clone(), at(time))]).await.unwrap();
            assert_eq!(since(&store, &execution, &ask, now).await.unwrap(), Some(at("09:05:00")));
        }
        assert!(!lacks_notes(&store, &execution).await.unwrap());
        let again = Ask { since: ask.since + 1, ..ask };
        assert_eq!(since(&store, &execution, &again, now).await.unwrap(), None, "asked anew it is another question");
    }

    #[tokio::test]
    async fn what_was_asked_before_there_were_notes_or_long_ago_counts_as_shown() {
        for (began_at, now, is_shown) in [
            ("2026-03-01T09:00:03Z", "2026-03-01T10:00:00Z", true),
            ("2026-03-01T09:00:02Z", "2026-03-01T10:00:00Z", false),
            ("2026-03-01T09:00:02Z", "2026-03-31T09:00:02Z", false),
            ("2026-03-01T09:00:02Z", "2026-03-31T09:00:03Z", true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
            let store = SqliteStore::open(&url).await.unwrap();
            let (execution, ask) = asking();
            begin(&store, began_at.parse().unwrap()).await.unwrap();
            // Another server's start changes nothing.
            begin(&store, at("23:00:00")).await.unwrap();
            let shown = || async { since(&store, &execution, &ask, now.parse().unwrap()).await.unwrap() };
            assert_eq!(shown().await, is_shown.then(|| ask.asked_at()), "{began_at} {now}");
            // Shown once more, by who notes it.
            note(&store, &execution, &[(ask.clone(), at("09:30:00"))]).await.unwrap();
            let noted = if is_shown { ask.asked_at() } else { at("09:30:00") };
            assert_eq!(shown().await, Some(noted), "{began_at} {now}");
        }
    }

    #[test]
    fn a_comment_shows_the_questions_that_stand_in_it() {
        let (execution, ask) = asking();
        let body = comment(&execution, at("09:00:03"));
        let shown = |comment| in_comment(&comment, &execution);
        let since = |time: &str| vec![(ask.clone(), at(time))];
        assert_eq!(shown(written(body.clone(), "08:00:00", "09:00:04")), since("09:00:04"));
        assert_eq!(shown(written(body.clone(), "08:00:00", "09:00:02")), since("09:00:02"));
        assert_eq!(shown(written(body.clone(), "08:00:00", "09:00:01")), [], "in the same words before");
        assert_eq!(shown(written(format!("> {body}"), "09:00:04", "09:00:04")), [], "a quotation");
        let before = Sample::start(crate::github::wording::sample::RELEASE, "Release 1.4").execution;
        assert_eq!(shown(written(comment(&before, at("09:00:03")), "09:00:04", "09:00:04")), []);
    }

    #[test]
    fn a_comment_beside_shows_the_questions_that_it_names() {
        let (execution, ask) = asking();
        let to = |of: ExecutionId, since: i64| {
            let ask = Ask { step: "leads".to_owned(), since };
            newly_asked(&execution, &["leads"], &Asked { execution: of, ask }.to_string()).unwrap()
        };
        let told = |since| written(to(execution.id, since), "09:00:04", "09:30:00");
        assert_eq!(in_comment(&told(ask.since), &execution), [(ask.clone(), at("09:00:04"))]);
        assert_eq!(in_comment(&told(ask.since - 1), &execution), [], "of the attempt before");
        let other = to(ExecutionId::nil(), ask.since);
        assert_eq!(in_comment(&written(other, "09:00:04", "09:00:04"), &execution), []);
    }
}
