//! Proves that a webhook comes from GitHub: HMAC-SHA256 over the raw body, compared in constant time.
//! It must see the bytes as they came; nothing may have parsed or re-encoded them before.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;

/// The header that carries the signature
/// (<https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>).
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";

/// Why a signature is not accepted. Says nothing about what the right one would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// No header: the webhook is configured without a secret.
    #[error("the header X-Hub-Signature-256 is missing; enter the webhook secret in the GitHub App's settings")]
    Missing,
    /// Not `sha256=` and 64 hexadecimal digits.
    #[error("the header X-Hub-Signature-256 is not `sha256=` and 64 hexadecimal digits")]
    Malformed,
    /// Made with another secret or over another body.
    #[error("the signature does not fit; FLOWCTL_GITHUB_WEBHOOK_SECRET and the GitHub App's webhook secret differ")]
    Wrong,
}

/// Checks the value of [`SIGNATURE_HEADER`] against the raw body.
///
/// # Errors
/// [`SignatureError`] when the header is missing, malformed or does not fit.
pub fn verify(secret: &SecretString, raw_body: &[u8], header: Option<&str>) -> Result<(), SignatureError> {
    let digits = header.ok_or(SignatureError::Missing)?.strip_prefix("sha256=").ok_or(SignatureError::Malformed)?;
    let mut signature = [0_u8; 32];
    hex::decode_to_slice(digits, &mut signature).map_err(|_| SignatureError::Malformed)?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).map_err(|_| SignatureError::Wrong)?;
    mac.update(raw_body);
    mac.verify_slice(&signature).map_err(|_| SignatureError::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation page.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEADER: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn check(secret: &str, body: &[u8], header: Option<&str>) -> Result<(), SignatureError> {
        verify(&SecretString::from(secret.to_owned()), body, header)
    }

    #[test]
    fn the_documented_example_fits() {
        assert_eq!(check(SECRET, BODY, Some(HEADER)), Ok(()));
        assert_eq!(check(SECRET, BODY, Some(&HEADER.replace('a', "A").replace("shA", "sha"))), Ok(()));
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let short = &HEADER[..HEADER.len() - 2];
        let long = format!("{HEADER}00");
        let turned = HEADER.replace("=7", "=8");
        for (secret, body, header, expected) in [
            (SECRET, BODY, None, SignatureError::Missing),
            (SECRET, BODY, Some(""), SignatureError::Malformed),
            (SECRET, BODY, Some("sha256="), SignatureError::Malformed),
            (SECRET, BODY, Some("sha1=757107ea0eb2509fc211221cce984b8a"), SignatureError::Malformed),
            (SECRET, BODY, Some(short), SignatureError::Malformed),
            (SECRET, BODY, Some(long.as_str()), SignatureError::Malformed),
            (SECRET, BODY, Some(turned.as_str()), SignatureError::Wrong),
            (SECRET, b"Hello, World?", Some(HEADER), SignatureError::Wrong),
            (SECRET, b"", Some(HEADER), SignatureError::Wrong),
            ("another secret", BODY, Some(HEADER), SignatureError::Wrong),
            ("", BODY, Some(HEADER), SignatureError::Wrong),
        ] {
            assert_eq!(check(secret, body, header), Err(expected), "{header:?}");
        }
    }
}
