//! Style, script and pictures, all from this server.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::hub::Hub;
use crate::state::{AccountKind, Id};

const STYLE: &str = include_str!("templates/page.css");
const ICON: &str = include_str!("templates/icon.svg");
const SCRIPT: &str = include_str!("templates/page.js");

pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

pub(super) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}

pub(super) async fn icon() -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=3600")], ICON).into_response()
}

/// Muted colours that carry white letters at a contrast of 4.5 to 1.
const COLOURS: [&str; 8] = ["#7a5c2e", "#2f6b5e", "#2f5d8a", "#6b4fa0", "#8a3f5c", "#4f6b2f", "#8a4b2f", "#3f5c6b"];

/// A disc with the first letter; a square for bots.
pub(super) async fn avatar(State(hub): State<Arc<Hub>>, Path(id): Path<Id>) -> Response {
    let account = hub.read(|view| view.world.accounts.get(&id).map(|account| (account.login.clone(), account.kind)));
    let Some((login, kind)) = account else { return StatusCode::NOT_FOUND.into_response() };
    let letter: String =
        login.chars().find(char::is_ascii_alphanumeric).map(|first| first.to_ascii_uppercase()).into_iter().collect();
    let bytes = login.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    let colour = COLOURS[bytes % COLOURS.len()];
    let radius = if kind == AccountKind::User { 20 } else { 8 };
    let picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 40\"><rect width=\"40\" height=\"40\" rx=\"{radius}\" fill=\"{colour}\"/>\
         <text x=\"20\" y=\"27\" font-family=\"system-ui,sans-serif\" font-size=\"20\" font-weight=\"600\" text-anchor=\"middle\" fill=\"#fff\">{letter}</text></svg>"
    );
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=3600")], picture).into_response()
}
