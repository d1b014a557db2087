//! Time tables: each slot once, in the zone it is written in, and what was missed as the author wants.

use flowctl_core::definition::Trigger;
use flowctl_core::definition::trigger::ScheduleTrigger;

use super::*;
use crate::engine::schedule::{Known, slots};

fn process(more: &str) -> String {
    format!(
        "
name: nightly
version: 1
triggers:
  - schedule: {{cron: '0 3 * * *', timezone: Europe/Berlin{more}}}
steps:
  - {{id: note, type: set, values: {{at: '{{{{ trigger.payload.at }}}}'}}}}
"
    )
}

async fn fired(world: &World) -> Vec<String> {
    world.engine.fire_due(&mut Known::new()).await.unwrap();
    world.engine.settle().await.unwrap();
    let started = world.all_of("nightly").await;
    started.iter().map(|it| it.steps["note"].output.as_ref().unwrap()["at"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_slot_fires_once_however_many_servers_look() {
    // It is 2026-03-02T09:00:00Z, ten in the morning in Berlin.
    let world = World::of(&process("")).await;
    assert_eq!(fired(&world).await.len(), 0, "slots from before it was known do not count");
    world.passes(17 * 3600 - 1);
    assert_eq!(fired(&world).await.len(), 0);
    world.passes(1);
    let another = world.another("another");
    let (mut one, mut two) = (Known::new(), Known::new());
    let (first, second) = tokio::join!(world.engine.fire_due(&mut one), another.fire_due(&mut two));
    first.unwrap();
    second.unwrap();
    assert_eq!(fired(&world).await, ["2026-03-03T02:00:00Z"]);
    world.passes(3600);
    assert_eq!(fired(&world).await.len(), 1);
    world.check().await;
}

#[tokio::test]
async fn missed_slots_run_once_or_not_at_all() {
    for (more, expected) in [("", vec!["2026-03-05T02:00:00Z"]), (", missed: skip", vec![])] {
        let world = World::of(&process(more)).await;
        fired(&world).await;
        world.passes(3 * 86_400);
        assert_eq!(fired(&world).await, expected, "{more}");
        world.passes(17 * 3600);
        assert_eq!(fired(&world).await.len(), expected.len() + 1, "the next slot is on time again");
    }
}

#[tokio::test]
async fn a_server_that_died_between_the_start_and_its_record_starts_nothing_twice() {
    let world = World::of(&process("")).await;
    fired(&world).await;
    world.passes(17 * 3600);
    assert_eq!(fired(&world).await.len(), 1);
    // As if the slot had not been recorded: a time table of the same name that was last dealt with the day before.
    let fresh = World::of(&process("")).await;
    fired(&fresh).await;
    fresh.passes(17 * 3600);
    let request = StartRequest {
        start_key: Some("schedule:shop:0 3 * * * Europe/Berlin:2026-03-03T02:00:00Z:nightly".to_owned()),
        trigger: TriggerInfo {
            kind: "schedule".to_owned(),
            actor: None,
            payload: json!({"at": "2026-03-03T02:00:00Z"}),
            pull_request: None,
        },
        ..fresh.request()
    };
    fresh.engine.start(request).await.unwrap();
    assert_eq!(fired(&fresh).await, ["2026-03-03T02:00:00Z"]);
}

fn trigger(cron: &str, zone: &str) -> ScheduleTrigger {
    let text = format!(
        "name: p\nversion: 1\ntriggers:\n  - schedule: {{cron: '{cron}', timezone: {zone}}}\nsteps:\n  - {{id: a, type: set, values: {{x: 1}}}}\n"
    );
    let plan = plan(&text);
    let triggers = plan.process.header.triggers.as_ref().unwrap();
    let Trigger::Schedule(trigger) = &triggers[0].value else { panic!("a schedule") };
    (**trigger).clone()
}

#[test]
fn clocks_that_change_neither_lose_nor_double_a_daily_slot() {
    for (cron, from, expected) in [
        // On 29 March 2026 the hour from two to three does not exist in Berlin.
        ("30 2 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        // On 25 October 2026 it comes twice.
        ("30 2 * * *", "2026-10-24T12:00:00Z", ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        ("0 9 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T09:00:00+02:00", "2026-03-30T09:00:00+02:00"]),
    ] {
        let trigger = trigger(cron, "Europe/Berlin");
        let mut from: Timestamp = from.parse().unwrap();
        let end = from.checked_add(SignedDuration::from_hours(44)).unwrap();
        let mut days = Vec::new();
        while let (_, Some(next)) = slots(&trigger, from, from) {
            if next > end {
                break;
            }
            days.push(
                next.to_zoned(jiff::tz::TimeZone::get("Europe/Berlin").unwrap())
                    .strftime("%Y-%m-%dT%H:%M:%S%:z")
                    .to_string(),
            );
            from = next;
        }
        assert_eq!(days, expected, "{cron}");
    }
}

#[test]
fn a_table_that_never_comes_again_is_no_loop() {
    let never = trigger("0 0 30 2 *", "UTC");
    let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(slots(&never, from, now), (None, None));
    let every = trigger("* * * * *", "UTC");
    let (last, next) = slots(&every, from, "2026-01-01T00:10:30Z".parse().unwrap());
    assert_eq!(last, "2026-01-01T00:10:00Z".parse().ok());
    assert_eq!(next, "2026-01-01T00:11:00Z".parse().ok());
}
