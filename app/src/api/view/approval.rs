//! Approvals.

use flowctl_core::approval::evaluate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::people::{ApproversView, DecisionView, MissingView, name};
use super::usage::CallView;
use crate::store::{Approval, ApprovalStatus};

/// How an approval stands.
#[derive(ToSchema)]
#[schema(as = ApprovalStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum ApprovalStatusSchema {
    Pending,
    Approved,
    Rejected,
    Expired,
    Cancelled,
}

/// One question to people.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Approval)]
pub struct ApprovalView {
    /// A UUIDv7.
    pub id: Uuid,
    /// Whose it is.
    pub tenant: String,
    /// The execution's repository.
    pub repository: String,
    /// The execution's process.
    pub process: String,
    /// The execution that waits for it.
    pub execution: Uuid,
    /// The step.
    pub step: String,
    /// The step's attempt.
    pub attempt: u32,
    /// How it stands.
    #[schema(value_type = ApprovalStatusSchema)]
    pub status: String,
    /// The headline.
    pub title: String,
    /// What is to be approved, in Markdown.
    pub description: String,
    /// How urgent it is: `low`, `normal`, `high`, `urgent`.
    pub priority: String,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    /// The deadline.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// The commit that is asked about.
    pub commit: Option<String>,
    /// The call of a tool that it would allow, where an agent asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallView>,
    /// Who is asked.
    pub approvers: ApproversView,
    /// Who is still missing.
    pub missing: Vec<MissingView>,
    /// Every word said, in order.
    pub decisions: Vec<DecisionView>,
    /// The execution's page.
    pub url: Option<String>,
}

impl ApprovalView {
    /// An approval as it is stored.
    pub fn of(approval: &Approval) -> Self {
        let request = &approval.request;
        let missing = match approval.status {
            ApprovalStatus::Pending => evaluate(&request.requirement, &approval.decisions).missing,
            _ => Vec::new(),
        };
        Self {
            id: approval.id,
            tenant: approval.tenant.0.clone(),
            repository: approval.repository.clone(),
            process: approval.process.clone(),
            execution: approval.execution,
            step: approval.step.clone(),
            attempt: approval.attempt,
            status: approval.status.as_str().to_owned(),
            title: request.title.clone(),
            description: request.description.clone(),
            priority: name(&request.priority),
            requested_at: request.requested_at,
            due_at: request.due_at,
            ended_at: approval.ended_at,
            commit: request.head_sha.clone(),
            call: request.call.as_deref().map(CallView::of),
            approvers: ApproversView::of(&request.requirement),
            missing: missing.iter().map(MissingView::of).collect(),
            decisions: approval.decisions.iter().map(DecisionView::of).collect(),
            url: approval.url.clone(),
        }
    }
}

/// How an approval stands, as a parameter.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum ApprovalStatusParameter {
    Pending,
    Approved,
    Rejected,
    Expired,
    Cancelled,
}
