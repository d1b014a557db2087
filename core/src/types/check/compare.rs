//! Comparisons: values that can never be equal, values that have no order, and where `in` can look.

use std::sync::Arc;

use serde_json::Value;

use super::{Check, Kinds, MistakeKind, NEEDED, Type};
use crate::expression::tree::{Node, Relation, Root, What};
use crate::source::closest;
use crate::types::mistake::listed;
use crate::types::text::has_markup;

const ORDERED: Kinds = Kinds::NUMBER.or(Kinds::TEXT);

impl<'t> Check<'t> {
    pub(super) fn comparison(&mut self, first: &'t Node, links: &'t [(Relation, Node)]) -> Type {
        let mut left = (first, self.node(first, NEEDED));
        for (relation, node) in links {
            let right = (node, self.node(node, NEEDED));
            match relation {
                Relation::In | Relation::NotIn => self.contains((left.0, &left.1), (right.0, &right.1)),
                Relation::Equal | Relation::Unequal => self.equal((left.0, &left.1), (right.0, &right.1)),
                _ => self.ordered(*relation, (left.0, &left.1), (right.0, &right.1)),
            }
            left = right;
        }
        Type::Boolean
    }

    fn equal(&mut self, left: (&'t Node, &Type), right: (&'t Node, &Type)) {
        let both = (left.1.kinds(), right.1.kinds());
        // Asking whether something is null is never wrong.
        if both.0 == Kinds::NULL || both.1 == Kinds::NULL {
            return;
        }
        if !both.0.meets(both.1) {
            return self.unlike(left, right);
        }
        let shared_text = !both.0.without(Kinds::TEXT).meets(both.1.without(Kinds::TEXT));
        if let (Some(one), Some(two), true) = (self.words(left), self.words(right), shared_text)
            && !one.iter().any(|word| two.contains(word))
            && !self.is_switch(left.0, right.0)
        {
            match self.is_said(right.0) {
                true => self.no_such_word(right.0, &two, left.0, &one),
                false => self.no_such_word(left.0, &one, right.0, &two),
            }
        }
    }

    /// Whether a value is written out, in the text or among the constants of the process.
    fn is_said(&self, node: &Node) -> bool {
        is_constant(node) || self.constant(node).is_some()
    }

    /// Whether somebody turns this over by hand: a constant of the process beside another, or beside what is written out.
    fn is_switch(&self, left: &Node, right: &Node) -> bool {
        self.is_said(left) && self.is_said(right) && !(is_constant(left) && is_constant(right))
    }

    fn constant(&self, node: &Node) -> Option<&Value> {
        let What::Chain(Root::Name(root, _), links) = &node.what else { return None };
        let is_context = root == "context" && self.local(root).is_none();
        is_context.then(|| self.environment.constant(links)).flatten()
    }

    /// The words that a text is one of, those of a constant included; nothing where it may be any.
    fn words(&self, (node, of): (&Node, &Type)) -> Option<Vec<Arc<str>>> {
        let word = |value: &Value| value.as_str().filter(|text| !has_markup(text)).map(Arc::from);
        words(of).or_else(|| match self.constant(node)? {
            Value::Array(items) => items.iter().map(word).collect(),
            one => word(one).map(|word| vec![word]),
        })
    }

    /// Two values of kinds that have nothing in common; the one that is written out is the one that is wrong.
    fn unlike(&mut self, left: (&'t Node, &Type), right: (&'t Node, &Type)) {
        let (wrong, other) = if is_constant(left.0) && !is_constant(right.0) { (left, right) } else { (right, left) };
        let message = format!(
            "this is {}, and {} is {}",
            wrong.1.noun().unwrap_or_default(),
            self.named(other.0),
            other.1.noun().unwrap_or_default()
        );
        self.wrong(MistakeKind::UnlikeComparison, &wrong.0.range, message).help =
            Some("compare values of one type".to_owned());
    }

    fn no_such_word(&mut self, wrong: &'t Node, word: &[Arc<str>], other: &'t Node, known: &[Arc<str>]) {
        let known: Vec<&str> = known.iter().map(|word| &**word).collect();
        let said = word.first().map_or("", |word| &**word);
        let message = match word {
            [only] => format!("{} is never `{only}`", self.named(other)),
            _ => format!("{} is never one of these", self.named(other)),
        };
        let meant = closest(said, known.iter().copied()).filter(|_| is_constant(wrong));
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("it is {}", listed(&known).replace(" and ", " or ")),
        };
        self.wrong(MistakeKind::UnlikeComparison, &wrong.range, message).help = Some(help);
    }

    fn ordered(&mut self, relation: Relation, left: (&'t Node, &Type), right: (&'t Node, &Type)) {
        for (node, of) in [left, right] {
            if !self.fits(of, ORDERED) {
                let message = format!("`{}` compares numbers or texts, this is {of}", relation.as_str());
                self.wrong(MistakeKind::UnlikeComparison, &node.range, message);
                return;
            }
        }
        let both = (left.1.kinds(), right.1.kinds());
        let shared = [Kinds::NUMBER, Kinds::TEXT].into_iter().find(|kind| both.0.meets(*kind) && both.1.meets(*kind));
        let Some(shared) = shared else { return self.unlike(left, right) };
        self.fits(left.1, shared);
        self.fits(right.1, shared);
        for (node, of) in [left, right] {
            self.not_null(node, of, &format!("`{}` cannot compare null", relation.as_str()));
        }
    }

    /// `part in whole`.
    fn contains(&mut self, part: (&'t Node, &Type), whole: (&'t Node, &Type)) {
        let places = whole.1.kinds();
        if !self.fits(whole.1, Kinds::TEXT.or(Kinds::LIST).or(Kinds::RECORD)) {
            let message = format!("`in` looks into a text, a list or a mapping, this is {}", whole.1);
            self.wrong(MistakeKind::OperatorDoesNotFit, &whole.0.range, message);
            return;
        }
        self.not_null(whole.0, whole.1, "`in` cannot look into null");
        if !places.meets(Kinds::LIST) {
            if !self.fits(part.1, Kinds::TEXT) {
                let message = format!("`in` looks for a text here, this is {}", part.1);
                self.wrong(MistakeKind::OperatorDoesNotFit, &part.0.range, message);
            } else {
                self.not_null(part.0, part.1, "`in` looks for a text here");
            }
            return;
        }
        if places.without(Kinds::NULL) != Kinds::LIST {
            self.depends = true;
            return;
        }
        match &whole.0.what {
            // Of a list that is written out each entry is looked at.
            What::List(items) if !is_constant(part.0) => {
                for item in items.iter().filter(|item| is_constant(item)) {
                    let What::Constant(value) = &item.what else { continue };
                    self.equal(part, (item, &Type::of_constant(value)));
                }
            }
            _ => {
                let entry = whole.1.entries();
                if part.1.kinds() != Kinds::NULL && !part.1.kinds().meets(entry.kinds()) {
                    let message = format!(
                        "this is {}, and {} is {}",
                        part.1.noun().unwrap_or_default(),
                        self.named(whole.0),
                        whole.1
                    );
                    self.wrong(MistakeKind::UnlikeComparison, &part.0.range, message).help =
                        Some("look for what can be in it".to_owned());
                } else if !self.is_switch(part.0, whole.0)
                    && let (Some(one), Some(two)) = (self.words(part), self.words((whole.0, &entry)))
                    && !one.iter().any(|word| two.contains(word))
                    && entry.kinds() == Kinds::TEXT
                    && part.1.kinds() == Kinds::TEXT
                {
                    self.no_such_word(part.0, &one, whole.0, &two);
                }
            }
        }
    }
}

fn is_constant(node: &Node) -> bool {
    matches!(node.what, What::Constant(_))
}

/// The words that the texts among a type are of; nothing where they may be any.
fn words(of: &Type) -> Option<Vec<Arc<str>>> {
    let mut words = Vec::new();
    for one in of.alternatives() {
        match one {
            Type::Text(Some(known)) => words.extend(known.iter().cloned()),
            Type::Text(None) | Type::Unknown => return None,
            _ => {}
        }
    }
    (!words.is_empty()).then_some(words)
}
