//! Whether something that happened on GitHub starts a process. Pure; which paths have changed is asked for only where
//! a trigger wants to know.

use std::collections::BTreeSet;

use flowctl_core::definition::process::ProcessStatus;
use flowctl_core::definition::trigger::{PullRequestAction, PullRequestTrigger, PushTrigger};
use flowctl_core::definition::{Process, Trigger};
use flowctl_core::source::Spanned;
use flowctl_core::value::{Glob, any_matches};

/// Something that happened to a pull request.
#[derive(Debug, Clone)]
pub struct PullRequestHappening<'a> {
    /// What.
    pub action: PullRequestAction,
    /// The branch that it is to be merged into.
    pub base: &'a str,
    /// Whether it is a draft.
    pub draft: bool,
    /// Its labels.
    pub labels: Vec<&'a str>,
    /// The label that was just added or removed.
    pub label: Option<&'a str>,
}

/// A push.
#[derive(Debug, Clone, Copy)]
pub enum Pushed<'a> {
    /// To a branch.
    Branch(&'a str),
    /// Of a tag.
    Tag(&'a str),
}

/// Paths that a trigger wants to see changed: whether it is content with these.
pub type Paths<'a> = Option<&'a [Spanned<Glob>]>;

/// The triggers of a process that may be started by one.
pub fn triggers(process: &Process) -> impl Iterator<Item = &Trigger> {
    let header = &process.header;
    let published = header.status == ProcessStatus::Published;
    header.triggers.iter().flatten().map(|trigger| &trigger.value).filter(move |_| published)
}

/// Whether a person may start it by hand: `triggers` is absent, or lists `manual`.
pub fn starts_by_hand(process: &Process) -> bool {
    let triggers = process.header.triggers.as_ref();
    triggers.is_none_or(|triggers| triggers.iter().any(|trigger| trigger.value == Trigger::Manual))
}

/// GitHub's word for what happened to a pull request, where a process can start from it.
pub fn pull_request_action(action: &str) -> Option<PullRequestAction> {
    serde_json::from_value(serde_json::Value::String(action.to_owned())).ok()
}

impl PullRequestHappening<'_> {
    /// Whether a trigger takes it; then the paths of which one must have changed.
    pub fn matches<'t>(&self, trigger: &'t PullRequestTrigger) -> Option<Paths<'t>> {
        let label_fits = trigger.labels.as_ref().is_none_or(|wanted| {
            let wanted = |label: &str| wanted.iter().any(|w| w.value.eq_ignore_ascii_case(label));
            match (self.action, self.label) {
                // Adding another label to one that has the right one is not what the author waits for.
                (PullRequestAction::Labeled | PullRequestAction::Unlabeled, Some(label)) => wanted(label),
                _ => self.labels.iter().any(|label| wanted(label)),
            }
        });
        let fits = trigger.actions.contains(&self.action)
            && trigger.branches.as_deref().is_none_or(|branches| takes(branches, self.base))
            && trigger.draft.is_none_or(|draft| draft == self.draft)
            && label_fits;
        fits.then_some(trigger.paths.as_deref())
    }
}

impl Pushed<'_> {
    /// Whether a trigger takes it; then the paths of which one must have changed.
    ///
    /// As with GitHub Actions: with only `branches` tags do not count, with only `tags` branches do not.
    pub fn matches<'t>(&self, trigger: &'t PushTrigger) -> Option<Paths<'t>> {
        let (name, own, other) = match self {
            Self::Branch(name) => (*name, &trigger.branches, &trigger.tags),
            Self::Tag(name) => (*name, &trigger.tags, &trigger.branches),
        };
        let fits = match own {
            Some(patterns) => takes(patterns, name),
            None => other.is_none(),
        };
        fits.then_some(trigger.paths.as_deref())
    }
}

/// Whether one of the changed paths is wanted.
pub fn touches(wanted: &[Spanned<Glob>], changed: &BTreeSet<String>) -> bool {
    changed.iter().any(|path| takes(wanted, path))
}

fn takes(patterns: &[Spanned<Glob>], text: &str) -> bool {
    any_matches(patterns.iter().map(|pattern| &pattern.value), text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use std::sync::Arc;

    use flowctl_core::definition::repository::Repository;

    use super::*;

    fn process(triggers: &str) -> Arc<Process> {
        let text = format!("name: p\nversion: 1\n{triggers}\nsteps:\n  - {{id: a, type: set, values: {{x: 1}}}}\n");
        let repository = Repository::read([(".flow/processes/p.yaml".to_owned(), text)]);
        Arc::clone(repository.process("p").unwrap().1)
    }

    fn happening<'a>(
        action: PullRequestAction,
        label: Option<&'a str>,
        labels: &[&'a str],
    ) -> PullRequestHappening<'a> {
        PullRequestHappening { action, base: "main", draft: false, labels: labels.to_vec(), label }
    }

    fn takes_pull_request(triggers: &str, happening: &PullRequestHappening<'_>) -> bool {
        let process = process(&format!("triggers: [{{pull_request: {triggers}}}]"));
        self::triggers(&process).any(|trigger| match trigger {
            Trigger::PullRequest(trigger) => happening.matches(trigger).is_some(),
            _ => false,
        })
    }

    #[test]
    fn a_pull_request_must_fit_every_key() {
        use PullRequestAction::{Labeled, Opened, Synchronize, Unlabeled};
        let opened = happening(Opened, None, &["release"]);
        for (triggers, happening, expected) in [
            ("{}", &opened, true),
            ("{}", &happening(Synchronize, None, &[]), true),
            ("{}", &happening(Labeled, Some("release"), &["release"]), false),
            ("{actions: [closed]}", &opened, false),
            ("{branches: [main]}", &opened, true),
            ("{branches: ['release/*']}", &opened, false),
            ("{branches: ['**', '!main']}", &opened, false),
            ("{draft: false}", &opened, true),
            ("{draft: true}", &opened, false),
            ("{labels: [release]}", &opened, true),
            ("{labels: [Release]}", &opened, true),
            ("{labels: [other]}", &opened, false),
            ("{actions: [labeled], labels: [release]}", &happening(Labeled, Some("release"), &["release"]), true),
            ("{actions: [labeled], labels: [release]}", &happening(Labeled, Some("docs"), &["release", "docs"]), false),
            ("{actions: [unlabeled], labels: [hold]}", &happening(Unlabeled, Some("hold"), &[]), true),
        ] {
            assert_eq!(takes_pull_request(triggers, happening), expected, "{triggers} {happening:?}");
        }
    }

    #[test]
    fn a_push_is_of_a_branch_or_of_a_tag() {
        for (trigger, pushed, expected) in [
            ("{}", Pushed::Branch("main"), true),
            ("{}", Pushed::Tag("v1"), true),
            ("{branches: [main]}", Pushed::Branch("main"), true),
            ("{branches: [main]}", Pushed::Branch("next"), false),
            ("{branches: [main]}", Pushed::Tag("main"), false),
            ("{tags: ['v*']}", Pushed::Tag("v1"), true),
            ("{tags: ['v*']}", Pushed::Branch("v1"), false),
        ] {
            let process = process(&format!("triggers: [{{push: {trigger}}}]"));
            let takes = triggers(&process).any(|trigger| match trigger {
                Trigger::Push(trigger) => pushed.matches(trigger).is_some(),
                _ => false,
            });
            assert_eq!(takes, expected, "{trigger} {pushed:?}");
        }
    }

    #[test]
    fn only_published_processes_have_triggers() {
        assert_eq!(triggers(&process("triggers: [{push: {}}]")).count(), 1);
        assert_eq!(triggers(&process("status: draft\ntriggers: [{push: {}}]")).count(), 0);
        assert_eq!(triggers(&process("status: archived\ntriggers: [{push: {}}]")).count(), 0);
    }

    #[test]
    fn by_hand_is_for_those_that_say_so_or_say_nothing() {
        assert!(starts_by_hand(&process("")));
        assert!(starts_by_hand(&process("triggers: [manual, {push: {}}]")));
        assert!(!starts_by_hand(&process("triggers: [{push: {}}]")));
    }

    #[test]
    fn one_wanted_path_suffices() {
        let process = process("triggers: [{push: {paths: ['docs/**', '!docs/draft.md']}}]");
        let Some(Trigger::Push(trigger)) = triggers(&process).next() else { unreachable!("a push") };
        let touches = |paths: &[&str]| {
            let changed = paths.iter().map(|path| (*path).to_owned()).collect();
            super::touches(trigger.paths.as_deref().unwrap(), &changed)
        };
        assert!(touches(&["src/a.rs", "docs/a.md"]));
        assert!(!touches(&["docs/draft.md"]));
        assert!(!touches(&[]));
    }
}
