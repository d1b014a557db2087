//! How far the log is written into a repository, as the store keeps it. Decides nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Entries that are read at once.
pub(super) const PART: u32 = 1_000;

/// How far the log is written into a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Written {
    /// Entries up to this number were looked at.
    pub(super) seq: u64,
    /// The commit that the reference was moved to last.
    pub(super) at: Option<Place>,
    /// A commit that it was perhaps moved to, with the last entry that it holds.
    pub(super) begun: Option<(Place, u64)>,
    /// Where it was found to stand, against what is known.
    pub(super) doubted: Option<Found>,
    /// Since when the reference cannot be moved although nothing is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) busy_since: Option<Timestamp>,
    /// Why GitHub does not take it.
    pub(super) refused: Option<Refused>,
}

impl Written {
    /// Goes on behind what was looked at, where that is worth a write.
    pub(super) fn passes(&mut self, last: u64) -> bool {
        let is_much = last.saturating_sub(self.seq) >= u64::from(PART);
        if is_much {
            self.seq = last;
        }
        is_much
    }
}

/// Where a reference was found to stand; nothing: it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) commit: Option<String>,
}

/// A commit and its tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) commit: String,
    pub(super) tree: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) at: Timestamp,
    pub(super) reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_about_a_repository_was_read_at_the_end_of_each_of_its_executions() {
        let mut written = Written { seq: 5, ..Written::default() };
        assert!(!written.passes(5) && !written.passes(1_004), "few entries are no write");
        assert!(written.passes(1_005));
        assert_eq!(written.seq, 1_005);
    }
}
