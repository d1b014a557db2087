//! Which processes there are, and which one a name means. What was read lately is shown again for a moment: a commit in
//! a local repository is seen within a second, one on GitHub within ten.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::definition::Process;
use flowctl_core::execution::TenantId;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::problem::Problem;
use crate::github::definitions::{DefinitionsAt, ReadError, Repositories};
use crate::store::{Store, StoreError};

/// How long the head of a local repository is taken for granted.
const LOCAL: Duration = Duration::from_secs(1);
/// How long the head of a repository on GitHub is.
const REMOTE: Duration = Duration::from_secs(10);
/// Repositories that are read at the same time.
const AT_ONCE: usize = 8;

type Kept = Arc<tokio::sync::Mutex<Option<(Instant, Arc<DefinitionsAt>)>>>;

/// A process as it stands on the default branch.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) tenant: TenantId,
    pub(super) repository: String,
    pub(super) definitions: Arc<DefinitionsAt>,
    pub(super) process: Arc<Process>,
}

impl Found {
    /// `owner/repo:name`.
    pub(super) fn id(&self) -> String {
        format!("{}:{}", self.repository, self.process.header.name.as_str())
    }
}

/// Every process that is served.
pub(super) struct Catalogue {
    repositories: Repositories,
    store: Arc<dyn Store>,
    kept: Mutex<BTreeMap<(TenantId, String), Kept>>,
}

impl Catalogue {
    pub(super) fn new(repositories: Repositories, store: Arc<dyn Store>) -> Self {
        Self { repositories, store, kept: Mutex::default() }
    }

    /// The definitions at the head of a repository's default branch.
    pub(super) async fn at_head(&self, tenant: &TenantId, repository: &str) -> Result<Arc<DefinitionsAt>, ReadError> {
        let kept = {
            let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry((tenant.clone(), repository.to_owned())).or_default())
        };
        let fresh = if *tenant == TenantId::local() { LOCAL } else { REMOTE };
        // Who comes while somebody reads waits for that.
        let mut kept = kept.lock().await;
        if let Some((read_at, definitions)) = kept.as_ref()
            && read_at.elapsed() < fresh
        {
            return Ok(Arc::clone(definitions));
        }
        let definitions = self.repositories.current(tenant, repository).await?;
        *kept = Some((Instant::now(), Arc::clone(&definitions)));
        Ok(definitions)
    }

    /// Every repository, by tenant and name.
    pub(super) async fn repositories(&self) -> Result<Vec<(TenantId, String)>, StoreError> {
        let mut found: Vec<(TenantId, String)> =
            self.repositories.local_names().map(|name| (TenantId::local(), name.to_owned())).collect();
        for tenant in self.store.tenants().await?.into_iter().filter(|tenant| *tenant != TenantId::local()) {
            for repository in self.store.repositories(&tenant).await? {
                found.push((tenant.clone(), repository));
            }
        }
        Ok(found)
    }

    /// Every process, by id; and whether some repository could not be read.
    pub(super) async fn processes(&self) -> Result<(Vec<Found>, Option<ReadError>), Problem> {
        let read = stream::iter(self.repositories().await?)
            .map(|(tenant, repository)| async move {
                let definitions = self.at_head(&tenant, &repository).await;
                (tenant, repository, definitions)
            })
            .buffered(AT_ONCE);
        let mut read = std::pin::pin!(read);
        let (mut found, mut trouble) = (Vec::new(), None);
        while let Some((tenant, repository, definitions)) = read.next().await {
            match definitions {
                Ok(definitions) => {
                    for (_, process) in definitions.repository.processes() {
                        let (tenant, repository, process) = (tenant.clone(), repository.clone(), Arc::clone(process));
                        found.push(Found { tenant, repository, definitions: Arc::clone(&definitions), process });
                    }
                }
                Err(ReadError::Empty { .. }) => {}
                Err(error) => {
                    tracing::warn!(repository, %error, "a repository cannot be read");
                    trouble = Some(error);
                }
            }
        }
        found.sort_by_key(Found::id);
        Ok((found, trouble))
    }

    /// The process that a name means: `owner/repo:name`, or `name` where it is unique.
    pub(super) async fn find(&self, reference: &str) -> Result<Found, Unfound> {
        let Some((repository, name)) = reference.rsplit_once(':') else {
            return self.find_by_name(reference).await;
        };
        let known = self.repositories().await.map_err(Problem::from)?;
        let found = known.into_iter().find(|(_, known)| known.eq_ignore_ascii_case(repository));
        let Some((tenant, repository)) = found else {
            return Err(Unfound::None(format!("names the repository {repository:?}, which is not served here")));
        };
        let definitions = self.at_head(&tenant, &repository).await.map_err(Problem::from)?;
        let Some((_, process)) = definitions.repository.process(name) else {
            let names = definitions.repository.processes().map(|(_, process)| process.header.name.as_str());
            let near = near(name, names);
            return Err(Unfound::None(format!("names no process of {repository}{near}")));
        };
        let process = Arc::clone(process);
        Ok(Found { tenant, repository, definitions, process })
    }

    async fn find_by_name(&self, name: &str) -> Result<Found, Unfound> {
        let (processes, trouble) = self.processes().await?;
        let named: Vec<&Found> = processes.iter().filter(|found| found.process.header.name.as_str() == name).collect();
        match named.as_slice() {
            [one] => Ok((*one).clone()),
            [] => {
                let near = near(name, processes.iter().map(|found| found.process.header.name.as_str()));
                if let Some(trouble) = trouble {
                    let words = format!("no process that can be read is named `{name}`{near}; {trouble}");
                    return Err(Problem::unavailable(&words).into());
                }
                Err(Unfound::None(format!("names no process that is served here{near}")))
            }
            several => {
                let ids: Vec<String> = several.iter().map(|found| found.id()).collect();
                Err(Unfound::Several(format!("is the name of several: {}", ids.join(", "))))
            }
        }
    }
}

/// Why a name means no process.
pub(super) enum Unfound {
    /// There is none; to be read after what was named.
    None(String),
    /// There are several.
    Several(String),
    /// It cannot be said.
    Problem(Problem),
}

impl From<Problem> for Unfound {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Unfound {
    /// For a name that stood in a body.
    pub(super) fn in_field(self, field: &str) -> Problem {
        match self {
            Self::None(words) | Self::Several(words) => Problem::field(field, words),
            Self::Problem(problem) => problem,
        }
    }

    /// For a name that stood in the address.
    pub(super) fn in_address(self, name: &str) -> Problem {
        match self {
            Self::None(words) | Self::Several(words) => Problem::not_found(format!("`{name}` {words}")),
            Self::Problem(problem) => problem,
        }
    }
}

/// `; did you mean …?`, where something is near.
fn near<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let nearest = known.min_by_key(|known| strsim::damerau_levenshtein(known, name));
    match nearest.filter(|known| strsim::damerau_levenshtein(known, name) <= 2) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    }
}
