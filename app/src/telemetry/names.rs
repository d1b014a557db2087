//! The names of metrics, as Prometheus' conventions ask for: a unit at the end, `_total` for what only grows
//! (<https://prometheus.io/docs/practices/naming/>). Labels never name tenants, repositories, processes or people:
//! `/metrics` may be read by whoever reaches the server.

/// Executions that were accepted.
pub const EXECUTIONS_STARTED: &str = "flowctl_executions_started_total";
/// Executions that ended, by `status`.
pub const EXECUTIONS_ENDED: &str = "flowctl_executions_ended_total";
/// From acceptance to the end, by `status`.
pub const EXECUTION_DURATION: &str = "flowctl_execution_duration_seconds";
/// Steps that ended, by `type` and `status`.
pub const STEPS_ENDED: &str = "flowctl_steps_ended_total";
/// From a step's first attempt to its end, by `type`.
pub const STEP_DURATION: &str = "flowctl_step_duration_seconds";
/// Attempts that failed and are followed by another, by `type`.
pub const STEPS_RETRIED: &str = "flowctl_steps_retried_total";
/// Attempts made again because their server stopped in the middle of them.
pub const STEPS_REPEATED: &str = "flowctl_steps_repeated_total";
/// Questions to models that ended, by `provider` and `outcome`.
pub const MODEL_CALLS: &str = "flowctl_model_calls_total";
/// Tokens that models read and wrote, by `provider` and `direction`.
pub const MODEL_TOKENS: &str = "flowctl_model_tokens_total";
/// Calls of tools by agents that ended.
pub const TOOL_CALLS: &str = "flowctl_tool_calls_total";
/// Budgets of models that are nearly used, by whose it is: `budget`.
pub const BUDGET_ALERTS: &str = "flowctl_budget_alerts_total";
/// What people decided, by `decision` and the way it came, `source`.
pub const DECISIONS: &str = "flowctl_decisions_total";
/// Transitions that had to be decided again because another one came first.
pub const CONFLICTS: &str = "flowctl_transition_conflicts_total";
/// Transactions of the store's writer.
pub const COMMITS: &str = "flowctl_store_commits_total";
/// How long they took.
pub const COMMIT_DURATION: &str = "flowctl_store_commit_duration_seconds";
/// How many requests each took along.
pub const COMMIT_SIZE: &str = "flowctl_store_commit_requests";
/// Transactions that failed.
pub const COMMITS_FAILED: &str = "flowctl_store_commits_failed_total";
/// Webhooks, by `event` and `outcome`.
pub const DELIVERIES: &str = "flowctl_deliveries_total";
/// Webhooks that are stored and were given up.
pub const DELIVERIES_FAILED: &str = "flowctl_deliveries_failed";
/// Requests answered, by `method`, `route` and `status`.
pub const HTTP_REQUESTS: &str = "flowctl_http_requests_total";
/// How long answers took, by `method` and `route`.
pub const HTTP_DURATION: &str = "flowctl_http_request_duration_seconds";
/// Requests to GitHub, by `method` and `status`.
pub const GITHUB_REQUESTS: &str = "flowctl_github_requests_total";
/// What is left of GitHub's hourly limit, as its last answer said.
pub const GITHUB_LEFT: &str = "flowctl_github_rate_limit_remaining";
/// What waits in a `queue`.
pub const QUEUE: &str = "flowctl_queue_length";
/// For how long the first of a `queue` has been due.
pub const QUEUE_AGE: &str = "flowctl_queue_oldest_seconds";
/// Events that the event stream was told of.
pub const STREAM_EVENTS: &str = "flowctl_stream_events_total";
/// Tries to tell it that failed.
pub const STREAM_FAILURES: &str = "flowctl_stream_failures_total";
/// Executions that have not ended, by `status`.
pub const EXECUTIONS: &str = "flowctl_executions";
/// What GitHub was to be told and was given up.
pub const EFFECTS_FAILED: &str = "flowctl_effects_failed";
/// Whether the database answered when it was asked for these figures.
pub const STORE_UP: &str = "flowctl_store_up";
/// 1, with the version.
pub const BUILD: &str = "flowctl_build_info";
