//! `notify`: brings a message to its receivers, once per try and receiver; what a message looks like is `notify`'s. A
//! comment is told by GitHub's outbox, in the transaction in which its step starts; here it is only said whether there is
//! anything to comment on.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flowctl_core::definition::ErrorClass;
use flowctl_core::definition::step::notify::Channel;
use flowctl_core::execution::{StepError, TenantId};
use flowctl_core::expression::{MASK, SecretPart, SecretText};
use futures_util::future::join_all;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::api_call::{failed, unexpected};
use super::outgoing::{Call, Outgoing};
use super::secrets::{self, Redaction, Secrets};
use super::{Attempt, Performed, Performer, SHOWN_FAULTS, time_left};
use crate::clock::Clock;
use crate::notify::{Mail, Mailer, slack, webhook};

/// How long telling somebody may take where the attempt has no deadline.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long before the end of an attempt its receivers are given up.
const MARGIN: Duration = Duration::from_secs(1);
/// Messages of which is remembered who was told; beyond it the oldest are forgotten.
const MAX_TOLD: usize = 10_000;
/// The operator's secret with the address of Slack's incoming webhook, where a channel has none of its own.
const SLACK_WEBHOOK: &str = "SLACK_WEBHOOK_URL";

/// Performs `notify`.
pub struct NotifyPerformer {
    outgoing: Outgoing,
    secrets: Arc<dyn Secrets>,
    mailer: Option<Mailer>,
    clock: Arc<dyn Clock>,
    told: Told,
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
        Self { outgoing, secrets, mailer, clock, told: Told::default() }
    }

    async fn tell(
        &self,
        message: Message,
        attempt: &Attempt,
        limit: Duration,
        redaction: &Redaction,
    ) -> Result<(), StepError> {
        match message.channel {
            Channel::Comment if attempt.tenant == TenantId::local() => {
                Err(refused("a comment needs a repository on GitHub"))
            }
            Channel::Comment if message.issue.is_none() => {
                Err(refused("there is no pull request or issue to comment on"))
            }
            Channel::Comment => Ok(()),
            _ if message.receivers.is_empty() => Err(refused("nobody is named who is told; add `to`")),
            Channel::Webhook => self.call_webhooks(message, attempt, limit, redaction).await,
            Channel::Slack => self.call_slack(message, attempt, limit, redaction).await,
            Channel::Email => {
                let mailed = tokio::time::timeout(limit, self.mail(message, &attempt.idempotency_key)).await;
                mailed.unwrap_or_else(|_| Err(too_long()))
            }
        }
    }

    async fn call_webhooks(
        &self,
        message: Message,
        attempt: &Attempt,
        limit: Duration,
        redaction: &Redaction,
    ) -> Result<(), StepError> {
        let Message { receivers, subject, message, payload, .. } = message;
        let own = || {
            let Attempt { execution, step, .. } = attempt;
            let data = json!({"execution": execution, "step": step, "subject": subject, "message": message});
            json!({"type": "notification", "data": data})
        };
        let body = &payload.unwrap_or_else(own).to_string();
        let call = |place, Receiver { to, secret }: Receiver| async move {
            let url = Url::parse(to.trim()).map_err(|_| {
                refused(format!("`to`: `{}` is neither a URL nor a channel of flow.yaml", redaction.text(&to)))
            })?;
            let id = webhook::id(&attempt.idempotency_key, place);
            let headers = webhook::headers(&id, self.clock.now(), body, secret.as_deref());
            self.post(url, headers, body.clone(), redaction).await
        };
        self.tell_each(&attempt.idempotency_key, receivers, limit, call).await
    }

    async fn call_slack(
        &self,
        message: Message,
        attempt: &Attempt,
        limit: Duration,
        redaction: &Redaction,
    ) -> Result<(), StepError> {
        let Message { receivers, subject, message, .. } = message;
        let (subject, message) = (subject.as_deref(), message.as_str());
        let call = |_, Receiver { to, secret }: Receiver| async move {
            // The address itself, or a channel and the address behind it.
            let (address, channel) = match secret {
                Some(address) => (address, Some(to.trim())),
                None => (to.clone(), None),
            };
            let url =
                Url::parse(address.trim()).map_err(|_| refused("the address of Slack's incoming webhook is none"))?;
            let body = slack::body(channel, subject, message).to_string();
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
            self.post(url, headers, body, redaction).await
        };
        self.tell_each(&attempt.idempotency_key, receivers, limit, call).await
    }

    /// Tells each receiver by itself: that one cannot be told keeps nobody else from it. Who was told by an earlier attempt
    /// of the same message is left out.
    async fn tell_each<F>(
        &self,
        key: &str,
        receivers: Vec<Receiver>,
        limit: Duration,
        tell: impl Fn(usize, Receiver) -> F,
    ) -> Result<(), StepError>
    where
        F: Future<Output = Result<(), StepError>>,
    {
        let (all, mut told) = (receivers.len(), self.told.of(key));
        let left = receivers.into_iter().enumerate().filter(|(place, _)| !told.contains(place));
        let telling = left.map(|(place, receiver)| {
            let telling = tell(place, receiver);
            async move { (place, tokio::time::timeout(limit, telling).await.unwrap_or_else(|_| Err(too_long()))) }
        });
        let ends = join_all(telling.collect::<Vec<_>>()).await;
        told.extend(ends.iter().filter(|(_, end)| end.is_ok()).map(|(place, _)| *place));
        let errors: Vec<StepError> = ends.into_iter().filter_map(|(_, end)| end.err()).collect();
        self.told.keep(key, if errors.is_empty() { BTreeSet::new() } else { told });
        summed_up(errors, all).map_or(Ok(()), Err)
    }

    /// A redirect is an error: what is signed for one place goes nowhere else.
    async fn post(&self, url: Url, headers: HeaderMap, body: String, redaction: &Redaction) -> Result<(), StepError> {
        let name = url.host_str().unwrap_or("the receiver").to_owned();
        let body = Some(Bytes::from(body));
        let call = Call {
            method: Method::POST,
            url,
            headers,
            own_headers: HeaderMap::new(),
            body,
            carries_credentials: true,
            follows_redirects: false,
        };
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
            // A little before the end, so that who was told is known when it comes.
            self.tell(message, &attempt, limit.saturating_sub(MARGIN.min(limit / 10)), &redaction).await
        };
        let result = telling.await;
        result.map(|()| json!({"delivered": true})).map_err(|error| redaction.error(error)).into()
    }
}

/// Who was told of messages that others are still to be told of, by the message's key: the places of its receivers. Kept
/// here only: another server tells everybody again, with the same ids.
#[derive(Debug, Default)]
struct Told(Mutex<IndexMap<String, BTreeSet<usize>>>);

impl Told {
    fn of(&self, key: &str) -> BTreeSet<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }

    fn keep(&self, key: &str, places: BTreeSet<usize>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.is_empty() {
            told.swap_remove(key);
            return;
        }
        told.insert(key.to_owned(), places);
        while told.len() > MAX_TOLD {
            told.shift_remove_index(0);
        }
    }
}

/// What failed, as one failure: of the class that another attempt may mend, if any does, and that waits longest for it.
fn summed_up(errors: Vec<StepError>, receivers: usize) -> Option<StepError> {
    let mendable = errors.iter().filter(|error| passes(error.class));
    let passing = mendable.min_by_key(|error| Reverse(error.class.longest_pause())).or(errors.first())?.clone();
    if receivers == 1 {
        return Some(passing);
    }
    let retry_after_ms = errors.iter().filter_map(|error| error.retry_after_ms).max();
    let shown: Vec<&str> = errors.iter().take(SHOWN_FAULTS).map(|error| error.message.as_str()).collect();
    let message = format!("{} of {receivers} receivers were not told: {}", errors.len(), shown.join("; "));
    Some(StepError { message, retry_after_ms, ..passing })
}

/// Whether another attempt may go better.
pub(crate) fn passes(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Timeout | ErrorClass::Network | ErrorClass::RateLimited | ErrorClass::ServerError)
}

fn too_long() -> StepError {
    StepError::new(ErrorClass::Timeout, "telling took longer than the step's `timeout`")
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
