//! Operators: which values they work on, and what they give.

use super::{Check, Kinds, MistakeKind, NEEDED, Type};
use crate::expression::tree::{Node, Operator};

/// What counts as a number in arithmetic: true is 1, but not where texts and lists could be repeated.
const NUMBERS: Kinds = Kinds::NUMBER.or(Kinds::BOOLEAN);

impl Operator {
    /// Whether it is `and` or `or`.
    pub(super) fn is_logical(self) -> bool {
        matches!(self, Self::And | Self::Or)
    }
}

impl<'t> Check<'t> {
    pub(super) fn operation(&mut self, operator: Operator, left: &'t Node, right: &'t Node) -> Type {
        let first = self.node(left, NEEDED);
        match operator {
            Operator::And => {
                let second = self.knowing(left, true, |check| check.node(right, NEEDED));
                first.or(second)
            }
            Operator::Or => {
                let second = self.knowing(left, false, |check| check.node(right, NEEDED));
                // Null counts as false, so it is never what `or` gives from its left side.
                if matches!(first, Type::Null) { second } else { first.not_null().or(second) }
            }
            Operator::Join => {
                self.node(right, NEEDED);
                Type::TEXT
            }
            Operator::Add => {
                let second = self.node(right, NEEDED);
                self.add_up(left, &first, right, &second)
            }
            _ => {
                let second = self.node(right, NEEDED);
                let is_left_right = self.is_number(operator, left, &first);
                let is_right_right = self.is_number(operator, right, &second);
                match (is_left_right && is_right_right, operator) {
                    (false, _) => Type::Unknown,
                    (true, Operator::Divide | Operator::Power) => Type::Number,
                    (true, _) => number(&first, &second),
                }
            }
        }
    }

    pub(super) fn negative(&mut self, of: &'t Node) -> Type {
        let operand = self.node(of, NEEDED);
        let is_boolean = operand.kinds().without(Kinds::NULL) == Kinds::BOOLEAN;
        if is_boolean {
            let message = format!("`-` needs a number, this is {operand}");
            self.wrong(MistakeKind::OperatorDoesNotFit, &of.range, message);
        }
        match !is_boolean && self.is_number(Operator::Subtract, of, &operand) {
            true => number(&operand, &Type::Integer),
            false => Type::Unknown,
        }
    }

    fn is_number(&mut self, operator: Operator, node: &'t Node, of: &Type) -> bool {
        let taken = if operator == Operator::Multiply { Kinds::NUMBER } else { NUMBERS };
        if self.fits(of, taken) {
            self.not_null(node, of, &format!("`{}` needs numbers", operator.as_str()));
            return true;
        }
        let message = format!("`{}` needs numbers, this is {of}", operator.as_str());
        let is_text = matches!(of, Type::Text(_));
        let wrong = self.wrong(MistakeKind::OperatorDoesNotFit, &node.range, message);
        wrong.help = is_text.then(|| "make a number of it with `| int` or `| float`".to_owned());
        false
    }

    /// `+`: two numbers, two texts or two lists.
    fn add_up(&mut self, left: &'t Node, first: &Type, right: &'t Node, second: &Type) -> Type {
        let fitting = [NUMBERS, Kinds::TEXT, Kinds::LIST];
        let (one, two) = (first.kinds(), second.kinds());
        for (node, of) in [(left, first), (right, second)] {
            if !self.fits(of, NUMBERS.or(Kinds::TEXT).or(Kinds::LIST)) {
                let message = format!("`+` needs numbers, texts or lists, this is {of}");
                self.wrong(MistakeKind::OperatorDoesNotFit, &node.range, message);
                return Type::Unknown;
            }
        }
        let Some(kinds) = fitting.into_iter().find(|kinds| one.meets(*kinds) && two.meets(*kinds)) else {
            let message = format!("`+` cannot join {first} and {second}");
            let has_text = one.meets(Kinds::TEXT) || two.meets(Kinds::TEXT);
            let wrong = self.wrong(MistakeKind::OperatorDoesNotFit, &right.range, message);
            wrong.help = has_text.then(|| "to join texts, write `~`".to_owned());
            return Type::Unknown;
        };
        self.not_null(left, first, "`+` cannot work on null");
        self.not_null(right, second, "`+` cannot work on null");
        self.fits(first, kinds);
        self.fits(second, kinds);
        // Where several kinds are possible on both sides it is not known which.
        if fitting.iter().filter(|kinds| one.meets(**kinds) && two.meets(**kinds)).count() > 1 {
            return Type::Unknown;
        }
        match kinds {
            Kinds::TEXT => Type::TEXT,
            Kinds::LIST => Type::list(first.only(kinds).entries().or(second.only(kinds).entries())),
            _ => number(first, second),
        }
    }
}

/// Whole numbers give a whole number.
fn number(left: &Type, right: &Type) -> Type {
    match (left, right) {
        (Type::Integer | Type::Boolean, Type::Integer | Type::Boolean) => Type::Integer,
        _ => Type::Number,
    }
}
