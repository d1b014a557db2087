//! What a caller may reach: the repository must be covered, the permission granted.
//! Source: "Permissions required for GitHub Apps".

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::error::ApiError;
use crate::auth::Caller;
use crate::state::{Id, Permission, Token, World};

/// What an endpoint asks for: any of these App permissions, at this level.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    permissions: &'static [&'static str],
    write: bool,
    person: Permission,
}

impl Need {
    /// Read one of these; people need read access.
    pub(crate) const fn read(permissions: &'static [&'static str]) -> Self {
        Self { permissions, write: false, person: Permission::Read }
    }

    /// Write one of these; people need write access.
    pub(crate) const fn write(permissions: &'static [&'static str]) -> Self {
        Self { permissions, write: true, person: Permission::Write }
    }

    /// The same, but people only need to see the repository.
    pub(crate) const fn open_to_readers(self) -> Self {
        Self { person: Permission::Read, ..self }
    }
}

/// What every installation may: see the repository.
pub(crate) const METADATA: Need = Need::read(&["metadata"]);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self::Anonymous))
    }
}

impl Caller {
    /// The App's own endpoints take nothing but its token.
    pub(crate) fn require_app(&self) -> Result<(), ApiError> {
        match self {
            Self::App => Ok(()),
            _ => Err(crate::auth::Unknown::Jwt("A JSON web token could not be decoded").into()),
        }
    }

    /// The installation that asks, if it is one and not suspended.
    pub(crate) fn require_installation(&self, world: &World) -> Result<Id, ApiError> {
        match self {
            Self::Installation { id, .. } => {
                let suspended =
                    world.installations.get(id).is_some_and(|installation| installation.suspended.is_some());
                if suspended { Err(ApiError::suspended()) } else { Ok(*id) }
            }
            Self::Anonymous => Err(ApiError::unauthenticated()),
            _ => Err(ApiError::not_accessible()),
        }
    }

    /// The repository, if this caller may do to it what the endpoint does.
    pub(crate) fn repository(&self, world: &World, owner: &str, name: &str, need: Need) -> Result<Id, ApiError> {
        let repository = world.repository(&format!("{owner}/{name}"))?;
        let id = repository.id;
        match self {
            Self::Anonymous if need.write => Err(ApiError::unauthenticated()),
            Self::Anonymous if repository.private => Err(ApiError::not_found()),
            Self::Anonymous => Ok(id),
            Self::App => Err(ApiError::not_accessible()),
            Self::Installation { token, .. } => {
                let installation = self.require_installation(world)?;
                let token = world.tokens.get(token).ok_or_else(ApiError::not_found)?;
                let narrowed = token.repositories.as_ref().is_some_and(|only| !only.contains(&id));
                let covers = world.installations.get(&installation).is_some_and(|it| it.covers(repository.owner, id));
                if !covers || narrowed {
                    return Err(ApiError::not_found());
                }
                if grants(token, need) { Ok(id) } else { Err(ApiError::not_accessible()) }
            }
            Self::Person { id: person, .. } => {
                let permission = world.permission(id, *person);
                if permission == Permission::None && repository.private {
                    Err(ApiError::not_found())
                } else if permission < need.person && (need.write || repository.private) {
                    Err(ApiError::new(http::StatusCode::FORBIDDEN, "Must have admin rights to Repository."))
                } else {
                    Ok(id)
                }
            }
        }
    }

    /// The organisation, if this caller may read its members.
    pub(crate) fn organization(&self, world: &World, login: &str) -> Result<Id, ApiError> {
        let organization = world.account(login).map_err(|_| ApiError::not_found())?;
        match self {
            Self::Installation { token, .. } => {
                let installation = self.require_installation(world)?;
                let here = world.installations.get(&installation).is_some_and(|it| it.account == organization.id);
                let granted = world.tokens.get(token).is_some_and(|token| grants(token, Need::read(&["members"])));
                match (here, granted) {
                    (true, true) => Ok(organization.id),
                    (true, false) => Err(ApiError::not_accessible()),
                    (false, _) => Err(ApiError::not_found()),
                }
            }
            Self::Person { .. } => Ok(organization.id),
            Self::App => Err(ApiError::not_accessible()),
            Self::Anonymous => Err(ApiError::unauthenticated()),
        }
    }

    /// The account in whose name a write happens, and the App when it is one's.
    pub(crate) fn actor(&self, world: &World) -> (Id, Option<Id>) {
        match self {
            Self::Person { id, .. } => (*id, None),
            _ => (world.app.bot, Some(world.app.id)),
        }
    }
}

fn grants(token: &Token, need: Need) -> bool {
    need.permissions.iter().any(|name| {
        *name == "metadata"
            || match token.permissions.get(*name).map(String::as_str) {
                Some("write" | "admin") => true,
                Some("read") => !need.write,
                _ => false,
            }
    })
}
