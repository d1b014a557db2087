//! The types of one process: its roots, its steps and each of its texts, inferred when they are first asked for and
//! once. Texts that other texts are built from come first, along a list and never by recursion, so that no chain of
//! steps is too long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::Types;
use super::check::{self, Environment, Read, Start};
use super::guarded::Guarded;
use super::kind::{Others, Part, Type};
use super::mistake::Mistake;
use super::output;
use super::text::{Owner, Text, Texts};
use super::trigger::{self, of_node, with_written};
use crate::definition::repository::File;
use crate::definition::step::{OnFailure, RunOn};
use crate::definition::{Process, Step, StepKind};
use crate::expression::known::{Known, Passed};
use crate::expression::tree::Link;
use crate::expression::{Key, Segment, Template};
use crate::source::{Node, NodeId};

/// A process and what is known about the values in it.
#[derive(Debug)]
pub struct ProcessTypes<'r> {
    /// Its file.
    pub file: &'r File,
    /// The process.
    pub process: &'r Process,
    texts: OnceLock<Arc<Texts>>,
    inputs: OnceLock<Type>,
    context: OnceLock<Type>,
    trigger: OnceLock<Type>,
    steps: OnceLock<BTreeMap<&'r str, KnownStep<'r>>>,
    guarded: OnceLock<Guarded<'r>>,
    inferred: OnceLock<Inferred>,
}

/// A step, and what is known of it without its expressions.
#[derive(Debug)]
struct KnownStep<'r> {
    step: &'r Step,
    /// The mapping of the `foreach` whose body it is in.
    around: Option<NodeId>,
    of: OnceLock<Option<Type>>,
}

/// What the texts of a process are.
#[derive(Debug, Default)]
pub(super) struct Inferred {
    /// By the place of the text.
    texts: Vec<Read>,
    /// The places of texts by their nodes, in order.
    by_node: Vec<(NodeId, usize)>,
    values: Values,
    outputs: Type,
}

/// What expressions compute.
#[derive(Debug, Default)]
struct Values {
    /// `steps.ID` of `set` and `foreach`.
    steps: BTreeMap<String, Type>,
    /// What each `foreach` is run for, by its mapping.
    items: BTreeMap<NodeId, Type>,
}

impl<'r> ProcessTypes<'r> {
    pub(super) fn new(file: &'r File, process: &'r Process) -> Self {
        Self {
            file,
            process,
            texts: OnceLock::new(),
            inputs: OnceLock::new(),
            context: OnceLock::new(),
            trigger: OnceLock::new(),
            steps: OnceLock::new(),
            guarded: OnceLock::new(),
            inferred: OnceLock::new(),
        }
    }

    /// Its texts with expressions.
    pub fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| Arc::new(Texts::of(&self.file.document, self.process.node)))
    }

    /// The same, shared.
    pub(crate) fn shared_texts(&self) -> Arc<Texts> {
        self.texts();
        self.texts.get().map(Arc::clone).unwrap_or_default()
    }

    /// What each text is and what is wrong with it, in the order of [`Self::texts`]. Texts that cannot be read are
    /// unknown.
    pub fn read(&self, types: &Types<'r>) -> &[Read] {
        &self.inferred(types).texts
    }

    /// What the process gives: a mapping of its `outputs`.
    pub fn outputs(&self, types: &Types<'r>) -> &Type {
        &self.inferred(types).outputs
    }

    /// `inputs`.
    pub fn inputs(&self) -> &Type {
        self.inputs.get_or_init(|| trigger::inputs(self.file, self.process))
    }

    /// A root that depends on no step.
    pub(super) fn root(&self, name: &str) -> Option<&Type> {
        static EXECUTION: OnceLock<Type> = OnceLock::new();
        Some(match name {
            "inputs" => self.inputs(),
            "context" => self.context.get_or_init(|| trigger::context(self.file, self.process)),
            "trigger" => self.trigger.get_or_init(|| trigger::trigger(self.process)),
            "execution" => EXECUTION.get_or_init(trigger::execution),
            _ => return None,
        })
    }

    /// Says what the trigger is, where that is known before anything is inferred.
    pub(super) fn set_trigger(&self, of: Type) {
        let _ = self.trigger.set(of);
    }

    fn steps(&self) -> &BTreeMap<&'r str, KnownStep<'r>> {
        self.steps.get_or_init(|| {
            let mut steps = BTreeMap::new();
            let mut around = BTreeMap::new();
            for step in self.process.all_steps() {
                if let StepKind::Foreach(foreach) = &step.kind {
                    around.extend(foreach.steps.iter().map(|inner| (inner.node, step.node)));
                }
                let around = around.get(&step.node).copied();
                steps.entry(step.id.as_str()).or_insert(KnownStep { step, around, of: OnceLock::new() });
            }
            steps
        })
    }

    /// `steps.ID` where its definition says what it is.
    fn step(&self, types: &Types<'r>, id: &str) -> Option<&Type> {
        let known = self.steps().get(id)?;
        known.of.get_or_init(|| output::of(types, self.file, known.step).map(output::step)).as_ref()
    }

    /// `steps.ID`.
    pub fn step_type(&self, types: &Types<'r>, id: &str) -> Type {
        let computed = self.inferred(types).values.steps.get(id);
        computed.or_else(|| self.step(types, id)).cloned().unwrap_or_default()
    }

    /// The names of the steps, in alphabetical order.
    pub(super) fn step_ids(&self) -> impl Iterator<Item = &'r str> + '_ {
        self.steps().keys().copied()
    }

    pub(super) fn inferred(&self, types: &Types<'r>) -> &Inferred {
        self.inferred.get_or_init(|| Pass::new(types, self).run())
    }

    /// What a text of this owner can read, once everything is inferred.
    pub(super) fn environment<'e>(&'e self, types: &'e Types<'r>, owner: &'e Owner) -> impl Environment + 'e {
        Reader { types, of: self, values: &self.inferred(types).values, owner, known: Vec::new(), mistaken: 0 }
    }

    /// What a text can read, once everything is inferred.
    pub(super) fn environment_of<'e>(&'e self, types: &'e Types<'r>, text: &'e Text) -> impl Environment + 'e {
        let values = &self.inferred(types).values;
        Reader { types, of: self, values, owner: &text.owner, known: self.known(text), mistaken: 0 }
    }

    /// What would be wrong with a text at its place by the types of what it reads.
    pub(crate) fn mistakes_of(&self, types: &Types<'r>, text: &Text, template: &Template) -> Vec<Mistake> {
        check::read(template, &self.environment_of(types, text), text.role).mistakes
    }

    /// The conditions about what a text reads that have come out so before it is read.
    pub(crate) fn passed(&self, text: &Text) -> Vec<Passed<'_>> {
        let texts = self.texts();
        if texts.conditions.is_empty() {
            return Vec::new();
        }
        let guarded = self.guarded.get_or_init(|| Guarded::of(&self.file.document, self.process, &texts.texts));
        guarded.passed(&texts.texts, text)
    }

    fn known(&self, text: &Text) -> Known<'_> {
        self.passed(text).into_iter().map(|passed| (passed.test, passed.outcome)).collect()
    }

    /// What a value of the file is: a text by what it gives, everything else by how it is written.
    pub fn value(&self, types: &Types<'r>, owner: Option<&str>, node: NodeId) -> Type {
        let (texts, inferred) = (&self.texts().texts, self.inferred(types));
        let computed = |node: NodeId| {
            let start = inferred.by_node.partition_point(|(known, _)| *known < node);
            let same = inferred.by_node[start..].iter().take_while(|(known, _)| *known == node);
            let mut places = same.map(|(_, place)| *place).filter(|place| texts[*place].owner.id() == owner);
            places.next().map_or(Type::Unknown, |place| inferred.texts[place].of.clone())
        };
        of_node(&self.file.document, node, &computed)
    }
}

/// What one text can read.
struct Reader<'e, 'r> {
    types: &'e Types<'r>,
    of: &'e ProcessTypes<'r>,
    values: &'e Values,
    owner: &'e Owner,
    known: Known<'e>,
    /// How many mistakes other texts have.
    mistaken: usize,
}

impl Reader<'_, '_> {
    /// Whether the reader runs only where this step has failed.
    fn runs_after_failure_of(&self, id: &str) -> bool {
        let own = self.owner.id().and_then(|own| self.of.steps().get(own));
        own.is_some_and(|own| {
            let edges = &own.step.depends_on;
            own.step.run_on == RunOn::Failure && edges.len() == 1 && edges[0].as_str() == id
        })
    }
}

impl Environment for Reader<'_, '_> {
    fn known(&self) -> &[(&crate::expression::tree::Node, bool)] {
        &self.known
    }

    fn mistaken(&self) -> usize {
        self.mistaken
    }

    fn constant(&self, links: &[Link]) -> Option<&Value> {
        let (first, more) = links.split_first()?;
        let Key::Name(name) = &first.key else { return None };
        if self.owner.items().iter().any(|item| item.name == "context") {
            return None;
        }
        let constant = self.of.process.header.context.get(name.as_str())?;
        more.iter().try_fold(&constant.value, |value, link| match &link.key {
            Key::Name(name) => value.get(name),
            Key::Index(place) => value.get(usize::try_from(*place).ok()?),
            Key::Dynamic => None,
        })
    }

    fn root(&self, path: &[Segment]) -> Option<Start> {
        let Key::Name(root) = &path.first()?.key else { return None };
        let start = |of: Type, parts: usize| Some(Start { of, parts });
        if root == "steps" {
            let Key::Name(id) = &path.get(1)?.key else { return None };
            // Nothing of a body can be read outside of it; that it is read is told, not what would come of it.
            let around = self.of.steps().get(id.as_str())?.around;
            if around.is_some_and(|around| self.owner.items().iter().all(|item| item.foreach != around)) {
                return None;
            }
            let of = self.values.steps.get(id).or_else(|| self.of.step(self.types, id))?;
            let of = if self.runs_after_failure_of(id) { output::failed(of) } else { of.clone() };
            return start(of, 2);
        }
        let items = self.owner.items();
        if let Some(item) = items.iter().rev().find(|item| item.name == *root) {
            return start(self.values.items.get(&item.foreach)?.clone(), 1);
        }
        match root.as_str() {
            "index" if !items.is_empty() => start(Type::Integer, 1),
            "event" => start(Type::record([("payload", Part::of(Type::Unknown))], Others::Any), 1),
            "secrets" => start(Type::record([], Others::Of(Type::TEXT)), 1),
            _ => start(self.of.root(root)?.clone(), 1),
        }
    }
}

/// Something that is inferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Task<'r> {
    /// A text, by its place.
    Text(usize),
    /// What a `set` or `foreach` gives.
    Step(&'r str),
    /// What a `foreach` is run for.
    Items(&'r str),
}

/// One pass over the texts of a process.
struct Pass<'p, 'r> {
    types: &'p Types<'r>,
    of: &'p ProcessTypes<'r>,
    texts: &'p [Text],
    read: Vec<Option<Read>>,
    values: Values,
    by_owner: BTreeMap<&'p str, Vec<usize>>,
    by_node: BTreeMap<(NodeId, Option<&'p str>), usize>,
    /// The `foreach` with this mapping.
    loops: BTreeMap<NodeId, &'r str>,
    begun: BTreeSet<Task<'r>>,
    mistaken: usize,
}

impl<'p, 'r> Pass<'p, 'r> {
    fn new(types: &'p Types<'r>, of: &'p ProcessTypes<'r>) -> Self {
        let texts = of.texts().texts.as_slice();
        let (mut by_owner, mut by_node) = (BTreeMap::<&str, Vec<usize>>::new(), BTreeMap::new());
        for (place, text) in texts.iter().enumerate() {
            by_node.insert((text.node, text.owner.id()), place);
            if let Some(id) = text.owner.id() {
                by_owner.entry(id).or_default().push(place);
            }
        }
        let is_loop = |step: &&Step| matches!(step.kind, StepKind::Foreach(_));
        let loops = of.process.all_steps().filter(is_loop).map(|step| (step.node, step.id.as_str())).collect();
        let (read, begun) = (vec![None; texts.len()], BTreeSet::new());
        Self { types, of, texts, read, values: Values::default(), by_owner, by_node, loops, begun, mistaken: 0 }
    }

    fn run(mut self) -> Inferred {
        for place in 0..self.texts.len() {
            self.make(Task::Text(place));
        }
        // Steps that nothing reads are there for editors.
        for (id, known) in self.of.steps() {
            if matches!(known.step.kind, StepKind::Set(_) | StepKind::Foreach(_)) {
                self.make(Task::Step(id));
            }
        }
        let outputs = self.mapping(self.of.file.document.node(self.of.process.node).get("outputs"), None);
        let mut by_node: Vec<(NodeId, usize)> = self.texts.iter().map(|text| text.node).zip(0..).collect();
        by_node.sort_unstable();
        let texts = self.read.into_iter().map(Option::unwrap_or_default).collect();
        Inferred { texts, by_node, values: self.values, outputs }
    }

    /// Does a task after all that it needs. What needs itself is done without.
    fn make(&mut self, task: Task<'r>) {
        let mut open = vec![task];
        while let Some(task) = open.last().copied() {
            if self.begun.insert(task) {
                let needed = self.needed(task);
                open.extend(needed.into_iter().filter(|task| !self.begun.contains(task)));
            } else {
                open.pop();
                self.perform(task);
            }
        }
    }

    fn needed(&self, task: Task<'r>) -> Vec<Task<'r>> {
        let of_owner = |id: &str| self.by_owner.get(id).map(Vec::as_slice).unwrap_or_default();
        match task {
            Task::Text(place) => {
                let text = &self.texts[place];
                let Ok(template) = &text.template else { return Vec::new() };
                let read = template.references().iter().filter(|reference| reference.root() == "steps");
                let steps = read.filter_map(|reference| self.computed(reference.name(1)?)).map(Task::Step);
                let names = |name: &str| template.references().iter().any(|reference| reference.root() == name);
                let around = text.owner.items().iter().filter(|item| names(&item.name));
                let items = around.filter_map(|item| self.loops.get(&item.foreach)).map(|id| Task::Items(id));
                steps.chain(items).collect()
            }
            Task::Step(id) => of_owner(id).iter().map(|place| Task::Text(*place)).collect(),
            Task::Items(id) => {
                let own = of_owner(id).iter().filter(|place| self.is_outside(**place, id));
                own.map(|place| Task::Text(*place)).collect()
            }
        }
    }

    /// Whether a text of a `foreach` is read before its body runs.
    fn is_outside(&self, place: usize, id: &str) -> bool {
        let items = self.texts[place].owner.items();
        items.last().and_then(|item| self.loops.get(&item.foreach)) != Some(&id)
    }

    /// The step, if expressions decide what it gives.
    fn computed(&self, id: &str) -> Option<&'r str> {
        let (id, known) = self.of.steps().get_key_value(id)?;
        matches!(known.step.kind, StepKind::Set(_) | StepKind::Foreach(_)).then_some(*id)
    }

    fn perform(&mut self, task: Task<'r>) {
        match task {
            Task::Text(place) if self.read[place].is_none() => {
                let text = &self.texts[place];
                let known = self.of.known(text);
                let (types, of, values, owner) = (self.types, self.of, &self.values, &text.owner);
                let reader = Reader { types, of, values, owner, known, mistaken: self.mistaken };
                let read = text.template.as_ref().map(|template| check::read(template, &reader, text.role));
                let read = read.unwrap_or_default();
                self.mistaken += read.mistakes.len();
                self.read[place] = Some(read);
            }
            Task::Step(id) if !self.values.steps.contains_key(id) => {
                let Some(known) = self.of.steps().get(id) else { return };
                let of = output::step(self.output(known.step));
                self.values.steps.insert(id.to_owned(), of);
            }
            Task::Items(id) => {
                let Some(known) = self.of.steps().get(id) else { return };
                let items = self.of.file.document.node(known.step.node).get("items");
                let of = items.map_or(Type::Unknown, |items| self.value(items.id(), Some(id)));
                let entry = of.alternatives().iter().map(|one| match one {
                    Type::List(list) => list.any_entry(),
                    _ => Type::Unknown,
                });
                let entry = Type::any_of(entry.collect::<Vec<_>>());
                self.values.items.insert(known.step.node, entry);
            }
            Task::Text(_) | Task::Step(_) => {}
        }
    }

    fn output(&self, step: &Step) -> Type {
        let node = self.of.file.document.node(step.node);
        match &step.kind {
            StepKind::Set(_) => self.mapping(node.get("values"), Some(step.id.as_str())),
            StepKind::Foreach(foreach) => {
                let result = node.get("result").map(|result| self.value(result.id(), Some(step.id.as_str())));
                let result = result.unwrap_or_default();
                Type::list(match foreach.on_item_failure {
                    OnFailure::Continue => result.or_null(),
                    OnFailure::Fail => result,
                })
            }
            _ => Type::Unknown,
        }
    }

    /// A mapping whose values may be computed.
    fn mapping(&self, mapping: Option<Node<'_>>, owner: Option<&str>) -> Type {
        let entries = mapping.into_iter().flat_map(Node::entries);
        let fields = entries.filter_map(|(key, value)| Some((key.as_str()?, Part::of(self.value(value.id(), owner)))));
        with_written(Type::record(fields.collect::<Vec<_>>(), Others::None), self.of.file, mapping)
    }

    fn value(&self, node: NodeId, owner: Option<&str>) -> Type {
        let read = |node| self.read.get(*self.by_node.get(&(node, owner))?)?.as_ref();
        of_node(&self.of.file.document, node, &|node| read(node).map_or(Type::Unknown, |read| read.of.clone()))
    }
}
