//! The part of the walk over calls: whether there is such a filter, test or function, and whether its arguments fit.

use std::ops::Range;

use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr, Spanned};
use minijinja::value::Value;

use super::catalogue::{self, Callable, CallableKind};
use super::explain::Site;
use super::walk::{NEEDED, Use, Walk, Walked, binary, constant, guard, placed};
use super::{guards, range_of};
use crate::expression::ExpressionError;

impl<'a> Walk<'a> {
    pub(super) fn filter(&mut self, filter: &Spanned<ast::Filter<'a>>, usage: Use) -> Walked<Expr<'a>> {
        let start = range_of(self.text, filter.span()).start;
        let name = start..start + filter.name.len();
        let callable = find(CallableKind::Filter, filter.name, &name)?;
        let Some(of) = &filter.expr else {
            return Err(ExpressionError::new("a filter needs a value before it", name));
        };
        if callable.name == "default" {
            return self.default(of, filter, callable, &name, usage);
        }
        let subject = self.expr(of, NEEDED)?;
        self.sites.insert((name.start, name.end), Site::Call(callable.name, self.range(of)));
        let args = self.arguments(callable, &filter.args, &name, NEEDED)?;
        Ok(Expr::Filter(placed(ast::Filter { name: filter.name, expr: Some(subject), args }, &name)))
    }

    /// `a | default(b)` runs as an `or`, so that `b` is read only where it is needed.
    fn default(
        &mut self,
        of: &Expr<'a>,
        filter: &ast::Filter<'a>,
        callable: &'static Callable,
        name: &Range<usize>,
        usage: Use,
    ) -> Walked<Expr<'a>> {
        let subject = self.expr(of, Use { covered: true, tested: usage.tested })?;
        // A fallback that is missing itself is as good or bad as the whole.
        let mut args = self.arguments(callable, &filter.args, name, usage)?;
        let Some(CallArg::Pos(fallback)) = args.pop() else {
            return Err(ExpressionError::new("`default` needs `fallback`", name.clone()));
        };
        let kept = guard(guards::KEEP, subject, Vec::new(), name);
        Ok(guard(guards::KEPT, binary(BinOpKind::ScOr, kept, fallback, name), Vec::new(), name))
    }

    pub(super) fn test(&mut self, test: &Spanned<ast::Test<'a>>) -> Walked<Expr<'a>> {
        let start = range_of(self.text, test.span()).start;
        let name = start..start + test.name.len();
        let callable = find(CallableKind::Test, test.name, &name)?;
        let tested = matches!(callable.name, "defined" | "undefined");
        let expr = self.expr(&test.expr, Use { covered: false, tested })?;
        self.sites.insert((name.start, name.end), Site::Call(callable.name, self.range(&test.expr)));
        let args = self.arguments(callable, &test.args, &name, NEEDED)?;
        Ok(Expr::Test(placed(ast::Test { name: test.name, expr, args }, &name)))
    }

    pub(super) fn function(&mut self, call: &Spanned<ast::Call<'a>>) -> Walked<Expr<'a>> {
        let name = self.range(&call.expr);
        let Expr::Var(function) = &call.expr else {
            let message = format!("`{}` cannot be called", &self.text[name.clone()]);
            let error = ExpressionError::new(message, name);
            return Err(match &call.expr {
                Expr::GetAttr(method) if catalogue::find(CallableKind::Filter, method.name).is_some() => {
                    error.with_help(format!("use the filter: `VALUE | {}`", method.name))
                }
                _ => error,
            });
        };
        let callable = find(CallableKind::Function, function.id, &name)?;
        let mut arguments = self.arguments(callable, &call.args, &name, NEEDED)?.into_iter();
        let expr = arguments.next().and_then(|first| if let CallArg::Pos(first) = first { Some(first) } else { None });
        Ok(Expr::Filter(placed(ast::Filter { name: function.id, expr, args: arguments.collect() }, &name)))
    }

    /// The arguments by the parameters of the callable; one that is left out before another is null.
    fn arguments(
        &mut self,
        callable: &'static Callable,
        given: &[CallArg<'a>],
        name: &Range<usize>,
        usage: Use,
    ) -> Walked<Vec<CallArg<'a>>> {
        let slots = self.slots(callable, given, name)?;
        let pairs = || callable.parameters.iter().zip(&slots);
        let last = pairs().rposition(|(parameter, given)| !parameter.is_named() && given.is_some());
        let mut arguments = Vec::new();
        for (index, (parameter, value)) in pairs().enumerate() {
            let value = match value {
                Some(value) => self.expr(value, usage)?,
                None if !parameter.optional => {
                    let (kind, callee) = (callable.kind.word(), callable.name);
                    let message = format!("the {kind} `{callee}` needs `{}`", parameter.name);
                    return Err(wrong_call(callable, message, name.clone()));
                }
                None if parameter.is_named() || Some(index) > last => continue,
                None => constant(Value::from(()), name),
            };
            arguments.push(match parameter.is_named() {
                true => CallArg::Kwarg(parameter.name, value),
                false => CallArg::Pos(value),
            });
        }
        Ok(arguments)
    }

    /// What is given for each parameter.
    fn slots<'e>(
        &self,
        callable: &Callable,
        given: &'e [CallArg<'a>],
        name: &Range<usize>,
    ) -> Walked<Vec<Option<&'e Expr<'a>>>> {
        let mut slots = vec![None; callable.parameters.len()];
        for (position, argument) in given.iter().enumerate() {
            let (slot, value) = match argument {
                CallArg::Pos(value) => (position, value),
                CallArg::Kwarg(key, value) => match callable.parameters.iter().position(|known| known.name == *key) {
                    Some(slot) => (slot, value),
                    None => {
                        let before = &self.text[..self.range(value).start];
                        let start = before.rfind(key).unwrap_or(name.start);
                        let message = format!("`{}` takes no `{key}`", callable.name);
                        return Err(wrong_call(callable, message, start..start + key.len()));
                    }
                },
                CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                    return Err(wrong_call(callable, "`*` has no meaning here".to_owned(), self.range(value)));
                }
            };
            match slots.get_mut(slot) {
                Some(empty @ None) => *empty = Some(value),
                Some(_) => return Err(ExpressionError::new("this argument is given twice", self.range(value))),
                None => {
                    let message = format!("`{}` takes no further argument", callable.name);
                    return Err(wrong_call(callable, message, self.range(value)));
                }
            }
        }
        Ok(slots)
    }
}

fn find(kind: CallableKind, name: &str, range: &Range<usize>) -> Walked<&'static Callable> {
    catalogue::find(kind, name).ok_or_else(|| {
        let names =
            catalogue::catalogue().iter().filter(|callable| callable.kind == kind).map(|callable| callable.name);
        let help = match catalogue::nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("available are {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        };
        ExpressionError::new(format!("there is no {} `{name}`", kind.word()), range.clone()).with_help(help)
    })
}

fn wrong_call(callable: &Callable, message: String, range: Range<usize>) -> ExpressionError {
    ExpressionError::new(message, range).with_help(format!("it is written `{}`", callable.signature()))
}
