//! `completions` and `man`: made from the same description as `--help`.

use std::io::{Write, stdout};

use clap::CommandFactory;

use crate::arguments::{Arguments, CompletionsArguments};
use crate::exit::Exit;

/// Prints the completion script of a shell.
pub fn run(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "flowctl", &mut script);
    stdout().write_all(&script)?;
    Ok(Exit::Done)
}

/// Prints the manual page.
pub fn man() -> anyhow::Result<Exit> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    stdout().write_all(&page)?;
    Ok(Exit::Done)
}
