//! Resume tokens: whoever holds one may answer the one question that it names, once, until it ends. Signed, so that
//! nobody makes one up; what has been used is known by the store, which records each word once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flowctl_core::execution::{Execution, ExecutionId, StepState, Waiting};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How long a token lasts whose step has no deadline.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The name of the key in the store.
pub const KEY_NAME: &str = "resume";
/// Bytes of a token at most.
pub const MAX_TOKEN: usize = 2_048;

/// What a token allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The execution.
    #[serde(rename = "e")]
    pub execution: ExecutionId,
    /// The step's key.
    #[serde(rename = "s")]
    pub step: String,
    /// The step's attempt.
    #[serde(rename = "a")]
    pub attempt: u32,
    /// How many words had been said about the step when it was made: where several people are asked, each use is a
    /// token of its own.
    #[serde(rename = "n")]
    pub turn: u32,
    /// When it ends, in seconds since 1970.
    #[serde(rename = "x")]
    pub expires_at: i64,
    /// The one address that it was sent to: whoever reads that speaks with it.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
}

/// Characters of an address at most (RFC 5321, section 4.5.3.1.3, as corrected by its erratum 1690).
const MAX_ADDRESS: usize = 254;

impl Claims {
    /// What a token for this step allows; nothing where the step asks nobody.
    pub fn of(execution: &Execution, step: &str, state: &StepState, now: Timestamp) -> Option<Self> {
        let due_at = match state.waiting.as_ref()? {
            Waiting::Approval(request) => request.due_at,
            Waiting::Form(request) => request.due_at,
            _ => return None,
        };
        let ends = due_at.unwrap_or_else(|| now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX));
        Some(Self {
            execution: execution.id,
            step: step.to_owned(),
            attempt: state.attempt,
            turn: u32::try_from(state.decisions.len()).unwrap_or(u32::MAX),
            expires_at: ends.as_second(),
            receiver: None,
        })
    }

    /// The same for the one who reads what is sent to an address.
    #[must_use]
    pub fn for_receiver(self, address: &str) -> Self {
        let receiver = (address.len() <= MAX_ADDRESS).then(|| address.to_lowercase());
        Self { receiver, ..self }
    }

    /// The word that its use is recorded as: each is recorded once.
    pub fn word(&self) -> String {
        let word = format!("resume:{}:{}:{}:{}", self.execution, self.step, self.attempt, self.turn);
        match &self.receiver {
            Some(receiver) => format!("{word}:{receiver}"),
            None => word,
        }
    }

    /// Under which name its holder speaks, whom nobody has named.
    pub fn login(&self) -> String {
        self.receiver.clone().unwrap_or_else(|| format!("resume-token-{}", self.turn + 1))
    }
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is none that this server signed.
    #[error("the token is not one that this server made")]
    Forged,
    /// Its time is over.
    #[error("the token ended at {at}")]
    Ended {
        /// When.
        at: Timestamp,
    },
}

/// Makes and reads tokens.
#[derive(Clone)]
pub struct ResumeTokens {
    key: [u8; 32],
}

impl std::fmt::Debug for ResumeTokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ResumeTokens")
    }
}

impl ResumeTokens {
    /// With this key, which every server of the same database has.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A token.
    #[must_use]
    pub fn issue(&self, claims: &Claims) -> String {
        let text = serde_json::to_string(claims).unwrap_or_default();
        let body = URL_SAFE_NO_PAD.encode(text);
        let signature = URL_SAFE_NO_PAD.encode(self.mac(&body).finalize().into_bytes());
        format!("{body}.{signature}")
    }

    /// What a token allows, where it is one of ours and has not ended by `now`.
    ///
    /// # Errors
    /// Where it is not, or has.
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let (body, signature) = token.split_once('.').filter(|_| token.len() <= MAX_TOKEN).ok_or(TokenError::Forged)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Forged)?;
        // Compared in constant time.
        self.mac(body).verify_slice(&signature).map_err(|_| TokenError::Forged)?;
        let text = URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Forged)?;
        let claims: Claims = serde_json::from_slice(&text).map_err(|_| TokenError::Forged)?;
        if claims.expires_at <= now.as_second() {
            let at = Timestamp::from_second(claims.expires_at).map_err(|_| TokenError::Forged)?;
            return Err(TokenError::Ended { at });
        }
        Ok(claims)
    }

    fn mac(&self, body: &str) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key");
        mac.update(b"flowctl resume token 1\n");
        mac.update(body.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    fn claims() -> Claims {
        let execution = "01900000-0000-7000-8000-000000000001".parse().unwrap();
        Claims { execution, step: "leads".to_owned(), attempt: 1, turn: 0, expires_at: 1_000, receiver: None }
    }

    #[test]
    fn a_token_is_read_until_it_ends_and_only_as_it_was_made() {
        let tokens = ResumeTokens::new([7; 32]);
        let token = tokens.issue(&claims());
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(tokens.read(&token, at(999)), Ok(claims()));
        assert_eq!(tokens.read(&token, at(1_000)), Err(TokenError::Ended { at: at(1_000) }));
        assert_eq!(ResumeTokens::new([8; 32]).read(&token, at(0)), Err(TokenError::Forged));
        for index in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            // The last character of a part may carry bits that nothing is read from.
            if let Ok(read) = tokens.read(&String::from_utf8(bytes).unwrap(), at(0)) {
                assert_eq!(read, claims(), "character {index}");
            }
        }
        for wrong in ["", ".", "a.b", &"x".repeat(10_000)] {
            assert_eq!(tokens.read(wrong, at(0)), Err(TokenError::Forged), "{wrong:.20}");
        }
    }
}
