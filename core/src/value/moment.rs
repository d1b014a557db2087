//! A moment as authors write it: RFC 3339, or a date alone.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The moment that a text names: `2026-03-01T09:00:00Z` with any offset, or `2026-03-01`, which is that day's beginning in
/// UTC. Nothing where it is neither.
pub fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    // A date alone: jiff would also take one with a time and without an offset, and leave the offset out.
    let date: Date = text.parse().ok().filter(|_| text.len() == "2026-03-01".len())?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_moment_is_a_time_with_an_offset_or_a_date() {
        for (text, expected) in [
            ("2026-03-01T09:00:00Z", Some("2026-03-01T09:00:00Z")),
            ("2026-03-01T09:00:00+02:00", Some("2026-03-01T07:00:00Z")),
            ("2026-03-01", Some("2026-03-01T00:00:00Z")),
            ("2026-03-01T09:00:00", None),
            ("20260301", None),
            ("2026-02-30", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(moment(text).map(|moment| moment.to_string()).as_deref(), expected, "{text}");
        }
    }
}
