//! `--watch` of `validate` and `test`: looks again whenever a file changes, until Ctrl-C. What the system tells of changes is a hint; what the
//! files say is the truth, so that a folder may go and come back and an editor may write in any way.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use notify_debouncer_mini::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_mini::{DebounceEventResult, Debouncer, new_debouncer};

use crate::exit::{Exit, told_once};
use crate::repository::{FLOW, walk};
use crate::terminal::{self, DIM, ERROR};

/// How long changes are gathered: an editor writes a file in several steps.
const GATHER: Duration = Duration::from_millis(100);
/// How often files are looked at without a hint: not every file system tells of changes.
const WITHOUT_HINT: Duration = Duration::from_secs(2);
/// Takes everything off a terminal and goes to its beginning (ECMA-48: ED, CUP; xterm: scrollback).
const CLEAR: &str = "\u{1b}[2J\u{1b}[3J\u{1b}[H";

/// What wakes the watcher.
enum Woken {
    Changed,
    Interrupted,
}

/// How looks are shown.
#[derive(Debug, Clone, Copy)]
pub struct Showing {
    /// Whether each look is a line for a program; a terminal is not cleared then.
    pub as_lines: bool,
    /// Whether only results are printed.
    pub quiet: bool,
}

/// Looks and prints, and again whenever a file of these repositories changes, until Ctrl-C. A look that fails is told and
/// may come right again; printing that fails ends it.
pub fn again_and_again<T>(
    roots: &[PathBuf],
    showing: Showing,
    look: &dyn Fn() -> anyhow::Result<T>,
    print: &dyn Fn(&T) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    let (tell, wake) = channel();
    on_interrupt(tell.clone())?;
    let mut watched = Watched::new(roots, tell)?;
    // Looked at after the watching began, so that no change falls between the two.
    loop {
        if !showing.as_lines && std::io::stdout().is_terminal() {
            terminal::print_exactly(CLEAR)?;
        }
        match look() {
            Ok(seen) => print(&seen)?,
            Err(error) => anstream::eprintln!("{ERROR}error{ERROR:#}: {}", told_once(&error)),
        }
        if !showing.quiet && !showing.as_lines {
            anstream::eprintln!("{DIM}waiting for changes; Ctrl-C ends{DIM:#}");
        }
        if matches!(watched.wait(&wake), Woken::Interrupted) {
            return Ok(Exit::Interrupted);
        }
    }
}

/// Ctrl-C wakes the watcher, which then ends as every command does.
fn on_interrupt(tell: Sender<Woken>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered before anything is printed: who reads that may interrupt at once.
    let mut interrupts = {
        let _inside = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?
    };
    std::thread::spawn(move || {
        if runtime.block_on(interrupts.recv()).is_some() {
            // Nobody listens any more only where the program ends anyway.
            let _ = tell.send(Woken::Interrupted);
        }
    });
    Ok(())
}

/// What of a file tells that it changed.
type Stamp = (u64, Option<SystemTime>);

struct Watched {
    roots: Vec<PathBuf>,
    debouncer: Debouncer<RecommendedWatcher>,
    files: BTreeMap<PathBuf, Stamp>,
}

impl Watched {
    fn new(roots: &[PathBuf], tell: Sender<Woken>) -> anyhow::Result<Self> {
        let hint = move |_: DebounceEventResult| drop(tell.send(Woken::Changed));
        let debouncer = new_debouncer(GATHER, hint).context("cannot watch files")?;
        let roots = if roots.is_empty() { vec![std::env::current_dir()?] } else { roots.to_vec() };
        let mut watched = Self { roots, debouncer, files: BTreeMap::new() };
        watched.arm();
        watched.files = watched.stamps();
        Ok(watched)
    }

    /// Watches what is there now: a folder that was deleted and made again is another one. A file system that tells
    /// nothing is looked at without hints.
    fn arm(&mut self) {
        for root in &self.roots {
            for (folder, mode) in
                [(root.clone(), RecursiveMode::NonRecursive), (root.join(FLOW), RecursiveMode::Recursive)]
            {
                let _ = self.debouncer.watcher().unwatch(&folder);
                if folder.is_dir() {
                    let _ = self.debouncer.watcher().watch(&folder, mode);
                }
            }
        }
    }

    /// Waits until a file is another, or the person has had enough.
    fn wait(&mut self, wake: &Receiver<Woken>) -> Woken {
        loop {
            // Before waiting: a file may have changed while others were looked at.
            let now = self.stamps();
            if now != self.files {
                self.files = now;
                self.arm();
                return Woken::Changed;
            }
            match wake.recv_timeout(WITHOUT_HINT) {
                Ok(Woken::Interrupted) | Err(RecvTimeoutError::Disconnected) => return Woken::Interrupted,
                Ok(Woken::Changed) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn stamps(&self) -> BTreeMap<PathBuf, Stamp> {
        let mut stamps = BTreeMap::new();
        for root in &self.roots {
            stamps.extend(stamped(&root.join(FLOW)));
            // Files that are validated alone lie beside no `.flow/`.
            if !root.join(FLOW).exists() {
                stamps.extend(beside(root));
            }
        }
        stamps
    }
}

fn stamped(folder: &Path) -> Vec<(PathBuf, Stamp)> {
    let entries = walk(folder).flatten();
    entries.filter_map(|entry| Some((entry.path().to_owned(), stamp(&entry.path().symlink_metadata().ok()?)))).collect()
}

fn beside(folder: &Path) -> Vec<(PathBuf, Stamp)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    files.filter(|(_, known)| known.is_file()).map(|(path, known)| (path, stamp(&known))).collect()
}

fn stamp(metadata: &std::fs::Metadata) -> Stamp {
    (metadata.len(), metadata.modified().ok())
}
