//! Constants of `context` in addresses count with their values.

use crate::definition::repository::Repository;
use crate::validate::{Options, validate};

/// The findings about the address of a call with a secret, with the text that they point at.
fn found(constant: &str, url: &str) -> Vec<String> {
    let text = format!(
        "name: x\nversion: 1\ntriggers: [manual]\ncontext: {{base: '{constant}'}}\nsteps:\n  - {{id: a, type: api_call, url: '{url}', headers: {{a: '{{{{ secrets.T }}}}'}}}}\n"
    );
    let report =
        validate(&Repository::read([(".flow/processes/x.yaml".to_owned(), text.clone())]), &Options::default());
    let about = report.findings.iter().filter(|finding| ["FLOW503", "FLOW504"].contains(&finding.code));
    let line = |finding: &crate::validate::Finding| {
        let at = text.get(finding.span.range()).unwrap_or_default();
        format!("{} {at}: {}; {}", finding.code, finding.message, finding.help.as_deref().unwrap_or_default())
    };
    about.map(line).collect()
}

#[test]
fn an_address_is_what_its_constants_make_of_it() {
    let computed = "{{ context.base }}/things";
    insta::assert_debug_snapshot!(
        [
            found("http://api.example", computed),
            found("https://169.254.169.254", computed),
            found("http", "{{ context.base }}://api.example/things"),
        ],
        @r#"
    [
        [
            "FLOW503 {{ context.base }}/things: a secret travels where everybody on the way can read it; write `https://` in the constant",
        ],
        [
            "FLOW504 {{ context.base }}/things: `169.254.169.254` is where a cloud gives out credentials; name the other side as everybody reaches it",
        ],
        [
            "FLOW503 {{ context.base }}://api.example/things: a secret travels where everybody on the way can read it; write `https://` in the constant",
        ],
    ]
    "#
    );
    assert_eq!(found("https://api.example", computed), [""; 0]);
    assert_eq!(found("http://localhost", computed).len(), 1, "the machine itself, which is not in the open");
}

/// What FLOW208 says of a condition, with the text that it points at.
fn compared(when: &str) -> Vec<String> {
    let text = format!(
        "name: x\nversion: 1\ntriggers: [manual]\ncontext: {{hot: hot, low: low, list: [hot, warm], mixed: [hot, 1], deep: {{word: hot}}, odd: '{{{{ x }}}}'}}\ninputs: {{level: {{type: string, enum: [high, low], default: low}}}}\nsteps:\n  - {{id: a, type: set, when: \"{{{{ {when} }}}}\", values: {{v: 1}}}}\n"
    );
    let files = [(".flow/processes/x.yaml".to_owned(), text.clone())];
    let report = validate(&Repository::read(files), &Options::default());
    let told = report.findings.iter().filter(|finding| finding.code == "FLOW208");
    let place = |finding: &crate::validate::Finding| text.get(finding.span.range()).unwrap_or_default().to_owned();
    told.map(|one| format!("{}: {}; {}", place(one), one.message, one.help.as_deref().unwrap_or_default())).collect()
}

#[test]
fn a_constant_is_compared_with_what_it_says() {
    let never = |place: &str| vec![format!("{place}: `inputs.level` is never `hot`; it is `high` or `low`")];
    assert_eq!(compared("inputs.level == context.hot"), never("context.hot"));
    assert_eq!(compared("context.deep['word'] != inputs.level"), never("context.deep['word']"));
    assert_eq!(compared("inputs.level == context.list[0]"), never("context.list[0]"));
    assert_eq!(
        compared("inputs.level in context.list"),
        ["inputs.level: `context.list` is never one of these; it is `hot` or `warm`"]
    );
    for sound in [
        "inputs.level == context.low",
        "inputs.level == context[inputs.level]",
        "inputs.level in context.mixed",
        "inputs.level == context.odd",
        // Switches: somebody changes the constant, and the process goes the other way.
        "context.hot == 'cold'",
        "context.hot == context.low",
        "context.hot in ['cold', 'icy']",
        "'cold' in context.list",
    ] {
        assert_eq!(compared(sound), [""; 0], "{sound}");
    }
}
