//! A guarantee that is not whole, or two in one.

use super::super::faults::has_foreign_key;
use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, File};
use crate::source::{Node, NodeId};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW605",
    name: "guarantee-incomplete",
    severity: Severity::Error,
    summary: "A guarantee that is not whole, or two guarantees in one",
    reason: r#"
A guarantee is exactly one of four: `every_path_to` with `passes`, `no_data_from` with `to` (and `unless`), `ends_within`,
or `at_most`. Anything else could not be proved, for nobody knows what it says.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {every_path_to: ship}
steps:
  - id: ship
    type: api_call
    url: https://example.com/ship
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
guarantees:
  - {ends_within: 1h}
steps:
  - id: ship
    type: api_call
    url: https://example.com/ship
"#,
    check,
};

/// The four guarantees with what each needs and may have.
const FORMS: [(&str, Option<&str>, &[&str]); 4] = [
    ("every_path_to", Some("passes"), &["passes"]),
    ("no_data_from", Some("to"), &["to", "unless"]),
    ("ends_within", None, &[]),
    ("at_most", None, &[]),
];

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        let guarantees: Vec<NodeId> = match &file.definition {
            Some(Definition::Process(process)) => process.header.guarantees.iter().map(|one| one.node).collect(),
            Some(Definition::Policy(policy)) => policy.guarantees.iter().map(|one| one.node).collect(),
            _ => continue,
        };
        guarantees.into_iter().for_each(|guarantee| tell((scope, file), file.document.node(guarantee), findings));
    }
}

fn tell((scope, file): (&Scope<'_>, &File), guarantee: Node<'_>, findings: &mut Findings) {
    let mut given: Vec<_> = FORMS.iter().filter_map(|form| Some((form, guarantee.key_node(form.0)?))).collect();
    given.sort_by_key(|(_, key)| key.span());
    let may_be_said = has_foreign_key(scope, file, guarantee);
    match given.as_slice() {
        [] if may_be_said => {}
        [] => {
            let message = "one of `every_path_to`, `no_data_from`, `ends_within` or `at_most` is missing";
            findings.add(file, guarantee.pointing_span(), message);
        }
        [((form, needed, allowed), key)] => {
            if let Some(needed) = needed
                .filter(|_| !may_be_said)
                .filter(|needed| guarantee.get(needed).is_none_or(|value| value.is_empty() && value.items().is_some()))
            {
                findings.add(file, key.span(), format!("`{form}` needs `{needed}`"));
            }
            for (other, _) in guarantee.entries() {
                let name = other.as_str().unwrap_or_default();
                let known = FORMS.iter().any(|(_, _, more)| more.contains(&name));
                if known && !allowed.contains(&name) {
                    let message = format!("`{name}` cannot stand beside `{form}`");
                    findings.add(file, other.span(), message).also(file, key.span(), "the guarantee");
                }
            }
        }
        [(first, key), (second, other), ..] => {
            let message = format!("`{}` cannot stand beside `{}`", second.0, first.0);
            let finding = findings.add(file, other.span(), message);
            finding.help("write a guarantee of its own").also(file, key.span(), "the other one");
        }
    }
}
