//! An agent with MCP servers of others, from npm, as `tests/run` fetches them; ignored without `FLOWCTL_TEST_MCP_SERVERS`.

use flowctl_core::execution::CallDecision;
use serde_json::json;

use super::agent_task::{decided, perform_with, story};
use super::*;
use crate::tools::Commands;
use crate::tools::tests::real_servers::{listening, server};
use crate::tools::tests::toolbox_at;

#[tokio::test]
#[ignore = "needs MCP servers from npm: tests/run fetches them"]
async fn an_agent_uses_a_program_and_a_server_over_http_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("sum.txt"), "2 and 3").unwrap();
    let everything = listening().await;
    let tools = toolbox_at(clock(), Commands::Any);
    let written = json!({"path": path("result.txt"), "content": "5"});
    let script = json!([
        {"call": [
            {"name": "files__read_text_file", "arguments": {"path": path("sum.txt")}},
            {"name": "everything__get-sum", "arguments": {"a": 2, "b": 3}},
            {"name": "everything__echo", "arguments": {"message": 7}}
        ]},
        {"call": [{"name": "files__write_file", "arguments": written}]},
        {"say": "It is 5."}
    ]);
    let command = json!(["node", server("server-filesystem"), folder.path().display().to_string()]);
    let input = json!({
        "agent": "clerk", "message": "Add what sum.txt says.", "session": "new",
        "definition": {
            "name": "clerk", "model": "mock/script", "tools": ["files", "everything"], "memory": "none",
            "instructions": format!("You add.\n```mock-script\n{script}\n```")
        },
        "equipment": {
            "files": {"name": "files", "type": "mcp", "command": command, "operations": ["read_text_file", "write_file"], "approval": "writes"},
            "everything": {"name": "everything", "type": "mcp", "url": everything.url, "operations": ["get-sum", "echo"], "approval": "never"}
        }
    });
    let (result, recorded) = perform_with(&tools, input.clone(), Vec::new()).await;
    assert!(result.is_err(), "what writes waits for a person: {result:?}");
    assert_eq!(recorded.asked().len(), 1);
    assert!(!folder.path().join("result.txt").exists());
    let happened = story(&recorded.entries());
    for ended in ["1.1 ended", "1.2 ended"] {
        assert!(happened.iter().any(|line| line == ended), "{happened:#?}");
    }
    // What does not fit the server's own schema never reaches it.
    let refused = "1.3 failed: the arguments of `echo` of tool `everything` do not fit: `message` must be a text";
    assert!(happened.iter().any(|line| line == refused), "{happened:#?}");

    let mut before = recorded.entries();
    let word = decided(CallDecision::Approved, "2.1", ("files", "write_file"), &written, None);
    before.push(word);
    let (result, _) = perform_with(&tools, input, before).await;
    assert_eq!(result.unwrap(), json!("It is 5."));
    assert_eq!(std::fs::read_to_string(path("result.txt")).unwrap(), "5");
    tools.close().await;
}
