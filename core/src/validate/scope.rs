//! What rules look at: a repository, and for each process what several rules need, worked out once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::reference::{self, Problem};
use super::rule::Rule;
use super::rules::{self, unknown_compensation, unknown_dependency, unknown_gateway_target, unknown_step};
use super::suppression::silenced;
use super::telling::{Agents, Told, told_by_outsiders};
use super::unread::UnreadIds;
use super::{Elsewhere, Options};
use crate::dataflow::{Flow, Flows};
use crate::definition::repository::{Definition, File, FileKind, Repository, stem};
use crate::definition::schema::MAX_STEPS;
use crate::definition::settings::FlowSettings;
use crate::definition::step::{StepKind, StepTimeout, StepType};
use crate::definition::{Process, Step};
use crate::graph::{Graph, Missing};
use crate::guarantee::{Judged, judge};
use crate::source::{Document, Kind, Node, NodeId, SchemaFaultKind, Span, Spanned};
use crate::types::Types;
use crate::types::text::Texts;
use crate::value::Duration;

/// Deepest nesting of `foreach` bodies that is looked into.
const MAX_BODIES: usize = 16;

/// What rules look at.
pub struct Scope<'r> {
    /// The repository.
    pub repository: &'r Repository,
    /// What was asked for.
    pub options: &'r Options<'r>,
    /// What is known of files that are not among these.
    pub(crate) elsewhere: &'r Elsewhere,
    /// What can be referred to.
    pub names: Names,
    /// What is known about values.
    pub types: Types<'r>,
    /// Every process that could be read.
    pub processes: Vec<ProcessScope<'r>>,
    /// Which data reaches where, once somebody asked.
    flows: OnceLock<Flows>,
    /// What is proved of guarantees, once somebody asked.
    judged: OnceLock<Vec<Judged<'r>>>,
    /// What anybody may have written and tells agents what to do, once somebody asked.
    told_by_outsiders: OnceLock<Vec<Vec<Told<'r>>>>,
    /// What is wrong with what prompts read, with their files.
    pub prompts: Vec<(&'r File, Vec<Problem>)>,
    /// Their places by name; the first by path where two share it.
    by_name: BTreeMap<&'r str, usize>,
    /// The files that others name, by kind and name.
    files_by_name: BTreeMap<(FileKind, &'r str), &'r File>,
}

/// What there is, by name; files that could not be read count, for their faults are told elsewhere.
#[derive(Debug, Default)]
pub struct Names {
    /// Agents, tools, policies, prompts and processes by file or own name; schemas by path below `.flow/schemas/`.
    by_kind: BTreeMap<FileKind, BTreeSet<String>>,
    /// Aliases of models.
    pub models: BTreeSet<String>,
}

/// A process with what rules need to know about it.
pub struct ProcessScope<'r> {
    /// Its file.
    pub file: &'r File,
    /// The process.
    pub process: &'r Arc<Process>,
    /// Its graph, bodies of `foreach` left out.
    pub graph: Graph<'r>,
    /// Which outputs may be missing when.
    pub missing: Missing,
    /// The bodies of `foreach`, each after those around it. None where there are more steps than a process may have.
    pub bodies: Vec<Body<'r>>,
    /// Ids as written, also of steps that could not be decoded and of bodies.
    pub ids: Vec<WrittenId>,
    /// The same ids, for looking up.
    known_ids: BTreeSet<String>,
    /// The steps whose ids cannot be read.
    pub unread_ids: UnreadIds,
    /// Whether it is unknown where some gateway leads: then nobody can say what has run before a step.
    pub has_loose_ends: bool,
    /// Every text with an expression.
    pub texts: Arc<Texts>,
    /// What is wrong with what they read.
    pub problems: Vec<Problem>,
    /// Where names of steps are written that no step has and somebody wants to hear of it, in the order of the file.
    unknown_steps: BTreeMap<String, Vec<Span>>,
    /// How long a step may take that does not say so itself, and the file that says it: its own, else `flow.yaml`.
    default_timeout: Option<(&'r File, Spanned<Duration>)>,
}

/// The id of a step, as written. Steps that come from an anchor share the node of their id, and maybe their own.
pub struct WrittenId {
    /// The id.
    pub id: String,
    /// Where it is written.
    pub node: NodeId,
    /// The step's mapping.
    pub step: NodeId,
}

/// The body of a `foreach`.
pub struct Body<'r> {
    /// The step whose body it is.
    pub foreach: &'r Step,
    /// The graph of its steps.
    pub graph: Graph<'r>,
    /// Which of their outputs may be missing when.
    pub missing: Missing,
}

impl<'r> Scope<'r> {
    /// What there is to look at; a process each on all cores, or all on this one.
    pub(crate) fn beside(
        repository: &'r Repository,
        options: &'r Options<'r>,
        elsewhere: &'r Elsewhere,
        spread: bool,
    ) -> Self {
        let names = Names::of(repository, elsewhere);
        let types = Types::of(repository);
        let processes: Vec<_> = repository.all_processes().collect();
        let settings = repository.settings_in_file();
        let look = |(file, process): &(&'r File, &'r Arc<Process>)| ProcessScope::new(&types, file, process, settings);
        let processes: Vec<ProcessScope<'r>> = match spread {
            false => processes.iter().map(look).collect(),
            true => processes.par_iter().map(look).collect(),
        };
        let prompts = types.prompts().map(|prompt| (prompt.file, reference::prompt_problems(prompt))).collect();
        let mut by_name = BTreeMap::new();
        for (place, process) in processes.iter().enumerate() {
            by_name.entry(process.process.header.name.as_str()).or_insert(place);
        }
        let mut files_by_name = BTreeMap::new();
        for (path, file) in &repository.files {
            let name = if file.kind == FileKind::Schema { below(path, "schemas/") } else { stem(path) };
            files_by_name.entry((file.kind, name)).or_insert(&**file);
        }
        Self {
            repository,
            options,
            elsewhere,
            names,
            types,
            processes,
            prompts,
            by_name,
            files_by_name,
            flows: OnceLock::new(),
            judged: OnceLock::new(),
            told_by_outsiders: OnceLock::new(),
        }
    }

    /// The process with this name.
    pub fn process(&self, name: &str) -> Option<&ProcessScope<'r>> {
        self.by_name.get(name).map(|place| &self.processes[*place])
    }

    /// The file of a kind that is called so: by its name without ending, a schema by its path below `.flow/schemas/`.
    pub fn file(&self, kind: FileKind, name: &str) -> Option<&'r File> {
        self.files_by_name.get(&(kind, name)).copied()
    }

    /// Whether `flow.yaml` says all that it means under a key: what is missed may stand where it could not be read, and what is
    /// wrong there is told there.
    pub fn settings_say(&self, key: &str) -> bool {
        self.files(FileKind::Settings).all(|file| {
            let root = file.document.root().map(|root| file.document.node(root));
            let mut faults = file.structure.iter();
            let is_hidden = match root.and_then(|root| root.get(key)).map(Node::outer_span) {
                Some(whole) => faults.any(|fault| whole.contains(fault.span)),
                // A key that nobody knows may be a slip of the pen for this one.
                None => faults.any(|fault| matches!(fault.kind, SchemaFaultKind::UnknownKey { .. })),
            };
            file.definition.is_some() && file.faults.is_empty() && !is_hidden
        })
    }

    /// What is proved of every guarantee. Worked out when a rule asks first; without guarantees there is nothing to do.
    pub fn judged(&self) -> &[Judged<'r>] {
        self.judged.get_or_init(|| judge(self))
    }

    /// Every process with what anybody may have written and tells its agents what to do. Worked out when a rule asks first.
    pub(super) fn told_by_outsiders(&self) -> impl Iterator<Item = (&ProcessScope<'r>, &[Told<'r>])> {
        let told = self.told_by_outsiders.get_or_init(|| told_by_outsiders(self));
        self.processes.iter().zip(told).map(|(process, told)| (process, told.as_slice()))
    }

    /// Which data reaches where in a process. Worked out for all processes when the first is asked about.
    pub fn flow(&self, process: &ProcessScope<'_>) -> &Flow {
        let flows = || {
            let agents = Agents::of(self);
            Flows::of(&self.processes, &|task| agents.reads_words(task))
        };
        self.flows.get_or_init(flows).of_process(process)
    }

    /// Every file of a kind.
    pub fn files(&self, kind: FileKind) -> impl Iterator<Item = &'r File> + '_ {
        self.all_files().filter(move |file| file.kind == kind)
    }

    /// Every file.
    pub fn all_files(&self) -> impl Iterator<Item = &'r File> + '_ {
        self.repository.files.values().map(|file| &**file)
    }
}

impl Names {
    fn of(repository: &Repository, elsewhere: &Elsewhere) -> Self {
        let mut names = Self::default();
        names.by_kind.insert(FileKind::Process, elsewhere.names.clone());
        for (path, file) in &repository.files {
            let known = names.by_kind.entry(file.kind).or_default();
            match (&file.definition, file.kind) {
                (_, FileKind::Schema) => {
                    known.insert(below(path, "schemas/").to_owned());
                }
                (Some(Definition::Process(process)), _) if !process.header.name.is_unread() => {
                    known.insert(process.header.name.as_str().to_owned());
                    // That the two differ is told once, and not at each that means the file.
                    known.insert(stem(path).to_owned());
                }
                _ => {
                    known.insert(stem(path).to_owned());
                }
            }
        }
        if let Some(settings) = repository.settings() {
            names.models.extend(settings.models.keys().map(|alias| alias.value.clone()));
        }
        names
    }

    /// The names of a kind.
    pub fn of_kind(&self, kind: FileKind) -> impl Iterator<Item = &str> {
        self.by_kind.get(&kind).into_iter().flatten().map(String::as_str)
    }

    /// Whether there is such a file.
    pub fn has(&self, kind: FileKind, name: &str) -> bool {
        self.by_kind.get(&kind).is_some_and(|names| names.contains(name))
    }
}

/// The part of a path below a folder of `.flow/`.
pub fn below<'path>(path: &'path str, folder: &str) -> &'path str {
    let inside = path.strip_prefix(".flow/").or_else(|| path.split_once("/.flow/").map(|(_, inside)| inside));
    inside.and_then(|inside| inside.strip_prefix(folder)).unwrap_or(path)
}

impl<'r> ProcessScope<'r> {
    fn new(
        types: &Types<'r>,
        file: &'r File,
        process: &'r Arc<Process>,
        settings: Option<(&'r File, &'r FlowSettings)>,
    ) -> Self {
        let graph = Graph::of(process);
        let missing = Missing::of(&graph);
        let ids = written_ids(&file.document, process.node);
        let texts = types.process(file.source.path()).map(|own| own.shared_texts()).unwrap_or_default();
        let known_ids = ids.iter().map(|written| written.id.clone()).collect();
        let mut scope = Self {
            file,
            process,
            graph,
            missing,
            bodies: bodies(process),
            ids,
            known_ids,
            unread_ids: UnreadIds::of(file.document.node(process.node)),
            has_loose_ends: false,
            texts,
            problems: Vec::new(),
            unknown_steps: BTreeMap::new(),
            default_timeout: default_timeout(file, process, settings),
        };
        scope.has_loose_ends = {
            let written = file.document.node(process.node).get("steps");
            !scope.unread_ids.is_empty() || scope.loose_ends(&scope.graph, written)
        };
        scope.problems = reference::problems(types, &scope);
        scope.unknown_steps = unknown_steps(&scope, settings.map(|(_, settings)| settings));
        scope
    }
}

impl<'r> ProcessScope<'r> {
    /// The ids as written.
    pub fn all_ids(&self) -> impl Iterator<Item = &str> {
        self.known_ids.iter().map(String::as_str)
    }

    /// Whether a step with this id was written, or may have been.
    pub fn has_id(&self, id: &str) -> bool {
        self.known_ids.contains(id) || self.unread_ids.may_be(id)
    }

    /// Where else a name is written that no step has; nothing where this is not its first place, at which all are told.
    /// What nobody wants to hear of at its place is told for itself, and nothing with it.
    pub(super) fn other_places(&self, name: &str, span: Span) -> Option<&[Span]> {
        match self.unknown_steps.get(name).map(Vec::as_slice) {
            Some([first, others @ ..]) if *first == span => Some(others),
            Some(places) if places.contains(&span) => None,
            _ => Some(&[]),
        }
    }

    /// Whether something in a step could not be read as it is written.
    pub fn is_faulty(&self, step: &Step) -> bool {
        let whole = self.node(step).outer_span();
        self.file.structure.iter().any(|fault| whole.contains(fault.span))
    }

    /// Whether a gateway of a list of steps leads to one that is not there, or what may be a gateway could not be read.
    pub(super) fn loose_ends(&self, graph: &Graph<'_>, written: Option<Node<'_>>) -> bool {
        let leads_nowhere = |step: &Step| match &step.kind {
            StepKind::Gateway(gateway) => {
                let mut targets = gateway.branches.iter().flat_map(|branch| &branch.to);
                targets.any(|target| graph.meant(target.as_str()).is_none()) || self.is_faulty(step)
            }
            _ => false,
        };
        let unread = written.and_then(Node::items).into_iter().flatten().filter(|step| {
            let id = step.get("id").and_then(Node::as_str);
            id.is_some_and(|id| graph.find(id).is_none())
        });
        let may_be_gateway = |step: Node<'_>| match step.get("type").and_then(Node::as_str) {
            Some(written) => StepType::from_name(written).is_none_or(|kind| kind == StepType::Gateway),
            None => true,
        };
        graph.steps().any(leads_nowhere) || unread.into_iter().any(may_be_gateway)
    }

    /// Every step that could be decoded, bodies of `foreach` included.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.process.all_steps()
    }

    /// How long a step may take, as whoever performs it will decide.
    pub fn timeout<'s>(&self, step: &'s Step) -> Option<StepTimeout<'s>> {
        step.effective_timeout(self.default_timeout.map(|(_, timeout)| timeout))
    }

    /// The same where it is written out somewhere, and there: in the step or in `defaults`. What is usual for a type is
    /// written nowhere.
    pub fn deadline(&self, step: &Step) -> Option<(Duration, &'r File, Span)> {
        match self.timeout(step)? {
            StepTimeout::Own(timeout) => timeout.literal().map(|length| (length, self.file, timeout.span)),
            // One that is written and could not be read is there all the same.
            StepTimeout::Default(_) if self.node(step).get("timeout").is_some() => None,
            StepTimeout::Default(_) => self.default_timeout.map(|(file, timeout)| (timeout.value, file, timeout.span)),
            StepTimeout::Usual(_) => None,
        }
    }

    /// A step's mapping.
    pub fn node(&self, step: &Step) -> Node<'_> {
        self.file.document.node(step.node)
    }

    /// Where a step's key is; the step's id where it has no such key.
    pub fn key_span(&self, step: &Step, key: &str) -> Span {
        self.node(step).key_node(key).map_or(step.id.span, |key| key.span())
    }

    /// Where the value of a step's key is; the step's id where it has no such key.
    pub fn value_span(&self, step: &Step, key: &str) -> Span {
        self.node(step).get(key).map_or(step.id.span, |value| value.span())
    }
}

fn default_timeout<'r>(
    file: &'r File,
    process: &Process,
    settings: Option<(&'r File, &'r FlowSettings)>,
) -> Option<(&'r File, Spanned<Duration>)> {
    let own = process.header.defaults.timeout.map(|timeout| (file, timeout));
    own.or_else(|| settings.and_then(|(file, settings)| settings.defaults.timeout.map(|timeout| (file, timeout))))
}

/// Whoever renames a step and forgets those that name it makes one mistake, in many places. Places at which its rule is
/// suppressed or off are left out: what is said at one of them nobody hears.
fn unknown_steps(process: &ProcessScope<'_>, settings: Option<&FlowSettings>) -> BTreeMap<String, Vec<Span>> {
    let mut places: BTreeMap<String, BTreeSet<(u32, u32, &'static str)>> = BTreeMap::new();
    let mut add = |rule: &Rule, name: &str, span: Span| {
        places.entry(name.to_owned()).or_default().insert((span.start, span.end, rule.code));
    };
    for step in process.steps() {
        let targets = match &step.kind {
            StepKind::Gateway(gateway) => gateway.branches.iter().flat_map(|branch| &branch.to).collect(),
            _ => Vec::new(),
        };
        let named = step.depends_on.iter().map(|id| (&unknown_dependency::RULE, id));
        let named = named.chain(targets.into_iter().map(|id| (&unknown_gateway_target::RULE, id)));
        let named = named.chain(step.compensate_with.iter().map(|id| (&unknown_compensation::RULE, id)));
        let unknown = named.filter(|(_, id)| !process.has_id(id.as_str()));
        unknown.for_each(|(rule, id)| add(rule, id.as_str(), id.span));
    }
    for problem in process.problems.iter().filter(|problem| problem.kind == reference::ProblemKind::UnknownStep) {
        let name = process.file.source.slice(problem.span);
        std::iter::once(&problem.span).chain(&problem.also).for_each(|span| add(&unknown_step::RULE, name, *span));
    }
    if places.is_empty() {
        return BTreeMap::new();
    }
    let silenced = silenced(process.file);
    let is_heard = |(start, _, code): &(u32, u32, &'static str)| {
        let line = process.file.source.position(*start).line;
        let by_line = |name: &str| silenced.contains(&(line, name.to_owned()));
        let by_level = |name: &str| settings.is_some_and(|settings| settings.turns_off(name));
        let name = rules::find(code).map_or(*code, |rule| rule.name);
        ![*code, name].into_iter().any(|name| by_line(name) || by_level(name))
    };
    let heard = |places: BTreeSet<(u32, u32, &'static str)>| -> Vec<Span> {
        let heard = places.into_iter().filter(is_heard);
        heard.map(|(start, end, _)| Span::new(start as usize, end as usize)).collect()
    };
    places.into_iter().map(|(name, places)| (name, heard(places))).collect()
}

fn bodies(process: &Process) -> Vec<Body<'_>> {
    if process.all_steps().count() > MAX_STEPS {
        return Vec::new();
    }
    let mut bodies = Vec::new();
    for foreach in process.all_steps() {
        if let StepKind::Foreach(fields) = &foreach.kind {
            let graph = Graph::of_steps(&fields.steps);
            let missing = Missing::of(&graph);
            bodies.push(Body { foreach, graph, missing });
        }
    }
    bodies
}

fn written_ids(document: &Document, root: NodeId) -> Vec<WrittenId> {
    let mut ids = Vec::new();
    let steps = document.node(root).get("steps");
    steps.into_iter().for_each(|list| collect_ids(list, 0, &mut ids));
    ids
}

fn collect_ids(list: Node<'_>, depth: usize, ids: &mut Vec<WrittenId>) {
    for step in list.items().into_iter().flatten().filter(|step| step.kind() == Kind::Mapping) {
        if let Some(id) = step.get("id")
            && let Some(text) = id.as_str()
        {
            ids.push(WrittenId { id: text.to_owned(), node: id.id(), step: step.id() });
        }
        if depth < MAX_BODIES {
            step.get("steps").into_iter().for_each(|body| collect_ids(body, depth + 1, ids));
        }
    }
}
