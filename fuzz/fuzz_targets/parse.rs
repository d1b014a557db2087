//! Whatever a file holds: parsing gives a document and faults, each with its place on character boundaries of the text.
#![no_main]

use flowctl_core::source::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = parse(text);
    for fault in &parsed.faults {
        assert!(text.get(fault.span.range()).is_some(), "{:?} lies outside", fault.span);
    }
    for mapping in parsed.document.mappings() {
        for (key, value) in mapping.entries() {
            assert!(text.get(key.span().range()).is_some() && text.get(value.span().range()).is_some());
            assert!(key.as_str().is_none_or(|name| mapping.get(name).is_some()), "a key is found by its name");
        }
    }
});
