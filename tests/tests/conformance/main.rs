//! The sandbox against GitHub's published OpenAPI description: every route with its answers, every webhook, and every
//! request that the App makes. Runs with `tests/run --conformance`; without the description it says "not run".
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod actions;
mod app;
mod checks;
mod client;
mod code;
mod events;
mod git_data;
mod issues;
mod people;
mod pulls;
mod refusals;
mod routes;
mod world;

use flowctl_tests::conformance::{Report, published};
use world::World;

#[tokio::test]
async fn the_sandbox_answers_and_tells_as_github_describes() {
    let Some(description) = published() else { return };
    let world = World::new().await;
    app::drive(&world).await;
    people::drive(&world).await;
    code::drive(&world).await;
    issues::drive(&world).await;
    pulls::drive(&world).await;
    checks::drive(&world).await;
    actions::drive(&world).await;
    git_data::drive(&world).await;
    refusals::drive(&world).await;
    events::drive(&world);
    app::register(&world).await;
    let mut report = Report::new(description);
    let exchanges = world.exchanges();
    exchanges.iter().for_each(|exchange| report.exchange(exchange));
    report.deliveries(&world.sandbox.deliveries());

    let mut faults: Vec<String> = world.surprises();
    faults.extend(routes::not_driven(&exchanges));
    faults.extend(events::not_sent(&world.sandbox.deliveries()));
    faults.extend(report.finish().err());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    let of = |fits: fn(&str) -> bool| report.checked().iter().filter(|subject| fits(subject)).count();
    let (requests, webhooks) =
        (of(|subject| subject.ends_with(" request")), of(|subject| subject.starts_with("webhook ")));
    let answers = report.checked().len() - requests - webhooks;
    println!("as described: {requests} operations with {answers} kinds of answers, and {webhooks} webhooks");
}
