//! A picture on a terminal that is drawn over as things change: never wider or higher than the terminal, so that what is
//! to be written over is exactly what was written. What it shows is for others to say.

use std::io::{IsTerminal, Write};

use anstyle::Reset;
use unicode_width::UnicodeWidthChar;

/// What stands for the rest of a line that was cut.
const CUT: char = '…';

/// What stands on the terminal and is written over by what comes next.
#[derive(Debug, Default)]
pub struct Screen {
    lines: usize,
}

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

impl Size {
    /// That of the terminal that standard output is; nothing where it is none.
    pub fn of_terminal() -> Option<Self> {
        let output = std::io::stdout();
        if !output.is_terminal() {
            return None;
        }
        let found = terminal_size::terminal_size_of(output);
        // One that tells no size is taken for the usual one.
        let size = found.map_or(Self { columns: 80, rows: 24 }, |(width, height)| Self {
            columns: usize::from(width.0),
            rows: usize::from(height.0),
        });
        (size.columns > 0 && size.rows > 0).then_some(size)
    }
}

impl Screen {
    /// Draws a picture over the last one. Each line is cut to the terminal's width, and the last line stays free.
    ///
    /// # Errors
    /// Where nobody reads any more.
    pub fn draw(&mut self, picture: &[String], size: Size) -> std::io::Result<()> {
        let (away, text) = self.frame(picture, size);
        // Not through what takes colours away where there are to be none: it would take this away too.
        let mut output = std::io::stdout().lock();
        output.write_all(away.as_bytes())?;
        output.flush()?;
        drop(output);
        let mut output = anstream::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }

    /// Leaves what stands there, to draw below it.
    pub fn leave(&mut self) {
        self.lines = 0;
    }

    /// What takes the last picture away, and the lines of this one.
    fn frame(&mut self, picture: &[String], size: Size) -> (String, String) {
        let (mut away, mut text) = (String::new(), String::new());
        if self.lines > 0 {
            // Up to where the last one began, and everything below it away (ECMA-48: CPL, ED).
            away = format!("\x1b[{}F\x1b[J", self.lines);
        }
        let shown = picture.len().min(size.rows.saturating_sub(1));
        for line in &picture[..shown] {
            text.push_str(&cut(line, size.columns));
            text.push('\n');
        }
        self.lines = shown;
        (away, text)
    }
}

/// A line's first columns, with an ellipsis where something is left out. Escape sequences take no room, and end with the
/// line.
pub fn cut(line: &str, columns: usize) -> String {
    let (mut kept, mut used, mut is_styled) = (String::new(), 0, false);
    let mut end = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            is_styled = true;
            kept.push(character);
            // A control sequence ends with a letter (ECMA-48, section 5.4).
            for part in characters.by_ref() {
                kept.push(part);
                if part.is_ascii_alphabetic() {
                    break;
                }
            }
            continue;
        }
        let Some(width) = character.width() else { continue };
        // Where the ellipsis would stand, should the line not fit.
        if end.is_none() && used + width > columns.saturating_sub(1) {
            end = Some(kept.len());
        }
        used += width;
        if used > columns {
            kept.truncate(end.unwrap_or(0));
            kept.push(CUT);
            if is_styled {
                kept.push_str(&Reset.render().to_string());
            }
            return kept;
        }
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_wide_as_the_terminal_at_most() {
        for (line, columns, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("abc", 0, "…"),
            ("", 3, ""),
            ("äöüß", 3, "äö…"),
            ("漢字漢", 5, "漢字…"),
            ("漢字", 4, "漢字"),
            ("漢字", 3, "漢…"),
            ("a\u{7}b\tc", 3, "abc"),
            ("\x1b[31mabc\x1b[0m", 3, "\x1b[31mabc\x1b[0m"),
            ("\x1b[31mabcd\x1b[0m", 3, "\x1b[31mab…\x1b[0m"),
        ] {
            assert_eq!(cut(line, columns), expected, "{line:?} in {columns}");
        }
    }

    /// A terminal of this size, as far as it matters here: it wraps, it scrolls, it knows CPL and ED.
    struct Terminal {
        size: Size,
        lines: Vec<String>,
        row: usize,
    }

    impl Terminal {
        fn of(size: Size) -> Self {
            Self { size, lines: vec![String::new(); size.rows], row: 0 }
        }

        fn down(&mut self) {
            self.row += 1;
            if self.row == self.size.rows {
                self.lines.remove(0);
                self.lines.push(String::new());
                self.row -= 1;
            }
        }

        fn write(&mut self, text: &str) {
            let mut rest = text;
            while !rest.is_empty() {
                if let Some(behind) = rest.strip_prefix("\x1b[J") {
                    self.lines[self.row..].iter_mut().for_each(String::clear);
                    rest = behind;
                } else if let Some(behind) = rest.strip_prefix("\x1b[") {
                    let (number, behind) = behind.split_once('F').unwrap_or(("1", ""));
                    self.row = self.row.saturating_sub(number.parse().unwrap_or(1));
                    rest = behind;
                } else if let Some(behind) = rest.strip_prefix('\n') {
                    self.down();
                    rest = behind;
                } else {
                    let character = rest.chars().next().unwrap_or_default();
                    if self.lines[self.row].chars().count() == self.size.columns {
                        self.down();
                    }
                    self.lines[self.row].push(character);
                    rest = &rest[character.len_utf8()..];
                }
            }
        }
    }

    #[test]
    fn a_picture_that_was_wider_and_higher_than_the_terminal_broke_up() {
        let size = Size { columns: 20, rows: 6 };
        let (mut terminal, mut screen) = (Terminal::of(size), Screen::default());
        terminal.write("$ flowctl\n");
        for number in 0..5 {
            let picture: Vec<String> =
                (0..4 + number).map(|line| format!("{number}.{line} {}", "x".repeat(60))).collect();
            let (away, text) = screen.frame(&picture, size);
            terminal.write(&(away + &text));
            let shown: Vec<&str> =
                terminal.lines.iter().map(String::as_str).filter(|line| line.contains('.')).collect();
            assert_eq!(shown.len(), picture.len().min(5), "{shown:?}");
            for (line, text) in shown.iter().enumerate() {
                assert!(text.starts_with(&format!("{number}.{line} x")), "{shown:?}");
                assert_eq!(text.chars().count(), 20, "{text}");
            }
        }
        // Something shorter leaves nothing behind.
        let (away, text) = screen.frame(&["5.0".to_owned()], size);
        terminal.write(&(away + &text));
        assert_eq!(terminal.lines.iter().filter(|line| !line.is_empty()).count(), 1, "{:?}", terminal.lines);
    }
}
