//! What a step gives, held against what is declared elsewhere: inputs of a process or a workflow, variables of a prompt.
//! Its work is bounded by what the step gives, however much is declared. Knows neither rules nor messages.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::Fields;
use crate::definition::workflows::DispatchInput;
use crate::source::{MAX_KNOWN, Misspelt};

/// Most names that are told as missing one by one.
const MAX_MISSING: usize = 10;

/// Names that somebody declares.
#[derive(Debug)]
pub(super) struct Declared<'d> {
    /// In the order of their file.
    pub(super) names: Vec<&'d str>,
    /// Whether each of them must be given.
    needed: BTreeMap<&'d str, bool>,
    must: usize,
}

/// What is told of a step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gap<'d> {
    /// Must be given and are not, nor seem to have been meant by a name that is not known: the first of them.
    pub(super) missing: Vec<&'d str>,
    /// How many more there are.
    pub(super) others: usize,
    /// Are declared and not given; only where a name is not known.
    pub(super) not_given: Vec<&'d str>,
}

impl<'d> Declared<'d> {
    pub(super) fn fields(fields: &'d Fields) -> Self {
        Self::of(fields.iter().map(|(name, field)| (name.as_str(), field.required && field.default.is_none())))
    }

    pub(super) fn inputs(inputs: &'d [DispatchInput]) -> Self {
        Self::of(inputs.iter().map(|input| (input.name.as_str(), input.needed)))
    }

    fn of(declared: impl Iterator<Item = (&'d str, bool)>) -> Self {
        let declared: Vec<(&str, bool)> = declared.collect();
        let needed: BTreeMap<&str, bool> = declared.iter().copied().collect();
        let must = needed.values().filter(|needed| **needed).count();
        Self { names: declared.into_iter().map(|(name, _)| name).collect(), needed, must }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.needed.contains_key(name)
    }

    /// What is told of a step that gives these names, each once.
    pub(super) fn gap(&self, given: &BTreeSet<&str>, misspelt: &mut Misspelt) -> Gap<'d> {
        let unknown: Vec<&str> = given.iter().copied().filter(|name| !self.has(name)).collect();
        let not_given = || self.names.iter().copied().filter(|name| !given.contains(name));
        let not_given: Vec<&str> = if unknown.is_empty() { Vec::new() } else { not_given().take(MAX_KNOWN).collect() };
        let meant = misspelt.among(unknown, &not_given);
        let is_needed = |name: &&str| self.needed.get(name).is_some_and(|needed| *needed);
        let there =
            given.iter().filter(|name| is_needed(name)).count() + meant.iter().filter(|name| is_needed(name)).count();
        let absent = self.must - there;
        let is_missing = |name: &&str| is_needed(name) && !given.contains(*name) && !meant.contains(*name);
        let missing: Vec<&str> = match absent {
            0 => Vec::new(),
            _ => self.names.iter().copied().filter(is_missing).take(absent.min(MAX_MISSING)).collect(),
        };
        Gap { others: absent - missing.len(), missing, not_given }
    }
}

impl Gap<'_> {
    /// What is missing, for a message: "the input `a`", "the inputs `a`, `b` and 3 more".
    pub(super) fn told(&self, what: &str) -> Option<String> {
        let mut parts: Vec<String> = self.missing.iter().map(|name| format!("`{name}`")).collect();
        if self.others > 0 {
            parts.push(format!("{} more", self.others));
        }
        let (last, others) = parts.split_last()?;
        if others.is_empty() {
            Some(format!("the {what} {last}"))
        } else {
            Some(format!("the {what}s {} and {last}", others.join(", ")))
        }
    }

    /// What to do about it.
    pub(super) fn help(&self, whereto: &str) -> String {
        format!("give {} in {whereto}", if self.missing.len() + self.others == 1 { "it" } else { "them" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(declared: &[(&'static str, bool)], given: &[&'static str]) -> (Option<String>, Vec<&'static str>) {
        let declared = Declared::of(declared.iter().copied());
        let gap = declared.gap(&given.iter().copied().collect(), &mut Misspelt::new());
        (gap.told("input"), gap.not_given)
    }

    #[test]
    fn what_is_missing_and_what_may_have_been_meant() {
        let declared = [("name", true), ("colour", true), ("size", true), ("note", false)];
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(gap(&declared, &["name", "colour", "size"]), (None, vec![]));
        assert_eq!(gap(&declared, &["name", "size"]), (told("the input `colour`"), vec![]));
        assert_eq!(gap(&declared, &["size"]), (told("the inputs `name` and `colour`"), vec![]));
        assert_eq!(gap(&declared, &["name", "size", "color"]), (None, vec!["colour", "note"]));
        assert_eq!(gap(&declared, &["name", "color"]), (told("the input `size`"), vec!["colour", "size", "note"]));
    }

    #[test]
    fn of_many_that_are_missing_the_first_are_named() {
        let names: Vec<String> = (0..40).map(|number| format!("input_{number}")).collect();
        let declared: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), true)).collect();
        let declared = Declared::of(declared.into_iter());
        let gap = declared.gap(&BTreeSet::from(["input_1"]), &mut Misspelt::new());
        insta::assert_snapshot!(gap.told("input").unwrap_or_default(), @"the inputs `input_0`, `input_2`, `input_3`, `input_4`, `input_5`, `input_6`, `input_7`, `input_8`, `input_9`, `input_10` and 29 more");
    }
}
