//! Markdown to HTML that cannot do harm: raw HTML is shown as text, comments are hidden,
//! and only the few harmless tags that GitHub readers know stay tags.

use minijinja::Value;
use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

/// Tags that stay, without any attribute but `open`.
const HARMLESS: [&str; 25] = [
    "<details>",
    "<details open>",
    "</details>",
    "<summary>",
    "</summary>",
    "<code>",
    "</code>",
    "<strong>",
    "</strong>",
    "<em>",
    "</em>",
    "<br>",
    "<br/>",
    "<br />",
    "<sub>",
    "</sub>",
    "<sup>",
    "</sup>",
    "<kbd>",
    "</kbd>",
    "<b>",
    "</b>",
    "<i>",
    "</i>",
    "<hr>",
];

/// Renders as comments are: a line break in the text is one on the page.
pub(super) fn comment(text: &str) -> Value {
    Value::from_safe_string(render(text, true))
}

/// Renders as a check run's summary is.
pub(super) fn document(text: &str) -> Value {
    Value::from_safe_string(render(text, false))
}

fn render(text: &str, breaks: bool) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM
        | Options::ENABLE_FOOTNOTES;
    // A block of raw HTML comes line by line, so a comment may end in a later event.
    let (mut image, mut in_comment) = (0_usize, false);
    let events = Parser::new_ext(text, options).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Html(tame(&html, &mut in_comment).into()),
        Event::SoftBreak if breaks => Event::HardBreak,
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: harmless_address(link_type, dest_url), title, id })
        }
        // Pictures from elsewhere are not loaded: their words are shown, as a link.
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            image += 1;
            Event::Start(Tag::Link { link_type, dest_url: harmless_address(link_type, dest_url), title, id })
        }
        Event::End(TagEnd::Image) if image > 0 => {
            image -= 1;
            Event::End(TagEnd::Link)
        }
        other => other,
    });
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events);
    // The page's policy forbids inline styles; alignment becomes a class.
    for side in ["right", "center", "left"] {
        out = out.replace(&format!(" style=\"text-align: {side}\""), &format!(" class=\"{side}\""));
    }
    // Wide tables scroll by themselves instead of the page, and can be reached by keyboard for that.
    out.replace("<table>", "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table>")
        .replace("</table>", "</table></div>")
}

fn harmless_address<'a>(kind: LinkType, address: CowStr<'a>) -> CowStr<'a> {
    let lower = address.trim().to_ascii_lowercase();
    let known = ["http://", "https://", "mailto:", "#", "/"].iter().any(|start| lower.starts_with(start));
    let relative = !lower.contains(':');
    if known || relative || matches!(kind, LinkType::Email) { address } else { "#".into() }
}

/// Lets harmless tags through, drops comments, shows the rest as text.
fn tame(html: &str, in_comment: &mut bool) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while !rest.is_empty() {
        if *in_comment {
            let end = rest.find("-->");
            *in_comment = end.is_none();
            rest = end.map_or("", |end| &rest[end + 3..]);
        } else if let Some(comment) = rest.strip_prefix("<!--") {
            *in_comment = true;
            rest = comment;
        } else if let Some(tag) =
            HARMLESS.iter().find(|tag| rest.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)))
        {
            out.push_str(tag);
            rest = &rest[tag.len()..];
        } else {
            let mut characters = rest.chars();
            match characters.next() {
                Some('<') => out.push_str("&lt;"),
                Some('>') => out.push_str("&gt;"),
                Some('&') => out.push_str("&amp;"),
                Some('"') => out.push_str("&quot;"),
                Some(other) => out.push(other),
                None => {}
            }
            rest = characters.as_str();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_harmful_comes_through() {
        let table = [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a <img src=x onerror=alert(1)> b", "<p>a &lt;img src=x onerror=alert(1)&gt; b</p>\n"),
            ("<!-- flowctl:execution:1 -->\nHello", "\n<p>Hello</p>\n"),
            ("<!-- one\ntwo -->\nHello", "\n<p>Hello</p>\n"),
            ("x <!-- hidden --> y", "<p>x  y</p>\n"),
            ("[x](javascript:alert(1))", "<p><a href=\"#\">x</a></p>\n"),
            ("[x](JaVaScRiPt:alert(1))", "<p><a href=\"#\">x</a></p>\n"),
            ("[x](https://a.test/?b)", "<p><a href=\"https://a.test/?b\">x</a></p>\n"),
            ("![alt](https://a.test/x.png)", "<p><a href=\"https://a.test/x.png\">alt</a></p>\n"),
            ("<details open>\n\n**x**\n\n</details>", "<details open>\n<p><strong>x</strong></p>\n</details>"),
            ("<summary>Of <code>a</code></summary>", "<summary>Of <code>a</code></summary>"),
            ("<code class=x>", "&lt;code class=x&gt;"),
            ("<details onclick=x>", "&lt;details onclick=x&gt;"),
            ("one\ntwo", "<p>one<br />\ntwo</p>\n"),
        ];
        for (text, expected) in table {
            assert_eq!(render(text, true), expected, "{text}");
        }
    }

    #[test]
    fn tables_scroll() {
        let out = render("| a |\n|--:|\n| b |\n", false);
        assert!(out.contains("<td class=\"right\">b</td>"), "{out}");
        assert!(out.starts_with("<div class=\"scroll\""), "{out}");
        assert!(out.trim_end().ends_with("</table></div>"), "{out}");
    }
}
