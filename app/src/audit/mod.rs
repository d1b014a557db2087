//! The audit log: who decided, commanded, gave their word away, held or overrode what, which definitions ran, and when
//! settings changed. One chain a tenant, written in the transaction of what it records. What an entry says and how the
//! chain is checked stands here; where it is stored is the store's. Nothing here changes an entry.

mod chain;
mod comparison;
mod entry;
mod left;
mod log;
mod reference;
mod settings;

pub use chain::{Broken, Chain, Expected, ExpectedError, FIRST, Head, Sealed, seal};
pub use comparison::{Discrepancy, discrepancies};
pub use entry::{Definitions, NewEntry, RefusedWord, of_pause, of_refusal, of_transition};
pub use left::{COPIES, copy_of};
pub use log::{Verified, entries, verify, verify_expecting};
pub use reference::{Compared, ReferenceError, compare_reference, path_of};
pub use settings::{SERVER_SETTINGS_CHANGED, SETTINGS, SETTINGS_CHANGED, note_server, settings_of, settings_of_id};
