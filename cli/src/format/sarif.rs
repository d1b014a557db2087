//! SARIF 2.1.0 (OASIS standard, "Static Analysis Results Interchange Format"), for code scanning. Paths are relative to
//! where the program was called, columns count Unicode code points, and no absolute path of this machine is written.

use std::collections::BTreeMap;

use flowctl_core::source::Range;
use flowctl_core::validate::rules;
use flowctl_core::validate::{Applicability, Finding, Fix, Rule, Severity};
use serde_json::{Map, Value, json};

use super::{Found, Outcome, Sources};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Where relative paths begin (3.14.14, `originalUriBaseIds`).
const ROOT: &str = "%SRCROOT%";
/// Longest text of a place that is quoted, in bytes.
const QUOTED: usize = 2_000;

/// The document.
pub fn sarif(outcome: &Outcome) -> anyhow::Result<String> {
    let mut used: BTreeMap<&str, usize> = outcome.found.iter().map(|found| (found.finding.code, 0)).collect();
    for (place, index) in used.values_mut().enumerate() {
        *index = place;
    }
    let rules: Vec<Value> = used.keys().filter_map(|code| rules::find(code)).map(rule).collect();
    let results: Vec<Value> = outcome.found.iter().map(|found| result(found, &used, &outcome.sources)).collect();
    let mut driver = json!({"name": "flowctl", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules});
    if let Some(repository) = rules::RULES[0].url().as_deref().and_then(|url| url.split("/blob/").next()) {
        driver["informationUri"] = json!(repository);
    }
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "automationDetails": {"id": "flowctl/validate/"},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {ROOT: {"description": {"text": "The folder in which flowctl was called."}}},
            "invocations": [{"executionSuccessful": true}],
            "results": results,
        }],
    });
    Ok(serde_json::to_string_pretty(&document)?)
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn rule(rule: &'static Rule) -> Value {
    let mut described = json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": plain(rule.reason), "markdown": rule.reason.trim()},
        "help": {"text": plain(rule.reason), "markdown": rule.explanation()},
        "defaultConfiguration": {"level": level(rule.severity)},
        "properties": {"tags": tags(rule), "precision": "very-high", "problem.severity": problem(rule.severity)},
    });
    if let Some(url) = rule.url() {
        described["helpUri"] = json!(url);
    }
    described
}

/// What GitHub sorts by where a rule is not about security.
fn problem(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "recommendation",
    }
}

fn tags(rule: &Rule) -> Vec<&'static str> {
    let group = match rule.code.as_bytes().get(4) {
        Some(b'1') => "graph",
        Some(b'2') => "data flow",
        Some(b'3') => "approval",
        Some(b'4') => "reference",
        Some(b'5') => "security",
        Some(b'9') => "validation",
        _ => "structure",
    };
    vec![group]
}

/// Markdown as text: paragraphs on a line each, without marks of code.
fn plain(markdown: &str) -> String {
    let paragraphs = markdown.trim().split("\n\n");
    let lines = paragraphs.map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n\n").replace('`', "'")
}

fn result(found: &Found, used: &BTreeMap<&str, usize>, sources: &Sources) -> Value {
    let Found { finding, fingerprint, .. } = found;
    let help = finding.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    let mut location = Map::new();
    location.insert("physicalLocation".to_owned(), physical(&finding.path, finding.range, sources));
    let mut result = Map::new();
    let mut set = |key: &str, value: Value| result.insert(key.to_owned(), value);
    set("ruleId", json!(finding.code));
    set("ruleIndex", json!(used.get(finding.code)));
    set("level", json!(level(finding.severity)));
    set("message", json!({"text": message(&format!("{}{help}", finding.message))}));
    set("locations", json!([location]));
    set("partialFingerprints", json!({"flowctlFinding/v1": fingerprint}));
    if !finding.related.is_empty() {
        let related = finding.related.iter().enumerate().map(|(id, related)| {
            json!({
                "id": id + 1,
                "physicalLocation": physical(&related.path, related.range, sources),
                "message": {"text": message(&related.message)},
            })
        });
        set("relatedLocations", related.collect());
    }
    if let Some(fix) = &finding.fix {
        set("fixes", json!([change(finding, fix)]));
    }
    Value::Object(result)
}

/// Brackets before a parenthesis would be a link (3.11.6).
fn message(text: &str) -> String {
    text.replace("](", "] (")
}

fn change(finding: &Finding, fix: &Fix) -> Value {
    let description = match fix.applicability {
        Applicability::Safe => "Does what was meant",
        Applicability::Unsafe => "A guess",
    };
    let replacements: Vec<Value> = fix
        .edits
        .iter()
        .map(|edit| json!({"deletedRegion": region(edit.range), "insertedContent": {"text": edit.text}}))
        .collect();
    json!({
        "description": {"text": description},
        "artifactChanges": [{"artifactLocation": artifact(&finding.path), "replacements": replacements}],
    })
}

fn physical(path: &str, range: Range, sources: &Sources) -> Value {
    let mut region = region(range);
    let text = sources.text(path).get(range.start.offset as usize..range.end.offset as usize).unwrap_or_default();
    if let (Some(region), 1..=QUOTED) = (region.as_object_mut(), text.len()) {
        region.insert("snippet".to_owned(), json!({"text": text}));
    }
    json!({"artifactLocation": artifact(path), "region": region})
}

fn region(range: Range) -> Value {
    json!({
        "startLine": range.start.line,
        "startColumn": range.start.column,
        "endLine": range.end.line,
        "endColumn": range.end.column,
        "byteOffset": range.start.offset,
        "byteLength": range.end.offset - range.start.offset,
    })
}

/// Where a file is: relative to the root, or, outside of it, wherever it is.
fn artifact(path: &str) -> Value {
    match path.strip_prefix('/') {
        Some(absolute) => json!({"uri": format!("file:///{}", encoded(absolute))}),
        None => json!({"uri": encoded(path), "uriBaseId": ROOT}),
    }
}

/// A path as a URI has it (RFC 3986, 3.3): `:` too, which in the first part would end a scheme.
fn encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
