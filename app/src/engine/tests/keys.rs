//! Keys of providers: nothing that a run leaves behind holds one, whatever a provider says.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::SecretString;
use tracing::instrument::WithSubscriber;

use super::journal::with_key;
use super::traces::{Collector, ends};
use super::*;
use crate::steps::tests::server::{Server, json_answer};

const KEY: &str = "sk-4711-of-the-operator";

const ASKING: &str = "
name: asking
version: 1
steps:
  - id: draft
    type: ai_generate
    model: compatible/small
    prompt: Say a number.
    output_schema: {type: object, required: [n], properties: {n: {type: integer}}}
    retry: {max_attempts: 3, initial: 1s, jitter: false, on: [server_error, rate_limited]}
";

/// A log that is kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

fn files_below(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

#[tokio::test]
async fn nothing_that_a_run_leaves_behind_holds_a_key() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let world = World::of(ASKING).await;
    let asked = AtomicUsize::new(0);
    // It repeats what it was sent, in each way in which it can refuse.
    let server = Server::start(move |seen| {
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        let status = [500, 429, 401][asked.fetch_add(1, Ordering::SeqCst) % 3];
        json_answer(status, json!({"error": {"message": format!("no, {KEY}, no"), "param": KEY}}))
    })
    .await;
    let collector = Collector::start(true).await;
    let (options, sender) = collector.begin(&world);
    let shown = format!("{options:?}");
    let engine = with_key(&world, options, &server, Some(SecretString::from(KEY.to_owned())));
    let running = async {
        let id = engine.start(world.request()).await.unwrap().execution.id;
        for _ in 0..3 {
            engine.settle().await.unwrap();
            world.passes(120);
        }
        id
    };
    let id = running.with_subscriber(log.finish()).await;
    assert_eq!((world.picture(id).await.as_str(), server.seen().len()), ("failed | draft:failed", 3));
    drop(engine);
    ends(sender).await;
    assert!(collector.holds("chat small"), "the collector was told");
    assert!(!collector.holds(KEY));
    let events = world.store.events(&TenantId::local(), id, 0, 1000).await.unwrap();
    assert!(
        serde_json::to_string(&events.iter().map(|stored| &stored.event).collect::<Vec<_>>()).unwrap().contains("***")
    );
    let logged = lines.0.lock().unwrap().clone();
    assert!(holds(&logged, "execution failed"), "the log was kept");
    let mut left = vec![("the log".to_owned(), logged), ("options".to_owned(), shown.into_bytes())];
    let mut files = Vec::new();
    files_below(world.folder.path(), &mut files);
    assert!(files.iter().any(|path| path.ends_with("flowctl.db")), "{files:?}");
    left.extend(files.into_iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())));
    for (what, bytes) in left {
        assert!(!holds(&bytes, KEY), "{what} holds the key");
    }
    world.check().await;
}
