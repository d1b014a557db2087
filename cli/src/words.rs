//! What is given by name: `NAME=VALUE` words of an option, files of values, and names that are not known. Which values fit
//! is not known here.

use std::path::Path;

use anyhow::{Context, bail};
use flowctl_core::source::closest;
use serde_json::{Map, Value};

/// The words of an option by name, in their order; a name is given once. `form` is what a word looks like.
pub fn pairs(option: &str, form: &str, words: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for word in words {
        let (name, text) = word.split_once('=').with_context(|| format!("`{option} {word}` is not {form}"))?;
        if pairs.iter().any(|(known, _)| known == name) {
            bail!("`{option} {name}=…` is given twice; which of both is meant?");
        }
        pairs.push((name.to_owned(), text.to_owned()));
    }
    Ok(pairs)
}

/// The mapping that a file holds. JSON is YAML.
pub fn mapping(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    match serde_yaml::from_str(&text).with_context(|| format!("{} is neither YAML nor JSON", file.display()))? {
        Value::Object(values) => Ok(values),
        _ => bail!("{} holds no mapping", file.display()),
    }
}

/// Names that a message lists at most.
const LISTED: usize = 12;

/// That there is nothing of a kind with this name: which one may be meant, otherwise which ones there are.
pub fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let next = match closest(name, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => listed(known),
    };
    format!("there is no {kind} `{name}`; {next}")
}

fn listed<'a>(known: impl Iterator<Item = &'a str> + Clone) -> String {
    let shown: Vec<&str> = known.clone().take(LISTED).collect();
    let rest = if known.count() > LISTED { ", …" } else { "" };
    if shown.is_empty() { "there are none".to_owned() } else { format!("there are: {}{rest}", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::unknown;

    #[test]
    fn who_misspells_a_name_is_told_the_right_one_and_otherwise_all() {
        let known = ["approval", "release"];
        assert_eq!(
            unknown("process", "aproval", known.into_iter()),
            "there is no process `aproval`; did you mean `approval`?"
        );
        assert_eq!(
            unknown("process", "other", known.into_iter()),
            "there is no process `other`; there are: approval, release"
        );
        assert_eq!(unknown("process", "other", [].into_iter()), "there is no process `other`; there are none");
        let many: Vec<String> = (0..20).map(|number| format!("one_of_many_{number}")).collect();
        let told = unknown("process", "x", many.iter().map(String::as_str));
        assert!(told.ends_with("one_of_many_11, …"), "{told}");
    }
}
