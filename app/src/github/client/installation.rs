//! What every request in an installation's name has in common: its token, a second try with a new one, pages.
//! Which requests there are stands in the files named after what they are about.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::ETAG;
use http::{Method, StatusCode};
use jiff::SignedDuration;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::Shared;
use super::error::GitHubError;
use super::freshness::FRESH_FOR;
use super::identity::Tokens;
use super::pace::{Ask, Holds, Kind, Passage, Urgency};
use super::repository::{InstallationId, RepositoryName};
use super::transport::{Answer, Call};

/// A list longer than this many pages of a hundred is an error rather than a part of the truth.
const MOST_PAGES: usize = 300;

/// One installation of the App. Cheap to clone.
#[derive(Clone)]
pub struct InstallationClient {
    pub(super) shared: Arc<Shared>,
    id: InstallationId,
    urgency: Urgency,
    holds: Holds,
    /// Taken for the next request already.
    place: Option<Arc<Mutex<Option<Passage>>>>,
}

impl std::fmt::Debug for InstallationClient {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("InstallationClient").field("id", &self.id).finish_non_exhaustive()
    }
}

impl InstallationClient {
    pub(super) fn new(shared: Arc<Shared>, id: InstallationId) -> Self {
        Self { shared, id, urgency: Urgency::default(), holds: Holds::default(), place: None }
    }

    /// The same for requests that somebody else waits for, or nobody.
    #[must_use]
    pub fn with_urgency(self, urgency: Urgency) -> Self {
        Self { urgency, ..self }
    }

    /// The same for somebody who holds something else than a lease while he waits.
    #[must_use]
    pub fn holding(self, holds: Holds) -> Self {
        Self { holds, ..self }
    }

    /// The same, whose next request has a place at the installation's pace and waits for none.
    #[must_use]
    pub(in crate::github) fn in_place(self, place: Passage) -> Self {
        Self { place: Some(Arc::new(Mutex::new(Some(place)))), ..self }
    }

    /// Which installation it is.
    #[must_use]
    pub fn id(&self) -> InstallationId {
        self.id
    }

    /// A token with at least five minutes to live: for git over HTTPS, as the password of `x-access-token`.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Uninstalled`] and [`GitHubError::Suspended`] when there is none to have.
    pub async fn token(&self) -> Result<SecretString, GitHubError> {
        Tokens::token(&self.shared, self.id, None).await
    }

    /// A token after `refused` was not accepted: a new one, unless somebody has fetched one since.
    ///
    /// # Errors
    /// As [`Self::token`].
    pub async fn token_instead_of(&self, refused: &SecretString) -> Result<SecretString, GitHubError> {
        Tokens::token(&self.shared, self.id, Some(refused)).await
    }

    /// Who waits for what is asked.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        self.urgency
    }

    /// Sends a request; a refused token is replaced once. GitHub looks at the token first, so what it refused with
    /// 401 has not been done.
    pub(super) async fn request(&self, call: &Call) -> Result<Answer, GitHubError> {
        match self.send(call, None).await {
            Err((GitHubError::Unauthorized { .. }, Some(refused))) => self.send(call, Some(&refused)).await,
            answered => answered,
        }
        .map_err(|(error, _)| error)
    }

    /// Sends a request once, at the installation's pace. An error comes with the token that was sent.
    async fn send(
        &self,
        call: &Call,
        refused: Option<&SecretString>,
    ) -> Result<Answer, (GitHubError, Option<SecretString>)> {
        // The token first: where there is none to have nothing is sent, and nothing counts.
        let token = Tokens::token(&self.shared, self.id, refused).await.map_err(|error| (error, None))?;
        let passage = self.passage(call).await.map_err(|error| (error, None))?;
        let answered = self.shared.transport.send(call, &token, &passage).await;
        answered.map_err(|error| (error, Some(token)))
    }

    /// The place that was taken, or the next one for such a request.
    async fn passage(&self, call: &Call) -> Result<Passage, GitHubError> {
        let place = self.place.as_ref();
        if let Some(taken) = place.and_then(|place| place.lock().unwrap_or_else(PoisonError::into_inner).take()) {
            return Ok(taken);
        }
        let Self { urgency, holds, .. } = *self;
        let ask = Ask { kind: Kind::of(&call.method, call.url.path()), urgency, holds };
        let entered = self.shared.pace.enter(self.id.0, ask).await;
        entered.map_err(|rests| rests.instead_of(call.line()))
    }

    pub(super) fn url(&self, segments: &[&str]) -> Result<Url, GitHubError> {
        self.shared.transport.url(segments)
    }

    /// The address of something in a repository.
    pub(super) fn repository_url(&self, repository: &RepositoryName, rest: &[&str]) -> Result<Url, GitHubError> {
        let mut segments = vec!["repos", repository.owner(), repository.name()];
        segments.extend(rest);
        self.url(&segments)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, GitHubError> {
        self.request(&Call::get(url)).await?.json()
    }

    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T, GitHubError> {
        self.request(&Call::with_body(method, url, body)?).await?.json()
    }

    /// A read about people: answered from memory while it is young, and asked for with its ETag afterwards.
    pub(super) async fn get_fresh(&self, url: &Url) -> Result<Answer, GitHubError> {
        self.get_kept(url, false, FRESH_FOR).await
    }

    /// The same for a file: `raw` asks for it as it is. One address is always asked in one way.
    pub(super) async fn get_fresh_as(&self, url: &Url, raw: bool) -> Result<Answer, GitHubError> {
        self.get_kept(url, raw, FRESH_FOR).await
    }

    /// The same for who takes an answer that is older or younger.
    pub(super) async fn get_kept(&self, url: &Url, raw: bool, good_for: SignedDuration) -> Result<Answer, GitHubError> {
        let asked_at = self.shared.clock.now();
        let known = self.shared.freshness.recall((self.id, url.as_str()), good_for, asked_at);
        if let Some((answer, true)) = known {
            return Ok(answer);
        }
        let known = known.map(|(answer, _)| answer);
        let etag = known.as_ref().and_then(|answer| answer.headers.get(ETAG).cloned());
        let answered = self.request(&Call { etag, raw, ..Call::get(url.clone()) }).await;
        let answer = match (answered, known) {
            (Ok(answer), Some(known)) if answer.status == StatusCode::NOT_MODIFIED => known,
            (Ok(answer), _) => answer,
            (Err(error), _) => {
                self.shared.freshness.forget(self.id, url.as_str());
                return Err(error);
            }
        };
        self.shared.freshness.keep(self.id, url.as_str(), asked_at, answer.clone());
        Ok(answer)
    }

    /// All pages of a list, a hundred items a page. `items` takes the list out of what surrounds it.
    pub(super) async fn pages<P: DeserializeOwned, T>(
        &self,
        url: Url,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, GitHubError> {
        self.all_pages(url, items, false).await
    }

    /// As [`Self::pages`], through [`Self::get_fresh`].
    pub(super) async fn fresh_pages<T: DeserializeOwned>(&self, url: Url) -> Result<Vec<T>, GitHubError> {
        self.all_pages(url, |page: Vec<T>| page, true).await
    }

    async fn all_pages<P: DeserializeOwned, T>(
        &self,
        mut url: Url,
        items: impl Fn(P) -> Vec<T>,
        fresh: bool,
    ) -> Result<Vec<T>, GitHubError> {
        url.query_pairs_mut().append_pair("per_page", "100");
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let answer = if fresh { self.get_fresh(&url).await? } else { self.request(&Call::get(url)).await? };
            all.extend(items(answer.json()?));
            match answer.next_page() {
                Some(next) => url = next,
                None => return Ok(all),
            }
        }
        Err(GitHubError::Argument(format!("a list of more than {MOST_PAGES} pages at {}", url.path())))
    }
}
