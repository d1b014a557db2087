#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
use std::collections::VecDeque;

use super::ask::{AT_ONCE, CREATED_PER_HOUR, CREATED_PER_MINUTE, POINTS};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const READ: Ask = Ask::new(Kind::Reads, Urgency::People);
const CHANGE: Ask = Ask::new(Kind::Changes, Urgency::People);
const CREATE: Ask = Ask::new(Kind::Creates, Urgency::People);

/// Goes on with tokio's time, which tests pause.
struct Going(Instant);

impl Clock for Going {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::try_from(self.0.elapsed()).unwrap()
    }
}

fn pace(interval: Duration) -> Pace {
    Pace::new(interval, Timing::default(), Arc::new(Going(Instant::now())))
}

fn in_seconds(pace: &Pace, seconds: i64) -> Timestamp {
    pace.clock.now() + SignedDuration::from_secs(seconds)
}

/// Makes a request as soon as it may be made, as the outbox does: what would be waited for too long comes back later.
async fn make(pace: &Pace, ask: Ask) -> Instant {
    loop {
        match pace.enter(1, ask).await {
            Ok(_ended_at_once) => return Instant::now(),
            Err(rests) => tokio::time::sleep(rests.wait).await,
        }
    }
}

fn share(from: &Pace, to: &Pace, noted: u64) {
    let news = from.news(1).unwrap();
    from.shared(1, noted, &news);
    to.learn(1, noted, &news.lately);
}

#[tokio::test(start_paused = true)]
async fn two_writes_of_one_installation_are_an_interval_apart_from_the_end_of_the_first() {
    let pace = pace(Duration::from_secs(1));
    let began = Instant::now();
    let first = pace.enter(1, CHANGE).await.unwrap();
    let other = pace.clone();
    let second = tokio::spawn(async move { make(&other, CHANGE).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!second.is_finished(), "writes follow each other");
    assert!(pace.enter(2, CHANGE).await.is_ok(), "each installation for itself");
    drop(first);
    assert_eq!(second.await.unwrap().duration_since(began).as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn content_is_limited_per_minute_and_per_hour() {
    let pace = pace(Duration::ZERO);
    let mut created = Vec::new();
    while created.len() < 600 {
        created.push(make(&pace, CREATE).await);
    }
    for (most, window) in [(CREATED_PER_MINUTE, MINUTE), (CREATED_PER_HOUR, HOUR)] {
        for (first, next) in created.iter().zip(created.iter().skip(usize::try_from(most).unwrap())) {
            assert!(*next - *first >= window, "{first:?} {next:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_binds_reads_and_writes_and_no_success_lifts_it() {
    let pace = pace(Duration::ZERO);
    let under_way = pace.enter(1, READ).await.unwrap();
    pace.pause(1, in_seconds(&pace, 60));
    pace.pause(1, in_seconds(&pace, 30));
    under_way.obey::<()>(&Ok(()));
    drop(under_way);
    pace.resume(1);
    for ask in [READ, CHANGE, CREATE] {
        let rests = pace.ready(1, ask).await.unwrap_err();
        assert_eq!((rests.because, rests.wait.as_secs()), (Because::Asked, 60), "{ask:?}");
    }
    assert!(pace.rests(1, Urgency::People).is_some());
    assert!(pace.enter(2, READ).await.is_ok(), "it is the installation's");
    // What is over soon is waited for.
    tokio::time::sleep(Duration::from_secs(45)).await;
    let began = Instant::now();
    assert!(pace.enter(1, READ).await.is_ok());
    assert_eq!(began.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn who_holds_nothing_waits_and_who_holds_a_place_that_others_wait_for_gives_it_back() {
    let pace = pace(Duration::ZERO);
    let waits = async |holds, seconds| {
        pace.pause(1, in_seconds(&pace, seconds));
        let began = Instant::now();
        let entered = pace.enter(1, Ask { holds, ..READ }).await.is_ok();
        tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs()).saturating_sub(began.elapsed())).await;
        entered
    };
    for (holds, longest) in [(Holds::Place, 2), (Holds::Lease, 20), (Holds::Nothing, 120)] {
        assert!(waits(holds, longest).await, "{holds:?}");
        assert!(!waits(holds, longest + 1).await, "{holds:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_looks_for_what_was_missed_leaves_points_to_people() {
    let pace = pace(Duration::ZERO);
    let looking = Ask { urgency: Urgency::Reconciliation, ..READ };
    let mut looks = 0;
    while pace.enter(1, looking).await.is_ok() {
        looks += 1;
    }
    assert_eq!(looks, POINTS - POINTS / 10);
    let mut reads = 0;
    while pace.enter(1, READ).await.is_ok() {
        reads += 1;
    }
    assert_eq!(looks + reads, POINTS);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_so_many_are_under_way_and_the_next_begins_when_one_ends() {
    let pace = pace(Duration::ZERO);
    let mut under_way = Vec::new();
    for _ in 0..AT_ONCE {
        under_way.push(pace.enter(1, READ).await.unwrap());
    }
    let began = Instant::now();
    assert!(pace.enter(1, READ).await.is_err(), "the lease is not held for ever");
    assert!(began.elapsed() <= Timing::default().longest_wait, "{:?}", began.elapsed());
    let other = pace.clone();
    let next = tokio::spawn(async move { other.enter(1, READ).await.is_ok() });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let began = Instant::now();
    under_way.pop();
    assert!(next.await.unwrap());
    assert_eq!(began.elapsed(), Duration::ZERO, "it is told of the end");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_hour_holds_until_the_hour_is_over() {
    let pace = pace(Duration::ZERO);
    let says = |remaining: u64| {
        let mut headers = HeaderMap::new();
        for (name, value) in [("limit", 5_000), ("remaining", remaining), ("reset", 600)] {
            let name = http::HeaderName::try_from(format!("x-ratelimit-{name}")).unwrap();
            headers.insert(name, value.into());
        }
        headers
    };
    let passage = pace.enter(1, READ).await.unwrap();
    passage.heard(StatusCode::OK, &says(90));
    drop(passage);
    let rests = |urgency| pace.rests(1, urgency).map(|rests| (rests.because, rests.wait.as_secs()));
    assert_eq!(rests(Urgency::People), None);
    assert_eq!(rests(Urgency::Timeline), Some((Because::Hour, 601)));
    let passage = pace.enter(1, READ).await.unwrap();
    passage.heard(StatusCode::OK, &says(0));
    drop(passage);
    assert_eq!(rests(Urgency::People), Some((Because::Hour, 601)));
    assert!(pace.enter(1, Ask { kind: Kind::AsksLimit, ..READ }).await.is_ok(), "asking for the limit costs nothing");
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert_eq!(rests(Urgency::Reconciliation), None);
}

#[tokio::test(start_paused = true)]
async fn two_servers_that_share_what_they_told_keep_to_one_limit() {
    let (one, other) = (pace(Duration::ZERO), pace(Duration::ZERO));
    for turn in 0..CREATED_PER_MINUTE {
        let (from, to) = if turn % 2 == 0 { (&one, &other) } else { (&other, &one) };
        drop(from.enter(1, CREATE).await.unwrap());
        share(from, to, turn);
    }
    for pace in [&one, &other] {
        let rests = pace.ready(1, CREATE).await.unwrap_err();
        assert!(rests.because == Because::Content && rests.wait.as_secs() >= 59, "{rests:?}");
    }
    one.learn(1, 3, &Lately::default());
    assert!(one.ready(1, CREATE).await.is_err(), "an older note was read while a newer one was written");
    assert!(one.news(1).is_none(), "what was refused is not noted");
    other.pause(1, in_seconds(&other, 60));
    share(&other, &one, 80);
    assert_eq!(one.ready(1, READ).await.unwrap_err().because, Because::Asked);
}

#[tokio::test(start_paused = true)]
async fn what_two_servers_read_at_once_is_put_together() {
    let (one, other) = (pace(Duration::ZERO), pace(Duration::ZERO));
    for _ in 0..POINTS / 2 {
        drop(one.enter(1, READ).await.unwrap());
        drop(other.enter(1, READ).await.unwrap());
    }
    // Both have news; whoever notes second takes over the first one's and notes both.
    share(&one, &other, 0);
    assert!(other.enter(1, READ).await.is_err(), "its own are still counted");
    share(&other, &one, 1);
    assert!(one.enter(1, READ).await.is_err());
    tokio::time::sleep(MINUTE + Duration::from_secs(1)).await;
    assert!(one.enter(1, READ).await.is_ok());
    assert_eq!(one.with_news(), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_grows_old_however_often_servers_note_it_for_each_other() {
    let (one, other) = (pace(Duration::ZERO), pace(Duration::ZERO));
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..POINTS {
        drop(one.enter(1, READ).await.unwrap());
    }
    for turn in 0..62 {
        let (from, to) = if turn % 2 == 0 { (&one, &other) } else { (&other, &one) };
        // A pause that is over is news, and binds nobody.
        from.pause(1, in_seconds(from, 0));
        share(from, to, turn);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for pace in [&one, &other] {
        for read in 0..POINTS {
            assert!(pace.enter(1, READ).await.is_ok(), "read {read} of a new minute");
        }
    }
}

/// GitHub's limits on one installation, by the pages that this room names: points, and content.
#[derive(Default)]
struct Limits {
    spent: VecDeque<(Instant, u32, bool)>,
}

impl Limits {
    fn admits(&mut self, at: Instant, points: u32, creates: bool) -> bool {
        while self.spent.front().is_some_and(|(spent, ..)| at.duration_since(*spent) >= HOUR) {
            self.spent.pop_front();
        }
        let lately = self.spent.iter().filter(|(spent, ..)| at.duration_since(*spent) < MINUTE);
        let (mut minute, mut created) = (0, 0);
        for (_, points, creates) in lately {
            minute += points;
            created += u64::from(*creates);
        }
        let hour = self.spent.iter().filter(|(.., creates)| *creates).count() as u64;
        self.spent.push_back((at, points, creates));
        minute + points <= 900 && (!creates || (created < CREATED_PER_MINUTE && hour < CREATED_PER_HOUR))
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_five_hundred_executions_is_written_without_one_refusal() {
    // However short a pause the operator has set.
    let pace = pace(Duration::ZERO);
    let mut github = Limits::default();
    let began = Instant::now();
    // A look at what stands there, a comment and a check run each, both brought up to date once.
    let asks = [(READ, 1), (CREATE, 5), (CREATE, 5), (CHANGE, 5), (CHANGE, 5)];
    for execution in 0..500 {
        for (ask, points) in asks {
            let at = make(&pace, ask).await;
            assert!(github.admits(at, points, ask == CREATE), "{ask:?} of execution {execution}");
        }
    }
    // Two hours' worth of content, and not much more.
    assert!(began.elapsed() < HOUR * 2 + MINUTE * 5, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_ahead_binds_nobody_for_days() {
    let (one, other) = (pace(Duration::ZERO), pace(Duration::ZERO));
    let tomorrow = in_seconds(&other, 24 * 60 * 60);
    other.pause(1, tomorrow);
    other.park(1, tomorrow);
    share(&other, &one, 1);
    for pace in [&one, &other] {
        assert_eq!(pace.rests(1, Urgency::People).map(|rests| rests.wait.as_secs()), Some(2 * 60 * 60));
    }
}
