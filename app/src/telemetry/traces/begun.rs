//! What has begun and not ended: questions to models and calls of tools. It is remembered, and looked up in the store where
//! another server had seen it begin.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use flowctl_core::execution::journal::recorded;
use flowctl_core::execution::{Entry, Event, Execution, ExecutionId, LargeOutput};
use jiff::Timestamp;

use crate::engine::outputs::read;
use crate::store::Store;

/// What is remembered at most; what is forgotten is looked up.
const REMEMBERED: usize = 10_000;
/// Pages of events that are looked through for a beginning at most, and how many each has.
const PAGES: usize = 20;
const PAGE: u32 = 500;

/// How something began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beginning {
    /// When.
    pub(super) at: Timestamp,
    /// The model with its provider, or the tool.
    pub(super) name: String,
    /// The tool's operation.
    pub(super) operation: String,
    /// What the tool is given, as JSON.
    pub(super) arguments: String,
}

/// A question of a step, or the call of this id.
type Key = (ExecutionId, String, Option<String>);

/// What has begun.
pub(super) struct Begun {
    store: Arc<dyn Store>,
    known: HashMap<Key, Beginning>,
}

impl fmt::Debug for Begun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Begun").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl Begun {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: HashMap::new() }
    }

    /// The entry of a journal that an event is, also a large one.
    pub(super) async fn entry(&self, execution: &Execution, event: &Event) -> Option<Entry> {
        let entry = recorded(event)?;
        let entry = match LargeOutput::of(&entry) {
            Some(large) => read(&*self.store, &execution.tenant, &large).await.ok()?,
            None => entry,
        };
        serde_json::from_value(entry).ok()
    }

    /// Something has begun, if this entry says so.
    pub(super) fn note(&mut self, execution: ExecutionId, step: &str, entry: &Entry, at: Timestamp) {
        let Some((call, beginning)) = beginning(entry, at) else { return };
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert((execution, step.to_owned(), call), beginning);
    }

    /// How what ends now began; nothing where that cannot be found out.
    pub(super) async fn take(&mut self, execution: &Execution, step: &str, call: Option<&str>) -> Option<Beginning> {
        let key = (execution.id, step.to_owned(), call.map(str::to_owned));
        match self.known.remove(&key) {
            Some(beginning) => Some(beginning),
            None => self.look_up(execution, step, call).await,
        }
    }

    async fn look_up(&self, execution: &Execution, step: &str, call: Option<&str>) -> Option<Beginning> {
        let (mut seen, mut found) = (0, None);
        for _ in 0..PAGES {
            let page = self.store.events(&execution.tenant, execution.id, seen, PAGE).await.ok()?;
            let Some(last) = page.last() else { break };
            seen = last.seq;
            for stored in page.iter().filter(|stored| stored.event.step.as_deref() == Some(step)) {
                let Some(entry) = self.entry(execution, &stored.event).await else { continue };
                let begins = beginning(&entry, stored.event.at).filter(|(id, _)| id.as_deref() == call);
                found = begins.map(|(_, beginning)| beginning).or(found);
            }
        }
        found
    }
}

fn beginning(entry: &Entry, at: Timestamp) -> Option<(Option<String>, Beginning)> {
    match entry {
        Entry::ModelAsked { model, .. } => {
            let (operation, arguments) = (String::new(), String::new());
            Some((None, Beginning { at, name: model.clone(), operation, arguments }))
        }
        Entry::ToolCallBegun { call, tool, operation, arguments, .. } => {
            let (name, operation, arguments) = (tool.clone(), operation.clone(), arguments.to_string());
            Some((Some(call.clone()), Beginning { at, name, operation, arguments }))
        }
        _ => None,
    }
}
