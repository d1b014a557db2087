//! The type check: one walk over what a text says gives its type and every mistake in it. Where something is wrong its
//! type is unknown from there on, so that one mistake is told once. Knows values by their types only.

mod calls;
mod chain;
mod compare;
mod narrow;
mod operate;

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::kind::{Kinds, Others, Part, Type};
use super::mistake::{Mistake, MistakeKind};
use super::text::{Role, Usage, Wants};
use crate::expression::tree::{Choice, Link, Node, Root, Statement, Target, What};
use crate::expression::{Segment, Template};
use crate::source::MAX_MISSPELT;
use crate::value::Duration;
use narrow::Fact;

/// What a text can read.
pub trait Environment {
    /// What stands at a root of the context, or some parts after it; nothing where it is not known.
    fn root(&self, path: &[Segment]) -> Option<Start>;

    /// The tests that have come out so before the text is read.
    fn known(&self) -> &[(&Node, bool)] {
        &[]
    }

    /// The constant of `context` that these parts after it lead to; nothing where they lead to none.
    fn constant(&self, _links: &[Link]) -> Option<&Value> {
        None
    }

    /// How many mistakes were found in texts beside it before.
    fn mistaken(&self) -> usize {
        0
    }
}

/// Where a chain begins.
#[derive(Debug, Clone)]
pub struct Start {
    /// What is there.
    pub of: Type,
    /// How many parts of the chain lead there: 1 for the root alone.
    pub parts: usize,
}

/// What a text is, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// Its type.
    pub of: Type,
    /// What is wrong with it, in the order of the text.
    pub mistakes: Vec<Mistake>,
    /// Whether something in it fits only if a value is of the right one of several types.
    pub depends: bool,
}

/// A part of a text with its type, for editors.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The part, in bytes of the text.
    pub range: Range<usize>,
    /// Its type.
    pub of: Type,
    /// What its author wrote about it.
    pub description: Option<Arc<str>>,
}

/// Reads a text as what may stand at its place.
pub fn read(template: &Template, environment: &dyn Environment, role: Role) -> Read {
    let mut check = Check::new(template, environment);
    let of = check.template(role);
    check.mistakes.sort_by_key(|mistake| (mistake.range.start, mistake.range.end));
    Read { of, mistakes: check.mistakes, depends: check.depends }
}

/// Every part of a text with its type, outer parts after those inside them.
pub fn parts(template: &Template, environment: &dyn Environment, role: Role) -> Vec<Seen> {
    let mut check = Check { seen: Some(Vec::new()), ..Check::new(template, environment) };
    check.template(role);
    check.seen.unwrap_or_default()
}

/// How a value is used: whether a missing one is provided for.
#[derive(Clone, Copy, Default)]
struct Use {
    /// By `default`.
    covered: bool,
    /// By `is defined`.
    tested: bool,
}

const NEEDED: Use = Use { covered: false, tested: false };

struct Check<'t> {
    template: &'t Template,
    environment: &'t dyn Environment,
    /// Names that the text gave itself, inner ones last.
    locals: Vec<(&'t str, Type)>,
    /// What is known where the walk is.
    facts: Vec<Fact<'t>>,
    /// How many `if` are around.
    branches: usize,
    mistakes: Vec<Mistake>,
    depends: bool,
    /// Chains of which it has been said that they may be missing or null.
    told: Vec<String>,
    seen: Option<Vec<Seen>>,
}

impl<'t> Check<'t> {
    fn new(template: &'t Template, environment: &'t dyn Environment) -> Self {
        let mut check = Self {
            template,
            environment,
            locals: Vec::new(),
            facts: Vec::new(),
            branches: 0,
            mistakes: Vec::new(),
            depends: false,
            told: Vec::new(),
            seen: None,
        };
        environment.known().iter().for_each(|(test, outcome)| check.learn(test, *outcome));
        check
    }

    /// Whether what was meant by an unknown name is still looked for: more mistakes than that nobody is shown.
    fn suggests(&self) -> bool {
        self.environment.mistaken() + self.mistakes.len() < MAX_MISSPELT
    }

    fn template(&mut self, role: Role) -> Type {
        let template = self.template;
        match template.statements() {
            [Statement::Print(node), ..] if template.is_native() => {
                let of = match role.usage {
                    Usage::Condition => self.condition(node),
                    Usage::Text | Usage::Value => self.node(node, NEEDED),
                };
                self.wanted(node, &of, role.wants);
                of
            }
            statements => {
                self.statements(statements, role.wants);
                Type::TEXT
            }
        }
    }

    fn wrong(&mut self, kind: MistakeKind, range: &Range<usize>, message: impl Into<String>) -> &mut Mistake {
        self.mistakes.push(Mistake::new(kind, range.clone(), message));
        #[expect(clippy::expect_used, reason = "it was pushed one line above")]
        self.mistakes.last_mut().expect("there is a mistake")
    }

    /// Whether a value can be of one of these kinds. Null is asked about separately.
    fn fits(&mut self, of: &Type, kinds: Kinds) -> bool {
        let can = of.kinds().meets(kinds);
        self.depends |= can && !of.kinds().without(Kinds::NULL).within(kinds);
        can
    }

    fn note(&mut self, range: &Range<usize>, of: &Type, description: Option<&Arc<str>>) {
        if let Some(seen) = &mut self.seen {
            seen.push(Seen { range: range.clone(), of: of.clone(), description: description.cloned() });
        }
    }

    // Statements

    fn statements(&mut self, statements: &'t [Statement], wants: Wants) {
        statements.iter().for_each(|statement| self.statement(statement, wants));
    }

    fn statement(&mut self, statement: &'t Statement, wants: Wants) {
        match statement {
            Statement::Text => {}
            Statement::Print(node) => {
                let of = self.node(node, NEEDED);
                if wants == Wants::Address {
                    self.in_address(node, &of);
                }
            }
            Statement::If { test, then, otherwise } => {
                self.node(test, NEEDED);
                self.branches += 1;
                self.knowing(test, true, |check| check.statements(then, wants));
                self.knowing(test, false, |check| check.statements(otherwise, wants));
                self.branches -= 1;
            }
            Statement::For { target, items, filter, body, otherwise } => {
                let entry = self.entry_of(items);
                let locals = self.locals.len();
                self.give(target, entry);
                if let Some(filter) = filter {
                    self.node(filter, NEEDED);
                }
                self.locals.push(("loop", loop_variable()));
                match filter {
                    Some(filter) => self.knowing(filter, true, |check| check.statements(body, wants)),
                    None => self.statements(body, wants),
                }
                self.locals.truncate(locals);
                self.statements(otherwise, wants);
            }
            Statement::With { names, body } => {
                let locals = self.locals.len();
                for (target, value) in names {
                    let of = self.node(value, NEEDED);
                    self.give(target, of);
                }
                self.statements(body, wants);
                self.locals.truncate(locals);
            }
            Statement::Set { target, value } => {
                let of = self.node(value, NEEDED);
                self.give(target, if self.branches > 0 { Type::Unknown } else { of });
            }
        }
    }

    /// What `for` goes through, entry by entry.
    fn entry_of(&mut self, items: &'t Node) -> Type {
        let of = self.node(items, NEEDED);
        let looped = Kinds::LIST.or(Kinds::RECORD);
        if !self.fits(&of, looped) {
            let message = format!("`for` goes through a list or a mapping, this is {of}");
            self.wrong(MistakeKind::NotAList, &items.range, message);
            return Type::Unknown;
        }
        self.not_null(items, &of, "`for` cannot go through null");
        of.only(looped).entries()
    }

    /// Gives names their values. A name that had another value before may have either.
    fn give(&mut self, target: &'t Target, of: Type) {
        match target {
            Target::Name(name, range) => {
                self.note(range, &of, None);
                let again = self.locals.iter().any(|(known, _)| known == name);
                self.locals.push((name.as_str(), if again { Type::Unknown } else { of }));
            }
            Target::Names(targets) => {
                for (place, target) in targets.iter().enumerate() {
                    let entry = match &of {
                        Type::List(list) => list.at(place).clone(),
                        _ => Type::Unknown,
                    };
                    self.give(target, entry);
                }
            }
        }
    }

    // Values

    fn node(&mut self, node: &'t Node, usage: Use) -> Type {
        let of = match &node.what {
            What::Constant(value) => Type::of_constant(value),
            What::Chain(root, links) => return self.chain(node, root, links, usage),
            What::Slice(of, bounds) => self.slice(of, bounds),
            What::Not(of) => {
                self.node(of, NEEDED);
                Type::Boolean
            }
            What::Negative(of) => self.negative(of),
            What::Operation(operator, left, right) => self.operation(*operator, left, right),
            What::Comparison(first, links) => self.comparison(first, links),
            What::Choice(choice) => self.choice(choice, usage, |check, node, usage| check.node(node, usage)),
            What::Call(call) => self.call(call, usage),
            What::List(items) => {
                let first: Vec<Type> = items.iter().map(|item| self.node(item, NEEDED)).collect();
                let rest = Type::any_of(first.iter().cloned());
                Type::List(Arc::new(super::kind::List { first, rest }))
            }
            What::Map(entries) => self.map(entries),
        };
        self.note(&node.range, &of, None);
        of
    }

    fn choice(
        &mut self,
        choice: &'t Choice,
        usage: Use,
        mut branch: impl FnMut(&mut Self, &'t Node, Use) -> Type,
    ) -> Type {
        self.node(&choice.test, NEEDED);
        let yes = self.knowing(&choice.test, true, |check| branch(check, &choice.yes, usage));
        let no = self.knowing(&choice.test, false, |check| branch(check, &choice.no, usage));
        yes.or(no)
    }

    fn map(&mut self, entries: &'t [(Node, Node)]) -> Type {
        let mut fields = Vec::new();
        let mut is_known = true;
        for (key, value) in entries {
            let named = self.node(key, NEEDED);
            let of = self.node(value, NEEDED);
            match &key.what {
                What::Constant(Value::String(name)) => fields.push((name.as_str(), Part::of(of))),
                _ => {
                    is_known = false;
                    if !self.fits(&named, Kinds::TEXT) {
                        let message = format!("a key must be a text, this is {named}");
                        self.wrong(MistakeKind::OperatorDoesNotFit, &key.range, message);
                    }
                }
            }
        }
        Type::record(fields, if is_known { Others::None } else { Others::Any })
    }

    fn slice(&mut self, of: &'t Node, bounds: &'t [Node]) -> Type {
        let cut = self.node(of, NEEDED);
        let mut is_right = true;
        for bound in bounds {
            let at = self.node(bound, NEEDED);
            if !self.fits(&at, Kinds::NUMBER.or(Kinds::NULL)) {
                let message = format!("a part is cut out by whole numbers, this is {at}");
                self.wrong(MistakeKind::OperatorDoesNotFit, &bound.range, message);
                is_right = false;
            }
        }
        let fitting = Kinds::LIST.or(Kinds::TEXT);
        if !self.fits(&cut, fitting) {
            let message = format!("only a list or a text can be cut, this is {cut}");
            self.wrong(MistakeKind::OperatorDoesNotFit, &of.range, message);
            return Type::Unknown;
        }
        if is_right {
            self.not_null(of, &cut, "null cannot be cut");
        }
        Type::any_of(cut.only(fitting).alternatives().iter().map(|one| match one {
            Type::List(list) => Type::list(list.any_entry()),
            Type::Text(_) => Type::TEXT,
            _ => Type::Unknown,
        }))
    }

    // What the place of a text asks for

    /// A value that decides: true or false. Of `and` and `or` each side decides.
    fn condition(&mut self, node: &'t Node) -> Type {
        match &node.what {
            What::Operation(operator, left, right) if operator.is_logical() => {
                self.condition(left);
                let outcome = *operator == crate::expression::tree::Operator::And;
                self.knowing(left, outcome, |check| check.condition(right));
                Type::Boolean
            }
            What::Choice(choice) => self.choice(choice, NEEDED, |check, node, _| check.condition(node)),
            _ => {
                let of = self.node(node, NEEDED);
                if self.fits(&of, Kinds::BOOLEAN) {
                    self.not_null(node, &of, "a condition must be true or false, not null");
                } else {
                    let message = format!("a condition must be true or false, this is {of}");
                    self.wrong(MistakeKind::NotBoolean, &node.range, message).help =
                        Some("compare it with something".to_owned());
                }
                of
            }
        }
    }

    fn wanted(&mut self, node: &'t Node, of: &Type, wants: Wants) {
        let kinds = of.kinds();
        match wants {
            Wants::Anything => {}
            Wants::Text => self.not_null(node, of, "nothing would be left of this text"),
            Wants::Duration | Wants::Moment => {
                let (what, example) = match wants {
                    Wants::Moment => ("a moment", "2030-01-01T09:00:00Z"),
                    _ => ("a duration", "90m"),
                };
                let is_none = |word: &Arc<str>| wants == Wants::Duration && word.parse::<Duration>().is_err();
                if !kinds.meets(Kinds::TEXT) || of.known_words().is_some_and(|words| words.iter().all(is_none)) {
                    let message = format!("this must be {what} in words such as `{example}`, it is {of}");
                    self.wrong(MistakeKind::ValueDoesNotFit, &node.range, message);
                } else {
                    self.not_null(node, of, &format!("null is not {what}"));
                }
            }
            Wants::Names => {
                if !kinds.meets(Kinds::TEXT.or(Kinds::LIST).or(Kinds::NUMBER)) {
                    let message = format!("this must be a name, it is {of}");
                    self.wrong(MistakeKind::ValueDoesNotFit, &node.range, message);
                } else {
                    self.not_null(node, of, "null names nobody");
                }
            }
            Wants::List => {
                if !kinds.meets(Kinds::LIST) {
                    let message = format!("`items` must be a list, this is {of}");
                    self.wrong(MistakeKind::NotAList, &node.range, message);
                } else {
                    self.not_null(node, of, "null is no list");
                }
            }
            Wants::Address => {
                self.in_address(node, of);
                self.not_null(node, of, "nothing would be left of this address");
            }
        }
    }

    fn in_address(&mut self, node: &'t Node, of: &Type) {
        if of.kinds().within(Kinds::LIST.or(Kinds::RECORD)) {
            let message = format!("this is printed into an address, and it is {of}");
            let wrong = self.wrong(MistakeKind::InAddress, &node.range, message);
            wrong.help = Some("print a field of it, or `| join(',')` and `| urlencode`".to_owned());
        }
    }

    /// Says that a value may be null where it must not be.
    fn not_null(&mut self, node: &'t Node, of: &Type, why: &str) {
        if !of.may_be_null() {
            return;
        }
        let (range, chain) = match &node.what {
            What::Chain(Root::Name(..), links) => {
                (links.last().map_or(&node.range, |link| &link.range), self.source(&node.range).to_owned())
            }
            _ => (&node.range, String::new()),
        };
        if !chain.is_empty() {
            if self.told.contains(&chain) {
                return;
            }
            self.told.push(chain.clone());
        }
        let name = if chain.is_empty() { "this".to_owned() } else { format!("`{chain}`") };
        let wrong = self.wrong(MistakeKind::MayBeNull, &range.clone(), format!("{name} may be null; {why}"));
        wrong.help = Some("provide for it with `| default(…)`, or ask `is not none` before".to_owned());
    }

    /// The text of a part.
    fn source(&self, range: &Range<usize>) -> &'t str {
        self.template.text().get(range.clone()).unwrap_or_default()
    }

    /// A part as a message names it.
    fn named(&self, node: &Node) -> String {
        let source = self.source(&node.range);
        match source.chars().nth(40) {
            None if !source.contains('\n') => format!("`{}`", balanced(source)),
            _ => "the other side".to_owned(),
        }
    }
}

/// A part with the brackets that stand before it: places begin after them.
fn balanced(source: &str) -> String {
    let missing = source.matches(')').count().saturating_sub(source.matches('(').count());
    "(".repeat(missing) + source
}

/// `loop` inside `{% for %}`.
fn loop_variable() -> Type {
    let whole = ["index", "index0", "revindex", "revindex0", "length", "depth", "depth0"];
    let known = whole.map(|name| (name, Part::of(Type::Integer)));
    let truths = ["first", "last"].map(|name| (name, Part::of(Type::Boolean)));
    let beside = ["previtem", "nextitem"].map(|name| (name, Part::of(Type::Unknown)));
    Type::record(known.into_iter().chain(truths).chain(beside), Others::None)
}
