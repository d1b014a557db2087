//! What people read when a value is not as its schema says, and where it points.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::parse;
use super::super::tests::{any_text, assert_inside};
use super::{Schema, SchemaFaultKind};

/// Each fault on a line: what it points at, what it says, what helps.
fn shown(schema: &Value, text: &str) -> String {
    let parsed = parse(text);
    let document = &parsed.document;
    let faults = Schema::compile(schema).unwrap().check(document, document.root().unwrap());
    let lines = faults.iter().map(|fault| {
        let place = text.get(fault.span.range()).unwrap();
        let help = fault.help.as_deref().map(|help| format!(" | {help}")).unwrap_or_default();
        format!("{place:?} ({}): {}{help}", fault.path, fault.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn process() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "steps"],
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z]+$", "description": "Lower-case letters.\nMore words."},
            "version": {"type": "integer", "minimum": 1, "maximum": 9},
            "status": {"enum": ["published", "draft", null]},
            "timeout": {"type": ["string", "null"], "examples": ["5m"]},
            "ratio": {"type": "number", "exclusiveMaximum": 1},
            "labels": {"type": "array", "items": {"type": "string", "minLength": 2, "maxLength": 4}, "minItems": 1, "maxItems": 2, "uniqueItems": true},
            "mail": {"type": "string", "format": "email"},
            "code": {"type": "string", "pattern": "^x$"},
            "steps": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}},
            "notes": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}, "minProperties": 1}
        }
    })
}

#[test]
fn each_mistake_is_told_once_where_it_is() {
    let of = |text: &str| shown(&process(), text);
    assert_eq!(of("name: a\nsteps: []\n"), "");
    insta::assert_snapshot!(of("name: a\nstesp: []\n"), @r#""stesp" (): unknown key `stesp` | did you mean `steps`?"#);
    insta::assert_snapshot!(of("name: a\nsteps: []\nzzz: 1\nversoin: 2\n"), @r#"
    "zzz" (): unknown key `zzz` | known here: `name`, `version`, `status`, `timeout`, `ratio`, `labels`, `mail`, `code`, `steps` and `notes`
    "versoin" (): unknown key `versoin` | did you mean `version`?
    "#);
    insta::assert_snapshot!(of("version: 1\n"), @r#"
    "version" (): the key `name` is missing
    "version" (): the key `steps` is missing
    "#);
    insta::assert_snapshot!(of("{}\n"), @r#"
    "{}" (): the key `name` is missing
    "{}" (): the key `steps` is missing
    "#);
    insta::assert_snapshot!(of("name: a\nsteps: [{id: a}, {name: b}]\n"), @r#""name" (/steps/1): the key `id` is missing"#);
    insta::assert_snapshot!(of("name: A\nsteps:\n"), @r#"
    "A" (/name): `A` is not as expected: Lower-case letters | write `a`
    "steps" (/steps): expected a list, found nothing
    "#);
    insta::assert_snapshot!(of("name: [a]\nsteps: {a: 1}\n"), @r#"
    "[a]" (/name): expected text, found a list | write `a`
    "{a: 1}" (/steps): expected a list, found a mapping | begin each entry with `- `
    "#);
    insta::assert_snapshot!(of("name: a\nsteps: []\nversion: \"1\"\nstatus: publishd\ntimeout: 5\nratio: 1\n"), @r#"
    "1" (/version): expected a whole number, found the text `1` | write it without quotes: 1
    "publishd" (/status): `publishd` is none of the allowed values | did you mean `published`?
    "5" (/timeout): expected text, found the number 5 | write it with a unit: `5s`, `5m` or `5h`
    "1" (/ratio): the number 1 is not less than 1
    "#);
    insta::assert_snapshot!(of("name: a\nsteps: []\nversion: 0\nlabels: []\nmail: nobody\ncode: y\n"), @r#"
    "0" (/version): the number 0 is less than 1
    "[]" (/labels): the list is empty; it needs at least one item
    "nobody" (/mail): the text `nobody` is no valid email
    "y" (/code): `y` does not match the pattern `^x$`
    "#);
    insta::assert_snapshot!(of("name: a\nsteps: []\nversion: 10\nlabels: [a, abcde, abcde]\nstatus: 3\n"), @r#"
    "10" (/version): the number 10 is more than 9
    "[a, abcde, abcde]" (/labels): the list has more than 2 items
    "[a, abcde, abcde]" (/labels): the list holds the same value twice
    "a" (/labels/0): the text `a` is shorter than 2 characters
    "abcde" (/labels/1): the text is longer than 4 characters
    "abcde" (/labels/2): the text is longer than 4 characters
    "3" (/status): expected `published` or `draft`, found the number 3
    "#);
    insta::assert_snapshot!(of("name: a\nsteps: []\nnotes: {A: 1}\n"), @r#""A" (/notes): `A` cannot be a key here | write `a`"#);
    insta::assert_snapshot!(of("name: a\nsteps: []\nnotes: {}\n"), @r#""{}" (/notes): the mapping is empty; it needs at least one key"#);
    insta::assert_snapshot!(of("name: a\nsteps:\n  a: 1\n  b: 2\n"), @r#"
    "steps" (/steps): expected a list, found a mapping | begin each entry with `- `
    "#);
    insta::assert_snapshot!(of("- 1\n- 2\n"), @r#""- 1" (): expected a mapping, found a list"#);
    insta::assert_snapshot!(of("- 1\n"), @r#""- 1" (): expected a mapping, found a list"#);
}

#[test]
fn what_parsing_already_said_is_not_said_again() {
    assert_eq!(shown(&process(), "name: !x 1\nsteps: *none\n"), "");
    assert_eq!(shown(&process(), "name: a\nsteps: []\n'{{ x }}': 1\n"), "");
}

#[test]
fn a_node_that_is_used_twice_is_told_once() {
    let schema = json!({"additionalProperties": {"type": "integer"}});
    assert_eq!(shown(&schema, "a: &a x\nb: *a\n"), "\"x\" (/a): expected a whole number, found the text `x`");
}

/// A trigger in the manner of the language: a word, or a word with its conditions.
#[derive(JsonSchema, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is used")]
enum Trigger {
    /// By hand.
    Manual,
    MergeGroup,
    PullRequest(Filter),
    Push(Filter),
    Comment(String),
}

#[derive(JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is used")]
struct Filter {
    branches: Option<Vec<String>>,
}

#[test]
fn the_form_that_was_meant_is_the_one_that_is_told() {
    let schema = schemars::schema_for!(Trigger).to_value();
    let of = |text: &str| shown(&schema, text);
    for sound in ["manual", "merge_group", "pull_request: {branches: [main]}", "comment: /x"] {
        assert_eq!(of(sound), "", "{sound}");
    }
    insta::assert_snapshot!(of("manaul"), @r#""manaul" (): `manaul` is none of the allowed values | did you mean `manual`?"#);
    insta::assert_snapshot!(of("5"), @r#""5" (): expected text or a mapping, found the number 5"#);
    insta::assert_snapshot!(of("pull_requst: {}"), @r#""pull_requst" (): unknown key `pull_requst` | did you mean `pull_request`?"#);
    insta::assert_snapshot!(of("pull_request: {branch: [main]}"), @r#""branch" (/pull_request): unknown key `branch` | did you mean `branches`?"#);
    insta::assert_snapshot!(of("pull_request: {branches: main}"), @r#""main" (/pull_request/branches): expected a list, found the text `main` | write `[main]`"#);
    insta::assert_snapshot!(of("{pull_request: {}, push: {}}"), @r#""push" (): only one of `pull_request` and `push` can stand here"#);
    insta::assert_snapshot!(of("{}"), @r#""{}" (): one of the keys `pull_request`, `push` or `comment` is missing"#);
    insta::assert_snapshot!(of("comment: 1"), @r#""1" (/comment): expected text, found the number 1 | put it in quotes: "1""#);
}

#[test]
fn forms_told_apart_by_a_constant() {
    let schema = json!({"oneOf": [
        {"type": "object", "required": ["type", "values"], "additionalProperties": false,
         "properties": {"type": {"const": "set"}, "values": {"type": "object"}}},
        {"type": "object", "required": ["type", "for"], "additionalProperties": false,
         "properties": {"type": {"const": "wait"}, "for": {"type": "string"}}}
    ]});
    let of = |text: &str| shown(&schema, text);
    insta::assert_snapshot!(of("{type: wiat, for: 5m}"), @r#""wiat" (/type): `wiat` is none of the allowed values | did you mean `wait`?"#);
    insta::assert_snapshot!(of("{type: wait, values: {}}"), @r#"
    "type" (): the key `for` is missing
    "values" (): unknown key `values` | known here: `type` and `for`
    "#);
    insta::assert_snapshot!(of("{for: 5m}"), @r#""for" (): the key `type` is missing"#);
    insta::assert_snapshot!(of("{type: wait}"), @r#""type" (): the key `for` is missing"#);
}

#[test]
fn forms_told_apart_by_their_keys_or_types() {
    let schema = json!({
        "anyOf": [{"$ref": "#/$defs/Users"}, {"$ref": "#/$defs/Team"}, {"type": "null"}],
        "$defs": {
            "Users": {"type": "object", "required": ["users"], "additionalProperties": false,
                "properties": {"users": {"type": "array", "items": {"type": "string"}}, "count": {"type": "integer"}}},
            "Team": {"type": "object", "required": ["team"], "additionalProperties": false,
                "properties": {"team": {"type": "string"}, "count": {"type": "integer"}}}
        }
    });
    let of = |text: &str| shown(&schema, text);
    insta::assert_snapshot!(of("{users: [a], team: b}"), @r#""team" (): only one of `users` and `team` can stand here"#);
    insta::assert_snapshot!(of("{user: [a]}"), @r#""user" (): unknown key `user` | did you mean `users`?"#);
    insta::assert_snapshot!(of("{count: 1}"), @r#""count" (): one of the keys `users` or `team` is missing"#);
    insta::assert_snapshot!(of("{team: [a]}"), @r#""[a]" (/team): expected text, found a list | write `a`"#);
    insta::assert_snapshot!(of("[a]"), @r#""[a]" (): expected a mapping, found a list"#);
    let templated = json!({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "\\{\\{"}]});
    insta::assert_snapshot!(shown(&templated, "abc"), @r#""abc" (): expected a whole number, found the text `abc`"#);
    insta::assert_snapshot!(shown(&templated, "0"), @r#""0" (): the number 0 is less than 1"#);
    insta::assert_snapshot!(shown(&templated, "[0]"), @r#""[0]" (): expected a whole number, found a list"#);
    assert_eq!(shown(&templated, "'{{ x }}'"), "");
}

#[test]
fn unusable_schemas_say_where() {
    let error = |schema: Value| {
        let error = Schema::compile(&schema).unwrap_err();
        format!("{}: {} {:?}", error.pointer, error.message, error.help)
    };
    insta::assert_snapshot!(error(json!({"properties": {"a": {"type": "strin"}}})), @r#"/properties/a/type: this is no valid JSON Schema: `strin` is none of the allowed values Some("did you mean `string`?")"#);
    insta::assert_snapshot!(error(json!({"properties": {"a": {"minimum": "1"}}})), @r#"/properties/a/minimum: this is no valid JSON Schema: expected a number, found the text `1` Some("write it without quotes: 1")"#);
    insta::assert_snapshot!(error(json!({"properties": {"a": {"pattern": "("}}})), @"/properties/a/pattern: this is no valid JSON Schema: the text `(` is no valid regex None");
    insta::assert_snapshot!(error(json!({"$ref": "https://example.com/schema.json"})), @r#": a `$ref` of this schema leads nowhere; it can only lead inside the same schema Some("write what it refers to under `$defs`")"#);
    insta::assert_snapshot!(error(json!({"$ref": "#/$defs/none"})), @r#": a `$ref` of this schema leads nowhere; it can only lead inside the same schema Some("write what it refers to under `$defs`")"#);
    insta::assert_snapshot!(error(json!([1])), @": this is no valid JSON Schema: expected `true` or `false` or a mapping, found a list None");
}

#[test]
fn values_without_a_file_have_a_path() {
    let schema = Schema::compile(&json!({"properties": {"a": {"items": {"type": "integer"}}}})).unwrap();
    let faults = schema.check_value(&json!({"a": [1, "2", 3.5]}));
    let told: Vec<(&str, &str)> = faults.iter().map(|fault| (fault.path.as_str(), fault.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("/a/1", "expected a whole number, found the text `2`"),
            ("/a/2", "expected a whole number, found the number 3.5")
        ]
    );
    assert!(schema.accepts(&json!({"a": [1, 2.0]})));
    assert!(!schema.accepts(&json!({"a": ["1"]})));
}

#[test]
fn derived_schemas_leave_texts_to_decoding() {
    let schema = json!({"properties": {"a": {"type": "string", "pattern": "^x$", "x-decoded": true}, "enum": {"enum": ["pattern"]}}});
    let parsed = parse("a: y\nenum: pattern\n");
    let root = parsed.document.root().unwrap();
    assert_eq!(Schema::derived(&schema).check(&parsed.document, root), []);
    let faults = Schema::compile(&schema).unwrap().check(&parsed.document, root);
    assert!(matches!(faults.as_slice(), [fault] if fault.kind == SchemaFaultKind::Pattern));
}

#[test]
fn a_large_list_of_mistakes_is_cut() {
    let schema = json!({"items": {"type": "integer"}});
    let text = "- a\n".repeat(20_000);
    assert_eq!(shown(&schema, &text).lines().count(), 500);
}

proptest! {
    /// Whatever stands in a file, each fault lies inside it and says something.
    #[test]
    fn any_text_can_be_checked(text in any_text()) {
        let trigger = Schema::compile(&schemars::schema_for!(Trigger).to_value()).unwrap();
        let parsed = parse(&text);
        let document = &parsed.document;
        for schema in [&trigger, &Schema::compile(&process()).unwrap()] {
            for fault in schema.check(document, document.root().unwrap_or_default()) {
                assert_inside(&text, fault.span);
                prop_assert!(!fault.message.is_empty());
            }
        }
    }
}
