//! The pages of `docs/rules/`, made from the rules themselves so that they cannot drift. A test says when the files that
//! are checked in are stale.

use std::fmt::Write;

use super::rules::RULES;

/// Groups of codes by their first digit.
const GROUPS: [(&str, &str); 9] = [
    ("FLOW0", "What a file says: syntax, structure, names"),
    ("FLOW1", "The graph: order, gateways, failures"),
    ("FLOW2", "Expressions"),
    ("FLOW3", "People"),
    ("FLOW4", "Files and what they refer to"),
    ("FLOW5", "Secrets and safety"),
    ("FLOW6", "Guarantees"),
    ("FLOW7", "What it may cost"),
    ("FLOW9", "Validation itself"),
];

/// Every page: the file's name in `docs/rules/`, and its text.
pub fn documentation() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_owned(), overview())];
    for rule in RULES {
        pages.push((format!("{}.md", rule.code), format!("{}\n[All rules](README.md)\n", rule.explanation())));
    }
    pages
}

fn overview() -> String {
    let mut text = String::from(
        "# Rules\n\nMade from the rules in `core/src/validate/rules/`; `flowctl explain CODE` shows the same. A rule may be \
         named by its code\nor its name in suppressions and in `validate.levels` of `flow.yaml`.\n",
    );
    for (prefix, title) in GROUPS {
        let _ =
            writeln!(text, "\n## {title}\n\n| code | name | severity | finds |\n|------|------|----------|-------|");
        for rule in RULES.iter().filter(|rule| rule.code.starts_with(prefix)) {
            let _ = writeln!(
                text,
                "| [{0}]({0}.md) | `{1}` | {2} | {3} |",
                rule.code, rule.name, rule.severity, rule.summary
            );
        }
    }
    text
}
