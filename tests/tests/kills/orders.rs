//! Those who place orders and those who sign them. They ask until they are answered, whatever becomes of the server.

use std::process::Stdio;
use std::time::{Duration, Instant};

use flowctl_tests::{Server, program};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stage::{Caller, PATIENCE, Stage, TOKEN, answered};

/// How an order is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is shipped.
    Done,
    /// Whoever ships it refuses.
    Refused,
    /// Alice rejects it.
    Rejected,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
        }
    }
}

/// An order that was accepted and is over.
#[derive(Debug)]
pub struct Order {
    pub execution: uuid::Uuid,
    pub ending: Ending,
    /// How often bob spoke until he was told that he was heard; 0 where he was not asked.
    pub spoken_by_bob: usize,
}

/// Orders under way.
pub struct Orders {
    placing: JoinSet<Order>,
}

/// Places so many orders, some in each of the server's lives.
pub fn place(stage: &Stage, count: u64, each_life: u64) -> Orders {
    let mut placing = JoinSet::new();
    for number in 0..count {
        let (caller, mut life) = (Caller::of(stage), stage.life.subscribe());
        placing.spawn(async move {
            life.wait_for(|life| *life >= number / each_life).await.unwrap();
            let ending = [Ending::Done, Ending::Done, Ending::Refused, Ending::Rejected][(number % 4) as usize];
            order(&caller, number, ending).await
        });
    }
    Orders { placing }
}

impl Orders {
    /// Waits until each of them has ended.
    pub async fn all_over(mut self, server: &mut Server) -> Vec<Order> {
        let mut orders = Vec::new();
        while let Some(over) = self.placing.join_next().await {
            match over {
                Ok(order) => orders.push(order),
                Err(failed) => {
                    eprintln!("the server's log:\n{}", server.log());
                    std::panic::resume_unwind(failed.into_panic());
                }
            }
        }
        orders
    }
}

async fn order(caller: &Caller, number: u64, ending: Ending) -> Order {
    let start = || {
        let body = json!({"process": "order", "inputs": {"outcome": ending.as_str()}});
        caller.request(Method::POST, "/executions").header("Idempotency-Key", format!("order-{number}")).json(&body)
    };
    let (status, accepted) = answered("a start", start).await;
    assert!(matches!(status, 200 | 202), "{status}: {accepted:#}");
    // Whoever asks again is given the same one.
    let (status, again) = answered("the same start", start).await;
    assert_eq!((status, &again["id"]), (200, &accepted["id"]));
    let path = format!("/executions/{}", accepted["id"].as_str().unwrap());
    let asked = until(caller, &path, |execution| {
        execution["steps"]
            .as_array()
            .unwrap()
            .iter()
            .find_map(|step| step["waiting_for"]["approval"].as_str())
            .is_some()
    })
    .await;
    let approval = asked["steps"].as_array().unwrap().iter().find_map(|step| step["waiting_for"]["approval"].as_str());
    let approval = approval.unwrap().to_owned();
    let spoken_by_bob = if ending == Ending::Rejected { 0 } else { by_command_line(caller, &approval).await };
    by_api(caller, &approval, if ending == Ending::Rejected { "reject" } else { "approve" }).await;
    let is_over =
        |execution: &Value| ["completed", "failed", "cancelled"].contains(&execution["status"].as_str().unwrap());
    until(caller, &path, is_over).await;
    Order { execution: accepted["id"].as_str().unwrap().parse().unwrap(), ending, spoken_by_bob }
}

/// What an address answers once that is so.
async fn until(caller: &Caller, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let body = caller.get(path).await;
        if wanted(&body) {
            return body;
        }
        assert!(began.elapsed() < PATIENCE, "it never was so: {body:#}");
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

/// Alice says her word with a key, until she is told that it was heard.
async fn by_api(caller: &Caller, approval: &str, decision: &str) {
    let path = format!("/approvals/{approval}/decisions");
    let body = json!({"decision": decision, "as": "alice"});
    let say = || caller.request(Method::POST, &path).header("Idempotency-Key", "alice").json(&body);
    let (status, answer) = answered("alice's word", say).await;
    assert_eq!(status, 200, "{answer:#}");
}

/// Bob has no key: where he was told nothing he looks whether he was heard before he speaks again. How often he spoke.
async fn by_command_line(caller: &Caller, approval: &str) -> usize {
    let (began, path) = (Instant::now(), format!("/approvals/{approval}"));
    for spoken in 1.. {
        let mut command = tokio::process::Command::new(program());
        command.args(["approvals", "approve", approval, "--as", "bob"]).env_clear().stdin(Stdio::null());
        command.env("FLOWCTL_SERVER", caller.base()).env("FLOWCTL_TOKEN", TOKEN);
        let said = command.output().await.unwrap();
        if said.status.success() {
            return spoken;
        }
        let decisions = caller.get(&path).await["decisions"].clone();
        if decisions.as_array().unwrap().iter().any(|decision| decision["person"]["login"] == "bob") {
            return spoken;
        }
        assert!(began.elapsed() < PATIENCE, "bob is not heard: {}", String::from_utf8_lossy(&said.stderr));
    }
    unreachable!("bob speaks until he is heard")
}
