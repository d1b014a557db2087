//! Query parameters: each read by its name, with every fault at once. A name that is not known is a fault too: a filter
//! with a slip in it would show everything.

use flowctl_core::execution::ExecutionId;
use jiff::Timestamp;

use super::problem::Problem;

/// How many items a page has where nobody says.
pub const LIMIT: u32 = 50;
/// How many items a page has at most.
pub const MAX_LIMIT: u32 = 200;
/// Bytes of a page's items as JSON at which it ends, be they fewer than its limit.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The parameters of one request.
pub struct Query {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    faults: Vec<(String, String)>,
}

impl Query {
    /// Those of a query string.
    pub fn of(query: Option<&str>) -> Self {
        let query = query.unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut this = Self { pairs, known: Vec::new(), faults: Vec::new() };
        // What cannot be decoded would be taken for another text, and that be looked for.
        for pair in query.split('&').filter(|pair| !is_decodable(pair)) {
            let name = pair.split('=').next().unwrap_or_default();
            this.fault(name, "is not percent-encoded UTF-8: write `%` as `%25`");
        }
        this
    }

    /// A text, where it is given and not empty.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut given = self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone());
        let text = given.next();
        if given.next().is_some() {
            self.fault(name, "is given more than once");
        }
        let text = text?;
        if text.chars().count() > 1_000 || text.contains('\0') {
            self.fault(name, "must have at most 1000 characters, and no null character");
            return None;
        }
        Some(text)
    }

    /// A value of some form.
    pub fn value<T>(&mut self, name: &'static str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            self.fault(name, &format!("must be {expected}"));
        }
        value
    }

    /// A moment.
    pub fn moment(&mut self, name: &'static str) -> Option<Timestamp> {
        self.value(name, "a moment as RFC 3339 has it, such as 2026-03-01T09:00:00Z", moment)
    }

    /// An execution's id.
    pub fn execution(&mut self, name: &'static str) -> Option<ExecutionId> {
        self.value(name, "an execution's id", |text| text.parse().ok())
    }

    /// How many items a page is to have.
    pub fn limit(&mut self) -> u32 {
        let read = |text: &str| text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        self.value("limit", &format!("a whole number from 1 to {MAX_LIMIT}"), read).unwrap_or(LIMIT)
    }

    /// Records a fault.
    pub fn fault(&mut self, name: &str, message: &str) {
        self.faults.push((name.to_owned(), message.to_owned()));
    }

    /// Everything that is wrong, where anything is.
    pub fn finish(mut self) -> Result<(), Problem> {
        let unknown: Vec<String> = self
            .pairs
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| !self.known.contains(&name.as_str()))
            .collect();
        for name in unknown {
            let near = self.known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, &name));
            let near = near.filter(|known| strsim::damerau_levenshtein(known, &name) <= 2);
            let message = match near {
                Some(near) => format!("is not known here; did you mean `{near}`?"),
                None if self.known.is_empty() => "is not known here; nothing is".to_owned(),
                None => format!("is not known here; there are: {}", self.known.join(", ")),
            };
            self.fault(&name, &message);
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        let told: Vec<String> = self.faults.iter().map(|(name, fault)| format!("`{name}` {fault}")).collect();
        Err(Problem::fields("wrong-fields", told.join("; "), self.faults))
    }
}

/// A moment in RFC 3339. Its last day lies beyond the last moment that can be computed with, which stands for it then:
/// who writes 9999-12-31 means without an end.
fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
        let has_zone = pieces.offset().is_some() && pieces.time().is_some();
        (has_zone && pieces.date().year() == 9_999).then_some(Timestamp::MAX)
    })
}

/// Whether two hexadecimal digits follow every `%`, and the whole is UTF-8 (RFC 3986, section 2.1).
fn is_decodable(text: &str) -> bool {
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((byte, behind)) = rest.split_first() {
        if *byte != b'%' {
            decoded.push(*byte);
            rest = behind;
            continue;
        }
        let digits = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(byte) = digits.and_then(|two| u8::from_str_radix(two, 16).ok()) else { return false };
        decoded.push(byte);
        rest = &behind[2..];
    }
    std::str::from_utf8(&decoded).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_of_all_was_no_moment() {
        for (text, expected) in [
            ("9999-12-31T23:59:59Z", Some(Timestamp::MAX)),
            ("9999-12-31T23:59:59.999999999Z", Some(Timestamp::MAX)),
            ("9999-12-31T23:59:59-11:00", Some(Timestamp::MAX)),
            ("1970-01-01T00:00:00Z", Some(Timestamp::UNIX_EPOCH)),
            ("9999-12-31", None),
            ("9999-12-31T23:59:59", None),
            ("9999-13-31T23:59:59Z", None),
            ("10000-01-01T00:00:00Z", None),
        ] {
            assert_eq!(moment(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_percent_encoding_was_looked_for_as_something_else() {
        for (query, sound) in [
            ("q=a%20b+c", true),
            ("q=%C3%A4", true),
            ("q=100%25", true),
            ("q=%zz", false),
            ("q=%ff", false),
            ("q=100%", false),
            ("q=%4", false),
            ("%zz=1", false),
        ] {
            let mut read = Query::of(Some(query));
            read.text("q");
            assert_eq!(read.finish().is_ok(), sound, "{query}");
        }
    }
}
