//! Users, organisations, members, teams. Source: REST documentation, "Users", "Organizations", "Teams".

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Value, json};

use super::{Answer, ApiError, Paging, Shared, no_content, ok};
use crate::auth::Caller;
use crate::hub::Hub;
use crate::state::{Id, Team, World};

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/user", get(own_user))
        .route("/users/{login}", get(get_user))
        .route("/user/{id}", get(get_user_by_id))
        .route("/orgs/{org}", get(get_organization))
        .route("/orgs/{org}/members", get(list_members))
        .route("/orgs/{org}/members/{login}", get(is_member))
        .route("/orgs/{org}/memberships/{login}", get(get_membership))
        .route("/orgs/{org}/teams", get(list_teams))
        .route("/orgs/{org}/teams/{slug}", get(get_team))
        .route("/orgs/{org}/teams/{slug}/members", get(list_team_members))
        .route("/orgs/{org}/teams/{slug}/memberships/{login}", get(get_team_membership))
}

async fn own_user(State(hub): Shared, caller: Caller) -> Answer {
    let id = match caller {
        Caller::Person { id, .. } => id,
        Caller::Anonymous => return Err(ApiError::unauthenticated()),
        _ => return Err(ApiError::not_accessible()),
    };
    hub.read(|view| {
        let account = view.world.accounts.get(&id).ok_or_else(ApiError::not_found)?;
        Ok(ok(view.public_user(account)))
    })
}

async fn get_user(State(hub): Shared, Path(login): Path<String>) -> Answer {
    hub.read(|view| Ok(ok(view.public_user(view.world.account(&login)?))))
}

async fn get_user_by_id(State(hub): Shared, Path(id): Path<Id>) -> Answer {
    hub.read(|view| {
        let account = view.world.accounts.get(&id).ok_or_else(ApiError::not_found)?;
        Ok(ok(view.public_user(account)))
    })
}

async fn get_organization(State(hub): Shared, Path(login): Path<String>) -> Answer {
    hub.read(|view| Ok(ok(view.organization_full(view.world.account(&login)?))))
}

async fn list_members(State(hub): Shared, caller: Caller, Path(login): Path<String>, paging: Paging) -> Answer {
    let members = hub.read(|view| {
        let id = caller.organization(view.world, &login)?;
        let organization = view.world.accounts.get(&id).ok_or_else(ApiError::not_found)?;
        Ok::<Vec<Value>, ApiError>(organization.members.iter().map(|member| view.user(*member)).collect())
    })?;
    Ok(paging.list(members))
}

/// 204 for a member, 404 otherwise. Source: "Check organization membership for a user".
async fn is_member(State(hub): Shared, caller: Caller, Path((org, login)): Path<(String, String)>) -> Answer {
    hub.read(|view| {
        let id = caller.organization(view.world, &org)?;
        let person = view.world.account(&login)?.id;
        let member = view.world.accounts.get(&id).is_some_and(|org| org.members.contains(&person));
        if member { Ok(no_content()) } else { Err(ApiError::not_found()) }
    })
}

async fn get_membership(State(hub): Shared, caller: Caller, Path((org, login)): Path<(String, String)>) -> Answer {
    hub.read(|view| {
        let id = caller.organization(view.world, &org)?;
        let person = view.world.account(&login)?;
        let organization = view.world.accounts.get(&id).ok_or_else(ApiError::not_found)?;
        if !organization.members.contains(&person.id) {
            return Err(ApiError::not_found());
        }
        let role = if organization.owners.contains(&person.id) { "admin" } else { "member" };
        let api = format!("{}/orgs/{}", view.urls.api(), organization.login);
        Ok(ok(json!({
            "url": format!("{api}/memberships/{}", person.login),
            "state": "active",
            "role": role,
            "organization_url": api,
            "organization": view.organization(organization),
            "user": view.simple_user(person),
        })))
    })
}

fn team<'a>(world: &'a World, organization: Id, slug: &str) -> Result<&'a Team, ApiError> {
    let mut teams = world.teams.values();
    teams
        .find(|team| team.organization == organization && team.slug.eq_ignore_ascii_case(slug))
        .ok_or_else(ApiError::not_found)
}

async fn list_teams(State(hub): Shared, caller: Caller, Path(org): Path<String>, paging: Paging) -> Answer {
    let teams = hub.read(|view| {
        let id = caller.organization(view.world, &org)?;
        let teams = view.world.teams.values().filter(|team| team.organization == id);
        Ok::<Vec<Value>, ApiError>(teams.map(|team| view.team(team)).collect())
    })?;
    Ok(paging.list(teams))
}

async fn get_team(State(hub): Shared, caller: Caller, Path((org, slug)): Path<(String, String)>) -> Answer {
    hub.read(|view| {
        let id = caller.organization(view.world, &org)?;
        Ok(ok(view.team_full(team(view.world, id, &slug)?)))
    })
}

async fn list_team_members(
    State(hub): Shared,
    caller: Caller,
    Path((org, slug)): Path<(String, String)>,
    paging: Paging,
) -> Answer {
    let members = hub.read(|view| {
        let id = caller.organization(view.world, &org)?;
        let team = team(view.world, id, &slug)?;
        Ok::<Vec<Value>, ApiError>(team.members.iter().map(|member| view.user(*member)).collect())
    })?;
    Ok(paging.list(members))
}

/// Source: "Get team membership for a user": 404 for those who do not belong to it.
async fn get_team_membership(
    State(hub): Shared,
    caller: Caller,
    Path((org, slug, login)): Path<(String, String, String)>,
) -> Answer {
    hub.read(|view| {
        let id = caller.organization(view.world, &org)?;
        let team = team(view.world, id, &slug)?;
        let person = view.world.account(&login)?;
        if !team.members.contains(&person.id) {
            return Err(ApiError::not_found());
        }
        Ok(ok(view.team_membership(team, &person.login)))
    })
}
