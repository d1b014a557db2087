//! What is known about a chain where a test has come out one way: that it exists, that it is not null, of which kind it
//! is. `and`, `or`, `not`, `if` and the tests are understood; anything else says nothing. What is known before a text is
//! read comes from the conditions that its step has passed.

use serde_json::Value;

use super::{Check, Kinds, Type};
use crate::expression::Key;
use crate::expression::known::take_apart;
use crate::expression::tree::{Link, Node, Relation, Root, What};

/// What is known about one chain.
#[derive(Debug, Clone)]
pub(super) struct Fact<'t> {
    chain: Path<'t>,
    /// The kinds that it can still be.
    kinds: Kinds,
    /// The constants of which it is one, or is none.
    constants: Option<(Vec<Value>, bool)>,
}

/// A chain from a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'t> {
    pub(super) root: &'t str,
    /// Which of the text's own names the root is, if it is one.
    pub(super) local: Option<usize>,
    pub(super) links: &'t [Link],
}

impl Path<'_> {
    /// Whether this is a beginning of the other, or all of it. What is computed is never known to be the same.
    fn begins(&self, other: &Path<'_>) -> bool {
        let same = |(left, right): (&Link, &Link)| left.key == right.key && left.key != Key::Dynamic;
        self.root == other.root
            && self.local == other.local
            && self.links.len() <= other.links.len()
            && self.links.iter().zip(other.links).all(same)
    }
}

impl<'t> Check<'t> {
    /// Walks what is reached only where `test` has come out as `outcome`.
    pub(super) fn knowing<T>(&mut self, test: &'t Node, outcome: bool, walk: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.facts.len();
        self.learn(test, outcome);
        let result = walk(self);
        self.facts.truncate(before);
        result
    }

    /// What is left of a type by what is known about its chain.
    pub(super) fn narrowed(&self, path: Path<'_>, of: Type) -> Type {
        let mut of = of;
        for fact in &self.facts {
            if path.begins(&fact.chain) {
                // What has a field that was looked at is not null itself.
                let is_whole = path.links.len() == fact.chain.links.len();
                of = of.only(if is_whole { fact.kinds } else { Kinds::ALL.without(Kinds::NULL) });
                if let ([Link { key: Key::Name(field), .. }], Some((constants, is_one))) =
                    (&fact.chain.links[path.links.len()..], &fact.constants)
                {
                    of = of.with_field(field, constants, *is_one);
                }
            }
        }
        of
    }

    /// Whether it is known that there is such a value.
    pub(super) fn exists(&self, path: Path<'_>) -> bool {
        self.facts.iter().any(|fact| path.begins(&fact.chain))
    }

    pub(super) fn learn(&mut self, test: &'t Node, outcome: bool) {
        take_apart(test, outcome, &mut |simple, outcome| self.learn_simple(simple, outcome));
    }

    fn learn_simple(&mut self, test: &'t Node, outcome: bool) {
        let not_null = Kinds::ALL.without(Kinds::NULL);
        self.learn_read(test);
        match &test.what {
            // A value that counts as false may be anything but is there.
            What::Chain(..) => self.add(test, if outcome { not_null } else { Kinds::ALL }),
            What::Call(call) => {
                let Some(subject) = &call.subject else { return };
                let kinds = match (call.callable.name, outcome) {
                    ("defined", true) | ("undefined", false) => Some(Kinds::ALL),
                    ("default", true) if call.arguments.iter().all(|(_, fallback)| is_false(fallback)) => {
                        Some(not_null)
                    }
                    (test, outcome) => kinds_where(test, outcome),
                };
                kinds.into_iter().for_each(|kinds| self.add(subject, kinds));
            }
            What::Comparison(first, links) => {
                let [(relation, other)] = links.as_slice() else { return };
                if relation.is_order() {
                    self.add(first, not_null);
                    self.add(other, not_null);
                }
                let (of, constant) = match (&first.what, &other.what) {
                    (_, What::Constant(constant)) => (&**first, constant),
                    (What::Constant(constant), _) => (other, constant),
                    (_, What::List(items)) if matches!(relation, Relation::In | Relation::NotIn) => {
                        let is_one = outcome == (*relation == Relation::In);
                        let constants: Option<Vec<Value>> = items.iter().map(constant).collect();
                        let is_there = is_one && constants.as_ref().is_some_and(|all| !all.contains(&Value::Null));
                        self.add(first, if is_there { not_null } else { Kinds::ALL });
                        return constants.into_iter().for_each(|all| self.add_constants(first, all, is_one));
                    }
                    _ => return,
                };
                let is_equal = match relation {
                    Relation::Equal => outcome,
                    Relation::Unequal => !outcome,
                    _ => return,
                };
                match (constant, is_equal) {
                    (Value::Null, true) => self.add(of, Kinds::NULL),
                    (Value::Null, false) => self.add(of, not_null),
                    (constant, true) => self.add(of, Type::of_constant(constant).kinds()),
                    (_, false) => {}
                }
                self.add_constants(of, vec![constant.clone()], is_equal);
            }
            _ => {}
        }
    }

    /// What a test compares has been read, whatever came of it, and so it is there.
    fn learn_read(&mut self, test: &'t Node) {
        match &test.what {
            What::Chain(..) => self.add(test, Kinds::ALL),
            What::Comparison(first, links) => {
                self.learn_read(first);
                links.iter().for_each(|(_, node)| self.learn_read(node));
            }
            What::Call(call) if !matches!(call.callable.name, "default" | "defined" | "undefined") => {
                call.subject.iter().for_each(|subject| self.learn_read(subject));
            }
            _ => {}
        }
    }

    fn add(&mut self, of: &'t Node, kinds: Kinds) {
        self.add_fact(of, kinds, None);
    }

    fn add_constants(&mut self, of: &'t Node, constants: Vec<Value>, is_one: bool) {
        self.add_fact(of, Kinds::ALL, Some((constants, is_one)));
    }

    fn add_fact(&mut self, of: &'t Node, kinds: Kinds, constants: Option<(Vec<Value>, bool)>) {
        let What::Chain(Root::Name(root, _), links) = &of.what else { return };
        let chain = Path { root, local: self.local(root), links };
        self.facts.push(Fact { chain, kinds, constants });
    }

    /// Which of the text's own names this is.
    pub(super) fn local(&self, name: &str) -> Option<usize> {
        self.locals.iter().rposition(|(known, _)| *known == name)
    }
}

/// The kinds that a value can still be where a test of it came out one way; nothing where that says nothing.
pub(super) fn kinds_where(test: &str, outcome: bool) -> Option<Kinds> {
    Some(match (test, outcome) {
        ("none", true) => Kinds::NULL,
        ("none" | "empty", false) => Kinds::ALL.without(Kinds::NULL),
        ("string", true) => Kinds::TEXT,
        ("string", false) => Kinds::ALL.without(Kinds::TEXT),
        ("number" | "integer" | "float" | "odd" | "even" | "divisibleby", true) => Kinds::NUMBER,
        ("number", false) => Kinds::ALL.without(Kinds::NUMBER),
        ("boolean" | "true" | "false", true) => Kinds::BOOLEAN,
        ("boolean", false) => Kinds::ALL.without(Kinds::BOOLEAN),
        ("sequence", true) => Kinds::LIST,
        ("sequence", false) => Kinds::ALL.without(Kinds::LIST),
        ("mapping", true) => Kinds::RECORD,
        ("mapping", false) => Kinds::ALL.without(Kinds::RECORD),
        _ => return None,
    })
}

fn constant(node: &Node) -> Option<Value> {
    if let What::Constant(value) = &node.what { Some(value.clone()) } else { None }
}

fn is_false(node: &Node) -> bool {
    match &node.what {
        What::Constant(Value::Null | Value::Bool(false)) => true,
        What::Constant(Value::String(text)) => text.is_empty(),
        What::Constant(Value::Number(number)) => number.as_f64() == Some(0.0),
        What::List(items) => items.is_empty(),
        _ => false,
    }
}
