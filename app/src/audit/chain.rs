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

/// An entry that was seen in a chain before, and kept somewhere else: `128:5a0c…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    seq: u64,
    /// The digest, or how it begins.
    digest: String,
}

/// Digits of a digest that are enough to tell it from another one that somebody made.
const ENOUGH_DIGITS: usize = 32;

/// Why something names no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry is named by its number and its digest (at least {ENOUGH_DIGITS} hexadecimal digits), as `128:5a0c…`")]
pub struct ExpectedError;

impl std::str::FromStr for Expected {
    type Err = ExpectedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seq, digest) = text.split_once(':').ok_or(ExpectedError)?;
        let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or(ExpectedError)?;
        let is_digest = (ENOUGH_DIGITS..=FIRST.len()).contains(&digest.len())
            && digest.chars().all(|digit| digit.is_ascii_hexdigit());
        is_digest.then(|| Self { seq, digest: digest.to_ascii_lowercase() }).ok_or(ExpectedError)
    }
}

/// A chain that is checked entry by entry, from the first on.
#[derive(Debug, Clone)]
pub struct Chain {
    tenant: TenantId,
    head: Head,
    expected: Option<Expected>,
}

impl Chain {
    /// The chain of a tenant, before its first entry.
    #[must_use]
    pub fn of(tenant: TenantId) -> Self {
        Self { tenant, head: Head::default(), expected: None }
    }

    /// The same, which must hold this entry.
    #[must_use]
    pub fn expecting(tenant: TenantId, expected: Expected) -> Self {
        Self { expected: Some(expected), ..Self::of(tenant) }
    }

    /// The last entry, where nothing comes after those that were checked.
    ///
    /// # Errors
    /// Where an entry that was expected is not there.
    pub fn end(self) -> Result<Head, Broken> {
        match self.expected.filter(|expected| expected.seq > self.head.seq) {
            None => Ok(self.head),
            Some(Expected { seq, .. }) => {
                let fault = format!("it is missing: the log ends at entry {}", self.head.seq);
                Err(Broken { tenant: self.tenant.0, seq, fault })
            }
        }
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
        if let Some(expected) = self.expected.as_ref().filter(|expected| expected.seq == entry.seq)
            && !digest.starts_with(&expected.digest)
        {
            return Err(broken(format!("its digest is {digest}, and {} was expected", expected.digest)));
        }
        self.head = Head { seq: entry.seq, hash: digest };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
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
    fn a_chain_that_was_cut_or_made_anew_does_not_hold_what_is_known_of_it() {
        let whole = chain(4);
        let third: Expected = format!("3:{}", whole[2].hash).parse().unwrap();
        let held = |entries: &[Sealed]| -> Result<Head, Broken> {
            let mut chain = Chain::expecting(tenant(), third.clone());
            entries.iter().try_for_each(|entry| chain.check(entry))?;
            chain.end()
        };
        assert_eq!(held(&whole).map(|head| head.seq), Ok(4));
        assert_eq!(held(&whole[..3]).map(|head| head.seq), Ok(3));
        let told = |entries: &[Sealed]| held(entries).unwrap_err().to_string();
        assert_eq!(told(&whole[..2]), "entry 3 of octo-org: it is missing: the log ends at entry 2");
        assert_eq!(told(&[]), "entry 3 of octo-org: it is missing: the log ends at entry 0");
        let mut head = Head::default();
        let made_anew: Vec<Sealed> = (0..4)
            .map(|_| {
                let entry = NewEntry {
                    at: Timestamp::UNIX_EPOCH,
                    kind: "approval.decided".to_owned(),
                    actor: None,
                    repository: None,
                    process: None,
                    execution: None,
                    step: None,
                    data: json!({}),
                    once: None,
                };
                let sealed = seal(&tenant(), &head, &entry);
                head = Head { seq: sealed.seq, hash: sealed.hash.clone() };
                sealed
            })
            .collect();
        assert!(told(&made_anew).contains("was expected"), "{}", told(&made_anew));
        for wrong in ["", "3", "3:", "0:5a0c", "3:5a0c", "x:5a0c", &format!("3:{}", "g".repeat(64))] {
            assert_eq!(wrong.parse::<Expected>(), Err(ExpectedError), "{wrong}");
        }
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
