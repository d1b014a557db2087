//! Data across sub-processes: what a process passes from its inputs to its outputs is worked out from the innermost
//! outwards, what its callers give it from the outermost inwards. Linear in all processes together.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Built, Templates, build};
use super::flow::{Flow, HandedOn, PlaceIndex};
use super::source::Origins;
use crate::definition::Process;
use crate::definition::step::AgentTask;
use crate::validate::ProcessScope;

/// Up to this many inputs are told apart when data passes through a sub-process; all others share the last mark, and
/// what one of them passes on is taken to come from each.
const MARKS: usize = 63;
/// The mark of data that begins with a trigger of the sub-process.
const OWN_TRIGGER: u64 = 1 << 63;

/// The flows of every process of a repository.
#[derive(Debug, Default)]
pub struct Flows {
    by_path: BTreeMap<String, Flow>,
    none: Flow,
}

/// What a process gives its caller.
#[derive(Debug, Clone, Default)]
struct Passage {
    /// The marks of its inputs.
    inputs: BTreeMap<String, u64>,
    /// Of each output by name: marks of the inputs that reach it, and who wrote the rest.
    outputs: BTreeMap<String, (u64, Origins)>,
}

impl Flows {
    /// Works out the flows of processes that may call each other. `reads_words`: whether an agent is given what others
    /// wrote by its tools, which it may repeat.
    pub fn of(scopes: &[ProcessScope<'_>], reads_words: &dyn Fn(&AgentTask) -> bool) -> Self {
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, scope) in scopes.iter().enumerate() {
            by_name.entry(scope.process.header.name.as_str()).or_insert(index);
        }
        let outputs_of = |name: &str| by_name.get(name).map_or_else(Vec::new, |i| outputs(scopes[*i].process));
        let mut built: Vec<Built> = scopes
            .iter()
            .map(|scope| {
                let texts = scope.texts.texts.iter();
                let templates: Templates<'_> =
                    texts.filter_map(|text| Some((text.node, text.template.as_ref().ok()?))).collect();
                build(&scope.file.document, scope.process, &templates, &outputs_of, reads_words)
            })
            .collect();
        let order = innermost_first(&built, &by_name);
        let mut passages: Vec<Option<Passage>> = vec![None; built.len()];
        for index in &order {
            join(&mut built[*index], &by_name, &passages);
            passages[*index] = Some(passage(&mut built[*index]));
        }
        // Processes that contain themselves are a fault of their own: of their data nothing is known.
        let knotted: Vec<usize> = (0..built.len()).filter(|index| passages[*index].is_none()).collect();
        for index in &knotted {
            join(&mut built[*index], &by_name, &passages);
            for (_, place) in built[*index].inputs.clone() {
                let flow = &mut built[*index].flow;
                add(flow, place, Origins::ANY);
                flow.from_trigger.push(place);
            }
        }
        for index in knotted.iter().chain(order.iter().rev()) {
            built[*index].flow.settle();
            give_inputs(*index, &mut built, &by_name, scopes[*index].process.header.name.as_str());
        }
        let paths = scopes.iter().map(|scope| scope.file.source.path().to_owned());
        Self { by_path: paths.zip(built.into_iter().map(|built| built.flow)).collect(), none: Flow::default() }
    }

    /// The flow of one of these processes; of any other one, an empty flow.
    pub fn of_process(&self, process: &ProcessScope<'_>) -> &Flow {
        self.by_path.get(process.file.source.path()).unwrap_or(&self.none)
    }
}

fn outputs(process: &Process) -> Vec<String> {
    process.header.outputs.keys().map(|name| name.value.clone()).collect()
}

/// Every process after those that it calls; those on a circle are left out.
fn innermost_first(built: &[Built], by_name: &BTreeMap<&str, usize>) -> Vec<usize> {
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); built.len()];
    let mut waiting = vec![0_usize; built.len()];
    for (caller, one) in built.iter().enumerate() {
        for callee in one.calls.iter().filter_map(|call| by_name.get(call.process.as_str())) {
            callers[*callee].push(caller);
            waiting[caller] += 1;
        }
    }
    let mut order: Vec<usize> = (0..built.len()).filter(|index| waiting[*index] == 0).collect();
    let mut next = 0;
    while let Some(callee) = order.get(next).copied() {
        next += 1;
        for caller in &callers[callee] {
            waiting[*caller] -= 1;
            if waiting[*caller] == 0 {
                order.push(*caller);
            }
        }
    }
    order
}

/// Joins what a process's calls pass on: from their inputs to what they give.
fn join(built: &mut Built, by_name: &BTreeMap<&str, usize>, passages: &[Option<Passage>]) {
    let Built { flow, calls, .. } = built;
    for call in calls.iter() {
        let Some(passage) = by_name.get(call.process.as_str()).and_then(|index| passages[*index].as_ref()) else {
            for (_, place) in &call.inputs {
                flow.link(*place, call.output, None);
            }
            add(flow, call.output, Origins::ANY);
            flow.from_trigger.push(call.output);
            call.outputs.iter().for_each(|(_, place)| flow.link(call.output, *place, None));
            continue;
        };
        if !call.waits {
            continue;
        }
        for (name, to) in &call.outputs {
            let Some((marks, own)) = passage.outputs.get(name) else { continue };
            add(flow, *to, *own);
            if marks & OWN_TRIGGER != 0 {
                flow.from_trigger.push(*to);
            }
            for (input, place) in &call.inputs {
                if passage.inputs.get(input).is_some_and(|mark| marks & mark != 0) {
                    flow.link(*place, *to, None);
                }
            }
        }
    }
}

fn add(flow: &mut Flow, place: PlaceIndex, origins: Origins) {
    if let Some(own) = flow.own.get_mut(place as usize) {
        *own = own.with(origins);
    }
}

/// What a process gives its caller, its inputs taken to be the caller's.
fn passage(built: &mut Built) -> Passage {
    let mut passage = Passage::default();
    let mark = |at: usize| 1_u64 << at.min(MARKS - 1);
    let inputs: Vec<(PlaceIndex, u64)> =
        built.inputs.iter().enumerate().map(|(at, (_, place))| (*place, mark(at))).collect();
    passage.inputs = built.inputs.iter().enumerate().map(|(at, (name, _))| (name.clone(), mark(at))).collect();
    let own_inputs: BTreeSet<PlaceIndex> = inputs.iter().map(|(place, _)| *place).collect();
    let triggers = built.flow.trigger_places().iter().filter(|place| !own_inputs.contains(place));
    let sources: Vec<(PlaceIndex, u64)> =
        inputs.iter().copied().chain(triggers.map(|place| (*place, OWN_TRIGGER))).collect();
    let marks = built.flow.marks(&sources);
    // What the process itself adds: without what its inputs bring.
    let own: Vec<(PlaceIndex, Origins)> =
        inputs.iter().map(|(place, _)| (*place, std::mem::take(&mut built.flow.own[*place as usize]))).collect();
    built.flow.settle();
    for (name, place) in &built.outputs {
        let at = *place as usize;
        passage.outputs.insert(name.clone(), (marks[at], built.flow.reached[at]));
    }
    own.into_iter().for_each(|(place, origins)| built.flow.own[place as usize] = origins);
    passage
}

/// Lets the data that a settled process passes to others reach their inputs. What begins with its trigger is of theirs too.
fn give_inputs(caller: usize, built: &mut [Built], by_name: &BTreeMap<&str, usize>, name: &str) {
    let mut given: Vec<(usize, PlaceIndex, Origins, Option<HandedOn>)> = Vec::new();
    let Built { flow, calls, .. } = &built[caller];
    let inputs = || calls.iter().flat_map(|call| &call.inputs);
    let triggers: Vec<(PlaceIndex, u64)> = flow.trigger_places().iter().map(|place| (*place, OWN_TRIGGER)).collect();
    let marks = if inputs().next().is_some() { flow.marks(&triggers) } else { Vec::new() };
    for call in calls {
        let Some(callee) = by_name.get(call.process.as_str()) else { continue };
        for (input, place) in &call.inputs {
            let to = built[*callee].inputs.iter().find(|(own, _)| own == input);
            let at = *place as usize;
            let field = flow.field_at(*place).filter(|_| marks.get(at).is_some_and(|marks| *marks != 0));
            let handed_on = field.map(|field| HandedOn { by: name.to_owned(), node: flow.fields()[field].node });
            given.extend(to.map(|(_, to)| (*callee, *to, flow.reached[at], handed_on)));
        }
    }
    for (callee, place, origins, handed_on) in given {
        let Built { flow, is_given_inputs, .. } = &mut built[callee];
        add(flow, place, origins);
        let handed_on = handed_on.filter(|_| !*is_given_inputs && !flow.handed_on.contains_key(&place));
        if let Some(handed_on) = handed_on {
            flow.from_trigger.push(place);
            flow.handed_on.insert(place, handed_on);
        }
    }
}
