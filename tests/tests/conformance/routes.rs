//! Which routes the sandbox serves, read from its own source, and which of them nobody has asked.

use std::collections::BTreeSet;
use std::path::Path;

use flowctl_tests::conformance::Exchange;

/// Method and pattern of every route in `sandbox/src/rest`.
fn served() -> BTreeSet<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/src/rest");
    let mut served = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for route in text.split(".route(").skip(1) {
            let arguments = inside(route);
            let pattern = arguments.split('"').nth(1).unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                if calls(arguments, method) {
                    served.insert((method.to_uppercase(), pattern.to_owned()));
                }
            }
        }
    }
    assert!(served.len() > 50, "the sandbox's routes are written otherwise than this test reads them: {served:?}");
    served
}

/// The text up to the parenthesis that closes the one before it.
fn inside(text: &str) -> &str {
    let mut open = 1;
    let closes = |character: char| {
        open += i32::from(character == '(') - i32::from(character == ')');
        open == 0
    };
    text.split(closes).next().unwrap_or(text)
}

/// Whether a word is called as a function: `get(`, and not `budget(`.
fn calls(text: &str, word: &str) -> bool {
    let called = format!("{word}(");
    let mut places = text.match_indices(&called);
    places.any(|(at, _)| !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}

fn fits(pattern: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(_)) if part.starts_with("{*") => return true,
            (Some(part), Some(text)) if part.starts_with('{') || part == text => {}
            _ => return false,
        }
    }
}

/// The routes that were never answered with success.
pub fn not_driven(exchanges: &[Exchange]) -> Vec<String> {
    let done = |method: &str, pattern: &str| {
        exchanges.iter().any(|it| it.status < 400 && it.method == method && fits(pattern, &it.path))
    };
    let missing = served().into_iter().filter(|(method, pattern)| !done(method, pattern));
    missing.map(|(method, pattern)| format!("{method} {pattern} is served, but was never driven to success")).collect()
}
