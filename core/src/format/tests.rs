#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

const PATH: &str = ".flow/processes/p.yaml";

fn formatted(text: &str) -> String {
    let once = format(PATH, text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    assert_eq!(format(PATH, &once).unwrap(), once, "formatting twice is formatting once");
    once
}

#[test]
fn keys_come_in_the_order_of_the_documentation() {
    let text = "\
outputs: {a: '{{ steps.one.output.x }}'}
steps:
- type: human_approval
  on_timeout: reject
  approvers: {count: 2, team: leads}
  timeout: 5m
  depends_on: [one]
  id: ask
- values: {x: 1}
  id: one
  type: set
version: 1
triggers:
    - comment: /go
    - pull_request: {labels: [x], actions: [opened]}
name: \"p\"
context:
  zebra: 1
  ant: 2
";
    insta::assert_snapshot!(formatted(text), @r#"
    name: p
    version: 1
    triggers:
      - comment: /go
      - pull_request: {actions: [opened], labels: [x]}
    context:
      zebra: 1
      ant: 2
    steps:
      - id: ask
        type: human_approval
        depends_on: [one]
        approvers: {team: leads, count: 2}
        timeout: 5m
        on_timeout: reject

      - id: one
        type: set
        values: {x: 1}
    outputs: {a: '{{ steps.one.output.x }}'}
    "#);
}

#[test]
fn comments_stay_with_what_they_speak_about() {
    let text = "\
# About the file.

# About the version.
version: 1   # one
name: p # the name
steps: # all of them
  # About one.
  - id: one
    # About the type.
    type: set
    values:
      x: 1
      # y: 2
    # after the values
  # - id: two
  # a step that is off

# About the outputs.
outputs: {}
# the end
";
    insta::assert_snapshot!(formatted(text), @r#"
    # About the file.

    name: p # the name

    # About the version.
    version: 1   # one
    steps: # all of them
      # About one.
      - id: one
        # About the type.
        type: set
        values:
          x: 1
          # y: 2
        # after the values
      # - id: two
      # a step that is off

    # About the outputs.
    outputs: {}
    # the end
    "#);
}

#[test]
fn comments_in_lists_that_are_not_indented_stay_with_their_keys() {
    let text = "\
name: p
version: 1
steps: &all
- type: set
  # about the values
  values: {x: 1}
  id: one # the first
  # off
# about two
- id: two
  type: set
  values:
  - # an item
    a: 1
  - - b # nested
";
    insta::assert_snapshot!(formatted(text), @r"
    name: p
    version: 1
    steps: &all
      - id: one # the first
        type: set
        # about the values
        values: {x: 1}
        # off

      # about two
      - id: two
        type: set
        values:
          # an item
          - a: 1
          - - b # nested
    ");
}

#[test]
fn blocks_anchors_aliases_and_the_document_start_are_kept() {
    let text = "\
---
name: p
version: 1
defaults:
    retry: &patient {max_attempts: 2, backoff: fixed}
steps:
      - id: one
        type: ai_generate
        prompt: |  # the question
              Write.

                Indented.
        system: >-
          folded
          text
        output_schema: {type: object}
        retry: *patient
        model: mock
      - &two
        id: two
        type: set
        values: {a: |2-
        }
";
    let text = text.replace("        values: {a: |2-\n        }\n", "        values:\n          a: |2-\n               three\n          b: |+\n            kept\n\n\n          c: \"a\n            b\"\n");
    insta::assert_snapshot!(formatted(&text), @r#"
    ---
    name: p
    version: 1
    defaults:
      retry: &patient {max_attempts: 2, backoff: fixed}
    steps:
      - id: one
        type: ai_generate
        model: mock
        prompt: |  # the question
          Write.

            Indented.
        system: >-
          folded
          text
        output_schema: {type: object}
        retry: *patient

      - &two
        id: two
        type: set
        values:
          a: |2-
               three
          b: |+
            kept


          c: "a
            b"
    "#);
}

#[test]
fn quotes_go_where_nobody_needs_them() {
    let text = "name: 'p'\nversion: 1\nsteps:\n  - {id: \"one\", type: set, values: {a: 'yes', b: '1', c: \"two words\", d: '{{ inputs.x }}', \"e\": 'x: y'}}\n";
    insta::assert_snapshot!(formatted(text), @r#"
    name: p
    version: 1
    steps:
      - {id: one, type: set, values: {a: 'yes', b: '1', c: two words, d: '{{ inputs.x }}', e: 'x: y'}}
    "#);
}

#[test]
fn long_brackets_are_opened_and_others_stay_as_they_are() {
    let text = "\
name: p
version: 1
steps:
  - {id: one, type: set, values: {first: a rather long text that goes on, second: another rather long text that goes on}}
  - {id: two, type: set, values: {x: 1}}
  - id: three
    type: set
    values: {a: [1,2 ,
        3], # three
      b: {}}
";
    insta::assert_snapshot!(formatted(text), @r#"
    name: p
    version: 1
    steps:
      - id: one
        type: set
        values: {first: a rather long text that goes on, second: another rather long text that goes on}

      - {id: two, type: set, values: {x: 1}}

      - id: three
        type: set
        values: {a: [1,2 ,
            3], # three
          b: {}}
    "#);
}

#[test]
fn an_alias_never_comes_before_its_anchor() {
    let text = "\
version: 1
steps:
  - {id: one, type: set, values: {x: &x 1}}
context: {y: *x}
name: p
";
    assert_eq!(formatted(text), text);
}

#[test]
fn a_suppression_stays_with_its_line() {
    let text = "\
name: p
version: 1
steps:
  # flowctl: ignore[FLOW012] it comes later
  - depends_on: nobody
    id: one
    type: set
    values: {x: 1} # flowctl: ignore[FLOW001] fine
";
    insta::assert_snapshot!(formatted(text), @r#"
    name: p
    version: 1
    steps:
      - id: one
        type: set
        # flowctl: ignore[FLOW012] it comes later
        depends_on: nobody
        values: {x: 1} # flowctl: ignore[FLOW001] fine
    "#);
}

#[test]
fn line_breaks_byte_order_marks_and_document_ends_are_kept() {
    assert_eq!(
        formatted("\u{feff}version: 1\r\nname: p\r\nsteps: []\r\n"),
        "\u{feff}name: p\r\nversion: 1\r\nsteps: []\r\n"
    );
    assert_eq!(formatted("version: 1\nname: p\n...\n"), "name: p\nversion: 1\n...\n");
    assert_eq!(formatted("name: p\ndescription: |\n   no break"), "name: p\ndescription: |\n  no break");
}

#[test]
fn what_is_faulty_or_no_definition_is_left_alone() {
    assert!(matches!(format(PATH, "name: [\n"), Err(FormatError::Faulty(faults)) if faults.len() == 1));
    assert!(matches!(format(PATH, "%YAML 1.2\n---\nname: p\n"), Err(FormatError::Unsupported(_))));
    assert_eq!(format(".flow/schemas/s.json", "{\"a\":1}").unwrap(), "{\"a\":1}");
    assert_eq!(format(".flow/README.md", "*  x").unwrap(), "*  x");
}

#[test]
fn a_prompts_template_is_not_touched() {
    let text = "---\nvariables:\n    x: {required: true, type: string}\ndescription: Asks.\n---\n  Keep   {{ variables.x }}\n\n\n";
    let expected = "---\ndescription: Asks.\nvariables:\n  x: {type: string, required: true}\n---\n  Keep   {{ variables.x }}\n\n\n";
    assert_eq!(format(".flow/prompts/a.md", text).unwrap(), expected);
}

/// Every definition of the fixtures and the documentation, with its path.
fn definitions() -> Vec<(String, String)> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { below(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    below(&root.join("fixtures"), &mut files);
    below(&root.join("docs"), &mut files);
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let shown = path.to_string_lossy().into_owned();
        if let Some((_, inside)) = shown.split_once("/.flow/") {
            found.push((format!(".flow/{inside}"), text));
        } else if shown.contains("/docs/") {
            for block in text.split("\n```yaml\n# .flow/").skip(1) {
                let (name, rest) = block.split_once('\n').unwrap();
                found.push((format!(".flow/{}", name.trim()), rest.split("\n```").next().unwrap().to_owned() + "\n"));
            }
        }
    }
    found
}

#[test]
fn every_definition_there_is_can_be_formatted() {
    let mut counted = 0;
    for (path, text) in definitions() {
        match format(&path, &text) {
            Ok(once) => {
                counted += 1;
                assert_eq!(format(&path, &once).unwrap(), once, "{path}");
            }
            Err(FormatError::Faulty(_)) => {}
            Err(error) => panic!("{path}: {error}\n{text}"),
        }
    }
    assert!(counted > 100, "{counted}");
}

/// A comment with what it is attached to: the keys and items around what follows it, or what stands before it.
fn attachments(text: &str) -> Vec<(String, String)> {
    let parsed = parse(text);
    let mut found = Vec::new();
    for comment in parsed.document.comments() {
        let start = comment.span.start as usize;
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let before = text[line..start].trim();
        let to = if before.is_empty() {
            let below = text[start..].lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
            let below = below.unwrap_or("").trim_start_matches("- ");
            format!("above {}", below.split(':').next().unwrap_or_default())
        } else {
            format!("behind {}", before.trim_start_matches("- ").split(':').next().unwrap_or_default())
        };
        found.push((comment.text.trim_end().to_owned(), to));
    }
    found.sort();
    found
}

/// Parts that a process is put together from.
fn process() -> impl Strategy<Value = String> {
    let comment = || prop_oneof![3 => Just(String::new()), 1 => "[a-z]{1,6}".prop_map(|word| format!(" # {word}"))];
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("two words".to_owned()),
        Just("'yes'".to_owned()),
        Just("\"plain\"".to_owned()),
        Just("'{{ inputs.x }}'".to_owned()),
        Just("{b: [1, '2'], a: {}}".to_owned()),
        Just("[x,y ,  {k: v}]".to_owned()),
        Just("|\nPAD  one\n\nPAD    two".to_owned()),
        Just(">-\nPAD  one\nPAD  two".to_owned()),
        Just("|2-\nPAD   one".to_owned()),
        Just("\"a\nPAD  b\"".to_owned()),
        Just("\nPAD  k: v\nPAD  # inside\nPAD  l: [1]".to_owned()),
        Just("\nPAD- one\nPAD-   k: v\nPAD    l: w".to_owned()),
        Just("[1,\nPAD    2, # two\nPAD    3]".to_owned()),
        Just(String::new()),
    ];
    let entry = (value, comment(), any::<bool>(), 0..3_usize);
    let steps = proptest::collection::vec((proptest::collection::vec(entry, 1..4), any::<bool>(), 0..4_usize), 1..4);
    (steps, 0..5_usize, any::<bool>()).prop_map(|(steps, indent, header)| {
        let mut text =
            if header { "# the file\n\nversion: 1\nname: p\nsteps:\n" } else { "version: 1\nname: p\nsteps:\n" }
                .to_owned();
        for (number, (entries, own, blank)) in steps.into_iter().enumerate() {
            let dash = " ".repeat(indent);
            let inner = " ".repeat(indent + 2);
            text.push_str(&"\n".repeat(blank.saturating_sub(2)));
            if own {
                text.push_str(&format!("{dash}# step {number}\n"));
            }
            text.push_str(&format!("{dash}- type: set\n{inner}id: s{number}\n{inner}values:\n"));
            for (place, (value, comment, own, blank)) in entries.into_iter().enumerate() {
                let pad = " ".repeat(indent + 4);
                text.push_str(&"\n".repeat(blank.saturating_sub(1)));
                if own {
                    text.push_str(&format!("{pad}# about {number}{place}\n"));
                }
                // A comment behind the first line of a text of several lines would be part of it.
                let comment = if value.contains('\n') && !value.starts_with('\n') { String::new() } else { comment };
                let (first, rest) =
                    value.split_once('\n').map_or((value.as_str(), None), |(first, rest)| (first, Some(rest)));
                let space = if first.is_empty() { "" } else { " " };
                text.push_str(&format!("{pad}k{place}:{space}{first}{comment}\n"));
                if let Some(rest) = rest {
                    text.push_str(&rest.replace("PAD", &pad));
                    text.push('\n');
                }
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn formatting_keeps_the_meaning_and_every_comment_at_its_place(text in process()) {
        let parsed = parse(&text);
        prop_assume!(parsed.faults.is_empty());
        let once = format(PATH, &text);
        prop_assert!(once.is_ok(), "{:?}\n{text}", once.err());
        let once = once.unwrap();
        prop_assert_eq!(&format(PATH, &once).unwrap(), &once, "not idempotent\n{}", text);
        let keys = |text: &str| -> Vec<(String, String)> {
            attachments(text).into_iter().filter(|(words, _)| words.starts_with(" about") || words == " inside").collect()
        };
        prop_assert_eq!(keys(&text), keys(&once), "{}\n→\n{}", text, once);
    }

    #[test]
    fn nothing_makes_it_panic_or_lie(text in "[ \\n#:\\-{}\\[\\]&*|>'\"a-c]{0,60}") {
        if let Ok(once) = format(PATH, &text) {
            prop_assert_eq!(format(PATH, &once).map_err(|error| error.to_string()), Ok(once));
        }
    }
}
