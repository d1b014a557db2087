//! The server dies in the middle of what AI steps do: a call that reads, one that can be repeated, one that writes, a question
//! to a model, the question of a repair. Whoever goes on asks nothing again that was answered, and makes no call again that
//! may have been made and cannot be repeated, unless a person says so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flowctl_core::execution::Execution;
use flowctl_tests::{Database, Server};
use reqwest::Method;
use serde_json::{Value, json};

use crate::desk::{Desk, TOKENS};
use crate::stage::{Caller, PATIENCE, Stage, answered, name_of};

const TRIAGE: &str = "name: triage
version: 1
steps:
  - {id: look, type: agent_task, agent: clerk, message: Look after issue 7.}
outputs: {answer: \"{{ steps.look.output }}\"}
";

const CLERK: &str = "name: clerk
model: compatible/agent
tools: [search, label, comment]
budget: {max_turns: 9, max_tool_calls: 9}
";

const DRAFT: &str = "name: draft
version: 1
steps:
  - id: write
    type: ai_generate
    model: compatible/draft
    prompt: Write the notes.
    output_schema: {type: object, required: [notes], properties: {notes: {type: string}}}
outputs: {notes: \"{{ steps.write.output.notes }}\"}
";

/// A desk's tools ask nobody: what is tried is what a crash makes of them.
fn files(desk: &Desk) -> Vec<(String, String)> {
    let tool = |name: &str, method: &str| {
        let url = format!("http://{}/desk/{name}", desk.address);
        let text = format!(
            "name: {name}\ntype: http\nmethod: {method}\nurl: {url}\napproval: never\nheaders: {{x-life: \"{{{{ secrets.LIFE }}}}\"}}\n"
        );
        (format!(".flow/tools/{name}.yaml"), text)
    };
    let beside = [
        (".flow/processes/triage.yaml", TRIAGE),
        (".flow/processes/draft.yaml", DRAFT),
        (".flow/agents/clerk.yaml", CLERK),
    ];
    let tools = [tool("search", "GET"), tool("label", "PUT"), tool("comment", "POST")];
    beside.map(|(path, text)| (path.to_owned(), text.to_owned())).into_iter().chain(tools).collect()
}

/// A server that dies again and again, and those who use it.
struct Play {
    stage: Stage<Desk>,
    caller: Caller,
    life: u64,
}

impl Play {
    /// Starts a server for as long as it takes until `what` comes in, and kills it then.
    async fn dies_in_the_middle_of(&mut self, what: &str, meanwhile: impl AsyncFnOnce(&Caller)) {
        self.stage.recorder.hold(what);
        let mut server = self.stage.server(self.life);
        meanwhile(&self.caller).await;
        let came_in = tokio::time::timeout(PATIENCE, self.stage.recorder.has_come_in()).await;
        assert!(came_in.is_ok(), "`{what}` never came in: {:#?}\n{}", self.stage.recorder.calls(), server.log());
        server.kill();
        self.life += 1;
    }
}

async fn start(caller: &Caller, process: &str) -> String {
    let begin = || {
        let body = json!({"process": process, "inputs": {}});
        caller.request(Method::POST, "/executions").header("Idempotency-Key", process).json(&body)
    };
    let (status, accepted) = answered("a start", begin).await;
    assert!(matches!(status, 200 | 202), "{status}: {accepted:#}");
    accepted["id"].as_str().unwrap().to_owned()
}

async fn until(caller: &Caller, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let execution = caller.get(&format!("/executions/{id}")).await;
        if wanted(&execution) {
            return execution;
        }
        assert!(began.elapsed() < PATIENCE, "it never was so: {execution:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Alice, who looked, lets the call be made again.
async fn allow_again(caller: &Caller, id: &str) {
    let asked = until(caller, id, |execution| execution["status"] == "waiting").await;
    let waiting = &asked["steps"][0]["waiting_for"];
    assert_eq!(waiting["title"], "Call `call` of `comment` again?", "{waiting:#}");
    let path = format!("/approvals/{}/decisions", waiting["approval"].as_str().unwrap());
    let body = json!({"decision": "approve", "as": "alice", "note": "it is not there"});
    let say = || caller.request(Method::POST, &path).header("Idempotency-Key", "alice").json(&body);
    let (status, answer) = answered("alice's word", say).await;
    assert_eq!(status, 200, "{answer:#}");
}

/// How often each kind of entry is in an execution's trace.
async fn trace(caller: &Caller, id: &str) -> BTreeMap<String, usize> {
    let (mut kinds, mut path) = (BTreeMap::new(), format!("/executions/{id}/trace"));
    loop {
        let page = caller.get(&path).await;
        for item in page["items"].as_array().unwrap() {
            *kinds.entry(item["entry"]["kind"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let Some(next) = page["next"].as_str() else { return kinds };
        path = format!("/executions/{id}/trace?cursor={next}");
    }
}

async fn killed_in_the_middle(database: Option<Database>) {
    let desk = Desk::start().await;
    let settings = vec![
        ("FLOWCTL_AI_COMPATIBLE_BASE_URL", format!("http://{}/v1", desk.address)),
        ("FLOWCTL_AI_COMPATIBLE_API_KEY", "LIFE".to_owned()),
    ];
    let stage = Stage::of(desk.clone(), database, &files(&desk), settings);
    let mut play = Play { caller: Caller::of(&stage), stage, life: 0 };
    let mut triage = String::new();
    play.dies_in_the_middle_of("search", async |caller| triage = start(caller, "triage").await).await;
    play.dies_in_the_middle_of("label", async |_| {}).await;
    play.dies_in_the_middle_of("comment", async |_| {}).await;
    play.dies_in_the_middle_of("agent 3", async |caller| {
        // A person is asked before anything is written twice, and until then nothing is.
        until(caller, &triage, |execution| execution["status"] == "waiting").await;
        assert_eq!(desk.calls().iter().filter(|call| call.what == "comment").count(), 1);
        allow_again(caller, &triage).await;
    })
    .await;
    let mut draft = String::new();
    play.dies_in_the_middle_of("draft 1", async |caller| {
        draft = start(caller, "draft").await;
        until(caller, &triage, |execution| execution["status"] == "completed").await;
    })
    .await;
    play.stage.recorder.hold("nothing");
    let mut server = play.stage.server(play.life);
    ended(&play, &triage, &draft).await;
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    nothing_is_left(&play, &server).await;
}

async fn ended(play: &Play, triage: &str, draft: &str) {
    let (caller, (read, written)) = (&play.caller, TOKENS);
    let done = until(caller, draft, |execution| execution["status"] == "completed").await;
    assert_eq!(done["outputs"], json!({"notes": "All is well."}));
    let looked = until(caller, triage, |execution| execution["status"] == "completed").await;
    assert_eq!(looked["outputs"], json!({"answer": "It is looked after."}));
    // Each thing was asked for once, and once more where the server died in the middle of it.
    let mut lives: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in play.stage.recorder.calls() {
        lives.entry(call.what.clone()).or_default().push(call.life);
        keys.entry(call.what).or_default().push(call.key);
    }
    let expected = [
        ("agent 0", vec![0]),
        ("agent 1", vec![1]),
        ("agent 2", vec![2]),
        ("agent 3", vec![3, 4]),
        ("comment", vec![2, 3]),
        ("draft 0", vec![4]),
        ("draft 1", vec![4, 5]),
        ("label", vec![1, 2]),
        ("search", vec![0, 1]),
    ];
    let expected =
        expected.map(|(what, lives)| (what.to_owned(), lives.into_iter().map(name_of).collect::<Vec<String>>()));
    assert_eq!(lives, BTreeMap::from(expected));
    for what in ["search", "label", "comment"] {
        assert_eq!(keys[what][0], keys[what][1], "`{what}` says that it is the same call");
    }
    let counted = |kinds: &[(&str, usize)]| kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
    let of_triage: BTreeMap<String, usize> = counted(&[
        ("message", 2),
        ("model_asked", 5),
        ("model_answered", 4),
        ("tool_call_begun", 6),
        ("tool_call_ended", 3),
        ("approval_asked", 1),
        ("approval_decided", 1),
    ]);
    assert_eq!(trace(caller, triage).await, of_triage);
    let of_draft: BTreeMap<String, usize> = counted(&[("message", 2), ("model_asked", 3), ("model_answered", 2)]);
    assert_eq!(trace(caller, draft).await, of_draft);
    // What was used is what was answered, each answer once, and a guess at the question that nobody knows the answer of.
    for (execution, answers) in [(&looked, 4), (&done, 2)] {
        let usage = &execution["steps"][0]["usage"];
        let tokens = (usage["input_tokens"].as_u64().unwrap(), usage["output_tokens"].as_u64().unwrap());
        assert!(tokens.0 > answers * read && tokens.1 > answers * written, "{usage:#}");
        assert_eq!((&usage["calls"], &usage["estimated"]), (&json!(answers + 1), &json!(true)), "{usage:#}");
    }
}

async fn nothing_is_left(play: &Play, server: &Server) {
    let store = play.stage.store().await;
    let all = store.list(None, &flowctl_app::store::ExecutionFilter::default(), 10, None).await.unwrap().items;
    assert_eq!(all.len(), 2, "{}", server.log());
    for execution in &all {
        let events = store.events(&execution.tenant, execution.id, 0, 10_000).await.unwrap();
        assert_eq!(Execution::fold(events.iter().map(|it| &it.event)).unwrap(), *execution);
    }
    assert_eq!(store.backlog().await.unwrap().work, 0, "nobody has anything left to do");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_of_what_a_model_wants_loses_nothing_and_writes_nothing_twice_by_itself() {
    killed_in_the_middle(None).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn on_postgresql_a_server_killed_in_the_middle_of_what_a_model_wants_writes_nothing_twice_by_itself() {
    killed_in_the_middle(Some(Database::of_tests().await)).await;
}
