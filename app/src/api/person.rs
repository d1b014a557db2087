//! In whose name the administrator's token speaks, and what is known of that person.

use async_trait::async_trait;
use flowctl_core::approval::codeowners::Owned;
use flowctl_core::approval::{Person, Requirement, SourceKind, Weighed};
use flowctl_core::definition::Role;
use flowctl_core::execution::{Execution, TenantId};

use super::Api;
use super::heard::{Spoken, source};
use super::problem::Problem;
use crate::github::client::{GitHubError, InstallationClient, InstallationId, RepositoryName};
use crate::github::head::Mover;
use crate::github::intake::Published;
use crate::github::people::{People, PeopleError, person};
use crate::github::whose::of_execution;
use crate::identity::{Directory, Hearing, Vouched};

/// Where people of a repository are known.
pub(super) enum Neighbourhood {
    /// Nowhere: tenant `local`.
    Local,
    /// On GitHub.
    GitHub {
        /// Asks in the installation's name.
        client: Box<InstallationClient>,
        /// The repository.
        repository: RepositoryName,
    },
}

impl Api {
    /// How the repository of an execution is called now: under the name that it had, another one may be there by now.
    pub(super) async fn repository_of(&self, execution: &Execution) -> Result<String, Problem> {
        let now = of_execution(&*self.store, execution).await?;
        now.map_err(|reason| Problem::new("refused", format!("Nobody can be asked about it: {reason}.")))
    }

    /// Where people of this repository are known, by the name that it has now.
    pub(super) async fn neighbourhood(&self, tenant: &TenantId, repository: &str) -> Result<Neighbourhood, Problem> {
        if *tenant == TenantId::local() {
            return Ok(Neighbourhood::Local);
        }
        let gone = || {
            Problem::new(
                "refused",
                format!("The App is not installed for {tenant} any more.", tenant = tenant.as_str()),
            )
        };
        let github = self.github.as_ref().ok_or_else(gone)?;
        let installation = self.store.installation(tenant).await?.filter(|found| !found.deleted).ok_or_else(gone)?;
        let (owner, name) = repository.split_once('/').ok_or_else(gone)?;
        let repository = RepositoryName::new(owner, name).map_err(|_| gone())?;
        let client = Box::new(github.installation(InstallationId(installation.id)));
        Ok(Neighbourhood::GitHub { client, repository })
    }

    /// The person that a request names, where it names one and may.
    pub(super) async fn named(
        &self,
        neighbourhood: &Neighbourhood,
        login: Option<&str>,
    ) -> Result<Option<Person>, Problem> {
        let Some(login) = login else { return Ok(None) };
        match neighbourhood {
            Neighbourhood::Local => Ok(Some(Person { login: login.to_owned(), id: 0 })),
            Neighbourhood::GitHub { .. } if !self.act_as => Err(Problem::new(
                "acting-forbidden",
                "Outside tenant `local` people decide on GitHub. The operator may allow the token to speak in their \
                 names with FLOWCTL_API_ACT_AS=true.",
            )),
            Neighbourhood::GitHub { client, .. } => match client.user(login).await {
                Ok(user) => Ok(Some(person(&user))),
                Err(GitHubError::NotFound { .. }) => Err(Problem::field("as", "is no account on GitHub")),
                Err(error) => Err(Problem::unavailable(&error)),
            },
        }
    }

    /// The person that a request must name.
    pub(super) async fn must_be_named(
        &self,
        neighbourhood: &Neighbourhood,
        login: Option<&str>,
    ) -> Result<Person, Problem> {
        self.named(neighbourhood, login).await?.ok_or_else(|| {
            Problem::new("person-needed", "A token is no person. Say whose word this is: `\"as\": \"LOGIN\"`.")
        })
    }
}

impl Api {
    /// An execution at the head of its pull request as GitHub has it now: no word is weighed before.
    pub(super) async fn at_head(
        &self,
        tenant: &TenantId,
        neighbourhood: &Neighbourhood,
        execution: Execution,
    ) -> Result<Execution, Problem> {
        let number = execution.subject.as_ref().filter(|subject| subject.is_pull_request).and_then(|it| it.number);
        let (Neighbourhood::GitHub { client, repository }, Some(number)) = (neighbourhood, number) else {
            return Ok(execution);
        };
        let pull_request = match client.get_pull_request(repository, number).await {
            Ok(pull_request) => pull_request,
            Err(error) => return Err(Problem::unavailable(&error)),
        };
        let mover = Mover { engine: &self.engine, source: &self.repositories, tenant, delivery: None };
        Ok(mover.to_pull_request(execution, &pull_request).await?)
    }
}

/// What a person is to have done.
pub(super) struct Command<'c> {
    /// The command that it amounts to.
    pub(super) verb: &'static str,
    /// Who.
    pub(super) by: &'c Person,
    /// Whether they started what it is about.
    pub(super) started_it: bool,
    /// The execution that it is about.
    pub(super) execution: Option<&'c Execution>,
    /// The process that it is about.
    pub(super) process: Option<&'c str>,
}

impl Api {
    /// Whether a person that a request names may have this done, as if they said it themselves.
    pub(super) async fn permits(
        &self,
        (tenant, repository): (&TenantId, &str),
        neighbourhood: &Neighbourhood,
        published: &Published,
        command: Command<'_>,
    ) -> Result<(), Problem> {
        let hearing = Hearing { engine: &self.engine, tenant, directory: neighbourhood, published };
        let Command { verb, by, started_it, execution, process } = command;
        let heard = hearing.permits(verb, by, Some(Role::Write), started_it).await;
        let source = source(SourceKind::Api, None);
        let spoken = Spoken { execution, named: process, ..Spoken::new((tenant, repository), by, &source, verb) };
        self.settled(spoken, heard).await
    }
}

#[async_trait]
impl Directory for Neighbourhood {
    async fn weigh(
        &self,
        execution: &Execution,
        requirement: &Requirement,
        person: &Person,
        allow_author: bool,
    ) -> Result<Weighed, PeopleError> {
        match self {
            Self::Local => Vouched.weigh(execution, requirement, person, allow_author).await,
            Self::GitHub { client, repository } => {
                People { client, repository }.weigh(execution, requirement, person, allow_author).await
            }
        }
    }

    async fn role(&self, person: &Person) -> Result<Option<Role>, PeopleError> {
        match self {
            Self::Local => Vouched.role(person).await,
            Self::GitHub { client, repository } => People { client, repository }.role(person).await,
        }
    }

    async fn owned(&self, execution: &Execution) -> Result<Option<Owned>, PeopleError> {
        match self {
            Self::Local => Ok(None),
            Self::GitHub { client, repository } => People { client, repository }.owned(execution).await.map(Some),
        }
    }

    fn organisation(&self) -> &str {
        match self {
            Self::Local => "local",
            Self::GitHub { repository, .. } => repository.owner(),
        }
    }
}
