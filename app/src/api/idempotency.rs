//! Idempotency keys: the same request again counts once, and a key belongs to one request. The key is what is recorded,
//! once; what the request said is kept beside it as a digest, so that another request under the same key is told apart.

use axum::http::HeaderMap;
use flowctl_core::execution::ExecutionId;
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// The header.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Characters of a key at most.
const MAX_KEY: usize = 200;

/// A word under a key.
pub(super) struct Keyed {
    /// What is recorded, once.
    pub(super) word: String,
    /// What tells its request from others under the same key: the id of the word's source.
    pub(super) fingerprint: String,
}

impl Keyed {
    /// The word that a request says, where it has a key. `about` is what the key belongs to, `said` everything that
    /// the request says.
    pub(super) fn of(headers: &HeaderMap, about: &str, said: &[&str]) -> Result<Option<Self>, Problem> {
        let Some(key) = given_key(headers)? else { return Ok(None) };
        let fingerprint = digest(&[&[key.as_str(), about], said].concat());
        Ok(Some(Self { word: format!("api-{about}:{key}"), fingerprint }))
    }
}

/// The idempotency key of a request, where it has one.
pub(super) fn given_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(given) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let given = given.to_str().ok().map(str::trim).filter(|key| !key.is_empty() && key.len() <= MAX_KEY);
    let wrong = || Problem::field("Idempotency-Key", format!("must have 1 to {MAX_KEY} visible characters"));
    given.map(|key| Some(key.to_owned())).ok_or_else(wrong)
}

/// Another request came with this key before.
pub(super) fn used_otherwise(execution: ExecutionId) -> Problem {
    Problem::new("key-used-otherwise", "Another request with this Idempotency-Key came before.")
        .with_execution(execution)
}

/// One digest of several texts, none of which can be taken for a part of another.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    hex::encode(digest.finalize())
}

/// What may be absent, as a part of a digest: nothing is another part than an empty text.
pub(super) fn optional(part: Option<&str>) -> String {
    part.map_or_else(String::new, |part| format!("={part}"))
}

/// JSON in one form: the same inputs in another order are the same inputs, and a number is the same however it is written
/// (`3`, `3.0`, `3e0`), as in RFC 8785 (JSON Canonicalization Scheme), section 3.2.2.3. Whole numbers that a float cannot
/// tell from their neighbours stay as they were written.
pub(super) fn canonical(inputs: &Map<String, Value>) -> String {
    fn plain(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut members: Vec<(&String, &Value)> = members.iter().collect();
                members.sort_by_key(|(name, _)| *name);
                Value::Object(members.into_iter().map(|(name, value)| (name.clone(), plain(value))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
            Value::Number(number) => whole(number).map_or_else(|| value.clone(), Value::from),
            other => other.clone(),
        }
    }
    plain(&Value::Object(inputs.clone())).to_string()
}

/// The whole number that a float is, where it is one and no other number has the same float.
#[expect(clippy::cast_possible_truncation, reason = "a whole number of less than 2^53")]
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT)?;
    Some(float as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]

    use super::*;

    fn said(inputs: &str) -> String {
        canonical(&serde_json::from_str(inputs).unwrap())
    }

    #[test]
    fn the_same_inputs_have_one_form() {
        let form = said(r#"{"a": [3, {"x": 1000, "y": 0.1}], "b": 0}"#);
        assert_eq!(form, r#"{"a":[3,{"x":1000,"y":0.1}],"b":0}"#);
        for same in
            [r#"{"b": 0.0, "a": [3.0, {"y": 0.10, "x": 1e3}]}"#, r#"{"b": -0.0, "a": [3e0, {"x": 1000.0, "y": 1e-1}]}"#]
        {
            assert_eq!(said(same), form, "{same}");
        }
        for other in
            [r#"{"a": ["3", {"x": 1000, "y": 0.1}], "b": 0}"#, r#"{"a": [3, {"x": 1000, "y": 0.1}], "b": null}"#]
        {
            assert_ne!(said(other), form, "{other}");
        }
        // Another number, though the same float.
        assert_ne!(said(r#"{"n": 9007199254740993}"#), said(r#"{"n": 9007199254740992.0}"#));
        assert_eq!(said(r#"{"n": 18446744073709551615}"#), r#"{"n":18446744073709551615}"#);
    }
}
