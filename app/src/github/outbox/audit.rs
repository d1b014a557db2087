//! Commits a repository's entries of the audit log to a reference in it, where `.flow/flow.yaml` says so. Entries are added in
//! files of their own, and the reference only moves forward. Where others move it, the log says so and goes on from there.
//!
//! A commit is noted before the reference is moved to it: who comes after a crash knows it again, and writes nothing twice.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use flowctl_core::execution::{Event, Execution, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::effect::{Effect, Sender, priority};
use super::failure::Failure;
use super::pace::Write;
use super::write::Writing;
use crate::audit::{NewEntry, Sealed, of_transition, path_of, settings_of};
use crate::crash::crash_point;
use crate::github::client::{GitHubError, RepositoryName};
use crate::github::namesakes::{Names, is_anothers};
use crate::store::{NamedStanding, NewEffect, Standing, Store, StoreError};

/// Entries are gathered for so long.
const GATHERED_FOR: SignedDuration = SignedDuration::from_mins(1);
/// Entries of one commit.
const MOST_ENTRIES: usize = 1_000;
/// Bytes of one commit's entries: far below what a request to GitHub may hold.
const MOST_BYTES: usize = 1 << 20;
/// Entries that are read at once.
const PART: u32 = 1_000;
/// What GitHub refuses is tried again after this: somebody has to grant something first.
const REFUSED_FOR: SignedDuration = SignedDuration::from_hours(1);
/// A reference that stands elsewhere than expected is looked at twice: GitHub's answers may lag behind its own.
const DOUBTED_FOR: SignedDuration = SignedDuration::from_secs(2);

const WRITTEN: &str = "audit-ref:";
/// Where the state of a repository's settings says to which reference its log goes.
const REFERENCE_KEY: &str = "audit_ref";
/// Of which repository that is, by GitHub's id.
const REPOSITORY_KEY: &str = "repository_id";

/// The repositories whose log goes to a reference, as far as this server knows. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct AuditReferences {
    known: Arc<RwLock<BTreeSet<(TenantId, String)>>>,
}

impl AuditReferences {
    /// Remembers whether a repository has one.
    pub fn learn(&self, tenant: &TenantId, repository: &str, has_one: bool) {
        let key = (tenant.clone(), repository.to_owned());
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if has_one {
            known.insert(key);
        } else {
            known.remove(&key);
        }
    }

    fn has(&self, tenant: &TenantId, repository: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.contains(&(tenant.clone(), repository.to_owned()))
    }

    /// Learns what every server of the store has noted; which repositories have one.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn load(&self, store: &dyn Store) -> Result<Vec<(TenantId, String)>, StoreError> {
        let beginning = settings_of("");
        let noted = store.standings(&beginning).await?.into_iter();
        let with_one = noted.filter(|named| named.standing.state[REFERENCE_KEY].is_string());
        let found: Vec<(TenantId, String)> = with_one
            .filter_map(|named| Some((named.tenant, named.name.strip_prefix(&beginning)?.to_owned())))
            .filter(|(tenant, _)| *tenant != TenantId::local())
            .collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = found.iter().cloned().collect();
        Ok(found)
    }

    /// What is to be written after a transition, and when: at most once a minute, and once more where an execution ends.
    pub(super) fn after(
        &self,
        after: &Execution,
        events: &[Event],
        ended: bool,
        now: Timestamp,
    ) -> Option<(Effect, Timestamp)> {
        if !self.has(&after.tenant, &after.repository) {
            return None;
        }
        let at = match ended {
            true => now,
            false if of_transition(after, events).is_empty() => return None,
            false => now.saturating_add(GATHERED_FOR).unwrap_or(Timestamp::MAX),
        };
        Some((Effect::CommitAudit { repository: after.repository.parse().ok()? }, at))
    }
}

/// Has the entries of a repository written soon.
pub fn committing(repository: &str, sender: &Sender, now: Timestamp) -> Option<NewEffect> {
    let at = now.saturating_add(GATHERED_FOR).unwrap_or(Timestamp::MAX);
    let repository = repository.parse().ok()?;
    Some(Effect::CommitAudit { repository }.queued(sender, priority::TIMELINE, at))
}

/// How far the log is written into a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    /// Entries up to this number were looked at.
    seq: u64,
    /// The commit that the reference was moved to last.
    at: Option<Place>,
    /// A commit that it was perhaps moved to, with the last entry that it holds.
    begun: Option<(Place, u64)>,
    /// Where it was found to stand, against what is known.
    doubted: Option<Found>,
    /// Why GitHub does not take it.
    refused: Option<Refused>,
}

impl Written {
    /// Goes on behind what was looked at, where that is worth a write.
    fn passes(&mut self, last: u64) -> bool {
        let is_much = last.saturating_sub(self.seq) >= u64::from(PART);
        if is_much {
            self.seq = last;
        }
        is_much
    }
}

/// Where a reference was found to stand; nothing: it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    commit: Option<String>,
}

/// A commit and its tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    commit: String,
    tree: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    at: Timestamp,
    reason: String,
}

/// Entries that go into one commit.
struct Batch {
    entries: Vec<Sealed>,
    /// The last entry of the log that was looked at.
    last: u64,
    /// Whether there are more.
    more: bool,
}

/// The log of a repository in a reference of it.
struct Copy<'w> {
    writing: &'w Writing<'w>,
    repository: RepositoryName,
    /// Under which names entries are about it.
    names: Names,
    reference: String,
    /// Under which name the store keeps how far it is written.
    name: String,
    stood: Option<Standing>,
    written: Written,
}

/// Commits what is new.
pub(super) async fn commit(writing: &Writing<'_>, repository: &RepositoryName) -> Result<(), Failure> {
    let Some(mut copy) = Copy::open(writing, repository).await? else { return Ok(()) };
    if copy.rests() {
        return Ok(());
    }
    let mut batch = copy.batch().await?;
    if batch.entries.is_empty() {
        return copy.pass_over(batch.last).await;
    }
    let stood = copy.stood.clone();
    let stands = copy.stands().await?;
    copy.settle(stands).await?;
    if copy.stood != stood {
        batch = copy.batch().await?;
    }
    if batch.entries.is_empty() {
        return Ok(());
    }
    let more = batch.more;
    match copy.write(batch).await {
        Err(
            failure @ Failure::GitHub(
                GitHubError::Forbidden { .. } | GitHubError::Validation { .. } | GitHubError::Conflict { .. },
            ),
        ) => {
            copy.refuse(&failure).await?;
            return Err(failure);
        }
        written => written?,
    }
    if more {
        let sender = Sender { tenant: writing.effect.tenant.clone(), installation_id: writing.effect.installation_id };
        let again = committing(&repository.to_string(), &sender, writing.outbox.clock.now());
        writing.outbox.store.add_effects(again.into_iter().collect()).await?;
    }
    Ok(())
}

impl<'w> Copy<'w> {
    /// Nothing where the repository's settings name no reference.
    async fn open(writing: &'w Writing<'w>, repository: &RepositoryName) -> Result<Option<Self>, Failure> {
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
        let settings = store.standing(tenant, &settings_of(&current)).await?;
        let noted_of = settings.as_ref().and_then(|settings| settings.state[REPOSITORY_KEY].as_u64());
        if is_anothers(&**store, tenant, &current, noted_of).await? {
            // How the settings of this one stand is not known yet.
            return Ok(None);
        }
        let reference = settings.and_then(|settings| settings.state[REFERENCE_KEY].as_str().map(str::to_owned));
        let Some(reference) = reference else { return Ok(None) };
        let key = id.map_or_else(|| current.clone(), |id| id.to_string());
        let name = format!("{WRITTEN}{reference}:{key}");
        let stood = store.standing(tenant, &name).await?;
        let written = stood.as_ref().and_then(|stood| serde_json::from_value(stood.state.clone()).ok());
        let repository = current.parse().map_err(|error| Failure::Nothing(format!("{error}")))?;
        Ok(Some(Self { writing, repository, names, reference, name, stood, written: written.unwrap_or_default() }))
    }

    fn rests(&self) -> bool {
        let now = self.writing.outbox.clock.now();
        self.written.refused.as_ref().is_some_and(|refused| now.duration_since(refused.at) < REFUSED_FOR)
    }

    /// The next entries that are about this repository. What is not about it is passed over.
    async fn batch(&self) -> Result<Batch, Failure> {
        let (store, tenant) = (&self.writing.outbox.store, &self.writing.effect.tenant);
        let mut batch = Batch { entries: Vec::new(), last: self.written.seq, more: false };
        let mut bytes = 0;
        loop {
            let part = store.audit(tenant, batch.last, PART).await?;
            if part.is_empty() {
                return Ok(batch);
            }
            for entry in part {
                let is_ours = self.names.are_of(&**store, &entry.line).await?;
                if is_ours && !batch.entries.is_empty() {
                    batch.more = batch.entries.len() >= MOST_ENTRIES || bytes + entry.line.len() > MOST_BYTES;
                    if batch.more {
                        return Ok(batch);
                    }
                }
                batch.last = entry.seq;
                if is_ours {
                    bytes += entry.line.len();
                    batch.entries.push(entry);
                }
            }
        }
    }

    /// Nothing up to this entry is about this repository; where that is much, it is not read again.
    async fn pass_over(&mut self, last: u64) -> Result<(), Failure> {
        if !self.written.passes(last) {
            return Ok(());
        }
        self.save(None).await
    }

    /// Where the reference stands. That it is gone is believed only where the repository itself is there to be seen: what
    /// the App may not see is not found either.
    async fn stands(&self) -> Result<Option<String>, Failure> {
        let client = &self.writing.client;
        let stands = client.reference(&self.repository, &self.reference).await?;
        if stands.is_none() && self.written.at.is_some() {
            client.repository_now(&self.repository).await?;
        }
        Ok(stands)
    }

    /// Comes to know where the reference stands.
    async fn settle(&mut self, stands: Option<String>) -> Result<(), Failure> {
        let known = self.written.at.as_ref().map(|place| place.commit.clone());
        if let Some((place, seq)) = self.written.begun.take_if(|(place, _)| stands.as_ref() == Some(&place.commit)) {
            self.written = Written { seq, at: Some(place), ..Written::default() };
            return self.save(None).await;
        }
        if stands == known {
            self.written.doubted = None;
            return Ok(());
        }
        let found = Found { commit: stands.clone() };
        if self.written.doubted.as_ref() != Some(&found) {
            self.written.doubted = Some(found);
            self.save(None).await?;
            let reason = format!("{} stands elsewhere than it was left", self.reference);
            return Err(Failure::Rests { reason, wait: DOUBTED_FOR });
        }
        let entry = self.moved(known.as_deref(), stands.as_deref());
        match stands {
            // What it held is gone from there: all of it is written again.
            None => self.written = Written::default(),
            Some(commit) => {
                let found = match self.writing.client.commit_object(&self.repository, &commit).await {
                    // The reference answers, so this is a tag, a file or a tree: nothing can follow on it.
                    Err(GitHubError::NotFound { .. }) => {
                        let reason = format!("{} stands at {commit}, which is no commit", self.reference);
                        let at = self.writing.outbox.clock.now();
                        self.written.refused = Some(Refused { at, reason: reason.clone() });
                        self.save(Some(entry)).await?;
                        return Err(Failure::Nothing(reason));
                    }
                    found => found?,
                };
                self.written.at = Some(Place { commit, tree: found.tree.sha });
                self.written.begun = None;
                self.written.doubted = None;
            }
        }
        self.save(Some(entry)).await
    }

    /// What the log says of a reference that somebody else has moved.
    fn moved(&self, known: Option<&str>, stands: Option<&str>) -> NewEntry {
        tracing::warn!(repository = %self.repository, reference = self.reference, known, stands, "somebody has moved it");
        let told = |commit: Option<&str>| commit.unwrap_or("nothing").to_owned();
        NewEntry {
            at: self.writing.outbox.clock.now(),
            kind: "audit.ref_moved".to_owned(),
            actor: None,
            repository: Some(self.repository.to_string()),
            process: None,
            execution: None,
            step: None,
            data: json!({"ref": self.reference, "left_at": known, "found_at": stands}),
            once: Some(format!("{}:{}:{}:{}", self.name, self.written.seq, told(known), told(stands))),
        }
    }

    async fn write(&mut self, batch: Batch) -> Result<(), Failure> {
        let (Some(first), Some(last)) = (batch.entries.first(), batch.entries.last()) else { return Ok(()) };
        let (client, repository) = (&self.writing.client, &self.repository);
        let content: String = batch.entries.iter().flat_map(|entry| [entry.line.as_str(), "\n"]).collect();
        let (path, message) = (path_of(first.seq, &first.line), message(repository, first, last));
        let base = self.written.at.as_ref().map(|place| place.tree.as_str());
        let tree = client.create_tree(repository, base, (&path, &content));
        let tree = self.writing.write(Write::Changes, tree).await?;
        let parent = self.written.at.as_ref().map(|place| place.commit.as_str());
        let commit = client.create_commit(repository, &message, &tree, parent);
        let commit = self.writing.write(Write::Changes, commit).await?;
        let is_new = parent.is_none();
        let place = Place { commit: commit.clone(), tree };
        self.written.begun = Some((place.clone(), batch.last));
        self.save(None).await?;
        let (client, repository) = (&self.writing.client, &self.repository);
        let moved = if is_new {
            self.writing.write(Write::Changes, client.create_reference(repository, &self.reference, &commit)).await
        } else {
            self.writing.write(Write::Changes, client.forward_reference(repository, &self.reference, &commit)).await
        };
        // Perhaps somebody was faster; then that shows when it is looked at again.
        if let Err(Failure::GitHub(GitHubError::Validation { message, .. })) = &moved
            && self.has_moved().await?
        {
            return Err(Failure::Rests { reason: message.clone(), wait: DOUBTED_FOR });
        }
        moved?;
        self.written = Written { seq: batch.last, at: Some(place), ..Written::default() };
        self.save(None).await
    }

    /// Whether the reference stands elsewhere than before this write.
    async fn has_moved(&self) -> Result<bool, Failure> {
        let stands = self.stands().await?;
        Ok(stands.as_deref() != self.written.at.as_ref().map(|place| place.commit.as_str()))
    }

    async fn refuse(&mut self, failure: &Failure) -> Result<(), Failure> {
        let now = self.writing.outbox.clock.now();
        self.written.refused = Some(Refused { at: now, reason: failure.to_string() });
        self.save(None).await
    }

    /// Keeps how far it is written; whoever else has written meanwhile has the effect by now.
    async fn save(&mut self, entry: Option<NewEntry>) -> Result<(), Failure> {
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

fn message(repository: &RepositoryName, first: &Sealed, last: &Sealed) -> String {
    let which = match first.seq == last.seq {
        true => format!("entry {}", first.seq),
        false => format!("entries {} to {}", first.seq, last.seq),
    };
    format!("Audit log of {repository}: {which}\n\nThe last one is {}:{}\n", last.seq, last.hash)
}

/// A repository to whose reference GitHub takes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedReference {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub reference: String,
    /// What GitHub said.
    pub reason: String,
}

/// The references that GitHub refused to write when it was tried last, out of what the store has noted; those that the
/// settings of their repositories still name.
pub fn refused_references(noted: &[NamedStanding]) -> Vec<RefusedReference> {
    let beginning = settings_of("");
    let wanted: Vec<(&TenantId, &str, &str, Option<u64>)> = noted
        .iter()
        .filter_map(|named| {
            let repository = named.name.strip_prefix(&beginning)?;
            let state = &named.standing.state;
            Some((&named.tenant, repository, state[REFERENCE_KEY].as_str()?, state[REPOSITORY_KEY].as_u64()))
        })
        .collect();
    let is_wanted = |tenant: &TenantId, reference: &str, key: &str| {
        wanted.iter().any(|(of, repository, named, id)| {
            // Settings that were noted before ids were may be those of any id.
            let is_its = *repository == key || id.map_or(key.parse::<u64>().is_ok(), |id| id.to_string() == key);
            *of == tenant && *named == reference && is_its
        })
    };
    let refused = |named: &NamedStanding| {
        let rest = named.name.strip_prefix(WRITTEN)?;
        let written: Written = serde_json::from_value(named.standing.state.clone()).ok()?;
        let (reference, key) = rest.split_once(':')?;
        let reason = written.refused?.reason;
        let is_wanted = is_wanted(&named.tenant, reference, key);
        is_wanted.then(|| RefusedReference { tenant: named.tenant.clone(), reference: reference.to_owned(), reason })
    };
    noted.iter().filter_map(refused).collect()
}

/// How many references GitHub refused to write when it was tried last.
///
/// # Errors
/// Where the database does not answer.
pub async fn count_refused_references(store: &dyn Store) -> Result<usize, StoreError> {
    let mut noted = store.standings(WRITTEN).await?;
    noted.extend(store.standings(&settings_of("")).await?);
    Ok(refused_references(&noted).len())
}

/// Has everything of an account tried again that GitHub had refused: it was granted something.
///
/// # Errors
/// Where the database does not answer.
pub async fn try_again(store: &dyn Store, sender: &Sender, now: Timestamp) -> Result<(), StoreError> {
    for named in store.standings(WRITTEN).await?.into_iter().filter(|named| named.tenant == sender.tenant) {
        let Ok(mut written) = serde_json::from_value::<Written>(named.standing.state.clone()) else { continue };
        if written.refused.take().is_some() {
            let state = serde_json::to_value(&written).unwrap_or_default();
            // Who notes something else at this moment has just tried.
            store.note_standing(&named.tenant, &named.name, Some(&named.standing), state, None).await?;
        }
    }
    let references = AuditReferences::default();
    let of_account = references.load(store).await?.into_iter().filter(|(tenant, _)| *tenant == sender.tenant);
    let effects = of_account.filter_map(|(_, repository)| {
        let effect = Effect::CommitAudit { repository: repository.parse().ok()? };
        Some(effect.queued(sender, priority::TIMELINE, now))
    });
    store.add_effects(effects.collect()).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_reference_that_the_settings_name_no_more_was_told_to_be_refused_for_ever() {
        let named = |name: &str, state: Value| NamedStanding {
            tenant: TenantId("o".to_owned()),
            name: name.to_owned(),
            standing: Standing { state, changes: 0 },
        };
        let refused = Refused { at: Timestamp::UNIX_EPOCH, reason: "no".to_owned() };
        let refused = serde_json::to_value(Written { refused: Some(refused), ..Written::default() });
        let refused = named("audit-ref:refs/flowctl/audit:7", refused.unwrap_or_default());
        let count = |settings: Value| refused_references(&[refused.clone(), named("settings:o/shop", settings)]).len();
        assert_eq!(count(json!({"audit_ref": "refs/flowctl/audit", "repository_id": 7})), 1);
        assert_eq!(count(json!({"audit_ref": "refs/flowctl/audit"})), 1, "noted by an earlier version");
        assert_eq!(count(json!({"audit_ref": "refs/flowctl/audit", "repository_id": 8})), 0);
        assert_eq!(count(json!({"audit_ref": "refs/flowctl/other", "repository_id": 7})), 0);
        assert_eq!(count(json!({"repository_id": 7})), 0);
    }

    #[test]
    fn what_is_not_about_a_repository_was_read_at_the_end_of_each_of_its_executions() {
        let mut written = Written { seq: 5, ..Written::default() };
        assert!(!written.passes(5) && !written.passes(1_004), "few entries are no write");
        assert!(written.passes(1_005));
        assert_eq!(written.seq, 1_005);
    }
}
