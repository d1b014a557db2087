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

/// The slots of a time table within some hours, as people of the zone would write them.
fn told(cron: &str, zone: &str, from: &str, hours: i64) -> Vec<String> {
    let trigger = trigger(cron, zone);
    let mut from: Timestamp = from.parse().unwrap();
    let end = from.checked_add(SignedDuration::from_hours(hours)).unwrap();
    let mut slots_told = Vec::new();
    while let (_, Some(next)) = slots(&trigger, from, from) {
        if next > end {
            break;
        }
        assert!(next > from, "{cron} {zone}: time goes forwards");
        slots_told.push(next.to_zoned(jiff::tz::TimeZone::get(zone).unwrap()).strftime("%dT%H:%M%:z").to_string());
        from = next;
    }
    slots_told
}

#[test]
fn days_that_begin_at_one_and_half_hours_that_come_twice_are_told_as_people_expect() {
    // In Sao Paulo midnight of 4 November 2018 did not exist; on 18 February 2018 the last hour of the 17th came twice.
    assert_eq!(
        told("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 44),
        ["04T01:00-02:00", "05T00:00-02:00"]
    );
    assert_eq!(
        told("30 23 * * *", "America/Sao_Paulo", "2018-02-17T12:00:00Z", 44),
        ["17T23:30-02:00", "18T23:30-03:00"]
    );
    // Lord Howe moves by half an hour: from 02:00 to 02:30 on 4 October 2026, from 02:00 back to 01:30 on 5 April.
    assert_eq!(
        told("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 44),
        ["04T02:30+11:00", "05T02:15+11:00"]
    );
    assert_eq!(
        told("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 44),
        ["05T01:45+11:00", "06T01:45+10:30"]
    );
}

#[test]
fn a_week_of_downtime_is_one_missed_run() {
    let every = trigger("*/5 * * * *", "Europe/Berlin");
    let from: Timestamp = "2026-03-25T12:01:00Z".parse().unwrap();
    let (last, next) = slots(&every, from, "2026-04-01T12:01:30Z".parse().unwrap());
    assert_eq!((last, next), ("2026-04-01T12:00:00Z".parse().ok(), "2026-04-01T12:05:00Z".parse().ok()));
    // As many slots as nobody counts through: the newest one counts all the same.
    let every = trigger("* * * * *", "UTC");
    let (last, next) = slots(&every, from, "2027-04-01T12:01:30Z".parse().unwrap());
    assert_eq!((last, next), ("2027-04-01T12:01:00Z".parse().ok(), "2027-04-01T12:02:00Z".parse().ok()));
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

#[tokio::test]
async fn a_time_table_that_is_changed_back_fires_for_no_slot_of_the_time_between() {
    for other in
        [process("").replace("0 3 * * *", "0 0 1 1 *"), process("").replace("version: 1", "version: 1\nstatus: draft")]
    {
        let world = World::of(&process("")).await;
        let mut known = Known::new();
        world.engine.fire_due(&mut known).await.unwrap();
        world.definitions.rewrite(&other);
        world.definitions.publish_as("the commit that changes it");
        world.engine.fire_due(&mut known).await.unwrap();
        world.passes(3 * 86_400);
        world.engine.fire_due(&mut known).await.unwrap();
        world.definitions.rewrite(&process(""));
        world.definitions.publish_as("the commit that changes it back");
        world.engine.fire_due(&mut known).await.unwrap();
        assert_eq!(fired(&world).await.len(), 0, "slots of the time between");
    }
}
