//! What became of a word that came by the API, a page or a link: where it was refused, the audit log says so before its speaker
//! is told. Whether it is refused is not decided here.

use flowctl_core::approval::{Person, Source, SourceKind};
use flowctl_core::execution::{Execution, TenantId};
use uuid::Uuid;

use super::Api;
use super::idempotency::Keyed;
use super::problem::Problem;
use crate::audit::{RefusedWord, of_refusal};
use crate::github::wording::Refused;
use crate::identity::{About, Heard, Word};

/// A word: whose, about what, and how it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoken<'s> {
    pub(super) tenant: &'s TenantId,
    /// The repository, by the name that it has now.
    pub(super) repository: &'s str,
    pub(super) execution: Option<&'s Execution>,
    /// The step or process that it is about.
    pub(super) named: Option<&'s str>,
    pub(super) person: &'s Person,
    pub(super) source: &'s Source,
    /// What was said: `approve`, `withdraw`, `answer` …
    pub(super) verb: &'s str,
    /// What is recorded once it is taken, where it counts once however often it comes.
    pub(super) once: Option<&'s str>,
    /// The link that it came by, where that is all that is known of its speaker.
    pub(super) link: Option<&'s str>,
}

impl<'s> Spoken<'s> {
    /// A word that names nothing, came by no link, and counts each time it comes.
    pub(super) fn new(
        (tenant, repository): (&'s TenantId, &'s str),
        person: &'s Person,
        source: &'s Source,
        verb: &'s str,
    ) -> Self {
        Self { tenant, repository, execution: None, named: None, person, source, verb, once: None, link: None }
    }
}

/// Where a word came from that is said now.
pub(super) fn source(kind: SourceKind, keyed: Option<&Keyed>) -> Source {
    let id = keyed.map_or_else(|| Uuid::now_v7().to_string(), |keyed| keyed.fingerprint.clone());
    Source { kind, id, url: None }
}

impl Api {
    /// Something that a person says now, about what stands now; `verb` is the command that it amounts to.
    pub(super) fn word(&self, spoken: Spoken<'_>, verb: &'static str) -> Word {
        let (now, Spoken { person, source, .. }) = (self.now(), spoken);
        Word { person: person.clone(), at: now, heard_at: now, source: source.clone(), about: About::Shown, verb }
    }

    /// What became of a word, for its speaker.
    pub(super) async fn settled(&self, spoken: Spoken<'_>, heard: Heard<()>) -> Result<(), Problem> {
        let Err(refused) = heard? else { return Ok(()) };
        self.note_refusal(spoken, &refused).await?;
        Err(refused.into())
    }

    /// Has the audit log say that a word was refused.
    pub(super) async fn note_refusal(&self, spoken: Spoken<'_>, refused: &Refused) -> Result<(), Problem> {
        let Spoken { tenant, repository, execution, named, person, source, verb, once, link } = spoken;
        // Sent twice at the same time it was taken the first time.
        if let Some(once) = once
            && self.store.knows_word(tenant, once).await?
        {
            return Ok(());
        }
        let refused = RefusedWord { named, link, ..RefusedWord::new(person, source, verb, refused) };
        Ok(self.store.record(tenant, of_refusal(&refused, repository, execution, self.now())).await?)
    }
}
