//! Texts that try to cost more than they weigh, or to reach what is not theirs.

use super::*;

#[test]
fn hostile_texts_are_refused_and_not_obeyed() {
    let deep = [
        format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("{{{{ {}1{} }}}}", "[".repeat(20_000), "]".repeat(20_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(15_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(30_000)),
        format!("{{{{ 1{} }}}}", "+1".repeat(20_000)),
        format!("{{{{ a{} }}}}", ".a".repeat(20_000)),
        format!("{{{{ a{} }}}}", "|abs".repeat(10_000)),
        format!("{{{{ a{} }}}}", " if a else a".repeat(4_000)),
        format!("{{{{ a{} }}}}", "[a".repeat(6_000)),
        format!("{{{{ a{} }}}}", "[0]".repeat(6_000)),
        format!("{{{{ a{} }}}}", " is defined".repeat(3_000)),
        format!("{{{{ 1{} }}}}", " ** -1".repeat(6_000)),
        format!("{{% if a %}}{}", "{% elif a %}".repeat(4_000)),
        "{% with a = 1 %}".repeat(4_000),
        "{% if a %}".repeat(6_000),
        "{% for a in b %}".repeat(4_000),
        format!("{{{{ {} }}}}", "x".repeat(70_000)),
    ];
    for text in &deep {
        let error = Template::parse(text).unwrap_err();
        assert!(text.get(error.range).is_some(), "{}", error.message);
    }
    let grown = format!("{{% set x = 'aaaaaaaaaaaaaaaa' %}}{}{{{{ x }}}}", "{% set x = x ~ x %}".repeat(60));
    let nested = format!("{{% set x = [] %}}{}{{{{ x }}}}", "{% set x = [x] %}".repeat(3_000));
    let list = format!("{{% set x = range(10000) %}}{{{{ [{}] }}}}", "x,".repeat(20_000));
    let doubled = format!("{{% set x = [1] %}}{}{{{{ x | length }}}}", "{% set x = x + x %}".repeat(60));
    let raw = format!("{{% for a in range(10000) %}}{}{{% endfor %}}", "x".repeat(60_000));
    let running = [
        grown.as_str(),
        nested.as_str(),
        list.as_str(),
        doubled.as_str(),
        raw.as_str(),
        "{% set x = range(10000) %}{% for a in x %}{% if a in x %}{% endif %}{% endfor %}",
        "{{ range(10000) | map('indent', 1000000) | length }}",
        "{{ range(10000) | map('string') | map('replace', '1', 'x' | indent(1000000, true)) }}",
        "{% set x = range(10000) %}{{ x | map('default', x) | map('list') }}",
        "{{ 'a' | indent(1000000, true) | list | map('indent', 1000000, true) }}",
        "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}",
        "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
        "{% set x = range(10000) %}{% for a in x %}{{ x == x }}{% endfor %}",
        "{% set x = range(10000) %}{{ x | select('in', x) }}",
        "{{ 'a' | indent(99999999999) }}",
        "{{ range(99999999999) }}",
        "{% set x = range(10000) | join('aaaaaaaaaa') %}{{ x | replace('a', x) }}",
    ];
    for text in running {
        let error = Template::parse(text).and_then(|template| {
            template.evaluate(&context()).err().map_or_else(|| panic!("{} came to a result", &text[..40]), Ok)
        });
        assert!(error.is_ok(), "{error:?}");
    }
    let honest = "{% for n in range(10000) %}- {{ n }}: {{ inputs.title }}, {{ inputs.people[0].login }}\n{% endfor %}";
    assert!(eval(honest).is_ok_and(|text| text.as_str().is_some_and(|text| text.lines().count() == 10_000)));
    // What has no markup is no expression and may be long.
    assert!(Template::parse(&"x".repeat(1_000_000)).is_ok());
}

#[test]
fn the_deepest_allowed_template_fits_half_of_a_thread_s_stack() {
    let ifs = MAX_NESTING - 1;
    let sum = format!("1{}", " + 1".repeat(MAX_DEPTH - 1));
    let chain = format!("{}{{{{ {sum} }}}}{}", "{% if true %}".repeat(ifs), "{% endif %}".repeat(ifs));
    let brackets = format!("{{{{ {}1{} }}}}", "[".repeat(MAX_NESTING - 1), "]".repeat(MAX_NESTING - 1));
    let parentheses = format!("{{{{ {}1{} }}}}", "(not ".repeat(14), ")".repeat(14));
    let run = move || {
        let (mut list, mut map) = (json!(1), json!(1));
        for _ in 0..MAX_VALUE_DEPTH - 1 {
            (list, map) = (json!([list]), json!({"a": map}));
        }
        let mut context = context();
        context.set("deep", json!([list, map]));
        for text in [
            "{{ deep == deep }}",
            "{{ deep[0] == (deep[0] | tojson | fromjson) and deep[1] == (deep[1] | tojson | fromjson) }}",
            "{{ deep[0] }} {{ deep[1] ~ '' }}",
            "{{ [deep[1].a, deep[1].a | tojson | fromjson] | unique | sort | length }}",
        ] {
            let value = Template::parse(text).unwrap().evaluate(&context);
            assert!(value.is_ok(), "{text}: {value:?}");
        }
        [chain, brackets, parentheses].map(|text| eval(&text).map(|value| value.to_string()))
    };
    let results = std::thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap().join().unwrap();
    assert_eq!(results[0], Ok(format!("\"{MAX_DEPTH}\"")));
    assert!(results[1].as_ref().is_ok_and(|list| list.starts_with("[[[[")), "{:?}", results[1]);
    assert_eq!(results[2], Ok("true".to_owned()));
}

#[test]
fn the_catalogue_is_complete_and_unambiguous() {
    let mut names: Vec<(&str, &str)> = catalogue().iter().map(|entry| (entry.kind.word(), entry.name)).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands twice");
    for entry in catalogue() {
        assert!(entry.summary.ends_with('.'), "{}", entry.name);
        let required = entry.parameters.iter().rposition(|parameter| !parameter.optional).map_or(0, |last| last + 1);
        assert!(entry.parameters[..required].iter().all(|parameter| !parameter.optional), "{}", entry.name);
    }
}
