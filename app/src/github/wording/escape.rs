//! Makes other people's text harmless inside our Markdown: it keeps its looks, but can neither end a table or a fence,
//! nor mention anybody, nor pass for one of our markers. Everything that was not written here goes through here.

use flowctl_core::value::visible::is_unseen;

/// Breaks what GitHub would take for a mention, a reference or a tag, and is not seen.
const INVISIBLE: char = '\u{200b}';

/// Characters that mean something in the middle of a line of GitHub's Markdown, math included.
const SPECIAL: &[char] = &['\\', '`', '*', '_', '[', ']', '<', '>', '|', '~', '!', '&', '$', '#'];

/// A text on one line of Markdown, also inside a table's cell.
pub fn inline(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    let line = one_line(text);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let opens_line = safe.is_empty() && matches!(character, '-' | '+' | '=' | ':');
        if opens_line || SPECIAL.contains(&character) {
            safe.push('\\');
        }
        // `1.` and `1)` begin a list where a line begins with them.
        let numbers = safe.chars().all(|c| c.is_ascii_digit()) && !safe.is_empty();
        if numbers && matches!(character, '.' | ')') {
            safe.push('\\');
        }
        safe.push(character);
        if breaks_after(character, characters.peek().copied()) {
            safe.push(INVISIBLE);
        }
    }
    safe
}

/// A text where GitHub shows no Markdown: a check run's title.
pub fn plain(text: &str, most: usize) -> String {
    shorten(&one_line(text), most)
}

/// A text as inline code, also inside a table's cell.
pub fn code(text: &str) -> String {
    let line = one_line(text);
    let ticks = "`".repeat(longest_run(&line, '`') + 1);
    let pad = if line.starts_with('`') || line.ends_with('`') || line.is_empty() { " " } else { "" };
    // A cell ends at a bar even inside code, unless a backslash stands before it (GFM, "Tables").
    format!("{ticks}{pad}{}{pad}{ticks}", line.replace('|', "\\|"))
}

/// A message of the program's own: what stands between two backticks becomes code, all else a line of plain text.
/// The message may quote other people's text anywhere; each part is made harmless by itself.
pub fn message(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // An odd backtick begins no code.
    if parts.len().is_multiple_of(2) {
        return inline(text);
    }
    let shown = parts.iter().enumerate().map(|(index, part)| match index % 2 {
        0 => spaced(part),
        _ if part.trim().is_empty() => String::new(),
        _ => code(part),
    });
    shown.collect()
}

/// Plain text inside a line: the spaces around it stay.
fn spaced(text: &str) -> String {
    let space = |has: bool| if has { " " } else { "" };
    let line = inline(text);
    if line.is_empty() {
        return space(!text.is_empty()).to_owned();
    }
    let (before, after) = (text.starts_with(char::is_whitespace), text.ends_with(char::is_whitespace));
    format!("{}{line}{}", space(before), space(after))
}

/// A text where HTML is read and Markdown is not: in a `<summary>`.
pub fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    let line = one_line(text);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
        if breaks_after(character, characters.peek().copied()) {
            safe.push(INVISIBLE);
        }
    }
    safe
}

/// Words that lead to a page; only the words where the address is none that Markdown can hold as it is.
pub fn link(words: &str, address: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&'*+,;=%".contains(c);
    let is_page = (address.starts_with("https://") || address.starts_with("http://")) && address.chars().all(safe);
    if is_page { format!("[{}]({address})", inline(words)) } else { inline(words) }
}

/// A text in a fence that it cannot end.
pub fn fenced(info: &str, text: &str) -> String {
    let ticks = "`".repeat((longest_run(text, '`') + 1).max(3));
    format!("{ticks}{info}\n{}\n{ticks}", text.trim_end_matches('\n'))
}

/// Markdown of a definition with what its templates filled in: shown as a quotation, so that whatever it opens ends
/// with it.
pub fn quoted(markdown: &str, most: usize) -> String {
    let text = shorten(markdown.trim(), most);
    let lines: Vec<String> = text.lines().map(|line| format!("> {}", disarmed(line)).trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The first `most` characters, with `…` where something is missing.
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// Markdown without mentions, references and tags. What is not seen goes first: left out later, it would bring
/// together what was judged apart.
fn disarmed(line: &str) -> String {
    let mut safe = String::with_capacity(line.len() + 8);
    let mut characters = line.chars().filter(|c| !is_unseen(*c)).peekable();
    while let Some(character) = characters.next() {
        safe.push(character);
        let next = characters.peek().copied();
        let opens_tag =
            character == '<' && next.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        // A character reference (CommonMark, 2.5) is read before anybody looks for mentions.
        let spells_character = character == '&' && next.is_some_and(|c| c == '#' || c.is_ascii_alphabetic());
        if opens_tag || spells_character || breaks_after(character, next) {
            safe.push(INVISIBLE);
        }
    }
    safe
}

fn breaks_after(character: char, next: Option<char>) -> bool {
    match character {
        '@' => next.is_some_and(|c| c.is_alphanumeric()),
        '#' => next.is_some_and(|c| c.is_ascii_digit()),
        _ => false,
    }
}

/// White space as single spaces; nothing that is not seen or turns the direction of writing.
fn one_line(text: &str) -> String {
    let seen: String = text.chars().filter(|c| c.is_whitespace() || !is_unseen(*c)).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut current) = (0, 0);
    for character in text.chars() {
        current = if character == of { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(text: &str) -> String {
        text.replace(INVISIBLE, "·")
    }

    #[test]
    fn a_line_keeps_its_looks_and_loses_its_power() {
        for (text, expected) in [
            ("plain words", "plain words"),
            ("a | b", "a \\| b"),
            ("ends | here |\n| new | row |", "ends \\| here \\| \\| new \\| row \\|"),
            ("```\nfence", "\\`\\`\\` fence"),
            ("ask @alice or @octo-org/leads", "ask @·alice or @·octo-org/leads"),
            ("closes #12 and octo/shop#3", "closes \\#·12 and octo/shop\\#·3"),
            ("<!-- flowctl:execution:1 -->", "\\<\\!-- flowctl:execution:1 --\\>"),
            ("<details>", "\\<details\\>"),
            ("**bold** _x_ ~~y~~ $z$", "\\*\\*bold\\*\\* \\_x\\_ \\~\\~y\\~\\~ \\$z\\$"),
            ("[a](http://b) ![c](d)", "\\[a\\](http://b) \\!\\[c\\](d)"),
            ("- item", "\\- item"),
            ("1. item", "1\\. item"),
            ("12) item", "12\\) item"),
            ("v1.2", "v1.2"),
            ("# head", "\\# head"),
            ("back\\slash", "back\\\\slash"),
            ("AT&T &lt;", "AT\\&T \\&lt;"),
            ("right\u{202e}left", "rightleft"),
        ] {
            assert_eq!(seen(&inline(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn code_and_fences_are_longer_than_what_they_hold() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code("a|b\nc"), "`a\\|b c`");
        assert_eq!(fenced("json", "{}\n"), "```json\n{}\n```");
        assert_eq!(fenced("", "```\n````"), "`````\n```\n````\n`````");
    }

    #[test]
    fn a_message_shows_its_code_as_code() {
        for (text, expected) in [
            ("step `leads` depends on `c`, which", "step `leads` depends on `c`, which"),
            ("`a`", "`a`"),
            ("odd ` tick", "odd \\` tick"),
            ("`@alice` and @alice | `b|c`", "`@alice` and @·alice \\| `b\\|c`"),
            ("`` ``", " "),
        ] {
            assert_eq!(seen(&message(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn what_markdown_opens_ends_with_its_quotation() {
        let markdown = "Ship **it**, @alice:\n```\nnever closed <!-- flowctl:reply:1 -->\n<details>\n1 < 2";
        assert_eq!(
            seen(&quoted(markdown, 1_000)),
            "> Ship **it**, @·alice:\n> ```\n> never closed <·!-- flowctl:reply:1 -->\n> <·details>\n> 1 < 2"
        );
        assert_eq!(quoted("a b c d", 5), "> a b…");
    }

    #[test]
    fn what_is_not_seen_hides_no_mention_tag_or_comment() {
        for (markdown, expected) in [
            ("@\u{200b}carol", "> @·carol"),
            ("@\u{ad}\u{202e}carol", "> @·carol"),
            ("<\u{200b}img src=x>", "> <·img src=x>"),
            ("<\u{200b}!-- hide", "> <·!-- hide"),
            ("<\r!-- hide", "> <·!-- hide"),
            ("#\u{feff}12", "> #·12"),
            ("@&#x63;arol", "> @&·#x63;arol"),
            ("&commat;carol & co", "> &·commat;carol & co"),
        ] {
            assert_eq!(seen(&quoted(markdown, 100)), expected, "{markdown:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_live_is_left_between_unseen_characters(
            text in proptest::collection::vec(
                proptest::sample::select(vec![
                    '@', '<', '#', '!', '-', '/', '?', 'a', 'Z', '1', ' ', '\n', '\r', '\u{200b}', '\u{ad}', '\u{feff}',
                    '\u{202e}', '\u{e0041}',
                ]),
                0..60,
            ),
        ) {
            let text: String = text.into_iter().collect();
            for safe in [inline(&text), quoted(&text, 200)] {
                prop_assert!(safe.chars().all(|c| c == '\n' || c == INVISIBLE || !is_unseen(c)), "{safe:?}");
                let characters: Vec<char> = safe.chars().collect();
                for (place, pair) in characters.windows(2).enumerate() {
                    let escaped = place > 0 && characters[place - 1] == '\\';
                    let live = match pair[0] {
                        '@' => pair[1].is_alphanumeric(),
                        '#' => pair[1].is_ascii_digit(),
                        '<' => !escaped && (pair[1].is_ascii_alphabetic() || matches!(pair[1], '/' | '!' | '?')),
                        _ => false,
                    };
                    prop_assert!(!live, "{safe:?}");
                }
            }
        }

        #[test]
        fn nothing_mentions_forges_or_breaks_out(text in any::<String>()) {
            for safe in [inline(&text), message(&text.replace('`', "")), quoted(&text, 200)] {
                prop_assert!(!safe.contains("<!--"));
                let mut characters = safe.chars().peekable();
                while let Some(character) = characters.next() {
                    let next = characters.peek().copied();
                    prop_assert!(!(character == '@' && next.is_some_and(char::is_alphanumeric)), "{safe:?}");
                }
            }
            prop_assert!(!inline(&text).contains('\n') && !message(&text).contains(['\n', '\r']));
            prop_assert!(quoted(&text, 200).lines().all(|line| line.starts_with('>')));
            let block = fenced("", &text);
            let fence: String = block.chars().take_while(|c| *c == '`').collect();
            prop_assert_eq!(block.matches(fence.as_str()).count(), 2);
            prop_assert!(shorten(&text, 10).chars().count() <= 10);
        }
    }
}
