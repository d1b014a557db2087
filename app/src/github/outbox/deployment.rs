//! Deployments that wait for our protection rule: the end of an execution decides about the one that started it. Said
//! once; what GitHub no longer waits for is left as it is.

use flowctl_core::execution::{Execution, ExecutionId, ExecutionStatus};
use serde_json::Value;
use url::Url;

use super::address::Address;
use super::effect::Effect;
use super::failure::Failure;
use super::write::Writing;
use crate::github::client::pace::Kind;
use crate::github::client::{DeploymentReview, DeploymentState, GitHubError, RepositoryName};
use crate::github::whose::{Whose, all_names, whose};
use crate::github::wording::deployment;

/// A deployment that waits for us: the run, and the environment that one of its jobs wants to deploy to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentOf {
    /// GitHub's id of the run.
    pub run: u64,
    /// The environment.
    pub environment: String,
}

impl DeploymentOf {
    /// What a callback address names: `…/actions/runs/ID/deployment_protection_rule`. Only the run is taken of it; we
    /// call nobody but the GitHub that we know
    /// (<https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_protection_rule>).
    pub fn callback(address: &str, environment: &str) -> Option<Self> {
        let address = Url::parse(address).ok()?;
        let mut segments = address.path_segments()?.rev();
        let run = match (segments.next(), segments.next(), segments.next()) {
            (Some("deployment_protection_rule"), Some(run), Some("runs")) => run.parse().ok()?,
            _ => return None,
        };
        Some(Self { run, environment: environment.to_owned() })
    }

    /// The deployment that an execution decides about.
    pub fn execution(execution: &Execution) -> Option<Self> {
        if execution.trigger.kind != "deployment" || execution.parent.is_some() {
            return None;
        }
        let text = |name: &str| execution.trigger.payload.get(name).and_then(Value::as_str);
        Self::callback(text("deployment_callback_url")?, text("environment")?)
    }
}

/// What is said of a deployment once its execution has ended.
pub(super) fn decided(execution: &Execution) -> Option<Effect> {
    let of = DeploymentOf::execution(execution)?;
    let state = match execution.status {
        ExecutionStatus::Completed => DeploymentState::Approved,
        ExecutionStatus::Failed | ExecutionStatus::Cancelled => DeploymentState::Rejected,
        _ => return None,
    };
    let comment = deployment::decided(execution);
    let review = DeploymentReview { environment_name: of.environment, state: Some(state), comment };
    let repository = Address::of(execution)?;
    Some(Effect::ReviewDeployment { repository, run: of.run, review, execution: execution.id })
}

/// Whether every process that guards the environment has completed. One that could not start has not; where nothing says
/// which ones guard it, those that are open are asked.
async fn all_completed(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    of: &DeploymentOf,
    execution: ExecutionId,
) -> Result<bool, Failure> {
    let (store, tenant) = (&writing.outbox.store, &writing.effect.tenant);
    let Some(decider) = store.load(tenant, execution).await? else { return Ok(false) };
    let guarded_by = &decider.execution.trigger.payload["guarded_by"];
    let (Some(guards), Some(key)) = (guarded_by["processes"].as_array(), guarded_by["key"].as_str()) else {
        let decides = |other: &Execution| other.id != execution && DeploymentOf::execution(other).as_ref() == Some(of);
        let id = match whose(&**store, &decider.execution).await? {
            Whose::Known(id) => Some(id),
            Whose::Unheard | Whose::Unsure => None,
        };
        let mut names = all_names(&**store, tenant, &repository.to_string(), id).await?;
        if !names.contains(&decider.execution.repository) {
            names.push(decider.execution.repository.clone());
        }
        for name in names {
            if store.executions_of(tenant, &name, None, true).await?.iter().any(decides) {
                return Ok(false);
            }
        }
        return Ok(true);
    };
    for guard in guards {
        let start_key = format!("{key}:{}", guard.as_str().unwrap_or_default());
        let Some(id) = store.by_start_key(tenant, &start_key).await? else { return Ok(false) };
        let guard = store.load(tenant, id).await?;
        if guard.is_none_or(|guard| guard.execution.status != ExecutionStatus::Completed) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Says it. An approval waits until every process that guards the environment has approved: the last one says it.
pub(super) async fn review(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    run: u64,
    review: &DeploymentReview,
    execution: ExecutionId,
) -> Result<(), Failure> {
    if review.state == Some(DeploymentState::Approved) {
        let of = DeploymentOf { run, environment: review.environment_name.clone() };
        if !all_completed(writing, repository, &of, execution).await? {
            return Ok(());
        }
    }
    let request = writing.client.review_deployment(repository, run, review);
    match writing.write(Kind::Changes, request).await {
        // Somebody else decided, the run was cancelled, or an earlier attempt of ours arrived.
        Err(Failure::GitHub(
            error @ (GitHubError::Validation { .. } | GitHubError::NotFound { .. } | GitHubError::Conflict { .. }),
        )) => {
            tracing::info!(%error, run, environment = review.environment_name, "no deployment waits for this any more");
            Ok(())
        }
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_names_a_run_and_nothing_else_is_taken_of_it() {
        let of = |address: &str| DeploymentOf::callback(address, "production").map(|of| of.run);
        let callback = "https://api.github.com/repos/o/r/actions/runs/5000000042/deployment_protection_rule";
        assert_eq!(of(callback), Some(5_000_000_042));
        for wrong in [
            "",
            "nonsense",
            "https://evil.example/",
            "https://api.github.com/repos/o/r/actions/runs/x/deployment_protection_rule",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
