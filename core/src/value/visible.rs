//! Text as people must see it: what somebody else wrote may hold characters that nobody sees, that turn the direction of
//! writing, or that a terminal obeys. Decides which they are; where text is shown is not known here.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character is not seen: control characters, those that reorder text (Unicode Standard Annex 9) and those that
/// take no room (`Default_Ignorable_Code_Point` in the Unicode Character Database). Joiners and variation selectors are no
/// such, since scripts and emoji are spelt with them, nor is the tabulator.
pub fn is_unseen(character: char) -> bool {
    character.is_control() && character != '\t'
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
                | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with what is not seen spelt out as in JSON (`\u202e`), so that it reads as what it is and moves no cursor. Line
/// ends stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let hides = |character: char| is_unseen(character) && character != '\n';
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if hides(character) {
            // Writing into a string does not fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_spelt_out() {
        for (text, expected) in [
            ("plain\n\ttext ✓ 👩‍💻", "plain\n\ttext ✓ 👩‍💻"),
            ("a\u{1b}[2Jb", "a\\u001b[2Jb"),
            ("a\u{9b}2Jb\u{7f}", "a\\u009b2Jb\\u007f"),
            ("\u{202e}gnp.exe", "\\u202egnp.exe"),
            ("pay\u{200b}pal\r\n", "pay\\u200bpal\\u000d\n"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }
}
