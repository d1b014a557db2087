//! What a commit's message says: which entries it adds, and which one is the last of all. Whoever finds the commit later goes on
//! from there, where the log holds that entry.

use crate::audit::Sealed;
use crate::github::client::RepositoryName;

/// What stands before the number and the digest of the last entry.
const LAST: &str = "The last one is ";

/// The message of the commit that adds the entries from this one to that one.
pub(super) fn message(repository: &RepositoryName, first: &Sealed, last: &Sealed) -> String {
    let which = match first.seq == last.seq {
        true => format!("entry {}", first.seq),
        false => format!("entries {} to {}", first.seq, last.seq),
    };
    format!("Audit log of {repository}: {which}\n\n{LAST}{}:{}\n", last.seq, last.hash)
}

/// The number and the digest that a message names. Anybody may have written it: only the log says whether that is an entry.
pub(super) fn last_named(message: &str) -> Option<(u64, &str)> {
    let named = message.lines().filter_map(|line| line.strip_prefix(LAST)).next_back()?;
    let (seq, digest) = named.trim_end().split_once(':')?;
    Some((seq.parse().ok().filter(|seq| *seq > 0)?, digest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    #[test]
    fn a_message_names_the_last_entry_and_is_read_back() {
        let repository = RepositoryName::new("octo-org", "shop").unwrap();
        let entry = |seq: u64| Sealed { seq, line: String::new(), hash: format!("{seq:064}") };
        let written = message(&repository, &entry(12), &entry(14));
        let digest = format!("{:064}", 14);
        assert_eq!(written, format!("Audit log of octo-org/shop: entries 12 to 14\n\nThe last one is 14:{digest}\n"));
        assert_eq!(last_named(&written), Some((14, digest.as_str())));
        for foreign in ["", "Faster", "The last one is 0:00", "The last one is x:00", "The last one is 3"] {
            assert_eq!(last_named(foreign), None, "{foreign}");
        }
    }
}
