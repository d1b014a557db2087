//! What the App needs of GitHub, in one table: the manifest asks for it, `flowctl doctor` and the installation page look
//! whether it was granted, and the documentation says why.

use std::collections::BTreeMap;

/// A permission. Names and levels are GitHub's
/// (<https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Its name in the API.
    pub name: &'static str,
    /// Its name on GitHub's pages.
    pub title: &'static str,
    /// `read` or `write`.
    pub level: &'static str,
    /// What it is for.
    pub why: &'static str,
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Its name in the API.
    pub name: &'static str,
    /// Its name on GitHub's pages.
    pub title: &'static str,
    /// What it is for.
    pub why: &'static str,
}

const fn permission(name: &'static str, title: &'static str, level: &'static str, why: &'static str) -> Permission {
    Permission { name, title, level, why }
}

const fn event(name: &'static str, title: &'static str, why: &'static str) -> Event {
    Event { name, title, why }
}

/// Every permission that is used, and no other.
pub const PERMISSIONS: [Permission; 9] = [
    permission("actions", "Actions", "write", "steps that start a workflow, and wait for it"),
    permission("checks", "Checks", "write", "the timeline and `flowctl / validate`"),
    permission("contents", "Contents", "read", "definitions, and what a commit changed"),
    permission("deployments", "Deployments", "write", "deployments that a process decides about"),
    permission("issues", "Issues", "write", "comments and reactions"),
    permission("members", "Members (organisation)", "read", "who is in a team"),
    permission("merge_queues", "Merge queues", "read", "checks of a merge queue"),
    permission("metadata", "Metadata", "read", "people's permission on a repository"),
    permission("pull_requests", "Pull requests", "write", "comments and reviews"),
];

/// Every event that something follows from. GitHub sends `installation` and `installation_repositories` to every App by
/// itself.
pub const EVENTS: [Event; 11] = [
    event("check_run", "Check run", "the buttons, and *Re-run*"),
    event("check_suite", "Check suite", "*Re-run all checks*"),
    event("deployment_protection_rule", "Deployment protection rule", "deployments that a process decides about"),
    event("issue_comment", "Issue comment", "commands and comment triggers"),
    event("merge_group", "Merge group", "the trigger `merge_group`"),
    event("pull_request", "Pull request", "triggers; a new head"),
    event("pull_request_review", "Pull request review", "approvals by review"),
    event("push", "Push", "the trigger `push`; new definitions on the default branch"),
    event("repository", "Repository", "renamed, transferred and deleted repositories"),
    event("repository_dispatch", "Repository dispatch", "the trigger `repository_dispatch`"),
    event("workflow_run", "Workflow run", "the end of a workflow that a step started"),
];

/// Permissions that are not granted, or not enough, as a person reads them.
pub fn lacking_permissions(granted: &BTreeMap<String, String>) -> Vec<String> {
    let rank = |level: &str| ["read", "write", "admin"].iter().position(|known| *known == level);
    let is_enough = |needed: &&Permission| {
        let has = granted.get(needed.name).and_then(|level| rank(level));
        has.is_none_or(|has| Some(has) < rank(needed.level))
    };
    PERMISSIONS.iter().filter(is_enough).map(|needed| format!("{}: {}", needed.title, needed.level)).collect()
}

/// Events that are not subscribed to, as a person reads them.
pub fn lacking_events(subscribed: &[String]) -> Vec<String> {
    let is_missing = |needed: &&Event| !subscribed.iter().any(|event| event == needed.name);
    EVENTS.iter().filter(is_missing).map(|needed| needed.title.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    #[test]
    fn what_is_not_granted_is_named() {
        let all = || -> BTreeMap<String, String> {
            PERMISSIONS.iter().map(|one| (one.name.to_owned(), one.level.to_owned())).collect()
        };
        assert_eq!(lacking_permissions(&all()), Vec::<String>::new());
        let mut less = all();
        less.insert("checks".to_owned(), "read".to_owned());
        less.insert("contents".to_owned(), "write".to_owned());
        less.remove("members");
        assert_eq!(lacking_permissions(&less), ["Checks: write", "Members (organisation): read"]);
        let events: Vec<String> = EVENTS.iter().skip(1).map(|one| one.name.to_owned()).collect();
        assert_eq!(lacking_events(&events), ["Check run"]);
    }

    /// The tables of docs/github.md, so that nobody keeps a second list.
    #[test]
    fn the_documentation_says_the_same() {
        let permissions = PERMISSIONS.iter().map(|one| {
            let level = if one.level == "write" { "read and write" } else { "read" };
            format!("| {}: {level} | {} |", one.title, one.why)
        });
        let events = EVENTS.iter().map(|one| format!("| {} | {} |", one.title, one.why));
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/github.md");
        let text = std::fs::read_to_string(page).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let missing: Vec<String> = permissions.chain(events).filter(|line| !lines.contains(&line.as_str())).collect();
        assert_eq!(missing, Vec::<String>::new(), "write these rows into docs/github.md");
    }
}
