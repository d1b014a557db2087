//! Pages for browsers: one frame, one style and one set of headers. Plain HTML without scripts; nothing comes from elsewhere, and
//! what fills a page in is escaped. What a page says is its room's matter.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::{Environment, context};
use url::Url;

static STYLE: &str = include_str!("pages/style.css");

/// The pages of one room.
#[derive(Debug)]
pub(crate) struct Pages {
    base: &'static str,
    environment: Environment<'static>,
}

impl Pages {
    /// Pages whose style is served at `base` and `/style.css`: their templates by name. Each extends `frame.html`.
    pub(crate) fn new(base: &'static str, templates: &[(&'static str, &'static str)]) -> Self {
        let mut environment = Environment::new();
        for (name, text) in [("frame.html", include_str!("pages/frame.html"))].iter().chain(templates) {
            if let Err(error) = environment.add_template(name, text) {
                tracing::error!(%error, name, "a page cannot be read");
            }
        }
        Self { base, environment }
    }

    /// One page, which nobody keeps. `to` is where its form may lead beside this server.
    pub(crate) fn page(&self, status: StatusCode, name: &str, values: &minijinja::Value, to: Option<&Url>) -> Response {
        let values = context! { base => self.base, ..values.clone() };
        let rendered = self.environment.get_template(name).and_then(|template| template.render(values));
        match rendered {
            Ok(text) => (status, headers(to), text).into_response(),
            Err(error) => {
                tracing::error!(%error, name, "a page cannot be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn headers(to: Option<&Url>) -> HeaderMap {
    let to = to.map(|url| format!(" {}", url.origin().ascii_serialization())).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self'{to}; base-uri 'none'; frame-ancestors 'none'"
    );
    let all = [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?))).collect()
}

/// The style of every page.
pub(crate) async fn style() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}
