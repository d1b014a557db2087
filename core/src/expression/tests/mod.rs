//! Tables and properties of the expression language, in the words that an author reads.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;

mod hostile;
mod properties;

fn context() -> Context {
    let mut context = Context::new();
    context.set(
        "inputs",
        json!({"title": "Hello", "count": 3, "ratio": 0.5, "flag": true, "nothing": null,
        "list": [3, 1, 2], "people": [{"login": "ann", "age": 30}, {"login": "bob", "age": 20}],
        "map": {"zebra": 1, "ant": 2}, "big": u64::MAX, "key": "title"}),
    );
    context.set("steps", json!({"draft": {"output": {"risk": 7}}, "skipped": {"output": null}}));
    context
}

fn eval(text: &str) -> Result<Value, String> {
    let template = Template::parse(text).map_err(|error| {
        let help = error.help.map(|help| format!(" [{help}]")).unwrap_or_default();
        format!("{} <{}>{help}", error.message, &text[error.range])
    })?;
    template.evaluate(&context()).map_err(|error| {
        let part = error.range.map_or("", |range| &text[range]);
        format!("{} <{part}>", error.message)
    })
}

#[test]
fn values_keep_their_json_type() {
    for (text, expected) in [
        ("{{ inputs.count }}", json!(3)),
        ("{{ inputs.count + 1 }}", json!(4)),
        ("{{ 6 / 2 }}", json!(3.0)),
        ("{{ 6 // 2 }}", json!(3)),
        ("{{ 7 / 2 }}", json!(3.5)),
        ("{{ -7 // 2 }}", json!(-4)),
        ("{{ 7 // -2 }}", json!(-4)),
        ("{{ -7 % 3 }}", json!(2)),
        ("{{ 7 % -3 }}", json!(-2)),
        ("{{ 2 ** 10 }}", json!(1024)),
        ("{{ 2 + 3 * 4 }}", json!(14)),
        ("{{ (2 + 3) * 4 }}", json!(20)),
        ("{{ inputs.big }}", json!(u64::MAX)),
        ("{{ inputs.ratio * 2 }}", json!(1.0)),
        ("{{ 1 == 1.0 }}", json!(true)),
        ("{{ 1 < inputs.count <= 3 }}", json!(true)),
        ("{{ not inputs.flag }}", json!(false)),
        ("{{ inputs.flag and inputs.count > 2 }}", json!(true)),
        ("{{ 2 in inputs.list }}", json!(true)),
        ("{{ 2 not in inputs.list }}", json!(false)),
        ("{{ 'ell' in inputs.title }}", json!(true)),
        ("{{ 'ant' in inputs.map }}", json!(true)),
        ("{{ inputs.nothing }}", json!(null)),
        ("{{ inputs.title ~ ' ' ~ inputs.count }}", json!("Hello 3")),
        ("{{ inputs['title'] }}", json!("Hello")),
        ("{{ inputs[inputs.key] }}", json!("Hello")),
        ("{{ inputs.list[-1] }}", json!(2)),
        ("{{ inputs.list[1:] }}", json!([1, 2])),
        ("{{ inputs.title[:2] }}", json!("He")),
        ("{{ [1, 'a', {'k': none}] }}", json!([1, "a", {"k": null}])),
        ("{{ 'yes' if inputs.flag else 'no' }}", json!("yes")),
        ("{{ inputs.count }}\n", json!(3)),
        (" {{ inputs.count }}", json!(" 3")),
        ("n={{ inputs.count }}", json!("n=3")),
        ("{{ inputs.nothing }}{{ inputs.flag }}", json!("true")),
        ("plain", json!("plain")),
        ("a{# note #}b", json!("ab")),
        ("{% raw %}{{ x }}{% endraw %}", json!("{{ x }}")),
        ("a {{- inputs.count -}} b", json!("a3b")),
        ("line\n", json!("line\n")),
        ("{{ 'a\\n\"' }}", json!("a\n\"")),
        ("{{ range(3) }}", json!([0, 1, 2])),
    ] {
        assert_eq!(eval(text), Ok(expected), "{text}");
    }
}

/// The table of `docs/expressions.md`: an expression and the JSON of its value, or the message that it ends with
/// (without its marks, which a table in Markdown cannot hold).
#[test]
fn the_documented_examples_hold() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/expressions.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `{{")?.strip_suffix("` |")?.split_once("` | `"));
    let mut count = 0;
    for (expression, expected) in rows {
        let source = format!("{{{{{expression}").replace("\\|", "|");
        let template = Template::parse(&source).unwrap_or_else(|error| panic!("{source}: {}", error.message));
        let found = match template.evaluate(&Context::new()) {
            Ok(value) => value.to_string(),
            Err(error) => format!("error: {}", error.message.replace('`', "")),
        };
        assert_eq!(found, expected, "{source}");
        count += 1;
    }
    assert!(count > 30, "the table of docs/expressions.md was read: {count} rows");
}

#[test]
fn a_fault_on_a_later_line_has_its_place() {
    for (text, expected) in [
        (
            "{{ inputs.title\n   | replace('H',\n   inputs.count.x) }}",
            "`inputs.count` is a number, so it has no `x` <x>",
        ),
        (
            "{{ inputs.title\n +\n 1 }}",
            "`+` cannot join a text and a number; to join texts, write `~` <inputs.title\n +\n 1>",
        ),
        ("a\nb {{ 'é' ~\n inputs.nope }}", "`inputs.nope` is not defined here <nope>"),
        (
            "{% for p in inputs.people %}\n{{ p.logn }}\n{% endfor %}",
            "`p.logn` is not defined here; did you mean `login`? <logn>",
        ),
        (
            "\n{% for a, b in\n inputs.list %}{% endfor %}",
            "a list with one value for each of these names is needed <a, b>",
        ),
        (
            "\n\n{{ 1\n b }}",
            "`b` is not expected here; the expression should end with `}}` or go on with an operator <b>",
        ),
    ] {
        assert_eq!(eval(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn maps_and_lists_keep_their_order() {
    assert_eq!(eval("{{ inputs.map }}").unwrap().to_string(), r#"{"zebra":1,"ant":2}"#);
    assert_eq!(eval("{{ {'b': 1, 'a': 2} }}").unwrap().to_string(), r#"{"b":1,"a":2}"#);
    assert_eq!(eval("x{{ inputs.map }}").unwrap(), json!(r#"x{"zebra":1,"ant":2}"#));
}

#[test]
fn default_covers_a_whole_missing_chain_and_nothing_else() {
    for (text, expected) in [
        ("{{ steps.nope.output.y | default(0) }}", json!(0)),
        ("{{ steps.skipped.output.y | default(0) }}", json!(0)),
        ("{{ steps.skipped.output | default('none') }}", json!("none")),
        ("{{ nothing.at.all[3].x | default('d') }}", json!("d")),
        ("{{ inputs.list[9].x | default('d') }}", json!("d")),
        ("{{ steps.draft.output.risk | default(0) }}", json!(7)),
        ("{{ steps.a.b | default(steps.draft.output.risk) }}", json!(7)),
        ("{{ steps.nope.output is defined }}", json!(false)),
        ("{{ steps.nope.output is undefined }}", json!(true)),
        ("{{ steps.draft.output is defined }}", json!(true)),
        ("{{ inputs.nothing is defined }}", json!(true)),
        ("{{ steps.x.y is defined and steps.x.y.z > 1 }}", json!(false)),
    ] {
        assert_eq!(eval(text), Ok(expected), "{text}");
    }
    // A part that is used before `default` sees it is still required.
    assert!(eval("{{ (steps.nope.output ~ 'x') | default(0) }}").is_err());
    assert!(eval("{{ inputs[nope.key] | default(0) }}").is_err());
}

#[test]
fn filters_and_tests() {
    for (text, expected) in [
        ("{{ inputs.title | upper }}", json!("HELLO")),
        ("{{ 'a-b' | replace('-', '+') }}", json!("a+b")),
        ("{{ 'a, b' | split(', ') }}", json!(["a", "b"])),
        ("{{ inputs.people | map(attribute='login') | join(', ') }}", json!("ann, bob")),
        ("{{ ['a', 'b'] | map('upper') }}", json!(["A", "B"])),
        ("{{ inputs.people | selectattr('age', 'gt', 25) | map(attribute='login') }}", json!(["ann"])),
        ("{{ inputs.people | sort(attribute='age') | first }}", json!({"login": "bob", "age": 20})),
        ("{{ inputs.list | sort(reverse=true) }}", json!([3, 2, 1])),
        ("{{ inputs.list | sum }}", json!(6)),
        ("{{ [1, 1, 2] | unique }}", json!([1, 2])),
        ("{{ inputs.list | length }}", json!(3)),
        ("{{ '42' | int }}", json!(42)),
        ("{{ 'x' | int(0) }}", json!(0)),
        ("{{ 2.567 | round(1) }}", json!(2.6)),
        ("{{ 2.567 | round }}", json!(3)),
        ("{{ inputs.map | items }}", json!([["zebra", 1], ["ant", 2]])),
        ("{{ inputs.map | tojson }}", json!(r#"{"zebra":1,"ant":2}"#)),
        ("{{ '[1]' | fromjson }}", json!([1])),
        ("{{ 'a b/ü' | urlencode }}", json!("a%20b%2F%C3%BC")),
        ("{{ 'äöüß' | truncate(3) }}", json!("äö…")),
        ("{{ 'a\\nb' | indent(2) }}", json!("a\n  b")),
        ("{{ inputs.count is odd }}", json!(true)),
        ("{{ inputs.count is divisibleby 3 }}", json!(true)),
        ("{{ inputs.count is not none }}", json!(true)),
        ("{{ inputs.title is startingwith('He') }}", json!(true)),
        ("{{ [] is empty }}", json!(true)),
        ("{{ [1, 2, 3] | batch(2) }}", json!([[1, 2], [3]])),
    ] {
        assert_eq!(eval(text), Ok(expected), "{text}");
    }
}

#[test]
fn tags_render_text() {
    for (text, expected) in [
        ("{% if inputs.flag %}a{% elif x %}b{% else %}c{% endif %}", "a"),
        (
            "{% for p in inputs.people %}{{ loop.index }}{{ p.login }}{% if not loop.last %},{% endif %}{% endfor %}",
            "1ann,2bob",
        ),
        ("{% for k, v in inputs.map | items %}{{ k }}={{ v }};{% endfor %}", "zebra=1;ant=2;"),
        ("{% for n in inputs.list if n > 1 %}{{ n }}{% else %}none{% endfor %}", "32"),
        ("{% for n in [] %}{{ n }}{% else %}none{% endfor %}", "none"),
        ("{% set x = inputs.count %}{{ x * 2 }}", "6"),
        ("{% with a = 1, b = a %}{{ a + b }}{% endwith %}", "2"),
    ] {
        assert_eq!(eval(text), Ok(json!(expected)), "{text}");
    }
}

#[test]
fn messages_are_for_people() {
    let texts = [
        "{{ inputs.titel }}",
        "{{ imputs.title }}",
        "{{ inputs.nothing.x }}",
        "{{ inputs.title.x }}",
        "{{ inputs.list[9] }}",
        "{{ inputs.title + 1 }}",
        "{{ inputs.title < 1 }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 1 / 0 }}",
        "{{ 9 ** 99 }}",
        "{{ inputs.title | uper }}",
        "{{ inputs.title is strin }}",
        "{{ inputs.title | frobnicate_wholly }}",
        "{{ inputs.title.upper() }}",
        "{{ now() }}",
        "{{ inputs.title | replace('a') }}",
        "{{ inputs.title | upper(1) }}",
        "{{ inputs.count | round(digit=1) }}",
        "{{ inputs.list | upper }}",
        "{{ inputs.title",
        "{{ inputs. }}",
        "{{ }}",
        "{{ (1 }}",
        "{{ a = 1 }}",
        "{{ 'abc }}",
        "{{ a ? b }}",
        "{% if a %}x",
        "{% include 'x' %}",
        "{% fro x in y %}",
        "{% endif %}",
        "{# open",
        "{{ 'a' if b }}",
        "{{ null.x }}",
        "{{ (inputs.nothing is not none).x }}",
        "{% set x %}",
        "{{ inputs.people | sort(attribute='nope') }}",
        "{{ inputs.list | map('uper') }}",
        "{% set steps = 1 %}",
        "{% for x in inputs.count %}{% endfor %}",
        "{{ 999999999999999999999999 }}",
    ];
    let lines: Vec<String> = texts.iter().map(|text| format!("{text}\n    {}", eval(text).unwrap_err())).collect();
    insta::assert_snapshot!(lines.join("\n"), @r##"
    {{ inputs.titel }}
        `inputs.titel` is not defined here; did you mean `title`? <titel>
    {{ imputs.title }}
        `imputs` is not defined here; did you mean `inputs`? <imputs>
    {{ inputs.nothing.x }}
        `inputs.nothing` is empty (null), so it has no `x` <x>
    {{ inputs.title.x }}
        `inputs.title` is a text, so it has no `x` <x>
    {{ inputs.list[9] }}
        `inputs.list` has 3 entries, so there is no entry 9 <9>
    {{ inputs.title + 1 }}
        `+` cannot join a text and a number; to join texts, write `~` <inputs.title + 1>
    {{ inputs.title < 1 }}
        a text and a number have no order; only two numbers or two texts do <inputs.title < 1>
    {{ 'x' * 1000000000 }}
        `*` needs two numbers, not a text and a number <'x' * 1000000000>
    {{ 1 / 0 }}
        a number cannot be divided by zero <1 / 0>
    {{ 9 ** 99 }}
        the result is too large for a number <9 ** 99>
    {{ inputs.title | uper }}
        there is no filter `uper` <uper> [did you mean `upper`?]
    {{ inputs.title is strin }}
        there is no test `strin` <strin> [did you mean `string`?]
    {{ inputs.title | frobnicate_wholly }}
        there is no filter `frobnicate_wholly` <frobnicate_wholly> [available are `default`, `upper`, `lower`, `capitalize`, `title`, `trim`, `replace`, `split`, `lines`, `truncate`, `indent`, `urlencode`, `string`, `int`, `float`, `abs`, `round`, `length`, `count`, `first`, `last`, `reverse`, `sort`, `unique`, `min`, `max`, `sum`, `join`, `map`, `select`, `reject`, `selectattr`, `rejectattr`, `batch`, `list`, `items`, `values`, `tojson`, `fromjson`]
    {{ inputs.title.upper() }}
        `inputs.title.upper` cannot be called <inputs.title.upper> [use the filter: `VALUE | upper`]
    {{ now() }}
        there is no function `now` <now> [available are `range`]
    {{ inputs.title | replace('a') }}
        the filter `replace` needs `to` <replace> [it is written `replace(from, to)`]
    {{ inputs.title | upper(1) }}
        `upper` takes no further argument <1> [it is written `upper`]
    {{ inputs.count | round(digit=1) }}
        `round` takes no `digit` <digit> [it is written `round(digits?)`]
    {{ inputs.list | upper }}
        `upper` cannot be applied to `inputs.list`: this needs a text, but it is a list <upper>
    {{ inputs.title
        this `{{` is not closed with `}}` <{{>
    {{ inputs. }}
        the expression ends here; a name should follow the dot <}}>
    {{ }}
        the expression ends here; a value should stand here <}}>
    {{ (1 }}
        a `)` is missing after the part in parentheses <}> [is a bracket open that was never closed?]
    {{ a = 1 }}
        `=` has no meaning here; the expression should end with `}}` or go on with an operator <=> [to compare, write `==`]
    {{ 'abc }}
        this quoted text has no closing quote <'abc }}>
    {{ a ? b }}
        the character `?` has no meaning here <?>
    {% if a %}x
        this `if` is not closed with `{% endif %}` <if>
    {% include 'x' %}
        the tag `include` is not available in processes <include> [available are `if`, `for`, `set`, `with` and `raw`]
    {% fro x in y %}
        there is no tag `fro` <fro> [did you mean `for`?]
    {% endif %}
        `endif` stands alone: there is no open tag that it belongs to <endif>
    {# open
        this comment `{#` is not closed with `#}` <{# open> [to print the characters themselves, write {{ '{#' }}]
    {{ 'a' if b }}
        this `if` needs an `else` <'a' if b> [write `VALUE if CONDITION else OTHER`]
    {{ null.x }}
        `null` is empty (null), so it has no `x` <x>
    {{ (inputs.nothing is not none).x }}
        `inputs.nothing is not none` is true or false, so it has no `x` <x>
    {% set x %}
        this `set` gives no value <%}> [write `{% set NAME = VALUE %}`]
    {{ inputs.people | sort(attribute='nope') }}
        `sort` cannot be applied to `inputs.people`: an entry of the list has no `nope` <sort>
    {{ inputs.list | map('uper') }}
        `map` cannot be applied to `inputs.list`: there is no filter of that name <map>
    {% set steps = 1 %}
        `steps` already has a meaning in every expression <steps> [choose another name]
    {% for x in inputs.count %}{% endfor %}
        `for` needs a list or a map, but `inputs.count` is a number <inputs.count>
    {{ 999999999999999999999999 }}
        this number is too large <999999999999999999999999>
    "##);
}

fn references(text: &str) -> Vec<String> {
    let template = Template::parse(text).unwrap();
    let show = |reference: &Reference| {
        let parts: Vec<String> = reference
            .path
            .iter()
            .map(|segment| match &segment.key {
                Key::Name(name) => {
                    assert_eq!(&text[segment.range.clone()], name, "the range of a name is the name");
                    name.clone()
                }
                Key::Index(index) => format!("#{index}"),
                Key::Dynamic => "*".to_owned(),
            })
            .collect();
        let default = if reference.has_default { " default" } else { "" };
        let conditional = if reference.conditional { " conditional" } else { "" };
        format!("{} <{}>{default}{conditional}", parts.join("."), &text[reference.range.clone()])
    };
    template.references().iter().map(show).collect()
}

#[test]
fn references_with_scopes_defaults_and_guards() {
    for (text, expected) in [
        ("plain", &[][..]),
        ("{{ steps.a.output }} {{ inputs['x'] }}", &["steps.a.output <steps.a.output>", "inputs.x <inputs['x']>"]),
        ("{{ a[0].b }}", &["a.#0.b <a[0].b>"]),
        ("{{ a[b.c] }}", &["a.* <a[b.c]>", "b.c <b.c>"]),
        ("{{ a.b | default(c.d) }}", &["a.b <a.b> default", "c.d <c.d>"]),
        ("{{ a.b | upper | default(1) }}", &["a.b <a.b>"]),
        ("{{ a.b is defined }}", &["a.b <a.b> conditional"]),
        (
            "{{ a.b.c if a.b is defined else a.b }}",
            &["a.b.c <a.b.c> conditional", "a.b <a.b> conditional", "a.b <a.b>"],
        ),
        ("{{ a.b is defined and a.b.c > 1 }}", &["a.b <a.b> conditional", "a.b.c <a.b.c> conditional"]),
        ("{{ a.b is undefined or a.b > 1 }}", &["a.b <a.b> conditional", "a.b <a.b> conditional"]),
        (
            "{% if not a.b is defined %}{{ a.b }}{% else %}{{ a.b }}{% endif %}",
            &["a.b <a.b> conditional", "a.b <a.b>", "a.b <a.b> conditional"],
        ),
        (
            "{% for x in a.list %}{{ x.y }}{{ loop.index }}{{ z }}{% endfor %}{{ x }}",
            &["a.list <a.list>", "z <z>", "x <x>"],
        ),
        ("{% set d = a.b %}{{ d.c }}", &["a.b <a.b>"]),
        ("{{ (a if b else c).d | default(1) }}", &["a <a> default", "b <b>", "c <c> default"]),
        ("{{ secrets.TOKEN }}", &["secrets.TOKEN <secrets.TOKEN>"]),
        ("{{ a.list[1:n] }}", &["a.list <a.list>", "n <n>"]),
    ] {
        assert_eq!(references(text), expected, "{text}");
    }
}

#[test]
fn forms_of_a_text() {
    for (text, literal, native, tags) in [
        ("plain", true, false, false),
        ("{ not markup }", true, false, false),
        ("{{ a }}", false, true, false),
        ("{{ a }}\n", false, true, false),
        ("{{ a }} b", false, false, false),
        ("{{ a }}{{ b }}", false, false, false),
        ("{% if a %}{{ b }}{% endif %}", false, false, true),
        ("{{ secrets.A }}", false, true, false),
    ] {
        let template = Template::parse(text).unwrap();
        let found = (template.is_literal(), template.is_native(), template.has_statements());
        assert_eq!(found, (literal, native, tags), "{text}");
        assert_eq!(template.text(), text);
    }
}

#[test]
fn secrets_are_parts_and_cannot_be_forged() {
    let mut context = context();
    context.set("secrets", json!({"TOKEN": "leaked"}));
    context.set("evil", json!("*** {{ secrets.TOKEN }} \u{fffe}"));
    let rendered = evaluate_json(
        &json!({"a/b": ["Bearer {{ secrets.TOKEN }}!"], "evil": "{{ evil }}", "n": "{{ inputs.count }}",
            "loop": "{% for x in [1, 2] %}{{ secrets.TOKEN }}{{ evil }}{% endfor %}", "keep": [true, 1]}),
        &context,
    )
    .unwrap();
    let evil = "*** {{ secrets.TOKEN }} \u{fffe}";
    assert_eq!(
        rendered.value,
        json!({"a/b": ["Bearer ***!"], "evil": evil, "n": 3,
            "loop": format!("***{evil}***{evil}"), "keep": [true, 1]})
    );
    let literal = |text: &str| SecretPart::Literal(text.to_owned());
    let token = || SecretPart::Secret("TOKEN".to_owned());
    assert_eq!(
        rendered.secret_texts,
        [
            SecretText { pointer: "/a~1b/0".to_owned(), parts: vec![literal("Bearer "), token(), literal("!")] },
            SecretText { pointer: "/loop".to_owned(), parts: vec![token(), literal(evil), token(), literal(evil)] },
        ]
    );
    assert!(!format!("{rendered:?}").contains("leaked"));
}

#[test]
fn a_secret_can_only_be_printed() {
    for text in [
        "{{ secrets.A | upper }}",
        "{{ secrets.A | default('') }}",
        "{{ secrets.A ~ 'x' }}",
        "{{ secrets.A == 'x' }}",
        "{{ secrets }}",
        "{{ secrets.A.B }}",
        "{{ secrets[inputs.key] }}",
        "{% if secrets.A %}x{% endif %}",
        "{% set x = secrets.A %}{{ x }}",
        "{{ [secrets.A] }}",
        "{% for x in secrets %}{{ x }}{% endfor %}",
    ] {
        let error = Template::parse(text).unwrap_err();
        assert_eq!(error.message, "a secret can only be printed as it is", "{text}");
        assert!(text[error.range].starts_with("secrets"), "{text}");
    }
    assert!(Template::parse("{% set secrets = 1 %}").is_err());
    let error = Template::parse("x {{ secrets.A }}").unwrap().evaluate(&context()).unwrap_err();
    assert_eq!(error.message, "a secret cannot be used here");
}

#[test]
fn an_error_in_a_nested_value_has_its_pointer() {
    let error = evaluate_json(&json!({"ok": "x", "a": [{"b~": "{{ nope }}"}]}), &context()).unwrap_err();
    assert_eq!((error.pointer.as_str(), error.range), ("/a/0/b~0", Some(3..7)));
    assert_eq!(evaluate_json(&json!("{{ nope"), &context()).unwrap_err().pointer, "");
}

#[test]
fn a_condition_must_be_a_boolean() {
    assert_eq!(condition(&json!(true)), Ok(true));
    assert_eq!(condition(&json!(false)), Ok(false));
    let message = |value: Value| condition(&value).unwrap_err().message;
    assert_eq!(message(json!("yes")), "a condition must be true or false, this is the text \"yes\"");
    assert_eq!(message(json!(1)), "a condition must be true or false, this is the number 1");
    assert_eq!(message(json!([])), "a condition must be true or false, this is a list");
    assert_eq!(message(json!(null)), "a condition must be true or false, this is empty (null)");
}

#[test]
fn markup_is_found_piece_by_piece_also_where_it_cannot_be_read() {
    let pieces = |text: &'static str| markup(text).into_iter().map(|range| &text[range]).collect::<Vec<_>>();
    for (text, expected) in [
        ("no { markup } here", &[][..]),
        ("a {{ b }}{{ c }} d", &["{{ b }}", "{{ c }}"]),
        ("{{ '}}' ~ x }}/y", &["{{ '}}' ~ x }}"]),
        ("{{ {'a': {'b': 1}}['a'] }}.", &["{{ {'a': {'b': 1}}['a'] }}"]),
        ("{% if x %}y{% endif %}", &["{% if x %}", "{% endif %}"]),
        ("a {# {{ b }} #} c", &["{# {{ b }} #}"]),
        ("a {{ b -}}   c", &["{{ b -}}"]),
        ("a {{ never closed", &["{{ never closed"]),
        ("a {{ b ? c }} d", &["{{ b ? c }} d"]),
        ("{{ a }} {{ 'open }} b", &["{{ a }}", "{{ 'open }} b"]),
    ] {
        assert_eq!(pieces(text), expected, "{text}");
    }
}
