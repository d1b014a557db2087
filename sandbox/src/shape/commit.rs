//! Commits, comparisons, changed files. OpenAPI: `commit`, `commit-comparison`, `diff-entry`; webhook `push`.

use serde_json::{Value, json};

use super::{View, node_id};
use crate::clock::stamp;
use crate::git::{Author, ChangedFile, CommitFacts, Comparison};
use crate::state::{Account, Id};

impl View<'_> {
    fn account_of(&self, author: &Author) -> Option<&Account> {
        self.world.accounts.values().find(|account| account.email() == author.email)
    }

    fn user_of(&self, author: &Author) -> Value {
        self.account_of(author).map_or(Value::Null, |account| self.simple_user(account))
    }

    /// `commit`, without files.
    pub fn commit(&self, repository: Id, commit: &CommitFacts) -> Value {
        let (api, web) = (self.repository_api(repository), self.repository_web(repository));
        let sha = &commit.sha;
        let person = |author: &Author, at| json!({"name": author.name, "email": author.email, "date": stamp(at)});
        let parents = commit.parents.iter().map(|parent| {
            json!({"sha": parent, "url": format!("{api}/commits/{parent}"), "html_url": format!("{web}/commit/{parent}")})
        });
        json!({
            "sha": sha,
            "node_id": node_id("C", repository),
            "commit": {
                "author": person(&commit.author, commit.authored_at),
                "committer": person(&commit.committer, commit.committed_at),
                "message": commit.message,
                "tree": {"sha": commit.tree, "url": format!("{api}/git/trees/{}", commit.tree)},
                "url": format!("{api}/git/commits/{sha}"),
                "comment_count": 0,
                "verification": self.verification(commit),
            },
            "url": format!("{api}/commits/{sha}"),
            "html_url": format!("{web}/commit/{sha}"),
            "comments_url": format!("{api}/commits/{sha}/comments"),
            "author": self.user_of(&commit.author),
            "committer": self.user_of(&commit.committer),
            "parents": parents.collect::<Vec<_>>(),
        })
    }

    fn verification(&self, commit: &CommitFacts) -> Value {
        if !self.world.signed_commits.contains(&commit.sha) {
            return json!({"verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null});
        }
        json!({
            "verified": true,
            "reason": "valid",
            "signature": "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----",
            "payload": format!("tree {}\n\n{}", commit.tree, commit.message),
            "verified_at": stamp(commit.committed_at),
        })
    }

    /// `commit` with `stats` and `files`.
    pub fn commit_full(&self, repository: Id, commit: &CommitFacts, files: &[ChangedFile]) -> Value {
        let mut shape = self.commit(repository, commit);
        let additions: usize = files.iter().map(|file| file.additions).sum();
        let deletions: usize = files.iter().map(|file| file.deletions).sum();
        let entries: Vec<_> = files.iter().map(|file| self.diff_entry(repository, &commit.sha, file)).collect();
        super::account::merge(
            &mut shape,
            json!({
                "stats": {"total": additions + deletions, "additions": additions, "deletions": deletions},
                "files": entries,
            }),
        );
        shape
    }

    /// `diff-entry`.
    pub fn diff_entry(&self, repository: Id, head: &str, file: &ChangedFile) -> Value {
        let (api, web) = (self.repository_api(repository), self.repository_web(repository));
        let path = &file.path;
        let mut entry = json!({
            "sha": file.blob,
            "filename": path,
            "status": file.status,
            "additions": file.additions,
            "deletions": file.deletions,
            "changes": file.additions + file.deletions,
            "blob_url": format!("{web}/blob/{head}/{path}"),
            "raw_url": format!("{web}/raw/{head}/{path}"),
            "contents_url": format!("{api}/contents/{path}?ref={head}"),
        });
        if let Some(patch) = &file.patch {
            super::account::merge(&mut entry, json!({"patch": patch}));
        }
        if let Some(previous) = &file.previous {
            super::account::merge(&mut entry, json!({"previous_filename": previous}));
        }
        entry
    }

    /// `commit-comparison`, its commits yet to be put in.
    pub(crate) fn comparison(
        &self,
        repository: Id,
        base: &CommitFacts,
        merge_base: &CommitFacts,
        head: &str,
        comparison: &Comparison,
    ) -> Value {
        let (api, web) = (self.repository_api(repository), self.repository_web(repository));
        let status = match (comparison.ahead, comparison.behind) {
            (0, 0) => "identical",
            (_, 0) => "ahead",
            (0, _) => "behind",
            _ => "diverged",
        };
        let span = format!("{}...{head}", base.sha);
        let files: Vec<_> = comparison.files.iter().map(|file| self.diff_entry(repository, head, file)).collect();
        json!({
            "url": format!("{api}/compare/{span}"),
            "html_url": format!("{web}/compare/{span}"),
            "permalink_url": format!("{web}/compare/{span}"),
            "diff_url": format!("{web}/compare/{span}.diff"),
            "patch_url": format!("{web}/compare/{span}.patch"),
            "base_commit": self.commit(repository, base),
            "merge_base_commit": self.commit(repository, merge_base),
            "status": status,
            "ahead_by": comparison.ahead,
            "behind_by": comparison.behind,
            "total_commits": comparison.commits.len(),
            "commits": [],
            "files": files,
        })
    }

    /// A commit in a `push` event.
    pub(crate) fn push_commit(&self, repository: Id, commit: &CommitFacts) -> Value {
        let files = self.git.commit_files(repository, &commit.sha).unwrap_or_default();
        let of = |status: &[&str]| -> Vec<&str> {
            files.iter().filter(|file| status.contains(&file.status)).map(|file| file.path.as_str()).collect()
        };
        json!({
            "id": commit.sha,
            "tree_id": commit.tree,
            "distinct": true,
            "message": commit.message.trim_end(),
            "timestamp": stamp(commit.committed_at),
            "url": format!("{}/commit/{}", self.repository_web(repository), commit.sha),
            "author": self.push_person(&commit.author),
            "committer": self.push_person(&commit.committer),
            "added": of(&["added", "copied"]),
            "removed": of(&["removed"]),
            "modified": of(&["modified", "renamed", "changed"]),
        })
    }

    fn push_person(&self, author: &Author) -> Value {
        match self.account_of(author) {
            Some(account) => json!({"name": author.name, "email": author.email, "username": account.login}),
            None => json!({"name": author.name, "email": author.email}),
        }
    }

    /// The `pusher` of a `push` event.
    pub(crate) fn pusher(&self, by: Id) -> Value {
        let account = self.world.accounts.get(&by);
        account.map_or(json!({"name": "ghost"}), |account| json!({"name": account.login, "email": account.email()}))
    }

    pub(crate) fn compare_url(&self, repository: Id, before: &str, after: &str) -> String {
        let short = |sha: &str| sha.chars().take(12).collect::<String>();
        format!("{}/compare/{}...{}", self.repository_web(repository), short(before), short(after))
    }
}
