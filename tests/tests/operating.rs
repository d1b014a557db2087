//! What an operator does: look whether all is well, back up beside a running server, restore.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

use flowctl_app::telemetry::{CATALOGUE, Kind};
use flowctl_tests::{Server, free_address, program};
use serde_json::Value;
use sqlx::Connection as _;

fn flowctl(data: &Path, arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).env("FLOWCTL_DATA_DIR", data).output().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Outcome by check.
fn doctor(data: &Path) -> (i32, Vec<(String, String)>) {
    let output = flowctl(data, &["doctor", "--format", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = told["checks"].as_array().unwrap().iter();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = checks.map(|check| (text(check, "name"), text(check, "outcome"))).collect();
    (output.status.code().unwrap(), checks)
}

/// What a server answers.
fn body(url: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { reqwest::get(url).await.unwrap().error_for_status().unwrap().text().await.unwrap() })
}

/// A process whose first step gives more than is kept among the events, and whose second waits for a person.
fn ask() -> String {
    let notes = "All is well. ".repeat(1_000);
    format!(
        "name: ask\nversion: 1\nsteps:\n  - {{id: notes, type: set, values: {{text: '{notes}'}}}}\n  \
         - {{id: sign, type: human_approval, depends_on: notes, title: Ship?, approvers: {{role: write}}}}\n"
    )
}

/// The files below a folder.
fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[test]
fn what_was_backed_up_beside_a_server_is_there_after_a_restore() {
    let folder = tempfile::tempdir().unwrap();
    let (data, kept) = (folder.path().join("data"), folder.path().join("kept.db"));
    let (data_text, kept_text) = (data.display().to_string(), kept.display().to_string());
    let repository = folder.path().join("repository");
    std::fs::create_dir_all(repository.join(".flow/processes")).unwrap();
    std::fs::write(repository.join(".flow/processes/ask.yaml"), ask()).unwrap();
    let repository = repository.display().to_string();
    let run = ["run", "ask", "--repo", &repository, "--mock", "--data", &data_text];
    // It stops where it waits for a person.
    let ran = flowctl(&data, &run);
    assert_eq!(ran.status.code(), Some(3), "{}", err(&ran));

    let address = free_address();
    let mut server = Server::start(&[], &data, address);
    let sound = |name: &str| (name.to_owned(), "ok".to_owned());
    let told = body(&format!("http://{address}/metrics"));
    assert!(told.contains("\nflowctl_executions{status=\"waiting\"} 1\n"), "{told}");
    assert_eq!(unlisted(&told), Vec::<&str>::new());
    let all = ["disk", "database", "schema", "events", "outputs", "clock"].map(sound).to_vec();
    assert_eq!(doctor(&data), (0, all.clone()));
    let nowhere = flowctl(&data, &["db", "backup", "/no/such/folder/kept.db"]);
    assert_eq!(
        (nowhere.status.code(), err(&nowhere).as_str()),
        (Some(2), "error: there is no folder /no/such/folder\n")
    );
    let backed_up = flowctl(&data, &["db", "backup", &kept_text]);
    assert_eq!(backed_up.status.code(), Some(0), "{}", err(&backed_up));
    assert!(err(&backed_up).starts_with("1 execution, "), "{}", err(&backed_up));
    let again = flowctl(&data, &["db", "backup", &kept_text]);
    assert_eq!(again.status.code(), Some(2));
    assert!(err(&again).contains("exists already"), "{}", err(&again));

    let under_a_server = flowctl(&data, &["db", "restore", &kept_text, "--force"]);
    assert_eq!(under_a_server.status.code(), Some(2));
    assert!(err(&under_a_server).contains("in use by another flowctl"), "{}", err(&under_a_server));
    server.stop();
    let not_empty = flowctl(&data, &["db", "restore", &kept_text]);
    assert_eq!(not_empty.status.code(), Some(2));
    assert!(err(&not_empty).contains("--force"), "{}", err(&not_empty));

    let elsewhere = folder.path().join("elsewhere");
    let restored = flowctl(&elsewhere, &["db", "restore", &kept_text]);
    assert_eq!(restored.status.code(), Some(0), "{}", err(&restored));
    assert_eq!(files(&data.join("outputs")), 1);
    assert_eq!(files(&elsewhere.join("outputs")), 1, "the large output came along");
    assert_eq!(doctor(&elsewhere), (0, all));
    std::fs::remove_dir_all(elsewhere.join("outputs")).unwrap();
    let (code, checks) = doctor(&elsewhere);
    assert_eq!((code, &checks[4]), (1, &("outputs".to_owned(), "fault".to_owned())));
    let nothing = doctor(&folder.path().join("nowhere"));
    assert_eq!(nothing, (0, vec![sound("disk"), sound("database")]));
}

#[test]
fn a_database_is_brought_up_to_date_without_serving() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let migrate = || flowctl(&data, &["migrate"]);
    let first = migrate();
    assert_eq!(first.status.code(), Some(0), "{}", err(&first));
    let said = String::from_utf8(first.stdout).unwrap();
    let counts = said.strip_prefix("the database is up to date: migration ").unwrap().trim_end();
    let (applied, known) = counts.split_once(" of ").unwrap();
    assert!(applied == known && known.parse::<u32>().unwrap() > 10, "{said}");
    assert_eq!(String::from_utf8(migrate().stdout).unwrap(), said, "once more changes nothing");
    let (code, checks) = doctor(&data);
    assert_eq!((code, checks.contains(&("schema".to_owned(), "ok".to_owned()))), (0, true), "{checks:?}");

    let mut server = Server::start(&[], &data, free_address());
    let under_a_server = migrate();
    assert_eq!((under_a_server.status.code(), under_a_server.stdout.len()), (Some(2), 0));
    assert!(err(&under_a_server).contains("in use by another flowctl"), "{}", err(&under_a_server));
    server.stop();
    let elsewhere = flowctl(&data, &["migrate", "--config", "no-such-file.toml"]);
    assert_eq!(elsewhere.status.code(), Some(2), "{}", err(&elsewhere));
    assert!(err(&elsewhere).contains("no-such-file.toml"), "{}", err(&elsewhere));
}

#[test]
fn a_file_that_is_no_database_is_named_with_what_to_do_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (data, notes) = (folder.path().join("data"), folder.path().join("notes.txt"));
    std::fs::write(&notes, "not to be lost\n").unwrap();
    let url = format!("sqlite://{}", notes.display());
    for words in [&["serve"][..], &["migrate"], &["audit", "verify"]] {
        let mut command = Command::new(program());
        command
            .args(words)
            .env("FLOWCTL_DATA_DIR", &data)
            .env("FLOWCTL_DATABASE_URL", &url)
            .env("FLOWCTL_LISTEN", "127.0.0.1:0");
        let said = command.output().unwrap();
        assert_eq!((said.status.code(), said.stdout.len()), (Some(2), 0), "{words:?}: {}", err(&said));
        let is_named = err(&said).contains(&format!("{} is no SQLite database", notes.display()));
        assert!(is_named && err(&said).contains("FLOWCTL_DATABASE_URL"), "{words:?}: {}", err(&said));
        assert_eq!(std::fs::read_to_string(&notes).unwrap(), "not to be lost\n", "{words:?}");
    }
}

/// Figures whose name or whose labels are not those of the catalogue, by which dashboards and alerts are made.
fn unlisted(told: &str) -> Vec<&str> {
    let figures = told.lines().filter(|line| line.starts_with("flowctl_"));
    let is_listed = |line: &&str| {
        let (name, labels) = line.split_once(['{', ' ']).unwrap_or((*line, ""));
        let labels: Vec<&str> = match labels.rsplit_once('}') {
            Some((labels, _)) => labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0)).collect(),
            None => Vec::new(),
        };
        CATALOGUE.iter().any(|metric| {
            let rest = name.strip_prefix(metric.name);
            let is_it = match metric.kind {
                Kind::Histogram(_) => matches!(rest, Some("_bucket" | "_sum" | "_count")),
                Kind::Counter | Kind::Gauge => rest == Some(""),
            };
            is_it && labels.iter().all(|label| *label == "le" || metric.labels.contains(label))
        })
    };
    figures.filter(|line| !is_listed(line)).collect()
}

/// Somebody with access to the database changes the audit log by this statement about entry `seq`.
fn tamper(data: &Path, statement: &'static str, seq: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}", data.join("flowctl.db").display());
        let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let done = sqlx::query(statement).bind(i64::try_from(seq).unwrap()).execute(&mut database).await.unwrap();
        assert!(done.rows_affected() > 0);
        database.close().await.unwrap();
    });
}

#[test]
fn the_audit_log_is_checked_and_exported_and_a_change_of_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data_text = data.display().to_string();
    let nothing = flowctl(&data, &["audit", "verify"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(err(&nothing).contains("there is no database") && !data.exists(), "{}", err(&nothing));

    let repository = folder.path().join("repository");
    std::fs::create_dir_all(repository.join(".flow/processes")).unwrap();
    std::fs::write(repository.join(".flow/processes/ask.yaml"), ask()).unwrap();
    let repository = repository.display().to_string();
    let run =
        ["run", "ask", "--repo", &repository, "--mock", "--data", &data_text, "--approve", "sign=reads, \"well\""];
    let ran = flowctl(&data, &run);
    assert_eq!(ran.status.code(), Some(0), "{}", err(&ran));
    let out = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();

    let lines = out(&flowctl(&data, &["audit", "export"]));
    let said: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = said.iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().rev().take(2).collect::<Vec<_>>(), [&"approval.ended", &"approval.decided"], "{lines}");
    assert!(kinds.contains(&"definition.pinned"), "{lines}");
    // Anybody's SHA-256 will do.
    let digest = |line: &str| flowctl_app::store::digest(line.as_bytes());
    let digests: Vec<String> = lines.lines().map(digest).collect();
    for (entry, before) in said.iter().skip(1).zip(&digests) {
        assert_eq!(entry["previous"], before.as_str(), "{lines}");
    }
    let sound = flowctl(&data, &["audit", "verify", "--tenant", "local"]);
    assert_eq!(sound.status.code(), Some(0), "{}", err(&sound));
    assert_eq!(
        out(&sound),
        format!("local: {} entries, the last one with digest {}\n", said.len(), digests.last().unwrap())
    );
    for command in ["verify", "export"] {
        let misspelt = flowctl(&data, &["audit", command, "--tenant", "locl"]);
        let words = "there is no tenant `locl`; did you mean `local`?";
        assert_eq!((misspelt.status.code(), out(&misspelt).as_str()), (Some(2), ""), "{command}");
        assert!(err(&misspelt).contains(words), "{command}: {}", err(&misspelt));
    }
    let csv = out(&flowctl(&data, &["audit", "export", "--format", "csv", "--since", "2020-01-01"]));
    assert_eq!(csv.lines().count(), said.len() + 1, "{csv}");
    assert_eq!(out(&flowctl(&data, &["audit", "export", "--until", "2020-01-01"])), "");
    assert_eq!(flowctl(&data, &["audit", "export", "--since", "friday"]).status.code(), Some(2));

    let last = said.len();
    let anchor = format!("{last}:{}", digests.last().unwrap());
    let expecting = ["audit", "verify", "--tenant", "local", "--expect", &anchor];
    assert_eq!(flowctl(&data, &expecting).status.code(), Some(0));
    assert_eq!(flowctl(&data, &["audit", "verify", "--expect", &anchor]).status.code(), Some(2), "whose entry?");

    tamper(&data, "delete from audit where seq >= $1", last);
    let cut = flowctl(&data, &["audit", "verify"]);
    assert_eq!(cut.status.code(), Some(1), "{}", err(&cut));
    assert!(out(&cut).contains("local: `approval.ended` of execution "), "{}", out(&cut));
    let expected = flowctl(&data, &expecting);
    let ends = format!("entry {last} of local: it is missing: the log ends at entry {}\n", last - 1);
    assert!(out(&expected).starts_with(&ends), "{}", out(&expected));

    tamper(&data, "update audit set line = replace(line, 'reads', 'reeds') where seq = $1", last - 1);
    let broken = flowctl(&data, &["audit", "verify"]);
    assert_eq!(broken.status.code(), Some(1), "{}", err(&broken));
    assert!(
        out(&broken).starts_with(&format!("entry {} of local: its text was changed", last - 1)),
        "{}",
        out(&broken)
    );

    tamper(&data, "delete from audit where seq > 0 or seq = $1", last);
    let emptied = flowctl(&data, &["audit", "verify"]);
    assert_eq!(emptied.status.code(), Some(1), "{}", err(&emptied));
    assert!(out(&emptied).starts_with("the audit log is empty\nlocal: `"), "{}", out(&emptied));
}

#[test]
fn a_server_that_starts_with_other_settings_says_so_in_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let token = "an-administrators-token";
    let first = [("FLOWCTL_API_TOKEN", token.to_owned())];
    let second =
        [("FLOWCTL_API_TOKEN", "another-administrators-token".to_owned()), ("FLOWCTL_API_ACT_AS", "true".to_owned())];
    for settings in [first.as_slice(), first.as_slice(), second.as_slice(), second.as_slice()] {
        // An address is a machine's own matter.
        Server::start(settings, &data, free_address()).stop();
    }
    let lines = String::from_utf8(flowctl(&data, &["audit", "export"]).stdout).unwrap();
    let said: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [entry] = said.as_slice() else { panic!("{lines}") };
    assert_eq!((&entry["type"], &entry["tenant"]), (&"server.settings_changed".into(), &"local".into()));
    let names: Vec<&str> =
        entry["data"]["settings"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["FLOWCTL_API_ACT_AS", "FLOWCTL_API_TOKEN"]);
    assert!(!lines.contains("administrators-token"), "{lines}");
    let sound = flowctl(&data, &["audit", "verify"]);
    assert_eq!(sound.status.code(), Some(0), "{}", err(&sound));
    tamper(&data, "delete from audit where seq >= $1", 1);
    let cut = flowctl(&data, &["audit", "verify"]);
    assert_eq!(cut.status.code(), Some(1), "{}", err(&cut));
    let told = String::from_utf8_lossy(&cut.stdout).into_owned();
    assert!(told.contains("local: `server.settings_changed` of servers (role all) at "), "{told}");
}

/// Commits a file to a reference that has no commit yet.
fn commit_to(repository: &git2::Repository, reference: &str, path: &str, content: &str) {
    let empty = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let mut update = git2::build::TreeUpdateBuilder::new();
    update.upsert(path, repository.blob(content.as_bytes()).unwrap(), git2::FileMode::Blob);
    let tree = repository.find_tree(update.create_updated(repository, &empty).unwrap()).unwrap();
    let signature = git2::Signature::now("flowctl", "flowctl@example.com").unwrap();
    repository.commit(Some(reference), &signature, &signature, "entries", &tree, &[]).unwrap();
}

#[test]
fn a_clone_is_held_against_the_log_without_asking_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let repository = folder.path().join("repository");
    std::fs::create_dir_all(repository.join(".flow/processes")).unwrap();
    std::fs::write(repository.join(".flow/processes/ask.yaml"), ask()).unwrap();
    let (repository, data_text) = (repository.display().to_string(), data.display().to_string());
    let run = ["run", "ask", "--repo", &repository, "--mock", "--data", &data_text, "--approve", "sign=fine"];
    assert_eq!(flowctl(&data, &run).status.code(), Some(0));
    let lines = String::from_utf8(flowctl(&data, &["audit", "export"]).stdout).unwrap();
    let clone = git2::Repository::init(folder.path().join("clone")).unwrap();
    commit_to(&clone, "refs/flowctl/audit", "2026/03/01/000000000001-00000000.jsonl", &lines);
    let clone = folder.path().join("clone").display().to_string();
    let told = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let same = flowctl(&data, &["audit", "verify", "--ref", "--clone", &clone]);
    let count = lines.lines().count();
    assert_eq!(same.status.code(), Some(0), "{}{}", told(&same), err(&same));
    assert!(
        told(&same).contains(&format!(": {count} entries as in the log, up to entry {count} of local\n")),
        "{}",
        told(&same)
    );
    let nowhere = flowctl(&data, &["audit", "verify", "--ref", "refs/flowctl/other", "--clone", &clone]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(
        err(&nowhere).contains("`git fetch origin refs/flowctl/other:refs/flowctl/other` brings it"),
        "{}",
        err(&nowhere)
    );
    let of_one = flowctl(&data, &["audit", "verify", "--ref", "--clone", &clone, "--tenant", "local"]);
    assert_eq!(
        (of_one.status.code(), err(&of_one).contains("leave --tenant out")),
        (Some(2), true),
        "{}",
        err(&of_one)
    );
    tamper(&data, "delete from audit where seq >= $1", count);
    let cut = flowctl(&data, &["audit", "verify", "--ref", "--clone", &clone]);
    assert_eq!(cut.status.code(), Some(1));
    let expected = format!("entry {count} of local stands in the repository, and not in the log\n");
    assert!(told(&cut).starts_with(&expected), "{}", told(&cut));
}
