//! What the `notify` rules of a process ask for: a comment is an effect, anything else an occurrence, stored with the
//! transition that it tells of. It is sent at least once, three times at most, with one id; nobody waits for it.

use std::time::Duration;

use flowctl_core::definition::step::StepType;
use flowctl_core::definition::step::notify::Channel;
use flowctl_core::execution::notice::{Notice, notices};
use flowctl_core::execution::{Event, Execution, ExecutionId, Plan, TenantId};
use flowctl_core::expression::SecretText;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Engine;
use super::occurrence::Happening;
use crate::api::resume_page;
use crate::identity::resume::Claims;
use crate::notify::addresses;
use crate::notify::email::MAX_ADDRESSES;
use crate::notify::wording::{About, Resume, Words, words};
use crate::steps::notify::passes;
use crate::steps::{Attempt, Journal};
use crate::store::{ClaimedOccurrence, NewEffect, NewOccurrence, OccurrenceEnd};

/// How often a message is sent that does not arrive.
const MAX_TRIES: u32 = 3;
/// The pause after the first try; each further one is four times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// How long a try may take, if the lease is not shorter.
const TRY: Duration = Duration::from_secs(20);

/// What is stored of a transition's notices.
#[derive(Debug, Default)]
pub(super) struct Notices {
    pub(super) effects: Vec<NewEffect>,
    pub(super) occurrences: Vec<NewOccurrence>,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    /// Unique, the same for all tries.
    pub(super) key: String,
    execution: ExecutionId,
    #[serde(default)]
    step: Option<String>,
    /// What a `notify` step is given.
    input: Value,
    #[serde(default)]
    secret_texts: Vec<SecretText>,
}

impl Engine {
    /// What the process's rules ask for. A receiver that cannot be told is a line of the log: an execution does not fail
    /// because nobody heard of it.
    pub(super) fn notices(&self, plan: &Plan, after: &Execution, events: &[Event], now: Timestamp) -> Notices {
        let mut found = Notices::default();
        for notice in notices(plan, after, events) {
            let notice = match notice {
                Ok(notice) => notice,
                Err(error) => {
                    tracing::warn!(execution = %after.id, process = after.process, %error, "a rule of `notify` names nobody");
                    continue;
                }
            };
            for notice in self.each_by_itself(notice, after, now) {
                self.add(&mut found, notice, after, now);
            }
        }
        found
    }

    fn add(&self, found: &mut Notices, notice: Notice, after: &Execution, now: Timestamp) {
        let resume = self.resume(&notice, after, now);
        let about = About { step: notice.step.as_deref(), budget: notice.budget.as_ref() };
        let said = words(notice.occasion, after, about, resume.as_ref());
        if notice.channel == Channel::Comment {
            let text = format!("**{}**\n\n{}", said.subject, said.message);
            found.effects.extend(self.inner.effects.comment(after, &notice.key, &text, now));
            return;
        }
        for message in messages(notice, &said, after.id) {
            let body = Happening::Notice(Box::new(message)).into_body();
            found.occurrences.push(NewOccurrence { tenant: after.tenant.clone(), body, not_before: now });
        }
    }

    /// A mail that gives the right to answer is one for each address: the right is of who reads it. What is known only where
    /// secrets are stays one mail.
    fn each_by_itself(&self, notice: Notice, after: &Execution, now: Timestamp) -> Vec<Notice> {
        let is_named = notice.channel == Channel::Email && notice.secret_texts.is_empty();
        if !is_named || self.resume(&notice, after, now).is_none() {
            return vec![notice];
        }
        let receivers: Vec<String> = receivers(&notice).into_iter().flatten().map(|(receiver, _)| receiver).collect();
        if receivers.len() < 2 {
            return vec![notice];
        }
        let single = |(place, receiver): (usize, String)| Notice {
            key: format!("{}/{place}", notice.key),
            occasion: notice.occasion,
            step: notice.step.clone(),
            budget: notice.budget.clone(),
            channel: notice.channel,
            receivers: json!([{"to": receiver}]),
            secret_texts: Vec::new(),
        };
        receivers.into_iter().enumerate().map(single).collect()
    }

    /// The right to answer, where who is told is told in private: never in a comment, nor in a channel of Slack. Only in tenant
    /// `local`: elsewhere a word is a person's, and of an address nobody knows whose it is.
    fn resume(&self, notice: &Notice, after: &Execution, now: Timestamp) -> Option<Resume> {
        let named = |receivers: &Value| {
            let mut receivers = receivers.as_array().into_iter().flatten();
            receivers.all(|to| to["to"].as_str().is_some_and(|to| to.trim().starts_with('@')))
        };
        let in_private = match notice.channel {
            Channel::Webhook => true,
            // A mail to more than it may have, or to what is no address, is refused: nobody sends any number of them by a list.
            Channel::Email if notice.secret_texts.is_empty() => {
                receivers(notice).is_some_and(|receivers| receivers.len() <= MAX_ADDRESSES)
            }
            Channel::Email => true,
            Channel::Slack => named(&notice.receivers),
            Channel::Comment => false,
        };
        let step = notice.step.as_ref().filter(|_| in_private && after.tenant == TenantId::local())?;
        let claims = Claims::of(after, step, after.steps.get(step)?, now)?;
        let claims = match receivers(notice).as_deref() {
            Some([(_, address)]) if notice.channel == Channel::Email => claims.for_receiver(address),
            _ => claims,
        };
        let token = self.inner.options.resume.as_ref()?.issue(&claims);
        let page = format!("{}{}/{token}", self.inner.options.public_url.as_ref()?, resume_page::BASE);
        Some(Resume { token, url: format!("{}/resume", self.url_of(after.id)?), page })
    }

    /// Sends a message, as an attempt of a `notify` step would.
    pub(super) async fn send(&self, occurrence: &ClaimedOccurrence, message: Message) -> OccurrenceEnd {
        let Some(performer) = self.inner.performers.of(StepType::Notify) else {
            tracing::warn!(key = message.key, "this server tells nobody");
            return OccurrenceEnd::Done;
        };
        let Message { key, execution, step, input, secret_texts } = message;
        let attempt = Attempt {
            tenant: occurrence.tenant.clone(),
            execution,
            step: step.unwrap_or_default(),
            attempt: occurrence.attempts,
            input,
            secret_texts,
            deadline: Some(self.after(TRY.min(self.inner.options.lease / 2))),
            idempotency_key: hex::encode(Sha256::digest(&key)),
            journal: Journal::default(),
        };
        let Err(error) = performer.perform(attempt).await.result else {
            tracing::info!(%execution, key, "somebody was told");
            return OccurrenceEnd::Done;
        };
        if !passes(error.class) || occurrence.attempts >= MAX_TRIES {
            tracing::warn!(%execution, key, tries = occurrence.attempts, %error, "nobody was told; given up");
            return OccurrenceEnd::Done;
        }
        tracing::info!(%execution, key, %error, "nobody was told yet");
        let longest = error.class.longest_pause().as_millis();
        let asked = Duration::from_millis(error.retry_after_ms.unwrap_or(0).min(longest));
        let pause = FIRST_PAUSE * 4_u32.saturating_pow(occurrence.attempts.saturating_sub(1));
        OccurrenceEnd::RetryAt(self.after(pause.max(asked)))
    }
}

/// The addresses that a mail goes to, as they are written and bare; nothing where they cannot be told apart here.
fn receivers(notice: &Notice) -> Option<Vec<(String, String)>> {
    if !notice.secret_texts.is_empty() {
        return None;
    }
    let lists: Option<Vec<_>> =
        notice.receivers.as_array()?.iter().map(|receiver| addresses(receiver["to"].as_str()?)).collect();
    Some(lists?.into_iter().flatten().collect())
}

/// One message for each receiver, so that each is told by itself; a mail goes to all of them in one go.
fn messages(notice: Notice, said: &Words, execution: ExecutionId) -> Vec<Message> {
    let Notice { key, step, channel, receivers, secret_texts, .. } = notice;
    let Words { subject, message, payload } = said;
    let to = |key: String, receivers: Value, secret_texts: Vec<SecretText>| {
        let input = json!({
            "channel": channel, "receivers": receivers, "subject": subject, "message": message, "payload": payload
        });
        Message { key, execution, step: step.clone(), input, secret_texts }
    };
    let several = receivers.as_array().filter(|receivers| receivers.len() > 1 && channel != Channel::Email);
    let Some(several) = several else {
        let placed = |text: SecretText| SecretText { pointer: format!("/receivers{}", text.pointer), ..text };
        return vec![to(key, receivers, secret_texts.into_iter().map(placed).collect())];
    };
    let single = |(place, receiver): (usize, &Value)| {
        let own = secret_texts.iter().filter_map(|text| {
            let inside = text.pointer.strip_prefix(&format!("/{place}/"))?;
            Some(SecretText { pointer: format!("/receivers/0/{inside}"), ..text.clone() })
        });
        to(format!("{key}/{place}"), json!([receiver]), own.collect())
    };
    several.iter().enumerate().map(single).collect()
}
