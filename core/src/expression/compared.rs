//! One thing that is compared with what is written out: which answers such questions may have together. `x == 'a'` and
//! `x == 'b'` exclude each other, `n > 1000` implies `n > 100`, and of the values of an enum one is there. Values are
//! tried out one by one: those that are written, those between them, and one that nobody wrote.

use serde_json::{Number, Value};

use super::Template;
use super::tree::{Call, Node, Relation, What};

/// How a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    False,
    True,
    /// It cannot be evaluated.
    Error,
}

/// A question about one thing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compared {
    /// The thing, as written, on one line.
    pub(crate) what: String,
    /// What `default` gives in its place where it is missing.
    instead: Option<Value>,
    asks: Asks,
}

#[derive(Debug, Clone, PartialEq)]
enum Asks {
    /// How it compares with this; for `in` and `not in` a list.
    Relation(Relation, Value),
    /// Whether it is there.
    Defined(bool),
    /// Whether it holds by itself.
    Truth,
}

/// What is known of a thing before anything runs.
#[derive(Debug, Clone, Default)]
pub(crate) enum Values {
    /// Nothing.
    #[default]
    Any,
    /// It is one of these.
    These(Vec<Value>),
    /// It is a number, whole or not, between these.
    Numbers { whole: bool, least: Option<f64>, most: Option<f64> },
    /// It is a text.
    Texts,
}

impl Compared {
    /// The question that a text asks; nothing where it is another kind of text.
    pub(crate) fn of(template: &Template) -> Option<Self> {
        Self::of_node(template, template.expression()?)
    }

    /// The question that a part of a text asks.
    pub(crate) fn of_node(template: &Template, node: &Node) -> Option<Self> {
        match &node.what {
            What::Not(inside) => {
                let question = Self::of_node(template, inside)?;
                let asks = match question.asks {
                    Asks::Relation(Relation::In, with) => Asks::Relation(Relation::NotIn, with),
                    Asks::Relation(Relation::Equal, with) => Asks::Relation(Relation::Unequal, with),
                    Asks::Defined(wanted) => Asks::Defined(!wanted),
                    _ => return None,
                };
                Some(Self { asks, ..question })
            }
            What::Comparison(first, links) => {
                let [(relation, other)] = links.as_slice() else { return None };
                match (constant(first), constant(other)) {
                    (None, Some(with)) => {
                        let is_list = matches!(relation, Relation::In | Relation::NotIn);
                        let asks = (!is_list || with.is_array()).then_some(Asks::Relation(*relation, with))?;
                        Some(Self::about(template, first, asks))
                    }
                    (Some(with), None) => Some(Self::about(template, other, Asks::Relation(turned(*relation)?, with))),
                    _ => None,
                }
            }
            What::Call(Call { callable, subject: Some(subject), .. }) if callable.name == "defined" => {
                Some(Self::about(template, subject, Asks::Defined(true)))
            }
            What::Call(Call { callable, subject: Some(subject), .. }) if callable.name == "undefined" => {
                Some(Self::about(template, subject, Asks::Defined(false)))
            }
            What::Chain(..) => Some(Self::about(template, node, Asks::Truth)),
            _ => None,
        }
    }

    /// The words of which it asks for one; nothing where it asks something else, or provides for what is missing.
    pub(crate) fn words(&self) -> Option<Vec<&str>> {
        match &self.asks {
            _ if self.instead.is_some() => None,
            Asks::Relation(Relation::Equal, Value::String(word)) => Some(vec![word]),
            Asks::Relation(Relation::In, Value::Array(items)) => items.iter().map(Value::as_str).collect(),
            _ => None,
        }
    }

    /// The thing with what stands in for it, where it asks whether that is one value, or is not: of such questions about
    /// different values at most one holds. Numbers with a point are left out: `1` is `1.0`.
    pub(crate) fn one_of(&self) -> Option<String> {
        match &self.asks {
            Asks::Relation(Relation::Equal | Relation::Unequal, with) if !with.is_f64() && !with.is_array() => {
                let instead = self.instead.as_ref().map(|instead| format!(" | default({instead})"));
                Some(format!("{}{}", self.what, instead.unwrap_or_default()))
            }
            _ => None,
        }
    }

    fn about(template: &Template, node: &Node, asks: Asks) -> Self {
        let (node, instead) = match &node.what {
            What::Call(Call { callable, subject: Some(subject), arguments, .. }) if callable.name == "default" => {
                match arguments.as_slice() {
                    [(_, argument)] => match constant(argument) {
                        Some(instead) => (&**subject, Some(instead)),
                        None => (node, None),
                    },
                    _ => (node, None),
                }
            }
            _ => (node, None),
        };
        let source = template.text().get(node.range.clone()).unwrap_or_default();
        // Places begin after the brackets that stand before them.
        let missing = source.matches(')').count().saturating_sub(source.matches('(').count());
        let what = "(".repeat(missing) + &source.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { what, instead, asks }
    }

    /// The answers for a value; for nothing, where the thing is missing.
    fn answers(&self, value: Option<&Value>) -> Vec<Answer> {
        let told = |truth: bool| vec![if truth { Answer::True } else { Answer::False }];
        if let Asks::Defined(wanted) = self.asks {
            return told(value.or(self.instead.as_ref()).is_some() == wanted);
        }
        let Some(value) = value.or(self.instead.as_ref()) else { return vec![Answer::Error] };
        match (&self.asks, value) {
            (Asks::Relation(relation, with), value) => match compare(*relation, value, with) {
                Some(truth) => told(truth),
                None => vec![Answer::Error],
            },
            (_, Value::Bool(truth)) => told(*truth),
            // What is no truth is an error by itself, and is taken for one before `and`.
            _ => vec![Answer::False, Answer::True, Answer::Error],
        }
    }

    /// What is written out in it.
    fn written(&self) -> impl Iterator<Item = &Value> {
        let with = match &self.asks {
            Asks::Relation(_, Value::Array(items)) => items.as_slice(),
            Asks::Relation(_, with) => std::slice::from_ref(with),
            Asks::Defined(_) | Asks::Truth => &[],
        };
        with.iter().chain(&self.instead)
    }
}

/// The answers that questions about the same thing may have together, each row in their order.
pub(crate) fn together(questions: &[&Compared], values: &Values) -> Vec<Vec<Answer>> {
    let written: Vec<&Value> = questions.iter().flat_map(|one| one.written()).collect();
    let mut rows: Vec<Vec<Answer>> = Vec::new();
    let tried = tried(&written, values);
    for value in tried.iter().map(Some).chain([None]) {
        let mut of_value: Vec<Vec<Answer>> = vec![Vec::new()];
        for question in questions {
            let answers = question.answers(value);
            of_value = of_value
                .into_iter()
                .flat_map(|row| answers.iter().map(move |answer| row.iter().copied().chain([*answer]).collect()))
                .collect();
        }
        rows.extend(of_value);
    }
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// Values of which one is like each that the thing may have, as far as what is written can tell.
fn tried(written: &[&Value], values: &Values) -> Vec<Value> {
    match values {
        Values::These(values) => values.clone(),
        Values::Numbers { whole, least, most } => numbers(written, *whole, *least, *most),
        Values::Texts => texts(written),
        Values::Any => {
            let others = [Value::Null, Value::Bool(false), Value::Bool(true), Value::Array(Vec::new())];
            let lists = written.iter().filter(|one| one.is_array() || one.is_object()).map(|one| (*one).clone());
            let plain = numbers(written, false, None, None).into_iter().chain(texts(written));
            plain.chain(others).chain(lists).collect()
        }
    }
}

/// Every number that is written, those between two of them, and those beyond.
fn numbers(written: &[&Value], whole: bool, least: Option<f64>, most: Option<f64>) -> Vec<Value> {
    let mut known: Vec<f64> = written.iter().filter_map(|value| value.as_f64()).chain(least).chain(most).collect();
    known.push(0.0);
    known.sort_by(f64::total_cmp);
    let between = known.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect::<Vec<_>>();
    let near = known.iter().flat_map(|one| [one - 1.0, *one, one + 1.0]);
    let mut all: Vec<f64> = near.chain(between).collect();
    if whole {
        all = all.iter().flat_map(|one| [one.floor(), one.ceil()]).collect();
    }
    let inside = |one: &f64| least.is_none_or(|least| *one >= least) && most.is_none_or(|most| *one <= most);
    all.retain(inside);
    all.sort_by(f64::total_cmp);
    all.dedup();
    all.into_iter().filter_map(Number::from_f64).map(Value::Number).collect()
}

/// Every text that is written, the next one after each, the first of all and one after all.
fn texts(written: &[&Value]) -> Vec<Value> {
    let known = written.iter().filter_map(|value| value.as_str());
    let near = known.flat_map(|text| [text.to_owned(), format!("{text}\u{0}")]);
    near.chain([String::new(), "\u{10ffff}".to_owned()]).map(Value::String).collect()
}

/// A value that is written out.
fn constant(node: &Node) -> Option<Value> {
    match &node.what {
        What::Constant(value) => Some(value.clone()),
        What::List(items) => items.iter().map(constant).collect::<Option<Vec<_>>>().map(Value::Array),
        What::Negative(of) => {
            let number = Number::from_f64(-constant(of)?.as_f64()?)?;
            Some(Value::Number(number))
        }
        _ => None,
    }
}

/// The relation with its sides exchanged.
fn turned(relation: Relation) -> Option<Relation> {
    Some(match relation {
        Relation::Equal | Relation::Unequal => relation,
        Relation::Less => Relation::Greater,
        Relation::LessOrEqual => Relation::GreaterOrEqual,
        Relation::Greater => Relation::Less,
        Relation::GreaterOrEqual => Relation::LessOrEqual,
        Relation::In | Relation::NotIn => return None,
    })
}

/// How two values compare; nothing where they have no order.
fn compare(relation: Relation, value: &Value, with: &Value) -> Option<bool> {
    let among = || with.as_array().is_some_and(|items| items.iter().any(|item| is_equal(value, item)));
    let order = || match (value, with) {
        (Value::Number(_), Value::Number(_)) => value.as_f64()?.partial_cmp(&with.as_f64()?),
        (Value::String(value), Value::String(with)) => Some(value.cmp(with)),
        _ => None,
    };
    Some(match relation {
        Relation::Equal => is_equal(value, with),
        Relation::Unequal => !is_equal(value, with),
        Relation::In => among(),
        Relation::NotIn => !among(),
        Relation::Less => order()?.is_lt(),
        Relation::LessOrEqual => order()?.is_le(),
        Relation::Greater => order()?.is_gt(),
        Relation::GreaterOrEqual => order()?.is_ge(),
    })
}

/// Whether two values are equal; `1` and `1.0` are.
fn is_equal(value: &Value, with: &Value) -> bool {
    match (value.as_f64(), with.as_f64()) {
        (Some(value), Some(with)) => value.total_cmp(&with).is_eq() || (value == 0.0 && with == 0.0),
        _ => value == with,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The rows of questions in which all can be answered: a letter for each.
    fn rows(texts: &[&str], values: &Values) -> Vec<String> {
        let parse = |text: &&str| Compared::of(&Template::parse(&format!("{{{{ {text} }}}}")).unwrap()).unwrap();
        let questions: Vec<Compared> = texts.iter().map(parse).collect();
        assert!(questions.iter().all(|one| one.what == questions[0].what), "{questions:?}");
        let letter = |answer: &Answer| match answer {
            Answer::False => 'f',
            Answer::True => 't',
            Answer::Error => '!',
        };
        let rows = together(&questions.iter().collect::<Vec<_>>(), values);
        rows.iter().map(|row| row.iter().map(letter).collect()).collect()
    }

    #[test]
    fn one_thing_is_one_thing() {
        let words = Values::These(vec!["dev".into(), "prod".into()]);
        assert_eq!(rows(&["x == 'dev'", "x == 'prod'"], &Values::Any), ["ff", "ft", "tf", "!!"]);
        assert_eq!(rows(&["x == 'dev'", "'prod' == x"], &words), ["ft", "tf", "!!"]);
        assert_eq!(rows(&["x != 'dev'", "x == 'prod'"], &words), ["ff", "tt", "!!"]);
        assert_eq!(rows(&["x in ['dev', 'stage']", "x not in ['dev', 'prod']"], &words), ["ff", "tf", "!!"]);
        assert_eq!(rows(&["x == 'dev'", "x is defined"], &words), ["ft", "tt", "!f"]);
        assert_eq!(rows(&["x | default('dev') == 'dev'", "x == 'dev'"], &words), ["ff", "tt", "t!"]);
        assert_eq!(rows(&["x", "x == true"], &Values::These(vec![true.into(), false.into()])), ["ff", "tt", "!!"]);
    }

    #[test]
    fn numbers_have_an_order() {
        let numbers = |whole| Values::Numbers { whole, least: None, most: None };
        assert_eq!(rows(&["n > 100", "n > 1000"], &numbers(false)), ["ff", "tf", "tt", "!!"]);
        assert_eq!(rows(&["n > 1", "n < 2"], &numbers(true)), ["ft", "tf", "!!"]);
        assert_eq!(rows(&["n > 1", "n < 2"], &numbers(false)), ["ft", "tf", "tt", "!!"]);
        assert_eq!(rows(&["n > -1", "n == 1.0"], &numbers(true)), ["ff", "tf", "tt", "!!"]);
        let small = Values::Numbers { whole: true, least: Some(0.0), most: Some(10.0) };
        assert_eq!(rows(&["n > 20", "n >= 0"], &small), ["ft", "!!"]);
        // Of what may be no number, an order may be asked in vain.
        assert_eq!(rows(&["n > 1", "n == 2"], &Values::Any), ["ff", "tf", "tt", "!f", "!!"]);
    }
}
