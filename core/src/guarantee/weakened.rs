//! Which guarantees were dropped or became weaker from one version of a definition to the next.

use crate::approval::at_least_as_strict;
use crate::definition::process::{Guarantee, Passes};
use crate::source::Spanned;

/// A guarantee that holds for less than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakening {
    /// The guarantee's place in the earlier list.
    pub before: usize,
    /// The guarantee that is nearest to it in the later list; nothing where it was dropped.
    pub after: Option<usize>,
    /// What became of it, as one sentence without a full stop.
    pub message: String,
}

/// Every guarantee of `before` that no guarantee of `after` keeps up, in the order of `before`. Order does not matter,
/// and a stricter guarantee keeps a weaker one up.
pub fn weakened(before: &[Spanned<Guarantee>], after: &[Spanned<Guarantee>]) -> Vec<Weakening> {
    let look = |(place, earlier): (usize, &Spanned<Guarantee>)| {
        let mut nearest: Option<(usize, String)> = None;
        for (candidate, later) in after.iter().enumerate() {
            match compare(earlier, later) {
                Compared::Kept => return None,
                Compared::Weaker(how) => nearest = nearest.or(Some((candidate, how))),
                Compared::Other => {}
            }
        }
        let message = match &nearest {
            Some((_, how)) => format!("`{}` {how}", in_words(earlier)),
            None => format!("`{}` was dropped", in_words(earlier)),
        };
        Some(Weakening { before: place, after: nearest.map(|(candidate, _)| candidate), message })
    };
    before.iter().enumerate().filter_map(look).collect()
}

enum Compared {
    /// The later one holds whatever the earlier one holds.
    Kept,
    /// It says less, and how.
    Weaker(String),
    /// It is about something else.
    Other,
}

fn compare(before: &Guarantee, after: &Guarantee) -> Compared {
    if let (Some(target), Some(same)) = (&before.every_path_to, &after.every_path_to) {
        return if target == same { compare_passes(before, after) } else { Compared::Other };
    }
    if let (Some(source), Some(same)) = (&before.no_data_from, &after.no_data_from) {
        return if source == same { compare_flow(before, after) } else { Compared::Other };
    }
    if let (Some(earlier), Some(later)) = (&before.ends_within, &after.ends_within) {
        let longer = format!("allows {} instead of {}", later.value, earlier.value);
        return if later.value <= earlier.value { Compared::Kept } else { Compared::Weaker(longer) };
    }
    if let (Some(earlier), Some(later)) = (&before.at_most, &after.at_most) {
        let kept = later.currency() == earlier.currency() && later.amount() <= earlier.amount();
        let more = format!("allows {} instead of {}", later.value, earlier.value);
        return if kept { Compared::Kept } else { Compared::Weaker(more) };
    }
    Compared::Other
}

fn compare_passes(before: &Guarantee, after: &Guarantee) -> Compared {
    match (before.passes.as_deref(), after.passes.as_deref()) {
        (Some(Passes::Step(earlier)), Some(Passes::Step(later))) if earlier == later => Compared::Kept,
        (Some(Passes::Step(_)), Some(Passes::Step(later))) => {
            Compared::Weaker(format!("asks for step `{later}` instead"))
        }
        (Some(Passes::Approval(earlier)), Some(Passes::Approval(later))) => {
            if at_least_as_strict(&earlier.approval, &later.approval) {
                Compared::Kept
            } else {
                Compared::Weaker("asks for other or fewer approvers".to_owned())
            }
        }
        (Some(Passes::Step(_)), Some(Passes::Approval(_))) => {
            Compared::Weaker("asks for an approval instead".to_owned())
        }
        (Some(Passes::Approval(_)), Some(Passes::Step(later))) => {
            Compared::Weaker(format!("asks for step `{later}` instead of the approvers"))
        }
        // One of them is not whole, which is a fault of its own.
        _ => Compared::Other,
    }
}

fn compare_flow(before: &Guarantee, after: &Guarantee) -> Compared {
    let (Some(earlier), Some(later)) = (&before.to, &after.to) else { return Compared::Other };
    let missing: Vec<String> =
        earlier.iter().filter(|step| !later.contains(step)).map(|step| format!("`{}`", step.value)).collect();
    if !missing.is_empty() {
        let any_left = earlier.len() > missing.len();
        let how = format!("no longer protects {}", missing.join(", "));
        return if any_left { Compared::Weaker(how) } else { Compared::Other };
    }
    match (&before.unless, &after.unless) {
        (_, None) => Compared::Kept,
        (None, Some(_)) => Compared::Weaker("now allows data that somebody reviewed".to_owned()),
        (Some(earlier), Some(later)) if at_least_as_strict(&earlier.reviewed_by, &later.reviewed_by) => Compared::Kept,
        (Some(_), Some(_)) => Compared::Weaker("asks for other or fewer reviewers".to_owned()),
    }
}

/// A guarantee in the words of its keys: `every_path_to: ship`.
pub(super) fn in_words(guarantee: &Guarantee) -> String {
    if let Some(target) = &guarantee.every_path_to {
        return format!("every_path_to: {}", target.value);
    }
    if let Some(source) = &guarantee.no_data_from {
        return format!("no_data_from: {}", source.value);
    }
    if let Some(bound) = &guarantee.ends_within {
        return format!("ends_within: {}", bound.value);
    }
    guarantee.at_most.as_ref().map_or_else(String::new, |bound| format!("at_most: {}", bound.value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn guarantees(yaml: &str) -> Vec<Spanned<Guarantee>> {
        let parsed = crate::source::parse(yaml);
        crate::source::from_node(&parsed.document, parsed.document.root().unwrap(), &crate::source::Pruned::default())
            .unwrap()
    }

    fn told(before: &str, after: &str) -> Vec<String> {
        weakened(&guarantees(before), &guarantees(after)).into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn what_was_dropped_or_says_less_is_told() {
        let before = "
- {every_path_to: ship, passes: {approval: {team: leads, count: 2}}}
- {every_path_to: workflow, passes: checks}
- {no_data_from: trigger, to: [ship, send]}
- {ends_within: 3d}
- {at_most: 2 USD}
";
        let after = "
- {at_most: 3 USD}
- {ends_within: 5d}
- {no_data_from: trigger, to: [ship]}
- {every_path_to: ship, passes: {approval: {team: leads}}}
";
        insta::assert_debug_snapshot!(told(before, after), @r#"
        [
            "`every_path_to: ship` asks for other or fewer approvers",
            "`every_path_to: workflow` was dropped",
            "`no_data_from: trigger` no longer protects `send`",
            "`ends_within: 3d` allows 5d instead of 3d",
            "`at_most: 2 USD` allows 3 USD instead of 2 USD",
        ]
        "#);
    }

    #[test]
    fn what_is_as_strict_or_stricter_is_no_weakening() {
        let before = "
- {every_path_to: ship, passes: {approval: {team: leads}}}
- {no_data_from: trigger, to: [ship], unless: {reviewed_by: {role: write}}}
- {ends_within: 3d}
- {at_most: 2 USD}
";
        let after = "
- {ends_within: 2d}
- {no_data_from: trigger, to: [send, ship], unless: {reviewed_by: {role: admin}}}
- {every_path_to: ship, passes: {approval: {all: [{team: leads}, {team: legal}]}}}
- {at_most: 1.50 USD}
";
        assert_eq!(told(before, after), Vec::<String>::new());
        assert_eq!(told(after, before).len(), 4);
    }

    #[test]
    fn another_currency_and_a_new_exception_are_weaker() {
        assert_eq!(
            told("[{at_most: 2 USD}]", "[{at_most: 1 EUR}]"),
            ["`at_most: 2 USD` allows 1 EUR instead of 2 USD"]
        );
        let before = "[{no_data_from: trigger, to: [ship]}]";
        let after = "[{no_data_from: trigger, to: [ship], unless: {reviewed_by: {team: leads}}}]";
        assert_eq!(told(before, after), ["`no_data_from: trigger` now allows data that somebody reviewed"]);
    }
}
