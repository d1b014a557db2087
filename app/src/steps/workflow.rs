//! `workflow` where no GitHub runs it: in a local repository it is refused, unless everything outside is mocked. On
//! GitHub the engine hands the step to the outbox, which dispatches the workflow and looks after its run.

use async_trait::async_trait;
use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::StepError;
use serde_json::json;

use super::{Attempt, Performed, Performer};

/// Stands in for GitHub Actions.
#[derive(Debug, Clone, Copy)]
pub struct WorkflowPerformer {
    mocks: bool,
}

impl WorkflowPerformer {
    /// One that lets every workflow succeed where `mocks` says so, and refuses them otherwise.
    #[must_use]
    pub fn new(mocks: bool) -> Self {
        Self { mocks }
    }
}

#[async_trait]
impl Performer for WorkflowPerformer {
    async fn perform(&self, _: Attempt) -> Performed {
        if self.mocks {
            return Ok(json!({"run_id": 0, "conclusion": "success", "url": "", "output": {}})).into();
        }
        let message = "GitHub Actions runs workflows, and this repository is served without GitHub; \
                       `flowctl run --mock` lets them succeed";
        Err(StepError::new(ErrorClass::Refused, message)).into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::execution::{ExecutionId, TenantId};
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn without_github_it_is_refused_or_mocked() {
        let attempt = Attempt {
            tenant: TenantId::local(),
            execution: ExecutionId::nil(),
            step: "ship".to_owned(),
            attempt: 1,
            input: Value::Null,
            secret_texts: Vec::new(),
            deadline: None,
            idempotency_key: String::new(),
            journal: crate::steps::Journal::default(),
        };
        let refused = WorkflowPerformer::new(false).perform(attempt.clone()).await.result.unwrap_err();
        assert_eq!(refused.class, ErrorClass::Refused);
        let mocked = WorkflowPerformer::new(true).perform(attempt).await.result.unwrap();
        assert_eq!(mocked["conclusion"], "success");
    }
}
