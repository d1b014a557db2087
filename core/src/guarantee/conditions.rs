//! Conditions as the prover sees them: free truths, where the same text is the same truth everywhere in a run, its
//! negation the other one, and what asks how a step ended is known from how it ended. A truth has three values, for a
//! condition that cannot be evaluated fails its step.

use std::collections::BTreeMap;

use serde_json::Value;

use super::copies::Copies;
use super::model::Fate;
use crate::expression::{Context, Template, condition};
use crate::graph::StepIndex;

/// The value of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Truth {
    False,
    True,
    /// It cannot be evaluated.
    Error,
}

/// A number for each text that is a truth of its own.
pub(super) type Atom = usize;

/// A condition: parts joined by `and`, evaluated from the left until one is false.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) parts: Vec<Part>,
    /// What an author reads.
    pub(super) text: String,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) asks: Asks,
    /// Whether it holds when what it asks is so, or when it is not.
    pub(super) positive: bool,
    /// Steps without whose output it cannot be evaluated.
    pub(super) needs: Vec<StepIndex>,
    /// Steps that it reads at all.
    pub(super) reads: Vec<StepIndex>,
    /// Whether it may depend on how a step ended in a way that is not followed: then it is not as free as it looks.
    pub(super) unsure: bool,
}

/// What a part asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asks {
    /// A constant.
    Literal(Truth),
    /// Something that is free.
    Atom(Atom),
    /// Whether an approval's decision is this word.
    Decision(StepIndex, String),
    /// Whether a step's status is this word.
    Status(StepIndex, String),
    /// What is known from how one step ended: the value for each fate.
    Outcome(StepIndex, Vec<(Fate, Truth)>),
    /// Whether one of these holds, asked from the left until one does.
    Either(Vec<Condition>),
}

impl Condition {
    /// Its parts, and those of which they are made.
    pub(super) fn all_parts(&self) -> Vec<&Part> {
        let (mut found, mut open) = (Vec::new(), vec![self]);
        while let Some(condition) = open.pop() {
            for part in &condition.parts {
                found.push(part);
                if let Asks::Either(alternatives) = &part.asks {
                    open.extend(alternatives);
                }
            }
        }
        found
    }
}

/// Truths by the text that they have.
#[derive(Debug, Default)]
pub(super) struct Atoms {
    by_text: BTreeMap<String, Atom>,
}

impl Atoms {
    /// The texts that are truths.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, Atom)> {
        let texts = self.by_text.iter().map(|(text, atom)| (text.as_str(), *atom));
        texts.filter(|(text, _)| !text.starts_with('\u{0}'))
    }

    /// A truth that no text shares.
    pub(super) fn fresh(&mut self) -> Atom {
        let name = format!("\u{0}{}", self.by_text.len());
        self.number(&name)
    }

    fn number(&mut self, text: &str) -> Atom {
        let next = self.by_text.len();
        *self.by_text.entry(text.to_owned()).or_insert(next)
    }

    /// Reads a condition as an author wrote it.
    pub(super) fn condition(&mut self, copies: &Copies<'_, '_>, written: &Value) -> Condition {
        let literal =
            |truth| Condition { parts: vec![Part::about(Asks::Literal(truth), Vec::new())], text: written.to_string() };
        let text = match written {
            Value::Bool(true) => return Condition { parts: Vec::new(), text: "true".to_owned() },
            Value::Bool(false) => return literal(Truth::False),
            Value::String(text) => text,
            _ => return literal(Truth::Error),
        };
        let bare = bare(text);
        Condition { parts: self.parts(copies, &bare), text: bare }
    }

    /// The parts of a text that are joined by `and`.
    fn parts(&mut self, copies: &Copies<'_, '_>, text: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        for part in split(text) {
            let (written, holders) = copies.written_out(part);
            for part in split(&written) {
                let mut part = self.part(copies, part);
                part.needs.extend(&holders);
                part.reads.extend(&holders);
                parts.push(part);
            }
        }
        parts
    }

    /// A text in brackets, or one with `or`, that asks about steps: taken apart.
    fn taken_apart(&mut self, copies: &Copies<'_, '_>, text: &str) -> Option<Part> {
        let (inside, positive) = match text.strip_prefix("not ").and_then(|rest| enclosed(rest.trim())) {
            Some(inside) => (inside, false),
            None => (enclosed(text).unwrap_or(text), true),
        };
        let alternatives = split_at_or(inside);
        if (alternatives.len() < 2 && inside == text) || !inside.contains("steps") || has_word(inside, &["if"]) {
            return None;
        }
        let alternatives = alternatives.into_iter();
        let alternatives =
            alternatives.map(|text| Condition { parts: self.parts(copies, text), text: text.to_owned() });
        let alternatives: Vec<Condition> = alternatives.collect();
        let reads =
            alternatives.iter().flat_map(|one| &one.parts).flat_map(|part| part.reads.iter().copied()).collect();
        Some(Part { positive, ..Part::about(Asks::Either(alternatives), reads) })
    }

    fn part(&mut self, copies: &Copies<'_, '_>, text: &str) -> Part {
        let graph = copies.graph;
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((step, truths)) = outcome(copies, &words) {
            return Part::about(Asks::Outcome(step, truths), vec![step]);
        }
        if let Some(part) = self.taken_apart(copies, &words) {
            return part;
        }
        let (inner, mut positive) = match words.strip_prefix("not ").filter(|rest| !has_word(rest, &["or", "if"])) {
            Some(rest) => (rest.to_owned(), false),
            None => (words, true),
        };
        let template = Template::parse(&format!("{{{{ {inner} }}}}")).ok();
        let references = template.iter().flat_map(Template::references);
        let read: Vec<_> = references.filter(|reference| reference.root() == "steps").collect();
        let reads: Vec<StepIndex> = read.iter().filter_map(|one| graph.find(one.name(1)?)).collect();
        if reads.len() < read.len() {
            // A step that is not of this list, or all of them: nothing is known of what it reads.
            return Part { positive, unsure: true, ..Part::about(Asks::Atom(self.fresh()), reads) };
        }
        let compared = comparison(&inner).filter(|_| !inner.contains('\\'));
        let asks = compared.as_ref().and_then(|(left, operator, right)| known(copies, left, operator, right));
        if let Some((asks, negated)) = asks {
            positive ^= negated;
            return Part { positive, ..Part::about(asks, reads) };
        }
        let plain =
            !inner.contains(['(', '|', '[', '\\']) && !has_word(&inner, &["or", "and", "if", "is", "in", "not"]);
        let needed = |reference: &&&crate::expression::Reference| {
            reference.name(2) == Some("output") && reference.path.len() > 3 && !reference.conditional
        };
        let needs = if plain {
            read.iter().filter(needed).filter_map(|one| graph.find(one.name(1)?)).collect()
        } else {
            Vec::new()
        };
        let asks = match (inner.as_str(), compared) {
            ("true", _) => Asks::Literal(Truth::True),
            ("false", _) => Asks::Literal(Truth::False),
            (_, Some((left, operator, right))) => {
                let (operator, negated) = positive_operator(operator);
                positive ^= negated;
                Asks::Atom(self.number(&format!("{left} {operator} {right}")))
            }
            (text, None) => Asks::Atom(self.number(text)),
        };
        let unsure = matches!(asks, Asks::Atom(_)) && read.iter().any(|one| copies.may_tell_an_outcome(one));
        Part { asks, positive, needs, reads, unsure }
    }
}

impl Part {
    /// The truth that it asks, where that is free.
    pub(super) fn atom(&self) -> Option<Atom> {
        if let Asks::Atom(atom) = self.asks { Some(atom) } else { None }
    }

    fn about(asks: Asks, reads: Vec<StepIndex>) -> Self {
        Self { asks, positive: true, needs: Vec::new(), reads, unsure: false }
    }
}

/// What asks only how one step ended, in other words than those that `known` takes: its value for each fate, evaluated.
fn outcome(copies: &Copies<'_, '_>, text: &str) -> Option<(StepIndex, Vec<(Fate, Truth)>)> {
    let template = Template::parse(&format!("{{{{ {text} }}}}")).ok()?;
    let references = template.references();
    let id = references.first()?.name(1)?;
    let graph = copies.graph;
    let step = graph.find(id)?;
    let decision = copies.decision(step);
    let told = |reference: &crate::expression::Reference| {
        let rest = template.text().get(reference.range.end..).unwrap_or_default().trim_start();
        let is_test = ["is defined", "is not defined", "is undefined"].iter().any(|test| rest.starts_with(test));
        reference.root() == "steps"
            && reference.name(1) == Some(id)
            && match (reference.name(2), reference.name(3), reference.path.len()) {
                (Some("status"), None, 3) => true,
                (Some("output"), None, 3) => is_test,
                (Some("output"), Some(field), 4) => decision == Some(field),
                _ => false,
            }
    };
    if !references.iter().all(told) {
        return None;
    }
    // A plain comparison is told apart by `known`, from which more follows.
    let plain = text.strip_prefix("not ").unwrap_or(text);
    if comparison(plain).is_some_and(|(left, operator, right)| known(copies, &left, operator, &right).is_some()) {
        return None;
    }
    let truths =
        Fate::ALL.into_iter().map(|fate| (fate, evaluated(&template, id, decision.unwrap_or("decision"), fate)));
    Some((step, truths.collect()))
}

fn evaluated(template: &Template, id: &str, field: &str, fate: Fate) -> Truth {
    let mut steps = serde_json::Map::new();
    if let Some(status) = fate.status() {
        let mut state = serde_json::Map::from_iter([("status".to_owned(), Value::from(status))]);
        if fate.is_completed() {
            let output = fate.decision().map(|decision| (field.to_owned(), Value::from(decision)));
            state.insert("output".to_owned(), Value::Object(output.into_iter().collect()));
        }
        steps.insert(id.to_owned(), Value::Object(state));
    }
    let mut context = Context::new();
    context.set("steps", Value::Object(steps));
    match template.evaluate(&context).and_then(|value| condition(&value)) {
        Ok(true) => Truth::True,
        Ok(false) => Truth::False,
        Err(_) => Truth::Error,
    }
}

/// What asks only how a step ended, and whether it asks for the opposite.
fn known(copies: &Copies<'_, '_>, left: &str, operator: &str, right: &str) -> Option<(Asks, bool)> {
    let negated = match operator {
        "==" => false,
        "!=" => true,
        _ => return None,
    };
    let (chain, word) = if let Some(word) = quoted(right) { (left, word) } else { (right, quoted(left)?) };
    let mut parts = chain.split('.');
    if parts.next() != Some("steps") {
        return None;
    }
    let step = copies.graph.find(parts.next()?)?;
    let asks = match (parts.next(), parts.next(), parts.next()) {
        (Some("status"), None, None) => Asks::Status(step, word.to_owned()),
        (Some("output"), Some(field), None) if copies.decision(step) == Some(field) => {
            Asks::Decision(step, word.to_owned())
        }
        _ => return None,
    };
    Some((asks, negated))
}

fn quoted(text: &str) -> Option<&str> {
    let inside = ['"', '\''].into_iter().find_map(|mark| text.strip_prefix(mark)?.strip_suffix(mark))?;
    (!inside.contains(['"', '\'', '\\'])).then_some(inside)
}

/// The operator of each pair of opposites that is kept: numbers and texts have an order, and anything else is an error
/// with either.
fn positive_operator(operator: &str) -> (&str, bool) {
    match operator {
        "!=" => ("==", true),
        "<=" => (">", true),
        ">=" => ("<", true),
        other => (other, false),
    }
}

/// A text that is one comparison of two plain things: its sides and its operator.
fn comparison(text: &str) -> Option<(String, &'static str, String)> {
    let mut found = None;
    let mut at = 0;
    let mut quote: Option<char> = None;
    while let Some(c) = text[at..].chars().next() {
        match quote {
            Some(mark) => quote = (c != mark).then_some(mark),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if matches!(c, '(' | '[' | '{' | '|' | '~' | '\\') => return None,
            None => {
                let operator = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|one| text[at..].starts_with(one));
                if let Some(operator) = operator {
                    if found.replace((at, operator)).is_some() {
                        return None;
                    }
                    at += operator.len();
                    continue;
                }
            }
        }
        at += c.len_utf8();
    }
    let (at, operator) = found?;
    let (left, right) = (text[..at].trim(), text[at + operator.len()..].trim());
    let logic = ["or", "and", "if", "not", "is", "in"];
    let plain = |side: &str| !side.is_empty() && (quoted(side).is_some() || !has_word(side, &logic));
    (plain(left) && plain(right)).then(|| (left.to_owned(), operator, right.to_owned()))
}

/// Whether one of these words stands outside quotes.
fn has_word(text: &str, wanted: &[&str]) -> bool {
    let mut outside = String::with_capacity(text.len());
    let mut quote: Option<char> = None;
    for c in text.chars() {
        match quote {
            Some(mark) => quote = (c != mark).then_some(mark),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => outside.push(c),
        }
    }
    outside.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.')).any(|word| wanted.contains(&word))
}

/// The text between `{{` and `}}` where that is all there is.
pub(super) fn bare(template: &str) -> String {
    let trimmed = template.trim();
    let inside = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let inside = inside.filter(|inside| !inside.contains("{{")).unwrap_or(trimmed);
    inside.trim_start_matches('-').trim_end_matches('-').trim().to_owned()
}

/// What stands in the brackets that are around all of a text.
fn enclosed(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut depth = 0_usize;
    let mut quote: Option<char> = None;
    for c in inside.chars() {
        match quote {
            Some(_) if c == '\\' => return None,
            Some(mark) => quote = (c != mark).then_some(mark),
            None => match c {
                '"' | '\'' => quote = Some(c),
                '(' => depth += 1,
                ')' => depth = depth.checked_sub(1)?,
                _ => {}
            },
        }
    }
    (depth == 0 && quote.is_none()).then_some(inside.trim())
}

/// The parts of a disjunction; the whole text where it is none.
fn split_at_or(text: &str) -> Vec<&str> {
    split_at(text, "or", &["if", "else"])
}

/// The parts of a conjunction; the whole text where it is no plain one.
fn split(text: &str) -> Vec<&str> {
    split_at(text, "and", &["or", "if", "else"])
}

/// The parts of a text between a word outside of brackets and quotes; the whole text where one of the others stands there.
fn split_at<'t>(text: &'t str, word: &str, others: &[&str]) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let (mut from, mut at, mut depth) = (0, 0, 0_usize);
    let mut quote: Option<char> = None;
    while let Some(c) = text[at..].chars().next() {
        match quote {
            Some(_) if c == '\\' => return vec![text],
            Some(mark) => quote = (c != mark).then_some(mark),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if matches!(c, '(' | '[' | '{') => depth += 1,
            None if matches!(c, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            None if depth == 0 && word_at(text, at, word) => {
                parts.push(text[from..at].trim());
                from = at + word.len();
            }
            None if depth == 0 && others.iter().any(|other| word_at(text, at, other)) => return vec![text],
            None => {}
        }
        at += c.len_utf8();
    }
    parts.push(text[from..].trim());
    if parts.iter().any(|part| part.is_empty()) { vec![text] } else { parts }
}

fn word_at(text: &str, at: usize, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let before = text[..at].chars().next_back();
    let after = text[at..].strip_prefix(word).map(|rest| rest.chars().next());
    !before.is_some_and(is_part) && after.is_some_and(|after| !after.is_some_and(is_part))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::definition::repository::Repository;
    use crate::graph::Graph;
    use crate::guarantee::copies::no_children;

    fn read(conditions: &[&str]) -> Vec<String> {
        let text = "name: story\nversion: 1\nsteps:\n- {id: ask, type: human_approval, approvers: {role: write}}\n- {id: note, type: set, values: {x: 1}}\n";
        let repository = Repository::read([(".flow/processes/story.yaml".to_owned(), text.to_owned())]);
        let (_, process) = repository.process("story").unwrap();
        let graph = Graph::of(process);
        let copies = Copies::of(&graph, &no_children);
        let mut atoms = Atoms::default();
        let shown = |part: &Part| {
            let sign = if part.positive { "" } else { "not " };
            let needs = if part.needs.is_empty() { String::new() } else { format!(" needs {:?}", part.needs) };
            format!("{sign}{:?}{needs}", part.asks)
        };
        conditions
            .iter()
            .map(|text| {
                let condition = atoms.condition(&copies, &Value::String(format!("{{{{ {text} }}}}")));
                condition.parts.iter().map(shown).collect::<Vec<_>>().join(" and ")
            })
            .collect()
    }

    #[test]
    fn texts_become_truths() {
        let read = read(&[
            "inputs.a",
            "not inputs.a",
            "inputs.a and  not inputs.b",
            "inputs.a or inputs.b",
            "(inputs.a and inputs.b)",
            "inputs.n > 5",
            "inputs.n <= 5",
            "not inputs.n <= 5 and inputs.b",
            "inputs.word == 'this and that'",
            "steps.ask.output.decision == 'approved'",
            "not 'approved' != steps.ask.output.decision",
            "steps.ask.status != \"completed\"",
            "steps.note.output.x > 3",
            "steps.note.output.x | default(0) > 3",
            "steps.other.output.x",
            "true",
        ]);
        insta::assert_debug_snapshot!(read, @r#"
        [
            "Atom(0)",
            "not Atom(0)",
            "Atom(0) and not Atom(1)",
            "Atom(2)",
            "Atom(3)",
            "Atom(4)",
            "not Atom(4)",
            "Atom(4) and Atom(1)",
            "Atom(5)",
            "Decision(0, \"approved\")",
            "Decision(0, \"approved\")",
            "not Status(0, \"completed\")",
            "Atom(6) needs [1]",
            "Atom(7)",
            "Atom(8)",
            "Literal(True)",
        ]
        "#);
    }
}
