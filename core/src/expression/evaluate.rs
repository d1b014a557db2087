//! Runs a parsed template against a context: no clock, no randomness, no I/O, bounded work, memory and output.
//! What is missing travels as a value until something uses it, so that `default` and `is defined` see whole chains.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::catalogue::{self, Run};
use super::filters::Arguments;
use super::operators::{self, kind, truth};
use super::render::SecretPart;
use super::syntax::{Arithmetic, Call, Expression, Node, Statement};
use super::{Context, EvaluationError, FUEL, MAX_COPIED, MAX_OUTPUT, MAX_VALUE_DEPTH};

type Evaluated<T> = Result<T, EvaluationError>;

/// A value: part of the context or the template, or made on the way.
#[derive(Clone)]
enum Datum<'a> {
    Borrowed(&'a Value),
    Shared(Arc<Value>),
}

impl Datum<'_> {
    fn made(value: Value) -> Self {
        Datum::Shared(Arc::new(value))
    }

    fn get(&self) -> &Value {
        match self {
            Datum::Borrowed(value) => value,
            Datum::Shared(value) => value,
        }
    }
}

/// A value, or the reason why there is none, which becomes an error as soon as somebody needs the value.
enum Operand<'a> {
    Present(Datum<'a>),
    Missing(EvaluationError),
}

impl Operand<'_> {
    fn made(value: Value) -> Self {
        Operand::Present(Datum::made(value))
    }
}

/// Evaluates one expression to its value.
pub(super) fn value_of(text: &str, node: &Node, context: &Context) -> Evaluated<Value> {
    let mut machine = Machine::new(text, context);
    let datum = machine.value(node)?;
    let size = measure(datum.get(), MAX_OUTPUT).ok_or_else(|| too_large(node.range.clone()))?;
    machine.burn(size / 64, &node.range)?;
    Ok(match datum {
        Datum::Borrowed(value) => value.clone(),
        Datum::Shared(value) => Arc::unwrap_or_clone(value),
    })
}

/// Renders statements to text with gaps where secrets belong.
pub(super) fn parts_of(text: &str, statements: &[Statement], context: &Context) -> Evaluated<Vec<SecretPart>> {
    let mut machine = Machine::new(text, context);
    machine.statements(statements)?;
    Ok(machine.parts)
}

/// Size of a value: bytes of its texts and 16 for each value. `None` beyond `limit` or [`MAX_VALUE_DEPTH`].
fn measure(value: &Value, limit: usize) -> Option<usize> {
    fn walk(value: &Value, depth: usize, left: &mut usize) -> bool {
        let own = match value {
            Value::String(text) => text.len() + 16,
            Value::Object(entries) => entries.keys().map(String::len).sum::<usize>() + 16,
            _ => 16,
        };
        if own > *left || depth > MAX_VALUE_DEPTH {
            return false;
        }
        *left -= own;
        match value {
            Value::Array(items) => items.iter().all(|item| walk(item, depth + 1, left)),
            Value::Object(entries) => entries.values().all(|item| walk(item, depth + 1, left)),
            _ => true,
        }
    }
    let mut left = limit;
    walk(value, 0, &mut left).then(|| limit - left)
}

fn too_large(range: Range<usize>) -> EvaluationError {
    let message = format!("the result is larger than {} KiB or nested too deeply", MAX_OUTPUT / 1024);
    EvaluationError::at(message, range)
}

struct Machine<'a> {
    text: &'a str,
    context: &'a Context,
    locals: Vec<(&'a str, Datum<'a>)>,
    fuel: usize,
    copied: usize,
    written: usize,
    parts: Vec<SecretPart>,
}

impl<'a> Machine<'a> {
    fn new(text: &'a str, context: &'a Context) -> Self {
        Self { text, context, locals: Vec::new(), fuel: FUEL, copied: 0, written: 0, parts: Vec::new() }
    }

    fn burn(&mut self, amount: usize, range: &Range<usize>) -> Evaluated<()> {
        match self.fuel.checked_sub(amount) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => Err(EvaluationError::at("this expression needs too much work; it was stopped", range.clone())),
        }
    }

    /// Accounts for looking through a whole value.
    fn read(&mut self, value: &Value, range: &Range<usize>) -> Evaluated<usize> {
        let size = measure(value, MAX_COPIED).ok_or_else(|| too_large(range.clone()))?;
        self.burn(size / 64, range)?;
        Ok(size)
    }

    /// Accounts for a value that is made or copied.
    fn charge(&mut self, value: &Value, range: &Range<usize>) -> Evaluated<()> {
        self.copied += self.read(value, range)?;
        if self.copied > MAX_COPIED {
            return Err(EvaluationError::at("this expression makes too many large values", range.clone()));
        }
        Ok(())
    }

    fn made(&mut self, value: Value, range: &Range<usize>) -> Evaluated<Operand<'a>> {
        self.charge(&value, range)?;
        Ok(Operand::made(value))
    }

    /// The source of a node as a message names it.
    fn name(&self, range: &Range<usize>) -> String {
        let source = self.text.get(range.clone()).unwrap_or_default();
        let mut name: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.chars().count() > 80 {
            name = name.chars().take(79).collect::<String>() + "…";
        }
        name
    }

    // Statements

    fn statements(&mut self, statements: &'a [Statement]) -> Evaluated<()> {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &'a Statement) -> Evaluated<()> {
        match statement {
            Statement::Text(text) => self.write(text, &(0..0)),
            Statement::Print(node) => {
                let datum = self.value(node)?;
                self.read(datum.get(), &node.range)?;
                match datum.get() {
                    Value::String(text) => self.write(text, &node.range),
                    other => self.write(&operators::text(other), &node.range),
                }
            }
            Statement::Secret { name, name_range, .. } => {
                self.burn(1, name_range)?;
                self.parts.push(SecretPart::Secret(name.clone()));
                self.written += name.len();
                Ok(())
            }
            Statement::If { branches, otherwise } => {
                for (test, body) in branches {
                    if truth(self.value(test)?.get()) {
                        return self.statements(body);
                    }
                }
                self.statements(otherwise)
            }
            Statement::Set { name, value } => {
                let datum = self.value(value)?;
                self.locals.push((name, datum));
                Ok(())
            }
            Statement::With { assignments, body } => {
                let frame = self.locals.len();
                for (name, value) in assignments {
                    let datum = self.value(value)?;
                    self.locals.push((name, datum));
                }
                self.statements(body)?;
                self.locals.truncate(frame);
                Ok(())
            }
            Statement::For { targets, items, filter, body, otherwise, range } => {
                self.repeat(targets, items, filter.as_ref(), body, otherwise, range)
            }
        }
    }

    fn write(&mut self, text: &str, range: &Range<usize>) -> Evaluated<()> {
        self.written += text.len();
        if self.written > MAX_OUTPUT {
            return Err(too_large(range.clone()));
        }
        if text.is_empty() {
            return Ok(());
        }
        if let Some(SecretPart::Literal(last)) = self.parts.last_mut() {
            last.push_str(text);
        } else {
            self.parts.push(SecretPart::Literal(text.to_owned()));
        }
        Ok(())
    }

    fn repeat(
        &mut self,
        targets: &'a [String],
        items: &'a Node,
        filter: Option<&'a Node>,
        body: &'a [Statement],
        otherwise: &'a [Statement],
        range: &Range<usize>,
    ) -> Evaluated<()> {
        let list = self.value(items)?;
        let mut entries = self.entries(&list, items)?;
        let frame = self.locals.len();
        if let Some(filter) = filter {
            let mut kept = Vec::new();
            for entry in entries {
                self.bind(targets, &entry, items)?;
                if truth(self.value(filter)?.get()) {
                    kept.push(entry);
                }
                self.locals.truncate(frame);
            }
            entries = kept;
        }
        if entries.is_empty() {
            return self.statements(otherwise);
        }
        let length = entries.len();
        for (index, entry) in entries.iter().enumerate() {
            self.burn(1, range)?;
            self.bind(targets, entry, items)?;
            self.locals.push(("loop", Datum::made(position(index, length))));
            self.statements(body)?;
            self.locals.truncate(frame);
        }
        Ok(())
    }

    /// What a `for` goes through: the entries of a list, the keys of a map.
    fn entries(&mut self, list: &Datum<'a>, node: &Node) -> Evaluated<Vec<Datum<'a>>> {
        match list {
            Datum::Borrowed(Value::Array(items)) => Ok(items.iter().map(Datum::Borrowed).collect()),
            _ => match list.get() {
                Value::Array(items) => {
                    self.charge(list.get(), &node.range)?;
                    Ok(items.iter().cloned().map(Datum::made).collect())
                }
                Value::Object(entries) => Ok(entries.keys().cloned().map(Value::from).map(Datum::made).collect()),
                other => {
                    let name = self.name(&node.range);
                    let message = format!("`for` needs a list or a map, but `{name}` is {}", kind(other));
                    Err(EvaluationError::at(message, node.range.clone()))
                }
            },
        }
    }

    fn bind(&mut self, targets: &'a [String], entry: &Datum<'a>, node: &Node) -> Evaluated<()> {
        if let [target] = targets {
            self.locals.push((target, entry.clone()));
            return Ok(());
        }
        match entry.get() {
            Value::Array(items) if items.len() == targets.len() => {
                for (index, target) in targets.iter().enumerate() {
                    let part = match entry {
                        Datum::Borrowed(Value::Array(items)) => Datum::Borrowed(&items[index]),
                        _ => {
                            self.charge(&items[index], &node.range)?;
                            Datum::made(items[index].clone())
                        }
                    };
                    self.locals.push((target, part));
                }
                Ok(())
            }
            _ => {
                let message = format!("each entry must be a list of {} values here", targets.len());
                Err(EvaluationError::at(message, node.range.clone()))
            }
        }
    }

    // Expressions

    fn value(&mut self, node: &'a Node) -> Evaluated<Datum<'a>> {
        match self.operand(node)? {
            Operand::Present(datum) => Ok(datum),
            Operand::Missing(error) => Err(error),
        }
    }

    /// Only hands on: its frame is on the stack once for each level of an expression.
    fn operand(&mut self, node: &'a Node) -> Evaluated<Operand<'a>> {
        self.burn(1, &node.range)?;
        match &node.expression {
            Expression::Literal(value) => Ok(Operand::Present(Datum::Borrowed(value))),
            Expression::Name(name) => Ok(self.root(name, node)),
            Expression::Attribute { of, name, name_range } => self.attribute(of, name, name_range, node),
            Expression::Item { of, index } => self.item(of, index, node),
            Expression::Slice { of, start, stop } => self.slice(of, start.as_deref(), stop.as_deref(), node),
            Expression::Not(inner) => self.not(inner),
            Expression::Negate(inner) => self.negated(inner),
            Expression::And(left, right) => self.either(left, right, true),
            Expression::Or(left, right) => self.either(left, right, false),
            Expression::Arithmetic { operator, left, right } => self.arithmetic(*operator, left, right, node),
            Expression::Compare { first, links } => self.compare(first, links, node),
            Expression::Choice { test, yes, no } => self.choice(test, yes, no),
            Expression::Filter { of, call } => self.filter(of, call),
            Expression::Test { of, call } => self.test(of, call).map(|passed| Operand::made(Value::Bool(passed))),
            Expression::Function(call) => self.function(call),
            Expression::List(items) => self.list(items, node),
            Expression::Map(entries) => self.map(entries, node),
        }
    }

    fn not(&mut self, inner: &'a Node) -> Evaluated<Operand<'a>> {
        let inner = self.value(inner)?;
        Ok(Operand::made(Value::Bool(!truth(inner.get()))))
    }

    /// `and` goes on to its right side where the left one is true, `or` where it is false.
    fn either(&mut self, left: &'a Node, right: &'a Node, goes_on: bool) -> Evaluated<Operand<'a>> {
        let left = self.value(left)?;
        if truth(left.get()) == goes_on { self.value(right).map(Operand::Present) } else { Ok(Operand::Present(left)) }
    }

    fn choice(&mut self, test: &'a Node, yes: &'a Node, no: &'a Node) -> Evaluated<Operand<'a>> {
        let passed = truth(self.value(test)?.get());
        self.operand(if passed { yes } else { no })
    }

    fn root(&self, name: &str, node: &Node) -> Operand<'a> {
        if let Some((_, datum)) = self.locals.iter().rfind(|(local, _)| *local == name) {
            return Operand::Present(datum.clone());
        }
        if name != "secrets"
            && let Some(value) = self.context.get(name)
        {
            return Operand::Present(Datum::Borrowed(value));
        }
        let known = self.context.roots().chain(self.locals.iter().map(|(local, _)| *local));
        let message = missing(name, catalogue::nearest(name, known));
        Operand::Missing(EvaluationError::at(message, node.range.clone()))
    }

    /// A part of a value, borrowed where the whole is.
    fn part(
        &mut self,
        whole: &Datum<'a>,
        range: &Range<usize>,
        choose: impl for<'x> Fn(&'x Value) -> Option<&'x Value>,
    ) -> Evaluated<Option<Datum<'a>>> {
        match whole {
            Datum::Borrowed(value) => Ok(choose(value).map(Datum::Borrowed)),
            Datum::Shared(value) => match choose(value) {
                None => Ok(None),
                Some(part) => {
                    self.charge(part, range)?;
                    Ok(Some(Datum::made(part.clone())))
                }
            },
        }
    }

    fn attribute(
        &mut self,
        of: &'a Node,
        name: &str,
        name_range: &Range<usize>,
        node: &Node,
    ) -> Evaluated<Operand<'a>> {
        let whole = match self.operand(of)? {
            Operand::Present(whole) => whole,
            missing => return Ok(missing),
        };
        self.key(&whole, name, of, name_range, node)
    }

    fn key(
        &mut self,
        whole: &Datum<'a>,
        key: &str,
        of: &Node,
        key_range: &Range<usize>,
        node: &Node,
    ) -> Evaluated<Operand<'a>> {
        if let Some(part) = self.part(whole, key_range, |value| value.as_object()?.get(key))? {
            return Ok(Operand::Present(part));
        }
        let message = match whole.get() {
            Value::Object(entries) => {
                let near = catalogue::nearest(key, entries.keys().map(String::as_str));
                missing(&self.name(&node.range), near)
            }
            other => format!("`{}` is {}, so it has no `{key}`", self.name(&of.range), kind(other)),
        };
        Ok(Operand::Missing(EvaluationError::at(message, key_range.clone())))
    }

    fn item(&mut self, of: &'a Node, index: &'a Node, node: &Node) -> Evaluated<Operand<'a>> {
        let whole = self.operand(of)?;
        let index_value = self.value(index)?;
        let whole = match whole {
            Operand::Present(whole) => whole,
            missing => return Ok(missing),
        };
        let position = match index_value.get() {
            Value::String(key) => return self.key(&whole, key, of, &index.range, node),
            Value::Number(number) if number.is_i64() || number.is_u64() => number.as_i64().unwrap_or(i64::MAX),
            other => {
                let message = format!("a key or a number must stand in the brackets, this is {}", kind(other));
                return Err(EvaluationError::at(message, index.range.clone()));
            }
        };
        if let Some(entry) = self.part(&whole, &index.range, |value| {
            let items = value.as_array()?;
            items.get(absolute(position, items.len())?)
        })? {
            return Ok(Operand::Present(entry));
        }
        let name = self.name(&of.range);
        let message = match whole.get() {
            Value::Array(items) => format!("`{name}` has {} entries, so there is no entry {position}", items.len()),
            other => format!("`{name}` is {}, so it has no entry {position}", kind(other)),
        };
        Ok(Operand::Missing(EvaluationError::at(message, index.range.clone())))
    }

    fn slice(
        &mut self,
        of: &'a Node,
        start: Option<&'a Node>,
        stop: Option<&'a Node>,
        node: &Node,
    ) -> Evaluated<Operand<'a>> {
        let whole = self.value(of)?;
        self.read(whole.get(), &node.range)?;
        let mut bound = |end: Option<&'a Node>| -> Evaluated<Option<i64>> {
            let Some(end) = end else { return Ok(None) };
            match self.value(end)?.get() {
                Value::Null => Ok(None),
                value => value.as_i64().map(Some).ok_or_else(|| {
                    let message = format!("a whole number must stand here, this is {}", kind(value));
                    EvaluationError::at(message, end.range.clone())
                }),
            }
        };
        let (start, stop) = (bound(start)?, bound(stop)?);
        let cut = |length: usize| {
            let clamp = |end: i64| match usize::try_from(end) {
                Ok(end) => end.min(length),
                Err(_) => length.saturating_sub(usize::try_from(end.unsigned_abs()).unwrap_or(usize::MAX)),
            };
            let start = start.map_or(0, clamp);
            start..stop.map_or(length, clamp).max(start)
        };
        let value = match whole.get() {
            Value::Array(items) => Value::Array(items[cut(items.len())].to_vec()),
            Value::String(text) => {
                let range = cut(text.chars().count());
                Value::from(text.chars().skip(range.start).take(range.len()).collect::<String>())
            }
            other => {
                let message = format!("only a list or a text can be cut, this is {}", kind(other));
                return Err(EvaluationError::at(message, of.range.clone()));
            }
        };
        self.made(value, &node.range)
    }

    fn negated(&mut self, inner: &'a Node) -> Evaluated<Operand<'a>> {
        let value = self.value(inner)?;
        let result = match value.get() {
            Value::Number(number) => operators::negate(number),
            other => Err(format!("`-` needs a number, not {}", kind(other))),
        };
        result.map(Operand::made).map_err(|message| EvaluationError::at(message, inner.range.clone()))
    }

    fn arithmetic(
        &mut self,
        operator: Arithmetic,
        left: &'a Node,
        right: &'a Node,
        node: &Node,
    ) -> Evaluated<Operand<'a>> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        // Both are looked through first, so that the sum of two large values is refused before it is made.
        self.charge(left.get(), &node.range)?;
        self.charge(right.get(), &node.range)?;
        match operators::arithmetic(operator, left.get(), right.get()) {
            Ok(value) => self.made(value, &node.range),
            Err(message) => Err(EvaluationError::at(message, node.range.clone())),
        }
    }

    fn compare(
        &mut self,
        first: &'a Node,
        links: &'a [(super::syntax::Comparison, Node)],
        node: &Node,
    ) -> Evaluated<Operand<'a>> {
        let mut left = self.value(first)?;
        for (comparison, node_right) in links {
            let right = self.value(node_right)?;
            self.read(left.get(), &node.range)?;
            self.read(right.get(), &node.range)?;
            match operators::compare(*comparison, left.get(), right.get()) {
                Ok(true) => left = right,
                Ok(false) => return Ok(Operand::made(Value::Bool(false))),
                Err(message) => return Err(EvaluationError::at(message, node.range.clone())),
            }
        }
        Ok(Operand::made(Value::Bool(true)))
    }

    fn list(&mut self, items: &'a [Node], node: &Node) -> Evaluated<Operand<'a>> {
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let datum = self.value(item)?;
            self.charge(datum.get(), &item.range)?;
            list.push(datum.get().clone());
        }
        self.made(Value::Array(list), &node.range)
    }

    fn map(&mut self, entries: &'a [(Node, Node)], node: &Node) -> Evaluated<Operand<'a>> {
        let mut map = Map::new();
        for (key, value) in entries {
            let key_value = self.value(key)?;
            let Value::String(name) = key_value.get() else {
                let message = format!("a key must be a text, this is {}", kind(key_value.get()));
                return Err(EvaluationError::at(message, key.range.clone()));
            };
            let datum = self.value(value)?;
            self.charge(datum.get(), &value.range)?;
            map.insert(name.clone(), datum.get().clone());
        }
        self.made(Value::Object(map), &node.range)
    }

    // Calls

    fn arguments(&mut self, call: &'a Call) -> Evaluated<Vec<Option<Datum<'a>>>> {
        call.arguments.iter().map(|argument| argument.as_ref().map(|node| self.value(node)).transpose()).collect()
    }

    /// Fuel for a call grows with the value times its arguments, because filters compare each with each.
    fn fuel_for_call(&mut self, value: &Value, given: &[Option<Datum<'a>>], range: &Range<usize>) -> Evaluated<()> {
        let size = self.read(value, range)?;
        let mut factor = 1;
        for argument in given.iter().flatten() {
            factor += self.read(argument.get(), range)? / 64;
        }
        self.burn((size / 64).saturating_mul(factor), range)
    }

    fn filter(&mut self, of: &'a Node, call: &'a Call) -> Evaluated<Operand<'a>> {
        if matches!(call.callable.run, Run::Default) {
            return match self.operand(of)? {
                Operand::Present(datum) if !datum.get().is_null() => Ok(Operand::Present(datum)),
                _ => match call.arguments.first() {
                    Some(Some(fallback)) => self.operand(fallback),
                    _ => Ok(Operand::Present(Datum::made(Value::Null))),
                },
            };
        }
        let value = self.value(of)?;
        let given = self.arguments(call)?;
        self.fuel_for_call(value.get(), &given, &call.name_range)?;
        let Run::Filter(run) = call.callable.run else {
            return Err(EvaluationError::at("this is not a filter", call.name_range.clone()));
        };
        let result = run(value.get(), &borrowed(&given));
        match result {
            Ok(result) => self.made(result, &call.name_range),
            Err(message) => Err(self.failed(call, of, &message)),
        }
    }

    fn failed(&self, call: &Call, of: &Node, message: &str) -> EvaluationError {
        let name = self.name(&of.range);
        let message = format!("`{}` cannot be applied to `{name}`: {message}", call.callable.name);
        EvaluationError::at(message, call.name_range.clone())
    }

    fn test(&mut self, of: &'a Node, call: &'a Call) -> Evaluated<bool> {
        let test = match call.callable.run {
            Run::Defined => return Ok(matches!(self.operand(of)?, Operand::Present(_))),
            Run::Undefined => return Ok(matches!(self.operand(of)?, Operand::Missing(_))),
            Run::Test(test) => test,
            _ => {
                return Err(EvaluationError::at("this is not a test", call.name_range.clone()));
            }
        };
        let value = self.value(of)?;
        let given = self.arguments(call)?;
        self.fuel_for_call(value.get(), &given, &call.name_range)?;
        test(value.get(), &borrowed(&given)).map_err(|message| self.failed(call, of, &message))
    }

    fn function(&mut self, call: &'a Call) -> Evaluated<Operand<'a>> {
        let given = self.arguments(call)?;
        let Run::Function(run) = call.callable.run else {
            return Err(EvaluationError::at("this is not a function", call.name_range.clone()));
        };
        match run(&borrowed(&given)) {
            Ok(value) => self.made(value, &call.name_range),
            Err(message) => Err(EvaluationError::at(message, call.name_range.clone())),
        }
    }
}

fn borrowed<'v>(given: &'v [Option<Datum<'_>>]) -> Arguments<'v> {
    Arguments(given.iter().map(|datum| datum.as_ref().map(|datum| Cow::Borrowed(datum.get()))).collect())
}

fn missing(name: &str, near: Option<&str>) -> String {
    match near {
        Some(near) => format!("`{name}` is not defined here; did you mean `{near}`?"),
        None => format!("`{name}` is not defined here"),
    }
}

/// The index that a position means, counted from the end if it is negative.
fn absolute(position: i64, length: usize) -> Option<usize> {
    match usize::try_from(position) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(usize::try_from(position.unsigned_abs()).ok()?),
    }
}

/// The variable `loop` inside of a `for`.
fn position(index: usize, length: usize) -> Value {
    serde_json::json!({
        "index": index + 1,
        "index0": index,
        "revindex": length - index,
        "revindex0": length - index - 1,
        "first": index == 0,
        "last": index + 1 == length,
        "length": length,
    })
}
