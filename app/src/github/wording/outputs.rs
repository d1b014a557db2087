//! What steps and executions gave, as people read it: the beginning, and where all of it is.

use flowctl_core::definition::StepType;
use flowctl_core::execution::address::items_of;
use flowctl_core::execution::{Execution, LargeOutput, StepStatus};
use serde_json::Value;

use super::escape::{fenced, link, shorten};
use super::steps::fold;

/// Characters of an output that are shown.
const OUTPUT: usize = 1_500;

/// What completed steps gave, one fold each; the table tells already who approved, and a `foreach` what its items gave.
pub fn outputs(execution: &Execution) -> Vec<String> {
    let given = execution
        .steps
        .iter()
        .filter(|(key, step)| items_of(key).is_empty() && step.status == StepStatus::Completed)
        .filter(|(_, step)| step.step_type != StepType::HumanApproval);
    let told = given.filter_map(|(id, step)| Some((id, step.output.as_ref()?)));
    told.filter(|(_, output)| !is_empty(output))
        .map(|(id, output)| {
            let at = execution.url.as_ref().map(|url| format!("{url}/steps/{id}/output"));
            fold(&format!("Output of <code>{}</code>", tag_text(id)), &value(output, at.as_deref()))
        })
        .collect()
}

/// A value as people read it: texts as they are, all else as JSON. Of a long one the beginning, and `at`, where all of it
/// is.
pub fn value(value: &Value, at: Option<&str>) -> String {
    if let Some(large) = LargeOutput::of(value) {
        return format!("{} bytes, too many to be shown here{}", large.bytes, all_of_it(at));
    }
    let (info, text) = match value {
        Value::String(text) => ("text", text.clone()),
        other => ("json", serde_json::to_string_pretty(other).unwrap_or_default()),
    };
    let shown = fenced(info, &shorten(&text, OUTPUT));
    match text.chars().count() {
        0..=OUTPUT => shown,
        all => format!("{shown}\n\nThe beginning of {all} characters{}", all_of_it(at)),
    }
}

/// Where all of a value is. The API asks for a token; a page would ask who one is.
fn all_of_it(at: Option<&str>) -> String {
    match at {
        Some(url) if url.contains("/api/v1/") => format!(": {}, with a token.", link("all of it in the API", url)),
        Some(url) => format!(": {}.", link("all of it", url)),
        None => ".".to_owned(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Text inside an HTML tag of ours: only what ids are made of.
fn tag_text(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']')).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_long_output_the_beginning_is_shown_and_where_the_rest_is() {
        let api = "https://flows.example/api/v1/executions/1/steps/draft/output";
        assert_eq!(value(&json!({"a": 1}), Some(api)), "```json\n{\n  \"a\": 1\n}\n```");
        let long = json!("```\n".repeat(500));
        let shown = value(&long, Some(api));
        assert!(shown.starts_with("````text\n```\n"), "{shown}");
        let end = "…\n````\n\nThe beginning of 2000 characters: [all of it in the API](https://flows.example/api/v1/executions/1/steps/draft/output), with a token.";
        assert!(shown.ends_with(end), "{shown}");
        assert!(value(&long, None).ends_with("The beginning of 2000 characters."));
        let page = value(&long, Some("https://flows.example/executions/1"));
        assert!(page.ends_with(": [all of it](https://flows.example/executions/1)."), "{page}");
    }

    #[test]
    fn an_output_that_is_kept_elsewhere_is_named_by_its_size() {
        let at = "executions/1/steps/draft/output".to_owned();
        let large = LargeOutput { sha256: "ab".repeat(32), bytes: 70_000, at }.into_value();
        assert_eq!(value(&large, None), "70000 bytes, too many to be shown here.");
    }
}
