//! GitHub's REST API as we use it: the App itself, and each installation with its token. octocrab carries the
//! requests; what is sent, retried and understood is decided here. Nothing here is durable, and nothing is repeated
//! but a request that a stale token had refused: repetition is the outbox's business.

mod about;
mod actions;
mod check_run;
mod comment;
mod error;
mod freshness;
mod git_data;
mod identity;
mod installation;
pub(in crate::github) mod pace;
mod people;
mod pull_request;
mod recent;
mod repository;
mod transport;

use std::sync::Arc;

use secrecy::SecretString;

use crate::clock::Clock;
use crate::settings::GitHubSettings;

pub use about::{Hook, Rate};
pub use actions::{Artifact, DeploymentReview, DeploymentState, DispatchedRun, WorkflowDispatch, WorkflowRun};
pub use check_run::{
    Annotation, AnnotationLevel, CheckAction, CheckConclusion, CheckOutput, CheckRun, CheckRunOutput, CheckRunQuery,
    CheckRunUpdate, CheckStatus, NewCheckRun,
};
pub use comment::{AppReference, IssueComment, Reaction};
pub use error::{GitHubError, RequestLine};
pub use git_data::{CommitObject, ObjectId};
#[cfg(test)]
pub(in crate::github) use identity::MOST_DELIVERY_PAGES;
pub use identity::{App, Deliveries, Delivery, Installation, InstallationAccount, OlderDeliveries};
pub use installation::InstallationClient;
pub use pace::{Because, Holds, Timing, Urgency};
pub use people::{Permission, User, UserKind};
pub use pull_request::{
    Branch, BranchCommit, ChangedFile, Commit, GitCommit, GitPerson, Label, PullRequest, PullRequestSide,
    PullRequestState, Repository, Review, ReviewState,
};
pub use repository::{InstallationId, RepositoryName, RepositoryNameError};

use freshness::Freshness;
use identity::{AppIdentity, Tokens};
use pace::{APP, Ask, Kind, Pace};
use transport::{Answer, Call, Transport};

/// GitHub, seen from one App. Cheap to clone; clones share connections, tokens and answers.
#[derive(Clone)]
pub struct GitHub {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    transport: Transport,
    identity: AppIdentity,
    tokens: Tokens,
    freshness: Freshness,
    pace: Pace,
    clock: Arc<dyn Clock>,
}

impl GitHub {
    /// Prepares the client; nothing is sent yet. Must be called inside a tokio runtime, and lives as long as that.
    ///
    /// # Errors
    /// [`GitHubError::Setup`] when the private key is no RSA key or TLS cannot be set up.
    pub fn new(settings: &GitHubSettings, clock: Arc<dyn Clock>) -> Result<Self, GitHubError> {
        let transport = Transport::new(&settings.api_url, Arc::clone(&clock))?;
        let identity = AppIdentity::new(settings.app_id, &settings.private_key)?;
        let (tokens, freshness) = (Tokens::default(), Freshness::default());
        let pace = Pace::new(settings.write_interval, settings.timing, Arc::clone(&clock));
        let shared = Shared { transport, identity, tokens, freshness, pace, clock };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The App itself: what needs no installation.
    #[must_use]
    pub fn app(&self) -> AppClient {
        AppClient { shared: Arc::clone(&self.shared) }
    }

    /// One installation; its token is fetched when it is first needed.
    #[must_use]
    pub fn installation(&self, id: InstallationId) -> InstallationClient {
        InstallationClient::new(Arc::clone(&self.shared), id)
    }

    /// How fast each installation is asked and told.
    pub(in crate::github) fn pace(&self) -> &Pace {
        &self.shared.pace
    }
}

impl std::fmt::Debug for GitHub {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("GitHub").field("api", self.shared.transport.base()).finish_non_exhaustive()
    }
}

/// What the App may ask with its own token (a JWT of at most nine minutes).
#[derive(Clone)]
pub struct AppClient {
    shared: Arc<Shared>,
}

impl Shared {
    /// A fresh token of the App.
    fn app_token(&self) -> Result<SecretString, GitHubError> {
        self.identity.token(self.clock.now())
    }

    /// Sends a request of the App's own at its pace, which tokens of all installations share.
    async fn send_as_app(&self, call: &Call, urgency: Urgency) -> Result<Answer, GitHubError> {
        let ask = Ask::new(Kind::of_app(&call.method), urgency);
        let passage = self.pace.enter(APP, ask).await.map_err(|rests| rests.instead_of(call.line()))?;
        self.transport.send(call, &self.app_token()?, &passage).await
    }
}

#[cfg(test)]
pub(in crate::github) mod tests;
