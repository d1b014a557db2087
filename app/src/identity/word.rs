//! A person's word about a step: who, when, from where, about which commit. It counts for what its author was shown:
//! this execution, this step, this question, this commit.

use flowctl_core::approval::{Person, Source, SourceKind};
use flowctl_core::execution::{ApprovalRequest, Execution, FormRequest, StepState, Waiting};
use jiff::Timestamp;

use crate::github::wording::Refused;

/// The digits of a whole commit id.
const COMMIT_DIGITS: usize = 40;

/// Something that a person said.
#[derive(Debug, Clone)]
pub struct Word {
    /// Who.
    pub person: Person,
    /// When, by GitHub's clock, which tells seconds.
    pub at: Timestamp,
    /// When its delivery came in, by our clock.
    pub heard_at: Timestamp,
    /// From where.
    pub source: Source,
    /// About which commit.
    pub about: About,
    /// The command that it amounts to, for what `flow.yaml` demands.
    pub verb: &'static str,
}

/// About which commit something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The one that was shown when it was written.
    Shown,
    /// The one whose id begins like this: the person named it.
    Named(String),
    /// This one: GitHub says so of a review, and of the check run with the button.
    Commit(String),
}

impl About {
    /// Whether no other commit can be meant. The first digits of an id can be given to another commit on purpose: then
    /// a word counts only from when the commit was shown.
    fn is_certain(&self) -> bool {
        match self {
            Self::Shown => false,
            Self::Named(digits) => digits.len() >= COMMIT_DIGITS,
            Self::Commit(_) => true,
        }
    }
}

/// The approval that a step of an execution waits for.
pub fn approval<'e>(execution: &'e Execution, step: &str) -> Option<&'e ApprovalRequest> {
    match execution.steps.get(step)?.waiting.as_ref()? {
        Waiting::Approval(request) => Some(request),
        _ => None,
    }
}

/// The form that a step of an execution waits for.
pub fn form<'e>(execution: &'e Execution, step: &str) -> Option<&'e FormRequest> {
    match execution.steps.get(step)?.waiting.as_ref()? {
        Waiting::Form(request) => Some(request),
        _ => None,
    }
}

/// Whether the question was there, and about this commit, when the word was said.
pub(super) fn was_shown(step: &str, state: &StepState, request: &ApprovalRequest, word: &Word) -> Result<(), Refused> {
    let before = |since, commit| Err(Refused::WrittenBefore { step: step.to_owned(), since, commit });
    if word.was_said_before(request.requested_at) {
        return before(request.requested_at, None);
    }
    // A step may ask about another call within the second in which the one before was decided. What was written in that
    // second may be about either, whenever it came in; then it was about the one before.
    let asked_before = request.call.is_some() && state.attempt > 1;
    if asked_before && word.is_dated_by_seconds() && word.at.as_second() <= request.requested_at.as_second() {
        return before(request.requested_at, None);
    }
    // Within the second in which the commit changed nobody can tell; then it was about the one before.
    let moved = request.shown_since > request.requested_at;
    if !word.about.is_certain() && moved && word.at.as_second() <= request.shown_since.as_second() {
        return before(request.shown_since, request.head_sha.clone());
    }
    // On another base the same commit is another change, however certainly it was meant. What a button was pressed on says by
    // itself about which base it asked, and its press has no time of GitHub's.
    let rebased = request.base_since.filter(|_| word.source.kind != SourceKind::Button);
    match rebased {
        Some(since) if word.at.as_second() <= since.as_second() => before(since, request.head_sha.clone()),
        _ => Ok(()),
    }
}

impl Word {
    /// Whether it was said before something was asked. GitHub tells seconds; within one, what came in earlier was
    /// said earlier.
    pub(crate) fn was_said_before(&self, asked: Timestamp) -> bool {
        let (said, since) = (self.at.as_second(), asked.as_second());
        said < since || (said == since && self.heard_at < asked)
    }

    /// Whether GitHub tells when it was said, and thereby only the second.
    fn is_dated_by_seconds(&self) -> bool {
        matches!(self.source.kind, SourceKind::Comment | SourceKind::Review)
    }
}

/// The commit that a decision is recorded for; the execution refuses another one than it asks about.
pub(super) fn commit(about: &About, request: &ApprovalRequest) -> Option<String> {
    match about {
        About::Shown => request.head_sha.clone(),
        About::Commit(commit) => Some(commit.clone()),
        About::Named(prefix) => match &request.head_sha {
            Some(head) if head.starts_with(prefix.as_str()) => Some(head.clone()),
            _ => Some(prefix.clone()),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::execution::{ShownCall, Signal};

    use super::*;
    use crate::github::wording::sample::{Sample, person};

    fn word(at: &str, heard_at: &str, about: About) -> Word {
        Word {
            person: person("bob", 7),
            at: at.parse().unwrap(),
            heard_at: heard_at.parse().unwrap(),
            source: Source { kind: SourceKind::Comment, id: "1:0".to_owned(), url: None },
            about,
            verb: "approve",
        }
    }

    #[test]
    fn a_word_counts_from_when_its_question_was_shown() {
        // It asks since 09:00:02.5, and about another commit since 09:10:02.5.
        let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
        sample.later(600_000).signal(Signal::HeadMoved { head_sha: "b".repeat(40), same_tree: false, since: None });
        let state = &sample.execution.steps["leads"];
        let request = approval(&sample.execution, "leads").unwrap();
        let named = || About::Named("b".repeat(40));
        for (at, heard_at, about, counts) in [
            ("09:00:01Z", "09:00:01.9Z", About::Shown, false),
            ("09:10:01Z", "09:10:09Z", About::Shown, false),
            ("09:10:02Z", "09:10:02.6Z", About::Shown, false),
            ("09:10:03Z", "09:10:02Z", About::Shown, true),
            ("09:10:01Z", "09:10:01Z", About::Commit("b".repeat(40)), true),
            ("09:00:02Z", "09:00:02.6Z", named(), true),
            ("09:00:02Z", "09:00:02.4Z", named(), false),
            ("09:00:01Z", "09:00:09Z", named(), false),
        ] {
            let word = word(&format!("2026-03-01T{at}"), &format!("2026-03-01T{heard_at}"), about);
            assert_eq!(was_shown("leads", state, request, &word).is_ok(), counts, "{word:?}");
        }
    }

    #[test]
    fn a_word_about_a_commit_on_the_base_before_does_not_count() {
        // It asks since 09:00:02.5, and for another base since 09:10:02.5.
        let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
        sample.later(600_000).signal(Signal::BaseMoved { base: "prod".to_owned(), since: None });
        let state = &sample.execution.steps["leads"];
        let request = approval(&sample.execution, "leads").unwrap();
        let head = request.head_sha.clone().unwrap();
        for (at, kind, counts) in [
            ("09:05:00Z", SourceKind::Comment, false),
            ("09:05:00Z", SourceKind::Review, false),
            ("09:10:02Z", SourceKind::Review, false),
            ("09:10:03Z", SourceKind::Review, true),
            // What its run had asked tells that.
            ("09:10:02.6Z", SourceKind::Button, true),
        ] {
            for about in [About::Commit(head.clone()), About::Named(head.clone())] {
                let mut word = word(&format!("2026-03-01T{at}"), "2026-03-01T09:10:09Z", about);
                word.source.kind = kind;
                assert_eq!(was_shown("leads", state, request, &word).is_ok(), counts, "{word:?}");
            }
        }
    }

    #[test]
    fn a_word_of_the_second_in_which_a_question_was_shown_counts_unless_it_came_in_before() {
        for (at, heard_at, shown, was_before) in [
            ("09:00:02Z", "09:00:09Z", "09:00:03Z", true),
            // GitHub dates its own comments by seconds, too.
            ("09:00:03Z", "09:00:03.1Z", "09:00:03Z", false),
            ("09:00:03Z", "09:00:03.1Z", "09:00:03.2Z", true),
            ("09:00:03Z", "09:00:03.3Z", "09:00:03.2Z", false),
            // Clocks differ: what was said later came in earlier.
            ("09:00:04Z", "09:00:02Z", "09:00:03Z", false),
        ] {
            let on_that_day = |time: &str| format!("2026-03-01T{time}");
            let word = word(&on_that_day(at), &on_that_day(heard_at), About::Shown);
            assert_eq!(word.was_said_before(on_that_day(shown).parse().unwrap()), was_before, "{word:?} {shown}");
        }
    }

    #[test]
    fn the_first_digits_of_a_commit_that_was_not_shown_yet_do_not_count() {
        let mut sample = Sample::at_leads("Release 1.4", "Carts survive.");
        sample.later(600_000).signal(Signal::HeadMoved { head_sha: "b".repeat(40), same_tree: false, since: None });
        let state = &sample.execution.steps["leads"];
        let request = approval(&sample.execution, "leads").unwrap();
        for (at, digits, counts) in [
            ("09:05:00Z", 7, false),
            ("09:05:00Z", 39, false),
            ("09:05:00Z", 40, true),
            ("09:10:02Z", 7, false),
            ("09:10:03Z", 7, true),
        ] {
            let at = format!("2026-03-01T{at}");
            let word = word(&at, "2026-03-01T09:10:09Z", About::Named("b".repeat(digits)));
            assert_eq!(was_shown("leads", state, request, &word).is_ok(), counts, "{word:?}");
        }
    }

    #[test]
    fn a_word_about_one_call_counted_for_the_next_of_the_same_second() {
        // It asks since 09:00:02.5; the word came in after that.
        let sample = Sample::at_leads("Release 1.4", "Carts survive.");
        let mut state = sample.execution.steps["leads"].clone();
        let mut request = approval(&sample.execution, "leads").unwrap().clone();
        let call = ShownCall {
            id: "2".to_owned(),
            tool: "github".to_owned(),
            operation: "close_issue".to_owned(),
            arguments: serde_json::json!({"issue": 8}),
            digest: "d".repeat(64),
            timeout_ms: None,
        };
        request.call = Some(Box::new(call));
        for (attempt, kind, at, counts) in [
            (1, SourceKind::Comment, "09:00:02Z", true),
            (2, SourceKind::Comment, "09:00:02Z", false),
            (2, SourceKind::Review, "09:00:02Z", false),
            (2, SourceKind::Comment, "09:00:03Z", true),
            // What the API and buttons are told names the question, and our clock dates it.
            (2, SourceKind::Api, "09:00:02.6Z", true),
            (2, SourceKind::Button, "09:00:02.6Z", true),
        ] {
            state.attempt = attempt;
            let mut word = word(&format!("2026-03-01T{at}"), "2026-03-01T09:00:09Z", About::Shown);
            word.source.kind = kind;
            assert_eq!(was_shown("leads", &state, &request, &word).is_ok(), counts, "{attempt} {word:?}");
        }
    }

    #[test]
    fn a_named_commit_is_the_head_where_it_begins_like_it() {
        let sample = Sample::at_leads("Release 1.4", "Carts survive.");
        let request = approval(&sample.execution, "leads").unwrap();
        let head = request.head_sha.clone();
        assert_eq!(commit(&About::Shown, request), head);
        assert_eq!(commit(&About::Named("1a2b3c4".to_owned()), request), head);
        assert_eq!(commit(&About::Named("deadbee".to_owned()), request), Some("deadbee".to_owned()));
        assert_eq!(commit(&About::Commit("c".repeat(40)), request), Some("c".repeat(40)));
    }
}
