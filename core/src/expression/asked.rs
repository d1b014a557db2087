//! Where a text only asks something: the tests of `… if … else …`, of `{% if %}` and of `{% for … if %}`, and the key of a
//! lookup `[…]`. What is read there decides, and nothing of it stands in what the text gives.

use std::ops::Range;

use super::Template;
use super::tree::{Node, Root, Statement, What};

/// The places of the outermost tests and keys of a text, in bytes of it.
pub(crate) fn tests(template: &Template) -> Vec<Range<usize>> {
    let mut tests = Vec::new();
    if template.text().contains("if") || template.text().contains('[') {
        statements(template.statements(), &mut tests);
    }
    tests
}

fn statements(of: &[Statement], tests: &mut Vec<Range<usize>>) {
    for statement in of {
        match statement {
            Statement::Text => {}
            Statement::Print(value) | Statement::Set { value, .. } => node(value, tests),
            Statement::If { test, then, otherwise } => {
                tests.push(test.range.clone());
                statements(then, tests);
                statements(otherwise, tests);
            }
            Statement::For { items, filter, body, otherwise, .. } => {
                node(items, tests);
                tests.extend(filter.iter().map(|filter| filter.range.clone()));
                statements(body, tests);
                statements(otherwise, tests);
            }
            Statement::With { names, body } => {
                names.iter().for_each(|(_, value)| node(value, tests));
                statements(body, tests);
            }
        }
    }
}

fn node(of: &Node, tests: &mut Vec<Range<usize>>) {
    match &of.what {
        What::Constant(_) => {}
        What::Chain(root, links) => {
            if let Root::Value(value) = root {
                node(value, tests);
            }
            tests.extend(links.iter().filter_map(|link| link.computed.as_ref()).map(|computed| computed.range.clone()));
        }
        What::Slice(of, bounds) => {
            node(of, tests);
            tests.extend(bounds.iter().map(|bound| bound.range.clone()));
        }
        What::Not(of) | What::Negative(of) => node(of, tests),
        What::Operation(_, left, right) => {
            node(left, tests);
            node(right, tests);
        }
        What::Comparison(first, links) => {
            node(first, tests);
            links.iter().for_each(|(_, other)| node(other, tests));
        }
        What::Choice(choice) => {
            tests.push(choice.test.range.clone());
            node(&choice.yes, tests);
            node(&choice.no, tests);
        }
        What::Call(call) => {
            call.subject.iter().for_each(|subject| node(subject, tests));
            call.arguments.iter().for_each(|(_, argument)| node(argument, tests));
        }
        What::List(items) => items.iter().for_each(|item| node(item, tests)),
        What::Map(entries) => entries.iter().for_each(|(key, value)| {
            node(key, tests);
            node(value, tests);
        }),
    }
}
