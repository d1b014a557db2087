//! Makes the flow of one process from its steps and the templates in their fields.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::address::Address;
use super::constants::Constants;
use super::flow::{Field, Flow, Owner, Part, Place, PlaceIndex, StepFacts, StepNumber};
use super::source::{Origin, Origins, TriggerPart, of_input, of_output, starters};
use crate::definition::step::{AgentTask, RunOn, StepKind, StepType};
use crate::definition::{Process, Step};
use crate::expression::asked::tests;
use crate::expression::{Reference, Template};
use crate::source::{Document, Node, NodeId};

/// Deepest nesting of a value that is walked, as deep as a document may be nested.
const MAX_DEPTH: usize = 256;

/// A step that runs another process: which, and where its data goes in and comes out.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) process: String,
    pub(super) waits: bool,
    /// The fields of `inputs` by name.
    pub(super) inputs: Vec<(String, PlaceIndex)>,
    /// Its outputs by name.
    pub(super) outputs: Vec<(String, PlaceIndex)>,
    /// All that it gives.
    pub(super) output: PlaceIndex,
}

/// The flow of a process before sub-processes are joined to it.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) flow: Flow,
    pub(super) calls: Vec<Call>,
    /// Its inputs.
    pub(super) inputs: Vec<(String, PlaceIndex)>,
    /// Whether whoever starts it may give them.
    pub(super) is_given_inputs: bool,
    /// The fields of its outputs.
    pub(super) outputs: Vec<(String, PlaceIndex)>,
}

/// The templates of a process by their scalar.
pub(super) type Templates<'t> = HashMap<NodeId, &'t Template>;

/// Builds. `outputs_of` gives the names of another process's outputs, `reads_words` says whether an agent's tools bring it
/// what others wrote.
pub(super) fn build(
    document: &Document,
    process: &Process,
    templates: &Templates<'_>,
    outputs_of: &dyn Fn(&str) -> Vec<String>,
    reads_words: &dyn Fn(&AgentTask) -> bool,
) -> Built {
    let mut build = Build::new(document, process, templates);
    build.roots(process);
    let mut number = 0;
    build.declare(&process.steps, outputs_of, reads_words);
    build.read_steps(&process.steps, &mut number, &mut Vec::new());
    build.read_header(process);
    let is_given_inputs = starters(process);
    Built {
        flow: build.flow,
        calls: build.calls,
        inputs: build.input_places,
        is_given_inputs,
        outputs: build.output_places,
    }
}

struct Build<'b> {
    document: &'b Document,
    constants: Constants,
    templates: &'b Templates<'b>,
    flow: Flow,
    calls: Vec<Call>,
    input_places: Vec<(String, PlaceIndex)>,
    output_places: Vec<(String, PlaceIndex)>,
    inputs: BTreeMap<String, PlaceIndex>,
    secrets: BTreeMap<String, PlaceIndex>,
    parts: Vec<PlaceIndex>,
    all_of_trigger: PlaceIndex,
    all_of_pull_request: PlaceIndex,
    all_of_inputs: PlaceIndex,
    all_of_steps: PlaceIndex,
    outputs: Vec<PlaceIndex>,
    errors: Vec<PlaceIndex>,
    values: BTreeMap<StepNumber, BTreeMap<String, PlaceIndex>>,
}

/// Which field is read.
struct Slot<'s> {
    owner: Owner,
    key: &'s str,
    entry: Option<&'s str>,
    part: Part,
}

/// The item of a `foreach` by the name that its body uses.
type Items = Vec<(String, PlaceIndex)>;

impl<'b> Build<'b> {
    fn new(document: &'b Document, process: &Process, templates: &'b Templates<'b>) -> Self {
        let mut flow = Flow::default();
        let mut root = || flow.add_place(Place::Root, Origins::NONE);
        let (all_of_trigger, all_of_pull_request, all_of_inputs, all_of_steps) = (root(), root(), root(), root());
        Self {
            document,
            constants: Constants::of(process),
            templates,
            flow,
            calls: Vec::new(),
            input_places: Vec::new(),
            output_places: Vec::new(),
            inputs: BTreeMap::new(),
            secrets: BTreeMap::new(),
            parts: Vec::new(),
            all_of_trigger,
            all_of_pull_request,
            all_of_inputs,
            all_of_steps,
            outputs: Vec::new(),
            errors: Vec::new(),
            values: BTreeMap::new(),
        }
    }

    /// The trigger and the inputs.
    fn roots(&mut self, process: &Process) {
        for part in TriggerPart::ALL {
            let place = self.flow.add_place(Place::Trigger(part), part.origins());
            self.flow.from_trigger.push(place);
            self.parts.push(place);
            self.flow.link(place, self.all_of_trigger, None);
            if part.is_of_pull_request() {
                self.flow.link(place, self.all_of_pull_request, None);
            }
        }
        let given = starters(process);
        for (name, field) in &process.header.inputs {
            let own = if given { Origins::of(of_input(field)) } else { Origins::NONE };
            let place = self.flow.add_place(Place::Input(name.value.clone()), own);
            if given {
                self.flow.from_trigger.push(place);
            }
            self.flow.link(place, self.all_of_inputs, None);
            self.inputs.insert(name.value.clone(), place);
            self.input_places.push((name.value.clone(), place));
        }
    }

    /// Places for what every step gives, so that any field can read any step.
    fn declare(
        &mut self,
        steps: &[Step],
        outputs_of: &dyn Fn(&str) -> Vec<String>,
        reads_words: &dyn Fn(&AgentTask) -> bool,
    ) {
        for step in steps {
            let facts = StepFacts { id: step.id.as_str().to_owned(), step_type: step.step_type() };
            let number = self.flow.add_step(facts);
            let own = of_output(step, reads_words);
            let output = self.flow.add_place(Place::Output(number), own);
            let error = self.flow.add_place(Place::Error(number), own);
            self.outputs.push(output);
            self.errors.push(error);
            self.flow.link(output, self.all_of_steps, None);
            self.flow.link(error, self.all_of_steps, None);
            let names: Vec<String> = match &step.kind {
                StepKind::Set(set) => set.values.keys().map(|name| name.value.clone()).collect(),
                StepKind::Process(call) if call.wait => outputs_of(call.process.as_str()),
                _ => Vec::new(),
            };
            for name in names {
                let place = self.flow.add_place(Place::Value(number), Origins::NONE);
                self.flow.link(place, output, None);
                self.values.entry(number).or_default().insert(name, place);
            }
            if let StepKind::Foreach(foreach) = &step.kind {
                self.declare(&foreach.steps, outputs_of, reads_words);
            }
        }
    }

    fn read_steps(&mut self, steps: &[Step], number: &mut StepNumber, items: &mut Items) {
        for step in steps {
            let own = *number;
            *number += 1;
            let mut inside = None;
            if let StepKind::Foreach(foreach) = &step.kind {
                let item = self.flow.add_place(Place::Item, Origins::NONE);
                let name = foreach.item_name.as_ref().map_or("item", |name| name.value.as_str()).to_owned();
                inside = Some((name, item));
            }
            if let StepKind::Process(call) = &step.kind {
                let outputs = self.values.get(&own).into_iter().flatten().map(|(n, p)| (n.clone(), *p)).collect();
                self.calls.push(Call {
                    process: call.process.as_str().to_owned(),
                    waits: call.wait,
                    inputs: Vec::new(),
                    outputs,
                    output: self.outputs[own],
                });
            }
            for (key, value) in self.document.node(step.node).entries() {
                self.read_key(step, own, key.as_str().unwrap_or_default(), value, items, inside.as_ref());
            }
            if let (StepKind::Foreach(foreach), Some(inside)) = (&step.kind, inside) {
                if foreach.result.is_none() {
                    // Without `result` an item gives what the body's last step gives.
                    let mut last = None;
                    let mut next = *number;
                    for step in &foreach.steps {
                        if step.run_on != RunOn::Compensation {
                            last = Some(next);
                        }
                        next += step.with_body().count();
                    }
                    if let Some(last) = last {
                        self.flow.link(self.outputs[last], self.outputs[own], None);
                    }
                }
                items.push(inside);
                self.read_steps(&foreach.steps, number, items);
                items.pop();
            }
        }
    }

    fn read_key(
        &mut self,
        step: &Step,
        own: StepNumber,
        key: &str,
        value: Node<'_>,
        items: &mut Items,
        inside: Option<&(String, PlaceIndex)>,
    ) {
        use StepType as Type;
        let step_type = step.step_type();
        let whole = Some(self.outputs[own]);
        let slot = |entry| Slot { owner: Owner::Step(own), key, entry, part: Part::Whole };
        match (step_type, key) {
            (_, "id" | "type" | "depends_on" | "output_schema" | "expect") | (Type::Foreach, "steps") => {}
            (_, "when") => self.condition(own, key, value, items),
            (Type::Gateway, "branches") => {
                let conditions = value.items().into_iter().flatten().filter_map(|branch| branch.get("when"));
                conditions.for_each(|when| self.condition(own, key, when, items));
            }
            (Type::Set, "values") | (Type::Process, "inputs") => {
                for (name, entry) in value.entries() {
                    let name = name.as_str().unwrap_or_default();
                    let to =
                        self.values.get(&own).filter(|_| step_type == Type::Set).and_then(|v| v.get(name)).copied();
                    let place = self.field(own, &slot(Some(name)), entry, items, to);
                    if let (Type::Process, Some(place), Some(call)) = (step_type, place, self.calls.last_mut()) {
                        call.inputs.push((name.to_owned(), place));
                    }
                }
            }
            (Type::ApiCall, "url") => self.address(own, value, items),
            (Type::ApiCall, "headers" | "query")
            | (Type::McpCall, "arguments")
            | (Type::AiGenerate, "variables")
            | (Type::Workflow, "inputs") => {
                for (name, entry) in value.entries() {
                    self.field(own, &slot(name.as_str()), entry, items, whole);
                }
            }
            (Type::Foreach, "items") => {
                self.field(own, &slot(None), value, items, inside.map(|(_, item)| *item));
            }
            (Type::Foreach, "result") => {
                items.extend(inside.cloned());
                self.field(own, &slot(None), value, items, whole);
                items.truncate(items.len() - usize::from(inside.is_some()));
            }
            (Type::Wait, "event") => {
                for (name, entry) in value.entries() {
                    self.field(own, &slot(name.as_str()), entry, items, None);
                }
            }
            (Type::ApiCall, "body" | "body_text")
            | (Type::AgentTask, "message")
            | (Type::AiGenerate, "prompt" | "system")
            | (Type::Workflow, "ref") => {
                self.field(own, &slot(None), value, items, whole);
            }
            _ => {
                self.field(own, &slot(None), value, items, None);
            }
        }
    }

    /// A condition decides and gives nothing on, but what it reads may stand in the error where it cannot be decided.
    fn condition(&mut self, own: StepNumber, key: &str, value: Node<'_>, items: &Items) {
        let slot = Slot { owner: Owner::Step(own), key, entry: None, part: Part::Whole };
        if self.field(own, &slot, value, items, None).is_some()
            && let Some(field) = self.flow.fields.last_mut()
        {
            field.is_condition = true;
        }
    }

    /// One field of a step: what it reads goes on to `to` and, with the step's failure, into its error.
    fn field(
        &mut self,
        own: StepNumber,
        slot: &Slot<'_>,
        value: Node<'_>,
        items: &Items,
        to: Option<PlaceIndex>,
    ) -> Option<PlaceIndex> {
        let place = self.read(slot, value, items, &|_| true)?;
        to.into_iter().chain([self.errors[own]]).for_each(|to| self.flow.link(place, to, None));
        Some(place)
    }

    /// An address has two fields: what is read before the end of its host, and the rest.
    fn address(&mut self, own: StepNumber, value: Node<'_>, items: &Items) {
        let address = self.templates.get(&value.id()).map(|template| Address::of(template, &self.constants));
        let part_of = |read: &Reference| address.as_ref().map_or(Part::Host, |address| address.part(&read.range));
        for part in [Part::Host, Part::Rest] {
            let counts = |reference: &Reference| part_of(reference) == part;
            let slot = Slot { owner: Owner::Step(own), key: "url", entry: None, part };
            if let Some(place) = self.read(&slot, value, items, &counts) {
                self.flow.link(place, self.outputs[own], None);
                self.flow.link(place, self.errors[own], None);
            }
        }
    }

    /// A field with those of its references that count; nothing where it has none.
    fn read(
        &mut self,
        slot: &Slot<'_>,
        value: Node<'_>,
        items: &Items,
        counts: &dyn Fn(&Reference) -> bool,
    ) -> Option<PlaceIndex> {
        let mut texts = Vec::new();
        self.texts_below(value, 0, &mut texts);
        let templates = self.templates;
        let mut field: Option<PlaceIndex> = None;
        for node in texts {
            let Some(template) = templates.get(&node) else { continue };
            let mut text = None;
            let tests = tests(template);
            for (index, reference) in template.references().iter().enumerate() {
                if !counts(reference) {
                    continue;
                }
                if is_only_asked(reference, &tests) {
                    // It decides and is given to nobody, but may stand in the error where it cannot be decided.
                    if let Owner::Step(own) = &slot.owner {
                        let error = self.errors[*own];
                        self.read_from(reference, items).into_iter().for_each(|from| self.flow.link(from, error, None));
                    }
                    continue;
                }
                let place = *field.get_or_insert_with(|| {
                    let Slot { owner, key, entry, part } = slot;
                    let (key, entry, owner) = ((*key).to_owned(), entry.map(str::to_owned), owner.clone());
                    let field = Field { owner, key, entry, part: *part, is_condition: false, node: value.id() };
                    self.flow.add_field(field).1
                });
                let text = *text.get_or_insert_with(|| self.flow.add_text(node, Template::clone(template)));
                for from in self.read_from(reference, items) {
                    self.flow.link(from, place, Some((text, index)));
                }
            }
        }
        field
    }

    fn texts_below(&self, value: Node<'_>, depth: usize, found: &mut Vec<NodeId>) {
        if depth > MAX_DEPTH {
            return;
        }
        if self.templates.contains_key(&value.id()) {
            found.push(value.id());
        }
        value.items().into_iter().flatten().for_each(|item| self.texts_below(item, depth + 1, found));
        value.entries().for_each(|(_, value)| self.texts_below(value, depth + 1, found));
    }

    /// The places that a chain reads.
    fn read_from(&mut self, reference: &Reference, items: &Items) -> Vec<PlaceIndex> {
        let name = |at| reference.name(at);
        let root = reference.root();
        if let Some((_, item)) = items.iter().rev().find(|(name, _)| name == root) {
            return vec![*item];
        }
        match root {
            "trigger" => match (name(1), name(2)) {
                (Some("pull_request"), Some(part)) => vec![self.part(TriggerPart::of_pull_request(part))],
                (Some("pull_request"), None) => vec![self.all_of_pull_request],
                (Some(part), _) => vec![self.part(TriggerPart::direct(part))],
                (None, _) => vec![self.all_of_trigger],
            },
            "inputs" => match name(1) {
                Some(input) => self.inputs.get(input).copied().into_iter().collect(),
                None => vec![self.all_of_inputs],
            },
            "steps" => self.read_step(reference),
            "secrets" => {
                let secret = name(1).unwrap_or("*").to_owned();
                if let Some(place) = self.secrets.get(&secret) {
                    return vec![*place];
                }
                let place = self.flow.add_place(Place::Secret(secret.clone()), Origins::of(Origin::Secret));
                self.secrets.insert(secret, place);
                vec![place]
            }
            // Constants, the execution's own facts, a count of items: nobody outside writes into them.
            _ => Vec::new(),
        }
    }

    fn part(&self, part: TriggerPart) -> PlaceIndex {
        let at = TriggerPart::ALL.iter().position(|one| *one == part).unwrap_or_default();
        self.parts[at]
    }

    fn read_step(&self, reference: &Reference) -> Vec<PlaceIndex> {
        let Some(id) = reference.name(1) else { return vec![self.all_of_steps] };
        let Some(step) = self.flow.step(id) else { return Vec::new() };
        match (reference.name(2), reference.name(3)) {
            (Some("status" | "attempts"), _) => Vec::new(),
            (Some("error"), _) => vec![self.errors[step]],
            (Some("output"), Some(value)) => {
                let part = self.values.get(&step).and_then(|values| values.get(value));
                vec![part.copied().unwrap_or(self.outputs[step])]
            }
            (Some("output"), None) => vec![self.outputs[step]],
            _ => vec![self.outputs[step], self.errors[step]],
        }
    }

    fn read_header(&mut self, process: &Process) {
        let root = self.document.node(process.node);
        for (name, value) in root.get("outputs").into_iter().flat_map(Node::entries) {
            let name = name.as_str().unwrap_or_default().to_owned();
            let owner = Owner::Output(name.clone());
            let slot = Slot { owner, key: "outputs", entry: None, part: Part::Whole };
            let place = self.read(&slot, value, &Vec::new(), &|_| true);
            self.output_places.extend(place.map(|place| (name, place)));
        }
        if let Some(group) = root.get("concurrency").and_then(|concurrency| concurrency.get("group")) {
            let slot = Slot { owner: Owner::Concurrency, key: "group", entry: None, part: Part::Whole };
            self.read(&slot, group, &Vec::new(), &|_| true);
        }
    }
}

/// Whether a chain is read only to be asked about. A secret is one wherever it stands.
fn is_only_asked(reference: &Reference, tests: &[Range<usize>]) -> bool {
    let inside = |test: &Range<usize>| test.start <= reference.range.start && reference.range.end <= test.end;
    reference.root() != "secrets" && tests.iter().any(inside)
}
