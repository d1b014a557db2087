//! Types in an author's words: "a whole number", "a list of texts". For messages and for what an editor shows.

use std::fmt;

use super::kind::{List, Others, Record, Type};

/// Deepest nesting that is spelt out.
const MAX_SHOWN: usize = 3;
/// Most words or fields that are named.
const MAX_NAMED: usize = 6;

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&one(self, MAX_SHOWN))
    }
}

impl Type {
    /// The word for it without details: "a text", "a list"; nothing where it is not known.
    pub fn noun(&self) -> Option<String> {
        match self {
            Self::Unknown => None,
            Self::Text(_) => Some("a text".to_owned()),
            Self::List(_) => Some("a list".to_owned()),
            Self::Record(_) => Some("a mapping".to_owned()),
            Self::Union(types) => {
                let mut nouns: Vec<String> = Vec::new();
                for noun in types.iter().filter_map(Self::noun) {
                    if !nouns.contains(&noun) {
                        nouns.push(noun);
                    }
                }
                Some(nouns.join(" or "))
            }
            other => Some(one(other, 0)),
        }
    }

    /// All that is known about it, fields on lines of their own, for an editor.
    pub fn details(&self) -> String {
        let mut text = self.to_string();
        for record in
            self.alternatives().iter().filter_map(|one| if let Self::Record(it) = one { Some(it) } else { None })
        {
            for (name, part) in &record.fields {
                let mark = if part.optional { "?" } else { "" };
                text.push_str(&format!("\n{name}{mark}: {}", one(&part.of, 1)));
            }
        }
        text
    }
}

fn one(of: &Type, depth: usize) -> String {
    match of {
        Type::Unknown => "a value of any type".to_owned(),
        Type::Null => "null".to_owned(),
        Type::Boolean => "true or false".to_owned(),
        Type::Integer => "a whole number".to_owned(),
        Type::Number => "a number".to_owned(),
        Type::Text(None) => "a text".to_owned(),
        Type::Text(Some(words)) => match &**words {
            [] => "a text".to_owned(),
            [only] => format!("the text `{only}`"),
            words => {
                let names: Vec<&str> = words.iter().map(|word| &**word).collect();
                format!("{}{}", if names.len() > MAX_NAMED { "one of " } else { "" }, named(&names, "or"))
            }
        },
        Type::List(list) => match depth {
            0 => "a list".to_owned(),
            _ => format!("a list{}", of_entries(list, depth - 1)),
        },
        Type::Record(record) => format!("a mapping{}", with_fields(record, depth)),
        Type::Union(types) => {
            let mut shown: Vec<String> = Vec::new();
            for of in types.iter().map(|of| one(of, depth.saturating_sub(1))) {
                if !shown.contains(&of) {
                    shown.push(of);
                }
            }
            match shown.split_last() {
                Some((only, [])) => only.clone(),
                Some((last, others)) => format!("{} or {last}", others.join(", ")),
                None => String::new(),
            }
        }
    }
}

fn of_entries(list: &List, depth: usize) -> String {
    match many(&list.any_entry(), depth) {
        Some(entries) => format!(" of {entries}"),
        None => String::new(),
    }
}

/// More than one of it, where that is known.
fn many(of: &Type, depth: usize) -> Option<String> {
    Some(match of {
        Type::Unknown => return None,
        Type::Null => "nulls".to_owned(),
        Type::Boolean => "true or false".to_owned(),
        Type::Integer => "whole numbers".to_owned(),
        Type::Number => "numbers".to_owned(),
        Type::Text(_) => "texts".to_owned(),
        Type::List(list) if depth > 0 => format!("lists{}", of_entries(list, depth - 1)),
        Type::List(_) => "lists".to_owned(),
        Type::Record(record) => format!("mappings{}", with_fields(record, depth)),
        Type::Union(types) => {
            let shown: Option<Vec<String>> = types.iter().map(|of| many(of, depth.saturating_sub(1))).collect();
            shown?.join(" or ")
        }
    })
}

fn with_fields(record: &Record, depth: usize) -> String {
    let names = record.names();
    match (&record.others, names.is_empty(), depth) {
        (_, _, 0) => String::new(),
        (Others::Of(of), true, _) => many(of, depth - 1).map(|of| format!(" to {of}")).unwrap_or_default(),
        (_, true, _) => String::new(),
        (_, false, _) => format!(" with {}", named(&names, "and")),
    }
}

/// Names in backquotes; long lists are cut.
fn named(names: &[&str], conjunction: &str) -> String {
    let shown: Vec<String> = names.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
    match shown.split_last() {
        None => String::new(),
        Some(_) if names.len() > MAX_NAMED => format!("{} …", shown.join(", ")),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} {conjunction} {last}", others.join(", ")),
    }
}
