//! The App's keys and secrets: made once, kept with the state.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::error::SandboxError;

/// An RSA key of 2048 bits: (private as PKCS#8 PEM, public as SPKI PEM).
pub(crate) fn generate() -> Result<(String, String), SandboxError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| SandboxError::Key)?;
    let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| SandboxError::Key)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| SandboxError::Key)?;
    Ok((pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref())))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = vec![format!("-----BEGIN {label}-----")];
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        lines.push(line.to_owned());
        rest = more;
    }
    lines.push(format!("-----END {label}-----\n"));
    lines.join("\n")
}

/// `length` random bytes in hexadecimal digits.
pub(crate) fn secret(length: usize) -> String {
    hex::encode(random(length))
}

/// An installation token as GitHub gives them now: about 520 characters, with the App's id and two dots.
pub(crate) fn installation_token(app: u64) -> String {
    let part = |bytes: usize| URL_SAFE_NO_PAD.encode(random(bytes));
    format!("ghs_{app}_{}.{}.{}", part(27), part(225), part(128))
}

/// A person's token.
pub(crate) fn personal_token() -> String {
    format!("ghp_{}", secret(18))
}

fn random(length: usize) -> Vec<u8> {
    (0..length).map(|_| rand::random::<u8>()).collect()
}
