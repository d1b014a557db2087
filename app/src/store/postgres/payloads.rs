//! Large values, kept apart from events and snapshots: inputs, outputs and payloads above [`LARGE`] are stored once, by
//! the digest of their text, the rows say where they belong, and they stay as long as somebody refers to them.

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
    /// These digests.
    pub(super) digests: Vec<String>,
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
        return Ok(Text { text, ..Text::default() });
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
        return Ok(Text { text, ..Text::default() });
    }
    let large = Some(json(what, &places)?);
    Ok(Text { text: json(what, &value)?, large, digests: places.into_values().collect() })
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

/// What is there is held until the transaction ends, so that nobody forgets it meanwhile.
const KNOWN: &str = "
    select p.tenant, p.digest from payloads p
    join unnest($1::text[], $2::text[]) as t(tenant, digest) on p.tenant = t.tenant and p.digest = t.digest
    order by p.tenant, p.digest for key share of p";
/// What somebody else has stored meanwhile is held too, by writing its key again.
const ADD: &str = "
    insert into payloads (tenant, digest, body)
    select tenant, digest, body from unnest($1::text[], $2::text[], $3::text[]) as t(tenant, digest, body)
    order by tenant, digest
    on conflict (tenant, digest) do update set digest = excluded.digest";
const USE: &str = "
    insert into payload_uses (execution, tenant, digest)
    select execution, tenant, digest from unnest($1::bigint[], $2::text[], $3::text[]) as t(execution, tenant, digest)
    on conflict do nothing";

/// Says which executions, by position, refer to what.
pub(super) async fn refer(connection: &mut PgConnection, uses: &[(i64, &str, &str)]) -> Result<(), sqlx::Error> {
    if uses.is_empty() {
        return Ok(());
    }
    let (mut executions, mut tenants, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for (execution, tenant, digest) in uses {
        executions.push(*execution);
        tenants.push(*tenant);
        digests.push(*digest);
    }
    sqlx::query(USE).bind(executions).bind(tenants).bind(digests).execute(connection).await?;
    Ok(())
}

const UNUSE: &str = "delete from payload_uses where execution = any($1) returning tenant, digest";
const HOLD: &str = "
    select p.tenant, p.digest from payloads p
    join unnest($1::text[], $2::text[]) as t(tenant, digest) on p.tenant = t.tenant and p.digest = t.digest
    order by p.tenant, p.digest for update of p";
const FORGET: &str = "
    delete from payloads p using unnest($1::text[], $2::text[]) as t(tenant, digest)
    where p.tenant = t.tenant and p.digest = t.digest and not exists (
      select 1 from payload_uses uses where uses.tenant = p.tenant and uses.digest = p.digest)";

/// Forgets what only these executions refer to. Whoever is about to refer to something holds it, and is waited for; a
/// statement of its own then sees that it is referred to.
pub(super) async fn forget(connection: &mut PgConnection, executions: &[i64]) -> Result<(), sqlx::Error> {
    let mut digests: BTreeSet<(String, String)> = BTreeSet::new();
    for row in sqlx::query(UNUSE).bind(executions).fetch_all(&mut *connection).await? {
        digests.insert((row.try_get("tenant")?, row.try_get("digest")?));
    }
    if digests.is_empty() {
        return Ok(());
    }
    let (tenants, digests): (Vec<String>, Vec<String>) = digests.into_iter().unzip();
    sqlx::query(HOLD).bind(&tenants).bind(&digests).execute(&mut *connection).await?;
    sqlx::query(FORGET).bind(&tenants).bind(&digests).execute(connection).await?;
    Ok(())
}

/// Stores what is not there yet: the same value may come again and again, so it is asked for before it is sent.
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

/// What is kept apart of the texts that were read.
pub(super) struct Bodies(Payloads);

impl Bodies {
    pub(super) async fn of(connection: &mut PgConnection, read: &[Read]) -> Result<Self, StoreError> {
        let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
        for Read { tenant, text } in read {
            wanted.extend(places(text)?.into_values().map(|digest| (tenant.clone(), digest)));
        }
        Ok(Self(bodies(connection, &wanted).await?))
    }

    /// Makes a value of its text again, with what is kept apart in its place.
    pub(super) fn whole<T: DeserializeOwned>(&self, what: &'static str, read: &Read) -> Result<T, StoreError> {
        let Read { tenant, text } = read;
        let places = places(text)?;
        if places.is_empty() {
            return from_json(what, &text.text);
        }
        let mut value: Value = from_json(what, &text.text)?;
        for (pointer, digest) in places {
            let missing = || StoreError::corrupt(what, format!("its part {pointer} ({digest}) is missing"));
            let body = self.0.get(&(tenant.clone(), digest.clone())).ok_or_else(missing)?;
            *value.pointer_mut(&pointer).ok_or_else(missing)? = from_json(what, body)?;
        }
        serde_json::from_value(value).map_err(|error| StoreError::corrupt(what, error))
    }
}

/// What belongs where.
fn places(text: &Text) -> Result<BTreeMap<String, String>, StoreError> {
    Ok(text.large.as_deref().map(|large| from_json("what is kept apart", large)).transpose()?.unwrap_or_default())
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
