//! What happens to the App's installations and to repositories as a whole.
//! Source: GitHub webhook documentation, `installation`, `installation_repositories`, `repository`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Change, Id, Installation, Permission, Repository, Selection, TokenOwner};
use crate::error::SandboxError;

impl Change<'_> {
    /// Installs the App into an account; tells `installation.created`.
    pub fn install(&mut self, account: Id, selection: Selection, by: Id) -> Result<Id, SandboxError> {
        if let Some(there) = self.world.installations.values().find(|it| it.account == account) {
            return Err(SandboxError::Conflict(format!("the App is already installed there as {}", there.id)));
        }
        let (id, now) = (self.world.take_id(), self.now);
        let installation = Installation {
            id,
            account,
            selection,
            permissions: self.world.app.permissions.clone(),
            events: self.world.app.events.clone(),
            created_at: now,
            updated_at: now,
            suspended: None,
        };
        self.world.installations.insert(id, installation);
        self.tell_installation("created", id, by);
        Ok(id)
    }

    /// Takes the App away; its tokens end; tells `installation.deleted`.
    pub fn delete_installation(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        self.known_installation(id)?;
        self.tell_installation("deleted", id, by);
        self.world.installations.remove(&id);
        self.world.tokens.retain(|_, token| token.owner != TokenOwner::Installation(id));
        Ok(())
    }

    /// Stops the App there for a while; tells `installation.suspend`.
    pub fn suspend_installation(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        let now = self.now;
        self.known_installation(id)?.suspended = Some((now, by));
        self.tell_installation("suspend", id, by);
        Ok(())
    }

    /// Lets it go on; tells `installation.unsuspend`.
    pub fn unsuspend_installation(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        self.known_installation(id)?.suspended = None;
        self.tell_installation("unsuspend", id, by);
        Ok(())
    }

    /// Changes what it covers; tells `installation_repositories.added` and `.removed`.
    pub fn select_repositories(&mut self, id: Id, selection: Selection, by: Id) -> Result<(), SandboxError> {
        self.known_installation(id)?;
        let before: BTreeSet<Id> = self.world.covered_by(id).into_iter().collect();
        self.known_installation(id)?.selection = selection;
        let after: BTreeSet<Id> = self.world.covered_by(id).into_iter().collect();
        let added: Vec<Id> = after.difference(&before).copied().collect();
        let removed: Vec<Id> = before.difference(&after).copied().collect();
        self.tell_selection("added", id, &added, &[], by);
        self.tell_selection("removed", id, &[], &removed, by);
        Ok(())
    }

    /// Grants or takes permissions; unknown ones are kept as given.
    pub fn set_permissions(
        &mut self,
        id: Id,
        permissions: BTreeMap<String, String>,
        by: Id,
    ) -> Result<(), SandboxError> {
        self.known_installation(id)?.permissions = permissions;
        self.world.tokens.retain(|_, token| token.owner != TokenOwner::Installation(id));
        self.tell_installation("new_permissions_accepted", id, by);
        Ok(())
    }

    fn known_installation(&mut self, id: Id) -> Result<&mut Installation, SandboxError> {
        let now = self.now;
        let found = self.world.installations.get_mut(&id);
        let found = found.ok_or_else(|| SandboxError::NotFound(format!("installation {id}")))?;
        found.updated_at = now;
        Ok(found)
    }

    fn tell_installation(&mut self, action: &'static str, id: Id, by: Id) {
        let Some(installation) = self.world.installations.get(&id) else { return };
        let view = self.view();
        let covered = self.world.covered_by(id);
        let mut fields = vec![("installation", view.installation(installation))];
        if matches!(action, "created" | "deleted" | "suspend" | "unsuspend" | "new_permissions_accepted") {
            fields.push(("repositories", view.installed_repositories(&covered)));
        }
        fields.push(("requester", Value::Null));
        self.emit_always("installation", Some(action), Some(id), by, fields);
    }

    fn tell_selection(&mut self, action: &'static str, id: Id, added: &[Id], removed: &[Id], by: Id) {
        if added.is_empty() && removed.is_empty() {
            return;
        }
        let Some(installation) = self.world.installations.get(&id) else { return };
        let view = self.view();
        let selection = if installation.selection == Selection::All { "all" } else { "selected" };
        let fields = vec![
            ("installation", view.installation(installation)),
            ("repository_selection", json!(selection)),
            ("repositories_added", view.installed_repositories(added)),
            ("repositories_removed", view.installed_repositories(removed)),
            ("requester", Value::Null),
        ];
        self.emit_always("installation_repositories", Some(action), Some(id), by, fields);
    }

    /// Makes an empty repository; tells `repository.created` and that the installation covers one more.
    pub fn create_repository(
        &mut self,
        owner: Id,
        name: &str,
        default_branch: &str,
        private: bool,
    ) -> Result<Id, SandboxError> {
        let fits = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        if name.is_empty() || name.len() > 100 || !name.chars().all(fits) || name.ends_with(".git") {
            return Err(SandboxError::field(
                "Repository",
                "name",
                "invalid",
                "letters, digits, `-`, `_` and `.`, at most 100",
            ));
        }
        if self.world.repositories.values().any(|it| it.owner == owner && it.name.eq_ignore_ascii_case(name)) {
            return Err(SandboxError::field("Repository", "name", "custom", "name already exists on this account"));
        }
        let (id, now) = (self.world.take_id(), self.now);
        self.git.create(id, default_branch)?;
        let repository = Repository {
            id,
            owner,
            name: name.to_owned(),
            description: None,
            default_branch: default_branch.to_owned(),
            private,
            collaborators: BTreeMap::new(),
            teams: BTreeMap::new(),
            labels: BTreeMap::new(),
            references: BTreeMap::new(),
            next_number: 1,
            created_at: now,
            updated_at: now,
            pushed_at: now,
        };
        self.world.repositories.insert(id, repository);
        self.emit("repository", Some("created"), id, owner, Vec::new());
        let covering = self.world.installation_of(id).map(|installation| installation.id);
        if let Some(installation) = covering {
            self.tell_selection("added", installation, &[id], &[], owner);
        }
        Ok(id)
    }

    /// Gives a repository another name; tells `repository.renamed`.
    pub fn rename_repository(&mut self, id: Id, name: &str, by: Id) -> Result<(), SandboxError> {
        let repository = self.world.repositories.get_mut(&id).ok_or_else(|| missing(id))?;
        let before = std::mem::replace(&mut repository.name, name.to_owned());
        let fields = vec![("changes", json!({"repository": {"name": {"from": before}}}))];
        self.emit("repository", Some("renamed"), id, by, fields);
        Ok(())
    }

    /// Gives a repository to another account; tells the App there `repository.transferred`. Teams of the account before
    /// keep nothing. Source: "Transferring a repository", and webhook documentation, `repository`.
    pub fn transfer_repository(&mut self, id: Id, to: Id, by: Id) -> Result<(), SandboxError> {
        let repository = self.world.repositories.get_mut(&id).ok_or_else(|| missing(id))?;
        let before = std::mem::replace(&mut repository.owner, to);
        repository.teams.clear();
        let former = self.view().user(before);
        let is_organization = former["type"] == "Organization";
        let from = if is_organization { json!({"organization": former}) } else { json!({"user": former}) };
        let fields = vec![("changes", json!({"owner": {"from": from}}))];
        self.emit("repository", Some("transferred"), id, by, fields);
        Ok(())
    }

    /// Makes another branch the default; tells `repository.edited`.
    pub fn set_default_branch(&mut self, id: Id, branch: &str, by: Id) -> Result<(), SandboxError> {
        let repository = self.world.repositories.get_mut(&id).ok_or_else(|| missing(id))?;
        if repository.branch(branch).is_none() {
            return Err(SandboxError::NotFound(format!("branch `{branch}`")));
        }
        let before = std::mem::replace(&mut repository.default_branch, branch.to_owned());
        self.git.open(id)?.set_head(&format!("refs/heads/{branch}"))?;
        let fields = vec![("changes", json!({"default_branch": {"from": before}}))];
        self.emit("repository", Some("edited"), id, by, fields);
        Ok(())
    }

    /// Takes a repository away with all that is in it; tells `repository.deleted`.
    pub fn delete_repository(&mut self, id: Id, by: Id) -> Result<(), SandboxError> {
        if !self.world.repositories.contains_key(&id) {
            return Err(missing(id));
        }
        self.emit("repository", Some("deleted"), id, by, Vec::new());
        let world = &mut *self.world;
        world.repositories.remove(&id);
        world.issues.retain(|_, issue| issue.repository != id);
        let issues = &world.issues;
        world.comments.retain(|_, comment| issues.contains_key(&comment.issue));
        world.reviews.retain(|_, review| issues.contains_key(&review.issue));
        world.check_runs.retain(|_, run| run.repository != id);
        world.suites.retain(|_, suite| suite.repository != id);
        for installation in world.installations.values_mut() {
            if let Selection::Selected(chosen) = &mut installation.selection {
                chosen.remove(&id);
            }
        }
        self.git.remove(id)
    }

    /// Lets a person do that much in a repository.
    pub fn grant(&mut self, repository: Id, person: Id, permission: Permission) -> Result<(), SandboxError> {
        let record = self.world.repositories.get_mut(&repository).ok_or_else(|| missing(repository))?;
        if permission == Permission::None {
            record.collaborators.remove(&person);
        } else {
            record.collaborators.insert(person, permission);
        }
        Ok(())
    }
}

fn missing(id: Id) -> SandboxError {
    SandboxError::NotFound(format!("repository {id}"))
}
