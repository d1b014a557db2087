//! What an examination of a database finds beside the states: forged rows, one at a time.

use rusqlite::Connection;

use super::*;
use crate::store::sqlite::examine;

const ALL: &str = "
name: all
version: 1
concurrency: {group: all, on_conflict: queue}
steps:
  - {id: call, type: api_call, url: 'https://notes.example', timeout: 10m}
  - {id: sign, type: human_approval, approvers: {users: [alice]}}
  - {id: paid, type: wait, event: {name: payment}}
  - {id: pause, type: wait, for: 1h}
";

/// Statements that forge, and what is found then.
const FORGED: [(&str, &str); 13] = [
    ("update executions set status = 'completed', open = 0", "and its row that it is completed"),
    ("update executions set ended_at = 1", "it ended at another time than its row"),
    ("update executions set repository = 'x'", "names another repository"),
    ("update executions set process = 'x'", "names another process"),
    ("update executions set number = 5", "names another pull request"),
    ("update executions set concurrency_group = 'x'", "names another concurrency group"),
    ("update executions set wake_at = null", "nothing wakes it"),
    ("update executions set last_seq = 99", "99 are said to be there"),
    ("delete from work", "attempt 1 of step `call` runs, and nobody is to perform it"),
    ("update work set attempt = 2", "attempt 1 of step `call` runs, and nobody is to perform it"),
    ("delete from approvals", "step `sign` waits for people, and its question is not there"),
    ("update approvals set status = 'approved'", "step `sign` waits for people, and its question is approved"),
    ("delete from event_waits", "step `paid` waits for an event, and is told of none"),
];

#[tokio::test]
async fn rows_that_say_otherwise_than_the_events_are_found() {
    let world = World::of(ALL).await;
    let (begun, _end) = world.performer.waits();
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    world.engine.wake_due().await.unwrap();
    let claimed = world.engine.claim_work(1).await.unwrap().pop();
    let engine = world.engine.clone();
    let performing = claimed.map(|work| {
        let entered = engine.inner.under_way.enter(&work);
        tokio::spawn(async move { engine.perform(None, entered).await })
    });
    begun.await.unwrap();
    assert_eq!(world.picture(id).await, "running | call:running sign:waiting paid:waiting pause:waiting");
    let database = world.folder.path().join("flowctl.db");
    let url = format!("sqlite://{}", database.display());
    let sound = examine(&url).unwrap().unwrap();
    assert_eq!((sound.executions, sound.differences), (1, Vec::new()));
    performing.inspect(tokio::task::JoinHandle::abort);
    world.store.close().await;
    let whole = std::fs::read(&database).unwrap();
    for (forge, told) in FORGED {
        std::fs::write(&database, &whole).unwrap();
        let connection = Connection::open(&database).unwrap();
        assert_eq!(connection.execute(forge, []).unwrap(), 1, "{forge}");
        connection.close().unwrap();
        let found = examine(&url).unwrap().unwrap();
        let [difference] = &*found.differences else { panic!("{forge}: {found:?}") };
        assert!(difference.contains(told), "{forge}: {difference}");
    }
}
