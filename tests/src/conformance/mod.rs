//! Holds requests, answers and webhooks against GitHub's published OpenAPI description (npm's `@octokit/openapi`, the
//! file that `FLOWCTL_GITHUB_OPENAPI` names). It collects what does not fit; it asks nobody and changes nothing.
//!
//! ```no_run
//! use flowctl_tests::conformance::{Report, published};
//! # let sandbox = flowctl_sandbox::Sandbox::builder().start().unwrap();
//! let Some(description) = published() else { return };
//! let mut report = Report::new(description);
//! report.requests(&sandbox.requests.all());
//! report.deliveries(&sandbox.deliveries());
//! report.finish().unwrap();
//! ```

mod correction;
mod description;
mod fault;
mod report;
mod schema;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::LazyLock;

pub use correction::{CORRECTIONS, Correction, Put};
pub use description::Description;
pub use report::{Exchange, Mismatch, Report};

/// Names the description's file.
pub const VARIABLE: &str = "FLOWCTL_GITHUB_OPENAPI";

static PUBLISHED: LazyLock<Option<Description>> = LazyLock::new(|| {
    let path = PathBuf::from(std::env::var_os(VARIABLE).filter(|path| !path.is_empty())?);
    Some(read(&path))
});

/// GitHub's description where it is at hand, for suites that have something else to do too.
///
/// # Panics
/// As [`published`], but not for want of a file.
#[must_use]
pub fn at_hand() -> Option<&'static Description> {
    PUBLISHED.as_ref()
}

/// GitHub's description; without it "not run" is said, and nothing is checked.
///
/// # Panics
/// The file that the variable names cannot be read, or `CI=true` and there is none: a suite that did not run is not green there.
#[must_use]
pub fn published() -> Option<&'static Description> {
    let published = at_hand();
    if published.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{VARIABLE} is not set; `tests/run --conformance` fetches GitHub's description"
        );
        println!("not run: {VARIABLE} is not set; `tests/run --conformance` fetches GitHub's description");
    }
    published
}

fn read(path: &std::path::Path) -> Description {
    let text = std::fs::read(path).map_err(|error| error.to_string());
    let document = text.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()));
    let mended = document.and_then(|mut document: serde_json::Value| {
        correction::apply(&mut document, CORRECTIONS)?;
        Ok(document)
    });
    match mended {
        Ok(document) => Description::new(document),
        Err(reason) => panic!("{VARIABLE}={}: {reason}", path.display()),
    }
}
