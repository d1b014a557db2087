//! Everything the sandbox remembers, as plain data, and the acts that change it.
//! This room knows no HTTP: who may ask and how answers look is decided elsewhere.

mod app;
mod change;
mod check;
mod check_acts;
mod comment;
mod delivery;
mod installation;
mod issue;
mod people;
mod pull_request;
mod push;
mod repository;
mod review;
mod workflow;
mod workflow_acts;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use app::{App, Installation, Registration, Selection, Token, TokenOwner};
pub use change::Change;
pub(crate) use change::Emitted as EmittedEvent;
pub use check::{Annotation, CheckAction, CheckRun, CheckRunVersion, CheckSuite};
pub use check_acts::{CheckRunChange, OutputChange};
pub use comment::{Comment, Reaction, Subject};
pub use delivery::Delivery;
pub(crate) use delivery::DeliveryNews;
pub use issue::{Issue, IssueEvent, PullRequest};
pub use people::{Account, AccountKind, Permission, Team};
pub use pull_request::NewPullRequest;
pub use repository::{Label, Repository};
pub use review::{Review, ReviewState};
pub(crate) use workflow::workflow_id;
pub use workflow::{Artifact, PendingDeployment, WorkflowRun};

use crate::error::SandboxError;

/// A GitHub object's number: unique over all kinds, beyond 32 bits.
pub type Id = u64;

/// Object ids start here so that whoever keeps them in 32 bits notices.
const FIRST_ID: Id = 5_000_000_001;
/// Delivery ids start here so that whoever keeps them in a double notices.
const FIRST_DELIVERY: Id = 1_800_000_000_000_000_001;

/// The whole state of the sandbox.
#[derive(Debug, Serialize, Deserialize)]
pub struct World {
    next_id: Id,
    next_delivery: Id,
    /// Milliseconds by which the sandbox's clock is ahead of the machine's.
    pub clock_ahead_ms: i64,
    /// The App under test.
    pub app: App,
    /// An App of somebody else, which also makes check runs (GitHub Actions).
    pub other_app: App,
    /// People, organisations and bots.
    pub accounts: BTreeMap<Id, Account>,
    /// Teams of organisations.
    pub teams: BTreeMap<Id, Team>,
    /// Where the App is installed.
    pub installations: BTreeMap<Id, Installation>,
    /// Every token that was given out and has not been revoked.
    pub tokens: BTreeMap<String, Token>,
    /// Repositories.
    pub repositories: BTreeMap<Id, Repository>,
    /// Issues and pull requests.
    pub issues: BTreeMap<Id, Issue>,
    /// Comments on them.
    pub comments: BTreeMap<Id, Comment>,
    /// Reactions on comments and issues.
    pub reactions: BTreeMap<Id, Reaction>,
    /// Reviews of pull requests.
    pub reviews: BTreeMap<Id, Review>,
    /// Check suites.
    pub suites: BTreeMap<Id, CheckSuite>,
    /// Check runs.
    pub check_runs: BTreeMap<Id, CheckRun>,
    /// Runs of workflows.
    #[serde(default)]
    pub workflow_runs: BTreeMap<Id, WorkflowRun>,
    /// Commits that GitHub has signed.
    #[serde(default)]
    pub signed_commits: BTreeSet<String>,
    /// Apps that are being registered, by their codes.
    #[serde(default)]
    pub registrations: BTreeMap<String, Registration>,
    /// What was sent to the webhook address, oldest first.
    pub deliveries: BTreeMap<Id, Delivery>,
    #[serde(skip)]
    pub(crate) delivery_news: Vec<DeliveryNews>,
}

impl World {
    pub(crate) fn new(now: Timestamp, app: App, other_app: App) -> Self {
        Self {
            next_id: FIRST_ID,
            next_delivery: FIRST_DELIVERY,
            clock_ahead_ms: 0,
            app,
            other_app,
            accounts: BTreeMap::new(),
            teams: BTreeMap::new(),
            installations: BTreeMap::new(),
            tokens: BTreeMap::new(),
            repositories: BTreeMap::new(),
            issues: BTreeMap::new(),
            comments: BTreeMap::new(),
            reactions: BTreeMap::new(),
            reviews: BTreeMap::new(),
            suites: BTreeMap::new(),
            check_runs: BTreeMap::new(),
            workflow_runs: BTreeMap::new(),
            signed_commits: BTreeSet::new(),
            registrations: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            delivery_news: Vec::new(),
        }
        .with_bots(now)
    }

    /// The bot accounts under which the Apps speak.
    fn with_bots(mut self, now: Timestamp) -> Self {
        let owner = self.add_account("sandbox", AccountKind::User, now);
        let bot = self.add_account(&format!("{}[bot]", self.app.slug), AccountKind::Bot, now);
        let other = self.add_account(&format!("{}[bot]", self.other_app.slug), AccountKind::Bot, now);
        (self.app.owner, self.app.bot) = (owner, bot);
        (self.other_app.owner, self.other_app.bot) = (owner, other);
        self
    }

    pub(crate) fn take_id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id - 1
    }

    pub(crate) fn take_delivery_id(&mut self) -> Id {
        self.next_delivery += 1;
        self.next_delivery - 1
    }

    pub(crate) fn add_account(&mut self, login: &str, kind: AccountKind, now: Timestamp) -> Id {
        let id = self.take_id();
        self.accounts.insert(id, Account::new(id, login, kind, now));
        id
    }

    /// The account of that login, whatever its case.
    pub fn account(&self, login: &str) -> Result<&Account, SandboxError> {
        let found = self.accounts.values().find(|account| account.login.eq_ignore_ascii_case(login));
        found.ok_or_else(|| SandboxError::NotFound(format!("account `{login}`")))
    }

    /// The repository `OWNER/NAME`.
    pub fn repository(&self, full_name: &str) -> Result<&Repository, SandboxError> {
        let missing = || SandboxError::NotFound(format!("repository `{full_name}`"));
        let (owner, name) = full_name.split_once('/').ok_or_else(missing)?;
        let owner = self.account(owner).map_err(|_| missing())?.id;
        let found = self
            .repositories
            .values()
            .find(|repository| repository.owner == owner && repository.name.eq_ignore_ascii_case(name));
        found.ok_or_else(missing)
    }

    /// `OWNER/NAME` of a repository.
    pub fn full_name(&self, repository: &Repository) -> String {
        let owner = self.accounts.get(&repository.owner).map_or("ghost", |account| account.login.as_str());
        format!("{owner}/{}", repository.name)
    }

    /// The issue or pull request of that number.
    pub fn issue(&self, repository: Id, number: u64) -> Result<&Issue, SandboxError> {
        let found = self.issues.values().find(|issue| issue.repository == repository && issue.number == number);
        found.ok_or_else(|| SandboxError::NotFound(format!("issue or pull request #{number}")))
    }

    /// The pull request of that number.
    pub fn pull_request(&self, repository: Id, number: u64) -> Result<(&Issue, &PullRequest), SandboxError> {
        let issue = self.issue(repository, number);
        let found = issue.ok().and_then(|issue| issue.pull_request.as_ref().map(|pull_request| (issue, pull_request)));
        found.ok_or_else(|| SandboxError::NotFound(format!("pull request #{number}")))
    }

    /// Comments of an issue, oldest first.
    pub fn comments_of(&self, issue: Id) -> impl Iterator<Item = &Comment> {
        self.comments.values().filter(move |comment| comment.issue == issue)
    }

    /// Reviews of a pull request, oldest first.
    pub fn reviews_of(&self, issue: Id) -> impl Iterator<Item = &Review> {
        self.reviews.values().filter(move |review| review.issue == issue)
    }

    /// Reactions on one thing, oldest first.
    pub fn reactions_on(&self, subject: Subject) -> impl Iterator<Item = &Reaction> {
        self.reactions.values().filter(move |reaction| reaction.subject == subject)
    }

    /// Check runs of a commit, oldest first.
    pub fn check_runs_of<'a>(&'a self, repository: Id, head_sha: &'a str) -> impl Iterator<Item = &'a CheckRun> {
        let of_head = move |run: &&CheckRun| run.repository == repository && run.head_sha == head_sha;
        self.check_runs.values().filter(of_head)
    }

    /// The App with that id.
    pub(crate) fn app_by_id(&self, id: Id) -> &App {
        if id == self.other_app.id { &self.other_app } else { &self.app }
    }
}
