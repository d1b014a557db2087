//! `--fix` and `--diff`: fixes are made in memory until nothing changes; then files are written, or the difference shown.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use flowctl_core::definition::repository::{File, Repository};
use flowctl_core::validate::{Applicability, Options, Report, mend, validate};
use similar::TextDiff;

use super::selection::Selection;
use crate::arguments::FixingArguments;
use crate::format::Fixed;
use crate::repository::Checkout;

/// How often everything is looked at anew. A fix that brings another finding is rare; ten in a row go in circles.
const ROUNDS: usize = 10;

/// What is changed, and how far.
#[derive(Debug, Default)]
pub struct Fixing {
    allowed: Option<Applicability>,
    /// What was fixed.
    pub fixed: Vec<Fixed>,
    /// The files that change, by where they are.
    files: BTreeMap<PathBuf, Changed>,
    /// Standard input as it is then, also where nothing changed.
    pub stdin: Option<String>,
}

/// A file before and after.
#[derive(Debug)]
struct Changed {
    shown: String,
    before: String,
    after: String,
    is_stdin: bool,
}

/// A repository under repair.
pub struct Round<'r> {
    /// Where its files are.
    pub checkout: &'r Checkout,
    /// The definitions; replaced as they change.
    pub definitions: &'r mut Repository,
    /// What is found in them; replaced with them.
    pub report: &'r mut Report,
}

impl Fixing {
    /// What the arguments ask for.
    pub fn of(arguments: &FixingArguments) -> Self {
        let allowed = if arguments.unsafe_fixes { Applicability::Unsafe } else { Applicability::Safe };
        let asked = arguments.fix || arguments.diff;
        Self { allowed: asked.then_some(allowed), ..Self::default() }
    }

    /// Whether anything is to be fixed.
    pub fn is_asked_for(&self) -> bool {
        self.allowed.is_some()
    }

    /// Makes the fixes of a repository until nothing changes, in memory.
    pub fn make(&mut self, round: &mut Round<'_>, selection: &Selection, options: &Options<'_>) -> anyhow::Result<()> {
        let Some(allowed) = self.allowed else { return Ok(()) };
        for _ in 0..ROUNDS {
            let changed = self.round(round, selection, allowed);
            if changed.is_empty() {
                break;
            }
            for file in changed {
                round.definitions.insert(file);
            }
            *round.report = validate(round.definitions, options);
        }
        if let Some(path) = &round.checkout.stdin {
            let file = round.definitions.files.get(path.as_str()).context("standard input was read")?;
            self.stdin = Some(file.source.text().to_owned());
        }
        Ok(())
    }

    /// Makes the fixes that go together; the files that changed.
    fn round(&mut self, round: &Round<'_>, selection: &Selection, allowed: Applicability) -> Vec<File> {
        let Round { checkout, definitions, report } = round;
        let wanted = |path: &str| checkout.wants(path) && is_text(checkout, path);
        let proposed: Vec<_> =
            report.findings.iter().filter(|f| wanted(&f.path) && selection.wants(f)).cloned().collect();
        let mut changed = Vec::new();
        let mut last = None;
        for finding in &proposed {
            if last == Some(&finding.path) {
                continue;
            }
            last = Some(&finding.path);
            let Some(file) = definitions.files.get(finding.path.as_str()) else { continue };
            let Some(mended) = mend(file, &proposed, allowed) else { continue };
            let shown = checkout.shown(&finding.path);
            self.fixed.extend(mended.made.iter().map(|at| Fixed::of(&proposed[*at], &shown)));
            self.note(checkout, &finding.path, file.source.text(), &mended.text);
            changed.push(File::read(&finding.path, &mended.text));
        }
        changed
    }

    fn note(&mut self, checkout: &Checkout, path: &str, before: &str, after: &str) {
        let entry = self.files.entry(checkout.root.join(path)).or_insert_with(|| Changed {
            shown: checkout.shown(path),
            before: before.to_owned(),
            after: String::new(),
            is_stdin: checkout.stdin.as_deref() == Some(path),
        });
        after.clone_into(&mut entry.after);
    }

    /// Whether anything would change.
    pub fn changes(&self) -> bool {
        self.files.values().any(|file| file.before != file.after)
    }

    /// The differences, as `patch -p1` and `git apply` take them.
    pub fn diff(&self) -> String {
        let mut text = String::new();
        for file in self.files.values().filter(|file| file.before != file.after) {
            let name = file.shown.trim_start_matches('/');
            let diff = TextDiff::from_lines(&file.before, &file.after);
            text.push_str(&diff.unified_diff().header(&format!("a/{name}"), &format!("b/{name}")).to_string());
        }
        text
    }

    /// Writes the files, each whole or not at all.
    pub fn write(&self) -> anyhow::Result<()> {
        for (path, file) in self.files.iter().filter(|(_, file)| !file.is_stdin && file.before != file.after) {
            replace(path, Some(&file.before), &file.after).with_context(|| format!("{} was not fixed", file.shown))?;
        }
        Ok(())
    }
}

/// Whether a file's bytes are the text that was looked at: what is no UTF-8 would come out as something else.
fn is_text(checkout: &Checkout, path: &str) -> bool {
    checkout.files.get(path).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
}

/// Writes a file whole or not at all: beside it under another name, then in its place. `before` is what it must still
/// hold; a file that somebody else changed meanwhile is left alone. Permissions stay.
pub fn replace(path: &Path, before: Option<&str>, after: &str) -> anyhow::Result<()> {
    // What a link leads to is written, and the link stays.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let permissions = fs::metadata(&path).ok().map(|known| known.permissions());
    if permissions.as_ref().is_some_and(fs::Permissions::readonly) {
        bail!("it is write-protected");
    }
    if let Some(before) = before
        && fs::read(&path)? != before.as_bytes()
    {
        bail!("it has been changed meanwhile");
    }
    // A file that is new gets what files here usually get; a temporary one's own are for nobody else.
    let usual = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    let mut file = tempfile::Builder::new().prefix(".flowctl-").permissions(usual).tempfile_in(folder)?;
    file.write_all(after.as_bytes())?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}
