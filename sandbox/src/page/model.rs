//! What the pages show, gathered from the state.

use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;
use minijinja::Value;
use serde::Serialize;

use super::markdown;
use crate::clock::stamp;
use crate::shape::View;
use crate::state::{
    Account, AccountKind, CheckRun, Comment, Id, Issue, Permission, PullRequest, Repository, Review, ReviewState,
    Subject,
};

/// The login that the browser's cookie names; nobody without one.
#[derive(Debug, Clone, Default)]
pub(super) struct ChosenPerson(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for ChosenPerson {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        Ok(Self(pairs.find(|(name, _)| *name == "sandbox_person").map(|(_, login)| login.to_owned())))
    }
}

/// What stands around every page.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    pub title: String,
    /// Who the reader is, when there is anybody to be.
    pub you: Option<Person>,
    pub people: Vec<Person>,
    /// The page's own path, to come back to.
    pub here: String,
    /// What went wrong with the last deed.
    pub alert: Option<String>,
}

/// Somebody to be.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Person {
    pub id: Id,
    pub login: String,
    /// `write`, or `write, leads`.
    pub note: String,
    pub permission: Permission,
}

impl Frame {
    /// A frame for a page about `repository`, or about none in particular.
    pub(super) fn new(
        view: View<'_>,
        title: String,
        here: String,
        chosen: &ChosenPerson,
        repository: Option<&Repository>,
    ) -> Self {
        let people = people(view, repository);
        let you = reader(&people, chosen, None);
        Self { title, you, people, here, alert: None }
    }

    /// Whoever did not choose reads a pull request as somebody who may review it.
    pub(super) fn about(mut self, issue: &Issue, chosen: &ChosenPerson) -> Self {
        self.you = reader(&self.people, chosen, Some(issue.author));
        self
    }
}

/// The chosen person; otherwise the first with write access who is not `avoided`, or the first at all.
fn reader(people: &[Person], chosen: &ChosenPerson, avoided: Option<Id>) -> Option<Person> {
    let by_cookie = chosen.0.as_ref().and_then(|login| people.iter().find(|person| person.login == *login));
    let may_write = |person: &&Person| person.permission >= Permission::Write && Some(person.id) != avoided;
    by_cookie.or_else(|| people.iter().find(may_write)).or(people.first()).cloned()
}

/// Everybody who can see the repository, most powerful last so that the list reads by name.
fn people(view: View<'_>, repository: Option<&Repository>) -> Vec<Person> {
    let accounts = view.world.accounts.values().filter(|account| account.kind == AccountKind::User);
    let mut people: Vec<Person> = accounts.filter_map(|account| person(view, repository, account)).collect();
    people.sort_by(|one, other| one.login.cmp(&other.login));
    people
}

fn person(view: View<'_>, repository: Option<&Repository>, account: &Account) -> Option<Person> {
    let repositories =
        repository.map_or_else(|| view.world.repositories.values().collect(), |repository| vec![repository]);
    let permission = repositories.iter().map(|repository| view.world.permission(repository.id, account.id)).max()?;
    if permission == Permission::None {
        return None;
    }
    let teams =
        view.world.teams.values().filter(|team| team.members.contains(&account.id)).map(|team| team.slug.as_str());
    let note: Vec<&str> = std::iter::once(permission.role()).chain(teams).collect();
    Some(Person { id: account.id, login: account.login.clone(), note: note.join(", "), permission })
}

/// Somebody beside their words.
#[derive(Debug, Serialize)]
pub(super) struct Author {
    pub id: Id,
    pub login: String,
    pub bot: bool,
}

pub(super) fn author(view: View<'_>, id: Id) -> Author {
    match view.world.accounts.get(&id) {
        Some(account) => Author { id, login: account.login.clone(), bot: account.kind == AccountKind::Bot },
        None => Author { id, login: "ghost".to_owned(), bot: false },
    }
}

/// One entry of the conversation.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// `comment`, `review` or `event`.
    pub kind: &'static str,
    pub anchor: String,
    pub author: Author,
    pub at: String,
    /// Words beside the name, such as `approved these changes`.
    pub says: String,
    /// A class that colours it: `good`, `bad`, `plain`.
    pub tone: &'static str,
    pub body: Option<Value>,
    pub reactions: Vec<Count>,
    pub edited: bool,
}

/// A reaction and who put it.
#[derive(Debug, Serialize)]
pub(super) struct Count {
    pub picture: &'static str,
    pub name: String,
    pub people: String,
    pub count: usize,
}

/// The conversation of an issue or pull request in the order in which it happened.
pub(super) fn conversation(view: View<'_>, issue: &Issue) -> Vec<Entry> {
    let mut entries = vec![(issue.created_at, 0, opening(view, issue))];
    entries.extend(
        view.world.comments_of(issue.id).map(|comment| (comment.created_at, comment.id, comment_entry(view, comment))),
    );
    entries.extend(
        view.world.reviews_of(issue.id).map(|review| (review.submitted_at, review.id, review_entry(view, review))),
    );
    entries.extend(issue.history.iter().map(|event| {
        let entry = Entry {
            kind: "event",
            anchor: String::new(),
            author: author(view, event.actor),
            at: stamp(event.at),
            says: event.what.clone(),
            tone: "plain",
            body: None,
            reactions: Vec::new(),
            edited: false,
        };
        (event.at, 0, entry)
    }));
    entries.sort_by_key(|(at, id, _)| (*at, *id));
    entries.into_iter().map(|(_, _, entry)| entry).collect()
}

fn opening(view: View<'_>, issue: &Issue) -> Entry {
    let text = issue.body.as_deref().filter(|body| !body.trim().is_empty());
    Entry {
        kind: "comment",
        anchor: "description".to_owned(),
        author: author(view, issue.author),
        at: stamp(issue.created_at),
        says: "opened this".to_owned(),
        tone: "plain",
        body: Some(text.map_or_else(|| markdown::comment("*No description.*"), markdown::comment)),
        reactions: reactions(view, Subject::Issue(issue.id)),
        edited: false,
    }
}

fn comment_entry(view: View<'_>, comment: &Comment) -> Entry {
    Entry {
        kind: "comment",
        anchor: format!("issuecomment-{}", comment.id),
        author: author(view, comment.author),
        at: stamp(comment.created_at),
        says: "commented".to_owned(),
        tone: "plain",
        body: Some(markdown::comment(&comment.body)),
        reactions: reactions(view, Subject::Comment(comment.id)),
        edited: !comment.earlier.is_empty(),
    }
}

fn review_entry(view: View<'_>, review: &Review) -> Entry {
    let (says, tone) = match review.state {
        ReviewState::Approved => ("approved these changes", "good"),
        ReviewState::ChangesRequested => ("requested changes", "bad"),
        ReviewState::Commented => ("reviewed", "plain"),
        ReviewState::Dismissed => ("left a review that was dismissed", "plain"),
    };
    Entry {
        kind: "review",
        anchor: format!("pullrequestreview-{}", review.id),
        author: author(view, review.author),
        at: stamp(review.submitted_at),
        says: format!("{says} at {}", short(&review.commit_id)),
        tone,
        body: (!review.body.trim().is_empty()).then(|| markdown::comment(&review.body)),
        reactions: Vec::new(),
        edited: false,
    }
}

fn reactions(view: View<'_>, subject: Subject) -> Vec<Count> {
    const PICTURES: [(&str, &str); 8] = [
        ("+1", "👍"),
        ("-1", "👎"),
        ("laugh", "😄"),
        ("hooray", "🎉"),
        ("confused", "😕"),
        ("heart", "❤️"),
        ("rocket", "🚀"),
        ("eyes", "👀"),
    ];
    let counted = PICTURES.iter().map(|(name, picture)| {
        let people = view.world.reactions_on(subject).filter(|reaction| reaction.content == *name);
        let people: Vec<String> = people.map(|reaction| author(view, reaction.person).login).collect();
        Count { picture, name: (*name).to_owned(), count: people.len(), people: people.join(", ") }
    });
    counted.filter(|count| count.count > 0).collect()
}

/// A check run as people see it: the newest of its name, with what came before.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub id: Id,
    pub name: String,
    pub app: String,
    /// A class: `good`, `bad`, `wait`, `busy`, `calm`.
    pub tone: &'static str,
    pub state: String,
    pub title: Option<String>,
    pub details_url: Option<String>,
    pub summary: Option<Value>,
    pub text: Option<Value>,
    pub actions: Vec<Button>,
    pub annotations: Vec<Remark>,
    pub history: Vec<Past>,
}

/// A button below a completed run.
#[derive(Debug, Serialize)]
pub(super) struct Button {
    pub identifier: String,
    pub label: String,
    pub description: String,
}

/// An annotation.
#[derive(Debug, Serialize)]
pub(super) struct Remark {
    pub place: String,
    pub level: String,
    pub title: Option<String>,
    pub message: String,
}

/// What a run of this name said earlier.
#[derive(Debug, Serialize)]
pub(super) struct Past {
    pub at: String,
    pub state: String,
    pub title: Option<String>,
}

/// The checks of a commit: newest run of each name and App, in the order of their first appearance.
pub(super) fn checks(view: View<'_>, repository: Id, sha: &str) -> Vec<Check> {
    let runs: Vec<&CheckRun> = view.world.check_runs_of(repository, sha).collect();
    let mut names: Vec<(&str, Id)> = Vec::new();
    for run in &runs {
        if !names.contains(&(run.name.as_str(), run.app)) {
            names.push((&run.name, run.app));
        }
    }
    let checks = names.into_iter().filter_map(|(name, app)| {
        let of_name: Vec<_> = runs.iter().filter(|run| run.name == name && run.app == app).copied().collect();
        of_name.last().map(|newest| check(view, newest, &of_name))
    });
    checks.collect()
}

fn check(view: View<'_>, run: &CheckRun, of_name: &[&CheckRun]) -> Check {
    let (tone, state) = standing(&run.status, run.conclusion.as_deref());
    let buttons = run.actions.iter().filter(|_| run.is_completed()).map(|action| Button {
        identifier: action.identifier.clone(),
        label: action.label.clone(),
        description: action.description.clone(),
    });
    let remarks = run.annotations.iter().map(|annotation| Remark {
        place: format!("{}:{}", annotation.path, annotation.start_line),
        level: annotation.annotation_level.clone(),
        title: annotation.title.clone(),
        message: annotation.message.clone(),
    });
    let versions = of_name.iter().flat_map(|run| &run.history);
    let mut history: Vec<Past> = versions
        .map(|version| Past {
            at: stamp(version.at),
            state: standing(&version.status, version.conclusion.as_deref()).1,
            title: version.title.clone(),
        })
        .collect();
    history.dedup_by(|one, other| one.state == other.state && one.title == other.title);
    Check {
        id: run.id,
        name: run.name.clone(),
        app: view.world.app_by_id(run.app).name.clone(),
        tone,
        state,
        title: run.title.clone(),
        details_url: run.details_url.clone().filter(|url| url.starts_with("http://") || url.starts_with("https://")),
        summary: run.summary.as_deref().map(markdown::document),
        text: run.text.as_deref().map(markdown::document),
        actions: buttons.collect(),
        annotations: remarks.collect(),
        history,
    }
}

/// A colour and words for a status and conclusion.
fn standing(status: &str, conclusion: Option<&str>) -> (&'static str, String) {
    let (tone, words) = match (status, conclusion) {
        ("completed", Some("success")) => ("good", "Success"),
        ("completed", Some("failure")) => ("bad", "Failure"),
        ("completed", Some("timed_out")) => ("bad", "Timed out"),
        ("completed", Some("action_required")) => ("wait", "Action required"),
        ("completed", Some("cancelled")) => ("calm", "Cancelled"),
        ("completed", Some("skipped")) => ("calm", "Skipped"),
        ("completed", Some("stale")) => ("calm", "Stale"),
        ("completed", _) => ("calm", "Neutral"),
        ("in_progress", _) => ("busy", "In progress"),
        _ => ("busy", "Queued"),
    };
    (tone, words.to_owned())
}

/// A file that the pull request changes.
#[derive(Debug, Serialize)]
pub(super) struct FileChange {
    pub path: String,
    pub status: &'static str,
    pub additions: usize,
    pub deletions: usize,
    pub lines: Vec<DiffLine>,
}

/// One line of a patch.
#[derive(Debug, Serialize)]
pub(super) struct DiffLine {
    /// `add`, `del`, `hunk` or `same`.
    pub kind: &'static str,
    pub text: String,
}

pub(super) fn file_changes(files: &[crate::git::ChangedFile]) -> Vec<FileChange> {
    let line = |text: &str| DiffLine {
        kind: match text.as_bytes().first() {
            Some(b'+') => "add",
            Some(b'-') => "del",
            Some(b'@') => "hunk",
            _ => "same",
        },
        text: text.to_owned(),
    };
    let change = |file: &crate::git::ChangedFile| FileChange {
        path: file.path.clone(),
        status: file.status,
        additions: file.additions,
        deletions: file.deletions,
        lines: file.patch.as_deref().unwrap_or_default().lines().take(2_000).map(line).collect(),
    };
    files.iter().map(change).collect()
}

/// A pull request's state in one word and a class.
pub(super) fn pull_state(issue: &Issue) -> (&'static str, &'static str) {
    match (&issue.pull_request, issue.closed.is_some()) {
        (Some(PullRequest { merged: Some(_), .. }), _) => ("Merged", "merged"),
        (_, true) => ("Closed", "bad"),
        (Some(PullRequest { draft: true, .. }), _) => ("Draft", "calm"),
        _ => ("Open", "good"),
    }
}

pub(super) fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}
