//! `notify`: brings a message to its receivers, once per try and receiver; what a message looks like is `notify`'s. A
//! comment is told by GitHub's outbox, in the transaction in which its step starts; here it is only said whether there is
//! anything to comment on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flowctl_core::definition::ErrorClass;
use flowctl_core::definition::step::notify::Channel;
use flowctl_core::execution::{StepError, TenantId};
use flowctl_core::expression::{MASK, SecretPart, SecretText};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::api_call::{failed, unexpected};
use super::outgoing::{Call, Outgoing};
use super::secrets::{self, Redaction, Secrets};
use super::{Attempt, Performed, Performer, time_left};
use crate::clock::Clock;
use crate::notify::{Mail, Mailer, slack, webhook};

/// How long telling somebody may take where the attempt has no deadline.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);
/// The operator's secret with the address of Slack's incoming webhook, where a channel has none of its own.
const SLACK_WEBHOOK: &str = "SLACK_WEBHOOK_URL";

/// Performs `notify`.
pub struct NotifyPerformer {
    outgoing: Outgoing,
    secrets: Arc<dyn Secrets>,
    mailer: Option<Mailer>,
    clock: Arc<dyn Clock>,
}

/// What is to be told.
#[derive(Debug, Deserialize)]
struct Message {
    channel: Channel,
    #[serde(default)]
    receivers: Vec<Receiver>,
    #[serde(default)]
    subject: Option<String>,
    message: String,
    /// What a webhook sends instead of the message.
    #[serde(default)]
    payload: Option<Value>,
    #[serde(default)]
    issue: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Receiver {
    to: String,
    #[serde(default)]
    secret: Option<String>,
}

impl NotifyPerformer {
    /// A performer that calls through `outgoing` and mails through `mailer`, where there is one.
    #[must_use]
    pub fn new(outgoing: Outgoing, secrets: Arc<dyn Secrets>, mailer: Option<Mailer>, clock: Arc<dyn Clock>) -> Self {
        Self { outgoing, secrets, mailer, clock }
    }

    async fn tell(&self, message: Message, attempt: &Attempt, redaction: &Redaction) -> Result<(), StepError> {
        match message.channel {
            Channel::Comment if attempt.tenant == TenantId::local() => {
                Err(refused("a comment needs a repository on GitHub"))
            }
            Channel::Comment if message.issue.is_none() => {
                Err(refused("there is no pull request or issue to comment on"))
            }
            Channel::Comment => Ok(()),
            _ if message.receivers.is_empty() => Err(refused("nobody is named who is told; add `to`")),
            Channel::Webhook => self.call_webhooks(message, attempt, redaction).await,
            Channel::Slack => self.call_slack(message, redaction).await,
            Channel::Email => self.mail(message, &attempt.idempotency_key).await,
        }
    }

    async fn call_webhooks(&self, message: Message, attempt: &Attempt, redaction: &Redaction) -> Result<(), StepError> {
        let Message { receivers, subject, message, payload, .. } = message;
        let own = || {
            let Attempt { execution, step, .. } = attempt;
            let data = json!({"execution": execution, "step": step, "subject": subject, "message": message});
            json!({"type": "notification", "data": data})
        };
        let body = payload.unwrap_or_else(own).to_string();
        for (place, Receiver { to, secret }) in receivers.into_iter().enumerate() {
            let url = Url::parse(to.trim()).map_err(|_| {
                refused(format!("`to`: `{}` is neither a URL nor a channel of flow.yaml", redaction.text(&to)))
            })?;
            let id = webhook::id(&attempt.idempotency_key, place);
            let headers = webhook::headers(&id, self.clock.now(), &body, secret.as_deref());
            self.post(url, headers, body.clone(), redaction).await?;
        }
        Ok(())
    }

    async fn call_slack(&self, message: Message, redaction: &Redaction) -> Result<(), StepError> {
        let Message { receivers, subject, message, .. } = message;
        for Receiver { to, secret } in receivers {
            // The address itself, or a channel and the address behind it.
            let (address, channel) = match secret {
                Some(address) => (address, Some(to.trim())),
                None => (to.clone(), None),
            };
            let url =
                Url::parse(address.trim()).map_err(|_| refused("the address of Slack's incoming webhook is none"))?;
            let body = slack::body(channel, subject.as_deref(), &message).to_string();
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
            self.post(url, headers, body, redaction).await?;
        }
        Ok(())
    }

    /// A redirect is an error: what is signed for one place goes nowhere else.
    async fn post(&self, url: Url, headers: HeaderMap, body: String, redaction: &Redaction) -> Result<(), StepError> {
        let name = url.host_str().unwrap_or("the receiver").to_owned();
        let body = Some(Bytes::from(body));
        let call =
            Call { method: Method::POST, url, headers, body, carries_credentials: true, follows_redirects: false };
        let answer = self.outgoing.call(call).await.map_err(|error| failed(&name, &error))?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(unexpected(&name, &answer, self.clock.now(), redaction)),
        }
    }

    async fn mail(&self, message: Message, idempotency_key: &str) -> Result<(), StepError> {
        let Some(mailer) = &self.mailer else {
            return Err(refused("no mail server is set up: the operator names one with FLOWCTL_SMTP_URL"));
        };
        let to: Vec<&str> = message.receivers.iter().map(|receiver| receiver.to.trim()).collect();
        let first_line = || message.message.lines().next().unwrap_or_default().to_owned();
        let mail = Mail {
            to: to.join(", "),
            subject: message.subject.clone().unwrap_or_else(first_line),
            message: message.message.clone(),
            id: webhook::id(idempotency_key, 0),
        };
        mailer.send(&mail, self.clock.now()).await
    }
}

#[async_trait]
impl Performer for NotifyPerformer {
    async fn perform(&self, mut attempt: Attempt) -> Performed {
        let mut input = std::mem::take(&mut attempt.input);
        let mut texts = std::mem::take(&mut attempt.secret_texts);
        texts.extend(slack_addresses(&mut input, &texts));
        let redaction = match secrets::fill(&mut input, &texts, |name| self.secrets.get(&attempt.tenant, name)) {
            Ok(redaction) => redaction,
            Err(error) => return Err(error).into(),
        };
        let limit = attempt.deadline.map_or(USUAL_TIMEOUT, |deadline| time_left(deadline, self.clock.now()));
        let telling = async {
            let message = serde_json::from_value::<Message>(input)
                .map_err(|error| refused(format!("the input cannot be read: {error}")))?;
            self.tell(message, &attempt, &redaction).await
        };
        let result = match tokio::time::timeout(limit, telling).await {
            Ok(result) => result,
            Err(_) => Err(StepError::new(ErrorClass::Timeout, "telling took longer than the step's `timeout`")),
        };
        result.map(|()| json!({"delivered": true})).map_err(|error| redaction.error(error)).into()
    }
}

fn refused(message: impl Into<String>) -> StepError {
    StepError::new(ErrorClass::Refused, message)
}

/// Receivers in Slack that are named by their channel alone are reached by the operator's own webhook.
fn slack_addresses(input: &mut Value, texts: &[SecretText]) -> Vec<SecretText> {
    if input.get("channel").and_then(Value::as_str) != Some("slack") {
        return Vec::new();
    }
    let receivers = input.get_mut("receivers").and_then(Value::as_array_mut).into_iter().flatten().enumerate();
    let mut added = Vec::new();
    for (place, receiver) in receivers {
        let is_address = receiver.get("to").and_then(Value::as_str).is_some_and(|to| to.contains("://"))
            || texts.iter().any(|text| text.pointer == format!("/receivers/{place}/to"));
        if is_address || receiver.get("secret").is_some() {
            continue;
        }
        receiver["secret"] = Value::String(MASK.to_owned());
        let parts = vec![SecretPart::Secret(SLACK_WEBHOOK.to_owned())];
        added.push(SecretText { pointer: format!("/receivers/{place}/secret"), parts });
    }
    added
}
