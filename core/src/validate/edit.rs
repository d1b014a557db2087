//! What to take out of a file so that an entry or an item is gone and everything else stays as it was written: a whole
//! line in block style, up to a comma in flow style. Where that cannot be said for certain, nothing is taken out.

use crate::source::{Comment, Node, SourceFile, Span};

/// What to remove so that a key and its value are gone.
pub(super) fn of_entry(file: &SourceFile, mapping: Node<'_>, key: &str) -> Option<Span> {
    let name = mapping.key_node(key)?.outer_span();
    let value = mapping.get(key)?.outer_span();
    let text = file.text();
    let (start, end) = (name.start as usize, (value.end as usize).max(name.end as usize));
    let between = text.get(name.end as usize..value.start.max(name.end) as usize)?;
    // An alias has its value elsewhere, and an anchor or a tag would be left behind.
    if value.start < name.end || between.trim() != ":" || between.contains('\n') || text.get(start..end)?.contains('\n')
    {
        return None;
    }
    match text.get(..start)?.trim_end_matches(' ').chars().next_back() {
        None | Some('\n') => whole_line(text, start, end),
        Some(',') => Some(Span::new(text.get(..start)?.trim_end_matches([' ', '\n']).len() - 1, end)),
        Some('{') => Some(Span::new(start, past_comma(text, end)?)),
        _ => None,
    }
}

/// What to remove so that one of several items of a list is gone.
pub(super) fn of_item(file: &SourceFile, item: Span) -> Option<Span> {
    let text = file.text();
    let (start, end) = (item.start as usize, item.end as usize);
    if text.get(start..end)?.contains('\n') {
        return None;
    }
    let before = text.get(..start)?.trim_end_matches(' ');
    match before.chars().next_back()? {
        '-' => {
            let indent = before.strip_suffix('-')?;
            let line = indent.rfind('\n').map_or(0, |at| at + 1);
            indent.get(line..)?.trim().is_empty().then(|| whole_line(text, line, end)).flatten()
        }
        ',' => Some(Span::new(before.len() - 1, end)),
        '[' => Some(Span::new(start, past_comma(text, end)?)),
        _ => None,
    }
}

/// Where the next thing begins behind a comma that follows.
pub(super) fn past_comma(text: &str, end: usize) -> Option<usize> {
    let after = text.get(end..)?.trim_start_matches(' ').strip_prefix(',')?;
    Some(text.len() - after.trim_start_matches(' ').len())
}

/// The line of what lies from `start` to `end`, with its line break, if nothing but a comment stands beside it.
fn whole_line(text: &str, start: usize, end: usize) -> Option<Span> {
    let line = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(end..)?;
    let length = rest.find('\n').map_or(rest.len(), |at| at + 1);
    rest.get(..length)?.trim().is_empty().then(|| Span::new(line, end + length))
}

/// A whole comment: with its line where it stands alone, else with the blanks before it.
pub(super) fn of_comment(file: &SourceFile, comment: &Comment) -> Span {
    let text = file.text();
    let (start, end) = (comment.span.start as usize, comment.span.end as usize);
    let before = text.get(..start).unwrap_or_default();
    let kept = before.trim_end_matches([' ', '\t']);
    if kept.is_empty() || kept.ends_with('\n') {
        let end = end + usize::from(text.get(end..).is_some_and(|rest| rest.starts_with('\n')));
        return Span::new(kept.len(), end);
    }
    Span::new(kept.len(), end)
}
