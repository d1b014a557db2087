//! What lies between two commits: commits, files, patches.

use git2::{Delta, DiffFindOptions, Oid, Patch, Repository, Sort};
use jiff::Timestamp;

use super::{Author, GitStore};
use crate::error::SandboxError;

/// One commit, as far as GitHub's API shows it.
#[derive(Debug, Clone)]
pub struct CommitFacts {
    /// The commit's id.
    pub sha: String,
    /// Its tree's id.
    pub tree: String,
    /// Its parents' ids.
    pub parents: Vec<String>,
    /// The whole message.
    pub message: String,
    /// Who wrote it.
    pub author: Author,
    /// When it was written.
    pub authored_at: Timestamp,
    /// Who committed it.
    pub committer: Author,
    /// When it was committed.
    pub committed_at: Timestamp,
}

/// One file that differs.
#[derive(Debug, Clone)]
pub struct ChangedFile {
    /// Its path now (or before, when it was removed).
    pub path: String,
    /// Its path before, when it was renamed.
    pub previous: Option<String>,
    /// GitHub's word: `added`, `removed`, `modified`, `renamed`, `copied`, `changed`.
    pub status: &'static str,
    /// Lines that were added.
    pub additions: usize,
    /// Lines that were deleted.
    pub deletions: usize,
    /// The blob's id.
    pub blob: String,
    /// The hunks, absent for binary files.
    pub patch: Option<String>,
}

/// Two commits side by side, from their merge base.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The commit that both come from.
    pub merge_base: String,
    /// How many commits `head` has that `base` has not.
    pub ahead: usize,
    /// How many commits `base` has that `head` has not.
    pub behind: usize,
    /// The commits of `head` that `base` has not, oldest first.
    pub commits: Vec<CommitFacts>,
    /// What differs between the merge base and `head`.
    pub files: Vec<ChangedFile>,
}

impl GitStore {
    /// Everything about one commit.
    pub(crate) fn commit_facts(&self, id: u64, sha: &str) -> Result<CommitFacts, SandboxError> {
        facts(&self.open(id)?, Oid::from_str(sha)?)
    }

    /// The commits that lead to `sha`, newest first, at most `limit`.
    pub(crate) fn log(&self, id: u64, sha: &str, limit: usize) -> Result<Vec<CommitFacts>, SandboxError> {
        let repository = self.open(id)?;
        let mut walk = repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
        walk.push(Oid::from_str(sha)?)?;
        walk.take(limit).map(|oid| facts(&repository, oid?)).collect()
    }

    /// Compares as `base...head` does: from the merge base.
    pub(crate) fn compare(&self, id: u64, base: &str, head: &str) -> Result<Comparison, SandboxError> {
        let repository = self.open(id)?;
        let (base, head) = (Oid::from_str(base)?, Oid::from_str(head)?);
        let merge_base = repository
            .merge_base(base, head)
            .map_err(|_| SandboxError::NotFound("a common ancestor of the two commits".to_owned()))?;
        let (ahead, behind) = repository.graph_ahead_behind(head, base)?;
        let mut walk = repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push(head)?;
        walk.hide(base)?;
        let commits = walk.map(|oid| facts(&repository, oid?)).collect::<Result<_, SandboxError>>()?;
        let files = changed_files(&repository, Some(merge_base), head)?;
        Ok(Comparison { merge_base: merge_base.to_string(), ahead, behind, commits, files })
    }

    /// What a commit changed against its first parent.
    pub(crate) fn commit_files(&self, id: u64, sha: &str) -> Result<Vec<ChangedFile>, SandboxError> {
        let repository = self.open(id)?;
        let commit = Oid::from_str(sha)?;
        let parent = repository.find_commit(commit)?.parent_id(0).ok();
        changed_files(&repository, parent, commit)
    }

    /// Whether `old` leads to `new`, so that a move from one to the other is no force.
    pub(crate) fn is_ancestor(&self, id: u64, old: &str, new: &str) -> bool {
        let descends = || -> Option<bool> {
            let (old, new) = (Oid::from_str(old).ok()?, Oid::from_str(new).ok()?);
            self.open(id).ok()?.graph_descendant_of(new, old).ok()
        };
        old == new || descends().unwrap_or(false)
    }

    /// The commits of `new` that `old` has not, oldest first.
    pub(crate) fn commits_between(
        &self,
        id: u64,
        old: Option<&str>,
        new: &str,
        limit: usize,
    ) -> Result<Vec<CommitFacts>, SandboxError> {
        let repository = self.open(id)?;
        let mut walk = repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL)?;
        walk.push(Oid::from_str(new)?)?;
        if let Some(old) = old {
            walk.hide(Oid::from_str(old)?)?;
        }
        let mut commits =
            walk.take(limit).map(|oid| facts(&repository, oid?)).collect::<Result<Vec<_>, SandboxError>>()?;
        commits.reverse();
        Ok(commits)
    }
}

fn facts(repository: &Repository, oid: Oid) -> Result<CommitFacts, SandboxError> {
    let commit = repository.find_commit(oid).map_err(|_| SandboxError::NotFound(format!("commit `{oid}`")))?;
    let person = |signature: &git2::Signature<'_>| Author {
        name: String::from_utf8_lossy(signature.name_bytes()).into_owned(),
        email: String::from_utf8_lossy(signature.email_bytes()).into_owned(),
    };
    let moment = |time: git2::Time| Timestamp::from_second(time.seconds()).unwrap_or_default();
    Ok(CommitFacts {
        sha: oid.to_string(),
        tree: commit.tree_id().to_string(),
        parents: commit.parent_ids().map(|parent| parent.to_string()).collect(),
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        author: person(&commit.author()),
        authored_at: moment(commit.author().when()),
        committer: person(&commit.committer()),
        committed_at: moment(commit.committer().when()),
    })
}

fn changed_files(repository: &Repository, from: Option<Oid>, to: Oid) -> Result<Vec<ChangedFile>, SandboxError> {
    let old = from.map(|oid| repository.find_commit(oid)?.tree()).transpose()?;
    let new = repository.find_commit(to)?.tree()?;
    let mut diff = repository.diff_tree_to_tree(old.as_ref(), Some(&new), None)?;
    diff.find_similar(Some(DiffFindOptions::new().renames(true)))?;
    (0..diff.deltas().len()).map(|index| changed_file(&diff, index)).collect()
}

fn changed_file(diff: &git2::Diff<'_>, index: usize) -> Result<ChangedFile, SandboxError> {
    let Some(delta) = diff.get_delta(index) else {
        return Err(SandboxError::NotFound("a file of the comparison".to_owned()));
    };
    let name = |file: git2::DiffFile<'_>| file.path_bytes().map(|path| String::from_utf8_lossy(path).into_owned());
    let status = match delta.status() {
        Delta::Added => "added",
        Delta::Deleted => "removed",
        Delta::Renamed => "renamed",
        Delta::Copied => "copied",
        Delta::Typechange => "changed",
        _ => "modified",
    };
    let side = if status == "removed" { delta.old_file() } else { delta.new_file() };
    let blob = side.id().to_string();
    let path = name(side).unwrap_or_default();
    let previous = (status == "renamed").then(|| name(delta.old_file())).flatten();
    let (mut additions, mut deletions, mut text) = (0, 0, None);
    if let Some(mut patch) = Patch::from_diff(diff, index)? {
        (_, additions, deletions) = patch.line_stats()?;
        let bytes = patch.to_buf()?;
        let whole = String::from_utf8_lossy(&bytes).into_owned();
        text = whole.find("@@").map(|start| whole[start..].trim_end_matches('\n').to_owned());
    }
    Ok(ChangedFile { path, previous, status, additions, deletions, blob, patch: text })
}
