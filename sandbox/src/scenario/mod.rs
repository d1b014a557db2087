//! Scenarios: people in YAML who open pull requests, comment, review, press buttons, and wait for answers.
//! Parsing says what is wrong and where; playing is real deeds on the hub, waits are on its changes.

mod acts;
mod play;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_yaml::Value;

pub use acts::{Act, By, Content, Expectation, Note, Press, PullRequest, PushFiles, Review, Wait};
pub use play::{Moment, Report};

use crate::error::SandboxError;
use crate::git::Files;
use crate::hub::Hub;
use crate::sandbox::Sandbox;
use crate::state::{Id, Permission};

/// What a scenario file says.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// One line about it, for those who watch.
    pub description: Option<String>,
    /// Who there is.
    pub people: People,
    /// `OWNER/NAME`.
    pub repository: String,
    /// What happens, in order.
    pub play: Vec<Act>,
}

/// Who plays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct People {
    /// What each may do in the repository.
    #[serde(default)]
    pub users: BTreeMap<String, Permission>,
    /// Teams of the organisation with their members.
    #[serde(default)]
    pub teams: BTreeMap<String, BTreeSet<String>>,
    /// The organisation; the repository's owner is a person without it.
    #[serde(default)]
    pub organization: Option<String>,
    /// Whose token the definitions find as `secrets.GITHUB_TOKEN`, beside `secrets.GITHUB_API_URL`: an account for tools that
    /// call GitHub.
    #[serde(default)]
    pub robot: Option<String>,
}

/// Why a scenario cannot be read or did not go as written.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The text is no scenario.
    #[error("the scenario cannot be read: {0}")]
    Unreadable(String),
    /// One act cannot be read.
    #[error("play {number} ({act}): {reason}")]
    UnreadableAct {
        /// Its place, from 1.
        number: usize,
        /// Its name.
        act: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// The sandbox refused a deed.
    #[error("play {number} ({act}): {source}")]
    Refused {
        /// Its place, from 1.
        number: usize,
        /// What it was to do.
        act: String,
        /// Why not.
        source: SandboxError,
    },
    /// What was expected is not so, or did not come in time.
    #[error("play {number} ({act}): {reason}\n{state}")]
    Unmet {
        /// Its place, from 1.
        number: usize,
        /// What was expected.
        act: String,
        /// What is so instead.
        reason: String,
        /// Check runs and last comments as they are.
        state: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    description: Option<String>,
    people: People,
    repository: String,
    play: Vec<Value>,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// What is wrong, with the place of the act, from 1.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let document: Document =
            serde_yaml::from_str(text).map_err(|error| ScenarioError::Unreadable(error.to_string()))?;
        let fits = |part: &str| !part.is_empty() && !part.contains('/');
        if !document.repository.split_once('/').is_some_and(|(owner, name)| fits(owner) && fits(name)) {
            return Err(ScenarioError::Unreadable(format!(
                "`repository` must be OWNER/NAME, not `{}`",
                document.repository
            )));
        }
        let acts = document.play.into_iter().enumerate();
        let play = acts.map(|(index, value)| acts::read(index + 1, value)).collect::<Result<Vec<_>, _>>()?;
        let scenario =
            Self { description: document.description, people: document.people, repository: document.repository, play };
        scenario.check_people()?;
        Ok(scenario)
    }

    /// Whoever acts must be somebody.
    fn check_people(&self) -> Result<(), ScenarioError> {
        let known = |login: &str| {
            self.people.users.contains_key(login) || self.people.teams.values().any(|team| team.contains(login))
        };
        for (index, act) in self.play.iter().enumerate() {
            if let Some(by) = act.person().filter(|by| !known(by)) {
                let everybody: Vec<_> = self.people.users.keys().map(String::as_str).collect();
                let reason = format!("`{by}` is not among `people` ({})", everybody.join(", "));
                return Err(ScenarioError::UnreadableAct { number: index + 1, act: act.name().to_owned(), reason });
            }
        }
        Ok(())
    }

    /// The secrets that the definitions find, by name: none where there is no robot.
    ///
    /// # Errors
    /// What the sandbox refuses.
    pub fn secrets(&self, sandbox: &Sandbox) -> Result<Vec<(String, String)>, SandboxError> {
        let Some(robot) = &self.people.robot else { return Ok(Vec::new()) };
        let hub = sandbox.hub();
        hub.create_user(robot)?;
        let token = hub.token_of(robot)?;
        Ok(vec![("GITHUB_TOKEN".to_owned(), token), ("GITHUB_API_URL".to_owned(), sandbox.api_url())])
    }

    /// Makes people, teams, the repository with these files, and installs the App. What is there stays.
    ///
    /// # Errors
    /// What the sandbox refuses.
    pub fn set_up(&self, hub: &Hub, files: &Files) -> Result<(), SandboxError> {
        self.set_up_with(hub, |hub| hub.create_repository(&self.repository, files))
    }

    /// As [`Scenario::set_up`], with the repository made [from a folder](Hub::create_repository_from).
    ///
    /// # Errors
    /// What the sandbox refuses, and a folder that cannot be read.
    pub fn set_up_from(&self, hub: &Hub, directory: &Path) -> Result<(), SandboxError> {
        self.set_up_with(hub, |hub| hub.create_repository_from(&self.repository, directory))
    }

    fn set_up_with(&self, hub: &Hub, make: impl FnOnce(&Hub) -> Result<Id, SandboxError>) -> Result<(), SandboxError> {
        let (owner, _) = self.repository.split_once('/').unwrap_or_default();
        match &self.people.organization {
            Some(organization) => hub.create_organization(organization)?,
            None => hub.create_user(owner)?,
        };
        if self.people.organization.as_deref() != Some(owner) {
            hub.create_user(owner)?;
        }
        for login in self.people.users.keys() {
            hub.create_user(login)?;
        }
        if let Some(organization) = &self.people.organization {
            for (slug, members) in &self.people.teams {
                let members: Vec<_> = members.iter().map(String::as_str).collect();
                hub.set_team(organization, slug, &members)?;
            }
        }
        let installed = hub.read(|view| {
            let owner = view.world.account(owner).map(|account| account.id);
            view.world.installations.values().any(|it| owner.as_ref().is_ok_and(|owner| it.account == *owner))
        });
        if !installed {
            hub.install(owner, None)?;
        }
        if hub.read(|view| view.world.repository(&self.repository).is_err()) {
            make(hub)?;
        }
        for (login, permission) in &self.people.users {
            hub.grant(&self.repository, login, *permission)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn faults(play: &str) -> String {
        let text = format!("people: {{users: {{alice: write}}}}\nrepository: o/r\nplay:\n{play}");
        Scenario::parse(&text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        insta::assert_snapshot!(faults("  - comment: {by: alice, boddy: hi}"), @"play 1 (comment): unknown field `boddy`, expected `by` or `body`");
        insta::assert_snapshot!(faults("  - comment: {by: alice, body: hi}\n  - coment: {by: alice, body: hi}"), @"play 2 (coment): there is no such act; there are pull_request, comment, edit_comment, delete_comment, review, dismiss_review, push, force_push, press, rerequest, label, unlabel, close, reopen, ready, merge, delete_branch, advance_clock, fault, wait_for, expect, workflow_ends");
        insta::assert_snapshot!(faults("  - comment: {by: bob, body: hi}"), @"play 1 (comment): `bob` is not among `people` (alice)");
        insta::assert_snapshot!(faults("  - wait_for: {within: 3s}"), @"play 1 (wait_for): wait for exactly one of `check`, `reaction`, `comment_contains`");
        insta::assert_snapshot!(faults("  - wait_for: {check: x, within: soon}"), @"play 1 (wait_for): `soon` is no duration: write 500ms, 30s, 5m, 2h or 14d");
        insta::assert_snapshot!(faults("  - review: {by: alice, state: aprove}"), @"play 1 (review): `aprove` is no review: write approve, request_changes or comment");
        insta::assert_snapshot!(faults("  - comment: {by: alice, body: hi}\n    close: {by: alice}"), @"play 1 (?): an act has exactly one key; start each with its own `-`");
        insta::assert_snapshot!(Scenario::parse("repository: or").unwrap_err(), @"the scenario cannot be read: missing field `people`");
    }

    #[test]
    fn a_whole_scenario_is_read() {
        let text = r#"
people: {users: {alice: write, bob: maintain}, teams: {leads: [alice, bob]}, organization: octo-org}
repository: octo-org/shop
play:
  - pull_request: {by: alice, title: Release, head: release, labels: [release], files: {CHANGELOG.md: "x"}}
  - wait_for: {check: ci, status: completed, conclusion: action_required, within: 1500ms}
  - press: {by: bob, check: ci, button: approve}
  - label: {by: bob, label: done}
  - advance_clock: 14d
  - expect: {check: ci, conclusion: success, sticky_comments: 1}
"#;
        let scenario = Scenario::parse(text).unwrap();
        let names: Vec<_> = scenario.play.iter().map(Act::name).collect();
        assert_eq!(names, ["pull_request", "wait_for", "press", "label", "advance_clock", "expect"]);
    }
}
