//! Words for people: what a value is, which words are allowed, which one somebody may have meant.

use std::collections::BTreeSet;

use super::node::Node;
use super::scalar::Resolved;

/// Longest text that a message repeats, in characters.
const QUOTED_LENGTH: usize = 40;

/// A text in backquotes, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED_LENGTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(QUOTED_LENGTH).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// What a value is: "a list", "the number 3", "the text `abc`".
pub(super) fn describe(node: Node<'_>) -> String {
    match node.resolved() {
        Some(Resolved::Null) => "nothing".to_owned(),
        Some(Resolved::Boolean(value)) => value.to_string(),
        Some(Resolved::Integer(number) | Resolved::Float(number)) => format!("the number {number}"),
        Some(Resolved::Text("")) => "an empty text".to_owned(),
        Some(Resolved::Text(text)) => format!("the text {}", quoted(text)),
        None if node.items().is_some() => "a list".to_owned(),
        None => "a mapping".to_owned(),
    }
}

/// `a`, `b` or `c`; long lists are cut.
pub(super) fn alternatives<S: AsRef<str>>(words: &[S], conjunction: &str) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<&str> = words.iter().map(AsRef::as_ref).take(SHOWN).collect();
    if words.len() > SHOWN {
        return format!("{} …", shown.join(", "));
    }
    match shown.pop() {
        None => String::new(),
        Some(last) if shown.is_empty() => last.to_owned(),
        Some(last) => format!("{} {conjunction} {last}", shown.join(", ")),
    }
}

/// Most unknown names that are compared with those that are known, and most that each is compared with: comparing all of a
/// hostile file with all others would take minutes.
pub(crate) const MAX_MISSPELT: usize = 1_000;
/// See [`MAX_MISSPELT`].
pub(crate) const MAX_KNOWN: usize = 5_000;

/// Which of the known words somebody may have meant; none when nothing is near.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written_low = written.to_lowercase().replace('-', "_");
    // Comparing costs the product of both lengths; no word of ours is that long.
    if written.len() > 200 {
        return None;
    }
    let length = written_low.chars().count();
    let allowed = match length {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    let distance = |word: &str| strsim::osa_distance(&written_low, &word.to_lowercase().replace('-', "_"));
    let mut best: Option<(usize, &str)> = None;
    let own = letters(&written_low);
    // What is longer or shorter by more than is allowed is farther away than that, and so is what has other letters.
    let may_be_near = |word: &&str| {
        word.len() <= 200
            && word.chars().count().abs_diff(length) <= allowed
            && own.zip(letters(word)).is_none_or(|(own, other)| (own ^ other).count_ones() as usize <= 2 * allowed)
    };
    for word in known.into_iter().filter(may_be_near) {
        let near = distance(word);
        let same_letters = near < word.chars().count().max(1);
        if near <= allowed && same_letters && best.is_none_or(|(distance, _)| near < distance) {
            best = Some((near, word));
        }
    }
    best.map(|(_, word)| word)
}

/// Which letters an ASCII word has, a bit each, without regard to case. One slip of a hand changes two of them at most: one
/// that goes, and one that comes.
fn letters(word: &str) -> Option<u64> {
    let bit = |letter: u8| 1_u64 << (if letter == b'-' { b'_' } else { letter.to_ascii_lowercase() } & 63);
    word.is_ascii().then(|| word.bytes().fold(0, |letters, letter| letters | bit(letter)))
}

/// Names that were not given because others were given instead: one mistake is one name. It is bounded for as long as it lives.
#[derive(Debug)]
pub(crate) struct Misspelt {
    /// Comparisons that are left.
    left: usize,
}

impl Misspelt {
    pub(crate) const fn new() -> Self {
        Self { left: MAX_MISSPELT * MAX_MISSPELT }
    }

    /// The names not given that somebody seems to have meant by those that are not known.
    pub(crate) fn among<'a>(
        &mut self,
        unknown: impl IntoIterator<Item = &'a str>,
        not_given: &[&'a str],
    ) -> BTreeSet<&'a str> {
        let mut meant = BTreeSet::new();
        for name in unknown {
            let Some(left) = self.left.checked_sub(not_given.len()) else { break };
            self.left = left;
            meant.extend(closest(name, not_given.iter().copied()));
        }
        meant
    }
}

/// Keys of GitHub Actions, and what says the same here.
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>)
const ELSEWHERE: [(&str, &[&str]); 6] = [
    ("needs", &["depends_on"]),
    ("if", &["when"]),
    ("on", &["triggers"]),
    ("jobs", &["steps"]),
    ("with", &["inputs", "arguments", "variables", "values"]),
    ("uses", &["workflow"]),
];

/// Which of the known keys somebody may have meant: one that says the same in GitHub Actions, or the closest.
pub(crate) fn meant_key<'a>(written: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let same = ELSEWHERE.iter().find(|(word, _)| *word == written).map(|(_, same)| *same).unwrap_or_default();
    same.iter().find_map(|same| known.clone().find(|known| known == same)).or_else(|| closest(written, known))
}

/// Names of kinds of values in other languages, and what says the same here or in JSON Schema.
const KINDS: [(&str, &[&str]); 14] = [
    ("text", &["string"]),
    ("str", &["string"]),
    ("int", &["integer"]),
    ("float", &["number"]),
    ("double", &["number"]),
    ("decimal", &["number"]),
    ("bool", &["boolean"]),
    ("datetime", &["date"]),
    ("array", &["list"]),
    ("list", &["array"]),
    ("map", &["object"]),
    ("mapping", &["object"]),
    ("dict", &["object"]),
    ("hash", &["object"]),
];

/// Which of the allowed words somebody may have meant: one that other languages call so, or the closest.
pub(crate) fn meant_word<'a>(written: &str, allowed: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let same = KINDS.iter().find(|(word, _)| *word == written).map(|(_, same)| *same).unwrap_or_default();
    same.iter().find_map(|same| allowed.clone().find(|word| word == same)).or_else(|| closest(written, allowed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_github_actions() {
        let known = ["id", "depends_on", "when", "values"];
        for (written, expected) in [
            ("needs", Some("depends_on")),
            ("if", Some("when")),
            ("with", Some("values")),
            ("uses", None),
            ("wen", Some("when")),
        ] {
            assert_eq!(meant_key(written, known.into_iter()), expected, "{written}");
        }
    }

    #[test]
    fn kinds_of_values_by_their_names_elsewhere() {
        let fields = ["string", "integer", "number", "boolean", "date", "list", "object"];
        for (written, expected) in [
            ("text", Some("string")),
            ("int", Some("integer")),
            ("float", Some("number")),
            ("array", Some("list")),
            ("dict", Some("object")),
            ("strin", Some("string")),
            ("email", None),
        ] {
            assert_eq!(meant_word(written, fields.into_iter()), expected, "{written}");
        }
        assert_eq!(meant_word("list", ["array", "object"].into_iter()), Some("array"));
        assert_eq!(meant_word("text", ["never", "always"].into_iter()), None);
    }

    #[test]
    fn the_closest_word() {
        let known = ["approvers", "timeout", "on_timeout", "id", "when"];
        for (written, expected) in [
            ("approver", Some("approvers")),
            ("tiemout", Some("timeout")),
            ("on-timeout", Some("on_timeout")),
            ("Id", Some("id")),
            ("wen", Some("when")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(written, known), expected, "{written}");
        }
    }

    proptest! {
        #[test]
        fn no_word_is_passed_over_that_is_near_enough(written in "[abAB_-]{0,9}", word in "[abcAB0_-]{0,9}") {
            let low = |word: &str| word.to_lowercase().replace('-', "_");
            let allowed = match written.chars().count() { 0..=2 => 1, 3..=5 => 2, _ => 3 };
            let near = strsim::osa_distance(&low(&written), &low(&word));
            let meant = near <= allowed && near < word.chars().count().max(1);
            prop_assert_eq!(closest(&written, [word.as_str()]), meant.then_some(word.as_str()));
        }
    }

    #[test]
    fn lists_of_words() {
        assert_eq!(alternatives::<&str>(&[], "or"), "");
        assert_eq!(alternatives(&["a"], "or"), "a");
        assert_eq!(alternatives(&["a", "b", "c"], "or"), "a, b or c");
    }
}
