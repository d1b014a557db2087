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
