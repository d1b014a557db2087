//! The settings of repositories as they stand on default branches: `.flow/flow.yaml` and the policies. What is new is told
//! to the audit log before anything goes by it, once for all servers of a database. What the settings mean is not judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use flowctl_core::approval::Person;
use flowctl_core::definition::repository::{FileKind, Repository};
use flowctl_core::diff::compare;
use flowctl_core::execution::TenantId;
use serde_json::{Value, json};

use super::pushes::Push;
use super::{DefinitionsAt, ReadError, Repositories};
use crate::audit::{NewEntry, SETTINGS_CHANGED};
use crate::github::known_settings::{KnownSettings, State};
use crate::github::mirror::{Mirror, Reference};
use crate::github::outbox::commit_soon;
use crate::store::digest;

/// How often a look begins anew because somebody else has noted another commit meanwhile.
const MOST_LOOKS: usize = 5;
/// Pushes that are gone back over to find the one that brought a change, each with all definitions before it.
const MOST_PUSHES_BACK: usize = 10;

/// Whether a file says how everything of a repository goes.
fn is_setting(kind: FileKind) -> bool {
    matches!(kind, FileKind::Settings | FileKind::Policy)
}

/// Whoever all of them are; nobody where one is not known, or another one.
fn the_same(people: Vec<Option<Person>>) -> Option<Person> {
    let people = people.into_iter().collect::<Option<Vec<Person>>>()?;
    let first = people.first()?.clone();
    people.iter().all(|other| other.is(&first)).then_some(first)
}

fn files(repository: &Repository) -> BTreeMap<String, String> {
    let settings = repository.files.values().filter(|file| is_setting(file.kind));
    settings.map(|file| (file.source.path().to_owned(), digest(file.source.text().as_bytes()))).collect()
}

/// The reference that settings name for the audit log. Settings that cannot be read, or not as a whole, and name none, name
/// the one that they did before: what is wrong there is left out when they are read, and nobody meant to end the copy.
fn audit_reference(repository: &Repository, before: Option<&State>) -> Option<String> {
    let named = repository.settings().and_then(|settings| settings.audit.reference.as_ref());
    if let Some(reference) = named {
        return Some(reference.value.clone());
    }
    let file = repository.files.values().find(|file| file.kind == FileKind::Settings)?;
    let is_whole = file.definition.is_some() && file.faults.is_empty() && file.structure.is_empty();
    if is_whole { None } else { before?.audit_ref.clone() }
}

impl Repositories {
    /// Somebody is known to have moved the default branch: where that changes settings, the audit log names them.
    pub fn note_push(&self, tenant: &TenantId, push: Push) {
        self.pushes.note(tenant, push);
    }

    /// The head of the default branch, whose settings are known to the audit log: these, or those of a newer one.
    pub(super) async fn noted(
        &self,
        (tenant, repository): (&TenantId, &str),
        mirror: &Mirror,
        head: Arc<DefinitionsAt>,
    ) -> Result<Arc<DefinitionsAt>, ReadError> {
        let mut head = head;
        for _ in 0..MOST_LOOKS {
            // The store is asked each time: another server may have noted something else since this one last did.
            let known = KnownSettings::of(&*self.store, tenant, repository).await?;
            let is_news = known.state.as_ref().is_none_or(|before| before.files != files(&head.repository));
            if known.tells && is_news {
                // What stands may have been noted after this head was fetched: what is fetched from here on is newer.
                head = self.fetched(tenant, repository, mirror).await?;
            }
            let found = files(&head.repository);
            let is_as_before = known.state.as_ref().is_some_and(|before| before.files == found);
            let reference = audit_reference(&head.repository, known.state.as_ref());
            let is_kept = is_as_before && known.is_kept(repository);
            let was_told = self.was_told((tenant, repository), mirror, known.state.as_ref(), &found).await;
            if is_kept || was_told || self.note(&head, (tenant, repository), mirror, known).await? {
                let mut told = self.told_here.lock().unwrap_or_else(PoisonError::into_inner);
                told.insert((tenant.clone(), repository.to_owned()), found);
                drop(told);
                self.audit_references.learn(tenant, repository, reference.is_some() && *tenant != TenantId::local());
                return Ok(head);
            }
        }
        Err(ReadError::Store(format!("the settings of {repository} are being noted by others")))
    }

    /// Whether what stands was noted in another working copy of a local repository, and this server told of its own before: the
    /// two would tell of each other's for ever. A commit that this copy has is its own.
    async fn was_told(
        &self,
        (tenant, repository): (&TenantId, &str),
        mirror: &Mirror,
        known: Option<&State>,
        found: &BTreeMap<String, String>,
    ) -> bool {
        let Some(known) = known.filter(|_| *tenant == TenantId::local()) else { return false };
        let key = (tenant.clone(), repository.to_owned());
        let is_ours = self.told_here.lock().unwrap_or_else(PoisonError::into_inner).get(&key) == Some(found);
        is_ours && !matches!(mirror.contains(&known.commit).await, Ok(true))
    }

    /// Notes the settings at a head; `false` where somebody else was faster. The first time there is nothing to tell, nor where
    /// only the repository has another name.
    async fn note(
        &self,
        head: &DefinitionsAt,
        (tenant, repository): (&TenantId, &str),
        mirror: &Mirror,
        known: KnownSettings,
    ) -> Result<bool, ReadError> {
        let now = self.clock.now();
        let found = files(&head.repository);
        let KnownSettings { name, id, names, stood, state: before, tells } = known;
        if let Some(before) = before.as_ref().filter(|before| before.files == found) {
            let state = State { repository_id: id, names, ..before.clone() };
            let state = serde_json::to_value(state).unwrap_or_default();
            return Ok(self.store.note_standing(tenant, &name, stood.as_ref(), state, None).await?);
        }
        let state = State {
            commit: head.revision.clone(),
            at: now,
            files: found,
            repository_id: id,
            names,
            told_as: tells.then(|| repository.to_owned()),
            audit_ref: audit_reference(&head.repository, before.as_ref()),
        };
        let brought = match before.as_ref().filter(|_| tells) {
            Some(before) => self.who_brought(head, (tenant, repository), mirror, before).await,
            None => None,
        };
        let actor = brought.as_ref().and_then(|(_, person)| person.clone());
        let entry = match tells {
            false => None,
            true => Some(self.entry(head, (tenant, repository), mirror, (before.as_ref(), &state), actor).await),
        };
        let state = serde_json::to_value(&state).unwrap_or_default();
        let noted = self.store.note_standing(tenant, &name, stood.as_ref(), state, entry).await?;
        if noted {
            if let Some((commit, _)) = brought {
                self.pushes.told((tenant, repository), &commit);
            }
            commit_soon(&*self.store, tenant, repository, now).await?;
        }
        Ok(noted)
    }

    /// The entry that tells of a change.
    async fn entry(
        &self,
        head: &DefinitionsAt,
        (tenant, repository): (&TenantId, &str),
        mirror: &Mirror,
        (before, after): (Option<&State>, &State),
        actor: Option<Person>,
    ) -> NewEntry {
        let data = self.told(head, (tenant, repository), mirror, before, after).await;
        NewEntry {
            at: after.at,
            kind: SETTINGS_CHANGED.to_owned(),
            actor,
            repository: Some(repository.to_owned()),
            process: None,
            execution: None,
            step: None,
            data,
            once: None,
        }
    }

    /// With which commit the settings of a head came, and whose push led to it from those that stood before. What was pushed
    /// since and left them alone is gone back over. Nobody where GitHub has not told of it, or where it may have been several
    /// people.
    async fn who_brought(
        &self,
        head: &DefinitionsAt,
        (tenant, repository): (&TenantId, &str),
        mirror: &Mirror,
        before: &State,
    ) -> Option<(String, Option<Person>)> {
        let found = files(&head.repository);
        let mut commit = head.revision.clone();
        for _ in 0..MOST_PUSHES_BACK {
            let (mut people, mut further) = (Vec::new(), None);
            for (from, by) in self.pushes.that_led_to((tenant, repository), &commit) {
                let from = match from {
                    Some(from) => from,
                    None => mirror.commit(&commit).await.ok()?.parent?,
                };
                match self.files_at((tenant, repository), mirror, &from).await {
                    Some(stood) if stood == before.files => people.push(by),
                    Some(stood) if stood == found => further = Some(from),
                    _ => {}
                }
            }
            if !people.is_empty() {
                return Some((commit, the_same(people)));
            }
            commit = further?;
        }
        None
    }

    /// The settings at a commit; nothing where that is not here any more.
    async fn files_at(
        &self,
        (tenant, repository): (&TenantId, &str),
        mirror: &Mirror,
        commit: &str,
    ) -> Option<BTreeMap<String, String>> {
        let is_here = matches!(mirror.contains(commit).await, Ok(true));
        let definitions = if is_here { self.at(tenant, repository, commit).await.ok() } else { None };
        definitions.map(|definitions| files(&definitions.repository))
    }

    /// What the audit log says of a change.
    async fn told(
        &self,
        head: &DefinitionsAt,
        (tenant, repository): (&TenantId, &str),
        mirror: &Mirror,
        before: Option<&State>,
        after: &State,
    ) -> Value {
        let none = BTreeMap::new();
        let files_before = before.map_or(&none, |before| &before.files);
        let paths: BTreeSet<&String> = files_before.keys().chain(after.files.keys()).collect();
        let differing = paths.into_iter().filter(|path| files_before.get(*path) != after.files.get(*path));
        let files: Vec<Value> = differing
            .map(|path| json!({"path": path, "before": files_before.get(path), "after": after.files.get(path)}))
            .collect();
        let weakened = match before {
            Some(before) => self.weakened(head, (tenant, repository), mirror, &before.commit).await,
            None => Value::Null,
        };
        // Whoever makes a commit writes this name into it: it proves nothing.
        let committer = mirror.commit(&head.revision).await.ok().map(|said| said.committer);
        json!({
            "commit": after.commit,
            "commit_before": before.map(|before| &before.commit),
            "committer": committer,
            "files": files,
            "weakened": weakened,
        })
    }

    /// What the settings ask less of than at an earlier commit; null where that is not there any more.
    async fn weakened(
        &self,
        head: &DefinitionsAt,
        (tenant, repository): (&TenantId, &str),
        mirror: &Mirror,
        commit: &str,
    ) -> Value {
        let is_here = matches!(mirror.contains(commit).await, Ok(true));
        let before = match is_here {
            true => self.at(tenant, repository, commit).await.ok(),
            false => None,
        };
        let Some(before) = before else { return Value::Null };
        let difference = compare(&before.repository, &head.repository);
        let weakenings = difference.only(|path| is_setting(FileKind::of(path))).weakenings;
        weakenings.iter().map(|one| json!({"kind": one.kind.name(), "message": one.message})).collect()
    }

    /// The definitions at the head of the default branch, fetched anew.
    pub(super) async fn fetched(
        &self,
        tenant: &TenantId,
        repository: &str,
        mirror: &Mirror,
    ) -> Result<Arc<DefinitionsAt>, ReadError> {
        let fetched = mirror.fetch(&[Reference::DefaultBranch]).await?;
        let empty = || ReadError::Empty { repository: repository.to_owned() };
        let revision = fetched.default_branch.as_ref().ok_or_else(empty)?.commit.clone();
        self.at(tenant, repository, &revision).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_that_was_written_wrongly_ended_the_copy_of_the_audit_log() {
        let before = State { audit_ref: Some("refs/flowctl/audit".to_owned()), ..State::default() };
        for (settings, expected) in [
            ("audit: {ref: refs/flowctl/audit}\n", Some("refs/flowctl/audit")),
            ("audit: {ref: refs/flowctl/other}\nvalidate: [1]\n", Some("refs/flowctl/other")),
            ("audit: {ref: refs/heads/main}\n", Some("refs/flowctl/audit")),
            ("audit: {ref: [a]}\n", Some("refs/flowctl/audit")),
            ("audit: yes\n", Some("refs/flowctl/audit")),
            ("audit: {ref: refs/flowctl/a\n", Some("refs/flowctl/audit")),
            ("validate: {fail_on_weakening: true}\n", None),
            ("audit: {}\n", None),
        ] {
            let repository = Repository::read([(".flow/flow.yaml".to_owned(), settings.to_owned())]);
            assert_eq!(audit_reference(&repository, Some(&before)).as_deref(), expected, "{settings}");
        }
        let nothing = Repository::read([(".flow/other.txt".to_owned(), String::new())]);
        assert_eq!(audit_reference(&nothing, Some(&before)), None, "there are no settings any more");
    }
}
