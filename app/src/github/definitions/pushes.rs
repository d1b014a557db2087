//! Who brought which commits to default branches, as far as GitHub has told this server. It is kept as it was told first, and
//! for a while only: whom an entry of the audit log names is decided by what lies before and after a push.

use std::sync::{Mutex, PoisonError};

use flowctl_core::approval::Person;
use flowctl_core::execution::TenantId;
use indexmap::IndexMap;

/// Pushes whose people are remembered: they are told of just before the commit is looked at.
const MOST_PUSHES: usize = 1_000;

/// Somebody moved a default branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Where, as `owner/name`.
    pub repository: String,
    /// The commit at which the branch stood before; nothing for a merge, before which it stood at its first parent.
    pub before: Option<String>,
    /// The commit at which it stands since.
    pub after: String,
    /// Who did.
    pub by: Person,
}

/// Where, from which commit on, to which commit.
type Key = (TenantId, String, String, Option<String>);

/// The pushes that this server was told of.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    /// Who it was; nobody where several people are told to have done the same, or where an entry has named them: from then
    /// on the same commits say nothing of who brings them again.
    known: Mutex<IndexMap<Key, Option<Person>>>,
}

impl Pushes {
    /// Somebody is known to have pushed.
    pub(super) fn note(&self, tenant: &TenantId, push: Push) {
        let Push { repository, before, after, by } = push;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let first = known.entry((tenant.clone(), repository, after, before)).or_insert_with(|| Some(by.clone()));
        if first.as_ref().is_some_and(|first| !first.is(&by)) {
            *first = None;
        }
        while known.len() > MOST_PUSHES {
            known.shift_remove_index(0);
        }
    }

    /// The pushes that led to a commit: from which one, by whom.
    pub(super) fn that_led_to(
        &self,
        (tenant, repository): (&TenantId, &str),
        commit: &str,
    ) -> Vec<(Option<String>, Option<Person>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let led =
            known.iter().filter(|((of, name, after, _), _)| of == tenant && name == repository && after == commit);
        led.map(|((.., before), by)| (before.clone(), by.clone())).collect()
    }

    /// An entry tells who brought a commit.
    pub(super) fn told(&self, (tenant, repository): (&TenantId, &str), commit: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for ((of, name, after, _), by) in known.iter_mut() {
            if of == tenant && name == repository && after == commit {
                *by = None;
            }
        }
    }
}
