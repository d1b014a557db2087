//! The settings of `serve`: read once at start from the environment and a TOML file, typed, with every fault at once.
//! No other room reads an environment variable. Secrets have a type that cannot be printed.

mod fault;
mod given;
mod repository;
mod table;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::telemetry::TraceSettings;
use crate::tools::Commands;

pub use fault::{Fault, Origin, SettingsError, Warning};
pub use table::{SettingDescription, TABLE};

use crate::ai::{AiSettings, ProviderSettings, TenantModels, spending_limits};
use crate::github::client::Timing;
use crate::github::setup::Credentials;
use given::{Gathered, Given, gather, variable};
use repository::{has_no_commit, repository};

/// What the server is told from outside.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The base of every link that people are shown, without a trailing slash in its text form but for the root.
    pub public_url: Url,
    /// `sqlite://PATH` or `postgres://…`; a secret because it may hold a password.
    pub database_url: SecretString,
    /// Where mirrors and large outputs are kept.
    pub data_dir: PathBuf,
    /// Where GitHub is: the base of its REST API, and that of its pages. Nothing where only a part was given.
    pub github_places: Option<(Url, Url)>,
    /// The GitHub App; `None` turns the GitHub side off.
    pub github: Option<GitHubSettings>,
    /// Local repositories: name and directory, in the order in which they were given.
    pub repositories: Vec<(String, PathBuf)>,
    /// The administrator's bearer token; `None` closes the API.
    pub api_token: Option<SecretString>,
    /// Whether that token may decide in a person's name outside tenant `local`.
    pub api_act_as: bool,
    /// A filter in the syntax of `tracing_subscriber::EnvFilter`.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Whether outgoing calls of definitions may reach private addresses.
    pub allow_private_networks: bool,
    /// How long a claim lasts that nobody renews, in seconds, 1 to 3600.
    pub lease_seconds: u32,
    /// How many attempts are performed at the same time, 1 to 10,000.
    pub workers: u32,
    /// The operator's mail server, `smtp://…` or `smtps://…`; a secret because it may hold a password.
    pub smtp_url: Option<SecretString>,
    /// Who mail comes from; `flowctl@` and the public URL's host where it is not given.
    pub smtp_from: Option<String>,
    /// How long executions are kept that have ended; `None`: for ever.
    pub keep_executions: Option<Duration>,
    /// How long executions are kept that have ended, of a process that is archived or gone; nothing: as long as others.
    pub keep_archived: Option<Duration>,
    /// How long events are kept that were given to the API; `None`: for ever.
    pub keep_events: Option<Duration>,
    /// The NATS servers whose JetStream is told of every event, with password.
    pub nats_url: Option<SecretString>,
    /// The seed of the key by which NATS knows this server.
    pub nats_nkey: Option<SecretString>,
    /// The providers of models.
    pub ai: AiSettings,
    /// The collector of traces, as the variables of the OpenTelemetry specification say.
    pub traces: Option<TraceSettings>,
    /// The programs that tools may start.
    pub mcp_commands: Commands,
    /// What `secrets.NAME` reads, by NAME.
    pub secrets: BTreeMap<String, SecretString>,
    public_url_given: bool,
    given: BTreeMap<String, SecretString>,
}

/// The GitHub App and where GitHub is.
#[derive(Debug, Clone)]
pub struct GitHubSettings {
    /// The base of the REST API, with the path prefix of an Enterprise Server (`…/api/v3`).
    pub api_url: Url,
    /// The base of clone URLs and links.
    pub web_url: Url,
    /// The App's id.
    pub app_id: u64,
    /// The App's RSA private key, PEM.
    pub private_key: SecretString,
    /// The secret that webhooks are signed with.
    pub webhook_secret: SecretString,
    /// The least pause between two writes of one installation.
    pub write_interval: Duration,
    /// How fast its time runs: GitHub's own, whatever is set.
    pub timing: Timing,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// Reads the settings; names and meanings are those of [`TABLE`]. The environment wins over the file.
    ///
    /// # Errors
    /// Every wrong or missing value in one error, each with its name, where it stands, what was read (never for a
    /// secret) and what is expected.
    pub fn load(
        config_file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), SettingsError> {
        let (mut ours, mut open_telemetry) = (Vec::new(), BTreeMap::new());
        for (name, text) in environment {
            if name.starts_with("OTEL_") {
                open_telemetry.insert(name, text);
            } else {
                ours.push((name, text));
            }
        }
        let mut reader = Reader { gathered: gather(config_file, ours.into_iter()) };
        let given = reader.gathered.by_variable();
        let settings = reader.settings();
        let traces = reader.traces(&open_telemetry);
        let settings = settings.map(|settings| Settings { traces, given, ..settings });
        let Gathered { faults, warnings, .. } = reader.gathered;
        match settings {
            Some(settings) if faults.is_empty() => Ok((settings, warnings)),
            _ => Err(SettingsError { faults }),
        }
    }

    /// Everything that was given, by the name of its environment variable, but for what each machine has for itself; with
    /// the App, also where it was set up on this server's pages.
    #[must_use]
    pub fn given(&self) -> BTreeMap<String, SecretString> {
        let mut given = self.given.clone();
        given.retain(|name, _| !OF_A_MACHINE.contains(&name.as_str()));
        if let Some(app) = &self.github {
            let id = SecretString::from(app.app_id.to_string());
            for (name, value) in [
                ("github_app_id", &id),
                ("github_private_key", &app.private_key),
                ("github_webhook_secret", &app.webhook_secret),
            ] {
                given.entry(variable(name)).or_insert_with(|| value.clone());
            }
        }
        given
    }

    /// Who mail comes from.
    #[must_use]
    pub fn mail_from(&self) -> String {
        let host = self.public_url.domain().unwrap_or("localhost");
        self.smtp_from.clone().unwrap_or_else(|| format!("flowctl@{host}"))
    }

    /// The settings after the server has bound its socket: where no public URL was given, links follow the address
    /// that was really bound (port 0 asks the system for a free one).
    #[must_use]
    pub fn with_bound_address(mut self, bound: SocketAddr) -> Self {
        self.listen = bound;
        if !self.public_url_given {
            self.public_url = default_public_url(bound);
        }
        self
    }
}

/// What may well differ between replicas, and says nothing of what they do.
const OF_A_MACHINE: [&str; 5] =
    ["FLOWCTL_LISTEN", "FLOWCTL_DATA_DIR", "FLOWCTL_LOG", "FLOWCTL_LOG_FORMAT", "FLOWCTL_WORKERS"];

/// Where data is kept unless it is said otherwise.
const DATA_DIR: &str = "./flowctl-data";

/// Turns texts into values; a wrong one leaves a fault and `None`.
struct Reader {
    gathered: Gathered,
}

impl Reader {
    /// `None` only where a fault was recorded. All settings are read before anything gives up.
    fn settings(&mut self) -> Option<Settings> {
        let listen = self.value("listen", |text| text.parse().ok());
        let public_url = self.value("public_url", base_url);
        let data_dir = self.value("data_dir", path);
        let database_url = self.secret("database_url", is_database_url);
        let github = match self.github() {
            // No App is named: perhaps one was set up here.
            Some(None) => self.kept_app(data_dir.as_deref().unwrap_or(Path::new(DATA_DIR))),
            given => given,
        };
        let github_places = self.github_places();
        let repositories = self.repositories();
        let api_token = self.secret("api_token", is_token);
        let api_act_as = self.value("api_act_as", boolean);
        let log = self.value("log", filter);
        let log_format = self.value("log_format", log_format);
        let allow_private_networks = self.value("allow_private_networks", boolean);
        let lease_seconds = self.value("lease_seconds", |text| within(text, 1, 3_600));
        let workers = self.value("workers", |text| within(text, 1, 10_000));
        let keep_executions = self.value("keep_executions_days", |text| within(text, 0, 36_500));
        let keep_archived = self.value("keep_archived_days", |text| within(text, 0, 36_500));
        let keep_events = self.value("keep_events_days", |text| within(text, 0, 36_500));
        let nats_url = self.secret("nats_url", is_nats);
        let nats_nkey = self.secret("nats_nkey", is_seed_of_user);
        if nats_nkey.is_some() && self.given("nats_url").is_none() {
            let expected = "FLOWCTL_NATS_NKEY is a key for NATS; give the address of its servers too".to_owned();
            self.fault("nats_url", Origin::Missing, None, expected);
        }
        let ai = self.ai();
        let mcp_commands = self.value("mcp_commands", |text| Some(Commands::read(text)));
        let smtp_url = self.secret("smtp_url", is_mail_server);
        let smtp_from = self.value("smtp_from", |text| is_mail_address(text).then(|| text.to_owned()));
        let secrets = self.secrets();

        let listen = listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8_080)));
        let data_dir = data_dir.unwrap_or_else(|| PathBuf::from(DATA_DIR));
        let public_url_given = public_url.is_some();
        Some(Settings {
            public_url: public_url.unwrap_or_else(|| default_public_url(listen)),
            listen,
            database_url: database_url.unwrap_or_else(|| default_database_url(&data_dir)),
            data_dir,
            github_places,
            github: github?,
            repositories,
            api_token,
            api_act_as: api_act_as.unwrap_or(false),
            log: log.unwrap_or_else(|| "info".to_owned()),
            log_format: log_format.unwrap_or(LogFormat::Text),
            allow_private_networks: allow_private_networks.unwrap_or(false),
            lease_seconds: lease_seconds.unwrap_or(30),
            workers: workers.unwrap_or(256),
            smtp_url,
            smtp_from,
            keep_executions: days(keep_executions.unwrap_or(365)),
            keep_archived: days(keep_archived.unwrap_or(30)),
            keep_events: days(keep_events.unwrap_or(30)),
            nats_url,
            nats_nkey,
            ai,
            traces: None,
            mcp_commands: mcp_commands.unwrap_or_default(),
            secrets,
            public_url_given,
            given: BTreeMap::new(),
        })
    }

    fn traces(&mut self, variables: &BTreeMap<String, String>) -> Option<TraceSettings> {
        match TraceSettings::read(|name| variables.get(name).cloned()) {
            Ok(settings) => settings,
            Err((name, expected)) => {
                let (origin, expected) = (Origin::Variable(name.to_owned()), format!("expected {expected}"));
                self.gathered.faults.push(Fault { name: name.to_owned(), origin, found: None, expected });
                None
            }
        }
    }

    fn ai(&mut self) -> AiSettings {
        AiSettings {
            provider: self.value("ai_provider", |text| (!text.is_empty()).then(|| text.to_owned())),
            openai: self.provider("ai_openai_api_key", "ai_openai_base_url"),
            anthropic: self.provider("ai_anthropic_api_key", "ai_anthropic_base_url"),
            google: self.provider("ai_google_api_key", "ai_google_base_url"),
            compatible: self.provider("ai_compatible_api_key", "ai_compatible_base_url"),
            mock_seed: self.value("ai_mock_seed", |text| text.parse().ok()),
            prices: self.value("ai_prices", path),
            monthly_budget: self.value("ai_monthly_budget", spending_limits).unwrap_or_default(),
            tenants: self.tenants(),
        }
    }

    fn tenants(&mut self) -> BTreeMap<String, TenantModels> {
        let Some(given) = self.given("ai_tenants") else { return BTreeMap::new() };
        TenantModels::read(&given.text, base_url).unwrap_or_else(|wrong| {
            let described = table::describe("ai_tenants").map_or("", |setting| setting.expected);
            self.fault("ai_tenants", given.origin.clone(), None, format!("expected {described}; {wrong}"));
            BTreeMap::new()
        })
    }

    fn provider(&mut self, key: &'static str, base: &'static str) -> ProviderSettings {
        ProviderSettings {
            api_key: self.secret(key, |text| !text.trim().is_empty()),
            base_url: self.value(base, base_url),
        }
    }

    fn given(&self, name: &'static str) -> Option<Given> {
        self.gathered.settings.get(name).cloned()
    }

    fn value<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let given = self.given(name)?;
        let parsed = parse(given.text.trim());
        if parsed.is_none() {
            self.wrong(name, &given, true);
        }
        parsed
    }

    fn secret(&mut self, name: &'static str, accept: impl Fn(&str) -> bool) -> Option<SecretString> {
        let given = self.given(name)?;
        if accept(&given.text) {
            return Some(SecretString::from(given.text));
        }
        self.wrong(name, &given, false);
        None
    }

    fn wrong(&mut self, name: &'static str, given: &Given, show: bool) {
        let expected = table::describe(name).map_or("another value", |setting| setting.expected);
        self.gathered.faults.push(Fault {
            name: variable(name),
            origin: given.origin.clone(),
            found: show.then(|| given.text.clone()),
            expected: format!("expected {expected}"),
        });
    }

    fn fault(&mut self, name: &str, origin: Origin, found: Option<String>, expected: String) {
        self.gathered.faults.push(Fault { name: variable(name), origin, found, expected });
    }

    /// `Some(None)`: no App is set up. `None`: something of it is wrong.
    fn github(&mut self) -> Option<Option<GitHubSettings>> {
        const PARTS: [&str; 3] = ["github_app_id", "github_private_key", "github_webhook_secret"];
        let before = self.gathered.faults.len();
        let api_url = self.value("github_api_url", base_url);
        let web_url = self.value("github_url", base_url);
        let app_id = self.value("github_app_id", |text| within(text, 1, u64::MAX));
        let private_key = self.private_key();
        let webhook_secret = self.secret("github_webhook_secret", |text| !text.is_empty());
        let write_interval = self.value("github_write_interval_ms", |text| within(text, 0, 60_000));
        let missing: Vec<_> = PARTS.into_iter().filter(|part| self.given(part).is_none()).collect();
        if missing.len() == PARTS.len() {
            return (self.gathered.faults.len() == before).then_some(None);
        }
        for name in missing {
            let expected = "the GitHub App is set up in part; give this too, or none of \
                            FLOWCTL_GITHUB_APP_ID, FLOWCTL_GITHUB_PRIVATE_KEY and FLOWCTL_GITHUB_WEBHOOK_SECRET";
            self.fault(name, Origin::Missing, None, expected.to_owned());
        }
        let (api_url, web_url) = self.places(api_url, web_url)?;
        Some(Some(GitHubSettings {
            api_url,
            web_url,
            app_id: app_id?,
            private_key: private_key?,
            webhook_secret: webhook_secret?,
            write_interval: Duration::from_millis(write_interval.unwrap_or(1_000)),
            timing: Timing::default(),
        }))
    }

    /// The App whose credentials the setup has kept in the data folder.
    fn kept_app(&mut self, data: &Path) -> Option<Option<GitHubSettings>> {
        let kept = match Credentials::kept(data) {
            Ok(kept) => kept,
            Err(error) => {
                let expected = format!("the App that was set up here cannot be read ({error})");
                self.fault("github_app_id", Origin::Missing, None, expected);
                return None;
            }
        };
        let Some(Credentials { app_id, private_key, webhook_secret }) = kept else { return Some(None) };
        let (api_url, web_url) = (self.value("github_api_url", base_url), self.value("github_url", base_url));
        let (api_url, web_url) = self.places(api_url, web_url)?;
        let write_interval = self.value("github_write_interval_ms", |text| within(text, 0, 60_000));
        let write_interval = Duration::from_millis(write_interval.unwrap_or(1_000));
        let timing = Timing::default();
        Some(Some(GitHubSettings { api_url, web_url, app_id, private_key, webhook_secret, write_interval, timing }))
    }

    /// Where GitHub is, whether there is an App or not; what is wrong about it was told before.
    fn github_places(&self) -> Option<(Url, Url)> {
        let given = |name| self.given(name).map(|given| base_url(given.text.trim()));
        let api = given("github_api_url").unwrap_or_else(|| Url::parse("https://api.github.com").ok())?;
        let web = given("github_url").unwrap_or_else(|| web_url_of(&api))?;
        Some((api, web))
    }

    /// The two base URLs. A clone URL is never guessed to be github.com when the API is elsewhere: the token of one
    /// server must not be sent to another.
    fn places(&mut self, api_url: Option<Url>, web_url: Option<Url>) -> Option<(Url, Url)> {
        let api = match api_url {
            Some(url) => url,
            None => Url::parse("https://api.github.com").ok()?,
        };
        if let Some(web) = web_url.or_else(|| web_url_of(&api)) {
            return Some((api, web));
        }
        let expected = format!("FLOWCTL_GITHUB_API_URL is {api}, so this is needed too");
        self.fault("github_url", Origin::Missing, None, expected);
        None
    }

    fn private_key(&mut self) -> Option<SecretString> {
        let given = self.given("github_private_key")?;
        // Environment files often hold the key on one line with the two characters `\n` for each line break.
        let pem = given.text.replace("\\n", "\n");
        match jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()) {
            Ok(_) => Some(SecretString::from(pem)),
            Err(_) => {
                self.wrong("github_private_key", &given, false);
                None
            }
        }
    }

    fn repositories(&mut self) -> Vec<(String, PathBuf)> {
        let Some(given) = self.given("repositories") else { return Vec::new() };
        let mut repositories: Vec<(String, PathBuf)> = Vec::new();
        for entry in given.text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let fault = match repository(entry) {
                Ok((name, _)) if repositories.iter().any(|(other, _)| *other == name) => {
                    format!("the name {name} is there twice")
                }
                Ok(repository) => {
                    if has_no_commit(&repository.1) {
                        let name = &repository.0;
                        let message = format!("`{name}` has no commit yet; nothing of it is served until it has one");
                        self.gathered.warn(&given.origin, message);
                    }
                    repositories.push(repository);
                    continue;
                }
                Err(expected) => expected,
            };
            self.fault("repositories", given.origin.clone(), Some(entry.to_owned()), fault);
        }
        repositories
    }

    fn secrets(&mut self) -> BTreeMap<String, SecretString> {
        let given = std::mem::take(&mut self.gathered.secrets);
        given.into_iter().map(|(name, given)| (name, SecretString::from(given.text))).collect()
    }
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn within<T: std::str::FromStr + PartialOrd>(text: &str, least: T, most: T) -> Option<T> {
    text.parse().ok().filter(|number| *number >= least && *number <= most)
}

/// So many days; none of them: for ever.
fn days(count: u64) -> Option<Duration> {
    (count > 0).then(|| Duration::from_secs(count * 24 * 60 * 60))
}

fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

fn filter(text: &str) -> Option<String> {
    let accepted = text.split(',').all(is_directive) && tracing_subscriber::EnvFilter::try_new(text).is_ok();
    accepted.then(|| text.to_owned())
}

/// Stricter than the filter's own parser, which takes a mistyped level for the name of a target and a level left out
/// for `trace`: then nothing at all is logged, and nothing says why.
fn is_directive(text: &str) -> bool {
    let is_level = |level: &str| !level.is_empty() && level.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    match text.rsplit_once(']') {
        Some((_, after)) => after.is_empty() || after.strip_prefix('=').is_some_and(is_level),
        None => is_level(text.rsplit_once('=').map_or(text, |(_, level)| level)),
    }
}

/// An http(s) URL that paths can be added to; a trailing slash is dropped, user names and passwords are refused.
fn base_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let is_base = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    is_base.then_some(url)
}

/// Servers of one cluster, comma separated.
fn is_nats(text: &str) -> bool {
    text.split(',').all(|server| {
        let url = Url::parse(server.trim()).ok();
        url.is_some_and(|url| matches!(url.scheme(), "nats" | "tls") && url.host().is_some())
    })
}

fn is_mail_server(text: &str) -> bool {
    crate::notify::Mailer::new(&SecretString::from(text.to_owned()), "flowctl@localhost").is_ok()
}

fn is_mail_address(text: &str) -> bool {
    text.parse::<lettre::message::Mailbox>().is_ok()
}

fn is_database_url(text: &str) -> bool {
    ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
}

fn is_token(text: &str) -> bool {
    text.len() >= 16 && text.chars().all(|character| character.is_ascii_graphic())
}

/// Where people look at what this API serves: <https://docs.github.com/en/enterprise-server/rest> has `/api/v3` on
/// the same host, <https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency> an `api.` before it.
fn web_url_of(api: &Url) -> Option<Url> {
    let mut web = api.clone();
    if matches!(api.path(), "" | "/") {
        let host = api.host_str()?.strip_prefix("api.")?;
        if host != "github.com" && !host.ends_with(".ghe.com") {
            return None;
        }
        web.set_host(Some(host)).ok()?;
    } else if api.path() == "/api/v3" {
        web.set_path("");
    } else {
        return None;
    }
    Some(web)
}

/// An NKey's seed in base 32, which begins with what it is: `S` for a seed, `U` for a user
/// (<https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth>).
fn is_seed_of_user(text: &str) -> bool {
    text.len() == 58 && text.starts_with("SU") && text.bytes().all(|it| matches!(it, b'A'..=b'Z' | b'2'..=b'7'))
}

fn default_database_url(data_dir: &Path) -> SecretString {
    SecretString::from(format!("sqlite://{}", data_dir.join("flowctl.db").display()))
}

/// The address as a URL; "every address" is nothing that a browser can open, so that becomes this machine.
fn default_public_url(listen: SocketAddr) -> Url {
    let address = if listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
    #[expect(clippy::expect_used, reason = "a constant, and every address fits into an http URL")]
    let mut url = Url::parse("http://localhost").expect("a URL");
    let set = url.set_ip_host(address).and_then(|()| url.set_port(Some(listen.port())));
    debug_assert!(set.is_ok(), "http URLs have a host and a port");
    url
}

#[cfg(test)]
mod tests;
