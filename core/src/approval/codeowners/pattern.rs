//! Patterns of CODEOWNERS: most of gitignore's, without `!`, without ranges in brackets. Matching takes no more than the
//! length of a pattern times that of a path.

/// A pattern, cut at its slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
    end: End,
}

/// What is meant of what the last part names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// `docs/*`: itself.
    Itself,
    /// `docs`: itself, and all that lies below it.
    ItselfAndBelow,
    /// `docs/`: what lies below it.
    Below,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`: any number of folders, none included.
    Folders,
    /// The name of one file or folder.
    Name(Vec<Sign>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// This character.
    One(char),
    /// `?`: any character.
    Any,
    /// `*`: any number of characters.
    Many,
}

impl Pattern {
    /// Reads a pattern, or says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text.starts_with('!') {
            return Err("a pattern cannot be negated with `!`".to_owned());
        }
        if text.starts_with("\\#") {
            return Err("a pattern cannot begin with `#`".to_owned());
        }
        if text.contains("***") {
            return Err("three asterisks in a row are no pattern".to_owned());
        }
        let is_folder = text.ends_with('/');
        let inner = text.trim_matches('/');
        if inner.is_empty() {
            // `/` alone is the root, which is no file.
            return Ok(Self { parts: vec![Part::Name(Vec::new())], end: End::Itself });
        }
        let mut parts: Vec<Part> = Vec::new();
        // Without a slash but at its end a pattern is about files and folders everywhere.
        if !text.starts_with('/') && !inner.contains('/') {
            parts.push(Part::Folders);
        }
        for part in inner.split('/') {
            let part = if part == "**" { Part::Folders } else { Part::Name(signs(part)?) };
            if !(part == Part::Folders && parts.last() == Some(&Part::Folders)) {
                parts.push(part);
            }
        }
        // `docs/*` is about the files in `docs`, not about those further below.
        let end = match parts.last() {
            _ if is_folder => End::Below,
            Some(Part::Name(signs)) if *signs == [Sign::Many] => End::Itself,
            _ => End::ItselfAndBelow,
        };
        Ok(Self { parts, end })
    }

    /// Whether a path is meant.
    pub(super) fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        let (parts, mut part, mut name) = (&self.parts, 0, 0);
        // Where to go on once more, if what follows the last `**` does not fit: one folder further.
        let mut again: Option<(usize, usize)> = None;
        loop {
            let fits = match parts.get(part) {
                None => match (self.end, name < names.len()) {
                    (End::Itself | End::ItselfAndBelow, false) | (End::ItselfAndBelow | End::Below, true) => {
                        return true;
                    }
                    (End::Itself, true) | (End::Below, false) => false,
                },
                Some(Part::Folders) if part + 1 == parts.len() => return name < names.len(),
                Some(Part::Folders) => {
                    again = Some((part + 1, name));
                    part += 1;
                    continue;
                }
                Some(Part::Name(signs)) => names.get(name).is_some_and(|name| is_named(signs, name)),
            };
            if fits {
                part += 1;
                name += 1;
                continue;
            }
            match again.as_mut() {
                Some((after, from)) if *from + 1 < names.len() => {
                    *from += 1;
                    (part, name) = (*after, *from);
                }
                _ => return false,
            }
        }
    }
}

fn signs(part: &str) -> Result<Vec<Sign>, String> {
    let mut signs = Vec::new();
    let mut characters = part.chars();
    while let Some(character) = characters.next() {
        let sign = match character {
            '*' => Sign::Many,
            '?' => Sign::Any,
            '\\' => Sign::One(characters.next().ok_or("nothing follows the last backslash")?),
            other => Sign::One(other),
        };
        if !(sign == Sign::Many && signs.last() == Some(&Sign::Many)) {
            signs.push(sign);
        }
    }
    if signs.is_empty() {
        return Err("two slashes stand beside each other".to_owned());
    }
    Ok(signs)
}

/// Whether a name is what the signs say. Of several `*` only the last one is ever tried again, which suffices.
fn is_named(signs: &[Sign], name: &str) -> bool {
    let (mut at, mut rest) = (0, name.chars());
    let mut again: Option<(usize, std::str::Chars<'_>)> = None;
    // An asterisk alone still stands for something.
    if name.is_empty() {
        return false;
    }
    loop {
        match signs.get(at) {
            Some(Sign::Many) => {
                at += 1;
                again = Some((at, rest.clone()));
                continue;
            }
            Some(sign) => {
                let mut ahead = rest.clone();
                if let Some(next) = ahead.next()
                    && (*sign == Sign::Any || *sign == Sign::One(next))
                {
                    (at, rest) = (at + 1, ahead);
                    continue;
                }
            }
            None if rest.as_str().is_empty() => return true,
            None => {}
        }
        let Some((after, from)) = again.as_mut() else { return false };
        if from.next().is_none() {
            return false;
        }
        (at, rest) = (*after, from.clone());
    }
}
