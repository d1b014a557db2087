//! Secrets of definitions: where their values come from, how they get into an attempt's input, and how they are kept
//! out of everything that an attempt gives back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::{StepError, TenantId};
use flowctl_core::expression::{MASK, SecretPart, SecretText};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// A line of a secret of several lines is looked for by itself from this length on.
const SHORTEST_LINE: usize = 8;
/// A secret is looked for in upper and lower case alike from this length on, in characters: nothing that long is spelled
/// by chance.
const SHORTEST_IN_ANY_CASE: usize = 8;
/// A secret in the midst of something in Base64 is looked for where this many characters are its alone. Fewer would be
/// found by chance in what is none.
const SHORTEST_IN_BASE64: usize = 6;

/// Where the values of `secrets.NAME` come from.
pub trait Secrets: Send + Sync {
    /// The value of a tenant's secret.
    fn get(&self, tenant: &TenantId, name: &str) -> Option<SecretString>;
}

/// The operator's secrets (`FLOWCTL_SECRET_<NAME>`), the same for every tenant.
impl Secrets for BTreeMap<String, SecretString> {
    fn get(&self, _tenant: &TenantId, name: &str) -> Option<SecretString> {
        BTreeMap::get(self, name).cloned()
    }
}

/// Puts secrets into an input, and says what must not come back.
///
/// # Errors
/// Where a secret is not set, or a place for one is not in the input.
pub(crate) fn fill(
    input: &mut Value,
    texts: &[SecretText],
    secret: impl Fn(&str) -> Option<SecretString>,
) -> Result<Redaction, StepError> {
    let mut used: Vec<SecretString> = Vec::new();
    for SecretText { pointer, parts } in texts {
        let mut text = String::new();
        for part in parts {
            match part {
                SecretPart::Literal(literal) => text.push_str(literal),
                SecretPart::Secret(name) => {
                    let value = secret(name).filter(|value| !value.expose_secret().is_empty());
                    let value = value.ok_or_else(|| not_set(name))?;
                    text.push_str(value.expose_secret());
                    used.push(value);
                }
            }
        }
        let place = input.pointer_mut(pointer).ok_or_else(|| {
            StepError::new(ErrorClass::Expression, format!("there is no place `{pointer}` for a secret in the input"))
        })?;
        *place = Value::String(text);
    }
    Ok(Redaction::of(&used))
}

pub(crate) fn not_set(name: &str) -> StepError {
    let message = format!("the secret `{name}` is not set; the server reads it from FLOWCTL_SECRET_{name}");
    StepError::new(ErrorClass::Refused, message)
}

/// What must not come back: secrets in the spellings in which others repeat them.
pub(crate) struct Redaction {
    /// The longest first, so that none leaves a part of another.
    needles: Vec<Needle>,
}

struct Needle {
    /// In ASCII's lower case where the case does not count.
    text: SecretString,
    any_case: bool,
}

impl Redaction {
    /// What keeps these out.
    pub(crate) fn of(secrets: &[SecretString]) -> Self {
        let mut needles: Vec<(String, bool)> = Vec::new();
        for secret in secrets {
            let secret = secret.expose_secret();
            let lines = secret.lines().filter(|line| line.len() >= SHORTEST_LINE && line.len() < secret.len());
            for text in std::iter::once(secret).chain(lines) {
                let any_case = text.chars().count() >= SHORTEST_IN_ANY_CASE;
                let in_its_case = |text: String| if any_case { text.to_ascii_lowercase() } else { text };
                needles.extend(spellings(text).into_iter().map(|spelling| (in_its_case(spelling), any_case)));
            }
        }
        needles.retain(|(needle, _)| !needle.is_empty());
        needles.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        let needle = |(text, any_case)| Needle { text: SecretString::from(text), any_case };
        Self { needles: needles.into_iter().map(needle).collect() }
    }

    /// Whether there is anything to keep out.
    pub(crate) fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The text without secrets.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        // ASCII's lower case is as long as the text, so a place in one is the same place in the other.
        let mut lower = text.to_ascii_lowercase();
        for Needle { text: needle, any_case } in &self.needles {
            let haystack = if *any_case { lower.as_str() } else { &*clean };
            if let Some(masked) = masked(&clean, haystack, needle.expose_secret()) {
                lower = masked.to_ascii_lowercase();
                clean = Cow::Owned(masked);
            }
        }
        clean
    }

    /// The value without secrets, in keys too. A number that spells a secret is masked as well.
    pub(crate) fn value(&self, value: Value) -> Value {
        match value {
            _ if self.is_empty() => value,
            Value::String(text) => Value::String(self.text(&text).into_owned()),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(item)).collect()),
            Value::Object(entries) => {
                let entries: Map<String, Value> =
                    entries.into_iter().map(|(key, value)| (self.text(&key).into_owned(), self.value(value))).collect();
                Value::Object(entries)
            }
            Value::Number(number) if self.spells(&number.to_string()) => Value::String(MASK.to_owned()),
            other => other,
        }
    }

    /// The error without secrets.
    pub(crate) fn error(&self, error: StepError) -> StepError {
        StepError { message: self.text(&error.message).into_owned(), ..error }
    }

    fn spells(&self, text: &str) -> bool {
        self.needles.iter().any(|Needle { text: needle, any_case }| {
            let needle = needle.expose_secret();
            if *any_case { needle.eq_ignore_ascii_case(text) } else { needle == text }
        })
    }
}

/// The text with a mask wherever `haystack`, which is as long, has the needle. `None` where it has it nowhere.
fn masked(text: &str, haystack: &str, needle: &str) -> Option<String> {
    let mut clean = String::new();
    let mut end = 0;
    for (place, found) in haystack.match_indices(needle) {
        clean.push_str(text.get(end..place)?);
        clean.push_str(MASK);
        end = place + found.len();
    }
    clean.push_str(text.get(end..)?);
    (end > 0).then_some(clean)
}

/// The secret as it is, and as it stands in JSON, in addresses, in forms and in Base64; where it has characters beyond
/// ASCII, in Latin-1 too, which headers are in by old custom (RFC 9110, section 5.5).
fn spellings(secret: &str) -> Vec<String> {
    let json = Value::from(secret).to_string();
    let mut spellings = vec![secret.to_owned(), json.trim_matches('"').to_owned()];
    spellings.extend(encodings(secret.as_bytes()));
    spellings.extend(within_path(secret));
    if !secret.is_ascii() {
        // What is UTF-8 may be read as Latin-1 on the other side …
        let misread: String = secret.bytes().map(char::from).collect();
        spellings.extend([Value::from(&*misread).to_string().trim_matches('"').to_owned(), misread]);
        // … or come back in Latin-1, which is no UTF-8 and is read with a replacement for each character.
        let latin: Option<Vec<u8>> = secret.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
        if let Some(latin) = latin {
            spellings.push(String::from_utf8_lossy(&latin).into_owned());
            spellings.extend(encodings(&latin));
        }
    }
    spellings
}

/// Bytes as they stand in addresses, in forms and in Base64.
fn encodings(secret: &[u8]) -> Vec<String> {
    let percent = |lower: bool| -> String {
        let encoded = secret.iter().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
            _ if lower => format!("%{byte:02x}"),
            _ => format!("%{byte:02X}"),
        });
        encoded.collect()
    };
    let mut encodings = vec![
        percent(false),
        percent(true),
        url::form_urlencoded::byte_serialize(secret).collect(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ];
    for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        encodings.extend((0..3).filter_map(|before| within_base64(&alphabet, before, secret)));
    }
    encodings
}

/// The secret as it stands in an address's path, where fewer characters are escaped than elsewhere.
fn within_path(secret: &str) -> Option<String> {
    let mut url = url::Url::parse("http://localhost").ok()?;
    url.set_path(&format!("/-{secret}-"));
    Some(url.path().strip_prefix("/-")?.strip_suffix('-')?.to_owned())
}

/// What of a text in Base64 is a secret's alone, where the bytes before it are a multiple of three and `before` more.
/// A character is 6 bits (RFC 4648, section 4), so the first and the last may hold bits of the secret's neighbours.
fn within_base64(alphabet: &GeneralPurpose, before: usize, secret: &[u8]) -> Option<String> {
    let bytes = [&vec![0; before], secret].concat();
    let first = (before * 8).div_ceil(6);
    let end = bytes.len() * 8 / 6;
    let encoded = alphabet.encode(&bytes);
    let own = encoded.get(first..end)?;
    (own.len() >= SHORTEST_IN_BASE64).then(|| own.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]
    use serde_json::json;

    use super::*;

    fn secrets() -> BTreeMap<String, SecretString> {
        let pairs = [("TOKEN", "s3cr\"et/ä"), ("PIN", "48151623"), ("EMPTY", "")];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), SecretString::from(value))).collect()
    }

    fn text(pointer: &str, parts: Vec<SecretPart>) -> SecretText {
        SecretText { pointer: pointer.to_owned(), parts }
    }

    fn filled(input: &mut Value, texts: &[SecretText]) -> Result<Redaction, StepError> {
        let secrets = secrets();
        fill(input, texts, |name| Secrets::get(&secrets, &TenantId::local(), name))
    }

    #[test]
    fn secrets_are_put_where_the_definition_has_them() {
        let mut input = json!({"headers": {"authorization": "Bearer ***", "x/y": "***"}, "url": "https://x.example"});
        let literal = SecretPart::Literal("Bearer ".to_owned());
        let token = SecretPart::Secret("TOKEN".to_owned());
        let texts = [text("/headers/authorization", vec![literal, token.clone()]), text("/headers/x~1y", vec![token])];
        filled(&mut input, &texts).unwrap();
        assert_eq!(input["headers"], json!({"authorization": "Bearer s3cr\"et/ä", "x/y": "s3cr\"et/ä"}));
    }

    #[test]
    fn a_secret_that_is_not_set_is_named_with_where_it_is_read_from() {
        for name in ["NONE", "EMPTY"] {
            let texts = [text("/url", vec![SecretPart::Secret(name.to_owned())])];
            let error = filled(&mut json!({"url": "***"}), &texts).err().unwrap();
            assert_eq!(
                error.message,
                format!("the secret `{name}` is not set; the server reads it from FLOWCTL_SECRET_{name}")
            );
        }
    }

    #[test]
    fn a_secret_is_masked_in_every_spelling() {
        let texts = [
            text("/a", vec![SecretPart::Secret("TOKEN".to_owned())]),
            text("/b", vec![SecretPart::Secret("PIN".to_owned())]),
        ];
        let redaction = filled(&mut json!({"a": "", "b": ""}), &texts).unwrap();
        let cases = [
            ("s3cr\"et/ä", "***"),
            ("{\\\"key\\\": 1} s3cr\\\"et/ä!", "{\\\"key\\\": 1} ***!"),
            ("?q=s3cr%22et%2F%C3%A4&x=1", "?q=***&x=1"),
            ("?q=s3cr%22et%2f%c3%a4", "?q=***"),
            (
                "GET https://x.example/hooks/s3cr%22et/%C3%A4/end answered 404",
                "GET https://x.example/hooks/***/end answered 404",
            ),
            ("czNjciJldC/DpA==", "***"),
            ("czNjciJldC_DpA", "***"),
            ("pins: 48151623,48151623", "pins: ***,***"),
            ("nothing here", "nothing here"),
        ];
        for (text, expected) in cases {
            assert_eq!(redaction.text(text), expected, "{text}");
        }
        let value = json!({"48151623": [48151623, 4815162, true, {"deep": "s3cr\"et/ä"}]});
        assert_eq!(redaction.value(value), json!({"***": ["***", 4815162, true, {"deep": "***"}]}));
    }

    #[test]
    fn a_secret_that_came_back_in_latin_1_was_shown() {
        let redaction = Redaction::of(&[SecretString::from("pässwörd-ß")]);
        let latin: Vec<u8> = "pässwörd-ß".chars().map(|character| character as u8).collect();
        assert_eq!(redaction.text(&String::from_utf8_lossy(&latin)), "***");
        assert_eq!(redaction.text("pÃ¤sswÃ¶rd-Ã\u{9f} and p"), "*** and p");
        assert_eq!(redaction.text("p%E4ssw%F6rd-%DF p%e4ssw%f6rd-%df"), "*** ***");
        assert_eq!(redaction.text(&STANDARD.encode(&latin)), "***");
        // What Latin-1 has no character for has no spelling in it.
        assert_eq!(Redaction::of(&[SecretString::from("пароль-1")]).text("nothing here"), "nothing here");
    }

    #[test]
    fn each_long_line_of_a_secret_is_masked_by_itself() {
        let redaction = Redaction::of(&[SecretString::from("-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\nx\n")]);
        assert_eq!(redaction.text("MIIEowIBAAKCAQEA and x"), "*** and x");
    }

    #[test]
    fn a_secret_within_something_in_base64_is_masked() {
        // The second one's Base64 differs between the alphabets.
        for secret in ["s3cret-token", "~~~???>>>secret", "12345"] {
            let redaction = Redaction::of(&[SecretString::from(secret)]);
            for alphabet in [STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                for (before, after) in
                    [("Bearer ", ""), ("user:", ""), ("", ":x"), ("me:", "\n"), ("a", "bc"), ("ab", "c")]
                {
                    let whole = alphabet.encode(format!("{before}{secret}{after}"));
                    let clean = redaction.text(&whole).into_owned();
                    // Of the secret's Base64 no more is left than a character at each end, shared with its neighbours.
                    let left = clean.replace(MASK, "").trim_end_matches('=').len();
                    let most = (before.len() * 8).div_ceil(6) + (after.len() * 8).div_ceil(6) + 1;
                    assert!(clean.contains(MASK) && left <= most, "{before}{secret}{after}: {whole} became {clean}");
                }
            }
        }
        let redaction = Redaction::of(&[SecretString::from("s3cret-token")]);
        assert_eq!(redaction.text("Basic dXNlcjpzM2NyZXQtdG9rZW4="), "Basic dXNlcjp***4=");
    }

    #[test]
    fn a_short_secret_within_base64_masks_nothing_by_chance() {
        let redaction = Redaction::of(&[SecretString::from("pin")]);
        // All that is its alone after one other byte: 3 characters.
        assert_eq!(STANDARD.encode("xpinx"), "eHBpbng=");
        assert_eq!(redaction.text("eHBpbng= xBpbx"), "eHBpbng= xBpbx");
    }

    #[test]
    fn a_long_secret_in_another_case_is_masked() {
        let redaction = Redaction::of(&["Secret-Töken", "Pin7"].map(SecretString::from));
        assert_eq!(redaction.text("Ä secret-töken, SECRET-TöKEN; pin7 Pin7 İ"), "Ä ***, ***; pin7 *** İ");
    }
}
