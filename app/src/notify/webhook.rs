//! Webhooks out, and the check of those that come in, after the Standard Webhooks specification
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>): `webhook-id` stays the
//! same over all tries, `webhook-timestamp` is that of the try, `webhook-signature` is over both and the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What a secret begins with whose rest is Base64; any other secret is taken as it is.
const BASE64_SECRET: &str = "whsec_";

/// The id of a message: the same for all tries to bring it to this receiver.
#[must_use]
pub fn id(idempotency_key: &str, receiver: usize) -> String {
    let hash = hex::encode(Sha256::digest(format!("{idempotency_key}/{receiver}")));
    format!("msg_{}", &hash[..32])
}

/// The headers of a try; signed where there is a secret.
#[must_use]
pub fn headers(id: &str, now: Timestamp, body: &str, secret: Option<&str>) -> HeaderMap {
    let timestamp = now.as_second().to_string();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut insert = |name: &'static str, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    insert("webhook-id", id);
    insert("webhook-timestamp", &timestamp);
    if let Some(secret) = secret {
        insert("webhook-signature", &signature(id, &timestamp, body, secret));
    }
    headers
}

/// `v1,` and the HMAC-SHA256 of `ID.TIMESTAMP.BODY` in Base64.
#[must_use]
pub fn signature(id: &str, timestamp: &str, body: &str, secret: &str) -> String {
    format!("v1,{}", STANDARD.encode(mac((id, timestamp), body.as_bytes(), secret).finalize().into_bytes()))
}

/// Whether one of several signatures, which stand behind each other, is that of a message; `signed` are its id and time.
/// The comparison takes the same time wherever they differ.
#[must_use]
pub fn is_signed(signed: (&str, &str), body: &[u8], secret: &SecretString, signatures: &str) -> bool {
    let given = signatures.split_whitespace().filter_map(|signature| signature.strip_prefix("v1,"));
    given.filter_map(|encoded| STANDARD.decode(encoded).ok()).any(|signature| {
        let mac = mac(signed, body, secret.expose_secret());
        mac.verify_slice(&signature).is_ok()
    })
}

fn mac((id, timestamp): (&str, &str), body: &[u8], secret: &str) -> Hmac<Sha256> {
    let key = match secret.strip_prefix(BASE64_SECRET).map(|encoded| STANDARD.decode(encoded.trim())) {
        Some(Ok(key)) => key,
        _ => secret.as_bytes().to_vec(),
    };
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#, secret);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn an_id_is_that_of_the_message_and_its_receiver() {
        assert_eq!(id("key", 0), id("key", 0));
        assert_ne!(id("key", 0), id("key", 1));
        assert_ne!(id("key", 0), id("other", 0));
        assert_eq!(id("key", 0).len(), 36);
    }
}
