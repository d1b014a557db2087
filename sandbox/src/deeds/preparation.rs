//! Deeds of whoever prepares a world: accounts, teams, repositories, installations, the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::SandboxError;
use crate::git::{Files, NewCommit, read_directory};
use crate::hub::Hub;
use crate::state::{AccountKind, Change, Id, Permission, Selection, Team, Token, TokenOwner};
use crate::{key, webhook};

impl Hub {
    /// Makes an account, or finds it.
    pub fn create_user(&self, login: &str) -> Result<Id, SandboxError> {
        self.change(|change| change.ensure_account(login, AccountKind::User))
    }

    /// Makes an organisation, or finds it.
    pub fn create_organization(&self, login: &str) -> Result<Id, SandboxError> {
        self.change(|change| change.ensure_account(login, AccountKind::Organization))
    }

    /// Lets a person belong to an organisation, as owner or not.
    pub fn add_member(&self, organization: &str, login: &str, owner: bool) -> Result<(), SandboxError> {
        self.change(|change| {
            let person = change.ensure_account(login, AccountKind::User)?;
            let organization = change.world.account(organization)?.id;
            if let Some(organization) = change.world.accounts.get_mut(&organization) {
                organization.members.insert(person);
                if owner {
                    organization.owners.insert(person);
                }
            }
            Ok(())
        })
    }

    /// Makes a team of an organisation, or replaces its members; they become the organisation's too.
    pub fn set_team(&self, organization: &str, slug: &str, members: &[&str]) -> Result<Id, SandboxError> {
        self.change(|change| {
            let organization = change.world.account(organization)?.id;
            let people = members.iter().map(|login| change.ensure_account(login, AccountKind::User));
            let people = people.collect::<Result<BTreeSet<_>, _>>()?;
            if let Some(organization) = change.world.accounts.get_mut(&organization) {
                organization.members.extend(&people);
            }
            let mut teams = change.world.teams.values_mut();
            if let Some(team) = teams.find(|team| team.organization == organization && team.slug == slug) {
                team.members = people;
                return Ok(team.id);
            }
            let (id, created_at) = (change.world.take_id(), change.now);
            let team =
                Team { id, organization, slug: slug.to_owned(), name: slug.to_owned(), members: people, created_at };
            change.world.teams.insert(id, team);
            Ok(id)
        })
    }

    /// Makes a repository with these files as its first commit; the default branch is `main`.
    pub fn create_repository(&self, full_name: &str, files: &Files) -> Result<Id, SandboxError> {
        self.change(|change| {
            let id = change.empty_repository(full_name)?;
            change.first_commit(id, None, "Initial commit", files)?;
            Ok(id)
        })
    }

    /// Makes a repository from a folder: its files, without ignored ones. Where the folder is a git work tree, the
    /// history of its branch comes along, and what is not committed there becomes one more commit.
    pub fn create_repository_from(&self, full_name: &str, directory: &Path) -> Result<Id, SandboxError> {
        let files = read_directory(directory)?;
        self.change(|change| {
            let id = change.empty_repository(full_name)?;
            let tip = change.git.adopt(id, directory, "main")?;
            let Some(tip) = tip else {
                change.first_commit(id, None, "Initial commit", &files)?;
                return Ok(id);
            };
            let differing = change.git.differing(id, &tip, directory, &files)?;
            if differing.is_empty() {
                change.observe_references(id, change.world.app.owner)?;
            } else {
                change.first_commit(id, Some(tip), "What is not committed yet", &differing)?;
            }
            Ok(id)
        })
    }

    /// Lets a person do that much in a repository.
    pub fn grant(&self, repository: &str, login: &str, permission: Permission) -> Result<(), SandboxError> {
        self.change(|change| {
            let person = change.ensure_account(login, AccountKind::User)?;
            let repository = change.world.repository(repository)?.id;
            change.grant(repository, person, permission)
        })
    }

    /// Lets a team do that much in a repository.
    pub fn grant_team(&self, repository: &str, slug: &str, permission: Permission) -> Result<(), SandboxError> {
        self.change(|change| {
            let repository = change.world.repository(repository)?;
            let (id, owner) = (repository.id, repository.owner);
            let team = change.world.teams.values().find(|team| team.organization == owner && team.slug == slug);
            let team = team.ok_or_else(|| SandboxError::NotFound(format!("team `{slug}`")))?.id;
            if let Some(repository) = change.world.repositories.get_mut(&id) {
                repository.teams.insert(team, permission);
            }
            Ok(())
        })
    }

    /// Installs the App into an account, for all its repositories or for those named.
    pub fn install(&self, account: &str, repositories: Option<&[&str]>) -> Result<Id, SandboxError> {
        self.change(|change| {
            let account = change.world.account(account)?.id;
            let selection = change.selection(repositories)?;
            change.install(account, selection, change.world.app.owner)
        })
    }

    /// Changes which repositories an installation covers.
    pub fn select_repositories(&self, installation: Id, repositories: Option<&[&str]>) -> Result<(), SandboxError> {
        self.change(|change| {
            let selection = change.selection(repositories)?;
            change.select_repositories(installation, selection, change.world.app.owner)
        })
    }

    /// Suspends an installation.
    pub fn suspend_installation(&self, id: Id) -> Result<(), SandboxError> {
        self.change(|change| change.suspend_installation(id, change.world.app.owner))
    }

    /// Lets a suspended installation go on.
    pub fn unsuspend_installation(&self, id: Id) -> Result<(), SandboxError> {
        self.change(|change| change.unsuspend_installation(id, change.world.app.owner))
    }

    /// Takes an installation away.
    pub fn delete_installation(&self, id: Id) -> Result<(), SandboxError> {
        self.change(|change| change.delete_installation(id, change.world.app.owner))
    }

    /// Sets what an installation may do; its tokens end.
    pub fn set_permissions(&self, id: Id, permissions: &[(&str, &str)]) -> Result<(), SandboxError> {
        let permissions = permissions.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect();
        self.change(|change| change.set_permissions(id, permissions, change.world.app.owner))
    }

    /// Ends every installation token at once; the App has to ask for new ones.
    pub fn revoke_tokens(&self) -> Result<(), SandboxError> {
        self.change(|change| {
            change.world.tokens.retain(|_, token| !matches!(token.owner, TokenOwner::Installation(_)));
            Ok(())
        })
    }

    /// A token with which a person pushes and asks the API.
    pub fn token_of(&self, login: &str) -> Result<String, SandboxError> {
        self.change(|change| {
            let owner = TokenOwner::Person(change.world.account(login)?.id);
            let token = key::personal_token();
            let known = Token { owner, expires_at: None, permissions: BTreeMap::new(), repositories: None };
            change.world.tokens.insert(token.clone(), known);
            Ok(token)
        })
    }

    /// Sets where webhooks go and sends `ping` there.
    pub fn set_webhook_url(&self, url: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let app = &mut change.world.app;
            if app.webhook_url.as_deref() == Some(url) {
                return Ok(());
            }
            app.webhook_url = Some(url.to_owned());
            let (hook, owner) = (app.id, app.owner);
            let ping = webhook::ping(change.world, hook);
            let fields = [("zen", "zen"), ("hook_id", "hook_id"), ("hook", "hook")];
            let fields = fields.map(|(name, key)| (name, ping[key].clone())).to_vec();
            change.emit_always("ping", None, None, owner, fields);
            Ok(())
        })
    }

    /// Renames a repository.
    pub fn rename_repository(&self, repository: &str, name: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let id = change.world.repository(repository)?.id;
            change.rename_repository(id, name, change.world.app.owner)
        })
    }

    /// Gives a person another login; anybody may have the old one then.
    /// Source: GitHub documentation, "Username changes".
    pub fn rename_user(&self, login: &str, to: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let id = change.world.account(login)?.id;
            if change.world.account(to).is_ok() {
                return Err(SandboxError::invalid("the login is taken"));
            }
            if let Some(account) = change.world.accounts.get_mut(&id) {
                account.login = to.to_owned();
            }
            change.touch();
            Ok(())
        })
    }

    /// Gives a repository to another account.
    pub fn transfer_repository(&self, repository: &str, to: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let id = change.world.repository(repository)?.id;
            let to = change.world.account(to)?.id;
            change.transfer_repository(id, to, change.world.app.owner)
        })
    }

    /// Forgets what was sent to the App, as after three days.
    /// Source: GitHub documentation, "Viewing webhook deliveries" (of the past 3 days).
    pub fn forget_deliveries(&self) -> Result<(), SandboxError> {
        self.change(|change| {
            change.world.forget_deliveries();
            Ok(())
        })
    }

    /// Deletes a repository.
    pub fn delete_repository(&self, repository: &str) -> Result<(), SandboxError> {
        self.change(|change| {
            let id = change.world.repository(repository)?.id;
            change.delete_repository(id, change.world.app.owner)
        })
    }

    /// Moves the sandbox's clock forward; what has become too old becomes stale.
    pub fn advance_clock(&self, span: std::time::Duration) -> Result<(), SandboxError> {
        self.clock.advance(span);
        self.change(|_| Ok(()))
    }
}

impl Change<'_> {
    fn empty_repository(&mut self, full_name: &str) -> Result<Id, SandboxError> {
        let (owner, name) = split(full_name)?;
        let owner = self.world.account(owner)?.id;
        self.create_repository(owner, name, "main", true)
    }

    fn first_commit(&mut self, id: Id, onto: Option<String>, message: &str, files: &Files) -> Result<(), SandboxError> {
        let by = self.world.app.owner;
        let author = self.author(by);
        let parents: Vec<String> = onto.into_iter().collect();
        let new = NewCommit { branch: "main", parents: &parents, files, message, author: &author, at: self.now };
        self.git.commit(id, &new)?;
        self.observe_references(id, by)
    }

    pub(super) fn ensure_account(&mut self, login: &str, kind: AccountKind) -> Result<Id, SandboxError> {
        if let Ok(there) = self.world.account(login) {
            return Ok(there.id);
        }
        let fits = |character: char| character.is_ascii_alphanumeric() || character == '-';
        if login.is_empty() || login.len() > 39 || !login.chars().all(fits) || login.starts_with('-') {
            return Err(SandboxError::invalid(format!("`{login}` is no login: letters, digits and `-`, at most 39")));
        }
        let now = self.now;
        Ok(self.world.add_account(login, kind, now))
    }

    fn selection(&self, repositories: Option<&[&str]>) -> Result<Selection, SandboxError> {
        let Some(names) = repositories else { return Ok(Selection::All) };
        let chosen = names.iter().map(|name| self.world.repository(name).map(|repository| repository.id));
        Ok(Selection::Selected(chosen.collect::<Result<_, _>>()?))
    }
}

fn split(full_name: &str) -> Result<(&str, &str), SandboxError> {
    full_name.split_once('/').ok_or_else(|| SandboxError::invalid(format!("`{full_name}` is not OWNER/NAME")))
}
