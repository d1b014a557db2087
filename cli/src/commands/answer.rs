//! `executions answer`: fills in a form that an execution on a server waits for. What fits is the server's to say.

use anyhow::{Context, bail};
use flowctl_app::api::ExecutionView;
use serde_json::{Map, Value, json};

use super::run::you;
use crate::arguments::{AnswerForm, ClientFormat};
use crate::client::Client;
use crate::exit::Exit;
use crate::forms::Form;
use crate::questions;
use crate::terminal::{self, is_interactive};
use crate::views;
use crate::words::{mapping, pairs};

/// Answers a form in somebody's name.
pub async fn answer(client: &Client, given: &AnswerForm) -> anyhow::Result<Exit> {
    questions::end_when_interrupted(|| {})?;
    tokio::select! {
        // Listened for before anything is asked: a question makes a signal of Ctrl-C.
        biased;
        _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        answered = ask_and_send(client, given) => answered,
    }
}

async fn ask_and_send(client: &Client, given: &AnswerForm) -> anyhow::Result<Exit> {
    let execution: ExecutionView = client.get(&format!("/executions/{}", given.id), &[]).await?;
    let form = waiting(&execution, given.step.as_deref())?;
    let mut values = values(form, given)?;
    if is_interactive() {
        values = form.complete(values)?;
    }
    let person = given.acting.clone().unwrap_or_else(|| you().login);
    let path = format!("/executions/{}/steps/{}/answers", execution.id, form.step);
    let answered: ExecutionView = client.post(&path, &json!({"values": values, "as": person})).await?;
    match given.format {
        ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(&answered)?)?,
        ClientFormat::Human => terminal::print(&views::answered(&answered, form.step, &person))?,
    }
    Ok(Exit::Done)
}

/// The form of this step, or the only one that waits.
fn waiting<'e>(execution: &'e ExecutionView, step: Option<&str>) -> anyhow::Result<Form<'e>> {
    let forms: Vec<Form<'e>> = execution.steps.iter().filter_map(Form::of).collect();
    let names = || forms.iter().map(|form| form.step).collect::<Vec<_>>().join(", ");
    match (step, forms.as_slice()) {
        (_, []) => bail!("no form waits in execution {}, which is {}", execution.id, execution.status.as_str()),
        (None, [form]) => Ok(*form),
        (None, _) => bail!("several forms wait; name the step of one: {}", names()),
        (Some(step), _) => {
            let named = forms.iter().find(|form| form.step == step).copied();
            named.with_context(|| format!("step `{step}` waits for no answers; there waits: {}", names()))
        }
    }
}

/// The values of the file, then those of the options.
fn values(form: Form<'_>, given: &AnswerForm) -> anyhow::Result<Map<String, Value>> {
    let words = pairs("--field", "NAME=VALUE", &given.fields)?;
    let mut values = given.values.as_deref().map(mapping).transpose()?.unwrap_or_default();
    values.extend(form.typed(&words));
    Ok(values)
}
