//! `trigger.payload`.

use super::kind::Type;
use crate::definition::Trigger;
use crate::source::Spanned;

/// What may come with these triggers.
pub(super) fn of(_triggers: &[Spanned<Trigger>]) -> Type {
    Type::Unknown
}
