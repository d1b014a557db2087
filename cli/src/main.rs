//! flowctl: the command line. Only here: arguments, exit codes, colours, terminals. What it does lives in `core`,
//! `app` and `sandbox`.

mod arguments;
mod client;
mod commands;
mod exit;
mod format;
mod forms;
mod lsp;
mod mcp;
mod prices;
mod questions;
mod repository;
mod rows;
mod samples;
mod screen;
mod terminal;
mod timeline;
mod views;
mod watching;
mod words;

use std::process::ExitCode;

use anstream::eprintln;
use clap::Parser;

use arguments::{Arguments, Command};
use exit::Exit;

/// Definitions become millions of small pieces, on every core at once: the system's allocator is what that waits for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    terminal::set_colour(arguments.color);
    match run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) if exit::is_broken_pipe(&error) => Exit::Done.into(),
        Err(error) if exit::is_interrupted(&error) => Exit::Interrupted.into(),
        Err(error) => {
            let red = terminal::ERROR;
            eprintln!("{red}error{red:#}: {}", exit::told_once(&error));
            Exit::Unusable.into()
        }
    }
}

/// Help and version are results; anything else is wrong usage, and says so on standard error.
fn usage(error: &clap::Error) -> ExitCode {
    let exit = if error.use_stderr() { Exit::Unusable } else { Exit::Done };
    // A closed pipe is nobody's fault, and there is nowhere left to say so.
    let _ = error.print();
    exit.into()
}

fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let quiet = arguments.quiet;
    match arguments.command {
        Command::Validate(validate) => commands::validate::run(&validate, quiet),
        Command::Explain(explain) => commands::explain::run(&explain),
        Command::Schema(schema) => commands::schema::run(&schema),
        Command::Graph(graph) => commands::graph::run(&graph, quiet),
        Command::Test(test) => commands::test::run(&test, quiet),
        Command::Diff(diff) => commands::diff::run(&diff),
        Command::Fmt(fmt) => commands::fmt::run(&fmt, quiet),
        Command::Lsp => commands::lsp::run(),
        Command::Generate(generate) => commands::generate::run(&generate, quiet),
        Command::Mcp(mcp) => commands::mcp::run(&mcp),
        Command::Init(init) => commands::init::run(&init, quiet),
        Command::Run(run) => commands::run::run(&run, quiet),
        Command::Dev(dev) => commands::dev::run(&dev, quiet),
        Command::Serve(serve) => commands::serve::run(&serve),
        Command::Migrate(migrate) => commands::migrate::run(&migrate),
        Command::Executions(executions) => commands::executions::run(&executions, quiet),
        Command::Approvals(approvals) => commands::approvals::run(&approvals),
        Command::Processes(processes) => commands::processes::run(&processes, quiet),
        Command::Db(db) => commands::db::run(&db, quiet),
        Command::Audit(audit) => commands::audit::run(&audit),
        Command::Doctor(doctor) => commands::doctor::run(&doctor),
        Command::Completions(completions) => commands::completions::run(&completions),
        Command::Man => commands::completions::man(),
    }
}
