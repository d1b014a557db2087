//! The templates, embedded in the program, and the one way to fill them.

use std::sync::LazyLock;

use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use minijinja::Environment;
use serde::Serialize;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    let templates = [
        ("frame.html", include_str!("templates/frame.html")),
        ("parts.html", include_str!("templates/parts.html")),
        ("index.html", include_str!("templates/index.html")),
        ("repository.html", include_str!("templates/repository.html")),
        ("pull.html", include_str!("templates/pull.html")),
        ("conversation.html", include_str!("templates/conversation.html")),
        ("checks.html", include_str!("templates/checks.html")),
        ("code.html", include_str!("templates/code.html")),
        ("runs.html", include_str!("templates/runs.html")),
        ("deliveries.html", include_str!("templates/deliveries.html")),
        ("problem.html", include_str!("templates/problem.html")),
    ];
    for (name, source) in templates {
        if let Err(error) = environment.add_template(name, source) {
            tracing::error!(name, %error, "a template is malformed");
        }
    }
    environment
});

/// Fills a template.
pub(super) fn page(status: StatusCode, name: &str, model: impl Serialize) -> Response {
    let filled = TEMPLATES.get_template(name).and_then(|template| template.render(minijinja::value::Serde(model)));
    match filled {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(name, ?error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("The page could not be rendered: {error:#}\n")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_well_formed() {
        let names: Vec<_> = TEMPLATES.templates().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 11, "{names:?}");
    }
}
