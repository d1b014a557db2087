//! `ends_within`: the longest that an execution may take by its definition, and the way that takes so long. Every
//! attempt takes its whole time, every pause is as long as it may be, every person waits for the deadline.

use std::collections::{BTreeMap, BTreeSet};

use super::equipped::{Asks, asks};
use super::every_path::World;
use super::items::most_items;
use super::judge::{DEEPEST_PROCESS, MAX_DEPTH, TOO_DEEP, is_whole};
use super::model::can_fail;
use super::pauses::{Pauses, retry};
use super::verdict::{Counterexample, Place, Verdict};
use crate::definition::process::Defaults;
use crate::definition::repository::{File, Repository};
use crate::definition::step::human_approval::OnTimeout;
use crate::definition::step::wait::{Wait, WaitEvent};
use crate::definition::step::{AgentTask, Foreach, HumanApproval, Join, RunOn, StepKind, SubProcess};
use crate::definition::{ErrorClass, Step, Templated};
use crate::graph::{Graph, StepIndex};
use crate::source::Spanned;
use crate::validate::ProcessScope;
use crate::value::Duration;

/// How long people have to say whether an agent may call a tool.
const LONGEST_QUESTION: u64 = 24 * 60 * 60 * 1_000;
/// Longer than any duration that can be written.
const FOREVER: u64 = u64::MAX / 4;

/// Proves or refutes.
pub(super) fn ends_within<'r>(
    world: &World<'_, 'r>,
    repository: &'r Repository,
    process: &ProcessScope<'r>,
    bound: Duration,
) -> Verdict<'r> {
    let defaults = repository.settings().map(|settings| settings.defaults.clone()).unwrap_or_default();
    let mut clock = Clock { world, repository, defaults: &defaults, known: BTreeMap::new(), within: BTreeSet::new() };
    let longest = match clock.execution(process, 0) {
        Err(Endless { faulty: true, .. }) => return Verdict::Faulty,
        Err(Endless { unproved: true, why, .. }) => return Verdict::Unproved(why),
        Ok(longest) if longest.millis <= bound.as_millis() => return Verdict::Holds,
        longest => longest,
    };
    let endless = longest.is_err();
    let (mut links, help, total) = match longest {
        Ok(longest) => {
            let help = "shorten a timeout on this way, or set `defaults.execution_timeout`".to_owned();
            (longest.links, help, format!("{}, which is longer than {bound}", Duration::from_millis(longest.millis)))
        }
        Err(endless) => {
            let (why, help) = (endless.why, endless.help);
            (endless.links, help, why)
        }
    };
    let words: Vec<String> = links.iter().map(|link| link.words.clone()).collect();
    let way = std::iter::once("`start`".to_owned()).chain(words).collect::<Vec<_>>().join(" → ");
    let path = if endless { format!("{total}: {way}") } else { format!("{way} = {total}") };
    let places = links.drain(..).map(|link| Place { message: link.words, file: link.file, span: link.span });
    Verdict::Fails(Counterexample { path, notes: Vec::new(), places: places.collect(), help: Some(help) })
}

/// How long something takes at most, and the steps that take it.
#[derive(Debug, Clone, Default)]
struct Longest<'r> {
    millis: u64,
    links: Vec<Link<'r>>,
}

/// A step on the longest way.
#[derive(Debug, Clone)]
struct Link<'r> {
    words: String,
    file: &'r File,
    span: crate::source::Span,
}

/// What has no bound, and why.
#[derive(Debug, Clone)]
struct Endless<'r> {
    /// Whether a fault is the cause that is told elsewhere.
    faulty: bool,
    /// Whether it may have a bound all the same, which nothing here says.
    unproved: bool,
    why: String,
    help: String,
    links: Vec<Link<'r>>,
}

type Bound<'r> = Result<Longest<'r>, Endless<'r>>;

impl Longest<'_> {
    /// Something else comes behind it.
    fn then(&mut self, next: Self) {
        self.millis = self.millis.saturating_add(next.millis).min(FOREVER);
        self.links.extend(next.links);
    }
}

impl<'r> Endless<'r> {
    fn of(context: &Context<'_, 'r>, step: &Step, why: String, help: String) -> Self {
        let links = vec![link(context, step, format!("`{}`", step.id))];
        Self { faulty: false, unproved: false, why, help, links }
    }

    fn unproved(context: &Context<'_, 'r>, step: &Step, why: String) -> Self {
        Self { unproved: true, ..Self::of(context, step, why, String::new()) }
    }

    fn faulty() -> Self {
        Self { faulty: true, unproved: false, why: String::new(), help: String::new(), links: Vec::new() }
    }
}

struct Clock<'c, 'w, 'r> {
    world: &'c World<'w, 'r>,
    repository: &'r Repository,
    /// The repository's.
    defaults: &'c Defaults,
    known: BTreeMap<String, Bound<'r>>,
    within: BTreeSet<String>,
}

impl<'w, 'r> Clock<'_, 'w, 'r> {
    /// A whole execution: the longest way through it, all that is undone one after the other, and what runs whatever
    /// happens after the execution's own time was over.
    fn execution(&mut self, process: &ProcessScope<'r>, depth: usize) -> Bound<'r> {
        let defaults = process.process.header.defaults.clone().or(self.defaults);
        let context = Context { process, defaults: &defaults, depth };
        let steps = &process.process.steps;
        let limit = defaults.execution_timeout.as_ref().map(|timeout| timeout.value.as_millis());
        let course = self.way(&context, steps, Counts::All);
        let mut longest = match (course, limit) {
            (Ok(course), None) => course,
            (Ok(course), Some(limit)) if course.millis <= limit => course,
            (_, Some(limit)) => {
                // Only steps that wait for others are still to come when the time is over.
                let late = self.way(&context, steps, Counts::Late)?;
                let name = process.process.header.name.as_str();
                let timeout = Duration::from_millis(limit);
                let words = format!("the execution of `{name}` is ended after {timeout}");
                let span = process.process.header.name.span;
                let ended = Link { words, file: process.file, span };
                let millis = limit.saturating_add(late.millis);
                Longest { millis, links: std::iter::once(ended).chain(late.links).collect() }
            }
            (Err(endless), None) => return Err(endless),
        };
        longest.then(self.undone(&context, steps)?);
        Ok(longest)
    }

    /// All compensations, for they run one after the other; those inside a body once for each item that may have run.
    fn undone(&mut self, context: &Context<'_, 'r>, steps: &[Step]) -> Bound<'r> {
        let graph = Graph::of_steps(steps);
        let mut longest = Longest::default();
        for (index, step) in graph.steps().enumerate() {
            if step.run_on == RunOn::Compensation && graph.undone_by(index).next().is_some() {
                longest.then(self.step(context, step)?);
            }
            if let StepKind::Foreach(foreach) = &step.kind {
                longest.then(self.undone_inside(context, step, foreach)?);
            }
        }
        Ok(longest)
    }

    fn undone_inside(&mut self, context: &Context<'_, 'r>, step: &Step, foreach: &Foreach) -> Bound<'r> {
        let deeper = Context { depth: context.depth + 1, ..*context };
        let item = self.undone(&deeper, &foreach.steps)?;
        if item.millis == 0 {
            return Ok(Longest::default());
        }
        let id = step.id.as_str();
        let Some(items) = most_items(context.process.process, foreach) else {
            let why = format!("nothing says how many items of `{id}` have to be undone; give its list a `max_items`");
            return Err(Endless::unproved(context, step, why));
        };
        let each = Duration::from_millis(item.millis);
        let words = format!("{items} items of `{id}` are undone one after the other, each up to {each}");
        let millis = item.millis.saturating_mul(items).min(FOREVER);
        Ok(Longest { millis, links: vec![link(context, step, words)] })
    }

    /// The longest way through a list of steps, of which only some are counted.
    fn way(&mut self, context: &Context<'_, 'r>, steps: &[Step], counts: Counts) -> Bound<'r> {
        let graph = Graph::of_steps(steps);
        let mut ends: Vec<u64> = vec![0; graph.len()];
        let mut before: Vec<Option<StepIndex>> = vec![None; graph.len()];
        let mut own: Vec<Vec<Link<'r>>> = vec![Vec::new(); graph.len()];
        let trace = |last: Option<StepIndex>, before: &[Option<StepIndex>], own: &[Vec<Link<'r>>]| {
            let mut steps = Vec::new();
            let mut at = last;
            while let Some(step) = at {
                steps.push(step);
                at = before[step];
            }
            steps.iter().rev().flat_map(|step| own[*step].clone()).collect::<Vec<_>>()
        };
        let mut last: Option<StepIndex> = None;
        let mut sure = vec![false; graph.len()];
        for index in graph.order().iter().copied() {
            let step = graph.step(index);
            if step.run_on == RunOn::Compensation {
                continue;
            }
            sure[index] = ends_well(&graph, index, &sure);
            let waited = || graph.before(index).iter().map(|edge| edge.from);
            let is_early = step.join == Join::Any && step.run_on != RunOn::Failure;
            // The first that ends well starts it, and where one surely does, it need not wait for a later one.
            let first = waited().filter(|from| is_early && sure[*from]).min_by_key(|from| (ends[*from], *from));
            let latest = first.or_else(|| waited().max_by_key(|from| (ends[*from], usize::MAX - from)));
            before[index] = latest;
            let start = latest.map_or(0, |from| ends[from]);
            ends[index] = start;
            let counted = match (counts, &step.kind) {
                (Counts::All, _) => Some(self.step(context, step)),
                (Counts::Late, _) if step.run_on == RunOn::Always && !graph.before(index).is_empty() => {
                    Some(self.step(context, step))
                }
                // Items under way still run what runs whatever happens, side by side; no further item begins.
                (Counts::Late, StepKind::Foreach(foreach)) => {
                    let deeper = Context { depth: context.depth + 1, ..*context };
                    Some(self.way(&deeper, &foreach.steps, Counts::Late))
                }
                (Counts::Late, _) => None,
            };
            if let Some(bound) = counted {
                match bound {
                    Ok(one) => {
                        ends[index] = start.saturating_add(one.millis).min(FOREVER);
                        own[index] = one.links;
                    }
                    Err(mut endless) => {
                        let mut links = trace(latest, &before, &own);
                        links.append(&mut endless.links);
                        return Err(Endless { links, ..endless });
                    }
                }
            }
            if last.is_none_or(|last| ends[index] > ends[last]) {
                last = Some(index);
            }
        }
        Ok(Longest { millis: last.map_or(0, |last| ends[last]), links: trace(last, &before, &own) })
    }

    /// One step with all its attempts.
    fn step(&mut self, context: &Context<'_, 'r>, step: &Step) -> Bound<'r> {
        if let Some(limit) = cut_short(step) {
            return up_to(context, step, limit);
        }
        match &step.kind {
            StepKind::Set(_) | StepKind::Gateway(_) => Ok(Longest::default()),
            StepKind::Wait(wait) => pause(context, step, wait),
            StepKind::HumanApproval(approval) => self.approval(context, step, approval),
            StepKind::Form(_) => {
                let timeout = limit(context, step)?;
                Ok(once(context, step, timeout.as_millis(), format!("`{}` waits {timeout} for people", step.id)))
            }
            StepKind::Foreach(foreach) => self.list(context, step, foreach),
            StepKind::Process(call) if call.wait => self.sub_process(context, step, call),
            StepKind::Process(_) => Ok(start(context, step)),
            StepKind::AgentTask(task) => self.agent(context, step, task),
            _ => call(context, step),
        }
    }

    fn approval(&self, context: &Context<'_, 'r>, step: &Step, approval: &HumanApproval) -> Bound<'r> {
        let timeout = limit(context, step)?;
        let (total, deadlines) = people(self.world, approval, timeout);
        let words = match deadlines {
            1 => format!("`{}` waits {timeout} for people", step.id),
            many => format!("`{}` waits {many} times {timeout} for people", step.id),
        };
        Ok(once(context, step, total, words))
    }

    /// All items of a `foreach`, in rounds.
    fn list(&mut self, context: &Context<'_, 'r>, step: &Step, foreach: &Foreach) -> Bound<'r> {
        let id = step.id.as_str();
        if let Some(timeout) = literal(step) {
            return up_to(context, step, timeout);
        }
        let default = context.default_limit(step);
        let Some(items) = most_items(context.process.process, foreach) else {
            if let Some(timeout) = default {
                return up_to(context, step, timeout);
            }
            let help = format!("give the list a `max_items`, or `{id}` a `timeout`");
            return Err(Endless::of(context, step, format!("`{id}` has no bound on its items"), help));
        };
        let deeper = Context { depth: context.depth + 1, ..*context };
        let item = self.way(&deeper, &foreach.steps, Counts::All);
        let rounds = items.div_ceil(u64::from(foreach.max_parallel.max(1)));
        let total = |item: &Longest<'_>| item.millis.saturating_mul(rounds).min(FOREVER);
        if let Some(timeout) = default.filter(|limit| is_beyond(*limit, item.as_ref().map(total))) {
            return up_to(context, step, timeout);
        }
        let item = item?;
        let words = format!("`{id}` runs {items} items of up to {}", Duration::from_millis(item.millis));
        Ok(attempts(context, step, total(&item), words))
    }

    /// A step that waits for another process.
    fn sub_process(&mut self, context: &Context<'_, 'r>, step: &Step, call: &SubProcess) -> Bound<'r> {
        if let Some(timeout) = literal(step) {
            return up_to(context, step, timeout);
        }
        let child = self.child(context, call.process.as_str(), step);
        let default = context.default_limit(step);
        if let Some(timeout) = default.filter(|limit| is_beyond(*limit, child.as_ref().map(|it| it.millis))) {
            return up_to(context, step, timeout);
        }
        let child = child?;
        let most = Duration::from_millis(child.millis);
        let words = format!("`{}` runs `{}`, up to {most}", step.id, call.process.as_str());
        Ok(attempts(context, step, child.millis, words))
    }

    /// A task of an agent. While people are asked about a call its time stands still, and it begins anew behind that.
    fn agent(&self, context: &Context<'_, 'r>, step: &Step, task: &AgentTask) -> Bound<'r> {
        let id = step.id.as_str();
        let again = retry(context.defaults, step).map_or(0, |retry| u64::from(retry.max_attempts - 1));
        match asks(self.repository, task) {
            // Calls that people refuse do not count for `max_tool_calls`.
            Asks::Before(tool) => Err(Endless::unproved(
                context,
                step,
                format!(
                    "nothing says how often `{id}` asks people about calls of `{tool}`, up to a day each; give the tool \
                     `approval: never`, or set `defaults.execution_timeout`"
                ),
            )),
            Asks::AfterTimeout if again > 0 => {
                let limit = limit(context, step)?.as_millis();
                let mut longest = call(context, step)?;
                let asked = again.saturating_mul(LONGEST_QUESTION.saturating_add(limit));
                longest.millis = longest.millis.saturating_add(asked).min(FOREVER);
                for link in &mut longest.links {
                    link.words.push_str(", and people have a day to say whether an interrupted call is made again");
                }
                Ok(longest)
            }
            Asks::Nobody | Asks::AfterTimeout => call(context, step),
        }
    }

    fn child(&mut self, context: &Context<'_, 'r>, name: &str, step: &Step) -> Bound<'r> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let Some(child) = self.world.processes.get(name).copied() else { return Err(Endless::faulty()) };
        if self.within.len() >= DEEPEST_PROCESS || !is_whole(child) || self.within.contains(name) {
            return Err(Endless::faulty());
        }
        if context.depth >= MAX_DEPTH {
            return Err(Endless::unproved(context, step, TOO_DEEP.to_owned()));
        }
        self.within.insert(name.to_owned());
        let bound = self.execution(child, context.depth + 1).map_err(|mut endless| {
            endless.links.insert(0, link(context, step, format!("`{}`", step.id)));
            endless
        });
        self.within.remove(name);
        self.known.insert(name.to_owned(), bound.clone());
        bound
    }
}

/// Which steps of a list take time.
#[derive(Clone, Copy)]
enum Counts {
    /// All of them.
    All,
    /// Those that are still to come once the execution's own time is over.
    Late,
}

/// What steps of one list share.
#[derive(Clone, Copy)]
struct Context<'c, 'r> {
    process: &'c ProcessScope<'r>,
    defaults: &'c Defaults,
    depth: usize,
}

fn link<'r>(context: &Context<'_, 'r>, step: &Step, words: String) -> Link<'r> {
    Link { words, file: context.process.file, span: step.id.span }
}

fn pause<'r>(context: &Context<'_, 'r>, step: &Step, wait: &Wait) -> Bound<'r> {
    let id = step.id.as_str();
    let endless = |why: String, help: String| Err(Endless::of(context, step, why, help));
    match (wait.duration.as_deref(), &wait.until, &wait.event) {
        (Some(Templated::Literal(pause)), ..) => {
            Ok(once(context, step, pause.as_millis(), format!("`{id}` waits {pause}")))
        }
        (Some(_), ..) => endless(format!("how long `{id}` waits is computed"), format!("write out `for` of `{id}`")),
        (None, Some(_), _) => {
            endless(format!("`{id}` waits for a moment"), format!("wait a length of time in `{id}`: `for`"))
        }
        (None, None, Some(event)) => until_event(context, step, event),
        (None, None, None) => Ok(Longest::default()),
    }
}

/// A step that waits for an event. It fails in no other way than that nothing came.
fn until_event<'r>(context: &Context<'_, 'r>, step: &Step, event: &WaitEvent) -> Bound<'r> {
    let id = step.id.as_str();
    let Some(Templated::Literal(limit)) = awaited(context, step, event) else {
        let why = format!("`{id}` waits for an event without a `timeout`");
        return Err(Endless::of(context, step, why, format!("give the event of `{id}` a `timeout`")));
    };
    let words = format!("`{id}` waits up to {limit} for `{}`", event.name.value);
    match retry(context.defaults, step).is_some_and(|retry| retry.covers(ErrorClass::Timeout)) {
        true => Ok(attempts(context, step, limit.as_millis(), words)),
        false => Ok(once(context, step, limit.as_millis(), words)),
    }
}

/// A step that calls something.
fn call<'r>(context: &Context<'_, 'r>, step: &Step) -> Bound<'r> {
    up_to(context, step, limit(context, step)?)
}

fn up_to<'r>(context: &Context<'_, 'r>, step: &Step, limit: Duration) -> Bound<'r> {
    Ok(attempts(context, step, limit.as_millis(), format!("`{}` runs up to {limit}", step.id)))
}

/// What a step does a single time.
fn once<'r>(context: &Context<'_, 'r>, step: &Step, millis: u64, words: String) -> Longest<'r> {
    let links = if millis == 0 { Vec::new() } else { vec![link(context, step, words)] };
    Longest { millis, links }
}

/// A step that starts another process and does not wait for it. That it cannot be started may be tried again.
fn start<'r>(context: &Context<'_, 'r>, step: &Step) -> Longest<'r> {
    match retry(context.defaults, step).is_some_and(|retry| retry.covers(ErrorClass::Refused)) {
        true => attempts(context, step, 0, format!("`{}` starts another process", step.id)),
        false => Longest::default(),
    }
}

/// The same thing again as often as `retry` allows, with the pauses between.
fn attempts<'r>(context: &Context<'_, 'r>, step: &Step, millis: u64, words: String) -> Longest<'r> {
    let Some(retry) = retry(context.defaults, step) else {
        return Longest { millis, links: vec![link(context, step, words)] };
    };
    let pauses = Pauses::of(step, &retry);
    let total = millis.saturating_mul(u64::from(retry.max_attempts)).saturating_add(pauses.millis).min(FOREVER);
    let between = Duration::from_millis(pauses.millis);
    let mut words = format!("{words}, {} times, with pauses of {between}", retry.max_attempts);
    if pauses.asked {
        words.push_str(" where the other side asks for them");
    }
    Longest { millis: total, links: vec![link(context, step, words)] }
}

/// How long an attempt of a step may take.
fn limit<'r>(context: &Context<'_, 'r>, step: &Step) -> Result<Duration, Endless<'r>> {
    let id = step.id.as_str();
    let endless = |why: String, help: String| Err(Endless::of(context, step, why, help));
    match context.limit(step) {
        Some(Templated::Literal(limit)) => Ok(limit),
        Some(Templated::Template(_)) => {
            endless(format!("the `timeout` of `{id}` is computed"), format!("write out the `timeout` of `{id}`"))
        }
        None => endless(format!("`{id}` has no `timeout`"), format!("give `{id}` a `timeout`")),
    }
}

/// Whether a step ends well in every run in which nobody cancels: it cannot fail, nothing skips it, and neither can what
/// it waits for. `sure` tells that of the steps before it.
fn ends_well(graph: &Graph<'_>, index: StepIndex, sure: &[bool]) -> bool {
    let step = graph.step(index);
    let mut edges = graph.before(index).iter();
    let reached = graph.before(index).is_empty()
        || match step.join {
            Join::All => edges.all(|edge| sure[edge.from] && !edge.gateway),
            Join::Any => edges.any(|edge| sure[edge.from] && !edge.gateway),
        };
    let is_plain = matches!(step.kind, StepKind::Set(_) | StepKind::Wait(_)) && !can_fail(step, None);
    is_plain && reached && step.when.is_none() && step.run_on == RunOn::Success && step.timeout.is_none()
}

impl Context<'_, '_> {
    /// How long an attempt may take.
    fn limit(&self, step: &Step) -> Option<Templated<Duration>> {
        step.effective_timeout(self.defaults.timeout).map(|timeout| timeout.length().into_owned())
    }

    /// The same of a step that does not say so itself.
    fn default_limit(&self, step: &Step) -> Option<Duration> {
        self.limit(step).filter(|_| step.timeout.is_none()).and_then(|limit| limit.literal())
    }
}

/// The `timeout` of a `wait` that may be over before what is waited for.
fn cut_short(step: &Step) -> Option<Duration> {
    let StepKind::Wait(wait) = &step.kind else { return None };
    let over = |limit: &Duration| match wait.duration.as_deref() {
        Some(Templated::Literal(pause)) => pause > limit,
        _ => wait.event.is_none(),
    };
    literal(step).filter(over)
}

/// How long a step waits for an event: the earlier of its own `timeout` and the event's.
fn awaited(context: &Context<'_, '_>, step: &Step, event: &WaitEvent) -> Option<Templated<Duration>> {
    match (event.timeout.as_ref().and_then(|timeout| timeout.literal()), literal(step)) {
        (Some(event), Some(own)) => Some(Templated::Literal(event.min(own))),
        (Some(one), None) | (None, Some(one)) => Some(Templated::Literal(one)),
        (None, None) => context.limit(step),
    }
}

/// Whether something ends with a limit and not by itself.
fn is_beyond(limit: Duration, millis: Result<u64, &Endless<'_>>) -> bool {
    millis.is_ok_and(|millis| millis > limit.as_millis()) || millis.is_err_and(|endless| !endless.faulty)
}

fn literal(step: &Step) -> Option<Duration> {
    step.timeout.as_ref().and_then(|timeout: &Spanned<Templated<Duration>>| timeout.literal())
}

/// How long people may take, and how many deadlines that are: with `on_timeout: escalate` each level that is still to
/// come when the deadline is over starts it anew.
fn people(world: &World<'_, '_>, approval: &HumanApproval, timeout: Duration) -> (u64, u64) {
    let patience = timeout.as_millis();
    let by_policy = approval.policy.as_ref().map(|name| world.policies.escalations(&name.value)).unwrap_or_default();
    let levels = approval.escalate.iter().chain(by_policy);
    let mut levels: Vec<u64> = levels.map(|level| level.after.value.as_millis()).collect();
    levels.sort_unstable();
    let mut due = patience;
    let mut deadlines = 1;
    if approval.on_timeout == OnTimeout::Escalate {
        let mut rest = levels.into_iter().peekable();
        loop {
            while rest.next_if(|after| *after <= due).is_some() {}
            if rest.next().is_none() {
                break;
            }
            due = due.saturating_add(patience).min(FOREVER);
            deadlines += 1;
        }
    }
    (due, deadlines)
}
