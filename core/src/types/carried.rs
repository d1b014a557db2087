//! Whether words of what a text reads may stand in what it gives: a number, a truth or one of a few known words brings no
//! words of anybody, and neither does what is only counted, compared or asked. What is not known may bring any.

use std::ops::Range;

use super::check::{self, Seen};
use super::kind::{Others, Type};
use super::process::ProcessTypes;
use super::{Types, text::Text};
use crate::expression::tree::{Call, Node, Root, Statement, What};
use crate::source::NodeId;

/// Deepest nesting of values that is looked into.
const MAX_DEPTH: usize = 16;

impl<'r> ProcessTypes<'r> {
    /// Whether words of the chain at `read` may stand in what the text in this scalar gives. `owner` is the id of the
    /// step whose text it is.
    pub(crate) fn carries_words(
        &self,
        types: &Types<'r>,
        node: NodeId,
        owner: Option<&str>,
        read: &Range<usize>,
    ) -> bool {
        let is_it = |text: &&Text| text.node == node && text.owner.id() == owner;
        let Some(text) = self.texts().texts.iter().find(is_it) else { return true };
        let Ok(template) = &text.template else { return true };
        let parts = check::parts(template, &self.environment_of(types, text), text.role);
        Carried { parts, read }.any(template.statements())
    }
}

struct Carried<'c> {
    parts: Vec<Seen>,
    read: &'c Range<usize>,
}

impl Carried<'_> {
    fn any(&self, statements: &[Statement]) -> bool {
        // Names that a text gives itself are not followed: what is given to one may be printed.
        statements.iter().any(|statement| match statement {
            Statement::Text => false,
            Statement::Print(node) | Statement::Set { value: node, .. } => self.node(node),
            Statement::If { then, otherwise, .. } => self.any(then) || self.any(otherwise),
            Statement::For { items, body, otherwise, .. } => self.node(items) || self.any(body) || self.any(otherwise),
            Statement::With { names, body } => names.iter().any(|(_, value)| self.node(value)) || self.any(body),
        })
    }

    fn node(&self, node: &Node) -> bool {
        let of = self.parts.iter().rev().find(|part| part.range == node.range).map(|part| &part.of);
        if of.is_some_and(|of| is_wordless(of, 0)) {
            return false;
        }
        match &node.what {
            What::Constant(_) | What::Not(_) | What::Comparison(..) => false,
            What::Chain(root, links) => {
                let is_it = node.range == *self.read;
                let inside = matches!(root, Root::Value(value) if self.node(value));
                is_it || inside || links.iter().filter_map(|link| link.computed.as_ref()).any(|one| self.node(one))
            }
            What::Slice(of, bounds) => self.node(of) || bounds.iter().any(|bound| self.node(bound)),
            What::Negative(of) => self.node(of),
            What::Operation(_, left, right) => self.node(left) || self.node(right),
            What::Choice(choice) => self.node(&choice.yes) || self.node(&choice.no),
            What::Call(call) => self.call(call),
            What::List(items) => items.iter().any(|item| self.node(item)),
            What::Map(entries) => entries.iter().any(|(key, value)| self.node(key) || self.node(value)),
        }
    }

    fn call(&self, call: &Call) -> bool {
        let given = call.arguments.iter().map(|(_, argument)| argument);
        call.subject.as_deref().into_iter().chain(given).any(|node| self.node(node))
    }
}

/// Whether nobody can write words of their own into such a value.
fn is_wordless(of: &Type, depth: usize) -> bool {
    let inner = |of: &Type| is_wordless(of, depth + 1);
    match of {
        Type::Null | Type::Boolean | Type::Integer | Type::Number | Type::Text(Some(_)) => true,
        Type::Unknown | Type::Text(None) => false,
        Type::List(_) | Type::Record(_) | Type::Union(_) if depth >= MAX_DEPTH => false,
        Type::List(list) => inner(&list.any_entry()),
        Type::Record(record) => {
            matches!(record.others, Others::None) && record.fields.values().all(|part| inner(&part.of))
        }
        Type::Union(types) => types.iter().all(inner),
    }
}
