//! A page that never grows over GitHub's limits: whole sections are left out rather than cut, so that every table,
//! fence and `<details>` that is opened is closed.

/// Characters of a check run's summary and text, each
/// (<https://docs.github.com/en/rest/checks/runs#create-a-check-run>).
pub const CHECK_TEXT: usize = 65_535;
/// Characters of a comment. GitHub: "Body is too long (maximum is 65536 characters)".
pub const COMMENT: usize = 65_536;

const LEFT_OUT: &str = "_Some details are left out here: the page would be too long for GitHub._";

/// Sections in the order in which they are read; those that are added first are kept first.
#[derive(Debug)]
pub struct Page {
    text: String,
    left: usize,
    whole: bool,
}

impl Page {
    /// An empty page of at most `most` characters. `opening` stands at its very beginning whatever else there is.
    pub fn new(most: usize, opening: String) -> Self {
        let reserved = LEFT_OUT.chars().count() + 2;
        let left = most.saturating_sub(opening.chars().count() + reserved);
        Self { text: opening, left, whole: true }
    }

    /// Adds a section after an empty line, where it fits.
    pub fn section(&mut self, section: &str) {
        if section.is_empty() {
            return;
        }
        let separator = if self.text.is_empty() { "" } else { "\n\n" };
        let needed = section.chars().count() + separator.len();
        if needed > self.left {
            self.whole = false;
            return;
        }
        self.left -= needed;
        self.text.push_str(separator);
        self.text.push_str(section);
    }

    /// The page.
    pub fn finish(mut self) -> String {
        if !self.whole {
            let separator = if self.text.is_empty() { "" } else { "\n\n" };
            self.text.push_str(separator);
            self.text.push_str(LEFT_OUT);
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_never_grows_over_its_limit(sections in prop::collection::vec("[aü\n]{0,80}", 0..12), most in 120_usize..300) {
            let mut page = Page::new(most, "<!-- m -->".to_owned());
            for section in &sections {
                page.section(section);
            }
            let text = page.finish();
            prop_assert!(text.chars().count() <= most);
            prop_assert!(text.starts_with("<!-- m -->"));
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole_and_said() {
        let mut page = Page::new(110, String::new());
        page.section("first");
        page.section(&"x".repeat(90));
        page.section("last");
        assert_eq!(page.finish(), format!("first\n\nlast\n\n{LEFT_OUT}"));
    }
}
