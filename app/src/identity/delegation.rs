//! Giving one's word to somebody else: who may, to whom, and for how long. The same wherever it is said.

use flowctl_core::approval::Person;
use flowctl_core::command::Until;
use flowctl_core::execution::{Execution, Waiting};
use jiff::{SignedDuration, Timestamp};

use super::hearing::{Heard, Hearing};
use super::word::Word;
use crate::github::wording::Refused;

/// How long a word is given away where nothing is said.
const USUAL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long it is given away at most.
const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Until when a word is given away that is given at `now`.
///
/// # Errors
/// Where that moment is over, or too far away.
pub fn given_until(until: Option<Until>, now: Timestamp) -> Result<Timestamp, Refused> {
    let latest = now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX);
    let wrong = |reason: &str| Err(Refused::WrongUntil { reason: reason.to_owned() });
    match until {
        None => Ok(now.saturating_add(USUAL).unwrap_or(Timestamp::MAX)),
        Some(until) => match until.moment(now) {
            Some(until) if until <= now => wrong("That moment is over."),
            Some(until) if until <= latest => Ok(until),
            _ => wrong("A word can be given away for 90 days at most."),
        },
    }
}

impl Hearing<'_> {
    /// Whether somebody may give their word in an execution to this person: they have one in a question that is open, and
    /// who is given it may write and did not make the change. To themself they take it back.
    ///
    /// # Errors
    /// Where it cannot be said now.
    pub async fn may_delegate(&self, execution: &Execution, word: &Word, to: &Person) -> Heard<()> {
        if let Err(refused) = self.permits("delegate", &word.person, None, false).await? {
            return Ok(Err(refused));
        }
        if let Err(refused) = self.has_a_word(execution, word).await? {
            return Ok(Err(refused));
        }
        if to.is(&word.person) {
            return Ok(Ok(()));
        }
        for (step, state) in execution.waiting_for_people() {
            let Some(Waiting::Approval(request)) = &state.waiting else { continue };
            if self.may_speak_for_others(execution, step, to, request.allow_author).await? {
                return Ok(Ok(()));
            }
        }
        Ok(Err(Refused::CannotStandIn { login: to.login.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_given_for_a_week_and_for_ninety_days_at_most() {
        let now = Timestamp::UNIX_EPOCH;
        let until = |text: &str| given_until(Until::read(text), now).map(|until| until.to_string());
        assert_eq!(given_until(None, now).map(|until| until.to_string()), Ok("1970-01-08T00:00:00Z".to_owned()));
        assert_eq!(until("3d"), Ok("1970-01-04T00:00:00Z".to_owned()));
        assert_eq!(until("1970-01-02"), Ok("1970-01-03T00:00:00Z".to_owned()));
        assert_eq!(until("90d"), Ok("1970-04-01T00:00:00Z".to_owned()));
        for wrong in ["91d", "1969-12-30", "9999-12-31"] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
    }
}
