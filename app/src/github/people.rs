//! What is known of a person when their word is weighed: asked of GitHub at that moment, at most 30 seconds old.
//! Payloads say who spoke; what that person may do is never taken from them. One place weighs for every way in.

use flowctl_core::approval::codeowners::{CodeOwners, Owned, Owner, PLACES};
use flowctl_core::approval::{Group, Person, PersonFacts, Requirement, Weighed, weigh};
use flowctl_core::definition::Role;
use flowctl_core::execution::Execution;

use crate::github::client::{Commit, GitHubError, InstallationClient, Permission, RepositoryName, User};

/// Why nothing can be said about a person.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// GitHub does not answer.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The login belongs to another account by now.
    #[error("the account has been renamed since")]
    AccountChanged,
    /// Who owns what is changed cannot be said, and does not become clear by itself.
    #[error("{0}")]
    OwnersUnknown(String),
    /// The pull request moved while it was looked at.
    #[error("the pull request has a newer commit")]
    Moved,
}

/// GitHub lists no more files of a pull request than this
/// (<https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files>).
const MOST_FILES: u64 = 3_000;

/// Asks about the people of one repository.
#[derive(Debug, Clone)]
pub struct People<'a> {
    /// Asks in the name of this installation.
    pub client: &'a InstallationClient,
    /// The repository whose permissions and teams are meant.
    pub repository: &'a RepositoryName,
}

/// The account as a person.
pub fn person(user: &User) -> Person {
    Person { login: user.login.clone(), id: user.id }
}

impl People<'_> {
    /// Weighs a person's word for a requirement of an execution.
    ///
    /// # Errors
    /// Where GitHub does not answer, or the account is another one by now. Never a guess instead.
    pub async fn weigh(
        &self,
        execution: &Execution,
        requirement: &Requirement,
        person: &Person,
        allow_author: bool,
    ) -> Result<Weighed, PeopleError> {
        let facts = self.facts(execution, requirement, person, allow_author).await?;
        Ok(weigh(requirement, person, &facts, allow_author))
    }

    /// Somebody's role, where it is at least `write`.
    ///
    /// # Errors
    /// As [`Self::weigh`].
    pub async fn role(&self, person: &Person) -> Result<Option<Role>, PeopleError> {
        self.account(person).await?;
        Ok(role_of(self.client.user_permission(self.repository, &person.login).await?))
    }

    /// Who owns what an execution's pull request changes: by the CODEOWNERS file of its base branch as that is now, of
    /// all files that GitHub lists; of renamed ones both names.
    ///
    /// # Errors
    /// Where GitHub does not answer or does not list all files, where there is no pull request, or it has moved on.
    pub async fn owned(&self, execution: &Execution) -> Result<Owned, PeopleError> {
        let unknown = |reason: &str| Err(PeopleError::OwnersUnknown(reason.to_owned()));
        let subject = execution.subject.as_ref().filter(|subject| subject.is_pull_request);
        let Some((subject, number)) = subject.and_then(|subject| Some((subject, subject.number?))) else {
            return unknown(
                "code owners are asked about the files of a pull request, and this execution belongs to none",
            );
        };
        let pull_request = self.client.get_pull_request(self.repository, number).await?;
        if pull_request.head.sha != subject.head_sha {
            return Err(PeopleError::Moved);
        }
        if pull_request.changed_files > MOST_FILES {
            return unknown(
                "the pull request changes more than 3,000 files, and GitHub lists no more: nobody can say who owns all of them",
            );
        }
        let files = self.client.list_pull_request_files(self.repository, number).await?;
        if (files.len() as u64) < pull_request.changed_files {
            return unknown("GitHub does not list all files of the pull request: nobody can say who owns all of them");
        }
        let owners = self.code_owners(&pull_request.base.branch).await?;
        let names = files.iter().flat_map(|file| file.previous_filename.iter().chain([&file.filename]));
        let owned = Owned::of(&owners, names.map(String::as_str));
        match owners.faults().first() {
            // Such a line may have been meant for what nobody seems to own: whoever may write must not count for that.
            Some(fault) if owned.unowned > 0 => unknown(&format!(
                "line {} of the CODEOWNERS file cannot be read ({}), and it may say who owns what nobody seems to own: \
                 mend it on `{}`",
                fault.line, fault.message, pull_request.base.branch
            )),
            _ => Ok(owned),
        }
    }

    /// The CODEOWNERS file at the tip of a branch: the first one that is there, as GitHub looks for it.
    async fn code_owners(&self, branch: &str) -> Result<CodeOwners, PeopleError> {
        let tip = self.client.branch(self.repository, branch).await?.commit.sha;
        for place in PLACES {
            if let Some(text) = self.client.text_at(self.repository, place, &tip).await? {
                return Ok(CodeOwners::read(&text));
            }
        }
        Ok(CodeOwners::default())
    }

    /// The owners of what is changed that somebody is, or is a member of. A team of another organisation owns nothing here.
    async fn ownerships(&self, requirement: &Requirement, account: &User) -> Result<Vec<Owner>, PeopleError> {
        let mut is = Vec::new();
        let mut known: Vec<&Owner> = Vec::new();
        for group in requirement.leaves() {
            let Group::Codeowners { owned: Some(owned), .. } = group else { continue };
            for owner in owned.owners() {
                if known.iter().any(|seen| seen.is(owner)) {
                    continue;
                }
                known.push(owner);
                if self.is_owner(owner, account).await? {
                    is.push(owner.clone());
                }
            }
        }
        Ok(is)
    }

    async fn is_owner(&self, owner: &Owner, account: &User) -> Result<bool, PeopleError> {
        Ok(match owner {
            Owner::User(login) => login.eq_ignore_ascii_case(&account.login),
            Owner::Team { organisation, team } => {
                organisation.eq_ignore_ascii_case(self.repository.owner())
                    && self.client.team_membership(organisation, team, &account.login).await?
            }
            Owner::Email(address) => {
                let shown = account.email.as_deref().is_some_and(|shown| shown.eq_ignore_ascii_case(address));
                shown || is_private_address_of(address, &person(account))
            }
        })
    }

    async fn facts(
        &self,
        execution: &Execution,
        requirement: &Requirement,
        person: &Person,
        allow_author: bool,
    ) -> Result<PersonFacts, PeopleError> {
        let account = self.account(person).await?;
        let mut facts = PersonFacts { is_bot: account.is_bot(), ..PersonFacts::default() };
        let leaves = requirement.leaves();
        for group in &leaves {
            let Group::Team(team) = group else { continue };
            if self.client.team_membership(self.repository.owner(), team, &person.login).await? {
                facts.teams.push(team.clone());
            }
        }
        if requirement.asks_codeowners() {
            facts.owner_of = self.ownerships(requirement, &account).await?;
        }
        if leaves.iter().any(|group| matches!(group, Group::Role(_) | Group::Codeowners { .. })) {
            facts.role = role_of(self.client.user_permission(self.repository, &person.login).await?);
        }
        if !allow_author {
            self.authorship(execution, person, &account, &mut facts).await?;
        }
        Ok(facts)
    }

    /// The account behind a login must still be the one that spoke: logins change hands, numeric ids do not.
    async fn account(&self, person: &Person) -> Result<User, PeopleError> {
        match self.client.user(&person.login).await {
            Ok(user) if user.id == person.id => Ok(user),
            Ok(_) | Err(GitHubError::NotFound { .. }) => Err(PeopleError::AccountChanged),
            Err(error) => Err(error.into()),
        }
    }

    async fn authorship(
        &self,
        execution: &Execution,
        person: &Person,
        account: &User,
        facts: &mut PersonFacts,
    ) -> Result<(), PeopleError> {
        let Some(subject) = &execution.subject else { return Ok(()) };
        let Some(number) = subject.number.filter(|_| subject.is_pull_request) else {
            // Who asked for a deployment does not decide about it, nor does who wrote what is deployed, whoever asked.
            facts.is_author = subject.author.as_ref().is_some_and(|author| author.is(person));
            if subject.author.is_some() || execution.trigger.kind == "deployment" {
                let commits = self.merged_by(&subject.head_sha).await?;
                facts.is_contributor = commits.iter().any(|commit| wrote(commit, person, account.email.as_deref()));
            }
            return Ok(());
        };
        facts.is_author = match &subject.author {
            Some(author) => author.is(person),
            None => {
                let pull_request = self.client.get_pull_request(self.repository, number).await?;
                pull_request.user.is_some_and(|user| user.id == person.id)
            }
        };
        facts.is_contributor = execution.pushers.iter().any(|pusher| pusher.is(person));
        if !facts.is_author && !facts.is_contributor {
            let commits = self.client.list_pull_request_commits(self.repository, number).await?;
            facts.is_contributor = commits.iter().any(|commit| wrote(commit, person, account.email.as_deref()));
        }
        Ok(())
    }

    /// A commit, and those that it merged.
    async fn merged_by(&self, sha: &str) -> Result<Vec<Commit>, PeopleError> {
        let commit = self.client.commit(self.repository, sha).await?;
        let mut commits = match commit.parents.as_slice() {
            [first, merged @ ..] => {
                let mut commits = Vec::new();
                for merged in merged {
                    commits.extend(self.client.commits_between(self.repository, &first.sha, &merged.sha).await?);
                }
                commits
            }
            [] => Vec::new(),
        };
        commits.push(commit);
        Ok(commits)
    }
}

fn role_of(permission: Permission) -> Option<Role> {
    match permission {
        Permission::None | Permission::Read | Permission::Triage => None,
        Permission::Write => Some(Role::Write),
        Permission::Maintain => Some(Role::Maintain),
        Permission::Admin => Some(Role::Admin),
    }
}

/// Whether somebody wrote a commit: by the accounts that GitHub knows behind its addresses, by the address that their account
/// shows, and by the private addresses that GitHub gives people, also in trailers.
fn wrote(commit: &Commit, person: &Person, public_address: Option<&str>) -> bool {
    let accounts = [&commit.author, &commit.committer];
    if accounts.into_iter().flatten().any(|user| user.id == person.id) {
        return true;
    }
    let people = [&commit.git.author, &commit.git.committer];
    let addresses = people.into_iter().flatten().filter_map(|someone| someone.email.as_deref());
    let is_public = |address: &str| public_address.is_some_and(|public| public.eq_ignore_ascii_case(address));
    let is_theirs = |address: &str| is_private_address_of(address, person) || is_public(address);
    addresses.chain(co_authors(&commit.git.message)).any(is_theirs)
}

/// The addresses of `Co-authored-by` trailers
/// (<https://docs.github.com/en/pull-requests/committing-changes-to-your-project/creating-and-editing-commits/creating-a-commit-with-multiple-authors>).
fn co_authors(message: &str) -> impl Iterator<Item = &str> {
    message.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        let is_trailer = key.trim().eq_ignore_ascii_case("co-authored-by");
        let (_, address) = value.rsplit_once('<')?;
        is_trailer.then(|| address.trim_end().trim_end_matches('>'))
    })
}

/// `ID+LOGIN@users.noreply.HOST`, or without the id in old accounts
/// (<https://docs.github.com/en/account-and-profile/reference/email-addresses-reference#your-noreply-email-address>).
fn is_private_address_of(address: &str, person: &Person) -> bool {
    let Some((local, host)) = address.split_once('@') else { return false };
    if !host.to_ascii_lowercase().starts_with("users.noreply.") {
        return false;
    }
    match local.split_once('+') {
        Some((id, _)) => id.parse() == Ok(person.id),
        None => local.eq_ignore_ascii_case(&person.login),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use serde_json::json;

    use super::*;

    fn commit(author: serde_json::Value, email: &str, message: &str) -> Commit {
        serde_json::from_value(json!({
            "sha": "a".repeat(40),
            "author": author,
            "committer": {"id": 19_864_447, "login": "web-flow", "type": "User"},
            "commit": {
                "message": message,
                "author": {"name": "Somebody", "email": email},
                "committer": {"name": "GitHub", "email": "noreply@github.com"},
            },
        }))
        .unwrap()
    }

    #[test]
    fn whoever_wrote_a_part_of_a_commit_is_a_contributor() {
        let bob = Person { login: "bob".to_owned(), id: 7 };
        let nobody = serde_json::Value::Null;
        for (name, commit, expected) in [
            ("by account", commit(json!({"id": 7, "login": "bobby"}), "b@example.com", "x"), true),
            ("of another account", commit(json!({"id": 8, "login": "bob"}), "b@example.com", "x"), false),
            ("by a private address", commit(nobody.clone(), "7+bobby@users.noreply.github.com", "x"), true),
            ("by an old private address", commit(nobody.clone(), "Bob@users.noreply.github.com", "x"), true),
            (
                "by somebody else's private address",
                commit(nobody.clone(), "8+bob@users.noreply.github.com", "x"),
                false,
            ),
            ("by a made-up host", commit(nobody.clone(), "7+bob@users.example.com", "x"), false),
            (
                "as a co-author",
                commit(nobody.clone(), "a@example.com", "x\n\nCo-authored-by: Bob <7+bob@users.noreply.github.com>"),
                true,
            ),
            (
                "as a co-author by the address that the account shows",
                commit(nobody.clone(), "a@example.com", "x\n\nCo-authored-by: Bob <Bob@Example.com>"),
                true,
            ),
            ("by the address that the account shows", commit(nobody.clone(), "bob@example.com", "x"), true),
            (
                "named in a sentence only",
                commit(nobody, "a@example.com", "thanks to <7+bob@users.noreply.github.com>"),
                false,
            ),
        ] {
            assert_eq!(wrote(&commit, &bob, Some("bob@example.com")), expected, "{name}");
        }
    }
}
