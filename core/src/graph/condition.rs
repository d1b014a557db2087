//! What conditions say about how steps ended: which of them must have completed where a test came out one way, and
//! whether a test holds in a world in which everybody's fate is known. What is not understood is told apart from what is
//! free, so that nothing is concluded from it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Graph, StepIndex};
use crate::expression::compared::Compared;
use crate::expression::known::chains_of;
use crate::expression::tree::{Link, Node, Operator, Relation, Root, What};
use crate::expression::{Context, Key, Template};

/// How a step ends that gave nothing.
const WITHOUT_OUTPUT: [&str; 3] = ["failed", "skipped", "cancelled"];

/// What must be so of steps where a test came out one way.
#[derive(Debug, Default)]
pub(crate) struct Required<'t> {
    /// They have completed, by their ids.
    pub(crate) completed: BTreeSet<&'t str>,
    /// It asks about them in words that are not understood here: nobody can say.
    pub(crate) unsure: BTreeSet<&'t str>,
}

impl<'t> Required<'t> {
    /// What must be so where `test`, of this text, came out as `outcome`.
    pub(crate) fn by(template: &Template, test: &'t Node, outcome: bool) -> Self {
        let mut required = Self::default();
        chains_of(test, &mut |chain, known| {
            if known.is_empty()
                && let Some(id) = needed_output(template, chain)
            {
                required.completed.insert(id);
            }
        });
        let more = match &test.what {
            What::Not(of) => Self::by(template, of, !outcome),
            What::Operation(operator @ (Operator::And | Operator::Or), left, right) => {
                let (left, right) = (Self::by(template, left, outcome), Self::by(template, right, outcome));
                let both = outcome == (*operator == Operator::And);
                left.with(right, both)
            }
            _ => Self::by_leaf(template, test, outcome),
        };
        required.with(more, true)
    }

    /// Both hold, or one of the two, nobody knows which.
    fn with(mut self, other: Self, both: bool) -> Self {
        self.unsure.extend(other.unsure);
        self.completed = match both {
            true => self.completed.union(&other.completed).copied().collect(),
            false => self.completed.intersection(&other.completed).copied().collect(),
        };
        self
    }

    fn by_leaf(template: &Template, leaf: &'t Node, outcome: bool) -> Self {
        let mut required = Self::default();
        match said(leaf) {
            Some(Said::Status(id, words, positive)) => {
                let rest_is_out = WITHOUT_OUTPUT.iter().all(|word| words.contains(word));
                let is_completed = match positive == outcome {
                    true => words.iter().all(|word| *word == "completed"),
                    false => rest_is_out,
                };
                required.completed.extend(is_completed.then_some(id));
            }
            Some(Said::Output(id, _, positive)) => required.completed.extend((positive == outcome).then_some(id)),
            Some(Said::Taken(..)) => {}
            None => match fallback(template, leaf) {
                Some((id, Some(without))) => required.completed.extend((without != outcome).then_some(id)),
                _ => chains_of(leaf, &mut |chain, _| {
                    if needed_output(template, chain).is_none() {
                        required.unsure.extend(step_chain(chain).map(|(id, _)| id));
                    }
                }),
            },
        }
        required
    }
}

/// A test that asks how a step ended, and whether it asks that or its opposite.
enum Said<'t> {
    /// Its status is one of these.
    Status(&'t str, Vec<&'t str>, bool),
    /// It gave something; whether a part of it is asked for.
    Output(&'t str, bool, bool),
    /// The gateway took the way to this step.
    Taken(&'t str, &'t str, bool),
}

fn said(test: &Node) -> Option<Said<'_>> {
    match &test.what {
        What::Comparison(first, links) => {
            let [(relation, other)] = links.as_slice() else { return None };
            match relation {
                Relation::Equal | Relation::Unequal => {
                    let positive = *relation == Relation::Equal;
                    let (id, word) = status_of(first).zip(word(other)).or_else(|| status_of(other).zip(word(first)))?;
                    Some(Said::Status(id, vec![word], positive))
                }
                Relation::In | Relation::NotIn => {
                    let positive = *relation == Relation::In;
                    if let (Some(id), What::List(items)) = (status_of(first), &other.what) {
                        return Some(Said::Status(id, items.iter().map(word).collect::<Option<_>>()?, positive));
                    }
                    match (step_chain(other)?, word(first)?) {
                        ((id, [output, taken]), word) if is_name(output, "output") && is_name(taken, "taken") => {
                            Some(Said::Taken(id, word, positive))
                        }
                        _ => None,
                    }
                }
                _ => None,
            }
        }
        What::Call(call) if matches!(call.callable.name, "defined" | "undefined") => {
            let (id, links) = step_chain(call.subject.as_deref()?)?;
            let (output, rest) = links.split_first()?;
            let positive = call.callable.name == "defined";
            is_name(output, "output").then_some(Said::Output(id, !rest.is_empty(), positive))
        }
        _ => None,
    }
}

/// The step that a chain reads, and what follows its id.
fn step_chain(node: &Node) -> Option<(&str, &[Link])> {
    let What::Chain(Root::Name(root, _), links) = &node.what else { return None };
    let (first, rest) = links.split_first()?;
    match &first.key {
        Key::Name(id) if root == "steps" => Some((id, rest)),
        _ => None,
    }
}

fn is_name(link: &Link, name: &str) -> bool {
    matches!(&link.key, Key::Name(key) if key == name)
}

fn status_of(node: &Node) -> Option<&str> {
    match step_chain(node)? {
        (id, [status]) if is_name(status, "status") => Some(id),
        _ => None,
    }
}

fn word(node: &Node) -> Option<&str> {
    if let What::Constant(Value::String(word)) = &node.what { Some(word) } else { None }
}

/// The step whose output a chain reads and without which it fails.
fn needed_output<'t>(template: &Template, chain: &'t Node) -> Option<&'t str> {
    let (id, links) = step_chain(chain)?;
    let reference = template.reference_at(&chain.range)?;
    let is_needed = is_name(links.first()?, "output") && !reference.has_default && !reference.conditional;
    is_needed.then_some(id)
}

/// The subject of a `default`, which asks whether it is there. That it has the parts that are read is taken for granted.
fn provided_for<'t>(template: &Template, subject: &'t Node) -> Option<Said<'t>> {
    let (id, links) = step_chain(subject)?;
    let has_default = template.reference_at(&subject.range)?.has_default;
    (has_default && is_name(links.first()?, "output")).then_some(Said::Output(id, false, true))
}

/// The only step that a test asks about, always with `default`, and what the test says where that step gave nothing, if
/// that can be told.
fn fallback<'t>(template: &Template, test: &'t Node) -> Option<(&'t str, Option<bool>)> {
    let (mut ids, mut is_alone) = (BTreeSet::new(), true);
    chains_of(test, &mut |chain, _| match step_chain(chain) {
        Some((id, [output, ..])) if is_name(output, "output") => {
            is_alone &= template.reference_at(&chain.range).is_some_and(|reference| reference.has_default);
            ids.insert(id);
        }
        _ => is_alone = false,
    });
    let id = ids.pop_first().filter(|_| ids.is_empty())?;
    if !is_alone {
        return Some((id, None));
    }
    let steps = Map::from_iter([(id.to_owned(), Value::Object(Map::new()))]);
    let mut context = Context::new();
    context.set("steps", Value::Object(steps));
    let alone = Template::parse(&format!("{{{{ true if {} else false }}}}", source(template, test))).ok()?;
    Some((id, alone.evaluate(&context).ok().and_then(|value| value.as_bool())))
}

/// The text of a part on one line, with the brackets that stand before it.
fn source(template: &Template, node: &Node) -> String {
    let source = template.text().get(node.range.clone()).unwrap_or_default();
    let missing = source.matches(')').count().saturating_sub(source.matches('(').count());
    "(".repeat(missing) + &source.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How a test comes out in a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    False,
    True,
    /// Either way is possible.
    Free,
    /// It cannot be evaluated: a step that it reads gave nothing.
    Error,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }
}

/// A test, with steps by their places and what it cannot know as numbered choices.
#[derive(Debug)]
pub(super) enum Test {
    Constant(bool),
    Not(Box<Self>),
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
    Leaf {
        asks: Asks,
        /// The steps without whose output it cannot be evaluated.
        needs: Vec<StepIndex>,
    },
}

#[derive(Debug)]
pub(super) enum Asks {
    Status(StepIndex, Vec<String>),
    /// Whether it gave something; of a part of that also a choice.
    Output(StepIndex, Option<Option<usize>>),
    Taken(StepIndex, StepIndex),
    /// What it says where the step gave nothing; else a choice.
    Without(StepIndex, bool, Option<usize>),
    /// A choice; none where nobody else asks the same.
    Choice(Option<usize>),
}

/// Choices by the text of their condition: the same text comes out the same everywhere.
#[derive(Debug, Default)]
pub(super) struct Choices {
    by_text: BTreeMap<String, usize>,
    /// Choices of which at most one holds: what one thing is compared with.
    one_of: BTreeMap<String, Vec<usize>>,
}

impl Choices {
    pub(super) fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Sets of choices of which at most one holds.
    pub(super) fn exclusive(&self) -> impl Iterator<Item = &[usize]> {
        self.one_of.values().map(Vec::as_slice).filter(|choices| choices.len() > 1)
    }

    fn number(&mut self, text: String, is_new_allowed: bool) -> Option<usize> {
        let next = self.by_text.len();
        match is_new_allowed {
            true => Some(*self.by_text.entry(text).or_insert(next)),
            false => self.by_text.get(&text).copied(),
        }
    }
}

/// Reads tests as worlds see them.
pub(super) struct Reader<'c, 'graph, 'process> {
    pub(super) graph: &'graph Graph<'process>,
    pub(super) choices: &'c mut Choices,
    /// Whether what nobody has asked yet becomes a choice.
    pub(super) adds: bool,
}

impl Reader<'_, '_, '_> {
    pub(super) fn test(&mut self, template: &Template, node: &Node) -> Test {
        match &node.what {
            What::Constant(value) => Test::Constant(is_true(value)),
            What::Not(of) => Test::Not(Box::new(self.test(template, of))),
            What::Operation(Operator::And, left, right) => {
                Test::Both(Box::new(self.test(template, left)), Box::new(self.test(template, right)))
            }
            What::Operation(Operator::Or, left, right) => {
                Test::Either(Box::new(self.test(template, left)), Box::new(self.test(template, right)))
            }
            _ => self.leaf(template, node),
        }
    }

    /// A condition that cannot be read: one choice.
    pub(super) fn unread(&mut self, text: &str) -> Test {
        let number = self.choices.number(text.to_owned(), self.adds);
        Test::Leaf { asks: Asks::Choice(number), needs: Vec::new() }
    }

    fn leaf(&mut self, template: &Template, node: &Node) -> Test {
        let mut needs = BTreeSet::new();
        chains_of(node, &mut |chain, known| {
            if known.is_empty() {
                needs.extend(needed_output(template, chain).and_then(|id| self.graph.find(id)));
            }
        });
        let needs: Vec<StepIndex> = needs.into_iter().collect();
        let known = said(node).or_else(|| provided_for(template, node));
        let known = known.and_then(|said| self.asks(template, node, said));
        let (asks, positive) = known.unwrap_or_else(|| self.choice(template, node));
        let leaf = Test::Leaf { asks, needs };
        if positive { leaf } else { Test::Not(Box::new(leaf)) }
    }

    fn asks(&mut self, template: &Template, node: &Node, said: Said<'_>) -> Option<(Asks, bool)> {
        Some(match said {
            Said::Status(id, words, positive) => {
                let words = words.into_iter().map(str::to_owned).collect();
                (Asks::Status(self.graph.find(id)?, words), positive)
            }
            Said::Output(id, is_part, positive) => {
                let part = is_part.then(|| self.choices.number(source(template, node), self.adds));
                (Asks::Output(self.graph.find(id)?, part), positive)
            }
            Said::Taken(id, target, positive) => {
                (Asks::Taken(self.graph.find(id)?, self.graph.find(target)?), positive)
            }
        })
    }

    /// A choice, and whether it must hold for the test to hold: of opposites one is kept.
    fn choice(&mut self, template: &Template, node: &Node) -> (Asks, bool) {
        let compared = Compared::of_node(template, node).and_then(|compared| compared.one_of());
        let (text, positive) = match &node.what {
            What::Comparison(first, links) if links.len() == 1 => {
                let (relation, other) = &links[0];
                let (kept, positive) = match relation {
                    Relation::Unequal => (Relation::Equal, false),
                    Relation::LessOrEqual => (Relation::Greater, false),
                    Relation::GreaterOrEqual => (Relation::Less, false),
                    Relation::NotIn => (Relation::In, false),
                    kept => (*kept, true),
                };
                let (left, right) = (source(template, first), source(template, other));
                (format!("{left} {} {right}", kept.as_str()), positive)
            }
            _ => (source(template, node), true),
        };
        let number = self.choices.number(text, self.adds);
        if let (Some(number), Some(thing)) = (number, compared) {
            let others = self.choices.one_of.entry(thing).or_default();
            if !others.contains(&number) && others.len() < MAX_WORDS {
                others.push(number);
            }
        }
        let without = fallback(template, node).and_then(|(id, without)| Some((self.graph.find(id)?, without?)));
        match without {
            Some((step, without)) => (Asks::Without(step, without == positive, number), positive),
            None => (Asks::Choice(number), positive),
        }
    }
}

/// Most words that one thing is compared with and of which it is known that they exclude each other.
const MAX_WORDS: usize = 64;

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
