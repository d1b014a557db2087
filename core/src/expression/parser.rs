//! Lexemes to tree: Jinja's grammar without its code-loading tags. Every error has our words and the smallest range.
//! Bounded depth, so that neither parsing nor walking nor dropping a tree can exhaust the stack.

use std::ops::Range;

use serde_json::Value;

use super::catalogue::{self, CallableKind};
use super::lexer::{self, Lexeme, Token};
use super::syntax::{Arithmetic, Call, Comparison, Expression, Node, Statement};
use super::{ExpressionError, MAX_DEPTH, MAX_NESTING};

type Parsed<T> = Result<T, ExpressionError>;

/// Words of the language, never names of values.
const WORDS: &[&str] = &["and", "or", "not", "in", "is", "if", "else"];
/// Names that a template may not assign: the roots of the context and the loop's own variable.
const RESERVED: &[&str] = &["inputs", "context", "trigger", "execution", "steps", "secrets", "loop"];

/// Parses the whole template.
pub(super) fn parse(text: &str) -> Parsed<Vec<Statement>> {
    let lexed = lexer::lex(text);
    let mut parser = Parser { text, lexemes: lexed.lexemes, fault: lexed.fault, at: 0, nesting: 0 };
    let (statements, end) = parser.statements(&[])?;
    debug_assert!(end.is_none(), "only an asked-for tag ends a body");
    Ok(statements)
}

struct Parser<'a> {
    text: &'a str,
    lexemes: Vec<Lexeme>,
    fault: Option<ExpressionError>,
    at: usize,
    nesting: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.lexemes.get(self.at).map(|lexeme| &lexeme.token)
    }

    fn range(&self) -> Range<usize> {
        match self.lexemes.get(self.at) {
            Some(lexeme) => lexeme.range.clone(),
            None => self.text.len()..self.text.len(),
        }
    }

    fn previous_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.lexemes.get(at)).map_or(0, |lexeme| lexeme.range.end)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.at += usize::from(found);
        found
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if found == word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        self.at += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &'static str, after: &str) -> Parsed<()> {
        if self.take_symbol(symbol) {
            return Ok(());
        }
        Err(self.unexpected(&format!("a `{symbol}` is missing {after}")))
    }

    /// The error for whatever stands here, where something else was wanted.
    fn unexpected(&mut self, wanted: &str) -> ExpressionError {
        let Some(lexeme) = self.lexemes.get(self.at) else {
            if let Some(fault) = self.fault.take() {
                return fault;
            }
            let opening = self.lexemes[..self.at]
                .iter()
                .rfind(|lexeme| matches!(lexeme.token, Token::PrintStart | Token::TagStart));
            return match opening {
                Some(Lexeme { token: Token::TagStart, range }) => {
                    ExpressionError::new("this `{%` is not closed with `%}`", range.clone())
                }
                Some(Lexeme { range, .. }) => ExpressionError::new("this `{{` is not closed with `}}`", range.clone()),
                None => ExpressionError::new("the expression is not complete", self.range()),
            };
        };
        let range = lexeme.range.clone();
        let found = match &lexeme.token {
            Token::PrintEnd => "the expression ends here".to_owned(),
            Token::TagEnd => "the tag ends here".to_owned(),
            Token::Symbol("=") => {
                return ExpressionError::new(format!("`=` has no meaning here; {wanted}"), range)
                    .with_help("to compare, write `==`");
            }
            Token::Symbol("}") => {
                return ExpressionError::new(wanted.to_owned(), range)
                    .with_help("is a bracket open that was never closed?");
            }
            Token::Name(word) if word == "None" || word == "null" => {
                format!("`{word}` stands here")
            }
            _ => format!("`{}` is not expected here", self.text.get(range.clone()).unwrap_or_default()),
        };
        ExpressionError::new(format!("{found}; {wanted}"), range)
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= MAX_NESTING {
            return Err(too_deep(self.range()));
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    // Statements

    /// Reads up to one of `ends` (its word is taken, the rest of its tag is not) or the end of the text.
    fn statements(&mut self, ends: &[&str]) -> Parsed<(Vec<Statement>, Option<String>)> {
        let mut statements = Vec::new();
        loop {
            let range = self.range();
            match self.peek() {
                None => {
                    return match self.fault.take() {
                        Some(fault) => Err(fault),
                        None => Ok((statements, None)),
                    };
                }
                Some(Token::Text(text)) => {
                    statements.push(Statement::Text(text.clone()));
                    self.at += 1;
                }
                Some(Token::PrintStart) => {
                    self.at += 1;
                    let value = self.expression()?;
                    self.end_of_print()?;
                    statements.push(as_secret(&value).unwrap_or(Statement::Print(value)));
                }
                Some(Token::TagStart) => {
                    self.at += 1;
                    let word_range = self.range();
                    let Some(Token::Name(word)) = self.peek() else {
                        return Err(self.unexpected("a tag begins with a word such as `if` or `for`"));
                    };
                    let word = word.clone();
                    self.at += 1;
                    if ends.contains(&word.as_str()) {
                        return Ok((statements, Some(word)));
                    }
                    statements.push(self.tag(&word, word_range)?);
                }
                Some(_) => return Err(ExpressionError::new("this is not expected here", range)),
            }
        }
    }

    fn end_of_print(&mut self) -> Parsed<()> {
        if self.peek() == Some(&Token::PrintEnd) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected("the expression should end with `}}` or go on with an operator"))
    }

    fn end_of_tag(&mut self) -> Parsed<()> {
        if self.peek() == Some(&Token::TagEnd) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected("the tag should end with `%}`"))
    }

    fn tag(&mut self, word: &str, range: Range<usize>) -> Parsed<Statement> {
        match word {
            "if" => self.nested(|parser| parser.if_tag(range)),
            "for" => self.nested(|parser| parser.for_tag(range)),
            "with" => self.nested(|parser| parser.with_tag(range)),
            "set" => self.set_tag(),
            "else" | "elif" | "endif" | "endfor" | "endwith" => {
                let message = format!("`{word}` stands alone: there is no open tag that it belongs to");
                Err(ExpressionError::new(message, range))
            }
            "block" | "extends" | "include" | "import" | "from" | "macro" | "call" | "autoescape" | "filter" | "do" => {
                let message = format!("the tag `{word}` is not available in processes");
                Err(ExpressionError::new(message, range)
                    .with_help("available are `if`, `for`, `set`, `with` and `raw`"))
            }
            _ => {
                let known = ["if", "for", "set", "with", "raw", "else", "elif", "endif", "endfor", "endwith"];
                let help = match catalogue::nearest(word, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "available are `if`, `for`, `set`, `with` and `raw`".to_owned(),
                };
                Err(ExpressionError::new(format!("there is no tag `{word}`"), range).with_help(help))
            }
        }
    }

    fn unclosed(tag: &str, range: Range<usize>) -> ExpressionError {
        ExpressionError::new(format!("this `{tag}` is not closed with `{{% end{tag} %}}`"), range)
    }

    fn if_tag(&mut self, range: Range<usize>) -> Parsed<Statement> {
        let mut branches = Vec::new();
        loop {
            let test = self.expression()?;
            self.end_of_tag()?;
            let (body, end) = self.statements(&["elif", "else", "endif"])?;
            branches.push((test, body));
            match end.as_deref() {
                Some("elif") => {}
                Some("else") => {
                    self.end_of_tag()?;
                    let (otherwise, end) = self.statements(&["endif"])?;
                    if end.is_none() {
                        return Err(Self::unclosed("if", range));
                    }
                    self.end_of_tag()?;
                    return Ok(Statement::If { branches, otherwise });
                }
                Some(_) => {
                    self.end_of_tag()?;
                    return Ok(Statement::If { branches, otherwise: Vec::new() });
                }
                None => return Err(Self::unclosed("if", range)),
            }
        }
    }

    fn for_tag(&mut self, range: Range<usize>) -> Parsed<Statement> {
        let mut targets = vec![self.target()?];
        while self.take_symbol(",") {
            targets.push(self.target()?);
        }
        if !self.take_word("in") {
            return Err(self.unexpected("write `{% for NAME in LIST %}`"));
        }
        let items = self.binary(0)?;
        let filter = if self.take_word("if") { Some(self.expression()?) } else { None };
        self.end_of_tag()?;
        let (body, mut end) = self.statements(&["else", "endfor"])?;
        let mut otherwise = Vec::new();
        if end.as_deref() == Some("else") {
            self.end_of_tag()?;
            (otherwise, end) = self.statements(&["endfor"])?;
        }
        if end.is_none() {
            return Err(Self::unclosed("for", range));
        }
        self.end_of_tag()?;
        Ok(Statement::For { targets, items, filter, body, otherwise, range })
    }

    fn with_tag(&mut self, range: Range<usize>) -> Parsed<Statement> {
        let mut assignments = Vec::new();
        loop {
            let name = self.target()?;
            self.expect_symbol("=", "after the name")?;
            assignments.push((name, self.expression()?));
            if !self.take_symbol(",") {
                break;
            }
        }
        self.end_of_tag()?;
        let (body, end) = self.statements(&["endwith"])?;
        if end.is_none() {
            return Err(Self::unclosed("with", range));
        }
        self.end_of_tag()?;
        Ok(Statement::With { assignments, body })
    }

    fn set_tag(&mut self) -> Parsed<Statement> {
        let name = self.target()?;
        if !self.take_symbol("=") {
            return Err(self.unexpected("write `{% set NAME = VALUE %}`"));
        }
        let value = self.expression()?;
        self.end_of_tag()?;
        Ok(Statement::Set { name, value })
    }

    fn target(&mut self) -> Parsed<String> {
        let range = self.range();
        let Some(Token::Name(name)) = self.peek() else {
            return Err(self.unexpected("a name should stand here"));
        };
        let name = name.clone();
        if RESERVED.contains(&name.as_str()) {
            let message = format!("`{name}` already has a meaning in every expression");
            return Err(ExpressionError::new(message, range).with_help("choose another name"));
        }
        if WORDS.contains(&name.as_str()) || constant(&name).is_some() {
            return Err(ExpressionError::new(format!("`{name}` is a word of the language, not a name"), range));
        }
        self.at += 1;
        Ok(name)
    }

    // Expressions

    fn node(&self, expression: Expression, range: Range<usize>) -> Parsed<Node> {
        let depth = expression.height() + 1;
        if depth > MAX_DEPTH {
            return Err(too_deep(range));
        }
        Ok(Node { expression, range, depth })
    }

    fn expression(&mut self) -> Parsed<Node> {
        self.nested(|parser| {
            let yes = parser.binary(0)?;
            if !parser.take_word("if") {
                return Ok(yes);
            }
            let test = parser.binary(0)?;
            if !parser.take_word("else") {
                let error = parser.unexpected("this `if` needs an `else`");
                return Err(error.with_help("write `VALUE if CONDITION else OTHER`"));
            }
            let no = parser.expression()?;
            let range = yes.range.start..no.range.end;
            let (test, yes, no) = (Box::new(test), Box::new(yes), Box::new(no));
            parser.node(Expression::Choice { test, yes, no }, range)
        })
    }

    /// Operators that bind at least as strongly as `floor`: 0 `or`, 1 `and`, 2 `not`, 3 comparisons, 4 `+ -`, 5 `~`,
    /// 6 `* / // %`, 7 `**`. One function for all of them, so that a level of brackets costs little stack.
    fn binary(&mut self, floor: u8) -> Parsed<Node> {
        let mut left = if floor <= 2 && self.at_word("not") { self.not()? } else { self.unary()? };
        loop {
            let Some((strength, operator)) = self.operator().filter(|(strength, _)| *strength >= floor) else {
                return Ok(left);
            };
            left = match operator {
                None => self.comparison(left)?,
                Some(operator) => {
                    self.at += 1;
                    let right = self.binary(strength + 1)?;
                    self.joined(operator, left, right)?
                }
            };
        }
    }

    /// The operator that stands here and how strongly it binds; without an operator it is a comparison.
    fn operator(&self) -> Option<(u8, Option<Operator>)> {
        let arithmetic = |strength, operator| Some((strength, Some(Operator::Arithmetic(operator))));
        match self.peek()? {
            Token::Name(word) => match word.as_str() {
                "or" => Some((0, Some(Operator::Or))),
                "and" => Some((1, Some(Operator::And))),
                "in" | "not" => Some((3, None)),
                _ => None,
            },
            Token::Symbol(symbol) => match *symbol {
                "==" | "!=" | "<" | "<=" | ">" | ">=" => Some((3, None)),
                "+" => arithmetic(4, Arithmetic::Add),
                "-" => arithmetic(4, Arithmetic::Subtract),
                "~" => arithmetic(5, Arithmetic::Concatenate),
                "*" => arithmetic(6, Arithmetic::Multiply),
                "/" => arithmetic(6, Arithmetic::Divide),
                "//" => arithmetic(6, Arithmetic::FloorDivide),
                "%" => arithmetic(6, Arithmetic::Remainder),
                "**" => arithmetic(7, Arithmetic::Power),
                _ => None,
            },
            _ => None,
        }
    }

    fn joined(&self, operator: Operator, left: Node, right: Node) -> Parsed<Node> {
        let range = left.range.start..right.range.end;
        let (left, right) = (Box::new(left), Box::new(right));
        let expression = match operator {
            Operator::Or => Expression::Or(left, right),
            Operator::And => Expression::And(left, right),
            Operator::Arithmetic(operator) => Expression::Arithmetic { operator, left, right },
        };
        self.node(expression, range)
    }

    fn not(&mut self) -> Parsed<Node> {
        let start = self.range().start;
        self.at += 1;
        let inner = self.nested(|parser| parser.binary(2))?;
        let range = start..inner.range.end;
        self.node(Expression::Not(Box::new(inner)), range)
    }

    /// The comparisons after `first`, as one node.
    fn comparison(&mut self, first: Node) -> Parsed<Node> {
        let mut links = Vec::new();
        while let Some(comparison) = self.comparator()? {
            links.push((comparison, self.binary(4)?));
        }
        let end = links.last().map_or(first.range.end, |(_, last)| last.range.end);
        let range = first.range.start..end;
        let first = Box::new(first);
        self.node(Expression::Compare { first, links }, range)
    }

    fn comparator(&mut self) -> Parsed<Option<Comparison>> {
        let comparison = match self.peek() {
            Some(Token::Symbol("==")) => Comparison::Equal,
            Some(Token::Symbol("!=")) => Comparison::NotEqual,
            Some(Token::Symbol("<")) => Comparison::Less,
            Some(Token::Symbol("<=")) => Comparison::LessOrEqual,
            Some(Token::Symbol(">")) => Comparison::Greater,
            Some(Token::Symbol(">=")) => Comparison::GreaterOrEqual,
            Some(Token::Name(word)) if word == "in" => Comparison::In,
            Some(Token::Name(word)) if word == "not" => {
                self.at += 1;
                if !self.at_word("in") {
                    return Err(self.unexpected("after a value, `not` goes on with `in`"));
                }
                Comparison::NotIn
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(comparison))
    }

    fn unary(&mut self) -> Parsed<Node> {
        let mut node = self.signed()?;
        loop {
            if self.take_symbol("|") {
                let call = self.named_call(CallableKind::Filter)?;
                let range = node.range.start..self.previous_end();
                node = self.node(Expression::Filter { of: Box::new(node), call }, range)?;
            } else if self.take_word("is") {
                let negated = self.take_word("not");
                let call = self.named_call(CallableKind::Test)?;
                let range = node.range.start..self.previous_end();
                node = self.node(Expression::Test { of: Box::new(node), call }, range.clone())?;
                if negated {
                    node = self.node(Expression::Not(Box::new(node)), range)?;
                }
            } else {
                return Ok(node);
            }
        }
    }

    fn signed(&mut self) -> Parsed<Node> {
        let start = self.range().start;
        if !self.take_symbol("-") {
            return self.postfix();
        }
        let inner = self.nested(Self::signed)?;
        let range = start..inner.range.end;
        if let Expression::Literal(Value::Number(number)) = &inner.expression
            && let Ok(negative) = super::operators::negate(number)
        {
            return self.node(Expression::Literal(negative), range);
        }
        self.node(Expression::Negate(Box::new(inner)), range)
    }

    fn postfix(&mut self) -> Parsed<Node> {
        let mut node = self.primary()?;
        let start = node.range.start;
        loop {
            if self.take_symbol(".") {
                node = self.member(node)?;
            } else if self.take_symbol("[") {
                node = self.subscript(node)?;
            } else if matches!(self.peek(), Some(Token::Symbol("("))) {
                return Err(self.not_callable(&node, start));
            } else {
                return Ok(node);
            }
        }
    }

    fn member(&mut self, of: Node) -> Parsed<Node> {
        let range = self.range();
        let whole = of.range.start..range.end;
        let of = Box::new(of);
        let expression = match self.peek() {
            Some(Token::Name(name)) => Expression::Attribute { of, name: name.clone(), name_range: range },
            Some(Token::Integer(number)) => {
                let index = Expression::Literal(Value::from(*number));
                let index = Box::new(self.node(index, range)?);
                Expression::Item { of, index }
            }
            _ => return Err(self.unexpected("a name should follow the dot")),
        };
        self.at += 1;
        self.node(expression, whole)
    }

    fn subscript(&mut self, of: Node) -> Parsed<Node> {
        let start_at = of.range.start;
        let at_colon = |parser: &Self| matches!(parser.peek(), Some(Token::Symbol(":")));
        let start = if at_colon(self) { None } else { Some(Box::new(self.expression()?)) };
        if self.take_symbol(":") {
            let closes = matches!(self.peek(), Some(Token::Symbol("]")));
            let stop = if closes { None } else { Some(Box::new(self.expression()?)) };
            self.expect_symbol("]", "after the part that is asked for")?;
            let range = start_at..self.previous_end();
            return self.node(Expression::Slice { of: Box::new(of), start, stop }, range);
        }
        let Some(index) = start else {
            return Err(self.unexpected("a name or a number should stand in the brackets"));
        };
        self.expect_symbol("]", "after the name or number in brackets")?;
        let range = start_at..self.previous_end();
        self.node(Expression::Item { of: Box::new(of), index }, range)
    }

    fn not_callable(&self, node: &Node, start: usize) -> ExpressionError {
        let name = self.text.get(start..node.range.end).unwrap_or_default();
        let error = ExpressionError::new(format!("`{name}` cannot be called"), node.range.clone());
        match &node.expression {
            Expression::Attribute { name, .. } if catalogue::find(CallableKind::Filter, name).is_some() => {
                error.with_help(format!("use the filter: `VALUE | {name}`"))
            }
            _ => error,
        }
    }

    fn primary(&mut self) -> Parsed<Node> {
        let range = self.range();
        let expression = match self.peek() {
            Some(Token::Quoted(text)) => {
                let literal = Expression::Literal(Value::from(text.clone()));
                self.at += 1;
                return self.node(literal, range);
            }
            Some(Token::Integer(number)) => Expression::Literal(Value::from(*number)),
            Some(Token::Float(number)) => Expression::Literal(Value::from(*number)),
            Some(Token::Symbol("(")) => return self.group(),
            Some(Token::Symbol("[")) => return self.list(),
            Some(Token::Symbol("{")) => return self.map(),
            Some(Token::Name(name)) => {
                if let Some(value) = constant(name) {
                    Expression::Literal(value)
                } else if WORDS.contains(&name.as_str()) {
                    return Err(self.unexpected("a value should stand here"));
                } else if matches!(self.lexemes.get(self.at + 1), Some(Lexeme { token: Token::Symbol("("), .. })) {
                    let call = self.named_call(CallableKind::Function)?;
                    let range = range.start..self.previous_end();
                    return self.node(Expression::Function(call), range);
                } else {
                    Expression::Name(name.clone())
                }
            }
            _ => return Err(self.unexpected("a value should stand here")),
        };
        self.at += 1;
        self.node(expression, range)
    }

    fn group(&mut self) -> Parsed<Node> {
        self.at += 1;
        let mut node = self.expression()?;
        if matches!(self.peek(), Some(Token::Symbol(","))) {
            return Err(self.unexpected("a list is written in brackets: `[a, b]`"));
        }
        self.expect_symbol(")", "after the part in parentheses")?;
        // The node keeps its own range: a message points at what is inside of the parentheses.
        node.depth = node.depth.max(1);
        Ok(node)
    }

    fn list(&mut self) -> Parsed<Node> {
        let start = self.range().start;
        self.at += 1;
        let mut items = Vec::new();
        while !self.take_symbol("]") {
            if !items.is_empty() {
                self.expect_symbol(",", "between the entries of the list, or a `]` after the last")?;
                if self.take_symbol("]") {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        let range = start..self.previous_end();
        self.node(Expression::List(items), range)
    }

    fn map(&mut self) -> Parsed<Node> {
        let start = self.range().start;
        self.at += 1;
        let mut entries: Vec<(Node, Node)> = Vec::new();
        while !self.take_symbol("}") {
            if !entries.is_empty() {
                self.expect_symbol(",", "between the entries of the map, or a `}` after the last")?;
                if self.take_symbol("}") {
                    break;
                }
            }
            let key = self.expression()?;
            if matches!(&key.expression, Expression::Literal(value) if !value.is_string()) {
                return Err(ExpressionError::new("a key must be a quoted text", key.range));
            }
            self.expect_symbol(":", "after the key")?;
            entries.push((key, self.expression()?));
        }
        let range = start..self.previous_end();
        self.node(Expression::Map(entries), range)
    }

    // Calls

    /// `NAME` or `NAME(arguments)`, resolved in the catalogue.
    fn named_call(&mut self, kind: CallableKind) -> Parsed<Call> {
        let name_range = self.range();
        let Some(Token::Name(name)) = self.peek() else {
            return Err(self.unexpected(&format!("the name of a {} should stand here", kind.word())));
        };
        let name = name.clone();
        let Some(callable) = catalogue::find(kind, &name) else {
            return Err(unknown(kind, &name, name_range));
        };
        self.at += 1;
        let mut arguments: Vec<Option<Node>> = callable.parameters.iter().map(|_| None).collect();
        if self.take_symbol("(") {
            self.arguments(&mut arguments, callable, &name_range)?;
        } else if kind == CallableKind::Test && !arguments.is_empty() && self.at_value() {
            arguments[0] = Some(self.signed()?);
        }
        let missing = callable
            .parameters
            .iter()
            .zip(&arguments)
            .find(|(parameter, given)| !parameter.optional && given.is_none());
        if let Some((parameter, _)) = missing {
            let message = format!("the {} `{name}` needs `{}`", kind.word(), parameter.name);
            let help = format!("it is written `{}`", callable.signature());
            return Err(ExpressionError::new(message, name_range).with_help(help));
        }
        Ok(Call { callable, name_range, arguments })
    }

    /// Whether an argument without parentheses begins here, as in `x is divisibleby 3`.
    fn at_value(&self) -> bool {
        match self.peek() {
            Some(Token::Name(name)) => !WORDS.contains(&name.as_str()),
            Some(Token::Quoted(_) | Token::Integer(_) | Token::Float(_)) => true,
            Some(Token::Symbol(symbol)) => matches!(*symbol, "[" | "{" | "-"),
            _ => false,
        }
    }

    fn arguments(
        &mut self,
        slots: &mut [Option<Node>],
        callable: &'static catalogue::Callable,
        name_range: &Range<usize>,
    ) -> Parsed<()> {
        let mut position = 0;
        let mut first = true;
        while !self.take_symbol(")") {
            if !first {
                self.expect_symbol(",", "between the arguments, or a `)` after the last")?;
                if self.take_symbol(")") {
                    break;
                }
            }
            first = false;
            let range = self.range();
            let slot = match (self.peek(), self.lexemes.get(self.at + 1).map(|lexeme| &lexeme.token)) {
                (Some(Token::Name(name)), Some(Token::Symbol("="))) => {
                    let Some(slot) = callable.parameters.iter().position(|parameter| parameter.name == name) else {
                        let message = format!("`{}` takes no `{name}`", callable.name);
                        let help = format!("it is written `{}`", callable.signature());
                        return Err(ExpressionError::new(message, range).with_help(help));
                    };
                    self.at += 2;
                    slot
                }
                _ => {
                    position += 1;
                    position - 1
                }
            };
            let value = self.expression()?;
            match slots.get_mut(slot) {
                Some(empty @ None) => *empty = Some(value),
                Some(_) => {
                    return Err(ExpressionError::new("this argument is given twice", value.range));
                }
                None => {
                    let message = format!("`{}` takes no further argument", callable.name);
                    let help = format!("it is written `{}`", callable.signature());
                    let range = if value.range.is_empty() { name_range.clone() } else { value.range };
                    return Err(ExpressionError::new(message, range).with_help(help));
                }
            }
        }
        Ok(())
    }
}

enum Operator {
    Or,
    And,
    Arithmetic(Arithmetic),
}

fn constant(name: &str) -> Option<Value> {
    match name {
        "true" | "True" => Some(Value::Bool(true)),
        "false" | "False" => Some(Value::Bool(false)),
        "none" | "None" | "null" => Some(Value::Null),
        _ => None,
    }
}

fn too_deep(range: Range<usize>) -> ExpressionError {
    ExpressionError::new("this expression is nested too deeply", range)
        .with_help("compute a part of it in a `set` step and refer to that")
}

fn unknown(kind: CallableKind, name: &str, range: Range<usize>) -> ExpressionError {
    let names = catalogue::catalogue().iter().filter(|callable| callable.kind == kind).map(|callable| callable.name);
    let help = match catalogue::nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("available are {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    ExpressionError::new(format!("there is no {} `{name}`", kind.word()), range).with_help(help)
}

/// `secrets.NAME` alone is printed as a secret; every other use is found by the references.
fn as_secret(node: &Node) -> Option<Statement> {
    let (root, name, name_range) = match &node.expression {
        Expression::Attribute { of, name, name_range } => (of, name.clone(), name_range.clone()),
        Expression::Item { of, index } => match &index.expression {
            Expression::Literal(Value::String(name)) => (of, name.clone(), index.range.clone()),
            _ => return None,
        },
        _ => return None,
    };
    let is_root = matches!(&root.expression, Expression::Name(root) if root == "secrets");
    is_root.then(|| Statement::Secret { name, root_range: root.range.clone(), name_range })
}
