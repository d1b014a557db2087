//! Whatever a comment holds: it is read without a panic, and what is found stands where it is said to stand.
#![no_main]

use flowctl_core::command::{parse_arguments, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| {
    let reading = read(body);
    for invocation in &reading.invocations {
        let text = body.get(invocation.range.clone());
        assert!(text.is_some_and(|text| text.starts_with('/')), "{:?} is no command", invocation.range);
    }
    for unknown in &reading.unknown {
        assert_eq!(body.get(unknown.range.clone()), Some(format!("/{}", unknown.word).as_str()));
        if let Err(error) = parse_arguments(&unknown.rest) {
            error.render(&unknown.rest);
        }
    }
    for error in &reading.errors {
        assert!(body.get(error.range.clone()).is_some(), "{:?} lies outside", error.range);
        error.render(body);
    }
});
