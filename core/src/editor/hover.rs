//! What is said about the word at a place: keys, types of steps, names, fields, filters, rules, durations.

use std::fmt::Write;

use super::View;
use super::cursor::Cursor;
use super::expression::{Expects, read_at};
use super::fields;
use super::meaning::{self, Sort};
use super::occurrence::{Symbol, file_named, occurrence_at};
use super::outline::{Role, Spot};
use super::schema;
use super::values_of;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepType;
use crate::expression::{CallableKind, catalogue};
use crate::source::Span;
use crate::validate::rules;
use crate::value::Duration;

/// What is said about a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hover {
    /// What it is said about.
    pub span: Span,
    /// In Markdown.
    pub text: String,
}

/// What is said about the word at a byte offset.
pub fn hover(view: &View<'_>, file: &File, offset: u32) -> Option<Hover> {
    let cursor = Cursor::new(file, offset);
    if let Some(comment) = cursor.outline.comment_at(offset) {
        return of_comment(&cursor, comment);
    }
    if cursor.inside.is_some() {
        return of_expression(view, &cursor);
    }
    let spot = cursor.spot.as_ref()?;
    match spot.role {
        Role::Key if spot.has_colon => of_key(view, &cursor, spot),
        Role::Value | Role::Either if !spot.word.is_empty() => of_value(view, &cursor, spot),
        _ => None,
    }
}

fn said(span: Span, text: impl Into<String>) -> Option<Hover> {
    let text = text.into();
    (!text.is_empty()).then_some(Hover { span, text })
}

/// A rule's code in a suppression.
fn of_comment(cursor: &Cursor<'_>, comment: Span) -> Option<Hover> {
    let text = cursor.outline.slice(comment);
    let is_code = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let at = (cursor.offset - comment.start) as usize;
    let start = text.get(..at)?.rfind(|c| !is_code(c)).map_or(0, |place| place + 1);
    let end = at + text.get(at..)?.find(|c| !is_code(c)).unwrap_or(text.len() - at);
    let rule = rules::find(text.get(start..end)?)?;
    let span = Span::new(comment.start as usize + start, comment.start as usize + end);
    said(span, about_rule(rule))
}

fn about_rule(rule: &crate::validate::Rule) -> String {
    let (summary, reason) = (rule.summary, rule.reason.trim());
    let more = rule.url().map(|url| format!("\n\n[More]({url})")).unwrap_or_default();
    format!("**{}** {} ({})\n\n{summary}. {reason}{more}", rule.code, rule.name, rule.severity)
}

fn of_expression(view: &View<'_>, cursor: &Cursor<'_>) -> Option<Hover> {
    let inside = cursor.inside.as_ref()?;
    let word = cursor.outline.text().get(inside.word.range())?;
    let kind = match inside.expects {
        Expects::Filter => Some(CallableKind::Filter),
        Expects::Test => Some(CallableKind::Test),
        Expects::Name(ref before) if before.is_empty() => Some(CallableKind::Function),
        _ => None,
    };
    let callable = catalogue().iter().find(|one| Some(one.kind) == kind && one.name == word);
    if let Some(callable) = callable {
        return said(
            inside.word,
            format!("`{}` ({})\n\n{}", callable.signature(), callable.kind.word(), callable.summary),
        );
    }
    let read = read_at(cursor)?;
    if let [root, id] = read.names.as_slice()
        && root == "steps"
    {
        return said(read.span, about_step(view, cursor, id)?);
    }
    let field = fields::at(view, cursor, &read.names)?;
    let mut text = format!("`{}`", read.names.join("."));
    if let Some(kind) = &field.kind {
        let _ = write!(text, ": {kind}");
    }
    if field.optional {
        text.push_str(", may be missing");
    }
    if let Some(description) = field.description.filter(|text| !text.is_empty()) {
        let _ = write!(text, "\n\n{description}");
    }
    said(read.span, text)
}

/// A step's type, its name for people and what it gives.
fn about_step(view: &View<'_>, cursor: &Cursor<'_>, id: &str) -> Option<String> {
    let understood = cursor.understood();
    let about = values_of::about_step(understood.file(), id)?;
    let mut text = format!("step `{id}`: {about}");
    let chain = ["steps".to_owned(), id.to_owned()];
    let output = fields::at(view, cursor, &[chain[0].clone(), chain[1].clone(), "output".to_owned()]);
    let gives = fields::below(view, cursor, &[chain[0].clone(), chain[1].clone(), "output".to_owned()]);
    if !gives.is_empty() {
        text.push_str("\n\nIt gives:\n");
        for field in gives {
            let optional = if field.optional { ", may be missing" } else { "" };
            let _ = write!(text, "\n- `{}`: {}{optional}", field.name, field.kind.as_deref().unwrap_or("anything"));
        }
    } else if let Some(kind) = output.and_then(|output| output.kind) {
        let _ = write!(text, "\n\nIt gives {kind}.");
    }
    Some(text)
}

fn of_key(view: &View<'_>, cursor: &Cursor<'_>, spot: &Spot) -> Option<Hover> {
    let name = cursor.outline.slice(spot.word);
    let meaning = meaning::of_key(cursor.file.kind, &spot.path, cursor.step_type());
    if let Some(meaning) = meaning.filter(|meaning| !meaning.defines) {
        if meaning.sort == Sort::Rule {
            return said(spot.word, about_rule(rules::find(name)?));
        }
        return of_symbol(view, cursor, spot.word);
    }
    let place = schema::at(schema::of_kind(cursor.file.kind)?, &cursor.outline, &spot.path);
    let key = place.key(name)?;
    let mut text = format!("`{name}`");
    if key.required {
        text.push_str(" (required)");
    }
    let value = place.value_of(&key);
    let own = key.description;
    for description in own.into_iter().chain(value.descriptions().into_iter().filter(|one| Some(*one) != own)) {
        let _ = write!(text, "\n\n{}", description.replace('\n', " "));
    }
    let choices: Vec<String> = value
        .choices()
        .into_iter()
        .filter(|choice| !choice.is_example)
        .map(|choice| format!("`{}`", choice.text))
        .collect();
    if choices.len() > 1 {
        let _ = write!(text, "\n\nOne of {}.", choices.join(", "));
    }
    said(spot.word, text)
}

fn of_value(view: &View<'_>, cursor: &Cursor<'_>, spot: &Spot) -> Option<Hover> {
    let word = cursor.outline.slice(spot.word);
    if let Some(meaning) = meaning::of_value(cursor.file.kind, &spot.path, cursor.step_type()) {
        return match meaning.sort {
            Sort::StepType => {
                let step_type = StepType::from_name(word)?;
                let about = values_of::about_step_type(step_type)?;
                let gives = what_it_gives(step_type);
                said(spot.word, format!("`{word}`\n\n{about}\n\nIt gives {gives}."))
            }
            Sort::Step if cursor.file.kind == FileKind::Process => said(spot.word, about_step(view, cursor, word)?),
            _ => of_symbol(view, cursor, spot.word),
        };
    }
    let place = schema::at(schema::of_kind(cursor.file.kind)?, &cursor.outline, &spot.path);
    if let Some(choice) = place.choices().into_iter().find(|choice| choice.text == word && !choice.is_example) {
        return said(spot.word, format!("`{word}`\n\n{}", choice.description?));
    }
    let is_duration = place.choices().iter().any(|choice| choice.text == "1h30m");
    if is_duration && let Ok(duration) = word.parse::<Duration>() {
        return said(spot.word, in_words(duration));
    }
    let is_cron = spot.path.last().and_then(|part| part.key()) == Some("cron");
    if is_cron && let Ok(cron) = word.parse::<crate::value::Cron>() {
        return said(spot.word, cron.in_words());
    }
    None
}

/// What a type of step gives, in words: the table of the language.
fn what_it_gives(step_type: StepType) -> &'static str {
    match step_type {
        StepType::AgentTask => "a text, or a value of `output_schema`",
        StepType::AiGenerate => "a value of `output_schema`",
        StepType::HumanApproval => "`decision` and `decisions`",
        StepType::Form => "the fields",
        StepType::Gateway => "`taken`, the ids of the steps it leads to",
        StepType::ApiCall => "`status`, `headers` and `body`",
        StepType::McpCall => "the operation's result",
        StepType::Workflow => "`run_id`, `conclusion`, `url` and `output`",
        StepType::Process => "the outputs of the process, or `execution` where it does not wait",
        StepType::Foreach => "the list of results",
        StepType::Wait => "`at`, and `payload` of an event",
        StepType::Set => "the values",
        StepType::Notify => "`delivered`",
    }
}

fn of_symbol(view: &View<'_>, cursor: &Cursor<'_>, span: Span) -> Option<Hover> {
    let found = occurrence_at(view.repository, cursor.file, cursor.offset)?;
    let Symbol { sort, home, name } = &found.symbol;
    let mut text = format!("{} `{name}`", sort.word());
    if let Some(kind) = sort.file_kind() {
        let file = file_named(view.repository, kind, name)?;
        let _ = write!(text, " in `{}`", file.source.path());
        if let Some(about) = values_of::about_file(file) {
            let _ = write!(text, "\n\n{about}");
        }
        return said(span, text);
    }
    let home = view.repository.files.get(home.as_str());
    match sort {
        Sort::Step => {
            let about = values_of::about_step(home?, name)?;
            let _ = write!(text, ": {about}");
        }
        Sort::Input | Sort::Variable => {
            let fields = match home.and_then(|file| file.definition.as_ref())? {
                Definition::Process(process) => &process.header.inputs,
                Definition::Prompt(prompt) => &prompt.header.variables,
                _ => return None,
            };
            let (_, field) = fields.iter().find(|(known, _)| known.value == *name)?;
            for about in [&field.title, &field.description].into_iter().flatten() {
                let _ = write!(text, "\n\n{about}");
            }
        }
        Sort::Model => {
            let settings = view.repository.settings();
            let model = settings.and_then(|settings| settings.models.iter().find(|(alias, _)| alias.value == *name));
            if let Some((_, model)) = model {
                let _ = write!(text, " stands for `{}`", model.value);
            }
        }
        _ => {}
    }
    said(span, text)
}

/// A duration in words: `1 day 12 hours`.
fn in_words(duration: Duration) -> String {
    const UNITS: [(i128, &str); 6] = [
        (604_800_000, "week"),
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
        (1, "millisecond"),
    ];
    let mut rest = duration.as_signed().as_millis();
    let mut words = Vec::new();
    for (length, unit) in UNITS {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            words.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if words.is_empty() { "no time at all".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editor::tests::Stage;

    fn hovered(text: &str) -> String {
        let stage = Stage::process(text);
        match hover(&stage.view(), stage.file(), stage.offset) {
            Some(hover) => format!("[{}] {}", stage.file().source.slice(hover.span), hover.text),
            None => "nothing".to_owned(),
        }
    }

    const RELEASE: &str = "\
name: release
version: 1
inputs:
  audience: {type: string, title: Who reads it, enum: [public, internal], default: public}
steps:
  - id: draft
    type: ai_generate
    name: Draft the notes
    model: mock
    prompt: \"For {{ inputs.audience | upper }}\"
    output_schema: {type: object, required: [text], properties: {text: {type: string}, risk: {type: integer}}}
  - id: review
    type: human_approval
    depends_on: [draft]
    approvers: {team: leads}
    timeout: 36h
    on_timeout: continue
    description: \"{{ steps.draft.output.text }} {{ steps.draft.output.risk | default(0) }}\"
";

    #[test]
    fn what_is_said_about_words() {
        let at = |place: &str| {
            let (before, after) = place.split_once('‸').unwrap();
            let whole = format!("{before}{after}");
            assert!(RELEASE.contains(&whole), "{whole}");
            hovered(&RELEASE.replacen(&whole, place, 1))
        };
        for (place, expected) in [
            ("    on_time‸out:", "What happens at the deadline"),
            ("on_timeout: con‸tinue", "`decision: expired`"),
            ("timeout: 36‸h", "[36h] 1 day 12 hours"),
            ("type: human_‸approval", "People approve or reject."),
            ("depends_on: [dr‸aft]", "step `draft`: ai_generate: Draft the notes"),
            ("{{ steps.dr‸aft.output.text", "- `text`: a text"),
            ("draft.output.ri‸sk", "may be missing"),
            ("inputs.aud‸ience |", "`inputs.audience`: "),
            ("| up‸per", "The text in upper case."),
            ("  aud‸ience: {", "nothing"),
            ("approvers: {te‸am: leads}", "The slug of a team"),
        ] {
            let said = at(place);
            assert!(said.contains(expected), "{place}: {said}");
        }
    }

    #[test]
    fn time_tables_are_said_in_words() {
        let said = hovered("name: a\ntriggers:\n  - schedule: {cron: \"0 9 * ‸* 1-5\"}\n");
        assert!(said.starts_with("[0 9 * * 1-5] At 09:00"), "{said}");
    }

    #[test]
    fn codes_in_suppressions() {
        let said = hovered("name: a\n# flowctl: ignore[FLOW‸012] because\n");
        assert!(said.starts_with("[FLOW012] **FLOW012** unknown-dependency (error)"), "{said}");
        assert_eq!(hovered("name: a\n# flowctl: ign‸ore[FLOW012] because\n"), "nothing");
    }

    #[test]
    fn it_works_above_and_below_what_is_broken() {
        let broken = RELEASE.replacen("model: mock", "model: [", 1).replacen("on_timeout:", "on_ti‸meout:", 1);
        assert!(hovered(&broken).contains("deadline"));
    }

    #[test]
    fn the_item_of_a_loop_is_told_with_what_it_is() {
        let text = "name: a\nversion: 1\ninputs:\n  names: {type: list, items: {type: string}, default: []}\nsteps:\n  - {id: t, type: notify, channel: comment, message: \"{% for one in inputs.names %}{{ o‸ne }}{% endfor %}\"}\n";
        let stage = Stage::process(text);
        let said = hover(&stage.view(), stage.file(), stage.offset).unwrap();
        assert!(said.text.starts_with("`one`: a text"), "{}", said.text);
    }
}
