//! A secret in plain text.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::secrets::occurrences;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::definition::repository::{File, FileKind};
use crate::source::{Node, Span};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW501",
    name: "secret-in-plain-text",
    severity: Severity::Error,
    summary: "A secret in plain text",
    reason: r#"
Whoever can read the repository, now or in its history, has it. Revoke it, give a new one to the server
(`FLOWCTL_SECRET_NAME`), and read it as `{{ secrets.NAME }}`.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    headers: {authorization: "Bearer ghp_000000000000000000000000000000000000"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    headers: {authorization: "Bearer {{ secrets.API_TOKEN }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        let mut told: Vec<Range<usize>> = Vec::new();
        for (what, found) in occurrences(file.source.text()) {
            let span = Span::new(found.start, found.end);
            let finding = findings.add(file, span, format!("this looks like {what}"));
            finding.help("revoke it, and read a new one as `{{ secrets.NAME }}`");
            told.push(found);
        }
        // Tests and schemas hold values that are made up.
        if matches!(file.kind, FileKind::Process | FileKind::Settings | FileKind::Tool | FileKind::Agent) {
            let root = file.document.root().map(|root| file.document.node(root));
            root.into_iter().for_each(|root| by_name(file, root, 0, &mut told, findings));
        }
    }
}

/// Values nest; deeper than this nobody writes them.
const MAX_DEPTH: usize = 64;

/// Values of keys that are called as secrets are, where they look as if a machine had made them or as passwords do.
fn by_name(file: &File, node: Node<'_>, depth: usize, told: &mut Vec<Range<usize>>, findings: &mut Findings) {
    if depth > MAX_DEPTH {
        return;
    }
    for (key, value) in node.entries() {
        let name = key.as_str().unwrap_or_default();
        // How a webhook's secret is written is for another rule; a schema describes values and has none.
        if matches!(name, "triggers" | "channels" | "output_schema" | "input_schema" | "expect") {
            continue;
        }
        if is_called_secret(name) && value.as_text().is_some_and(|text| is_secret(name, text)) {
            tell(file, value.span(), name, told, findings);
        }
        by_name(file, value, depth + 1, told, findings);
    }
    let may_name = node.as_str().is_some_and(|text| text.contains('='));
    for (name, range) in node.as_text().filter(|_| may_name).map(named_in).unwrap_or_default() {
        tell(file, file.document.span_within(node.id(), range), &name, told, findings);
    }
    node.items().into_iter().flatten().for_each(|item| by_name(file, item, depth + 1, told, findings));
}

/// Says it once of one place.
fn tell(file: &File, span: Span, name: &str, told: &mut Vec<Range<usize>>, findings: &mut Findings) {
    let range = span.range();
    if !range.is_empty() && !told.iter().any(|other| other.start < range.end && range.start < other.end) {
        told.push(range);
        let finding = findings.add(file, span, format!("this looks like the value of a secret: `{name}`"));
        finding.help("revoke it, and read a new one as `{{ secrets.NAME }}`");
    }
}

/// The secrets of `NAME=VALUE&NAME=VALUE` in an address or the body of a form: their names, and where their values stand.
fn named_in(text: &str) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('=') {
        let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let start = text[..at].trim_end_matches(of_name).len();
        let begins = text[..start].chars().next_back().is_none_or(|before| matches!(before, '?' | '&' | ';' | '\n'));
        let length = text[at + 1..].find(['&', ';', '#', ' ', '\n', '\r', '"', '\'']).unwrap_or(text.len() - at - 1);
        let (name, value) = (&text[start..at], at + 1..at + 1 + length);
        if begins && is_secret(name, &text[value.clone()]) {
            found.push((name.to_owned(), value));
        }
    }
    found
}

/// Whether what a key has is a secret, by its name and how it looks.
fn is_secret(name: &str, text: &str) -> bool {
    is_called_secret(name)
        && (looks_made(text) || holds_password(text) || (is_called_password(name) && is_password(text)))
}

/// Whether a key holds what a person thought of.
fn is_called_password(key: &str) -> bool {
    ["password", "passwd", "passphrase"].iter().any(|end| key.to_ascii_lowercase().ends_with(end))
}

/// Whether a text is more likely a password than a name of one: letters, digits and perhaps signs, and no words that are
/// joined. What stands where a password belongs (`changeme`, `<password>`) is none.
fn is_password(text: &str) -> bool {
    let plain = (6..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
    let place_holder = text.contains(['{', '}', '<', '>', '*']) || text.to_ascii_lowercase().contains("example");
    let joined = text.contains(['_', '-', '.', '/', ':']) && !text.chars().any(|c| "!#$%&?@^~+=".contains(c));
    let has = |of: fn(&char) -> bool| text.chars().any(|c| of(&c));
    plain && !place_holder && !joined && has(char::is_ascii_digit) && has(char::is_ascii_alphabetic)
}

/// Whether a text is a name and a password as a browser sends them: `Basic`, and both in base64. Source: RFC 7617.
fn holds_password(text: &str) -> bool {
    let sent = text.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("basic ")).and_then(|_| text.get(6..));
    let both = sent.and_then(|sent| STANDARD.decode(sent.trim()).ok());
    let both = both.and_then(|both| String::from_utf8(both).ok());
    both.is_some_and(|both| both.split_once(':').is_some_and(|(name, password)| !name.is_empty() && password.len() > 3))
}

fn is_called_secret(key: &str) -> bool {
    const ENDS: [&str; 12] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "access_key",
        "private_key",
        "credentials",
        "authorization",
    ];
    // Most keys end with another letter than any of these.
    let may_be = key.bytes().next_back().is_some_and(|last| b"denstyDENSTY".contains(&last));
    may_be
        && ENDS.iter().any(|end| {
            let at = key.len().checked_sub(end.len());
            at.and_then(|at| key.get(at..)).is_some_and(|last| last.eq_ignore_ascii_case(end))
        })
}

/// Whether a text looks as if a machine had made it: long, without blanks, letters and digits mixed as no word has them.
fn looks_made(text: &str) -> bool {
    let text = ["Bearer ", "Basic ", "token "].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-' | '.' | '!' | '#' | '$' | '%');
    if text.len() < 16 || text.len() > 512 || !text.chars().all(plain) {
        return false;
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(char::is_ascii_alphabetic).count();
    // Words that are joined have few changes between letters and digits.
    let kinds: Vec<bool> = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.is_ascii_digit()).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    digits >= 3 && letters >= 3 && changes >= 4 && bits_a_letter(text) >= 3.0
}

/// Shannon's entropy of the letters.
fn bits_a_letter(text: &str) -> f64 {
    let mut counts = [0_u32; 128];
    text.bytes().filter_map(|byte| counts.get_mut(byte as usize).map(|count| *count += 1)).for_each(drop);
    #[expect(clippy::cast_precision_loss, reason = "at most 512 letters")]
    let total = text.len() as f64;
    let share = |count: &u32| f64::from(*count) / total;
    counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::{is_secret, looks_made, named_in};

    #[test]
    fn passwords_are_told_from_names_and_places_of_them() {
        for (name, text) in [
            ("authorization", "Basic dXNlcjpodW50ZXIyMTIzNDU2"),
            ("password", "Tr0ub4dor&3"),
            ("db_password", "hunter2"),
            ("client_secret", "4f9d8a7b6c5e4d3c2b1a09f8e7d6c5b4"),
        ] {
            assert!(is_secret(name, text), "{name} {text}");
        }
        for (name, text) in [
            ("authorization", "Basic {{ secrets.BASIC }}"),
            ("authorization", "Basic auth"),
            ("password", "{{ secrets.PASSWORD_1 }}"),
            ("password", "changeme"),
            ("password", "<password1>"),
            ("password", "vendor_password_2"),
            ("password", "example123"),
            ("password", "Enter your password 2 times"),
            ("token", "hunter2"),
            ("note", "Tr0ub4dor&3"),
        ] {
            assert!(!is_secret(name, text), "{name} {text}");
        }
    }

    #[test]
    fn secrets_in_addresses_and_forms_are_found_by_their_names() {
        let named = |text: &str| {
            named_in(text).into_iter().map(|(name, at)| format!("{name} {}", &text[at])).collect::<Vec<_>>()
        };
        let hex = "4f9d8a7b6c5e4d3c2b1a09f8e7d6c5b4";
        assert_eq!(named(&format!("https://x.example/?a=1&api_key={hex}#top")), [format!("api_key {hex}")]);
        assert_eq!(
            named(&format!("grant_type=password&password=Tr0ub4dor&client_secret={hex}")),
            ["password Tr0ub4dor".to_owned(), format!("client_secret {hex}")]
        );
        for text in [
            "https://x.example/?token={{ secrets.T }}&page=12",
            "https://x.example/?continuation_token=next",
            "password={{ secrets.P }}",
            "{{ inputs.token == 'a' }}",
            "if token=1 then",
        ] {
            assert_eq!(named(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_a_machine_made_is_told_from_words() {
        for made in ["9f86d081884c7d659a2feaa0c55ad015", "Bearer k3Jf92kLm0QpZx7T", "zaCELgL.0imfnc8mVLWwsAawjYr4Rx"] {
            assert!(looks_made(made), "{made}");
        }
        for words in [
            "release-2026-11-21-final",
            "https://example.com/token",
            "the token of the day",
            "read:packages",
            "vendor_registry_token_2",
            "changeme",
        ] {
            assert!(!looks_made(words), "{words}");
        }
    }
}
