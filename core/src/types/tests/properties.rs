//! What must always hold: an expression that is found right gives a value of its type whatever the values that it
//! reads, one that is found wrong fails, and every part that is named lies inside the text.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::text::{CONDITION, TEXT, VALUE};
use super::{read, world};
use crate::expression::{Context, Template};
use crate::types::check;
use crate::types::{MistakeKind, Type};

/// Expressions over `x`, right and wrong ones.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x.n"),
        Just("x.f"),
        Just("x.t"),
        Just("x.w"),
        Just("x.b"),
        Just("x.l"),
        Just("x.m"),
        Just("x.p"),
        Just("x.d"),
        Just("x.v"),
        Just("x.z"),
        Just("x.d.name"),
        Just("x.d.boss"),
        Just("x.p[0].age"),
        Just("x.p[0].nmae"),
        Just("x.nn"),
        Just("1"),
        Just("2.5"),
        Just("'a'"),
        Just("'low'"),
        Just("true"),
        Just("none"),
        Just("['a', 'b']"),
        Just("{'a': 1}"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = prop_oneof![
            Just("+"),
            Just("-"),
            Just("*"),
            Just("/"),
            Just("//"),
            Just("%"),
            Just("~"),
            Just("=="),
            Just("!="),
            Just("<"),
            Just(">="),
            Just("in"),
            Just("not in"),
        ];
        let filter = prop_oneof![
            Just("upper"),
            Just("trim"),
            Just("length"),
            Just("first"),
            Just("last"),
            Just("reverse"),
            Just("sort"),
            Just("unique"),
            Just("min"),
            Just("sum"),
            Just("join('-')"),
            Just("abs"),
            Just("round"),
            Just("round(1)"),
            Just("string"),
            Just("list"),
            Just("items"),
            Just("values"),
            Just("tojson"),
            Just("split('a')"),
            Just("map('upper')"),
            Just("map(attribute='name')"),
            Just("map('length')"),
            Just("batch(2)"),
            Just("replace('a', 'b')"),
            Just("truncate(3)"),
            Just("default('z')"),
            Just("select('string')"),
            Just("int(3)"),
            Just("selectattr('name')"),
            Just("sort(attribute='age')"),
            Just("sum(attribute='age')"),
        ];
        let test = prop_oneof![
            Just("none"),
            Just("string"),
            Just("number"),
            Just("odd"),
            Just("empty"),
            Just("mapping"),
            Just("startingwith('a')"),
            Just("divisibleby(2)"),
            Just("in(['a', 1])"),
        ];
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
            (inner.clone(), filter).prop_map(|(a, f)| format!("({a} | {f})")),
            (inner.clone(), test).prop_map(|(a, t)| format!("({a} is {t})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            inner.clone().prop_map(|a| format!("{{'k': {a}}}")),
            inner.clone().prop_map(|a| format!("{{'k': {a}}}.k")),
            inner.clone().prop_map(|a| format!("({a})[0]")),
            inner.clone().prop_map(|a| format!("({a})[0:]")),
            inner.clone().prop_map(|a| format!("(not {a})")),
            inner.prop_map(|a| format!("(-{a})")),
        ]
    })
}

/// Expressions in which a part need not be reached.
fn branching() -> impl Strategy<Value = String> {
    let part = expression().boxed();
    prop_oneof![
        (part.clone(), part.clone(), part.clone()).prop_map(|(a, b, c)| format!("{a} if {b} else {c}")),
        (part.clone(), part.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
        (part.clone(), part.clone()).prop_map(|(a, b)| format!("{a} or {b}")),
        part.clone().prop_map(|a| format!("x.z is not none and (x.z ~ {a})")),
        part.clone().prop_map(|a| format!("x.z | upper if x.z else {a}")),
        part.prop_map(|a| format!("x.d.boss.name if x.d.boss is not none else {a}")),
        Just("x.o if x.o is defined else x.n".to_owned()),
        Just("x.o | default(x.n)".to_owned()),
    ]
}

/// Values of a type: whatever it allows, but lists and texts have an entry, for that the first one is missing is not
/// seen.
fn value(of: &Type) -> BoxedStrategy<Value> {
    match of {
        Type::Unknown => prop_oneof![Just(json!(null)), Just(json!("u")), Just(json!([1]))].boxed(),
        Type::Null => Just(Value::Null).boxed(),
        Type::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Type::Integer => (1..9_i64).prop_map(Value::from).boxed(),
        Type::Number => prop_oneof![(1..9_i64).prop_map(Value::from), Just(json!(2.5))].boxed(),
        Type::Text(None) => "[ab]{1,3}".prop_map(Value::from).boxed(),
        Type::Text(Some(words)) => {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            prop::sample::select(words).prop_map(Value::from).boxed()
        }
        Type::List(list) => prop::collection::vec(value(&list.any_entry()), 1..3).prop_map(Value::from).boxed(),
        Type::Record(record) => {
            let fields = record.fields.iter().map(|(name, part)| {
                let (name, optional) = (name.to_string(), part.optional);
                (value(&part.of), any::<bool>())
                    .prop_map(move |(value, there)| (name.clone(), (there || !optional).then_some(value)))
            });
            let fields = fields.collect::<Vec<_>>();
            fields
                .prop_map(|fields| {
                    let there = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
                    Value::Object(there.collect::<Map<String, Value>>())
                })
                .boxed()
        }
        Type::Union(types) => prop::strategy::Union::new(types.iter().map(value)).boxed(),
    }
}

fn context() -> impl Strategy<Value = Context> {
    value(&world().0["x"]).prop_map(|value| {
        let mut context = Context::new();
        context.set("x", value);
        context
    })
}

/// What depends on the value and not on its type.
const OF_VALUES: [&str; 9] = [
    "divided by zero",
    "too large",
    "no entry",
    "is not a number",
    "cannot be made a number",
    "too many large values",
    "negative",
    "larger than",
    "nested too deeply",
];

fn evaluated(text: &str, context: &Context) -> Result<Value, String> {
    Template::parse(text).unwrap().evaluate(context).map_err(|error| error.message)
}

#[test]
fn entries_of_another_kind_that_are_left_out_are_nobodys_mistake() {
    for expression in ["x.p | select('string') | map('upper')", "x.l | reject('string') | map(attribute='name')"] {
        assert!(read(&format!("{{{{ {expression} }}}}"), VALUE).mistakes.is_empty(), "{expression}");
    }
    assert_eq!(read("{{ x.p | select('mapping') | map('upper') }}", VALUE).mistakes.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_right_gives_a_value_of_its_type(
        expression in prop_oneof![expression(), branching()], context in context()
    ) {
        let text = format!("{{{{ {expression} }}}}");
        let found = read(&text, VALUE);
        if found.mistakes.is_empty() && !found.depends {
            match evaluated(&text, &context) {
                Ok(value) => prop_assert!(found.of.accepts(&value), "{text} gives {value}, no {}", found.of),
                Err(error) => prop_assert!(OF_VALUES.iter().any(|known| error.contains(known)), "{text}: {error} {:?}", context.get("x")),
            }
        }
    }

    #[test]
    fn what_is_found_wrong_fails(expression in expression(), context in context()) {
        let text = format!("{{{{ {expression} }}}}");
        let certain = [MistakeKind::FilterDoesNotFit, MistakeKind::OperatorDoesNotFit, MistakeKind::UnknownName];
        let wrong = read(&text, VALUE).mistakes.into_iter().find(|mistake| certain.contains(&mistake.kind));
        if let Some(wrong) = wrong {
            // `default` provides for it, and `selectattr` leaves out what lacks the attribute.
            let is_covered = expression.contains("default") || expression.contains("selectattr");
            prop_assert!(is_covered || evaluated(&text, &context).is_err(), "{text}: {wrong:?} {:?}", context.get("x"));
        }
    }

    #[test]
    fn every_part_lies_inside_its_text(
        pieces in prop::collection::vec(
            prop_oneof![
                (prop_oneof![expression(), branching()]).prop_map(|expression| format!("{{{{ {expression} }}}}")),
                expression().prop_map(|expression| format!("{{% for e in {expression} %}}ü{{{{ e.x }}}}{{% endfor %}}")),
                expression().prop_map(|expression| format!("{{% if {expression} %}}{{{{ x.o }}}}{{% endif %}}")),
                Just("é \u{1F600}\n".to_owned()),
            ],
            1..4,
        )
    ) {
        let text = pieces.concat();
        let template = Template::parse(&text).unwrap();
        for role in [VALUE, TEXT, CONDITION] {
            for mistake in check::read(&template, &world(), role).mistakes {
                prop_assert!(text.get(mistake.range.clone()).is_some_and(|part| !part.is_empty()), "{text}: {mistake:?}");
            }
            for part in check::parts(&template, &world(), role) {
                prop_assert!(text.get(part.range.clone()).is_some(), "{text}: {part:?}");
            }
        }
    }
}
