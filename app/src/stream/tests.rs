//! The event stream over the real store on SQLite: order, repetition, failures, turns. What a real NATS does with it is
//! in `tests/tests/stream.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation fails the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{EventStream, Failure, Looked, Message, PublishFailure, Publisher};
use crate::clock::SystemClock;
use crate::store::{SqliteStore, Store, Transition, conformance};

/// Keeps what it is told; fails as it is asked to.
#[derive(Default)]
struct Told {
    messages: Mutex<Vec<Message>>,
    /// How many more messages it takes; nothing: all.
    takes: Mutex<Option<usize>>,
    /// Bytes of a body that it takes; nothing: all.
    largest: Mutex<Option<usize>>,
    told: Notify,
}

#[async_trait]
impl Publisher for Told {
    async fn publish(&self, message: &Message) -> Result<(), PublishFailure> {
        if self.largest.lock().unwrap().is_some_and(|largest| message.body().len() > largest) {
            return Err(PublishFailure::TooLarge);
        }
        if let Some(takes) = &mut *self.takes.lock().unwrap() {
            *takes = takes.checked_sub(1).ok_or_else(|| PublishFailure::Away("it is away".to_owned()))?;
        }
        self.messages.lock().unwrap().push(message.clone());
        self.told.notify_one();
        Ok(())
    }
}

impl Told {
    fn ids(&self) -> Vec<String> {
        self.messages.lock().unwrap().iter().map(|message| message.id.clone()).collect()
    }
}

struct World {
    store: Arc<dyn Store>,
    told: Arc<Told>,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store = Arc::new(SqliteStore::open(&url).await.unwrap());
        Self { store, told: Arc::default(), _folder: folder }
    }

    fn stream(&self, owner: &str) -> EventStream {
        let (store, told) = (Arc::clone(&self.store), Arc::clone(&self.told));
        EventStream::new(store, told, Arc::new(SystemClock), (owner, Duration::from_secs(30)))
    }

    /// Stores an execution with three events; its id.
    async fn stored(&self, number: u128) -> String {
        let (execution, events) = conformance::drafting_since(number);
        let id = execution.id.to_string();
        let transition = Transition { streamed: true, ..Transition::of(execution, 0, events) };
        self.store.commit(transition).await.unwrap();
        id
    }

    async fn untold(&self) -> u64 {
        self.store.backlog().await.unwrap().stream
    }
}

#[tokio::test]
async fn what_is_stored_is_told_once_in_order() {
    let world = World::new().await;
    let id = world.stored(1).await;
    let (stream, mut ours) = (world.stream("a"), None);
    assert_eq!(stream.look(&mut ours).await.unwrap(), Looked::Told);
    assert_eq!(world.told.ids(), [1, 2, 3].map(|seq| format!("{id}:{seq}")));
    assert_eq!(world.untold().await, 0);
    assert_eq!(stream.look(&mut ours).await.unwrap(), Looked::Nothing);
    let messages = world.told.messages.lock().unwrap();
    let subjects: Vec<&str> = messages.iter().map(|message| &*message.subject).collect();
    assert_eq!(
        subjects,
        ["execution.created", "execution.started", "step.started"]
            .map(|kind| format!("flowctl.events.acme.release.{kind}"))
    );
    let body: Value = serde_json::from_slice(&messages[2].body()).unwrap();
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["tenant", "repository", "process", "seq", "type", "at", "execution", "step", "attempt", "actor", "data"]
    );
    assert_eq!(
        (&body["execution"], &body["type"], &body["step"]),
        (&id.into(), &"step.started".into(), &"draft".into())
    );
}

#[tokio::test]
async fn what_the_stream_did_not_take_is_told_later_from_there() {
    let world = World::new().await;
    let id = world.stored(1).await;
    let (stream, mut ours) = (world.stream("a"), None);
    *world.told.takes.lock().unwrap() = Some(2);
    assert!(matches!(stream.look(&mut ours).await, Err(Failure::Stream(PublishFailure::Away(_)))));
    assert_eq!(world.untold().await, 1, "nothing is forgotten");
    *world.told.takes.lock().unwrap() = None;
    assert_eq!(stream.look(&mut ours).await.unwrap(), Looked::Told);
    // The transition is told again as a whole: the ids say that it is the same.
    assert_eq!(world.told.ids(), [1, 2, 1, 2, 3].map(|seq| format!("{id}:{seq}")));
    assert_eq!(world.untold().await, 0);
}

#[tokio::test]
async fn an_event_that_is_too_large_goes_without_its_data_and_holds_nothing_up() {
    let world = World::new().await;
    world.stored(1).await;
    *world.told.largest.lock().unwrap() = Some(400);
    assert_eq!(world.stream("a").look(&mut None).await.unwrap(), Looked::Told);
    let bodies: Vec<Value> =
        world.told.messages.lock().unwrap().iter().map(|it| serde_json::from_slice(&it.body()).unwrap()).collect();
    assert_eq!((&bodies[0]["data_omitted"], &bodies[0]["data"]), (&true.into(), &Value::Null));
    assert_eq!((&bodies[2]["data_omitted"], &bodies[2]["data"]["timeout_ms"]), (&Value::Null, &30_000.into()));
}

#[tokio::test]
async fn one_server_tells_at_a_time_and_another_follows_it() {
    let world = World::new().await;
    world.stored(1).await;
    let (one, other) = (world.stream("a"), world.stream("b"));
    assert_eq!(one.look(&mut None).await.unwrap(), Looked::Told);
    world.stored(2).await;
    assert_eq!(other.look(&mut None).await.unwrap(), Looked::NotOurTurn);
    let ended = CancellationToken::new();
    ended.cancel();
    one.run(ended).await;
    assert_eq!(other.look(&mut None).await.unwrap(), Looked::Told);
    assert_eq!(world.untold().await, 0);
}

#[tokio::test]
async fn it_tells_of_what_is_stored_while_it_runs() {
    let world = World::new().await;
    let (stream, ended) = (world.stream("a"), CancellationToken::new());
    let running = {
        let ended = ended.clone();
        tokio::spawn(async move { stream.run(ended).await })
    };
    let id = world.stored(1).await;
    while world.told.ids().len() < 3 {
        world.told.told.notified().await;
    }
    ended.cancel();
    running.await.unwrap();
    assert_eq!(world.told.ids(), [1, 2, 3].map(|seq| format!("{id}:{seq}")));
    assert!(world.store.take_lease(super::LEASE, "b", jiff::Timestamp::now(), jiff::Timestamp::MAX).await.unwrap());
}
