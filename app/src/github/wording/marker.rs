//! Marks in our own texts that tell what a text is about, so that a write can be found again before it is repeated,
//! and so that a button can be held against what was shown beside it. Invisible; nobody else's text can hold one.

use flowctl_core::execution::{Execution, ExecutionId};
use jiff::Timestamp;

use super::people::Names;
use super::prompt::prompts;

/// A step that waits for a person, and since when it has asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The step.
    pub step: String,
    /// When it asked, in milliseconds of the epoch: a step that asks anew after a retry, or about another base, is another ask.
    pub since: i64,
}

impl Ask {
    /// When it asked.
    pub fn asked_at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.since).unwrap_or(Timestamp::MIN)
    }

    /// What an execution asks of people now, and what a check run has room to show of it: a button counts for nothing
    /// that was not shown beside it.
    pub fn shown(execution: &Execution) -> Vec<Self> {
        prompts(execution, Names::Told).asks(execution)
    }

    /// What an execution asks of people now.
    pub fn all(execution: &Execution) -> Vec<Self> {
        use flowctl_core::execution::Waiting;
        let waiting = execution.waiting_for_people();
        waiting
            .filter_map(|(id, step)| {
                let since = match step.waiting.as_ref()? {
                    Waiting::Approval(request) => request.asked_since(),
                    Waiting::Form(request) => request.requested_at,
                    _ => return None,
                };
                Some(Self { step: id.to_owned(), since: since.as_millisecond() })
            })
            .collect()
    }
}

/// Marks the one comment of an execution.
pub fn execution_marker(execution: ExecutionId) -> String {
    format!("<!-- flowctl:execution:{execution} -->")
}

/// How the mark of a reply begins.
const REPLY: &str = "<!-- flowctl:reply:";

/// Marks the one reply to something; `to` tells what.
pub fn reply_marker(to: &str) -> String {
    let to: String = to.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.')).collect();
    format!("{REPLY}{to} -->")
}

/// What a comment of ours replies to, as its mark tells.
pub fn replied_to(body: &str) -> Option<&str> {
    Some(body.strip_prefix(REPLY)?.split_once(" -->")?.0)
}

/// Whether a text begins with a mark of ours.
pub fn is_marked(text: &str) -> bool {
    text.starts_with("<!-- flowctl:")
}

/// Marks what a check run asked of people.
pub(super) fn asks_marker(asks: &[Ask]) -> String {
    let asks: Vec<String> = asks.iter().map(|ask| format!("{}@{}", ask.step, ask.since)).collect();
    format!("<!-- flowctl:asks:{} -->", asks.join(","))
}

/// What a check run's summary asked of people; nothing where it asked nothing or is not ours.
pub fn asks_of(summary: &str) -> Vec<Ask> {
    let Some(marked) = summary.strip_prefix("<!-- flowctl:asks:") else { return Vec::new() };
    let Some((asks, _)) = marked.split_once(" -->") else { return Vec::new() };
    let asks = asks.split(',').filter_map(|ask| ask.split_once('@'));
    asks.filter_map(|(step, since)| Some(Ask { step: step.to_owned(), since: since.parse().ok()? })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_read_back() {
        let ask = |step: &str, since| Ask { step: step.to_owned(), since };
        for asks in [vec![], vec![ask("leads", 1_700_000_000_123)], vec![ask("a", 1), ask("b_c", -2)]] {
            let summary = format!("{}\n\nmore @text,", asks_marker(&asks));
            assert_eq!(asks_of(&summary), asks);
        }
        for other in
            ["", "leads@1", " <!-- flowctl:asks:leads@1 -->", "<!-- flowctl:asks:leads@1", "<!-- flowctl:asks:@ -->"]
        {
            assert_eq!(asks_of(other), []);
        }
    }

    #[test]
    fn a_marker_cannot_be_ended_early() {
        assert_eq!(reply_marker("comment:12 --> x"), "<!-- flowctl:reply:comment:12--x -->");
    }
}
