//! Who may do what, and whose word counts: the one place that decides it, wherever the word came from (a comment, a
//! review, a button, the API). What is known of people is asked of a directory; nothing here knows how it is asked.

mod account;
mod delegation;
mod directory;
mod hearing;
pub mod resume;
mod word;

pub use delegation::given_until;
pub use directory::{Bearer, Directory, Vouched};
pub use hearing::{Heard, Hearing, HearingError, settled};
pub use word::{About, Word, approval, form};
