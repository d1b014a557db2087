//! The allow-list: every filter, test and function that an expression may use, with its parameters, what does its
//! work, and its line of documentation. Calls are checked against it, the documentation is made from it. Nothing
//! else can be called.

use minijinja::value::{Value, ValueKind};
use minijinja::{filters, tests};

use super::compare::relation;
use super::filters as own;

/// Where a callable stands: `x | FILTER`, `x is TEST`, `FUNCTION(x)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallableKind {
    /// `x | name`
    Filter,
    /// `x is name`
    Test,
    /// `name(x)`
    Function,
}

impl CallableKind {
    /// The word for it in a sentence.
    pub fn word(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Test => "test",
            Self::Function => "function",
        }
    }
}

/// One parameter; it is given by position or as `name=value`.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name in `name=value`.
    pub name: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
    /// What may be given for it.
    pub takes: Takes,
}

impl Parameter {
    /// Whether minijinja takes it by name only.
    pub(super) fn is_named(&self) -> bool {
        matches!(self.name, "attribute" | "reverse" | "default") && self.optional
    }
}

/// Something that an expression may call.
pub struct Callable {
    /// Where it stands.
    pub kind: CallableKind,
    /// Its name.
    pub name: &'static str,
    /// Its parameters after the value that it is applied to.
    pub parameters: &'static [Parameter],
    /// One line for the documentation.
    pub summary: &'static str,
    /// What it can be applied to.
    pub takes: Takes,
    /// What comes of it.
    pub gives: Gives,
    /// Makes what does its work, for [`Value::call`].
    pub(super) run: fn() -> Value,
}

/// What a callable can be applied to, or be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Anything.
    Anything,
    /// A text, or a number as it is printed.
    Text,
    /// A text and nothing else.
    Words,
    /// A number.
    Number,
    /// A whole number.
    Whole,
    /// True or false.
    Truth,
    /// A list.
    List,
    /// A map.
    Map,
    /// A list or a text.
    ListOrText,
    /// A list, a map or a text.
    Sized,
    /// The name of a field of a list's entries, or a dotted path to one.
    Attribute,
    /// The name of a test.
    Test,
    /// The name of a filter.
    Filter,
}

impl Takes {
    /// The words for it: "a text".
    pub fn words(self) -> &'static str {
        match self {
            Self::Anything => "anything",
            Self::Text | Self::Words => "a text",
            Self::Number => "a number",
            Self::Whole => "a whole number",
            Self::Truth => "true or false",
            Self::List => "a list",
            Self::Map => "a map",
            Self::ListOrText => "a list or a text",
            Self::Sized => "a text, a list or a map",
            Self::Attribute => "the name of a field in quotes",
            Self::Test => "the name of a test in quotes",
            Self::Filter => "the name of a filter in quotes",
        }
    }
}

/// What comes of a callable, by what it is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// Something of which nothing is known.
    Anything,
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A whole number, or what is given in its place.
    Whole,
    /// A list of whole numbers.
    Wholes,
    /// A number, or what is given in its place.
    Number,
    /// True or false.
    Truth,
    /// The same again.
    Same,
    /// The same without null, or what is given in its place.
    Default,
    /// A whole number, unless digits are asked for.
    Rounded,
    /// One entry of a list, one character of a text.
    Entry,
    /// Entries of the list, or characters of the text.
    Entries,
    /// Entries, keys or characters as a list.
    Listed,
    /// The sum of a list's entries.
    Sum,
    /// A list with something of each entry.
    Mapped,
    /// Lists of entries.
    Groups,
    /// A list of keys with their values.
    Pairs,
    /// A list of values.
    Values,
}

impl std::fmt::Debug for Callable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.signature())
    }
}

impl Callable {
    /// How it is written, optional parameters with a question mark: `round(digits?)`.
    pub fn signature(&self) -> String {
        if self.parameters.is_empty() {
            return self.name.to_owned();
        }
        let mark = |parameter: &Parameter| if parameter.optional { "?" } else { "" };
        let parameters: Vec<String> =
            self.parameters.iter().map(|parameter| format!("{}{}", parameter.name, mark(parameter))).collect();
        format!("{}({})", self.name, parameters.join(", "))
    }

    /// What it needs, if it cannot be applied to a value of this kind.
    pub(super) fn refuses(&self, kind: ValueKind) -> Option<&'static str> {
        use ValueKind::{Iterable, Map, Number, Seq, String};
        let fits = match self.takes {
            Takes::Text => matches!(kind, String | Number),
            Takes::Words => kind == String,
            Takes::Number | Takes::Whole => kind == Number,
            Takes::List => matches!(kind, Seq | Iterable),
            Takes::Map => kind == Map,
            Takes::ListOrText => matches!(kind, Seq | Iterable | String),
            Takes::Sized => matches!(kind, Seq | Iterable | String | Map),
            Takes::Anything | Takes::Truth | Takes::Attribute | Takes::Test | Takes::Filter => true,
        };
        (!fits).then_some(self.takes.words())
    }
}

/// Everything that an expression may call, in the order of the documentation.
pub fn catalogue() -> &'static [Callable] {
    CATALOGUE
}

/// Looks a name up.
pub(crate) fn find(kind: CallableKind, name: &str) -> Option<&'static Callable> {
    CATALOGUE.iter().find(|callable| callable.kind == kind && callable.name == name)
}

/// The candidate that `word` is most likely a slip of: at most a third of it differs.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A parameter from its name, with a question mark if it is optional.
const fn parameter(written: &'static str, takes: Takes) -> Parameter {
    let (name, last) = written.split_at(written.len() - 1);
    match last.as_bytes() {
        b"?" => Parameter { name, optional: true, takes },
        _ => Parameter { name: written, optional: false, takes },
    }
}

macro_rules! table {
    ($(
        $kind:ident $name:literal [$($parameter:literal: $type:ident),*] $takes:ident -> $gives:ident
            => $run:expr, $summary:literal;
    )*) => {
        &[$(Callable {
            kind: CallableKind::$kind,
            name: $name,
            parameters: &[$(parameter($parameter, Takes::$type)),*],
            summary: $summary,
            takes: Takes::$takes,
            gives: Gives::$gives,
            run: || Value::from_function($run),
        }),*]
    };
}

const CATALOGUE: &[Callable] = table! {
    Filter "default" ["fallback": Anything] Anything -> Default => own::default,
        "The value, or `fallback` where any part of it is missing or null.";
    Filter "upper" [] Text -> Text => filters::upper, "The text in upper case.";
    Filter "lower" [] Text -> Text => filters::lower, "The text in lower case.";
    Filter "capitalize" [] Text -> Text => filters::capitalize, "The first letter in upper case, the others in lower case.";
    Filter "title" [] Text -> Text => filters::title, "Every word with a capital letter.";
    Filter "trim" [] Text -> Text => filters::trim, "The text without white space around it.";
    Filter "replace" ["from": Words, "to": Anything] Text -> Text => own::replace, "The text with every `from` replaced by `to`.";
    Filter "split" ["separator?": Words] Words -> Texts => filters::split,
        "The parts of the text between separators (white space if none is given), as a list.";
    Filter "lines" [] Words -> Texts => filters::lines, "The lines of the text, as a list.";
    Filter "truncate" ["length": Whole, "end?": Words] Text -> Text => own::truncate,
        "The text cut to `length` characters, `end` included (`…` if not given).";
    Filter "indent" ["width": Whole, "first?": Truth] Text -> Text => own::indent,
        "The text with its lines, except the first one, moved right by `width` spaces.";
    Filter "urlencode" [] Text -> Text => own::urlencode, "The text percent-encoded for a part of a URL.";
    Filter "string" [] Anything -> Text => own::string, "The value as it is printed, as a text.";
    Filter "int" ["fallback?": Anything] Anything -> Whole => own::int, "The value as a whole number; `fallback` where it is none.";
    Filter "float" ["fallback?": Anything] Anything -> Number => own::float, "The value as a number; `fallback` where it is none.";
    Filter "abs" [] Number -> Same => filters::abs, "The number without its sign.";
    Filter "round" ["digits?": Whole] Number -> Rounded => own::round,
        "The number rounded to `digits` after the point; without `digits` a whole number.";
    Filter "length" [] Sized -> Whole => filters::length, "The number of characters, entries or keys.";
    Filter "count" [] Sized -> Whole => filters::length, "The same as `length`.";
    Filter "first" [] ListOrText -> Entry => filters::first, "The first entry or character; null where there is none.";
    Filter "last" [] ListOrText -> Entry => filters::last, "The last entry or character; null where there is none.";
    Filter "reverse" [] ListOrText -> Entries => filters::reverse, "The text or list backwards.";
    Filter "sort" ["attribute?": Attribute, "reverse?": Truth] List -> Entries => filters::sort,
        "The list in order, by `attribute` of its entries if given.";
    Filter "unique" [] List -> Entries => filters::unique, "The list without repetitions.";
    Filter "min" [] List -> Entry => filters::min, "The smallest entry; null where there is none.";
    Filter "max" [] List -> Entry => filters::max, "The largest entry; null where there is none.";
    Filter "sum" ["attribute?": Attribute] List -> Sum => filters::sum,
        "The sum of the list's numbers, or of `attribute` of its entries.";
    Filter "join" ["separator?": Words, "attribute?": Attribute] List -> Text => own::join,
        "The entries of the list as one text, `separator` between them.";
    Filter "map" ["filter?": Filter, "attribute?": Attribute, "default?": Anything] List -> Mapped => filters::map,
        "The list with `attribute` of each entry, or with the filter of that name applied to each.";
    Filter "select" ["test?": Test, "value?": Anything] List -> Entries => filters::select,
        "The entries that pass the test of that name, or that are not empty.";
    Filter "reject" ["test?": Test, "value?": Anything] List -> Entries => filters::reject, "The entries that `select` would leave out.";
    Filter "selectattr" ["attribute": Attribute, "test?": Test, "value?": Anything] List -> Entries => filters::selectattr,
        "The entries whose `attribute` passes the test, or is not empty.";
    Filter "rejectattr" ["attribute": Attribute, "test?": Test, "value?": Anything] List -> Entries => filters::rejectattr,
        "The entries that `selectattr` would leave out.";
    Filter "batch" ["size": Whole] List -> Groups => filters::batch, "The list cut into lists of `size` entries.";
    Filter "list" [] Sized -> Listed => filters::list,
        "The entries of a list, the keys of a map or the characters of a text, as a list.";
    Filter "items" [] Map -> Pairs => own::items, "The entries of a map as a list of `[key, value]`.";
    Filter "values" [] Map -> Values => own::values, "The values of a map as a list.";
    Filter "tojson" ["indent?": Whole] Anything -> Text => own::tojson,
        "The value as JSON text, on several lines if `indent` is given.";
    Filter "fromjson" [] Words -> Anything => own::fromjson, "The value that a JSON text stands for.";
    Test "defined" [] Anything -> Truth => tests::is_defined, "Whether all parts of it exist.";
    Test "undefined" [] Anything -> Truth => tests::is_undefined, "Whether a part of it is missing.";
    Test "none" [] Anything -> Truth => tests::is_none, "Whether it is null.";
    Test "boolean" [] Anything -> Truth => tests::is_boolean, "Whether it is true or false.";
    Test "true" [] Anything -> Truth => tests::is_true, "Whether it is true.";
    Test "false" [] Anything -> Truth => tests::is_false, "Whether it is false.";
    Test "number" [] Anything -> Truth => Value::is_number, "Whether it is a number.";
    Test "integer" [] Anything -> Truth => tests::is_integer, "Whether it is a whole number.";
    Test "float" [] Anything -> Truth => tests::is_float, "Whether it is a number with a fraction.";
    Test "string" [] Anything -> Truth => tests::is_string, "Whether it is a text.";
    Test "sequence" [] Anything -> Truth => tests::is_sequence, "Whether it is a list.";
    Test "mapping" [] Anything -> Truth => tests::is_mapping, "Whether it is a map.";
    Test "empty" [] Anything -> Truth => own::is_empty, "Whether it is null or a text, list or map without content.";
    Test "odd" [] Number -> Truth => tests::is_odd, "Whether the whole number is odd.";
    Test "even" [] Number -> Truth => tests::is_even, "Whether the whole number is even.";
    Test "divisibleby" ["divisor": Whole] Number -> Truth => own::is_divisible,
        "Whether the whole number can be divided by `divisor` without a rest.";
    Test "startingwith" ["start": Text] Text -> Truth => tests::is_startingwith, "Whether the text begins with `start`.";
    Test "endingwith" ["end": Text] Text -> Truth => tests::is_endingwith, "Whether the text ends with `end`.";
    Test "in" ["whole": Anything] Anything -> Truth => relation("in"),
        "Whether it is a part of the text, an entry of the list or a key of the map.";
    Test "eq" ["other": Anything] Anything -> Truth => relation("=="), "Whether both are equal; for `select` and `selectattr`.";
    Test "ne" ["other": Anything] Anything -> Truth => relation("!="), "Whether they differ.";
    Test "lt" ["other": Anything] Anything -> Truth => relation("<"), "Whether it is smaller than `other`.";
    Test "le" ["other": Anything] Anything -> Truth => relation("<="), "Whether it is not larger than `other`.";
    Test "gt" ["other": Anything] Anything -> Truth => relation(">"), "Whether it is larger than `other`.";
    Test "ge" ["other": Anything] Anything -> Truth => relation(">="), "Whether it is not smaller than `other`.";
    Function "range" ["start": Whole, "stop?": Whole, "step?": Whole] Anything -> Wholes => own::range,
        "The whole numbers from `start` up to but without `stop`; with one argument from 0 up to it. At most 10,000.";
};
