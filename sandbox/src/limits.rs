//! The sizes that GitHub documents, one constant each, and the checks of them.
//! How often one may ask is `pace`'s business.

use crate::error::SandboxError;
use crate::state::{CheckAction, OutputChange};

/// Characters of a comment's body. Source: GitHub answers `Body is too long (maximum is 65536 characters)`.
pub const COMMENT_CHARACTERS: usize = 65_536;
/// Characters of a check run's summary and of its text. Source: REST documentation, "Create a check run", `output`.
pub const CHECK_TEXT_CHARACTERS: usize = 65_535;
/// Annotations of one request. Source: REST documentation, "Create a check run", `output.annotations`.
pub const ANNOTATIONS: usize = 50;
/// Buttons of a check run. Source: REST documentation, "Create a check run", `actions`.
pub const ACTIONS: usize = 3;
/// Characters of a button's label and identifier. Source: as above.
pub const ACTION_LABEL_CHARACTERS: usize = 20;
/// Characters of a button's description. Source: as above.
pub const ACTION_DESCRIPTION_CHARACTERS: usize = 40;
/// Check runs of one name in a suite, older ones are deleted. Source: REST documentation, "Check runs".
pub const CHECK_RUNS_OF_ONE_NAME: usize = 1_000;
/// Days after which an incomplete check run is `stale`. Source: "Using the REST API to interact with checks".
pub const STALE_AFTER_DAYS: i64 = 14;
/// Bytes of a webhook's payload; larger ones are never sent. Source: "Webhook events and payloads", payload cap.
pub const WEBHOOK_BYTES: usize = 25 * 1024 * 1024;
/// Seconds an App token may live. Source: "Generating a JSON Web Token (JWT) for a GitHub App".
pub const JWT_SECONDS: i64 = 600;
/// Hours an installation token lives. Source: "Generating an installation access token for a GitHub App".
pub const TOKEN_HOURS: i64 = 1;
/// Commits that a pull request lists, and a comparison that nobody asks page by page.
/// Source: REST documentation, "List commits on a pull request", "Compare two commits".
pub const LISTED_COMMITS: usize = 250;
/// Files that a pull request lists. Source: REST documentation, "List pull requests files".
pub const LISTED_FILES: usize = 3_000;
/// Items of a page, at most. Source: "Using pagination in the REST API".
pub const PER_PAGE: usize = 100;

/// A body that must say something.
pub(crate) fn comment_body(body: &str) -> Result<(), SandboxError> {
    if body.trim().is_empty() {
        return Err(SandboxError::field("IssueComment", "data", "unprocessable", "Body cannot be blank"));
    }
    comment_body_or_empty(body)
}

/// A body that may be empty.
pub(crate) fn comment_body_or_empty(body: &str) -> Result<(), SandboxError> {
    if body.chars().count() > COMMENT_CHARACTERS {
        let message = format!("Body is too long (maximum is {COMMENT_CHARACTERS} characters)");
        return Err(SandboxError::field("IssueComment", "data", "unprocessable", message));
    }
    Ok(())
}

pub(crate) fn check_output(output: &OutputChange) -> Result<(), SandboxError> {
    for text in [&output.summary, &output.text].into_iter().flatten() {
        at_most(CHECK_TEXT_CHARACTERS, text)?;
    }
    if output.annotations.len() > ANNOTATIONS {
        return Err(too_many(ANNOTATIONS, output.annotations.len()));
    }
    for annotation in &output.annotations {
        let known = ["notice", "warning", "failure"].contains(&annotation.annotation_level.as_str());
        let ordered = annotation.start_line >= 1 && annotation.start_line <= annotation.end_line;
        if !known || !ordered || annotation.message.is_empty() {
            let message =
                "an annotation needs a level (notice, warning, failure), a message, and lines from 1 in order";
            return Err(SandboxError::field("CheckRun", "output.annotations", "invalid", message));
        }
        let columns = annotation.start_column.is_some() || annotation.end_column.is_some();
        if columns && annotation.start_line != annotation.end_line {
            let message = "columns are only for annotations of one line";
            return Err(SandboxError::field("CheckRun", "output.annotations", "invalid", message));
        }
    }
    Ok(())
}

pub(crate) fn check_actions(actions: &[CheckAction]) -> Result<(), SandboxError> {
    if actions.len() > ACTIONS {
        return Err(too_many(ACTIONS, actions.len()));
    }
    for action in actions {
        at_most(ACTION_LABEL_CHARACTERS, &action.label)?;
        at_most(ACTION_LABEL_CHARACTERS, &action.identifier)?;
        at_most(ACTION_DESCRIPTION_CHARACTERS, &action.description)?;
    }
    Ok(())
}

fn at_most(limit: usize, text: &str) -> Result<(), SandboxError> {
    let length = text.chars().count();
    if length > limit {
        let message = format!("Invalid request.\n\nOnly {limit} characters are allowed; {length} were supplied.");
        return Err(SandboxError::invalid(message));
    }
    Ok(())
}

fn too_many(limit: usize, given: usize) -> SandboxError {
    SandboxError::invalid(format!("Invalid request.\n\nNo more than {limit} items are allowed; {given} were supplied."))
}
