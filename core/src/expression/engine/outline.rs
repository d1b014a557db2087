//! From minijinja's tree to ours. Only for texts that [`super::walk`] has accepted: what it refuses does not come here.

use std::ops::Range;

use minijinja::machinery::ast::{self, BinOpKind, CallArg, CompareOpKind, Expr, Stmt, UnaryOpKind};
use serde_json::Value;

use super::catalogue::{self, CallableKind};
use super::walk::{Link as Part, key_of, link_range, range_in, take_apart};
use super::{range_of, values};
use crate::expression::tree::{Call, Choice, Link, Node, Operator, Relation, Root, Statement, Target, What};
use crate::expression::{Key, MAX_OUTPUT};

pub(super) fn statements(text: &str, statements: &[Stmt<'_>]) -> Vec<Statement> {
    statements.iter().map(|statement| Outline { text }.statement(statement)).collect()
}

#[derive(Clone, Copy)]
struct Outline<'t> {
    text: &'t str,
}

impl Outline<'_> {
    fn statement(self, statement: &Stmt<'_>) -> Statement {
        let body = |body: &[Stmt<'_>]| statements(self.text, body);
        match statement {
            Stmt::EmitExpr(print) => Statement::Print(self.node(&print.expr)),
            Stmt::IfCond(choice) => Statement::If {
                test: self.node(&choice.expr),
                then: body(&choice.true_body),
                otherwise: body(&choice.false_body),
            },
            Stmt::ForLoop(repetition) => Statement::For {
                target: self.target(&repetition.target),
                items: self.node(&repetition.iter),
                filter: repetition.filter_expr.as_ref().map(|filter| self.node(filter)),
                body: body(&repetition.body),
                otherwise: body(&repetition.else_body),
            },
            Stmt::WithBlock(with) => Statement::With {
                names: with.assignments.iter().map(|(name, value)| (self.target(name), self.node(value))).collect(),
                body: body(&with.body),
            },
            Stmt::Set(set) => Statement::Set { target: self.target(&set.target), value: self.node(&set.expr) },
            _ => Statement::Text,
        }
    }

    fn target(self, target: &Expr<'_>) -> Target {
        match target {
            Expr::Var(name) => Target::Name(name.id.to_owned(), range_of(self.text, name.span())),
            Expr::List(names) => Target::Names(names.items.iter().map(|name| self.target(name)).collect()),
            other => Target::Name(String::new(), range_of(self.text, other.span())),
        }
    }

    fn boxed(self, expr: &Expr<'_>) -> Box<Node> {
        Box::new(self.node(expr))
    }

    fn node(self, expr: &Expr<'_>) -> Node {
        let range = range_in(self.text, expr);
        let what = match expr {
            Expr::Const(constant) => {
                What::Constant(values::to_json(&constant.value, MAX_OUTPUT).unwrap_or(Value::Null))
            }
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => self.chain(expr),
            Expr::Slice(slice) => {
                let bounds = slice.start.iter().chain(&slice.stop).map(|bound| self.node(bound)).collect();
                What::Slice(self.boxed(&slice.expr), bounds)
            }
            Expr::UnaryOp(operation) => match operation.op {
                UnaryOpKind::Not => What::Not(self.boxed(&operation.expr)),
                _ => What::Negative(self.boxed(&operation.expr)),
            },
            Expr::BinOp(operation) => self.operation(operation),
            Expr::Compare(compare) => {
                let links = compare.ops.iter().map(|link| (relation_of(&link.op), self.node(&link.expr))).collect();
                What::Comparison(self.boxed(&compare.expr), links)
            }
            Expr::IfExpr(choice) => match &choice.false_expr {
                Some(no) => What::Choice(Box::new(Choice {
                    test: self.node(&choice.test_expr),
                    yes: self.node(&choice.true_expr),
                    no: self.node(no),
                })),
                None => self.node(&choice.true_expr).what,
            },
            Expr::Filter(filter) => {
                let start = range_of(self.text, filter.span()).start;
                let name = start..start + filter.name.len();
                self.call(CallableKind::Filter, filter.name, name, filter.expr.as_ref(), &filter.args)
            }
            Expr::Test(test) => {
                let start = range_of(self.text, test.span()).start;
                let name = start..start + test.name.len();
                self.call(CallableKind::Test, test.name, name, Some(&test.expr), &test.args)
            }
            Expr::Call(call) => match &call.expr {
                Expr::Var(function) => {
                    let name = range_in(self.text, &call.expr);
                    self.call(CallableKind::Function, function.id, name, None, &call.args)
                }
                _ => What::Constant(Value::Null),
            },
            Expr::List(list) => What::List(list.items.iter().map(|item| self.node(item)).collect()),
            Expr::Tuple(tuple) => What::List(tuple.items.iter().map(|item| self.node(item)).collect()),
            Expr::Map(map) => What::Map(
                map.keys.iter().zip(&map.values).map(|(key, value)| (self.node(key), self.node(value))).collect(),
            ),
        };
        Node { what, range }
    }

    fn chain(self, expr: &Expr<'_>) -> What {
        let (root, parts) = take_apart(expr);
        let links = parts.iter().map(|part| self.link(part)).collect::<Vec<_>>();
        match root {
            Expr::Var(name) if name.id == "null" && links.is_empty() => What::Constant(Value::Null),
            Expr::Var(name) => What::Chain(Root::Name(name.id.to_owned(), range_in(self.text, root)), links),
            other => What::Chain(Root::Value(self.boxed(other)), links),
        }
    }

    fn link(self, part: &Part<'_, '_>) -> Link {
        let key = key_of(part);
        let computed = match (part, &key) {
            (Part::Index(index), Key::Dynamic) => Some(self.node(index)),
            _ => None,
        };
        Link { key, range: link_range(self.text, part), computed }
    }

    fn operation(self, operation: &ast::BinOp<'_>) -> What {
        let (left, right) = (self.boxed(&operation.left), self.node(&operation.right));
        let operator = match operation.op {
            BinOpKind::ScAnd => Operator::And,
            BinOpKind::ScOr => Operator::Or,
            BinOpKind::Concat => Operator::Join,
            BinOpKind::Add => Operator::Add,
            BinOpKind::Sub => Operator::Subtract,
            BinOpKind::Mul => Operator::Multiply,
            BinOpKind::Div => Operator::Divide,
            BinOpKind::FloorDiv => Operator::DivideWhole,
            BinOpKind::Rem => Operator::Rest,
            BinOpKind::Pow => Operator::Power,
            BinOpKind::Eq => return What::Comparison(left, vec![(Relation::Equal, right)]),
            BinOpKind::Ne => return What::Comparison(left, vec![(Relation::Unequal, right)]),
            BinOpKind::Lt => return What::Comparison(left, vec![(Relation::Less, right)]),
            BinOpKind::Lte => return What::Comparison(left, vec![(Relation::LessOrEqual, right)]),
            BinOpKind::Gt => return What::Comparison(left, vec![(Relation::Greater, right)]),
            BinOpKind::Gte => return What::Comparison(left, vec![(Relation::GreaterOrEqual, right)]),
            BinOpKind::In => return What::Comparison(left, vec![(Relation::In, right)]),
        };
        What::Operation(operator, left, Box::new(right))
    }

    fn call(
        self,
        kind: CallableKind,
        name: &str,
        range: Range<usize>,
        subject: Option<&Expr<'_>>,
        given: &[CallArg<'_>],
    ) -> What {
        let Some(callable) = catalogue::find(kind, name) else { return What::Constant(Value::Null) };
        let place = |key: &str| callable.parameters.iter().position(|parameter| parameter.name == key);
        let arguments = given.iter().enumerate().filter_map(|(position, argument)| match argument {
            CallArg::Pos(value) => Some((position, self.node(value))),
            CallArg::Kwarg(key, value) => Some((place(key)?, self.node(value))),
            CallArg::PosSplat(_) | CallArg::KwargSplat(_) => None,
        });
        let arguments = arguments.collect();
        What::Call(Call { callable, name: range, subject: subject.map(|subject| self.boxed(subject)), arguments })
    }
}

fn relation_of(operator: &CompareOpKind) -> Relation {
    match operator {
        CompareOpKind::Eq => Relation::Equal,
        CompareOpKind::Ne => Relation::Unequal,
        CompareOpKind::Lt => Relation::Less,
        CompareOpKind::Lte => Relation::LessOrEqual,
        CompareOpKind::Gt => Relation::Greater,
        CompareOpKind::Gte => Relation::GreaterOrEqual,
        CompareOpKind::In => Relation::In,
        CompareOpKind::NotIn => Relation::NotIn,
    }
}
