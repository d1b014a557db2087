//! What an editor asks: which type is at a place of a file, and which fields may be written there. Also answers inside
//! an expression that is not finished yet.

use std::ops::Range;

use super::Types;
use super::check::{self, Environment, Seen};
use super::kind::{Others, Part, Type};
use super::process::ProcessTypes;
use super::prompt::PromptTypes;
use super::text::{Owner, Role, TEXT, Text};
use crate::expression::Template;
use crate::source::Span;

/// A part of an expression and what is known about it.
#[derive(Debug, Clone)]
pub struct TypeAt {
    /// The part, in bytes of the file.
    pub span: Span,
    /// Its type.
    pub of: Type,
    /// What its author wrote about it.
    pub description: Option<String>,
}

/// A name that may be written at a place.
#[derive(Debug, Clone)]
pub struct FieldAt {
    /// The name.
    pub name: String,
    /// What it gives.
    pub of: Type,
    /// Whether it may be missing.
    pub optional: bool,
    /// What its author wrote about it.
    pub description: Option<String>,
}

/// A text at a place of a file.
struct Place<'e> {
    text: &'e str,
    /// The place, in bytes of the text.
    offset: usize,
    template: Option<&'e Template>,
    role: Role,
    environment: Box<dyn Environment + 'e>,
    span: Box<dyn Fn(Range<usize>) -> Span + 'e>,
}

impl<'r> Types<'r> {
    /// The smallest part of an expression at a byte of a file, and its type.
    pub fn type_at(&self, path: &str, offset: usize) -> Option<TypeAt> {
        let place = self.place(path, offset)?;
        let parts = check::parts(place.template?, &*place.environment, place.role);
        let touches = |part: &&Seen| part.range.start <= place.offset && place.offset <= part.range.end;
        let part = parts.iter().filter(touches).min_by_key(|part| part.range.len())?;
        let description = part.description.as_deref().map(str::to_owned);
        Some(TypeAt { span: (place.span)(part.range.clone()), of: part.of.clone(), description })
    }

    /// The names that may be written at a byte of a file: after a dot the fields of what stands before it, elsewhere in
    /// an expression the roots of the context. Empty outside of expressions and where nothing is known.
    pub fn fields_at(&self, path: &str, offset: usize) -> Vec<FieldAt> {
        let Some(place) = self.place(path, offset) else { return Vec::new() };
        let before = place.text.get(..place.offset).unwrap_or_default();
        if !is_inside(before) {
            return Vec::new();
        }
        let chain = chain_before(before);
        match before[chain.clone()].rfind('.') {
            None => self.roots(path, offset),
            Some(_)
                if before[chain.clone()].starts_with("steps.") && before[chain.clone()].matches('.').count() == 1 =>
            {
                self.steps(path)
            }
            Some(dot) => fields(&type_of(&place, chain.start..chain.start + dot)),
        }
    }

    /// The fields of what a chain gives to its reader, whether such a text is written anywhere or not. In a prompt the
    /// reader says nothing.
    pub(crate) fn fields_of(&self, path: &str, reader: &Owner, chain: &str) -> Vec<FieldAt> {
        fields(&self.chain_of(path, reader, chain))
    }

    /// What a chain gives to its reader.
    pub(crate) fn chain_of(&self, path: &str, reader: &Owner, chain: &str) -> Type {
        let environment: Box<dyn Environment + '_> = match (self.process(path), self.prompt(path)) {
            (Some(process), _) => Box::new(process.environment(self, reader)),
            (None, Some(prompt)) => Box::new(prompt.environment()),
            (None, None) => return Type::Unknown,
        };
        let place = Place {
            text: chain,
            offset: chain.len(),
            template: None,
            role: TEXT,
            environment,
            span: Box::new(|_| Span::default()),
        };
        type_of(&place, 0..chain.len())
    }

    fn place(&self, path: &str, offset: usize) -> Option<Place<'_>> {
        match (self.process(path), self.prompt(path)) {
            (Some(process), _) => self.in_process(process, offset),
            (None, Some(prompt)) => in_prompt(prompt, offset),
            (None, None) => None,
        }
    }

    fn text_at<'e>(&self, process: &'e ProcessTypes<'r>, offset: usize) -> Option<&'e Text> {
        let at = |text: &&Text| {
            let span = process.file.document.node(text.node).span();
            span.start as usize <= offset && offset <= span.end as usize
        };
        process.texts().texts.iter().find(at)
    }

    fn in_process<'e>(&'e self, process: &'e ProcessTypes<'r>, offset: usize) -> Option<Place<'e>> {
        let text = self.text_at(process, offset)?;
        let document = &process.file.document;
        let map = document.scalar_map(text.node);
        Some(Place {
            text: document.node(text.node).as_str()?,
            offset: map.offset(offset)?,
            template: text.template.as_ref().ok(),
            role: text.role,
            environment: Box::new(process.environment_of(self, text)),
            span: Box::new(move |range| map.span(range)),
        })
    }

    /// What an expression may begin with.
    fn roots(&self, path: &str, offset: usize) -> Vec<FieldAt> {
        let field = |name: &str, of: Type, description: &str| FieldAt {
            name: name.to_owned(),
            of,
            optional: false,
            description: Some(description.to_owned()),
        };
        let Some(process) = self.process(path) else {
            return vec![field("variables", Type::any_record(), "The variables of the prompt.")];
        };
        let described = [
            ("inputs", "What the execution was started with."),
            ("context", "The constants of the process."),
            ("trigger", "What started the execution."),
            ("execution", "The execution itself."),
        ];
        let mut roots: Vec<FieldAt> = described
            .into_iter()
            .filter_map(|(name, description)| Some(field(name, process.root(name)?.clone(), description)))
            .collect();
        roots.push(field("steps", Type::any_record(), "The steps that have ended."));
        let Some(text) = self.text_at(process, offset) else { return roots };
        if text.role.secrets {
            roots.push(field("secrets", Type::any_record(), "The secrets of the server."));
        }
        if text.role.event {
            let event = Type::record([("payload", Part::of(Type::Unknown))], Others::Any);
            roots.push(field("event", event, "The event that has come."));
        }
        for item in text.owner.items() {
            let path =
                [crate::expression::Segment { key: crate::expression::Key::Name(item.name.clone()), range: 0..0 }];
            let of = process.environment(self, &text.owner).root(&path).map(|start| start.of);
            roots.push(field(&item.name, of.unwrap_or_default(), "The item that the body runs for."));
        }
        if !text.owner.items().is_empty() {
            roots.push(field("index", Type::Integer, "The item's place, from 0."));
        }
        roots
    }

    fn steps(&self, path: &str) -> Vec<FieldAt> {
        let Some(process) = self.process(path) else { return Vec::new() };
        let field = |id: &str| {
            let step = process.process.step(id)?;
            let name = step.name.as_ref().map_or(String::new(), |name| format!(": {}", name.value));
            Some(FieldAt {
                name: id.to_owned(),
                of: process.step_type(self, id),
                optional: false,
                description: Some(format!("`{}`{name}", step.step_type())),
            })
        };
        process.step_ids().filter_map(field).collect()
    }
}

fn in_prompt<'e>(prompt: &'e PromptTypes<'_>, offset: usize) -> Option<Place<'e>> {
    let start = prompt.prompt.template_start as usize;
    Some(Place {
        text: &prompt.prompt.template,
        offset: offset.checked_sub(start)?,
        template: prompt.template().as_ref().ok(),
        role: PromptTypes::ROLE,
        environment: Box::new(prompt.environment()),
        span: Box::new(move |range| Span::new(start + range.start, start + range.end)),
    })
}

/// Whether a text breaks off inside an expression or a tag.
fn is_inside(before: &str) -> bool {
    let last = |marks: [&str; 2]| marks.iter().filter_map(|mark| before.rfind(mark)).max();
    match (last(["{{", "{%"]), last(["}}", "%}"])) {
        (Some(opened), Some(closed)) => opened > closed,
        (opened, _) => opened.is_some(),
    }
}

/// The chain that a text breaks off in: names, dots and what stands in brackets.
fn chain_before(text: &str) -> Range<usize> {
    let mut start = text.len();
    loop {
        let before = &text[..start];
        let names = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        start = names.len();
        let opened = match names.chars().next_back() {
            Some(']') => names.rfind('['),
            Some(')') => opening(names),
            _ => None,
        };
        match opened {
            Some(bracket) => start = bracket,
            None => return start..text.len(),
        }
    }
}

/// Where the parenthesis was opened that closes at the end.
fn opening(text: &str) -> Option<usize> {
    let mut closed = 0;
    for (at, bracket) in text.char_indices().rev().filter(|(_, c)| matches!(c, '(' | ')')) {
        closed = if bracket == ')' { closed + 1 } else { closed - 1 };
        if closed == 0 {
            return Some(at);
        }
    }
    None
}

/// The type of what stands at `base`, before a dot. The text is tried as it stands without that dot and what follows it,
/// then broken off there, then alone: the less of it can be read, the fewer of its own names are known.
fn type_of(place: &Place<'_>, base: Range<usize>) -> Type {
    let after = place.text.get(place.offset..).unwrap_or_default();
    let after = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    let until = place.text.get(..base.end).unwrap_or_default();
    let alone = format!("{{{{ {} }}}}", &until[base.start..]);
    let attempts = [
        (format!("{until}{after}"), base.clone()),
        (format!("{until} }}}}"), base.clone()),
        (format!("{until} %}}"), base.clone()),
        (alone, 3..3 + base.len()),
    ];
    for (text, range) in attempts {
        let Ok(template) = Template::parse(&text) else { continue };
        let parts = check::parts(&template, &*place.environment, place.role);
        // Brackets around all of it do not belong to the part.
        let bare = &text[range.clone()];
        let inside = match bare.strip_prefix('(').and_then(|bare| bare.strip_suffix(')')) {
            Some(_) => range.start + 1..range.end - 1,
            None => range.clone(),
        };
        if let Some(part) = parts.into_iter().rev().find(|part| part.range == range || part.range == inside) {
            return part.of;
        }
    }
    Type::Unknown
}

fn fields(of: &Type) -> Vec<FieldAt> {
    let mut fields: Vec<FieldAt> = Vec::new();
    for one in of.alternatives() {
        let Type::Record(record) = one else { continue };
        for (name, part) in &record.fields {
            if let Some(known) = fields.iter_mut().find(|field| field.name == **name) {
                known.of = known.of.clone().or(part.of.clone());
                known.optional |= part.optional;
            } else {
                fields.push(FieldAt {
                    name: name.to_string(),
                    of: part.of.clone(),
                    optional: part.optional,
                    description: part.description.as_deref().map(str::to_owned),
                });
            }
        }
    }
    fields
}
