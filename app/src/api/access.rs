//! Who may come in: the administrator, by a bearer token. Without one set up nobody may. What a person's word is worth
//! is not decided here.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::Api;
use super::problem::Problem;

/// Lets a request in that has the token.
pub(super) async fn administrators(State(api): State<Api>, request: Request, next: Next) -> Response {
    match admitted(api.token.as_ref(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Lets a request in that brings an authority of its own in its body: a resume token. Where the API is closed nobody
/// comes in.
pub(super) async fn anybody(State(api): State<Api>, request: Request, next: Next) -> Response {
    match open(&api) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Refuses where the API is closed.
pub(super) fn open(api: &Api) -> Result<(), Problem> {
    api.token.as_ref().map(|_| ()).ok_or_else(closed)
}

fn closed() -> Problem {
    Problem::new(
        "api-closed",
        "The server was started without FLOWCTL_API_TOKEN: the API is closed. Set it, and send it as \
         `Authorization: Bearer TOKEN`.",
    )
}

/// Whether a request brings the administrator's token, where it need not.
pub(super) fn is_administrators(api: &Api, headers: &HeaderMap) -> bool {
    admitted(api.token.as_ref(), headers).is_ok()
}

fn admitted(token: Option<&SecretString>, headers: &HeaderMap) -> Result<(), Problem> {
    let token = token.ok_or_else(closed)?;
    let given = headers.get(header::AUTHORIZATION).ok_or_else(|| {
        Problem::new("token-missing", "Send the administrator's token: `Authorization: Bearer TOKEN`.")
    })?;
    let given = given.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let wrong =
        || Problem::new("token-wrong", "It is not the token of FLOWCTL_API_TOKEN that the server was started with.");
    if is_same(token.expose_secret(), given.ok_or_else(wrong)?) { Ok(()) } else { Err(wrong()) }
}

/// Compares by digests under one key, and those in constant time: how long it takes says nothing about the token.
fn is_same(token: &str, given: &str) -> bool {
    let mac = |text: &str| {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("a key");
        mac.update(text.as_bytes());
        mac
    };
    mac(given).verify(&mac(token).finalize().into_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn only_the_same_token_is_the_same() {
        assert!(is_same("a-token-of-some-length", "a-token-of-some-length"));
        for other in ["", "a-token-of-some-lengt", "a-token-of-some-length ", "A-token-of-some-length"] {
            assert!(!is_same("a-token-of-some-length", other), "{other}");
        }
    }
}
