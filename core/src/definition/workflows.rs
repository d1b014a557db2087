//! The GitHub Actions workflows of a repository, as far as a `workflow` step has to do with them: their names, and what
//! they say about being dispatched. Knows nothing else of them, and judges nothing.
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#onworkflow_dispatchinputs>)

use std::collections::BTreeMap;

use crate::source::{Document, Node, parse};

/// Longest file whose text is looked at, in bytes.
const MAX_LENGTH: usize = 1 << 20;

/// The workflow files of a repository by name, each with its text where that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workflows(BTreeMap<String, Option<String>>);

impl Workflows {
    /// Adds a file below `.github/workflows/`.
    pub fn add(&mut self, name: impl Into<String>, text: Option<String>) {
        self.0.insert(name.into(), text.filter(|text| text.len() <= MAX_LENGTH));
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// What a file says about being dispatched; nothing where it cannot be read.
    pub fn dispatch(&self, name: &str) -> Option<Dispatch> {
        let parsed = parse(self.0.get(name)?.as_deref()?);
        if !parsed.faults.is_empty() {
            return None;
        }
        Dispatch::of(&parsed.document)
    }
}

impl<N: Into<String>, T: Into<String>> FromIterator<(N, T)> for Workflows {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(files: I) -> Self {
        let mut workflows = Self::default();
        files.into_iter().for_each(|(name, text)| workflows.add(name, Some(text.into())));
        workflows
    }
}

/// How a workflow is dispatched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dispatch {
    /// It has no `workflow_dispatch`, and GitHub refuses.
    Refused,
    /// It takes these inputs, in the order of the file.
    Takes(Vec<DispatchInput>),
}

/// An input of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchInput {
    /// Its name.
    pub name: String,
    /// Whether it must be given: it is required and has no default.
    pub needed: bool,
    /// The words that it may be; empty where it is no choice.
    pub options: Vec<String>,
}

impl Dispatch {
    fn of(document: &Document) -> Option<Self> {
        const NAME: &str = "workflow_dispatch";
        let on = document.node(document.root()?).get("on")?;
        if on.as_str() == Some(NAME) || on.items().is_some_and(|mut items| items.any(|one| one.as_str() == Some(NAME)))
        {
            return Some(Self::Takes(Vec::new()));
        }
        let Some(dispatch) = on.get(NAME) else { return Some(Self::Refused) };
        let inputs = dispatch.get("inputs").into_iter().flat_map(Node::entries);
        Some(Self::Takes(inputs.filter_map(|(name, input)| DispatchInput::of(name.as_str()?, input)).collect()))
    }
}

impl DispatchInput {
    fn of(name: &str, input: Node<'_>) -> Option<Self> {
        let is_required = input.get("required").and_then(Node::as_str) == Some("true");
        let is_choice = input.get("type").and_then(Node::as_str) == Some("choice");
        let options = input.get("options").filter(|_| is_choice).and_then(Node::items).into_iter().flatten();
        let options = options.map(|option| option.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        Some(Self { name: name.to_owned(), needed: is_required && input.get("default").is_none(), options })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_workflow_says_of_its_dispatch() {
        let dispatch = |text: &str| Workflows::from_iter([("a.yml", text)]).dispatch("a.yml");
        assert_eq!(dispatch("on: push\n"), Some(Dispatch::Refused));
        assert_eq!(dispatch("on: [push, workflow_dispatch]\n"), Some(Dispatch::Takes(Vec::new())));
        assert_eq!(dispatch("on: {push: , workflow_dispatch: }\n"), Some(Dispatch::Takes(Vec::new())));
        assert_eq!(dispatch("on: [\n"), None);
        assert_eq!(dispatch("jobs: {}\n"), None);
        let input = |name: &str, needed, options: &[&str]| DispatchInput {
            name: name.to_owned(),
            needed,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        };
        let text = "on:\n  workflow_dispatch:\n    inputs:\n      kind: {type: choice, options: [patch, 2], required: true}\n      dry: {type: boolean, required: true, default: false}\n      note:\n";
        let takes = vec![input("kind", true, &["patch", "2"]), input("dry", false, &[]), input("note", false, &[])];
        assert_eq!(dispatch(text), Some(Dispatch::Takes(takes)));
    }
}
