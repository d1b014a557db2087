//! The settings of `serve` as data: one entry a name, from which reading, did-you-mean and the documentation are made.
//! Nothing is read or parsed here.

/// What is known of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingDescription {
    /// The name in lower case without prefix, as it stands in the TOML file.
    pub name: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    /// What it is when nothing is given; empty when there is no default.
    pub default: &'static str,
    /// What a value looks like.
    pub expected: &'static str,
    /// Whether its value is never shown, and `NAME_FILE` may name a file that holds it.
    pub secret: bool,
}

impl SettingDescription {
    /// The name of the environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase())
    }
}

/// What every environment variable of ours begins with.
pub const PREFIX: &str = "FLOWCTL_";

/// What the name of a definition's secret begins with, in lower case and without [`PREFIX`].
pub const SECRET_PREFIX: &str = "secret_";

const fn plain(
    name: &'static str,
    default: &'static str,
    expected: &'static str,
    meaning: &'static str,
) -> SettingDescription {
    SettingDescription { name, meaning, default, expected, secret: false }
}

const fn secret(
    name: &'static str,
    default: &'static str,
    expected: &'static str,
    meaning: &'static str,
) -> SettingDescription {
    SettingDescription { name, meaning, default, expected, secret: true }
}

/// Every setting of `serve`, in the order of the documentation.
pub const TABLE: &[SettingDescription] = &[
    plain(
        "listen",
        "127.0.0.1:8080",
        "an address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        "where the server listens",
    ),
    plain(
        "public_url",
        "http:// and the listen address",
        "an http or https URL without query, such as https://flows.example.com",
        "the base of every link that people are shown",
    ),
    secret(
        "database_url",
        "sqlite://DATA_DIR/flowctl.db",
        "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME",
        "where the durable truth lives",
    ),
    plain("data_dir", "./flowctl-data", "a directory that the server may write to", "git mirrors and large outputs"),
    plain(
        "github_api_url",
        "https://api.github.com",
        "an http or https URL, such as https://github.example.com/api/v3",
        "the base of GitHub's REST API",
    ),
    plain(
        "github_url",
        "https://github.com",
        "an http or https URL, such as https://github.example.com",
        "the base of clone URLs and links",
    ),
    plain(
        "github_app_id",
        "",
        "the App's id, a whole number from 1",
        "the GitHub App; without it the GitHub side is off",
    ),
    secret("github_private_key", "", "the App's RSA private key in PEM form (-----BEGIN …)", "signs the App's tokens"),
    secret(
        "github_webhook_secret",
        "",
        "the secret that was entered as the App's webhook secret, not empty",
        "proves that a webhook comes from GitHub",
    ),
    plain(
        "github_write_interval_ms",
        "1000",
        "a whole number of milliseconds from 0 to 60000",
        "the pause between two writes of one installation",
    ),
    plain(
        "repositories",
        "",
        "NAME=DIRECTORY, comma separated, each a local git repository",
        "local git repositories served without GitHub (tenant `local`)",
    ),
    secret(
        "api_token",
        "",
        "at least 16 characters without spaces",
        "an administrator's bearer token; without it the API is closed",
    ),
    plain(
        "api_act_as",
        "false",
        "true or false",
        "whether the administrator's token may decide in a person's name outside tenant `local`",
    ),
    plain("log", "info", "a filter, such as info or flowctl_app=debug,warn", "what is logged"),
    plain("log_format", "text", "text or json", "how it is logged"),
    plain(
        "allow_private_networks",
        "false",
        "true or false",
        "whether outgoing calls of definitions may reach private addresses",
    ),
    plain(
        "lease_seconds",
        "30",
        "a whole number of seconds from 1 to 3600",
        "how long a claimed piece of work stays with one server that no longer answers",
    ),
    plain(
        "workers",
        "256",
        "a whole number from 1 to 10000",
        "how many calls, messages and other attempts are under way at the same time; one execution has three quarters of \
         them at most",
    ),
    secret(
        "smtp_url",
        "",
        "smtp://HOST:PORT or smtps://USER:PASSWORD@HOST, with ?tls=required for STARTTLS",
        "the mail server that `notify` sends e-mail through",
    ),
    plain(
        "smtp_from",
        "flowctl@ and the host of the public URL",
        "an e-mail address, such as Flows <flows@example.com>",
        "who e-mail comes from",
    ),
    plain(
        "keep_executions_days",
        "365",
        "a whole number of days from 0 to 36500; 0 keeps them for ever",
        "how long executions are kept that have ended, with their events and outputs",
    ),
    plain(
        "keep_archived_days",
        "30",
        "a whole number of days from 0 to 36500; 0 keeps them as long as others",
        "how long executions are kept that have ended, of a process that is archived or gone from the default branch",
    ),
    plain(
        "keep_events_days",
        "30",
        "a whole number of days from 0 to 36500; 0 keeps them for ever",
        "how long events are kept that were given to the API, and webhooks that were handled",
    ),
    secret(
        "nats_url",
        "",
        "nats://HOST:PORT or tls://USER:PASSWORD@HOST:PORT, several comma separated",
        "the NATS servers whose JetStream is told of every event; see docs/nats.md",
    ),
    secret(
        "nats_nkey",
        "",
        "the seed of a user's NKey, SU…",
        "the key by which NATS knows this server, instead of a password",
    ),
    plain(
        "mcp_commands",
        "",
        "commands separated by commas, words by spaces; a last * stands for any further words, NAME= before one for what may be set in its environment",
        "the programs that tools of definitions may start on this machine; without it none",
    ),
    plain("ai_provider", "", "the name of a provider, such as mock", "the provider of models that name none"),
    secret("ai_openai_api_key", "", "a key of OpenAI, not empty", "sets up the provider `openai`"),
    plain("ai_openai_base_url", "https://api.openai.com/v1", "an http or https URL without query", "where OpenAI is"),
    secret("ai_anthropic_api_key", "", "a key of Anthropic, not empty", "sets up the provider `anthropic`"),
    plain(
        "ai_anthropic_base_url",
        "https://api.anthropic.com",
        "an http or https URL without query",
        "where Anthropic is",
    ),
    secret("ai_google_api_key", "", "a key of the Gemini API, not empty", "sets up the provider `google`"),
    plain(
        "ai_google_base_url",
        "https://generativelanguage.googleapis.com",
        "an http or https URL without query",
        "where Google is",
    ),
    plain(
        "ai_compatible_base_url",
        "",
        "an http or https URL without query, such as http://127.0.0.1:11434/v1",
        "sets up the provider `compatible`: any server with OpenAI's interface, also in a private network",
    ),
    secret(
        "ai_compatible_api_key",
        "",
        "the server's key, not empty",
        "the key of the provider `compatible`, if it wants one",
    ),
    plain(
        "ai_mock_seed",
        "",
        "a whole number from 0",
        "what the values of the provider `mock` are made from, see [AI](ai.md#the-mock)",
    ),
    plain(
        "ai_monthly_budget",
        "",
        "money, tokens or both, such as 500 USD or 500 USD, 20000000 tokens",
        "what the models of each tenant may cost in a calendar month (UTC)",
    ),
    secret(
        "ai_tenants",
        "",
        "TOML: a table for each tenant, such as [octo-org] with openai_api_key, openai_base_url, monthly_budget",
        "keys, addresses and budgets of single tenants, see [AI](ai.md#keys-of-tenants)",
    ),
    plain(
        "ai_prices",
        "the table that comes with flowctl",
        "the path of a TOML file",
        "what models cost, see [AI](ai.md#prices)",
    ),
];

/// Names of ours that `serve` does not read but that are no mistake in its environment: they belong to the
/// commands that talk to a server, or to the installer.
pub const READ_ELSEWHERE: &[&str] = &["server", "token", "config", "version"];

/// Names that CONTRACT promises but that this version does not act on yet; a prefix ends with `_`.
pub const NOT_READ_YET: &[&str] = &["ai_"];

/// The setting of this lower-case name.
#[must_use]
pub fn describe(name: &str) -> Option<&'static SettingDescription> {
    TABLE.iter().find(|setting| setting.name == name)
}
