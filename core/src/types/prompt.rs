//! The types of a prompt: its template sees `variables` and nothing else.

use std::sync::OnceLock;

use super::check::{self, Environment, Read, Start};
use super::kind::Type;
use super::mistake::Mistake;
use super::text::{Role, TEXT};
use super::trigger::with_written;
use crate::definition::prompt::Prompt;
use crate::definition::repository::File;
use crate::expression::{ExpressionError, Key, Segment, Template};

/// A prompt and what is known about the values in it.
#[derive(Debug)]
pub struct PromptTypes<'r> {
    /// Its file.
    pub file: &'r File,
    /// The prompt.
    pub prompt: &'r Prompt,
    template: OnceLock<Result<Template, ExpressionError>>,
    read: OnceLock<Read>,
}

impl<'r> PromptTypes<'r> {
    pub(super) fn new(file: &'r File, prompt: &'r Prompt) -> Self {
        Self { file, prompt, template: OnceLock::new(), read: OnceLock::new() }
    }

    /// Its template, or why that cannot be read.
    pub fn template(&self) -> &Result<Template, ExpressionError> {
        self.template.get_or_init(|| Template::parse(&self.prompt.template))
    }

    /// What is wrong with what the template does.
    pub fn read(&self) -> &Read {
        self.read.get_or_init(|| match self.template() {
            Ok(template) => check::read(template, &self.environment(), Self::ROLE),
            Err(_) => Read::default(),
        })
    }

    /// What is wrong with what another template would do here.
    pub(crate) fn mistakes_of(&self, template: &Template) -> Vec<Mistake> {
        check::read(template, &self.environment(), Self::ROLE).mistakes
    }

    /// How the template is used.
    pub(super) const ROLE: Role = TEXT;

    pub(super) fn environment(&self) -> Variables {
        let declared = Type::of_fields(&self.prompt.header.variables, false);
        let front = self.file.document.root().map(|root| self.file.document.node(root));
        Variables(with_written(declared, self.file, front.and_then(|front| front.get("variables"))))
    }
}

/// What a prompt's template can read.
pub(super) struct Variables(Type);

impl Environment for Variables {
    fn root(&self, path: &[Segment]) -> Option<Start> {
        let is_root = matches!(&path.first()?.key, Key::Name(root) if root == "variables");
        is_root.then(|| Start { of: self.0.clone(), parts: 1 })
    }
}
