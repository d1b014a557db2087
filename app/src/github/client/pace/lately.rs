//! What installations were asked and told lately, as servers on one database note it for each other: one note for each
//! installation, no row for a request.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::ask::Kind;
use super::installation::Spent;
use super::left::Left;
use super::{Here, Rules};

/// Reads are noted as so many within a time of this length, in milliseconds.
const SLOT: i64 = 1_000;
/// How far before its end reads of a slot are taken to be: longer than noting them again makes them younger.
const BEFORE_ITS_END: i64 = 10;

/// What an installation was asked and told lately, and until when it is to be left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lately {
    /// The writes of the last minute: when the first was, in milliseconds since 1970, and how long after it each next one.
    #[serde(default)]
    written: Vec<i64>,
    /// The writes of the last hour that made something, likewise.
    #[serde(default)]
    created: Vec<i64>,
    /// The reads of the last minute: second since 1970, and how many.
    #[serde(default)]
    read: Vec<(i64, u32)>,
    /// As GitHub has asked.
    #[serde(default)]
    pub(super) paused_until: Option<Timestamp>,
    /// Because it is out of reach.
    #[serde(default)]
    pub(super) parked_until: Option<Timestamp>,
    /// What GitHub says is left of the hour.
    #[serde(default)]
    pub(super) left: Option<Left>,
}

impl Lately {
    /// What was asked and told.
    pub(super) fn of(spent: &[Spent], here: Here, rules: &Rules) -> Self {
        let within = |length: Duration| {
            let of_late = move |spent: &&Spent| here.at.duration_since(spent.at) <= length;
            spent.iter().filter(of_late).map(move |spent| (here.moment(spent.at), spent.kind))
        };
        let mut read: BTreeMap<i64, u32> = BTreeMap::new();
        for (moment, _) in within(rules.timing.minute).filter(|(_, kind)| !kind.writes()) {
            *read.entry(moment.div_euclid(SLOT)).or_default() += 1;
        }
        Self {
            written: gaps(within(rules.timing.minute).filter(|(_, kind)| kind.writes())),
            created: gaps(within(rules.timing.hour).filter(|(_, kind)| kind.creates())),
            read: read.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The same the other way round. A clock that is ahead holds nobody up for longer than anybody waits.
    pub(super) fn spent(&self, here: Here, rules: &Rules) -> Vec<Spent> {
        let longest = rules.timing.longest_wait;
        let spent = |moment: i64, kind: Kind| Spent::by_others(here.instant(moment, longest), kind);
        let created: Vec<i64> = moments(&self.created).collect();
        let changed = moments(&self.written).filter(|moment| !created.contains(moment));
        let mut all: Vec<Spent> = changed.map(|moment| spent(moment, Kind::Changes)).collect();
        all.extend(created.iter().map(|moment| spent(*moment, Kind::Creates)));
        for (second, count) in &self.read {
            // As if they had been made at its end, and still within it: whoever notes them again does so for the same second.
            let moment = second.saturating_mul(SLOT).saturating_add(SLOT - BEFORE_ITS_END);
            let read = spent(moment.min(here.now.as_millisecond()), Kind::Reads);
            all.extend(std::iter::repeat_n(read, usize::try_from(*count).unwrap_or_default().min(MOST_READS)));
        }
        all
    }
}

/// No more reads than this can have been made within a second, whatever is noted.
const MOST_READS: usize = 1_000;

/// The first moment, and how long after it each next one.
fn gaps(moments: impl Iterator<Item = (i64, Kind)>) -> Vec<i64> {
    let mut before = 0;
    moments.map(|(moment, _)| moment - std::mem::replace(&mut before, moment)).collect()
}

fn moments(gaps: &[i64]) -> impl Iterator<Item = i64> + '_ {
    gaps.iter().scan(0_i64, |moment, gap| {
        *moment = moment.saturating_add(*gap);
        Some(*moment)
    })
}

impl Here {
    /// A moment as it is noted, in milliseconds since 1970: never before it.
    fn moment(self, at: Instant) -> i64 {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let (ago, ahead) = (self.at.duration_since(at), at.duration_since(self.at));
        self.now.as_millisecond().saturating_sub(millis(ago)).saturating_add(millis(ahead)).saturating_add(1)
    }

    fn instant(self, moment: i64, longest_ahead: Duration) -> Instant {
        let ago = self.now.as_millisecond().saturating_sub(moment);
        let span = Duration::from_millis(ago.unsigned_abs());
        if ago < 0 { self.at + span.min(longest_ahead) } else { self.at.checked_sub(span).unwrap_or(self.at) }
    }
}
