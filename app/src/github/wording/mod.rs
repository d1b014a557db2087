//! Every text that people read on GitHub is made here, and nowhere else. Pure: an execution and a moment go in,
//! Markdown comes out; nothing here asks or tells GitHub anything.

mod check;
mod comment;
pub mod deployment;
mod difference;
mod escape;
mod format;
mod marker;
mod outputs;
mod page;
mod people;
pub mod preview;
mod prompt;
mod reply;
mod state;
mod steps;
pub mod validate;

pub use check::{CheckText, check, moved};
pub use comment::{comment, named_beside, newly_asked, notification, reminder, shown_in, shows_questions};
pub use difference::{MARKDOWN, difference};
pub use marker::{Ask, asks_of, execution_marker, is_marked, replied_to, reply_marker};
pub use people::{Names, Naming, role_in_words};
pub use reply::{Answer, Refused, asked, delegated, done, help, reply, status, taken_back};

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
