//! The journal of an attempt, as its performer sees it: what was recorded before, and a way to record more. An entry that was
//! taken is durable before the performer goes on. How it is kept is the engine's.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flowctl_core::execution::journal::MAX_ENTRY_BYTES;
use flowctl_core::execution::{CallRequest, Entry};

/// Why an entry was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The attempt is over: its step went on without it, somebody else has taken it over, or it asked people and goes on
    /// once they have decided. Whoever performs it ends; what it gives counts no more.
    #[error("the attempt is over")]
    Over,
    /// The journal is full, or the entry too large.
    #[error("{0}")]
    Refused(String),
    /// A model is not asked: what the call may cost is more than what is left.
    #[error("{0}")]
    OverBudget(String),
    /// The store or the definition cannot be reached.
    #[error("nothing can be recorded now: {0}")]
    Unavailable(String),
}

/// Where an attempt records.
#[async_trait]
pub trait JournalWriter: Send + Sync {
    /// Records an entry; `number` have been recorded before it. Recording the same number again changes nothing.
    async fn append(&self, number: u32, entry: Entry) -> Result<(), JournalError>;

    /// Ends the attempt by asking people: [`JournalError::Over`] once they are asked.
    async fn ask(&self, request: CallRequest) -> JournalError;
}

/// The journal of an attempt. Clones are the same journal.
#[derive(Clone)]
pub struct Journal {
    state: Arc<tokio::sync::Mutex<State>>,
    before: Arc<Vec<Entry>>,
    writer: Arc<dyn JournalWriter>,
}

#[derive(Debug)]
struct State {
    number: u32,
}

impl Journal {
    /// A journal with these entries, decisions of people among them; `number` of them were recorded by the performer.
    pub fn new(before: Vec<Entry>, number: u32, writer: Arc<dyn JournalWriter>) -> Self {
        Self { state: Arc::new(tokio::sync::Mutex::new(State { number })), before: Arc::new(before), writer }
    }

    /// One that keeps its entries in memory, for attempts that no engine has.
    pub fn in_memory(before: Vec<Entry>) -> (Self, Recorded) {
        let recorded = Recorded::default();
        (Self::new(before, 0, Arc::new(recorded.clone())), recorded)
    }

    /// What was recorded before this performance, in order: by the same attempt before a crash, or by those that it goes
    /// on from.
    pub fn before(&self) -> &[Entry] {
        &self.before
    }

    /// Records an entry. It is durable once this returns.
    ///
    /// # Errors
    /// Where it is not. After [`JournalError::Over`] the performer ends.
    pub async fn append(&self, entry: Entry) -> Result<(), JournalError> {
        // One after the other, so that numbers follow each other.
        let mut state = self.state.lock().await;
        self.writer.append(state.number, entry).await?;
        state.number += 1;
        Ok(())
    }

    /// Ends the attempt by asking people whether a call may be made. Once they have decided another attempt is performed,
    /// whose journal holds the decision.
    pub async fn ask(&self, request: CallRequest) -> JournalError {
        let _state = self.state.lock().await;
        self.writer.ask(request).await
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self::in_memory(Vec::new()).0
    }
}

impl PartialEq for Journal {
    fn eq(&self, other: &Self) -> bool {
        self.before == other.before
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.before.iter()).finish()
    }
}

/// What a journal in memory was given.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    entries: Arc<Mutex<Vec<Entry>>>,
    asked: Arc<Mutex<Vec<CallRequest>>>,
}

impl Recorded {
    /// The entries.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What people were asked.
    pub fn asked(&self) -> Vec<CallRequest> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl JournalWriter for Recorded {
    async fn append(&self, _: u32, entry: Entry) -> Result<(), JournalError> {
        let bytes = serde_json::to_vec(&entry).map_or(u64::MAX, |json| json.len() as u64);
        if bytes > MAX_ENTRY_BYTES {
            return Err(JournalError::Refused(format!("an entry has {bytes} bytes; {MAX_ENTRY_BYTES} are allowed")));
        }
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        Ok(())
    }

    async fn ask(&self, request: CallRequest) -> JournalError {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        JournalError::Over
    }
}
