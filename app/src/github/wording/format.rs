//! Moments, durations and lists as people read them.

use jiff::Timestamp;

/// A moment to the minute, in UTC: people of one repository live in many time zones.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// How long something took, with at most two units.
pub fn duration(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 if millis == 0 => "0 s".to_owned(),
        0..10 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => units(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => units(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => units(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn units(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed<S: AsRef<str>>(items: &[S], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [before @ .., end] => {
            let before: Vec<&str> = before.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", before.join(", "), end.as_ref())
        }
    }
}

/// The first digits of a commit, as git shortens them.
pub fn short_commit(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        let told: Vec<String> =
            [0, 40, 900, 2_540, 12_400, 60_000, 185_000, 7_440_000, 90_000_000, 864_000_000].map(duration).into();
        assert_eq!(
            told.join(" | "),
            "0 s | 0.0 s | 0.9 s | 2.5 s | 12 s | 1 min | 3 min 5 s | 2 h 4 min | 1 d 1 h | 10 d"
        );
    }

    #[test]
    fn lists_read_like_sentences() {
        let names = ["a", "b", "c"];
        assert_eq!(listed(&names[..1], "or"), "a");
        assert_eq!(listed(&names[..2], "or"), "a or b");
        assert_eq!(listed(&names, "and"), "a, b and c");
    }
}
