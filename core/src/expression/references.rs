//! What a template reads from its context, without running it: every chain with its ranges, and whether a missing
//! value is provided for. Knows nothing of what exists; that is for validation.

use std::ops::Range;

use serde_json::Value;

use super::catalogue::Run;
use super::syntax::{Call, Expression, Node, Statement};

/// One chain that a template reads, such as `steps.draft.output.notes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The chain; the first segment is the root (`inputs`, `steps`, …).
    pub path: Vec<Segment>,
    /// The whole chain, in bytes of the template's text.
    pub range: Range<usize>,
    /// Whether `| default(…)` covers the chain wherever it breaks off.
    pub has_default: bool,
    /// Whether it is the subject of `is defined`, or is read only where such a test has passed.
    pub conditional: bool,
}

/// One part of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What is looked up.
    pub key: Key,
    /// The part itself, in bytes of the template's text; a quoted key without its quotes.
    pub range: Range<usize>,
}

/// What a part of a chain looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A field, from `.name` or `["name"]`.
    Name(String),
    /// A place in a list, from the end if negative.
    Index(i64),
    /// Known only when it runs, from `[expression]`.
    Dynamic,
}

impl Reference {
    /// The name of the root.
    pub fn root(&self) -> &str {
        self.name(0).unwrap_or_default()
    }

    /// The name at a position of the path, if that part is a name.
    pub fn name(&self, position: usize) -> Option<&str> {
        match self.path.get(position).map(|segment| &segment.key) {
            Some(Key::Name(name)) => Some(name),
            _ => None,
        }
    }
}

/// What the walk found.
pub(super) struct Found {
    pub(super) references: Vec<Reference>,
    /// Places where a secret is used otherwise than printed alone.
    pub(super) misused_secrets: Vec<Range<usize>>,
}

/// Collects the references of a template, in the order of their appearance.
pub(super) fn collect(text: &str, statements: &[Statement]) -> Found {
    let mut walk = Walk { text, references: Vec::new(), misused: Vec::new(), locals: Vec::new(), guards: Vec::new() };
    walk.statements(statements);
    walk.references.sort_by_key(|reference| (reference.range.start, reference.range.end));
    Found { references: walk.references, misused_secrets: walk.misused }
}

/// How the value of a node is used: whether a missing one is provided for.
#[derive(Clone, Copy, Default)]
struct Use {
    covered: bool,
    tested: bool,
}

type Path = Vec<Key>;

struct Walk<'a> {
    text: &'a str,
    references: Vec<Reference>,
    misused: Vec<Range<usize>>,
    locals: Vec<&'a str>,
    /// Chains that are known to exist where the walk is.
    guards: Vec<Path>,
}

impl<'a> Walk<'a> {
    fn statements(&mut self, statements: &'a [Statement]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'a Statement) {
        match statement {
            Statement::Text(_) => {}
            Statement::Print(node) => self.node(node, Use::default()),
            Statement::Secret { name, root_range, name_range } => self.references.push(Reference {
                path: vec![
                    Segment { key: Key::Name("secrets".to_owned()), range: root_range.clone() },
                    Segment { key: Key::Name(name.clone()), range: self.unquoted(name_range) },
                ],
                range: root_range.start..name_range.end,
                has_default: false,
                conditional: false,
            }),
            Statement::If { branches, otherwise } => {
                let guards = self.guards.len();
                for (test, body) in branches {
                    self.node(test, Use::default());
                    let outer = self.guards.len();
                    self.guards.extend(self.known_if(test, true));
                    self.statements(body);
                    self.guards.truncate(outer);
                    self.guards.extend(self.known_if(test, false));
                }
                self.statements(otherwise);
                self.guards.truncate(guards);
            }
            Statement::For { targets, items, filter, body, otherwise, .. } => {
                self.node(items, Use::default());
                let (locals, guards) = (self.locals.len(), self.guards.len());
                self.locals.extend(targets.iter().map(String::as_str));
                if let Some(filter) = filter {
                    self.node(filter, Use::default());
                    self.guards.extend(self.known_if(filter, true));
                }
                self.locals.push("loop");
                self.statements(body);
                self.locals.truncate(locals);
                self.guards.truncate(guards);
                self.statements(otherwise);
                self.locals.truncate(locals);
            }
            Statement::Set { name, value } => {
                self.node(value, Use::default());
                self.locals.push(name);
            }
            Statement::With { assignments, body } => {
                let locals = self.locals.len();
                for (name, value) in assignments {
                    self.node(value, Use::default());
                    self.locals.push(name);
                }
                self.statements(body);
                self.locals.truncate(locals);
            }
        }
    }

    fn node(&mut self, node: &'a Node, usage: Use) {
        match &node.expression {
            Expression::Literal(_) => {}
            Expression::Name(_) => self.chain_or_parts(node, usage),
            Expression::Attribute { .. } | Expression::Item { .. } => self.chain_or_parts(node, usage),
            Expression::Slice { of, start, stop } => {
                for part in [Some(of), start.as_ref(), stop.as_ref()].into_iter().flatten() {
                    self.node(part, Use::default());
                }
            }
            Expression::Not(inner) | Expression::Negate(inner) => self.node(inner, Use::default()),
            Expression::And(left, right) => self.guarded(left, right, true),
            Expression::Or(left, right) => self.guarded(left, right, false),
            Expression::Arithmetic { left, right, .. } => {
                self.node(left, Use::default());
                self.node(right, Use::default());
            }
            Expression::Compare { first, links } => {
                self.node(first, Use::default());
                links.iter().for_each(|(_, node)| self.node(node, Use::default()));
            }
            Expression::Choice { test, yes, no } => {
                self.node(test, Use::default());
                for (branch, outcome) in [(yes, true), (no, false)] {
                    let guards = self.guards.len();
                    self.guards.extend(self.known_if(test, outcome));
                    self.node(branch, usage);
                    self.guards.truncate(guards);
                }
            }
            Expression::Filter { of, call } => self.filter(of, call, usage),
            Expression::Test { of, call } => {
                let tested = matches!(call.callable.run, Run::Defined | Run::Undefined);
                self.node(of, Use { covered: false, tested });
                self.arguments(call, Use::default());
            }
            Expression::Function(call) => self.arguments(call, Use::default()),
            Expression::List(items) => items.iter().for_each(|item| self.node(item, Use::default())),
            Expression::Map(entries) => {
                for (key, value) in entries {
                    self.node(key, Use::default());
                    self.node(value, Use::default());
                }
            }
        }
    }

    fn guarded(&mut self, left: &'a Node, right: &'a Node, outcome: bool) {
        self.node(left, Use::default());
        let guards = self.guards.len();
        self.guards.extend(self.known_if(left, outcome));
        self.node(right, Use::default());
        self.guards.truncate(guards);
    }

    fn filter(&mut self, of: &'a Node, call: &'a Call, usage: Use) {
        if matches!(call.callable.run, Run::Default) {
            self.node(of, Use { covered: true, tested: usage.tested });
            // A fallback that is missing itself is as good or bad as the whole.
            self.arguments(call, usage);
        } else {
            self.node(of, Use::default());
            self.arguments(call, Use::default());
        }
    }

    fn arguments(&mut self, call: &'a Call, usage: Use) {
        call.arguments.iter().flatten().for_each(|argument| self.node(argument, usage));
    }

    fn chain_or_parts(&mut self, node: &'a Node, usage: Use) {
        if let Some(path) = self.chain(node) {
            self.indices(node);
            if self.locals.contains(&root_name(&path)) {
                return;
            }
            if root_name(&path) == "secrets" {
                self.misused.push(node.range.clone());
            }
            let keys: Path = path.iter().map(|segment| segment.key.clone()).collect();
            let conditional = usage.tested || self.guards.iter().any(|guard| related(guard, &keys));
            let range = node.range.clone();
            self.references.push(Reference { path, range, has_default: usage.covered, conditional });
            return;
        }
        // The chain hangs on something computed, such as `(a if b else c).field`.
        match &node.expression {
            Expression::Attribute { of, .. } => self.node(of, usage),
            Expression::Item { of, index } => {
                self.node(of, usage);
                self.node(index, Use::default());
            }
            _ => {}
        }
    }

    /// The expressions in the brackets of a chain are read for themselves.
    fn indices(&mut self, node: &'a Node) {
        match &node.expression {
            Expression::Attribute { of, .. } => self.indices(of),
            Expression::Item { of, index } => {
                self.indices(of);
                self.node(index, Use::default());
            }
            _ => {}
        }
    }

    fn chain(&self, node: &Node) -> Option<Vec<Segment>> {
        match &node.expression {
            Expression::Name(name) => Some(vec![Segment { key: Key::Name(name.clone()), range: node.range.clone() }]),
            Expression::Attribute { of, name, name_range } => {
                let mut path = self.chain(of)?;
                path.push(Segment { key: Key::Name(name.clone()), range: name_range.clone() });
                Some(path)
            }
            Expression::Item { of, index } => {
                let mut path = self.chain(of)?;
                let key = match &index.expression {
                    Expression::Literal(Value::String(name)) => Key::Name(name.clone()),
                    Expression::Literal(Value::Number(number)) => number.as_i64().map_or(Key::Dynamic, Key::Index),
                    _ => Key::Dynamic,
                };
                path.push(Segment { key, range: self.unquoted(&index.range) });
                Some(path)
            }
            _ => None,
        }
    }

    fn unquoted(&self, range: &Range<usize>) -> Range<usize> {
        let source = self.text.get(range.clone()).unwrap_or_default();
        if source.len() > 2 && source.starts_with(['"', '\'']) {
            return range.start + 1..range.end - 1;
        }
        range.clone()
    }

    /// The chains that exist for certain where `test` came out as `outcome`.
    fn known_if(&self, test: &Node, outcome: bool) -> Vec<Path> {
        match &test.expression {
            Expression::Not(inner) => self.known_if(inner, !outcome),
            Expression::And(left, right) if outcome => both(self.known_if(left, true), self.known_if(right, true)),
            Expression::Or(left, right) if !outcome => both(self.known_if(left, false), self.known_if(right, false)),
            Expression::Test { of, call } => match (call.callable.run, outcome) {
                (Run::Defined, true) | (Run::Undefined, false) => self.path_of(of),
                _ => Vec::new(),
            },
            // `x | default(false)` is true only where x exists.
            Expression::Filter { of, call } if outcome && matches!(call.callable.run, Run::Default) => {
                match call.arguments.first() {
                    Some(Some(Node { expression: Expression::Literal(fallback), .. }))
                        if !super::operators::truth(fallback) =>
                    {
                        self.path_of(of)
                    }
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    fn path_of(&self, node: &Node) -> Vec<Path> {
        let chain = self.chain(node).filter(|path| !self.locals.contains(&root_name(path)));
        chain.map(|path| path.into_iter().map(|segment| segment.key).collect()).into_iter().collect()
    }
}

fn both(mut left: Vec<Path>, right: Vec<Path>) -> Vec<Path> {
    left.extend(right);
    left
}

fn root_name(path: &[Segment]) -> &str {
    match path.first().map(|segment| &segment.key) {
        Some(Key::Name(name)) => name,
        _ => "",
    }
}

/// Whether one chain is a beginning of the other. What is computed is never known to be the same.
fn related(guard: &[Key], path: &[Key]) -> bool {
    guard.iter().zip(path).all(|(left, right)| left == right && *left != Key::Dynamic)
}
