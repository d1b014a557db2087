//! What was missed, in the shape in which GitHub would have told of it: payloads made from what its API lists. What
//! GitHub does not list stays out: who pushed, closed or dismissed is nobody here (GitHub's own account for that is
//! `ghost`), and the text of a review is left out, since nobody can tell whether it was edited.

use bytes::Bytes;
use flowctl_core::command::read;
use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::github::client::{InstallationClient, RepositoryName};
use crate::store::{DeliveryId, NewDelivery};

/// How the ids of such deliveries begin. GitHub's are UUIDs; what comes in over HTTP may not begin so.
const PREFIX: &str = "reconciled:";

/// Whether a delivery was put into the inbox by looking.
pub fn is_reconciled(id: &str) -> bool {
    id.starts_with(PREFIX)
}

/// What is recorded once a comment has been dealt with.
pub fn of_comment(comment: u64) -> String {
    format!("comment:{comment}")
}

/// What is recorded once a review has been dealt with, or its dismissal.
pub fn of_review(review: u64, action: &str) -> String {
    format!("review:{review}:{action}")
}

/// What is recorded once something about a pull request has been dealt with.
pub fn of_pull_request(repository: u64, number: u64, what: &str) -> String {
    format!("pull:{repository}#{number}:{what}")
}

/// What is recorded once the head of a pull request has been dealt with.
pub fn of_head(repository: u64, number: u64, head: &str) -> String {
    of_pull_request(repository, number, &format!("head:{head}"))
}

/// What is recorded once somebody was seen to push to a pull request.
pub fn of_pusher(repository: u64, number: u64, person: u64) -> String {
    of_pull_request(repository, number, &format!("pushed:{person}"))
}

/// A repository that is being looked at.
pub(super) struct Place<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) client: &'a InstallationClient,
    /// GitHub's id of it.
    pub(super) id: u64,
    /// How it is called now.
    pub(super) name: RepositoryName,
    repository: Value,
}

/// One delivery that never came.
pub(super) struct Missed {
    what: String,
    event: &'static str,
    action: &'static str,
    tenant: TenantId,
    installation: u64,
    repository: String,
    number: u64,
    payload: Value,
}

impl Missed {
    /// As the inbox keeps it.
    pub(super) fn delivery(self, now: Timestamp) -> NewDelivery {
        NewDelivery {
            id: DeliveryId(format!("{PREFIX}{}", self.what)),
            event: self.event.to_owned(),
            action: Some(self.action.to_owned()),
            installation_id: Some(self.installation),
            tenant: Some(self.tenant),
            ordering_key: format!("{}#{}", self.repository, self.number),
            repository: Some(self.repository),
            body: Bytes::from(self.payload.to_string()),
            received_at: now,
        }
    }
}

/// That the suspension of an installation was lifted, which GitHub may have told while nobody listened.
pub(super) fn lifted(tenant: &TenantId, installation: u64, now: Timestamp) -> NewDelivery {
    let account = json!({"login": tenant.as_str()});
    let payload = json!({
        "action": "unsuspend",
        "installation": {"id": installation, "account": account, "suspended_at": null},
    });
    NewDelivery {
        id: DeliveryId(format!("{PREFIX}installation:{installation}:lifted:{}", now.as_millisecond())),
        event: "installation".to_owned(),
        action: Some("unsuspend".to_owned()),
        installation_id: Some(installation),
        tenant: Some(tenant.clone()),
        ordering_key: format!("installation:{installation}"),
        repository: None,
        body: Bytes::from(payload.to_string()),
        received_at: now,
    }
}

impl<'a> Place<'a> {
    /// `repository` is GitHub's answer; where it has no name of ours the one that was asked for stays.
    pub(super) fn of(
        tenant: &'a TenantId,
        client: &'a InstallationClient,
        asked: &RepositoryName,
        repository: Value,
    ) -> Self {
        let name = repository["full_name"].as_str().and_then(|name| name.parse().ok());
        let id = repository["id"].as_u64().unwrap_or_default();
        Self { tenant, client, id, name: name.unwrap_or_else(|| asked.clone()), repository }
    }

    fn missed(&self, what: &str, event: &'static str, action: &'static str, number: u64, own: Value) -> Missed {
        let installation = self.client.id().0;
        let mut payload = json!({
            "action": action,
            "installation": {"id": installation},
            "repository": self.repository,
        });
        if let (Some(payload), Value::Object(own)) = (payload.as_object_mut(), own) {
            payload.extend(own);
        }
        Missed {
            what: what.to_owned(),
            event,
            action,
            tenant: self.tenant.clone(),
            installation,
            repository: self.name.to_string(),
            number,
            payload,
        }
    }

    /// That the repository has this name.
    pub(super) fn called(&self, now: Timestamp) -> Missed {
        let what = format!("repository:{}:{}:{}", self.id, self.name, now.as_millisecond());
        // No word of GitHub's: nothing follows but that it is known.
        self.missed(&what, "repository", "looked_at", 0, json!({}))
    }

    pub(super) fn opened(&self, pull_request: &Value, state: &PullRequestState, what: &str) -> Missed {
        let sender = if pull_request["user"].is_object() { pull_request["user"].clone() } else { ghost() };
        self.changed(pull_request, state, "opened", sender, what)
    }

    pub(super) fn moved(&self, pull_request: &Value, state: &PullRequestState, what: &str) -> Missed {
        self.changed(pull_request, state, "synchronize", ghost(), what)
    }

    pub(super) fn closed(&self, pull_request: &Value, state: &PullRequestState, what: &str) -> Missed {
        self.changed(pull_request, state, "closed", ghost(), what)
    }

    fn changed(
        &self,
        pull_request: &Value,
        state: &PullRequestState,
        action: &'static str,
        sender: Value,
        what: &str,
    ) -> Missed {
        let own = json!({"number": state.number, "pull_request": pull_request, "sender": sender});
        self.missed(what, "pull_request", action, state.number, own)
    }

    pub(super) fn commented(&self, comment: &Value, number: u64, issue: Value, what: &str) -> Missed {
        let own = json!({"issue": issue, "comment": comment, "sender": comment["user"]});
        self.missed(what, "issue_comment", "created", number, own)
    }

    pub(super) fn reviewed(&self, review: &Value, number: u64, action: &'static str, what: &str) -> Missed {
        let mut review = review.clone();
        let has_text = has_text(&review);
        review["body"] = Value::Null;
        let own = json!({"review": review, "pull_request": {"number": number}, "text_left_out": has_text});
        self.missed(what, "pull_request_review", action, number, own)
    }
}

/// GitHub's account that stands for those who are not known
/// (<https://docs.github.com/en/account-and-profile/concepts/account-management#deletion-of-your-personal-account>).
fn ghost() -> Value {
    json!({"login": "ghost", "id": 10_137, "type": "User"})
}

/// What counts of a listed pull request.
pub(super) struct PullRequestState {
    pub(super) number: u64,
    pub(super) head_sha: String,
    pub(super) created_at: Timestamp,
    pub(super) closed_at: Option<Timestamp>,
}

impl PullRequestState {
    pub(super) fn of(pull_request: &Value) -> Option<Self> {
        Some(Self {
            number: pull_request["number"].as_u64()?,
            head_sha: pull_request["head"]["sha"].as_str()?.to_owned(),
            created_at: moment(&pull_request["created_at"])?,
            closed_at: moment(&pull_request["closed_at"]),
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// The number of the issue that a listed comment stands on: the end of its `issue_url`.
pub(super) fn number_of(comment: &Value) -> Option<u64> {
    comment["issue_url"].as_str()?.rsplit('/').next()?.parse().ok()
}

/// What is to be recorded of a comment that has something to say to us: written since, never changed (what it said at
/// first nobody knows then), by a person, with a slash word in it.
pub(super) fn comment_to_hear(comment: &Value, since: Timestamp) -> Option<String> {
    let created_at = moment(&comment["created_at"])?;
    let changed = moment(&comment["updated_at"]).is_some_and(|updated_at| updated_at > created_at);
    if created_at < since || changed || comment["performed_via_github_app"].is_object() {
        return None;
    }
    if comment["user"]["type"].as_str() == Some("Bot") {
        return None;
    }
    let reading = read(comment["body"].as_str()?);
    let says_nothing = reading.invocations.is_empty() && reading.errors.is_empty() && reading.unknown.is_empty();
    (!says_nothing).then(|| comment["id"].as_u64().map(of_comment)).flatten()
}

/// What is to be recorded of a review that decides, and what GitHub would have told: that it was submitted, or that it
/// was dismissed.
pub(super) fn review_to_hear(review: &Value, since: Timestamp) -> Option<(String, &'static str)> {
    let id = review["id"].as_u64()?;
    let submitted_at = moment(&review["submitted_at"])?;
    match review["state"].as_str()? {
        "APPROVED" | "CHANGES_REQUESTED" if submitted_at >= since => Some((of_review(id, "submitted"), "submitted")),
        "COMMENTED" if submitted_at >= since && commands(review) => Some((of_review(id, "submitted"), "submitted")),
        // When it was dismissed nobody says; what it had decided is taken back at most once.
        "DISMISSED" => Some((of_review(id, "dismissed"), "dismissed")),
        _ => None,
    }
}

/// Whether a review has a text and is younger than `until`: its delivery may still come, or be under way here.
pub(super) fn is_on_its_way(review: &Value, until: Timestamp) -> bool {
    has_text(review) && moment(&review["submitted_at"]).is_some_and(|at| at > until)
}

/// Whether a review says something.
fn has_text(review: &Value) -> bool {
    review["body"].as_str().is_some_and(|body| !body.trim().is_empty())
}

/// Whether the text of a review commands something.
fn commands(review: &Value) -> bool {
    review["body"].as_str().is_some_and(|body| !read(body).invocations.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    #[test]
    fn a_young_review_is_left_alone_where_its_author_would_be_asked_to_say_it_again() {
        let until: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        for (submitted_at, body, left) in [
            ("2026-03-02T09:00:01Z", "reads well", true),
            ("2026-03-02T09:00:01Z", " \n", false),
            ("2026-03-02T09:00:00Z", "reads well", false),
        ] {
            let review = json!({"submitted_at": submitted_at, "body": body});
            assert_eq!(is_on_its_way(&review, until), left, "{review}");
        }
        assert!(!is_on_its_way(&json!({"submitted_at": "2026-03-02T09:00:01Z", "body": null}), until));
    }

    fn comment(body: &str) -> Value {
        json!({
            "id": 9_000_000_007_u64,
            "issue_url": "https://api.github.com/repos/octo-org/shop/issues/12",
            "created_at": "2026-01-01T00:00:10Z",
            "updated_at": "2026-01-01T00:00:10Z",
            "user": {"login": "bob", "id": 1, "type": "User"},
            "performed_via_github_app": null,
            "body": body,
        })
    }

    #[test]
    fn only_what_a_person_wrote_and_nobody_changed_is_heard_afterwards() {
        let since: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let heard = |comment: &Value| comment_to_hear(comment, since);
        assert_eq!(number_of(&comment("/approve")), Some(12));
        assert_eq!(heard(&comment("/approve")).as_deref(), Some("comment:9000000007"));
        assert_eq!(heard(&comment("Looks good to me")), None);
        assert_eq!(heard(&comment("> /approve")), None, "a quotation");
        let changed = |field: &str, value: Value| {
            let mut comment = comment("/approve");
            comment[field] = value;
            heard(&comment)
        };
        assert_eq!(changed("updated_at", json!("2026-01-01T00:00:11Z")), None);
        assert_eq!(changed("created_at", json!("2025-12-31T00:00:00Z")), None);
        assert_eq!(changed("user", json!({"login": "helper[bot]", "id": 2, "type": "Bot"})), None);
        assert_eq!(changed("performed_via_github_app", json!({"id": 3})), None);
    }

    #[test]
    fn a_review_is_heard_where_it_decides_or_decides_no_more() {
        let since: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let heard = |state: &str, at: &str| {
            let review = json!({"id": 7, "state": state, "submitted_at": at});
            review_to_hear(&review, since).map(|(what, _)| what)
        };
        let (later, before) = ("2026-01-02T00:00:00Z", "2025-12-31T00:00:00Z");
        assert_eq!(heard("APPROVED", later).as_deref(), Some("review:7:submitted"));
        assert_eq!(heard("CHANGES_REQUESTED", later).as_deref(), Some("review:7:submitted"));
        assert_eq!(heard("APPROVED", before), None);
        assert_eq!(heard("COMMENTED", later), None);
        let commands = json!({"id": 7, "state": "COMMENTED", "submitted_at": later, "body": "/approve"});
        assert!(review_to_hear(&commands, since).is_some());
        assert_eq!(heard("DISMISSED", before).as_deref(), Some("review:7:dismissed"));
    }
}
