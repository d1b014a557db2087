//! Keys of steps: a step's id, and inside bodies of `foreach` the places of the items around it, outermost first, as
//! in `deploy[2][0]`. The same key names a step in the state, in events, in the work queue and towards people.

/// The step that a key names in the definition: `deploy` of `deploy[2][0]`.
pub fn step_of(key: &str) -> &str {
    key.split_once('[').map_or(key, |(step, _)| step)
}

/// The items around a step: `[2][0]` of `deploy[2][0]`; nothing outside of bodies.
pub fn items_of(key: &str) -> &str {
    key.get(step_of(key).len()..).unwrap_or_default()
}

/// The key of a step inside these items.
pub fn key(step: &str, items: &str) -> String {
    format!("{step}{items}")
}

/// The items of one more body: `[2]` and item 0 give `[2][0]`.
pub fn inside(items: &str, index: u32) -> String {
    format!("{items}[{index}]")
}

/// The items around the innermost one, and the place of that: `[2]` and 0 of `[2][0]`.
pub fn innermost(items: &str) -> Option<(&str, u32)> {
    let (around, last) = items.strip_suffix(']')?.rsplit_once('[')?;
    Some((around, last.parse().ok()?))
}

/// How many items are around a step.
pub fn depth(items: &str) -> usize {
    items.bytes().filter(|byte| *byte == b'[').count()
}

/// The first `depth` of these items: `[2]` of `[2][0]` and 1.
pub fn outermost(items: &str, depth: usize) -> &str {
    let end = items.match_indices(']').nth(depth.wrapping_sub(1)).map_or(0, |(at, _)| at + 1);
    if depth == 0 { "" } else { items.get(..end).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_step_and_the_items_around_it() {
        for (text, step, items, last, deep) in [
            ("deploy", "deploy", "", None, 0),
            ("deploy[2]", "deploy", "[2]", Some(("", 2)), 1),
            ("deploy[2][10]", "deploy", "[2][10]", Some(("[2]", 10)), 2),
        ] {
            assert_eq!((step_of(text), items_of(text)), (step, items));
            assert_eq!(key(step, items), text);
            assert_eq!(innermost(items), last);
            assert_eq!(depth(items), deep);
            if let Some((around, index)) = last {
                assert_eq!(inside(around, index), items);
            }
        }
        assert_eq!([0, 1, 2, 3].map(|depth| outermost("[2][10]", depth)), ["", "[2]", "[2][10]", ""]);
        for nonsense in ["[", "]", "[x]", "[-1]", "x]", "[99999999999]"] {
            assert_eq!(innermost(nonsense), None, "{nonsense}");
        }
    }
}
