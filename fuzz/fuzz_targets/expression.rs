//! Whatever a text holds: it parses or says where not, and evaluating it ends within its limits.
#![no_main]

use flowctl_core::expression::{Context, Template};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Template::parse(text) {
        Ok(template) => {
            for reference in template.references() {
                assert!(text.get(reference.range.clone()).is_some(), "{:?} lies outside", reference.range);
            }
            let _ = template.evaluate(&Context::default());
        }
        Err(error) => assert!(text.get(error.range.clone()).is_some(), "{:?} lies outside", error.range),
    }
});
