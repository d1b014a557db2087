//! Where the host of an address ends, in a text with expressions: behind `//`, at the first `/`, `\`, `?` or `#` that the
//! author wrote out. Expressions count as what they are: constants and what is written out in them with their values,
//! anything else as a text without any of these marks.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::constants::Constants;
use super::flow::Part;
use crate::expression::tree::{Node, Operator, Statement, What};
use crate::expression::{Template, markup};

/// How far an address has been read. Of two ways to come to a place the lesser counts: more may become a host on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    /// Before any slash.
    Beginning(Last),
    /// Behind `//`.
    HostBegins,
    Host,
    /// Behind one slash and no scheme: the path behind a base that another text gives.
    Slash,
    Rest,
}

/// What stands last before any slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Last {
    Colon,
    Other,
    Nothing,
}

impl At {
    fn is_host(self) -> bool {
        self < Self::Slash
    }

    fn after(self, next: char) -> Self {
        // Clients read `\` as `/`. Source: the WHATWG URL standard, "URL parsing".
        let is_slash = matches!(next, '/' | '\\');
        match self {
            Self::Rest => Self::Rest,
            Self::Beginning(Last::Nothing) if next.is_whitespace() => self,
            Self::Beginning(Last::Colon) | Self::HostBegins | Self::Slash if is_slash => Self::HostBegins,
            Self::Slash => Self::Rest,
            Self::Beginning(_) if is_slash => Self::Slash,
            _ if is_slash || matches!(next, '?' | '#') => Self::Rest,
            Self::Beginning(_) if next == ':' => Self::Beginning(Last::Colon),
            Self::Beginning(_) => Self::Beginning(Last::Other),
            Self::HostBegins | Self::Host => Self::Host,
        }
    }
}

/// The parts of an address.
pub(super) struct Address {
    /// What is printed behind the host.
    rest: Vec<Range<usize>>,
}

impl Address {
    pub(super) fn of(template: &Template, constants: &Constants) -> Self {
        let text = template.text();
        let mut prints = BTreeMap::new();
        printed(template.statements(), &mut prints);
        let mut reader = Reader { text, constants, at: At::Beginning(Last::Nothing), rest: Vec::new() };
        let mut end = 0;
        for range in markup(text) {
            reader.written(&text[end..range.start]);
            let mut printed = prints.range(range.clone()).map(|(_, node)| *node).peekable();
            // What a tag behind the host reads chooses no other side.
            if printed.peek().is_none() && !reader.at.is_host() {
                reader.rest.push(range.clone());
            }
            printed.for_each(|node| reader.print(node));
            end = range.end;
        }
        Self { rest: reader.rest }
    }

    /// The part in which something is read.
    pub(super) fn part(&self, read: &Range<usize>) -> Part {
        let next = self.rest.partition_point(|printed| printed.end < read.end);
        let is_rest = self.rest.get(next).is_some_and(|printed| printed.start <= read.start);
        if is_rest { Part::Rest } else { Part::Host }
    }
}

/// All that a text prints, by where it stands.
fn printed<'t>(statements: &'t [Statement], prints: &mut BTreeMap<usize, &'t Node>) {
    for statement in statements {
        match statement {
            Statement::Text | Statement::Set { .. } => {}
            Statement::Print(node) => drop(prints.insert(node.range.start, node)),
            Statement::With { body, .. } => printed(body, prints),
            Statement::If { then: body, otherwise, .. } | Statement::For { body, otherwise, .. } => {
                printed(body, prints);
                printed(otherwise, prints);
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    constants: &'a Constants,
    at: At,
    rest: Vec<Range<usize>>,
}

impl Reader<'_> {
    fn written(&mut self, text: &str) {
        self.at = text.chars().fold(self.at, At::after);
    }

    fn print(&mut self, node: &Node) {
        match &node.what {
            What::Operation(Operator::Join, left, right) => {
                self.print(left);
                self.print(right);
            }
            What::Choice(choice) => {
                let before = self.at;
                self.print(&choice.yes);
                let after = std::mem::replace(&mut self.at, before);
                self.print(&choice.no);
                self.at = self.at.min(after);
            }
            _ => {
                if !self.at.is_host() {
                    self.rest.push(node.range.clone());
                }
                match self.value(node) {
                    Some(Value::String(text)) => self.written(&text),
                    Some(value) => self.written(&value.to_string()),
                    None => self.written("x"),
                }
            }
        }
    }

    /// The value of what is written out or constant.
    fn value(&self, node: &Node) -> Option<Value> {
        match &node.what {
            What::Constant(value) => Some(value.clone()),
            _ => self.constants.value(&format!("{{{{ {} }}}}", self.text.get(node.range.clone())?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read in the host of an address whose process has a few constants.
    fn read_in_the_host(url: &str) -> Vec<String> {
        let text = "name: a\nversion: 1\ncontext: {api: https://api.example, base: https://api.example/v1/, port: 8080}\nsteps:\n  - {id: s, type: set, values: {v: 1}}\n";
        let repository =
            crate::definition::repository::Repository::read([(".flow/processes/a.yaml".to_owned(), text.to_owned())]);
        let constants = repository.processes().next().map(|(_, process)| Constants::of(process)).expect("a process");
        let template = Template::parse(url).expect("a template");
        let address = Address::of(&template, &constants);
        let in_host = template.references().iter().filter(|read| address.part(&read.range) == Part::Host);
        in_host.map(|read| url[read.range.clone()].to_owned()).filter(|read| !read.starts_with("context")).collect()
    }

    #[test]
    fn a_host_ends_where_its_author_wrote_that_it_ends() {
        for url in [
            "https://api.example/{{ t }}",
            "https://api.example?q={{ t }}",
            "{{ context.api }}/projects/{{ n }}/{{ t }}",
            "{{ context.api }}?q={{ t }}",
            "{{ context.api }}:{{ context.port }}/{{ t }}",
            "{{ context.base }}{{ t }}",
            "{{ 'https://api.example/search?q=' ~ t | urlencode }}",
            "{{ context.api ~ '/' ~ t }}",
            "{{ ('https://a.example/' if context.port == 8080 else context.base) ~ t }}",
            "{{ context.base if context.port == 8080 else 'https://b.example/' }}{{ t }}",
            "/{{ n }}/{{ t }}",
        ] {
            assert_eq!(read_in_the_host(url), [""; 0], "{url}");
        }
        assert_eq!(read_in_the_host("{{ base }}/{{ n }}/{{ t }}"), ["base"]);
        assert_eq!(read_in_the_host("https://{{ host }}/{{ n }}/{{ t }}"), ["host"]);
    }

    #[test]
    fn what_stands_before_that_decides_who_is_called() {
        for url in [
            "{{ t }}",
            "https://{{ t }}/x",
            "https://api.example{{ t }}/x",
            "https:/{{ t }}",
            "https:\\\\{{ t }}",
            "//{{ t }}/x",
            "/{{ '/' }}{{ t }}",
            "{{ context.api }}{{ t }}",
            "{{ context.api }}:{{ context.port }}{{ t }}",
            "{{ 'https://' ~ t ~ '/x' }}",
            "{{ ('https://a.example/' ~ t) | replace('/', '.') }}",
            "{{ ('https://a.example/' if context.port == 8080 else 'https://') ~ t }}",
        ] {
            assert_eq!(read_in_the_host(url), ["t"], "{url}");
        }
        assert_eq!(read_in_the_host("{{ scheme }}://{{ t }}"), ["scheme", "t"]);
    }
}
