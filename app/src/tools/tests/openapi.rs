//! Tools that are OpenAPI documents.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::SignedDuration;

use super::*;
use crate::steps::tests::server::{Seen, Server, json_answer};

fn inventory(server: Option<&str>) -> Value {
    let mut document = json!({
        "openapi": "3.0.3",
        "info": {"title": "Inventory", "version": "1"},
        "paths": {
            "/items/{id}": {
                "parameters": [{"$ref": "#/components/parameters/Id"}],
                "get": {
                    "operationId": "getItem", "summary": "One item",
                    "parameters": [
                        {"name": "fields", "in": "query", "explode": false, "schema": {"type": "array", "items": {"type": "string"}}},
                        {"name": "filter", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
                        {"name": "X-Trace", "in": "header", "schema": {"type": "string"}}
                    ]
                },
                "put": {
                    "operationId": "reserveItem",
                    "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Reservation"}}}}
                }
            },
            "/search": {"post": {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}}}},
            "/broken": {"get": {"operationId": "broken", "parameters": [{"$ref": "https://elsewhere.example/p.json"}]}}
        },
        "components": {
            "parameters": {"Id": {"name": "id", "in": "path", "required": true, "schema": {"type": "string", "maxLength": 20}}},
            "schemas": {"Reservation": {
                "type": "object", "required": ["count"], "additionalProperties": false,
                "properties": {"count": {"type": "integer", "minimum": 0, "exclusiveMinimum": true}, "note": {"type": "string", "nullable": true}}
            }}
        }
    });
    if let Some(server) = server {
        document["servers"] = json!([{"url": server}]);
    }
    document
}

fn echo(seen: &Seen) -> axum::response::Response {
    json_answer(200, json!({"line": seen.line, "body": seen.body}))
}

#[tokio::test]
async fn an_operation_is_called_as_its_document_says() {
    let server = Server::start(echo).await;
    let base = server.url("/v1/");
    let tool = definition(json!({
        "name": "inventory", "type": "openapi", "document_content": inventory(Some(&base)),
        "operations": ["getItem", "reserveItem", "post_search"], "headers": {"x-key": "k"}
    }));
    let toolbox = toolbox();
    let open = toolbox.open(&TenantId::local(), &tool).unwrap();
    let operations = open.operations().await.unwrap();
    let known: Vec<(&str, bool, bool)> =
        operations.iter().map(|operation| (operation.name.as_str(), operation.writes, operation.idempotent)).collect();
    assert_eq!(known, [("getItem", false, true), ("reserveItem", true, true), ("post_search", true, false)]);
    assert_eq!(
        operations[1].input_schema["$defs"]["Reservation"]["properties"]["count"],
        json!({"type": "integer", "exclusiveMinimum": 0})
    );

    let arguments = json!({"id": "a b/c", "fields": ["x", "y"], "filter": {"size": 3}, "X-Trace": "t"});
    let result = call(&toolbox, &tool, "getItem", arguments).await.unwrap();
    assert_eq!(result["line"], "GET /v1/items/a%20b%2Fc?fields=x%2Cy&filter%5Bsize%5D=3");
    let seen = server.seen().remove(0);
    assert_eq!((seen.header("x-trace"), seen.header("x-key")), (Some("t"), Some("k")));

    let result =
        call(&toolbox, &tool, "reserveItem", json!({"id": "7", "body": {"count": 2, "note": null}})).await.unwrap();
    assert_eq!(result["body"], "{\"count\":2,\"note\":null}");
    let result = call(&toolbox, &tool, "post_search", json!({"body": {"q": "a b", "tag": ["x", "y"]}})).await.unwrap();
    assert_eq!(result["body"], "q=a+b&tag=x&tag=y");

    let error = call(&toolbox, &tool, "reserveItem", json!({"id": "7", "body": {"count": 0}})).await.unwrap_err();
    assert!(
        error.message.starts_with("the arguments of `reserveItem` of tool `inventory` do not fit: `body.count`"),
        "{error:?}"
    );
    let error = call(&toolbox, &tool, "getItem", json!({})).await.unwrap_err();
    assert_eq!(error.message, "the arguments of `getItem` of tool `inventory` do not fit: `id` is required");
    let error = call(&toolbox, &tool, "broken", json!({})).await.unwrap_err();
    assert_eq!(error.message, "tool `inventory` does not allow the operation `broken`");
}

#[tokio::test]
async fn a_document_is_fetched_once_a_day_and_then_asked_for_again() {
    let server = Server::start(|seen| match (seen.line.as_str(), seen.header("if-none-match")) {
        ("GET /openapi.json", Some("\"one\"")) => StatusCode::NOT_MODIFIED.into_response(),
        ("GET /openapi.json", _) => ([("etag", "\"one\"")], inventory(Some("/api")).to_string()).into_response(),
        _ => echo(seen),
    })
    .await;
    let clock = clock();
    let toolbox = toolbox_at(clock.clone(), Commands::None);
    let tool = definition(json!({"name": "inventory", "type": "openapi", "document": server.url("/openapi.json")}));
    for _ in 0..2 {
        let result = call(&toolbox, &tool, "getItem", json!({"id": "1"})).await.unwrap();
        assert_eq!(result["line"], "GET /api/items/1");
    }
    let documents = || server.lines().iter().filter(|line| line.ends_with("/openapi.json")).count();
    assert_eq!(documents(), 1);
    clock.advance(SignedDuration::from_hours(24));
    call(&toolbox, &tool, "getItem", json!({"id": "1"})).await.unwrap();
    call(&toolbox, &tool, "getItem", json!({"id": "1"})).await.unwrap();
    assert_eq!(documents(), 2);
}

#[tokio::test]
async fn a_document_cannot_have_secrets_sent_elsewhere() {
    let server = Server::start(|_| inventory(Some("https://elsewhere.example")).to_string().into_response()).await;
    let mut tool = definition(json!({
        "name": "inventory", "type": "openapi", "document": server.url("/openapi.json"),
        "headers": {"authorization": "Bearer {{ secrets.TOKEN }}"}
    }));
    let error = call(&toolbox(), &tool, "getItem", json!({"id": "1"})).await.unwrap_err();
    assert_eq!(
        error.message,
        "the document of tool `inventory` would have its secrets sent to https://elsewhere.example; if that is meant, say so \
         with `url`"
    );
    let other = Server::start(echo).await;
    tool.url = Some(other.url("/base"));
    let result = call(&toolbox(), &tool, "getItem", json!({"id": "1"})).await.unwrap();
    assert_eq!(result["line"], "GET /base/items/1");
    assert_eq!(other.seen()[0].header("authorization"), Some("Bearer s3cret-tok/en"));
    // The document is asked for without what is meant for the other host.
    assert_eq!(server.seen().last().unwrap().header("authorization"), None);
}

#[tokio::test]
async fn a_document_that_is_none_is_refused() {
    for (content, words) in [
        (json!({"swagger": "2.0"}), "it is no OpenAPI 3 document: `openapi` is not given, and 3.0 and 3.1 can be read"),
        (json!({"openapi": "3.1.0", "paths": {}}), "it has no operation that can be called"),
    ] {
        let tool = definition(json!({"name": "t", "type": "openapi", "document_content": content}));
        let error = call(&toolbox(), &tool, "x", json!({})).await.unwrap_err();
        assert_eq!(error.message, format!("the document of tool `t`: {words}"));
    }
}

/// A document of less than a megabyte whose operations all refer to one large part.
fn swelling(operations: usize) -> Value {
    let words: Vec<String> = (0..60_000).map(|number| format!("w{number:08}")).collect();
    let body = json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Words"}}}});
    let paths: Map<String, Value> = (0..operations)
        .map(|number| {
            (format!("/p{number}"), json!({"post": {"operationId": format!("op{number}"), "requestBody": body}}))
        })
        .collect();
    json!({
        "openapi": "3.1.0", "servers": [{"url": "http://127.0.0.1"}], "paths": paths,
        "components": {"schemas": {"Words": {"type": "string", "enum": words}}}
    })
}

#[tokio::test]
async fn a_document_of_a_megabyte_took_gigabytes() {
    let document = swelling(1_900);
    assert!(document.to_string().len() < 1_200_000);
    let server = {
        let text = document.to_string();
        Server::start(move |seen| match seen.line.as_str() {
            "GET /openapi.json" => text.clone().into_response(),
            _ => echo(seen),
        })
        .await
    };
    let tool = |operations: Value| {
        definition(json!({
            "name": "words", "type": "openapi", "document": server.url("/openapi.json"), "url": server.url("/"),
            "operations": operations
        }))
    };
    // What is allowed is read, and nothing else of it.
    let toolbox = toolbox();
    let open = toolbox.open(&TenantId::local(), &tool(json!(["op1"]))).unwrap();
    let operations = open.operations().await.unwrap();
    assert_eq!(operations.len(), 1);
    let result = call(&toolbox, &tool(json!(["op1"])), "op1", json!({"body": "w00000007"})).await.unwrap();
    assert_eq!(result["line"], "POST /p1");
    // Where everything is allowed, there is an end.
    let error = call(&toolbox, &tool(Value::Null), "op1", json!({"body": "w00000007"})).await.unwrap_err();
    assert!(
        error.message.ends_with(
            "its operations with all that they refer to are larger than 8 MiB; name those that are needed in `operations`"
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_is_allowed_and_not_there_is_said() {
    let tool = definition(json!({
        "name": "inventory", "type": "openapi", "document_content": inventory(None), "operations": ["getItems"]
    }));
    let error = call(&toolbox(), &tool, "getItems", json!({})).await.unwrap_err();
    assert_eq!(
        error.message,
        "the document of tool `inventory`: it has none of the operations that are allowed; did you mean `getItem`?"
    );
}
