//! Repositories, branches, contents. OpenAPI: `full-repository`, `minimal-repository`, `branch-short`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{View, node_id};
use crate::clock::stamp;
use crate::git::Content;
use crate::state::{Id, Label, Repository};

/// Relative addresses below a repository's API address, with their templates.
const LINKS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

impl View<'_> {
    /// The API address of a repository.
    pub(crate) fn repository_api(&self, repository: Id) -> String {
        format!("{}/repos/{}", self.urls.api(), self.name_of(repository))
    }

    /// The web address of a repository.
    pub(crate) fn repository_web(&self, repository: Id) -> String {
        format!("{}/{}", self.urls.web(), self.name_of(repository))
    }

    fn name_of(&self, repository: Id) -> String {
        let repository = self.world.repositories.get(&repository);
        repository.map_or_else(|| "ghost/ghost".to_owned(), |repository| self.world.full_name(repository))
    }

    /// `repository`, as in webhooks, lists and pull requests.
    pub fn repository(&self, repository: &Repository) -> Value {
        let api = self.repository_api(repository.id);
        let web = self.repository_web(repository.id);
        let open = self.world.issues.values();
        let open = open.filter(|issue| issue.repository == repository.id && issue.closed.is_none()).count();
        let mut shape = Map::new();
        let mut put = |name: &str, value: Value| {
            shape.insert(name.to_owned(), value);
        };
        put("id", json!(repository.id));
        put("node_id", json!(node_id("R", repository.id)));
        put("name", json!(repository.name));
        put("full_name", json!(self.world.full_name(repository)));
        put("private", json!(repository.private));
        put("owner", self.user(repository.owner));
        put("html_url", json!(web));
        put("description", json!(repository.description));
        for (name, path) in LINKS {
            put(name, json!(format!("{api}{path}")));
        }
        put("created_at", json!(stamp(repository.created_at)));
        put("updated_at", json!(stamp(repository.updated_at)));
        put("pushed_at", json!(stamp(repository.pushed_at)));
        put("git_url", json!(format!("git:{}.git", web.trim_start_matches("http:"))));
        put("ssh_url", json!(format!("git@127.0.0.1:{}.git", self.world.full_name(repository))));
        put("clone_url", json!(format!("{web}.git")));
        put("svn_url", json!(web));
        for name in ["homepage", "language", "license", "mirror_url"] {
            put(name, Value::Null);
        }
        for name in ["size", "stargazers_count", "watchers_count", "forks_count", "forks", "watchers"] {
            put(name, json!(0));
        }
        for name in ["has_issues", "has_projects", "has_downloads", "allow_forking"] {
            put(name, json!(true));
        }
        for name in [
            "fork",
            "has_wiki",
            "has_pages",
            "has_discussions",
            "archived",
            "disabled",
            "is_template",
            "web_commit_signoff_required",
        ] {
            put(name, json!(false));
        }
        put("open_issues_count", json!(open));
        put("open_issues", json!(open));
        put("topics", json!([]));
        put("visibility", json!(if repository.private { "private" } else { "public" }));
        put("default_branch", json!(repository.default_branch));
        put("permissions", json!({"admin": false, "maintain": false, "push": false, "triage": false, "pull": true}));
        Value::Object(shape)
    }

    /// `repository-lite`: who it is and where its parts are, as inside of workflow runs.
    pub(crate) fn repository_lite(&self, repository: &Repository) -> Value {
        const OWN: [&str; 9] =
            ["id", "node_id", "name", "full_name", "private", "owner", "html_url", "description", "fork"];
        /// Addresses that only the longer forms have.
        const NOT_ITS: [&str; 5] = ["clone_url", "git_url", "mirror_url", "ssh_url", "svn_url"];
        let mut shape = self.repository(repository);
        if let Some(shape) = shape.as_object_mut() {
            shape.retain(|name, _| {
                let is_address = (name.ends_with("_url") || name == "url") && !NOT_ITS.contains(&name.as_str());
                OWN.contains(&name.as_str()) || is_address
            });
        }
        shape
    }

    /// `full-repository`.
    pub fn repository_full(&self, repository: &Repository) -> Value {
        let mut shape = self.repository(repository);
        let more = json!({
            "temp_clone_token": null,
            "allow_squash_merge": true,
            "allow_merge_commit": true,
            "allow_rebase_merge": false,
            "allow_auto_merge": false,
            "delete_branch_on_merge": false,
            "network_count": 0,
            "subscribers_count": 0,
        });
        super::account::merge(&mut shape, more);
        if let Some(organization) = self
            .world
            .accounts
            .get(&repository.owner)
            .filter(|owner| owner.kind == crate::state::AccountKind::Organization)
        {
            super::account::merge(&mut shape, json!({"organization": self.simple_user(organization)}));
        }
        shape
    }

    /// `label`.
    pub fn label(&self, repository: Id, label: &Label) -> Value {
        let in_url = label.name.replace(' ', "%20");
        json!({
            "id": label.id,
            "node_id": node_id("LA", label.id),
            "url": format!("{}/labels/{in_url}", self.repository_api(repository)),
            "name": label.name,
            "color": label.color,
            "default": false,
            "description": label.description,
        })
    }

    /// `short-branch`.
    pub fn branch_short(&self, repository: Id, name: &str, sha: &str) -> Value {
        let api = self.repository_api(repository);
        json!({
            "name": name,
            "commit": {"sha": sha, "url": format!("{api}/commits/{sha}")},
            "protected": false,
        })
    }

    /// `git-ref`.
    pub fn git_reference(&self, repository: Id, name: &str, sha: &str) -> Value {
        let api = self.repository_api(repository);
        json!({
            "ref": name,
            "node_id": node_id("REF", repository),
            "url": format!("{api}/git/{name}"),
            "object": {"type": "commit", "sha": sha, "url": format!("{api}/git/commits/{sha}")},
        })
    }

    /// `content-file` or `content-directory`.
    pub(crate) fn content(&self, repository: Id, path: &str, reference: &str, content: &Content) -> Value {
        match content {
            Content::File { blob, bytes } => {
                let mut file = self.content_item(repository, path, reference, blob, bytes.len(), false);
                super::account::merge(&mut file, json!({"encoding": "base64", "content": wrapped(bytes)}));
                file
            }
            Content::Folder(entries) => {
                let items = entries.iter().map(|entry| {
                    let below = if path.is_empty() { entry.name.clone() } else { format!("{path}/{}", entry.name) };
                    self.content_item(repository, &below, reference, &entry.id, entry.size, entry.folder)
                });
                Value::Array(items.collect())
            }
        }
    }

    fn content_item(&self, repository: Id, path: &str, reference: &str, id: &str, size: usize, folder: bool) -> Value {
        let (api, web) = (self.repository_api(repository), self.repository_web(repository));
        let url = format!("{api}/contents/{path}?ref={reference}");
        let (kind, git_kind) = if folder { ("dir", "trees") } else { ("file", "blobs") };
        let git_url = format!("{api}/git/{git_kind}/{id}");
        let html_url = format!("{web}/{}/{reference}/{path}", if folder { "tree" } else { "blob" });
        let download = if folder { Value::Null } else { json!(format!("{web}/raw/{reference}/{path}")) };
        json!({
            "name": path.rsplit('/').next().unwrap_or(path),
            "path": path,
            "sha": id,
            "size": size,
            "url": url,
            "html_url": html_url,
            "git_url": git_url,
            "download_url": download,
            "type": kind,
            "_links": {"self": url, "git": git_url, "html": html_url},
        })
    }
}

/// Base64 in lines of 60 characters, as GitHub sends contents.
fn wrapped(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / 60 + 1);
    for (index, character) in text.chars().enumerate() {
        lines.push(character);
        if index % 60 == 59 {
            lines.push('\n');
        }
    }
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines
}
