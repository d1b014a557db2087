//! People, organisations, teams. OpenAPI: `simple-user`, `private-user`, `organization-simple`, `team`.

use serde_json::{Value, json};

use super::{View, node_id};
use crate::clock::stamp;
use crate::state::{Account, AccountKind, Id, Permission, Repository, Team};

impl View<'_> {
    /// `simple-user`; an unknown account is GitHub's ghost.
    pub fn user(&self, id: Id) -> Value {
        match self.world.accounts.get(&id) {
            Some(account) => self.simple_user(account),
            None => self.simple_user(&Account::new(10_137, "ghost", AccountKind::User, jiff::Timestamp::UNIX_EPOCH)),
        }
    }

    /// `simple-user`.
    pub fn simple_user(&self, account: &Account) -> Value {
        let (web, login) = (self.urls.web(), &account.login);
        // A bot's login carries brackets, which URLs escape.
        let in_url = login.replace('[', "%5B").replace(']', "%5D");
        let api = format!("{}/users/{in_url}", self.urls.api());
        let html = match account.kind {
            AccountKind::Bot => format!("{web}/apps/{}", login.trim_end_matches("[bot]")),
            _ => format!("{web}/{login}"),
        };
        json!({
            "login": login,
            "id": account.id,
            "node_id": node_id("U", account.id),
            "avatar_url": format!("{web}/_sandbox/avatars/{}", account.id),
            "gravatar_id": "",
            "url": api,
            "html_url": html,
            "followers_url": format!("{api}/followers"),
            "following_url": format!("{api}/following{{/other_user}}"),
            "gists_url": format!("{api}/gists{{/gist_id}}"),
            "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{api}/subscriptions"),
            "organizations_url": format!("{api}/orgs"),
            "repos_url": format!("{api}/repos"),
            "events_url": format!("{api}/events{{/privacy}}"),
            "received_events_url": format!("{api}/received_events"),
            "type": account.kind.word(),
            "user_view_type": "public",
            "site_admin": false,
        })
    }

    /// `public-user`: what `GET /users/{login}` tells.
    pub fn public_user(&self, account: &Account) -> Value {
        let mut user = self.simple_user(account);
        let more = json!({
            "name": account.login,
            "company": null,
            "blog": "",
            "location": null,
            "email": null,
            "hireable": null,
            "bio": null,
            "twitter_username": null,
            "public_repos": 0,
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "created_at": stamp(account.created_at),
            "updated_at": stamp(account.created_at),
        });
        merge(&mut user, more);
        user
    }

    /// `organization-simple`.
    pub fn organization(&self, account: &Account) -> Value {
        let api = format!("{}/orgs/{}", self.urls.api(), account.login);
        json!({
            "login": account.login,
            "id": account.id,
            "node_id": node_id("O", account.id),
            "url": api,
            "repos_url": format!("{api}/repos"),
            "events_url": format!("{api}/events"),
            "hooks_url": format!("{api}/hooks"),
            "issues_url": format!("{api}/issues"),
            "members_url": format!("{api}/members{{/member}}"),
            "public_members_url": format!("{api}/public_members{{/member}}"),
            "avatar_url": format!("{}/_sandbox/avatars/{}", self.urls.web(), account.id),
            "description": "",
        })
    }

    /// `organization-full`: what `GET /orgs/{org}` tells.
    pub fn organization_full(&self, account: &Account) -> Value {
        let mut organization = self.organization(account);
        let more = json!({
            "html_url": format!("{}/{}", self.urls.web(), account.login),
            "name": account.login,
            "has_organization_projects": false,
            "has_repository_projects": false,
            "public_repos": 0,
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "type": "Organization",
            "created_at": stamp(account.created_at),
            "updated_at": stamp(account.created_at),
            "archived_at": null,
        });
        merge(&mut organization, more);
        organization
    }

    /// The organisation that owns a repository, when one does.
    pub(crate) fn organization_of(&self, repository: &Repository) -> Option<Value> {
        let owner = self.world.accounts.get(&repository.owner)?;
        (owner.kind == AccountKind::Organization).then(|| self.organization(owner))
    }

    /// `team`, as in lists.
    pub fn team(&self, team: &Team) -> Value {
        let Some(organization) = self.world.accounts.get(&team.organization) else { return Value::Null };
        let api = format!("{}/organizations/{}/team/{}", self.urls.api(), organization.id, team.id);
        json!({
            "id": team.id,
            "node_id": node_id("T", team.id),
            "url": api,
            "html_url": format!("{}/orgs/{}/teams/{}", self.urls.web(), organization.login, team.slug),
            "name": team.name,
            "slug": team.slug,
            "description": null,
            "privacy": "closed",
            "notification_setting": "notifications_enabled",
            "permission": "pull",
            "members_url": format!("{api}/members{{/member}}"),
            "repositories_url": format!("{api}/repos"),
            "parent": null,
            "type": "organization",
            "organization_id": organization.id,
        })
    }

    /// `team-full`: what asking for one tells.
    pub fn team_full(&self, team: &Team) -> Value {
        let Some(organization) = self.world.accounts.get(&team.organization) else { return Value::Null };
        let mut shape = self.team(team);
        let more = json!({
            "members_count": team.members.len(),
            "repos_count": self.world.repositories.values().filter(|repository| repository.teams.contains_key(&team.id)).count(),
            "created_at": stamp(team.created_at),
            "updated_at": stamp(team.created_at),
            "organization": self.organization_full(organization),
        });
        merge(&mut shape, more);
        shape
    }

    /// `team-membership`.
    pub fn team_membership(&self, team: &Team, login: &str) -> Value {
        let organization = self.world.accounts.get(&team.organization).map_or("", |account| account.login.as_str());
        let url = format!("{}/orgs/{organization}/teams/{}/memberships/{login}", self.urls.api(), team.slug);
        json!({"url": url, "role": "member", "state": "active"})
    }

    /// `repository-collaborator-permission`.
    pub fn collaborator_permission(&self, repository: Id, account: &Account) -> Value {
        let permission = self.world.permission(repository, account.id);
        let mut user = self.simple_user(account);
        merge(&mut user, json!({"permissions": permissions(permission), "role_name": permission.role()}));
        json!({"permission": permission.coarse(), "role_name": permission.role(), "user": user})
    }
}

fn permissions(permission: Permission) -> Value {
    json!({
        "pull": permission >= Permission::Read,
        "triage": permission >= Permission::Triage,
        "push": permission >= Permission::Write,
        "maintain": permission >= Permission::Maintain,
        "admin": permission >= Permission::Admin,
    })
}

pub(super) fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
