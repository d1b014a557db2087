//! The rules of parsing, decoding and the JSON view, as tables; then properties for any text.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;

use indexmap::IndexMap;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

fn shown(text: &str) -> String {
    let parsed = parse(text);
    let lines = parsed.faults.iter().map(|fault| {
        let place = text.get(fault.span.range()).unwrap();
        let related: String = fault.related.iter().map(|(span, _)| format!(" ({span:?})")).collect();
        let help = fault.help.as_deref().map(|help| format!(" | {help}")).unwrap_or_default();
        format!("{:?} {place:?}@{}: {}{related}{help}", fault.kind, fault.span.start, fault.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn json_of(text: &str) -> Value {
    let parsed = parse(text);
    parsed.document.root().map_or(Value::Null, |root| to_json(&parsed.document, root))
}

#[test]
fn values_take_the_types_of_the_core_schema() {
    assert_eq!(
        json_of(
            "\u{feff}a: on\r\nb: [1, 1.5, yes, true, ~, '1']\r\nc:\n  - x: |\n      hello\n  - >-\n    a\n    b\nd: 18446744073709551615"
        ),
        json!({"a": "on", "b": [1, 1.5, "yes", true, null, "1"], "c": [{"x": "hello\n"}, "a b"], "d": 18_446_744_073_709_551_615_u64})
    );
}

#[test]
fn spans_are_the_text_alone() {
    let text = "a: 'x y'\nb: \"\"\nc: |\n  one\n   two\n\nd:\ne: [1, {f: 2}]\ng:\n  - h: 1\n  -\n";
    let parsed = parse(text);
    assert_eq!(parsed.faults, []);
    let document = &parsed.document;
    let root = document.node(document.root().unwrap());
    let at = |node: Node<'_>| text.get(node.span().range()).unwrap().to_owned();
    let of = |key: &str| at(root.get(key).unwrap());
    assert_eq!(of("a"), "x y");
    assert_eq!(text.get(root.get("a").unwrap().outer_span().range()).unwrap(), "'x y'");
    assert_eq!(of("b"), "\"\"");
    assert_eq!(of("c"), "one\n   two");
    assert_eq!(of("d"), "d", "nothing is shown by its key");
    assert_eq!(of("e"), "[1, {f: 2}]");
    assert_eq!(of("g"), "- h: 1\n  -");
    let items: Vec<Node<'_>> = root.get("g").unwrap().items().unwrap().collect();
    assert_eq!((at(items[0]), at(items[1])), ("h: 1".to_owned(), "-".to_owned()));
    assert_eq!(at(root.key_node("e").unwrap()), "e");
    assert_eq!(root.span(), Span::new(0, text.trim_end().len()));
}

#[test]
fn faults_of_the_text() {
    insta::assert_snapshot!(shown("a: 1\nb: 2\na: 3\n"), @r#"DuplicateKey "a"@10: the key `a` is already there (Span { start: 0, end: 1 }) | remove one of them; the first counts"#);
    insta::assert_snapshot!(shown("a: 1\n---\nb: 2\n"), @r#"SecondDocument "---"@5: a second document begins here | one file holds one definition: move the rest into a file of its own"#);
    insta::assert_snapshot!(shown("a: 1\n...\nb: 2\n"), @r#"SecondDocument ""@9: a second document begins here | one file holds one definition: move the rest into a file of its own"#);
    insta::assert_snapshot!(shown("a: {{ x }}\nb: [{{ y }}, 1]\n"), @r#"
    UnquotedTemplate "{{ x }}"@3: a template needs quotes here: without them YAML reads a mapping | write "{{ x }}"
    UnquotedTemplate "{{ y }}"@15: a template needs quotes here: without them YAML reads a mapping | write "{{ y }}"
    "#);
    insta::assert_snapshot!(shown("a: {{ x[0] }} and \"more\" # why\nb: {{ 'a' ~ y }}\nc: *no\n"), @r#"
    UnquotedTemplate "{{ x[0] }} and \"more\""@3: a template needs quotes here: without them YAML reads a mapping | write '{{ x[0] }} and "more"'
    UnquotedTemplate "{{ 'a' ~ y }}"@34: a template needs quotes here: without them YAML reads a mapping | write "{{ 'a' ~ y }}"
    UnknownAnchor "*no"@51: `*no` refers to an anchor that is not defined | define it before with `&no`, or put the text in quotes
    "#);
    insta::assert_snapshot!(shown("'{{ x }}': 1\n{{ y }}: 2\nz{{ 1 }}: 3\n"), @r#"
    TemplateKey "{{ x }}"@1: a key cannot be a template | write the key out; only values are rendered
    TemplateKey "{{ y }}"@13: a key cannot be a template | write the key out; only values are rendered
    TemplateKey "z{{ 1 }}"@24: a key cannot be a template | write the key out; only values are rendered
    "#);
    insta::assert_snapshot!(shown("a: !foo 1\nb: !!str\n  c: d\n"), @r#"
    Tag "!foo"@3: YAML tags such as `!foo` are not allowed | remove the tag; put a value in quotes to make it text
    Tag "!!str"@13: YAML tags such as `!!str` are not allowed | remove the tag; put a value in quotes to make it text
    "#);
    insta::assert_snapshot!(shown("? [a]\n: b\n? {c: d}\n: e\n: f\n"), @r#"
    NotAScalarKey "[a]"@2: a key must be text, not a list or a mapping
    NotAScalarKey "{c: d}"@12: a key must be text, not a list or a mapping
    NotAScalarKey ""@23: a key is missing before the colon
    "#);
    insta::assert_snapshot!(shown("a: *b\nb: &b [*b]\n"), @r#"
    UnknownAnchor "*b"@3: `*b` refers to an anchor that is not defined | define it before with `&b`, or put the text in quotes
    UnknownAnchor "*b"@13: this alias lies inside the value that it stands for | an anchor can only be used after the value that it names has ended
    "#);
    insta::assert_snapshot!(shown("a: &a 1\nb:\n  <<: *a\nc:\n  <<: [{x: 1}, 2]\n"), @r#"
    MergeKey "1"@6: `<<` needs a mapping, or a list of mappings | give an alias of a mapping, such as `<<: *defaults`; in quotes, `"<<"` is a key like any other
    MergeKey "2"@38: `<<` needs a mapping, or a list of mappings | give an alias of a mapping, such as `<<: *defaults`; in quotes, `"<<"` is a key like any other
    "#);
    insta::assert_snapshot!(shown(""), @r#"Empty ""@0: the file is empty"#);
    insta::assert_snapshot!(shown("# nothing\n"), @r#"Empty ""@0: the file is empty"#);
    insta::assert_snapshot!(shown("---\n"), @r#"Empty ""@0: the file is empty"#);
    insta::assert_snapshot!(shown("a:\n\t- b\n"), @r#"Syntax "\t"@3: a tab is used for indentation | indent with spaces"#);
    insta::assert_snapshot!(shown("a: 1\nb: c\n\n \n\td: e\n"), @r#"Syntax "\t"@13: a tab is used for indentation | indent with spaces"#);
    insta::assert_snapshot!(shown("a: \"b\n\tc\"\n"), @r#"Syntax "\t"@6: a tab is used for indentation | indent with spaces"#);
    insta::assert_snapshot!(shown("a: b: c\n"), @r#"Syntax ":"@4: a second `: ` in one line is not allowed here | put a text that holds `: ` in quotes, or begin a new line"#);
    insta::assert_snapshot!(shown("a: [1, 2\nb: 3\n"), @r#"Syntax "["@3: `[` is never closed (Span { start: 10, end: 11 }) | add the matching `]`"#);
    insta::assert_snapshot!(shown("a: 'x\n"), @r#"Syntax "'"@3: this quote is never closed | add the closing quote"#);
    insta::assert_snapshot!(shown("a: b\0\n"), @r#"Syntax "\0"@4: the file holds a NUL character | save it as UTF-8 text"#);
    insta::assert_snapshot!(shown("a: @b\n"), @r#"Syntax "@"@3: a value cannot begin with `@` | put the value in quotes"#);
    insta::assert_snapshot!(shown("a: 1\n b: 2\n"), @r#"Syntax ":"@7: a key cannot stand here: the line above already has a value | align this key with the keys above, or give the key above no value of its own"#);
    insta::assert_snapshot!(shown("a: \"\\q\"\n"), @r#"Syntax "\""@3: this escape is unknown in double quotes | write `\\` for a backslash, or use single quotes"#);
    insta::assert_snapshot!(shown("a: \"x\nb: 1\n"), @r#"Syntax "\""@3: this quote is never closed (Span { start: 6, end: 7 }) | add the closing quote"#);
    insta::assert_snapshot!(shown("- a: 'x\n  b: 1\n  c: 'y'\n"), @r#"Syntax "'"@5: this quote is never closed (Span { start: 10, end: 11 }) | add the closing quote"#);
    insta::assert_snapshot!(shown("[a]\nb: 1\n"), @r#"Syntax "b"@4: this does not belong to what stands above | check its indentation; a text that begins with a special character needs quotes"#);
    insta::assert_snapshot!(shown("- a\nb: 1\n"), @r#"Syntax "b"@4: a list item is expected here | begin it with `- ` under the item above"#);
    insta::assert_snapshot!(shown("a: 1\n- b\n"), @r#"Syntax "b"@7: a key with a colon is expected here | check the indentation of this line and of the one above, and that each key ends with `: `"#);
    insta::assert_snapshot!(shown("a: %b\n"), @r#"Syntax "%"@3: a value cannot begin with `%` | put the value in quotes"#);
    insta::assert_snapshot!(shown("a: *\n"), @r#"Syntax "*"@3: a name is missing after `&` or `*` | put a text that begins with one of them in quotes"#);
    insta::assert_snapshot!(shown("a: {b: 1]\n"), @r#"Syntax "{"@3: `{` is closed with `]` | close it with `}`"#);
    insta::assert_snapshot!(shown("a: ]\n"), @r#"Syntax "]"@3: this bracket closes nothing | remove it, or put the text in quotes"#);
    insta::assert_snapshot!(shown("a\n"), @"");
    insta::assert_snapshot!(shown("a: \"{{ x }}\" tail\n"), @r#"Syntax "t"@13: text follows a quoted value | put the whole value in one pair of quotes (in single quotes, write a quote twice)"#);
    insta::assert_snapshot!(shown("a: 'b' c\n"), @r#"Syntax "c"@7: text follows a quoted value | put the whole value in one pair of quotes (in single quotes, write a quote twice)"#);
}

#[test]
fn what_was_understood_stays() {
    assert_eq!(json_of("a: 1\nb: [2, {c: 3}\nd: 4\n"), json!({"a": 1, "b": [2]}));
    assert_eq!(json_of("a: 1\na: 2\nb: 3\nb: 4\n"), json!({"a": 1, "b": 3}));
    assert_eq!(json_of("a: {{ x }}\nb: {{ y[0] }} z\nc: 1\n"), json!({"a": "{{ x }}", "b": "{{ y[0] }} z", "c": 1}));
    assert_eq!(json_of("{{ x }}: 1\n[a]: 2\nc: 3\n"), json!({"c": 3}));
    assert!(!parse("a: [").document.is_complete());
    assert!(parse("a: *x").document.is_complete());
}

#[test]
fn errors_that_follow_from_what_is_left_out_say_so() {
    let text = "name: !x a\nversion: 1\nform: {number: 1, plain: 2}\n";
    let parsed = parse(text);
    let root = parsed.document.root().unwrap();
    let read = |pruned: &Pruned| from_node::<Sample>(&parsed.document, root, pruned).unwrap_err();
    let name = parsed.document.pointer(root, "/name").unwrap();
    let error = read(&Pruned::none());
    assert_eq!(
        (error.message.as_str(), error.is_consequence),
        ("expected exactly one of `plain`, `number` or `pair`", false)
    );
    let error = read(&Pruned::from_iter([error.node, name]));
    assert_eq!((error.message.as_str(), error.is_consequence), ("the key `name` is missing", true));
}

#[test]
fn aliases_and_merge_keys() {
    let text = "base: &base {a: 1, b: 2}\nother: &other\n  b: 3\n  c: 4\nx:\n  a: 0\n  <<: [*base, *other]\ny: *base\nz: {\"<<\": 1}\n";
    assert_eq!(
        json_of(text),
        json!({
            "base": {"a": 1, "b": 2}, "other": {"b": 3, "c": 4},
            "x": {"a": 0, "b": 2, "c": 4}, "y": {"a": 1, "b": 2}, "z": {"<<": 1}
        })
    );
    let parsed = parse(text);
    let document = &parsed.document;
    let at = |pointer| document.pointer(document.root().unwrap(), pointer).unwrap();
    assert_eq!(at("/base"), at("/y"), "an alias is the node itself");
}

#[test]
fn comments_are_kept() {
    let header = "# line\n".repeat(300);
    let text = format!("{header}a: 1 # flowctl: ignore[FLOW012] because\n");
    let parsed = parse(&text);
    assert_eq!(parsed.faults, []);
    assert_eq!(parsed.document.comments().len(), 301);
    let last = parsed.document.comments().last().unwrap();
    assert_eq!(last.text, " flowctl: ignore[FLOW012] because");
    assert_eq!(text.get(last.span.range()).unwrap(), "# flowctl: ignore[FLOW012] because");
}

#[test]
fn hostile_files_end_in_a_fault() {
    let kind = |text: &str| {
        let faults = parse(text).faults;
        (faults.len(), faults[0].kind)
    };
    assert_eq!(kind(&"[".repeat(10_000)), (1, FaultKind::TooDeep));
    assert_eq!(kind(&"{a: ".repeat(10_000)), (1, FaultKind::TooDeep));
    assert_eq!(kind(&"- ".repeat(10_000)), (1, FaultKind::TooDeep));
    let staircase: String = (0..3_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(kind(&staircase), (1, FaultKind::TooDeep));
    let keys: String = (0..200_000).map(|number| format!("k{number}: 1\n")).collect();
    assert_eq!(kind(&keys), (1, FaultKind::TooManyNodes));
    assert_eq!(kind(&"a".repeat(MAXIMUM_BYTES + 1)), (1, FaultKind::TooLarge));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let before = level - 1;
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 9].join(", ")));
    }
    assert_eq!(kind(&bomb), (1, FaultKind::TooManyAliases));
    let mut tower = "a0: &a0 [x]\n".to_owned();
    for level in 1..1_000 {
        tower.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_eq!(kind(&tower), (1, FaultKind::TooDeep));
    let mut merges = "a0: &a0 {k0: 1}\n".to_owned();
    for level in 1..2_000 {
        merges.push_str(&format!("a{level}: &a{level}\n  <<: *a{}\n  k{level}: 1\n", level - 1));
    }
    assert_eq!(kind(&merges), (1, FaultKind::TooManyAliases));
    let repeated = "a: 1\n".repeat(100_000);
    assert_eq!(kind(&repeated), (MAXIMUM_FAULTS, FaultKind::DuplicateKey));
    let templates = "a: {{ x[0] }}\n".repeat(10_000);
    assert_eq!(kind(&templates).1, FaultKind::UnquotedTemplate);
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Sample {
    name: Spanned<String>,
    version: u32,
    #[serde(default)]
    rate: Option<f64>,
    #[serde(default)]
    flag: bool,
    #[serde(default)]
    list: Vec<Spanned<i64>>,
    #[serde(default)]
    map: IndexMap<Spanned<String>, Spanned<Value>>,
    #[serde(default)]
    sorted: BTreeMap<String, u64>,
    #[serde(default)]
    form: Option<Spanned<Form>>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Form {
    Plain,
    Number(u8),
    Pair { left: Spanned<String>, right: Option<String> },
}

fn decode(text: &str) -> Result<Sample, DecodeError> {
    let parsed = parse(text);
    from_node(&parsed.document, parsed.document.root().unwrap_or_default(), &Pruned::none())
}

fn decode_error(text: &str) -> String {
    let error = decode(text).unwrap_err();
    let place = text.get(error.span.range()).unwrap();
    let help = error.help.map(|help| format!(" | {help}")).unwrap_or_default();
    format!("{place:?}: {}{help}", error.message)
}

#[test]
fn decoding_keeps_places() {
    let text = "name: 'a b'\nversion: 1.0\nrate: 2\nflag: true\nlist: [1, -2]\nmap: {x: {y: [1]}, 1: null}\nsorted: {b: 18446744073709551615}\nform:\n  pair:\n    left: l\n    right:\n";
    let sample = decode(text).unwrap();
    let at = |span: Span| text.get(span.range()).unwrap();
    assert_eq!(sample.name.value, "a b");
    assert_eq!(at(sample.name.span), "a b");
    assert_eq!((sample.version, sample.rate, sample.flag), (1, Some(2.0), true));
    assert_eq!(sample.list.iter().map(|item| (item.value, at(item.span))).collect::<Vec<_>>(), [(1, "1"), (-2, "-2")]);
    assert_eq!(sample.map.get("x").unwrap().value, json!({"y": [1]}));
    let (key, value) = sample.map.get_index(1).unwrap();
    assert_eq!((key.value.as_str(), at(key.span), &value.value), ("1", "1", &Value::Null));
    assert_eq!(sample.sorted["b"], u64::MAX);
    let Form::Pair { left, right } = &sample.form.as_ref().unwrap().value else { panic!("another form") };
    assert_eq!((at(left.span), right), ("l", &None));
    let form =
        |text: &str| decode(&format!("name: a\nversion: 1\nform: {text}\n")).map(|sample| sample.form.unwrap().value);
    assert_eq!(form("plain").unwrap(), Form::Plain);
    assert_eq!(form("{number: 3}").unwrap(), Form::Number(3));
}

#[test]
fn spanned_values_come_from_json_too() {
    let sample: Sample = serde_json::from_value(json!({"name": "a", "version": 1, "map": {"k": 1}})).unwrap();
    assert_eq!((sample.name.node, sample.name.span), (NodeId::NONE, Span::default()));
    assert_eq!(serde_json::to_value(&sample.map).unwrap(), json!({"k": 1}));
}

#[test]
fn what_decoding_refuses() {
    insta::assert_snapshot!(decode_error("name: a\nversion: \"1\"\n"), @r#""1": expected a whole number, found the text `1`"#);
    insta::assert_snapshot!(decode_error("name: 1\nversion: 1\n"), @r#""1": expected text, found the number 1 | put it in quotes: "1""#);
    insta::assert_snapshot!(decode_error("name: a\nversion: -1\n"), @r#""-1": the number -1 is too small here"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 1.5\n"), @r#""1.5": expected a whole number, found the number 1.5"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 5000000000\n"), @r#""5000000000": the number 5000000000 is too large here"#);
    insta::assert_snapshot!(decode_error("name: a\nversoin: 1\n"), @r#""versoin": unknown key `versoin` | did you mean `version`?"#);
    insta::assert_snapshot!(decode_error("name: a\n"), @r#""name": the key `version` is missing"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 1\nlist: 3\n"), @r#""3": expected a list, found the number 3"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 1\nlist: [1, x]\n"), @r#""x": expected a whole number, found the text `x`"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 1\nflag: yes\n"), @r#""yes": expected `true` or `false`, found the text `yes`"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 1\nform: planin\n"), @r#""planin": `planin` is none of the allowed values | did you mean `plain`?"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 1\nform: number\n"), @r#""number": `number` needs a value: write `number: …`"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 1\nform: {plain: 1}\n"), @r#""1": `plain` takes no value"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 1\nform: {number: 1, plain: 2}\n"), @r#""plain": expected exactly one of `plain`, `number` or `pair`"#);
    insta::assert_snapshot!(decode_error("name: a\nversion: 1\nform: {pair: {right: x}}\n"), @r#""pair": the key `left` is missing"#);
    insta::assert_snapshot!(decode_error("[1]\n"), @r#""[1]": expected a mapping, found a list"#);
}

#[test]
fn pruned_nodes_are_left_out() {
    let text = "name: a\nversion: 1\nlist: [1, x, 3]\nflag: 7\n";
    let parsed = parse(text);
    let root = parsed.document.root().unwrap();
    let mut pruned = Pruned::none();
    let mut messages = Vec::new();
    let sample: Sample = loop {
        match from_node(&parsed.document, root, &pruned) {
            Ok(sample) => break sample,
            Err(error) => {
                messages.push(error.message.clone());
                assert!(pruned.insert(error.node));
            }
        }
    };
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(sample.list.iter().map(|item| item.value).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(to_json_without(&parsed.document, root, &pruned), json!({"name": "a", "version": 1, "list": [1, 3]}));
}

/// The text at the mapped span of a part of a value.
fn within(text: &str, pointer: &str, part: &str) -> String {
    let parsed = parse(text);
    assert_eq!(parsed.faults, [], "{text}");
    let id = parsed.document.pointer(parsed.document.root().unwrap(), pointer).unwrap();
    let value = parsed.document.node(id).as_str().unwrap();
    let start = value.find(part).unwrap_or_else(|| panic!("{part:?} is not in {value:?}"));
    let span = parsed.document.span_within(id, start..start + part.len());
    text.get(span.range()).unwrap().to_owned()
}

#[test]
fn parts_of_scalars_lead_back_to_the_file() {
    for (text, part, expected) in [
        ("a: hello {{ x }} end", "{{ x }}", "{{ x }}"),
        ("a: 'it''s {{ x }}'", "{{ x }}", "{{ x }}"),
        ("a: 'it''s'", "'", "''"),
        ("a: 'it''s'", "t's", "t''s"),
        ("a: \"\\u00e9\\t{{ x }}\\n\"", "{{ x }}", "{{ x }}"),
        ("a: \"\\u00e9 x\"", "é", "\\u00e9"),
        ("a: \"\\uD834\\uDD1E x\"", "x", "x"),
        ("a: one\n  two\n\n  three", "two", "two"),
        ("a: one\n  two\n\n  three", "e two", "e\n  two"),
        ("a: one\n  two\n\n  three", "three", "three"),
        ("a: one\n  two\n\n  three", "two\nthree", "two\n\n  three"),
        ("a: 'one\n\n  two  \n  three'", "two three", "two  \n  three"),
        ("a: \"one \\\n   two\\\n  \\ three\"", "two three", "two\\\n  \\ three"),
        ("a: |\n  one\n    two\n\n  three\nb: 1", "two\n\nthree", "two\n\n  three"),
        ("a: |\n  one\n    two\n\n  three\nb: 1", "  two", "  two"),
        ("a: |2\n    one\n  two\nb: 1", "two", "two"),
        ("a: |\n\n\n  one\n  two\n", "two", "two"),
        ("a: >\n  one\n  two\n\n  three\n   more\n  four\n", "two", "two"),
        ("a: >\n  one\n  two\n\n  three\n   more\n  four\n", "three\n more\nfour", "three\n   more\n  four"),
        ("a: >-\r\n  one\r\n  two\r\n", "one two", "one\r\n  two"),
        ("a: |\r\n  one\r\n  two\r\n", "two", "two"),
        ("\u{feff}a: |+\n  é\n  two\n\n", "two", "two"),
        ("a: |\n  one\n  two", "one\ntwo", "one\n  two"),
    ] {
        let span = within(text, "/a", part);
        assert_eq!(span, expected, "{text:?} {part:?}");
    }
}

#[test]
fn ranges_beyond_a_value_are_clamped() {
    let text = "a: 'x''y'\nb: [1]";
    let parsed = parse(text);
    let root = parsed.document.root().unwrap();
    let document = &parsed.document;
    let at = |pointer, range| document.span_within(document.pointer(root, pointer).unwrap(), range);
    assert_eq!(at("/a", 0..99), Span::new(4, 8));
    assert_eq!(at("/a", 50..99), Span::new(8, 8));
    assert_eq!(at("/b", 0..1), Span::new(13, 16));
    assert_eq!(document.span_within(NodeId::NONE, 3..9), Span::default());
}

/// Any text, with much of what YAML cares about.
pub(super) fn any_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        5 => "[ -~é🦀\t]{0,6}",
        10 => proptest::sample::select(vec![
            "a: ", "- ", "\n", "\n  ", "\r\n", "{", "}", "[", "]", ", ", ": ", "{{ x }}", "{{", "}}", "{% if %}", "&a ", "*a",
            "<<: ", "|\n", ">-\n", "\"", "'", "\\", "# c", "---\n", "...\n", "? ", "!!str ", "\u{feff}", "\0", "~", "1", "%YAML 1.2\n",
            "key", "\u{85}", "\u{2028}", "| #\n", "|2\n   ",
        ]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

pub(super) fn assert_inside(text: &str, span: Span) {
    assert!(span.start <= span.end, "{text:?} {span:?}");
    assert!(text.get(span.range()).is_some(), "{text:?} {span:?}");
}

fn check_any(text: &str) {
    let parsed = parse(text);
    let document = &parsed.document;
    for fault in &parsed.faults {
        assert_inside(text, fault.span);
        fault.related.iter().for_each(|(span, _)| assert_inside(text, *span));
    }
    document.comments().iter().for_each(|comment| assert_inside(text, comment.span));
    assert!(document.root().is_some() || !parsed.faults.is_empty() || !document.is_complete(), "{text:?}");
    for index in 1..=document.len() {
        let node = document.node(NodeId(index as u32));
        assert_inside(text, node.span());
        assert_inside(text, node.outer_span());
        assert!(
            node.outer_span().contains(node.span()) || node.span().is_empty() || node.as_str() == Some(""),
            "{text:?}"
        );
        if let Some(value) = node.as_str() {
            let map = document.scalar_map(node.id());
            for (at, character) in value.char_indices() {
                assert_inside(text, map.span(at..at + character.len_utf8()));
            }
        }
    }
    let root = document.root().unwrap_or_default();
    let _ = to_json(document, root);
    let _ = from_node::<Spanned<Value>>(document, root, &Pruned::none()).unwrap();
    let file = SourceFile::new("a.yaml", text);
    for offset in 0..=text.len() as u32 + 2 {
        let position = file.position(offset);
        assert!(position.offset as usize <= text.len());
        assert_eq!(
            file.offset(position.line, position.column).max(position.offset),
            position.offset.max(file.offset(position.line, position.column))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn any_text_is_survived(text in any_text()) {
        check_any(&text);
    }

    #[test]
    fn any_bytes_are_survived(text in "\\PC{0,200}") {
        check_any(&text);
    }

    /// A character of a value that is written as itself lies where the map says.
    #[test]
    fn characters_lead_back_to_themselves(
        lines in proptest::collection::vec("[a-zé🦀{}]{1,5}( [a-z'\"\\\\]{1,4}){0,3}", 1..6),
        gaps in proptest::collection::vec((1_usize..4, 0_usize..3), 6),
        style in 0_usize..5,
    ) {
        // A plain text that begins with a brace is a mapping.
        prop_assume!(style != 0 || !lines[0].starts_with(['{', '}']));
        let text = written(&lines, &gaps, style);
        let parsed = parse(&text);
        prop_assume!(parsed.faults.is_empty());
        let document = &parsed.document;
        let id = document.pointer(document.root().unwrap(), "/a").unwrap();
        let value = document.node(id).as_str().unwrap();
        let map = document.scalar_map(id);
        for (at, character) in value.char_indices().filter(|(_, character)| !character.is_whitespace()) {
            let found = text.get(map.span(at..at + character.len_utf8()).range()).unwrap();
            let escaped = matches!((style, character), (3, '\'') | (4, '"' | '\\'));
            if escaped {
                prop_assert!(found.len() == 2 && found.ends_with(character), "{text:?} {found:?}");
            } else {
                prop_assert_eq!(found, character.to_string(), "{:?}", text);
            }
        }
    }
}

/// Writes lines as one scalar of a style: plain, literal, folded, single-quoted, double-quoted.
fn written(lines: &[String], gaps: &[(usize, usize)], style: usize) -> String {
    let escape = |line: &String| match style {
        3 => line.replace('\'', "''"),
        4 => line.replace('\\', "\\\\").replace('"', "\\\""),
        _ => line.clone(),
    };
    let mut body = String::new();
    for (index, line) in lines.iter().enumerate() {
        let (breaks, more) = gaps[index];
        if index > 0 {
            let breaks = "\n".repeat(breaks);
            let indent = " ".repeat(2 + more);
            body.push_str(&format!("{breaks}{indent}"));
        }
        body.push_str(&escape(line));
    }
    match style {
        0 => format!("a: {body}\nb: 1\n"),
        1 => format!("a: |\n  {body}\nb: 1\n"),
        2 => format!("a: >\n  {body}\nb: 1\n"),
        3 => format!("a: '{body}'\nb: 1\n"),
        _ => format!("a: \"{body}\"\nb: 1\n"),
    }
}
