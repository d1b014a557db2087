//! The one table of verbs: what they are called, which arguments they take, who may use them. Reading and help both
//! follow it. To add a verb: an entry here, a variant of [`Command`], its line in [`Entry::command`].

use std::ops::Range;

use super::lines::Fence;
use super::words::{self, Fault, Word};
use super::{Command, StepName, StepRef, Until};
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
    /// `@login`.
    Person,
    /// `until` with a duration, a day or a moment; may be left out.
    Until,
    /// `reason="…"`.
    Reason,
    /// `name=value` words.
    Pairs,
    /// `name=value` words, or a fenced YAML block below.
    PairsOrBlock,
    /// Everything after `--`.
    Note,
    /// All the rest of the line, as it stands; may be left out.
    Question,
}

impl Argument {
    fn usage(self) -> &'static str {
        match self {
            Self::Step => "[step]",
            Self::Commit => "[commit]",
            Self::Process => "process",
            Self::Person => "@user",
            Self::Until => "[until 7d]",
            Self::Reason => "reason=\"…\"",
            Self::Pairs => "[name=value …]",
            Self::PairsOrBlock => "name=value …",
            Self::Note => "[-- note]",
            Self::Question => "[question]",
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
    /// What its page says beside all that, in Markdown.
    details: &'static str,
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
    /// The word after the slash.
    pub word: &'static str,
    /// What there is to know beside that, in Markdown: for its page.
    pub details: &'static str,
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
        details: r#"A word decides one question. Without a step it is about the only approval that asks you; with several that differ, in process, step,
text or inputs, nothing is decided, and the answer says which there are and how each is named. Executions that ask the same in every
respect, started twice for one commit, say, are one question.

A step is named by its id, and where several have the same one, with its process or its execution before it:

    /approve leads
    /approve release/leads
    /approve 5d1c77aa9e02/leads

An execution is named by the end of its id, 8 characters at least, which stands below the timeline. A word without a step counts only
where GitHub showed the question when the comment was written; one that names a step, too, unless it is the only one of that name that
waits.

The word counts for the commit that was shown when the comment was written. A commit of 7 to 40 hexadecimal digits says which one is
meant: where the pull request has another one by now, the word is refused. Fewer than 40 digits count only once that commit was
shown. Whose word counts, and when, is told in [approvals.md](../approvals.md)."#,
    },
    Entry {
        verb: Verb::Reject,
        word: "reject",
        arguments: &[Argument::Step, Argument::Commit, Argument::Note],
        summary: "Reject what waits for an approval.",
        example: "/reject leads -- the risk is too high",
        who: DECIDER,
        details: r#"One rejection that counts rejects; what follows from it says the step's `on_reject`. Where the step asks for a note
(`note_required`), it stands after two hyphens. All else is as for [/approve](approve.md)."#,
    },
    Entry {
        verb: Verb::Answer,
        word: "answer",
        arguments: &[Argument::Step, Argument::PairsOrBlock],
        summary: "Fill in a form, with the fields in the line or in a fenced YAML block right below it.",
        example: "/answer vendor name=\"Acme Ltd\" country=DE",
        who: "those to whom the form is assigned",
        details: r#"A step is named as for [/approve](approve.md), and one word answers one form.

Fields stand in the line as `name=value`, in quotes where a value has spaces; or in a fenced block of YAML right below, as the prompt
shows it ready to be filled in. Both at once are refused, and so are fields that the form does not have. Defaults are filled in.

Who may: those to whom the form is assigned; where nobody is, whoever has write permission."#,
    },
    Entry {
        verb: Verb::Run,
        word: "run",
        arguments: &[Argument::Process, Argument::Pairs],
        summary: "Start a process that may be started by hand.",
        example: "/run release audience=public",
        who: WRITER,
        details: r#"The process is one of the default branch, and has `manual` among its `triggers`, or has none. Inputs that do not fit are answered field
by field. A comment starts a process once, however often it is delivered."#,
    },
    Entry {
        verb: Verb::Cancel,
        word: "cancel",
        arguments: &[],
        summary: "Cancel the execution.",
        example: "/cancel",
        who: STARTER,
        details: r#"Every open execution of the pull request or issue. What runs is interrupted; what is to be undone or done in any case still runs."#,
    },
    Entry {
        verb: Verb::Retry,
        word: "retry",
        arguments: &[Argument::Step],
        summary: "Go on with a failed execution from the step, or from what failed.",
        example: "/retry ship",
        who: STARTER,
        details: r#"The newest execution of each process there, where it failed or was cancelled, goes on from what failed, or from the step that is
named, with all that follows from it. `release/ship` is about that process alone. People who had approved what begins again are asked anew."#,
    },
    Entry {
        verb: Verb::Recheck,
        word: "recheck",
        arguments: &[],
        summary: "Look at the pull request and its approvals again.",
        example: "/recheck",
        who: "who opened the pull request, or with write permission",
        details: r#"Asks GitHub what the pull request is like now, brings the executions to its head, and tells their check runs anew."#,
    },
    Entry {
        verb: Verb::Status,
        word: "status",
        arguments: &[],
        summary: "Say where the executions stand and whom they wait for.",
        example: "/status",
        who: ANYONE,
        details: r#"One line for the newest execution of each process there."#,
    },
    Entry {
        verb: Verb::Help,
        word: "help",
        arguments: &[],
        summary: "Show the commands.",
        example: "/help",
        who: ANYONE,
        details: r#"This list, and the words of the repository's own `comment` triggers."#,
    },
    Entry {
        verb: Verb::Delegate,
        word: "delegate",
        arguments: &[Argument::Person, Argument::Until, Argument::Note],
        summary: "Have somebody else speak in your place in the approvals of the executions here, for 7 days or until then; \
                  naming yourself takes it back.",
        example: "/delegate @dave until 3d -- on leave",
        who: "those whom an approval that waits names",
        details: r#"`until` takes a duration (`3d`), a day (`2026-03-10`, to its end in UTC) or a moment (`2026-03-10T18:00:00Z`), 90 days at most; without
it the word is given for 7 days. It counts in the executions that are open there. Who is given it needs write permission.

What that means, and that nobody has two voices by it, is told in
[approvals.md](../approvals.md#in-somebodys-place)."#,
    },
    Entry {
        verb: Verb::Override,
        word: "override",
        arguments: &[Argument::Step, Argument::Reason],
        summary: "Go on without the approval that is missing. It is shown and recorded as an override, with its reason.",
        example: "/override leads reason=\"the shop is down\"",
        who: "those to whom `commands: {override: …}` of `flow.yaml` allows it; never who made the change",
        details: r#"The reason stands in quotes and is not empty. Which approval is meant is as for [/approve](approve.md): one alone. Nobody may use it
where `.flow/flow.yaml` does not say who:

```yaml
# .flow/flow.yaml
commands:
  override: {role: admin}
```

It is bound to the commit that was shown, as an approval is. See [approvals.md](../approvals.md#going-on-without-an-approval)."#,
    },
    Entry {
        verb: Verb::Hold,
        word: "hold",
        arguments: &[Argument::Note],
        summary: "Have nothing new start in the execution. What runs goes on, people may answer, deadlines rest.",
        example: "/hold -- until the incident is over",
        who: STARTER,
        details: r#"Every open execution of the pull request or issue. What exactly rests and what goes on is told in
[approvals.md](../approvals.md#holding)."#,
    },
    Entry {
        verb: Verb::Unhold,
        word: "unhold",
        arguments: &[Argument::Note],
        summary: "Let a held execution go on. Deadlines have as much time left as they had.",
        example: "/unhold",
        who: STARTER,
        details: r#"Every execution there that is held, whoever held it."#,
    },
    Entry {
        verb: Verb::Ask,
        word: "ask",
        arguments: &[Argument::Question],
        summary: "Ask what waits here, for whom, until when, and what can be done about it.",
        example: "/ask why does the release not go on?",
        who: ANYONE,
        details: r#"The answer is what the server knows: where the newest execution of each process stands, who is still needed and until when, and the
command that says the word. It is the same whatever the question is: no model reads the question, and it is not kept."#,
    },
];

/// The commands, in the order in which people meet them.
pub fn help() -> Vec<CommandHelp> {
    TABLE
        .iter()
        .map(|entry| CommandHelp {
            usage: entry.usage(),
            summary: entry.summary,
            example: entry.example,
            who: entry.who,
            word: entry.word,
            details: entry.details,
        })
        .collect()
}

/// Looks a word up; telephones like to begin a comment with a capital letter.
pub(super) fn find(word: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.word.eq_ignore_ascii_case(word))
}

/// The verb that a word is probably a slip of: one letter differs, or two of a longer word. Short words
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
    person: Option<String>,
    until: Option<Until>,
    reason: Option<String>,
}

impl Entry {
    /// How the command is written.
    pub(super) fn usage(&self) -> String {
        let arguments = self.arguments.iter().map(|argument| format!(" {}", argument.usage()));
        format!("/{}{}", self.word, arguments.collect::<String>())
    }

    /// Reads the rest of the line, `body[rest]`, and the fenced block below it.
    pub(super) fn read(&self, body: &str, rest: Range<usize>, block: Option<&Fence>) -> Result<Command, Fault> {
        if self.arguments == [Argument::Question] {
            let question = body[rest].trim();
            let question = Some(question).filter(|question| !question.is_empty()).map(str::to_owned);
            return Ok(Command::Ask { question });
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
                Argument::Person => given.person = self.person(&mut words)?,
                Argument::Until => given.until = until(&mut words)?,
                Argument::Reason => given.reason = reason(&mut words)?,
                Argument::Pairs => {
                    given.pairs = words::pairs(words)?;
                    words = &[];
                }
                Argument::PairsOrBlock => {
                    given.pairs = words::pairs(words)?;
                    words = &[];
                    given.block = block.map(|block| yaml(block, body, &given.pairs)).transpose()?;
                }
                Argument::Note | Argument::Question => {}
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

    /// `@login`, where there is a word at all.
    fn person(&self, words: &mut &[Word]) -> Result<Option<String>, Fault> {
        let Some(word) = words.first() else { return Ok(None) };
        match take(words, |word| is_person(&word.text)) {
            Some(person) => Ok(Some(person.trim_start_matches('@').to_owned())),
            None => Err(Fault::new(format!("`{}` is no person", shown(&word.text)), word.range.clone())
                .with_help(format!("write `{}`", self.usage()))),
        }
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
        let Given { step, commit, process, pairs, block, note, person, until, reason } = given;
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
            Verb::Delegate => Command::Delegate { to: person?, until, note },
            Verb::Override => Command::Override { step, reason: reason? },
            Verb::Hold => Command::Hold { note },
            Verb::Unhold => Command::Unhold { note },
            // Read before: a question is no arguments.
            Verb::Ask => Command::Ask { question: None },
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

/// `until 7d`, `until 2026-03-10`, `until 2026-03-10T18:00:00Z`.
fn until(words: &mut &[Word]) -> Result<Option<Until>, Fault> {
    let Some(word) = words.first().filter(|word| !word.quoted && word.text == "until") else { return Ok(None) };
    let range = word.range.clone();
    *words = &words[1..];
    let help = "write a duration, a day or a moment: `until 7d`, `until 2026-03-10`, `until 2026-03-10T18:00:00Z`";
    let Some((moment, rest)) = words.split_first() else {
        return Err(Fault::new("until when?", range).with_help(help));
    };
    *words = rest;
    let text = moment.text.as_str();
    let wrong = || Fault::new(format!("`{}` is no moment", shown(text)), moment.range.clone()).with_help(help);
    Until::read(text).map(Some).ok_or_else(wrong)
}

/// `reason="…"`, where there is a word at all.
fn reason(words: &mut &[Word]) -> Result<Option<String>, Fault> {
    let Some((word, rest)) = words.split_first() else { return Ok(None) };
    let help = "write `reason=\"…\"`, in quotes";
    let pairs =
        words::pairs(std::slice::from_ref(word)).map_err(|fault| Fault { help: Some(help.to_owned()), ..fault })?;
    let Some((_, reason)) = pairs.into_iter().find(|(name, _)| name == "reason") else {
        return Err(Fault::new("only a `reason` is expected here", word.range.clone()).with_help(help));
    };
    if reason.trim().is_empty() {
        return Err(Fault::new("the reason is empty", word.range.clone()).with_help(help));
    }
    *words = rest;
    Ok(Some(reason))
}

fn is_person(text: &str) -> bool {
    let name = text.strip_prefix('@').unwrap_or_default();
    (1..=100).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
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

/// A step's id, or the key of a step inside of items: `deploy`, `deploy[2]`, `deploy[2][0]`. What it is a step of may stand
/// before it: `release/deploy`.
fn is_step(text: &str) -> bool {
    let StepName { of, key } = StepName::of(text);
    let (id, mut items) = (step_of(key), items_of(key));
    while let Some((around, _)) = innermost(items) {
        items = around;
    }
    items.is_empty()
        && of.is_none_or(is_whose)
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A process, or an execution's id or its end.
fn is_whose(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
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
