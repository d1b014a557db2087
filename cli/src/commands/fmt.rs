//! `fmt`: reads definitions, has them formatted, writes what differs.

use anyhow::Context;
use flowctl_core::definition::repository::FileKind;
use flowctl_core::format::{FormatError, format};
use flowctl_core::source::SourceFile;
use similar::TextDiff;

use super::validate::replace;
use crate::arguments::FmtArguments;
use crate::exit::Exit;
use crate::format::plural;
use crate::repository::{Checkout, checkouts};
use crate::terminal::{self, ERROR};

/// Formats what the arguments name.
pub fn run(arguments: &FmtArguments, quiet: bool) -> anyhow::Result<Exit> {
    let mut tally = Tally::default();
    for checkout in checkouts(&arguments.path, Some(&arguments.stdin_filename))? {
        for (path, bytes) in checkout.files.iter().filter(|(path, _)| checkout.wants(path)) {
            if FileKind::of(path) != FileKind::Unknown && !path.ends_with(".json") {
                one(arguments, &checkout, path, bytes, &mut tally)?;
            }
        }
    }
    let Tally { changed, same, failed } = tally;
    if changed + same + failed == 0 {
        if !quiet {
            anstream::eprintln!("nothing to format");
        }
        return Ok(Exit::Waiting);
    }
    if !quiet && !arguments.path.iter().any(|path| path == "-") {
        let files = |count| plural(count, "file", "files");
        let what = if arguments.check || arguments.diff { "to format" } else { "formatted" };
        let others = match same {
            0 => String::new(),
            1 => "; 1 file is as it should be".to_owned(),
            _ => format!("; {} are as they should be", files(same)),
        };
        anstream::eprintln!("{} {what}{others}", files(changed));
    }
    let asks = arguments.check || arguments.diff;
    Ok(if failed > 0 || (asks && changed > 0) { Exit::Findings } else { Exit::Done })
}

/// How many files were what.
#[derive(Debug, Default)]
struct Tally {
    changed: usize,
    same: usize,
    failed: usize,
}

fn one(
    arguments: &FmtArguments,
    checkout: &Checkout,
    path: &str,
    bytes: &[u8],
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let shown = checkout.shown(path);
    let is_stdin = checkout.stdin.as_deref() == Some(path);
    let Ok(text) = std::str::from_utf8(bytes) else {
        anstream::eprintln!("{ERROR}error{ERROR:#}: {shown}: it is no UTF-8");
        tally.failed += 1;
        return Ok(());
    };
    let formatted = match format(path, text) {
        Ok(formatted) => formatted,
        Err(error) => {
            tell(&error, &shown, text);
            tally.failed += 1;
            return Ok(());
        }
    };
    let same = formatted == text;
    *(if same { &mut tally.same } else { &mut tally.changed }) += 1;
    if is_stdin && !arguments.check && !arguments.diff {
        return terminal::print_exactly(&formatted);
    }
    if same {
        return Ok(());
    }
    if arguments.diff {
        let name = shown.trim_start_matches('/');
        let diff = TextDiff::from_lines(text, formatted.as_str());
        let diff = diff.unified_diff().header(&format!("a/{name}"), &format!("b/{name}")).to_string();
        return terminal::print_exactly(&diff);
    }
    if arguments.check {
        return terminal::print(&shown);
    }
    let on_disk = checkout.root.join(path);
    replace(&on_disk, Some(text), &formatted).with_context(|| format!("{shown} was not formatted"))
}

/// Why a file is left as it is, with the places of what is wrong with it.
fn tell(error: &FormatError, shown: &str, text: &str) {
    let FormatError::Faulty(faults) = error else {
        anstream::eprintln!("{ERROR}error{ERROR:#}: {shown}: {error}");
        return;
    };
    let source = SourceFile::new(shown, text);
    for fault in faults {
        let at = source.position(fault.span.start);
        let help = fault.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        anstream::eprintln!("{ERROR}error{ERROR:#}: {shown}:{}:{}: {}{help}", at.line, at.column, fault.message);
    }
}
