//! MCP servers from npm, as `tests/run` fetches them: `FLOWCTL_TEST_MCP_SERVERS` names their `node_modules`. Where it is not
//! set these are ignored, and `tests/run` says so.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::*;

pub(crate) fn server(name: &str) -> String {
    let modules = PathBuf::from(std::env::var_os("FLOWCTL_TEST_MCP_SERVERS").expect("FLOWCTL_TEST_MCP_SERVERS is set"));
    modules.join("@modelcontextprotocol").join(name).join("dist/index.js").display().to_string()
}

fn everything() -> EquippedTool {
    definition(json!({
        "name": "everything", "type": "mcp", "command": ["node", server("server-everything")],
        "env": {"GREETING": "{{ secrets.TOKEN }}"}
    }))
}

fn filesystem(folder: &Path, operations: &[&str]) -> EquippedTool {
    let command = json!(["node", server("server-filesystem"), folder.display().to_string()]);
    definition(json!({"name": "files", "type": "mcp", "command": command, "operations": operations}))
}

fn any() -> Toolbox {
    toolbox_at(clock(), Commands::Any)
}

#[tokio::test]
#[ignore = "needs MCP servers from npm: tests/run fetches them"]
async fn operations_of_a_program_are_called() {
    let toolbox = any();
    let tool = everything();
    let operations = toolbox.open(&TenantId::local(), &tool).unwrap().operations().await.unwrap();
    assert!(operations.iter().any(|operation| operation.name == "echo"), "{operations:?}");
    let result = call(&toolbox, &tool, "echo", json!({"message": "hello"})).await.unwrap();
    assert_eq!(result, json!("Echo: hello"));
    let result = call(&toolbox, &tool, "get-structured-content", json!({"location": "Chicago"})).await.unwrap();
    assert!(result["temperature"].is_number(), "{result}");
    let error = call(&toolbox, &tool, "echo", json!({"message": 7})).await.unwrap_err();
    assert_eq!(error.message, "the arguments of `echo` of tool `everything` do not fit: `message` must be a text");
    // What the program is given is its own environment; a secret in it does not come back.
    let environment = call(&toolbox, &tool, "get-env", json!({})).await.unwrap();
    assert_eq!(environment["GREETING"], "***");
    assert!(environment.get("CARGO_MANIFEST_DIR").is_none() && environment.get("PATH").is_some(), "{environment}");
    toolbox.close().await;
}

#[tokio::test]
#[ignore = "needs MCP servers from npm: tests/run fetches them"]
async fn a_program_is_started_once_and_again_when_it_went_away() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("note.txt"), "remember").unwrap();
    let tool = filesystem(folder.path(), &["read_text_file", "write_file", "list_directory"]);
    let toolbox = any();
    let open = toolbox.open(&TenantId::local(), &tool).unwrap();
    let operations = open.operations().await.unwrap();
    let mut known: Vec<(&str, bool)> = operations.iter().map(|it| (it.name.as_str(), it.writes)).collect();
    known.sort_unstable();
    assert_eq!(known, [("list_directory", false), ("read_text_file", false), ("write_file", true)]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let read = json!({"path": path("note.txt")});
    let text = call(&toolbox, &tool, "read_text_file", read.clone()).await.unwrap();
    assert!(text.to_string().contains("remember"), "{text}");
    let written = json!({"path": path("new.txt"), "content": "by a tool"});
    call(&toolbox, &tool, "write_file", written).await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("new.txt")).unwrap(), "by a tool");
    // Outside of its folder the server itself refuses, and its words arrive.
    let error = call(&toolbox, &tool, "read_text_file", json!({"path": "/etc/passwd"})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(error.message.contains("outside allowed directories"), "{error:?}");
    // What the definition does not allow is not even asked for.
    let error = call(&toolbox, &tool, "move_file", json!({})).await.unwrap_err();
    assert_eq!(error.message, "tool `files` does not allow the operation `move_file`");
    toolbox.close().await;
    let text = call(&toolbox, &tool, "read_text_file", read).await.unwrap();
    assert!(text.to_string().contains("remember"), "{text}");
    toolbox.close().await;
}

#[tokio::test]
#[ignore = "needs MCP servers from npm: tests/run fetches them"]
async fn a_program_that_is_no_server_says_how_it_ended() {
    let tool = definition(json!({"name": "wrong", "type": "mcp", "command": ["node", "-e", "process.exit(3)"]}));
    let error = call(&any(), &tool, "x", json!({})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Network);
    assert!(error.message.starts_with("the MCP server of tool `wrong` did not start: "), "{error:?}");
    assert!(error.message.contains("exit status: 3"), "{error:?}");
}

/// A server on a port of its own, over streamable HTTP.
pub(crate) struct Listening {
    _child: Child,
    pub(crate) url: String,
}

pub(crate) async fn listening() -> Listening {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new("node")
        .args([&server("server-everything"), "streamableHttp"])
        .env("PORT", port.to_string())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("listening on port") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Listening { _child: child, url: format!("http://127.0.0.1:{port}/mcp") };
        }
    }
    panic!("the server ended before it listened");
}

#[tokio::test]
#[ignore = "needs MCP servers from npm: tests/run fetches them"]
async fn operations_of_a_server_over_http_are_called() {
    let server = listening().await;
    let tool =
        definition(json!({"name": "everything", "type": "mcp", "url": server.url, "operations": ["echo", "get-sum"]}));
    let toolbox = any();
    let result = call(&toolbox, &tool, "echo", json!({"message": "over HTTP"})).await.unwrap();
    assert_eq!(result, json!("Echo: over HTTP"));
    let many = (0..8).map(|number| {
        let (toolbox, tool) = (toolbox.clone(), tool.clone());
        tokio::spawn(async move { call(&toolbox, &tool, "get-sum", json!({"a": number, "b": 1})).await })
    });
    for (number, sum) in futures_util::future::join_all(many).await.into_iter().enumerate() {
        let text = sum.unwrap().unwrap().to_string();
        assert!(text.contains(&(number + 1).to_string()), "{text}");
    }
    drop(server);
    // The server is gone: that is said, as something that may pass.
    let error = call(&toolbox, &tool, "echo", json!({"message": "x"})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Network, "{error:?}");
}
