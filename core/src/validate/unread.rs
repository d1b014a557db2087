//! Steps whose ids cannot be read, and who may mean them all the same: what is wrong with an id is told at the id, and not
//! at those that name the step.

use crate::source::{Node, closest};
use crate::value::StepId;

/// Deepest nesting of `foreach` bodies that is looked into.
const MAX_BODIES: usize = 16;
/// Most ids with which a name is compared; of more steps anybody may be meant.
const MAX_IDS: usize = 16;
/// Longest id with which a name is compared, in bytes.
const MAX_LENGTH: usize = 200;

/// The steps of a process whose ids cannot be read.
#[derive(Debug, Default)]
pub struct UnreadIds {
    /// Whether one of them has no id at all, or one that nobody could guess: whoever names an unknown step may mean it.
    any: bool,
    /// Ids that say something, in the letters that an id may have.
    written: Vec<String>,
}

impl UnreadIds {
    /// Those of a process.
    pub(super) fn of(process: Node<'_>) -> Self {
        let mut found = Self::default();
        found.steps(process, 0);
        found.any |= found.written.len() > MAX_IDS;
        found
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        !self.any && self.written.is_empty()
    }

    /// Whether somebody may mean one of them by this name.
    pub fn may_be(&self, name: &str) -> bool {
        let is_like = |written: &str| written.contains(name) || name.contains(written);
        self.any
            || self.written.iter().any(|written| is_like(written))
            || closest(name, self.written.iter().map(String::as_str)).is_some()
    }

    fn steps(&mut self, owner: Node<'_>, depth: usize) {
        let Some(list) = owner.get("steps") else {
            self.any |= depth == 0;
            return;
        };
        let Some(steps) = list.items() else {
            self.any = true;
            return;
        };
        for step in steps {
            match step.get("id").and_then(Node::as_text) {
                Some(id) if id.parse::<StepId>().is_ok() => {}
                Some(id) => self.add(id),
                None => self.any = true,
            }
            if depth < MAX_BODIES && step.get("steps").is_some() {
                self.steps(step, depth + 1);
            }
        }
    }

    fn add(&mut self, id: &str) {
        let lower = id.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let says_something = lower.chars().filter(|c| c.is_alphabetic()).nth(1).is_some();
        match says_something && lower.len() <= MAX_LENGTH && !lower.contains("{{") {
            true => self.written.push(words.join("_")),
            false => self.any = true,
        }
    }
}
