//! Gathers what the environment and the TOML file say into one table of texts, the environment winning.
//! Values are not interpreted here, but for `NAME_FILE`, which is replaced with what the file holds.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;

use super::fault::{Fault, Origin, Warning};
use super::table::{NOT_READ_YET, PREFIX, READ_ELSEWHERE, SECRET_PREFIX, TABLE, describe};

/// One text that was given for a setting.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// All that was given: by setting, and the secrets of definitions by their name.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) settings: BTreeMap<&'static str, Given>,
    pub(super) secrets: BTreeMap<String, Given>,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Warning>,
}

/// How a name is to be read.
enum Meaning {
    Setting(&'static str),
    SettingFromFile(&'static str),
    Secret(String),
    SecretFromFile(String),
    NotReadYet,
    ReadElsewhere,
    Unknown { suggestion: Option<&'static str> },
}

/// Reads both sources. A file that cannot be read or parsed is one fault; the environment is still looked at.
pub(super) fn gather(config_file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Gathered {
    let mut gathered = Gathered::default();
    if let Some(path) = config_file {
        gathered.add_file(path);
    }
    let mut above = Gathered::default();
    let ours: BTreeMap<String, String> = environment.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    for (variable, text) in ours {
        let name = variable[PREFIX.len()..].to_owned();
        above.add(&name, text, Origin::Variable(variable));
    }
    gathered.settings.append(&mut above.settings);
    gathered.secrets.append(&mut above.secrets);
    gathered.faults.append(&mut above.faults);
    gathered.warnings.append(&mut above.warnings);
    gathered
}

impl Gathered {
    /// What was given, by the name of its environment variable.
    pub(super) fn by_variable(&self) -> BTreeMap<String, SecretString> {
        let settings = self.settings.iter().map(|(name, given)| (variable(name), given));
        let secrets = self.secrets.iter().map(|(name, given)| (variable(&format!("{SECRET_PREFIX}{name}")), given));
        settings.chain(secrets).map(|(name, given)| (name, SecretString::from(given.text.clone()))).collect()
    }

    fn add_file(&mut self, path: &Path) {
        let origin = |key: &str| Origin::File { path: path.to_owned(), key: key.to_owned() };
        let table = match std::fs::read_to_string(path) {
            Ok(text) => match text.parse::<toml::Table>() {
                Ok(table) => table,
                Err(error) => {
                    return self.fault("--config", origin(""), format!("this is not TOML: {error}"));
                }
            },
            Err(error) => {
                return self.fault("--config", origin(""), format!("the file cannot be read: {error}"));
            }
        };
        for (key, value) in table {
            match text_of(&value) {
                Some(text) => self.add(&key, text, origin(&key)),
                None => self.fault(&key, origin(&key), "a text, a number, true or false is expected".into()),
            }
        }
    }

    fn add(&mut self, name: &str, text: String, origin: Origin) {
        match meaning_of(name) {
            Meaning::Setting(setting) => self.set(setting, text, origin),
            Meaning::Secret(secret) => self.set_secret(secret, text, origin),
            Meaning::SettingFromFile(setting) => {
                if let Some(text) = self.content_of(&text, &origin) {
                    self.set(setting, text, origin);
                }
            }
            Meaning::SecretFromFile(secret) => {
                if let Some(text) = self.content_of(&text, &origin) {
                    self.set_secret(secret, text, origin);
                }
            }
            Meaning::NotReadYet => self.warn(&origin, "this version of flowctl does not read it".into()),
            Meaning::ReadElsewhere => {}
            Meaning::Unknown { suggestion: Some(suggestion) } => {
                let suggested = shown(suggestion, &origin);
                self.warn(&origin, format!("no setting has this name; did you mean {suggested}?"));
            }
            Meaning::Unknown { suggestion: None } => {
                self.warn(&origin, "no setting has this name; it is ignored".into());
            }
        }
    }

    fn set(&mut self, setting: &'static str, text: String, origin: Origin) {
        if let Some(first) = self.settings.insert(setting, Given { text, origin: origin.clone() }) {
            self.given_twice(setting, origin, &first.origin);
        }
    }

    fn set_secret(&mut self, secret: String, text: String, origin: Origin) {
        let name = format!("{SECRET_PREFIX}{secret}");
        if let Some(first) = self.secrets.insert(secret, Given { text, origin: origin.clone() }) {
            self.given_twice(&name, origin, &first.origin);
        }
    }

    fn given_twice(&mut self, name: &str, origin: Origin, first: &Origin) {
        self.fault(name, origin, format!("it is already given by {first}; keep one of the two"));
    }

    fn content_of(&mut self, path: &str, origin: &Origin) -> Option<String> {
        match std::fs::read_to_string(path) {
            // Editors end a file with a newline that is no part of the secret.
            Ok(content) => Some(content.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                let name = match origin {
                    Origin::Variable(name) => name.clone(),
                    Origin::File { key, .. } => key.clone(),
                    Origin::Missing => String::new(),
                };
                self.faults.push(Fault {
                    name,
                    origin: origin.clone(),
                    found: Some(path.to_owned()),
                    expected: format!("the file cannot be read: {error}"),
                });
                None
            }
        }
    }

    fn fault(&mut self, name: &str, origin: Origin, expected: String) {
        let name = if name.starts_with('-') { name.to_owned() } else { variable(name) };
        self.faults.push(Fault { name, origin, found: None, expected });
    }

    pub(super) fn warn(&mut self, origin: &Origin, message: String) {
        let name = match origin {
            Origin::Variable(name) => name.clone(),
            other => other.to_string(),
        };
        self.warnings.push(Warning { name, message });
    }
}

/// The environment variable of a name that stands in lower case without prefix.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

fn shown(setting: &str, origin: &Origin) -> String {
    match origin {
        Origin::Variable(_) => variable(setting),
        _ => format!("`{setting}`"),
    }
}

/// `name` is without prefix: upper case from the environment, lower case from the file.
fn meaning_of(name: &str) -> Meaning {
    let lower = name.to_ascii_lowercase();
    if let Some(setting) = describe(&lower) {
        return Meaning::Setting(setting.name);
    }
    if let Some(rest) = lower.strip_prefix(SECRET_PREFIX).filter(|rest| !rest.is_empty()) {
        let upper = rest.to_ascii_uppercase();
        return match upper.strip_suffix("_FILE").filter(|name| !name.is_empty()) {
            Some(secret) => Meaning::SecretFromFile(secret.to_owned()),
            None => Meaning::Secret(upper),
        };
    }
    if let Some(setting) = lower.strip_suffix("_file").and_then(describe).filter(|setting| setting.secret) {
        return Meaning::SettingFromFile(setting.name);
    }
    if READ_ELSEWHERE.contains(&lower.as_str()) {
        return Meaning::ReadElsewhere;
    }
    let suggestion = nearest(&lower);
    let promised = |known: &str| lower == known || (known.ends_with('_') && lower.starts_with(known));
    if suggestion.is_none() && NOT_READ_YET.iter().any(|known| promised(known)) {
        return Meaning::NotReadYet;
    }
    Meaning::Unknown { suggestion }
}

/// The setting that somebody probably meant, if one is near enough.
fn nearest(name: &str) -> Option<&'static str> {
    TABLE
        .iter()
        .map(|setting| (strsim::damerau_levenshtein(name, setting.name), setting.name))
        .filter(|(distance, setting)| *distance <= setting.len().div_ceil(4).min(3))
        .min()
        .map(|(_, setting)| setting)
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => items.iter().map(text_of).collect::<Option<Vec<_>>>().map(|texts| texts.join(",")),
        _ => None,
    }
}
