//! Places in files as they are while somebody types; and that where a file is sound, the outline sees what the parser sees.

use super::*;
use crate::source::{Kind, Node as Parsed, parse};

/// The place of `|` in a text: role, path, word.
fn at(text: &str) -> String {
    let offset = text.find('|').unwrap();
    let text = text.replacen('|', "", 1);
    let outline = Outline::of(&text);
    match outline.spot(u32::try_from(offset).unwrap()) {
        None => "nothing".to_owned(),
        Some(spot) => format!("{:?} {} `{}`", spot.role, shown(&spot.path), outline.slice(spot.word)),
    }
}

fn shown(path: &[Part]) -> String {
    let parts = path.iter().map(|part| match part {
        Part::Key(key) => format!("/{key}"),
        Part::Item(index) => format!("/{index}"),
    });
    let shown: String = parts.collect();
    if shown.is_empty() { "/".to_owned() } else { shown }
}

#[test]
fn places_in_lines() {
    for (text, expected) in [
        ("|", "Key / ``"),
        ("na|", "Key / `na`"),
        ("name: a\n|", "Key / ``"),
        ("name: a\nve|\nsteps:\n", "Key / `ve`"),
        ("na|me: a\n", "Key / `name`"),
        ("name: |", "Value /name ``"),
        ("name: re|lease", "Value /name `release`"),
        ("name: 're|lease'", "Value /name `release`"),
        ("steps:\n  - |", "Either /steps/0 ``"),
        ("steps:\n  - i|", "Either /steps/0 `i`"),
        ("steps:\n  - id: a\n    |", "Key /steps/0 ``"),
        ("steps:\n  - id: a\n    ty|\n    when: x\n", "Key /steps/0 `ty`"),
        ("steps:\n  - id: a\n    type: |\n    when: x\n", "Value /steps/0/type ``"),
        ("steps:\n  - id: a\n    retry:\n      |", "Either /steps/0/retry ``"),
        ("steps:\n  - id: a\n    retry:\n      ma|\n", "Either /steps/0/retry `ma`"),
        ("steps:\n  - id: a\n    retry:\n    |", "Key /steps/0 ``"),
        ("steps:\n  - id: a\n  |", "Item /steps ``"),
        ("steps:\n  - id: a\n  - id: b\n   |\n", "Key /steps/1 ``"),
        ("steps:\n- id: a\n  ty|\n", "Key /steps/0 `ty`"),
        ("steps:\n- id: a\n|", "Key / ``"),
        ("steps:\n  - id: a\n\n|\noutputs:\n", "Key / ``"),
        ("steps:\n  - id: a\n    prompt: |BLOCK\n", "Value /steps/0/prompt `BLOCK`"),
        ("a: x\nb:\n  - one\n  - tw|o\n", "Either /b/1 `two`"),
        ("a: # no|t here\n", "nothing"),
        ("|  a: 1", "nothing"),
        ("a:\n  b:\n    c: 1\nd|: 2\n", "Key / `d`"),
        ("a:\n  b:\n    c: 1\n  |\nd: 2\n", "Key /a ``"),
    ] {
        assert_eq!(at(text), expected, "{text}");
    }
}

#[test]
fn places_in_texts_of_several_lines() {
    let block = "steps:\n  - id: a\n    prompt: >\n      Hello {{ inputs.| }}\n\n      there\n    when: x\n";
    assert!(at(block).starts_with("Value /steps/0/prompt"), "{}", at(block));
    let blank = "steps:\n  - id: a\n    prompt: >\n      Hello\n      |\n    when: x\n";
    assert!(at(blank).starts_with("Value /steps/0/prompt"), "{}", at(blank));
    let quoted = "a: \"one\n  two {{ x|\n\nb: 1\n";
    assert!(at(quoted).starts_with("Value /a"), "{}", at(quoted));
    let after = "a: \"never closed\nb: |\n";
    assert_eq!(at(after), "Value /b ``");
    let plain = "a: one\n  tw|o\nb: 1\n";
    assert_eq!(at(plain), "Value /a `one\n  two`");
}

#[test]
fn places_in_brackets() {
    for (text, expected) in [
        ("a: [|]", "Value /a/0 ``"),
        ("a: [|", "Value /a/0 ``"),
        ("a: [one, |]", "Value /a/1 ``"),
        ("a: [one, |\nb: 1\n", "Value /a/1 ``"),
        ("a: [one,\nb|: 1\n", "Key / `b`"),
        ("a: [\n  one,\n  |\nb: 1\n", "Value /a/1 ``"),
        ("a: [o|ne, two]", "Value /a/0 `one`"),
        ("a: {|}", "Key /a ``"),
        ("a: {b: 1, |}", "Key /a ``"),
        ("a: {b: 1, c|}", "Key /a `c`"),
        ("a: {b: 1, c: |}", "Value /a/c ``"),
        ("a: {b|b: 1, c: 2}", "Key /a `bb`"),
        ("a: {b: 1, c: {d: |\ne: 1\n", "Value /a/c/d ``"),
        ("- {id: a, type: se|t, values: {x: 1}}", "Value /0/type `set`"),
        ("- {id: a, depends_on: [x, |], values: {x: 1}}", "Value /0/depends_on/1 ``"),
        ("a: [\n  one,\n  t|wo\n]\nb: 1\n", "Value /a/1 `two`"),
        ("a: {b: \"x {{ i| }}\"}", "Value /a/b `x {{ i }}`"),
        ("a: {b: \"x {{ i|\nc: 1\n", "Value /a/b `x {{ i`"),
        ("a: [one]|", "nothing"),
        ("a: [one, b: |]", "Value /a/1/b ``"),
        ("a: [one, b|b: {c: 1}]", "Key /a/1 `bb`"),
        ("a: [b: {c: |}, d]", "Value /a/0/b/c ``"),
        ("a: {{ inputs.|", "Value /a `{{ inputs.`"),
    ] {
        assert_eq!(at(text), expected, "{text}");
    }
}

/// Every scalar of a parsed file: its path and its span.
fn scalars(node: Parsed<'_>, path: &mut Vec<Part>, found: &mut Vec<(Vec<Part>, Span, bool)>) {
    match node.kind() {
        Kind::Scalar => found.push((path.clone(), node.span(), node.as_str() == Some(""))),
        Kind::Sequence => {
            for (index, item) in node.items().into_iter().flatten().enumerate() {
                path.push(Part::Item(index));
                scalars(item, path, found);
                path.pop();
            }
        }
        Kind::Mapping => {
            for (key, value) in node.entries() {
                path.push(Part::Key(key.as_str().unwrap_or_default().to_owned()));
                scalars(value, path, found);
                path.pop();
            }
        }
    }
}

#[test]
fn a_sound_file_has_the_parser_s_structure() {
    let mut looked_at = 0;
    for file in crate::editor::tests::fixtures() {
        let parsed = parse(&file.text);
        // What an alias stands for is written elsewhere.
        let sound = parsed.faults.is_empty()
            && !file.text.contains(": &")
            && !file.text.contains("- &")
            && !file.text.contains("<<:");
        let Some(root) = parsed.document.root().filter(|_| sound) else { continue };
        let outline = Outline::of(&file.text);
        let mut found = Vec::new();
        scalars(parsed.document.node(root), &mut Vec::new(), &mut found);
        for (path, span, is_empty) in found {
            let node = outline.at(&path).unwrap_or_else(|| panic!("{}: {}", file.path, shown(&path)));
            if is_empty {
                continue;
            }
            let written = outline.node(node).span;
            assert!(written.contains(span), "{}: {} {written:?} {span:?}", file.path, shown(&path));
            let spot = outline.spot(span.start).unwrap_or_else(|| panic!("{}: {}", file.path, shown(&path)));
            assert_eq!((spot.path, spot.node), (path, Some(node)), "{}", file.path);
            looked_at += 1;
        }
    }
    assert!(looked_at > 500, "{looked_at}");
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "[a-c:{}\\[\\], \n|>'\"#&*!-]{0,80}", offset in 0u32..90) {
        let outline = Outline::of(&text);
        if let Some(spot) = outline.spot(offset) {
            proptest::prop_assert!(spot.word.end as usize <= text.len().max(offset as usize));
        }
        for node in &outline.nodes {
            proptest::prop_assert!(text.get(node.span.range()).is_some(), "{:?}", node.span);
        }
    }
}
