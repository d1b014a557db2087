//! The checker itself, on a description of a few lines: that it finds each kind of fault, and only those.

use serde_json::{Value, json};

use super::correction::{Correction, Put, apply};
use super::{Description, Exchange, Report};

fn description() -> Description {
    Description::new(json!({
        "openapi": "3.0.3",
        "paths": {
            "/things": {"get": {
                "parameters": [{"$ref": "#/components/parameters/page"}],
                "responses": {"200": {"content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/thing"}}}}}},
            }},
            "/things/{thing_id}": {
                "get": {
                    "parameters": [{"$ref": "#/components/parameters/thing"}],
                    "responses": {"200": {"$ref": "#/components/responses/thing"}, "304": {"description": "Not modified"}},
                },
                "delete": {"responses": {"204": {"description": "Gone"}}},
                "patch": {
                    "parameters": [{"$ref": "#/components/parameters/thing"}],
                    "requestBody": {"required": true, "content": {"application/json": {"schema": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "state": {"type": "string"}, "reason": {"type": "string"}},
                        "required": ["name"],
                        "anyOf": [
                            {"properties": {"state": {"enum": ["closed"]}}, "required": ["reason"], "additionalProperties": true},
                            {"properties": {"state": {"enum": ["open"]}}, "additionalProperties": true},
                        ],
                    }}}},
                    "responses": {"200": {"$ref": "#/components/responses/thing"}},
                },
            },
            "/things/mine": {"get": {"responses": {"204": {"description": "None"}}}},
            "/files/{path}/raw": {"get": {
                "parameters": [{"name": "path", "in": "path", "required": true, "x-multi-segment": true, "schema": {"type": "string"}}],
                "responses": {"204": {"description": "Empty"}},
            }},
        },
        "x-webhooks": {"thing-made": {"post": {"requestBody": {"content": {"application/json": {"schema": {
            "type": "object",
            "properties": {"action": {"type": "string", "enum": ["made"]}, "thing": {"$ref": "#/components/schemas/thing"}},
            "required": ["action", "thing"],
        }}}}}}},
        "components": {
            "parameters": {
                "page": {"name": "page", "in": "query", "schema": {"type": "integer"}},
                "thing": {"name": "thing_id", "in": "path", "required": true, "schema": {"type": "integer"}},
            },
            "responses": {"thing": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}}},
            "schemas": {
                "basic-error": {"type": "object", "properties": {"message": {"type": "string"}}},
                "thing": {
                    "type": "object",
                    "required": ["id", "url", "parent"],
                    "properties": {
                        "id": {"type": "integer"},
                        "url": {"type": "string", "format": "uri"},
                        "state": {"type": "string", "nullable": true, "enum": ["open"]},
                        "at": {"type": "string", "format": "date-time"},
                        "parent": {"nullable": true, "anyOf": [{"$ref": "#/components/schemas/thing"}, {"type": "object", "properties": {"gone": {"type": "boolean"}}, "required": ["gone"]}]},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                },
            },
        },
    }))
}

fn thing() -> Value {
    json!({"id": 1, "url": "http://127.0.0.1/1", "state": null, "parent": null, "labels": {"any": "thing"}})
}

fn with(name: &str, value: Value) -> Value {
    let mut thing = thing();
    thing[name] = value;
    thing
}

fn found(report: &Report<'_>) -> Vec<String> {
    report.mismatches().iter().map(ToString::to_string).collect()
}

fn answered(method: &str, path: &str, status: u16, answer: &Value) -> Vec<String> {
    let description = description();
    let mut report = Report::new(&description);
    let answer = if answer.is_null() { Vec::new() } else { answer.to_string().into_bytes() };
    let request = (method == "PATCH").then(|| json!({"name": "n", "state": "open"}));
    let content_type = "application/json; charset=utf-8".to_owned();
    report.exchange(&Exchange { method: method.into(), path: path.into(), request, status, content_type, answer });
    found(&report)
}

fn asked(method: &str, path: &str, body: Option<Value>) -> Vec<String> {
    let description = description();
    let mut report = Report::new(&description);
    report.request(method, path, body.as_ref());
    found(&report)
}

#[test]
fn what_is_described_passes() {
    let nothing: [String; 0] = [];
    assert_eq!(answered("GET", "/things?page=2", 200, &json!([thing(), with("parent", thing())])), nothing);
    assert_eq!(answered("GET", "/things/1", 200, &with("parent", json!({"gone": true}))), nothing);
    assert_eq!(answered("PATCH", "/things/1", 200, &with("at", json!("2024-02-29T12:00:00Z"))), nothing);
    assert_eq!(answered("GET", "/things/1", 304, &Value::Null), nothing);
    assert_eq!(answered("GET", "/things", 304, &Value::Null), nothing);
    assert_eq!(answered("GET", "/things/mine", 204, &Value::Null), nothing);
    assert_eq!(answered("GET", "/files/a/b%2Fc/raw", 204, &Value::Null), nothing);
    assert_eq!(answered("GET", "/things/1", 404, &json!({"message": "Not Found"})), nothing);
    assert_eq!(asked("PATCH", "/things/1", Some(json!({"name": "n", "state": "closed", "reason": "r"}))), nothing);
}

#[test]
fn answers_that_are_not_as_described_are_found() {
    let table = [
        ("/things/1", 200, with("id", json!("1")), "GET /things/{thing_id} 200: /id \"1\" is not of type \"integer\""),
        ("/things/1", 200, with("url", json!("one")), "GET /things/{thing_id} 200: /url \"one\" is not a \"uri\""),
        (
            "/things/1",
            200,
            with("at", json!("yesterday")),
            "GET /things/{thing_id} 200: /at \"yesterday\" is not a \"date-time\"",
        ),
        (
            "/things/1",
            200,
            with("state", json!("shut")),
            "GET /things/{thing_id} 200: /state \"shut\" is not one of \"open\" or null",
        ),
        ("/things/1", 200, with("colour", json!("red")), "GET /things/{thing_id} 200: / undocumented: colour"),
        ("/things/1", 200, json!({"id": 1, "parent": null}), "GET /things/{thing_id} 200: / \"url\" is missing"),
        (
            "/things/1",
            200,
            with("parent", json!({"id": 1, "url": "x:y"})),
            "GET /things/{thing_id} 200: /parent \"parent\" is missing",
        ),
        (
            "/things",
            200,
            json!([with("id", json!(0.5)), with("id", json!(0.5))]),
            "GET /things 200: /*/id 0.5 is not of type \"integer\"",
        ),
        ("/things/1", 201, thing(), "GET /things/{thing_id} 201: / is no documented status"),
        ("/things/1", 404, json!({"massage": ""}), "GET /things/{thing_id} 404: / undocumented: massage"),
        ("/things/mine", 204, json!({}), "GET /things/mine 204: / has a body where none is described"),
        ("/nothing", 200, json!({}), "GET /nothing: / is no documented operation"),
        ("/things?pgae=1", 200, json!([]), "GET /things request: ?pgae is no documented parameter"),
    ];
    for (path, status, answer, expected) in table {
        let found = answered("GET", path, status, &answer);
        assert!(found.contains(&expected.to_owned()), "{path}: {found:?}");
    }
}

#[test]
fn requests_that_are_not_as_described_are_found() {
    let table = [
        ("PATCH", "/things/1", None, "PATCH /things/{thing_id} request: / has no body"),
        ("PATCH", "/things/1", Some(json!({})), "PATCH /things/{thing_id} request: / \"name\" is missing"),
        (
            "PATCH",
            "/things/1",
            Some(json!({"name": "n", "nmae": "m"})),
            "PATCH /things/{thing_id} request: / undocumented: nmae",
        ),
        (
            "PATCH",
            "/things/1",
            Some(json!({"name": "n", "state": "closed"})),
            "PATCH /things/{thing_id} request: / \"reason\" is missing",
        ),
        ("GET", "/things/1", Some(json!({})), "GET /things/{thing_id} request: / has a body where none is described"),
        ("GET", "/things/x", None, "GET /things/{thing_id} request: ?thing_id \"x\" is not of type \"integer\""),
        ("GET", "/things?page=x", None, "GET /things request: ?page \"x\" is not of type \"integer\""),
        ("PUT", "/things", None, "PUT /things: / is no documented operation"),
    ];
    for (method, path, body, expected) in table {
        assert_eq!(asked(method, path, body), [expected]);
    }
}

#[test]
fn webhooks_are_held_against_their_own_schemas() {
    let description = description();
    let mut report = Report::new(&description);
    report.event("thing", &json!({"action": "made", "thing": thing()}));
    assert_eq!(found(&report), [""; 0]);
    report.event("thing", &json!({"action": "made", "thing": with("id", json!(null))}));
    report.event("thing", &json!({"action": "broken"}));
    let expected = [
        "webhook thing-broken: / is no documented event",
        "webhook thing-made: /thing/id null is not of type \"integer\"",
    ];
    assert_eq!(found(&report), expected);
    assert!(report.finish().unwrap_err().contains("2 mismatches"));
}

#[test]
fn a_report_on_nothing_is_no_success() {
    let description = description();
    assert!(Report::new(&description).finish().is_err());
}

#[test]
fn corrections_mend_the_description_and_say_when_they_are_stale() {
    let mut document = json!({"paths": {"/a": {"get": 1}}, "copied": {"b": 2}});
    let new = Correction { at: "/paths/~1a/put/x", put: Put::Json("3"), reason: "" };
    let copy = Correction { at: "/paths/~1a/get", put: Put::CopyOf("/copied/b"), reason: "" };
    apply(&mut document, &[new, copy]).unwrap();
    assert_eq!(document, json!({"paths": {"/a": {"get": 2, "put": {"x": 3}}}, "copied": {"b": 2}}));
    assert!(apply(&mut document, &[copy]).unwrap_err().contains("no longer needed"));
    let lost = Correction { put: Put::CopyOf("/gone"), ..copy };
    assert!(apply(&mut document, &[lost]).unwrap_err().contains("/gone is not there"));
    let blocked = Correction { at: "/copied/b/c", ..new };
    assert!(apply(&mut document, &[blocked]).unwrap_err().contains("cannot be reached"));
}
