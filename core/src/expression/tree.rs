//! What a text says, as a tree of our own with the place of each part: for the type check, which must not know by what
//! the text was parsed. Data only.

use std::ops::Range;

use serde_json::Value;

use super::{Callable, Key};

/// A part of a text with markup.
#[derive(Debug)]
pub enum Statement {
    /// Text as it is.
    Text,
    /// `{{ … }}`
    Print(Node),
    /// `{% if %}`
    If {
        /// The condition.
        test: Node,
        /// What follows where it holds.
        then: Vec<Statement>,
        /// What follows where it does not.
        otherwise: Vec<Statement>,
    },
    /// `{% for %}`
    For {
        /// The names that each entry is given.
        target: Target,
        /// What is gone through.
        items: Node,
        /// The condition that picks entries.
        filter: Option<Node>,
        /// What is repeated.
        body: Vec<Statement>,
        /// What follows where there is no entry.
        otherwise: Vec<Statement>,
    },
    /// `{% with %}`
    With {
        /// Names and their values.
        names: Vec<(Target, Node)>,
        /// Where they hold.
        body: Vec<Statement>,
    },
    /// `{% set %}`
    Set {
        /// The name.
        target: Target,
        /// Its value.
        value: Node,
    },
}

/// What is given a value.
#[derive(Debug)]
pub enum Target {
    /// One name.
    Name(String, Range<usize>),
    /// A name for each entry of a list.
    Names(Vec<Target>),
}

/// A part of an expression.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub what: What,
    /// Where it stands, in bytes of the text.
    pub range: Range<usize>,
}

/// What a part of an expression is.
#[derive(Debug)]
pub enum What {
    /// A value that is written out.
    Constant(Value),
    /// `root.name[index]`, or the root alone.
    Chain(Root, Vec<Link>),
    /// `of[start:stop]`
    Slice(Box<Node>, Vec<Node>),
    /// `not of`
    Not(Box<Node>),
    /// `-of`
    Negative(Box<Node>),
    /// Two values and what is between them.
    Operation(Operator, Box<Node>, Box<Node>),
    /// `first < second < third`
    Comparison(Box<Node>, Vec<(Relation, Node)>),
    /// `yes if test else no`
    Choice(Box<Choice>),
    /// `subject | filter(…)`, `subject is test(…)`, `function(…)`
    Call(Call),
    /// `[…]`
    List(Vec<Node>),
    /// `{…}`
    Map(Vec<(Node, Node)>),
}

/// `yes if test else no`
#[derive(Debug)]
pub struct Choice {
    /// The condition.
    pub test: Node,
    /// The value where it holds.
    pub yes: Node,
    /// The value where it does not.
    pub no: Node,
}

/// Where a chain begins.
#[derive(Debug)]
pub enum Root {
    /// At a name: of the context, or one that the text gave itself.
    Name(String, Range<usize>),
    /// At any other value.
    Value(Box<Node>),
}

/// A part of a chain after its root.
#[derive(Debug)]
pub struct Link {
    /// What is looked up.
    pub key: Key,
    /// Where; a quoted key without its quotes.
    pub range: Range<usize>,
    /// The expression in brackets, where the key is computed.
    pub computed: Option<Node>,
}

/// A filter, test or function with what it is given.
#[derive(Debug)]
pub struct Call {
    /// Which.
    pub callable: &'static Callable,
    /// Its name in the text.
    pub name: Range<usize>,
    /// What a filter or test is applied to.
    pub subject: Option<Box<Node>>,
    /// The place of the parameter, and what is given for it, in the order written.
    pub arguments: Vec<(usize, Node)>,
}

/// What stands between two values, comparisons left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `and`
    And,
    /// `or`
    Or,
    /// `~`
    Join,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `//`
    DivideWhole,
    /// `%`
    Rest,
    /// `**`
    Power,
}

impl Operator {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
            Self::Join => "~",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::DivideWhole => "//",
            Self::Rest => "%",
            Self::Power => "**",
        }
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `in`
    In,
    /// `not in`
    NotIn,
}

impl Relation {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
        }
    }

    /// Whether it needs values that have an order.
    pub fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }
}
