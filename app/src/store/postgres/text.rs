//! Text that PostgreSQL takes. JSON needs none of this: it escapes what is refused here.

use std::borrow::Cow;

/// The text, where every NUL, which no text of PostgreSQL can hold, is the sign for it (U+2400).
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{2400}")) } else { Cow::Borrowed(text) }
}
