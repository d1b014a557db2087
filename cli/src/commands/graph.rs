//! `graph`: a process drawn.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use flowctl_core::definition::Process;
use flowctl_core::definition::repository::Repository;
use flowctl_core::graph;

use crate::arguments::{GraphArguments, GraphFormat};
use crate::exit::Exit;
use crate::repository::{Checkout, around, checkouts};
use crate::terminal::print;

/// Draws the process.
pub fn run(arguments: &GraphArguments) -> anyhow::Result<Exit> {
    let process = find(&arguments.process)?;
    let picture = match arguments.format {
        GraphFormat::Ascii => graph::ascii(&process),
        GraphFormat::Mermaid => graph::mermaid(&process),
    };
    print(picture.trim_end_matches('\n'))?;
    Ok(Exit::Done)
}

/// A process by its name or its file.
fn find(wanted: &str) -> anyhow::Result<Arc<Process>> {
    if Path::new(wanted).is_file() {
        let checkout = checkouts(&[wanted.to_owned()], "")?.into_iter().next().context("the file cannot be read")?;
        let definitions = checkout.definitions();
        let process = definitions.processes().find(|(file, _)| checkout.wants(file.source.path()));
        let (_, process) = process.with_context(|| {
            format!("`{wanted}` holds no process that can be read; `flowctl validate {wanted}` says why")
        })?;
        return Ok(Arc::clone(process));
    }
    let root = around(Path::new(".")).context("there is no `.flow/` here or above")?;
    let definitions = Checkout::open(&root)?.definitions();
    let found = definitions.process(wanted).map(|(_, process)| Arc::clone(process));
    found.with_context(|| format!("there is no process `{wanted}`; {}", names(&definitions)))
}

/// The processes that there are, for a message.
pub fn names(definitions: &Repository) -> String {
    let names: Vec<&str> = definitions.processes().map(|(_, process)| process.header.name.as_str()).collect();
    if names.is_empty() { "there are none".to_owned() } else { format!("there are: {}", names.join(", ")) }
}
