//! The one table of verbs: what they are called, which arguments they take, who may use them. Reading and help both
//! follow it. To add a verb: an entry here, a variant of [`Command`], its line in [`Entry::command`].

use std::ops::Range;

use super::lines::Fence;
use super::words::{self, Fault, Word};
use super::{Command, StepRef};
use crate::execution::address::{innermost, items_of, step_of};

/// The verbs of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described by its entry in the table")]
pub enum Verb {
    Approve,
    Reject,
    Run,
    Cancel,
    Retry,
    Answer,
    Status,
    Recheck,
    Help,
    Ask,
    Delegate,
    Override,
    Hold,
    Unhold,
}

impl Verb {
    /// The word after the slash.
    pub fn word(self) -> &'static str {
        TABLE.iter().find(|entry| entry.verb == self).map_or("", |entry| entry.word)
    }
}

/// What may follow a verb, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    /// The id of a step; may be left out.
    Step,
    /// A commit; may be left out.
    Commit,
    /// The name of a process.
    Process,
    /// `name=value` words.
    Pairs,
    /// `name=value` words, or a fenced YAML block below.
    PairsOrBlock,
    /// Everything after `--`.
    Note,
}

impl Argument {
    fn usage(self) -> &'static str {
        match self {
            Self::Step => "[step]",
            Self::Commit => "[commit]",
            Self::Process => "process",
            Self::Pairs => "[name=value …]",
            Self::PairsOrBlock => "name=value …",
            Self::Note => "[-- note]",
        }
    }
}

/// A verb.
pub(super) struct Entry {
    verb: Verb,
    pub(super) word: &'static str,
    arguments: &'static [Argument],
    summary: &'static str,
    example: &'static str,
    who: &'static str,
    performed: bool,
}

/// What `/help` says of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandHelp {
    /// How it is written: `/retry [step]`.
    pub usage: String,
    /// What it does.
    pub summary: &'static str,
    /// An example.
    pub example: &'static str,
    /// Who may use it.
    pub who: &'static str,
}

const DECIDER: &str = "those whom the approval names";
const STARTER: &str = "whoever started the execution, or with write permission";
const ANYONE: &str = "anyone";
const WRITER: &str = "with write permission";

const TABLE: &[Entry] = &[
    Entry {
        verb: Verb::Approve,
        word: "approve",
        arguments: &[Argument::Step, Argument::Commit, Argument::Note],
        summary: "Approve what waits for an approval.",
        example: "/approve leads -- checked the notes",
        who: DECIDER,
        performed: true,
    },
    Entry {
        verb: Verb::Reject,
        word: "reject",
        arguments: &[Argument::Step, Argument::Commit, Argument::Note],
        summary: "Reject what waits for an approval.",
        example: "/reject leads -- the risk is too high",
        who: DECIDER,
        performed: true,
    },
    Entry {
        verb: Verb::Answer,
        word: "answer",
        arguments: &[Argument::Step, Argument::PairsOrBlock],
        summary: "Fill in a form, with the fields in the line or in a fenced YAML block right below it.",
        example: "/answer vendor name=\"Acme Ltd\" country=DE",
        who: "those to whom the form is assigned",
        performed: true,
    },
    Entry {
        verb: Verb::Run,
        word: "run",
        arguments: &[Argument::Process, Argument::Pairs],
        summary: "Start a process that may be started by hand.",
        example: "/run release audience=public",
        who: WRITER,
        performed: true,
    },
    Entry {
        verb: Verb::Cancel,
        word: "cancel",
        arguments: &[],
        summary: "Cancel the execution.",
        example: "/cancel",
        who: STARTER,
        performed: true,
    },
    Entry {
        verb: Verb::Retry,
        word: "retry",
        arguments: &[Argument::Step],
        summary: "Go on with a failed execution from the step, or from what failed.",
        example: "/retry ship",
        who: STARTER,
        performed: true,
    },
    Entry {
        verb: Verb::Recheck,
        word: "recheck",
        arguments: &[],
        summary: "Look at the pull request and its approvals again.",
        example: "/recheck",
        who: ANYONE,
        performed: true,
    },
    Entry {
        verb: Verb::Status,
        word: "status",
        arguments: &[],
        summary: "Say where the executions stand and whom they wait for.",
        example: "/status",
        who: ANYONE,
        performed: true,
    },
    Entry {
        verb: Verb::Help,
        word: "help",
        arguments: &[],
        summary: "Show the commands.",
        example: "/help",
        who: ANYONE,
        performed: true,
    },
    reserved(Verb::Ask, "ask"),
    reserved(Verb::Delegate, "delegate"),
    reserved(Verb::Override, "override"),
    reserved(Verb::Hold, "hold"),
    reserved(Verb::Unhold, "unhold"),
];

/// A verb that is kept free for what is not performed yet.
const fn reserved(verb: Verb, word: &'static str) -> Entry {
    Entry { verb, word, arguments: &[], summary: "", example: "", who: "", performed: false }
}

/// The commands that are performed, in the order in which people meet them.
pub fn help() -> Vec<CommandHelp> {
    TABLE
        .iter()
        .filter(|entry| entry.performed)
        .map(|entry| CommandHelp {
            usage: entry.usage(),
            summary: entry.summary,
            example: entry.example,
            who: entry.who,
        })
        .collect()
}

/// Looks a word up; telephones like to begin a comment with a capital letter.
pub(super) fn find(word: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.word.eq_ignore_ascii_case(word))
}

/// The performed verb that a word is probably a slip of: one letter differs, or two of a longer word. Short words
/// get none, because other bots have many of them.
pub(super) fn suggestion(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let limit = match word.len() {
        0..=3 => return None,
        4..=6 => 1,
        _ => 2,
    };
    TABLE
        .iter()
        .filter(|entry| entry.performed)
        .map(|entry| (strsim::damerau_levenshtein(&word, entry.word), entry.word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// What was read of a line.
#[derive(Default)]
struct Given {
    step: Option<StepRef>,
    commit: Option<String>,
    process: Option<String>,
    pairs: Vec<(String, String)>,
    block: Option<String>,
    note: Option<String>,
}

impl Entry {
    /// How the command is written.
    pub(super) fn usage(&self) -> String {
        let arguments = self.arguments.iter().map(|argument| format!(" {}", argument.usage()));
        format!("/{}{}", self.word, arguments.collect::<String>())
    }

    /// Reads the rest of the line, `body[rest]`, and the fenced block below it.
    pub(super) fn read(&self, body: &str, rest: Range<usize>, block: Option<&Fence>) -> Result<Command, Fault> {
        if !self.performed {
            return Ok(Command::Unavailable { verb: self.verb });
        }
        let given = self.given(body, rest.clone(), block)?;
        self.command(given).ok_or_else(|| {
            let start = rest.start - self.word.len() - 1;
            Fault::new(format!("`/{}` needs more than this", self.word), start..rest.start)
                .with_help(format!("write `{}`", self.usage()))
        })
    }

    fn given(&self, body: &str, rest: Range<usize>, block: Option<&Fence>) -> Result<Given, Fault> {
        let split = words::split(body, rest.clone())?;
        let mut words = split.words.as_slice();
        let mut given = Given::default();
        for argument in self.arguments {
            match argument {
                Argument::Step => given.step = take(&mut words, |word| self.is_step_here(word)),
                Argument::Commit => {
                    given.commit = take(&mut words, |word| is_commit(&word.text)).map(|commit| commit.to_lowercase());
                }
                Argument::Process => {
                    given.process = take(&mut words, |word| is_process(&word.text));
                    if given.process.is_none()
                        && let Some(word) = words.first()
                    {
                        return Err(Fault::new(
                            format!("`{}` is not the name of a process", shown(&word.text)),
                            word.range.clone(),
                        )
                        .with_help(format!("write `{}`", self.usage())));
                    }
                }
                Argument::Pairs => {
                    given.pairs = words::pairs(words)?;
                    words = &[];
                }
                Argument::PairsOrBlock => {
                    given.pairs = words::pairs(words)?;
                    words = &[];
                    given.block = block.map(|block| yaml(block, body, &given.pairs)).transpose()?;
                }
                Argument::Note => {}
            }
        }
        if let Some(word) = words.first() {
            return Err(self.unexpected(word, words, body));
        }
        if let Some((note, range)) = split.note {
            if !self.arguments.contains(&Argument::Note) {
                return Err(Fault::new(format!("`/{}` takes no note", self.word), range));
            }
            given.note = Some(note).filter(|note| !note.is_empty());
        }
        Ok(given)
    }

    /// Whether a word in a step's place is one. Where a commit may follow, hexadecimal digits are a commit, unless
    /// they are letters only: a step may well be called `facade`, while few commits begin with seven letters.
    fn is_step_here(&self, word: &Word) -> bool {
        let commit = self.arguments.contains(&Argument::Commit)
            && is_commit(&word.text)
            && word.text.contains(|c: char| c.is_ascii_digit());
        !word.quoted && is_step(&word.text) && !commit
    }

    fn unexpected(&self, word: &Word, rest: &[Word], body: &str) -> Fault {
        let fault = Fault::new(format!("`{}` is not expected here", shown(&word.text)), word.range.clone());
        let digits =
            word.text.starts_with(|c: char| c.is_ascii_digit()) && word.text.chars().all(|c| c.is_ascii_hexdigit());
        if digits && self.arguments.contains(&Argument::Commit) {
            return fault.with_help("a commit has 7 to 40 hexadecimal digits");
        }
        let end = rest.last().map_or(word.range.end, |last| last.range.end);
        if self.arguments.contains(&Argument::Note) {
            return fault
                .with_help(format!("a note stands after two hyphens: `-- {}`", shown(&body[word.range.start..end])));
        }
        fault.with_help(format!("write `{}`", self.usage()))
    }

    /// The command, or nothing where a required argument is missing.
    fn command(&self, given: Given) -> Option<Command> {
        let Given { step, commit, process, pairs, block, note } = given;
        Some(match self.verb {
            Verb::Approve => Command::Approve { step, commit, note },
            Verb::Reject => Command::Reject { step, commit, note },
            Verb::Run => Command::Run { process: process?, inputs: pairs },
            Verb::Cancel => Command::Cancel,
            Verb::Retry => Command::Retry { step },
            Verb::Answer if pairs.is_empty() && block.is_none() => return None,
            Verb::Answer => Command::Answer { step, values: pairs, block },
            Verb::Status => Command::Status,
            Verb::Help => Command::Help,
            Verb::Recheck => Command::Recheck,
            verb @ (Verb::Ask | Verb::Delegate | Verb::Override | Verb::Hold | Verb::Unhold) => {
                Command::Unavailable { verb }
            }
        })
    }
}

fn take(words: &mut &[Word], fits: impl Fn(&Word) -> bool) -> Option<String> {
    let (first, rest) = words.split_first()?;
    if !fits(first) {
        return None;
    }
    *words = rest;
    Some(first.text.clone())
}

fn yaml(block: &Fence, body: &str, pairs: &[(String, String)]) -> Result<String, Fault> {
    let first_line = body[block.range.clone()].lines().next().map_or(0, |line| line.trim_end().len());
    let opening = block.range.start..block.range.start + first_line;
    if !matches!(block.language.as_str(), "" | "yaml" | "yml" | "json") {
        return Err(Fault::new("the block below an answer must be YAML", opening).with_help("open it with ```yaml"));
    }
    if !pairs.is_empty() {
        return Err(Fault::new("an answer stands either in the line or in the block below it", opening)
            .with_help("move the fields of the line into the block"));
    }
    Ok(block.content.clone())
}

/// A step's id, or the key of a step inside of items: `deploy`, `deploy[2]`, `deploy[2][0]`.
fn is_step(text: &str) -> bool {
    let (id, mut items) = (step_of(text), items_of(text));
    while let Some((around, _)) = innermost(items) {
        items = around;
    }
    items.is_empty()
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_commit(text: &str) -> bool {
    (7..=40).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_process(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 63
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A word as a message shows it.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
