//! Which lines of a comment are plain text that a person addresses to somebody, by CommonMark and GitHub's
//! extensions, and which fenced blocks stand beside them. Knows no command.

use std::collections::BTreeMap;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};

/// A line that begins with a slash, in a paragraph of its own right.
#[derive(Debug)]
pub(super) struct Line {
    /// From the slash to the end of the line, without white space there.
    pub(super) range: Range<usize>,
    /// From 1.
    pub(super) number: u32,
}

/// A fenced block outside of quotes and lists.
#[derive(Debug)]
pub(super) struct Fence {
    pub(super) range: Range<usize>,
    /// First word of its info string, in lower case.
    pub(super) language: String,
    pub(super) content: String,
}

/// What is of interest in a comment.
pub(super) struct Document {
    pub(super) lines: Vec<Line>,
    pub(super) fences: Vec<Fence>,
}

/// HTML elements whose content is addressed to nobody: folded, quoted, struck out, code, links, lists, headings, blocks. Not
/// those that the end of a paragraph or others close, and not what is often only meant as a placeholder, such as `<time>`. An
/// element that is never closed reaches to the end of the comment, as on GitHub.
const HTML_ASIDE: &[&str] = &[
    "a",
    "blockquote",
    "code",
    "del",
    "details",
    "div",
    "dl",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "kbd",
    "ol",
    "picture",
    "pre",
    "q",
    "s",
    "samp",
    "strike",
    "summary",
    "table",
    "template",
    "tt",
    "ul",
];

/// Reads a comment.
pub(super) fn document(body: &str) -> Document {
    let mut survey = Survey::default();
    // Footnotes and formulas are GitHub's, too: what stands in them is said to nobody, and may not even be shown.
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH;
    for (event, range) in Parser::new_ext(body, options).into_offset_iter() {
        survey.event(event, range);
    }
    Document { lines: slash_lines(body, &survey.plain), fences: survey.fences }
}

#[derive(Default)]
struct Survey {
    /// How deep the event stands, and whether each level is a top-level paragraph or heading.
    levels: Vec<bool>,
    html: BTreeMap<&'static str, u32>,
    plain: Vec<Range<usize>>,
    fences: Vec<Fence>,
    in_fence: bool,
}

impl Survey {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag, range),
            Event::End(_) => {
                self.levels.pop();
                self.in_fence = false;
            }
            Event::Text(text) if self.in_fence => {
                if let Some(fence) = self.fences.last_mut() {
                    fence.content.push_str(&text);
                }
            }
            Event::Text(_) if self.levels == [true] && self.html.is_empty() => self.plain.push(range),
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        if let Tag::CodeBlock(CodeBlockKind::Fenced(info)) = tag
            && self.levels.is_empty()
            && self.html.is_empty()
        {
            let language = info.split_whitespace().next().unwrap_or_default().to_lowercase();
            self.fences.push(Fence { range, language, content: String::new() });
            self.in_fence = true;
        }
        self.levels.push(matches!(tag, Tag::Paragraph | Tag::Heading { .. }));
    }

    /// Follows the opening and closing tags of [`HTML_ASIDE`].
    fn html(&mut self, html: &str) {
        if html.trim_start().starts_with("<!--") {
            return;
        }
        for tag in html.split('<').skip(1) {
            let (closes, tag) = match tag.strip_prefix('/') {
                Some(tag) => (true, tag),
                None => (false, tag),
            };
            let end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
            let Some(name) = HTML_ASIDE.iter().find(|name| name.eq_ignore_ascii_case(&tag[..end])) else { continue };
            let open = self.html.get(name).copied().unwrap_or(0);
            let open = if closes { open.saturating_sub(1) } else { open + 1 };
            if open == 0 {
                self.html.remove(name);
            } else {
                self.html.insert(name, open);
            }
        }
    }
}

/// The lines that begin (after at most three spaces) with a slash inside of one of the plain ranges.
fn slash_lines(body: &str, plain: &[Range<usize>]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (index, line) in body.split_inclusive('\n').enumerate() {
        let text = line.trim_end();
        let slash = start + (text.len() - text.trim_start_matches(' ').len());
        let end = start + text.len();
        start += line.len();
        if body[slash.min(end)..end].starts_with('/') && plain.iter().any(|range| range.contains(&slash)) {
            lines.push(Line { range: slash..end, number: u32::try_from(index + 1).unwrap_or(u32::MAX) });
        }
    }
    lines
}
