//! Who asks: an App by its signed token, an installation, a person, nobody.
//! Sources: "Generating a JSON Web Token (JWT) for a GitHub App", "Authenticating to the REST API".

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::limits;
use crate::state::{Id, TokenOwner, World};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody said who.
    Anonymous,
    /// The App itself.
    App,
    /// An installation of the App, by this token.
    Installation { id: Id, token: String },
    /// A person.
    Person { id: Id, login: String },
}

/// Why the word of the asker is not taken: status 401 and this message, or 404 for an unknown App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unknown {
    BadCredentials,
    Jwt(&'static str),
    NoSuchApp,
}

const UNDECODABLE: Unknown = Unknown::Jwt("A JSON web token could not be decoded");
const NO_EXP: Unknown = Unknown::Jwt(
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
);
const FAR_EXP: Unknown = Unknown::Jwt("'Expiration time' claim ('exp') is too far in the future");
const BAD_IAT: Unknown =
    Unknown::Jwt("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued");
const BAD_ISS: Unknown = Unknown::Jwt("'Issuer' claim ('iss') must be an Integer");

impl Caller {
    /// A name for logs and counters.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::App => "app".to_owned(),
            Self::Installation { id, .. } => format!("installation:{id}"),
            Self::Person { login, .. } => format!("person:{login}"),
        }
    }
}

/// Reads the `Authorization` header. `now` is the sandbox's time, by which tokens end.
pub(crate) fn identify(world: &World, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Unknown> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(Caller::Anonymous) };
    let text = value.to_str().map_err(|_| Unknown::BadCredentials)?;
    let (scheme, rest) = text.split_once(' ').ok_or(Unknown::BadCredentials)?;
    let token = match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => rest.trim().to_owned(),
        "basic" => password(rest.trim()).ok_or(Unknown::BadCredentials)?,
        _ => return Err(Unknown::BadCredentials),
    };
    by_token(world, &token, now).unwrap_or_else(|| {
        if token.starts_with("eyJ") {
            by_jwt(world, &token).map(|()| Caller::App)
        } else {
            Err(Unknown::BadCredentials)
        }
    })
}

/// The password of basic authentication; the user is `x-access-token` or anything.
fn password(encoded: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(if password.is_empty() || password == "x-oauth-basic" { user } else { password }.to_owned())
}

fn by_token(world: &World, token: &str, now: Timestamp) -> Option<Result<Caller, Unknown>> {
    let known = world.tokens.get(token)?;
    if known.expires_at.is_some_and(|end| end <= now) {
        return Some(Err(Unknown::BadCredentials));
    }
    Some(match known.owner {
        TokenOwner::Installation(id) if world.installations.contains_key(&id) => {
            Ok(Caller::Installation { id, token: token.to_owned() })
        }
        TokenOwner::Installation(_) => Err(Unknown::BadCredentials),
        TokenOwner::Person(id) => match world.accounts.get(&id) {
            Some(account) => Ok(Caller::Person { id, login: account.login.clone() }),
            None => Err(Unknown::BadCredentials),
        },
    })
}

/// Checks the App's token. It is measured by the machine's clock, as the App makes it by that one.
fn by_jwt(world: &World, token: &str) -> Result<(), Unknown> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| UNDECODABLE)?;
    let claims = claims(token).ok_or(UNDECODABLE)?;
    let now = Timestamp::now().as_second();
    let app = &world.app;
    let of_app = match claims.get("iss") {
        Some(Value::Number(number)) => number.as_u64() == Some(app.id),
        Some(Value::String(text)) if *text == app.client_id => true,
        Some(Value::String(text)) => text.parse::<u64>().map_err(|_| BAD_ISS)? == app.id,
        _ => return Err(BAD_ISS),
    };
    if !of_app {
        return Err(Unknown::NoSuchApp);
    }
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    validation.validate_aud = false;
    let key = DecodingKey::from_rsa_pem(app.public_key_pem.as_bytes()).map_err(|_| UNDECODABLE)?;
    if header.alg != Algorithm::RS256 || jsonwebtoken::decode::<Value>(token, &key, &validation).is_err() {
        return Err(UNDECODABLE);
    }
    let issued = claims.get("iat").and_then(Value::as_i64).ok_or(BAD_IAT)?;
    let ends = claims.get("exp").and_then(Value::as_i64).ok_or(NO_EXP)?;
    if issued > now {
        return Err(BAD_IAT);
    }
    if ends <= now {
        return Err(NO_EXP);
    }
    if ends > now + limits::JWT_SECONDS {
        return Err(FAR_EXP);
    }
    Ok(())
}

fn claims(token: &str) -> Option<Value> {
    let body = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}
