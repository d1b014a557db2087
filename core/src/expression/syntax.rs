//! The tree of a parsed template: data only, owned, every node with its byte range.
//! Reading it (references, types) and running it live elsewhere.

use std::ops::Range;

use serde_json::Value;

use super::catalogue::Callable;

/// An expression and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) expression: Expression,
    pub(super) range: Range<usize>,
    /// Height of the tree below, bounded by [`super::MAX_DEPTH`].
    pub(super) depth: usize,
}

#[derive(Debug)]
pub(super) enum Expression {
    Literal(Value),
    Name(String),
    Attribute {
        of: Box<Node>,
        name: String,
        name_range: Range<usize>,
    },
    Item {
        of: Box<Node>,
        index: Box<Node>,
    },
    Slice {
        of: Box<Node>,
        start: Option<Box<Node>>,
        stop: Option<Box<Node>>,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Arithmetic {
        operator: Arithmetic,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `a < b <= c` is one node with two links.
    Compare {
        first: Box<Node>,
        links: Vec<(Comparison, Node)>,
    },
    Choice {
        test: Box<Node>,
        yes: Box<Node>,
        no: Box<Node>,
    },
    Filter {
        of: Box<Node>,
        call: Call,
    },
    Test {
        of: Box<Node>,
        call: Call,
    },
    Function(Call),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// A call of something from the catalogue; one slot for each of its parameters.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) callable: &'static Callable,
    pub(super) name_range: Range<usize>,
    pub(super) arguments: Vec<Option<Node>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
    Concatenate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

#[derive(Debug)]
pub(super) enum Statement {
    Text(String),
    Print(Node),
    /// `{{ secrets.NAME }}`, the only form in which a secret may appear.
    Secret {
        name: String,
        root_range: Range<usize>,
        name_range: Range<usize>,
    },
    If {
        branches: Vec<(Node, Vec<Statement>)>,
        otherwise: Vec<Statement>,
    },
    For {
        targets: Vec<String>,
        items: Node,
        filter: Option<Node>,
        body: Vec<Statement>,
        otherwise: Vec<Statement>,
        range: Range<usize>,
    },
    Set {
        name: String,
        value: Node,
    },
    With {
        assignments: Vec<(String, Node)>,
        body: Vec<Statement>,
    },
}

impl Expression {
    /// Height of the highest child.
    pub(super) fn height(&self) -> usize {
        let of = |nodes: &[&Node]| nodes.iter().map(|node| node.depth).max().unwrap_or(0);
        let call = |call: &Call| call.arguments.iter().flatten().map(|node| node.depth).max().unwrap_or(0);
        match self {
            Self::Literal(_) | Self::Name(_) => 0,
            Self::Attribute { of: node, .. } | Self::Not(node) | Self::Negate(node) => node.depth,
            Self::Item { of: left, index: right }
            | Self::And(left, right)
            | Self::Or(left, right)
            | Self::Arithmetic { left, right, .. } => of(&[left, right]),
            Self::Slice { of: node, start, stop } => {
                let ends = [start, stop].into_iter().flatten().map(|node| node.depth);
                ends.max().unwrap_or(0).max(node.depth)
            }
            Self::Compare { first, links } => {
                links.iter().map(|(_, node)| node.depth).max().unwrap_or(0).max(first.depth)
            }
            Self::Choice { test, yes, no } => of(&[test, yes, no]),
            Self::Filter { of: node, call: made } | Self::Test { of: node, call: made } => node.depth.max(call(made)),
            Self::Function(made) => call(made),
            Self::List(items) => items.iter().map(|node| node.depth).max().unwrap_or(0),
            Self::Map(entries) => entries.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0),
        }
    }
}
