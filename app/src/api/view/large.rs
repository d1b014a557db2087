//! Values that are too large to be shown within something else: a reference stands in their place, of one form
//! whatever the database, and says where the value is.

use flowctl_core::execution::LargeOutput;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::engine::outputs::{MAX_INLINE, is_large};
use crate::store::digest;

/// The value, or what stands for it where its JSON text has more than [`MAX_INLINE`] bytes. `at`: where it is asked for,
/// below the API.
pub(super) fn inline(value: &Value, at: impl FnOnce() -> String) -> Value {
    if is_large(value) { reference(value, at()) } else { value.clone() }
}

/// The same of a mapping.
pub(super) fn inline_map(map: Map<String, Value>, at: impl FnOnce() -> String) -> Map<String, Value> {
    match inline(&Value::Object(map), at) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn reference(value: &Value, at: String) -> Value {
    let text = value.to_string();
    debug_assert!(text.len() > MAX_INLINE, "only what is large is referred to");
    LargeOutput { sha256: digest(text.as_bytes()), bytes: text.len() as u64, at }.into_value()
}

/// Bytes of something as JSON.
pub(in crate::api) fn json_size(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail, and what cannot be written as JSON has no size.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_large_value_stands_as_a_reference_and_a_small_one_as_itself() {
        let at = || "executions/1".to_owned();
        for length in [0, 10, MAX_INLINE - 2] {
            let small = json!("x".repeat(length));
            assert_eq!(inline(&small, at), small, "{length}");
        }
        let shown = inline(&json!("x".repeat(MAX_INLINE - 1)), at);
        let large = LargeOutput::of(&shown);
        assert_eq!(large.map(|large| (large.bytes, large.at)), Some((MAX_INLINE as u64 + 1, at())));
        assert_eq!(inline(&shown, at), shown, "a reference is small");
        assert_eq!(json_size(&json!({"a": [1, "ü"]})), r#"{"a":[1,"ü"]}"#.len());
    }
}
