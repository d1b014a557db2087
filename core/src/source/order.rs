//! The order of a mapping's keys, for looking one up.

/// Where an entry is among those of its mapping, with the beginning of its key: most keys are told apart by that, without a
/// look at their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    beginning: u32,
    index: u32,
}

impl Place {
    /// Among the entries of its mapping.
    pub(crate) fn index(self) -> usize {
        self.index as usize
    }
}

/// The first four bytes as a number that compares as they do; a shorter key ends in zeros.
fn beginning(key: &str) -> u32 {
    let mut bytes = [0; 4];
    for (byte, of_key) in bytes.iter_mut().zip(key.bytes()) {
        *byte = of_key;
    }
    u32::from_be_bytes(bytes)
}

/// The places of keys, sorted by them; equal ones stay in their order.
pub(crate) fn sorted<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<Place> {
    let place = |(index, key)| (Place { beginning: beginning(key), index }, key);
    let mut order: Vec<(Place, &str)> = (0..).zip(keys).map(place).collect();
    order.sort_by(|(a, a_key), (b, b_key)| a.beginning.cmp(&b.beginning).then_with(|| a_key.cmp(b_key)));
    order.into_iter().map(|(place, _)| place).collect()
}

/// The place of `key`; `text` gives the key at a place. Takes logarithmic time.
pub(crate) fn find<'a>(order: &[Place], key: &str, text: impl Fn(Place) -> &'a str) -> Option<Place> {
    let wanted = beginning(key);
    let compare = |place: &Place| place.beginning.cmp(&wanted).then_with(|| text(*place).cmp(key));
    order.get(order.binary_search_by(compare).ok()?).copied()
}

/// Whether a key is there twice; `text` gives the key at a place.
pub(crate) fn repeats<'a>(order: &[Place], text: impl Fn(Place) -> &'a str) -> bool {
    order.windows(2).any(|pair| pair[0].beginning == pair[1].beginning && text(pair[0]) == text(pair[1]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_found_where_they_are_whatever_they_begin_with(
            keys in proptest::collection::btree_set("[ab\\u{0}é]{0,6}", 0..20).prop_map(Vec::from_iter).prop_shuffle(),
            other in "[ab\\u{0}é]{0,6}",
        ) {
            let order = sorted(keys.iter().map(String::as_str));
            let in_order: Vec<&String> = order.iter().map(|place| &keys[place.index()]).collect();
            prop_assert!(in_order.is_sorted());
            let found = |key: &str| find(&order, key, |place| &keys[place.index()]).map(Place::index);
            for (index, key) in keys.iter().enumerate() {
                prop_assert_eq!(found(key), Some(index));
            }
            prop_assert!(!repeats(&order, |place| &keys[place.index()]));
            let twice: Vec<&String> = keys.iter().chain(keys.last()).collect();
            let order_of_twice = sorted(twice.iter().map(|key| key.as_str()));
            prop_assert_eq!(repeats(&order_of_twice, |place| twice[place.index()]), !keys.is_empty());
            prop_assert_eq!(found(&other), keys.iter().position(|key| *key == other));
        }
    }
}
