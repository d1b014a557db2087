//! The definition language as Rust types: processes, steps and the files beside them, as LANGUAGE names them.
//! Types only: what a file means. How text becomes nodes is `source`, what is unsound is `validate`.

pub mod agent;
pub mod approvers;
pub mod decode;
pub mod digest;
pub mod field;
pub mod model;
pub mod policy;
pub mod process;
pub mod prompt;
pub mod repository;
pub mod retry;
pub mod schema;
pub mod settings;
mod slips;
pub mod step;
pub mod templated;
pub mod test;
pub mod tool;
pub mod trigger;
pub mod workflows;

pub use approvers::{Approvers, CodeownersMode, Role};
pub use field::{Field, FieldFormat, FieldType, Fields};
pub use process::{Process, ProcessStatus};
pub use retry::{Backoff, ErrorClass, Retry};
pub(crate) use slips::missing_instead;
pub use step::{Step, StepKind, StepType};
pub use templated::Templated;
pub use trigger::Trigger;

use crate::source::Spanned;

/// A text that may hold `{{ … }}`: the template as written, with its place in the file.
pub type Text = Spanned<String>;
