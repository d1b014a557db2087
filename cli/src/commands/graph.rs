//! `graph`: a process drawn.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use flowctl_core::definition::Process;
use flowctl_core::definition::repository::{File, FileKind, Repository, stem};
use flowctl_core::graph::{self, Marks};
use flowctl_core::validate::{Options, Severity, validate};

use crate::arguments::{GraphArguments, GraphFormat};
use crate::exit::Exit;
use crate::format::plural;
use crate::repository::{Checkout, checkouts, nearest};
use crate::terminal::{DIM, print};
use crate::words::unknown;

/// Draws the process.
pub fn run(arguments: &GraphArguments, quiet: bool) -> anyhow::Result<Exit> {
    let (checkout, definitions) = read(&arguments.process)?;
    let (file, process) = find(&arguments.process, &checkout, &definitions)?;
    let is_drawn = matches!(arguments.format, GraphFormat::Ascii | GraphFormat::Svg);
    if let Some(edges) = graph::too_many_to_draw(process).filter(|_| is_drawn) {
        let name = process.header.name.as_str();
        anyhow::bail!(
            "`{name}` has {edges} edges, and a picture of more than {} shows nothing; leave out of `depends_on` what is \
             waited for anyway, or list them with `--format dot`",
            graph::MAX_DRAWN
        );
    }
    let workflow_files = checkout.workflow_files();
    let options = Options { performed_only: false, workflow_files: workflow_files.as_ref(), ..Options::default() };
    let report = validate(&definitions, &options).only(|path| path == file.source.path());
    let marks = if arguments.findings { Marks::of(file, process, &report.findings) } else { Marks::none() };
    let picture = match arguments.format {
        GraphFormat::Ascii => graph::ascii_marked(process, &marks),
        GraphFormat::Mermaid => graph::mermaid_marked(process, &marks),
        GraphFormat::Svg => graph::svg(process, &marks),
        GraphFormat::Dot => graph::dot(process, &marks),
    };
    print(picture.trim_end_matches('\n'))?;
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors > 0 && !quiet {
        let errors = plural(errors, "error", "errors");
        let path = checkout.shown(file.source.path());
        anstream::eprintln!("{DIM}{path} has {errors} and is drawn as far as it could be read{DIM:#}");
    }
    Ok(Exit::Done)
}

fn read(wanted: &str) -> anyhow::Result<(Checkout, Repository)> {
    let checkout = if Path::new(wanted).is_file() {
        checkouts(&[wanted.to_owned()], None)?.into_iter().next().context("the file cannot be read")?
    } else {
        Checkout::open(&nearest(Path::new("."))?)?
    };
    let definitions = checkout.definitions();
    Ok((checkout, definitions))
}

/// A process by its name or its file.
fn find<'r>(
    wanted: &str,
    checkout: &Checkout,
    definitions: &'r Repository,
) -> anyhow::Result<(&'r File, &'r Arc<Process>)> {
    if Path::new(wanted).is_file() {
        let process = definitions.all_processes().find(|(file, _)| checkout.wants(file.source.path()));
        return process.with_context(|| unreadable(wanted));
    }
    // Without a version, or with a name that is none, it never runs, and its steps can be drawn.
    let is_it = |file: &File, process: &Process| stem(file.source.path()) == wanted && !process.is_identified();
    let unidentified = || definitions.all_processes().find(|(file, process)| is_it(file, process));
    let process = definitions.process(wanted).or_else(unidentified);
    process.with_context(|| no_process(wanted, definitions, |path| checkout.shown(path)))
}

/// Why there is no process of a name: its file cannot be read, or there is none.
pub fn no_process(wanted: &str, definitions: &Repository, shown: impl Fn(&str) -> String) -> String {
    let is_read = |file: &File| definitions.processes().any(|(other, _)| other.source.path() == file.source.path());
    let mut files = definitions.files.values().filter(|file| file.kind == FileKind::Process && !is_read(file));
    if let Some(file) = files.find(|file| stem(file.source.path()) == wanted) {
        return unreadable(&shown(file.source.path()));
    }
    let names: Vec<&str> = definitions.processes().map(|(_, process)| process.header.name.as_str()).collect();
    unknown("process", wanted, names.into_iter())
}

fn unreadable(path: &str) -> String {
    format!("`{path}` holds no process that can be read; `flowctl validate {path}` says why")
}
