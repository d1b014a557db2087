//! Where less is asked than before. Everything is resolved first (own approvers with policies and what those extend,
//! timeouts with defaults, approvals over all paths), so that a text that moved elsewhere hides nothing.

mod approval;
mod asked;
mod budget;
mod effect;
mod guarantee;
mod path;
mod policy;
mod revision;
mod runs;
mod said;
mod secret;
mod settings;
mod timeout;
mod tool;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kind::WeakeningKind;
use super::matching::{Match, Renames, StepMatches, Written, name, steps, written_steps};
use super::model::{Place, Side, Weakening};
use super::text::short;
use crate::approval::Requirement;
use crate::dataflow::Constants;
use crate::definition::policy::Policy;
use crate::definition::process::Defaults;
use crate::definition::repository::{Definition, File, Repository, stem};
use crate::definition::{Approvers, Process, Step};
use crate::source::{Node, NodeId, Span};
use crate::value::any_matches;
use said::Changes;

/// Every weakening between two commits.
pub(super) fn find<'r>(before: &'r Repository, after: &'r Repository, matches: &'r [Match<'r>]) -> Vec<Weakening> {
    let view = View {
        before: Commit::of(before),
        after: Commit::of(after),
        matches,
        processes: matches.iter().filter_map(ProcessPair::of).collect(),
    };
    let mut found = Found::default();
    approval::find(&view, &mut found);
    effect::find(&view, &mut found);
    policy::find(&view, &mut found);
    timeout::find(&view, &mut found);
    secret::find(&view, &mut found);
    tool::find(&view, &mut found);
    budget::find(&view, &mut found);
    guarantee::find(&view, &mut found);
    settings::find(&view, &mut found);
    revision::find(&view, &mut found);
    found.all()
}

/// Both commits, and what in them belongs together.
struct View<'r> {
    before: Commit<'r>,
    after: Commit<'r>,
    matches: &'r [Match<'r>],
    processes: Vec<ProcessPair<'r>>,
}

/// One commit with what processes refer to.
struct Commit<'r> {
    repository: &'r Repository,
    policies: BTreeMap<&'r str, (&'r File, &'r Policy)>,
    /// `flow.yaml`, and what it says of every process.
    settings: Option<&'r File>,
    defaults: Defaults,
}

impl<'r> Commit<'r> {
    fn of(repository: &'r Repository) -> Self {
        let policies = repository.files.iter().filter_map(|(path, file)| match &file.definition {
            Some(Definition::Policy(policy)) => Some((stem(path), (&**file, &**policy))),
            _ => None,
        });
        let settings = repository.settings_in_file();
        let defaults = settings.map(|(_, settings)| settings.defaults.clone()).unwrap_or_default();
        Self { repository, policies: policies.collect(), settings: settings.map(|(file, _)| file), defaults }
    }

    /// A policy and all that it extends, nearest first.
    fn chain(&self, policy: &str) -> Vec<(&'r File, &'r Policy)> {
        let mut names = vec![policy.to_owned()];
        let mut chain = Vec::new();
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            next += 1;
            let Some((file, policy)) = self.policies.get(name.as_str()).copied() else { continue };
            chain.push((file, policy));
            for extended in &policy.extends {
                if !names.contains(&extended.value) {
                    names.push(extended.value.clone());
                }
            }
        }
        chain
    }

    /// The policies that govern a process by their `applies_to`.
    fn governing(&self, process: &str) -> Vec<&'r str> {
        let governs = |policy: &Policy| any_matches(policy.applies_to.iter().map(|glob| &glob.value), process);
        self.policies.iter().filter(|(_, (_, policy))| governs(policy)).map(|(name, _)| *name).collect()
    }

    /// What a policy asks of approvals, with all that it extends.
    fn asked_by(&self, policy: &str) -> Requirement {
        let approvers = self.chain(policy).into_iter().filter_map(|(_, policy)| policy.approvers.as_ref());
        Requirement::All { of: approvers.map(|approvers| Requirement::as_written(approvers)).collect() }
    }
}

/// A process of both commits.
struct ProcessPair<'r> {
    before: ProcessAt<'r>,
    after: ProcessAt<'r>,
    matches: StepMatches,
    renames: Renames,
    changes: Changes,
}

/// A process in its file.
struct ProcessAt<'r> {
    side: Side,
    file: &'r File,
    process: &'r Arc<Process>,
    written: Vec<Written<'r>>,
    by_node: BTreeMap<NodeId, &'r Step>,
    constants: Constants,
}

impl<'r> ProcessAt<'r> {
    fn of(side: Side, file: &'r File) -> Option<Self> {
        let Some(Definition::Process(process)) = &file.definition else { return None };
        let by_node = process.all_steps().map(|step| (step.node, step)).collect();
        Some(Self { side, file, process, written: written_steps(file), by_node, constants: Constants::of(process) })
    }

    fn name(&self) -> &'r str {
        self.process.header.name.as_str()
    }

    /// The defaults that are in force: its own, else those of `flow.yaml`.
    fn defaults(&self, commit: &Commit<'r>) -> Defaults {
        self.process.header.defaults.clone().or(&commit.defaults)
    }

    /// The place of a key of the defaults that are in force, where it is written.
    fn place_of_default(&self, commit: &Commit<'r>, key: &str) -> Place {
        let at = |file: &File| {
            let root = file.document.root().map(|root| file.document.node(root))?;
            let value = root.get("defaults")?.get(key)?;
            Some(Place::of(self.side, file, value.span()))
        };
        let written = at(self.file).or_else(|| commit.settings.and_then(at));
        written.unwrap_or_else(|| key_place(self.side, self.file, "defaults"))
    }

    fn node(&self, step: &Step) -> Node<'r> {
        self.file.document.node(step.node)
    }

    /// The condition of a step.
    fn when(&self, step: &Step) -> Option<&'r str> {
        self.node(step).get("when").and_then(|when| when.as_str())
    }

    /// The place of a step's key, or of the step where it has no such key.
    fn place(&self, step: &Step, key: &str) -> Place {
        let node = self.node(step);
        let span = node.key_node(key).or_else(|| node.get("id")).map_or_else(|| node.pointing_span(), Node::span);
        Place::of(self.side, self.file, span)
    }

    fn step_at(&self, place: usize) -> Option<&'r Step> {
        self.by_node.get(&self.written.get(place)?.node.id()).copied()
    }
}

impl<'r> ProcessPair<'r> {
    fn of(matched: &Match<'r>) -> Option<Self> {
        let before = ProcessAt::of(Side::Before, matched.before?)?;
        let after = ProcessAt::of(Side::After, matched.after?)?;
        let (matches, renames) = steps((before.file, &before.written), (after.file, &after.written));
        let is_same = before.file.source.text() == after.file.source.text();
        let changes = if is_same { Changes::default() } else { Changes::between(&before, &after, &renames) };
        Some(Self { before, after, matches, renames, changes })
    }

    /// Steps that could be read on both sides.
    fn steps(&self) -> impl Iterator<Item = (&'r Step, &'r Step)> + '_ {
        let pairs = self.matches.before.iter().enumerate();
        pairs.filter_map(|(now, was)| Some((self.before.step_at((*was)?)?, self.after.step_at(now)?)))
    }

    /// The step after that a step before has become.
    fn now(&self, before: &Step) -> Option<&'r Step> {
        let place = self.before.written.iter().position(|written| written.node.id() == before.node)?;
        self.after.step_at(self.matches.after.get(place).copied().flatten()?)
    }

    /// How a text means something else than before by what it reads, in words.
    fn otherwise(&self, was: &str, is: &str) -> Option<String> {
        match (self.before.constants.value(was), self.after.constants.value(is)) {
            (Some(was), Some(is)) => (was != is)
                .then(|| format!("it came to `{}` and comes to `{}`", short(&was.to_string()), short(&is.to_string()))),
            _ => self.changes.of(is).map(str::to_owned),
        }
    }

    /// How names of people that are computed mean others than before, in words.
    fn other_people(&self, approvers: &Approvers) -> Option<String> {
        Requirement::as_written(approvers).names().iter().find_map(|name| self.otherwise(name, name))
    }

    /// The same of those that policies name, with what they extend: their texts read what the process says.
    fn others_by_policy<'p>(&self, after: &Commit<'r>, policies: impl Iterator<Item = &'p str>) -> Option<String> {
        policies.flat_map(|policy| after.chain(policy)).find_map(|(file, policy)| {
            let how = self.other_people(policy.approvers.as_ref()?)?;
            Some(format!("the `approvers` of policy `{}`: {how}", name(file)))
        })
    }

    /// `process release`
    fn definition(&self) -> String {
        format!("process {}", self.after.name())
    }
}

/// What was found so far.
#[derive(Default)]
struct Found {
    told: Vec<Weakening>,
    by_default: Vec<ByDefault>,
}

/// What one default does to steps that say nothing themselves.
struct ByDefault {
    /// Where the default is written, after and before.
    places: (Place, Place),
    /// A weakening for each of the steps, alike but for its place.
    steps: Vec<Weakening>,
}

/// Most steps that are named where a default is told once for all of them.
const MAX_NAMED: usize = 10;

impl ByDefault {
    /// One weakening, whatever the number of steps: at the step where it is only one, else where the default stands.
    fn told(mut self) -> Weakening {
        let named = self.steps.iter().take(MAX_NAMED).filter_map(|one| Some(format!("`{}`", one.step.as_deref()?)));
        let mut names: Vec<String> = named.collect();
        if let Some(more @ 1..) = self.steps.len().checked_sub(MAX_NAMED) {
            names.push(format!("{more} more"));
        }
        let one = self.steps.swap_remove(0);
        let Some(last) = names.pop().filter(|_| !names.is_empty()) else { return one };
        let message = format!("{}, for {} and {last}", one.message, names.join(", "));
        let (place, place_before) = self.places;
        Weakening { step: None, message, place, place_before: Some(place_before), ..one }
    }
}

/// What is told of each step that follows a default.
struct Told {
    kind: WeakeningKind,
    message: String,
}

/// Whose weakening it is.
struct Subject {
    definition: String,
    step: Option<String>,
}

impl Subject {
    fn of(definition: impl Into<String>) -> Self {
        Self { definition: definition.into(), step: None }
    }

    fn step(definition: impl Into<String>, step: &Step) -> Self {
        Self { definition: definition.into(), step: Some(step.id.as_str().to_owned()) }
    }

    fn file(file: &File) -> Self {
        Self::of(format!("{} {}", file.kind.as_str(), name(file)))
    }
}

impl Found {
    /// The steps of a definition of which something is told.
    fn steps_of(&self, kind: WeakeningKind, definition: &str) -> Vec<&str> {
        let told = self.told.iter().filter(|one| one.kind == kind && one.definition == definition);
        told.filter_map(|one| one.step.as_deref()).collect()
    }

    fn tell(
        &mut self,
        kind: WeakeningKind,
        subject: Subject,
        message: impl Into<String>,
        place: Place,
        place_before: Option<Place>,
    ) {
        let Subject { definition, step } = subject;
        self.told.push(Weakening { kind, definition, step, message: message.into(), place, place_before });
    }

    /// What a default does to a step of a process that says nothing itself. Steps of which the same is to be said are told
    /// together, since one change did it.
    fn tell_by_default(&mut self, at: (&View<'_>, &ProcessPair<'_>), key: &str, steps: (&Step, &Step), told: Told) {
        let ((view, pair), (before, after), Told { kind, message }) = (at, steps, told);
        let (place, was) = (pair.after.place(after, key), pair.before.place(before, key));
        let Subject { definition, step } = Subject::step(pair.definition(), after);
        let one = Weakening { kind, definition, step, message, place, place_before: Some(was) };
        let alike = |other: &&mut ByDefault| {
            other.steps.first().is_some_and(|other| {
                (other.kind, &other.definition, &other.message) == (one.kind, &one.definition, &one.message)
            })
        };
        match self.by_default.iter_mut().find(alike) {
            Some(known) => known.steps.push(one),
            None => {
                let of = |at: &ProcessAt<'_>, commit| at.place_of_default(commit, key);
                let places = (of(&pair.after, &view.after), of(&pair.before, &view.before));
                self.by_default.push(ByDefault { places, steps: vec![one] });
            }
        }
    }

    fn all(self) -> Vec<Weakening> {
        self.told.into_iter().chain(self.by_default.into_iter().map(ByDefault::told)).collect()
    }
}

/// The place of a key in a file's mapping, or of the file's first line.
fn key_place(side: Side, file: &File, key: &str) -> Place {
    let root = file.document.root().map(|root| file.document.node(root));
    let span = root.and_then(|root| root.key_node(key)).map_or_else(Span::default, Node::span);
    Place::of(side, file, span)
}

/// A definition with its file, where there is one.
type InFile<'r, T> = Option<(&'r File, &'r T)>;

/// Pairs of definitions of one type, those that are new with nothing before.
fn typed<'r, T>(
    view: &View<'r>,
    read: impl Fn(&'r Definition) -> Option<&'r T>,
) -> Vec<(InFile<'r, T>, InFile<'r, T>)> {
    let of = |file: Option<&'r File>| file.and_then(|file| Some((file, read(file.definition.as_ref()?)?)));
    let pairs = view.matches.iter().map(|matched| (of(matched.before), of(matched.after)));
    pairs.filter(|(before, after)| before.is_some() || after.is_some()).collect()
}
