//! Colours and whether a person is there.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

/// When to colour.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// An error's word.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// A warning's word.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Something good.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Something waits.
pub const WAITS: Style = AnsiColor::Yellow.on_default();
/// What to type.
pub const TYPE: Style = AnsiColor::Cyan.on_default();
/// Less important.
pub const DIM: Style = Style::new().dimmed();
/// More important.
pub const BOLD: Style = Style::new().bold();

/// Applies `--color` to everything printed through `anstream`, which knows NO_COLOR, CLICOLOR and dumb terminals.
pub fn set_colour(colour: Colour) {
    match colour {
        Colour::Auto => anstream::ColorChoice::Auto,
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Whether a person can be asked.
pub fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Prints a result and a line break to standard output, coloured as far as it may be.
///
/// # Errors
/// Where nobody reads any more.
pub fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut output = anstream::stdout().lock();
    writeln!(output, "{text}")?;
    output.flush()?;
    Ok(())
}

/// Prints a text as it is.
///
/// # Errors
/// Where nobody reads any more.
pub fn print_exactly(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(())
}

/// Columns that a text may take: those of the terminal, at most 120; 80 where there is none.
pub fn width() -> usize {
    let of_terminal = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    of_terminal.unwrap_or(80).clamp(40, 120)
}

/// A table whose columns fit the terminal; where there is none, each row is one line, for whoever searches or cuts it. The
/// first column holds names and ids, which are never broken: who copies one wants the whole.
pub fn table(header: &[&str]) -> Table {
    let columns = crate::screen::Size::of_terminal().map(|size| size.columns);
    table_within(header, columns)
}

fn table_within(header: &[&str], columns: Option<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    match columns {
        Some(columns) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(columns).unwrap_or(u16::MAX));
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table.set_header(header.to_vec());
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01900000-0000-7000-8000-000000000001";

    fn shown(columns: Option<usize>) -> String {
        let mut table = table_within(&["execution", "process", "created", ""], columns);
        let note = "the answer of https://example.org/a/long/address does not have the expected form at all";
        table.add_row([ID, "octocat/shop:release-of-everything", "2026-03-01 09:00:00Z", note]);
        table.to_string()
    }

    #[test]
    fn ids_were_broken_over_two_lines() {
        for columns in [20, 60, 80, 100, 200] {
            let text = shown(Some(columns));
            assert!(text.lines().any(|line| line.contains(ID)), "{columns}:\n{text}");
        }
    }

    #[test]
    fn a_table_fits_the_terminal_and_wraps_nothing_in_a_pipe() {
        for columns in [80, 100, 200] {
            let text = shown(Some(columns));
            assert!(text.lines().all(|line| line.chars().count() <= columns), "{columns}:\n{text}");
        }
        let text = shown(None);
        assert!(text.lines().any(|line| line.contains(ID) && line.contains("the expected form at all")), "{text}");
    }
}
