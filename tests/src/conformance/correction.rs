//! Where GitHub's own description is known to differ from GitHub, each with the reason: the description is mended, so
//! that the rest of the same answer stays checked. Short, or something is wrong with us.

use serde_json::{Map, Value};

/// One place of the description that is read otherwise than it is published.
#[derive(Debug, Clone, Copy)]
pub struct Correction {
    /// JSON pointer into the description; what is missing on the way is made.
    pub at: &'static str,
    /// What is put there.
    pub put: Put,
    /// Why GitHub itself would not pass, and how that is known.
    pub reason: &'static str,
}

/// What a correction puts.
#[derive(Debug, Clone, Copy)]
pub enum Put {
    /// This JSON.
    Json(&'static str),
    /// What stands elsewhere in the description.
    CopyOf(&'static str),
}

const STATUS_OF_ERRORS: &str =
    "every error object of GitHub carries `status`, as `basic-error` has it; this older schema was not extended";
const OLD_SAMPLE: &str = "written down from an old sample; GitHub has since added the field to every object of the kind, and the other webhooks list it";
const BODY_OF_NO: &str =
    "the 404 of this yes-or-no question has GitHub's usual error object (github/docs#27266 quotes one)";
const NEWER_EVENTS: &str = "an App may listen to events that are newer than this list of them, such as `deployment_protection_rule`, which has a webhook schema of its own";
const TEXT: Put = Put::Json(r#"{"type": "string"}"#);
const FLAG: Put = Put::Json(r#"{"type": "boolean"}"#);
const NOT_FOUND: Put = Put::Json(r##"{"$ref": "#/components/responses/not_found"}"##);

/// All of them.
pub const CORRECTIONS: &[Correction] = &[
    Correction {
        at: "/components/parameters/created/schema",
        put: TEXT,
        reason: "the text below it says that it is a range in the syntax of searches, such as `>=2026-01-01T00:00:00Z`",
    },
    Correction {
        at: "/components/schemas/webhook-check-suite-completed/properties/check_suite/properties/app/properties/events/items",
        put: TEXT,
        reason: NEWER_EVENTS,
    },
    Correction {
        at: "/components/schemas/webhook-check-suite-requested/properties/check_suite/properties/app/properties/events/items",
        put: TEXT,
        reason: NEWER_EVENTS,
    },
    Correction {
        at: "/components/schemas/webhook-check-suite-rerequested/properties/check_suite/properties/app/properties/events/items",
        put: TEXT,
        reason: NEWER_EVENTS,
    },
    Correction {
        at: "/components/schemas/webhook-workflow-run-in-progress/properties/workflow_run",
        put: Put::CopyOf("/components/schemas/webhook-workflow-run-completed/properties/workflow_run"),
        reason: OLD_SAMPLE,
    },
    Correction { at: "/components/schemas/validation-error/properties/status", put: TEXT, reason: STATUS_OF_ERRORS },
    Correction {
        at: "/paths/~1repos~1{owner}~1{repo}~1git~1blobs/post/responses/422/content/application~1json/schema",
        put: Put::Json(r##"{"$ref": "#/components/schemas/validation-error-simple"}"##),
        reason: "one of its two alternatives demands no field at all, so that every error object fits both",
    },
    Correction {
        at: "/paths/~1repos~1{owner}~1{repo}~1git~1refs~1{ref}/delete/responses/422",
        put: Put::Json(r##"{"$ref": "#/components/responses/validation_failed_simple"}"##),
        reason: "GitHub says why it does not delete a reference, as `Reference does not exist`, in its usual error object",
    },
    Correction {
        at: "/components/schemas/validation-error-simple/properties/status",
        put: TEXT,
        reason: STATUS_OF_ERRORS,
    },
    Correction {
        at: "/paths/~1repos~1{owner}~1{repo}~1pulls~1{pull_number}~1merge/put/responses/405/content/application~1json/schema/properties/status",
        put: TEXT,
        reason: STATUS_OF_ERRORS,
    },
    Correction {
        at: "/paths/~1repos~1{owner}~1{repo}~1pulls~1{pull_number}~1merge/put/responses/409/content/application~1json/schema/properties/status",
        put: TEXT,
        reason: STATUS_OF_ERRORS,
    },
    Correction {
        at: "/paths/~1app~1installations/get/responses/200/content/application~1json/schema/items",
        put: Put::Json(r##"{"$ref": "#/components/schemas/installation"}"##),
        reason: "the list's own copy of `installation` wants an account that is a user and an enterprise at once, which nothing is",
    },
    Correction {
        at: "/components/schemas/pull-request-simple/properties/labels/items/properties/description",
        put: Put::CopyOf("/components/schemas/label/properties/description"),
        reason: "a label without description has null here as everywhere; only this inlined copy of `label` is not nullable",
    },
    Correction {
        at: "/paths/~1orgs~1{org}~1members~1{username}/get/responses/404",
        put: NOT_FOUND,
        reason: BODY_OF_NO,
    },
    Correction {
        at: "/paths/~1orgs~1{org}~1teams~1{team_slug}~1memberships~1{username}/get/responses/404",
        put: NOT_FOUND,
        reason: BODY_OF_NO,
    },
    Correction {
        at: "/paths/~1repos~1{owner}~1{repo}~1collaborators~1{username}/get/responses/404",
        put: NOT_FOUND,
        reason: BODY_OF_NO,
    },
    Correction {
        at: "/paths/~1repos~1{owner}~1{repo}~1contents~1{path}/get/responses/200/content/application~1vnd.github.raw",
        put: Put::Json("{}"),
        reason: "the operation's text offers the raw media type, its list of answers leaves it out",
    },
    Correction {
        at: "/paths/~1repos~1{owner}~1{repo}~1contents/get",
        put: Put::CopyOf("/paths/~1repos~1{owner}~1{repo}~1contents~1{path}/get"),
        reason: "the root folder is asked for with an empty path, and GitHub takes it without the last slash too",
    },
    Correction {
        at: "/paths/~1repositories~1{repository_id}/get",
        put: Put::CopyOf("/paths/~1repos~1{owner}~1{repo}/get"),
        reason: "redirects of renamed repositories and `Link` headers lead to `/repositories/ID`, which has no operation of its own",
    },
    Correction {
        at: "/paths/~1repositories~1{repository_id}/get/parameters",
        put: Put::Json(r#"[{"name": "repository_id", "in": "path", "required": true, "schema": {"type": "integer"}}]"#),
        reason: "as above",
    },
    Correction {
        at: "/components/schemas/webhook-pull-request-review-edited/properties/pull_request/properties/base/properties/repo/properties/has_discussions",
        put: FLAG,
        reason: OLD_SAMPLE,
    },
    Correction {
        at: "/components/schemas/webhook-pull-request-review-edited/properties/pull_request/properties/base/properties/repo/properties/web_commit_signoff_required",
        put: FLAG,
        reason: OLD_SAMPLE,
    },
    Correction {
        at: "/components/schemas/webhook-pull-request-review-edited/properties/pull_request/properties/head/properties/repo/properties/has_discussions",
        put: FLAG,
        reason: OLD_SAMPLE,
    },
    Correction {
        at: "/components/schemas/webhook-pull-request-review-edited/properties/pull_request/properties/head/properties/repo/properties/web_commit_signoff_required",
        put: FLAG,
        reason: OLD_SAMPLE,
    },
    Correction {
        at: "/components/schemas/webhook-check-suite-completed/properties/check_suite/properties/app/properties/permissions/properties/merge_queues",
        put: Put::CopyOf("/components/schemas/app-permissions/properties/merge_queues"),
        reason: OLD_SAMPLE,
    },
];

/// Mends the description.
///
/// # Errors
/// Corrections that change nothing any more, or copy what is not there.
pub(super) fn apply(document: &mut Value, corrections: &[Correction]) -> Result<(), String> {
    for correction in corrections {
        let value = match correction.put {
            Put::Json(text) => serde_json::from_str(text).map_err(|error| format!("{}: {error}", correction.at))?,
            Put::CopyOf(from) => {
                document.pointer(from).cloned().ok_or_else(|| format!("{from} is not there to be copied"))?
            }
        };
        let place = place(document, correction.at).ok_or_else(|| format!("{} cannot be reached", correction.at))?;
        if *place == value {
            return Err(format!(
                "the correction at {} is no longer needed: the description says so itself",
                correction.at
            ));
        }
        *place = value;
    }
    Ok(())
}

fn place<'a>(document: &'a mut Value, pointer: &str) -> Option<&'a mut Value> {
    pointer.split('/').skip(1).try_fold(document, |value, part| {
        let part = part.replace("~1", "/").replace("~0", "~");
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        Some(value.as_object_mut()?.entry(part).or_insert(Value::Null))
    })
}
