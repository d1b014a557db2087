//! Tools that are one HTTP call, and what holds for every tool: breakers, secrets, limits.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::SignedDuration;

use super::*;
use crate::steps::tests::server::{Server, json_answer};

#[tokio::test]
async fn arguments_go_where_the_address_names_them_and_the_rest_into_the_query() {
    let server = Server::start(|_| json_answer(200, json!({"sunny": true}))).await;
    let tool = definition(json!({
        "name": "weather", "type": "http", "url": server.url("/{{ arguments.city }}/today"),
        "headers": {"authorization": "Bearer {{ secrets.TOKEN }}", "x-city": "{{ arguments.city }}"},
        "input_schema": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
    }));
    let result = call(&toolbox(), &tool, "call", json!({"city": "a/../b?x=1", "days": [1, 2]})).await.unwrap();
    assert_eq!(result, json!({"sunny": true}));
    let seen = server.seen().remove(0);
    assert_eq!(seen.line, "GET /a%2F..%2Fb%3Fx%3D1/today?days=1&days=2");
    assert_eq!(seen.header("authorization"), Some("Bearer s3cret-tok/en"));
    assert_eq!((seen.header("x-city"), seen.header("idempotency-key")), (Some("a/../b?x=1"), Some("the key")));
    let error = call(&toolbox(), &tool, "call", json!({"city": ".."})).await.unwrap_err();
    assert_eq!(error.message, "the argument `city` is `..`, which cannot stand in an address");
    let error = call(&toolbox(), &tool, "call", json!({"city": 7})).await.unwrap_err();
    assert_eq!(error.message, "the arguments of `call` of tool `weather` do not fit: `city` must be a text");
    let error = call(&toolbox(), &tool, "cal", json!({"city": "x"})).await.unwrap_err();
    assert_eq!(error.message, "tool `weather` has no operation `cal`; did you mean `call`?");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_call_that_writes_has_its_arguments_in_the_body() {
    let server = Server::start(|seen| json_answer(201, json!({"told": seen.body}))).await;
    let tool = definition(json!({"name": "note", "type": "http", "method": "POST", "url": server.url("/notes")}));
    let open = toolbox().open(&TenantId::local(), &tool).unwrap();
    let operations = open.operations().await.unwrap();
    assert_eq!((operations[0].writes, operations[0].idempotent), (true, false));
    let result = call(&toolbox(), &tool, "call", json!({"text": "hello"})).await.unwrap();
    assert_eq!(result, json!({"told": "{\"text\":\"hello\"}"}));
}

#[tokio::test]
async fn a_secret_that_comes_back_is_masked_in_results_and_errors() {
    let server = Server::start(|seen| {
        let token = seen.header("authorization").unwrap_or_default().to_owned();
        json_answer(if seen.line.contains("bad") { 400 } else { 200 }, json!({"you sent": token}))
    })
    .await;
    let tool = |path: &str| {
        let headers = json!({"authorization": "Bearer {{ secrets.TOKEN }}"});
        definition(json!({"name": "echo", "type": "http", "url": server.url(path), "headers": headers}))
    };
    let result = call(&toolbox(), &tool("/good"), "call", json!({})).await.unwrap();
    assert_eq!(result, json!({"you sent": "Bearer ***"}));
    let error = call(&toolbox(), &tool("/bad"), "call", json!({})).await.unwrap_err();
    assert!(error.message.ends_with("/bad answered 400 Bad Request: {\"you sent\":\"Bearer ***\"}"), "{error:?}");
    let mut unknown = tool("/good");
    unknown.headers.insert("x-other".to_owned(), "{{ secrets.NONE }}".to_owned());
    let error = call(&toolbox(), &unknown, "call", json!({})).await.unwrap_err();
    assert_eq!(error.message, "the secret `NONE` is not set; the server reads it from FLOWCTL_SECRET_NONE");
}

#[tokio::test]
async fn a_tool_that_fails_again_and_again_is_left_alone_for_a_while() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "GET /refuse" => json_answer(404, json!({})),
        _ => json_answer(503, json!({})),
    })
    .await;
    let clock = clock();
    let toolbox = toolbox_at(clock.clone(), Commands::None);
    let tool = definition(json!({"name": "down", "type": "http", "url": server.url("/down")}));
    for _ in 0..5 {
        let error = call(&toolbox, &tool, "call", json!({})).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::ServerError);
    }
    let error = call(&toolbox, &tool, "call", json!({})).await.unwrap_err();
    assert_eq!((error.class, error.retry_after_ms), (ErrorClass::Network, Some(30_000)));
    assert_eq!(error.message, "the tool failed 5 times in a row and is left alone for another 31 s");
    assert_eq!(server.seen().len(), 5);
    clock.advance(SignedDuration::from_secs(30));
    // One tries; it fails, and the pause begins anew.
    assert_eq!(call(&toolbox, &tool, "call", json!({})).await.unwrap_err().class, ErrorClass::ServerError);
    assert_eq!(call(&toolbox, &tool, "call", json!({})).await.unwrap_err().class, ErrorClass::Network);
    assert_eq!(server.seen().len(), 6);
    // What the caller does wrong says nothing about the tool.
    let refusing = definition(json!({"name": "refuse", "type": "http", "url": server.url("/refuse")}));
    for _ in 0..7 {
        assert_eq!(call(&toolbox, &refusing, "call", json!({})).await.unwrap_err().class, ErrorClass::Refused);
    }
}

#[tokio::test]
async fn private_addresses_are_refused_and_programs_too_where_nothing_is_said() {
    let outgoing = Outgoing::new(OutgoingOptions::default()).unwrap();
    let secrets: BTreeMap<String, SecretString> = BTreeMap::new();
    let toolbox = Toolbox::new(outgoing, Arc::new(secrets), Commands::None, clock());
    for written in [
        json!({"name": "t", "type": "http", "url": "http://127.0.0.1:1/"}),
        json!({"name": "t", "type": "mcp", "url": "http://127.0.0.1:1/mcp"}),
        json!({"name": "t", "type": "openapi", "document": "http://127.0.0.1:1/openapi.json"}),
    ] {
        let error = call(&toolbox, &definition(written), "call", json!({})).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Refused);
        assert!(error.message.contains("is an address in a private network"), "{error:?}");
    }
    let program = definition(json!({"name": "t", "type": "mcp", "command": ["sh", "-c", "id"]}));
    let error = call(&toolbox, &program, "call", json!({})).await.unwrap_err();
    assert!(error.message.starts_with("the tool `t` would start `sh -c id`, which the operator does not allow"));
}

#[tokio::test]
async fn a_tool_without_any_secret_could_not_be_redirected() {
    let other = Server::start(|_| json_answer(200, json!("there"))).await;
    let to = other.url("/there");
    let server = Server::start(move |_| (StatusCode::FOUND, [("location", to.clone())]).into_response()).await;
    let mut tool = definition(json!({"name": "moved", "type": "http", "url": server.url("/")}));
    assert_eq!(call(&toolbox(), &tool, "call", json!({})).await.unwrap(), json!("there"));
    assert_eq!(other.seen()[0].header("idempotency-key"), None);
    tool.headers.insert("authorization".to_owned(), "Bearer {{ secrets.TOKEN }}".to_owned());
    let error = call(&toolbox(), &tool, "call", json!({})).await.unwrap_err();
    assert!(error.message.contains("the call carries credentials"), "{error:?}");
    assert_eq!(other.seen().len(), 1);
}
