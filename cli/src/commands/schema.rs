//! `schema`: the JSON Schema of a kind of file.

use anyhow::Context;
use flowctl_core::definition::schema;

use crate::arguments::SchemaArguments;
use crate::exit::Exit;
use crate::terminal::print;

/// Prints the schema.
pub fn run(arguments: &SchemaArguments) -> anyhow::Result<Exit> {
    let schema = schema::of_kind(&arguments.kind).context("this kind of file has no schema")?;
    print(&serde_json::to_string_pretty(&schema)?)?;
    Ok(Exit::Done)
}
