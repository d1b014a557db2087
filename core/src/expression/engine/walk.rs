//! One walk over minijinja's tree. It notes what a text reads, refuses what this language does not have, and makes
//! the tree that the machine runs: the same, with guards around lookups, comparisons and values that are made.

use std::ops::Range;

use minijinja::machinery::Span;
use minijinja::machinery::ast::{self, BinOpKind, CallArg, CompareOpKind, Const, Expr, Spanned, Stmt, UnaryOpKind};
use minijinja::value::Value;

use super::explain::{Site, Sites, no_value, reserved};
use super::known::{Path, known_if, related};
use super::scan::too_deep;
use super::{guards, range_of};
use crate::expression::{ExpressionError, Key, MAX_DEPTH, Reference, Segment};

pub(super) type Walked<T> = Result<T, ExpressionError>;

/// Words of the language, which minijinja also takes for names of values.
const WORDS: &[&str] = &["and", "or", "not", "in", "is", "if", "else"];
/// Names that a template may not assign: the roots of the context and the loop's own variable.
const RESERVED: &[&str] = &["inputs", "context", "trigger", "execution", "steps", "secrets", "loop", "null"];

/// What a walk gives.
pub(super) struct Done<'a> {
    pub(super) references: Vec<Reference>,
    /// The guarded tree.
    pub(super) statements: Vec<Stmt<'a>>,
    pub(super) sites: Sites,
}

pub(super) fn walk<'a>(text: &'a str, statements: &[Stmt<'a>]) -> Walked<Done<'a>> {
    let mut walk =
        Walk { text, references: Vec::new(), sites: Sites::new(), locals: Vec::new(), known: Vec::new(), depth: 0 };
    let statements = walk.statements(statements)?;
    walk.references.sort_by_key(|reference| (reference.range.start, reference.range.end));
    Ok(Done { references: walk.references, statements, sites: walk.sites })
}

/// How the value of an expression is used: whether a missing one is provided for.
#[derive(Clone, Copy, Default)]
pub(super) struct Use {
    pub(super) covered: bool,
    pub(super) tested: bool,
}

pub(super) const NEEDED: Use = Use { covered: false, tested: false };

/// A part of a chain after its root.
pub(super) enum Link<'e, 'a> {
    Name(&'a str, Range<usize>),
    Index(&'e Expr<'a>),
}

pub(super) struct Walk<'a> {
    pub(super) text: &'a str,
    references: Vec<Reference>,
    pub(super) sites: Sites,
    locals: Vec<&'a str>,
    /// Chains that are known to exist where the walk is.
    known: Vec<Path>,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn statements(&mut self, statements: &[Stmt<'a>]) -> Walked<Vec<Stmt<'a>>> {
        statements.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, statement: &Stmt<'a>) -> Walked<Stmt<'a>> {
        match statement {
            Stmt::EmitRaw(raw) => {
                let range = range_of(self.text, raw.span());
                Ok(print(constant(guards::own_text(raw.raw), &range), &range))
            }
            Stmt::EmitExpr(printed) => {
                let expr = match self.secret(&printed.expr) {
                    Some(secret) => secret,
                    None => self.expr(&printed.expr, NEEDED)?,
                };
                Ok(print(expr, &self.range(&printed.expr)))
            }
            Stmt::IfCond(choice) => self.choice(choice),
            Stmt::ForLoop(repetition) => self.repetition(repetition),
            Stmt::WithBlock(block) => {
                let locals = self.locals.len();
                let mut assignments = Vec::new();
                for (target, value) in &block.assignments {
                    let value = self.expr(value, NEEDED)?;
                    assignments.push((self.target(target)?, value));
                }
                let body = self.statements(&block.body)?;
                self.locals.truncate(locals);
                Ok(Stmt::WithBlock(placed(ast::WithBlock { assignments, body }, &(0..0))))
            }
            Stmt::Set(set) => {
                let expr = self.expr(&set.expr, NEEDED)?;
                let target = self.target(&set.target)?;
                Ok(Stmt::Set(placed(ast::Set { target, expr }, &range_of(self.text, set.span()))))
            }
            Stmt::SetBlock(set) => Err(no_value(self.range(&set.target))),
            _ => Err(ExpressionError::new("this tag is not available in processes", 0..self.text.len())),
        }
    }

    fn choice(&mut self, choice: &Spanned<ast::IfCond<'a>>) -> Walked<Stmt<'a>> {
        let expr = self.expr(&choice.expr, NEEDED)?;
        let true_body = self.knowing(&choice.expr, true, |walk| walk.statements(&choice.true_body))?;
        let false_body = self.knowing(&choice.expr, false, |walk| walk.statements(&choice.false_body))?;
        Ok(Stmt::IfCond(placed(ast::IfCond { expr, true_body, false_body }, &range_of(self.text, choice.span()))))
    }

    /// Walks what is reached only where `test` has come out as `outcome`.
    fn knowing<T>(&mut self, test: &Expr<'a>, outcome: bool, walk: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.known.len();
        self.known.extend(known_if(self, test, outcome));
        let result = walk(self);
        self.known.truncate(before);
        result
    }

    fn repetition(&mut self, of: &Spanned<ast::ForLoop<'a>>) -> Walked<Stmt<'a>> {
        let range = self.range(&of.iter);
        if of.recursive {
            return Err(ExpressionError::new("a loop cannot be recursive", range));
        }
        let iter = guard(guards::ENTRIES, self.expr(&of.iter, NEEDED)?, Vec::new(), &range);
        let locals = self.locals.len();
        let target = self.target(&of.target)?;
        let filter_expr = of.filter_expr.as_ref().map(|filter| self.expr(filter, NEEDED)).transpose()?;
        self.locals.push("loop");
        let body = match &of.filter_expr {
            Some(filter) => self.knowing(filter, true, |walk| walk.statements(&of.body))?,
            None => self.statements(&of.body)?,
        };
        self.locals.truncate(locals);
        let else_body = self.statements(&of.else_body)?;
        let repetition = ast::ForLoop { target, iter, filter_expr, recursive: false, body, else_body };
        Ok(Stmt::ForLoop(placed(repetition, &range)))
    }

    fn target(&mut self, target: &Expr<'a>) -> Walked<Expr<'a>> {
        let range = range_of(self.text, target.span());
        match target {
            Expr::Var(name) if RESERVED.contains(&name.id) => Err(reserved(name.id, range)),
            Expr::Var(name) if WORDS.contains(&name.id) => {
                let message = format!("`{}` is a word of the language, not a name", name.id);
                Err(ExpressionError::new(message, range))
            }
            Expr::Var(name) => {
                self.locals.push(name.id);
                Ok(Expr::Var(placed(ast::Var { id: name.id }, &range)))
            }
            Expr::List(names) if !names.items.is_empty() => {
                let items = names.items.iter().map(|name| self.target(name)).collect::<Walked<_>>()?;
                Ok(Expr::List(placed(ast::List { items }, &range)))
            }
            _ => Err(ExpressionError::new("a name should stand here", range)),
        }
    }

    // Expressions

    /// Only hands on: its frame is on the stack once for each level of an expression.
    pub(super) fn expr(&mut self, expr: &Expr<'a>, usage: Use) -> Walked<Expr<'a>> {
        let at = self.range(expr);
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        let guarded = match expr {
            Expr::Const(value) => Ok(constant(value.value.clone(), &at)),
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => self.chain(expr, usage, &at),
            Expr::Slice(slice) => self.slice(slice, &at),
            Expr::UnaryOp(operation) => self.unary(operation, &at),
            Expr::BinOp(operation) => self.binary(operation, &at),
            Expr::Compare(compare) => self.comparison(compare, &at),
            Expr::IfExpr(choice) => self.either(choice, usage, &at),
            Expr::Filter(filter) => self.filter(filter, usage),
            Expr::Test(test) => self.test(test),
            Expr::Call(call) => self.function(call),
            Expr::List(list) => self.list(&list.items, &at),
            Expr::Tuple(tuple) => self.list(&tuple.items, &at),
            Expr::Map(map) => self.map(map, &at),
        };
        self.depth -= 1;
        guarded
    }

    fn exprs(&mut self, exprs: &[Expr<'a>]) -> Walked<Vec<Expr<'a>>> {
        exprs.iter().map(|expr| self.expr(expr, NEEDED)).collect()
    }

    fn slice(&mut self, slice: &ast::Slice<'a>, at: &Range<usize>) -> Walked<Expr<'a>> {
        if let Some(step) = &slice.step {
            return Err(ExpressionError::new("a part of a list or text has no step", self.range(step)));
        }
        let of = self.expr(&slice.expr, NEEDED)?;
        let expr = guard(guards::CUT, of, Vec::new(), &self.range(&slice.expr));
        let mut bound = |bound: &Option<Expr<'a>>| bound.as_ref().map(|bound| self.expr(bound, NEEDED)).transpose();
        let (start, stop) = (bound(&slice.start)?, bound(&slice.stop)?);
        Ok(made(Expr::Slice(placed(ast::Slice { expr, start, stop, step: None }, at)), at))
    }

    fn unary(&mut self, operation: &ast::UnaryOp<'a>, at: &Range<usize>) -> Walked<Expr<'a>> {
        let expr = self.expr(&operation.expr, NEEDED)?;
        let op = if matches!(operation.op, UnaryOpKind::Not) { UnaryOpKind::Not } else { UnaryOpKind::Neg };
        Ok(Expr::UnaryOp(placed(ast::UnaryOp { op, expr }, at)))
    }

    fn binary(&mut self, operation: &ast::BinOp<'a>, at: &Range<usize>) -> Walked<Expr<'a>> {
        let left = self.expr(&operation.left, NEEDED)?;
        let right = |walk: &mut Self| walk.expr(&operation.right, NEEDED);
        let right = match operation.op {
            BinOpKind::ScAnd => self.knowing(&operation.left, true, right),
            BinOpKind::ScOr => self.knowing(&operation.left, false, right),
            _ => right(self),
        }?;
        Ok(match (operation.op, comparison(operation.op)) {
            (_, Some(operator)) => guard(guards::COMPARE, left, vec![constant(operator.into(), at), right], at),
            (BinOpKind::Concat, _) => guard(guards::JOIN, left, vec![right], at),
            (BinOpKind::Mul, _) => guard(guards::TIMES, left, vec![right], at),
            (BinOpKind::Add, _) => made(binary(BinOpKind::Add, left, right, at), at),
            (op, _) => binary(op, left, right, at),
        })
    }

    fn comparison(&mut self, compare: &ast::Compare<'a>, at: &Range<usize>) -> Walked<Expr<'a>> {
        let first = self.expr(&compare.expr, NEEDED)?;
        let mut links = Vec::new();
        for link in &compare.ops {
            let operator = match link.op {
                CompareOpKind::Eq => "==",
                CompareOpKind::Ne => "!=",
                CompareOpKind::Lt => "<",
                CompareOpKind::Lte => "<=",
                CompareOpKind::Gt => ">",
                CompareOpKind::Gte => ">=",
                CompareOpKind::In => "in",
                CompareOpKind::NotIn => "not in",
            };
            links.push(constant(operator.into(), at));
            links.push(self.expr(&link.expr, NEEDED)?);
        }
        Ok(guard(guards::COMPARE, first, links, at))
    }

    fn either(&mut self, choice: &ast::IfExpr<'a>, usage: Use, at: &Range<usize>) -> Walked<Expr<'a>> {
        let Some(no) = &choice.false_expr else {
            return Err(ExpressionError::new("this `if` needs an `else`", at.clone())
                .with_help("write `VALUE if CONDITION else OTHER`"));
        };
        let test_expr = self.expr(&choice.test_expr, NEEDED)?;
        let true_expr = self.knowing(&choice.test_expr, true, |walk| walk.expr(&choice.true_expr, usage))?;
        let false_expr = Some(self.knowing(&choice.test_expr, false, |walk| walk.expr(no, usage))?);
        Ok(Expr::IfExpr(placed(ast::IfExpr { test_expr, true_expr, false_expr }, at)))
    }

    fn list(&mut self, items: &[Expr<'a>], at: &Range<usize>) -> Walked<Expr<'a>> {
        let items = self.exprs(items)?;
        Ok(made(Expr::List(placed(ast::List { items }, at)), at))
    }

    fn map(&mut self, map: &ast::Map<'a>, at: &Range<usize>) -> Walked<Expr<'a>> {
        let wrong = map.keys.iter().find(|key| matches!(key, Expr::Const(key) if key.value.as_str().is_none()));
        if let Some(key) = wrong {
            return Err(ExpressionError::new("a key must be a quoted text", self.range(key)));
        }
        let (keys, values) = (self.exprs(&map.keys)?, self.exprs(&map.values)?);
        Ok(made(Expr::Map(placed(ast::Map { keys, values }, at)), at))
    }

    // Chains

    /// The name at the root of a chain, if it is none of the template's own.
    pub(super) fn root(&self, root: &Expr<'a>) -> Option<&'a str> {
        match root {
            Expr::Var(name) if name.id != "null" && !self.locals.contains(&name.id) => Some(name.id),
            _ => None,
        }
    }

    fn chain(&mut self, expr: &Expr<'a>, usage: Use, at: &Range<usize>) -> Walked<Expr<'a>> {
        let (root, links) = take_apart(expr);
        let root_range = self.range(root);
        let guarded = match root {
            Expr::Var(name) if name.id == "null" => constant(Value::from(()), &root_range),
            Expr::Var(name) if WORDS.contains(&name.id) => {
                let message = format!("`{}` is not expected here; a value should stand here", name.id);
                return Err(ExpressionError::new(message, root_range));
            }
            Expr::Var(name) => Expr::Var(placed(ast::Var { id: name.id }, &root_range)),
            other => self.expr(other, usage)?,
        };
        let mut path = vec![Segment { key: Key::Dynamic, range: root_range }];
        path.extend(links.iter().map(|link| Segment { key: key_of(link), range: self.link_range(link) }));
        let parts = path.iter().map(|segment| segment.range.clone()).collect();
        self.sites.insert((at.start, at.end), Site::Chain(parts));
        if let Some(name) = self.root(root) {
            path[0].key = Key::Name(name.to_owned());
            self.note(path, at, usage)?;
        }
        let mut keys = Vec::new();
        for link in &links {
            keys.push(match link {
                Link::Name(name, range) => constant(Value::from(*name), range),
                Link::Index(index) => self.expr(index, NEEDED)?,
            });
        }
        let lenient = usage.covered || usage.tested;
        Ok(guard(if lenient { guards::PATH_OR_NOTHING } else { guards::PATH }, guarded, keys, at))
    }

    fn note(&mut self, path: Vec<Segment>, range: &Range<usize>, usage: Use) -> Walked<()> {
        if matches!(&path[0].key, Key::Name(root) if root == "secrets") {
            return Err(ExpressionError::new("a secret can only be printed as it is", range.clone()).with_help(
                "write {{ secrets.NAME }} with nothing else between the braces; two stand side by side, \
                 {{ secrets.USER }}:{{ secrets.KEY }}, and what has to be encoded is kept encoded",
            ));
        }
        let keys: Path = path.iter().map(|segment| segment.key.clone()).collect();
        let conditional = usage.tested || self.known.iter().any(|known| related(known, &keys));
        self.references.push(Reference { path, range: range.clone(), has_default: usage.covered, conditional });
        Ok(())
    }

    /// `secrets.NAME` printed directly is a secret; every other use of one is refused.
    fn secret(&mut self, expr: &Expr<'a>) -> Option<Expr<'a>> {
        let (root, links) = take_apart(expr);
        let ([link], true) = (links.as_slice(), self.root(root) == Some("secrets")) else { return None };
        let Key::Name(name) = key_of(link) else { return None };
        let range = self.range(expr);
        let root = Segment { key: Key::Name("secrets".to_owned()), range: self.range(root) };
        let path = vec![root, Segment { key: Key::Name(name.clone()), range: self.link_range(link) }];
        self.references.push(Reference { path, range: range.clone(), has_default: false, conditional: false });
        Some(constant(guards::secret(&name), &range))
    }

    fn link_range(&self, link: &Link<'_, 'a>) -> Range<usize> {
        link_range(self.text, link)
    }

    // Places

    /// Where an expression stands.
    pub(super) fn range(&self, expr: &Expr<'_>) -> Range<usize> {
        range_in(self.text, expr)
    }
}

/// Where an expression stands. minijinja's spans of chains, comparisons and choices begin elsewhere.
pub(super) fn range_in(text: &str, expr: &Expr<'_>) -> Range<usize> {
    let end = range_of(text, expr.span()).end;
    let mut first = expr;
    loop {
        let range = range_of(text, first.span());
        let is_prefix = |range: &Range<usize>| ["not", "-"].iter().any(|word| text[range.clone()].starts_with(word));
        first = match first {
            Expr::Filter(filter) if let Some(of) = &filter.expr => of,
            Expr::Test(test) => &test.expr,
            Expr::GetAttr(chain) => &chain.expr,
            Expr::GetItem(chain) => &chain.expr,
            Expr::Slice(slice) => &slice.expr,
            Expr::Call(call) => &call.expr,
            Expr::IfExpr(choice) => &choice.true_expr,
            Expr::Compare(compare) => &compare.expr,
            Expr::BinOp(operation) if comparison(operation.op).is_some() => &operation.left,
            Expr::UnaryOp(not) if !is_prefix(&range) => &not.expr,
            _ => return range.start.min(end)..end,
        };
    }
}

/// Where a part of a chain stands; a quoted key without its quotes.
pub(super) fn link_range(text: &str, link: &Link<'_, '_>) -> Range<usize> {
    match link {
        Link::Name(_, range) => range.clone(),
        Link::Index(index) => {
            let range = range_in(text, index);
            let source = text.get(range.clone()).unwrap_or_default();
            let quoted = source.len() > 2 && matches!(index, Expr::Const(_)) && source.starts_with(['"', '\'']);
            if quoted { range.start + 1..range.end - 1 } else { range }
        }
    }
}

fn comparison(operator: BinOpKind) -> Option<&'static str> {
    match operator {
        BinOpKind::Eq => Some("=="),
        BinOpKind::Ne => Some("!="),
        BinOpKind::Lt => Some("<"),
        BinOpKind::Lte => Some("<="),
        BinOpKind::Gt => Some(">"),
        BinOpKind::Gte => Some(">="),
        BinOpKind::In => Some("in"),
        _ => None,
    }
}

/// The root of a chain, and what follows it.
pub(super) fn take_apart<'e, 'a>(expr: &'e Expr<'a>) -> (&'e Expr<'a>, Vec<Link<'e, 'a>>) {
    let (mut root, mut links) = (expr, Vec::new());
    loop {
        root = match root {
            Expr::GetAttr(chain) => {
                let end = chain.span().end_offset as usize;
                links.push(Link::Name(chain.name, end - chain.name.len()..end));
                &chain.expr
            }
            Expr::GetItem(chain) => {
                links.push(Link::Index(&chain.subscript_expr));
                &chain.expr
            }
            _ => {
                links.reverse();
                return (root, links);
            }
        };
    }
}

pub(super) fn key_of(link: &Link<'_, '_>) -> Key {
    let whole = |value: &Value| if value.is_integer() { value.as_i64() } else { None };
    match link {
        Link::Name(name, _) => Key::Name((*name).to_owned()),
        Link::Index(Expr::Const(key)) => match key.value.as_str() {
            Some(name) => Key::Name(name.to_owned()),
            None => whole(&key.value).map_or(Key::Dynamic, Key::Index),
        },
        Link::Index(Expr::UnaryOp(minus)) => match (&minus.op, &minus.expr) {
            (UnaryOpKind::Neg, Expr::Const(key)) => {
                whole(&key.value).map_or(Key::Dynamic, |index| Key::Index(index.saturating_neg()))
            }
            _ => Key::Dynamic,
        },
        Link::Index(_) => Key::Dynamic,
    }
}

// Nodes of the guarded tree. All stand on one line, because minijinja forgets the place of what stands on another line
// than the node around it.

pub(super) fn placed<T>(node: T, range: &Range<usize>) -> Spanned<T> {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let (start_offset, end_offset) = (offset(range.start), offset(range.end));
    Spanned::new(node, Span { start_line: 1, start_col: 0, start_offset, end_line: 1, end_col: 0, end_offset })
}

pub(super) fn constant<'a>(value: Value, range: &Range<usize>) -> Expr<'a> {
    Expr::Const(placed(Const { value }, range))
}

fn print<'a>(expr: Expr<'a>, range: &Range<usize>) -> Stmt<'a> {
    Stmt::EmitExpr(placed(ast::EmitExpr { expr }, range))
}

pub(super) fn guard<'a>(name: &'static str, of: Expr<'a>, arguments: Vec<Expr<'a>>, range: &Range<usize>) -> Expr<'a> {
    let args = arguments.into_iter().map(CallArg::Pos).collect();
    Expr::Filter(placed(ast::Filter { name, expr: Some(of), args }, range))
}

fn made<'a>(expr: Expr<'a>, range: &Range<usize>) -> Expr<'a> {
    guard(guards::MADE, expr, Vec::new(), range)
}

pub(super) fn binary<'a>(op: BinOpKind, left: Expr<'a>, right: Expr<'a>, range: &Range<usize>) -> Expr<'a> {
    Expr::BinOp(placed(ast::BinOp { op, left, right }, range))
}
