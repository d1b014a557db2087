//! Large values, kept apart from the rows that every transition writes anew: inputs, outputs and payloads above
//! [`LARGE`] are stored once, by the digest of their text, and the rows say where they belong.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Row};

use super::text::storable;
use crate::store::StoreError;
use crate::store::columns::{from_json, json};

/// Bytes of JSON text from which a value is kept apart.
pub(super) const LARGE: usize = 8 * 1024;
/// The keys of what processes bring along, which alone can become large without bound.
const PLACES: [&str; 5] = ["input", "inputs", "output", "outputs", "payload"];

/// A text as a row holds it.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// JSON, with `null` where something large belongs.
    pub(super) text: String,
    /// JSON pointers and digests of what belongs there.
    pub(super) large: Option<String>,
}

/// What is kept apart, by tenant and digest.
pub(super) type Payloads = BTreeMap<(String, String), String>;

/// Makes the text of a value; what is large goes into `payloads`.
pub(super) fn split<T: Serialize>(
    what: &'static str,
    value: &T,
    tenant: &str,
    payloads: &mut Payloads,
) -> Result<Text, StoreError> {
    let text = json(what, value)?;
    if text.len() <= LARGE {
        return Ok(Text { text, large: None });
    }
    let mut value: Value = from_json(what, &text)?;
    let mut places = BTreeMap::new();
    take(what, &mut value, &mut String::new(), &mut |pointer, value| {
        let body = json(what, &value)?;
        let digest = hex::encode(Sha256::digest(&body));
        payloads.insert((tenant.to_owned(), digest.clone()), body);
        places.insert(pointer.to_owned(), digest);
        Ok(())
    })?;
    if places.is_empty() {
        return Ok(Text { text, large: None });
    }
    Ok(Text { text: json(what, &value)?, large: Some(json(what, &places)?) })
}

type Keep<'k> = dyn FnMut(&str, Value) -> Result<(), StoreError> + 'k;

fn take(what: &'static str, value: &mut Value, at: &mut String, keep: &mut Keep<'_>) -> Result<(), StoreError> {
    let length = at.len();
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                at.push('/');
                at.push_str(&key.replace('~', "~0").replace('/', "~1"));
                if PLACES.contains(&key.as_str()) {
                    if is_large(what, value)? {
                        keep(at, value.take())?;
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

const KNOWN: &str = "
    select p.tenant, p.digest from payloads p
    join unnest($1::text[], $2::text[]) as t(tenant, digest) on p.tenant = t.tenant and p.digest = t.digest";
const ADD: &str = "
    insert into payloads (tenant, digest, body)
    select tenant, digest, body from unnest($1::text[], $2::text[], $3::text[]) as t(tenant, digest, body)
    order by tenant, digest
    on conflict do nothing";

/// Stores what is not there yet. An execution's large values come with each of its transitions, so they are asked for
/// before they are sent.
pub(super) async fn add(connection: &mut PgConnection, payloads: &Payloads) -> Result<(), sqlx::Error> {
    if payloads.is_empty() {
        return Ok(());
    }
    let (tenants, digests): (Vec<&str>, Vec<&str>) =
        payloads.keys().map(|(tenant, digest)| (tenant.as_str(), digest.as_str())).unzip();
    let rows = sqlx::query(KNOWN).bind(&tenants).bind(&digests).fetch_all(&mut *connection).await?;
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    for row in rows {
        known.insert((row.try_get("tenant")?, row.try_get("digest")?));
    }
    let (mut tenants, mut digests, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    for ((tenant, digest), body) in payloads.iter().filter(|(key, _)| !known.contains(*key)) {
        tenants.push(tenant.as_str());
        digests.push(digest.as_str());
        bodies.push(body.as_str());
    }
    if !digests.is_empty() {
        sqlx::query(ADD).bind(&tenants).bind(&digests).bind(&bodies).execute(connection).await?;
    }
    Ok(())
}

/// A text read from a row, of this tenant.
pub(super) struct Read {
    pub(super) tenant: String,
    pub(super) text: Text,
}

const BODIES: &str = "
    select p.tenant, p.digest, p.body from payloads p
    join unnest($1::text[], $2::text[]) as t(tenant, digest) on p.tenant = t.tenant and p.digest = t.digest";

/// Makes values of texts again, with what is kept apart in its place.
pub(super) async fn join<T: DeserializeOwned>(
    connection: &mut PgConnection,
    what: &'static str,
    read: Vec<Read>,
) -> Result<Vec<T>, StoreError> {
    let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
    let mut places: Vec<BTreeMap<String, String>> = Vec::with_capacity(read.len());
    for Read { tenant, text } in &read {
        let of_row: BTreeMap<String, String> =
            text.large.as_deref().map(|large| from_json(what, large)).transpose()?.unwrap_or_default();
        wanted.extend(of_row.values().map(|digest| (tenant.clone(), digest.clone())));
        places.push(of_row);
    }
    let bodies = bodies(connection, &wanted).await?;
    let whole = |(Read { tenant, text }, places): (Read, BTreeMap<String, String>)| {
        if places.is_empty() {
            return from_json(what, &text.text);
        }
        let mut value: Value = from_json(what, &text.text)?;
        for (pointer, digest) in places {
            let missing = || StoreError::corrupt(what, format!("its part {pointer} ({digest}) is missing"));
            let body = bodies.get(&(tenant.clone(), digest.clone())).ok_or_else(missing)?;
            *value.pointer_mut(&pointer).ok_or_else(missing)? = from_json(what, body)?;
        }
        serde_json::from_value(value).map_err(|error| StoreError::corrupt(what, error))
    };
    read.into_iter().zip(places).map(whole).collect()
}

async fn bodies(connection: &mut PgConnection, wanted: &BTreeSet<(String, String)>) -> Result<Payloads, StoreError> {
    let mut bodies = Payloads::new();
    if wanted.is_empty() {
        return Ok(bodies);
    }
    let (tenants, digests): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|(tenant, digest)| (tenant.as_str(), digest.as_str())).unzip();
    for row in sqlx::query(BODIES).bind(&tenants).bind(&digests).fetch_all(connection).await? {
        bodies.insert((row.try_get("tenant")?, row.try_get("digest")?), row.try_get("body")?);
    }
    Ok(bodies)
}

/// How a tenant is named in a row.
pub(super) fn tenant_text(tenant: &flowctl_core::execution::TenantId) -> String {
    storable(tenant.as_str()).into_owned()
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
            "trigger": {"payload": [long]},
            "note": long,
        });
        let mut payloads = Payloads::new();
        let text = split("a state", &state, "acme", &mut payloads).unwrap();
        let places: BTreeMap<String, String> = serde_json::from_str(text.large.as_deref().unwrap()).unwrap();
        let pointers: Vec<&str> = places.keys().map(String::as_str).collect();
        assert_eq!(pointers, ["/steps/a~1b/output", "/steps/c/output", "/trigger/payload"]);
        let rest: Value = serde_json::from_str(&text.text).unwrap();
        assert_eq!(rest["steps"]["c"], json!({"output": null}));
        assert_eq!(payloads.len(), 3);
    }
}
