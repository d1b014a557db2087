//! The log of one repository in a reference of it: which one, under which names entries are about it, and how far it is written.

use super::refusal::REFUSED_FOR;
use super::written::Written;
use crate::audit::{NewEntry, copy_of};
use crate::crash::crash_point;
use crate::github::client::RepositoryName;
use crate::github::known_settings::KnownSettings;
use crate::github::namesakes::Names;
use crate::github::outbox::address::Destination;
use crate::github::outbox::failure::Failure;
use crate::github::outbox::write::Writing;
use crate::store::Standing;

/// The log of a repository in a reference of it.
pub(super) struct Copy<'w> {
    pub(super) writing: &'w Writing<'w>,
    pub(super) repository: RepositoryName,
    /// GitHub's id of it, where it is known.
    pub(super) id: Option<u64>,
    /// Under which names entries are about it.
    pub(super) names: Names,
    pub(super) reference: String,
    /// Under which name the store keeps how far it is written.
    pub(super) name: String,
    pub(super) stood: Option<Standing>,
    pub(super) written: Written,
}

impl<'w> Copy<'w> {
    /// Nothing where the repository's settings name no reference.
    pub(super) async fn open(writing: &'w Writing<'w>, repository: &RepositoryName) -> Result<Option<Self>, Failure> {
        let (store, tenant) = (&writing.outbox.store, &writing.effect.tenant);
        let asked = repository.to_string();
        let id = store.repository_called(tenant, &asked).await?;
        let (mut current, mut names) = (asked.clone(), Names::only(tenant, &asked));
        if let Some(id) = id {
            // The newest name is the one that it has.
            let called = store.names_of_repository(id).await?.into_iter().find(|called| called.tenant == *tenant);
            current = called.map_or(asked, |called| called.name);
            names = Names::of(&**store, tenant, id).await?;
            if !names.holds(&current) {
                return Err(Failure::Nothing(format!("{current} is another repository by now")));
            }
        }
        // How the settings of one stand whose name was another's is not known before they were looked at.
        let settings = KnownSettings::of(&**store, tenant, &current).await?;
        let Some(reference) = settings.state.and_then(|state| state.audit_ref) else { return Ok(None) };
        let name = copy_of(&reference, &id.map_or_else(|| current.clone(), |id| id.to_string()));
        let stood = store.standing(tenant, &name).await?;
        let mut written: Option<Written> = stood.as_ref().and_then(written_of);
        if stood.is_none() && id.is_some() {
            // What was written before the id was known goes on.
            for called in settings.names.iter().rev().filter(|called| names.holds(called)) {
                let stood = store.standing(tenant, &copy_of(&reference, called)).await?;
                written = written.or_else(|| stood.as_ref().and_then(written_of));
            }
        }
        let named = current.parse().map_err(|error| Failure::Nothing(format!("{error}")))?;
        let repository = Destination::new(named, id).confirmed(writing).await?;
        Ok(Some(Self { writing, repository, id, names, reference, name, stood, written: written.unwrap_or_default() }))
    }

    pub(super) fn rests(&self) -> bool {
        let now = self.writing.outbox.clock.now();
        self.written.refused.as_ref().is_some_and(|refused| now.duration_since(refused.at) < REFUSED_FOR)
    }

    /// Keeps how far it is written; whoever else has written meanwhile has the effect by now.
    pub(super) async fn save(&mut self, entry: Option<NewEntry>) -> Result<(), Failure> {
        let (store, tenant) = (&self.writing.outbox.store, &self.writing.effect.tenant);
        let state = serde_json::to_value(&self.written).unwrap_or_default();
        if !store.note_standing(tenant, &self.name, self.stood.as_ref(), state.clone(), entry).await? {
            return Err(Failure::Lost);
        }
        let changes = self.stood.as_ref().map_or(0, |stood| stood.changes + 1);
        self.stood = Some(Standing { state, changes });
        crash_point("effect.recorded");
        Ok(())
    }
}

fn written_of(standing: &Standing) -> Option<Written> {
    serde_json::from_value(standing.state.clone()).ok()
}
