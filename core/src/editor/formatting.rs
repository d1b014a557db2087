//! A file in its one form, as the few changes that lead there: what stays as it is keeps cursors and marks.

use similar::{DiffTag, TextDiff};

use crate::definition::repository::File;
use crate::format::{FormatError, format};
use crate::source::Span;

/// The changes that give a file its one form; none where it has it. They do not overlap.
///
/// # Errors
/// Where the file cannot be read or cannot be formatted.
pub fn formatting(file: &File) -> Result<Vec<(Span, String)>, FormatError> {
    let text = file.source.text();
    let formatted = format(file.source.path(), text)?;
    let diff = TextDiff::from_lines(text, formatted.as_str());
    let (old, new) = (starts(diff.iter_old_slices()), starts(diff.iter_new_slices()));
    let changes = diff.ops().iter().filter(|change| change.tag() != DiffTag::Equal);
    let changes = changes.map(|change| {
        let (from, to) = (change.old_range(), change.new_range());
        let text = formatted.get(new[to.start]..new[to.end]).unwrap_or_default();
        (Span::new(old[from.start], old[from.end]), text.to_owned())
    });
    Ok(changes.collect())
}

/// Where each line begins, and where the last one ends.
fn starts<'t>(lines: impl Iterator<Item = &'t str>) -> Vec<usize> {
    let mut starts = vec![0];
    for line in lines {
        starts.push(starts.last().copied().unwrap_or_default() + line.len());
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_changed() {
        let text = "name: a\nversion:   1\nsteps:\n  - {id: x, type: set, values: {y: 1}}\n";
        let file = File::read(".flow/processes/a.yaml", text);
        let changes = formatting(&file).unwrap();
        assert_eq!(changes.len(), 1, "{changes:?}");
        let mut formatted = text.to_owned();
        for (span, new) in changes.iter().rev() {
            formatted.replace_range(span.range(), new);
        }
        assert_eq!(formatted, format(".flow/processes/a.yaml", text).unwrap());
        let again = File::read(".flow/processes/a.yaml", &formatted);
        assert_eq!(formatting(&again).unwrap(), []);
        let broken = File::read(".flow/processes/a.yaml", "name: [\n");
        assert!(matches!(formatting(&broken), Err(FormatError::Faulty(_))));
    }
}
