//! For AI agents: what the server can do, definitions from words, their validation and their tests. Nothing is stored or started
//! here, and nothing is decided for a person.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use flowctl_core::definition::StepType;
use flowctl_core::definition::repository::Repository;
use flowctl_core::definition::schema::KINDS;
use flowctl_core::execution::budget::Limits;
use flowctl_core::execution::{Performable, TenantId};
use flowctl_core::simulation::Suite;
use flowctl_core::validate::{self as core, Options};
use flowctl_core::value::Prices;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Api;
use super::body::{Given, body};
use super::problem::Problem;
use super::validation::{Files, Findings, findings};
use crate::ai::Asking;
use crate::ai::interpret::{self, InterpretError, MAX_DESCRIPTION};

/// Where definitions are made from words, below [`super::BASE`].
pub(super) const INTERPRET: &str = "/ai/interpret";
/// How long that may take: what is written on the way comes on top of what the model takes.
pub(super) const PATIENCE: Duration = interpret::LIMIT.saturating_add(Duration::from_secs(30));

/// What is to become a definition.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    /// What the process is to do, in plain words.
    #[schema(min_length = 1, max_length = 20000)]
    description: String,
    /// The model that writes it: an alias of `flow.yaml` where that is among the files, `provider/model`, a model of the server's
    /// own provider, or `mock`.
    #[schema(min_length = 1, max_length = 200)]
    model: String,
    /// The repository's definitions by path, which it may refer to.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// The account for which it is made: its keys are used, and what the model uses counts in its month (`local`).
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    tenant: Option<String>,
}
body!(Description);

/// A definition that was made from words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Interpreted {
    /// Where it belongs.
    path: String,
    /// The file's text.
    definition: String,
    /// What it does, and what had to be guessed.
    explanation: String,
    /// How sure that is what was meant, 0 to 1; 0 where it is not sound.
    confidence: f64,
    /// Whether validation finds no error in it.
    sound: bool,
    /// What validation finds.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Value>,
    /// How often the model was asked.
    attempts: u32,
    /// Why it was not asked to mend it, where it would have been: a budget, the provider, the time.
    stopped: Option<String>,
    /// The model.
    model: String,
    /// Tokens read and written.
    tokens: u64,
    /// What that cost, currency by currency, with `unknown` where a part has no known price.
    cost: Option<String>,
}

/// What the server can do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Capabilities {
    /// The version of flowctl.
    version: String,
    /// The providers of models that are set up.
    providers: Vec<String>,
    /// The types of steps that are performed.
    step_types: Vec<String>,
    /// Those that the language knows.
    known_step_types: Vec<String>,
    /// The kinds of definition files; `flowctl schema KIND` prints the JSON Schema of one.
    kinds: Vec<String>,
    /// Characters of a description at most.
    max_description: usize,
}

/// What came of tests.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tested {
    /// Whether every case passed and none could not be played.
    passed: bool,
    /// Every case that was played.
    cases: Vec<TestedCase>,
    /// Test files that were not played, since they or what they test have errors.
    unsound: Vec<String>,
}

/// A case that was played.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestedCase {
    /// The test's file.
    path: String,
    /// The process.
    process: String,
    /// The case.
    name: String,
    /// Whether everything was as expected.
    passed: bool,
    /// What was not.
    failures: Vec<String>,
}

/// Say what the server can do
///
/// For AI agents, before they write a definition.
#[utoipa::path(get, path = "/ai/capabilities", tag = "ai", operation_id = "ai_capabilities",
    responses((status = 200, description = "What it can do", body = Capabilities)))]
pub(super) async fn capabilities(State(api): State<Api>) -> Json<Capabilities> {
    let names = |types: &mut dyn Iterator<Item = StepType>| types.map(|it| it.as_str().to_owned()).collect();
    Json(Capabilities {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        providers: api.providers.names().map(str::to_owned).collect(),
        step_types: names(&mut Performable::engine().types()),
        known_step_types: names(&mut StepType::ALL.into_iter()),
        kinds: KINDS.map(str::to_owned).to_vec(),
        max_description: MAX_DESCRIPTION,
    })
}

/// Make a definition from words
///
/// A model writes it, validation judges it, and the model mends what it finds, three times at most. Nothing is stored: what comes
/// back is for a person to read and commit. One that is not sound in the end is told with what is wrong (`sound: false`). What
/// the model uses counts in the month of the account; where its budget does not allow a question before there is any definition
/// the answer is 402, and later `stopped` says so. It takes as long as the model does, five minutes at most; who hangs up before
/// ends it. Eight are made at a time, and who asks for one more gets 503 with `Retry-After`.
#[utoipa::path(post, path = "/ai/interpret", tag = "ai", operation_id = "ai_interpret", request_body = Description,
    responses((status = 200, description = "The definition", body = Interpreted)))]
pub(super) async fn interpret(
    State(api): State<Api>,
    Given(asked): Given<Description>,
) -> Result<Json<Interpreted>, Problem> {
    let definitions = Repository::read(asked.files.clone());
    let aliases = definitions.settings().into_iter().flat_map(|settings| &settings.models);
    let meant = aliases.into_iter().find(|(alias, _)| alias.value == asked.model).map(|(_, model)| model.value.clone());
    let tenant = known_tenant(&api, asked.tenant.as_deref()).await?;
    let providers = api.providers.of(&tenant);
    let model = providers
        .resolve(meant.as_ref().unwrap_or(&asked.model))
        .map_err(|error| Problem::field("model", error.to_string()))?;
    let ledger = api.engine.ledger(tenant);
    let asking = Asking::new(providers, model, ledger.journal(), Limits::default());
    let making = async move { interpret::interpret(&asking, &asked.description, &asked.files).await };
    // What was begun is paid for, and counted, also where nobody waits for it any more.
    let made = api.questions.ask(making, async move { ledger.close().await }).await?.map_err(failed)?;
    Ok(Json(Interpreted {
        path: made.path,
        definition: made.definition,
        explanation: made.explanation,
        confidence: made.confidence,
        sound: made.sound,
        findings: made.findings.iter().map(|finding| json!(finding)).collect(),
        attempts: made.attempts,
        stopped: made.stopped,
        model: made.model,
        tokens: made.tokens,
        cost: made.cost,
    }))
}

/// The tenant of this name, which must have come in; without one the server's own. Nobody else's month is anybody's.
async fn known_tenant(api: &Api, name: Option<&str>) -> Result<TenantId, Problem> {
    let local = TenantId::local();
    let Some(name) = name.filter(|name| *name != local.as_str()) else { return Ok(local) };
    let known = api.store.tenants().await?.into_iter().find(|tenant| tenant.as_str().eq_ignore_ascii_case(name));
    known.ok_or_else(|| Problem::field("tenant", format!("is no account that has repositories here: `{name}`")))
}

fn failed(error: InterpretError) -> Problem {
    match error {
        InterpretError::Description => Problem::field("description", error.to_string()),
        InterpretError::Budget(reason) => Problem::new("budget-used-up", reason),
        InterpretError::Unrecorded(error) => Problem::unavailable(&error),
        InterpretError::Provider(_) | InterpretError::Form { .. } | InterpretError::Time { .. } => {
            Problem::new("unavailable", error.to_string())
        }
    }
}

/// Validate definitions for an agent
///
/// The same as `/validate`, with files as JSON only.
#[utoipa::path(post, path = "/ai/validate", tag = "ai", operation_id = "ai_validate", request_body = Files,
    responses((status = 200, description = "The findings", body = Findings)))]
pub(super) async fn validate(
    State(api): State<Api>,
    Given(Files { files }): Given<Files>,
) -> Result<Json<Findings>, Problem> {
    let files = files.into_iter().map(|(path, text)| (Some(path), text)).collect();
    let prices = Arc::clone(api.providers.prices());
    let checked = tokio::task::spawn_blocking(move || findings(files, &prices)).await;
    checked.map(Json).map_err(|error| Problem::internal(&error))
}

/// Play the tests of processes
///
/// Those in `.flow/tests/` of the files that are sent, in virtual time; nothing outside is called.
#[utoipa::path(post, path = "/ai/test", tag = "ai", operation_id = "ai_test", request_body = Files,
    responses((status = 200, description = "What came of them", body = Tested)))]
pub(super) async fn test(
    State(api): State<Api>,
    Given(Files { files }): Given<Files>,
) -> Result<Json<Tested>, Problem> {
    let prices = Arc::clone(api.providers.prices());
    let tested = tokio::task::spawn_blocking(move || tested(files, Some(&prices))).await;
    tested.map(Json).map_err(|error| Problem::internal(&error))
}

/// Plays the tests among these files. What models cost is `prices`' to say, where there are any.
pub fn tested(files: BTreeMap<String, String>, prices: Option<&Prices>) -> Tested {
    let repository = Repository::read(files);
    let options = Options { performed_only: false, prices, ..Options::default() };
    let report = core::validate(&repository, &options);
    let suite = Suite::of(&repository, &report, |_| true, |_, _| true);
    let mut cases = Vec::new();
    for (file, played) in suite.files.iter().zip(suite.play()) {
        for case in played {
            cases.push(TestedCase {
                path: file.file.source.path().to_owned(),
                process: file.tests.process.as_str().to_owned(),
                name: case.case.name.value.clone(),
                passed: case.passes(),
                failures: case.failures.iter().map(|failure| failure.message.clone()).collect(),
            });
        }
    }
    let unsound: Vec<String> = suite.unsound.iter().map(|path| (*path).to_owned()).collect();
    let passed = unsound.is_empty() && cases.iter().all(|case| case.passed);
    Tested { passed, cases, unsound }
}
