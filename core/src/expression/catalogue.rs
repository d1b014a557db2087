//! The allow-list: every filter, test and function that an expression may use, with its parameters and its line of
//! documentation. The parser checks calls against it, the documentation is made from it. Nothing else can be called.

use serde_json::Value;

use super::filters::{self, Arguments};

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
    pub(super) run: Run,
}

impl std::fmt::Debug for Callable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.signature())
    }
}

/// What a callable does. The first three need the evaluator, because they look at what is missing.
#[derive(Clone, Copy)]
pub(super) enum Run {
    Default,
    Defined,
    Undefined,
    Filter(fn(&Value, &Arguments<'_>) -> Result<Value, String>),
    Test(fn(&Value, &Arguments<'_>) -> Result<bool, String>),
    Function(fn(&Arguments<'_>) -> Result<Value, String>),
}

impl Callable {
    /// How it is written, optional parameters with a question mark: `round(digits?)`.
    pub fn signature(&self) -> String {
        if self.parameters.is_empty() {
            return self.name.to_owned();
        }
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| format!("{}{}", parameter.name, if parameter.optional { "?" } else { "" }))
            .collect();
        format!("{}({})", self.name, parameters.join(", "))
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

const fn required(name: &'static str) -> Parameter {
    Parameter { name, optional: false }
}

const fn optional(name: &'static str) -> Parameter {
    Parameter { name, optional: true }
}

const fn entry(
    kind: CallableKind,
    name: &'static str,
    parameters: &'static [Parameter],
    run: Run,
    summary: &'static str,
) -> Callable {
    Callable { kind, name, parameters, summary, run }
}

use CallableKind::{Filter, Function, Test};
use Run::{Filter as F, Test as T};

const CATALOGUE: &[Callable] = &[
    entry(
        Filter,
        "default",
        &[required("fallback")],
        Run::Default,
        "The value, or `fallback` where any part of it is missing or null.",
    ),
    entry(Filter, "upper", &[], F(filters::upper), "The text in upper case."),
    entry(Filter, "lower", &[], F(filters::lower), "The text in lower case."),
    entry(
        Filter,
        "capitalize",
        &[],
        F(filters::capitalize),
        "The first letter in upper case, the others in lower case.",
    ),
    entry(Filter, "title", &[], F(filters::title), "Every word with a capital letter."),
    entry(Filter, "trim", &[], F(filters::trim), "The text without white space around it."),
    entry(
        Filter,
        "replace",
        &[required("from"), required("to")],
        F(filters::replace),
        "The text with every `from` replaced by `to`.",
    ),
    entry(
        Filter,
        "split",
        &[optional("separator")],
        F(filters::split),
        "The parts of the text between separators (white space if none is given), as a list.",
    ),
    entry(Filter, "lines", &[], F(filters::lines), "The lines of the text, as a list."),
    entry(
        Filter,
        "truncate",
        &[required("length"), optional("end")],
        F(filters::truncate),
        "The text cut to `length` characters, `end` included (`…` if not given).",
    ),
    entry(
        Filter,
        "indent",
        &[required("width"), optional("first")],
        F(filters::indent),
        "The text with its lines, except the first one, moved right by `width` spaces.",
    ),
    entry(Filter, "urlencode", &[], F(filters::urlencode), "The text percent-encoded for a part of a URL."),
    entry(Filter, "string", &[], F(filters::string), "The value as it is printed, as a text."),
    entry(
        Filter,
        "int",
        &[optional("fallback")],
        F(filters::int),
        "The value as a whole number; `fallback` where it is none.",
    ),
    entry(
        Filter,
        "float",
        &[optional("fallback")],
        F(filters::float),
        "The value as a number; `fallback` where it is none.",
    ),
    entry(Filter, "abs", &[], F(filters::abs), "The number without its sign."),
    entry(
        Filter,
        "round",
        &[optional("digits")],
        F(filters::round),
        "The number rounded to `digits` after the point; without `digits` a whole number.",
    ),
    entry(Filter, "length", &[], F(filters::length), "The number of characters, entries or keys."),
    entry(Filter, "count", &[], F(filters::length), "The same as `length`."),
    entry(Filter, "first", &[], F(filters::first), "The first entry or character; null where there is none."),
    entry(Filter, "last", &[], F(filters::last), "The last entry or character; null where there is none."),
    entry(Filter, "reverse", &[], F(filters::reverse), "The text or list backwards."),
    entry(
        Filter,
        "sort",
        &[optional("attribute"), optional("reverse")],
        F(filters::sort),
        "The list in order, by `attribute` of its entries if given.",
    ),
    entry(Filter, "unique", &[], F(filters::unique), "The list without repetitions."),
    entry(Filter, "min", &[], F(filters::min), "The smallest entry; null where there is none."),
    entry(Filter, "max", &[], F(filters::max), "The largest entry; null where there is none."),
    entry(
        Filter,
        "sum",
        &[optional("attribute")],
        F(filters::sum),
        "The sum of the list's numbers, or of `attribute` of its entries.",
    ),
    entry(
        Filter,
        "join",
        &[optional("separator"), optional("attribute")],
        F(filters::join),
        "The entries of the list as one text, `separator` between them.",
    ),
    entry(
        Filter,
        "map",
        &[optional("filter"), optional("attribute"), optional("default")],
        F(filters::map),
        "The list with `attribute` of each entry, or with the filter of that name applied to each.",
    ),
    entry(
        Filter,
        "select",
        &[optional("test"), optional("value")],
        F(filters::select),
        "The entries that pass the test of that name, or that are not empty.",
    ),
    entry(
        Filter,
        "reject",
        &[optional("test"), optional("value")],
        F(filters::reject),
        "The entries that `select` would leave out.",
    ),
    entry(
        Filter,
        "selectattr",
        &[required("attribute"), optional("test"), optional("value")],
        F(filters::selectattr),
        "The entries whose `attribute` passes the test, or is not empty.",
    ),
    entry(
        Filter,
        "rejectattr",
        &[required("attribute"), optional("test"), optional("value")],
        F(filters::rejectattr),
        "The entries that `selectattr` would leave out.",
    ),
    entry(Filter, "batch", &[required("size")], F(filters::batch), "The list cut into lists of `size` entries."),
    entry(
        Filter,
        "list",
        &[],
        F(filters::list),
        "The entries of a list, the keys of a map or the characters of a text, as a list.",
    ),
    entry(Filter, "items", &[], F(filters::items), "The entries of a map as a list of `[key, value]`."),
    entry(Filter, "values", &[], F(filters::values), "The values of a map as a list."),
    entry(
        Filter,
        "tojson",
        &[optional("indent")],
        F(filters::tojson),
        "The value as JSON text, on several lines if `indent` is given.",
    ),
    entry(Filter, "fromjson", &[], F(filters::fromjson), "The value that a JSON text stands for."),
    entry(Test, "defined", &[], Run::Defined, "Whether all parts of it exist."),
    entry(Test, "undefined", &[], Run::Undefined, "Whether a part of it is missing."),
    entry(Test, "none", &[], T(filters::is_none), "Whether it is null."),
    entry(Test, "boolean", &[], T(filters::is_boolean), "Whether it is true or false."),
    entry(Test, "true", &[], T(filters::is_true), "Whether it is true."),
    entry(Test, "false", &[], T(filters::is_false), "Whether it is false."),
    entry(Test, "number", &[], T(filters::is_number), "Whether it is a number."),
    entry(Test, "integer", &[], T(filters::is_integer), "Whether it is a whole number."),
    entry(Test, "float", &[], T(filters::is_float), "Whether it is a number with a fraction."),
    entry(Test, "string", &[], T(filters::is_string), "Whether it is a text."),
    entry(Test, "sequence", &[], T(filters::is_sequence), "Whether it is a list."),
    entry(Test, "mapping", &[], T(filters::is_mapping), "Whether it is a map."),
    entry(Test, "empty", &[], T(filters::is_empty), "Whether it is null or a text, list or map without content."),
    entry(Test, "odd", &[], T(filters::is_odd), "Whether the whole number is odd."),
    entry(Test, "even", &[], T(filters::is_even), "Whether the whole number is even."),
    entry(
        Test,
        "divisibleby",
        &[required("divisor")],
        T(filters::is_divisible),
        "Whether the whole number can be divided by `divisor` without a rest.",
    ),
    entry(
        Test,
        "startingwith",
        &[required("start")],
        T(filters::is_starting_with),
        "Whether the text begins with `start`.",
    ),
    entry(Test, "endingwith", &[required("end")], T(filters::is_ending_with), "Whether the text ends with `end`."),
    entry(
        Test,
        "in",
        &[required("whole")],
        T(filters::is_in),
        "Whether it is a part of the text, an entry of the list or a key of the map.",
    ),
    entry(
        Test,
        "eq",
        &[required("other")],
        T(filters::is_equal),
        "Whether both are equal; for `select` and `selectattr`.",
    ),
    entry(Test, "ne", &[required("other")], T(filters::is_unequal), "Whether they differ."),
    entry(Test, "lt", &[required("other")], T(filters::is_less), "Whether it is smaller than `other`."),
    entry(Test, "le", &[required("other")], T(filters::is_at_most), "Whether it is not larger than `other`."),
    entry(Test, "gt", &[required("other")], T(filters::is_greater), "Whether it is larger than `other`."),
    entry(Test, "ge", &[required("other")], T(filters::is_at_least), "Whether it is not smaller than `other`."),
    entry(
        Function,
        "range",
        &[required("start"), optional("stop"), optional("step")],
        Run::Function(filters::range),
        "The whole numbers from `start` up to but without `stop`; with one argument from 0 up to it. At most 10,000.",
    ),
];
