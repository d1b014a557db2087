//! MCP servers that misbehave: a small one in the shell that hangs, floods, changes and tells where it runs, and one over
//! HTTP that forgets its sessions.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use ::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;

use super::*;
use crate::steps::tests::server::{Seen, Server, json_answer};

/// Does what its one tool is told in `what`.
const SERVER: &str = r#"
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
tool() { printf '{"name":"%s","description":"one","inputSchema":{"type":"object"}}' "$1"; }
tools=$(tool do)
while IFS= read -r line; do
  id=${line#*\"id\":}
  id=${id%%[,\}]*}
  case $line in
    *'"method":"initialize"'*)
      answer '{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"small","version":"1"}}' ;;
    *'"method":"tools/list"'*) answer "{\"tools\":[$tools]}" ;;
    *'"what":"hang"'*) ;;
    *'"what":"flood"'*)
      while printf '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"more"}}\n'; do :; done
      exit ;;
    *'"what":"change"'*)
      tools="$tools,$(tool added)"
      printf '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n'
      answer '{"content":[{"type":"text","text":"changed"}]}' ;;
    *'"method":"tools/call"'*) answer "{\"content\":[{\"type\":\"text\",\"text\":\"$$ $PWD\"}]}" ;;
  esac
done
"#;

fn small(folder: &Path, env: Value) -> EquippedTool {
    let script = folder.join("server.sh");
    std::fs::write(&script, SERVER).unwrap();
    definition(json!({"name": "small", "type": "mcp", "command": ["sh", script.display().to_string()], "env": env}))
}

/// The process and the folder that a server runs in.
async fn place(toolbox: &Toolbox, tool: &EquippedTool) -> (String, PathBuf) {
    let told = call(toolbox, tool, "do", json!({"what": "tell"})).await.unwrap();
    let (process, folder) = told.as_str().unwrap().split_once(' ').unwrap();
    (process.to_owned(), PathBuf::from(folder))
}

fn any() -> Toolbox {
    toolbox_at(clock(), Commands::Any)
}

#[tokio::test]
async fn a_program_runs_in_an_empty_folder_of_its_own_and_is_the_one_of_our_own_path() {
    let folder = tempfile::tempdir().unwrap();
    let planted = folder.path().join("sh");
    std::fs::write(&planted, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&planted, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let (toolbox, tool) = (any(), small(folder.path(), json!({"PATH": path})));
    let (_, workplace) = place(&toolbox, &tool).await;
    assert_ne!(workplace, std::env::temp_dir());
    let mode = std::os::unix::fs::PermissionsExt::mode(&workplace.metadata().unwrap().permissions());
    assert_eq!((mode & 0o777, std::fs::read_dir(&workplace).unwrap().count()), (0o700, 0));
    assert_eq!(place(&toolbox, &tool).await.1, workplace, "it is started once");
    toolbox.close().await;
    assert!(!workplace.exists());
}

#[tokio::test]
async fn a_definition_sets_nothing_that_the_operator_does_not_name() {
    let folder = tempfile::tempdir().unwrap();
    let tool = small(folder.path(), json!({"PATH": "/tmp"}));
    let command = format!("LEVEL= sh {}", folder.path().join("server.sh").display());
    let toolbox = toolbox_at(clock(), Commands::read(&command));
    let error = call(&toolbox, &tool, "do", json!({})).await.unwrap_err();
    assert!(error.message.starts_with("the tool `small` would set `PATH` for `sh "), "{}", error.message);
    let tool = small(folder.path(), json!({"LEVEL": "high"}));
    place(&toolbox, &tool).await;
    toolbox.close().await;
}

#[tokio::test]
async fn a_program_that_does_not_answer_in_time_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (toolbox, tool) = (any(), small(folder.path(), json!({})));
    let (first, workplace) = place(&toolbox, &tool).await;
    let arguments = json!({"what": "hang"}).as_object().unwrap().clone();
    let hanging = OperationCall { operation: "do", arguments: &arguments, idempotency_key: "k" };
    let open = toolbox.open(&TenantId::local(), &tool).unwrap();
    let error = open.call(hanging, Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Timeout);
    assert_ne!(place(&toolbox, &tool).await.0, first);
    assert!(!workplace.exists(), "the old one is gone with its folder");
    toolbox.close().await;
}

#[tokio::test]
async fn a_program_that_only_talks_is_hung_up_on() {
    let folder = tempfile::tempdir().unwrap();
    let (toolbox, tool) = (any(), small(folder.path(), json!({})));
    let error = call(&toolbox, &tool, "do", json!({"what": "flood"})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Network, "{}", error.message);
    place(&toolbox, &tool).await;
    toolbox.close().await;
}

#[tokio::test]
async fn a_program_that_nobody_calls_for_ten_minutes_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let (toolbox, tool) = (toolbox_at(clock.clone(), Commands::Any), small(folder.path(), json!({})));
    let (_, workplace) = place(&toolbox, &tool).await;
    clock.advance(SignedDuration::from_mins(9));
    assert_eq!((toolbox.servers.let_idle_go(), workplace.exists()), (1, true));
    place(&toolbox, &tool).await;
    clock.advance(SignedDuration::from_mins(9));
    assert_eq!(toolbox.servers.let_idle_go(), 1, "it was called meanwhile");
    clock.advance(SignedDuration::from_mins(1));
    assert_eq!((toolbox.servers.let_idle_go(), workplace.exists()), (0, false));
}

#[tokio::test]
async fn a_server_whose_tools_changed_is_asked_for_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let (toolbox, tool) = (any(), small(folder.path(), json!({})));
    let open = toolbox.open(&TenantId::local(), &tool).unwrap();
    let names = async || {
        let operations = open.operations().await.unwrap();
        operations.into_iter().map(|operation| operation.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["do"]);
    assert_eq!(call(&toolbox, &tool, "do", json!({"what": "change"})).await.unwrap(), "changed");
    assert_eq!(names().await, ["do", "added"]);
    toolbox.close().await;
}

/// Knows the second session only.
fn forgetful(seen: &Seen, sessions: &AtomicU32) -> Response {
    let request: Value = serde_json::from_str(&seen.body).unwrap_or_default();
    let result = match request["method"].as_str() {
        Some("initialize") => {
            let server = json!({"name": "small", "version": "1"});
            json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": server})
        }
        Some("tools/list") => json!({"tools": [{"name": "do", "inputSchema": {"type": "object"}}]}),
        Some("tools/call") if seen.header("mcp-session-id") == Some("1") => return json_answer(404, json!({})),
        Some("tools/call") => json!({"content": [{"type": "text", "text": "done"}]}),
        _ => return ::http::StatusCode::ACCEPTED.into_response(),
    };
    let mut response = json_answer(200, json!({"jsonrpc": "2.0", "id": request["id"], "result": result}));
    if request["method"] == "initialize" {
        let session = sessions.fetch_add(1, Ordering::SeqCst) + 1;
        response.headers_mut().insert("mcp-session-id", HeaderValue::from(session));
    }
    response
}

#[tokio::test]
async fn a_server_that_forgot_its_session_is_begun_anew_with_the_next_call() {
    let sessions = Arc::new(AtomicU32::new(0));
    let counted = sessions.clone();
    let server = Server::start(move |seen| forgetful(seen, &counted)).await;
    let tool = definition(json!({"name": "small", "type": "mcp", "url": server.url("/mcp")}));
    let toolbox = toolbox();
    let error = call(&toolbox, &tool, "do", json!({})).await.unwrap_err();
    assert_eq!(error.message, "the MCP server of tool `small`: it forgot the session");
    assert_eq!(call(&toolbox, &tool, "do", json!({})).await.unwrap(), "done", "the call itself is not repeated by us");
    assert_eq!(sessions.load(Ordering::SeqCst), 2);
    toolbox.close().await;
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is_for_a_day_at_most_whether_it_says_seconds_or_a_date() {
    for (asked, seconds) in [
        ("90", Some(90)),
        ("Mon, 02 Mar 2026 09:01:00 GMT", Some(60)),
        ("Mon, 01 Jan 2035 00:00:00 GMT", Some(86_400)),
        ("99999999999", Some(86_400)),
        ("soon", None),
    ] {
        let server = Server::start(move |_| {
            let mut answer = ::http::StatusCode::TOO_MANY_REQUESTS.into_response();
            answer.headers_mut().insert("retry-after", HeaderValue::from_static(asked));
            answer
        });
        let server = server.await;
        let tool = definition(json!({"name": "small", "type": "mcp", "url": server.url("/mcp")}));
        let toolbox = toolbox();
        let error = call(&toolbox, &tool, "do", json!({})).await.unwrap_err();
        let expected = (ErrorClass::RateLimited, seconds.map(|seconds: u64| seconds * 1_000));
        assert_eq!((error.class, error.retry_after_ms), expected, "{asked}");
        toolbox.close().await;
    }
}
