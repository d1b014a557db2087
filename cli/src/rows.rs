//! Rows under a header, for people and for pipes. On a terminal no word, time or status is ever broken: where the columns
//! do not fit beside each other, each row stands by itself. In a pipe each row is one line, for whoever searches or cuts it.

use std::fmt;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};
use comfy_table::{LineStyle, TableStyle};
use unicode_width::UnicodeWidthStr;

use crate::screen::Size;

/// Blanks between two columns.
const GAP: usize = 2;
/// Between two values of a row that stands by itself.
const DOT: &str = " · ";
/// Before the values of a row that stands by itself.
const INDENT: &str = "  ";
/// A value up to this width is one thing, as a time or a status is, and stays on one line.
const WHOLE: usize = 20;

/// A line below the header, and no other.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// A table.
#[derive(Debug)]
pub struct Rows {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Those of the terminal; nothing in a pipe.
    columns: Option<usize>,
}

/// A table for standard output. The first column holds names and ids: who copies one wants the whole.
pub fn table(header: &[&str]) -> Rows {
    within(header, Size::of_terminal().map(|size| size.columns))
}

fn within(header: &[&str], columns: Option<usize>) -> Rows {
    Rows { header: header.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new(), columns }
}

impl Rows {
    /// Adds a row with a value for each column.
    pub fn add_row<const COLUMNS: usize>(&mut self, values: [String; COLUMNS]) {
        self.rows.push(values.to_vec());
    }

    fn all(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.header).chain(&self.rows)
    }

    /// The width that each column has by a measure of its values.
    fn widths(&self, measure: impl Fn(&str) -> usize) -> Vec<usize> {
        let widest = |column: usize| self.all().map(|row| measure(&row[column])).max().unwrap_or(0);
        (0..self.header.len()).map(widest).collect()
    }

    /// Widths with which the columns fit beside each other and nothing is broken that must not be.
    fn fitting(&self, columns: usize) -> Option<Vec<usize>> {
        let least = self.widths(unbroken);
        let mut widths = self.widths(|value| value.lines().map(UnicodeWidthStr::width).max().unwrap_or(0));
        let room = columns.saturating_sub(GAP * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let places = (0..widths.len()).filter(|&place| widths[place] > least[place]);
            let widest = places.max_by_key(|&place| widths[place])?;
            widths[widest] -= 1;
        }
        Some(widths)
    }

    /// The columns with these widths beside each other.
    fn beside_each_other(&self, widths: &[usize], style: TableStyle) -> Vec<String> {
        let mut table = Table::new();
        table.load_style(style).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(&self.header).add_rows(&self.rows);
        let last = widths.len().saturating_sub(1);
        for (place, (column, width)) in table.column_iter_mut().zip(widths).enumerate() {
            let gap = if place == last { 0 } else { GAP };
            let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
            column
                .set_padding((0, small(gap)))
                .set_constraint(ColumnConstraint::Absolute(Width::Fixed(small(width + gap))));
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The first value on a line, and below it the others with the names of their columns.
    fn by_itself(&self, row: &[String], columns: usize) -> Vec<String> {
        let room = columns.saturating_sub(INDENT.len());
        let named = self.header.iter().zip(row).skip(1).filter(|(_, value)| !value.is_empty());
        let values = named.map(|(name, value)| format!("{name} {}", in_one_line(value)).trim_start().to_owned());
        let mut lines: Vec<String> = Vec::new();
        for value in values {
            match lines.last_mut() {
                Some(line) if line.width() + DOT.width() + value.width() <= room => {
                    line.push_str(DOT);
                    line.push_str(&value);
                }
                _ => lines.extend(wrapped(&value, room)),
            }
        }
        row.first().cloned().into_iter().chain(lines.into_iter().map(|line| format!("{INDENT}{line}"))).collect()
    }

    fn in_a_pipe(&self) -> Vec<String> {
        let whole = |row: &Vec<String>| row.iter().map(|value| in_one_line(value)).collect();
        let rows = Self { header: whole(&self.header), rows: self.rows.iter().map(whole).collect(), columns: None };
        rows.beside_each_other(&rows.widths(UnicodeWidthStr::width), TableStyle::new())
    }

    fn lines(&self) -> Vec<String> {
        let Some(columns) = self.columns else { return self.in_a_pipe() };
        match self.fitting(columns) {
            Some(widths) => self.beside_each_other(&widths, RULED),
            None => self.rows.iter().flat_map(|row| self.by_itself(row, columns)).collect(),
        }
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.lines().join("\n"))
    }
}

/// The width of the widest piece of a value that stays on one line.
fn unbroken(value: &str) -> usize {
    let of_line = |line: &str| match line.width() {
        width if width <= WHOLE => width,
        _ => line.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0),
    };
    value.lines().map(of_line).max().unwrap_or(0)
}

fn in_one_line(value: &str) -> String {
    value.lines().collect::<Vec<_>>().join(" ")
}

/// The lines of a text that breaks between words alone.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut current = String::new();
        for word in line.split(' ') {
            if !current.is_empty() && current.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        lines.push(current);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01900000-0000-7000-8000-000000000001";
    const NOTE: &str = "the answer of https://example.org/a/long/address does not have the expected form at all";

    fn shown(columns: Option<usize>) -> String {
        let mut table = within(&["execution", "process", "status", "created", ""], columns);
        let process = "octocat/shop:release-of-everything";
        table.add_row([ID, process, "✗ failed", "2026-03-01 09:00:00Z", NOTE].map(str::to_owned));
        table.to_string()
    }

    #[test]
    fn words_times_and_ids_were_broken_over_two_lines() {
        for columns in [40, 60, 80, 100, 160, 200] {
            let text = shown(Some(columns));
            let whole = [ID, "✗ failed", "2026-03-01 09:00:00Z", "octocat/shop:release-of-everything", "expected"];
            for whole in whole {
                assert!(text.lines().any(|line| line.contains(whole)), "{columns}, {whole}:\n{text}");
            }
        }
    }

    #[test]
    fn a_table_fits_the_terminal() {
        for columns in [60, 80, 100, 160, 200] {
            let text = shown(Some(columns));
            assert!(text.lines().all(|line| line.width() <= columns), "{columns}:\n{text}");
        }
    }

    #[test]
    fn a_row_that_is_too_wide_stands_by_itself() {
        insta::assert_snapshot!(shown(Some(80)), @r"
        01900000-0000-7000-8000-000000000001
          process octocat/shop:release-of-everything · status ✗ failed
          created 2026-03-01 09:00:00Z
          the answer of https://example.org/a/long/address does not have the expected
          form at all
        ");
    }

    #[test]
    fn what_fits_stands_beside_each_other_and_notes_are_wrapped() {
        let mut table = within(&["step", "status", ""], Some(40));
        table.add_row(["ask", "✓ completed", "approved by @ann, who had a lot to say"].map(str::to_owned));
        table.add_row(["ship", "· pending", ""].map(str::to_owned));
        insta::assert_snapshot!(table, @r"
        step  status
        ────────────────────────────────────────
        ask   ✓ completed  approved by @ann, who
                           had a lot to say
        ship  · pending
        ");
    }

    #[test]
    fn a_row_is_one_line_in_a_pipe() {
        let text = shown(None);
        let [header, row] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(header.starts_with("execution ") && row.starts_with(ID) && row.ends_with(NOTE), "{text}");
        assert!(text.lines().all(|line| line.trim_end() == line && !line.contains('─')), "{text}");
    }
}
