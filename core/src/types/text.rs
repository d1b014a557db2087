//! Where a process holds expressions, and what may stand there: one walk over the nodes of its file, so that texts of
//! steps that could not be decoded are looked at all the same.

use crate::definition::step::StepType;
use crate::expression::{ExpressionError, Template};
use crate::source::{Document, Kind, Node, NodeId};

/// A text with an expression in it.
#[derive(Debug)]
pub struct Text {
    /// The scalar.
    pub node: NodeId,
    /// What it says, or why it cannot be read.
    pub template: Result<Template, ExpressionError>,
    /// Whose it is.
    pub owner: Owner,
    /// What may stand there.
    pub role: Role,
}

/// Whose text it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// `outputs`.
    Outputs,
    /// `concurrency.group`, which is evaluated before anything runs.
    Concurrency,
    /// A step.
    Step {
        /// Its id, where it has one.
        id: Option<String>,
        /// What its body of `foreach` is run for, from the outermost around it.
        items: Vec<Item>,
    },
}

/// What a body of `foreach` is run for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name in expressions.
    pub name: String,
    /// The mapping of the `foreach`.
    pub foreach: NodeId,
}

impl Owner {
    /// The step's id, where it is a step's and that has one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Step { id, .. } => id.as_deref(),
            Self::Outputs | Self::Concurrency => None,
        }
    }

    /// What the bodies around it are run for.
    pub fn items(&self) -> &[Item] {
        match self {
            Self::Step { items, .. } => items,
            Self::Outputs | Self::Concurrency => &[],
        }
    }
}

/// What may stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// How the result is used.
    pub usage: Usage,
    /// What the result must be.
    pub wants: Wants,
    /// Whether secrets may be printed.
    pub secrets: bool,
    /// Whether it is a step's own `when`.
    pub is_when: bool,
    /// Whether `event` can be read.
    pub event: bool,
}

/// How the result of a text is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// As a text for people or the wire: tags may stand in it.
    Text,
    /// As a value that keeps its type: no tags.
    Value,
    /// As a condition: exactly one expression.
    Condition,
}

/// What the result of a text must be, beyond how it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Anything.
    Anything,
    /// Something to print: not null.
    Text,
    /// A duration in words.
    Duration,
    /// A moment in words.
    Moment,
    /// An address: what is printed into it is no list and no mapping.
    Address,
    /// A name, or a list of names.
    Names,
    /// A list.
    List,
}

pub(super) const TEXT: Role =
    Role { usage: Usage::Text, wants: Wants::Text, secrets: false, is_when: false, event: false };
pub(super) const VALUE: Role = Role { usage: Usage::Value, wants: Wants::Anything, ..TEXT };
const NAMES: Role = Role { wants: Wants::Names, ..VALUE };
const DURATION: Role = Role { wants: Wants::Duration, ..VALUE };
pub(super) const CONDITION: Role = Role { usage: Usage::Condition, wants: Wants::Anything, ..TEXT };
const SECRET_TEXT: Role = Role { secrets: true, ..TEXT };
const SECRET_VALUE: Role = Role { secrets: true, ..VALUE };

/// What may stand below a key of a step; nothing where the key takes no expressions.
fn role(step_type: StepType, key: &str) -> Option<Role> {
    use StepType as Type;
    Some(match (step_type, key) {
        (_, "name") => TEXT,
        (_, "when") => Role { is_when: true, ..CONDITION },
        (_, "timeout") => DURATION,
        (Type::AgentTask, "message") => TEXT,
        (Type::AiGenerate, "prompt" | "system") => TEXT,
        (Type::AiGenerate, "model") => Role { wants: Wants::Text, ..VALUE },
        (Type::AiGenerate, "variables") => VALUE,
        (Type::HumanApproval | Type::Form, "title" | "description") => TEXT,
        (Type::AgentTask, "approvers")
        | (Type::HumanApproval, "approvers" | "escalate")
        | (Type::Form, "assignees" | "escalate") => NAMES,
        (Type::ApiCall, "url") => Role { wants: Wants::Address, ..SECRET_TEXT },
        (Type::ApiCall, "headers" | "body" | "body_text") => Role { wants: Wants::Anything, ..SECRET_TEXT },
        (Type::ApiCall, "query") | (Type::McpCall, "arguments") => SECRET_VALUE,
        // Nothing stands for the default branch.
        (Type::Workflow, "ref") => Role { wants: Wants::Anything, ..TEXT },
        (Type::Workflow | Type::Process, "inputs") => VALUE,
        (Type::Foreach, "items") => Role { wants: Wants::List, ..VALUE },
        (Type::Wait, "for") => DURATION,
        (Type::Wait, "until") => Role { wants: Wants::Moment, ..VALUE },
        (Type::Set, "values") => VALUE,
        (Type::Notify, "to") => SECRET_VALUE,
        (Type::Notify, "subject" | "message") => SECRET_TEXT,
        _ => return None,
    })
}

/// What the walk found.
#[derive(Debug, Default)]
pub struct Texts {
    /// Every text with an expression, in the order of the file.
    pub texts: Vec<Text>,
    /// Every `when`, literal ones included.
    pub conditions: Vec<NodeId>,
    /// Those of them that are a bare text, read as if it stood in braces.
    pub bare: Vec<Text>,
    /// Scalars with markup at places that take no expressions.
    pub elsewhere: Vec<NodeId>,
}

impl Texts {
    /// Walks the file of a process.
    pub fn of(document: &Document, root: NodeId) -> Self {
        let mut walk = Walk { found: Self::default(), seen: vec![0; document.len() + 1], owners: 0, owner: 0 };
        for (key, value) in document.node(root).entries() {
            walk.next_owner();
            match key.as_str().unwrap_or_default() {
                "outputs" => walk.below(value, &Owner::Outputs, VALUE),
                "concurrency" => {
                    value.get("group").into_iter().for_each(|group| walk.below(group, &Owner::Concurrency, TEXT));
                }
                "steps" => walk.steps(value, &[], 0),
                _ => walk.elsewhere(value),
            }
        }
        walk.found
    }
}

struct Walk {
    found: Texts,
    /// For each node the owner that it was last looked at for: an anchor that is used twice is looked at for both, once
    /// each.
    seen: Vec<u32>,
    /// How many owners there were, and which is at hand, from 1.
    owners: u32,
    owner: u32,
}

/// Deepest nesting of `foreach` bodies that is walked.
const MAX_BODIES: usize = 16;

impl Walk {
    fn next_owner(&mut self) -> u32 {
        self.owners += 1;
        self.owner = self.owners;
        self.owner
    }

    /// Whether a node is looked at for the first time for this owner.
    fn is_new(&mut self, node: NodeId) -> bool {
        let seen = self.seen.get_mut(node.0 as usize);
        seen.is_some_and(|seen| std::mem::replace(seen, self.owner) != self.owner)
    }

    fn steps(&mut self, list: Node<'_>, items: &[Item], depth: usize) {
        for step in list.items().into_iter().flatten().filter(|step| step.kind() == Kind::Mapping) {
            self.step(step, items, depth);
        }
    }

    fn step(&mut self, step: Node<'_>, items: &[Item], depth: usize) {
        let written = step.get("type").and_then(Node::as_str);
        let Some(step_type) = written.and_then(StepType::from_name) else { return };
        let id = step.get("id").and_then(Node::as_str).map(str::to_owned);
        let owner = Owner::Step { id: id.clone(), items: items.to_vec() };
        let inside = || {
            let name = step.get("as").and_then(Node::as_str).unwrap_or("item");
            let mut items = items.to_vec();
            items.push(Item { name: name.to_owned(), foreach: step.id() });
            items
        };
        let (own, literal) = (self.next_owner(), self.next_owner());
        for (key, value) in step.entries() {
            let key = key.as_str().unwrap_or_default();
            // A body has owners of its own.
            self.owner = own;
            match (step_type, key) {
                (_, "when") => {
                    self.condition(value, &owner, Role { is_when: true, ..CONDITION });
                }
                // A schema is data of its own: braces in its descriptions and patterns mean themselves.
                (_, "output_schema" | "expect") => {}
                (StepType::Gateway, "branches") => self.branches(value, &owner),
                (StepType::Wait, "event") => self.event(value, &owner),
                (StepType::Foreach, "steps") if depth < MAX_BODIES => self.steps(value, &inside(), depth + 1),
                (StepType::Foreach, "result") => {
                    self.below(value, &Owner::Step { id: id.clone(), items: inside() }, VALUE);
                }
                _ => match role(step_type, key) {
                    Some(role) => self.below(value, &owner, role),
                    None => {
                        self.owner = literal;
                        self.elsewhere(value);
                    }
                },
            }
        }
    }

    fn branches(&mut self, branches: Node<'_>, owner: &Owner) {
        for when in branches.items().into_iter().flatten().filter_map(|branch| branch.get("when")) {
            self.condition(when, owner, CONDITION);
        }
    }

    fn condition(&mut self, when: Node<'_>, owner: &Owner, role: Role) {
        self.found.conditions.push(when.id());
        if let Some(text) = when.as_text().filter(|text| !has_markup(text)) {
            let template = Template::parse(&format!("{{{{ {text} }}}}"));
            self.found.bare.push(Text { node: when.id(), template, owner: owner.clone(), role });
        }
        self.below(when, owner, role);
    }

    fn event(&mut self, event: Node<'_>, owner: &Owner) {
        for (key, value) in event.entries() {
            match key.as_str() {
                Some("name") => self.below(value, owner, TEXT),
                Some("match") => self.below(value, owner, Role { event: true, ..CONDITION }),
                Some("timeout") => self.below(value, owner, DURATION),
                _ => {}
            }
        }
    }

    /// Every text of a value, however deep.
    fn below(&mut self, value: Node<'_>, owner: &Owner, role: Role) {
        if !self.is_new(value.id()) {
            return;
        }
        if value.as_str().is_some_and(has_markup)
            && let Some(text) = value.as_text()
        {
            let (node, template) = (value.id(), Template::parse(text));
            self.found.texts.push(Text { node, template, owner: owner.clone(), role });
            return;
        }
        // What a value as a whole must be says nothing about its parts, but each name of several is a name.
        let wants = if role.wants == Wants::Names { Wants::Names } else { Wants::Anything };
        let role = Role { wants, ..role };
        value.items().into_iter().flatten().for_each(|item| self.below(item, owner, role));
        value.entries().for_each(|(_, value)| self.below(value, owner, role));
    }

    fn elsewhere(&mut self, value: Node<'_>) {
        if !self.is_new(value.id()) {
            return;
        }
        if value.as_str().is_some_and(has_markup)
            && value.as_text().is_some_and(|text| text.contains("{{") || text.contains("{%"))
        {
            self.found.elsewhere.push(value.id());
        }
        value.items().into_iter().flatten().for_each(|item| self.elsewhere(item));
        let entries = value.entries().filter(|(key, _)| key.as_str() != Some("pattern"));
        entries.for_each(|(_, value)| self.elsewhere(value));
    }
}

/// Whether a text holds an expression, a tag or a comment of the expression language.
pub fn has_markup(text: &str) -> bool {
    let mut rest = text;
    while let Some(brace) = rest.find('{') {
        rest = &rest[brace + 1..];
        if rest.starts_with(['{', '%', '#']) {
            return true;
        }
    }
    false
}
