//! What is given by name: `NAME=VALUE` words of an option, and files of values. Which values fit is not known here.

use std::path::Path;

use anyhow::{Context, bail};
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
