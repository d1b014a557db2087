//! What has happened lately, as GitHub lists it: what a webhook would have told. Answers are kept as they are, so that
//! they can stand where a payload stands.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::check_run::to_second;
use super::error::GitHubError;
use super::installation::InstallationClient;
use super::repository::RepositoryName;
use super::transport::Call;

/// More pages of a hundred than this are no gap but another repository's whole life.
const MOST_PAGES: usize = 30;
/// For how long it is taken for granted who has a name.
const LATELY: SignedDuration = SignedDuration::from_mins(1);

impl InstallationClient {
    /// A repository, as it is called now: GitHub leads from an older name to it. Always asked: what is kept of an answer may
    /// be of the one that had the name a moment ago.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::NotFound`] where it was deleted, or the App may not see it any more.
    pub async fn repository_now(&self, repository: &RepositoryName) -> Result<Value, GitHubError> {
        self.get_kept(&self.repository_url(repository, &[])?, false, SignedDuration::ZERO).await?.json()
    }

    /// The same as it was within the last minute: for who asks again and again. A request a minute at most, and none of the
    /// hour's where nothing has changed.
    ///
    /// # Errors
    /// As [`Self::repository_now`].
    pub async fn repository_lately(&self, repository: &RepositoryName) -> Result<Value, GitHubError> {
        self.get_kept(&self.repository_url(repository, &[])?, false, LATELY).await?.json()
    }

    /// Comments on issues and pull requests of a repository that were written or changed since, oldest first
    /// (<https://docs.github.com/en/rest/issues/comments#list-issue-comments-for-a-repository>).
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn comments_since(
        &self,
        repository: &RepositoryName,
        since: Timestamp,
    ) -> Result<Vec<Value>, GitHubError> {
        let mut url = self.repository_url(repository, &["issues", "comments"])?;
        url.query_pairs_mut()
            .append_pair("since", &to_second(since).to_string())
            .append_pair("sort", "created")
            .append_pair("direction", "asc");
        self.pages(url, |page: Vec<Value>| page).await
    }

    /// Comments on one issue or pull request that were written or changed since, oldest first
    /// (<https://docs.github.com/en/rest/issues/comments#list-issue-comments>).
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn comments_of(
        &self,
        repository: &RepositoryName,
        number: u64,
        since: Timestamp,
    ) -> Result<Vec<Value>, GitHubError> {
        let mut url = self.repository_url(repository, &["issues", &number.to_string(), "comments"])?;
        url.query_pairs_mut().append_pair("since", &to_second(since).to_string());
        self.pages(url, |page: Vec<Value>| page).await
    }

    /// Pull requests that were changed since, the latest first
    /// (<https://docs.github.com/en/rest/pulls/pulls#list-pull-requests>).
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn pull_requests_since(
        &self,
        repository: &RepositoryName,
        since: Timestamp,
    ) -> Result<Vec<Value>, GitHubError> {
        let mut url = self.repository_url(repository, &["pulls"])?;
        url.query_pairs_mut()
            .append_pair("state", "all")
            .append_pair("sort", "updated")
            .append_pair("direction", "desc")
            .append_pair("per_page", "100");
        let is_recent = |pull_request: &Value| {
            let updated = pull_request["updated_at"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
            updated.is_some_and(|updated| updated >= since)
        };
        let mut recent = Vec::new();
        for _ in 0..MOST_PAGES {
            let answer = self.request(&Call::get(url)).await?;
            let page: Vec<Value> = answer.json()?;
            let has_older = !page.iter().all(is_recent);
            recent.extend(page.into_iter().filter(is_recent));
            match answer.next_page() {
                Some(next) if !has_older => url = next,
                _ => break,
            }
        }
        Ok(recent)
    }

    /// The number of the open pull request whose head this commit is; of several the one that GitHub lists first.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn open_pull_request_at(
        &self,
        repository: &RepositoryName,
        head_sha: &str,
    ) -> Result<Option<u64>, GitHubError> {
        let mut url = self.repository_url(repository, &["pulls"])?;
        url.query_pairs_mut().append_pair("state", "open");
        let open = self.pages(url, |page: Vec<Value>| page).await?;
        let at_head = open.iter().find(|pull_request| pull_request["head"]["sha"] == head_sha);
        Ok(at_head.and_then(|pull_request| pull_request["number"].as_u64()))
    }

    /// Every review of a pull request, oldest first, as it is listed.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn reviews_of(&self, repository: &RepositoryName, number: u64) -> Result<Vec<Value>, GitHubError> {
        let url = self.repository_url(repository, &["pulls", &number.to_string(), "reviews"])?;
        self.pages(url, |page: Vec<Value>| page).await
    }

    /// An issue or a pull request, as an issue.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn issue(&self, repository: &RepositoryName, number: u64) -> Result<Value, GitHubError> {
        self.get(self.repository_url(repository, &["issues", &number.to_string()])?).await
    }
}
