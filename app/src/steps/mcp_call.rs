//! `mcp_call`: one operation of a tool. Turns an attempt's input into a call and checks the result; how tools are called is
//! `tools`'.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::definition::tool::ToolApproval;
use flowctl_core::definition::{ErrorClass, field};
use flowctl_core::execution::{EquippedTool, StepError};
use serde_json::{Map, Value};

use super::secrets::{self, Secrets};
use super::{Attempt, Performed, Performer, listed, time_left};
use crate::clock::Clock;
use crate::tools::{OperationCall, Toolbox};

/// How long a call may take where its attempt has no deadline: as `core` gives it one.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Performs `mcp_call`.
pub struct McpCallPerformer {
    tools: Toolbox,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
}

impl McpCallPerformer {
    /// A performer that calls tools of this box.
    #[must_use]
    pub fn new(tools: Toolbox, secrets: Arc<dyn Secrets>, clock: Arc<dyn Clock>) -> Self {
        Self { tools, secrets, clock }
    }
}

#[async_trait]
impl Performer for McpCallPerformer {
    async fn perform(&self, attempt: Attempt) -> Performed {
        self.call(attempt).await.into()
    }
}

impl McpCallPerformer {
    async fn call(&self, attempt: Attempt) -> Result<Value, StepError> {
        let Attempt { tenant, mut input, secret_texts, deadline, idempotency_key, .. } = attempt;
        let redaction = secrets::fill(&mut input, &secret_texts, |name| self.secrets.get(&tenant, name))?;
        let limit = deadline.map_or(USUAL_TIMEOUT, |deadline| time_left(deadline, self.clock.now()));
        let called = async {
            let definition = definition_of(&input)?;
            let operation = input.get("operation").and_then(Value::as_str).unwrap_or_default();
            let arguments = input.get("arguments").and_then(Value::as_object).cloned().unwrap_or_default();
            let arguments: Map<String, Value> = arguments;
            let call = OperationCall { operation, arguments: &arguments, idempotency_key: &idempotency_key };
            let result = self.tools.open(&tenant, &definition)?.call(call, limit).await?;
            check(&definition.name, operation, input.get("expect_schema"), &result)?;
            Ok(result)
        };
        called.await.map(|result| redaction.value(result)).map_err(|error: StepError| redaction.error(error))
    }
}

/// The tool as the definition has it. One that asks a person before each call asks nobody here: who wrote the process put
/// this call where it stands, and a step `human_approval` before it shows what is asked.
fn definition_of(input: &Value) -> Result<EquippedTool, StepError> {
    let refused = |message: String| StepError::new(ErrorClass::Refused, message);
    let definition = input.get("definition").cloned().unwrap_or(Value::Null);
    let definition: EquippedTool = serde_json::from_value(definition)
        .map_err(|error| refused(format!("the step has no tool that can be used: {error}")))?;
    if definition.approval == ToolApproval::Always {
        return Err(refused(format!(
            "tool `{}` wants a person's word before each call (`approval: always`); `mcp_call` asks nobody: let an agent \
             call it, or set `approval: writes` and put a `human_approval` before this step",
            definition.name
        )));
    }
    Ok(definition)
}

fn check(tool: &str, operation: &str, schema: Option<&Value>, result: &Value) -> Result<(), StepError> {
    let faults = schema.map(|schema| field::faults(schema, result)).unwrap_or_default();
    if faults.is_empty() {
        return Ok(());
    }
    let message =
        format!("the result of `{operation}` of tool `{tool}` does not have the expected form: {}", listed(&faults));
    Err(StepError::new(ErrorClass::Schema, message))
}
