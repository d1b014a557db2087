//! Decisions under another name: a `set` that holds what a step gave, a process that returns what its approval decided.
//! Conditions that ask about a copy are read as if they asked about what was copied; where that cannot be followed, it is
//! said, so that nobody invents a run that cannot happen.

use std::collections::BTreeMap;

use serde_json::Value;

use super::conditions::bare;
use super::model::{Fate, completions};
use crate::definition::step::StepKind;
use crate::definition::{Process, Step};
use crate::expression::{Reference, Template};
use crate::graph::{Graph, StepIndex};

/// Finds processes by their names.
pub(super) type Children<'c, 'p> = &'c dyn Fn(&str) -> Option<&'p Process>;

/// No process is known.
pub(super) fn no_children<'p>(_: &str) -> Option<&'p Process> {
    None
}

/// How often a copy of a copy is followed.
const MAX_COPIES: usize = 8;
/// Longest condition that is written out.
const MAX_TEXT: usize = 4_096;

/// The copies of a list of steps.
pub(super) struct Copies<'c, 'p> {
    pub(super) graph: &'c Graph<'p>,
    children: Children<'c, 'p>,
    /// The processes that return a decision, each with its output.
    returned: BTreeMap<StepIndex, Returned<'p>>,
}

/// A decision that a process returns.
pub(super) struct Returned<'p> {
    /// The output.
    pub(super) key: &'p str,
    /// The approval that was decided, in that process.
    pub(super) approval: &'p Step,
}

/// The first output of a process that is the decision of one of its approvals.
pub(super) fn returned(process: &Process) -> Option<Returned<'_>> {
    process.header.outputs.iter().find_map(|(key, value)| {
        let text = bare(value.value.as_str()?);
        let id = text.strip_prefix("steps.")?.strip_suffix(".output.decision")?;
        let approval = process.steps.iter().find(|step| step.id.as_str() == id)?;
        let is_approval = matches!(approval.kind, StepKind::HumanApproval(_));
        is_approval.then_some(Returned { key: key.value.as_str(), approval })
    })
}

impl<'c, 'p> Copies<'c, 'p> {
    pub(super) fn of(graph: &'c Graph<'p>, children: Children<'c, 'p>) -> Self {
        let mut found = BTreeMap::new();
        for (index, step) in graph.steps().enumerate() {
            if let StepKind::Process(call) = &step.kind
                && call.wait
                && let Some(returned) = children(call.process.as_str()).and_then(returned)
            {
                found.insert(index, returned);
            }
        }
        Self { graph, children, returned: found }
    }

    /// The field of a step's output that is the decision that people gave.
    pub(super) fn decision(&self, step: StepIndex) -> Option<&str> {
        match self.graph.step(step).kind {
            StepKind::HumanApproval(_) => Some("decision"),
            _ => self.returned.get(&step).map(|returned| returned.key),
        }
    }

    /// How the approval may complete whose decision a process returns; such a process completes with it.
    pub(super) fn ends(&self, step: StepIndex) -> Option<Vec<Fate>> {
        self.returned.get(&step).map(|returned| completions(returned.approval))
    }

    /// A condition that asks about copies, asking about what was copied, and the steps that hold the copies.
    pub(super) fn written_out(&self, condition: &str) -> (String, Vec<StepIndex>) {
        let mut text = condition.to_owned();
        let mut holders = Vec::new();
        for _ in 0..MAX_COPIES {
            match self.written_out_once(&text, &mut holders) {
                Some(next) if next.len() <= MAX_TEXT => text = next,
                _ => break,
            }
        }
        (text, holders)
    }

    fn written_out_once(&self, text: &str, holders: &mut Vec<StepIndex>) -> Option<String> {
        let template = Template::parse(&format!("{{{{ {text} }}}}")).ok()?;
        let before = "{{ ".len();
        let mut copies = template.references().iter().rev().filter_map(|reference| self.copied(reference));
        let (holder, reference, copied) = copies.next()?;
        holders.push(holder);
        let range = reference.range.start - before..reference.range.end - before;
        let is_whole = text.get(range.clone())?.len() == text.len();
        let mut written = text.to_owned();
        let is_chain = copied.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        let copied = if is_whole || is_chain { copied } else { format!("({copied})") };
        written.replace_range(range, &copied);
        Some(written)
    }

    /// The expression that a `set` holds where a chain reads it, and that `set`.
    fn copied<'t>(&self, reference: &'t Reference) -> Option<(StepIndex, &'t Reference, String)> {
        let (holder, key) = self.read_of_set(reference)?;
        let StepKind::Set(set) = &self.graph.step(holder).kind else { return None };
        let is_plain = reference.path.len() == 4 && !reference.has_default && !reference.conditional;
        let (_, value) = set.values.iter().find(|(name, _)| name.value == key)?;
        let text = value.value.as_str()?;
        let template = Template::parse(text).ok()?;
        (is_plain && template.is_native()).then(|| (holder, reference, bare(text)))
    }

    fn read_of_set<'t>(&self, reference: &'t Reference) -> Option<(StepIndex, &'t str)> {
        let is_output = reference.root() == "steps" && reference.name(2) == Some("output");
        is_output.then_some((self.graph.find(reference.name(1)?)?, reference.name(3)?))
    }

    /// Whether what a chain reads may say how people decided, or how a step ended.
    pub(super) fn may_tell_an_outcome(&self, reference: &Reference) -> bool {
        tells(self.graph, reference, self.children, MAX_COPIES)
    }
}

fn tells(graph: &Graph<'_>, reference: &Reference, children: Children<'_, '_>, depth: usize) -> bool {
    if reference.root() != "steps" {
        return false;
    }
    let Some(step) = reference.name(1).and_then(|id| graph.find(id)) else { return true };
    if reference.name(2) != Some("output") || depth == 0 {
        return true;
    }
    let key = reference.name(3);
    let wanted = |name: &str| key.is_none_or(|key| key == name);
    let any = |graph: &Graph<'_>, value: &Value| {
        texts(value).into_iter().any(|text| {
            let template = Template::parse(text).ok();
            let mut references = template.iter().flat_map(Template::references);
            references.any(|reference| tells(graph, reference, children, depth - 1))
        })
    };
    match &graph.step(step).kind {
        StepKind::HumanApproval(_) | StepKind::Gateway(_) => true,
        StepKind::Set(set) => {
            set.values.iter().any(|(name, value)| wanted(name.value.as_str()) && any(graph, &value.value))
        }
        StepKind::Process(call) => match children(call.process.as_str()) {
            Some(child) => {
                let inner = Graph::of(child);
                child
                    .header
                    .outputs
                    .iter()
                    .any(|(name, value)| wanted(name.value.as_str()) && any(&inner, &value.value))
            }
            None => true,
        },
        StepKind::Foreach(foreach) => {
            let decides = |step: &Step| {
                matches!(step.kind, StepKind::HumanApproval(_) | StepKind::Process(_) | StepKind::Gateway(_))
            };
            foreach.steps.iter().flat_map(Step::with_body).any(decides)
        }
        _ => false,
    }
}

/// The texts in a value.
fn texts(value: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => found.push(text.as_str()),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    found
}
