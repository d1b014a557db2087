//! Which look is next, and how far back it goes. Knows no server, and asks nobody.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::github::client::{Delivery, OlderDeliveries};

/// How far back GitHub redelivers ("Redelivering webhooks": three days), and a long look goes.
pub(super) const LONG_LOOK: SignedDuration = SignedDuration::from_hours(72);
/// The pause between two long looks.
const LONG_LOOKS: SignedDuration = SignedDuration::from_mins(15);
/// How far back the looks between go: longer than any pause between them.
pub(super) const SHORT_LOOK: SignedDuration = SignedDuration::from_hours(1);
/// The pauses before the first looks: deliveries that failed while we started are told a moment later.
const FIRST_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(8)];
/// The pause between later looks.
const PAUSE: Duration = Duration::from_secs(60);

/// One look through deliveries, or the rest of one that came to its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// How far back it goes.
    pub(super) since: Timestamp,
    is_long: bool,
    /// Where it goes on; nothing at its beginning.
    pub(super) from: Option<OlderDeliveries>,
    /// Attempts that it has shown already, of deliveries whose own attempts are still to come.
    pub(super) seen: Vec<Delivery>,
}

impl Look {
    fn anew(now: Timestamp, is_long: bool) -> Self {
        let back = if is_long { LONG_LOOK } else { SHORT_LOOK };
        let since = now.saturating_sub(back).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { since, is_long, from: None, seen: Vec::new() }
    }

    /// A long look that begins now.
    #[cfg(test)]
    pub(super) fn long(now: Timestamp) -> Self {
        Self::anew(now, true)
    }

    /// What is left of it behind those deliveries.
    pub(super) fn rest(&self, older: OlderDeliveries, seen: Vec<Delivery>) -> Self {
        Self { from: Some(older), seen, ..self.clone() }
    }
}

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looked {
    /// How many deliveries were asked for.
    pub(super) asked: usize,
    /// How long nothing more may be asked for, where others have their turn as well.
    pub(super) rests: Option<Duration>,
    /// What it did not come to.
    pub(super) rest: Option<Look>,
}

/// When the next look is, and how far back it goes.
pub(super) struct Looks {
    first_pauses: std::array::IntoIter<Duration, 3>,
    is_first: bool,
    long_look_at: Timestamp,
    unfinished: Option<Look>,
    /// Whether the look before was the rest of another one: then what came lately has its turn.
    went_on: bool,
}

impl Looks {
    pub(super) fn new() -> Self {
        Self {
            first_pauses: FIRST_PAUSES.into_iter(),
            is_first: true,
            long_look_at: Timestamp::MIN,
            unfinished: None,
            went_on: false,
        }
    }

    /// The pause before the next look. Where the look before was to rest it is as long as that.
    pub(super) fn pause(&mut self, rests: Option<Duration>) -> Duration {
        let first = self.first_pauses.next();
        self.is_first = first.is_some();
        rests.unwrap_or(first.unwrap_or(PAUSE))
    }

    /// The next look: what one did not come to, in turns with what came lately.
    pub(super) fn next(&mut self, now: Timestamp) -> Look {
        let look = match &self.unfinished {
            Some(unfinished) if !self.went_on => unfinished.clone(),
            Some(_) => Look::anew(now, false),
            None => Look::anew(now, self.is_first || now >= self.long_look_at),
        };
        self.went_on = look.from.is_some();
        look
    }

    /// After a look.
    pub(super) fn looked(&mut self, look: &Look, now: Timestamp, looked: &Looked) {
        if looked.rests.is_some() {
            // What was not asked for may be older than a short look goes; the rest of another look is gone through again.
            if look.from.is_none() {
                self.long_look_at = Timestamp::MIN;
            }
            return;
        }
        // Beside one that is unfinished, what a short look did not come to is left to the next long one.
        if look.from.is_some() || self.unfinished.is_none() {
            self.unfinished.clone_from(&looked.rest);
        }
        if look.is_long && looked.rest.is_none() {
            self.long_look_at = now.saturating_add(LONG_LOOKS).unwrap_or(Timestamp::MAX);
        }
    }

    /// After a look that GitHub refused for good: where it was to go on nothing is any more.
    pub(super) fn refused(&mut self, look: &Look) {
        if look.from.is_some() {
            self.unfinished = None;
            self.long_look_at = Timestamp::MIN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::redelivery::tests::second;

    const WHOLE: Looked = Looked { asked: 3, rests: None, rest: None };

    /// After the first looks, and a long one at this second.
    fn later(at: i64) -> Looks {
        let mut looks = Looks::new();
        for _ in 0..=FIRST_PAUSES.len() {
            looks.pause(None);
        }
        let look = looks.next(second(at));
        assert_eq!(look, Look::anew(second(at), true));
        looks.looked(&look, second(at), &WHOLE);
        looks
    }

    fn bounded(look: &Look, cursor: &str) -> Looked {
        let older = OlderDeliveries::at(&format!("https://api.example.com/app/hook/deliveries?cursor={cursor}"));
        Looked { rest: older.map(|older| look.rest(older, Vec::new())), ..WHOLE }
    }

    #[test]
    fn a_look_that_came_to_no_end_is_gone_on_with_as_far_back() {
        let (mut looks, now) = (Looks::new(), second(0));
        for pause in FIRST_PAUSES {
            assert_eq!(looks.pause(None), pause);
            let look = looks.next(now);
            assert_eq!(look, Look::anew(now, true));
            looks.looked(&look, now, &WHOLE);
        }
        assert_eq!(looks.pause(None), PAUSE);
        let mut look = looks.next(second(60));
        assert_eq!(look, Look::anew(second(60), false));
        let broken_off = Looked { asked: 162, rests: Some(Duration::from_secs(25)), rest: None };
        for _ in 0..3 {
            looks.looked(&look, second(60), &broken_off);
            assert_eq!(looks.pause(broken_off.rests), Duration::from_secs(25));
            look = looks.next(second(85));
            assert_eq!(look, Look::anew(second(85), true));
        }
        looks.looked(&look, second(110), &WHOLE);
        assert_eq!(looks.pause(None), PAUSE);
        assert_eq!(looks.next(second(170)), Look::anew(second(170), false));
        assert_eq!(looks.next(second(110 + 15 * 60)), Look::anew(second(110 + 15 * 60), true));
    }

    #[test]
    fn a_look_that_came_to_its_bound_goes_on_where_it_ended_in_turns_with_what_came_lately() {
        let mut looks = later(0);
        let due = second(15 * 60);
        let long = looks.next(due);
        looks.looked(&long, due, &bounded(&long, "a"));
        let first = looks.next(second(960));
        assert_eq!((first.since, first.from.is_some()), (long.since, true), "as far back as was asked");
        looks.looked(&first, second(960), &bounded(&long, "b"));
        let lately = looks.next(second(1_020));
        assert_eq!(lately, Look::anew(second(1_020), false), "another long one does not begin");
        looks.looked(&lately, second(1_020), &bounded(&lately, "x"));
        let second_part = looks.next(second(1_080));
        assert_eq!(Some(&second_part), bounded(&long, "b").rest.as_ref(), "it is not begun anew");
        let rests = Looked { rests: Some(Duration::from_secs(9)), ..WHOLE };
        looks.looked(&second_part, second(1_080), &rests);
        let lately = looks.next(second(1_090));
        looks.looked(&lately, second(1_090), &WHOLE);
        assert_eq!(looks.next(second(1_100)), second_part, "what was not asked for is");
        looks.looked(&second_part, second(1_100), &WHOLE);
        assert_eq!(looks.next(second(1_160)), Look::anew(second(1_160), false), "it reached its end");
        let again = 1_100 + 15 * 60;
        assert_eq!(looks.next(second(again)), Look::anew(second(again), true));
    }

    #[test]
    fn where_github_knows_no_more_where_a_look_ended_it_begins_anew() {
        let mut looks = later(0);
        let short = looks.next(second(60));
        looks.looked(&short, second(60), &bounded(&short, "a"));
        let rest = looks.next(second(120));
        assert!(rest.from.is_some());
        looks.refused(&rest);
        assert_eq!(looks.next(second(180)), Look::anew(second(180), true));
    }
}
