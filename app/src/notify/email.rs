//! E-mail by SMTP, through the operator's own mail server.

use std::time::{Duration, SystemTime};

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::StepError;
use jiff::Timestamp;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, MessageBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

/// How long one command of a mail server may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);
/// Addresses that one mail goes to at most.
pub const MAX_ADDRESSES: usize = 100;
/// Characters of a headline.
const MAX_SUBJECT: usize = 200;

/// Sends mail.
#[derive(Clone, Debug)]
pub struct Mailer {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why mail cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The address of the mail server is none.
    #[error("FLOWCTL_SMTP_URL is no address of a mail server: {0}")]
    Server(String),
    /// The sender's address is none.
    #[error("FLOWCTL_SMTP_FROM is no e-mail address: {0}")]
    From(String),
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Addresses, comma separated.
    pub to: String,
    /// The headline.
    pub subject: String,
    /// The message, as plain text.
    pub message: String,
    /// Unique, the same for every try: who gets a mail twice can tell.
    pub id: String,
}

impl Mailer {
    /// A mailer for `smtp://HOST:PORT` or `smtps://USER:PASSWORD@HOST`; `?tls=required` demands STARTTLS.
    ///
    /// # Errors
    /// Where either is none.
    pub fn new(server: &SecretString, from: &str) -> Result<Self, MailerError> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(server.expose_secret())
            .map_err(|error| MailerError::Server(error.to_string()))?
            .timeout(Some(COMMAND_TIMEOUT))
            .build();
        let from = from.parse().map_err(|error| MailerError::From(format!("{error}")))?;
        Ok(Self { server, from })
    }

    /// Sends a mail, in one go to all its receivers.
    ///
    /// # Errors
    /// Where the mail cannot be made, or the mail server does not take it.
    pub async fn send(&self, mail: &Mail, now: Timestamp) -> Result<(), StepError> {
        let message = self.message(mail, now)?;
        self.server.send(message).await.map(drop).map_err(|error| failed(&error))
    }

    fn message(&self, mail: &Mail, now: Timestamp) -> Result<Message, StepError> {
        let refused = |message: String| StepError::new(ErrorClass::Refused, message);
        let to: Mailboxes = mail
            .to
            .parse()
            .map_err(|error| refused(format!("`to`: `{}` is no list of addresses: {error}", mail.to)))?;
        let to: Vec<Mailbox> = to.into_iter().collect();
        if to.is_empty() || to.len() > MAX_ADDRESSES {
            return Err(refused(format!("`to` names {} addresses; 1 to {MAX_ADDRESSES} are possible", to.len())));
        }
        // A headline is one line, and nothing in it can begin another header.
        let subject: String = mail.subject.split_whitespace().collect::<Vec<_>>().join(" ");
        let subject: String = subject.chars().filter(|c| !c.is_control()).take(MAX_SUBJECT).collect();
        let builder: MessageBuilder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .date(SystemTime::from(now))
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            // RFC 3834: nobody's absence is answered to a machine.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN);
        let builder = to.into_iter().fold(builder, MessageBuilder::to);
        builder.body(mail.message.clone()).map_err(|error| refused(format!("the mail cannot be made: {error}")))
    }
}

/// The addresses of a list, each with the name that stands beside it; nothing where it is no list of addresses.
pub fn addresses(list: &str) -> Option<Vec<(String, String)>> {
    let boxes: Mailboxes = list.parse().ok()?;
    Some(boxes.into_iter().map(|one| (one.to_string(), one.email.to_string())).collect())
}

fn failed(error: &lettre::transport::smtp::Error) -> StepError {
    let class = if error.is_timeout() {
        ErrorClass::Timeout
    } else if error.is_permanent() || error.is_client() {
        ErrorClass::Refused
    } else if error.is_transient() {
        ErrorClass::ServerError
    } else {
        ErrorClass::Network
    };
    let mut words = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        words = format!("{words}: {cause}");
    }
    StepError::new(class, format!("the mail server did not take the mail: {words}"))
}
