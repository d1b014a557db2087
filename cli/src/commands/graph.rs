//! `graph`: a process drawn.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use flowctl_core::definition::Process;
use flowctl_core::definition::repository::{File, Repository};
use flowctl_core::graph::{self, Marks};
use flowctl_core::validate::{Options, Severity, validate};

use crate::arguments::{GraphArguments, GraphFormat};
use crate::exit::Exit;
use crate::format::plural;
use crate::repository::{Checkout, around, checkouts};
use crate::terminal::{DIM, print};

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
        Checkout::open(&around(Path::new(".")).context("there is no `.flow/` here or above")?)?
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
        let process = definitions.processes().find(|(file, _)| checkout.wants(file.source.path()));
        return process.with_context(|| {
            format!("`{wanted}` holds no process that can be read; `flowctl validate {wanted}` says why")
        });
    }
    let found = definitions.process(wanted);
    found.with_context(|| format!("there is no process `{wanted}`; {}", names(definitions)))
}

/// The processes that there are, for a message.
pub fn names(definitions: &Repository) -> String {
    let names: Vec<&str> = definitions.processes().map(|(_, process)| process.header.name.as_str()).collect();
    if names.is_empty() { "there are none".to_owned() } else { format!("there are: {}", names.join(", ")) }
}
