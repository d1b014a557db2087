//! Slash commands in comments and reviews: finds them in Markdown and reads them by one table of verbs. It does not
//! know who wrote the comment nor what exists; whether a command may and can be done is decided elsewhere.

mod grammar;
mod lines;
pub mod values;
mod words;

#[cfg(test)]
mod tests;

use std::ops::Range;

use jiff::Timestamp;

use crate::value::Duration;

pub use grammar::{CommandHelp, Verb, help};
pub use words::parse_arguments;

/// Most commands (and faults in commands) that are read of one comment; each may lead to a reply.
pub const MAX_COMMANDS: usize = 20;

/// The id of a step, `[a-z][a-z0-9_]*`; inside of the items of a `foreach` with their places, as in `deploy[2]`. What it is
/// a step of may stand before it, see [`StepName`].
pub type StepRef = String;

/// A [`StepRef`] taken apart: `leads`, `release/leads`, `5d1c77aa9e02/leads`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepName<'a> {
    /// The process, or the execution's id or its end.
    pub of: Option<&'a str>,
    /// The step itself.
    pub key: &'a str,
}

impl<'a> StepName<'a> {
    /// Takes a step's name apart.
    pub fn of(text: &'a str) -> Self {
        match text.split_once('/') {
            Some((of, key)) => Self { of: Some(of), key },
            None => Self { of: None, key: text },
        }
    }

    /// Whether a step of that process, in the execution of that id, is meant by it.
    pub fn is_of(&self, process: &str, execution: &str) -> bool {
        /// Fewer characters of an id than these name no execution.
        const LEAST: usize = 8;
        self.of.is_none_or(|of| of == process || (of.len() >= LEAST && execution.ends_with(of)))
    }
}

/// Everything that a comment says to flowctl.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The commands, in the order of the comment.
    pub invocations: Vec<Invocation>,
    /// Commands of ours that cannot be read.
    pub errors: Vec<CommandError>,
    /// Slash words that are not ours: comment triggers of processes, or commands for other bots.
    pub unknown: Vec<UnknownWord>,
}

/// A command and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What is asked for.
    pub command: Command,
    /// From the slash to the end of its line, in bytes of the comment.
    pub range: Range<usize>,
    /// Its line, from 1.
    pub line: u32,
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `/approve [step] [commit] [-- note]`
    Approve {
        /// Which approval; without it the only one that waits.
        step: Option<StepRef>,
        /// 7 to 40 hexadecimal digits in lower case.
        commit: Option<String>,
        /// The words after `--`.
        note: Option<String>,
    },
    /// `/reject [step] [commit] [-- note]`
    Reject {
        /// Which approval; without it the only one that waits.
        step: Option<StepRef>,
        /// 7 to 40 hexadecimal digits in lower case.
        commit: Option<String>,
        /// The words after `--`.
        note: Option<String>,
    },
    /// `/run process [name=value …]`
    Run {
        /// Name of the process.
        process: String,
        /// Inputs in their order; the names are unique.
        inputs: Vec<(String, String)>,
    },
    /// `/cancel`
    Cancel,
    /// `/retry [step]`
    Retry {
        /// From which step on; without it from what failed.
        step: Option<StepRef>,
    },
    /// `/answer [step] name=value …` or a fenced YAML block right below
    Answer {
        /// Which form; without it the only one that waits.
        step: Option<StepRef>,
        /// Fields in their order; the names are unique. Empty if there is a block.
        values: Vec<(String, String)>,
        /// The text of the block, without its fences.
        block: Option<String>,
    },
    /// `/status`
    Status,
    /// `/help`
    Help,
    /// `/recheck`
    Recheck,
    /// `/delegate @user [until …] [-- note]`
    Delegate {
        /// To whom: the login without its `@`.
        to: String,
        /// Until when.
        until: Option<Until>,
        /// The words after `--`.
        note: Option<String>,
    },
    /// `/override [step] reason="…"`
    Override {
        /// Which approval; without it the only one that waits.
        step: Option<StepRef>,
        /// Why; not empty.
        reason: String,
    },
    /// `/hold [-- note]`
    Hold {
        /// The words after `--`.
        note: Option<String>,
    },
    /// `/unhold [-- note]`
    Unhold {
        /// The words after `--`.
        note: Option<String>,
    },
    /// `/ask [question]`
    Ask {
        /// The rest of the line, as it stands.
        question: Option<String>,
    },
}

impl Command {
    /// The step or process that it names.
    pub fn named(&self) -> Option<&str> {
        match self {
            Self::Run { process, .. } => Some(process),
            Self::Approve { step, .. }
            | Self::Reject { step, .. }
            | Self::Retry { step }
            | Self::Answer { step, .. }
            | Self::Override { step, .. } => step.as_deref(),
            _ => None,
        }
    }

    /// Its verb.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Approve { .. } => Verb::Approve,
            Self::Reject { .. } => Verb::Reject,
            Self::Run { .. } => Verb::Run,
            Self::Cancel => Verb::Cancel,
            Self::Retry { .. } => Verb::Retry,
            Self::Answer { .. } => Verb::Answer,
            Self::Status => Verb::Status,
            Self::Help => Verb::Help,
            Self::Recheck => Verb::Recheck,
            Self::Delegate { .. } => Verb::Delegate,
            Self::Override { .. } => Verb::Override,
            Self::Hold { .. } => Verb::Hold,
            Self::Unhold { .. } => Verb::Unhold,
            Self::Ask { .. } => Verb::Ask,
        }
    }
}

/// Until when something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// So long from now on.
    For(Duration),
    /// Until the end of this day, in UTC.
    EndOf(jiff::civil::Date),
    /// Until this moment.
    Moment(Timestamp),
}

impl Until {
    /// What a text says: a duration (`3d`), a day (`2026-03-10`) or a moment (`2026-03-10T18:00:00Z`).
    pub fn read(text: &str) -> Option<Self> {
        let duration = text.parse().map(Self::For).ok();
        let moment = || text.parse().map(Self::Moment).ok();
        duration.or_else(moment).or_else(|| text.parse().map(Self::EndOf).ok())
    }

    /// The moment that is meant by what is said at `now`; nothing past the end of time.
    pub fn moment(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::For(duration) => now.checked_add(duration.as_signed()).ok(),
            Self::EndOf(day) => {
                day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|next| next.timestamp())
            }
            Self::Moment(moment) => Some(moment),
        }
    }
}

/// A command that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The wrong part, in bytes of the comment.
    pub range: Range<usize>,
    /// Its line, from 1.
    pub line: u32,
}

/// A slash word that is no command of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    /// The word without its slash, as it was written.
    pub word: String,
    /// The word with its slash, in bytes of the comment.
    pub range: Range<usize>,
    /// The verb of ours that it is probably a slip of.
    pub suggestion: Option<&'static str>,
    /// What follows on its line, see [`parse_arguments`].
    pub rest: String,
}

/// Reads a comment. Lines that begin with a slash word count, but not in code, quotes, lists, links or HTML.
/// Ranges are bytes of `body`, on character boundaries.
pub fn read(body: &str) -> Reading {
    let document = lines::document(body);
    let mut reading = Reading::default();
    for line in &document.lines {
        if reading.invocations.len() + reading.errors.len() + reading.unknown.len() >= MAX_COMMANDS {
            if !reading.invocations.is_empty() || !reading.errors.is_empty() {
                reading.errors.push(CommandError {
                    message: format!("a comment may contain at most {MAX_COMMANDS} commands; the rest was not read"),
                    help: None,
                    range: line.range.clone(),
                    line: line.number,
                });
            }
            break;
        }
        read_line(body, line, &document.fences, &mut reading);
    }
    reading
}

fn read_line(body: &str, line: &lines::Line, fences: &[lines::Fence], reading: &mut Reading) {
    let text = &body[line.range.clone()];
    let length = text[1..]
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        .map_or(text.len(), |end| end + 1);
    let word = &text[1..length];
    if !word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return;
    }
    let range = line.range.start..line.range.start + length;
    let rest = range.end..line.range.end;
    let next = body[rest.clone()].chars().next();
    let entry = grammar::find(word);
    if let Some(next) = next.filter(|next| !next.is_whitespace()) {
        // `/approve,` is a slip; `/usr/bin` and `/etc.conf` are no commands at all.
        if let Some(entry) = entry.filter(|_| matches!(next, ',' | ';' | ':' | '!' | '.' | '?')) {
            reading.errors.push(CommandError {
                message: format!("`{next}` stands right after `/{}`", entry.word),
                help: Some(format!("leave a space after the command: `{}`", entry.usage())),
                range: rest.start..rest.start + next.len_utf8(),
                line: line.number,
            });
        }
        return;
    }
    let Some(entry) = entry else {
        reading.unknown.push(UnknownWord {
            word: word.to_owned(),
            suggestion: grammar::suggestion(word),
            rest: body[rest].trim().to_owned(),
            range,
        });
        return;
    };
    let block = fences
        .iter()
        .find(|fence| fence.range.start >= line.range.end && body[line.range.end..fence.range.start].trim().is_empty());
    match entry.read(body, rest, block) {
        Ok(command) => reading.invocations.push(Invocation { command, range: line.range.clone(), line: line.number }),
        Err(fault) => reading.errors.push(CommandError {
            message: fault.message,
            help: fault.help,
            range: fault.range,
            line: line.number,
        }),
    }
}

impl CommandError {
    /// The line of the comment with the wrong part marked, as a fenced block for a reply. `body` is the comment that
    /// was read; nothing in it can end the fence or mention anybody.
    pub fn render(&self, body: &str) -> String {
        const WINDOW: usize = 100;
        let start = body.get(..self.range.start).map_or(0, |before| before.rfind('\n').map_or(0, |at| at + 1));
        let source = body.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let before = body.get(start..self.range.start).unwrap_or_default().chars().count();
        let marked = body.get(self.range.clone()).unwrap_or_default();
        let width = marked.lines().next().unwrap_or_default().chars().count();
        // A long line is shown from shortly before the marked part.
        let skipped = if before + width > WINDOW { before.saturating_sub(WINDOW / 2) } else { 0 };
        let shown: String = source
            .chars()
            .skip(skipped)
            .take(WINDOW)
            .map(|character| if is_seen(character) { character } else { ' ' })
            .collect();
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let (space, carets) = (" ".repeat(before - skipped), "^".repeat(width.clamp(1, WINDOW)));
        let mut content = format!("{number} | {shown}\n{margin} | {space}{carets} {}", one_line(&self.message));
        if let Some(help) = &self.help {
            content.push_str(&format!("\n{margin} = help: {}", one_line(help)));
        }
        let fence = "`".repeat(longest_run(&content, '`').max(2) + 1);
        format!("{fence}text\n{content}\n{fence}")
    }
}

/// Whether a character is seen where it stands: no control character, none that reorders text (Unicode Standard Annex 9) and
/// none that takes no room, behind which something else could hide.
fn is_seen(character: char) -> bool {
    let reorders_or_hides = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    !character.is_control() && !reorders_or_hides
}

fn one_line(text: &str) -> String {
    let seen: String = text.chars().map(|character| if is_seen(character) { character } else { ' ' }).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|character| character != wanted).map(str::len).max().unwrap_or(0)
}
