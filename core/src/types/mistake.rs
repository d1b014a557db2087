//! What is wrong with a part of an expression, without its place in a file. Rules make findings of it.

use std::ops::Range;

/// Something wrong with a part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Which kind, and so which rule tells it.
    pub kind: MistakeKind,
    /// The smallest part that is wrong, in bytes of the text.
    pub range: Range<usize>,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What was meant instead of the part, where a name is misspelt.
    pub meant: Option<String>,
}

/// Kinds of mistakes in what an expression reads and does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MistakeKind {
    /// A root or a field that does not exist.
    UnknownName,
    /// A step that does not exist.
    UnknownStep,
    /// A step that has not ended by then.
    NotBefore,
    /// A value that may be missing.
    MayBeMissing,
    /// A value that may be null where null will not do.
    MayBeNull,
    /// A secret where none may be.
    Secret,
    /// Values that can never be equal, or that have no order.
    UnlikeComparison,
    /// A condition that is neither true nor false.
    NotBoolean,
    /// A filter, test or function that cannot be applied.
    FilterDoesNotFit,
    /// An argument that a filter, test or function cannot take.
    ArgumentDoesNotFit,
    /// An operator that cannot work on its values.
    OperatorDoesNotFit,
    /// A loop over what is no list.
    NotAList,
    /// A value that whoever is given it cannot use.
    ValueDoesNotFit,
    /// A list or mapping printed into an address.
    InAddress,
}

impl Mistake {
    /// A mistake in this part.
    pub fn new(kind: MistakeKind, range: Range<usize>, message: impl Into<String>) -> Self {
        Self { kind, range, message: message.into(), help: None, meant: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With a suggestion, or the names that there are.
    #[must_use]
    pub fn meant(mut self, meant: Option<&str>, known: &[&str]) -> Self {
        self.meant = meant.map(str::to_owned);
        self.help = match meant {
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            None if known.is_empty() => self.help,
            None => Some(format!("there is {}", listed(known))),
        };
        self
    }
}

/// Names in backquotes; long lists are cut.
pub fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match shown.split_last() {
        None => String::new(),
        Some(_) if names.len() > SHOWN => format!("{} …", shown.join(", ")),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
