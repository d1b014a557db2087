//! Resume tokens in a browser: a page that says what is asked, and a form that answers it. Looking does nothing, since programs
//! that preview links look too; what is sent is heard as a request to `…/resume` is.

use std::sync::OnceLock;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use flowctl_core::command::values::of_words;
use flowctl_core::definition::step::human_approval::NoteRequired;
use flowctl_core::execution::{Execution, FormRequest, TenantId, Waiting, shown_arguments};
use flowctl_core::value::visible::visible;
use minijinja::{Value as Shown, context};
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::resume::{Resume, asked, resumed};
use super::{Api, MAX_BODY, access, body, no_such_method};
use crate::github::wording::{Names, Naming};
use crate::identity::resume::Claims;
use crate::pages::{Pages, style};

/// Where every page begins; behind it comes the token.
pub const BASE: &str = "/resume";
/// What begins the name of a form's field, so that none is taken for another of the page.
const FIELD: &str = "field.";

/// What a browser sends: names and texts.
type Sent = Vec<(String, String)>;

pub(super) fn router(api: &Api) -> Router {
    Router::new()
        .route(&format!("{BASE}/{{token}}"), get(show).post(answer))
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(api.clone())
        .route(&format!("{BASE}/style.css"), get(style))
}

fn pages() -> &'static Pages {
    static PAGES: OnceLock<Pages> = OnceLock::new();
    PAGES.get_or_init(|| {
        let templates = [
            ("asked.html", include_str!("pages/asked.html")),
            ("answered.html", include_str!("pages/answered.html")),
            ("refused.html", include_str!("pages/refused.html")),
        ];
        // Relative: also where a proxy serves this below a path of its own.
        Pages::new(".", &templates)
    })
}

async fn show(State(api): State<Api>, Path(token): Path<String>) -> Response {
    match question(&api, &token).await {
        Ok((claims, execution)) => page(StatusCode::OK, (&claims, &execution), &Vec::new(), None),
        Err(problem) => refused(&problem),
    }
}

async fn answer(State(api): State<Api>, Path(token): Path<String>, Form(sent): Form<Sent>) -> Response {
    let (claims, execution) = match question(&api, &token).await {
        Ok(found) => found,
        Err(problem) => return refused(&problem),
    };
    let given = body::read::<Resume>(said(&token, (&claims, &execution), &sent).to_string().as_bytes());
    let outcome = match given {
        Ok(given) => resumed(&api, &claims, given, false).await,
        Err(problem) => Err(problem),
    };
    let problem = match outcome {
        Ok(after) => return answered(&after, &sent),
        Err(problem) => problem,
    };
    // As long as the question stands, it can be answered otherwise.
    match question(&api, &token).await {
        Ok((claims, execution)) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            page(status, (&claims, &execution), &sent, Some(&problem))
        }
        Err(_) => refused(&problem),
    }
}

/// The question that a token is for, where whoever holds it may answer.
async fn question(api: &Api, token: &str) -> Result<(Claims, Execution), Problem> {
    access::open(api)?;
    let (claims, execution) = asked(api, token).await?;
    if execution.tenant != TenantId::local() {
        return Err(Problem::new(
            "acting-forbidden",
            "A resume token does not say who holds it. People decide on GitHub.",
        ));
    }
    Ok((claims, execution))
}

/// What was sent, as the API takes it.
fn said(token: &str, (claims, execution): (&Claims, &Execution), sent: &Sent) -> Value {
    let mut body = json!({"token": token});
    for (name, text) in sent.iter().filter(|(_, text)| !text.trim().is_empty()) {
        if ["decision", "note", "as"].contains(&name.as_str()) {
            body[name] = json!(text.trim());
        }
    }
    if let Some(form) = form(claims, execution) {
        let words: Sent = sent
            .iter()
            .filter_map(|(name, text)| Some((name.strip_prefix(FIELD)?.to_owned(), text.clone())))
            .filter(|(_, text)| !text.is_empty())
            .collect();
        body["answer"] = json!(of_words(&form.schema, &words));
    }
    body
}

fn form<'e>(claims: &Claims, execution: &'e Execution) -> Option<&'e FormRequest> {
    crate::identity::form(execution, &claims.step)
}

/// The page of a question, with what was sent before and why it was not taken.
fn page(
    status: StatusCode,
    (claims, execution): (&Claims, &Execution),
    sent: &Sent,
    problem: Option<&Problem>,
) -> Response {
    let Some(waiting) = execution.steps.get(&claims.step).and_then(|step| step.waiting.as_ref()) else {
        return refused(&Problem::new("not-waiting", format!("`{}` does not wait for anybody.", claims.step)));
    };
    let (title, description, who, call, note_help) = match waiting {
        Waiting::Approval(request) => {
            let (requirement, call) = (Some(&request.requirement), request.call.as_deref());
            (&request.title, &request.description, requirement, call, note_help(request.note_required))
        }
        Waiting::Form(request) => (&request.title, &request.description, request.assignees.as_ref(), None, ""),
        _ => return refused(&Problem::new("not-waiting", format!("`{}` does not wait for anybody.", claims.step))),
    };
    let organisation = execution.repository.split('/').next().unwrap_or_default();
    let naming = Naming { organisation, names: Names::Told };
    let text = |name: &str| sent.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str());
    let values = context! {
        title => visible(title),
        description => visible(description.trim()),
        note_help,
        step => claims.step.as_str(),
        process => execution.process.as_str(),
        repository => execution.repository.as_str(),
        who => who.map_or_else(|| "anybody with write permission".to_owned(), |who| naming.requirement(who)),
        until => waiting.due_at().map(|due_at| due_at.to_string()),
        call => call.map(|call| context! {
            tool => call.tool.as_str(),
            operation => call.operation.as_str(),
            arguments => shown_arguments(&call.arguments),
        }),
        fields => form(claims, execution).map(|form| fields(form, sent)),
        note => text("note").unwrap_or_default(),
        acting => text("as").unwrap_or_default(),
        holder => claims.login(),
        is_named => claims.receiver.is_some(),
        fault => problem.map(|problem| visible(&problem.detail).into_owned()),
        faults => problem.map(faults),
    };
    pages().page(status, "asked.html", &values, None)
}

/// What is to be known of a note.
fn note_help(required: NoteRequired) -> &'static str {
    match required {
        NoteRequired::Never => "Why, for people. It may be empty.",
        NoteRequired::OnReject => "Why, for people. To reject it is needed.",
        NoteRequired::Always => "Why, for people. It is needed.",
    }
}

/// The faults by field that a problem's own words leave out.
fn faults(problem: &Problem) -> Vec<String> {
    let left_out = problem.errors.iter().filter(|fault| !problem.detail.contains(&fault.message));
    left_out.map(|fault| format!("{} {}", fault.field, fault.message)).collect()
}

/// The fields of a form: each with what the browser needs to ask for it.
fn fields(form: &FormRequest, sent: &Sent) -> Vec<Shown> {
    let required = |name: &str| form.schema["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name));
    let field = |(name, schema): (&String, &Value)| {
        let id = format!("{FIELD}{name}");
        let given = sent.iter().find(|(known, _)| *known == id).map(|(_, text)| text.clone());
        let choices: Vec<String> = match schema["type"].as_str() {
            Some("boolean") => vec!["true".to_owned(), "false".to_owned()],
            _ => schema["enum"].as_array().into_iter().flatten().map(word).collect(),
        };
        let default = form.defaults.get(name).map(word);
        let choices: Vec<Shown> =
            choices.iter().map(|choice| context! { value => choice.as_str(), text => visible(choice) }).collect();
        context! {
            id,
            title => visible(schema["title"].as_str().unwrap_or(name)),
            required => required(name),
            choices,
            kind => kind(schema),
            help => help(schema, default.as_deref()),
            value => given.or(default).unwrap_or_default(),
        }
    };
    let none = Map::new();
    form.schema["properties"].as_object().unwrap_or(&none).iter().map(field).collect()
}

/// The kind of input that fits a field.
fn kind(schema: &Value) -> &'static str {
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("integer" | "number"), _) => "number",
        (_, Some("date")) => "date",
        (_, Some("email")) => "email",
        (_, Some("uri")) => "url",
        _ => "text",
    }
}

/// What is to be known of a field beside its title.
fn help(schema: &Value, default: Option<&str>) -> String {
    let form = match schema["type"].as_str() {
        Some("array") => "Several are parted by commas.",
        Some("object") => "JSON, such as {\"name\": \"value\"}.",
        _ => "",
    };
    let left_empty = default.map(|default| format!("Left empty it is {}.", visible(default))).unwrap_or_default();
    let parts = [&visible(schema["description"].as_str().unwrap_or_default()), form, left_empty.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A value as somebody would type it.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn answered(execution: &Execution, sent: &Sent) -> Response {
    let decision = sent.iter().find(|(name, _)| name == "decision").map(|(_, text)| text.as_str());
    let said = match decision {
        Some("approve") => "You approved",
        Some("reject") => "You rejected",
        _ => "You answered",
    };
    let values = context! { said, process => execution.process.as_str(), status => execution.status.as_str() };
    pages().page(StatusCode::OK, "answered.html", &values, None)
}

fn refused(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // Whoever sends twice has been heard the first time.
    let nothing_done = !problem.kind.ends_with("resume-token-used") && !status.is_server_error();
    let values = context! { title => &*problem.title, detail => visible(&problem.detail), nothing_done };
    pages().page(status, "refused.html", &values, None)
}
