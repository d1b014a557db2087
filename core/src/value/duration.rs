//! A length of time as people write it: `90s`, `5m`, `1h30m`, `7d`.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

use super::{ValueError, written_as_text};

/// A length of time in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

/// The units from the largest, each with its milliseconds. A day has 24 hours, a week 7 days.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest: a hundred years. What is meant to be longer is a mistake.
const MAX_MILLIS: u64 = 100 * 366 * 86_400_000;

impl Duration {
    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// In milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// As the standard library has it.
    pub const fn as_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// As `jiff` adds it to a moment.
    pub fn as_signed(self) -> SignedDuration {
        SignedDuration::from_millis(i64::try_from(self.0).unwrap_or(i64::MAX))
    }
}

impl FromStr for Duration {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ValueError::whole("the duration is empty", text).help("write for example `30s`, `5m` or `7d`"));
        }
        if text.contains("{%") {
            let error = ValueError::whole("a duration cannot hold a statement in `{% … %}`", text);
            return Err(error.help("write a duration, or one `{{ … }}` that gives one"));
        }
        read(text).map_err(|error| meant(text).unwrap_or(error))
    }
}

fn read(text: &str) -> Result<Duration, ValueError> {
    let mut millis: u64 = 0;
    let mut at = 0;
    let mut units = UNITS.as_slice();
    while at < text.len() {
        let (part, used) = part(text, at)?;
        let Some(place) = units.iter().position(|(unit, _)| *unit == part.unit) else {
            let message = format!("`{}` comes after a smaller unit or twice", part.unit);
            return Err(ValueError::new(message, at..at + used).help("write the largest unit first, as in `1h30m`"));
        };
        let (_, size) = units[place];
        units = &units[place + 1..];
        let total = part.number.checked_mul(size).and_then(|more| millis.checked_add(more));
        millis = total
            .filter(|total| *total <= MAX_MILLIS)
            .ok_or_else(|| ValueError::whole("the duration is longer than a hundred years", text))?;
        at += used;
    }
    Ok(Duration(millis))
}

/// Words that people write for the units, each in the singular too.
const WORDS: [(&str, &[&str]); 6] = [
    ("w", &["weeks", "wk", "wks"]),
    ("d", &["days"]),
    ("h", &["hours", "hr", "hrs"]),
    ("m", &["minutes", "mins"]),
    ("s", &["seconds", "secs"]),
    ("ms", &["milliseconds", "millis", "msecs"]),
];

/// What somebody means who writes the unit as a word, in capitals or behind a space.
fn meant(text: &str) -> Option<ValueError> {
    let mut rest = text.trim();
    let (mut repaired, mut word) = (String::new(), None);
    while !rest.is_empty() {
        let (digits, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?);
        let behind = behind.trim_start();
        let (written, next) = behind.split_at(behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len()));
        let unit = unit_of(written)?;
        if unit != written {
            word.get_or_insert(written);
        }
        repaired.push_str(digits);
        repaired.push_str(unit);
        rest = next.trim_start();
    }
    // It stands only where it is one, as `1h30m` is and `30m1h` is not.
    read(&repaired).ok()?;
    let message = match word {
        Some(word) => format!("`{word}` is no unit of time"),
        None => "a duration has no spaces".to_owned(),
    };
    Some(ValueError::whole(message, text).help(format!("did you mean `{repaired}`?")))
}

fn unit_of(written: &str) -> Option<&'static str> {
    let lower = written.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| *word == lower || word.strip_suffix('s') == Some(&*lower));
    let short = UNITS.iter().map(|(unit, _)| *unit).find(|unit| *unit == lower);
    short.or_else(|| WORDS.iter().find(|(_, words)| says(words)).map(|(unit, _)| *unit))
}

struct Part<'text> {
    number: u64,
    unit: &'text str,
}

/// One number with its unit, from `at`, and how many bytes it takes.
fn part(text: &str, at: usize) -> Result<(Part<'_>, usize), ValueError> {
    let rest = &text[at..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
    let unit = &rest[digits..digits + letters];
    if digits == 0 {
        let wrong = rest.chars().next().map_or(0, char::len_utf8);
        let message = format!("a number is expected, not `{}`", rest.chars().next().unwrap_or(' '));
        return Err(ValueError::new(message, at..at + wrong).help("write for example `30s`, `5m` or `1h30m`"));
    }
    if unit.is_empty() {
        let error = ValueError::new(format!("`{text}` has a number without a unit"), at..at + digits);
        return Err(error.help("add `ms`, `s`, `m`, `h`, `d` or `w`, as in `30s`"));
    }
    if !UNITS.iter().any(|(known, _)| *known == unit) {
        let range = at + digits..at + digits + letters;
        let error = ValueError::new(format!("`{unit}` is no unit of time"), range);
        return Err(error.help("the units are `ms`, `s`, `m`, `h`, `d` and `w`"));
    }
    let number = rest[..digits].parse().map_err(|_| ValueError::new("the number is too large", at..at + digits))?;
    Ok((Part { number, unit }, digits + letters))
}

impl fmt::Display for Duration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return formatter.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, size) in UNITS {
            // Weeks are read and not written: `10d` is what people say, not `1w3d`.
            if unit == "w" && !rest.is_multiple_of(size) {
                continue;
            }
            if rest >= size {
                write!(formatter, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

written_as_text!(
    Duration,
    "a duration",
    "^([0-9]+(w|d|h|m|s|ms))+$",
    "A length of time: 30s, 5m, 1h30m, 7d; units ms, s, m, h, d, w.",
    "30s",
    "5m",
    "1h30m",
    "7d"
);
