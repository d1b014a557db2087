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
    takes: Takes,
    /// Makes what does its work, for [`Value::call`].
    pub(super) run: fn() -> Value,
}

/// What a callable can be applied to.
enum Takes {
    Anything,
    Text,
    Number,
    List,
    Map,
    ListOrText,
    Sized,
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
        let (fits, needed) = match self.takes {
            Takes::Anything => (true, ""),
            Takes::Text => (matches!(kind, String | Number), "a text"),
            Takes::Number => (kind == Number, "a number"),
            Takes::List => (matches!(kind, Seq | Iterable), "a list"),
            Takes::Map => (kind == Map, "a map"),
            Takes::ListOrText => (matches!(kind, Seq | Iterable | String), "a list or a text"),
            Takes::Sized => (matches!(kind, Seq | Iterable | String | Map), "a text, a list or a map"),
        };
        (!fits).then_some(needed)
    }
}

/// Everything that an expression may call, in the order of the documentation.
pub fn catalogue() -> &'static [Callable] {
    CATALOGUE
}

/// Looks a name up.
pub(super) fn find(kind: CallableKind, name: &str) -> Option<&'static Callable> {
    CATALOGUE.iter().find(|callable| callable.kind == kind && callable.name == name)
}

/// The candidate that `word` is most likely a slip of: at most a third of it differs.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A parameter from its name, with a question mark if it is optional.
const fn parameter(written: &'static str) -> Parameter {
    let (name, last) = written.split_at(written.len() - 1);
    match last.as_bytes() {
        b"?" => Parameter { name, optional: true },
        _ => Parameter { name: written, optional: false },
    }
}

macro_rules! table {
    ($($kind:ident $name:literal [$($parameter:literal),*] $takes:ident => $run:expr, $summary:literal;)*) => {
        &[$(Callable {
            kind: CallableKind::$kind,
            name: $name,
            parameters: &[$(parameter($parameter)),*],
            summary: $summary,
            takes: Takes::$takes,
            run: || Value::from_function($run),
        }),*]
    };
}

const CATALOGUE: &[Callable] = table! {
    Filter "default" ["fallback"] Anything => own::default,
        "The value, or `fallback` where any part of it is missing or null.";
    Filter "upper" [] Text => filters::upper, "The text in upper case.";
    Filter "lower" [] Text => filters::lower, "The text in lower case.";
    Filter "capitalize" [] Text => filters::capitalize, "The first letter in upper case, the others in lower case.";
    Filter "title" [] Text => filters::title, "Every word with a capital letter.";
    Filter "trim" [] Text => filters::trim, "The text without white space around it.";
    Filter "replace" ["from", "to"] Text => own::replace, "The text with every `from` replaced by `to`.";
    Filter "split" ["separator?"] Text => filters::split,
        "The parts of the text between separators (white space if none is given), as a list.";
    Filter "lines" [] Text => filters::lines, "The lines of the text, as a list.";
    Filter "truncate" ["length", "end?"] Text => own::truncate,
        "The text cut to `length` characters, `end` included (`…` if not given).";
    Filter "indent" ["width", "first?"] Text => own::indent,
        "The text with its lines, except the first one, moved right by `width` spaces.";
    Filter "urlencode" [] Text => own::urlencode, "The text percent-encoded for a part of a URL.";
    Filter "string" [] Anything => own::string, "The value as it is printed, as a text.";
    Filter "int" ["fallback?"] Anything => own::int, "The value as a whole number; `fallback` where it is none.";
    Filter "float" ["fallback?"] Anything => own::float, "The value as a number; `fallback` where it is none.";
    Filter "abs" [] Number => filters::abs, "The number without its sign.";
    Filter "round" ["digits?"] Number => own::round,
        "The number rounded to `digits` after the point; without `digits` a whole number.";
    Filter "length" [] Sized => filters::length, "The number of characters, entries or keys.";
    Filter "count" [] Sized => filters::length, "The same as `length`.";
    Filter "first" [] ListOrText => filters::first, "The first entry or character; null where there is none.";
    Filter "last" [] ListOrText => filters::last, "The last entry or character; null where there is none.";
    Filter "reverse" [] ListOrText => filters::reverse, "The text or list backwards.";
    Filter "sort" ["attribute?", "reverse?"] List => filters::sort,
        "The list in order, by `attribute` of its entries if given.";
    Filter "unique" [] List => filters::unique, "The list without repetitions.";
    Filter "min" [] List => filters::min, "The smallest entry; null where there is none.";
    Filter "max" [] List => filters::max, "The largest entry; null where there is none.";
    Filter "sum" ["attribute?"] List => filters::sum,
        "The sum of the list's numbers, or of `attribute` of its entries.";
    Filter "join" ["separator?", "attribute?"] List => own::join,
        "The entries of the list as one text, `separator` between them.";
    Filter "map" ["filter?", "attribute?", "default?"] List => filters::map,
        "The list with `attribute` of each entry, or with the filter of that name applied to each.";
    Filter "select" ["test?", "value?"] List => filters::select,
        "The entries that pass the test of that name, or that are not empty.";
    Filter "reject" ["test?", "value?"] List => filters::reject, "The entries that `select` would leave out.";
    Filter "selectattr" ["attribute", "test?", "value?"] List => filters::selectattr,
        "The entries whose `attribute` passes the test, or is not empty.";
    Filter "rejectattr" ["attribute", "test?", "value?"] List => filters::rejectattr,
        "The entries that `selectattr` would leave out.";
    Filter "batch" ["size"] List => filters::batch, "The list cut into lists of `size` entries.";
    Filter "list" [] Sized => filters::list,
        "The entries of a list, the keys of a map or the characters of a text, as a list.";
    Filter "items" [] Map => own::items, "The entries of a map as a list of `[key, value]`.";
    Filter "values" [] Map => own::values, "The values of a map as a list.";
    Filter "tojson" ["indent?"] Anything => own::tojson,
        "The value as JSON text, on several lines if `indent` is given.";
    Filter "fromjson" [] Text => own::fromjson, "The value that a JSON text stands for.";
    Test "defined" [] Anything => tests::is_defined, "Whether all parts of it exist.";
    Test "undefined" [] Anything => tests::is_undefined, "Whether a part of it is missing.";
    Test "none" [] Anything => tests::is_none, "Whether it is null.";
    Test "boolean" [] Anything => tests::is_boolean, "Whether it is true or false.";
    Test "true" [] Anything => tests::is_true, "Whether it is true.";
    Test "false" [] Anything => tests::is_false, "Whether it is false.";
    Test "number" [] Anything => Value::is_number, "Whether it is a number.";
    Test "integer" [] Anything => tests::is_integer, "Whether it is a whole number.";
    Test "float" [] Anything => tests::is_float, "Whether it is a number with a fraction.";
    Test "string" [] Anything => tests::is_string, "Whether it is a text.";
    Test "sequence" [] Anything => tests::is_sequence, "Whether it is a list.";
    Test "mapping" [] Anything => tests::is_mapping, "Whether it is a map.";
    Test "empty" [] Anything => own::is_empty, "Whether it is null or a text, list or map without content.";
    Test "odd" [] Number => tests::is_odd, "Whether the whole number is odd.";
    Test "even" [] Number => tests::is_even, "Whether the whole number is even.";
    Test "divisibleby" ["divisor"] Number => own::is_divisible,
        "Whether the whole number can be divided by `divisor` without a rest.";
    Test "startingwith" ["start"] Text => tests::is_startingwith, "Whether the text begins with `start`.";
    Test "endingwith" ["end"] Text => tests::is_endingwith, "Whether the text ends with `end`.";
    Test "in" ["whole"] Anything => relation("in"),
        "Whether it is a part of the text, an entry of the list or a key of the map.";
    Test "eq" ["other"] Anything => relation("=="), "Whether both are equal; for `select` and `selectattr`.";
    Test "ne" ["other"] Anything => relation("!="), "Whether they differ.";
    Test "lt" ["other"] Anything => relation("<"), "Whether it is smaller than `other`.";
    Test "le" ["other"] Anything => relation("<="), "Whether it is not larger than `other`.";
    Test "gt" ["other"] Anything => relation(">"), "Whether it is larger than `other`.";
    Test "ge" ["other"] Anything => relation(">="), "Whether it is not smaller than `other`.";
    Function "range" ["start", "stop?", "step?"] Anything => own::range,
        "The whole numbers from `start` up to but without `stop`; with one argument from 0 up to it. At most 10,000.";
};
