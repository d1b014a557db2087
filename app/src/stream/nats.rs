//! NATS JetStream as the event stream. A message counts as kept once the stream has acknowledged it.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::error::Error as NatsError;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{ConnectOptions, HeaderMap, ServerAddr};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::message::SUBJECTS;
use super::{Message, PublishFailure, Publisher};

/// How long a connection may take, and an acknowledgement.
const WITHIN: Duration = Duration::from_secs(5);
/// The stream that is made where none takes our subjects.
const STREAM: &str = "FLOWCTL";
/// How long the stream knows an id: a server that died between an acknowledgement and its own note of it is back, or
/// followed by another one, much sooner.
const KNOWS_IDS: Duration = Duration::from_secs(60 * 60);

/// A connection to NATS, which is made when there is something to tell.
pub struct Nats {
    url: SecretString,
    /// The seed of the key by which it is known; nothing: the address says who it is.
    key: Option<SecretString>,
    /// How long the stream keeps messages, where it is made here; nothing: for ever.
    keep: Option<Duration>,
    context: Mutex<Option<Context>>,
}

impl Nats {
    /// The servers at `url`, comma separated, of which one is enough; `key` is the seed of an NKey of a user.
    #[must_use]
    pub fn new(url: SecretString, key: Option<SecretString>, keep: Option<Duration>) -> Self {
        Self { url, key, keep, context: Mutex::new(None) }
    }

    /// The connection, as it stands. It comes back by itself; what is sent while it is away would only pile up.
    async fn context(&self) -> Result<Context, PublishFailure> {
        let mut known = self.context.lock().await;
        let context = match &*known {
            Some(context) => context.clone(),
            None => known.insert(self.connect().await?).clone(),
        };
        match context.client().connection_state() {
            State::Connected => Ok(context),
            _ => Err(PublishFailure::Away("NATS cannot be reached".to_owned())),
        }
    }

    async fn connect(&self) -> Result<Context, PublishFailure> {
        // The address may hold a password, which no message shows.
        let wrong = |_| PublishFailure::Away("FLOWCTL_NATS_URL is not an address of NATS".to_owned());
        let servers = self.url.expose_secret().split(',').map(|server| server.trim().parse::<ServerAddr>());
        let servers = servers.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let mut options = ConnectOptions::new().name("flowctl").connection_timeout(WITHIN);
        if let Some(key) = &self.key {
            options = options.nkey(key.expose_secret().to_owned());
        }
        let client = options.connect(servers).await.map_err(|error| away("NATS cannot be reached", &error))?;
        Ok(jetstream::ContextBuilder::new().timeout(WITHIN).ack_timeout(WITHIN).build(client))
    }

    async fn send(&self, context: &Context, message: &Message) -> Result<(), (PublishErrorKind, PublishFailure)> {
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, message.id.as_str());
        headers.insert("Content-Type", "application/json");
        let sending = async {
            let acknowledged =
                context.publish_with_headers(message.subject.clone(), headers, message.body().into()).await?;
            acknowledged.await
        };
        sending.await.map(drop).map_err(|error| (error.kind(), failure_of(&error)))
    }

    /// Makes the stream. One that takes these subjects already is the operator's, and is left as it is.
    async fn make_stream(&self, context: &Context) -> Result<(), PublishFailure> {
        let config = Config {
            name: STREAM.to_owned(),
            subjects: vec![format!("{SUBJECTS}.>")],
            description: Some("What happened in flowctl".to_owned()),
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            duplicate_window: self.keep.map_or(KNOWS_IDS, |keep| keep.min(KNOWS_IDS)),
            max_age: self.keep.unwrap_or_default(),
            ..Config::default()
        };
        let made = context.get_or_create_stream(config).await;
        made.map(drop).map_err(|error| away("the stream FLOWCTL cannot be made", &error))
    }
}

#[async_trait]
impl Publisher for Nats {
    async fn publish(&self, message: &Message) -> Result<(), PublishFailure> {
        let context = self.context().await?;
        match self.send(&context, message).await {
            Err((PublishErrorKind::StreamNotFound, _)) => {
                self.make_stream(&context).await?;
                self.send(&context, message).await.map_err(|(_, failure)| failure)
            }
            sent => sent.map_err(|(_, failure)| failure),
        }
    }
}

fn failure_of(error: &NatsError<PublishErrorKind>) -> PublishFailure {
    let refused = std::error::Error::source(error).and_then(|it| it.downcast_ref::<jetstream::Error>());
    let too_large = refused.is_some_and(|it| it.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM);
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => PublishFailure::TooLarge,
        PublishErrorKind::Other if too_large => PublishFailure::TooLarge,
        _ => away("NATS does not take an event", error),
    }
}

/// With every cause, of which the first rarely says what is wrong.
fn away(what: &str, error: &dyn std::error::Error) -> PublishFailure {
    let mut told = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        told.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    PublishFailure::Away(told)
}
