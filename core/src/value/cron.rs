//! A time table and the zone that it is read in.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::{ValueError, written_as_text};
use crate::source::closest;

/// Five fields: minute, hour, day of month, month, day of week.
#[derive(Debug, Clone)]
pub struct Cron {
    text: String,
    pattern: croner::Cron,
}

impl Cron {
    /// The next moment of the time table after this one, in its zone; nothing where there is none.
    pub fn next_after(&self, moment: &Zoned) -> Option<Zoned> {
        self.pattern.find_next_occurrence(moment, false).ok()
    }

    /// The last moment of the time table up to this one, in its zone; nothing where there is none.
    pub fn last_until(&self, moment: &Zoned) -> Option<Zoned> {
        self.pattern.find_previous_occurrence(moment, true).ok()
    }

    /// The time table in English words: "At 09:00, on Monday".
    pub fn in_words(&self) -> String {
        self.pattern.describe()
    }
}

impl Cron {
    /// Whether no year has such a day: one beyond the end of every month that is named. Words and marks that stand for
    /// several days (`*`, `L`, `W`) always find one.
    pub fn never_fires(&self) -> bool {
        let fields: Vec<&str> = self.text.split_whitespace().collect();
        let &[_, _, day, month, "*" | "?"] = fields.as_slice() else { return false };
        let days: Option<Vec<u32>> = day.split(',').map(|part| first_of(part)?.parse().ok()).collect();
        let months: Option<Vec<u32>> = month.split(',').map(last_day_of).collect();
        match (days, months) {
            (Some(days), Some(months)) => days.iter().all(|day| months.iter().all(|last| day > last)),
            _ => false,
        }
    }
}

/// Where a part such as `3`, `3-5` or `3/2` begins.
fn first_of(part: &str) -> Option<&str> {
    part.split(['-', '/']).next()
}

/// The last day of the longest month of a part; nothing where it names none.
fn last_day_of(part: &str) -> Option<u32> {
    const NAMES: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    // A range or a series has a long month in it as soon as it has two months.
    if part.contains(['-', '/']) {
        return None;
    }
    let named = NAMES.iter().position(|name| name.eq_ignore_ascii_case(part)).map(|place| place + 1);
    match named.or_else(|| part.parse().ok())? {
        2 => Some(29),
        4 | 6 | 9 | 11 => Some(30),
        _ => Some(31),
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl FromStr for Cron {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let help = "the five fields are minute, hour, day of month, month, day of week, as in `0 9 * * 1-5`";
        let fields = text.split_whitespace().count();
        if fields != 5 {
            return Err(
                ValueError::whole(format!("a time table has five fields, `{text}` has {fields}"), text).help(help)
            );
        }
        match text.parse() {
            Ok(pattern) => Ok(Self { text: text.to_owned(), pattern }),
            Err(_) => Err(wrong_field(text)
                .unwrap_or_else(|| ValueError::whole(format!("`{text}` is no time table"), text).help(help))),
        }
    }
}

/// The fields in their order, each with what it takes.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of month", "1 to 31, or `L` for the last"),
    ("month", "1 to 12, or `JAN` to `DEC`"),
    ("day of week", "0 to 7 (0 and 7 are Sunday), or `SUN` to `SAT`"),
];

/// The first field that alone, with `*` in the others, is refused.
fn wrong_field(text: &str) -> Option<ValueError> {
    for (place, field) in text.split_whitespace().enumerate() {
        let alone: Vec<&str> = (0..FIELDS.len()).map(|other| if other == place { field } else { "*" }).collect();
        if alone.join(" ").parse::<croner::Cron>().is_ok() {
            continue;
        }
        let (name, takes) = FIELDS.get(place)?;
        // The words are parts of the text, so their distance is the place.
        let start = field.as_ptr() as usize - text.as_ptr() as usize;
        let error = ValueError::new(format!("`{field}` is no {name}"), start..start + field.len());
        return Some(
            error.help(format!("a {name} is {takes}; lists `1,5`, ranges `1-5`, steps `*/5` and `*` are fine")),
        );
    }
    None
}

impl fmt::Display for Cron {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

written_as_text!(
    Cron,
    "a time table",
    "^\\s*\\S+(\\s+\\S+){4}\\s*$",
    "Minute, hour, day of month, month, day of week.",
    "0 9 * * 1-5"
);

/// The time zone that somebody may have meant: a city without its region or in another one, else what is near to it among
/// those that have the same region or the same city.
fn meant(written: &str) -> Option<&'static str> {
    static ZONES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let mut names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        names.sort();
        names
    });
    let (region, city) = region_and_city(written);
    let (mut of_city, mut near): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for name in ZONES.iter() {
        let (its_region, its_city) = region_and_city(name);
        if its_city.eq_ignore_ascii_case(city) {
            of_city.push(name);
        } else if its_region.eq_ignore_ascii_case(region) {
            near.push(name);
        }
    }
    closest(written, of_city.iter().copied()).or_else(|| of_city.first().copied()).or_else(|| closest(written, near))
}

/// `America/Argentina` and `Ushuaia`.
fn region_and_city(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

/// The name of an IANA time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZoneName {
    name: String,
    zone: TimeZone,
}

impl TimeZoneName {
    /// The zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl FromStr for TimeZoneName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let zone = TimeZone::get(text).map_err(|_| {
            let help = match meant(text) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write a name such as `Europe/Berlin` or `UTC`".to_owned(),
            };
            ValueError::whole(format!("`{text}` is no time zone"), text).help(help)
        })?;
        Ok(Self { name: text.to_owned(), zone })
    }
}

impl fmt::Display for TimeZoneName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

written_as_text!(TimeZoneName, "a time zone", "^[A-Za-z0-9_+/-]+$", "An IANA time zone.", "Europe/Berlin", "UTC");
