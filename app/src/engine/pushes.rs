//! Pushes to repositories on this machine: where a default branch has moved since it was last looked at, processes with a
//! `push` trigger start. Of repositories elsewhere GitHub tells. Where each branch stood is stored, so that a commit that
//! comes while no server runs starts what it should, once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flowctl_core::approval::Person;
use flowctl_core::definition::Trigger;
use flowctl_core::definition::trigger::PushTrigger;
use flowctl_core::execution::{TenantId, TriggerInfo};
use flowctl_core::value::any_matches;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::occurrence::started_by;
use super::run::wait_for;
use super::{BranchHead, DefinitionError, Engine, StartFailure};
use crate::store::{BranchKey, SeenHead, StoreError};

/// How often branches are looked at: a commit is seen within two seconds.
const EVERY: Duration = Duration::from_secs(1);

/// Where branches stand, as far as that is stored.
pub(super) type Seen = BTreeMap<BranchKey, String>;

/// Why a push starts nothing now.
#[derive(Debug, thiserror::Error)]
enum PushTrouble {
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error(transparent)]
    Start(#[from] StartFailure),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether a trigger takes a push to this branch that touched these paths; nothing: they are not known. As with GitHub
/// Actions: with only `tags` branches do not count.
fn takes(trigger: &PushTrigger, branch: &str, changed: Option<&BTreeSet<String>>) -> bool {
    let fits = match &trigger.branches {
        Some(patterns) => any_matches(patterns.iter().map(|pattern| &pattern.value), branch),
        None => trigger.tags.is_none(),
    };
    let touches = |path: &String| {
        trigger.paths.as_ref().is_none_or(|paths| any_matches(paths.iter().map(|pattern| &pattern.value), path))
    };
    // What is not known rules nothing out.
    fits && (trigger.paths.is_none() || changed.is_none_or(|changed| changed.iter().any(touches)))
}

impl Engine {
    /// Looks at branches until `shutdown`.
    pub(super) async fn run_pushes(&self, shutdown: &CancellationToken) {
        let mut seen = Seen::new();
        let local = TenantId::local();
        if !self.inner.options.triggers || self.inner.definitions.served(&local).is_empty() {
            return;
        }
        while !shutdown.is_cancelled() {
            self.look_at_branches(&mut seen).await;
            wait_for(EVERY, shutdown).await;
        }
    }

    /// Starts what pushes since the last look want; how many there were.
    pub(super) async fn look_at_branches(&self, seen: &mut Seen) -> usize {
        let (tenant, mut pushes) = (TenantId::local(), 0);
        for repository in self.inner.definitions.served(&tenant) {
            match self.look_at_branch(&tenant, &repository, seen).await {
                Ok(pushed) => pushes += usize::from(pushed),
                Err(error) => tracing::debug!(repository, %error, "whether something was pushed cannot be said now"),
            }
        }
        pushes
    }

    async fn look_at_branch(&self, tenant: &TenantId, repository: &str, seen: &mut Seen) -> Result<bool, PushTrouble> {
        let Some(head) = self.inner.definitions.head(tenant, repository).await? else { return Ok(false) };
        let key = BranchKey { tenant: tenant.clone(), repository: repository.to_owned(), branch: head.branch.clone() };
        if seen.get(&key) == Some(&head.commit) {
            return Ok(false);
        }
        let stood = self.inner.store.seen_head(&key).await?;
        let pushed = match &stood {
            // One that was never seen counts from now on.
            None => false,
            Some(stood) if stood.commit == head.commit => {
                seen.insert(key, head.commit);
                return Ok(false);
            }
            Some(stood) => {
                self.start_pushed(&key, stood, &head).await?;
                true
            }
        };
        // Another server may have been faster: it has started the same, by the same keys.
        self.inner.store.see_head(&key, stood.as_ref(), &head.commit).await?;
        seen.insert(key, head.commit);
        Ok(pushed)
    }

    /// Starts each process that wants this push, at the commit that was pushed.
    async fn start_pushed(&self, key: &BranchKey, stood: &SeenHead, head: &BranchHead) -> Result<(), PushTrouble> {
        let BranchKey { tenant, repository, branch } = key;
        let published = self.inner.definitions.published(tenant, repository).await?;
        let changed = self.inner.definitions.changed_paths(tenant, repository, &stood.commit, &head.commit).await?;
        let wanted = |trigger: &Trigger| match trigger {
            Trigger::Push(trigger) => takes(trigger, branch, changed.as_ref()),
            _ => false,
        };
        let trigger = TriggerInfo {
            kind: "push".to_owned(),
            actor: Some(Person { login: head.committer.clone(), id: 0 }),
            payload: json!({
                "ref": format!("refs/heads/{branch}"),
                "branch": branch,
                "tag": null,
                "before": stood.commit,
                "after": head.commit,
                "sender": head.committer,
                "head_commit": {"id": head.commit, "message": head.message},
            }),
            pull_request: None,
        };
        // A branch that goes back and comes again has moved again.
        let occasion = format!("push:{repository}:{branch}:{}:{}", stood.moves, head.commit);
        for process in started_by(&published, wanted) {
            let (key, trigger) = (occasion.clone(), trigger.clone());
            self.start_by_itself(tenant, repository, &published, process, key, trigger).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::definition::repository::Repository;

    use super::*;

    fn trigger(text: &str) -> PushTrigger {
        let text =
            format!("name: p\nversion: 1\ntriggers: [{{push: {text}}}]\nsteps: [{{id: a, type: set, values: {{}}}}]\n");
        let repository = Repository::read([(".flow/processes/p.yaml".to_owned(), text)]);
        let (_, process) = repository.process("p").unwrap();
        match &process.header.triggers.as_ref().unwrap()[0].value {
            Trigger::Push(trigger) => trigger.clone(),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn branches_and_paths_must_fit() {
        let changed = BTreeSet::from(["docs/a.md".to_owned(), "src/b.rs".to_owned()]);
        for (text, expected) in [
            ("{}", true),
            ("{branches: [main]}", true),
            ("{branches: ['release/*']}", false),
            ("{tags: ['v*']}", false),
            ("{branches: [main], tags: ['v*']}", true),
            ("{paths: ['docs/**']}", true),
            ("{paths: ['lib/**']}", false),
            ("{branches: [other], paths: ['docs/**']}", false),
        ] {
            assert_eq!(takes(&trigger(text), "main", Some(&changed)), expected, "{text}");
        }
        assert!(takes(&trigger("{paths: ['lib/**']}"), "main", None), "what is not known rules nothing out");
        assert!(!takes(&trigger("{paths: ['lib/**']}"), "main", Some(&BTreeSet::new())), "nothing was changed");
    }
}
