//! A sandbox GitHub in this process, and the real program as its App in another.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flowctl_sandbox::scenario::{Report, Scenario, ScenarioError};
use flowctl_sandbox::{Hub, Sandbox, read_directory};
use tempfile::TempDir;

use crate::{Database, Server, conformance, free_address};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// One sandbox, one App, one scenario of `fixtures/scenarios`.
pub struct World {
    /// GitHub.
    pub sandbox: Sandbox,
    /// What happens.
    pub scenario: Scenario,
    /// Where the App listens, also after it was started anew.
    pub address: SocketAddr,
    data: TempDir,
    /// Where the App's database is; nothing: in a file of its own.
    database: Option<Database>,
    /// What the definitions find as secrets.
    secrets: Vec<(&'static str, String)>,
}

impl World {
    /// Sets the stage: people, repository, installation. No server yet. Its database is a file.
    pub fn set_up(name: &str) -> Self {
        Self::set_up_on(name, None)
    }

    /// The same with a database on a PostgreSQL server, where one is given.
    pub fn set_up_on(name: &str, database: Option<Database>) -> Self {
        Self::set_up_granting(name, database, &[])
    }

    /// The same, with these permissions of the App at other levels than usual.
    pub fn set_up_granting(name: &str, database: Option<Database>, permissions: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(root().join(format!("fixtures/scenarios/{name}.yaml"))).unwrap();
        let scenario = Scenario::parse(&text).unwrap();
        let builder = Sandbox::builder().data_directory(data.path().join("github"));
        let builder = permissions.iter().fold(builder, |builder, (name, level)| builder.permission(name, level));
        let sandbox = builder.start().unwrap();
        let address = free_address();
        let hub = sandbox.hub();
        hub.set_webhook_url(&format!("http://{address}/webhooks/github")).unwrap();
        let variable = |name: &str| match name {
            "GITHUB_TOKEN" => "FLOWCTL_SECRET_GITHUB_TOKEN",
            "GITHUB_API_URL" => "FLOWCTL_SECRET_GITHUB_API_URL",
            other => panic!("no scenario has the secret {other}"),
        };
        let secrets = scenario.secrets(&sandbox).unwrap().into_iter();
        let secrets = secrets.map(|(name, value)| (variable(&name), value)).collect();
        Self { sandbox, scenario, address, data, database, secrets }
    }

    /// Makes the people, the repository and the installation, whose webhook needs a server to go to.
    pub fn raise_the_curtain(&self, name: &str) {
        self.raise_the_curtain_with(name, &[]);
    }

    /// The same, with more at the end of these files.
    pub fn raise_the_curtain_with(&self, name: &str, more: &[(&str, &str)]) {
        let mut files = read_directory(&root().join("fixtures/repositories").join(name)).unwrap();
        for (path, text) in more {
            files.get_mut(*path).and_then(Option::as_mut).unwrap().bytes.extend(text.as_bytes());
        }
        self.scenario.set_up(&self.sandbox.hub(), &files).unwrap();
    }

    /// GitHub as the scenario's people have it.
    pub fn hub(&self) -> Arc<Hub> {
        self.sandbox.hub()
    }

    /// The settings that point a server at the sandbox.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let app = self.sandbox.app();
        let mut settings = vec![
            ("FLOWCTL_GITHUB_API_URL", self.sandbox.api_url()),
            ("FLOWCTL_GITHUB_URL", self.sandbox.web_url()),
            ("FLOWCTL_GITHUB_APP_ID", app.id.to_string()),
            ("FLOWCTL_GITHUB_PRIVATE_KEY", app.private_key_pem),
            ("FLOWCTL_GITHUB_WEBHOOK_SECRET", app.webhook_secret),
            ("FLOWCTL_GITHUB_WRITE_INTERVAL_MS", "5".to_owned()),
            ("FLOWCTL_LEASE_SECONDS", "2".to_owned()),
            ("FLOWCTL_ALLOW_PRIVATE_NETWORKS", "true".to_owned()),
            ("FLOWCTL_LOG", "info".to_owned()),
        ];
        settings.extend(self.database.as_ref().map(|database| ("FLOWCTL_DATABASE_URL", database.url.clone())));
        settings.extend(self.secrets.iter().map(|(name, value)| (*name, value.clone())));
        settings
    }

    /// Where the server keeps its data.
    pub fn data(&self) -> PathBuf {
        self.data.path().join("app")
    }

    /// Starts the server and waits until it is ready.
    pub fn serve(&self) -> Server {
        Server::start(&self.settings(), &self.data(), self.address)
    }

    /// Starts a server that dies at the `nth` passing of a named crash point. It may die before it is ready.
    pub fn serve_until(&self, crash_point: &str, nth: u32) -> Server {
        let mut settings = self.settings();
        settings.push(("FLOWCTL_CRASH_AT", format!("{crash_point}:{nth}")));
        Server::spawn(&settings, &self.data(), self.address)
    }

    /// What the server asked, and what it was told, that is not as GitHub's description has it, where that is at hand.
    pub fn as_described(&self) -> Result<(), String> {
        let Some(description) = conformance::at_hand() else { return Ok(()) };
        let mut report = conformance::Report::new(description);
        report.requests(&self.sandbox.requests.all());
        report.deliveries(&self.sandbox.deliveries());
        report.finish()
    }

    /// Waits until the server has dealt with every delivery and told everything; whether it did so in this time.
    pub async fn all_is_told(&self, limit: Duration) -> bool {
        let url = format!("http://{}/metrics", self.address);
        let told = async {
            // What one thing leads to may not be there yet when it is done.
            let mut looks_without_any = 0;
            while looks_without_any < 3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let Ok(answer) = reqwest::get(&url).await else { continue };
                let is_any_due = is_any_due(&answer.text().await.unwrap_or_default());
                looks_without_any = if is_any_due { 0 } else { looks_without_any + 1 };
            }
        };
        tokio::time::timeout(limit, told).await.is_ok()
    }

    /// Plays the scenario to its end.
    pub async fn play(&self) -> Result<Report, ScenarioError> {
        self.scenario.play(&self.hub(), &mut |_| {}).await
    }
}

/// Whether anything in the inbox or the outbox is due by a page of metrics; also where the page does not say. What is for
/// later, as the renewal of a check run, is not.
fn is_any_due(metrics: &str) -> bool {
    let age = |queue: &str| {
        let name = format!("flowctl_queue_oldest_seconds{{queue=\"{queue}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(name.as_str())?.trim().parse::<f64>().ok())
    };
    ["deliveries", "effects"].into_iter().any(|queue| age(queue).is_none_or(|age| age > 0.0))
}
