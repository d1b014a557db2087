//! Truths that are about the same thing: which of them may be so together, and between which nobody can tell. Knows what
//! conditions compare and what is known of the things that they compare; nothing of runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::conditions::{Atom, Atoms, Truth};
use crate::definition::{Field, FieldType, Process, StepKind};
use crate::expression::Template;
use crate::expression::compared::{Answer, Compared, Values, together};
use crate::expression::tree::{Node, Relation, What};

/// Most truths about one thing that are told apart; of others nobody can tell what goes together.
const MAX_TOGETHER: usize = 24;
/// Most truths whose relations are looked at.
const MAX_ATOMS: usize = 512;

/// How the truths of a list of steps are related.
#[derive(Debug, Default)]
pub(super) struct Related {
    groups: Vec<Group>,
    /// The group of a truth, and its place there.
    places: BTreeMap<Atom, (usize, usize)>,
    /// Truths that read the same as others, of which nobody can tell whether they may be so together.
    entangled: BTreeMap<Atom, BTreeSet<Atom>>,
}

/// Truths about one thing.
#[derive(Debug)]
struct Group {
    atoms: Vec<Atom>,
    /// What they may be together.
    rows: Vec<Vec<Answer>>,
}

/// What a truth reads.
struct Reads {
    atom: Atom,
    compared: Option<Compared>,
    chains: BTreeSet<String>,
    /// Whether it only asks whether something that is written out is in a list: that says nothing about other things.
    is_member: bool,
}

impl Related {
    pub(super) fn of(atoms: &Atoms, values: &dyn Fn(&str) -> Values) -> Self {
        let reads: Vec<Reads> = atoms.texts().take(MAX_ATOMS).filter_map(|(text, atom)| read(text, atom)).collect();
        let mut by_thing: BTreeMap<&str, Vec<&Reads>> = BTreeMap::new();
        for one in &reads {
            if let Some(compared) = &one.compared {
                let group = by_thing.entry(compared.what.as_str()).or_default();
                if group.len() < MAX_TOGETHER {
                    group.push(one);
                }
            }
        }
        let mut related = Self::default();
        for (what, group) in by_thing.into_iter().filter(|(_, group)| group.len() > 1) {
            let questions: Vec<&Compared> = group.iter().filter_map(|one| one.compared.as_ref()).collect();
            let rows = together(&questions, &values(what));
            let atoms: Vec<Atom> = group.iter().map(|one| one.atom).collect();
            let group = related.groups.len();
            related.places.extend(atoms.iter().enumerate().map(|(at, atom)| (*atom, (group, at))));
            related.groups.push(Group { atoms, rows });
        }
        for (at, one) in reads.iter().enumerate() {
            for other in &reads[at + 1..] {
                if related.may_conflict(one, other) {
                    related.entangled.entry(one.atom).or_default().insert(other.atom);
                    related.entangled.entry(other.atom).or_default().insert(one.atom);
                }
            }
        }
        related
    }

    fn may_conflict(&self, one: &Reads, other: &Reads) -> bool {
        let group = |reads: &Reads| self.places.get(&reads.atom).map(|(group, _)| *group);
        let is_told = group(one).is_some_and(|group_of_one| group(other) == Some(group_of_one));
        let overlap = |a: &str, b: &str| {
            let rest = a.strip_prefix(b).or_else(|| b.strip_prefix(a));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if is_told || (one.is_member && other.is_member) {
            return false;
        }
        one.chains.iter().any(|chain| other.chains.iter().any(|read| overlap(chain, read)))
    }

    /// The truths that what is known of this one depends on.
    pub(super) fn beside(&self, atom: Atom) -> impl Iterator<Item = Atom> + '_ {
        let group = self.places.get(&atom).map(|(group, _)| self.groups[*group].atoms.as_slice());
        let entangled = self.entangled.get(&atom).into_iter().flatten();
        group.unwrap_or_default().iter().chain(entangled).copied().filter(move |other| *other != atom)
    }

    /// Whether a truth may have a value beside those that are known.
    pub(super) fn allows(&self, atom: Atom, truth: Truth, known: &dyn Fn(Atom) -> Option<Truth>) -> bool {
        let Some((group, place)) = self.places.get(&atom) else { return true };
        let Group { atoms, rows } = &self.groups[*group];
        let known: Vec<Option<Truth>> = atoms.iter().map(|atom| known(*atom)).collect();
        rows.iter().any(|row| {
            let mut pairs = row.iter().zip(&known);
            row[*place] == answer(truth) && pairs.all(|(row, known)| known.is_none_or(|known| *row == answer(known)))
        })
    }

    /// Whether nobody can tell what a truth may be beside some that are known.
    pub(super) fn is_unsure(&self, atom: Atom, known: &dyn Fn(Atom) -> Option<Truth>) -> bool {
        self.entangled.get(&atom).is_some_and(|others| others.iter().any(|other| known(*other).is_some()))
    }

    /// Whether there are truths beside which nobody can tell what this one may be.
    pub(super) fn is_entangled(&self, atom: Atom) -> bool {
        self.entangled.contains_key(&atom)
    }
}

fn answer(truth: Truth) -> Answer {
    match truth {
        Truth::False => Answer::False,
        Truth::True => Answer::True,
        Truth::Error => Answer::Error,
    }
}

fn read(text: &str, atom: Atom) -> Option<Reads> {
    let template = Template::parse(&format!("{{{{ {text} }}}}")).ok()?;
    let node = template.expression()?;
    let chain = |reference: &crate::expression::Reference| template.text().get(reference.range.clone());
    let chains = template.references().iter().filter_map(chain).map(str::to_owned).collect();
    let is_member = match &node.what {
        What::Not(inside) => asks_membership(inside),
        _ => asks_membership(node),
    };
    Some(Reads { atom, compared: Compared::of(&template), chains, is_member })
}

/// Whether an expression asks whether something that is written out is in what a chain reads.
fn asks_membership(node: &Node) -> bool {
    let What::Comparison(first, links) = &node.what else { return false };
    let [(Relation::In | Relation::NotIn, list)] = links.as_slice() else { return false };
    matches!(list.what, What::Chain(..)) && matches!(first.what, What::Constant(_))
}

/// What is known of what a chain reads: of inputs, answers of forms, and what models and agents
/// must give.
pub(super) fn values_of(process: &Process, chain: &str) -> Values {
    let parts: Vec<&str> = chain.split('.').collect();
    match parts.as_slice() {
        ["inputs", name] => process.header.inputs.get(*name).map_or(Values::Any, of_field),
        ["steps", id, "output", name] => match process.step(id).map(|step| &step.kind) {
            Some(StepKind::Form(form)) => form.fields.get(*name).map_or(Values::Any, of_field),
            Some(StepKind::AgentTask(task)) => {
                task.output_schema.as_ref().map_or(Values::Any, |schema| of_schema(&schema.value, name))
            }
            Some(StepKind::AiGenerate(generate)) => of_schema(&generate.output_schema.value, name),
            _ => Values::Any,
        },
        _ => Values::Any,
    }
}

fn of_field(field: &Field) -> Values {
    let bound =
        |bound: &Option<crate::source::Spanned<serde_json::Number>>| bound.as_ref().and_then(|one| one.as_f64());
    let known = match (&field.choices, field.kind.value) {
        (Some(choices), _) => Values::These(choices.clone()),
        (None, FieldType::Boolean) => Values::These(vec![Value::Bool(false), Value::Bool(true)]),
        (None, kind @ (FieldType::Integer | FieldType::Number)) => Values::Numbers {
            whole: kind == FieldType::Integer,
            least: bound(&field.minimum),
            most: bound(&field.maximum),
        },
        (None, FieldType::String) => Values::Texts,
        _ => Values::Any,
    };
    match known {
        // What need not be given may be null.
        Values::These(mut values) if !field.required && field.default.is_none() => {
            values.push(Value::Null);
            Values::These(values)
        }
        Values::Numbers { .. } | Values::Texts if !field.required && field.default.is_none() => Values::Any,
        known => known,
    }
}

/// The same of a property that an inline schema demands.
fn of_schema(schema: &Value, name: &str) -> Values {
    let Some(property) = schema.get("properties").and_then(|all| all.get(name)) else { return Values::Any };
    if let Some(choices) = property.get("enum").and_then(Value::as_array) {
        return Values::These(choices.clone());
    }
    match property.get("type").and_then(Value::as_str) {
        Some("boolean") => Values::These(vec![Value::Bool(false), Value::Bool(true)]),
        Some(kind @ ("integer" | "number")) => Values::Numbers {
            whole: kind == "integer",
            least: property.get("minimum").and_then(Value::as_f64),
            most: property.get("maximum").and_then(Value::as_f64),
        },
        Some("string") => Values::Texts,
        _ => Values::Any,
    }
}
