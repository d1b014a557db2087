//! What a text says once the constants of its process stand in it. What reads anything else stays as it is written.

use std::borrow::Cow;

use serde_json::Value;

use crate::definition::Process;
use crate::expression::{Context, Template, markup};

/// How expressions call the constants.
const CONTEXT: &str = "context";

/// The constants of a process.
pub(crate) struct Constants {
    context: Option<Context>,
}

impl Constants {
    pub(crate) fn of(process: &Process) -> Self {
        let constants = &process.header.context;
        if constants.is_empty() {
            return Self { context: None };
        }
        let values = constants.iter().map(|(name, value)| (name.value.clone(), value.value.clone()));
        let mut context = Context::new();
        context.set(CONTEXT, Value::Object(values.collect()));
        Self { context: Some(context) }
    }

    /// A text with every `{{ … }}` that reads constants alone replaced by its value.
    pub(crate) fn resolved<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.context.is_none() || !text.contains("{{") || !text.contains(CONTEXT) {
            return Cow::Borrowed(text);
        }
        let (mut done, mut end) = (String::new(), 0);
        for range in markup(text) {
            let piece = &text[range.clone()];
            done.push_str(&text[end..range.start]);
            match self.value(piece) {
                Some(Value::String(text)) => done.push_str(&text),
                Some(value) => done.push_str(&value.to_string()),
                None => done.push_str(piece),
            }
            end = range.end;
        }
        Cow::Owned(done + &text[end..])
    }

    /// What a template gives that reads constants alone.
    pub(crate) fn value(&self, text: &str) -> Option<Value> {
        let context = self.context.as_ref().filter(|_| text.contains(CONTEXT))?;
        let template = Template::parse(text).ok()?;
        let is_constant = template.references().iter().all(|reference| reference.root() == CONTEXT);
        if template.references().is_empty() || !is_constant {
            return None;
        }
        template.evaluate(context).ok()
    }
}
