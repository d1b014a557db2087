//! How somebody is told outside GitHub: what a webhook, a message for Slack and an e-mail look like, and what they say.
//! Nothing here decides whether somebody is told, and only `email` sends; calls are made by who performs the step.

pub mod email;
pub mod slack;
pub mod webhook;
pub mod wording;

pub use email::{Mail, Mailer, MailerError, addresses};
