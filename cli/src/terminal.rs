//! Colours and whether a person is there.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

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
