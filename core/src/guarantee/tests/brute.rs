//! The prover against every run of the real state machine: random small processes are played with every outcome of
//! every step, cancelled at every moment and retried by hand, and verdict and counterexample must agree.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value, json};

use super::super::model::{Fate, Model};
use super::super::search::{Found, Passes, Run};
use super::super::start::starts;
use crate::approval::{Decision, DecisionKind, Person, Source, SourceKind};
use crate::definition::repository::Repository;
use crate::definition::step::{OnFailure, StepType};
use crate::definition::{ErrorClass, Process};
use crate::execution::state::Ending;
use crate::execution::{
    Event, EventKind, Execution, NewExecution, Plan, Signal, StepError, StepState, StepStatus, TenantId, TriggerInfo,
    Waiting, create, decide,
};

/// Most states of one process that are looked at; larger ones are left out.
const MAX_STATES: usize = 2_500;
/// How often an execution is retried by hand.
const MAX_RETRIES: u32 = 1;

#[derive(Debug, Clone)]
struct RandomStep {
    depends_on: Vec<usize>,
    run_on: &'static str,
    join: &'static str,
    on_failure: &'static str,
    kind: u8,
    when: u8,
    targets: Vec<usize>,
    undo: bool,
}

fn random_step(index: usize, count: usize) -> impl Strategy<Value = RandomStep> {
    (
        prop::collection::vec(0..index.max(1), 0..3),
        prop::sample::select(vec!["success", "success", "success", "failure", "always"]),
        prop::sample::select(vec!["all", "all", "any"]),
        prop::sample::select(vec!["fail", "fail", "continue"]),
        0_u8..10,
        0_u8..21,
        prop::collection::vec(index + 1..count + 2, 2),
        prop::bool::weighted(0.15),
    )
        .prop_map(move |(mut depends_on, run_on, join, on_failure, kind, when, targets, undo)| {
            depends_on.retain(|before| *before < index);
            depends_on.sort_unstable();
            depends_on.dedup();
            RandomStep { depends_on, run_on, join, on_failure, kind, when, targets, undo }
        })
}

fn random_process() -> impl Strategy<Value = Vec<RandomStep>> {
    (2_usize..5).prop_flat_map(|count| (0..count).map(|index| random_step(index, count - 1)).collect::<Vec<_>>())
}

fn yaml(steps: &[RandomStep]) -> String {
    let mut text = "name: story\nversion: 1\ninputs: {a: {type: boolean}, b: {type: boolean}}\nsteps:\n".to_owned();
    for (index, step) in steps.iter().enumerate() {
        let before: Vec<String> = step.depends_on.iter().map(|before| format!("s{before}")).collect();
        let targets: BTreeSet<usize> =
            step.targets.iter().copied().filter(|t| *t > index && *t < steps.len()).collect();
        let targets: Vec<usize> = targets.into_iter().collect();
        let kind = match (step.kind, targets.as_slice()) {
            (0 | 1, [one, two]) => format!(
                "type: gateway, branches: [{{when: '{{{{ inputs.a }}}}', to: [s{one}]}}, {{otherwise: true, to: [s{two}]}}]"
            ),
            (0 | 1, [one]) => format!(
                "type: gateway, mode: all, branches: [{{when: '{{{{ inputs.b }}}}', to: [s{one}]}}, {{when: '{{{{ not inputs.a }}}}', to: [s{one}]}}]"
            ),
            (0..=2, _) => "type: set, values: {x: 1}".to_owned(),
            (3 | 4, _) => "type: human_approval, approvers: {users: [ann]}, timeout: 1h".to_owned(),
            (5, _) => "type: human_approval, approvers: {users: [ann]}, timeout: 1h, on_timeout: approve".to_owned(),
            (6, _) => "type: human_approval, approvers: {users: [ann]}, timeout: 1h, on_timeout: continue, on_reject: continue".to_owned(),
            (7, _) => "type: wait, for: 1m".to_owned(),
            _ => "type: api_call, url: 'http://127.0.0.1/'".to_owned(),
        };
        let read = step.depends_on.first();
        let is_approval = read.is_some_and(|read| (3..=6).contains(&steps[*read].kind));
        let when = match (step.when, read) {
            (0, _) => "{{ inputs.a }}".to_owned(),
            (1, _) => "{{ not inputs.a }}".to_owned(),
            (2, _) => "{{ inputs.a and not inputs.b }}".to_owned(),
            (3, _) => "{{ not inputs.b }}".to_owned(),
            (4, Some(read)) => format!("{{{{ steps.s{read}.status == \"completed\" }}}}"),
            (5, Some(read)) if is_approval => {
                format!("{{{{ steps.s{read}.output.decision == \"approved\" and inputs.b }}}}")
            }
            (6, Some(read)) if is_approval => format!("{{{{ steps.s{read}.output.decision != \"rejected\" }}}}"),
            (14, Some(read)) => format!("{{{{ steps.s{read}.status in [\"completed\", \"skipped\"] }}}}"),
            (15, Some(read)) => format!("{{{{ steps.s{read}.output is defined }}}}"),
            (16, Some(read)) if is_approval => {
                format!("{{{{ (steps.s{read}.output.decision | default(\"none\")) == \"approved\" }}}}")
            }
            (17, Some(read)) => {
                format!("{{{{ not steps.s{read}.status == \"completed\" or steps.s{read}.output is defined }}}}")
            }
            (18, Some(read)) => format!("{{{{ steps.s{read}.status == \"completed\" or inputs.b }}}}"),
            (19, Some(read)) => {
                format!("{{{{ not (steps.s{read}.status == \"failed\" and inputs.a) and inputs.b }}}}")
            }
            (20, Some(read)) if is_approval => {
                format!("{{{{ inputs.b or (steps.s{read}.output.decision == \"approved\" and inputs.a) }}}}")
            }
            (7, Some(read)) => format!("{{{{ not steps.s{read}.status != \"failed\" }}}}"),
            _ => String::new(),
        };
        let when = if when.is_empty() { when } else { format!("when: '{when}', ") };
        let undo = if step.undo { format!("compensate_with: u{index}, ") } else { String::new() };
        text.push_str(&format!(
            "- {{id: s{index}, depends_on: [{}], run_on: {}, join: {}, on_failure: {}, {when}{undo}{kind}}}\n",
            before.join(", "),
            step.run_on,
            step.join,
            step.on_failure
        ));
        if step.undo {
            text.push_str(&format!(
                "- {{id: u{index}, run_on: compensation, type: api_call, url: 'http://127.0.0.1/'}}\n"
            ));
        }
    }
    // What is over in the moment in which it starts cannot be cancelled, and no real process is.
    text.push_str("- {id: other, type: wait, for: 1m}\n");
    text
}

/// How the steps stood when a step started, in the order of the definition.
type Moment = Vec<Shown>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Shown {
    Fate(Fate),
    Took(BTreeSet<String>),
}

fn shown(state: &StepState) -> Shown {
    let output = |key: &str| state.output.as_ref().and_then(|output| output.get(key)).cloned();
    Shown::Fate(match state.status {
        StepStatus::Pending | StepStatus::Running | StepStatus::Waiting => Fate::Open,
        StepStatus::Skipped => Fate::Skipped,
        StepStatus::Cancelled => Fate::Cancelled,
        StepStatus::Failed if state.on_failure == OnFailure::Continue => Fate::Tolerated,
        StepStatus::Failed => Fate::Failed,
        StepStatus::Completed => match state.step_type {
            StepType::Gateway => {
                let taken = output("taken").unwrap();
                let ids = taken.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
                return Shown::Took(ids.collect());
            }
            StepType::HumanApproval => match output("decision").unwrap().as_str().unwrap() {
                "rejected" => Fate::RejectedOn,
                "expired" => Fate::Expired,
                _ if output("decisions").unwrap().as_array().unwrap().is_empty() => Fate::LapsedApproved,
                _ => Fate::Completed,
            },
            _ => Fate::Completed,
        },
    })
}

/// Everything that a process can come to: by started step, how the others stood. Nothing where that is too much.
fn play(plan: &Plan) -> Option<BTreeMap<String, BTreeSet<Moment>>> {
    let mut starts = BTreeMap::new();
    let text = serde_json::to_string(&plan.steps.values().map(|step| format!("{:?}", step.step)).collect::<Vec<_>>());
    let read = |input: &str| text.as_ref().is_ok_and(|text| text.contains(input));
    let values = |input: &str| if read(input) { vec![None, Some(true), Some(false)] } else { vec![None] };
    for a in values("inputs.a") {
        for b in values("inputs.b") {
            let mut inputs = Map::new();
            a.map(|a| inputs.insert("a".to_owned(), json!(a)));
            b.map(|b| inputs.insert("b".to_owned(), json!(b)));
            play_with(plan, inputs, &mut starts)?;
        }
    }
    Some(starts)
}

fn play_with(plan: &Plan, inputs: Map<String, Value>, starts: &mut BTreeMap<String, BTreeSet<Moment>>) -> Option<()> {
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let new = NewExecution {
        id: uuid::Uuid::from_u128(7),
        tenant: TenantId("octo-org".to_owned()),
        repository: "octo-org/shop".to_owned(),
        repository_id: None,
        revision: "a".repeat(40),
        trigger: TriggerInfo { kind: "manual".to_owned(), actor: None, payload: Value::Null, pull_request: None },
        subject: None,
        inputs,
        url: None,
    };
    let (execution, _) = create(plan, new, now).unwrap();
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let mut open = Vec::new();
    let first = after(plan, &execution, Signal::Start, now, starts)?;
    open.push(first);
    while let Some(execution) = open.pop() {
        if !seen.insert(key(&execution)) {
            continue;
        }
        if seen.len() > MAX_STATES {
            return None;
        }
        for (execution, signal) in signals(&execution, now) {
            open.extend(after(plan, &execution, signal, now, starts));
        }
    }
    Some(())
}

fn key(execution: &Execution) -> Vec<u8> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut key = vec![execution.status as u8, execution.retries as u8];
    key.push(match execution.ending {
        None => 0,
        Some(Ending::Failed) => 1,
        Some(_) => 2,
    });
    let undoes = execution.steps.keys().any(|id| id.starts_with('u'));
    for step in execution.steps.values() {
        let mut hasher = DefaultHasher::new();
        shown(step).hash(&mut hasher);
        key.extend([step.status as u8, hasher.finish() as u8, (hasher.finish() >> 8) as u8]);
        // The order in which steps completed decides the order in which they are undone.
        key.push(if undoes { step.completion as u8 } else { 0 });
    }
    key
}

/// Takes a signal and notes how things stood whenever a step started.
fn after(
    plan: &Plan,
    execution: &Execution,
    signal: Signal,
    now: Timestamp,
    starts: &mut BTreeMap<String, BTreeSet<Moment>>,
) -> Option<Execution> {
    let events: Vec<Event> = decide(plan, execution, signal, now).ok()?;
    let mut state = execution.clone();
    for event in &events {
        if let (EventKind::StepStarted { .. }, Some(step)) = (&event.kind, &event.step) {
            let moment = state.steps.values().map(shown).collect();
            starts.entry(step.clone()).or_default().insert(moment);
        }
        state.apply(event);
    }
    Some(state)
}

/// Whatever may happen next. How long things take is free: of several deadlines any may come first.
fn signals(execution: &Execution, now: Timestamp) -> Vec<(Execution, Signal)> {
    let mut signals = Vec::new();
    let plain = |signal| (execution.clone(), signal);
    if execution.status.is_final() {
        if execution.retries < MAX_RETRIES {
            signals.push(plain(Signal::Retry { actor: None, step: None }));
            let steps = execution.steps.keys().cloned();
            signals.extend(steps.map(|step| plain(Signal::Retry { actor: None, step: Some(step) })));
        }
        return signals;
    }
    signals.push(plain(Signal::Cancel { actor: None, reason: String::new() }));
    for (id, state) in &execution.steps {
        let attempt = state.attempt;
        match (&state.status, &state.waiting) {
            (StepStatus::Running, _) => {
                let error = StepError::new(ErrorClass::Refused, "no");
                for result in [Ok(json!({})), Err(error)] {
                    let signal = Signal::StepEnded { step: id.clone(), attempt, result, usage: None };
                    signals.push(plain(signal));
                }
            }
            (StepStatus::Waiting, Some(waiting)) => {
                if matches!(waiting, Waiting::Approval(_)) {
                    for decision in [DecisionKind::Approve, DecisionKind::Reject] {
                        signals.push(plain(Signal::Decide { step: id.clone(), decision: word(decision, state, now) }));
                    }
                }
                let mut due = execution.clone();
                match due.steps.get_mut(id).and_then(|step| step.waiting.as_mut()).unwrap() {
                    Waiting::Approval(request) => request.due_at = Some(now),
                    Waiting::Timer { until, .. } => *until = now,
                    _ => continue,
                }
                signals.push((due, Signal::Wake));
            }
            _ => {}
        }
    }
    signals
}

pub(super) fn word(decision: DecisionKind, state: &StepState, now: Timestamp) -> Decision {
    Decision {
        person: Person { login: "ann".to_owned(), id: 0 },
        decision,
        at: now,
        note: None,
        source: Source { kind: SourceKind::Comment, id: state.decisions.len().to_string(), url: None },
        commit: None,
        call: None,
        counts_for: vec![0],
        owner_of: Vec::new(),
        in_place_of: Vec::new(),
    }
}

fn passed(process: &Process, passes: &[Passes], moment: &Moment) -> bool {
    process.steps.iter().zip(passes).zip(moment).any(|((_, passes), shown)| match shown {
        Shown::Fate(fate) => passes.by(*fate),
        Shown::Took(_) => passes.by(Fate::Took(0)),
    })
}

/// Whether a counterexample is what the engine did at that moment.
fn replays(model: &Model<'_>, run: &Run, step: usize, moment: &Moment) -> bool {
    let undoes = model.id(step).starts_with('u');
    run.iter().filter(|(one, ..)| *one != step).all(|(one, fate, _)| match (fate, &moment[*one]) {
        (Fate::Took(taken), Shown::Took(ids)) => {
            let ways = model.nodes[*one].branches.iter().enumerate().filter(|(at, _)| taken & (1 << at) != 0);
            let expected: BTreeSet<String> =
                ways.flat_map(|(_, way)| &way.to).map(|to| model.id(*to).to_owned()).collect();
            expected == *ids
        }
        // What runs whatever happens may have been cancelled while it ran, or still be to come.
        (Fate::Open | Fate::Cancelled, Shown::Fate(Fate::Open | Fate::Cancelled)) if undoes => true,
        (fate, Shown::Fate(shown)) => fate == shown,
        _ => false,
    })
}

fn cancelled(run: &Run) -> bool {
    run.iter().any(|(_, fate, _)| *fate == Fate::Cancelled)
}

fn check(text: &str, chosen: &[bool], by_people: bool) -> Result<(), TestCaseError> {
    let repository = Repository::read([(".flow/processes/story.yaml".to_owned(), text.to_owned())]);
    let (file, process) = repository.process("story").unwrap();
    prop_assert!(file.faults.is_empty() && file.structure.is_empty(), "{:?}", file.structure);
    let plan = repository.plan("story").unwrap().unwrap();
    let Some(played) = play(&plan) else { return Ok(()) };
    let model = Model::of(process, None, &process.steps);
    let passes: Vec<Passes> = process
        .steps
        .iter()
        .zip(chosen.iter().cycle())
        .map(|(step, chosen)| match step.step_type() {
            // What ends in the moment in which it starts ends by the order of the file, which nobody means.
            StepType::Set | StepType::Gateway => Passes::Never,
            // A wait with `run_on: always` surely ends before anybody can retry, though nothing waits for it. The prover
            // looks only at what is before a step, and says that it need not have been passed.
            StepType::Wait => Passes::Never,
            StepType::HumanApproval if by_people => Passes::ByPeople,
            _ if by_people || !chosen => Passes::Never,
            _ => Passes::Completed,
        })
        .collect();
    let none = BTreeSet::new();
    for step in 0..model.graph.len() {
        let id = model.id(step);
        let moments = played.get(id).unwrap_or(&none);
        let bad: Vec<&Moment> = moments.iter().filter(|moment| !passed(process, &passes, moment)).collect();
        match starts(&model, step, &passes, &std::cell::Cell::new(usize::MAX)) {
            Found::Nothing => prop_assert!(bad.is_empty(), "{id} starts without passing: {bad:?}\n{text}\n{passes:?}"),
            // Undoing after a retry by hand of one step alone needs something else to be under way then, which a
            // process as small as these does not have.
            Found::Run(run) if id.starts_with('u') && bad.is_empty() && cancelled(&run) => {}
            Found::Run(run) => {
                let replayed = bad.iter().any(|moment| replays(&model, &run, step, moment));
                prop_assert!(
                    replayed,
                    "{id}: no run is like {run:?}; {} are bad\n{text}\n{passes:?}\n{bad:?}",
                    bad.len()
                );
            }
            Found::Unsure(asking) => {
                let undoes = (0..model.graph.len()).any(|step| model.is_undone(step));
                let has_reason = model.is_unsure(asking) || model.asks_about_steps(asking) || undoes;
                prop_assert!(has_reason, "{id}: `{}` asks nothing strange\n{text}", model.id(asking));
                UNDECIDED.fetch_add(1, Ordering::Relaxed);
            }
            Found::TooMany => prop_assert!(false, "a small process has few states\n{text}"),
        }
    }
    Ok(())
}

/// How often neither was proved.
static UNDECIDED: AtomicUsize = AtomicUsize::new(0);

/// What the prover says of a process is what the engine does.
fn agrees(text: &str) {
    check(text, &[false], false).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_was_asked_in_the_first_moment_is_not_asked_again_when_a_slower_step_has_ended() {
    agrees(
        "name: story\nversion: 1\ninputs: {a: {type: boolean}, b: {type: boolean}}\nsteps:\n\
         - {id: s0, type: gateway, branches: [{when: true, to: [s2]}]}\n\
         - {id: s1, type: human_approval, approvers: {users: [ann]}, timeout: 1h}\n\
         - {id: s2, depends_on: [s1], join: any, when: '{{ steps.s1.output is defined }}', type: api_call, url: 'http://127.0.0.1/'}\n\
         - {id: other, type: wait, for: 1m}\n",
    );
}

#[test]
fn what_was_cancelled_behind_an_undone_step_begins_again_with_it() {
    agrees(
        "name: story\nversion: 1\ninputs: {a: {type: boolean}, b: {type: boolean}}\nsteps:\n\
         - {id: s0, type: api_call, url: 'http://127.0.0.1/', compensate_with: u0}\n\
         - {id: s1, type: wait, for: 1m, depends_on: [s0]}\n\
         - {id: s2, type: set, values: {x: 1}, depends_on: [s1], run_on: failure}\n\
         - {id: u0, type: api_call, url: 'http://127.0.0.1/', run_on: compensation}\n\
         - {id: other, type: wait, for: 1m}\n",
    );
}

/// More of them with `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

/// The same processes each time, so that a run of everything says something about a change; others with
/// `PROPTEST_RNG_SEED`.
fn seed() -> RngSeed {
    match std::env::var_os("PROPTEST_RNG_SEED") {
        Some(_) => ProptestConfig::default().rng_seed,
        None => RngSeed::Fixed(1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 100, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn verdicts_are_those_of_the_engine(
        steps in random_process(),
        chosen in prop::collection::vec(any::<bool>(), 5),
        by_people in any::<bool>(),
    ) {
        check(&yaml(&steps), &chosen, by_people)?;
        if std::env::var_os("PROPTEST_CASES").is_some() {
            eprintln!("{} steps undecided by now", UNDECIDED.load(Ordering::Relaxed));
        }
    }
}
