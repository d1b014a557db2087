//! Validation of what is sent: the same rules as `flowctl validate`, over files that are nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, RawQuery, Request, State};
use flowctl_core::definition::repository::{Repository, own_place};
use flowctl_core::validate::{self as core, Options, validate as check};
use flowctl_core::value::Prices;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::body::{body, bytes, is_json, media_type, read};
use super::problem::Problem;
use super::query::Query;

/// Files at most.
const MAX_FILES: usize = 1_000;

/// What is sent.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct ValidateQuery {
    /// The path that a single file is taken for; without it: `.flow/processes/NAME.yaml` by the file's own name.
    #[param(max_length = 1000)]
    path: Option<String>,
}

/// Several files.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    /// Texts by path: `.flow/processes/release.yaml` …
    pub(super) files: BTreeMap<String, String>,
}
body!(Files);

/// What validation finds; the same document as `flowctl validate --format json`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Findings {
    /// The version of this form.
    version: u32,
    /// How many files were looked at.
    files: usize,
    /// Every finding: code, name, severity, message, help, path, range, related places, fix, link.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Value>,
    /// How many of each severity.
    summary: Summary,
}

/// How many findings of each severity.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Summary {
    /// It would fail, hang or be unsafe when it runs.
    errors: usize,
    /// It probably is not meant.
    warnings: usize,
    /// Style.
    infos: usize,
}

/// Validate definitions
///
/// One file as YAML, or several as JSON. Nothing is stored. Findings are no error of the request: the answer is 200.
#[utoipa::path(post, path = "/validate", tag = "validate", operation_id = "validate", params(ValidateQuery),
    request_body(content((Value = "application/yaml"), (Files = "application/json"))),
    responses((status = 200, description = "The findings", body = Findings)))]
pub(super) async fn validate(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<Findings>, Problem> {
    let mut query = Query::of(query.as_deref());
    let path = query.text("path").filter(|path| !path.is_empty());
    query.finish()?;
    let files = files(&api, request, path).await?;
    // Rules take their time with large files; other requests are answered meanwhile.
    let prices = Arc::clone(api.providers.prices());
    let checked = tokio::task::spawn_blocking(move || findings(files, &prices)).await;
    checked.map(Json).map_err(|error| Problem::internal(&error))
}

/// The texts, with their paths where those are given.
async fn files(api: &Api, request: Request, path: Option<String>) -> Result<Vec<(Option<String>, String)>, Problem> {
    match media_type(&request) {
        Some(kind) if is_json(&kind) => {
            let Files { files } = read(&bytes(request, api).await?)?;
            if files.len() > MAX_FILES {
                return Err(Problem::field("files", format!("has more than {MAX_FILES} files")));
            }
            Ok(files.into_iter().map(|(path, text)| (Some(path), text)).collect())
        }
        Some(kind) if is_yaml(&kind) => {
            let text = String::from_request(request, api).await;
            let text = text.map_err(|rejection| match rejection.status() {
                axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::new("too-large", format!("at most {} bytes are taken", super::MAX_BODY))
                }
                _ => Problem::new("malformed", format!("the body is not text: {}", rejection.body_text())),
            })?;
            Ok(vec![(path, text)])
        }
        found => {
            let found = found.unwrap_or_else(|| "none".to_owned());
            let detail = format!("Content-Type is {found}; send application/yaml, or application/json with `files`");
            Err(Problem::new("unsupported-media-type", detail))
        }
    }
}

fn is_yaml(kind: &str) -> bool {
    // RFC 9512 names application/yaml; the others are older habits.
    matches!(kind, "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" | "text/plain")
}

/// What is found in these texts, budgets judged by these prices.
pub(super) fn findings(files: Vec<(Option<String>, String)>, prices: &Prices) -> Findings {
    let placed = |(path, text): (Option<String>, String)| {
        let own = || own_place(text.as_bytes()).unwrap_or_else(|| ".flow/processes/process".to_owned());
        (path.unwrap_or_else(|| format!("{}.yaml", own())), text)
    };
    let repository = Repository::read(files.into_iter().map(placed));
    let report = check(&repository, &Options { prices: Some(prices), ..Options::default() });
    // Of a rule that is found very often in one file not each finding is told, but each is counted.
    let core::Summary { errors, warnings, infos } = report.summary;
    let summary = Summary { errors, warnings, infos };
    let findings = report.findings.iter().map(|finding| json!(finding)).collect();
    Findings { version: 1, files: report.files, findings, summary }
}
