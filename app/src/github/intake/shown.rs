//! Whether GitHub showed a question when something was said that names none.

use flowctl_core::execution::Execution;
use jiff::Timestamp;

use super::Trouble;
use super::scope::{Outcome, Scope};
use crate::github::shown;
use crate::github::wording::{Ask, Refused};
use crate::identity::Word;

impl Scope<'_> {
    /// Whether a word that names no step counts for a question: GitHub showed it when the word was said.
    pub(super) async fn was_shown(&self, execution: &Execution, step: &str, word: &Word) -> Outcome<()> {
        match self.shown_since(execution, step).await? {
            Some(since) if !word.was_said_before(since) => Ok(Ok(())),
            since => {
                let since = since.unwrap_or_else(|| self.now());
                Ok(Err(Refused::WrittenBefore { step: step.to_owned(), since, commit: None }))
            }
        }
    }

    /// Since when GitHub shows a question; nothing where it does not yet.
    async fn shown_since(&self, execution: &Execution, step: &str) -> Result<Option<Timestamp>, Trouble> {
        let Some(ask) = Ask::all(execution).into_iter().find(|ask| ask.step == step) else { return Ok(None) };
        let store = &*self.inner.store;
        if let Some(since) = shown::since(store, execution, &ask, self.now()).await? {
            return Ok(Some(since));
        }
        let app_id = self.inner.github.app().id();
        let found = shown::on_github(&self.client, app_id, &self.repository, execution).await?;
        shown::note(store, execution, &found).await?;
        Ok(found.into_iter().find(|(shown, _)| *shown == ask).map(|(_, at)| at))
    }
}
