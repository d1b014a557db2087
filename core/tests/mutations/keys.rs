//! What can be wrong with the entries of a mapping whose keys are those of the language.

use flowctl_core::source::{Document, Kind, Node, Span};

/// Renames, deletes, doubles and retypes each entry.
pub fn keys(
    document: &Document,
    mapping: Node<'_>,
    is_required: &dyn Fn(&Document, Node<'_>, &str) -> bool,
    add: &mut dyn FnMut(&str, Span, String, Span),
) {
    let text = document.text();
    let entries: Vec<_> = mapping.entries().collect();
    for (index, (key, value)) in entries.iter().enumerate() {
        let name = key.as_str().unwrap_or_default();
        if name == "<<" || value.span().start < key.span().start {
            continue; // What an alias stands for is written elsewhere.
        }
        let end = Span { start: key.span().end, end: key.span().end };
        add(&format!("misspell the key `{name}`"), end, "x".to_owned(), key.span());
        let whole = key.span().to(value.outer_span());
        let is_one_line = !text[whole.range()].contains('\n');
        let starts_line = text[..key.span().start as usize].rsplit('\n').next().unwrap().trim().is_empty();
        if is_one_line && starts_line {
            let line = text[..key.span().start as usize].rsplit('\n').next().unwrap();
            let again = format!("\n{line}{}", &text[whole.range()]);
            let after = Span { start: whole.end, end: whole.end };
            add(&format!("double the key `{name}`"), after, again, after);
        }
        if is_required(document, mapping, name) {
            let place = mapping.naming_span().to(mapping.span());
            if let Some((next, _)) = entries.get(index + 1) {
                let gone = Span { start: key.span().start, end: next.span().start };
                add(&format!("delete the key `{name}`"), gone, String::new(), place);
            }
        }
        let other = match value.kind() {
            Kind::Scalar if value.as_text().is_some_and(|text| text.contains('\n')) => continue,
            Kind::Scalar if matches!(name, "description" | "default" | "output_schema" | "schema") => continue,
            Kind::Scalar => "{strange: [1]}",
            _ if name == "depends_on" || name == "enum" => "{strange: 1}",
            _ => "7",
        };
        if is_one_line {
            add(&format!("retype `{name}`"), value.outer_span(), other.to_owned(), whole);
        }
    }
}
