//! Chains such as `steps.draft.output.notes`: followed part by part through the types. The first part that cannot exist
//! is told, or else the first that may be missing or null.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::narrow::Path;
use super::{Check, Kinds, MistakeKind, NEEDED, Type, Use, balanced};
use crate::expression::Key;
use crate::expression::tree::{Link, Node, Root};
use crate::source::closest;
use crate::types::kind::{Others, Record};
use crate::types::mistake::Mistake;

/// What stands at a part of a chain.
pub(in crate::types) enum Found {
    /// A value, and whether it may be missing.
    Value { of: Type, optional: bool, description: Option<Arc<str>> },
    /// Nobody knows.
    Unknown,
    /// Nothing can.
    Nothing,
}

impl<'t> Check<'t> {
    pub(super) fn chain(&mut self, node: &'t Node, root: &'t Root, links: &'t [Link], usage: Use) -> Type {
        for link in links {
            self.computed(link);
        }
        let mut usage = usage;
        let (of, parts, name, local) = match root {
            Root::Value(value) => (self.node(value, usage), 1, None, None),
            Root::Name(name, range) => match self.local(name) {
                Some(place) => {
                    let of = self.locals[place].1.clone();
                    self.note(range, &of, None);
                    (of, 1, Some(name.as_str()), Some(place))
                }
                None => {
                    let Some(reference) = self.template.reference_at(&node.range) else { return Type::Unknown };
                    usage.covered |= reference.has_default;
                    usage.tested |= reference.conditional;
                    let Some(start) = self.environment.root(&reference.path) else { return Type::Unknown };
                    let at = start.parts.saturating_sub(1);
                    let range = at.checked_sub(1).and_then(|at| links.get(at)).map_or(range, |link| &link.range);
                    self.note(range, &start.of, None);
                    (start.of, start.parts, Some(name.as_str()), None)
                }
            },
        };
        let path = |until: usize| name.map(|root| Path { root, local, links: links.get(..until).unwrap_or(links) });
        let of = self.follow(node, links, of, parts.saturating_sub(1), &path, usage);
        self.note(&node.range, &of, None);
        of
    }

    fn follow(
        &mut self,
        node: &'t Node,
        links: &'t [Link],
        start: Type,
        at: usize,
        path: &impl Fn(usize) -> Option<Path<'t>>,
        usage: Use,
    ) -> Type {
        let mut of = path(at).map_or_else(|| start.clone(), |path| self.narrowed(path, start.clone()));
        let lenient = usage.covered || usage.tested;
        // What may be missing is only told where nothing after it is wrong.
        let mut pending: Option<Mistake> = None;
        for (index, link) in links.iter().enumerate().skip(at) {
            if of.may_be_null() && !lenient && pending.is_none() && of.kinds() != Kinds::NULL {
                pending = self.null_on_the_way(node, links, index);
            }
            let is_null = of.kinds() == Kinds::NULL;
            let before = if is_null { of.clone() } else { of.not_null() };
            match look_up(&before, &link.key) {
                Found::Unknown => {
                    self.depends = true;
                    self.mistakes.extend(pending);
                    return Type::Unknown;
                }
                Found::Nothing if is_null && lenient => return Type::Unknown,
                Found::Nothing => {
                    self.no_such_part(node, links, index, &before);
                    return Type::Unknown;
                }
                Found::Value { of: next, optional, description } => {
                    of = next;
                    let exists = || path(index + 1).is_some_and(|path| self.exists(path));
                    if optional && !lenient && pending.is_none() && !exists() {
                        pending = self.missing_on_the_way(node, links, index);
                    }
                    if let Some(path) = path(index + 1) {
                        of = self.narrowed(path, of);
                    }
                    self.note(&link.range, &of, description.as_ref());
                }
            }
        }
        self.mistakes.extend(pending);
        of
    }

    /// The chain as it is written through the part at `index`; nothing of it where that is negative.
    fn written(&self, node: &Node, links: &[Link], parts: usize) -> String {
        let end = match parts.checked_sub(1).and_then(|last| links.get(last)) {
            // A quoted key ends before its quote and its bracket.
            Some(link) => {
                let rest = self.source(&(link.range.end..node.range.end));
                let closing = rest.find(']').filter(|at| rest[..*at].trim_matches(['"', '\'', ' ']).is_empty());
                link.range.end + closing.map_or(0, |at| at + 1)
            }
            None => match links.first() {
                Some(first) => {
                    let before = self.source(&(node.range.start..first.range.start));
                    node.range.start + before.trim_end_matches(['.', '[', '"', '\'', ' ']).len()
                }
                None => node.range.end,
            },
        };
        balanced(self.source(&(node.range.start..end)))
    }

    fn once(&mut self, chain: String, mistake: impl FnOnce(&str) -> Mistake) -> Option<Mistake> {
        if self.told.contains(&chain) {
            return None;
        }
        let mistake = mistake(&chain);
        self.told.push(chain);
        Some(mistake)
    }

    fn missing_on_the_way(&mut self, node: &Node, links: &[Link], index: usize) -> Option<Mistake> {
        let range = links[index].range.clone();
        self.once(self.written(node, links, index + 1), |chain| {
            Mistake::new(MistakeKind::MayBeMissing, range, format!("`{chain}` may be missing"))
                .help("provide for it with `| default(…)`, or make it required")
        })
    }

    fn null_on_the_way(&mut self, node: &Node, links: &[Link], index: usize) -> Option<Mistake> {
        let range = match index.checked_sub(1) {
            Some(last) => links[last].range.clone(),
            None => node.range.start..node.range.start + self.written(node, links, 0).trim_start_matches('(').len(),
        };
        let next = self.source(&links[index].range).to_owned();
        self.once(self.written(node, links, index), |chain| {
            Mistake::new(MistakeKind::MayBeNull, range, format!("`{chain}` may be null, and then has no `{next}`"))
                .help("provide for it with `| default(…)`, or ask `is not none` before")
        })
    }

    fn no_such_part(&mut self, node: &Node, links: &[Link], index: usize, of: &Type) {
        let link = &links[index];
        let chain = self.written(node, links, index);
        let mistake = nothing_there(&chain, &link.key, &link.range, of, self.suggests());
        self.mistakes.push(mistake);
    }

    /// What stands in brackets and is computed.
    fn computed(&mut self, link: &'t Link) {
        let Some(index) = &link.computed else { return };
        let of = self.node(index, NEEDED);
        if !self.fits(&of, Kinds::TEXT.or(Kinds::NUMBER)) {
            let message = format!("a part is read with a name or a number in brackets, this is {of}");
            self.wrong(MistakeKind::OperatorDoesNotFit, &index.range, message);
        }
    }
}

impl Type {
    /// What stands at a field of a value of this type; nothing where such a value can have no such field.
    pub(crate) fn at_field(&self, name: &str) -> Option<Self> {
        match look_up(&self.not_null(), &Key::Name(name.to_owned())) {
            Found::Value { of, .. } => Some(of),
            Found::Unknown => Some(Self::Unknown),
            Found::Nothing => None,
        }
    }
}

/// What stands at a key. Of several alternatives: what those give that have it.
pub(in crate::types) fn look_up(of: &Type, key: &Key) -> Found {
    let Type::Union(types) = of else { return look_up_one(of, key) };
    let (mut found, mut any_optional, mut described) = (Vec::new(), false, None);
    for one in types.iter() {
        match look_up_one(one, key) {
            Found::Value { of, optional, description } => {
                found.push(of);
                any_optional |= optional;
                described = described.or(description);
            }
            Found::Unknown => return Found::Unknown,
            Found::Nothing => any_optional = true,
        }
    }
    if found.is_empty() {
        return Found::Nothing;
    }
    Found::Value { of: Type::any_of(found), optional: any_optional, description: described }
}

fn look_up_one(of: &Type, key: &Key) -> Found {
    let there = |of: Type| Found::Value { of, optional: false, description: None };
    match (of, key) {
        (Type::Unknown, _) => Found::Unknown,
        (Type::Record(record), Key::Name(name)) => field(record, name),
        (Type::Record(record), Key::Dynamic) => match (&record.others, record.fields.is_empty()) {
            (Others::Of(of), true) => there(of.clone()),
            _ => Found::Unknown,
        },
        (Type::List(list), Key::Index(index)) => match usize::try_from(*index) {
            Ok(place) => there(list.at(place).clone()),
            Err(_) => there(list.any_entry()),
        },
        (Type::List(list), Key::Dynamic) => there(list.any_entry()),
        (Type::Text(_), Key::Index(_) | Key::Dynamic) => there(Type::TEXT),
        _ => Found::Nothing,
    }
}

fn field(record: &Record, name: &str) -> Found {
    if let Some(part) = record.fields.get(name) {
        let description = part.description.clone();
        return Found::Value { of: part.of.clone(), optional: part.optional, description };
    }
    match &record.others {
        Others::None => Found::Nothing,
        Others::Any => Found::Unknown,
        Others::Of(of) => Found::Value { of: of.clone(), optional: false, description: None },
        Others::Newer => match record.names().iter().any(|known| is_slip(name, known)) {
            true => Found::Nothing,
            false => Found::Unknown,
        },
    }
}

/// Whether a name is another one with a slip of the pen: closer than two names of one thing usually are.
fn is_slip(name: &str, known: &str) -> bool {
    let length = name.chars().count();
    name.len() <= 100 && length > 2 && strsim::osa_distance(name, known) <= if length < 6 { 1 } else { 2 }
}

/// Most names that a misspelt one is compared with; nobody writes more by hand.
const MAX_COMPARED: usize = 1_000;

/// What to say about a part that cannot be there, and, where that is wanted, what was meant instead.
pub(in crate::types) fn nothing_there(
    chain: &str,
    key: &Key,
    range: &Range<usize>,
    of: &Type,
    suggests: bool,
) -> Mistake {
    let wrong = |message: String| Mistake::new(MistakeKind::UnknownName, range.clone(), message);
    let noun = of.noun().unwrap_or_default();
    let name = match key {
        Key::Name(name) => name,
        Key::Index(index) => return wrong(format!("`{chain}` is {noun} and has no entry {index}")),
        Key::Dynamic => return wrong(format!("`{chain}` is {noun} and has no parts")),
    };
    let records: Vec<&Record> = of
        .alternatives()
        .iter()
        .filter_map(|one| if let Type::Record(record) = one { Some(&**record) } else { None })
        .collect();
    if records.is_empty() {
        let wrong = wrong(format!("`{chain}` is {noun} and has no field `{name}`"));
        return match of {
            Type::List(_) => {
                wrong.help(format!("take one entry, `[0]`, or of each its field: `| map(attribute='{name}')`"))
            }
            _ => wrong,
        };
    }
    let message = match chain {
        "inputs" => format!("there is no input `{name}`"),
        "context" => format!("there is no constant `{name}`"),
        "variables" => format!("the prompt declares no variable `{name}`"),
        "trigger" if name == "pull_request" => "no trigger of this process has a pull request".to_owned(),
        _ => format!("`{chain}` has no field `{name}`"),
    };
    if !suggests {
        return wrong(message);
    }
    let mut known: Vec<&str> = records.iter().flat_map(|record| record.names()).collect();
    let mut seen = HashSet::new();
    known.retain(|name| seen.insert(*name));
    let near = if known.len() > MAX_COMPARED { None } else { closest(name, known.iter().copied()) };
    wrong(message).meant(near, &known)
}
