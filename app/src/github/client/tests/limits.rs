//! What answers say of limits, and whom that binds.

use super::*;

fn with_limit(reply: Reply, limit: u64, remaining: u64) -> Reply {
    let reset = NOW.parse::<Timestamp>().unwrap().as_second() + 3_600;
    let reply = reply.header("x-ratelimit-limit", limit.to_string());
    reply.header("x-ratelimit-remaining", remaining.to_string()).header("x-ratelimit-reset", reset.to_string())
}

#[tokio::test]
async fn what_is_left_to_whoever_asks_without_a_token_is_not_taken_for_the_installations() {
    let world = World::with_tokens().await;
    let refused = Reply::json(401, &json!({"message": "Bad credentials"}));
    world.server.on(COMMENTS, with_limit(refused, 60, 0)).on(COMMENTS, Reply::json(201, &comment(5, &json!("x"))));
    world.installation().create_comment(&repository(), 7, "x").await.unwrap();
    assert_eq!(world.server.asked(COMMENTS).len(), 2);
}

#[tokio::test]
async fn lost_deliveries_leave_tokens_to_installations() {
    let world = World::with_tokens().await;
    let app = json!({"id": 99, "slug": "flowctl", "name": "flowctl"});
    world.server.on("GET /api/v3/app", with_limit(Reply::json(200, &app), 5_000, 400));
    world.server.on("POST /api/v3/app/hook/deliveries/2/attempts", Reply::json(202, &json!({})));
    world.github.app().get_app().await.unwrap();
    let refused = world.github.app().redeliver(2).await.unwrap_err();
    assert!(matches!(refused, GitHubError::Rests { because: Because::Hour, .. }), "{refused}");
    world.installation().token().await.unwrap();
}

#[tokio::test]
async fn what_was_not_sent_for_want_of_a_token_counts_for_nothing() {
    let world = World::new().await;
    world.server.on(MINT, Reply::empty(502));
    world.installation().create_comment(&repository(), 7, "x").await.unwrap_err();
    assert_eq!(world.github.pace().with_news(), [0; 0]);
}

#[tokio::test]
async fn how_busy_the_store_of_an_archive_is_says_nothing_of_the_installation() {
    let world = World::with_tokens().await;
    let store = Server::start().await;
    let archive = "GET /api/v3/repos/octo/hello/actions/artifacts/3/zip";
    world.server.on(archive, Reply::empty(302).header("location", format!("{}zip", store.url)));
    store.on("GET /zip", Reply::empty(429).header("retry-after", "600"));
    let download = async || world.installation().download_artifact(&repository(), 3).await.map(drop).unwrap_err();
    assert!(matches!(download().await, GitHubError::RateLimited { .. }));
    assert!(matches!(download().await, GitHubError::RateLimited { .. }), "it is asked again");
    assert_eq!(store.all().len(), 2);
    let limited = Reply::empty(429).header("retry-after", "600");
    let other = "GET /api/v3/repos/octo/hello/actions/artifacts/4/zip";
    world.server.on(other, limited);
    let refused = world.installation().download_artifact(&repository(), 4).await.map(drop).unwrap_err();
    assert!(matches!(refused, GitHubError::RateLimited { .. }), "{refused}");
    assert!(matches!(download().await, GitHubError::Rests { .. }), "GitHub itself is obeyed");
}
