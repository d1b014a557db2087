//! Markdown with values filled in: what a model or a stranger wrote must not fetch anything where it is shown, nor hide where a
//! link leads. The author's own links and images stay, also where a part of their address is filled in.

use std::borrow::Cow;

use crate::value::visible::is_unseen;

/// What becomes of what is filled into a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// It stays as it is.
    AsIs,
    /// The text is Markdown, and what is filled in makes no link with a text of its own and no image. Emphasis, lists,
    /// tables and addresses that are shown as they are stay.
    LeadingNowhere,
}

/// `text`, to be put behind `before`, with a backslash wherever a link, an image or the definition of either could begin or
/// go on (CommonMark 0.31, sections 2.4, 4.7, 6.3 and 6.4). Where `whole` is false only the place where the two meet is
/// looked at: the rest of `text` is the author's.
pub(super) fn leading_nowhere<'t>(before: &str, text: &'t str, whole: bool) -> Cow<'t, str> {
    let mut last = before.chars().rev().find(|character| is_read(*character));
    let mut safe = String::new();
    let mut copied = 0;
    for (at, character) in text.char_indices().filter(|(_, character)| is_read(*character)) {
        if leads(last, character) {
            safe.push_str(&text[copied..at]);
            safe.push('\\');
            copied = at;
        }
        if !whole {
            break;
        }
        last = Some(character);
    }
    if safe.is_empty() {
        return Cow::Borrowed(text);
    }
    safe.push_str(&text[copied..]);
    Cow::Owned(safe)
}

/// What is not seen is left out where Markdown is shown, and would bring together what stands beside it.
fn is_read(character: char) -> bool {
    !is_unseen(character) || character == '\n'
}

/// Whether two characters beside each other can be a part of a link, an image or a definition.
fn leads(first: Option<char>, second: char) -> bool {
    matches!((first, second), (Some(']'), '(' | '[' | ':') | (Some('!'), '['))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]
    use serde_json::json;

    use crate::expression::{Context, Filled, evaluate_json_with};

    fn shown(template: &str, value: &str) -> String {
        let mut context = Context::new();
        context.set("inputs", json!({"x": value, "y": "(https://evil.example/)", "z": "https://evil.example/"}));
        let rendered = evaluate_json_with(&json!(template), &context, Filled::LeadingNowhere).unwrap();
        rendered.value.as_str().unwrap().to_owned()
    }

    #[test]
    fn what_a_model_wrote_fetched_an_image_where_people_decide() {
        for (template, value, expected) in [
            ("See {{ inputs.x }}", "![x](https://evil.example/?q=1)", "See !\\[x]\\(https://evil.example/?q=1)"),
            ("{{ inputs.x }}", "[the diff](https://evil.example)", "[the diff]\\(https://evil.example)"),
            ("{{ inputs.x }}", "[a][b]\n\n[b]: https://evil.example", "[a]\\[b]\n\n[b]\\: https://evil.example"),
            // What is not seen between the two does not help.
            ("{{ inputs.x }}.", "[a]\u{200b}(https://evil.example)", "[a]\u{200b}\\(https://evil.example)."),
            // Nor does it to come in two halves.
            ("{{ inputs.x }}{{ inputs.y }}", "[a]", "[a]\\(https://evil.example/)"),
            ("[a]{{ inputs.y }}", "", "[a]\\(https://evil.example/)"),
            ("{{ inputs.x }}: {{ inputs.z }}", "[docs]", "[docs]\\: https://evil.example/"),
            ("{% for part in ['a', 'b'] %}{{ inputs.x }}{% endfor %}", "[a]", "[a]\\[a]"),
        ] {
            assert_eq!(shown(template, value), expected, "{template}");
        }
    }

    #[test]
    fn what_the_author_wrote_and_other_markdown_stays() {
        for (template, value) in [
            ("[{{ inputs.x }}](https://tracker.example/{{ inputs.x }}) ![logo](https://us.example/l.png)", "42"),
            (
                "{{ inputs.x }}",
                "# Notes\n\n- **one** `a[0]`\n- [ ] two\n\n| a | b |\n|---|---|\nhttps://plain.example/?a=[1]",
            ),
            ("```json\n{{ inputs.x }}\n```", "{\"a\": [[1], [2]], \"b\": []}"),
        ] {
            assert_eq!(shown(template, value), template.replace("{{ inputs.x }}", value));
        }
    }
}
