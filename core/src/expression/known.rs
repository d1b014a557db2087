//! What is known where a part of a text is reached: the tests around it, each with the outcome that it must have had.
//! Every rule that asks whether a value is there, and every type that is narrowed, starts from these tests. Knows no
//! steps and no types.

use super::Template;
use super::tree::{Node, Operator, Root, Statement, What};

/// A test, and how it came out. The subject of a `default` that came out false is missing: the fallback is read.
pub(crate) type Tested<'t> = (&'t Node, bool);
/// Tests that have come out one way.
pub(crate) type Known<'t> = Vec<Tested<'t>>;

/// A condition that has come out one way before a text is read, and the text that it is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed<'t> {
    pub(crate) template: &'t Template,
    pub(crate) test: &'t Node,
    pub(crate) outcome: bool,
}

/// Hands on the simplest tests that have come out so where `test` came out as `outcome`: `not`, `and` and `or` are taken
/// apart where that is certain, so of an `or` that holds nothing is known but that it holds.
pub(crate) fn take_apart<'t>(test: &'t Node, outcome: bool, found: &mut impl FnMut(&'t Node, bool)) {
    match &test.what {
        What::Not(of) => take_apart(of, !outcome, found),
        What::Operation(Operator::And, left, right) if outcome => {
            take_apart(left, true, found);
            take_apart(right, true, found);
        }
        What::Operation(Operator::Or, left, right) if !outcome => {
            take_apart(left, false, found);
            take_apart(right, false, found);
        }
        _ => found(test, outcome),
    }
}

/// Hands on every chain of a text from a name, with what is known where it is read.
pub(crate) fn chains<'t>(template: &'t Template, seen: &mut dyn FnMut(&'t Node, &[Tested<'t>])) {
    Walk { known: Vec::new(), seen }.statements(template.statements());
}

/// The same for a part of a text, where nothing is known before it.
pub(crate) fn chains_of<'t>(node: &'t Node, seen: &mut dyn FnMut(&'t Node, &[Tested<'t>])) {
    Walk { known: Vec::new(), seen }.node(node);
}

struct Walk<'t, 'f> {
    known: Known<'t>,
    seen: &'f mut dyn FnMut(&'t Node, &[Tested<'t>]),
}

impl<'t> Walk<'t, '_> {
    fn knowing(&mut self, test: &'t Node, outcome: bool, walk: impl FnOnce(&mut Self)) {
        self.known.push((test, outcome));
        walk(self);
        self.known.pop();
    }

    fn statements(&mut self, statements: &'t [Statement]) {
        for statement in statements {
            match statement {
                Statement::Text => {}
                Statement::Print(node) => self.node(node),
                Statement::Set { value, .. } => self.node(value),
                Statement::If { test, then, otherwise } => {
                    self.node(test);
                    self.knowing(test, true, |walk| walk.statements(then));
                    self.knowing(test, false, |walk| walk.statements(otherwise));
                }
                Statement::For { items, filter, body, otherwise, .. } => {
                    self.node(items);
                    filter.iter().for_each(|filter| self.node(filter));
                    match filter {
                        Some(filter) => self.knowing(filter, true, |walk| walk.statements(body)),
                        None => self.statements(body),
                    }
                    self.statements(otherwise);
                }
                Statement::With { names, body } => {
                    names.iter().for_each(|(_, value)| self.node(value));
                    self.statements(body);
                }
            }
        }
    }

    fn node(&mut self, node: &'t Node) {
        match &node.what {
            What::Constant(_) => {}
            What::Chain(root, links) => {
                if let Root::Value(value) = root {
                    self.node(value);
                }
                links.iter().filter_map(|link| link.computed.as_ref()).for_each(|computed| self.node(computed));
                (self.seen)(node, &self.known);
            }
            What::Slice(of, bounds) => {
                self.node(of);
                bounds.iter().for_each(|bound| self.node(bound));
            }
            What::Not(of) | What::Negative(of) => self.node(of),
            What::Operation(operator, left, right) => {
                self.node(left);
                match operator {
                    Operator::And => self.knowing(left, true, |walk| walk.node(right)),
                    Operator::Or => self.knowing(left, false, |walk| walk.node(right)),
                    _ => self.node(right),
                }
            }
            What::Comparison(first, links) => {
                self.node(first);
                links.iter().for_each(|(_, node)| self.node(node));
            }
            What::Choice(choice) => {
                self.node(&choice.test);
                self.knowing(&choice.test, true, |walk| walk.node(&choice.yes));
                self.knowing(&choice.test, false, |walk| walk.node(&choice.no));
            }
            What::Call(call) => {
                call.subject.iter().for_each(|subject| self.node(subject));
                let arguments = call.arguments.iter().map(|(_, argument)| argument);
                match &call.subject {
                    Some(subject) if call.callable.name == "default" && matches!(subject.what, What::Chain(..)) => {
                        self.knowing(subject, false, |walk| arguments.for_each(|argument| walk.node(argument)));
                    }
                    _ => arguments.for_each(|argument| self.node(argument)),
                }
            }
            What::List(items) => items.iter().for_each(|item| self.node(item)),
            What::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.node(key);
                self.node(value);
            }),
        }
    }
}
