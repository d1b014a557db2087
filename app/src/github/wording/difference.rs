//! What differs between two commits' definitions, for a pull request: weakenings first, details folded. Whole lines are
//! left out rather than cut, so that every fence and every `<details>` that is opened is closed.

use flowctl_core::diff::{Change, ChangeKind, DefinitionChange, Difference, LineKind, Place, Side, Status, Weakening};

use flowctl_core::value::visible::is_unseen;

use super::escape::{code, fenced, html, message, shorten};

/// Bytes of the whole text that `flowctl diff --format markdown` prints; a comment may have 65,536 characters.
pub const MARKDOWN: usize = 60_000;
/// Bytes that are kept for saying that something is left out.
const RESERVED: usize = 200;
/// Characters of one sentence or value.
const WORDS: usize = 400;
/// Lines of one text.
const MOST_LINES: usize = 60;
/// Characters of one line of a text.
const LINE: usize = 200;

/// The difference in at most `most` bytes.
pub fn difference(difference: &Difference, most: usize) -> String {
    let mut page = Bounded { text: String::new(), left: most.saturating_sub(RESERVED), left_out: 0 };
    weakenings(difference, &mut page);
    definitions(difference, &mut page);
    page.finish()
}

/// A text that never grows over its limit.
struct Bounded {
    text: String,
    left: usize,
    left_out: usize,
}

impl Bounded {
    /// Adds a part where it fits whole.
    fn add(&mut self, part: &str) -> bool {
        if part.len() > self.left {
            return false;
        }
        self.left -= part.len();
        self.text.push_str(part);
        true
    }

    fn add_or_count(&mut self, part: &str) {
        if !self.add(part) {
            self.left_out += 1;
        }
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            let what = counted(self.left_out, "more is", "more are");
            self.text
                .push_str(&format!("\n_{what} not shown: the text would be too long. `flowctl diff` shows all._\n"));
        }
        self.text.trim_end().to_owned()
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn weakenings(difference: &Difference, page: &mut Bounded) {
    let count = difference.weakenings.len();
    if count == 0 {
        return;
    }
    page.add(&format!("### ⚠️ {} less than before\n\n", counted(count, "place asks", "places ask")));
    for weakening in &difference.weakenings {
        page.add_or_count(&of_weakening(weakening));
    }
    page.add("\n");
}

fn of_weakening(weakening: &Weakening) -> String {
    let Weakening { kind, definition, step, message: words, place, .. } = weakening;
    let step = step.as_deref().map(|step| format!("step {} of ", code(&shorten(step, WORDS)))).unwrap_or_default();
    let (word, name) = definition.split_once(' ').unwrap_or(("", definition));
    let owner = format!("{step}{word} {}", code(&shorten(name, WORDS)));
    let words = message(&shorten(words, WORDS));
    format!("- **{}**: {owner}, {}. {words}. (`{}`)\n", kind.title(), at(place), kind.name())
}

fn at(place: &Place) -> String {
    let gone = if place.side == Side::Before { " as it was" } else { "" };
    format!("{}{gone}", code(&format!("{}:{}", shorten(&place.path, WORDS), place.range.start.line)))
}

fn definitions(difference: &Difference, page: &mut Bounded) {
    let (shown, formatting): (Vec<_>, Vec<_>) =
        difference.definitions.iter().partition(|definition| definition.status != Status::Formatting);
    if shown.is_empty() && formatting.is_empty() {
        page.add("The definitions mean the same as before.\n");
        return;
    }
    if !shown.is_empty() {
        page.add("### What changed\n\n");
    }
    for definition in shown {
        // Rather every definition by its name than one in full and the others not at all.
        let short = title(definition);
        if !page.add(&of_definition(definition)) && !page.add(&format!("- {short}\n\n")) {
            page.left_out += 1;
        }
    }
    if !formatting.is_empty() {
        page.add("Only formatting, order or comments:\n\n");
        for definition in formatting {
            let path = definition.path_after.as_deref().or(definition.path_before.as_deref()).unwrap_or_default();
            page.add_or_count(&format!("- {}\n", code(&shorten(path, WORDS))));
        }
    }
}

fn status(definition: &DefinitionChange) -> &'static str {
    match definition.status {
        Status::Added => "new",
        Status::Removed => "gone",
        Status::Renamed => "renamed",
        Status::Moved => "moved",
        Status::Changed => "changed",
        Status::Formatting => "only formatting",
        Status::Unreadable => "cannot be read",
    }
}

/// A definition in a line of Markdown.
fn title(definition: &DefinitionChange) -> String {
    let was = definition
        .name_before
        .as_deref()
        .map(|was| format!(" (was {})", code(&shorten(was, WORDS))))
        .unwrap_or_default();
    format!("{} {}{was}: {}", definition.kind, code(&shorten(&definition.name, WORDS)), status(definition))
}

/// The same where HTML is read, as in a summary.
fn headline(definition: &DefinitionChange) -> String {
    let name = |name: &str| format!("<code>{}</code>", html(&shorten(name, WORDS)));
    let was = definition.name_before.as_deref().map(|was| format!(" (was {})", name(was))).unwrap_or_default();
    let count = counted(definition.changes.len(), "change", "changes");
    format!("{} {}{was}: {}, {count}", definition.kind, name(&definition.name), status(definition))
}

fn of_definition(definition: &DefinitionChange) -> String {
    let path = |path: &Option<String>| path.as_deref().map(|path| code(&shorten(path, WORDS)));
    let place = match (path(&definition.path_before), path(&definition.path_after)) {
        (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
        (_, Some(after)) => after,
        (Some(before), None) => before,
        (None, None) => String::new(),
    };
    let mut text = format!("<details><summary>{}</summary>\n\n{place}\n\n", headline(definition));
    for change in &definition.changes {
        text.push_str(&of_change(change));
    }
    text.push_str("\n</details>\n\n");
    text
}

fn of_change(change: &Change) -> String {
    let value = |value: &Option<String>| code(&shorten(value.as_deref().unwrap_or_default(), WORDS));
    let (before, after) = (value(&change.before), value(&change.after));
    let key = code(&shorten(&change.key, WORDS));
    let step = change.step.as_deref().map(|step| code(&shorten(step, WORDS)));
    let whole = change.key.is_empty();
    let owner = match &step {
        Some(step) if whole => format!("step {step}"),
        Some(step) => format!("step {step}, {key}"),
        None if whole => "the file".to_owned(),
        None => key,
    };
    let waiting = step.clone().unwrap_or_default();
    let mut text = match change.kind {
        ChangeKind::Added => format!("- ➕ {owner}: {after}"),
        ChangeKind::Removed => format!("- ➖ {owner}: {before}"),
        ChangeKind::Changed if change.lines.is_empty() && change.before.is_some() => {
            format!("- ✏️ {owner}: {before} → {after}")
        }
        ChangeKind::Changed => format!("- ✏️ {owner}"),
        ChangeKind::Renamed => format!("- ✏️ step {before} is called {after}"),
        ChangeKind::Moved => format!("- ✏️ {owner} lies in {after}, not in {before}"),
        ChangeKind::Reordered => format!("- ✏️ {owner} has another order: {before} → {after}"),
        ChangeKind::WaitsFor => format!("- ➕ {waiting} now runs after {after}"),
        ChangeKind::NoLongerWaitsFor => format!("- ➖ {waiting} does not wait for {before} any more"),
    };
    if let Some(note) = &change.note {
        text.push_str(&format!(". {}", message(&shorten(note, WORDS))));
    }
    text.push('\n');
    if !change.lines.is_empty() {
        text.push_str(&of_lines(change));
    }
    text
}

/// Lines in a fence that belongs to the list's item.
fn of_lines(change: &Change) -> String {
    let sign = |kind: LineKind| match kind {
        LineKind::Same => " ",
        LineKind::Removed => "-",
        LineKind::Added => "+",
        LineKind::Gap => "@@",
    };
    let mut lines: Vec<String> = change
        .lines
        .iter()
        .take(MOST_LINES)
        .map(|line| format!("{}{}", sign(line.kind), shorten(&visible(&line.text), LINE)))
        .collect();
    if change.lines.len() > MOST_LINES {
        lines.push(format!("@@ {} more lines", change.lines.len() - MOST_LINES));
    }
    let block = fenced("diff", &lines.join("\n"));
    let block: String = block.lines().map(|line| format!("  {line}\n")).collect();
    format!("\n{block}\n")
}

/// A line as it can be seen: what turns the direction of writing or ends a line is left out.
fn visible(text: &str) -> String {
    text.chars().filter(|c| *c == '\t' || !is_unseen(*c)).collect()
}

/// The title of a check: how many places ask less.
pub(super) fn count(difference: &Difference) -> Option<String> {
    match difference.weakenings.len() {
        0 => None,
        count => Some(counted(count, "weakening", "weakenings")),
    }
}

#[cfg(test)]
mod tests {
    use flowctl_core::definition::repository::Repository;
    use flowctl_core::diff::compare;
    use proptest::prelude::*;

    use super::*;

    const BEFORE: &str = "name: p
version: 1
steps:
  - {id: ask, type: human_approval, approvers: {team: leads, count: 2}}
  - id: draft
    type: ai_generate
    model: mock
    prompt: |
      One.
      Two.
    output_schema: {type: object}
";

    fn between(before: &str, after: &str) -> String {
        let read = |text: &str| Repository::read([(".flow/processes/p.yaml".to_owned(), text.to_owned())]);
        difference(&compare(&read(before), &read(after)), MARKDOWN)
    }

    #[test]
    fn weakened_approvals_come_first_and_details_are_folded() {
        let after = BEFORE.replace(", count: 2", "").replace("Two.", "Three.");
        insta::assert_snapshot!(between(BEFORE, &after), @r"
        ### ⚠️ 1 place asks less than before

        - **Fewer people are needed**: step `ask` of process `p`, `.flow/processes/p.yaml:4`. `approvers`\: `{team: leads, count: 2}` became `{team: leads}`. (`fewer-approvers`)

        ### What changed

        <details><summary>process <code>p</code>: changed, 2 changes</summary>

        `.flow/processes/p.yaml`

        - ➖ step `ask`, `approvers.count`: `2`
        - ✏️ step `draft`, `prompt`

          ```diff
           One.
          -Two.
          +Three.
          ```


        </details>
        ");
        assert_eq!(between(BEFORE, BEFORE), "The definitions mean the same as before.");
    }

    #[test]
    fn a_definition_cannot_mention_nor_break_out() {
        let evil = "@octocat </details> ```` <img src=x> \u{202e}";
        let after = BEFORE
            .replace("Two.", &format!("{evil}\n      ~~~\n      ```\n      {evil}"))
            .replace("name: p", &format!("name: p\ndescription: '{evil}'"))
            .replace("id: draft", "id: '</summary>@octocat'");
        let text = between(BEFORE, &after);
        let outside: String = text.lines().filter(|line| !line.starts_with("  ")).collect::<Vec<_>>().join("\n");
        assert_eq!(outside.matches("<details>").count(), outside.matches("\n</details>").count());
        assert!(!text.contains('\u{202e}'));
        let fence = text
            .lines()
            .find(|line| line.trim_start().starts_with("```"))
            .map(|line| line.trim().trim_end_matches("diff").len());
        assert!(fence.is_some_and(|length| length >= 5), "{text}");
    }

    proptest! {
        #[test]
        fn it_never_grows_over_its_limit_and_closes_what_it_opens(
            steps in proptest::collection::vec("[a-z<>`@\n ]{0,200}", 0..40),
            most in 600_usize..4_000,
        ) {
            let mut text = BEFORE.to_owned();
            for (place, words) in steps.iter().enumerate() {
                let words = serde_json::Value::from(words.as_str());
                text.push_str(&format!("  - {{id: s{place}, type: set, values: {{x: {words}}}}}\n"));
            }
            let read = |text: &str| Repository::read([(".flow/processes/p.yaml".to_owned(), text.to_owned())]);
            let shown = difference(&compare(&read(BEFORE), &read(&text)), most);
            prop_assert!(shown.len() <= most, "{} > {most}", shown.len());
            let begins = |with: &str| shown.lines().filter(|line| line.starts_with(with)).count();
            prop_assert_eq!(begins("<details>"), begins("</details>"));
            prop_assert_eq!(shown.lines().filter(|line| line.trim_start().starts_with("```")).count() % 2, 0);
        }
    }
}
