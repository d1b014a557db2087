//! What the log says: whose line it is.

use std::io::Write;

use super::*;

/// A log that is kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn lines_of_the_log_name_tenant_execution_step_and_attempt() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(move || writer.clone());
    // Lines that nobody listened to when they were met first, in another test, are told to nobody later.
    let _known = tracing::subscriber::set_global_default(tracing_subscriber::registry());
    let _kept = tracing::subscriber::set_default(log.finish());
    let world = World::of(&RELEASE.replace("max_attempts: 2", "max_attempts: 1")).await;
    world.performer.then(Script::Panics);
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let work = world.engine.claim_work(1).await.unwrap().remove(0);
    world.engine.inner.hands.tasks.close();
    let entered = world.engine.inner.under_way.enter(&work);
    world.engine.perform_with(None, entered);
    world.engine.inner.hands.tasks.wait().await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let said = |message: &str| -> Value {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut found = lines.filter(|line| line["fields"]["message"] == message);
        found.next().unwrap_or_else(|| panic!("no `{message}` in\n{text}"))
    };
    let span = &said("a performer panicked")["span"];
    let named = ["tenant", "execution", "step", "attempt"].map(|name| span[name].to_string().replace('"', ""));
    assert_eq!(named, ["local", &id.to_string(), "draft", "1"]);
    let failed = &said("execution failed")["fields"];
    let named = ["tenant", "repository", "process", "step"].map(|name| failed[name].as_str().unwrap());
    assert_eq!(named, ["local", "shop", "release", "draft"]);
    let moved = &said("step")["fields"];
    assert_eq!((&moved["step"], &moved["event"]), (&json!("draft"), &json!("step.started")));
}
