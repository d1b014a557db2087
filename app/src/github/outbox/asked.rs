//! What tells the comment about a question from every other: the key of its effect, which its marker bears.

use std::fmt;

use flowctl_core::execution::{Execution, ExecutionId};

use crate::github::wording::{Ask, replied_to};

/// How such a key begins.
const ASKED: &str = "asked:";

/// A question of an execution that a comment beside the execution's own is about. Written `asked:EXECUTION:STEP:SINCE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::github) struct Asked {
    pub(in crate::github) execution: ExecutionId,
    /// The first one, where a comment asks several.
    pub(in crate::github) ask: Ask,
}

impl fmt::Display for Asked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { execution, ask } = self;
        write!(out, "{ASKED}{execution}:{}:{}", ask.step, ask.since)
    }
}

impl Asked {
    /// What an execution asks of people now.
    pub(super) fn all(execution: &Execution) -> Vec<Self> {
        let asks = Ask::all(execution).into_iter();
        asks.map(|ask| Self { execution: execution.id, ask }).collect()
    }

    /// The question that a key is about; nothing where it is another key.
    pub(super) fn parse(key: &str) -> Option<Self> {
        let (execution, rest) = key.strip_prefix(ASKED)?.split_once(':')?;
        let (step, since) = rest.rsplit_once(':')?;
        let ask = Ask { step: step.to_owned(), since: since.parse().ok()? };
        Some(Self { execution: execution.parse().ok()?, ask })
    }

    /// The question that a comment's marker is about. A marker spells no more of a step's name than it has room for.
    pub(in crate::github) fn of_comment(body: &str) -> Option<Self> {
        Self::parse(replied_to(body)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::wording::reply_marker;

    #[test]
    fn a_question_is_read_back_from_its_key_and_its_marker() {
        for (step, marked) in [("leads", "leads"), ("ship[2]", "ship2"), ("a:b", "a:b")] {
            let asked = |step: &str| {
                let ask = Ask { step: step.to_owned(), since: 1_700_000_000_123 };
                Asked { execution: ExecutionId::nil(), ask }
            };
            let key = asked(step).to_string();
            assert_eq!(Asked::parse(&key), Some(asked(step)), "{key}");
            let body = format!("{}\nasks", reply_marker(&key));
            assert_eq!(Asked::of_comment(&body), Some(asked(marked)), "{body}");
        }
        for other in ["", "asked:", "asked:7:leads:1", "reminder:00000000-0000-0000-0000-000000000000:leads:1"] {
            assert_eq!(Asked::parse(other), None, "{other}");
        }
        assert_eq!(Asked::of_comment("> <!-- flowctl:reply:asked:"), None);
    }
}
