//! Sub-processes: an attempt of a `process` step starts its child in the transaction in which it goes on to wait for
//! it, and the child's end is told in the transaction that ends it. So neither is ever without the other.

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::{
    Execution, ExecutionId, MAX_DEPTH, NewExecution, Parent, Plan, Signal, StepError, TriggerInfo, create_child,
    signals_to_others,
};
use serde_json::{Map, Value, json};

use super::conflict::{MAX_CONFLICTS, rest_after};
use super::measures;
use super::outputs::Decided;
use super::recent::Standing;
use super::signal::SignalFailure;
use super::{Along, DefinitionError, Engine};
use crate::crash_point;
use crate::store::{ClaimedWork, NewSignal, StoreError, Transition};

/// What other executions are told of a transition: a parent that its child ended, a child that nobody waits for it.
pub(super) fn signals(plan: Option<&Plan>, before: Option<&Execution>, after: &Execution) -> Vec<NewSignal> {
    let told = signals_to_others(plan, before, after).into_iter();
    told.map(|(execution, signal)| NewSignal { execution, signal }).collect()
}

/// What an attempt of a `process` step says.
struct Call {
    process: String,
    inputs: Map<String, Value>,
    waits: bool,
}

impl Call {
    fn of(input: &Value) -> Self {
        Self {
            process: input.get("process").and_then(Value::as_str).unwrap_or_default().to_owned(),
            inputs: input.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default(),
            waits: input.get("wait").and_then(Value::as_bool).unwrap_or(true),
        }
    }
}

impl Engine {
    /// Starts the child of an attempt, or ends the attempt where that cannot be. Nothing is left to do where the step
    /// does not run the attempt any more.
    pub(super) async fn start_child(&self, work: &ClaimedWork) -> Result<(), SignalFailure> {
        for conflicts in 1..=MAX_CONFLICTS {
            let stored = self.inner.load(&work.tenant, work.execution).await?.ok_or(SignalFailure::NotFound)?;
            match self.start_child_once(work, &stored.into()).await {
                Err(SignalFailure::Store(StoreError::Conflict)) => measures::conflict(),
                done => return done,
            }
            rest_after(conflicts).await;
        }
        Err(SignalFailure::Store(StoreError::Conflict))
    }

    async fn start_child_once(&self, work: &ClaimedWork, before: &Standing) -> Result<(), SignalFailure> {
        let parent = &*before.execution;
        let Some(step) = parent.steps.get(&work.step) else { return Ok(()) };
        let call = Call::of(&step.input);
        let now = self.now();
        let child = match self.child(work, parent, &call).await? {
            Ok(child) => child,
            Err(error) => return self.refuse_child(work, error).await,
        };
        let id = child.execution.id;
        let (step, attempt) = (work.step.clone(), work.attempt);
        let signal = if call.waits {
            Signal::ChildStarted { step, attempt, execution: id }
        } else {
            Signal::StepEnded { step, attempt, result: Ok(json!({"execution": id})), usage: None }
        };
        let plan = self.inner.plan_of(parent).await?;
        let Decided { after, events, outputs } = self.decide(&plan, parent, signal, now).await?;
        let along = Along { outputs, ..self.under(work) };
        let transition = self.transition(Some(&plan), Some(before), after, events, along, now);
        crash_point("child.starting");
        let transition = Transition { starts: vec![child], ..transition };
        let (_, committed) = self.store_transition(transition, &mut None).await?;
        crash_point("child.started");
        match committed.busy {
            Some(busy) => {
                let message = format!("another execution of its concurrency group is under way: {busy}");
                self.refuse_child(work, StepError::new(ErrorClass::Refused, message)).await
            }
            None => Ok(()),
        }
    }

    async fn refuse_child(&self, work: &ClaimedWork, error: StepError) -> Result<(), SignalFailure> {
        let ended =
            Signal::StepEnded { step: work.step.clone(), attempt: work.attempt, result: Err(error), usage: None };
        self.transit(&work.tenant, work.execution, self.under(work), &mut None, |_| ended.clone()).await.map(drop)
    }

    /// The execution above a child that waits for it and is of its concurrency group: neither could ever go on.
    async fn above_in_group(
        &self,
        parent: &Execution,
        child: &Execution,
        waits: bool,
    ) -> Result<Option<ExecutionId>, StoreError> {
        let Some(group) = &child.group else { return Ok(None) };
        let (mut above, mut waits) = (parent.clone(), waits);
        while waits {
            if above.group.as_ref().is_some_and(|other| other.key == group.key) {
                return Ok(Some(above.id));
            }
            let Some(next) = above.parent.take() else { break };
            let Some(stored) = self.inner.load(&child.tenant, next.execution).await? else { break };
            (above, waits) = (stored.execution, next.waits);
        }
        Ok(None)
    }

    /// The child's first transition, or why there is no child.
    async fn child(
        &self,
        work: &ClaimedWork,
        parent: &Execution,
        call: &Call,
    ) -> Result<Result<Transition, StepError>, SignalFailure> {
        let refused = |message: String| Ok(Err(StepError::new(ErrorClass::Refused, message)));
        let depth = parent.parent.as_ref().map_or(0, |above| above.depth) + 1;
        if depth > MAX_DEPTH {
            return refused(format!("sub-processes may be {MAX_DEPTH} deep at most"));
        }
        let Execution { tenant, repository, repository_id, revision, .. } = parent;
        let plan = match self.inner.definitions.plan(tenant, repository, revision, &call.process).await {
            Ok(plan) => plan,
            Err(error @ DefinitionError::Unavailable { .. }) => return Err(error.into()),
            Err(error) => return refused(error.to_string()),
        };
        let now = self.now();
        let id = self.inner.ids.execution(now);
        let new = NewExecution {
            id,
            tenant: tenant.clone(),
            repository: repository.clone(),
            repository_id: *repository_id,
            revision: revision.clone(),
            trigger: TriggerInfo {
                kind: "process".to_owned(),
                actor: parent.trigger.actor.clone(),
                payload: json!({"process": parent.process, "execution": parent.id, "step": work.step}),
                pull_request: parent.trigger.pull_request.clone(),
            },
            subject: parent.subject.clone(),
            inputs: call.inputs.clone(),
            url: self.url_of(id),
        };
        let of =
            Parent { execution: parent.id, step: work.step.clone(), attempt: work.attempt, depth, waits: call.waits };
        let (mut execution, created) = match create_child(&plan, new, of, now) {
            Ok(created) => created,
            Err(error) => return refused(format!("the sub-process `{}` cannot start: {error}", call.process)),
        };
        if let Some(above) = self.above_in_group(parent, &execution, call.waits).await? {
            let key = execution.group.map(|group| group.key).unwrap_or_default();
            return refused(format!(
                "the sub-process `{}` is of the concurrency group `{key}`, which execution {above} has until it ends, \
                 and that waits for the sub-process",
                call.process
            ));
        }
        let (mut events, mut along) = (vec![created], Along::default());
        if execution.group.is_none() {
            let decided = self.decide(&plan, &execution, Signal::Start, now).await?;
            execution = decided.after;
            events.extend(decided.events);
            along.outputs = decided.outputs;
        }
        let start_key = Some(format!("child:{}/{}/{}", parent.id, work.step, work.attempt));
        Ok(Ok(Transition { start_key, ..self.transition(Some(&plan), None, execution, events, along, now) }))
    }
}
