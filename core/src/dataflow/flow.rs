//! The flow of one process: places that hold data, and the links along which data moves from place to place. Answers
//! what reaches a field, who could have written it, and on which way; each question takes one walk over the links.

use std::collections::BTreeMap;

use super::source::{Origins, Source, TriggerPart};
use crate::definition::step::StepType;
use crate::expression::{Key, Reference, Template};
use crate::source::{Document, NodeId, Span};

/// A step's place among all steps of a process, bodies of `foreach` right behind their owner, from 0: the order of
/// `Process::all_steps`.
pub type StepNumber = usize;
/// A field's place among [`Flow::fields`].
pub type FieldIndex = usize;

/// Whose field it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A step's.
    Step(StepNumber),
    /// An output of the process, by name.
    Output(String),
    /// `concurrency.group`.
    Concurrency,
}

/// Which part of a field is meant. Only addresses have parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// All of it.
    Whole,
    /// The scheme and host of an address: who is called.
    Host,
    /// Path, query and fragment of an address: what is asked there.
    Rest,
}

/// A field with expressions in it: where data arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Whose it is.
    pub owner: Owner,
    /// Its key: `prompt`, `url`, `headers`, `values`, `when` …
    pub key: String,
    /// The entry of a mapping below that key: a header's name, a value's.
    pub entry: Option<String>,
    /// Which part.
    pub part: Part,
    /// Whether it is a condition: what it reads decides, and is given to nobody.
    pub is_condition: bool,
    /// The whole value of the key, or of the entry.
    pub node: NodeId,
}

/// A way that data takes from a source into a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Where it comes from.
    pub source: Source,
    /// The fields that read it one after the other; the last one is the field that was asked about.
    pub hops: Vec<Hop>,
}

impl Path {
    /// What is read last, in the field itself, as written.
    pub fn reads(&self) -> &str {
        self.hops.last().map_or("", |hop| hop.reads.as_str())
    }

    /// Where that is read.
    pub fn span(&self) -> Span {
        self.hops.last().map_or_else(Span::default, |hop| hop.span)
    }
}

/// One reading on a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The field that reads.
    pub field: FieldIndex,
    /// What it reads, as written: `steps.draft.output.notes`.
    pub reads: String,
    /// Where that stands in the process's file.
    pub span: Span,
}

/// A place that holds data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Trigger(TriggerPart),
    Input(String),
    Secret(String),
    /// All that a step gave.
    Output(StepNumber),
    /// One named part of it.
    Value(StepNumber),
    Error(StepNumber),
    /// The item of a `foreach`.
    Item,
    /// A whole root, such as `steps`: all that is below it.
    Root,
    Field(FieldIndex),
}

pub(crate) type PlaceIndex = u32;

/// What is read along a link: a text, and which of its references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    text: u32,
    reference: u32,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    from: PlaceIndex,
    to: PlaceIndex,
    reading: Option<Reading>,
    next_into: u32,
    next_out: u32,
}

const END: u32 = u32::MAX;

/// A step as the flow knows it.
#[derive(Debug, Clone)]
pub(super) struct StepFacts {
    pub(super) id: String,
    pub(super) step_type: StepType,
}

/// A caller that hands data of its trigger on to an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HandedOn {
    /// The calling process.
    pub(crate) by: String,
    /// The value in its file that is handed on.
    pub(crate) node: NodeId,
}

/// The flow of one process.
#[derive(Debug, Default)]
pub struct Flow {
    pub(super) steps: Vec<StepFacts>,
    by_id: BTreeMap<String, StepNumber>,
    pub(super) fields: Vec<Field>,
    /// The fields of each step that has any.
    of_step: BTreeMap<StepNumber, Vec<FieldIndex>>,
    pub(super) places: Vec<Place>,
    first_into: Vec<u32>,
    first_out: Vec<u32>,
    links: Vec<Link>,
    texts: Vec<(NodeId, Template)>,
    /// Who wrote the data that begins at a place.
    pub(super) own: Vec<Origins>,
    /// Who could have written what is at a place, after all moved.
    pub(super) reached: Vec<Origins>,
    /// Places where data of a trigger begins.
    pub(super) from_trigger: Vec<PlaceIndex>,
    /// Inputs that are among them since another process hands its trigger on.
    pub(super) handed_on: BTreeMap<PlaceIndex, HandedOn>,
    /// The place of each field.
    pub(super) field_places: Vec<PlaceIndex>,
}

impl Flow {
    /// Every field with expressions, in the order of the file.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The fields of a step, with their indices.
    pub fn fields_of(&self, step: StepNumber) -> impl Iterator<Item = (FieldIndex, &Field)> {
        self.of_step.get(&step).into_iter().flatten().map(|index| (*index, &self.fields[*index]))
    }

    /// The number of the step with this id; of steps with one id the first.
    pub fn step(&self, id: &str) -> Option<StepNumber> {
        self.by_id.get(id).copied()
    }

    /// A step's id.
    pub fn step_id(&self, step: StepNumber) -> &str {
        self.steps.get(step).map_or("", |facts| &facts.id)
    }

    /// A step's type.
    pub fn step_type(&self, step: StepNumber) -> Option<StepType> {
        self.steps.get(step).map(|facts| facts.step_type)
    }

    /// Who could have written what reaches a field.
    pub fn origins(&self, field: FieldIndex) -> Origins {
        let place = self.field_places.get(field).copied();
        place.and_then(|place| self.reached.get(place as usize)).copied().unwrap_or_default()
    }

    /// A shortest way from a source that is wanted into a field. `wanted` is asked with a source and who wrote what
    /// begins there; what a source only passes on is found at the source where it begins.
    pub fn path(
        &self,
        document: &Document,
        wanted: &dyn Fn(&Source, Origins) -> bool,
        into: FieldIndex,
    ) -> Option<Path> {
        self.path_of(document, wanted, into, &|_, _| true)
    }

    /// The same, where data passes only by readings that `carries` lets through, each asked with the field that reads.
    pub(crate) fn path_of(
        &self,
        document: &Document,
        wanted: &dyn Fn(&Source, Origins) -> bool,
        into: FieldIndex,
        carries: &dyn Fn(FieldIndex, Reading) -> bool,
    ) -> Option<Path> {
        let begins =
            |place: PlaceIndex| self.source(place).is_some_and(|source| wanted(&source, self.own[place as usize]));
        let target = self.field_places.get(into).copied();
        let moves = |from: PlaceIndex, to: PlaceIndex, reading: Option<Reading>| {
            let secret = matches!(self.places.get(from as usize), Some(Place::Secret(_)));
            !(secret && Some(to) != target && self.redacts(to)) && self.carried(to, reading, carries)
        };
        let (first, readings) = self.way(&begins, &[into], &moves)?;
        Some(self.told(document, first, &readings))
    }

    /// The source that a place is, if it is one.
    pub(super) fn source(&self, place: PlaceIndex) -> Option<Source> {
        match self.places.get(place as usize)? {
            Place::Trigger(part) => Some(Source::Trigger(*part)),
            Place::Input(name) => Some(Source::Input(name.clone())),
            Place::Secret(name) => Some(Source::Secret(name.clone())),
            Place::Output(step) | Place::Value(step) => Some(Source::Step(*step)),
            Place::Error(step) => Some(Source::Error(*step)),
            Place::Item | Place::Root | Place::Field(_) => None,
        }
    }

    /// Whether data passes along a link into a place, by what `carries` says of what is read there.
    pub(crate) fn carried(
        &self,
        to: PlaceIndex,
        reading: Option<Reading>,
        carries: &dyn Fn(FieldIndex, Reading) -> bool,
    ) -> bool {
        reading.zip(self.field_at(to)).is_none_or(|(reading, field)| carries(field, reading))
    }

    /// Whether data that somebody of these wrote begins at a place.
    pub(crate) fn is_written_by(&self, place: PlaceIndex, origins: Origins) -> bool {
        let own = self.own.get(place as usize).copied().unwrap_or_default();
        !own.and(origins).is_empty() && self.source(place).is_some()
    }

    /// The step whose running makes the data at a place, where that is a step's doing.
    pub(crate) fn maker(&self, place: PlaceIndex) -> Option<(StepNumber, bool)> {
        match self.places.get(place as usize)? {
            Place::Output(step) | Place::Value(step) => Some((*step, true)),
            Place::Error(step) => Some((*step, false)),
            _ => None,
        }
    }

    /// The field at a place, where it is one.
    pub(crate) fn field_at(&self, place: PlaceIndex) -> Option<FieldIndex> {
        match self.places.get(place as usize)? {
            Place::Field(field) => Some(*field),
            _ => None,
        }
    }

    /// Where data of a trigger begins.
    pub(crate) fn trigger_places(&self) -> &[PlaceIndex] {
        &self.from_trigger
    }

    /// Who hands its trigger on to this place, an input, where it would not be of the trigger otherwise.
    pub(crate) fn handed_on(&self, place: PlaceIndex) -> Option<&HandedOn> {
        self.handed_on.get(&place)
    }

    /// Where data of a step begins: its output, the parts of it, its error.
    pub(crate) fn places_of(&self, step: StepNumber) -> impl Iterator<Item = PlaceIndex> {
        (0..).zip(&self.places).filter_map(move |(index, place)| {
            matches!(place, Place::Output(s) | Place::Value(s) | Place::Error(s) if *s == step).then_some(index)
        })
    }

    /// What is read, with the text it stands in.
    pub(crate) fn reference(&self, reading: Reading) -> Option<(&Template, &Reference)> {
        let (_, template) = self.texts.get(reading.text as usize)?;
        Some((template, template.references().get(reading.reference as usize)?))
    }

    /// The scalar in which something is read.
    pub(crate) fn scalar(&self, reading: Reading) -> Option<NodeId> {
        self.texts.get(reading.text as usize).map(|(node, _)| *node)
    }

    /// All that a field reads.
    pub(crate) fn readings(&self, field: FieldIndex) -> impl Iterator<Item = Reading> {
        let place = self.field_places.get(field).copied();
        place.into_iter().flat_map(|place| self.into(place)).filter_map(|link| link.reading)
    }

    /// A shortest way, backwards from fields to a place where data begins: that place, and the readings from there on.
    /// `moves` says whether data moves from one place to another along a link.
    pub(crate) fn way(
        &self,
        begins: &dyn Fn(PlaceIndex) -> bool,
        into: &[FieldIndex],
        moves: &dyn Fn(PlaceIndex, PlaceIndex, Option<Reading>) -> bool,
    ) -> Option<(PlaceIndex, Vec<(FieldIndex, Reading)>)> {
        // Most ways are short and are asked for often: what is kept grows with the way, not with the process.
        let mut towards: BTreeMap<PlaceIndex, Option<u32>> = BTreeMap::new();
        let mut open: std::collections::VecDeque<PlaceIndex> =
            into.iter().filter_map(|field| self.field_places.get(*field).copied()).collect();
        towards.extend(open.iter().map(|place| (*place, None)));
        while let Some(place) = open.pop_front() {
            let mut at = self.first_into[place as usize];
            while at != END {
                let link = self.links[at as usize];
                if !towards.contains_key(&link.from) && moves(link.from, link.to, link.reading) {
                    towards.insert(link.from, Some(at));
                    if begins(link.from) {
                        return Some((link.from, self.readings_from(link.from, &towards)));
                    }
                    open.push_back(link.from);
                }
                at = link.next_into;
            }
        }
        None
    }

    fn readings_from(
        &self,
        first: PlaceIndex,
        towards: &BTreeMap<PlaceIndex, Option<u32>>,
    ) -> Vec<(FieldIndex, Reading)> {
        let mut readings = Vec::new();
        let mut place = first;
        while let Some(link) = towards.get(&place).copied().flatten().map(|link| self.links[link as usize]) {
            if let (Some(reading), Some(Place::Field(field))) = (link.reading, self.places.get(link.to as usize)) {
                readings.push((*field, reading));
            }
            place = link.to;
        }
        readings
    }

    /// A way in words and places.
    pub(crate) fn told(&self, document: &Document, first: PlaceIndex, readings: &[(FieldIndex, Reading)]) -> Path {
        let source = self.source(first).unwrap_or(Source::Trigger(TriggerPart::Other));
        let hops = readings.iter().filter_map(|(field, reading)| {
            let (node, template) = self.texts.get(reading.text as usize)?;
            let reference = template.references().get(reading.reference as usize)?;
            let reads = template.text().get(reference.range.clone()).unwrap_or_default().to_owned();
            Some(Hop { field: *field, reads, span: document.scalar_map(*node).span(reference.range.clone()) })
        });
        Path { source, hops: hops.collect() }
    }

    fn into(&self, place: PlaceIndex) -> impl Iterator<Item = &Link> {
        let mut at = self.first_into.get(place as usize).copied().unwrap_or(END);
        std::iter::from_fn(move || {
            let link = self.links.get(at as usize)?;
            at = link.next_into;
            Some(link)
        })
    }

    pub(super) fn add_step(&mut self, facts: StepFacts) -> StepNumber {
        let number = self.steps.len();
        self.by_id.entry(facts.id.clone()).or_insert(number);
        self.steps.push(facts);
        number
    }

    pub(super) fn add_place(&mut self, place: Place, own: Origins) -> PlaceIndex {
        let index = u32::try_from(self.places.len()).unwrap_or(END);
        self.places.push(place);
        self.own.push(own);
        self.first_into.push(END);
        self.first_out.push(END);
        index
    }

    pub(super) fn add_text(&mut self, node: NodeId, template: Template) -> u32 {
        let index = u32::try_from(self.texts.len()).unwrap_or(END);
        self.texts.push((node, template));
        index
    }

    pub(super) fn add_field(&mut self, field: Field) -> (FieldIndex, PlaceIndex) {
        let index = self.fields.len();
        if let Owner::Step(step) = field.owner {
            self.of_step.entry(step).or_default().push(index);
        }
        self.fields.push(field);
        let place = self.add_place(Place::Field(index), Origins::NONE);
        self.field_places.push(place);
        (index, place)
    }

    pub(super) fn link(&mut self, from: PlaceIndex, to: PlaceIndex, read: Option<(u32, usize)>) {
        let index = u32::try_from(self.links.len()).unwrap_or(END);
        let reading =
            read.map(|(text, reference)| Reading { text, reference: u32::try_from(reference).unwrap_or(END) });
        let (next_into, next_out) = (self.first_into[to as usize], self.first_out[from as usize]);
        self.links.push(Link { from, to, reading, next_into, next_out });
        self.first_into[to as usize] = index;
        self.first_out[from as usize] = index;
    }

    /// Lets everything move. A secret stays where it is printed: what comes back of it is redacted before it is stored.
    pub(super) fn settle(&mut self) {
        self.reached = self.own.clone();
        let secret = Origins::of(super::Origin::Secret);
        let mut open: Vec<PlaceIndex> =
            (0..).zip(&self.own).filter(|(_, own)| !own.is_empty()).map(|(p, _)| p).collect();
        while let Some(place) = open.pop() {
            let mut moving = self.reached[place as usize];
            if matches!(self.places[place as usize], Place::Field(_)) && self.redacts(place) {
                moving = moving.without(secret);
            }
            let mut at = self.first_out[place as usize];
            while at != END {
                let link = self.links[at as usize];
                let before = self.reached[link.to as usize];
                let after = before.with(moving);
                if after != before {
                    self.reached[link.to as usize] = after;
                    open.push(link.to);
                }
                at = link.next_out;
            }
        }
    }

    fn redacts(&self, place: PlaceIndex) -> bool {
        let Some(Place::Field(field)) = self.places.get(place as usize) else { return false };
        let Owner::Step(step) = self.fields[*field].owner else { return false };
        matches!(self.step_type(step), Some(StepType::ApiCall | StepType::McpCall | StepType::Notify))
    }

    /// From which of some places data reaches others: for each target, the marks of the sources, at most 64 of them.
    pub(super) fn marks(&self, sources: &[(PlaceIndex, u64)]) -> Vec<u64> {
        let mut marks = vec![0_u64; self.places.len()];
        let mut open = Vec::new();
        for (place, mark) in sources {
            marks[*place as usize] |= mark;
            open.push(*place);
        }
        while let Some(place) = open.pop() {
            let mut at = self.first_out[place as usize];
            while at != END {
                let link = self.links[at as usize];
                let (before, moving) = (marks[link.to as usize], marks[place as usize]);
                if before | moving != before {
                    marks[link.to as usize] = before | moving;
                    open.push(link.to);
                }
                at = link.next_out;
            }
        }
        marks
    }
}

/// Whether a chain reads a part of what another one reads, or the same: `steps.a.output.notes[0]` of `steps.a.output`.
pub(crate) fn reads_inside(inner: &Reference, outer: &Reference) -> bool {
    let known = |reference: &Reference| reference.path.iter().all(|segment| segment.key != Key::Dynamic);
    let parts = inner.path.iter().map(|s| &s.key).zip(outer.path.iter().map(|s| &s.key));
    known(outer) && outer.path.len() <= inner.path.len() && parts.clone().all(|(a, b)| a == b)
}
