//! The chain: each entry is one line of canonical JSON that names the digest of the line before it. Whoever has the lines can
//! check them with any SHA-256.

use flowctl_core::definition::digest::canonical;
use flowctl_core::execution::TenantId;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::NewEntry;

/// What the first entry of a chain names as the digest before it.
pub const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The last entry of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 where there is none yet.
    pub seq: u64,
    /// Its digest: 64 hexadecimal digits.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: FIRST.to_owned() }
    }
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its number in its chain, from 1.
    pub seq: u64,
    /// The line: canonical JSON, which names its number and the digest of the line before.
    pub line: String,
    /// The SHA-256 of the line: 64 hexadecimal digits.
    pub hash: String,
}

/// Puts an entry behind the last one of its chain.
#[must_use]
pub fn seal(tenant: &TenantId, head: &Head, entry: &NewEntry) -> Sealed {
    let seq = head.seq + 1;
    let line = canonical(&json!({
        "version": 1,
        "tenant": tenant.as_str(),
        "seq": seq,
        "previous": head.hash,
        "at": entry.at.to_string(),
        "type": entry.kind,
        "actor": entry.actor.as_ref().map(|actor| json!({"login": actor.login, "id": actor.id})),
        "repository": entry.repository,
        "process": entry.process,
        "execution": entry.execution.map(|id| id.to_string()),
        "step": entry.step,
        "data": entry.data,
    }));
    let hash = digest(&line);
    Sealed { seq, line, hash }
}

fn digest(line: &str) -> String {
    hex::encode(Sha256::digest(line.as_bytes()))
}

/// The first link of a chain that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} of {tenant}: {fault}")]
pub struct Broken {
    /// Whose chain.
    pub tenant: String,
    /// The entry.
    pub seq: u64,
    /// What is wrong with it.
    pub fault: String,
}

/// A chain that is checked entry by entry, from the first on.
#[derive(Debug, Clone)]
pub struct Chain {
    tenant: TenantId,
    head: Head,
}

impl Chain {
    /// The chain of a tenant, before its first entry.
    #[must_use]
    pub fn of(tenant: TenantId) -> Self {
        Self { tenant, head: Head::default() }
    }

    /// The last entry that was checked.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Checks the next entry.
    ///
    /// # Errors
    /// Where it is not the next one, is not what its digest says, or does not name the digest of the one before.
    pub fn check(&mut self, entry: &Sealed) -> Result<(), Broken> {
        let broken = |fault: String| Broken { tenant: self.tenant.0.clone(), seq: entry.seq, fault };
        let expected = self.head.seq + 1;
        if entry.seq != expected {
            return Err(broken(format!("entry {expected} is missing")));
        }
        let digest = digest(&entry.line);
        if digest != entry.hash {
            return Err(broken(format!(
                "its text was changed: its digest is {digest}, and {} was recorded",
                entry.hash
            )));
        }
        let said: Value =
            serde_json::from_str(&entry.line).map_err(|error| broken(format!("it is no JSON: {error}")))?;
        if said["previous"] != self.head.hash.as_str() {
            return Err(broken(format!(
                "it does not follow on entry {}, whose digest is {}",
                self.head.seq, self.head.hash
            )));
        }
        if said["seq"] != entry.seq || said["tenant"] != self.tenant.as_str() {
            return Err(broken("it belongs to another place".to_owned()));
        }
        self.head = Head { seq: entry.seq, hash: digest };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn tenant() -> TenantId {
        TenantId("octo-org".to_owned())
    }

    fn chain(count: u64) -> Vec<Sealed> {
        let mut head = Head::default();
        let mut entries = Vec::new();
        for number in 0..count {
            let entry = NewEntry {
                at: Timestamp::UNIX_EPOCH,
                kind: "approval.decided".to_owned(),
                actor: None,
                repository: Some("octo-org/shop".to_owned()),
                process: None,
                execution: None,
                step: Some("leads".to_owned()),
                data: json!({"note": format!("number {number}\n\"quoted\"")}),
                once: None,
            };
            let sealed = seal(&tenant(), &head, &entry);
            head = Head { seq: sealed.seq, hash: sealed.hash.clone() };
            entries.push(sealed);
        }
        entries
    }

    fn checked(entries: &[Sealed]) -> Result<Head, Broken> {
        let mut chain = Chain::of(tenant());
        entries.iter().try_for_each(|entry| chain.check(entry))?;
        Ok(chain.head().clone())
    }

    #[test]
    fn a_chain_that_nobody_touched_holds() {
        let entries = chain(3);
        assert_eq!(checked(&entries).map(|head| head.seq), Ok(3));
        assert_eq!(checked(&[]), Ok(Head::default()));
        insta::assert_snapshot!(entries[0].line, @r#"{"actor":null,"at":"1970-01-01T00:00:00Z","data":{"note":"number 0\n\"quoted\""},"execution":null,"previous":"0000000000000000000000000000000000000000000000000000000000000000","process":null,"repository":"octo-org/shop","seq":1,"step":"leads","tenant":"octo-org","type":"approval.decided","version":1}"#);
    }

    #[test]
    fn whatever_is_changed_taken_away_or_moved_is_found_at_the_first_place() {
        let whole = chain(4);
        let reason = |entries: &[Sealed]| match checked(entries) {
            Err(broken) => broken.to_string().split(": ").take(2).collect::<Vec<_>>().join(": "),
            Ok(_) => "nothing".to_owned(),
        };
        let mut changed = whole.clone();
        changed[1].line = changed[1].line.replace("number 1", "number 9");
        assert_eq!(reason(&changed), "entry 2 of octo-org: its text was changed");
        let mut forged = changed.clone();
        forged[1].hash = digest(&forged[1].line);
        assert!(reason(&forged).starts_with("entry 3 of octo-org: it does not follow on entry 2"));
        let mut taken = whole.clone();
        taken.remove(1);
        assert_eq!(reason(&taken), "entry 3 of octo-org: entry 2 is missing");
        let mut swapped = whole.clone();
        swapped.swap(1, 2);
        assert_eq!(reason(&swapped), "entry 3 of octo-org: entry 2 is missing");
    }
}
