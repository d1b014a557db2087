//! What is known about a value before anything runs. What is not known stays unknown, and nothing is said about it.
//! Data and the questions about it; where types come from is in the files beside this one.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

/// Most alternatives of a union; what may be more is unknown.
const MAX_ALTERNATIVES: usize = 16;
/// Most words that a text is known to be one of; beyond that it is any text.
const MAX_WORDS: usize = 256;

/// What is known about a value. Cheap to clone: all that is large is shared.
#[derive(Debug, Clone, Default)]
pub enum Type {
    /// Nothing.
    #[default]
    Unknown,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A text; where it can only be one of a few, those.
    Text(Option<Arc<[Arc<str>]>>),
    /// A list.
    List(Arc<List>),
    /// Fields by name.
    Record(Arc<Record>),
    /// One of these: at least two, none of them a union or unknown.
    Union(Arc<[Type]>),
}

/// The entries of a list.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Those at its beginning, where each has a type of its own.
    pub first: Vec<Type>,
    /// All others.
    pub rest: Type,
}

/// The fields of a value.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Those that are known.
    pub fields: IndexMap<Arc<str>, Part>,
    /// Which others there may be.
    pub others: Others,
}

/// One field.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Its value.
    pub of: Type,
    /// Whether it may be missing.
    pub optional: bool,
    /// What its author wrote about it.
    pub description: Option<Arc<str>>,
}

/// Which fields a value may have beside those that are known.
#[derive(Debug, Clone, Default)]
pub enum Others {
    /// None: another name is a mistake.
    #[default]
    None,
    /// Some may have been added since the fields were listed: only what is nearly one of them is a mistake.
    Newer,
    /// Any.
    Any,
    /// Any, each with such a value.
    Of(Type),
}

impl Part {
    /// A field that is there.
    pub fn of(of: Type) -> Self {
        Self { of, optional: false, description: None }
    }

    /// A field that may be missing.
    pub fn maybe(of: Type) -> Self {
        Self { of, optional: true, description: None }
    }
}

/// The kinds of value that something may be: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// `null`.
    pub const NULL: Self = Self(1);
    /// `true` and `false`.
    pub const BOOLEAN: Self = Self(2);
    /// Numbers, whole or not: `1 == 1.0`.
    pub const NUMBER: Self = Self(4);
    /// Texts.
    pub const TEXT: Self = Self(8);
    /// Lists.
    pub const LIST: Self = Self(16);
    /// Mappings.
    pub const RECORD: Self = Self(32);
    /// Every kind.
    pub const ALL: Self = Self(63);

    /// All of both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is a kind in both.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether each of these is among those.
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

impl Type {
    /// Any text.
    pub const TEXT: Self = Self::Text(None);

    /// One of these texts.
    pub fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        let words: Arc<[Arc<str>]> = words.into_iter().map(Arc::from).collect();
        Self::Text((!words.is_empty() && words.len() <= MAX_WORDS).then_some(words))
    }

    /// A list of such values.
    pub fn list(of: Self) -> Self {
        Self::List(Arc::new(List { first: Vec::new(), rest: of }))
    }

    /// A mapping with exactly these fields, all of which are there.
    pub fn closed<'n>(fields: impl IntoIterator<Item = (&'n str, Self)>) -> Self {
        Self::record(fields.into_iter().map(|(name, of)| (name, Part::of(of))), Others::None)
    }

    /// A mapping.
    pub fn record<'n>(fields: impl IntoIterator<Item = (&'n str, Part)>, others: Others) -> Self {
        let fields = fields.into_iter().map(|(name, part)| (Arc::from(name), part)).collect();
        Self::Record(Arc::new(Record { fields, others }))
    }

    /// A mapping of which nothing else is known.
    pub fn any_record() -> Self {
        Self::Record(Arc::new(Record { fields: IndexMap::new(), others: Others::Any }))
    }

    /// This or null.
    #[must_use]
    pub fn or_null(self) -> Self {
        self.or(Self::Null)
    }

    /// One of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::any_of([self, other])
    }

    /// One of these; of none, unknown.
    pub fn any_of(types: impl IntoIterator<Item = Self>) -> Self {
        let mut union: Vec<Self> = Vec::new();
        for one in types {
            match one {
                Self::Unknown => return Self::Unknown,
                Self::Union(more) => more.iter().for_each(|one| add(&mut union, one.clone())),
                one => add(&mut union, one),
            }
        }
        match union.len() {
            0 => Self::Unknown,
            1 => union.remove(0),
            _ if union.len() > MAX_ALTERNATIVES => Self::Unknown,
            _ => Self::Union(union.into()),
        }
    }

    /// What it may be, one by one.
    pub fn alternatives(&self) -> &[Self] {
        match self {
            Self::Union(types) => types,
            one => std::slice::from_ref(one),
        }
    }

    /// Whether nothing is known about it.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The kinds of value that it may be.
    pub fn kinds(&self) -> Kinds {
        match self {
            Self::Unknown => Kinds::ALL,
            Self::Null => Kinds::NULL,
            Self::Boolean => Kinds::BOOLEAN,
            Self::Integer | Self::Number => Kinds::NUMBER,
            Self::Text(_) => Kinds::TEXT,
            Self::List(_) => Kinds::LIST,
            Self::Record(_) => Kinds::RECORD,
            Self::Union(types) => types.iter().fold(Kinds(0), |kinds, one| kinds.or(one.kinds())),
        }
    }

    /// Whether it is known that it may be null. Of the unknown, nothing is known.
    pub fn may_be_null(&self) -> bool {
        self.alternatives().iter().any(|one| matches!(one, Self::Null))
    }

    /// The same without null; of null alone, unknown.
    #[must_use]
    pub fn not_null(&self) -> Self {
        self.only(Kinds::ALL.without(Kinds::NULL))
    }

    /// What is left of it among these kinds; where nothing is left, unknown.
    #[must_use]
    pub fn only(&self, kinds: Kinds) -> Self {
        match self {
            Self::Union(types) => Self::any_of(types.iter().filter(|one| one.kinds().meets(kinds)).cloned()),
            one if one.kinds().meets(kinds) => one.clone(),
            _ => Self::Unknown,
        }
    }

    /// What is left of it where one of its fields is one of these values, or is none of them: of alternatives that can
    /// be told apart by a field, those that fit.
    #[must_use]
    pub fn with_field(&self, name: &str, values: &[Value], is_one: bool) -> Self {
        let Self::Union(types) = self else { return self.clone() };
        let fits = |one: &&Self| {
            let Self::Record(record) = one else { return true };
            let Some(part) = record.fields.get(name) else { return !matches!(record.others, Others::None) };
            match (is_one, part.of.known_words()) {
                (true, _) => values.iter().any(|value| part.of.accepts(value)),
                (false, Some(words)) => {
                    let is_told = |word: &Arc<str>| values.iter().any(|value| value.as_str() == Some(word));
                    part.optional || !words.iter().all(is_told)
                }
                (false, None) => true,
            }
        };
        Self::any_of(types.iter().filter(fits).cloned())
    }

    /// What a list's entries are, taken together; what `for` goes through of a mapping are its names.
    pub fn entries(&self) -> Self {
        Self::any_of(self.alternatives().iter().map(|one| match one {
            Self::List(list) => list.any_entry(),
            Self::Record(_) => Self::TEXT,
            _ => Self::Unknown,
        }))
    }

    /// The words that a text is one of, where that is all it can be.
    pub fn known_words(&self) -> Option<&[Arc<str>]> {
        match self {
            Self::Text(Some(words)) => Some(words),
            _ => None,
        }
    }

    /// Whether a value is of this type, as far as it is known. For tests and for values that are written out.
    pub fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Unknown, _) | (Self::Null, Value::Null) | (Self::Boolean, Value::Bool(_)) => true,
            (Self::Number, Value::Number(_)) => true,
            (Self::Integer, Value::Number(number)) => {
                number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            (Self::Text(None), Value::String(_)) => true,
            (Self::Text(Some(words)), Value::String(text)) => words.iter().any(|word| **word == **text),
            (Self::List(list), Value::Array(items)) => {
                items.iter().enumerate().all(|(at, item)| list.at(at).accepts(item))
            }
            (Self::Record(record), Value::Object(map)) => record.accepts(map),
            (Self::Union(types), value) => types.iter().any(|one| one.accepts(value)),
            _ => false,
        }
    }
}

impl List {
    /// The entry at a place.
    pub fn at(&self, place: usize) -> &Type {
        self.first.get(place).unwrap_or(&self.rest)
    }

    /// Any entry.
    pub fn any_entry(&self) -> Type {
        if self.first.is_empty() {
            return self.rest.clone();
        }
        Type::any_of(self.first.iter().chain([&self.rest]).cloned())
    }
}

impl Record {
    fn accepts(&self, map: &serde_json::Map<String, Value>) -> bool {
        let present = self.fields.iter().all(|(name, part)| match map.get(&**name) {
            Some(value) => part.of.accepts(value),
            None => part.optional,
        });
        let mut others = map.iter().filter(|(name, _)| !self.fields.contains_key(name.as_str()));
        present
            && others.all(|(_, value)| match &self.others {
                Others::None => false,
                Others::Newer | Others::Any => true,
                Others::Of(of) => of.accepts(value),
            })
    }

    /// The names of its fields.
    pub fn names(&self) -> Vec<&str> {
        self.fields.keys().map(|name| &**name).collect()
    }
}

/// Adds an alternative, unless it says nothing new.
fn add(union: &mut Vec<Type>, one: Type) {
    for known in union.iter_mut() {
        let merged = match (&*known, &one) {
            (Type::Null, Type::Null) | (Type::Boolean, Type::Boolean) | (Type::Integer, Type::Integer) => return,
            (Type::Number, Type::Number | Type::Integer) | (Type::Text(None), Type::Text(_)) => return,
            (Type::Integer, Type::Number) | (Type::Text(Some(_)), Type::Text(None)) => one.clone(),
            (Type::Text(Some(left)), Type::Text(Some(right))) => both(left, right),
            (Type::List(left), Type::List(right)) if Arc::ptr_eq(left, right) => return,
            (Type::List(left), Type::List(right)) if left.first.is_empty() && right.first.is_empty() => {
                match (&left.rest, &right.rest) {
                    // Lists of what can be told apart are told apart; a list in a list is left as it is.
                    (Type::List(_) | Type::Record(_) | Type::Union(_), _) => continue,
                    (_, Type::List(_) | Type::Record(_) | Type::Union(_)) => continue,
                    (left, right) => Type::list(left.clone().or(right.clone())),
                }
            }
            (Type::Record(left), Type::Record(right)) if Arc::ptr_eq(left, right) => return,
            _ => continue,
        };
        *known = merged;
        return;
    }
    union.push(one);
}

fn both(left: &Arc<[Arc<str>]>, right: &Arc<[Arc<str>]>) -> Type {
    if right.iter().all(|word| left.contains(word)) {
        return Type::Text(Some(Arc::clone(left)));
    }
    if left.len() + right.len() > MAX_WORDS {
        return Type::TEXT;
    }
    let more = right.iter().filter(|word| !left.contains(word));
    Type::Text(Some(left.iter().chain(more).cloned().collect()))
}
