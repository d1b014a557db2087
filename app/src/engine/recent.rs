//! States of executions under way as this engine left them, so that a step need not read what the step before it wrote.
//! They may be outdated: another engine may have gone on. So only a transition that the store has taken for their
//! version may follow from them; whatever else seems to follow is looked at again in the store.

use std::sync::{Arc, Mutex, PoisonError};

use flowctl_core::execution::{Execution, ExecutionId, ExecutionStatus, TenantId};
use indexmap::IndexMap;

use crate::store::Stored;

/// Steps of all remembered executions together; one takes about a kilobyte.
const MAX_STEPS: usize = 50_000;

/// An execution as it stands.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) execution: Arc<Execution>,
    pub(super) version: u64,
}

impl From<Stored> for Standing {
    fn from(stored: Stored) -> Self {
        Self { execution: Arc::new(stored.execution), version: stored.version }
    }
}

/// The states.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    standing: IndexMap<ExecutionId, Standing>,
    steps: usize,
}

impl Recent {
    pub(super) fn get(&self, tenant: &TenantId, id: ExecutionId) -> Option<Standing> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.standing.get(&id).filter(|standing| standing.execution.tenant == *tenant).cloned()
    }

    /// Remembers a state, if something of it runs: those that wait may do so for weeks.
    pub(super) fn keep(&self, standing: Standing) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = standing.execution.id;
        if remembered.standing.get(&id).is_some_and(|known| known.version > standing.version) {
            return;
        }
        remembered.remove(id);
        let steps = standing.execution.steps.len().max(1);
        if standing.execution.status != ExecutionStatus::Running || steps > MAX_STEPS {
            return;
        }
        while remembered.steps + steps > MAX_STEPS {
            // Which one goes does not matter: it is read again when it is needed.
            let Some(other) = remembered.standing.keys().next().copied() else { break };
            remembered.remove(other);
        }
        remembered.steps += steps;
        remembered.standing.insert(id, standing);
    }

    pub(super) fn forget(&self, id: ExecutionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

impl Remembered {
    fn remove(&mut self, id: ExecutionId) {
        if let Some(standing) = self.standing.swap_remove(&id) {
            self.steps -= standing.execution.steps.len().max(1);
        }
    }
}
