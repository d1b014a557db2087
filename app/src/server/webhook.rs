//! Webhooks come in: proven by their signature, stored, and only then acknowledged. Nothing is decided here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use flowctl_core::execution::TenantId;
use metrics::counter;
use secrecy::SecretString;
use serde::Deserialize;

use crate::clock::Clock;
use crate::crash_point;
use crate::github::reconcile::is_reconciled;
use crate::github::signature::{SIGNATURE_HEADER, SignatureError, verify};
use crate::store::{DeliveryId, NewDelivery, Receipt, Store};
use crate::telemetry::names;

/// What receiving needs.
#[derive(Clone)]
pub(super) struct Inbox {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) secret: SecretString,
}

type Answer = (StatusCode, String);

/// Takes one delivery: 202 once it is stored, 200 where it was stored before.
pub(super) async fn receive(
    State(inbox): State<Inbox>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return (rejection.status(), format!("{}\n", rejection.body_text())),
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Err(error) = verify(&inbox.secret, &body, header(SIGNATURE_HEADER)) {
        tracing::warn!(delivery = header("x-github-delivery"), %error, "a webhook was refused");
        count("", "refused");
        let status = match error {
            SignatureError::Malformed => StatusCode::BAD_REQUEST,
            SignatureError::Missing | SignatureError::Wrong => StatusCode::UNAUTHORIZED,
        };
        return (status, format!("{error}\n"));
    }
    let (Some(id), Some(event)) = (header("x-github-delivery"), header("x-github-event")) else {
        count("", "refused");
        let lacking = "the headers X-GitHub-Delivery and X-GitHub-Event are needed\n";
        return (StatusCode::BAD_REQUEST, lacking.to_owned());
    };
    if is_reconciled(id) {
        count("", "refused");
        return (StatusCode::BAD_REQUEST, "the header X-GitHub-Delivery is none of GitHub's ids\n".to_owned());
    }
    store(&inbox, id, event, body).await
}

async fn store(inbox: &Inbox, id: &str, event: &str, body: Bytes) -> Answer {
    let envelope = match serde_json::from_slice::<Envelope>(&body) {
        Ok(envelope) => envelope,
        Err(error) => {
            count(event, "refused");
            return (StatusCode::BAD_REQUEST, format!("the body is not the JSON of a webhook: {error}\n"));
        }
    };
    let delivery = NewDelivery {
        id: DeliveryId(id.to_owned()),
        event: event.to_owned(),
        tenant: envelope.tenant(),
        repository: envelope.repository.as_ref().map(|repository| repository.full_name.clone()),
        ordering_key: envelope.ordering_key(),
        installation_id: envelope.installation.as_ref().map(|installation| installation.id),
        action: envelope.action,
        body,
        received_at: inbox.clock.now(),
    };
    match inbox.store.receive(delivery).await {
        Ok(receipt) => {
            crash_point("received");
            count(event, if receipt == Receipt::Stored { "stored" } else { "duplicate" });
            match receipt {
                Receipt::Stored => (StatusCode::ACCEPTED, "stored\n".to_owned()),
                Receipt::Duplicate => (StatusCode::OK, "stored before\n".to_owned()),
            }
        }
        Err(error) => {
            count(event, "failed");
            tracing::error!(delivery = id, %error, "a webhook could not be stored");
            (StatusCode::SERVICE_UNAVAILABLE, "it could not be stored; redeliver it\n".to_owned())
        }
    }
}

/// Only what GitHub signed names an event: nobody else makes names up.
fn count(event: &str, outcome: &'static str) {
    counter!(names::DELIVERIES, "event" => event.to_owned(), "outcome" => outcome).increment(1);
}

/// What must be known of a payload before it is stored: whose it is, and what it is about.
#[derive(Debug, Default, Deserialize)]
struct Envelope {
    action: Option<String>,
    installation: Option<Installation>,
    repository: Option<Repository>,
    number: Option<u64>,
    pull_request: Option<Numbered>,
    issue: Option<Numbered>,
    check_run: Option<CheckRun>,
}

#[derive(Debug, Deserialize)]
struct Installation {
    id: u64,
    account: Option<Account>,
}

#[derive(Debug, Deserialize)]
struct Account {
    login: String,
}

#[derive(Debug, Deserialize)]
struct Repository {
    full_name: String,
    owner: Option<Account>,
}

#[derive(Debug, Deserialize)]
struct Numbered {
    number: u64,
}

#[derive(Debug, Deserialize)]
struct CheckRun {
    #[serde(default)]
    pull_requests: Vec<Numbered>,
    head_sha: Option<String>,
}

impl Envelope {
    /// The account that installed the App: the repository's owner, or the installation's own account.
    fn tenant(&self) -> Option<TenantId> {
        let owner = self.repository.as_ref().and_then(|repository| repository.owner.as_ref());
        let account = owner.or(self.installation.as_ref().and_then(|installation| installation.account.as_ref()))?;
        Some(TenantId(account.login.clone()))
    }

    /// Deliveries about one pull request are handled one after the other, as are others of one repository.
    fn ordering_key(&self) -> String {
        let Some(repository) = &self.repository else {
            return match &self.installation {
                Some(installation) => format!("installation:{}", installation.id),
                None => "app".to_owned(),
            };
        };
        let name = &repository.full_name;
        let of_check = self.check_run.as_ref().and_then(|check_run| check_run.pull_requests.first());
        let about = self.pull_request.as_ref().or(self.issue.as_ref()).or(of_check);
        if let Some(number) = about.map(|about| about.number).or(self.number) {
            return format!("{name}#{number}");
        }
        // The check run of a fork's pull request names no pull request.
        match self.check_run.as_ref().and_then(|check_run| check_run.head_sha.as_deref()) {
            Some(head) => format!("{name}@{head}"),
            None => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Envelope;

    #[test]
    fn deliveries_about_one_pull_request_share_a_key() {
        let table = [
            (r#"{"repository": {"full_name": "o/r"}, "pull_request": {"number": 7}, "number": 7}"#, "o/r#7"),
            (r#"{"repository": {"full_name": "o/r"}, "issue": {"number": 7}, "comment": {"id": 1}}"#, "o/r#7"),
            (r#"{"repository": {"full_name": "o/r"}, "check_run": {"pull_requests": [{"number": 7}]}}"#, "o/r#7"),
            (r#"{"repository": {"full_name": "o/r"}, "check_run": {"head_sha": "abc"}}"#, "o/r@abc"),
            (r#"{"repository": {"full_name": "o/r"}, "ref": "refs/heads/main"}"#, "o/r"),
            (r#"{"installation": {"id": 3, "account": {"login": "o"}}, "action": "created"}"#, "installation:3"),
            (r#"{"zen": "Keep it logically awesome."}"#, "app"),
        ];
        for (payload, key) in table {
            let envelope: Envelope = serde_json::from_str(payload).unwrap_or_default();
            assert_eq!(envelope.ordering_key(), key, "{payload}");
        }
    }

    #[test]
    fn the_tenant_is_the_owner_or_the_account() {
        let of = |payload: &str| serde_json::from_str::<Envelope>(payload).unwrap_or_default().tenant();
        let repository = r#"{"repository": {"full_name": "o/r", "owner": {"login": "o"}}}"#;
        assert_eq!(of(repository).map(|tenant| tenant.0), Some("o".to_owned()));
        let installation = r#"{"installation": {"id": 3, "account": {"login": "a"}}}"#;
        assert_eq!(of(installation).map(|tenant| tenant.0), Some("a".to_owned()));
    }
}
