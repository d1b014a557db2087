//! Looks whether a server can run here: its disk, its clock, its database, and whether what is stored of each execution
//! is what its events give; and whether GitHub answers and grants what is needed. It changes and mends nothing.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustix::fs::Access;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::clock::SystemClock;
use crate::github::client::GitHub;
use crate::github::outbox::refused_references;
use crate::github::setup::examine;
use crate::settings::{GitHubSettings, Settings};
use crate::store::{Examination, StoreError, postgres, sqlite};

/// For how long a webhook may wait before somebody should look.
const STUCK: SignedDuration = SignedDuration::from_hours(1);
/// Free bytes below which a server will soon stop.
const LITTLE_SPACE: u64 = 1 << 30;
/// Free bytes below which SQLite may fail at any commit: the log alone grows to some tens of them.
const NO_SPACE: u64 = 128 << 20;
/// How far in the future something stored may lie: clocks of two machines differ a little.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All is well.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// Something is wrong.
    Fault,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Check {
    /// A check without help.
    pub(crate) fn new(name: &'static str, outcome: Outcome, message: impl Into<String>) -> Self {
        Self { name, outcome, message: message.into(), help: None }
    }

    /// The same with what to do.
    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Looks at everything that these settings name. Reads every execution: on a large database that takes a while.
pub async fn look(settings: &Settings, now: Timestamp) -> Vec<Check> {
    let mut checks = vec![disk(&settings.data_dir)];
    checks.extend(folder(&settings.data_dir));
    let url = settings.database_url.expose_secret();
    let is_file = url.starts_with("sqlite:");
    let examined = if is_file { sqlite::examine(url) } else { postgres::examine(url).await };
    match examined {
        Ok(Some(found)) => {
            checks.extend(database(&found, now));
            checks.extend(stream(&found, settings.nats_url.is_some()));
            checks.extend(deliveries(&found, now));
            checks.extend(audit_references(&found));
            checks.extend(url.starts_with("sqlite:").then(|| access(Path::new(&found.place))).flatten());
        }
        Ok(None) => {
            let told = Check::new("database", Outcome::Ok, "there is none yet");
            checks.push(told.with_help("`flowctl serve` makes it"));
        }
        Err(error @ (StoreError::Address { .. } | StoreError::Connect(_))) => {
            checks.push(Check::new("database", Outcome::Fault, error.to_string()));
        }
        Err(error) => {
            let check = Check::new("database", Outcome::Fault, format!("it cannot be read: {error}"));
            checks.push(if is_file { check.with_help("restore a back-up: `flowctl db restore FILE`") } else { check });
        }
    }
    if let Some(app) = &settings.github {
        checks.extend(github(app, settings, now).await);
    }
    checks
}

async fn github(app: &GitHubSettings, settings: &Settings, now: Timestamp) -> Vec<Check> {
    match GitHub::new(app, Arc::new(SystemClock)) {
        Ok(github) => examine(&github, &settings.public_url, now).await,
        Err(error) => vec![Check::new("github", Outcome::Fault, error.to_string())],
    }
}

fn disk(folder: &Path) -> Check {
    // The folder is made by the first start; until then the disk of what is above it counts.
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let stat = match rustix::fs::statvfs(there) {
        Ok(stat) => stat,
        Err(error) => return Check::new("disk", Outcome::Fault, format!("{}: {error}", there.display())),
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let outcome = match free {
        0..NO_SPACE => Outcome::Fault,
        NO_SPACE..LITTLE_SPACE => Outcome::Warning,
        LITTLE_SPACE.. => Outcome::Ok,
    };
    let check = Check::new("disk", outcome, format!("{} MiB are free for {}", free >> 20, folder.display()));
    if outcome == Outcome::Ok { check } else { check.with_help("a full disk stops the server; make room") }
}

/// Whether this user can write where a server would; nothing where it can.
fn folder(folder: &Path) -> Option<Check> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let error = rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).err()?;
    let message = format!("{} cannot be written: {error}", there.display());
    let check = Check::new("folder", Outcome::Fault, message);
    Some(check.with_help("start the server as the folder's owner, or name another one: FLOWCTL_DATA_DIR"))
}

/// Whether others on this machine may read the database, which holds what tokens are signed with. Told only where they
/// may: a folder that is closed keeps what is in it.
#[cfg(unix)]
fn access(database: &Path) -> Option<Check> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let open = |path: &Path, to: u32| std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & to != 0);
    if !(open(database, 0o044) && open(folder, 0o011)) {
        return None;
    }
    let (file, folder) = (database.display(), folder.display());
    let message = format!("others may read {file}, which holds the keys that tokens are signed with");
    Some(Check::new("access", Outcome::Warning, message).with_help(format!("`chmod 700 {folder}; chmod 600 {file}`")))
}

#[cfg(not(unix))]
fn access(_: &Path) -> Option<Check> {
    None
}

fn database(found: &Examination, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    let broken = (found.broken.len(), found.broken.first());
    checks.push(match broken {
        (_, None) => Check::new("database", Outcome::Ok, format!("{} is sound", found.place)),
        (count, Some(first)) => {
            let message = format!("{} is damaged in {count} places: {first}", found.place);
            let help = "stop the server, keep a copy of the file, and restore a back-up: `flowctl db restore FILE`";
            Check::new("database", Outcome::Fault, message).with_help(help)
        }
    });
    checks.push(schema(found));
    if found.missing_migrations > 0 || !found.foreign_migrations.is_empty() || broken.0 > 0 {
        return checks;
    }
    checks.push(events(found));
    checks.push(match found.missing_outputs.first() {
        None => Check::new("outputs", Outcome::Ok, "every large output that is named is there"),
        Some(first) => {
            let message = format!("{} large outputs are missing: {first}", found.missing_outputs.len());
            Check::new("outputs", Outcome::Fault, message).with_help("restore them from a back-up")
        }
    });
    checks.push(match found.newest {
        Some(newest) if newest > now + CLOCK_SKEW => {
            let message = format!("it is {now} here, and an execution was accepted at {newest}");
            Check::new("clock", Outcome::Fault, message).with_help("set the clock; deadlines are counted by it")
        }
        _ => Check::new(
            "clock",
            Outcome::Ok,
            format!("it is {}, after all that is stored", now.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ),
    });
    checks
}

/// Untold transitions above which the event stream is behind: one keeps up with thousands a second.
const BEHIND: u64 = 10_000;

/// How far behind the event stream is; nothing where there is none.
fn stream(found: &Examination, set_up: bool) -> Option<Check> {
    let untold = found.untold;
    let message = format!("{untold} transitions wait for the event stream");
    match (set_up, untold) {
        (false, 0) => None,
        (false, _) => Some(
            Check::new("stream", Outcome::Warning, format!("{message}, and FLOWCTL_NATS_URL is not set"))
                .with_help("set it on every server; without a stream they go with their executions"),
        ),
        (true, 0..=BEHIND) => Some(Check::new("stream", Outcome::Ok, message)),
        (true, _) => Some(
            Check::new("stream", Outcome::Warning, message)
                .with_help("see the server's log: NATS cannot be reached, or takes less than comes"),
        ),
    }
}

/// Webhooks that were given up, or have waited for long; nothing where there are none.
fn deliveries(found: &Examination, now: Timestamp) -> Option<Check> {
    let waits = found.oldest_delivery.map(|came| now.duration_since(came)).filter(|waits| *waits >= STUCK);
    let stuck = waits.map(|waits| match waits.as_hours() {
        1 => "one has not been handled for an hour".to_owned(),
        hours => format!("one has not been handled for {hours} hours"),
    });
    let failed = match found.failed_deliveries {
        0 => None,
        1 => Some("one was given up".to_owned()),
        count => Some(format!("{count} were given up")),
    };
    let told: Vec<String> = [failed, stuck].into_iter().flatten().collect();
    if told.is_empty() {
        return None;
    }
    let check = Check::new("deliveries", Outcome::Warning, format!("of GitHub's webhooks {}", told.join(", and ")));
    Some(check.with_help(
        "the server's log says which and why; what was given up is taken once it is redelivered in the App's settings",
    ))
}

/// Audit logs that should be written into repositories and are not; nothing where there are none.
fn audit_references(found: &Examination) -> Option<Check> {
    let refused = refused_references(&found.standings);
    let first = refused.first()?;
    let (tenant, reference, reason) = (first.tenant.as_str(), &first.reference, &first.reason);
    let others = match refused.len() {
        1 => String::new(),
        count => format!(" ({count} repositories in all)"),
    };
    let message = format!("the audit log of {tenant} cannot be written to {reference}: {reason}{others}");
    Some(Check::new("audit ref", Outcome::Warning, message).with_help(
        "grant the App Contents: read and write, and accept that for the account; or take `audit.ref` out of flow.yaml",
    ))
}

fn schema(found: &Examination) -> Check {
    if !found.foreign_migrations.is_empty() {
        let message = format!("migrations {:?} are not those of this version", found.foreign_migrations);
        let help = "start the version that made them, or restore a back-up from before";
        return Check::new("schema", Outcome::Fault, message).with_help(help);
    }
    match found.missing_migrations {
        0 => Check::new("schema", Outcome::Ok, "it is that of this version"),
        count => Check::new("schema", Outcome::Warning, format!("{count} migrations are not made yet"))
            .with_help("make a back-up (`flowctl db backup FILE`), then start the server: it makes them"),
    }
}

fn events(found: &Examination) -> Check {
    let (executions, events) = (found.executions, found.events);
    let Some(first) = found.differences.first() else {
        let message = format!("events give what is stored (executions: {executions}, events: {events})");
        return Check::new("events", Outcome::Ok, message);
    };
    let count = found.differences.len() as u64 + found.more_differences;
    let others: Vec<&str> = found.differences.iter().skip(1).map(String::as_str).collect();
    let mut message = format!("{count} of {executions} executions are not what their events give: {first}");
    if !others.is_empty() {
        message.push_str("; ");
        message.push_str(&others.join("; "));
    }
    Check::new("events", Outcome::Fault, message)
        .with_help("keep a copy of the database and report it; the events are the truth")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use tempfile::TempDir;

    use super::*;
    use crate::store::sqlite::{back_up, restore};
    use crate::store::{SqliteStore, Store, Transition};

    fn settings(folder: &TempDir) -> Settings {
        let data = ("FLOWCTL_DATA_DIR".to_owned(), folder.path().display().to_string());
        Settings::load(None, [data].into_iter()).unwrap().0
    }

    fn told(checks: &[Check]) -> Vec<(&'static str, Outcome)> {
        checks.iter().map(|check| (check.name, check.outcome)).collect()
    }

    #[tokio::test]
    async fn a_database_whose_state_is_not_what_its_events_give_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        assert!(look(&settings, Timestamp::now()).await.iter().any(|check| check.message == "there is none yet"));
        let store = SqliteStore::open(settings.database_url.expose_secret()).await.unwrap();
        for number in 1..=3 {
            let (mut execution, mut events) = crate::store::conformance::drafting_since(number);
            let ended = flowctl_core::execution::EventKind::ExecutionCompleted { outputs: serde_json::json!({}) };
            let at = execution.created_at;
            events.push(flowctl_core::execution::Event { at, step: None, attempt: None, actor: None, kind: ended });
            execution.apply(&events[events.len() - 1]);
            store.commit(Transition::of(execution, 0, events)).await.unwrap();
        }
        let checks = look(&settings, Timestamp::now()).await;
        let sound = ["disk", "database", "schema", "events", "outputs", "clock"].map(|name| (name, Outcome::Ok));
        assert_eq!(told(&checks), sound, "{checks:#?}");
        assert_eq!(checks[3].message, "events give what is stored (executions: 3, events: 12)");
        let before = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(told(&look(&settings, before).await)[5], ("clock", Outcome::Fault));

        let connection = rusqlite::Connection::open(folder.path().join("flowctl.db")).unwrap();
        let forge = "update snapshots set state = replace(state, 'release', 'rejoice') where execution = 2";
        assert_eq!(connection.execute(forge, []).unwrap(), 1);
        connection.execute("update executions set status = 'failed' where position = 3", []).unwrap();
        let found = look(&settings, Timestamp::now()).await.remove(3);
        assert_eq!((found.name, found.outcome), ("events", Outcome::Fault));
        assert!(found.message.starts_with("2 of 3 executions are not what their events give: "), "{}", found.message);
        assert!(found.message.contains("give another state than the stored one"), "{}", found.message);
        assert!(found.message.contains("say that it is completed, and its row that it is failed"), "{}", found.message);
    }

    #[test]
    fn how_far_behind_the_event_stream_is_is_told() {
        let found = |untold| Examination { untold, ..Examination::default() };
        assert_eq!(stream(&found(0), false), None);
        assert_eq!(stream(&found(3), true).unwrap().outcome, Outcome::Ok);
        let alone = stream(&found(3), false).unwrap();
        assert_eq!(alone.message, "3 transitions wait for the event stream, and FLOWCTL_NATS_URL is not set");
        assert_eq!(
            (alone.outcome, stream(&found(20_000), true).unwrap().outcome),
            (Outcome::Warning, Outcome::Warning)
        );
    }

    #[test]
    fn webhooks_that_were_given_up_or_wait_for_long_are_told_of() {
        let now = Timestamp::from_second(100_000).unwrap();
        let told = |failed_deliveries, waits: i64| {
            let oldest_delivery = Some(now - SignedDuration::from_mins(waits));
            let found = Examination { failed_deliveries, oldest_delivery, ..Examination::default() };
            deliveries(&found, now).map(|check| (check.outcome, check.message))
        };
        assert_eq!(told(0, 59), None);
        let warned = |message: &str| Some((Outcome::Warning, message.to_owned()));
        assert_eq!(told(1, 0), warned("of GitHub's webhooks one was given up"));
        let both = "of GitHub's webhooks 3 were given up, and one has not been handled for 2 hours";
        assert_eq!(told(3, 125), warned(both));
        assert_eq!(told(0, 61), warned("of GitHub's webhooks one has not been handled for an hour"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_database_that_others_may_read_was_not_told_of() {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let database = folder.path().join("flowctl.db");
        SqliteStore::open(settings.database_url.expose_secret()).await.unwrap().close().await;
        for (of_folder, of_file, told_of) in
            [(0o700, 0o600, false), (0o755, 0o600, false), (0o700, 0o644, false), (0o755, 0o644, true)]
        {
            set_permissions(folder.path(), Permissions::from_mode(of_folder)).unwrap();
            set_permissions(&database, Permissions::from_mode(of_file)).unwrap();
            let checks = look(&settings, Timestamp::now()).await;
            let found = told(&checks).contains(&("access", Outcome::Warning));
            assert_eq!(found, told_of, "{of_folder:o} {of_file:o}: {checks:#?}");
        }
    }

    #[tokio::test]
    async fn a_damaged_file_is_told_of_and_a_back_up_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let url = settings.database_url.expose_secret();
        let store = SqliteStore::open(url).await.unwrap();
        for number in 1..=40 {
            store.commit(crate::store::conformance::drafting(number)).await.unwrap();
        }
        store.close().await;
        let kept = folder.path().join("kept.db");
        assert_eq!(back_up(url, &kept).unwrap().executions, 40);
        let path = folder.path().join("flowctl.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let half = bytes.len() / 2;
        bytes[half..].fill(0xA5);
        std::fs::write(&path, bytes).unwrap();
        let checks = look(&settings, Timestamp::now()).await;
        assert_eq!(told(&checks)[1], ("database", Outcome::Fault), "{checks:#?}");
        assert_eq!(restore(&kept, url, true).unwrap().executions, 40);
        assert!(look(&settings, Timestamp::now()).await.iter().all(|check| check.outcome == Outcome::Ok));
    }
}
