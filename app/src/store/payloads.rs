//! Large values, kept apart from events and snapshots: inputs, outputs, results and payloads above [`LARGE`] are stored
//! once, by the digest of their text, the rows say where they belong, and they stay as long as somebody refers to them.
//! How texts are taken apart and put together; where the parts are kept is each database's.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::columns::{from_json, json};
use super::{StoreError, digest};

/// Bytes of JSON text from which a value is kept apart.
pub(in crate::store) const LARGE: usize = 8 * 1024;
/// The keys of what processes bring along, which alone can become large without bound.
const PLACES: [&str; 6] = ["input", "inputs", "output", "outputs", "payload", "result"];

/// A text as a row holds it.
#[derive(Debug, Default)]
pub(in crate::store) struct Text {
    /// JSON, with `null` where something large belongs.
    pub(in crate::store) text: String,
    /// JSON pointers and digests of what belongs there.
    pub(in crate::store) large: Option<String>,
    /// These digests.
    pub(in crate::store) digests: Vec<String>,
}

/// What is kept apart, by tenant and digest.
pub(in crate::store) type Payloads = BTreeMap<(String, String), String>;

/// Makes the text of a value; what is large goes into `payloads`.
pub(in crate::store) fn split<T: Serialize>(
    what: &'static str,
    value: &T,
    tenant: &str,
    payloads: &mut Payloads,
) -> Result<Text, StoreError> {
    split_where(what, value, &mut |digest, body| {
        payloads.insert((tenant.to_owned(), digest.to_owned()), body);
        Ok(true)
    })
}

/// Whether what is large, of this digest and text, is kept apart.
pub(in crate::store) type IsKept<'k> = dyn FnMut(&str, String) -> Result<bool, StoreError> + 'k;

/// The same; what is large and not kept apart stays in the text.
pub(in crate::store) fn split_where<T: Serialize>(
    what: &'static str,
    value: &T,
    is_kept: &mut IsKept<'_>,
) -> Result<Text, StoreError> {
    let text = json(what, value)?;
    if text.len() <= LARGE {
        return Ok(Text { text, ..Text::default() });
    }
    let mut value: Value = from_json(what, &text)?;
    let mut places = BTreeMap::new();
    take(what, &mut value, &mut String::new(), &mut |pointer, value| {
        let body = json(what, value)?;
        let digest = digest(body.as_bytes());
        if is_kept(&digest, body)? {
            *value = Value::Null;
            places.insert(pointer.to_owned(), digest);
        }
        Ok(())
    })?;
    if places.is_empty() {
        return Ok(Text { text, ..Text::default() });
    }
    let large = Some(json(what, &places)?);
    Ok(Text { text: json(what, &value)?, large, digests: places.into_values().collect() })
}

type Keep<'k> = dyn FnMut(&str, &mut Value) -> Result<(), StoreError> + 'k;

fn take(what: &'static str, value: &mut Value, at: &mut String, keep: &mut Keep<'_>) -> Result<(), StoreError> {
    let length = at.len();
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                at.push('/');
                at.push_str(&key.replace('~', "~0").replace('/', "~1"));
                if PLACES.contains(&key.as_str()) {
                    if is_large(what, value)? {
                        keep(at, value)?;
                    }
                } else {
                    take(what, value, at, keep)?;
                }
                at.truncate(length);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter_mut().enumerate() {
                at.push_str(&format!("/{place}"));
                take(what, value, at, keep)?;
                at.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

fn is_large(what: &'static str, value: &Value) -> Result<bool, StoreError> {
    Ok(match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        value => json(what, value)?.len() > LARGE,
    })
}

/// A text read from a row, of this tenant.
pub(in crate::store) struct Read {
    pub(in crate::store) tenant: String,
    pub(in crate::store) text: Text,
}

impl Read {
    /// The tenant and digests of what is kept apart of it.
    fn parts(&self) -> Result<impl Iterator<Item = (String, String)>, StoreError> {
        Ok(places(&self.text)?.into_values().map(|digest| (self.tenant.clone(), digest)))
    }
}

/// What is kept apart of texts that were read: tenants and digests.
pub(in crate::store) fn parts(read: &[Read]) -> Result<BTreeSet<(String, String)>, StoreError> {
    let mut wanted = BTreeSet::new();
    for read in read {
        wanted.extend(read.parts()?);
    }
    Ok(wanted)
}

/// What belongs where.
fn places(text: &Text) -> Result<BTreeMap<String, String>, StoreError> {
    Ok(text.large.as_deref().map(|large| from_json("what is kept apart", large)).transpose()?.unwrap_or_default())
}

/// Makes a value of a text again, with what is kept apart in its place.
pub(in crate::store) fn whole<T: DeserializeOwned>(
    what: &'static str,
    read: &Read,
    payloads: &Payloads,
) -> Result<T, StoreError> {
    let Read { tenant, text } = read;
    let places = places(text)?;
    if places.is_empty() {
        return from_json(what, &text.text);
    }
    let mut value: Value = from_json(what, &text.text)?;
    for (pointer, digest) in places {
        let missing = || StoreError::corrupt(what, format!("its part {pointer} ({digest}) is missing"));
        let body = payloads.get(&(tenant.clone(), digest.clone())).ok_or_else(missing)?;
        *value.pointer_mut(&pointer).ok_or_else(missing)? = from_json(what, body)?;
    }
    serde_json::from_value(value).map_err(|error| StoreError::corrupt(what, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]

    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_processes_bring_along_is_kept_apart() {
        let long = "x".repeat(LARGE);
        let state = json!({
            "steps": {"a/b": {"output": {"text": long, "output": 1}, "input": "short"}, "c": {"output": long}},
            "items": [{"result": "short"}, {"result": long}],
            "trigger": {"payload": [long]},
            "note": long,
        });
        let mut payloads = Payloads::new();
        let text = split("a state", &state, "acme", &mut payloads).unwrap();
        let places: BTreeMap<String, String> = serde_json::from_str(text.large.as_deref().unwrap()).unwrap();
        let pointers: Vec<&str> = places.keys().map(String::as_str).collect();
        assert_eq!(pointers, ["/items/1/result", "/steps/a~1b/output", "/steps/c/output", "/trigger/payload"]);
        let rest: Value = serde_json::from_str(&text.text).unwrap();
        assert_eq!(rest["steps"]["c"], json!({"output": null}));
        assert_eq!(payloads.len(), 3);
    }
}
