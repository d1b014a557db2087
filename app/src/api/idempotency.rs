//! Idempotency keys: the same request again counts once, and a key belongs to one request. The key is what is recorded,
//! once; what the request said is kept beside it as a digest, so that another request under the same key is told apart.

use axum::http::HeaderMap;
use flowctl_core::execution::ExecutionId;
use serde_json::{Map, Value};
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

/// JSON whose members are in order: the same inputs in another order are the same inputs.
pub(super) fn canonical(inputs: &Map<String, Value>) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut members: Vec<(&String, &Value)> = members.iter().collect();
                members.sort_by_key(|(name, _)| *name);
                Value::Object(members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    sorted(&Value::Object(inputs.clone())).to_string()
}
