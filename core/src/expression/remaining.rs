//! What can be read of a text beside an expression that cannot: one mistake must not hide the others.

use super::{ExpressionError, MAX_TEXT, Template, markup};

/// Most expressions of one text that are left out because they cannot be read.
const MAX_FAULTY: usize = 20;

/// A text without its expressions that cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Remaining {
    /// The others, each where it stands in the whole text; nothing where they cannot be told apart.
    pub(crate) template: Option<Template>,
    /// What else cannot be read, beside the first.
    pub(crate) faults: Vec<ExpressionError>,
}

impl Remaining {
    /// Of a text that cannot be read for this reason. Nothing remains where that is a tag: what it was for is unknown.
    pub(crate) fn of(text: &str, first: &ExpressionError) -> Self {
        let mut remaining = Self::default();
        if text.len() > MAX_TEXT {
            return remaining;
        }
        let mut text = text.to_owned();
        let mut fault = first.clone();
        for _ in 0..MAX_FAULTY {
            let is_around = |piece: &std::ops::Range<usize>| piece.contains(&fault.range.start);
            let piece = markup(&text).into_iter().find(is_around).filter(|piece| text[piece.clone()].starts_with("{{"));
            let Some(mut piece) = piece else { return remaining };
            // Behind a character without meaning the end is where it is written.
            let rest = text.get(fault.range.end..piece.end).unwrap_or_default();
            piece.end = rest.find("}}").map_or(piece.end, |end| fault.range.end + end + 2);
            text.replace_range(piece.clone(), &"x".repeat(piece.len()));
            match Template::parse(&text) {
                Ok(template) => {
                    remaining.template = Some(template);
                    return remaining;
                }
                Err(next) => {
                    remaining.faults.push(next.clone());
                    fault = next;
                }
            }
        }
        remaining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of what cannot be read, and what is read beside it.
    fn told(text: &str) -> (Vec<&str>, Vec<&str>) {
        let first = Template::parse(text).expect_err("a fault");
        let remaining = Remaining::of(text, &first);
        let faults = std::iter::once(&first).chain(&remaining.faults).map(|fault| &text[fault.range.clone()]);
        let read = remaining.template.as_ref().map(Template::references).unwrap_or_default();
        (faults.collect(), read.iter().map(|read| &text[read.range.clone()]).collect())
    }

    #[test]
    fn each_expression_is_read_for_itself() {
        assert_eq!(told("{{ a.b }} ü {{ c | upperr }} {{ d }}"), (vec!["upperr"], vec!["a.b", "d"]));
        assert_eq!(told("{{ a }} {{ b && 1 }} {{ c | upperr }} {{ d }}"), (vec!["&&", "upperr"], vec!["a", "d"]));
        assert_eq!(told("{{ c | upperr }} {{ secrets.A | lower }} {{ d }}"), (vec!["upperr", "secrets.A"], vec!["d"]));
        assert_eq!(told("{{ a | upperr }} {% if b %}{{ c }}{% endif %}"), (vec!["upperr"], vec!["b", "c"]));
        assert_eq!(told("{{ a }} {{ b").1, ["a"]);
    }

    #[test]
    fn nothing_remains_of_tags_that_cannot_be_read() {
        assert_eq!(told("{% if a %}{{ b }}").1, [""; 0]);
        assert_eq!(told("{% iff a %}{{ b }}{% endif %}").1, [""; 0]);
    }
}
