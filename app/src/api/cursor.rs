//! Cursors: where a page ended, for the next one. Opaque and signed: a cursor is taken as it was given, for the list
//! that it was given with, and not otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::problem::Problem;

/// Bytes of the signature that are kept.
const SIGNATURE: usize = 12;
/// Bytes of a cursor at most.
const MAX_CURSOR: usize = 1_000;

/// Makes and reads cursors.
#[derive(Clone)]
pub struct Cursors {
    key: [u8; 32],
}

impl Cursors {
    /// With this key, which every server of the same database has.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The cursor for the page after `last` of a list; `list` says which, with its filter.
    pub fn after(&self, list: &str, last: &str) -> String {
        let mut bytes = self.signature(list, last);
        bytes.extend_from_slice(last.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Where the page before ended.
    pub fn read(&self, list: &str, cursor: &str) -> Result<String, Problem> {
        let wrong = || Problem::field("cursor", "is not one that this list gave with these filters; begin without it");
        let bytes =
            Some(cursor).filter(|text| text.len() <= MAX_CURSOR).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let bytes = bytes.filter(|bytes| bytes.len() > SIGNATURE).ok_or_else(wrong)?;
        let (signature, last) = bytes.split_at(SIGNATURE);
        let last = std::str::from_utf8(last).map_err(|_| wrong())?;
        self.mac(list, last).verify_truncated_left(signature).map_err(|_| wrong())?;
        Ok(last.to_owned())
    }

    fn signature(&self, list: &str, last: &str) -> Vec<u8> {
        self.mac(list, last).finalize().into_bytes()[..SIGNATURE].to_vec()
    }

    fn mac(&self, list: &str, last: &str) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key");
        for part in ["flowctl cursor 1", list, last] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    #[test]
    fn a_cursor_serves_the_list_that_gave_it_and_no_other() {
        let cursors = Cursors::new([3; 32]);
        let cursor = cursors.after("executions?status=failed", "0190");
        assert_eq!(cursors.read("executions?status=failed", &cursor).unwrap(), "0190");
        for (list, cursor) in [
            ("executions?status=waiting", cursor.as_str()),
            ("approvals", &cursor),
            ("executions?status=failed", &cursor[1..]),
            ("executions?status=failed", ""),
            ("executions?status=failed", "0190"),
            ("executions?status=failed", &"A".repeat(2_000)),
        ] {
            assert_eq!(cursors.read(list, cursor).unwrap_err().status, 422, "{cursor:.40}");
        }
    }
}
