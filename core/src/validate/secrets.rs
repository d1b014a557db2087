//! How secrets look that say themselves what they are. Finds them in a text; what that means is for others to judge.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::packed::Searcher;
use regex::Regex;

use Mark::{Address, Inside, Word};

/// What is in every secret of a form. Texts are read through once for all marks; only where one is found is it worth
/// while to look closer.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// It begins with this, and no letter or digit stands before it.
    Word(&'static str),
    /// This is somewhere in it.
    Inside(&'static str),
    /// An address with a name and a password in it.
    Address,
}

/// A form of secrets: what they are, the marks of which each has one, and the pattern.
type Form = (&'static str, &'static [Mark], &'static str);

/// Forms of secrets, from the pages of those who issue them.
const FORMS: [Form; 33] = [
    (
        "a GitHub token",
        &[Word("ghp_"), Word("gho_"), Word("ghu_"), Word("ghs_"), Word("ghr_"), Word("github_pat_")],
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    ),
    ("an AWS access key", &[Word("AKIA"), Word("ASIA")], r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a private key", &[Inside("-----BEGIN ")], r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("a Slack token", &[Word("xox")], r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    (
        "a Slack webhook",
        &[Inside("https://hooks.slack.com/")],
        r"https://hooks\.slack\.com/services/T[A-Za-z0-9_]+/B[A-Za-z0-9_]+/[A-Za-z0-9_]{20,}",
    ),
    ("an API key of Anthropic", &[Word("sk-ant-")], r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("an API key of OpenAI", &[Word("sk-")], r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{40,}"),
    ("an API key of Google", &[Word("AIza")], r"\bAIza[A-Za-z0-9_-]{35}\b"),
    ("a Stripe key", &[Word("sk_live_"), Word("rk_live_")], r"\b(?:sk|rk)_live_[A-Za-z0-9]{20,}"),
    (
        "a GitLab token",
        &[Word("glpat-"), Word("gldt-"), Word("glrt-"), Word("glcbt-"), Word("glptt-"), Word("glft-")],
        r"\bgl(?:pat|dt|rt|cbt|ptt|ft)-[A-Za-z0-9_-]{20,}",
    ),
    ("an npm token", &[Word("npm_")], r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a PyPI token", &[Word("pypi-")], r"\bpypi-[A-Za-z0-9_-]{50,}"),
    ("a token of crates.io", &[Word("cio")], r"\bcio[A-Za-z0-9]{32}\b"),
    ("a Docker token", &[Word("dckr_pat_"), Word("dckr_oat_")], r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
    ("a token of Hugging Face", &[Word("hf_")], r"\bhf_[A-Za-z0-9]{34}\b"),
    ("a SendGrid key", &[Word("SG.")], r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b"),
    ("a Twilio key", &[Word(SHORT)], r"\bSK[0-9a-f]{32}\b"),
    ("a DigitalOcean token", &[Word("dop_v1_"), Word("doo_v1_"), Word("dor_v1_")], r"\bdo[por]_v1_[0-9a-f]{64}\b"),
    ("a HashiCorp Vault token", &[Word("hvs."), Word("hvb."), Word("hvr.")], r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    ("a Terraform Cloud token", &[Inside(".atlasv1.")], r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}"),
    ("an Atlassian token", &[Word("ATATT3")], r"\bATATT3[A-Za-z0-9_=-]{100,}"),
    (
        "a Shopify token",
        &[Word("shpat_"), Word("shpca_"), Word("shppa_"), Word("shpss_")],
        r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b",
    ),
    ("a Linear key", &[Word("lin_api_")], r"\blin_api_[A-Za-z0-9]{40}\b"),
    ("a Notion token", &[Word("ntn_")], r"\bntn_[A-Za-z0-9]{40,}"),
    ("a New Relic key", &[Word("NRAK-")], r"\bNRAK-[A-Z0-9]{27}\b"),
    ("a Databricks token", &[Word("dapi")], r"\bdapi[0-9a-f]{32}\b"),
    ("an OAuth token of Google", &[Word("ya29.")], r"\bya29\.[A-Za-z0-9_-]{40,}"),
    ("a key of an Azure account", &[Word("AccountKey=")], r"\bAccountKey=[A-Za-z0-9+/]{86}=="),
    (
        "a Discord webhook",
        &[Inside("/api/webhooks/")],
        r"https://(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]{60,}",
    ),
    ("a Telegram bot's token", &[Inside(":AA")], r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    ("an age key", &[Word("AGE-SECRET-KEY-1")], r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    ("a signed token", &[Word("eyJ")], r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
    ("a password in an address", &[Address], r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@{}"']+:[^\s/:@{}"']+@"#),
];

/// The one mark of two letters. It is looked for beside the others, among which all would take far longer with it.
const SHORT: &str = "SK";

/// Finds all other marks; nothing where the processor has no quick way.
static MARKS: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    let marks = FORMS.iter().flat_map(|(_, marks, _)| *marks).map(|mark| mark.text());
    Searcher::new(marks.filter(|mark| *mark != SHORT))
});

/// Where a mark may stand.
fn places(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut from = 0;
    let others = std::iter::from_fn(move || {
        let place = match &*MARKS {
            Some(marks) => marks.find_in(bytes, (from..bytes.len()).into())?.start(),
            None => (from < bytes.len()).then_some(from)?,
        };
        from = place + 1;
        Some(place)
    });
    others.chain(memchr::memmem::find_iter(bytes, SHORT))
}

impl Mark {
    const fn text(self) -> &'static str {
        match self {
            Word(text) | Inside(text) => text,
            Address => "://",
        }
    }

    /// Whether it is here.
    fn is_at(self, text: &[u8], place: usize) -> bool {
        if !text[place..].starts_with(self.text().as_bytes()) {
            return false;
        }
        match self {
            Word(_) => !place.checked_sub(1).is_some_and(|before| is_of_word(text[before])),
            Inside(_) => true,
            Address => has_password(&text[place + 3..]),
        }
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a name, a colon, a password and an at sign follow.
fn has_password(after: &[u8]) -> bool {
    let part = |bytes: &[u8]| {
        bytes.iter().take_while(|byte| !byte.is_ascii_whitespace() && !b"/:@{}\"'".contains(byte)).count()
    };
    let name = part(after);
    let Some((b':', password)) = after[name..].split_first().map(|(colon, rest)| (*colon, rest)) else { return false };
    name > 0 && password.get(part(password)) == Some(&b'@')
}

/// The pattern of a form, by its place; compiled when it is first asked for.
fn pattern(place: usize) -> &'static Regex {
    static COMPILED: [OnceLock<Regex>; FORMS.len()] = [const { OnceLock::new() }; FORMS.len()];
    COMPILED[place].get_or_init(|| {
        // Boundaries of ASCII words: those of Unicode make the search many times slower where a text has umlauts.
        let text = FORMS[place].2.replace(r"\b", r"(?-u:\b)");
        #[expect(clippy::expect_used, reason = "the patterns are constants; a test compiles every one")]
        Regex::new(&text).expect("a constant pattern compiles")
    })
}

/// The forms that may be in a text, by their places.
fn likely(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let mut likely = 0_u64;
    for place in places(bytes) {
        for (form, (_, marks, _)) in FORMS.iter().enumerate() {
            if likely & (1 << form) == 0 && marks.iter().any(|mark| mark.is_at(bytes, place)) {
                likely |= 1_u64 << form;
            }
        }
    }
    (0..FORMS.len()).filter(move |form| likely & (1 << form) != 0)
}

/// What looks like a secret in a text: its form and its place in bytes.
pub(crate) fn occurrences(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let mut told: Vec<(&'static str, Range<usize>)> = Vec::new();
    for form in likely(text) {
        for found in pattern(form).find_iter(text) {
            // A key of one house may have the form of another's.
            if !told.iter().any(|(_, range)| range.start < found.end() && found.start() < range.end) {
                told.push((FORMS[form].0, found.range()));
            }
        }
    }
    told
}

/// The text with asterisks where something looks like a secret.
pub(crate) fn masked(text: &str) -> String {
    let mut found: Vec<Range<usize>> = occurrences(text).into_iter().map(|(_, range)| range).collect();
    found.sort_by_key(|range| range.start);
    let mut safe = text.to_owned();
    for range in found.into_iter().rev() {
        safe.replace_range(range, "***");
    }
    safe
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;

    /// What every form finds, marks or not.
    fn found_by_all(text: &str) -> Vec<Range<usize>> {
        (0..FORMS.len()).flat_map(|form| pattern(form).find_iter(text).map(|found| found.range())).collect()
    }

    /// A text that a form matches.
    fn secret() -> impl Strategy<Value = String> {
        (0..FORMS.len()).prop_flat_map(|form| string_regex(&FORMS[form].2.replace(r"\b", "")).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// Before and after it stands what may make it something else.
        #[test]
        fn marks_miss_no_secret(before in "[ab_ /:@ü-]{0,3}", secret in secret(), after in "[a0_ \"@/ü]{0,2}") {
            let text = format!("{before}{secret}{after}");
            let told = occurrences(&text);
            for found in found_by_all(&text) {
                let is_told = told.iter().any(|(_, range)| range.start < found.end && found.start < range.end);
                prop_assert!(is_told, "{text}");
            }
        }
    }

    #[test]
    fn every_form_has_a_mark_and_but_one_they_have_three_letters_at_least() {
        let is_long = |mark: &Mark| mark.text() == SHORT || mark.text().len() > 2;
        assert!(FORMS.iter().all(|form| !form.1.is_empty() && form.1.iter().all(is_long)));
    }

    #[test]
    fn a_text_without_marks_is_read_once_and_nothing_is_compiled() {
        let text = "name: task-force\nurl: https://example.com:8080/a@b\ntitle: Ship {{ inputs.version }}\n";
        assert_eq!(likely(text).map(|form| FORMS[form].0).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
