//! A list of steps as the prover sees it: edges, conditions, and how each step may end. Follows `execution` step by step:
//! what may happen there may happen here.

use super::conditions::{Atoms, Condition, Part};
use super::copies::{Children, Copies, no_children};
use super::related::{Related, values_of};
use crate::definition::step::gateway::GatewayMode;
use crate::definition::step::human_approval::{OnReject, OnTimeout};
use crate::definition::step::{Join, OnFailure, RunOn, StepKind};
use crate::definition::{Process, Step, Templated};
use crate::graph::{Edge, Graph, StepIndex};
use crate::source::Spanned;
use crate::value::Duration;

/// How a step stands at some moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fate {
    /// It has not ended: it waits for its edges, or it runs.
    Open,
    /// It completed. An approval: the people who were asked approved.
    Completed,
    /// A gateway completed: a bit for each branch that it took.
    Took(u64),
    /// An approval: nobody came, and that counts as approved.
    LapsedApproved,
    /// An approval: it was rejected, and the process goes on.
    RejectedOn,
    /// An approval: nobody came, and the process goes on.
    Expired,
    /// It failed, and that is tolerated.
    Tolerated,
    /// It failed.
    Failed,
    /// It was skipped.
    Skipped,
    /// Somebody cancelled the execution before it ended.
    Cancelled,
}

impl Fate {
    /// Every fate; a gateway's without its ways.
    pub(super) const ALL: [Self; 10] = [
        Self::Open,
        Self::Completed,
        Self::Took(0),
        Self::LapsedApproved,
        Self::RejectedOn,
        Self::Expired,
        Self::Tolerated,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// Whether its status is `completed`, and it has an output.
    pub(super) fn is_completed(self) -> bool {
        use Fate::{Completed, Expired, LapsedApproved, RejectedOn, Took};
        matches!(self, Completed | Took(_) | LapsedApproved | RejectedOn | Expired)
    }

    /// Whether an approval's decision is `approved`.
    pub(super) fn decision(self) -> Option<&'static str> {
        match self {
            Self::Completed | Self::LapsedApproved => Some("approved"),
            Self::RejectedOn => Some("rejected"),
            Self::Expired => Some("expired"),
            _ => None,
        }
    }

    /// The word of its status, once it ended.
    pub(super) fn status(self) -> Option<&'static str> {
        match self {
            Self::Open => None,
            Self::Tolerated | Self::Failed => Some("failed"),
            Self::Skipped => Some("skipped"),
            Self::Cancelled => Some("cancelled"),
            _ => Some("completed"),
        }
    }
}

/// A step.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) run_on: RunOn,
    pub(super) join: Join,
    pub(super) when: Option<Condition>,
    /// How it may end once it runs; a gateway's ways are in `ways`.
    pub(super) ends: Vec<Fate>,
    /// Whether it ends in the moment in which it starts.
    pub(super) at_once: bool,
    /// Whether its failure is tolerated.
    pub(super) tolerant: bool,
    /// What says after it that people approved, as an author writes it.
    pub(super) approved: Option<String>,
    pub(super) branches: Vec<Way>,
    pub(super) mode: GatewayMode,
}

/// A branch of a gateway.
#[derive(Debug)]
pub(super) struct Way {
    /// Nothing for `otherwise`.
    pub(super) when: Option<Condition>,
    pub(super) to: Vec<StepIndex>,
}

/// A list of steps.
#[derive(Debug)]
pub(super) struct Model<'p> {
    pub(super) graph: Graph<'p>,
    pub(super) nodes: Vec<Node>,
    /// Every step's place in [`Graph::order`]; nothing for steps on a circle.
    pub(super) place: Vec<Option<usize>>,
    pub(super) atoms: Atoms,
    /// Which truths may be so together.
    pub(super) related: Related,
}

impl<'p> Model<'p> {
    /// A list of steps of a process, and no other process.
    pub(super) fn of(process: &Process, default: Option<Spanned<Duration>>, steps: &'p [Step]) -> Self {
        Self::beside(process, default, steps, &no_children)
    }

    /// A list of steps of a process and the processes that it may run. `default` is `defaults.timeout` of `flow.yaml`.
    pub(super) fn beside(
        process: &Process,
        default: Option<Spanned<Duration>>,
        steps: &'p [Step],
        children: Children<'_, 'p>,
    ) -> Self {
        let graph = Graph::of_steps(steps);
        let mut atoms = Atoms::default();
        let copies = Copies::of(&graph, children);
        let own = process.header.defaults.timeout.or(default);
        let nodes = (0..graph.len()).map(|step| node(&copies, step, &mut atoms, (own, default))).collect();
        let mut place = vec![None; graph.len()];
        for (at, step) in graph.order().iter().enumerate() {
            place[*step] = Some(at);
        }
        let related = Related::of(&atoms, &|chain| values_of(process, chain));
        Self { graph, nodes, place, atoms, related }
    }

    pub(super) fn before(&self, step: StepIndex) -> &[Edge] {
        self.graph.before(step)
    }

    pub(super) fn id(&self, step: StepIndex) -> &'p str {
        self.graph.step(step).id.as_str()
    }

    /// Whether what a step asks, in its condition or its branches, is not followed in all it says.
    pub(super) fn is_unsure(&self, step: StepIndex) -> bool {
        self.parts(step).any(|part| part.unsure || part.atom().is_some_and(|atom| self.related.is_entangled(atom)))
    }

    /// Whether what a step asks may depend on how others ended in a way that is not followed.
    pub(super) fn asks_about_ends(&self, step: StepIndex) -> bool {
        self.parts(step).any(|part| part.unsure)
    }

    /// Whether a step asks about others, in its condition or its branches.
    pub(super) fn asks_about_steps(&self, step: StepIndex) -> bool {
        self.parts(step).any(|part| !part.reads.is_empty())
    }

    /// Whether something undoes a step that completed, once the execution ends badly.
    pub(super) fn is_undone(&self, step: StepIndex) -> bool {
        self.graph.step(step).compensate_with.is_some()
    }

    fn parts(&self, step: StepIndex) -> impl Iterator<Item = &Part> {
        let node = &self.nodes[step];
        let conditions = node.when.iter().chain(node.branches.iter().filter_map(|way| way.when.as_ref()));
        conditions.flat_map(Condition::all_parts)
    }

    /// Whether a step's `when` is certain to hold.
    pub(super) fn always_wanted(&self, step: StepIndex) -> bool {
        self.nodes[step].when.as_ref().is_none_or(|when| when.parts.is_empty())
    }
}

/// `own` is how long a step of this process may take that does not say so, `default` one of a process that says nothing.
fn node(
    copies: &Copies<'_, '_>,
    index: StepIndex,
    atoms: &mut Atoms,
    (own, default): (Option<Spanned<Duration>>, Option<Spanned<Duration>>),
) -> Node {
    let graph = copies.graph;
    let step = graph.step(index);
    let when = step.when.as_ref().map(|when| atoms.condition(copies, &when.value));
    let tolerant = step.on_failure == OnFailure::Continue;
    let (branches, mode) = match &step.kind {
        StepKind::Gateway(gateway) => {
            let ways = gateway.branches.iter().map(|branch| Way {
                when: branch.when.as_ref().map(|when| atoms.condition(copies, &when.value)),
                to: branch.to.iter().filter_map(|id| graph.find(id.as_str())).collect(),
            });
            (ways.collect(), gateway.mode)
        }
        _ => (Vec::new(), GatewayMode::First),
    };
    let mut ends = copies.ends(index, default).unwrap_or_else(|| completions(step, own));
    if can_fail(step, own) {
        ends.push(if tolerant { Fate::Tolerated } else { Fate::Failed });
    }
    let at_once = matches!(step.kind, StepKind::Set(_) | StepKind::Gateway(_));
    let approved = copies.approved(index);
    Node { run_on: step.run_on, join: step.join, when, ends, at_once, tolerant, approved, branches, mode }
}

/// The ways in which a step completes.
pub(super) fn completions(step: &Step, default: Option<Spanned<Duration>>) -> Vec<Fate> {
    let StepKind::HumanApproval(approval) = &step.kind else {
        return if matches!(step.kind, StepKind::Gateway(_)) { Vec::new() } else { vec![Fate::Completed] };
    };
    let mut ends = vec![Fate::Completed];
    if step.effective_timeout(default).is_some() {
        match approval.on_timeout {
            OnTimeout::Approve => ends.push(Fate::LapsedApproved),
            OnTimeout::Continue => ends.push(Fate::Expired),
            OnTimeout::Reject | OnTimeout::Fail | OnTimeout::Escalate => {}
        }
    }
    if approval.on_reject == OnReject::Continue {
        ends.push(Fate::RejectedOn);
    }
    ends
}

/// Whether a step may fail once it runs. What is only written out and needs nobody cannot.
pub(super) fn can_fail(step: &Step, default: Option<Spanned<Duration>>) -> bool {
    use crate::definition::step::form::FormTimeout;
    let computed = |text: &str| text.contains("{{") || text.contains("{%");
    match &step.kind {
        StepKind::Set(set) => set.values.values().any(|value| computed(&value.value.to_string())),
        StepKind::Wait(wait) => {
            step.timeout.is_some() || !matches!(wait.duration.as_deref(), Some(Templated::Literal(_)))
        }
        // Its branches say whether it fails.
        StepKind::Gateway(_) => false,
        StepKind::HumanApproval(approval) => {
            let times_out = step.effective_timeout(default).is_some() && approval.on_timeout == OnTimeout::Fail;
            let texts = [&approval.title, &approval.description, &step.common.name];
            let shown = texts.into_iter().flatten().any(|text| computed(text));
            let timed = matches!(step.timeout.as_deref(), Some(Templated::Template(_)));
            approval.on_reject == OnReject::Fail || times_out || shown || timed || names_are_computed(approval)
        }
        StepKind::Form(form) => {
            let times_out = step.effective_timeout(default).is_some() && form.on_timeout == FormTimeout::Fail;
            let texts = [&form.title, &form.description, &step.common.name];
            let shown = texts.into_iter().flatten().any(|text| computed(text));
            times_out
                || shown
                || form.assignees.is_some()
                || matches!(step.timeout.as_deref(), Some(Templated::Template(_)))
        }
        _ => true,
    }
}

/// Whether naming the approvers may fail: a template in it, a policy, or more people than are listed.
fn names_are_computed(approval: &crate::definition::step::HumanApproval) -> bool {
    use crate::definition::Approvers;
    let plain = |approvers: &Approvers| match approvers {
        Approvers::Users { users, count } => users.len() as u64 == u64::from(*count) || *count == 1,
        Approvers::Role { .. } => true,
        _ => false,
    };
    let text = serde_json::to_string(&approval.approvers).unwrap_or_default();
    approval.policy.is_some()
        || !approval.escalate.is_empty()
        || text.contains("{{")
        || !approval.approvers.as_ref().is_some_and(|approvers| plain(approvers))
}
