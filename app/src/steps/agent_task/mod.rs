//! `agent_task`: a model works on a message with tools, turn by turn, until it answers. Every turn and every call is in the
//! journal, so that a repetition goes on where the attempt was; a call that may have changed something is never made twice
//! unless it may be, or people say so. How models and tools are reached is `ai`'s and `tools`'.

mod calls;
mod conversation;
mod equipment;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::approval::Requirement;
use flowctl_core::definition::{ErrorClass, field};
use flowctl_core::execution::budget::Limits;
use flowctl_core::execution::{CallDecision, Entry, Speaker, StepError, StopReason};
use serde::Deserialize as _;
use serde_json::Value;

use self::calls::Calls;
use self::conversation::{AGAIN, Conversation, Next, Open, REPAIR};
use self::equipment::Equipment;
use super::ai_generate::{self, without_fence};
use super::{Attempt, Journal, Performed, Performer, listed, time_left};
use crate::ai::{Asking, Providers, Question};
use crate::clock::Clock;
use crate::tools::Toolbox;

/// How long a task may take where its attempt has no deadline: as `core` gives it one.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Turns of the model where nothing is said.
const USUAL_TURNS: u64 = 50;
/// Calls of tools where nothing is said.
const USUAL_CALLS: u64 = 200;
/// How often a model is shown that its answer does not fit.
const MAX_REPAIRS: usize = 2;

/// Performs `agent_task`.
pub struct AgentTaskPerformer {
    providers: Arc<Providers>,
    tools: Toolbox,
    clock: Arc<dyn Clock>,
}

impl AgentTaskPerformer {
    /// A performer that asks these models and calls tools of this box.
    #[must_use]
    pub fn new(providers: Arc<Providers>, tools: Toolbox, clock: Arc<dyn Clock>) -> Self {
        Self { providers, tools, clock }
    }
}

#[async_trait]
impl Performer for AgentTaskPerformer {
    async fn perform(&self, attempt: Attempt) -> Performed {
        let limit = attempt.deadline.map_or(USUAL_TIMEOUT, |deadline| time_left(deadline, self.clock.now()));
        let working = async { Task::begin(self, &attempt).await?.work().await };
        let result = tokio::time::timeout(limit, working).await.unwrap_or_else(|_| {
            Err(StepError::new(ErrorClass::Timeout, "the agent took longer than the step's `timeout`"))
        });
        // What was used is in the journal.
        result.into()
    }
}

/// One attempt at a task.
struct Task {
    asking: Asking,
    journal: Journal,
    conversation: Conversation,
    equipment: Equipment,
    calls: Calls,
    /// The question without its messages.
    question: Question,
    schema: Option<Value>,
    max_turns: u64,
    max_calls: u64,
}

impl Task {
    async fn begin(performer: &AgentTaskPerformer, attempt: &Attempt) -> Result<Self, StepError> {
        let input = &attempt.input;
        let agent = input.get("definition").ok_or_else(|| refused("the step has no agent"))?;
        let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
        if input.get("session").and_then(Value::as_str) == Some("thread")
            || agent.get("memory").and_then(Value::as_str) == Some("thread")
        {
            return Err(refused(
                "an agent that remembers its thread (`session: thread`, `memory: thread`) is not performed yet",
            ));
        }
        let model = text(agent, "model").ok_or_else(|| refused("the agent has no model"))?;
        let providers = performer.providers.of(&attempt.tenant);
        let resolved = providers.resolve(&model).map_err(|error| refused(error.to_string()))?;
        let budgets: Vec<&Value> = [input.get("budget"), agent.get("budget")].into_iter().flatten().collect();
        let equipment = Equipment::open(&performer.tools, &attempt.tenant, input.get("equipment")).await?;
        let question = Question {
            model: resolved.model.clone(),
            tools: equipment.offers(),
            schema: input.get("output_schema").cloned(),
            temperature: agent.get("temperature").and_then(Value::as_f64),
            attempt: attempt.attempt,
            ..Question::default()
        };
        // Who was meant and cannot be read must not become whoever may write.
        let requirement = input.get("requirement").map(Requirement::deserialize).transpose();
        let requirement =
            requirement.map_err(|error| refused(format!("who may allow calls cannot be read: {error}")))?;
        let journal = attempt.journal.clone();
        let (instructions, message) = (text(agent, "instructions"), text(input, "message").unwrap_or_default());
        let mut conversation = Conversation::take_up(&journal, instructions.as_deref(), &message).await?;
        wait_for_tools(&conversation, &equipment)?;
        conversation.leave_out(&journal, equipment.left_out()).await?;
        let asking = Asking::new(providers, resolved, journal.clone(), limits(&budgets)?);
        let mut task = Self {
            conversation: conversation.within(asking.context_window()),
            asking,
            calls: Calls::new(journal.clone(), &attempt.step, &attempt.idempotency_key, requirement),
            journal,
            equipment,
            schema: question.schema.clone(),
            question,
            max_turns: smallest(&budgets, "max_turns").unwrap_or(USUAL_TURNS),
            max_calls: smallest(&budgets, "max_tool_calls").unwrap_or(USUAL_CALLS),
        };
        task.go_on_after_faults().await?;
        Ok(task)
    }

    /// Turn by turn, to an answer.
    async fn work(mut self) -> Result<Value, StepError> {
        loop {
            match self.conversation.next() {
                Next::Calls(calls) => {
                    let left = self.max_calls.saturating_sub(self.conversation.calls_made());
                    self.calls.make(&mut self.conversation, &self.equipment, calls, left).await?;
                }
                Next::Answer { stop: StopReason::Refused, .. } => {
                    return Err(refused(format!("the provider of `{}` withheld its answer", self.asking.model_name())));
                }
                Next::Summary(text) if text.trim().is_empty() => {
                    return Err(refused("the conversation is too long, and the model gave no summary of it"));
                }
                Next::Summary(text) => self.conversation.summarise(&self.journal, text).await?,
                Next::Answer { text, stop } => match self.value_of(&text, stop) {
                    Ok(value) => return Ok(value),
                    Err(faults) => self.repair(&faults).await?,
                },
                Next::Ask => self.ask().await?,
            }
        }
    }

    async fn ask(&mut self) -> Result<(), StepError> {
        let turns = self.conversation.turns();
        if turns >= self.max_turns {
            let message =
                format!("the agent has not answered after {turns} turns, as many as its budget allows (`max_turns`)");
            return Err(refused(message));
        }
        if self.conversation.is_too_long(&self.question) {
            self.conversation.ask_for_summary(&self.journal).await?;
        }
        let question = self.conversation.question(&self.question);
        let answer = self.asking.ask(&question).await?;
        self.conversation.answered(&answer);
        Ok(())
    }

    /// What the answer is worth: a text, or the schema's value.
    fn value_of(&self, text: &str, stop: StopReason) -> Result<Value, Vec<(String, String)>> {
        let fault = |words: String| Err(vec![(String::new(), words)]);
        if stop == StopReason::Length {
            return fault("was cut off because it became too long".to_owned());
        }
        let Some(schema) = &self.schema else {
            return if text.trim().is_empty() {
                fault("is empty".to_owned())
            } else {
                Ok(Value::String(text.to_owned()))
            };
        };
        let value: Value = match serde_json::from_str(without_fence(text)) {
            Ok(value) => value,
            Err(error) => return fault(format!("is not JSON: {error}")),
        };
        let faults = field::faults(schema, &value);
        if faults.is_empty() { Ok(value) } else { Err(faults) }
    }

    async fn repair(&mut self, faults: &[(String, String)]) -> Result<(), StepError> {
        let faults = listed(faults);
        let (wrong, how) = match self.schema {
            Some(_) => ("does not satisfy `output_schema`", ", with nothing but the JSON"),
            None => ("cannot be used", ""),
        };
        if self.conversation.repairs() >= MAX_REPAIRS {
            let model = self.asking.model_name();
            let message = format!("the answer of `{model}` {wrong}, also after {MAX_REPAIRS} repairs: {faults}");
            return Err(StepError::new(ErrorClass::Schema, message));
        }
        let text = format!("{REPAIR} {faults}. Answer again{how}.");
        self.conversation.say(&self.journal, Speaker::User, text).await
    }

    /// Where an attempt before this one failed because of the last answer, the model is told so and has its repairs again.
    /// Tools were called because of what was said: it is not said anew.
    async fn go_on_after_faults(&mut self) -> Result<(), StepError> {
        if let Next::Answer { text, stop } = self.conversation.next()
            && self.conversation.repairs() >= MAX_REPAIRS
            && let Err(faults) = self.value_of(&text, stop)
        {
            let text = format!("{AGAIN} {}. Answer again.", listed(&faults));
            self.conversation.say(&self.journal, Speaker::User, text).await?;
        }
        Ok(())
    }
}

/// A call that may have been made, or that people allowed, needs its tool: nobody may say that it was not made, and nobody is
/// asked twice. The attempt fails as the tool does, and may be tried again.
fn wait_for_tools(conversation: &Conversation, equipment: &Equipment) -> Result<(), StepError> {
    let Next::Calls(open) = conversation.next() else { return Ok(()) };
    let is_allowed =
        |open: &Open| open.decided.as_ref().is_some_and(|decided| decided.decision == CallDecision::Approved);
    let waits = open.iter().filter(|open| open.wrote || is_allowed(open));
    match waits.filter_map(|open| equipment.left_out_of(open)).next() {
        Some(left_out) => Err(left_out.error.clone()),
        None => Ok(()),
    }
}

fn refused(message: impl Into<String>) -> StepError {
    StepError::new(ErrorClass::Refused, message)
}

/// The smallest of a limit in several budgets.
fn smallest(budgets: &[&Value], key: &str) -> Option<u64> {
    budgets.iter().filter_map(|budget| budget.get(key).and_then(Value::as_u64)).min()
}

/// What may be spent: of two budgets the smaller one, limit by limit. Money of two currencies cannot be compared, and that of the
/// step counts; validation has said so.
fn limits(budgets: &[&Value]) -> Result<Limits, StepError> {
    let each = budgets.iter().map(|budget| ai_generate::limits(Some(budget)).map_err(refused));
    let each = each.collect::<Result<Vec<Limits>, StepError>>()?;
    let costs = each.into_iter().filter_map(|limits| limits.max_cost);
    let max_cost =
        costs.reduce(
            |one, other| {
                if one.currency() == other.currency() && other.amount() < one.amount() { other } else { one }
            },
        );
    Ok(Limits { max_cost, max_tokens: smallest(budgets, "max_tokens") })
}

/// Records an entry and remembers it.
async fn record(journal: &Journal, entries: &mut Vec<Entry>, entry: Entry) -> Result<(), StepError> {
    journal.append(entry.clone()).await?;
    entries.push(entry);
    Ok(())
}
